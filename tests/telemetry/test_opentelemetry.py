"""Spans and metrics by OpenTelemetry's conventions, from hooks that are called as a run calls them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from spans import Backend

from playhead import (
    ConfigError,
    MediaPart,
    Message,
    MessageEnd,
    MessageStart,
    Model,
    ModelResponse,
    PartDelta,
    ProviderError,
    TextPart,
    ToolCallPart,
    ToolEnd,
    ToolResultPart,
    TransportError,
    TruncatedStream,
    Usage,
    system,
    user,
)
from playhead.agent.calling import AttemptMade
from playhead.agent.hooks import Hooks, RunInfo
from playhead.agent.result import RunResult, Step
from playhead.messages import ModelRequest, ToolSpec
from playhead.providers import find_provider, provider_names, resolve
from playhead.telemetry._attributes import error_type, provider_name

MODEL = Model(*resolve("compat:http://127.0.0.1:8099/v1#m"))
ADD = ToolCallPart("c1", "add", '{"a": 1}')
MUL = ToolCallPart("c2", "mul", '{"a": 2}')
SPECS = (ToolSpec("add", "Adds two numbers.", {}), ToolSpec("mul", "Multiplies.", {}))
USAGE = Usage(input_tokens=100, output_tokens=20, cache_read_tokens=64, cache_write_tokens=0, reasoning_tokens=7)
TALK = (system("be brief"), user("what is 1+1?"))


def info(agent: str | None = "sums", parent: RunInfo | None = None, **more: Any) -> RunInfo:
    return RunInfo(agent=agent, parent=parent, model="compat:m", **more)


def answer(*parts: Any, **more: Any) -> ModelResponse:
    told: dict[str, Any] = {"finish_reason": "stop", "usage": USAGE, "cost": 0.002, "id": "r1", "model": "m-0905"}
    return ModelResponse(Message("assistant", parts or (TextPart("2"),)), **(told | more))


def ask(hooks: Hooks, run: RunInfo, *, stream: bool = False, model: Model = MODEL, **settings: Any) -> None:
    hooks.request(run, ModelRequest(model.id, TALK, SPECS, settings, stream), model)


def call(hooks: Hooks, run: RunInfo, response: ModelResponse | None = None, **more: Any) -> None:
    """One model call, from its request to its end."""
    told: dict[str, Any] = {"model": MODEL, "effect": 0, "lane": run.lane, "duration_s": 0.25} | more
    ask(hooks, run, model=told["model"])
    hooks.attempt(run, AttemptMade(response=response, **told))


def tool_end(it: ToolCallPart, lane: str, *, played: bool = False, is_error: bool = False) -> ToolEnd:
    return ToolEnd(it, ToolResultPart(it.id, it.name, "2", is_error), lane, 0.1, played)


def test_a_run_has_a_span_with_its_model_calls_and_tools_below():
    backend, run = Backend(), info()
    hooks = backend.hooks
    hooks.run_start(run)
    call(hooks, run, answer(ADD, finish_reason="tool_calls"))
    with hooks.around_tool(run, ADD, "root/0.add"):
        pass
    hooks.event(run, tool_end(ADD, "root/0.add"))
    hooks.run_end(run, RunResult(steps=(Step(answer()),)), None)

    assert backend.tree() == {
        "invoke_agent sums": None,
        "chat m": "invoke_agent sums",
        "execute_tool add": "invoke_agent sums",
    }
    kinds = {span.name: span.kind for span in backend.spans}
    assert kinds == {
        "invoke_agent sums": SpanKind.INTERNAL,
        "chat m": SpanKind.CLIENT,
        "execute_tool add": SpanKind.INTERNAL,
    }
    assert {span.status.status_code for span in backend.spans} == {StatusCode.UNSET}


def test_a_model_call_says_what_was_asked_and_what_came():
    backend, run = Backend(), info(conversation="talk-7", tape="run.jsonl")
    hooks = backend.hooks
    hooks.run_start(run)
    how = {"max_tokens": 50, "temperature": 0, "top_k": 3, "seed": 9, "stop": "END"}
    ask(hooks, run, **how, response_format={"type": "json_schema", "json_schema": {}})
    hooks.attempt(run, AttemptMade(model=MODEL, response=answer(), effect=3, lane="root", duration_s=0.25))
    hooks.run_end(run, RunResult(), None)

    said = dict(backend.span("chat m").attributes or {})
    assert said == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "compat",
        "gen_ai.request.model": "m",
        "server.address": "127.0.0.1",
        "server.port": 8099,
        "gen_ai.conversation.id": "talk-7",
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.top_k": 3.0,
        "gen_ai.request.seed": 9,
        "gen_ai.request.stop_sequences": ("END",),
        "gen_ai.output.type": "json",
        "gen_ai.response.id": "r1",
        "gen_ai.response.model": "m-0905",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 64,
        "gen_ai.usage.cache_creation.input_tokens": 0,
        "gen_ai.usage.reasoning.output_tokens": 7,
        "playhead.cost_usd": 0.002,
        "playhead.cost_source": "reported",
        "playhead.effect": 3,
        "playhead.lane": "root",
    }
    whole = dict(backend.span("invoke_agent sums").attributes or {})
    assert whole["gen_ai.conversation.id"] == "talk-7"
    assert whole["playhead.tape"] == "run.jsonl"


def test_what_the_provider_does_not_say_is_left_out():
    backend, run = Backend(), info(agent=None)
    backend.hooks.run_start(run)
    call(backend.hooks, run, answer(usage=Usage(output_tokens=3), cost=None, id="", model=""))
    backend.hooks.run_end(run, RunResult(), None)
    said = dict(backend.span("chat m").attributes or {})
    assert said["gen_ai.usage.output_tokens"] == 3
    assert not {"gen_ai.usage.input_tokens", "gen_ai.response.id", "gen_ai.response.model", "playhead.cost_usd"} & {
        *said
    }
    assert backend.span("invoke_agent").attributes
    assert [point.attributes["gen_ai.token.type"] for point in backend.points("gen_ai.client.token.usage")] == [
        "output"
    ]


def test_metrics_have_the_names_the_buckets_and_the_attributes_of_the_conventions():
    backend, run = Backend(), info()
    backend.hooks.run_start(run)
    call(backend.hooks, run, answer())
    backend.hooks.run_end(run, RunResult(), None)

    (duration,) = backend.points("gen_ai.client.operation.duration")
    common = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "compat",
        "gen_ai.request.model": "m",
        "gen_ai.response.model": "m-0905",
        "server.address": "127.0.0.1",
        "server.port": 8099,
    }
    assert (duration.sum, duration.count, duration.attributes) == (0.25, 1, common)
    # https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-metrics.md
    assert duration.explicit_bounds == (
        *(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
    )
    tokens = {point.attributes["gen_ai.token.type"]: point for point in backend.points("gen_ai.client.token.usage")}
    assert {kind: point.sum for kind, point in tokens.items()} == {"input": 100, "output": 20}
    assert tokens["input"].attributes == common | {"gen_ai.token.type": "input"}
    assert tokens["input"].explicit_bounds == (
        *(1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864),
    )
    (whole,) = backend.points("gen_ai.invoke_agent.duration")
    assert whole.attributes == {"gen_ai.agent.name": "sums", "gen_ai.request.model": "m"}
    assert (whole.explicit_bounds[0], whole.explicit_bounds[-1], len(whole.explicit_bounds)) == (0.1, 409.6, 13)


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_the_time_to_the_first_chunk_is_told_of_streams_alone(stream):
    backend, run = Backend(), info(stream=stream)
    hooks = backend.hooks
    hooks.run_start(run)
    ask(hooks, run, stream=stream)
    events = (MessageStart("r1", "m"), PartDelta(0, "text", "2"), MessageEnd(answer()))
    for event in events if stream else events[2:]:
        hooks.event(run, event)
    hooks.attempt(run, AttemptMade(model=MODEL, response=answer(), lane="root", duration_s=1.0))
    hooks.run_end(run, RunResult(), None)
    said = backend.span("chat m").attributes or {}
    points = backend.points("gen_ai.client.operation.time_to_first_chunk")
    assert ("gen_ai.response.time_to_first_chunk" in said) is stream
    assert ("gen_ai.request.stream" in said) is stream
    assert len(points) == stream
    if stream:
        assert points[0].sum == said["gen_ai.response.time_to_first_chunk"] > 0


def test_parallel_tools_each_see_their_own_span_also_on_threads():
    backend, run = Backend(), info()
    hooks, seen = backend.hooks, {}

    def work(name: str) -> None:
        with backend.tracers.get_tracer("theirs").start_as_current_span(f"inside {name}"):
            seen[name] = trace.get_current_span().name

    async def one(it: ToolCallPart, lane: str) -> None:
        with hooks.around_tool(run, it, lane):
            await asyncio.sleep(0)
            await asyncio.to_thread(work, it.name)

    async def both() -> None:
        hooks.run_start(run)
        await asyncio.gather(one(ADD, "root/0.add"), one(MUL, "root/1.mul"))
        assert not trace.get_current_span().get_span_context().is_valid
        hooks.event(run, tool_end(MUL, "root/1.mul"))
        hooks.event(run, tool_end(ADD, "root/0.add"))
        hooks.run_end(run, RunResult(), None)

    asyncio.run(both())
    assert seen == {"add": "inside add", "mul": "inside mul"}
    tree = backend.tree()
    assert tree["inside add"] == "execute_tool add"
    assert tree["inside mul"] == "execute_tool mul"
    assert tree["execute_tool add"] == tree["execute_tool mul"] == "invoke_agent sums"
    assert len({span.context.trace_id for span in backend.spans}) == 1


def test_an_agent_inside_a_tool_stands_below_that_tool_and_the_caller_above_the_run():
    backend, run = Backend(), info("outer")
    hooks = backend.hooks
    nested = info("inner", run, lane="root/0.add")
    with backend.tracers.get_tracer("theirs").start_as_current_span("a request of mine"):
        hooks.run_start(run)
        with hooks.around_tool(run, ADD, "root/0.add"):
            hooks.run_start(nested)
            call(hooks, nested, answer())
            hooks.run_end(nested, RunResult(), None)
        hooks.event(run, tool_end(ADD, "root/0.add"))
        hooks.run_end(run, RunResult(), None)
    assert backend.tree() == {
        "a request of mine": None,
        "invoke_agent outer": "a request of mine",
        "execute_tool add": "invoke_agent outer",
        "invoke_agent inner": "execute_tool add",
        "chat m": "invoke_agent inner",
    }


def test_an_agent_that_is_handed_the_conversation_stands_below_the_one_that_hands_it_over():
    backend, run = Backend(), info("first")
    backend.hooks.run_start(run)
    second = info("second", run)
    backend.hooks.run_start(second)
    backend.hooks.run_end(second, RunResult(), None)
    backend.hooks.run_end(run, RunResult(), None)
    assert backend.tree() == {"invoke_agent first": None, "invoke_agent second": "invoke_agent first"}


def test_what_is_played_is_marked_and_not_measured():
    backend, run = Backend(), info()
    hooks = backend.hooks
    hooks.run_start(run)
    call(hooks, run, answer(ADD), played=True)
    hooks.event(run, tool_end(ADD, "root/0.add", played=True))
    hooks.run_end(run, RunResult(), None)
    assert {span.name: (span.attributes or {}).get("playhead.played") for span in backend.spans} == dict.fromkeys(
        ("invoke_agent sums", "chat m", "execute_tool add"), True
    )
    names = ("gen_ai.client.operation.duration", "gen_ai.client.token.usage", "gen_ai.execute_tool.duration")
    assert [backend.points(name) for name in (*names, "gen_ai.invoke_agent.duration")] == [[]] * 4


def test_a_resumed_run_marks_what_was_played_and_measures_what_happened():
    backend, run = Backend(), info()
    hooks = backend.hooks
    hooks.run_start(run)
    call(hooks, run, answer(ADD), played=True)
    with hooks.around_tool(run, ADD, "root/0.add"):
        pass
    hooks.event(run, tool_end(ADD, "root/0.add"))
    hooks.run_end(run, RunResult(), None)
    assert [span.name for span in backend.spans if (span.attributes or {}).get("playhead.played")] == ["chat m"]
    (tool,) = backend.points("gen_ai.execute_tool.duration")
    assert tool.attributes == {"gen_ai.tool.name": "add", "gen_ai.tool.type": "function", "gen_ai.agent.name": "sums"}
    assert len(backend.points("gen_ai.invoke_agent.duration")) == 1


def test_every_attempt_has_its_span_and_a_failed_one_its_error_and_what_it_used():
    backend, run = Backend(), info()
    hooks = backend.hooks
    hooks.run_start(run)
    busy = ProviderError("slow down", kind="rate_limit", status=429, retry_after=2.0)
    call(hooks, run, None, error=busy)
    cut = answer(usage=Usage(input_tokens=9), cost=None, finish_reason="other")
    call(hooks, run, None, error=TruncatedStream("cut"), partial=cut)
    call(hooks, run, answer())
    hooks.run_end(run, RunResult(), None)
    first, second, third = [dict(span.attributes or {}) for span in backend.spans if span.name == "chat m"]
    assert first["error.type"] == "rate_limit"
    assert first["http.response.status_code"] == 429
    assert first["playhead.retry_after_s"] == 2.0
    assert second["error.type"] == "truncated"
    assert second["gen_ai.usage.input_tokens"] == 9
    assert "gen_ai.response.finish_reasons" not in second
    assert "error.type" not in third
    kinds = [point.attributes.get("error.type") for point in backend.points("gen_ai.client.operation.duration")]
    assert sorted(kinds, key=str) == [None, "rate_limit", "truncated"]


def test_a_request_that_could_not_be_sent_does_not_stay_open():
    backend, run = Backend(), info()
    backend.hooks.run_start(run)
    ask(backend.hooks, run)
    call(backend.hooks, run, answer())
    ask(backend.hooks, run)
    backend.hooks.run_end(run, RunResult(), ConfigError("no such setting"))
    kinds = [(span.attributes or {}).get("error.type") for span in backend.spans if span.name == "chat m"]
    assert kinds == ["not_sent", None, "ConfigError"]
    assert backend.span("invoke_agent sums").status.status_code is StatusCode.ERROR


def test_a_run_that_is_cancelled_ends_all_its_spans():
    backend, run = Backend(), info()
    hooks = backend.hooks
    hooks.run_start(run)
    with pytest.raises(asyncio.CancelledError), hooks.around_tool(run, ADD, "root/0.add"):
        raise asyncio.CancelledError
    hooks.run_end(run, RunResult(), asyncio.CancelledError())
    assert {span.name: (span.attributes or {}).get("error.type") for span in backend.spans} == {
        "invoke_agent sums": "cancelled",
        "execute_tool add": "cancelled",
    }
    assert hooks._runs == {}


def test_a_tool_that_gives_an_error_says_so():
    backend, run = Backend(), info()
    hooks = backend.hooks
    hooks.run_start(run)
    ask(hooks, run)
    with hooks.around_tool(run, ADD, "root/0.add"):
        pass
    hooks.event(run, tool_end(ADD, "root/0.add", is_error=True))
    hooks.run_end(run, RunResult(), None)
    span = backend.span("execute_tool add")
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "add",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": "c1",
        "gen_ai.tool.description": "Adds two numbers.",
        "gen_ai.agent.name": "sums",
        "playhead.lane": "root/0.add",
        "error.type": "tool_error",
    }
    assert span.status.status_code is StatusCode.ERROR


@pytest.mark.parametrize("content", [False, True], ids=["without content", "with content"])
def test_what_was_said_goes_out_only_when_asked_for_and_never_a_key(content, monkeypatch):
    monkeypatch.setenv("COMPANY_API_KEY", "cmp-4711-0815-geheim")
    backend, run = Backend(content=content), info()
    hooks = backend.hooks
    hooks.run_start(run)
    said = user([TextPart("my key is cmp-4711-0815-geheim"), MediaPart("image/png", data=b"\x89PNG")])
    hooks.request(run, ModelRequest("m", (system("be brief"), said), SPECS, {}), MODEL)
    hooks.attempt(run, AttemptMade(model=MODEL, response=answer(TextPart("two"), ADD), lane="root", duration_s=0.1))
    with hooks.around_tool(run, ADD, "root/0.add"):
        pass
    hooks.event(run, tool_end(ADD, "root/0.add"))
    echo = ProviderError("no such key: cmp-4711-0815-geheim", kind="authentication", status=401)
    call(hooks, run, None, error=echo)
    hooks.run_end(run, RunResult(), echo)

    assert "geheim" not in backend.everything()
    chat = dict(next(span for span in backend.spans if span.name == "chat m").attributes or {})
    names = {"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"}
    assert names & {*chat} == (names if content else set())
    if not content:
        assert "brief" not in backend.everything()
        return
    assert json.loads(chat["gen_ai.system_instructions"]) == [{"type": "text", "content": "be brief"}]
    media = {"type": "playhead.bytes_left_out", "mime_type": "image/png", "modality": "image", "bytes": 4}
    assert json.loads(chat["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "my key is REDACTED"}, media]}
    ]
    asked_for = {"type": "tool_call", "id": "c1", "name": "add", "arguments": {"a": 1}}
    assert json.loads(chat["gen_ai.output.messages"]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "two"}, asked_for], "finish_reason": "stop"}
    ]
    tool = dict(backend.span("execute_tool add").attributes or {})
    assert (tool["gen_ai.tool.call.arguments"], tool["gen_ai.tool.call.result"]) == ('{"a": 1}', "2")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ProviderError("x", kind="overloaded"), "overloaded"),
        (TransportError("x", kind="timeout"), "timeout"),
        (ConfigError("x"), "ConfigError"),
        (KeyError("x"), "KeyError"),
        (GeneratorExit(), "cancelled"),
        (json.JSONDecodeError("x", "y", 0), "json.decoder.JSONDecodeError"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_an_error_is_told_by_its_kind(error, kind):
    assert error_type(error) == kind


def test_providers_have_the_names_of_the_conventions():
    # https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-spans.md
    well_known = {
        *("anthropic", "aws.bedrock", "azure.ai.openai", "cohere", "deepseek", "gcp.gemini", "gcp.vertex_ai", "groq"),
        *("mistral_ai", "moonshot_ai", "openai", "perplexity", "x_ai"),
    }
    names = {provider_name(find_provider(name).name) for name in provider_names()}
    assert well_known <= names
    assert not {"google", "vertex", "mistral", "xai", "azure", "bedrock", "moonshot"} & names


def test_a_missing_package_is_named_when_telemetry_is_used_and_not_before():
    code = """
import sys
sys.modules["opentelemetry"] = None
import playhead, playhead.agent.hooks, playhead.telemetry
try:
    playhead.telemetry.OpenTelemetry
except playhead.MissingDependency as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'playhead[otel]'" in done.stdout
