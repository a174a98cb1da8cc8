"""Writes for people: with colour and progress on a terminal, as plain text in a pipe."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What could steer a terminal. A model's words must not."""


class Console:
    """Standard output and standard error.

    Colour needs the extra `cli` (rich) and a terminal; without either, text is plain.

    Args:
        colour: whether there is any.
    """

    def __init__(self, *, colour: bool = True) -> None:
        self._colour = colour
        self._rich: Any = _rich(sys.stdout) if colour else None
        self._at_start = True
        self._status: Any = None

    @property
    def rich(self) -> Any:
        """rich's console of standard output; None where text is plain."""
        return self._rich

    def write(self, text: str, style: str = "") -> None:
        """Write text at once, with no line end of its own."""
        if not text:
            return
        self.done()
        text = CONTROL.sub("", text)
        self._at_start = text.endswith("\n")
        if self._rich is None:
            sys.stdout.write(_sayable(text, sys.stdout))
        else:
            self._rich.print(text, style=style, end="", markup=False, highlight=False, soft_wrap=True)
        sys.stdout.flush()

    def fresh_line(self) -> None:
        """Go on at the start of a line."""
        if not self._at_start:
            self.write("\n")

    def line(self, text: str = "", style: str = "") -> None:
        """Write a line of its own."""
        self.fresh_line()
        self.write(text, style)
        self.write("\n")
        self._at_start = True

    def table(self, head: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
        """Write columns under a head."""
        table = [[CONTROL.sub("", cell) for cell in row] for row in (head, *rows)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        for n, row in enumerate(table):
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.line("  ".join(cells).rstrip(), "bold" if n == 0 else "")

    @contextmanager
    def progress(self) -> Generator[None]:
        """Whatever is waited for inside may be shown with `waiting`; nothing is left of it afterwards."""
        try:
            yield
        finally:
            self.done()

    def waiting(self, text: str) -> None:
        """Show on a terminal that something is waited for, until something else is written."""
        if self._rich is None or self._status is not None or not self._at_start:
            return
        from rich.text import Text

        shown = Text(CONTROL.sub("", text))  # Not as markup: a model's or a tool's name must not be read as such.
        self._status = self._rich.status(shown, spinner="dots", spinner_style="dim")
        self._status.start()

    def done(self) -> None:
        """Nothing is waited for any more."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def note(self, text: str) -> None:
        """Write a line to standard error, beside the output."""
        self.done()
        self._on_stderr(text, "yellow")

    def fail(self, text: str, notes: Iterable[str] = ()) -> None:
        """Say on standard error what went wrong."""
        self.done()
        if not self._at_start:
            sys.stdout.write("\n")
            sys.stdout.flush()
            self._at_start = True
        self._on_stderr(f"playhead: {text}", "red")
        for note in notes:
            self._on_stderr(note, "dim")

    def _on_stderr(self, text: str, style: str) -> None:
        text = "\n".join(CONTROL.sub("", line) for line in text.split("\n"))
        if (rich := _rich(sys.stderr) if self._colour else None) is None:
            print(_sayable(text, sys.stderr), file=sys.stderr)
        else:
            rich.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def _rich(stream: Any) -> Any:
    if stream is None or not stream.isatty() or os.environ.get("NO_COLOR"):
        return None
    try:
        from rich.console import Console as RichConsole
    except ImportError:
        return None
    return RichConsole(file=stream)


def _sayable(text: str, stream: Any) -> str:
    """The text without characters that the stream's encoding does not have."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)
