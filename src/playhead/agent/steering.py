"""How a run is steered from outside: what is known of it between two steps, and what its next step is made of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeAlias

from ..messages import Message, Settings, Usage
from ..model import Model
from ..tools import Context

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from .result import RunResult

    DepsT = TypeVar("DepsT", default=Any)
else:
    from typing import TypeVar

    DepsT = TypeVar("DepsT")


@dataclass(frozen=True, slots=True)
class RunState(Generic[DepsT]):
    """A run between two steps.

    Attributes:
        so_far: its messages, steps, usage and cost. Every tool call in its messages has a result.
        ctx: what tools see of the run, with the dependencies.
        read_elapsed: see `elapsed_s`.
    """

    so_far: RunResult[Any]
    ctx: Context[DepsT]
    read_elapsed: Callable[[], float] = field(repr=False, compare=False)

    @property
    def steps(self) -> int:
        """Steps that were made."""
        return len(self.so_far.steps)

    @property
    def deps(self) -> DepsT:
        """The dependencies that the run was given."""
        return self.ctx.deps

    @property
    def usage(self) -> Usage:
        """Tokens so far, as far as they are known."""
        return self.so_far.ledger.known_usage

    @property
    def cost(self) -> float | None:
        """US dollars so far; None where those of one attempt are not known. `so_far.ledger.known_cost` is what is."""
        return self.so_far.cost

    def elapsed_s(self) -> float:
        """Seconds that the run has taken, without the time between a crash and its resume. A reading of the clock: it
        is on the tape, and is played."""
        return self.read_elapsed()


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep(Generic[DepsT]):
    """What the next step is made of. `before_step` is given one and may return another:

        def before_step(step: ph.NextStep) -> ph.NextStep | None:
            if step.number == 0:
                return step.replace(tool_choice="required", tools=("search",))

    What is changed holds for this step alone.

    Attributes:
        number: of the step, from 0.
        model: what is asked: a `Model`, or its name, as `provider:model`.
        messages: what is sent.
        tools: the names of the tools that the model may call.
        tool_choice: as in `Settings`; None leaves it to the settings.
        settings: over the agent's and the run's.
        read_state: see `state`.
    """

    number: int
    model: Model | str
    messages: tuple[Message, ...]
    tools: tuple[str, ...]
    tool_choice: str | dict[str, Any] | None = None
    settings: Settings = field(default_factory=Settings)
    read_state: Callable[[], RunState[DepsT]] = field(repr=False, compare=False)

    @property
    def state(self) -> RunState[DepsT]:
        """The run so far."""
        return self.read_state()

    def replace(self, **changes: Any) -> NextStep[DepsT]:
        """This step with other attributes.

        Raises:
            TypeError: there is no such attribute.
        """
        return replace(self, **changes)

    @property
    def deps(self) -> DepsT:
        """The dependencies that the run was given."""
        return self.state.deps


BeforeStep: TypeAlias = Callable[[NextStep[Any]], NextStep[Any] | Awaitable[NextStep[Any] | None] | None]
"""Called before each step."""

StopCondition: TypeAlias = Callable[[RunState[Any]], bool | str | Awaitable[bool | str | None] | None]
"""Called after each step with tool calls: True, or a text that says why, ends the run well."""

SystemPrompt: TypeAlias = str | Callable[[Context[Any]], str | Awaitable[str]]
"""A text, or a function that makes one when the run begins."""

SystemPrompts: TypeAlias = SystemPrompt | Sequence[SystemPrompt] | None
