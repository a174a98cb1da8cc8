"""HAR: what browsers export is read and written back, and any tape survives being one."""

from __future__ import annotations

import base64
import copy
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_native import JSON_OBJECTS, TAPES, interactions

from conftest import SHARED, shared_tape
from playhead import Interaction, Tape, TapeFormatError, ToolRun, load_tape
from playhead.http import Request
from playhead.tape.formats import govcr, har, native

Json = dict[str, Any]

CHROME: Json = {
    "log": {
        "version": "1.2",
        "creator": {"name": "WebInspector", "version": "537.36"},
        "pages": [
            {
                "startedDateTime": "2026-03-01T09:30:00.120Z",
                "id": "page_1",
                "title": "https://chat.example/",
                "pageTimings": {"onContentLoad": 412.9, "onLoad": 633.1},
            }
        ],
        "entries": [
            {
                "_connectionId": "1734",
                "_initiator": {
                    "type": "script",
                    "stack": {"callFrames": [{"functionName": "ask", "lineNumber": 12}]},
                },
                "_priority": "High",
                "_resourceType": "fetch",
                "cache": {},
                "connection": "443",
                "pageref": "page_1",
                "request": {
                    "method": "POST",
                    "url": "https://chat.example/v1/chat?model=a%20b&x=",
                    "httpVersion": "http/2.0",
                    "headers": [
                        {"name": ":authority", "value": "chat.example"},
                        {"name": "accept", "value": "text/event-stream"},
                        {"name": "content-type", "value": "application/json"},
                    ],
                    "queryString": [{"name": "model", "value": "a%20b"}, {"name": "x", "value": ""}],
                    "cookies": [{"name": "s", "value": "1", "path": "/", "httpOnly": True, "sameSite": "Lax"}],
                    "headersSize": -1,
                    "bodySize": 17,
                    "postData": {"mimeType": "application/json", "text": '{"prompt": "hé"}'},
                },
                "response": {
                    "status": 200,
                    "statusText": "",
                    "httpVersion": "http/2.0",
                    "headers": [
                        {"name": "content-encoding", "value": "br"},
                        {"name": "content-type", "value": "text/event-stream; charset=utf-8"},
                    ],
                    "cookies": [],
                    "content": {
                        "size": 19,
                        "mimeType": "text/event-stream",
                        "compression": 3,
                        "text": "data: 1\n\ndata: 2\n\n ",
                    },
                    "redirectURL": "",
                    "headersSize": -1,
                    "bodySize": -1,
                    "_transferSize": 431,
                    "_error": None,
                    "_fetchedViaServiceWorker": False,
                },
                "serverIPAddress": "192.0.2.7",
                "startedDateTime": "2026-03-01T09:30:00.250Z",
                "time": 912.4560000002384,
                "timings": {
                    "blocked": 1.5,
                    "dns": 0.25,
                    "ssl": 20.1,
                    "connect": 40.25,
                    "send": 0.5,
                    "wait": 300.0000000001,
                    "receive": 569.9560000001383,
                    "_blocked_queueing": 1.2,
                    "_workerStart": -1,
                },
            },
            {
                "_resourceType": "image",
                "cache": {},
                "request": {
                    "method": "GET",
                    "url": "https://chat.example/logo",
                    "httpVersion": "http/2.0",
                    "headers": [],
                    "queryString": [],
                    "cookies": [],
                    "headersSize": -1,
                    "bodySize": 0,
                },
                "response": {
                    "status": 302,
                    "statusText": "Found",
                    "httpVersion": "http/2.0",
                    "headers": [{"name": "Location", "value": "/l", "comment": "noted"}],
                    "cookies": [],
                    "content": {"size": 4, "mimeType": "text/plain", "text": "bG9nbw==", "encoding": "base64"},
                    "redirectURL": "https://chat.example/l",
                    "headersSize": 120,
                    "bodySize": 4,
                },
                "startedDateTime": "2026-03-01T10:30:01.250123+01:00",
                "time": 5,
                "timings": {"blocked": -1, "dns": -1, "ssl": -1, "connect": -1, "send": 0, "wait": 4, "receive": 1},
            },
            {
                "cache": {},
                "request": {
                    "method": "GET",
                    "url": "https://ads.example/x.js",
                    "httpVersion": "",
                    "headers": [],
                    "queryString": [],
                    "cookies": [],
                    "headersSize": -1,
                    "bodySize": 0,
                },
                "response": {
                    "status": 0,
                    "statusText": "",
                    "httpVersion": "",
                    "headers": [],
                    "cookies": [],
                    "content": {"size": 0, "mimeType": "x-unknown"},
                    "redirectURL": "",
                    "headersSize": -1,
                    "bodySize": -1,
                    "_error": "net::ERR_BLOCKED_BY_CLIENT",
                },
                "startedDateTime": "2026-03-01T09:30:00.100Z",
                "time": 3.5,
                "timings": {"blocked": 3.5, "dns": -1, "connect": -1, "send": 0, "wait": 0, "receive": 0},
            },
        ],
        "comment": "a session",
    }
}
"""As Chrome DevTools exports a session: a stream, a redirect, and what an extension blocked."""

