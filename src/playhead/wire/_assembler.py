"""
Builds the events and the final response: the only writer of events, and the only state machine.

A codec reports facts in whatever order its provider sends them; the assembler turns them into the grammar of
`playhead.events`. Where a provider names its parts (by index or by id), the codec opens a `Prose` or a `Call` for
each, adds to it, and ends it; parts may interleave. Where it does not, `text`, `refusal` and `reasoning` go on with
the part under way, which ends when something else begins. What was not ended ends with the answer.

    state     fact                     next
    idle      start                    open
    open      text, reasoning, call    open
    open      end                      done
    idle|open fail                     failed
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec

from ..errors import DecodeError
from ..events import MessageEnd, MessageEvent, MessageStart, PartDelta, PartEnd, PartStart
from ..messages import (
    Citation,
    FinishReason,
    MediaPart,
    Message,
    ModelResponse,
    Opaque,
    Part,
    ReasoningPart,
    RefusalPart,
    Source,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
)

ProseKind = Literal["text", "refusal", "reasoning"]

MAX_PARTS = 100_000
"""Parts that one answer may have: no real one comes near, and what grows without end is a fault."""


class Prose:
    """A text, refusal or reasoning part under way.

    Attributes:
        citations: what the text rests on; a codec appends to it.
        data: what the issuer wants back with the part; a codec writes to it.
    """

    __slots__ = ("chunks", "citations", "data", "details", "ended", "index", "kind", "origin", "wire")

    def __init__(self, index: int, kind: ProseKind, wire: str, origin: str | None) -> None:
        self.index = index
        self.kind: ProseKind = kind
        self.wire = wire
        self.origin = origin
        self.chunks: list[str] = []
        self.citations: list[Citation] = []
        self.data: dict[str, Any] = {}
        self.details: list[_Fragments] = []
        self.ended = False

    def part(self) -> Part:
        joined = "".join(self.chunks)
        data = dict(self.data)
        if self.details:
            data["details"] = [entry.joined() for entry in self.details]
        opaque = Opaque(self.wire, data, self.origin) if data else None
        if self.kind == "text":
            return TextPart(joined, tuple(self.citations), None, opaque)
        if self.kind == "refusal":
            return RefusalPart(joined, opaque)
        return ReasoningPart(joined, opaque)


class Call:
    """A tool call under way. A codec finds it again by whatever its provider names it with.

    Attributes:
        data: what the issuer wants back with the call; a codec writes to it.
        provider_executed: whether the provider runs the tool itself.
    """

    __slots__ = (
        "chunks",
        "data",
        "ended",
        "id",
        "index",
        "name",
        "ordinal",
        "origin",
        "provider_executed",
        "shown",
        "wire",
    )

    def __init__(self, ordinal: int, wire: str, origin: str | None, provider_executed: bool) -> None:
        self.ordinal = ordinal
        self.id = ""
        self.name = ""
        self.wire = wire
        self.origin = origin
        self.provider_executed = provider_executed
        self.chunks: list[str] = []
        self.data: dict[str, Any] = {}
        self.index = -1
        self.shown = False
        self.ended = False

    def is_whole(self) -> bool:
        """Whether the arguments so far are JSON."""
        try:
            msgspec.json.decode("".join(self.chunks), type=msgspec.Raw)
        except (ValueError, RecursionError):
            return False
        return True

    def begun(self) -> ToolCallPart:
        """What is known when the call is shown."""
        return msgspec.structs.replace(self.part(), arguments="")

    def part(self) -> ToolCallPart:
        opaque = Opaque(self.wire, dict(self.data), self.origin) if self.data else None
        return ToolCallPart(self.id, self.name, "".join(self.chunks), self.provider_executed, opaque)


class Assembler:
    """One answer, from its first fact to its last.

    Args:
        origin: the provider that answers, noted on opaque data.
        wire: the wire format, noted there too.
    """

    def __init__(self, origin: str | None = None, wire: str = "") -> None:
        self.state: Literal["idle", "open", "done", "failed"] = "idle"
        self.id = ""
        self.model = ""
        self.usage: Usage | None = None
        self.cost: float | None = None
        self.finish_reason: FinishReason | None = None
        self.raw_finish_reason: str | None = None
        self.metadata: dict[str, Any] = {}
        self.sources: list[Source] = []
        self.calls: list[Call] = []
        self.wire = wire
        self.origin = origin
        self._begun = False
        self._known: set[tuple[str | None, str | None]] = set()
        self._details: dict[tuple[str | None, str], _Fragments] = {}
        self._prose: Prose | None = None
        self._parts: list[Prose | Call | Part] = []
        self._events: list[MessageEvent] = []

    def take(self) -> list[MessageEvent]:
        """The events since the last call."""
        events, self._events = self._events, []
        return events

    def start(self, id: str, model: str) -> None:
        """The answer begins; an id or a model that comes late is noted for its end."""
        self.id = self.id or id
        self.model = self.model or model
        if self.state == "idle":
            self.state, self._begun = "open", True
            self._events.append(MessageStart(id, model))

    def text(self, delta: str) -> None:
        """More text, of the part under way."""
        self._append("text", delta)

    def refusal(self, delta: str) -> None:
        """More of a refusal, of the part under way."""
        self._append("refusal", delta)

    def reasoning(self, delta: str, field: str | None = None) -> None:
        """More readable reasoning, and the wire format's field in which it stood."""
        prose = self._append("reasoning", delta)
        if field:
            prose.data["field"] = field

    def reasoning_detail(self, entry: dict[str, Any]) -> None:
        """One entry of `reasoning_details`; a fragment of an earlier one is joined to it."""
        field = _fragment_field(entry)
        key = (field, str(entry.get("index")))
        earlier = self._details.get(key) if field else None
        if earlier is None or not earlier.goes_on_with(entry):
            fragments = self._details[key] = _Fragments(entry, field)
            self.going("reasoning").details.append(fragments)
            return
        for key, value in entry.items():
            if key == field and isinstance(value, str):
                earlier.chunks.append(value)
            elif value is not None and key != field:
                earlier.entry[key] = value

    def going(self, kind: ProseKind) -> Prose:
        """The part under way if it is of this kind, else a new one."""
        prose = self._prose
        if prose is not None and prose.kind == kind:
            return prose
        prose = self.open_prose(kind)
        self._prose = prose
        return prose

    def open_prose(self, kind: ProseKind, data: dict[str, Any] | None = None) -> Prose:
        """A new part of text, refusal or reasoning, which the codec ends itself.

        Args:
            data: what is known already of what the issuer wants back with the part.
        """
        self._require_open()
        self.end_going()
        prose = Prose(self._next_index(), kind, self.wire, self.origin)
        prose.data |= data or {}
        self._parts.append(prose)
        self._events.append(PartStart(prose.index, prose.part()))
        return prose

    def more(self, prose: Prose, delta: str) -> None:
        """More of a part that was opened."""
        if prose.ended:
            raise DecodeError(f"the provider sent more {prose.kind} for a part that it had ended")
        if delta:
            prose.chunks.append(delta)
            self._events.append(PartDelta(prose.index, prose.kind, delta))

    def end_prose(self, prose: Prose) -> None:
        """A part that was opened is whole. What comes for its `data` later still counts in the response."""
        if not prose.ended:
            prose.ended = True
            self._events.append(PartEnd(prose.index, prose.part()))
        if prose is self._prose:
            self._prose = None

    def end_going(self) -> None:
        """The part under way is whole."""
        if self._prose is not None:
            self.end_prose(self._prose)

    def open_call(self, *, provider_executed: bool = False) -> Call:
        """A new tool call."""
        self._require_open()
        call = Call(len(self.calls), self.wire, self.origin, provider_executed)
        self.calls.append(call)
        return call

    def call(self, call: Call, id: str, name: str, arguments: str) -> None:
        """More of a tool call. It is shown as soon as its name is known."""
        self._require_open()
        call.id = call.id or id
        call.name = call.name or name
        if not call.shown and call.name:
            self.end_going()
            call.shown, call.index = True, self._next_index()
            self._parts.append(call)
            self._events.append(PartStart(call.index, call.begun()))
            self._events.extend(PartDelta(call.index, "tool_call", chunk) for chunk in call.chunks)
        if arguments:
            if call.ended:
                raise DecodeError(f"the provider sent more arguments for tool call {call.id!r}, which it had ended")
            call.chunks.append(arguments)
            if call.shown:
                self._events.append(PartDelta(call.index, "tool_call", arguments))

    def end_call(self, call: Call) -> None:
        """A tool call is whole. Calls that the codec does not end are ended with the answer."""
        if call.shown and not call.ended:
            call.ended = True
            self._name(call)
            self._events.append(PartEnd(call.index, call.part()))

    def whole(self, part: MediaPart | ToolResultPart) -> None:
        """A part that comes at once: a file, or the result of a tool that the provider ran."""
        self._require_open()
        self.end_going()
        index = self._next_index()
        self._parts.append(part)
        self._events += (PartStart(index, part), PartEnd(index, part))

    def source(self, source: Source) -> None:
        """A page or a document that the answer is made from."""
        if (key := (source.url, source.title)) not in self._known:
            self._known.add(key)
            self.sources.append(source)

    def finish(self, reason: FinishReason, raw: str) -> None:
        """Why the answer ends. Of several reasons the first counts."""
        if self.finish_reason is None:
            self.finish_reason, self.raw_finish_reason = reason, raw

    def fail(self) -> None:
        """The answer will not be finished."""
        self.state = "failed"

    def end(self) -> None:
        """The answer is whole."""
        self._require_open()
        for call in self.calls:
            self._name(call)
            if not call.name and call.chunks:
                raise DecodeError(f"the provider sent arguments for tool call {call.id!r}, but never its name")
        self.end_going()
        for built in self._parts:
            if isinstance(built, Prose):
                self.end_prose(built)
        response = self._response()
        parts = response.message.parts
        self._events.extend(
            PartEnd(n, part)
            for n, (built, part) in enumerate(zip(self._parts, parts, strict=True))
            if isinstance(built, Call) and not built.ended
        )
        self.state = "done"
        self._events.append(MessageEnd(response))

    @property
    def so_far(self) -> ModelResponse | None:
        """What is known of the answer, whole or not: its parts, its usage, its cost. None before its first fact.

        Made when it is asked for: nothing is kept for it while the answer arrives.
        """
        return self._response() if self._begun else None

    def _response(self) -> ModelResponse:
        parts = tuple(built.part() if isinstance(built, Prose | Call) else built for built in self._parts)
        return ModelResponse(
            Message("assistant", parts),
            self.finish_reason or "other",
            self.raw_finish_reason,
            self.usage,
            self.cost,
            self.id,
            self.model,
            dict(self.metadata),
            sources=tuple(self.sources),
            wire=self.wire,
        )

    def _name(self, call: Call) -> None:
        if not call.id:  # Some servers send none, and the result must name something.
            # Where the answer has no id either, what is called tells one answer from the next.
            known = self.id or "\0".join((call.name, *call.chunks))
            call.id = f"call_{hashlib.sha256(known.encode(errors='replace')).hexdigest()[:12]}_{call.ordinal}"

    def _append(self, kind: ProseKind, delta: str) -> Prose:
        prose = self.going(kind)
        prose.chunks.append(delta)
        self._events.append(PartDelta(prose.index, kind, delta))
        return prose

    def _next_index(self) -> int:
        if len(self._parts) >= MAX_PARTS:
            raise DecodeError(f"the answer has more than {MAX_PARTS} parts")
        return len(self._parts)

    def _require_open(self) -> None:
        if self.state != "open":
            raise DecodeError(f"the provider sent content while the answer was {self.state}")


class _Fragments:
    """An entry of `reasoning_details` under way. Its growing field is joined once, at the end: joining at each
    fragment would cost the square of the length."""

    __slots__ = ("chunks", "entry", "field")

    def __init__(self, entry: dict[str, Any], field: str | None) -> None:
        self.entry = dict(entry)
        self.field = field
        self.chunks: list[str] = [entry[field]] if field and isinstance(entry.get(field), str) else []

    def goes_on_with(self, entry: dict[str, Any]) -> bool:
        """Whether another entry of the same type and index is a fragment of this one: not if this one is signed."""
        ids = (self.entry.get("id"), entry.get("id"))
        return (None in ids or ids[0] == ids[1]) and not self.entry.get("signature")

    def joined(self) -> dict[str, Any]:
        if self.field is None or not self.chunks:
            return dict(self.entry)
        return {**self.entry, self.field: "".join(self.chunks)}


_MERGED_DETAILS = {"reasoning.text": "text", "reasoning.summary": "summary"}
"""The `reasoning_details` that come in fragments, and the field in which the fragments stand."""


def _fragment_field(entry: dict[str, Any]) -> str | None:
    kind = entry.get("type")
    return _MERGED_DETAILS.get(kind) if isinstance(kind, str) else None
