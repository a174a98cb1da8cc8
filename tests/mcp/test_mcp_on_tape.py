"""MCP servers and the tape: what a server said is played, and a replay starts no process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from shops import KEY, Shop

import playhead as ph
from chatwire import Script, tool_call
from playhead.tape.effects import ToolRun
from playhead.tape.forking import fork_file
from playhead.tape.playhead import Playhead


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A server over stdio; no process of it may be left behind."""
    shop = Shop(tmp_path)
    yield shop
    assert shop.alive == []


def script() -> Script:
    """A model that adds, and says how that went."""
    return Script((None, tool_call("add", {"a": 2, "b": 3}, "c1")), ("Five.",))


async def texts(server: ph.mcp.Server) -> list[Any]:
    """Prompts and resources, some of them twice."""
    return [
        await server.prompts(),
        await server.prompt("review", {"code": "x"}),
        await server.prompt("review", {"code": "y"}),
        await server.resources(),
        await server.resource("shop://readme"),
        await server.resource("shop://logo"),
        await server.resource("shop://readme"),
        await server.instructions(),
    ]


def test_the_list_of_tools_is_on_the_tape_and_a_replay_starts_no_process(shop: Shop, tmp_path: Path) -> None:
    async def main(mode: Any) -> list[Any]:
        with ph.open_tape(tmp_path / "t.jsonl", mode=mode) as tape:
            server = shop.server()
            tools = await server.tools(Playhead(tape, None).read)
            await server.aclose()
            return [(tool.spec, tool.effect) for tool in tools]

    live = asyncio.run(main("record"))
    assert asyncio.run(main("replay")) == live
    assert len(shop.processes) == 1
    assert KEY.encode() not in (tmp_path / "t.jsonl").read_bytes()


def test_prompts_and_resources_of_an_open_tape_are_played_in_the_order_in_which_they_were_read(
    shop: Shop, tmp_path: Path
) -> None:
    async def main(mode: Any) -> list[Any]:
        with ph.open_tape(tmp_path / "t.jsonl", mode=mode):
            async with shop.server() as server:
                return await texts(server)

    live = asyncio.run(main("record"))
    assert asyncio.run(main("replay")) == live
    assert len(shop.processes) == 1
    assert shop.words.count("readme") == 2


def test_a_prompt_with_other_arguments_is_not_played_for_this_one(shop: Shop, tmp_path: Path) -> None:
    async def main(mode: Any, code: str) -> Any:
        with ph.open_tape(tmp_path / "t.jsonl", mode=mode):
            return await shop.server().prompt("review", {"code": code})

    asyncio.run(main("record", "x"))
    with pytest.raises(ph.Divergence, match=r"mcp\.shop\.prompt\.review"):
        asyncio.run(main("replay", "y"))
    assert asyncio.run(main("resume", "y")) == (ph.user("Review this: y"),)


def test_prompts_are_read_in_the_lane_of_whoever_asks(shop: Shop, tmp_path: Path) -> None:
    async def main(mode: Any, codes: list[str]) -> list[Any]:
        async def part(code: str) -> Any:
            with ph.lane(code):
                return code, await server.prompt("review", {"code": "same"}), await server.resource("shop://readme")

        with ph.open_tape(tmp_path / "t.jsonl", mode=mode):
            async with shop.server() as server:
                return sorted(await asyncio.gather(*(part(code) for code in codes)))

    live = asyncio.run(main("record", ["a", "b"]))
    assert asyncio.run(main("replay", ["b", "a"])) == live


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_run_uses_a_servers_tools_and_its_replay_needs_no_server(
    shop: Shop, tmp_path: Path, streamed: bool
) -> None:
    def run(mode: Any, model: Script) -> ph.RunResult:
        agent = model.agent(shop.server(tools=["add"]))
        if not streamed:
            return agent.run_sync("2 + 3?", tape=tmp_path / "t.jsonl", mode=mode)
        with agent.stream_sync("2 + 3?", tape=tmp_path / "t.jsonl", mode=mode) as events:
            return events.finish()

    live = run("record", script())
    assert shop.alive == []
    played = run("replay", Script())
    assert live.text == played.text == "Five."
    assert live.messages == played.messages
    parts = [part for message in live.messages for part in message.parts]
    assert [part.text for part in parts if isinstance(part, ph.ToolResultPart)] == ["5"]
    assert len(shop.processes) == 1