CALL = Interaction(
    request=Request("POST", "https://a.example/v1?q=1%202", (("Content-Type", "application/json"),), b"{}"),
    status=200,
    reason="OK",
    http_version="HTTP/1.1",
    headers=(("content-type", "text/plain"),),
    chunks=(b"hello",),
    started_s=0.0,
    head_s=0.25,
    duration_s=1.5,
)
CREATED = {"created": "2026-11-22T12:13:28.543Z"}


def load(file: Json | bytes) -> Tape:
    return har.load(file if isinstance(file, bytes) else json.dumps(file).encode(), "x.har")


def reload(tape: Tape) -> Tape:
    return load(har.dump(tape))


def log(tape: Tape) -> Json:
    return json.loads(har.dump(tape))["log"]


def small(request: Json | None = None, response: Json | None = None, **entry: Any) -> Json:
    """A file with one entry, which has these fields beside the least that it must have."""
    asked = {"method": "GET", "url": "http://a.example/"} | (request or {})
    return {"log": {"entries": [{"request": asked, "response": {"status": 200} | (response or {})} | entry]}}


def one(request: Json | None = None, response: Json | None = None, **entry: Any) -> Interaction:
    (call,) = load(small(request, response, **entry)).interactions
    return call


# Laws


@given(TAPES)
@settings(deadline=None)
def test_any_tape_survives_being_written_and_read_again(tape: Tape) -> None:
    again = reload(tape)
    assert again == tape
    assert again.warnings == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 999) | st.text(max_size=5) | st.floats(-9, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in plain data."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] + [place for key, item in items for place in places(item, (*path, key))]


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    value = copy.copy(value)
    value[path[0]] = put(value[path[0]], path[1:], new)
    return value


KEPT = [call.foreign["har"] for call in load(CHROME).interactions]


@given(interactions(), st.sampled_from(KEPT), st.data())
@settings(deadline=None)
def test_whatever_another_format_or_an_edit_left_in_foreign_survives(
    call: Interaction, kept: Json, data: st.DataObject
) -> None:
    """It may contradict the interaction, or be of another shape than HAR's."""
    kept = put(kept, data.draw(st.sampled_from(places(kept))), data.draw(JSON))
    foreign = data.draw(JSON_OBJECTS) | {"har": kept}
    meta = data.draw(JSON_OBJECTS) | {
        "har": data.draw(JSON | st.fixed_dictionaries({"creator": JSON, "pages": JSON}))
    }
    fields = {name: getattr(call, name) for name in call.__struct_fields__}
    tape = Tape((Interaction(**fields | {"foreign": foreign}),), meta)
    assert reload(tape) == tape


def refused(data: bytes) -> str:
    """The sentence, where it is refused; what loads must survive."""
    try:
        tape = load(data)
    except TapeFormatError as error:
        return str(error)
    assert reload(tape) == tape
    return "tape 'x.har' loads"


@given(st.data())
@settings(deadline=None)
def test_a_file_with_anything_anywhere_loads_or_is_refused(data: st.DataObject) -> None:
    file = put(CHROME, data.draw(st.sampled_from(places(CHROME))), data.draw(JSON))
    assert refused(json.dumps(file).encode()).startswith("tape 'x.har' ")


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps({"log": value}).encode()), st.booleans())
@settings(deadline=None)
def test_any_bytes_load_or_are_refused(data: bytes, torn: bool) -> None:
    data = har.dump(Tape((CALL,)))[: len(data) * 20] + data if torn else data
    assert refused(data).startswith("tape 'x.har' ")


