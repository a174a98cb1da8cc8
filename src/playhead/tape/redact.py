"""Which headers may stand on a tape. All others are left out before anything reaches the disk."""

from __future__ import annotations

from ..http import Headers, Request

_ALLOWED = frozenset(
    {
        "accept",
        "accept-encoding",
        "anthropic-beta",
        "anthropic-version",
        "cache-control",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "http-referer",
        "idempotency-key",
        "openai-processing-ms",
        "openai-version",
        "retry-after",
        "retry-after-ms",
        "server",
        "transfer-encoding",
        "user-agent",
        "x-generation-id",
        "x-request-id",
        "x-should-retry",
        "x-title",
    }
)
_ALLOWED_PREFIXES = ("playhead-", "x-ratelimit-", "anthropic-ratelimit-", "ratelimit-")


def allowed_headers(headers: Headers) -> Headers:
    """The headers that are known to hold no secret."""
    return tuple((name, value) for name, value in headers if _allowed(name.lower()))


def redacted(request: Request) -> Request:
    """The request with only the headers that are known to hold no secret."""
    return Request(request.method, request.url, allowed_headers(request.headers), request.body)


def _allowed(name: str) -> bool:
    return name in _ALLOWED or name.startswith(_ALLOWED_PREFIXES)
