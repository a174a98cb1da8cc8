"""Real runs that are watched: live over a server on this machine, streamed or not, replayed, nested and failing."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from pathlib import Path

import pytest
from opentelemetry import trace
from spans import Backend

import playhead as ph
from chatwire import JSON, SSE, Script, message, stream, tool_call
from playhead.agent.handoff import handoff
from playhead.http import Request, Response
from playhead.serve.http import ThreadedServer
from playhead.telemetry import LoggingHooks
from playhead.transport.memory import respond


def watched(script: Script, backend: Backend, *tools, **more) -> ph.Agent:
    return script.agent(*tools, hooks=[backend.hooks], **more)


def add(a: int, b: int) -> int:
    """Adds two numbers."""
    with trace.get_tracer("theirs").start_as_current_span("adding"):
        return a + b


async def add_later(a: int, b: int) -> int:
    """Adds two numbers."""
    await asyncio.sleep(0)
    return add(a, b)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_live_run_and_its_replay_have_the_same_spans(streamed: bool, tmp_path: Path):
    asked: list[Request] = []

    async def provider(request: Request) -> Response:
        asked.append(request)
        said = ("", tool_call("add", {"a": 1, "b": 2})) if len(asked) == 1 else ("it is 3",)
        if json.loads(request.body).get("stream"):
            return respond(200, stream(*said), SSE)
        return respond(200, json.dumps(message(*said)).encode(), JSON)

    def run(backend: Backend, url: str) -> None:
        agent = ph.Agent(f"compat:{url}/v1#m", tools=[add], name="sums", hooks=[backend.hooks])
        if streamed:
            with agent.stream_sync("1+2?", tape=tmp_path / "t.jsonl") as going:
                for _ in going:
                    pass
        else:
            agent.run_sync("1+2?", tape=tmp_path / "t.jsonl")

    with ThreadedServer(provider) as server:
        live, played = Backend(), Backend()
        run(live, server.url)
        run(played, server.url)
        port = int(server.url.rpartition(":")[2])
    assert len(asked) == 2
    expected = {"invoke_agent sums": None, "chat m": "invoke_agent sums", "execute_tool add": "invoke_agent sums"}
    assert live.tree() == played.tree() == expected
    assert Counter(span.name for span in live.spans)["chat m"] == 2
    for span in live.spans:
        assert "playhead.played" not in (span.attributes or {})
    for span in played.spans:
        assert (span.attributes or {})["playhead.played"] is True
    chat = next(dict(span.attributes or {}) for span in live.spans if span.name == "chat m")
    assert (chat["server.port"], chat["playhead.cost_usd"], chat["gen_ai.usage.input_tokens"]) == (port, 0.001, 10)
    assert ("gen_ai.response.time_to_first_chunk" in chat) is streamed
    assert sum(point.sum for point in live.points("gen_ai.client.token.usage")) == 30
    assert played.points("gen_ai.client.token.usage") == []
    whole = dict(live.span("invoke_agent sums").attributes or {})
    assert (whole["gen_ai.usage.input_tokens"], whole["playhead.cost_usd"]) == (20, 0.002)


@pytest.mark.parametrize("tool", [add, add_later], ids=["on a thread", "in a task"])
def test_the_spans_of_a_tools_own_code_stand_below_the_tool(tool, monkeypatch):
    backend = Backend()
    monkeypatch.setattr(trace, "get_tracer", lambda name: backend.tracers.get_tracer(name))
    twice = (tool_call(tool.__name__, {"a": 1, "b": 2}, "c1"), tool_call(tool.__name__, {"a": 3, "b": 4}, "c2"))
    watched(Script(("", *twice), ("done",)), backend, tool, name="sums").run_sync("go")
    tools = {span.context.span_id for span in backend.spans if span.name.startswith("execute_tool")}
    inside = [span.parent.span_id for span in backend.spans if span.name == "adding"]
    assert len(tools) == 2
    assert set(inside) == tools


def test_an_agent_inside_a_tool_has_its_run_below_that_tool():
    backend = Backend()
    inner = watched(Script(("42",)), backend, name="inner")
    outer = Script(("", tool_call("inner", {"prompt": "the answer?"})), ("it is 42",))
    watched(outer, backend, inner.as_tool(), name="outer").run_sync("go")
    tree = backend.tree()
    assert tree["invoke_agent inner"] == "execute_tool inner"
    assert tree["execute_tool inner"] == "invoke_agent outer"
    assert sorted(
        names[span.parent.span_id]
        for names in [{span.context.span_id: span.name for span in backend.spans}]
        for span in backend.spans
        if span.name == "chat m"
    ) == ["invoke_agent inner", "invoke_agent outer", "invoke_agent outer"]


def test_an_attempt_that_is_made_again_has_a_span_of_its_own():
    backend = Backend()
    refused = {
        "status": 429,
        "body": b'{"error": {"message": "slow down"}}',
        "headers": (("Retry-After", "0"), *JSON),
    }
    agent = watched(Script(refused, ("fine",)), backend, name="sums", retry=ph.Retry(attempts=2, base_s=0.001))
    assert agent.run_sync("go").text == "fine"
    kinds = [(span.attributes or {}).get("error.type") for span in backend.spans if span.name == "chat m"]
    assert kinds == ["rate_limit", None]


def test_a_run_that_fails_says_so_and_leaves_nothing_open():
    backend = Backend()
    refused = {"status": 401, "body": b'{"error": {"message": "no such key sk-echo"}}', "headers": JSON}
    with pytest.raises(ph.ProviderError):
        watched(Script(refused), backend, name="sums", api_key="sk-echo").run_sync("go")
    assert {(span.attributes or {}).get("error.type") for span in backend.spans} == {"authentication"}
    assert "sk-echo" not in backend.everything()
    assert backend.hooks._runs == {}


def test_a_run_that_is_left_in_the_middle_leaves_nothing_open():
    backend = Backend()
    with watched(Script(("one two three",)), backend, name="sums").stream_sync("go") as run:
        next(iter(run))
    kinds = {span.name: (span.attributes or {}).get("error.type") for span in backend.spans}
    assert kinds == {"invoke_agent sums": "cancelled", "chat m": "cancelled"}
    assert backend.hooks._runs == {}


def test_the_events_of_a_watched_run_are_those_of_one_that_nobody_watches():
    def events(**more) -> list[ph.Event]:
        script = Script(("", tool_call("add", {"a": 1, "b": 2})), ("3",))
        with script.agent(add, **more).stream_sync("go") as run:
            return [event for event in run if not isinstance(event, ph.ToolEnd)]

    told: list[ph.Event] = []
    assert events() == events(hooks=[Backend().hooks, told.append])
    assert len(told) > 8


def test_the_logger_tells_of_a_run_and_keeps_its_key(caplog, monkeypatch):
    monkeypatch.setenv("PLAYHEAD_COMPAT_API_KEY", "sk-compat-in-the-environment")
    caplog.set_level(logging.DEBUG, "playhead")
    refused = {"status": 401, "body": b'{"error": {"message": "no key given-key-4711"}}', "headers": JSON}
    with pytest.raises(ph.ProviderError):
        Script(refused).agent(name="sums", api_key="given-key-4711", hooks=[LoggingHooks()]).run_sync("hello")
    said = [record.getMessage() for record in caplog.records if record.name == "playhead"]
    assert any("begins: agent 'sums'" in line for line in said)
    assert any("failed with ProviderError (authentication, status 401)" in line for line in said)
    assert "given-key" not in caplog.text
    assert "sk-compat" not in caplog.text
    assert "hello" not in caplog.text


def test_a_run_is_watched_to_its_end_also_where_another_agent_goes_on():
    backend = Backend()
    second = Script().agent(name="second")
    script = Script(("", tool_call("transfer_to_second")), ("good bye",))
    first = watched(script, backend, handoff(second), name="first")
    with backend.tracers.get_tracer("theirs").start_as_current_span("a request of mine"):
        first.run_sync("go")
    names = Counter(span.name for span in backend.spans)
    assert names == {
        "a request of mine": 1,
        "invoke_agent first": 1,
        "chat m": 2,
        "execute_tool transfer_to_second": 1,
    }
    assert backend.tree()["invoke_agent first"] == "a request of mine"


def test_an_agent_inside_a_tool_is_watched_by_those_who_watch_the_run_around_it():
    backend = Backend()
    inner = Script(("42",)).agent(name="inner")
    outer = Script(("", tool_call("inner", {"prompt": "the answer?"})), ("it is 42",))
    watched(outer, backend, inner.as_tool(), name="outer").run_sync("go")
    assert backend.tree()["invoke_agent inner"] == "execute_tool inner"


def test_every_run_writes_to_the_logger_where_it_is_enabled(caplog):
    caplog.set_level(logging.DEBUG, "playhead")
    Script(("fine",)).agent(name="sums").run_sync("hello")
    said = [record.getMessage() for record in caplog.records if record.name == "playhead"]
    assert any("begins: agent 'sums'" in line for line in said)
    assert any("compat:m answered (stop)" in line for line in said)
