"""Runs the calls of one step at the same time. Results go back in the order of the calls."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from ..errors import LimitExceeded, MissingDependency, RunError, StopRun, TapeError, ToolInDoubt, Undecided
from ..events import Event, Nested, ToolEnd, ToolProgress, ToolStart
from ..output import InvalidOutput
from ..tape.effects import ToolRun
from ..tape.lanes import standing
from ..tape.opened import Skip
from ..tape.playhead import Playhead
from ..tools import RERUN, AnyTool, Context, InvalidArguments, split_result
from .approvals import DECIDED, WANTED, Approvals
from .around import Around, inside
from .background import BACKGROUND, STARTED, Jobs
from .execution import Waiting, error_text, execute, invoke
from .hooks import HookList, RunInfo
from .ledgering import count_played, note_inside
from .nested import AgentTool
from .permitting import ApprovalProblem, Permits
from .readings import read_now
from .repairing import REPAIRED, Repair, bind, known_repair
from .toolbox import StepCalls, Toolbox, result_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a batch needs of its run.

    Attributes:
        playhead: the run's.
        slots: how many tools run at the same time.
        jobs: the work that outlives its step.
        around: gives what runs inside a tool know of this run, from the tool's lane and where its events go.
        info: which run it is.
        hooks: those who look on.
        approvals: decisions of people.
        repair: the user's function for calls that cannot be run.
        late: takes events of work that outlives the step.
    """

    playhead: Playhead
    slots: asyncio.Semaphore
    jobs: Jobs
    around: Callable[[str, Callable[[Event], None]], Around]
    info: RunInfo
    hooks: HookList
    approvals: Approvals | None
    repair: Repair | None
    late: Callable[[Event], None]


async def run_calls(toolbox: Toolbox, step: StepCalls, run: Surroundings) -> AsyncGenerator[Event]:
    """Run the calls of a step. Events come as they happen; `step` has what became of the calls.

    Raises:
        TapeError, ToolInDoubt: from the tape, before any of the tools has run.
        Undecided: the function that decides about approvals failed; when all other tools have come to their ends.
        LimitExceeded: an agent inside a tool met a limit of this run, or of one around it; the same.
    """
    batch = _Batch(toolbox, step, run)
    await batch.settle()
    tasks = [asyncio.ensure_future(batch.one(n)) for n in range(len(step.calls))]
    for task in tasks:
        task.add_done_callback(batch.ended)
    under_way = len(tasks)
    try:
        while under_way:
            event = await batch.events.get()
            if isinstance(event, asyncio.Task):
                under_way -= 1
                event.result()  # Raises what the tape raised.
            else:
                yield event
        while not batch.events.empty():  # What a thread said last.
            event = batch.events.get_nowait()
            if not isinstance(event, asyncio.Task):
                yield event
        if batch.stopping:
            raise batch.stopping[0]
    finally:
        batch.over = True
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


SECOND_HANDOFF = "Error: the conversation can be handed on once in a step, and an earlier call does so."
"""What the model is told of a second one."""


