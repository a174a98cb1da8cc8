"""Parallel work is found again in whatever order it arrives: lanes on asyncio and on threads."""

from __future__ import annotations

import asyncio
import contextvars
import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import playhead as ph
from chatwire import JSON, Script, message, tool_call
from playhead.http import Request, Response
from playhead.tape import index, player
from playhead.tape.canonical import digest
from playhead.tape.effects import Interaction, ToolRun
from playhead.tape.lanes import here
from playhead.transport.memory import MemoryTransport, respond


def asked(request: Request) -> str:
    """What the user said in a request."""
    return json.loads(request.body)["messages"][-1]["content"]


def counting(rng: random.Random | None = None) -> MemoryTransport:
    """A provider whose answers are all different, even to the same question, and come in a shuffled order."""
    count = iter(range(10_000))

    async def answer(request: Request) -> Response:
        number = next(count)
        if rng is not None:
            for _ in range(rng.randrange(6)):
                await asyncio.sleep(0)
        return respond(200, json.dumps(message(f"{asked(request)}: answer {number}")).encode(), JSON)

    return MemoryTransport(answer)


def closed() -> MemoryTransport:
    """A provider that nobody may ask."""

    def refuse(request: Request) -> Response:
        raise AssertionError(f"this went out: {asked(request)}")

    return MemoryTransport(refuse)


def agent(transport: MemoryTransport, *tools: Callable[..., Any]) -> ph.Agent:
    return ph.Agent("compat:http://inner.test/v1#m", transport=transport, tools=tools)


def without_tool_ends(tape: ph.Tape) -> ph.Tape:
    """The tape as if the run had been killed when all tools were still running."""
    effects = [
        msgspec.structs.replace(effect, ended="interrupted", result="") if isinstance(effect, ToolRun) else effect
        for effect in tape.effects
    ]
    return ph.Tape(tuple(effects), tape.meta)


def research(inner: ph.Agent, rng: random.Random) -> Any:
    @ph.tool(effect="idempotent")
    async def research(topic: str) -> str:
        for _ in range(rng.randrange(6)):
            await asyncio.sleep(0)
        return (await inner.run("the same question")).text + f" for {topic}"

    return research


def test_200_sub_agents_at_the_same_time_get_their_own_answers_back_in_any_order() -> None:
    calls = [tool_call("research", {"topic": f"t{n}"}, f"c{n}") for n in range(200)]
    outer = Script((None, *calls), ("done",))
    inner = agent(counting(random.Random(1)))
    recorded = asyncio.run(outer.agent(research(inner, random.Random(2)), max_parallel_tools=200).run("go"))
    results = [part.text for part in recorded.messages[-2].parts]
    assert len(set(results)) == 200
    lanes = {call.lane for call in recorded.tape.interactions} - {"root"}
    assert lanes == {f"root/{n}.research" for n in range(200)}

    cut = without_tool_ends(recorded.tape)
    for seed in range(5):
        again = Script()
        tool = research(agent(closed()), random.Random(seed))
        result = asyncio.run(again.agent(tool, max_parallel_tools=200).run("go", tape=cut))
        assert [part.text for part in result.messages[-2].parts] == results


def test_a_sub_agent_on_a_thread_is_on_its_parents_tape_and_sees_its_tools() -> None:
    inner = Script((None, tool_call("look", {}, "i1")), ("found",))

    def look() -> str:
        return "a thing"

    @ph.tool(effect="idempotent")
    def ask() -> str:  # a synchronous tool: it runs on a thread, and its agent on an event loop there
        return inner.agent(look).run_sync("find it").text

    outer = Script((None, tool_call("ask", {}, "o1")), ("well",))
    result = outer.agent(ask).run_sync("go")
    assert [effect.lane for effect in result.tape.effects] == [
        "root",
        "root/0.ask",
        "root/0.ask",
        "root/0.ask/0.look",
        "root/0.ask",
        "root",
    ]
    assert Script().agent(ask).run_sync("go", tape=result.tape, mode="replay").text == "well"


