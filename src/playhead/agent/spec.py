"""What an agent is, and what a run of it is given: plain values, behind `Agent` and its runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypedDict

from ..http import Transport
from ..ledger import Limits, Meter
from ..messages import MediaPart, Message, ProviderTool, Settings, TextPart
from ..model import Model
from ..output import Output
from ..retry import Retry, Timeouts
from ..tools import AnyTool, Toolset
from .approvals import Approvals
from .cancel import Cancel
from .hooks import HookList
from .repairing import Repair
from .steering import BeforeStep, StopCondition, SystemPrompt

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from ..tape.open import Mode, TapeSource
    from .compaction import Compaction
    from .handoff import Handoff

    DepsT = TypeVar("DepsT", default=Any)
else:
    from typing import TypeVar

    DepsT = TypeVar("DepsT")

Prompt: TypeAlias = str | Sequence[str | TextPart | MediaPart]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What an agent is. The attributes are those of `Agent`."""

    name: str
    model: Model
    fallbacks: tuple[Model, ...] = ()
    system: tuple[SystemPrompt, ...] = ()
    tools: tuple[AnyTool, ...] = ()
    provider_tools: tuple[ProviderTool, ...] = ()
    toolsets: tuple[Toolset, ...] = ()
    handoffs: tuple[Handoff, ...] = ()
    output: Output[Any] | None = None
    settings: Settings = field(default_factory=Settings)
    max_steps: int = 50
    max_parallel_tools: int = 16
    strict_settings: bool = False
    retry: Retry = field(default_factory=Retry)
    timeouts: Timeouts = field(default_factory=Timeouts)
    limits: Limits | None = None
    stop_when: tuple[StopCondition, ...] = ()
    before_step: BeforeStep | None = None
    compaction: Compaction | None = None
    repair: Repair | None = None
    hooks: HookList = field(default_factory=HookList)
    transport: Transport | None = None


class Bounds(TypedDict, total=False):
    """What may end a run that goes on: `limits`, a `budget` and `cancel`, as in `Agent.run`."""

    limits: Limits | None
    budget: Meter | None
    cancel: Cancel | None


class TurnOptions(Bounds, Generic[DepsT], total=False):
    """What else a run is given, as in `Agent.run`."""

    settings: Settings | None
    deps: DepsT | None
    approvals: Approvals | None


class RunOptions(TurnOptions[DepsT], Generic[DepsT], total=False):
    """What a run of its own is given, as in `Agent.run`."""

    messages: Sequence[Message]
    tape: TapeSource | None
    mode: Mode | None
    conversation: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a run is given. The attributes are those of `Agent.run`, and:

    Attributes:
        told: whether the tape tells already with what the run begins, as it does of a session's turn.
    """

    prompt: Prompt | None = None
    messages: tuple[Message, ...] = ()
    settings: Settings = field(default_factory=Settings)
    deps: Any = None
    limits: Limits | None = None
    budget: Meter | None = None
    approvals: Approvals | None = None
    cancel: Cancel | None = None
    conversation: str | None = None
    told: bool = False
