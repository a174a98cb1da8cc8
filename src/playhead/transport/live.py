"""The live transport: requests go out over the network, through httpx2.

httpx2 takes longer to import than the rest of Playhead together, so it is loaded with the first request and
not before: a run that is only replayed never pays for it.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, contextmanager
from functools import cache
from typing import TYPE_CHECKING, cast

from ..errors import ConfigError, MissingDependency, TransportError
from ..http import Headers, Request, Response, header

if TYPE_CHECKING:
    import ssl

    import httpx2

_IDLE_SECONDS = 30.0
"""How long an idle connection is kept: longer than most tools run, so that the next step finds it open."""

_FAILURES = {
    "ConnectError": ("connect", "could not connect to {host}: {reason}. Is the server running? {advice}"),
    "ProxyError": (
        "connect",
        "the proxy did not connect to {host}: {reason}. Check HTTP_PROXY and HTTPS_PROXY.",
    ),
    "ConnectTimeout": ("timeout", "no connection to {host} within {connect:g} s. {advice}"),
    "ReadTimeout": (
        "timeout",
        "{host} sent nothing for {read:g} s. Try again, or allow a longer read_timeout.",
    ),
    "WriteTimeout": ("timeout", "{host} did not take the request within {read:g} s. Try again. {advice}"),
    "ReadError": ("disconnect", "the connection to {host} was cut: {reason}. Try again. {advice}"),
    "WriteError": ("disconnect", "the connection to {host} was cut: {reason}. Try again. {advice}"),
    "CloseError": ("disconnect", "the connection to {host} was cut: {reason}. Try again. {advice}"),
    "LocalProtocolError": (
        "protocol",
        "the request to {host} is not valid HTTP: {reason}. Check its headers.",
    ),
    "RemoteProtocolError": ("protocol", "{host} broke the rules of HTTP: {reason}. Is this the right port?"),
    "DecodingError": (
        "protocol",
        "the body from {host} does not fit its content-encoding: {reason}. Try again.",
    ),
}
"""By httpx2's name for a failure: our kind, what happened, and what to do about it."""

_CUT = re.compile("disconnected|closed connection")
"""How h11 and httpcore2 word a connection that ended too early, for which they have no type of its own."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"([!-~\x80-\xff]([\t -~\x80-\xff]*[!-~\x80-\xff])?)?")
"""A field's name and value: RFC 9110, section 5."""


class LiveTransport:
    """Sends requests over the network, HTTP/1.1, with connections kept alive between them.

    What stands in the request is what goes out: no default headers, cookies or redirects come in between.
    Only `host`, `content-length` and `accept-encoding: identity` are added where they are missing, the last
    because whoever compresses a stream holds it back. The proxies of the environment (`HTTPS_PROXY`,
    `NO_PROXY`) are respected.

    There is no limit on connections: how many calls run at once is for the caller to say. One instance may
    serve several event loops one after the other, not at once.

    Args:
        connect_timeout: seconds for opening a connection, TLS included.
        read_timeout: seconds without a byte from the server before the request or its stream is given up, and
            seconds for the server to take the request.
    """

    def __init__(self, *, connect_timeout: float = 10.0, read_timeout: float = 600.0) -> None:
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._loop: asyncio.AbstractEventLoop | None = None
        self._clients: dict[str, httpx2.AsyncClient] = {}

    async def send(self, request: Request) -> Response:
        """Send a request and return when the response's headers are there. Redirects are not followed.

        A body that was compressed is decoded, and its `content-encoding` and `content-length` are dropped. An
        encoding that cannot be decoded here stays as it is, with its headers.

        Raises:
            ConfigError: the URL, a header or a proxy of the environment cannot be used. Nothing was sent.
            TransportError: no answer came. While the body is read, too.
        """
        import httpx2

        url = _parse_url(request.url)
        outgoing = httpx2.Request(request.method, url, headers=_outgoing_headers(request), content=request.body)
        client = self._client(url.scheme)
        with self._failures(url):
            incoming = await client.send(outgoing, stream=True)
        decode = _decodable(client, incoming)
        stream = self._stream(incoming, url, decode=decode)

        async def close() -> None:
            await stream.aclose()
            await incoming.aclose()

        return Response(
            incoming.status_code,
            _incoming_headers(incoming, decoded=decode),
            stream,
            close=close,
            reason=incoming.reason_phrase,
            http_version=incoming.http_version,
        )

    async def aclose(self) -> None:
        """Close the connections. A request that is sent afterwards opens new ones."""
        clients, self._clients = self._clients, {}
        if self._loop is asyncio.get_running_loop():
            for client in clients.values():
                await client.aclose()

    def _client(self, scheme: str) -> httpx2.AsyncClient:
        """The client for a scheme. `http` has its own, which never reads the system's certificates."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # Sockets belong to the loop that opened them; from here they can neither be used nor closed.
            self._loop, self._clients = loop, {}
        if scheme not in self._clients:
            self._clients[scheme] = self._new_client(scheme)
        return self._clients[scheme]

    def _new_client(self, scheme: str) -> httpx2.AsyncClient:
        import httpx2

        try:
            return httpx2.AsyncClient(
                verify=_trusting_the_system() if scheme == "https" else _trusting_nobody(),
                timeout=httpx2.Timeout(self._read_timeout, connect=self._connect_timeout, pool=None),
                limits=httpx2.Limits(keepalive_expiry=_IDLE_SECONDS),
            )
        except ImportError as error:
            raise MissingDependency(
                "the environment names a SOCKS proxy (ALL_PROXY), which needs a package that is not "
                "installed: pip install 'httpx2[socks]', or unset the variable"
            ) from error
        except OSError as error:
            raise ConfigError(
                f"the certificates to trust could not be read ({error}): check SSL_CERT_FILE and SSL_CERT_DIR"
            ) from error
        except (httpx2.InvalidURL, ValueError):
            raise ConfigError(
                "the environment names a proxy that cannot be used: expected http://, https:// or socks5:// "
                "with a host and a port in HTTP_PROXY, HTTPS_PROXY and ALL_PROXY"
            ) from None  # the cause may show the proxy's password

    async def _stream(
        self, incoming: httpx2.Response, url: httpx2.URL, *, decode: bool
    ) -> AsyncGenerator[bytes, None]:
        with self._failures(url):
            async with aclosing(incoming.aiter_bytes() if decode else incoming.aiter_raw()) as pieces:
                async for piece in pieces:
                    yield piece

    @contextmanager
    def _failures(self, url: httpx2.URL) -> Generator[None]:
        """Turn httpx2's errors into ours."""
        import h11
        import httpx2

        try:
            yield
        except (httpx2.HTTPError, h11.LocalProtocolError) as error:  # httpcore2 lets some of h11's own through
            kind, message = _FAILURES.get(
                type(error).__name__, ("protocol", "{host} could not be reached: {reason}.")
            )
            if isinstance(error, httpx2.RemoteProtocolError) and _CUT.search(str(error)):
                kind, message = _FAILURES["ReadError"]
            text = message.format(
                host=_host(url),
                reason=_reason(error),
                advice=_advice(url.scheme),
                connect=self._connect_timeout,
                read=self._read_timeout,
            )
            raise TransportError(text, kind=kind) from error
        except BaseExceptionGroup as group:  # Of anyio, where several addresses are tried.
            found = group.subgroup(ConfigError)
            if found is None:
                raise
            first: BaseException = found
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]
            raise first from None


