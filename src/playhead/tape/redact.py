"""
What may stand on a tape. Everything else is left out before anything reaches the disk.

Headers are kept by a list of those that hold no secret; of URLs, user names, passwords and parameters that are named
like a key are not kept.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit, urlunsplit

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
_SECRET_PARAMETERS = frozenset(
    {
        "accesstoken",
        "apikey",
        "auth",
        "authorization",
        "clientsecret",
        "key",
        "password",
        "pwd",
        "secret",
        "sig",
        "signature",
        "subscriptionkey",
        "token",
        "xapikey",
        "xgoogapikey",
        "xgoogsignature",
        "xamzsignature",
        "xamzsecuritytoken",
    }
)
"""Names of query parameters that hold secrets, in lower case and without `-`, `_` and `.`."""

_ALLOWED_PREFIXES = ("playhead-", "x-ratelimit-", "anthropic-ratelimit-", "ratelimit-")


def allowed_headers(headers: Headers) -> Headers:
    """The headers that are known to hold no secret."""
    return tuple((name, value) for name, value in headers if _allowed(name.lower()))


def redacted(request: Request) -> Request:
    """The request with nothing in its headers and its URL that may be a secret."""
    return Request(request.method, safe_url(request.url), allowed_headers(request.headers), request.body)


def safe_url(url: str) -> str:
    """The URL without a user and a password, and with `REDACTED` for parameters that are named like a key."""
    if "@" not in url and "?" not in url:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    query = "&".join(map(_safe_parameter, parts.query.split("&")))
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query))


def _safe_parameter(parameter: str) -> str:
    name, equals, _ = parameter.partition("=")
    plain = re.sub(r"[-_.]", "", unquote(name)).lower()
    return f"{name}=REDACTED" if equals and plain in _SECRET_PARAMETERS else parameter


def _allowed(name: str) -> bool:
    return name in _ALLOWED or name.startswith(_ALLOWED_PREFIXES)
