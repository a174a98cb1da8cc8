"""Tool calls that wait for somebody's approval: none runs without it, in no way in which a run can be had."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from everyway import Outcome, Scenario, Stage, by_model, go, had, in_all_ways, texts, turns

import playhead as ph
from chatwire import Script, tool_call
from histories import check_history
from playhead import Undecided
from playhead.testing import answer, calls


@ph.tool(approve=True)
def delete(path: str) -> str:
    """Delete a file."""
    return f"deleted {path}"


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


ASKS = turns(calls(("delete", {"path": "x"}, "c1"), ("add", {"a": 1, "b": 2}, "c2")), "Done.")


def _resume(stage: Stage, agent: ph.Agent[Any, Any], tape: Any, approvals: Any, *, stream: bool = False) -> Outcome:
    def run() -> tuple[ph.RunResult[Any], list[Any]]:
        if not stream:
            return agent.resume_sync(tape, approvals=approvals), []

        async def streamed() -> tuple[ph.RunResult[Any], list[Any]]:
            async with agent.resume_stream(tape, approvals=approvals) as run:
                events = [event async for event in run]
                return run.result, events

        return asyncio.run(streamed())

    return had(stage, run)


async def _later(approval: ph.Approval) -> bool:
    await asyncio.sleep(0)
    return approval.tool == "delete"


DECISIONS: dict[str, tuple[Any, str]] = {
    "true": ({"root/0.delete": True}, "deleted x"),
    "false": ({"root/0.delete": False}, "Error: the call was not approved."),
    "approve": ({"root/0.delete": ph.Approve()}, "deleted x"),
    "approve other arguments": (
        {"root/0.delete": ph.Approve({"path": "y"})},
        'The call was approved with other arguments: {"path":"y"}\ndeleted y',
    ),
    "deny": ({"root/0.delete": ph.Deny("it is needed")}, "Error: the call was not approved: it is needed."),
    "by call id": ({"c1": True}, "deleted x"),
    "function": (lambda _: True, "deleted x"),
    "function denies": (
        lambda approval: ph.Deny(approval.arguments),
        'Error: the call was not approved: {"path":"x"}.',
    ),
    "async function": (_later, "deleted x"),
}


@pytest.mark.parametrize("how", DECISIONS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_call_waits_and_goes_on_as_it_is_decided(how: str, stream: bool, tmp_path: Path) -> None:
    approvals, says = DECISIONS[how]
    file = tmp_path / "run.jsonl"
    paused = go(Scenario(agent=lambda stage: stage.agent(delete, add), answers=ASKS), file, stream=stream)
    assert paused.result.finish_reason == "approval"
    assert paused.result.pending == (ph.Approval("root/0.delete", "c1", "delete", '{"path":"x"}', "main"),)
    assert paused.stage.ran == ["root/1.add"]
    assert texts(paused) == ["This call waits for approval, and has not run.", "3"]
    check_history(paused.result.messages)

    played = go(Scenario(agent=lambda stage: stage.agent(delete, add), answers=ASKS), file, "auto", stream=stream)
    assert played.seen == paused.seen
    assert played.told == paused.told

    stage = Stage(ASKS)
    resumed = _resume(stage, stage.agent(delete, add), file, approvals, stream=stream)
    assert texts(resumed) == [says, "3"]
    assert resumed.result.text == "Done."
    assert len(stage.script.requests) == 1
    assert "root/1.add" not in stage.ran
    check_history(resumed.result.messages)
    assert resumed.stage.script.requests[0].stream is stream, "it is streamed as it was"

    again = go(Scenario(agent=lambda stage: stage.agent(delete, add), answers=ASKS), file, "replay", stream=stream)
    assert again.seen == resumed.seen
    assert again.paid == resumed.paid


@pytest.mark.parametrize("how", [how for how in DECISIONS if how != "by call id"])
def test_a_decision_that_is_there_at_once_comes_to_the_same_in_all_ways(how: str, tmp_path: Path) -> None:
    approvals, says = DECISIONS[how]
    scenario = Scenario(
        agent=lambda stage: stage.agent(delete, add), answers=ASKS, options=lambda: {"approvals": approvals}
    )
    assert texts(in_all_ways(scenario, tmp_path)) == [says, "3"]


def test_a_run_resumes_itself_as_often_as_it_waits() -> None:
    stage = Stage(
        turns(
            calls(("delete", {"path": "a"}, "c1"), ("delete", {"path": "b"}, "c2")),
            calls(("delete", {"path": "c"}, "c3")),
            "All gone.",
        )
    )
    agent = stage.agent(delete)

    async def main() -> list[ph.RunResult[Any]]:
        found = []
        async with agent.stream("Go.") as run:
            found.append(await run.finish())
        for approvals in ({"root/1.delete": True}, {"root/0.delete": ph.Deny()}, {"c3": True}):
            async with run.resume(approvals) as run:
                found.append(await run.finish())
        return found

    results = asyncio.run(main())
    assert [[each.lane for each in result.pending] for result in results] == [
        ["root/0.delete", "root/1.delete"],
        ["root/0.delete"],
        ["root/2.delete"],
        [],
    ]
    assert stage.ran.count("root/1.delete") == 1, "a partly decided step runs what may run, once"
    assert len(stage.script.requests) == 3
    for result in results:
        check_history(result.messages)
    with agent.stream_sync("Go.", tape=results[-1].tape, mode="replay") as played:
        list(played)
    assert played.result.messages == results[-1].messages


def test_a_call_id_that_a_model_uses_again_approves_nothing_more() -> None:
    answers = turns(calls(("delete", {"path": "a"}, "c1")), calls(("delete", {"path": "b"}, "c1")), "Gone.")
    stage = Stage(answers)
    agent = stage.agent(delete)
    paused = agent.run_sync("Go.")
    resumed = agent.resume_sync(paused.tape, approvals={"c1": True})  # type: ignore[arg-type]
    assert [each.lane for each in resumed.pending] == ["root/1.delete"]
    assert stage.ran == ["root/0.delete"]


def test_a_call_id_that_two_waiting_calls_have_decides_neither() -> None:
    stage = Stage(turns(calls(("delete", {"path": "a"}, "c1"), ("delete", {"path": "b"}, "c1")), "Gone."))
    agent = stage.agent(delete)
    paused = agent.run_sync("Go.")
    resumed = agent.resume_sync(paused.tape, approvals={"c1": True})  # type: ignore[arg-type]
    assert len(resumed.pending) == 2
    assert not stage.ran


def test_another_process_resumes_the_run_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    paused = go(Scenario(agent=lambda stage: stage.agent(delete, add), answers=ASKS), file)
    program = """
