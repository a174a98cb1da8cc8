"""A run while it happens: one implementation behind `run`, `run_sync`, `stream` and `stream_sync`."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from types import TracebackType
from typing import Self

from ..errors import CodecError, PlayheadError, ProviderError, RunError, StepLimit, TransportError
from ..events import Event, MessageEnd
from ..messages import Message, ModelRequest, ModelResponse, ProviderTool, Settings
from ..model import Model
from ..tape.playhead import Playhead
from .loop import answered, lanes_of, next_calls
from .result import RunResult, Step
from .toolbox import StepCalls, Toolbox

_CUT = "Error: the run ended before this tool had finished."


class Run:
    """A run while it happens: iterate over it for its events.

    Use it as an asynchronous context manager, so that leaving early cancels what is under way:

        async with agent.stream("...") as run:
            async for event in run: ...
        print(run.result.text)
    """

    def __init__(self, course: Course) -> None:
        self._course = course
        self._events: AsyncGenerator[Event] | None = None

    @property
    def result(self) -> RunResult:
        """The finished result.

        Raises:
            RunError: the run has not ended; `so_far` has what there is.
        """
        if self._course.result is None:
            raise RunError(
                "the run has not ended, so that it has no result yet: iterate over it to its end, or await "
                "run.finish(). `run.so_far` has what there is."
            )
        return self._course.result

    @property
    def so_far(self) -> RunResult:
        """The run as far as it came. Every tool call in its messages has a result."""
        return self._course.so_far

    async def finish(self) -> RunResult:
        """Go on to the end, whether or not anybody looks at the events."""
        async for _ in self:
            pass
        return self.result

    def __aiter__(self) -> AsyncIterator[Event]:
        if self._events is None:
            self._events = self._course.events()
        return self._events

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop what is under way, and put the tape in its place."""
        if self._events is not None:
            await self._events.aclose()


class Course:
    """What a run does. It does not know the `Run` that it is seen through: that one can be dropped in the middle, and
    what is under way is then closed from the outside in.

    Args:
        model: what is asked.
        toolbox: the tools, and how many run at the same time.
        messages: the conversation to begin with.
        settings: how answers are made.
        stream: whether answers are streamed.
        max_steps: model calls, at most.
        open_playhead: opens the tape; called when the run begins.
        provider_tools: what the provider may run itself.
        strict_settings: whether a setting that the provider does not know is an error.
    """

    def __init__(
        self,
        model: Model,
        toolbox: Toolbox,
        messages: tuple[Message, ...],
        settings: Settings,
        *,
        stream: bool,
        max_steps: int,
        open_playhead: Callable[[], Playhead],
        provider_tools: tuple[ProviderTool, ...] = (),
        strict_settings: bool = False,
    ) -> None:
        self._model = model
        self._toolbox = toolbox
        self._settings = settings
        self._stream = stream
        self._max_steps = max_steps
        self._open_playhead = open_playhead
        self._provider_tools = provider_tools
        self._strict_settings = strict_settings
        self._playhead: Playhead | None = None
        self._messages = messages
        self._steps: list[Step] = []
        self._warnings: dict[str, None] = {}
        self._calls: StepCalls | None = None
        self._stopped: str | None = None
        self.result: RunResult | None = None

    @property
    def so_far(self) -> RunResult:
        """The run as far as it came. Every tool call in its messages has a result."""
        messages, steps = self._messages, self._steps
        if steps and (calls := messages[-1].tool_calls):
            # Between the answer and the results: every call that was opened gets an end.
            open_step = self._calls or StepCalls(calls, ("",) * len(calls), 0, (), lambda: "")
            results = open_step.all_results(_CUT)
            messages, steps = (*messages, answered(results)), [*steps[:-1], Step(steps[-1].response, results)]
        playhead = self._playhead
        tape = playhead.tape() if playhead else None
        warnings = (*(playhead.warnings if playhead else ()), *self._warnings)
        return RunResult(messages, tuple(steps), tape, self._stopped, warnings)

    async def events(self) -> AsyncGenerator[Event]:
        """From the first event to the last; then `result` is there."""
        try:
            playhead = self._playhead = self._open_playhead()
        except PlayheadError as error:
            self._leave(error)
            raise
        try:
            async with aclosing(self._steps_of(playhead)) as events:
                async for event in events:
                    yield event
        except BaseException as error:
            self._leave(error)
            try:
                said = await playhead.close(whole=False)
            except PlayheadError as second:
                said = str(second)
            if said:
                error.add_note(said)
            raise
        try:
            await playhead.close(whole=True)
        except PlayheadError as error:
            self._leave(error)
            raise
        self.result = self.so_far

    def _leave(self, error: BaseException) -> None:
        """What leaves a run carries the run so far."""
        error.run = self.so_far  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
        head = self._playhead
        if head is None or not head.last_played or head.opened.options.faults is not None:
            return
        if isinstance(error, ProviderError | CodecError | TransportError):
            error.add_note(f"This was played from tape {head.name!r}; to ask again, record it anew.")

    async def _steps_of(self, playhead: Playhead) -> AsyncGenerator[Event]:
        own_id = uuid.uuid4().hex
        made = 0
        while True:
            async with aclosing(self._ask(playhead)) as events:
                async for event in events:
                    yield event
            response = self._steps[-1].response
            calls = next_calls(response)
            if not calls:
                return
            self._calls = step = StepCalls(
                calls,
                lanes_of(calls, playhead.lane, made),
                len(self._steps) - 1,
                self._messages,
                lambda: playhead.opened.id or own_id,
            )
            made += len(calls)
            async with aclosing(self._toolbox.run(step, playhead)) as tool_events:
                async for event in tool_events:
                    yield event
            self._calls, self._stopped = None, step.stopped
            self._messages = (*self._messages, answered(step.results))
            self._steps[-1] = Step(response, step.results)
            if self._stopped is not None:
                return
            if len(self._steps) >= self._max_steps:
                raise StepLimit(
                    f"the model still calls tools after {self._max_steps} steps. Raise max_steps if that is meant; "
                    "the run so far is in `error.run`."
                )

    async def _ask(self, playhead: Playhead) -> AsyncGenerator[Event]:
        specs = tuple(tool.spec for tool in self._toolbox.tools.values())
        asked = ModelRequest(
            self._model.id, self._messages, specs, self._settings, self._stream, self._provider_tools
        )
        request, encoded = self._model.encode(asked, strict_settings=self._strict_settings)
        self._warnings |= dict.fromkeys((*encoded.losses, *encoded.unsupported))
        async with aclosing(self._model.stream(request, playhead)) as events:
            async for event in events:
                if isinstance(event, MessageEnd):
                    self._answer(event.response)
                yield event

    def _answer(self, response: ModelResponse) -> None:
        self._messages = (*self._messages, response.message)
        self._steps.append(Step(response))
