"""Ending runs from outside: what providers and tools notice, what is reported, and how a run goes on afterwards."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

import playhead as ph
from chatwire import Script, tool_call
from histories import check_history
from playhead.events import PartDelta, ToolStart
from stopping import SlowTransport

PIECE = b'data: {"id":"r","model":"m","choices":[{"index":0,"delta":{"content":"Once upon"}}]}\n\n'


@asynccontextmanager
async def hanging_server() -> AsyncGenerator[tuple[str, asyncio.Event, asyncio.Event]]:
    """A server that begins to answer and never ends: its model, when it was asked, and when its client was gone."""
    asked, gone = asyncio.Event(), asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length:")[2].split()[0])
            if b'"stream":true' in await reader.readexactly(length):
                head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
                writer.write(head + b"%x\r\n%s\r\n" % (len(PIECE), PIECE))
                await writer.drain()
            asked.set()
            while await reader.read(65536):
                pass
        except ConnectionError:
            pass
        finally:
            gone.set()
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield f"compat:http://127.0.0.1:{port}/v1#m", asked, gone
    finally:
        server.close()


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_the_providers_connection_is_closed_at_once(stream: bool) -> None:
    async def go() -> ph.RunResult:
        async with hanging_server() as (model, asked, gone):
            token = ph.Cancel()
            agent = ph.Agent(model, retry=False)
            if stream:
                task = asyncio.ensure_future(_finished(agent.stream("Hi.", cancel=token)))
            else:
                task = asyncio.ensure_future(agent.run("Hi.", cancel=token))
            await asked.wait()
            token.cancel()
            result = await task
            await asyncio.wait_for(gone.wait(), 5)
            return result

    result = asyncio.run(go())
    assert result.finish_reason == "cancelled"
    check_history(result.messages)
    assert len(result.ledger) == 1


async def _finished(run: ph.Run[Any]) -> Any:
    async with run:
        return await run.finish()


def test_async_tools_are_cancelled_and_threads_are_reported_as_still_running() -> None:
    going, release, told = threading.Event(), threading.Event(), list[str]()

    @ph.tool
    def blocks() -> str:
        """Block."""
        going.set()
        release.wait(10)
        return "late"

    @ph.tool
    async def waits() -> str:
        """Wait."""
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            told.append("cancelled")
            raise
        return "never"

    agent = Script((None, tool_call("blocks"), tool_call("waits"))).agent(blocks, waits)
    with agent.stream_sync("Go.") as run:
        threading.Thread(target=lambda: (going.wait(10), run.cancel())).start()
        result = run.finish()
    release.set()
    first, second = result.steps[-1].results
    assert told == ["cancelled"]
    assert "still running" in first.text
    assert "cancelled before this tool had finished" in second.text
    with agent.stream_sync("Go.", tape=result.tape, mode="replay") as again:
        assert again.finish().messages == result.messages


def test_after_step_lets_the_tools_of_the_step_come_to_their_end() -> None:
    @ph.tool
    async def add() -> int:
        """Add."""
        await asyncio.sleep(0)
        return 3

    script = Script((None, tool_call("add")), ("Never asked.",))
    with script.agent(add).stream_sync("Go.") as run:
        for event in run:
            if isinstance(event, ToolStart):
                run.cancel(after_step=True)
        result = run.result
    assert result.finish_reason == "cancelled"
    assert result.steps[-1].results[0].text == "3"
    assert len(script.requests) == 1


def test_a_run_can_be_cancelled_between_two_events_twice_and_after_its_end() -> None:
    script = Script(("One two three.",), ("All of it.",))
    with script.agent().stream_sync("Go.") as run:
        for event in run:
            if isinstance(event, PartDelta):
                run.cancel()
                run.cancel(after_step=True)
                run.cancel()
        first = run.result
    assert first.finish_reason == "cancelled"
    assert first.messages[-1].text == "One"
    with script.agent().stream_sync("Go.") as run:
        second = run.finish()
        run.cancel()
    assert run.result.finish_reason == second.finish_reason == "stop"


def test_one_token_ends_several_runs_and_those_that_begin_later() -> None:
    async def go() -> list[ph.RunResult]:
        async with hanging_server() as (model, asked, _):
            token, agent = ph.Cancel(), ph.Agent(model, retry=False)
            tasks = [asyncio.ensure_future(agent.run("Hi.", cancel=token)) for _ in range(3)]
            await asked.wait()
            token.cancel()
            return [*await asyncio.gather(*tasks), await agent.run("Too late.", cancel=token)]

    results = asyncio.run(go())
    assert [result.finish_reason for result in results] == ["cancelled"] * 4
    assert len(results[-1].ledger) == 0


def _cancelled_where(reached: Any, agent: ph.Agent[Any, Any], **given: Any) -> ph.RunResult:
    """Run until `reached` is set, cancel, and give the result."""

    async def go() -> ph.RunResult:
        token = ph.Cancel()
        task = asyncio.ensure_future(agent.run("Go.", cancel=token, **given))
        while not reached.is_set():
            await asyncio.sleep(0)
        token.cancel()
        return await asyncio.wait_for(task, 5)

    return asyncio.run(go())


def test_a_run_can_be_cancelled_while_somebody_is_asked_for_approval() -> None:
    reached = threading.Event()

    async def ask(_: ph.Approval) -> bool:
        reached.set()
        await asyncio.sleep(60)
        return True

    @ph.tool(approve=True)
    def delete() -> str:
        """Delete."""
        raise AssertionError("it must not run")

    agent = Script((None, tool_call("delete"))).agent(delete)
    result = _cancelled_where(reached, agent, approvals=ask)
    assert result.finish_reason == "cancelled"
    assert not result.pending
    check_history(result.messages)


def test_a_run_can_be_cancelled_while_it_waits_before_a_retry() -> None:
    refused = {"status": 503, "body": b"{}", "headers": (("retry-after", "50"),)}
    reached = threading.Event()
    script = Script(refused)
    hooks = [lambda event: reached.set() if isinstance(event, ph.AttemptFailed) else None]
    result = _cancelled_where(reached, script.agent(retry=ph.Retry(max_wait_s=100), hooks=hooks))
    assert result.finish_reason == "cancelled"
    assert len(result.ledger) == 1


def test_a_run_can_be_cancelled_while_its_tools_are_looked_for() -> None:
    reached = threading.Event()

    class Slow:
        name = "slow"

        async def tools(self, read: Any) -> list[Any]:
            reached.set()
            await asyncio.sleep(60)
            return []

        async def aclose(self) -> None: ...

    script = Script()
    result = _cancelled_where(reached, script.agent(cast("Any", Slow())))
    assert result.finish_reason == "cancelled"
    assert not script.requests
    check_history(result.messages)


def test_a_sync_agent_inside_a_tools_thread_ends_with_the_run_around_it() -> None:
    """A thread cannot be stopped; a run in it can."""
    going, ended = threading.Event(), threading.Event()
    outcome: list[Any] = []

    @ph.tool
    async def hang() -> str:
        """Hang."""
        going.set()
        await asyncio.sleep(60)
        return ""

    inner = Script((None, tool_call("hang"))).agent(hang)

    @ph.tool
    def ask() -> str:
        """Ask the other one."""
        try:
            outcome.append(inner.run_sync("Help."))
        finally:
            ended.set()
        return "x"

    agent = Script((None, tool_call("ask"))).agent(ask)
    with agent.stream_sync("Go.") as run:
        threading.Thread(target=lambda: (going.wait(10), run.cancel())).start()
        assert run.finish().finish_reason == "cancelled"
    assert ended.wait(5)


@pytest.mark.parametrize("streamed", [True, False], ids=["stream_sync", "run_sync"])
def test_ctrl_c_carries_the_run_so_far(streamed: bool) -> None:
    @ph.tool
    async def press() -> str:
        """Press Ctrl-C."""
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(60)
        return "never"

    agent = Script((None, tool_call("press"))).agent(press)
    with pytest.raises(KeyboardInterrupt) as caught:
        if streamed:
            with agent.stream_sync("Go.") as run:
                run.finish()
        else:
            agent.run_sync("Go.")
    so_far = cast("Any", caught.value).run
    assert [message.role for message in so_far.messages] == ["user", "assistant", "tool"]


def test_a_tool_that_cancels_its_own_task_does_not_end_the_run() -> None:
    @ph.tool
    async def odd() -> str:
        """Do something odd."""
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)
        return "never"

    result = Script((None, tool_call("odd")), ("I see.",)).agent(odd).run_sync("Go.")
    assert result.text == "I see."
    assert result.steps[0].results[0].is_error


def test_a_cancelled_run_goes_on_from_its_tape_and_then_plays_to_its_end(tmp_path: Path) -> None:
    ran: Counter[str] = Counter()

    @ph.tool(effect="read")
    async def look(context: ph.Context[Any]) -> str:
        """Look."""
        ran[context.lane] += 1
        if ran[context.lane] == 1 and context.lane.endswith("1.look"):
            token.cancel()
            await asyncio.sleep(60)
        return "seen"

    path, token = tmp_path / "run.jsonl", ph.Cancel()
    calls = (tool_call("look", id="a"), tool_call("look", id="b"))
    provider = SlowTransport(Script((None, *calls), ("Both seen.",)))
    agent = provider.script.agent(look)
    agent = agent.with_model(agent.model, transport=provider)
    first = agent.run_sync("Go.", tape=path, cancel=token)
    assert first.finish_reason == "cancelled"
    assert agent.run_sync("Go.", tape=path, mode="replay").messages == first.messages
    whole = agent.run_sync("Go.", tape=path, mode="resume")
    assert whole.text == "Both seen."
    assert ran == {"root/0.look": 1, "root/1.look": 2}
    assert provider.asked == 2
    again = agent.run_sync("Go.", tape=path, mode="replay")
    assert (again.messages, again.finish_reason) == (whole.messages, "stop")
    assert len(again.ledger) == len(whole.ledger) == 2


@pytest.mark.parametrize("stream", [True, False])
def test_the_ledger_of_a_cancelled_run_is_the_same_live_played_and_from_its_tape(stream: bool) -> None:
    def rows(ledger: ph.Ledger) -> list[tuple[Any, ...]]:
        return [(row.outcome, row.usage, row.billable, row.error, row.effect) for row in ledger]

    async def cancelled(at: int) -> ph.RunResult:
        script = Script(("one two three", tool_call("wait")), ("four five",))
        agent = script.agent(wait)
        cancel, seen = ph.Cancel(), 0
        if not stream:
            asyncio.get_running_loop().call_later(0.0005 * at, cancel.cancel)
            return await agent.run("go", cancel=cancel)
        async with agent.stream("go", cancel=cancel) as run:
            async for _ in run:
                seen += 1
                if seen == at:
                    cancel.cancel()
            return run.result

    @ph.tool(effect="read")
    async def wait() -> str:
        await asyncio.sleep(0.001)
        return "done"

    for at in range(1, 12):
        result = asyncio.run(cancelled(at))
        tape = result.tape or ph.Tape()
        again = Script().agent(wait)
        if stream:
            with again.stream_sync("go", tape=tape, mode="replay") as run:
                played = run.finish()
        else:
            played = again.run_sync("go", tape=tape, mode="replay")
        assert rows(played.ledger) == rows(result.ledger) == rows(ph.ledger_of(tape)), at
