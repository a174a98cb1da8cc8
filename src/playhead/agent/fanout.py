"""Several runs of an agent at the same time, on one tape."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Generic, Literal, Unpack, cast, overload

from .._settings import checked
from ..errors import ConfigError
from ..events import Nested
from ..ledger import Limits, Meter
from ..messages import Settings
from ..tape.lanes import here, lane_on
from ..tape.open import Mode, TapeSource, open_tape
from ..tape.opened import OpenTape
from ..tape.playhead import Playhead
from .approvals import Approvals
from .around import around
from .cancel import Cancel
from .checking import check_prompts, check_run, kind
from .course import Course
from .result import RunResult
from .run import Run
from .spec import Asked, Prompt, TurnOptions
from .sync import awaited

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from .agent import Agent

    DepsT = TypeVar("DepsT", default=Any)
    OutputT = TypeVar("OutputT", default=str)
else:
    from typing import TypeVar

    DepsT = TypeVar("DepsT")
    OutputT = TypeVar("OutputT")

_FAILED = "fan_out.failed"
"""The reading that says which run failed first: that one's error is raised."""


class FanOptions(TurnOptions[DepsT], Generic[DepsT], total=False):
    """What `fan_out` is given."""

    tape: TapeSource | None
    mode: Mode | None
    concurrency: int | None
    conversation: str | None


@overload
async def fan_out(
    agent: Agent[DepsT, OutputT],
    prompts: Iterable[Prompt],
    *,
    return_exceptions: Literal[False] = False,
    **options: Unpack[FanOptions[DepsT]],
) -> list[RunResult[OutputT]]: ...


@overload
async def fan_out(
    agent: Agent[DepsT, OutputT],
    prompts: Iterable[Prompt],
    *,
    return_exceptions: bool,
    **options: Unpack[FanOptions[DepsT]],
) -> list[RunResult[OutputT] | Exception]: ...


async def fan_out(
    agent: Agent[DepsT, OutputT],
    prompts: Iterable[Prompt],
    *,
    tape: TapeSource | None = None,
    mode: Mode | None = None,
    concurrency: int | None = None,
    return_exceptions: bool = False,
    settings: Settings | None = None,
    deps: DepsT | None = None,
    limits: Limits | None = None,
    budget: Meter | None = None,
    approvals: Approvals | None = None,
    cancel: Cancel | None = None,
    conversation: str | None = None,
) -> Any:
    """Run an agent on several prompts at the same time, each in a lane of its own (`root/0`, `root/1`, ...) on one
    tape. It is played whatever the order in which they arrive.

    Inside a tool the lanes stand below the tool's; the runs are part of the run around it: their usage adds up, their
    events are given as `Nested`, and they have its dependencies and approvals.

    Args:
        agent: who runs.
        prompts: one for each run.
        tape: as in `Agent.run`.
        mode: as in `Agent.run`.
        concurrency: how many run at the same time, at most; all of them where it is left out.
        return_exceptions: whether a run's error stands in the place of its result. Else the first one is raised, and
            the other runs are cancelled.
        settings: as in `Agent.run`, for each run, like all that follow.
        limits: of each run. What all of them may take together is a `budget`.

    Returns:
        The results, in the order of the prompts.

    Raises:
        ConfigError: `concurrency` is below 1.
        PlayheadError: as `Agent.run` does.
    """
    check_prompts(prompts)
    check_run(
        settings=settings,
        limits=limits,
        budget=budget,
        approvals=approvals,
        cancel=cancel,
        conversation=conversation,
    )
    kind("concurrency", concurrency, int, "a whole number")
    if concurrency is not None and concurrency < 1:
        raise ConfigError(f"concurrency should be 1 or more, but is {concurrency}")
    outside = around()
    asked = [
        Asked(
            prompt=prompt,
            settings=checked(settings or {}),
            deps=outside.deps if deps is None and outside is not None else deps,
            limits=limits,
            budget=budget,
            approvals=outside.approvals if approvals is None and outside is not None else approvals,
            cancel=cancel,
            conversation=conversation,
        )
        for prompt in prompts
    ]
    fan = _Fan(agent, *_opened(tape, mode), asyncio.Semaphore(concurrency or max(1, len(asked))))
    whole = False
    try:
        found = await fan.all(asked, return_exceptions=return_exceptions)
        whole = True
    finally:
        fan.close(whole=whole)
    return found


