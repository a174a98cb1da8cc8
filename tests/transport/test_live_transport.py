"""The live transport, over real sockets, against the loopback server."""

import asyncio
import gc
import gzip
import importlib.util
import json
import socket
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import httpx2
import pytest

from playhead.errors import ConfigError, MissingDependency, TransportError
from playhead.http import Request, Response
from playhead.serve.http import Abort, Server
from playhead.transport import live
from playhead.transport.live import LiveTransport
from playhead.transport.memory import MemoryTransport, respond


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def run(main):
    """Run a test's coroutine. What would hang fails instead."""

    async def limited():
        async with asyncio.timeout(10):
            return await main

    return asyncio.run(limited())


@asynccontextmanager
async def talking_to(handler, *, max_body: int = 2**26, **settings):
    """A server with this handler, and a transport to talk to it."""
    async with Server(handler, max_body=max_body) as server, aclosing(LiveTransport(**settings)) as transport:
        yield server, transport


def get(server: Server, path: str = "/") -> Request:
    return Request("GET", server.url + path)


async def fetch(transport: LiveTransport, request: Request) -> tuple[Response, bytes]:
    response = await transport.send(request)
    async with aclosing(response):
        return response, await response.read()


def exchange(handler, method: str = "GET", headers=(), body: bytes = b"") -> tuple[Response, bytes]:
    """One request to a server with this handler, and its whole answer."""

    async def main():
        async with talking_to(handler) as (server, transport):
            return await fetch(transport, Request(method, server.url + "/", headers, body))

    return run(main())


def failure(handler, **settings) -> TransportError:
    """How a GET fails, at the latest while its body is read."""

    async def main():
        async with talking_to(handler, **settings) as (server, transport):
            with pytest.raises(TransportError) as caught:
                await fetch(transport, get(server, "/?key=secret"))
            assert server.url.removeprefix("http://") in str(caught.value)
            return caught.value

    return run(main())


