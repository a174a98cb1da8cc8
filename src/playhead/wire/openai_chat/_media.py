"""Media in chat completions: images, sounds and documents, and the pieces of content that hold them."""

from __future__ import annotations

import base64
from typing import Any, cast

from ...errors import EncodeError
from ...messages import MediaPart
from .._dialect import Dialect
from .._json import JSONObject
from ._names import AUDIO, EVERYWHERE


def encode_media(part: MediaPart, dialect: Dialect) -> JSONObject:
    """The piece of content that holds a part.

    Raises:
        EncodeError: chat completions, or this provider's, cannot carry it.
    """
    kind = part.media_type
    if part.data is None and part.url is None and part.file_id is None:
        raise EncodeError(f"a {kind} part has none of `data`, `url` and `file_id`")
    if part.file_id is not None:
        return {"type": "file", "file": {"file_id": part.file_id}}
    data = None if part.data is None else base64.b64encode(part.data).decode()
    url = part.url or f"data:{kind};base64,{data}"
    # Whoever parses files by plugins (OpenRouter) also fetches them, and takes more kinds of sound.
    parses = "plugins" in dialect.option_fields
    match kind.partition("/")[0]:
        case "image":
            return {"type": "image_url", "image_url": {"url": url}}
        case "video":
            return {"type": "video_url", "video_url": {"url": url}}
        case "audio" if data is not None and kind in AUDIO and (parses or AUDIO[kind] in EVERYWHERE):
            return {"type": "input_audio", "input_audio": {"data": data, "format": AUDIO[kind]}}
        case "text" if part.data is not None:
            return {"type": "text", "text": _document(part)}
        case _ if kind == "application/pdf" and (data is not None or parses):
            return {"type": "file", "file": {"filename": part.filename or "document.pdf", "file_data": url}}
        case _:
            how = "by URL" if data is None else "as bytes"
            raise EncodeError(
                f"chat completions cannot carry {kind} {how}: images and videos go by URL or as bytes, WAV, MP3, PDF "
                "and texts as bytes, and what was uploaded by its `file_id`"
            )


def _document(part: MediaPart) -> str:
    """A text document as text, since there is no other place for it; its name is all that tells it from a prompt."""
    words = (part.data or b"").decode("utf-8-sig", "replace")
    return f"{part.filename}:\n{words}" if part.filename else words


def merged(piece: JSONObject, more: dict[str, Any]) -> JSONObject:
    """A piece with what its issuer had beside it, such as the `detail` of an image, in the same places."""
    for key, value in more.items():
        held: object = piece.get(key)
        both = isinstance(held, dict) and isinstance(value, dict)
        piece[key] = cast("JSONObject", held) | cast("JSONObject", value) if both else value
    return piece
