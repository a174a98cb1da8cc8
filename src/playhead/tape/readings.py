"""Finds readings on a tape: by lane and name, first in, first out."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence

from .effects import Effect, Interaction, Reading


class Readings:
    """A tape's readings. Each is played once.

    Args:
        effects: the tape's.
        kept: the places of the interactions that are played; all others are asked again.
        played: the places of what was played; what is taken here is put there, too.
    """

    def __init__(self, effects: Sequence[Effect], kept: Collection[int], played: set[int]) -> None:
        self._effects = effects
        self._played = played
        self._left: dict[tuple[str, str], deque[int]] = {}
        self._taken: dict[tuple[str, str], int] = {}
        self._expected: list[int] = []
        self._end = len(effects)
        again: dict[str, bool] = {}
        for place, effect in enumerate(effects):
            if isinstance(effect, Interaction):
                again[effect.lane] = place not in kept
            elif isinstance(effect, Reading):
                self._left.setdefault((effect.lane, effect.name), deque()).append(place)
                if not again.get(effect.lane):
                    self._expected.append(place)

    def next(self, lane: str, name: str, *, take: bool) -> Reading | None:
        """The next reading of `name` in `lane`, or None. See `Player.reading`."""
        places = self._left.get((lane, name))
        if not places:
            return None
        place = places.popleft() if take else places[0]
        if take:
            self._played.add(place)
            self._taken[lane, name] = self._taken.get((lane, name), 0) + 1
        effect = self._effects[place]
        assert isinstance(effect, Reading)  # noqa: S101 - the table holds nothing else
        return effect

    def known(self, lane: str, name: str) -> tuple[int, list[str]]:
        """How many readings of `name` were taken in `lane`, and the names of all that the lane holds."""
        names = sorted({known for where, known in self._left if where == lane})
        return self._taken.get((lane, name), 0), names

    def expected(self) -> list[int]:
        """The places of readings that a run which comes to its end takes. What was read right behind a call that is
        asked again, such as how long to wait for it, may never be asked for."""
        return [place for place in self._expected if place < self._end]

    def cut(self, place: int) -> None:
        """Forget what stands at `place` and behind it, and was not taken."""
        self._left = {key: deque(p for p in places if p < place) for key, places in self._left.items()}
        self._end = place
