"""The loop, pure: from an answer to the calls that it asks for, and from results to the next messages."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ..messages import (
    MediaPart,
    Message,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    system,
    user,
)


def opening(
    prompt: str | Sequence[str | TextPart | MediaPart] | None, history: Sequence[Message]
) -> tuple[Message, ...]:
    """The messages with which a run begins, without the agent's system prompt."""
    return (*history, *((user(prompt),) if prompt is not None else ()))


def instructed(messages: Sequence[Message], instructions: str, *, anew: bool = False) -> tuple[Message, ...]:
    """The messages with a system prompt. A history that has its own keeps it.

    Args:
        instructions: the prompt; nothing where it is empty.
        anew: whether this one stands instead of the history's own.
    """
    if anew:
        messages = [message for message in messages if message.role != "system"]
    if not instructions or any(message.role == "system" for message in messages):
        return tuple(messages)
    return (system(instructions), *messages)


def also_instructed(messages: Sequence[Message], more: str) -> tuple[Message, ...]:
    """The messages with a sentence behind what the system prompt says."""
    if not more:
        return tuple(messages)
    for n, message in enumerate(messages):
        if message.role == "system":
            parts = (*message.parts, TextPart(f"\n\n{more}"))
            return (*messages[:n], msgspec.structs.replace(message, parts=parts), *messages[n + 1 :])
    return (system(more), *messages)


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
