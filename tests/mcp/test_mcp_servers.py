"""Real servers, by stdio and by HTTP: what they give, how long they live, and what happens when they do not."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from server import PIXEL, http_server
from shops import KEY, Shop, call, is_alive, tools_of

import playhead.mcp
from playhead import MediaPart, MissingDependency, TextPart, TransportError, user
from playhead.mcp import ServerError, ToolFailed
from playhead.mcp._server import Server
from playhead.mcp._ways import Http
from playhead.tools import Context


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A server over stdio; no process of it may be left behind."""
    shop = Shop(tmp_path)
    yield shop
    assert shop.alive == []


@pytest.fixture(scope="module", params=["stdio", "http"])
def answers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """All that the server has to say, asked for once in each way."""
    shop = Shop(tmp_path_factory.mktemp("shop"))
    if request.param == "stdio":
        said = asyncio.run(everything(shop.server()))
        assert shop.alive == []
        return said
    with http_server(key=KEY) as url:
        return asyncio.run(everything(playhead.mcp.http(url, headers={"Authorization": f"Bearer {KEY}"})))


async def everything(server: Server) -> dict[str, Any]:
    """Ask for all of it."""
    said: dict[str, Any] = {"progress": []}
    async with server:
        tools = await tools_of(server)
        said["tools"] = {name: (tool.effect, tool.description) for name, tool in tools.items()}
        said["schema"] = tools["add"].parameters
        said["add"] = await call(tools, "add", a=2, b=3)
        said["picture"] = await call(tools, "picture")
        said["stock"] = await call(tools, "stock")
        context = Context(_progress=lambda message, fraction: said["progress"].append((message, fraction)))
        said["steps"] = await tools["steps"].invoke({}, context)
        with pytest.raises(ToolFailed) as failure:
            await call(tools, "fail", why="no milk")
        said["fail"] = str(failure.value)
        said["prompts"], said["prompt"] = await server.prompts(), await server.prompt("review", {"code": "x = 1"})
        said["resources"] = await server.resources()
        said["readme"], said["logo"] = await server.resource("shop://readme"), await server.resource("shop://logo")
        said["instructions"] = await server.instructions()
        with pytest.raises(ServerError, match="shop://nope"):
            await server.resource("shop://nope")
        await server.aclose()
    return said


def test_the_tools_are_those_that_the_server_lists(answers: Any) -> None:
    assert answers["tools"]["add"] == ("read", "Add two numbers.")
    assert answers["tools"]["count"][0] == "idempotent"
    assert answers["tools"]["slow"][0] == "once"
    assert "shop_die" in answers["tools"]
    assert set(answers["schema"]["properties"]) == {"a", "b"}


def test_a_result_is_text_and_media(answers: Any) -> None:
    assert answers["add"] == "5"
    assert answers["stock"] == 'Two kinds.\n{"apples":3,"pears":4}'
    *texts, image, document = answers["picture"]
    assert texts == ["a pixel", "the page", "more <shop://more>: what else there is"]
    assert image == MediaPart("image/png", PIXEL)
    assert document == MediaPart("application/pdf", b"%PDF", filename="b.pdf")


def test_progress_comes_while_the_tool_runs(answers: Any) -> None:
    assert answers["steps"] == "done"
    assert answers["progress"] == [("step 1", 1 / 3), ("step 2", 2 / 3), ("step 3", 1.0)]


def test_a_failure_has_the_servers_words(answers: Any) -> None:
    assert "no milk" in answers["fail"]


def test_prompts_are_messages_and_resources_are_parts(answers: Any) -> None:
    (prompt,) = answers["prompts"]
    assert (prompt.name, prompt.arguments[0].name, prompt.arguments[0].required) == ("review", "code", True)
    assert answers["prompt"] == (user("Review this: x = 1"),)
    assert [(it.uri, it.media_type) for it in answers["resources"]] == [
        ("shop://readme", "text/markdown"),
        ("shop://logo", "image/png"),
    ]
    assert answers["readme"] == (TextPart("# Shop"),)
    assert answers["logo"] == (MediaPart("image/png", PIXEL, filename="logo"),)
    assert answers["instructions"] == "Add with care."


