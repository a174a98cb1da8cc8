"""By which of a tape's interactions the playhead has come: what a run has paid for up to here, and no more."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from .effects import Effect, Interaction
from .lane_index import LaneIndex


class Passed:
    """A tape's interactions by lane, and which of them count by now.

    Those that were played do, and all that happened inside a tool that was played. One that is asked again is never
    played: it counts once its lane has begun and all that stands before it there was played. So a replay counts the
    same in the same place as the run that it plays.

    Args:
        effects: the tape's.
        kept: the places of the interactions that are played; all others are asked again.
        played: the places of what was played; it grows.
    """

    def __init__(self, effects: Sequence[Effect], kept: Collection[int], played: Collection[int]) -> None:
        self._index = LaneIndex()
        self._kept = kept
        self._played = played
        self._begun: set[str] = set()
        self._tools: set[str] = set()
        self._end = len(effects)
        for place, effect in enumerate(effects):
            if isinstance(effect, Interaction):
                self._index.add(effect.lane, place)

    def begin(self, lane: str) -> None:
        """Somebody has this lane."""
        self._begun.add(lane)

    def tool(self, lane: str) -> None:
        """The tool of this lane was played, and what happened inside it with it."""
        self._tools.add(lane)

    def cut(self, place: int) -> None:
        """Forget what stands at `place` and behind it, and was not played."""
        self._end = place

    def is_asked_again(self, place: int) -> bool:
        """Whether the interaction at this place is superseded, or will be."""
        return place not in self._kept

    def asked_again(self, lane: str) -> list[int]:
        """The places of exactly this lane that are asked again, wherever the playhead is."""
        return [p for p in self._index.of(lane) if self.is_asked_again(p) and (p < self._end or p in self._played)]

    def inside(self, lane: str) -> list[int]:
        """The places in `lane` and below it that count by now, in order."""
        found: list[int] = []
        for each in self._index.lanes(lane):
            open_ahead = each in self._begun
            whole = bool(self._tools) and not self._tools.isdisjoint(outer_lanes(each))
            for place in self._index.of(each):
                behind = whole or (open_ahead and self.is_asked_again(place))
                if place in self._played or (behind and place < self._end):
                    found.append(place)
                elif not self.is_asked_again(place):
                    open_ahead = False
        return sorted(found)


def outer_lanes(lane: str) -> list[str]:
    """The lane itself and those that it lies in, from the outside in."""
    parts = re.split("([/#])", lane)
    return ["".join(parts[:end]) for end in range(1, len(parts) + 1, 2)]
