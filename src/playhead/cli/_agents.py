"""What several commands are given: an agent by its module and name, and a prompt."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from ..agent.agent import Agent
from ..errors import PlayheadError
from ..tools import Tool


def find_agent(args: argparse.Namespace) -> Agent:
    """The agent that `args.agent` names.

    Raises:
        PlayheadError: its module cannot be loaded.
        SystemExit: there is none; `args.parser` has said so.
    """
    where, colon, name = args.agent.rpartition(":")
    if not colon or not where or not name:
        args.parser.error(f"{args.agent!r} should be MODULE:AGENT, such as 'my_agent:agent' or 'my_agent.py:agent'")
    sys.path.insert(0, str(Path.cwd()))
    module = load_module(where, args)
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if callable(found) and not isinstance(found, Agent):
        if why := _why_no_agent(found):
            args.parser.error(f"{args.agent!r} is {why}; {_agents_of(module, repr(where))}")
        found = _called(found, args.agent)
    if not isinstance(found, Agent):
        args.parser.error(f"{where!r} has no agent called {name!r}; {_agents_of(module)}")
    return cast("Agent", found)


def _agents_of(module: Any, what: str = "it") -> str:
    there = [key for key in dir(module) if isinstance(getattr(module, key), Agent)]
    return f"{what} has: {', '.join(there)}" if there else f"{what} has no agent at all"


def _why_no_agent(found: Any) -> str | None:
    """What something is that cannot be called for an agent; None where it can."""
    if isinstance(found, Tool):
        return "a tool, and no agent"
    try:
        inspect.signature(found).bind()
    except TypeError:
        return "no agent, nor a function without arguments that gives one"
    except ValueError:  # Something of C's, which does not say.
        return None
    return None


def _called(make: Callable[[], Any], what: str) -> Any:
    try:
        return make()
    except PlayheadError:
        raise
    except Exception as error:
        raise PlayheadError(f"{what!r} cannot be called for an agent: {type(error).__name__}: {error}") from error


def load_module(where: str, args: argparse.Namespace) -> Any:
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


def read_prompt(args: argparse.Namespace) -> str:
    """What to say to it: `args.prompt`, or standard input.

    Raises:
        SystemExit: there is nothing; `args.parser` has said so.
    """
    if args.prompt not in (None, "-"):
        return args.prompt
    if args.prompt is None and sys.stdin.isatty():
        args.parser.error("there is no prompt: give one after the agent, or on standard input")
    prompt = sys.stdin.read().rstrip("\r\n")
    if not prompt:
        args.parser.error("there is no prompt: standard input was empty")
    return prompt
