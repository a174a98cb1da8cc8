"""Values that are known, in the forms in which they stand in bodies: as they are, escaped for JSON, for a URL, and
in base64."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

from ._hits import MARK, Hit

_SHORTEST_PIECE = 8
"""Characters of base64, or of a value that was cut off, that are enough to be taken for it."""


class Literals:
    """Known values, to be found in bytes.

    Args:
        values: what each value is called, in words, by value.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._forms: dict[bytes, str] = {}
        for value, kind in values.items():
            for form in _forms(value):
                if form and form not in MARK and MARK not in form:
                    self._forms.setdefault(form, kind)
        self._within = frozenset(byte for form in self._forms for byte in form[:-1])

    def hits(self, data: bytes, start: int) -> Iterator[Hit]:
        """Where they stand from `start` on."""
        for form, kind in self._forms.items():
            if form in data:
                at = data.find(form, start)
                while at >= 0:
                    yield Hit(at, at + len(form), kind)
                    at = data.find(form, at + 1)

    def open_at(self, data: bytes, start: int) -> int:
        """Where at the end of `data` one of them may have begun; its length where none has."""
        if start == len(data) or data[-1] not in self._within:
            return len(data)
        return min((len(data) - _begun(data, start, form) for form in self._forms), default=len(data))

    def cut_off(self, data: bytes, start: int) -> Iterator[Hit]:
        """One of them that `data` ends in the middle of, if half of it is there."""
        if start == len(data) or data[-1] not in self._within:
            return
        for form, kind in self._forms.items():
            if (there := _begun(data, start, form)) >= max(_SHORTEST_PIECE, len(form) // 2):
                yield Hit(len(data) - there, len(data), kind)


def _begun(data: bytes, start: int, form: bytes) -> int:
    """How many bytes at the end of `data` are the beginning of `form`, and not all of it."""
    at = max(start, len(data) - len(form) + 1)
    while (at := data.find(form[:1], at)) >= 0:
        if form.startswith(data[at:]):
            return len(data) - at
        at += 1
    return 0


def _forms(value: str) -> Iterator[bytes]:
    for text in (value, *_in_json(value), *_in_url(value)):
        yield text.encode("utf-8", "surrogateescape")
    yield from _in_base64(value.encode("utf-8", "surrogateescape"))


def _in_json(value: str) -> Iterator[str]:
    """Inside a string of JSON, and inside one that is itself inside a string, as tool arguments are."""
    inner: Iterable[str] = (value,)
    for _ in range(2):
        inner = tuple(
            escaped
            for text in inner
            for plain in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
            for escaped in (plain, plain.replace("/", "\\/"), _for_html(plain))
        )
        yield from inner


def _for_html(text: str) -> str:
    """As Go escapes JSON."""
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _in_url(value: str) -> Iterator[str]:
    raw = value.encode("utf-8", "surrogateescape")
    for quoted in (quote(raw, safe=""), quote(raw, safe="/"), quote_plus(raw)):
        yield quoted
        yield "%".join(piece[:2].lower() + piece[2:] if n else piece for n, piece in enumerate(quoted.split("%")))


def _in_base64(raw: bytes) -> Iterator[bytes]:
    """Wherever it begins among the three bytes of a group, less the characters that its neighbours have a part in."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw)
        core = encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        if len(core) >= _SHORTEST_PIECE:
            yield core
            yield core.replace(b"+", b"-").replace(b"/", b"_")
            yield core.replace(b"/", b"\\/")
