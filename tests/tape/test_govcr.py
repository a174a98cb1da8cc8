"""go-vcr cassettes: what is read is what stands there, and what is written reads back equal, here and elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from playhead.errors import TapeFormatError
from playhead.http import Request
from playhead.tape.effects import Interaction, Progress, Reading, Tape, ToolRun
from playhead.tape.files import load_tape, save_tape
from playhead.tape.formats import _go_duration, _yaml_lines, _yaml_text, format_for, govcr, native

TAPES = Path(__file__).parents[3] / "shared" / "tapes"

PLAIN = b"""\
---
version: 2
interactions:
- id: 0
  request:
    proto: HTTP/1.1
    proto_major: 1
    proto_minor: 1
    content_length: 2
    host: a.example
    body: "{}"
    headers:
      Accept:
      - application/json
    url: https://a.example/v1/chat?x=1
    method: POST
  response:
    proto: HTTP/2.0
    proto_major: 2
    proto_minor: 0
    content_length: -1
    body: "data: 1\\n\\n"
    headers:
      Content-Type:
      - text/event-stream
    status: 200 OK
    code: 200
    duration: 2.540430708s
"""
CALL = Interaction(
    request=Request("POST", "https://a.example/v1/chat?x=1", (("Accept", "application/json"),), b"{}"),
    status=200,
    reason="OK",
    http_version="HTTP/2.0",
    headers=(("Content-Type", "text/event-stream"),),
    chunks=(b"data: 1\n\n",),
    head_s=2.540430708,
)
TOOL = ToolRun(lane="root/0.add", call_id="call_1", name="add", arguments='{"a": 1}', result="3")


def load(data: bytes | str) -> Tape:
    return govcr.load(data.encode() if isinstance(data, str) else data, "x.yaml")


def reload(tape: Tape) -> Tape:
    return load(govcr.dump(tape))


def load_by_parser(data: bytes) -> Tape:
    """Without the quick way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_yaml_lines, "compose", lambda data: None)
        return load(data)


def reload_v1(tape: Tape) -> Tape:
    return load(govcr.dump_v1(tape))


def outcome(read: Callable[[bytes], Tape], data: bytes) -> Any:
    """The tape, or why there is none."""
    try:
        tape = read(data)
    except TapeFormatError as error:
        return str(error)
    return tape, tape.format, tape.version, tape.warnings


def tree(node: Any) -> Any:
    """A node without what only PyYAML's have."""
    if node is None or node.id == "scalar":
        return node and (node.tag, bool(node.style), node.value)
    if node.id == "sequence":
        return node.tag, list(map(tree, node.value))
    return node.tag, [(tree(key), tree(value)) for key, value in node.value]


def one(request: str = "", response: str = "", rest: str = "") -> Interaction:
    """The interaction of a small cassette, with more fields in the request and the response."""
    (call,) = load(small(request, response, rest)).interactions
    return call


def small(request: str = "", response: str = "", rest: str = "") -> str:
    head = "version: 2\ninteractions:\n- request:\n    url: http://a.example/\n    method: GET\n"
    return f"{head}{request}  response:\n    code: 200\n{response}{rest}"


# Recordings


@pytest.fixture(scope="module")
def recordings() -> list[tuple[str, bytes]]:
    files = sorted(TAPES.rglob("*.yaml"))
    if not files:
        pytest.skip(f"the recordings are not here: {TAPES} holds no cassettes")
    return [(str(file.relative_to(TAPES)), file.read_bytes()) for file in files]


def test_every_recording_survives_being_written_and_read_again(recordings: list[tuple[str, bytes]]) -> None:
    """And JSON can hold all that is kept of it."""
    for name, data in recordings:
        tape = govcr.load(data, name)
        foreign = [call.foreign for call in tape.interactions]
        assert reload(tape) == tape, name
        assert json.loads(json.dumps(foreign)) == foreign, name


def test_every_recording_is_the_same_for_pyyaml_after_being_written(
    recordings: list[tuple[str, bytes]],
) -> None:
    """The same keys and the same values, whatever the style."""
    for name, data in recordings:
        again = govcr.dump(govcr.load(data, name))
        assert _by_pyyaml(again) == _by_pyyaml(data), name


def test_every_recording_has_the_bodies_that_pyyaml_reads(recordings: list[tuple[str, bytes]]) -> None:
    """Also the binary ones."""
    for name, data in recordings:
        for call, known in zip(govcr.load(data, name).interactions, _by_pyyaml(data)["interactions"], strict=True):
            for body, text in (
                (call.request.body, known["request"]["body"]),
                (call.body, known["response"]["body"]),
            ):
                assert body == (text if isinstance(text, bytes) else text.encode()), name
            assert (call.request.url, call.status) == (known["request"]["url"], known["response"]["code"]), name


