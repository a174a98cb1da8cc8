"""Moonshot: Kimi. https://platform.moonshot.ai/docs/api/chat"""

from __future__ import annotations

from typing import Any, TypedDict

from ..wire import Dialect
from ._provider import Provider, fields_of


class MoonshotOptions(TypedDict, total=False):
    """What only Moonshot knows."""

    thinking: dict[str, Any]
    reasoning_effort: str
    prompt_cache_key: str
    safety_identifier: str


PROVIDER = Provider(
    name="moonshot",
    base_url="https://api.moonshot.ai/v1",
    key_env=("MOONSHOT_API_KEY", "KIMI_API_KEY"),
    public=True,
    hosts=("api.moonshot.cn",),
    aliases=("kimi",),
    dialect=Dialect(
        unsupported=("seed", "logprobs", "parallel_tool_calls", "service_tier", "user"),
        reasoning="thinking",
        reasoning_history=True,
        cache="key",
        schema="json_object",
        output="tool",
        option_fields=fields_of(MoonshotOptions),
    ),
)
