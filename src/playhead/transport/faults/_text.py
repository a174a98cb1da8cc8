"""
Faults as text, for command lines.

    NAME[:OPTION=VALUE,...][@CONDITION=VALUE,...]
    random:rate=RATE[,seed=SEED][,kinds=NAME+NAME...][@CONDITION=VALUE,...]

Everything behind the first `@` is conditions, so that a model's name may have another one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import ConfigError
from ._fault import CONDITIONS, OPTIONS, TOOL_CALL, Fault, RandomFaults, spelled

_VALUES: dict[str, tuple[Callable[[str], Any], str]] = {
    "retry_after": (float, "seconds"),
    "seconds": (float, "seconds"),
    "rate": (float, "a share such as 0.1"),
    "after": (int, "a number of bytes"),
    "event": (int, "the number of an event"),
    "seed": (int, "a whole number"),
    "call": (int, "the number of a call"),
    "every": (int, "a number of calls"),
    "times": (int, "a number of times"),
}
"""How a value is read, and what it should be; all others are text."""

_RANDOM = ("rate", "seed", "kinds")


def parse(text: str) -> Fault | RandomFaults:
    """A fault from text, such as `429:retry-after=2@call=1`.

    Raises:
        ConfigError: it cannot be read; the error says what was expected.
    """
    try:
        return _read(text)
    except ConfigError as error:
        raise ConfigError(f"{text!r} is not a fault: {error}. An example: '429:retry-after=2@call=1'") from error


def _read(text: str) -> Fault | RandomFaults:
    what, _, conditions = text.strip().partition("@")
    name, _, options = what.partition(":")
    name = name.strip()
    if name == "random":
        return _random(_values(options, _RANDOM, "option"), _values(conditions, CONDITIONS[2:], "condition"))
    if not (name in OPTIONS or name.isdecimal()) or name == "status":
        there = ", ".join(known for known in OPTIONS if known != "status")
        raise ConfigError(f"there is no fault {name!r}; there are: a status such as 429, {there}, random")
    known = OPTIONS["status" if name.isdecimal() else name]
    kind: Any = int(name) if name.isdecimal() else name
    return Fault(kind, **_values(options, known, "option"), **_values(conditions, CONDITIONS, "condition"))


def _random(options: dict[str, Any], conditions: dict[str, Any]) -> RandomFaults:
    if "rate" not in options:
        raise ConfigError("how many calls are struck is missing, such as rate=0.1")
    if "kinds" in options:
        drawn = [_read(kind) for kind in options["kinds"].split("+")]
        options["kinds"] = tuple(drawn)
        if any(isinstance(kind, RandomFaults) for kind in drawn):
            raise ConfigError("random faults are not drawn from random faults")
    return RandomFaults(**options, **conditions)


def _values(text: str, known: tuple[str, ...], what: str) -> dict[str, Any]:
    fields = {spelled(field): field for field in known}
    values: dict[str, Any] = {}
    for pair in text.split(",") if text.strip() else ():
        name, equals, value = (part.strip() for part in pair.partition("="))
        if name not in fields:
            there = f"there are: {', '.join(fields)}" if fields else "there is none"
            misplaced = "; a condition stands behind '@'" if what == "option" and name in CONDITIONS else ""
            raise ConfigError(f"there is no {what} {name!r} here; {there}{misplaced}")
        if not equals or not value:
            raise ConfigError(f"the {what} {name!r} has no value: write {name}=...")
        if fields[name] in values:
            raise ConfigError(f"the {what} {name!r} is given twice")
        values[fields[name]] = _value(name, fields[name], value)
    return values


def _value(name: str, field: str, value: str) -> Any:
    read, wanted = _VALUES.get(field, (str, TOOL_CALL))
    try:
        return read(value)
    except ValueError:
        raise ConfigError(f"{name} should be {wanted}, but is {value!r}") from None
