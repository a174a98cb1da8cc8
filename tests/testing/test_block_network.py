"""Where the network is blocked nothing goes out, whoever asks, and what was there before comes back."""

from __future__ import annotations

import _socket
import asyncio
import contextlib
import socket
import threading
import urllib.request
from collections.abc import Callable, Generator
from typing import Any

import pytest

import playhead as ph
from playhead.http import Request
from playhead.testing import NetworkBlocked, Script, block_network
from playhead.transport.live import LiveTransport

AWAY = "192.0.2.1"  # RFC 5737: an address that is nobody's.
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Generator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()


def connected(address: tuple[Any, ...], kind: type[Any] = socket.socket) -> None:
    made = kind(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.connect(address)
    finally:
        made.close()


def sent(flag: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.sendto(b"x", (AWAY, 9)) if flag == "sendto" else udp.sendmsg([b"x"], [], 0, (AWAY, 9))


async def of_the_loop(host: str) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as made:
        made.setblocking(False)
        await loop.sock_connect(made, (host, 9))


def by_connect_ex() -> None:
    with socket.socket() as made:
        made.connect_ex((AWAY, 9))


async def live(url: str) -> None:
    transport = LiveTransport()
    try:
        await transport.send(Request("GET", url))
    finally:
        await transport.aclose()


def httpx2_get() -> None:
    import httpx2

    httpx2.get("http://api.example.com/x")


ATTEMPTS: dict[str, Callable[[], Any]] = {
    "connect": lambda: connected((AWAY, 9)),
    "connect_ipv6": lambda: connected(("2001:db8::1", 9)),
    "connect_mapped_ipv6": lambda: connected((f"::ffff:{AWAY}", 9)),
    "connect_of_a_socket_made_in_c": lambda: connected((AWAY, 9), _socket.socket),
    "connect_ex": by_connect_ex,
    "create_connection": lambda: socket.create_connection((AWAY, 9)),
    "getaddrinfo": lambda: socket.getaddrinfo("api.example.com", 443),
    "getaddrinfo_bytes": lambda: socket.getaddrinfo(b"api.example.com", 443),
    "gethostbyname": lambda: socket.gethostbyname("api.example.com"),
    "udp": lambda: sent("sendto"),
    "sendmsg": lambda: sent("sendmsg"),
    "asyncio_name": lambda: asyncio.run(asyncio.open_connection("api.example.com", 443)),
    "asyncio_address": lambda: asyncio.run(asyncio.open_connection(AWAY, 443)),
    "asyncio_sock_connect": lambda: asyncio.run(of_the_loop(AWAY)),
    "urllib": lambda: urllib.request.urlopen("http://api.example.com/x"),
    "httpx2": httpx2_get,
    "live_transport": lambda: asyncio.run(live("https://api.example.com/x")),
}


@pytest.mark.parametrize("way", ATTEMPTS)
def test_no_way_leads_out(way: str) -> None:
    with block_network(), pytest.raises(NetworkBlocked, match=r"connection to \S+ was asked for\. Play a tape"):
        ATTEMPTS[way]()


def test_the_error_says_what_was_asked_for() -> None:
    with block_network(), pytest.raises(NetworkBlocked) as raised:
        socket.create_connection(("api.example.com", 443))
    assert (raised.value.host, raised.value.port) == ("api.example.com", 443)
    assert "api.example.com:443" in str(raised.value)
    assert isinstance(raised.value, ph.ConfigError)
    assert not isinstance(raised.value, OSError)


def test_an_agent_that_would_go_out_says_so_and_one_on_a_script_does_not_care() -> None:
    with block_network():
        with pytest.raises(NetworkBlocked):
            ph.Agent("compat:http://api.example.com/v1#m").run_sync("hi")
        with Script(["hello"]) as script:
            assert script.agent().run_sync("hi").text == "hello"


def test_this_machine_is_reached_unless_it_is_blocked_too(server: tuple[str, int]) -> None:
    _, port = server
    with block_network():
        connected(server)
        connected(("0.0.0.0", port))
        socket.create_connection(("localhost", port)).close()
    with block_network(loopback=False):
        for host in ("127.0.0.1", "localhost", "0.0.0.0", "127.0.0.2"):
            with pytest.raises(NetworkBlocked):
                connected((host, port))
    connected(server)


def test_an_address_that_is_allowed_passes(server: tuple[str, int]) -> None:
    with block_network(allow=["127.0.0.1"], loopback=False):
        connected(server)
        with pytest.raises(NetworkBlocked):
            connected(("127.0.0.2", server[1]))


def test_a_name_that_is_allowed_is_looked_up_and_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (AWAY, 0))]
    with block_network(allow=["db.example.com"]) as block:
        with contextlib.suppress(OSError):  # It is looked up: whether it is found is another matter.
            socket.getaddrinfo("db.example.com", None, flags=socket.AI_NUMERICHOST)
        monkeypatch.setattr(socket, "getaddrinfo", lambda name, port: found if name == "db.example.com" else [])
        assert block.lets_address(AWAY)
        assert not block.lets_address("192.0.2.2")


