"""
Where the code that runs now stands: on which open tape, and in which lane of it.

It is a context variable, so that it follows tasks of asyncio by itself. A thread that somebody starts has a context
of its own, and so has a task that was there before the tape was opened: such code stands on the one tape that is
open in the process, in lane `root`. To stand in the lane of whoever started it, run a thread's work with
`contextvars.copy_context().run(...)`, or with `asyncio.to_thread`, which does so.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from .effects import ROOT

if TYPE_CHECKING:
    from .opened import OpenTape


@dataclass(frozen=True, slots=True)
class Here:
    """A place on an open tape."""

    tape: OpenTape
    lane: str = ROOT


@dataclass(frozen=True, slots=True, eq=False)
class _Open:
    """A tape that is open by a `with` block, and the one around it."""

    tape: OpenTape
    around: _Open | None


_here: ContextVar[Here | None] = ContextVar("playhead_here")
_innermost: ContextVar[_Open | None] = ContextVar("playhead_innermost", default=None)
_open: list[_Open] = []


def here() -> Here | None:
    """Where this code runs; None where no tape is open around it, or where it was said to stand on none.

    A context in which nothing was said, such as that of a new thread, is on the innermost tape that a `with` block
    holds open in the process. Where several blocks are open that are not one inside the other, that cannot be told.

    Raises:
        ConfigError: it cannot be told, and one of those tapes lets nothing out.
    """
    try:
        return _here.get()
    except LookupError:
        return _fallback()


def lane_on(tape: OpenTape) -> str:
    """The lane of what is asked here on `tape`: that of a tool or of a `lane` block on the same tape, else `root`."""
    place = _here.get(None)
    return place.lane if place is not None and place.tape is tape else ROOT


@contextmanager
def standing(tape: OpenTape | None, lane: str = ROOT) -> Generator[None]:
    """What runs in this block stands on `tape` in `lane`; on no tape where it is None."""
    token = _here.set(None if tape is None else Here(tape, lane))
    try:
        yield
    finally:
        _reset(_here, token)


@contextmanager
def fallback(tape: OpenTape) -> Generator[None]:
    """While this block runs, code in contexts in which nothing was said stands on `tape`. See `here`."""
    around = _innermost.get()
    mine = _Open(tape, around if around in _open else None)
    token = _innermost.set(mine)
    _open.append(mine)
    try:
        yield
    finally:
        _open.remove(mine)
        _reset(_innermost, token)


def _fallback() -> Here | None:
    opened = tuple(_open)
    around = [one.around for one in opened]
    inner = {id(one.tape): one.tape for one in opened if one not in around}
    if len(inner) == 1:
        return Here(next(iter(inner.values())))
    if closed := [tape.name for tape in inner.values() if tape.closed]:
        raise ConfigError(
            f"{len(inner)} tapes are open, of which {closed[0]!r} lets nothing out, and this thread or task was "
            "begun outside of them all: which one does it belong to? Say it with tape=..., or begin it inside a "
            "tape's block, a thread with contextvars.copy_context().run(...)."
        )
    return None


def _reset(variable: ContextVar[Any], token: Token[Any]) -> None:
    """Undo a setting. A block that ends in another context than it began in, as that of a generator may, has none to
    undo there."""
    with suppress(ValueError):
        variable.reset(token)


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
    place = here()
    if place is None:
        yield
        return
    with standing(place.tape, f"{place.lane}/{name}"):
        yield
