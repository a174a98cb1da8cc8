"""The live path over real sockets, with the official `openai` package as a second client."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest

import playhead as ph
from chatwire import JSON, SSE, message, stream, tool_call
from conftest import shared_tape
from playhead.http import Request, Response
from playhead.serve.http import Abort, Server, ThreadedServer
from playhead.tape.playing import play
from playhead.transport.memory import respond
from scenarios import BOTH, HELPFUL, SUM, add, multiply


class Provider:
    """A server that plays a tape's responses one after the other, and keeps what was asked."""

    def __init__(self, tape: ph.Tape) -> None:
        self.requests: list[Request] = []
        self._calls = list(tape.interactions)

    async def answer(self, request: Request) -> Response:
        call = self._calls[len(self.requests)]
        self.requests.append(request)
        return await play(call)


SYSTEM = f"{HELPFUL}. {BOTH}."


def test_the_seed_runs_over_a_real_socket_and_is_recorded_byte_for_byte(tmp_path: Path) -> None:
    seed = ph.load_tape(shared_tape("seed/openrouter-kimi-k2.yaml"))
    provider = Provider(seed)
    with ThreadedServer(provider.answer) as server:
        agent = ph.Agent(
            "openrouter:moonshotai/kimi-k2-0905",
            tools=[add, multiply],
            system=SYSTEM,
            base_url=f"{server.url}/api/v1",
            api_key="secret",
        )
        with agent.stream_sync(SUM, tape=tmp_path / "t.yaml") as run:
            result = run.finish()
    assert (result.usage.input_tokens, result.usage.output_tokens) == (617, 83)
    assert [json.loads(r.body) for r in provider.requests] == [json.loads(c.request.body) for c in seed.interactions]
    recorded = ph.load_tape(tmp_path / "t.yaml")
    assert [call.body for call in recorded.interactions] == [call.body for call in seed.interactions]
    sent = {name.lower(): value for name, value in provider.requests[0].headers}
    assert sent["authorization"] == "Bearer secret"
    assert sent["user-agent"].startswith("playhead/")
    assert b"secret" not in (tmp_path / "t.yaml").read_bytes()


def test_the_official_client_gets_the_same_bytes_and_reads_the_same_from_them() -> None:
    seed = ph.load_tape(shared_tape("seed/openrouter-kimi-k2.yaml"))
    provider = Provider(seed)
    with ThreadedServer(provider.answer) as server:
        client = openai.OpenAI(base_url=f"{server.url}/api/v1", api_key="k", max_retries=0)
        first = json.loads(seed.interactions[0].request.body)
        usage = first.pop("usage")
        with client.chat.completions.create(**first, extra_body={"usage": usage}) as chunks:
            text, cost = "", None
            for chunk in chunks:
                text += chunk.choices[0].delta.content or "" if chunk.choices else ""
                cost = getattr(chunk.usage, "cost", cost)
        with client.chat.completions.with_streaming_response.create(**first) as raw:
            body = raw.read()
        client.close()
    assert text == "I'll perform both operations with the numbers 2 and 3."
    assert cost == 0.00038
    assert body == seed.interactions[1].body
    assert json.loads(provider.requests[0].body) == {**first, "usage": usage}


def test_pieces_are_heard_as_they_are_sent() -> None:
    async def main() -> None:
        heard = asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            *first, last = stream("one two")
            yield b"".join(first[:2])
            await heard.wait()  # The rest is sent only when the first word has been heard.
            yield b"".join(first[2:])
            yield last

        async def handler(_: Request) -> Response:
            return Response(200, SSE, body())

        async with asyncio.timeout(10), Server(handler) as server:
            async with ph.Agent(f"compat:{server.url}/v1#m").stream("go") as run:
                async for event in run:
                    if isinstance(event, ph.PartDelta):
                        heard.set()
            assert run.result.text == "onetwo"

    asyncio.run(main())


