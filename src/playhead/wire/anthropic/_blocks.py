"""What both halves of the Anthropic format know of a content block: its own fields, and the neutral part's."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ...errors import DecodeError
from ...messages import Citation, FinishReason, MediaPart, Opaque, ReasoningPart, Source, TextPart, ToolResultPart
from .._history import own
from .._json import JSONObject, obj, objs, text

NAME: Final = "anthropic"

TEXT_KEYS = frozenset({"type", "text", "citations"})
THINKING_KEYS = frozenset({"type", "thinking", "signature"})
REDACTED_KEYS = frozenset({"type", "data"})
CALL_KEYS = frozenset({"type", "id", "name", "input"})
"""The fields of a block that a part has a place for. The others are opaque data, under their own names."""

CALL_TYPES = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})

DIRECT = {"type": "direct"}
"""The `caller` of a call that the model itself makes, which goes without saying."""

FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "pause_turn": "other",
}

MADE_FILE = "application/octet-stream"
"""The media type of a file that the provider's tools made: the format names only its id."""

_FILE_OUTPUTS = frozenset({"code_execution_output", "bash_code_execution_output"})


def extras(block: JSONObject, known: frozenset[str]) -> JSONObject:
    """The fields of a block that the neutral part has no place for."""
    return {name: value for name, value in block.items() if name not in known and value is not None}


def compact(value: object) -> str:
    """A value as JSON without white space.

    Raises:
        DecodeError: it is nested too deeply.
    """
    try:
        return msgspec.json.encode(value).decode()
    except (RecursionError, ValueError) as error:
        raise DecodeError("the input of a tool is nested too deeply to be read") from error


def arguments(input: object) -> str:
    """A tool's input as the raw JSON of its arguments. Some servers send that already."""
    if input is None:
        return "{}"
    return input if isinstance(input, str) else compact(input)


def citation(raw: JSONObject, origin: str | None) -> Citation:
    """One citation. Its indexes count in the document, not in the part's text, so that they stay in `opaque`."""
    return Citation(
        url=text(raw.get("url")) or text(raw.get("source")) or None,
        title=text(raw.get("title")) or text(raw.get("document_title")) or None,
        text=text(raw.get("cited_text")) or None,
        opaque=Opaque(NAME, raw, origin),
    )


def text_block(part: TextPart, data: JSONObject, origin: str | None) -> JSONObject:
    """A text with those of its citations that may go to `origin`."""
    block: JSONObject = {"type": "text", "text": part.text}
    cited = [raw for cited in part.citations if (raw := own(cited.opaque, NAME, origin)) is not None]
    return block | ({"citations": cited} if cited else {}) | data


def reasoning_block(part: ReasoningPart, data: JSONObject) -> JSONObject:
    """A thinking block, or a redacted one, from the data that came with it."""
    if "redacted" in data:
        rest = {name: value for name, value in data.items() if name != "redacted"}
        return {"type": "redacted_thinking", "data": data["redacted"]} | rest
    return {"type": "thinking", "thinking": part.text} | data


def outside(block: JSONObject, name: str, origin: str | None) -> ToolResultPart | MediaPart:
    """A block of an answer that is neither words nor a call: a result of the provider's tool, a file, or news.

    Whatever it is, the whole block is kept, so that it can go back as it came. What is not known to this format
    stands as a result of no call under the block's own type.

    Args:
        name: of the tool that the result is of, where the call was seen.
    """
    kind, opaque = text(block.get("type")), Opaque(NAME, {"block": block}, origin)
    if kind == "container_upload":
        return MediaPart(MADE_FILE, file_id=text(block.get("file_id")) or None, opaque=opaque)
    content = block.get("content")
    return ToolResultPart(
        text(block.get("tool_use_id")),
        name or kind.removesuffix("_tool_result") or "unknown",
        readable(content if content is not None else extras(block, frozenset({"type"}))),
        block.get("is_error") is True or text(obj(content).get("type")).endswith("_error"),
        tuple(
            MediaPart(MADE_FILE, file_id=id)
            for item in objs(obj(content).get("content"))
            if item.get("type") in _FILE_OUTPUTS and (id := text(item.get("file_id")))
        ),
        opaque=opaque,
    )


def sources(block: JSONObject) -> list[Source]:
    """The pages in the result of a web search or of a fetch."""
    match block.get("type"):
        case "web_search_tool_result":
            return [_source(item, item) for item in objs(block.get("content"))]
        case "web_fetch_tool_result" if url := text(obj(block.get("content")).get("url")):
            content = obj(block.get("content"))
            raw = {name: value for name, value in content.items() if name != "content"}
            return [_source({"url": url, "title": obj(content.get("content")).get("title")}, raw)]
        case _:
            return []


def _source(item: JSONObject, raw: JSONObject) -> Source:
    return Source(text(item.get("url")) or None, text(item.get("title")) or None, raw)


def readable(content: object) -> str:
    """What a person would want to read of a result's content."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        pieces = objs(content)  # pyright: ignore[reportUnknownArgumentType]
        return "\n".join(_readable_piece(piece) for piece in pieces)
    fields = obj(content)
    if code := text(fields.get("error_code")):
        return code
    if "stdout" in fields or "stderr" in fields:
        return text(fields.get("stdout")) + text(fields.get("stderr"))
    document = obj(fields.get("content")) or fields
    if words := text(obj(document.get("source")).get("data")):
        media_type = text(obj(document.get("source")).get("media_type"))
        return words if media_type.startswith("text/") else text(fields.get("url"))
    if isinstance(words := fields.get("content"), str):
        return words
    return _safe_json(fields)


def _readable_piece(piece: JSONObject) -> str:
    if words := text(piece.get("text")):
        return words
    named = [text(piece.get("title")), text(piece.get("url"))]
    return " ".join(word for word in named if word) or _safe_json(piece)


def _safe_json(value: Any) -> str:
    try:
        return compact(value)
    except DecodeError:
        return "(nested too deeply to be shown)"
