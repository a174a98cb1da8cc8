"""Running an agent: four ways in, one implementation, and nothing lost by an error."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import playhead as ph
from chatwire import JSON, SSE, Script, stream, tool_call
from playhead.events import MessageEnd, PartDelta
from playhead.http import Request, Response
from playhead.transport.memory import MemoryTransport, respond


@ph.tool
def add(a: int, b: int) -> int:
    return a + b


CALL = tool_call("add", {"a": 1, "b": 2})


def script() -> Script:
    return Script(("let me see", CALL), ("it is 3",))


def test_four_ways_to_run_give_the_same_result() -> None:
    async def streamed() -> ph.RunResult:
        async with script().agent(add).stream("go") as run:
            async for _ in run:
                pass
        return run.result

    with script().agent(add).stream_sync("go") as run:
        for _ in run:
            pass
    results = [
        asyncio.run(script().agent(add).run("go")),
        script().agent(add).run_sync("go"),
        asyncio.run(streamed()),
        run.result,
    ]
    for result in results:
        assert (result.text.replace(" ", ""), result.finish_reason) == ("itis3", "stop")
        assert [message.role for message in result.messages] == ["user", "assistant", "tool", "assistant"]
        assert (result.usage.input_tokens, result.usage.output_tokens, result.cost) == (20, 10, 0.002)
        assert len(result.steps) == 2
        assert result.tape is not None
        assert [type(effect).__name__ for effect in result.tape.effects] == ["Interaction", "ToolRun", "Interaction"]


def test_a_stream_goes_on_after_the_first_text() -> None:
    with script().agent(add).stream_sync("go") as run:
        kinds = [type(event).__name__ for event in run]
    assert kinds.count("MessageStart") == kinds.count("MessageEnd") == 2
    assert kinds.index("ToolStart") > kinds.index("MessageEnd")
    assert kinds[-1] == "MessageEnd"


def test_run_sync_works_where_an_event_loop_runs_already() -> None:
    async def notebook() -> str:
        return script().agent(add).run_sync("go").text

    assert asyncio.run(notebook()) == "it is 3"


def test_stream_sync_says_what_to_do_where_an_event_loop_runs() -> None:
    async def notebook() -> None:
        with script().agent(add).stream_sync("go"):
            pass

    with pytest.raises(ph.ConfigError, match="async with"):
        asyncio.run(notebook())


def test_the_result_is_there_when_the_run_has_ended_and_not_before() -> None:
    async def main() -> None:
        async with script().agent(add).stream("go") as run:
            with pytest.raises(ph.RunError, match="has not ended"):
                _ = run.result
            assert (await run.finish()).text.endswith("3")
            assert run.result.finish_reason == "stop"

    asyncio.run(main())


def test_a_conversation_goes_on_from_its_messages() -> None:
    it = Script(("one",), ("two",))
    agent = it.agent(system="be short")
    first = agent.run_sync("first")
    agent.run_sync("second", messages=first.messages)
    assert [m["role"] for m in it.requests[1]["messages"]] == ["system", "user", "assistant", "user"]


def test_media_and_text_can_be_asked_together() -> None:
    it = Script(("a cat",))
    it.agent().run_sync(
        ["what is this?", ph.MediaPart("image/png", b"x"), ph.MediaPart("image/jpeg", url="http://x/y")]
    )
    content = it.requests[0]["messages"][0]["content"]
    assert [piece["type"] for piece in content] == ["text", "image_url", "image_url"]
    assert content[2]["image_url"]["url"] == "http://x/y"


def test_settings_are_sent_and_a_runs_own_go_over_the_agents() -> None:
    it = Script(("x",), ("x",))
    agent = it.agent(max_tokens=10, settings={"temperature": 0.5, "extra_body": {"top_k": 3}})
    agent.run_sync("go")
    agent.run_sync("go", settings={"temperature": 0, "extra_headers": {"X-Mine": "1"}})
    assert {key: it.requests[0][key] for key in ("max_tokens", "temperature", "top_k")} == {
        "max_tokens": 10,
        "temperature": 0.5,
        "top_k": 3,
    }
    assert it.requests[1]["temperature"] == 0
    assert ("X-Mine", "1") in it.transport.requests[1].headers


def test_openrouters_options_go_where_they_belong() -> None:
    it = Script(("x",))
    options = {
        "provider": {"order": ["Groq"]},
        "models": ["a", "b"],
        "reasoning": {"effort": "low"},
        "referer": "https://app",
        "title": "App",
    }
    agent = it.agent(model="openrouter:m", api_key="k", options=options)
    agent.run_sync("go")
    body = it.requests[0]
    assert body["usage"] == {"include": True}
    assert (body["provider"], body["models"], body["reasoning"]) == (
        {"order": ["Groq"]},
        ["a", "b"],
        {"effort": "low"},
    )
    headers = dict(it.transport.requests[0].headers)
    assert (headers["HTTP-Referer"], headers["X-Title"]) == ("https://app", "App")
    assert headers["Authorization"] == "Bearer k"
    assert it.transport.requests[0].url == "https://openrouter.ai/api/v1/chat/completions"


def test_the_effort_of_reasoning_is_one_setting_for_all_providers() -> None:
    it = Script(("x",), ("x",))
    it.agent(model="openrouter:m", api_key="k", reasoning="high").run_sync("go")
    it.agent(model="openai:gpt-5", api_key="k", reasoning="high", max_tokens=9).run_sync("go")
    assert it.requests[0]["reasoning"] == {"effort": "high"}
    assert it.requests[1]["reasoning_effort"] == "high"
    assert it.requests[1]["max_completion_tokens"] == 9


def test_an_option_that_a_provider_does_not_have_is_an_error_before_anything_is_sent() -> None:
    it = Script()
    with pytest.raises(ph.EncodeError, match="no option 'modles'"):
        it.agent(model="openrouter:m", api_key="k", options={"modles": []}).run_sync("go")
    assert it.requests == []


def test_a_missing_key_is_an_error_before_anything_is_sent_or_recorded(tmp_path: Path) -> None:
    it = Script()
    with pytest.raises(ph.MissingKey, match="OPENROUTER_API_KEY"):
        it.agent(model="openrouter:m").run_sync("go", tape=tmp_path / "t.jsonl")
    assert it.requests == []
    assert list(tmp_path.iterdir()) == []


def test_a_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "from-env")
    it = Script(("x",))
    it.agent(model="openai:gpt-4o").run_sync("go")
    assert dict(it.transport.requests[0].headers)["Authorization"] == "Bearer from-env"


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("gpt-4o", "does not say its provider"),
        ("nobody:m", "no provider 'nobody'"),
        ("openrouter:", "does not say its provider"),
        ("compat:localhost:80#m", "after 'compat:' comes the server's address"),
    ],
)
def test_a_model_that_cannot_be_found_is_a_clear_error(model: str, says: str) -> None:
    with pytest.raises(ph.ConfigError, match=says):
        ph.Agent(model)


def test_a_provider_of_ones_own_is_ten_lines_or_one() -> None:
    it = Script(("x",), ("x",), ("x",))
    mine = ph.Provider("mine", "http://mine.test/v1", key_env=None)
    for agent in (
        it.agent(model="some-model", provider=mine),
        it.agent(model="compat:http://mine.test/v1/#some-model"),
        it.agent(model="openai:some-model", base_url="http://mine.test/v1", api_key="k"),
    ):
        agent.run_sync("go")
    assert {request.url for request in it.transport.requests} == {"http://mine.test/v1/chat/completions"}
    assert {body["model"] for body in it.requests} == {"some-model"}


STATUSES = {
    400: ("bad_request", "Change the request"),
    401: ("authentication", "check the API key in OPENROUTER_API_KEY"),
    402: ("payment", "no credit left"),
    403: ("permission", "may not do this"),
    404: ("not_found", "Check the model's name 'm'"),
    408: ("timeout", "try again"),
    413: ("bad_request", "too large"),
    429: ("rate_limit", "try again in 7 s"),
    500: ("server", "try again in 7 s"),
    503: ("overloaded", "another model"),
    529: ("overloaded", "another model"),
    418: ("bad_request", "Check the request"),
}


@pytest.mark.parametrize("status", STATUSES)
def test_a_refusal_says_what_happened_and_what_to_do(status: int) -> None:
    kind, hint = STATUSES[status]
    body = json.dumps({"error": {"message": "no luck", "code": "because"}}).encode()
    it = Script({"status": status, "body": body, "headers": (*JSON, ("Retry-After", "7"))})
    with pytest.raises(ph.ProviderError) as caught:
        it.agent(model="openrouter:m", api_key="secret-key").run_sync("go")
    error = caught.value
    assert (error.status, error.kind, error.code, error.message) == (status, kind, "because", "no luck")
    assert (error.retry_after, error.body, error.provider) == (7.0, body, "openrouter")
    assert hint in str(error)
    assert "secret-key" not in str(error)
    assert error.retryable == (status in (408, 429) or status >= 500)
    assert error.run is not None
    assert error.run.messages[0].text == "go"


def test_a_refusal_that_is_not_json_shows_what_came() -> None:
    it = Script({"status": 502, "body": b"<html>Bad gateway</html>", "headers": (("Content-Type", "text/html"),)})
    with pytest.raises(ph.ProviderError, match="the body is not JSON: '<html>Bad gateway</html>'") as caught:
        it.agent().run_sync("go")
    assert caught.value.kind == "server"


def test_an_answer_that_is_not_json_says_to_check_the_address() -> None:
    it = Script({"status": 200, "body": b"<html>Welcome</html>"})
    with pytest.raises(ph.DecodeError, match=r"should be JSON.*check base_url"):
        it.agent().run_sync("go")


def test_an_error_inside_a_stream_is_a_provider_error_with_its_code() -> None:
    error = {"error": {"code": 502, "message": "upstream died"}, "choices": []}
    body = b"".join(stream("half an")[:2]) + f"data: {json.dumps(error)}\n\n".encode()
    it = Script({"status": 200, "body": body, "headers": SSE})
    seen: list[str] = []
    with (
        pytest.raises(ph.ProviderError, match="upstream died") as caught,
        it.agent().stream_sync("go") as run,
    ):
        seen.extend(event.delta for event in run if isinstance(event, PartDelta))
    assert (caught.value.code, caught.value.status, caught.value.provider) == ("502", 200, "compat")


def test_a_stream_that_is_cut_is_never_a_success() -> None:
    whole = stream("one two three", CALL)
    for n in range(len(whole)):
        it = Script({"status": 200, "body": b"".join(whole[:n]), "headers": SSE})
        with pytest.raises(ph.TruncatedStream), it.agent(add).stream_sync("go") as run:
            run.finish()


def test_a_connection_that_is_cut_in_the_middle_is_a_truncated_stream() -> None:
    async def cut() -> AsyncIterator[bytes]:
        yield stream("one two")[1]
        raise ph.TransportError("the connection was cut", kind="disconnect")

    def handler(_: Request) -> Response:
        return Response(200, SSE, cut())

    agent = ph.Agent("compat:http://x/v1#m", transport=MemoryTransport(handler))
    with pytest.raises(ph.TruncatedStream, match="cut before the answer was whole"):
        asyncio.run(agent.run("go"))


def test_an_error_after_tools_ran_carries_their_results() -> None:
    it = Script(("let me see", CALL), {"status": 500, "body": b"{}"})
    with pytest.raises(ph.ProviderError) as caught:
        it.agent(add).run_sync("go")
    run = caught.value.run
    assert run is not None
    assert [message.role for message in run.messages] == ["user", "assistant", "tool"]
    assert run.usage.input_tokens == 10
    assert run.tape is not None
    assert len(run.tape.effects) == 3


def test_unknown_usage_stays_unknown_in_the_sum() -> None:
    body = {"id": "r", "model": "m", "choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}
    it = Script((None, CALL), {"body": json.dumps(body).encode()})
    result = it.agent(add).run_sync("go")
    assert result.usage == ph.Usage()
    assert result.cost is None


def test_reasoning_of_another_provider_stays_home_and_the_result_says_so() -> None:
    stranger = ph.ReasoningPart(
        "hm", ph.Opaque("openai_chat", {"details": [{"type": "reasoning.encrypted", "data": "x"}]}, "elsewhere")
    )
    history = [ph.user("a"), ph.Message("assistant", (stranger, ph.TextPart("b")))]
    it = Script(("x",))
    result = it.agent().run_sync("go", messages=history)
    assert it.requests[0]["messages"][1] == {"role": "assistant", "content": "b"}
    assert result.warnings == ("reasoning of elsewhere stayed home",)


def test_reasoning_goes_back_to_its_provider_in_the_form_in_which_it_came() -> None:
    entry = {"type": "reasoning.text", "text": "hm", "signature": "s", "index": 0}
    said = {
        "role": "assistant",
        "content": None,
        "reasoning": "hm",
        "reasoning_details": [entry],
        "tool_calls": [CALL],
    }
    body = {"id": "r", "model": "m", "choices": [{"message": said, "finish_reason": "tool_calls"}]}
    it = Script({"body": json.dumps(body).encode()}, ("done",))
    it.agent(add).run_sync("go")
    sent = it.requests[1]["messages"][1]
    assert sent["reasoning_details"] == [entry]
    assert "content" not in sent


def test_what_the_response_says_beside_its_answer_is_in_its_metadata_and_headers() -> None:
    it = Script({"body": b"".join(stream("x")), "headers": (*SSE, ("X-Request-Id", "r-1"))})
    with it.agent().stream_sync("go") as run:
        (end,) = [event for event in run if isinstance(event, MessageEnd)]
    assert end.response.headers["x-request-id"] == "r-1"
    assert run.result.steps[0].response == end.response


def test_played_tools_say_so() -> None:
    tape = script().agent(add).run_sync("go").tape
    with Script().agent(add).stream_sync("go", tape=tape, mode="off") as run:
        pass
    assert run.so_far.tape is None
    it = Script()
    result = it.agent(add)
    replayed = result.run_sync("go", tape=tape, mode="replay")
    assert replayed.text == "it is 3"
    assert it.requests == []


def test_a_response_in_memory_can_be_sent_with_one_line() -> None:
    transport = MemoryTransport(lambda _: respond(200, b"".join(stream("hello")), SSE))
    assert ph.Agent("compat:http://x/v1#m", transport=transport).run_sync("go").text == "hello"


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C as in a program that somebody started; one in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_in_a_synchronous_stream_ends_it_and_saves_the_tape(tmp_path: Path) -> None:
    @ph.tool
    async def wait() -> str:
        signal.raise_signal(signal.SIGINT)
        await asyncio.Event().wait()
        return ""

    path = tmp_path / "t.yaml"
    it = Script(("let me see", tool_call("wait")))
    with pytest.raises(KeyboardInterrupt), it.agent(wait).stream_sync("go", tape=path) as run:
        run.finish()
    call, tool = ph.load_tape(path).effects
    assert (call.ended, tool.ended) == ("complete", "interrupted")
    assert run.so_far.messages[-1].role == "tool"


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_between_two_events_is_the_callers() -> None:
    with pytest.raises(KeyboardInterrupt), script().agent(add).stream_sync("go") as run:
        next(iter(run))
        signal.raise_signal(signal.SIGINT)
    assert run.so_far.steps == ()


def test_a_setting_that_does_not_exist_is_refused_and_not_dropped() -> None:
    with pytest.raises(ph.ConfigError, match="no setting 'max_token'; the settings are: max_tokens"):
        Script().agent(max_token=3)
    with pytest.raises(ph.ConfigError, match="no setting 'temprature'"):
        Script().agent().run_sync("go", settings={"temprature": 1})  # type: ignore[typeddict-unknown-key]


def test_nothing_to_answer_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(ph.ConfigError, match="nothing to say"):
        Script().agent(system="be brief").run_sync()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_and_says_where_it_points(status: int) -> None:
    it = Script({"status": status, "headers": (("Location", "https://elsewhere.test/v1?api_key=secret"),)})
    with pytest.raises(ph.ProviderError, match=r"points to https://elsewhere\.test/v1") as caught:
        it.agent().run_sync("go")
    assert caught.value.status == status
    assert "secret" not in str(caught.value)


def test_no_content_is_a_refusal_and_no_truncated_stream() -> None:
    with pytest.raises(ph.ProviderError, match="answered 204"):
        Script({"status": 204}).agent().run_sync("go")


@pytest.mark.parametrize(
    ("code", "kind", "retryable"),
    [
        (401, "authentication", False),
        ("402", "payment", False),
        (429, "rate_limit", True),
        ("rate_limit_exceeded", "rate_limit", True),
        (502, "server", True),
        ("odd", "stream", True),
    ],
)
def test_an_error_inside_a_200_is_advised_on_by_its_code(code: object, kind: str, retryable: bool) -> None:
    body = json.dumps({"error": {"code": code, "message": "no"}}).encode()
    with pytest.raises(ph.ProviderError) as caught:
        Script({"body": body}).agent().run_sync("go")
    error = caught.value
    assert (error.kind, error.status, error.code, error.retryable) == (kind, 200, str(code), retryable)


def test_two_calls_with_the_same_id_in_a_whole_answer_are_two_calls() -> None:
    calls = [tool_call("add", {"a": n, "b": 1}, id="same") for n in (1, 2)]
    result = Script((None, *calls), ("done",)).agent(add).run_sync("go")
    assert [part.text for part in result.steps[0].results] == ["2", "3"]


def test_an_event_that_is_broken_in_itself_is_a_decode_error() -> None:
    body = stream("one")[1] + b'data: {"choices": [{"delta"\n\ndata: [DONE]\n\n'
    with pytest.raises(ph.DecodeError, match="stops in the middle") as caught:
        Script({"body": body, "headers": SSE}).agent().run_sync("go")
    assert not isinstance(caught.value, ph.TruncatedStream)


def test_an_error_of_a_transport_of_ones_own_carries_the_run_too() -> None:
    it = Script((None, CALL), ConnectionResetError("gone"))
    with pytest.raises(ConnectionResetError) as caught:
        it.agent(add).run_sync("go")
    assert len(caught.value.run.steps) == 1  # type: ignore[attr-defined]


def test_headers_of_an_answer_are_the_same_when_it_is_played() -> None:
    it = Script({"body": b"".join(stream("x")), "headers": (*SSE, ("X-Request-Id", "r"), ("Set-Cookie", "s"))})
    first = it.agent().run_sync("go")
    second = Script().agent().run_sync("go", tape=first.tape, mode="replay")
    assert first.steps == second.steps
    assert first.steps[0].response.headers == {"content-type": "text/event-stream", "x-request-id": "r"}


def test_a_synchronous_stream_without_a_with_block_lets_go_of_its_loop() -> None:
    assert script().agent(add).stream_sync("go").finish().finish_reason == "stop"
    for event in script().agent(add).stream_sync("go"):
        assert event is not None


def test_a_run_that_is_dropped_in_the_middle_is_closed_in_silence() -> None:
    program = """
