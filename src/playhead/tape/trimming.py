"""Tapes that are shorter than they were: cut behind a place, or without what is played no more."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import replace

from ..errors import ConfigError
from .effects import Effect, Interaction, Reading, Tape, ToolRun

_NUMBER = re.compile(r"#\d+$")
"""What the second run in a lane, and later ones, have at its end."""


def cut(tape: Tape, at: int, *, also: Collection[int] = ()) -> Tape:
    """The same tape without the effects from number `at` on.

    A tool run inside which the cut lies is left out, too: it cannot have come to its result yet. What was read inside
    of it before the cut stays, and is read again.

    Args:
        tape: what is cut.
        at: the first number that is left out.
        also: numbers of effects that are kept wherever they are, because a run has played them already.

    Raises:
        ConfigError: the tape does not reach to `at`.
    """
    first, end = min((n for n, _ in tape.numbered), default=0), max((n for n, _ in tape.numbered), default=-1) + 1
    if not first <= at <= end:
        holds = f"effects {first} to {end - 1}" if tape.effects else "no effects"
        raise ConfigError(
            f"a tape cannot be cut before effect {at}: it holds {holds}. "
            + (f"Cut at {first} for none of them, at {end} for all, or between." if tape.effects else "")
        )
    played = frozenset(also)
    left = _with_something_inside(effect for n, effect in tape.numbered if n >= at and n not in played)
    kept = [
        (n, effect)
        for n, effect in tape.numbered
        if n in played or (n < at and not (isinstance(effect, ToolRun) and effect.lane in left))
    ]
    return _with(tape, kept)


def trim(tape: Tape) -> tuple[Tape, dict[int, str]]:
    """The tape without what is played no more, and why each effect was taken out.

    A tool that was cut down at the end of its lane stays: it may have done its work, and whoever resumes should know.
    """
    done = {run.lane: n for n, run in tape.numbered if isinstance(run, ToolRun) and run.ended == "complete"}
    reasons: dict[int, str] = {}
    for n, effect in tape.numbered:
        if isinstance(effect, ToolRun):
            if n < done.get(effect.lane, n):
                reasons[n] = f"run again, as effect {done[effect.lane]}"
        elif isinstance(effect, Interaction) and effect.superseded:
            reasons[n] = "superseded: asked again"
    for lane, n in _ends(tape, reasons):
        reasons[n] = f"interrupted at the end of lane {lane}"
    return _with(tape, [(n, effect) for n, effect in tape.numbered if n not in reasons]), reasons


def _ends(tape: Tape, reasons: dict[int, str]) -> list[tuple[str, int]]:
    """The interrupted calls that end their lanes, one behind the other."""
    found: list[tuple[str, int]] = []
    open_lanes = {effect.lane for effect in tape.effects}
    for n, effect in reversed(tape.numbered):
        if n in reasons or effect.lane not in open_lanes or isinstance(effect, Reading):
            continue
        if isinstance(effect, Interaction) and effect.ended == "interrupted":
            found.append((effect.lane, n))
        else:
            open_lanes.discard(effect.lane)
    return found


def _with(tape: Tape, kept: list[tuple[int, Effect]]) -> Tape:
    numbers = tuple(n for n, _ in kept)
    simple = numbers == tuple(range(len(numbers)))
    return replace(tape, effects=tuple(effect for _, effect in kept), numbers=() if simple else numbers)


def _with_something_inside(effects: Iterable[Effect]) -> set[str]:
    """The lanes of the tools inside which these effects are: those on the way to them.

    The first run in a tool has the tool's own lane `L`, the next ones have `L#1` and so on.
    """
    found: set[str] = set()
    for effect in effects:
        lane = effect.lane.rpartition("/")[0] if isinstance(effect, ToolRun) else effect.lane
        while lane and lane not in found:
            found |= {lane, _NUMBER.sub("", lane)}
            lane = lane.rpartition("/")[0]
    return found
