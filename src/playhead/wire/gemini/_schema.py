"""
JSON schemas in Google's words, and back.

Google's `Schema` is a subset of OpenAPI 3.0 with types in upper case. What does not fit goes out as plain JSON
schema, in the field `parametersJsonSchema`.

https://ai.google.dev/api/caching#Schema
"""

from __future__ import annotations

import re
from typing import Any, cast

from .._json import JSONObject, obj

_TYPES = ("string", "number", "integer", "boolean", "array", "object")

_FORMATS = {
    "string": ("enum", "date-time"),
    "number": ("float", "double"),
    "integer": ("int32", "int64"),
}
"""The formats that are taken; any other is refused."""

_PLAIN = frozenset(
    {"description", "title", "default", "minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum"}
    | {"minProperties", "maxProperties", "pattern", "propertyOrdering", "required"}
)
"""Keywords that mean the same in both."""

_DEEPEST = 24
"""Levels of nesting; what is deeper goes out as it is."""

_SUBSCHEMAS = ("items", "additionalProperties")
_LISTS = ("anyOf", "prefixItems")
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")


def is_empty(schema: JSONObject) -> bool:
    """Whether a tool with these parameters takes none; Google wants no schema at all then."""
    return not (schema.keys() - {"type", "properties", "required"}) and not obj(schema.get("properties"))


def to_google(schema: object, depth: int = 0) -> JSONObject | None:
    """The schema in Google's words; None where they cannot say all of it."""
    given = obj(schema)
    if depth > _DEEPEST:
        return None
    kind, nullable = _kind(given.get("type"))
    if kind is None:
        return None
    said: JSONObject = {"type": kind.upper()}
    if nullable:
        said["nullable"] = True
    for key, value in given.items():
        if key == "type":
            continue
        converted = _keyword(kind, key, _not_null(value) if key == "enum" and nullable else value, depth)
        if converted is None:
            return None
        said[key] = converted
    if kind == "object" and not said.get("properties"):
        return None  # Refused: "should be non-empty for OBJECT type".
    return None if kind == "array" and "items" not in said else said


def _not_null(values: object) -> Any:
    """The other values of what may be null; none, where null is of the type, but not among the values."""
    listed = cast("list[object]", values) if isinstance(values, list) else []
    return [value for value in listed if value is not None] if None in listed else []


def _kind(value: object) -> tuple[str | None, bool]:
    """The type, and whether null is allowed beside it."""
    if isinstance(value, list) and len(cast("list[object]", value)) == 2 and "null" in value:
        names = cast("list[object]", value)
        value = names[0] if names[1] == "null" else names[1]
        return (value if value in _TYPES else None), True  # pyright: ignore[reportReturnType]
    return (value, False) if isinstance(value, str) and value in _TYPES else (None, False)


def _keyword(kind: str, key: str, value: Any, depth: int) -> Any:
    """A keyword's value in Google's words; None where there are none."""
    match key:
        case "properties" if isinstance(value, dict):
            inner = {name: to_google(part, depth + 1) for name, part in obj(value).items()}  # pyright: ignore[reportUnknownArgumentType]
            return None if None in inner.values() else inner
        case "items":
            return to_google(value, depth + 1)
        case "enum" if kind == "string" and isinstance(value, list):
            names = cast("list[object]", value)
            return names if names and all(isinstance(name, str) for name in names) else None
        case "format":
            return value if value in _FORMATS.get(kind, ()) else None
        case _:
            return value if key in _PLAIN else None


def from_google(schema: object) -> JSONObject:
    """A schema in Google's words as JSON schema; names in snake case are understood, too."""
    said: JSONObject = {}
    for name, value in obj(schema).items():
        key = camel(name)
        match key:
            case "type" if isinstance(value, str):
                if value != "TYPE_UNSPECIFIED":
                    said["type"] = value.lower()
            case "properties":
                said[key] = {inner: from_google(part) for inner, part in obj(value).items()}
            case _ if key in _SUBSCHEMAS and isinstance(value, dict):
                said[key] = from_google(value)  # pyright: ignore[reportUnknownArgumentType]
            case _ if key in _LISTS and isinstance(value, list):
                said[key] = [from_google(part) for part in cast("list[object]", value)]
            case _ if key in _COUNTS and isinstance(value, str) and value.isdecimal():
                said[key] = int(value[:18])  # As protocol buffers write 64-bit numbers.
            case _:
                said[key] = value
    if said.pop("nullable", False) is True:
        if isinstance(said.get("type"), str):
            said["type"] = [said["type"], "null"]
            names: object = said.get("enum")
            if isinstance(names, list) and None not in names:
                said["enum"] = [*cast("list[object]", names), None]  # JSON schema takes only what stands there.
        elif isinstance(said.get("anyOf"), list):
            said["anyOf"] = [*said["anyOf"], {"type": "null"}]
    return said


_HUMP = re.compile(r"_([a-z0-9])")


def camel(name: str) -> str:
    """A field's name in camel case; protocol buffers are read in both."""
    return _HUMP.sub(lambda found: found[1].upper(), name) if "_" in name else name
