"""Adds the API key below everything that records, and takes it out of what comes back: no tape ever sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from ..http import Request, Response, Transport, header

REDACTED = b"REDACTED"

_SHORTEST = 8
"""Bytes of a key that is looked for in responses. A shorter one would be found where it is none."""


class AuthTransport:
    """A transport around a transport that signs requests with a bearer key.

    A provider may echo the key, as in "invalid API key: ..."; above this transport nobody hears it.

    Args:
        inner: what sends the signed request.
        key: gives the key, or None where there is none; asked when a request goes out, never before.
    """

    def __init__(self, inner: Transport, key: Callable[[], str | None]) -> None:
        self._inner = inner
        self._key = key

    async def send(self, request: Request) -> Response:
        """Send with an `Authorization` header, unless the request has its own."""
        key = self._key()
        if not key:
            return await self._inner.send(request)
        if header(request.headers, "authorization") is None:
            headers = (*request.headers, ("Authorization", f"Bearer {key}"))
            request = Request(request.method, request.url, headers, request.body)
        response = await self._inner.send(request)
        if len(key) < _SHORTEST:
            return response
        return response.with_stream(_without(aiter(response), key.encode()))

    async def aclose(self) -> None:
        """Let go of the inner transport."""
        await self._inner.aclose()


async def _without(pieces: AsyncIterator[bytes], secret: bytes) -> AsyncIterator[bytes]:
    """The pieces with the secret taken out, also where it straddles two of them. A piece waits for the next one only
    with what may be the secret's beginning."""
    held = b""
    async for piece in pieces:
        data = (held + piece).replace(secret, REDACTED) if held or secret in piece else piece
        kept = _beginning(data, secret)
        held = data[len(data) - kept :]
        if data := data[: len(data) - kept]:
            yield data
    if held:
        yield held


def _beginning(data: bytes, secret: bytes) -> int:
    """How many bytes at the end of `data` may be the beginning of the secret."""
    if data[-1:] not in secret:
        return 0
    longest = min(len(data), len(secret) - 1)
    return next((n for n in range(longest, 0, -1) if data.endswith(secret[:n])), 0)
