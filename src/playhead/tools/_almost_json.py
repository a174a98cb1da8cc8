"""Almost-JSON as JSON, where there is one way only to read it.

Models write fences around JSON, commas before closing brackets, Python's or JavaScript's literals, line feeds in
strings, comments; they write JSON into a JSON string, write it twice, or forget the last bracket. All of these can be
undone without a guess: no value is made up, dropped or changed. What could be read in two ways is left alone.
"""

from __future__ import annotations

import re
from typing import cast

import msgspec

_LITERALS = {"true": "true", "false": "false", "null": "null", "True": "true", "False": "false", "None": "null"}
_CLOSERS = {"{": "}", "[": "]"}
_DEEPEST = 200  # Deeper than any tool's arguments, and well below what readers of JSON bear.

_SPACE = re.compile(r"[ \t\n\r]*")
_FENCE = re.compile(r"(`{3,})(?:[A-Za-z0-9+_-]*[ \t]*\r?\n|(?:json[5c]?|javascript|js|python|py)?(?=[ \t{\[]))")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![\w.+$-])")
_WORD = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*(?![\w$])")
_PLAIN = {'"': re.compile(r'[^"\\\x00-\x1f]+'), "'": re.compile(r"[^'\"\\\x00-\x1f]+")}
_HEX_2 = re.compile(r"x([0-9a-fA-F]{2})")
_HEX_4 = re.compile(r"u[0-9a-fA-F]{4}")
_RAW = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def repair_json(text: str, *, complete: bool = True) -> str | None:
    r"""Valid JSON for what is almost JSON, or None where that would be a guess. Takes time in proportion to the text.

    What is valid is returned as it is. What is mended: a code fence around it; a comma before a closing bracket;
    `True`, `False` and `None`; strings in single quotes; `\'` and `\xNN` in strings; raw line feeds and tabs in
    strings; keys without quotes that are identifiers; comments (`//` and `/* */`); an object inside of a JSON string;
    an object or array that is there twice; and brackets that are missing at the end, behind a whole value that is no
    bare number.

    Args:
        text: what a model wrote.
        complete: whether the model came to its own end. Where its answer was cut, no bracket is added.
    """
    bare = _without_fence(text.strip(" \t\n\r\ufeff"))
    if not _is_json(bare):
        found = _Rewriting(bare, complete).run()
        if found is None or not _is_json(found):
            return None
        bare = found
    return _object_inside(bare) or bare


def _without_fence(text: str) -> str:
    fence = _FENCE.match(text)
    if fence is None or len(text) < fence.end() + len(fence[1]) or not text.endswith(fence[1]):
        return text
    return text[fence.end() : -len(fence[1])].strip(" \t\n\r")


def _object_inside(text: str) -> str | None:
    """The object that a JSON string holds, as JSON."""
    if not text.startswith('"'):
        return None
    inner = cast("str", msgspec.json.decode(text)).strip(" \t\n\r")
    return inner if inner.startswith("{") and _is_json(inner) else None


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return False
    return True


class _Ambiguous(Exception):
    """There is more than one way to read it, or none."""


