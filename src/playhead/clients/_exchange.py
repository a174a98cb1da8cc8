"""What an exchange is, whatever client makes it: what is asked, how it is recorded, and what a client is shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

import msgspec

from ..errors import TapeError, TransportError
from ..http import Headers, Request
from ..tape.effects import Interaction
from ..tape.lanes import lane_on
from ..tape.opened import OpenTape
from ..tape.recorder import CallRecording
from ._last_words import LastWords

_ENCODING = "accept-encoding"

_NOT_SHOWN = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer", "transfer-encoding"),
        *("upgrade", "content-encoding", "content-length"),
    }
)
"""Headers that say how a body came over its connection, and nothing of the body that is played."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"([!-~\x80-\xff]([\t -~\x80-\xff]*[!-~\x80-\xff])?)?")
"""A field's name and value: RFC 9110, section 5. Pseudo-headers of HTTP/2, such as `:status`, are none."""

_QUERY = re.compile(r"\?[^\s'\")]*")


class Asked(Request, frozen=True, kw_only=True):
    """A request that goes by a tape.

    Attributes:
        tape: that one.
        native: the request as the client's package made it.
        read_timeout: seconds without a byte before the client gives up; None is never.
        left: called where the client leaves and there is no time to wait.
    """

    tape: OpenTape
    native: Any = None
    read_timeout: float | None = None
    left: list[Callable[[], None]] = msgspec.field(default_factory=list[Callable[[], None]])


class NativeError(TransportError):
    """An error of the client's own package, on its way through a tape.

    Args:
        native: that error.
        kind: `connect`, `timeout`, `disconnect` or `protocol`.
        message: what is recorded of it, where its own text is not what it should be.
    """

    def __init__(self, native: BaseException, kind: str, message: str = "") -> None:
        super().__init__(without_queries(message or str(native)) or type(native).__name__, kind=kind)
        self.native = native


class Reading:
    """Records an answer while it is read."""

    def __init__(self, recording: CallRecording) -> None:
        self._recording = recording
        self._last_words = LastWords()

    def head(self, status: int, reason: str, http_version: str, headers: Headers) -> None:
        """The answer's headers are there."""
        self._recording.head(status, reason, http_version, headers)

    def piece(self, data: bytes) -> None:
        """A piece of the body is there."""
        self._recording.chunk(data)
        self._last_words.feed(data)

    def complete(self) -> None:
        """The body is over."""
        self._recording.end("complete")

    def failed(self, error: TransportError) -> None:
        """No whole answer came."""
        self._recording.end("failed", {"kind": error.kind, "message": str(error)})

    def left(self) -> None:
        """The client reads no further. It may have seen all of it."""
        if self._last_words.said:
            self._recording.settle("whole")
        try:
            self._recording.end("interrupted")  # Of several ends the first counts.
        except TapeError:
            pass  # The tape was closed before: what has no end on it counts as interrupted.


def lane(request: Request) -> str:
    """The lane in which a request is sent: what is tried again is tried again there."""
    return lane_on(cast("Asked", request).tape)


def unencoded(headers: Headers) -> Headers:
    """The headers of a request that is recorded: whoever compresses a stream holds it back."""
    return (*(pair for pair in headers if pair[0].lower() != _ENCODING), ("Accept-Encoding", "identity"))


def decoded(headers: Headers) -> Headers:
    """The headers of an answer whose body was decoded."""
    return tuple(pair for pair in headers if pair[0].lower() not in ("content-encoding", "content-length"))


def shown(interaction: Interaction) -> Headers:
    """The headers of an answer that is played: those that are true of the body as it is played."""
    length = str(len(interaction.body)) if interaction.ended == "complete" else ""
    encoded = any(name.lower() in ("content-encoding", "transfer-encoding") for name, _ in interaction.headers)
    return tuple(
        (name, value)
        for name, value in interaction.headers
        if _NAME.fullmatch(name)
        and _VALUE.fullmatch(value)
        and (name.lower() not in _NOT_SHOWN or (name.lower() == "content-length" and value == length and not encoded))
    )


def without_queries(text: str) -> str:
    """A message without the queries of URLs in it, which may hold a key."""
    return _QUERY.sub("?...", text)
