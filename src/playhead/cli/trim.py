"""`playhead trim F`"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ..tape.effects import Effect, Interaction, Tape
from ..tape.files import load_tape, put_in_place, save_tape
from ..tape.formats import format_for
from ..tape.lineage import detach_children, hold
from ..tape.trimming import cut, trim
from ._console import Console
from .show import many


def run(args: argparse.Namespace, console: Console) -> int:
    """Take out of a tape what is played no more, and report it."""
    path = Path(args.tape)
    held = hold(path)
    try:
        return _trim(path, args, console)
    finally:
        os.close(held)


def _trim(path: Path, args: argparse.Namespace, console: Console) -> int:
    tape = load_tape(path)
    shorter = tape if args.to is None else _up_to(args.to, tape, args.parser)
    trimmed, reasons = trim(shorter)
    left = {n for n, _ in shorter.numbered}
    reasons |= {n: f"behind effect {args.to}" for n, _ in tape.numbered if n not in left}
    if args.output:
        put_in_place(
            format_for(Path(args.output), tape_format=tape.format).dump(trimmed), Path(args.output), over=False
        )
    elif reasons:
        for child in detach_children(path):
            console.note(f"{child.name} kept effects of {path.name}; now it has them itself")
        save_tape(trimmed, path)
    for n, effect in tape.numbered:
        if n in reasons:
            console.line(f"- {n}  {effect.lane}  {_name(effect)}: {reasons[n]}")
    taken, kept = many(len(reasons), "effect"), len(trimmed.effects)
    console.line(f"{args.output or path}: {kept} kept, {taken} taken out", "green")
    return 0


def _up_to(last: int, tape: Tape, parser: argparse.ArgumentParser) -> Tape:
    numbers = [n for n, _ in tape.numbered]
    if not numbers or not min(numbers) <= last <= max(numbers):
        holds = f"effects {min(numbers)} to {max(numbers)}" if numbers else "no effects"
        parser.error(
            f"--to should be the number of the last effect that stays, but is {last}: the tape holds {holds}"
        )
    return cut(tape, last + 1)


def _name(effect: Effect) -> str:
    return effect.request.method if isinstance(effect, Interaction) else effect.name
