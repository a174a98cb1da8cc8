"""`playhead chat`, as somebody at a terminal and as a pipe see it."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import playhead as ph
from playhead.agent.conversation import conversation
from playhead.cli import main
from playhead.cli._chat_markdown import Growing
from playhead.cli._chat_paper import paper_for
from playhead.cli._chat_view import View
from playhead.cli._console import Console

TESTS = Path(__file__).parents[1]

AGENTS = """
import asyncio
import sys
sys.path.insert(0, {tests!r})
import playhead as ph
from chatwire import SSE, Script, stream, tool_call
from playhead.http import Response

@ph.tool(approve=True)
def delete(path: str) -> str:
    "Delete a file."
    return "deleted " + path

@ph.tool
def add(a: int, b: int) -> int:
    "Add."
    return a + b

def agent():
    return Script(
        ("Let me **see**.", tool_call("add", {{"a": 1, "b": 2}})), ("It is *three*.",), ("You are welcome.",)
    ).agent(add)

def deleting():
    return Script((None, tool_call("delete", {{"path": "x"}})), ("It is gone.",)).agent(delete)

def failing():
    return Script({{"status": 401, "body": b'{{"error":{{"message":"no such key"}}}}'}}, ("Now it works.",)).agent()

def retried():
    refused = {{
        "status": 429, "body": b'{{"error":{{"message":"slow"}}}}', "headers": (("retry-after", "0"),)
    }}
    return Script(refused, ("Here I am.",)).agent(retry=2)

class Hanging:
    "Answers the first time with a beginning only."
    asked = 0

    async def send(self, request):
        self.asked += 1
        return Response(200, SSE, self.first() if self.asked == 1 else self.second())

    async def first(self):
        for piece in stream("A long story")[:4]:
            yield piece
        await asyncio.sleep(60)

    async def second(self):
        for piece in stream("Gladly."):
            yield piece

    async def aclose(self):
        pass

hanging = ph.Agent("compat:http://script.test/v1#m", transport=Hanging())
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module with agents in the current folder, and a place for chats."""
    name = f"chatters_{os.urandom(4).hex()}.py"
    (tmp_path / name).write_text(AGENTS.format(tests=str(TESTS)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    return name


def piped(monkeypatch: pytest.MonkeyPatch, text: str, *argv: str) -> int:
    """Run a chat whose lines come from a pipe."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    return main(["chat", *argv])


