"""The steps of a run: a model call and its tool calls each, until the model has no more to do."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import msgspec

from ..errors import OutputError, PlayheadError, ProviderError, StepLimit
from ..events import Compacted, Event, HandedOff, StreamReset
from ..ledger import Meter, attempt_of
from ..messages import Message, ModelResponse, ToolCallPart, user
from ..model import Model
from ..output import InvalidOutput
from ..tape.playhead import Playhead
from .approvals import Approvals
from .around import Around
from .asking import Asking
from .background import Jobs, Later
from .batch import Surroundings, run_calls
from .book import Book
from .cancel import Cancel, Cancelling
from .compaction import compacted
from .gate import Gate
from .hooks import RunInfo
from .ledgering import Uncounted
from .loop import lanes_of, next_calls
from .outlets import Outlets
from .outputs import Wanted
from .pausing import Cancellation, calls_inside, note_cancelled, note_opening
from .preparing import Preparing
from .readings import Stopwatch
from .spec import Asked, Spec
from .steering import NextStep
from .summarising import summary_of
from .toolbox import CANCELLED, StepCalls, Toolbox


class Steps:
    """Makes the steps of a run.

    Args:
        spec: the agent.
        asked: what the run is given.
        book: keeps what it has come to.
        meter: counts what it takes.
        outlets: the way out.
        playhead: its place on the tape.
        info: which run it is.
        outside: the run inside whose tool it runs.
        stream: whether answers are streamed.

    Attributes:
        spec: the agent that has the conversation now.
    """

    def __init__(
        self,
        spec: Spec,
        asked: Asked,
        book: Book,
        meter: Meter,
        outlets: Outlets,
        playhead: Playhead,
        info: RunInfo,
        outside: Around | None,
        stream: bool,
    ) -> None:
        self.spec = spec
        self._asked = asked
        self._book = book
        self._meter = meter
        self._playhead = playhead
        self._info = info
        self._outside = outside
        self._stream = stream
        self._gate = Gate(meter, playhead, shared=asked.budget is not None or outside is not None)
        self._asking = Asking(book, meter, self._gate, outlets, playhead, info, stream=stream)
        self._uncounted = Uncounted(meter, playhead)
        self._watch = Stopwatch(playhead, time.monotonic)
        self._preparing = Preparing(asked, book, meter, playhead, self._watch)
        self._cut = Cancellation(playhead)
        self._jobs = Jobs()
        self._later = Later()
        self._ended = Cancel()
        self._slots = asyncio.Semaphore(spec.max_parallel_tools)
        self._tries = 0
        self._given = self._given_at = 0
        book.keep = self._cut.may_be_behind
        self._asking.cut_short = lambda: self._cut.place is not None
        self._asking.elapsed = lambda: self._watch.read_if_kept(again=True) if meter.timed else None
        self._own_id = uuid.uuid4().hex

    @property
    def heard(self) -> str:
        """The text of the answer under way."""
        return self._asking.heard

    @property
    def place(self) -> tuple[int, int]:
        """How often the conversation has changed, and how many events were given since."""
        changes = self._book.changes
        return changes, self._given if self._given_at == changes else 0

    async def let_go(self) -> None:
        """Stop what works in the background, and close what the agents' tools come from."""
        for name, lane in self._jobs.left:
            self._book.warnings[f"the background tool {name} ({lane}) had not ended when the run did"] = None
        if self._replays:
            self._count_cut_down(lane for _, lane in self._jobs.left)
        try:
            await self._jobs.cancel()
        finally:
            self._ended.cancel()
            await self._preparing.aclose()

    async def events(self, cancelling: Cancelling) -> AsyncGenerator[Event]:
        """The events of all steps.

        Args:
            cancelling: asked before each step whether it is to be the end.

        Raises:
            PlayheadError: the run cannot go on.
        """
        async with aclosing(self._all(cancelling)) as events:
            while True:
                changes, heard = self._book.changes, self.heard if self._replays else ""
                failure: Exception | None = None
                event: Event | None = None
                over = False
                try:
                    event = await anext(events)
                except StopAsyncIteration:
                    over = True
                except PlayheadError as error:
                    failure, over = error, True
                if event is not None:
                    self._given, self._given_at = self.place[1] + 1, self._book.changes
                if self._replays and self._was_cancelled_here(over, changes, heard):
                    return
                if failure is not None:
                    raise failure
                if event is not None:
                    yield event
                while self._later.events:
                    yield self._later.events.popleft()
                if over:
                    return

    @property
    def _replays(self) -> bool:
        return not self._playhead.growing

    def _was_cancelled_here(self, over: bool, changes: int, heard: str) -> bool:
        """Whether the recorded run was cancelled before this event, which follows. Then this one is, too. What the
        recorded run was waiting for has come by now, or is missing: both belong to it no more.

        Args:
            over: whether there is none, or something failed.
            changes: of the conversation, when the event was asked for.
            heard: the text of the answer under way then.
        """
        cut = self._cut.place
        if cut is None or not (self.place > cut or (over and self.place == cut)):
            return False
        self._book.back(cut[0])
        self._book.cancel(heard if changes == cut[0] else "", self._playhead.lane)
        return True

    async def _all(self, cancelling: Cancelling) -> AsyncGenerator[Event | None]:
        """The events of all steps; None where those of work in the background have come."""
        await self._preparing.begin(self.spec, anew=False)
        while not self._book.over:
            async with aclosing(self._step(cancelling)) as events:
                async for event in events:
                    yield event

    async def _step(self, cancelling: Cancelling) -> AsyncGenerator[Event | None]:
        book, number = self._book, len(self._book.steps)
        if self._cut.at(number, "before") is not None or cancelling.after_step:
            note_cancelled(self._playhead, number, "before", {})
            book.end("cancelled")
            return
        if number >= self.spec.max_steps:
            raise StepLimit(
                f"the model still calls tools after {self.spec.max_steps} steps. Raise max_steps if that is meant; "
                "the run so far is in `error.run`."
            )
        await self._deliver(wait=False)
        async with aclosing(self._compact(forced=False)) as events:
            async for event in events:
                yield event
        step, wanted = await self._preparing.step(self.spec, number)
        self._gate.call(await self._elapsed())
        async with aclosing(self._ask(step, wanted)) as events:
            async for event in events:
                yield event
        response = book.steps[-1].response
        calls = next_calls(response)
        if not calls:
            async with aclosing(self._conclude(response, wanted)) as events:
                async for event in events:
                    yield event
            return
        self._gate.tools(len(calls), await self._elapsed())
        async with aclosing(self._run_tools(response, calls, wanted)) as events:
            async for event in events:
                yield event

    def _count_cut_down(self, lanes: Iterable[str]) -> None:
        """Count the model calls of what is played as cut down: nothing of it runs here."""
        for number, call in calls_inside(self._playhead.tape() if self._replays else None, lanes):
            if (row := attempt_of(call, effect=number, played=True)) is not None:
                self._meter.add(row)

    async def _elapsed(self) -> float | None:
        return self._watch.read_if_kept() if self._meter.timed else None

    async def _ask(self, step: NextStep[Any], wanted: Wanted) -> AsyncGenerator[Event]:
        """Ask for an answer; where it is refused as too long, once more with a conversation that was made shorter."""
        shown = False
        try:
            async with aclosing(self._asking.ask(self.spec, step, wanted)) as events:
                async for event in events:
                    shown = True
                    yield event
            return
        except ProviderError as error:
            before = self._book.messages
            if error.kind != "context_length" or self.spec.compaction is None:
                raise
            refusal = error
        async with aclosing(self._compact(forced=True)) as events:
            async for event in events:
                yield event
        if self._book.messages == before:
            raise refusal
        if shown:
            yield StreamReset(str(refusal))
        self._gate.call(await self._elapsed(), step=False)
        async with aclosing(
            self._asking.ask(self.spec, step.replace(messages=self._book.messages), wanted)
        ) as events:
            async for event in events:
                yield event

    # What follows an answer.

    async def _conclude(self, response: ModelResponse, wanted: Wanted) -> AsyncGenerator[None]:
        """The model calls no tools: the run is over, unless something works in the background, or the output is not
        what was asked for."""
        while await self._jobs.until(self._later.wait):
            yield None
        if self._jobs and await self._deliver(wait=True):
            return
        if self.spec.output is None:
            self._book.typed = response.text
        else:
            try:
                self._book.typed = wanted.from_text(response)
            except InvalidOutput as problem:
                self._book.say(await self._kept(user(self._again(response, problem))))
                return
        self._book.end(None)

    def _again(self, response: ModelResponse, problem: InvalidOutput) -> str:
        """The output is not what was asked for: what the model is told of it, a bounded number of times.

        Raises:
            OutputError: it was told often enough.
        """
        output = self.spec.output
        assert output is not None  # noqa: S101 - else nothing is asked for
        self._tries += 1
        if self._tries > output.retries:
            raise OutputError(
                f"the model gave no {output.name} in {self._tries} tries: {'; '.join(problem.problems)}. What it "
                "said is in `error.text`; `Output(..., retries=)` allows more tries.",
                text=response.text or problem.text,
                problems=tuple(problem.problems),
            )
        return output.again(problem)

    def _played_output(self, call: ToolCallPart, wanted: Wanted) -> Any:
        """The output that a call gave when it was recorded.

        Raises:
            OutputError: it gives none any more: the type, or what checks it, is another now.
        """
        try:
            return wanted.from_call(call)
        except InvalidOutput as problem:
            raise OutputError(
                f"what was recorded as the result is none any more: {'; '.join(problem.problems)}. Record the tape "
                "anew, or play it with the output that it was recorded with.",
                text=problem.text,
                problems=problem.problems,
            ) from problem

    async def _kept(self, message: Message) -> Message:
        """A message that neither the user nor the model has said, as the tape has it."""
        made = msgspec.to_builtins(message)
        return msgspec.convert(await self._playhead.read("message", lambda: made), Message)

    async def _deliver(self, *, wait: bool) -> bool:
        """Tell the model of work in the background that has ended. Returns whether there was any."""
        if not self._jobs:
            return False

        async def ready() -> list[str]:
            return await self._jobs.ready(wait=wait)

        lanes = await self._playhead.read("background", ready)
        message, played = await self._jobs.take(list(lanes))
        for event in played:
            self._later.put(event)
        if message is not None:
            self._book.say(await self._kept(message))
        return message is not None

    async def _run_tools(
        self, response: ModelResponse, calls: tuple[ToolCallPart, ...], wanted: Wanted
    ) -> AsyncGenerator[Event | None]:
        book, playhead, number = self._book, self._playhead, len(self._book.steps) - 1
        said = self._cut.at(number, "tools")
        book.calls = made = StepCalls(
            calls,
            lanes_of(calls, playhead.lane, book.made),
            number,
            book.messages,
            lambda: playhead.opened.id or self._own_id,
            self._asked.deps,
            self.spec.name,
            lambda: self._meter.known_usage,
            said=said or {},
        )
        toolbox = Toolbox(
            wanted.tools,
            self.spec.output,
            wanted.output_names,
            response.finish_reason != "length",
            frozenset(each.tool.name for each in self.spec.handoffs),
        )
        async with aclosing(run_calls(toolbox, made, self._surroundings())) as events:
            async for event in events:
                yield event
        self._uncounted.count(made.lanes)
        self._count_cut_down(said or {})
        book.made += len(calls)
        if said is not None:
            book.close_step(made.all_results(CANCELLED))
            book.end("cancelled")
        elif made.pending:
            # The run ends here, and can be resumed from its tape alone.
            book.pending = tuple(approval for _, found in sorted(made.pending.items()) for approval in found)
            note_opening(playhead, self._asked, stream=self._stream)
            book.close_step(made.all_results())
            book.end("approval")
        else:
            book.close_step(made.results)
            async with aclosing(self._after_tools(response, made, wanted)) as events:
                async for event in events:
                    yield event

    async def _after_tools(
        self, response: ModelResponse, made: StepCalls, wanted: Wanted
    ) -> AsyncGenerator[Event | None]:
        """What the calls of a step may have changed: the output is there, the run stops, another agent goes on. None
        where events of work in the background have come."""
        book = self._book
        if (stopped := made.stopped) is not None:
            book.stopped = stopped
            if self.spec.output is None:
                book.typed = stopped or response.text
            book.end(None)
            return
        outputs = [n for n, call in enumerate(made.calls) if call.name in wanted.output_names]
        good = next((n for n in outputs if not made.finished[n].is_error), None)
        if good is not None:
            while await self._jobs.until(self._later.wait):
                yield None
            if self._jobs and await self._deliver(wait=True):
                return  # As where the output is an answer without calls: the model is told first.
            if good in made.failures:
                raise made.failures[good]
            book.typed = made.outputs[good] if good in made.outputs else self._played_output(made.calls[good], wanted)
            book.end(None)
            return
        if outputs:
            call = made.calls[outputs[0]]
            self._again(response, InvalidOutput([made.finished[outputs[0]].result], text=call.arguments))
        for n in range(len(made.calls)):
            target = next((each for each in self.spec.handoffs if each.tool.name == made.name(n)), None)
            if target is not None and not made.finished[n].is_error:
                yield HandedOff(self.spec.name, target.spec.name)
                await self._hand_over(target.spec)
                break
        reason = await self._preparing.stop_reason(self.spec)
        if reason is not None:
            book.stopped = reason
            book.end("stopped")

    async def _hand_over(self, spec: Spec) -> None:
        self.spec = replace(spec, hooks=self.spec.hooks)  # Who looks on looks at the whole run.
        await self._preparing.begin(self.spec, anew=True)

    # What runs inside this run.

    def _approvals(self) -> Approvals | None:
        given, outside = self._asked.approvals, self._outside
        return outside.approvals if given is None and outside is not None else given

    def _around(self, lane: str, emit: Callable[[Event], None]) -> Around:
        """What a run inside this one knows of it. What it takes is counted here, too."""
        meter = self._meter.child(began_s=self._meter.seconds)
        hooks, deps = self.spec.hooks, self._asked.deps
        return Around(self._info, hooks, meter, emit, lane, self._stream, self._approvals(), deps, self._ended)

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            playhead=self._playhead,
            slots=self._slots,
            jobs=self._jobs,
            around=self._around,
            info=self._info,
            hooks=self.spec.hooks,
            approvals=self._approvals(),
            repair=self.spec.repair,
            late=self._later.put,
        )

    # A conversation that grows too long.

    async def _compact(self, *, forced: bool) -> AsyncGenerator[Event]:
        """Make the conversation shorter where that is due. What stands instead is on the tape."""
        compaction, playhead = self.spec.compaction, self._playhead
        book = self._book
        if compaction is None or not (forced or compaction.due(book.last, self.spec.model, book.messages)):
            return

        async def summarise(messages: tuple[Message, ...], model: Model | str | None) -> str:
            around = self._around(playhead.lane, self._later.put)
            return await summary_of(messages, model, self.spec, playhead, around)

        before = self._book.messages
        self._book.messages, summary = await compacted(compaction, before, playhead, summarise)
        if self._book.messages != before:
            yield Compacted(len(before), len(self._book.messages), summary)
