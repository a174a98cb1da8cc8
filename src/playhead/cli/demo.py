"""`playhead demo`: an agent runs, is recorded, and is replayed with the network closed."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ..agent.agent import Agent
from ..agent.result import RunResult
from ..errors import PlayheadError
from ..serve.demo import DIFFERS, DemoTransport, demo_tape
from ..tape.open import Mode
from ..tools import tool
from ._console import Console
from ._render import Renderer, account, duration

SYSTEM = "You are a helpful assistant. Use a function when it can help."
PROMPT = "Add and multiply the number 2 and 3"
_WORK_S = 0.4
"""Seconds that each of the demo's tools takes, so that it shows that they run at the same time."""

_runs: list[str] = []


@tool
def add(a: int, b: int) -> int:
    """Add two numbers.

    Args:
        a: first number
        b: second number
    """
    _runs.append("add")
    time.sleep(_WORK_S)
    return a + b


@tool
def multiply(a: int, b: int) -> int:
    """Multiply two numbers.

    Args:
        a: first number
        b: second number
    """
    _runs.append("multiply")
    time.sleep(_WORK_S)
    return a * b


def run(args: argparse.Namespace, console: Console) -> int:
    """Show the main job."""
    if args.tape:
        return _demo(Path(args.tape), args.pace, console)
    with tempfile.TemporaryDirectory(prefix="playhead-") as folder:
        return _demo(Path(folder) / "demo.jsonl", args.pace, console)


def _demo(path: Path, speed: float | None, console: Console) -> int:
    _introduce(console)
    console.line()
    console.line("1. The agent runs and is recorded", "bold")
    first, seconds = asyncio.run(_show(speed, path, "record", console))
    _at_the_same_time(first, console)
    _say_differences(first, console)
    console.line(account(len(first.steps), first.usage, first.cost, seconds), "dim")
    size = path.stat().st_size
    console.line(
        f"on tape: {path.name}, {size} bytes, {len(first.tape.effects if first.tape else ())} effects", "dim"
    )

    console.line()
    console.line("2. The server is gone, the network is closed: the run is played from its tape", "bold")
    _runs.clear()
    with _no_network() as attempts:
        second, seconds = asyncio.run(_show(speed, path, "replay", console))
    same = first.messages == second.messages and first.usage == second.usage
    console.line(account(len(second.steps), second.usage, second.cost, seconds), "dim")
    console.line()
    if not same or _runs or attempts:
        raise PlayheadError(
            f"the replay is not the run: same conversation {same}, tools run {_runs}, connections tried {attempts}"
        )
    console.line("The same conversation, token for token. No tool ran again, no connection was tried.", "green")
    console.line(f"It took {duration(seconds)}. Next: playhead show, playhead replay, or the README.", "dim")
    return 0


def _introduce(console: Console) -> None:
    meta = demo_tape().meta
    console.line("Playhead: a run of an agent is a tape.", "bold")
    console.line(
        "The model of this demo is a recording, served over real HTTP on loopback in its own time:\n"
        f"  {meta['model'].partition(' (')[0]}\n"
        f"  recorded {meta['created']} on {meta['machine']}\n"
        "The agent is real: it sends requests, reads the stream, runs its own tools and records it all."
    )


async def _show(speed: float | None, path: Path, mode: Mode, console: Console) -> tuple[RunResult, float]:
    renderer, started = Renderer(console), time.perf_counter()
    transport = DemoTransport(speed)
    agent = Agent("demo", tools=[add, multiply], system=SYSTEM, transport=transport)
    console.line(f"> {PROMPT}")
    try:
        with console.progress():
            async with agent.stream(PROMPT, tape=path, mode=mode) as run:
                console.waiting("waiting for the model")
                async for event in run:
                    renderer.show(event)
    finally:
        await transport.aclose()
    return run.result, time.perf_counter() - started


def _at_the_same_time(result: RunResult, console: Console) -> None:
    tools = result.tape.tools if result.tape else ()
    spans = [(run.started_s or 0.0, (run.started_s or 0.0) + (run.duration_s or 0.0)) for run in tools]
    if len(spans) > 1:
        alone = sum(end - start for start, end in spans)
        together = max(end for _, end in spans) - min(start for start, _ in spans)
        console.line(
            f"({len(spans)} tools ran at the same time: {duration(alone)} of work in {duration(together)})", "dim"
        )


def _say_differences(result: RunResult, console: Console) -> None:
    for step in result.steps:
        if differs := step.response.headers.get(DIFFERS):
            console.note(f"(the recorded answer was made from other tool results than yours: {differs})")


@contextmanager
def _no_network() -> Generator[list[str]]:
    """Nothing inside can connect to anything; what tried is listed. Python calls this hook for every connection."""
    attempts: list[str] = []
    closed = True

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if closed and event in ("socket.connect", "socket.getaddrinfo"):
            attempts.append(f"{event} {arguments[1:]}")
            raise PlayheadError("the demo has closed the network")

    sys.addaudithook(hook)
    try:
        yield attempts
    finally:
        closed = False
