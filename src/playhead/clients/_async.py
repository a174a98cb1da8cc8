"""Requests of asynchronous clients: played from a tape, or sent and recorded."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import cast
from weakref import WeakKeyDictionary

from ..errors import TransportError
from ..http import Request, Response, Transport
from ..tape.effects import Interaction
from ..tape.opened import OpenTape
from ..tape.playing import play
from ..tape.recorder import CallRecording
from ..transport.faults import Faults
from ._exchange import Asked, Reading, lane, shown


class AsyncExchanges:
    """A client's way to its tapes.

    Args:
        send: sends a request, and returns when the answer's headers are there. Raises `TransportError`.
    """

    def __init__(self, send: Callable[[Asked], Awaitable[Response]]) -> None:
        self._send = send
        self._faulty: WeakKeyDictionary[OpenTape, dict[float | None, Transport]] = WeakKeyDictionary()

    async def answer(self, asked: Asked) -> Response:
        """Play what was recorded for a request, or let it happen and record it.

        Raises:
            Divergence: the tape does not hold it, and may not grow.
            TransportError: no answer came. While the body is read, too.
        """
        faults = asked.tape.options.faults
        if faults is None:
            return await self._played_or_sent(asked)
        # What clients that try again are to find is remembered there, so there is one for each tape.
        by_timeout, timeout = self._faulty.setdefault(asked.tape, {}), asked.read_timeout
        if timeout not in by_timeout:
            by_timeout[timeout] = cast("Faults", faults).around(
                _Sender(self._played_or_sent), read_timeout=timeout, key=lane
            )
        return await by_timeout[timeout].send(asked)

    async def aclose(self) -> None:
        """Let go of what is held for clients that try again."""
        for by_timeout in list(self._faulty.values()):
            for faulty in by_timeout.values():
                await faulty.aclose()

    async def _played_or_sent(self, request: Request) -> Response:
        asked = cast("Asked", request)
        options = asked.tape.options
        found = asked.tape.ask(asked)
        if isinstance(found, Interaction):
            response = await play(found, options.speed, options.cut)
            response.headers = shown(found)
            return response
        return await (self._send(asked) if found is None else self._recorded(asked, found))

    async def _recorded(self, asked: Asked, recording: CallRecording) -> Response:
        reading = Reading(recording)
        asked.left.append(reading.left)
        try:
            response = await self._send(asked)
        except TransportError as error:
            reading.failed(error)
            raise
        except BaseException:
            reading.left()
            raise
        try:
            reading.head(response.status, response.reason, response.http_version, response.headers)
        except BaseException:
            await response.aclose()
            raise
        pieces = _recorded_pieces(response, reading)

        async def close() -> None:
            try:
                reading.left()
                await stopped(pieces)
            finally:
                await response.aclose()

        return response.with_stream(pieces, close=close, settle=recording.settle)


async def stopped(pieces: AsyncGenerator[bytes]) -> None:
    """Let go of a body that is not read any more. One that is being read this moment ends by itself."""
    if not getattr(pieces, "ag_running", False):
        await pieces.aclose()


async def _recorded_pieces(response: Response, reading: Reading) -> AsyncGenerator[bytes]:
    try:
        try:
            async for piece in response:
                reading.piece(piece)
                yield piece
            reading.complete()
        except TransportError as error:
            reading.failed(error)
            raise
    except Exception:
        await response.aclose()  # Of what cannot be recorded the client may let go without a word.
        raise


class _Sender:
    """A function as a transport."""

    def __init__(self, send: Callable[[Request], Awaitable[Response]]) -> None:
        self._send = send

    async def send(self, request: Request) -> Response:
        """Call it."""
        return await self._send(request)

    async def aclose(self) -> None:
        """Nothing is held."""
