"""
One connection to a server, held open by a task of its own.

The package `mcp` opens task groups that have to be closed in the task that opened them. So one task does both, and in
between waits until nobody needs the connection any more. Requests are made by whoever needs their answers: a caller
that is cancelled cancels its own request, and tells the server so.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import TYPE_CHECKING

from .._version import __version__
from ..errors import MissingDependency, PlayheadError, TransportError
from ._errors import ServerError, in_words, innermost
from ._logs import keep_off_the_terminal, log_message, logger
from ._ways import Link, Stdio, Way

if TYPE_CHECKING:
    from mcp.client.client import Client
    from mcp.shared.exceptions import MCPError
    from mcp_types import LoggingMessageNotificationParams

_CLOSING_S = 10.0
_LAST_WORDS_S = 1.0
_ONLY_A_STATUS = "Server returned an error response"  # what the package says where the body says nothing
_KEYS = ("401", "403")


class Connection:
    """A connection that is being opened, open, or over.

    It belongs to the event loop that runs where it is made.

    Args:
        name: the server's.
        way: how it is reached.
        timeout: seconds for connecting, and for each answer; None for as long as it takes.

    Attributes:
        over: whether it is of no more use.
    """

    def __init__(self, name: str, way: Way, timeout: float | None) -> None:
        self.over = False
        self._name, self._way, self._timeout = name, way, timeout
        self._link = Link(self.retire)
        self._settled, self._stop = asyncio.Event(), asyncio.Event()
        self._late = self._unwanted = False
        self._client: Client | None = None
        self._failure: Callable[[], PlayheadError] | None = None
        # In a context of its own: it does not stand on the tape of the run that happens to need it first.
        self._task = asyncio.get_running_loop().create_task(
            self._hold(), name=f"playhead mcp {name}", context=contextvars.Context()
        )

    async def client(self) -> Client:
        """What requests are made with, once the connection is open.

        Raises:
            TransportError: it could not be opened.
            ServerError: the server would not have it.
            MissingDependency: the package `mcp` is not installed.
        """
        await self._settled.wait()
        if self._client is None or self._failure is not None:
            raise self._failure() if self._failure is not None else self._gone()
        return self._client

    def retire(self) -> None:
        """Use it no more. Its task closes it."""
        self.over = True
        if self._settled.is_set():
            self._stop.set()

    async def aclose(self) -> None:
        """Close it, and wait until it is closed: a process has ended then."""
        self.retire()
        if not self._settled.is_set():
            self._unwanted = True
            self._task.cancel()
        _, waiting = await asyncio.wait([self._task], timeout=_CLOSING_S)
        if waiting:
            self._task.cancel()
            await asyncio.wait([self._task])

    def lost_session(self, error: Exception) -> bool:
        """Whether a request failed only because the server no longer knows the session. Then it did nothing."""
        from mcp.shared.exceptions import MCPError
        from mcp_types import INVALID_REQUEST

        return self._link.session_lost and isinstance(error, MCPError) and error.code == INVALID_REQUEST

    async def explain(self, error: Exception) -> PlayheadError:
        """An error of the package `mcp`, in our words."""
        from mcp.shared.exceptions import MCPError

        if not isinstance(error, MCPError):
            return ServerError(self._mask(f"{self._who} answered with what cannot be used: {in_words(error)}"))
        if _timed_out(error):
            return self._too_slow()
        if _was_cut(error):
            # Its task knows more than the request, but a little later.
            await asyncio.wait([self._task], timeout=2 * _LAST_WORDS_S)
            return self._failure() if self._failure is not None else self._gone()
        return self._refused(error)

    async def _hold(self) -> None:
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle | None = None
        try:
            # Half a second of imports, which should not hold up whatever else this loop does.
            await asyncio.to_thread(_load)
            if self._timeout is not None:
                timer = loop.call_later(self._timeout, self._give_up)
            async with self._made() as client:
                if timer is not None:
                    timer.cancel()
                self._client = client
                self._settled.set()
                if self.over:
                    self._stop.set()
                await self._stop.wait()
        except BaseException as error:
            ours = self._late or self._unwanted
            why = innermost(error)
            if not ours and not isinstance(why, Exception):
                raise  # The event loop is being taken down.
            await self._fail(why)
        finally:
            if timer is not None:
                timer.cancel()
            self.over = True
            self._settled.set()

    def _made(self) -> Client:
        from mcp.client.client import Client
        from mcp_types import Implementation

        async def log(params: LoggingMessageNotificationParams) -> None:
            log_message(self._name, self._way.mask, params.level, params.data)

        return Client(
            self._way.streams(self._name, self._link),
            mode=self._way.mode,
            read_timeout_seconds=self._timeout,
            logging_callback=log,
            log_level="info",
            client_info=Implementation(name="playhead", version=__version__),
            cache=None,  # What was asked once is on the tape.
        )

    def _give_up(self) -> None:
        if not self._settled.is_set():
            self._late = True
            self._task.cancel()

    async def _fail(self, error: BaseException) -> None:
        if self._link.stderr is not None and not self._unwanted:
            await asyncio.to_thread(self._link.stderr.drained.wait, _LAST_WORDS_S)
        opened = self._client is not None
        logger.debug("%s: the connection ended: %s", self._name, self._mask(in_words(error)))
        if isinstance(error, MissingDependency):
            self._failure = lambda: MissingDependency(str(error))
        elif self._late:
            self._failure = self._too_slow
        elif opened or self._unwanted:
            self._failure = lambda: self._gone(error)
        else:
            self._failure = lambda: self._unreachable(error)

    @property
    def _who(self) -> str:
        return f"the MCP server {self._name!r} ({self._way.where})"

    def _mask(self, text: str) -> str:
        return self._way.mask(text)

    def _last_words(self) -> str:
        lines = self._link.stderr.tail if self._link.stderr is not None else ()
        return " It said: " + " | ".join(line for line in lines if line) if any(lines) else ""

    def _unreachable(self, error: BaseException) -> PlayheadError:
        """Why the connection could not be opened."""
        from mcp.shared.exceptions import MCPError

        if isinstance(error, MCPError):
            if _timed_out(error):
                return self._too_slow()
            if _was_cut(error):
                return TransportError(
                    f"{self._who} ended before it had answered.{self._mask(self._last_words())}", kind="connect"
                )
            return self._refused(error)
        if isinstance(error, OSError) and isinstance(self._way, Stdio):
            why = error.strerror or in_words(error)
            return TransportError(
                f"{self._who} cannot be started: {why}. Is the command installed, and on the PATH?", kind="connect"
            )
        return TransportError(f"{self._who} cannot be reached: {self._mask(in_words(error))}", kind="connect")

    def _gone(self, error: BaseException | None = None) -> PlayheadError:
        """The connection was cut while it was used."""
        why = (
            "" if error is None or isinstance(error, asyncio.CancelledError) else f" ({self._mask(in_words(error))})"
        )
        return TransportError(
            f"{self._who} is gone: the connection ended before the answer was there{why}. Whether the request did "
            f"its work is not known.{self._mask(self._last_words())}",
            kind="disconnect",
        )

    def _too_slow(self) -> PlayheadError:
        took = f"{self._timeout:g} s" if self._timeout is not None else "the time that it has"
        return TransportError(
            f"{self._who} did not answer within {took}; give it longer with timeout=."
            f"{self._mask(self._last_words())}",
            kind="timeout",
        )

    def _refused(self, error: MCPError) -> PlayheadError:
        status = self._link.status
        if status and error.message == _ONLY_A_STATUS:
            advice = " Does it want another key? It is given the headers in headers=." if status[:3] in _KEYS else ""
            return ServerError(f"{self._who} answered {status}.{advice}", code=error.code)
        text = f"{self._who} refused: {in_words(error)} (code {error.code})"
        return ServerError(self._mask(text), code=error.code)


def _timed_out(error: MCPError) -> bool:
    """Whether the package gave up waiting. Servers use the same code for errors of their own."""
    from mcp_types import REQUEST_TIMEOUT

    return error.code == REQUEST_TIMEOUT and error.message.endswith("timed out")


def _was_cut(error: MCPError) -> bool:
    """Whether the connection ended before the answer came. Servers use the same code for errors of their own."""
    from mcp_types import CONNECTION_CLOSED

    return error.code == CONNECTION_CLOSED and error.message.startswith(("Connection closed", "SSE stream "))


def _load() -> None:
    """Import what a connection needs.

    Raises:
        MissingDependency: it is not installed.
    """
    from importlib import import_module

    try:
        import_module("mcp.client.client")  # and with it both ways to reach a server
    except ModuleNotFoundError as error:
        if error.name not in ("mcp", "mcp.client.client", "mcp_types"):
            raise
        raise MissingDependency(
            "MCP servers need the package mcp, version 2 or newer: pip install 'playhead[mcp]'"
        ) from error
    keep_off_the_terminal()
