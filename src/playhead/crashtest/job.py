"""What a process is told to do, and what it says afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from .points import Point

Task: TypeAlias = Literal["live", "replay", "run"]
"""
    live     the run is recorded with the agent's own provider
    replay   a recording is played
    run      the run goes on from its tape, and a recording answers; it may be killed
"""

Ended: TypeAlias = Literal["done", "killed", "hung", "died"]
"""
    done     it came to its end, well or not: it left a `Said`
    killed   by a signal
    hung     it took too long
    died     in any other way
"""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One run in a process of its own.

    Attributes:
        folder: an absolute path; the run's tape, its ledger and what it says stand here.
        tape: the tape's file.
        attempt: 0, and one more for each resume.
        reference: the recording that answers.
        truth: a tape with the result of each tool, for those in doubt.
        tape_id: of the run's tape, so that idempotency keys are the same in each run.
        point: where the process is killed.
        limit_s: seconds that it has; 0 is no limit.
    """

    task: Task
    prompt: str
    stream: bool
    folder: str
    tape: str
    attempt: int = 0
    reference: str | None = None
    truth: str | None = None
    tape_id: str | None = None
    point: Point | None = None
    limit_s: int = 60

    @property
    def ledger(self) -> Path:
        """The file of its ledger."""
        return Path(self.folder) / "ledger.jsonl"

    @property
    def said(self) -> Path:
        """The file of what it says."""
        return Path(self.folder) / "said.json"


class Said(msgspec.Struct, kw_only=True):
    """What a run came to.

    Attributes:
        result: of the run, as plain data; None where it failed.
        again: the result of playing its tape once more.
        unplayed: effects of the tape that the second time did not need.
        counts: how often each kind of point was reached.
        error: why there is no result.
        in_doubt: whether that is a tool that nobody can settle.
        traceback: of the error.
        modules: what was imported on the way, of Playhead and of Python.
    """

    result: dict[str, Any] | None = None
    again: dict[str, Any] | None = None
    unplayed: int = 0
    counts: dict[str, int] = {}
    error: str = ""
    in_doubt: bool = False
    traceback: str = ""
    modules: list[str] = []
