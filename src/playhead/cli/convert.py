"""`playhead convert A B`"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import msgspec

from ..errors import TapeError
from ..tape.effects import Effect, Interaction
from ..tape.files import load_tape, save_tape
from ..tape.formats import format_for
from ..tape.redact import allowed_headers, redacted
from ._console import Console
from .show import many


def run(args: argparse.Namespace, console: Console) -> int:
    """Write a tape in the format that the new file's ending says."""
    tape, target = load_tape(args.source), Path(args.target)
    format = format_for(target, tape_format=args.to)
    if args.to not in (None, format.name):
        args.parser.error(f"a file that ends in {target.suffix!r} is {format.name}'s, not {args.to}'s")
    if target.exists() and target.stat().st_size and not args.force:
        raise TapeError(f"{args.target!r} exists already. Replace it with --force, or choose another name.")
    left_out: set[str] = set()
    effects = tuple(_without_secrets(effect, left_out) for effect in tape.effects)
    new = replace(tape, effects=effects, format=format.name)
    lost, beside = format.losses(new), format.beside(new)
    save_tape(new, target)
    for warning in tape.warnings:
        console.note(f"warning: {warning}")
    if lost:
        console.note(f"lost, since {format.name} cannot hold it: {', '.join(lost)}")
    if beside:
        console.note(f"kept under keys of Playhead's own, which other programs skip: {', '.join(beside)}")
    if left_out:
        console.note(f"left out, since they may hold secrets, the headers: {', '.join(sorted(left_out))}")
    calls, tools = many(len(tape.interactions), "interaction"), many(len(tape.tools), "tool run")
    console.line(f"{args.target}: {format.name}, {calls}, {tools}", "green")
    return 0


def _without_secrets(effect: Effect, left_out: set[str]) -> Effect:
    if not isinstance(effect, Interaction):
        return effect
    request, headers = redacted(effect.request), allowed_headers(effect.headers)
    kept = {name.lower() for name, _ in (*request.headers, *headers)}
    left_out |= {name for name, _ in (*effect.request.headers, *effect.headers) if name.lower() not in kept}
    return msgspec.structs.replace(effect, request=request, headers=headers)
