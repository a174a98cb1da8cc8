"""Tapes that are shorter than they were: cut behind a place, or without what is played no more."""

from __future__ import annotations

from dataclasses import replace

from ..errors import ConfigError
from .effects import Effect, Interaction, Tape, ToolRun


def cut(tape: Tape, at: int) -> Tape:
    """The same tape without the effects from number `at` on.

    A tool run inside which the cut lies is left out, too: it cannot have come to its result yet.

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
    later = [effect for n, effect in tape.numbered if n >= at]
    kept = [(n, effect) for n, effect in tape.numbered if n < at and not _goes_on_in(effect, later)]
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
        elif effect.superseded:
            reasons[n] = "superseded: asked again"
    for lane, n in _ends(tape, reasons):
        reasons[n] = f"interrupted at the end of lane {lane}"
    return _with(tape, [(n, effect) for n, effect in tape.numbered if n not in reasons]), reasons


def _ends(tape: Tape, reasons: dict[int, str]) -> list[tuple[str, int]]:
    """The interrupted calls that end their lanes, one behind the other."""
    found: list[tuple[str, int]] = []
    open_lanes = {effect.lane for effect in tape.effects}
    for n, effect in reversed(tape.numbered):
        if n in reasons or effect.lane not in open_lanes:
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


def _goes_on_in(effect: Effect, later: list[Effect]) -> bool:
    """Whether some of what happened inside a tool run is among the later effects."""
    if not isinstance(effect, ToolRun):
        return False
    inside = f"{effect.lane}/"
    return any(
        other.lane.startswith(inside) or (isinstance(other, Interaction) and other.lane == effect.lane)
        for other in later
    )
