"""The other half of the Responses wire format: events as a stream of its events, or as one body; and refusals."""

from __future__ import annotations

import base64
import hashlib
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
    Usage,
)
from .._history import issuer, own, stayed_home
from .._json import JSONObject, obj, text
from .._report import Report
from ._errors import error_object
from ._input import annotation_of, input_of
from ._items import CUSTOM, NAME, beginning_of, dumps, own_item

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter", "error": "error"}
_SKELETON: JSONObject = {"object": "response", "created_at": 0, "parallel_tool_calls": True} | {
    "tool_choice": "auto",
    "tools": [],
}
"""What clients look for in every answer."""

_NULLS: JSONObject = dict.fromkeys(("error", "incomplete_details", "instructions", "temperature", "top_p"))
_STREAMED = {"text": "output_text", "refusal": "refusal"}
_OWN_FIELDS = frozenset({"id", "logprobs", "fields", "status", "item"})


class _Item:
    """An item of the answer that is being written.

    Attributes:
        index: its place in the output.
        named: whether its issuer gave it the id.
        parts: of a message, the indexes of its parts, and the place of each there.
        open: those of them that are not whole.
        summaries: of reasoning, the pieces that are whole.
        going: of reasoning, what there is of the piece under way; None where there is none.
        done: as it stands in the answer; None while it is not whole.
    """

    __slots__ = ("done", "going", "id", "index", "kind", "named", "open", "parts", "summaries")

    def __init__(self, index: int, kind: str, id: str, named: bool) -> None:
        self.index = index
        self.kind = kind
        self.id = id
        self.named = named
        self.parts: dict[int, int] = {}
        self.open: set[int] = set()
        self.summaries: list[str] = []
        self.going: list[str] | None = None
        self.done: JSONObject | None = None


