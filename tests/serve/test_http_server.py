"""The loopback server, over real sockets: raw bytes in, raw bytes out, and the official OpenAI client."""

import asyncio
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator

import pytest

from playhead.http import Request, Response
from playhead.serve import http
from playhead.serve.http import Abort, Server, ThreadedServer

NO_PROXIES = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def run(main):
    """Run a test's coroutine. What would hang fails instead."""

    async def limited():
        async with asyncio.timeout(10):
            return await main

    return asyncio.run(limited())


async def stream_of(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def answer(*pieces: bytes, status: int = 200, headers=(), **more) -> Response:
    return Response(status, headers, stream_of(*pieces), **more)


async def echo(request: Request) -> Response:
    """Answers with what was asked."""
    asked = {
        "method": request.method,
        "url": request.url,
        "headers": request.headers,
        "body": request.body.decode("latin-1"),
    }
    return answer(json.dumps(asked).encode())


async def connect(server: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))


async def converse(server: Server, sent: bytes) -> bytes:
    """Send raw bytes, and read until the server closes the connection."""
    reader, writer = await connect(server)
    writer.write(sent)
    received = await reader.read()
    writer.close()
    await writer.wait_closed()
    return received


def asking(handler, sent: bytes, **settings) -> bytes:
    """What a server with this handler answers to raw bytes."""

    async def main():
        async with Server(handler, **settings) as server:
            return await converse(server, sent)

    return run(main())


def asked(received: bytes) -> dict:
    """What the handler `echo` saw."""
    return json.loads(received[received.index(b"{") : received.rindex(b"}") + 1])


GET = b"GET / HTTP/1.1\r\nHost: tape.test\r\n\r\n"
GET_AND_CLOSE = b"GET / HTTP/1.1\r\nHost: tape.test\r\nConnection: close\r\n\r\n"


# What a handler sees


def test_the_handler_sees_the_request_as_it_was_sent():
    received = asking(
        echo,
        b"POST /v1/chat?x=1 HTTP/1.1\r\nHost: tape.test:1\r\nX-b: 1\r\nx-A: 2\r\nX-b: 3\r\n"
        b"Content-Length: 3\r\nConnection: close\r\n\r\n\x00\xffz",
    )
    assert asked(received) == {
        "method": "POST",
        "url": "http://tape.test:1/v1/chat?x=1",
        "headers": [
            ["Host", "tape.test:1"],
            ["X-b", "1"],
            ["x-A", "2"],
            ["X-b", "3"],
            ["Content-Length", "3"],
            ["Connection", "close"],
        ],
        "body": "\x00\xffz",
    }


@pytest.mark.parametrize(
    ("line", "url"),
    [
        (b"GET /a?u=http://b/ HTTP/1.1", "http://tape.test/a?u=http://b/"),
        (b"GET http://elsewhere.test/a HTTP/1.1", "http://elsewhere.test/a"),
        (b"OPTIONS * HTTP/1.1", "http://tape.test"),
    ],
)
def test_the_url_is_whole_in_every_form_of_a_request(line: bytes, url: str):
    received = asking(echo, line + b"\r\nHost: tape.test\r\nConnection: close\r\n\r\n")
    assert asked(received)["url"] == url


def test_a_chunked_request_body_is_put_together():
    received = asking(
        echo,
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        b"3\r\nabc\r\n2;note=x\r\nde\r\n0\r\n\r\n",
    )
    assert asked(received)["body"] == "abcde"


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_the_handler_sees_the_same_however_the_bytes_are_cut(size: int):
    sent = (
        b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )

    async def main():
        async with Server(echo) as server:
            reader, writer = await connect(server)
            for start in range(0, len(sent), size):
                writer.write(sent[start : start + size])
                await asyncio.sleep(0)
            received = await reader.read()
            writer.close()
            return received

    assert run(main()) == asking(echo, sent)


def test_a_client_that_waits_for_100_continue_is_told_to_go_on():
    async def main():
        async with Server(echo) as server:
            reader, writer = await connect(server)
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"body")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            writer.close()

    run(main())


# What a client gets