def test_runs_on_one_tape_find_their_lanes_again_whichever_begins_first() -> None:
    names = [f"question {n}" for n in range(20)]

    async def ask_all(tape: ph.OpenTape, transport: MemoryTransport, order: list[str]) -> dict[str, str]:
        one = agent(transport)
        results = await asyncio.gather(*(one.run(name, tape=tape) for name in order))
        return {name: result.text for name, result in zip(order, results, strict=True)}

    with ph.open_tape() as tape:
        recorded = asyncio.run(ask_all(tape, counting(random.Random(3)), names))
        made = tape.tape()
    assert made is not None
    assert {call.lane for call in made.interactions} == {"root", *(f"root#{n}" for n in range(1, 20))}
    for seed in range(10):
        order = random.Random(seed).sample(names, len(names))
        with ph.open_tape(made, mode="replay") as tape:
            assert asyncio.run(ask_all(tape, closed(), order)) == recorded
            assert tape.unplayed() == ()


def test_lanes_of_ones_own_tell_equal_questions_apart_on_tasks_and_on_threads() -> None:
    async def on_tasks(one: ph.Agent, order: list[int]) -> dict[int, str]:
        async def part(n: int) -> str:
            with ph.lane(f"part {n}"):
                return (await one.run("the same")).text

        return dict(zip(order, await asyncio.gather(*map(part, order)), strict=True))

    def on_threads(one: ph.Agent, order: list[int]) -> dict[int, str]:
        def part(n: int) -> str:
            with ph.lane(f"part {n}"):
                return one.run_sync("the same").text

        with ThreadPoolExecutor(8) as pool:
            futures = {n: pool.submit(contextvars.copy_context().run, part, n) for n in order}
            return {n: future.result() for n, future in futures.items()}

    with ph.open_tape() as tape:
        recorded = asyncio.run(on_tasks(agent(counting(random.Random(4))), list(range(30))))
        made = tape.tape()
    assert made is not None
    assert len(set(recorded.values())) == 30
    for seed in range(3):
        order = random.Random(seed).sample(range(30), 30)
        with ph.open_tape(made, mode="replay"):
            assert asyncio.run(on_tasks(agent(closed()), order)) == recorded
        with ph.open_tape(made, mode="replay"):
            assert on_threads(agent(closed()), order) == recorded


def parallel_tape(*, lanes: bool) -> ph.Tape:
    """200 calls, each answered with its own number; in lanes of their own they all ask the same."""
    calls = [
        Interaction(
            request=Request("POST", "http://x.test/v1", (), b'{"q": %d}' % (0 if lanes else n)),
            lane=f"root/{n}.t" if lanes else "root",
            status=200,
            chunks=(b"%d" % n,),
        )
        for n in range(200)
    ]
    return ph.Tape(tuple(calls))


@pytest.mark.parametrize("lanes", [True, False], ids=["by place", "by digest"])
def test_a_thousand_replays_of_200_calls_in_shuffled_order_swap_none(lanes: bool) -> None:
    tape, rng = parallel_tape(lanes=lanes), random.Random(5)
    order = list(range(200))
    for _ in range(1000):
        opened = ph.open_tape(tape, mode="replay")
        rng.shuffle(order)
        for n in order:
            request = tape.interactions[n].request
            played = opened.find(f"root/{n}.t", request) if lanes else opened.ask(request)
            assert isinstance(played, Interaction)
            assert played.body == b"%d" % n


def test_equal_requests_without_a_lane_are_answered_first_in_first_out() -> None:
    calls = [
        Interaction(request=Request("POST", "http://x.test/", (), body), status=200, chunks=(b"%d" % n,))
        for n, body in enumerate([b'{"a":1,"b":2}', b'{"b":2, "a":1}', b'{"a":1,"b":2}', b'{"a":3}'])
    ]
    tape = ph.open_tape(ph.Tape(tuple(calls)), mode="replay")
    ask = [Request("POST", "http://x.test/", (), body) for body in (b'{"a":3}', *[b'{"a":1,"b":2}'] * 3)]
    assert [tape.ask(request).body for request in ask[:1]] == [b"3"]  # type: ignore[union-attr]
    answers = {tape.ask(request).body for request in ask[1:]}  # type: ignore[union-attr]
    assert answers == {b"0", b"1", b"2"}
    with pytest.raises(ph.Divergence, match="holds this request 3 times, and that was played already") as caught:
        tape.ask(ask[1])
    assert caught.value.kind == "consumed"


