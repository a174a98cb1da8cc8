"""
What spans and metrics say about a request, an answer and an error.

The names are those of OpenTelemetry's semantic conventions for generative AI, and `playhead.*` where they have none:
https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-spans.md
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, cast
from urllib.parse import urlsplit

from ..errors import ConfigError, PlayheadError, ProviderError, TransportError, TruncatedStream
from ..messages import ModelRequest, ModelResponse, Usage
from ..model import Model

Value: TypeAlias = str | bool | int | float | tuple[str, ...]
Attributes: TypeAlias = dict[str, Value]

_WELL_KNOWN = {
    "azure": "azure.ai.openai",
    "azure-responses": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "google": "gcp.gemini",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "openai-responses": "openai",
    "vertex": "gcp.vertex_ai",
    "xai": "x_ai",
}
"""Providers for which the conventions have another name than Playhead."""

_TEMPERING = {
    "max_tokens": "gen_ai.request.max_tokens",
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "seed": "gen_ai.request.seed",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
}
_FRACTIONS = frozenset({"temperature", "top_p", "top_k", "presence_penalty", "frequency_penalty"})
"""Settings whose attributes are of type double."""

_TOKENS = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cache_read_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_tokens": "gen_ai.usage.cache_creation.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
}


def provider_name(name: str) -> str:
    """A provider's name in the conventions; its own where they do not know it."""
    return _WELL_KNOWN.get(name, name)


def where(model: Model) -> Attributes:
    """Who is asked, and at which address: what spans and metrics have in common."""
    found: Attributes = {
        "gen_ai.provider.name": provider_name(model.provider.name),
        "gen_ai.request.model": model.id,
    }
    try:
        address = urlsplit(model.provider.address())
        port = address.port
    except (ConfigError, ValueError):  # Played without the variables of the address, or it has a strange port.
        return found
    if address.hostname:
        found["server.address"] = address.hostname
        found["server.port"] = port or (80 if address.scheme == "http" else 443)
    return found


def asked(request: ModelRequest) -> Attributes:
    """How an answer is to be made."""
    settings = cast("Mapping[str, Any]", request.settings)
    found: Attributes = {}
    for name, attribute in _TEMPERING.items():
        if (value := settings.get(name)) is not None:
            found[attribute] = float(value) if name in _FRACTIONS else int(value)
    if stop := settings.get("stop"):
        found["gen_ai.request.stop_sequences"] = (stop,) if isinstance(stop, str) else tuple(stop)
    if request.stream:
        found["gen_ai.request.stream"] = True
    if kind := _output_type(settings.get("response_format")):
        found["gen_ai.output.type"] = kind
    return found


def _output_type(response_format: Mapping[str, Any] | None) -> str | None:
    kind = str((response_format or {}).get("type", ""))
    return "json" if kind.startswith("json") else kind or None


def answered(response: ModelResponse, *, whole: bool) -> Attributes:
    """What came, or as much of it as came.

    Args:
        whole: whether it came to its end; else there is no reason for which it ended.
    """
    found = used(response.usage)
    if response.id:
        found["gen_ai.response.id"] = response.id
    if response.model:
        found["gen_ai.response.model"] = response.model
    if whole:
        found["gen_ai.response.finish_reasons"] = (response.finish_reason,)
    return found


def used(usage: Usage | None) -> Attributes:
    """Token counts, as far as they are known. The first two are totals in the conventions, too."""
    if usage is None:
        return {}
    counts = ((attribute, getattr(usage, name)) for name, attribute in _TOKENS.items())
    return {attribute: count for attribute, count in counts if count is not None}


def error_type(error: BaseException) -> str:
    """What kind of error it is, in a word: never what it says, since that may quote a key or a message.

    `ProviderError.kind` and `TransportError.kind`; `truncated` for a stream that stopped before its end; `cancelled`;
    else the exception's name, with its module where it is not Playhead's or Python's own.
    """
    if isinstance(error, ProviderError | TransportError):
        return error.kind
    if isinstance(error, TruncatedStream):
        return "truncated"
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return "cancelled"
    kind = type(error)
    if isinstance(error, PlayheadError) or kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def failed(error: BaseException) -> Attributes:
    """What is said about an error."""
    found: Attributes = {"error.type": error_type(error)}
    if isinstance(error, ProviderError):
        if error.status is not None:
            found["http.response.status_code"] = error.status
        if error.retry_after is not None:
            found["playhead.retry_after_s"] = float(error.retry_after)
    return found


def chosen(attributes: Attributes, names: Iterable[str]) -> Attributes:
    """Some of the attributes, as far as they are there."""
    return {name: attributes[name] for name in names if name in attributes}