def test_loopback_is_known_in_all_its_forms() -> None:
    block = block_network()
    hosts = ("127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", "::", "0.0.0.0", "LOCALHOST")
    assert [host for host in hosts if not block.lets_address(host)] == []
    assert [host for host in ("10.0.0.1", "fe80::1%eth0", "localhost.example.com") if block.lets_address(host)] == []


def test_unix_sockets_and_pairs_stay() -> None:
    with block_network(loopback=False):
        one, two = socket.socketpair()
        one.sendall(b"x")
        assert two.recv(1) == b"x"
        one.close()
        two.close()
        asyncio.run(asyncio.sleep(0))


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no Unix sockets here")
def test_a_unix_socket_is_connected(tmp_path: Any) -> None:
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as client:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        with block_network(loopback=False):
            client.connect(str(tmp_path / "s"))


def test_connections_that_are_open_stay_open(server: tuple[str, int]) -> None:
    with socket.create_connection(server) as client, block_network(loopback=False):
        assert client.send(b"x") == 1


def test_a_socket_that_was_refused_is_closed() -> None:
    with block_network(), socket.socket() as made:
        with pytest.raises(NetworkBlocked):
            made.connect((AWAY, 9))
        assert made.fileno() == -1


def test_it_holds_in_every_thread() -> None:
    caught: list[BaseException] = []

    def go() -> None:
        try:
            connected((AWAY, 9))
        except BaseException as error:
            caught.append(error)

    with block_network():
        thread = threading.Thread(target=go)
        thread.start()
        thread.join()
    assert [type(error) for error in caught] == [NetworkBlocked]


def test_blocks_nest_and_the_stricter_one_counts(server: tuple[str, int]) -> None:
    with block_network(loopback=False):
        with block_network(allow=["127.0.0.1"]), pytest.raises(NetworkBlocked):
            connected(server)
        with pytest.raises(NetworkBlocked):
            connected(server)
    same = block_network(loopback=False)
    with same, same:
        pass
    connected(server)


def test_it_is_over_behind_the_block_also_after_an_error(server: tuple[str, int]) -> None:
    with pytest.raises(ZeroDivisionError), block_network(loopback=False):
        raise ZeroDivisionError
    connected(server)


def test_functions_are_decorated_whether_they_wait_or_not(server: tuple[str, int]) -> None:
    @block_network(loopback=False)
    def one(address: tuple[str, int]) -> None:
        connected(address)

    @block_network(loopback=False)
    async def two(address: tuple[str, int]) -> None:
        await asyncio.sleep(0)
        connected(address)

    with pytest.raises(NetworkBlocked):
        one(server)
    with pytest.raises(NetworkBlocked):
        asyncio.run(two(server))
    connected(server)


# In pytest

OUT = """
import socket
import pytest
from playhead.testing import NetworkBlocked

def is_blocked():
    try:
        socket.getaddrinfo("name.invalid", 1)
    except NetworkBlocked:
        return True
    except OSError:
        return False
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    pytester.makepyfile(out=OUT)
    pytester.syspathinsert()
    monkeypatch.chdir(pytester.path)
    return pytester


def test_the_fixture_blocks_its_test_alone(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from out import is_blocked

        def test_one(block_network):
            assert is_blocked()

        def test_two():
            assert not is_blocked()
        """
    )
    project.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)


def test_the_setting_blocks_all_tests_but_those_that_may_go_out(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\nplayhead_block_network = true")
    project.makepyfile(
        """
        import pytest
        from out import is_blocked
        from playhead.testing import Script

        def test_plain():
            assert is_blocked()

        @pytest.mark.playhead(network=True)
        def test_live():
            assert not is_blocked()

        def test_recorded(tape):
            assert is_blocked() == (tape.mode == "replay")
            assert Script(["hello"]).agent().run_sync("hi").text == "hello"

        @pytest.mark.playhead(mode="replay")
        class TestPlayed:
            def test_it(self):
                assert is_blocked()
        """
    )
    project.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=4)
    assert list(project.path.glob("tapes/*/test_recorded.jsonl"))
    project.runpytest_inprocess("-p", "no:cacheprovider", "--playhead=replay").assert_outcomes(passed=4)
    project.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=4)
    project.runpytest_inprocess("-p", "no:cacheprovider", "--playhead=record").assert_outcomes(passed=4)
