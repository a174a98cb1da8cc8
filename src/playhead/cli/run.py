"""`playhead run MODULE:AGENT "prompt"`"""

from __future__ import annotations

import argparse
import asyncio
import time

from ..agent.agent import Agent
from ..errors import PlayheadError
from ..events import MessageEnd
from ..tape.open import open_tape
from ..tape.opened import OpenTape
from ..transport.faults import Faults
from ._agents import find_agent, read_prompt
from ._console import Console
from ._render import Renderer, account


def run(args: argparse.Namespace, console: Console) -> int:
    """Run an agent and show its events; a line of usage and cost at the end."""
    agent, prompt = find_agent(args), read_prompt(args)
    if args.mode == "replay" and not args.tape:
        args.parser.error("--mode replay plays a tape: say which one with --tape F")
    if args.model:
        agent = agent.with_model(args.model)
    started = time.perf_counter()
    with open_tape(
        args.tape,
        args.mode,
        on_divergence=args.on_divergence,
        in_doubt=args.in_doubt,
        speed=args.pace,
        faults=Faults.parse(*args.fault) if args.fault else None,
    ) as tape:
        return asyncio.run(_run(agent, prompt, tape, console, started))


async def _run(agent: Agent, prompt: str, tape: OpenTape, console: Console, started: float) -> int:
    renderer, answers = Renderer(console), 0
    with console.progress():
        async with agent.stream(prompt, tape=tape) as run:
            console.waiting("waiting for the model")
            try:
                async for event in run:
                    renderer.show(event)
                    if isinstance(event, MessageEnd):
                        answers += 1
                        _tell_demo(event, console, first=answers == 1)
            except PlayheadError:
                so_far = run.so_far
                if so_far.steps:
                    console.fresh_line()
                    console.note(f"so far: {account(len(so_far.steps), so_far.usage, so_far.cost)}")
                raise
    result = run.result
    if result.stopped is not None:
        console.line(f"(a tool ended the run) {result.stopped}".rstrip(), "yellow")
    for warning in result.warnings:
        console.note(f"note: {warning}")
    console.line(account(len(result.steps), result.usage, result.cost, time.perf_counter() - started), "dim")
    return 0


def _tell_demo(event: MessageEnd, console: Console, *, first: bool) -> None:
    """Say that an answer is a recording, where the demo's provider gave it, and in what results differ."""
    headers = event.response.headers
    if first and (recorded := headers.get("playhead-recorded")):
        console.note(f"(the demo's answer is a recording: {recorded})")
    if differs := headers.get("playhead-differs"):
        console.note(f"(it was made from other tool results than yours: {differs})")
