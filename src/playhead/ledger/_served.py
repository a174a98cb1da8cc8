"""Who served an answer, when, in which tier, and with which tools of its own: what a price depends on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

import msgspec

from ..messages import ModelResponse, ToolCallPart

_ROUTES = frozenset({"fastest", "cheapest", "preferred", "auto"})
"""What stands in the place of a provider in a model's name at Hugging Face."""


class Served(msgspec.Struct, frozen=True):
    """What an answer says of how it was made.

    Attributes:
        by: who served it, in a router's words.
        model: what it is called there, where a router says so.
        at: when it was made.
        tier: the service tier.
        tools: how often the provider ran which of its own tools.
    """

    by: str | None = None
    model: str | None = None
    at: datetime | None = None
    tier: str | None = None
    tools: dict[str, int] = {}


def served(response: ModelResponse, provider: str, model: str) -> Served:
    """What an answer says of how it was made: the same whether it comes from the network or from a tape."""
    metadata = response.metadata
    by, known_as = metadata.get("provider"), None
    if provider == "vercel":
        routing = _object(_object(_object(metadata.get("provider_metadata")).get("gateway")).get("routing"))
        by = routing.get("finalProvider") or routing.get("resolvedProvider")
        known_as = routing.get("resolvedProviderApiModelId")
    elif provider == "huggingface":
        route = model.partition(":")[2]
        by = response.headers.get("x-inference-provider") or (route if route not in _ROUTES else None)
    tier = metadata.get("service_tier") or metadata.get("serviceTier")
    return Served(
        by if isinstance(by, str) and by else None,
        known_as if isinstance(known_as, str) else None,
        _made_at(response),
        tier if isinstance(tier, str) else None,
        _tools(response),
    )


def _made_at(response: ModelResponse) -> datetime | None:
    """When the answer was made, by the server's own clock."""
    if date := response.headers.get("date"):
        try:
            made = parsedate_to_datetime(date)
        except (ValueError, OverflowError):
            pass
        else:
            return made if made.tzinfo else made.replace(tzinfo=UTC)
    made = response.metadata.get("created") or response.metadata.get("created_at")
    if isinstance(made, bool) or not isinstance(made, int | float):
        return None
    try:
        return datetime.fromtimestamp(made, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _tools(response: ModelResponse) -> dict[str, int]:
    """How often the provider ran which tool. A count that it gives itself is better than that of the calls."""
    parts = response.message.parts
    found = Counter(part.name for part in parts if isinstance(part, ToolCallPart) and part.provider_executed)
    raw: Mapping[str, Any] = response.usage.raw if response.usage else {}
    for name, count in _object(raw.get("server_tool_use")).items():
        if name.endswith("_requests") and isinstance(count, int):
            found[name.removesuffix("_requests")] = count
    queries: object = _object(response.metadata.get("groundingMetadata")).get("webSearchQueries")
    if isinstance(queries, list) and queries:
        found["grounding"] = len(cast("list[Any]", queries))
    return {name: count for name, count in found.items() if count}


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
