"""A conversation from its tape alone: what was asked, answered and given back, turn by turn."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec

from ..events import Approval
from ..ledger import Ledger, ledger_of
from ..messages import MediaPart, Message, TextPart, Usage, user
from ..tape.claims import family_of
from ..tape.effects import ROOT, Interaction, Reading, Tape
from .retold import Told, TurnEnded, retold, shortened

TURN, ENDED, UNDO, COMPACTION = "turn", "turn.end", "undo", "compaction"
"""The readings of a session, in the lane that it stands in; the last one in `compact_lane`."""

_COMPACT = re.compile(r"/compact(\d+)(?![^/#])")

Said: TypeAlias = str | tuple[TextPart | MediaPart, ...]
"""A prompt: its text, or its parts where there are others."""


class Began(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the tape keeps when a turn begins.

    Attributes:
        prompt: its parts.
        stream: whether answers are streamed.
        settings: those of the turn.
        origins: who issues the opaque data that comes from addresses which do not tell it.
    """

    prompt: tuple[TextPart | MediaPart, ...]
    stream: bool = False
    settings: dict[str, Any] = {}
    origins: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a conversation: a prompt, and the run that answered it.

    Attributes:
        prompt: what the user said: text, or parts of text and media. "" where a run began without one.
        messages: the whole conversation at the turn's end, without the system prompt.
        lane: where its run stands on the tape.
        ended: why it ended, where it was not the model that had no more to do; `unfinished` where it was cut down, or
            failed.
        ledger: every try at an answer in it.
        pending: the tool calls that wait for approval.
    """

    prompt: Said
    messages: tuple[Message, ...] = field(default=(), repr=False)
    lane: str = ROOT
    ended: TurnEnded | None = None
    ledger: Ledger = field(default_factory=Ledger, repr=False)
    pending: tuple[Approval, ...] = ()

    @property
    def usage(self) -> Usage:
        """The tokens of all tries."""
        return self.ledger.usage

    @property
    def cost(self) -> float | None:
        """US dollars; None where that of one try is not known."""
        return self.ledger.cost

    @property
    def said(self) -> tuple[Message, ...]:
        """The messages of this turn, its prompt included; all there are, where they were made shorter since."""
        asked = user(self.prompt)
        places = [n for n, message in enumerate(self.messages) if message == asked]
        return self.messages[places[-1] :] if places and self.prompt else self.messages

    @property
    def text(self) -> str:
        """The text of the last answer of this turn; "" where there is none."""
        answers = [message for message in self.said if message.role == "assistant"]
        return answers[-1].text if answers else ""

    @property
    def carried(self) -> bool:
        """Whether the conversation goes on from this turn: not from one that failed before anything was answered."""
        return self.ended != "unfinished" or any(message.role == "assistant" for message in self.said)


@dataclass(frozen=True, slots=True)
class Point:
    """Where a conversation stands after a turn, or after it was made shorter.

    Attributes:
        messages: the conversation.
        turn: the turn; None where it was made shorter between two.
        number: of the turn, counted with those that were undone; 0 where there is none.
        effect: the number of the effect with which it began.
        began: with what the turn began.
    """

    messages: tuple[Message, ...]
    turn: Turn | None = None
    number: int = 0
    effect: int = 0
    began: Began | None = None


def conversation(tape: Tape, *, lane: str = ROOT) -> tuple[Turn, ...]:
    """The turns of a conversation, from its tape alone: no agent, network, key or tool is needed.

    The last turn's `messages` are the conversation; hand them to a run as `messages=`. Turns that were undone are not
    among them. On the tape of plain runs, each run is a turn that begins with what its first request tells.

    Args:
        tape: of a session, or of runs.
        lane: where the session or the run stands.

    Raises:
        CodecError: the request with which a plain run began cannot be read.
    """
    points, _ = recalled(tape, lane)
    return tuple(point.turn for point in points if point.turn is not None)


def recalled(
    tape: Tape, lane: str = ROOT, *, plain: bool = True, ledgers: Mapping[str, Ledger] | None = None
) -> tuple[list[Point], int]:
    """Where the conversation of a session stood after each turn that was not undone, and how many turns began.

    Args:
        plain: whether plain runs before the first turn count as turns.
        ledgers: `ledgers_by_lane` of the tape, where it is known.
    """
    told = Told(tape)
    ledgers = ledgers_by_lane(tape) if ledgers is None else ledgers
    points: list[Point] = []
    begun = 0
    session = list(_of_the_session(tape, lane))
    if plain:
        points += _plain_runs(tape, told, lane, session[0][0] if session else None, ledgers)
    ends = {effect.value["turn"]: effect.value for _, effect in session if effect.name == ENDED}
    for n, effect in session:
        before = standing_at(points)
        if effect.name == TURN:
            begun += 1
            began = msgspec.convert(effect.value, Began)
            where = turn_lane(lane, begun)
            made = retold(told, where, (*before, Message("user", began.prompt)), began.origins)
            end = ends.get(begun)
            ended = "unfinished" if end is None else end["ended"]
            turn = Turn(
                said_of(began.prompt),
                made.messages,
                where,
                ended,
                ledger_inside(ledgers, where),
                made.pending if ended == "approval" else (),
            )
            points.append(Point(turn.messages if turn.carried else before, turn, begun, n, began))
        elif effect.name == UNDO:
            undo(points, int(effect.value))
        elif effect.name == COMPACTION:
            points.append(Point(shortened(before, effect.value), effect=n))
    return points, begun


def standing_at(points: Sequence[Point]) -> tuple[Message, ...]:
    """The conversation where it stands."""
    return points[-1].messages if points else ()


def usage_at(points: Sequence[Point]) -> Usage | None:
    """The tokens of the conversation where it stands, as its last answer said them. None where it was made shorter
    since, and where its last turn was cut down: what was heard of that one the tape may know otherwise."""
    turn = points[-1].turn if points else None
    if turn is None or turn.ended in ("cancelled", "unfinished"):
        return None
    whole = [it for it in turn.ledger if it.lane == turn.lane and it.outcome == "whole" and not it.superseded]
    return whole[-1].usage if whole else None


def undo(points: list[Point], count: int) -> None:
    """Drop the last turns, and what came after them."""
    while count and points:
        count -= points.pop().turn is not None


def said_of(parts: tuple[TextPart | MediaPart, ...]) -> Said:
    """A prompt as it was most likely written."""
    match parts:
        case (TextPart(text, citations=(), cache=None, opaque=None),):
            return text
        case _:
            return parts


def turn_lane(lane: str, number: int) -> str:
    """Where the run of a session's turn stands, counted from 1."""
    return f"{lane}/turn{number}"


