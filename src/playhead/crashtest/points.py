"""Where a run is killed: named places, and the choice of which of them are tried."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Literal, TypeAlias, get_args

import msgspec

from ..errors import ConfigError

Kind: TypeAlias = Literal["before", "inside", "after", "piece", "event", "tool", "place"]
"""
    before   a line of the tape is about to be written
    inside   only the first bytes of a line were written
    after    a line was written
    piece    the provider is about to give the next piece of an answer, or its end
    event    whoever looks at the run has seen an event
    tool     a tool has done its work, and its result is not on the tape
    place    a file is about to be put in its place, or deleted; or all of that is done
"""

WORDS: dict[str, str] = {
    "before": "before a line",
    "inside": "in the middle of a line",
    "after": "after a line",
    "piece": "between pieces",
    "event": "after an event",
    "tool": "in a tool, its work done",
    "place": "as a file takes its place",
}

_LINES = ("before", "inside", "after")


class Point(msgspec.Struct, frozen=True):
    """A place where a run is killed.

    Attributes:
        kind: what is about to happen, or has happened.
        at: which one of that kind in this process, from 0; of lines for `before`, `inside` and `after`.
        share: how much of the line is written: 0 is one byte, 1 all but the line feed.
    """

    kind: Kind
    at: int
    share: float = 0.0

    def __str__(self) -> str:
        return f"{self.kind}:{self.at}" + (f":{self.share!r}" if self.share else "")

    def part(self, length: int) -> int:
        """The bytes that are written of `length`."""
        return min(length - 1, 1 + round(self.share * (length - 2)))


def parse_points(text: str) -> tuple[Point, ...]:
    """Points as `str` writes them, with commas between them.

    Raises:
        ConfigError: one is none.
    """
    return tuple(_parse(piece) for piece in text.split(","))


def _parse(text: str) -> Point:
    kind, _, rest = text.strip().partition(":")
    at, _, share = rest.partition(":")
    try:
        return msgspec.convert({"kind": kind, "at": int(at), "share": float(share or 0)}, Point)
    except (ValueError, msgspec.ValidationError):
        raise ConfigError(
            f"a point is KIND:NUMBER or inside:NUMBER:SHARE, with a kind of {', '.join(get_args(Kind))}, not {text!r}"
        ) from None


def plan(counts: Mapping[str, int], kills: int | None, seed: int, again: float) -> list[tuple[Point, ...]]:
    """Which runs are made, and where each is killed: first, and then again while it resumes.

    Args:
        counts: how often each kind happens in a run that is not killed; `line` for the lines.
        kills: how many runs. Where there are more places than that, some of each kind are taken; where there are
            fewer, lines are cut at random in addition. None takes every place once.
        seed: for all that is random.
        again: how likely it is that a resumed run is killed once more, from 0 to 1.
    """
    draw = random.Random(seed)  # noqa: S311 - nothing here is secret
    groups = [list(group) for group in _places(counts, draw) if group]
    wanted = sum(map(len, groups)) if kills is None else kills
    if wanted < sum(map(len, groups)):
        for group in groups:
            draw.shuffle(group)
    firsts = [point for turn in zip_longest(*groups) for point in turn if point is not None][:wanted]
    while len(firsts) < wanted:
        firsts.append(Point("inside", draw.randrange(counts["line"]), draw.random()))
    return [(first, *_further(counts, draw, again)) for first in firsts]


def _places(counts: Mapping[str, int], draw: random.Random) -> Iterator[list[Point]]:
    lines = range(counts["line"])
    yield [Point("before", at) for at in lines]
    yield [Point("after", at) for at in lines]
    yield [Point("inside", at, share) for at in lines for share in (0.0, draw.random(), 1.0)]
    for kind in ("piece", "event", "tool"):
        yield [Point(kind, at) for at in range(counts.get(kind, 0))]
    yield [Point("place", at, share) for at in range(counts.get("place", 0)) for share in (0.0, draw.random())]


def _further(counts: Mapping[str, int], draw: random.Random, again: float) -> Iterator[Point]:
    """What is left of a run grows shorter with each resume, so that early places are more likely."""
    kinds: list[Kind] = [kind for kind in get_args(Kind) if counts.get("line" if kind in _LINES else kind)]
    while draw.random() < again:
        kind = draw.choice(kinds)
        count = counts["line" if kind in _LINES else kind]
        yield Point(kind, int(count * draw.random() ** 3), draw.random() if kind in ("inside", "place") else 0.0)