def test_a_body_without_a_length_is_sent_in_chunks():
    async def handler(request: Request) -> Response:
        return answer(b"one", b"", b"two", headers=(("Content-Type", "text/plain"),), reason="Fine")

    assert asking(handler, GET_AND_CLOSE) == (
        b"HTTP/1.1 200 Fine\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
    )


def test_a_length_that_the_handler_gives_is_kept():
    async def handler(request: Request) -> Response:
        return answer(b"one", b"two", headers=(("Content-Length", "6"),))

    received = asking(handler, GET_AND_CLOSE)
    assert received == b"HTTP/1.1 200 \r\nContent-Length: 6\r\nConnection: close\r\n\r\nonetwo"


def test_headers_and_each_piece_are_sent_before_the_next_is_made():
    async def main():
        seen = [asyncio.Event() for _ in range(3)]

        async def stream() -> AsyncIterator[bytes]:
            await seen[0].wait()
            yield b"one"
            await seen[1].wait()
            yield b"two"
            await seen[2].wait()

        async def handler(request: Request) -> Response:
            return Response(200, (), stream())

        async with Server(handler) as server:
            reader, writer = await connect(server)
            writer.write(GET)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            seen[0].set()
            assert await reader.readexactly(8) == b"3\r\none\r\n"
            seen[1].set()
            assert await reader.readexactly(8) == b"3\r\ntwo\r\n"
            seen[2].set()
            assert await reader.readexactly(5) == b"0\r\n\r\n"
            writer.close()

    run(main())


