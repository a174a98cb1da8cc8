"""vLLM, on a server of one's own. https://docs.vllm.ai/en/latest/serving/openai_compatible_server"""

from __future__ import annotations

from typing import Any, TypedDict

from ..wire import Dialect
from ._provider import Provider, fields_of


class VLLMOptions(TypedDict, total=False):
    """What only vLLM knows."""

    top_k: int
    min_p: float
    repetition_penalty: float
    length_penalty: float
    min_tokens: int
    stop_token_ids: list[int]
    ignore_eos: bool
    bad_words: list[str]
    allowed_token_ids: list[int]
    skip_special_tokens: bool
    spaces_between_special_tokens: bool
    include_stop_str_in_output: bool
    prompt_logprobs: int
    logit_bias: dict[str, float]
    structured_outputs: dict[str, Any]
    chat_template: str
    chat_template_kwargs: dict[str, Any]
    add_generation_prompt: bool
    continue_final_message: bool
    include_reasoning: bool
    mm_processor_kwargs: dict[str, Any]
    priority: int
    cache_salt: str
    kv_transfer_params: dict[str, Any]
    vllm_xargs: dict[str, Any]


PROVIDER = Provider(
    name="vllm",
    base_url="{address}/v1",
    key_env="VLLM_API_KEY",
    key_required=False,
    variables={"address": ("VLLM_BASE_URL", "VLLM_API_BASE", "=http://127.0.0.1:8000")},
    dialect=Dialect(
        # A schema beside tools lets no tool be called. https://github.com/vllm-project/vllm/issues/39929
        output_with_tools="tool",
        option_fields=fields_of(VLLMOptions),
    ),
)
