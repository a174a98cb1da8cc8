"""
What a provider lets through, as the headers of its answers say it: how much, how much is left, until when.

Read are `x-ratelimit-*` as OpenAI, Azure, Groq, Cerebras, Mistral, SambaNova, Fireworks, Together and OpenRouter send
it, `anthropic-ratelimit-*`, and `ratelimit-*` of the IETF's draft.

* https://platform.openai.com/docs/guides/rate-limits
* https://platform.claude.com/docs/en/api/rate-limits
* https://console.groq.com/docs/rate-limits
* https://inference-docs.cerebras.ai/support/rate-limits
* https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import msgspec

Metric: TypeAlias = Literal["requests", "tokens", "input_tokens", "output_tokens"]


class RateLimit(msgspec.Struct, frozen=True, omit_defaults=True):
    """One limit. What was not sent is None.

    Attributes:
        limit: how many are let through in the window.
        remaining: how many of them are left.
        reset: seconds until the limit is whole again.
        window: `second`, `minute`, `hour`, `day` or `month`, where the header's name has it.
    """

    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None
    window: str | None = None

    @property
    def share(self) -> float:
        """How much of it is left, from 0 to 1; 1 where that is not known."""
        if self.remaining == 0:
            return 0.0
        return min(1.0, self.remaining / self.limit) if self.remaining and self.limit else 1.0


class RateLimits(msgspec.Struct, frozen=True, omit_defaults=True):
    """The limits that an answer tells of. Where a provider has several of a kind, such as one a minute and one a
    day, it is the one of which the least is left.

    Attributes:
        requests: on calls.
        tokens: on tokens in and out together.
        input_tokens: on tokens in.
        output_tokens: on tokens out.
    """

    requests: RateLimit = RateLimit()
    tokens: RateLimit = RateLimit()
    input_tokens: RateLimit = RateLimit()
    output_tokens: RateLimit = RateLimit()

    @property
    def wait(self) -> float | None:
        """Seconds until nothing is used up any more; None where nothing is, or where that was not sent."""
        limits = (self.requests, self.tokens, self.input_tokens, self.output_tokens)
        return max((it.reset for it in limits if it.remaining == 0 and it.reset is not None), default=None)


_PREFIXES: tuple[tuple[str, Metric], ...] = (
    ("anthropic-ratelimit-", "requests"),
    ("x-ratelimitbysize-", "tokens"),
    ("ratelimitbysize-", "tokens"),
    ("x-tokenlimit-", "tokens"),
    ("x-ratelimit-", "requests"),
    ("ratelimit-", "requests"),
)
"""How names begin, and what is meant where they do not go on to say it."""

_METRICS: dict[str, Metric] = {
    "requests": "requests",
    "req": "requests",
    "tokens": "tokens",
    "input-tokens": "input_tokens",
    "tokens-prompt": "input_tokens",
    "output-tokens": "output_tokens",
    "tokens-generated": "output_tokens",
}
_FIELDS = ("limit", "remaining", "reset")
_WINDOWS = ("second", "minute", "hour", "day", "month")

_COUNT = re.compile(r"\s*([0-9]{1,18})(?![0-9])")
_ITEM = re.compile(r"[;,]\s*([qrtw])=([0-9]{1,18})(?![0-9])")

_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{0,18})?")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_STEP = re.compile(r"([0-9]{1,12}(?:\.[0-9]{0,18})?)(ns|us|µs|μs|ms|s|m|h|d)")
_DURATION = re.compile(rf"(?:{_STEP.pattern})+")

_EPOCH = 1e9
"""A number from here on is a moment (seconds since 1970), and no wait of 31 years."""

_EPOCH_MS = 1e11
_LONGEST = 366 * 86400.0
"""Seconds. No limit is said to last longer; a longer wait was misread, or is nonsense."""


def rate_limits(headers: Mapping[str, str], now: float | None = None) -> RateLimits:
    """The limits that the headers of an answer tell of.

    Args:
        headers: names in lower case.
        now: seconds since 1970, for limits that end at a moment; what the `date` header says where it is left out, so
            that an answer that is played says the same as when it was recorded.
    """
    if now is None:
        now = moment(headers.get("date", ""))
    found: dict[tuple[Metric, str | None], dict[str, int | float | None]] = {}
    for name, value in headers.items():
        if (place := _place(name)) is not None:
            metric, window, field = place
            parsed = seconds(value, now) if field == "reset" else _count(value)
            if parsed is not None:
                found.setdefault((metric, window), {}).setdefault(field, parsed)
    for field, value in _draft(headers):
        found.setdefault(("requests", None), {}).setdefault(field, value)
    tightest: dict[Metric, RateLimit] = {}
    for (metric, window), fields in found.items():
        limit = msgspec.convert({**fields, "window": window}, RateLimit)
        if metric not in tightest or _tightness(limit) < _tightness(tightest[metric]):
            tightest[metric] = limit
    return RateLimits(**tightest)


def seconds(text: str, now: float | None = None) -> float | None:
    """How many seconds from now a header or a body names; never less than 0. None where it names none.

    Args:
        text: seconds (`20`, `0.5`), a duration (`6m0s`, `120ms`, `2m59.56s`), a moment as seconds or milliseconds
            since 1970, or a date as in RFC 3339 or RFC 9110.
        now: seconds since 1970; where it is not known, moments say nothing.
    """
    text = text.strip()[:64]
    if _NUMBER.fullmatch(text):
        value = float(text)
        if value >= _EPOCH:
            value = _until(value / 1000 if value >= _EPOCH_MS else value, now)
    elif _DURATION.fullmatch(text.lower()):
        value = sum(float(step[1]) * _UNITS[step[2]] for step in _STEP.finditer(text.lower()))
    else:
        value = _until(moment(text), now)
    return None if value is None or value > _LONGEST else max(0.0, value)


def moment(text: str) -> float | None:
    """Seconds since 1970 of a date as in RFC 3339, or as in RFC 9110, 5.6.7 (`Sun, 06 Nov 1994 08:49:37 GMT`)."""
    text = text.strip()[:64]
    try:
        if text[:4].isdecimal():
            found = datetime.fromisoformat(text)
        elif "," in text:
            from email.utils import parsedate_to_datetime  # It loads much, and is rarely needed.

            found = parsedate_to_datetime(text)
        else:
            return None
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _until(then: float | None, now: float | None) -> float | None:
    return None if then is None or now is None else then - now


def _place(name: str) -> tuple[Metric, str | None, str] | None:
    """What a header's name stands for: the metric, its window and the field."""
    found = next((it for it in _PREFIXES if name.startswith(it[0])), None)
    if found is None:
        return None
    prefix, metric = found
    words = name[len(prefix) :].split("-")
    field = next((word for word in words if word in _FIELDS), None)
    if field is None:
        return None
    words.remove(field)
    window = words.pop() if words and words[-1] in _WINDOWS else None
    if words:
        named = _METRICS.get("-".join(words))
        return None if named is None else (named, window, field)
    return metric, window, field


def _draft(headers: Mapping[str, str]) -> Iterator[tuple[str, int | float | None]]:
    """`RateLimit: "default";r=50;t=30` and `RateLimit-Policy: "default";q=100;w=60`, of the newer drafts."""
    names = {"r": "remaining", "t": "reset", "q": "limit"}
    for header in ("ratelimit", "ratelimit-policy"):
        for item in _ITEM.finditer(headers.get(header, "")[:1000]):
            if item[1] in names and (item[1] == "q") == (header == "ratelimit-policy"):
                yield names[item[1]], seconds(item[2]) if item[1] == "t" else int(item[2])


def _count(text: str) -> int | None:
    found = _COUNT.match(text)
    return int(found[1]) if found else None


def _tightness(limit: RateLimit) -> tuple[float, float]:
    """What sorts the limit that matters most to the front: the least is left of it, and it lasts longest."""
    return limit.share, -(limit.reset or 0.0)
