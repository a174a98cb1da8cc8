"""OpenAI, chat completions. https://platform.openai.com/docs/api-reference/chat"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from ..wire import Dialect
from ._provider import Provider, fields_of

CALL_ID = r"[\s\S]{1,40}"
"""Longer ids of tool calls, such as vLLM's, are refused (400)."""

HEADERS = {"organization": "OpenAI-Organization", "project": "OpenAI-Project"}


class OpenAIOptions(TypedDict, total=False):
    """What only OpenAI's chat completions know."""

    store: bool
    metadata: dict[str, str]
    service_tier: str
    user: str
    safety_identifier: str
    prompt_cache_key: str
    prompt_cache_retention: str
    logit_bias: dict[str, int]
    logprobs: bool
    top_logprobs: int
    prediction: dict[str, Any]
    modalities: list[str]
    audio: dict[str, Any]
    verbosity: Literal["low", "medium", "high"]
    web_search_options: dict[str, Any]
    organization: str
    project: str


PROVIDER = Provider(
    name="openai",
    base_url="https://api.openai.com/v1",
    key_env="OPENAI_API_KEY",
    public=True,
    hosts=("*.api.openai.com",),
    dialect=Dialect(
        cache="key",
        call_id=CALL_ID,
        output_with_tools="native",
        option_fields=fields_of(OpenAIOptions, HEADERS),
        option_headers=HEADERS,
    ),
)
