"""Faults around a transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from ...errors import TransportError
from ...http import Outcome, Request, Response, Transport
from ._bodies import Action, BodyFilter, Wait
from ._faults import Faults
from ._memory import Asked, Key, Memory

_PATIENCE_S = 0.5
"""Seconds that closing a struck answer waits for the rest of the real one, before that is read in the background."""


class FaultTransport:
    """A transport around a transport that strikes calls with faults.

    A status and `connect` are answered here: the request is not sent on, so that a tape below does not move. All
    others strike the body of an answer that did come. The real answer is remembered, and is what the next call with
    the very same method, URL and body gets, without asking `inner` again: the client's retry finds what it would have
    found without the fault. (That call may be struck, too, if a fault says so.) An answer that was read to its end is
    not remembered, unless the reader says that it was no whole one.

    A struck answer gives its connection back when it is closed and the rest of the real answer has come; what has not
    come within half a second is read in the background, until this transport is closed.

    Args:
        inner: what answers.
        faults: what strikes; it may be shared with other transports, and then counts the calls of all.
        read_timeout: seconds without a byte before a stall ends in a `TransportError`, as it would with a real
            connection; None is never.
        key: what else is the same in a call that is tried again, beside its method, its URL and its body; such as
            who asks, where several do that do not know one another. It is asked when the call is sent.
    """

    def __init__(
        self, inner: Transport, faults: Faults, *, read_timeout: float | None = None, key: Key | None = None
    ) -> None:
        self._inner = inner
        self._faults = faults
        self._read_timeout = read_timeout
        self.memory: Memory[_Exchange] = Memory(key)
        self._draining: set[_Exchange] = set()

    async def send(self, request: Request) -> Response:
        """Send, unless a fault stands before it.

        Raises:
            TransportError: a fault, or no answer came. While the body is read, too.
        """
        call = self._faults.call(request)
        if (refusal := call.refusal()) is not None:
            return Response(refusal.status, refusal.headers, _once(refusal.body), reason=refusal.reason)
        asked = self.memory.asked(request)
        exchange = self.memory.take(asked)
        if exchange is None:
            response = await self._inner.send(request)
            if (body := call.body(response.status)) is None:
                return response
            exchange = _Exchange(response)
        else:
            body = call.body(exchange.response.status) or BodyFilter(())
        reading = exchange.reading = _Reading(self, asked, exchange, body)
        headers = call.headers(exchange.response.headers)
        answer = exchange.response.with_stream(reading.pieces(), close=reading.close, settle=reading.settle)
        answer.headers = headers
        return answer

    async def aclose(self) -> None:
        """Let go of what is remembered, and of the inner transport."""
        for exchange in {*self._draining, *self.memory.clear()}:
            await exchange.close()
        await self._inner.aclose()

    async def drain(self, exchange: _Exchange) -> None:
        """Read a struck answer to its end, and give its connection back."""
        self._draining.add(exchange)
        await exchange.drain(_PATIENCE_S, lambda: self._draining.discard(exchange))

    async def wait(self, seconds: float | None, left: asyncio.Event) -> None:
        """Stall.

        Raises:
            TransportError: the reader left, or has waited for as long as it may.
        """
        limit = self._read_timeout
        if limit is not None and seconds is not None and seconds <= limit:
            limit = None
        try:
            async with asyncio.timeout(seconds if limit is None else limit):
                await left.wait()
        except TimeoutError:
            if limit is None:
                return
            raise TransportError(f"nothing came for {limit:g} s: a fault stalls the body", kind="timeout") from None
        raise TransportError("the response was closed while a fault stalled it", kind="disconnect")


class _Exchange:
    """An answer of the inner transport, kept as it is read, so that it can be read more than once.

    Attributes:
        reading: whoever reads it now, and closes it.
    """

    def __init__(self, response: Response) -> None:
        self.response = response
        self.reading: _Reading | None = None
        self.broken = False
        self._stream = aiter(response)
        self._pieces: list[bytes] = []
        self._over = False
        self._error: TransportError | None = None
        self._lock = asyncio.Lock()
        self._draining: asyncio.Task[None] | None = None

    async def piece(self, n: int) -> bytes | None:
        """The piece number `n`; None where the body is over.

        Raises:
            TransportError: the inner transport's.
        """
        while n >= len(self._pieces) and not self._over:
            await self._read()
        if n < len(self._pieces):
            return self._pieces[n]
        if self._error is not None:
            raise self._error
        return None

    async def drain(self, patience: float, done: Callable[[], None]) -> None:
        """Read it to its end, and close it.

        Args:
            patience: seconds to wait for that. Then it is left to the background.
            done: called once it is closed.
        """
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain())
            self._draining.add_done_callback(lambda task: (done(), task.cancelled() or task.exception()))
        await asyncio.wait({self._draining}, timeout=patience)

    async def close(self) -> None:
        """Give the connection back, whatever has not come yet."""
        if self._draining is not None:
            self._draining.cancel()
            await asyncio.wait({self._draining})
        await self.response.aclose()

    async def _drain(self) -> None:
        try:
            while not self._over:
                await self._read()
        finally:
            await self.response.aclose()

    async def _read(self) -> None:
        """One more piece, or the end; for one reader at a time, so that the others may find it there already."""
        known = len(self._pieces)
        async with self._lock:
            if self._over or len(self._pieces) > known:
                return
            try:
                self._pieces.append(await anext(self._stream))
            except StopAsyncIteration:
                self._over = True
            except TransportError as error:
                self._over, self._error = True, error
            except BaseException:
                # Cancelled in the middle of a piece: from here on the stream would say that it is over.
                self._over, self.broken = True, True
                self._error = TransportError("the response was given up while it was read", kind="disconnect")
                raise


class _Reading:
    """One way through an answer, as the faults let it be seen."""

    def __init__(self, owner: FaultTransport, asked: Asked, exchange: _Exchange, body: BodyFilter) -> None:
        self._owner = owner
        self._asked = asked
        self._exchange = exchange
        self._body = body
        self._left = asyncio.Event()
        self._content = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body."""
        n = 0
        while not self._body.spoiled and (piece := await self._exchange.piece(n)) is not None:
            n += 1
            for action in self._noted(self._body.feed(piece)):
                if data := await self._done(action):
                    yield data
        if not self._body.spoiled:
            for action in self._noted(self._body.end()):
                if data := await self._done(action):
                    yield data
        if not self._body.spoiled:
            self._owner.memory.forget(self._asked, self._exchange)  # What was read to its end is not asked again.

    def settle(self, outcome: Outcome) -> None:
        """What the reader made of the body. What a fault made of it is no concern of the inner transport."""
        if outcome == "whole":
            self._content = True
            self._owner.memory.forget(self._asked, self._exchange)
        if outcome == "whole" or not self._body.struck:
            self._exchange.response.settle(outcome)
        elif outcome != "refused":
            self._remember()

    async def close(self) -> None:
        """The reader leaves."""
        self._left.set()
        if self._exchange.reading is not self:
            return  # It is somebody else's by now.
        if self._owner.memory.holds(self._asked, self._exchange):
            if not self._exchange.broken:
                await self._owner.drain(self._exchange)
                return
            self._owner.memory.forget(self._asked, self._exchange)
        await self._exchange.close()

    def _noted(self, actions: list[Action]) -> list[Action]:
        """The actions. Before the first of them is done it is remembered what the fault takes away: behind it there
        may be no time for that."""
        if self._body.struck:
            self._remember()
        return actions

    def _remember(self) -> None:
        if self._exchange.reading is self and not self._content and not self._exchange.broken:
            self._owner.memory.keep(self._asked, self._exchange)

    async def _done(self, action: Action) -> bytes:
        if isinstance(action, Wait):
            await self._owner.wait(action.seconds, self._left)
            return b""
        if isinstance(action, TransportError):
            raise action
        return action


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body
