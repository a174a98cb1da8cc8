"""The commands and their arguments. Each command's module is loaded when it is used."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from typing import Any

from .._version import __version__

FORMATS = ("playhead", "go-vcr", "vcrpy", "vcrpy-json", "har")
MODES = ("record", "replay", "auto", "resume", "off")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="playhead",
        description="A run of an agent is a tape: record it, replay it offline, look at it.",
        epilog="Exit codes: 0 done, 1 the run failed, 2 wrong usage, 130 interrupted.",
    )
    top.add_argument("--version", action="version", version=f"playhead {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)

    run = _command(commands, "run", "run an agent, and show what it says and does as it happens")
    run.add_argument("agent", metavar="MODULE:AGENT", help="where the agent is: a module or a file, and a name in it")
    run.add_argument("prompt", nargs="?", help="what to say to it; standard input where it is left out or '-'")
    run.add_argument("--tape", metavar="F", help="record to, or play from, this file (.jsonl, or .yaml for go-vcr's)")
    run.add_argument("--mode", choices=MODES, help="what to do with the tape (default: resume)")

    replay = _command(commands, "replay", "play a tape as it was heard")
    replay.add_argument("tape", metavar="F")
    replay.add_argument(
        "--pace", type=_pace, default=1.0, metavar="instant|recorded|xN", help="how fast (default: recorded)"
    )

    show = _command(commands, "show", "show what is on a tape")
    show.add_argument("tape", metavar="F")
    show.add_argument("--json", action="store_true", help="for scripts; docs/show-json.md describes it")

    convert = _command(commands, "convert", "write a tape in another format, chosen by the file's ending")
    convert.add_argument("source", metavar="A")
    convert.add_argument("target", metavar="B")
    convert.add_argument("--to", choices=FORMATS, help="the format; the file's ending where it is left out")
    convert.add_argument("--force", action="store_true", help="replace B where it exists")

    demo = _command(commands, "demo", "see an agent run, be recorded, and be replayed with the network closed")
    demo.add_argument("--tape", metavar="F", help="keep the demo's tape in this file")
    demo.add_argument("--pace", type=_pace, default=1.0, metavar="instant|recorded|xN", help=argparse.SUPPRESS)
    return top


def _command(commands: Any, name: str, help: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
    made.set_defaults(command=_lazily(name), parser=made)
    return made


def _lazily(name: str) -> Callable[..., int]:
    def command(*arguments: Any) -> int:
        run: Callable[..., int] = importlib.import_module(f".{name}", __package__).run
        return run(*arguments)

    return command


def _pace(text: str) -> float | None:
    """The speed: None is at once."""
    if text == "instant":
        return None
    if text == "recorded":
        return 1.0
    try:
        speed = float(text.removeprefix("x"))
    except ValueError:
        speed = 0.0
    if not (text.startswith("x") and 0 < speed < float("inf")):
        raise argparse.ArgumentTypeError(f"should be 'instant', 'recorded' or a factor such as 'x2', but is {text!r}")
    return speed
