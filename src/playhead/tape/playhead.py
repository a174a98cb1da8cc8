"""
The playhead: behind it effects are played from the tape, ahead of it they happen and are recorded.

It is a transport around a transport for what goes over HTTP, and a gate for tools. Each run has one of its own; the
tape that it moves along may be shared.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from ..errors import TapeError, TransportError
from ..http import Request, Response, Transport
from .effects import ROOT, Tape, ToolRun
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
        self.last_played = False
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
        self.last_played = False  # What a fault answers was not played.
        return await self._sender.send(request)

    async def _played_or_sent(self, request: Request) -> Response:
        tape = self.opened
        asked = tape.redacted(request)
        if self._lane is None:
            self._lane, recorded = tape.begin(self._base, asked)
        else:
            recorded = tape.find(self._lane, asked)
        self.last_played = recorded is not None
        if recorded is not None:
            return await play(recorded, tape.options.speed, tape.options.cut)
        if self._inner is None:
            raise TransportError("there is no transport: nothing can be sent")
        self._ready()
        recording = tape.record(self._lane, asked)
        if recording is None:
            return await self._inner.send(request)
        return await sent_and_recorded(self._inner, request, recording)

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

    async def run_tool(self, call: ToolRun, run: Callable[[], Awaitable[ToolRun]]) -> ToolRun:
        """Run a tool, and record it.

        Args:
            call: the lane, the name and the arguments.
            run: runs the tool and gives `call` with its result.
        """
        recording = self.opened.record_tool(call, self.lane)
        return await run() if recording is None else recording.end(await run())

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

    return response.with_stream(_recorded_pieces(response, call), close=close, settle=call.settle)


async def _recorded_pieces(response: Response, call: CallRecording) -> AsyncIterator[bytes]:
    try:
        async for chunk in response:
            call.chunk(chunk)
            yield chunk
    except TransportError as error:
        call.end("failed", {"kind": error.kind, "message": str(error)})
        raise
    call.end("complete")
