"""`playhead diff` as a person or a script uses it: what it prints, and how it exits."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import playhead as ph
from chatwire import Script, tool_call
from playhead.cli._console import Console
from playhead.cli.diff import run

ROOT = Path(__file__).parents[2]


@ph.tool
def add(a: int, b: int) -> int:
    return a + b


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., str]:
    """Records a run, and gives the tape's path."""

    def record(name: str, *answers: Any, prompt: str = "what is 1 + 2?", **more: Any) -> str:
        path = tmp_path / name
        Script(*answers).agent(add, **more).run_sync(prompt, tape=path, mode="record")
        return str(path)

    return record


def diff(a: str, b: str, **options: bool) -> int:
    return run(argparse.Namespace(a=a, b=b, **{"json": False, "all": False, **options}), Console())


def adding(b: int = 2, id: str = "c1") -> tuple[Any, ...]:
    return ("let me see", tool_call("add", {"a": 1, "b": b}, id))


def test_two_recordings_of_the_same_run_are_the_same(
    record: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = record("a.jsonl", adding(), ("it is 3",)), record("b.yaml", adding(id="x9"), ("it is 3",))
    assert diff(a, b) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[:6] == [
        f"A  {a}",
        f"B  {b}",
        "",
        "Nothing differs but times and ids.",
        "",
        "= call 0, tool 1 (root/0.add), call 2: the same",
    ]
    assert err == ""
    assert "\x1b" not in out


def test_it_says_where_the_runs_part_and_what_follows(
    record: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    a = record("a.jsonl", adding(), ("The sum of both is 3, I think.",))
    b = record("b.jsonl", adding(5), ("The sum is 6, I think.",))
    assert diff(a, b) == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("    time ")]
    assert lines[3:] == [
        "The runs part at call 0: the same request was answered otherwise.",
        "",
        "! call 0",
        "    request   the same",
        "    answer    tool_calls[0] (add).arguments.b: 2 -> 5",
        "",
        "! tool 1 (root/0.add)",
        "    call      arguments.b: 2 -> 5",
        '    result    result: "3" -> "6"',
        "",
        "! call 2",
        "    request   messages[1] (assistant).tool_calls[0] (add).arguments.b: 2 -> 5",
        '              messages[2] (tool).content: "3" -> "6"',
        "    answer    text",
        "                The sum [-of both -]is [-3-]{+6+}, I think.",
        "",
        *lines[-7:],
    ]
    assert lines[-6:-1] == [
        "interactions  2       2",
        "tool runs     1       1",
        "tokens in     20      20",
        "tokens out    10      10",
        "cost          $0.002  $0.002",
    ]


def test_what_was_told_already_is_not_told_again_but_with_all(
    record: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    a = record("a.jsonl", adding(), ("3",))
    b = record("b.jsonl", adding(), ("3",), prompt="what is 1 plus 2, in one word and no more?", seed=1, top_p=0.5)
    assert diff(a, b) == 1
    out = capsys.readouterr().out
    assert out.count("[-+-]{+plus+}") == 1
    assert "    request   3 differences as above\n" in out
    assert diff(a, b, all=True) == 1
    out = capsys.readouterr().out
    assert out.count("[-+-]{+plus+}") == 2
    assert "\n= tool 1 (root/0.add)  " in out


def test_steps_of_one_side_are_told_as_that(record: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    a, b = record("a.jsonl", adding(), ("3",)), record("b.jsonl", adding(), adding(7, "c2"), ("8",))
    assert diff(a, b) == 1
    out = capsys.readouterr().out
    assert "\n+ tool 3 (root/1.add): only in B: add\n" in out
    assert "\n+ call 4: only in B: POST http://script.test/v1/chat/completions\n" in out
    assert diff(b, a) == 1
    assert "\n- call 4: only in A: " in capsys.readouterr().out


def test_no_line_is_wider_than_a_terminal(record: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    a = record("a.jsonl", ("word " * 300 + "\n\n" + "x" * 300,), prompt="p " * 200)
    b = record("b.jsonl", ("other word " * 200 + "\n" + "y" * 300,), prompt="q " * 300 + "\nline")
    for whole in (False, True):
        diff(a, b, all=whole)
        lines = capsys.readouterr().out.splitlines()[2:]
        assert max(map(len, lines)) <= 80
        assert not any(line != line.rstrip() for line in lines)


def test_a_long_change_is_cut_unless_all_is_asked_for(
    record: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = record("a.jsonl", ("short",)), record("b.jsonl", ("word " * 1000 + "end",))
    diff(a, b)
    assert len(capsys.readouterr().out.splitlines()) < 40
    diff(a, b, all=True)
    assert "end+}" in capsys.readouterr().out


def test_the_words_of_a_model_do_not_steer_the_terminal(
    record: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    diff(record("a.jsonl", ("\x1b[31mred and more of it \x07",)), record("b.jsonl", ("\x1b[2Jgone and more of it",)))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", capsys.readouterr().out)


def test_a_tape_that_cannot_be_read_exits_with_2(
    record: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = record("a.jsonl", ("hi",))
    assert diff(a, str(tmp_path / "none.jsonl")) == 2
    (tmp_path / "broken.jsonl").write_text("no tape\n")
    assert diff(str(tmp_path / "broken.jsonl"), a) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "there is no tape" in err
    assert "broken.jsonl" in err


def test_json_is_all_of_it_and_exits_alike(record: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    a, b = record("a.jsonl", adding(), ("é" * 500,)), record("b.jsonl", adding(), ("ü" * 500,))
    assert diff(a, b, json=True) == 1
    shown = json.loads(capsys.readouterr().out)
    assert (shown["same"], shown["first"], len(shown["steps"])) == (False, 2, 3)
    assert shown["steps"][2]["answer"] == [{"path": "text", "kind": "changed", "a": "é" * 500, "b": "ü" * 500}]
    assert diff(a, a, json=True) == 0
    assert json.loads(capsys.readouterr().out)["first"] is None


def test_the_page_names_every_field_of_the_json_and_no_other(
    record: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    diff(record("a.jsonl", ("hi",)), record("b.jsonl", ("hi",), seed=1), json=True)
    shown = json.loads(capsys.readouterr().out)
    page = (ROOT / "docs" / "diff.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.+?`) \| (?:string|integer|number|boolean|object|array|any) \|", page, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(.+?)`", row)}
    found = {re.sub(r"\.b\.", ".a.", path).replace("answer[].", "request[].") for path in fields(shown)}
    assert found == named


def fields(value: Any, path: str = "") -> Iterator[str]:
    """The paths of all fields."""
    if isinstance(value, list):
        for item in value:
            yield from fields(item, f"{path}[]")
    elif isinstance(value, dict):
        for name, item in value.items():
            here = f"{path}.{name}" if path else name
            yield here
            yield from fields(item, here)
