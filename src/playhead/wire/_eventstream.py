"""
AWS event streams (`application/vnd.amazon.eventstream`), bytes in, messages out, and the other way.

A message is: its length, its headers' length, the CRC-32 of these two, the headers, the payload, and the CRC-32 of
all before it. Numbers are big-endian.

https://smithy.io/2.0/aws/amazon-eventstream.html
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import TypeAlias
from uuid import UUID

from ..errors import DecodeError

CONTENT_TYPE = "application/vnd.amazon.eventstream"

MAX_PAYLOAD = 24 * 1024 * 1024
"""Bytes that a message may carry, as Amazon's own clients have it."""

MAX_HEADERS = 128 * 1024
"""Bytes that a message's headers may have."""

EXCEPTION = b"exception:"
"""With what the name of an exception begins; its type follows."""

ERROR = b"error:"
"""With what the name of an error begins; its code follows."""

FAULT = b"fault:"
"""The name of what is no message: its data says what is wrong. Nothing comes after it."""

_PRELUDE = struct.Struct(">III")
_CRC = struct.Struct(">I")
_FRAME = _PRELUDE.size + _CRC.size


class Timestamp(int):
    """Milliseconds since 1970, as the value of a header."""


HeaderValue: TypeAlias = bool | int | Timestamp | bytes | str | UUID

_NUMBERS = {2: struct.Struct(">b"), 3: struct.Struct(">h"), 4: struct.Struct(">i"), 5: struct.Struct(">q")}
_LENGTH = struct.Struct(">H")


class EventStreamDecoder:
    """Feed bytes as they arrive; cuts may fall anywhere.

    Messages come as `(name, payload)`. An event's name is its type; those of exceptions and errors begin with
    `EXCEPTION` and `ERROR`. Bytes that are no message come as `FAULT`, so that what was whole before them is kept.
    """

    __slots__ = ("_buffer", "_checked", "_end", "_headers_end", "_over")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._end = 0
        self._headers_end = 0
        self._checked = False
        self._over = False

    @property
    def pending(self) -> bool:
        """Whether bytes came that have not become a message."""
        return bool(self._buffer)

    def feed(self, chunk: bytes) -> list[tuple[bytes, bytes]]:
        """The messages that end in this chunk."""
        out: list[tuple[bytes, bytes]] = []
        if self._over:
            return out
        self._buffer += chunk
        try:
            while (message := self._next()) is not None:
                out.append(message)
        except DecodeError as error:
            self._over = True
            self._buffer.clear()
            out.append((FAULT, str(error).encode()))
        return out

    def _next(self) -> tuple[bytes, bytes] | None:
        buffer = self._buffer
        if not self._checked:
            if len(buffer) < _PRELUDE.size:
                return None
            self._prelude()
        if len(buffer) < self._end:
            return None
        body = bytes(memoryview(buffer)[: self._end])
        del buffer[: self._end]  # A bytearray moves its beginning: this costs nothing.
        self._checked = False
        sent, computed = _CRC.unpack_from(body, self._end - _CRC.size)[0], zlib.crc32(body[: -_CRC.size])
        if sent != computed:
            raise DecodeError(
                f"a message of the event stream was damaged on its way: its checksum is {computed:08x}, and should "
                f"be {sent:08x}"
            )
        payload = body[self._headers_end : -_CRC.size]
        return _named(_parsed(body[_PRELUDE.size : self._headers_end]), payload)

    def _prelude(self) -> None:
        total, headers, crc = _PRELUDE.unpack_from(self._buffer)
        head = bytes(self._buffer[: _PRELUDE.size])
        if zlib.crc32(head[:8]) != crc:
            raise DecodeError(f"a message of an AWS event stream should begin here, but what comes is {head!r}")
        if headers > MAX_HEADERS or headers > total - _FRAME or total - headers - _FRAME > MAX_PAYLOAD:
            raise DecodeError(
                f"a message of the event stream says that it has {total} bytes, {headers} of them headers: at most "
                f"{MAX_PAYLOAD} and {MAX_HEADERS} are possible"
            )
        self._end, self._headers_end, self._checked = total, _PRELUDE.size + headers, True


