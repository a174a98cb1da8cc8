"""Bodies without their content encoding, as far as Python can decode them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

from ...http import Headers


def codings(headers: Headers) -> str:
    """The content encodings that the headers name, in lower case; "" for none."""
    named = [value.strip().lower() for name, value in headers if name.lower() == "content-encoding"]
    return ", ".join(coding for coding in named if coding not in ("", "identity"))


def decoded_body(headers: Headers, body: bytes) -> bytes | None:
    """The body without its content encoding; None where there is none, or the body is not in it."""
    decode = _DECODERS.get(codings(headers))
    if decode is None or not body:
        return None
    try:
        return decode(body)
    except (OSError, EOFError, zlib.error):
        return None


def _inflate(body: bytes) -> bytes:
    """`deflate`, with the header that RFC 9110 asks for, or without it, as some servers send it."""
    for window in (zlib.MAX_WBITS, -zlib.MAX_WBITS):
        stream = zlib.decompressobj(window)
        try:
            inflated = stream.decompress(body)
        except zlib.error:
            continue
        if stream.eof and not stream.unused_data:
            return inflated
    raise zlib.error("not deflated, or not whole")


_DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "x-gzip": gzip.decompress,
    "deflate": _inflate,
}