class _Batch:
    """The calls of one step while they run. All are looked up on the tape before the first of them runs: what stops
    the run must not cut down tools beside it."""

    def __init__(self, toolbox: Toolbox, step: StepCalls, run: Surroundings) -> None:
        self.events: asyncio.Queue[Event | asyncio.Task[None]] = asyncio.Queue()
        self.over = False
        self.stopping: list[RunError] = []
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._toolbox = toolbox
        self._step = step
        self._run = run
        self._playhead = run.playhead
        self._begun = [step.begun(n) for n in range(len(step.calls))]
        self._doubts: dict[int, ToolInDoubt] = {}
        self._never_ended: set[int] = set()
        self._arounds: dict[int, Around] = {}
        self._permits = Permits(toolbox, step, run.playhead, run.repair, run.approvals, self.tell, self._inside)
        self._played = [self._look_up(n, begun) for n, begun in enumerate(self._begun)]

    def tell(self, event: Event) -> None:
        """Give an event to whoever looks at the run. From any thread."""
        if threading.get_ident() == self._thread:
            self._put(event)
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._put, event)

    def _put(self, event: Event) -> None:
        if self.over:
            self._run.late(event)
        else:
            self.events.put_nowait(event)

    def ended(self, task: asyncio.Task[None]) -> None:
        """A task is over, well or not."""
        self.events.put_nowait(task)

    async def one(self, n: int) -> None:
        """See to one call, from its approval to its result."""
        if self._begun[n].lane in self._step.said:
            return
        try:
            looked_up = self._played[n] is not None or n in self._never_ended
            if not looked_up and not await self._permits.may_run(n):
                return
            tool = self._tool(n)
            if tool is not None and tool.background and n not in self._permits.decided:
                self._in_background(n)
                return
            async with self._run.slots:
                run = await self._whole_run(n)
        except (Undecided, LimitExceeded) as error:  # It must not cut down the tools beside it.
            self.stopping.append(error)
            return
        if run is not None:
            self._step.finished[n] = run
            self.tell(self._end(n, run))

    def _in_background(self, n: int) -> None:
        call, begun, jobs = self._step.calls[n], self._begun[n], self._run.jobs
        if self._playhead.recall(BACKGROUND, lane=begun.lane) is None:
            self._playhead.note(BACKGROUND, True, lane=begun.lane)
        if (played := self._played[n]) is not None or n in self._never_ended:
            count_played(self._around(n).meter, self._playhead, begun.lane)
            jobs.finished(begun.lane, call, played, () if played is None else self._all_said(n, played))
        else:
            jobs.start(begun.lane, call, self._background(n))
        self.tell(ToolStart(call, begun.lane))
        self._step.finished[n] = msgspec.structs.replace(begun, result=STARTED)

    async def _background(self, n: int) -> ToolRun:
        run = await self._whole_run(n, quiet=True)
        if run is None:
            lane = self._begun[n].lane
            raise TapeError(f"the background tool in lane {lane} waits for an approval, which it cannot")
        self.tell(self._end(n, run))
        return run

    def _end(self, n: int, run: ToolRun) -> ToolEnd:
        call = self._step.calls[n]
        return ToolEnd(call, result_of(call, run), run.lane, run.duration_s, self._played[n] is not None)

    def _all_said(self, n: int, played: ToolRun) -> tuple[Event, ...]:
        """What a tool that is played has said, and its end."""
        call = self._step.calls[n]
        said = (ToolProgress(call, played.lane, each.message, each.fraction, played=True) for each in played.progress)
        return (*said, self._end(n, played))

    async def _whole_run(self, n: int, *, quiet: bool = False) -> ToolRun | None:
        """Run a tool, or play it. None where an agent inside it waits for approvals."""
        call, begun = self._step.calls[n], self._begun[n]
        if not quiet:
            self.tell(ToolStart(call, begun.lane))
        if (played := self._played[n]) is not None:
            count_played(self._around(n).meter, self._playhead, begun.lane)
            for event in self._all_said(n, played)[:-1]:
                self.tell(event)
            return played
        sink: list[Callable[[str, float | None], None]] = []

        def progress(message: str, fraction: float | None) -> None:
            for record in sink:
                record(message, fraction)
            self.tell(ToolProgress(call, begun.lane, message, fraction))

        context = self._step.context(n, _reader=self._reader(begun.lane), _progress=progress)
        with self._inside(n), self._run.hooks.around_tool(self._run.info, call, begun.lane):
            try:
                return await self._playhead.run_tool(
                    begun, lambda: self._run_or_decide(n, context), progress=sink.append
                )
            except Waiting as waiting:
                self._step.pending[n] = waiting.pending
                return None

    @contextmanager
    def _inside(self, n: int, what: str = "") -> Generator[None]:
        """What runs in this block belongs to a call: it stands in its lane, and is counted.

        Args:
            what: a lane of its own below the call's.
        """
        with standing(self._playhead.opened, self._begun[n].lane + what), inside(self._around(n)):
            yield

    def _around(self, n: int) -> Around:
        """What runs inside a call know of this run."""
        if n not in self._arounds:
            lane = self._begun[n].lane

            def emit(event: Event) -> None:
                self.tell(event if isinstance(event, Nested) else Nested(lane, "", event))

            self._arounds[n] = self._run.around(lane, emit)
        return self._arounds[n]

    def _reader(self, lane: str) -> Callable[[str, Callable[[], Any]], Any]:
        return lambda name, make: read_now(self._playhead, name, make, lane)

    def _tool(self, n: int) -> AnyTool | None:
        """The tool that runs: another than the model called, where the call was repaired."""
        return self._toolbox.tools.get(self._step.name(n))

    def _look_up(self, n: int, begun: ToolRun) -> ToolRun | None:
        """The result from the tape, or None where the tool is to run, or what is in doubt is to be settled."""
        repaired = None if self._run.repair is None else self._playhead.peek(REPAIRED, lane=begun.lane)
        if (better := known_repair(self._step.calls[n], repaired)) is not None:
            self._step.named[n] = better.name
        tool, opened = self._tool(n), self._playhead.opened
        if begun.lane in self._step.said:
            return None  # The tape says that it was cut down, and what was said of it.
        if tool is not None and tool.approve is not False and self._playhead.recall(WANTED, lane=begun.lane):
            self._permits.asked.add(n)
            if opened.closed and self._playhead.peek(DECIDED, lane=begun.lane) is None:
                return None  # It waits, there as here.
        try:
            return self._playhead.played_tool(begun, tool.effect if tool else "read")
        except ToolInDoubt as doubt:
            if tool is not None and opened.closed and (tool.background or isinstance(tool, AgentTool)):
                if tool.background:
                    self._never_ended.add(n)
                return None
            if tool is not None and tool.reconcile is not None and not opened.closed:
                self._doubts[n] = doubt
                return None
            choice = opened.choice(doubt)
            if choice is None:
                raise
            if isinstance(choice, Skip):
                self._permits.decided[n] = msgspec.structs.replace(
                    begun, result=choice.result, is_error=choice.is_error
                )
            return None

    async def settle(self) -> None:
        """Let tools in doubt find out themselves what became of them.

        Raises:
            ToolInDoubt: one could not.
        """
        for n, doubt in self._doubts.items():
            if (found := await self._reconciled(n, doubt)) is not None:
                self._permits.decided[n] = found

    async def _reconciled(self, n: int, doubt: ToolInDoubt) -> ToolRun | None:
        """What became of a call that was cut down; None where it never happened."""
        begun, tool = self._begun[n], self._tool(n)
        assert tool is not None  # noqa: S101 - else it would not be settled here
        find_out = tool.reconcile
        assert find_out is not None  # noqa: S101 - the same
        try:
            arguments = find_out.select(bind(self._permits.as_it_ran(n), self._toolbox).arguments)
        except InvalidArguments:
            return None  # So it cannot have run.
        try:
            with self._inside(n):
                value = await invoke(find_out, arguments, self._step.context(n))
            if value is RERUN:
                return None
            return _with_value(begun, value)
        except Exception as error:
            doubt.add_note(f"Its reconcile function raised {type(error).__name__}: {error}")
            raise doubt from error

    async def _run_or_decide(self, n: int, context: Context[Any]) -> ToolRun:
        if n in self._permits.decided:
            return self._permits.decided[n]
        if self._is_second_handoff(n):
            return msgspec.structs.replace(self._begun[n], result=SECOND_HANDOFF, is_error=True)
        run = await self._execute(n, context)
        note_inside(self._around(n).meter, self._playhead, run.lane)
        if (changed := self._permits.changed.get(n)) is None:
            return run
        # The model would take the result for that of the call that it made.
        told = f"The call was approved with other arguments: {changed}\n{run.result}"
        return msgspec.structs.replace(run, result=told)

    async def _execute(self, n: int, context: Context[Any]) -> ToolRun:
        """Run a tool. Whatever goes wrong in it becomes an error result; only the tape's own errors leave."""
        begun = self._begun[n]
        try:
            if begun.name in self._toolbox.output_names:
                return self._output(n)
            if isinstance(ready := self._permits.bound[n], Exception):
                raise ready
            value = await execute(ready.tool, ready.arguments, context, lambda on: self._threaded(n, on))
            return _with_value(begun, value)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or self.over:
                raise
            while task.cancelling():  # It has cancelled its own task: that is its failure, and not the run's end.
                task.uncancel()
            text = "Error: the tool was cancelled by something inside it"
            return msgspec.structs.replace(begun, result=text, is_error=True)
        except Exception as error:
            return self._failed(n, error)

    def _failed(self, n: int, error: Exception) -> ToolRun:
        """What the model is told of an error in a tool. What it cannot mend is raised."""
        begun, tool = self._begun[n], self._tool(n)
        match error:
            case StopRun():
                return msgspec.structs.replace(begun, result=str(error), stop=error.text or "")
            case InvalidArguments() | ApprovalProblem():
                text = f"Error: {error}"
            case Waiting() if tool is not None and tool.background:
                text = "Error: an agent in it waits for approval of a tool call, which work in the background cannot."
            case Waiting() | TapeError() | ToolInDoubt() | Undecided() | MissingDependency():
                raise error  # A run inside the tool has left its tape, or waits.
            case LimitExceeded(around=True) if isinstance(tool, AgentTool):
                raise error  # It is this run that may not go on. When it is resumed, so is what is inside the tool.
            case _:
                text = error_text(error)
        return msgspec.structs.replace(begun, result=text, is_error=True)

    def _is_second_handoff(self, n: int) -> bool:
        handoffs, name = self._toolbox.handoffs, self._step.name
        return name(n) in handoffs and any(name(before) in handoffs for before in range(n))

    def _output(self, n: int) -> ToolRun:
        output, begun = self._toolbox.output, self._begun[n]
        assert output is not None  # noqa: S101 - else it has no names
        try:
            self._step.outputs[n] = output.parse_call(self._step.calls[n])
        except InvalidOutput as problem:
            return msgspec.structs.replace(begun, result=output.again(problem), is_error=True)
        except Exception as error:  # The user's own, which no answer of the model mends: it leaves the run.
            self._step.failures[n] = error
        return msgspec.structs.replace(begun, result="Taken as the final result.")

    def _threaded(self, n: int, working: bool) -> None:
        if working:
            self._step.on_threads.add(n)
        else:
            self._step.on_threads.discard(n)


def _with_value(begun: ToolRun, value: object) -> ToolRun:
    text, media = split_result(value)
    return msgspec.structs.replace(begun, result=text, media=tuple(msgspec.to_builtins(item) for item in media))
