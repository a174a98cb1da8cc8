"""Hooks: what is told to those who look on while an agent runs. They see everything and decide nothing."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from ..events import Event
from ..messages import ModelRequest, ToolCallPart
from ..model import Model
from .result import RunResult

if TYPE_CHECKING:
    from .calling import AttemptMade

_QUIET: AbstractContextManager[None] = nullcontext()
_METHODS = ("run_start", "request", "event", "attempt", "around_tool", "run_end")


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Which run something happens in.

    Attributes:
        id: of this run in this process, 32 hexadecimal digits. A replay has another one.
        agent: the agent's name, where it has one.
        lane: the line of work that it stands on: `root`, or that of the tool that it runs inside.
        parent: the run inside whose tool it runs, or that handed the conversation on.
        model: what is asked first, as `provider:model`.
        tape: the tape's name; None where nothing is recorded.
        stream: whether answers are streamed.
        conversation: what the caller calls the conversation, where it has a name.
    """

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    agent: str | None = None
    lane: str = "root"
    parent: RunInfo | None = None
    model: str = ""
    tape: str | None = None
    stream: bool = False
    conversation: str | None = None


class Hooks:
    """What looks on while an agent runs: subclass it, override what is of interest, and pass `Agent(hooks=[...])`.

    Every method is called in the run's own task, or in the tool's, and is waited for: it should be quick. What it
    raises is logged and goes no further. What it returns is not looked at.
    """

    def run_start(self, run: RunInfo) -> None:
        """A run begins."""

    def request(self, run: RunInfo, request: ModelRequest, model: Model) -> None:
        """A model is about to be asked. One `attempt` follows."""

    def event(self, run: RunInfo, event: Event) -> None:
        """Something happened: all that the run's caller sees, too."""

    def attempt(self, run: RunInfo, attempt: AttemptMade) -> None:
        """A model was asked, and answered or did not."""

    def around_tool(  # The arguments are for those who override it.
        self,
        run: RunInfo,  # noqa: ARG002
        call: ToolCallPart,  # noqa: ARG002
        lane: str,  # noqa: ARG002
    ) -> AbstractContextManager[None]:
        """What is entered before a tool runs and left after it, in the tool's own context.

        Args:
            lane: the call's own.
        """
        return _QUIET

    def run_end(self, run: RunInfo, result: RunResult, error: BaseException | None) -> None:
        """A run is over.

        Args:
            result: the run as far as it came.
            error: what ended it; None where it ended well.
        """


class HookList(Hooks):
    """Several hooks as one, in order. What one of them raises is logged, once for each of them, and stops nothing.

    It is false where there are none.
    """

    def __init__(self, hooks: Sequence[Hooks] = ()) -> None:
        self._hooks = tuple(hooks)
        self._failed: set[int] = set()
        self._run_start = self._who("run_start")
        self._request = self._who("request")
        self._event = self._who("event")
        self._attempt = self._who("attempt")
        self._around_tool = self._who("around_tool")
        self._run_end = self._who("run_end")

    def __bool__(self) -> bool:
        return bool(self._hooks)

    def __repr__(self) -> str:
        return f"HookList({list(self._hooks)!r})"

    @property
    def hooks(self) -> tuple[Hooks, ...]:
        """Those that are told, in order."""
        return self._hooks

    def and_also(self, *more: Hooks) -> HookList:
        """These, and more behind them."""
        longer = HookList((*self._hooks, *more))
        longer._failed = self._failed  # Who has been complained about once, is not complained about in each run.
        return longer

    def _who(self, method: str) -> tuple[Hooks, ...]:
        """Those that override a method: the others cost nothing."""
        inherited = getattr(Hooks, method)
        return tuple(hook for hook in self._hooks if getattr(type(hook), method) is not inherited)

    def run_start(self, run: RunInfo) -> None:
        for hook in self._run_start:
            try:
                hook.run_start(run)
            except Exception as error:
                self.failed(hook, "run_start", error)

    def request(self, run: RunInfo, request: ModelRequest, model: Model) -> None:
        for hook in self._request:
            try:
                hook.request(run, request, model)
            except Exception as error:
                self.failed(hook, "request", error)

    def event(self, run: RunInfo, event: Event) -> None:
        for hook in self._event:
            try:
                hook.event(run, event)
            except Exception as error:
                self.failed(hook, "event", error)

    def attempt(self, run: RunInfo, attempt: AttemptMade) -> None:
        for hook in self._attempt:
            try:
                hook.attempt(run, attempt)
            except Exception as error:
                self.failed(hook, "attempt", error)

    def around_tool(self, run: RunInfo, call: ToolCallPart, lane: str) -> AbstractContextManager[None]:
        if not self._around_tool:
            return _QUIET
        return _Around(self, self._around_tool, run, call, lane)

    def run_end(self, run: RunInfo, result: RunResult, error: BaseException | None) -> None:
        for hook in reversed(self._run_end):  # The last to come is the first to go, as in nested blocks.
            try:
                hook.run_end(run, result, error)
            except Exception as failure:
                self.failed(hook, "run_end", failure)

    def failed(self, hook: Hooks, method: str, error: Exception) -> None:
        """Log that a hook raised something, the first time that it does."""
        if id(hook) in self._failed:
            return
        self._failed.add(id(hook))
        # The run's own error, which may stand behind it, can quote what somebody said.
        error.__suppress_context__ = True
        logging.getLogger("playhead").error(
            "%r raised %s in %s; the run goes on, and this hook's further errors are not logged",
            hook,
            type(error).__name__,
            method,
            exc_info=error,
        )


