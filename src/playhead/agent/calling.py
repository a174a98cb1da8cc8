"""One model call: several attempts, of one model and then of its fallbacks, and what came of each."""

from __future__ import annotations

import asyncio
import math
import random as _random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from ..errors import CodecError, ConfigError, PlayheadError, ProviderError, TapeError, TransportError
from ..events import AttemptFailed, Event, MessageEnd, MessageEvent, PartDelta, PartEnd, PartStart, StreamReset
from ..http import Request
from ..messages import ModelRequest, ModelResponse, ReasoningPart, ToolCallPart
from ..model import Model, Watch
from ..retry import Retry, Timeouts, helped_elsewhere, kind_of
from ..tape.playhead import Playhead
from .outlets import Outlets

T = TypeVar("T")

_NEVER = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptMade:
    """An attempt that has ended, well or not. What could not be sent at all is none.

    Attributes:
        model: what was asked.
        response: the whole answer, where one came.
        error: how it failed; of an attempt that was cut down in the middle, what did it.
        partial: what came of an answer that is not whole.
        effect: the interaction's number on the tape; None where nothing is kept.
        played: whether it came from the tape.
        cut: whether it was cut down from outside, here or when it was recorded.
        lane: the run's.
        started_s: seconds since the run began.
        duration_s: seconds that it took, as this run saw it.
    """

    model: Model
    response: ModelResponse | None = None
    error: BaseException | None = None
    partial: ModelResponse | None = None
    effect: int | None = None
    played: bool = False
    cut: bool = False
    lane: str = ""
    started_s: float = 0.0
    duration_s: float = 0.0


class Calling:
    """Asks a model, again where that may help, and then its fallbacks.

    Which attempt follows depends on the errors alone, as they are on the tape: a replay takes the same way, and waits
    for nothing.

    Args:
        models: the model, then its fallbacks.
        retry: how often each is asked, and how long is waited before.
        timeouts: how long a provider may take. What is played from the tape takes as long as it takes.
        outlets: the way out, which is told what model is asked.
        playhead: the run's; what is ahead of it goes out through `outlets`.
        strict_settings: whether a setting that a provider does not know is an error.
        on_attempt: told of each attempt once it has ended.
        before_attempt: told of each request before it is asked; what it raises ends the call.
        limited: raises `LimitExceeded` where no other attempt may be made.
        cut_short: whether the run that is played was ended from outside, and not by an error on its tape.
        clock: seconds since the run began.
        sleep: waits for some seconds.
        random: draws a number from 0 to 1.

    Attributes:
        warnings: what providers could not be told, one sentence each, in order.
    """

    def __init__(
        self,
        models: Sequence[Model],
        *,
        retry: Retry,
        timeouts: Timeouts,
        outlets: Outlets,
        playhead: Playhead,
        strict_settings: bool = False,
        on_attempt: Callable[[AttemptMade], None] = lambda _: None,
        before_attempt: Callable[[ModelRequest, Model], None] = lambda _request, _model: None,
        limited: Callable[[], None] = lambda: None,
        cut_short: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[], float] = _random.random,
    ) -> None:
        if not models:
            raise ConfigError("there is no model to ask")
        begin = time.monotonic()
        self.warnings: dict[str, None] = {}
        self._models = tuple(models)
        self._retry = retry
        self._timeouts = timeouts
        self._outlets = outlets
        self._playhead = playhead
        self._strict_settings = strict_settings
        self._on_attempt = on_attempt
        self._before_attempt = before_attempt
        self._limited = limited
        self._cut_short = cut_short
        self._clock = clock or (lambda: time.monotonic() - begin)
        self._sleep = sleep
        self._random = random

    async def call(self, ask: Callable[[Model], ModelRequest]) -> AsyncGenerator[Event]:
        """One answer: the events of each attempt; between two of them `AttemptFailed`, and `StreamReset` where a part
        of the answer had been given. It ends with `MessageEnd`.

        Args:
            ask: what a model is asked. It is called again for each attempt, and should give the same each time.

        Raises:
            ProviderError, TransportError, CodecError: the last attempt's; its notes tell of the earlier ones.
            TapeError: the tape cannot be used, or the run diverges from it.
            ConfigError: something is missing, such as a key.
        """
        place, n = 0, 0
        earlier: list[tuple[Model, PlayheadError]] = []
        while True:
            model, shown = self._models[place], False
            self._outlets.use(model)
            attempt: _Attempt | None = None
            try:
                asked, request = self._encoded(model, ask)
                patience = _Patience(model, asked.stream, self._timeouts, self._playhead)
                with _Attempt(model, patience, self._playhead, self._clock, self._on_attempt) as attempt:
                    async with aclosing(model.stream(request, self._playhead, patience)) as events:
                        async for event in events:
                            if isinstance(event, MessageEnd):
                                attempt.end(event.response)
                            shown = True
                            yield event
                return
            except (ProviderError, TransportError, CodecError) as error:
                n += 1
                failure, following = error, self._following(error, place, n, sent=attempt is not None)
                if following and attempt is not None and self._tape_ends_here() and self._sends(following[0], ask):
                    following = None
                if following is None:
                    _tell(error, earlier)
                    raise
            except PlayheadError as error:
                _tell(error, earlier)
                raise
            to, longest, wait = following
            earlier.append((model, failure))
            yield AttemptFailed(str(failure), kind_of(failure), model.name, self._models[to].name, longest)
            if shown:
                yield StreamReset(str(failure))
            if wait:
                await self._sleep(wait)
            n = n if to == place else 0
            place = to

    def _encoded(self, model: Model, ask: Callable[[Model], ModelRequest]) -> tuple[ModelRequest, Request]:
        asked = ask(model)
        request, encoded = model.encode(asked, strict_settings=self._strict_settings)
        self.warnings |= dict.fromkeys((*encoded.losses, *encoded.unsupported))
        self._before_attempt(asked, model)
        return asked, request

    def _following(self, error: PlayheadError, place: int, n: int, *, sent: bool) -> tuple[int, float, float] | None:
        """The place of the model that is asked next, the seconds that are waited at most, and those that are waited
        now; None where nobody is asked."""
        longest = self._retry.bound(n, error)
        if longest is not None:
            played = sent and self._playhead.last_played
            return place, longest, 0.0 if played else self._retry.wait(n, error, self._random) or 0.0
        if place + 1 < len(self._models) and helped_elsewhere(error):
            return place + 1, 0.0, 0.0
        return None

    def _sends(self, place: int, ask: Callable[[Model], ModelRequest]) -> bool:
        """Whether another attempt would be sent. If not, that is how the run that is played has ended, and the tape
        says nothing of it."""
        model = self._models[place]
        try:
            self._limited()
            model.encode(ask(model), strict_settings=self._strict_settings)
        except PlayheadError:
            return False
        return True

    def _tape_ends_here(self) -> bool:
        """Whether what failed was played from a tape that holds no more of this run and may not grow: then the run
        that was recorded ended with this error, and so does this one."""
        playhead = self._playhead
        if playhead.growing or not playhead.last_played or playhead.opened.options.faults is not None:
            return False
        return not self._cut_short() and not playhead.opened.goes_on(playhead.lane)