def test_the_recording_that_began_it_all_is_written_byte_for_byte_as_it_stands(
    recordings: list[tuple[str, bytes]],
) -> None:
    """So the shape is that of its writer, down to quotes and indents."""
    data = dict(recordings)["seed/openrouter-kimi-k2.yaml"]
    assert govcr.dump(govcr.load(data, "seed")) == data


def test_every_recording_is_read_the_quick_way_and_as_the_parser_reads_it(
    recordings: list[tuple[str, bytes]],
) -> None:
    """As it stands, and as it is written here."""
    for name, data in recordings:
        for text in (data, govcr.dump(load(data)), govcr.dump_v1(load(data))):
            quick = _yaml_lines.compose(text)
            assert quick is not None, name
            assert tree(quick) == tree(_yaml_text.compose(text)), name


def test_every_recording_goes_through_playheads_own_format_and_back_byte_for_byte(
    recordings: list[tuple[str, bytes]],
) -> None:
    """In either version."""
    for name, data in recordings:
        tape = load(data)
        for dump in (govcr.dump, govcr.dump_v1):
            written = dump(tape)
            there = native.load(native.dump(load(written)), "t.jsonl")
            assert dump(there) == written, name
            assert [(call.request.body, call.body) for call in there.interactions] == [
                (call.request.body, call.body) for call in tape.interactions
            ], name


def test_no_recording_needs_a_key_of_ours(recordings: list[tuple[str, bytes]]) -> None:
    """What go-vcr recorded, go-vcr can hold."""
    assert not [name for name, data in recordings if b"playhead:" in govcr.dump(govcr.load(data, name))]


# Laws