class _Rewriting:
    """One pass over a text, which writes it again as JSON.

    `state` says what may come next: `value`; `item` (or the end of the array); `key` (or the end of the object);
    `colon`; `next` (a comma, or an end); `done`.
    """

    def __init__(self, text: str, complete: bool) -> None:
        self._text = text
        self._complete = complete
        self._at = 0
        self._out: list[str] = []
        self._open: list[str] = []
        self._state = "value"
        self._comma = False
        self._ends_in_number = False
        self._ends_in_comment = False

    def run(self) -> str | None:
        """The text as JSON, or None."""
        try:
            first = self._document()
            self._space()
            while self._at < len(self._text):
                # The same once more: models repeat a call's arguments. Anything else is not for us to choose from.
                if first[0] not in "{[" or self._ends_in_comment or self._document() != first:
                    return None
                self._space()
        except _Ambiguous:
            return None
        return first

    def _document(self) -> str:
        self._begin()
        while self._state != "done":
            self._space()
            if self._at == len(self._text):
                self._close_all()
            else:
                self._step(self._text[self._at])
        return "".join(self._out)

    def _begin(self) -> None:
        self._out = []
        self._state = "value"

    def _step(self, char: str) -> None:
        if char in "}]" and self._state in ("item", "key", "next"):
            self._close(char)
        elif self._state == "next":
            self._expect(char, ",")
            self._comma = True
            self._state = "key" if self._open[-1] == "{" else "item"
        elif self._state == "colon":
            self._expect(char, ":")
            self._out.append(":")
            self._state = "value"
        elif self._state == "key":
            self._before()
            self._out.append(self._string(char) if char in "\"'" else self._identifier())
            self._state = "colon"
        else:
            self._before()
            self._value(char)

    def _before(self) -> None:
        if self._comma:
            self._out.append(",")
            self._comma = False

    def _value(self, char: str) -> None:
        self._ends_in_number = False
        if char in _CLOSERS:
            if len(self._open) == _DEEPEST:
                raise _Ambiguous
            self._open.append(char)
            self._out.append(char)
            self._at += 1
            self._state = "key" if char == "{" else "item"
            return
        if char in "\"'":
            self._out.append(self._string(char))
        elif number := _NUMBER.match(self._text, self._at):
            self._out.append(number[0])
            self._at = number.end()
            self._ends_in_number = True
        else:
            word = self._word()
            if word not in _LITERALS:
                raise _Ambiguous
            self._out.append(_LITERALS[word])
        self._ended()

    def _ended(self) -> None:
        self._state = "next" if self._open else "done"

    def _close(self, char: str) -> None:
        if _CLOSERS[self._open[-1]] != char:
            raise _Ambiguous
        self._open.pop()
        self._out.append(char)
        self._at += 1
        self._comma = False  # A comma before it says nothing.
        self._ends_in_number = False
        self._ended()

    def _close_all(self) -> None:
        """The text is over, and brackets are open."""
        # More may have come behind a number's last digit, a comma or a colon, and a comment may have swallowed it.
        if self._state != "next" or self._ends_in_number or self._ends_in_comment or not self._complete:
            raise _Ambiguous
        while self._open:
            self._out.append(_CLOSERS[self._open.pop()])
        self._state = "done"

    def _expect(self, char: str, wanted: str) -> None:
        if char != wanted:
            raise _Ambiguous
        self._at += 1

    def _word(self) -> str:
        found = _WORD.match(self._text, self._at)
        if found is None:
            raise _Ambiguous
        self._at = found.end()
        return found[0]

    def _identifier(self) -> str:
        word = self._word()
        if word in _LITERALS:  # Python has None as a key, JavaScript "None".
            raise _Ambiguous
        return f'"{word}"'

    def _string(self, quote: str) -> str:
        """The string that begins here, in JSON's words."""
        text, plain, pieces = self._text, _PLAIN[quote], ['"']
        at = self._at + 1
        while at < len(text):
            if run := plain.match(text, at):
                pieces.append(run[0])
                at = run.end()
            elif (char := text[at]) == quote:
                self._at = at + 1
                return "".join([*pieces, '"'])
            elif char == "\\":
                piece, at = _escape(text, at + 1, quote)
                pieces.append(piece)
            else:
                pieces.append('\\"' if char == '"' else _RAW.get(char, f"\\u{ord(char):04x}"))
                at += 1
        raise _Ambiguous

    def _space(self) -> None:
        """Go on behind white space and comments."""
        text = self._text
        while True:
            self._at = cast("re.Match[str]", _SPACE.match(text, self._at)).end()
            if text.startswith("//", self._at):
                end = text.find("\n", self._at)
                self._ends_in_comment = end < 0
                self._at = len(text) if end < 0 else end
            elif text.startswith("/*", self._at):
                end = text.find("*/", self._at + 2)
                if end < 0:
                    raise _Ambiguous
                self._at = end + 2
            else:
                return


def _escape(text: str, at: int, quote: str) -> tuple[str, int]:
    r"""What stands behind a backslash, in JSON's words, and where it ends.

    JSON, Python and JavaScript agree on these; `\/` is JSON's and JavaScript's, and Python's is two characters.
    """
    char = text[at : at + 1]
    if char == "'":
        return "'", at + 1
    if (char and char in '"\\bfnrt') or (char == "/" and quote == '"'):
        return f"\\{char}", at + 1
    if found := _HEX_4.match(text, at):
        return f"\\{found[0]}", found.end()
    if found := _HEX_2.match(text, at):
        return f"\\u00{found[1]}", found.end()
    raise _Ambiguous
