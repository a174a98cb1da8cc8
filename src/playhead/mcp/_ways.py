"""The two ways to reach an MCP server: a process that is started, and an address."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

from ..tape.secrets._environment import secrets_of
from ._logs import Mask, Stderr

if TYPE_CHECKING:
    import httpx2
    from mcp.client._transport import TransportStreams

_CONNECT_S = 30.0
_FOREVER = None
_LETS_IN = ("authorization", "proxy_authorization")


@dataclass(slots=True)
class Link:
    """What is noticed of a connection while it lasts.

    Attributes:
        ended: called when the server's side of it is closed.
        status: the last HTTP status that was an error, with its reason.
        session_lost: whether the server has said that it no longer knows the session.
        stderr: of a process, while it runs and afterwards.
    """

    ended: Callable[[], None]
    status: str = ""
    session_lost: bool = False
    stderr: Stderr | None = None


class Way(Protocol):
    """How a server is reached."""

    @property
    def where(self) -> str:
        """The command or the address, for messages."""
        ...

    @property
    def mask(self) -> Mask:
        """Takes what nobody should read out of texts."""
        ...

    @property
    def secrets(self) -> Mask:
        """Takes out of a server's answers what nobody wants on a tape or before a model: its keys alone."""
        ...

    @property
    def mode(self) -> str:
        """How the version of the protocol is agreed on: `auto`, or `legacy` for the handshake before 2026."""
        ...

    def streams(self, name: str, link: Link) -> AbstractAsyncContextManager[TransportStreams]:
        """Open the connection. It is closed in the task that opened it."""
        ...


@dataclass(frozen=True, kw_only=True)
class Stdio:
    """A process that is started, and spoken to by its stdin and stdout."""

    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] | None = field(default=None, repr=False)
    cwd: str | None = None
    mode: str = "auto"

    @property
    def where(self) -> str:
        """The command, without its arguments: a key may be among them."""
        return self.command

    @property
    def mask(self) -> Mask:
        """Hides the values of the environment that it was given."""
        return Mask((self.env or {}).values())

    @property
    def secrets(self) -> Mask:
        """Hides the values of variables that are named like secrets: `API_KEY`, `TOKEN` and the like."""
        return Mask(secrets_of(self.env or {}))

    @asynccontextmanager
    async def streams(self, name: str, link: Link) -> AsyncGenerator[TransportStreams]:
        """Start the process. It is ended with this block: stdin is closed, then it is killed with its children.

        Raises:
            OSError: it cannot be started.
        """
        from mcp.client.stdio import StdioServerParameters, stdio_client

        parameters = StdioServerParameters(
            command=self.command,
            args=list(self.args),
            env=dict(self.env or {}),
            cwd=self.cwd,
            encoding_error_handler="replace",  # A line that is not UTF-8 is no message, but no end either.
        )
        link.stderr = Stderr(name, self.mask)
        with link.stderr.pipe as pipe:
            async with stdio_client(parameters, errlog=pipe) as (read, write):
                pipe.close()  # The process has its own; with ours open there would be no end.
                yield cast("Any", _Watched(read, link.ended)), write


@dataclass(frozen=True, kw_only=True)
class Http:
    """A server that is reached by streamable HTTP."""

    url: str
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    mode: str = "auto"

    @property
    def where(self) -> str:
        """The address, without a password, a query or a fragment."""
        from urllib.parse import urlsplit

        parts = urlsplit(self.url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()

    @property
    def mask(self) -> Mask:
        """Hides the headers' values, and what an address may have of keys."""
        from urllib.parse import parse_qsl, unquote, urlsplit

        parts = urlsplit(self.url)
        asked = [value for _, value in parse_qsl(parts.query)]
        raw = [pair.partition("=")[2] for pair in parts.query.split("&")]  # As it is quoted.
        own = [parts.password or "", unquote(parts.password or "")]
        return Mask([*(self.headers or {}).values(), *asked, *raw, *own])

    @property
    def secrets(self) -> Mask:
        """Hides what `Authorization` has behind its scheme, and the values of headers that are named like secrets."""
        given = {name.replace("-", "_"): value for name, value in (self.headers or {}).items()}
        lets_in = [value.split()[-1] for name, value in given.items() if name.lower() in _LETS_IN and value.strip()]
        return Mask([*lets_in, *secrets_of(given)])

    @asynccontextmanager
    async def streams(self, name: str, link: Link) -> AsyncGenerator[TransportStreams]:  # noqa: ARG002
        """Open the connection. A session is ended with this block."""
        import httpx2
        from mcp.client.streamable_http import streamable_http_client

        async def notice(response: httpx2.Response) -> None:
            if response.status_code >= 400:
                link.status = f"{response.status_code} {response.reason_phrase}".strip()
                link.session_lost |= response.status_code == 404 and "mcp-session-id" in response.request.headers

        # How long an answer may take is counted for each request, by the client.
        times = httpx2.Timeout(_CONNECT_S, read=_FOREVER)
        hooks: dict[str, list[Callable[..., Any]]] = {"response": [notice]}
        async with (
            httpx2.AsyncClient(headers=dict(self.headers or {}), timeout=times, event_hooks=hooks) as client,
            streamable_http_client(self.url, http_client=client) as (read, write),
        ):
            yield cast("Any", _Watched(read, link.ended)), write


class _Watched:
    """A stream of messages that says when it has ended."""

    def __init__(self, inner: Any, ended: Callable[[], None]) -> None:
        self._inner = inner
        self._ended = ended

    @property
    def last_context(self) -> Any:
        """The context in which the last message was sent, where the stream keeps that."""
        return getattr(self._inner, "last_context", None)

    async def receive(self) -> Any:
        """The next message."""
        try:
            return await self._inner.receive()
        except Exception:
            self._ended()
            raise

    async def aclose(self) -> None:
        """Close the stream."""
        await self._inner.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        try:
            return await anext(self._inner)
        except Exception:  # StopAsyncIteration, and a stream that was closed
            self._ended()
            raise

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> bool | None:
        return await self._inner.__aexit__(*error)