def test_a_client_in_a_tool_is_matched_in_the_tools_own_lane(tmp_path: Path) -> None:
    """Two tools ask the same of the same server at the same time, by a client that carries no lane."""
    request = Request("GET", "http://x.test/rate")
    seen: dict[str, str] = {}

    @ph.tool(effect="read")
    async def rate(of: str) -> str:
        place = here()
        assert place is not None
        found = place.tape.ask(request)
        if isinstance(found, Interaction):
            seen[of] = found.body.decode()
            return seen[of]
        assert found is not None
        found.head(200, "OK", "HTTP/1.1", ())
        found.chunk(f"rate of {of}".encode())
        found.end("complete")
        return f"rate of {of}"

    calls = [tool_call("rate", {"of": name}, name) for name in ("a", "b")]
    recorded = Script((None, *calls), ("ok",)).agent(rate).run_sync("go")
    assert recorded.tape is not None
    Script().agent(rate).run_sync("go", tape=without_tool_ends(recorded.tape))
    assert seen == {"a": "rate of a", "b": "rate of b"}


def test_a_lane_needs_a_name() -> None:
    for name in ("", "a/b", "a#1"):
        with pytest.raises(ph.ConfigError, match="expected a lane's name"), ph.lane(name):
            pass


@given(st.permutations(range(12)))
def test_what_is_played_does_not_depend_on_the_order_in_which_it_is_asked_for(
    order: list[int],
) -> None:
    """Three lanes with four calls each, some of them equal. Within a lane the order is the run's own."""
    calls = [
        Interaction(
            request=Request("POST", "http://x.test/v1", (), b'{"q": %d}' % (n % 2)),
            lane=f"root/{n // 4}.t",
            status=200,
            chunks=(b"%d" % n,),
        )
        for n in range(12)
    ]
    opened = ph.open_tape(ph.Tape(tuple(calls)), mode="replay")
    turn = dict.fromkeys(range(3), 0)
    for n in order:
        lane, place = n // 4, turn[n // 4]
        turn[lane] += 1
        expected = calls[lane * 4 + place]
        played = opened.find(expected.lane, expected.request)
        assert played is expected
    by_digest = ph.open_tape(ph.Tape(tuple(calls)), mode="replay")
    answers = [by_digest.ask(calls[n].request) for n in order]
    assert sorted(a.body for a in answers if isinstance(a, Interaction)) == sorted(c.body for c in calls)
    for n, answer in zip(order, answers, strict=True):
        assert isinstance(answer, Interaction)
        assert answer.request == calls[n].request


def test_what_a_match_costs_does_not_grow_with_the_tape(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests are what costs. Of a request that is written as it was recorded none is made; of one that is not, one,
    and one of each recorded request once."""
    made: list[Request] = []

    def counting_digest(request: Request) -> str:
        made.append(request)
        return digest(request)

    monkeypatch.setattr(player, "digest", counting_digest)
    monkeypatch.setattr(index, "digest", counting_digest)
    for size in (10, 1000):
        calls = tuple(
            Interaction(request=Request("POST", "http://x.test/", (), b'{"a": %d, "b": 1}' % n), status=200)
            for n in range(size)
        )
        tape = ph.open_tape(ph.Tape(calls), mode="replay")
        made.clear()
        for call in reversed(calls[5:]):
            assert tape.ask(call.request) is call
        assert made == []
        for n, call in enumerate(calls[:5], 1):
            assert tape.ask(Request("POST", "http://x.test/", (), b'{"b":1,"a":%d}' % (n - 1))) is call
            assert len(made) == size + n


def test_what_happened_inside_a_tool_that_was_played_is_not_unplayed() -> None:
    inner = Script((None, tool_call("look", {}, "i1")), ("found",))

    def look() -> str:
        return "a thing"

    @ph.tool
    async def ask() -> str:
        return (await inner.agent(look).run("find it")).text

    recorded = Script((None, tool_call("ask", {}, "o1")), ("well",)).agent(ask).run_sync("go").tape
    with ph.open_tape(recorded, mode="replay") as tape:
        assert len(tape.unplayed()) == 6
        Script().agent(ask).run_sync("go")
        assert tape.unplayed() == ()
