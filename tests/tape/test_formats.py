"""Which format a file is in, and what goes from one to another."""

from __future__ import annotations

from pathlib import Path

import pytest

import playhead as ph
from chatwire import Script, tool_call
from conftest import expected, shared_tape
from playhead.cli import main
from playhead.cli._arguments import FORMATS
from playhead.tape.formats import NAMES

ENDINGS = {"playhead": ".jsonl", "go-vcr": ".yaml", "vcrpy": ".yml", "vcrpy-json": ".json", "har": ".har"}


@ph.tool
def add(a: int, b: int) -> int:
    return a + b


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    path = tmp_path / "t.jsonl"
    with (
        Script(("let me see", tool_call("add", {"a": 1, "b": 2})), ("it is 3",))
        .agent(add)
        .stream_sync("go", tape=path) as run
    ):
        run.finish()
    return path


def is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_the_command_line_knows_all_formats() -> None:
    assert FORMATS == NAMES
    assert set(ENDINGS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_tape_goes_to_each_format_and_plays_there(name: str, tape: Path, tmp_path: Path) -> None:
    other = tmp_path / f"other{ENDINGS[name]}"
    assert main(["convert", str(tape), str(other), "--to", name]) == 0
    loaded = ph.load_tape(other)
    assert (loaded.format, loaded) == (name, ph.load_tape(tape))
    with Script().agent(add).stream_sync("go", tape=other, mode="replay") as run:
        assert run.finish().text == "itis3"


@pytest.mark.parametrize("name", list(expected()) or ["seed/openrouter-kimi-k2.yaml"])
def test_a_recorded_cassette_goes_through_every_format_byte_for_byte(name: str, tmp_path: Path) -> None:
    path = shared_tape(name)
    was = ph.load_tape(path)
    steps = ["vcrpy", "vcrpy-json", "har", "playhead", "go-vcr"]
    if any(not is_text(call.body) for call in was.interactions):
        assert main(["convert", str(path), str(tmp_path / "t.json")]) == 1  # VCR.py's JSON holds text alone.
        assert not (tmp_path / "t.json").exists()
        steps.remove("vcrpy-json")
    for format in steps:
        target = tmp_path / f"t{ENDINGS[format]}"
        assert main(["convert", str(path), str(target), "--to", format]) == 0
        path = target
    assert ph.load_tape(path) == was


def test_a_cassette_of_vcrpy_stays_one_when_a_run_goes_on_with_it(tape: Path, tmp_path: Path) -> None:
    cassette = tmp_path / "c.yaml"
    assert main(["convert", str(tape), str(cassette), "--to", "vcrpy"]) == 0
    whole = ph.load_tape(cassette)
    ph.save_tape(ph.Tape(whole.effects[:-1], whole.meta, "vcrpy"), cassette)
    with Script(("it is 3",)).agent(add).stream_sync("go", tape=cassette) as run:
        run.finish()
    again = ph.load_tape(cassette)
    assert (again.format, len(again.effects)) == ("vcrpy", 3)


def test_an_ending_and_a_format_that_do_not_fit_are_wrong_usage(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["convert", str(tape), str(tmp_path / "t.har"), "--to", "go-vcr"])
    assert caught.value.code == 2
    assert "ends in '.har' is har's, not go-vcr's" in capsys.readouterr().err