class _Attempt:
    """One attempt, from its request to its end, which is told once."""

    def __init__(
        self,
        model: Model,
        patience: _Patience,
        playhead: Playhead,
        clock: Callable[[], float],
        tell: Callable[[AttemptMade], None],
    ) -> None:
        self._model = model
        self._patience = patience
        self._playhead = playhead
        self._clock = clock
        self._tell: Callable[[AttemptMade], None] | None = tell
        self._started_s = clock()

    def end(self, response: ModelResponse) -> None:
        """The answer is whole."""
        self._over(response, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._patience.close()
        if isinstance(error, ConfigError) or (isinstance(error, TapeError) and self._patience.decoder is None):
            return  # Nothing was sent.
        self._over(None, error)

    def _over(self, response: ModelResponse | None, error: BaseException | None) -> None:
        tell, self._tell = self._tell, None
        if tell is None:
            return
        playhead = self._playhead
        decoder = self._patience.decoder
        cut = response is None and (playhead.last_cut or not isinstance(error, PlayheadError))
        if cut and not playhead.last_cut and decoder is not None and decoder.whole:
            response, error, cut = decoder.so_far, None, False  # The tape has all of it, too.
        tell(
            AttemptMade(
                model=self._model,
                response=response,
                error=error,
                partial=None if response is not None or decoder is None else decoder.so_far,
                effect=playhead.last_effect,
                played=playhead.last_played,
                cut=cut,
                lane=playhead.lane,
                started_s=self._started_s,
                duration_s=self._clock() - self._started_s,
            )
        )


class _Patience(Watch):
    """Gives up on an answer that takes too long. Only the time counts in which the provider is waited for.

    A give-up is on the tape as a `TransportError` before anything is cancelled, so that a replay meets it in the same
    place. There is one timer, set anew when it goes off too early and not at each event: an event costs next to
    nothing.
    """

    def __init__(self, model: Model, stream: bool, timeouts: Timeouts, playhead: Playhead) -> None:
        self._model = model
        self._stream = stream
        self._timeouts = timeouts
        self._playhead = playhead
        self._first = timeouts.first_s is not None and stream  # That limit counts, until the first event.
        self._shows = False
        self._under_way: int | None = None
        self._silence_s = self._allowed()[0]
        self._attempt_s = _NEVER if timeouts.attempt_s is None else timeouts.attempt_s
        self._quiet_s = 0.0
        self._waited_s = 0.0
        self._since = 0.0
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._rings = _NEVER
        self._error: PlayheadError | None = None

    async def over(self, coming: Awaitable[T]) -> T:
        """Wait for the provider, unless that takes too long."""
        task = asyncio.current_task(self._loop)
        if task is None or (self.decoder is not None and not self._counts()):
            return await coming
        cancelling, self._task = task.cancelling(), task
        self._since = since = self._loop.time()
        due = since + min(self._silence_s - self._quiet_s, self._attempt_s - self._waited_s)
        if due < self._rings:
            self._set(due)
        try:
            came = await coming
        except BaseException as error:
            self._task = None
            if self._error is None:
                raise
            if task.uncancel() > cancelling and isinstance(error, asyncio.CancelledError):
                raise  # Somebody else cancels as well.
            raise self._error from None
        self._task = None
        if self._error is not None:  # It came although it was cancelled; the tape says that it did not.
            task.uncancel()
            raise self._error
        if self.decoder is None:
            self._passed()
        return came

    def saw(self, events: Sequence[MessageEvent]) -> None:
        """A sign of life, unless there is no event in it."""
        if not events or self._attempt_s != _NEVER:
            self._passed()
        if not events:
            return
        self._quiet_s = 0.0
        shows, first = self._shows, self._first
        for event in events:
            kind = type(event)
            if kind is PartDelta:
                continue
            if isinstance(event, PartStart):
                self._under_way = event.index
                self._shows = not isinstance(event.part, ReasoningPart | ToolCallPart)
            elif isinstance(event, PartEnd) and event.index == self._under_way:
                self._shows = not isinstance(event.part, ReasoningPart)
        self._first = False
        if first or shows is not self._shows:
            self._silence_s = self._allowed()[0]

    def close(self) -> None:
        """It is over."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _counts(self) -> bool:
        """Whether time counts: not behind the playhead, but where a fault holds up what is played."""
        return not self._playhead.last_played or self._playhead.opened.options.faults is not None

    def _allowed(self) -> tuple[float, str]:
        """The seconds of silence that are allowed now, and the name of that limit."""
        limits = self._timeouts
        if self._first:
            allowed, name = limits.first_s, "first_s"
        elif self._stream and self._shows:
            allowed, name = limits.stall_s, "stall_s"
        else:
            allowed, name = limits.thinking_s, "thinking_s"
        return _NEVER if allowed is None else allowed, name

    def _set(self, when: float) -> None:
        """See to it that the timer goes off by then."""
        if self._timer is not None:
            self._timer.cancel()
        self._rings, self._timer = when, self._loop.call_at(when, self._look)

    def _look(self) -> None:
        """The timer went off: for this wait, or for one that is over."""
        self._rings, self._timer = _NEVER, None
        if self._task is None or not self._counts():
            return
        silence, attempt = self._silence_s - self._quiet_s, self._attempt_s - self._waited_s
        due = self._since + min(silence, attempt)
        if self._loop.time() < due:
            if due < _NEVER:
                self._set(due)
            return
        allowed, name = self._allowed() if silence <= attempt else (self._attempt_s, "attempt_s")
        self._error = self._too_long(allowed, name)
        try:
            self._playhead.abandon(self._error)
        except PlayheadError as error:  # The tape cannot be written.
            self._error = error
        self._task.cancel()

    def _too_long(self, allowed: float, name: str) -> TransportError:
        whole = name == "attempt_s" or not self._stream
        what = "has not answered in full within" if whole else "has sent no event for"
        advice = f"Ask again, or allow more with Timeouts({name}=...)."
        return TransportError(f"{self._model.name} {what} {allowed:g} s. {advice}", kind="timeout")

    def _passed(self) -> None:
        """A wait is over that brought no event, or all of them count."""
        waited = self._loop.time() - self._since
        self._quiet_s += waited
        self._waited_s += waited


def _tell(error: PlayheadError, earlier: Sequence[tuple[Model, PlayheadError]]) -> None:
    """What leaves a call tells of the attempts before it."""
    for n, (model, before) in enumerate(earlier):
        error.add_note(f"Attempt {n + 1} asked {model.name}: {before}")
