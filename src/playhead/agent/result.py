"""What a run has come to: its messages, its steps, its usage and cost, and its tape."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from operator import add

from ..messages import Message, ModelResponse, ToolResultPart, Usage, add_known
from ..tape.effects import Tape


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
class RunResult:
    """A run, from its prompt to its end, or as far as it came.

    Attributes:
        messages: the whole conversation; hand it to the next run as `messages=`.
        steps: in order.
        tape: what was recorded or played; None in mode `off`.
        stopped: the text of `StopRun` where a tool ended the run ("" where it gave none), else None.
        warnings: what the wire format or the provider could not be told.
    """

    messages: tuple[Message, ...] = ()
    steps: tuple[Step, ...] = ()
    tape: Tape | None = field(default=None, repr=False)
    stopped: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text of the last answer, untrimmed; that of `StopRun` where a tool ended the run with one."""
        if self.stopped:
            return self.stopped
        return self.steps[-1].response.text if self.steps else ""

    @property
    def finish_reason(self) -> str | None:
        """Why the run ended: the last answer's finish reason, or `stopped` where a tool ended it."""
        if self.stopped is not None:
            return "stopped"
        return self.steps[-1].response.finish_reason if self.steps else None

    @property
    def usage(self) -> Usage:
        """The sum over all steps. What one step does not say is unknown in the sum."""
        return reduce(add, (step.response.usage or Usage() for step in self.steps)) if self.steps else Usage()

    @property
    def cost(self) -> float | None:
        """US dollars as the provider reported them; None where a step has no reported cost."""
        costs = [step.response.cost for step in self.steps]
        return reduce(add_known, costs) if costs else None