# fmt: off
special = st.sampled_from([
    "null", "~", "=", "<<", "true", "no", "y", "12", "0x1F", "1e3", "1:30", ".nan", "-.inf", "2024-01-01", "---",
    "...", "- a", "? a", "a: b", "a:", "a #b", "#",
    "*a", "&a", "!a", "%", "@", "`", "{", "[", "|", ">", "'", '"', "\\",
    " a", " ", "a ", "a\nb", "\na", "\n", "\r\n", "\t", "\x00", "\x1b", "\x7f", "\x85", "\x9f", "\xa0",
    "\u2028", "\u2029", "\ufeff", "\ufffe", "\uffff", "\U0001f600", "200 OK", "1m2.5s", "1s", "1µs",
])
# fmt: on
text = st.one_of(st.text(max_size=30), special, st.lists(special, max_size=4).map("".join))
body = st.one_of(st.binary(max_size=30), text.map(str.encode))
seconds = st.floats(allow_nan=False, allow_infinity=False)
maybe_seconds = st.none() | seconds | st.integers(0, 10**13).map(lambda number: number / 10**9)
headers = st.lists(st.tuples(st.sampled_from(["A", "a", "B"]) | text, text), max_size=5).map(tuple)
numbers = st.integers(1 - 10**19, 10**19 - 1)
plain = st.recursive(
    st.none() | st.booleans() | numbers | seconds | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
ended = st.sampled_from(["complete", "interrupted", "failed"])
lane = st.just("root") | text
foreign = st.fixed_dictionaries(
    {},
    optional={
        "request": st.fixed_dictionaries(
            {"form": st.dictionaries(text, st.lists(text))}, optional={"later": plain, "remote_addr": text}
        ),
        "response": st.fixed_dictionaries({"uncompressed": st.booleans()}, optional={"later": plain}),
        "interaction": st.fixed_dictionaries({"later": plain}),
    },
)


@st.composite
def calls(draw: st.DrawFn) -> Interaction:
    chunks = draw(st.lists(body, max_size=4).map(tuple))
    times = st.lists(seconds, min_size=len(chunks), max_size=len(chunks)).map(tuple)
    return Interaction(
        request=Request(draw(text), draw(text), draw(headers), draw(body)),
        lane=draw(lane),
        status=draw(st.none() | st.integers(100, 999)),
        reason=draw(text),
        http_version=draw(st.sampled_from(["HTTP/1.1", "HTTP/2", "HTTP/2.0", ""]) | text),
        headers=draw(headers),
        chunks=chunks,
        times=draw(st.none() | times),
        started_s=draw(maybe_seconds),
        head_s=draw(maybe_seconds),
        duration_s=draw(maybe_seconds),
        ended=draw(ended),
        error=draw(st.none() | st.fixed_dictionaries({"kind": text, "message": text})),
        foreign=draw(foreign),
    )


tools = st.builds(
    ToolRun,
    lane=lane,
    call_id=text,
    name=text,
    arguments=text,
    result=text,
    is_error=st.booleans(),
    media=st.lists(st.dictionaries(text, plain, max_size=2), max_size=2).map(tuple),
    stop=st.none() | text,
    started_s=maybe_seconds,
    duration_s=maybe_seconds,
    ended=ended,
    progress=st.lists(st.builds(Progress, text, maybe_seconds, maybe_seconds), max_size=2).map(tuple),
)
readings = st.builds(Reading, lane=lane, name=text, value=plain, started_s=maybe_seconds)
tapes = st.builds(
    Tape,
    effects=st.lists(calls() | tools | readings, max_size=4).map(tuple),
    meta=st.dictionaries(text, plain, max_size=3),
)


@given(tapes)
def test_any_tape_survives_being_written_and_read_again(tape: Tape) -> None:
    """Lanes, chunks, times, tools, failures, odd text and binary bodies included."""
    assert reload(tape) == tape


@given(tapes)
def test_any_tape_survives_being_written_in_version_1(tape: Tape) -> None:
    again = reload_v1(tape)
    assert again == tape
    assert (again.format, again.version) == ("go-vcr-v1", 1)


# fmt: off
odd_fields = st.dictionaries(
    st.sampled_from([
        "body", "code", "content_length", "duration", "form", "headers", "host", "id", "later", "proto", "status",
        "trailer",
    ]),
    plain | st.sampled_from([{}, "HTTP/1.1", "200 OK", "1.5s", "", -1]),
    max_size=3,
)
# fmt: on
odd_foreign = st.dictionaries(
    st.sampled_from(["request", "response", "interaction", "vcrpy", "x"]), odd_fields | plain, max_size=3
)


@given(calls(), odd_foreign)
@example(Interaction(request=Request("", ""), http_version="HTTP/1.1"), {"response": {"duration": "1.5s"}})
def test_whatever_another_format_or_an_edit_left_in_foreign_survives(call: Interaction, kept: dict[str, Any]) -> None:
    """It may contradict the interaction, follow from it, or be of another shape than go-vcr's."""
    tape = Tape((msgspec.structs.replace(call, foreign=kept),))
    assert reload(tape) == tape
    assert reload_v1(tape) == tape


@given(tapes)
def test_any_tape_is_read_the_quick_way_as_by_the_parser(tape: Tape) -> None:
    """Or not at all, where there are keys or texts that cassettes do not have."""
    for data in (govcr.dump(tape), govcr.dump_v1(tape)):
        quick = _yaml_lines.compose(data)
        assert quick is None or tree(quick) == tree(_yaml_text.compose(data))


# fmt: off
snippets = st.sampled_from([
    '"', "'", "\\", "\n", " ", "  ", "#", " #", ":", ": ", "- ", "|", "|-", "|+", "|2-", ">", "!!binary ", "!x ",
    "&a ", "*a", "{}", "[]", "[1, 2]", "[1,2]", "{a: b}", "? ", "---", "...", "%", "@", "\t", "\r", "\x7f", "\x00",
    "\x85", "\u2028", "\ufeff", "\xa0", "\ue000", "é", "\U0001f600", r"\x41", r"\u00e9", r"\ud83d\ude00",
    r"\U0001F600", r"\U0000005C", r"\e", r"\/", r"\ ", r"\0", r"\N", r"\q", "~", "null", "=", "<<", "\n\n",
    "\n  ", "\n      ", " \n", "''", '""', r"\\", r"\"", ",", "[", "]", "a: b", "\n- a", "\n  - b", "- - a", "-1",
])
# fmt: on
edits = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.sampled_from(["delete", "indent", "insert", "append", "value", "swap", "inside"]),
        snippets,
        st.integers(0, 30),
    ),
    max_size=4,
)
LAYOUTS = [
    PLAIN,
    r"""---
version: 2
interactions:
    - id: 0
      request:
        body: '{"a": "it''s"}'
        headers:
            Accept:
                - application/json
        url: https://a.example/
        method: POST
      response:
        body: |+
            data: 1

              data: 2

        headers: {}
        status: 200 OK
        code: 200
        duration: 980.667µs
    - id: 1
      request:
        body: !!binary |
            /v8=
        url: https://a.example/
        method: POST
      response:
        body: "\u00e9\x41\U0001F600\e"
        code: 200
        duration:
""".encode(),
]


@given(st.sampled_from(LAYOUTS), edits)
@settings(max_examples=500)
def test_any_edit_of_a_cassette_is_read_the_quick_way_as_by_the_parser(layout: bytes, edits: list[Any]) -> None:
    """Or refused with the same sentence."""
    data = "\n".join(_edited(layout.decode().split("\n"), edits)).encode()
    assert outcome(load, data) == outcome(load_by_parser, data)
    quick = _yaml_lines.compose(data)
    assert quick is None or tree(quick) == tree(_yaml_text.compose(data))


