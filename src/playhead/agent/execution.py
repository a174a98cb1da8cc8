"""Runs one tool: on the event loop or on a thread, within its time, and again where that does no harm."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Callable
from typing import Any

from ..errors import LimitExceeded, MissingDependency, StopRun, TapeError, ToolInDoubt, Undecided
from ..events import Approval
from ..tools import AnyTool, Context, InvalidArguments


class Waiting(Exception):
    """Raised in a tool that cannot go on before somebody has decided: an agent inside it waits for approvals.

    Attributes:
        pending: what is to be decided.
    """

    def __init__(self, pending: tuple[Approval, ...]) -> None:
        super().__init__("tool calls of an agent inside this tool wait for approval")
        self.pending = pending


class ToolTimeout(Exception):
    """A tool did not end in its time."""


SIGNALS = (StopRun, TapeError, ToolInDoubt, Waiting, Undecided, InvalidArguments, MissingDependency)
"""What leaves a tool and is no failure of it."""


async def execute(
    tool: AnyTool, arguments: dict[str, object], context: Context[Any], threaded: Callable[[bool], None]
) -> object:
    """Run a tool. One that may run twice is run again where it fails, as often as it says.

    Args:
        threaded: told True when a thread begins to work, and False when it has ended.

    Raises:
        Exception: what the tool raised, the last time.
    """
    lock, working = threading.Lock(), 0

    def told(on: bool) -> None:
        # The thread of a try that took too long may end while that of the next one works.
        nonlocal working
        with lock:
            working += 1 if on else -1
            threaded(working > 0)

    for left in range(tool.retries, -1, -1):
        try:
            return await _within_its_time(tool, arguments, context, told)
        except SIGNALS:
            raise
        except Exception:
            if not left:
                raise
    raise AssertionError  # pragma: no cover - the loop returns or raises


async def _within_its_time(
    tool: AnyTool, arguments: dict[str, object], context: Context[Any], threaded: Callable[[bool], None]
) -> object:
    if tool.timeout is None:
        return await invoke(tool, arguments, context, threaded)
    still_working = [False]

    def told(working: bool) -> None:
        still_working[0] = working
        threaded(working)

    limit = asyncio.timeout(tool.timeout)
    try:
        async with limit:
            return await invoke(tool, arguments, context, told)
    except TimeoutError as error:
        if not limit.expired():
            raise
        aside = ". It may still be running: a thread cannot be stopped" if still_working[0] else ""
        raise ToolTimeout(f"the tool did not end within {tool.timeout:g} s{aside}") from error


async def invoke(
    tool: AnyTool,
    arguments: dict[str, object],
    context: Context[Any],
    threaded: Callable[[bool], None] = lambda _: None,
) -> object:
    """Call a tool once, a function that is no coroutine function on a thread."""
    if tool.is_async:
        return await tool.invoke(arguments, context)
    threaded(True)
    value = await _on_a_thread(tool, arguments, context, threaded)
    return await value if inspect.isawaitable(value) else value


def _on_a_thread(
    tool: AnyTool, arguments: dict[str, object], context: Context[Any], threaded: Callable[[bool], None]
) -> asyncio.Future[object]:
    """Call a tool on a thread of its own, with the context variables of this task.

    The thread is a daemon: a program that ends does not wait for tools that nobody waits for any more. Pools do, and
    have few threads on a small machine.
    """
    loop, inside = asyncio.get_running_loop(), contextvars.copy_context()
    future: asyncio.Future[object] = loop.create_future()

    def deliver(set_outcome: Callable[[Any], None], outcome: object) -> None:
        threaded(False)
        try:
            loop.call_soon_threadsafe(settle, set_outcome, outcome)
        except RuntimeError:  # The loop is closed: nobody waits any more.
            forget(outcome)

    def settle(set_outcome: Callable[[Any], None], outcome: object) -> None:
        if future.done():
            forget(outcome)
        else:
            set_outcome(outcome)

    def forget(outcome: object) -> None:
        if inspect.iscoroutine(outcome):  # It came too late to be awaited, and Python would warn of it.
            outcome.close()

    def run() -> None:
        try:
            deliver(future.set_result, inside.run(tool.invoke, arguments, context))
        except (StopIteration, KeyboardInterrupt, SystemExit) as error:
            # A future cannot carry the first, and the others are the program's, which this thread is not.
            deliver(future.set_exception, RuntimeError(f"the tool raised {type(error).__name__}"))
        except BaseException as error:
            deliver(future.set_exception, error)

    threading.Thread(target=run, name=f"playhead {context.lane}", daemon=True).start()
    return future


def error_text(error: BaseException) -> str:
    """What a model is told of an error in a tool."""
    try:
        said = str(error)
    except Exception:
        said = ""  # What it would have said raised something itself.
    if isinstance(error, ToolTimeout):
        return f"Error: {said}."
    if isinstance(error, LimitExceeded):
        return f"Error: a limit is reached: {error.brief}."
    return f"Error: {type(error).__name__}: {said}" if said else f"Error: {type(error).__name__}"
