"""OpenRouter: many vendors' models behind one address. https://openrouter.ai/docs"""

from __future__ import annotations

from ..wire import Dialect
from ._provider import Provider

PROVIDER = Provider(
    name="openrouter",
    base_url="https://openrouter.ai/api/v1",
    key_env="OPENROUTER_API_KEY",
    public=True,
    dialect=Dialect(
        body={"usage": {"include": True}},
        reasoning="reasoning",
        option_fields=(
            "provider",
            "models",
            "route",
            "reasoning",
            "usage",
            "transforms",
            "plugins",
            "preset",
            "user",
            "top_k",
            "top_a",
            "min_p",
            "repetition_penalty",
            "logit_bias",
            "verbosity",
            "session_id",
        ),
        option_headers={"referer": "HTTP-Referer", "title": "X-Title"},
    ),
)
