"""OpenAI, responses. https://platform.openai.com/docs/api-reference/responses"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from ..wire import Dialect
from ._provider import Provider, fields_of
from .openai import HEADERS


class OpenAIResponsesOptions(TypedDict, total=False):
    """What only OpenAI's responses know. Answers are not stored there unless `store` says so."""

    store: bool
    include: list[str]
    metadata: dict[str, str]
    service_tier: str
    user: str
    safety_identifier: str
    prompt: dict[str, Any]
    prompt_cache_key: str
    prompt_cache_retention: str
    truncation: Literal["auto", "disabled"]
    max_tool_calls: int
    top_logprobs: int
    text: dict[str, Any]
    verbosity: Literal["low", "medium", "high"]
    context_management: list[dict[str, Any]]
    stream_options: dict[str, Any]
    organization: str
    project: str


PROVIDER = Provider(
    name="openai-responses",
    base_url="https://api.openai.com/v1",
    key_env="OPENAI_API_KEY",
    wire="openai_responses",
    issuer="openai",
    dialect=Dialect(
        output_with_tools="native",
        option_fields=fields_of(OpenAIResponsesOptions, HEADERS),
        option_headers=HEADERS,
    ),
)