@pytest.mark.parametrize(
    ("line", "status", "headers"),
    [
        (b"HEAD /", 200, (("content-length", "7"),)),
        (b"GET /", 204, ()),
        (b"GET /", 304, (("content-length", "7"),)),
    ],
)
def test_where_no_body_belongs_none_is_sent(line: bytes, status: int, headers):
    async def handler(request: Request) -> Response:
        return answer(b"not me!", status=status, headers=headers)

    received = asking(handler, line + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 %d" % status)
    assert received.endswith(b"\r\n\r\n")
    assert (b"content-length: 7" in received) == bool(headers)


def test_an_http_1_0_client_gets_no_chunks_and_the_end_of_the_connection():
    received = asking(echo, b"GET /a HTTP/1.0\r\n\r\n")
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert asked(body)["url"].startswith("http://127.0.0.1:")


# Connections


def test_a_connection_is_kept_for_the_next_request():
    async def main():
        async with Server(echo) as server:
            received = await converse(server, GET * 2 + GET_AND_CLOSE)
            return received.count(b"HTTP/1.1 200"), server.connections

    assert run(main()) == (3, 1)


@pytest.mark.parametrize("kept", [1, 1024 * 1024])
def test_requests_sent_ahead_are_answered_in_order(monkeypatch: pytest.MonkeyPatch, kept: int):
    monkeypatch.setattr(http, "_MAX_SENT_AHEAD", kept)

    async def main():
        second_is_on_its_way = asyncio.Event()

        async def handler(request: Request) -> Response:
            await second_is_on_its_way.wait()
            return answer(request.url.encode())

        async with Server(handler) as server:
            reader, writer = await connect(server)
            writer.write(b"GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET /sec")
            writer.write(b"ond HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            second_is_on_its_way.set()
            received = await reader.read()
            writer.close()
        assert received.index(b"http://a/first") < received.index(b"http://a/second")

    run(main())


def test_connections_are_served_at_the_same_time():
    async def main():
        arrived: list[Request] = []
        both = asyncio.Event()

        async def handler(request: Request) -> Response:
            arrived.append(request)
            if len(arrived) == 2:
                both.set()
            await both.wait()
            return answer(b"met")

        async with Server(handler) as server:
            received = await asyncio.gather(*(converse(server, GET_AND_CLOSE) for _ in range(2)))
        assert all(b"met" in each for each in received)

    run(main())


def test_a_client_that_leaves_ends_the_stream_and_closes_the_response():
    async def main():
        events: list[str] = []
        closed = asyncio.Event()

        async def stream() -> AsyncIterator[bytes]:
            try:
                yield b"one"
                await asyncio.Event().wait()
            finally:
                events.append("stream ended")

        async def close() -> None:
            events.append("response closed")
            closed.set()

        async def handler(request: Request) -> Response:
            return Response(200, (), stream(), close=close)

        async with Server(handler) as server:
            reader, writer = await connect(server)
            writer.write(GET)
            await reader.readuntil(b"one")
            writer.close()
            await closed.wait()
            while server._open:
                await asyncio.sleep(0)
        assert events == ["stream ended", "response closed"]

    run(main())


def test_a_client_that_leaves_cancels_a_handler_that_has_not_answered_yet():
    async def main():
        asked, cancelled = asyncio.Event(), asyncio.Event()

        async def handler(request: Request) -> Response:
            asked.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
            raise AssertionError("never reached")

        async with Server(handler) as server:
            _, writer = await connect(server)
            writer.write(GET)
            await asked.wait()
            writer.transport.abort()
            await cancelled.wait()

    run(main())


def test_a_client_that_does_not_read_does_not_keep_the_server_from_stopping():
    async def main():
        ended = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield bytes(100_000)
            finally:
                ended.set()

        async def handler(request: Request) -> Response:
            return Response(200, (), endless())

        async with Server(handler) as server:
            reader, writer = await connect(server)
            writer.write(GET)
            await reader.readuntil(b"\r\n\r\n")
        assert ended.is_set()
        writer.transport.abort()

    run(main())


def test_the_response_is_closed_also_when_its_body_is_not_wanted():
    async def main():
        closed = asyncio.Event()

        async def close() -> None:
            closed.set()

        async def handler(request: Request) -> Response:
            return answer(b"unread", close=close)

        async with Server(handler) as server:
            await converse(server, b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            await closed.wait()

    run(main())


def test_stopping_cuts_what_is_open_and_leaves_no_task():
    async def main():
        answering = asyncio.Event()

        async def handler(request: Request) -> Response:
            answering.set()
            await asyncio.Event().wait()
            raise AssertionError("never reached")

        async with Server(handler) as server:
            idle, busy = await connect(server), await connect(server)
            busy[1].write(GET)
            await answering.wait()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert [await reader.read() for reader, _ in (idle, busy)] == [b"", b""]
        for _, writer in (idle, busy):
            writer.close()

    run(main())


# What goes wrong


def test_a_handler_that_raises_is_answered_with_500_and_the_connection_goes_on(caplog: pytest.LogCaptureFixture):
    async def handler(request: Request) -> Response:
        raise LookupError("no such tape")

    received = asking(handler, GET + GET_AND_CLOSE)
    assert received.count(b"HTTP/1.1 500") == 2
    body = received.rpartition(b"\r\n\r\n")[2]
    assert json.loads(body) == {"error": {"message": "no such tape", "type": "LookupError"}}
    assert "the handler failed to answer GET http://tape.test/" in caplog.text


def test_a_response_that_cannot_be_written_is_answered_with_500():
    async def handler(request: Request) -> Response:
        return answer(headers=(("bad name", "x"),))

    assert asking(handler, GET_AND_CLOSE).startswith(b"HTTP/1.1 500")


@pytest.mark.parametrize("error", [Abort(), ValueError("a bug")])
def test_a_stream_that_raises_is_cut_and_not_ended(error: Exception):
    async def stream() -> AsyncIterator[bytes]:
        yield b"one"
        raise error

    async def handler(request: Request) -> Response:
        return Response(200, (), stream())

    assert asking(handler, GET).partition(b"\r\n\r\n")[2] == b"3\r\none\r\n"


@pytest.mark.parametrize("pieces", [(b"short",), (b"long", b"er than that")])
def test_a_body_that_does_not_fit_its_length_is_cut(pieces: tuple[bytes, ...]):
    async def handler(request: Request) -> Response:
        return answer(*pieces, headers=(("content-length", "10"),))

    assert asking(handler, GET).partition(b"\r\n\r\n")[2] == pieces[0]


def test_a_handler_can_cut_the_connection_before_it_answers():
    async def handler(request: Request) -> Response:
        raise Abort

    assert asking(handler, GET) == b""


def test_to_an_http_1_0_client_a_cut_is_a_reset_for_an_end_would_look_clean():
    async def main():
        received = asyncio.Event()

        async def stream() -> AsyncIterator[bytes]:
            yield b"half"
            await received.wait()
            raise Abort

        async def handler(request: Request) -> Response:
            return Response(200, (), stream())

        async with Server(handler) as server:
            reader, writer = await connect(server)
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            await reader.readuntil(b"half")
            received.set()
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()

    run(main())


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"this is not HTTP\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # HTTP/1.1 wants a Host
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: " + b"x" * 100_000, 431),
        (b"CONNECT model.test:443 HTTP/1.1\r\nHost: model.test\r\n\r\n", 501),
    ],
)
def test_a_malformed_request_is_refused_and_the_connection_closed(sent: bytes, status: int):
    head, _, body = asking(echo, sent).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d" % status)
    assert b"\r\nconnection: close" in head.lower()
    assert json.loads(body)["error"]["type"] == "invalid_request"


def test_a_malformed_request_after_a_good_one_does_not_spoil_the_first_answer():
    received = asking(echo, GET + b"nonsense\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 400" in received


@pytest.mark.parametrize(
    "sent",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n01234567890",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n012345\r\n5\r\n67890\r\n0\r\n\r\n",
    ],
)
def test_a_body_over_the_limit_is_refused_with_413_and_not_asked_for(sent: bytes):
    received = asking(echo, sent, max_body=10)
    assert received.startswith(b"HTTP/1.1 413")
    assert b"longer than 10 bytes" in received


def test_a_refused_client_that_goes_on_sending_is_let_go_after_a_while(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(http, "_LINGER_SECONDS", 0.01)

    async def main():
        async with Server(echo) as server:
            reader, writer = await connect(server)
            writer.write(b"nonsense\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 400")
            while server._open:
                await asyncio.sleep(0)
            writer.close()

    run(main())


def test_a_request_that_is_cut_off_reaches_no_handler():
    called: list[Request] = []

    async def handler(request: Request) -> Response:
        called.append(request)
        return answer()

    async def main():
        async with Server(handler) as server:
            for sent in (b"", b"GET / HT", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf"):
                reader, writer = await connect(server)
                writer.write(sent)
                writer.write_eof()
                await reader.read()
                writer.close()

    run(main())
    assert called == []


# Addresses


def test_the_url_is_known_only_once_the_server_is_started():
    with pytest.raises(RuntimeError, match="before it is started"):
        _ = Server(echo).url


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_ipv6_address_stands_in_brackets():
    async def main():
        async with Server(echo, host="::1") as server:
            return server.url

    assert run(main()).startswith("http://[::1]:")


# In a thread


def fetch(url: str, body: bytes | None = None) -> bytes:
    with NO_PROXIES.open(url, body, timeout=10) as response:
        return response.read()


def test_synchronous_code_is_served_by_a_thread_which_ends_with_the_block():
    with ThreadedServer(echo) as server:
        assert asked(fetch(server.url + "/a", b"body"))["body"] == "body"
        assert server.connections == 1
    assert "playhead-server" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(urllib.error.URLError):
        fetch(server.url)


def test_what_keeps_a_threaded_server_from_starting_is_raised_where_it_was_started():
    with ThreadedServer(echo) as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(OSError, match=str(port)), ThreadedServer(echo, port=port):
            raise AssertionError("never reached")


# Somebody else's client


def test_the_official_openai_client_streams_a_chat_completion(monkeypatch: pytest.MonkeyPatch):
    import openai

    monkeypatch.setenv("NO_PROXY", "*")
    chunks = [
        {"role": "assistant", "content": ""},
        {"content": "Hello"},
        {"content": ", world"},
    ]
    asked_for: list[dict] = []

    def event(delta: dict, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
        return b"data: " + json.dumps(chunk).encode() + b"\n\n"

    async def handler(request: Request) -> Response:
        asked_for.append({"path": request.url.partition("/v1")[2], **json.loads(request.body)})
        events = [*map(event, chunks), event({}, "stop"), b"data: [DONE]\n\n"]
        return answer(*events, headers=(("content-type", "text/event-stream"),))

    with (
        ThreadedServer(handler) as server,
        openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0) as client,
    ):
        stream = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}], stream=True)
        texts = [chunk.choices[0].delta.content for chunk in stream]
    assert texts == ["", "Hello", ", world", None]
    assert (asked_for[0]["path"], asked_for[0]["stream"]) == ("/chat/completions", True)
