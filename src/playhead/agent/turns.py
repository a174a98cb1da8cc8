"""The turns of a session on its tape: what is kept of each, and how one is gone on with."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import msgspec

from ..errors import ConfigError, Divergence, PlayheadError
from ..events import Event
from ..ledger import Ledger
from ..messages import MediaPart, Message, TextPart, user
from ..providers import provider_for_url
from ..tape.effects import ROOT, Tape
from ..tape.files import load_tape
from ..tape.formats import is_native
from ..tape.lanes import here, lane_on
from ..tape.open import Mode, TapeSource, open_tape
from ..tape.opened import OpenTape
from ..tape.playhead import Playhead, plain
from ..tape.redact import safe_url
from .book import Book
from .compacting import made_shorter
from .conversation import (
    ENDED,
    TURN,
    UNDO,
    Began,
    Point,
    Turn,
    compact_lane,
    compactions,
    fork_place,
    ledger_inside,
    ledgers_by_lane,
    ledgers_of_turns,
    recalled,
    said_of,
    standing_at,
    turn_lane,
    undo,
    usage_at,
)
from .course import Course
from .loop import opening
from .outlets import Outlets
from .result import RunResult
from .retold import Told, retold
from .spec import Asked, Spec


@dataclass(frozen=True, slots=True)
class Place:
    """Where a turn runs.

    Attributes:
        tape: what it is played from and recorded on.
        lane: the run's.
        number: of the turn, from 1.
        began: with what it began.
        before: where the conversation stood before it.
    """

    tape: OpenTape
    lane: str
    number: int
    began: Began
    before: tuple[Point, ...]


class Turns:
    """The turns of one conversation. The tape is opened when it is first needed.

    Args:
        source: what the session was given.
        mode: as in `open_tape`.
        options: the others of `open_tape`.

    Attributes:
        points: where the conversation stood after each turn that was not undone.
        ledgers: what the turns took, by their numbers; 0 is for all that is no turn.
        lane: where the session stands.
        name: the tape's; None where it is not open.
    """

    def __init__(self, source: TapeSource | None, mode: Mode | None, options: dict[str, Any]) -> None:
        self.points: list[Point] = []
        self.ledgers: dict[int, Ledger] = {}
        self.lane = ROOT
        self._source = source
        self._mode: Mode | None = mode
        self._options = options
        self._tape: OpenTape | None = None
        self._owner = True
        self._closed = False
        self._scripted = False
        self._under_way = False
        self._begun = 0
        self._shortened = 0
        self._ends: dict[int, str | None] = {}

    @property
    def name(self) -> str | None:
        """The tape's name; None where it is not open."""
        return None if self._tape is None else self._tape.name

    def opened(self) -> OpenTape:
        """The tape.

        Raises:
            ConfigError: the session is closed, or options do not go together.
            PlayheadError: the tape cannot be read.
        """
        if self._tape is not None:
            return self._tape
        if self._closed:
            raise ConfigError("this session is closed: make another one on its tape")
        tape = self._open()
        self._scripted = tape.closed or self._mode == "auto"
        held = None if self._scripted else tape.tape()
        if held is not None and held.effects:
            try:
                self._recall(held)
            except BaseException:
                if self._owner:
                    tape.close(whole=False)
                raise
        self._tape = tape
        return tape

    def _open(self) -> OpenTape:
        source = self._source
        if source is None and self._mode is None and not self._options and (around := here()) is not None:
            source = around.tape
        if not isinstance(source, OpenTape):
            return open_tape(source, self._mode, **self._options)
        if self._options or self._mode not in (None, source.mode):
            raise ConfigError(f"the tape is open in mode {source.mode!r} already: leave mode= and options out")
        self._owner, self.lane = False, lane_on(source)
        return source

    def _recall(self, held: Tape) -> None:
        # Runs on a tape that is somebody else's are no part of this conversation.
        ledgers = ledgers_by_lane(held)
        self.points, self._begun = recalled(held, self.lane, plain=self._owner, ledgers=ledgers)
        self.ledgers = ledgers_of_turns(ledgers, self.lane, self._begun)
        self._shortened = compactions(held, self.lane)
        for point in self.points:
            if point.turn is not None and point.number and point.turn.ended != "unfinished":
                self._ends[point.number] = point.turn.ended

    def free(self) -> OpenTape:
        """The tape, between two turns.

        Raises:
            ConfigError: a turn is under way.
        """
        if self._under_way:
            raise ConfigError("a turn of this session is under way: let it end, or cancel it, before anything else")
        return self.opened()

    def close(self, *, whole: bool) -> str | None:
        """Put the tape in its place, if it is the session's.

        Args:
            whole: whether all that was to be recorded came to its end.
        """
        tape, self._tape, self._closed = self._tape, None, True
        if tape is None or not self._owner:
            return None
        last = self.points[-1].turn if self.points else None
        return tape.close(whole=whole and (last is None or last.ended != "unfinished"))

    # A turn.

    def to_go_on_with(self) -> Point:
        """The last turn, if it can be gone on with.

        Raises:
            ConfigError: it cannot, or there is none.
        """
        self.free()
        point = self.points[-1] if self.points else None
        if point is None or point.turn is None:
            raise ConfigError("there is no turn to go on with, or the conversation was made shorter since")
        if not point.number:
            raise ConfigError("the last run on this tape was made without a session: use agent.resume on the tape")
        # A replay comes to the end at once, where the recorded turn was gone on with.
        if point.turn.ended not in ("approval", "unfinished") and not self._scripted:
            raise ConfigError("the last turn has come to its end: there is nothing to go on with")
        return point

    def begin(self, spec: Spec, asked: Asked, stream: bool, again: Point | None) -> Place:
        """A turn begins.

        Args:
            again: the turn that is gone on with; a new one where it is None.

        Raises:
            ConfigError: another turn is under way.
            TapeError: the tape holds another turn here, and may not grow, or cannot be written.
        """
        tape = self.free()
        if again is not None:
            if again not in self.points or again.began is None:
                raise ConfigError("the conversation has gone on since this turn: it cannot be gone on with any more")
            before = tuple(self.points[: self.points.index(again)])
            place = Place(tape.again(), turn_lane(self.lane, again.number), again.number, again.began, before)
        else:
            parts = cast("tuple[TextPart | MediaPart, ...]", user(asked.prompt or "").parts)
            settings = dict(cast("dict[str, Any]", asked.settings))
            began = Began(parts, stream, settings, _origins(spec))
            self._note(tape, TURN, msgspec.to_builtins(began))
            self._begun += 1
            place = Place(tape, turn_lane(self.lane, self._begun), self._begun, began, tuple(self.points))
        self._under_way = True
        return place

    def end(self, place: Place, run: RunResult[Any], *, over: bool) -> None:
        """A turn has ended.

        Args:
            over: whether it came to its end; it was cut down, or failed, where it did not.
        """
        self._under_way = False
        number, ended = place.number, run.ended if over else "unfinished"
        ledger = run.ledger
        messages = tuple(message for message in run.messages if message.role != "system")
        if not over and (held := place.tape.tape()) is not None:
            # The tape may know more than the run has seen: an answer that is whole there, what was before a doubt.
            began = (*standing_at(place.before), Message("user", place.began.prompt))
            told = retold(Told(held), place.lane, began, place.began.origins).messages
            messages = told if len(told) >= len(messages) else messages
            ledger = ledger if self._scripted else ledger_inside(ledgers_by_lane(held), place.lane)
        self.ledgers[number] = ledger
        turn = Turn(said_of(place.began.prompt), messages, place.lane, ended, ledger, run.pending)
        standing = messages if turn.carried else standing_at(place.before)
        self.points = [*place.before, Point(standing, turn, number, began=place.began)]
        if over and self._ends.get(number, "unfinished") != ended:
            self._ends[number] = ended
            self._note_end(number, ended)

    # What comes between turns.

    def undo(self, count: int) -> None:
        """Drop the last turns.

        Raises:
            TapeError: the tape holds something else here, and may not grow, or cannot be written.
        """
        self._note(self.free(), UNDO, count)
        undo(self.points, count)

    async def compact(self, spec: Spec, deps: Any) -> bool:
        """Make the conversation shorter. Returns whether it is.

        Raises:
            PlayheadError: the model could not be asked.
        """
        tape, before = self.free(), standing_at(self.points)
        lane = compact_lane(self.lane, self._shortened + 1)
        self._under_way, messages = True, ()
        try:
            messages, ledger = await made_shorter(spec, before, tape, lane, deps)
        finally:
            self._under_way = False
            # Where there was nothing to do, nothing is on the tape; what a function gave always is.
            by_function = spec.compaction is not None and spec.compaction.function is not None
            self._shortened += by_function or messages != before
        self.ledgers[0] = self.ledgers.get(0, Ledger()) + ledger
        if messages != before:
            self.points.append(Point(messages))
        return messages != before

    def cut(self, tape: Tape, at: int | Turn | None) -> int:
        """The number of the first effect that a fork does not keep.

        Args:
            at: the last turn that is kept, or how many; None for all.

        Raises:
            ConfigError: there is no such turn.
        """
        turns = [point for point in self.points if point.turn is not None]
        if isinstance(at, Turn):
            places = [n for n, point in enumerate(turns, 1) if point.turn == at]
            if not places:
                raise ConfigError("a fork ends with a turn of this conversation: this one is none of its turns")
            at = places[-1]
        if at is None and not self._scripted:
            return max((n for n, _ in tape.numbered), default=-1) + 1
        kept = len(turns) if at is None else at
        if not 0 <= kept <= len(turns):
            raise ConfigError(f"a fork keeps 0 to {len(turns)} turns of this conversation, not {kept}")
        following = turns[kept].effect if kept < len(turns) and not turns[kept].number else None
        return fork_place(tape, self.lane, turns[kept - 1].number if kept else 0, following)

    # The tape.

    def _note(self, tape: OpenTape, name: str, value: Any) -> None:
        """Keep something on the tape; or play it, and see that it is the same."""
        if self._scripted:
            found = tape.find_reading(self.lane, name)
            if found is not None:
                self._compare(tape, name, found.value, value)
                return
            if tape.closed:
                raise tape.no_reading(self.lane, name)
        tape.record_reading(self.lane, name, plain(value, name))

    def _compare(self, tape: OpenTape, name: str, recorded: Any, value: Any) -> None:
        redact = tape.options.redact.plain
        was, now = redact(recorded), redact(plain(value, name))
        if name == TURN:
            was, now = was["prompt"], now["prompt"]
        if was == now:
            return
        error = Divergence(
            f"the session on tape {tape.name!r} goes on otherwise: its next {name} is {_shown(was)}, and this one is "
            f"{_shown(now)}. Play the same turns, or go on live on a fork of the tape.",
            lane=self.lane,
            ordinal=self._begun,
            kind="changed",
        )
        tape.divergences.append(error)
        raise error

    def _note_end(self, number: int, ended: str | None) -> None:
        tape = self.opened()
        played: Any = None
        while self._scripted and (found := tape.peek_reading(self.lane, ENDED)) is not None:
            if found.value["turn"] != number:
                break
            played = found.value
            tape.find_reading(self.lane, ENDED)
        value = {"turn": number, "ended": ended}
        if played != value:
            tape.record_reading(self.lane, ENDED, value)


