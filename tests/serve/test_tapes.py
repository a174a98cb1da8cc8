"""Tapes as a provider, over real sockets: the official OpenAI client, raw bytes, and Node."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import openai
import pytest

import chatwire
import playhead as ph
from conftest import shared_tape
from playhead.errors import TapeError
from playhead.http import Request
from playhead.serve._sources import load_tapes
from playhead.serve.http import ThreadedServer
from playhead.serve.tapes import Served, TapeProvider, serving
from playhead.tape.effects import Interaction, Tape
from playhead.transport.faults import Faults

ASKED = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
STREAMED = {**ASKED, "stream": True}
EXAMPLES = Path(__file__).parents[2] / "examples" / "tapes"


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The OpenAI client tries again at once."""
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)


def recorded(
    body: Any = ASKED,
    text: str = "hello",
    *,
    url: str = "https://api.test/v1/chat/completions",
    headers=chatwire.JSON,
    **more: Any,
) -> Interaction:
    """A chat completion as it was recorded, streamed where that was asked for."""
    if isinstance(body, dict) and body.get("stream"):
        more.setdefault("chunks", tuple(chatwire.stream(text)))
        headers = chatwire.SSE
    more.setdefault("chunks", (json.dumps(chatwire.message(text)).encode(),))
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    method = more.pop("method", "POST")
    return Interaction(
        request=Request(method, url, (), data), status=more.pop("status", 200), headers=headers, **more
    )


def client(server: ThreadedServer, path: str = "/v1", **more: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.url + path, api_key="none", **({"max_retries": 0} | more))


def ask(server: ThreadedServer, path: str = "/v1/chat/completions", body: Any = ASKED, method: str = "POST"):
    """One request on a connection of its own: the status, the headers with names in lower case, the body."""
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    with contextlib.closing(connection):
        connection.request(method, path, None if method == "GET" else json.dumps(body))
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


def text_of(answer: tuple[int, Any, bytes]) -> str:
    assert answer[0] == 200, answer
    return json.loads(answer[2])["choices"][0]["message"]["content"]


def raw(server: ThreadedServer, sent: bytes) -> bytes:
    """What a socket gets until the server closes it. An end before the end of the answer is no error here."""
    host, port = server.url.removeprefix("http://").split(":")
    received = b""
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(sent)
        with contextlib.suppress(ConnectionResetError):
            while data := connection.recv(65536):
                received += data
    return received


def post(server: ThreadedServer, body: bytes) -> bytes:
    """All bytes that come back for a chat completion, head included."""
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    return raw(server, head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))


# What a client gets


def test_the_openai_client_gets_what_was_recorded_streamed_and_not() -> None:
    with serving(Tape((recorded(), recorded(STREAMED, "it is three")))) as server, client(server) as openai_client:
        answer = openai_client.chat.completions.create(**ASKED)
        assert answer.choices[0].message.content == "hello"
        deltas = [
            part.choices[0].delta.content
            for part in openai_client.chat.completions.create(**STREAMED)
            if part.choices
        ]
    assert "".join(filter(None, deltas)) == "itisthree"


def test_every_recording_of_the_examples_is_served_byte_by_byte() -> None:
    for path in sorted(EXAMPLES.glob("*.jsonl")):
        tape = ph.load_tape(path)
        with serving(path) as server:
            for number, call in tape.numbered:
                if not isinstance(call, Interaction):
                    continue
                asked = json.loads(call.request.body)
                if call.ended == "complete":
                    status, headers, body = ask(server, body=asked)
                    assert (status, body) == (call.status, call.body)
                    assert headers["playhead-tape"] == f"{path.name}#{number}"
                else:  # It breaks off, as the recording does.
                    with pytest.raises(http.client.IncompleteRead) as cut:
                        ask(server, body=asked)
                    assert cut.value.partial == call.body


