"""Clients of requests on a tape."""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from email.message import Message
from typing import Any, cast

import requests
import requests.adapters
import urllib3
from requests import exceptions
from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError

from ..errors import TransportError
from ..http import Headers
from ..tape.open import Mode, TapeSource
from ..tape.opened import OpenTape
from ..transport.faults import SyncAnswer
from ._exchange import Asked, NativeError, decoded, unencoded
from ._source import Source, undisturbed
from ._sync import SyncExchanges

_PIECE = 65536
_DECODED = frozenset(urllib3.HTTPResponse.CONTENT_DECODERS)
_VERSIONS = {9: "HTTP/0.9", 10: "HTTP/1.0", 11: "HTTP/1.1", 20: "HTTP/2"}


class RequestsAdapter(requests.adapters.BaseAdapter):
    """Plays a session's requests from a tape, or sends and records them.

        session.mount("https://", RequestsAdapter("run.jsonl"))

    Args:
        tape: a file, a tape in memory, or one that is open. Without one it is the tape that is open around the call;
            where none is, requests go out as if this were `inner`.
        mode: as for `open_tape`; `resume` where none is given.
        inner: sends what is not played; an `HTTPAdapter` where it is left out.

    Raises:
        ConfigError, TapeError: the tape cannot be used.
    """

    def __init__(
        self,
        tape: TapeSource | None = None,
        mode: Mode | None = None,
        *,
        inner: requests.adapters.BaseAdapter | None = None,
    ) -> None:
        super().__init__()
        self._source = Source(tape, mode)
        self._inner = inner or requests.adapters.HTTPAdapter()
        self._exchanges = SyncExchanges(self._send)
        self._builder = requests.adapters.HTTPAdapter()

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Answer a request.

        Raises:
            Divergence: the tape does not hold it, and may not grow.
        """
        settings: dict[str, Any] = {"timeout": timeout, "verify": verify, "cert": cert, "proxies": proxies}
        tape = self._source.tape()
        if tape is None or (tape.mode == "off" and tape.options.faults is None):
            return self._inner.send(request, stream=stream, **settings)
        with _own_errors(request):
            answer = self._exchanges.answer(_asked(tape, request, settings))
        response = self._builder.build_response(request, _Raw(self, answer, request))
        response.connection = self  # pyright: ignore[reportAttributeAccessIssue]
        return response

    def close(self) -> None:
        """Let go of the connections, and close the tape if it was opened here."""
        whole = undisturbed()
        try:
            self._exchanges.close()
            self._inner.close()
        finally:
            self._source.close(whole=whole)

    def _send(self, asked: Asked) -> SyncAnswer:
        request, settings = asked.native
        outgoing = request.copy()
        outgoing.body = asked.body or None
        outgoing.headers["Accept-Encoding"] = "identity"
        with _recorded_errors():
            response = self._inner.send(outgoing, stream=True, **settings)
        raw: Any = response.raw
        encodings = {value.strip() for value in raw.headers.get("content-encoding", "").lower().split(",")}
        headers = tuple((str(name), str(value)) for name, value in raw.headers.items())
        return SyncAnswer(
            response.status_code,
            response.reason or "",
            _VERSIONS.get(getattr(raw, "version", 11), "HTTP/1.1"),
            decoded(headers) if encodings <= _DECODED else headers,
            _pieces(raw),
            response.close,
        )


def requests_session(tape: TapeSource | None = None, mode: Mode | None = None) -> requests.Session:
    """A session of requests on a tape.

    Args:
        tape: a file, a tape in memory, or one that is open. Without one it is the tape that is open around the call;
            where none is, requests go out as they would without this.
        mode: as for `open_tape`; `resume` where none is given.

    Raises:
        ConfigError, TapeError: the tape cannot be used.
    """
    session, adapter = requests.Session(), RequestsAdapter(tape, mode)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class _Body(io.RawIOBase):
    """An answer's body as a file. It holds the adapter, and with it the tape."""

    def __init__(self, adapter: RequestsAdapter, answer: SyncAnswer) -> None:
        self._adapter = adapter
        self._answer = answer
        self._piece = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._piece:
            if (piece := next(self._answer.pieces, None)) is None:
                return 0
            self._piece = piece
        taken = self._piece[: len(buffer)]
        buffer[: len(taken)] = taken
        self._piece = self._piece[len(taken) :]
        return len(taken)

    def read1(self, size: int = -1) -> bytes:
        """A piece as it arrived, or the beginning of it; nothing at the end."""
        return self.read(_PIECE if size < 0 else size) or b""

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._answer.close()