import sys
import playhead as ph
from playhead.testing import Script

@ph.tool(approve=True)
def delete(path: str) -> str:
    "Delete a file."
    return f"deleted {path} in another process"

def add(a: int, b: int) -> int:
    "Add two numbers."
    raise SystemExit("it has run already")

def late(asked):
    return "Done."

script = Script(late, model="main")
agent = ph.Agent(script.model, tools=[delete, add], transport=script, retry=False)
result = agent.resume_sync(sys.argv[1], approvals={"root/0.delete": True})
print([part.text for part in result.messages[-2].parts], len(script.requests))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("['deleted x in another process', '3'] 1", "")
    assert paused.result.pending
    played = go(Scenario(agent=lambda stage: stage.agent(delete, add), answers=ASKS), file, "replay")
    assert texts(played) == ["deleted x in another process", "3"]


def test_a_tape_without_a_waiting_run_says_what_to_do(tmp_path: Path) -> None:
    stage = Stage(turns("Hello."))
    agent = stage.agent()
    agent.run_sync("Hi", tape=tmp_path / "run.jsonl")
    with pytest.raises(ph.ConfigError, match="run the agent with the same prompt"):
        agent.resume_sync(tmp_path / "run.jsonl", approvals={})


def _guard(path: str, ctx: ph.Context) -> bool:
    return ctx.read("limit", lambda: "m") < path


