"""Which format a file is in, and what goes from one to another."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from test_govcr import tapes as govcr_tapes

import playhead as ph
from chatwire import Script, tool_call
from conftest import expected, shared_tape
from playhead.cli import main
from playhead.cli._arguments import FORMATS
from playhead.errors import TapeFormatError
from playhead.http import Request
from playhead.tape.effects import Interaction, Tape, ToolRun
from playhead.tape.formats import NAMES, Format, format_called

ENDINGS = {
    "playhead": ".jsonl",
    "go-vcr": ".yaml",
    "vcrpy": ".yml",
    "vcrpy-json": ".json",
    "har": ".har",
    "go-vcr-v1": ".YAML",
}


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
    steps = ["vcrpy", "vcrpy-json", "har", "go-vcr-v1", "playhead", "go-vcr"]
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


@given(govcr_tapes)
@settings(deadline=None, max_examples=30)
def test_nothing_of_any_tape_is_lost_in_any_format(tape: Tape) -> None:
    """VCR.py's JSON holds text alone, and refuses the rest; Playhead's own has tests of its own."""
    texts = all(is_text(body) for call in tape.interactions for body in (call.request.body, call.body))
    for name in NAMES:
        if name != "playhead" and (name != "vcrpy-json" or texts):
            assert format_called(name).losses(tape) == ()


def test_what_a_format_loses_is_said_whatever_it_is() -> None:
    """It is found by reading what was written, and so it holds for fields that do not exist yet."""
    call = Interaction(request=Request("GET", "http://a/"), status=200, chunks=(b"x",), times=(1.0,))
    run = ToolRun(lane="root/0.add", call_id="c", name="add")
    tape = Tape((call, run, call, run), {"id": "t", "x": 1}, numbers=(0, 1, 2, 9))

    def losing(again: Tape) -> tuple[str, ...]:
        return Format("lossy", (), lambda data, name: again, lambda tape: b"").losses(tape)

    without = msgspec.structs.replace(call, times=None)
    assert losing(Tape((without, run, without, run), {"id": "t"}, numbers=(0, 1, 2, 9))) == (
        "`times` of 2 interactions",
        "`x` of the tape's facts",
    )
    assert losing(Tape((call, call), tape.meta)) == ("2 tool runs", "the tape's numbers")
    assert losing(Tape((call, call, run, run), tape.meta, numbers=tape.numbers)) == ("the place of 4 effects",)


FOREIGN = [name for name in NAMES if name != "playhead"]
PIECES = Interaction(
    request=Request("GET", "http://a/"), status=200, reason="OK", chunks=(b"x", b"y"), times=(0.125, 0.25)
)


@pytest.mark.parametrize("name", FOREIGN)
def test_times_that_are_not_those_of_the_pieces_are_left_out_with_a_warning(name: str) -> None:
    format = format_called(name)
    data = format.dump(Tape((PIECES,)))
    assert format.load(data, "t").warnings == ()
    assert data.count(b"0.125") == 1
    edited = format.load(re.sub(rb"0\.125,\s*", b"", data), "t")
    (call,) = edited.interactions
    assert (call.chunks, call.times) == (PIECES.chunks, None)
    (warning,) = edited.warnings
    assert warning.endswith(" 0: 1 times are no times of 2 pieces, and are left out")
    again = format.load(format.dump(edited), "t")
    assert (again, again.warnings) == (edited, ())


@pytest.mark.parametrize("at", [2**53 + 1, 2**63, 10**19, 10**40])
@pytest.mark.parametrize("name", FOREIGN)
def test_a_place_that_is_no_place_is_refused_with_a_sentence(name: str, at: int) -> None:
    format = format_called(name)
    run = ToolRun(lane="root/0.add", call_id="c", name="add")
    data = format.dump(Tape((run,) * 7))
    edited, changes = re.subn(rb'(\bat"?: ?)6\b', b"\\g<1>%d" % at, data)
    assert changes == 1
    with pytest.raises(TapeFormatError, match=r"that cannot be read: Expected `int`.*tools\[6\]\.at"):
        format.load(edited, "t")


def test_what_a_tape_holds_is_looked_for_once() -> None:
    tape = Tape((PIECES, ToolRun(lane="root/0.add", call_id="c", name="add")))
    assert tape.interactions is tape.interactions
    assert tape.tools is tape.tools
    assert tape.numbered is tape.numbered
    assert replace(tape, effects=()).interactions == ()
