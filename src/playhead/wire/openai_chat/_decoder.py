"""Chat completions: response bytes to events."""

from __future__ import annotations

from typing import Any

import msgspec

from ...errors import ProviderError, TruncatedStream
from ...messages import FinishReason, Usage
from .._assembler import Call
from .._decoder import BaseDecoder, event_object, object_of
from .._json import JSONObject, count, first_count, keep, merge, number, obj, objs, text
from .._refusals import provider_error
from ._answer import READABLE, ChatAnswer
from ._names import CHOICE_KEYS, CHUNK_KEYS, DELTA_KEYS, NAME, SEARCHED

PATH = STREAM_PATH = "/chat/completions"
STREAM_TYPE = "text/event-stream"

_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "error": "error",
    "model_length": "length",  # Mistral
    "model_context_window_exceeded": "length",  # z.ai
    "sensitive": "content_filter",  # z.ai
    "eos": "stop",  # Together
}

_BROKEN = {
    "error": "stream",
    "network_error": "server",  # z.ai
    "insufficient_system_resource": "overloaded",  # DeepSeek
}
"""Finish reasons with which an answer breaks off, and what kind of error that is."""

_WORDS = frozenset({"role", "content"})
_MEDIA = frozenset({"images", "audio", "annotations"})
_THOUGHT_KEYS = frozenset({"type", "thinking", "text", "closed"})
_CALL_KEYS = frozenset({"index", "id", "type", "function", "custom"})

_MONEY_KEYS = frozenset({"cost", "is_byok", "cost_details"})
"""What a usage object says of money: it stands in the metadata, too."""


