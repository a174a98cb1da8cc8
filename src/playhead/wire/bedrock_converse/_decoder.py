"""Converse: response bytes to events."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from ...errors import TruncatedStream
from ...messages import FinishReason, Usage
from .. import _bedrock_errors
from .._assembler import Call, Prose, ProseKind
from .._bedrock_errors import check_message
from .._decoder import BaseDecoder, event_object, object_of
from .._eventstream import CONTENT_TYPE, EventStreamDecoder
from .._json import JSONObject, count, keep, obj, objs, text
from ._content import compact, decode_citation, decode_result, is_objects, only_member, unknown_block
from ._media import KINDS, NAME, decode_media

PATH = "/model/{model}/converse"
STREAM_PATH = "/model/{model}/converse-stream"
STREAM_TYPE = CONTENT_TYPE

_FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "malformed_model_output": "error",
    "malformed_tool_use": "error",
}

_WHOLE = frozenset({"output", "stopReason", "usage"})
_EVENT = frozenset({"role", "stopReason", "usage", "p"})
"""What is understood; `p` is padding. Everything else is kept in the response's metadata."""


class _Block:
    """A content block of a stream under way: prose, a call, or what comes at once when it is whole."""

    __slots__ = ("call", "prose", "redacted", "signature", "started", "whole")

    def __init__(self) -> None:
        self.prose: Prose | None = None
        self.call: Call | None = None
        self.signature: list[str] = []
        self.redacted: list[str] = []
        self.started = False
        self.whole: dict[str, Any] = {}


