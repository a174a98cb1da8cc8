"""
What a run looks like while it happens.

    MessageStart (PartStart PartDelta* PartEnd)* MessageEnd       one answer of a model
    ToolStart ... ToolEnd                                         one tool call each, between two answers
    StreamReset                                                   what was shown of this answer does not count

Parts may interleave (parallel tool calls); `index` says to which one an event belongs.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from .messages import ModelResponse, Part, ToolCallPart, ToolResultPart

PartKind: TypeAlias = Literal["text", "refusal", "reasoning", "tool_call"]


class MessageStart(msgspec.Struct, frozen=True, tag=True):
    """An answer begins. Some providers send the id or the model late or never: then they are empty here."""

    id: str
    model: str


class PartStart(msgspec.Struct, frozen=True, tag=True):
    """A part begins; `part` holds what is known of it so far (a tool call's id and name)."""

    index: int
    part: Part


class PartDelta(msgspec.Struct, frozen=True, tag=True):
    """More of a part: text, reasoning text, or a fragment of a tool call's JSON arguments."""

    index: int
    kind: PartKind
    delta: str


class PartEnd(msgspec.Struct, frozen=True, tag=True):
    """A part is whole."""

    index: int
    part: Part


class MessageEnd(msgspec.Struct, frozen=True, tag=True):
    """The answer is whole."""

    response: ModelResponse


class ToolStart(msgspec.Struct, frozen=True, tag=True):
    """A tool is about to run, or to be played from the tape."""

    call: ToolCallPart
    lane: str


class ToolEnd(msgspec.Struct, frozen=True, tag=True):
    """A tool gave its result. Ends come as they happen; results go to the model in the order of the calls.

    Attributes:
        duration_s: seconds; those of the recording where `played`.
        played: whether the result came from the tape.
    """

    call: ToolCallPart
    result: ToolResultPart
    lane: str
    duration_s: float | None = None
    played: bool = False


class StreamReset(msgspec.Struct, frozen=True, tag=True):
    """What was shown of the answer under way does not count: it begins anew."""

    reason: str


MessageEvent: TypeAlias = MessageStart | PartStart | PartDelta | PartEnd | MessageEnd
"""What a wire format's decoder gives."""

Event: TypeAlias = MessageEvent | ToolStart | ToolEnd | StreamReset
"""What a run gives."""