def test_runs_at_once_share_a_process_that_ends_with_the_last_of_them(shop: Shop) -> None:
    async def main() -> None:
        server = shop.server()
        first, second = await asyncio.gather(tools_of(server), tools_of(server))
        said = await asyncio.gather(call(first, "count"), call(second, "count"))
        assert sorted(it.split()[0] for it in said) == ["1", "2"]
        await server.aclose()
        assert (await call(second, "count")).startswith("3 ")
        await server.aclose()
        assert shop.alive == []

    asyncio.run(main())
    assert len(shop.processes) == 1


def test_async_with_keeps_the_process_from_one_run_to_the_next(shop: Shop) -> None:
    async def main() -> None:
        async with shop.server() as server:
            for number in ("1", "2"):
                assert (await call(await tools_of(server), "count")).startswith(number)
                await server.aclose()
            assert len(shop.alive) == 1

    asyncio.run(main())
    assert len(shop.processes) == 1


def test_each_event_loop_has_a_process_and_one_that_was_forgotten_ends_with_its_loop(shop: Shop) -> None:
    server = shop.server()

    async def forgetful() -> str:
        return await call(await tools_of(server), "count")

    first, second = asyncio.run(forgetful()), asyncio.run(forgetful())
    assert first.startswith("1 ")
    assert second.startswith("1 ")
    assert len(set(shop.processes)) == 2


def test_threads_with_an_event_loop_each_use_a_server_at_the_same_time(shop: Shop) -> None:
    server, meeting = shop.server(), threading.Barrier(2, timeout=20)

    async def main() -> str:
        async with server:
            tools = await tools_of(server)
            await asyncio.to_thread(meeting.wait)
            said = await call(tools, "count")
            await server.aclose()
            return said

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: asyncio.run(main()), range(2))
    assert (first[:2], second[:2]) == ("1 ", "1 ")
    assert first != second


def test_nobody_holds_the_server_after_a_question_outside_of_runs(shop: Shop) -> None:
    async def main() -> None:
        await shop.server().prompts()
        assert shop.alive == []

    asyncio.run(main())
    assert len(shop.processes) == 1


def test_a_cancelled_call_is_cancelled_at_the_server_and_the_others_go_on(shop: Shop) -> None:
    async def main() -> None:
        server = shop.server()
        tools = await tools_of(server)
        task = asyncio.create_task(call(tools, "slow"))
        await shop.until("slow")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await shop.until("cancelled")
        assert await call(tools, "add", a=1, b=1) == "2"
        await server.aclose()

    asyncio.run(main())
    assert len(shop.processes) == 1


