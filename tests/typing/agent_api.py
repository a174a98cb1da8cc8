"""User code, checked by pyright in strict mode: agents, runs, events and results keep their types."""

from __future__ import annotations

from typing import assert_type

import playhead as ph


@ph.tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def look_up(word: str, ctx: ph.Context) -> str:
    """Look up a word."""
    return f"{word} in {ctx.lane}"


agent = ph.Agent(
    "openrouter:moonshotai/kimi-k2-0905",
    tools=[add, look_up],
    system="Be brief.",
    max_tokens=100,
    temperature=0.5,
    options={"provider": {"order": ["Groq"]}},
    settings={"seed": 1},
)
own = ph.Agent("m", provider=ph.Provider("mine", "http://127.0.0.1:1/v1", key_env=None, dialect=ph.Dialect()))


async def asynchronous() -> None:
    result = await agent.run("go", tape="t.jsonl", mode="auto", settings={"max_tokens": 5})
    assert_type(result, ph.RunResult)
    assert_type(result.text, str)
    assert_type(result.cost, float | None)
    assert_type(result.usage, ph.Usage)
    assert_type(result.usage.input_tokens, int | None)
    assert_type(result.messages, tuple[ph.Message, ...])
    assert_type(result.steps, tuple[ph.Step, ...])
    assert_type(result.tape, ph.Tape | None)
    async with agent.stream(["look", ph.MediaPart("image/png", b"")], messages=result.messages) as run:
        assert_type(run, ph.Run)
        async for event in run:
            match event:
                case ph.PartDelta(kind="text", delta=delta):
                    assert_type(delta, str)
                case ph.ToolEnd(result=tool_result, played=played):
                    assert_type(tool_result, ph.ToolResultPart)
                    assert_type(played, bool)
                case ph.MessageEnd(response=response):
                    assert_type(response.tool_calls, tuple[ph.ToolCallPart, ...])
                case _:
                    pass
    assert_type(run.result, ph.RunResult)


def synchronous() -> None:
    assert_type(agent.run_sync("go"), ph.RunResult)
    with agent.stream_sync("go", tape=ph.Tape(), mode="replay") as run:
        assert_type(run, ph.SyncRun)
        for event in run:
            if isinstance(event, ph.ToolStart):
                assert_type(event.call, ph.ToolCallPart)
    try:
        agent.run_sync("go")
    except ph.ProviderError as error:
        assert_type(error.retry_after, float | None)
        assert_type(error.run, ph.RunResult | None)
    ph.save_tape(ph.load_tape("a.yaml"), "b.jsonl")
