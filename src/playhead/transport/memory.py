"""The in-memory transport: a function answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from ..http import Headers, Request, Response


class MemoryTransport:
    """Answers requests with a function. No network, no thread, no waiting.

    Args:
        handler: takes a request, returns its response or an awaitable of it. What it raises, `send` raises.

    Attributes:
        requests: what was sent so far, in order.
    """

    def __init__(self, handler: Callable[[Request], Response | Awaitable[Response]]) -> None:
        self.requests: list[Request] = []
        self._handler = handler

    async def send(self, request: Request) -> Response:
        """Note the request and return the handler's answer."""
        self.requests.append(request)
        answer = self._handler(request)
        return answer if isinstance(answer, Response) else await answer

    async def aclose(self) -> None:
        """Nothing is held, so nothing is let go of."""


def respond(
    status: int = 200,
    body: bytes | Iterable[bytes] = b"",
    headers: Headers = (),
    *,
    reason: str = "",
    close: Callable[[], Awaitable[None]] | None = None,
) -> Response:
    """A response that is already here.

    Args:
        status: the status code.
        body: all of it, or its pieces, which are yielded one by one as they stand. An iterable may raise, to
            cut the stream.
        headers: in wire order.
        reason: the reason phrase.
        close: called once when the response is done with.
    """
    pieces = ([body] if body else []) if isinstance(body, bytes) else body
    return Response(status, headers, _stream(pieces), close=close, reason=reason)


async def _stream(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
