"""What a run's steps are made of: the agent's instructions and tools, and what the user's functions say."""

from __future__ import annotations

import inspect
from contextlib import AbstractContextManager, AsyncExitStack
from typing import Any

from ..ledger import Meter
from ..messages import Settings
from ..tape.lanes import standing
from ..tape.playhead import Playhead
from ..tools import AnyTool, Context, Toolset
from .approvals import decisions_of
from .book import Book
from .loop import instructed
from .outputs import Wanted
from .readings import Stopwatch, read_now
from .spec import Asked, Spec
from .steering import NextStep, RunState
from .toolbox import by_name


class Preparing:
    """Asks the agent and the user's functions what the next step is made of.

    Args:
        asked: what the run is given.
        book: what it has come to.
        meter: what it has taken.
        playhead: its place on the tape.
        watch: how long it has taken.
    """

    def __init__(self, asked: Asked, book: Book, meter: Meter, playhead: Playhead, watch: Stopwatch) -> None:
        self._asked = asked
        self._book = book
        self._meter = meter
        self._playhead = playhead
        self._watch = watch
        self._tools: dict[str, AnyTool] = {}
        self._opened: list[Toolset] = []

    async def begin(self, spec: Spec, *, anew: bool) -> None:
        """An agent gets the conversation.

        Args:
            anew: whether its system prompt stands instead of the one that is there.
        """
        if not anew:
            self._book.decisions = decisions_of(self._asked.approvals, self._playhead)
        await self._load_tools(spec)  # First: a prompt may ask the same servers, which stay open from here on.
        await self._instruct(spec, anew=anew)

    async def aclose(self) -> None:
        """Close what the agents' tools come from: all of them, also where one fails or is cut short."""
        async with AsyncExitStack() as closing:
            while self._opened:
                closing.push_async_callback(self._opened.pop(0).aclose)

    async def step(self, spec: Spec, number: int) -> tuple[NextStep[Any], Wanted]:
        """What the next step is made of, as the agent and its `before_step` want it."""
        settings: Settings = {**spec.settings, **self._asked.settings}
        step: NextStep[Any] = NextStep(
            number=number,
            model=spec.model,
            messages=self._book.messages,
            tools=tuple(self._tools),
            read_state=lambda: self._state(spec),
        )
        if spec.before_step is not None:
            with self._aside("before_step"):
                changed = spec.before_step(step)
                if inspect.isawaitable(changed):
                    changed = await changed
            step = changed or step
        settings = {**settings, **step.settings}
        if step.tool_choice is not None:
            settings["tool_choice"] = step.tool_choice
        chosen = {name: tool for name, tool in self._tools.items() if name in step.tools}
        return step.replace(settings=settings), Wanted(spec.output, chosen)

    async def stop_reason(self, spec: Spec) -> str | None:
        """Why the run is to end now, as its stop conditions want it; None where it goes on."""
        if not spec.stop_when:
            return None
        state = self._state(spec)
        for condition in spec.stop_when:
            with self._aside("stop_when"):
                verdict = condition(state)
                if inspect.isawaitable(verdict):
                    verdict = await verdict
            if verdict or verdict == "":
                return verdict if isinstance(verdict, str) else getattr(condition, "__name__", "")
        return None

    async def _instruct(self, spec: Spec, *, anew: bool) -> None:
        """Put the agent's system prompt before the conversation."""
        texts: list[str] = []
        for prompt in spec.system:
            text = prompt
            if not isinstance(text, str):
                with self._aside("system"):
                    anew, text = True, text(self._context(spec))
                    if inspect.isawaitable(text):
                        text = await text
            texts.append(text)
        self._book.messages = instructed(self._book.messages, "\n\n".join(filter(None, texts)), anew=anew)

    async def _load_tools(self, spec: Spec) -> None:
        """The tools of this agent, those that servers offer included."""
        found = [*spec.tools, *(handoff.tool for handoff in spec.handoffs)]
        for toolset in spec.toolsets:
            found += await toolset.tools(self._playhead.read)
            self._opened.append(toolset)
        self._tools = dict(by_name(found, advice="@tool(name=), or the tools of a server with its prefix="))

    def _context(self, spec: Spec) -> Context[Any]:
        playhead = self._playhead
        return Context(
            lane=playhead.lane,
            step=len(self._book.steps),
            messages=self._book.messages,
            deps=self._asked.deps,
            agent=spec.name,
            usage=self._meter.known_usage,
            _reader=lambda name, make: read_now(playhead, name, make),
        )

    def _state(self, spec: Spec) -> RunState[Any]:
        playhead = self._playhead
        so_far = self._book.result(playhead.tape(), playhead.warnings, self._meter.ledger, spec.name)
        return RunState(so_far, self._context(spec), self._watch.read)

    def _aside(self, what: str) -> AbstractContextManager[None]:
        """What the user's functions read outside stands on the tape, in a lane beside the run's."""
        return standing(self._playhead.opened, f"{self._playhead.lane}/{what}")
