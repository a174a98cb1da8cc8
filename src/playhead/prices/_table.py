"""The price table of genai-prices, where it is installed. It is loaded when it is first asked."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, cast

_NOT_BY_ADDRESS = frozenset({"openrouter", "github-copilot", "cursor", "openai-decisions"})
"""Ids of the table that an address does not stand for: routers, and what is paid by the month."""

_HERE = re.compile(r"https?://(127\.|localhost\b|\[::1\]|0\.0\.0\.0\b)")
"""Servers of this machine, for which nobody needs to load a table."""


def find(id: str, model: str) -> tuple[Any, Any] | None:
    """The provider with that id, and its model of that name."""
    providers = table()
    provider = next((it for it in providers if it.id == id), None)
    model = model.lower()
    found = None if provider is None else provider.find_model(model, all_providers=providers)
    return None if found is None else (provider, found)


def at_address(url: str | None) -> str | None:
    """The id of the provider at an address."""
    if url is None or _HERE.match(url):
        return None
    return next((it.id for it in table() if it.id not in _NOT_BY_ADDRESS and re.match(it.api_pattern, url)), None)


def table() -> list[Any]:
    """The providers of the table: that of the package, or a newer one that the program has loaded itself."""
    if not installed():
        return []
    from genai_prices.data_snapshot import get_snapshot

    return cast("list[Any]", get_snapshot().providers)


@cache
def installed() -> bool:
    try:
        import genai_prices.data_snapshot  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError:
        return False
    return True
