"""
The Chat Completions wire format, as OpenAI and its many imitators speak it.

https://platform.openai.com/docs/api-reference/chat, https://openrouter.ai/docs/api-reference/overview
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from ..errors import DecodeError, ProviderError, TruncatedStream
from ..events import MessageEvent
from ..messages import FinishReason, Usage
from ._assembler import Assembler, Call
from ._json import JSONObject, count, loads, obj, objs, text
from ._openai_chat_request import describe_request, encode_request
from ._sse import SSEDecoder

__all__ = ["NAME", "PATH", "Decoder", "decode_usage", "describe_request", "encode_request", "read_error"]

NAME = "openai_chat"
PATH = "/chat/completions"

_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "error": "error",
}

_WORDS = frozenset({"role", "content"})
_CHUNK_KEYS = frozenset({"id", "model", "object", "choices", "usage", "error", "obfuscation"})
_CHOICE_KEYS = frozenset({"index", "delta", "message", "finish_reason", "usage", "error"})
_DELTA_KEYS = frozenset(
    {"role", "content", "refusal", "reasoning", "reasoning_content", "reasoning_details", "tool_calls"}
    | {"function_call", "provider_metadata"}
)
"""What is understood. Everything else that comes is kept in the response's metadata."""

_FIELDS = re.compile(rb"(:|(data|event|id|retry)(:|$)|d$|da$|dat$|e$|ev$|eve$|even$|i$|r$|re$|ret$|retr$)")
"""With what a stream of events begins; it may be cut off within the first word."""

_MARK = b"\xef\xbb\xbf"

_MONEY_KEYS = frozenset({"cost", "is_byok", "cost_details"})
"""What a usage object says of money: it stands in the metadata, too."""

MAX_BODY = 256 * 1024 * 1024
"""Bytes that an answer which is not a stream may have."""


