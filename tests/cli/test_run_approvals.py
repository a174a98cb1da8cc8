"""`playhead run` where tool calls wait for approval: on a terminal, in a pipe, and in another process later."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from test_chat import TESTS, on_a_terminal

import playhead as ph
from playhead.cli import main

AGENTS = """
import sys
sys.path.insert(0, {tests!r})
import playhead as ph
from chatwire import Script, tool_call

@ph.tool(approve=True)
def delete(path: str) -> str:
    "Delete a file."
    return "deleted " + path

calls = [tool_call("delete", {{"path": path}}, id="call_" + path) for path in "xy"]

def whole():
    return Script(("I will.", *calls), ("Done.",)).agent(delete)

def rest():
    "For who goes on: what came before is on the tape."
    return Script(("Done.",)).agent(delete)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module with agents, in the current folder."""
    name = f"deleters_{os.urandom(4).hex()}.py"
    (tmp_path / name).write_text(AGENTS.format(tests=str(TESTS)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return name


def results(tape: str) -> dict[str, str]:
    return {run.arguments: run.result for run in ph.load_tape(tape).tools}


def test_without_a_terminal_it_ends_with_a_code_of_its_own_and_says_how_to_go_on(
    module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", f"{module}:whole", "tidy up", "--tape", "t.jsonl"]) == 3
    out, err = capsys.readouterr()
    assert '? delete(path="x") waits for approval: root/0.delete' in out
    assert "1 step, " in out
    assert "2 tool calls wait for approval:" in err
    assert 'delete(path="y")  root/1.delete  call_y' in err
    assert f"go on: playhead run {module}:whole --tape t.jsonl --approve all" in err
    assert ph.load_tape("t.jsonl").tools == ()


@pytest.mark.parametrize(
    ("options", "ran", "denied"),
    [
        (["--approve", "all"], "xy", ""),
        (["--approve", "root/0.delete", "--deny", "call_y"], "x", "y"),
        (["--approve", "all", "--deny", "root/0.delete"], "y", "x"),
        (["--deny", "all"], "", "xy"),
    ],
    ids=["all", "one of each", "all but one", "none"],
)
def test_another_process_decides_and_the_run_goes_on(
    options: list[str], ran: str, denied: str, module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["run", f"{module}:whole", "tidy up", "--tape", "t.jsonl"])
    capsys.readouterr()
    assert main(["run", f"{module}:rest", "--tape", "t.jsonl", *options]) == 0
    out, _ = capsys.readouterr()
    assert out.splitlines()[-2] == "Done."
    assert "2 steps" in out
    for path in ran:
        assert f"<- delete: deleted {path}" in out
    for path in denied:
        assert f"deleted {path}" not in out
    assert out.count("was not approved") == len(denied)


def test_what_is_not_decided_goes_on_waiting(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["run", f"{module}:whole", "tidy up", "--tape", "t.jsonl"])
    capsys.readouterr()
    assert main(["run", f"{module}:rest", "--tape", "t.jsonl", "--approve", "call_x"]) == 3
    assert "1 tool call waits for approval:" in capsys.readouterr().err
    assert results("t.jsonl") == {'{"path": "x"}': "deleted x"}
    assert main(["run", f"{module}:rest", "--tape", "t.jsonl", "--approve", "all"]) == 0


def test_approval_may_be_given_in_advance(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", f"{module}:whole", "tidy up", "--approve", "all"]) == 0
    assert "Done." in capsys.readouterr().out


def test_a_replay_of_a_run_that_waits_ends_as_it_did(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["run", f"{module}:whole", "tidy up", "--tape", "t.jsonl"])
    before = Path("t.jsonl").read_bytes()
    capsys.readouterr()
    assert main(["run", f"{module}:rest", "tidy up", "--tape", "t.jsonl", "--mode", "replay"]) == 3
    assert "(the recorded run ends here)" in capsys.readouterr().err
    assert Path("t.jsonl").read_bytes() == before


def test_a_run_that_was_not_kept_says_that_it_cannot_be_gone_on_with(
    module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", f"{module}:whole", "tidy up"]) == 3
    assert "run it with --tape F" in capsys.readouterr().err


def test_decisions_without_a_tape_or_a_prompt_are_wrong_usage(
    module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["run", f"{module}:whole", "--approve", "all"])
    assert caught.value.code == 2
    assert "say which one with --tape F" in capsys.readouterr().err


@pytest.mark.parametrize("tape", [[], ["--tape", "t.jsonl"]], ids=["in memory", "on a tape"])
def test_on_a_terminal_it_asks_and_goes_on(tape: list[str], module: str) -> None:
    with on_a_terminal("run", f"{module}:whole", "tidy up", *tape) as screen:
        screen.wait_for('? delete(path="x")\n')
        screen.wait_for("[a]lways: ")
        screen.write("y\r")
        screen.wait_for('? delete(path="y")\n')
        screen.wait_for("[a]lways: ")
        screen.write("n keep it\r")
        screen.wait_for("Done.")
    assert screen.plain.count("Iwill.") == 1
    assert screen.plain.count("-> delete(") == 2
    assert "<- delete: deleted x" in screen.plain
    assert "keep it" in screen.plain


def test_who_does_not_want_to_decide_on_a_terminal_leaves_it_waiting(module: str) -> None:
    with on_a_terminal("run", f"{module}:whole", "tidy up", "--tape", "t.jsonl", codes=(3,)) as screen:
        screen.wait_for("[a]lways: ")
        screen.write("\x04")
        screen.wait_for("2 tool calls wait for approval:")
    assert ph.load_tape("t.jsonl").tools == ()
