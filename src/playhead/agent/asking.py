"""A run's model calls: what each attempt takes is counted, and the text that was heard is kept."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from ..events import Event, MessageEnd, MessageStart, PartDelta, StreamReset
from ..ledger import Meter
from ..messages import ModelRequest
from ..model import Model
from ..providers import resolve
from ..tape.playhead import Playhead
from .book import Book
from .calling import AttemptMade, Calling
from .gate import Gate
from .hooks import RunInfo
from .ledgering import attempt_made, count_superseded
from .outlets import Outlets
from .outputs import Wanted
from .spec import Spec
from .steering import NextStep


class Asking:
    """Asks models for a run.

    Args:
        book: is told of answers and of warnings.
        meter: counts what attempts take.
        gate: lets another attempt through, or does not.
        outlets: the way out.
        playhead: the run's.
        info: which run it is, for those who look on.
        stream: whether answers are streamed.

    Attributes:
        cut_short: whether the run that is played was ended from outside.
        elapsed: seconds that the run has taken, where they are limited.
    """

    def __init__(
        self,
        book: Book,
        meter: Meter,
        gate: Gate,
        outlets: Outlets,
        playhead: Playhead,
        info: RunInfo,
        *,
        stream: bool,
    ) -> None:
        self._book = book
        self._meter = meter
        self._gate = gate
        self._outlets = outlets
        self._playhead = playhead
        self._info = info
        self._stream = stream
        self._begin = time.monotonic()
        self._heard: list[str] = []
        self._tried = 0
        self._lane_counted = False
        self.cut_short: Callable[[], bool] = lambda: False
        self.elapsed: Callable[[], float | None] = lambda: None

    @property
    def heard(self) -> str:
        """The text of the answer under way."""
        return "".join(self._heard)

    async def ask(self, spec: Spec, step: NextStep[Any], wanted: Wanted) -> AsyncGenerator[Event]:
        """The events of one answer, and of the attempts at it.

        Raises:
            LimitExceeded: another attempt would go beyond a limit.
            ProviderError, TransportError, CodecError: no model has answered.
            TapeError: the tape cannot be used, or the run diverges from it.
        """
        first = step.model if isinstance(step.model, Model) else Model(*resolve(step.model))

        def attempted(made: AttemptMade) -> None:
            self._attempted(spec, made)

        def before(request: ModelRequest, model: Model) -> None:
            self._before(spec, request, model)

        calling = Calling(
            (first, *(model for model in spec.fallbacks if model is not first)),
            retry=spec.retry,
            timeouts=spec.timeouts,
            outlets=self._outlets,
            playhead=self._playhead,
            strict_settings=spec.strict_settings,
            on_attempt=attempted,
            before_attempt=before,
            limited=self._limited,
            cut_short=self.cut_short,
            clock=self._clock,
        )

        def request(model: Model) -> ModelRequest:
            return wanted.request(model, step.messages, step.settings, spec.provider_tools, stream=self._stream)

        self._tried = 0
        try:
            async with aclosing(calling.call(request)) as events:
                async for event in events:
                    self._listen(event)
                    yield event
                    if (partial := wanted.see(event)) is not None:
                        yield partial
        finally:
            self._book.warnings |= calling.warnings

    def _clock(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._begin

    def _listen(self, event: Event) -> None:
        match event:
            case PartDelta(kind="text", delta=delta):
                self._heard.append(delta)
            case MessageStart() | StreamReset():
                self._heard.clear()
            case MessageEnd(response):
                self._heard.clear()
                self._book.answer(response)
            case _:
                pass

    def _before(self, spec: Spec, request: ModelRequest, model: Model) -> None:
        self._tried += 1
        if self._tried > 1:  # The first try of a step has been looked at.
            self._limited()
        spec.hooks.request(self._info, request, model)

    def _limited(self) -> None:
        """Another attempt is about to be made: whether that is within the limits."""
        self._gate.call(self.elapsed(), step=False)

    def _attempted(self, spec: Spec, made: AttemptMade) -> None:
        if not self._lane_counted:  # The lane is settled now: what was asked there before counts, too.
            self._lane_counted = True
            count_superseded(self._meter, self._playhead)
        self._meter.add(attempt_made(made))
        spec.hooks.attempt(self._info, made)