async def _slow_guard(path: str) -> bool:
    await asyncio.sleep(0)
    return path > "m"


@pytest.mark.parametrize("approve", [_guard, _slow_guard], ids=["function with ctx", "async function"])
def test_a_function_says_which_calls_need_approval(approve: Any, tmp_path: Path) -> None:
    @ph.tool(approve=approve)
    def remove(path: str, ctx: ph.Context) -> str:
        """Remove a file."""
        return f"removed {path}, {ctx.read('limit', lambda: 'its own')}"

    answers = turns(calls(("remove", {"path": "a"}, "c1"), ("remove", {"path": "z"}, "c2")), "Done.")
    stage = Stage(answers)
    agent = stage.agent(remove)
    paused = agent.run_sync("Go.")
    assert [each.arguments for each in paused.pending] == ['{"path":"z"}']
    assert paused.steps[0].results[0].text == "removed a, its own"
    resumed = agent.resume_sync(paused.tape, approvals={"c2": True})  # type: ignore[arg-type]
    assert resumed.steps[0].results[1].text == "removed z, its own"
    in_all_ways(
        Scenario(
            agent=lambda stage: stage.agent(remove), answers=answers, options=lambda: {"approvals": lambda _: True}
        ),
        tmp_path,
    )


def test_what_waited_once_does_not_run_because_its_function_thinks_better_of_it() -> None:
    wants = [True]

    @ph.tool(approve=lambda path: wants[0])
    def remove(path: str) -> str:
        """Remove a file."""
        return path

    stage = Stage(turns(calls(("remove", {"path": "a"}, "c1")), "Done."))
    agent = stage.agent(remove)
    paused = agent.run_sync("Go.")
    wants[0] = False
    resumed = agent.run_sync("Go.", tape=paused.tape, mode="resume")
    assert [each.lane for each in resumed.pending] == ["root/0.remove"]
    assert not stage.ran


def test_a_model_may_say_which_calls_need_approval_and_is_counted_in_all_ways(tmp_path: Path) -> None:
    def agent(stage: Stage) -> ph.Agent[Any, Any]:
        guard = stage.agent(name="guard", model="guard")

        async def risky(path: str) -> bool:
            return (await guard.run(f"Is {path} risky?")).text == "Yes."

        @ph.tool(approve=risky)
        def remove(path: str) -> str:
            """Remove a file."""
            return f"removed {path}"

        return stage.agent(remove)

    outcome = in_all_ways(
        Scenario(
            agent=agent,
            answers=by_model(
                main=turns(calls(("remove", {"path": "a"}, "c1"), ("remove", {"path": "z"}, "c2")), "Done."),
                guard=lambda asked: "Yes." if "z" in asked.messages[0].text else "No.",
            ),
            options=lambda: {"approvals": lambda approval: ph.Deny(approval.arguments)},
        ),
        tmp_path,
    )
    assert texts(outcome) == ["removed a", 'Error: the call was not approved: {"path":"z"}.']
    assert len(outcome.result.ledger) == 4


# What must fail closed.


