# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""User code, checked by pyright and mypy in strict mode: agents, runs, events and results keep their types."""

from __future__ import annotations

from typing import assert_never, assert_type

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


def every_event(event: ph.Event) -> str:  # noqa: C901 - there are so many
    """What follows the last case is never reached: a new event is an error here."""
    match event:
        case ph.MessageStart(model=model):
            assert_type(model, str)
        case ph.PartStart() | ph.PartDelta() | ph.PartEnd():
            assert_type(event.index, int)
        case ph.MessageEnd(response=response):
            assert_type(response.cost, float | None)
        case ph.ToolStart() | ph.ToolEnd():
            assert_type(event.call, ph.ToolCallPart)
        case ph.ToolProgress(fraction=fraction):
            assert_type(fraction, float | None)
        case ph.AttemptFailed(next_model=next_model):
            assert_type(next_model, str)
        case ph.StreamReset(reason=reason):
            assert_type(reason, str)
        case ph.OutputPartial():
            pass
        case ph.ApprovalNeeded(approval=approval):
            assert_type(approval, ph.Approval)
        case ph.HandedOff(target=target):
            assert_type(target, str)
        case ph.Compacted(after=after):
            assert_type(after, int)
        case ph.Nested(event=inner):
            assert_type(inner, ph.Event)
            return every_event(inner)
        case _:
            assert_never(event)
    return type(event).__name__


ph.Agent("m", retries=3)  # type: ignore[call-arg]
ph.Agent("m", tools=[3])  # type: ignore[list-item]
agent.run_sync(3)  # type: ignore[arg-type]
agent.run_sync("go", mode="sometimes")  # type: ignore[arg-type]
ph.Agnet("m")  # type: ignore[attr-defined]
