"""
Wire formats without I/O: messages to request bytes, response bytes to events.

Nothing here awaits, sleeps, reads a clock or knows a transport. A format is a module with

    PATH                                                     where it is served, below a provider's base URL
    encode_request(request, dialect, origin) -> Encoded      what to send, and what could not be said
    Decoder(origin).feed(bytes) -> list of events            however the bytes are cut
    Decoder(origin).close() -> list of events                the bytes are over
    read_error(body, status) -> ProviderError                what a refusal says
    describe_request(body) -> RequestSummary                 what a recorded request asked for
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Protocol

from ..errors import DecodeError, ProviderError
from ..events import MessageEvent
from ..messages import ModelRequest
from ._dialect import Dialect, Encoded, RequestSummary

__all__ = ["Decoder", "Dialect", "Encoded", "RequestSummary", "WireFormat", "wire_for_path", "wire_format"]

_NAMES = ("openai_chat",)


class Decoder(Protocol):
    """Response bytes in, events out; the same events however the bytes are cut.

    Where events came before an error in the same bytes, they are given, and the error is raised by the next call;
    `error` holds it at once.
    """

    error: DecodeError | ProviderError | None

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


class WireFormat(Protocol):
    """What a module of this package offers."""

    NAME: str
    PATH: str

    @property
    def encode_request(self) -> Callable[[ModelRequest, Dialect, str | None], Encoded]: ...

    @property
    def Decoder(self) -> Callable[[str | None], Decoder]: ...  # noqa: N802 - it is a class there

    @property
    def read_error(self) -> Callable[[bytes, int], ProviderError]: ...

    @property
    def describe_request(self) -> Callable[[bytes], RequestSummary]: ...


def wire_format(name: str) -> WireFormat:
    """The wire format called `name`, such as `openai_chat`.

    Raises:
        LookupError: there is no such format.
    """
    if name not in _NAMES:
        raise LookupError(f"there is no wire format {name!r}; there are: {', '.join(_NAMES)}")
    module: Any = importlib.import_module(f".{name}", __name__)
    return module


def wire_for_path(path: str) -> WireFormat | None:
    """The wire format that is served at the path of a URL, if it is one that is known."""
    found = (wire_format(name) for name in _NAMES)
    return next((wire for wire in found if path.rstrip("/").endswith(wire.PATH)), None)
