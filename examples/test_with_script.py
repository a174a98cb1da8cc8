"""Tests of what an agent does with answers that nobody has recorded: a provider that answers from a list.

pytest examples/test_with_script.py
"""

import pytest

import playhead as ph
from playhead.testing import Script, calls, cut, refusal


@ph.tool(approve=True)
def pay(cents: int) -> str:
    """Pay."""
    return f"paid {cents}"


agent = ph.Agent("anthropic:claude-sonnet-4-5", tools=[pay], retry=ph.Retry(attempts=2, base_s=0))


@ph.block_network()
def test_nothing_is_paid_without_a_word() -> None:
    with Script([calls(("pay", {"cents": 500}))]) as script:
        result = script.on(agent).run_sync("Pay 5 euros")
    assert [call.tool for call in result.pending] == ["pay"]
    assert result.tape is not None
    assert result.tape.tools == ()


def test_a_no_is_told_to_the_model() -> None:
    with Script([calls(("pay", {"cents": 500})), "Then I will not."]) as script:
        result = script.on(agent).run_sync("Pay 5 euros", approvals=lambda call: ph.Deny("too much"))
    assert "too much" in result.steps[0].results[0].text
    assert result.text == "Then I will not."


def test_an_answer_that_breaks_off_is_asked_for_again() -> None:
    with Script([cut("I think that", after=2), "Hello!"]) as script, script.on(agent).stream_sync("Hello") as run:
        kinds = [type(event) for event in run]
    assert kinds.count(ph.StreamReset) == 1
    assert run.result.text == "Hello!"
    assert [attempt.outcome for attempt in run.result.ledger] == ["truncated", "whole"]


def test_a_refusal_that_will_not_pass_is_an_error() -> None:
    with Script([refusal(401, "Who are you?")]) as script, pytest.raises(ph.ProviderError) as caught:
        script.on(agent).run_sync("Hello")
    assert caught.value.kind == "authentication"