import asyncio, gc
from chatwire import Script, tool_call
import playhead as ph

@ph.tool
async def forever() -> str:
    await asyncio.Event().wait()
    return ""

async def main() -> None:
    async for event in Script(("a b", tool_call("forever"))).agent(forever).stream("go"):
        if isinstance(event, ph.ToolStart):
            break
    gc.collect()
    await asyncio.sleep(0.01)
    assert len(asyncio.all_tasks()) == 1

asyncio.run(main())
"""
    here = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program], cwd=here, capture_output=True, text=True
    )
    assert (done.stderr, done.returncode) == ("", 0)


def test_an_address_of_ones_own_wins_over_the_one_that_a_route_has() -> None:
    own, it = Script(("hi",)), Script(("hi",))
    route = ph.Route("^claude", "openai_chat", base_url="https://real.test/v1")
    mine = ph.Provider("mine", "https://real.test/v2", key_env=None, routes=(route,))
    own.agent(model="claude-x", provider=mine, base_url="http://own.test/v1", api_key="k").run_sync("go")
    it.agent(model="claude-x", provider=mine, api_key="k").run_sync("go")
    assert [request.url for request in own.transport.requests] == ["http://own.test/v1/chat/completions"]
    assert [request.url for request in it.transport.requests] == ["https://real.test/v1/chat/completions"]
    claude = ph.Agent("vertex:claude-x", base_url="http://own.test/v1").model
    assert claude.url(stream=False) == "http://own.test/v1/publishers/anthropic/models/claude-x:rawPredict"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"temprature": 1}, "there is no setting 'temprature'"),
        ({"cache": "yes"}, "`cache` should be True, False, or a mapping"),
        ({"max_tokens": "many"}, "`max_tokens` should be a whole number, but is 'many'"),
        ({"max_tokens": True}, "`max_tokens` should be a whole number"),
        ({"temperature": "hot"}, "`temperature` should be a number"),
        ({"extra_headers": {"a": 1}}, "`extra_headers` should hold texts alone, but a is none"),
        ({"extra_body": "zz"}, "`extra_body` should be a mapping"),
        ({"options": "zz"}, "`options` should be a mapping"),
    ],
)
def test_a_setting_that_cannot_be_is_told_before_anything_is_sent(settings: Any, told: str) -> None:
    with pytest.raises(ph.ConfigError, match=told):
        Script().agent(settings=settings)
    with pytest.raises(ph.ConfigError, match=told):
        ph.render([ph.user("x")], "anthropic:m", settings=settings)
