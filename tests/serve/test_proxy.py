"""The recording proxy, over real sockets: a provider made of raw bytes, the official OpenAI client, and the tape."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chatwire
import playhead as ph
from playhead.errors import ConfigError, TapeError
from playhead.http import Outcome, Request
from playhead.serve.http import Server, ThreadedServer
from playhead.serve.proxy import Passed, RecordingProxy
from playhead.serve.tapes import serving
from playhead.tape.effects import Interaction
from playhead.tape.open import open_tape
from playhead.tape.writer import TapeWriter
from playhead.transport.live import LiveTransport

ASKED = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
STREAMED = {**ASKED, "stream": True}
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
KEY = "sk-or-v1-" + "0123456789abcdef" * 4
IN_A_URL = "AIzaSy" + "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY1"


class Provider:
    """Reads a request from each connection, keeps its bytes, and lets a function answer with raw bytes."""

    def __init__(self, answer: Callable[[socket.socket, bytes], None]) -> None:
        self.asked: list[bytes] = []
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _start(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._start(self._serve, self._listener.accept()[0])

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with connection, contextlib.suppress(ConnectionError):
            while asked := _read(connection):
                self.asked.append(asked)
                self._answer(connection, asked)


def _read(connection: socket.socket) -> bytes:
    """A whole request, or nothing where the client is done."""
    data = b""
    while True:
        head, end, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        if end and len(body) >= (int(length[1]) if length else 0):
            return data
        if not (more := connection.recv(65536)):
            return b""
        data += more


def saying(*pieces: bytes) -> Callable[[socket.socket, bytes], None]:
    """Answers with these bytes, each sent by itself, and hangs up."""

    def answer(connection: socket.socket, asked: bytes) -> None:
        for piece in pieces:
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_RDWR)

    return answer


def chat(connection: socket.socket, asked: bytes) -> None:
    """Answers a chat completion, streamed where that is asked for."""
    body = json.loads(asked.partition(b"\r\n\r\n")[2])
    if body.get("stream"):
        pieces = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in chatwire.stream("it is three")]
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head + b"".join(pieces) + b"0\r\n\r\n")
    else:
        text = json.dumps(chatwire.message(body["messages"][0]["content"])).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(text)
        connection.sendall(head + text)


@dataclass
class Proxy:
    """A proxy that runs.

    Attributes:
        told: of each exchange.
        over: set after each.
    """

    url: str = ""
    told: list[Passed] = field(default_factory=list)
    over: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def wait(self) -> Passed:
        """The next exchange that is over."""
        assert self.over.acquire(timeout=10)
        return self.told[-1]


@contextmanager
def proxy(to: str, path: Path | None = None, mode: Any = None, outcome: Outcome | None = None) -> Generator[Proxy]:
    """A recording proxy in a thread. What was recorded is in the file when the block ends."""
    made, transport, loops = Proxy(), LiveTransport(), []

    def told(passed: Passed) -> Outcome | None:
        made.told.append(passed)
        made.over.release()
        return outcome

    with open_tape(path, mode) as tape:
        recording = RecordingProxy(to, tape, transport, told=told)

        async def handler(request: Request) -> Any:
            loops.append(asyncio.get_running_loop())
            return await recording.answer(request)

        with ThreadedServer(handler) as server:
            made.url = server.url
            yield made
            for loop in loops[:1]:
                asyncio.run_coroutine_threadsafe(transport.aclose(), loop).result(10)


def connect(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def raw(url: str, sent: bytes) -> bytes:
    """What a socket gets until the other side closes it."""
    received = b""
    with connect(url) as connection:
        connection.sendall(sent)
        with contextlib.suppress(ConnectionResetError):
            while data := connection.recv(65536):
                received += data
    return received


def get(url: str, path: str = "/x", *headers: bytes, method: bytes = b"GET", body: bytes = b"") -> bytes:
    lines = (b"%b %b HTTP/1.1" % (method, path.encode()), b"Host: localhost", b"Connection: close", *headers)
    return raw(url, b"\r\n".join(lines) + b"\r\n\r\n" + body)


def post(url: str, body: bytes, *headers: bytes, path: str = "/v1/chat/completions") -> bytes:
    return get(url, path, *headers, b"Content-Length: %d" % len(body), method=b"POST", body=body)


def unchunked(received: bytes) -> bytes:
    """The body of a response, out of its chunks where it has some."""
    head, _, data = received.partition(b"\r\n\r\n")
    if b"chunked" not in head.lower():
        return data
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        n = int(size, 16)
        body, data = body + data[:n], data[n + 2 :]
        if n == 0:
            break
    return body


def call_on(path: Path) -> Interaction:
    (call,) = ph.load_tape(path).interactions
    return call


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return tmp_path / "t.jsonl"


# Bytes


def test_status_headers_and_bytes_are_the_providers_to_the_client_and_on_the_tape(tape: Path) -> None:
    body = b"\xff\x00\r\n\r\nHTTP/1.1 200\r\n\n"
    answer = (
        b"HTTP/1.1 418 I'm a Teapot\r\nX-Request-ID: r1\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\n"
        b"Content-Type: application/octet-stream\r\nContent-Length: %d\r\nConnection: close, x-private\r\n"
        b"X-Private: 1\r\nKeep-Alive: timeout=5\r\n\r\n%b" % (len(body), body)
    )
    with Provider(saying(answer)) as provider, proxy(provider.url, tape) as it:
        received = get(it.url)
    head = received.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert head == [
        b"HTTP/1.1 418 I'm a Teapot",
        b"X-Request-ID: r1",
        b"set-cookie: a=1",
        b"Set-Cookie: b=2",
        b"Content-Type: application/octet-stream",
        b"Content-Length: %d" % len(body),
        b"Connection: close",
    ]
    assert unchunked(received) == body
    call = call_on(tape)
    assert (call.status, call.reason, call.body, call.ended) == (418, "I'm a Teapot", body, "complete")
    assert call.request.url == f"{provider.url}/x"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.randoms())
def test_any_bytes_in_any_pieces_are_the_same_at_the_provider_the_client_and_on_the_tape(
    pieces: list[bytes], random: Any
) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    sent = head + b"".join(b"%X;x=1\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    cuts = sorted(random.randrange(len(sent)) for _ in range(3))
    answer = saying(*(part for a, b in zip([0, *cuts], [*cuts, None], strict=True) if (part := sent[a:b])))
    with Provider(answer) as provider, open_tape() as tape:
        transport = LiveTransport()

        async def main() -> bytes:
            async with Server(RecordingProxy(provider.url, tape, transport).answer) as server:
                received = await asyncio.to_thread(get, server.url)
            await transport.aclose()
            return received

        received = asyncio.run(main())
        recorded = tape.tape()
    assert recorded is not None
    assert unchunked(received) == recorded.interactions[0].body == b"".join(pieces)


def test_the_request_is_the_clients_but_for_what_is_about_the_connection(tape: Path) -> None:
    with Provider(saying(OK)) as provider, proxy(provider.url, tape) as it:
        post(
            it.url,
            b"\x00\xff{}",
            b"Authorization: Bearer my-key",
            b"x-Mixed-Case: 1",
            b"Accept-Encoding: gzip, br",
            b"TE: trailers",
            b"Keep-Alive: timeout=5",
            b"Proxy-Authorization: Basic x",
            b"Connection: X-Hop",
            b"X-Hop: 1",
            path="/a%2Fb?q=%20x&y=/v1/",
        )
    head, _, body = provider.asked[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /a%2Fb?q=%20x&y=/v1/ HTTP/1.1"
    assert body == b"\x00\xff{}"
    assert b"Authorization: Bearer my-key" in lines
    assert b"x-Mixed-Case: 1" in lines
    names = [line.partition(b":")[0].lower() for line in lines[1:]]
    assert sorted(names) == sorted(
        [b"host", b"authorization", b"x-mixed-case", b"accept-encoding", b"via", b"content-length"]
    )
    assert b"Accept-Encoding: identity" in lines
    assert ("Accept-Encoding", "identity") in call_on(tape).request.headers
    assert b"Host: %b" % provider.url.removeprefix("http://").encode() in lines


def test_a_body_that_comes_compressed_all_the_same_reaches_client_and_tape_alike(tape: Path) -> None:
    import gzip

    body = gzip.compress(b"hello")
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    with Provider(saying(answer)) as provider, proxy(provider.url, tape) as it:
        received = get(it.url)
    assert b"gzip" not in received
    assert unchunked(received) == b"hello" == call_on(tape).body


@pytest.mark.parametrize("method", [b"HEAD", b"DELETE"])
def test_an_answer_without_a_body_is_complete(method: bytes, tape: Path) -> None:
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n" if method == b"HEAD" else b"HTTP/1.1 204 No Content\r\n\r\n"
    )
    with Provider(saying(head)) as provider, proxy(provider.url, tape) as it:
        received = get(it.url, method=method)
        assert it.wait().note == ""
    assert received.startswith(head.partition(b"\r\n")[0])
    assert call_on(tape).ended == "complete"


# Where it goes


@pytest.mark.parametrize(
    ("prefix", "asked", "sent"),
    [
        ("", "/v1/models", "/v1/models"),
        ("/", "/", "/"),
        ("/api/v1", "/api/v1/models", "/api/v1/models"),
        ("/api/v1", "/v1/models", "/api/v1/models"),
        ("/api/v1", "/models", "/api/v1/models"),
        ("/api/v1/", "//v1/models", "/api/v1/models"),
        ("/api/v1", "/v1beta/models", "/api/v1/v1beta/models"),
        ("/api/v1", "/api/models", "/api/v1/api/models"),
        ("/v1", "/v1?x=/v1", "/v1?x=/v1"),
    ],
)
def test_what_the_clients_path_and_the_providers_have_in_common_is_there_once(
    prefix: str, asked: str, sent: str, tape: Path
) -> None:
    with Provider(saying(OK)) as provider, proxy(provider.url + prefix, tape) as it:
        get(it.url, asked)
    assert provider.asked[0].split(b" ")[1].decode() == sent
    assert call_on(tape).request.url == provider.url + sent


@pytest.mark.parametrize("to", ["api.test/v1", "ftp://x", "https://", "http://a/?k=1", "http://u:p@a/", "http://[/"])
def test_what_is_no_address_is_told(to: str) -> None:
    with open_tape() as tape, pytest.raises(ConfigError, match="expected the provider's address") as caught:
        RecordingProxy(to, tape, LiveTransport())
    assert "u:p" not in str(caught.value)


# Secrets


def test_keys_reach_the_provider_and_never_the_tape(tape: Path) -> None:
    body = json.dumps({**ASKED, "user": KEY}).encode()
    echo = b"you sent " + KEY.encode()
    answer = b"HTTP/1.1 200 OK\r\nX-Key: %b\r\nSet-Cookie: s=%b\r\nContent-Length: %d\r\n\r\n%b" % (
        KEY.encode(), KEY.encode(), len(echo), echo
    )  # fmt: skip
    with Provider(saying(answer[:-20], answer[-20:])) as provider, proxy(provider.url, tape) as it:
        received = post(
            it.url,
            body,
            b"Authorization: Bearer " + KEY.encode(),
            b"X-Api-Key: plain-secret",
            path=f"/v1/x?key={IN_A_URL}",
        )
    assert provider.asked[0].count(KEY.encode()) == 2
    assert b"/v1/x?key=%b" % IN_A_URL.encode() in provider.asked[0]
    assert b"X-Api-Key: plain-secret" in provider.asked[0]
    assert unchunked(received) == echo
    written = tape.read_bytes()
    assert b"you sent" in written
    for secret in (KEY, "plain-secret", IN_A_URL):
        assert secret.encode() not in written
        assert secret not in repr(it.told[0].call.request.url)


# As it arrives


def test_a_piece_reaches_the_client_while_the_provider_still_waits_and_is_on_the_tape_by_then(tape: Path) -> None:
    seen = threading.Event()

    def answer(connection: socket.socket, asked: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        assert seen.wait(10)
        connection.sendall(b"4\r\nlast\r\n0\r\n\r\n")

    with Provider(answer) as provider, proxy(provider.url, tape) as it, connect(it.url) as connection:
        connection.sendall(b"GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        received = b""
        while b"first" not in received:
            received += connection.recv(65536)
        assert b'"first"' in tape.read_bytes()
        seen.set()
        while data := connection.recv(65536):
            received += data
    assert unchunked(received) == b"firstlast"
    assert call_on(tape).chunks == (b"first", b"last")


def _leave_after(answer: bytes, tape: Path, path: str, outcome: Outcome | None) -> tuple[Passed, Interaction]:
    """A client leaves when it has seen `answer`, which the provider does not end. The provider must notice."""
    left = threading.Event()

    def unfinished(connection: socket.socket, asked: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sendall(b"%x\r\n%b\r\n" % (len(answer), answer))
        assert connection.recv(1) == b""
        left.set()

    with Provider(unfinished) as provider, proxy(provider.url, tape, outcome=outcome) as it:
        with connect(it.url) as connection:
            connection.sendall(b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode())
            received = b""
            while answer not in received:
                received += connection.recv(65536)
        passed = it.wait()
        assert left.wait(10)
    return passed, call_on(tape)


def test_a_client_that_leaves_takes_the_providers_answer_with_it_and_leaves_an_interrupted_one(tape: Path) -> None:
    passed, call = _leave_after(b"a piece", tape, "/x", None)
    assert (passed.note, passed.call.chunks) == ("the client left", (b"a piece",))
    assert (call.ended, call.chunks) == ("interrupted", (b"a piece",))


def test_a_client_that_leaves_with_the_last_event_leaves_a_complete_answer(tape: Path) -> None:
    assert _leave_after(b"data: [DONE]", tape, "/x", "whole")[1].ended == "complete"


def test_a_client_that_leaves_before_the_head_is_told_of(tape: Path) -> None:
    asked = threading.Event()

    def silent(connection: socket.socket, _: bytes) -> None:
        asked.set()
        assert connection.recv(1) == b""

    with Provider(silent) as provider, proxy(provider.url, tape) as it:
        with connect(it.url) as connection:
            connection.sendall(b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert asked.wait(10)
        assert it.wait().note == "the client left"
    assert (call_on(tape).status, call_on(tape).ended) == (None, "interrupted")


def test_what_the_body_turns_out_to_be_is_on_the_tape(tape: Path) -> None:
    with Provider(saying(OK)) as provider, proxy(provider.url, tape, outcome="truncated") as it:
        get(it.url)
    assert call_on(tape).outcome == "truncated"


def test_clients_are_served_at_the_same_time(tape: Path) -> None:
    together = threading.Barrier(8)

    def answer(connection: socket.socket, asked: bytes) -> None:
        together.wait(10)
        chat(connection, asked)

    def one(n: int) -> str:
        body = {"model": "m", "messages": [{"role": "user", "content": f"number {n}"}]}
        received = post(it.url, json.dumps(body).encode())
        return json.loads(unchunked(received))["choices"][0]["message"]["content"]

    with Provider(answer) as provider, proxy(provider.url, tape) as it, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(8))) == [f"number {n}" for n in range(8)]
    for call in ph.load_tape(tape).interactions:
        assert json.loads(call.request.body)["messages"][0]["content"].encode() in call.body


# What goes wrong


def test_a_provider_that_hangs_up_early_cuts_the_client_and_is_a_failure_on_the_tape(tape: Path) -> None:
    answer = saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    with Provider(answer) as provider, proxy(provider.url, tape) as it:
        received = get(it.url)
        assert it.wait().note.startswith("cut: ")
    assert received.endswith(b"3\r\nabc\r\n")
    call = call_on(tape)
    assert (call.ended, call.chunks, (call.error or {})["kind"]) == ("failed", (b"abc",), "disconnect")


def test_a_provider_that_is_not_there_is_a_502_in_json_and_a_failure_on_the_tape(tape: Path) -> None:
    with Provider(saying(OK)) as provider:
        pass
    with proxy(provider.url, tape) as it:
        received = get(it.url)
    assert received.startswith(b"HTTP/1.1 502")
    error = json.loads(unchunked(received))["error"]
    assert (error["type"], error["code"]) == ("upstream_error", "connect")
    assert "could not connect" in error["message"]
    assert (call_on(tape).ended, call_on(tape).status) == ("failed", None)


def test_a_tape_that_breaks_in_the_middle_of_an_answer_cuts_the_client_and_is_told(
    tape: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write = TapeWriter.append

    def full_from_the_answer_on(writer: TapeWriter, line: Any) -> None:
        if line.get("type") == "call.chunk":
            raise TapeError("tape 't' cannot be written: No space left on device.") from OSError(28, "no space")
        write(writer, line)

    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    with Provider(saying(answer)) as provider, proxy(provider.url, tape) as it:
        monkeypatch.setattr(TapeWriter, "append", full_from_the_answer_on)
        received = get(it.url)
        passed = it.wait()
        monkeypatch.undo()
    assert b"abc" not in received
    assert not received.endswith(b"0\r\n\r\n")
    assert (passed.sent, passed.recorded, passed.note) == (
        True,
        False,
        "cut: tape 't' cannot be written: No space left on device.",
    )
    assert caplog.text == ""


def test_the_end_of_an_answer_that_cannot_be_written_is_told_of_by_itself(
    tape: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Provider(saying(OK)) as provider, proxy(provider.url, tape, outcome="truncated") as it:
        write = TapeWriter.append

        def full_at_the_end(writer: TapeWriter, line: Any) -> None:
            if line.get("type") == "outcome":
                raise TapeError("full") from OSError(28, "no space")
            write(writer, line)

        monkeypatch.setattr(TapeWriter, "append", full_at_the_end)
        get(it.url)
        it.wait()
        it.wait()
        monkeypatch.undo()
    told = [(passed.sent, passed.recorded, passed.note) for passed in it.told]
    assert told == [(True, True, ""), (False, False, "full")]


def test_a_change_of_protocol_is_refused_and_not_sent_on() -> None:
    with Provider(saying(OK)) as provider, proxy(provider.url) as it:
        received = get(it.url, "/v1/realtime", b"Upgrade: websocket", b"Connection: Upgrade")
        refused = it.wait()
        assert (refused.sent, refused.recorded) == (False, False)
    assert received.startswith(b"HTTP/1.1 501")
    assert provider.asked == []


# The official client


def openai_client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)


def heard(client: openai.OpenAI) -> Iterator[str]:
    with client:
        yield client.chat.completions.create(**ASKED).choices[0].message.content or ""
        deltas = [
            part.choices[0].delta.content for part in client.chat.completions.create(**STREAMED) if part.choices
        ]
        yield "".join(filter(None, deltas))


@pytest.mark.parametrize("name", ["t.jsonl", "t.yaml", "t.har"])
def test_what_the_openai_client_heard_it_hears_again_from_the_tape(name: str, tmp_path: Path) -> None:
    with Provider(chat) as provider, proxy(f"{provider.url}/api/v1", tmp_path / name) as it:
        first = list(heard(openai_client(it.url)))
    with serving(tmp_path / name) as server:
        assert list(heard(openai_client(server.url))) == first == ["Hi", "itisthree"]
    assert KEY.encode() not in (tmp_path / name).read_bytes()
    assert b"Bearer %b" % KEY.encode() in provider.asked[0]


def test_in_mode_resume_what_is_there_is_played_and_what_is_new_is_recorded(tape: Path) -> None:
    new = json.dumps({**ASKED, "model": "new"}).encode()
    with Provider(chat) as provider:
        with proxy(provider.url, tape) as it:
            first = post(it.url, json.dumps(ASKED).encode())
        with proxy(provider.url, tape, "resume") as it:
            again = post(it.url, json.dumps(ASKED).encode())
            post(it.url, new)
            assert [passed.played for passed in it.told] == [True, False]
    assert unchunked(again) == unchunked(first)
    assert len(provider.asked) == 2
    assert [call.request.body for call in ph.load_tape(tape).interactions] == [json.dumps(ASKED).encode(), new]
