"""A run's attempts as rows of its ledger."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import msgspec

from ..errors import ConfigError, TransportError
from ..ledger import Attempt, Meter, attempt_from_response, attempt_of
from ..tape.effects import INTERRUPTED, Interaction
from ..tape.playhead import Playhead
from .calling import AttemptMade


def attempt_made(made: AttemptMade) -> Attempt:
    """The row of an attempt that has just ended."""
    provider = made.model.provider
    try:
        url = provider.address()
    except ConfigError:  # Played without the variables of the address.
        url = provider.base_url
    return attempt_from_response(
        made.response or made.partial,
        provider=provider.name,
        model=made.model.id,
        lane=made.lane or "root",
        error=TransportError(INTERRUPTED, kind="disconnect") if made.cut else made.error,
        outcome="interrupted" if made.cut else None,
        effect=made.effect,
        started_s=made.started_s,
        duration_s=made.duration_s,
        played=made.played,
        url=url,
    )


def count_superseded(meter: Meter, playhead: Playhead) -> None:
    """Count what this run asks again, or was asked again before: it was paid for."""
    for number, call in playhead.opened.superseded(playhead.lane):
        if (row := attempt_of(call, effect=number, played=True)) is not None:
            meter.add(msgspec.structs.replace(row, superseded=True))


_INSIDE = "inside"
"""The reading that says how many steps and tool calls were made inside a tool."""


def note_inside(meter: Meter, playhead: Playhead, lane: str) -> None:
    """Keep what was made inside a tool, so that limits are reached in the same place when it is played. Where there
    are none on steps and tool calls, nothing is kept.

    Args:
        meter: counts what is made inside the tool alone.
        lane: the tool's.
    """
    counts = meter.counted and (meter.steps or meter.tool_calls)
    if counts and playhead.opened.keeps_readings(lane):
        playhead.note(_INSIDE, {"steps": meter.steps, "tool_calls": meter.tool_calls}, lane=lane)


def count_played(meter: Meter, playhead: Playhead, lane: str) -> None:
    """Count what was made inside a tool that is played."""
    found = playhead.recall(_INSIDE, lane=lane)
    if isinstance(found, dict):
        made = cast("dict[str, int]", found)
        meter.count(steps=made.get("steps", 0), tool_calls=made.get("tool_calls", 0))


class Uncounted:
    """Counts the model calls inside tools that no run has counted: those of tools that were played, and those of
    other people's clients. Each attempt is looked at once, however many steps the run makes."""

    def __init__(self, meter: Meter, playhead: Playhead) -> None:
        self._meter = meter
        self._playhead = playhead
        self._known: set[tuple[str, int | None]] = set()
        self._seen = 0

    def count(self, lanes: Iterable[str]) -> None:
        """Count those in these lanes.

        Args:
            lanes: of tools that have ended.
        """
        opened = self._playhead.opened
        found: list[tuple[int, Interaction]] = [call for lane in lanes for call in opened.inside(lane)]
        if not found:
            return
        new = self._meter.since(self._seen)
        self._seen += len(new)
        self._known.update((row.lane, row.effect) for row in new)
        for number, call in found:
            if (call.lane, number) in self._known:
                continue
            if (row := attempt_of(call, effect=number, played=True)) is not None:
                self._meter.add(row)