def test_a_connection_cut_at_any_piece_is_a_truncated_stream() -> None:
    whole = stream("one two", tool_call("add", {"a": 1, "b": 2}))

    async def main() -> None:
        cut_after = 0

        async def body() -> AsyncIterator[bytes]:
            for piece in whole[:cut_after]:
                yield piece
            raise Abort

        async def handler(_: Request) -> Response:
            return Response(200, SSE, body())

        async with Server(handler) as server:
            agent = ph.Agent(f"compat:{server.url}/v1#m", tools=[add])
            for pieces in range(len(whole)):
                cut_after = pieces
                with pytest.raises(ph.TruncatedStream) as caught:
                    async with agent.stream("go") as run:
                        await run.finish()
                assert caught.value.run is not None
                assert caught.value.run.tape is not None
                assert caught.value.run.tape.interactions[0].ended == "failed"

    asyncio.run(main())


def test_a_body_that_ends_cleanly_before_the_answer_does_is_a_truncated_stream() -> None:
    whole = b"".join(stream("one two"))

    async def handler(_: Request) -> Response:
        return respond(200, whole[: len(whole) // 2], SSE)

    with ThreadedServer(handler) as server, pytest.raises(ph.TruncatedStream, match="Asking again may help"):
        ph.Agent(f"compat:{server.url}/v1#m").run_sync("go")


def test_leaving_early_closes_the_connection_so_that_the_provider_notices() -> None:
    async def main() -> None:
        noticed = asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            try:
                yield b"".join(stream("one")[:2])
                await asyncio.Event().wait()
            finally:
                noticed.set()

        async def handler(_: Request) -> Response:
            return Response(200, SSE, body())

        async with asyncio.timeout(10), Server(handler) as server:
            async with ph.Agent(f"compat:{server.url}/v1#m").stream("go") as run:
                async for event in run:
                    if isinstance(event, ph.PartDelta):
                        break
            await noticed.wait()

    asyncio.run(main())


def test_nobody_listening_is_a_clear_error_that_is_on_the_tape(tmp_path: Path) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        agent = ph.Agent(f"compat:http://127.0.0.1:{port}/v1#m")
        with pytest.raises(ph.TransportError, match=rf"127\.0\.0\.1:{port}"):
            agent.run_sync("go", tape=tmp_path / "t.jsonl")
        with pytest.raises(ph.TransportError, match=rf"127\.0\.0\.1:{port}"):
            agent.run_sync("go", tape=tmp_path / "t.jsonl", mode="replay")


def test_both_steps_of_a_run_go_over_one_connection() -> None:
    bodies = [message(None, tool_call("add", {"a": 1, "b": 2})), message("3")]

    async def handler(_: Request) -> Response:
        return respond(200, json.dumps(bodies.pop(0)).encode(), JSON)

    async def main() -> int:
        async with Server(handler) as server:
            await ph.Agent(f"compat:{server.url}/v1#m", tools=[add]).run("go")
            return server.connections

    assert asyncio.run(main()) == 1


def test_many_runs_of_one_agent_at_the_same_time_keep_apart() -> None:
    async def handler(request: Request) -> Response:
        prompt = json.loads(request.body)["messages"][0]["content"]
        return respond(200, stream(f"{prompt} heard"), SSE)

    async def main() -> list[str]:
        async with Server(handler) as server:
            agent = ph.Agent(f"compat:{server.url}/v1#m")
            results = await asyncio.gather(*(agent.run(f"n{n}") for n in range(30)))
            return [result.text for result in results]

    assert asyncio.run(main()) == [f"n{n}heard" for n in range(30)]


def test_the_demos_provider_says_what_it_is_and_where_results_differ() -> None:
    from playhead.serve.demo import DemoTransport

    @ph.tool(name="add")
    def wrong(a: int, b: int) -> int:
        return a - b

    async def main() -> Any:
        transport = DemoTransport(speed=None)
        try:
            return await ph.Agent("demo", tools=[wrong, multiply], transport=transport).run(SUM)
        finally:
            await transport.aclose()

    result = asyncio.run(main())
    first, second = (step.response.headers for step in result.steps)
    assert first["playhead-recorded"].startswith("2026-")
    assert json.loads(second["playhead-differs"]) == {"add": {"recorded": "5", "yours": "-1"}}
    assert "playhead-differs" not in first
    assert result.text == "The function results are 5 and 6."
