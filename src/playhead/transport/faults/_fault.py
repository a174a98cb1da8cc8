"""What can go wrong, and which calls it strikes, as values."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from ...errors import ConfigError
from ...http import Request

Name: TypeAlias = Literal["connect", "cut", "stall", "duplicate", "truncate"]
Kind: TypeAlias = Name | int

TOOL_CALL = "tool-call"

OPTIONS: dict[str, tuple[str, ...]] = {
    "status": ("retry_after",),
    "connect": (),
    "cut": ("after", "within"),
    "stall": ("seconds", "after"),
    "duplicate": ("event",),
    "truncate": ("after",),
}
"""By a fault's name, the options that it has; a status counts as `status`."""

CONDITIONS = ("call", "every", "times", "path", "model")

_LEAST = {"retry_after": 0, "after": 0, "seconds": 0, "event": 1, "call": 1, "every": 1, "times": 1}


def spelled(field: str) -> str:
    """How an option is called in the text form."""
    return "in" if field == "within" else field.replace("_", "-")


def _check_numbers(name: str, values: dict[str, object]) -> None:
    """See that numbers are not below what makes sense.

    Raises:
        ConfigError: one is.
    """
    for field, least in _LEAST.items():
        value = values.get(field)
        if isinstance(value, int | float) and not (least <= value < math.inf):
            raise ConfigError(f"{spelled(field)} of the fault {name!r} should be {least} or more, but is {value!r}")


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong with a call, and with which calls.

    Args:
        kind: a status from 400 to 599: the provider is not reached, and this is the answer.
            `connect`: there is no connection.
            `cut`: the connection is cut in the middle of the body.
            `stall`: nothing comes for some time in the middle of the body.
            `duplicate`: an event of the stream comes twice.
            `truncate`: the body ends early, and in order.
        retry_after: (a status) seconds that the client is told to wait; 1 for 429, else nothing is told.
        after: (`cut`, `stall`, `truncate`) bytes of the body that come before; a shorter body is not struck. Left
            out: `cut` and `stall` strike behind the first event of a stream; another body is cut in the middle of its
            first piece, and stalls behind it. `truncate` ends a stream in the middle of its last event, and another
            body in the middle.
        within: (`cut`) `tool-call` cuts inside the arguments of the first tool call. A body without is not struck.
        seconds: (`stall`) how long; None is until the reader leaves.
        event: (`duplicate`) which of the stream's events comes twice, from 1; None is the first that adds something
            to the answer.
        call: strikes this call only, from 1. Calls are counted among those that `path` and `model` let pass.
        every: strikes each call whose number divides by it.
        times: strikes so often at most; None is without end.
        path: strikes calls with this in their URL's path.
        model: strikes calls whose JSON body asks for this model.

    Raises:
        ConfigError: there is no such fault, or it has no such option.
    """

    kind: Kind
    _: KW_ONLY
    retry_after: float | None = None
    after: int | None = None
    within: Literal["tool-call"] | None = None
    seconds: float | None = None
    event: int | None = None
    call: int | None = None
    every: int | None = None
    times: int | None = None
    path: str | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        """Say what is wrong when the fault is made, not when it strikes."""
        known = OPTIONS.get("status" if isinstance(self.kind, int) else self.kind)
        if known is None or (isinstance(self.kind, int) and not 400 <= self.kind < 600):
            raise ConfigError(
                f"there is no fault {str(self.kind)!r}; there are: a status from 400 to 599, {_listed(OPTIONS)}"
            )
        for option in ("retry_after", "after", "within", "seconds", "event"):
            if getattr(self, option) is not None and option not in known:
                raise ConfigError(
                    f"the fault {self.name!r} has no option {spelled(option)!r}; it has: {_listed(known) or 'none'}"
                )
        if self.within is not None and (self.within != TOOL_CALL or self.after is not None):
            raise ConfigError(f"the fault 'cut' has in={TOOL_CALL}, or after=BYTES, and not both")
        if self.call is not None and self.every is not None:
            raise ConfigError(
                f"the fault {self.name!r} strikes one call, or every n-th: give call or every, not both"
            )
        _check_numbers(self.name, vars(self))

    @property
    def name(self) -> str:
        """The kind as text, such as `429` or `cut`."""
        return str(self.kind)

    def __str__(self) -> str:
        """In the form that `Faults.parse` reads."""
        values = vars(self)
        options = _written(
            {option: values[option] for option in ("retry_after", "seconds", "after", "within", "event")}
        )
        rules = _written({condition: values[condition] for condition in CONDITIONS})
        return self.name + (f":{options}" if options else "") + (f"@{rules}" if rules else "")


USUAL: tuple[Fault, ...] = (
    Fault(429),
    Fault(503),
    Fault("connect"),
    Fault("cut"),
    Fault("cut", within=TOOL_CALL),
    Fault("duplicate"),
    Fault("truncate"),
)
"""What is drawn from where nothing is said: all that ends by itself, thus no stalls."""


@dataclass(frozen=True)
class RandomFaults:
    """Faults at random. The same seed gives the same faults for the same sequence of calls.

    Args:
        rate: the share of calls that are struck, above 0, and 1 at most.
        seed: of the draws.
        kinds: what is drawn from, each as likely as the others: faults without conditions, or their kinds. A `cut`, a
            `stall` without a place of its own strikes after 1 to 511 bytes.
        times: strikes so often at most; None is without end.
        path: strikes calls with this in their URL's path.
        model: strikes calls whose JSON body asks for this model.

    Raises:
        ConfigError: the rate is none, or a fault cannot be drawn.
    """

    _: KW_ONLY
    rate: float
    seed: int = 0
    kinds: tuple[Fault | Kind, ...] = USUAL
    times: int | None = None
    path: str | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        """Say what is wrong when the faults are made, not when they strike."""
        if not 0 < self.rate <= 1:
            raise ConfigError(f"the rate of random faults is above 0, and 1 at most, not {self.rate!r}")
        if not self.kinds:
            raise ConfigError(
                "random faults need something to draw from: leave kinds out for all that end by themselves"
            )
        if any(getattr(fault, condition) is not None for fault in self.drawn for condition in CONDITIONS):
            raise ConfigError("a fault that is drawn at random has no conditions: give them to the random faults")
        _check_numbers("random", vars(self))

    @property
    def drawn(self) -> tuple[Fault, ...]:
        """What is drawn from."""
        return tuple(kind if isinstance(kind, Fault) else Fault(kind) for kind in self.kinds)

    def __str__(self) -> str:
        """In the form that `Faults.parse` reads."""
        kinds = "" if self.kinds == USUAL else ",kinds=" + "+".join(map(str, self.drawn))
        rules = _written({"times": self.times, "path": self.path, "model": self.model})
        return f"random:rate={self.rate},seed={self.seed}{kinds}" + (f"@{rules}" if rules else "")


def concerns(fault: Fault | RandomFaults, request: Request) -> bool:
    """Whether a request is among those that `path` and `model` let pass."""
    if fault.path is not None and fault.path not in urlsplit(request.url).path:
        return False
    return fault.model is None or _model(request.body) == fault.model


class _Asked(msgspec.Struct):
    model: str | None = None


def _model(body: bytes) -> str | None:
    try:
        return msgspec.json.decode(body, type=_Asked).model
    except ValueError:
        return None


def _listed(names: dict[str, tuple[str, ...]] | tuple[str, ...]) -> str:
    return ", ".join(spelled(name) for name in names if name != "status")


def _written(values: dict[str, object]) -> str:
    given = ((spelled(field), str(value).removesuffix(".0")) for field, value in values.items() if value is not None)
    return ",".join(f"{field}={value}" for field, value in given)
