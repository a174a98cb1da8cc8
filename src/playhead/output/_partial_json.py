"""JSON that is still being written, as plain data.

state      what comes next                                            then
seek       `{` or `[`; what stands before is words                    first_key, first
first      a value, or the end of the array                           string, word, first, first_key, comma
value      a value                                                    the same
first_key  a key, or the end of the object                            string, comma
key        a key                                                      string
colon      `:`                                                        value
comma      `,` or the end of the array or object                      value, key, comma
string     more of a string; a backslash; the end                     escape, comma, colon
escape     more of an escape                                          string
word       more of a number, or of true, false, null                  comma
end        nothing counts any more
"""

from __future__ import annotations

import re
from typing import Any, cast

import msgspec

_SPACE = re.compile(r"[ \t\r\n]*")
_RUN = re.compile(r'[^"\\]*')
_WORD = re.compile(r"[-+.0-9a-zA-Z]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_HEX = re.compile(r"u[0-9a-fA-F]{4}")
_OPENING = re.compile(r"[{\[]")
_LITERALS: dict[str, Any] = {"true": True, "false": False, "null": None}
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HALF = "\ufffd"
"""Stands for half a surrogate pair whose other half never comes: no encoding can say it."""

_DEEPEST = 256
"""Levels of nesting; what is deeper is not shown."""
_LONGEST_WORD = 4096


class _Frame:
    """An array or object under way; what is under way in it is not in `items` yet."""

    __slots__ = ("items", "key")

    def __init__(self, items: list[Any] | dict[str, Any]) -> None:
        self.items = items
        self.key = ""

    def put(self, into: list[Any] | dict[str, Any], value: Any) -> None:
        if isinstance(into, list):
            into.append(value)
        else:
            into[self.key] = value


class PartialJSON:
    """Reads a JSON array or object piece by piece, and shows it as far as it came.

    What stands before the first bracket is skipped, and what stands behind the last one. A string is shown as far as
    it came, but never half an escape; a number, true, false or null when it is whole; a key when its value begins.
    It never raises: after something that is not JSON the value stays as it is. Reading takes time in proportion to
    the text, however it is cut; a look at the value, to what is open.

    Attributes:
        changes: how often the value changed. At most once for each character.
    """

    __slots__ = (
        *("_escape", "_frames", "_half", "_is_key", "_pieces", "_root", "_shown", "_state", "_value"),
        "changes",
    )

    def __init__(self) -> None:
        self.changes = 0
        self._state = "seek"
        self._frames: list[_Frame] = []
        self._root: Any = msgspec.UNSET
        self._pieces: list[str] = []  # of the string or word under way
        self._is_key = False
        self._escape = ""
        self._half = 0  # the first half of a surrogate pair
        self._value: Any = msgspec.UNSET
        self._shown = 0

    @property
    def value(self) -> Any:
        """The value as far as it came; UNSET before it begins. It never changes: later ones are other objects."""
        if self._shown != self.changes:
            self._value, self._shown = self._snapshot(), self.changes
        return self._value

    @property
    def done(self) -> bool:
        """Whether the array or object is whole."""
        return self._state == "end" and not self._frames and self._root is not msgspec.UNSET

    def feed(self, fragment: str) -> None:
        """Read on."""
        at, end = 0, len(fragment)
        while at < end:
            match self._state:
                case "string":
                    at = self._in_string(fragment, at)
                case "escape":
                    at = self._in_escape(fragment, at)
                case "word":
                    at = self._in_word(fragment, at)
                case "seek":
                    at = self._seek(fragment, at)
                case "end":
                    return
                case _:
                    at = self._between(fragment, at)

    def _snapshot(self) -> Any:
        """Copies only what is open; all else is whole, and shared."""
        if not self._frames:
            return self._root
        value: Any = msgspec.UNSET
        if self._state in ("string", "escape") and not self._is_key:
            value = "".join(self._pieces)
            self._pieces = [value]
        for frame in reversed(self._frames):
            items = frame.items.copy()
            if value is not msgspec.UNSET:
                frame.put(items, value)
            value = items
        return value

    def _seek(self, text: str, at: int) -> int:
        opening = _OPENING.search(text, at)
        return len(text) if opening is None else self._open(text, opening.start())

    def _open(self, text: str, at: int) -> int:
        if len(self._frames) == _DEEPEST:
            self._state = "end"
            return at
        is_object = text[at] == "{"
        self._frames.append(_Frame({} if is_object else []))
        self._state = "first_key" if is_object else "first"
        self.changes += 1
        return at + 1

    def _between(self, text: str, at: int) -> int:
        """Whatever stands between values."""
        char = text[at]
        if char in " \t\r\n":
            return cast("re.Match[str]", _SPACE.match(text, at)).end()
        state, items = self._state, self._frames[-1].items
        if char == ("}" if isinstance(items, dict) else "]") and state in ("first", "first_key", "comma"):
            return self._close(at)
        if state == "comma" and char == ",":
            self._state = "key" if isinstance(items, dict) else "value"
        elif state == "colon" and char == ":":
            self._state = "value"
        elif state in ("key", "first_key") and char == '"':
            self._begin_string(is_key=True)
        elif state in ("value", "first"):
            return self._begin_value(text, at)
        else:
            return self._fail(at)
        return at + 1

    def _begin_value(self, text: str, at: int) -> int:
        char = text[at]
        if char in "{[":
            return self._open(text, at)
        if char == '"':
            self._begin_string(is_key=False)
            self.changes += 1
            return at + 1
        if char in "-0123456789tfn":
            self._state, self._pieces = "word", [""]
            return at
        return self._fail(at)

    def _begin_string(self, *, is_key: bool) -> None:
        self._state, self._is_key, self._pieces, self._half = "string", is_key, [], 0

    def _in_string(self, text: str, at: int) -> int:
        end = cast("re.Match[str]", _RUN.match(text, at)).end()
        if end > at:
            self._say(text[at:end])
            return end
        if text[at] == "\\":
            self._state, self._escape = "escape", ""
            return at + 1
        if self._half:
            self._say("")
        whole = "".join(self._pieces)
        if self._is_key:
            self._frames[-1].key, self._state = whole, "colon"
        else:
            self._place(whole)
        return at + 1

    def _in_escape(self, text: str, at: int) -> int:
        self._escape += text[at]
        if self._escape[0] != "u":
            if self._escape not in _ESCAPES:
                return self._fail(at)
            self._say(_ESCAPES[self._escape])
        elif len(self._escape) < 5:
            return at + 1
        elif _HEX.fullmatch(self._escape):
            self._say_unit(int(self._escape[1:], 16))
        else:
            return self._fail(at)
        self._state = "string"
        return at + 1

    def _say_unit(self, unit: int) -> None:
        """A unit of UTF-16: a character, or half a pair."""
        if self._half and 0xDC00 <= unit <= 0xDFFF:
            char = chr(0x10000 + ((self._half - 0xD800) << 10) + (unit - 0xDC00))
            self._half = 0
            self._say(char)
        elif 0xD800 <= unit <= 0xDBFF:
            if self._half:
                self._say("")
            self._half = unit
        else:
            self._say(_HALF if 0xDC00 <= unit <= 0xDFFF else chr(unit))

    def _say(self, piece: str) -> None:
        if self._half:
            self._half, piece = 0, _HALF + piece
        self._pieces.append(piece)
        if not self._is_key:
            self.changes += 1

    def _in_word(self, text: str, at: int) -> int:
        end = cast("re.Match[str]", _WORD.match(text, at)).end()
        self._pieces[0] += text[at:end]
        word = self._pieces[0]
        if len(word) > _LONGEST_WORD:
            self._state = "end"
        elif end < len(text) or word in _LITERALS:
            if word in _LITERALS:
                self._place(_LITERALS[word])
            elif (number := _NUMBER.fullmatch(word)) is not None:
                self._place(_number(word, is_whole=number[1] is None and number[2] is None))
            else:
                return self._fail(end)
            self.changes += 1
        return end

    def _place(self, value: Any) -> None:
        frame = self._frames[-1]
        frame.put(frame.items, value)
        self._state = "comma"

    def _close(self, at: int) -> int:
        whole = self._frames.pop().items
        if self._frames:
            self._place(whole)
        else:
            self._root, self._state = whole, "end"
        return at + 1

    def _fail(self, at: int) -> int:
        """What began is not JSON. A bracket with nothing in it was a part of words: the search goes on behind it."""
        if self._state == "escape" and not self._is_key:
            self._place("".join(self._pieces))
        if len(self._frames) == 1 and not self._frames[0].items:
            self._root = self._frames.pop().items
            self._state = "seek"
        else:
            self._state = "end"
        return at


def _number(word: str, *, is_whole: bool) -> int | float:
    try:
        return int(word) if is_whole else float(word)
    except ValueError:  # longer than Python likes its integers
        return float(word)
