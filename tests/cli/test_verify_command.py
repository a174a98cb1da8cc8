"""`playhead verify`: a line for each problem, a line for all, and an exit code that a hook can use."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from chatwire import SSE, stream
from playhead import Interaction, Tape, TapeNotFound, ToolRun
from playhead.cli._console import Console
from playhead.cli.verify import run
from playhead.http import Request
from playhead.tape.files import save_tape

KEY = "sk-or" + "-v1-" + "0f1e2d3c" * 8
URL = "https://openrouter.ai/api/v1/chat/completions"


def verify(*tapes: Path, json: bool = False) -> int:
    return run(argparse.Namespace(tapes=[*map(str, tapes)], json=json), Console())


def answer(text: str) -> Tape:
    call = Interaction(request=Request("POST", URL, (), b"{}"), status=200, headers=SSE, chunks=tuple(stream(text)))
    return Tape((call,))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Tapes that are clean, and files that are no tapes."""
    save_tape(answer("hello"), tmp_path / "a.jsonl")
    (tmp_path / "deep").mkdir()
    save_tape(answer("hello"), tmp_path / "deep" / "b.yaml")
    save_tape(answer("hello"), tmp_path / "deep" / "c.har")
    (tmp_path / "config.yaml").write_text("interactions_per_day: 3\n")
    (tmp_path / "data.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "README.md").write_text("# Tapes\n")
    return tmp_path


def test_clean_tapes_give_one_line_and_0(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(folder) == 0
    out, err = capsys.readouterr()
    assert out == "3 tapes, 3 effects: nothing wrong\n"
    assert err.startswith("note: passed over, since no tape is in them: 2 files (")


def test_each_problem_has_a_line_with_its_place_and_gives_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_tape(answer(f"it is {KEY}"), folder / "a.jsonl")
    spelled = " ".join(KEY[n : n + 7] for n in range(0, len(KEY), 7))  # A word is a delta; the spaces are nowhere.
    save_tape(answer(spelled), folder / "b.har")
    assert verify(folder / "a.jsonl", folder / "b.har") == 1
    out, _ = capsys.readouterr()
    first, second, last = out.splitlines()
    assert first.startswith(f"{folder / 'a.jsonl'}: effect 0, response body, byte ")
    assert second.startswith(f"{folder / 'b.har'}: effect 0, ")
    assert all(line.endswith(": an OpenRouter key (sk-o...)") for line in (first, second))
    assert last == "2 tapes, 2 effects: 2 problems"
    assert KEY[4:14] not in out


def test_json_says_the_same_for_scripts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_tape(answer(f"it is {KEY}"), folder / "a.jsonl")
    assert verify(folder / "a.jsonl", folder / "deep", json=True) == 1
    shown = json.loads(capsys.readouterr().out)
    assert shown["ok"] is False
    bad, *good = shown["tapes"]
    assert all(tape["ok"] and tape["problems"] == [] for tape in good)
    (problem,) = bad["problems"]
    assert (problem["kind"], problem["what"]) == ("secret", "an OpenRouter key (sk-o...)")


def test_a_tape_that_is_not_there_does_not_hide_the_others(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(folder / "none.jsonl", folder / "deep") == 1
    first, last = capsys.readouterr().out.splitlines()
    assert first == f"{folder / 'none.jsonl'}: there is no such file"
    assert last == "2 tapes, 2 effects: 1 problem"


def test_what_somebody_edited_is_a_problem(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = ToolRun(lane="root/0.pay", call_id="c", name="pay", arguments='{"n": 7}', result="paid 7")
    save_tape(Tape((*answer("hello").effects, run)), folder / "a.jsonl")
    for old, new, what in (
        ("paid 7", "paid 8", "the result of effect 1"),
        (r"{\"n\": 7}", r"{\"n\": 8}", "the text of the arguments of effect 1"),
        ('"lines":["{}"]', '"lines":["{ }"]', "the request body of effect 0"),
    ):
        text = (folder / "a.jsonl").read_text()
        assert text.count(old) == 1
        (folder / "b.jsonl").write_text(text.replace(old, new))
        assert verify(folder / "b.jsonl") == 1
        first = capsys.readouterr().out.splitlines()[0]
        assert first == f"{folder / 'b.jsonl'}: {what} is not the one that was recorded"


def test_a_folder_without_tapes_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TapeNotFound, match="no tape in the folder"):
        verify(tmp_path)
