"""What an HTTP status means, and what to do about it: one table for all providers."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from dataclasses import dataclass

from .errors import ProviderError
from .providers import Provider
from .tape.redact import safe_url


@dataclass(frozen=True, slots=True)
class _Meaning:
    kind: str
    hint: str
    retryable: bool = False


_MEANINGS = {
    204: _Meaning("bad_request", "There is no answer in it: check the address {base_url}."),
    400: _Meaning("bad_request", "Change the request: its settings, its tools or its length."),
    401: _Meaning("authentication", "The key is not accepted: check {key}."),
    402: _Meaning("payment", "The account has no credit left: add some, or use a cheaper model."),
    403: _Meaning("permission", "The key may not do this, or the content was refused: check what {key} allows."),
    404: _Meaning("not_found", "Check the model's name {model!r} and the address {base_url}."),
    408: _Meaning("timeout", "The provider waited too long: try again, or ask for less.", True),
    413: _Meaning("bad_request", "The request is too large: send fewer or smaller messages."),
    422: _Meaning("bad_request", "Change the request: its settings, its tools or its length."),
    429: _Meaning("rate_limit", "Too many requests, or the quota is used up: try again {when}.", True),
}
_REDIRECT = _Meaning("not_found", "It points to {location}, and is not followed: check the address {base_url}.")
_INSIDE = _Meaning("stream", "It came in the middle of the answer: ask again, or use another model.", True)
_SERVER = _Meaning("server", "The provider has a problem: try again {when}, or use another model.", True)
_OTHER = _Meaning("bad_request", "Check the request and the address {base_url}.")


_CODES = {
    "authentication_error": 401,
    "invalid_api_key": 401,
    "insufficient_quota": 402,
    "permission_error": 403,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "overloaded_error": 529,
    "server_error": 500,
}
"""Codes that providers use in words, and what they would be as a status."""


def refused(
    error: ProviderError, status: int, headers: Mapping[str, str], provider: Provider, model: str
) -> ProviderError:
    """`error` with all that its status and headers say, and with what to do.

    Args:
        error: with the provider's own message and code, and the body.
        headers: the response's, names in lower case.
    """
    meaning = _meaning(_code_as_status(error.code) if status == 200 else status)
    wait = retry_after(headers)
    key = f"the API key in {' or '.join(provider.key_names)}" if provider.key_names else "the API key"
    when = "later" if wait is None else f"in {wait:g} s"
    location = safe_url(headers.get("location", "nowhere")).partition("?")[0]
    address = safe_url(provider.base_url).partition("?")[0]
    hint = meaning.hint.format(key=key, model=model, base_url=address, when=when, location=location)
    return ProviderError(
        error.message,
        kind=meaning.kind,
        status=status,
        code=error.code,
        provider=provider.name,
        retry_after=wait,
        retryable=meaning.retryable or error.retryable,
        hint=hint,
        headers=dict(headers),
        body=error.body,
        metadata=error.metadata,
    )


def _meaning(status: int | None) -> _Meaning:
    if status is None:
        return _INSIDE
    if 300 <= status < 400:
        return _REDIRECT
    return _MEANINGS.get(status) or (_SERVER if status >= 500 else _OTHER)


def _code_as_status(code: str | None) -> int | None:
    """The status that an error inside a 200 would have had, where its code says so."""
    named = _CODES.get((code or "").lower())
    return named or (int(code) if code and code.isdecimal() and 400 <= int(code[:4]) < 600 else None)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from `retry-after-ms` or `retry-after` (seconds, or a date as in RFC 9110, 10.2.3)."""
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return max(0.0, float(milliseconds) / 1000)
        value = headers.get("retry-after")
        if value is None:
            return None
        return max(0.0, float(value))
    except ValueError:
        try:
            return max(0.0, email.utils.parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time())
        except (KeyError, ValueError, TypeError):
            return None
