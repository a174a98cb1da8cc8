"""Playhead's own format: it holds everything, and whatever is cut off at its end costs nothing else."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import expected, shared_tape
from playhead import Interaction, Tape, TapeFormatError, ToolRun, load_tape
from playhead.http import Request
from playhead.tape.formats.native import VERSION, dump, load, pack, unpack

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SECONDS = st.none() | st.floats(0, 1e6, allow_nan=False)
HEADERS = st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple)
BYTES = st.binary(max_size=40) | TEXT.map(str.encode)
CHUNKS = st.lists(BYTES, max_size=4).map(tuple)
REQUESTS = st.builds(Request, st.sampled_from(["GET", "POST"]), TEXT, HEADERS, BYTES)
JSON_OBJECTS = st.dictionaries(TEXT, TEXT | st.integers(-(2**53), 2**53) | st.none(), max_size=3)


@st.composite
def interactions(draw: st.DrawFn) -> Interaction:
    chunks = draw(CHUNKS)
    times = draw(st.none() | st.tuples(*(st.floats(0, 1e6) for _ in chunks))) if chunks else None
    status = draw(st.none() | st.integers(100, 599))
    answered: dict[str, Any] = {}
    if status is not None:
        answered = {"reason": draw(TEXT), "http_version": draw(TEXT), "headers": draw(HEADERS), "chunks": chunks}
    ended = draw(st.sampled_from(["complete", "interrupted", "failed"]))
    return Interaction(
        request=draw(REQUESTS),
        lane=draw(TEXT),
        status=status,
        times=times if answered else None,
        started_s=draw(SECONDS),
        head_s=draw(SECONDS),
        duration_s=draw(SECONDS),
        ended=ended,
        error={"kind": "connect", "message": draw(TEXT)} if ended == "failed" else None,
        superseded=draw(st.booleans()),
        outcome=draw(st.sampled_from([None, "truncated", "refused"])),
        foreign=draw(JSON_OBJECTS),
        **answered,
    )


@st.composite
def tool_runs(draw: st.DrawFn) -> ToolRun:
    ended = draw(st.sampled_from(["complete", "interrupted"]))
    result: dict[str, Any] = {}
    if ended == "complete":
        result = {"result": draw(TEXT), "is_error": draw(st.booleans()), "stop": draw(st.none() | TEXT)}
        result["media"] = tuple(draw(st.lists(JSON_OBJECTS, max_size=2)))
    return ToolRun(
        lane=draw(TEXT),
        call_id=draw(TEXT),
        name=draw(TEXT),
        arguments=draw(TEXT),
        started_s=draw(SECONDS),
        duration_s=draw(SECONDS),
        ended=ended,
        **result,
    )


TAPES = st.builds(Tape, st.lists(interactions() | tool_runs(), max_size=5).map(tuple), JSON_OBJECTS)


@given(TAPES)
@settings(deadline=None)
def test_what_is_saved_is_what_is_loaded(tape: Tape) -> None:
    loaded = load(dump(tape), "t.jsonl")
    assert loaded == tape
    assert loaded.warnings == ()


@given(TAPES, st.data())
@settings(deadline=None)
def test_any_prefix_of_a_file_after_its_first_line_loads(tape: Tape, data: st.DataObject) -> None:
    file = dump(tape)
    first = file.index(b"\n") + 1
    loaded = load(file[: data.draw(st.integers(first, len(file)))], "t.jsonl")
    assert len(loaded.effects) <= len(tape.effects)
    for effect, whole in zip(loaded.effects, tape.effects, strict=False):
        assert type(effect) is type(whole)
        assert effect.lane == whole.lane
        assert effect.ended in (whole.ended, "interrupted")


@given(st.binary(max_size=300))
def test_bytes_are_exact(data: bytes) -> None:
    assert unpack(json.loads(json.dumps(pack(data)))) == data


def test_text_is_readable_and_bytes_are_base64() -> None:
    assert pack(b"data: x\n\n") == {"lines": ["data: x", ""], "eol": True}
    assert pack(b"{}") == {"lines": ["{}"]}
    assert pack(b"\xff") == {"base64": "/w=="}


@pytest.mark.parametrize("name", [name for name in expected() if not name.startswith("local/")] or ["seed"])
def test_a_recorded_cassette_goes_through_both_formats_byte_for_byte(name: str) -> None:
    from playhead.tape.formats import govcr

    tape = load_tape(shared_tape(name))
    native = load(dump(tape), "t.jsonl")
    assert native == tape
    again = govcr.FORMAT.load(govcr.FORMAT.dump(native), "t.yaml")
    assert again == tape
    assert [call.body for call in again.interactions] == [call.body for call in tape.interactions]
    assert [call.request.body for call in again.interactions] == [call.request.body for call in tape.interactions]


HEAD = b'{"playhead":"tape","version":1,"meta":{}}\n'


def test_a_torn_last_line_is_left_out_with_a_warning() -> None:
    for torn in (b'{"type":"tool.sta', b'{"type":"tool.start","n":0}\n'):
        tape = load(HEAD + torn, "t.jsonl")
        assert tape.effects == ()
        assert tape.warnings == ("line 2, the last, was not written whole and is left out",)


def test_a_response_without_an_end_is_interrupted_and_keeps_what_came() -> None:
    call = Interaction(request=Request("POST", "http://x", (), b"{}"), status=200, chunks=(b"a", b"b"))
    *lines, _end = dump(Tape((call,))).splitlines(keepends=True)
    (loaded,) = load(b"".join(lines), "t.jsonl").interactions
    assert (loaded.ended, loaded.chunks) == ("interrupted", (b"a", b"b"))


def test_a_body_that_was_changed_is_told_and_not_refused() -> None:
    call = Interaction(request=Request("POST", "http://x"), status=200, chunks=(b"hello",))
    tape = load(dump(Tape((call,))).replace(b"hello", b"HELLO"), "t.jsonl")
    assert tape.warnings == ("the body of effect 0 is not the one that was recorded",)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"hello\n", "is not a Playhead tape"),
        (b"[1]\n", "is not a Playhead tape"),
        (b'{"playhead": "cassette"}\n', "is not a Playhead tape"),
        (b"\xff\xfe\x00", "is not a Playhead tape"),
        (HEAD.replace(b":1", b":99"), f"is of version 99, and this Playhead reads version {VERSION}"),
        (HEAD + b"broken\n" + b'{"type":"x","n":0}\n', "is broken in line 2"),
        (HEAD + b'{"type":"call.chunk","n":7}\n' * 2, "is broken in line 2"),
    ],
)
def test_what_is_no_tape_is_refused_with_a_sentence(data: bytes, says: str) -> None:
    with pytest.raises(TapeFormatError, match=says):
        load(data, "t.jsonl")


@given(st.lists(st.binary(max_size=40) | st.sampled_from([b'{"type":"call.start","n":0}', b"{}"]), max_size=5))
@settings(deadline=None)
def test_whatever_stands_in_a_file_it_loads_or_is_refused(lines: list[bytes]) -> None:
    for head in (b"", HEAD):
        with suppress(TapeFormatError):
            assert isinstance(load(head + b"\n".join(lines), "t.jsonl"), Tape)


def test_lines_and_fields_that_a_later_version_adds_are_passed_over() -> None:
    run = ToolRun(lane="root/0.x", call_id="c", name="x", result="r")
    later = b'{"type":"note","text":"hi"}\n{"type":"timing","n":0,"zone":"UTC"}\n'
    assert load(dump(Tape((run,))) + later, "t.jsonl").tools == (run,)
