"""The commands as a person or a script uses them: what they print, and how they exit."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import playhead as ph
from chatwire import Script, tool_call
from conftest import expected, shared_tape
from playhead.cli import main
from playhead.cli._console import Console

AGENT = """
import playhead as ph

@ph.tool
def add(a: int, b: int) -> int:
    "Add two numbers."
    return a + b

@ph.tool
def multiply(a: int, b: int) -> int:
    "Multiply two numbers."
    return a * b

agent = ph.Agent("demo", tools=[add, multiply])
nobody = ph.Agent("compat:http://127.0.0.1:9/v1#m")
keyless = ph.Agent("openrouter:m")
number = 3

def make():
    return agent

def make_of(model):
    return agent

@ph.tool(effect="once")
def pay() -> str:
    return "paid"

payer = ph.Agent("compat:http://script.test/v1#m", tools=[pay])
"""


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """A tape with two tool calls, one of which fails."""

    @ph.tool
    def add(a: int, b: int) -> int:
        return a + b

    path = tmp_path / "t.jsonl"
    calls = tool_call("add", {"a": 1, "b": 2}), tool_call("nothing", id="c2")
    with Script(("let me see", *calls), ("it is 3",)).agent(add).stream_sync("what is 1 + 2?", tape=path) as run:
        run.finish()
    return path


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module with agents, in the current folder."""
    name = f"agents_{os.urandom(4).hex()}"
    (tmp_path / f"{name}.py").write_text(AGENT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return name


def usage_error(*argv: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_run_streams_text_calls_and_results_and_ends_with_usage_and_cost(
    module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", f"{module}:agent", "Add and multiply the number 2 and 3", "--tape", "t.yaml"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[:2] == ["-> add(a=2, b=3)", "-> multiply(a=2, b=3)"]
    assert sorted(line.partition("  (")[0] for line in lines[2:4]) == ["<- add: 5", "<- multiply: 6"]
    assert lines[4] == "The function results are 5 and 6."
    assert lines[5].startswith("2 steps, 351 tokens in, 58 out (245 cached), cost not reported, ")
    assert "recording" in err
    assert "\x1b" not in out + err
    assert [call.status for call in ph.load_tape(tmp_path / "t.yaml").interactions] == [200, 200]
    assert main(["run", f"{module}.py:make", "Add and multiply the number 2 and 3", "--tape", "t.yaml"]) == 0
    assert "<- add: 5  (from the tape)" in capsys.readouterr().out


def test_run_takes_its_prompt_from_standard_input(
    module: str, tape: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO("another prompt"))
    assert main(["run", f"{module}:nobody", "-", "--tape", str(tape), "--mode", "replay"]) == 1
    assert "this run 'another prompt'" in capsys.readouterr().err


def test_a_run_that_fails_exits_with_1_and_says_why(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", f"{module}:keyless", "hi"]) == 1
    assert "set OPENROUTER_API_KEY" in capsys.readouterr().err
    assert main(["run", f"{module}:nobody", "hi"]) == 1
    assert "127.0.0.1:9" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["run", "nonsense", "hi"], "should be MODULE:AGENT"),
        (["run", "no_such_module:agent", "hi"], "there is no module 'no_such_module'"),
        (["run", "no_such_file.py:agent", "hi"], "there is no file 'no_such_file.py'"),
        (["run", "MODULE:number", "hi"], "has no agent called 'number'; it has: agent, keyless, nobody, payer"),
        (["run", "MODULE:agent", "hi", "--mode", "replay"], "say which one with --tape"),
        (["run", "MODULE:agent", "hi", "--mode", "play"], "invalid choice: 'play'"),
        (["run", "MODULE:add", "hi"], "is a tool, and no agent; 'MODULE' has: agent, keyless, nobody, payer"),
        (["run", "MODULE:make_of", "hi"], "nor a function without arguments that gives one; 'MODULE' has: agent"),
        (
            ["run", "MODULE:agent", "hi", "--model", "nope"],
            "argument --model: model 'nope' does not say its provider",
        ),
        (["run", "MODULE:agent", "hi", "--model", "nope:m"], "argument --model: there is no provider 'nope'"),
        (["run", "MODULE:agent", "hi", "--fault", "nope"], "argument --fault: 'nope' is not a fault"),
        (["serve", "t.jsonl", "--fault", "429:x=1"], "argument --fault: '429:x=1' is not a fault"),
        (["crashtest", "MODULE:agent", "hi", "--point", "x:1"], "argument --point: a point is KIND:NUMBER"),
        (["replay", "t.jsonl", "--pace", "fast"], "should be 'instant', 'recorded' or a factor"),
        (["replay", "t.jsonl", "--pace", "x0"], "should be 'instant', 'recorded' or a factor"),
        (["show"], "required"),
        ([], "required"),
        (["dance"], "invalid choice"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_was_expected(
    argv: list[str], says: str, module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert usage_error(*(word.replace("MODULE", module) for word in argv)) == 2
    assert says.replace("'MODULE'", repr(module)) in capsys.readouterr().err


def test_replay_plays_a_tape_as_it_was_heard(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for pace in ("instant", "recorded", "x10"):
        assert main(["replay", str(tape), "--pace", pace]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[:4] == ["> what is 1 + 2?", "letmesee", "-> add(a=1, b=2)", "-> nothing()"]
        assert lines[4].startswith("<- add: 3")
        assert lines[5].startswith("<- nothing: Error: there is no tool named 'nothing'")
        assert lines[6:] == ["itis3", "2 steps, 20 tokens in, 10 out, $0.002"]


def test_replay_keeps_the_recorded_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from playhead.cli import replay
    from playhead.serve.demo import demo_tape

    clock, slept = [0.0], []

    def sleep(seconds: float) -> None:
        clock[0] += seconds
        slept.append(seconds)

    monkeypatch.setattr(replay.time, "sleep", sleep)
    monkeypatch.setattr(replay.time, "monotonic", lambda: clock[0])
    ph.save_tape(demo_tape(), tmp_path / "demo.jsonl")
    assert main(["replay", str(tmp_path / "demo.jsonl")]) == 0
    last = [call.times[-1] for call in demo_tape().interactions if call.times]
    assert sum(slept) == pytest.approx(sum(last), abs=0.01)
    clock[0] = 0.0
    slept.clear()
    assert main(["replay", str(tmp_path / "demo.jsonl"), "--pace", "x4"]) == 0
    assert sum(slept) == pytest.approx(sum(last) / 4, abs=0.01)


def test_show_is_for_people(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(tape)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("t.jsonl: playhead version 2, 2 interactions, 2 tool runs\n")
    assert "POST http://script.test/v1/chat/completions" in out
    assert "<- add: 3" in out
    assert out.rstrip().endswith("2 steps, 20 tokens in, 10 out, $0.002")


def test_show_as_json_is_a_contract(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(tape), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert list(shown) == ["format", "version", "interactions", "tools", "readings", "totals"]
    call = shown["interactions"][0]
    assert isinstance(call.pop("duration_s"), float)
    assert call == {
        "n": 0,
        "effect": 0,
        "lane": "root",
        "method": "POST",
        "url": "http://script.test/v1/chat/completions",
        "provider": None,
        "wire": "openai_chat",
        "status": 200,
        "streamed": True,
        "chunks": 9,
        "request": {"model": "m", "stream": True},
        "response": {
            "text": "letmesee",
            "reasoning": "",
            "refusal": None,
            "tool_calls": [
                {"id": "call_add", "name": "add", "arguments": {"a": 1, "b": 2}, "provider_executed": False},
                {"id": "c2", "name": "nothing", "arguments": {}, "provider_executed": False},
            ],
            "parts": ["text", "tool_call", "tool_call"],
            "citations": [],
            "sources": [],
            "media": [],
            "id": "r1",
            "model": "m",
            "finish_reason": "tool_calls",
            "raw_finish_reason": "tool_calls",
            "usage": {
                "input_tokens": 10,
                "output_tokens": 5,
                "total_tokens": 15,
                "cache_read_tokens": None,
                "cache_write_tokens": None,
                "reasoning_tokens": None,
                "raw": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost": 0.001},
            },
            "cost": 0.001,
            "error": None,
        },
    }
    tool = shown["tools"][0]
    assert isinstance(tool.pop("duration_s"), float)
    assert tool == {
        "n": 0,
        "effect": 1,
        "lane": "root/0.add",
        "call_id": "call_add",
        "name": "add",
        "arguments": {"a": 1, "b": 2},
        "result": "3",
        "is_error": False,
        "progress": [],
    }
    assert shown["readings"] == []
    assert shown["totals"] == {"interactions": 2, "input_tokens": 20, "output_tokens": 10, "cost": 0.002}


@pytest.mark.parametrize("name", list(expected()) or ["seed/openrouter-kimi-k2.yaml"])
def test_show_says_of_every_recording_what_was_worked_out(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = shared_tape(name)
    assert main(["show", str(path), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    for call, wanted in zip(shown["interactions"], expected()[name]["responses"], strict=True):
        compare(call, wanted)
    assert main(["show", str(path)]) == 0
    assert main(["replay", str(path), "--pace", "instant"]) == 0


WIRES = {"openai-chat": "openai_chat", "openai-responses": "openai_responses"}


def compare(call: dict[str, Any], wanted: dict[str, Any]) -> None:
    response = call["response"]
    assert (call["url"], call["status"]) == (wanted["url"], wanted["status"])
    # Where the body does not name the model, the path does.
    assert call["request"]["model"] == (wanted["request"]["model"] or call["request"]["model"])
    assert call["request"]["model"]
    assert call["streamed"] == (wanted["framing"] != "json")
    inside = "bedrock" if wanted["provider"] == "bedrock" else wanted["protocol"]
    assert call["wire"] == WIRES.get(inside, inside)
    if "error" in wanted:
        assert response["error"]["code"] == str(wanted["error"]["code"])
        assert response["error"]["message"].startswith(wanted["error"]["message"])
        return
    said = wanted["response"]
    assert (response["text"], response["reasoning"]) == (said["text"], said["reasoning"])
    assert response["raw_finish_reason"] == said["finish_reason"]
    assert response["parts"] == said["parts"]
    assert [made["id"] if other["id"] else None for made, other in both(response, said)] == [
        made["id"] for made in said["tool_calls"]
    ]
    assert all(made["id"] for made in response["tool_calls"])
    for name in ("name", "arguments", "provider_executed"):
        assert [made[name] for made in response["tool_calls"]] == [made[name] for made in said["tool_calls"]]
    usage = response["usage"]
    assert usage["raw"] == said["usage"]["raw"]
    cached = (said["usage"]["cached"] or 0) + (said["usage"]["cache_write"] or 0)
    assert usage["input_tokens"] == said["usage"]["input"] + (cached if wanted["protocol"] == "anthropic" else 0)
    assert response["error"] is None


def both(response: dict[str, Any], said: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return list(zip(response["tool_calls"], said["tool_calls"], strict=True))


def test_show_tells_refusals_cuts_and_what_it_does_not_know(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from playhead.http import Request

    def call(url: str, **more: Any) -> ph.Interaction:
        headers = (("Content-Type", "application/json"),)
        return ph.Interaction(request=Request("POST", url, (), b'{"model":"m"}'), headers=headers, **more)

    chat = "http://x/v1/chat/completions"
    calls = (
        call(chat, status=429, chunks=(b'{"error":{"message":"slow down","code":429}}',)),
        call(chat, ended="failed", error={"kind": "connect", "message": "nobody there"}),
        call(chat, status=200, chunks=(b'data: {"choices":[{"delta":{"content":"ha"}}]}\n\n',)),
        call(chat, status=200, ended="interrupted", chunks=(b'data: {"choices":[{"delta":{"content":"ha"}}]}\n\n',)),
        call("http://x/v1/embeddings", status=200, chunks=(b'{"data": 1}',)),
    )
    ph.save_tape(ph.Tape(calls), tmp_path / "t.jsonl")
    assert main(["show", str(tmp_path / "t.jsonl"), "--json"]) == 0
    shown = [call["response"] for call in json.loads(capsys.readouterr().out)["interactions"]]
    assert [(call["error"] or {}).get("kind") for call in shown] == [
        "provider",
        "connect",
        "truncated",
        "interrupted",
        None,
    ]
    assert shown[0]["error"] == {"kind": "provider", "message": "slow down", "code": "429", "status": 429}
    assert [call["text"] for call in shown] == ["", "", "ha", "ha", '{"data": 1}']
    assert main(["show", str(tmp_path / "t.jsonl")]) == 0


def test_convert_goes_from_format_to_format_and_back(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    yaml, again = tmp_path / "t.yaml", tmp_path / "again.jsonl"
    assert main(["convert", str(tape), str(yaml)]) == 0
    assert main(["convert", str(yaml), str(again)]) == 0
    assert ph.load_tape(again) == ph.load_tape(yaml) == ph.load_tape(tape)
    assert main(["convert", str(tape), str(yaml)]) == 1
    assert "--force" in capsys.readouterr().err
    assert main(["convert", str(tape), str(yaml), "--force"]) == 0


def test_convert_leaves_out_headers_that_may_hold_secrets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from playhead.http import Request

    request = Request("POST", "http://x/v1", (("Authorization", "Bearer s3cret"), ("Accept", "*/*")), b"{}")
    call = ph.Interaction(request=request, status=200, headers=(("Set-Cookie", "s3cret"),))
    ph.save_tape(ph.Tape((call,)), tmp_path / "a.jsonl")
    assert main(["convert", str(tmp_path / "a.jsonl"), str(tmp_path / "b.yaml")]) == 0
    assert b"s3cret" not in (tmp_path / "b.yaml").read_bytes()
    assert "Authorization, Set-Cookie" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["show", "replay"])
def test_what_cannot_be_read_exits_with_1_and_a_sentence(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = {
        "missing.jsonl": (None, "there is no tape"),
        "empty.jsonl": (b"", "is empty"),
        "empty.yaml": (b"", "empty"),
        "other.jsonl": (b"hello\n", "is not a Playhead tape"),
        "other.yaml": (b"- 1\n- 2\n", "other.yaml"),
        "newer.jsonl": (b'{"playhead":"tape","version":9}\n', "version 9"),
        "newer.yaml": (b"---\nversion: 9\ninteractions: []\n", "version 9"),
        "torn.yaml": (b'---\nversion: 2\ninteractions:\n- id: 0\n  request:\n    body: "abc', "torn.yaml"),
        "odd.txt": (b"x", "says no format"),
    }
    for name, (data, says) in cases.items():
        if data is not None:
            (tmp_path / name).write_bytes(data)
        assert main([command, str(tmp_path / name)]) == 1
        out, err = capsys.readouterr()
        assert says in err
        assert "Traceback" not in out + err


def test_a_models_words_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Script(("\x1b[2Jgone\x07",)).agent().stream_sync("hi", tape=tmp_path / "t.jsonl") as run:
        run.finish()
    for command in (["show"], ["replay", "--pace", "instant"]):
        main([command[0], str(tmp_path / "t.jsonl"), *command[1:]])
        assert "[2Jgone\n" in (out := capsys.readouterr().out)
        assert "\x1b" not in out
        assert "\x07" not in out


def test_the_demo_shows_the_main_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--pace", "x20", "--tape", str(tmp_path / "demo.jsonl")]) == 0
    out = capsys.readouterr().out
    assert "recorded 2026-11-22T08:56:51Z on 2 vCPU" in out
    assert out.count("The function results are 5 and 6.") == 2
    assert "2 tools ran at the same time" in out
    assert out.count("(from the tape)") == 2
    assert "No tool ran again, no connection was tried." in out
    assert len(ph.load_tape(tmp_path / "demo.jsonl").effects) == 4


def test_on_a_terminal_there_is_colour(tape: Path) -> None:
    leader, follower = pty.openpty()
    with os.fdopen(leader, "rb", buffering=0) as screen:
        environment = {**os.environ, "TERM": "xterm-256color"}
        environment.pop("NO_COLOR", None)
        command = [sys.executable, "-m", "playhead", "replay", str(tape), "--pace", "instant"]
        done = subprocess.Popen(command, stdout=follower, stderr=follower, stdin=follower, env=environment)
        os.close(follower)
        shown = b""
        try:
            while piece := screen.read(4096):
                shown += piece
        except OSError:  # Linux says so when the other end is closed.
            pass
        assert done.wait(20) == 0
    assert b"\x1b[36m-> add(a=1, b=2)" in shown
    assert b"letmesee" in shown


def test_a_reader_that_leaves_early_is_no_crash(tape: Path) -> None:
    command = f"{sys.executable} -m playhead show {tape} --json | head -1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout == "{\n"
    assert "Traceback" not in done.stderr


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.strip() == f"playhead {ph.__version__}"


def run_in(environment: dict[str, str], *argv: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "playhead", *argv]
    return subprocess.run(command, capture_output=True, env={**os.environ, **environment}, check=False)


def test_json_is_whole_in_a_pipe_of_any_encoding(tmp_path: Path) -> None:
    with Script(("grüße 日本",)).agent().stream_sync("hi", tape=tmp_path / "t.jsonl") as run:
        run.finish()
    for encoding in ("utf-8", "ascii", "cp1252"):
        done = run_in({"PYTHONIOENCODING": encoding}, "show", str(tmp_path / "t.jsonl"), "--json")
        shown = json.loads(done.stdout.decode(encoding))
        assert shown["interactions"][0]["response"]["text"] == "grüße日本"
        assert run_in({"PYTHONIOENCODING": encoding}, "show", str(tmp_path / "t.jsonl")).returncode == 0


def test_a_module_that_fails_or_exits_while_it_is_loaded_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    sources = {"exits": "raise SystemExit(0)", "fails": "1 / 0", "makes": "def agent():\n    raise ValueError('no')"}
    for name, source in sources.items():
        (tmp_path / f"{name}.py").write_text(source)
        assert main(["run", f"{name}.py:agent", "hi"]) == 1
        assert "cannot be" in capsys.readouterr().err


def test_a_damaged_tape_is_a_sentence_and_no_traceback(
    tmp_path: Path, tape: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tape.read_text()
    for was, damaged in (
        ('"status":200', '"status":"200"'),
        ("http://script.test/v1/chat", "http://[bad"),
        ('"times":[', '"times":[1,2,3,'),
        ('"reason":""', '"reason":5'),
    ):
        assert was in text
        (tmp_path / "damaged.jsonl").write_text(text.replace(was, damaged))
        for command in (["show"], ["show", "--json"], ["replay", "--pace", "instant"]):
            assert main([command[0], str(tmp_path / "damaged.jsonl"), *command[1:]]) in (0, 1)
        assert "Traceback" not in capsys.readouterr().err


def test_a_journal_that_a_kill_left_can_be_looked_at(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = tape.with_name("t.yaml.part")
    journal.write_bytes(tape.read_bytes())
    assert main(["show", str(journal)]) == 0
    assert "2 interactions" in capsys.readouterr().out


def test_an_empty_standard_input_is_wrong_usage(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    assert usage_error("run", f"{module}:agent") == 2
    assert "standard input was empty" in capsys.readouterr().err


def test_a_tool_in_doubt_is_told_with_the_ways_on_of_the_command_line(
    module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    @ph.tool(effect="once")
    def pay() -> str:
        return "paid"

    path = tmp_path / "t.jsonl"
    with Script((None, tool_call("pay")), ("done",)).agent(pay).stream_sync("pay", tape=path) as run:
        run.finish()
    lines = path.read_bytes().splitlines(keepends=True)
    start = next(n for n, line in enumerate(lines) if b'"tool.start"' in line)
    path.write_bytes(b"".join(lines[: start + 1]))
    assert main(["run", f"{module}:payer", "pay", "--tape", str(path)]) == 1
    note = "On the command line: playhead run ... --in-doubt skip=TEXT, with its result, or --in-doubt rerun, "
    assert note in capsys.readouterr().err


def test_the_table_of_a_crash_test_fits_80_characters(capsys: pytest.CaptureFixture[str]) -> None:
    from playhead.cli.crashtest import _show
    from playhead.crashtest.points import WORDS
    from playhead.crashtest.report import SEVERAL, Report, Row

    rows = [Row(kind, *[1111] * 9) for kind in (*WORDS.values(), SEVERAL)]
    _show(Report(seed=0, stream=True, reference="", lines=9, tools={}, seconds=1.0, rows=rows), Console())
    first, second, *lines = capsys.readouterr().out.splitlines()
    assert first.split() == ["killed", "runs", "kills", "same", "asked", "paid", "in", "ran", "failed"]
    assert second.split() == ["again", "twice", "doubt", "twice"]
    assert max(map(len, (first, second, *lines))) <= 80


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no device that is always full")
def test_output_that_cannot_be_written_is_told(tape: Path) -> None:
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "playhead", "show", str(tape)]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