class Decoder:
    """Response bytes in, events out: of a stream of events, or of one JSON body, whichever comes.

    The first byte that is not white space tells them apart, so that a server which does not stream when it was
    asked to is understood all the same.

    Args:
        origin: the provider that answers, noted on opaque reasoning data.
    """

    def __init__(self, origin: str | None = None) -> None:
        self._out = Assembler(origin)
        self._sse = SSEDecoder()
        self._body: bytearray | None = None
        self._sniffed = False
        self._head: bytes = b""
        self._last_was_whole = False
        self._calls_by_id: dict[str, Call] = {}
        self._calls_by_index: dict[int, Call] = {}
        self.error: DecodeError | ProviderError | None = None

    def feed(self, data: bytes) -> list[MessageEvent]:
        """Take some bytes. See `playhead.wire.Decoder`."""
        if self._out.state in ("done", "failed"):
            return self._stopped()
        try:
            self._bytes(data)
        except (DecodeError, ProviderError) as error:
            return self._failed(error)
        return self._out.take()

    def close(self) -> list[MessageEvent]:
        """The body is over. See `playhead.wire.Decoder`."""
        if self._out.state in ("done", "failed"):
            return self._stopped()
        try:
            if self._body is not None:
                self._chunk(_object(bytes(self._body), "the answer"), "message")
                self._require_finish("the answer has no choice that was finished")
            # Without [DONE] the stream is over only if its last event says both why and how much.
            elif self._sse.pending or not self._last_was_whole:
                raise self._missing()
            self._out.end()
        except (DecodeError, ProviderError) as error:
            return self._failed(error)
        return self._out.take()

    def _bytes(self, data: bytes) -> None:
        if not self._sniffed:
            whole = self._head + data
            data = whole.removeprefix(_MARK).lstrip(b" \t\r\n")
            if not data or _MARK.startswith(whole):
                self._head = whole[:3]  # White space, a byte-order mark, or the beginning of one.
                return
            self._sniffed, self._head = True, data[:80]
            if data[0] in b"{[<":
                self._body = bytearray()
        if self._body is not None:
            self._body += data
            if len(self._body) > MAX_BODY:
                raise DecodeError(f"the answer is longer than {MAX_BODY} bytes")
            return
        for name, payload in self._sse.feed(data):
            self._payload(name, payload)
            if self._out.state == "done":
                return

    def _failed(self, error: DecodeError | ProviderError) -> list[MessageEvent]:
        """What came before the error is given first, so that cuts in the bytes make no difference."""
        self._out.fail()
        self.error = error
        if events := self._out.take():
            return events
        raise error

    def _stopped(self) -> list[MessageEvent]:
        if self.error is not None:
            raise self.error
        return []

    def _payload(self, name: bytes, payload: bytes) -> None:
        payload = payload.strip()
        if not payload:
            return  # Some servers send empty events to keep the connection open.
        if payload == b"[DONE]":
            self._require_finish("the stream ended with [DONE], but without a finish reason")
            self._out.end()
            return
        try:
            body = _object(payload, "an event of the stream")
        except TruncatedStream as error:  # The event came whole: what is cut in it was cut by the provider.
            raise DecodeError(str(error)) from error
        if name == b"error" and "error" not in body:
            body = {"error": body}
        self._chunk(body, "delta")

    def _chunk(self, chunk: JSONObject, field: str) -> None:
        out = self._out
        if chunk.get("error"):
            raise provider_error(chunk, 200)
        if out.state == "idle" or not (out.id and out.model):
            out.start(text(chunk.get("id")), text(chunk.get("model")))
        usage = obj(chunk.get("usage")) or obj(obj(chunk.get("x_groq")).get("usage"))
        finished = False
        for choice in objs(chunk.get("choices")):
            if choice.get("index"):
                continue  # One answer is asked for; a second one has nowhere to go.
            finished = bool(choice.get("finish_reason"))
            usage = obj(choice.get("usage")) or usage
            self._choice(choice, obj(choice.get(field)) or obj(choice.get("message")))
        if usage:
            out.usage, out.cost = decode_usage(usage), _cost(usage, out.cost)
            out.metadata |= {key: usage[key] for key in _MONEY_KEYS & usage.keys()}
        _keep(out.metadata, chunk, _CHUNK_KEYS)
        self._last_was_whole = finished and bool(usage)

    def _choice(self, choice: JSONObject, delta: JSONObject) -> None:
        out = self._out
        if choice.get("error"):
            raise provider_error(choice, 200)
        # Of what a delta holds most is null or empty, and says nothing.
        if said := {key: value for key, value in delta.items() if value}:
            self._delta(said)
        _keep(out.metadata, choice, _CHOICE_KEYS)
        if metadata := obj(delta.get("provider_metadata")):
            out.metadata["provider_metadata"] = metadata
            out.cost = _number(obj(metadata.get("gateway")).get("cost"), out.cost)
        if reason := text(choice.get("finish_reason")):
            if reason == "error":
                raise ProviderError("the answer ended with finish reason 'error'", status=200, retryable=True)
            out.finish(_FINISH.get(reason, "other"), reason)

    def _delta(self, delta: JSONObject) -> None:
        out, content = self._out, delta.get("content")
        if delta.keys() <= _WORDS and isinstance(content, str):
            out.text(content)  # As nearly all deltas are.
            return
        self._reasoning(delta)
        if isinstance(content, str):
            out.text(content)
        for piece in objs(content):
            self._piece(piece)
        if refusal := text(delta.get("refusal")):
            out.refusal(refusal)
        for call in objs(delta.get("tool_calls")):
            self._call(call.get("index"), text(call.get("id")), obj(call.get("function")))
        if function := obj(delta.get("function_call")):
            self._call(0, "", function)
        _keep(out.metadata, delta, _DELTA_KEYS)

    def _reasoning(self, delta: JSONObject) -> None:
        """Text that comes in several fields at once is counted once; entries of details are all kept."""
        out = self._out
        details = objs(delta.get("reasoning_details"))
        for field in ("reasoning_content", "reasoning"):
            if found := text(delta.get(field)):
                out.reasoning(found, field)
                break
        else:
            for entry in details:
                if found := text(entry.get("text")) or text(entry.get("summary")):
                    out.reasoning(found)
        for entry in details:
            out.reasoning_detail(entry)

    def _piece(self, piece: JSONObject) -> None:
        """Content as a list, as Mistral sends it when the model thinks."""
        if found := text(piece.get("text")):
            out = self._out.reasoning if piece.get("type") == "thinking" else self._out.text
            out(found)
        thinking = piece.get("thinking")
        for found in [text(thinking)] if isinstance(thinking, str) else [text(t.get("text")) for t in objs(thinking)]:
            if found:
                self._out.reasoning(found)

    def _call(self, index: object, id: str, function: JSONObject) -> None:
        name, arguments = text(function.get("name")), function.get("arguments")
        if arguments is not None and not isinstance(arguments, str):
            arguments = msgspec.json.encode(arguments).decode()  # Some servers send the object itself.
        if isinstance(index, str) and index.isdecimal():
            index = int(index[:9])
        index = index if isinstance(index, int) else None
        # In a body that is no stream each element is a call, whatever its id.
        call = self._find(index, id, name) if self._body is None else None
        if call is None:
            call = self._out.open_call()
            if index is not None:
                self._calls_by_index[index] = call
        self._out.call(call, id, name, arguments or "")
        if id:
            self._calls_by_id.setdefault(id, call)

    def _find(self, index: int | None, id: str, name: str) -> Call | None:
        """The call that a delta continues: by its id, then by its index, then the one under way."""
        calls = self._out.calls
        if id and (found := self._calls_by_id.get(id)):
            return found
        if index is not None:
            found = self._calls_by_index.get(index)
            # Another id at the same index, or a name behind whole arguments: a server that numbers every call 0.
            another = found and ((id and found.id) or (name and not id and found.name and found.is_whole()))
            return None if another else found
        if not calls or (id and calls[-1].id):
            return None
        # Neither id nor index: a name begins a new call, unless the one under way still waits for its own.
        return None if name and calls[-1].name else calls[-1]

    def _require_finish(self, otherwise: str) -> None:
        if self._out.state == "idle" or self._out.finish_reason is None:
            raise TruncatedStream(otherwise)

    def _missing(self) -> DecodeError:
        if self._out.state == "idle" and self._head and not _FIELDS.match(self._head):
            shown = self._head.decode("utf-8", "replace")
            return DecodeError(f"the answer should be JSON or a stream of events, but begins with {shown!r}")
        if self._out.state == "idle":
            return TruncatedStream("the stream ended before its first event")
        if self._out.finish_reason is None:
            return TruncatedStream("the stream ended before the answer was finished")
        return TruncatedStream("the stream ended before [DONE]")


