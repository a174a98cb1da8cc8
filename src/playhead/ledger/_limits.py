"""How much a run may take."""

from __future__ import annotations

import math
from typing import Any, Literal

import msgspec

from ..errors import ConfigError

_WHOLE = ("input_tokens", "output_tokens", "total_tokens", "steps", "tool_calls")

NAMES = ("input_tokens", "output_tokens", "total_tokens", "cost", "steps", "tool_calls", "seconds")
"""What can be limited, in the order in which it is looked at."""


class Limits(msgspec.Struct, frozen=True, omit_defaults=True):
    """How much a run may take. What is None has no limit.

    A call goes out as long as less than the limit has been used: the call itself may go beyond it. Tools run only if
    all calls of the step are within theirs.

    Args:
        input_tokens: of all attempts, cached ones included.
        output_tokens: of all attempts, reasoning included.
        total_tokens: both.
        cost: US dollars.
        steps: model calls, however many attempts each of them takes.
        tool_calls: tools that run.
        seconds: since the run began.
        unknown_cost: whether a limit on `cost` gives up (`refuse`) or goes on (`allow`) after an attempt whose cost
            nobody knows.

    Raises:
        ConfigError: a limit is not a positive number.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cost: float | None = None
    steps: int | None = None
    tool_calls: int | None = None
    seconds: float | None = None
    unknown_cost: Literal["refuse", "allow"] = "refuse"

    def __post_init__(self) -> None:
        for name in NAMES:
            value: Any = getattr(self, name)
            whole = name in _WHOLE
            fits = not isinstance(value, bool) and isinstance(value, int if whole else int | float)
            if value is not None and not (fits and value > 0 and math.isfinite(value)):
                kind = "a whole number above 0" if whole else "a number above 0"
                raise ConfigError(f"Limits({name}=...) should be {kind}, or None for no limit, but is {value!r}")
        if self.unknown_cost not in ("refuse", "allow"):
            raise ConfigError(f"Limits(unknown_cost=...) should be 'refuse' or 'allow', but is {self.unknown_cost!r}")
