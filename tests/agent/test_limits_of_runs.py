"""Limits: looked at before a call goes out, the same in all ways, and shared by runs that have one budget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from everyway import Scenario, Stage, go, in_all_ways, ledgers, turns

import playhead as ph
from histories import check_history
from playhead.testing import answer, calls, refusal

USAGE = ph.Usage(input_tokens=10, output_tokens=5)


def work(n: int) -> str:
    """Work."""
    return f"work {n}"


def _on_and_on(asked: Any) -> Any:
    n = sum(message.role == "assistant" for message in asked.messages)
    return answer(calls=[("work", {"n": n}, f"c{n}"), ("work", {"n": n}, f"d{n}")], usage=USAGE, cost=0.01)


LIMITS: dict[str, tuple[ph.Limits, int, int]] = {
    "input_tokens": (ph.Limits(input_tokens=25), 3, 6),
    "output_tokens": (ph.Limits(output_tokens=10), 2, 4),
    "total_tokens": (ph.Limits(total_tokens=31), 3, 6),
    "cost": (ph.Limits(cost=0.02), 2, 4),
    "steps": (ph.Limits(steps=2), 2, 4),
    "tool_calls": (ph.Limits(tool_calls=3), 2, 2),
}


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("of", ["agent", "run"])
def test_a_limit_ends_the_run_before_the_next_call_in_all_ways(name: str, of: str, tmp_path: Path) -> None:
    limits, attempts, tools = LIMITS[name]
    mine = {"limits": limits}
    outcome = in_all_ways(
        Scenario(
            agent=lambda stage: stage.agent(work, **(mine if of == "agent" else {"limits": ph.Limits(steps=1)})),
            answers=_on_and_on,
            options=lambda: mine if of == "run" else {},
            torn=name in ("steps", "tool_calls"),
        ),
        tmp_path,
    )
    assert isinstance(outcome.error, ph.LimitExceeded)
    assert outcome.error.limit == name
    assert len(outcome.stage.script.requests) == attempts == len(outcome.result.ledger)
    assert len(outcome.stage.ran) == tools, "all tools of a step run, or none"
    check_history(outcome.result.messages)


def test_a_limit_is_looked_at_between_attempts(tmp_path: Path) -> None:
    answers = [refusal(500, "Try again."), refusal(500, "Try again."), "Done."]

    def said(asked: Any) -> Any:
        return answers.pop(0)

    stage = Stage(said)
    agent = stage.agent(retry=ph.Retry(attempts=5, base_s=0.001), limits=ph.Limits(cost=1.0, unknown_cost="allow"))
    assert agent.run_sync("Go.").text == "Done."

    fallback = ph.Model(stage.script.model.provider, "other")
    answers[:] = [ph.testing.cut(answer("a b c d", usage=USAGE, cost=0.5), after=2), "never"]
    stage = Stage(said)
    agent = stage.agent(retry=ph.Retry(attempts=2, base_s=0.001), fallbacks=[fallback], limits=ph.Limits(cost=1.0))
    with (
        pytest.raises(ph.LimitExceeded, match="cost") as caught,
        agent.stream_sync("Go.", tape=tmp_path / "r.jsonl") as run,
    ):
        list(run)
    assert answers == ["never"], "what the torn answer cost is not known, and no more is asked"
    assert caught.value.run is not None
    assert len(caught.value.run.ledger) == 1


def test_seconds_are_those_of_the_run_and_not_of_the_replay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    now = [0.0]
    monkeypatch.setattr("playhead.agent.steps.time.monotonic", lambda: now[0])

    def wait() -> str:
        """Wait."""
        now[0] += 40
        return "waited"

    scenario = Scenario(
        agent=lambda stage: stage.agent(wait, limits=ph.Limits(seconds=100)),
        answers=lambda asked: calls(("wait", {}, f"c{len(asked.messages)}")),
    )
    file = tmp_path / "run.jsonl"
    live = go(scenario, file)
    assert isinstance(live.error, ph.LimitExceeded)
    assert (live.error.limit, live.error.allowed, live.error.used) == ("seconds", 100, 120)
    lines = file.read_bytes().splitlines(keepends=True)
    now[0] = 5_000.0
    played = go(scenario, file, "replay")
    assert (played.seen, ledgers(played)) == (live.seen, ledgers(live))
    readings = [n for n, line in enumerate(lines) if b'"elapsed"' in line]
    file.write_bytes(b"".join(lines[: readings[3] + 1]))
    resumed = go(scenario, file)
    assert resumed.seen == live.seen, "the time between the kill and the resume does not count"


def test_a_tape_that_was_recorded_without_a_limit_on_seconds_replays_with_one(tmp_path: Path) -> None:
    answers = turns(calls(("work", {"n": 1}, "c1")), "Done.")
    live = go(Scenario(agent=lambda stage: stage.agent(work), answers=answers), tmp_path / "run.jsonl")
    limited = Scenario(agent=lambda stage: stage.agent(work, limits=ph.Limits(seconds=1)), answers=answers)
    assert go(limited, tmp_path / "run.jsonl", "replay").seen == live.seen


def test_runs_share_a_budget(tmp_path: Path) -> None:
    budget = ph.Budget(ph.Limits(cost=0.035, tool_calls=99))
    stage = Stage(turns(answer(calls=[("work", {"n": 1}, "c1")], usage=USAGE, cost=0.01), answer("Done.", cost=0.01)))
    agent = stage.agent(work)
    assert agent.run_sync("Go.", budget=budget).text == "Done."
    assert agent.run_sync("Go.", budget=budget).text == "Done."
    with pytest.raises(ph.LimitExceeded) as caught:
        agent.run_sync("Go.", budget=budget, tape=tmp_path / "run.jsonl")
    assert caught.value.limit == "cost"
    assert len(stage.script.requests) == 4 == len(budget.ledger)
    assert budget.tool_calls == 2
    assert caught.value.run is not None
    assert len(caught.value.run.ledger) == 0


def test_a_run_that_is_resumed_goes_on_counting(tmp_path: Path) -> None:
    @ph.tool(approve=True)
    def careful(n: int) -> str:
        """Work."""
        return f"work {n}"

    def said(asked: Any) -> Any:
        n = sum(message.role == "assistant" for message in asked.messages)
        return answer(calls=[("careful", {"n": n}, f"c{n}")], usage=USAGE, cost=0.01)

    stage = Stage(said)
    agent = stage.agent(careful, limits=ph.Limits(steps=3))
    file = tmp_path / "run.jsonl"
    agent.run_sync("Go.", tape=file)
    agent.resume_sync(file, approvals={"c0": True})
    agent.resume_sync(file, approvals={"c1": True})
    with pytest.raises(ph.LimitExceeded, match="steps") as caught:
        agent.resume_sync(file, approvals={"c2": True})
    assert len(stage.script.requests) == 3
    assert caught.value.run is not None
    assert len(caught.value.run.ledger) == 3


def test_a_step_limit_is_an_error_that_carries_the_run_in_all_ways(tmp_path: Path) -> None:
    outcome = in_all_ways(
        Scenario(agent=lambda stage: stage.agent(work, max_steps=2), answers=_on_and_on),
        tmp_path,
    )
    assert isinstance(outcome.error, ph.StepLimit)
    assert len(outcome.result.steps) == 2


def test_counting_what_is_inside_tools_takes_the_same_for_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the run is: a step looks at what is new, and at nothing twice."""
    from playhead.ledger import Meter

    given: list[int] = []
    since = Meter.since

    def counted(self: Meter, n: int) -> Any:
        found = since(self, n)
        given.append(len(found))
        return found

    monkeypatch.setattr(Meter, "since", counted)

    def agent(stage: Stage) -> ph.Agent[Any, Any]:
        helper = stage.agent(name="helper", model="helper")
        return stage.agent(helper.as_tool())

    def said(asked: Any) -> Any:
        n = sum(message.role == "assistant" for message in asked.messages)
        if asked.model == "helper":
            return "ok"
        return calls(("helper", {"prompt": str(n)}, f"c{n}")) if n < 20 else "Done."

    outcome = go(Scenario(agent=agent, answers=said))
    assert len(outcome.result.ledger) == 41
    assert sum(given) == 40
    assert max(given) == 2