def compact_lane(lane: str, number: int) -> str:
    """Where a session's conversation is made shorter between turns, counted from 1."""
    return f"{lane}/compact{number}"


def compact_number(where: str, lane: str) -> int:
    """Which of a session's compactions between turns a lane belongs to, counted from 1; 0 where it is none."""
    found = _COMPACT.match(where, len(lane)) if where.startswith(lane) else None
    return int(found[1]) if found else 0


def compactions(tape: Tape, lane: str) -> int:
    """How often a session's conversation was made shorter between turns, or was begun to be."""
    return max((compact_number(effect.lane, lane) for effect in tape.effects), default=0)


def _of_the_session(tape: Tape, lane: str) -> Iterator[tuple[int, Reading]]:
    """What a session has put on the tape, in order."""
    for n, effect in tape.numbered:
        if isinstance(effect, Reading) and (
            (effect.lane == lane and effect.name in (TURN, UNDO, ENDED))
            or (effect.name == COMPACTION and effect.lane == compact_lane(lane, compact_number(effect.lane, lane)))
        ):
            yield n, effect


def _plain_runs(
    tape: Tape, told: Told, lane: str, before: int | None, ledgers: Mapping[str, Ledger]
) -> Iterator[Point]:
    """The runs in a lane that were made without a session."""
    first: dict[str, int] = {}
    for n, effect in tape.numbered:
        if isinstance(effect, Interaction) and family_of(effect.lane) == lane and (before is None or n < before):
            first.setdefault(effect.lane, n)
    for where, n in first.items():
        opening = told.opening(where)
        if opening is None:
            continue
        made = retold(told, where, opening, {})
        prompt = opening[-1].parts if opening and opening[-1].role == "user" else ()
        turn = Turn(
            said_of(tuple(part for part in prompt if isinstance(part, TextPart | MediaPart))) if prompt else "",
            made.messages,
            where,
            made.ended,
            ledger_inside(ledgers, where),
            made.pending,
        )
        yield Point(turn.messages, turn, effect=n)


def ledgers_by_lane(tape: Tape) -> dict[str, Ledger]:
    """The attempts on a tape, by lane."""
    return ledger_of(tape).by_lane()


def ledger_inside(ledgers: Mapping[str, Ledger], lane: str) -> Ledger:
    """The attempts in a lane and below it."""
    found = [
        attempt
        for where, ledger in ledgers.items()
        if where == lane or where.startswith((f"{lane}/", f"{lane}#"))
        for attempt in ledger
    ]
    return Ledger(tuple(sorted(found, key=lambda attempt: attempt.effect or 0)))


def ledgers_of_turns(ledgers: Mapping[str, Ledger], lane: str, turns: int) -> dict[int, Ledger]:
    """Every try at an answer in a session's lane and below it, by the number of the turn; 0 holds the others.

    Args:
        ledgers: `ledgers_by_lane` of its tape.
    """
    found = {number: ledger_inside(ledgers, turn_lane(lane, number)) for number in range(1, turns + 1)}
    counted = {attempt.effect for ledger in found.values() for attempt in ledger}
    others = [attempt for attempt in ledger_inside(ledgers, lane) if attempt.effect not in counted]
    return {0: Ledger(tuple(others)), **found}


def fork_place(tape: Tape, lane: str, number: int, following: int | None) -> int:
    """The number of the first effect that a fork does not keep which ends with a session's turn.

    Args:
        number: of the turn, counted from 1; 0 for the beginning.
        following: the number of the effect with which the run after it begins, where that is no turn of a session.
    """
    if following is not None:
        return following
    begun = 0
    for n, effect in tape.numbered:
        name = effect.name if isinstance(effect, Reading) and effect.lane == lane else ""
        if begun == number and (compact_number(effect.lane, lane) or name in (TURN, UNDO)):
            return n
        begun += name == TURN
    return max((n for n, _ in tape.numbered), default=-1) + 1
