"""
Where the code that runs now stands: on which open tape, and in which lane of it.

It is a context variable, so that it follows tasks of asyncio by itself. A thread that somebody starts has a context
of its own: run its work with `contextvars.copy_context().run(...)`, or with `asyncio.to_thread`, which does so.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ConfigError
from .effects import ROOT

if TYPE_CHECKING:
    from .opened import OpenTape


@dataclass(frozen=True, slots=True)
class Here:
    """A place on an open tape."""

    tape: OpenTape
    lane: str = ROOT


_here: ContextVar[Here | None] = ContextVar("playhead_here", default=None)


def here() -> Here | None:
    """Where this code runs; None where no tape is open around it."""
    return _here.get()


def lane_on(tape: OpenTape) -> str:
    """The lane of what is asked here on `tape`: that of a tool or of a `lane` block on the same tape, else `root`."""
    place = _here.get()
    return place.lane if place is not None and place.tape is tape else ROOT


@contextmanager
def standing(tape: OpenTape | None, lane: str = ROOT) -> Generator[None]:
    """What runs in this block stands on `tape` in `lane`; on no tape where it is None."""
    token = _here.set(None if tape is None else Here(tape, lane))
    try:
        yield
    finally:
        _here.reset(token)


@contextmanager
def lane(name: str) -> Generator[None]:
    """Give work that goes on beside other work a lane of its own, so that it is found again whatever the order in
    which it arrives.

        async def part(name):
            with ph.lane(name):
                return await agent.run(...)

        await asyncio.gather(part("a"), part("b"))

    Where no tape is open it does nothing.

    Args:
        name: unique beside the others; it is a part of the lane, such as `root/a`.

    Raises:
        ConfigError: the name is empty, or has a slash or a number sign in it.
    """
    if not name or "/" in name or "#" in name:
        raise ConfigError(f"expected a lane's name without '/' and '#', got {name!r}")
    place = _here.get()
    if place is None:
        yield
        return
    with standing(place.tape, f"{place.lane}/{name}"):
        yield
