# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""User code with dependencies, steering and limits, checked by pyright and mypy in strict mode. It is never run."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import assert_type

import playhead as ph


@dataclass
class Shop:
    """What tools need and no model sees."""

    prices: dict[str, int]


@ph.tool(effect="read")
def price(item: str, ctx: ph.Context[Shop]) -> int:
    """The price of an item."""
    assert_type(ctx.deps, Shop)
    assert_type(ctx.now(), dt.datetime)
    assert_type(ctx.random(), float)
    assert_type(ctx.messages, tuple[ph.Message, ...])
    ctx.progress("looking", 0.5)
    return ctx.deps.prices[item]


def instructions(ctx: ph.Context[Shop]) -> str:
    return f"There are {len(ctx.deps.prices)} things."


async def more_instructions(ctx: ph.Context[Shop]) -> str:
    return ctx.agent


def before_step(step: ph.NextStep[Shop]) -> ph.NextStep[Shop] | None:
    assert_type(step.deps, Shop)
    assert_type(step.state, ph.RunState[Shop])
    assert_type(step.state.cost, float | None)
    return step.replace(tools=("price",), tool_choice="required") if step.number == 0 else None


def long_enough(state: ph.RunState[Shop]) -> str | None:
    assert_type(state.so_far.messages, tuple[ph.Message, ...])
    return "it is enough" if state.steps > 3 else None


agent = ph.Agent(
    "m",
    tools=[price],
    system=["You keep a shop.", instructions, more_instructions],
    deps_type=Shop,
    before_step=before_step,
    stop_when=[ph.stop.steps(5), ph.stop.tool_called("price"), long_enough],
    limits=ph.Limits(cost=0.5, seconds=60),
    retry=ph.Retry(attempts=2),
    timeouts=ph.Timeouts(stall_s=5),
    fallbacks=["openai:gpt-5"],
    compaction=ph.Compaction(at_tokens=1000, function=lambda messages: messages[-2:]),
)
assert_type(agent, ph.Agent[Shop, str])


async def use() -> None:
    result = await agent.run("What does tea cost?", deps=Shop({}), budget=ph.Budget(ph.Limits(cost=1.0)))
    assert_type(result, ph.RunResult[str])
    assert_type(result.output, str)
    assert_type(result.ledger.cost, float | None)
    for attempt in result.ledger:
        assert_type(attempt, ph.Attempt)
    try:
        await agent.run("And coffee?", deps=Shop({}))
    except ph.LimitExceeded as error:
        assert_type(error.limit, str)
    await agent.run("Tea?", deps="tea")  # type: ignore[arg-type]


ph.Limits(dollars=3)  # type: ignore[call-arg]
ph.Agent("m", stop_when=[3])  # type: ignore[list-item]
