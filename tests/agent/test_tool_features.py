"""What tools can do, in all ways in which a run can be had: limits, retries, progress, repair, readings, media."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from everyway import Scenario, Stage, as_bytes, go, in_all_ways, texts, turns

import playhead as ph
from playhead.agent.execution import ToolTimeout, execute
from playhead.testing import Script, answer, calls


@dataclass
class Deps:
    """What a run is given."""

    factor: int
    secret: str = "in-no-tape-whatever"


async def _hangs() -> str:
    await asyncio.sleep(30)
    return "never"


def _blocks() -> str:
    threading.Event().wait(0.2)
    return "never"


@pytest.mark.parametrize("function", [_hangs, _blocks], ids=["async", "on a thread"])
def test_a_tool_that_takes_too_long_gives_an_error_result(function: Any, tmp_path: Path) -> None:
    slow = ph.tool(timeout=0.005, name="slow", description="Be slow.")(function)
    outcome = in_all_ways(
        Scenario(agent=lambda stage: stage.agent(slow), answers=turns(calls(("slow", {}, "c1")), "I see.")), tmp_path
    )
    said = texts(outcome)[0]
    assert said.startswith("Error: the tool did not end within 0.005 s")
    assert ("a thread cannot be stopped" in said) is (function is _blocks)


def test_a_tool_that_may_run_twice_is_tried_again_and_is_one_effect(tmp_path: Path) -> None:
    def agent(stage: Stage) -> ph.Agent[Any, Any]:
        failures = [OSError("no"), OSError("no")]

        @ph.tool(effect="idempotent", retries=2)
        def flaky(n: int, ctx: ph.Context[Any]) -> str:
            """Fail twice."""
            ctx.progress(f"{len(failures)} left")
            if failures:
                raise failures.pop()
            return f"{n} at last"

        return stage.agent(flaky)

    live = go(Scenario(agent=agent, answers=turns(calls(("flaky", {"n": 1}, "c1")), "Done.")), tmp_path / "run.jsonl")
    assert texts(live) == ["1 at last"]
    assert len(live.tape.tools) == 1
    assert [said.message for said in live.tape.tools[0].progress] == ["2 left", "1 left", "0 left"]
    played = go(Scenario(agent=agent, answers=turns(calls(("flaky", {"n": 1}, "c1")), "Done.")), live.tape, "replay")
    assert played.seen == live.seen
    assert not played.stage.ran


def test_a_tool_that_fails_for_good_is_told_of_and_not_tried_for_ever(tmp_path: Path) -> None:
    tried: list[int] = []

    @ph.tool(effect="read", retries=2)
    def broken() -> str:
        """Break."""
        tried.append(1)
        raise OSError("still no")

    live = go(Scenario(agent=lambda stage: stage.agent(broken), answers=turns(calls(("broken", {}, "c1")), "I see.")))
    assert texts(live) == ["Error: OSError: still no"]
    assert len(tried) == 3


def _worker(stage: Stage) -> ph.Agent[Any, Any]:
    async def begin(ctx: ph.Context[Any]) -> str:
        """Begin."""
        for n in range(3):
            ctx.progress(f"step {n}", n / 2)
            await asyncio.sleep(0)
        return "begun"

    def on_a_thread(ctx: ph.Context[Any]) -> str:
        """Work on a thread."""
        ctx.progress("from a thread")
        return "worked"

    return stage.agent(begin, on_a_thread)


def test_progress_streams_to_the_caller_and_is_played_in_order(tmp_path: Path) -> None:
    scenario = Scenario(agent=_worker, answers=turns(calls(("begin", {}, "1"), ("on_a_thread", {}, "2")), "Done."))
    in_all_ways(scenario, tmp_path)
    live = go(scenario, stream=True)
    told = [event for event in live.events if isinstance(event, ph.ToolProgress)]
    mine = [(event.message, event.fraction) for event in told if event.lane == "root/0.begin"]
    assert mine == [("step 0", 0.0), ("step 1", 0.5), ("step 2", 1.0)]
    assert [event.message for event in told if event.lane == "root/1.on_a_thread"] == ["from a thread"]
    for lane in ("root/0.begin", "root/1.on_a_thread"):
        kinds = [type(event).__name__ for event in live.events if getattr(event, "lane", "") == lane]
        assert (kinds[0], kinds[-1]) == ("ToolStart", "ToolEnd")
        assert set(kinds[1:-1]) == {"ToolProgress"}
    played = go(scenario, live.tape, "replay", stream=True)
    again = [event for event in played.events if isinstance(event, ph.ToolProgress)]
    assert all(event.played for event in again)
    assert [event.message for event in again if event.lane == "root/0.begin"] == ["step 0", "step 1", "step 2"]


# Repair.


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def _words(broken: ph.BrokenCall) -> ph.ToolCallPart | str | None:
    match broken.call.name, broken.call.arguments:
        case "plus", arguments:
            return ph.ToolCallPart(broken.call.id, "add", arguments)
        case _, '{"a": "one", "b": 2}':
            return '{"a": 1, "b": 2}'
        case _, '{"a": "worse"}':
            return '{"a": "no better"}'
        case _:
            return None


async def _awaited(broken: ph.BrokenCall) -> ph.ToolCallPart | str | None:
    await asyncio.sleep(0)
    return _words(broken)


@pytest.mark.parametrize("repair", [_words, _awaited], ids=["function", "async function"])
def test_calls_that_cannot_be_run_are_repaired_once(repair: Any, tmp_path: Path) -> None:
    outcome = in_all_ways(
        Scenario(
            agent=lambda stage: stage.agent(add, repair=repair),
            answers=turns(
                calls(
                    ("plus", {"a": 2, "b": 2}, "c1"),
                    ("add", '{"a": "one", "b": 2}', "c2"),
                    ("add", '{"a": "worse"}', "c3"),
                    ("add", '{"what": "ever"}', "c4"),
                    ("add", {"a": 3, "b": 3}, "c5"),
                ),
                "Done.",
            ),
            whole=True,
        ),
        tmp_path,
    )
    first, second, third, fourth, fifth = texts(outcome)
    assert (first, second, fifth) == ("4", "3", "6")
    assert third.startswith("Error: ")
    assert fourth.startswith("Error: ")
    repaired = [reading.lane for reading in outcome.tape.readings if reading.name == "repaired"]
    assert sorted(repaired) == ["root/0.plus", "root/1.add", "root/2.add", "root/3.add"]


def test_a_repair_that_fails_is_an_error_result_and_the_others_run(tmp_path: Path) -> None:
    def repair(broken: ph.BrokenCall) -> str:
        raise KeyError("no idea")

    outcome = in_all_ways(
        Scenario(
            agent=lambda stage: stage.agent(add, repair=repair),
            answers=turns(calls(("add", {"a": "x"}, "c1"), ("add", {"a": 1, "b": 1}, "c2")), "Done."),
        ),
        tmp_path,
    )
    assert texts(outcome) == ["Error: KeyError: 'no idea'", "2"]


def test_a_model_may_repair_and_what_it_takes_is_counted_and_played(tmp_path: Path) -> None:
    def agent(stage: Stage) -> ph.Agent[Any, Any]:
        helper = stage.agent(name="helper", model="helper", output=ph.Output(str))

        async def repair(broken: ph.BrokenCall) -> str:
            return (await helper.run(f"Mend {broken.call.arguments}")).text

        return stage.agent(add, repair=repair)

    def said(asked: Any) -> Any:
        if asked.model == "helper":
            return '{"a": 1, "b": 2}'
        return "Done." if len(asked.messages) > 1 else calls(("add", {"a": "one", "b": 2}, "c1"))

    outcome = in_all_ways(Scenario(agent=agent, answers=said), tmp_path)
    assert texts(outcome) == ["3"]
    assert len(outcome.result.ledger) == 3


def test_a_tool_that_was_named_by_a_repair_keeps_its_contract_when_it_was_cut_down(tmp_path: Path) -> None:
    @ph.tool(effect="once")
    def pay(amount: int) -> str:
        """Pay."""
        return f"paid {amount}"

    def repair(broken: ph.BrokenCall) -> ph.ToolCallPart:
        return ph.ToolCallPart(broken.call.id, "pay", broken.call.arguments)

    scenario = Scenario(
        agent=lambda stage: stage.agent(pay, repair=repair),
        answers=turns(calls(("send", {"amount": 5}, "c1")), "Done."),
    )
    file = tmp_path / "run.jsonl"
    go(scenario, file)
    lines = file.read_bytes().splitlines(keepends=True)
    start = next(n for n, line in enumerate(lines) if b'"tool.start"' in line)
    file.write_bytes(b"".join(lines[: start + 1]))
    resumed = go(scenario, file)
    assert isinstance(resumed.error, ph.ToolInDoubt)
    assert not resumed.stage.ran


def test_almost_json_runs_without_anybodys_help(tmp_path: Path) -> None:
    outcome = in_all_ways(
        Scenario(
            agent=lambda stage: stage.agent(add),
            answers=turns(calls(("add", '{"a": 1, "b": 2,}', "c1"), ("add", "{'a': 2, 'b': 2}", "c2")), "Done."),
            whole=False,  # The model's own words stay as they are.
        ),
        tmp_path,
    )
    assert texts(outcome) == ["3", "4"]


# Raw schemas, media, dependencies, readings.


def test_a_tool_of_a_raw_schema_is_given_what_the_model_sent(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
    search = ph.Tool.from_schema(
        lambda arguments: f"found {arguments['query']}", name="search", description="Search.", parameters=schema
    )
    outcome = in_all_ways(
        Scenario(
            agent=lambda stage: stage.agent(search),
            answers=turns(calls(("search", {"query": "x"}, "c1"), ("search", {"query": 3}, "c2")), "Done."),
        ),
        tmp_path,
    )
    assert texts(outcome)[0] == "found x"
    assert texts(outcome)[1].startswith("Error: ")
    assert outcome.stage.script.requests[0].tools[0].parameters == schema


def test_media_of_a_tool_come_back_whole(tmp_path: Path) -> None:
    picture = ph.MediaPart(media_type="image/png", data=b"\x89PNG\x00\xff")

    def draw() -> list[Any]:
        """Draw."""
        return ["a picture", picture]

    outcome = in_all_ways(
        Scenario(agent=lambda stage: stage.agent(draw), answers=turns(calls(("draw", {}, "c1")), "Nice.")), tmp_path
    )
    assert outcome.result.steps[0].results[0].media == (picture,)


def test_tools_find_dependencies_and_readings_and_a_replay_gives_them_the_same(tmp_path: Path) -> None:
    drawn: list[float] = []

    async def use(n: int, ctx: ph.Context[Deps]) -> str:
        """Use what there is."""
        drawn.append(0)
        found = await ctx.aread("price", _price)
        return f"{n * ctx.deps.factor} {found} {ctx.read('again', lambda: [1, (2,)])} {ctx.idempotency_key == ''}"

    async def _price() -> int:
        await asyncio.sleep(0)
        return 7

    outcome = in_all_ways(
        Scenario(
            agent=lambda stage: stage.agent(ph.tool(effect="read")(use)),
            answers=turns(calls(("use", {"n": 2}, "c1"), ("use", {"n": 3}, "c2")), "Done."),
            options=lambda: {"deps": Deps(10)},
        ),
        tmp_path,
    )
    assert texts(outcome) == ["20 7 [1, [2]] False", "30 7 [1, [2]] False"]
    assert b"in-no-tape-whatever" not in as_bytes(outcome.tape)


def test_a_clock_and_a_draw_in_a_tool_that_was_cut_down_are_those_that_it_read_before(tmp_path: Path) -> None:
    def stamp(ctx: ph.Context[Any]) -> str:
        """Stamp."""
        return f"{ctx.now().isoformat()} {ctx.random()} {ctx.uuid()} {ctx.idempotency_key}"

    scenario = Scenario(
        agent=lambda stage: stage.agent(ph.tool(effect="idempotent")(stamp)),
        answers=turns(calls(("stamp", {}, "c1")), "Done."),
    )
    file = tmp_path / "run.jsonl"
    live = go(scenario, file)
    lines = file.read_bytes().splitlines(keepends=True)
    end = next(n for n, line in enumerate(lines) if b'"tool.end"' in line)
    file.write_bytes(b"".join(lines[:end]))
    assert texts(go(scenario, file)) == texts(live)


def test_what_works_in_the_background_is_told_when_it_has_ended_in_all_ways(tmp_path: Path) -> None:
    def agent(stage: Stage) -> ph.Agent[Any, Any]:
        @ph.tool(background=True, effect="idempotent")
        async def report(n: int) -> str:
            """Write a report."""
            return f"report {n}"

        return stage.agent(report, add)

    def said(asked: Any) -> Any:
        if "report 1" in str(asked.messages):
            return "Here is the report."
        return answer("Wait for it.") if len(asked.messages) > 1 else calls(("report", {"n": 1}, "c1"))

    outcome = in_all_ways(Scenario(agent=agent, answers=said), tmp_path)
    assert outcome.result.text == "Here is the report."
    assert "works in the background" in texts(outcome)[0]


def test_a_coroutine_that_comes_too_late_is_closed_without_a_warning() -> None:
    ended = threading.Event()

    @ph.tool(timeout=0.01)
    def late() -> Any:
        """Take long, and then want to be awaited."""

        async def work() -> None: ...

        ended.wait(5)
        return work()

    async def run() -> list[str]:
        with Script([calls(("late", {})), "Done."]) as script:
            result = await script.agent(tools=[late]).run("Go")
            ended.set()
            await asyncio.to_thread(join_tools)
            await asyncio.sleep(0)
            return [part.text for part in result.steps[0].results]

    def join_tools() -> None:
        for thread in threading.enumerate():
            if thread.name.startswith("playhead root/"):
                thread.join(5)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        (text,) = asyncio.run(run())
        gc.collect()
    assert "may still be running" in text
    assert [str(each.message) for each in caught] == []


def test_a_thread_that_works_is_known_of_while_that_of_an_earlier_try_ends() -> None:
    gates = [threading.Event(), threading.Event()]
    tries: list[int] = []
    told: list[bool] = []

    @ph.tool(effect="read", timeout=0.03, retries=1)
    def work() -> None:
        """Take too long, twice."""
        tries.append(len(tries))
        gates[tries[-1]].wait(5)

    async def run() -> None:
        def heard(working: bool) -> None:
            told.append(working)
            if len(told) == 2:
                gates[0].set()  # The second thread works: the first one ends now.

        with pytest.raises(ToolTimeout):
            await execute(work, {}, ph.Context(), heard)
        assert told[-1]
        gates[1].set()

    asyncio.run(run())
    for thread in threading.enumerate():
        if thread.name == "playhead root":
            thread.join(5)
    assert (told[:3], told[-1]) == ([True, True, True], False)
