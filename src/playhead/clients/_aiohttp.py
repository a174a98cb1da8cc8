"""
Clients of aiohttp on a tape.

What stands between a session and the network is a connector. This one gives out connections that lead nowhere: what a
session writes is read as HTTP here, and the answer is written back as HTTP.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncGenerator, Awaitable, Coroutine, Generator, Iterable
from contextlib import contextmanager
from typing import Any, cast

import aiohttp
import h11
from aiohttp.client_proto import ResponseHandler

from ..errors import ConfigError, TransportError
from ..http import Headers, Response
from ..tape.open import Mode, TapeSource
from ..tape.opened import OpenTape
from ._async import AsyncExchanges, stopped
from ._exchange import Asked, NativeError, decoded, unencoded
from ._source import Source, undisturbed

_MOST_HEADERS = 1024 * 1024
"""Bytes."""

_SET_BY_AIOHTTP = frozenset({"content-length", "transfer-encoding", "connection", "expect"})

_DECODED = frozenset({"gzip", "deflate", "br", "zstd"})
"""What aiohttp decodes, or refuses where it lacks a package for it."""


class AiohttpConnector(aiohttp.BaseConnector):
    """Plays a session's requests from a tape, or sends and records them.

    It is made inside an event loop, as aiohttp's own connectors are.

        session = aiohttp.ClientSession(connector=AiohttpConnector("run.jsonl"))

    WebSockets do not go over it.

    Args:
        tape: a file, a tape in memory, or one that is open. Without one it is the tape that is open around the call;
            where none is, requests go out, and nothing is kept.
        mode: as for `open_tape`; `resume` where none is given.
        inner: sends what is not played; a `TCPConnector` without a limit on connections where it is left out.

    Raises:
        ConfigError, TapeError: the tape cannot be used.
    """

    def __init__(
        self,
        tape: TapeSource | None = None,
        mode: Mode | None = None,
        *,
        inner: aiohttp.BaseConnector | None = None,
    ) -> None:
        super().__init__(force_close=True, limit=0)
        self._source = Source(tape, mode)
        self._exchanges = AsyncExchanges(self._send)
        self._inner = inner
        self._session: aiohttp.ClientSession | None = None

    def close(self, *, abort_ssl: bool = False) -> Awaitable[None]:
        """Let go of the connections, and close the tape if it was opened here."""
        if self.closed:
            return super().close(abort_ssl=abort_ssl)
        connections = super().close(abort_ssl=abort_ssl)  # Ends what is being recorded.
        self._source.close(whole=undisturbed())
        return _Closing(self._close_inner(connections), self._loop)

    async def _close_inner(self, connections: Awaitable[None]) -> None:
        await connections
        await self._exchanges.aclose()
        if self._session is not None:
            await self._session.close()
        elif self._inner is not None:
            await self._inner.close()

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],  # noqa: ARG002 - aiohttp's signature
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109
    ) -> ResponseHandler:
        protocol = self._factory()
        protocol.connection_made(_Connection(self, protocol, req, timeout))
        return protocol

    async def answer(self, asked: Asked, tape: OpenTape | None) -> Response:
        """Answer a request that came over a connection. Without a tape it is sent, and nothing is kept."""
        return await (self._send(asked) if tape is None else self._exchanges.answer(asked))

    async def _send(self, asked: Asked) -> Response:
        request, timeout = asked.native
        with _recorded_errors():
            response = await self._network().request(
                asked.method,
                request.url,
                data=asked.body or None,
                headers=[pair for pair in asked.headers if pair[0].lower() not in _SET_BY_AIOHTTP],
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    connect=timeout.connect, sock_connect=timeout.sock_connect, sock_read=timeout.sock_read
                ),
                ssl=request.ssl,
                server_hostname=request.server_hostname,
                proxy=request.proxy,
                proxy_auth=request.proxy_auth,
                proxy_headers=request.proxy_headers,
            )
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers)
        encodings = {value.strip().lower() for value in response.headers.getall("content-encoding", [])}
        pieces = _pieces(response)

        async def close() -> None:
            await stopped(pieces)
            response.close()

        version = response.version or aiohttp.HttpVersion11
        return Response(
            response.status,
            decoded(headers) if encodings & _DECODED else headers,
            pieces,
            close=close,
            reason=response.reason or "",
            http_version=f"HTTP/{version.major}.{version.minor}",
        )

    def _network(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=self._inner or aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
                timeout=aiohttp.ClientTimeout(),
            )
        return self._session

    def tape(self) -> OpenTape | None:
        """The tape for a call that is made here; None where it goes out and nothing is kept."""
        return self._source.tape()


def aiohttp_session(
    tape: TapeSource | None = None,
    mode: Mode | None = None,
    *,
    inner: aiohttp.BaseConnector | None = None,
    **options: Any,
) -> aiohttp.ClientSession:
    """A session of aiohttp on a tape. To be made inside an event loop.

        options = types.HttpOptions(aiohttp_client=clients.aiohttp_session("run.jsonl"))

    Args:
        tape: a file, a tape in memory, or one that is open. Without one it is the tape that is open around the call;
            where none is, requests go out, and nothing is kept.
        mode: as for `open_tape`; `resume` where none is given.
        inner: sends what is not played.
        options: of `aiohttp.ClientSession`.

    Raises:
        ConfigError, TapeError: the tape cannot be used.
    """
    return aiohttp.ClientSession(connector=AiohttpConnector(tape, mode, inner=inner), **options)


class _Connection(asyncio.Transport):
    """A connection for one request, as asyncio gives them to protocols."""

    def __init__(
        self,
        connector: AiohttpConnector,
        protocol: ResponseHandler,
        request: aiohttp.ClientRequest,
        timeout: aiohttp.ClientTimeout,
    ) -> None:
        super().__init__()
        self._connector = connector
        self._protocol = protocol
        self._native = (request, timeout)
        self._tape = connector.tape()
        self._context = contextvars.copy_context()
        self._loop = asyncio.get_running_loop()
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_MOST_HEADERS)
        self._head: h11.Request | None = None
        self._body = bytearray()
        self._asked: Asked | None = None
        self._answering: asyncio.Task[None] | None = None
        self._reading = asyncio.Event()
        self._reading.set()
        self._closing = False

    # What the session does.

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """A piece of the request."""
        if self._closing:
            return
        self._http.receive_data(bytes(data))
        while (event := self._http.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            if isinstance(event, h11.Request):
                self._head = event
                if self._http.they_are_waiting_for_100_continue:
                    self._loop.call_soon(self._show, h11.InformationalResponse(status_code=100, headers=[]))
            elif isinstance(event, h11.Data):
                self._body += event.data
            elif isinstance(event, h11.EndOfMessage):
                self._answering = self._loop.create_task(self._answer(), context=self._context)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        """Pieces of the request."""
        self.write(b"".join(list_of_data))

    def pause_reading(self) -> None:
        """The session has enough for now."""
        self._reading.clear()

    def resume_reading(self) -> None:
        """The session wants more."""
        self._reading.set()

    def is_closing(self) -> bool:
        return self._closing

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        """The session is done with the connection, whether the answer was read to its end or not."""
        if self._closing:
            return
        self._lost(None)
        for left in self._asked.left if self._asked else ():
            left()  # At once: the tape may be closed next.
        if self._answering is not None:
            self._answering.cancel()

    def abort(self) -> None:
        self.close()

    # What it is answered.

    async def _answer(self) -> None:
        try:
            response = await self._connector.answer(self._ask(), self._tape)
        except NativeError as error:
            self._refuse(error.native)
        except TransportError as error:
            self._refuse(_own_error(error, self._native[0]), error)
        except Exception as error:  # What the session is told is for whoever reads the answer.
            self._refuse(error)
        else:
            try:
                await self._show_all(response)
            except NativeError as error:
                self._lost(error.native)
            except TransportError as error:
                self._lost(error)
            except Exception as error:
                self._lost(error)
            finally:
                await response.aclose()

    def _ask(self) -> Asked:
        request, timeout = self._native
        assert self._head is not None  # noqa: S101 - the request was read to its end
        headers = tuple(
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in self._head.headers.raw_items()
        )
        if any(name.lower() == "upgrade" for name, _ in headers):
            raise ConfigError(
                "WebSockets are not recorded: connect with a session that has a connector of aiohttp's own"
            )
        self._asked = Asked(
            self._head.method.decode("ascii"),
            str(request.url),
            headers if self._tape is None else unencoded(headers),
            bytes(self._body),
            tape=cast("Any", self._tape),
            native=(request, timeout),
            read_timeout=timeout.sock_read,
        )
        return self._asked

    async def _show_all(self, response: Response) -> None:
        headers = _framed(response.headers)
        reason = response.reason.encode("latin-1", "ignore")
        self._show(h11.Response(status_code=response.status, headers=headers, reason=reason))
        bodiless = self._native[0].method == "HEAD" or response.status in (204, 304)
        async for piece in response:
            await self._reading.wait()
            if piece and not bodiless:
                self._show(h11.Data(data=piece))
                await asyncio.sleep(0)  # A stream that never waits must not keep the others waiting.
        self._show(h11.EndOfMessage())

    def _show(self, event: h11.InformationalResponse | h11.Response | h11.Data | h11.EndOfMessage) -> None:
        data = self._http.send(event)
        if data and not self._closing:
            self._protocol.data_received(data)

    def _refuse(self, error: BaseException, cause: BaseException | None = None) -> None:
        """There is no answer."""
        if not self._closing:
            self._protocol.set_exception(error, *(() if cause is None else (cause,)))
            self._lost(None)

    def _lost(self, error: BaseException | None) -> None:
        if not self._closing:
            self._closing = True
            self._loop.call_soon(self._protocol.connection_lost, error)


class _Closing:
    """Closes at once, also where nobody waits for it, as aiohttp's connectors do."""

    def __init__(self, closing: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> None:
        self._task = loop.create_task(closing)

    def __await__(self) -> Generator[Any, None, None]:
        return self._task.__await__()


async def _pieces(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes]:
    with _recorded_errors():
        async for piece in response.content.iter_any():
            yield piece


def _framed(headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers of an answer, with how its body comes over this connection."""
    kept = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in headers
        if name.lower() not in ("transfer-encoding", "connection", "keep-alive")
    ]
    if any(name.lower() == b"content-length" for name, _ in kept):
        return kept
    return [*kept, (b"Transfer-Encoding", b"chunked")]


def _own_error(error: TransportError, request: aiohttp.ClientRequest) -> aiohttp.ClientError:
    if error.kind == "connect":
        return aiohttp.ClientConnectorError(request.connection_key, OSError(None, str(error)))
    if error.kind == "timeout":
        return aiohttp.ServerTimeoutError(str(error))
    return aiohttp.ServerDisconnectedError(str(error))


@contextmanager
def _recorded_errors() -> Generator[None]:
    """Turn aiohttp's errors into those that are recorded."""
    try:
        yield
    except (aiohttp.ClientError, TimeoutError) as error:
        raise NativeError(error, _kind(error)) from error


def _kind(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "connect"
    disconnected = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientPayloadError)
    return "disconnect" if isinstance(error, disconnected) else "protocol"
