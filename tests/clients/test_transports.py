"""Plain clients of every package on a tape: live against a server on loopback, and played with the server gone."""

from __future__ import annotations

import asyncio
import gc
import gzip
import io
import random
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import httpx2
import pytest
import requests
import requests.adapters
import urllib3
from hypothesis import given
from hypothesis import strategies as st
from ways import ASYNC, WAYS, ask

import chatwire
import playhead as ph
from conftest import SHARED, expected
from playhead import clients
from playhead.clients._last_words import LastWords
from playhead.http import Request, Response
from playhead.serve.http import Abort, ThreadedServer
from playhead.tape.effects import Interaction, Tape
from playhead.tape.recorder import CallRecording
from playhead.transport.faults import Faults

ways = pytest.mark.parametrize("way", WAYS)

JSON = (("Content-Type", "application/json"),)
SSE = (("Content-Type", "text/event-stream"), ("X-Request-Id", "r1"))
EVENTS = (b"data: a\n\n", b"data: \xc3\xa9\n\n", b"data: [DONE]\n\n")

READ_ERRORS: dict[str, tuple[type[Exception], ...]] = {
    "httpx": (httpx.ReadError, httpx.RemoteProtocolError),
    "httpx2": (httpx2.ReadError, httpx2.RemoteProtocolError),
    "requests": (requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError),
    "aiohttp": (aiohttp.ClientPayloadError,),
}
CONNECT_ERRORS: dict[str, type[Exception]] = {
    "httpx": httpx.ConnectError,
    "httpx2": httpx2.ConnectError,
    "requests": requests.exceptions.ConnectionError,
    "aiohttp": aiohttp.ClientConnectorError,
}
TIMEOUT_ERRORS: dict[str, type[Exception]] = {
    "httpx": httpx.ReadTimeout,
    "httpx2": httpx2.ReadTimeout,
    "requests": requests.exceptions.ReadTimeout,
    "aiohttp": aiohttp.ServerTimeoutError,
}


def package(way: str) -> str:
    return way.removesuffix(" async")


def question(url: str, body: bytes = b'{"n":1}') -> Request:
    return Request("POST", f"{url}/v1/ask?api_key=not-a-key", (*JSON, ("Authorization", "not-a-key")), body)