@pytest.mark.parametrize(
    "arguments", ['{"path": 3}', "", '{"paht": "x"}', "[1]"], ids=["type", "none", "name", "list"]
)
@pytest.mark.parametrize("decision", ["pending", "denied", "approved"])
def test_a_repaired_call_needs_approval_as_any_other(arguments: str, decision: str, tmp_path: Path) -> None:
    asked: list[ph.Approval] = []
    repairs: list[ph.BrokenCall] = []

    def decide(approval: ph.Approval) -> bool | None:
        asked.append(approval)
        return {"pending": None, "denied": False, "approved": True}[decision]

    def repair(broken: ph.BrokenCall) -> str:
        repairs.append(broken)
        return '{"path": "repaired"}'

    stage = Stage(turns(calls(("delete", arguments, "c1")), "Done."))
    agent = stage.agent(delete, repair=repair)
    result = agent.run_sync("Go.", approvals=decide)
    assert [each.arguments for each in asked] == ['{"path": "repaired"}'], "people see what will run"
    assert len(repairs) == 1
    assert stage.ran == ([] if decision == "pending" else ["root/0.delete"])
    says = {
        "pending": "This call waits for approval, and has not run.",
        "denied": "Error: the call was not approved.",
        "approved": "deleted repaired",
    }
    assert result.steps[0].results[0].text == says[decision]
    if decision == "pending":
        resumed = agent.resume_sync(result.tape, approvals={"c1": True})  # type: ignore[arg-type]
        assert resumed.steps[0].results[0].text == "deleted repaired"
        assert len(repairs) == 1, "what was approved is what runs: the repair is on the tape"


def test_a_repair_that_names_another_tool_asks_for_that_tools_approval(tmp_path: Path) -> None:
    def repair(broken: ph.BrokenCall) -> ph.ToolCallPart:
        return ph.ToolCallPart(broken.call.id, "delete", '{"path": "x"}')

    def scenario(approvals: Any) -> Scenario:
        return Scenario(
            agent=lambda stage: stage.agent(delete, add, repair=repair),
            answers=turns(calls(("rm", {"path": "x"}, "c1"), ("add", {"a": "one", "b": 2}, "c2")), "Done."),
            options=lambda: {"approvals": approvals},
        )

    paused = go(scenario(None))
    assert [(each.tool, each.lane) for each in paused.result.pending] == [
        ("delete", "root/0.rm"),
        ("delete", "root/1.add"),
    ]
    assert not paused.stage.ran
    outcome = in_all_ways(scenario(lambda approval: approval.lane == "root/0.rm"), tmp_path)
    assert texts(outcome) == ["deleted x", "Error: the call was not approved."]


def test_almost_json_is_shown_as_it_runs() -> None:
    stage = Stage(turns(calls(("delete", '{"path": "x",}', "c1")), "Done."))
    paused = stage.agent(delete).run_sync("Go.")
    assert [each.arguments for each in paused.pending] == ['{"path":"x"}']


def test_arguments_that_came_with_an_approval_are_not_repaired(tmp_path: Path) -> None:
    outcome = in_all_ways(
        Scenario(
            agent=lambda stage: stage.agent(delete, repair=lambda _: '{"path": "everything"}'),
            answers=turns(calls(("delete", {"path": "x"}, "c1")), "Done."),
            options=lambda: {"approvals": lambda _: ph.Approve({"paht": "y"})},
        ),
        tmp_path,
    )
    assert "everything" not in texts(outcome)[0]
    assert "path" in texts(outcome)[0]
    assert outcome.result.steps[0].results[0].is_error


@pytest.mark.parametrize("kind", [ValueError, ph.ConfigError, KeyError])
def test_an_approve_function_that_fails_lets_nothing_run(kind: type[Exception], tmp_path: Path) -> None:
    def broken(path: str) -> bool:
        raise kind("no answer")

    @ph.tool(approve=broken)
    def remove(path: str) -> str:
        """Remove a file."""
        raise AssertionError("it has run")

    outcome = in_all_ways(
        Scenario(
            agent=lambda stage: stage.agent(remove, add),
            answers=turns(calls(("remove", {"path": "x"}, "c1"), ("add", {"a": 1, "b": 2}, "c2")), "Done."),
            options=lambda: {"approvals": lambda _: True},
        ),
        tmp_path,
    )
    said, three = texts(outcome)
    assert said.startswith("Error: whether this call needs approval could not be decided, so that it has not run: ")
    assert "no answer" in said
    assert three == "3"


