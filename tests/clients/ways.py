"""Each package's way to send one request and read its answer, behind one call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import yarl

from playhead import clients
from playhead.http import Request

TIMEOUT_S = 20


@dataclass
class Seen:
    """What the client saw of an answer.

    Attributes:
        error: what it raised, before there was an answer or in the middle of the body.
    """

    status: int = 0
    reason: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)
    error: Exception | None = None

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    def head(self, status: int, reason: str | None, headers: Any) -> None:
        self.status, self.reason = status, reason or ""
        self.headers = {name.lower(): value for name, value in headers.items()}


@dataclass
class Asking:
    """One request, and how it is read.

    Attributes:
        most: pieces that are read before the client leaves; None is all.
        on_piece: called with each piece.
        body: what is sent instead of the request's body, such as an iterator.
    """

    source: Any
    request: Request
    mode: Any = None
    most: int | None = None
    on_piece: Callable[[bytes], None] = lambda _: None
    body: Any = None
    seen: Seen = field(default_factory=Seen)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Those that the package does not make itself."""
        made = ("content-length", "host", "transfer-encoding", "content-encoding")
        return [pair for pair in self.request.headers if pair[0].lower() not in made]

    @property
    def content(self) -> Any:
        return self.request.body if self.body is None else self.body

    def enough(self, piece: bytes) -> bool:
        self.seen.pieces.append(piece)
        self.on_piece(piece)
        return self.most is not None and len(self.seen.pieces) >= self.most


def _sync_httpx(asking: Asking, package: str) -> None:
    with getattr(clients, f"{package}_client")(asking.source, asking.mode, timeout=TIMEOUT_S) as client:
        stream = client.stream(
            asking.request.method, asking.request.url, headers=asking.headers, content=asking.content
        )
        with stream as response:
            asking.seen.head(response.status_code, response.reason_phrase, response.headers)
            for piece in response.iter_bytes():
                if asking.enough(piece):
                    break


async def _async_httpx(asking: Asking, package: str) -> None:
    async with getattr(clients, f"{package}_async_client")(asking.source, asking.mode, timeout=TIMEOUT_S) as client:
        stream = client.stream(
            asking.request.method, asking.request.url, headers=asking.headers, content=asking.content
        )
        async with stream as response:
            asking.seen.head(response.status_code, response.reason_phrase, response.headers)
            async for piece in response.aiter_bytes():
                if asking.enough(piece):
                    break


def _requests(asking: Asking) -> None:
    with clients.requests_session(asking.source, asking.mode) as session:
        sent = session.request(
            asking.request.method,
            asking.request.url,
            headers=dict(asking.headers),
            data=asking.content,
            stream=True,
            timeout=TIMEOUT_S,
        )
        with sent as response:
            asking.seen.head(response.status_code, response.reason, response.headers)
            for piece in response.iter_content(None):
                if asking.enough(piece):
                    break


async def _aiohttp(asking: Asking) -> None:
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with clients.aiohttp_session(asking.source, asking.mode, timeout=timeout) as session:
        url = yarl.URL(asking.request.url, encoded=True)  # As it stands: aiohttp would write `:` for `%3A`.
        sent = session.request(asking.request.method, url, headers=asking.headers, data=asking.content)
        async with sent as response:
            asking.seen.head(response.status, response.reason, response.headers)
            async for piece in response.content.iter_any():
                if asking.enough(piece):
                    break


_WAYS: dict[str, Callable[[Asking], Any]] = {
    "httpx": lambda asking: _sync_httpx(asking, "httpx"),
    "httpx async": lambda asking: asyncio.run(_async_httpx(asking, "httpx")),
    "httpx2": lambda asking: _sync_httpx(asking, "httpx2"),
    "httpx2 async": lambda asking: asyncio.run(_async_httpx(asking, "httpx2")),
    "requests": _requests,
    "aiohttp": lambda asking: asyncio.run(_aiohttp(asking)),
}
WAYS = tuple(_WAYS)
ASYNC = ("httpx async", "httpx2 async", "aiohttp")


def ask(way: str, source: Any, request: Request, mode: Any = None, **more: Any) -> Seen:
    """Send a request with a client of its own, which is closed in the end, and read the answer."""
    asking = Asking(source, request, mode, **more)
    try:
        _WAYS[way](asking)
    except Exception as error:
        asking.seen.error = error
    return asking.seen
