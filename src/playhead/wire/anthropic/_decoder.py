"""Messages: response bytes to events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from ...errors import DecodeError, TruncatedStream
from ...messages import MediaPart, Usage
from .._assembler import Call, Prose
from .._decoder import BaseDecoder, event_object, object_of
from .._json import JSONObject, count, obj, objs, text
from .._refusals import provider_error
from ._blocks import (
    CALL_KEYS,
    CALL_TYPES,
    FINISH,
    NAME,
    REDACTED_KEYS,
    TEXT_KEYS,
    THINKING_KEYS,
    arguments,
    citation,
    extras,
    outside,
    sources,
)

PATH = STREAM_PATH = "/messages"
STREAM_TYPE = "text/event-stream"

_EVENT_KEYS = frozenset({"type", "index", "message", "content_block", "delta", "usage"})
_MESSAGE_KEYS = frozenset({"id", "type", "role", "model", "content", "stop_reason", "usage"})
_DELTA_KEYS = frozenset({"type", "stop_reason"})
"""What is understood. Everything else that comes is kept in the response's metadata."""

_PROSE = {"text_delta": "text", "thinking_delta": "thinking"}
"""The deltas of words, and the field in which the words stand; it is the type of their blocks, too."""


class _OpenCall:
    """A call under way. Its input stands in the block itself where no fragments come."""

    __slots__ = ("call", "input")

    def __init__(self, call: Call, input: object) -> None:
        self.call = call
        self.input = input


class _Other:
    """A block under way that is kept whole. Fragments of its fields are joined once, at the end."""

    __slots__ = ("block", "chunks")

    def __init__(self, block: JSONObject) -> None:
        self.block = dict(block)
        self.chunks: dict[str, list[str]] = {}

    def add(self, delta: JSONObject) -> None:
        for name, value in delta.items():
            if name == "type":
                continue
            if isinstance(value, str):
                self.chunks.setdefault(name, []).append(value)
            elif value is not None:
                self.block[name] = value

    def whole(self) -> JSONObject:
        joined = {name: text(self.block.get(name)) + "".join(chunks) for name, chunks in self.chunks.items()}
        return self.block | joined