class Screen:
    """A terminal with a chat in it."""

    def __init__(self, leader: int) -> None:
        self._leader = leader
        self.shown = ""
        self._read = 0

    def wait_for(self, text: str, again: str = "") -> str:
        """What was shown up to a text and since the last one, without colours.

        Args:
            again: a key that is pressed again where nothing comes: Python's readline can lose a signal that comes
                between its prompt and its waiting.
        """
        while (place := self.plain.find(text, self._read)) < 0:
            ready, _, _ = select.select([self._leader], [], [], 3 if again else 30)
            if not ready and again:
                self.write(again)
                again = ""
                continue
            assert ready, f"no {text!r} on the screen, but {self.plain[self._read :]!r}"
            try:
                more = os.read(self._leader, 65536)
            except OSError as error:  # Linux says so when the other end is closed.
                raise AssertionError(f"the chat ended before {text!r}: {self.plain[self._read :]!r}") from error
            self.shown += more.decode("utf-8", "replace")
        before, self._read = self.plain[self._read : place + len(text)], place + len(text)
        return before

    def write(self, text: str) -> None:
        os.write(self._leader, text.encode())

    def rest(self) -> str:
        """What is shown until the other end is closed."""
        try:
            while more := os.read(self._leader, 65536):
                self.shown += more.decode("utf-8", "replace")
        except OSError:
            pass
        return self.plain[self._read :]

    @property
    def plain(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|[\x01\x02]", "", self.shown).replace("\r\n", "\n")


@contextmanager
def on_a_terminal(*argv: str, codes: tuple[int, ...] = (0,)) -> Iterator[Screen]:
    """A command on a terminal, which must end with one of these codes."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    command = [sys.executable, "-m", "playhead", *argv]
    # With a session of its own, Ctrl-C on that terminal reaches it.
    done = subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=follower, env=environment, start_new_session=True,
        preexec_fn=_own_terminal,
    )  # fmt: skip
    os.close(follower)
    try:
        screen = Screen(leader)
        yield screen
        screen.rest()
        assert done.wait(30) in codes, screen.plain
    finally:
        if done.poll() is None:
            done.send_signal(signal.SIGKILL)
            done.wait()
        os.close(leader)


def _own_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_each_line_of_a_pipe_is_a_turn_and_the_answers_are_plain(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert piped(monkeypatch, "what is 1 + 2?\n\nthanks\n", "--agent", f"{module}:agent", "--tape", "t.jsonl") == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == "Letme**see**."
    assert lines[1].startswith("-> add(a=1, b=2): 3  (")
    assert lines[2:] == ["Itis*three*.", "Youarewelcome."]
    assert "\x1b" not in out + err
    assert [turn.prompt for turn in conversation(ph.load_tape("t.jsonl"))] == ["what is 1 + 2?", "thanks"]


def test_a_line_may_go_on_in_the_next_one(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = 'one \\\ntwo\n"""three\n  four\n"""\n'
    assert piped(monkeypatch, said, "--agent", f"{module}:agent", "--tape", "t.jsonl") == 0
    assert [turn.prompt for turn in conversation(ph.load_tape("t.jsonl"))] == ["one \ntwo", "three\n  four"]


def test_without_a_key_the_demo_answers_and_tells_that_it_is_a_recording(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert piped(monkeypatch, "Add and multiply the number 2 and 3\n", "--tape", "t.jsonl") == 0
    out, err = capsys.readouterr()
    assert out.endswith("The function results are 5 and 6.\n")
    assert "-> add(a=2, b=3): 5" in out
    assert "is a recording" in err


def test_commands_show_and_change_the_conversation(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = (
        "hi\n/history\n/cost\n/undo\n/history\n/model demo\n/system be brief\n/system -\n/tape\n/help\n/quit\nnever"
    )
    assert piped(monkeypatch, said, "--agent", f"{module}:agent", "--tape", "t.jsonl") == 0
    out = capsys.readouterr().out
    for line in (
        "1 > hi\n    Itis*three*.  (1 tool call)\n",
        "2 attempts",
        "dropped: hi\nnothing was said yet\n",
        "the model is demo:qwen2.5-coder-0.5b-instruct\nbe brief\nthere is no system prompt\n",
        "t.jsonl: 0 turns, ",
        "/undo [N] ",
    ):
        assert line in out
    assert "never" not in out


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("/dance", "there is no command /dance. There are: /fork, /undo,"),
        ("/undo 9", "there is no turn to undo"),
        ("/undo x", "/undo takes a whole number from 1 on, not 'x'"),
        ("/cost now", "/cost takes nothing behind it"),
        ("/model nope", "model 'nope' does not say its provider"),
        ("/resume", "there is no turn to go on with"),
    ],
    ids=lambda value: value.partition(" ")[0].strip("/"),
)
def test_what_cannot_be_done_is_a_sentence_and_the_chat_goes_on(
    line: str, says: str, module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = f"{line}\nhi\n"
    assert piped(monkeypatch, said, "--agent", f"{module}:agent", "--tape", "t.jsonl") == 1
    out, err = capsys.readouterr()
    assert says in err
    assert "Traceback" not in err
    assert out.endswith("Itis*three*.\n")


def test_a_turn_that_failed_is_told_and_may_be_gone_on_with(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PLAYHEAD_COMPAT_API_KEY", "sk-never-to-be-shown")
    assert piped(monkeypatch, "hi\n/resume\n", "--agent", f"{module}:failing", "--tape", "t.jsonl") == 1
    out, err = capsys.readouterr()
    assert out == "Nowitworks.\n"
    assert "answered 401: no such key" in err
    assert "never-to-be-shown" not in out + err


def test_retries_are_told_in_words(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert piped(monkeypatch, "hi\n", "--agent", f"{module}:retried", "--tape", "t.jsonl") == 0
    out, err = capsys.readouterr()
    assert out == "HereIam.\n"
    assert "! rate limited, trying again" in err


def test_a_chat_is_gone_on_with_and_forked(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = ("--agent", f"{module}:agent")
    assert piped(monkeypatch, "first\n", *agent) == 0
    assert piped(monkeypatch, "second\n/fork 1\nother\n", *agent, "--continue") == 0
    kept = sorted(Path("data/playhead/chats").glob("*.jsonl"), key=lambda path: len(path.name))
    prompts = [[turn.prompt for turn in conversation(ph.load_tape(path))] for path in kept]
    assert prompts == [["first", "second"], ["first", "other"]]
    assert "fork-1.jsonl now, with 1 turn" in capsys.readouterr().out
    assert Path("data/playhead/chats").stat().st_mode & 0o077 == 0


def test_approvals_cannot_be_asked_in_a_pipe_and_the_code_says_so(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert piped(monkeypatch, "rm x\nmore\n", "--agent", f"{module}:deleting", "--tape", "t.jsonl") == 3
    out, err = capsys.readouterr()
    assert "1 tool call of delete waits for approval" in err
    assert "gone" not in out


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--continue"], "there is no chat yet"),
        (["--tools", "math"], "'math' has no tools"),
        (["--tools", "no_such_module"], "there is no module"),
        (["--tools", "MODULE", "--agent", "MODULE:agent"], "the agent has its own"),
        (["nope"], "does not say its provider"),
        (["--continue", "--tape", "t.jsonl"], "not allowed with"),
    ],
    ids=["continue", "no tools", "no module", "tools and agent", "model", "two tapes"],
)
def test_wrong_usage_of_chat_exits_with_2(
    argv: list[str], says: str, module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        piped(monkeypatch, "hi\n", *(word.replace("MODULE", module) for word in argv))
    assert caught.value.code == 2
    assert says in capsys.readouterr().err


def test_tools_come_from_a_module_by_mark_or_by_name(module: str, tmp_path: Path) -> None:
    from argparse import Namespace

    from playhead.cli._chat_setup import tools_of

    (tmp_path / "named_tools.py").write_text("__all__ = ['b']\ndef a(): 'A.'\ndef b(): 'B.'\n")
    assert sorted(tool.name for tool in tools_of(module, Namespace())) == ["add", "delete"]
    assert [tool.__name__ for tool in tools_of("named_tools.py", Namespace())] == ["b"]


def test_on_a_terminal_markdown_is_drawn_and_calls_stand_in_a_line(module: str) -> None:
    with on_a_terminal("chat", "--agent", f"{module}:agent", "--tape", "t.jsonl") as screen:
        screen.wait_for("> ")
        screen.write("what is 1 + 2?\r")
        screen.wait_for("tokens in")
        screen.wait_for("> ")
        screen.write("\x04")
    assert "\x1b[1msee\x1b[0m" in screen.shown
    assert "\x1b[3mthree\x1b[0m" in screen.shown
    assert "-> add(a=1, b=2): 3  (" in screen.plain
    assert "on tape: playhead chat --tape t.jsonl goes on" in screen.plain


def test_without_colour_a_terminal_is_plain(module: str) -> None:
    with on_a_terminal("chat", "--no-color", "--agent", f"{module}:agent", "--tape", "t.jsonl") as screen:
        screen.wait_for("> ")
        screen.write("hi\r")
        screen.wait_for("Itis*three*.")
        screen.wait_for("> ")
        screen.write("/quit\r")
    assert not re.search(r"\x1b\[[0-9;]*m", screen.shown)


def test_ctrl_c_stops_the_answer_and_the_talk_goes_on(module: str) -> None:
    with on_a_terminal("chat", "--agent", f"{module}:hanging", "--tape", "t.jsonl", codes=(130,)) as screen:
        screen.wait_for("> ")
        screen.write("tell me a story\r")
        screen.wait_for("Along")
        screen.write("\x03")
        screen.wait_for("(stopped; Ctrl-C again leaves)")
        screen.wait_for("> ")
        screen.write("another one?\r")
        screen.wait_for("Gladly.")
        screen.wait_for("> ")
        screen.write("\x03")
        screen.wait_for("(Ctrl-C again, or Ctrl-D, leaves)", again="\x03")
        screen.write("\x03")
    first, second = conversation(ph.load_tape("t.jsonl"))
    assert (first.ended, first.text[:5]) == ("cancelled", "Along")
    assert (second.ended, second.text) == (None, "Gladly.")


@pytest.mark.parametrize(
    ("keys", "result"),
    [
        (["y\r"], "deleted x"),
        (["a\r"], "deleted x"),
        (["huh\r", "n it is needed\r"], "it is needed"),
        (["e\r", '\x15{"path": 1\r', '\x15{"path": "y"}\r'], "deleted y"),
    ],
    ids=["yes", "always", "no", "edit"],
)
def test_approvals_are_asked_on_a_terminal(keys: list[str], result: str, module: str) -> None:
    with on_a_terminal("chat", "--agent", f"{module}:deleting", "--tape", "t.jsonl") as screen:
        screen.wait_for("> ")
        screen.write("rm x\r")
        screen.wait_for('? delete(path="x")')
        for key in keys:
            screen.wait_for("arguments: " if key.startswith("\x15") else "[a]lways: ")
            screen.write(key)
        screen.wait_for("Itisgone.")
        screen.wait_for("> ")
        screen.write("\x04")
    (turn,) = conversation(ph.load_tape("t.jsonl"))
    assert result in turn.said[2].parts[0].text  # type: ignore[union-attr]
    assert screen.plain.count("-> delete(") == 1


def test_a_chat_that_waits_for_approval_asks_when_it_is_opened_again(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer before the pause is on the tape: another agent, that has only the rest to say, goes on with it."""
    Path("rest.py").write_text(f"import {module[:-3]} as m\nagent = m.Script(('It is gone.',)).agent(m.delete)\n")
    assert piped(monkeypatch, "rm x\n", "--agent", f"{module}:deleting", "--tape", "t.jsonl") == 3
    with on_a_terminal("chat", "--agent", "rest.py:agent", "--tape", "t.jsonl") as screen:
        screen.wait_for("the last turn waits for approval:")
        screen.wait_for("[a]lways: ")
        screen.write("\x04")
        screen.wait_for("(left waiting: /resume asks again")
        screen.wait_for("> ")
        screen.write("/resume\r")
        screen.wait_for("[a]lways: ")
        screen.write("y\r")
        screen.wait_for("Itisgone.")
        screen.wait_for("> ")
        screen.write("\x04")
    assert [turn.ended for turn in conversation(ph.load_tape("t.jsonl"))] == [None]


def test_lines_that_are_pasted_are_one_turn(module: str) -> None:
    with on_a_terminal("chat", "--agent", f"{module}:agent", "--tape", "t.jsonl") as screen:
        screen.wait_for("> ")
        screen.write("\x1b[200~one\n\ttwo\nthree\x1b[201~\r")
        screen.wait_for("three.")
        screen.wait_for("> ")
        screen.write("/quit\r")
    assert [turn.prompt for turn in conversation(ph.load_tape("t.jsonl"))] == ["one\n\ttwo\nthree"]


def test_the_tape_of_a_fork_is_put_in_its_place(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where its format is one that cannot be appended to."""
    assert piped(monkeypatch, "hi\n/fork f.yaml\nand now?\n", "--agent", f"{module}:agent", "--tape", "t.jsonl") == 0
    assert [turn.prompt for turn in conversation(ph.load_tape("f.yaml"))] == ["hi", "and now?"]
    assert not Path("f.yaml.part").exists()


def test_tab_completes_commands_and_the_lines_of_earlier_chats_are_kept(module: str) -> None:
    pytest.importorskip("readline")
    chat = ("chat", "--agent", f"{module}:agent", "--tape", "t.jsonl")
    Path("data/playhead").mkdir(parents=True)
    with on_a_terminal(*chat) as screen:
        screen.wait_for("> ")
        screen.write("/hist\t\r")
        screen.wait_for("nothing was said yet")
        screen.wait_for("> ")
        screen.write("/quit\r")
    assert Path("data/playhead/chat_history").read_text().splitlines()[-2:] == ["/history", "/quit"]
    assert Path("data/playhead/chat_history").stat().st_mode & 0o077 == 0
    with on_a_terminal(*chat) as screen:
        screen.wait_for("> ")
        screen.write("\x1b[A\x1b[A\r")
        screen.wait_for("nothing was said yet")
        screen.wait_for("> ")
        screen.write("\x04")


def shown(capsys: pytest.CaptureFixture[str], *events: ph.Event, again: tuple[ph.Event, ...] = ()) -> tuple[str, str]:
    """What a pipe gets of a turn, and of the same turn when it is gone on with."""
    console = Console()
    view = View(paper_for(console))
    view.begins()
    with view.turn():
        for event in events:
            view.show(event)
    if again:
        view.begins(again=True)
        with view.turn():
            for event in again:
                view.show(event)
    return capsys.readouterr()


def answer(text: str, kind: Literal["text", "reasoning"] = "text") -> list[ph.Event]:
    return [ph.MessageStart("", "m"), ph.PartDelta(0, kind, text)]


END = ph.MessageEnd(ph.ModelResponse(ph.Message("assistant")))
CALL = ph.ToolCallPart("c", "add", '{"a": 1}')
RESULT = ph.ToolResultPart("c", "add", "two\nlines")


def test_reasoning_is_folded_into_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = shown(capsys, *answer("I think so", "reasoning"), ph.PartDelta(1, "text", "Yes."), END)
    assert out == "(thought: 3 words)\nYes.\n"


def test_what_does_not_count_any_more_is_said_to_be_so(capsys: pytest.CaptureFixture[str]) -> None:
    failed = ph.AttemptFailed("it broke", "truncated", "a:m", "b:m")
    out, err = shown(capsys, *answer("Wro"), failed, ph.StreamReset("it broke"), *answer("Right."), END)
    assert out == "Wro\nRight.\n"
    assert err.splitlines() == [
        "! a:m: the answer broke off, asking b:m instead",
        "~ the answer begins anew; what stands above of it does not count (it broke)",
    ]


def test_a_tool_call_is_one_line_and_so_is_each_thing_that_it_tells(capsys: pytest.CaptureFixture[str]) -> None:
    inside = ph.Nested("root/0.sub", "helper", ph.ToolEnd(CALL, RESULT, "root/0.sub/0.add", 0.5))
    out, _ = shown(
        capsys,
        ph.ToolStart(CALL, "root/0.add"),
        ph.ToolProgress(CALL, "root/0.add", "half\nway", 0.5),
        inside,
        ph.ToolEnd(CALL, RESULT, "root/0.add", 1.5),
    )
    assert out.splitlines() == [
        ".. add: half way 50%",
        "->   helper: add(a=1): two lines  (500.0 ms)",
        "-> add(a=1): two lines  (1.50 s)",
    ]


def test_what_was_shown_before_a_pause_is_not_shown_again(capsys: pytest.CaptureFixture[str]) -> None:
    """A turn that is gone on with is played from its beginning."""
    ended = ph.ToolEnd(CALL, RESULT, "root/0.add", 1.5)
    first = [*answer("Before."), END, ph.ToolStart(CALL, "root/0.add"), ended]
    pending = ph.ToolEnd(CALL, RESULT, "root/1.add", 1.5)
    out, _ = shown(capsys, *first, again=(*first, pending, *answer("After."), END))
    assert out.splitlines() == ["Before.", *["-> add(a=1): two lines  (1.50 s)"] * 2, "After."]


MARKDOWN = """# Title

A paragraph of *two*
lines.

1. one
1. two
   - below

   and more
1. three

```python
x = '''
{}
'''
```
| a | b |
|---|---|
| 1 | 2 |

the end""".format("\n".join(str(n) for n in range(30)))


def written(pieces: list[str]) -> str:
    """What stands on the terminal in the end."""
    from rich.console import Console

    from playhead.cli._chat_rich import drawn

    growing, screen = Growing(), Console(file=io.StringIO(), width=60, color_system=None)
    blocks = [block for piece in pieces for block in growing.feed(piece)] + growing.finish()
    for n, block in enumerate(blocks):
        if n and not block.goes_on:
            screen.print()
        screen.print(drawn(block), end="")
    return screen.file.getvalue()  # type: ignore[attr-defined]


@settings(deadline=None)
@given(st.lists(st.integers(1, len(MARKDOWN) - 1)))
def test_what_is_written_for_good_does_not_depend_on_how_the_answer_was_cut(places: list[int]) -> None:
    cuts = [0, *sorted(set(places)), len(MARKDOWN)]
    shown = written([MARKDOWN[a:b] for a, b in pairwise(cuts)])
    assert shown == written([MARKDOWN])
    lines = [line.strip() for line in shown.splitlines()]
    assert lines[:9] == [
        "Title",
        "",
        "A paragraph of two lines.",
        "",
        "1 one",
        "2 two",
        "• below",
        "and more",
        "3 three",
    ]
    assert lines[10:42] == ["x = '''", *map(str, range(30)), "'''"]
    assert lines[-2:] == ["", "the end"]


def test_nothing_of_an_answer_is_swallowed() -> None:
    shown = written(
        ["<div>\n<b>html</b> & [ref][1] ![img](http://x/y.png)\n</div>\n\n[link](http://z/?a=b)\n\n```\n\n```"]
    )
    for word in ("<div>", "<b>html</b>", "&", "[ref][1]", "img", "</div>", "link", "http://z/?a=b"):
        assert word in shown


def test_long_lists_and_code_are_written_before_they_end() -> None:
    """What is under way stays shorter than a screen."""
    growing = Growing()
    for n in range(50):
        growing.feed(f"- item {n}\n")
    assert growing.rest is not None
    assert growing.rest.source == "- item 49\n"
    growing.feed("\n```\n" + "line\n" * 50)
    assert growing.rest is not None
    assert growing.rest.source.count("\n") - growing.rest.shown < 8


def test_a_model_cannot_steer_the_terminal_of_a_chat(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("steering.py").write_text(
        f"import sys\nsys.path.insert(0, {str(TESTS)!r})\nfrom chatwire import Script\n"
        "agent = Script(('\\x1b[2Jgone\\x07',)).agent()\n"
    )
    assert piped(monkeypatch, "hi\n", "--agent", "steering.py:agent", "--tape", "t.jsonl") == 0
    assert capsys.readouterr().out == "[2Jgone\n"
