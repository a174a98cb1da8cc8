"""How a value of an output's type lies in the JSON that a model writes.

An object lies there as it is. All else lies in the field `result` of an object, since an object is what a tool's
arguments are and what providers can hold an answer to. Where several types are objects, each has its own field in
there, named like the type, so that nobody has to guess which one is meant.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

from ..tools._problems import Schema
from ..tools._schema import hoist
from ._members import Member, convert

RESULT = "result"


class Shape(msgspec.Struct, frozen=True):
    """How values of some members lie in JSON.

    Attributes:
        wrapped: whether they lie in the field `result`.
        tagged: whether they lie there in a field that is named like the member.
    """

    members: tuple[Member, ...]
    wrapped: bool
    tagged: bool

    @classmethod
    def of(cls, members: tuple[Member, ...]) -> Shape:
        """The shape that these members have."""
        objects = sum(member.is_object for member in members)
        return cls(members, not objects or len(members) > 1, objects > 1)

    def schema(self) -> Schema:
        """The JSON schema, of type object, with all definitions that it needs."""
        defs: dict[str, Schema] = {}
        schemas = [
            # What a tool's arguments are, and an answer, has to say itself that it is an object.
            hoist(member.type.schema if self.wrapped else member.schema, member.type.defs, defs)
            for member in self.members
        ]
        if self.tagged:
            schemas = [_only(member.name, schema) for member, schema in zip(self.members, schemas, strict=True)]
        schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
        if self.wrapped:
            schema = _only(RESULT, schema)
        needed = _needed(schema, defs)
        return schema | ({"$defs": {name: defs[name] for name in sorted(needed)}} if needed else {})

    def read(self, value: object) -> object:
        """What a model wrote, as a value. A value that is not wrapped, but should be, is understood, too.

        Raises:
            Mismatch: it fits no member.
        """
        field, inner = _only_field(value)
        if not self.wrapped or field != RESULT:
            return convert(value, self.members, "")
        tag, tagged = _only_field(inner)
        for member in self.members if self.tagged else ():
            if member.name == tag:
                return convert(tagged, (member,), f"{RESULT}.{tag}")
        return convert(inner, self.members, RESULT)

    def peek(self, value: Any) -> Any:
        """What there is of the value in a part of what a model wrote; UNSET where there is none of it yet."""
        if not self.wrapped or not isinstance(value, dict):
            return value
        said = cast("dict[str, Any]", value)
        if RESULT not in said:
            return said or msgspec.UNSET
        if not self.tagged or not isinstance(said[RESULT], dict):
            return said[RESULT]
        tags = cast("dict[str, Any]", said[RESULT])
        tag = next(iter(tags), None)
        if tag is None:
            return msgspec.UNSET
        return tags[tag] if any(member.name == tag for member in self.members) else tags


def _only_field(value: object) -> tuple[str | None, object]:
    """The one field of an object; None and nothing where it has none or more, or is no object."""
    fields = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    return next(iter(fields.items())) if len(fields) == 1 else (None, None)


def _only(name: str, schema: Schema) -> Schema:
    """An object with one field."""
    return {"additionalProperties": False, "properties": {name: schema}, "required": [name], "type": "object"}


def _needed(schema: object, defs: dict[str, Schema]) -> set[str]:
    """The definitions that a schema refers to, also by way of others."""
    needed: set[str] = set()
    waiting = [schema]
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting += cast("list[object]", found)
        elif isinstance(found, dict):
            items = cast("dict[str, object]", found)
            name = str(items.get("$ref", "")).removeprefix("#/$defs/")
            if name in defs and name not in needed:
                needed.add(name)
                waiting.append(defs[name])
            waiting += items.values()
    return needed