def _edited(lines: list[str], edits: list[Any]) -> list[str]:
    for at, kind, put, by in edits:
        at %= len(lines)
        line = lines[at]
        match kind:
            case "delete":
                lines[at : at + 1 + by % 3] = []
            case "indent":
                lines[at] = " " * (by % 9) + line.lstrip()
            case "insert":
                lines.insert(at, " " * (by % 9) + put)
            case "append":
                lines[at] += put
            case "value":
                lines[at] = line.partition(": ")[0] + ": " + put
            case "swap":
                lines[at], lines[by % len(lines)] = lines[by % len(lines)], line
            case _:
                lines[at] = line[:by] + put + line[by + by % 3 :]
        lines = lines or [""]
    return lines


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_layouts_of_go_vcr_are_read_the_quick_way(layout: bytes) -> None:
    """Else the tests of what it reads would say nothing."""
    assert tree(_yaml_lines.compose(layout)) == tree(_yaml_text.compose(layout)) is not None


@given(tapes)
def test_any_tape_is_the_same_for_pyyaml(tape: Tape) -> None:
    """PyYAML guesses types as YAML 1.1 says, and must guess what was written."""
    document = _by_pyyaml(govcr.dump(tape))
    assert document.get("playhead", {}).get("meta", {}) == tape.meta
    for call, known in zip(tape.interactions, document["interactions"], strict=True):
        assert _bytes(known["request"]["body"]) == call.request.body
        assert _bytes(known.get("response", {}).get("body", "")) == call.body
        assert (known["request"]["url"], known["request"]["method"]) == (call.request.url, call.request.method)
        assert known.get("response", {}).get("code") == call.status


@given(st.integers(-(2**51), 2**51))
def test_a_duration_of_whole_nanoseconds_is_the_same_after_go_text_and_back(nanoseconds: int) -> None:
    """26 days and less, as floats can hold them."""
    text = _go_duration.text(nanoseconds / 10**9)
    assert _go_duration.seconds(text) == nanoseconds / 10**9
    assert _go_duration.text(_go_duration.seconds(text)) == text


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_with_a_sentence(data: bytes) -> None:
    _read_or_refused(data)


@given(st.lists(st.sampled_from(PLAIN.split(b"\n")) | special.map(str.encode), max_size=12))
def test_any_mix_of_lines_is_read_or_refused_with_a_sentence(lines: list[bytes]) -> None:
    _read_or_refused(b"version: 2\ninteractions:\n" + b"\n".join(lines))


@given(st.integers(0, len(PLAIN)), st.integers(0, 20), st.binary(max_size=4) | special.map(str.encode))
def test_any_damage_to_a_cassette_is_read_or_refused_with_a_sentence(at: int, cut: int, put: bytes) -> None:
    _read_or_refused(PLAIN[:at] + put + PLAIN[at + cut :])


def test_a_cassette_cut_anywhere_before_its_status_is_refused() -> None:
    """After it, nothing that must be there is missing."""
    for end in range(len("---\n"), PLAIN.index(b"code: 200")):
        with pytest.raises(TapeFormatError):
            load(PLAIN[:end])


# Reading


def test_a_plain_cassette_is_read_and_written_as_it_stands() -> None:
    tape = load(PLAIN)
    assert tape.effects == (CALL,)
    assert (tape.format, tape.version, tape.warnings) == ("go-vcr", 2, ())
    assert govcr.dump(tape) == PLAIN


@pytest.mark.parametrize("ending", govcr.FORMAT.endings)
def test_the_endings_choose_the_format(ending: str) -> None:
    assert format_for(Path("tape" + ending)) is govcr.FORMAT


@pytest.mark.parametrize("scalar", ["=", "<<", "2024-01-01", "true", "no", "12", "0x1F", "1_000", "1:30", ".nan"])
def test_a_bare_scalar_in_a_text_field_is_the_text_that_stands_there(scalar: str) -> None:
    """Whatever type YAML would guess from its looks."""
    call = one(f"    body: {scalar}\n", f"    body: {scalar}\n    headers: {{A: [{scalar}]}}\n")
    assert (call.request.body, call.body, call.headers) == (
        scalar.encode(),
        scalar.encode(),
        (("A", scalar),),
    )


@pytest.mark.parametrize("scalar", ["", "~", "null", '""'])
def test_a_body_of_nothing_is_empty_as_it_is_for_go(scalar: str) -> None:
    """go-vcr reads a bare null as "", and quotes the text `null` when it writes it."""
    assert one("", f"    body: {scalar}\n").chunks == ()


@pytest.mark.parametrize("scalar", ['"null"', "'null'", "!!str null", "|-\n      null"])
def test_a_body_that_says_null_is_text(scalar: str) -> None:
    assert one("", f"    body: {scalar}\n").body == b"null"


def test_a_merge_key_is_a_header_like_any_other() -> None:
    assert one("    headers: {<<: [x], =: [y]}\n").request.headers == (("<<", "x"), ("=", "y"))


