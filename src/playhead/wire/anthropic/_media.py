"""
Images and documents in the Anthropic format, written and read.

https://docs.claude.com/en/docs/build-with-claude/vision,
https://docs.claude.com/en/docs/build-with-claude/pdf-support
"""

from __future__ import annotations

import base64
import binascii

from ...errors import DecodeError, EncodeError
from ...messages import MediaPart, Opaque
from .._json import JSONObject, obj, objs, text
from ._blocks import NAME, extras

_SOURCE_KEYS = frozenset({"type", "source", "title"})

_IMAGES = {f"image/{kind}": f"image/{kind}" for kind in ("jpeg", "png", "gif", "webp")} | {"image/jpg": "image/jpeg"}
"""The images that go as bytes, and what they are called."""

PDF, PLAIN, ANY_IMAGE = "application/pdf", "text/plain", "image/*"


def encode_media(part: MediaPart, data: JSONObject) -> JSONObject:
    """An image or a document as a block.

    Args:
        data: fields of the block that came with the part, such as `citations` of a document.

    Raises:
        EncodeError: the format has no words for such a medium, or the part is empty.
    """
    kind = part.media_type
    if kind.startswith("image/"):
        if part.data is not None and kind not in _IMAGES:
            raise EncodeError(f"the Anthropic format cannot carry {kind}: its images are {', '.join(_IMAGES)}")
        return {"type": "image", "source": _source(part)} | data
    if kind == PDF or kind.startswith("text/"):
        source = _source(part) if kind == PDF or part.file_id else _text_source(part)
        title = {"title": part.filename} if part.filename else {}
        return {"type": "document", "source": source} | title | data
    raise EncodeError(
        f"the Anthropic format cannot carry {kind}: it takes images and PDF as bytes, by URL or by file, and plain "
        "text as bytes or by file"
    )


def _source(part: MediaPart) -> JSONObject:
    if part.data is not None:
        data = base64.b64encode(part.data).decode()
        return {"type": "base64", "media_type": _IMAGES.get(part.media_type, part.media_type), "data": data}
    if part.file_id is not None:
        return {"type": "file", "file_id": part.file_id}
    if part.url is not None:
        return {"type": "url", "url": part.url}
    raise EncodeError(f"a {part.media_type} part has none of `data`, `url` and `file_id`")


def _text_source(part: MediaPart) -> JSONObject:
    if part.data is None:
        raise EncodeError(f"the Anthropic format carries {part.media_type} only as bytes or by file, not by URL")
    try:
        words = part.data.decode()
    except UnicodeDecodeError as error:
        raise EncodeError(f"a {part.media_type} part should be UTF-8, but is not: {error}") from error
    return {"type": "text", "media_type": PLAIN, "data": words}


def decode_media(block: JSONObject, where: str, origin: str | None) -> MediaPart | None:
    """The part that an image or a document block is; None where its source is none that a part can hold.

    Raises:
        DecodeError: its bytes are not base64.
    """
    source, image = obj(block.get("source")), block.get("type") == "image"
    title = text(block.get("title")) or None
    left = extras(block, _SOURCE_KEYS)
    opaque = Opaque(NAME, left, origin) if left else None
    media_type = text(source.get("media_type")) or (ANY_IMAGE if image else PDF)
    match source.get("type"):
        case "base64":
            return MediaPart(media_type, _bytes(source.get("data"), where), filename=title, opaque=opaque)
        case "url" if url := text(source.get("url")):
            return MediaPart(media_type, url=url, filename=title, opaque=opaque)
        case "file" if id := text(source.get("file_id")):
            return MediaPart(media_type, filename=title, file_id=id, opaque=opaque)
        case "text" if not image:
            words = text(source.get("data")).encode("utf-8", "replace")
            return MediaPart(PLAIN, words, filename=title, opaque=opaque)
        case _:
            return None


def document_words(block: JSONObject) -> str:
    """The words in a document that is made of blocks, or in a search result."""
    content = block.get("content") or obj(block.get("source")).get("content")
    pieces = [content] if isinstance(content, str) else [text(piece.get("text")) for piece in objs(content)]
    named = [text(block.get("title")), text(block.get("source"))]
    return "\n".join(words for words in named + pieces if words)


def _bytes(data: object, where: str) -> bytes:
    try:
        return base64.b64decode(text(data), validate=True)
    except (binascii.Error, ValueError) as error:
        raise DecodeError(f"the field `{where}.source.data` should hold base64, but does not: {error}") from error
