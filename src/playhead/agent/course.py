"""A run from its first event to its last: who may end it, who looks on, and what leaves it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from typing import Any

from ..errors import CodecError, PlayheadError, ProviderError, TransportError
from ..events import Event
from ..ledger import Meter
from ..tape.playhead import Playhead
from .around import around
from .book import Book
from .cancel import Cancelling
from .hooks import RunInfo
from .logs import with_logging
from .loop import opening
from .outlets import Outlets
from .pausing import note_cancelled
from .result import RunResult
from .spec import Asked, Spec
from .steps import Steps


class Course:
    """What a run does. It does not know the `Run` that it is seen through: that one can be dropped in the middle, and
    what is under way is then closed from the outside in.

    Args:
        spec: the agent.
        asked: what the run is given.
        stream: whether answers are streamed.
        open_playhead: opens the tape; called when the run begins, with what sends requests.

    Attributes:
        result: what the run has come to, once it has ended.
    """

    def __init__(
        self, spec: Spec, asked: Asked, *, stream: bool, open_playhead: Callable[[Outlets], Playhead]
    ) -> None:
        self._around = around()
        outside = self._around
        watching = spec.hooks or (outside.hooks if outside else spec.hooks)
        self.spec = spec = replace(spec, hooks=with_logging(watching))
        self.asked = asked
        self.stream = stream
        self.cancelling = Cancelling()
        self.result: RunResult[Any] | None = None
        self._open_playhead = open_playhead
        self._outlets = Outlets(spec.transport, spec.timeouts)
        self._book = Book(opening(asked.prompt, asked.messages))
        self._meter = self._new_meter()
        self._steps: Steps | None = None
        self._playhead: Playhead | None = None

    @property
    def so_far(self) -> RunResult[Any]:
        """The run as far as it came. Every tool call in its messages has a result."""
        playhead, agent = self._playhead, self._steps.spec if self._steps else self.spec
        tape, warnings = (playhead.tape(), playhead.warnings) if playhead else (None, ())
        return self._book.result(tape, warnings, self._meter.ledger, agent.name)

    async def events(self) -> AsyncGenerator[Event]:
        """From the first event to the last; then `result` is there."""
        try:
            playhead = self._playhead = self._open_playhead(self._outlets)
        except PlayheadError as error:
            self._leave(error)
            raise
        info = self._info(playhead)
        steps = self._steps = Steps(
            self.spec, self.asked, self._book, self._meter, self._outlets, playhead, info, self._around, self.stream
        )
        with self._told(info):
            try:
                async with aclosing(self._until_cancelled(playhead, steps)) as events:
                    async for event in events:
                        self.spec.hooks.event(info, event)
                        yield event
                await steps.let_go()
            except BaseException as error:
                try:
                    await steps.let_go()
                except Exception as second:
                    error.add_note(f"What its tools come from could not be closed: {type(second).__name__}: {second}")
                finally:
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

    async def _until_cancelled(self, playhead: Playhead, steps: Steps) -> AsyncGenerator[Event]:
        cancelling, book = self.cancelling, self._book
        async with aclosing(steps.events(cancelling)) as events:
            while not cancelling.now:
                event = None
                with cancelling:
                    event = await anext(events, None)
                if event is None:
                    break
                yield event
        if cancelling.now and not book.over:
            place, heard = steps.place, steps.heard
            note_cancelled(playhead, *book.cancel(heard, playhead.lane), place, heard)

    @contextmanager
    def _told(self, info: RunInfo) -> Generator[None]:
        """Those who look on are told of the run's beginning and its end; who may cancel it knows of it meanwhile."""
        hooks, outside = self.spec.hooks, self._around
        cancels = [cancel for cancel in (self.asked.cancel, outside.cancel if outside else None) if cancel]
        for cancel in cancels:
            cancel.enrol(self.cancelling)
        hooks.run_start(info)
        failure: BaseException | None = None
        try:
            yield
        except BaseException as error:
            failure = error
            raise
        finally:
            for cancel in cancels:
                cancel.leave(self.cancelling)
            if hooks:
                hooks.run_end(info, self.so_far, failure)

    def _leave(self, error: BaseException) -> None:
        """What leaves a run carries the run so far."""
        error.run = self.so_far  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
        head = self._playhead
        if head is None or not head.last_played or head.opened.options.faults is not None:
            return
        if isinstance(error, ProviderError | CodecError | TransportError):
            error.add_note(f"This was played from tape {head.name!r}; to ask again, record it anew.")

    def _new_meter(self) -> Meter:
        """Counts for this run, and for the one around it and the budget that it shares."""
        limits, budget = self.asked.limits or self.spec.limits, self.asked.budget
        if self._around is not None:
            return self._around.meter.child(limits, began_s=self._around.meter.seconds, budget=budget)
        return Meter(limits) if budget is None else budget.child(limits)

    def _info(self, playhead: Playhead) -> RunInfo:
        info = RunInfo(
            agent=self.spec.name,
            lane=playhead.lane,
            model=self.spec.model.name,
            tape=playhead.name or None,
            stream=self.stream,
            conversation=self.asked.conversation,
        )
        return replace(info, parent=self._around.info) if self._around else info