class Encoder:
    """Events in, response bytes out. See `playhead.wire.Encoder`.

    What came in this format goes out in the same terms, item by item. Else ids of items are made up, and opaque data
    is left out and reported.

    Args:
        stream: whether the answer is a stream of events, or one body.
    """

    def __init__(self, stream: bool) -> None:
        self._stream = stream
        self._report = Report(NAME)
        self._id = self._model = ""
        self._sequence = 0
        self._out: list[bytes] = []
        self._items: list[_Item] = []
        self._of_part: dict[int, _Item] = {}
        self._parts: dict[int, Part] = {}
        self._message: _Item | None = None

    @property
    def losses(self) -> tuple[str, ...]:
        """What could not be said so far."""
        return self._report.losses

    def send(self, event: MessageEvent) -> bytes:
        """The bytes that say this event. See `playhead.wire.Encoder`."""
        match event:
            case MessageStart():
                self._begin(event)
            case MessageEnd():
                return self._end(event.response)
            case _ if not self._stream:
                pass  # The last event holds it all.
            case PartStart():
                self._start(event.index, event.part)
            case PartDelta():
                self._delta(event)
            case PartEnd():
                self._stop(event.index, event.part)
        return self._take()

    def fail(self, error: PlayheadError) -> bytes:
        """The event that ends a stream which breaks off; nothing where the answer is one body."""
        if not self._stream:
            return b""
        said = error_object(error)
        if not self._id:
            self._say("error", code=said["code"], message=said["message"], param=None)
        else:
            failed = self._response("failed") | {"error": {"code": said["code"] or "server_error"}}
            failed["error"]["message"] = said["message"]
            self._say("response.failed", response=failed)
        return self._take()

    def _take(self) -> bytes:
        out, self._out = self._out, []
        return b"".join(out) if self._stream else b""

    def _say(self, kind: str, **fields: Any) -> None:
        if self._stream:
            body = dumps({"type": kind, **fields, "sequence_number": self._sequence})
            self._out.append(f"event: {kind}\ndata: {body}\n\n".encode())
            self._sequence += 1

    # The answer

    def _begin(self, event: MessageStart) -> None:
        self._id, self._model = event.id, event.model
        self._say("response.created", response=self._response("in_progress"))
        self._say("response.in_progress", response=self._response("in_progress"))

    def _response(self, status: str) -> JSONObject:
        output = [item.done for item in self._items if item.done is not None]
        head = {"id": self._id, "status": status, "model": self._model, "output": output}
        return _SKELETON | _NULLS | head | {"usage": None}

    def _end(self, response: ModelResponse) -> bytes:
        for n, part in enumerate(response.message.parts):
            self._parts[n] = part
            if not self._stream:
                self._start(n, part)
                self._stop(n, part)
        self._finish_message()
        if self._id and response.id and response.id != self._id:
            self._report.lost(f"the answer's id {response.id!r} came too late")
        self._id, self._model = self._id or response.id, response.model or self._model
        body = self._own(response) if response.wire == NAME else self._foreign(response)
        kind = "response.incomplete" if body["status"] == "incomplete" else "response.completed"
        self._say(kind, response=body)
        return self._take() if self._stream else _json(body)

    def _own(self, response: ModelResponse) -> JSONObject:
        """An answer that came in this format: all that it said beside its items stands in the metadata."""
        status = response.raw_finish_reason or "completed"
        body = self._response(status) | {"usage": _own_usage(response.usage)}
        for name in _SKELETON.keys() - {"object"}:
            body.pop(name)
        return body | response.metadata

    def _foreign(self, response: ModelResponse) -> JSONObject:
        reason = response.finish_reason
        calls = any(not call.provider_executed for call in response.tool_calls)
        if reason in ("stop", "tool_calls"):
            if (reason == "tool_calls") != calls:
                self._report.lost(f"the finish reason {reason!r}: whether there are calls says it here")
            body = self._response("completed")
        else:
            why = _INCOMPLETE.get(reason) or response.raw_finish_reason or "other"
            body = self._response("incomplete") | {"incomplete_details": {"reason": why}}
        if response.usage is not None or response.cost is not None:
            body["usage"] = _usage(response.usage or Usage(), response.cost)
        if response.metadata:
            what = ", ".join(sorted(response.metadata))
            self._report.lost(f"what {response.wire or 'the provider'} said beside the answer was left out: {what}")
        parts = [part for part in response.message.parts if isinstance(part, TextPart)]
        cited = {citation.url for part in parts for citation in part.citations}
        if any(source.url is None or source.url not in cited for source in response.sources):
            self._report.lost("sources that no text cites were left out")
        return body

    # Parts

    def _start(self, index: int, part: Part) -> None:
        self._parts[index] = part
        data = own(part.opaque, NAME, None) or {}
        match part:
            case TextPart() | RefusalPart():
                self._start_words(index, part, data)
            case ReasoningPart() if "item" in data:
                self._open(index, text(obj(data["item"]).get("type")), "")
            case ReasoningPart():
                self._start_reasoning(index, data)
            case ToolCallPart() if item := own_item(data):
                kind = text(item.get("type"))
                found = self._open(index, kind, text(item.get("id")))
                self._say("response.output_item.added", item=_begun(item), output_index=found.index)
            case ToolCallPart() if part.id and not part.provider_executed:
                self._start_call(index, part, data)
            case _:
                pass  # What comes at once is said when it is whole; and so is a call whose id comes late.

    def _open(self, index: int, kind: str, id: str) -> _Item:
        self._finish_message()
        prefix = {"message": "msg", "reasoning": "rs", "function_call": "fc"}.get(kind, "item")
        n = len(self._items)
        made = hashlib.sha256(f"{self._id} {n}".encode()).hexdigest()[:40]
        item = _Item(n, kind, id or f"{prefix}_{made}", bool(id))
        self._items.append(item)
        self._of_part[index] = item
        return item

    def _stop(self, index: int, part: Part) -> None:
        self._parts[index] = part
        data, item = own(part.opaque, NAME, None), self._of_part.get(index)
        match part:
            case TextPart() | RefusalPart() if item:
                self._stop_words(index, item, part, data)
            case ReasoningPart() | ToolCallPart() if item and (whole := own_item(data)):
                self._stop_whole(item, part, whole)
            case ReasoningPart() if item:
                self._stop_reasoning(item, part, data)
            case ToolCallPart() if item:
                self._stop_call(item, part, data)
            case ToolCallPart() if not part.provider_executed:
                self._start_call(index, part, data or {})
                self._delta(PartDelta(index, "tool_call", part.arguments))
                self._stop_call(self._of_part[index], part, data)
            case MediaPart() | ToolResultPart() if data is not None:
                if whole := own_item(data):
                    self._stop_whole(self._open(index, text(whole.get("type")), ""), part, whole)
            case MediaPart() if part.data is not None and part.media_type.startswith("image/"):
                self._image(index, part, part.data)
            case _:
                stayed_home(part, self._report)

    def _delta(self, event: PartDelta) -> None:
        item = self._of_part.get(event.index)
        if item is None or own_item(own(self._parts[event.index].opaque, NAME, None)):
            return
        place: JSONObject = {"item_id": item.id, "output_index": item.index}
        match event.kind:
            case "text" | "refusal":
                kind = _STREAMED[event.kind]
                place["content_index"] = item.parts[event.index]
                more: JSONObject = {"logprobs": []} if event.kind == "text" else {}
                self._say(f"response.{kind}.delta", **place, delta=event.delta, **more)
            case "reasoning":
                self._think(item, event.delta)
            case "tool_call":
                self._say("response.function_call_arguments.delta", **place, delta=event.delta)

    # Messages

    def _start_words(self, index: int, part: TextPart | RefusalPart, data: JSONObject) -> None:
        """Texts of one message stay together: those with one id, or those without one that follow one another."""
        id, item = text(data.get("id")), self._message
        if item is None or id != (item.id if item.named else ""):
            item = self._open(index, "message", id)
            self._message = item
            begun: JSONObject = {"type": "message", "id": item.id, "role": "assistant", "content": []}
            begun["status"] = "in_progress"
            self._say("response.output_item.added", item=_rest(data) | begun, output_index=item.index)
        self._of_part[index] = item
        item.parts[index] = len(item.parts)
        item.open.add(index)
        piece = RefusalPart() if isinstance(part, RefusalPart) else TextPart()
        place = {"item_id": item.id, "output_index": item.index, "content_index": len(item.parts) - 1}
        self._say("response.content_part.added", **place, part=_piece(piece, self._report))

    def _stop_words(self, index: int, item: _Item, part: TextPart | RefusalPart, data: JSONObject | None) -> None:
        if data is None and part.opaque is not None:
            self._left_out(part)
        piece, n = _piece(part, self._report), item.parts[index]
        place = {"item_id": item.id, "output_index": item.index, "content_index": n}
        if isinstance(part, RefusalPart):
            self._say("response.refusal.done", **place, refusal=part.text)
        else:
            for at, annotation in enumerate(piece["annotations"]):
                self._say(
                    "response.output_text.annotation.added", **place, annotation_index=at, annotation=annotation
                )
            self._say("response.output_text.done", **place, text=part.text, logprobs=piece["logprobs"])
        self._say("response.content_part.done", **place, part=piece)
        item.open.discard(index)
        if item is not self._message:
            self._finish(item)

    def _finish_message(self) -> None:
        """A message is whole when another item begins: its texts may be several."""
        item, self._message = self._message, None
        if item is not None:
            self._finish(item)

    def _finish(self, item: _Item) -> None:
        if item.open or item.done is not None:
            return  # One of its texts goes on beside the item that begins.
        parts = [part for n in item.parts if isinstance(part := self._parts[n], TextPart | RefusalPart)]
        data = own(parts[-1].opaque, NAME, None) or {}
        head = {"type": "message", "id": item.id, "role": "assistant", "status": data.get("status") or "completed"}
        self._done(item, _rest(data) | head | {"content": [_piece(part, self._report) for part in parts]})

    # Reasoning and calls

    def _start_reasoning(self, index: int, data: JSONObject) -> None:
        item = self._open(index, "reasoning", text(data.get("id")))
        begun: JSONObject = {"type": "reasoning", "id": item.id, "summary": []}
        self._say("response.output_item.added", item=begun, output_index=item.index)

    def _think(self, item: _Item, delta: str) -> None:
        """More reasoning. A line end of its own stands between two summaries."""
        between = delta == "\n" and item.going is not None
        if between:
            self._end_summary(item)
        place = {"item_id": item.id, "output_index": item.index, "summary_index": len(item.summaries)}
        if item.going is None:
            item.going = []
            begun = {"type": "summary_text", "text": ""}
            self._say("response.reasoning_summary_part.added", **place, part=begun)
        if not between:
            item.going.append(delta)
            self._say("response.reasoning_summary_text.delta", **place, delta=delta)

    def _end_summary(self, item: _Item) -> None:
        place = {"item_id": item.id, "output_index": item.index, "summary_index": len(item.summaries)}
        whole = "".join(item.going or ())
        self._say("response.reasoning_summary_text.done", **place, text=whole)
        self._say("response.reasoning_summary_part.done", **place, part={"type": "summary_text", "text": whole})
        item.going = None
        item.summaries.append(whole)

    def _stop_reasoning(self, item: _Item, part: ReasoningPart, data: JSONObject | None) -> None:
        if item.going is not None:
            self._end_summary(item)
        if data is None:
            if part.opaque is not None:
                self._left_out(part)
            pieces = item.summaries or ([part.text] if part.text else [])
            data = {"summary": [{"type": "summary_text", "text": piece} for piece in pieces]}
        self._done(item, {"type": "reasoning", "id": item.id} | data)

    def _start_call(self, index: int, part: ToolCallPart, data: JSONObject) -> None:
        item = self._open(index, "function_call", text(data.get("id")))
        head = {"type": "function_call", "id": item.id, "call_id": part.id, "name": part.name}
        self._say(
            "response.output_item.added",
            item=_rest(data) | head | {"arguments": "", "status": "in_progress"},
            output_index=item.index,
        )

    def _stop_call(self, item: _Item, part: ToolCallPart, data: JSONObject | None) -> None:
        if data is None and part.opaque is not None:
            self._left_out(part)
        # Clients of this format read arguments as JSON; what came in it goes out as it was.
        arguments = part.arguments or ("" if data else "{}")
        place = {"item_id": item.id, "output_index": item.index}
        self._say("response.function_call_arguments.done", **place, name=part.name, arguments=arguments)
        head = {"type": "function_call", "id": item.id, "call_id": part.id, "name": part.name}
        status = (data or {}).get("status") or "completed"
        self._done(item, _rest(data or {}) | head | {"arguments": arguments, "status": status})

    def _stop_whole(self, item: _Item, part: Part, whole: JSONObject) -> None:
        """An item that came as it is: only a custom tool's input is said apart."""
        if not isinstance(part, ToolCallPart):
            self._say("response.output_item.added", item=whole, output_index=item.index)
        elif whole.get("type") == CUSTOM:
            place = {"item_id": item.id, "output_index": item.index}
            words = input_of(part.arguments)
            self._say("response.custom_tool_call_input.delta", **place, delta=words)
            self._say("response.custom_tool_call_input.done", **place, input=words)
        self._done(item, whole)

    def _image(self, index: int, part: MediaPart, data: bytes) -> None:
        """An image that another format's model made: here they come from a tool."""
        item = self._open(index, "image_generation_call", "")
        result, form = base64.b64encode(data).decode(), part.media_type.removeprefix("image/")
        whole = {"type": item.kind, "id": item.id, "status": "completed", "output_format": form, "result": result}
        self._say("response.output_item.added", item=_begun(whole), output_index=item.index)
        self._done(item, whole)

    def _done(self, item: _Item, whole: JSONObject) -> None:
        item.done = whole
        self._say("response.output_item.done", item=whole, output_index=item.index)

    def _left_out(self, part: Part) -> None:
        what = part.__struct_config__.tag
        self._report.lost(f"data of {issuer(part.opaque)} that only it understands was left out, of its {what}")


