"""
Whether a stream of events has said that it is over.

Clients of such streams read no further than its last event, and so never see the body's end.
"""

from __future__ import annotations

import re

_LINE_END = re.compile(rb"\r\n|\r|\n")

_DONE = re.compile(rb"data: ?\[DONE\]\s*")
"""How chat completions end. It counts without a blank line behind it: nothing is missing."""

_NAMES = rb"(message_stop|response\.(completed|incomplete|failed))"
"""The last events of Anthropic's messages and of OpenAI's responses."""

_LAST = re.compile(rb"event: ?" + _NAMES + rb"\s*\Z|data: ?\{\s*\"type\"\s*:\s*\"" + _NAMES + rb"\"")

_BEGINNING = 128
"""Bytes of a line that are looked at: the last event of a response holds all of it, and its name comes first."""


class LastWords:
    """Feed the pieces of a body as they arrive; cuts may fall anywhere."""

    def __init__(self) -> None:
        self._line = b""
        self._after_cr = False
        self._has_data = False
        self._is_last = False
        self._said = False

    @property
    def said(self) -> bool:
        """Whether the last event that came whole is one behind which nothing comes."""
        return self._said or _DONE.fullmatch(self._line) is not None

    def feed(self, data: bytes) -> None:
        """A piece of the body."""
        if not data:
            return
        ended_with_cr, self._after_cr = self._after_cr, data.endswith(b"\r")
        if ended_with_cr:
            data = data.removeprefix(b"\n")
        *whole, rest = _LINE_END.split(data)
        for line in whole:
            self._ended(self._line + line[:_BEGINNING])
            self._line = b""
        self._line = (self._line + rest[:_BEGINNING])[:_BEGINNING]

    def _ended(self, line: bytes) -> None:
        if not line:
            if self._has_data:
                self._said = self._is_last
            self._has_data = self._is_last = False
            return
        self._has_data |= line.startswith(b"data")
        if _DONE.fullmatch(line):
            self._said = self._is_last = True
        elif _LAST.match(line):
            self._is_last = True
