"""The blocks of a request in the Anthropic format, as parts. What a part has no place for is opaque data of it."""

from __future__ import annotations

import msgspec

from ...messages import CacheTTL, MediaPart, Opaque, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from .._json import JSONObject, obj, objs, text
from ._blocks import (
    CALL_KEYS,
    CALL_TYPES,
    MADE_FILE,
    NAME,
    REDACTED_KEYS,
    TEXT_KEYS,
    THINKING_KEYS,
    arguments,
    citation,
    compact,
    extras,
    outside,
)
from ._media import decode_media, document_words

_RESULT_KEYS = frozenset({"type", "tool_use_id", "content", "is_error"})


def breakpoint_of(marked: object) -> CacheTTL | None:
    """How long a `cache_control` keeps what stands before it; None where there is none, or one with more to say."""
    said = obj(marked)
    if said.get("type") != "ephemeral" or said.keys() - {"type", "ttl"}:
        return None
    match said.get("ttl", "5m"):
        case "5m":
            return "5m"
        case "1h":
            return "1h"
        case _:
            return None


def user_part(block: JSONObject, where: str, origin: str | None, names: dict[str, str]) -> Part:
    """A block of the system prompt or of a user's turn.

    Args:
        where: it stands in the request, for errors.
        names: the names of the calls so far, by their ids.
    """
    cache = breakpoint_of(block.get("cache_control"))
    match block.get("type"):
        case "text":
            return _text(block, cache, origin)
        case "image" | "document" if media := decode_media(_unmarked(block, cache), where, origin):
            return _with_cache(media, cache)
        case "container_upload" if id := text(block.get("file_id")):
            return MediaPart(MADE_FILE, file_id=id, cache=cache, opaque=_kept(_unmarked(block, cache), origin))
        case "tool_result":
            return _result(block, where, origin, cache, names)
        case "document" | "search_result":
            return TextPart(document_words(block), (), cache, _kept(_unmarked(block, cache), origin))
        case _:
            return TextPart(compact(block), (), cache, _kept(_unmarked(block, cache), origin))


def assistant_part(block: JSONObject, where: str, origin: str | None, names: dict[str, str]) -> Part:
    """A block of an assistant's turn. See `user_part`."""
    kind = text(block.get("type"))
    match kind:
        case "text":
            return _text(block, breakpoint_of(block.get("cache_control")), origin)
        case "thinking":
            signature = block.get("signature")
            data = ({"signature": signature} if signature is not None else {}) | extras(block, THINKING_KEYS)
            return ReasoningPart(text(block.get("thinking")), _opaque(data, origin))
        case "redacted_thinking":
            data = {"redacted": text(block.get("data"))} | extras(block, REDACTED_KEYS)
            return ReasoningPart("", _opaque(data, origin))
        case "image" | "document" if media := decode_media(block, where, origin):
            return _with_block(media, block, origin)
        case _ if kind in CALL_TYPES:
            return _call(kind, block, origin, names)
        case _:
            return outside(block, names.get(text(block.get("tool_use_id")), ""), origin)


def _call(kind: str, block: JSONObject, origin: str | None, names: dict[str, str]) -> ToolCallPart:
    theirs = kind != "tool_use"
    data = ({"type": kind} if theirs else {}) | extras(block, CALL_KEYS)
    id, name = text(block.get("id")), text(block.get("name"))
    names[id] = name
    return ToolCallPart(id, name, arguments(block.get("input")) or "{}", theirs, _opaque(data, origin))


def _text(block: JSONObject, cache: CacheTTL | None, origin: str | None) -> TextPart:
    cited = tuple(citation(raw, origin) for raw in objs(block.get("citations")))
    data = extras(_unmarked(block, cache), TEXT_KEYS)
    return TextPart(text(block.get("text")), cited, cache, _opaque(data, origin))


def _result(
    block: JSONObject, where: str, origin: str | None, cache: CacheTTL | None, names: dict[str, str]
) -> ToolResultPart:
    """The result of a tool. Content in another form than words followed by media is kept beside them as it is."""
    content = block.get("content")
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else objs(content)
    words = [item for item in blocks if item.get("type") == "text"]
    media = [_media(item, where, origin) for item in blocks]
    data = extras(_unmarked(block, cache), _RESULT_KEYS)
    plain = len(words) <= 1 and words == blocks[: len(words)] and media.count(None) == len(words)
    if not plain or any(item.keys() != {"type", "text"} for item in words):
        data["content"] = content
    id = text(block.get("tool_use_id"))
    return ToolResultPart(
        id,
        names.get(id, ""),
        "\n".join(_words(item) for item, medium in zip(blocks, media, strict=True) if medium is None),
        block.get("is_error") is True,
        tuple(item for item in media if item is not None),
        cache,
        _opaque(data, origin),
    )


def _media(item: JSONObject, where: str, origin: str | None) -> MediaPart | None:
    return decode_media(item, f"{where}.content", origin) if item.get("type") in ("image", "document") else None


def _words(item: JSONObject) -> str:
    """What a piece of a result says in words."""
    match item.get("type"):
        case "text":
            return text(item.get("text"))
        case "document" | "search_result":
            return document_words(item)
        case _:
            return compact(item)


def _unmarked(block: JSONObject, cache: CacheTTL | None) -> JSONObject:
    """The block without its breakpoint, where the part says that itself."""
    return block if cache is None else {name: value for name, value in block.items() if name != "cache_control"}


def _opaque(data: JSONObject, origin: str | None) -> Opaque | None:
    return Opaque(NAME, data, origin) if data else None


def _kept(block: JSONObject, origin: str | None) -> Opaque:
    return Opaque(NAME, {"block": block}, origin)


def _with_cache(part: MediaPart, cache: CacheTTL | None) -> MediaPart:
    return msgspec.structs.replace(part, cache=cache)


def _with_block(part: MediaPart, block: JSONObject, origin: str | None) -> MediaPart:
    return msgspec.structs.replace(part, opaque=_kept(block, origin))
