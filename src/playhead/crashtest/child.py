"""One run of the agent in this process, with all that is tested real but the provider. The process is not to be used
for anything else afterwards."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, cast

import msgspec

from ..agent import agent as agent_module
from ..agent.agent import Agent
from ..agent.result import RunResult
from ..errors import ToolInDoubt, TransportError
from ..events import Event, MessageEnd, PartDelta, StreamReset, ToolEnd
from ..http import Request, Response, Transport
from ..tape import recorder
from ..tape.effects import Tape, ToolRun
from ..tape.open import open_tape, playhead_for
from ..tape.opened import Choice, OpenTape, Skip
from ..tape.playhead import Playhead
from ..tools import RERUN, AnyTool, Context, Tool
from .fate import Fate, watch
from .job import Job, Said
from .ledger import Ledger, Notes
from .reference import Provider, Reference


def perform(agent: Agent, job: Job, reference: Reference | None, truth: Tape | None) -> None:
    """Do a job, and write down what it came to.

    Args:
        reference: the recording that answers, where there is one.
        truth: a tape with the result of each tool.
    """
    said, loaded = Said(), set(sys.modules)
    try:
        if job.task == "run":
            assert reference is not None  # noqa: S101 - a run has one
            _Watched(agent, job, reference, truth).go(said)
        else:
            mode = "replay" if job.task == "replay" else "record"
            with open_tape(job.tape, mode) as tape:
                said.result = plain(asyncio.run(_follow(agent, job, tape, lambda _: None)))
    except BaseException as error:
        said.error = f"{type(error).__name__}: {error}"
        said.in_doubt = isinstance(error, ToolInDoubt)
        said.traceback = traceback.format_exc()
    said.modules = [name for name in sys.modules.keys() - loaded if name.partition(".")[0] in _ALWAYS_SAFE]
    new = job.said.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(said))
    new.replace(job.said)


_ALWAYS_SAFE = {"playhead", *sys.stdlib_module_names}
"""Packages whose modules do nothing when they are imported but to be there."""


def plain(result: RunResult) -> dict[str, Any]:
    """What of a result is the same in each run."""
    said = {
        "text": result.text,
        "finish_reason": result.finish_reason,
        "stopped": result.stopped,
        "messages": result.messages,
        "results": [step.results for step in result.steps],
        # Of the steps: what a call that was cut off took is in the ledger, and is nobody's promise.
        "usage": [step.response.usage for step in result.steps],
    }
    return cast("dict[str, Any]", msgspec.to_builtins(said))


async def _follow(agent: Agent, job: Job, tape: OpenTape, saw: Callable[[Event], None]) -> RunResult:
    if not job.stream:
        return await agent.run(job.prompt, tape=tape)
    async with agent.stream(job.prompt, tape=tape) as run:
        async for event in run:
            saw(event)
    return run.result


class _Watched:
    """A run whose calls, tools and events are noted in the ledger."""

    def __init__(self, agent: Agent, job: Job, reference: Reference, truth: Tape | None) -> None:
        self._agent = agent
        self._job = job
        self._reference = reference
        self._results = {run.lane: run for run in truth.tools} if truth else {}
        self._ledger = Ledger(job.ledger, job.attempt)
        self._fate = Fate(job.point, self._ledger)
        self._answer = 0

    def go(self, said: Said) -> None:
        """Run to the end, then play the tape again."""
        job, fate = self._job, self._fate
        watch(Path(job.tape), fate)
        _note_tools(self._ledger, fate)
        _give_id(job.tape_id)
        with open_tape(job.tape, "resume", in_doubt=self._settle) as tape:
            _answer_with(
                Provider(
                    self._reference,
                    tape.tape() or Tape(),
                    note=lambda key: self._ledger.note("asked", key=key),
                    between=lambda: fate.reach("piece"),
                )
            )
            said.result = plain(asyncio.run(_follow(self._agent, job, tape, self._saw)))
        fate.reach("place")
        fate.over = True
        said.counts = fate.counts
        _answer_with(_Nobody())
        with open_tape(job.tape, "replay") as tape:
            said.again = plain(asyncio.run(_follow(self._agent, job, tape, lambda _: None)))
            said.unplayed = len(tape.unplayed())

    def _saw(self, event: Event) -> None:
        note, answer = self._ledger.note, self._answer
        match event:
            case PartDelta(index=index, kind=kind, delta=delta):
                note("saw", key=f"{index} {kind}", text=delta, number=answer)
            case MessageEnd():
                note("whole", number=answer)
                self._answer += 1
            case StreamReset():
                note("reset", number=answer)
            case ToolEnd(result=result, lane=lane):
                note("result", lane=lane, text=result.text)
            case _:
                pass
        self._fate.reach("event")

    def _settle(self, doubt: ToolInDoubt) -> Choice | None:
        """A tool in doubt: what it gave, if it did its work; else it is run again. Whether a tool that was cut down
        in the middle has done its work, nobody knows: it has not come to its end, so that it is run again."""
        choice: Choice | None = "rerun"
        if Notes(self._job.ledger).tools("did")[doubt.lane]:
            gave = self._results.get(doubt.lane)
            sayable = gave is not None and gave.stop is None and not gave.media
            choice = Skip(gave.result, gave.is_error) if gave is not None and sayable else None
        decided = "stop" if choice is None else "rerun" if choice == "rerun" else "skip"
        self._ledger.note("settled", lane=doubt.lane, name=doubt.name, text=decided)
        return choice


_running: ContextVar[bool] = ContextVar("playhead_crashtest_running", default=False)
"""Whether a tool runs here for its result. Else it is a function that finds out what became of it."""


def _note_tools(ledger: Ledger, fate: Fate) -> None:
    """Note each tool that runs, whichever agent's it is."""
    run_tool = Playhead.run_tool
    invoke: Callable[[AnyTool, Mapping[str, object], Context], Any] = cast("Any", Tool).invoke

    @functools.wraps(run_tool)
    async def noted_run(self: Playhead, call: ToolRun, run: Callable[[], Awaitable[ToolRun]], **more: Any) -> ToolRun:
        token = _running.set(True)
        try:
            return await run_tool(self, call, run, **more)
        finally:
            _running.reset(token)

    def did(tool: AnyTool, context: Context, value: object) -> None:
        if _running.get():
            ledger.note("did", lane=context.lane, name=tool.name, effect=tool.effect)
            fate.reach("tool")
        else:
            ledger.note("reconciled", lane=context.lane, text="rerun" if value is RERUN else "skip")

    async def awaited(tool: AnyTool, context: Context, value: Awaitable[object]) -> object:
        try:
            given = await value
        except Exception as error:
            did(tool, context, error)
            raise
        did(tool, context, given)
        return given

    @functools.wraps(invoke)
    def noted(self: AnyTool, arguments: Mapping[str, object], context: Context) -> object:
        if _running.get():
            key = context.idempotency_key
            ledger.note("began", key=key, lane=context.lane, name=self.name, effect=self.effect)
        try:
            value = invoke(self, arguments, context)
        except Exception as error:
            did(self, context, error)
            raise
        if inspect.isawaitable(value):
            return awaited(self, context, value)
        did(self, context, value)
        return value

    cast("Any", Playhead).run_tool = noted_run
    cast("Any", Tool).invoke = noted


def _answer_with(provider: Transport) -> None:
    """Let a provider answer all agents of this process, whatever their own is."""

    def with_provider(source: Any, mode: Any, *_: Any) -> Playhead:
        return playhead_for(source, mode, provider)

    cast("Any", agent_module).playhead_for = with_provider


def _give_id(id: str | None) -> None:
    """Let tapes that begin here have a certain id."""
    new_meta = recorder.new_meta
    recorder.new_meta = lambda: new_meta() | ({"id": id} if id else {})


class _Nobody:
    """A provider that cannot be reached."""

    async def send(self, request: Request) -> Response:
        raise TransportError(f"nothing may go out here, and something did: {request.method} {request.url}")

    async def aclose(self) -> None:
        """Nothing is held."""
