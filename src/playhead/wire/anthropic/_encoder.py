"""
Writing answers in the Anthropic format: events in, the bytes of a stream or of one JSON body out.

https://docs.claude.com/en/docs/build-with-claude/streaming

What this format says of its own answers goes out as it came. Of other formats' answers the neutral parts go out; what
is left over is a loss: opaque data, calls and results of the provider's own tools, citations, sources, cost and
metadata, and a finish reason that has no word here.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ...errors import PlayheadError
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
from .._history import issuer, own
from .._json import JSONObject
from .._report import Report
from ._blocks import NAME, reasoning_block, text_block
from ._errors import error_body
from ._messages import input_of

_REASONS: dict[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}

_UNKNOWN: JSONObject = {"input_tokens": 0, "output_tokens": 0}
"""The usage at the start of a stream, where it is not known yet; the format requires one."""


_KINDS = {TextPart: "a text", RefusalPart: "a refusal", ReasoningPart: "reasoning", ToolCallPart: "a call"}


class _Open:
    """A part under way.

    Attributes:
        index: of its block; None while it cannot be told yet what kind of block it is.
        held: what came of it meanwhile.
        said: the fields of its block that were sent.
        length: how much of its text was sent.
    """

    __slots__ = ("held", "index", "length", "part", "said")

    def __init__(self, part: Part) -> None:
        self.part = part
        self.index: int | None = None
        self.held: list[str] = []
        self.said: JSONObject = {}
        self.length = 0


class Encoder:
    """Events in, response bytes out. See `playhead.wire.Encoder`.

    Reasoning begins a block with its first words, since a redacted one looks different; a call without an id, and one
    that the provider runs, when it is whole.

    Args:
        stream: whether the answer is a stream of events, or one JSON body.
    """

    def __init__(self, stream: bool) -> None:
        self._stream = stream
        self._report = Report(NAME)
        self._open: dict[int, _Open] = {}
        self._next = 0
        self._named = ("", "")

    @property
    def losses(self) -> tuple[str, ...]:
        """What the format could not say so far, one sentence each."""
        return self._report.losses

    def send(self, event: MessageEvent) -> bytes:
        """The bytes that say this event. See `playhead.wire.Encoder`."""
        if not self._stream:
            return msgspec.json.encode(self._body(event.response)) if isinstance(event, MessageEnd) else b""
        match event:
            case MessageStart():
                return self._start(event)
            case PartStart():
                return self._part_start(event)
            case PartDelta():
                return self._part_delta(self._open[event.index], event.delta)
            case PartEnd():
                return self._part_end(self._open.pop(event.index, None) or _Open(event.part), event.part)
            case MessageEnd():
                return self._end(event.response)

    def fail(self, error: PlayheadError) -> bytes:
        """How a stream that has begun says that it breaks off; as a body, what went wrong."""
        body = error_body(error)
        return self._frame("error", body) if self._stream else msgspec.json.encode(body)

    def _frame(self, name: str, payload: JSONObject) -> bytes:
        """The bytes of one event; another framing says here how it looks there."""
        return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(payload))

    def _say(self, name: str, **fields: Any) -> bytes:
        return self._frame(name, {"type": name, **fields})

    def _start(self, event: MessageStart) -> bytes:
        self._named = (event.id, event.model)
        message: JSONObject = {"id": event.id, "type": "message", "role": "assistant", "model": event.model}
        rest: JSONObject = {"content": [], "stop_reason": None, "stop_sequence": None, "usage": _UNKNOWN}
        return self._say("message_start", message=message | rest)

    def _part_start(self, event: PartStart) -> bytes:
        state = self._open[event.index] = _Open(event.part)
        match event.part:
            case TextPart(opaque=opaque):
                return self._begin(state, {"type": "text", "text": ""} | (own(opaque, NAME, None) or {}))
            case RefusalPart():
                return self._begin(state, {"type": "text", "text": ""})
            case ReasoningPart(opaque=opaque) if "redacted" in (data := own(opaque, NAME, None) or {}):
                return self._begin(state, reasoning_block(event.part, data))
            case ToolCallPart(id=id, provider_executed=theirs, opaque=opaque) if id and (not theirs or opaque):
                return self._begin_call(state, event.part)
            case _:
                return b""

    def _part_delta(self, state: _Open, delta: str) -> bytes:
        state.length += len(delta)
        begun = b""
        if state.index is None:
            if not isinstance(state.part, ReasoningPart):
                state.held.append(delta)
                return b""
            begun = self._begin_thinking(state)
        return begun + self._delta(state, delta)

    def _part_end(self, state: _Open, part: Part) -> bytes:
        """All of a part that was not sent yet."""
        match part:
            case TextPart(text=words) | RefusalPart(text=words):
                data = self._words_data(part)
                out = self._rest(state, words)
                for cited in text_block(part, {}, None).get("citations", ()) if isinstance(part, TextPart) else ():
                    out += self._change(state, {"type": "citations_delta", "citation": cited})
            case ReasoningPart():
                out, data = self._end_reasoning(state, part)
            case ToolCallPart():
                out, data = self._end_call(state, part)
            case MediaPart() | ToolResultPart():
                block, data = self._provided(part), {}
                out = b"" if block is None else self._begin(state, block)
        if state.index is None:
            return out
        late = {name: value for name, value in data.items() if state.said.get(name) != value}
        more = {"content_block": late} if late else {}
        return out + self._say("content_block_stop", index=state.index, **more)

    def _end_reasoning(self, state: _Open, part: ReasoningPart) -> tuple[bytes, JSONObject]:
        data = self._data(part)
        if "redacted" in data:
            out = self._begin(state, reasoning_block(part, data)) if state.index is None else b""
            return out, {name: value for name, value in data.items() if name != "redacted"}
        if state.index is None and not (data or part.text):
            return b"", {}
        out = self._rest(state, part.text)
        if "signature" in data:
            out += self._change(state, {"type": "signature_delta", "signature": data["signature"]})
        return out, {name: value for name, value in data.items() if name != "signature"}

    def _end_call(self, state: _Open, part: ToolCallPart) -> tuple[bytes, JSONObject]:
        data = self._data(part)
        if self._stays(part):
            return b"", {}
        out = b""
        if state.index is None:
            out = self._begin_call(state, part) + b"".join(self._delta(state, delta) for delta in state.held)
        out += self._rest(state, part.arguments)
        if input_of(part.arguments) is None:
            self._report.lost(
                f"the arguments of a call of {part.name!r} are not a JSON object, and clients expect one"
            )
        return out, data

    def _begin(self, state: _Open, block: JSONObject) -> bytes:
        state.index, state.said = self._next, block
        self._next += 1
        return self._say("content_block_start", index=state.index, content_block=block)

    def _begin_thinking(self, state: _Open) -> bytes:
        known = own(state.part.opaque, NAME, None) or {}
        return self._begin(state, {"type": "thinking", "thinking": "", "signature": ""} | known)

    def _begin_call(self, state: _Open, part: ToolCallPart) -> bytes:
        if self._stays(part):
            return b""
        return self._begin(state, self._call_block(part, {}))

    def _call_block(self, part: ToolCallPart, input: object) -> JSONObject:
        kind = "server_tool_use" if part.provider_executed else "tool_use"
        data = own(part.opaque, NAME, None) or {}
        return {"type": kind, "id": part.id, "name": part.name, "input": input} | data

    def _rest(self, state: _Open, words: str) -> bytes:
        """What the deltas of a part did not say of it."""
        begun = b""
        if state.index is None:
            begun = self._begin_thinking(state)
        rest, state.length = words[state.length :], len(words)
        return begun + (self._delta(state, rest) if rest else b"")

    def _delta(self, state: _Open, delta: str) -> bytes:
        match state.part:
            case ReasoningPart():
                return self._change(state, {"type": "thinking_delta", "thinking": delta})
            case ToolCallPart():
                return self._change(state, {"type": "input_json_delta", "partial_json": delta})
            case _:
                return self._change(state, {"type": "text_delta", "text": delta})

    def _change(self, state: _Open, delta: JSONObject) -> bytes:
        return self._say("content_block_delta", index=state.index, delta=delta)

    def _data(self, part: TextPart | RefusalPart | ReasoningPart | ToolCallPart) -> JSONObject:
        """The opaque data of a part that is this format's own. Another's is a loss, and so are its citations."""
        if isinstance(part, TextPart):
            for cited in part.citations:
                if own(cited.opaque, NAME, None) is None:
                    self._report.lost(f"citations of {issuer(cited.opaque)} were left out")
        if part.opaque is None:
            return {}
        data = own(part.opaque, NAME, None)
        if data is None:
            self._report.lost(f"what {issuer(part.opaque)} noted on {_KINDS[type(part)]} was left out")
        return data or {}

    def _words_data(self, part: TextPart | RefusalPart) -> JSONObject:
        if isinstance(part, RefusalPart):
            self._report.lost("a refusal was said as text: this format has no other word for it")
        return self._data(part)

    def _stays(self, part: ToolCallPart) -> bool:
        """Whether a call is another provider's own doing, for which this format has no words."""
        stays = part.provider_executed and own(part.opaque, NAME, None) is None
        if stays:
            self._report.lost(f"what {issuer(part.opaque)} did by its own tool {part.name!r} was left out")
        return stays

    def _provided(self, part: MediaPart | ToolResultPart) -> JSONObject | None:
        data = own(part.opaque, NAME, None) or {}
        if "block" in data:
            return data["block"]
        if isinstance(part, MediaPart):
            self._report.lost(f"{part.media_type} that the model made was left out: this format has no words for it")
        else:
            self._report.lost(f"what {issuer(part.opaque)} did by its own tool {part.name!r} was left out")
        return None

    def _end(self, response: ModelResponse) -> bytes:
        if (response.id, response.model) != self._named:
            self._report.lost("the answer's id and model were known only at its end, when a stream cannot say them")
        reason, usage, metadata = self._ending(response)
        delta = {"stop_reason": reason, "stop_sequence": None} | metadata
        out = self._say("message_delta", delta=delta, usage=usage)
        return out + self._say("message_stop")

    def _ending(self, response: ModelResponse) -> tuple[str, JSONObject, JSONObject]:
        """The reason, the usage, and the metadata that is this format's own."""
        ours = response.wire == NAME
        usage = response.usage
        if usage is None or None in (usage.input_tokens, usage.output_tokens):
            self._report.lost("the usage is not known, and this format says 0 then")
        elif not ours and usage.total_tokens not in (None, (usage.input_tokens or 0) + (usage.output_tokens or 0)):
            self._report.lost(f"the total of {usage.total_tokens} tokens was left out: there is no word for it")
        if ours and response.raw_finish_reason:
            return response.raw_finish_reason, _usage(response.usage, ours), response.metadata
        reason = _REASONS.get(response.finish_reason)
        if reason is None:
            said = response.raw_finish_reason or response.finish_reason
            self._report.lost(f"the finish reason {said!r} was said as 'end_turn': there is no word for it")
        left = {"cost": response.cost is not None, "sources": response.sources, "metadata": response.metadata}
        for name, value in left.items():
            if value and not ours:
                self._report.lost(f"the {name} of the answer was left out: this format has no place for it")
        return reason or "end_turn", _usage(response.usage, ours), response.metadata if ours else {}

    def _body(self, response: ModelResponse) -> JSONObject:
        reason, usage, metadata = self._ending(response)
        content = [block for part in response.message.parts if (block := self._block(part)) is not None]
        # What is the message's own stands over what the metadata happens to name alike.
        return (
            {"stop_sequence": None}
            | metadata
            | {
                "id": response.id,
                "type": "message",
                "role": "assistant",
                "model": response.model,
                "content": content,
                "stop_reason": reason,
                "usage": usage,
            }
        )

    def _block(self, part: Part) -> JSONObject | None:
        match part:
            case TextPart(text=words) | RefusalPart(text=words):
                data = self._words_data(part)
                return text_block(part if isinstance(part, TextPart) else TextPart(words), data, None)
            case ReasoningPart():
                data = self._data(part)
                return reasoning_block(part, data if "redacted" in data else {"signature": ""} | data)
            case ToolCallPart():
                self._data(part)
                return None if self._stays(part) else self._call_block(part, self._input(part))
            case MediaPart() | ToolResultPart():
                return self._provided(part)

    def _input(self, part: ToolCallPart) -> object:
        given = input_of(part.arguments)
        if given is not None:
            return given
        self._report.lost(f"the arguments of a call of {part.name!r} are not a JSON object; they were sent as text")
        return {"invalid_json": part.arguments}


def _usage(usage: Usage | None, ours: bool) -> JSONObject:
    """The counts as this format says them: the input without what was cached."""
    if usage is None:
        return dict(_UNKNOWN)
    if ours and usage.raw:
        return usage.raw
    read, written = usage.cache_read_tokens, usage.cache_write_tokens
    given = max(0, (usage.input_tokens or 0) - (read or 0) - (written or 0))
    body: JSONObject = {"input_tokens": given, "output_tokens": usage.output_tokens or 0}
    known = {"cache_read_input_tokens": read, "cache_creation_input_tokens": written}
    body |= {name: value for name, value in known.items() if value is not None}
    if usage.reasoning_tokens is not None:
        body["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return body
