"""Numbers of effects by the lanes that they are in, at a cost that does not grow with the other lanes."""

from __future__ import annotations

from bisect import bisect_left


class LaneIndex:
    """Numbers by lane."""

    def __init__(self) -> None:
        self._numbers: dict[str, list[int]] = {}
        self._sorted: list[str] | None = None

    def add(self, lane: str, number: int) -> None:
        """Put a number into a lane."""
        if lane not in self._numbers:
            self._numbers[lane], self._sorted = [], None
        self._numbers[lane].append(number)

    def of(self, lane: str) -> list[int]:
        """The numbers in exactly this lane, in the order in which they came."""
        return self._numbers.get(lane, [])

    def lanes(self, lane: str) -> list[str]:
        """The lanes that hold numbers: `lane` itself, and those below it, `LANE/...` and `LANE#...`."""
        if self._sorted is None:
            self._sorted = sorted(self._numbers)
        found = [lane] if lane in self._numbers else []
        for mark in "#/":
            start, end = f"{lane}{mark}", f"{lane}{chr(ord(mark) + 1)}"
            found += self._sorted[bisect_left(self._sorted, start) : bisect_left(self._sorted, end)]
        return found

    def inside(self, lane: str) -> list[int]:
        """The numbers in `lane` and below it, in order."""
        return sorted(number for each in self.lanes(lane) for number in self._numbers[each])
