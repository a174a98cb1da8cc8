"""Remembers what would have come without the fault, for the client that tries again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeAlias, TypeVar

from ...http import Request

T = TypeVar("T")

_MOST = 16
"""Answers that are remembered at a time. A client that tries again does so soon."""

Key: TypeAlias = Callable[[Request], Hashable]
Asked: TypeAlias = tuple[str, str, bytes, Hashable]


class Memory(Generic[T]):
    """The real answers of calls that were struck, each for one more call that asks for the same.

    Args:
        key: what else is the same in a call that is tried again, beside its method, its URL and its body.
    """

    def __init__(self, key: Key | None = None) -> None:
        self._key = key
        self._kept: dict[Asked, T] = {}
        self._lock = threading.Lock()

    def asked(self, request: Request) -> Asked:
        """What a call asks for, to be settled when it is sent: later somebody else may stand in its place."""
        # Without headers, which count attempts and carry dates.
        return request.method, request.url, request.body, self._key(request) if self._key else None

    def keep(self, asked: Asked, answer: T) -> None:
        """Remember an answer; the oldest is forgotten where there are too many."""
        with self._lock:
            self._kept[asked] = answer
            if len(self._kept) > _MOST:
                del self._kept[next(iter(self._kept))]

    def take(self, asked: Asked) -> T | None:
        """The answer, which is then remembered no more."""
        with self._lock:
            return self._kept.pop(asked, None)

    def holds(self, asked: Asked, answer: T) -> bool:
        """Whether this answer is remembered."""
        return self._kept.get(asked) is answer

    def forget(self, asked: Asked, answer: T) -> None:
        """Remember this answer no more."""
        with self._lock:
            if self._kept.get(asked) is answer:
                del self._kept[asked]

    def clear(self) -> list[T]:
        """All answers, which are then remembered no more."""
        with self._lock:
            kept, self._kept = list(self._kept.values()), {}
            return kept
