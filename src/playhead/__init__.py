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
    from .agent.agent import Agent as Agent
    from .agent.result import RunResult as RunResult
    from .agent.result import Step as Step
    from .agent.run import Run as Run
    from .agent.sync import SyncRun as SyncRun
    from .errors import CodecError as CodecError
    from .errors import ConfigError as ConfigError
    from .errors import DecodeError as DecodeError
    from .errors import Divergence as Divergence
    from .errors import EncodeError as EncodeError
    from .errors import MissingDependency as MissingDependency
    from .errors import MissingKey as MissingKey
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
    from .events import Event as Event
    from .events import MessageEnd as MessageEnd
    from .events import MessageStart as MessageStart
    from .events import PartDelta as PartDelta
    from .events import PartEnd as PartEnd
    from .events import PartStart as PartStart
    from .events import StreamReset as StreamReset
    from .events import ToolEnd as ToolEnd
    from .events import ToolStart as ToolStart
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
    from .providers import Provider as Provider
    from .providers import Route as Route
    from .tape.effects import Interaction as Interaction
    from .tape.effects import Tape as Tape
    from .tape.effects import ToolRun as ToolRun
    from .tape.files import load_tape as load_tape
    from .tape.files import save_tape as save_tape
    from .tape.lanes import lane as lane
    from .tape.open import open_tape as open_tape
    from .tape.opened import OpenTape as OpenTape
    from .tape.opened import Skip as Skip
    from .tape.secrets import Redaction as Redaction
    from .tools import RERUN as RERUN
    from .tools import Context as Context
    from .tools import InvalidArguments as InvalidArguments
    from .tools import Tool as Tool
    from .tools import tool as tool
    from .transport.faults import Fault as Fault
    from .transport.faults import Faults as Faults
    from .transport.faults import RandomFaults as RandomFaults
    from .wire import Dialect as Dialect

_HOMES = {
    "agent.agent": ("Agent",),
    "agent.result": ("RunResult", "Step"),
    "agent.run": ("Run",),
    "agent.sync": ("SyncRun",),
    "errors": (
        *("CodecError", "ConfigError", "DecodeError", "Divergence", "EncodeError", "MissingDependency"),
        *("MissingKey", "PlayheadError", "ProviderError", "RunError", "StepLimit", "StopRun", "TapeError"),
        *("TapeFormatError", "TapeLocked", "TapeNotFound", "ToolDefinitionError", "ToolInDoubt"),
        *("TransportError", "TruncatedStream"),
    ),
    "events": (
        *("Event", "MessageEnd", "MessageStart", "PartDelta", "PartEnd", "PartStart", "StreamReset"),
        *("ToolEnd", "ToolStart"),
    ),
    "messages": (
        *("Cache", "Citation", "MediaPart", "Message", "ModelResponse", "Opaque", "ProviderTool", "Reasoning"),
        *("ReasoningPart", "RefusalPart", "Settings", "Source", "TextPart", "ToolCallPart", "ToolResultPart"),
        *("ToolSpec", "Usage", "system", "user"),
    ),
    "model": ("Model", "Rendered", "render"),
    "providers": ("Provider", "Route"),
    "tape.effects": ("Interaction", "Tape", "ToolRun"),
    "tape.files": ("load_tape", "save_tape"),
    "tape.lanes": ("lane",),
    "tape.open": ("open_tape",),
    "tape.opened": ("OpenTape", "Skip"),
    "tape.secrets": ("Redaction",),
    "tools": ("Context", "InvalidArguments", "RERUN", "Tool", "tool"),
    "transport.faults": ("Fault", "Faults", "RandomFaults"),
    "wire": ("Dialect",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_HOME)]  # noqa: PLE0604  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name == "clients":  # A package of its own: other people's clients, each loaded when it is used.
        return importlib.import_module(".clients", __name__)
    if name not in _HOME:
        raise AttributeError(f"module 'playhead' has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