def test_a_body_that_is_not_utf8_is_binary_both_ways() -> None:
    call = one("", "    body: !!binary |\n      /wAB\n      Ag==\n")
    assert call.body == b"\xff\x00\x01\x02"
    assert b'body: !!binary "/wABAg=="' in govcr.dump(Tape((call,)))


def test_foreign_tags_construct_nothing() -> None:
    assert one("", "    body: !!python/object/apply:os.getcwd x\n").body == b"x"


@pytest.mark.parametrize("missing", [True, False])
def test_pyyaml_without_its_c_parser_reads_the_same(missing: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if missing:
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    _yaml_text._loader.cache_clear()
    try:
        assert load(PLAIN).effects == (CALL,)
        assert one("", "    body: <<\n").body == b"<<"
        with pytest.raises(TapeFormatError):
            load('"\\U00110000"')
    finally:
        _yaml_text._loader.cache_clear()


def test_what_go_vcr_holds_beside_is_kept_as_plain_data_and_written_back() -> None:
    call = one(
        "    content_length: -1\n    form: {alt: [1]}\n    host: ''\n    remote_addr: ''\n",
        "    uncompressed: false\n    transfer_encoding: [chunked]\n    later: 1.5\n",
        "  recorded_at: 2024-01-01\n",
    )
    assert call.foreign == {
        "request": {"content_length": -1, "form": {"alt": ["1"]}, "host": "", "remote_addr": ""},
        "response": {"uncompressed": False, "transfer_encoding": ["chunked"], "later": 1.5},
        "interaction": {"recorded_at": "2024-01-01"},
    }
    assert reload(Tape((call,))).effects == (call,)


def test_what_follows_from_an_interaction_is_not_kept() -> None:
    assert load(PLAIN).interactions[0].foreign == {}


def test_an_odd_status_is_kept_as_it_stands() -> None:
    call = one("", "    status: '200 '\n")
    assert (call.reason, call.foreign) == ("", {"response": {"status": "200 "}})
    assert b'status: "200 "' in govcr.dump(Tape((call,)))


def test_version_1_can_become_version_2() -> None:
    """Its fields are fewer, and an unknown duration is an empty text, which version 2 forbids."""
    old = small("    body: ''\n", "    body: hi\n    status: 200 OK\n    duration: ''\n").replace("n: 2", "n: 1")
    tape = load(old)
    assert (tape.version, tape.interactions[0].head_s, tape.interactions[0].body) == (1, None, b"hi")
    written = govcr.dump(tape)
    assert b"version: 2" in written
    assert b"duration" not in written
    assert load(written) == tape


V1 = b"""\
---
version: 1
interactions:
- request:
    body: "{}"
    form: {}
    headers:
      Accept:
      - application/json
    url: https://a.example/v1/chat?x=1
    method: POST
  response:
    body: "data: 1\\n\\n"
    headers: {}
    status: 200 OK
    code: 200
    duration: ""
"""


def test_version_1_is_written_as_it_stands() -> None:
    """With all of its fields, whether or not there is something in them."""
    tape = load(V1)
    (call,) = tape.interactions
    assert (tape.format, tape.version, tape.warnings) == ("go-vcr-v1", 1, ())
    assert (call.status, call.body, call.head_s, call.foreign) == (200, b"data: 1\n\n", None, {})
    assert govcr.dump_v1(tape) == V1


def test_a_cassette_of_version_1_stays_one(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(V1)
    save_tape(load_tape(tmp_path / "a.yaml"), tmp_path / "b.yaml")
    assert (tmp_path / "b.yaml").read_bytes() == V1


def test_what_version_1_cannot_hold_stands_under_keys_of_ours() -> None:
    """Its readers find its own fields and nothing else."""
    call = msgspec.structs.replace(
        CALL,
        foreign={"request": {"form": {}, "remote_addr": "1.2.3.4", "later": 1}, "response": {"uncompressed": True}},
    )
    tape = Tape((call, TOOL), {"id": "t"})
    document = _by_pyyaml(govcr.dump_v1(tape))
    (record,) = document["interactions"]
    assert list(document) == ["version", "playhead", "interactions"]
    assert list(record) == ["request", "response", "playhead"]
    assert list(record["request"]) == ["body", "form", "headers", "url", "method", "later"]
    assert list(record["response"]) == ["body", "headers", "status", "code", "duration"]
    assert record["playhead"] == {
        "http_version": "HTTP/2.0",
        "foreign": {"request": {"form": {}, "remote_addr": "1.2.3.4"}, "response": {"uncompressed": True}},
    }
    assert reload_v1(tape) == tape


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        ("2.540430708s", 2.540430708),
        ("980.667µs", 0.000980667),
        ("1m2.5s", 62.5),
        ("1h2m3s", 3723.0),
        ("0s", 0.0),
        ("15ns", 1.5e-8),
        ("1.5ms", 0.0015),
        ("-1.5s", -1.5),
    ],
)
def test_durations_of_go_are_seconds_to_the_headers(duration: str, seconds: float) -> None:
    assert _go_duration.seconds(duration) == seconds
    assert _go_duration.text(seconds) == duration
    assert one("", f"    duration: {duration}\n").head_s == seconds


