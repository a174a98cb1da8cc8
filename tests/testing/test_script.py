"""A script in the place of a provider: answers in order, through the real wire formats, and nothing left over."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import msgspec
import pytest

import playhead as ph
from playhead import testing
from playhead.messages import Message, ModelRequest, TextPart, ToolResultPart, Usage
from playhead.testing import Script, ScriptError
from playhead.wire import WIRE_FORMATS

wires = pytest.mark.parametrize("wire", WIRE_FORMATS)
ways = pytest.mark.parametrize("way", ["run", "run_sync", "stream", "stream_sync"])


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def run(agent: ph.Agent, way: str, prompt: str = "go", **more: Any) -> tuple[ph.RunResult, list[ph.Event]]:
    """Run in one of the four ways; the events are those that were streamed."""

    async def streamed() -> tuple[ph.RunResult, list[ph.Event]]:
        async with agent.stream(prompt, **more) as going:
            events = [event async for event in going]
        return going.result, events

    match way:
        case "run":
            return asyncio.run(agent.run(prompt, **more)), []
        case "run_sync":
            return agent.run_sync(prompt, **more), []
        case "stream":
            return asyncio.run(streamed())
        case _:
            with agent.stream_sync(prompt, **more) as going:
                events = list(going)
            return going.result, events


@wires
@ways
def test_an_answer_goes_through_the_wire_format_and_comes_out_as_it_was_written(wire: str, way: str) -> None:
    first = testing.answer("Let me see.", calls=[("add", {"a": 2, "b": 3}), ("add", {"a": 1, "b": 1})])
    usage = Usage(input_tokens=7, output_tokens=3, total_tokens=10)
    last = testing.answer("It is  5,\nand 2.", reasoning="Easy enough.", usage=usage)
    with Script([first, last], wire=wire) as script:
        result, _ = run(script.agent(tools=[add], system="Count."), way, "2+3, 1+1?")
    one, two = result.steps
    assert one.response.text == "Let me see."
    calls = [(it.id, it.name, msgspec.json.decode(it.arguments)) for it in one.response.tool_calls]
    assert calls == [("call_1", "add", {"a": 2, "b": 3}), ("call_2", "add", {"a": 1, "b": 1})]
    assert (one.response.finish_reason, two.response.finish_reason) == ("tool_calls", "stop")
    assert [part.text for part in one.results] == ["5", "2"]
    assert (result.text, two.response.reasoning) == ("It is  5,\nand 2.", "Easy enough.")
    assert two.response.usage is not None
    assert (two.response.usage.input_tokens, two.response.usage.output_tokens) == (7, 3)
    asked = script.requests
    assert [it.role for it in asked[0].messages] == ["system", "user"]
    assert [it.stream for it in asked] == [way.startswith("stream")] * 2
    told = [part.text for part in asked[1].messages[-1].parts if isinstance(part, ToolResultPart)]
    assert told == ["5", "2"]


def test_what_is_not_said_of_an_answer_is_not_known() -> None:
    with Script(["hi", testing.answer("ho", cost=0.25, finish_reason="length")]) as script:
        agent = script.agent()
        first, second = (agent.run_sync("x").steps[0].response for _ in range(2))
    assert (first.usage, first.cost, first.finish_reason) == (None, None, "stop")
    assert (second.cost, second.finish_reason) == (0.25, "length")


def test_the_pieces_of_a_stream_are_words_or_as_long_as_they_should_be() -> None:
    with Script(["one two  three", testing.answer("abcdefg", chunk_size=3)]) as script:
        agent = script.agent()
        pieces = [[it.delta for it in run(agent, "stream_sync")[1] if isinstance(it, ph.PartDelta)] for _ in "12"]
    assert [list(filter(None, said)) for said in pieces] == [["one ", "two  ", "three"], ["abc", "def", "g"]]


@ways
def test_a_run_on_a_script_is_on_its_tape_and_plays_without_it(way: str) -> None:
    with Script([testing.calls(("add", {"a": 2, "b": 3})), "five"]) as script:
        recorded, _ = run(script.agent(tools=[add]), way)
    nobody = Script([])
    played, _ = run(nobody.agent(tools=[add]), way, tape=recorded.tape, mode="replay")
    assert played.messages == recorded.messages
    assert nobody.requests == ()


def test_a_resumed_run_gets_ids_that_are_not_in_its_conversation(tmp_path: Any) -> None:
    tape = tmp_path / "run.jsonl"
    one = testing.calls(("add", {"a": 2, "b": 3}))
    with Script([one, ConnectionError("down")]) as script, pytest.raises(ConnectionError):
        script.agent(tools=[add]).run_sync("go", tape=tape)
    with Script([one, "five"]) as script:
        result = script.agent(tools=[add]).run_sync("go", tape=tape)
    assert [call.id for step in result.steps for call in step.response.tool_calls] == ["call_1", "call_2"]


# What goes wrong


def test_answers_that_are_left_fail_the_block_and_are_listed() -> None:
    with (
        pytest.raises(ScriptError, match=r"(?s)1 of 4 .*2: 'never said'\n  3: add\(\{\"a\":1\}\)\n  4: refusal\(429"),
        Script(["hi", "never said", testing.calls(("add", {"a": 1})), testing.refusal(429, "slow")]) as script,
    ):
        script.agent().run_sync("x")
    assert script.left == 3


def test_an_error_that_leaves_the_block_is_not_hidden_by_answers_that_are_left() -> None:
    with pytest.raises(ZeroDivisionError), Script(["never said"]):
        raise ZeroDivisionError


def test_asking_beyond_the_end_names_the_request_and_is_no_error_of_the_library() -> None:
    script = Script(["hi"])
    agent = script.agent()
    agent.run_sync("one")
    with pytest.raises(ScriptError, match=r"1 answers.*request 2 of 1 messages.*\(user\): 'two'") as raised:
        agent.run_sync("two")
    assert isinstance(raised.value, AssertionError)
    assert not isinstance(raised.value, ph.PlayheadError)


def test_asking_beyond_the_end_fails_the_block_although_somebody_swallowed_it() -> None:
    with pytest.raises(ScriptError, match="asked for one more"), Script([]) as script:
        agent = script.agent()
        with pytest.raises(ScriptError):
            agent.run_sync("x")


@wires
@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, "authentication"), (429, "rate_limit"), (400, "bad_request"), (500, "server"), (503, "overloaded")],
    ids=str,
)
def test_a_refusal_is_read_as_what_it_is(wire: str, status: int, kind: str) -> None:
    with (
        Script([testing.refusal(status, "No.", retry_after=1.5)], wire=wire) as script,
        pytest.raises(ph.ProviderError) as raised,
    ):
        script.agent(retry=False).run_sync("x")
    error = raised.value
    assert (error.status, error.kind, error.message, error.retry_after) == (status, kind, "No.", 1.5)


@wires
@pytest.mark.parametrize("way", ["run_sync", "stream_sync"])
def test_an_answer_that_is_cut_is_no_answer(wire: str, way: str) -> None:
    with Script([testing.cut("one two three", after=2)], wire=wire) as script, pytest.raises(ph.TruncatedStream):
        run(script.agent(retry=False), way)


@wires
def test_a_cut_stream_shows_what_came_before(wire: str) -> None:
    seen: list[str] = []
    broken = testing.cut(testing.answer("one two three"), after=2, error=testing.refusal(503, "Full."))
    with Script([broken], wire=wire) as script, pytest.raises(ph.ProviderError, match=r"Full\."):
        agent = script.agent(retry=False)
        with agent.stream_sync("x") as going:
            seen.extend(event.delta for event in going if isinstance(event, ph.PartDelta) and event.delta)
    assert seen == ["one ", "two "]


@wires
def test_an_error_inside_a_body_that_is_not_streamed_is_a_refusal_too(wire: str) -> None:
    broken = testing.cut("one", error=testing.refusal(503, "Full."))
    with Script([broken], wire=wire) as script, pytest.raises(ph.ProviderError, match=r"Full\."):
        script.agent(retry=False).run_sync("x")


@pytest.mark.parametrize("wire", ["anthropic", "gemini"])
def test_a_cost_that_a_format_cannot_say_is_told_instead_of_lost(wire: str) -> None:
    with pytest.raises(ScriptError, match=f"{wire} has no place for the cost"):
        Script([testing.answer("hi", cost=0.1)], wire=wire).agent().run_sync("x")


# Answers of other kinds


def test_a_function_answers_by_what_is_asked_and_may_wait() -> None:
    async def later(request: ModelRequest) -> str:
        await asyncio.sleep(0)
        return f"{len(request.messages)} messages"

    with Script([lambda request: request.messages[-1].text.upper(), later]) as script:
        agent = script.agent()
        assert agent.run_sync("hi").text == "HI"
        assert agent.run_sync("hi").text == "1 messages"


def test_one_function_answers_parallel_runs_each_by_its_own_question() -> None:
    def said(request: ModelRequest) -> testing.Answer | str:
        if request.messages[-1].role == "tool":
            return request.messages[0].text
        return testing.calls(("add", {"a": 1, "b": 1}))

    with Script(said) as script:
        agent = script.agent(tools=[add])
        found: dict[int, str] = {}

        def go(n: int) -> None:
            found[n] = agent.run_sync(str(n)).text

        threads = [threading.Thread(target=go, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {n: str(n) for n in range(8)}
    assert len(script.requests) == 16


def test_parallel_runs_share_a_list_and_none_gets_an_answer_twice() -> None:
    async def go(agent: ph.Agent) -> set[str]:
        return {result.text for result in await asyncio.gather(*(agent.run("x") for _ in range(20)))}

    with Script([str(n) for n in range(20)]) as script:
        assert asyncio.run(go(script.agent())) == {str(n) for n in range(20)}


def test_a_message_and_a_response_are_answers_as_they_are() -> None:
    message = Message("assistant", (TextPart("from a message"),))
    response = ph.ModelResponse(message, "length", id="mine", model="other")
    with Script([message, response, testing.calls(("add", '{"a": 1', "own"))]) as script:
        agent = script.agent(max_steps=1, tools=[add])
        assert agent.run_sync("x").text == "from a message"
        said = agent.run_sync("x").steps[0].response
        with pytest.raises(ph.StepLimit) as raised:
            agent.run_sync("x")
    assert (said.id, said.model, said.finish_reason) == ("mine", "other", "length")
    assert raised.value.run is not None
    (call,) = raised.value.run.steps[0].response.tool_calls
    assert (call.id, call.arguments) == ("own", '{"a": 1')


@pytest.mark.parametrize(
    "model", ["openrouter:moonshotai/kimi-k2-0905", "anthropic:claude-sonnet-4-5", "bedrock:amazon.nova-lite-v1:0"]
)
def test_an_agent_of_any_provider_is_put_on_a_script_without_its_key(model: str) -> None:
    agent = ph.Agent(model, tools=[add], system="Count.", max_tokens=50)
    with Script([testing.calls(("add", {"a": 2, "b": 3})), "five"]) as script:
        copy = script.on(agent)
        result = copy.run_sync("2+3?")
    assert result.text == "five"
    assert f"{copy.model.provider.name}:{copy.model.id}" == model
    assert script.requests[0].settings.get("max_tokens") == 50
    with pytest.raises(ph.MissingKey):
        agent.run_sync("2+3?")


def test_an_agent_with_a_fallback_asks_the_script_for_both() -> None:
    agent = ph.Agent("openai:gpt-4.1", fallbacks=["anthropic:claude-sonnet-4-5"], retry=False)
    with Script([testing.refusal(503, "Full."), "I am here."]) as script:
        assert script.on(agent).run_sync("Hello?").text == "I am here."
    assert [request.model for request in script.requests] == ["gpt-4.1", "claude-sonnet-4-5"]


def test_an_agent_that_asks_again_is_given_the_next_answer() -> None:
    with Script([testing.refusal(503, "Full.", retry_after=0), "I am here."]) as script:
        assert script.agent().run_sync("Hello?").text == "I am here."


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        pytest.param(lambda: Script(["x"], wire="soap"), ph.ConfigError, "should be one of", id="wire"),
        pytest.param(lambda: Script([3]), ph.ConfigError, "answer 1 of the script is 3", id="answer"),  # type: ignore[list-item]
        pytest.param(lambda: Script("x"), ph.ConfigError, "is a list of answers", id="no_list"),
        pytest.param(lambda: testing.refusal(200), ValueError, "from 400", id="status"),
        pytest.param(lambda: testing.cut("x", after=-1), ValueError, "from 0 on", id="after"),
        pytest.param(lambda: testing.answer("x", chunk_size=0), ValueError, "from 1 on", id="chunk_size"),
        pytest.param(lambda: testing.calls((1, {})), TypeError, "a call is a name", id="call"),  # type: ignore[arg-type]
    ],
)
def test_a_script_that_cannot_be_is_told_when_it_is_written(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()
