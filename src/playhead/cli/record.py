"""`playhead record --to URL`"""

from __future__ import annotations

import argparse
import asyncio
import os
import stat
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from ..errors import DecodeError, ProviderError, TapeError, TruncatedStream
from ..http import Outcome
from ..messages import Usage, add_known
from ..serve._addresses import path_of
from ..serve.proxy import Passed, RecordingProxy
from ..tape.files import load_tape
from ..tape.formats import is_native
from ..tape.open import Mode, open_tape
from ..tape.opened import OpenTape
from ..tape.writer import lock
from ..transcript import Heard, hear
from ..transport.live import LiveTransport
from ._console import Console
from ._render import duration, money, tokens
from .serve import say, serve_until_stopped
from .show import many

_ENOUGH_TO_BEGIN = 4096
"""Bytes. A disk that is full takes an empty file."""


def run(args: argparse.Namespace, console: Console) -> int:
    """Record what clients ask of a provider, until Ctrl-C or SIGTERM."""
    path = Path(args.tape or f"recorded-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.jsonl")
    mode: Mode = args.mode or "record"
    if args.mode is None and not args.force and path.exists() and path.stat().st_size:
        raise TapeError(
            f"{str(path)!r} exists already. Go on with it with --mode resume, replace it with --force, or choose "
            "another name with --tape."
        )
    account = _Account(console)
    with open_tape(path, mode) as tape:
        for warning in tape.warnings:
            console.note(f"warning: {warning}")
        _ensure_writable(path, mode)
        asyncio.run(_record(args, tape, account, console))
        said = tape.close(whole=not account.lost)
    _sum_up(path, said, account, console)
    return 1 if account.lost else 0


def _sum_up(path: Path, said: str | None, account: _Account, console: Console) -> None:
    """Say what is on the tape now: what is read from it, not what should be there."""
    if said:
        console.line(said, "yellow")
    elif not (account.recorded or account.played):
        console.line("nothing was recorded", "yellow")
    else:
        tape = load_tape(path)
        for warning in tape.warnings:
            console.note(f"warning: {path}: {warning}")
        console.line(f"{path}: {many(len(tape.interactions), 'interaction')}", "yellow" if account.lost else "green")
    if account.lost:
        console.line(f"{many(account.lost, 'request')} not recorded", "red")
    if account.sent or account.recorded or account.played:
        used = "" if account.usage is None else f", {tokens(account.usage)}, {money(account.cost)}"
        console.line(f"{many(account.sent, 'request')} sent{used}", "dim")
    if not said and (account.recorded or account.played):
        console.line(f"To serve it: playhead serve {path}", "dim")


def _ensure_writable(path: Path, mode: Mode) -> None:
    """Find out whether a tape can be recorded there, and leave nothing behind.

    Raises:
        TapeError: it cannot.
    """
    file = Path(os.path.realpath(path))  # What a link leads to is written.
    there = file.exists()
    journal = file.with_name(f"{file.name}.part").exists()
    grows = there and mode == "resume" and is_native(file) and not journal
    try:
        if there and not stat.S_ISREG(file.stat().st_mode):
            raise TapeError(f"tape {str(path)!r} is not a regular file: a tape is appended to and read again")
        if there:
            with file.open("ab" if grows else "rb") as opened:
                lock(opened.fileno(), path)
        if not grows:
            with tempfile.TemporaryFile(dir=file.parent) as beside:
                beside.write(bytes(_ENOUGH_TO_BEGIN))
    except OSError as error:
        where = "" if file.parent.is_dir() else f" (there is no folder {str(file.parent)!r})"
        raise TapeError(
            f"tape {str(path)!r} cannot be written: {error.strerror}{where}. Choose another place with --tape."
        ) from error


async def _record(args: argparse.Namespace, tape: OpenTape, account: _Account, console: Console) -> None:
    transport = LiveTransport()
    try:
        proxy = RecordingProxy(args.to, tape, transport, told=account.add)

        def ready(url: str) -> None:
            console.line(f"recording what goes to {args.to} on {tape.name}", "bold")
            console.line(f"  give your client this base URL: {url}{proxy.path}")
            if proxy.path:
                console.line(f"  such as OPENAI_BASE_URL={url}{proxy.path}")
            console.line("The client's key goes on to the provider, and not to the tape. Ctrl-C ends it.", "dim")

        await serve_until_stopped(proxy.answer, args.host, args.port, console, ready)
    finally:
        await transport.aclose()


class _Account:
    """Tells of each exchange, and adds up what was used.

    Attributes:
        sent: how many requests went to the provider.
        recorded: how many are on the tape that were not there before.
        played: how many were answered from the tape.
        lost: how many are not on the tape, or not all of what came of them.
        usage: of their answers; None where there was none, and unknown where one of them does not say.
        cost: the same, in US dollars.
    """

    def __init__(self, console: Console) -> None:
        self.sent = self.recorded = self.played = self.lost = 0
        self.usage: Usage | None = None
        self.cost: float | None = None
        self._console = console

    def add(self, passed: Passed) -> Outcome | None:
        """Write a line, and say what the body was."""
        heard = hear(passed.call)
        self.sent += passed.sent
        self.played += passed.played
        self.recorded += passed.recorded
        self.lost += not (passed.recorded or passed.played)
        if passed.sent and heard.asked.model is not None and (passed.call.status or 500) < 400:
            usage, cost = heard.response.usage or Usage(), heard.response.cost
            self.cost = cost if self.usage is None else add_known(self.cost, cost)
            self.usage = usage if self.usage is None else self.usage + usage
        bad = passed.call.status is None or not (passed.recorded or passed.played)
        say(self._console, _line(passed, heard), "red" if bad else "")
        return _outcome(passed, heard)


def _outcome(passed: Passed, heard: Heard) -> Outcome | None:
    status = passed.call.status or 0
    if heard.wire is None or not 200 <= status < 300 or not passed.call.body:
        return None
    match heard.error:
        case TruncatedStream():
            return "truncated"
        case DecodeError():
            return "broken"
        case ProviderError():
            return "refused"
        case _:
            return "whole"


def _line(passed: Passed, heard: Heard) -> str:
    call, usage = passed.call, heard.response.usage
    said = [
        heard.asked.model or "",
        tokens(usage) if usage else "",
        money(heard.response.cost) if heard.response.cost is not None else "",
        duration(passed.seconds),
        "(from the tape)" if passed.played else "",
        f"({passed.note})" if passed.note else "",
    ]
    line = f"{call.request.method} {path_of(call.request.url)} -> {call.status or 'no answer'}"
    return "  ".join([line, *filter(None, said)])
