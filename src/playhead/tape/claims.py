"""
Who has which lane.

Of several runs that begin in one lane, the first has that lane, the next `LANE#1`, then `LANE#2`. When they are
played they may come in another order: each finds the lane that begins with what it asks first. Clients that carry no
lane share one of these lanes, so that no run takes their calls for its own.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection
from itertools import islice

_NUMBER = re.compile(r"#\d+")


class Claims:
    """The lanes of runs and clients on one tape.

    Args:
        lanes: those that hold calls.
        begins: gives the digest of a lane's first call.
        answered: whether a lane's first call brought an answer.
    """

    def __init__(self, lanes: Collection[str], begins: Callable[[str], str], answered: Callable[[str], bool]) -> None:
        self._recorded = lanes
        self._begins = begins
        self._answered = answered
        self._taken: set[str] = set()
        self._clients: dict[str, str] = {}
        self._families: dict[str, _Family] | None = None

    def of_run(self, base: str, first: Callable[[], str]) -> str:
        """The lane of a run that begins in `base`, and whose first request has the digest `first()`.

        Of the lanes that begin with it, that is the first that is free, one that brought an answer before one that
        did not; else the first that is free and holds calls; else a new one.
        """
        family = self._family(base)
        waiting = family.waiting(self._taken)
        lane = None
        if len(waiting) > 1 or (waiting and self._clients):
            same = family.beginning_with(first(), self._begins, self._taken)
            lane = next((lane for lane in same if self._answered(lane)), next(iter(same), None))
        lane = lane or next(iter(waiting), None) or self._new(base)
        self._taken.add(lane)
        return lane

    def release(self, lane: str) -> None:
        """A run whose first request is not in its lane leaves it to others."""
        self._taken.discard(lane)
        if lane in self._recorded:
            self._family(family_of(lane)).put_back(lane, self._begins)

    def of_clients(self, base: str) -> str:
        """The lane in which calls of clients in `base` are recorded."""
        if base not in self._clients:
            self._clients[base] = lane = self._new(base)
            self._taken.add(lane)
        return self._clients[base]

    def clients_found(self, base: str, lane: str) -> None:
        """A client's call was found in `lane`: if no run has it, it is the clients'."""
        if base not in self._clients and lane not in self._taken and family_of(lane) == base:
            self._clients[base] = lane
            self._taken.add(lane)

    def open_to_clients(self, base: str) -> list[str]:
        """The recorded lanes in which calls of clients in `base` may be: their own, or those that no run has."""
        mine = self._clients.get(base)
        return self._family(base).free(self._taken) if mine is None else [mine]

    def _family(self, base: str) -> _Family:
        if self._families is None:
            members: dict[str, list[str]] = {}
            for lane in self._recorded:
                members.setdefault(family_of(lane), []).append(lane)
            self._families = {name: _Family(name, lanes) for name, lanes in members.items()}
        return self._families.setdefault(base, _Family(base, []))

    def _new(self, base: str) -> str:
        family = self._family(base)
        while (lane := family.next_name()) in self._recorded or lane in self._taken:
            pass
        return lane


class _Family:
    """The lanes `BASE`, `BASE#1`, `BASE#2`, ... that are on the tape, and the names of further ones."""

    def __init__(self, base: str, lanes: list[str]) -> None:
        self._base = base
        self._waiting = deque(sorted(lanes, key=lambda lane: int(lane.rpartition("#")[2]) if lane != base else 0))
        self._by_first: dict[str, deque[str]] | None = None
        self._named = 0

    def waiting(self, taken: set[str]) -> list[str]:
        """The first two lanes that are free."""
        return _first_two(self._waiting, taken)

    def free(self, taken: set[str]) -> list[str]:
        """All lanes that are free."""
        return [lane for lane in self._waiting if lane not in taken]

    def beginning_with(self, digest: str, begins: Callable[[str], str], taken: set[str]) -> list[str]:
        """The free lanes whose first call has this digest."""
        if self._by_first is None:
            self._by_first = {}
            for lane in self._waiting:
                self._by_first.setdefault(begins(lane), deque()).append(lane)
        lanes = self._by_first.get(digest, deque())
        _first_two(lanes, taken)
        return [lane for lane in lanes if lane not in taken]

    def put_back(self, lane: str, begins: Callable[[str], str]) -> None:
        """A lane is free again."""
        for lanes in (self._waiting, *((self._by_first[begins(lane)],) if self._by_first else ())):
            if lane not in lanes:
                lanes.appendleft(lane)

    def next_name(self) -> str:
        """The next name."""
        number, self._named = self._named, self._named + 1
        return f"{self._base}#{number}" if number else self._base


def _first_two(lanes: deque[str], taken: set[str]) -> list[str]:
    """The first two that are free; those before them are forgotten."""
    while lanes and lanes[0] in taken:
        lanes.popleft()
    return list(islice((lane for lane in lanes if lane not in taken), 2))


def family_of(lane: str) -> str:
    """The lane without its number: `root` of `root#1`."""
    base, _, number = lane.rpartition("#")
    return base if base and _NUMBER.fullmatch(f"#{number}") else lane
