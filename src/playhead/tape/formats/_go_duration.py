"""Durations as Go writes them, such as `2.540430708s`, `980.667µs` and `1m2.5s`: whole nanoseconds."""

from __future__ import annotations

import re

_UNITS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_PIECE = re.compile(r"([0-9]{0,19})(?:\.([0-9]{0,19}))?(ns|us|µs|μs|ms|s|m|h)")
_DURATION = re.compile(rf"([-+]?)((?:(?=\.?[0-9]){_PIECE.pattern})+|0)")


def seconds(text: str) -> float | None:
    """A duration of Go's in seconds; None where it is empty or not one."""
    found = _DURATION.fullmatch(text)
    if not found:
        return None
    nanoseconds = 0
    for whole, fraction, unit in _PIECE.findall(found[2]):
        nanoseconds += int(whole or 0) * _UNITS[unit] + int(fraction or 0) * _UNITS[unit] // 10 ** len(fraction)
    return (-nanoseconds if found[1] == "-" else nanoseconds) / 10**9


def text(seconds: float | None) -> str:
    """Seconds as Go writes them; "" where there are none, or more than Go can hold."""
    if seconds is None or not abs(seconds) < 9.2e9:
        return ""
    nanoseconds = abs(round(seconds * 1e9))
    sign = "-" if seconds < 0 and nanoseconds else ""
    if nanoseconds < 10**9:
        units = (("ms", 10**6), ("µs", 10**3), ("ns", 1))
        name, unit = next((pair for pair in units if nanoseconds >= pair[1]), ("s", 1))
        return f"{sign}{_decimal(nanoseconds, unit)}{name}"
    minutes, rest = divmod(nanoseconds, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    larger = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{larger}{_decimal(rest, 10**9)}s"


def _decimal(number: int, unit: int) -> str:
    """`number` of nanoseconds in a unit that is a power of ten."""
    whole, rest = divmod(number, unit)
    digits = str(unit + rest)[1:].rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)
