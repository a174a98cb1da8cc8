"""Responses: response bytes to events."""

from __future__ import annotations

import re
from collections import deque
from typing import Any

from ...errors import DecodeError, TruncatedStream
from ...messages import FinishReason, Opaque, ToolResultPart
from .._assembler import MAX_PARTS, Call, Prose, ProseKind
from .._decoder import BaseDecoder, event_object, object_of
from .._json import JSONObject, keep, merge, obj, objs, text
from .._refusals import provider_error
from ._items import (
    CLIENT_OUTPUTS,
    NAME,
    beginning_of,
    call_of,
    citation_of,
    cost_of,
    dumps,
    reasoning_of,
    rest_of,
    results_of,
    source_of,
    sources_of,
    usage_of,
)
from ._parts import Item

PATH = STREAM_PATH = "/responses"
STREAM_TYPE = "text/event-stream"

_REASONS: dict[str, FinishReason] = {
    "max_output_tokens": "length",
    "content_filter": "content_filter",
    "error": "error",
}
"""Why an answer is incomplete."""

_STATUSES = {"response.completed": "completed", "response.incomplete": "incomplete", "response.failed": "failed"}
"""The events that end an answer, and its status then."""

_PIECES: dict[str, ProseKind] = {"output_text": "text", "text": "text", "refusal": "refusal"}
"""The pieces of messages that are known."""

_RESPONSE_KEYS = frozenset({"id", "object", "model", "output", "usage", "status", "error"})
_LAST_KEYS = frozenset({"type", "response", "sequence_number"})
"""What is understood. Everything else that comes is kept in the response's metadata."""

_TOLD_BY_ITEMS = re.compile(
    r"keepalive|response\.(in_progress|queued|reasoning_\w+\.done|\w*(call|list_tools|compaction)\w*\.\w+)"
)
"""Events that say nothing which the item does not say when it is done."""

_MOST_EVENTS = 1000
"""Events of unknown kinds that are kept."""


