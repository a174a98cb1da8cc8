"""
Playhead: a run of an agent is a tape.

    import playhead as ph

    agent = ph.Agent("openrouter:moonshotai/kimi-k2-0905", tools=[...])
    result = agent.run_sync("...", tape="run.jsonl")

Names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from . import clients as clients
    from . import mcp as mcp
    from . import telemetry as telemetry
    from . import testing as testing
    from .agent import stop as stop
    from .agent.agent import Agent as Agent
    from .agent.approvals import Approvals as Approvals
    from .agent.approvals import Approve as Approve
    from .agent.approvals import Decision as Decision
    from .agent.approvals import Deny as Deny
    from .agent.calling import AttemptMade as AttemptMade
    from .agent.cancel import Cancel as Cancel
    from .agent.compaction import Compaction as Compaction
    from .agent.conversation import Turn as Turn
    from .agent.conversation import conversation as conversation
    from .agent.fanout import fan_out as fan_out
    from .agent.fanout import fan_out_sync as fan_out_sync
    from .agent.handoff import Handoff as Handoff
    from .agent.handoff import handoff as handoff
    from .agent.hooks import Hooks as Hooks
    from .agent.hooks import RunInfo as RunInfo
    from .agent.repairing import BrokenCall as BrokenCall
    from .agent.result import RunResult as RunResult
    from .agent.result import Step as Step
    from .agent.run import Run as Run
    from .agent.session import Session as Session
    from .agent.steering import NextStep as NextStep
    from .agent.steering import RunState as RunState
    from .agent.sync import SyncRun as SyncRun
    from .errors import CodecError as CodecError
    from .errors import ConfigError as ConfigError
    from .errors import DecodeError as DecodeError
    from .errors import Divergence as Divergence
    from .errors import EncodeError as EncodeError
    from .errors import LimitExceeded as LimitExceeded
    from .errors import MissingDependency as MissingDependency
    from .errors import MissingKey as MissingKey
    from .errors import OutputError as OutputError
    from .errors import PlayheadError as PlayheadError
    from .errors import ProviderError as ProviderError
    from .errors import RunError as RunError
    from .errors import StepLimit as StepLimit
    from .errors import StopRun as StopRun
    from .errors import TapeError as TapeError
    from .errors import TapeFormatError as TapeFormatError
    from .errors import TapeLocked as TapeLocked
    from .errors import TapeNotFound as TapeNotFound
    from .errors import ToolDefinitionError as ToolDefinitionError
    from .errors import ToolInDoubt as ToolInDoubt
    from .errors import TransportError as TransportError
    from .errors import TruncatedStream as TruncatedStream
    from .errors import Undecided as Undecided
    from .events import Approval as Approval
    from .events import ApprovalNeeded as ApprovalNeeded
    from .events import AttemptFailed as AttemptFailed
    from .events import Compacted as Compacted
    from .events import Event as Event
    from .events import HandedOff as HandedOff
    from .events import MessageEnd as MessageEnd
    from .events import MessageStart as MessageStart
    from .events import Nested as Nested
    from .events import OutputPartial as OutputPartial
    from .events import PartDelta as PartDelta
    from .events import PartEnd as PartEnd
    from .events import PartStart as PartStart
    from .events import StreamReset as StreamReset
    from .events import ToolEnd as ToolEnd
    from .events import ToolProgress as ToolProgress
    from .events import ToolStart as ToolStart
    from .ledger import Attempt as Attempt
    from .ledger import Budget as Budget
    from .ledger import Ledger as Ledger
    from .ledger import Limits as Limits
    from .ledger import ledger_of as ledger_of
    from .messages import Cache as Cache
    from .messages import Citation as Citation
    from .messages import MediaPart as MediaPart
    from .messages import Message as Message
    from .messages import ModelResponse as ModelResponse
    from .messages import Opaque as Opaque
    from .messages import ProviderTool as ProviderTool
    from .messages import Reasoning as Reasoning
    from .messages import ReasoningPart as ReasoningPart
    from .messages import RefusalPart as RefusalPart
    from .messages import Settings as Settings
    from .messages import Source as Source
    from .messages import TextPart as TextPart
    from .messages import ToolCallPart as ToolCallPart
    from .messages import ToolResultPart as ToolResultPart
    from .messages import ToolSpec as ToolSpec
    from .messages import Usage as Usage
    from .messages import system as system
    from .messages import user as user
    from .model import Model as Model
    from .model import Rendered as Rendered
    from .model import render as render
    from .output import InvalidOutput as InvalidOutput
    from .output import Output as Output
    from .providers import Provider as Provider
    from .providers import Route as Route
    from .retry import Retry as Retry
    from .retry import Timeouts as Timeouts
    from .tape.effects import Interaction as Interaction
    from .tape.effects import Progress as Progress
    from .tape.effects import Reading as Reading
    from .tape.effects import Tape as Tape
    from .tape.effects import ToolRun as ToolRun
    from .tape.files import load_tape as load_tape
    from .tape.files import save_tape as save_tape
    from .tape.lanes import lane as lane
    from .tape.open import open_tape as open_tape
    from .tape.opened import OpenTape as OpenTape
    from .tape.opened import Skip as Skip
    from .tape.secrets import Redaction as Redaction
    from .testing import block_network as block_network
    from .tools import RERUN as RERUN
    from .tools import Context as Context
    from .tools import InvalidArguments as InvalidArguments
    from .tools import Tool as Tool
    from .tools import Toolset as Toolset
    from .tools import tool as tool
    from .transport.faults import Fault as Fault
    from .transport.faults import Faults as Faults
    from .transport.faults import RandomFaults as RandomFaults
    from .wire import Dialect as Dialect

_HOMES = {
    "agent.agent": ("Agent",),
    "agent.approvals": ("Approvals", "Approve", "Decision", "Deny"),
    "agent.calling": ("AttemptMade",),
    "agent.cancel": ("Cancel",),
    "agent.compaction": ("Compaction",),
    "agent.conversation": ("Turn", "conversation"),
    "agent.fanout": ("fan_out", "fan_out_sync"),
    "agent.handoff": ("Handoff", "handoff"),
    "agent.hooks": ("Hooks", "RunInfo"),
    "agent.repairing": ("BrokenCall",),
    "agent.result": ("RunResult", "Step"),
    "agent.run": ("Run",),
    "agent.session": ("Session",),
    "agent.steering": ("NextStep", "RunState"),
    "agent.sync": ("SyncRun",),
    "errors": (
        *("CodecError", "ConfigError", "DecodeError", "Divergence", "EncodeError", "LimitExceeded"),
        *("MissingDependency", "MissingKey", "OutputError", "PlayheadError", "ProviderError", "RunError"),
        *("StepLimit", "StopRun", "TapeError", "TapeFormatError", "TapeLocked", "TapeNotFound"),
        *("ToolDefinitionError", "ToolInDoubt", "TransportError", "TruncatedStream"),
        *("Undecided",),
    ),
    "events": (
        *("Approval", "ApprovalNeeded", "AttemptFailed", "Compacted", "Event", "HandedOff", "MessageEnd"),
        *("MessageStart", "Nested", "OutputPartial", "PartDelta", "PartEnd", "PartStart", "StreamReset"),
        *("ToolEnd", "ToolProgress", "ToolStart"),
    ),
    "ledger": ("Attempt", "Budget", "Ledger", "Limits", "ledger_of"),
    "messages": (
        *("Cache", "Citation", "MediaPart", "Message", "ModelResponse", "Opaque", "ProviderTool"),
        *("Reasoning", "ReasoningPart", "RefusalPart", "Settings", "Source", "TextPart", "ToolCallPart"),
        *("ToolResultPart", "ToolSpec", "Usage", "system", "user"),
    ),
    "model": ("Model", "Rendered", "render"),
    "output": ("InvalidOutput", "Output"),
    "providers": ("Provider", "Route"),
    "retry": ("Retry", "Timeouts"),
    "tape.effects": ("Interaction", "Progress", "Reading", "Tape", "ToolRun"),
    "tape.files": ("load_tape", "save_tape"),
    "tape.lanes": ("lane",),
    "tape.open": ("open_tape",),
    "tape.opened": ("OpenTape", "Skip"),
    "tape.secrets": ("Redaction",),
    "tools": ("Context", "InvalidArguments", "RERUN", "Tool", "Toolset", "tool"),
    "transport.faults": ("Fault", "Faults", "RandomFaults"),
    "testing": ("block_network",),
    "wire": ("Dialect",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

_MODULES = {
    "clients": "clients",
    "mcp": "mcp",
    "stop": "agent.stop",
    "telemetry": "telemetry",
    "testing": "testing",
}
"""Names that are modules of their own, each loaded when it is used."""

__all__ = ["__version__", *sorted(_HOME)]  # noqa: PLE0604  # pyright: ignore[reportUnsupportedDunderAll]


if not TYPE_CHECKING:  # Else every name would be one, for type checkers.

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return importlib.import_module(f".{_MODULES[name]}", __name__)
        if name not in _HOME:
            raise AttributeError(f"module 'playhead' has no attribute {name!r}")
        value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
