"""Messages and the parts they are made of: frozen values, with no behaviour that needs I/O."""

from __future__ import annotations

import binascii
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

import msgspec

if TYPE_CHECKING:
    from .ratelimits import RateLimits

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter", "error", "other"]


CacheTTL: TypeAlias = Literal["5m", "1h"]
"""How long a provider keeps what stands before a cache breakpoint."""


class Opaque(msgspec.Struct, frozen=True, omit_defaults=True):
    """Data that only its issuer understands. It goes back to the issuer as it came, and to nobody else.

    Attributes:
        wire: the wire format under whose names the data stands.
        data: signatures, encrypted reasoning, ids of items, ...
        origin: who issued it; None where that is not known, as in a request that somebody else made.
    """

    wire: str
    data: dict[str, Any]
    origin: str | None = None


class Citation(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a piece of text rests on.

    Attributes:
        url: where it stands, for what was found on the web.
        title: of the page or the document.
        text: the words that are quoted.
        start: where it begins to apply, in characters of the part's text.
        end: where it ends to apply.
        opaque: the provider's own form of it.
    """

    url: str | None = None
    title: str | None = None
    text: str | None = None
    start: int | None = None
    end: int | None = None
    opaque: Opaque | None = None


class Source(msgspec.Struct, frozen=True, omit_defaults=True):
    """A page or a document that an answer was made from, cited or not. `raw` is what the provider says of it."""

    url: str | None = None
    title: str | None = None
    raw: dict[str, Any] = {}


class TextPart(msgspec.Struct, frozen=True, tag="text", tag_field="kind", omit_defaults=True):
    """Text, untrimmed.

    Attributes:
        citations: what it rests on, in the provider's order.
        cache: a cache breakpoint behind this part.
        opaque: what the issuer wants back with it, such as Gemini's thought signature.
    """

    text: str = ""
    citations: tuple[Citation, ...] = ()
    cache: CacheTTL | None = None
    opaque: Opaque | None = None


class RefusalPart(msgspec.Struct, frozen=True, tag="refusal", tag_field="kind", omit_defaults=True):
    """The model's words for not answering."""

    text: str = ""
    opaque: Opaque | None = None


class ReasoningPart(msgspec.Struct, frozen=True, tag="reasoning", tag_field="kind", omit_defaults=True):
    """What the model thought.

    Attributes:
        text: the readable part; empty where the provider sends only encrypted or redacted data.
        opaque: signatures and encrypted data that the issuer wants back with the next step.
    """

    text: str = ""
    opaque: Opaque | None = None


class ToolCallPart(msgspec.Struct, frozen=True, tag="tool_call", tag_field="kind", omit_defaults=True):
    """A call that the model asks for.

    Attributes:
        arguments: raw JSON, byte for byte as the model wrote it.
        provider_executed: whether the provider runs the tool itself (web search, code execution); its result stands
            in the same message, where the provider shows one.
    """

    id: str
    name: str
    arguments: str = ""
    provider_executed: bool = False
    opaque: Opaque | None = None


class MediaPart(msgspec.Struct, frozen=True, tag="media", tag_field="kind", omit_defaults=True):
    """An image, a sound or a document: its bytes, a URL where the provider finds it, or a file that it has already.

    Attributes:
        media_type: such as `image/png`, `application/pdf`, `text/plain`, `audio/wav`.
        file_id: the provider's id of an uploaded file (Gemini: its URI).
        cache: a cache breakpoint behind this part.
    """

    media_type: str
    data: bytes | None = None
    url: str | None = None
    filename: str | None = None
    file_id: str | None = None
    cache: CacheTTL | None = None
    opaque: Opaque | None = None

    def __post_init__(self) -> None:
        """A `data:` URL is bytes (RFC 2397): not every provider reads one where a URL stands."""
        head, comma, body = (self.url or "").partition(",")
        if self.data is None and comma and head.startswith("data:") and head.endswith(";base64"):
            try:
                data = binascii.a2b_base64(body, strict_mode=True)
            except ValueError:
                return
            msgspec.structs.force_setattr(self, "data", data)
            msgspec.structs.force_setattr(self, "url", None)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], media_type: str | None = None) -> MediaPart:
        """A file of this machine.

        Args:
            media_type: by the file's name where it is left out.

        Raises:
            OSError: it cannot be read.
            ValueError: its name does not tell the media type.
        """
        import mimetypes  # It reads tables when it is loaded, and few need it.

        name = os.path.basename(path)
        kind = media_type or mimetypes.guess_type(name)[0]
        if kind is None:
            raise ValueError(
                f"the name {name!r} does not tell what is in the file: give media_type=, as in 'image/png'"
            )
        with open(path, "rb") as file:
            return cls(kind, file.read(), filename=name)