def test_a_resumed_run_asks_the_server_for_nothing_that_is_on_the_tape(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    script().agent(shop.server()).run_sync("2 + 3?", tape=path)
    lines = path.read_bytes().splitlines(keepends=True)
    end = next(n for n, line in enumerate(lines) if b'"tool.end"' in line) + 1
    path.write_bytes(b"".join(lines[:end]))
    result = Script(("Five.",)).agent(shop.server()).run_sync("2 + 3?", tape=path)
    assert result.text == "Five."
    assert shop.words.count("add") == 1
    assert len(shop.processes) == 1


def test_a_call_that_was_cut_down_is_made_again_with_the_tools_of_the_tape(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    script().agent(shop.server()).run_sync("2 + 3?", tape=path)
    lines = path.read_bytes().splitlines(keepends=True)
    end = next(n for n, line in enumerate(lines) if b'"tool.start"' in line) + 1
    path.write_bytes(b"".join(lines[:end]))
    assert Script(("Five.",)).agent(shop.server()).run_sync("2 + 3?", tape=path).text == "Five."
    assert shop.words.count("add") == 2
    assert shop.alive == []


def test_a_run_that_is_cancelled_cancels_the_servers_work_and_leaves_no_process(shop: Shop, tmp_path: Path) -> None:
    async def main() -> None:
        agent = Script((None, tool_call("slow", {}, "c1"))).agent(shop.server())
        run = asyncio.create_task(agent.run("Take your time.", tape=tmp_path / "t.jsonl"))
        await shop.until("slow")
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    asyncio.run(main())
    assert "cancelled" in shop.words


def test_progress_of_a_server_is_an_event_live_and_played(shop: Shop, tmp_path: Path) -> None:
    def told(mode: Any, model: Script) -> list[Any]:
        agent = model.agent(shop.server())
        with agent.stream_sync("go", tape=tmp_path / "t.jsonl", mode=mode) as events:
            return [(event.message, event.fraction) for event in events if isinstance(event, ph.ToolProgress)]

    live = told("record", Script((None, tool_call("steps", {}, "c1")), ("Done.",)))
    assert live == [("step 1", 1 / 3), ("step 2", 2 / 3), ("step 3", 1.0)]
    assert told("replay", Script()) == live


def test_a_server_that_cannot_be_reached_stops_the_run_before_the_model_is_asked(tmp_path: Path) -> None:
    model = Script(("Hello.",))
    with pytest.raises(ph.TransportError, match="cannot be started"):
        model.agent(ph.mcp.stdio("no-such-command-here")).run_sync("go", tape=tmp_path / "t.jsonl")
    assert model.requests == []


def test_a_fork_calls_the_server_anew_with_the_tools_of_the_tape(shop: Shop, tmp_path: Path) -> None:
    parent, child = tmp_path / "t.jsonl", tmp_path / "f.jsonl"
    tape = script().agent(shop.server()).run_sync("2 + 3?", tape=parent).tape
    assert tape is not None
    tool = next(n for n, effect in enumerate(tape.effects) if isinstance(effect, ToolRun))
    fork_file(parent, child, tool)
    assert Script(("Five again.",)).agent(shop.server()).run_sync("2 + 3?", tape=child).text == "Five again."
    assert shop.words.count("add") == 2
    assert [reading.name for reading in ph.load_tape(child).readings].count("mcp.shop.tools") == 1


def test_runs_at_once_share_a_servers_process_and_what_it_remembers(shop: Shop, tmp_path: Path) -> None:
    async def main() -> list[ph.RunResult]:
        server = shop.server()
        models = [Script((None, tool_call("count", {}, "c1")), ("Done.",)) for _ in range(4)]
        return await asyncio.gather(
            *(model.agent(server).run("go", tape=tmp_path / f"{n}.jsonl") for n, model in enumerate(models))
        )

    results = asyncio.run(main())
    parts = [part for result in results for message in result.messages for part in message.parts]
    assert sorted(part.text[0] for part in parts if isinstance(part, ph.ToolResultPart)) == ["1", "2", "3", "4"]
    assert len(shop.processes) == 1


def _asking(model: Script, shop: Shop) -> ph.Agent:
    """An agent whose own functions ask the server."""
    server = shop.server()

    async def system(ctx: ph.Context) -> str:
        return await server.instructions()

    async def before_step(step: ph.NextStep[Any]) -> ph.NextStep[Any]:
        readme = await server.resource("shop://readme")
        return step.replace(messages=(*step.messages, ph.user(readme)))

    async def enough(state: ph.RunState[Any]) -> bool:
        return not await server.prompts()

    return model.agent(server, system=system, before_step=before_step, stop_when=[enough])


def test_what_the_functions_of_an_agent_ask_a_server_is_on_the_tape(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    live = _asking(script(), shop).run_sync("2 + 3?", tape=path)
    assert live.messages[0].text == "Add with care."
    assert len(shop.processes) == 1
    assert _asking(Script(), shop).run_sync("2 + 3?", tape=path, mode="replay").messages == live.messages
    lines = path.read_bytes().splitlines(keepends=True)
    end = max(n for n, line in enumerate(lines) if b'"mcp.shop.' in line) + 1
    path.write_bytes(b"".join(lines[:end]))
    assert _asking(Script(("Five.",)), shop).run_sync("2 + 3?", tape=path).messages == live.messages
    assert len(shop.processes) == 1


def test_two_servers_with_a_tool_of_the_same_name_are_told_apart_by_a_prefix(shop: Shop, tmp_path: Path) -> None:
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    with pytest.raises(ph.ConfigError, match=r"the same name: add.*prefix="):
        Script().agent(add, shop.server()).run_sync("2 + 3?")
    assert shop.alive == []


def test_a_run_that_is_cancelled_again_while_it_closes_leaves_no_process_and_no_locked_tape(
    shop: Shop, tmp_path: Path
) -> None:
    """A process is given time to end; whoever does not wait for that must not be left with it."""

    async def main() -> None:
        servers = [shop.server(prefix="a_"), shop.server(prefix="b_")]
        servers[0].name, servers[1].name = "one", "two"
        model = Script((None, tool_call("b_slow", {}, "c1")))
        run = asyncio.create_task(model.agent(*servers).run("Take your time.", tape=tmp_path / "t.jsonl"))
        await shop.until("slow")
        run.cancel()
        await asyncio.sleep(0.01)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        while shop.alive:  # The event loop goes on, and so would they.
            await asyncio.sleep(0.01)
        assert (await Script(("Hi.",)).agent().run("hi", tape=tmp_path / "t.jsonl", mode="record")).text == "Hi."

    asyncio.run(asyncio.wait_for(main(), 30))


class Clumsy:
    """A source of tools that cannot be closed."""

    def __init__(self, name: str, closed: list[str]) -> None:
        self.name = name
        self._closed = closed

    async def tools(self, read: Any) -> list[Any]:
        """None."""
        return []

    async def aclose(self) -> None:
        """Fail."""
        self._closed.append(self.name)
        raise OSError(f"{self.name} is stuck")


def test_a_source_of_tools_that_cannot_be_closed_hides_no_error_and_keeps_no_other_open(tmp_path: Path) -> None:
    closed: list[str] = []
    model = Script(ph.TransportError("no way out", kind="connect"))
    with pytest.raises(ph.TransportError, match="no way out") as failure:
        model.agent(Clumsy("a", closed), Clumsy("b", closed)).run_sync("go", tape=tmp_path / "t.jsonl")  # type: ignore[arg-type]
    assert closed == ["b", "a"]
    assert any("is stuck" in note for note in failure.value.__notes__)
    assert failure.value.run.messages  # type: ignore[attr-defined]
    assert Script(("Hi.",)).agent().run_sync("hi", tape=tmp_path / "t.jsonl", mode="record").text == "Hi."


def test_a_key_that_a_server_says_is_neither_on_the_tape_nor_told_the_model(shop: Shop, tmp_path: Path) -> None:
    model = Script((None, tool_call("tell", {}, "c1"), tool_call("fail", {"why": KEY}, "c2")), ("Done.",))
    result = model.agent(shop.server()).run_sync("go", tape=tmp_path / "t.jsonl")
    parts = [
        part.text for message in result.messages for part in message.parts if isinstance(part, ph.ToolResultPart)
    ]
    assert parts[0] == "the key is [hidden]"
    assert KEY not in parts[1]
    assert "[hidden]" in parts[1]
    played = Script().agent(shop.server()).run_sync("go", tape=tmp_path / "t.jsonl", mode="replay")
    assert played.messages == result.messages