@overload
def fan_out_sync(
    agent: Agent[DepsT, OutputT],
    prompts: Iterable[Prompt],
    *,
    return_exceptions: Literal[False] = False,
    **options: Unpack[FanOptions[DepsT]],
) -> list[RunResult[OutputT]]: ...


@overload
def fan_out_sync(
    agent: Agent[DepsT, OutputT],
    prompts: Iterable[Prompt],
    *,
    return_exceptions: bool,
    **options: Unpack[FanOptions[DepsT]],
) -> list[RunResult[OutputT] | Exception]: ...


def fan_out_sync(agent: Agent[Any, Any], prompts: Iterable[Prompt], **options: Any) -> Any:
    """`fan_out`, for code that is not asynchronous. The options are the same."""
    running = cast("Coroutine[Any, Any, list[Any]]", cast("Any", fan_out)(agent, prompts, **options))
    return awaited(running)


def _opened(source: TapeSource | None, mode: Mode | None) -> tuple[OpenTape, str, bool]:
    """The tape, the lane that the runs stand below, and whether the tape is to be closed."""
    if source is None and mode is None and (place := here()) is not None:
        return place.tape, place.lane, False
    if not isinstance(source, OpenTape):
        return open_tape(source, mode), "root", True
    if mode is not None and mode != source.mode:
        raise ConfigError(f"the tape is open in mode {source.mode!r}: leave mode={mode!r} out, or open another")
    return source, lane_on(source), False


class _Fan:
    """The runs of a fan-out.

    Args:
        tape: what they stand on.
        lane: what their lanes stand below.
        owner: whether the tape is closed with them.
        slots: how many run at the same time.
    """

    def __init__(
        self, agent: Agent[Any, Any], tape: OpenTape, lane: str, owner: bool, slots: asyncio.Semaphore
    ) -> None:
        self._agent = agent
        self._tape = tape
        self._lane = lane
        self._owner = owner
        self._slots = slots

    async def all(self, asked: list[Asked], *, return_exceptions: bool) -> list[Any]:
        """Their results, in order."""
        tasks = [asyncio.ensure_future(self._one(n, each)) for n, each in enumerate(asked)]
        try:
            if return_exceptions:
                return [_result(task) for task in tasks if await asyncio.wait([task])]
            await self._until_one_fails(tasks)
            return [task.result() for task in tasks]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def close(self, *, whole: bool) -> None:
        """Put the tape in its place, if it is theirs."""
        if self._owner:
            self._tape.close(whole=whole)

    async def _until_one_fails(self, tasks: list[asyncio.Task[RunResult[Any]]]) -> None:
        """Wait for all. The error that is raised is the one that was raised first when it was recorded: those that
        were cut down by it fail as well when they are played."""
        first = self._tape.find_reading(self._lane, _FAILED)
        if first is not None and self._tape.closed and first.value < len(tasks):
            await tasks[first.value]
        left = set(tasks)
        while left:
            done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
            for n, task in enumerate(tasks):
                if task in done and not task.cancelled() and task.exception() is not None:
                    self._tape.record_reading(self._lane, _FAILED, n)
                    task.result()

    async def _one(self, n: int, asked: Asked) -> RunResult[Any]:
        outside, lane = around(), f"{self._lane}/{n}"
        async with self._slots:
            course = Course(
                self._agent.spec,
                asked,
                stream=outside is not None and outside.stream,
                open_playhead=lambda outlets: Playhead(self._tape, outlets, outlets.ready, base=lane, owner=False),
            )
            async with Run[Any](course) as run:
                async for event in run:
                    if outside is not None:
                        outside.emit(event if isinstance(event, Nested) else Nested(lane, self._agent.name, event))
                return run.result


def _result(task: asyncio.Task[RunResult[Any]]) -> RunResult[Any] | Exception:
    error = task.exception()
    if error is None:
        return task.result()
    if not isinstance(error, Exception):
        raise error
    return error
