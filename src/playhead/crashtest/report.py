"""What the kills of an agent came to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from .checks import Broken
from .points import WORDS, Point

SEVERAL = "several, one by one"
"""The row of runs that were killed more than once."""

COLUMNS = ("killed", "runs", "kills", "same result", "asked again", "paid twice", "in doubt", "ran twice", "failed")


class Row(msgspec.Struct):
    """What the runs of a kind came to.

    Attributes:
        runs: how many were made.
        kills: of them, all together.
        same: runs that came to the reference's result.
        repeated: model calls that were made once more, since a kill had cut their answers.
        paid: model calls that were made once more although their answers were on the tape.
        doubts: times that a tool was in doubt, and was settled with the truth.
        twice: tools that may run only once and ran twice.
        unsettled: runs that stopped at a tool in doubt whose result cannot be given.
        failed: runs that broke a promise.
    """

    kind: str
    runs: int = 0
    kills: int = 0
    same: int = 0
    repeated: int = 0
    paid: int = 0
    doubts: int = 0
    twice: int = 0
    unsettled: int = 0
    failed: int = 0

    def __add__(self, other: Row) -> Row:
        added = {name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__[1:]}
        return Row(self.kind, **added)

    @property
    def cells(self) -> tuple[str, ...]:
        """For a table under `COLUMNS`."""
        numbers = (self.runs, self.kills, self.same, self.repeated, self.paid, self.doubts, self.twice, self.failed)
        return (self.kind, *map(str, numbers))


class Trial(msgspec.Struct, frozen=True):
    """One run that was killed, and what came of it.

    Attributes:
        points: where it was killed, in order.
        row: its numbers.
        broken: what it broke.
        missed: whether it came to its end before its first point.
    """

    points: tuple[Point, ...]
    row: Row
    broken: tuple[Broken, ...] = ()
    missed: bool = False


class Failure(msgspec.Struct, frozen=True):
    """A run that broke a promise.

    Attributes:
        points: where it was killed.
        broken: what it broke.
        folder: where its tape, its ledger and its output are kept; empty where they are not.
    """

    points: str
    broken: tuple[Broken, ...]
    folder: str = ""


class Report(msgspec.Struct, kw_only=True):
    """All of them.

    Attributes:
        seed: gives the same kills again.
        stream: whether answers were streamed.
        reference: the recording that answered.
        lines: of the tape of a run that is not killed.
        tools: how often each tool ran in all, in truth.
        seconds: from the first kill to the last check.
        rows: a row for each kind.
        missed: runs that came to their end before the kill.
        failures: the runs that broke a promise.
        folder: what is kept; empty where nothing is.
    """

    seed: int
    stream: bool
    reference: str
    lines: int
    tools: dict[str, int]
    seconds: float
    rows: list[Row]
    missed: int = 0
    failures: list[Failure] = []
    folder: str = ""

    @property
    def total(self) -> Row:
        """The sum of all rows."""
        return sum(self.rows, Row("all"))

    def json(self) -> dict[str, Any]:
        """As plain data, for scripts."""
        data: dict[str, Any] = msgspec.to_builtins(self)
        return data | {"total": msgspec.to_builtins(self.total)}


def rows(trials: Iterable[Trial]) -> list[Row]:
    """A row for each kind of kill that there was, in their order."""
    kinds = {kind: Row(kind) for kind in (*WORDS.values(), SEVERAL)}
    for trial in trials:
        if not trial.missed:
            kind = trial.row.kind
            kinds[kind] = kinds[kind] + trial.row
    return [row for row in kinds.values() if row.runs]