class Decoder(BaseDecoder):
    """Response bytes in, events out. See `playhead.wire.Decoder`.

    Args:
        origin: the provider that answers, noted on opaque data.
    """

    WIRE = NAME

    def __init__(self, origin: str | None = None) -> None:
        super().__init__(origin)
        self._frames = EventStreamDecoder()
        self._origin = origin
        self._blocks: dict[int, _Block] = {}
        self._names: dict[str, str] = {}
        self._counted = False

    def _begins_well(self) -> bool:
        return self._head[0] <= 1  # A message's length, which has four bytes.

    def _event(self, name: bytes, data: bytes) -> None:
        check_message(name, data)
        body = event_object(data) if data else {}
        if self._out.state == "idle":
            self._out.start("", "")  # Converse sends neither.
        match name:
            case b"contentBlockDelta":
                self._delta(self._index(body), obj(body.get("delta")))
            case b"contentBlockStart":
                self._start(self._index(body), obj(body.get("start")))
            case b"contentBlockStop":
                if block := self._blocks.pop(self._index(body), None):
                    self._end(block)
            case b"messageStart" | b"messageStop" | b"metadata":
                self._message(body)
                self._counted |= name == b"metadata"
                if self._counted and self._out.finish_reason is not None:
                    self._end_all()
                    self._out.end()
            case _:
                keep(self._out.metadata, {name.decode("utf-8", "replace"): body}, frozenset())

    def _message(self, body: JSONObject) -> None:
        if reason := text(body.get("stopReason")):
            self._out.finish(_FINISH.get(reason, "other"), reason)
        if usage := obj(body.get("usage")):
            self._out.usage = decode_usage(usage)
        keep(self._out.metadata, body, _EVENT)

    def _over(self) -> None:
        if self._out.state == "idle":
            raise TruncatedStream("the stream ended before its first event")
        raise TruncatedStream(
            f"the stream ended before its {'metadata' if self._out.finish_reason else 'messageStop'}"
        )

    def _whole(self, body: Any) -> None:
        out, answer = self._out, object_of(body, str(body), "the answer")
        message = obj(obj(answer.get("output")).get("message"))
        if not text(answer.get("stopReason")):
            if not message:
                raise _bedrock_errors.read_error(bytes(self._body or b""), 200)
            raise TruncatedStream("the answer has no stopReason")
        out.start("", "")
        for block in objs(message.get("content")):
            self._content(block)
        self._message({key: value for key, value in answer.items() if key != "output"})
        keep(out.metadata, message, frozenset({"role", "content"}))

    def _content(self, block: JSONObject) -> None:
        """A content block of an answer that is not streamed, told as a stream would tell it."""
        kind, value = only_member(block)
        whole, entry = obj(value), _Block()
        if kind == "text" and isinstance(value, str):
            self._out.more(self._prose(entry, "text"), value)
        elif kind == "citationsContent":
            prose = self._prose(entry, "text")
            for piece in objs(whole.get("content")):
                self._out.more(prose, text(piece.get("text")))
            prose.citations += [decode_citation(raw, self._origin) for raw in objs(whole.get("citations"))]
        elif kind == "reasoningContent" and (words := obj(whole.get("reasoningText"))):
            entry.signature = [text(words.get("signature"))]
            self._out.more(self._prose(entry, "reasoning"), text(words.get("text")))
        elif kind == "reasoningContent" and text(whole.get("redactedContent")):
            entry.redacted = [whole["redactedContent"]]
            self._prose(entry, "reasoning")
        elif kind == "toolUse":
            self._open_call(entry, whole)
            if call := entry.call:
                self._out.call(call, "", "", compact(whole.get("input")))
        elif kind:
            entry.whole[kind] = value
        self._end(entry)

    def _index(self, body: JSONObject) -> int:
        index = count(body.get("contentBlockIndex"))
        return next(reversed(self._blocks), 0) if index is None else index

    def _start(self, index: int, start: JSONObject) -> None:
        self._close(index)
        block = self._blocks[index] = _Block()
        block.started = True
        kind, value = only_member(start)
        if kind == "toolUse":
            self._open_call(block, obj(value))
        elif kind == "text" and isinstance(value, str):
            self._out.more(self._prose(block, "text"), value)
        elif kind:
            block.whole[kind] = dict(obj(value)) or value

    def _delta(self, index: int, delta: JSONObject) -> None:
        block = self._blocks.get(index)
        if block is None:
            block = self._blocks[index] = _Block()  # Only calls and files are announced.
        for kind, value in delta.items():
            if kind == "text" and isinstance(value, str):
                self._out.more(self._text_of(index, "text"), value)
            elif kind == "citation":
                self._text_of(index, "text").citations.append(decode_citation(obj(value), self._origin))
            elif kind == "reasoningContent":
                self._reasoning(index, obj(value))
            elif kind == "toolUse" and block.call is not None:
                written = obj(value).get("input")
                self._out.call(block.call, "", "", written if isinstance(written, str) else compact(written))
            elif kind == "toolResult":
                self._more(block, kind, {"content": objs(value)})
            elif kind in KINDS:
                self._more(block, kind, obj(value))
            elif value is not None:
                keep(self._out.metadata, {"contentBlockDelta": [{kind: value}]}, frozenset())

    def _more(self, block: _Block, kind: str, fields: JSONObject) -> None:
        """More of what comes at once when it is whole."""
        whole = obj(block.whole.get(kind))
        for name, value in fields.items():
            earlier: object = whole.get(name)
            if isinstance(value, list) and isinstance(earlier, list):
                earlier.extend(value)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
            else:
                whole[name] = value
        block.whole[kind] = whole

    def _reasoning(self, index: int, said: JSONObject) -> None:
        words, signature, redacted = (text(said.get(name)) for name in ("text", "signature", "redactedContent"))
        if redacted:
            self._text_of(index, "reasoning", redacted=True)
            self._blocks[index].redacted.append(redacted)
            return
        self._out.more(self._text_of(index, "reasoning"), words)
        if signature:
            self._blocks[index].signature.append(signature)

    def _text_of(self, index: int, kind: ProseKind, *, redacted: bool = False) -> Prose:
        """The prose at this index. What is of another kind there ends: a block is of one kind."""
        block = self._blocks[index]
        prose = block.prose
        fresh = not (prose or block.call or block.whole)
        # What is redacted stands alone, but an empty piece may have announced it.
        empty = redacted and prose is not None and not (prose.chunks or block.signature)
        if fresh or (prose and prose.kind == kind and (kind == "text" or empty or bool(block.redacted) == redacted)):
            return self._prose(block, kind)
        self._close(index)
        block = self._blocks[index] = _Block()
        return self._prose(block, kind)

    def _prose(self, block: _Block, kind: ProseKind) -> Prose:
        if block.prose is None:
            block.prose = self._out.open_prose(kind)
        return block.prose

    def _open_call(self, block: _Block, value: JSONObject) -> None:
        ran = value.get("type") == "server_tool_use"
        call = block.call = self._out.open_call(provider_executed=ran)
        fields = {key: item for key, item in value.items() if key not in ("toolUseId", "name", "input", "type")}
        call.data |= ({"fields": fields} if fields else {}) | ({"ran": True} if ran else {})
        self._out.call(call, text(value.get("toolUseId")), text(value.get("name")), "")
        self._names.setdefault(call.id, call.name)

    def _close(self, index: int) -> None:
        if block := self._blocks.pop(index, None):
            self._end(block)

    def _end(self, block: _Block) -> None:
        """A block is whole."""
        if prose := block.prose:
            if prose.kind == "reasoning":
                prose.data |= _kept(block)
            self._out.end_prose(prose)
        if call := block.call:
            if not call.chunks:
                self._out.call(call, "", "", "{}")  # No input was sent: there are no arguments.
            self._out.end_call(call)
        for kind, value in block.whole.items():
            self._whole_block(kind, value)
        if block.started and not (block.prose or block.call or block.whole):
            self._prose(block, "text")
            self._end(block)

    def _whole_block(self, kind: str, value: Any) -> None:
        media = decode_media(kind, value, self._origin) if kind in KINDS else None
        if media is not None:
            self._out.whole(media)
        elif kind == "toolResult" and (result := _result(value)) is not None:
            id = text(result.get("toolUseId"))
            self._out.whole(decode_result(result, self._names.get(id, ""), self._origin))
        else:
            # The block goes back as it came; there is nothing in it that could be shown.
            prose = self._out.open_prose("text")
            opaque = unknown_block({kind: value}, self._origin).opaque
            prose.data |= opaque.data if opaque else {}
            self._out.end_prose(prose)

    def _end_all(self) -> None:
        for index in sorted(self._blocks):
            self._close(index)


