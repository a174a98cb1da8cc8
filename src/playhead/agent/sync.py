"""A run for code that is not asynchronous: an event loop that goes on while an event is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from ..errors import ConfigError
from ..events import Event
from .result import RunResult
from .run import Run


class SyncRun:
    """A run as a context manager and an iterator. See `playhead.agent.run.Run`.

    Args:
        run: what is run, in this thread, whenever an event is asked for.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._runner: asyncio.Runner | None = None

    @property
    def result(self) -> RunResult:
        """The finished result. Raises RunError where the run has not ended."""
        return self._run.result

    @property
    def so_far(self) -> RunResult:
        """The run as far as it came."""
        return self._run.so_far

    def finish(self) -> RunResult:
        """Go on to the end, whether or not anybody looks at the events."""
        for _ in self:
            pass
        return self.result

    def __enter__(self) -> Self:
        self._loop()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Event]:
        runner, events = self._loop(), aiter(self._run)

        async def following() -> Event | None:
            return await anext(events, None)

        while (event := runner.run(following())) is not None:
            yield event

    def close(self) -> None:
        """Stop what is under way, and put the tape in its place."""
        runner, self._runner = self._runner, None
        if runner is not None:
            try:
                runner.run(self._run.aclose())
            finally:
                runner.close()

    def _loop(self) -> asyncio.Runner:
        if self._runner is None:
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                self._runner = asyncio.Runner()
            else:
                raise ConfigError("an event loop runs in this thread: use `async with agent.stream(...)` here")
        return self._runner
