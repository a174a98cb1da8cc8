"""
A tape that is open: what was recorded behind the playhead, and what happens ahead of it.

One open tape may serve several runs, sub-agents and other people's clients at the same time, on one event loop or on
several threads. It does no I/O but that of its file: who asks plays what is found, or lets it happen and records it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Protocol, Self, TypeAlias

import msgspec

from ..errors import ConfigError, Divergence, TapeError, ToolInDoubt
from ..http import Request, Transport
from .effects import Effect, Interaction, Reading, Tape, ToolRun
from .lanes import fallback, lane_on, standing
from .passed import outer_lanes
from .player import Player
from .playing import Cut
from .recorder import CallRecording, Recorder, ToolRecording
from .secrets import Redaction

OnDivergence: TypeAlias = Literal["strict", "fork", "drift"]
"""What happens where a run asks for something other than what the tape holds at that place.

    strict   an error, with the nearest recorded effect and the differences
    fork     the tape is cut there, and the run goes on live on a child of it; the tape stays as it is
    drift    what stands at that place is played all the same, and the run is marked
"""


class Skip(msgspec.Struct, frozen=True):
    """The answer to a tool in doubt: it is not run again, and this is its result.

    Args:
        result: the text that goes back to the model.
        is_error: whether the text is an error.
    """

    result: str
    is_error: bool = False


Choice: TypeAlias = Literal["rerun"] | Skip
InDoubt: TypeAlias = Literal["raise", "rerun"] | Skip | Callable[[ToolInDoubt], Choice | None]
"""What to do with a tool that may run only once and was cut down in the middle: stop with `ToolInDoubt`, run it
again, take a result for it, or ask a function, which returns one of these, or None to stop."""


class Faults(Protocol):
    """Faults to strike with. See `playhead.transport.faults`."""

    def around(self, inner: Transport) -> Transport:
        """`inner` with faults."""
        ...


Found: TypeAlias = tuple[int, Interaction]
"""An interaction with its number on the tape."""


def _say_nothing(whole: bool) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a tape is played and recorded. See `open_tape`."""

    on_divergence: OnDivergence = "strict"
    in_doubt: InDoubt = "raise"
    speed: float | None = None
    cut: Cut = "recorded"
    redact: Redaction = field(default_factory=Redaction)
    faults: Faults | None = None


@dataclass(frozen=True, kw_only=True)
class Branch:
    """What a tape is recorded to once it was cut: its child."""

    tape: Tape
    name: str
    open_sink: Callable[[dict[str, Any]], Any] | None = None
    on_close: Callable[[bool], str | None] = _say_nothing


