"""VCR.py cassettes: what VCR.py wrote is read, what is written VCR.py can read, and nothing of a tape is lost."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from test_govcr import plain, special, text
from test_govcr import tapes as govcr_tapes
from test_native import TAPES

from playhead.errors import TapeFormatError
from playhead.http import Request
from playhead.tape.effects import Interaction, Tape, ToolRun
from playhead.tape.formats import Format, govcr, native, vcrpy

SHARED = Path(__file__).parents[3] / "shared" / "tapes"
FORMATS = [vcrpy.FORMAT, vcrpy.JSON_FORMAT]
BOTH = pytest.mark.parametrize("format", FORMATS, ids=["yaml", "json"])

# Written by VCR.py 9.4.2 (less some headers): requests and httpx, against a server on this machine.

REQUESTS = rb"""interactions:
- request:
    body: '{"q": "\u00e9", "x": 1}'
    headers:
      Accept:
      - '*/*'
      Content-Type:
      - application/json
    method: POST
    uri: http://127.0.0.1:8765/json
  response:
    body:
      string: "{\"id\":1,\"n\":1.10,\"t\":\"h\xE9\"}"
    headers:
      Content-Length:
      - '27'
      Content-Type:
      - application/json
    status:
      code: 200
      message: OK
- request:
    body: null
    headers:
      Accept:
      - '*/*'
    method: GET
    uri: http://127.0.0.1:8765/gzip
  response:
    body:
      string: '{"zipped":true}'
    headers:
      Content-Encoding:
      - gzip
      Content-Length:
      - '35'
    status:
      code: 200
      message: OK
- request:
    body: !!binary |
      /v8=
    headers:
      Accept:
      - '*/*'
    method: POST
    uri: http://127.0.0.1:8765/bin
  response:
    body:
      string: !!binary |
        /wAB
    headers:
      Content-Length:
      - '3'
    status:
      code: 200
      message: OK
version: 1
"""
HTTPX = rb"""interactions:
- request:
    body: "{\"q\":\"\xE9\"}"
    headers:
      content-type:
      - application/json
    method: POST
    uri: http://127.0.0.1:8765/sse
  response:
    body:
      string: 'data: {"a":1}


        data: [DONE]


        '
    headers:
      content-type:
      - text/event-stream
      set-cookie:
      - a=1
      - b=2
    status:
      code: 200
      message: OK
- request:
    body: ''
    headers:
      accept:
      - '*/*'
    method: GET
    uri: http://127.0.0.1:8765/gzip?a=1
  response:
    body:
      string: !!binary |
        H4sIAAAAAAACA6tWqsosKEhNUbIqKSpNrQUAhCi8CA8AAAA=
    headers:
      content-encoding:
      - gzip
      content-length:
      - '35'
      content-type:
      - application/json
    status:
      code: 200
      message: OK
version: 1
"""
JSON = rb"""{
    "version": 1,
    "interactions": [
        {
            "request": {
                "method": "POST",
                "uri": "http://127.0.0.1:8765/json",
                "body": "{\"q\":\"\u00e9\ud83d\ude00\"}",
                "headers": {
                    "content-type": [
                        "application/json"
                    ]
                }
            },
            "response": {
                "status": {
                    "code": 200,
                    "message": "OK"
                },
                "headers": {
                    "content-length": [
                        "27"
                    ]
                },
                "body": {
                    "string": "{\"id\":1,\"n\":1.10,\"t\":\"h\u00e9\"}"
                }
            }
        }
    ]
}
"""
FILES = rb"""interactions:
- request:
    body: !!python/object/new:_io.BytesIO
      state: !!python/tuple
      - !!binary |
        ZmlsZSBib2R5
      - 0
      - null
    headers: {}
    method: POST
    uri: http://127.0.0.1:8765/json
  response: {body: {string: ''}, headers: {}, status: {code: 200, message: OK}}