class Decoder(BaseDecoder):
    """Response bytes in, events out. See `playhead.wire.Decoder`.

    Args:
        origin: the provider that answers, noted on opaque data.
    """

    WIRE = NAME

    def __init__(self, origin: str | None = None) -> None:
        super().__init__(origin)
        self._origin = origin
        self._items: list[Item] = []
        self._by_index: dict[int, Item] = {}
        self._by_id: dict[str, Item] = {}
        self._seen: set[str] = set()
        self._unknown = 0

    def _whole(self, body: Any) -> None:
        response = object_of(body, str(body)[:80], "the answer")
        status = _status(response, "completed")
        if not isinstance(response.get("output"), list):
            shown = dumps(response)[:80]
            raise DecodeError(f"the answer should have a list in `output`, but is {shown!r}")
        self._out.start(text(response.get("id")), text(response.get("model")))
        self._end(response, status)

    def _over(self) -> None:
        what = "its first event" if self._out.state == "idle" else "response.completed, .incomplete or .failed"
        raise TruncatedStream(f"the stream ended before {what}")

    def _event(self, name: bytes, data: bytes) -> None:
        payload = data.strip()
        if not payload:
            return
        if payload == b"[DONE]":
            raise TruncatedStream("the stream ended with [DONE], but without response.completed")
        event = event_object(payload)
        kind = text(event.get("type")) or name.decode("utf-8", "replace")
        if kind == "error" or (event.get("error") and not kind.startswith("response.")):
            raise provider_error(event, 200)
        response = obj(event.get("response"))
        if kind == "response.created" or (self._out.state == "idle" and kind.startswith("response.")):
            self._out.start(text(response.get("id")), text(response.get("model")))
        if kind in _STATUSES:
            keep(self._out.metadata, event, _LAST_KEYS)
            self._end(response, _status(response, _STATUSES[kind]))
            self._out.end()
        elif kind != "response.created":
            self._progress(kind, event)

    def _progress(self, kind: str, event: JSONObject) -> None:
        delta = text(event.get("delta"))
        match kind.removeprefix("response."):
            case "output_item.added":
                self._add(obj(event.get("item")), event.get("output_index"))
            case "output_item.done":
                item = obj(event.get("item"))
                self._done(self._find(event, text(item.get("type")), item), item)
            case "output_text.delta":
                self._more("text", event, delta)
            case "refusal.delta":
                self._more("refusal", event, delta)
            case "content_part.added" | "content_part.done":
                self._piece(event, obj(event.get("part")), kind.endswith("done"))
            case "output_text.annotation.added":
                self._cite(self._prose("text", event), [obj(event.get("annotation"))])
            case "output_text.done" | "refusal.done":
                pass  # The piece of content says the same, and more.
            case "reasoning_summary_text.delta" | "reasoning_summary_part.added":
                self._think(self._reasoning(event), "summary", _index(event, "summary_index"), delta)
            case "reasoning_text.delta":
                self._think(self._reasoning(event), "content", _index(event, "content_index"), delta)
            case "function_call_arguments.delta":
                self._out.call(self._function(event), "", "", delta)
            case "function_call_arguments.done":
                self._complete(self._function(event), event.get("arguments"))
            case _:
                self._keep(kind, event)

    def _keep(self, kind: str, event: JSONObject) -> None:
        """Events of unknown kinds are kept, but not without end."""
        if not _TOLD_BY_ITEMS.fullmatch(kind) and self._unknown < _MOST_EVENTS:
            self._unknown += 1
            merge(self._out.metadata, "events", [event])

    # Items

    def _find(self, event: JSONObject, kind: str, item: JSONObject | None = None) -> Item:
        """The item that an event is about: by its place, since some servers change ids, then by its id."""
        index = event.get("output_index")
        id = text((item or event).get("id" if item else "item_id"))
        found = self._by_index.get(index) if isinstance(index, int) and not isinstance(index, bool) else None
        if found is None or found.kind != kind:
            found = self._by_id.get(id)
        if found is None and index is None and not id and self._items:
            found = self._items[-1]
        if found is None or found.kind != kind:
            found = self._add(item or {"type": kind, "id": id}, index)
        return found

    def _add(self, item: JSONObject, index: object) -> Item:
        if len(self._items) >= MAX_PARTS:
            raise DecodeError(f"the answer has more than {MAX_PARTS} items")
        kind, id = text(item.get("type")), text(item.get("id"))
        added = Item(kind, item)
        self._items.append(added)
        if isinstance(index, int) and not isinstance(index, bool):
            self._by_index[index] = added
        if id:
            self._by_id[id] = added
        match kind:
            case "reasoning":
                added.prose[0] = self._out.open_prose("reasoning", {"id": id} if id else {})
            case "function_call":
                call = self._call_of(added)
                call.data.update(rest_of(item, "status"))
                self._out.call(call, text(item.get("call_id")), text(item.get("name")), "")
            case _ if (said := call_of(item)) and said.name:
                added.call = self._out.open_call(provider_executed=said.hosted)
                added.call.data["item"] = beginning_of(item)
                self._out.call(added.call, said.id, said.name, "")
            case _:
                pass  # A message begins with its first piece; the others come when they are whole.
        return added

    def _done(self, found: Item, item: JSONObject) -> None:
        if found.done:
            return
        found.done = True
        match found.kind:
            case "message":
                self._message(found, item)
            case "reasoning":
                self._reasoned(found, item)
            case "function_call":
                self._called(found, item)
            case "":
                raise DecodeError(f"an item of the answer has no `type`: {dumps(item)[:80]}")
            case _:
                self._other(found, item)

    def _message(self, found: Item, item: JSONObject) -> None:
        """The pieces of a message end with it: what it says of all of them comes last."""
        for n, piece in enumerate(objs(item.get("content"))):
            if n not in found.whole:
                self._whole_piece(found, n, piece)
        for prose in found.prose.values():
            prose.data.update(rest_of(item))
            self._out.end_prose(prose)

    def _reasoned(self, found: Item, item: JSONObject) -> None:
        prose = found.prose[0]
        if not prose.chunks:
            for n, piece in enumerate(reasoning_of(item)):
                self._think(found, "whole", n, piece)
        prose.data.update({key: value for key, value in item.items() if value is not None and key != "type"})
        self._out.end_prose(prose)

    def _called(self, found: Item, item: JSONObject) -> None:
        call = self._call_of(found)
        call.data.clear()
        call.data.update(rest_of(item))
        id = text(item.get("call_id")) or ("" if call.id else text(item.get("id")))
        self._out.call(call, id, text(item.get("name")), "")
        self._complete(call, item.get("arguments"))
        self._out.end_call(call)

    def _other(self, found: Item, item: JSONObject) -> None:
        """An item that goes back as it came."""
        if (said := call_of(item)) and said.name:
            call = found.call or self._out.open_call(provider_executed=said.hosted)
            call.data["item"] = item
            self._out.call(call, said.id, said.name, said.arguments)
            self._out.end_call(call)
            for part in results_of(item, self._origin):
                self._out.whole(part)
            for source in sources_of(item):
                self._once(dumps(source.raw), source)
        elif found.kind in CLIENT_OUTPUTS or found.kind.endswith("_output"):
            output, id = item.get("output"), text(item.get("call_id")) or text(item.get("id"))
            words = output if isinstance(output, str) else "" if output is None else dumps(output)
            opaque = Opaque(NAME, {"item": item}, self._origin)
            self._out.whole(ToolResultPart(id, found.kind.removesuffix("_output"), words, opaque=opaque))
        else:
            self._out.end_prose(self._out.open_prose("reasoning", {"item": item}))

    # Pieces of messages

    def _prose(self, kind: ProseKind, event: JSONObject) -> Prose:
        """The piece of a message that an event is about; a new one, if it comes unannounced."""
        return self._open(self._find(event, "message"), _index(event, "content_index"), kind)

    def _open(self, found: Item, n: int, kind: ProseKind) -> Prose:
        if n not in found.prose:
            found.prose[n] = self._out.open_prose(kind, rest_of(found.fields, "status"))
        return found.prose[n]

    def _more(self, kind: ProseKind, event: JSONObject, delta: str) -> None:
        self._out.more(self._prose(kind, event), delta)

    def _piece(self, event: JSONObject, piece: JSONObject, whole: bool) -> None:
        """A piece that is announced or whole; what of it is unknown says the item when it is done."""
        kind = piece.get("type")
        if isinstance(kind, str) and kind in _PIECES:
            found, n = self._find(event, "message"), _index(event, "content_index")
            self._open(found, n, _PIECES[kind])
            if whole and n not in found.whole:
                self._whole_piece(found, n, piece)
        elif kind == "reasoning_text" and not whole:
            self._think(self._reasoning(event), "content", _index(event, "content_index"), "")

    def _whole_piece(self, found: Item, n: int, piece: JSONObject) -> None:
        found.whole.add(n)
        kind = piece.get("type")
        if not isinstance(kind, str) or kind not in _PIECES:
            merge(self._out.metadata, "unknown_content", [piece])
            return
        prose = self._open(found, n, _PIECES[kind])
        if prose.ended:
            return
        self._out.more(prose, _rest(prose.chunks, text(piece.get("text")) or text(piece.get("refusal"))))
        self._cite(prose, objs(piece.get("annotations"))[len(prose.citations) :])
        if logprobs := objs(piece.get("logprobs")):
            prose.data["logprobs"] = logprobs
        if fields := rest_of(piece, "text", "refusal", "annotations", "logprobs", "status"):
            prose.data["fields"] = fields

    def _cite(self, prose: Prose, annotations: list[JSONObject]) -> None:
        for annotation in annotations:
            prose.citations.append(citation_of(annotation, self._origin))
            if source := source_of(annotation):
                self._once(dumps(annotation), source)

    def _once(self, key: str, source: Any) -> None:
        """A source, once. The assembler would look through all of them for each."""
        if key not in self._seen:
            self._seen.add(key)
            self._out.sources.append(source)

    # Reasoning and calls

    def _reasoning(self, event: JSONObject) -> Item:
        return self._find(event, "reasoning")

    def _function(self, event: JSONObject) -> Call:
        return self._call_of(self._find(event, "function_call"))

    def _call_of(self, found: Item) -> Call:
        if found.call is None:
            found.call = self._out.open_call()
        return found.call

    def _think(self, found: Item, field: str, n: int, delta: str) -> None:
        """More of a reasoning item. A line end stands between its pieces."""
        prose = found.prose[0]
        if prose.ended:
            raise DecodeError("the provider sent more reasoning for an item that it had ended")
        if found.last not in (None, (field, n)) and prose.chunks:
            self._out.more(prose, "\n")
        found.last = (field, n)
        self._out.more(prose, delta)

    def _complete(self, call: Call, arguments: object) -> None:
        """What of a call's arguments was not streamed."""
        if arguments is not None and not isinstance(arguments, str):
            arguments = dumps(arguments)  # Some servers send the object itself.
        if not call.ended and arguments:
            self._out.call(call, "", "", _rest(call.chunks, arguments))

    # The end

    def _end(self, response: JSONObject, status: str) -> None:
        out = self._out
        out.start(text(response.get("id")), text(response.get("model")))
        self._rest_of_output(objs(response.get("output")))
        if usage := obj(response.get("usage")):
            out.usage, out.cost = usage_of(usage), cost_of(usage)
        keep(out.metadata, response, _RESPONSE_KEYS)
        out.finish(self._finish(response, status), status)

    def _finish(self, response: JSONObject, status: str) -> FinishReason:
        if status == "incomplete":
            return _REASONS.get(text(obj(response.get("incomplete_details")).get("reason")), "other")
        if status != "completed":
            return "other"
        return "tool_calls" if any(not call.provider_executed for call in self._out.calls) else "stop"

    def _rest_of_output(self, output: list[JSONObject]) -> None:
        """Items that were not streamed, or not to their end. Those that were count as they were then."""
        streamed, by_index = list(self._items), dict(self._by_index)
        named = {id for item in output if (id := text(item.get("id")))}
        by_id: dict[str, deque[Item]] = {}
        for found in streamed:
            by_id.setdefault(text(found.fields.get("id")), deque()).append(found)
        for n, item in enumerate(output):
            id = text(item.get("id"))
            if id and by_id.get(id):  # Each counts once: there are servers that give all items one id.
                found = by_id[id].popleft()
            else:  # It is the one at its place, unless that is another of this list.
                found = by_index.get(n) or (streamed[n] if n < len(streamed) else None)
                if found is None or text(found.fields.get("id")) in named:
                    found = self._add(item, None)
            if found.kind == text(item.get("type")):
                self._done(found, item)


def _status(response: JSONObject, otherwise: str) -> str:
    """The status of an answer that is over.

    Raises:
        ProviderError: it failed.
        DecodeError: it is not over.
    """
    status = text(response.get("status")) or otherwise
    if response.get("error") or status == "failed":
        error = response.get("error") or {"message": "the answer failed, and it is not said why"}
        raise provider_error({"error": error}, 200)
    if status in ("queued", "in_progress"):
        raise DecodeError(f"the answer is not finished: its status is {status!r}. Ask without `background`")
    return status


def _index(event: JSONObject, name: str) -> int:
    value = event.get(name)
    return value if isinstance(value, int) else 0


def _rest(chunks: list[str], whole: str) -> str:
    """What of a text was not streamed. Where the two differ, the streamed one counts."""
    so_far = "".join(chunks)
    return whole[len(so_far) :] if whole.startswith(so_far) else ""
