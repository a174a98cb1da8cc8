"""
Where in a body a fault strikes: bytes in, and out what comes before the place and, once it is found, what follows it.

However the bytes are cut, the place is the same, unless it is that of a piece. The first byte that is not white space
tells a stream of events from a JSON body, as for decoders; the content type is not asked.
"""

from __future__ import annotations

import json
import re
from typing import Literal, Protocol, TypeAlias

Found: TypeAlias = tuple[bytes, bytes | None]
"""What may pass, and what follows the place; None where the place was not reached yet."""

_MARK = b"\xef\xbb\xbf"
_BLANK = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n))")
"""What ends an event: two ends of a line, of which a CR LF is one. (Spelled out twice it is searched for fast.)"""

_DATA = re.compile(rb"(?:\A(?:\xef\xbb\xbf)?|[\r\n])data:[ ]*\S")
_END = re.compile(rb'(?:\A|[\r\n])data:\s*(?:\[DONE\]\s*\Z|\{"type"\s*:\s*"message_stop")')
"""What says that a stream is over, and nothing else: in chat completions and in messages."""

_STRING = rb'"((?:[^"\\]|\\.)*)"'
_DELTA = re.compile(
    rb'"(?:content|reasoning|reasoning_content|refusal|text|thinking|delta|partial_json|arguments)"\s*:\s*"[^"]'
    rb'|"functionCall"\s*:'
)
"""What adds something to an answer: in chat completions, responses, messages and Gemini's format."""

_ARGUMENTS = re.compile(rb'"(?:arguments|partial_json)"\s*:\s*' + _STRING, re.DOTALL)
_RESPONSES = re.compile(rb'_call_(?:arguments|input)\.delta"')
_RESPONSES_DELTA = re.compile(rb'"delta"\s*:\s*' + _STRING, re.DOTALL)
"""Arguments as text. A quote inside a JSON string is escaped, so that these match keys and nothing that was said."""

_OBJECTS = {
    b'"functionCall"': re.compile(rb'"args"\s*:\s*(?=\{)'),
    b'"tool_use"': re.compile(rb'"input"\s*:\s*(?=\{)'),
}
"""Arguments as an object: Gemini's, and those of a message that is not streamed."""

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}]', re.DOTALL)


class Place(Protocol):
    """Somewhere in a body."""

    def feed(self, data: bytes) -> Found:
        """Take some bytes. No more is fed once the place was found."""
        ...

    def end(self) -> Found:
        """The body is over."""
        ...


class AfterBytes:
    """Behind a number of bytes.

    Args:
        count: how many.
        more: whether the place is there only if something follows it.
    """

    def __init__(self, count: int, *, more: bool = False) -> None:
        self._left = count
        self._least = 1 if more else 0

    def feed(self, data: bytes) -> Found:
        """See `Place`."""
        if self._left + self._least <= len(data):
            return data[: self._left], data[self._left :]
        self._left -= len(data)
        return data, None

    def end(self) -> Found:
        """See `Place`."""
        return b"", b"" if self._left + self._least <= 0 else None


class _InEvents:
    """Looks at a stream event by event, and may look at a whole JSON body. All else passes."""

    def __init__(self) -> None:
        self._kind: Literal["stream", "json", "other"] | None = None
        self._held = bytearray()
        self._seen = 0

    def feed(self, data: bytes) -> Found:
        """See `Place`."""
        self._held += data
        if self._kind is None:
            self._kind = _kind(bytes(self._held))
        if self._kind == "stream":
            return self._events()
        if self._kind is None or (self._kind == "json" and self.holds_json):
            return b"", None
        return self.piece(self._all())

    def end(self) -> Found:
        """See `Place`."""
        if self._kind == "json" and self.holds_json:
            return self.whole(self._all())
        passed, behind = self._events(over=True)
        if behind is not None:
            return passed, behind
        last, behind = self.last(self._all())
        return passed + last, behind

    holds_json = False
    """Whether a JSON body is looked at whole."""

    def event(self, event: bytes) -> int | None:
        """Where the place is in an event, its empty line included; None where it is not in it."""
        raise NotImplementedError

    def piece(self, data: bytes) -> Found:
        """A piece of a body that is no stream."""
        return data, None

    def whole(self, body: bytes) -> Found:
        """A whole JSON body."""
        return body, None

    def last(self, rest: bytes) -> Found:
        """What stands behind a stream's last event."""
        return rest, None

    def _events(self, *, over: bool = False) -> Found:
        passed = bytearray()
        while blank := _BLANK.search(self._held, self._seen):
            if blank.end() == len(self._held) and self._held.endswith(b"\r") and not over:
                break  # A line feed may follow, which belongs to it.
            event = bytes(self._held[: blank.end()])
            del self._held[: blank.end()]
            self._seen = 0
            at = self.event(event)
            if at is not None:
                return bytes(passed) + event[:at], event[at:] + self._all()
            passed += event
        self._seen = max(0, len(self._held) - 3)
        return bytes(passed), None

    def _all(self) -> bytes:
        rest = bytes(self._held)
        self._held.clear()
        return rest


