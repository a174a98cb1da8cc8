"""
Server-Sent Events, bytes in, events out.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

from ..errors import DecodeError

MAX_EVENT = 64 * 1024 * 1024
"""Bytes that one event may have; a stream without line ends must not fill the memory."""


class SSEDecoder:
    """Feed bytes as they arrive; cuts may fall anywhere, even between CR and LF or inside a character.

    Events come as `(name, data)`, with `data` as bytes: the payload's decoder reads those faster than text.
    """

    __slots__ = ("_data", "_event", "_held", "_skip_lf", "_start", "_tail")

    def __init__(self) -> None:
        self._tail: list[bytes] = []  # Pieces of a line: joined once, since joining each time costs the square.
        self._data: list[bytes] = []
        self._held = 0
        self._event = b""
        self._skip_lf = False
        self._start = True

    def feed(self, chunk: bytes) -> list[tuple[bytes, bytes]]:
        """The events that end in this chunk."""
        if self._plain(chunk):
            return [(b"message", chunk[6:-2])]
        out: list[tuple[bytes, bytes]] = []
        for line in self._lines(chunk):
            if line:
                self._field(line)
            elif self._data:
                out.append((self._event or b"message", b"\n".join(self._data)))
                self._data, self._event, self._held = [], b"", 0
            else:
                self._event, self._held = b"", 0
        return out

    @property
    def pending(self) -> bool:
        """Whether bytes came that have not become an event."""
        return bool(self._tail or self._data)

    def _plain(self, chunk: bytes) -> bool:
        """Whether this chunk is one whole event of one data line, as nearly all are, with nothing before it."""
        return (
            chunk.startswith(b"data: ")
            and chunk.find(b"\n") == len(chunk) - 2
            and chunk.endswith(b"\n\n")
            and b"\r" not in chunk
            and not (self._start or self._tail or self._data or self._skip_lf or self._event)
        )

    def _lines(self, chunk: bytes) -> list[bytes]:
        if self._skip_lf and chunk:
            self._skip_lf = False
            chunk = chunk.removeprefix(b"\n")
        if chunk.endswith(b"\r"):
            self._skip_lf = True
        if self._start and chunk:
            chunk = b"".join([*self._tail, chunk])
            if len(chunk) < 3 and b"\xef\xbb\xbf".startswith(chunk):
                self._tail = [chunk]
                return []
            chunk, self._tail, self._start = chunk.removeprefix(b"\xef\xbb\xbf"), [], False
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        first, *lines = chunk.split(b"\n")
        self._held += len(chunk)
        if self._held > MAX_EVENT and not lines:
            raise DecodeError(f"an event of the stream is longer than {MAX_EVENT} bytes")
        if first:
            self._tail.append(first)
        if not lines:
            return []
        whole, last = b"".join(self._tail), lines.pop()
        self._tail = [last] if last else []
        return [whole, *lines]

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
        elif name == b"event":
            self._event = value.removeprefix(b" ")
        # An empty name is a comment; `id`, `retry` and unknown fields do not concern us.
