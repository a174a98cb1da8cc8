"""A small HTTP/1.1 server on asyncio streams and h11, for this machine only.

It plays the provider in tests and in the demo. A handler is a function from `Request` to `Response`, so the
`send` of any `Transport` is one already.

A connection is one task, and takes one request at a time: read it whole, let the handler answer, send every
piece of the answer as soon as it is there. While the handler works, the client is watched: when it leaves,
the handler's work is cancelled, for nobody would see it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import struct
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any, Self
from urllib.parse import urlsplit

import h11
import msgspec

from ..http import Headers, Request, Response, header

Handler = Callable[[Request], Awaitable[Response]]
"""Answers a request, whose URL is whole. May raise `Abort`."""

MAX_BODY = 64 * 1024 * 1024
"""Bytes of a request's body, unless a server is made with another limit."""

_READ_SIZE = 64 * 1024
_MAX_SENT_AHEAD = 1024 * 1024
"""Bytes of further requests that are kept while one is being answered."""

_LINGER_SECONDS = 2.0
"""How long a client that was refused may go on sending. Closing at once would reset the connection under it,
and the refusal could be lost before it is read: RFC 9112, section 9.6."""

_log = logging.getLogger(__name__)


class Abort(Exception):
    """Raised by a handler, or by the stream of its response, to cut the connection as a crash would."""


class _ClientLeft(Exception):
    """Nobody is there to answer to."""


def is_loopback(host: str) -> bool:
    """Whether a name or an address leads to this machine and is reached from nowhere else."""
    name = host.lower().rstrip(".")
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def loopback_only(handler: Handler) -> Handler:
    """`handler` for a server that listens on loopback: what asks under another name is refused with 403.

    A web page can make its own name point to 127.0.0.1, and then read what is served there (DNS rebinding). The
    browser says that name in `Host`.
    """

    async def guarded(request: Request) -> Response:
        host = header(request.headers, "host") or "localhost"
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            name = ""
        if is_loopback(name):
            return await handler(request)
        return error_response(
            403,
            "this server listens on loopback, and answers to localhost, 127.0.0.1 and [::1]; it was asked as "
            f"{host!r}. To be reached under other names, let it listen on another address (--host).",
            "forbidden_host",
        )

    return guarded


class Server:
    """An HTTP server in the running event loop: `async with Server(handler) as server: server.url`.

    Leaving the block cuts what is still open. Handlers run as tasks, several at once, one a connection. What
    a handler raises is logged, and answered with a 500 whose body is `{"error": {"message", "type"}}`. After
    the headers were sent it cuts the connection instead: no client shall take half an answer for a whole one.

    Args:
        handler: answers the requests.
        host: the address to listen on.
        port: 0 takes a free one.
        max_body: bytes of a request's body; a longer one is refused with 413.

    Attributes:
        connections: how many connections were accepted so far.
    """

    def __init__(self, handler: Handler, *, host: str = "127.0.0.1", port: int = 0, max_body: int = MAX_BODY) -> None:
        self.connections = 0
        self._handler = handler
        self._host = host
        self._port = port
        self._max_body = max_body
        self._url = ""
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._closing = False

    @property
    def url(self) -> str:
        """Where the server listens, such as `http://127.0.0.1:54321`."""
        if not self._url:
            raise RuntimeError("the server has no address before it is started: use it in a `with` block")
        return self._url

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._accept, self._host, self._port)
        self._url = _base_url(self._listener.sockets[0].getsockname())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        self._listener.close()
        still_open = dict(self._open)
        for task in still_open:
            task.cancel()
        await asyncio.gather(*still_open, return_exceptions=True)
        await asyncio.gather(*(writer.wait_closed() for writer in still_open.values()), return_exceptions=True)
        await self._listener.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._closing:  # accepted by the loop just before the listener was closed
            writer.transport.abort()
            return
        self.connections += 1
        connection = _Connection(self._handler, reader, writer, self._max_body)
        task = asyncio.get_running_loop().create_task(connection.serve())
        self._open[task] = writer
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        # Here rather than in the task: one that is cancelled before its first step runs no `finally`.
        writer = self._open.pop(task)
        writer.transport.abort()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a connection failed", exc_info=error)


