"""Clients of httpx2 on a tape."""

from __future__ import annotations

from typing import Any

import httpx2

from ..tape.open import Mode, TapeSource
from ._httpx_family import AsyncBody, AsyncTransport, SyncBody, SyncTransport


class _Body(SyncBody, httpx2.SyncByteStream):
    pass


class _AsyncBody(AsyncBody, httpx2.AsyncByteStream):
    pass


class Httpx2Transport(SyncTransport, httpx2.BaseTransport):
    __doc__ = SyncTransport.__doc__

    _package = httpx2
    _stream = _Body


class AsyncHttpx2Transport(AsyncTransport, httpx2.AsyncBaseTransport):
    __doc__ = AsyncTransport.__doc__

    _package = httpx2
    _stream = _AsyncBody


def httpx2_client(
    tape: TapeSource | None = None,
    mode: Mode | None = None,
    *,
    inner: httpx2.BaseTransport | None = None,
    **options: Any,
) -> httpx2.Client:
    """A client of httpx2 on a tape. It follows redirects, as those do that SDKs make for themselves.

        client = openai.OpenAI(http_client=clients.httpx2_client("run.jsonl"))

    Args:
        tape: a file, a tape in memory, or one that is open. Without one it is the tape that is open around the call;
            where none is, requests go out as they would without this.
        mode: as for `open_tape`; `resume` where none is given.
        inner: sends what is not played.
        options: of `httpx2.Client`.

    Raises:
        ConfigError, TapeError: the tape cannot be used.
    """
    options.setdefault("follow_redirects", True)
    return httpx2.Client(transport=Httpx2Transport(tape, mode, inner=inner), **options)


def httpx2_async_client(
    tape: TapeSource | None = None,
    mode: Mode | None = None,
    *,
    inner: httpx2.AsyncBaseTransport | None = None,
    **options: Any,
) -> httpx2.AsyncClient:
    """`httpx2_client`, for asynchronous code on asyncio.

    client = openai.AsyncOpenAI(http_client=clients.httpx2_async_client("run.jsonl"))
    """
    options.setdefault("follow_redirects", True)
    return httpx2.AsyncClient(transport=AsyncHttpx2Transport(tape, mode, inner=inner), **options)
