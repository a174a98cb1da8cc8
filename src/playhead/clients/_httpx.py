"""Clients of httpx on a tape."""

from __future__ import annotations

from typing import Any

import httpx

from ..tape.open import Mode, TapeSource
from ._httpx_family import AsyncBody, AsyncTransport, SyncBody, SyncTransport


class _Body(SyncBody, httpx.SyncByteStream):
    pass


class _AsyncBody(AsyncBody, httpx.AsyncByteStream):
    pass


class HttpxTransport(SyncTransport, httpx.BaseTransport):
    __doc__ = SyncTransport.__doc__

    _package = httpx
    _stream = _Body


class AsyncHttpxTransport(AsyncTransport, httpx.AsyncBaseTransport):
    __doc__ = AsyncTransport.__doc__

    _package = httpx
    _stream = _AsyncBody


def httpx_client(
    tape: TapeSource | None = None,
    mode: Mode | None = None,
    *,
    inner: httpx.BaseTransport | None = None,
    **options: Any,
) -> httpx.Client:
    """A client of httpx on a tape. It follows redirects, as those do that SDKs make for themselves.

        client = openai.OpenAI(http_client=clients.httpx_client("run.jsonl"))

    Args:
        tape: a file, a tape in memory, or one that is open. Without one it is the tape that is open around the call;
            where none is, requests go out as they would without this.
        mode: as for `open_tape`; `resume` where none is given.
        inner: sends what is not played.
        options: of `httpx.Client`.

    Raises:
        ConfigError, TapeError: the tape cannot be used.
    """
    options.setdefault("follow_redirects", True)
    return httpx.Client(transport=HttpxTransport(tape, mode, inner=inner), **options)


def httpx_async_client(
    tape: TapeSource | None = None,
    mode: Mode | None = None,
    *,
    inner: httpx.AsyncBaseTransport | None = None,
    **options: Any,
) -> httpx.AsyncClient:
    """`httpx_client`, for asynchronous code on asyncio.

    client = openai.AsyncOpenAI(http_client=clients.httpx_async_client("run.jsonl"))
    """
    options.setdefault("follow_redirects", True)
    return httpx.AsyncClient(transport=AsyncHttpxTransport(tape, mode, inner=inner), **options)
