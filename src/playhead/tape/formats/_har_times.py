"""Times: seconds on a tape, milliseconds and dates in HAR."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ._har_fields import Number, Timings

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Where a tape that does not say when it was created begins in a file that must say so."""


def beginning(meta: Mapping[str, Any]) -> datetime:
    """When a tape with these facts began."""
    created = meta.get("created")
    return (_date(created) if isinstance(created, str) else None) or _EPOCH


def seconds(milliseconds: Iterable[Number]) -> float | None:
    """The sum of what is known; None where nothing is. Nanoseconds at most: behind them stand errors of sums."""
    known = [value for value in milliseconds if value is not None and value >= 0]
    total = sum(known) / 1000
    return round(total, 9) if known and math.isfinite(total) else None


def head_s(timings: Timings | None) -> float | None:
    """The seconds to the response's headers: all phases up to them."""
    if timings is None or timings.wait is None or timings.wait < 0:
        return None
    return seconds([timings.blocked, timings.dns, timings.connect, timings.send, timings.wait])


def milliseconds(seconds: float | None) -> float:
    """As HAR wants it: a number that is not negative."""
    value = (seconds or 0) * 1000
    return max(round(value, 6), 0) if math.isfinite(value) else 0


def _date(text: str) -> datetime | None:
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def since(began: datetime, text: str | None) -> float | None:
    """The seconds from the tape's beginning to a date. Raises ValueError where it is none."""
    if not text:
        return None
    date = _date(text)
    if date is None:
        raise ValueError(f"its `startedDateTime` {text[:40]!r} is not a date of ISO 8601")
    return (date - began).total_seconds()


def stamp(began: datetime, seconds: float | None) -> str:
    """A date as browsers write it: milliseconds, where they suffice, and `Z` for UTC."""
    try:
        date = began + timedelta(seconds=seconds or 0)
    except (OverflowError, ValueError):
        date = began
    text = date.isoformat(timespec="microseconds" if date.microsecond % 1000 else "milliseconds")
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text