def test_a_cassette_of_go_vcr_is_served_to_the_openai_client() -> None:
    path = shared_tape("seed/openrouter-kimi-k2.yaml")
    calls = ph.load_tape(path).interactions
    with serving(path) as server, client(server) as openai_client:
        for call in calls:
            asked = json.loads(call.request.body)
            usage, streamed = asked.pop("usage", None), asked.get("stream")
            extra = {} if usage is None else {"extra_body": {"usage": usage}}
            answer = openai_client.chat.completions.with_raw_response.create(**asked, **extra)
            assert (
                answer.http_response.read() == call.body
                if not streamed
                else b"".join(answer.http_response.iter_bytes()) == call.body
            )


def test_node_reads_a_recorded_stream() -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not here")
    program = """
        const [url, body] = process.argv.slice(1);
        const answer = await fetch(url, {method: "POST", body, headers: {"content-type": "application/json"}});
        let text = "";
        for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) text += piece;
        console.log(JSON.stringify({status: answer.status, tape: answer.headers.get("playhead-tape"), text}));
    """
    call = recorded(STREAMED, "olá do Node")
    with serving(Tape((call,))) as server:
        done = subprocess.run(
            ["node", "--input-type=module", "-e", program, f"{server.url}/v1/chat/completions", json.dumps(STREAMED)],
            capture_output=True,
            timeout=60,
            check=True,
        )
    assert json.loads(done.stdout) == {"status": 200, "tape": "tape 0#0", "text": call.body.decode()}


def test_chunks_are_those_of_the_recording_and_bytes_are_not_touched() -> None:
    chunks = (b"data: \xff\xfe\r\n", b"\r\n", b"\x00" * 3, b"data: end")
    call = recorded(b"{}", chunks=chunks, headers=(("Content-Type", "text/event-stream"),))
    with serving(Tape((call,))) as server:
        received = post(server, b"{}")
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    assert received.partition(b"\r\n\r\n")[2] == body


