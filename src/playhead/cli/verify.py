"""`playhead verify F...`"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import TapeError, TapeNotFound
from ..tape.effects import Interaction
from ..tape.formats import format_for
from ..tape.secrets import Redaction
from ..tape.verify import Problem, Report, verify
from ..transcript import hear
from ._console import Console
from .show import many

_NATIVE = re.compile(rb'\A\s*\{"playhead"')
_CASSETTE = re.compile(rb"""\binteractions["']?\s*:\s*(?:\[|#|-|$)""", re.MULTILINE)
_MARKS = {
    ".jsonl": _NATIVE,
    ".tape": _NATIVE,
    ".part": _NATIVE,
    ".yaml": _CASSETTE,
    ".yml": _CASSETTE,
    ".json": _CASSETTE,
}
"""What stands in every tape whose ending other files have, too."""


def run(args: argparse.Namespace, console: Console) -> int:
    """Say whether tapes are whole, are what was recorded, and hold no secrets."""
    redaction = Redaction().opened()
    passed_over: list[Path] = []
    missing: list[Path] = []
    reports = [_report(file, redaction, missing) for file in _files(args.tapes, passed_over)]
    if args.json:
        print(json.dumps(_plain(reports), indent=2))
    else:
        _write(reports, passed_over, len(reports) - len(missing), console)
    return 0 if all(report.ok for report in reports) else 1


def _report(file: Path, redaction: Redaction, missing: list[Path]) -> Report:
    """What is wrong with a tape. One that cannot be read must not hide what is wrong with others."""
    try:
        return verify(file, redaction=redaction, texts=_said)
    except TapeNotFound:
        missing.append(file)
        return Report(file, (Problem("structure", "", "there is no such file"),))
    except TapeError as error:
        return Report(file, (Problem("structure", "", str(error)),))


def _write(reports: list[Report], passed_over: list[Path], tapes: int, console: Console) -> None:
    for report in reports:
        for problem in report.problems:
            console.line(f"{report.path}: {problem}", "red")
        for note in report.notes:
            console.note(f"note: {report.path}: {note}")
    if passed_over:
        first = ", ".join(map(str, passed_over[:3])) + (", ..." if len(passed_over) > 3 else "")
        console.note(f"note: passed over, since no tape is in them: {many(len(passed_over), 'file')} ({first})")
    problems = sum(len(report.problems) for report in reports)
    effects = many(sum(report.effects for report in reports), "effect")
    found = many(problems, "problem") if problems else "nothing wrong"
    console.line(f"{many(tapes, 'tape')}, {effects}: {found}", "red" if problems else "green")


def _plain(reports: list[Report]) -> dict[str, Any]:
    return {
        "ok": all(report.ok for report in reports),
        "tapes": [
            {
                "path": str(report.path),
                "ok": report.ok,
                "effects": report.effects,
                "problems": [{"kind": it.kind, "place": it.place, "what": it.what} for it in report.problems],
                "notes": list(report.notes),
            }
            for report in reports
        ],
    }


def _files(named: list[str], passed_over: list[Path]) -> Iterator[Path]:
    """The files that are named, and the tapes in the folders that are."""
    for path in map(Path, named):
        if not path.is_dir():
            yield path
            continue
        tapes = [file for file in sorted(path.rglob("*")) if file.is_file() and _ends_as_a_tape(file)]
        found = [file for file in tapes if _may_be_tape(file)]
        passed_over += [file for file in tapes if file not in found]
        if not found:
            raise TapeNotFound(f"there is no tape in the folder {str(path)!r}.")
        yield from found


def _ends_as_a_tape(file: Path) -> bool:
    try:
        format_for(file)
    except TapeError:
        return False
    return True


def _may_be_tape(file: Path) -> bool:
    mark = _MARKS.get(file.suffix.lower())
    return mark is None or mark.search(file.read_bytes()) is not None


def _said(call: Interaction) -> Iterator[tuple[str, str]]:
    heard = hear(call)
    if heard.wire is None:
        return  # Its body is looked at as it is.
    yield "text", heard.response.text
    yield "reasoning", heard.response.reasoning
    for part in heard.response.tool_calls:
        yield f"arguments for {part.name}", part.arguments