- request:
    body: !!python/object/apply:builtins.iter
      args:
      - - !!binary |
          YQ==
        - !!binary |
          Yg==
      state: 0
    headers: {}
    method: POST
    uri: http://127.0.0.1:8765/json
  response: {body: {string: ''}, headers: {}, status: {code: 200, message: OK}}
version: 1
"""
REAL = [
    pytest.param(vcrpy.FORMAT, REQUESTS, id="requests"),
    pytest.param(vcrpy.FORMAT, HTTPX, id="httpx"),
    pytest.param(vcrpy.FORMAT, FILES, id="files"),
    pytest.param(vcrpy.JSON_FORMAT, JSON, id="json"),
]

# In the manner of the serializer that pydantic-ai's tests have for VCR.py.
PARSED = b"""\
interactions:
- request:
    headers:
      content-type:
      - application/json
    method: POST
    parsed_body:
      model: toy
      temperature: 0.10
      seed: 12345678901234567
      stop: null
      stream: false
      tiny: 1.0e-05
      version: '1.0'
      word: 1e5
      messages:
      - content: "h\\xE9"
        role: user
    uri: https://a.example/v1/chat
  response:
    headers:
      content-encoding:
      - gzip
    parsed_body:
      choices: []
      usage: {}
    status:
      code: 200
      message: OK
version: 1
"""


def load(data: bytes | str, format: Format = vcrpy.FORMAT) -> Tape:
    return format.load(data.encode() if isinstance(data, str) else data, "x.yaml")


def reload(tape: Tape, format: Format = vcrpy.FORMAT) -> Tape:
    return format.load(format.dump(tape), "x.yaml")


def one(request: str = "", response: str = "", rest: str = "") -> Interaction:
    """The interaction of a small cassette, with more fields in the request and the response."""
    (call,) = load(small(request, response, rest)).interactions
    return call


def small(request: str = "", response: str = "    body: {string: hi}\n", rest: str = "") -> str:
    head = f"interactions:\n- request:\n    method: GET\n    uri: http://a.example/\n{request}"
    return f"{head}  response:\n    status: {{code: 200, message: OK}}\n{response}{rest}"


def answer(body: bytes, *headers: tuple[str, str], **fields: Any) -> Interaction:
    return Interaction(
        request=Request("GET", "http://a.example/"), status=200, headers=headers, chunks=(body,), **fields
    )


# What VCR.py wrote


def test_the_bodies_of_real_cassettes_are_those_of_the_wire() -> None:
    json_answer = '{"id":1,"n":1.10,"t":"hé"}'.encode()
    assert [(call.request.body, call.body) for call in load(REQUESTS).interactions] == [
        (rb'{"q": "\u00e9", "x": 1}', json_answer),
        (b"", b'{"zipped":true}'),
        (b"\xfe\xff", b"\xff\x00\x01"),
    ]
    assert [(call.request.body, call.body) for call in load(HTTPX).interactions] == [
        ('{"q":"é"}'.encode(), b'data: {"a":1}\n\ndata: [DONE]\n\n'),
        (b"", b'{"zipped":true}'),
    ]
    (call,) = load(JSON, vcrpy.JSON_FORMAT).interactions
    assert (call.request.body, call.body) == ('{"q":"é😀"}'.encode(), json_answer)


def test_a_real_cassette_is_read_whole() -> None:
    tape = load(HTTPX)
    call = tape.interactions[0]
    assert (tape.format, tape.version, tape.warnings) == ("vcrpy", 1, ())
    assert (call.request.method, call.request.url) == ("POST", "http://127.0.0.1:8765/sse")
    assert (call.status, call.reason, call.lane, call.foreign) == (200, "OK", "root", {})
    assert call.headers == (("content-type", "text/event-stream"), ("set-cookie", "a=1"), ("set-cookie", "b=2"))


@pytest.mark.parametrize(("format", "data"), REAL)
def test_a_real_cassette_survives_being_written_and_read_again(format: Format, data: bytes) -> None:
    """In this format and in Playhead's own."""
    tape = load(data, format)
    assert reload(tape, format) == tape
    assert native.load(native.dump(tape), "t.jsonl") == tape


