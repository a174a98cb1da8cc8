"""
The playhead: behind it effects are played from the tape, ahead of it they happen and are recorded.

It is a transport around a transport for what goes over HTTP, and a gate for tools.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from ..errors import ToolInDoubt, TransportError
from ..http import Request, Response, Transport
from .effects import ROOT, Tape, ToolRun
from .player import Player
from .playing import play
from .recorder import CallRecording, Recorder


def _say_nothing(whole: bool) -> None:
    pass


@dataclass
class Playhead:
    """A position on a tape.

    Args:
        inner: what answers ahead of the playhead.
        player: finds what was recorded; None where nothing was.
        recorder: puts on the tape what happens; None where nothing is to be kept.
        closed: whether nothing may happen ahead of the playhead (mode `replay`).
        ready: called before anything goes out; raises where it cannot (a missing key).
        on_close: called once, when the run is over, with whether it came to its end: it puts the file in its place.
        name: the tape's name, for messages.
        recorded: what is on the tape when no recorder is there.
        lane: that of the run's own model calls.
        warnings: what a run on this tape should be told.
    """

    inner: Transport | None
    player: Player | None = None
    recorder: Recorder | None = None
    closed: bool = False
    ready: Callable[[], None] = lambda: None
    on_close: Callable[[bool], str | None] = _say_nothing
    name: str = ""
    recorded: Tape | None = None
    lane: str = ROOT
    warnings: tuple[str, ...] = ()
    last_played: bool = False

    def tape(self) -> Tape | None:
        """What is on the tape by now; None where nothing is kept."""
        return self.recorder.tape() if self.recorder else self.recorded

    async def send(self, request: Request) -> Response:
        """Play the response from the tape, or let the request happen and record it.

        Raises:
            Divergence: the tape holds another request at this place, or has ended and may not grow.
        """
        lane = self.lane
        if self.player is not None:
            recorded = self.player.call(lane, request)
            if recorded is not None:
                self.last_played = True
                return await play(recorded)
            if self.closed:
                raise self.player.ended(lane, request)
        self.last_played = False
        if self.inner is None:
            raise TransportError("there is no transport: nothing can be sent")
        self.ready()
        if self.recorder is None:
            return await self.inner.send(request)
        if self.player is not None:
            self.recorder.supersede(self.player.superseded(lane))
        return await _recorded(self.inner, request, self.recorder.call(lane, request))

    def played_tool(self, call: ToolRun, effect: str) -> ToolRun | None:
        """The result of a tool from the tape, or None where the tool is to run. Nothing happens here yet, so that
        all calls of a step are looked up before the first of them runs.

        Args:
            call: the lane, the name and the arguments.
            effect: the tool's contract: `read`, `idempotent` or `once`.

        Raises:
            Divergence: the tape holds another call at this place, or none, and may not grow.
            ToolInDoubt: it was cut down in the middle when it was recorded, and may run only once.
        """
        if self.player is None:
            return None
        recorded = self.player.tool(call.lane, call.name, call.arguments)
        if recorded is not None and recorded.ended == "complete":
            return recorded
        if recorded is not None and (self.closed or effect == "once"):
            raise self._in_doubt(call)
        if self.closed and self.player.holds_tools:
            raise self.player.tool_missing(call.lane, call.name)
        return None

    async def run_tool(self, call: ToolRun, run: Callable[[], Awaitable[ToolRun]]) -> ToolRun:
        """Run a tool, and record it.

        Args:
            call: the lane, the name and the arguments.
            run: runs the tool and gives `call` with its result.
        """
        if self.recorder is None or self._tools_are_not_kept():
            return await run()
        recording = self.recorder.tool(call)
        return recording.end(await run())

    async def close(self, *, whole: bool) -> str | None:
        """Let go of the transport, and put the tape's file in its place.

        Args:
            whole: whether the run came to its end.

        Returns:
            What there is to say of the file, if anything.
        """
        try:
            if self.inner is not None:
                await self.inner.aclose()
        finally:
            on_close, self.on_close = self.on_close, _say_nothing
            said = on_close(whole)
        return said

    async def aclose(self) -> None:
        """Let go of everything, as a transport does."""
        await self.close(whole=True)

    def _tools_are_not_kept(self) -> bool:
        """Behind the playhead of a cassette without tool effects, tools run, and nothing is added to it."""
        if self.player is None or self.player.holds_tools:
            return False
        return self.closed or self.player.unplayed(self.lane) > 0

    def _in_doubt(self, call: ToolRun) -> ToolInDoubt:
        return ToolInDoubt(
            f"tape {self.name!r}: tool {call.name}({call.arguments}) in lane {call.lane} was started, and the "
            "recording stops before its end. It may have done its work or not, and it may run only once. Look what "
            "happened; if it is safe to run again, declare @tool(effect='idempotent') or effect='read' and resume.",
            lane=call.lane,
            name=call.name,
            arguments=call.arguments,
        )


async def _recorded(inner: Transport, request: Request, call: CallRecording) -> Response:
    try:
        response = await inner.send(request)
    except TransportError as error:
        call.end("failed", {"kind": error.kind, "message": str(error)})
        raise
    except BaseException:
        call.end("interrupted")
        raise
    call.head(response.status, response.reason, response.http_version, response.headers)

    async def close() -> None:
        call.end("interrupted")  # Unless it has ended: of several ends the first counts.
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
