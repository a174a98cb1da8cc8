"""What both kinds of answers, streamed and whole, are made of in chat completions."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from ...messages import (
    Citation,
    MediaPart,
    ModelResponse,
    Opaque,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from .._history import issuer
from .._json import JSONObject, obj, objs
from .._report import Report
from ._names import CHOICE_KEYS, CHUNK_KEYS, IN_CHOICE, IN_DELTA, NAME, SEARCHED

_WORDS = {"other": "stop"}
"""Finish reasons for which chat completions have no word, and what stands for them."""


class Metadata:
    """The fields that an answer of this format had beside what is understood, each put where it stood.

    Attributes:
        chunk: in the body, or in a chunk of the stream.
        choice: in the choice.
        delta: in the message, or in a delta.
    """

    def __init__(self, response: ModelResponse, report: Report) -> None:
        self.chunk: JSONObject = {}
        self.choice: JSONObject = {}
        self.delta: JSONObject = {}
        own = response.wire == NAME
        if response.metadata and not own:
            report.lost(f"fields of the provider's own were left out: {', '.join(response.metadata)}")
        raw = response.usage.raw if response.usage else {}
        for key, value in response.metadata.items() if own else ():
            if key in raw and raw[key] == value:
                continue  # What is said of money stands in the usage.
            self._place(key, value)
        if not own:
            self._foreign(response)

    def _place(self, key: str, value: object) -> None:
        """Put a field where it is not taken for something else, and where it usually stands, if that is so."""
        if key in IN_DELTA and value:
            self.delta[key] = value
        elif key in SEARCHED or (key not in IN_CHOICE and key not in CHUNK_KEYS):
            self.chunk[key] = value
        elif key not in CHOICE_KEYS:
            self.choice[key] = value
        else:
            self.delta[key] = value

    def _foreign(self, response: ModelResponse) -> None:
        if response.raw_finish_reason and response.raw_finish_reason != response.finish_reason:
            self.choice["native_finish_reason"] = response.raw_finish_reason
        cited = {citation.url for citation in response.message.citations}
        found = [
            {key: value for key, value in (("url", source.url), ("title", source.title)) if value is not None}
            for source in response.sources
            if source.url is not None and source.url not in cited
        ]
        if found:
            self.chunk["search_results"] = found


def finish_reason(response: ModelResponse, report: Report) -> str:
    """Why the answer ended, in the provider's word if it is one of this format."""
    if response.wire == NAME and response.raw_finish_reason:
        return response.raw_finish_reason
    if response.finish_reason in _WORDS:
        why = response.raw_finish_reason or response.finish_reason
        report.lost(f"the finish reason {why!r} has no word in chat completions: 'stop' was sent")
    return _WORDS.get(response.finish_reason, response.finish_reason)


def usage_object(response: ModelResponse) -> JSONObject:
    """The token counts and the cost; what is not known is left out."""
    usage = response.usage or Usage()
    if response.wire == NAME and usage.raw:
        return usage.raw
    given, made, total, thought = usage.input_tokens, usage.output_tokens, usage.total_tokens, usage.reasoning_tokens
    if given is not None and made is not None and (total is None or total == given + made + (thought or 0)):
        total = given + made  # In this format reasoning is a part of the output.
    said = {
        "prompt_tokens": given,
        "completion_tokens": made,
        "total_tokens": total,
        "prompt_tokens_details": _known(
            {"cached_tokens": usage.cache_read_tokens, "cache_write_tokens": usage.cache_write_tokens}
        ),
        "completion_tokens_details": _known({"reasoning_tokens": thought}),
        "cost": response.cost,
    }
    return _known(said) or {}


def _known(fields: dict[str, Any]) -> dict[str, Any] | None:
    return {key: value for key, value in fields.items() if value is not None} or None


def data_of(part: Part, report: Report) -> dict[str, Any]:
    """What a part's issuer wants back with it, if it speaks this format; else it is a loss."""
    opaque: Opaque | None = part.opaque
    if opaque is None:
        return {}
    if opaque.wire != NAME:
        what = {"tool_call": "tool call"}.get(kind := str(part.__struct_config__.tag), kind)
        report.lost(f"what {issuer(opaque)} wants back with its {what} was left out")
        return {}
    return opaque.data


def details_of(part: Part | None) -> list[JSONObject]:
    """The entries of `reasoning_details` of a part of this format."""
    if not isinstance(part, ReasoningPart) or part.opaque is None or part.opaque.wire != NAME:
        return []
    return objs(part.opaque.data.get("details"))


def annotations_of(
    citations: Sequence[Citation], offset: int, report: Report, first: int | None = None
) -> tuple[list[JSONObject], list[Any]]:
    """Citations of a text as annotations, and as pieces of content, where that is how they came.

    Args:
        offset: how many characters of text stand before the part.
        first: in a stream, how many annotations came before. Those that we make ourselves say their place: OpenAI's
            package cannot join lists in which nothing does.
    """
    said: list[JSONObject] = []
    pieces: list[Any] = []
    for citation in citations:
        own = citation.opaque.data if citation.opaque and citation.opaque.wire == NAME else {}
        if annotation := obj(own.get("annotation")):
            said.append(annotation)
        elif piece := own.get("piece"):
            pieces.append(piece)
        elif citation.url is None:
            report.lost("citations of documents were left out: chat completions cite URLs")
        else:
            begin, end = (None if at is None else at + offset for at in (citation.start, citation.end))
            fields = {"url": citation.url, "title": citation.title, "content": citation.text}
            cited = _known(fields | {"start_index": begin, "end_index": end})
            place: JSONObject = {} if first is None else {"index": first + len(said)}
            said.append(place | {"type": "url_citation", "url_citation": cited})
    return said, pieces


def whole_part(part: MediaPart | ToolResultPart, report: Report) -> JSONObject:
    """The field of a delta or a message that holds a part which comes at once; empty where there is none."""
    data = data_of(part, report)
    match part:
        case ToolResultPart():
            return {"executed_tools": [entry]} if (entry := data.get("executed_tool")) else {}
        case MediaPart() if "audio" in data:
            return {"audio": obj(data["audio"]) | {"data": _base64(part)}}
        case MediaPart() if part.media_type.startswith("image/") or (part.url or "").startswith("data:"):
            url = part.url or f"data:{part.media_type};base64,{_base64(part)}"
            image = {"type": "image_url", "image_url": {"url": url}} | obj(data.get("image"))
            return {"images": [image]}
        case MediaPart():
            report.lost(f"{part.media_type} that the model made was left out: chat completions answer with images")
            return {}


def _base64(part: MediaPart) -> str:
    return base64.b64encode(part.data or b"").decode()


def call_object(call: ToolCallPart, arguments: str, data: dict[str, Any]) -> JSONObject:
    """A tool call as it begins in a stream, or whole."""
    more = obj(data.get("call"))
    if more.get("type") == "custom":
        return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": arguments}} | more
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}} | more


def ran_itself(call: ToolCallPart, data: dict[str, Any], report: Report) -> JSONObject:
    """A tool that the provider ran, which only Groq has a field for."""
    if entry := obj(data.get("executed_tool")):
        return {"executed_tools": [entry]}
    report.lost(f"that the provider ran its own tool {call.name!r} was left out")
    return {}


def text_of(parts: Sequence[Part]) -> str:
    """The text of an answer."""
    return "".join(part.text for part in parts if isinstance(part, TextPart))