def test_a_real_cassette_is_the_same_for_its_readers_after_being_written() -> None:
    assert _by_pyyaml(vcrpy.dump(load(REQUESTS))) == _by_pyyaml(REQUESTS)
    assert json.loads(vcrpy.dump_json(load(JSON, vcrpy.JSON_FORMAT))) == json.loads(JSON)


def test_a_body_that_was_a_file_or_an_iterator_is_read_as_bytes() -> None:
    """VCR.py writes them as Python objects, and none is made here."""
    tape = load(FILES)
    assert [call.request.body for call in tape.interactions] == [b"file body", b"ab"]
    assert "a Python object (object/new:_io.BytesIO), read as plain data" in tape.warnings[0]


@pytest.mark.parametrize("tag", ["object/apply:os.system", "object/new:os.system", "object:a.B", "name:os.system"])
def test_other_python_objects_are_data(tag: str) -> None:
    call = one(f"    body: !!python/{tag} {{args: [touch /tmp/never]}}\n")
    assert call.request.body == b'{"args":["touch /tmp/never"]}'
    assert one(f"    body: !!python/{tag} 'x'\n").request.body == b"x"


def test_the_old_shape_of_httpx_is_read() -> None:
    head = "interactions:\n- request: {method: GET, uri: 'http://a/', body: '', headers: {}}\n"
    call = load(
        f"{head}  response: {{content: hi, headers: {{a: b}}, http_version: HTTP/1.1, status_code: 201}}\n"
    ).interactions[0]
    assert (call.status, call.http_version, call.body, call.headers) == (201, "HTTP/1.1", b"hi", (("a", "b"),))
    assert reload(Tape((call,))).effects == (call,)


def test_headers_are_lists_or_single_texts() -> None:
    call = one("    headers: {a: 1, b: [x, y], c: null, d: []}\n")
    assert call.request.headers == (("a", "1"), ("b", "x"), ("b", "y"), ("c", ""))


def test_what_vcrpy_does_not_have_is_kept_and_written_back() -> None:
    data = (
        small(
            "    encoding: utf8\n", "    elapsed: 1.5\n    body: {string: hi, encoding: x}\n", "  recorded_at: now\n"
        )
        + "recorded_with: me 1.0\n"
    )
    tape = load(data)
    assert tape.meta == {"vcrpy": {"recorded_with": "me 1.0"}}
    assert tape.interactions[0].foreign == {
        "vcrpy": {
            "interaction": {"recorded_at": "now"},
            "request": {"encoding": "utf8"},
            "response": {"elapsed": 1.5},
            "response_body": {"encoding": "x"},
        }
    }
    written = vcrpy.dump(tape)
    assert b"playhead" not in written
    assert load(written) == tape
    assert reload(tape, vcrpy.JSON_FORMAT) == tape


# Bodies that are data


def test_a_parsed_body_is_compact_json_with_its_numbers_as_they_stand() -> None:
    (call,) = load(PARSED).interactions
    assert call.request.body == (
        '{"model":"toy","temperature":0.10,"seed":12345678901234567,"stop":null,"stream":false,"tiny":1.0e-05,'
        '"version":"1.0","word":"1e5","messages":[{"content":"hé","role":"user"}]}'.encode()
    )
    assert call.body == b'{"choices":[],"usage":{}}'


def test_a_parsed_body_is_written_back_as_one() -> None:
    data = PARSED.replace(b"      temperature: 0.10\n", b"")
    tape = load(data)
    assert _by_pyyaml(vcrpy.dump(tape)) == _by_pyyaml(data)
    assert reload(tape) == tape