def _begun(item: JSONObject) -> JSONObject:
    return beginning_of(item) | {"status": "in_progress"}


def _rest(data: JSONObject) -> JSONObject:
    return {key: value for key, value in data.items() if key not in _OWN_FIELDS}


def _piece(part: TextPart | RefusalPart, report: Report) -> JSONObject:
    data = own(part.opaque, NAME, None) or {}
    if isinstance(part, RefusalPart):
        return {"type": "refusal", "refusal": part.text} | obj(data.get("fields"))
    annotations = [found for it in part.citations if (found := annotation_of(it, None, report))]
    body: JSONObject = {"type": "output_text", "text": part.text, "annotations": annotations}
    body["logprobs"] = data.get("logprobs") or []
    return body | obj(data.get("fields"))


def _own_usage(usage: Usage | None) -> JSONObject | None:
    return None if usage is None else usage.raw or _usage(usage, None)


def _usage(usage: Usage, cost: float | None) -> JSONObject:
    """The usage object made from neutral counts. What is not known is left out."""
    given = {"cached_tokens": usage.cache_read_tokens, "cache_write_tokens": usage.cache_write_tokens}
    made = {"reasoning_tokens": usage.reasoning_tokens}
    body: JSONObject = {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": _known(given),
        "output_tokens": usage.output_tokens,
        "output_tokens_details": _known(made),
        "total_tokens": usage.total_tokens,
        "cost": cost,
    }
    return _known(body)


def _known(fields: JSONObject) -> JSONObject:
    return {name: value for name, value in fields.items() if value is not None}


def _json(body: JSONObject) -> bytes:
    return dumps(body).encode()
