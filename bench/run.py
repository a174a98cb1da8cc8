"""
How fast Playhead is, beside what people use now, in the same run.

    make bench

Processor time, not wall time, and the two sides take turns: these figures are ratios, so that a busy machine changes
them little. Medians of `ROUNDS`.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx2
import openai

import playhead as ph
from playhead.http import Request
from playhead.serve.demo import demo_tape
from playhead.wire.openai_chat import Decoder

ROUNDS = 9


def chat_stream(events: int) -> bytes:
    """A stream of so many text events, as OpenRouter sends them."""
    chunk: dict[str, Any] = {
        "id": "gen-1",
        "provider": "Together",
        "model": "moonshotai/kimi-k2-0905",
        "object": "chat.completion.chunk",
        "created": 1758539206,
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": " word"}, "finish_reason": None}],
    }
    last = {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    usage = {**chunk, "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": events, "total_tokens": 9}}
    lines = [json.dumps(part) for part in [chunk] * events + [last, usage]] + ["[DONE]"]
    return "".join(f"data: {line}\n\n" for line in lines).encode()


STREAM = chat_stream(500)
PIECES = [event + b"\n\n" for event in STREAM.split(b"\n\n") if event]


def ours_decodes() -> None:
    """Every event of a stream, as typed events, and the whole message at the end."""
    decoder = Decoder()
    for piece in PIECES:
        decoder.feed(piece)
    decoder.close()


def openai_decodes() -> None:
    """The same with the official package, its network in memory."""
    for _ in CLIENT.chat.completions.create(model="m", messages=[], stream=True):
        pass


class Canned(httpx2.BaseTransport):
    """Answers with the same stream every time."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=iter(PIECES))


CLIENT = openai.OpenAI(api_key="k", base_url="http://x/v1", http_client=httpx2.Client(transport=Canned()))


def run_is_played() -> None:
    """A whole run from its tape: two streamed steps and two tools."""
    with AGENT.stream_sync(PROMPT, tape=TAPE, mode="replay") as run:
        run.finish()


def openai_plays_two_steps() -> None:
    """The two streams of that run through the official package, without tools, tape or loop."""
    for step in STEPS:
        client = openai.OpenAI(api_key="k", base_url="http://x/v1", http_client=httpx2.Client(transport=Step(step)))
        for _ in client.chat.completions.create(model="m", messages=[], stream=True):
            pass


class Step(httpx2.BaseTransport):
    """Answers with one recorded step."""

    def __init__(self, pieces: tuple[bytes, ...]) -> None:
        self._pieces = pieces

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=iter(self._pieces))


@ph.tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@ph.tool
def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


PROMPT = "Add and multiply the number 2 and 3"
AGENT = ph.Agent("demo", tools=[add, multiply])


def recorded() -> ph.Tape:
    """The demo's run, recorded without waiting."""
    from playhead.serve.demo import answer

    class AtOnce:
        async def send(self, request: Request) -> Any:
            return await answer(request, None)

        async def aclose(self) -> None:
            pass

    with ph.Agent("demo", tools=[add, multiply], transport=AtOnce()).stream_sync(PROMPT) as run:
        tape = run.finish().tape
    assert tape is not None
    return tape


TAPE = recorded()
STEPS = [call.chunks for call in demo_tape().interactions]


def importing(code: str) -> Callable[[], float]:
    """Measures a fresh interpreter that runs `code`, without what the interpreter itself takes."""
    program = f"import time; start = time.process_time(); {code}; print(time.process_time() - start)"

    def measure() -> float:
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        return float(done.stdout)

    return measure


def timed(work: Callable[[], None], times: int) -> Callable[[], float]:
    """Measures `work`, done so many times in a row."""

    def measure() -> float:
        start = time.process_time()
        for _ in range(times):
            work()
        return (time.process_time() - start) / times

    return measure


def main() -> None:
    """Measure, and print one table."""
    n = len(PIECES)
    rows = [
        ("decode an event of a stream", timed(ours_decodes, 20), timed(openai_decodes, 2), n, "openai"),
        ("play a run of two steps", timed(run_is_played, 20), timed(openai_plays_two_steps, 2), 1, "openai, no loop"),
        (
            "import, ready to make an agent",
            importing("import playhead; playhead.Agent"),
            importing("import openai; openai.OpenAI(api_key='k')"),
            1,
            "openai",
        ),
    ]
    print(f"{'':32} {'playhead':>12} {'peer':>12}   ratio  peer")
    for name, ours, theirs, per, peer in rows:
        ours(), theirs()  # Once for nothing: caches fill, lazy imports happen.
        pairs = [(ours(), theirs()) for _ in range(ROUNDS)]
        mine, other = (statistics.median(side) / per * 1e6 for side in zip(*pairs, strict=True))
        ratio = statistics.median(b / a for a, b in pairs)
        print(f"{name:32} {mine:9.1f} us {other:9.1f} us  {ratio:5.1f}x  {peer}")


if __name__ == "__main__":
    main()
