"""Token counts in the price table's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard, cast

from ..messages import Usage

_PLAIN_TIERS = frozenset({"", "auto", "default", "standard", "on_demand", "service_tier_unspecified"})
"""Service tiers at the list price."""

_TOOLS = {"web_search": "web_searches", "file_search": "storage_searches"}
"""What the table counts the calls of a provider's own tools as."""

_FREE_TOOLS = frozenset({"web_fetch", "mcp_call", "mcp_list_tools", "tool_search"})
"""Tools of providers that cost nothing but their tokens."""


def context_of(usage: Usage, tier: str | None) -> dict[str, str] | None:
    """In which ways the price is not that of the list; None where there is no telling."""
    raw = usage.raw
    tier = str(tier or raw.get("service_tier") or "").lower()
    context = {} if tier in _PLAIN_TIERS else {"service_tier": tier}
    if (speed := str(raw.get("speed") or "standard").lower()) != "standard":
        context["speed"] = speed
    # Anthropic takes more where it is bound to a region, and the table does not say how much.
    # https://docs.claude.com/en/docs/build-with-claude/data-residency
    bound = str(raw.get("inference_geo") or "global") not in ("global", "not_available")
    return None if bound else context


def counts(usage: Usage, prices: Any, tools: Mapping[str, int]) -> dict[str, int] | None:
    """The usage in the table's words; None where it holds something that has a price which is not known."""
    made, thought = usage.output_tokens or 0, usage.reasoning_tokens or 0
    if thought > made:  # It cannot be a part of the output, so that it was counted beside it (Gemini by Vercel).
        made += thought
    if prices.input_mtok is None or (made and prices.output_mtok is None):
        return None
    counted = {"input_tokens": usage.input_tokens or 0, "output_tokens": made}
    counted["cache_read_tokens"] = usage.cache_read_tokens or 0
    counted["cache_write_tokens"] = usage.cache_write_tokens or 0
    if hour := _written_for_an_hour(usage.raw):
        if prices.cache_write_1h_mtok is None:
            return None
        counted["cache_write_1h_tokens"] = hour
    counted |= _modalities(usage.raw)
    for tool, times in tools.items():
        unit = _TOOLS.get(tool)
        if unit is not None and getattr(prices, f"{unit}_kcount") is not None:
            counted[unit] = times
        elif tool not in _FREE_TOOLS:
            return None
    return {name: count for name, count in counted.items() if count or name.startswith(("input_t", "output_t"))}


def _written_for_an_hour(raw: Mapping[str, Any]) -> int:
    """Tokens that were written to a cache for an hour: Anthropic's, and Converse's, which name them apart."""
    details = raw.get("cacheDetails")
    listed = cast("list[Any]", details) if isinstance(details, list) else []
    converse = [it.get("inputTokens") for it in map(_object, listed) if it.get("ttl") == "1h"]
    found = [_object(raw.get("cache_creation")).get("ephemeral_1h_input_tokens"), *converse]
    return sum(count for count in found if _is_count(count))


_GEMINI = {
    "promptTokensDetails": "input_{}_tokens",
    "toolUsePromptTokensDetails": "input_{}_tokens",
    "cacheTokensDetails": "cache_{}_read_tokens",
    "candidatesTokensDetails": "output_{}_tokens",
}
_CHAT = {
    "prompt_tokens_details": "input_{}_tokens",
    "input_tokens_details": "input_{}_tokens",
    "completion_tokens_details": "output_{}_tokens",
    "output_tokens_details": "output_{}_tokens",
}


def _modalities(raw: Mapping[str, Any]) -> dict[str, int]:
    """Tokens of sounds, images and films, which have prices of their own."""
    counted: dict[str, int] = {}
    for field, name in _GEMINI.items():
        entries = raw.get(field)
        for entry in map(_object, cast("list[Any]", entries) if isinstance(entries, list) else ()):
            kind, count = str(entry.get("modality")).lower(), entry.get("tokenCount")
            if kind in ("audio", "image", "video") and _is_count(count):
                counted[name.format(kind)] = counted.get(name.format(kind), 0) + count
    for field, name in _CHAT.items():
        details = _object(raw.get(field))
        for kind in ("audio", "image", "video"):
            if _is_count(count := details.get(f"{kind}_tokens")) and count:
                counted[name.format(kind)] = count
    return counted


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
