"""
Lanes: which line of work an effect belongs to.

An effect's identity is its lane and its place in it, so that work which goes on at the same time is found again
whatever the order in which it arrives. The lane in force stands in a context variable, which asyncio tasks inherit.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

ROOT = "root"

_current: ContextVar[str] = ContextVar("playhead_lane", default=ROOT)


def current() -> str:
    """The lane of the work that asks."""
    return _current.get()


@contextmanager
def enter(lane: str) -> Generator[None]:
    """Do what stands inside in the lane `lane`."""
    token = _current.set(lane)
    try:
        yield
    finally:
        _current.reset(token)
