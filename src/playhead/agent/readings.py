"""Readings of what is outside of a run, for code that cannot wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..tape.playhead import Playhead, plain


def read_now(playhead: Playhead, name: str, make: Callable[[], Any], lane: str | None = None) -> Any:
    """The recorded value, or else what `make` gives, which is recorded. See `Playhead.read`.

    Raises:
        Divergence: the tape holds none, and may not grow.
        ConfigError: the value is no plain JSON data.
    """
    where = lane or playhead.lane
    found = playhead.opened.find_reading(where, name)
    if found is not None:
        return plain(found.value, name)
    if playhead.opened.closed:
        raise playhead.opened.no_reading(where, name)
    value = plain(make(), name)
    if playhead.opened.keeps_readings(where):
        playhead.note(name, value, lane=where)
    return value


_ELAPSED, _BETWEEN = "elapsed", "elapsed between attempts"


class Stopwatch:
    """How long a run has taken, without the time between a crash and its resume: a reading of the clock."""

    def __init__(self, playhead: Playhead, clock: Callable[[], float]) -> None:
        self._playhead = playhead
        self._clock = clock
        self._known = 0.0
        self._at = clock()

    def read(self) -> float:
        """Seconds, from the tape where it has them.

        Raises:
            Divergence: the tape has none, and may not grow.
        """
        return self._set(read_now(self._playhead, _ELAPSED, self._seconds))

    def read_if_kept(self, *, again: bool = False) -> float | None:
        """The same; None where the tape has none, and may not grow.

        Args:
            again: whether it is read between two attempts, which a resumed run may need no more: it has a name of
                its own then, and is passed over where it is from before what is known already.
        """
        name = _BETWEEN if again else _ELAPSED
        if self._playhead.growing:
            value = read_now(self._playhead, name, self._seconds)
        else:
            value = self._playhead.recall(name)
        if value is not None and again and value <= self._known:
            return self._known
        return None if value is None else self._set(value)

    def _seconds(self) -> float:
        return round(self._known + self._clock() - self._at, 3)

    def _set(self, value: float) -> float:
        self._known, self._at = float(value), self._clock()
        return self._known
