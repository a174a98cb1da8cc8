"""Agents as tools: their runs are lanes of the same tape, count for the run around them, and replay with it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from everyway import Outcome, Scenario, Stage, by_model, go, in_all_ways, ledgers, plain_event, texts, turns

import playhead as ph
from chatwire import Script, tool_call
from histories import check_history
from playhead.testing import answer, calls, refusal


class Deps:
    """What a run is given."""

    secret = "dont-write-me-down"


@dataclass
class City:
    """A city."""

    name: str
    people: int


def _geographer(stage: Stage) -> ph.Agent[Any, Any]:
    expert = stage.agent(name="expert", model="expert", output=ph.Output(City, mode="native"))
    return stage.agent(expert.as_tool(description="Knows cities."))


def test_the_output_of_an_agent_in_a_tool_is_checked_and_goes_back_as_json(tmp_path: Path) -> None:
    outcome = in_all_ways(
        Scenario(
            agent=_geographer,
            answers=by_model(
                main=turns(calls(("expert", {"prompt": "Bern"})), "It is small."),
                expert=turns('{"name": "Bern"}', '{"name": "Bern", "people": 134000}'),
            ),
        ),
        tmp_path,
    )
    assert texts(outcome) == ['{"name":"Bern","people":134000}']
    assert [row.lane for row in outcome.result.ledger] == ["root", "root/0.expert", "root/0.expert", "root"]


def _team(stage: Stage) -> ph.Agent[Any, Any]:
    async def think(about: str, ctx: ph.Context) -> str:
        """Think."""
        await asyncio.sleep(0.001 * len(about))
        return f"{about} at {ctx.lane}"

    worker = stage.agent(think, name="worker", model="worker")
    return stage.agent(worker.as_tool())


def _work(asked: Any) -> Any:
    usage = ph.Usage(input_tokens=10, output_tokens=2)
    prompt = asked.messages[0].text
    if len(asked.messages) == 1:
        return answer(calls=[("think", {"about": prompt}, f"think_{prompt}")], usage=usage, cost=0.01)
    return answer(f"{prompt} done", usage=usage, cost=0.01)


TEAM = Scenario(
    agent=_team,
    answers=by_model(
        main=turns(
            calls(*(("worker", {"prompt": name}, name) for name in ("long-one", "mid", "s"))),
            calls(("worker", {"prompt": "again"}, "again")),
            "All done.",
        ),
        worker=_work,
    ),
)


def test_agents_that_run_at_the_same_time_keep_to_their_lanes_in_all_ways(tmp_path: Path) -> None:
    outcome = in_all_ways(TEAM, tmp_path)
    assert texts(outcome) == ["long-one done", "mid done", "s done", "again done"]
    lanes = {row.lane for row in outcome.result.ledger}
    assert lanes == {"root", *(f"root/{n}.worker" for n in range(4))}


def test_usage_and_cost_add_up_and_are_the_same_when_they_are_played() -> None:
    live = go(TEAM)
    assert len(live.result.ledger) == 11
    assert live.result.ledger.known_cost == pytest.approx(0.08)
    assert live.result.ledger.known_usage.input_tokens == 80
    assert live.result.cost is None, "the outer calls said nothing of theirs"
    assert ledgers(go(TEAM, live.tape, "replay")) == ledgers(live)


def test_nested_events_come_in_order_and_say_where_they_happen() -> None:
    outcome = go(TEAM, stream=True)
    for n in range(3):
        lane = f"root/{n}.worker"
        mine = [event for event in outcome.events if getattr(event, "lane", None) == lane]
        kinds = [type(event).__name__ for event in mine]
        assert (kinds[0], kinds[-1]) == ("ToolStart", "ToolEnd")
        assert set(kinds[1:-1]) == {"Nested"}
        inner = [type(event.event).__name__ for event in mine[1:-1]]
        assert [kind for kind in inner if not kind.startswith("Part")] == [
            *("MessageStart", "MessageEnd", "ToolStart", "ToolEnd", "MessageStart", "MessageEnd")
        ]
        assert {event.agent for event in mine[1:-1]} == {"worker"}


def test_agents_in_agents_are_told_of_with_the_innermost_lane() -> None:
    def agent(stage: Stage) -> ph.Agent[Any, Any]:
        inner = stage.agent(name="inner", model="inner")
        middle = stage.agent(inner.as_tool(), name="middle", model="middle")
        return stage.agent(middle.as_tool())

    outcome = go(
        Scenario(
            agent=agent,
            answers=by_model(
                main=turns(calls(("middle", {"prompt": "x"})), "a"),
                middle=turns(calls(("inner", {"prompt": "y"})), "b"),
                inner=turns("c"),
            ),
        ),
        stream=True,
    )
    where = [(event.lane, event.agent) for event in outcome.events if isinstance(event, ph.Nested)]
    assert list(dict.fromkeys(where)) == [("root/0.middle", "middle"), ("root/0.middle/0.inner", "inner")]
    assert not [event for event in outcome.events if plain_event(event).count("Nested(") > 1]


@pytest.mark.parametrize(
    ("inner", "says"),
    [
        (lambda asked: refusal(400, "no such thing"), "ProviderError"),
        (turns(calls(("nothing",)), calls(("nothing",))), "StepLimit"),
        (turns("no number", "still none", "none at all"), "OutputError"),
    ],
    ids=["refused", "too many steps", "no output"],
)
def test_an_error_in_an_agent_is_told_to_the_one_around_it(inner: Any, says: str, tmp_path: Path) -> None:
    def agent(stage: Stage) -> ph.Agent[Any, Any]:
        sub = stage.agent(name="sub", model="sub", max_steps=2 if says == "StepLimit" else 9, output=ph.Output(int))
        return stage.agent(sub.as_tool())

    scenario = Scenario(agent=agent, answers=by_model(main=turns(calls(("sub", {"prompt": "x"})), "Ah."), sub=inner))
    live = go(scenario, tmp_path / "run.jsonl")
    assert texts(live)[0].startswith(f"Error: {says}: ")
    assert live.result.text == "Ah."
    check_history(live.result.messages)
    played = go(scenario, tmp_path / "run.jsonl", "replay")
    assert (played.seen, ledgers(played)) == (live.seen, ledgers(live))


def _sync_tools(stage: Stage) -> ph.Agent[Any, Any]:
    helper = stage.agent(name="helper", model="helper")

    def ask(question: str) -> str:
        """Ask a helper, from a thread."""
        return helper.run_sync(question).text

    async def ask_twice(question: str) -> list[str]:
        """Ask a helper twice."""
        return [(await helper.run(question)).text, (await helper.run(f"{question}?")).text]

    return stage.agent(ask, ask_twice)


def test_tools_that_run_agents_themselves_are_lanes_of_the_same_tape_in_all_ways(tmp_path: Path) -> None:
    outcome = in_all_ways(
        Scenario(
            agent=_sync_tools,
            answers=by_model(
                main=turns(calls(("ask", {"question": "a"}, "1"), ("ask_twice", {"question": "b"}, "2")), "Done."),
                helper=lambda asked: f"to {asked.messages[0].text}",
            ),
        ),
        tmp_path,
    )
    assert texts(outcome) == ["to a", '["to b","to b?"]']
    assert len(outcome.result.ledger) == 5
    assert not outcome.tape.cut_off


def test_a_run_inside_a_tool_may_have_a_tape_of_its_own(tmp_path: Path) -> None:
    def agent(stage: Stage) -> ph.Agent[Any, Any]:
        helper = stage.agent(name="helper", model="helper")

        @ph.tool(effect="idempotent")
        async def ask(question: str) -> str:
            """Ask a helper."""
            return (await helper.run(question, tape=tmp_path / "own.jsonl", mode="auto")).text

        return stage.agent(ask)

    scenario = Scenario(
        agent=agent,
        answers=by_model(main=turns(calls(("ask", {"question": "a"})), "Done."), helper=turns("An answer.")),
    )
    live = go(scenario, tmp_path / "run.jsonl")
    assert texts(live) == ["An answer."]
    assert [it.lane for it in live.tape.interactions] == ["root", "root"]
    assert len(ph.load_tape(tmp_path / "own.jsonl").interactions) == 1
    played = go(scenario, tmp_path / "run.jsonl", "replay")
    assert played.seen == live.seen
    assert len(live.result.ledger) == 3, "what it took counts for the run around it"


def _limited(limits: ph.Limits | None, sub_limits: ph.Limits | None = None) -> Scenario:
    def agent(stage: Stage) -> ph.Agent[Any, Any]:
        worker = stage.agent(name="worker", model="worker", limits=sub_limits)
        return stage.agent(worker.as_tool(), limits=limits)

    said = ph.Usage(input_tokens=10, output_tokens=5)
    return Scenario(
        agent=agent,
        answers=by_model(
            main=lambda asked: answer(
                calls=[("worker", {"prompt": "x"}, f"c{len(asked.messages)}")] if len(asked.messages) < 7 else [],
                text="Done." if len(asked.messages) >= 7 else "",
                usage=said,
                cost=0.01,
            ),
            worker=lambda asked: answer("ok", usage=said, cost=0.01),
        ),
        torn=False,
    )


@pytest.mark.parametrize(
    ("limits", "name", "attempts"),
    [
        (ph.Limits(total_tokens=60), "total_tokens", 4),
        (ph.Limits(cost=0.03), "cost", 3),
        (ph.Limits(steps=3), "steps", 3),
        (ph.Limits(tool_calls=2), "tool_calls", 5),
    ],
    ids=["tokens", "cost", "steps", "tool calls"],
)
def test_the_limits_of_a_run_count_what_agents_in_its_tools_take(
    limits: ph.Limits, name: str, attempts: int, tmp_path: Path
) -> None:
    outcome = in_all_ways(_limited(limits), tmp_path)
    assert isinstance(outcome.error, ph.LimitExceeded)
    assert outcome.error.limit == name
    assert len(outcome.result.ledger) == attempts


def test_an_agents_own_limit_ends_its_own_run_and_not_the_one_around_it(tmp_path: Path) -> None:
    def agent(stage: Stage) -> ph.Agent[Any, Any]:
        worker = stage.agent(lambda_tool, name="worker", model="worker", limits=ph.Limits(steps=1))
        return stage.agent(worker.as_tool())

    def lambda_tool() -> str:
        """Do nothing."""
        return "nothing"

    outcome = in_all_ways(
        Scenario(
            agent=agent,
            answers=by_model(
                main=turns(calls(("worker", {"prompt": "x"})), "So be it."),
                worker=turns(calls(("lambda_tool",)), "never"),
            ),
        ),
        tmp_path,
    )
    assert texts(outcome)[0].startswith("Error: a limit is reached: ")
    assert outcome.result.text == "So be it."


def test_agents_in_tools_find_the_dependencies_of_the_run_and_put_none_on_the_tape(tmp_path: Path) -> None:
    def agent(stage: Stage) -> ph.Agent[Any, Any]:
        def look(ctx: ph.Context[Deps]) -> int:
            """Look."""
            return len(ctx.deps.secret)

        return stage.agent(stage.agent(look, name="sub", model="sub").as_tool())

    outcome = in_all_ways(
        Scenario(
            agent=agent,
            answers=by_model(
                main=turns(calls(("sub", {"prompt": "x"})), "Done."), sub=turns(calls(("look",)), "Looked.")
            ),
            options=lambda: {"deps": Deps()},
        ),
        tmp_path,
    )
    assert texts(outcome) == ["Looked."]
    assert b"dont-write-me-down" not in (tmp_path / "live-True.jsonl").read_bytes()
    assert outcome.tape.tools[1].result == "18"


def test_cancelling_a_run_cancels_the_agents_inside_it(tmp_path: Path) -> None:
    async def hang() -> str:
        """Hang."""
        await asyncio.sleep(30)
        return "never"

    stage = Stage(by_model(main=turns(calls(("sub", {"prompt": "x"}))), sub=turns(calls(("hang",)))))
    agent = stage.agent(stage.agent(hang, name="sub", model="sub").as_tool())
    file = tmp_path / "run.jsonl"

    async def main(**more: Any) -> ph.RunResult[Any]:
        async with agent.stream("Go.", tape=file, **more) as run:
            async for event in run:
                if isinstance(event, ph.Nested) and isinstance(event.event, ph.ToolStart):
                    run.cancel()
        return run.result

    result = asyncio.run(main())
    assert result.finish_reason == "cancelled"
    check_history(result.messages)
    played = asyncio.run(main(mode="replay"))
    assert (played.messages, played.finish_reason) == (result.messages, "cancelled")


def _seconds(outcome: Outcome) -> list[float]:
    return [reading.value for reading in outcome.tape.readings if reading.name == "elapsed"]


def test_seconds_of_a_run_are_those_of_its_tree_and_are_played(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    now = [0.0]
    monkeypatch.setattr("playhead.agent.steps.time.monotonic", lambda: now[0])

    def agent(stage: Stage) -> ph.Agent[Any, Any]:
        def wait() -> str:
            """Wait for a minute."""
            now[0] += 60
            return "waited"

        worker = stage.agent(wait, name="worker", model="worker")
        return stage.agent(worker.as_tool(), limits=ph.Limits(seconds=100))

    scenario = Scenario(
        agent=agent,
        answers=by_model(
            main=turns(calls(("worker", {"prompt": "x"})), "never"),
            worker=turns(calls(("wait",)), calls(("wait",)), "never"),
        ),
    )
    live = go(scenario, tmp_path / "run.jsonl")
    assert isinstance(live.error, ph.LimitExceeded)
    assert live.error.limit == "seconds"
    assert [row.lane for row in live.result.ledger] == ["root", "root/0.worker", "root/0.worker"]
    assert max(_seconds(live)) == 120
    played = go(scenario, tmp_path / "run.jsonl", "replay")
    assert (played.seen, ledgers(played)) == (live.seen, ledgers(live))


@pytest.mark.parametrize("limits", [ph.Limits(steps=3), ph.Limits(tool_calls=2), ph.Limits(total_tokens=40)])
def test_a_limit_of_the_run_around_ends_that_run_and_is_gone_on_from(limits: ph.Limits, tmp_path: Path) -> None:
    looked: list[str] = []

    @ph.tool(effect="once")
    def look(what: str) -> str:
        looked.append(what)
        return f"{what} is there"

    path = tmp_path / "t.jsonl"
    script = Script(
        (None, tool_call("sub", {"prompt": "look"}), tool_call("look", {"what": "z"}, "z")),
        (None, tool_call("look", {"what": "a"})),
        (None, tool_call("look", {"what": "b"})),
        ("both are there",),
        ("done",),
    )
    agent = script.agent(script.agent(look, name="sub").as_tool(), look)
    with pytest.raises(ph.LimitExceeded) as caught:
        agent.run_sync("go", tape=path, limits=limits)
    assert caught.value.around
    assert caught.value.run is not None
    check_history(caught.value.run.messages)
    with pytest.raises(ph.LimitExceeded, match=str(caught.value.limit)) as again:
        agent.run_sync("go", tape=path, mode="replay", limits=limits)
    assert again.value.run is not None
    assert again.value.run.messages == caught.value.run.messages
    result = agent.run_sync("go", tape=path, limits=ph.Limits(steps=99))
    assert (result.text, sorted(looked)) == ("done", ["a", "b", "z"])
    assert agent.run_sync("go", tape=path, mode="replay").messages == result.messages


def test_a_limit_of_its_own_is_told_to_the_model_in_a_few_words() -> None:
    script = Script((None, tool_call("sub", {"prompt": "look"})), (None, tool_call("nothing")), ("it could not",))
    sub = script.agent(name="sub", limits=ph.Limits(steps=1))
    result = script.agent(sub.as_tool()).run_sync("go")
    assert result.steps[0].results[0].text == "Error: a limit is reached: 1 of 1 steps are used up."
    assert result.text == "it could not"
