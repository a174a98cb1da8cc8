"""The recorded scenarios, run again through an agent: requests equal as JSON, answers as they were worked out."""

from __future__ import annotations

from typing import Any

import pytest

from conftest import expected
from playhead import Divergence, ProviderError, RunResult
from scenarios import Scenario

SCENARIOS = [
    scenario
    for name, cassette in expected().items()
    if any(response["protocol"] == "openai-chat" for response in cassette["responses"])
    if (scenario := Scenario(name, cassette)).kind in ("simple", "tool", "multi_tool")
] or [
    Scenario("seed/openrouter-kimi-k2.yaml", {"scenario": "multi_tool", "responses": [{"request": {"stream": True}}]})
]

RECORDER_LOST_REASONING = (
    "TestOpenRouterCommon/glm/multi_tool_streaming",
    "TestOpenRouterCommon/glm/tool_streaming",
    "TestOpenRouterCommon/kimi/multi_tool_streaming",
    "TestOpenRouterCommon/kimi/tool_streaming",
    "TestOpenRouterCommon/grok/multi_tool",
    "TestOpenRouterCommon/grok/tool",
    "avian-kimi/multi_tool_streaming",
)
"""Where the client that was recorded lost reasoning data when it sent history back, as the recordings' README says.

The older cassettes in `quirks/` are of a client that sent none back at all.
"""


def lost_reasoning(scenario: Scenario) -> bool:
    if scenario.name.startswith("quirks/"):
        first, *more = scenario.cassette["responses"]
        return bool(more and first.get("response", {}).get("reasoning"))
    return any(part in scenario.name for part in RECORDER_LOST_REASONING)


def run(scenario: Scenario) -> RunResult:
    agent = scenario.agent()
    if not scenario.streamed:
        return agent.run_sync(scenario.prompt, tape=scenario.tape, mode="replay")
    with agent.stream_sync(scenario.prompt, tape=scenario.tape, mode="replay") as running:
        return running.finish()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name.removesuffix(".yaml"))
def test_a_recorded_scenario_sends_the_recorded_requests_and_gives_the_recorded_answers(scenario: Scenario) -> None:
    assert scenario.tape.interactions
    refused = [call for call in scenario.cassette["responses"] if call["status"] != 200]
    if refused == scenario.cassette["responses"]:
        with pytest.raises(ProviderError) as caught:
            run(scenario)
        assert (caught.value.kind, caught.value.status) == ("rate_limit", 429)
        return
    if lost_reasoning(scenario):
        with pytest.raises(Divergence) as diverged:
            run(scenario)
        assert all("reasoning" in line or ".content" in line for line in diverged.value.differences)
        assert diverged.value.ordinal == 1
        assert diverged.value.run is not None
        return
    result, wanted = run(scenario), [call for call in scenario.cassette["responses"] if call["status"] == 200]
    assert [step.response.text for step in result.steps] == [call["response"]["text"] for call in wanted]
    assert len(result.steps) == len(wanted)
    assert [row.outcome for row in result.ledger if row.outcome != "whole"] == ["refused"] * len(refused)
    assert all(not part.is_error for step in result.steps for part in step.results)


def test_the_seed_gives_its_text_usage_and_cost() -> None:
    seed = next((s for s in SCENARIOS if s.name.startswith("seed/")), None)
    assert seed is not None
    result = run(seed)
    steps: list[Any] = [(s.response.usage.input_tokens, s.response.usage.output_tokens) for s in result.steps]
    assert steps == [(218, 54), (399, 29)]
    assert (result.usage.input_tokens, result.usage.output_tokens) == (617, 83)
    assert [step.response.cost for step in result.steps] == [0.00038, 0.000486]
    assert result.cost == 0.00038 + 0.000486
    assert result.text == "The results are:\n- Addition: 2 + 3 = 5  \n- Multiplication: 2 × 3 = 6"
    assert [part.text for part in result.steps[0].results] == ["5", "6"]
    assert result.finish_reason == "stop"
    metadata = result.steps[0].response.metadata
    assert (metadata["provider"], metadata["native_finish_reason"]) == ("Together", "tool_calls")
    assert (metadata["cost"], metadata["is_byok"]) == (0.00038, False)
    assert metadata["cost_details"]["upstream_inference_prompt_cost"] == 0.000218
