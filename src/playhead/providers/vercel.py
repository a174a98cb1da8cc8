"""Vercel AI gateway: many vendors' models behind one address. https://vercel.com/docs/ai-gateway"""

from __future__ import annotations

from typing import Any, TypedDict

from ..wire import Dialect
from ._provider import Provider, fields_of

HEADERS = {"referer": "http-referer", "title": "x-title"}


class VercelOptions(TypedDict, total=False):
    """What only the gateway knows. `providerOptions` reach the vendor; those of `gateway` say which vendors."""

    providerOptions: dict[str, dict[str, Any]]
    models: list[str]
    reasoning: dict[str, Any]
    modalities: list[str]
    user: str
    top_k: int
    referer: str
    title: str


PROVIDER = Provider(
    name="vercel",
    base_url="https://ai-gateway.vercel.sh/v1",
    key_env=("AI_GATEWAY_API_KEY", "VERCEL_OIDC_TOKEN"),
    public=True,
    dialect=Dialect(
        reasoning="reasoning",
        cache="breakpoints",
        output="tool",  # only some vendors take a schema
        option_fields=fields_of(VercelOptions, HEADERS),
        option_headers=HEADERS,
    ),
)
