"""The loop, pure: from an answer to the calls that it asks for, and from results to the next messages."""

from __future__ import annotations

from collections.abc import Sequence

from ..messages import MediaPart, Message, ModelResponse, TextPart, ToolCallPart, ToolResultPart, system, user


def opening(
    prompt: str | Sequence[str | TextPart | MediaPart] | None, instructions: str | None, history: Sequence[Message]
) -> tuple[Message, ...]:
    """The messages with which a run begins. A history that has its own system message keeps it."""
    first = (system(instructions),) if instructions and not any(m.role == "system" for m in history) else ()
    return (*first, *history, *((user(prompt),) if prompt is not None else ()))


def next_calls(response: ModelResponse) -> tuple[ToolCallPart, ...]:
    """The tool calls to run now; none where the run is over.

    The calls count, not the finish reason: some providers say `stop` beside them.
    """
    return response.tool_calls


def answered(results: Sequence[ToolResultPart]) -> Message:
    """The message that takes results back to the model, in the order of the calls."""
    return Message("tool", tuple(results))


def lanes_of(calls: Sequence[ToolCallPart], lane: str, before: int) -> tuple[str, ...]:
    """The lane of each call: its place among the run's tool calls, and its name.

    Args:
        before: how many calls earlier steps made.
    """
    return tuple(f"{lane}/{before + n}.{call.name}" for n, call in enumerate(calls))