def test_a_server_that_dies_fails_its_calls_and_is_started_again_for_the_next(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        server = shop.server()
        tools = await tools_of(server)
        waiting = asyncio.create_task(call(tools, "slow"))
        await shop.until("slow")
        for doomed in (call(tools, "shop_die"), waiting):
            with pytest.raises(TransportError, match=r"the shop burns, and so does \[hidden\]") as failure:
                await doomed
            assert failure.value.kind == "disconnect"
        assert (await call(tools, "count")).startswith("1 ")
        await server.aclose()

    with caplog.at_level(logging.INFO, "playhead.mcp"):
        asyncio.run(main())
    assert len(shop.processes) == 2
    assert "shop: the shop opens with [hidden]" in caplog.messages
    assert KEY not in caplog.text


def test_what_a_server_writes_to_stderr_is_not_on_the_terminal(shop: Shop, capfd: pytest.CaptureFixture[str]) -> None:
    asyncio.run(shop.server().prompts())
    assert capfd.readouterr() == ("", "")


def test_a_command_that_is_not_there_says_so() -> None:
    with pytest.raises(TransportError, match=r"cannot be started: No such file.*on the PATH") as failure:
        asyncio.run(playhead.mcp.stdio("no-such-command-here").prompts())
    assert failure.value.kind == "connect"


def test_a_process_that_ends_at_once_is_quoted() -> None:
    server = playhead.mcp.stdio(sys.executable, "-c", "import sys; sys.exit('no key given')", name="broken")
    with pytest.raises(TransportError, match=r"ended before it had answered\. It said: no key given"):
        asyncio.run(tools_of(server))


UNRULY = """
import json, sys
print("welcome to the server", flush=True)
sys.stdout.buffer.write(bytes([0xFF, 0xFE, 10]))
sys.stdout.flush()
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    answer = {"error": {"code": -32601, "message": "what?"}}
    if asked["method"] == "initialize":
        told = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}}
        answer = {"result": {**told, "serverInfo": {"name": "unruly", "version": "1"}}}
    if asked["method"] == "tools/list":
        schema = {"type": "object"}
        answer = {"result": {"tools": [{"name": name, "inputSchema": schema} for name in "abc"]}}
    if asked["method"] == "tools/call":
        error = {"a": [-32000, "no milk"], "b": [-32001, "no such shelf"]}.get(asked["params"]["name"])
        answer = {"result": {"content": [{"type": "text", "text": "fine"}]}}
        if error:
            answer = {"error": dict(zip(["code", "message"], error))}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **answer}), flush=True)
"""


def test_what_is_no_message_on_stdout_is_passed_over_and_errors_are_not_taken_for_the_end() -> None:
    """Codes from -32000 on are every server's own, and also those of the package for what it notices itself."""

    async def main() -> None:
        async with playhead.mcp.stdio(sys.executable, "-c", UNRULY, name="unruly", timeout=20) as server:
            tools = await tools_of(server)
            with pytest.raises(ServerError, match="refused: no milk") as failure:
                await call(tools, "a")
            assert failure.value.code == -32000
            with pytest.raises(ServerError, match="refused: no such shelf"):
                await call(tools, "b")
            assert await call(tools, "c") == "fine"

    asyncio.run(main())


def test_a_process_that_never_answers_is_given_up_and_ended(tmp_path: Path) -> None:
    said = tmp_path / "pid"
    silent = "import os, sys, pathlib; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); sys.stdin.read()"
    server = playhead.mcp.stdio(sys.executable, "-c", silent, str(said), name="silent", timeout=1.0)
    with pytest.raises(TransportError, match=r"did not answer within 1 s") as failure:
        asyncio.run(tools_of(server))
    assert failure.value.kind == "timeout"
    assert not is_alive(int(said.read_text()))


def test_an_answer_that_takes_too_long_is_given_up_and_cancelled_at_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(tmp_path)
    monkeypatch.setenv("MCP_TEST_LOG", str(shop.log))

    async def main(url: str) -> None:
        async with playhead.mcp.http(url, timeout=1.0) as server:
            tools = await tools_of(server)
            with pytest.raises(TransportError, match=r"did not answer within 1 s") as failure:
                await call(tools, "slow")
            assert failure.value.kind == "timeout"
            await shop.until("cancelled")
            assert await call(tools, "add", a=1, b=1) == "2"

    with http_server() as url:
        asyncio.run(main(url))


def test_a_server_that_wants_a_key_says_so_and_one_that_is_away_cannot_be_reached() -> None:
    with http_server(key=KEY) as url, pytest.raises(ServerError, match=r"answered 401.*headers="):
        asyncio.run(playhead.mcp.http(url).prompts())
    with pytest.raises(TransportError, match="cannot be reached"):
        asyncio.run(playhead.mcp.http(url).prompts())


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_server_that_was_restarted_is_connected_to_again(mode: str) -> None:
    async def main() -> None:
        server = Server("shop", Http(url=url, mode=mode))
        tools = await tools_of(server)
        running.__exit__(None, None, None)
        with pytest.raises(TransportError):
            await call(tools, "add", a=1, b=2)
        with http_server(port=port):
            assert await call(tools, "add", a=1, b=2) == "3"
            await server.aclose()

    running = http_server()
    url = running.__enter__()
    port = int(url.split(":")[2].split("/")[0])
    asyncio.run(main())


def test_a_session_that_the_server_forgot_is_begun_anew_and_the_call_is_made() -> None:
    async def main() -> None:
        server = Server("shop", Http(url=url, mode="legacy"))
        tools = await tools_of(server)
        await asyncio.to_thread(running.__exit__, None, None, None)
        with http_server(port=port):
            assert await call(tools, "add", a=1, b=2) == "3"
            await server.aclose()

    running = http_server()
    url = running.__enter__()
    port = int(url.split(":")[2].split("/")[0])
    asyncio.run(main())


def test_without_the_package_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp.client.client", None)
    with pytest.raises(MissingDependency, match=r"pip install 'playhead\[mcp\]'"):
        asyncio.run(tools_of(playhead.mcp.stdio("anything")))


def test_importing_the_module_loads_neither_the_package_nor_an_http_client() -> None:
    import subprocess

    check = "import playhead.mcp, sys; print([m for m in ('mcp', 'pydantic', 'anyio', 'httpx2') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, env={**os.environ}, check=True
    )
    assert done.stdout.strip() == "[]"