def _parse_url(text: str) -> httpx2.URL:
    import httpx2

    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL as error:
        raise ConfigError(f"the URL {_shown(text)!r} cannot be used: {_reason(error)}. Check base_url.") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigError(
            f"expected a URL such as 'https://api.example.com/v1', with http:// or https:// and a host, "
            f"got {_shown(text)!r}. Check base_url."
        )
    if url.port is not None and not 0 < url.port < 65536:
        raise ConfigError(f"expected a port from 1 to 65535, got {url.port} in {_shown(text)!r}. Check base_url.")
    return url


def _shown(url: str) -> str:
    """A URL without what may be secret in it: the query, the fragment and the user's name and password."""
    return re.sub(r"[?#].*", "", re.sub(r"//[^/?#]*@", "//", url), flags=re.DOTALL)


def _host(url: httpx2.URL) -> str:
    port = url.port or (443 if url.scheme == "https" else 80)
    return f"[{url.host}]:{port}" if ":" in url.host else f"{url.host}:{port}"


def _outgoing_headers(request: Request) -> list[tuple[bytes, bytes]]:
    """The request's headers as bytes, checked here because h11's error would show the value, thus the key."""
    for name, value in request.headers:
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{name!r} cannot be the name of a header: expected letters, digits and hyphens")
        if not _VALUE.fullmatch(value):
            raise ConfigError(
                f"the value of the header {name!r} cannot be sent: it has a line break, a space at an end or "
                f"a character that is not Latin-1. Was a key read from a file together with its line break?"
            )
    headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in request.headers]
    if header(request.headers, "accept-encoding") is None:
        headers.append((b"Accept-Encoding", b"identity"))
    return headers


def _incoming_headers(incoming: httpx2.Response, *, decoded: bool) -> Headers:
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in incoming.headers.raw)
    if not decoded:
        return headers
    return tuple(pair for pair in headers if pair[0].lower() not in ("content-encoding", "content-length"))


def _decodable(client: httpx2.AsyncClient, incoming: httpx2.Response) -> bool:
    """Whether the body is encoded, and httpx2 can decode all of it with what is installed."""
    values = incoming.headers.get_list("content-encoding", split_commas=True)
    encodings = {value.lower() for value in values} - {"identity"}
    # A client's own default is the one public list of what httpx2 can decode.
    return bool(encodings) and encodings <= set(client.headers["accept-encoding"].split(", "))


def _reason(error: BaseException) -> str:
    """What went wrong, in the operating system's words where it has some: httpx2's are often empty."""
    import socket
    import ssl

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (ssl.SSLError, socket.gaierror)) and cause.strerror:
            return cause.strerror
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno)  # asyncio replaces `strerror` with a text of its own
        cause = _origin(cause)
    return str(error).rstrip(".") or type(error).__name__


def _origin(error: BaseException) -> BaseException | None:
    """What an error was made from. Never its `__context__`: that may be an older failure, now tried again."""
    if isinstance(error, BaseExceptionGroup):  # several addresses were tried: the first speaks for all
        return cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    wrapped = error.args[0] if error.args else None  # httpcore2 keeps it there, and cuts `__cause__` off
    return wrapped if isinstance(wrapped, BaseException) else error.__cause__


def _advice(scheme: str) -> str:
    from urllib.request import getproxies

    proxies = getproxies()
    if scheme in proxies or "all" in proxies:
        return "Check base_url, the network and the proxy that the environment names."
    return "Check base_url and the network."


@cache
def _trusting_the_system() -> ssl.SSLContext:
    """Made once a process: reading the system's certificates takes tens of milliseconds."""
    import httpx2

    return httpx2.create_ssl_context()


@cache
def _trusting_nobody() -> ssl.SSLContext:
    """For clients of plain `http`: httpx2 insists on a context. This one costs nothing and lets nobody in."""
    import ssl

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
