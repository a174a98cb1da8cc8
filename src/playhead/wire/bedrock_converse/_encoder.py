"""The answers of Converse, made of events: as an AWS event stream, or as one JSON body."""

from __future__ import annotations

import hashlib
import re

from ...errors import EncodeError, PlayheadError
from ...events import MessageEnd, MessageEvent, MessageStart, PartDelta, PartEnd, PartStart
from ...messages import (
    FinishReason,
    MediaPart,
    ModelResponse,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from .._bedrock_errors import encode_error, stream_exception
from .._eventstream import encode_event, encode_exception
from .._history import issuer, own
from .._json import JSONObject, obj, to_json
from .._report import Report
from ._content import Blocks, encode_citation
from ._media import NAME
from ._request import CALL_ID

_FINISH: dict[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "content_filtered",
    "error": "malformed_model_output",
    "other": "end_turn",
}

_ON_STOP = "additionalModelResponseFields"


class Encoder:
    """Events in, response bytes out. See `playhead.wire.Encoder`.

    Args:
        stream: whether the answer is an event stream; else it is one JSON body, that comes with `MessageEnd`.
    """

    def __init__(self, stream: bool) -> None:
        self._stream = stream
        self._report = Report(NAME)
        self._ids: dict[str, str] = {}
        self._blocks = Blocks(self._report, None, self._ids, answer=True)
        self._parts: dict[int, Part] = {}
        self._held: dict[int, list[str]] = {}
        self._silent: list[int] = []
        self._said = set[int]()
        self._numbers: dict[int, int] = {}

    @property
    def losses(self) -> tuple[str, ...]:
        """What Converse could not say so far, one sentence each."""
        return self._report.losses

    def send(self, event: MessageEvent) -> bytes:
        """The bytes that say this event. See `playhead.wire.Encoder`.

        Raises:
            EncodeError: something in it cannot be said as JSON, or is too long for a message.
        """
        match event:
            case MessageEnd():
                return self._end(event.response)
            case _ if not self._stream:
                return b""
            case MessageStart():
                return _frame("messageStart", {"role": "assistant"})
            case PartStart():
                return self._start(event.index, event.part)
            case PartDelta():
                return self._delta(event)
            case PartEnd():
                return self._stop(event.index, event.part)

    def fail(self, error: PlayheadError) -> bytes:
        """How a stream that has begun says that it breaks off; as a body, what went wrong."""
        return encode_exception(*stream_exception(error)) if self._stream else encode_error(error)[1]

    def _start(self, index: int, part: Part) -> bytes:
        out = self._speak()
        self._parts[index] = part
        if isinstance(part, ToolCallPart):
            if not part.id:
                self._held[index] = []  # It is named when it ends.
                return out
            return out + self._call(index, part)
        if isinstance(part, TextPart | RefusalPart | ReasoningPart) and not own(part.opaque, NAME, None):
            self._silent.append(index)  # Nothing announces prose: the first piece of it does.
        return out

    def _delta(self, event: PartDelta) -> bytes:
        index = event.index
        if index in self._held:
            self._held[index].append(event.delta)
            return b""
        out = b"" if self._silent == [index] else self._speak(except_for=index)
        self._silent.clear()
        match event.kind:
            case "text" | "refusal":
                delta: JSONObject = {"text": event.delta}
            case "reasoning":
                delta = {"reasoningContent": {"text": event.delta}}
            case "tool_call":
                delta = {"toolUse": {"input": event.delta}}
        return out + self._piece(index, delta)

    def _stop(self, index: int, part: Part) -> bytes:
        out = b""
        match part:
            case TextPart() | RefusalPart():
                out = self._stop_text(index, part)
            case ReasoningPart():
                out = self._stop_reasoning(index, part)
            case ToolCallPart() if index in self._held:
                out = self._speak() + self._call(index, part)
                out += b"".join(self._piece(index, {"toolUse": {"input": piece}}) for piece in self._held.pop(index))
            case ToolCallPart():
                out = self._speak()
            case MediaPart() | ToolResultPart():
                out = self._speak() + self._at_once(index, part)
        if index in self._silent:
            self._silent.remove(index)
        return (
            out + _frame("contentBlockStop", {"contentBlockIndex": self._number(index)})
            if index in self._said
            else out
        )

    def _stop_text(self, index: int, part: TextPart | RefusalPart) -> bytes:
        block = (own(part.opaque, NAME, None) or {}).get("block")
        if block:
            self._said.add(index)
            return self._speak(except_for=index) + _frame(
                "contentBlockStart", {"contentBlockIndex": self._number(index), "start": block}
            )
        out = self._speak(except_for=None)
        if isinstance(part, RefusalPart):
            self._report.lost("a refusal was sent as text: Converse has no word for it")
            return out
        pieces = (encode_citation(citation, None) for citation in part.citations)
        return out + b"".join(self._piece(index, {"citation": citation}) for citation in pieces)

    def _stop_reasoning(self, index: int, part: ReasoningPart) -> bytes:
        data = own(part.opaque, NAME, None)
        if data is None:  # Somebody else's: the text is shown, and there is nothing to sign it with.
            return self._speak(except_for=None if part.text or part.opaque is None else index)
        key = next((key for key in ("redacted", "signature") if key in data), "")
        if not key:
            return self._speak(except_for=None)
        out = self._speak(except_for=index)
        word = "redactedContent" if key == "redacted" else key
        return out + self._piece(index, {"reasoningContent": {word: data[key]}})

    def _at_once(self, index: int, part: MediaPart | ToolResultPart) -> bytes:
        """A file or a result, which the events tell at once."""
        [block] = self._blocks.part(part)
        if (image := obj(block.get("image"))) and image.get("format"):
            rest = {key: value for key, value in image.items() if key != "format"}
            start, delta = {"image": {"format": image["format"]}}, {"image": rest}
        elif "toolResult" in block:
            result = obj(block["toolResult"])
            rest = {key: value for key, value in result.items() if key != "content"}
            start, delta = {"toolResult": rest}, {"toolResult": result.get("content")}
        else:
            self._report.lost(
                f"a file of the answer was left out: a stream of Converse cannot hold {'/'.join(block)}"
            )
            return b""
        self._said.add(index)
        out = _frame("contentBlockStart", {"contentBlockIndex": self._number(index), "start": start})
        return out if delta.get("toolResult", ()) is None else out + self._piece(index, delta)

    def _call(self, index: int, part: ToolCallPart) -> bytes:
        fields = (own(part.opaque, NAME, None) or {}).get("fields", {})
        start = {"toolUseId": self._id(part.id), "name": part.name} | fields
        if part.provider_executed:
            start["type"] = "server_tool_use"
        self._said.add(index)
        return _frame("contentBlockStart", {"contentBlockIndex": self._number(index), "start": {"toolUse": start}})

    def _piece(self, index: int, delta: JSONObject) -> bytes:
        self._said.add(index)
        return _frame("contentBlockDelta", {"contentBlockIndex": self._number(index), "delta": delta})

    def _speak(self, except_for: int | None = None) -> bytes:
        """An empty piece of each part that has begun in silence, so that parts begin in their order."""
        silent = [index for index in self._silent if index != except_for]
        self._silent = [index for index in self._silent if index == except_for]
        return b"".join(
            self._piece(
                index,
                {"reasoningContent": {"text": ""}} if isinstance(self._parts[index], ReasoningPart) else {"text": ""},
            )
            for index in silent
        )

    def _number(self, index: int) -> int:
        """A block's number: parts that are left out leave no gap."""
        return self._numbers.setdefault(index, len(self._numbers))

    def _id(self, id: str) -> str:
        if id not in self._ids:
            fits = re.fullmatch(CALL_ID, id)
            self._ids[id] = id if fits else hashlib.sha256(id.encode("utf-8", "replace")).hexdigest()[:9]
            if not fits:
                self._report.lost("ids of tool calls with characters that Converse does not know were replaced")
        return self._ids[id]

    def _end(self, response: ModelResponse) -> bytes:
        mine = response.wire == NAME
        usage = response.usage.raw if mine and response.usage else {} if mine else _usage(response.usage)
        reason = (
            response.raw_finish_reason if mine and response.raw_finish_reason else _FINISH[response.finish_reason]
        )
        metadata = response.metadata if mine else {"metrics": {"latencyMs": 0}}
        self._lose(response, mine=mine)
        rest = {"usage": usage} | metadata if usage else metadata
        if not self._stream:
            content: list[JSONObject] = []
            for part in response.message.parts:
                if isinstance(part, ToolCallPart):
                    self._id(part.id)
                content += self._blocks.part(part)
            message = {"role": "assistant", "content": content}
            return to_json({"output": {"message": message}, "stopReason": reason} | rest)
        stop: JSONObject = {"stopReason": reason}
        if _ON_STOP in rest:
            stop[_ON_STOP] = rest[_ON_STOP]
        rest = {key: value for key, value in rest.items() if key != _ON_STOP}
        return self._speak() + _frame("messageStop", stop) + _frame("metadata", rest)

    def _lose(self, response: ModelResponse, *, mine: bool) -> None:
        lost = {
            "the answer's id": response.id,
            "the name of the model that answered": response.model,
            "the cost": response.cost is not None,
            "the sources of the answer": response.sources,
            "why the answer ended": response.finish_reason == "other" and not mine,
            "the count of reasoning tokens": response.usage is not None and response.usage.reasoning_tokens,
            "the provider's metadata": response.metadata and not mine,
        }
        for what, there in lost.items():
            if there:
                self._report.lost(f"{what} was left out: Converse has no word for it")
        for part in response.message.parts:
            cited = part.citations if isinstance(part, TextPart) else ()
            for opaque in (part.opaque, *(citation.opaque for citation in cited)):
                if opaque is not None and own(opaque, NAME, None) is None:
                    self._report.lost(f"what {issuer(opaque)} wants back of its {_word(part)} stayed home")


def _usage(usage: Usage | None) -> JSONObject:
    """Token counts in Converse's words, where somebody else counted. It wants numbers, also where none are known."""
    usage = usage or Usage()
    read, written = usage.cache_read_tokens, usage.cache_write_tokens
    given, made = usage.input_tokens or 0, usage.output_tokens or 0
    said: JSONObject = {
        "inputTokens": max(0, given - (read or 0) - (written or 0)),
        "outputTokens": made,
        "totalTokens": given + made if usage.total_tokens is None else usage.total_tokens,
    }
    if read is not None:
        said["cacheReadInputTokens"] = read
    if written is not None:
        said["cacheWriteInputTokens"] = written
    return said


def _word(part: Part) -> str:
    return str(part.__struct_config__.tag).replace("_", " ")


def _frame(name: str, body: JSONObject) -> bytes:
    try:
        return encode_event(name, to_json(body))
    except ValueError as error:
        raise EncodeError(f"a piece of the answer is too long for an event stream: {error}") from error
