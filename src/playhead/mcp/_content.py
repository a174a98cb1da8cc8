"""What a server sends, as text and parts. All of it is read from plain JSON, as a tape has it too."""

from __future__ import annotations

import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

from ..messages import MediaPart, Message, TextPart
from ._errors import ServerError, ToolFailed

_UNKNOWN_TYPE = "application/octet-stream"
_TEXTUAL = ("/json", "+json", "/xml", "+xml", "/yaml", "/x-yaml", "/javascript")
_FOR_URLS = str.maketrans("-_", "+/")


def tool_result(result: Mapping[str, Any]) -> str | list[str | MediaPart]:
    """A tool's result: text, or text and media.

    `structuredContent` becomes JSON text, unless the text says the same already, as the specification recommends.

    Args:
        result: a `CallToolResult`.

    Raises:
        ToolFailed: the server says that the tool failed.

    https://modelcontextprotocol.io/specification/2025-11-25/server/tools#tool-result
    """
    parts = [_for_a_model(part) for part in _parts(result.get("content") or ())]
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    media = [part for part in parts if isinstance(part, MediaPart)]
    if result.get("isError"):
        raise ToolFailed("\n".join(texts) or "the tool failed, and the server does not say why")
    structured = result.get("structuredContent")
    if structured is not None and not _says(texts, structured):
        texts.append(json.dumps(structured, ensure_ascii=False, separators=(",", ":")))
    return [*texts, *media] if media else "\n".join(texts)


def prompt_messages(result: Mapping[str, Any]) -> tuple[Message, ...]:
    """The messages of a prompt.

    Args:
        result: a `GetPromptResult`.

    https://modelcontextprotocol.io/specification/2025-11-25/server/prompts#data-types
    """
    messages = cast("Sequence[Mapping[str, Any]]", result.get("messages") or ())
    return tuple(
        Message("assistant" if message.get("role") == "assistant" else "user", _parts([message["content"]]))
        for message in messages
    )


def resource_parts(result: Mapping[str, Any]) -> tuple[TextPart | MediaPart, ...]:
    """The contents of a resource.

    Args:
        result: a `ReadResourceResult`.

    https://modelcontextprotocol.io/specification/2025-11-25/server/resources#resource-contents
    """
    return tuple(_contents(item) for item in result.get("contents") or ())


def _parts(blocks: Iterable[Mapping[str, Any]]) -> tuple[TextPart | MediaPart, ...]:
    return tuple(_part(block) for block in blocks)


def _part(block: Mapping[str, Any]) -> TextPart | MediaPart:
    match block.get("type"):
        case "text":
            return TextPart(block["text"])
        case "image" | "audio":
            return MediaPart(block.get("mimeType") or _UNKNOWN_TYPE, _bytes(block["data"]))
        case "resource":
            return _contents(block["resource"])
        case "resource_link":
            return TextPart(_link(block))
        case _:
            return TextPart(json.dumps(block, ensure_ascii=False))


def _contents(item: Mapping[str, Any]) -> TextPart | MediaPart:
    """Text stays text: not every provider takes a document in a tool's result."""
    if item.get("text") is not None:
        return TextPart(item["text"])
    name = str(item.get("uri") or "").rstrip("/").rpartition("/")[2]
    return MediaPart(item.get("mimeType") or _UNKNOWN_TYPE, _bytes(item["blob"]), filename=name or None)


def _for_a_model(part: TextPart | MediaPart) -> TextPart | MediaPart:
    """A part that some model can be given. A result that none takes would be refused, now and in each later run."""
    if isinstance(part, TextPart):
        return part
    kind = part.media_type
    textual = kind.endswith(_TEXTUAL)
    if not textual and (kind == "application/pdf" or kind.startswith(("image/", "audio/", "video/", "text/"))):
        return part
    data = part.data or b""
    if textual:
        with suppress(UnicodeDecodeError):
            return TextPart(data.decode())
    name = f" {part.filename!r}" if part.filename else ""
    return TextPart(f"[a file{name} of type {kind} with {len(data)} bytes, which cannot be shown]")


def _link(block: Mapping[str, Any]) -> str:
    title = block.get("title") or block.get("name") or ""
    about = f": {block['description']}" if block.get("description") else ""
    return f"{title} <{block.get('uri', '')}>{about}".strip()


def _bytes(data: str) -> bytes:
    """Bytes of base64, also of that for URLs, which some servers send. What is neither would be left out unseen."""
    plain = "".join(data.split()).translate(_FOR_URLS)
    try:
        return binascii.a2b_base64(plain, strict_mode=True)
    except ValueError as error:
        raise ServerError(f"the server sent media that is not base64: {error}") from error


def _says(texts: Sequence[str], structured: Any) -> bool:
    """Whether texts say what a structured result says. Servers wrap what is no object as `{"result": ...}`."""
    whole = "\n".join(texts)
    for value in (structured, _unwrapped(structured)):
        if whole == value or _json(whole) == value:
            return True
        if isinstance(value, list):
            items = cast("list[Any]", value)
            if len(items) == len(texts) and all(
                text == item or _json(text) == item for text, item in zip(texts, items, strict=True)
            ):
                return True
    return False


def _unwrapped(structured: Any) -> Any:
    if isinstance(structured, dict):
        fields = cast("dict[str, Any]", structured)
        return fields["result"] if list(fields) == ["result"] else fields
    return structured


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