def test_a_parsed_body_whose_numbers_yaml_would_change_is_written_as_text() -> None:
    tape = load(PARSED)
    (record,) = _by_pyyaml(vcrpy.dump(tape))["interactions"]
    assert record["request"]["body"].encode() == tape.interactions[0].request.body
    assert reload(tape) == tape


def test_a_request_body_that_is_a_mapping_is_json() -> None:
    call = one("    body: {a: [1, yes, 'yes', 0x1F]}\n")
    assert call.request.body == b'{"a":[1,true,"yes","0x1F"]}'
    assert reload(Tape((call,))).effects == (call,)
    assert b"- 1\n" in vcrpy.dump(Tape((call,)))


# Content encodings


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"hello", mtime=0)),
        ("GZIP", gzip.compress(b"hello", mtime=0)),
        ("x-gzip", gzip.compress(b"hello", mtime=0)),
        ("deflate", zlib.compress(b"hello")),
        ("deflate", zlib.compress(b"hello")[2:-4]),
    ],
)
def test_a_compressed_body_is_read_decoded(coding: str, body: bytes) -> None:
    headers = f"    headers: {{content-encoding: [{coding}], content-length: ['{len(body)}']}}\n"
    call = one("", f"{headers}    body: {{string: !!binary {base64.b64encode(body).decode()}}}\n")
    assert call.body == b"hello"
    assert call.headers == (("content-encoding", coding), ("content-length", str(len(body))))
    assert call.foreign == {}


@pytest.mark.parametrize(
    ("coding", "body"), [("gzip", b"plain"), ("br", b"\xff\xfe"), ("gzip", gzip.compress(b"hello", mtime=0)[:-3])]
)
def test_a_body_that_is_not_in_the_encoding_named_stays_as_it_is(coding: str, body: bytes) -> None:
    """Such as those that VCR.py records for requests, decoded below it, or in an encoding not known here."""
    headers = f"    headers: {{content-encoding: [{coding}]}}\n"
    call = one("", f"{headers}    body: {{string: !!binary {base64.b64encode(body).decode()}}}\n")
    assert (call.body, call.foreign) == (body, {"vcrpy": {"as_is": True}})
    (record,) = _by_pyyaml(vcrpy.dump(Tape((call,))))["interactions"]
    assert record["response"]["headers"] == {"content-encoding": [coding]}


@BOTH
def test_a_decoded_body_is_written_without_the_headers_that_would_be_wrong(format: Format) -> None:
    headers = (("A", "1"), ("Content-Encoding", "gzip"), ("Content-Length", "9"), ("A", "2"))
    tape = Tape((answer(b"hello", *headers),))
    (record,) = _by_pyyaml(format.dump(tape))["interactions"]
    assert record["response"]["headers"] == {"A": ["1", "2"]}
    assert record["response"]["body"] == {"string": "hello"}
    assert reload(tape, format) == tape


def test_a_body_that_was_compressed_twice_is_not_decoded_twice() -> None:
    tape = Tape((answer(gzip.compress(b"x", mtime=0), ("content-encoding", "gzip")),))
    assert reload(tape) == tape


# Laws