def test_a_limit_that_is_reached_between_attempts_ends_a_replay_there_too(tmp_path: Path) -> None:
    scenario = Scenario(
        agent=lambda stage: stage.agent(retry=ph.Retry(attempts=3, base_s=0), limits=ph.Limits(cost=1.0)),
        answers=lambda asked: ph.testing.cut(answer("a b c d", usage=USAGE, cost=0.5), after=2),
    )
    file = tmp_path / "run.jsonl"
    live = go(scenario, file, stream=True)
    played = go(scenario, file, "replay", stream=True)
    assert isinstance(live.error, ph.LimitExceeded)
    assert (played.seen, ledgers(played)) == (live.seen, ledgers(live))


def test_seconds_are_looked_at_between_attempts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    now = [0.0]
    monkeypatch.setattr("playhead.agent.steps.time.monotonic", lambda: now[0])

    def busy(asked: Any) -> Any:
        now[0] += 40
        return refusal(503, "Try again.")

    scenario = Scenario(
        agent=lambda stage: stage.agent(retry=ph.Retry(attempts=9, base_s=0), limits=ph.Limits(seconds=100)),
        answers=busy,
    )
    file = tmp_path / "run.jsonl"
    live = go(scenario, file)
    assert isinstance(live.error, ph.LimitExceeded)
    assert (live.error.used, len(live.stage.script.requests)) == (120, 3)
    now[0] = 5_000.0
    played = go(scenario, file, "replay")
    assert (played.seen, ledgers(played)) == (live.seen, ledgers(live))


