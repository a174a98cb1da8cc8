"""
A recording proxy: it stands in front of a real provider, for clients in any language.

What a client sends goes on to the provider, and what comes back goes on to the client as it arrives; each piece is on
the tape before that. The key that a client sends reaches the provider, and never the tape.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable
from urllib.parse import urlsplit

import msgspec

from ..errors import ConfigError, Divergence, PlayheadError, TapeError, TapeLocked, TransportError
from ..http import Headers, Outcome, Request, Response, Transport, header
from ..tape.effects import Ended, Interaction
from ..tape.opened import OpenTape
from ..tape.playhead import sent_and_recorded
from ..tape.playing import play
from ..tape.recorder import CallRecording
from ..tape.redact import safe_url
from ._addresses import path_of
from ._headers import HOP_BY_HOP, TAPE, served_headers
from .http import Abort, error_response

_NOT_SENT_ON = HOP_BY_HOP | {"accept-encoding", "content-length", "expect", "host"}
"""Of a request's headers. Bodies are not compressed on the way, so that the bytes are the same on the wire and on the
tape; length and host are those of the request that goes out; `Expect` was answered when the body was read."""


class Passed(msgspec.Struct, frozen=True):
    """What became of a request.

    Attributes:
        call: what was asked and answered, as far as it came. Its request has no headers.
        played: whether the answer came from the tape.
        seconds: from the request to the end of the answer.
        note: what else there is to say.
        sent: whether it went out to the provider.
        recorded: whether all that came of it is on the tape.
    """

    call: Interaction
    played: bool
    seconds: float
    note: str = ""
    sent: bool = False
    recorded: bool = False


def _say_nothing(passed: Passed) -> Outcome | None:
    pass


class RecordingProxy:
    """Sends requests on to a provider, and records them. Its `answer` is a handler for a `Server`.

    Args:
        to: the provider's address, such as `https://openrouter.ai/api/v1`. A client may leave out the beginning of
            its path: `/api/v1/models`, `/v1/models` and `/models` lead to `https://openrouter.ai/api/v1/models`.
        tape: where to record. What it holds already is played.
        transport: sends.
        told: called for each request when its answer is over; it may say what the body was, which is kept. It is
            called once more where the tape fails after that.

    Attributes:
        path: of the provider's address, without a slash at its end: clients use it behind the proxy's own.

    Raises:
        ConfigError: that is no address.
    """

    def __init__(
        self,
        to: str,
        tape: OpenTape,
        transport: Transport,
        *,
        told: Callable[[Passed], Outcome | None] = _say_nothing,
    ) -> None:
        self._origin, self.path = _parts(to)
        self._tape = tape
        self._transport = transport
        self._told = told

    async def answer(self, request: Request) -> Response:
        """The provider's answer, recorded.

        Where none comes it is 502, or 504 where none came in time.
        """
        passing = _Passing(self._told, request.method, self._upstream(request.url), request.body)
        if header(request.headers, "upgrade") is not None:
            return passing.refused(
                501, "a change of protocol (such as to WebSocket) cannot be recorded", "unsupported"
            )
        outgoing = Request(request.method, passing.url, _sent_on(request.headers), request.body)
        try:
            response = await self._sent(outgoing, passing)
            if bodiless := request.method == "HEAD" or response.status in (204, 304):
                await _finish(response)
        except asyncio.CancelledError:
            passing.failed("the client left")
            raise
        except TransportError as error:
            passing.sent = passing.sent and error.kind != "connect"
            status = 504 if error.kind == "timeout" else 502
            return passing.refused(status, _said(error), "upstream_error", code=error.kind)
        except ConfigError as error:
            passing.sent = False
            return passing.refused(400, _said(error), "invalid_request_error")
        except TapeError as error:
            passing.recorded = False
            sent = "The provider was asked all the same." if passing.sent else "Nothing was sent to the provider."
            return passing.refused(500, f"{_to_a_client(error)}. {sent}", "tape_error", note=str(error))
        return passing.watched(response, bodiless=bodiless)

    async def _sent(self, request: Request, passing: _Passing) -> Response:
        found = self._tape.ask(request)
        if isinstance(found, CallRecording):
            passing.sent = passing.recorded = True
            response = await sent_and_recorded(self._transport, request, found)
        elif found is None:
            passing.sent = True
            response = await self._transport.send(request)
        else:
            passing.played = True
            options = self._tape.options
            response = await play(found, options.speed, options.cut)
            response.headers = (*served_headers(response.headers), (TAPE, "played"))
        response.headers = _end_to_end(response.headers)
        return response

    def _upstream(self, url: str) -> str:
        """Where a request goes. What the asked path and the provider's have in common is there once."""
        _, mark, query = url.partition("?")
        asked = path_of(url).lstrip("/").split("/")
        base = self.path.split("/")[1:]
        lengths = range(min(len(base), len(asked)), 0, -1)
        common = next((n for n in lengths if base[-n:] == asked[:n]), 0)
        rest = asked[common:]
        return self._origin + "/".join((self.path, *rest)) + mark + query