json_body = plain.map(lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
encoded = st.sampled_from([b"hi", b"\xff", b"", gzip.compress(b"hello", mtime=0), zlib.compress(b"")])
coding = st.sampled_from(["gzip", "deflate", "br", "identity", "gzip, gzip", ""])
extra_fields = st.dictionaries(text, plain, max_size=2)
kept = st.fixed_dictionaries(
    {},
    optional={
        "request_as": st.sampled_from(["text", "body", "parsed_body", None, "else"]),
        "response_as": st.sampled_from(["parsed_body", None, 1]),
        "as_is": st.booleans(),
        **dict.fromkeys(["interaction", "request", "response", "response_body", "status"], extra_fields),
    },
)


@st.composite
def own_calls(draw: st.DrawFn) -> Interaction:
    """Interactions as they come from cassettes of VCR.py's, and as they could not."""
    body = draw(json_body | encoded)
    names = draw(st.lists(st.sampled_from(["Content-Encoding", "content-length", "B"]), max_size=3))
    return Interaction(
        request=Request("POST", "http://a/", (), draw(json_body | encoded)),
        status=draw(st.none() | st.just(200)),
        headers=tuple((name, draw(coding)) for name in names),
        chunks=draw(st.sampled_from([(), (body,), (body, b"x")])),
        foreign=draw(st.fixed_dictionaries({}, optional={"vcrpy": kept | plain, "request": extra_fields})),
    )


own_tapes = st.builds(
    Tape,
    st.lists(own_calls(), max_size=2).map(tuple),
    st.fixed_dictionaries({}, optional={"vcrpy": plain, "id": text}),
)


@given(TAPES | govcr_tapes | own_tapes)
def test_any_tape_survives_being_written_and_read_again(tape: Tape) -> None:
    """Lanes, chunks, times, tools, failures, odd text, binary bodies and other formats' fields included."""
    data = vcrpy.dump(tape)
    loaded = load(data)
    assert loaded == tape
    assert loaded.warnings == ()
    assert isinstance(_by_pyyaml(data)["interactions"], list)
    assert vcrpy.recognises(data)


@given(TAPES | govcr_tapes | own_tapes)
def test_any_tape_of_text_survives_json(tape: Tape) -> None:
    """JSON holds no other bytes; it is refused then, and nothing is lost."""
    if not all(map(_is_text, tape.interactions)):
        with pytest.raises(TapeFormatError, match="a body that is not text"):
            vcrpy.dump_json(tape)
        return
    data = vcrpy.dump_json(tape)
    assert load(data, vcrpy.JSON_FORMAT) == tape
    assert vcrpy.recognises(data)
    json.loads(data)


@given(TAPES | govcr_tapes)
def test_vcrpy_finds_every_answer_where_it_looks(tape: Tape) -> None:
    """`Request(**request)` takes these four keys and no other; a response has its three."""
    document = _by_pyyaml(vcrpy.dump(tape))
    answered = [call for call in tape.interactions if call.status is not None]
    for call, known in zip(answered, document["interactions"], strict=True):
        request, response = known["request"], known["response"]
        assert sorted(request) == ["body", "headers", "method", "uri"]
        assert sorted(response) == ["body", "headers", "status"]
        assert _bytes(request["body"] or "") == call.request.body
        assert _bytes(response["body"]["string"]) == call.body
        assert response["status"] == {"code": call.status, "message": call.reason}


ANY_BYTES = st.binary(max_size=60) | st.lists(special).map(lambda pieces: "".join(pieces).encode())


@given(ANY_BYTES)
def test_any_bytes_are_read_or_refused_with_a_sentence(data: bytes) -> None:
    _read_or_refused(data)


@given(
    st.sampled_from([REQUESTS, HTTPX, JSON, FILES, PARSED]),
    st.floats(0, 1),
    st.integers(0, 40),
    st.binary(max_size=4) | special.map(str.encode),
)
def test_any_damage_to_a_cassette_is_read_or_refused_with_a_sentence(
    data: bytes, share: float, cut: int, put: bytes
) -> None:
    at = int(share * len(data))
    _read_or_refused(data[:at] + put + data[at + cut :])


@given(st.lists(st.sampled_from(REQUESTS.split(b"\n")) | special.map(str.encode), max_size=12))
def test_any_mix_of_lines_is_read_or_refused_with_a_sentence(lines: list[bytes]) -> None:
    _read_or_refused(b"interactions:\n" + b"\n".join(lines))


# Writing


@BOTH
def test_what_vcrpy_cannot_hold_stands_under_keys_of_ours(format: Format) -> None:
    tool = ToolRun(lane="root/0.add", call_id="c", name="add", result="3")
    failed = Interaction(
        request=Request("GET", "http://a/"), ended="failed", error={"kind": "connect", "message": "refused"}
    )
    streamed = Interaction(request=Request("GET", "http://a/"), status=200, chunks=(b"a", b"bc"), times=(0.5, 1.0))
    tape = Tape((failed, tool, streamed, failed, tool), {"id": "t1"})
    document = _by_pyyaml(format.dump(tape))
    assert list(document) == ["interactions", "playhead", "version"]
    assert list(document["playhead"]) == ["meta", "tools", "unanswered"]
    assert [call["playhead"] for call in document["interactions"]] == [{"chunks": [1, 2], "times": [0.5, 1.0]}]
    assert reload(tape, format) == tape


def test_fields_of_go_vcrs_do_not_come_before_vcrpys_loader() -> None:
    """It knows four of a request's, and stops at others; they are there again for go-vcr."""
    call = answer(b"hi", foreign={"request": {"form": {"a": ["1"]}}, "response": {"uncompressed": True}})
    assert reload(Tape((call,))).effects == (call,)
    assert b"\n    form:" not in vcrpy.dump(Tape((call,)))
    assert govcr.dump(reload(Tape((call,)))) == govcr.dump(Tape((call,)))


def test_every_shared_recording_survives() -> None:
    files = sorted(SHARED.rglob("*.yaml"))[::10]
    if not files:
        pytest.skip(f"the recordings are not here: {SHARED} holds no cassettes")
    for file in files:
        tape = govcr.load(file.read_bytes(), file.name)
        assert reload(tape) == tape, file.name


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Request("GET", "wss://a.example/"), "a WebSocket conversation"),
        (Request("GET", "http://a.example/", (("Upgrade", "websocket"),)), "a WebSocket conversation"),
        (Request("POST", "http://a.example/", (("content-type", "application/grpc"),)), "a gRPC call"),
    ],
)
def test_what_is_not_http_is_neither_read_nor_written(request_: Request, says: str) -> None:
    headers = "".join(f"      {name}: [{value}]\n" for name, value in request_.headers)
    data = small(f"    headers:\n{headers}" if headers else "").replace("http://a.example/", request_.url)
    with pytest.raises(TapeFormatError, match=rf"has {says} in interaction 0, and Playhead holds HTTP alone\."):
        load(data)
    with pytest.raises(TapeFormatError, match=f"has {says} in"):
        vcrpy.dump(Tape((Interaction(request=request_, status=200),)))


