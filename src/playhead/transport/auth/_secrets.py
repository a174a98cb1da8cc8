"""Takes secrets out of responses, also where they straddle two pieces."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from ...http import Headers, Response

REDACTED = b"REDACTED"

_SHORTEST = 8
"""Bytes of a secret that is looked for in responses. A shorter one would be found where it is none."""


def without(response: Response, secrets: tuple[str, ...]) -> Response:
    """The response with the secrets taken out of its headers and its body."""
    wanted = sorted({s.encode() for s in secrets if len(s) >= _SHORTEST}, key=len, reverse=True)
    if not wanted:
        return response
    found = re.compile(b"|".join(map(re.escape, wanted)))
    clean = response.with_stream(_without(aiter(response), tuple(wanted), found))
    clean.headers = cleaned(clean.headers, tuple(s.decode() for s in wanted))
    return clean


def cleaned(headers: Headers, secrets: tuple[str, ...]) -> Headers:
    """The headers with the secrets taken out of their values."""
    if not any(secret in value for _, value in headers for secret in secrets):
        return headers
    found = re.compile("|".join(map(re.escape, secrets)))
    return tuple((name, found.sub(REDACTED.decode(), value)) for name, value in headers)


async def _without(
    pieces: AsyncIterator[bytes], secrets: tuple[bytes, ...], found: re.Pattern[bytes]
) -> AsyncIterator[bytes]:
    """The pieces with the secrets taken out. A piece waits for the next one only with what may be the beginning of a
    secret."""
    held = b""
    async for piece in pieces:
        data = found.sub(REDACTED, held + piece) if held else found.sub(REDACTED, piece)
        kept = max(_beginning(data, secret) for secret in secrets)
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