# Recordings


@pytest.mark.parametrize("folder", ["seed", "quirks", "recorded"])
def test_every_recording_goes_through_har_and_back_with_its_bodies_byte_for_byte(folder: str) -> None:
    for file in sorted(shared_tape(folder).rglob("*.yaml")):
        tape = load_tape(file)
        again = reload(tape)
        assert again == tape, file
        assert [(call.request.body, call.body) for call in again.interactions] == [
            (call.request.body, call.body) for call in tape.interactions
        ], file
        assert govcr.dump(again) == govcr.dump(tape), file.relative_to(SHARED)


# What browsers export


def test_an_export_of_chrome_is_read() -> None:
    tape = load(CHROME)
    stream, redirect, blocked = tape.interactions
    assert (tape.format, tape.warnings) == ("har", ())
    assert stream.request == Request(
        "POST",
        "https://chat.example/v1/chat?model=a%20b&x=",
        ((":authority", "chat.example"), ("accept", "text/event-stream"), ("content-type", "application/json")),
        '{"prompt": "hé"}'.encode(),
    )
    assert (stream.status, stream.http_version, stream.ended) == (200, "http/2.0", "complete")
    assert stream.chunks == (b"data: 1\n\ndata: 2\n\n ",)
    assert stream.streamed
    assert (stream.started_s, stream.head_s, stream.duration_s) == (0.0, 0.3425, 0.912456)
    assert (redirect.started_s, redirect.head_s, redirect.duration_s) == (1.000123, 0.004, 0.005)
    assert (redirect.reason, redirect.body) == ("Found", b"logo")
    assert (blocked.status, blocked.ended, blocked.head_s) == (None, "failed", None)
    assert blocked.error == {"kind": "connect", "message": "net::ERR_BLOCKED_BY_CLIENT"}
    assert blocked.started_s == -0.15
    assert tape.meta["created"] == "2026-03-01T09:30:00.250Z"


def test_an_export_of_chrome_keeps_its_fields_when_it_is_written_again() -> None:
    """All of them, with no key of ours. Where there was no body, there is an empty one."""
    written = json.loads(har.dump(load(CHROME)))
    assert written["log"]["entries"][2]["response"]["content"].pop("text") == ""
    assert written == CHROME


def test_an_export_of_chrome_goes_through_playheads_own_format_and_back() -> None:
    tape = load(CHROME)
    assert har.dump(native.load(native.dump(tape), "t.jsonl")) == har.dump(tape)


def test_what_is_kept_holds_no_body_and_no_header_again() -> None:
    """So what is taken out of a tape is gone, and files do not grow."""
    stream, redirect, _ = load(CHROME).interactions
    kept = json.dumps([stream.foreign, redirect.foreign])
    assert not [text for text in ("data: 1", "prompt", "bG9nbw", ":authority", "Location") if text in kept]
    assert redirect.foreign["har"]["response"]["headers"] == [{"comment": "noted"}]
    assert redirect.foreign["har"]["response"]["content"] == {"mimeType": "text/plain", "encoding": "base64"}


