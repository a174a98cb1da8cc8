"""
Builds the events and the final response: the only writer of events, and the only state machine.

A codec reports facts in whatever order its provider sends them; the assembler turns them into the grammar of
`playhead.events`. Text, refusal and reasoning follow one another, so that one of them ends when something else
begins; tool calls may interleave, so that they stay open until the answer ends.

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
    FinishReason,
    Message,
    ModelResponse,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    Usage,
)

_MERGED_DETAILS = {"reasoning.text": "text", "reasoning.summary": "summary"}
"""The `reasoning_details` that come in fragments, and the field in which the fragments stand."""


class _Prose:
    """A text, refusal or reasoning part under way."""

    __slots__ = ("chunks", "details", "field", "index", "kind", "origin")

    def __init__(self, index: int, kind: Literal["text", "refusal", "reasoning"], origin: str | None) -> None:
        self.index = index
        self.kind = kind
        self.origin = origin
        self.chunks: list[str] = []
        self.details: list[_Fragments] = []
        self.field: str | None = None

    def part(self) -> Part:
        joined = "".join(self.chunks)
        if self.kind == "text":
            return TextPart(joined)
        if self.kind == "refusal":
            return RefusalPart(joined)
        return ReasoningPart(joined, tuple(entry.joined() for entry in self.details), self.field, self.origin)


class Call:
    """A tool call under way. A codec finds it again by whatever its provider names it with."""

    __slots__ = ("chunks", "id", "index", "name", "shown")

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.chunks: list[str] = []
        self.index = -1
        self.shown = False

    def is_whole(self) -> bool:
        """Whether the arguments so far are JSON."""
        try:
            msgspec.json.decode("".join(self.chunks), type=msgspec.Raw)
        except (ValueError, RecursionError):
            return False
        return True

    def part(self) -> ToolCallPart:
        return ToolCallPart(self.id, self.name, "".join(self.chunks))


class Assembler:
    """One answer, from its first fact to its last.

    Args:
        origin: the provider that answers, noted on opaque reasoning data.
    """

    def __init__(self, origin: str | None = None) -> None:
        self.state: Literal["idle", "open", "done", "failed"] = "idle"
        self.id = ""
        self.model = ""
        self.usage: Usage | None = None
        self.cost: float | None = None
        self.finish_reason: FinishReason | None = None
        self.raw_finish_reason: str | None = None
        self.metadata: dict[str, Any] = {}
        self.calls: list[Call] = []
        self._origin = origin
        self._details: dict[tuple[str | None, str], _Fragments] = {}
        self._prose: _Prose | None = None
        self._parts: list[_Prose | Call] = []
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
            self.state = "open"
            self._events.append(MessageStart(id, model))

    def text(self, delta: str) -> None:
        """More text."""
        self._append("text", delta)

    def refusal(self, delta: str) -> None:
        """More of a refusal."""
        self._append("refusal", delta)

    def reasoning(self, delta: str, field: str | None = None) -> None:
        """More readable reasoning, and the wire format's field in which it stood."""
        prose = self._append("reasoning", delta)
        prose.field = field or prose.field

    def reasoning_detail(self, entry: dict[str, Any]) -> None:
        """One entry of `reasoning_details`; a fragment of an earlier one is joined to it."""
        field = _fragment_field(entry)
        key = (field, str(entry.get("index")))
        earlier = self._details.get(key) if field else None
        if earlier is None or not earlier.goes_on_with(entry):
            fragments = self._details[key] = _Fragments(entry, field)
            self._open("reasoning").details.append(fragments)
            return
        for key, value in entry.items():
            if key == field and isinstance(value, str):
                earlier.chunks.append(value)
            elif value is not None and key != field:
                earlier.entry[key] = value

    def open_call(self) -> Call:
        """A new tool call."""
        self._require_open()
        call = Call()
        self.calls.append(call)
        return call

    def call(self, call: Call, id: str, name: str, arguments: str) -> None:
        """More of a tool call. It is shown as soon as its name is known."""
        self._require_open()
        call.id = call.id or id
        call.name = call.name or name
        if not call.shown and call.name:
            self._close_prose()
            call.shown, call.index = True, len(self._parts)
            self._parts.append(call)
            self._events.append(PartStart(call.index, ToolCallPart(call.id, call.name)))
            self._events.extend(PartDelta(call.index, "tool_call", chunk) for chunk in call.chunks)
        if arguments:
            call.chunks.append(arguments)
            if call.shown:
                self._events.append(PartDelta(call.index, "tool_call", arguments))

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
        for n, call in enumerate(self.calls):
            if not call.id:  # Some servers send none, and the result must name something.
                call.id = f"call_{hashlib.sha256(self.id.encode()).hexdigest()[:12]}_{n}"
            if not call.name and call.chunks:
                raise DecodeError(f"the provider sent arguments for tool call {call.id!r}, but never its name")
        self._close_prose()
        parts = [(built, built.part()) for built in self._parts]
        self._events.extend(PartEnd(built.index, part) for built, part in parts if isinstance(built, Call))
        self.state = "done"
        response = ModelResponse(
            Message("assistant", tuple(part for _, part in parts)),
            self.finish_reason or "other",
            self.raw_finish_reason,
            self.usage,
            self.cost,
            self.id,
            self.model,
            self.metadata,
        )
        self._events.append(MessageEnd(response))

    def _append(self, kind: Literal["text", "refusal", "reasoning"], delta: str) -> _Prose:
        prose = self._open(kind)
        prose.chunks.append(delta)
        self._events.append(PartDelta(prose.index, kind, delta))
        return prose

    def _open(self, kind: Literal["text", "refusal", "reasoning"]) -> _Prose:
        prose = self._prose
        if prose is not None and prose.kind == kind:
            return prose
        self._require_open()
        self._close_prose()
        prose = self._prose = _Prose(len(self._parts), kind, self._origin)
        self._parts.append(prose)
        self._events.append(PartStart(prose.index, prose.part()))
        return prose

    def _close_prose(self) -> None:
        if (prose := self._prose) is not None:
            self._prose = None
            self._events.append(PartEnd(prose.index, prose.part()))

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


def _fragment_field(entry: dict[str, Any]) -> str | None:
    kind = entry.get("type")
    return _MERGED_DETAILS.get(kind) if isinstance(kind, str) else None
