"""What faults make of a body: pieces in, actions out. No clock, no waiting, no transport."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from ...errors import TransportError
from ._fault import TOOL_CALL, Fault
from ._places import AfterBytes, EventEnd, FirstPiece, InToolCall, LastEvent, Place


class Wait(msgspec.Struct, frozen=True):
    """Nothing comes for some time.

    Args:
        seconds: how long; None is until the reader leaves.
    """

    seconds: float | None


Action: TypeAlias = bytes | Wait | TransportError
"""What is to be done: pass bytes on, wait, or raise the error, after which nothing comes."""


class BodyFilter:
    """The body of one call, seen through the faults that strike it, one after the other.

    Args:
        strikes: each fault with what is asked, at its place, whether it may strike. What it returns is the number of
            the call, or None: then the body goes on as if there were no fault.
    """

    def __init__(self, strikes: Sequence[tuple[Fault, Callable[[], int | None]]]) -> None:
        self._filters = [_Filter(fault, claim) for fault, claim in strikes]

    @property
    def struck(self) -> bool:
        """Whether a fault has struck."""
        return any(it.struck for it in self._filters)

    @property
    def spoiled(self) -> bool:
        """Whether the body does not come to its end."""
        return any(it.struck and it.fault.kind in ("cut", "truncate") for it in self._filters)

    def feed(self, data: bytes) -> list[Action]:
        """Take a piece of the body."""
        return self._through([data] if data else [], 0)

    def end(self) -> list[Action]:
        """The body is over."""
        actions: list[Action] = []
        for n, last in enumerate(self._filters):
            actions += self._through(last.end(), n + 1)
            if actions and isinstance(actions[-1], TransportError):
                break
        return actions

    def _through(self, actions: list[Action], first: int) -> list[Action]:
        for it in self._filters[first:]:
            actions = [new for old in actions for new in (it.feed(old) if isinstance(old, bytes) else [old])]
        error = next((n for n, action in enumerate(actions) if isinstance(action, TransportError)), len(actions))
        return actions[: error + 1]


class _Filter:
    """A body seen through one fault."""

    def __init__(self, fault: Fault, claim: Callable[[], int | None]) -> None:
        self.fault = fault
        self.struck = False
        self._claim = claim
        self._place: Place | None = _place(fault)
        self._passed = 0

    def feed(self, data: bytes) -> list[Action]:
        if self._place is None:
            return [] if self.struck and self.fault.kind in ("cut", "truncate") else [data]
        return self._at(self._place, *self._place.feed(data))

    def end(self) -> list[Action]:
        return [] if self._place is None else self._at(self._place, *self._place.end())

    def _at(self, place: Place, before: bytes, behind: bytes | None) -> list[Action]:
        self._passed += len(before)
        actions: list[Action] = [before] if before else []
        if behind is None:
            return actions
        self._place = None
        call = self._claim()
        if call is None:
            return [before + behind] if before + behind else []
        self.struck = True
        if self.fault.kind == "cut":
            return [*actions, _cut(self.fault, call, self._passed)]
        if self.fault.kind == "truncate":
            return actions
        if self.fault.kind == "stall":
            return [*actions, Wait(self.fault.seconds), *([behind] if behind else [])]
        again = place.found if isinstance(place, EventEnd) else b""
        return [*actions, again + behind]


def _place(fault: Fault) -> Place:
    if fault.kind == "duplicate":
        return EventEnd(fault.event)
    if fault.within == TOOL_CALL:
        return InToolCall()
    if fault.after is not None:
        return AfterBytes(fault.after, more=fault.kind == "truncate")
    return LastEvent() if fault.kind == "truncate" else FirstPiece(half=fault.kind == "cut")


def _cut(fault: Fault, call: int, count: int) -> TransportError:
    return TransportError(
        f"the connection was cut after {count} bytes of the body: the fault {str(fault)!r} struck call {call}",
        kind="disconnect",
    )
