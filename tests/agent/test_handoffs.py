"""Hand-offs: another agent goes on with the conversation, with its own instructions, tools, model and output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from everyway import Scenario, Stage, by_model, go, in_all_ways, texts, turns

import playhead as ph
from playhead.testing import calls


def look_up(what: str) -> str:
    """Look something up."""
    return f"about {what}"


def _pair(stage: Stage) -> ph.Agent[Any, Any]:
    billing = stage.agent(
        look_up, name="billing", model="billing", system="You do billing.", output=ph.Output(int, mode="native")
    )
    return stage.agent(ph.handoff(billing), name="front", system=["You are the front desk.", lambda ctx: ctx.agent])


PAIR = Scenario(
    agent=_pair,
    answers=by_model(
        main=turns(calls(("transfer_to_billing", {}, "c1"))),
        billing=turns("", calls(("look_up", {"what": "prices"}, "c2")), "no number", "42"),
    ),
)


def test_instructions_tools_model_and_output_are_those_of_who_goes_on(tmp_path: Path) -> None:
    outcome = in_all_ways(PAIR, tmp_path)
    assert outcome.result.output == 42
    assert outcome.result.agent == "billing"
    assert outcome.result.messages[0].text == "You do billing."
    asked = outcome.stage.script.requests
    assert [it.model for it in asked] == ["main", "billing", "billing", "billing"]
    assert [it.messages[0].text for it in asked[:2]] == ["You are the front desk.\n\nfront", "You do billing."]
    assert [[tool.name for tool in it.tools] for it in asked[:2]] == [["transfer_to_billing"], ["look_up"]]
    assert [message.role for message in asked[1].messages] == ["system", "user", "assistant", "tool"]


def test_a_hand_off_is_an_event() -> None:
    events = go(PAIR, stream=True).events
    told = [event for event in events if isinstance(event, ph.HandedOff)]
    assert told == [ph.HandedOff("front", "billing")]


def _circle(stage: Stage) -> ph.Agent[Any, Any]:
    back: list[Any] = []
    writer = stage.agent(name="writer", model="writer", system="You write.")
    editor = stage.agent(ph.handoff(writer), name="editor", model="editor", system="You edit.")
    writer = stage.agent(ph.handoff(editor), name="writer", model="writer", system="You write.")
    back.append(writer)
    return stage.agent(ph.handoff(writer), name="chief")


def test_a_conversation_goes_from_hand_to_hand(tmp_path: Path) -> None:
    outcome = in_all_ways(
        Scenario(
            agent=_circle,
            answers=by_model(
                main=turns(calls(("transfer_to_writer", {}, "1"))),
                writer=turns("", calls(("transfer_to_editor", {}, "2")), "", "Written."),
                editor=turns("", "", calls(("transfer_to_writer", {}, "3"))),
            ),
        ),
        tmp_path,
    )
    assert outcome.result.agent == "writer"
    assert [it.model for it in outcome.stage.script.requests] == ["main", "writer", "editor", "writer"]


def _two(stage: Stage) -> ph.Agent[Any, Any]:
    one = stage.agent(name="one", model="one")
    two = stage.agent(name="two", model="two")
    return stage.agent(look_up, ph.handoff(one), ph.handoff(two), name="main", system="You are main.")


def test_of_several_hand_offs_in_a_step_the_first_counts_and_the_model_is_told_so(tmp_path: Path) -> None:
    outcome = in_all_ways(
        Scenario(
            agent=_two,
            answers=by_model(
                main=turns(
                    calls(("look_up", {"what": "x"}, "1"), ("transfer_to_two", {}, "2"), ("transfer_to_one", {}, "3"))
                ),
                two=turns("", "Two is here."),
            ),
        ),
        tmp_path,
    )
    assert outcome.result.agent == "two"
    found, handed, other = texts(outcome)
    assert (found, handed) == ("about x", "Handed on to two.")
    assert "Handed on to one" not in other
    assert outcome.result.steps[0].results[2].is_error
    assert all(message.role != "system" for message in outcome.result.messages), "two has no instructions"


def test_a_hand_off_with_wrong_arguments_hands_nothing_on(tmp_path: Path) -> None:
    outcome = in_all_ways(
        Scenario(
            agent=_two,
            answers=by_model(main=turns(calls(("transfer_to_two", {"why": "so"}, "1")), "I stay.")),
        ),
        tmp_path,
    )
    assert outcome.result.agent == "main"


def test_a_call_that_is_repaired_to_a_hand_off_hands_on(tmp_path: Path) -> None:
    def agent(stage: Stage) -> ph.Agent[Any, Any]:
        def repair(broken: ph.BrokenCall) -> ph.ToolCallPart:
            return ph.ToolCallPart(broken.call.id, "transfer_to_one", "{}")

        return stage.agent(ph.handoff(stage.agent(name="one", model="one")), repair=repair)

    outcome = in_all_ways(
        Scenario(
            agent=agent,
            answers=by_model(main=turns(calls(("handoff_to_one", {}, "1"))), one=turns("", "One is here.")),
        ),
        tmp_path,
    )
    assert outcome.result.agent == "one"


def test_the_history_of_a_run_that_was_handed_on_can_be_gone_on_with(tmp_path: Path) -> None:
    before = go(PAIR)
    after = in_all_ways(
        Scenario(
            agent=lambda stage: stage.agent(name="archive", model="archive", system="You archive."),
            answers=lambda asked: f"{len(asked.messages)} messages, {asked.messages[0].text}",
            options=lambda: {"messages": before.result.messages},
        ),
        tmp_path,
    )
    assert after.result.text == "10 messages, You do billing.", "a history keeps its own instructions"
