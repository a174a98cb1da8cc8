"""
The playhead: behind it effects are played from the tape, ahead of it they happen and are recorded.

It is a transport around a transport for what goes over HTTP, and a gate for tools. Each run has one of its own; the
tape that it moves along may be shared.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

from ..errors import ConfigError, TapeError, TransportError
from ..http import Request, Response, Transport
from .effects import ROOT, Reading, Tape, ToolRun
from .opened import OpenTape
from .playing import play
from .recorder import CallRecording
from .redact import REDACTED


class Playhead:
    """A run's position on a tape.

    Args:
        tape: what it moves along.
        inner: what answers ahead of the playhead.
        ready: called before anything goes out; raises where it cannot (a missing key).
        base: the lane that the run stands in. Of several runs there, the first has this lane for its own.
        owner: whether the tape is this run's alone, and is closed with it.

    Attributes:
        last_played: whether the last response came from the tape.
        last_cut: whether it did, and the recording stops in the middle of it.
        last_effect: the number of the interaction that was sent or played last; None where nothing is kept, and where
            a fault answered.
    """

    def __init__(
        self,
        tape: OpenTape,
        inner: Transport | None,
        ready: Callable[[], None] = lambda: None,
        *,
        base: str = ROOT,
        owner: bool = True,
    ) -> None:
        self.opened = tape
        self.last_played = self.last_cut = False
        self.last_effect: int | None = None
        self._recording: CallRecording | None = None
        self._inner = inner
        self._ready = ready
        self._base = base
        self._lane: str | None = None
        self._owner = owner
        self._warned = () if owner else tape.warnings
        faults, sender = tape.options.faults, _Sender(self._played_or_sent)
        self._sender: Transport = sender if faults is None else faults.around(sender)

    @property
    def lane(self) -> str:
        """That of the run's own model calls; it is settled when the first one is made."""
        return self._lane or self._base

    @property
    def name(self) -> str:
        """The tape's name, for messages."""
        return self.opened.name

    @property
    def growing(self) -> bool:
        """Whether something may happen ahead of the playhead."""
        return not self.opened.closed

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the run should be told of its tape."""
        tape = self.opened
        return tuple(warning for warning in (*tape.warnings, *tape.drifts) if warning not in self._warned)

    def tape(self) -> Tape | None:
        """What is on the tape by now; None where nothing is kept."""
        return self.opened.tape()

    async def send(self, request: Request) -> Response:
        """Play the response from the tape, or let the request happen and record it.

        Raises:
            Divergence: the tape holds another request at this place, or has ended and may not grow.
        """
        self.last_played = self.last_cut = False  # What a fault answers was not played.
        self.last_effect = self._recording = None
        return await self._sender.send(request)

    async def _played_or_sent(self, request: Request) -> Response:
        tape = self.opened
        asked = tape.redacted(request)
        if self._lane is None:
            self._lane, found = tape.begin(self._base, asked)
        else:
            found = tape.find_numbered(self._lane, asked)
        self.last_played = found is not None
        self.last_cut = found is not None and found[1].ended == "interrupted" and found[1].outcome is None
        if found is not None:
            self.last_effect, recorded = found
            return await play(recorded, tape.options.speed, tape.options.cut)
        if self._inner is None:
            raise TransportError("there is no transport: nothing can be sent")
        self._ready()
        recording = tape.record(self._lane, asked)
        if recording is None:
            return await self._inner.send(request)
        self.last_effect, self._recording = recording.n, recording
        return await sent_and_recorded(self._inner, request, recording)

    def abandon(self, error: TransportError) -> None:
        """Give up on the call under way: on the tape it ends as failed with `error`, and a replay raises the same.

        It works before the response's headers are there and while its body is read. It must be called before `send`,
        or the read that waits, is cancelled, and before the response is closed: of several ends the first counts, and
        what is cancelled is `interrupted`. So a time limit goes like this:

            task = asyncio.ensure_future(playhead.send(request))
            done, _ = await asyncio.wait({task}, timeout=limit)
            if not done:
                playhead.abandon(error)
                task.cancel()

        Nothing changes where no call is under way, where it was played, or where it has ended.
        """
        if self._recording is not None:
            self._recording.abandon(error)

    async def read(self, name: str, make: Callable[[], Any | Awaitable[Any]], *, lane: str | None = None) -> Any:
        """Something from outside of the run: the recorded value, or else what `make` gives, which is recorded.

        Work that goes on at the same time reads in lanes of its own: in one lane, values of one name are played in
        the order in which they were recorded.

        Args:
            name: what is read.
            make: reads it; may be a coroutine function. It gives plain JSON data.
            lane: the run's where it is left out.

        Returns:
            The value as JSON has it, live as in a replay: a tuple is a list.

        Raises:
            Divergence: the tape holds none, and may not grow.
            ConfigError: the value is no plain JSON data.
        """
        where = lane or self.lane
        found = self.opened.find_reading(where, name)
        if found is not None:
            return plain(found.value, name)
        if self.opened.closed:
            raise self.opened.no_reading(where, name)
        value = make()
        if inspect.isawaitable(value):
            value = await value
        value = plain(value, name)
        if self.opened.keeps_readings(where):
            self.note(name, value, lane=where)
        return value

    def recall(self, name: str, *, lane: str | None = None) -> Any | None:
        """The next recorded value of `name`, which counts as played then; None where there is none. Nothing is
        recorded."""
        return _value(self.opened.find_reading(lane or self.lane, name))

    def peek(self, name: str, *, lane: str | None = None) -> Any | None:
        """The next recorded value of `name`, which stays the next one; None where there is none."""
        return _value(self.opened.peek_reading(lane or self.lane, name))

    def note(self, name: str, value: Any, *, lane: str | None = None) -> None:
        """Record something from outside of the run. Where the tape may not grow, nothing is recorded.

        Raises:
            ConfigError: the value is no plain JSON data.
        """
        self.opened.record_reading(lane or self.lane, name, plain(value, name))

    def played_tool(self, call: ToolRun, effect: str) -> ToolRun | None:
        """The result of a tool from the tape, or None where the tool is to run. See `OpenTape.find_tool`."""
        played = self.opened.find_tool(call, effect)
        if played is None and self.last_played and REDACTED in call.arguments and self.opened.keeps_tools(self.lane):
            raise TapeError(
                f"tape {self.name!r}: tool {call.name} in lane {call.lane} is to run with arguments that were "
                f"redacted when its call was recorded: {call.arguments}. What was taken out cannot be known any "
                "more: record the tape anew."
            )
        return played

    async def run_tool(
        self,
        call: ToolRun,
        run: Callable[[], Awaitable[ToolRun]],
        *,
        progress: Callable[[Callable[[str, float | None], None]], None] | None = None,
    ) -> ToolRun:
        """Run a tool, and record it.

        Args:
            call: the lane, the name and the arguments.
            run: runs the tool and gives `call` with its result.
            progress: handed, before the tool runs, the function that records what the tool says of its progress: a
                message, and the fraction of the work that is done. It may be called on any thread. Where nothing is
                kept, none is handed.
        """
        recording = self.opened.record_tool(call, self.lane)
        if recording is None:
            return await run()
        if progress is not None:
            progress(recording.progress)
        return recording.end(await run())

    async def close(self, *, whole: bool) -> str | None:
        """Let go of the transport, and put the tape's file in its place if it is this run's.

        Args:
            whole: whether the run came to its end.

        Returns:
            What there is to say of the file, if anything.
        """
        said = None
        try:
            await self._sender.aclose()  # It may still be reading what a fault kept from its reader.
            if self._inner is not None:
                await self._inner.aclose()
        finally:
            if self._owner:
                said = self.opened.close(whole=whole)
        return said

    async def aclose(self) -> None:
        """Let go of everything, as a transport does."""
        await self.close(whole=True)


def plain(value: Any, name: str = "") -> Any:
    """The value as it is once it was written as JSON and read again.

    Raises:
        ConfigError: it is no plain JSON data.
    """
    try:
        return msgspec.json.decode(msgspec.json.encode(value))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ConfigError(
            f"reading {name!r} should be plain JSON data (objects, arrays, texts, numbers, true, false, null), but is"
            f" a {type(value).__name__} that JSON cannot say: {error}"
        ) from error


def _value(found: Reading | None) -> Any | None:
    return None if found is None else plain(found.value, found.name)


class _Sender:
    """A function as a transport."""

    def __init__(self, send: Callable[[Request], Awaitable[Response]]) -> None:
        self._send = send

    async def send(self, request: Request) -> Response:
        """Call the function."""
        return await self._send(request)

    async def aclose(self) -> None:
        """Nothing is held."""


async def sent_and_recorded(inner: Transport, request: Request, call: CallRecording) -> Response:
    """Send a request, and record its response while it is read.

    Raises:
        TransportError: no answer came; that is recorded, too.
        TapeError: the tape cannot be written.
    """
    try:
        response = await inner.send(request)
    except TransportError as error:
        call.end("failed", {"kind": error.kind, "message": str(error)})
        raise
    except ConfigError as error:  # There are no credentials: nothing was sent, so that nothing is in doubt.
        call.end("failed", {"kind": "connect", "message": str(error)})
        raise
    except BaseException:
        call.end("interrupted")
        raise
    try:
        call.head(response.status, response.reason, response.http_version, response.headers)
    except BaseException:
        await response.aclose()
        raise

    async def close() -> None:
        try:
            call.end("interrupted")  # Unless it has ended: of several ends the first counts.
        finally:
            await response.aclose()

    pieces = _recorded_pieces(response, call)
    return response.with_stream(pieces, close=close, settle=call.settle, abandon=call.abandon)


async def _recorded_pieces(response: Response, call: CallRecording) -> AsyncIterator[bytes]:
    try:
        async for chunk in response:
            if call.abandoned is not None:  # It reads on all the same: as a replay, it gets no more.
                raise call.abandoned
            call.chunk(chunk)
            yield chunk
    except TransportError as error:
        call.end("failed", {"kind": error.kind, "message": str(error)})
        raise
    call.end("complete")