class ThreadedServer:
    """The same server in a thread of its own, for synchronous code: `with ThreadedServer(handler) as server`.

    The handler runs in that thread's event loop. Leaving the block stops the loop and joins the thread.

    Args:
        handler: answers the requests.
        host: the address to listen on.
        port: 0 takes a free one.
        max_body: bytes of a request's body; a longer one is refused with 413.
    """

    def __init__(self, handler: Handler, *, host: str = "127.0.0.1", port: int = 0, max_body: int = MAX_BODY) -> None:
        self._server = Server(handler, host=host, port=port, max_body=max_body)
        self._started: Future[Callable[[], object]] = Future()
        self._thread = threading.Thread(target=self._run, name="playhead-server", daemon=True)

    @property
    def url(self) -> str:
        """Where the server listens, such as `http://127.0.0.1:54321`."""
        return self._server.url

    @property
    def connections(self) -> int:
        """How many connections were accepted so far."""
        return self._server.connections

    def __enter__(self) -> Self:
        self._thread.start()
        self._stop = self._started.result()  # raises what kept the server from starting
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _serve(self) -> None:
        stopped = asyncio.Event()
        async with self._server:
            self._started.set_result(partial(asyncio.get_running_loop().call_soon_threadsafe, stopped.set))
            await stopped.wait()


class _Connection:
    """One client's connection, from its first request to its last."""

    def __init__(
        self, handler: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, max_body: int
    ) -> None:
        self._handler = handler
        self._reader = reader
        self._writer = writer
        self._max_body = max_body
        self._http = h11.Connection(h11.SERVER)

    async def serve(self) -> None:
        """Answer requests until one side is done with the connection."""
        try:
            while await self._exchange():
                self._http.start_next_cycle()
            self._writer.close()
            await self._writer.wait_closed()
        except Abort:
            self._cut()
        except (_ClientLeft, OSError):
            pass

    async def _exchange(self) -> bool:
        """Answer one request. Says whether the connection can take another."""
        try:
            request = await self._read_request()
        except h11.RemoteProtocolError as error:
            await self._refuse(error)
            return False
        if request is None:
            return False
        await self._answer_unless_left(request)
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def _read_request(self) -> Request | None:
        """The next request, whole, or None when there is none.

        Raises:
            h11.RemoteProtocolError: it is malformed, too large or not served, with the status to say so.
        """
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = await self._next_event()
            if isinstance(event, h11.Request):
                head = event
                self._check(head)
            elif isinstance(event, h11.Data):
                body += event.data
                self._check_length(len(body))
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return self._request(head, bytes(body))
            else:
                return None

    async def _next_event(self) -> h11.Event | type[h11.NEED_DATA | h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                await self._send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))
            self._http.receive_data(await self._receive())
        return event

    def _check(self, head: h11.Request) -> None:
        if head.method == b"CONNECT":
            raise h11.RemoteProtocolError("CONNECT is not served here", error_status_hint=501)
        # Before the body is read: a client that waits for `100 Continue` need not send it at all.
        self._check_length(int(dict(head.headers).get(b"content-length", 0)))

    def _check_length(self, length: int) -> None:
        if length > self._max_body:
            message = f"the request's body is longer than {self._max_body} bytes"
            raise h11.RemoteProtocolError(message, error_status_hint=413)

    def _request(self, head: h11.Request, body: bytes) -> Request:
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers.raw_items())
        here = _base_url(self._writer.get_extra_info("sockname"))
        return Request(head.method.decode("ascii"), _full_url(head, here), headers, body)

    async def _receive(self) -> bytes:
        """What the client sent, or nothing when it sends no more."""
        try:
            return await self._reader.read(_READ_SIZE)
        except OSError:
            return b""

    async def _answer_unless_left(self, request: Request) -> None:
        answering = asyncio.create_task(self._answer(request))
        watching = asyncio.create_task(self._client_left())
        try:
            await asyncio.wait((answering, watching), return_when=asyncio.FIRST_COMPLETED)
        finally:
            answering.cancel()
            watching.cancel()
            await asyncio.gather(answering, watching, return_exceptions=True)
        if answering.cancelled():
            raise _ClientLeft
        answering.result()

    async def _client_left(self) -> None:
        """Return when the client closes its side. What it sends ahead is kept for the next cycle.

        A client that closes only its sending side looks the same from here, and is taken to have left too.
        """
        sent_ahead = 0
        while sent_ahead < _MAX_SENT_AHEAD:
            data = await self._receive()
            if not data:
                return
            self._http.receive_data(data)
            sent_ahead += len(data)
        await asyncio.Event().wait()

    async def _answer(self, request: Request) -> None:
        try:
            await self._send_response(request.method, await self._handler(request))
        except (Abort, _ClientLeft):
            raise
        except Exception as error:
            _log.exception("the handler failed to answer %s %s", request.method, request.url.partition("?")[0])
            if self._http.our_state is not h11.SEND_RESPONSE:  # something is sent already
                raise Abort from error
            await self._send_response(request.method, error_response(500, str(error), type(error).__name__))

    async def _send_response(self, method: str, response: Response) -> None:
        async with closing(response) as pieces:
            headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
            reason = response.reason.encode("latin-1")
            await self._send(h11.Response(status_code=response.status, headers=headers, reason=reason))
            if method != "HEAD" and response.status not in (204, 304):
                async for piece in pieces:
                    await self._send(h11.Data(data=piece))
                    await asyncio.sleep(0)  # a stream that never waits must not keep the others waiting
            await self._send(h11.EndOfMessage())

    async def _send(self, event: h11.Event) -> None:
        """Hand an event to the operating system at once: asyncio sets TCP_NODELAY on its sockets."""
        self._writer.write(self._http.send(event) or b"")
        try:
            await self._writer.drain()
        except OSError as error:
            raise _ClientLeft from error

    async def _refuse(self, error: h11.RemoteProtocolError) -> None:
        """Say what is wrong with the request, and take no more of them."""
        response = error_response(error.error_status_hint, str(error), "invalid_request", (("connection", "close"),))
        await self._send_response("", response)
        self._writer.write_eof()
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                while await self._receive():
                    pass
        except TimeoutError:
            pass

    def _cut(self) -> None:
        if self._http.their_http_version == b"1.0":
            # Such a client takes the end of the connection for the end of the body, but not a reset.
            linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
            self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()


