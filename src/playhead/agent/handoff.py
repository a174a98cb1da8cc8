"""Handing a conversation on to another agent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..tools import AnyTool, Tool

if TYPE_CHECKING:
    from .agent import Agent
    from .spec import Spec


@dataclass(frozen=True, slots=True)
class Handoff:
    """A tool by which the model hands the conversation on: from the next step on another agent has it, with its own
    instructions, model and tools. Made by `handoff`."""

    tool: AnyTool
    spec: Spec


def handoff(agent: Agent[Any, Any], *, name: str | None = None, description: str | None = None) -> Handoff:
    """A way for the model to hand the conversation on to another agent. It stands among an agent's tools:

        Agent("...", tools=[search, ph.handoff(billing)])

    Args:
        agent: who goes on.
        name: what the model calls it; `transfer_to_` and the agent's name where it is left out.
        description: when to do so; from the agent's name where it is left out.

    Raises:
        ToolDefinitionError: the name cannot be a tool's.
    """
    label = name or "transfer_to_" + re.sub(r"[^a-zA-Z0-9_-]+", "_", agent.name)[:50]

    def transfer() -> str:
        return f"Handed on to {agent.name}."

    about = description or f"Hand the conversation on to {agent.name}, who goes on with it."
    return Handoff(Tool(transfer, name=label, description=about, effect="read"), agent.spec)
