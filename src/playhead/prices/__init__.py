"""
What an answer costs by the offline price table of genai-prices, and how much a model can read.

https://github.com/pydantic/genai-prices. The table is a package (`pip install 'playhead[prices]'`) and never asks a
network. Without it costs stay unknown, unless the provider reports them. What the table does not hold stays unknown,
too: nothing is guessed from a similar model, or from what another provider takes for the same one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from ..messages import Usage
from ._counts import context_of, counts
from ._places import DIRECT, by_the_month, places, without_variant
from ._table import find

__all__ = ["LATEST", "Price", "computed_cost", "context_window"]

LATEST = datetime(9000, 1, 1, 12, tzinfo=UTC)
"""The day whose prices count where nobody knows when an answer was made: those that came last. A clock would give
another cost when the run is played."""


class Price(msgspec.Struct, frozen=True):
    """What an answer costs by the table.

    Attributes:
        cost: US dollars.
        provider: the table's id of the provider.
        model: the table's id of the model.
    """

    cost: float
    provider: str
    model: str


def computed_cost(
    usage: Usage,
    *,
    provider: str,
    model: str,
    served_by: str | None = None,
    at: datetime | None = None,
    url: str | None = None,
    answered: str | None = None,
    tools: Mapping[str, int] | None = None,
    tier: str | None = None,
) -> Price | None:
    """What an answer costs by the table; None where that is not known.

    Args:
        usage: input and output are totals; both must be known. `raw` tells what was written to caches for how long,
            and which tokens are sound and images.
        provider: our name of the provider that was asked.
        model: as it was asked.
        served_by: who served it, in a router's words.
        at: when it was made; where that is not known, the prices that came last count.
        url: where it was asked, for servers that are no provider of ours.
        answered: the model as the answer names it.
        tools: how often the provider ran which of its own tools.
        tier: the service tier that the answer names.
    """
    if usage.input_tokens is None or usage.output_tokens is None or by_the_month(url):
        return None
    context = context_of(usage, tier)
    if context is None:
        return None
    for id, refs in places(provider, model, answered, served_by, url):
        for ref in refs:
            if (found := find(id, ref)) is not None:
                return _priced(*found, usage, at or LATEST, context, tools or {})
    return None


def context_window(provider: str, model: str) -> int | None:
    """Tokens that a model can read, by the table; None where it does not say.

    Args:
        provider: our name of the provider.
        model: its name there.
    """
    id = provider if provider == "openrouter" else DIRECT.get(provider)
    found = find(id, without_variant(model)) if id else None
    return None if found is None else found[1].context_window


def _priced(
    provider: Any,
    model: Any,
    usage: Usage,
    at: datetime,
    context: dict[str, str],
    tools: Mapping[str, int],
) -> Price | None:
    for name, value in context.items():
        variants = [it for it in model.price_variants or () if it.when == {name: value}]
        known = any(it.constraint is None or it.constraint.active(at) for it in variants)
        if not known or model not in provider.models:  # The table knows only its own models' variants.
            return None
    prices = model.get_prices(at, context)
    counted = counts(usage, prices, tools)
    if counted is None:
        return None
    from genai_prices import Usage as Counts

    try:
        found = model.calc_price(
            Counts(**counted), provider, genai_request_timestamp=at, price_context=context or None
        )
    except (LookupError, TypeError, ValueError):  # The provider's counts contradict one another.
        return None
    return Price(float(found.total_price), provider.id, model.id)
