"""`playhead crashtest MODULE:AGENT "prompt"`"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from pathlib import Path

from ..crashtest.campaign import Case, Plan, Progress, crashtest
from ..crashtest.report import COLUMNS, Report
from ..crashtest.warm import serve, serve_one
from ._agents import find_agent, read_prompt
from ._console import Console

_HEADS = {
    "same result": ("same", ""),
    "asked again": ("asked", "again"),
    "paid twice": ("paid", "twice"),
    "in doubt": ("in", "doubt"),
    "ran twice": ("ran", "twice"),
}
"""The names of columns on two lines, so that a table of 9999 runs fits in 80 characters."""

_EVERY_S = 0.2
"""Seconds between two lines of progress."""


def run(args: argparse.Namespace, console: Console) -> int:
    """Kill an agent's runs at every place, resume them, and say what became of them."""
    find_agent(args)  # What is wrong with its name is said here; another process runs it.
    case = Case(
        command=(sys.executable, "-m", __name__, args.agent),
        prompt=read_prompt(args),
        tape=Path(args.tape) if args.tape else None,
        kills=args.kills,
        seed=args.seed,
        stream=args.stream,
        points=args.point or (),
    )
    with console.progress():
        report = crashtest(case, _Told(console))
    if args.json:
        console.line(json.dumps(report.json(), indent=2))
    else:
        _show(report, console)
    if not report.failures:
        return 0
    _explain(report, case, args, console)
    return 1


class _Told(Progress):
    """Tells on a terminal what happens."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told = 0.0
        self._runs = 0

    def says(self, what: str) -> None:
        """Something begins."""
        self._console.done()
        self._console.waiting(what)

    def planned(self, plan: Plan) -> None:
        """The kills begin."""
        self._runs = plan.runs
        if plan.tools:
            tools = ", ".join(name if times == 1 else f"{name} ({times})" for name, times in plan.tools.items())
            self._console.note(f"note: the tools really run, once or more in each of {plan.runs} runs: {tools}")

    def did(self, done: int, failed: int, seconds: float) -> None:
        """So many runs were made."""
        now = time.monotonic()
        if now - self._told < _EVERY_S:
            return
        self._told = now
        bad = f", {failed} failed" if failed else ""
        self.says(f"{done} of {self._runs} runs, {done / seconds:.0f} a second{bad}")


def _show(report: Report, console: Console) -> None:
    total = report.total
    listed = [*report.rows, total] if len(report.rows) > 1 else report.rows
    heads = [_HEADS.get(column, (column, "")) for column in COLUMNS]
    console.table([first for first, _ in heads], [[second for _, second in heads], *(row.cells for row in listed)])
    console.line()
    made = f"{total.kills} kills in {total.runs} runs of {report.lines} lines each, {report.seconds:.1f} s"
    console.line(f"{made}, seed {report.seed}", "dim")
    if total.unsettled:
        console.note(
            f"note: {total.unsettled} runs stopped at a tool in doubt that had done its work: its result is one that "
            "in_doubt=Skip(...) cannot say"
        )
    if report.missed:
        console.note(f"note: {report.missed} runs came to their end before the kill")


def _explain(report: Report, case: Case, args: argparse.Namespace, console: Console) -> None:
    """Say of the first failure what it was, where it is kept, and how it is repeated."""
    first, folder = report.failures[0], Path(report.folder)
    runs = "1 run" if len(report.failures) == 1 else f"{len(report.failures)} runs"
    tape = args.tape or str(folder.parent / "reference.jsonl")
    stream = "--stream" if report.stream else "--no-stream"
    again = ["playhead", "crashtest", args.agent, case.prompt, "--tape", tape, stream, "--point", first.points]
    broken = "\n".join(f"  - {item.promise}: {item.words}" for item in first.broken)
    console.fail(
        f"{runs} broke a promise. The first, killed at {first.points} (seed {report.seed}):\n{broken}",
        (f"Its tape and its ledger are in {folder}.", f"Again: {shlex.join(again)}"),
    )


def _main() -> None:
    """The process that has the agent loaded. See `playhead.crashtest.warm`."""
    parser = argparse.ArgumentParser(prog="playhead crashtest")
    parser.add_argument("agent")
    parser.add_argument("--job")
    args = parser.parse_args()
    args.parser = parser
    if args.job:
        serve_one(lambda: find_agent(args), args.job)
    serve(lambda: find_agent(args), (sys.executable, "-m", "playhead.cli.crashtest", args.agent))


if __name__ == "__main__":
    _main()
