"""
Markdown that grows: what of it can no longer change, and what may.

What can no longer change is written once and scrolls away as all output does; only what may still change is drawn
anew. So long answers neither flicker nor are cut at the height of the screen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_CODE_LINES = 8
"""Lines of code that are written at a time."""

_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class Block:
    """A piece of an answer.

    Attributes:
        source: Markdown; or code, all of it from its first line.
        goes_on: whether it belongs to the piece before it, with no space between.
        language: of code; None where this is no code.
        shown: lines of the code that stand in pieces before this one.
    """

    source: str
    goes_on: bool = False
    language: str | None = None
    shown: int = 0


class Growing:
    """An answer while it comes, cut where CommonMark says that blocks end: between blocks, between the items of a
    list, and within long code."""

    def __init__(self) -> None:
        self._parser = markdown_parser()
        self._text = ""
        self._goes_on = False
        self._number: int | None = None
        self._code_shown = 0

    @property
    def rest(self) -> Block | None:
        """What may still change; None where that is nothing."""
        if not self._text.strip():
            return None
        tokens = self._top(self._text)
        if len(tokens) == 1 and tokens[0].type == "fence":
            return self._code(tokens[0])
        return Block(self._numbered(self._text), self._goes_on)

    def feed(self, text: str) -> list[Block]:
        """More of the answer. Returns what can no longer change."""
        self._text += text
        if "\n" not in text:
            return []
        made: list[Block] = []
        while (block := self._next()) is not None:
            made.append(block)
        return made

    def finish(self) -> list[Block]:
        """The answer is whole. Returns what was left of it."""
        last = self.rest
        self._text = ""
        self._goes_on, self._number, self._code_shown = False, None, 0
        return [] if last is None else [last]

    def _next(self) -> Block | None:
        """The next piece that can no longer change. Only whole lines are looked at: a line may become anything."""
        lines = self._text[: self._text.rfind("\n") + 1]
        tokens = self._top(lines)
        if not tokens:
            return None
        first = tokens[0]
        if len(tokens) > 1:
            return self._cut(first, tokens[1].map[0])
        if first.type == "fence":
            return self._some_code(first)
        if first.type in ("bullet_list_open", "ordered_list_open"):
            return self._an_item(lines, first)
        return None

    def _cut(self, token: Any, line: int) -> Block:
        """The first block, which ends before `line`."""
        block = (
            self._code(token)
            if token.type == "fence"
            else Block(self._numbered(_lines(self._text, line)), self._goes_on)
        )
        self._drop(line)
        self._goes_on, self._number, self._code_shown = False, None, 0
        return block

    def _some_code(self, token: Any) -> Block | None:
        if token.content.count("\n") - self._code_shown < _CODE_LINES:
            return None
        block = self._code(token)
        self._code_shown = token.content.count("\n")
        self._goes_on = True
        return block

    def _an_item(self, lines: str, token: Any) -> Block | None:
        items = [each for each in self._parser.parse(lines) if each.type == "list_item_open" and each.level == 1]
        if len(items) < 2:
            return None
        start: Any = token.attrGet("start")
        number = self._number if self._number is not None else 1 if start is None else int(start)
        end = items[1].map[0]
        block = Block(self._numbered(_lines(self._text, end)), self._goes_on)
        self._drop(end)
        self._goes_on = True
        if token.type == "ordered_list_open":
            self._number = number + 1
        return block

    def _code(self, token: Any) -> Block:
        return Block(token.content, self._goes_on, (token.info.split() or ["text"])[0], self._code_shown)

    def _numbered(self, source: str) -> str:
        """The source of an item with its number in the whole list: it counts from the list's first."""
        return source if self._number is None else _NUMBER.sub(str(self._number), source, count=1)

    def _drop(self, line: int) -> None:
        self._text = self._text[len(_lines(self._text, line)) :]

    def _top(self, text: str) -> list[Any]:
        """The blocks of the outermost level, each by the token that opens it."""
        return [token for token in self._parser.parse(text) if token.level == 0 and token.map and token.nesting >= 0]


def markdown_parser() -> Any:
    """Reads Markdown. HTML is no HTML but text, else nothing would be seen of it."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("strikethrough").enable("table")


def _lines(text: str, count: int) -> str:
    """The first lines of a text."""
    return "".join(text.splitlines(keepends=True)[:count])