async def _raises(approval: ph.Approval) -> bool:
    raise OSError("nobody is at the door")


@pytest.mark.parametrize(
    ("approvals", "says"),
    [(_raises, "OSError: nobody is at the door"), (lambda _: "yes", "an approval is True, False")],
    ids=["raises", "says something else"],
)
@pytest.mark.parametrize("nested", [False, True], ids=["its own", "nested"])
def test_those_who_decide_may_fail_and_the_run_can_be_gone_on_with(approvals: Any, says: str, nested: bool) -> None:
    ended: list[str] = []

    async def slow() -> str:
        """Take some time."""
        await asyncio.sleep(0.02)
        ended.append("slow")
        return "slow"

    stage = Stage(
        by_model(
            main=turns(
                calls(("sub", {"prompt": "x"}, "c1") if nested else ("delete", {"path": "x"}, "c1"), ("slow",)),
                "Done.",
            ),
            inner=turns(calls(("delete", {"path": "x"}, "d1")), "Sub done."),
        )
    )
    sub = stage.agent(delete, model="inner", name="sub").as_tool()
    agent = stage.agent(sub, delete, slow)
    with pytest.raises(Undecided, match=says) as caught:
        agent.run_sync("Go.", approvals=approvals)
    assert ended == ["slow"], "the tools beside it came to their ends"
    run = caught.value.run
    assert run is not None
    assert run.tape is not None
    check_history(run.messages)
    with ph.open_tape(run.tape) as tape:
        result = agent.run_sync("Go.", tape=tape, approvals=lambda _: True)
    assert result.text == "Done."
    assert ended == ["slow"]
    assert len(stage.script.requests) == (4 if nested else 2)


# Approvals in agents inside tools, and beside what else a step may do.


def _tree(stage: Stage) -> ph.Agent[Any, Any]:
    innermost = stage.agent(delete, model="innermost", name="innermost")
    inner = stage.agent(innermost.as_tool(), delete, model="inner", name="inner")
    return stage.agent(inner.as_tool(), delete, name="outer")


TREE = by_model(
    main=turns(calls(("inner", {"prompt": "tidy"}, "a1"), ("delete", {"path": "1"}, "a2")), "All done."),
    inner=turns(calls(("innermost", {"prompt": "sweep"}, "b1"), ("delete", {"path": "2"}, "b2")), "Inner done."),
    innermost=turns(calls(("delete", {"path": "3"}, "d1")), "Innermost done."),
)
LANES = ("root/0.inner/0.innermost/0.delete", "root/0.inner/1.delete", "root/1.delete")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_calls_of_agents_in_agents_wait_and_are_decided_one_after_the_other(stream: bool, tmp_path: Path) -> None:
    scenario = Scenario(agent=_tree, answers=TREE)
    file = tmp_path / "run.jsonl"
    outcome = go(scenario, file, stream=stream)
    assert tuple(each.lane for each in outcome.result.pending) == LANES
    assert [each.agent for each in outcome.result.pending] == ["innermost", "inner", "outer"]
    if stream:
        asked = [event for event in map(_innermost, outcome.events) if isinstance(event, ph.ApprovalNeeded)]
        assert sorted(event.approval.lane for event in asked) == sorted(LANES)
    requests = len(outcome.stage.script.requests)
    assert requests == 3
    for n, lane in enumerate(LANES):
        played = go(scenario, file, "replay", stream=stream)
        assert (played.seen, played.paid) == (outcome.seen, outcome.paid)
        stage = Stage(TREE)
        outcome = _resume(stage, _tree(stage), file, {lane: True}, stream=stream)
        assert tuple(each.lane for each in outcome.result.pending) == LANES[n + 1 :]
        requests += len(stage.script.requests)
    assert outcome.result.text == "All done."
    assert texts(outcome) == ["Inner done.", "deleted 1"]
    assert requests == 6 == len(outcome.result.ledger)
    played = go(scenario, file, "replay", stream=stream)
    assert (played.seen, played.paid) == (outcome.seen, outcome.paid)