class _Around:
    """The context managers of several hooks around one tool. None of them can stop the tool, or hide its error."""

    def __init__(
        self, hooks: HookList, around: tuple[Hooks, ...], run: RunInfo, call: ToolCallPart, lane: str
    ) -> None:
        self._hooks = hooks
        self._around = around
        self._of = (run, call, lane)
        self._entered: list[tuple[Hooks, AbstractContextManager[None]]] = []

    def __enter__(self) -> None:
        for hook in self._around:
            try:
                manager = hook.around_tool(*self._of)
                manager.__enter__()
            except Exception as error:
                self._hooks.failed(hook, "around_tool", error)
            else:
                self._entered.append((hook, manager))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._entered:
            hook, manager = self._entered.pop()
            try:
                manager.__exit__(kind, error, trace)
            except Exception as failure:
                if failure is not error:  # `contextmanager` lets the tool's own error through as it is.
                    self._hooks.failed(hook, "around_tool", failure)


class _Listener(Hooks):
    """A plain function that is told the events."""

    def __init__(self, function: Callable[[Event], Any]) -> None:
        self._function = function

    def __repr__(self) -> str:
        return repr(self._function)

    def event(self, run: RunInfo, event: Event) -> None:  # noqa: ARG002
        self._function(event)


def as_hooks(
    hooks: Sequence[Hooks | Callable[[Event], Any]] | Hooks | Callable[[Event], Any] | None,
) -> HookList:
    """Hooks and plain functions of an event, as one. It is false where there are none.

    Raises:
        ConfigError: something is neither.
    """
    if isinstance(hooks, HookList):
        return hooks
    if isinstance(hooks, Hooks) or callable(hooks):
        return HookList([_as_hook(hooks)])
    return HookList([_as_hook(hook) for hook in hooks or ()])


def _as_hook(hook: object) -> Hooks:
    if isinstance(hook, Hooks):
        waiting = [name for name in _METHODS if iscoroutinefunction(getattr(hook, name))]
        if waiting:
            raise ConfigError(f"{hook!r}: {waiting[0]} is a coroutine function, and nobody awaits what hooks return")
        return hook
    if hook is Hooks or (isinstance(hook, type) and Hooks in hook.__mro__):
        raise ConfigError(f"a hook should be an object: pass {hook.__name__}(...), not the class")
    if iscoroutinefunction(hook):
        raise ConfigError(f"a hook should be a plain function: nobody awaits {hook!r}, which is a coroutine function")
    if callable(hook):
        return _Listener(hook)
    raise ConfigError(f"a hook should be a Hooks or a function of an event, but is of type {type(hook).__name__}")
