"""The types that an output may be, one by one, and values of them."""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Sequence
from typing import Any, Union, cast, get_args, get_origin

import msgspec

from ..tools._problems import Schema
from ..tools._schema import JsonType, Mismatch

_REF = "#/$defs/"
_LONGEST_NAME = 40
_MOST_PROBLEMS = 3
"""Problems that are told of each member where a value fits none."""

_ROOT = "\0"
"""How the whole answer is called while it is converted: no field has that name."""


class Member(msgspec.Struct, frozen=True):
    """One of the types that an output may be.

    Attributes:
        name: of the type, in letters that the name of a tool may have; no other member has it.
        type: its schema and its conversion.
        is_text: whether it is plain `str`.
    """

    name: str
    type: JsonType
    is_text: bool

    @property
    def schema(self) -> Schema:
        """The schema, without a reference at its root."""
        schema = self.type.schema
        while (name := str(schema.get("$ref", "")).removeprefix(_REF)) in self.type.defs:
            schema = self.type.defs[name] | {key: value for key, value in schema.items() if key != "$ref"}
        return schema

    @property
    def is_object(self) -> bool:
        """Whether its values are JSON objects."""
        return self.schema.get("type") == "object"

    def unknown_fields(self, value: object) -> int:
        """How many fields an object has that this type does not."""
        known = self.schema.get("properties", {})
        return len(cast("dict[str, object]", value).keys() - known) if isinstance(value, dict) else 0


def members_of(hint: Any) -> tuple[Member, ...]:
    """The members of a union or of a list of types; the type alone where it is neither.

    Raises:
        Unsupported: a type cannot be told to a model.
    """
    found: list[Member] = []
    for each in _flat(hint):
        name = _name(each)
        taken = {member.name for member in found}
        number = 2
        while name in taken:
            name, number = f"{_name(each)}{number}", number + 1
        found.append(Member(name, JsonType(each), each is str))
    return tuple(found)


def convert(value: object, members: Sequence[Member], path: str) -> object:
    """A JSON value as a value of the member that it fits best.

    Args:
        path: how the problems call the value; empty for the whole answer.

    Raises:
        Mismatch: it fits none.
    """
    found: list[tuple[tuple[bool, int], object]] = []
    problems: list[str] = []
    for member in members:
        try:
            made = member.type.convert(value, path or _ROOT)
        except Mismatch as mismatch:
            said = [_said(str(problem)) for problem in mismatch.args]
            problems += said if len(members) == 1 else _as_one_of(member, said)
        else:
            is_other = type(made) is not type(value) and not member.is_object
            found.append(((is_other, member.unknown_fields(value)), made))
    if not found:
        raise Mismatch(*dict.fromkeys(problems))
    return min(found, key=lambda each: each[0])[1]


def _as_one_of(member: Member, problems: Sequence[str]) -> Iterable[str]:
    return (f"as {member.name}: {problem}" for problem in problems[:_MOST_PROBLEMS])


def _said(problem: str) -> str:
    """A problem with the whole answer called by no name."""
    return (
        problem.replace(f"`{_ROOT}.", "`")
        .replace(f"`{_ROOT}[", "`[")
        .replace(f"`{_ROOT}`", "the answer")
        # A name that is cut from its root may be the root alone.
        .replace(_ROOT, "the answer")
    )


def _flat(hint: Any) -> list[Any]:
    if isinstance(hint, (list, tuple)):
        inner: Iterable[Any] = cast("Iterable[Any]", hint)
    elif get_origin(hint) in (Union, types.UnionType):
        inner = get_args(hint)
    else:
        return [type(None) if hint is None else hint]
    found: list[Any] = []
    for each in (one for item in inner for one in _flat(item)):
        if each not in found:
            found.append(each)
    return found


def _name(hint: Any) -> str:
    if hint is type(None):
        return "None"
    is_class = isinstance(hint, type) and not get_args(hint)
    words = hint.__name__ if is_class else re.sub(r"\b\w+\.", "", str(hint))
    return re.sub(r"[^a-zA-Z0-9_-]+", "_", words).strip("_")[:_LONGEST_NAME] or "value"
