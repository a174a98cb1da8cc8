"""What a body is, as far as JSON in it is concerned."""

from __future__ import annotations

from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["json", "events", "other"]
"""JSON, a stream of server-sent events, or something that holds no JSON."""


def kind_of(data: bytes, content_type: str | None) -> Kind | None:
    """What a body is, by its first byte, as the decoders of answers tell it; None while there is none.

    The content type only tells what is no text at all: servers mislabel the rest.
    """
    main = (content_type or "").partition(";")[0].strip().lower()
    if main.startswith(("image/", "audio/", "video/", "font/")) or main == "application/vnd.amazon.eventstream":
        return "other"
    begin = data[:1024].removeprefix(b"\xef\xbb\xbf").lstrip()
    begin = begin or data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not begin or b"\xef\xbb\xbf".startswith(begin):
        return None
    return "json" if begin[:1] in (b"{", b"[") else "events"
