"""OpenRouter: many vendors' models behind one address. https://openrouter.ai/docs"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from ..wire import Dialect
from ._provider import Provider, fields_of

HEADERS = {"referer": "HTTP-Referer", "title": "X-Title"}


class OpenRouterOptions(TypedDict, total=False):
    """What only OpenRouter knows. https://openrouter.ai/docs/api-reference/parameters"""

    provider: dict[str, Any]
    models: list[str]
    route: Literal["fallback"]
    reasoning: dict[str, Any]
    usage: dict[str, bool]
    transforms: list[str]
    plugins: list[dict[str, Any]]
    preset: str
    user: str
    top_k: int
    top_a: float
    min_p: float
    repetition_penalty: float
    logit_bias: dict[str, int]
    verbosity: Literal["low", "medium", "high"]
    session_id: str
    modalities: list[str]
    image_config: dict[str, Any]
    web_search_options: dict[str, Any]
    metadata: dict[str, str]
    trace: dict[str, Any]
    referer: str
    title: str


PROVIDER = Provider(
    name="openrouter",
    base_url="https://openrouter.ai/api/v1",
    key_env="OPENROUTER_API_KEY",
    public=True,
    dialect=Dialect(
        body={"usage": {"include": True}},
        reasoning="reasoning",
        cache="breakpoints",
        # Only some models, at some hosts, take a schema. https://openrouter.ai/docs/structured-outputs
        output="tool",
        option_fields=fields_of(OpenRouterOptions, HEADERS),
        option_headers=HEADERS,
    ),
)
