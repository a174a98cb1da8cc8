"""Remembers what would have come without the fault, for the client that tries again."""

from __future__ import annotations

import threading
from typing import Generic, TypeAlias, TypeVar

from ...http import Request

T = TypeVar("T")

_MOST = 16
"""Answers that are remembered at a time. A client that tries again does so soon."""

Asked: TypeAlias = tuple[str, str, bytes]


class Memory(Generic[T]):
    """The real answers of calls that were struck, each for one more call with the very same method, URL and body."""

    def __init__(self) -> None:
        self._kept: dict[Asked, T] = {}
        self._lock = threading.Lock()

    def keep(self, request: Request, answer: T) -> None:
        """Remember an answer; the oldest is forgotten where there are too many."""
        with self._lock:
            self._kept[_asked(request)] = answer
            if len(self._kept) > _MOST:
                del self._kept[next(iter(self._kept))]

    def take(self, request: Request) -> T | None:
        """The answer, which is then remembered no more."""
        with self._lock:
            return self._kept.pop(_asked(request), None)

    def holds(self, request: Request, answer: T) -> bool:
        """Whether this answer is remembered."""
        return self._kept.get(_asked(request)) is answer

    def forget(self, request: Request, answer: T) -> None:
        """Remember this answer no more."""
        with self._lock:
            if self._kept.get(_asked(request)) is answer:
                del self._kept[_asked(request)]

    def clear(self) -> list[T]:
        """All answers, which are then remembered no more."""
        with self._lock:
            kept, self._kept = list(self._kept.values()), {}
            return kept


def _asked(request: Request) -> Asked:
    return request.method, request.url, request.body  # Headers count attempts, and carry dates.
