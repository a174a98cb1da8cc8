"""What a tool returned, as a model is told of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import msgspec

from ..messages import MediaPart, TextPart
from ._schema import dump_model


def result_text(value: object) -> str:
    """A tool's result as text.

    Text stays as it is; everything else becomes compact JSON (dataclasses, Structs, pydantic models, dates,
    sets, ...); what JSON cannot say becomes `str(value)`. The text can always be encoded as UTF-8: half of a
    surrogate pair becomes U+FFFD.
    """
    if isinstance(value, str):
        return _encodable(str.__str__(value))
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)

    def inner(unknown: object) -> object:
        try:
            return dump_model(unknown)
        except NotImplementedError:
            if unknown is value:
                raise
            return str(unknown)

    try:
        return msgspec.json.encode(value, enc_hook=inner).decode()
    except Exception:
        return _encodable(str(value))


def split_result(value: object) -> tuple[str, tuple[MediaPart, ...]]:
    """A tool's result as text and media.

    Media is a `MediaPart`, or a list or tuple with at least one in it; the other items of that list become
    text, a line each. Everything else is `result_text(value)`, with no media.
    """
    if isinstance(value, MediaPart):
        return "", (value,)
    items = tuple(cast("Sequence[object]", value)) if isinstance(value, (list, tuple)) else ()
    media = tuple(item for item in items if isinstance(item, MediaPart))
    if not media:
        return result_text(cast("object", value)), ()
    others = [item for item in items if not isinstance(item, MediaPart)]
    return "\n".join(result_text(item.text if isinstance(item, TextPart) else item) for item in others), media


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
