"""Cerebras: open models, fast. https://inference-docs.cerebras.ai/resources/openai"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from ..wire import Dialect
from ._provider import Provider, fields_of


class CerebrasOptions(TypedDict, total=False):
    """What only Cerebras knows."""

    reasoning_format: Literal["none", "parsed", "raw", "hidden", "text_parsed"]
    disable_reasoning: bool
    clear_thinking: bool
    min_tokens: int
    prediction: dict[str, Any]
    service_tier: str
    user: str


PROVIDER = Provider(
    name="cerebras",
    base_url="https://api.cerebras.ai/v1",
    key_env="CEREBRAS_API_KEY",
    public=True,
    dialect=Dialect(
        unsupported=("presence_penalty", "frequency_penalty"),  # 400
        option_fields=fields_of(CerebrasOptions),
    ),
)
