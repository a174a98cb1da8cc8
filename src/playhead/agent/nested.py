"""An agent as a tool of another: its run is a lane of the same tape, and its usage adds up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Protocol

from ..events import Nested
from ..tools import Context, Tool, result_text
from .around import around
from .execution import Waiting

if TYPE_CHECKING:
    from .run import AnyRun


class AgentTool(Tool[..., Any]):
    """A tool that runs an agent. One that was cut down goes on where it was: its own effects are on the tape."""


class Nestable(Protocol):
    """What can be run inside a tool."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    def run_inside(self, prompt: str, context: Context[Any]) -> AnyRun:
        """A run that is part of the run around it."""
        ...


def agent_tool(agent: Nestable, name: str, description: str, about: str) -> AgentTool:
    """A tool that runs an agent.

    Args:
        name: what the model calls it.
        description: what the model is told of it.
        about: what the model is told of its one parameter, the prompt.
    """

    async def call(prompt: Annotated[str, about], context: Context[Any]) -> object:
        outside = around()
        async with agent.run_inside(prompt, context) as run:
            async for event in run:
                if outside is not None:
                    outside.emit(event if isinstance(event, Nested) else Nested(context.lane, agent.name, event))
            result = run.result
        if result.pending:
            raise Waiting(result.pending)
        return result_text(result.text if result.ended else result.output)

    return AgentTool(call, name=name, description=description, effect="idempotent", namespace={"about": about})
