"""Regular expressions of the user's, looked for in each line on its own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...errors import ConfigError
from ..redact import REDACTED
from ._hits import Hit

_GROUP = "secret"


class Patterns:
    """Compiled patterns.

    Args:
        patterns: regular expressions. Where one has a group named `secret`, only that group goes.

    Raises:
        ConfigError: one is no regular expression.
    """

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._all = [_compiled(pattern) for pattern in patterns]

    def hits(self, data: bytes, start: int) -> Iterator[Hit]:
        """Where they are found from `start`, the start of a line."""
        while start < len(data):
            end = data.find(b"\n", start) + 1 or len(data)
            yield from self._in_line(data[start:end].removesuffix(b"\n").decode("utf-8", "surrogateescape"), start)
            start = end

    def _in_line(self, line: str, start: int) -> Iterator[Hit]:
        for number, pattern in enumerate(self._all, 1):
            group = _GROUP if _GROUP in pattern.groupindex else 0
            for found in pattern.finditer(line):
                first, last = _beside_the_mark(line, *found.span(group))
                if last > first:
                    begin = start + _length(line[:first])
                    end = begin + _length(line[first:last])
                    yield Hit(begin, end, f"what pattern {number} looks for", 90)


def _beside_the_mark(line: str, first: int, last: int) -> tuple[int, int]:
    """The place with all of a REDACTED that it has a part of, so that no piece of one is left."""
    around = max(0, first - len(REDACTED))
    while last > first and 0 <= (mark := line.find(REDACTED, around)) < last:
        around = mark + len(REDACTED)
        if around > first:
            first, last = min(first, mark), max(last, around)
    return first, last


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ConfigError(f"the pattern {pattern!r} is no regular expression: {error}") from error
    if compiled.search("") and _GROUP not in compiled.groupindex:
        raise ConfigError(f"the pattern {pattern!r} fits where nothing stands: it should demand a character at least")
    return compiled