class Decoder(BaseDecoder):
    """Response bytes in, events out. See `playhead.wire.Decoder`.

    `_event(name, data)` takes the JSON of one event, whatever framing it came in.

    Args:
        origin: the provider that answers, noted on opaque data.
    """

    WIRE: ClassVar[str] = NAME

    def __init__(self, origin: str | None = None) -> None:
        super().__init__(origin)
        self._open: dict[int, Prose | _OpenCall | _Other] = {}
        self._usage: JSONObject = {}
        self._names: dict[str, str] = {}
        self._seen: set[tuple[str | None, str | None, str]] = set()

    def _whole(self, body: Any) -> None:
        message = object_of(body, self._head, "the answer")
        if message.get("type") == "error" or message.get("error"):
            raise provider_error(message, 200)
        self._message(message)
        if self._out.finish_reason is None:
            raise TruncatedStream("the answer has no stop_reason, so that it is not whole")

    def _over(self) -> None:
        idle = self._out.state == "idle"
        raise TruncatedStream(f"the stream ended before its {'first event' if idle else 'message_stop'}")

    def _event(self, name: bytes, data: bytes) -> None:
        payload = data.strip()
        if not payload or payload == b"[DONE]":
            return  # Some servers send empty events to keep the connection open, or end as chat completions do.
        event = event_object(payload)
        kind = text(event.get("type")) or name.decode("utf-8", "replace")
        if kind == "error" or event.get("error"):
            raise provider_error(event if "error" in event else {"error": event}, 200)
        handle = self.HANDLERS.get(kind)
        if handle is None:
            if kind != "ping":
                self._out.metadata[kind] = extras(event, frozenset({"type"}))
            return
        if event.keys() - _EVENT_KEYS:
            self._out.metadata |= extras(event, _EVENT_KEYS)
        handle(self, event)

    def _on_start(self, event: JSONObject) -> None:
        self._message(obj(event.get("message")))

    def _on_block(self, event: JSONObject) -> None:
        index = self._index(event)
        self._end(self._open.pop(index, None))
        self._open[index] = self._begin(obj(event.get("content_block")))

    def _on_finish(self, event: JSONObject) -> None:
        self._finish(obj(event.get("delta")), event)

    def _on_end(self, _: JSONObject) -> None:
        if self._out.finish_reason is None:
            raise TruncatedStream("the stream ended with message_stop, but without a stop_reason")
        while self._open:  # What a server did not end itself ends with the answer.
            self._end(self._open.pop(next(iter(self._open))))
        self._out.end()

    def _message(self, message: JSONObject) -> None:
        """The message as far as it is there: all of it in a body, only its frame at the start of a stream."""
        self._out.start(text(message.get("id")), text(message.get("model")))
        content = message.get("content")
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else objs(content):
            self._end(self._begin(block))
        self._out.metadata |= extras(message, _MESSAGE_KEYS)
        self._finish({"stop_reason": message.get("stop_reason")}, message)

    def _finish(self, delta: JSONObject, event: JSONObject) -> None:
        """Why and how much. Counts are totals so far: the last that is sent counts."""
        out = self._out
        if reason := text(delta.get("stop_reason")):
            out.finish(FINISH.get(reason, "other"), reason)
        out.metadata |= extras(delta, _DELTA_KEYS)
        if usage := obj(event.get("usage")):
            self._usage |= {
                name: value for name, value in usage.items() if value is not None or name not in self._usage
            }
            out.usage = decode_usage(self._usage)

    def _index(self, event: JSONObject) -> int:
        """Which block an event is about; the last one where it does not say."""
        index = count(event.get("index"))
        return index if index is not None else next(reversed(self._open), 0)

    def _begin(self, block: JSONObject) -> Prose | _OpenCall | _Other:
        """A block begins; in a body it is there as a whole."""
        out, kind = self._out, text(block.get("type"))
        match kind:
            case "text":
                prose = out.open_prose("text", extras(block, TEXT_KEYS))
                prose.citations += [citation(raw, out.origin) for raw in objs(block.get("citations"))]
                out.more(prose, text(block.get("text")))
                return prose
            case "thinking":
                prose = out.open_prose("reasoning", extras(block, THINKING_KEYS))
                # At the start of a stream it is an empty promise; the signature itself comes last.
                if isinstance(signature := block.get("signature"), str) and (signature or block.get("thinking")):
                    prose.data["signature"] = signature
                out.more(prose, text(block.get("thinking")))
                return prose
            case "redacted_thinking":
                data = {"redacted": text(block.get("data"))} | extras(block, REDACTED_KEYS)
                return out.open_prose("reasoning", data)
            case _ if kind in CALL_TYPES:
                return self._begin_call(kind, block)
            case _:
                return _Other(block)

    def _begin_call(self, kind: str, block: JSONObject) -> _OpenCall:
        theirs = kind != "tool_use"
        call = self._out.open_call(provider_executed=theirs)
        call.data |= ({"type": kind} if theirs else {}) | extras(block, CALL_KEYS)
        id, name = text(block.get("id")), text(block.get("name"))
        self._names[id] = name
        self._out.call(call, id, name, "")
        return _OpenCall(call, block.get("input"))

    def _on_delta(self, event: JSONObject) -> None:
        index, delta = self._index(event), obj(event.get("delta"))
        kind, block = text(delta.get("type")), self._open.get(index)
        if block is None:  # Some servers do not announce their blocks.
            if kind not in _PROSE:
                raise DecodeError(f"the provider sent a {kind or 'delta'} for block {index}, which it had not begun")
            block = self._open[index] = self._begin({"type": _PROSE[kind]})
        match block:
            case Prose():
                self._more(block, kind, delta)
            case _OpenCall() if kind == "input_json_delta":
                partial = delta.get("partial_json")
                self._out.call(block.call, "", "", arguments(partial) if partial is not None else "")
            case _Other():
                block.add(delta)
            case _:
                raise DecodeError(f"the provider sent a {kind or 'delta'} for the input of a tool")

    def _more(self, prose: Prose, kind: str, delta: JSONObject) -> None:
        match kind, prose.kind:
            case ("text_delta", "text") | ("thinking_delta", "reasoning"):
                self._out.more(prose, text(delta.get(_PROSE[kind])))
            case "citations_delta", "text":
                prose.citations.append(citation(obj(delta.get("citation")), self._out.origin))
            case "signature_delta", "reasoning":
                prose.data["signature"] = text(delta.get("signature"))
            case (("text_delta" | "thinking_delta" | "citations_delta" | "signature_delta" | "input_json_delta"), _):
                raise DecodeError(f"the provider sent a {kind} for a block of {prose.kind}")
            case _:
                prose.data |= extras(delta, TEXT_KEYS | THINKING_KEYS | REDACTED_KEYS)

    def _on_stop(self, event: JSONObject) -> None:
        block = self._open.pop(self._index(event), None)
        # What was not known of a block at its start; nothing where a server sends the whole block again.
        late = obj(event.get("content_block"))
        match block:
            case Prose():
                known = TEXT_KEYS if block.kind == "text" else THINKING_KEYS
                block.data |= extras(late, REDACTED_KEYS if "redacted" in block.data else known)
            case _OpenCall():
                kind = {"type": late["type"]} if block.call.provider_executed and text(late.get("type")) else {}
                block.call.data |= kind | extras(late, CALL_KEYS)
            case _:
                pass
        self._end(block)

    def _end(self, block: Prose | _OpenCall | _Other | None) -> None:
        match block:
            case Prose():
                self._out.end_prose(block)
            case _OpenCall(call=call):
                if not call.chunks:
                    self._out.call(call, "", "", arguments(block.input) or "{}")
                self._out.end_call(call)
            case _Other():
                self._whole_block(block.whole())
            case None:
                pass

    def _whole_block(self, block: JSONObject) -> None:
        part = outside(block, self._names.get(text(block.get("tool_use_id")), ""), self._out.origin)
        self._out.whole(part)
        if isinstance(part, MediaPart):
            return
        for source in sources(block):
            key = (source.url, source.title, text(source.raw.get("encrypted_content")))
            if key not in self._seen:
                self._seen.add(key)
                self._out.sources.append(source)

    HANDLERS: ClassVar[dict[str, Callable[[Decoder, JSONObject], None]]] = {
        "message_start": _on_start,
        "content_block_start": _on_block,
        "content_block_delta": _on_delta,
        "content_block_stop": _on_stop,
        "message_delta": _on_finish,
        "message_stop": _on_end,
    }
    """What is done with an event, by its type."""


def decode_usage(raw: JSONObject) -> Usage:
    """Token counts from a usage object. What was not sent is None.

    What was read from a cache or written to one is not in `input_tokens` there, but is in the total here.
    https://docs.claude.com/en/docs/build-with-claude/prompt-caching#tracking-cache-performance
    """
    given, read, written = (
        count(raw.get(name)) for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    )
    return Usage(
        input_tokens=None if given is None else given + (read or 0) + (written or 0),
        output_tokens=count(raw.get("output_tokens")),
        total_tokens=count(raw.get("total_tokens")),
        cache_read_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=count(obj(raw.get("output_tokens_details")).get("thinking_tokens")),
        raw=raw,
    )
