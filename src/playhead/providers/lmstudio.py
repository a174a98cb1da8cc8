"""LM Studio. https://lmstudio.ai/docs/developer/openai-compat"""

from __future__ import annotations

from typing import TypedDict

from ..wire import Dialect
from ._provider import Provider, fields_of


class LMStudioOptions(TypedDict, total=False):
    """What only LM Studio knows."""

    top_k: int
    min_p: float
    repeat_penalty: float
    logit_bias: dict[str, float]
    ttl: int
    draft_model: str


PROVIDER = Provider(
    name="lmstudio",
    base_url="{address}/v1",
    key_env=("LMSTUDIO_API_KEY", "LM_API_TOKEN"),
    key_required=False,
    variables={"address": ("LMSTUDIO_BASE_URL", "LM_STUDIO_API_BASE", "=http://127.0.0.1:1234")},
    aliases=("lm-studio",),
    dialect=Dialect(
        unsupported=("parallel_tool_calls", "service_tier", "user"),
        max_tokens="max_tokens",
        option_fields=fields_of(LMStudioOptions),
    ),
)
