"""`playhead fork F --at N`"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from ..errors import ConfigError
from ..tape.edits import edit_model, edit_prompt, edit_result, in_turn, prompt
from ..tape.effects import Effect, Interaction, Reading, Tape, ToolRun
from ..tape.files import load_tape
from ..tape.forking import fork_file, free_name
from ..tape.trimming import cut
from ._console import Console
from ._render import shortened
from .show import many

_LONGEST = 60
"""Characters of arguments that are shown."""

_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
"""As bash, zsh and ksh read them between `$'` and `'`."""


def run(args: argparse.Namespace, console: Console) -> int:
    """Write a tape that begins as another one does and goes on by itself; without `--at`, say where to cut."""
    parent = Path(args.tape)
    tape = load_tape(parent)
    if args.at is None:
        _places(tape, console)
        return 0
    child = Path(args.output) if args.output else free_name(parent)
    results = [_result(text, args.parser) for text in args.result or ()]
    try:
        cut(tape, args.at)
        edits = [edit_result(tape, n, text) for n, text in results]
        edits += [edit_prompt(tape, args.prompt)] if args.prompt is not None else []
        edits += [edit_model(args.model)] if args.model is not None else []
    except ConfigError as error:  # What this tape has no place for, somebody typed.
        args.parser.error(str(error))
        return 2
    forked = fork_file(parent, child, args.at, in_turn(*edits), whole=args.whole)
    for n, _ in results:
        _warn_of_result(n, forked, console)
    kept, all_of_them = len(forked.effects), many(len(tape.effects), "effect")
    console.line(f"{child}: {kept} of {all_of_them} of {parent.name}, cut before effect {args.at}", "green")
    said = prompt(forked) or args.prompt
    quoted = "PROMPT" if said is None else _quoted(said)
    console.line(f"go on: playhead run MODULE:AGENT {quoted} --tape {_quoted(str(child))}")
    return 0


def _quoted(text: str) -> str:
    """A word for a shell. What a terminal would not show as it is, is written so that the shell reads it so."""
    if text.isprintable():
        return shlex.quote(text)
    return "$'" + "".join(map(_escaped, text)) + "'"


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"


def _result(text: str, parser: argparse.ArgumentParser) -> tuple[int, str]:
    number, equals, result = text.partition("=")
    if not equals or not number.strip().isdecimal():
        parser.error(f"--result should be N=TEXT, the number of a tool run and its new result, but is {text!r}")
    return int(number), result


def _warn_of_result(n: int, forked: Tape, console: Console) -> None:
    """The requests behind a tool run tell its old result: a run that gets the new one would diverge there."""
    run = dict(forked.numbered).get(n)
    if run is None:
        console.note(f"warning: effect {n} is not kept, so that its result is not on the new tape")
        return
    lane = run.lane.rpartition("/")[0]
    told = [m for m, other in forked.numbered if m > n and isinstance(other, Interaction) and other.lane == lane]
    if told:
        console.note(f"warning: request {told[0]} tells the old result of {n}. Cut before it: --at {told[0]}")


def _places(tape: Tape, console: Console) -> None:
    console.table(("n", "lane", "effect"), ((str(n), effect.lane, _what(effect)) for n, effect in tape.numbered))
    console.line("cut before one of them with --at N", "dim")


def _what(effect: Effect) -> str:
    ended = "" if effect.ended == "complete" else f", {effect.ended}"
    if isinstance(effect, Reading):
        return f"{effect.name} = {shortened(effect.value, _LONGEST)}"
    if isinstance(effect, ToolRun):
        arguments = " ".join(effect.arguments.split())
        shown = arguments if len(arguments) <= _LONGEST else f"{arguments[:_LONGEST]}..."
        return f"{effect.name}({shown}){ended}"
    status = "no response" if effect.status is None else str(effect.status)
    return f"{effect.request.method} {status}{ended}{', superseded' if effect.superseded else ''}"