@pytest.mark.parametrize(
    ("duration", "seconds"), [("980.667μs", 0.000980667), ("980.667us", 0.000980667), ("2.50s", 2.5)]
)
def test_a_duration_in_another_spelling_is_kept_as_it_stands(duration: str, seconds: float) -> None:
    """Such as the Greek letter for the micro sign."""
    call = one("", f"    duration: {duration}\n")
    assert (call.head_s, call.foreign) == (seconds, {"response": {"duration": duration}})
    assert reload(Tape((call,))).effects == (call,)


# Warnings


def test_a_content_length_that_is_not_the_bodys_is_a_warning() -> None:
    tape = load(PLAIN.replace(b"content_length: 2", b"content_length: 9"))
    assert tape.warnings == ("interaction 0: the request's content_length is 9, but its body has 2 bytes",)
    assert b"content_length: 9" in govcr.dump(tape)


def test_a_duration_that_is_not_gos_is_a_warning() -> None:
    tape = load(PLAIN.replace(b"2.540430708s", b"soon"))
    assert "'soon' is not one of Go's" in tape.warnings[0]
    assert b"duration: soon" in govcr.dump(tape)


def test_a_status_that_is_not_the_codes_is_a_warning() -> None:
    assert "'200 OK' is not that of the code 404" in load(PLAIN.replace(b"code: 200", b"code: 404")).warnings[0]


def test_a_key_that_is_not_go_vcrs_is_a_warning() -> None:
    assert "'name'" in load(b"name: x\n" + PLAIN.removeprefix(b"---\n")).warnings[0]


def test_an_edited_body_is_one_piece_with_a_warning() -> None:
    """The lengths of its pieces no longer fit; times belong to pieces."""
    call = Interaction(request=CALL.request, status=200, chunks=(b"ab", b"c"), times=(1.0, 2.0))
    tape = load(govcr.dump(Tape((call,))).replace(b'"abc"', b'"abcd"'))
    assert (tape.interactions[0].chunks, tape.interactions[0].times) == ((b"abcd",), None)
    assert "edited" in tape.warnings[0]


# Writing


def test_a_tape_from_scratch_gets_the_fields_that_go_vcr_expects() -> None:
    call = Interaction(
        request=Request("POST", "https://me@a.example:8080/v1?x", (), b"hi"),
        status=404,
        reason="Not Found",
        http_version="HTTP/1.1",
        headers=(("content-length", "2"),),
        chunks=(b"no",),
        head_s=0.25,
    )
    (record,) = _by_pyyaml(govcr.dump(Tape((call,))))["interactions"]
    assert record == {
        "id": 0,
        "request": {
            "proto": "HTTP/1.1",
            "proto_major": 1,
            "proto_minor": 1,
            "content_length": 2,
            "host": "a.example:8080",
            "body": "hi",
            "url": "https://me@a.example:8080/v1?x",
            "method": "POST",
        },
        "response": {
            "proto": "HTTP/1.1",
            "proto_major": 1,
            "proto_minor": 1,
            "content_length": 2,
            "body": "no",
            "headers": {"content-length": ["2"]},
            "status": "404 Not Found",
            "code": 404,
            "duration": "250ms",
        },
    }


def test_what_go_vcr_cannot_hold_stands_under_keys_of_ours() -> None:
    call = Interaction(request=CALL.request, lane="root/0.ask", status=200, chunks=(b"a", b"bc"), times=(0.5, 1.0))
    document = _by_pyyaml(govcr.dump(Tape((TOOL, call), {"id": "t1"})))
    assert list(document) == ["version", "playhead", "interactions"]
    assert document["playhead"] == {
        "meta": {"id": "t1"},
        "tools": [
            {
                "lane": "root/0.add",
                "call_id": "call_1",
                "name": "add",
                "arguments": '{"a": 1}',
                "result": "3",
                "at": 0,
            }
        ],
    }
    assert list(document["interactions"][0]) == ["id", "request", "response", "playhead"]
    assert document["interactions"][0]["playhead"] == {"lane": "root/0.ask", "chunks": [1, 2], "times": [0.5, 1.0]}


def test_effects_keep_their_order() -> None:
    tape = Tape((TOOL, CALL, CALL, TOOL, TOOL, CALL))
    assert reload(tape) == tape


