"""
What the transports for httpx and for httpx2 have in common, which is all but the classes that they derive from.

httpx2 is httpx under another name, and neither takes the other's objects. So nothing here is of one of them: whoever
derives from these classes names the package.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import aclosing, contextmanager
from types import TracebackType
from typing import Any, ClassVar
from urllib.request import getproxies, proxy_bypass
from weakref import WeakKeyDictionary

from ..errors import TransportError
from ..http import Headers, Response
from ..tape.open import Mode, TapeSource
from ..tape.opened import OpenTape
from ..transport.faults import SyncAnswer
from ._async import AsyncExchanges, stopped
from ._exchange import Asked, NativeError, decoded, unencoded
from ._source import Source, undisturbed
from ._sync import SyncExchanges

_KINDS = (
    ("TimeoutException", "timeout"),
    ("ConnectError", "connect"),
    ("ProxyError", "connect"),
    ("UnsupportedProtocol", "connect"),
    ("NetworkError", "disconnect"),
)
"""Of the packages' errors, the first that fits says the kind; all others are `protocol`."""

_CUT = re.compile("disconnected|closed connection")
"""How httpcore words a connection that ended too early, for which it has no type of its own."""

_ERRORS = {
    "connect": "ConnectError",
    "timeout": "ReadTimeout",
    "disconnect": "ReadError",
    "protocol": "RemoteProtocolError",
}


class SyncTransport:
    """Plays a client's requests from a tape, or sends and records them.

    Args:
        tape: a file, a tape in memory, or one that is open. Without one it is the tape that is open around the call;
            where none is, requests go out as if this were `inner`.
        mode: as for `open_tape`; `resume` where none is given.
        inner: sends what is not played. The package's own transport where it is left out, with the proxies of the
            environment, and without a limit on connections.

    Raises:
        ConfigError, TapeError: the tape cannot be used.
    """

    _package: ClassVar[Any]
    _stream: ClassVar[Any]

    def __init__(self, tape: TapeSource | None = None, mode: Mode | None = None, *, inner: Any = None) -> None:
        self._source = Source(tape, mode)
        self._inner = inner or _Network(self._package)
        self._exchanges = SyncExchanges(self._send)

    def handle_request(self, request: Any) -> Any:
        """Answer a request.

        Raises:
            Divergence: the tape does not hold it, and may not grow.
        """
        tape = self._source.tape()
        if tape is None or _plain(tape):
            return self._inner.handle_request(request)
        request.read()
        with own_errors(self._package):
            answer = self._exchanges.answer(_asked(tape, request))
        return _response(self._package, answer, self._stream(self, answer))

    def close(self) -> None:
        """Let go of the connections, and close the tape if it was opened here."""
        self._close(whole=undisturbed())

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self._close(whole=exc_type is None)

    def _close(self, *, whole: bool) -> None:
        try:
            self._exchanges.close()
            self._inner.close()
        finally:
            self._source.close(whole=whole)

    def _send(self, asked: Asked) -> SyncAnswer:
        with _recorded_errors(self._package):
            response = self._inner.handle_request(_outgoing(self._package, asked))
        return SyncAnswer(
            response.status_code,
            response.reason_phrase,
            response.http_version,
            _headers(self._package, response),
            self._pieces(response),
            response.close,
        )

    def _pieces(self, response: Any) -> Iterator[bytes]:
        with _recorded_errors(self._package):
            if response.is_stream_consumed:  # It was made with its body, or read by `inner`.
                yield response.content
                return
            yield from response.iter_bytes() if _decodable(self._package, response) else response.iter_raw()


class AsyncTransport:
    """`SyncTransport`, for asynchronous clients on asyncio. Arguments and errors are the same."""

    _package: ClassVar[Any]
    _stream: ClassVar[Any]

    def __init__(self, tape: TapeSource | None = None, mode: Mode | None = None, *, inner: Any = None) -> None:
        self._source = Source(tape, mode)
        self._inner = inner or _AsyncNetwork(self._package)
        self._exchanges = AsyncExchanges(self._send)

    async def handle_async_request(self, request: Any) -> Any:
        """Answer a request.

        Raises:
            Divergence: the tape does not hold it, and may not grow.
        """
        tape = self._source.tape()
        if tape is None or _plain(tape):
            return await self._inner.handle_async_request(request)
        await request.aread()
        with own_errors(self._package):
            response = await self._exchanges.answer(_asked(tape, request))
        return _response(self._package, response, self._stream(self, response))

    async def aclose(self) -> None:
        """Let go of the connections, and close the tape if it was opened here."""
        await self._close(whole=undisturbed())

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self._close(whole=exc_type is None)

    async def _close(self, *, whole: bool) -> None:
        try:
            await self._exchanges.aclose()
            await self._inner.aclose()
        finally:
            self._source.close(whole=whole)

    async def _send(self, asked: Asked) -> Response:
        with _recorded_errors(self._package):
            response = await self._inner.handle_async_request(_outgoing(self._package, asked))
        pieces = self._pieces(response)

        async def close() -> None:
            await stopped(pieces)
            await response.aclose()

        return Response(
            response.status_code,
            _headers(self._package, response),
            pieces,
            close=close,
            reason=response.reason_phrase,
            http_version=response.http_version,
        )

    async def _pieces(self, response: Any) -> AsyncGenerator[bytes]:
        with _recorded_errors(self._package):
            if response.is_stream_consumed:  # It was made with its body, or read by `inner`.
                yield response.content
                return
            decode = _decodable(self._package, response)
            async with aclosing(response.aiter_bytes() if decode else response.aiter_raw()) as pieces:
                async for piece in pieces:
                    yield piece


