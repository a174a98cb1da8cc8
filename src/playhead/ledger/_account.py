"""What is counted against one set of limits."""

from __future__ import annotations

from typing import Any

from ..errors import LimitExceeded
from ..messages import TOKEN_FIELDS, Usage
from ._attempt import Attempt
from ._limits import Limits

_UNITS = {
    "input_tokens": "input tokens",
    "output_tokens": "output tokens",
    "total_tokens": "tokens",
    "steps": "steps",
    "tool_calls": "tool calls",
    "seconds": "seconds",
}


class Account:
    """What is counted against one set of limits. Whoever uses it holds the lock of its meter.

    Args:
        limits: how much it allows.
        began_s: where in the time of the account above its own time begins; None where their times add up.

    Attributes:
        known: the tokens that are known.
        beside: budgets that count the same. Its own time adds up there.
    """

    def __init__(self, limits: Limits, began_s: float | None = None) -> None:
        self.limits = limits
        self.began_s = began_s
        self.beside: tuple[Account, ...] = ()
        self.attempts: list[Attempt] = []
        self.tokens = dict.fromkeys(("input_tokens", "output_tokens", "total_tokens"), 0)
        self.known = Usage()
        self.cost = 0.0
        self.unknown: Attempt | None = None
        self.steps = 0
        self.tool_calls = 0
        self.seconds = 0.0

    def count(self, attempt: Attempt) -> None:
        """Count what an attempt took."""
        self.attempts.append(attempt)
        if (usage := attempt.usage) is not None:
            self.known = known_sum(self.known, usage)
            given, made = usage.input_tokens or 0, usage.output_tokens or 0
            self.tokens["input_tokens"] += given
            self.tokens["output_tokens"] += made
            # Not every provider says the total, and not every total has all that was made.
            self.tokens["total_tokens"] += max(usage.total_tokens or 0, given + made)
        self.cost = round(self.cost + (attempt.cost or 0.0), 12)  # Ten times 0.1 is 1.
        if attempt.billable and (attempt.cost is None or attempt.partial):
            self.unknown = self.unknown or attempt

    def check_usage(self) -> None:
        """Whether there is something left of what calls use up: tokens, money, time.

        Raises:
            LimitExceeded: there is not, or nobody knows.
        """
        for name, used in self.tokens.items():
            self._check(name, used)
        allowed = self.limits.cost
        self._check("cost", self.cost)
        if allowed is not None and self.unknown is not None and self.limits.unknown_cost == "refuse":
            raise _cannot_hold(self.unknown, allowed)
        self._check("seconds", self.seconds)

    def check_step(self) -> None:
        """Whether there is a step left.

        Raises:
            LimitExceeded: there is none.
        """
        self._check("steps", self.steps)

    def check_tools(self, n: int) -> None:
        """Whether there is time left, and so many tool calls.

        Raises:
            LimitExceeded: there is not.
        """
        self._check("seconds", self.seconds)
        allowed = self.limits.tool_calls
        if allowed is not None and self.tool_calls + n > allowed:
            raise _exceeded("tool_calls", self.tool_calls, allowed, n)

    def _check(self, name: str, used: float) -> None:
        allowed = getattr(self.limits, name)
        if allowed is not None and used >= allowed:
            raise _exceeded(name, used, allowed)


def known_sum(one: Usage, other: Usage) -> Usage:
    """The sum of what is known: of a count that only one of them has, that one."""
    counts: dict[str, Any] = {name: _either(getattr(one, name), getattr(other, name)) for name in TOKEN_FIELDS}
    return Usage(**counts)


def _either(a: int | None, b: int | None) -> int | None:
    return a if b is None else b if a is None else a + b


def _exceeded(name: str, used: float, allowed: float, more: int = 0) -> LimitExceeded:
    if name == "cost":
        said = f"${used:.6f} of ${allowed:g} are used up"
    else:
        said = f"{_number(used)} of {_number(allowed)} {_UNITS[name]} are used up"
    asked = f", and the step asks for {more}" if more else ""
    return LimitExceeded(
        f"{said}{asked}. The next call was not made. Raise Limits({name}=...) if that is meant; the run so far "
        "is in `error.run`.",
        limit=name,
        allowed=allowed,
        used=used,
        brief=f"{said}{asked}",
    )


def _cannot_hold(attempt: Attempt, allowed: float) -> LimitExceeded:
    who = f"model {attempt.model!r} by provider {attempt.provider!r}"
    if attempt.served_by:
        who += f", served by {attempt.served_by!r},"
    if attempt.outcome != "whole" and (attempt.usage is None or attempt.partial):
        why = f"an answer of {who} broke off ({attempt.outcome}) before it said what it cost"
        way = "Limits(cost=..., unknown_cost='allow') goes on with what is known."
    else:
        why = f"the cost of {who} is unknown: the provider does not report it, and no price table has it"
        way = (
            "Install the price table (pip install 'playhead[prices]'), use a provider that reports costs, or go "
            "on with what is known by Limits(cost=..., unknown_cost='allow')."
        )
    return LimitExceeded(
        f"the limit of ${allowed:g} cannot be held: {why}. The next call was not made. {way}",
        limit="cost",
        allowed=allowed,
    )


def _number(value: float) -> str:
    return f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else f"{value:,}"
