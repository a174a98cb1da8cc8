"""
What recording and matching cost.

    .venv/bin/python bench/recording.py

The first table is wall time on loopback: to the first byte of a stream, with a recorder in between and without, by
turns. A piece's time is what the tape says it is, held against what the server noted when it sent it. A busy machine
shows in these. The second table is processor time for a request, out of a tape of 10,000 interactions and of 10.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx2

import playhead as ph
from playhead.http import Request, Response
from playhead.serve.http import Server
from playhead.serve.proxy import RecordingProxy
from playhead.serve.tapes import TapeProvider
from playhead.tape.effects import Interaction, Tape
from playhead.tape.open import open_tape
from playhead.tape.player import Player
from playhead.transport.live import LiveTransport

ROUNDS = 20
PIECES = 20
GAP_S = 0.005
MANY, FEW = 10_000, 10
URL, TEXT = "https://api.test/v1/chat/completions", "word " * 400

SENT: list[float] = []
"""When the server sent each piece of its last answer."""


async def provider(request: Request) -> Response:
    """Streams text, a piece every few milliseconds, and notes when."""
    SENT.clear()

    async def pieces() -> AsyncIterator[bytes]:
        for n in range(PIECES):
            SENT.append(time.perf_counter())
            yield _event({"delta": {"content": f"word {n} "}})
            await asyncio.sleep(GAP_S)
        yield _event({"delta": {}, "finish_reason": "stop"}, usage={"prompt_tokens": 1, "completion_tokens": 1})
        yield b"data: [DONE]\n\n"

    return Response(200, (("Content-Type", "text/event-stream"),), pieces())


def _event(choice: dict, **more: object) -> bytes:
    return (
        b"data: "
        + json.dumps({"id": "r", "model": "m", "choices": [{"index": 0, **choice}], **more}).encode()
        + b"\n\n"
    )


async def first_byte(client: httpx2.AsyncClient, url: str) -> float:
    """Seconds to the first byte of a streamed answer's body."""
    began = time.perf_counter()
    async with client.stream("POST", f"{url}/v1/chat/completions", json={"model": "m", "stream": True}) as response:
        pieces = response.aiter_raw()
        await anext(pieces)
        seconds = time.perf_counter() - began
        async for _ in pieces:
            pass
    return seconds


async def first_event(url: str, tape: str | None) -> float:
    """Seconds to the first event of an agent's stream, recorded on a file or not."""
    agent = ph.Agent(f"compat:{url}/v1#m")
    began, seconds = time.perf_counter(), 0.0
    async with agent.stream("Hi", tape=tape, mode="record" if tape else "off") as run:
        async for _ in run:
            seconds = seconds or time.perf_counter() - began
    return seconds


async def turns(*sides: Callable[[], Awaitable[float]]) -> list[list[float]]:
    """The sides by turns, each once for nothing: connections are opened, modules loaded."""
    for side in sides:
        await side()
    rounds = [[await side() for side in sides] for _ in range(ROUNDS)]
    return [list(column) for column in zip(*rounds, strict=True)]


async def recording(folder: str) -> None:
    """First bytes, and the pieces' times."""
    live = LiveTransport()
    async with Server(provider) as server, httpx2.AsyncClient() as client:
        with open_tape(f"{folder}/proxy.jsonl", "record") as tape:
            async with Server(RecordingProxy(server.url, tape, live).answer) as proxy:
                direct, passed = await turns(
                    lambda: first_byte(client, server.url), lambda: first_byte(client, proxy.url)
                )
        await live.aclose()
        row("first byte, straight and through `record`", direct, passed)
        plain, recorded = await turns(
            lambda: first_event(server.url, None), lambda: first_event(server.url, f"{folder}/agent.jsonl")
        )
        row("first event of an agent, and recorded", plain, recorded)
        errors: list[float] = []
        for n in range(ROUNDS):
            await first_event(server.url, f"{folder}/times{n}.jsonl")
            errors += errors_of(f"{folder}/times{n}.jsonl")
        middle, most = statistics.median(errors) * 1e3, statistics.quantiles(errors, n=20)[-1] * 1e3
        print(
            f"{'error of a recorded piece, in time':44} {middle:6.2f} ms in the middle, 95 of 100 below {most:.2f} ms"
        )


