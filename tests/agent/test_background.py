"""Tools whose work outlives their step: the same live and replayed, killed and resumed, and ended with their run."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

import playhead as ph
from chatwire import Script, tool_call
from histories import check_history
from playhead.events import Event, ToolEnd, ToolProgress
from playhead.messages import MediaPart


async def _a_while() -> None:
    """Longer than a model takes that is not waited for."""
    for _ in range(50):
        await asyncio.sleep(0)


@ph.tool(background=True)
async def double(x: int, context: ph.Context[Any]) -> int:
    """Double a number, slowly."""
    context.progress("began", 0.5)
    await _a_while()
    return 2 * x


@ph.tool(background=True)
async def breaks() -> str:
    """Break."""
    await asyncio.sleep(0)
    raise OSError("the disk is full")


@ph.tool(background=True)
async def paint() -> ph.MediaPart:
    """Paint."""
    await asyncio.sleep(0)
    return MediaPart("image/png", data=b"\x89PNG")


@ph.tool(background=True, effect="read")
async def endless() -> str:
    """Never end."""
    await asyncio.sleep(3600)
    return ""


def _events(agent: ph.Agent[Any, Any], **more: Any) -> tuple[list[Event], ph.RunResult]:
    with agent.stream_sync("Go.", **more) as run:
        events = list(run)
    return events, run.result


def _of(kind: type[Any], events: list[Event]) -> list[tuple[str, str]]:
    return [(each.lane, getattr(each, "message", "")) for each in cast("list[Any]", events) if isinstance(each, kind)]


def test_several_at_once_with_errors_and_media_are_told_of_and_play_the_same() -> None:
    calls = (tool_call("double", {"x": 2}), tool_call("breaks"), tool_call("paint"))
    script = Script((None, *calls), *[(f"I wait, {n}.",) for n in range(4)])
    agent = script.agent(double, breaks, paint)
    events, result = _events(agent)
    told = [part for message in result.messages for part in message.parts if message.role == "user"]
    texts = " ".join(part.text for part in told if isinstance(part, ph.TextPart))
    assert "4" in texts
    assert "the disk is full" in texts
    assert any(isinstance(part, MediaPart) for part in told)
    check_history(result.messages)
    assert {lane for lane, _ in _of(ToolEnd, events)} == {"root/0.double", "root/1.breaks", "root/2.paint"}
    played, again = _events(agent, tape=result.tape, mode="replay")
    assert again.messages == result.messages
    assert again.warnings == result.warnings == ()
    for kind in (ToolEnd, ToolProgress):
        assert sorted(_of(kind, played)) == sorted(_of(kind, events))


def test_its_progress_is_given_while_the_run_has_nothing_else_to_do() -> None:
    """Not only when its result is there."""
    told, go_on = list[str](), asyncio.Event()

    @ph.tool(background=True)
    async def works(context: ph.Context[Any]) -> str:
        """Work until somebody has seen the progress."""
        await _a_while()
        context.progress("half")
        await asyncio.wait_for(go_on.wait(), 5)
        return "seen"

    async def go() -> ph.RunResult:
        agent = Script((None, tool_call("works")), ("I wait.",), ("Done.",)).agent(works)
        async with agent.stream("Go.") as run:
            async for event in run:
                if isinstance(event, ToolProgress):
                    told.append(event.message)
                    go_on.set()
        return run.result

    assert asyncio.run(go()).text == "Done."
    assert told == ["half"]


def _limited() -> tuple[ph.Agent[Any, Any], type[BaseException] | None]:
    return Script((None, tool_call("endless")), (None, tool_call("endless"))).agent(
        endless, max_steps=1
    ), ph.StepLimit


def _stopped() -> tuple[ph.Agent[Any, Any], type[BaseException] | None]:
    return Script((None, tool_call("endless"))).agent(endless, stop_when=ph.stop.steps(1)), None


@pytest.mark.parametrize("make", [_limited, _stopped])
def test_it_ends_with_its_run_which_says_so(make: Any) -> None:
    agent, error = make()
    if error is None:
        result = agent.run_sync("Go.")
    else:
        with pytest.raises(error) as caught:
            agent.run_sync("Go.")
        result = caught.value.run
    assert any("endless" in warning and "had not ended" in warning for warning in result.warnings)
    check_history(result.messages)
    if error is None:
        again = agent.run_sync("Go.", tape=result.tape, mode="replay")
        assert (again.messages, again.warnings) == (result.messages, result.warnings)


def test_one_that_is_cancelled_with_its_run_plays_the_same() -> None:
    async def go() -> ph.RunResult:
        async with agent.stream("Go.") as run:
            async for event in run:
                if isinstance(event, ph.MessageEnd) and event.response.text:
                    asyncio.get_running_loop().call_later(0.01, run.cancel)
        return run.result

    agent = Script((None, tool_call("endless")), ("I wait.",)).agent(endless)
    result = asyncio.run(go())
    assert result.finish_reason == "cancelled"
    _, again = _events(agent, tape=result.tape, mode="replay")
    assert again.messages == result.messages
    assert again.finish_reason == "cancelled"


def test_an_agent_in_the_background_is_counted_and_played() -> None:
    helper = Script(("I have helped.",)).agent(name="helper")

    @ph.tool(background=True)
    async def ask() -> str:
        """Ask the helper."""
        await _a_while()
        return (await helper.run("Help.")).text

    agent = Script((None, tool_call("ask")), ("I wait.",), ("Thanks.",)).agent(ask)
    _, result = _events(agent)
    assert result.text == "Thanks."
    assert len(result.ledger) == 4
    _, again = _events(agent, tape=result.tape, mode="replay")
    assert again.messages == result.messages
    assert len(again.ledger) == 4


def test_one_that_needs_approval_waits_for_it_before_it_begins() -> None:
    began = list[str]()

    @ph.tool(background=True, approve=True)
    async def send(context: ph.Context[Any]) -> str:
        """Send."""
        began.append(context.lane)
        await _a_while()
        return "sent"

    agent = Script((None, tool_call("send")), ("I wait.",), ("It is sent.",)).agent(send)
    paused = agent.run_sync("Go.")
    assert (paused.finish_reason, began) == ("approval", [])
    assert paused.tape is not None
    result = agent.resume_sync(paused.tape, approvals={"root/0.send": True})
    assert began == ["root/0.send"]
    assert result.text == "It is sent."
    check_history(result.messages)
    assert agent.run_sync("Go.", tape=result.tape, mode="replay").messages == result.messages


PROGRAM = """
import asyncio, os, sys
sys.path[:0] = [{tests!r}]
from chatwire import Script, tool_call
import playhead as ph

