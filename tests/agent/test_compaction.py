"""Compaction: a conversation made shorter, on the tape, without tearing a call from its result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from everyway import Scenario, Stage, go, had, in_all_ways, ledgers
from hypothesis import given
from hypothesis import strategies as st

import playhead as ph
from histories import check_history
from playhead.messages import ToolCallPart, ToolResultPart
from playhead.testing import answer, refusal

PROMPT = "Summarise the conversation so far"
OLD = (ph.user("old question"), ph.Message("assistant", (ph.TextPart("old answer"),)))


def work(n: int) -> str:
    """Work."""
    return f"work {n}"


def _is_summary(asked: Any) -> bool:
    return asked.messages[-1].text.startswith(PROMPT)


def _said(asked: Any) -> Any:
    """Works three times, then is done; the number of the call tells how far it is, whatever was left out."""
    if _is_summary(asked):
        return answer(f"SUMMARY of {len(asked.messages) - 1}", usage=ph.Usage(input_tokens=40, output_tokens=4))
    done = [part.text for message in asked.messages for part in message.parts if isinstance(part, ToolResultPart)]
    n = int(done[-1].split()[-1]) + 1 if done else 0
    usage = ph.Usage(input_tokens=10 * len(str(asked.messages)) // 100, output_tokens=5)
    return answer(calls=[("work", {"n": n}, f"c{n}")], usage=usage) if n < 3 else answer("Done.", usage=usage)


def _scenario(compaction: ph.Compaction | None, said: Any = _said, **more: Any) -> Scenario:
    return Scenario(
        agent=lambda stage: stage.agent(work, system="Be brief.", compaction=compaction, **more),
        answers=said,
        options=lambda: {"messages": OLD},
    )


def test_a_model_sums_up_in_a_lane_of_its_own_in_all_ways(tmp_path: Path) -> None:
    outcome = in_all_ways(_scenario(ph.Compaction(at_tokens=60, keep=2)), tmp_path)
    assert outcome.result.text == "Done."
    assert outcome.result.messages[0] == ph.system("Be brief.")
    assert "SUMMARY of" in str(outcome.result.messages)
    assert "old question" not in str(outcome.result.messages)
    lanes = [row.lane for row in outcome.result.ledger]
    assert any(lane.startswith("root/compaction") for lane in lanes), "it is paid for"
    readings = [reading for reading in outcome.tape.readings if reading.name == "compaction"]
    assert readings
    assert "SUMMARY of" in str(readings[0].value)


def test_who_looks_on_is_told_what_went_and_what_stands_instead() -> None:
    scenario = _scenario(ph.Compaction(at_tokens=60, keep=2))
    live = go(scenario, stream=True)
    told = [event for event in live.events if isinstance(event, ph.Compacted)]
    assert told
    assert all(event.after < event.before for event in told)
    assert all(event.summary.startswith("SUMMARY of") for event in told)
    assert ledgers(go(scenario, live.tape, "replay", stream=True)) == ledgers(live)


def test_forking_before_it_undoes_it() -> None:
    live = go(_scenario(ph.Compaction(at_tokens=60, keep=2)))
    first = next(n for n, it in live.tape.numbered if isinstance(it, ph.Interaction) and "compaction" in it.lane)
    forked = go(_scenario(None), live.tape.fork(first))
    assert "old question" in str(forked.result.messages)
    assert "SUMMARY" not in str(forked.result.messages)
    assert forked.result.text == "Done."
    check_history(forked.result.messages)


def _last_two(messages: tuple[ph.Message, ...]) -> list[ph.Message]:
    return [ph.user("In short: old things."), *messages[-2:]]


async def _awaited(messages: tuple[ph.Message, ...]) -> list[ph.Message]:
    return _last_two(messages)


@pytest.mark.parametrize("function", [_last_two, _awaited], ids=["function", "async function"])
def test_a_function_may_make_it_shorter(function: Any, tmp_path: Path) -> None:
    outcome = in_all_ways(_scenario(ph.Compaction(at_tokens=60, function=function)), tmp_path)
    assert "In short: old things." in str(outcome.result.messages)
    assert "old question" not in str(outcome.result.messages)
    assert outcome.result.messages[0] == ph.system("Be brief.")


def test_what_a_function_gave_is_played_and_not_asked_again() -> None:
    made: list[int] = []

    def function(messages: tuple[ph.Message, ...]) -> list[ph.Message]:
        made.append(len(messages))
        return [ph.user(f"Short {len(made)}"), *messages[-2:]]

    scenario = _scenario(ph.Compaction(at_tokens=60, function=function))
    live = go(scenario)
    times = len(made)
    assert times
    assert go(scenario, live.tape, "replay").seen == live.seen
    assert len(made) == times


def test_a_function_that_gives_no_conversation_is_an_error_that_says_so() -> None:
    outcome = go(_scenario(ph.Compaction(at_tokens=60, function=lambda messages: "short")))  # type: ignore[arg-type, return-value]
    assert isinstance(outcome.error, ph.RunError)
    assert "list of messages" in str(outcome.error)
    check_history(outcome.result.messages)


def test_another_model_may_sum_up(tmp_path: Path) -> None:
    def agent(stage: Stage) -> ph.Agent[Any, Any]:
        cheap = ph.Model(stage.script.model.provider, "cheap")
        return stage.agent(work, compaction=ph.Compaction(at_tokens=60, keep=2, model=cheap, prompt=f"{PROMPT}!"))

    outcome = in_all_ways(Scenario(agent=agent, answers=_said, options=lambda: {"messages": OLD}), tmp_path)
    assert {it.model for it in outcome.stage.script.requests if _is_summary(it)} == {"cheap"}
    assert {it.model for it in outcome.stage.script.requests if not _is_summary(it)} == {"main"}


def test_a_refusal_as_too_long_makes_it_shorter_and_asks_once_more(tmp_path: Path) -> None:
    def said(asked: Any) -> Any:
        if "old question" in str(asked.messages) and not _is_summary(asked):
            return refusal(400, "This model's maximum context length is 10 tokens.", code="context_length_exceeded")
        return _said(asked)

    outcome = in_all_ways(_scenario(ph.Compaction(keep=1), said), tmp_path)
    assert outcome.result.text == "Done."
    assert [row.outcome for row in outcome.result.ledger][:3] == ["refused", "whole", "whole"]


def test_a_refusal_that_nothing_shorter_helps_against_is_raised() -> None:
    def said(asked: Any) -> Any:
        if _is_summary(asked):
            return "SUMMARY"
        return refusal(400, "This model's maximum context length is 10 tokens.", code="context_length_exceeded")

    outcome = go(_scenario(ph.Compaction(keep=1), said))
    assert isinstance(outcome.error, ph.ProviderError)
    assert outcome.error.kind == "context_length"
    assert len(outcome.stage.script.requests) == 3
    plain = go(_scenario(None, said))
    assert isinstance(plain.error, ph.ProviderError)
    assert len(plain.stage.script.requests) == 1


def test_it_is_due_at_a_share_of_the_context() -> None:
    response = answer("x", usage=ph.Usage(input_tokens=70, output_tokens=10)).response
    model = ph.Model(ph.Provider("nowhere", "http://nowhere.invalid/v1"), "m")
    assert ph.Compaction(at=0.8, context_tokens=100).due(response, model)
    assert not ph.Compaction(at=0.81, context_tokens=100).due(response, model)
    assert not ph.Compaction().due(response, model), "nobody knows how long its context is"
    assert not ph.Compaction(at_tokens=1).due(None, model)


def test_the_share_counts_from_the_context_that_the_price_table_knows() -> None:
    pytest.importorskip("genai_prices")
    from playhead.prices import context_window
    from playhead.providers import resolve

    model = ph.Model(*resolve("openai:gpt-4o"))
    whole = context_window("openai", "gpt-4o")
    assert whole == 128_000
    for used, due in ((whole // 2, True), (whole // 2 - 2, False)):
        response = answer("x", usage=ph.Usage(input_tokens=used, output_tokens=1)).response
        assert ph.Compaction(at=0.5).due(response, model) is due


@pytest.mark.parametrize(
    "wrong", [{"at": 0}, {"at": 1.5}, {"at_tokens": 0}, {"context_tokens": 0}, {"keep": -1}], ids=str
)
def test_a_number_out_of_its_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ph.ConfigError, match=next(iter(wrong))):
        ph.Compaction(**wrong)


_TURN = st.sampled_from(["talk", "one", "two", "two steps", "broken off"])


def _conversation(turns: list[str]) -> list[ph.Message]:
    messages: list[ph.Message] = []
    for n, turn in enumerate(turns):
        messages.append(ph.user(f"question {n}"))
        steps = {"talk": 0, "one": 1, "two": 1, "two steps": 2, "broken off": 1}[turn]
        for step in range(steps):
            ids = [f"{n}.{step}.{k}" for k in range(2 if turn == "two" else 1)]
            messages.append(ph.Message("assistant", tuple(ToolCallPart(id, "work", '{"n": 1}') for id in ids)))
            messages.append(ph.Message("tool", tuple(ToolResultPart(id, "work", "1") for id in ids)))
        if turn != "broken off":
            messages.append(ph.Message("assistant", (ph.TextPart(f"answer {n}"),)))
    return messages


@given(st.lists(_TURN, max_size=6), st.integers(0, 12))
def test_it_never_tears_a_call_from_its_result(turns: list[str], keep: int) -> None:
    history = _conversation(turns)
    refused: list[bool] = []

    def said(asked: Any) -> Any:
        if _is_summary(asked):
            return "SUMMARY"
        if not refused:
            refused.append(True)
            return refusal(400, "This model's maximum context length is 10 tokens.", code="context_length_exceeded")
        return "Done."

    stage = Stage(said)
    agent = stage.agent(work, compaction=ph.Compaction(keep=keep))
    outcome = had(stage, lambda: (agent.run_sync("And now?", messages=history), []))
    assert outcome.error is None or isinstance(outcome.error, ph.ProviderError)
    check_history(outcome.result.messages)
    for asked in stage.script.requests:
        check_history(asked.messages)


def test_a_long_single_turn_is_made_shorter_too(tmp_path: Path) -> None:
    outcome = in_all_ways(
        Scenario(
            agent=lambda stage: stage.agent(work, compaction=ph.Compaction(at_tokens=50, keep=4)), answers=_said
        ),
        tmp_path,
    )
    assert "SUMMARY of" in str(outcome.result.messages)
    assert any(isinstance(part, ToolResultPart) for message in outcome.result.messages for part in message.parts)


def test_compaction_beside_approvals_and_typed_output(tmp_path: Path) -> None:
    @ph.tool(approve=True, name="work")
    def careful(n: int) -> str:
        """Work."""
        return f"work {n}"

    def said(asked: Any) -> Any:
        made = _said(asked)
        return answer('{"result": 3}') if made.response.text == "Done." else made

    stage = Stage(said)
    agent = stage.agent(careful, output=ph.Output(int, mode="native"), compaction=ph.Compaction(at_tokens=60, keep=2))
    file = tmp_path / "run.jsonl"
    result = agent.run_sync("Go.", messages=OLD, tape=file)
    n = 0
    while result.pending:
        assert n < 5
        n += 1
        result = agent.resume_sync(file, approvals={result.pending[0].lane: True})
        check_history(result.messages)
    assert (result.output, n) == (3, 3)
    assert "SUMMARY of" in str(result.messages)
    assert agent.run_sync("Go.", messages=OLD, tape=file, mode="replay").messages == result.messages


def test_calls_of_the_summary_are_asked_for_no_tools() -> None:
    stage = Stage(_said)
    stage.agent(work, compaction=ph.Compaction(at_tokens=60, keep=2)).run_sync("Go.", messages=OLD)
    summaries = [asked for asked in stage.script.requests if _is_summary(asked)]
    assert summaries
    assert all(not asked.tools for asked in summaries)
    assert all(asked.tools for asked in stage.script.requests if not _is_summary(asked))


def _told(session: Any, prompt: str) -> tuple[list[Any], int]:
    with session.stream_sync(prompt) as run:
        compacted = [event for event in run if isinstance(event, ph.Compacted)]
    return compacted, len(session.messages)


@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "off"])
def test_a_turn_begins_with_what_the_turn_before_it_took(recorded: bool, tmp_path: Path) -> None:
    """The texts are short; the server says that they are many tokens. Live, played, and opened each day anew."""

    def said(asked: Any) -> Any:
        if _is_summary(asked):
            return answer("SUMMARY", usage=ph.Usage(input_tokens=9, output_tokens=1))
        return answer("ok", usage=ph.Usage(input_tokens=100 * len(asked.messages), output_tokens=4))

    def agent() -> ph.Agent:
        return Stage(said).agent(compaction=ph.Compaction(at_tokens=300, keep=2))

    path, prompts = tmp_path / "talk.jsonl", ["1", "2", "3", "4"]
    with agent().session(path, mode="record" if recorded else "off") as session:
        live = [_told(session, prompt) for prompt in prompts]
    assert [bool(compacted) for compacted, _ in live] == [False, False, True, True]
    if not recorded:
        return
    with agent().session(path, mode="replay") as session:
        assert [_told(session, prompt) for prompt in prompts] == live
    days: list[Any] = []
    for prompt in prompts:
        with agent().session(tmp_path / "days.jsonl") as session:
            days.append(_told(session, prompt))
    assert days == live
    with agent().session(path) as session:
        session.undo(2)
        assert _told(session, "3") == live[2], "where it stands again, it is due again"
        assert session.compact_sync() is True
        assert not _told(session, "4")[0], "it was made shorter since"