def test_headers_are_those_of_the_recording_but_for_how_the_body_was_packed() -> None:
    headers = (
        (":status", "200"),
        ("Content-Type", "application/json"),
        ("Content-Encoding", "br"),
        ("Content-Length", "7"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close"),
        ("x-request-id", "r\u00e9q 1"),
        ("X-Ratelimit-A", "1"),
        ("x-ratelimit-a", "2"),
    )
    with serving(Tape((recorded(headers=headers),))) as server:
        received = post(server, json.dumps(ASKED).encode())
    lines = received.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    assert lines[:5] == [
        "Content-Type: application/json",
        "x-request-id: r\u00e9q 1",
        "X-Ratelimit-A: 1",
        "x-ratelimit-a: 2",
        "playhead-tape: tape 0#0",
    ]
    assert {line.partition(":")[0].lower() for line in lines[5:]} <= {"transfer-encoding", "connection"}


def test_the_recorded_time_is_kept_where_that_is_asked_for() -> None:
    call = recorded(STREAMED, chunks=(b"data: 1\n\n", b"data: 2\n\n"), times=(0.05, 0.2), head_s=0.02)
    with serving(Tape((call, call)), speed=1.0, repeat=True) as server:
        began = time.perf_counter()
        ask(server, body=STREAMED)
        assert time.perf_counter() - began >= 0.2


def test_a_body_can_be_cut_anew() -> None:
    call = recorded(STREAMED, chunks=(b"data: 1\n\ndata: 2\n\n",))
    with serving(Tape((call,)), cut="event") as server:
        received = post(server, json.dumps(STREAMED).encode())
    assert received.endswith(b"9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n0\r\n\r\n")


# What is the same request


@pytest.mark.parametrize(
    ("recorded_at", "asked"),
    [
        ("https://openrouter.ai/api/v1/chat/completions", "/v1/chat/completions"),
        ("https://openrouter.ai/api/v1/chat/completions", "/chat/completions"),
        ("https://openrouter.ai/api/v1/chat/completions", "/api/v1/chat/completions"),
        ("http://127.0.0.1:8080/chat/completions", "/v1/chat/completions"),
        ("https://api.test/v1/chat/completions", "//v1/chat/completions"),
        ("https://g.test/v1beta/models/gemini%3Apro:generate", "/v1beta/models/gemini:pro:generate"),
        ("https://a.test/v1/x?api-version=1&key=REDACTED", "/v1/x?api-version=1&key=my-own"),
        ("https://a.test/v1/x?key=REDACTED&alt=sse", "/v1/x?key=none&alt=sse"),
    ],
)
def test_the_host_and_the_beginning_of_the_path_do_not_count(recorded_at: str, asked: str) -> None:
    with serving(Tape((recorded(url=recorded_at),))) as server:
        assert text_of(ask(server, asked)) == "hello"


@pytest.mark.parametrize(
    ("path", "body", "method"),
    [
        ("/v1/completions", ASKED, "POST"),
        ("/v1/chat/completions/", {**ASKED, "model": "n"}, "POST"),
        ("/v1/chat/completions", {**ASKED, "temperature": 0}, "POST"),
        ("/v1/chat/completions?x=1", ASKED, "POST"),
        ("/v1/chat/completions?key=", ASKED, "POST"),
        ("/v1/chat/completions", ASKED, "PUT"),
        ("/v2/chat/completions", ASKED, "POST"),
    ],
)
def test_the_method_the_rest_of_the_path_the_query_and_the_body_count(path: str, body: Any, method: str) -> None:
    with serving(Tape((recorded(),))) as server:
        assert ask(server, path, body, method)[0] == 422


def test_the_order_of_keys_and_white_space_do_not_count() -> None:
    with serving(Tape((recorded(b'{"messages" : [], "model":"m"}'),))) as server:
        assert text_of(ask(server, body={"model": "m", "messages": []})) == "hello"


def test_equals_are_played_in_their_order_also_across_hosts_and_tapes() -> None:
    one = Tape((recorded(text="1"), recorded(text="2", url="https://b.test/v1/chat/completions")))
    with serving(one, Tape((recorded(text="3"),))) as server:
        answers = [ask(server) for _ in range(3)]
        assert [text_of(answer) for answer in answers] == ["1", "2", "3"]
        assert [answer[1]["playhead-tape"] for answer in answers] == ["tape 0#0", "tape 0#1", "tape 1#0"]


def test_a_key_in_a_request_is_taken_out_before_it_is_compared() -> None:
    key = "sk-or-v1-" + "0123456789abcdef" * 4
    secret = {**ASKED, "user": key}
    kept = ph.open_tape(mode="record").redacted(Request("POST", "http://x/", (), json.dumps(secret).encode())).body
    assert key.encode() not in kept
    with serving(Tape((recorded(kept), recorded(secret, "not redacted")))) as server:
        assert [text_of(ask(server, body=secret)) for _ in range(2)] == ["hello", "not redacted"]


# What the tape does not hold


def test_what_the_tape_does_not_hold_is_a_422_that_the_openai_client_does_not_send_again() -> None:
    told: list[Served] = []
    provider = TapeProvider([("run.jsonl", Tape((recorded(),)))], told=told.append)
    with (
        ThreadedServer(provider.answer) as server,
        client(server, max_retries=2) as openai_client,
        pytest.raises(openai.UnprocessableEntityError) as caught,
    ):
        openai_client.chat.completions.create(model="other", messages=[{"role": "user", "content": "Hi"}])
    assert caught.value.type == "divergence"
    assert caught.value.code == "changed"
    assert "model: from character 1 on the tape has 'm', this run 'other'" in caught.value.message
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert [(served.status, served.source) for served in told] == [(422, "")]
    assert provider.diverged == 1
    assert [source for source, _ in provider.left()] == ["run.jsonl#0"]


def test_after_its_last_equal_a_request_is_an_error() -> None:
    with serving(Tape((recorded(),))) as server:
        ask(server)
        status, _, body = ask(server)
    assert (status, json.loads(body)["error"]["code"]) == (422, "consumed")
    assert "--repeat" in json.loads(body)["error"]["message"]


@pytest.mark.parametrize("drift", [False, True])
def test_what_helps_is_what_a_server_has(drift: bool) -> None:
    tapes = Tape((recorded(),)), Tape((recorded(STREAMED), recorded({**STREAMED, "model": "n"})))
    asked = [
        ("/v1/chat/completions", {**ASKED, "temperature": 0}),
        ("/v1/chat/completions", {**ASKED, "temperature": 1}),
        ("/v1/chat/completions", {**ASKED, "temperature": 2}),
        ("/v1/chat/completions", ASKED),
        ("/v1/chat/completions", {**ASKED, "temperature": 2}),
        ("/v2/elsewhere", {}),
    ]
    with serving(*tapes, drift=drift) as server:
        answers = [ask(server, *each) for each in asked]
    errors = [json.loads(body)["error"] for status, _, body in answers if status == 422]
    assert {error["code"] for error in errors} == (
        {"changed", "missing", "consumed"} if drift else {"changed", "missing"}
    )
    for error in errors:
        assert "mode '" not in error["message"]
        assert error["message"].startswith("the 2 tapes ")
        assert ("--drift" in error["message"]) != drift
        assert ("record --mode resume" in error["message"]) == (error["code"] != "consumed")
    changed = [error["message"] for error in errors if error["code"] == "changed"]
    assert all(re.search(r"The nearest one is tape [01]#[01](, played already)?:\n  - ", each) for each in changed)
    assert all((", played already" in each) == drift for each in changed)


def test_with_repeat_equals_begin_again() -> None:
    with serving(Tape((recorded(text="1"), recorded(text="2"))), repeat=True) as server:
        assert [text_of(ask(server)) for _ in range(5)] == ["1", "2", "1", "2", "1"]


def test_with_drift_the_next_answer_of_the_same_path_is_given_and_marked() -> None:
    with serving(Tape((recorded(text="1"), recorded(text="2"))), drift=True) as server:
        assert "playhead-drift" not in ask(server)[1]
        drifted = ask(server, body={**ASKED, "model": "é\n"})
        assert text_of(drifted) == "2"
        assert "model:" in drifted[1]["playhead-drift"]
        assert ask(server, body={**ASKED, "model": "n"})[0] == 422


# What went wrong when it was recorded


def test_an_interrupted_recording_cuts_the_connection_behind_its_last_byte() -> None:
    call = recorded(b"{}", chunks=(b"data: 1\n\n",), ended="interrupted")
    with serving(Tape((call, recorded()))) as server:
        received = post(server, b"{}")
        assert received.endswith(b"9\r\ndata: 1\n\n\r\n")
        assert text_of(ask(server)) == "hello"


def test_a_recorded_failure_to_connect_is_a_connection_without_an_answer() -> None:
    told: list[Served] = []
    call = Interaction(
        request=Request("POST", "https://api.test/v1/chat/completions", (), b"{}"),
        ended="failed",
        error={"kind": "connect", "message": "could not connect"},
    )
    provider = TapeProvider([("t", Tape((call,)))], told=told.append)
    with (
        ThreadedServer(provider.answer) as server,
        client(server) as openai_client,
        pytest.raises(openai.APIConnectionError),
    ):
        openai_client.post("/chat/completions", body={}, cast_to=object)
    assert [(served.status, served.note) for served in told] == [(None, "cut: t#0: could not connect")]


def test_a_refusal_is_a_refusal_with_its_headers() -> None:
    call = recorded(
        status=429, headers=(*chatwire.JSON, ("Retry-After", "0")), chunks=(b'{"error":{"message":"slow"}}',)
    )
    with serving(Tape((call, recorded()))) as server, client(server, max_retries=1) as openai_client:
        assert openai_client.chat.completions.create(**ASKED).choices[0].message.content == "hello"


def test_faults_strike_what_is_served_and_the_retry_gets_the_answer() -> None:
    told: list[Served] = []
    faults = Faults.parse("429:retry-after=0@call=1", "connect@call=2", "cut:after=3@call=3")
    provider = TapeProvider([("t", Tape((recorded(),)))], faults=faults, told=told.append)
    with ThreadedServer(provider.answer) as server, client(server, max_retries=3) as openai_client:
        assert openai_client.chat.completions.create(**ASKED).choices[0].message.content == "hello"
    assert [served.status for served in told] == [429, None, 200, 200]
    assert [served.source for served in told] == ["", "", "t#0", "t#0"]
    assert [struck.kind for struck in faults.struck] == ["429", "connect", "cut"]
    assert provider.left() == ()


# What the server says itself


def test_it_says_what_is_served_and_what_is_left() -> None:
    with serving(Tape((recorded(), recorded(STREAMED)))) as server:
        ask(server)
        for path in ("/", "/healthz"):
            said = json.loads(ask(server, path, method="GET")[2])
            assert (said["interactions"], said["played"], said["left"]) == (2, 1, 1)
            assert said["tapes"] == [{"name": "tape 0", "interactions": 2, "played": 1, "left": 1}]


def test_models_are_those_of_the_recorded_requests() -> None:
    gemini = recorded(b"{}", url="https://g.test/v1beta/models/gemini-pro:generateContent")
    with serving(Tape((recorded(), gemini, recorded()))) as server, client(server) as openai_client:
        assert [model.id for model in openai_client.models.list()] == ["m", "gemini-pro"]


def test_a_recorded_list_of_models_comes_before_the_servers_own() -> None:
    call = recorded(b"", url="https://api.test/v1/models", method="GET", chunks=(b'{"data":[]}',))
    with serving(Tape((call,))) as server:
        assert ask(server, "/v1/models", method="GET")[2] == b'{"data":[]}'


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:1", 200),
        ("127.0.0.1", 200),
        ("[::1]:8642", 200),
        ("tape.localhost", 200),
        ("evil.test", 403),
        ("127.0.0.1.evil.test", 403),
        ("localhost@evil.test", 403),
    ],
)
def test_on_loopback_only_loopback_names_are_answered_to(host: str, status: int) -> None:
    with serving(Tape((recorded(),))) as server:
        received = raw(server, f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert received.startswith(b"HTTP/1.1 %d" % status)


# Where tapes come from


def test_a_folder_is_all_tapes_in_it_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "sum.jsonl", tmp_path / "a.jsonl")
    (tmp_path / "deeper").mkdir()
    ph.save_tape(Tape((recorded(),)), tmp_path / "deeper" / "b.har")
    ph.save_tape(Tape((recorded(),)), tmp_path / "deeper" / "a.jsonl")
    (tmp_path / "notes.md").write_text("no tape")
    (tmp_path / "package.json").write_text("{}")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "c.jsonl").write_text("no tape")
    tapes, notes = load_tapes([tmp_path])
    assert [name for name, _ in tapes] == [str(tmp_path / "a.jsonl"), str(tmp_path / "deeper" / "a.jsonl"), "b.har"]
    assert len(notes) == 1
    assert "package.json" in notes[0]


def test_a_folder_without_a_tape_and_a_file_that_is_none_are_errors(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match="no tape in the folder"):
        load_tapes([tmp_path])
    (tmp_path / "a.jsonl").write_text("{}\n")
    with pytest.raises(TapeError):
        load_tapes([tmp_path / "a.jsonl"])


def test_what_a_resumed_run_asked_again_is_not_served() -> None:
    with serving(Tape((recorded(text="old", superseded=True), recorded(text="new")))) as server:
        assert text_of(ask(server)) == "new"
        assert ask(server)[0] == 422
