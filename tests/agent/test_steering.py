"""Steering: what a step is made of, when a run stops, and instructions that are made when it begins."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from everyway import Scenario, Stage, go, in_all_ways, turns

import playhead as ph
from playhead.testing import answer, calls

USAGE = ph.Usage(input_tokens=10, output_tokens=5)


def look_up(what: str) -> str:
    """Look something up."""
    return f"about {what}"


def note(text: str) -> str:
    """Note something."""
    return "noted"


def _steered(stage: Stage) -> ph.Agent[Any, Any]:
    other = ph.Model(stage.script.model.provider, "other")

    async def before(step: ph.NextStep[Any]) -> ph.NextStep[Any] | None:
        await asyncio.sleep(0)
        match step.number:
            case 0:
                return step.replace(tool_choice="required", tools=("look_up",))
            case 1:
                return step.replace(
                    model=other, messages=(*step.messages, ph.user("Hurry.")), settings={"temperature": 0.5}
                )
            case _:
                return None

    return stage.agent(look_up, note, before_step=before, max_tokens=50)


STEERED = Scenario(
    agent=_steered,
    answers=lambda asked: [
        calls(("look_up", {"what": "x"}, "c1")),
        calls(("note", {"text": "y"}, "c2")),
        "Done.",
    ][sum(message.role == "assistant" for message in asked.messages)],
)


def test_a_step_is_made_of_what_before_step_says_and_the_next_one_is_not(tmp_path: Path) -> None:
    outcome = in_all_ways(STEERED, tmp_path)
    first, second, third = outcome.stage.script.requests
    assert [it.model for it in (first, second, third)] == ["main", "other", "main"]
    assert [[tool.name for tool in it.tools] for it in (first, second, third)] == [
        ["look_up"],
        ["look_up", "note"],
        ["look_up", "note"],
    ]
    assert [it.settings.get("tool_choice") for it in (first, second, third)] == ["required", None, None]
    assert [it.settings.get("temperature") for it in (first, second, third)] == [None, 0.5, None]
    assert [it.settings.get("max_tokens") for it in (first, second, third)] == [50, 50, 50]
    assert second.messages[-1].text.endswith("Hurry.")
    assert "Hurry." not in str(third.messages), "what is changed holds for one step"
    assert "Hurry." not in str(outcome.result.messages)


def test_a_step_may_ask_another_provider_in_another_format(tmp_path: Path) -> None:
    def agent(stage: Stage) -> ph.Agent[Any, Any]:
        provider = ph.Provider(
            "elsewhere", "http://elsewhere.invalid/v1", key_required=False, wire="anthropic", models_url=None
        )
        elsewhere = ph.Model(provider, "claude")
        return stage.agent(look_up, before_step=lambda step: step.replace(model=elsewhere) if step.number else None)

    outcome = in_all_ways(
        Scenario(agent=agent, answers=turns(calls(("look_up", {"what": "x"}, "c1")), "Done.")), tmp_path
    )
    assert [it.request.url.rpartition("/v1")[2] for it in outcome.tape.interactions] == [
        "/chat/completions",
        "/messages",
    ]


def test_a_tool_that_was_not_offered_in_a_step_cannot_be_called_in_it(tmp_path: Path) -> None:
    outcome = in_all_ways(
        Scenario(
            agent=lambda stage: stage.agent(look_up, note, before_step=lambda step: step.replace(tools=("note",))),
            answers=turns(calls(("look_up", {"what": "x"}, "c1")), "Done."),
        ),
        tmp_path,
    )
    assert "there is no tool named 'look_up'" in outcome.result.steps[0].results[0].text
    assert all(name.endswith("look_up") for name in outcome.stage.ran)


def test_before_step_sees_the_run_so_far(tmp_path: Path) -> None:
    seen: list[tuple[int, int, Any]] = []

    def before(step: ph.NextStep[Any]) -> None:
        state = step.state
        seen.append((step.number, state.steps, state.usage.input_tokens))
        assert state.deps == step.deps == "bob"

    go(
        Scenario(
            agent=lambda stage: stage.agent(look_up, before_step=before),
            answers=turns(answer(calls=[("look_up", {"what": "x"}, "c1")], usage=USAGE), "Done."),
            options=lambda: {"deps": "bob"},
        )
    )
    assert seen == [(0, 0, None), (1, 1, 10)]


# Conditions under which a run ends.


async def _enough(state: ph.RunState[Any]) -> str | None:
    await asyncio.sleep(0)
    return "enough" if state.steps >= 2 else None


def _named(state: ph.RunState[Any]) -> bool:
    return state.steps >= 2


CONDITIONS: dict[str, tuple[Any, str]] = {
    "steps": (ph.stop.steps(2), "2 steps were made"),
    "tool": (ph.stop.tool_called("note"), "tool note was called"),
    "tokens": (ph.stop.tokens(30), "30 tokens were used"),
    "cost": (ph.stop.cost(0.02), "$0.0200 were spent"),
    "function": (_named, "_named"),
    "async function": (_enough, "enough"),
    "several": ([ph.stop.steps(9), _enough], "enough"),
    "clock": (lambda state: state.ctx.read("hour", lambda: 17) >= 17 and state.steps == 2 and "late", "late"),
}


def _said(asked: Any) -> Any:
    n = sum(message.role == "assistant" for message in asked.messages)
    name = "note" if n else "look_up"
    return answer(calls=[(name, {"text" if n else "what": "x"}, f"c{n}")], usage=USAGE, cost=0.01)


@pytest.mark.parametrize("kind", CONDITIONS)
def test_a_run_stops_well_when_a_condition_holds(kind: str, tmp_path: Path) -> None:
    condition, reason = CONDITIONS[kind]
    outcome = in_all_ways(
        Scenario(
            agent=lambda stage: stage.agent(look_up, note, stop_when=condition),
            answers=_said,
            torn=kind not in ("tokens", "cost"),
        ),
        tmp_path,
    )
    assert outcome.result.finish_reason == "stopped"
    assert outcome.result.stopped == reason
    assert len(outcome.result.steps) == 2
    assert outcome.result.steps[1].results, "the tools of the last step have run"


def test_the_time_that_a_run_takes_is_read_once_and_played(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    now = [0.0]
    monkeypatch.setattr("playhead.agent.steps.time.monotonic", lambda: now[0])

    def wait() -> str:
        """Wait."""
        now[0] += 10
        return "waited"

    scenario = Scenario(
        agent=lambda stage: stage.agent(wait, stop_when=ph.stop.seconds(25)),
        answers=lambda asked: calls(("wait", {}, f"c{len(asked.messages)}")),
    )
    live = go(scenario, tmp_path / "run.jsonl")
    assert live.result.stopped == "the run took 30.0 s"
    now[0] = 1_000.0
    played = go(scenario, tmp_path / "run.jsonl", "replay")
    assert played.seen == live.seen
    file = tmp_path / "run.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    readings = [n for n, line in enumerate(lines) if b'"elapsed"' in line]
    file.write_bytes(b"".join(lines[: readings[1] + 1]))
    resumed = go(scenario, file)
    assert resumed.result.stopped == "the run took 30.0 s", "the time between the kill and the resume does not count"


# Instructions.


def test_instructions_are_made_when_the_run_begins_and_are_the_same_when_it_is_resumed(tmp_path: Path) -> None:
    made: list[int] = []

    async def today(ctx: ph.Context[str]) -> str:
        made.append(1)
        await asyncio.sleep(0)
        return f"It is {ctx.now().isoformat()} and you help {ctx.deps} ({ctx.random()}, {ctx.uuid()})."

    scenario = Scenario(
        agent=lambda stage: stage.agent(look_up, system=["Be brief.", today]),
        answers=turns(calls(("look_up", {"what": "x"}, "c1")), "Done."),
        options=lambda: {"deps": "Ada"},
    )
    live = go(scenario, tmp_path / "run.jsonl")
    said = live.result.messages[0].text
    assert said.startswith("Be brief.\n\nIt is 20")
    assert "you help Ada" in said
    assert go(scenario, tmp_path / "run.jsonl", "replay").seen == live.seen
    lines = (tmp_path / "run.jsonl").read_bytes().splitlines(keepends=True)
    for kept in range(4, len(lines)):
        killed = tmp_path / "killed.jsonl"
        killed.write_bytes(b"".join(lines[:kept]))
        with ph.open_tape(killed, in_doubt="rerun") as tape:
            assert go(scenario, tape).seen == live.seen
    calls_at = [number for number, effect in live.tape.numbered if isinstance(effect, ph.Interaction)]
    assert go(scenario, live.tape.fork(calls_at[1])).seen == live.seen


def test_a_history_keeps_its_instructions_unless_a_function_makes_new_ones() -> None:
    stage = Stage(lambda asked: asked.messages[0].text)
    history = (ph.system("Old."), ph.user("Hi"), ph.Message("assistant", (ph.TextPart("Hello"),)))
    assert stage.agent(system="New.").run_sync("Again", messages=history).text == "Old."
    assert stage.agent(system=lambda ctx: "New.").run_sync("Again", messages=history).text == "New."


def test_dependencies_are_on_no_tape(tmp_path: Path) -> None:
    class Deps:
        key = "dep-secret-000"

        def __repr__(self) -> str:
            return self.key

    def before(step: ph.NextStep[Any]) -> None:
        assert step.deps.key == Deps.key

    def work(ctx: ph.Context[Any]) -> str:
        """Work."""
        ctx.progress("half", 0.5)
        return str(len(ctx.deps.key))

    outcome = in_all_ways(
        Scenario(
            agent=lambda stage: stage.agent(
                work,
                system=lambda ctx: f"{len(ctx.deps.key)}",
                before_step=before,
                stop_when=lambda s: s.deps is None,
            ),
            answers=turns(calls(("work", {}, "c1")), "Done."),
            options=lambda: {"deps": Deps()},
        ),
        tmp_path,
    )
    assert outcome.result.steps[0].results[0].text == "14"
    for file in tmp_path.iterdir():
        assert b"dep-secret-000" not in file.read_bytes(), file.name
    assert "dep-secret-000" not in repr(outcome.result)


def test_an_error_in_a_function_of_the_users_leaves_the_run_with_what_it_has() -> None:
    def broken(step: ph.NextStep[Any]) -> None:
        if step.number:
            raise LookupError("nothing there")

    stage = Stage(turns(calls(("look_up", {"what": "x"}, "c1")), "Done."))
    with pytest.raises(LookupError) as caught:
        stage.agent(look_up, before_step=broken).run_sync("Go.")
    run = caught.value.run  # type: ignore[attr-defined]
    assert [message.role for message in run.messages] == ["user", "assistant", "tool"]


def test_a_tool_that_ends_the_run_is_the_same_in_all_ways(tmp_path: Path) -> None:
    def end(why: str) -> str:
        """End the run."""
        raise ph.StopRun(why)

    outcome = in_all_ways(
        Scenario(
            agent=lambda stage: stage.agent(end, look_up),
            answers=turns(calls(("look_up", {"what": "x"}, "1"), ("end", {"why": "that is it"}, "2"))),
        ),
        tmp_path,
    )
    assert outcome.result.text == outcome.result.output == "that is it"


def test_a_stop_by_cost_ends_a_run_whose_cost_nobody_knows() -> None:
    look = ph.Tool.from_schema(lambda given: "there", name="look", parameters={"type": "object"})
    with ph.testing.Script([ph.testing.calls(("look", {})), "never"]) as script:
        result = script.agent(tools=[look], stop_when=ph.stop.cost(0.1)).run_sync("go")
        assert (result.finish_reason, result.stopped) == ("stopped", "what was spent is not known")
        assert script.left
        assert script.agent().run_sync("go").text == "never"
