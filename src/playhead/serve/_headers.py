"""Headers of what is served: those that Playhead adds, and those that are not sent again."""

from __future__ import annotations

import re

from ..http import Headers

TAPE = "playhead-tape"
"""The header that says where an answer stands: the tape's name, `#`, and the effect's number."""

DRIFT = "playhead-drift"
"""The header that says in what a request differs from the one whose answer it was given."""

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that are about one connection: RFC 9110, section 7.6.1."""

_FRAMING = HOP_BY_HOP | {"content-encoding", "content-length"}
"""What says how a body's bytes were packed. They are packed anew when they are served."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


def served_headers(headers: Headers) -> Headers:
    """Recorded headers as they can be sent again: without what said how the body was packed, and without what is no
    header of HTTP/1.1 (recordings of HTTP/2 have `:status`)."""
    return tuple(
        (name, on_one_line(value))
        for name, value in headers
        if _NAME.fullmatch(name) and name.lower() not in _FRAMING and name.lower() not in (TAPE, DRIFT)
    )


def on_one_line(text: str) -> str:
    """A text as the value of a header: without line breaks, and in Latin-1."""
    line = _CONTROL.sub(" ", text).strip()
    return line.encode("latin-1", "backslashreplace").decode("latin-1")
