"""
Files in Converse: images, documents, videos and sounds, as bytes or in S3.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from ...errors import EncodeError
from ...messages import MediaPart, Opaque
from .._history import own
from .._json import JSONObject, obj, text

NAME = "bedrock_converse"

_FORMATS = {
    "image": {"image/png": "png", "image/jpeg": "jpeg", "image/gif": "gif", "image/webp": "webp"},
    "document": {
        "application/pdf": "pdf",
        "text/csv": "csv",
        "application/msword": "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
        "application/vnd.ms-excel": "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
        "text/html": "html",
        "text/plain": "txt",
        "text/markdown": "md",
    },
    "video": {
        "video/x-matroska": "mkv",
        "video/quicktime": "mov",
        "video/mp4": "mp4",
        "video/webm": "webm",
        "video/x-flv": "flv",
        "video/mpeg": "mpeg",
        "video/x-ms-wmv": "wmv",
        "video/3gpp": "three_gp",
    },
    "audio": {
        "audio/mpeg": "mp3",
        "audio/opus": "opus",
        "audio/wav": "wav",
        "audio/aac": "aac",
        "audio/flac": "flac",
        "audio/mp4": "m4a",
        "audio/ogg": "ogg",
        "audio/x-matroska": "mka",
        "audio/webm": "webm",
        "audio/pcm": "pcm",
    },
}
"""The media types that Converse has, by the kind of block, and its words for them."""

_ALSO = {"audio/mp3": "audio/mpeg", "audio/x-wav": "audio/wav", "image/jpg": "image/jpeg", "audio/L16": "audio/pcm"}
"""Other names of the same."""

_BACK = {kind: {word: type for type, word in formats.items()} for kind, formats in _FORMATS.items()}

KINDS = frozenset(_FORMATS)
"""The kinds of blocks that hold a file."""

_UNWANTED = re.compile(r"[^A-Za-z0-9\s()\[\]-]")
_UNNAMED = re.compile(r"document( \(\d+\))?")


class DocumentNames:
    """Names as Converse wants them: few characters are allowed, and no two documents may have the same."""

    def __init__(self) -> None:
        self._given: dict[str, int] = {}

    def name(self, filename: str | None, format: str) -> str:
        """A name that was not given before; the same for the same request."""
        plain = re.sub(rf"\.{format}$", "", filename or "", flags=re.IGNORECASE)
        return self.once(" ".join(_UNWANTED.sub("-", plain)[:190].split()) or "document")

    def once(self, plain: str) -> str:
        """The name, or one made of it that was not given before."""
        name, n = plain, self._given.get(plain, 1)
        while name in self._given:
            n += 1
            name = f"{plain} ({n})"
        self._given[plain] = n  # Where to go on, should it come again.
        self._given.setdefault(name, 1)
        return name


def encode_media(part: MediaPart, names: DocumentNames, origin: str | None) -> JSONObject:
    """The block that holds a file.

    Args:
        names: those of the documents before it.
        origin: the provider that it goes to.

    Raises:
        EncodeError: Converse has no word for its type, or cannot find it where it is.
    """
    if came := obj((own(part.opaque, NAME, origin) or {}).get("block")):
        document = obj(came.get("document"))
        name = text(document.get("name"))
        return came | {"document": document | {"name": names.once(name)}} if name else came
    given = part.media_type.partition(";")[0].strip().lower()
    type = _ALSO.get(given, given)
    kind = next((kind for kind, formats in _FORMATS.items() if type in formats), None)
    if kind is None and type.startswith("text/"):
        kind, type = "document", "text/plain"
    if kind is None:
        raise EncodeError(
            f"Converse has no word for {part.media_type}: it takes images (PNG, JPEG, GIF, WebP), documents (PDF, "
            "text, HTML, Markdown, CSV, Word, Excel), videos and sounds"
        )
    format = _FORMATS[kind][type]
    block: JSONObject = {"format": format, "source": _source(part)}
    if kind == "document":
        block["name"] = names.name(part.filename, format)
    return {kind: block}


def _source(part: MediaPart) -> JSONObject:
    if part.data is not None:
        return {"bytes": base64.b64encode(part.data).decode()}
    if part.url is not None and part.url.startswith("s3://"):
        return {"s3Location": {"uri": part.url}}
    where = "by URL" if part.url is not None else "by the id of a file" if part.file_id is not None else "empty"
    raise EncodeError(
        f"Converse cannot take {part.media_type} {where}: pass its bytes, or an s3:// URL that Bedrock may read"
    )


def decode_media(kind: str, value: object, origin: str | None) -> MediaPart | None:
    """The file in a block; None where it holds none, or in a way that a part cannot say.

    What the part itself does not say (an owner, a context, citations, a text in place of bytes) stands in its opaque
    data.
    """
    block = obj(value)
    source = obj(block.get("source"))
    uri, said = text(obj(source.get("s3Location")).get("uri")), source.get("text")
    data = said.encode("utf-8", "replace") if isinstance(said, str) else _bytes(source.get("bytes"))
    if data is None and not uri:
        return None
    format = text(block.get("format"))
    type = _BACK[kind].get(format) or ("text/plain" if kind == "document" and not format else f"{kind}/{format}")
    name = text(block.get("name"))
    part = MediaPart(type, data, uri or None, None if _UNNAMED.fullmatch(name) else name or None)
    return part if _says(part, kind, block) else _with(part, {kind: block}, origin)


def _says(part: MediaPart, kind: str, block: JSONObject) -> bool:
    """Whether the part alone gives the block again."""
    try:
        again = obj(encode_media(part, DocumentNames(), None).get(kind))
    except EncodeError:
        return False
    return again | {"name": block.get("name")} == block | {"name": block.get("name")}


def _with(part: MediaPart, block: JSONObject, origin: str | None) -> MediaPart:
    opaque = Opaque(NAME, {"block": block}, origin)
    return MediaPart(part.media_type, part.data, part.url, part.filename, None, None, opaque)


def _bytes(value: Any) -> bytes | None:
    if not isinstance(value, str):
        return None
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
