"""Z.ai: GLM. https://docs.z.ai/api-reference/llm/chat-completion"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from ..wire import Dialect
from ._provider import Provider, fields_of


class ZAIOptions(TypedDict, total=False):
    """What only Z.ai knows. The coding plan has an address of its own: `base_url="https://api.z.ai/api/coding/paas/v4"`."""

    thinking: dict[str, Any]
    reasoning_effort: Literal["low", "high", "max"]
    do_sample: bool
    tool_stream: bool
    request_id: str
    user_id: str


PROVIDER = Provider(
    name="zai",
    base_url="https://api.z.ai/api/paas/v4",
    key_env=("ZAI_API_KEY", "Z_AI_API_KEY"),
    public=True,
    hosts=("open.bigmodel.cn",),
    aliases=("z-ai", "zhipu"),
    dialect=Dialect(
        unsupported=("seed", "presence_penalty", "frequency_penalty", "logprobs", "parallel_tool_calls", "user"),
        max_tokens="max_tokens",
        reasoning="thinking",
        schema="json_object",
        output="tool",
        option_fields=fields_of(ZAIOptions),
    ),
)
