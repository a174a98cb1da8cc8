"""
The YAML that go-vcr and this package write, read line by line: several times as fast as a parser of all YAML.

A line is `key:`, `key: scalar`, `- scalar` or `- key: scalar`. A scalar is plain, in single or double quotes, a
literal block (`|`), or a list of numbers on one line; it ends where its line does. Whatever else there is in YAML
(scalars over several lines, comments, aliases, tags, ...) makes this reader give up, and what it does read it reads
as libyaml does. So it decides nothing: who asks it has the parser to ask next.
"""

from __future__ import annotations

import re
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import msgspec

from ._yaml_text import BINARY, UNTAGGED, Node

_DEPTH = 50

_ALLOWED = bytes({*b"\t\n", *range(0x20, 0x7F), *range(0x80, 0x100)})
"""All bytes but those that YAML forbids, and the carriage return, which is a line end there."""

_LINE_ENDS_AND_MARKS = re.compile("[\x80-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What YAML takes for line ends, forbids, or strips, beyond ASCII."""

_KEYED = re.compile(rb"( *)(- )?([A-Za-z_][A-Za-z0-9_.-]{0,200})")
_ITEM = re.compile(rb"( *)- (?=[^ ])")
_WORD = r"[^\0- #:\x7f]"
_PLAIN = re.compile(
    rf"(?:[A-Za-z0-9_/.+(=~$^;]|-[A-Za-z0-9]){_WORD}*+(?:(?: ++|:++){_WORD}++|#++{_WORD}*+)*+".encode()
)
_NUMBER = r"-?[0-9]+(?:\.[0-9]+(?:[eE][-+][0-9]+)?)?"
_NUMBERS = re.compile(rf"\[(?:{_NUMBER}(?:, {_NUMBER})*)?\]".encode())
_BLOCK = re.compile(rb"\|([1-9])?([-+])?")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_NOT_JSONS = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|U([0-9A-Fa-f]{8})|([^xUu\"\\/bfnrt]))")
_NAMED = {
    b"0": b"\\u0000",
    b"a": b"\\u0007",
    b"v": b"\\u000b",
    b"e": b"\\u001b",
    b"N": b"\\u0085",
    b"_": b"\\u00a0",
    b"L": b"\\u2028",
    b"P": b"\\u2029",
    b" ": b" ",
}
"""YAML's escapes that JSON does not have."""

_json_text = msgspec.json.Decoder(str).decode


class _GiveUp(Exception):
    """Here stands something that this reader does not know."""


class _LineNode:
    """A node as PyYAML has them, without its place in the file."""

    __slots__ = ("id", "style", "tag", "value")

    start_mark: Any = SimpleNamespace(line=-1)

    def __init__(self, id: str, value: Any, style: str = "", tag: str = UNTAGGED) -> None:
        self.id = id
        self.value = value
        self.style = style
        self.tag = tag


def compose(data: bytes) -> Node | None:
    """The tree of a YAML document; None where the document has anything that this reader does not know.

    The nodes do not say their lines: for an error, ask the parser.
    """
    if not data.endswith(b"\n") or data.translate(None, _ALLOWED):
        return None
    try:
        return _Reader(data).document()
    except (_GiveUp, ValueError):  # among them: bytes that are no UTF-8, or quotes that are not JSON's
        return None


class _Reader:
    """Goes through the lines once, with the collections that are open on a stack."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 4 if data.startswith(b"---\n") else 0
        self._root = _LineNode("mapping", [])
        self._indents = [0]
        self._open = [self._root]
        self._key: _LineNode | None = None  # that of a line with nothing behind it: its value may be in the next

    def document(self) -> Node | None:
        data, end, find = self._data, len(self._data), self._data.find
        if self._at == end:
            return None
        while self._at < end:
            stop = find(b"\n", self._at)
            colon = find(b":", self._at, stop)
            keyed = _keyed(data[self._at : colon]) if 0 <= colon - self._at < 300 else None
            if keyed and colon + 1 == stop:
                self._at = stop + 1
                self._line(*keyed, None)
            elif keyed and data[colon + 1] == 32:  # a space
                indent, dash, key = keyed
                self._line(indent, dash, key, self._scalar(colon + 2, stop, indent + 2 * dash))
            elif item := _ITEM.match(data, self._at, stop):
                indent = item.end(1) - self._at
                self._line(indent, True, None, self._scalar(item.end(), stop, indent))
            else:
                raise _GiveUp
        self._end_of_key()
        return self._root

    def _line(self, indent: int, dash: bool, key: _LineNode | None, value: _LineNode | None) -> None:
        """Put what a line says where its indent says that it belongs."""
        if self._key and (indent >= self._indents[-1] if dash else indent > self._indents[-1]):
            self._begin(indent, _LineNode("sequence" if dash else "mapping", []))
        self._end_of_key()
        kind = "sequence" if dash else "mapping"
        while self._indents[-1] > indent or (self._indents[-1] == indent and self._open[-1].id != kind and not dash):
            self._indents.pop()
            self._open.pop()
        if self._indents[-1] != indent or self._open[-1].id != kind:
            raise _GiveUp
        if dash and key:
            self._begin(indent + 2, _LineNode("mapping", []))
        if key is None:
            self._open[-1].value.append(value)
        elif value is None:
            self._key = key
        else:
            self._open[-1].value.append((key, value))

    def _begin(self, indent: int, node: _LineNode) -> None:
        if len(self._open) > _DEPTH:
            raise _GiveUp
        if self._key:
            self._open[-1].value.append((self._key, node))
            self._key = None
        else:
            self._open[-1].value.append(node)
        self._indents.append(indent)
        self._open.append(node)

    def _end_of_key(self) -> None:
        """Nothing stands there."""
        if self._key:
            self._open[-1].value.append((self._key, _LineNode("scalar", "")))
            self._key = None

    def _scalar(self, start: int, stop: int, indent: int) -> _LineNode:
        """What stands in a line from `start` on, in a collection with this indent; and the lines of a block."""
        self._at = stop + 1
        raw, tag = self._data[start:stop], UNTAGGED
        if raw.startswith(b"!!binary "):
            raw, tag = raw[9:], BINARY
        match raw[:1]:
            case b'"':
                return _LineNode("scalar", _double_quoted(raw), '"', tag)
            case b"'":
                return _LineNode("scalar", _single_quoted(raw), "'", tag)
            case b"|":
                return _LineNode("scalar", self._block(raw, stop, indent), "|", tag)
            case _ if tag == BINARY:
                raise _GiveUp
            case b"[" | b"{":
                return _flow(raw)
            case _:
                return _plain(raw) if len(raw) < 100 else _LineNode("scalar", _plain_text(raw))

    def _block(self, head: bytes, stop: int, indent: int) -> str:
        """The text of a literal block, whose first line ends at `stop`."""
        found = _BLOCK.fullmatch(head)
        data = self._data
        if not found:
            raise _GiveUp
        if found[1]:
            width = indent + int(found[1])
        else:
            width = _width(data, stop + 1)
            if width <= indent:
                raise _GiveUp
        behind = _behind(width).search(data, stop)
        if behind and behind[0].endswith(b"\n"):
            raise _GiveUp
        self._at = behind.start() + 1 if behind else len(data)
        text = _text(data[stop : self._at].replace(b"\n" + b" " * width, b"\n")[1:])
        lines = text.rstrip("\n")
        if not lines:
            raise _GiveUp
        return text if found[2] == b"+" else lines if found[2] == b"-" else lines + "\n"


def _width(data: bytes, at: int) -> int:
    """How many spaces a line begins with; 0 where nothing stands behind them, or a tab."""
    start = at
    while data[at : at + 1] == b" ":
        at += 1
    return 0 if data[at : at + 1] in (b"\n", b"\t", b"") else at - start


@lru_cache(maxsize=64)
def _behind(width: int) -> re.Pattern[bytes]:
    """Finds the line after a block; or, in it, one of fewer spaces than its indent and nothing else."""
    less = width - 1
    return re.compile(rb"\n(?: {0,%d}[^ \n]| {1,%d}\n)" % (less, less) if less else rb"\n[^ \n]")


@lru_cache(maxsize=4096)
def _keyed(raw: bytes) -> tuple[int, bool, _LineNode] | None:
    """Indent, dash and key of what stands before a colon; the same few of them make up a cassette."""
    found = _KEYED.fullmatch(raw)
    return found and (len(found[1]), bool(found[2]), _LineNode("scalar", found[3].decode()))


@lru_cache(maxsize=4096)
def _plain(raw: bytes) -> _LineNode:
    return _LineNode("scalar", _plain_text(raw))


def _plain_text(raw: bytes) -> str:
    if not _PLAIN.fullmatch(raw):
        raise _GiveUp
    return _text(raw)


def _flow(raw: bytes) -> _LineNode:
    if raw == b"{}":
        return _LineNode("mapping", [])
    if not _NUMBERS.fullmatch(raw):
        raise _GiveUp
    return _LineNode("sequence", [_LineNode("scalar", number) for number in raw[1:-1].decode().split(", ") if number])


def _single_quoted(raw: bytes) -> str:
    text = _text(raw[1:-1])
    if len(raw) < 2 or not raw.endswith(b"'") or "'" in text.replace("''", ""):
        raise _GiveUp
    return text.replace("''", "'")


def _double_quoted(raw: bytes) -> str:
    """As JSON reads it, which has most of YAML's escapes, and with the same meaning."""
    if not raw.endswith(b'"'):
        raise _GiveUp
    if not raw.isascii():
        _text(raw)
    if (b"\\ud" in raw or b"\\uD" in raw) and any(map(_SURROGATE.search, raw.split(b"\\\\"))):
        raise _GiveUp  # JSON makes characters of pairs; YAML has none
    try:
        return _json_text(raw)
    except msgspec.DecodeError:
        return _json_text(b"\\\\".join([_NOT_JSONS.sub(_as_jsons, part) for part in raw.split(b"\\\\")]))


def _as_jsons(found: re.Match[bytes]) -> bytes:
    short, long, name = found.groups()
    if short:
        return b"\\u00" + short
    if name:
        return _NAMED.get(name, b"\\?")  # which is in neither
    return b"\\u00" + long[6:] if long < b"00000080" else chr(int(long, 16)).encode()


def _text(raw: bytes) -> str:
    text = raw.decode()
    if not raw.isascii() and not text.isprintable() and _LINE_ENDS_AND_MARKS.search(text):
        raise _GiveUp
    return text
