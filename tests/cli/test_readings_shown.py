"""Readings and tools' progress on the command line: a line each, with nothing secret in what is written anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import playhead as ph
from playhead.cli import main
from playhead.http import Request
from playhead.tape.effects import Interaction, Progress, Reading, Tape, ToolRun

SECRET = "sk-or-v1-" + "0123456789abcdef" * 4


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A tape of a reading (0), a call (1), a tool that tells of its progress (2), and a decision (3)."""
    call = Interaction(request=Request("POST", "http://x/", (), b"{}"), status=200, chunks=(b"hi",))
    tool = ToolRun(
        lane="root/0.dig",
        call_id="c",
        name="dig",
        result="done",
        progress=(Progress(f"half  way with\n{SECRET}", 0.5, 0.0), Progress("nearly", None, 0.0)),
    )
    decision = Reading(lane="root/1.pay", name="decision", value={"approved": False, "why": f"{SECRET} " * 9})
    path = tmp_path / "t.jsonl"
    ph.save_tape(Tape((Reading(lane="root", name="clock", value=12.5), call, tool, decision)), path)
    return path


def shown(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    main(list(map(str, arguments)))
    return capsys.readouterr().out


@pytest.mark.parametrize("command", ["show", "replay"])
def test_each_reading_and_each_word_of_progress_is_one_line(
    command: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shown(capsys, command, file).splitlines()
    assert ". clock = 12.5" in lines
    assert f".. dig: half way with {SECRET} (50%)" in lines
    assert ".. dig: nearly" in lines
    (decision,) = [line for line in lines if line.startswith(". decision")]
    assert decision.startswith('. decision = {"approved": false, "why": "sk-or')
    assert decision.endswith("...")
    if command == "show":
        assert lines[0] == "t.jsonl: playhead version 2, 1 interaction, 1 tool run, 2 readings"


def test_the_places_to_cut_name_readings(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = shown(capsys, "fork", file)
    assert "clock = 12.5" in said
    assert 'decision = {"approved": false' in said


def test_a_trimmed_tape_names_the_readings_that_were_taken_out(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "- 3  root/1.pay  decision: behind effect 2" in shown(capsys, "trim", file, "--to", 2)
    assert [read.name for read in ph.load_tape(file).readings] == ["clock"]


def test_a_converted_tape_holds_readings_beside_the_rest_and_no_secrets(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = file.with_name("t.yaml")
    main(["convert", str(file), str(target)])
    captured = capsys.readouterr()
    assert "go-vcr, 1 interaction, 1 tool run, 2 readings" in captured.out
    assert "which other programs skip: 1 tool run, 2 readings" in captured.err
    assert SECRET not in target.read_text()
    tape = ph.load_tape(target)
    assert tape.readings[1].value == {"approved": False, "why": "REDACTED " * 9}
    assert tape.tools[0].progress[0].message == "half  way with\nREDACTED"


def test_a_decision_that_was_another_one_is_where_the_runs_part(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tape = ph.load_tape(file)
    other = Reading(lane="root/1.pay", name="decision", value={"approved": True})
    clock = Reading(lane="root", name="clock", value=99)
    again = file.with_name("b.jsonl")
    ph.save_tape(Tape((clock, *tape.effects[1:3], other)), again)
    said = shown(capsys, "diff", file, again)
    assert "The runs part at reading 3 (root/1.pay): another value of decision was read." in said
    assert "false -> true" in said
    steps = json.loads(shown(capsys, "diff", file, again, "--json"))["steps"]
    assert [(step["kind"], step["same"]) for step in steps] == [
        ("reading", True),
        ("call", True),
        ("tool", True),
        ("reading", False),
    ]
