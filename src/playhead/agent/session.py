"""A conversation of many runs on one tape."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import reduce
from operator import add
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, Unpack, cast

from .._settings import checked
from ..errors import ConfigError
from ..events import Approval
from ..ledger import Ledger
from ..messages import Message, Settings, Usage
from ..model import Model
from ..tape.files import save_tape
from ..tape.forking import fork_file
from ..tape.formats import is_native
from ..tape.open import Mode, TapeSource
from ..tape.opened import OpenTape
from .approvals import Approvals
from .checking import check_approvals, check_run
from .conversation import Point, Said, Turn, standing_at
from .course import Course
from .result import RunResult
from .run import Run
from .spec import Asked, Bounds, Prompt, TurnOptions
from .sync import SyncRun, awaited, finished
from .turns import TurnCourse, Turns, file_of

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from .agent import Agent

    DepsT = TypeVar("DepsT", default=Any)
    OutputT = TypeVar("OutputT", default=str)
else:
    from typing import TypeVar

    DepsT = TypeVar("DepsT")
    OutputT = TypeVar("OutputT")


class Session(Generic[DepsT, OutputT]):
    """A conversation of many runs on one tape.

        with agent.session("chat.jsonl") as session:
            session.run_sync("My name is Ada.")
            print(session.run_sync("What is my name?").text)

    A tape that holds a conversation is gone on with: the session begins with what the tape tells, so that another
    system prompt or model changes only what comes. In mode `replay`, and in `auto`, the session begins empty and
    plays the tape turn by turn.

    Use it as a context manager, `with` or `async with`, or call `close`. It is opened when it is first used. It does
    one turn at a time.

    Args:
        agent: who answers.
        tape: a file, a tape in memory, or one that `open_tape` gave. Without one it is the tape that is open around
            the session; else the conversation is recorded in memory.
        mode: as in `open_tape`.
        deps: what tools and functions of the agent find in `ctx.deps`; never written to a tape.
        approvals: decisions about tool calls that need them; for each turn that is not given its own.
        options: the others of `open_tape`.
    """

    def __init__(
        self,
        agent: Agent[DepsT, OutputT],
        tape: TapeSource | None = None,
        *,
        mode: Mode | None = None,
        deps: DepsT | None = None,
        approvals: Approvals | None = None,
        **options: Any,
    ) -> None:
        check_approvals(approvals)
        self._agent = agent
        self._deps = deps
        self._approvals = approvals
        self._options = options
        self._turns = Turns(tape, mode, options)

    # What it is.

    @property
    def agent(self) -> Agent[DepsT, OutputT]:
        """Who answers the next turn."""
        return self._agent

    @property
    def tape(self) -> OpenTape:
        """The tape. It is opened where it was not yet.

        Raises:
            ConfigError: the session is closed.
            TapeError: the tape cannot be read.
        """
        return self._turns.opened()

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The turns of the conversation, in order, without those that were undone."""
        self._turns.opened()
        return tuple(point.turn for point in self._turns.points if point.turn is not None)

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation, without a system prompt: each turn's agent puts its own."""
        self._turns.opened()
        return standing_at(self._turns.points)

    @property
    def ledger(self) -> Ledger:
        """Every try at an answer in all turns, also in those that were undone."""
        self._turns.opened()
        return reduce(add, (self._turns.ledgers[number] for number in sorted(self._turns.ledgers)), Ledger())

    @property
    def usage(self) -> Usage:
        """The tokens of all turns."""
        return self.ledger.usage

    @property
    def cost(self) -> float | None:
        """US dollars of all turns; None where that of one try is not known."""
        return self.ledger.cost

    @property
    def unfinished(self) -> Said | None:
        """The prompt of the last turn, where that one was cut down or failed, and can be gone on with by `resume`."""
        turns = self.turns
        return turns[-1].prompt if turns and turns[-1].ended == "unfinished" else None

    @property
    def pending(self) -> tuple[Approval, ...]:
        """The tool calls of the last turn that wait for approval."""
        turns = self.turns
        return turns[-1].pending if turns else ()

    # Turns.

    async def run(
        self,
        prompt: Prompt,
        **options: Unpack[TurnOptions[DepsT]],
    ) -> RunResult[OutputT]:
        """A turn to its end, with answers that are not streamed. Arguments and errors as in `Agent.run`."""
        return await finished(self._turn(self._asked(prompt, **options), stream=False))

    def stream(
        self,
        prompt: Prompt,
        **options: Unpack[TurnOptions[DepsT]],
    ) -> Run[OutputT]:
        """A turn with answers that are streamed. It begins when it is iterated over.

        async with session.stream("...") as run:
            async for event in run: ...
        """
        return self._turn(self._asked(prompt, **options), stream=True)

    def run_sync(
        self,
        prompt: Prompt,
        **options: Unpack[TurnOptions[DepsT]],
    ) -> RunResult[OutputT]:
        """`run`, for code that is not asynchronous. Also where an event loop runs already, as in a notebook."""
        return awaited(finished(self._turn(self._asked(prompt, **options), stream=False)))

    def stream_sync(
        self,
        prompt: Prompt,
        **options: Unpack[TurnOptions[DepsT]],
    ) -> SyncRun[OutputT]:
        """`stream`, for code that is not asynchronous."""
        return SyncRun(self.stream(prompt, **options))

    async def resume(
        self, approvals: Approvals | None = None, *, deps: DepsT | None = None, **bounds: Unpack[Bounds]
    ) -> RunResult[OutputT]:
        """Go on with the last turn: one that waits for approvals, or one that was cut down or failed. What is on the
        tape is played: nothing is paid for twice, and no tool that has ended runs again.

        Args:
            approvals: decisions about the calls that wait (`pending`), by lane or by call id, or a function.
            deps: as in `run`.
            bounds: `limits`, `budget` and `cancel`, as in `run`.

        Raises:
            ConfigError: the last turn has come to its end.
        """
        return await finished(self.resume_stream(approvals, deps=deps, **bounds))

    def resume_stream(
        self, approvals: Approvals | None = None, *, deps: DepsT | None = None, **bounds: Unpack[Bounds]
    ) -> Run[OutputT]:
        """`resume`, for looking at the events. Answers are streamed if they were in the turn that is resumed."""
        point = self._turns.to_go_on_with()
        assert point.began is not None  # noqa: S101 - it is a turn of a session
        settings = cast("Settings", point.began.settings)
        asked = self._asked(point.began.prompt, settings=settings, deps=deps, approvals=approvals, **bounds)
        return self._turn(asked, stream=point.began.stream, again=point)

    def resume_sync(
        self, approvals: Approvals | None = None, *, deps: DepsT | None = None, **bounds: Unpack[Bounds]
    ) -> RunResult[OutputT]:
        """`resume`, for code that is not asynchronous."""
        return awaited(finished(self.resume_stream(approvals, deps=deps, **bounds)))

    def resume_stream_sync(
        self, approvals: Approvals | None = None, *, deps: DepsT | None = None, **bounds: Unpack[Bounds]
    ) -> SyncRun[OutputT]:
        """`resume_stream`, for code that is not asynchronous."""
        return SyncRun(self.resume_stream(approvals, deps=deps, **bounds))

    # What changes the turns to come.

    def use(self, agent: Agent[DepsT, Any]) -> None:
        """Another agent answers from here on."""
        self._agent = agent

    def model(self, model: str | Model, **more: Any) -> None:
        """Another model answers from here on. Arguments and errors as in `Agent.with_model`."""
        self._agent = self._agent.with_model(model, **more)

    def undo(self, count: int = 1) -> tuple[Turn, ...]:
        """Drop the last turns from the conversation. The tape keeps them, and knows that they were dropped.

        Args:
            count: how many.

        Returns:
            Those that were dropped, in order.

        Raises:
            ConfigError: there are not so many.
        """
        self._turns.free()
        turns = self.turns
        if not turns:
            raise ConfigError("there is no turn to undo: nothing was said yet")
        if not 1 <= count <= len(turns):
            raise ConfigError(f"undo takes 1 to {len(turns)} turns of this conversation, not {count}")
        self._turns.undo(count)
        return turns[-count:]

    async def compact(self) -> bool:
        """Make the conversation shorter now, as the agent's `compaction` does it; by its model where it has none.

        Returns:
            Whether it is shorter. A conversation of a few messages stays as it is.

        Raises:
            PlayheadError: the model could not be asked.
        """
        return await self._turns.compact(self._agent.spec, self._deps)

    def compact_sync(self) -> bool:
        """`compact`, for code that is not asynchronous."""
        return awaited(self.compact())

    def fork(
        self, path: str | os.PathLike[str] | None = None, *, at: int | Turn | None = None
    ) -> Session[DepsT, OutputT]:
        """Another session that begins as this one did, and goes on by itself. This one stays as it is.

        Args:
            path: the new tape's file, which must not be there; in memory where it is left out. Beside a tape in
                Playhead's own format it holds only what differs.
            at: the last turn that is kept, or how many turns are; all of them where it is left out.

        Raises:
            ConfigError: there is no such turn, nothing was recorded, or there is a file already.
            TapeError: a file cannot be read or written.
        """
        tape = self._turns.free()
        held = tape.tape()
        if held is None:
            raise ConfigError("nothing of this session is recorded (mode 'off'): there is nothing to fork")
        cut = self._turns.cut(held, at)
        forked: TapeSource = held.fork(cut)
        if path is not None:
            child = Path(path)
            if (parent := file_of(tape, held)) is not None and is_native(child):
                fork_file(parent, child, cut)
            elif child.exists():
                raise ConfigError(f"there is a file {str(child)!r} already: a fork begins a new one")
            else:
                save_tape(forked, child)
            forked = child
        return Session(self._agent, forked, deps=self._deps, approvals=self._approvals, **self._options)

    # Its end.

    def close(self) -> str | None:
        """Put the tape in its place. The session can do nothing more.

        Returns:
            What there is to say of the file, if anything.
        """
        return self._turns.close(whole=True)

    def __enter__(self) -> Self:
        self._turns.opened()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._turns.close(whole=error is None)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __repr__(self) -> str:
        return f"Session({self._agent!r}, {self._turns.name or 'not open yet'!r})"

    def _turn(self, asked: Asked, *, stream: bool, again: Point | None = None) -> Run[OutputT]:
        spec = self._agent.spec

        def once_more(before: Course, approvals: Approvals) -> Course:
            point = self._turns.to_go_on_with()
            asked = replace(before.asked, approvals=approvals)
            return TurnCourse(self._turns, spec, asked, stream=before.stream, again=point)

        return Run(TurnCourse(self._turns, spec, asked, stream=stream, again=again), once_more)

    def _asked(
        self,
        prompt: Prompt,
        *,
        settings: Settings | None = None,
        deps: DepsT | None = None,
        approvals: Approvals | None = None,
        **bounds: Unpack[Bounds],
    ) -> Asked:
        check_run(prompt=prompt, settings=settings, approvals=approvals, **bounds)
        return Asked(
            prompt=prompt,
            settings=checked(settings or {}),
            deps=self._deps if deps is None else deps,
            approvals=self._approvals if approvals is None else approvals,
            told=True,
            **bounds,
        )
