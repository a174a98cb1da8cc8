"""What the tape keeps of a run that ended before its time, so that it can be played, and gone on with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import msgspec

from ..errors import ConfigError
from ..messages import Message, Settings
from ..tape.effects import CANCELLED, GONE_ON, Interaction, Tape
from ..tape.playhead import Playhead
from .loop import opening
from .spec import Asked

OPENING = "opening"
"""The readings, in the run's lane."""


class Opening(msgspec.Struct, frozen=True):
    """With what a run began.

    Attributes:
        messages: the conversation, without the agent's system prompt.
        stream: whether answers are streamed.
        settings: those of the run.
    """

    messages: tuple[Message, ...]
    stream: bool = False
    settings: dict[str, Any] = {}


def note_opening(playhead: Playhead, asked: Asked, *, stream: bool) -> None:
    """Keep with what a run began, once, so that it can be resumed by somebody who knows only the tape."""
    if not asked.told and playhead.recall(OPENING) is None:
        begun = Opening(opening(asked.prompt, asked.messages), stream, dict(cast("dict[str, Any]", asked.settings)))
        playhead.note(OPENING, msgspec.to_builtins(begun))


def opening_of(tape: Tape, lane: str = "root") -> tuple[Opening, Settings]:
    """With what the run of a tape began that waits for approvals.

    Raises:
        ConfigError: the tape does not say it.
    """
    found = [reading for reading in tape.readings if reading.name == OPENING and reading.lane == lane]
    if not found:
        raise ConfigError(
            "the tape holds no run that waits for approvals. To go on with a run that was cut down, run the agent "
            "with the same prompt on the tape, in mode 'resume'."
        )
    begun = msgspec.convert(found[-1].value, Opening)
    return begun, cast("Settings", begun.settings)


def note_cancelled(
    playhead: Playhead,
    step: int,
    phase: str,
    results: dict[str, str],
    at: tuple[int, int] = (0, 0),
    heard: str = "",
) -> None:
    """Keep that the run was cancelled.

    Args:
        step: from 0.
        phase: `before` it, while the `model` answers, or while its `tools` run.
        results: what is said of the tools that have no result, by lane.
        at: how often the conversation had changed, and how many events were given since.
        heard: the text of the answer under way.
    """
    said = {"heard": heard} if heard else {}
    playhead.note(CANCELLED, {"step": step, "phase": phase, "results": results, "at": at, **said})


def calls_inside(tape: Tape | None, lanes: Iterable[str]) -> list[tuple[int, Interaction]]:
    """All interactions of a tape in these lanes and below them, with their numbers."""
    inside = tuple(lanes)
    if tape is None or not inside:
        return []
    below = tuple(f"{lane}{sign}" for lane in inside for sign in "/#")
    numbers = tape.numbers or range(len(tape.effects))
    return [
        (n, effect)
        for n, effect in zip(numbers, tape.effects, strict=True)
        if isinstance(effect, Interaction) and (effect.lane in inside or effect.lane.startswith(below))
    ]


class Cancellation:
    """Where the recorded run was cancelled, if it was: there the played one ends, too. A run that may grow goes on
    instead, and the tape says so.

    What stands in the run's lane is looked at once the lane is settled.
    """

    def __init__(self, playhead: Playhead) -> None:
        self._playhead = playhead
        self._looked = False
        self._found: dict[str, Any] | None = None

    def at(self, step: int, phase: str) -> dict[str, str] | None:
        """What is said of tools without a result where the run was cancelled here; else None."""
        if not self._looked:
            if step == 0 and phase == "before":
                return self._before_all()
            self._look()
        found = self._found
        if found is None or (found.get("step"), found.get("phase")) != (step, phase):
            return None
        return cast("dict[str, str]", found.get("results") or {})

    @property
    def place(self) -> tuple[int, int] | None:
        """Where the recorded run was cancelled while no tools ran: how often its conversation had changed, and how
        many events were given since. None where it was not."""
        if not self._looked:
            self._look()
        found = self._found
        if found is None or found.get("phase") != "model":
            return None
        changes, events = found.get("at", (0, 0))
        return int(changes), int(events)

    def may_be_behind(self, changes: int) -> bool:
        """Whether the recorded run may have been cancelled after so many changes of its conversation. Nothing is
        looked at."""
        if self._playhead.growing:
            return False
        return not self._looked or (self.place or (-1, 0))[0] == changes

    def _before_all(self) -> dict[str, str] | None:
        """Cancelled before anything was asked: the lane is not settled, and nothing else is on the tape."""
        found = None if self._playhead.growing else self._playhead.peek(CANCELLED)
        at_once = isinstance(found, dict) and cast("dict[str, Any]", found).get("phase") == "before"
        return {} if at_once and cast("dict[str, Any]", found).get("step") == 0 else None

    def _look(self) -> None:
        self._looked = True
        playhead = self._playhead
        standing: list[dict[str, Any]] = []
        while (found := playhead.recall(CANCELLED)) is not None:
            standing.append(found)
        while playhead.recall(GONE_ON) is not None:
            standing = standing[1:]
        if playhead.growing:
            for _ in standing:
                playhead.note(GONE_ON, True)
        elif standing:
            self._found = standing[-1]
