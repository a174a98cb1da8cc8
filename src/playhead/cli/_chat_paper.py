"""Where a chat is written: plain text, or a terminal on which what is under way is drawn until it is done."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Protocol

from ._chat_input import silent_keys
from ._chat_markdown import Block, Growing
from ._console import CONTROL, Console

_THOUGHTS = 4
"""Lines of reasoning that are seen while it comes."""


class Paper(Protocol):
    """What a chat is written on."""

    @property
    def columns(self) -> int | None:
        """How wide it is; None where lines may have any length."""
        ...

    def turn(self) -> Any:
        """A context manager: an answer is under way inside."""
        ...

    def say(self, text: str) -> None:
        """More of an answer's text."""
        ...

    def think(self, text: str) -> None:
        """More of its reasoning."""
        ...

    def end(self) -> None:
        """The text, or the reasoning, has come to its end; what comes next begins a line of its own."""
        ...

    def line(self, text: str = "", style: str = "", *, cut: bool = False) -> None:
        """A line that stays.

        Args:
            cut: whether it is cut where the terminal ends.
        """
        ...

    def busy(self, key: str, text: str | None) -> None:
        """Something is under way, or has ended where the text is None."""
        ...

    def progress(self, key: str, text: str) -> None:
        """How far something is that is under way."""
        ...


def paper_for(console: Console) -> Paper:
    """A terminal's, or a plain one."""
    return _Plain(console) if console.rich is None else _Terminal(console)


class _Plain:
    """For pipes, and where rich is not installed."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._words = 0
        self._saying = False

    @property
    def columns(self) -> int | None:
        return None

    @contextmanager
    def turn(self) -> Generator[None]:
        try:
            with silent_keys():
                yield
        finally:
            self.end()

    def say(self, text: str) -> None:
        if self._words:
            self.end()
        self._saying = True
        self._console.write(text)

    def think(self, text: str) -> None:
        if self._saying:
            self.end()
        self._words += len(text.split())

    def end(self) -> None:
        if self._words:
            self._console.line(f"(thought: {_words(self._words)})")
        if self._saying:
            self._console.fresh_line()
        self._words, self._saying = 0, False

    def line(self, text: str = "", style: str = "", *, cut: bool = False) -> None:  # noqa: ARG002 - a pipe has no end
        self.end()
        if style == "yellow":  # What goes wrong on the way is not the answer.
            self._console.note(text)
        else:
            self._console.line(text)

    def busy(self, key: str, text: str | None) -> None:
        pass

    def progress(self, key: str, text: str) -> None:  # noqa: ARG002 - lines need no names
        self.line(f".. {text}")


class _Terminal:
    """A terminal. What can no longer change is written for good; below it stands what is under way."""

    def __init__(self, console: Console) -> None:
        from ._chat_rich import THEME

        self._console = console
        self._rich = console.rich
        self._rich.push_theme(THEME)
        self._live: Any = None
        self._growing = Growing()
        self._thoughts = ""
        self._since = 0.0
        self._spaced = True
        self._busy: dict[str, str] = {}
        self._spinner: Any = None

    @property
    def columns(self) -> int | None:
        return int(self._rich.size.width)

    @contextmanager
    def turn(self) -> Generator[None]:
        from rich.live import Live
        from rich.spinner import Spinner

        self._spinner = Spinner("dots", style="dim")
        self._spaced = True
        live = Live(
            console=self._rich,
            get_renderable=self._under_way,
            refresh_per_second=12,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        try:
            with silent_keys(), live:
                self._live = live
                try:
                    yield
                finally:
                    self._live = None
                    self.end()
                    self._busy.clear()
        finally:
            self._busy.clear()

    def say(self, text: str) -> None:
        if self._thoughts:
            self.end()
        for block in self._growing.feed(CONTROL.sub("", text)):
            self._write(block)

    def think(self, text: str) -> None:
        if not self._thoughts:
            self.end()
            self._since = time.monotonic()
        self._thoughts += CONTROL.sub("", text)

    def end(self) -> None:
        if thoughts := self._thoughts:
            self._thoughts = ""
            took = time.monotonic() - self._since
            self.line(f"thought for {took:.0f} s: {_words(len(thoughts.split()))}", "dim italic")
        for block in self._growing.finish():
            self._write(block)

    def line(self, text: str = "", style: str = "", *, cut: bool = False) -> None:
        from ._chat_rich import one_line

        self.end()
        text = CONTROL.sub("", text)
        self._rich.print(
            one_line(" ".join(text.split("\n")), style) if cut else text,
            style=None if cut else style or None,
            markup=False,
            highlight=False,
        )
        self._spaced = False

    def busy(self, key: str, text: str | None) -> None:
        if text is None:
            self._busy.pop(key, None)
        else:
            self._busy[key] = CONTROL.sub("", " ".join(text.split()))

    def progress(self, key: str, text: str) -> None:
        self.busy(key, text)

    def _write(self, block: Block) -> None:
        from ._chat_rich import drawn

        if not (block.goes_on or self._spaced):
            self._rich.print()
        self._spaced = False
        self._rich.print(drawn(block), end="")

    def _under_way(self) -> Any:
        """What is drawn below what stays. It is asked for by a thread of rich's."""
        from rich.table import Table
        from rich.text import Text

        from ._chat_rich import Bottom, drawn, one_line

        what: list[Any] = []
        if self._thoughts:
            what.append(Bottom([Text(self._thoughts.strip(), style="dim italic")], _THOUGHTS))
        elif (rest := self._growing.rest) is not None:
            what += [*([] if rest.goes_on or self._spaced else [Text()]), drawn(rest)]
        for text in tuple(self._busy.values()):
            row = Table.grid(padding=(0, 1))
            row.add_column(width=1)
            row.add_column(no_wrap=True, overflow="ellipsis")
            row.add_row(self._spinner, one_line(text, "dim"))
            what.append(row)
        return Bottom(what, max(2, self._rich.size.height - 2))


def _words(count: int) -> str:
    return f"{count} word{'' if count == 1 else 's'}"
