"""A run for code that is not asynchronous: an event loop that goes on while an event is asked for."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import suppress
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast

from ..errors import ConfigError
from ..events import Event
from .approvals import Approvals
from .result import RunResult
from .run import Run

T = TypeVar("T")

if TYPE_CHECKING:
    from typing_extensions import TypeVar as _TypeVar

    OutputT = _TypeVar("OutputT", default=str)
else:
    OutputT = TypeVar("OutputT")


class SyncRun(Generic[OutputT]):
    """A run as a context manager and an iterator. See `playhead.agent.run.Run`.

    Args:
        run: what is run, in this thread, whenever an event is asked for.
    """

    def __init__(self, run: Run[OutputT]) -> None:
        self._run = run
        self._loop: _Loop | None = None
        self._entered = False

    @property
    def result(self) -> RunResult[OutputT]:
        """The finished result. Raises RunError where the run has not ended."""
        return self._run.result

    @property
    def so_far(self) -> RunResult[OutputT]:
        """The run as far as it came."""
        return self._run.so_far

    def finish(self) -> RunResult[OutputT]:
        """Go on to the end, whether or not anybody looks at the events."""
        for _ in self:
            pass
        return self.result

    def cancel(self, *, after_step: bool = False) -> None:
        """End the run well, from any thread, or between two events. See `Run.cancel`."""
        self._run.cancel(after_step=after_step)

    def resume(self, approvals: Approvals) -> SyncRun[OutputT]:
        """Go on after a pause. See `Run.resume`."""
        return SyncRun(self._run.resume(approvals))

    def __enter__(self) -> Self:
        self._open()
        self._entered = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Event]:
        loop, events = self._open(), aiter(self._run)

        async def following() -> Event | None:
            return await anext(events, None)

        try:
            while (event := loop.until_done(following())) is not None:
                yield event
        except KeyboardInterrupt as stop:
            raise _with_run(stop, self._run.so_far) from None
        finally:
            if not self._entered:  # Nobody else will.
                self.close()

    def close(self) -> None:
        """Stop what is under way, and put the tape in its place."""
        loop, self._loop = self._loop, None
        if loop is not None:
            try:
                loop.until_done(self._run.aclose())
            finally:
                loop.close()

    def _open(self) -> _Loop:
        if self._loop is None:
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                self._loop = _Loop()
            else:
                raise ConfigError("an event loop runs in this thread: use `async with agent.stream(...)` here")
        return self._loop


class _Loop:
    """An event loop that is run piece by piece.

    Ctrl-C cancels what is under way, as it does in `asyncio.Runner`. That class changes the signal's handler each
    time that it runs something, which costs more than an event does; here it is changed once.
    """

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._loop = self._runner.get_loop()
        self._task: asyncio.Task[Any] | None = None
        self._interrupted = self._closing = False
        own = threading.current_thread() is threading.main_thread()
        self._handles = own and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._handles:
            signal.signal(signal.SIGINT, self._interrupt)

    def until_done(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run until something is done.

        Raises:
            KeyboardInterrupt: somebody pressed Ctrl-C; what was under way has been cancelled.
        """
        self._task = task = self._loop.create_task(coroutine)
        try:
            value = self._loop.run_until_complete(task)
        except asyncio.CancelledError:
            if not self._interrupted:
                raise
            value = None
        finally:
            self._task = None
            interrupted, self._interrupted = self._interrupted, False
        if interrupted:  # Also where it came too late for what was under way to notice.
            raise KeyboardInterrupt
        return cast("T", value)

    def close(self) -> None:
        """Let go of the loop, and of Ctrl-C.

        Raises:
            KeyboardInterrupt: somebody pressed Ctrl-C meanwhile; all is closed.
        """
        self._closing = True
        try:
            self._runner.close()
        finally:
            if self._handles:
                signal.signal(signal.SIGINT, signal.default_int_handler)
        if self._interrupted:
            raise KeyboardInterrupt

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._closing and not self._interrupted:
            self._interrupted = True  # Once all is closed: what is cut down here would be left open.
            return
        if self._task is None or self._interrupted:
            signal.default_int_handler(number, frame)
        self._interrupted = True
        # The loop may be waiting for its sockets, and would not look at the task before one of them is ready.
        self._loop.call_soon_threadsafe(self._task.cancel)


async def finished(run: Run[OutputT]) -> RunResult[OutputT]:
    """A run to its end."""
    async with run:
        return await run.finish()


def awaited(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end, for code that is not asynchronous; on another thread where an event loop runs in this one."""
    if _a_loop_runs():
        return _on_a_thread(coroutine)
    made: list[T] = []

    async def kept() -> None:
        made.append(await coroutine)  # As the task's own result it would be written out by `signal.signal` (repr).

    try:
        asyncio.run(kept())
        return made[0]
    except KeyboardInterrupt as stop:
        so_far = getattr(stop.__context__, "run", None)  # What was cancelled for it carries it.
        raise (stop if so_far is None else _with_run(stop, so_far)) from None


def _with_run(stop: KeyboardInterrupt, so_far: RunResult[Any]) -> KeyboardInterrupt:
    """What leaves a run carries the run so far."""
    stop.run = so_far  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
    return stop


def _a_loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _on_a_thread(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end on another thread, as in a notebook, where a loop runs in this one. Ctrl-C cancels it."""
    begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = Future()
    outcome: Future[T] = Future()
    inside = contextvars.copy_context()

    async def told() -> T:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this is one
        begun.set_result((asyncio.get_running_loop(), task))
        return await coroutine

    def run() -> None:
        try:
            outcome.set_result(inside.run(asyncio.run, told()))
        except BaseException as error:
            outcome.set_exception(error)

    thread = threading.Thread(target=run, name="playhead-run")
    try:
        thread.start()
        return outcome.result()
    except BaseException:
        if not outcome.done():  # It is this thread that is interrupted, maybe while the other one was being started.
            with suppress(RuntimeError, TimeoutError):  # The loop has just been closed, or there will be none.
                loop, task = begun.result(timeout=5.0)
                loop.call_soon_threadsafe(task.cancel)
        raise
    finally:
        with suppress(RuntimeError):  # It was never started.
            thread.join()