class TurnCourse(Course):
    """The run of a turn: it begins with the conversation as it stands then, and its end is told to the session.

    Args:
        turns: the session's.
        again: the turn that is gone on with; a new one where it is None.
    """

    def __init__(self, turns: Turns, spec: Spec, asked: Asked, *, stream: bool, again: Point | None = None) -> None:
        super().__init__(spec, asked, stream=stream, open_playhead=self._on_its_place)
        self._turns = turns
        self._again = again
        self._place: Place | None = None

    async def events(self) -> AsyncGenerator[Event]:
        """From the first event to the last; then `result` is there."""
        try:
            self._place = place = self._turns.begin(self.spec, self.asked, self.stream, self._again)
        except PlayheadError as error:
            self._leave(error)
            raise
        self.asked = replace(self.asked, messages=standing_at(place.before), conversation=place.tape.id)
        self._book = Book(opening(self.asked.prompt, self.asked.messages), usage_at(place.before))
        try:
            async with aclosing(super().events()) as events:
                async for event in events:
                    yield event
        finally:
            self._turns.end(place, self.so_far, over=self.result is not None)

    def _on_its_place(self, outlets: Outlets) -> Playhead:
        assert self._place is not None  # noqa: S101 - it has begun
        return Playhead(self._place.tape, outlets, outlets.ready, base=self._place.lane, owner=False)


def file_of(tape: OpenTape, held: Tape) -> Path | None:
    """The file in Playhead's own format that holds the tape; None where it is not in its place (yet)."""
    path = Path(tape.name)
    try:
        if is_native(path) and path.is_file() and load_tape(path).meta.get("id") == held.meta.get("id"):
            return path
    except (OSError, PlayheadError):
        pass
    return None


def _origins(spec: Spec) -> dict[str, str]:
    """Who issues the opaque data that comes from addresses which do not tell it."""
    found: dict[str, str] = {}
    for each in (spec, *(handoff.spec for handoff in spec.handoffs)):
        for model in (each.model, *each.fallbacks):
            base = model.provider.base_url
            if "{" not in base and provider_for_url(base) is None:
                found[safe_url(base).partition("?")[0]] = model.provider.origin
    return found


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 200 else f"{text[:197]}..."