def _result(value: object) -> JSONObject | None:
    """What the provider's own tool gave, as far as it was sent; None where it has another shape."""
    result = {name: item for name, item in obj(value).items() if item is not None}
    content = result.get("content", [])
    return result if isinstance(value, dict) and is_objects(content) else None


def _kept(block: _Block) -> JSONObject:
    """What reasoning goes back with."""
    if block.redacted:
        return {"redacted": _joined(block.redacted)}
    signature = "".join(block.signature)
    return {"signature": signature} if signature else {"unsigned": True}


def _joined(pieces: list[str]) -> str:
    """Pieces of base64, each whole in itself."""
    if len(pieces) == 1:
        return pieces[0]
    try:
        return base64.b64encode(b"".join(base64.b64decode(piece, validate=True) for piece in pieces)).decode()
    except (binascii.Error, ValueError):
        return "".join(pieces)


def decode_usage(raw: JSONObject) -> Usage:
    """Token counts. `inputTokens` are those that no cache was read or written for: the input is all three.

    https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html
    """
    read, written = count(raw.get("cacheReadInputTokens")), count(raw.get("cacheWriteInputTokens"))
    given = count(raw.get("inputTokens"))
    return Usage(
        input_tokens=None if given is None else given + (read or 0) + (written or 0),
        output_tokens=count(raw.get("outputTokens")),
        total_tokens=count(raw.get("totalTokens")),
        cache_read_tokens=read,
        cache_write_tokens=written,
        raw=raw,
    )
