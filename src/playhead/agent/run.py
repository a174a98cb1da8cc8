"""A run as its caller sees it: one implementation behind `run`, `run_sync`, `stream` and `stream_sync`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self

from ..errors import ConfigError, RunError
from ..events import Event
from .approvals import Approvals
from .course import Course
from .result import RunResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import TypeVar

    OutputT = TypeVar("OutputT", default=str)
else:
    from typing import TypeVar

    OutputT = TypeVar("OutputT")


class Run(Generic[OutputT]):
    """A run while it happens: iterate over it for its events.

    Use it as an asynchronous context manager, so that leaving early cancels what is under way:

        async with agent.stream("...") as run:
            async for event in run: ...
        print(run.result.text)
    """

    def __init__(self, course: Course, again: Callable[[Course, Approvals], Course] | None = None) -> None:
        self._course = course
        self._again = again
        self._events: AsyncGenerator[Event] | None = None

    @property
    def result(self) -> RunResult[OutputT]:
        """The finished result.

        Raises:
            RunError: the run has not ended; `so_far` has what there is.
        """
        if self._course.result is None:
            raise RunError(
                "the run has not ended, so that it has no result yet: iterate over it to its end, or await "
                "run.finish(). `run.so_far` has what there is."
            )
        return self._course.result

    @property
    def so_far(self) -> RunResult[OutputT]:
        """The run as far as it came. Every tool call in its messages has a result."""
        return self._course.so_far

    async def finish(self) -> RunResult[OutputT]:
        """Go on to the end, whether or not anybody looks at the events."""
        async for _ in self:
            pass
        return self.result

    def cancel(self, *, after_step: bool = False) -> None:
        """End the run well, from any task or thread. Its result is there then, and its messages can be gone on with.

        Args:
            after_step: let the step under way come to its end, its tools included. Otherwise what is under way is
                stopped at once: the provider's connection is closed, tools are cancelled.
        """
        self._course.cancelling.ask(after_step=after_step)

    def resume(self, approvals: Approvals) -> Run[OutputT]:
        """Go on after a pause: a run that plays what this one has recorded, and goes on from there.

        Args:
            approvals: what was decided about the calls that wait for approval (`result.pending`), by lane or by call
                id: True, False, `Approve(...)` or `Deny(...)`; or a function that is asked.

        Raises:
            ConfigError: the run has not ended, or was not recorded.
        """
        if self._again is None or self._course.result is None:
            raise ConfigError("only a run that has ended and was recorded can be resumed")
        return Run(self._again(self._course, approvals), self._again)

    def __aiter__(self) -> AsyncIterator[Event]:
        if self._events is None:
            self._events = self._course.events()
        return self._events

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop what is under way, and put the tape in its place."""
        if self._events is not None:
            await self._events.aclose()


AnyRun = Run[Any]
"""A run of any output."""