async def go():
    async def dies():
        while not os.path.exists({marker!r}):
            await asyncio.sleep(0.005)
        os.kill(os.getpid(), 9)

    @ph.tool(background=True, effect="idempotent")
    async def report(context: ph.Context) -> str:
        "Write a report."
        with open({marker!r}, "a") as file:
            file.write(context.idempotency_key + " ")
        if {kill}:
            await asyncio.sleep(60)
        return "the report"

    killer = asyncio.ensure_future(dies()) if {kill} else None
    answers = {answers}
    agent = Script(*answers).agent(report)
    result = await agent.run("Go.", tape={tape!r})
    print(result.text, len(result.ledger))

asyncio.run(go())
"""


def test_one_that_was_killed_in_the_middle_runs_again_when_the_run_is_resumed(tmp_path: Path) -> None:
    tape, marker = tmp_path / "run.jsonl", tmp_path / "began"

    def run(answers: str, *, kill: bool) -> subprocess.CompletedProcess[str]:
        tests = str(Path(__file__).parent.parent)
        code = PROGRAM.format(tests=tests, marker=str(marker), kill=kill, answers=answers, tape=str(tape))
        return subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=dict(os.environ),
        )

    killed = run('[(None, tool_call("report")), ("I wait.",)]', kill=True)
    assert killed.returncode == -9, killed.stderr
    resumed = run('[("I wait.",), ("Here it is.",)]', kill=False)
    assert resumed.returncode == 0, resumed.stderr
    first, second = marker.read_text().split()
    assert first == second, "it is the same call, with the same key"
    assert resumed.stdout.split()[-1] == "3"