def _innermost(event: Any) -> Any:
    return _innermost(event.event) if isinstance(event, ph.Nested) else event


def test_a_tree_of_agents_with_approvals_comes_to_the_same_in_all_ways(tmp_path: Path) -> None:
    in_all_ways(
        Scenario(agent=_tree, answers=TREE, options=lambda: {"approvals": lambda it: "2" not in it.arguments}),
        tmp_path,
    )


def _beside(stage: Stage) -> ph.Agent[Any, Any]:
    async def report(n: int) -> str:
        """Write a report."""
        return f"report {n}"

    other = stage.agent(name="other", model="other", system="You are the other one.")
    return stage.agent(delete, ph.tool(background=True)(report), ph.handoff(other))


BESIDE = by_model(
    main=turns(calls(("delete", {"path": "x"}, "c1"), ("transfer_to_other", {}, "c2"), ("report", {"n": 1}, "c3"))),
    other=lambda asked: answer("I have it." if len(asked.messages) < 6 else "And the report."),
)


def test_an_approval_beside_a_hand_off_and_background_work(tmp_path: Path) -> None:
    scenario = Scenario(agent=_beside, answers=BESIDE)
    file = tmp_path / "run.jsonl"
    paused = go(scenario, file)
    assert [each.lane for each in paused.result.pending] == ["root/0.delete"]
    assert paused.result.agent == "main", "who asks goes on until it is decided"
    assert go(scenario, file, "replay").seen == paused.seen
    stage = Stage(BESIDE)
    resumed = _resume(stage, _beside(stage), file, {"c1": True})
    assert resumed.result.agent == "other"
    assert resumed.result.messages[0].text == "You are the other one."
    assert "root/2.report" not in stage.ran, "it had ended in the meantime"
    check_history(resumed.result.messages)
    assert go(scenario, file, "replay").seen == resumed.seen


def test_an_approval_beside_the_output_decides_before_the_run_ends(tmp_path: Path) -> None:
    def agent(stage: Stage) -> ph.Agent[Any, Any]:
        return stage.agent(delete, output=ph.Output(list[int], mode="tool", name="final"))

    answers = turns(calls(("final", {"result": [1]}, "c1"), ("delete", {"path": "x"}, "c2")))
    stage = Stage(answers)
    paused = agent(stage).run_sync("Go.", tape=tmp_path / "run.jsonl")
    assert [each.lane for each in paused.pending] == ["root/1.delete"]
    with pytest.raises(ph.RunError, match="wait for approval"):
        _ = paused.output
    resumed = agent(stage).resume_sync(tmp_path / "run.jsonl", approvals={"c2": True})
    assert resumed.output == [1]
    assert resumed.steps[0].results[1].text == "deleted x"


def test_a_background_tool_waits_for_its_approval_before_it_begins(tmp_path: Path) -> None:
    @ph.tool(background=True, approve=True)
    async def publish(text: str) -> str:
        """Publish a text."""
        return f"published {text}"

    def said(asked: Any) -> Any:
        if len(asked.messages) == 1:
            return calls(("publish", {"text": "t"}, "c1"))
        return "It is out." if "published t" in asked.messages[-1].text else "Meanwhile."

    stage = Stage(said)
    agent = stage.agent(publish)
    paused = agent.run_sync("Go.", tape=tmp_path / "run.jsonl")
    assert [each.lane for each in paused.pending] == ["root/0.publish"]
    assert not stage.ran
    resumed = agent.resume_sync(tmp_path / "run.jsonl", approvals={"c1": True})
    assert resumed.text == "It is out."
    assert agent.run_sync("Go.", tape=tmp_path / "run.jsonl", mode="replay").messages == resumed.messages


