"""All that an agent can do is killed at every place, and comes to the same result: nothing is paid or run twice."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest

from playhead.crashtest.campaign import Case, crashtest

HERE = Path(__file__).parent

KILLS = 12
"""In each of the ways; `make crashtest` has more."""


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(
    ("agent", "prompt"),
    [
        ("typed", "report"),
        ("worded", "report"),
        ("steered", "measure"),
        ("chief", "weather"),
        ("front", "pay"),
        ("careful", "buy"),
        ("stumbling", "go"),
        ("talkative", "talk"),
    ],
)
def test_a_feature_survives_a_kill_at_any_place(agent: str, prompt: str, stream: bool) -> None:
    command = (sys.executable, "-m", "playhead.cli.crashtest", f"{HERE / 'feature_agents.py'}:{agent}")
    report = crashtest(Case(command=command, prompt=prompt, stream=stream, kills=KILLS))
    assert report.failures == []
    assert (report.total.runs, report.total.same) == (KILLS, KILLS)
    assert (report.total.paid, report.total.twice) == (0, 0)
