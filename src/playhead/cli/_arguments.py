"""The commands and their arguments. Each command's module is loaded when it is used."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from typing import Any, TypeVar

from .._version import __version__
from ..errors import ConfigError

_T = TypeVar("_T")

FORMATS = ("playhead", "go-vcr", "vcrpy", "vcrpy-json", "har", "go-vcr-v1")
MODES = ("record", "replay", "auto", "resume", "off")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="playhead",
        description="A run of an agent is a tape: record it, replay it offline, look at it.",
        epilog="Exit codes: 0 done, 1 the run failed, 2 wrong usage, 3 calls wait for approval, 130 interrupted.",
    )
    top.add_argument("--version", action="version", version=f"playhead {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)

    run = _command(commands, "run", "run an agent, and show what it says and does as it happens")
    run.add_argument("agent", metavar="MODULE:AGENT", help="where the agent is: a module or a file, and a name in it")
    run.add_argument("prompt", nargs="?", help="what to say to it; standard input where it is left out or '-'")
    run.add_argument("--tape", metavar="F", help="record to, or play from, this file (.jsonl, or .yaml for go-vcr's)")
    run.add_argument("--mode", choices=MODES, help="what to do with the tape (default: resume)")
    run.add_argument("--model", type=_checked(_resolve), metavar="ID", help="instead of the agent's: PROVIDER:MODEL")
    run.add_argument(
        "--on-divergence",
        choices=("strict", "fork", "drift"),
        default="strict",
        help="where the run asks for something other than what was recorded: stop, go on live on a child of the "
        "tape, or play what stands there (default: strict)",
    )
    run.add_argument(
        "--in-doubt",
        type=_in_doubt,
        default="raise",
        metavar="raise|rerun|skip=TEXT",
        help="what to do with a tool that may run only once and was cut down in the middle (default: raise)",
    )
    run.add_argument(
        "--pace", type=_pace, default=None, metavar="instant|recorded|xN", help="how fast to play (default: instant)"
    )
    run.add_argument(
        "--fault",
        type=_checked(_parse_fault),
        action="append",
        metavar="RULE",
        help="strike with a fault; docs/faults.md has them",
    )
    for word, what in (("approve", "let a tool call run that waits for approval"), ("deny", "do not let it run")):
        run.add_argument(
            f"--{word}",
            action="append",
            metavar="LANE|CALL_ID|all",
            help=f"{what}; with --tape, the prompt may be left out; may be repeated",
        )

    chat = _command(commands, "chat", "talk with a model or an agent, on a tape")
    chat.add_argument(
        "model",
        nargs="?",
        type=_checked(_resolve),
        metavar="MODEL",
        help="PROVIDER:MODEL, such as openrouter:moonshotai/kimi-k2-0905; the demo where no key is set",
    )
    chat.add_argument("--agent", metavar="MODULE:AGENT", help="talk with this agent, as for run")
    chat.add_argument(
        "--tools", action="append", metavar="MODULE", help="a module or a file with tools; may be repeated"
    )
    chat.add_argument("--system", metavar="TEXT", help="the system prompt")
    which = chat.add_mutually_exclusive_group()
    which.add_argument("--tape", metavar="F", help="keep the conversation in this file, and go on with what it holds")
    which.add_argument("--continue", dest="go_on", action="store_true", help="go on with the newest conversation")
    chat.add_argument(
        "--in-doubt",
        type=_in_doubt,
        default="raise",
        metavar="raise|rerun|skip=TEXT",
        help="what to do with a tool that may run only once and was cut down in the middle (default: raise)",
    )
    chat.add_argument("--no-color", action="store_true", help="plain text, also on a terminal")

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
    convert.add_argument("--keep-secrets", action="store_true", help="copy all of A, whatever secrets it holds")

    diff = _command(commands, "diff", "compare two tapes: where the runs part, and in what each step differs")
    diff.add_argument("a", metavar="A")
    diff.add_argument("b", metavar="B")
    diff.add_argument("--json", action="store_true", help="for scripts; docs/diff.md describes it")
    diff.add_argument("--all", action="store_true", help="every step, and all of each")

    fork = _command(commands, "fork", "make another tape of the beginning of one, to go on from there")
    fork.add_argument("tape", metavar="F")
    fork.add_argument("--at", type=int, metavar="N", help="keep the effects before this number, as `show` has it")
    fork.add_argument("-o", "--output", metavar="CHILD", help="the new tape (default: F.fork-1.jsonl, or the next)")
    fork.add_argument("--prompt", metavar="TEXT", help="what the user says, in the requests that are kept")
    fork.add_argument("--model", metavar="ID", help="the model's id, in the requests that are kept")
    fork.add_argument("--result", action="append", metavar="N=TEXT", help="what the tool run N gave")
    fork.add_argument("--whole", action="store_true", help="write a tape that does not need its parent's file")

    log = _command(commands, "log", "show what a tape was forked from, and what was forked from it")
    log.add_argument("tape", metavar="F")
    log.add_argument("--json", action="store_true", help="for scripts")

    trim = _command(commands, "trim", "take out of a tape what is played no more")
    trim.add_argument("tape", metavar="F")
    trim.add_argument("-o", "--output", metavar="OUT", help="write it there, and leave F as it is")
    trim.add_argument("--to", type=int, metavar="N", help="and everything behind this effect")

    verify = _command(commands, "verify", "say whether tapes are whole, are what was recorded, and hold no secrets")
    verify.add_argument("tapes", nargs="+", metavar="F", help="tapes, and folders of them")
    verify.add_argument("--json", action="store_true", help="for scripts")

    serve = _command(commands, "serve", "serve tapes over HTTP: a provider for any client in any language")
    serve.add_argument("tapes", nargs="+", metavar="F", help="tapes, or folders with tapes")
    serve.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="where to listen (default: 127.0.0.1)")
    serve.add_argument("--port", type=int, default=8642, metavar="N", help="0 takes a free one (default: 8642)")
    serve.add_argument(
        "--pace", type=_pace, default=None, metavar="instant|recorded|xN", help="how fast (default: instant)"
    )
    serve.add_argument(
        "--cut",
        type=_cut,
        default="recorded",
        metavar="recorded|event|byte|SEED",
        help="into what bodies are cut (default: recorded)",
    )
    serve.add_argument(
        "--fault",
        type=_checked(_parse_fault),
        action="append",
        default=[],
        metavar="RULE",
        help="strike calls; may be repeated",
    )
    serve.add_argument("--repeat", action="store_true", help="play equals again when all of them were played")
    serve.add_argument("--drift", action="store_true", help="answer what the tapes do not hold with what comes next")
    serve.add_argument("--strict", action="store_true", help="exit with 1 if something was not played, or not held")

    record = _command(commands, "record", "record what clients ask of a provider: a proxy in front of it")
    record.add_argument("--to", required=True, metavar="URL", help="the provider, as https://openrouter.ai/api/v1")
    record.add_argument("--tape", metavar="F", help="record to this file (default: recorded-TIME.jsonl)")
    record.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="where to listen (default: 127.0.0.1)")
    record.add_argument("--port", type=int, default=8643, metavar="N", help="0 takes a free one (default: 8643)")
    record.add_argument(
        "--mode", choices=("record", "resume"), help="what to do with a tape that exists: replace it, or go on"
    )
    record.add_argument("--force", action="store_true", help="replace a tape that exists")

    crash = _command(
        commands, "crashtest", "kill an agent's runs at every place, resume them, and check what became of them"
    )
    crash.add_argument("agent", metavar="MODULE:AGENT", help="as for run")
    crash.add_argument("prompt", nargs="?", help="what to say to it; standard input where it is left out or '-'")
    crash.add_argument(
        "--tape", metavar="F", help="a recording of the whole run that answers, in place of a live one"
    )
    crash.add_argument(
        "--kills", type=_kills, default=500, metavar="N|all", help="how many runs are killed (default: 500)"
    )
    crash.add_argument("--seed", type=int, default=0, metavar="S", help="for what is random (default: 0)")
    crash.add_argument(
        "--stream",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="whether answers are streamed (default: as recorded)",
    )
    crash.add_argument(
        "--point", type=_points, default=(), metavar="P", help="only these kills, of one run, as a failure names them"
    )
    crash.add_argument("--json", action="store_true", help="for scripts")

    models = _command(commands, "models", "list the providers, and whether a key is set; or a provider's own models")
    models.add_argument(
        "provider",
        nargs="?",
        type=_provider,
        metavar="PROVIDER",
        help="ask this one for its models; or a server, as compat:URL",
    )
    models.add_argument("--json", action="store_true", help="for scripts")

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


def _checked(check: Callable[[str], object]) -> Callable[[str], str]:
    """The type of an option whose value is a text that `check` finds nothing wrong with."""

    def checked(text: str) -> str:
        _said(check, text)
        return text

    return checked


def _said(read: Callable[[str], _T], text: str) -> _T:
    """What is read of a text. What is wrong with it is wrong usage."""
    try:
        return read(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _resolve(model: str) -> object:
    from ..providers import resolve

    return resolve(model)


def _provider(name: str) -> object:
    from ..providers import compatible, find_provider

    if name.startswith("compat:"):
        return _said(compatible, name.removeprefix("compat:").partition("#")[0])
    return _said(find_provider, name.partition(":")[0])


def _parse_fault(text: str) -> object:
    from ..transport.faults import Faults

    return Faults.parse(text)


def _points(text: str) -> tuple[Any, ...]:
    from ..crashtest.points import parse_points

    return _said(parse_points, text)


def _cut(text: str) -> str | int:
    if text in ("recorded", "event", "byte"):
        return text
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"should be 'recorded', 'event', 'byte' or a number to cut at random from, but is {text!r}"
        ) from None


def _kills(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"should be a whole number from 1 on, or 'all', but is {text!r}")
    return int(text)


def _in_doubt(text: str) -> Any:
    if text in ("raise", "rerun"):
        return text
    if text.startswith("skip="):
        from ..tape.opened import Skip

        return Skip(text.removeprefix("skip="))
    raise argparse.ArgumentTypeError(f"should be 'raise', 'rerun' or 'skip=TEXT', but is {text!r}")


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
