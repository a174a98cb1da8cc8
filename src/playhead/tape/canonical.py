"""
The canonical form of a request: what is asserted at a place on the tape.

Method, URL (without what is never on a tape), and the body as JSON with keys sorted, array order and number lexemes
kept. Headers do not count: they hold keys, user agents and telemetry. In a multipart body the boundary does not count
and the parts do. Any other body counts byte by byte.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from json.encoder import encode_basestring_ascii
from typing import Any, cast

import msgspec

from ..http import Request, header
from .redact import safe_url

VERSION = 1
"""Of the canonical form. A tape says with which one its digests were made."""


class Number(str):
    """A number as it was written: 1.0 and 1 are different requests."""

    __slots__ = ()


def digest(request: Request) -> str:
    """The SHA-256 of the canonical form, in hexadecimal."""
    method_and_url = f"{request.method.upper()} {safe_url(request.url)}\n".encode()
    return hashlib.sha256(method_and_url + canonical_body(request.body, content_type(request))).hexdigest()


def content_type(request: Request) -> str:
    """What the headers say of the body; empty where they say nothing."""
    return header(request.headers, "content-type") or ""


def canonical_body(body: bytes, content_type: str = "") -> bytes:
    """The body in its canonical form: of JSON, of parts, else as it is.

    Args:
        content_type: the value of that header. Of it only a multipart body's boundary is read.
    """
    if (parts := parts_of(body, content_type)) is not None:
        # With their lengths, so that no part's content can pass for two parts.
        return b"multipart\n" + b"".join(b"%d:%b\n" % (len(part), part) for part in parts)
    quick = _quickly(body)
    if quick is not None:
        return quick
    try:
        return write_json(read_json(body.decode())).encode()
    except (ValueError, RecursionError):
        return body


def canonical_json(text: str) -> str:
    """JSON with keys sorted, no white space, and numbers as they were written.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.
    """
    try:
        quick = _quickly(text.encode())
    except UnicodeEncodeError:  # Half a character, which only a lenient reader lets pass.
        quick = None
    return write_json(read_json(text)) if quick is None else quick.decode()


def read_json(text: str) -> Any:
    """JSON as plain values, with each number as the `Number` that was written.

    Raises:
        ValueError: it is not JSON, or a name stands twice in one object.
        RecursionError: it is nested too deeply.
    """
    return json.loads(text, object_pairs_hook=_object, parse_int=Number, parse_float=Number, parse_constant=Number)


def write_json(value: Any) -> str:
    """What `read_json` gave, in its canonical form.

    Raises:
        RecursionError: it is nested too deeply.
    """
    match value:
        case Number():
            return value
        case dict():
            items = sorted(cast("dict[str, Any]", value).items())
            return "{" + ",".join(f"{json.dumps(key)}:{write_json(item)}" for key, item in items) + "}"
        case list():
            return "[" + ",".join(map(write_json, cast("list[Any]", value))) + "]"
        case _:
            return json.dumps(value)


def parts_of(body: bytes, content_type: str) -> list[bytes] | None:
    """The parts of a multipart body, with what stands before the first and behind the last (RFC 2046, section 5.1.1);
    None where the body is none, or is not whole.

    Args:
        content_type: the value of that header, which names the boundary.
    """
    if content_type.lstrip()[:10].lower() != "multipart/" or (named := _BOUNDARY.search(content_type)) is None:
        return None
    boundary = re.escape((named[1] or named[2]).encode("utf-8", "replace"))
    pieces = re.split(rb"(?:\A|\r?\n)--" + boundary + rb"(--)?[ \t]*(?=\r?\n|\Z)", body)
    parts, ends = pieces[::2], pieces[1::2]
    return parts if ends and ends.index(ends[-1]) == len(ends) - 1 and ends[-1] else None


_BOUNDARY = re.compile(r';\s*boundary\s*=\s*(?:"([^"]+)"|([^\s;"]+))', re.IGNORECASE)


def _raw_number(lexeme: str) -> msgspec.Raw:
    return msgspec.Raw(lexeme.encode())


_reader = msgspec.json.Decoder(float_hook=_raw_number)
_writer = msgspec.json.Encoder(order="sorted")


def _quickly(body: bytes) -> bytes | None:
    """The canonical form of JSON as most of it is written; None where the slow way must tell.

    msgspec reads a part of what the slow way reads, and differs in two things only. Of a name that stands twice it
    keeps one, and so loses a colon. It reads -0 as 0, and so loses a minus. Neither sign is ever escaped in what it
    writes; so where as many of them go in as come out, and none was escaped, nothing was lost.
    """
    try:
        written = _writer.encode(_reader.decode(body))
    except (ValueError, RecursionError):
        return None
    if written.count(b":") != body.count(b":") or written.count(b"-") != body.count(b"-"):
        return None
    if b"\\u00" in body and _ESCAPED_SIGN.search(body):
        return None
    if b"\x7f" in written:
        written = written.replace(b"\x7f", b"\\u007f")
    return written if written.isascii() else _escaped(written)


_ESCAPED_SIGN = re.compile(rb"\\u00(?:3[aA]|2[dD])")


def _escaped(written: bytes) -> bytes:
    """JSON in UTF-8 with everything beyond ASCII escaped."""
    text = written.decode()
    if len(written) - len(text) < len(text) // 16:  # The error handler is called for each run of such characters.
        return text.encode("ascii", _ESCAPE)
    # All of it is escaped as if it were one string. Then the quotes and backslashes that were there already are set
    # right again; no NUL stands in JSON.
    text = encode_basestring_ascii(text)[1:-1]
    return text.replace("\\\\", "\0").replace('\\"', '"').replace("\0", "\\").encode()


_ESCAPE = "playhead.json"


def _escape_run(error: UnicodeError) -> tuple[str, int]:
    run = cast("UnicodeEncodeError", error)
    return encode_basestring_ascii(run.object[run.start : run.end])[1:-1], run.end


codecs.register_error(_ESCAPE, _escape_run)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are there once each. Where one repeats, readers differ in which of them counts."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return found