async def pieces_of(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def recorded(*chunks: bytes, **more: Any) -> Interaction:
    head: dict[str, Any] = {"status": 200, "reason": "OK", "http_version": "HTTP/1.1", "headers": SSE}
    return Interaction(request=question("https://x.test"), chunks=chunks, **{**head, **more})


async def events(_: Request) -> Response:
    return Response(200, SSE, pieces_of(*EVENTS), reason="Fine")


async def echo(request: Request) -> Response:
    return Response(200, JSON, pieces_of(request.body))


@ways
def test_what_was_recorded_is_played_when_the_server_is_gone(way: str, tmp_path: Path) -> None:
    tape = tmp_path / "run.jsonl"
    with ThreadedServer(events) as server:
        asked = question(server.url)
        live = ask(way, tape, asked, "record")
    assert live.error is None
    assert (live.status, live.reason, live.body) == (200, "Fine", b"".join(EVENTS))
    played = ask(way, tape, asked, "replay")
    assert (played.status, played.reason, played.body) == (200, "Fine", b"".join(EVENTS))
    if way != "aiohttp":  # It joins what is there by the time that it is read.
        assert played.pieces == list(EVENTS)
    assert played.headers["x-request-id"] == live.headers["x-request-id"] == "r1"
    (call,) = ph.load_tape(tape).interactions
    assert (call.ended, call.body, call.request.body) == ("complete", b"".join(EVENTS), asked.body)
    assert call.times is not None
    assert b"not-a-key" not in tape.read_bytes()


@ways
def test_each_piece_is_recorded_and_handed_on_before_the_next_one_is_sent(way: str, tmp_path: Path) -> None:
    tape, seen, on_tape = tmp_path / "run.jsonl", threading.Semaphore(0), []

    async def one_by_one() -> AsyncIterator[bytes]:
        for piece in EVENTS:
            yield piece
            assert await asyncio.to_thread(seen.acquire, timeout=10)

    async def answer(_: Request) -> Response:
        return Response(200, SSE, one_by_one())

    def look(_: bytes) -> None:
        on_tape.append(ph.load_tape(tape).interactions[0].chunks)
        seen.release()

    with ThreadedServer(answer) as server:
        live = ask(way, tape, question(server.url), "record", on_piece=look)
    assert live.error is None
    assert live.pieces == list(EVENTS)
    assert on_tape == [EVENTS[:1], EVENTS[:2], EVENTS]


@ways
def test_a_client_that_leaves_early_leaves_an_interrupted_recording(way: str, tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield EVENTS[0]
        await asyncio.Event().wait()

    async def answer(_: Request) -> Response:
        return Response(200, SSE, endless())

    tape = tmp_path / "run.jsonl"
    with ThreadedServer(answer) as server:
        left = ask(way, tape, question(server.url), most=1)
    assert (left.error, left.pieces) == (None, [EVENTS[0]])
    (call,) = ph.load_tape(tape).interactions
    assert (call.ended, call.chunks) == ("interrupted", (EVENTS[0],))


LAST_EVENTS = {
    "chat completions": EVENTS[2],
    "messages": b'event: message_stop\ndata: {"type":"message_stop"   }\n\n',
    "messages, without names": b'data: {"type": "message_stop"}\r\n\r\n',
    "responses": b'event: response.completed\ndata: {"response":{"output":"' + b"x" * 500 + b'"}}\n\n',
    "responses, without names": b'data: {"type":"response.completed","response":{"output":"'
    + b"x" * 500
    + b'"}}\n\n',
    "responses, too long": b'event: response.incomplete\r\ndata: {"type":"response.incomplete"}\r\n\r\n',
    "responses, failed": b'event: response.failed\ndata: {"type":"response.failed"}\n\n',
    "responses, and done": b'data: {"type":"response.completed"}\n\n: bye\n\n' + EVENTS[2],
}


def left_behind(way: str, tape: Path, *pieces: bytes) -> Interaction:
    """The recording of a stream that goes on, and was left behind these pieces."""

    async def lingering() -> AsyncIterator[bytes]:
        yield b"".join(pieces)
        await asyncio.Event().wait()

    async def answer(_: Request) -> Response:
        return Response(200, SSE, lingering())

    with ThreadedServer(answer) as server:
        ask(way, tape, question(server.url), most=1)
    return ph.load_tape(tape).interactions[0]


@ways
def test_a_stream_that_was_left_at_its_last_event_is_complete(way: str, tmp_path: Path) -> None:
    assert left_behind(way, tmp_path / "a.jsonl", EVENTS[0], EVENTS[2]).ended == "complete"
    assert left_behind(way, tmp_path / "b.jsonl", EVENTS[0], LAST_EVENTS["messages"]).ended == "complete"
    assert left_behind(way, tmp_path / "c.jsonl", EVENTS[0], LAST_EVENTS["messages"][:-3]).ended == "interrupted"


@given(st.sampled_from(sorted(LAST_EVENTS)), st.lists(st.integers(0, 700)))
def test_the_last_event_is_known_however_it_is_cut_and_no_sooner(name: str, cuts: list[int]) -> None:
    body, words = b"".join((*EVENTS[:2], LAST_EVENTS[name])), LastWords()
    for start, end in pairwise([0, *sorted({cut for cut in cuts if 0 < cut < len(body)}), len(body)]):
        assert not words.said or not body[start:].strip() or name == "responses, and done"
        words.feed(body[start:end])
    assert words.said


@pytest.mark.parametrize(
    "body",
    [
        b'event: message_stop\ndata: {"type":"message_stop"}\n\nevent: message_start\ndata: {}\n\n',
        b'data: {"text":"event: message_stop"}\n\n',
        b'{"text": "\\ndata: [DONE]\\n"}\n',
        b"data: [DONE] and more\n\n",
        b'event: response.completed\ndata: {"type":"response.completed"}\n',
        b"",
    ],
)
def test_what_is_no_last_event_is_not_taken_for_one(body: bytes) -> None:
    words = LastWords()
    words.feed(body)
    assert not words.said


@ways
@pytest.mark.parametrize("ended", ["interrupted", "failed"])
def test_a_recording_that_was_cut_raises_the_packages_own_error_in_the_middle(way: str, ended: Any) -> None:
    error = {"kind": "disconnect", "message": "the line was cut"} if ended == "failed" else None
    call = recorded(*EVENTS[:2], ended=ended, error=error, headers=(*SSE, ("Content-Length", "4711")))
    seen = ask(way, Tape((call,)), call.request, "replay")
    assert seen.body == b"".join(EVENTS[:2])
    assert isinstance(seen.error, READ_ERRORS[package(way)])
    assert ("the line was cut" if error else "stops in the middle") in str(seen.error)


@ways
@pytest.mark.parametrize(("kind", "errors"), [("connect", CONNECT_ERRORS), ("timeout", TIMEOUT_ERRORS)])
def test_a_recording_without_an_answer_raises_the_packages_own_error(
    way: str, kind: str, errors: dict[str, type[Exception]]
) -> None:
    call = Interaction(request=question("https://x.test"), ended="failed", error={"kind": kind, "message": "no luck"})
    seen = ask(way, Tape((call,)), call.request, "replay")
    assert isinstance(seen.error, errors[package(way)])
    assert "no luck" in str(seen.error)


@ways
def test_a_connection_that_fails_raises_the_packages_own_error_and_is_recorded(way: str, tmp_path: Path) -> None:
    tape = tmp_path / "run.jsonl"
    with ThreadedServer(events) as server:
        asked = question(server.url)
    live = ask(way, tape, asked, "record")
    played = ask(way, tape, asked, "replay")
    assert type(live.error) is type(played.error) is CONNECT_ERRORS[package(way)]
    (call,) = ph.load_tape(tape).interactions
    assert (call.ended, (call.error or {})["kind"]) == ("failed", "connect")
    assert b"not-a-key" not in tape.read_bytes()


@ways
def test_an_answer_that_is_cut_raises_the_packages_own_error_and_is_recorded(way: str, tmp_path: Path) -> None:
    async def cut() -> AsyncIterator[bytes]:
        yield EVENTS[0]
        await asyncio.sleep(0.05)
        raise Abort

    async def answer(_: Request) -> Response:
        return Response(200, SSE, cut())

    tape = tmp_path / "run.jsonl"
    with ThreadedServer(answer) as server:
        asked = question(server.url)
        live = ask(way, tape, asked, "record")
    assert live.pieces == [EVENTS[0]]
    assert isinstance(live.error, READ_ERRORS[package(way)])
    (call,) = ph.load_tape(tape).interactions
    assert (call.ended, (call.error or {})["kind"]) == ("failed", "disconnect")
    played = ask(way, tape, asked, "replay")
    assert played.pieces == [EVENTS[0]]
    assert isinstance(played.error, READ_ERRORS[package(way)])


@ways
def test_a_request_that_is_not_on_the_tape_goes_nowhere(way: str) -> None:
    call = recorded(*EVENTS)
    other = question("https://x.test", b'{"n":2}')
    with (
        pytest.raises(ph.Divergence, match="n: "),
        ph.open_tape(Tape((call,)), "replay") as tape,
    ):
        seen = ask(way, tape, other)
        assert isinstance(seen.error, ph.Divergence)
        assert tape.divergences == [seen.error]


@ways
def test_the_tape_holds_text_where_the_server_compresses_all_the_same(way: str, tmp_path: Path) -> None:
    async def compressed(request: Request) -> Response:
        assert dict(request.headers)["Accept-Encoding"] == "identity"
        data = gzip.compress(b"".join(EVENTS))
        headers = (*SSE, ("Content-Encoding", "gzip"), ("Content-Length", str(len(data))))
        return Response(200, headers, pieces_of(data[:10], data[10:]))

    tape = tmp_path / "run.jsonl"
    with ThreadedServer(compressed) as server:
        asked = question(server.url)
        live = ask(way, tape, asked, "record")
    assert live.error is None
    assert live.body == ph.load_tape(tape).interactions[0].body == b"".join(EVENTS)
    assert ask(way, tape, asked, "replay").body == live.body


@ways
def test_a_body_that_comes_in_pieces_is_recorded_whole(way: str, tmp_path: Path) -> None:
    async def asynchronous() -> AsyncIterator[bytes]:
        yield b'{"n":'
        yield b"1}"

    tape = tmp_path / "run.jsonl"
    with ThreadedServer(echo) as server:
        asked = question(server.url)
        parts = asynchronous() if way in ASYNC else iter([b'{"n":', b"1}"])
        live = ask(way, tape, asked, "record", body=parts)
    assert (live.error, live.body) == (None, b'{"n":1}')
    assert ask(way, tape, asked, "replay").body == b'{"n":1}'


def test_an_upload_of_parts_is_played_although_its_boundary_is_another(tmp_path: Path) -> None:
    tape, files = tmp_path / "run.jsonl", {"file": ("a.txt", b"text \xff", "text/plain")}

    async def answer(request: Request) -> Response:
        assert b"text \xff" in request.body
        return Response(200, JSON, pieces_of(b'{"id":"f1"}'))

    def upload(kind: str, mode: Any) -> bytes:
        if kind == "requests":
            with clients.requests_session(tape, mode) as session:
                return session.post(url, data={"purpose": "x"}, files=files).content
        with getattr(clients, f"{kind}_client")(tape, mode) as client:
            return client.post(url, data={"purpose": "x"}, files=files).content

    for kind in ("httpx", "httpx2", "requests"):
        with ThreadedServer(answer) as server:
            url = f"{server.url}/v1/files"
            assert upload(kind, "record") == b'{"id":"f1"}'
        assert upload(kind, "replay") == b'{"id":"f1"}'


@ways
def test_without_a_tape_a_request_goes_out_and_on_an_open_one_it_is_kept(way: str) -> None:
    with ThreadedServer(events) as server:
        asked = question(server.url)
        assert ask(way, None, asked).body == b"".join(EVENTS)
        with ph.open_tape() as around:
            assert ask(way, None, asked).body == b"".join(EVENTS)
        assert [call.ended for call in around.tape().interactions] == ["complete"]
        with ph.open_tape(mode="off") as off:
            assert ask(way, off, asked).body == b"".join(EVENTS)
        assert off.tape() is None
        assert server.connections == 3


def sync_tries(way: str, source: Any, request: Request, count: int) -> list[Any]:
    seen: list[Any] = []
    plain = way == "requests"
    with clients.requests_session(source) if plain else getattr(clients, f"{way}_client")(source) as client:
        for _ in range(count):
            body = {"data" if plain else "content": request.body}
            try:
                seen.append(client.post(request.url, timeout=0.2, **body).content)
            except Exception as error:
                seen.append(error)
    return seen


async def async_tries(way: str, source: Any, request: Request, count: int) -> list[Any]:
    seen: list[Any] = []
    plain = way == "aiohttp"
    make: Any = clients.aiohttp_session if plain else getattr(clients, f"{package(way)}_async_client")
    async with make(source) as client:
        for _ in range(count):
            try:
                if plain:
                    async with client.post(request.url, data=request.body) as response:
                        seen.append(await response.read())
                else:
                    seen.append((await client.post(request.url, content=request.body, timeout=0.2)).content)
            except Exception as error:
                seen.append(error)
    return seen


def tries(way: str, source: Any, request: Request, count: int) -> list[Any]:
    """What one client that tries again sees: bodies and errors."""
    if way in ASYNC:
        return asyncio.run(async_tries(way, source, request, count))
    return sync_tries(way, source, request, count)


@ways
def test_faults_strike_and_a_client_that_tries_again_finds_what_was_recorded(way: str) -> None:
    call = recorded(*EVENTS)
    faults = Faults.parse("429@call=1", "connect@call=2", "cut@call=3")
    with ph.open_tape(Tape((call,)), "replay", faults=faults) as tape:
        refused, unconnected, cut, answered = tries(way, tape, call.request, 4)
    assert b"rate_limit_error" in refused
    assert isinstance(unconnected, CONNECT_ERRORS[package(way)])
    assert isinstance(cut, READ_ERRORS[package(way)])
    assert answered == b"".join(EVENTS)
    assert not tape.unplayed()


@pytest.mark.parametrize("way", ["httpx", "httpx2 async", "requests"])
def test_a_stall_lasts_until_the_clients_own_timeout(way: str) -> None:
    call = recorded(*EVENTS)
    with ph.open_tape(Tape((call,)), "replay", faults=Faults.parse("stall@call=1")) as tape:
        stalled, answered = tries(way, tape, call.request, 2)
    errors = {**TIMEOUT_ERRORS, "requests": requests.exceptions.ConnectionError}  # So it is with a real stall.
    assert isinstance(stalled, errors[package(way)])
    assert answered == b"".join(EVENTS)


def test_a_client_in_a_tool_is_on_the_tape_of_the_agents_run(tmp_path: Path) -> None:
    @ph.tool
    def look_up(name: str) -> str:
        """Look something up."""
        return client.post(server.url, json={"name": name}).text

    tape = tmp_path / "run.jsonl"
    agent = chatwire.Script(("", chatwire.tool_call("look_up", {"name": "x"})), ("done",)).agent(look_up)
    with clients.httpx2_client() as client, ThreadedServer(echo) as server:
        agent.run_sync("go", tape=tape, mode="record")
    lanes = [effect.lane for effect in ph.load_tape(tape).effects]
    assert lanes == ["root", "root/0.look_up", "root/0.look_up", "root"]
    assert agent.run_sync("go", tape=tape, mode="replay").text == "done"


def test_what_requests_offers_beside_the_body_is_there(tmp_path: Path) -> None:
    async def answer(request: Request) -> Response:
        return Response(200, (*JSON, ("Set-Cookie", "a=b")), pieces_of(b"one\n", b"two\n"))

    def look(mode: Any, cookies: dict[str, str]) -> None:
        with clients.requests_session(tape, mode) as session:
            response = session.get(url, stream=True)
            assert response.raw.read(2) + response.raw.read() == b"one\ntwo\n"
            assert list(session.get(url, stream=True).iter_lines()) == [b"one", b"two"]
            assert session.get(url).text == "one\ntwo\n"
            assert dict(session.cookies) == cookies

    tape = tmp_path / "run.jsonl"
    with ThreadedServer(answer) as server:
        url = server.url
        look("record", {"a": "b"})
    look("replay", {})  # Cookies may be secret.


@pytest.mark.parametrize("way", ["httpx2", "requests"])
def test_many_threads_at_once_on_one_tape_get_their_own_answers(way: str, tmp_path: Path) -> None:
    tape, numbers = tmp_path / "run.jsonl", list(range(200))

    def ask_all(url: str, mode: Any) -> dict[int, bytes]:
        random.Random(mode).shuffle(numbers)
        make: Any = clients.httpx2_client if way == "httpx2" else clients.requests_session
        with make(tape, mode) as client, ThreadPoolExecutor(16) as pool:
            return dict(
                zip(numbers, pool.map(lambda n: client.post(url, json={"n": n}).content, numbers), strict=True)
            )

    with ThreadedServer(echo) as server:
        live = ask_all(server.url, "record")
        played = ask_all(server.url, "replay")
    assert live == played
    assert all(f"{n}}}".encode() in body for n, body in played.items())


def test_many_tasks_at_once_on_one_tape_get_their_own_answers(tmp_path: Path) -> None:
    tape, numbers = tmp_path / "run.jsonl", list(range(100))

    async def ask_all(url: str, mode: Any) -> dict[int, bytes]:
        random.Random(mode).shuffle(numbers)
        async with (
            ph.open_tape(tape, mode) as opened,
            clients.httpx_async_client(opened) as client,
            clients.aiohttp_session(opened) as session,
        ):

            async def one(n: int) -> bytes:
                if n % 2:
                    return (await client.post(url, json={"n": n})).content
                async with session.post(url, json={"n": n}) as response:
                    return await response.read()

            return dict(zip(numbers, await asyncio.gather(*map(one, numbers)), strict=True))

    with ThreadedServer(echo) as server:
        live = asyncio.run(ask_all(server.url, "record"))
        played = asyncio.run(ask_all(server.url, "replay"))
    assert live == played
    assert all(f"{n}}}".encode() in body for n, body in played.items())


@ways
def test_headers_that_say_how_a_body_came_are_not_played(way: str) -> None:
    headers = (
        *((":status", "200"), ("Content-Encoding", "br"), ("Transfer-Encoding", "chunked")),
        *(("Content-Length", "3"), ("Connection", "keep-alive"), ("X-Broken", "a\nb"), *SSE),
    )
    call = recorded(*EVENTS, headers=headers, http_version="HTTP/2")
    seen = ask(way, Tape((call,)), call.request, "replay")
    assert (seen.error, seen.body) == (None, b"".join(EVENTS))
    frame = {"transfer-encoding", "connection"} if way == "aiohttp" else set()
    assert set(seen.headers) - frame == {"content-type", "x-request-id"}


@pytest.mark.parametrize("name", ["run.jsonl", "run.yaml"])
def test_a_tape_is_put_in_its_place_when_nobody_holds_the_client_any_more(name: str, tmp_path: Path) -> None:
    with ThreadedServer(echo) as server:
        client = clients.httpx2_client(tmp_path / name, "record")
        client.post(server.url, content=b"x")
        client._transport._inner.close()
        del client
        gc.collect()
    assert ph.load_tape(tmp_path / name).interactions[0].body == b"x"


def test_a_tape_that_cannot_be_played_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(ph.TapeNotFound):
        clients.HttpxTransport(tmp_path / "none.jsonl", "replay")
    with ph.open_tape() as tape, pytest.raises(ph.ConfigError, match="mode"):
        clients.RequestsAdapter(tape, "replay")


def made(way: str, *arguments: Any, **options: Any) -> Any:
    """A client, to be closed with `close` or `aclose`."""
    kinds = {"requests": "requests_session", "aiohttp": "aiohttp_session"}
    kind = kinds.get(way) or f"{package(way)}_{'async_' if way in ASYNC else ''}client"
    return getattr(clients, kind)(*arguments, **options)


async def post(way: str, client: Any, url: str, body: bytes) -> None:
    sent = client.post(url, **{"data" if way in ("requests", "aiohttp") else "content": body})
    if way == "aiohttp":
        async with sent as response:
            await response.read()
    elif way in ASYNC:
        await sent


async def record(way: str, tape: Path, url: str, body: bytes, *, block: bool, fails: bool) -> None:
    """Record one answer, in a `with` block or with a `finally`."""
    client = made(way, tape, "record")
    asynchronous = way in ASYNC
    if block:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(client) if asynchronous else stack.enter_context(client)
            await post(way, client, url, body)
            if fails:
                raise ZeroDivisionError
        return
    try:
        await post(way, client, url, body)
        if fails:
            raise ZeroDivisionError
    finally:
        closed = client.aclose() if hasattr(client, "aclose") else client.close()
        if asynchronous:
            await closed


@ways
@pytest.mark.parametrize("block", [True, False])
def test_a_recording_that_an_error_cuts_short_does_not_replace_a_tape(way: str, block: bool, tmp_path: Path) -> None:
    tape = tmp_path / "run.jsonl"

    def bodies() -> list[bytes]:
        return [call.body for call in ph.load_tape(tape).interactions]

    with ThreadedServer(echo) as server:
        asyncio.run(record(way, tape, server.url, b"new", block=block, fails=False))
        assert bodies() == [b"new"]
        asyncio.run(record(way, tape, server.url, b"anew", block=block, fails=False))
        assert bodies() == [b"anew"]
        with pytest.raises(ZeroDivisionError) as caught:
            asyncio.run(record(way, tape, server.url, b"cut short", block=block, fails=True))
    assert bodies() == [b"anew"]
    assert "run.jsonl.part" in caught.value.__notes__[0]
    with ph.open_tape(tape) as resumed:
        assert [call.body for call in (resumed.tape() or Tape()).interactions] == [b"cut short"]


@pytest.mark.parametrize("name", ["run.jsonl", "run.yaml"])
def test_a_client_that_nobody_closes_does_not_replace_a_tape_either(name: str, tmp_path: Path) -> None:
    tape = tmp_path / name
    with ThreadedServer(echo) as server:
        with clients.requests_session(tape, "record") as session:
            session.post(server.url, data=b"first")
        client = clients.httpx2_client(tape, "record")
        client.post(server.url, content=b"second")
        client._transport._inner.close()
        del client
        with pytest.warns(UserWarning, match="stands in .*part.* The client was not closed"):
            gc.collect()
    assert [call.body for call in ph.load_tape(tape).interactions] == [b"first"]


def test_a_script_that_dies_leaves_the_tape_that_was_there(tmp_path: Path) -> None:
    tape = tmp_path / "run.jsonl"
    code = (
        "import sys; from playhead import clients;"
        "client = clients.httpx_client(sys.argv[1], 'record');"
        "client.post(sys.argv[2], content=b'second'); 1 / 0"
    )
    with ThreadedServer(echo) as server:
        with clients.httpx_client(tape, "record") as client:
            client.post(server.url, content=b"first")
        command = [sys.executable, "-c", code, str(tape), server.url]
        died = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "ZeroDivisionError" in died.stderr
    assert "run.jsonl.part" in died.stderr
    assert [call.body for call in ph.load_tape(tape).interactions] == [b"first"]


class Closing:
    """A body of httpx that notes how often it is closed."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        yield from self.pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece

    def close(self) -> None:
        self.closed += 1

    async def aclose(self) -> None:
        self.closed += 1


class Body(Closing, httpx.SyncByteStream, httpx.AsyncByteStream):
    """One that httpx takes."""


class Raw(urllib3.HTTPResponse):
    """A body of requests that notes whether it is closed. (At its end urllib3 closes what it reads from.)"""

    let_go = False

    def close(self) -> None:
        self.let_go = True
        super().close()


class Whole(requests.adapters.BaseAdapter):
    """Gives one answer, which can be looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.raw = Raw(io.BytesIO(b"data"), {}, 200, preload_content=False)

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        return requests.adapters.HTTPAdapter().build_response(request, self.raw)

    def close(self) -> None:
        pass


@pytest.mark.parametrize("step", ["head", "chunk", "end"])
def test_where_the_tape_cannot_be_written_the_answer_is_let_go(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise ph.TapeError("there is no room")

    monkeypatch.setattr(CallRecording, step, full)
    body, again, whole = Body(b"data"), Body(b"data"), Whole()
    live = httpx.MockTransport(lambda _: httpx.Response(200, stream=body))
    with clients.httpx_client(Tape(), inner=live) as client, pytest.raises(ph.TapeError, match="no room"):
        client.get("https://x.test")
    assert body.closed

    async def main() -> None:
        live = httpx.MockTransport(lambda _: httpx.Response(200, stream=again))
        async with clients.httpx_async_client(Tape(), inner=live) as client:
            with pytest.raises(ph.TapeError, match="no room"):
                await client.get("https://x.test")

    asyncio.run(main())
    assert again.closed

    with requests.Session() as session:
        session.mount("https://", clients.RequestsAdapter(Tape(), inner=whole))
        held: list[requests.Response] = []
        with pytest.raises(ph.TapeError, match="no room"):
            held.append(session.get("https://x.test", stream=True))
            list(held[0].iter_content(None))
        assert whole.raw.let_go


@pytest.mark.parametrize("mode", ["record", "resume", "off"])
@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}])
def test_an_inner_transport_may_give_whole_answers(mode: Any, headers: dict[str, str]) -> None:
    content = gzip.compress(b"whole") if headers else b"whole"

    def answer(request: Any) -> Any:
        return (httpx2 if isinstance(request, httpx2.Request) else httpx).Response(
            200, content=content, headers=headers
        )

    async def main(make: Any, inner: Any) -> str:
        async with make(tape, inner=inner) as client:
            return (await client.get("https://x.test")).text

    with ph.open_tape(None if mode == "record" else Tape(), mode) as tape:
        with clients.httpx_client(tape, inner=httpx.MockTransport(answer)) as client:
            assert client.get("https://x.test").text == "whole"
        with clients.httpx2_client(tape, inner=httpx2.MockTransport(answer)) as client2:
            assert client2.get("https://x.test").text == "whole"
        assert asyncio.run(main(clients.httpx_async_client, httpx.MockTransport(answer))) == "whole"
        assert asyncio.run(main(clients.httpx2_async_client, httpx2.MockTransport(answer))) == "whole"
        recorded_all = tape.tape()
    if mode != "off":
        assert recorded_all is not None
        assert [call.body for call in recorded_all.interactions] == [b"whole"] * 4


