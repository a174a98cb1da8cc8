"""
What a run looks like while it happens.

    MessageStart (PartStart PartDelta* PartEnd)* MessageEnd       one answer of a model
    ToolStart ToolProgress* ToolEnd                               one tool call each, between two answers
    AttemptFailed                                                 a try at an answer failed; another one follows
    StreamReset                                                   what was shown of this answer does not count
    OutputPartial                                                 the typed output, as far as it came
    ApprovalNeeded                                                a call waits for somebody's decision
    HandedOff                                                     another agent goes on with the conversation
    Compacted                                                     the conversation was made shorter
    Nested                                                        an event of an agent that runs inside a tool

Parts may interleave (parallel tool calls); `index` says to which one an event belongs.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

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


class ToolProgress(msgspec.Struct, frozen=True, tag=True):
    """A tool says how far it is.

    Attributes:
        message: in the tool's words.
        fraction: of the work that is done, from 0 to 1, where the tool knows it.
        played: whether it came from the tape.
    """

    call: ToolCallPart
    lane: str
    message: str
    fraction: float | None = None
    played: bool = False


class AttemptFailed(msgspec.Struct, frozen=True, tag=True):
    """A try at an answer failed, and another one follows.

    Attributes:
        error: what happened.
        kind: the error's kind, as in `ProviderError.kind` and `TransportError.kind`; `truncated` for a stream that
            stopped before its end.
        model: what was asked, as `provider:model`.
        next_model: what is asked next; the same, or a fallback.
        wait_s: seconds before it is asked, at most: the wait is drawn at random.
    """

    error: str
    kind: str
    model: str
    next_model: str
    wait_s: float = 0.0


class StreamReset(msgspec.Struct, frozen=True, tag=True):
    """What was shown of the answer under way does not count: it begins anew."""

    reason: str


class OutputPartial(msgspec.Struct, frozen=True, tag=True):
    """The typed output of the answer under way, as far as it came.

    Attributes:
        value: plain data: objects as dicts, arrays as lists. It is not validated yet, and grows with each event.
    """

    value: Any


class Approval(msgspec.Struct, frozen=True):
    """A tool call that waits for somebody's decision.

    Attributes:
        lane: the call's own lane, such as `root/0.delete`: what `approvals` are keyed by.
        call_id: the id of the call, as the model gave it; it may stand for the lane where it is unique.
        tool: the tool's name.
        arguments: raw JSON.
        agent: the name of the agent that asks, where it has one.
    """

    lane: str
    call_id: str
    tool: str
    arguments: str
    agent: str | None = None


class ApprovalNeeded(msgspec.Struct, frozen=True, tag=True):
    """A tool call waits for somebody's decision."""

    approval: Approval


class HandedOff(msgspec.Struct, frozen=True, tag=True):
    """Another agent goes on with the conversation.

    Attributes:
        source: the agent that handed it on, by name.
        target: the agent that goes on.
    """

    source: str
    target: str


class Compacted(msgspec.Struct, frozen=True, tag=True):
    """The conversation was made shorter, since the model's context runs short.

    Attributes:
        before: messages that there were.
        after: messages that there are now.
        summary: what stands for those that went, as text.
    """

    before: int
    after: int
    summary: str = ""


class Nested(msgspec.Struct, frozen=True, tag=True):
    """An event of an agent that runs inside a tool.

    Attributes:
        lane: of the tool that it runs in.
        agent: its name.
        event: what happened there.
    """

    lane: str
    agent: str
    event: Event


MessageEvent: TypeAlias = MessageStart | PartStart | PartDelta | PartEnd | MessageEnd
"""What a wire format's decoder gives."""

Event: TypeAlias = (
    MessageEvent
    | ToolStart
    | ToolProgress
    | ToolEnd
    | AttemptFailed
    | StreamReset
    | OutputPartial
    | ApprovalNeeded
    | HandedOff
    | Compacted
    | Nested
)
"""What a run gives."""
