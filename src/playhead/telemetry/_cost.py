"""What a span says about money."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..agent.result import RunResult
from ..ledger import attempt_from_response
from ._attributes import Attributes

if TYPE_CHECKING:
    from ..agent.calling import AttemptMade


def cost_of_attempt(attempt: AttemptMade) -> Attributes:
    """What a try at an answer cost, in US dollars, as far as it is known, and who served it."""
    answer, model = attempt.response or attempt.partial, attempt.model
    if answer is None:
        return {}
    row = attempt_from_response(
        answer, provider=model.provider.name, model=model.id, error=attempt.error, url=model.provider.base_url
    )
    found: Attributes = {}
    if row.cost is not None and row.cost_source is not None:
        found = {"playhead.cost_usd": row.cost, "playhead.cost_source": row.cost_source}
    if row.served_by:
        found["playhead.served_by"] = row.served_by
    return found


def cost_of_run(result: RunResult) -> Attributes:
    """What a run cost, agents inside its tools included: `playhead.cost_usd`, or, where that of an attempt is not
    known, `playhead.known_cost_usd`, which is less."""
    ledger = result.ledger
    sources = {row.cost_source for row in ledger if row.cost_source is not None}
    if not sources:
        return {}
    source = sources.pop() if len(sources) == 1 else "reported and computed"
    if ledger.cost is not None:
        return {"playhead.cost_usd": ledger.cost, "playhead.cost_source": source}
    return {"playhead.known_cost_usd": ledger.known_cost, "playhead.cost_source": source}
