"""`playhead record --to URL`"""

from __future__ import annotations

import argparse
import asyncio
from datetime import UTC, datetime
from pathlib import Path

from ..errors import DecodeError, ProviderError, TapeError, TruncatedStream
from ..http import Outcome
from ..messages import Usage, add_known
from ..serve.proxy import Passed, RecordingProxy
from ..serve.tapes import path_of
from ..tape.open import Mode, open_tape
from ..tape.opened import OpenTape
from ..transcript import Heard, hear
from ..transport.live import LiveTransport
from ._console import Console
from ._render import duration, money, tokens
from .serve import say, serve_until_stopped
from .show import many


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
        asyncio.run(_record(args, tape, account, console))
        recorded = tape.tape()
    if recorded is None or not recorded.interactions:
        console.line("nothing was recorded", "yellow")
        return 0
    console.line(f"{path}: {many(len(recorded.interactions), 'interaction')}", "green")
    used = "" if account.usage is None else f", {tokens(account.usage)}, {money(account.cost)}"
    console.line(f"{many(account.sent, 'request')} sent{used}", "dim")
    console.line(f"To serve it: playhead serve {path}", "dim")
    return 0


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
        usage: of their answers; None where there was none, and unknown where one of them does not say.
        cost: the same, in US dollars.
    """

    def __init__(self, console: Console) -> None:
        self.sent = 0
        self.usage: Usage | None = None
        self.cost: float | None = None
        self._console = console

    def add(self, passed: Passed) -> Outcome | None:
        """Write a line, and say what the body was."""
        heard = hear(passed.call)
        if not passed.played:
            self.sent += 1
            if heard.asked.model is not None and (passed.call.status or 500) < 400:
                usage, cost = heard.response.usage or Usage(), heard.response.cost
                self.cost = cost if self.usage is None else add_known(self.cost, cost)
                self.usage = usage if self.usage is None else self.usage + usage
        say(self._console, _line(passed, heard), "red" if passed.call.status is None else "")
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
