"""The long form: agents are killed at every place and at random ones, from several seeds. `make crashtest` runs it.

python tests/crashtest/full.py [SEEDS]
"""

from __future__ import annotations

import sys
import time
from itertools import product
from pathlib import Path

from playhead.cli._console import Console
from playhead.crashtest.campaign import Case, crashtest
from playhead.crashtest.report import COLUMNS, Row

HERE = Path(__file__).parent
AGENTS = {
    "agents.py": (("shop", "buy"), ("chief", "weather"), ("plain", "go"), ("talker", "hello")),
    "feature_agents.py": (
        ("typed", "report"),
        ("worded", "report"),
        ("steered", "measure"),
        ("chief", "weather"),
        ("front", "pay"),
        ("careful", "buy"),
        ("stumbling", "go"),
        ("talkative", "talk"),
    ),
}


def main() -> int:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    console, total, started = Console(), Row("all"), time.perf_counter()
    agents = [(file, *agent) for file, found in AGENTS.items() for agent in found]
    for (file, agent, prompt), stream, ending in product(agents, (True, False), (".jsonl", ".yaml")):
        if file == "feature_agents.py" and ending != ".jsonl":
            continue  # Other formats hold no readings.
        rows: list[Row] = []
        program = (sys.executable, "-m", "playhead.cli.crashtest", f"{HERE / file}:{agent}")
        for seed in range(seeds):
            report = crashtest(
                Case(command=program, prompt=prompt, kills=None, seed=seed, stream=stream, ending=ending)
            )
            rows = [sum(same, Row(same[0].kind)) for same in _by_kind([*rows, *report.rows])]
            for failure in report.failures:
                console.fail(f"killed at {failure.points} (seed {seed})", [item.words for item in failure.broken])
        console.line(f"{file}:{agent}, {'streamed' if stream else 'not streamed'}, {ending}", "bold")
        console.table(COLUMNS, [row.cells for row in rows])
        console.line()
        total = sum(rows, total)
    seconds = time.perf_counter() - started
    console.table(COLUMNS, [total.cells])
    console.line(f"{total.kills} kills in {seconds:.0f} s, {total.kills / seconds:.0f} a second")
    return int(total.failed > 0)


def _by_kind(rows: list[Row]) -> list[list[Row]]:
    return [[row for row in rows if row.kind == kind] for kind in dict.fromkeys(row.kind for row in rows)]


if __name__ == "__main__":
    sys.exit(main())
