"""What a file does not hold of a tape, or holds where other programs do not look, in words."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ..effects import Effect, Tape

_BESIDE = {
    "answered": ("{} without an answer", "interaction"),
    "at": ("{} without an answer", "interaction"),
    "superseded": ("that {} was asked again", "interaction"),
    "outcome": ("that {} was no whole answer", "body"),
    "ended": ("how {} ended", "interaction"),
    "error": ("how {} ended", "interaction"),
    "status": ("how {} ended", "interaction"),
    "chunks": ("the pieces of {}", "body"),
    "times": ("when the pieces of {} came", "body"),
    "started_s": ("the times of {}", "interaction"),
    "head_s": ("the times of {}", "interaction"),
    "duration_s": ("the times of {}", "interaction"),
    "lane": ("the lane of {}", "interaction"),
    "http_version": ("the HTTP version of {}", "interaction"),
    "request_headers": ("the order of headers in {}", "interaction"),
    "response_headers": ("the order of headers in {}", "interaction"),
    "dropped": ("how {} was encoded", "body"),
    "foreign": ("fields of other formats in {}", "interaction"),
}
"""For each field under `playhead`: what it says, and of what."""

_PLACED = {"tools": "tool run", "readings": "reading"}
"""Effects that stand under `playhead` at the top."""

_OF_THE_FILE = frozenset({"format", "version", "warnings"})
"""Fields of a tape that say where it was read from."""


def beside(head: Mapping[str, Any], extras: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Phrases for what stands under `playhead`.

    Args:
        head: what stands there for the tape.
        extras: what stands there for each interaction.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for extra in extras:
        counts.update({_BESIDE.get(name, (f"`{name}` of {{}}", "interaction")) for name in extra})
    order = list(dict.fromkeys([*_BESIDE.values(), *counts]))
    placed = [_many(len(head[name]), what) for name, what in _PLACED.items() if head.get(name)]
    facts = [f"facts about the tape ({', '.join(map(str, head['meta']))})"] if head.get("meta") else []
    return (*placed, *[says.format(_many(counts[says, of], of)) for says, of in order if counts[says, of]], *facts)


def differences(tape: Tape, again: Tape) -> tuple[str, ...]:
    """Phrases for what `tape` holds and `again` does not, or not in the same way."""
    found: Counter[tuple[str, str]] = Counter()
    if list(map(type, tape.effects)) == list(map(type, again.effects)):
        for one, other in zip(tape.effects, again.effects, strict=True):
            if one != other:
                found.update(_changed(one, other))
    else:
        had, has = Counter(map(_noun, tape.effects)), Counter(map(_noun, again.effects))
        found.update({("{}", noun): count for noun, count in (had - has).items()})
        found.update({("the place of {}", "effect"): len(again.effects)} if had == has else {})
    facts = [name for name, value in tape.meta.items() if name not in again.meta or again.meta[name] != value]
    names = [field.name for field in dataclasses.fields(tape)]
    others = [name for name in names if name not in _OF_THE_FILE and name not in ("effects", "meta")]
    return (
        *[says.format(_many(count, of)) for (says, of), count in found.items()],
        *[f"`{name}` of the tape's facts" for name in facts],
        *[f"the tape's {name}" for name in others if getattr(tape, name) != getattr(again, name)],
    )


def _changed(one: Effect, other: Effect) -> Iterable[tuple[str, str]]:
    names = [name for name in one.__struct_fields__ if getattr(one, name) != getattr(other, name)]
    return [(f"`{name}` of {{}}", _noun(one)) for name in names]


def _noun(effect: Effect) -> str:
    name = type(effect).__name__
    return {"Interaction": "interaction", "ToolRun": "tool run", "Reading": "reading"}.get(name, name)


def _many(count: int, what: str) -> str:
    return (
        f"{count} {what}" if count == 1 else f"{count} {what.removesuffix('y')}{'ies' if what.endswith('y') else 's'}"
    )
