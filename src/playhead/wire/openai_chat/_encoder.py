"""
Answers in chat completions, as OpenAI and OpenRouter write them: the other half of the decoder.

https://platform.openai.com/docs/api-reference/chat-streaming, https://openrouter.ai/docs/api-reference/streaming
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...errors import PlayheadError
from ...events import MessageEnd, MessageEvent, MessageStart, PartDelta, PartEnd, PartStart
from ...messages import (
    MediaPart,
    ModelResponse,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from .._json import JSONObject, obj, objs, text, to_json
from .._report import Report
from ._answer import READABLE
from ._errors import encode_error, error_object
from ._messages import thinking_piece
from ._names import NAME
from ._said import (
    Metadata,
    annotations_of,
    call_object,
    data_of,
    details_of,
    finish_reason,
    ran_itself,
    text_of,
    usage_object,
    whole_part,
)


class Encoder:
    """Events in, the bytes of a response out. See `playhead.wire.Encoder`.

    Args:
        stream: chunks as they come, instead of one body with the last event.
        created: when the answer was made, in seconds since 1970; 0 where that is not known. What the provider itself
            said of it goes before.
    """

    def __init__(self, stream: bool, *, created: int = 0) -> None:
        self._report = Report(NAME)
        self._created = created
        self._stream = _Stream(self._report, created) if stream else None

    @property
    def losses(self) -> tuple[str, ...]:
        """What could not be said so far, one sentence each."""
        return self._report.losses

    def send(self, event: MessageEvent) -> bytes:
        """The bytes that say this event; they may be none."""
        if self._stream is not None:
            return b"".join(_line(chunk) for chunk in self._stream.send(event)) + (
                b"data: [DONE]\n\n" if isinstance(event, MessageEnd) else b""
            )
        return _whole(event.response, self._created, self._report) if isinstance(event, MessageEnd) else b""

    def fail(self, error: PlayheadError) -> bytes:
        """How a stream that has begun says that it breaks off: a chunk with the error, as OpenRouter has it."""
        if self._stream is None:
            return encode_error(error)[1]
        chunk = self._stream.chunk({"content": ""}, finish="error") | {"error": error_object(error)}
        return _line(chunk) + b"data: [DONE]\n\n"


def _line(chunk: JSONObject) -> bytes:
    return b"data: " + to_json(chunk) + b"\n\n"


class _Part:
    """A part under way.

    Attributes:
        field: in which field its reasoning goes out; None where it goes in details alone.
        entry: the entry of details of which each delta sends a piece, if there is one.
        details: the entries that were sent, as they are when they are put together again.
        number: a call's number; None where it is not said yet.
        held: a call's arguments, while its id is not known.
        cited: how many of its citations were sent.
    """

    __slots__ = ("cited", "custom", "details", "entry", "field", "held", "number", "offset")

    def __init__(self, offset: int) -> None:
        self.field: str | None = "reasoning"
        self.entry: JSONObject | None = None
        self.details: list[JSONObject] = []
        self.number: int | None = None
        self.held: list[str] | None = None
        self.custom = False
        self.cited = 0
        self.offset = offset


class _Stream:
    """The chunks of a streamed answer."""

    def __init__(self, report: Report, created: int) -> None:
        self._report = report
        self._annotations = 0
        self._base: JSONObject = {
            "id": "",
            "object": "chat.completion.chunk",
            "created": created,
            "model": "",
        }
        self._parts: dict[int, _Part] = {}
        self._calls = 0
        self._length = 0

    def chunk(self, delta: JSONObject, finish: str | None = None) -> JSONObject:
        return {**self._base, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    def send(self, event: MessageEvent) -> list[JSONObject]:
        match event:
            case PartDelta():
                return self._delta(event)
            case MessageStart():
                self._base |= {"id": event.id, "model": event.model}
                return [self.chunk({"role": "assistant", "content": ""})]
            case PartStart():
                return self._deltas(self._start(event.index, event.part))
            case PartEnd():
                return self._deltas(*self._end(event.index, event.part))
            case MessageEnd():
                return self._finish(event.response)

    def _deltas(self, *deltas: JSONObject) -> list[JSONObject]:
        return [self.chunk(delta) for delta in deltas if delta]

    def _start(self, index: int, part: Part) -> JSONObject:
        state = self._parts[index] = _Part(self._length)
        match part:
            case ReasoningPart() if part.opaque is not None and part.opaque.wire == NAME:
                data = part.opaque.data
                details = details_of(part)
                state.entry = details[0] if details and text(details[0].get("type")) in READABLE else None
                if "field" in data or state.entry is not None:
                    state.field = text(data.get("field")) or None
                return {}
            case ToolCallPart(provider_executed=False):
                if not part.id:  # A result must name its call: it waits until it has a name.
                    state.held = []
                    return {}
                return self._call(state, part, "")
            case _:
                return {}

    def _call(self, state: _Part, call: ToolCallPart, arguments: str) -> JSONObject:
        data = call.opaque.data if call.opaque is not None and call.opaque.wire == NAME else {}
        state.number, self._calls = self._calls, self._calls + 1
        state.custom = obj(data.get("call")).get("type") == "custom"
        return {"tool_calls": [{"index": state.number, **call_object(call, arguments, data)}]}

    def _delta(self, event: PartDelta) -> list[JSONObject]:
        delta, state = event.delta, self._parts.get(event.index)
        match event.kind:
            case "text":
                self._length += len(delta)
                return [self.chunk({"content": delta})]
            case "refusal":
                return [self.chunk({"refusal": delta})]
            case "reasoning":
                return [self.chunk(_reasoning(state or _Part(0), delta))]
            case "tool_call":
                if state is None or (state.number is None and state.held is None):
                    return []  # Of a tool that the provider runs itself.
                if state.held is not None:
                    state.held.append(delta)
                    return []
                inner = {"custom": {"input": delta}} if state.custom else {"function": {"arguments": delta}}
                return [self.chunk({"tool_calls": [{"index": state.number, **inner}]})]

    def _end(self, index: int, part: Part) -> list[JSONObject]:
        state = self._parts.setdefault(index, _Part(self._length))
        match part:
            case TextPart():
                return self._citations(state, part)
            case ReasoningPart():
                data_of(part, self._report)
                return self._details(state, part)
            case ToolCallPart(provider_executed=True):
                return [ran_itself(part, data_of(part, self._report), self._report)]
            case ToolCallPart():
                return [self._end_call(state, part)]
            case MediaPart() | ToolResultPart():
                return [whole_part(part, self._report)]
            case RefusalPart():
                data_of(part, self._report)
                return []

    def _end_call(self, state: _Part, call: ToolCallPart) -> JSONObject:
        data_of(call, self._report)
        if state.held is None:
            return {}
        state.held = None
        return self._call(state, call, call.arguments)

    def _citations(self, state: _Part, part: TextPart) -> list[JSONObject]:
        """Those that were not sent yet."""
        data_of(part, self._report)
        said, pieces = annotations_of(part.citations[state.cited :], state.offset, self._report, self._annotations)
        state.cited = len(part.citations)
        self._annotations += len(said)
        return [{"annotations": said} if said else {}, {"content": pieces} if pieces else {}]

    def _details(self, state: _Part, part: ReasoningPart) -> list[JSONObject]:
        """The entries of details that were not sent yet, and what came to earlier ones since."""
        said: list[JSONObject] = []
        for n, entry in enumerate(details_of(part)):
            if n >= len(state.details):
                said.append(entry)
                state.details.append(entry)
            elif more := self._grown(state.details[n], entry):
                said.append(more)
                state.details[n] = entry
        return [{"reasoning_details": said}] if said else []

    def _grown(self, sent: JSONObject, entry: JSONObject) -> JSONObject:
        """What makes an entry of details that was sent into what it is now, such as a signature; empty if it is that.

        Words that came to it after another part began cannot be said: readers would take them for new ones.
        """
        field = READABLE.get(text(entry.get("type")), "")
        if sent.get(field, "") != entry.get(field, ""):
            self._report.lost("reasoning details that went on behind another part were cut short")
        more = {key: value for key, value in entry.items() if key != field and sent.get(key) != value}
        return {key: entry[key] for key in ("type", "index") if key in entry} | more if more else {}

    def _finish(self, response: ModelResponse) -> list[JSONObject]:
        late: list[JSONObject] = []
        for index, part in enumerate(response.message.parts):
            state = self._parts.get(index)
            if state is not None and isinstance(part, ReasoningPart):
                late += self._details(state, part)
            elif state is not None and isinstance(part, TextPart):
                late += self._citations(state, part)
        self._base |= {
            "id": response.id or self._base["id"],
            "model": response.model or self._base["model"],
        }
        metadata = Metadata(response, self._report)
        finish = self.chunk(metadata.delta, finish_reason(response, self._report))
        finish["choices"][0] |= metadata.choice
        chunks = [*self._deltas(*late), finish | metadata.chunk]
        if usage := usage_object(response):
            # With a choice, as OpenRouter sends it: not every client expects a chunk without one.
            self._base |= {key: value for key, value in metadata.chunk.items() if key == "created"}
            chunks.append(self.chunk({"content": ""}) | {"usage": usage})
        return chunks


def _reasoning(state: _Part, delta: str) -> JSONObject:
    """A piece of reasoning, in the field and the entry of details in which it came."""
    if state.field == "thinking":
        return {"content": [thinking_piece(delta)]}
    said: JSONObject = {state.field: delta} if state.field else {}
    if (entry := state.entry) is not None:
        field = READABLE[entry["type"]]
        if not state.details:
            piece = {**entry, field: delta}
            state.details.append(piece)
        else:
            kept = {key: entry[key] for key in ("type", "format", "index", "id") if key in entry}
            piece = {**kept, field: delta}
            state.details[0] = {**state.details[0], field: state.details[0][field] + delta}
        said["reasoning_details"] = [piece]
    return said


def _whole(response: ModelResponse, created: int, report: Report) -> bytes:
    parts = response.message.parts
    metadata = Metadata(response, report)
    refusal = "".join(part.text for part in parts if isinstance(part, RefusalPart))
    message: JSONObject = {
        "role": "assistant",
        "content": text_of(parts) or None,
        "refusal": refusal or None,
        **metadata.delta,
    }
    offset, field = 0, _reasoning_field(parts)
    for part in parts:
        for key, value in _fields_of(part, offset, field, report).items():
            _add(message, key, value)
        offset += len(part.text) if isinstance(part, TextPart) else 0
    choice = {"index": 0, "message": message, "finish_reason": finish_reason(response, report)} | metadata.choice
    body: JSONObject = {
        "id": response.id,
        "object": "chat.completion",
        "created": created,
        "model": response.model,
        "choices": [choice],
        **metadata.chunk,
    }
    if usage := usage_object(response):
        body["usage"] = usage
    return to_json(body)


def _reasoning_field(parts: Sequence[Part]) -> str:
    """The one field of a whole message that holds its reasoning; empty where details alone hold it."""
    thoughts = [part for part in parts if isinstance(part, ReasoningPart)]
    data = [part.opaque.data if part.opaque and part.opaque.wire == NAME else {} for part in thoughts]
    fields = [text(said.get("field")) for said in data if said.get("field") != "thinking"]
    bare = any(part.text and not said for part, said in zip(thoughts, data, strict=True))
    return next(filter(None, fields), "reasoning" if bare else "")


def _fields_of(part: Part, offset: int, field: str, report: Report) -> JSONObject:
    """The fields of a whole message that say a part, but for its text."""
    data = data_of(part, report)
    match part:
        case TextPart():
            said, pieces = annotations_of(part.citations, offset, report)
            return {"annotations": said, "content": pieces}
        case ReasoningPart():
            if data.get("field") == "thinking":
                return {"content": [thinking_piece(part.text)]}
            return ({field: part.text} if field else {}) | {"reasoning_details": details_of(part)}
        case ToolCallPart(provider_executed=True):
            return ran_itself(part, data, report)
        case ToolCallPart():
            return {"tool_calls": [call_object(part, part.arguments, data)]}
        case MediaPart() | ToolResultPart():
            return whole_part(part, report)
        case RefusalPart():
            return {}


def _add(message: JSONObject, key: str, value: Any) -> None:
    """Put something beside what is there: texts and lists grow; a text becomes a piece where pieces are added."""
    held = message.get(key)
    if not value:
        return
    if key == "content" and not isinstance(value, str):
        pieces = [{"type": "text", "text": held}] if isinstance(held, str) else objs(held)
        new = objs(value)
        thoughts = [piece for piece in new if piece.get("type") == "thinking"]
        message[key] = [*thoughts, *pieces, *(piece for piece in new if piece.get("type") != "thinking")]
    else:
        message[key] = held + value if held and type(held) is type(value) and not isinstance(value, dict) else value