@asynccontextmanager
async def closing(response: Response) -> AsyncGenerator[AsyncIterator[bytes]]:
    """The pieces of a response, which is closed in the end, and its stream with it, read or not."""
    async with aclosing(response):
        pieces = aiter(response)
        try:
            yield pieces
        finally:
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()


def json_response(status: int, value: Any, headers: Headers = ()) -> Response:
    """A response whose body is `value` as JSON."""
    body = msgspec.json.encode(value)

    async def stream() -> AsyncIterator[bytes]:
        yield body

    return Response(
        status,
        (("content-type", "application/json"), ("content-length", str(len(body))), *headers),
        stream(),
    )


def error_response(
    status: int, message: str, kind: str, headers: Headers = (), *, code: str | None = None
) -> Response:
    """An error in the shape that clients of models read: `{"error": {"message", "type"}}`, and `code` where given."""
    error = {"message": message, "type": kind} | ({} if code is None else {"code": code})
    return json_response(status, {"error": error}, headers)


def _full_url(head: h11.Request, here: str) -> str:
    """The URL that was asked for: RFC 9112, section 3.3."""
    target = head.target.decode("latin-1")
    if "://" in target and not target.startswith("/"):  # as proxies are asked
        return target
    host = dict(head.headers).get(b"host")
    base = f"http://{host.decode('latin-1')}" if host else here
    return base + target if target.startswith("/") else base  # `OPTIONS *` asks about the server as such


def _base_url(address: tuple[str, int]) -> str:
    host, port = address[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
