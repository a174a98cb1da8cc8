"""Tools in a run: at the same time, results in call order, and whatever goes wrong becomes a result."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import playhead as ph
from chatwire import Script, message, tool_call
from playhead import ConfigError, Context, MediaPart, StepLimit, StopRun, ToolEnd, ToolStart, tool


@tool
def add(a: int, b: int) -> int:
    return a + b


def sent_results(script: Script, request: int = 1) -> list[tuple[str, str]]:
    messages = script.requests[request]["messages"]
    return [(m["tool_call_id"], m["content"]) for m in messages if m["role"] == "tool"]


def test_results_go_back_in_call_order_whichever_ends_first() -> None:
    order: list[str] = []

    async def main() -> list[str]:
        second_is_done = asyncio.Event()

        @tool
        async def slow() -> str:
            await second_is_done.wait()
            order.append("slow")
            return "s"

        @tool
        async def quick() -> str:
            order.append("quick")
            second_is_done.set()
            return "q"

        script = Script((None, tool_call("slow"), tool_call("quick")), ("done",))
        async with script.agent(slow, quick).stream("go") as run:
            ends = [event.call.name async for event in run if isinstance(event, ToolEnd)]
        assert sent_results(script) == [("call_slow", "s"), ("call_quick", "q")]
        assert [part.text for part in run.result.steps[0].results] == ["s", "q"]
        return ends

    assert asyncio.run(main()) == ["quick", "slow"]
    assert order == ["quick", "slow"]


def test_sync_tools_run_on_threads_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=10)

    @tool
    def first() -> str:
        both.wait()  # Would wait for ever if the other did not run at the same time.
        return threading.current_thread().name

    @tool
    def second() -> str:
        both.wait()
        return threading.current_thread().name

    script = Script((None, tool_call("first"), tool_call("second")), ("done",))
    result = script.agent(first, second).run_sync("go")
    names = {part.text for part in result.steps[0].results}
    assert len(names) == 2
    assert threading.main_thread().name not in names


def test_no_more_tools_run_at_the_same_time_than_were_allowed() -> None:
    running, most = 0, 0

    @tool
    async def busy() -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return "ok"

    script = Script((None, *(tool_call("busy", id=f"c{n}") for n in range(9))), ("done",))
    script.agent(busy, max_parallel_tools=3).run_sync("go")
    assert most == 3
    assert len(sent_results(script)) == 9


def test_wrong_arguments_go_back_as_an_error_that_names_the_field() -> None:
    script = Script((None, tool_call("add", {"a": "two", "c": 1})), ("done",))
    result = script.agent(add).run_sync("go")
    (part,) = result.steps[0].results
    assert part.is_error
    for name in ("`a`", "`b`", "c"):
        assert name in part.text
    assert sent_results(script) == [("call_add", part.text)]
    assert result.text == "done"


def test_arguments_that_are_no_json_go_back_as_an_error() -> None:
    script = Script((None, tool_call("add", '{"a": 1')), ("done",))
    (part,) = script.agent(add).run_sync("go").steps[0].results
    assert part.is_error
    assert "not valid JSON" in part.text


def test_a_tool_that_raises_gives_an_error_result_and_the_others_theirs() -> None:
    @tool
    def broken() -> str:
        raise KeyError("nothing there")

    script = Script((None, tool_call("broken"), tool_call("add", {"a": 1, "b": 2})), ("done",))
    broken_result, added = script.agent(broken, add).run_sync("go").steps[0].results
    assert (broken_result.is_error, added.is_error) == (True, False)
    assert "KeyError" in broken_result.text
    assert "nothing there" in broken_result.text
    assert added.text == "3"


def test_a_tool_that_raises_stop_iteration_does_not_hang_the_run() -> None:
    @tool
    def odd() -> str:
        raise StopIteration

    script = Script((None, tool_call("odd")), ("done",))
    assert script.agent(odd).run_sync("go").steps[0].results[0].is_error


def test_a_tool_on_a_thread_that_exits_gives_an_error_result_and_not_the_programs_end() -> None:
    @ph.tool
    def leave() -> str:
        raise SystemExit(3)

    (part,) = Script((None, tool_call("leave")), ("done",)).agent(leave).run_sync("go").steps[0].results
    assert (part.text, part.is_error) == ("Error: RuntimeError: the tool raised SystemExit", True)


def test_a_program_does_not_wait_for_a_tool_that_nobody_waits_for() -> None:
    program = """
import asyncio, threading
import playhead as ph
from chatwire import Script, tool_call

