"""
The recorded scenarios of every wire format, run again through an agent: the same addresses, models, messages, tools
and results, and the same JSON, but where the client that was recorded chose something that we do not.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from conftest import expected
from playhead import Agent, Message, RunResult
from playhead.http import Request, Response
from playhead.messages import ModelRequest, ReasoningPart, ToolCallPart, ToolResultPart
from playhead.transport.memory import MemoryTransport, respond
from playhead.wire import wire_for_path
from scenarios import ENVIRONMENT, Scenario

SCENARIOS = [
    scenario
    for name, cassette in expected().items()
    if any(response["protocol"] != "openai-chat" for response in cassette["responses"])
    if (scenario := Scenario(name, cassette)).kind in ("simple", "tool", "multi_tool")
]

UNNATURAL = {
    "TestGoogleCommon/gemini-2.5": "made-up ids of calls were sent back, which Vertex refuses",
}
"""Where the recording client's requests are not what we send, and why."""


@pytest.fixture(autouse=True)
def addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def run(agent: Agent, scenario: Scenario, **how: Any) -> RunResult:
    if not scenario.streamed:
        return agent.run_sync(scenario.prompt, **how)
    with agent.stream_sync(scenario.prompt, **how) as running:
        return running.finish()


def of(scenario: Scenario) -> str:
    return scenario.name.removesuffix(".yaml")


def unnatural(scenario: Scenario) -> bool:
    return scenario.kind != "simple" and any(part in scenario.name for part in UNNATURAL)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=of)
def test_a_recorded_scenario_carries_the_recorded_conversation(scenario: Scenario) -> None:
    recorded = list(scenario.tape.interactions)
    answers = iter(recorded)

    def answer(request: Request) -> Response:
        call = next(answers)
        return respond(200, call.body, call.headers)

    transport = MemoryTransport(answer)
    result = run(scenario.agent(transport=transport, api_key="key"), scenario, mode="off")
    assert [request.url for request in transport.requests] == [call.request.url for call in recorded]
    for ours, call in zip(transport.requests, recorded, strict=True):
        assert conversation(ours) == conversation(call.request)
        if not unnatural(scenario):
            assert json.loads(ours.body) == json.loads(call.request.body)
    wanted = [call["response"] for call in scenario.cassette["responses"]]
    assert [step.response.text for step in result.steps] == [said["text"] for said in wanted]
    assert [len(step.results) for step in result.steps] == [len(said["tool_calls"]) for said in wanted]
    assert all(not part.is_error for step in result.steps for part in step.results)
    assert not result.warnings


@pytest.mark.parametrize("scenario", [it for it in SCENARIOS if not unnatural(it)], ids=of)
def test_it_replays_from_its_cassette_without_a_key(scenario: Scenario) -> None:
    result = run(scenario.agent(), scenario, tape=scenario.tape, mode="replay")
    assert result.text == scenario.cassette["responses"][-1]["response"]["text"]


def conversation(request: Request) -> tuple[Any, ...]:
    """What a request says, as far as it does not depend on who encodes it: ids of calls become their places."""
    path = urlsplit(request.url).path
    wire = wire_for_path(path)
    assert wire is not None
    asked: ModelRequest = wire.decode_request(request.body, path, None)
    places: dict[str, str] = {}
    turns = [bare(message, places) for message in asked.messages]
    return asked.model, turns, asked.tools, asked.stream


def bare(message: Message, places: dict[str, str]) -> Message:
    """The message without opaque data and reasoning, and with places for ids."""
    parts: list[Any] = []
    for part in message.parts:
        match part:
            case ReasoningPart():
                continue
            case ToolCallPart():
                places[part.id] = f"call {len(places)}"
                sorted_too = json.dumps(json.loads(part.arguments), sort_keys=True)
                parts.append(msgspec.structs.replace(part, id=places[part.id], arguments=sorted_too, opaque=None))
            case ToolResultPart():
                place = (
                    places.get(part.call_id) or f"result {len([p for p in parts if isinstance(p, ToolResultPart)])}"
                )
                parts.append(msgspec.structs.replace(part, call_id=place, opaque=None))
            case _:
                parts.append(msgspec.structs.replace(part, opaque=None) if hasattr(part, "opaque") else part)
    return Message(message.role, tuple(parts))


def test_there_are_scenarios_of_every_format() -> None:
    if not expected():
        pytest.skip("the recordings beside the repository are not here")
    protocols = {call["protocol"] for scenario in SCENARIOS for call in scenario.cassette["responses"]}
    assert protocols == {"anthropic", "gemini", "openai-responses"}
    assert {call["framing"] for it in SCENARIOS for call in it.cassette["responses"]} == {
        "json",
        "sse",
        "aws-eventstream",
    }
