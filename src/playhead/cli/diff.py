"""`playhead diff A B`"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby

from ..errors import TapeError
from ..tape.comparing import Comparison, Side, Step, Totals, compare, word_diff
from ..tape.effects import ROOT
from ..tape.explain import Difference, Sides, say, shown
from ..tape.files import load_tape
from ..transcript import hear
from ._console import Console
from ._render import duration, money
from .show import many

_SIDES = Sides("A", "B", "in A", "in B")
_FEW = 3
"""Differences that are shown of a step behind the first one that differs."""

_CONTEXT = 40
"""Characters that are shown of what two texts share, before and behind a change."""

_LONGEST = 600
"""Characters that are shown of a text's changes."""

_TOKENS = {
    "input_tokens": "in",
    "output_tokens": "out",
    "cache_read_tokens": "cached",
    "cache_write_tokens": "written to the cache",
    "reasoning_tokens": "reasoning",
}

_Pieces = Iterable[tuple[str, str]]
"""Texts and their styles."""


def run(args: argparse.Namespace, console: Console) -> int:
    """Compare two tapes.

    Returns:
        0 where nothing differs but times and ids, 1 where something does, 2 where a tape cannot be read.
    """
    try:
        a, b = load_tape(args.a), load_tape(args.b)
    except TapeError as error:
        console.fail(str(error), getattr(error, "__notes__", ()))
        return 2
    found = compare(a, b, list(map(hear, a.interactions)), list(map(hear, b.interactions)))
    for name, tape in ((args.a, a), (args.b, b)):
        for warning in tape.warnings:
            console.note(f"warning: {name}: {warning}")
    if args.json:
        encoding = (sys.stdout.encoding or "").lower().replace("-", "")
        print(json.dumps(found.plain(), ensure_ascii=encoding != "utf8", indent=2))
    else:
        for letter, name, style in (("A", args.a, "red"), ("B", args.b, "green")):
            console.write(f"{letter}  ", style)
            console.write(f"{name}\n")
        _Page(found, console, whole=args.all).show()
    return 0 if found.same else 1


class _Page:
    """Writes a comparison for people.

    Args:
        whole: whether every step is shown, and all of each.
    """

    def __init__(self, found: Comparison, console: Console, *, whole: bool) -> None:
        self._found = found
        self._console = console
        self._whole = whole
        self._told: set[str] = set()
        columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 80
        self._width = min(max(columns, 40), 120)

    def show(self) -> None:
        """Write all of it."""
        self._verdict()
        first = self._found.first
        for same, steps in groupby(enumerate(self._found.steps), key=lambda numbered: numbered[1].same):
            if same:
                self._equal([step for _, step in steps])
            else:
                for n, step in steps:
                    self._different(step, most=12 if n == first else _FEW)
        for note in self._found.notes:
            self._console.line(note, "yellow")
        self._console.line()
        self._console.table(("", "A", "B"), _totals(self._found.a, self._found.b))

    def _verdict(self) -> None:
        self._console.line()
        first = self._found.first
        if first is None:
            self._console.line("Nothing differs but times and ids.", "bold green")
            return
        step = self._found.steps[first]
        self._wrapped([(f"The runs part at {_name(step)}: {_why(step)}.", "bold")], indent=0)

    def _equal(self, steps: list[Step]) -> None:
        self._console.line()
        names = [_name(step) for step in steps]
        if self._whole:
            lines = [f"{name}  {_times(step)}".rstrip() for name, step in zip(names, steps, strict=True)]
        elif len(steps) <= _FEW:
            lines = [f"{', '.join(names)}: the same"]
        else:
            lines = [f"{names[0]} to {names[-1]}: {len(steps)} steps, the same"]
        for line in lines:
            self._wrapped([(f"= {line}", "dim")], indent=0, hanging=2)

    def _different(self, step: Step, most: int) -> None:
        self._console.line()
        if step.a is None or step.b is None:
            mark, style, where = ("+", "green", "B") if step.a is None else ("-", "red", "A")
            side = step.a or step.b
            what = side.name if side else ""
            self._wrapped([(f"{mark} {_name(step)}: only in {where}: {what}", style)], indent=0, hanging=2)
            return
        self._wrapped([(f"! {_name(step)}", "bold yellow")], indent=0, hanging=2)
        if step.kind != "reading":
            self._section("request" if step.kind == "call" else "call", step.request, most)
        counts = {difference.path: difference for difference in step.answer}
        said = tuple(it for it in step.answer if it.path not in _TOKENS and it.path != "cost")
        self._section({"call": "answer", "tool": "result", "reading": step.a.name[:9]}[step.kind], said, most)
        tokens = [_change(name, counts[path]) for path, name in _TOKENS.items() if path in counts]
        self._fact("tokens", ", ".join(tokens))
        if "cost" in counts:
            self._fact("cost", f"{money(counts['cost'].old)} -> {money(counts['cost'].new)}")
        self._fact("time", _times(step), "dim")

    def _section(self, label: str, found: tuple[Difference, ...], most: int) -> None:
        self._console.write(f"    {label.ljust(10)}")
        if not found:
            self._wrapped([("the same", "dim")], started=True)
            return
        fresh = [it for it in found if self._whole or repr(it) not in self._told]
        told, left = len(found) - len(fresh), len(fresh) if self._whole else most
        for n, difference in enumerate(fresh[:left]):
            self._difference(difference, first=n == 0)
        more = [f"{many(told, 'difference')} as above"] if told else []
        more += [f"{len(fresh) - left} more: --all shows them"] if len(fresh) > left else []
        if more:
            self._wrapped([(", ".join(more), "dim")], started=not fresh)
        self._told.update(map(repr, fresh))

    def _fact(self, label: str, text: str, style: str = "") -> None:
        if text:
            self._console.write(f"    {label.ljust(10)}")
            self._wrapped([(text, style)], started=True)

    def _difference(self, found: Difference, *, first: bool) -> None:
        old, new = found.old, found.new
        match found.kind:
            case "added":
                self._wrapped([(f"+ {found.path}: {shown(new)}", "green")], started=first)
            case "removed":
                self._wrapped([(f"- {found.path}: {shown(old)}", "red")], started=first)
            case "changed" if _long(old) or _long(new):
                self._wrapped([(found.path or "body", "")], started=first)
                self._wrapped(self._words(old, new), indent=16)
            case "changed":
                before, after = ((shown(old), "red"), (shown(new), "green"))
                self._wrapped([(f"{found.path or 'body'}: ", ""), before, (" -> ", ""), after], started=first)
            case _:
                self._wrapped([(say(found, _SIDES), "")], started=first)

    def _words(self, old: object, new: object) -> Iterator[tuple[str, str]]:
        left = None if self._whole else _LONGEST
        words = word_diff(_text(old), _text(new))
        for n, (tag, text) in enumerate(words):
            if tag == " ":
                yield _cropped(text, start=n > 0, end=n < len(words) - 1), ""
                continue
            piece = text if left is None or len(text) <= left else f"{text[:left]}..."
            piece = piece.replace("\n", "\\n") if piece.isspace() else piece
            yield (f"[-{piece}-]", "red") if tag == "-" else (f"{{+{piece}+}}", "green")
            if left is not None and (left := left - len(text)) <= 0:
                yield (" ... (--all shows the rest)", "dim") if n < len(words) - 1 else ("", "")
                return

    def _wrapped(
        self, pieces: _Pieces, *, indent: int = 14, hanging: int | None = None, started: bool = False
    ) -> None:
        """Write pieces as lines that fit the width, and end the last one.

        Args:
            hanging: the indent from the second line on; `indent` where it is left out.
            started: whether the indent is written already.
        """
        margin = indent if hanging is None else hanging
        column, pattern = indent, re.compile(rf"\n|[^\S\n]+|\S{{1,{self._width - margin}}}")
        lines: list[list[tuple[str, str]]] = [[]]
        for text, style in pieces:
            for word in pattern.findall(text):
                if word == "\n" or column + len(word) > self._width:
                    lines.append([])
                    column = margin
                    if word.isspace():
                        continue
                lines[-1].append((word, style))
                column += len(word)
        for n, line in enumerate(lines):
            while line and line[-1][0].isspace():
                line.pop()
            if line and not (started and n == 0):
                self._console.write(" " * (margin if n else indent))
            for style, words in groupby(line, key=lambda piece: piece[1]):
                self._console.write("".join(word for word, _ in words), style)
            self._console.write("\n")