def test_an_interaction_without_an_answer_has_no_response() -> None:
    call = Interaction(
        request=CALL.request, ended="failed", error={"kind": "connect", "message": "refused"}, duration_s=0.1
    )
    data = govcr.dump(Tape((call,)))
    assert list(_by_pyyaml(data)["interactions"][0]) == ["id", "request", "playhead"]
    assert load(data).effects == (call,)


def test_headers_that_repeat_keep_their_order_and_their_values_stand_once() -> None:
    """The key of ours holds names only, so that a value that is taken out of the file is gone."""
    headers = (("A", "secret"), ("B", "2"), ("A", "3"))
    data = govcr.dump(Tape((Interaction(request=Request("GET", "http://a/", headers), status=200),)))
    assert load(data).interactions[0].request.headers == headers
    assert data.count(b"secret") == 1
    edited = load(data.replace(b"      - secret\n", b""))
    assert edited.interactions[0].request.headers == (("A", "3"), ("B", "2"))


def test_an_empty_tape_is_a_cassette_without_interactions() -> None:
    assert govcr.dump(Tape()) == b"---\nversion: 2\ninteractions: []\n"
    assert reload(Tape()) == Tape()


@pytest.mark.parametrize("start", ["\n", " ", "\t", "\ufeff", "\r\n", "- ", "# "])
def test_a_body_is_in_double_quotes_whatever_it_begins_with(start: str) -> None:
    """In block style, yaml.v3 loses a first line feed."""
    call = Interaction(request=CALL.request, status=200, chunks=(f"{start}x\n".encode(),))
    assert b'\n    body: "' in govcr.dump(Tape((call,)))
    assert reload(Tape((call,))).effects == (call,)


def test_a_key_too_long_for_yamls_short_form_survives() -> None:
    """Also where a list or a mapping follows, or stands before."""
    long = "k" * 2000
    tape = Tape((), {long: [{long: [1, "a"]}, [{long: {long: None}}]]})
    assert reload(tape) == tape
    assert _by_pyyaml(govcr.dump(tape))["playhead"]["meta"] == tape.meta


@pytest.mark.parametrize(
    "value",
    [b"bytes", {1, 2}, float("nan"), 10**19, 10**5000, "\ud800", Path("x")],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_plain_data_is_refused(value: Any) -> None:
    with pytest.raises(TapeFormatError, match="a cassette cannot hold"):
        govcr.dump(Tape((), {"x": [value]}))
    with pytest.raises(TapeFormatError, match="a cassette cannot hold"):
        govcr.dump(Tape((ToolRun(lane="a", call_id="b", name="c", media=({"x": value},)),)))


@given(st.integers(1, 120))
def test_data_nests_as_deep_as_it_can_be_read_again(depth: int) -> None:
    """And is refused beyond that, before it is written."""
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"x": value}
    tape = Tape((), {"x": value})
    if depth > 95:
        with pytest.raises(TapeFormatError, match="nests deeper than 100 levels"):
            govcr.dump(tape)
    else:
        assert reload(tape) == tape


# Errors


def _errors() -> Iterator[tuple[str, bytes | str, str]]:
    yield "empty", b"", "is empty: nothing was recorded"
    yield "blank", b"---\n", "is empty"
    yield "binary", b"\x89PNG\r\n\x1a\n", "is not YAML: line 1 holds bytes that are not text"
    yield "not YAML", b"a: b\nc: [}\nd: e\nf: g\n", "is not YAML: line 2 cannot be read"
    yield "torn in a body", PLAIN[: PLAIN.index(b"data: 1") + 3], "is torn, or not YAML: it breaks off in line 22"
    yield "torn in a character", PLAIN[: PLAIN.index(b"data: 1")] + "ä".encode()[:1], "breaks off in line 22"
    yield (
        "torn before the response",
        PLAIN[: PLAIN.index(b"  response")],
        "has no `response` in interaction 0 (line 4)",
    )
    yield "torn before the code", PLAIN[: PLAIN.index(b"    code")], "has no status `code` in interaction 0"
    yield "text", b"hello", "should be a mapping with `version` and `interactions`, but is a text"
    yield "list", b"- a", "but is a list"
    yield "mapping", b"a: 1\nb: 2\n", "`interactions` and `version` are not there. Its keys are `a`, `b`."
    yield "HAR", b'{"log": {"version": "1.2", "entries": []}}', "looks like a HAR file"
    yield "Playhead's own", b'{"playhead":"tape","version":1,"meta":{}}\n', "let its name end in .jsonl"
    yield "no version", b"interactions: []", "`version` is not there. Its keys are `interactions`."
    yield (
        "newer",
        b"version: 3\ninteractions: []",
        "is of version 3, which is newer than this Playhead reads (1 and 2)",
    )
    yield "odd version", b"version: one\ninteractions: []", "is of version 'one', but go-vcr's are 1 and 2"
    yield "no mapping", b"version: 2\ninteractions:\n- a\n", "interaction 0 (line 3) should be a mapping, but is text"
    yield (
        "no list",
        b"version: 2\ninteractions: {a: b}\n",
        "`interactions` (line 2) should be a list, but is a mapping",
    )
    yield "no request", b"version: 2\ninteractions:\n- response: {code: 200}\n", "has no `request` in interaction 0"
    yield "no url", b"version: 2\ninteractions:\n- {request: {method: GET}, response: {code: 200}}\n", "has no `url`"
    yield "no code", small().replace("code: 200", "code: two"), "has 'two' as status `code` in interaction 0"
    yield (
        "mapping as body",
        small("", "    body: {a: 1}\n"),
        "the response body of interaction 0 (line 8) should be text",
    )
    yield "not base64", small("", "    body: !!binary '%'\n"), "(line 8) whose text cannot be decoded"
    yield "twice", small("    body: a\n    body: b\n"), "has 'body' twice in the request of interaction 0 (line 7)"
    yield "alias", small("    headers: &h {A: [b]}\n", "    headers: *h\n"), "uses a YAML alias (`*name`) of line 6"
    yield "cycle", b"version: 2\ninteractions: &a [*a]\n", "uses a YAML alias"
    yield "deep", b"- " * 200_000, "nests deeper than 100 levels"
    yield "deep in brackets", b"[" * 200_000, "nests deeper than 100 levels"
    yield (
        "bad key of ours",
        small(rest="  playhead: {chunks: [-1]}\n"),
        "has a key `playhead` (line 8) that cannot be read",
    )
    yield "bad tools", "version: 2\nplayhead: {tools: [{at: 0}]}\ninteractions: []\n", "missing required field `lane`"


