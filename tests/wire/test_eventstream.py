"""AWS event streams: the same messages however the bytes are cut, and the same as Amazon's own reader finds."""

from __future__ import annotations

import struct
import zlib
from typing import Any
from uuid import UUID

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import expected, shared_tape
from playhead.errors import DecodeError
from playhead.tape.files import load_tape
from playhead.wire._eventstream import (
    FAULT,
    EventStreamDecoder,
    Timestamp,
    encode_event,
    encode_exception,
    encode_message,
    parse_headers,
)

HEADERS: dict[str, Any] = {
    "yes": True,
    "no": False,
    "int": -5,
    "long": 1 << 40,
    "bytes": b"\x00\xff",
    "text": "olá",
    "when": Timestamp(1_700_000_000_123),
    "id": UUID(int=7),
}
STREAMS = [
    (name, response["id"])
    for name, cassette in expected().items()
    for response in cassette["responses"]
    if response.get("framing") == "aws-eventstream"
] or [("recorded", 0)]


def feed(*chunks: bytes) -> list[tuple[bytes, bytes]]:
    decoder = EventStreamDecoder()
    return [message for chunk in chunks for message in decoder.feed(chunk)]


def botocores(data: bytes) -> list[Any]:
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return list(buffer)


def test_headers_of_all_types_are_read_as_they_were_written_and_as_botocore_reads_them() -> None:
    message = encode_message(HEADERS, b"payload")
    [theirs] = botocores(message)
    ours = parse_headers(message[12 : 12 + struct.unpack(">I", message[4:8])[0]])
    assert ours == HEADERS
    assert {name: type(value) for name, value in ours.items()} == {
        name: type(value) for name, value in HEADERS.items()
    }
    assert theirs.headers == HEADERS | {"id": HEADERS["id"].bytes}
    assert theirs.payload == b"payload"


def test_the_small_numbers_that_only_others_write_are_read() -> None:
    assert parse_headers(b"\x01a\x02\xff" + b"\x01b\x03\x01\x00") == {"a": -1, "b": 256}


@pytest.mark.parametrize(
    ("headers", "name", "data"),
    [
        ({":message-type": "event", ":event-type": "chunk"}, b"chunk", b"{}"),
        ({":event-type": "chunk"}, b"chunk", b"{}"),
        (
            {":message-type": "exception", ":exception-type": "throttlingException"},
            b"exception:throttlingException",
            b"{}",
        ),
        ({":message-type": "error", ":error-code": "500", ":error-message": "oh"}, b"error:500", b"oh"),
        ({}, b"", b"{}"),
    ],
)
def test_events_exceptions_and_errors_are_told_apart(headers: dict[str, Any], name: bytes, data: bytes) -> None:
    assert feed(encode_message(headers, b"" if data == b"oh" else data)) == [(name, data)]


@pytest.mark.parametrize(("name", "n"), STREAMS)
def test_recorded_streams_are_read_as_botocore_reads_them_and_written_as_they_were(name: str, n: int) -> None:
    data = load_tape(shared_tape(name)).interactions[n].body
    theirs = botocores(data)
    whole = feed(data)
    assert whole == [(message.headers[":event-type"].encode(), message.payload) for message in theirs]
    assert feed(*(data[i : i + 1] for i in range(len(data)))) == whole
    assert b"".join(encode_event(kind.decode(), payload) for kind, payload in whole) == data


@given(st.lists(st.binary(max_size=50), max_size=5), st.data())
@settings(deadline=None)
def test_wherever_it_is_cut_the_messages_are_the_same(payloads: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(encode_event("e", payload) for payload in payloads)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    decoder = EventStreamDecoder()
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert [message for piece in pieces for message in decoder.feed(piece)] == [(b"e", p) for p in payloads]
    assert not decoder.pending


def test_a_stream_that_stops_within_a_message_is_pending() -> None:
    message = encode_event("e", b"{}")
    for at in range(1, len(message)):
        decoder = EventStreamDecoder()
        assert decoder.feed(message[:at]) == []
        assert decoder.pending


def test_whatever_bit_is_flipped_no_message_comes_of_it_and_what_was_whole_before_it_does() -> None:
    first, second = encode_event("a", b"{}"), encode_event("b", b'{"x":1}')
    for bit in range(len(second) * 8):
        damaged = bytearray(second)
        damaged[bit // 8] ^= 1 << bit % 8
        [message, (name, words)] = feed(first + bytes(damaged), second)
        assert (message, name) == ((b"a", b"{}"), FAULT)
        assert b"checksum" in words or b"should begin here" in words


@pytest.mark.parametrize(
    ("total", "headers"),
    [(0, 0), (15, 0), (16, 1), (20, 5), (16 + (25 << 20), 0), (16 + (1 << 20), 1 << 20), (0xFFFFFFFF, 0)],
)
def test_impossible_lengths_are_refused_before_anything_is_kept(total: int, headers: int) -> None:
    lengths = struct.pack(">II", total, headers)
    [(name, words)] = feed(lengths + struct.pack(">I", zlib.crc32(lengths)))
    assert name == FAULT
    assert str(total).encode() in words


def test_what_is_no_event_stream_is_named() -> None:
    [(name, words)] = feed(b"Service Unavailable")
    assert name == FAULT
    assert b"'Service Unav'" in words


@pytest.mark.parametrize("data", [b"\x05ab", b"\x01a", b"\x01a\x07\x00\x09x", b"\x01a\x04\x00", b"\x01a\x09\x00"])
def test_headers_that_stop_in_the_middle_are_refused(data: bytes) -> None:
    with pytest.raises(DecodeError, match="stop in the middle"):
        parse_headers(data)


def test_headers_of_an_unknown_type_are_refused() -> None:
    with pytest.raises(DecodeError, match="type 10"):
        parse_headers(b"\x01a\x0a")


def test_what_is_too_long_is_not_written() -> None:
    for headers in ({"": 1}, {"a" * 256: 1}, {"a": "x" * 40_000}, {f"{n}": "x" * 30_000 for n in range(5)}):
        with pytest.raises(ValueError, match="bytes"):
            encode_message(headers, b"")
    with pytest.raises(ValueError, match="payload"):
        encode_message({}, bytes((24 << 20) + 1))


def test_exceptions_are_read_by_botocore() -> None:
    [message] = botocores(encode_exception("throttlingException", b'{"message":"slow"}'))
    assert message.to_response_dict()["status_code"] == 400
    assert message.headers[":exception-type"] == "throttlingException"


@given(st.lists(st.binary(max_size=60), max_size=5))
@settings(deadline=None)
def test_random_bytes_give_messages_or_one_fault(chunks: list[bytes]) -> None:
    messages = feed(*chunks)
    assert all(name != FAULT for name, _ in messages[:-1])