def encode_message(headers: Mapping[str, HeaderValue], payload: bytes) -> bytes:
    """A message.

    Args:
        headers: whole numbers become `integer`, or `long` where they are too large for it.
        payload: at most `MAX_PAYLOAD` bytes.

    Raises:
        ValueError: a header's name or value, or all of them, or the payload, is too long.
    """
    head = b"".join(_header(name, value) for name, value in headers.items())
    if len(head) > MAX_HEADERS or len(payload) > MAX_PAYLOAD:
        raise ValueError(f"a message may have {MAX_HEADERS} bytes of headers and {MAX_PAYLOAD} of payload")
    lengths = struct.pack(">II", _FRAME + len(head) + len(payload), len(head))
    message = b"".join((lengths, _CRC.pack(zlib.crc32(lengths)), head, payload))
    return message + _CRC.pack(zlib.crc32(message))


def encode_event(name: str, payload: bytes) -> bytes:
    """An event whose payload is JSON."""
    return encode_message(
        {":event-type": name, ":content-type": "application/json", ":message-type": "event"}, payload
    )


def encode_exception(name: str, payload: bytes) -> bytes:
    """An exception whose payload is JSON. It ends the stream."""
    return encode_message(
        {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}, payload
    )


def parse_headers(data: bytes) -> dict[str, HeaderValue]:
    """The headers of a message.

    Raises:
        DecodeError: they stop in the middle, or one has a type that does not exist.
    """
    headers: dict[str, HeaderValue] = {}
    at = 0
    try:
        while at < len(data):
            end = at + 1 + data[at]
            name, kind = data[at + 1 : end].decode("utf-8", "replace"), data[end]
            headers[name], at = _value(kind, data, end + 1)
    except (IndexError, struct.error):
        raise DecodeError("the headers of a message of the event stream stop in the middle") from None
    return headers


def _value(kind: int, data: bytes, at: int) -> tuple[HeaderValue, int]:
    match kind:
        case 0 | 1:
            return kind == 0, at
        case 2 | 3 | 4 | 5:
            return _NUMBERS[kind].unpack_from(data, at)[0], at + _NUMBERS[kind].size
        case 6 | 7:
            end = at + 2 + _LENGTH.unpack_from(data, at)[0]
            value = _exactly(data, at + 2, end)
            return value if kind == 6 else value.decode("utf-8", "replace"), end
        case 8:
            return Timestamp(_NUMBERS[5].unpack_from(data, at)[0]), at + 8
        case 9:
            return UUID(bytes=_exactly(data, at, at + 16)), at + 16
        case _:
            raise DecodeError(f"a header of the event stream has the type {kind}: types go from 0 to 9")


def _exactly(data: bytes, start: int, end: int) -> bytes:
    if end > len(data):
        raise IndexError
    return data[start:end]


def _header(name: str, value: HeaderValue) -> bytes:
    encoded = name.encode()
    if not 0 < len(encoded) < 256:
        raise ValueError(f"a header's name has 1 to 255 bytes, and {name[:40]!r} has {len(encoded)}")
    return bytes((len(encoded),)) + encoded + _typed(value)


def _typed(value: HeaderValue) -> bytes:
    match value:
        case bool():
            return b"\x00" if value else b"\x01"
        case Timestamp():
            return b"\x08" + _NUMBERS[5].pack(value)
        case int():
            kind = 4 if -(1 << 31) <= value < 1 << 31 else 5
            return bytes((kind,)) + _NUMBERS[kind].pack(value)
        case UUID():
            return b"\x09" + value.bytes
        case bytes() | str():
            data = value if isinstance(value, bytes) else value.encode()
            if len(data) >= 1 << 15:
                raise ValueError(f"a header's value has at most 32767 bytes, and one has {len(data)}")
            return (b"\x06" if isinstance(value, bytes) else b"\x07") + _LENGTH.pack(len(data)) + data


_KINDS = {"exception": (EXCEPTION, ":exception-type"), "error": (ERROR, ":error-code")}


def _named(headers: Mapping[str, HeaderValue], payload: bytes) -> tuple[bytes, bytes]:
    kind = headers.get(":message-type")
    prefix, field = _KINDS.get(kind if isinstance(kind, str) else "", (b"", ":event-type"))
    if prefix == ERROR and not payload:
        payload = _word(headers, ":error-message")
    return prefix + _word(headers, field), payload


def _word(headers: Mapping[str, HeaderValue], name: str) -> bytes:
    value = headers.get(name)
    return value.encode() if isinstance(value, str) else b""


@lru_cache(maxsize=64)
def _repeated(data: bytes) -> Mapping[str, HeaderValue]:
    return parse_headers(data)


def _parsed(data: bytes) -> Mapping[str, HeaderValue]:
    """The headers; those of nearly all messages of a stream are the same."""
    return _repeated(data) if len(data) < 256 else parse_headers(data)
