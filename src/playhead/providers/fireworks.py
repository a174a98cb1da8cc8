"""Fireworks: open models. https://docs.fireworks.ai/api-reference/post-chatcompletions"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from ..wire import Dialect
from ._provider import Provider, fields_of


class FireworksOptions(TypedDict, total=False):
    """What only Fireworks knows."""

    top_k: int
    min_p: float
    typical_p: float
    repetition_penalty: float
    mirostat_target: float
    mirostat_lr: float
    logit_bias: dict[str, float]
    thinking: dict[str, Any]
    reasoning_history: str
    prompt_truncate_len: int
    prompt_cache_isolation_key: str
    context_length_exceeded_behavior: Literal["truncate", "error"]
    prediction: dict[str, Any]
    perf_metrics_in_response: bool
    raw_output: bool
    echo: bool
    ignore_eos: bool
    metadata: dict[str, str]
    user: str


PROVIDER = Provider(
    name="fireworks",
    base_url="https://api.fireworks.ai/inference/v1",
    key_env="FIREWORKS_API_KEY",
    public=True,
    dialect=Dialect(option_fields=fields_of(FireworksOptions)),
)
