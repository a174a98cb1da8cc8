"""`playhead fork`, `log` and `trim` as a person or a script uses them."""

from __future__ import annotations

import argparse
import errno
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import playhead as ph
from chatwire import Script, tool_call
from playhead.cli import fork, log, main, trim
from playhead.cli._console import Console
from playhead.tape.writer import lock


@ph.tool
def add(a: int, b: int) -> int:
    return a + b


def record(path: Path, *answers: Any, said: str = "what is 1 + 2?") -> None:
    with Script(*answers).agent(add).stream_sync(said, tape=path) as run:
        run.finish()


@pytest.fixture
def tape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tape of a call (0), a tool run (1) and a call (2)."""
    monkeypatch.chdir(tmp_path)
    path = Path("run.jsonl")
    record(path, (None, tool_call("add", {"a": 1, "b": 2})), ("three",))
    return path


DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(("at", "output", "prompt", "model", "result", "to")),
    **dict.fromkeys(("whole", "json"), False),
}


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[str, str]]:
    """Runs a command, and gives what it wrote to standard output and to standard error."""

    def run(module: Any, tape: Path, **more: Any) -> tuple[str, str]:
        args = argparse.Namespace(tape=str(tape), parser=argparse.ArgumentParser(), **(DEFAULTS | more))
        assert module.run(args, Console()) == 0
        return capsys.readouterr()

    return run


def test_fork_writes_a_child_and_says_how_to_go_on(tape: Path, command: Callable[..., tuple[str, str]]) -> None:
    out, err = command(fork, tape, at=2)
    assert out.splitlines() == [
        "run.fork-1.jsonl: 2 of 3 effects of run.jsonl, cut before effect 2",
        "go on: playhead run MODULE:AGENT 'what is 1 + 2?' --tape run.fork-1.jsonl",
    ]
    assert err == ""
    record(Path("run.fork-1.jsonl"), ("drei",))
    assert len(ph.load_tape("run.fork-1.jsonl").effects) == 3
    assert command(fork, tape, at=2)[0].startswith("run.fork-2.jsonl: ")
    with pytest.raises(ph.ConfigError, match=r"'run\.fork-1\.jsonl' exists already"):
        command(fork, tape, at=2, output="run.fork-1.jsonl")


def test_fork_edits_what_it_keeps(tape: Path, command: Callable[..., tuple[str, str]]) -> None:
    out, _ = command(fork, tape, at=2, output="c.jsonl", prompt="and now?", model="m2", result=["1=5=five"])
    assert "go on: playhead run MODULE:AGENT 'and now?' --tape c.jsonl" in out
    call, tool = ph.load_tape("c.jsonl").effects
    assert isinstance(call, ph.Interaction)
    assert isinstance(tool, ph.ToolRun)
    body = json.loads(call.request.body)
    assert (body["model"], body["messages"][-1]["content"], tool.result) == ("m2", "and now?", "5=five")
    _, err = command(fork, tape, at=3, output="d.jsonl", result=["1=5"])
    assert err == "warning: request 2 tells the old result of 1. Cut before it: --at 2\n"


def test_fork_without_a_place_says_where_the_places_are(tape: Path, command: Callable[..., tuple[str, str]]) -> None:
    lines = command(fork, tape)[0].splitlines()
    assert lines[0].split() == ["n", "lane", "effect"]
    assert lines[2].split(maxsplit=2) == ["1", "root/0.add", 'add({"a": 1, "b": 2})']
    assert lines[3].split(maxsplit=2) == ["2", "root", "POST 200"]


def test_log_shows_the_family_of_a_tape(tape: Path, command: Callable[..., tuple[str, str]]) -> None:
    command(fork, tape, at=2)
    record(Path("run.fork-1.jsonl"), ("drei",))
    command(fork, Path("run.fork-1.jsonl"), at=3)
    command(fork, tape, at=1, output="other.yaml", prompt="a question that has more words than what is shown of it")
    lines = command(log, Path("run.fork-1.jsonl"))[0].splitlines()
    assert [line.partition(",")[0].rpartition("  ")[0] for line in lines] == [
        "  run.jsonl",
        "* +- run.fork-1.jsonl",
        "     +- run.fork-1.fork-1.jsonl",
    ]
    assert lines[1].endswith(', cut at 2, 3 effects, 2 steps, 20 tokens in, 10 out, $0.002, "what is 1 + 2?"')
    top = json.loads(command(log, Path("other.yaml"), json=True)[0])
    assert [child["file"] for child in top["children"]] == ["other.yaml", "run.fork-1.jsonl"]
    assert (top["children"][0]["effects"], top["children"][0]["prompt"]) == (
        1,
        "a question that has more words than what is shown of it",
    )
    assert sorted(top) == sorted(top["children"][0])
    tape.rename("elsewhere.jsonl")
    broken = command(log, Path("elsewhere.jsonl"))[0]
    assert "run.fork-1.jsonl (cannot be read) tape 'run.fork-1.jsonl' keeps effects of 'run.jsonl'" in broken
    assert command(log, Path("other.yaml"))[0].startswith("  elsewhere.jsonl  ")
    Path("elsewhere.jsonl").unlink()
    missing = command(log, Path("other.yaml"))[0].splitlines()[0]
    assert missing == f"  run.jsonl (missing) {top['id'][:8]}"


def test_log_keeps_apart_tapes_that_have_one_id(tape: Path, command: Callable[..., tuple[str, str]]) -> None:
    def family(name: str) -> list[str]:
        return [line.split("  ")[-2].strip("* +-") for line in command(log, Path(name))[0].splitlines()]

    shutil.copy(tape, "copy.jsonl")
    command(trim, tape, to=0, output="short.jsonl")
    command(fork, tape, at=3, output="kid.jsonl")
    assert family("copy.jsonl") == ["copy.jsonl"]
    assert family("short.jsonl") == ["short.jsonl"]
    assert family("kid.jsonl") == family("run.jsonl") == ["run.jsonl", "kid.jsonl"]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("word " * 40, "'" + "word " * 40 + "'"),
        ("it's\none\ttab\x1b[0m \u2028\\", r"$'it\'s\none\ttab\u001b[0m \u2028\\'"),
    ],
)
def test_fork_says_the_whole_prompt_as_a_shell_reads_it(
    said: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., tuple[str, str]]
) -> None:
    monkeypatch.chdir(tmp_path)
    record(Path("t.jsonl"), ("well",), said=said)
    out = command(fork, Path("t.jsonl"), at=1, output="c.jsonl")[0]
    assert f"MODULE:AGENT {shown} --tape c.jsonl\n" in out
    read = subprocess.run(["bash", "-c", f"printf %s {shown}"], capture_output=True, env={"LC_ALL": "C.UTF-8"})
    assert read.stdout.decode() == said


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["fork", "run.jsonl", "--at", "99"], "cannot be cut before effect 99: it holds effects 0 to 2"),
        (["fork", "run.jsonl", "--at", "2", "--result", "five"], "--result should be N=TEXT"),
        (["fork", "run.jsonl", "--at", "2", "--result", "0=5"], "Tool runs are: 1 (add)"),
        (["trim", "run.jsonl", "--to", "99"], "the last effect that stays, but is 99: the tape holds effects 0 to 2"),
        (["trim", "run.jsonl", "--to", "-2"], "but is -2: the tape holds effects 0 to 2"),
    ],
)
def test_what_a_tape_has_no_place_for_is_wrong_usage(
    argv: list[str], says: str, tape: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tape.read_bytes()
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert says in capsys.readouterr().err
    assert tape.read_bytes() == before


@pytest.mark.parametrize("argv", [["trim", "--to", "0"], ["fork", "--at", "1"], ["convert", "new.yaml"]])
def test_where_nothing_can_be_written_the_file_is_named_and_nothing_else_is_said(
    argv: list[str], tape: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def read_only(path: Path, *_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    command, *more = argv
    real = os.open
    for name in ("unlink", "write_bytes"):
        monkeypatch.setattr(Path, name, read_only)
    monkeypatch.setattr(
        os, "open", lambda path, flags, *mode: (read_only if flags & os.O_CREAT else real)(path, flags, *mode)
    )
    assert main([command, str(tape), *more]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert ".jsonl" in err or "new.yaml" in err
    assert "cannot be written: Read-only file system" in err


def test_trim_takes_out_and_reports(tape: Path, command: Callable[..., tuple[str, str]]) -> None:
    whole = ph.load_tape(tape)
    lines = tape.read_bytes().splitlines(keepends=True)
    tape.write_bytes(b"".join(line for line in lines if b'"call.end","n":2' not in line))
    assert command(trim, tape, output="t.yaml")[0].splitlines() == [
        "- 2  root  POST: interrupted at the end of lane root",
        "t.yaml: 2 kept, 1 effect taken out",
    ]
    assert len(ph.load_tape(tape).effects) == 3
    command(trim, tape)
    assert ph.load_tape(tape).effects == whole.effects[:2]
    before = tape.stat().st_mtime_ns
    assert command(trim, tape)[0] == "run.jsonl: 2 kept, 0 effects taken out\n"
    assert tape.stat().st_mtime_ns == before
    assert command(trim, tape, to=0)[0].splitlines() == [
        "- 1  root/0.add  add: behind effect 0",
        "run.jsonl: 1 kept, 1 effect taken out",
    ]
    assert ph.load_tape(tape).meta == whole.meta


def test_trim_leaves_children_whole_and_keeps_off_a_writer(
    tape: Path, command: Callable[..., tuple[str, str]]
) -> None:
    command(fork, tape, at=3, output="c.jsonl")
    child = ph.load_tape("c.jsonl")
    with tape.open("rb") as file:
        lock(file.fileno(), tape)
        with pytest.raises(ph.TapeLocked):
            command(trim, tape, to=0)
    assert command(trim, tape, to=0)[1] == "c.jsonl kept effects of run.jsonl; now it has them itself\n"
    assert ph.load_tape("c.jsonl") == child