@pytest.fixture
def closed_port():
    """A port of this machine on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


# What goes out


async def show(request: Request) -> Response:
    """Answers with what was asked."""
    return respond(body=json.dumps([request.method, request.url, request.headers, len(request.body)]).encode())


def test_headers_go_out_as_they_are_and_nothing_but_the_necessary_is_added():
    headers = (("X-b", "1"), ("x-A", "2"), ("X-b", "é"), ("Authorization", "Bearer key"))
    _, body = exchange(show, "POST", headers, b"12345")
    _, url, seen, length = json.loads(body)
    host = url.removeprefix("http://").removesuffix("/")
    assert [tuple(pair) for pair in seen] == [
        ("Host", host),
        *headers,
        ("Accept-Encoding", "identity"),
        ("Content-Length", "5"),
    ]
    assert length == 5


def test_an_accept_encoding_of_the_request_takes_the_place_of_ours():
    _, body = exchange(show, headers=(("accept-encoding", "gzip"),))
    seen = [value for name, value in json.loads(body)[2] if name.lower() == "accept-encoding"]
    assert seen == ["gzip"]


def test_bodies_go_both_ways_byte_for_byte():
    async def echo(request: Request) -> Response:
        return respond(body=request.body)

    every_byte_often = bytes(range(256)) * 20_000  # 5 MB
    assert exchange(echo, "POST", body=every_byte_often)[1] == every_byte_often


# What comes back


def test_a_response_has_the_status_reason_and_headers_of_the_wire():
    async def handler(request: Request) -> Response:
        return respond(
            418, b"short", (("X-b", "1"), ("x-A", "é"), ("X-b", "3"), ("content-length", "5")), reason="Tea"
        )

    response, body = exchange(handler)
    assert (response.status, response.reason, response.http_version, body) == (418, "Tea", "HTTP/1.1", b"short")
    assert response.headers == (("X-b", "1"), ("x-A", "é"), ("X-b", "3"), ("content-length", "5"))


def test_headers_and_pieces_arrive_before_the_next_piece_is_sent():
    async def main():
        arrived = {name: asyncio.Event() for name in ("headers", "one", "two")}

        async def stream() -> AsyncIterator[bytes]:
            await arrived["headers"].wait()
            yield b"one"
            await arrived["one"].wait()
            yield b"two"
            await arrived["two"].wait()

        async def handler(request: Request) -> Response:
            return Response(200, (), stream())

        async with talking_to(handler) as (server, transport):
            response = await transport.send(get(server))
            arrived["headers"].set()
            seen = []
            async for piece in response:
                seen.append(piece)
                arrived[piece.decode()].set()
            await response.aclose()
        assert seen == [b"one", b"two"]

    run(main())


def test_a_compressed_body_is_decoded_and_says_so():
    async def handler(request: Request) -> Response:
        packed = gzip.compress(b"hello " * 100)
        headers = (("Content-Encoding", "gzip"), ("Content-Length", str(len(packed))), ("X-Kept", "1"))
        return respond(200, packed, headers)

    response, body = exchange(handler)
    assert body == b"hello " * 100
    assert response.headers == (("X-Kept", "1"),)


def test_a_compressed_stream_is_not_held_back():
    async def main():
        arrived = asyncio.Event()

        async def stream() -> AsyncIterator[bytes]:
            packer = zlib.compressobj(wbits=31)
            yield packer.compress(b"one") + packer.flush(zlib.Z_SYNC_FLUSH)
            await arrived.wait()
            yield packer.compress(b"two") + packer.flush()

        async def handler(request: Request) -> Response:
            return Response(200, (("content-encoding", "gzip"),), stream())

        async with talking_to(handler) as (server, transport):
            response = await transport.send(get(server))
            pieces = aiter(response)
            assert await anext(pieces) == b"one"
            arrived.set()
            assert await response.read() == b"two"
            await response.aclose()

    run(main())


@pytest.mark.parametrize("encoding", ["compress", "gzip, compress", "identity"])
def test_an_encoding_that_cannot_be_decoded_stays_as_it_is_with_its_headers(encoding: str):
    async def handler(request: Request) -> Response:
        return respond(200, b"raw", (("content-encoding", encoding), ("content-length", "3")))

    response, body = exchange(handler)
    assert body == b"raw"
    assert response.headers == (("content-encoding", encoding), ("content-length", "3"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_returned_and_not_followed(status: int):
    async def main():
        asked = MemoryTransport(lambda request: respond(status, b"", (("location", "/elsewhere"),)))
        async with talking_to(asked.send) as (server, transport):
            response, _ = await fetch(transport, get(server))
            return response.status, response.header("Location"), len(asked.requests)

    assert run(main()) == (status, "/elsewhere", 1)


def test_cookies_are_not_kept():
    async def main():
        asked = MemoryTransport(lambda request: respond(200, b"", (("set-cookie", "a=b; Path=/"),)))
        async with talking_to(asked.send) as (server, transport):
            for _ in range(2):
                await fetch(transport, get(server))
        return asked.requests[0] == asked.requests[1]

    assert run(main())


def test_a_refusal_is_heard_while_the_request_is_still_being_sent():
    async def main():
        async with talking_to(show, max_body=1000) as (server, transport):
            response, _ = await fetch(transport, Request("POST", server.url, body=bytes(20_000_000)))
            return response.status

    assert run(main()) == 413


# Connections


def test_a_connection_is_used_again():
    async def main():
        async with talking_to(show) as (server, transport):
            for _ in range(3):
                await fetch(transport, get(server))
            return server.connections

    assert run(main()) == 1


@pytest.mark.parametrize("moment", ["before the headers", "within the body"])
def test_cancelling_closes_the_connection_and_the_server_notices(moment: str):
    async def main():
        reached, noticed = asyncio.Event(), asyncio.Event()

        async def wait_for_ever() -> None:
            reached.set()
            try:
                await asyncio.Event().wait()
            finally:
                noticed.set()

        async def stream() -> AsyncIterator[bytes]:
            yield b"one"
            await wait_for_ever()

        async def handler(request: Request) -> Response:
            if moment == "before the headers":
                await wait_for_ever()
            return Response(200, (), stream())

        async with talking_to(handler) as (server, transport):
            task = asyncio.create_task(fetch(transport, get(server)))
            await reached.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await noticed.wait()

    run(main())


@pytest.mark.parametrize("pieces_read", [0, 1])
def test_closing_a_response_early_closes_its_connection(pieces_read: int):
    async def main():
        noticed = asyncio.Event()

        async def stream() -> AsyncIterator[bytes]:
            try:
                yield b"one"
                await asyncio.Event().wait()
            finally:
                noticed.set()

        async def handler(request: Request) -> Response:
            return Response(200, (), stream())

        async with talking_to(handler) as (server, transport):
            response = await transport.send(get(server))
            for _ in range(pieces_read):
                await anext(aiter(response))
            await response.aclose()
            await response.aclose()
            await noticed.wait()

    run(main())


def test_a_transport_may_be_closed_twice_and_opens_again_when_it_is_used():
    async def main():
        async with talking_to(show) as (server, transport):
            await transport.aclose()
            await fetch(transport, get(server))
            await transport.aclose()
            await transport.aclose()
            await fetch(transport, get(server))
            return server.connections

    assert run(main()) == 2


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # asyncio can close nothing after its loop is closed
def test_one_transport_serves_one_event_loop_after_the_other():
    transport = LiveTransport()

    async def main():
        async with Server(show) as server:
            response, _ = await fetch(transport, get(server))
        return response.status

    assert [run(main()), run(main())] == [200, 200]

    async def close():
        await transport.aclose()

    run(close())
    gc.collect()


def test_plain_http_never_reads_the_systems_certificates(monkeypatch: pytest.MonkeyPatch):
    def read() -> None:
        raise AssertionError("certificates were read")

    monkeypatch.setattr(live, "_trusting_the_system", read)
    assert exchange(show)[0].status == 200


def test_the_systems_certificates_are_read_once_a_process():
    assert live._trusting_the_system() is live._trusting_the_system()


def test_certificates_that_cannot_be_read_are_an_error_of_the_configuration(monkeypatch: pytest.MonkeyPatch):
    live._trusting_the_system.cache_clear()
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file.pem")
    with pytest.raises(ConfigError, match="check SSL_CERT_FILE"):
        run(LiveTransport().send(Request("GET", "https://model.test/")))


def test_importing_the_module_does_not_import_httpx2():
    code = "import sys, playhead.transport.live; print({'httpx2', 'ssl'} & set(sys.modules) - before)"
    code = "import sys, asyncio; before = set(sys.modules); " + code
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# Proxies


def test_the_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch):
    async def main():
        proxy = MemoryTransport(lambda request: respond(200, b"through the proxy"))
        async with talking_to(proxy.send) as (server, transport):
            monkeypatch.setenv("HTTP_PROXY", server.url)
            _, body = await fetch(transport, Request("GET", "http://model.test/v1"))
        return proxy.requests[0].url, body

    assert run(main()) == ("http://model.test/v1", b"through the proxy")


def test_the_advice_names_the_proxy_where_there_is_one(monkeypatch: pytest.MonkeyPatch, closed_port: int):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port}")
    with pytest.raises(TransportError, match=r"connect to model\.test:80: .* the proxy that the environment names"):
        run(LiveTransport().send(Request("GET", "http://model.test/")))


def test_a_proxy_that_cannot_be_used_is_an_error_of_the_configuration(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTP_PROXY", "ftp://user:secret@proxy.test")
    with pytest.raises(ConfigError, match="expected http://, https:// or socks5://") as caught:
        run(LiveTransport().send(Request("GET", "http://model.test/")))
    assert "secret" not in str(caught.value)


@pytest.mark.skipif(importlib.util.find_spec("socksio") is not None, reason="SOCKS works here")
def test_a_socks_proxy_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    with pytest.raises(MissingDependency, match=r"pip install 'httpx2\[socks\]'"):
        run(LiveTransport().send(Request("GET", "http://model.test/")))


# What goes wrong


def test_nobody_listens(closed_port: int):
    with pytest.raises(TransportError) as caught:
        run(LiveTransport().send(Request("GET", f"http://127.0.0.1:{closed_port}/v1?key=secret")))
    assert caught.value.kind == "connect"
    assert str(caught.value) == (
        f"could not connect to 127.0.0.1:{closed_port}: Connection refused. Is the server running? "
        "Check base_url and the network."
    )


def test_the_server_does_not_speak_tls():
    async def main():
        async with talking_to(show) as (server, transport):
            with pytest.raises(TransportError) as caught:
                await transport.send(Request("GET", server.url.replace("http:", "https:")))
            return caught.value

    error = run(main())
    assert error.kind == "connect"
    assert "SSL" in str(error)


def test_the_server_goes_away_without_an_answer():
    async def handler(request: Request) -> Response:
        raise Abort

    error = failure(handler)
    assert error.kind == "disconnect"
    assert "secret" not in str(error)


@pytest.mark.parametrize("headers", [(), (("content-length", "10"),)])
def test_the_server_goes_away_in_the_middle_of_the_body(headers):
    async def main():
        async def stream() -> AsyncIterator[bytes]:
            yield b"half"
            raise Abort

        async def handler(request: Request) -> Response:
            return Response(200, headers, stream())

        async with talking_to(handler) as (server, transport):
            response = await transport.send(get(server))
            pieces = aiter(response)
            assert await anext(pieces) == b"half"
            with pytest.raises(TransportError, match=r"was cut: .* Try again") as caught:
                await anext(pieces)
            await response.aclose()
            return caught.value.kind

    assert run(main()) == "disconnect"


def test_the_server_does_not_answer_in_time():
    async def handler(request: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError("never reached")

    error = failure(handler, read_timeout=0.05)
    assert error.kind == "timeout"
    assert "sent nothing for 0.05 s" in str(error)


def test_the_server_falls_silent_in_the_middle_of_the_body():
    async def stream() -> AsyncIterator[bytes]:
        yield b"half"
        await asyncio.Event().wait()

    async def handler(request: Request) -> Response:
        return Response(200, (), stream())

    assert failure(handler, read_timeout=0.05).kind == "timeout"


def test_the_body_is_not_what_its_encoding_says():
    async def handler(request: Request) -> Response:
        return respond(200, b"this is not gzip", (("content-encoding", "gzip"),))

    error = failure(handler)
    assert error.kind == "protocol"
    assert "does not fit its content-encoding" in str(error)


def test_the_server_does_not_speak_http():
    async def main():
        left = asyncio.Event()

        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")
            await reader.read()
            writer.close()
            left.set()

        async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(TransportError, match="Is this the right port") as caught:
                await LiveTransport().send(Request("GET", f"http://127.0.0.1:{port}/"))
            await left.wait()
            return caught.value.kind

    assert run(main()) == "protocol"


def test_a_declared_length_that_the_body_does_not_have_is_an_error():
    async def main():
        async with talking_to(show) as (server, transport):
            with pytest.raises(TransportError, match="not valid HTTP") as caught:
                await transport.send(Request("POST", server.url, (("content-length", "10"),), b"short"))
            return caught.value.kind

    assert run(main()) == "protocol"


def test_an_older_failure_that_is_being_handled_is_not_taken_for_the_reason():
    async def handler(request: Request) -> Response:
        raise Abort

    async def main():
        async with talking_to(handler) as (server, transport):
            try:
                raise ConnectionRefusedError(111, "long ago")
            except OSError:
                with pytest.raises(TransportError) as caught:
                    await transport.send(get(server))
            return str(caught.value)

    assert "without sending a response" in run(main())


def test_every_failure_of_httpx2_has_words_of_its_own():
    groups = {"RequestError", "TransportError", "TimeoutException", "NetworkError", "ProtocolError"}
    # There is no limit on the pool, redirects and events are not read, and URLs are checked before.
    impossible = {"PoolTimeout", "TooManyRedirects", "SSEError", "UnsupportedProtocol"}
    named = {
        name
        for name in httpx2.__all__
        if isinstance(kind := getattr(httpx2, name), type) and issubclass(kind, httpx2.RequestError)
    }
    assert named - groups - impossible == set(live._FAILURES)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("api.test/v1", "expected a URL such as 'https://api.example.com/v1'.* got 'api.test/v1'"),
        ("localhost:8000/v1", "with http:// or https://"),
        ("ftp://api.test/", "with http:// or https://"),
        ("http:///v1", "and a host"),
        ("", "got ''"),
        ("http://api.test:http/", "Invalid port"),
        ("http://api.test:0/", "a port from 1 to 65535, got 0"),
        ("http://api.test:65536/", "a port from 1 to 65535, got 65536"),
        ("http://999.1.1.1/", "Invalid IPv4 address"),
        ("http://api.test/a\nb", "non-printable"),
    ],
)
def test_a_url_that_cannot_be_used_is_an_error_of_the_configuration(url: str, expected: str):
    with pytest.raises(ConfigError, match=expected):
        run(LiveTransport().send(Request("GET", url)))


def test_a_bad_url_is_shown_without_its_secrets():
    with pytest.raises(ConfigError, match=r"the URL 'ftp://api\.test/v1' cannot be used") as caught:
        run(LiveTransport().send(Request("GET", "ftp://user:secret@api.test/v1?key=secret\nkey=secret")))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("value", ["Bearer secret\n", " Bearer secret", "Bearer secret ", "Bearer secret…"])
def test_a_header_that_cannot_be_sent_is_named_without_its_value(value: str):
    with pytest.raises(ConfigError, match="'Authorization' cannot be sent") as caught:
        run(LiveTransport().send(Request("GET", "http://127.0.0.1/", (("Authorization", value),))))
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_header_with_an_impossible_name_is_refused():
    with pytest.raises(ConfigError, match="'a b' cannot be the name of a header"):
        run(LiveTransport().send(Request("GET", "http://127.0.0.1/", (("a b", "1"),))))