def errors_of(path: str) -> list[float]:
    """How far recorded times are from those that the server noted, in seconds."""
    (call,) = ph.load_tape(path).interactions
    late = [at - sent for at, sent in zip(call.times or (), SENT, strict=False)]
    offset = statistics.median(late)  # The two clocks begin at different moments.
    return [abs(seconds - offset) for seconds in late]


def row(name: str, without: list[float], with_it: list[float]) -> None:
    """A line of medians."""
    a, b = statistics.median(without) * 1e3, statistics.median(with_it) * 1e3
    more = statistics.median(y - x for x, y in zip(without, with_it, strict=True)) * 1e3
    print(f"{name:44} {a:6.2f} ms  {b:6.2f} ms   {more:+.2f} ms")


def long_tape(count: int) -> Tape:
    """So many chat completions, each of about 2 KB."""
    asked = (Request("POST", URL, (), _body(n)) for n in range(count))
    return Tape(tuple(Interaction(request=request, status=200, chunks=(b"{}",)) for request in asked))


def _body(n: int, *, otherwise: bool = False) -> bytes:
    fields = {"model": "m", "messages": [{"role": "user", "content": f"{n} {TEXT}"}], "seed": n}
    return json.dumps(dict(reversed(fields.items())) if otherwise else fields).encode()


def matching(count: int, ask: Callable[[Player, Request], object], *, otherwise: bool) -> float:
    """Seconds of processor time for a request, out of `count`, until `MANY` were asked."""
    tape, total = long_tape(count), 0.0
    gc.collect()
    gc.disable()
    for _ in range(MANY // count):
        player = Player(tape, "bench")
        ask(player, Request("GET", "https://api.test/none"))  # Tables are made once.
        # New bytes each time: Python keeps the hash of those that it has seen.
        requests = [Request("POST", URL, (), _body(n, otherwise=otherwise)) for n in range(count)]
        start = time.process_time()
        for request in requests:
            assert ask(player, request) is not None
        total += time.process_time() - start
    gc.enable()
    return total / MANY


def by_place(player: Player, request: Request) -> object:
    """As a run's own calls are found."""
    return player.by_place("root", request) if request.body else None


def by_digest(player: Player, request: Request) -> object:
    """As others' clients are."""
    return player.by_digest(None, request)


async def serving(count: int) -> float:
    """Seconds of processor time for a request of a client that `serve` answers, without the sockets."""
    tape, total = long_tape(count), 0.0
    for _ in range(MANY // count):
        provider = TapeProvider([("bench", tape)])
        start = time.process_time()
        for n in range(count):
            request = Request("POST", "http://127.0.0.1:1/v1/chat/completions", (), _body(n))
            response = await provider.answer(request)
            await response.read()
            await response.aclose()
        total += time.process_time() - start
    return total / MANY


def compare(name: str, measure: Callable[[int], float]) -> None:
    """A line of a long tape beside a short one."""
    pairs = [(measure(FEW), measure(MANY)) for _ in range(3)]
    few, many = (statistics.median(side) * 1e6 for side in zip(*pairs, strict=True))
    print(f"{name:44} {few:6.1f} us  {many:6.1f} us   {statistics.median(b / a for a, b in pairs):.2f}x")


def main() -> None:
    """Measure, and print two tables."""
    import tempfile

    print(f"{'':44} {'without':>9}  {'with':>9}   more")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(recording(folder))
    print(f"\n{'':44} {f'of {FEW}':>9}  {f'of {MANY}':>9}")
    compare("a request by its place", lambda n: matching(n, by_place, otherwise=False))
    compare("a request by its digest, as it was written", lambda n: matching(n, by_digest, otherwise=False))
    compare("a request by its digest, written otherwise", lambda n: matching(n, by_digest, otherwise=True))
    compare("a request to `serve`, without sockets", lambda n: asyncio.run(serving(n)))


if __name__ == "__main__":
    main()