class SyncBody:
    """The body of an answer. It holds the transport, and with it the tape."""

    def __init__(self, transport: SyncTransport, answer: SyncAnswer) -> None:
        self._transport = transport
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with own_errors(self._transport._package):  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            yield from self._answer.pieces

    def close(self) -> None:
        """The client is done with it."""
        self._answer.close()


class AsyncBody:
    """`SyncBody`, for asynchronous clients."""

    def __init__(self, transport: AsyncTransport, response: Response) -> None:
        self._transport = transport
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with own_errors(self._transport._package):  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            async for piece in self._response:
                yield piece

    async def aclose(self) -> None:
        """The client is done with it."""
        await self._response.aclose()


class _Network:
    """The package's own transports: one without a proxy, and one for each proxy that the environment names. They are
    made when something is sent: reading the system's certificates takes tens of milliseconds."""

    def __init__(self, package: Any) -> None:
        self._package = package
        self._proxies = _Proxies()
        self._transports: dict[str | None, Any] = {}
        self._lock = threading.Lock()

    def handle_request(self, request: Any) -> Any:
        """Send it, by way of its proxy where it has one."""
        proxy = self._proxies.of(request.url)
        with self._lock:
            if proxy not in self._transports:
                limits = self._package.Limits()
                self._transports[proxy] = self._package.HTTPTransport(proxy=proxy, limits=limits)
        return self._transports[proxy].handle_request(request)

    def close(self) -> None:
        """Close the connections."""
        transports, self._transports = self._transports, {}
        for transport in transports.values():
            transport.close()


class _AsyncNetwork:
    """`_Network`, for asynchronous clients. Connections belong to the event loop that opened them."""

    def __init__(self, package: Any) -> None:
        self._package = package
        self._proxies = _Proxies()
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str | None, Any]] = WeakKeyDictionary()

    async def handle_async_request(self, request: Any) -> Any:
        """Send it, by way of its proxy where it has one."""
        proxy = self._proxies.of(request.url)
        transports = self._loops.setdefault(asyncio.get_running_loop(), {})
        if proxy not in transports:
            transports[proxy] = self._package.AsyncHTTPTransport(proxy=proxy, limits=self._package.Limits())
        return await transports[proxy].handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        for transport in self._loops.pop(asyncio.get_running_loop(), {}).values():
            await transport.aclose()


@contextmanager
def own_errors(package: Any) -> Generator[None]:
    """Turn our errors into those that the package's clients know."""
    try:
        yield
    except NativeError as error:
        raise error.native from error.native.__cause__
    except TransportError as error:
        raise getattr(package, _ERRORS.get(error.kind, "RemoteProtocolError"))(str(error)) from error


@contextmanager
def _recorded_errors(package: Any) -> Generator[None]:
    """Turn the package's errors into those that are recorded."""
    try:
        yield
    except package.RequestError as error:
        raise NativeError(error, _kind(package, error)) from error


def _kind(package: Any, error: Exception) -> str:
    for name, kind in _KINDS:
        if isinstance(error, getattr(package, name)):
            return kind
    return "disconnect" if _CUT.search(str(error)) else "protocol"


def _plain(tape: OpenTape) -> bool:
    """Whether requests go out as they are: nothing is played, kept or struck."""
    return tape.mode == "off" and tape.options.faults is None


def _asked(tape: OpenTape, request: Any) -> Asked:
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw)
    return Asked(
        request.method,
        str(request.url),
        unencoded(headers),
        request.content,
        tape=tape,
        native=request,
        read_timeout=request.extensions.get("timeout", {}).get("read"),
    )


def _outgoing(package: Any, asked: Asked) -> Any:
    return package.Request(
        asked.method,
        asked.native.url,
        headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in asked.headers],
        stream=package.ByteStream(asked.body),
        extensions=asked.native.extensions,
    )


def _response(package: Any, answer: SyncAnswer | Response, stream: Any) -> Any:
    extensions = {"http_version": (answer.http_version or "HTTP/1.1").encode("ascii", "ignore")}
    if answer.reason:
        extensions["reason_phrase"] = answer.reason.encode("ascii", "ignore")
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    return package.Response(answer.status, headers=headers, stream=stream, extensions=extensions)


def _headers(package: Any, response: Any) -> Headers:
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw)
    return decoded(headers) if _decodable(package, response) else headers


def _decodable(package: Any, response: Any) -> bool:
    """Whether the body is encoded all the same, and the package can decode all of it with what is installed."""
    if "content-encoding" not in response.headers:
        return False
    values = response.headers.get_list("content-encoding", split_commas=True)
    encodings = {value.strip().lower() for value in values} - {"identity"}
    # A client's own default is the one public list of what the package can decode.
    with package.Client(transport=package.BaseTransport()) as client:
        return bool(encodings) and encodings <= set(client.headers["accept-encoding"].split(", "))


class _Proxies:
    """The proxies that the environment names. It is read once for each host, as it holds for as long as a client."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], str | None] = {}

    def of(self, url: Any) -> str | None:
        """The proxy for a URL; None where it is reached directly."""
        place = url.scheme, url.host
        if place not in self._found:
            proxies = getproxies()
            proxy = proxies.get(url.scheme) or proxies.get("all")
            if proxy and "://" not in proxy:
                proxy = f"http://{proxy}"
            self._found[place] = None if not proxy or proxy_bypass(url.host) else proxy
        return self._found[place]