def test_an_edited_body_is_one_piece_with_a_warning() -> None:
    call = Interaction(request=Request("GET", "http://a/"), status=200, chunks=(b"ab", b"c"), times=(1.0, 2.0))
    tape = load(vcrpy.dump(Tape((call,))).replace(b'"abc"', b'"abcd"'))
    assert (tape.interactions[0].chunks, tape.interactions[0].times) == ((b"abcd",), None)
    assert "edited" in tape.warnings[0]


def test_json_refuses_a_body_that_is_not_text_as_vcrpy_does() -> None:
    with pytest.raises(TapeFormatError, match="in JSON cannot hold a body that is not text"):
        vcrpy.dump_json(Tape((answer(b"\xff"),)))


@BOTH
@pytest.mark.parametrize(
    "value",
    [b"bytes", {1, 2}, float("nan"), 10**19, "\ud800", Path("x")],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_plain_data_is_refused(format: Format, value: Any) -> None:
    with pytest.raises(TapeFormatError, match="a cassette cannot hold"):
        format.dump(Tape((), {"x": [value]}))
    with pytest.raises(TapeFormatError, match="a cassette cannot hold"):
        format.dump(Tape((answer(b"hi", foreign={"x": value}),)))


@BOTH
@given(depth=st.integers(1, 120))
def test_data_nests_as_deep_as_it_can_be_read_again(format: Format, depth: int) -> None:
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"x": value}
    tape = Tape((), {"x": value})
    if depth > 95:
        with pytest.raises(TapeFormatError, match="nests deeper than 100 levels"):
            format.dump(tape)
    else:
        assert reload(tape, format) == tape


