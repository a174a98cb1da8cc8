"""The connections of one server: one for each event loop, as long as somebody holds it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from ._connection import Connection
from ._ways import Way

if TYPE_CHECKING:
    from mcp.client.client import Client

T = TypeVar("T")


@dataclass(slots=True)
class _Seat:
    """Who holds the connection of one event loop."""

    runs: int = 0
    entered: int = 0
    asking: int = 0
    connection: Connection | None = None
    former: list[Connection] = field(default_factory=list[Connection])

    @property
    def is_held(self) -> bool:
        return bool(self.runs or self.entered or self.asking)


class Connections:
    """Opens a connection when one is needed, and closes it when nobody holds it any more.

    Args:
        name: the server's.
        way: how it is reached.
        timeout: seconds for connecting, and for each answer.
    """

    def __init__(self, name: str, way: Way, timeout: float | None) -> None:
        self._name, self._way, self._timeout = name, way, timeout
        self._seats: dict[asyncio.AbstractEventLoop, _Seat] = {}
        self._lock = threading.Lock()

    def begin_run(self) -> None:
        """A run holds the connection, until it says `end_run`. Nothing is opened yet."""
        self._seat().runs += 1

    async def end_run(self) -> None:
        """One run less. Where there was none, this only closes what nobody holds."""
        seat = self._seat()
        seat.runs = max(0, seat.runs - 1)
        await self._close_if_free(seat)

    def enter(self) -> None:
        """Somebody holds it open across runs."""
        self._seat().entered += 1

    async def leave(self) -> None:
        """One of those less."""
        seat = self._seat()
        seat.entered = max(0, seat.entered - 1)  # 0 where it was entered in another event loop.
        await self._close_if_free(seat)

    async def ask(self, request: Callable[[Client], Awaitable[T]]) -> T:
        """Make a request.

        A connection that is over is opened anew, once. A request that was under way when it broke is not sent again.

        Raises:
            TransportError: the server cannot be reached, is gone, or takes too long.
            ServerError: it refused, or its answer cannot be used.
            MissingDependency: the package `mcp` is not installed.
        """
        async with self._asking() as seat:
            connection = self._connected(seat)
            client = await connection.client()
            try:
                return await request(client)
            except Exception as error:
                if not connection.lost_session(error):
                    raise await connection.explain(error) from error
            connection.retire()  # The server was restarted, and has done nothing with the request.
            connection = self._connected(seat)
            client = await connection.client()
            try:
                return await request(client)
            except Exception as error:
                raise await connection.explain(error) from error

    @asynccontextmanager
    async def _asking(self) -> AsyncGenerator[_Seat]:
        seat = self._seat()
        seat.asking += 1
        try:
            yield seat
        finally:
            seat.asking -= 1
            await self._close_if_free(seat)

    def _connected(self, seat: _Seat) -> Connection:
        if seat.connection is not None and seat.connection.over:
            seat.former.append(seat.connection)
            seat.connection = None
        if seat.connection is None:
            seat.connection = Connection(self._name, self._way, self._timeout)
        return seat.connection

    async def _close_if_free(self, seat: _Seat) -> None:
        if seat.is_held:
            return
        with self._lock:
            self._seats.pop(asyncio.get_running_loop(), None)
        # Also those that are over: their processes may still be ending.
        connections = [*seat.former, *([] if seat.connection is None else [seat.connection])]
        await asyncio.gather(*(connection.aclose() for connection in connections))

    def _seat(self) -> _Seat:
        """That of the event loop which runs here. Loops that are closed have taken their connections with them."""
        loop = asyncio.get_running_loop()
        with self._lock:
            for other in [other for other in self._seats if other.is_closed()]:
                del self._seats[other]
            return self._seats.setdefault(loop, _Seat())
