"""Faults around a function that sends, for code that is not asynchronous."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from ...errors import TransportError
from ...http import Headers, Request
from ._bodies import Action, BodyFilter, Wait
from ._faults import Faults
from ._memory import Asked, Key, Memory


class SyncResponse(Protocol):
    """An answer whose body is read as it arrives, such as `play_sync` gives."""

    @property
    def status(self) -> int:
        """The status code."""
        ...

    @property
    def reason(self) -> str:
        """The reason phrase, where there is one."""
        ...

    @property
    def http_version(self) -> str:
        """Such as `HTTP/1.1`."""
        ...

    @property
    def headers(self) -> Headers:
        """In wire order."""
        ...

    @property
    def pieces(self) -> Iterator[bytes]:
        """The body."""
        ...


SyncSend: TypeAlias = Callable[[Request], SyncResponse]


@dataclass(frozen=True)
class SyncAnswer:
    """An answer as the faults let it be seen.

    Attributes:
        pieces: the body; raises `TransportError` where a fault cuts it.
        close: the reader leaves; a stall in another thread ends.
    """

    status: int
    reason: str
    http_version: str
    headers: Headers
    pieces: Iterator[bytes]
    close: Callable[[], None] = field(default=lambda: None)


class SyncFaultTransport:
    """`FaultTransport`, for code that is not asynchronous. A stall without an end needs a `read_timeout`, or somebody
    who closes the answer from another thread.

    Args:
        inner: sends a request, and returns when the answer's headers are there.
        faults: what strikes; it may be shared.
        read_timeout: seconds without a byte before a stall ends in a `TransportError`; None is never.
        key: as for `FaultTransport`.
    """

    def __init__(
        self, inner: SyncSend, faults: Faults, *, read_timeout: float | None = None, key: Key | None = None
    ) -> None:
        self._inner = inner
        self._faults = faults
        self._read_timeout = read_timeout
        self._memory: Memory[_Exchange] = Memory(key)

    def send(self, request: Request) -> SyncAnswer:
        """Send, unless a fault stands before it.

        Raises:
            TransportError: a fault. While the body is read, too.
        """
        call = self._faults.call(request)
        if (refusal := call.refusal()) is not None:
            return SyncAnswer(refusal.status, refusal.reason, "HTTP/1.1", refusal.headers, iter([refusal.body]))
        asked = self._memory.asked(request)
        exchange = self._memory.take(asked) or _Exchange(self._inner(request))
        real = exchange.response
        reading = _Reading(self._memory, asked, exchange, call.body(real.status), self._read_timeout)
        exchange.reading = reading
        headers = call.headers(real.headers)
        return SyncAnswer(real.status, real.reason, real.http_version, headers, reading.pieces(), reading.close)

    def close(self) -> None:
        """Let go of what is remembered."""
        for exchange in self._memory.clear():
            exchange.close()


class _Reading:
    """One way through an answer, as the faults let it be seen."""

    def __init__(
        self,
        memory: Memory[_Exchange],
        asked: Asked,
        exchange: _Exchange,
        body: BodyFilter | None,
        read_timeout: float | None,
    ) -> None:
        self._memory = memory
        self._asked = asked
        self._exchange = exchange
        self._body = body or BodyFilter(())
        self._read_timeout = read_timeout
        self._left = threading.Event()

    def pieces(self) -> Iterator[bytes]:
        """The body."""
        n = 0
        while not self._body.spoiled and (piece := self._exchange.piece(n)) is not None:
            n += 1
            yield from self._done(self._body.feed(piece))
        if not self._body.spoiled:
            yield from self._done(self._body.end())
        if not self._body.spoiled:
            self._memory.forget(self._asked, self._exchange)  # What was read to its end is not asked again.

    def close(self) -> None:
        """The reader leaves."""
        self._left.set()
        if self._exchange.reading is self:
            try:
                if self._memory.holds(self._asked, self._exchange):
                    self._exchange.drain()
            finally:
                self._exchange.close()

    def _done(self, actions: list[Action]) -> Iterator[bytes]:
        if self._body.struck and self._exchange.reading is self:
            # Before anything is done: behind it there may be no time.
            self._memory.keep(self._asked, self._exchange)
        for action in actions:
            if isinstance(action, Wait):
                self._wait(action.seconds)
            elif isinstance(action, TransportError):
                raise action
            else:
                yield action

    def _wait(self, seconds: float | None) -> None:
        limit = self._read_timeout
        if limit is not None and seconds is not None and seconds <= limit:
            limit = None
        if self._left.wait(seconds if limit is None else limit):
            raise TransportError("the response was closed while a fault stalled it", kind="disconnect")
        if limit is not None:
            raise TransportError(f"nothing came for {limit:g} s: a fault stalls the body", kind="timeout")


class _Exchange:
    """An answer, kept as it is read, so that it can be read more than once.

    Attributes:
        reading: whoever reads it now, and closes it.
    """

    def __init__(self, response: SyncResponse) -> None:
        self.response = response
        self.reading: _Reading | None = None
        self._pieces: list[bytes] = []
        self._over = False
        self._error: TransportError | None = None
        self._lock = threading.Lock()

    def piece(self, n: int) -> bytes | None:
        """The piece number `n`; None where the body is over.

        Raises:
            TransportError: the inner one's.
        """
        with self._lock:
            while n >= len(self._pieces) and not self._over:
                self._read()
        if n < len(self._pieces):
            return self._pieces[n]
        if self._error is not None:
            raise self._error
        return None

    def drain(self) -> None:
        """Read it to its end."""
        with self._lock:
            while not self._over:
                self._read()

    def close(self) -> None:
        """Let go of it: the answer's own `close` is called, where it has one, or else that of its pieces."""
        close: Any = getattr(self.response, "close", None) or getattr(self.response.pieces, "close", None)
        if close is not None:
            with self._lock:  # Nobody may be reading from it meanwhile.
                close()

    def _read(self) -> None:
        try:
            self._pieces.append(next(self.response.pieces))
        except StopIteration:
            self._over = True
        except TransportError as error:
            self._over, self._error = True, error