GRPC = "    headers: {Content-Type: [application/grpc+proto]}\n"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (small().replace("http:", "wss:"), "has a WebSocket conversation in interaction 0"),
        (small("    headers: {Upgrade: [websocket]}\n"), "has a WebSocket conversation in interaction 0"),
        (small(GRPC), "has a gRPC call in interaction 0"),
        ("interactions:\n- request: {method: /a.B/C, request: aGk=}\n  response: {}\n", "`version` is not there"),
        ("http_interactions: []\nrecorded_with: VCR 6.0\n", "Its keys are `http_interactions`, `recorded_with`"),
        ("services: {web: {image: x}}\n", "Its keys are `services`"),
        ("openapi: 3.1.0\npaths: {}\n", "Its keys are `openapi`, `paths`"),
        ("%YAML 1.1\n--- !ruby/object:A {}\n", "`interactions` and `version` are not there. Its keys are none"),
    ],
)
def test_what_is_not_http_or_somebody_elses_yaml_is_refused(data: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(data)
    with pytest.raises(TapeFormatError, match=r"^tape '.*x\.yaml' .*[.?]$") as refused:
        load_tape(path)
    assert says in str(refused.value)


def test_what_is_not_http_is_not_written() -> None:
    call = Interaction(request=Request("GET", "ws://a/"), status=101)
    with pytest.raises(TapeFormatError, match="has a WebSocket conversation in interaction 0"):
        govcr.dump(Tape((call,)))


@pytest.mark.parametrize(("data", "says"), [pytest.param(*case, id=name) for name, *case in _errors()])
def test_what_is_no_cassette_is_refused_with_what_came_and_what_to_do(data: bytes | str, says: str) -> None:
    with pytest.raises(TapeFormatError) as refused:
        load(data)
    message = str(refused.value)
    assert message.startswith("tape 'x.yaml' ")
    assert says in message


@pytest.mark.parametrize(
    "vcrpy",
    [
        "interactions:\n- request: {uri: 'http://a/', method: GET}\n  response: {body: {string: x}}\nversion: 1\n",
        "interactions:\n- request: {uri: 'http://a/', method: GET}\n  response: {status_code: 200, content: x}\n",
        "interactions:\n- request: {uri: 'http://a/'}\n  response: {status: {code: 200, message: OK}}\nversion: 1\n",
    ],
)
def test_a_cassette_of_vcrpy_is_recognised(vcrpy: str) -> None:
    with pytest.raises(TapeFormatError, match=r"looks like a VCR\.py cassette"):
        load(vcrpy)


def _by_pyyaml(data: bytes) -> Any:
    return yaml.load(data, yaml.CSafeLoader)


def _bytes(body: str | bytes) -> bytes:
    return body if isinstance(body, bytes) else body.encode()


def _read_or_refused(data: bytes) -> None:
    try:
        tape = load(data)
    except TapeFormatError as error:
        refused = str(error)
    else:
        refused = "" if reload(tape) == tape else "not the same"
    assert not refused or refused.startswith("tape 'x.yaml' ")
