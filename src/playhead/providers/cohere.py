"""Cohere, by its compatibility API. https://docs.cohere.com/docs/compatibility-api"""

from __future__ import annotations

from ..wire import Dialect
from ._provider import Provider

PROVIDER = Provider(
    name="cohere",
    base_url="https://api.cohere.ai/compatibility/v1",
    key_env=("CO_API_KEY", "COHERE_API_KEY"),
    public=True,
    hosts=("api.cohere.com",),
    models_url="https://api.cohere.ai/v1/models?page_size=1000&endpoint=chat",
    dialect=Dialect(
        unsupported=("logprobs", "parallel_tool_calls", "service_tier", "user"),
        max_tokens="max_tokens",
        output="tool",  # a schema is taken only in parts. https://docs.cohere.com/docs/structured-outputs
    ),
)
