"""xAI: Grok. https://docs.x.ai/docs/api-reference"""

from __future__ import annotations

from typing import Any, TypedDict

from ..wire import Dialect
from ._provider import Provider, fields_of


class XAIOptions(TypedDict, total=False):
    """What only xAI knows."""

    search_parameters: dict[str, Any]
    deferred: bool
    logit_bias: dict[str, int]
    user: str


PROVIDER = Provider(
    name="xai",
    base_url="https://api.x.ai/v1",
    key_env="XAI_API_KEY",
    public=True,
    aliases=("grok",),
    dialect=Dialect(option_fields=fields_of(XAIOptions)),
)
