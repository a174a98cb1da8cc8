"""llama.cpp's server. https://github.com/ggml-org/llama.cpp/tree/master/tools/server"""

from __future__ import annotations

from typing import Any, TypedDict

from ..wire import Dialect
from ._provider import Provider, fields_of


class LlamaCppOptions(TypedDict, total=False):
    """What only llama.cpp knows."""

    top_k: int
    min_p: float
    typical_p: float
    top_n_sigma: float
    repeat_penalty: float
    repeat_last_n: int
    dry_multiplier: float
    dry_base: float
    dry_allowed_length: int
    dry_penalty_last_n: int
    xtc_probability: float
    xtc_threshold: float
    dynatemp_range: float
    dynatemp_exponent: float
    mirostat: int
    mirostat_tau: float
    mirostat_eta: float
    samplers: list[str]
    grammar: str
    json_schema: dict[str, Any]
    logit_bias: list[Any]
    n_probs: int
    cache_prompt: bool
    id_slot: int
    lora: list[dict[str, Any]]
    reasoning_format: str
    chat_template_kwargs: dict[str, Any]
    timings_per_token: bool
    return_progress: bool
    return_tokens: bool
    parse_tool_calls: bool
    ignore_eos: bool


PROVIDER = Provider(
    name="llamacpp",
    base_url="{address}/v1",
    key_env=("LLAMACPP_API_KEY", "LLAMA_API_KEY"),
    key_required=False,
    variables={"address": ("LLAMACPP_BASE_URL", "LLAMA_CPP_HOST", "=http://127.0.0.1:8080")},
    aliases=("llama-cpp", "llama.cpp"),
    dialect=Dialect(
        unsupported=("service_tier", "user"),
        option_fields=fields_of(LlamaCppOptions),
    ),
)