@ways
def test_a_fault_in_one_lane_does_not_give_its_answer_to_another(way: str) -> None:
    call = recorded(b"of a", lane="root/a")
    other = recorded(b"of b", lane="root/b")

    async def main() -> list[Any]:
        client, seen = made(way), list[Any]()
        for name in "aba":
            with ph.lane(name):
                try:
                    sent = client.post(
                        call.request.url, **{"data" if package(way) in plain else "content": b'{"n":1}'}
                    )
                    if way in ASYNC:
                        sent = await sent
                    seen.append(await sent.read() if way == "aiohttp" else sent.content)
                except Exception as error:
                    seen.append(error)
        closed = client.aclose() if hasattr(client, "aclose") else client.close()
        if way in ASYNC:
            await closed
        return seen

    plain = ("requests", "aiohttp")
    with ph.open_tape(Tape((call, other)), "replay", faults=Faults.parse("cut:after=2@call=1")) as tape:
        cut, of_b, of_a = asyncio.run(main())
    assert isinstance(cut, READ_ERRORS[package(way)])
    assert (of_b, of_a) == (b"of b", b"of a")
    assert not tape.unplayed()


def test_an_error_in_the_clients_block_keeps_the_tape_that_was_there(tmp_path: Path) -> None:
    tape = tmp_path / "run.jsonl"
    tape.write_bytes(b"")
    with ThreadedServer(echo) as server:
        with clients.httpx2_client(tape, "record") as client:
            client.post(server.url, content=b"first")
        with pytest.raises(ZeroDivisionError), clients.httpx2_client(tape, "record") as client:
            client.post(server.url, content=b"second")
            raise ZeroDivisionError
    assert ph.load_tape(tape).interactions[0].body == b"first"