def test_a_body_that_the_browser_left_out_is_a_warning() -> None:
    left_out = "entry 0: the response's body was left out when the file was exported"
    assert load(small(response={"content": {"size": 9, "mimeType": "text/plain"}})).warnings == (left_out,)
    assert load(small(response={"content": {"size": -1, "_file": "a1.txt"}})).warnings == (left_out,)
    asked = load(small(request={"bodySize": 3}))
    assert asked.warnings == ("entry 0: the request's body of 3 bytes is not in the file",)


def test_a_form_without_its_text_is_encoded_again() -> None:
    params = [{"name": "a b", "value": "1&2"}, {"name": "c"}]
    call = one(request={"postData": {"mimeType": "application/x-www-form-urlencoded", "params": params}})
    assert call.request.body == b"a+b=1%262&c="
    assert log(Tape((call,)))["entries"][0]["request"]["postData"]["params"] == params


def test_a_form_of_many_parts_without_its_text_cannot_be_made_again() -> None:
    data = {"mimeType": "multipart/form-data; boundary=x", "params": [{"name": "f", "fileName": "a.png"}]}
    tape = load(small(request={"postData": data}))
    assert tape.warnings == ("entry 0: the request's form is there, but not its bytes",)
    assert log(tape)["entries"][0]["request"]["postData"] == data


def test_a_connection_that_was_cut_is_a_failure_with_what_came() -> None:
    call = one(response={"content": {"text": "da"}, "_error": "net::ERR_INCOMPLETE_CHUNKED_ENCODING"})
    assert (call.status, call.body, call.ended, call.error and call.error["kind"]) == (
        200,
        b"da",
        "failed",
        "disconnect",
    )
    assert (one(response={"status": 0, "_error": "net::ERR_TIMED_OUT"}).error or {})["kind"] == "timeout"


def test_a_status_of_0_is_a_failure_also_where_no_error_is_told() -> None:
    call = one(response={"status": 0})
    assert (call.status, call.ended, call.error) == (None, "failed", None)


def test_what_is_not_known_of_times_is_none() -> None:
    call = one(time=-1, timings={"send": -1, "wait": -1, "receive": -1})
    assert (call.started_s, call.head_s, call.duration_s) == (None, None, None)
    assert reload(Tape((call,))).effects == (call,)


def test_an_encoding_that_is_not_known_is_a_warning() -> None:
    tape = load(small(response={"content": {"text": "x", "encoding": "rot13"}}))
    assert tape.interactions[0].body == b"x"
    assert tape.warnings == (
        "entry 0: the encoding 'rot13' of the response's body is not known: it is taken for text",
    )


def test_a_byte_order_mark_is_passed_over() -> None:
    assert load(b"\xef\xbb\xbf" + json.dumps(CHROME).encode()) == load(CHROME)


