"""OpenAI, chat completions. https://platform.openai.com/docs/api-reference/chat"""

from __future__ import annotations

from ..wire import Dialect
from ._provider import Provider

PROVIDER = Provider(
    name="openai",
    base_url="https://api.openai.com/v1",
    key_env="OPENAI_API_KEY",
    public=True,
    dialect=Dialect(
        option_fields=(
            "store",
            "metadata",
            "service_tier",
            "user",
            "safety_identifier",
            "prompt_cache_key",
            "logit_bias",
            "logprobs",
            "top_logprobs",
            "prediction",
            "modalities",
            "audio",
            "verbosity",
            "web_search_options",
        ),
        option_headers={"organization": "OpenAI-Organization", "project": "OpenAI-Project"},
    ),
)
