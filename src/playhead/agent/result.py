"""What a run has come to: its messages, its steps, its output, its usage and cost, and its tape."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias

import msgspec

from ..errors import RunError
from ..events import Approval
from ..ledger import Ledger
from ..messages import Message, ModelResponse, ToolResultPart, Usage
from ..tape.effects import Tape

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    OutputT_co = TypeVar("OutputT_co", default=str, covariant=True)
else:
    from typing import TypeVar

    OutputT_co = TypeVar("OutputT_co", covariant=True)

Ended: TypeAlias = Literal["stopped", "cancelled", "approval"]
"""Why a run ended before the model had no more to do: a tool or a condition stopped it, somebody cancelled it, or
tool calls wait for approval."""


@dataclass(frozen=True, slots=True)
class Step:
    """One model call and the tool calls that it asked for.

    Attributes:
        response: what the model answered.
        results: what the tools gave, in the order of the calls.
    """

    response: ModelResponse
    results: tuple[ToolResultPart, ...] = ()


@dataclass(frozen=True, slots=True)
class RunResult(Generic[OutputT_co]):
    """A run, from its prompt to its end, or as far as it came.

    Attributes:
        messages: the whole conversation; hand it to the next run as `messages=`.
        steps: in order.
        tape: what was recorded or played; None in mode `off`.
        stopped: the text of `StopRun` where a tool ended the run, or why a stop condition did ("" where there is no
            text), else None.
        warnings: what the wire format or the provider could not be told.
        ended: why it ended, where it was not the model that had no more to do.
        pending: the tool calls that wait for approval, those of agents inside tools included.
        ledger: every try at an answer, also failed ones and those of agents inside tools, with tokens and cost.
        agent: the name of the agent that has the conversation at the end.
    """

    messages: tuple[Message, ...] = ()
    steps: tuple[Step, ...] = ()
    tape: Tape | None = field(default=None, repr=False)
    stopped: str | None = None
    warnings: tuple[str, ...] = ()
    ended: Ended | None = None
    pending: tuple[Approval, ...] = ()
    ledger: Ledger = field(default_factory=Ledger, repr=False)
    agent: str = ""
    typed: Any = field(default=msgspec.UNSET, repr=False)

    @property
    def output(self) -> OutputT_co:
        """The output of the type that the agent was given; the text where it was given none.

        Raises:
            RunError: the run ended before there was one.
        """
        if self.typed is msgspec.UNSET:
            raise RunError(f"the run has no output: {_WHY_NONE.get(self.ended or '', 'it has not come to its end')}")
        return self.typed

    @property
    def text(self) -> str:
        """The text of the last answer, untrimmed; that of `StopRun` where a tool ended the run with one."""
        if self.stopped and self.ended is None:
            return self.stopped
        return self.steps[-1].response.text if self.steps else ""

    @property
    def finish_reason(self) -> str | None:
        """Why the run ended: the last answer's finish reason, or `stopped`, `cancelled` or `approval`."""
        if self.ended is not None or self.stopped is not None:
            return self.ended or "stopped"
        return self.steps[-1].response.finish_reason if self.steps else None

    @property
    def usage(self) -> Usage:
        """The sum over all attempts. What one of them does not say is unknown in the sum; `ledger.known_usage` is
        what is known."""
        if len(self.ledger):
            return self.ledger.usage
        return reduce(add, (step.response.usage or Usage() for step in self.steps)) if self.steps else Usage()

    @property
    def cost(self) -> float | None:
        """US dollars, as the providers reported them or as they are computed; None where that of one attempt is not
        known. `ledger.known_cost` is what is known."""
        return self.ledger.cost


_WHY_NONE = {
    "stopped": "it was stopped before the model gave one",
    "cancelled": "it was cancelled",
    "approval": "tool calls wait for approval, see `pending`",
}