class FirstPiece(_InEvents):
    """Behind the first event of a stream that has data; in any other body, behind its first piece.

    Args:
        half: of any other body, in the middle of the first piece.
    """

    def __init__(self, *, half: bool) -> None:
        super().__init__()
        self._half = half

    def event(self, event: bytes) -> int | None:
        return len(event) if _DATA.search(event) else None

    def piece(self, data: bytes) -> Found:
        at = len(data) // 2 if self._half else len(data)
        return data[:at], data[at:]


class EventEnd(_InEvents):
    """Behind an event of a stream; `found` is then that event.

    Args:
        number: which, from 1, of those that have data; None is the first that adds something to the answer.
    """

    def __init__(self, number: int | None) -> None:
        super().__init__()
        self._number = number
        self._count = 0
        self.found = b""

    def event(self, event: bytes) -> int | None:
        if not _DATA.search(event):
            return None
        self._count += 1
        if self._count != self._number if self._number else not _DELTA.search(event):
            return None
        self.found = event
        return len(event)


class LastEvent(_InEvents):
    """In the middle of a JSON body, or of the last event of a stream, but for what only says that it is over. To know
    which is the last, each event waits for the next."""

    holds_json = True

    def __init__(self) -> None:
        super().__init__()
        self._last = b""
        self._behind = b""

    def event(self, event: bytes) -> int | None:
        if not _DATA.search(event) or _END.search(event):
            self._behind += event
        else:
            self._passed += self._last + self._behind
            self._last, self._behind = event, b""
        return None

    def whole(self, body: bytes) -> Found:
        return body[: len(body) // 2], body[len(body) // 2 :]

    def last(self, rest: bytes) -> Found:
        self.event(rest)
        passed = self._released()
        if not self._last:
            return passed + self._behind, None
        at = len(self._last) // 2
        return passed + self._last[:at], self._last[at:] + self._behind

    def _events(self, *, over: bool = False) -> Found:
        super()._events(over=over)
        return self._released(), None

    _passed = b""

    def _released(self) -> bytes:
        passed, self._passed = self._passed, b""
        return passed


class InToolCall(_InEvents):
    """In the middle of the arguments of the first tool call.

    Where they come in pieces the first of them passes, so that the client has heard of the call.
    """

    holds_json = True

    def __init__(self) -> None:
        super().__init__()
        self._begun = False

    def event(self, event: bytes) -> int | None:
        for start, end, text in _arguments(event, streamed=True):
            if self._begun or not text or _is_json(event[start:end]):
                return (start + end) // 2
            self._begun = True
        return None

    def whole(self, body: bytes) -> Found:
        for start, end, _ in _arguments(body, streamed=False):
            return body[: (start + end) // 2], body[(start + end) // 2 :]
        return body, None


def _kind(head: bytes) -> Literal["stream", "json", "other"] | None:
    text = head.removeprefix(_MARK).lstrip(b" \t\r\n")
    if not text or _MARK.startswith(head):
        return None
    return "json" if text[0] in b"{[" else "stream" if text[0] in b":deir" else "other"


def _arguments(data: bytes, *, streamed: bool) -> list[tuple[int, int, bool]]:
    """Where arguments of tool calls stand, those that are empty left out, and whether they are text."""
    spans = [(*found.span(1), True) for found in _ARGUMENTS.finditer(data)]
    if streamed and _RESPONSES.search(data):
        spans += [(*found.span(1), True) for found in _RESPONSES_DELTA.finditer(data)]
    for key, pattern in _OBJECTS.items():
        if key in data and not (streamed and key == b'"tool_use"'):
            spans += [(found.end(), _object_end(data, found.end()), False) for found in pattern.finditer(data)]
    return sorted(span for span in spans if span[0] < span[1])


def _object_end(data: bytes, start: int) -> int:
    depth = 0
    for token in _TOKEN.finditer(data, start):
        depth += {b"{": 1, b"}": -1}.get(token[0], 0)
        if depth == 0:
            return token.end()
    return len(data)


def _is_json(escaped: bytes) -> bool:
    """Whether a piece of arguments is the whole of them."""
    try:
        json.loads(json.loads(b'"' + escaped + b'"'))
    except (ValueError, RecursionError):
        return False
    return True
