"""Several runs of an agent at the same time, on one tape."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import playhead as ph
from chatwire import JSON, Script, message, tool_call
from playhead.agent.fanout import fan_out, fan_out_sync
from playhead.http import Request, Response
from playhead.serve.http import ThreadedServer
from playhead.transport.memory import MemoryTransport, respond

PROMPTS = ["a", "b", "c", "d"]


class Echo:
    """A provider that answers what was asked, in the order that it is told; "bad" is refused.

    Args:
        turns: how often the loop goes round before each prompt is answered.
    """

    def __init__(self, turns: dict[str, int] | None = None) -> None:
        self.turns = turns or {}
        self.asked: list[str] = []
        self.now = self.most = 0

    async def send(self, request: Request) -> Response:
        said = json.loads(request.body)["messages"][-1]["content"]
        self.asked.append(said)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            for _ in range(self.turns.get(said, 1)):
                await asyncio.sleep(0)
        finally:
            self.now -= 1
        if said == "bad":
            return respond(500, b"{}", JSON)
        return respond(200, json.dumps(message(f"{said}!")).encode(), JSON)

    async def aclose(self) -> None:
        """Nothing is held."""

    def agent(self, **more: Any) -> ph.Agent:
        """An agent that is answered here."""
        return ph.Agent("compat:http://echo.test/v1#m", transport=self, retry=False, **more)


ORDERS = {
    "first first": {"a": 1, "b": 5, "c": 9, "d": 13},
    "last first": {"a": 13, "b": 9, "c": 5, "d": 1},
    "mixed": {"a": 5, "b": 1, "c": 13, "d": 9},
}


@pytest.mark.parametrize("order", ORDERS)
def test_results_come_in_the_order_of_the_prompts_each_in_its_lane(order: str, tmp_path: Path) -> None:
    """Whatever the order in which they are answered; played, and gone on with."""
    path = tmp_path / "fan.jsonl"
    echo = Echo(ORDERS[order])
    results = fan_out_sync(echo.agent(), PROMPTS, tape=path)
    assert [result.text for result in results] == ["a!", "b!", "c!", "d!"]
    calls = ph.load_tape(path).interactions
    assert {call.lane: json.loads(call.request.body)["messages"][0]["content"] for call in calls} == {
        f"root/{n}": prompt for n, prompt in enumerate(PROMPTS)
    }
    for concurrency in (1, None):
        played = fan_out_sync(Echo().agent(), PROMPTS, tape=path, mode="replay", concurrency=concurrency)
        assert [result.messages for result in played] == [result.messages for result in results]
    more = fan_out_sync(echo.agent(), [*PROMPTS, "e"], tape=path)
    assert [result.text for result in more] == ["a!", "b!", "c!", "d!", "e!"]
    assert len(echo.asked) == 5


@pytest.mark.parametrize("most", [1, 2, 4])
def test_only_so_many_run_at_the_same_time(most: int) -> None:
    """`concurrency` is the limit, and it is reached."""
    echo = Echo(dict.fromkeys(PROMPTS, 5))
    fan_out_sync(echo.agent(), PROMPTS, concurrency=most)
    assert echo.most == most
    with pytest.raises(ph.ConfigError, match="1 or more"):
        fan_out_sync(echo.agent(), PROMPTS, concurrency=0)


@pytest.mark.parametrize("order", [{"bad": 1, "a": 9}, {"bad": 9, "a": 1}], ids=["early", "late"])
def test_the_first_error_is_raised_and_cancels_the_others(order: dict[str, int], tmp_path: Path) -> None:
    """Live and played alike; gone on with, what was answered is not asked again."""
    path = tmp_path / "fan.jsonl"
    echo = Echo({**order, "slow": 10**6})
    prompts = ["slow", "bad", "a"]
    with pytest.raises(ph.ProviderError):
        fan_out_sync(echo.agent(), prompts, tape=path)
    assert echo.now == 0
    with pytest.raises(ph.ProviderError):
        fan_out_sync(Echo().agent(), prompts, tape=path, mode="replay")
    echo.turns = {}
    results = fan_out_sync(echo.agent(), prompts, tape=path, return_exceptions=True)
    assert [getattr(result, "text", type(result).__name__) for result in results] == ["slow!", "ProviderError", "a!"]
    assert echo.asked.count("a") == (1 if order["bad"] > 1 else 2)


def test_errors_can_stand_in_the_place_of_results() -> None:
    """The others come to their end."""
    results = fan_out_sync(Echo().agent(), ["a", "bad", "c"], return_exceptions=True)
    assert isinstance(results[1], ph.ProviderError)
    assert [result.text for result in results if isinstance(result, ph.RunResult)] == ["a!", "c!"]


@pytest.mark.parametrize("how", ["task", "token"])
def test_cancelling_cancels_all(how: str) -> None:
    """A cancelled task leaves nothing under way; a token ends each run well."""
    echo = Echo(dict.fromkeys(PROMPTS, 10**6))
    token = ph.Cancel()

    async def main() -> None:
        task = asyncio.ensure_future(fan_out(echo.agent(), PROMPTS, cancel=token))
        while echo.now < len(PROMPTS):
            await asyncio.sleep(0)
        if how == "token":
            token.cancel()
            assert [result.ended for result in await task] == ["cancelled"] * 4
        else:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert echo.now == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def _in_a_coroutine(agent: ph.Agent) -> Any:
    @ph.tool(effect="idempotent")
    async def ask_all() -> str:
        """Ask all."""
        return " ".join(result.text for result in await fan_out(agent, PROMPTS))

    return ask_all


def _on_a_thread(agent: ph.Agent) -> Any:
    @ph.tool(effect="idempotent")
    def ask_all() -> str:
        """Ask all."""
        return " ".join(result.text for result in fan_out_sync(agent, PROMPTS))

    return ask_all


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("make", [_in_a_coroutine, _on_a_thread], ids=["coroutine", "thread"])
def test_inside_a_tool_it_is_part_of_the_run_around_it(make: Callable[[ph.Agent], Any], stream: bool) -> None:
    """Lanes below the tool's, usage that adds up, events as `Nested`; played, also in a tool that runs again."""
    inner = ph.testing.Script(lambda asked: f"{asked.messages[-1].text}!")
    script = Script((None, tool_call("ask_all")), ("done",))
    agent = script.agent(make(inner.agent()))

    def go(**more: Any) -> tuple[ph.RunResult[Any], list[ph.Event]]:
        if not stream:
            return agent.run_sync("go", **more), []
        with agent.stream_sync("go", **more) as run:
            events = list(run)
        return run.result, events

    result, events = go()
    assert [part.text for part in result.steps[0].results] == ["a! b! c! d!"]
    assert sorted(attempt.lane for attempt in result.ledger) == [
        "root", "root", *(f"root/0.ask_all/{n}" for n in range(4)),
    ]  # fmt: skip
    if stream:
        lanes = {event.lane for event in events if isinstance(event, ph.Nested)}
        assert lanes == {f"root/0.ask_all/{n}" for n in range(4)}
    played, _ = go(tape=result.tape, mode="replay")
    assert (played.messages, len(played.ledger)) == (result.messages, 6)
    assert result.tape is not None
    last = max(n for n, effect in result.tape.numbered if effect.lane.startswith("root/0.ask_all/"))
    forked = result.tape.fork(last)  # The tool runs again; three of its four runs are on the tape.
    script_again = Script(("done",))
    again = script_again.agent(make(inner.agent()))
    resumed = again.run_sync("go", tape=forked) if not stream else _streamed(again, forked)
    assert resumed.messages == result.messages
    assert len(inner.requests) == 5


