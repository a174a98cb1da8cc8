"""What the decoders of all formats have in common: where bytes become events of a stream, or one body."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Protocol

from ..errors import DecodeError, ProviderError, TruncatedStream
from ..events import MessageEvent
from ..messages import ModelResponse
from ._assembler import Assembler
from ._json import JSONObject, loads, obj
from ._sse import SSEDecoder

MAX_BODY = 256 * 1024 * 1024
"""Bytes that an answer which is not a stream may have."""

_MARK = b"\xef\xbb\xbf"

_FIELDS = re.compile(rb"(:|(data|event|id|retry)(:|$)|d$|da$|dat$|e$|ev$|eve$|even$|i$|r$|re$|ret$|retr$)")
"""With what a stream of events begins; it may be cut off within the first word."""


class Framing(Protocol):
    """What cuts a stream into events."""

    @property
    def pending(self) -> bool:
        """Whether bytes came that have not become an event."""
        ...

    def feed(self, chunk: bytes) -> list[tuple[bytes, bytes]]:
        """The events that end in this chunk, as `(name, data)`."""
        ...


class BaseDecoder:
    """Response bytes in, events out: of a stream of events, or of one JSON body, whichever comes.

    The first byte that is not white space tells them apart, so that a server which does not stream when it was asked
    to is understood all the same. What came before an error is given first, so that cuts in the bytes make no
    difference.

    A format says what an event means (`_event`), what a whole body means (`_whole`), and whether the answer may end
    where the bytes do (`_over`). It ends the answer itself, by `self._out.end()`, where the format has a last event.

    Args:
        origin: the provider that answers, noted on opaque data.
    """

    WIRE: ClassVar[str]

    def __init__(self, origin: str | None = None) -> None:
        self._out = Assembler(origin, self.WIRE)
        self._frames: Framing = SSEDecoder()
        self._body: bytearray | None = None
        self._sniffed = False
        self._head: bytes = b""
        self.error: DecodeError | ProviderError | None = None

    @property
    def so_far(self) -> ModelResponse | None:
        """What is known of the answer, whole or not. See `playhead.wire.Decoder`."""
        return self._out.so_far

    @property
    def whole(self) -> bool:
        """Whether the answer has come to its end."""
        return self._out.state == "done"

    def feed(self, data: bytes) -> list[MessageEvent]:
        """Take some bytes. See `playhead.wire.Decoder`."""
        if self._out.state in ("done", "failed"):
            return self._stopped()
        try:
            self._bytes(data)
        except (DecodeError, ProviderError) as error:
            return self._failed(error)
        return self._out.take()

    def close(self) -> list[MessageEvent]:
        """The body is over. See `playhead.wire.Decoder`."""
        if self._out.state in ("done", "failed"):
            return self._stopped()
        try:
            if self._body is not None:
                self._whole(loads(bytes(self._body), "the answer"))
            elif self._out.state == "idle" and self._head and not self._begins_well():
                shown = self._head.decode("utf-8", "replace")
                raise DecodeError(f"the answer should be JSON or a stream of events, but begins with {shown!r}")
            elif self._frames.pending:
                raise TruncatedStream("the stream stops in the middle of an event")
            else:
                self._over()
            self._out.end()
        except (DecodeError, ProviderError) as error:
            return self._failed(error)
        return self._out.take()

    def _event(self, name: bytes, data: bytes) -> None:
        """One event of a stream."""
        raise NotImplementedError

    def _whole(self, body: Any) -> None:
        """A body that is no stream, decoded. The answer is ended behind it."""
        raise NotImplementedError

    def _over(self) -> None:
        """The stream is over. Raises TruncatedStream unless the answer is whole; it is ended behind it."""
        raise NotImplementedError

    def _begins_well(self) -> bool:
        """Whether the first bytes are those of a stream of events."""
        return _FIELDS.match(self._head) is not None

    def _is_body(self, head: bytes) -> bool:
        """Whether the first bytes are those of a body that is no stream."""
        return head[0] in b"{[<"

    def _bytes(self, data: bytes) -> None:
        if not self._sniffed:
            whole = self._head + data
            data = whole.removeprefix(_MARK).lstrip(b" \t\r\n")
            if not data or _MARK.startswith(whole):
                self._head = whole[:3]  # White space, a byte-order mark, or the beginning of one.
                return
            self._sniffed, self._head = True, data[:80]
            if self._is_body(data):
                self._body = bytearray()
        if self._body is not None:
            self._body += data
            if len(self._body) > MAX_BODY:
                raise DecodeError(f"the answer is longer than {MAX_BODY} bytes")
            return
        for name, payload in self._frames.feed(data):
            self._event(name, payload)
            if self._out.state == "done":
                return

    def _failed(self, error: DecodeError | ProviderError) -> list[MessageEvent]:
        self._out.fail()
        self.error = error
        if events := self._out.take():
            return events
        raise error

    def _stopped(self) -> list[MessageEvent]:
        if self.error is not None:
            raise self.error
        return []


def event_object(payload: bytes) -> JSONObject:
    """The JSON object in an event of a stream. What is cut in a whole event was cut by the provider.

    Raises:
        DecodeError: it is none.
    """
    try:
        return object_of(loads(payload, "an event of the stream"), payload, "an event of the stream")
    except TruncatedStream as error:
        raise DecodeError(str(error)) from error


def object_of(value: Any, shown: bytes | str, what: str) -> JSONObject:
    """`value` if it is an object.

    Raises:
        DecodeError: it is something else.
    """
    if not isinstance(value, dict):
        begins = shown[:80].decode("utf-8", "replace") if isinstance(shown, bytes) else shown[:80]
        raise DecodeError(f"{what} should be a JSON object, but is {begins!r}")
    return obj(value)  # pyright: ignore[reportUnknownArgumentType]
