"""A network that lets nothing out."""

from __future__ import annotations

import functools
import inspect
import ipaddress
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, cast

from ..errors import ConfigError

P = ParamSpec("P")
T = TypeVar("T")


class NetworkBlocked(ConfigError):
    """Somebody asked for a connection where none may be opened. It was not opened.

    Attributes:
        host: what was asked for.
        port: the port, where one was said.
    """

    def __init__(self, message: str, *, host: str = "", port: int | str | None = None) -> None:
        super().__init__(message)
        self.host = host
        self.port = port


class BlockedNetwork:
    """A block, or a function, in which nothing goes out. See `block_network`."""

    def __init__(self, allow: Iterable[str], loopback: bool) -> None:
        self._allowed = frozenset(host.lower() for host in allow)
        self._loopback = loopback

    def __enter__(self) -> Self:
        _install()
        with _lock:
            _active.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _lock:
            _active.remove(self)

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        """The function, in which nothing goes out; it may be asynchronous."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
                with self:
                    return await function(*args, **kwargs)

            return cast("Callable[P, T]", awaited)

        @functools.wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> T:
            with self:
                return function(*args, **kwargs)

        return called

    def lets_name(self, host: str) -> bool:
        """Whether a name may be looked up: addresses and this machine's own names need nobody else for it."""
        return _address(host) is not None or host.lower() in (*_OWN, _own_name()) or host.lower() in self._allowed

    def lets_address(self, host: str) -> bool:
        """Whether a connection to an address may be opened."""
        if host.lower() in self._allowed:
            return True
        address = _address(host)
        if address is None:  # A name: it is looked up on the way.
            return self._loopback and host.lower() in _OWN
        if address.is_loopback or address.is_unspecified:  # Who connects to 0.0.0.0 reaches this machine.
            return self._loopback or str(address) in self._allowed
        return str(address) in self._allowed or str(address) in self._resolved()

    def _resolved(self) -> set[str]:
        """Where the allowed names lead, as of now."""
        found: set[str] = set()
        for name in self._allowed:
            if _address(name) is None:
                with suppress(OSError):
                    found |= {str(entry[4][0]) for entry in socket.getaddrinfo(name, None)}
        return found


def block_network(allow: Iterable[str] = (), *, loopback: bool = True) -> BlockedNetwork:
    """A context manager and a decorator: whoever opens a connection inside, in any thread, gets `NetworkBlocked`.

    Names are not looked up either. Connections that are open already, Unix sockets, and servers that listen stay as
    they are. Blocks nest: a connection goes out where all of them let it.

    Python's own sockets are seen, also those of other packages. What has sockets of its own, as `uvloop` has, is not.

    Args:
        allow: hosts that may be reached all the same: names or addresses.
        loopback: whether this machine may be reached (`127.0.0.1`, `::1`, `localhost`). An event loop on Windows
            needs it when it begins.
    """
    return BlockedNetwork((allow,) if isinstance(allow, str) else allow, loopback)


_OWN = ("", "localhost")
_lock = threading.Lock()
_active: list[BlockedNetwork] = []
_installed = False


@functools.cache
def _own_name() -> str:
    return socket.gethostname().lower()


def _install() -> None:
    """Listen to what Python says of sockets. It stays for good, and does nothing where no block is active.

    An audit hook sees all sockets, whoever made them and however the functions were imported.
    https://docs.python.org/3/library/audit_events.html
    """
    global _installed  # noqa: PLW0603 - once a process
    with _lock:
        if _installed:
            return
        _installed = True
    sys.addaudithook(_audited)
    if sys.platform == "win32":  # Its event loop connects past the sockets.
        _watch_windows()


def _audited(event: str, args: tuple[Any, ...]) -> None:
    if not _active or not event.startswith("socket."):
        return
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        try:
            _connecting(args[0].family, args[1])
        except NetworkBlocked:
            if event == "socket.connect":
                args[0].close()  # Most callers close it after an OSError alone, as `socket.create_connection` does.
            raise
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = args[0].decode(errors="replace") if isinstance(args[0], bytes) else args[0] or ""
        port = args[1] if len(args) > 1 else None
        if not all(block.lets_name(host) for block in tuple(_active)):
            raise _refused(host, port)


def _connecting(family: int, address: Any) -> None:
    if family not in (socket.AF_INET, socket.AF_INET6) or not isinstance(address, tuple) or not address:
        return
    host, *rest = cast("tuple[Any, ...]", address)
    if isinstance(host, str) and not all(block.lets_address(host) for block in tuple(_active)):
        raise _refused(host, rest[0] if rest else None)


def _refused(host: str, port: Any) -> NetworkBlocked:
    where = f"{host}:{port}" if port is not None else host
    return NetworkBlocked(
        f"the network is blocked here, and a connection to {where} was asked for. Play a tape (mode='replay'), "
        f"answer with ph.testing.Script([...]), or let it through: block_network(allow=[{host!r}]).",
        host=host,
        port=port,
    )


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _watch_windows() -> None:
    from asyncio.proactor_events import BaseProactorEventLoop

    connect = BaseProactorEventLoop.sock_connect

    async def watched(self: BaseProactorEventLoop, sock: socket.socket, address: Any) -> None:
        if _active:
            _connecting(sock.family, address)
        await connect(self, sock, address)

    BaseProactorEventLoop.sock_connect = watched
