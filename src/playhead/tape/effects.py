"""What a tape holds: HTTP interactions, tool executions and readings, as frozen values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias

import msgspec

from ..http import Headers, Request, header

ROOT = "root"
"""The lane of a run's own model calls. An effect's identity is its lane and its place there, so that work which goes
on at the same time is found again whatever the order in which it arrives."""

Ended: TypeAlias = Literal["complete", "interrupted", "failed"]
"""`complete`: the response was read to its end. `interrupted`: the recording stops in the middle of it.
`failed`: the transport gave an error, before or during the body."""


NoAnswer: TypeAlias = Literal["truncated", "refused", "broken"]
"""Why a body that came was no whole answer."""


INTERRUPTED = "the recording stops in the middle of this response"
"""What is said of a response without its end, where the recording says nothing else."""


class Interaction(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP effect: the request, the response, and when each piece of it arrived.

    Attributes:
        request: as it was sent, less the headers that may be secret.
        lane: the line of work that it belongs to.
        status: None where no response came.
        chunks: the body as it arrived, decoded from transfer and content encodings.
        times: when each chunk arrived, in seconds since the request was sent; None where it is not known.
        started_s: when the request was sent, in seconds since the tape began.
        head_s: seconds from the request to the response's headers.
        duration_s: seconds from the request to the end of the body.
        error: `{"kind", "message"}` of the transport's error, where `ended` is `failed`.
        outcome: `truncated`, `refused` or `broken` where the body, though it came, was no whole answer.
        superseded: whether a resumed run asked this again, so that it is played no more.
        foreign: what the file format that it was read from holds beside this, kept for writing it back.
    """

    request: Request
    lane: str = "root"
    status: int | None = None
    reason: str = ""
    http_version: str = ""
    headers: Headers = ()
    chunks: tuple[bytes, ...] = ()
    times: tuple[float, ...] | None = None
    started_s: float | None = None
    head_s: float | None = None
    duration_s: float | None = None
    ended: Ended = "complete"
    error: dict[str, str] | None = None
    outcome: NoAnswer | None = None
    superseded: bool = False
    foreign: dict[str, Any] = {}

    @property
    def body(self) -> bytes:
        """The response's body, whole."""
        return b"".join(self.chunks)

    @property
    def streamed(self) -> bool:
        """Whether the response is a stream of events."""
        kind = (header(self.headers, "content-type") or "").partition(";")[0].strip().lower()
        return kind in ("text/event-stream", "application/vnd.amazon.eventstream")


class Progress(msgspec.Struct, frozen=True):
    """How far a tool says that it is.

    Attributes:
        message: in the tool's words.
        fraction: of the work that is done, from 0 to 1, where the tool knows it.
        at_s: when it said so, in seconds since the tool began.
    """

    message: str
    fraction: float | None = None
    at_s: float | None = None


class ToolRun(msgspec.Struct, frozen=True, kw_only=True):
    """A tool effect: the call as the model made it, and the result as it goes back.

    Attributes:
        lane: the call's own line of work, such as `root/0.add`: its place among the run's tool calls, and its name.
        arguments: raw JSON as the model wrote it.
        result: the text that goes back to the model.
        media: pieces of media as plain data, where the tool returned some.
        stop: set where the tool ended the run; the text that it gave for the run's result, or "".
        progress: what it said of itself while it ran, in order.
    """

    lane: str
    call_id: str
    name: str
    arguments: str = ""
    result: str = ""
    is_error: bool = False
    media: tuple[dict[str, Any], ...] = ()
    stop: str | None = None
    started_s: float | None = None
    duration_s: float | None = None
    ended: Ended = "complete"
    progress: tuple[Progress, ...] = ()


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Something read from outside of the run: a clock, a random draw, a person's decision, a server's list of tools.

    Attributes:
        lane: the line of work that it was read in.
        name: what was read. Of several with this name in a lane the first is played first.
        value: plain JSON data.
        started_s: when it was read, in seconds since the tape began.
        ended: always `complete`: a reading is on the tape once there is a value.
    """

    lane: str
    name: str
    value: Any
    started_s: float | None = None
    ended: Ended = "complete"


Effect: TypeAlias = Interaction | ToolRun | Reading

CANCELLED, GONE_ON = "cancelled", "gone_on"
"""Readings in the lane of a run: it was cancelled here; and it was gone on with all the same, once for each time."""


def _from_the_top(lane: str) -> list[str]:
    """A lane, and those that it stands in."""
    parts = lane.split("/")
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]


@dataclass(frozen=True)
class Tape:
    """The ordered log of a run's effects.

    Attributes:
        effects: in the order in which they began.
        meta: facts about the tape itself (`id`, `created`, `software`), as plain data.
        format: the file format that it was read from.
        version: of that format, such as 2, and 1.2 for HAR; of Playhead's own, as it writes it now, where the tape
            comes from no file.
        warnings: what was odd in the file, but no reason to refuse it.
        numbers: the effects' numbers in the file, where they do not simply count from 0.
    """

    effects: tuple[Effect, ...] = ()
    meta: dict[str, Any] = field(default_factory=dict[str, Any])
    format: str = field(default="playhead", compare=False)
    version: float = field(default=2, compare=False)
    warnings: tuple[str, ...] = field(default=(), compare=False)
    numbers: tuple[int, ...] = field(default=(), compare=False)

    @cached_property
    def numbered(self) -> tuple[tuple[int, Effect], ...]:
        """The effects with their numbers, in order."""
        return tuple(zip(self.numbers or range(len(self.effects)), self.effects, strict=True))

    @property
    def cut_off(self) -> bool:
        """Whether a line of work stops in the middle of an effect. Where its run was cancelled, that is its end."""
        ends: dict[str, tuple[int, Effect]] = {}
        cancelled: dict[str, list[int]] = {}
        for n, effect in enumerate(self.effects):
            if not isinstance(effect, Reading):
                if not getattr(effect, "superseded", False):
                    ends[effect.lane] = n, effect
            elif effect.name == CANCELLED:
                cancelled.setdefault(effect.lane, []).append(n)
            elif effect.name == GONE_ON:
                del cancelled.get(effect.lane, [])[:1]
        return any(
            effect.ended == "interrupted"
            and not any(n < at for lane in _from_the_top(effect.lane) for at in cancelled.get(lane, ()))
            for n, effect in ends.values()
        )

    def fork(self, at: int, edit: Callable[[Effect], Effect] | None = None) -> Tape:
        """Another tape that begins as this one does, and goes on by itself.

        Args:
            at: effects with numbers below it are kept. A tool run is not, if the cut lies inside it: if calls in its
                lane have numbers from `at` on. It is run again.
            edit: called with each effect that is kept; gives the one that stands on the new tape instead.

        Raises:
            ConfigError: the tape does not reach to `at`.
        """
        from .forking import fork

        return fork(self, at, edit)

    @cached_property
    def interactions(self) -> tuple[Interaction, ...]:
        """The HTTP effects, in order."""
        return tuple(effect for effect in self.effects if isinstance(effect, Interaction))

    @cached_property
    def tools(self) -> tuple[ToolRun, ...]:
        """The tool effects, in order."""
        return tuple(effect for effect in self.effects if isinstance(effect, ToolRun))

    @cached_property
    def readings(self) -> tuple[Reading, ...]:
        """What was read from outside of the run, in order."""
        return tuple(effect for effect in self.effects if isinstance(effect, Reading))