def _streamed(agent: ph.Agent, tape: ph.Tape) -> ph.RunResult[Any]:
    with agent.stream_sync("go", tape=tape) as run:
        return run.finish()


def test_what_all_runs_may_take_together_is_a_budget() -> None:
    """Each run's own limits are its own."""
    echo = Echo()
    with pytest.raises(ph.LimitExceeded):
        fan_out_sync(echo.agent(), PROMPTS, concurrency=1, budget=ph.Budget(ph.Limits(steps=2)))
    assert echo.asked == ["a", "b"]


def test_two_fan_outs_on_one_tape_are_told_apart() -> None:
    """One behind the other in the same lane, and beside each other in lanes of their own."""

    async def all_of_it(agent: ph.Agent, tape: ph.OpenTape) -> list[str]:
        async def part(name: str) -> list[ph.RunResult[Any]]:
            with ph.lane(name):
                return await fan_out(agent, [f"{name}1", f"{name}2"])

        with tape:
            found = [*await fan_out(agent, ["a", "b"]), *await fan_out(agent, ["c", "d"])]
            for results in await asyncio.gather(part("x"), part("y")):
                found += results
            assert tape.unplayed() == ()
        return [result.text for result in found]

    tape = ph.open_tape()
    live = asyncio.run(all_of_it(Echo().agent(), tape))
    held = tape.tape()
    assert held is not None
    assert live == ["a!", "b!", "c!", "d!", "x1!", "x2!", "y1!", "y2!"]
    assert asyncio.run(all_of_it(Echo().agent(), ph.open_tape(held, "replay"))) == live


def test_a_fan_out_over_real_sockets() -> None:
    """Eight requests at the same time are answered each by its own."""
    met = asyncio.Event()
    here: list[str] = []

    async def answer(request: Request) -> Response:
        said = json.loads(request.body)["messages"][-1]["content"]
        here.append(said)
        if len(here) == 8:
            met.set()
        await met.wait()
        return respond(200, json.dumps(message(f"{said}!")).encode(), JSON)

    prompts = [str(n) for n in range(8)]
    with ThreadedServer(answer) as server:
        agent = ph.Agent(f"compat:{server.url}/v1#m")
        results = fan_out_sync(agent, prompts)
    assert [result.text for result in results] == [f"{n}!" for n in range(8)]


def test_no_prompts_give_no_results() -> None:
    """And nothing is asked."""
    transport = MemoryTransport(lambda _: respond(500, b"", ()))
    assert fan_out_sync(ph.Agent("compat:http://echo.test/v1#m", transport=transport), []) == []
    assert transport.requests == []