class Decoder(BaseDecoder):
    """Response bytes in, events out. See `playhead.wire.Decoder`.

    Args:
        origin: the provider that answers, noted on opaque reasoning data.
    """

    WIRE = NAME

    def __init__(self, origin: str | None = None) -> None:
        super().__init__(origin)
        self._out = self._answer = ChatAnswer(origin, NAME)
        self._last_was_whole = False
        self._calls_by_id: dict[str, Call] = {}
        self._calls_by_index: dict[int, Call] = {}

    def _whole(self, body: Any) -> None:
        self._chunk(object_of(body, str(body), "the answer"), "message")
        self._require_finish("the answer has no choice that was finished")

    def _over(self) -> None:
        # Without [DONE] the stream is over only if its last event says both why and how much.
        if not self._last_was_whole:
            raise self._missing()

    def _event(self, name: bytes, data: bytes) -> None:
        payload = data.strip()
        if not payload:
            return  # Some servers send empty events to keep the connection open.
        if payload == b"[DONE]":
            self._require_finish("the stream ended with [DONE], but without a finish reason")
            self._out.end()
            return
        body = event_object(payload)
        if name == b"error" and "error" not in body:
            body = {"error": body}
        self._chunk(body, "delta")

    def _chunk(self, chunk: JSONObject, field: str) -> None:
        out = self._out
        if chunk.get("error"):
            raise provider_error(chunk, 200)
        if out.state == "idle" or not (out.id and out.model):
            out.start(text(chunk.get("id")), text(chunk.get("model")))
        groq = obj(chunk.get("x_groq"))
        if groq.get("error"):  # Why the stream was stopped early.
            raise provider_error(groq, 200)
        usage = obj(chunk.get("usage")) or obj(groq.get("usage"))
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
        if not SEARCHED.isdisjoint(chunk):
            self._answer.results_of_search(chunk)
        keep(out.metadata, chunk, CHUNK_KEYS)
        self._last_was_whole = finished and bool(usage)

    def _choice(self, choice: JSONObject, delta: JSONObject) -> None:
        out = self._out
        if choice.get("error"):
            raise provider_error(choice, 200)
        # Of what a delta holds most is null or empty, and says nothing.
        if said := {key: value for key, value in delta.items() if value}:
            self._delta(said)
        keep(out.metadata, choice, CHOICE_KEYS)
        if metadata := obj(delta.get("provider_metadata")):
            out.metadata["provider_metadata"] = metadata
            out.cost = number(obj(metadata.get("gateway")).get("cost"), out.cost)
        if reason := text(choice.get("finish_reason")):
            if reason in _BROKEN:
                why = f"the answer ended with finish reason {reason!r}"
                raise ProviderError(why, kind=_BROKEN[reason], status=200, retryable=True)
            out.finish(_FINISH.get(reason, "other"), reason)

    def _delta(self, delta: JSONObject) -> None:
        out, content = self._out, delta.get("content")
        if delta.keys() <= _WORDS and isinstance(content, str):
            out.text(content)  # As nearly all deltas are.
            return
        self._reasoning(delta)
        for entry in objs(delta.get("executed_tools")):
            self._answer.executed(entry)
        if isinstance(content, str):
            out.text(content)
        for piece in objs(content) or [obj(content)]:
            self._piece(piece)
        if refusal := text(delta.get("refusal")):
            out.refusal(refusal)
        if not _MEDIA.isdisjoint(delta):
            self._media(delta)
        for call in objs(delta.get("tool_calls")):
            self._tool_call(call)
        if function := obj(delta.get("function_call")):
            self._call(0, "", function, {})
        keep(out.metadata, delta, DELTA_KEYS)

    def _reasoning(self, delta: JSONObject) -> None:
        """Text that comes in several fields at once is counted once; entries of details are all kept."""
        details = objs(delta.get("reasoning_details"))
        for field in ("reasoning_content", "reasoning"):
            if found := text(delta.get(field)):
                self._answer.reason([found], field, details)
                return
        if details:
            found = [text(entry.get(READABLE.get(text(entry.get("type")), ""))) for entry in details]
            # Details that follow what came in a field repeat it.
            words = [] if self._answer.field_of_reasoning() else [word for word in found if word]
            self._answer.reason(words, None, details)

    def _piece(self, piece: JSONObject) -> None:
        """Content as a list, as Mistral sends it when the model thinks or refers to sources."""
        kind, found = piece.get("type"), text(piece.get("text"))
        if kind == "reference":
            self._answer.refer(piece)
        elif kind == "image_url":
            self._answer.image(piece)
        elif kind == "thinking" or piece.get("thinking"):
            self._thought(piece, piece.get("thinking") or found)
        elif found:
            self._out.text(found)
        elif kind not in (None, "text"):
            merge(self._out.metadata, "content", [piece])

    def _thought(self, piece: JSONObject, thinking: object) -> None:
        """Pieces that hold thoughts; what they hold besides words is kept."""
        inner = [{"text": thinking}] if isinstance(thinking, str) else objs(thinking)
        for words in (text(part.get("text")) for part in inner):
            if words:
                self._answer.reason([words], "thinking", [])
        strange = [part for part in inner if part and not isinstance(part.get("text"), str)]
        if strange or not piece.keys() <= _THOUGHT_KEYS:
            rest = {key: value for key, value in piece.items() if key not in ("thinking", "text")}
            merge(self._out.metadata, "content", [rest | ({"thinking": strange} if strange else {})])

    def _media(self, delta: JSONObject) -> None:
        answer = self._answer
        answer.annotate(objs(delta.get("annotations")))
        for image in objs(delta.get("images")):
            answer.image(image)
        if audio := obj(delta.get("audio")):
            answer.audio(audio)

    def _tool_call(self, call: JSONObject) -> None:
        function = obj(call.get("function"))
        more = {key: value for key, value in call.items() if value is not None and key not in _CALL_KEYS}
        if custom := obj(call.get("custom")):
            function = {"name": custom.get("name"), "arguments": custom.get("input")}
            more["type"] = "custom"
        self._call(call.get("index"), text(call.get("id")), function, more)

    def _call(self, index: object, id: str, function: JSONObject, more: JSONObject) -> None:
        """More of a call; with `more` that its issuer wants back, such as Gemini's `extra_content`."""
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
        if more:
            call.data["call"] = obj(call.data.get("call")) | more
        self._answer.call(call, id, name, arguments or "")
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

    def _missing(self) -> TruncatedStream:
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
    reasoning = first_count(completion.get("reasoning_tokens"), raw.get("reasoning_tokens"))
    if reasoning and None not in (given, made) and total == (given or 0) + (made or 0) + reasoning:
        made = (made or 0) + reasoning
    return Usage(
        input_tokens=given,
        output_tokens=made,
        total_tokens=total,
        cache_read_tokens=first_count(
            prompt.get("cached_tokens"), raw.get("prompt_cache_hit_tokens"), raw.get("cached_tokens")
        ),
        cache_write_tokens=first_count(
            prompt.get("cache_write_tokens"),
            prompt.get("cache_creation_tokens"),
            raw.get("cache_creation_input_tokens"),
        ),
        reasoning_tokens=reasoning,
        raw=raw,
    )


def _cost(usage: JSONObject, otherwise: float | None) -> float | None:
    ticks = number(usage.get("cost_in_usd_ticks"), None)
    if (total := number(obj(usage.get("cost")).get("total_cost"), None)) is not None:
        return total  # Perplexity's is an object.
    return number(usage.get("cost"), otherwise if ticks is None else ticks / 10_000_000_000)