# Refusals


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"version: 2\n", "is not JSON"),
        (b'{"log": {"entries": [{', "is torn"),
        (b'{"log": "\xff"}', "is not JSON"),
        (b'{"log": "\\ud800"}', "is not JSON"),
        (b"[" * 9999, "nested too deeply"),
        (b'{"playhead":"tape","version":1}\n', "let its name end in .jsonl"),
        ([1], "should be an object with an object `log`, but is none"),
        ({"interactions": []}, "its keys are `interactions`"),
        ({"log": 1}, "its `log` is none"),
        ({"log": {}}, "`log.entries` that cannot be read"),
        ({"log": {"version": "9.0", "entries": []}}, "of HAR version '9.0'"),
        ({"log": {"entries": [1]}}, "Expected `object`, got `int`"),
        ({"log": {"entries": [{}]}}, "an entry 0 that cannot be read: .*`request`"),
        ({"log": {"entries": [], "_playhead": {"tools": 1}}}, "a `log._playhead` that cannot be read"),
        (small(response={"status": "200"}), "Expected `int`, got `str` - at `\\$.response.status`"),
        (small(response={"content": {"text": "!", "encoding": "base64"}}), "entry 0 .* is not base64, as it says"),
        (small(startedDateTime="soon"), "entry 0 .*'soon' is not a date of ISO 8601"),
        (small(_playhead={"ended": "soon"}), "entry 0 that cannot be read: Invalid enum value 'soon'"),
        (small(_webSocketMessages=[{"type": "send"}]), "a WebSocket conversation in entry 0"),
        (small(_resourceType="websocket"), "a WebSocket conversation in entry 0"),
        (small(request={"url": "wss://a.example/"}), "a WebSocket conversation in entry 0"),
        (small(request={"url": "data:text/plain,x"}), "a URL that begins with 'data:' in entry 0"),
        (
            small(request={"headers": [{"name": "Content-Type", "value": "application/grpc"}]}),
            "a gRPC call in entry 0",
        ),
    ],
)
def test_what_is_not_har_or_not_http_is_refused_with_a_sentence(file: Any, says: str) -> None:
    with pytest.raises(TapeFormatError, match=f"^tape 'x.har' .*{says}.*[.?]$"):
        load(file if isinstance(file, bytes) else json.dumps(file).encode())


def test_a_key_beside_the_log_is_a_warning() -> None:
    assert load(small() | {"x": 1}).warnings == ("the key 'x' beside `log` is not HAR's and is left out",)


# Writing


def test_a_tape_becomes_the_har_that_importers_take() -> None:
    """With every field that the specification wants, and none of ours, since nothing needs one."""
    document = log(Tape((CALL,), CREATED))
    assert document == {
        "version": "1.2",
        "creator": {"name": "playhead", "version": document["creator"]["version"]},
        "pages": [],
        "entries": [
            {
                "startedDateTime": "2026-11-22T12:13:28.543Z",
                "time": 1500,
                "request": {
                    "method": "POST",
                    "url": "https://a.example/v1?q=1%202",
                    "httpVersion": "HTTP/1.1",
                    "cookies": [],
                    "headers": [{"name": "Content-Type", "value": "application/json"}],
                    "queryString": [{"name": "q", "value": "1 2"}],
                    "postData": {"mimeType": "application/json", "text": "{}"},
                    "headersSize": -1,
                    "bodySize": 2,
                },
                "response": {
                    "status": 200,
                    "statusText": "OK",
                    "httpVersion": "HTTP/1.1",
                    "cookies": [],
                    "headers": [{"name": "content-type", "value": "text/plain"}],
                    "content": {"size": 5, "mimeType": "text/plain", "text": "hello"},
                    "redirectURL": "",
                    "headersSize": -1,
                    "bodySize": -1,
                },
                "cache": {},
                "timings": {"send": 0, "wait": 250, "receive": 1250},
            }
        ],
    }


@given(TAPES)
@settings(deadline=None)
def test_whatever_the_tape_the_fields_that_importers_read_are_there(tape: Tape) -> None:
    """Phases are not negative, and dates are dates."""
    document = log(tape)
    assert {"version", "creator", "pages", "entries"} <= document.keys()
    for entry in document["entries"]:
        assert datetime.fromisoformat(entry["startedDateTime"])
        assert min(entry["time"], *(entry["timings"][phase] for phase in ("send", "wait", "receive"))) >= 0
        assert {"cookies", "headers", "queryString", "headersSize", "bodySize"} <= entry["request"].keys()
        assert {"cookies", "headers", "content", "redirectURL", "bodySize"} <= entry["response"].keys()