class OpenTape:
    """A tape that is open. Made by `open_tape`.

    Use it as a context manager. Inside the block, agents and clients that are given no tape use this one:

        with ph.open_tape("run.jsonl", mode="replay") as tape:
            agent.run_sync("...")
        assert not tape.unplayed()

    Attributes:
        name: the file, or a few words.
        mode: as it was opened.
        closed: whether nothing may happen ahead of the playhead (mode `replay`).
        options: how it is played and recorded.
        warnings: what whoever uses this tape should be told.
        drifts: where something else was played than what was asked for (`on_divergence="drift"`), a sentence each.
        divergences: the errors of that kind that were raised so far.
    """

    def __init__(
        self,
        name: str = "",
        *,
        mode: str = "resume",
        options: Options,
        player: Player | None = None,
        recorder: Recorder | None = None,
        closed: bool = False,
        recorded: Tape | None = None,
        warnings: tuple[str, ...] = (),
        on_close: Callable[[bool], str | None] = _say_nothing,
        branch: Callable[[int, list[int]], Branch] | None = None,
    ) -> None:
        self.name = name
        self.mode = mode
        self.closed = closed
        self.options = options
        self.warnings = warnings
        self.drifts: tuple[str, ...] = ()
        self.divergences: list[Divergence] = []
        self._player = player
        self._recorder = recorder
        self._recorded = recorded
        self._on_close = on_close
        self._branch = branch
        self._lock = threading.RLock()
        self._over = False
        self._unseen: Divergence | None = None
        self._inside = ExitStack()

    def __repr__(self) -> str:
        return f"OpenTape({self.name!r}, mode={self.mode!r})"

    def tape(self) -> Tape | None:
        """What is on the tape by now; None where nothing is kept."""
        return self._recorder.tape() if self._recorder else self._recorded

    @property
    def id(self) -> str | None:
        """What stands for the tape, also after a resume. A fork has an id of its own."""
        tape = self._recorded if self._recorder is None else None
        meta: dict[str, Any] = self._recorder.meta if self._recorder else tape.meta if tape else {}
        return str(meta["id"]) if meta.get("id") else None

    def unplayed(self) -> tuple[Effect, ...]:
        """The effects that were recorded and have not been played, in order."""
        with self._lock:
            if self._player is None:
                return ()
            effects = self._recorded.effects if self._recorded else ()
            return tuple(effects[place] for place in self._player.unplayed() if place < len(effects))

    def goes_on(self, lane: str) -> bool:
        """Whether the tape holds calls of exactly this lane that have not been played."""
        with self._lock:
            return self._player is not None and self._player.goes_on(lane)

    # What runs and clients ask for.

    def redacted(self, request: Request) -> Request:
        """The request as it may stand on a tape, and as it is held against one."""
        return self.options.redact.request(request)

    def begin(self, base: str, asked: Request) -> tuple[str, Found | None]:
        """A run begins: its lane, and what was recorded for its first request.

        Args:
            base: the lane that it stands in.
            asked: redacted.

        Raises:
            Divergence: see `find`.
        """
        with self._lock:
            lane = self._moving().claim(base, asked)
            try:
                return lane, self.find_numbered(lane, asked)
            except Divergence:
                self._moving().release(lane)
                raise

    def find(self, lane: str, asked: Request) -> Interaction | None:
        """What was recorded at the next place of a run's lane, or None where it is to happen.

        Raises:
            Divergence: the tape holds another request at this place, or has ended and may not grow.
        """
        found = self.find_numbered(lane, asked)
        return found and found[1]

    def find_numbered(self, lane: str, asked: Request) -> Found | None:
        """As `find`, with the effect's number."""
        with self._lock:
            player = self._moving()
            place = player.next_place(lane)
            try:
                found = player.by_place(lane, asked)
                if found is None and self.closed:
                    raise player.missing(lane, asked)
            except Divergence as error:
                place = self._otherwise(error, player.next_place(lane))
                found = None if place is None else player.at(place)
            return None if found is None or place is None else (player.number(place), found)

    def record(self, lane: str, asked: Request) -> CallRecording | None:
        """A run's request is about to be sent; None where nothing is kept."""
        with self._lock:
            player = self._moving()
            if self._recorder is None:
                return None
            self._recorder.supersede(player.superseded(lane))
            return self._recorder.call(lane, asked)

    def ask(self, request: Request) -> Interaction | CallRecording | None:
        """For clients that carry no lane: what was recorded for a request, or where to record it, now that it is
        about to be sent; None where it is to be sent and not kept.

        Raises:
            Divergence: see `find`. It is raised once more when the tape's `with` block ends, unless the block ends
                with an error: clients tend to swallow what their transport raises, and to try again.
        """
        base, asked = lane_on(self), self.redacted(request)
        with self._lock:
            player = self._moving()
            try:
                found = player.by_digest(base, asked, anywhere=self.closed)
                if found is None and self.closed:
                    raise player.not_found(base, asked)
            except Divergence as error:
                try:
                    place = self._otherwise(error, player.next_alike(None, asked))
                except Divergence:
                    self._unseen = self._unseen or error
                    raise
                return None if place is None else player.at(place)
            if found is not None or self._recorder is None:
                return found
            self._recorder.supersede(player.superseded(base, asked))
            return self._recorder.call(player.client_lane(base), asked)

    def find_tool(self, call: ToolRun, effect: str) -> ToolRun | None:
        """The result of a tool from the tape, or None where the tool is to run. Nothing happens here yet.

        Args:
            call: the lane, the name and the arguments.
            effect: the tool's contract: `read`, `idempotent` or `once`.

        Raises:
            Divergence: the tape holds another call at this place, or none, and may not grow.
            ToolInDoubt: it was cut down in the middle when it was recorded, and may run only once.
        """
        with self._lock:
            player = self._moving()
            try:
                recorded = player.tool(call.lane, call.name, self.options.redact.text(call.arguments))
                # A cassette of a program that knows nothing of tools holds what came after them.
                if (
                    recorded is None
                    and self.closed
                    and (player.holds_tools or not player.goes_on(_around(call.lane)))
                ):
                    raise player.tool_missing(call.lane, call.name)
            except Divergence as error:
                found = self._otherwise(error, player.tool_place(call.lane))
                return None if found is None else player.tool_at(found)
        if recorded is not None and recorded.ended == "complete":
            return recorded
        if recorded is not None and (self.closed or effect == "once"):
            raise self._in_doubt(call)
        return None

    def record_tool(self, call: ToolRun, lane: str) -> ToolRecording | None:
        """A tool is about to run in a run of `lane`; None where it is not kept."""
        with self._lock:
            self._ensure_open()
            if self._recorder is None or not self.keeps_tools(lane):
                return None
            return self._recorder.tool(call)

    def keeps_tools(self, lane: str) -> bool:
        """Whether tools that run in a run of `lane` are put on the tape. Behind the playhead of a cassette without
        tool effects they are not."""
        if self._recorder is None:
            return False
        return self._player is None or self._player.holds_tools or not self._player.goes_on(lane)

    def keeps_readings(self, lane: str) -> bool:
        """Whether what is read in `lane` is put on the tape. A cassette of a program that knows of neither tools nor
        readings is not written to while it is played."""
        if self._recorder is None or self.closed:
            return False
        player, recorded = self._player, self._recorded
        if player is None or recorded is None or recorded.format == "playhead":
            return True
        return player.holds_tools or bool(recorded.readings) or not any(map(player.goes_on, outer_lanes(lane)))

    def find_reading(self, lane: str, name: str) -> Reading | None:
        """The next reading of `name` in `lane`, which counts as played then; None where there is none."""
        with self._lock:
            return self._moving().reading(lane, name)

    def peek_reading(self, lane: str, name: str) -> Reading | None:
        """The next reading of `name` in `lane`, which stays the next one; None where there is none."""
        with self._lock:
            return self._moving().reading(lane, name, take=False)

    def record_reading(self, lane: str, name: str, value: Any) -> None:
        """Something was read from outside of the run. Nothing is recorded where nothing may happen or is kept.

        Args:
            value: plain JSON data. Secrets in it are taken out where it is kept.
        """
        with self._lock:
            self._ensure_open()
            if self._recorder is not None and not self.closed:
                self._recorder.reading(lane, name, value)

    def no_reading(self, lane: str, name: str) -> Divergence:
        """The error for a reading that is not there, where nothing may happen. It counts as a divergence."""
        with self._lock:
            error = self._moving().reading_missing(lane, name)
            self.divergences.append(error)
            return error

    # What was paid for.

    def inside(self, lane: str) -> tuple[Found, ...]:
        """The interactions of `lane` and below it (`LANE/...`, `LANE#...`) up to here, with their numbers, in order.

        These are those that were played, those that happened, and those of earlier recordings that are asked again
        (`superseded`): such a one counts as soon as its lane has begun and all before it there was played. What
        stands on the tape ahead of the playhead is not among them: a replay counts as the recorded run did.
        """
        with self._lock:
            played = self._player.passed(lane) if self._player else []
            happened = self._recorder.calls_inside(lane) if self._recorder else []
            return tuple(sorted({**dict(played), **dict(happened)}.items()))

    def pass_by(self, lane: str) -> None:
        """What was recorded in `lane` and below it led to a reading that was played: it is not asked for again, and
        counts (`inside`)."""
        with self._lock:
            if self._player is not None:
                self._player.pass_by(lane)

    def superseded(self, lane: str) -> tuple[Found, ...]:
        """The interactions of exactly this lane that are superseded, or will be as this run asks them again, with
        their numbers, wherever the playhead is."""
        with self._lock:
            return tuple(self._player.asked_again(lane)) if self._player else ()

    def choice(self, doubt: ToolInDoubt) -> Choice | None:
        """What was decided for tools in doubt, when the tape was opened; None where the run is to stop."""
        decided = self.options.in_doubt
        if self.closed:
            return None
        choice: object = decided(doubt) if callable(decided) else decided
        if choice is None or choice == "raise":
            return None
        if isinstance(choice, Skip):
            return choice
        if choice != "rerun":
            raise ConfigError(f"in_doubt decides by 'raise', 'rerun' or Skip(result), not by {choice!r}") from doubt
        return "rerun"

    # Its end.

    def again(self) -> OpenTape:
        """This tape once more: what is on it by now stands behind the playhead, and what happens goes on it, too.

        It is open for as long as this one is, and need not be closed.

        Raises:
            ConfigError: nothing is kept of what happens here.
            TapeError: the tape is closed.
        """
        with self._lock:
            self._ensure_open()
            tape = self.tape()
            if tape is None:
                raise ConfigError("nothing is recorded here (mode 'off'): there is nothing to go on with")
            return OpenTape(
                self.name,
                mode=self.mode,
                options=self.options,
                player=Player(tape, self.name, resume=not self.closed, redact=self.options.redact),
                recorder=self._recorder,
                closed=self.closed,
                recorded=tape,
            )

    def close(self, *, whole: bool = True) -> str | None:
        """Put the tape's file in its place.

        Args:
            whole: whether all that was to be recorded came to its end. If not, a recording does not replace a tape
                that was there.

        Returns:
            What there is to say of the file, if anything.
        """
        with self._lock:
            self._over = True
            on_close, self._on_close = self._on_close, _say_nothing
            return on_close(whole)

    def __enter__(self) -> Self:
        self._inside.enter_context(standing(self))
        self._inside.enter_context(fallback(self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inside.close()  # Raises nothing: what follows puts the tape in its place.
        unseen, self._unseen = self._unseen, None
        try:
            said = self.close(whole=error is None and unseen is None)
        except TapeError as second:
            if error is None:
                raise
            said = str(second)
        if error is None and unseen is not None:
            raise unseen
        if error is not None and said:
            error.add_note(said)
        if error is not None and unseen is not None and str(unseen) not in str(error):
            error.add_note(str(unseen))

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def _ensure_open(self) -> None:
        if self._over:
            raise TapeError(f"tape {self.name!r} is closed: open it again to go on")

    def _otherwise(self, error: Divergence, place: int | None) -> int | None:
        """What happens at a divergence: the place that is played all the same, or None where it is to happen."""
        policy = self.options.on_divergence
        if policy == "drift" and place is not None:
            what = "; ".join(error.differences) or str(error)
            self.drifts += (f"drift at number {error.ordinal + 1} in lane {error.lane}: {what}",)
            return place
        if policy == "fork" and place is not None and self._branch is not None and self._recorder is not None:
            player = self._moving()
            number = player.number(place)
            branch = self._branch(number, player.played_from(place))
            player.cut(place)
            self._recorder.go_on_with(branch.tape, branch.open_sink)
            self.warnings += (f"the run left tape {self.name!r} at effect {number}, and went on on {branch.name!r}",)
            self.name, self._branch, self._on_close = branch.name, None, branch.on_close
            return None
        self.divergences.append(error)
        raise error

    def _moving(self) -> Player:
        self._ensure_open()
        if self._player is None:
            self._player = Player(Tape(), self.name)
        return self._player

    def _in_doubt(self, call: ToolRun) -> ToolInDoubt:
        shown = self.options.redact.text(f"{call.name}({call.arguments})")
        begun = f"tape {self.name!r}: tool {shown} in lane {call.lane} was started, and the recording stops"
        begun += " before its end"
        if self.closed:
            return ToolInDoubt(
                f"{begun}. In a mode that only plays, it is not run again: go on with mode 'resume'.",
                lane=call.lane,
                name=call.name,
                arguments=call.arguments,
            )
        return ToolInDoubt(
            f"{begun}. It may have done its work or not, and it may run only once. Look what happened, and say what "
            "to do when you resume: open_tape(F, in_doubt='rerun') runs it again, in_doubt=Skip('...') takes your "
            "word for its result. A tool that can find out itself declares @tool(reconcile=...); one that is safe to "
            "run again declares effect='idempotent' or 'read'.",
            lane=call.lane,
            name=call.name,
            arguments=call.arguments,
        )


def _around(lane: str) -> str:
    """The lane of the run whose tool this is."""
    return lane.rpartition("/")[0]
