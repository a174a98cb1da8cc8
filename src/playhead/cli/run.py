"""`playhead run MODULE:AGENT "prompt"`"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..agent.agent import Agent
from ..errors import PlayheadError
from ..events import MessageEnd
from ._console import Console
from ._render import Renderer, account


def run(args: argparse.Namespace, console: Console) -> int:
    """Run an agent and show its events; a line of usage and cost at the end."""
    agent, prompt = _find(args), _prompt(args)
    if args.mode == "replay" and not args.tape:
        args.parser.error("--mode replay plays a tape: say which one with --tape F")
    started = time.perf_counter()
    return asyncio.run(_run(agent, prompt, args, console, started))


async def _run(agent: Agent, prompt: str, args: argparse.Namespace, console: Console, started: float) -> int:
    renderer, answers = Renderer(console), 0
    with console.progress():
        async with agent.stream(prompt, tape=args.tape, mode=args.mode) as run:
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


def _find(args: argparse.Namespace) -> Agent:
    where, colon, name = args.agent.rpartition(":")
    if not colon or not where or not name:
        args.parser.error(f"{args.agent!r} should be MODULE:AGENT, such as 'my_agent:agent' or 'my_agent.py:agent'")
    sys.path.insert(0, str(Path.cwd()))
    module = _load(where, args)
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if callable(found) and not isinstance(found, Agent):
        found = _called(found, args.agent)
    if not isinstance(found, Agent):
        there = [key for key in dir(module) if isinstance(getattr(module, key), Agent)]
        hint = f"it has: {', '.join(there)}" if there else "it has no agent at all"
        args.parser.error(f"{where!r} has no agent called {name!r}; {hint}")
    return found


def _called(make: Callable[[], Any], what: str) -> Any:
    try:
        return make()
    except PlayheadError:
        raise
    except Exception as error:
        raise PlayheadError(f"{what!r} cannot be called for an agent: {type(error).__name__}: {error}") from error


def _load(where: str, args: argparse.Namespace) -> Any:
    path = Path(where)
    if path.suffix == ".py" and not path.is_file():
        args.parser.error(f"there is no file {where!r}")
    try:
        if path.suffix != ".py":
            return importlib.import_module(where)
        sys.path.insert(0, str(path.resolve().parent))
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None:
            raise PlayheadError(f"{where!r} cannot be loaded as a module")
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        if error.name == where.partition(".")[0] or error.name == where:
            args.parser.error(f"there is no module {where!r} here or on Python's path")
        raise PlayheadError(f"{where!r} cannot be loaded: {error}") from error
    except PlayheadError:
        raise
    except (Exception, SystemExit) as error:
        raise PlayheadError(f"{where!r} cannot be loaded: {type(error).__name__}: {error}") from error
    return module


def _prompt(args: argparse.Namespace) -> str:
    if args.prompt not in (None, "-"):
        return args.prompt
    if args.prompt is None and sys.stdin.isatty():
        args.parser.error("there is no prompt: give one after the agent, or on standard input")
    prompt = sys.stdin.read().rstrip("\r\n")
    if not prompt:
        args.parser.error("there is no prompt: standard input was empty")
    return prompt