def decode_usage(raw: JSONObject) -> Usage:
    """Token counts from a usage object. What was not sent is None.

    Reasoning tokens are a part of the output. A provider that counts them beside it (xAI) is known by its total,
    which is then the sum of all three.
    """
    prompt, completion = obj(raw.get("prompt_tokens_details")), obj(raw.get("completion_tokens_details"))
    given, made, total = (count(raw.get(f"{name}_tokens")) for name in ("prompt", "completion", "total"))
    reasoning = _first(completion.get("reasoning_tokens"), raw.get("reasoning_tokens"))
    if reasoning and None not in (given, made) and total == (given or 0) + (made or 0) + reasoning:
        made = (made or 0) + reasoning
    return Usage(
        input_tokens=given,
        output_tokens=made,
        total_tokens=total,
        cache_read_tokens=_first(
            prompt.get("cached_tokens"), raw.get("prompt_cache_hit_tokens"), raw.get("cached_tokens")
        ),
        cache_write_tokens=_first(
            prompt.get("cache_write_tokens"),
            prompt.get("cache_creation_tokens"),
            raw.get("cache_creation_input_tokens"),
        ),
        reasoning_tokens=reasoning,
        raw=raw,
    )


def read_error(body: bytes, status: int) -> ProviderError:
    """The error that the body of a refusal reports; its text, where it is not JSON."""
    try:
        value: object = loads(body, "the answer")
    except DecodeError:
        value = None
    if isinstance(value, list):  # Google wraps it in one.
        value = next(iter(objs(value)), None)  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, dict):
        return provider_error(obj(value), status)  # pyright: ignore[reportUnknownArgumentType]
    shown = " ".join(body[:2000].decode("utf-8", "replace").split())
    what = f"the body is not JSON: {shown[:200]!r}" if shown else "the body is empty"
    return ProviderError(what, kind="not_json", status=status)


def provider_error(body: JSONObject, status: int) -> ProviderError:
    """The error that a body, or an event of a stream, reports."""
    error: object = body.get("error")
    fields = obj(error)
    message = text(error) or text(fields.get("message")) or text(body.get("message"))
    message = message or _shown(body.get("detail")) or _shown(error) or "no message was sent"
    code = fields.get("code") or fields.get("type") or body.get("code")
    metadata = obj(fields.get("metadata"))
    if raw := text(metadata.get("raw")):
        message = f"{message}: {raw}"
    return ProviderError(
        message,
        status=status,
        code=None if code is None else str(code),
        retryable=str(code) in ("408", "429", "500", "502", "503", "504", "529"),
        metadata=metadata,
    )


def _shown(value: object) -> str:
    """What stands where a message should, as FastAPI's `detail` does."""
    if not value:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()[:500]


def _object(data: bytes, what: str) -> JSONObject:
    value = loads(data, what)
    if not isinstance(value, dict):
        raise DecodeError(f"{what} should be a JSON object, but is {data[:80].decode('utf-8', 'replace')!r}")
    return obj(value)  # pyright: ignore[reportUnknownArgumentType]


def _cost(usage: JSONObject, otherwise: float | None) -> float | None:
    ticks = _number(usage.get("cost_in_usd_ticks"), None)
    return _number(usage.get("cost"), otherwise if ticks is None else ticks / 10_000_000_000)


def _number(value: object, otherwise: float | None) -> float | None:
    """A number, also one sent as a string, as Vercel's gateway does."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return otherwise
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return otherwise
    return number if number - number == 0 else otherwise  # neither NaN nor infinite


def _first(*values: object) -> int | None:
    return next((number for value in values if (number := count(value)) is not None), None)


def _keep(metadata: dict[str, Any], source: JSONObject, known: frozenset[str]) -> None:
    """Keep what is not understood. Lists grow, objects are merged, of other values the last counts."""
    for key, value in source.items():
        if value is None or key in known:
            continue
        if isinstance(value, list | dict):
            _merge(metadata, key, value)  # pyright: ignore[reportUnknownArgumentType]
        else:
            metadata[key] = value


def _merge(into: dict[str, Any], key: str, value: object) -> None:
    earlier: object = into.get(key)
    if isinstance(value, list) and isinstance(earlier, list):
        earlier.extend(value)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    elif isinstance(value, dict) and isinstance(earlier, dict) and len(earlier) < 1000:  # pyright: ignore[reportUnknownArgumentType]
        for name, item in obj(value).items():  # pyright: ignore[reportUnknownArgumentType]
            _merge(earlier, name, item)  # pyright: ignore[reportUnknownArgumentType]
    elif value is not None and value != []:
        into[key] = value