@pytest.mark.parametrize(
    ("arguments", "decided", "ran"),
    [({"path": "x"}, None, "x"), ({"path": "x"}, {"path": "changed"}, "changed"), ({"paht": "x"}, None, "repaired")],
    ids=["as it was", "changed", "repaired"],
)
def test_reconcile_is_asked_about_the_call_that_ran(arguments: Any, decided: Any, ran: str, tmp_path: Path) -> None:
    found: list[str] = []

    def look(path: str) -> str:
        found.append(path)
        return f"{path} is gone"

    @ph.tool(approve=True, reconcile=look)
    def wipe(path: str) -> str:
        """Wipe a file."""
        return path

    file = tmp_path / "run.jsonl"
    stage = Stage(turns(calls(("wipe", arguments, "c1")), "Done."))
    agent = stage.agent(wipe, repair=lambda _: '{"path": "repaired"}')
    agent.run_sync("Go.", tape=file, approvals=lambda _: ph.Approve(decided))
    lines = file.read_bytes().splitlines(keepends=True)
    cut = next(n for n, line in enumerate(lines) if b'"tool.start"' in line)
    file.write_bytes(b"".join(lines[: cut + 1]))
    result = agent.run_sync("Go.", tape=file)
    assert found == [ran]
    assert result.steps[0].results[0].text == f"{ran} is gone"


def test_a_resumed_run_keeps_to_the_limits_that_it_is_given() -> None:
    script = Script((None, tool_call("risky", {"n": 1})), (None, tool_call("risky", {"n": 2}, "c2")), ("done",))

    @ph.tool(approve=lambda n: n == 1)
    def risky(n: int) -> int:
        return n

    agent = script.agent(risky)
    paused = agent.run_sync("go")
    budget = ph.Budget(ph.Limits(steps=2))
    with pytest.raises(ph.LimitExceeded):
        agent.resume_sync(paused.tape or ph.Tape(), approvals=lambda _: True, budget=budget)
    assert budget.steps == 2
    assert len(script.requests) == 2


def test_approvals_that_are_about_no_call_are_named() -> None:
    """A typo must not look like a run that waits again for no reason."""
    stage = Stage(ASKS)
    agent = stage.agent(delete, add)
    paused = agent.run_sync("Go.", approvals={"root/0.delte": True})
    assert not paused.warnings, "nothing waited yet: what it is about may be yet to come"
    again = agent.resume_sync(paused.tape, approvals={"root/0.delte": True, "c9": False})  # type: ignore[arg-type]
    (warning,) = again.warnings
    assert "approvals for 'root/0.delte', 'c9' decided nothing" in warning
    assert "delete in lane 'root/0.delete' (call id 'c1')" in warning
    assert [each.lane for each in again.pending] == ["root/0.delete"]
    done = agent.resume_sync(again.tape, approvals={"c1": True, "c9": True})  # type: ignore[arg-type]
    assert (done.text, done.warnings) == ("Done.", ()), "nothing waits any more"


def test_an_approval_by_an_id_that_several_have_is_named() -> None:
    stage = Stage(turns(calls(("delete", {"path": "a"}, "c1"), ("delete", {"path": "b"}, "c1")), "Gone."))
    agent = stage.agent(delete)
    paused = agent.run_sync("Go.")
    resumed = agent.resume_sync(paused.tape, approvals={"c1": True})  # type: ignore[arg-type]
    (warning,) = resumed.warnings
    assert "several calls that wait have that id" in warning
    one = agent.resume_sync(resumed.tape, approvals={"root/0.delete": True})  # type: ignore[arg-type]
    assert len(one.pending) == 1
    assert not one.warnings


def test_a_turn_names_approvals_that_are_about_no_call() -> None:
    stage = Stage(ASKS)
    with stage.agent(delete, add).session() as session:
        session.run_sync("Go.")
        assert "'root/0.delete' decided nothing" in session.resume_sync({"root/0.delete": True}).warnings[0]
        assert session.resume_sync({"root/turn1/0.delete": True}).text == "Done."