# Recognising


@pytest.mark.parametrize("data", [REQUESTS, HTTPX, JSON, FILES, PARSED, small().encode()])
def test_a_cassette_of_vcrpys_is_recognised(data: bytes) -> None:
    assert vcrpy.recognises(data)
    assert vcrpy.recognises(data + b"\n")


def test_only_the_first_interaction_is_read_to_recognise_a_cassette() -> None:
    first = REQUESTS[: REQUESTS.index(b"\n- request", 20) + 1]
    assert vcrpy.recognises(first + b"- {{{ broken")


GOVCR_1 = b"""\
---
version: 1
interactions:
- request: {body: '', form: {}, headers: {}, url: 'http://a/', method: GET}
  response: {body: x, headers: {}, status: 200 OK, code: 200, duration: ''}
"""


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff interactions",
        b"interactions",
        b"interactions: 1",
        b"- interactions",
        b"---\nversion: 1\ninteractions: []\n",
        b"version: 2\ninteractions: []\n",
        GOVCR_1,
        b'{"log": {"entries": []}, "interactions": 1}',
        b'{"interactions": [{"request": {"url": "http://a"}}]}',
        b"[" * 100_000 + b"interactions",
        b'{"interactions":' * 100_000,
        govcr.dump(Tape((answer(b"interactions:\n- request: {uri: x}"),))),
        native.dump(Tape((answer(b"interactions:\n- request: {uri: x}"),))),
    ],
)
def test_nothing_else_is_recognised(data: bytes) -> None:
    assert not vcrpy.recognises(data)


# Errors


def _errors() -> Iterator[tuple[str, bytes | str, str]]:
    yield "empty", b"", "is empty: nothing was recorded"
    yield "blank", b"---\n", "is empty"
    yield "binary", b"\x89PNG\r\n\x1a\n", "is not YAML: line 1 holds bytes that are not text"
    yield "torn", REQUESTS[: REQUESTS.index(b'n\\":1.10')], "is torn, or not YAML: it breaks off in line 13"
    yield "torn before the response", REQUESTS[: REQUESTS.index(b"  response")], "has no `response` in interaction 0"
    yield "torn before the code", REQUESTS[: REQUESTS.index(b"    status")], "has no status `code` in interaction 0"
    yield "text", b"hello", "should be a mapping with `interactions` and `version`, but is a text"
    yield "list", b"- a", "but is a list. Is it another kind of file?"
    yield "before 1.0", b"- request: {}\n  response: {}\n", "migrate a copy of it with `python -m vcr.migration`"
    yield "HAR", b'{"log": {"version": "1.2", "entries": []}}', "It looks like a HAR file"
    yield "Ruby", b"http_interactions: []\n", "It looks like a cassette of VCR for Ruby"
    yield "docker-compose", b"services: {web: {image: x}}\n", "It looks like a file of docker-compose"
    yield "mapping", b"a: 1\nb: 2\n", "`interactions` is not there. Its keys are `a`, `b`."
    yield "go-vcr", govcr.dump(Tape((answer(b"hi"),))), "looks like a go-vcr cassette, and not one of VCR.py"
    yield "version 2", b"version: 2\ninteractions: []\n", "is of version '2', but VCR.py's is 1. Is it a go-vcr"
    yield "Playhead's own", native.dump(Tape()), "let its name end in .jsonl"
    yield "no list", b"interactions: {}\n", "is not a cassette: `interactions` (line 1) should be a list"
    yield "no mapping", b"interactions:\n- a\n", "interaction 0 (line 2) should be a mapping, but is text"
    yield "no uri", small().replace("uri", "path"), "has no `uri` in the request of interaction 0"
    yield "odd code", small().replace("200", "two"), "has 'two' as status `code` in interaction 0"
    yield "status as text", small().replace("{code: 200, message: OK}", "200 OK"), "the status of interaction 0"
    yield "body as text", small(response="    body: hi\n"), "the response body of interaction 0 (line 7) should be"
    yield "body of a list", small(response="    body: {string: [a]}\n"), "(line 7) should be text, but is a list"
    yield "not base64", small(response="    body: {string: !!binary '%'}\n"), "whose text cannot be decoded"
    yield "twice", small("    uri: x\n"), "has 'uri' twice in the request of interaction 0"
    yield "alias", small("    headers: &a {}\n", "    headers: *a\n"), "uses a YAML alias"
    yield "deep", b"[" * 200_000, "nests deeper than 100 levels: it is not a cassette"
    yield "bad key of ours", small(rest="  playhead: {chunks: [-1]}\n"), "has a key `playhead` (line 8) that cannot"
    yield "no place", "interactions: []\nplayhead: {unanswered: [{request: {}}]}\n", "has no place `at`"