def test_what_was_read_between_attempts_does_not_turn_the_clock_of_a_resumed_run_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    now, healthy = [0.0], [False]
    monkeypatch.setattr("playhead.agent.steps.time.monotonic", lambda: now[0])

    def answers(asked: Any) -> Any:
        now[0] += 10
        first = len(asked.messages) == 1
        return calls(("work", {"n": 1}, "c1")) if first and healthy[0] else refusal(503, "Try again.")

    def scenario(attempts: int) -> Scenario:
        retry = ph.Retry(attempts=attempts, base_s=0)
        return Scenario(
            agent=lambda stage: stage.agent(work, retry=retry, limits=ph.Limits(seconds=45)), answers=answers
        )

    file = tmp_path / "run.jsonl"
    assert isinstance(go(scenario(2), file).error, ph.ProviderError)
    healthy[0] = True
    resumed = go(scenario(9), file)
    assert isinstance(resumed.error, ph.LimitExceeded)
    assert (resumed.error.used, len(resumed.stage.script.requests)) == (50, 5)
    played = go(scenario(9), file, "replay")
    assert (played.seen, ledgers(played)) == (resumed.seen, ledgers(resumed))


def test_a_budget_that_is_handed_on_to_agents_inside_tools_counts_once(tmp_path: Path) -> None:
    stage = Stage(turns(answer(calls=[("ask", {}, "c1")], usage=USAGE, cost=0.01), answer("Done.", cost=0.01)))
    inner = Stage(turns(answer("It is so.", usage=USAGE, cost=0.01)))

    def asked(mode: Any, outer: ph.Budget, handed: ph.Budget) -> ph.RunResult[Any]:
        async def ask() -> str:
            """Ask another."""
            return (await inner.agent().run("What?", budget=handed)).text

        return stage.agent(ask).run_sync("Go.", budget=outer, tape=tmp_path / "run.jsonl", mode=mode)

    for mode in ("record", "replay"):
        budget = ph.Budget(ph.Limits(steps=9))
        result = asked(mode, budget, budget)
        assert (len(budget.ledger), budget.steps, budget.tool_calls) == (3, 3, 1), mode
        assert len(result.ledger) == 3
    outer, own = ph.Budget(), ph.Budget()
    asked("record", outer, own)
    assert (len(outer.ledger), outer.steps, len(own.ledger), own.steps) == (3, 3, 1, 1)


def test_a_request_for_which_there_was_no_key_costs_nothing(tmp_path: Path) -> None:
    keys = ["", "sk-0123456789"]
    stage = Stage(turns(answer(calls=[("work", {"n": 1}, "c1")], usage=USAGE, cost=0.01), answer("Done.", cost=0.01)))
    model = ph.Model(*ph.providers.resolve("openrouter:main"), api_key=lambda: keys[0])
    agent = ph.Agent(model, tools=[work], transport=stage.script, limits=ph.Limits(cost=1.0))
    file = tmp_path / "run.jsonl"
    with pytest.raises(ph.MissingKey):
        agent.run_sync("Go.", tape=file)
    (row,) = ph.ledger_of(ph.load_tape(file))
    assert (row.outcome, row.billable) == ("failed", False)
    del keys[0]
    assert agent.run_sync("Go.", tape=file).text == "Done."


@pytest.mark.parametrize("what", ["limit", "inside"])
def test_a_cassette_of_another_program_is_not_written_to_while_it_is_played(what: str, tmp_path: Path) -> None:
    stage = Stage(turns(answer(calls=[("ask", {}, "c1")], usage=USAGE), answer("Done.")))
    inner = Stage(turns(answer("It is so.")))

    async def ask() -> str:
        """Ask another."""
        return (await inner.agent().run("What?", tape=ph.Tape(), mode="off")).text

    limits = ph.Limits(seconds=1_000) if what == "limit" else ph.Limits(steps=99)
    recorded = stage.agent(ask).run_sync("Go.").tape
    assert recorded is not None
    file = tmp_path / "theirs.yaml"
    ph.save_tape(ph.Tape(recorded.interactions), file)
    before = file.read_bytes()
    assert stage.agent(ask, limits=limits).run_sync("Go.", tape=file).text == "Done."
    assert file.read_bytes() == before