def _why(step: Step) -> str:
    if step.a is None or step.b is None:
        return f"only {'A' if step.b is None else 'B'} holds it"
    if step.request:
        return "other things are asked" if step.kind == "call" else "another call was made"
    return {
        "call": "the same request was answered otherwise",
        "tool": "the same call gave another result",
        "reading": f"another value of {step.a.name} was read",
    }[step.kind]


def _name(step: Step) -> str:
    names = [
        f"{step.kind} {side.effect}" + ("" if side.lane == ROOT else f" ({side.lane})")
        for side in (step.a, step.b)
        if side
    ]
    return names[0] if len({*names}) == 1 else f"{names[0]}, in B {names[1]}"


def _times(step: Step) -> str:
    if step.a is None or step.b is None:
        return ""
    a, b = _time(step.a), _time(step.b)
    return f"{a or 'not known'} -> {b or 'not known'}" if a or b else ""


def _time(side: Side) -> str:
    first = duration(side.first_byte_s) if side.first_byte_s != side.duration_s else ""
    return duration(side.duration_s) + (f" (first byte {first})" if first else "")


def _change(name: str, found: Difference) -> str:
    old, new = ("?" if count is None else str(count) for count in (found.old, found.new))
    return f"{name} {old} -> {new}"


def _long(value: object) -> bool:
    """Whether it is a text that is better shown word by word."""
    return type(value) is str and (len(value) > 24 or "\n" in value)


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else shown(value)


def _cropped(text: str, *, start: bool, end: bool) -> str:
    """What two texts share, as far as it is near a change: behind one at its start, before one at its end."""
    head, tail = text[:_CONTEXT] if start else "", text[-_CONTEXT:] if end else ""
    if len(text) <= len(head) + len(tail) + 10:
        return text
    return f"{head}...{tail}" if head or tail else text


def _totals(a: Totals, b: Totals) -> Iterator[tuple[str, str, str]]:
    yield "interactions", str(a.calls), str(b.calls)
    yield "tool runs", str(a.tools), str(b.tools)
    yield "tokens in", _known(a.input_tokens), _known(b.input_tokens)
    yield "tokens out", _known(a.output_tokens), _known(b.output_tokens)
    yield "cost", _money(a.cost), _money(b.cost)
    yield "time", duration(a.duration_s) or "-", duration(b.duration_s) or "-"


def _known(count: int | None) -> str:
    return "-" if count is None else str(count)


def _money(cost: float | None) -> str:
    return "-" if cost is None else money(cost)
