"""`playhead run MODULE:AGENT "prompt"`"""

from __future__ import annotations

import argparse
import asyncio
import shlex
import sys
import time
from typing import Any

from ..agent.agent import Agent
from ..agent.approvals import Approvals
from ..agent.result import RunResult
from ..errors import PlayheadError
from ..events import MessageEnd
from ..tape.effects import Tape
from ..tape.open import open_tape
from ..tape.opened import OpenTape
from ..transport.faults import Faults
from ._agents import find_agent, read_prompt
from ._approving import WAITING, Asking, Seen, decisions, in_full
from ._chat_input import forget_typed, reading_line
from ._console import Console
from ._render import Renderer, account
from .show import many


def run(args: argparse.Namespace, console: Console) -> int:
    """Run an agent and show its events; a line of usage and cost at the end."""
    approvals = decisions(args.approve, args.deny)
    agent, prompt = find_agent(args), _prompt(args, goes_on=approvals is not None)
    if args.mode == "replay" and not args.tape:
        args.parser.error("--mode replay plays a tape: say which one with --tape F")
    if args.model:
        agent = agent.with_model(args.model)
    started = time.perf_counter()
    faults = Faults.parse(*args.fault) if args.fault else None
    source: str | Tape | None = args.tape
    mode, seen, asking = args.mode, Seen(), Asking(console, reading_line)
    while True:
        with open_tape(
            source,
            mode,
            on_divergence=args.on_divergence,
            in_doubt=args.in_doubt,
            speed=args.pace,
            faults=faults,
        ) as tape:
            result = asyncio.run(_run(agent, prompt, tape, approvals, console, seen))
            closed = tape.closed
        if result.pending and not closed and result.tape is not None and _somebody_is_there(args):
            forget_typed()
            approvals = asking.decide(result.pending)
            if approvals is not None:
                source, mode = args.tape or result.tape, "resume"
                seen.again()
                continue
        if result.stopped is not None:
            console.line(f"(a tool ended the run) {result.stopped}".rstrip(), "yellow")
        for warning in result.warnings:
            console.note(f"note: {warning}")
        console.line(account(len(result.steps), result.usage, result.cost, time.perf_counter() - started), "dim")
        return _waiting(args, result, console, closed=closed) if result.pending else 0


async def _run(
    agent: Agent, prompt: str | None, tape: OpenTape, approvals: Approvals | None, console: Console, seen: Seen
) -> RunResult[Any]:
    renderer, answers = Renderer(console), 0
    with console.progress():
        async with (
            agent.resume_stream(tape, approvals=approvals)
            if prompt is None
            else agent.stream(prompt, tape=tape, approvals=approvals)
        ) as run:
            console.waiting("waiting for the model")
            try:
                async for event in run:
                    if not seen.is_new(event):
                        continue
                    renderer.show(event)
                    if isinstance(event, MessageEnd):
                        answers += 1
                        for note in demo_notes(event, first=answers == 1):
                            console.note(note)
            except PlayheadError:
                so_far = run.so_far
                if so_far.steps:
                    console.fresh_line()
                    console.note(f"so far: {account(len(so_far.steps), so_far.usage, so_far.cost)}")
                raise
    return run.result


def _prompt(args: argparse.Namespace, *, goes_on: bool) -> str | None:
    """What to say to the agent; None where a run on the tape is gone on with, which knows it."""
    if not goes_on or args.prompt is not None:
        return read_prompt(args)
    if not args.tape:
        args.parser.error("--approve and --deny decide about a run on a tape: say which one with --tape F")
    return None


def _somebody_is_there(args: argparse.Namespace) -> bool:
    return args.mode != "off" and args.prompt != "-" and sys.stdin.isatty()


def _waiting(args: argparse.Namespace, result: RunResult[Any], console: Console, *, closed: bool) -> int:
    """Say what waits for approval, and how it is decided."""
    pending = result.pending
    console.fail(f"{many(len(pending), 'tool call')} {'waits' if len(pending) == 1 else 'wait'} for approval:")
    for approval in pending:
        console.note(f"  {in_full(approval)}  {approval.lane}  {approval.call_id}".rstrip())
    if closed:
        console.note("(the recorded run ends here)")
    elif args.tape:
        go_on = f"playhead run {shlex.quote(args.agent)} --tape {shlex.quote(args.tape)}"
        console.note(f"go on: {go_on} --approve all; instead of all, a lane or an id; --deny says no")
    else:
        console.note("nothing of the run was kept: run it with --tape F, and go on with --approve or --deny")
    return WAITING


def demo_notes(event: MessageEnd, *, first: bool) -> list[str]:
    """What is to be said where an answer is the demo's: that it is a recording, and in what results differ."""
    headers, notes = event.response.headers, list[str]()
    if first and (recorded := headers.get("playhead-recorded")):
        notes.append(f"(the demo's answer is a recording: {recorded})")
    if differs := headers.get("playhead-differs"):
        notes.append(f"(it was made from other tool results than yours: {differs})")
    return notes
