"""`playhead serve F...`"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import AsyncExitStack, contextmanager

from ..errors import PlayheadError
from ..serve._sources import load_tapes
from ..serve.http import Handler, Server, is_loopback, loopback_only
from ..serve.tapes import Served, TapeProvider
from ..transport.faults import Faults
from ._console import Console
from ._render import duration
from .show import many

_MOST_LISTED = 20
"""Lines of what was not played."""

_LAST_PORT = 65535

_NOT_OPENAI = (
    ("ANTHROPIC_BASE_URL", ("/messages", "/messages/count_tokens")),
    ("GOOGLE_GEMINI_BASE_URL", (":generateContent", ":streamGenerateContent")),
)
"""By the variable that a client reads its address from, how its paths end."""


def run(args: argparse.Namespace, console: Console) -> int:
    """Serve tapes until Ctrl-C or SIGTERM."""
    tapes, notes = load_tapes(args.tapes)
    for note in notes:
        console.note(f"warning: {note}")
    provider = TapeProvider(
        tapes,
        speed=args.pace,
        cut=args.cut,
        faults=Faults.parse(*args.fault) if args.fault else None,
        repeat=args.repeat,
        drift=args.drift,
        told=lambda served: say(console, _line(served), "red" if served.status == 422 else ""),
    )
    return asyncio.run(_serve(provider, args, console))


async def _serve(provider: TapeProvider, args: argparse.Namespace, console: Console) -> int:
    def ready(url: str) -> None:
        console.line(f"serving {many(len(provider.left()), 'interaction')} of {provider.name} at {url}", "bold")
        for variable, path in _base_urls(provider.paths):
            console.line(f"  {variable}={url}{path}")
        console.line("Any key will do. Ctrl-C ends it.", "dim")

    try:
        await serve_until_stopped(provider.answer, args.host, args.port, console, ready)
    finally:
        await provider.aclose()
    left = provider.left()
    if left:
        console.line(f"{many(len(left), 'interaction')} not played:", "yellow")
        for source, call in left[:_MOST_LISTED]:
            console.line(f"  {source} {call.request.method} {call.request.url.partition('?')[0]}")
        if len(left) > _MOST_LISTED:
            console.line(f"  and {len(left) - _MOST_LISTED} more")
    else:
        console.line("every interaction was played", "green")
    if provider.diverged:
        console.line(f"{many(provider.diverged, 'request')} not on the tape", "red")
    return 1 if args.strict and (left or provider.diverged) else 0


async def serve_until_stopped(
    handler: Handler, host: str, port: int, console: Console, ready: Callable[[str], None]
) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        handler: answers the requests.
        host: the address to listen on.
        port: 0 takes a free one.
        console: where a warning goes, where others than this machine are let in.
        ready: called with the address, such as `http://127.0.0.1:8642`, when it can be reached.

    Raises:
        PlayheadError: the address cannot be listened on.
    """
    if not 0 <= port <= _LAST_PORT:
        raise PlayheadError(f"--port is a number from 0 to {_LAST_PORT} (0 takes a free one), not {port}")
    near = is_loopback(host)
    async with AsyncExitStack() as stack:
        try:
            server = await stack.enter_async_context(
                Server(loopback_only(handler) if near else handler, host=host, port=port)
            )
        except (socket.gaierror, UnicodeError) as error:
            why = error.strerror if isinstance(error, socket.gaierror) else "it is no name of a machine"
            raise PlayheadError(
                f"--host is an address or a name of this machine, such as 127.0.0.1 or localhost, not {host!r}: {why}"
            ) from error
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else str(error).rstrip(".")
            raise PlayheadError(
                f"port {port} of {host!r} cannot be listened on: {why}. Choose another with --port (0 takes a free "
                "one), or another address with --host."
            ) from error
        if not near:
            console.note(f"warning: {host} is reached by others than this machine: whoever knows it may use it")
        with _stopping() as stopped:
            # All addresses are listened on; this is the one that is reached from here.
            ready(server.url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:"))
            await stopped.wait()


def say(console: Console, line: str, style: str = "") -> None:
    """Write a line. That nobody reads it is no reason to stop serving."""
    try:
        console.line(line, style)
    except OSError:
        pass


@contextmanager
def _stopping() -> Generator[asyncio.Event]:
    """An event that Ctrl-C and SIGTERM set. A second one has its usual effect again."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()

    def stop(*_: object) -> None:
        loop.call_soon_threadsafe(stopped.set)

    before = {number: signal.signal(number, stop) for number in signals}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _line(served: Served) -> str:
    first, _, more = served.note.partition("\n")
    said = [served.source, duration(served.seconds), f"({first})" if first else ""]
    line = "  ".join([f"{served.method} {served.path} -> {served.status or 'no answer'}", *filter(None, said)])
    return f"{line}\n{more}" if more else line


def _base_urls(paths: tuple[str, ...]) -> list[tuple[str, str]]:
    """The variables that clients of these tapes read, and the path that they want behind the address."""
    found = [(name, "") for name, ends in _NOT_OPENAI if any(path.endswith(ends) for path in paths)]
    known = tuple(end for _, ends in _NOT_OPENAI for end in ends)
    if not found or not all(path.endswith(known) for path in paths):
        found.insert(0, ("OPENAI_BASE_URL", "/v1"))
    return found
