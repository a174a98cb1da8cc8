"""What a run inside a tool knows of the run whose tool it is. It follows tasks and threads as a context variable."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from ..events import Event
from ..ledger import Meter
from .approvals import Approvals
from .cancel import Cancel
from .hooks import HookList, RunInfo


@dataclass(frozen=True, slots=True)
class Around:
    """The run around a tool.

    Attributes:
        info: which one.
        hooks: those who look on; also at agents inside it that have none of their own.
        meter: counts what is used, also inside its tools.
        emit: gives an event to whoever looks at that run.
        lane: the tool's.
        stream: whether its answers are streamed.
        approvals: decisions about tool calls.
        deps: its dependencies.
        cancel: ends what still runs inside it when it has ended, such as a run in a thread, which cannot be stopped.
    """

    info: RunInfo
    hooks: HookList
    meter: Meter
    emit: Callable[[Event], None]
    lane: str
    stream: bool
    approvals: Approvals | None
    deps: Any
    cancel: Cancel = field(default_factory=Cancel)


_around: ContextVar[Around | None] = ContextVar("playhead_around", default=None)


def around() -> Around | None:
    """The run inside whose tool this code runs; None outside of tools."""
    return _around.get()


@contextmanager
def inside(run: Around) -> Generator[None]:
    """What runs in this block runs inside a tool of `run`."""
    token = _around.set(run)
    try:
        yield
    finally:
        _around.reset(token)
