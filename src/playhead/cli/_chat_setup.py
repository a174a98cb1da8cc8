"""With what a chat begins: its agent, its tools, its tape."""

from __future__ import annotations

import argparse
import inspect
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..agent.agent import Agent
from ..agent.handoff import Handoff
from ..agent.session import Session
from ..messages import ProviderTool
from ..providers import find_provider, provider_names
from ..tools import Tool, Toolset
from ._agents import find_agent, load_module
from ._chat_model import model_to_go_on_with

MODELS = (
    "openrouter:moonshotai/kimi-k2-0905",
    "anthropic:claude-sonnet-4-5",
    "openai:gpt-5-mini",
    "google:gemini-2.5-flash",
    "deepseek:deepseek-chat",
)
"""What is asked where nobody says what: the first of a provider that has a key."""

DEMO_PROMPT = "Add and multiply the number 2 and 3"


def chats() -> Path:
    """Where the tapes of chats are kept: https://specifications.freedesktop.org/basedir-spec/latest/."""
    data = os.environ.get("XDG_DATA_HOME", "")
    base = Path(data) if os.path.isabs(data) else Path.home() / ".local" / "share"
    return base / "playhead" / "chats"


def tape_file(args: argparse.Namespace) -> Path:
    """The file of the chat's tape.

    Raises:
        SystemExit: there is no chat to go on with; `args.parser` has said so.
    """
    if args.tape:
        return Path(args.tape)
    folder = chats()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if args.go_on:
        found = [path for path in folder.glob("*.jsonl") if path.is_file()]
        if not found:
            args.parser.error(f"there is no chat yet in {shown_path(folder)} to go on with")
        return max(found, key=lambda path: (path.stat().st_mtime_ns, path.name))
    name = time.strftime("%Y-%m-%d-%H%M%S")
    path, number = folder / f"{name}.jsonl", 1
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}.jsonl"
    return path


def shown_path(path: Path) -> str:
    """A path as people write it."""
    try:
        return str(Path("~") / path.relative_to(Path.home()))
    except (ValueError, RuntimeError):
        return str(path)


def build_agent(args: argparse.Namespace) -> Callable[[Session | None], Agent]:
    """What makes the agent, once the tape is open: a chat is gone on with by the model that it had.

    Raises:
        PlayheadError: a module cannot be loaded.
        SystemExit: something is not there; `args.parser` has said so.
    """
    tools = [tool for where in args.tools or () for tool in tools_of(where, args)]
    if args.agent is None:
        return lambda session: _plain_agent(args, tools, session)
    if tools:
        args.parser.error("--tools is for a chat without --agent: the agent has its own")
    agent = find_agent(args)
    if args.model is not None:
        agent = agent.with_model(args.model)
    if args.system is not None:
        agent = with_system(agent, args.system)
    return lambda _: agent


def with_system(agent: Agent, text: str) -> Agent:
    """The agent with another system prompt; "" for none."""
    other = agent.with_model(agent.model)
    other.spec = replace(other.spec, system=(text,) if text else ())
    return other


def tools_of(where: str, args: argparse.Namespace) -> list[Any]:
    """The tools of a module: what its `__all__` names, functions too; without one, what `@tool` has made.

    Raises:
        PlayheadError: it cannot be loaded.
        SystemExit: there are none; `args.parser` has said so.
    """
    module = load_module(where, args)
    public = getattr(module, "__all__", None)
    things: list[Any] = [getattr(module, name, None) for name in (dir(module) if public is None else public)]
    kinds = (Tool, Toolset, ProviderTool, Handoff)
    found: list[Any] = [
        it for it in things if isinstance(it, kinds) or (public is not None and inspect.isfunction(it))
    ]
    if not found:
        args.parser.error(f"{where!r} has no tools: mark functions with @playhead.tool, or name them in __all__")
    return [it for n, it in enumerate(found) if not any(it is other for other in found[:n])]


def _plain_agent(args: argparse.Namespace, tools: list[Any], session: Session | None) -> Agent:
    model = args.model
    if model is None and session is not None:
        model = model_to_go_on_with(session, shown_path(Path(session.tape.name)))
    model = model or _model_with_a_key()
    if model == "demo" and not args.tools:
        tools = _demo_tools()
    return Agent(model, tools=tools, system=args.system, name="chat")


def _demo_tools() -> list[Any]:
    """What the demo's recorded answer calls."""
    from .demo import add, multiply

    return [add, multiply]


def _model_with_a_key() -> str:
    return next((name for name in MODELS if find_provider(name.partition(":")[0]).key() is not None), "demo")


def keys_of_others() -> list[str]:
    """The providers that have a key, and no model that is asked where nobody says which."""
    known = {name.partition(":")[0] for name in MODELS}
    found = [find_provider(name) for name in provider_names() if name not in known]
    return [provider.name for provider in found if provider.key() is not None]
