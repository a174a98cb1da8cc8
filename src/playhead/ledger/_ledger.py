"""All attempts of a run: what they took and cost together, and which of that is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from math import fsum
from operator import add
from typing import Any, overload

from ..messages import TOKEN_FIELDS, Usage
from ..tape.effects import Interaction, Tape
from ._attempt import Attempt, attempt_of

_NOTHING = Usage(0, 0, 0, 0, 0, 0)

_COLUMNS = ("lane", "model", "served by", "outcome", "input", "output", "cost")
_NUMBERS = _COLUMNS[-3:]


@dataclass(frozen=True)
class Ledger(Sequence[Attempt]):
    """What every attempt took and cost: also those that failed, that were asked again, and those of sub-agents.

    Sums are exact or None: where one attempt that may have cost something does not say it, the sum is not known.
    `known_usage` and `known_cost` add up what is known; it was at least as much.
    """

    attempts: tuple[Attempt, ...] = ()

    @overload
    def __getitem__(self, index: int) -> Attempt: ...

    @overload
    def __getitem__(self, index: slice) -> Ledger: ...

    def __getitem__(self, index: int | slice) -> Attempt | Ledger:
        found = self.attempts[index]
        return Ledger(found) if isinstance(found, tuple) else found

    def __len__(self) -> int:
        return len(self.attempts)

    def __iter__(self) -> Iterator[Attempt]:
        return iter(self.attempts)

    def __add__(self, other: Ledger | Iterable[Attempt]) -> Ledger:
        return Ledger((*self.attempts, *other))

    @property
    def usage(self) -> Usage:
        """The tokens of all attempts. A count that one of them does not say is None."""
        told = [(it.usage if not it.partial else None) or Usage() for it in self.attempts if it.billable]
        return reduce(add, told, _NOTHING)

    @property
    def known_usage(self) -> Usage:
        """The tokens that are known: at least so many. None where no attempt says anything."""
        told = [it.usage for it in self.attempts if it.usage is not None]
        known: dict[str, Any] = {}
        for name in TOKEN_FIELDS:
            counts = [count for usage in told if (count := getattr(usage, name)) is not None]
            known[name] = sum(counts) if counts else None
        return Usage(**known)

    @property
    def cost(self) -> float | None:
        """US dollars of all attempts; None where the cost of one that may have cost something is not known."""
        return None if self.unknown else self.known_cost

    @property
    def known_cost(self) -> float:
        """US dollars that are known: it cost at least so much."""
        return fsum(it.cost for it in self.attempts if it.cost is not None)

    @property
    def unknown(self) -> tuple[Attempt, ...]:
        """The attempts that may have cost something, and whose cost is not known."""
        return tuple(it for it in self.attempts if it.billable and (it.cost is None or it.partial))

    def by_model(self) -> dict[str, Ledger]:
        """A ledger for each `provider:model`, in the order in which they were first asked."""
        return self._by(lambda it: f"{it.provider}:{it.model}")

    def by_lane(self) -> dict[str, Ledger]:
        """A ledger for each lane, in the order in which they began."""
        return self._by(lambda it: it.lane)

    def table(self) -> str:
        """The attempts and their sum as plain text, for people."""
        rows = [_row(it) for it in self.attempts]
        usage = self.known_usage
        exact = self.usage
        tokens = [
            _tokens(getattr(usage, name), at_least=getattr(exact, name) is None)
            for name in ("input_tokens", "output_tokens")
        ]
        count = f"{len(rows)} attempt{'' if len(rows) == 1 else 's'}"
        told = any(it.cost is not None for it in self.attempts)
        cost = "unknown" if self.unknown and not told else _dollars(self.known_cost)
        rows.append((count, "", "", "", *tokens, f"at least {cost}" if self.unknown and told else cost))
        widths = [max(len(row[n]) for row in (_COLUMNS, *rows)) for n in range(len(_COLUMNS))]
        lines = [_line(row, widths) for row in (_COLUMNS, *rows)]
        return "\n".join(lines)

    def _by(self, key: Callable[[Attempt], str]) -> dict[str, Ledger]:
        found: dict[str, list[Attempt]] = {}
        for it in self.attempts:
            found.setdefault(key(it), []).append(it)
        return {name: Ledger(tuple(attempts)) for name, attempts in found.items()}


def ledger_of(tape: Tape) -> Ledger:
    """Every attempt on a tape, in all lanes; also those that were asked again.

    Bodies are decoded for it, so that it takes as long as `playhead show` does.
    """
    made = (attempt_of(it, effect=n, played=True) for n, it in tape.numbered if isinstance(it, Interaction))
    return Ledger(tuple(it for it in made if it is not None))


def _row(attempt: Attempt) -> tuple[str, ...]:
    usage = attempt.usage or Usage()
    cost = "unknown" if attempt.billable else "-"
    if attempt.cost is not None:
        least = "at least " if attempt.partial else ""
        cost = f"{least}{_dollars(attempt.cost)}{'' if attempt.cost_source == 'reported' else ' computed'}"
    return (
        attempt.lane,
        f"{attempt.provider}:{attempt.model}",
        attempt.served_by or "",
        attempt.outcome + (", asked again" if attempt.superseded else ""),
        _tokens(usage.input_tokens, at_least=attempt.partial) if attempt.billable else "-",
        _tokens(usage.output_tokens, at_least=attempt.partial) if attempt.billable else "-",
        cost,
    )


def _tokens(count: int | None, *, at_least: bool = False) -> str:
    if count is None:
        return "unknown"
    return f"at least {count:,}" if at_least else f"{count:,}"


def _dollars(cost: float) -> str:
    return f"${cost:.6f}"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (
        cell.rjust(width) if name in _NUMBERS else cell.ljust(width)
        for name, cell, width in zip(_COLUMNS, row, widths, strict=True)
    )
    return "  ".join(cells).rstrip()
