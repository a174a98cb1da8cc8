"""Tapes that were written once and must always load. Files are added to `frozen/`, and never changed."""

from __future__ import annotations

from pathlib import Path

import pytest

import playhead as ph
from chatwire import Script

FROZEN = Path(__file__).parent / "frozen"


@ph.tool
def add(a: int, b: int) -> int:
    return a + b


@ph.tool
def fail() -> str:
    raise ValueError


@ph.tool
def photo() -> str:
    return ""


@ph.tool
def stop() -> str:
    return ""


@pytest.mark.parametrize("name", ["v1.jsonl", "v1.yaml"])
def test_version_1_loads_and_plays(name: str) -> None:
    tape = ph.load_tape(FROZEN / name)
    assert tape.warnings == ()
    assert [(call.status, call.outcome, call.superseded) for call in tape.interactions] == [
        (200, None, False),
        (429, None, True),
        (200, "truncated", True),
        (200, None, False),
    ]
    assert [(run.name, run.result, run.is_error, run.stop) for run in tape.tools] == [
        ("add", "3", False, None),
        ("fail", "Error: ValueError: no", True, None),
        ("photo", "a pixel", False, None),
        ("stop", "enough", False, "enough"),
    ]
    with Script().agent(add, fail, photo, stop).stream_sync("go", tape=tape, mode="replay") as run:
        result = run.finish()
    assert (result.text, result.finish_reason, len(result.steps)) == ("enough", "stopped", 2)
    (picture,) = result.steps[1].results[0].media
    assert (picture.media_type, picture.data) == ("image/png", b"\x89PNG\xff")


def test_both_formats_hold_the_same() -> None:
    assert ph.load_tape(FROZEN / "v1.jsonl") == ph.load_tape(FROZEN / "v1.yaml")


def test_a_torn_tape_of_version_1_loads_as_far_as_it_goes() -> None:
    tape = ph.load_tape(FROZEN / "v1-torn.jsonl")
    (call,) = tape.interactions
    assert (call.ended, len(call.chunks)) == ("interrupted", 3)
    assert len(tape.warnings) == 1
