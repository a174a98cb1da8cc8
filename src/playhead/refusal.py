"""What a refusal means with all that its headers say, how long to wait, and what to do."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, cast

from .errors import ConfigError, ProviderError
from .providers import Provider
from .ratelimits import moment, rate_limits, seconds
from .tape.redact import safe_url

_HINTS = {
    "authentication": "The key is not accepted: check {key}.",
    "payment": "The account has no credit left: add some, or use a cheaper model.",
    "permission": "The key may not do this: check what {key} allows.",
    "not_found": "Check the model's name {model!r} and the address {base_url}.",
    "rate_limit": "Too many requests, or the quota is used up: try again {when}.",
    "overloaded": "The provider has no room at the moment: try again {when}, or use another model.",
    "context_length": "It is too long for the model{lengths}: send fewer or shorter messages, ask for a shorter "
    "answer, or use a model with a longer context.",
    "content_policy": "A filter refused what was said: say it in another way, or use another model.",
    "bad_request": "Change the request: its settings, its tools or its length.",
    "server": "The provider has a problem: try again {when}, or use another model.",
    "timeout": "The provider waited too long: try again {when}, or ask for less.",
    "not_json": "What answered is not the API: check the address {base_url}.",
    "stream": "It came in the middle of the answer: ask again, or use another model.",
}
"""What to do about each kind."""

_STATUS_HINTS = {
    204: "There is no answer in it: check the address {base_url}.",
    413: "The request is too large: send fewer or smaller messages.",
}
_REDIRECT = "It points to {location}, and is not followed: check the address {base_url}."
_OTHER = "Check the request and the address {base_url}."
_AT_ONCE = "One request asks for more than is ever let through at once{lengths}: send less, or raise the limit."

_REQUEST_IDS = (
    "x-request-id",
    "request-id",
    "x-amzn-requestid",
    "apim-request-id",
    "x-ms-request-id",
    "x-goog-request-id",
    "mistral-correlation-id",
    "nvcf-reqid",
    "x-generation-id",
    "x-vercel-id",
)
"""The headers in which providers say how they call a request."""

_WAIT = re.compile(
    r"(?:try again|retry)(?: in| after) (?P<number>[0-9]{1,9}(?:\.[0-9]{1,9})?) ?(?P<unit>milli|sec|min|hour|day)"
    r"|(?:try again|retry)(?: in| after) (?P<duration>(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ms|[dhms]))+)",
    re.IGNORECASE,
)
"""`Please try again in 6m0s.`, `Please retry after 86400 seconds`"""

_UNITS = {"milli": "ms", "sec": "s", "min": "m", "hour": "h", "day": "d"}


def refused(
    error: ProviderError, status: int, headers: Mapping[str, str], provider: Provider, model: str
) -> ProviderError:
    """`error` with all that its status and headers say, and with what to do.

    Args:
        error: with the provider's own message and code, and the body.
        headers: the response's, names in lower case.
    """
    named = headers.get("x-amzn-errortype", "").partition(":")[0]  # Bedrock's body does not say it.
    codes = [code for code in (named, error.code) if code]
    from .wire._refusal_kinds import classify  # Loaded when something is refused.

    verdict = classify(status, codes, error.message, error.kind)
    known = error.kind == verdict.kind != "stream"
    found = ProviderError(
        error.message,
        kind=verdict.kind,
        status=status,
        code=error.code or named or None,
        provider=provider.name,
        retry_after=error.retry_after,
        retryable=error.retryable if known else verdict.retryable or error.retryable,
        used_tokens=verdict.used_tokens if error.used_tokens is None else error.used_tokens,
        limit_tokens=verdict.limit_tokens if error.limit_tokens is None else error.limit_tokens,
        request_id=_request_id(error, headers),
        headers=dict(headers),
        body=error.body,
        metadata=error.metadata,
    )
    if (asked := headers.get("x-should-retry")) in ("true", "false"):
        found.retryable = asked == "true"
    found.retry_after = retry_after(headers, found)
    found.hint = _hint(found, provider, model)
    return found


def retry_after(headers: Mapping[str, str], error: ProviderError | None = None) -> float | None:
    """Seconds to wait, as the provider named them: never less than 0.

    The first that says something counts: the headers `retry-after-ms` and `retry-after` (seconds, or a date as in
    RFC 9110, 10.2.3); and where asking again may help, the same among the headers that OpenRouter puts into the
    body, Google's `RetryInfo`, the message (`Please try again in 20s`), and when a rate limit that is used up is
    whole again. A long wait, such as for a daily quota, is given as it is named.

    Args:
        headers: the response's, names in lower case.
        error: what the body says.
    """
    now = moment(headers.get("date", ""))
    now = time.time() if now is None else now
    found = _from_headers(headers, now)
    if error is None or found is not None or not error.retryable:
        return found
    quoted = _strings(error.metadata.get("headers"))
    steps = (
        error.retry_after,
        _from_headers(quoted, now),
        _from_details(error.metadata, now),
        _from_words(error.message),
        rate_limits(headers, now).wait if error.kind == "rate_limit" else None,
        rate_limits(quoted, now).wait if error.kind == "rate_limit" else None,
    )
    return next((wait for wait in steps if wait is not None), None)


def _from_headers(headers: Mapping[str, str], now: float) -> float | None:
    wait = seconds(f"{headers['retry-after-ms'].strip()}ms") if headers.get("retry-after-ms") else None
    return seconds(headers.get("retry-after", ""), now) if wait is None else wait


def _from_details(metadata: dict[str, Any], now: float) -> float | None:
    """https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto"""
    for item in _items(metadata.get("details")):
        if isinstance(item, dict) and "retryDelay" in item:
            delay: object = cast("dict[str, object]", item)["retryDelay"]
            if isinstance(delay, str):
                return seconds(delay, now)
    wait = metadata.get("retry_after_seconds", metadata.get("retry_after"))
    return seconds(str(wait), now) if isinstance(wait, int | float | str) and wait is not True else None


def _from_words(message: str) -> float | None:
    found = _WAIT.search(message[:4000])
    if found is None:
        return None
    return seconds(found["duration"] or f"{found['number']}{_UNITS[found['unit'].lower()]}")


def _request_id(error: ProviderError, headers: Mapping[str, str]) -> str | None:
    named = next((headers[name] for name in _REQUEST_IDS if headers.get(name)), None)
    return named or error.request_id or headers.get("cf-ray")


def _hint(error: ProviderError, provider: Provider, model: str) -> str:
    status, used, limit = error.status or 0, error.used_tokens, error.limit_tokens
    lengths = "" if limit is None else f" ({limit} tokens)" if used is None else f" ({used} tokens of {limit})"
    return _template(error, status).format(
        key=f"the API key in {' or '.join(provider.key_names)}" if provider.key_names else "the API key",
        model=model,
        base_url=safe_url(_address(provider)).partition("?")[0],
        when="later" if error.retry_after is None else f"in {error.retry_after:g} s",
        location=safe_url(error.headers.get("location", "nowhere")).partition("?")[0],
        lengths=lengths,
    )


def _address(provider: Provider) -> str:
    try:
        return provider.address()
    except ConfigError:  # Played without the variables of the address.
        return provider.base_url


def _template(error: ProviderError, status: int) -> str:
    if 300 <= status < 400:
        return _REDIRECT
    if error.kind == "rate_limit" and error.used_tokens is not None:
        return _AT_ONCE
    if error.kind == "bad_request":
        return _STATUS_HINTS.get(status) or (_HINTS[error.kind] if status in (200, 400, 422) else _OTHER)
    return _HINTS.get(error.kind, _OTHER)


def _strings(value: object) -> dict[str, str]:
    """Headers that stand in a body, names in lower case."""
    if not isinstance(value, dict):
        return {}
    pairs = cast("dict[str, object]", value).items()
    return {name.lower(): str(item)[:200] for name, item in pairs if isinstance(item, str | float)}


def _items(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []
