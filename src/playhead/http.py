"""The one seam for I/O: a request goes in, a response with a stream of bytes comes out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, cast

import msgspec

if TYPE_CHECKING:
    from .errors import TransportError

Headers = tuple[tuple[str, str], ...]
"""Names and values in the order in which they stand on the wire; names may repeat."""


Outcome: TypeAlias = Literal["whole", "truncated", "refused", "broken"]
"""What a reader made of a body: a whole answer, one that stops before its end, an error of the provider's inside it,
or bytes that are outside the format."""


class Request(msgspec.Struct, frozen=True):
    """An HTTP request, whole."""

    method: str
    url: str
    headers: Headers = ()
    body: bytes = b""


class Response:
    """An HTTP response whose body is read as it arrives.

    Iterate over it for the pieces of the body, or `await read()` for all of it; then, in any case, `aclose()`.

    Args:
        status: the status code.
        headers: in wire order.
        stream: the body's pieces, decoded from transfer and content encodings.
        close: called once when the response is done with.
        settle: told what the reader made of the body, before it is done with.
        abandon: told why the reader gives up on the body, before it is done with.
        reason: the reason phrase, where there is one.
        http_version: such as `HTTP/1.1`.
    """

    def __init__(
        self,
        status: int,
        headers: Headers,
        stream: AsyncIterator[bytes],
        *,
        close: Callable[[], Awaitable[None]] | None = None,
        settle: Callable[[Outcome], None] | None = None,
        abandon: Callable[[TransportError], None] | None = None,
        reason: str = "",
        http_version: str = "HTTP/1.1",
    ) -> None:
        self.status = status
        self.headers = headers
        self.reason = reason
        self.http_version = http_version
        self._stream = stream
        self._close = close
        self._settle = settle
        self._abandon = abandon

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._stream

    def with_stream(
        self,
        stream: AsyncIterator[bytes],
        *,
        close: Callable[[], Awaitable[None]] | None = None,
        settle: Callable[[Outcome], None] | None = None,
        abandon: Callable[[TransportError], None] | None = None,
    ) -> Response:
        """This response with its body seen through `stream`: what a transport around a transport returns.

        Args:
            close: instead of this response's `aclose`, which it should call.
            settle: instead of this response's `settle`.
            abandon: instead of this response's `abandon`.
        """
        return Response(
            self.status,
            self.headers,
            stream,
            close=close or self.aclose,
            settle=settle or self.settle,
            abandon=abandon or self.abandon,
            reason=self.reason,
            http_version=self.http_version,
        )

    async def read(self) -> bytes:
        """The rest of the body."""
        return b"".join([chunk async for chunk in self._stream])

    def header(self, name: str) -> str | None:
        """The first value of a header, whatever the case of its name."""
        return header(self.headers, name)

    def settle(self, outcome: Outcome) -> None:
        """Say what the body was. HTTP alone does not know: an answer may be whole before its body ends, and a body
        may end before its answer does."""
        if self._settle is not None:
            self._settle(outcome)

    def abandon(self, error: TransportError) -> None:
        """Say that the reader gives up on the body, such as one that has stalled. On a tape the response then ends
        with this error, so that a replay raises it in the same place. To be called before the read that waits is
        cancelled and before the response is closed: what has ended stays as it ended."""
        if self._abandon is not None:
            self._abandon(error)

    async def aclose(self) -> None:
        """Give the connection back, or close it where the body was not read to its end."""
        close, self._close = self._close, None
        stream = self._stream
        try:
            # What is left half read would be closed some time later, by the garbage collector.
            if isinstance(stream, AsyncGenerator):
                pieces = cast("AsyncGenerator[bytes]", stream)
                if not getattr(pieces, "ag_running", False):
                    await pieces.aclose()
        finally:
            if close is not None:
                await close()


class Transport(Protocol):
    """Whatever can answer a request: the network, a tape, a test."""

    async def send(self, request: Request) -> Response:
        """Send a request and return when the response's headers are there.

        Raises:
            TransportError: no answer came. While the body is read, too.
        """
        ...

    async def aclose(self) -> None:
        """Let go of what is held."""
        ...


def header(headers: Headers, name: str) -> str | None:
    """The first value of the header `name`, whatever the case of its name."""
    wanted = name.lower()
    return next((value for key, value in headers if key.lower() == wanted), None)
