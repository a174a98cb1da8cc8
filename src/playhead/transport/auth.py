"""Adds the API key below everything that records, so that no tape ever sees it."""

from __future__ import annotations

from collections.abc import Callable

from ..http import Request, Response, Transport, header


class AuthTransport:
    """A transport around a transport that signs requests with a bearer key.

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
        if key and header(request.headers, "authorization") is None:
            headers = (*request.headers, ("Authorization", f"Bearer {key}"))
            request = Request(request.method, request.url, headers, request.body)
        return await self._inner.send(request)

    async def aclose(self) -> None:
        """Let go of the inner transport."""
        await self._inner.aclose()
