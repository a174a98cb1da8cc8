"""Tools whose work outlives the step: they run beside the conversation, and their results come in later messages."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from ..events import Event
from ..messages import MediaPart, Message, TextPart, ToolCallPart
from ..tape.effects import ToolRun

STARTED = "The tool works in the background. Its result comes in a later message; go on meanwhile."
"""What the model is told when such a tool is called."""

BACKGROUND = "background.began"
"""The reading, in a call's lane, that says that its tool works in the background."""


class Later:
    """Events that come while nobody asks for one: of work that outlives its step.

    Attributes:
        events: in order.
    """

    def __init__(self) -> None:
        self.events: deque[Event] = deque()
        self._come = asyncio.Event()

    def put(self, event: Event) -> None:
        """Something has happened."""
        self.events.append(event)
        self._come.set()

    async def wait(self) -> None:
        """Until there is an event."""
        while not self.events:
            self._come.clear()
            await self._come.wait()


class Jobs:
    """The background work of a run.

    Which results the model is told of before which step is read from the tape where it is there, so that a replay
    takes the same course.
    """

    def __init__(self) -> None:
        self._calls: dict[str, ToolCallPart] = {}
        self._done: dict[str, ToolRun] = {}
        self._tasks: dict[asyncio.Task[ToolRun], str] = {}
        self._said: dict[str, tuple[Event, ...]] = {}

    def __bool__(self) -> bool:
        """Whether there is work that the model has not been told the result of."""
        return bool(self._calls)

    def start(self, lane: str, call: ToolCallPart, work: Coroutine[Any, Any, ToolRun]) -> None:
        """Work begins."""
        self._calls[lane] = call
        self._tasks[asyncio.ensure_future(work)] = lane

    def finished(self, lane: str, call: ToolCallPart, run: ToolRun | None, said: tuple[Event, ...] = ()) -> None:
        """Work had ended when it was recorded; it had not where `run` is None.

        Args:
            said: its events, for when its result is taken.
        """
        self._calls[lane], self._said[lane] = call, said
        if run is not None:
            self._done[lane] = run

    async def until(self, something: Callable[[], Coroutine[Any, Any, object]]) -> bool:
        """Wait until work has ended, or something else has. Returns whether it was something else."""
        if not self._tasks or any(task.done() for task in self._tasks) or self._done.keys() & self._calls.keys():
            return False
        other = asyncio.ensure_future(something())
        try:
            await asyncio.wait([other, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
            return other.done()
        finally:
            other.cancel()
            await asyncio.wait([other])

    async def ready(self, *, wait: bool) -> list[str]:
        """The lanes of the work that has ended, in the order of the calls.

        Args:
            wait: whether to wait for one to end.

        Raises:
            TapeError, ToolInDoubt: one of them left the tape.
        """
        while True:
            for task in [task for task in self._tasks if task.done()]:
                lane = self._tasks.pop(task)
                self._done[lane] = task.result()
            found = [lane for lane in self._calls if lane in self._done]
            if found or not wait or not self._tasks:
                return found
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def take(self, lanes: list[str]) -> tuple[Message | None, list[Event]]:
        """The message that tells the model of results, if any; and the events of what is played."""
        events: list[Event] = []
        parts: list[TextPart | MediaPart] = []
        for lane in lanes:
            while lane not in self._done and any(name == lane for name in self._tasks.values()):
                # The tape says that it had ended here: it runs again, as it may.
                await asyncio.wait([task for task, name in self._tasks.items() if name == lane])
                await self.ready(wait=False)
            if lane not in self._done or lane not in self._calls:
                continue
            call, run = self._calls.pop(lane), self._done.pop(lane)
            events += self._said.pop(lane, ())
            parts.append(
                TextPart(f"Result of {call.name} (call {call.id}), which ran in the background:\n{run.result}")
            )
            parts += [msgspec.convert(item, MediaPart) for item in run.media]
        return Message("user", tuple(parts)) if parts else None, events

    @property
    def left(self) -> tuple[tuple[str, str], ...]:
        """The tools that still work: name and lane."""
        ended = {lane for task, lane in self._tasks.items() if task.done()} | self._done.keys()
        return tuple((call.name, lane) for lane, call in self._calls.items() if lane not in ended)

    async def cancel(self) -> None:
        """Stop all work."""
        tasks = list(self._tasks)
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
