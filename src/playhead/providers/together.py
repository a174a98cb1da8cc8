"""Together: open models. https://docs.together.ai/reference/chat-completions-1"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from ..wire import Dialect
from ._provider import Provider, fields_of


class TogetherOptions(TypedDict, total=False):
    """What only Together knows."""

    top_k: int
    min_p: float
    repetition_penalty: float
    logit_bias: dict[str, float]
    reasoning: dict[str, Any]
    chat_template_kwargs: dict[str, Any]
    context_length_exceeded_behavior: Literal["truncate", "error"]
    safety_model: str
    echo: bool
    compliance: str


PROVIDER = Provider(
    name="together",
    base_url="https://api.together.xyz/v1",
    key_env="TOGETHER_API_KEY",
    public=True,
    hosts=("api.together.ai",),
    dialect=Dialect(
        unsupported=("service_tier", "user"),
        max_tokens="max_tokens",
        output="tool",  # only some models take a schema. https://docs.together.ai/docs/json-mode
        option_fields=fields_of(TogetherOptions),
    ),
)
