"""`playhead replay F`"""

from __future__ import annotations

import argparse
import time

from ..messages import ToolResultPart
from ..tape.effects import INTERRUPTED, Interaction, Reading, ToolRun
from ..tape.files import load_tape
from ..transcript import Heard, hear, summary
from ._console import Console
from ._render import Renderer, account
from .show import total_usage


def run(args: argparse.Namespace, console: Console) -> int:
    """Play what is on a tape as it was heard, in its own time or another."""
    tape = load_tape(args.tape)
    if not tape.effects:
        console.note(f"tape {args.tape!r} holds no effects")
    if args.pace is not None and not any(call.times for call in tape.interactions):
        console.note("(this tape does not say when its pieces arrived: it is played at once)")
    heard = [hear(call) for call in tape.interactions]
    player, calls = _Playing(console, args.pace), iter(heard)
    with console.progress():
        for effect in tape.effects:
            match effect:
                case Interaction():
                    player.call(effect, next(calls))
                case ToolRun():
                    player.tool(effect)
                case Reading():
                    player.reading(effect)
    totals = summary(tape, heard)["totals"]
    console.line(account(totals["interactions"], total_usage(totals), totals["cost"]), "dim")
    return 0


class _Playing:
    """Plays effects to a console.

    Args:
        speed: 1.0 is recorded time; None is at once.
    """

    def __init__(self, console: Console, speed: float | None) -> None:
        self._console = console
        self._renderer = Renderer(console)
        self._speed = speed
        self._prompt: str | None = None

    def call(self, call: Interaction, heard: Heard) -> None:
        if heard.asked.prompt and heard.asked.prompt != self._prompt:
            self._prompt = heard.asked.prompt
            self._console.line(f"> {self._prompt}", "bold")
        self._console.waiting(f"waiting for {heard.asked.model or 'the model'}")
        self._events(call, heard)
        if heard.wire is None:
            self._console.line(heard.response.text)
        if call.ended != "complete":
            why = call.error["message"] if call.error else INTERRUPTED
            self._console.line(f"! {why}", "red")
        elif heard.error is not None:
            self._console.line(f"! {heard.error}", "red")

    def reading(self, reading: Reading) -> None:
        self._renderer.reading(reading.name, reading.value)

    def tool(self, run: ToolRun) -> None:
        self._console.waiting(f"running {run.name}")
        started = time.monotonic()
        for said in run.progress:
            self._wait(said.at_s, started)
            self._renderer.progress(run.name, said.message, said.fraction)
        self._wait(run.duration_s, started)
        if run.ended != "complete":
            self._console.line(f"! {run.name} had not finished when the recording stopped", "red")
            return
        result = ToolResultPart(run.call_id, run.name, run.result, run.is_error)
        self._renderer.result(result, run.duration_s, played=False)

    def _events(self, call: Interaction, heard: Heard) -> None:
        started = time.monotonic()
        for n, event in heard.events:
            if call.times is not None:
                self._wait(call.times[n], started)
            self._renderer.show(event)

    def _wait(self, seconds: float | None, started: float | None = None) -> None:
        if self._speed is None or seconds is None:
            return
        passed = 0.0 if started is None else time.monotonic() - started
        time.sleep(max(0.0, seconds / self._speed - passed))
