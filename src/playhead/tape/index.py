"""Finds recorded interactions by what was asked, at a cost that does not grow with the tape."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from ..http import Request
from .canonical import digest
from .effects import Interaction

Key = tuple[str, str, bytes] | str
"""A request as it stands, or its digest."""


class Index:
    """Interactions by what was asked: first as it stands, which costs next to nothing, then by its digest."""

    def __init__(
        self,
        calls: Iterable[tuple[int, Interaction]],
        played: set[int],
        digest_at: Callable[[int], str],
        *,
        resume: bool,
    ) -> None:
        self._calls = list(calls)
        self._digest_at = digest_at
        self._played = played
        self._resume = resume
        self._exact = _grouped((_exact(call.request), place) for place, call in self._calls)
        self._digests: dict[Key, deque[int]] | None = None
        self._answers = {place: answers(call) for place, call in self._calls} if resume else {}

    def take(self, request: Request) -> int | None:
        """The first place that holds this request, was not played yet, and is not to be asked again."""
        group = self._exact.get(_exact(request))
        if (found := self._first(group)) is not None:
            return found
        return self._first(self._by_digest().get(digest(request)))

    def unpaid(self, request: Request) -> list[int]:
        """The places that hold this request, and brought no answer."""
        group = self._by_digest().get(digest(request), ())
        return [place for place in group if place not in self._played and not self._answers.get(place, True)]

    def _by_digest(self) -> dict[Key, deque[int]]:
        if self._digests is None:
            self._digests = _grouped((self._digest_at(place), place) for place, _ in self._calls)
        return self._digests

    def _first(self, group: deque[int] | None) -> int | None:
        while group:
            if group[0] in self._played:
                group.popleft()
            elif self._resume and not any(self._answers[place] for place in group):
                return None
            else:
                return group[0]
        return None


def answers(call: Interaction) -> bool:
    """Whether a call brought an answer, so that it need not be made again."""
    return call.ended == "complete" and call.outcome is None and (call.status or 0) < 400


def _grouped(pairs: Iterable[tuple[Key, int]]) -> dict[Key, deque[int]]:
    groups: dict[Key, deque[int]] = {}
    for key, place in pairs:
        groups.setdefault(key, deque()).append(place)
    return groups


def _exact(request: Request) -> Key:
    return request.method, request.url, request.body
