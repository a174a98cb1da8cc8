"""
The canonical form of a request: what is asserted at a place on the tape.

Method, URL (without what is never on a tape), and the body as JSON with keys sorted, array order and number lexemes
kept. Headers do not count: they hold keys, user agents and telemetry. A body that is not JSON counts byte by byte.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, cast

from ..http import Request
from .redact import safe_url

VERSION = 1
"""Of the canonical form. A tape says with which one its digests were made."""


def digest(request: Request) -> str:
    """The SHA-256 of the canonical form, in hexadecimal."""
    method_and_url = f"{request.method.upper()} {safe_url(request.url)}\n".encode()
    return hashlib.sha256(method_and_url + canonical_body(request.body)).hexdigest()


def canonical_body(body: bytes) -> bytes:
    """The body with JSON in its canonical form, else as it is."""
    try:
        return canonical_json(body.decode()).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return body


def canonical_json(text: str) -> str:
    """JSON with keys sorted, no white space, and numbers as they were written.

    Raises:
        ValueError: it is not JSON.
    """
    value = json.loads(
        text, object_pairs_hook=_object, parse_int=_Number, parse_float=_Number, parse_constant=_Number
    )
    return _write(value)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are there once each. Where one repeats, readers differ in which of them counts."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


class _Number(str):
    """A number as it was written: 1.0 and 1 are different requests."""

    __slots__ = ()


def _write(value: Any) -> str:
    match value:
        case _Number():
            return value
        case dict():
            items = sorted(cast("dict[str, Any]", value).items())
            return "{" + ",".join(f"{json.dumps(key)}:{_write(item)}" for key, item in items) + "}"
        case list():
            return "[" + ",".join(map(_write, cast("list[Any]", value))) + "]"
        case _:
            return json.dumps(value)
