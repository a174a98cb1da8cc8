"""What a search for secrets gives: places in bytes, and what stands there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from ..redact import REDACTED

MARK = REDACTED.encode()


class Hit(NamedTuple):
    """A place that is to go.

    Attributes:
        rank: of several hits at the same place, the one with the lowest is told.
        shown: how many of its characters may be shown.
        quoted: whether the place is a JSON value that is no string, and becomes one.
        behind: bytes before the place by which it is known, as `Bearer ` is before a token.
    """

    start: int
    end: int
    kind: str
    rank: int = 0
    shown: int = 0
    quoted: bool = False
    behind: int = 0


@dataclass(frozen=True)
class Finding:
    """A secret that was found. It never holds the secret.

    Attributes:
        kind: in words, such as `an OpenRouter key`.
        start: the first byte.
        end: the byte behind the last one.
        begins: four characters at most with which it begins; none where they could give away too much.
    """

    kind: str
    start: int
    end: int
    begins: str = ""

    def __str__(self) -> str:
        return f"{self.kind} ({self.begins}...)" if self.begins else self.kind


def replaced(data: bytes, hits: Iterable[Hit], start: int, end: int) -> bytes:
    """The bytes from `start` to `end` with the hits among them replaced; those that overlap, by one word."""
    pieces: list[bytes] = []
    at, last, quoted = start, start, False
    inside = False
    for hit in sorted(hit for hit in hits if hit.end <= end):
        if inside and hit.start < last:
            last, quoted = max(last, hit.end), quoted or hit.quoted
            continue
        if inside:
            pieces.append(_word(quoted=quoted))
            at = last
        pieces.append(data[at : hit.start])
        last, quoted, inside = hit.end, hit.quoted, True
    if inside:
        pieces.append(_word(quoted=quoted))
        at = last
    pieces.append(data[at:end])
    return b"".join(pieces)


def told(data: bytes, hits: Iterable[Hit]) -> list[Finding]:
    """The hits in order, the most telling one of those that overlap."""
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: (hit.rank, hit.start, -hit.end)):
        known = any(hit.start < other.end and other.start < hit.end for other in kept)
        if not known and data[hit.start : hit.end] != MARK:
            kept.append(hit)
    return [
        Finding(hit.kind, hit.start, hit.end, data[hit.start : hit.start + hit.shown].decode("ascii", "replace"))
        for hit in sorted(kept)
    ]


def _word(*, quoted: bool) -> bytes:
    return b'"' + MARK + b'"' if quoted else MARK