class _Raw(urllib3.HTTPResponse):
    """urllib3's view of an answer, which requests reads. Pieces are handed on as they arrive, as those of a chunked
    body are: urllib3 would wait until it has as much as was asked for."""

    def __init__(self, adapter: RequestsAdapter, answer: SyncAnswer, request: requests.PreparedRequest) -> None:
        self._pieces = _Body(adapter, answer)
        super().__init__(
            body=cast("Any", self._pieces),
            headers=urllib3.HTTPHeaderDict(list(answer.headers)),
            status=answer.status,
            version=next((number for number, name in _VERSIONS.items() if name == answer.http_version), 11),
            version_string=answer.http_version or "HTTP/1.1",
            reason=answer.reason,
            preload_content=False,
            original_response=cast("Any", _Head(answer.headers)),
            request_method=request.method,
            request_url=request.url,
            enforce_content_length=False,
        )

    def stream(self, amt: int | None = _PIECE, decode_content: bool | None = None) -> Generator[bytes]:  # noqa: ARG002
        while not self._pieces.closed:
            with _own_stream_errors():
                piece = self._pieces.read1(-1 if amt is None else amt)
            if not piece:
                self._pieces.close()
                return
            yield piece

    def read(self, *arguments: Any, **options: Any) -> bytes:
        with _own_stream_errors():
            return super().read(*arguments, **options)


class _Head:
    """What requests takes cookies from."""

    def __init__(self, headers: Headers) -> None:
        self.msg = Message()
        for name, value in headers:
            self.msg[name] = value

    def isclosed(self) -> bool:
        return True

    def close(self) -> None:
        pass


@contextmanager
def _own_errors(request: requests.PreparedRequest) -> Generator[None]:
    """Turn our errors into those that a session raises before there is an answer."""
    try:
        yield
    except NativeError as error:
        raise error.native from error.native.__cause__
    except TransportError as error:
        native = exceptions.ReadTimeout if error.kind == "timeout" else exceptions.ConnectionError
        raise native(str(error), request=request) from error


@contextmanager
def _own_stream_errors() -> Generator[None]:
    """Turn our errors into those of urllib3, of which requests makes its own."""
    try:
        yield
    except NativeError as error:
        raise error.native from error.native.__cause__
    except TransportError as error:
        if error.kind == "timeout":
            raise ReadTimeoutError(cast("Any", None), "", str(error)) from error
        raise ProtocolError(str(error)) from error


@contextmanager
def _recorded_errors() -> Generator[None]:
    """Turn the errors of requests and urllib3 into those that are recorded."""
    try:
        yield
    except (exceptions.RequestException, HTTPError) as error:
        raise NativeError(error, _kind(error), _message(error)) from error


def _kind(error: Exception) -> str:
    reason = _reason(error)
    if isinstance(error, exceptions.Timeout) or isinstance(reason, ReadTimeoutError):
        return "timeout"
    if isinstance(reason, ProtocolError):
        return "disconnect"
    return "connect" if isinstance(error, exceptions.ConnectionError) else "protocol"


def _message(error: Exception) -> str:
    """In the words of what went wrong: those around it name the URL."""
    return str(_reason(error))


def _reason(error: Exception) -> Any:
    inner = error.args[0] if error.args else error
    return getattr(inner, "reason", None) or (inner if isinstance(inner, Exception) else error)


def _pieces(raw: Any) -> Iterator[bytes]:
    """The pieces of a body as they arrive."""
    with _recorded_errors():
        if raw.chunked and raw.supports_chunked_reads():
            yield from raw.stream(None, decode_content=True)
            return
        read = getattr(raw, "read1", raw.read)  # urllib3 before 2.1 has no `read1`, and gives all at once.
        while piece := read(decode_content=True):
            yield piece


def _asked(tape: OpenTape, request: requests.PreparedRequest, settings: dict[str, Any]) -> Asked:
    timeout: Any = settings["timeout"]
    read = timeout if isinstance(timeout, (int, float)) else None
    if isinstance(timeout, tuple):
        read = cast("tuple[float, float]", timeout)[1]
    headers = tuple((_text(name), _text(value)) for name, value in request.headers.items())
    return Asked(
        request.method or "GET",
        request.url or "",
        unencoded(headers),
        _whole(request.body),
        tape=tape,
        native=(request, settings),
        read_timeout=read,
    )


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _whole(body: Any) -> bytes:
    """A request's body, which may be text, bytes, a file or an iterator of them."""
    if body is None:
        return b""
    if isinstance(body, (str, bytes)):
        return body.encode() if isinstance(body, str) else body
    if hasattr(body, "read"):
        return _whole(body.read())
    return b"".join(_whole(piece) for piece in body)
