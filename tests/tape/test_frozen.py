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


@pytest.mark.parametrize("name", ["v1.jsonl", "v1.yaml", "v2.jsonl"])
def test_every_version_loads_and_plays(name: str) -> None:
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


def test_all_of_them_hold_the_same() -> None:
    tapes = [ph.load_tape(FROZEN / name) for name in ("v1.jsonl", "v1.yaml", "v2.jsonl")]
    assert tapes[0] == tapes[1] == tapes[2]
    assert [tape.version for tape in tapes] == [1, 2, 2]  # The cassette is of go-vcr's version 2.


def test_a_torn_tape_of_version_1_loads_as_far_as_it_goes() -> None:
    tape = ph.load_tape(FROZEN / "v1-torn.jsonl")
    (call,) = tape.interactions
    assert (call.ended, len(call.chunks)) == ("interrupted", 3)
    assert len(tape.warnings) == 1


def test_a_torn_tape_of_version_2_loads_as_far_as_it_goes() -> None:
    tape, whole = ph.load_tape(FROZEN / "v2-torn.jsonl"), ph.load_tape(FROZEN / "v2.jsonl")
    assert tape.interactions == whole.interactions
    assert tape.tools == whole.tools[:3]
    assert len(tape.warnings) == 1


def test_a_child_loads_with_its_parent_and_plays() -> None:
    child, parent = ph.load_tape(FROZEN / "v2-child.jsonl"), ph.load_tape(FROZEN / "v2.jsonl")
    assert child.warnings == ()
    assert child.meta["parent"] == {"at": 7, "id": parent.meta["id"], "tape": "v2.jsonl"}
    assert child.effects[1:3] == parent.effects[1:3]
    assert [run.result for run in child.tools] == ["3", "Error: ValueError: no", "two pixels", "another end"]
    with Script().agent(add, fail, photo, stop).stream_sync("come", tape=child, mode="replay") as run:
        assert run.finish().text == "another end"
