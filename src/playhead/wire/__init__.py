"""
Wire formats without I/O: messages to request bytes, response bytes to events; and the other half, for a server:
request bytes to messages, events to response bytes.

Nothing here awaits, sleeps, reads a clock or knows a transport. A format is a module with

    NAME, PATH, STREAM_PATH, STREAM_TYPE                     its name, where it is served, what its streams are called
    encode_request(request, dialect, origin) -> Encoded      what to send, and what could not be said
    Decoder(origin).feed(bytes) -> list of events            however the bytes are cut
    Decoder(origin).close() -> list of events                the bytes are over
    read_error(body, status) -> ProviderError                what a refusal says
    decode_request(body, path, origin) -> ModelRequest       what somebody else's request asks for
    Encoder(stream).send(event) -> bytes                     the answer to it
    encode_error(error) -> (status, bytes)                   a refusal of it
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import Any, Protocol

from ..errors import DecodeError, PlayheadError, ProviderError
from ..events import MessageEvent
from ..messages import ModelRequest, ModelResponse
from ._describe import describe_request
from ._dialect import Dialect, Encoded, RequestSummary

__all__ = [
    "WIRE_FORMATS",
    "Decoder",
    "Dialect",
    "Encoded",
    "Encoder",
    "RequestSummary",
    "WireFormat",
    "describe_request",
    "wire_for_path",
    "wire_format",
]

WIRE_FORMATS = ("openai_chat", "openai_responses", "anthropic", "gemini", "bedrock", "bedrock_converse")
"""The names of the wire formats."""

_PATHS = {
    "openai_chat": re.compile(r"/chat/completions$"),
    "openai_responses": re.compile(r"/responses$"),
    "anthropic": re.compile(r"/messages$|/publishers/anthropic/models/[^/]+:(rawP|streamRawP)redict$"),
    "gemini": re.compile(r"/[^/]+:(generateContent|streamGenerateContent)$"),
    "bedrock": re.compile(r"/model/[^/]+/invoke(-with-response-stream)?$"),
    "bedrock_converse": re.compile(r"/model/[^/]+/converse(-stream)?$"),
}
"""The paths at which a format is served: known without loading the format."""

_NOT_OURS = re.compile(r"/threads/[^/]+/messages$")  # OpenAI's assistants have messages, too.


class Decoder(Protocol):
    """Response bytes in, events out; the same events however the bytes are cut.

    Where events came before an error in the same bytes, they are given, and the error is raised by the next call;
    `error` holds it at once.
    """

    error: DecodeError | ProviderError | None

    @property
    def so_far(self) -> ModelResponse | None:
        """What is known of the answer, whole or not: its parts, usage and cost. None before its first fact."""
        ...

    @property
    def whole(self) -> bool:
        """Whether the answer has come to its end."""
        ...

    def feed(self, data: bytes) -> list[MessageEvent]:
        """Take some bytes.

        Raises:
            DecodeError: the provider broke its format.
            ProviderError: the provider reported an error inside the body.
        """
        ...

    def close(self) -> list[MessageEvent]:
        """The body is over.

        Raises:
            TruncatedStream: it ended before the provider said that it was finished.
        """
        ...


class Encoder(Protocol):
    """Events in, response bytes out: a stream, or one JSON body that comes with the last event."""

    @property
    def losses(self) -> tuple[str, ...]:
        """What the format could not say so far, one sentence each."""
        ...

    def send(self, event: MessageEvent) -> bytes:
        """The bytes that say this event; they may be none. With `MessageEnd` comes all that is left.

        Raises:
            EncodeError: the format cannot say it, and leaving it out would change the answer.
        """
        ...

    def fail(self, error: PlayheadError) -> bytes:
        """How a stream that has begun says that it breaks off."""
        ...


class WireFormat(Protocol):
    """What a module of this package offers."""

    NAME: str
    PATH: str
    STREAM_PATH: str
    STREAM_TYPE: str

    @property
    def encode_request(self) -> Callable[[ModelRequest, Dialect, str | None], Encoded]: ...

    @property
    def Decoder(self) -> Callable[[str | None], Decoder]: ...  # noqa: N802 - it is a class there

    @property
    def read_error(self) -> Callable[[bytes, int], ProviderError]: ...

    @property
    def decode_request(self) -> Callable[[bytes, str, str | None], ModelRequest]: ...

    @property
    def Encoder(self) -> Callable[[bool], Encoder]: ...  # noqa: N802 - it is a class there

    @property
    def encode_error(self) -> Callable[[PlayheadError], tuple[int, bytes]]: ...


def wire_format(name: str) -> WireFormat:
    """The wire format called `name`, such as `openai_chat`.

    Raises:
        LookupError: there is no such format.
    """
    if name not in WIRE_FORMATS:
        raise LookupError(f"there is no wire format {name!r}; there are: {', '.join(WIRE_FORMATS)}")
    module: Any = importlib.import_module(f".{name}", __name__)
    return module


def wire_for_path(path: str) -> WireFormat | None:
    """The wire format that is served at the path of a URL, if it is one that is known."""
    path = path.rstrip("/")
    found = next((name for name, served in _PATHS.items() if served.search(path)), None)
    return wire_format(found) if found in WIRE_FORMATS and not _NOT_OURS.search(path) else None
