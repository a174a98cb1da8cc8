"""Groq: open models, fast. https://console.groq.com/docs/openai"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from ..wire import Dialect
from ._provider import Provider, fields_of


class GroqOptions(TypedDict, total=False):
    """What only Groq knows."""

    reasoning_format: Literal["hidden", "raw", "parsed"]
    include_reasoning: bool
    service_tier: Literal["auto", "on_demand", "flex", "performance"]
    documents: list[dict[str, Any]]
    citation_options: Literal["enabled", "disabled"]
    search_settings: dict[str, Any]
    compound_custom: dict[str, Any]
    disable_tool_validation: bool
    user: str


PROVIDER = Provider(
    name="groq",
    base_url="https://api.groq.com/openai/v1",
    key_env="GROQ_API_KEY",
    public=True,
    dialect=Dialect(
        # 400 for the first; the others are taken, and do nothing yet.
        unsupported=("logprobs", "presence_penalty", "frequency_penalty"),
        # Not all models take a schema (400), and none takes one beside tools.
        # https://console.groq.com/docs/structured-outputs
        output="tool",
        option_fields=fields_of(GroqOptions),
    ),
)