class _Passing:
    """One request on its way.

    Attributes:
        url: where it goes.
        played, sent, recorded: as for `Passed`, by now.
    """

    def __init__(self, told: Callable[[Passed], Outcome | None], method: str, url: str, body: bytes) -> None:
        self.url = url
        self.played = self.sent = self.recorded = False
        self._told = told
        self._asked = Request(method, safe_url(url), (), body)
        self._began = time.perf_counter()

    def refused(self, status: int, message: str, kind: str, *, code: str | None = None, note: str = "") -> Response:
        """An answer of the proxy's own; `note` is told in place of the message."""
        self.failed(f"{status}: {note or message}")
        return error_response(status, message, kind, code=code)

    def failed(self, note: str) -> None:
        """No answer came."""
        self._tell(Interaction(request=self._asked, ended="failed"), note)

    def watched(self, response: Response, *, bodiless: bool) -> Response:
        """The response, told of when it is over."""
        chunks: list[bytes] = []
        ended: Ended = "complete" if bodiless else "interrupted"
        note = "" if bodiless else "the client left"

        async def pieces() -> AsyncGenerator[bytes]:
            nonlocal ended, note
            stream = aiter(response)
            try:
                async for piece in stream:
                    chunks.append(piece)
                    yield piece
            except (TransportError, TapeError) as error:
                ended, note = "failed", f"cut: {_said(error)}"
                self.recorded = self.recorded and not isinstance(error, TapeError)
                raise Abort from error
            finally:
                if isinstance(stream, AsyncGenerator):
                    await stream.aclose()
            ended, note = "complete", ""

        async def close() -> None:
            call = Interaction(
                request=self._asked,
                status=response.status,
                reason=response.reason,
                headers=response.headers,
                chunks=tuple(chunks),
                ended=ended,
            )
            outcome = self._tell(call, note)
            try:
                # Clients leave when they have the last event: then the answer is whole, though the body is not over.
                if outcome == "whole" or (outcome is not None and ended == "complete"):
                    response.settle(outcome)
            except TapeError as error:
                self._lost(error)
            try:
                await response.aclose()
            except TapeError as error:
                self._lost(error)

        return response.with_stream(pieces(), close=close)

    def _lost(self, error: TapeError) -> None:
        """The end of an answer that was told of is not on the tape."""
        if self.recorded:
            self.sent = self.recorded = False
            self.failed(str(error))

    def _tell(self, call: Interaction, note: str) -> Outcome | None:
        seconds = time.perf_counter() - self._began
        return self._told(Passed(call, self.played, seconds, note, self.sent, self.recorded))


async def _finish(response: Response) -> None:
    """A response whose body is not sent on is over all the same."""
    try:
        await response.read()
    finally:
        await response.aclose()


def _said(error: PlayheadError) -> str:
    """An error in the words of the command line, where the provider's address is `--to`."""
    return str(error).replace("Check base_url", "Check --to")


def _to_a_client(error: TapeError) -> str:
    """Why a request cannot be recorded, without the names of files: clients may be on other machines."""
    match error:
        case Divergence():
            return str(error).rstrip(".")
        case TapeLocked():
            return "the tape cannot be written: somebody else writes to it"
        case TapeError(__cause__=OSError(errno=int(number))):
            return f"the tape cannot be written: {os.strerror(number)}"
        case _:
            return "the tape cannot be used: the console of the recording proxy says why"


def _parts(to: str) -> tuple[str, str]:
    """The scheme and the host of an address, and its path without a slash at its end."""
    try:
        parts = urlsplit(to)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        parts, whole = urlsplit(""), False
    if not whole or parts.query or parts.fragment or parts.username is not None:
        raise ConfigError(
            "expected the provider's address, such as https://openrouter.ai/api/v1, with http:// or https:// and a "
            f"host, and without a query, a user or a key (clients send those), got {safe_url(to)!r}"
        )
    path = "/".join(part for part in parts.path.split("/") if part)
    return f"{parts.scheme}://{parts.netloc}", f"/{path}" if path else ""


def _sent_on(headers: Headers) -> Headers:
    """A client's headers as they go out: RFC 9110, sections 7.6.1 and 7.6.3."""
    kept = tuple(pair for pair in _end_to_end(headers) if pair[0].lower() not in _NOT_SENT_ON)
    return (*kept, ("Accept-Encoding", "identity"), ("Via", "1.1 playhead"))


def _end_to_end(headers: Headers) -> Headers:
    """Headers without those that are about one connection, also those that `Connection` names."""
    listed = ",".join(value for name, value in headers if name.lower() == "connection")
    left_out = HOP_BY_HOP | {name.strip().lower() for name in listed.split(",")}
    return tuple(pair for pair in headers if pair[0].lower() not in left_out)
