"""Runs the tools of one step at the same time, and gives their results in the order of the calls."""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import inspect
import threading
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from ..errors import ConfigError, StopRun, TapeError, ToolInDoubt
from ..events import ToolEnd, ToolStart
from ..messages import MediaPart, Message, ToolCallPart, ToolResultPart
from ..tape.effects import ToolRun
from ..tape.lanes import standing
from ..tape.opened import Skip
from ..tape.playhead import Playhead
from ..tools import RERUN, AnyTool, Context, InvalidArguments, as_tool, split_result


class Toolbox:
    """An agent's tools.

    Args:
        tools: functions or tools.
        limit: how many run at the same time, at most.

    Raises:
        ConfigError: two have the same name, or the limit allows none.
        ToolDefinitionError: a function cannot be made into a tool.
    """

    def __init__(self, tools: Sequence[Callable[..., Any]], limit: int) -> None:
        if limit < 1:
            raise ConfigError(f"max_parallel_tools should be at least 1, but is {limit}")
        made = [as_tool(tool) for tool in tools]
        self.tools: Mapping[str, AnyTool] = {tool.name: tool for tool in made}
        self.limit = limit
        if len(self.tools) < len(made):
            names = [tool.name for tool in made]
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ConfigError(f"two tools have the same name: {', '.join(twice)}. Give one another with @tool(name=)")

    async def run(self, step: StepCalls, playhead: Playhead) -> AsyncGenerator[ToolStart | ToolEnd]:
        """Run the calls of a step. Events come as they happen; `step.results` has the results, in call order.

        Raises:
            TapeError, ToolInDoubt: from the tape, before any of the tools has run.
        """
        batch = _Batch(self, step, playhead)
        await batch.settle()
        tasks = [asyncio.ensure_future(batch.one(n)) for n in range(len(step.calls))]
        for task in tasks:
            task.add_done_callback(batch.ended)
        under_way = len(tasks)
        try:
            while under_way:
                event = await batch.events.get()
                if isinstance(event, ToolStart | ToolEnd):
                    yield event
                else:
                    under_way -= 1
                    event.result()  # Raises what the tape raised.
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class StepCalls:
    """The calls of one step, and what became of them.

    Args:
        calls: in the model's order.
        call_lanes: one for each call.
        number: of the step, from 0.
        messages: the conversation, with the answer that asks for the calls.
        run_id: gives what stands for the run in idempotency keys, when a tool starts: its tape, so that a resumed run
            is the same run, and a fork another.
    """

    def __init__(
        self,
        calls: Sequence[ToolCallPart],
        call_lanes: Sequence[str],
        number: int,
        messages: tuple[Message, ...],
        run_id: Callable[[], str],
    ) -> None:
        self.calls = calls
        self.lanes = call_lanes
        self.number = number
        self.messages = messages
        self.run_id = run_id
        self.finished: dict[int, ToolRun] = {}

    @property
    def results(self) -> tuple[ToolResultPart, ...]:
        """What is there, in the order of the calls."""
        return tuple(_result(self.calls[n], run) for n, run in sorted(self.finished.items()))

    def all_results(self, why: str) -> tuple[ToolResultPart, ...]:
        """What is there, and `why` for the calls that have no result: a call without an end would make the
        conversation unusable."""
        return tuple(
            _result(call, self.finished[n]) if n in self.finished else ToolResultPart(call.id, call.name, why, True)
            for n, call in enumerate(self.calls)
        )

    @property
    def stopped(self) -> str | None:
        """The text of the first `StopRun`, in the order of the calls."""
        stops = (run.stop for _, run in sorted(self.finished.items()))
        return next((stop for stop in stops if stop is not None), None)

    def context(self, n: int) -> Context:
        """What the tool of call `n` may know."""
        call, lane = self.calls[n], self.lanes[n]
        key = hashlib.sha256(f"{self.run_id()} {lane}".encode()).hexdigest()[:32]
        return Context(
            lane=lane,
            call_id=call.id,
            tool=call.name,
            step=self.number,
            messages=self.messages,
            idempotency_key=key,
        )


