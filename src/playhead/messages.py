"""Messages and the parts they are made of: frozen values, with no behaviour that needs I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, TypedDict

import msgspec

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter", "error", "other"]


class TextPart(msgspec.Struct, frozen=True, tag="text", tag_field="kind"):
    """Text, untrimmed."""

    text: str = ""


class RefusalPart(msgspec.Struct, frozen=True, tag="refusal", tag_field="kind"):
    """The model's words for not answering."""

    text: str = ""


class ReasoningPart(msgspec.Struct, frozen=True, tag="reasoning", tag_field="kind", omit_defaults=True):
    """What the model thought, and the opaque data that its provider wants back with the next step.

    Attributes:
        text: the readable part; empty where the provider sends only encrypted data.
        details: `reasoning_details` entries in order, fragments of one entry joined, nothing else changed.
        field: the field of the wire format in which the text came, so that it goes back in the same one.
        origin: the provider that issued it; opaque data goes back to no other.
    """

    text: str = ""
    details: tuple[dict[str, Any], ...] = ()
    field: str | None = None
    origin: str | None = None


class ToolCallPart(msgspec.Struct, frozen=True, tag="tool_call", tag_field="kind"):
    """A call that the model asks for. `arguments` is raw JSON, byte for byte as the model wrote it."""

    id: str
    name: str
    arguments: str = ""


class MediaPart(msgspec.Struct, frozen=True, tag="media", tag_field="kind", omit_defaults=True):
    """An image, a sound or a document: either its bytes, or a URL where the provider finds it."""

    media_type: str
    data: bytes | None = None
    url: str | None = None
    filename: str | None = None


class ToolResultPart(msgspec.Struct, frozen=True, tag="tool_result", tag_field="kind", omit_defaults=True):
    """What a tool gave back for the call `call_id`: text, and media where the tool returned some."""

    call_id: str
    name: str
    text: str = ""
    is_error: bool = False
    media: tuple[MediaPart, ...] = ()


Part: TypeAlias = TextPart | RefusalPart | ReasoningPart | ToolCallPart | MediaPart | ToolResultPart


class Message(msgspec.Struct, frozen=True):
    """One turn of a conversation."""

    role: Role
    parts: tuple[Part, ...] = ()

    @property
    def text(self) -> str:
        """All text parts, joined, untrimmed."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))

    @property
    def reasoning(self) -> str:
        """The readable text of all reasoning parts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, ReasoningPart))

    @property
    def tool_calls(self) -> tuple[ToolCallPart, ...]:
        """The calls that this message asks for, in order."""
        return tuple(part for part in self.parts if isinstance(part, ToolCallPart))


def system(text: str) -> Message:
    """A system message."""
    return Message("system", (TextPart(text),))


def user(content: str | Sequence[str | TextPart | MediaPart]) -> Message:
    """A user message from text, or from pieces of text and media."""
    if isinstance(content, str):
        return Message("user", (TextPart(content),))
    return Message("user", tuple(TextPart(piece) if isinstance(piece, str) else piece for piece in content))


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Token counts of one answer or of several.

    `input_tokens` and `output_tokens` are totals; cached tokens are a part of the first, reasoning tokens of
    the second. What the provider did not send is None, never 0.

    Attributes:
        total_tokens: the total as the provider sent it.
        raw: the provider's own usage object; empty in a sum.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    raw: dict[str, Any] = {}

    def __add__(self, other: Usage) -> Usage:
        """The sum. What is unknown on either side is unknown in the sum."""
        return Usage(*(add_known(getattr(self, name), getattr(other, name)) for name in TOKEN_FIELDS))


TOKEN_FIELDS = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)
"""The counts of a `Usage`, in order."""


def add_known(a: Any, b: Any) -> Any:
    """`a + b`, or None where one of them is not known."""
    return None if a is None or b is None else a + b


class ToolSpec(msgspec.Struct, frozen=True):
    """A tool as the model is told of it. `parameters` is a JSON schema of type object."""

    name: str
    description: str
    parameters: dict[str, Any]


class Settings(TypedDict, total=False):
    """What can be said about how an answer is made. Everything may be left out.

    `options` holds what only one provider knows (for OpenRouter: `provider`, `models`, `reasoning`, ...);
    `extra_body` and `extra_headers` go out as they are, over everything else.
    """

    max_tokens: int
    temperature: float
    top_p: float
    stop: str | list[str]
    seed: int
    presence_penalty: float
    frequency_penalty: float
    tool_choice: str | dict[str, Any]
    parallel_tool_calls: bool
    reasoning_effort: str
    response_format: dict[str, Any]
    options: dict[str, Any]
    extra_body: dict[str, Any]
    extra_headers: dict[str, str]


class ModelRequest(msgspec.Struct, frozen=True):
    """What is asked of a model, before it is put into a wire format."""

    model: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    settings: Settings = {}
    stream: bool = False


class ModelResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a model answered.

    Attributes:
        finish_reason: why it ended, in one vocabulary for all providers.
        raw_finish_reason: the same in the provider's words.
        cost: in US dollars as the provider reported it; None where it did not.
        metadata: everything else that came (`provider`, `native_finish_reason`, `is_byok`, cost details,
            fingerprints, timings, ...) under the provider's own names.
        headers: the response's headers, names in lower case.
    """

    message: Message
    finish_reason: FinishReason = "other"
    raw_finish_reason: str | None = None
    usage: Usage | None = None
    cost: float | None = None
    id: str = ""
    model: str = ""
    metadata: dict[str, Any] = {}
    headers: dict[str, str] = {}

    @property
    def text(self) -> str:
        """All text, joined, untrimmed."""
        return self.message.text

    @property
    def reasoning(self) -> str:
        """The readable reasoning, joined."""
        return self.message.reasoning

    @property
    def tool_calls(self) -> tuple[ToolCallPart, ...]:
        """The calls that the model asks for, in order."""
        return self.message.tool_calls
