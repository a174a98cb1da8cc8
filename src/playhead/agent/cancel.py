"""Ends a run from outside: at once, or after the step under way."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self


class Cancel:
    """Cancels the runs that it is handed to, as `agent.run(..., cancel=cancel)`.

    It serves several runs, also those that begin after it was called, and may be used from any task and thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: set[Cancelling] = set()
        self._now = False
        self._after_step = False

    def cancel(self, *, after_step: bool = False) -> None:
        """End the runs.

        Args:
            after_step: let the step under way come to its end, its tools included. Otherwise what is under way is
                stopped at once: the provider's connection is closed, tools are cancelled.
        """
        with self._lock:
            self._after_step |= after_step
            self._now |= not after_step
            runs = tuple(self._runs)
        for run in runs:
            run.ask(after_step=after_step)

    def enrol(self, run: Cancelling) -> None:
        """A run begins."""
        with self._lock:
            self._runs.add(run)
            now, after_step = self._now, self._after_step
        if now or after_step:
            run.ask(after_step=not now)

    def leave(self, run: Cancelling) -> None:
        """A run has ended."""
        with self._lock:
            self._runs.discard(run)


class Cancelling:
    """How one run is cancelled.

    The task that drives the run is cancelled while it is inside, as `asyncio.timeout` does it, and that cancellation
    ends at the run's border: `with` it, for each piece of the run. Little is paid for it while nobody cancels.

    Attributes:
        now: whether the run is to end at once.
        after_step: whether it is to end after the step under way.
    """

    def __init__(self) -> None:
        self.now = False
        self.after_step = False
        self._lock = threading.Lock()
        self._task: asyncio.Task[object] | None = None
        self._before = 0
        self._struck = False

    def ask(self, *, after_step: bool) -> None:
        """End the run. May be called from any task or thread, and more than once."""
        with self._lock:
            if after_step:
                self.after_step = True
                return
            first, self.now = not self.now, True
            task = self._task
        if first and task is not None:  # Else it is told by `now` when it comes in again.
            with suppress(RuntimeError):  # The loop is closed: nothing is under way any more.
                task.get_loop().call_soon_threadsafe(self._strike, task)

    def __enter__(self) -> Self:
        """The task that runs now drives the run from here."""
        self._task = task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a run is driven by a task
        self._before = task.cancelling()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """The task leaves the run. The cancellation that was asked for here goes no further."""
        task, self._task = self._task, None
        if not self._struck or task is None:
            return False
        self._struck = False
        return task.uncancel() <= self._before and isinstance(error, asyncio.CancelledError)

    def _strike(self, task: asyncio.Task[object]) -> None:
        """Runs in the task's loop while it waits: it is inside, or has left and sees `now` when it comes back."""
        if self._task is task:
            self._struck = True
            task.cancel()
