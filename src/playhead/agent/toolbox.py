"""The tools of a step, the calls that the model makes of them, and what becomes of each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import msgspec

from ..errors import ConfigError
from ..events import Approval
from ..messages import MediaPart, Message, ToolCallPart, ToolResultPart, ToolSpec, Usage
from ..output import Output
from ..tape.effects import ToolRun
from ..tools import AnyTool, Context

CANCELLED = "Error: the run was cancelled before this tool had finished."
STILL_RUNNING = "Error: the run was cancelled while this tool was still running; it cannot be stopped."
CUT = "Error: the run ended before this tool had finished."
WAITING = "This call waits for approval, and has not run."


class _Named(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=_Named)


def by_name(things: Sequence[N], what: str = "two tools have", advice: str = "@tool(name=)") -> Mapping[str, N]:
    """Tools, or the like, by their names.

    Args:
        what: what an error says of two that have the same.
        advice: how one is given another.

    Raises:
        ConfigError: two have the same.
    """
    found = {each.name: each for each in things}
    if len(found) < len(things):
        names = [each.name for each in things]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ConfigError(f"{what} the same name: {', '.join(twice)}. Give one another with {advice}")
    return found


@dataclass(frozen=True, slots=True)
class Toolbox:
    """What the model may call in a step.

    Attributes:
        tools: by name.
        output: the typed output, where its values come by calls of tools of its own.
        complete: whether the answer that calls them was whole, and not cut off by its length.
        handoffs: the names of the tools that hand the conversation on.
    """

    tools: Mapping[str, AnyTool]
    output: Output[Any] | None = None
    output_names: frozenset[str] = frozenset()
    complete: bool = True
    handoffs: frozenset[str] = frozenset()

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """The tools as the model is told of them, without those of the output."""
        return tuple(tool.spec for tool in self.tools.values())

    def unknown(self, name: str) -> str:
        """What the model is told of a tool that there is not."""
        there = ", ".join((*self.tools, *sorted(self.output_names))) or "none"
        return f"there is no tool named {name!r}. The tools are: {there}."


@dataclass(slots=True)
class StepCalls:
    """The calls of one step, and what became of them.

    Attributes:
        calls: in the model's order.
        lanes: one for each call.
        number: of the step, from 0.
        messages: the conversation, with the answer that asks for the calls.
        run_id: gives what stands for the run in idempotency keys, when a tool starts: its tape, so that a resumed run
            is the same run, and a fork another.
        deps: the run's dependencies.
        agent: the agent's name.
        usage: gives the tokens so far.
        finished: what ran, by the call's place.
        pending: what waits for approval, by the call's place; several where an agent inside the tool asks.
        on_threads: the places of the calls that run on threads now.
        said: what is said of calls without a result, by lane, where the tape tells it.
        named: the tools that run, by the call's place, where they are not those that the model called.
        outputs: the outputs that calls gave, by the call's place.
        failures: what the user's function raised that looks at outputs, by the call's place.
    """

    calls: Sequence[ToolCallPart]
    lanes: Sequence[str]
    number: int
    messages: tuple[Message, ...]
    run_id: Callable[[], str] = lambda: ""
    deps: Any = None
    agent: str = ""
    usage: Callable[[], Usage] = Usage
    finished: dict[int, ToolRun] = field(default_factory=dict[int, ToolRun])
    pending: dict[int, tuple[Approval, ...]] = field(default_factory=dict[int, tuple[Approval, ...]])
    on_threads: set[int] = field(default_factory=set[int])
    said: Mapping[str, str] = field(default_factory=dict[str, str])
    named: dict[int, str] = field(default_factory=dict[int, str])
    outputs: dict[int, Any] = field(default_factory=dict[int, Any])
    failures: dict[int, Exception] = field(default_factory=dict[int, Exception])

    def name(self, n: int) -> str:
        """The tool that runs for call `n`."""
        return self.named.get(n, self.calls[n].name)

    @property
    def results(self) -> tuple[ToolResultPart, ...]:
        """What is there, in the order of the calls."""
        return tuple(result_of(self.calls[n], run) for n, run in sorted(self.finished.items()))

    def all_results(self, why: str = CUT, *, still_running: str | None = None) -> tuple[ToolResultPart, ...]:
        """What is there, and a sentence for the calls that have no result: a call without an end would make the
        conversation unusable.

        Args:
            why: for calls that were cut down.
            still_running: for those that go on, on a thread; `why` where it is None.
        """
        return tuple(
            result_of(call, self.finished[n])
            if n in self.finished
            else ToolResultPart(call.id, call.name, self._sentence(n, why, still_running), n not in self.pending)
            for n, call in enumerate(self.calls)
        )

    def _sentence(self, n: int, why: str, still_running: str | None) -> str:
        if (said := self.said.get(self.lanes[n])) is not None:
            return said
        if n in self.pending:
            return WAITING
        return still_running if still_running is not None and n in self.on_threads else why

    @property
    def stopped(self) -> str | None:
        """The text of the first `StopRun`, in the order of the calls."""
        stops = (run.stop for _, run in sorted(self.finished.items()))
        return next((stop for stop in stops if stop is not None), None)

    def begun(self, n: int) -> ToolRun:
        """The effect of call `n` when it begins."""
        call = self.calls[n]
        return ToolRun(lane=self.lanes[n], call_id=call.id, name=call.name, arguments=call.arguments)

    def context(self, n: int, **hooks: Any) -> Context[Any]:
        """What the tool of call `n` may know.

        Args:
            hooks: what its methods use.
        """
        call, lane = self.calls[n], self.lanes[n]
        key = hashlib.sha256(f"{self.run_id()} {lane}".encode()).hexdigest()[:32]
        return Context(
            lane=lane,
            call_id=call.id,
            tool=call.name,
            step=self.number,
            messages=self.messages,
            idempotency_key=key,
            deps=self.deps,
            agent=self.agent,
            usage=self.usage(),
            **hooks,
        )


def result_of(call: ToolCallPart, run: ToolRun) -> ToolResultPart:
    """What goes back to the model."""
    media = tuple(msgspec.convert(item, MediaPart) for item in run.media)
    return ToolResultPart(call.id, call.name, run.result, run.is_error, media)
