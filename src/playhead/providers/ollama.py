"""Ollama, on this machine or another. https://docs.ollama.com/api/openai-compatibility"""

from __future__ import annotations

from typing import Any, TypedDict

from ..wire import Dialect
from ._provider import Provider, fields_of


class OllamaOptions(TypedDict, total=False):
    """What only Ollama knows."""

    reasoning: dict[str, Any]
    dimensions: int


PROVIDER = Provider(
    name="ollama",
    base_url="{address}/v1",
    key_env="OLLAMA_API_KEY",
    key_required=False,
    variables={"address": ("OLLAMA_HOST", "OLLAMA_BASE_URL", "=http://127.0.0.1:11434")},
    dialect=Dialect(
        unsupported=("parallel_tool_calls", "service_tier", "user"),
        max_tokens="max_tokens",
        # A schema beside tools lets no tool be called. https://github.com/ollama/ollama/issues/13750
        output_with_tools="tool",
        option_fields=fields_of(OllamaOptions),
    ),
)
