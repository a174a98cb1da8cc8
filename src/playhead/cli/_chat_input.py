"""Reads what somebody writes: with history and completion where `readline` is there, over several lines if wanted."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ._console import CONTROL

_HISTORY = 1000
"""Lines that are kept."""

_CODES = ("\x1b[1;36m", "\x1b[0m")


class Keyboard:
    """Reads turns from standard input.

    A line that ends with a backslash goes on in the next one; one that begins with three quotes goes on to the next
    three.

    Args:
        history: where lines are kept from one chat to the next; None where they are not.
        complete: gives what may stand for a line that begins like this.
        colour: whether the prompt is coloured.
    """

    def __init__(
        self,
        history: Path | None = None,
        complete: Callable[[str], Iterable[str]] = lambda _: (),
        *,
        colour: bool = False,
    ) -> None:
        self.is_terminal = sys.stdin.isatty()
        self._readline: Any = _readline() if self.is_terminal and sys.stdout.isatty() else None
        self._colour = colour and self.is_terminal
        self._history = history
        if self._readline is not None:
            self._set_up(complete)

    def turn(self) -> str:
        """What is written next.

        Raises:
            EOFError: nothing more comes.
            KeyboardInterrupt: somebody pressed Ctrl-C.
        """
        line = self._line("> ")
        if line.lstrip().startswith('"""'):
            return self._quoted(line.lstrip()[3:])
        lines: list[str] = []
        with suppress(EOFError):  # What there is, counts.
            while line.endswith("\\"):
                lines.append(line[:-1])
                line = ""
                line = self._line(". ")
        return "\n".join([*lines, line]).strip()

    def save(self) -> None:
        """Keep the lines for the next chat."""
        if self._readline is not None and self._history is not None:
            with suppress(OSError):
                self._history.touch(mode=0o600, exist_ok=True)
                self._readline.write_history_file(str(self._history))

    def _quoted(self, line: str) -> str:
        lines: list[str] = []
        with suppress(EOFError):
            while not line.rstrip().endswith('"""'):
                lines.append(line)
                line = ""
                line = self._line(". ")
        return "\n".join([*lines, line.rstrip().removesuffix('"""')]).strip("\n")

    def _line(self, before: str) -> str:
        if not self.is_terminal:
            line = sys.stdin.readline()
            if not line:
                raise EOFError
            return _whole(line.rstrip("\r\n"))
        if self._colour:
            marks = ("\x01", "\x02") if self._readline is not None else ("", "")  # They take no room on the line.
            before = f"{marks[0]}{_CODES[0]}{marks[1]}{before}{marks[0]}{_CODES[1]}{marks[1]}"
        return reading_line(before)

    def _set_up(self, complete: Callable[[str], Iterable[str]]) -> None:
        readline = self._readline
        readline.set_completer_delims("")
        found: list[str] = []

        def completer(text: str, state: int) -> str | None:
            if state == 0:
                found[:] = [each for each in complete(text) if each.startswith(text)]
            return found[state] if state < len(found) else None

        readline.set_completer(completer)
        libedit = "libedit" in (readline.__doc__ or "")
        readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")
        if not libedit:  # Several lines that are pasted are one turn. Python switches this off.
            readline.parse_and_bind("set enable-bracketed-paste on")
        readline.set_history_length(_HISTORY)
        if self._history is not None:
            with suppress(OSError):
                readline.read_history_file(str(self._history))


def reading_line(before: str, text: str = "") -> str:
    """Read a line from the terminal, with a text to change where `readline` is there.

    Raises:
        EOFError: nothing more comes.
    """
    readline = _readline() if text else None
    if text and readline is None:
        print(f"  (now: {CONTROL.sub('', text)})")
    if readline is not None:
        readline.set_startup_hook(lambda: readline.insert_text(text))
    try:
        return _whole(input(before))
    finally:
        if readline is not None:
            readline.set_startup_hook()


def _readline() -> Any:
    try:
        import readline
    except ImportError:  # Windows has none.
        return None
    return readline


def _whole(line: str) -> str:
    """The line without halves of characters, which nothing could be sent with."""
    return line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def forget_typed() -> None:
    """Forget what was typed before it was asked for: a question must not be answered by it."""
    with suppress(ImportError, OSError, ValueError, _terminal_error()):
        import termios

        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


@contextmanager
def silent_keys() -> Generator[None]:
    """What is typed inside is not shown, where it would stand in the middle of an answer."""
    try:
        import termios

        fd = sys.stdin.fileno()
        before = termios.tcgetattr(fd)
        if not os.isatty(fd):
            raise ValueError
    except (ImportError, OSError, ValueError, _terminal_error()):
        yield
        return
    changed = termios.tcgetattr(fd)
    changed[3] &= ~termios.ECHO
    termios.tcsetattr(fd, termios.TCSANOW, changed)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSANOW, before)


def _terminal_error() -> type[Exception]:
    try:
        from termios import error
    except ImportError:
        return OSError
    return error
