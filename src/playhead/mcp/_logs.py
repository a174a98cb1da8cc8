"""What a server says beside its answers goes to logging, under `playhead.mcp`, and never to the terminal."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Iterable
from typing import Any, TextIO, cast

logger = logging.getLogger("playhead.mcp")

_TAIL = 8
_LONGEST_LINE = 4096
_SHORTEST_SECRET = 6

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "notice": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "alert": logging.CRITICAL,
    "emergency": logging.CRITICAL,
}


class Mask:
    """Takes values that nobody should read out of texts.

    Args:
        values: those of environment variables and headers. Very short ones stay: they would be found in any text.
    """

    def __init__(self, values: Iterable[str]) -> None:
        known = {value for value in values if len(value) >= _SHORTEST_SECRET}
        words = {word for value in known for word in value.split() if len(word) >= _SHORTEST_SECRET}
        # The longest first, so that no half of a value is left; a header's scheme and key also count on their own.
        self._values = sorted(known | words, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """`text` without the values."""
        for value in self._values:
            text = text.replace(value, "[hidden]")
        return text

    def everywhere(self, value: Any) -> Any:
        """Plain JSON without the values."""
        if not self._values:
            return value
        if isinstance(value, str):
            return self(value)
        if isinstance(value, list):
            return [self.everywhere(each) for each in cast("list[Any]", value)]
        if isinstance(value, dict):
            return {key: self.everywhere(each) for key, each in cast("dict[str, Any]", value).items()}
        return value


class Stderr:
    """A pipe for a process's stderr, whose lines become log records.

    A thread reads it, as event loops cannot read such a pipe on every system. It ends with the last process that
    holds the other end.

    Args:
        name: the server's, for the records.
        mask: what takes secrets out of a line.

    Attributes:
        tail: the last lines.
        drained: set once all is read.
        pipe: what the process writes to. Close it as soon as the process has it.
    """

    def __init__(self, name: str, mask: Mask) -> None:
        self.tail: deque[str] = deque(maxlen=_TAIL)
        self.drained = threading.Event()
        reading, writing = os.pipe()
        self.pipe: TextIO = os.fdopen(writing, "w", encoding="utf-8")
        self._name, self._mask = name, mask
        threading.Thread(target=self._follow, args=(reading,), name=f"playhead mcp {name}", daemon=True).start()

    def _follow(self, reading: int) -> None:
        with os.fdopen(reading, "rb") as lines:
            while raw := lines.readline(_LONGEST_LINE):
                line = self._mask(raw.decode(errors="replace").rstrip())
                self.tail.append(line)
                logger.info("%s: %s", self._name, line)
        self.drained.set()


def log_message(name: str, mask: Mask, level: str, data: Any) -> None:
    """Log what a server sent as a `notifications/message`."""
    logger.log(_LEVELS.get(level, logging.INFO), "%s: %s", name, mask(data if isinstance(data, str) else repr(data)))


def keep_off_the_terminal() -> None:
    """Where a program has not set logging up, Python prints warnings to stderr, also those of the package `mcp`."""
    for name in ("playhead.mcp", "mcp"):
        log = logging.getLogger(name)
        if not any(isinstance(handler, logging.NullHandler) for handler in log.handlers):
            log.addHandler(logging.NullHandler())
