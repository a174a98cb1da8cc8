"""Playhead's own format: it holds everything, and whatever is cut off at its end costs nothing else."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import expected, shared_tape
from playhead import Interaction, Tape, TapeFormatError, ToolRun, load_tape
from playhead.http import Request
from playhead.tape.effects import Effect, Progress, Reading
from playhead.tape.formats import native
from playhead.tape.formats._native_bodies import SHORTEST, Packed, PackedBody, like, pack, pack_whole, unpack
from playhead.tape.formats.native import Bodies, Parent, dump, load

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


PROGRESS = st.builds(Progress, TEXT, st.none() | st.floats(0, 1), SECONDS)


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
        progress=draw(st.lists(PROGRESS, max_size=2).map(tuple)),
        **result,
    )


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
READINGS = st.builds(Reading, lane=TEXT, name=TEXT, value=JSON_VALUES, started_s=SECONDS)
TAPES = st.builds(Tape, st.lists(interactions() | tool_runs() | READINGS, max_size=5).map(tuple), JSON_OBJECTS)


@st.composite
def conversations(draw: st.DrawFn) -> Tape:
    """Runs whose requests repeat what was said, in several lanes, with histories that grow, shrink and change."""
    said: dict[str, bytes] = {}
    effects: list[Effect] = []
    for _ in range(draw(st.integers(1, 7))):
        lane = draw(st.sampled_from(["root", "root/0.a", "root/1.b"]))
        before = said.get(lane, draw(st.sampled_from([b"", WORDS, WORDS * 2, b"\xff" * 900])))
        at, to = sorted((draw(st.integers(0, len(before))), draw(st.integers(0, len(before)))))
        said[lane] = before[:at] + draw(BYTES | st.just(WORDS)) + before[to:]
        request = Request("POST", "u", (), said[lane])
        effects.append(msgspec.structs.replace(draw(interactions()), request=request, lane=lane))
        effects += draw(st.lists(tool_runs() | READINGS, max_size=1))
    return Tape(tuple(effects), draw(JSON_OBJECTS))


WORDS = ('{"messages":[' + ",".join(f'{{"role":"user","content":"é {n}"}}' for n in range(40)) + "]}").encode()


@given(TAPES | conversations())
@settings(deadline=None)
def test_what_is_saved_is_what_is_loaded(tape: Tape) -> None:
    loaded = load(dump(tape), "t.jsonl")
    assert loaded == tape
    assert (loaded.version, loaded.warnings) == (2, ())


@given(TAPES | conversations(), st.data())
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
        if isinstance(effect, Interaction) and isinstance(whole, Interaction):
            assert effect.request == whole.request
            assert effect.chunks == whole.chunks[: len(effect.chunks)]
        if isinstance(effect, ToolRun) and isinstance(whole, ToolRun):
            assert effect.progress == whole.progress[: len(effect.progress)]
        if isinstance(effect, Reading):
            assert effect == whole
    if len(file) not in (0, first):
        with suppress(TapeFormatError):
            assert load(file[: data.draw(st.integers(0, first - 1))], "t.jsonl").effects == ()


@given(st.binary(max_size=300))
def test_bytes_are_exact(data: bytes) -> None:
    assert unpack(msgspec.json.decode(json.dumps(pack(data)), type=Packed)) == data


def test_text_is_readable_and_bytes_are_base64() -> None:
    assert pack(b"data: x\n\n") == {"lines": ["data: x", ""], "eol": True}
    assert pack(b"{}") == {"lines": ["{}"]}
    assert pack(b"\xff") == {"base64": "/w=="}


@pytest.mark.parametrize("name", [name for name in expected() if not name.startswith("local/")] or ["seed"])
def test_a_recorded_cassette_goes_through_both_formats_byte_for_byte(name: str) -> None:
    from playhead.tape.formats import govcr

    tape = load_tape(shared_tape(name))
    ours = load(dump(tape), "t.jsonl")
    assert ours == tape
    again = govcr.FORMAT.load(govcr.FORMAT.dump(ours), "t.yaml")
    assert again == tape
    assert [call.body for call in again.interactions] == [call.body for call in tape.interactions]
    assert [call.request.body for call in again.interactions] == [call.request.body for call in tape.interactions]


HEAD = b'{"playhead":"tape","version":1,"meta":{}}\n'


TOOL = b'{"type":"tool.start","n":0,"lane":"a","call_id":"c","name":"x","arguments":""}\n'
NOTE = b'{"type":"note"}\n'
LIKE = (
    b'{"type":"call.start","n":9,"lane":"a","request":{"method":"POST","url":"u","headers":[],"body":'
    b'{"like":8,"start":1,"end":1,"lines":[],"length":2,"sha256":"x"}}}\n'
)


def test_a_torn_last_line_is_left_out_with_a_warning() -> None:
    for torn in (b'{"type":"tool.sta', b'{"type":"tool.start","n":0}\n'):
        tape = load(HEAD + torn, "t.jsonl")
        assert tape.effects == ()
        assert tape.warnings == ("line 2, the last, was not written whole and is left out",)


def test_a_response_without_an_end_is_interrupted_and_keeps_what_came() -> None:
    call = Interaction(request=Request("POST", "http://x", (), b"{}"), status=200, chunks=(b"a", b"b"))
    *lines, _end, _whole = dump(Tape((call,))).splitlines(keepends=True)
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
        (HEAD.replace(b":1", b":99"), "is of version 99, and this Playhead reads versions 1 and 2"),
        (HEAD + b"broken\n" + b'{"type":"x","n":0}\n', "is broken in line 2"),
        (HEAD + b'{"type":"call.chunk","n":7}\n' * 2, "is broken in line 2"),
        (HEAD + b'{"type":"superseded","n":7}\n' * 2, "is broken in line 2: effect 7 has not begun"),
        (HEAD + TOOL * 2 + b"{}\n", "is broken in line 3: effect 0 begins twice"),
        (HEAD + TOOL + b'{"type":"outcome","n":0,"outcome":"refused"}\n' * 2, "line 3: effect 0 is a ToolRun"),
        (HEAD + NOTE + TOOL.replace(b'"c"', b"5") * 2, "line 3: Expected `str`, got `int`"),
        (
            HEAD + LIKE * 2,
            "line 2: a request body is written as a difference to that of effect 8, which is not",
        ),
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


def test_version_1_is_read_and_says_so() -> None:
    assert (load(HEAD + TOOL, "t.jsonl").version, len(load(HEAD + TOOL, "t.jsonl").tools)) == (1, 1)


def test_lines_of_an_unknown_kind_do_not_hide_a_broken_one_beside_them() -> None:
    assert len(load(HEAD + NOTE + TOOL + NOTE, "t.jsonl").tools) == 1
    tape = load(HEAD + NOTE + TOOL + TOOL, "t.jsonl")
    assert (len(tape.tools), tape.warnings) == (1, ("line 4, the last, was not written whole and is left out",))


# Bodies that repeat


def body(packed: dict[str, Any], other: bytes) -> bytes:
    read = msgspec.convert(packed, PackedBody)
    whole = read.within(other)
    assert read.is_as_recorded(whole)
    return whole


@given(st.binary(max_size=30) | TEXT.map(str.encode), st.integers(0, 700), st.integers(0, 700), st.booleans())
def test_a_difference_gives_the_very_bytes(middle: bytes, at: int, to: int, text: bool) -> None:
    other = WORDS * 3 if text else bytes(range(256)) * 12
    at, to = sorted((at, to))
    whole = other[:at] + middle + other[to:]
    packed = like(3, other, whole)
    assert packed is not None
    assert body(packed, other) == whole
    assert len(json.dumps(packed)) < len(whole)
    assert like(3, b"", whole) is like(3, other, whole[: SHORTEST - 1]) is None


def test_a_difference_begins_and_ends_where_a_person_would_cut() -> None:
    message = '{"role":"assistant","content":"é, then"}'
    whole = WORDS.replace(b"]}", f",{message}]}}".encode())
    packed = like(0, WORDS, whole)
    assert packed is not None
    assert packed["lines"] == [f",{message}"]
    assert like(0, WORDS, WORDS) == packed | {
        "start": len(WORDS),
        "end": 0,
        "lines": [],
        "length": len(WORDS),
        "sha256": hashlib.sha256(WORDS).hexdigest(),
    }
    other = WORDS.replace("é 20".encode(), "è 20".encode())  # The two letters share their first byte.
    packed = like(0, other, WORDS)
    assert packed is not None
    assert "base64" not in packed
    assert body(packed, other) == WORDS


def test_a_file_grows_with_what_is_new_and_not_with_the_history() -> None:
    def size(steps: int) -> int:
        said = [json.dumps({"role": "user", "content": f"{n} " * 200}) for n in range(steps)]
        bodies = ['{"model":"m","messages":[' + ",".join(said[: n + 1]) + '],"stream":true}' for n in range(steps)]
        requests = [Request("POST", "http://x", (), text.encode()) for text in bodies]
        tape = Tape(tuple(Interaction(request=request) for request in requests))
        assert load(dump(tape), "t.jsonl") == tape
        return len(dump(tape))

    assert size(80) < 2.2 * size(40)


def test_what_is_small_or_unlike_or_of_version_1_is_written_whole() -> None:
    packed = [Bodies(whole=True).pack(n, "root", WORDS) for n in range(2)]
    assert packed == [pack_whole(WORDS)] * 2
    bodies = Bodies()
    assert bodies.pack(0, "root", b"x" * 100) == bodies.pack(1, "root", b"x" * 100) == pack_whole(b"x" * 100)
    assert bodies.pack(2, "root", WORDS) == pack_whole(WORDS)
    assert bodies.pack(3, "root/0.a", WORDS)["like"] == 2
    assert Bodies(Tape((Interaction(request=Request("POST", "u", (), WORDS)),))).pack(1, "a", WORDS)["like"] == 0


def test_a_changed_body_is_told_of_in_all_that_are_like_it() -> None:
    calls = tuple(Interaction(request=Request("POST", "u", (), WORDS)) for _ in range(3))
    tape = load(dump(Tape(calls)).replace("é 7".encode(), b"e 7"), "t.jsonl")
    says = "the request body of effect {} is not the one that was recorded"
    like = "{}, a difference to that of effect {},"
    assert tape.warnings == (says.format(0), says.format(like.format(1, 0)), says.format(like.format(2, 1)))


RUN = ToolRun(lane="root/0.pay", call_id="c", name="pay", arguments='{"n": 7}', result="paid 7")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b'"paid 7"', b'"paid 8"', "result of effect 1"),
        (b'{\\"n\\": 7}', b'{\\"n\\": 8}', "text of the arguments of effect 1"),
        (b'"lines":["hi"]', b'"lines":["ho"]', "request body of effect 0"),
    ],
)
def test_whatever_somebody_edits_is_told_and_loads(old: bytes, new: bytes, what: str) -> None:
    call = Interaction(request=Request("POST", "u", (), b"hi"), status=200)
    data = dump(Tape((call, RUN)))
    assert load(data, "t.jsonl").warnings == ()
    assert data.count(old) == 1
    edited = load(data.replace(old, new), "t.jsonl")
    assert edited.warnings == (f"the {what} is not the one that was recorded",)
    assert edited != Tape((call, RUN))
    assert load(dump(edited), "t.jsonl").warnings == ()


def test_a_result_that_a_fork_changed_is_told_where_somebody_edits_it() -> None:
    parent, child = Tape((RUN,)), Tape((msgspec.structs.replace(RUN, result="paid 9"),))
    data = native.dump_child(child, parent, Parent("p.jsonl", 0, ""))
    assert native.load(data, "t.jsonl", lambda _: parent) == child
    edited = native.load(data.replace(b"paid 9", b"paid 10"), "t.jsonl", lambda _: parent)
    assert edited.warnings == ("the result of effect 0 is not the one that was recorded",)


def test_lines_without_hashes_are_read_as_they_are() -> None:
    """Those that were written before there were any."""
    lines = [
        HEAD.replace(b":1", b":2"),
        (
            b'{"type":"call.start","n":0,"lane":"root","request":{"method":"POST","url":"u","headers":[],'
            b'"body":{"lines":["hi"]}}}\n'
        ),
        b'{"type":"tool.start","n":1,"lane":"root/0.pay","call_id":"c","name":"pay","arguments":"{}"}\n',
        b'{"type":"tool.end","n":1,"result":"paid 8"}\n',
    ]
    tape = load(b"".join(lines), "t.jsonl")
    assert (tape.warnings, tape.interactions[0].request.body, tape.tools[0].result) == ((), b"hi", "paid 8")


def test_a_text_that_is_half_a_character_is_hashed_all_the_same() -> None:
    """A tape in memory holds whatever a tool gives."""
    assert len(native.tool_end(0, msgspec.structs.replace(RUN, result="\ud800"))["sha256"]) == 64


@pytest.mark.parametrize("length", [-1, 2**60, 10**30])
def test_a_length_that_no_file_has_is_told(length: int) -> None:
    data = native.encode_line(native.header({}, parent=Parent("p.jsonl", length, "")))
    with pytest.raises(TapeFormatError, match=r"first line that cannot be read: Expected `int` .* - at `\$\.parent"):
        load(data, "t.jsonl")


def test_a_length_that_does_not_fit_in_memory_is_told() -> None:
    def no_room(_: Parent) -> Tape:
        raise MemoryError

    data = native.encode_line(native.header({}, parent=Parent("p.jsonl", 2**40, "")))
    with pytest.raises(TapeFormatError, match=r"the first 1099511627776 bytes of 'p\.jsonl', more than can be read"):
        native.load(data, "t.jsonl", no_room)


def test_memory_is_bounded() -> None:
    bodies = Bodies()
    for n in range(500):
        bodies.pack(n, f"root/{n}.a", WORDS)
    assert len(bodies._lanes) < 100


def test_every_kind_of_line_that_is_written_is_read() -> None:
    run = ToolRun(lane="root/0.a", call_id="c", name="a")
    lines = [native.header({}), native.tool_start(0, run), native.superseded(0), native.copied()]
    assert load(b"".join(map(native.encode_line, lines)), "t.jsonl").warnings == ()
