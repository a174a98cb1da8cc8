"""What is drawn with rich: Markdown without frames and in colours that can be read on light and on dark ground."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Heading, Markdown, TableElement
from rich.padding import Padding
from rich.segment import Segment
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

from ._chat_markdown import Block, markdown_parser

WIDEST = 100
"""Columns that text takes: longer lines are hard to read."""

THEME = Theme(
    {
        "markdown.code": "cyan",
        "markdown.code_block": "cyan",
        "markdown.block_quote": "italic",
        "markdown.hr": "dim",
        "markdown.item.bullet": "bold",
        "markdown.item.number": "bold",
        "markdown.list": "default",
        "markdown.link": "underline",
        "markdown.link_url": "blue underline",
        "markdown.table.border": "dim",
        "markdown.table.header": "bold",
        **{f"markdown.h{level}": "bold" for level in range(1, 7)},
        "markdown.h1": "bold underline",
    }
)

_CODE = "ansi_dark"
"""Colours of the terminal's own, on its own ground."""


class _LeftHeading(Heading):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        yield self.text


class _PlainTable(TableElement):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for made in super().__rich_console__(console, options):
            if isinstance(made, Table):
                made.box = box.SIMPLE_HEAD
            yield made


class _Markdown(Markdown):
    elements = {**Markdown.elements, "heading_open": _LeftHeading, "table_open": _PlainTable}  # noqa: RUF012

    def __init__(self, markup: str) -> None:
        super().__init__(markup, code_theme=_CODE, hyperlinks=False)
        self.parsed = markdown_parser().parse(markup)


class _Trimmed:
    """What is inside, without empty lines around it and without empty space behind its lines."""

    def __init__(self, inside: Any) -> None:
        self._inside = inside

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.update(width=min(options.max_width, WIDEST), height=None)
        lines = [_without_end(line) for line in console.render_lines(self._inside, width, pad=False)]
        full = [n for n, line in enumerate(lines) if line]
        for line in lines[full[0] : full[-1] + 1] if full else ():
            yield from line
            yield Segment.line()


class _Code:
    """Code, with all that stands before it known to the highlighter, and its own lines shown."""

    def __init__(self, block: Block) -> None:
        text = Syntax("", block.language or "text", theme=_CODE, background_color="default").highlight(block.source)
        text.right_crop(int(text.plain.endswith("\n")))
        lines = text.split("\n", allow_blank=True)[block.shown :]
        self._inside = Padding(Text("\n").join(lines), (0, 0, 0, 2)) if lines else None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._inside is None:  # All of it stands there already.
            return
        for line in console.render_lines(self._inside, options, pad=False):
            yield from _without_end(line)
            yield Segment.line()


def drawn(block: Block) -> Any:
    """A piece of an answer, for printing."""
    if block.language is not None:
        return _Code(block)
    return _Trimmed(_Markdown(block.source))


def _without_end(line: list[Segment]) -> list[Segment]:
    """A line without the empty space at its end."""
    kept = list(line)
    while kept and not kept[-1].text.strip():
        kept.pop()
    if kept:
        kept[-1] = kept[-1]._replace(text=kept[-1].text.rstrip())
    return kept


class Bottom:
    """The last lines of what is drawn, as many as there is room for.

    Args:
        what: in order; from the top to the bottom.
        rows: how many lines there are to be, at most.
    """

    def __init__(self, what: Iterable[Any], rows: int) -> None:
        self._what = list(what)
        self._rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        inside = options.update(width=min(options.max_width, WIDEST), height=None)
        lines = [line for each in self._what for line in console.render_lines(each, inside, pad=False)]
        for n, line in enumerate(lines[-self._rows :]):
            if n:
                yield Segment.line()
            yield from line


def one_line(text: str, style: str) -> Text:
    """A line that is cut where the terminal ends."""
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")