def test_a_websocket_is_refused_in_words() -> None:
    async def main() -> None:
        async with clients.aiohttp_session(Tape(), "replay") as session:
            await session.ws_connect("https://x.test")

    with pytest.raises(ph.ConfigError, match="WebSockets"):
        asyncio.run(main())


def test_the_package_loads_nobodys_client_before_it_is_used() -> None:
    code = (
        "import sys, playhead.clients as c; assert 'httpx2_client' in dir(c);"
        "print([m for m in ('httpx', 'httpx2', 'aiohttp', 'requests', 'h11') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
    assert set(clients.__all__) == {name for name in dir(clients) if getattr(clients, name)}


def test_recorded_streams_say_that_they_are_over_at_their_end_and_no_sooner() -> None:
    if not expected():
        pytest.skip("the recordings beside the repository are not here")
    known = 0
    for call in (call for tape in tapes().values() for call in tape.interactions):
        words, said = LastWords(), False
        for line in call.body.splitlines(keepends=True):
            assert not said or not line.strip() or line.strip() == b"data: [DONE]", (call.request.url, line)
            words.feed(line)
            said = words.said
        known += said
    assert known > 100


@cache
def tapes() -> dict[str, Tape]:
    return {name: ph.load_tape(SHARED / name) for name in expected()}


@ways
def test_every_cassette_is_played_byte_for_byte(way: str) -> None:
    if not expected():
        pytest.skip("the recordings beside the repository are not here")
    calls = tuple(call for tape in tapes().values() for call in tape.interactions)
    assert len(calls) > 200
    with ph.open_tape(Tape(calls), "replay") as tape:
        for call in calls:
            seen = ask(way, tape, call.request)
            assert seen.error is None
            # Of equal requests the first is played first.
            assert any(
                (seen.status, seen.body) == (other.status, other.body)
                for other in calls
                if other.request.body == call.request.body and other.request.url == call.request.url
            )
    assert not tape.divergences