def test_bytes_that_are_not_text_are_base64_both_ways() -> None:
    call = Interaction(request=Request("PUT", "http://a/", (), b"\xff"), status=200, chunks=(b"\x00\xfe",))
    (entry,) = log(Tape((call,)))["entries"]
    content = entry["response"]["content"]
    assert (content["text"], content["encoding"], content["size"]) == (
        base64.b64encode(b"\x00\xfe").decode(),
        "base64",
        2,
    )
    assert entry["request"]["postData"] == {"mimeType": "", "text": "/w==", "_encoding": "base64"}
    assert reload(Tape((call,))).effects == (call,)


def test_what_har_cannot_hold_stands_under_keys_of_ours() -> None:
    tool = ToolRun(lane="root/0.add", call_id="c", name="add", arguments="{}", result="3")
    call = Interaction(request=CALL.request, lane="root/0.ask", status=200, chunks=(b"a", b"bc"), times=(0.5, 1.0))
    document = log(Tape((tool, call), CREATED | {"id": "t1"}))
    assert document["_playhead"] == {
        "meta": CREATED | {"id": "t1"},
        "tools": [
            {"lane": "root/0.add", "call_id": "c", "name": "add", "arguments": "{}", "result": "3", "at": 0},
        ],
    }
    assert document["entries"][0]["_playhead"] == {
        "lane": "root/0.ask",
        "chunks": [1, 2],
        "times": [0.5, 1.0],
        "started_s": None,
        "head_s": None,
        "duration_s": None,
    }


def test_a_call_that_failed_has_the_status_0_and_its_error() -> None:
    error = {"kind": "connect", "message": "refused"}
    call = Interaction(request=CALL.request, started_s=0.0, duration_s=0.1, ended="failed", error=error)
    (entry,) = log(Tape((call,), CREATED))["entries"]
    assert (entry["response"]["status"], entry["response"]["_error"]) == (0, "refused")
    assert "_playhead" not in entry
    assert reload(Tape((call,), CREATED)).effects == (call,)


def test_an_edited_body_is_one_piece_with_a_warning() -> None:
    """The lengths of its pieces no longer fit; times belong to pieces."""
    call = Interaction(request=CALL.request, status=200, chunks=(b"ab", b"c"), times=(1.0, 2.0))
    tape = load(har.dump(Tape((call,))).replace(b'"abc"', b'"abcd"'))
    assert (tape.interactions[0].chunks, tape.interactions[0].times) == ((b"abcd",), None)
    assert tape.warnings == ("entry 0: the response's body was edited, and is taken for one piece",)


def test_what_har_cannot_hold_at_all_is_refused() -> None:
    for call in (
        Interaction(request=CALL.request, status=200, times=(1.0,)),
        Interaction(request=CALL.request, head_s=float("nan")),
        Interaction(request=CALL.request, foreign={"x": object()}),
        Interaction(request=Request("GET", "http://a/\ud800")),
    ):
        with pytest.raises(TapeFormatError, match=r"^the tape holds .*HAR cannot"):
            har.dump(Tape((call,)))


def test_an_empty_tape_is_a_log_without_entries() -> None:
    assert log(Tape())["entries"] == []
    assert reload(Tape()) == Tape()


def test_the_format_says_its_ending(tmp_path: Path) -> None:
    assert (har.FORMAT.name, har.FORMAT.endings) == ("har", (".har",))


@pytest.mark.parametrize(("named", "version"), [("1.1", 1.1), ("1.2", 1.2), ("1.3", 1.3), ("", 1.1)])
def test_the_version_is_the_files_own(named: str, version: float) -> None:
    tape = har.load(json.dumps({"log": {"version": named, "entries": []}}).encode(), "t.har")
    assert (tape.format, tape.version) == ("har", version)
    assert [warning[:7] for warning in tape.warnings] == (["HAR 1.3"] if named == "1.3" else [])


def test_a_status_that_is_none_is_refused() -> None:
    data = har.dump(Tape((Interaction(request=Request("GET", "http://a/"), status=200),)))
    with pytest.raises(TapeFormatError, match="status"):
        har.load(data.replace(b'"status": 200', b'"status": %d' % 10**30), "t.har")
