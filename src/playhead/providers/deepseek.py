"""DeepSeek. https://api-docs.deepseek.com"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from ..wire import Dialect
from ._provider import Provider, fields_of


class DeepSeekOptions(TypedDict, total=False):
    """What only DeepSeek knows."""

    thinking: dict[str, Any]
    reasoning_effort: Literal["low", "high", "max"]


PROVIDER = Provider(
    name="deepseek",
    base_url="https://api.deepseek.com",
    key_env="DEEPSEEK_API_KEY",
    public=True,
    dialect=Dialect(
        unsupported=("seed", "parallel_tool_calls", "service_tier", "user"),
        max_tokens="max_tokens",
        reasoning="thinking",
        reasoning_history=True,
        schema="json_object",
        output="tool",
        option_fields=fields_of(DeepSeekOptions),
    ),
)
