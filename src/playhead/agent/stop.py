"""Conditions under which a run ends well between two steps, for `Agent(stop_when=[...])`."""

from __future__ import annotations

from ..errors import ConfigError
from .steering import RunState, StopCondition


def steps(count: int) -> StopCondition:
    """After `count` steps.

    Raises:
        ConfigError: the count is not above 0.
    """
    _above_zero("steps", count)
    made = "1 step was made" if count == 1 else f"{count} steps were made"
    return lambda state: made if state.steps >= count else None


def tool_called(*names: str) -> StopCondition:
    """Once one of these tools was called, and all of its step's tools have run."""
    if not names:
        raise ConfigError("tool_called expects the name of a tool, but got none")

    def condition(state: RunState) -> str | None:
        last = state.so_far.steps[-1:]
        called = next((call.name for step in last for call in step.response.tool_calls if call.name in names), None)
        return f"tool {called} was called" if called else None

    return condition


def tokens(total: int) -> StopCondition:
    """Once `total` tokens were used, input and output together, as far as they are known."""
    _above_zero("tokens", total)

    def condition(state: RunState) -> str | None:
        used = (state.usage.input_tokens or 0) + (state.usage.output_tokens or 0)
        return f"{used} tokens were used" if used >= total else None

    return condition


def cost(dollars: float) -> StopCondition:
    """Once `dollars` (US) were spent, or nobody knows how much was."""
    _above_zero("cost", dollars)

    def condition(state: RunState) -> str | None:
        if state.cost is None:
            return "what was spent is not known"
        return f"${state.cost:.4f} were spent" if state.cost >= dollars else None

    return condition


def seconds(duration: float) -> StopCondition:
    """Once the run has taken `duration` seconds."""
    _above_zero("seconds", duration)

    def condition(state: RunState) -> str | None:
        taken = state.elapsed_s()
        return f"the run took {taken:.1f} s" if taken >= duration else None

    return condition


def _above_zero(what: str, value: float) -> None:
    if not value > 0:
        raise ConfigError(f"stop.{what} should be above 0, but is {value}")