@ph.tool
def forever() -> str:
    threading.Event().wait()
    return ""

async def main() -> None:
    async with Script((None, tool_call("forever"))).agent(forever).stream("go") as run:
        async for event in run:
            if isinstance(event, ph.ToolStart):
                break

asyncio.run(main())
print("ended")
"""
    here = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", program], cwd=here, capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr, done.returncode) == ("ended\n", "", 0)


def test_an_unknown_tool_is_answered_with_the_names_there_are() -> None:
    script = Script((None, tool_call("subtract")), ("done",))
    (part,) = script.agent(add).run_sync("go").steps[0].results
    assert part.is_error
    assert "'subtract'" in part.text
    assert "add" in part.text


def test_stop_run_ends_the_run_well_and_every_call_has_a_result() -> None:
    @tool
    def stop() -> str:
        raise StopRun("enough")

    script = Script((None, tool_call("stop"), tool_call("add", {"a": 1, "b": 2})))
    result = script.agent(stop, add).run_sync("go")
    assert (result.text, result.finish_reason, result.stopped) == ("enough", "stopped", "enough")
    assert [part.text for part in result.steps[0].results] == ["enough", "3"]
    assert result.messages[-1].role == "tool"
    assert len(script.requests) == 1


def test_stop_run_without_a_text_keeps_the_models_words() -> None:
    @tool
    async def stop() -> str:
        raise StopRun

    result = Script(("wait", tool_call("stop"))).agent(stop).run_sync("go")
    assert (result.text, result.finish_reason) == ("wait", "stopped")


def test_the_context_says_where_a_tool_is_called_and_is_not_told_to_the_model() -> None:
    seen: list[Context] = []

    @tool
    def look(where: str, ctx: Context) -> str:
        seen.append(ctx)
        return where

    script = Script((None, tool_call("look", {"where": "here"}, id="c1")), ("done",))
    script.agent(look).run_sync("go")
    (ctx,) = seen
    assert (ctx.call_id, ctx.tool, ctx.step, ctx.lane) == ("c1", "look", 0, "root/0.look")
    assert [message.role for message in ctx.messages] == ["user", "assistant"]
    assert len(ctx.idempotency_key) == 32
    assert list(script.requests[0]["tools"][0]["function"]["parameters"]["properties"]) == ["where"]


def test_lanes_go_on_counting_over_steps() -> None:
    lanes: list[str] = []

    @tool
    def note(ctx: Context) -> str:
        lanes.append(ctx.lane)
        return ""

    script = Script((None, tool_call("note", id="a")), (None, tool_call("note", id="b")), ("done",))
    script.agent(note).run_sync("go")
    assert lanes == ["root/0.note", "root/1.note"]


def test_media_of_tools_follows_as_a_user_message_after_all_results() -> None:
    @tool
    def photo() -> list[str | MediaPart]:
        return ["here", MediaPart("image/png", b"\x89PNG")]

    script = Script((None, tool_call("photo"), tool_call("add", {"a": 1, "b": 2})), ("done",))
    script.agent(photo, add).run_sync("go")
    roles = [message["role"] for message in script.requests[1]["messages"]]
    assert roles == ["user", "assistant", "tool", "tool", "user"]
    media = script.requests[1]["messages"][-1]["content"]
    assert media[1]["image_url"]["url"].startswith("data:image/png;base64,")


def test_the_finish_reason_stop_beside_tool_calls_does_not_end_the_run() -> None:
    body = json.dumps(message(None, tool_call("add", {"a": 1, "b": 2}), finish="stop")).encode()
    script = Script({"body": body}, ("done",))
    assert script.agent(add).run_sync("go").text == "done"


def test_a_run_that_does_not_end_is_stopped_and_carries_what_it_did() -> None:
    script = Script(*[(None, tool_call("add", {"a": 1, "b": 2}))] * 3)
    with pytest.raises(StepLimit, match="after 2 steps") as caught:
        script.agent(add, max_steps=2).run_sync("go")
    assert caught.value.run is not None
    assert len(caught.value.run.steps) == 2
    assert caught.value.run.messages[-1].role == "tool"


def test_two_tools_of_the_same_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="same name: add"):
        Script().agent(add, add)


def test_leaving_a_run_early_cancels_its_tools_and_leaves_a_whole_history() -> None:
    async def main() -> None:
        cancelled = asyncio.Event()

        @tool
        async def forever() -> str:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
            return ""

        script = Script((None, tool_call("forever"), tool_call("add", {"a": 1, "b": 2})))
        async with script.agent(forever, add).stream("go") as run:
            async for event in run:
                if isinstance(event, ToolEnd):
                    break
        assert cancelled.is_set()
        last = run.so_far.messages[-1]
        assert [(part.name, part.is_error) for part in last.parts] == [("forever", True), ("add", False)]  # type: ignore[union-attr]

    asyncio.run(main())


def test_a_cancelled_task_ends_its_run_at_once() -> None:
    async def main() -> None:
        started = asyncio.Event()

        @tool
        async def forever() -> str:
            started.set()
            await asyncio.Event().wait()
            return ""

        task = asyncio.create_task(Script((None, tool_call("forever"))).agent(forever).run("go"))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_events_of_tools_say_when_they_start_and_end() -> None:
    @tool
    def nap() -> str:
        time.sleep(0.001)
        return "z"

    with Script((None, tool_call("nap")), ("done",)).agent(nap).stream_sync("go") as run:
        events = [event for event in run if isinstance(event, ToolStart | ToolEnd)]
    start, end = events
    assert isinstance(start, ToolStart)
    assert isinstance(end, ToolEnd)
    assert (end.result.text, end.played, end.lane) == ("z", False, "root/0.nap")
    assert end.duration_s is not None
    assert end.duration_s > 0


def test_a_tool_that_is_cancelled_from_within_gives_an_error_result() -> None:
    @ph.tool
    async def odd() -> str:
        inner = asyncio.ensure_future(asyncio.Event().wait())
        inner.cancel()
        await inner
        return ""

    @ph.tool
    def odd_on_a_thread() -> str:
        raise asyncio.CancelledError

    script = Script((None, tool_call("odd"), tool_call("odd_on_a_thread")), ("done",))
    result = script.agent(odd, odd_on_a_thread).run_sync("go")
    assert [part.is_error for part in result.steps[0].results] == [True, True]
    assert result.text == "done"


def test_an_exception_that_cannot_say_itself_gives_an_error_result() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    @ph.tool
    def broken() -> str:
        raise Mute

    (part,) = Script((None, tool_call("broken")), ("done",)).agent(broken).run_sync("go").steps[0].results
    assert (part.text, part.is_error) == ("Error: Mute", True)


def test_leaving_at_any_event_leaves_a_history_in_which_every_call_has_a_result() -> None:
    async def leave_after(count: int) -> bool:
        script = Script(("a", tool_call("add", {"a": 1, "b": 2}), tool_call("none", id="n")), ("done",))
        seen = 0
        async with script.agent(add).stream("go") as run:
            async for _ in run:
                seen += 1
                if seen == count:
                    break
        opened = [call.id for message in run.so_far.messages for call in message.tool_calls]
        ended = [part.call_id for m in run.so_far.messages for part in m.parts if isinstance(part, ph.ToolResultPart)]
        assert opened == ended
        return seen == count

    count = 1
    while asyncio.run(leave_after(count)):
        count += 1
    assert count > 15


def test_cancelling_a_run_at_any_moment_is_silent_and_leaves_a_whole_history(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @ph.tool
    async def nap() -> str:
        for _ in range(5):
            await asyncio.sleep(0)
        return "ok"

    async def cancel_after(turns: int) -> bool:
        script = Script(("a b", tool_call("nap"), tool_call("nap", id="n")), ("done",))
        run = script.agent(nap).stream("go")
        task = asyncio.ensure_future(run.finish())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await run.aclose()
        opened = [call.id for message in run.so_far.messages for call in message.tool_calls]
        ended = [part.call_id for m in run.so_far.messages for part in m.parts if isinstance(part, ph.ToolResultPart)]
        assert opened == ended
        return task.cancelled()

    turns = 0
    while asyncio.run(cancel_after(turns)):
        turns += 1
    assert turns > 5
    assert not caplog.records


def test_what_cancels_a_run_carries_the_run_so_far() -> None:
    @ph.tool
    async def forever() -> str:
        await asyncio.Event().wait()
        return ""

    async def main() -> BaseException | None:
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.01):
                await Script(("a", tool_call("forever"))).agent(forever).run("go")
        return caught.value.__cause__

    cause = asyncio.run(main())
    assert isinstance(cause, asyncio.CancelledError)
    so_far: ph.RunResult = cause.run  # type: ignore[attr-defined]
    assert [message.role for message in so_far.messages] == ["user", "assistant", "tool"]
    assert so_far.tape is not None