def _json_errors() -> Iterator[tuple[str, bytes | str, str]]:
    yield "empty", b" \n", "is empty"
    yield "null", b"null", "is empty"
    yield "bytes", b'{"\xff', "is not JSON: it holds bytes that are not text"
    yield "torn", JSON[:300], "is torn, or not JSON: it breaks off in line 11"
    yield "torn in a string", JSON[:200], "is torn, or not JSON: it breaks off in line"
    yield "not JSON", REQUESTS, "is not JSON: line 1"
    yield "list", b"[1]", "but is a list"
    yield "NaN", b'{"a": NaN}', "is not JSON: NaN is no number there"
    yield "deep", b"[" * 200_000, "nests deeper than 100 levels"
    yield "a little deep", b"[" * 101 + b"]" * 101, "nests deeper than 100 levels"
    yield "twice", b'{"interactions": [], "interactions": []}', "has 'interactions' twice in the cassette: delete"
    yield "half a pair", rb'{"interactions": ["\ud83d"]}', "holds the half of a surrogate pair"
    yield "no list", b'{"interactions": 5}', "is not a cassette: `interactions` should be a list"
    yield "no request", b'{"interactions": [{}]}', "has no `request` in interaction 0: it is torn"


@pytest.mark.parametrize(("data", "says"), [pytest.param(*case, id=name) for name, *case in _errors()])
def test_what_is_no_cassette_is_refused_with_what_came_and_what_to_do(data: bytes | str, says: str) -> None:
    _assert_refused(vcrpy.FORMAT, data, says)


@pytest.mark.parametrize(("data", "says"), [pytest.param(*case, id=name) for name, *case in _json_errors()])
def test_what_is_no_cassette_in_json_is_refused(data: bytes | str, says: str) -> None:
    _assert_refused(vcrpy.JSON_FORMAT, data, says)


def _assert_refused(format: Format, data: bytes | str, says: str) -> None:
    with pytest.raises(TapeFormatError) as refused:
        load(data, format)
    message = str(refused.value)
    assert message.startswith("tape 'x.yaml' ")
    assert says in message


def _read_or_refused(data: bytes) -> None:
    assert vcrpy.recognises(data) in (True, False)
    for format in FORMATS:
        try:
            tape = load(data, format)
        except TapeFormatError as error:
            outcome = str(error)
        else:
            outcome = "tape 'x.yaml' is the same" if reload(tape) == tape else "it is not the same"
        assert outcome.startswith("tape 'x.yaml' ")


def _is_text(call: Interaction) -> bool:
    with suppress(UnicodeDecodeError):
        (call.request.body + b" " + call.body).decode()
        return True
    return False


def _by_pyyaml(data: bytes) -> Any:
    return yaml.load(data, yaml.CSafeLoader)


def _bytes(body: str | bytes) -> bytes:
    return body if isinstance(body, bytes) else body.encode()