class ToolResultPart(msgspec.Struct, frozen=True, tag="tool_result", tag_field="kind", omit_defaults=True):
    """What a tool gave back for the call `call_id`: text, and media where the tool returned some.

    In an assistant message it is the result of a tool that the provider ran itself.
    """

    call_id: str
    name: str
    text: str = ""
    is_error: bool = False
    media: tuple[MediaPart, ...] = ()
    cache: CacheTTL | None = None
    opaque: Opaque | None = None


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
        """The calls that this message asks for, in order; not those that the provider runs itself."""
        return tuple(part for part in self.parts if isinstance(part, ToolCallPart) and not part.provider_executed)

    @property
    def citations(self) -> tuple[Citation, ...]:
        """What the text rests on, part by part."""
        return tuple(citation for part in self.parts if isinstance(part, TextPart) for citation in part.citations)


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


class ToolSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tool as the model is told of it.

    Attributes:
        parameters: a JSON schema of type object.
        strict: whether the provider is to hold the model to the schema, where it can.
        cache: a cache breakpoint behind this tool.
        raw: the definition as it goes out, instead of all others; for tools that the provider defines and the caller
            runs, such as Anthropic's `computer_20251124`.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    strict: bool | None = None
    cache: CacheTTL | None = None
    raw: dict[str, Any] | None = None


class ProviderTool(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tool that the provider runs itself.

    Attributes:
        name: `web_search`, `web_fetch`, `code_execution`, `file_search` or `image_generation`, for which each wire
            format has its own words; with `raw`, any name.
        options: fields that are added to the definition, under the provider's names.
        raw: the definition as it goes out, instead of the one that the wire format has.
    """

    name: str
    options: dict[str, Any] = {}
    raw: dict[str, Any] | None = None


Effort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class Reasoning(TypedDict, total=False):
    """How much a model thinks, and what is shown of it.

    `effort` and `budget_tokens` say the same in two ways: a provider that knows only one of them gets it made from
    the other. `summary` asks for readable reasoning (`auto`, `concise`, `detailed`) where that must be asked for;
    False hides it where it is shown otherwise.
    """

    effort: Effort
    budget_tokens: int
    summary: str | bool


class Cache(TypedDict, total=False):
    """What providers are told about caching.

    `key` groups requests that begin alike (OpenAI's `prompt_cache_key`); `ttl` is how long it is kept. Where a
    provider wants breakpoints (Anthropic, Bedrock, and Anthropic's models by OpenRouter), they are set behind the
    system prompt and behind the last two messages, unless parts have their own.
    """

    key: str
    ttl: Literal["5m", "1h", "24h"]


class Settings(TypedDict, total=False):
    """What can be said about how an answer is made. Everything may be left out.

    What a provider does not know is left out of the request and told in `result.warnings`; under
    `strict_settings` it is an error.

    * `stop`: sequences that end the answer.
    * `tool_choice`: `auto`, `none`, `required`, a tool's name, or the provider's own object.
    * `parallel_tool_calls`: False asks for one call at a time.
    * `reasoning`: an effort (`low`, `high`, ...), a budget in tokens, True, False, or both in a `Reasoning`.
    * `response_format`: `{"type": "json_schema", "json_schema": {"name": ..., "schema": ..., "strict": ...}}`,
      `{"type": "json_object"}` or `{"type": "text"}`, as chat completions say it; each format has its own words.
    * `cache`: True, or a `Cache`.
    * `logprobs`: how many alternatives are given beside each token; 0 for none but its own.
    * `options` holds what only one provider knows (for OpenRouter: `provider`, `models`, `plugins`, ...).
    * `extra_body` and `extra_headers` go out as they are, over everything else.
    """

    max_tokens: int
    temperature: float
    top_p: float
    top_k: int
    stop: str | list[str]
    seed: int
    presence_penalty: float
    frequency_penalty: float
    logprobs: int
    tool_choice: str | dict[str, Any]
    parallel_tool_calls: bool
    reasoning: Effort | int | bool | Reasoning
    response_format: dict[str, Any]
    cache: bool | Cache
    service_tier: str
    user: str
    options: Mapping[str, Any]
    extra_body: Mapping[str, Any]
    extra_headers: Mapping[str, str]


class ModelRequest(msgspec.Struct, frozen=True):
    """What is asked of a model, before it is put into a wire format."""

    model: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    settings: Settings = {}
    stream: bool = False
    provider_tools: tuple[ProviderTool, ...] = ()


class ModelResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a model answered.

    Attributes:
        finish_reason: why it ended, in one vocabulary for all providers.
        raw_finish_reason: the same in the provider's words.
        cost: in US dollars as the provider reported it; None where it did not.
        metadata: everything else that came (`provider`, `native_finish_reason`, `is_byok`, cost details,
            fingerprints, timings, ...) under the provider's own names.
        headers: the response's headers, names in lower case.
        sources: pages and documents that the answer was made from.
        wire: the wire format it came in, under whose names `metadata` and `usage.raw` stand.
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
    sources: tuple[Source, ...] = ()
    wire: str = ""

    @property
    def rate_limits(self) -> RateLimits:
        """How much the provider lets through, as the response's headers say it."""
        from .ratelimits import rate_limits  # It reads dates, and few ask.

        return rate_limits(self.headers)

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
