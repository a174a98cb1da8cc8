"""A chat that is opened again is gone on with by the model that it was held with, and by no other unasked."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import playhead as ph
from chatwire import JSON, SSE, Script
from chatwire import stream as pieces
from playhead.cli import main
from playhead.http import Request, Response
from playhead.serve.http import ThreadedServer
from playhead.testing import Script as Wire
from playhead.testing import answer
from playhead.transport.memory import respond


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of its own, and one key: that of a provider that nobody has named."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for name in [name for name in os.environ if name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-nobody-named-it")


@pytest.fixture
def server() -> Iterator[Any]:
    """A server of one's own. It keeps what it was asked, and fails where the prompt says so for the first time."""
    asked: list[str] = []

    async def reply(request: Request) -> Response:
        body = json.loads(request.body)
        asked.append(body["messages"][-1]["content"])
        if asked.count("fail") == 1 and asked[-1] == "fail":
            return respond(401, b'{"error":{"message":"not today"}}', JSON)
        said = f"answer{len(asked)}"
        return respond(200, pieces(said), SSE)

    with ThreadedServer(reply) as running:
        running.asked = asked  # type: ignore[attr-defined]
        yield running


def chat(monkeypatch: pytest.MonkeyPatch, text: str, *argv: str) -> int:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    return main(["chat", *argv])


def held(provider: ph.Provider, wire: str = "openai_chat") -> None:
    """A chat of one turn with a provider of one's own."""
    script = Wire([answer("hi")], wire=wire)
    agent = ph.Agent("m1", provider=provider, transport=script)
    with agent.session("t.jsonl") as session:
        session.run_sync("hello")


@pytest.mark.parametrize("how", [["--tape", "t.jsonl"], ["--continue"]], ids=["tape", "continue"])
def test_a_server_of_ones_own_is_asked_again(
    how: list[str], server: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"compat:{server.url}/v1#vendor/m1"
    assert chat(monkeypatch, "hello\n", name, *(how if how != ["--continue"] else [])) == 0
    assert chat(monkeypatch, "and now?\n", *how) == 0
    out, err = capsys.readouterr()
    assert (server.asked, out) == (["hello", "and now?"], "answer1\nanswer2\n")
    assert not err


def test_a_turn_that_failed_is_gone_on_with_where_it_was_asked(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chat(monkeypatch, "fail\n", f"compat:{server.url}/v1#m1", "--tape", "t.jsonl") == 1
    assert chat(monkeypatch, "/resume\n", "--tape", "t.jsonl") == 0
    assert server.asked == ["fail", "fail"]


@pytest.mark.parametrize("wire", ["openai_chat", "openai_responses", "anthropic"])
def test_a_provider_of_ones_own_is_found_by_its_address(
    wire: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    provider = ph.Provider("mine", "http://box.test:8080/llm/v1?version=7", key_env=None, wire=wire)
    held(provider, wire)
    from playhead.cli._chat_model import model_to_go_on_with

    with ph.Agent("demo").session("t.jsonl") as session:
        name = model_to_go_on_with(session, "t.jsonl")
    assert name is not None
    model = ph.Agent(name).model
    assert model.provider.wire == wire
    assert model.url(stream=False) == ph.Model(provider, "m1").url(stream=False)
    assert chat(monkeypatch, "/model\n", "--tape", "t.jsonl") == 0
    assert capsys.readouterr().out == "the model is compat:m1\n"


def test_what_the_tape_does_not_tell_is_refused_and_nobody_else_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    held(ph.Provider("mine", "http://box.test:8080/v1beta", key_env=None, wire="gemini"), "gemini")
    before = Path("t.jsonl").read_bytes()
    assert chat(monkeypatch, "a secret\n", "--tape", "t.jsonl") == 1
    out, err = capsys.readouterr()
    assert not out
    assert "this chat was held with m1 at box.test:8080" in err
    assert "playhead chat PROVIDER:MODEL --tape" in err
    assert "t.jsonl'" in err
    assert Path("t.jsonl").read_bytes() == before


def test_a_turn_for_which_nobody_was_asked_is_nobodys(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The key was missing: the prompt is on the tape, and who it was for is not."""
    assert chat(monkeypatch, "a secret\n", "anthropic:claude-sonnet-4-5", "--tape", "t.jsonl") == 1
    assert chat(monkeypatch, "/resume\n", "--tape", "t.jsonl") == 1
    assert "a model that its tape does not name" in capsys.readouterr().err


def test_another_provider_is_told_the_conversation_where_somebody_names_it_and_that_is_said(
    server: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    held(ph.Provider("mine", "http://box.test:8080/v1", key_env=None))
    assert chat(monkeypatch, "more\n", f"compat:{server.url}/v1#m2", "--tape", "t.jsonl") == 0
    err = capsys.readouterr().err
    where = server.url.removeprefix("http://")
    assert f"m1 at box.test:8080 answered last; compat:m2 at {where} is told the conversation from here on" in err
    assert chat(monkeypatch, "more\n", f"compat:{server.url}/v1#m3", "--tape", "t.jsonl") == 0
    assert not capsys.readouterr().err, "the same server has it already"
    Path("mine.py").write_text("import playhead as ph\nagent = ph.Agent('openrouter:x/y')\n")
    assert chat(monkeypatch, "/model\n", "--agent", "mine.py:agent", "--tape", "t.jsonl") == 0
    assert f"m3 at {where} answered last; openrouter:x/y at openrouter.ai is told" in capsys.readouterr().err


def test_a_chat_with_a_known_provider_needs_no_address(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = Script(("hi",)).agent(model="openai:gpt-5-mini", api_key="sk-x")
    with agent.session("t.jsonl") as session:
        session.run_sync("hello")
    assert chat(monkeypatch, "/model\n", "--tape", "t.jsonl") == 0
    assert capsys.readouterr() == ("the model is openai:gpt-5-mini\n", "")
