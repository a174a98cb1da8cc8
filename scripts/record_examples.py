"""Records the tapes of the examples anew: runs each example, in a process of its own, against the stand-in's server.

    python scripts/record_examples.py [NAME ...]

NAME is an example, such as `cancel`; all that the stand-in answers for are recorded where none is given. The runs are
real, over real sockets; only what stands behind the server is a script (examples/stand_in.py).
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = (
    *("typed_output", "steering", "tools_in_full", "background_work", "limits_and_money", "retry_and_fallback"),
    *("cancel", "approvals", "agents_as_tools", "handoff", "fan_out", "session", "compaction", "mcp_tools"),
    "observability",
)
MORE = {"approvals": ("approvals_waiting",)}
"""Tapes beside the one that is named after the example."""

TELL = ("observability",)
"""Examples that tell what is played from what happens."""


def main(names: list[str]) -> None:
    sys.path.insert(0, str(EXAMPLES))
    stand_in = importlib.import_module("stand_in")
    with stand_in.server():
        recorded = {name: record(name) for name in names or NAMES}
    for name, printed in recorded.items():  # Now there is no server.
        played = run(name)
        if played != printed and name not in TELL:
            sys.exit(f"{name} prints something else when it is played:\n{played}")


def record(name: str) -> str:
    """Record an example anew, and give what it printed."""
    for tape in (name, *MORE.get(name, ())):
        (EXAMPLES / "tapes" / f"{tape}.jsonl").unlink(missing_ok=True)
    printed = run(name)
    print(f"== {name}\n{printed}")
    return printed


def run(name: str) -> str:
    done = subprocess.run(  # noqa: S603 - an example
        [sys.executable, f"{name}.py"], cwd=EXAMPLES, capture_output=True, text=True, encoding="utf-8", check=False
    )
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main(sys.argv[1:])