class _Batch:
    """The calls of one step while they run. All are looked up on the tape before the first of them runs: what stops
    the run must not cut down tools beside it."""

    def __init__(self, toolbox: Toolbox, step: StepCalls, playhead: Playhead) -> None:
        self.events: asyncio.Queue[ToolStart | ToolEnd | asyncio.Task[None]] = asyncio.Queue()
        self._tools = toolbox.tools
        self._step = step
        self._playhead = playhead
        self._slots = asyncio.Semaphore(toolbox.limit)
        self._begun = [
            ToolRun(lane=lane, call_id=call.id, name=call.name, arguments=call.arguments)
            for call, lane in zip(step.calls, step.lanes, strict=True)
        ]
        self._doubts: dict[int, ToolInDoubt] = {}
        self._decided: dict[int, ToolRun] = {}
        self._played = [self._look_up(n, begun) for n, begun in enumerate(self._begun)]

    async def one(self, n: int) -> None:
        call, lane = self._step.calls[n], self._step.lanes[n]
        async with self._slots:
            self.events.put_nowait(ToolStart(call, lane))
            played = self._played[n]
            with standing(self._playhead.opened, lane):
                run = played or await self._playhead.run_tool(self._begun[n], lambda: self._run_or_decide(n))
            self._step.finished[n] = run
            self.events.put_nowait(ToolEnd(call, _result(call, run), lane, run.duration_s, played is not None))

    def ended(self, task: asyncio.Task[None]) -> None:
        """A task is over, well or not."""
        self.events.put_nowait(task)

    def _look_up(self, n: int, begun: ToolRun) -> ToolRun | None:
        """The result from the tape, or None where the tool is to run, or what is in doubt is to be settled."""
        tool = self._tools.get(begun.name)
        try:
            return self._playhead.played_tool(begun, tool.effect if tool else "read")
        except ToolInDoubt as doubt:
            opened = self._playhead.opened
            if tool is not None and tool.reconcile is not None and not opened.closed:
                self._doubts[n] = doubt
                return None
            choice = opened.choice(doubt)
            if choice is None:
                raise
            if isinstance(choice, Skip):
                self._decided[n] = msgspec.structs.replace(begun, result=choice.result, is_error=choice.is_error)
            return None

    async def settle(self) -> None:
        """Let tools in doubt find out themselves what became of them.

        Raises:
            ToolInDoubt: one could not.
        """
        for n, doubt in self._doubts.items():
            if (found := await self._reconciled(n, doubt)) is not None:
                self._decided[n] = found

    async def _reconciled(self, n: int, doubt: ToolInDoubt) -> ToolRun | None:
        """What became of a call that was cut down; None where it never happened."""
        begun = self._begun[n]
        tool = self._tools[begun.name]
        find_out = tool.reconcile
        assert find_out is not None  # noqa: S101 - else it would not be settled here
        try:
            arguments = find_out.select(tool.bind(begun.arguments))
        except InvalidArguments:
            return None  # So it cannot have run.
        try:
            with standing(self._playhead.opened, begun.lane):
                value = await self._invoke(find_out, arguments, self._step.context(n))
            if value is RERUN:
                return None
            text, media = split_result(value)
        except Exception as error:
            doubt.add_note(f"Its reconcile function raised {type(error).__name__}: {error}")
            raise doubt from error
        plain = tuple(msgspec.to_builtins(item) for item in media)
        return msgspec.structs.replace(begun, result=text, media=plain)

    async def _run_or_decide(self, n: int) -> ToolRun:
        return self._decided[n] if n in self._decided else await self._execute(n)

    async def _execute(self, n: int) -> ToolRun:
        """Run a tool. Whatever goes wrong in it becomes an error result; only the tape's own errors leave."""
        begun = self._begun[n]
        try:
            tool = self._tools.get(begun.name)
            if tool is None:
                raise InvalidArguments([_unknown(begun.name, self._tools)], advice="Call one of those, or answer.")
            arguments = tool.bind(begun.arguments)
            text, media = split_result(await self._invoke(tool, arguments, self._step.context(n)))
        except InvalidArguments as error:
            return msgspec.structs.replace(begun, result=f"Error: {error}", is_error=True)
        except StopRun as stop:
            return msgspec.structs.replace(begun, result=str(stop), stop=stop.text or "")
        except (TapeError, ToolInDoubt):
            raise  # A run inside the tool has left its tape: the model cannot mend that.
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            text = "Error: the tool was cancelled by something inside it"
            return msgspec.structs.replace(begun, result=text, is_error=True)
        except Exception as error:
            return msgspec.structs.replace(begun, result=_error_text(error), is_error=True)
        plain = tuple(msgspec.to_builtins(item) for item in media)
        return msgspec.structs.replace(begun, result=text, media=plain)

    async def _invoke(self, tool: AnyTool, arguments: dict[str, object], context: Context) -> object:
        if tool.is_async:
            return await tool.invoke(arguments, context)
        value = await _on_a_thread(tool, arguments, context)
        return await value if inspect.isawaitable(value) else value


def _on_a_thread(tool: AnyTool, arguments: dict[str, object], context: Context) -> asyncio.Future[object]:
    """Call a tool on a thread of its own, with the context variables of this task.

    The thread is a daemon: a program that ends does not wait for tools that nobody waits for any more. Pools do, and
    have few threads on a small machine.
    """
    loop, inside = asyncio.get_running_loop(), contextvars.copy_context()
    future: asyncio.Future[object] = loop.create_future()

    def deliver(set_outcome: Callable[[Any], None], outcome: object) -> None:
        with suppress(RuntimeError):  # The loop is closed: nobody waits any more.
            loop.call_soon_threadsafe(lambda: None if future.done() else set_outcome(outcome))

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


def _result(call: ToolCallPart, run: ToolRun) -> ToolResultPart:
    media = tuple(msgspec.convert(item, MediaPart) for item in run.media)
    return ToolResultPart(call.id, call.name, run.result, run.is_error, media)


def _error_text(error: Exception) -> str:
    try:
        said = str(error)
    except Exception:
        said = ""  # What it would have said raised something itself.
    return f"Error: {type(error).__name__}: {said}" if said else f"Error: {type(error).__name__}"


def _unknown(name: str, tools: Mapping[str, AnyTool]) -> str:
    there = ", ".join(tools) or "none"
    return f"there is no tool named {name!r}. The tools are: {there}."
