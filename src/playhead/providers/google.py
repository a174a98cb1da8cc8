"""Google's Gemini API. https://ai.google.dev/api/generate-content"""

from __future__ import annotations

from typing import Any, TypedDict

from ..wire import Dialect
from ._provider import Provider, fields_of


class GoogleOptions(TypedDict, total=False):
    """What only Gemini knows: fields beside `contents` and `generationConfig`."""

    safetySettings: list[dict[str, Any]]
    cachedContent: str
    labels: dict[str, str]
    serviceTier: str
    store: bool


PROVIDER = Provider(
    name="google",
    base_url="https://generativelanguage.googleapis.com/v1beta",
    key_env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    public=True,
    wire="gemini",
    auth="x-goog-api-key",
    models_url="/models?pageSize=1000",
    aliases=("gemini",),
    dialect=Dialect(
        # Gemini 2.5 and before refuse a schema beside tools (400).
        # https://github.com/googleapis/python-genai/issues/867
        output_with_tools="tool",
        option_fields=fields_of(GoogleOptions),
    ),
)
