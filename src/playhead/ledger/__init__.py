"""What every attempt at a model call took and cost, and limits on it."""

from __future__ import annotations

from ._attempt import Attempt, CostSource, Outcome, attempt_from_response, attempt_of
from ._ledger import Ledger, ledger_of
from ._limits import Limits
from ._meter import Budget, Meter

__all__ = [
    "Attempt",
    "Budget",
    "CostSource",
    "Ledger",
    "Limits",
    "Meter",
    "Outcome",
    "attempt_from_response",
    "attempt_of",
    "ledger_of",
]
