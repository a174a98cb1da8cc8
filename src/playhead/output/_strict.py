"""JSON schemas in the words that a provider can hold an answer to, token by token.

Each object has all its fields and no others: one that could be left out has to be given. What cannot be held to is
told to the model in the description. https://platform.openai.com/docs/guides/structured-outputs (supported schemas)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from ..tools._problems import Schema

_KEPT = frozenset(
    {"type", "description", "enum", "pattern", "format", "minItems", "maxItems", "multipleOf"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
)
_TOLD = frozenset(
    {"default", "minLength", "maxLength", "uniqueItems", "minProperties", "maxProperties", "examples"}
    | {"contentEncoding", "contentMediaType", "format", "pattern"}
)
_SILENT = frozenset({"title", "discriminator", "$schema", "$comment", "$defs", "deprecated", "readOnly", "writeOnly"})
_SCHEMAS = ("properties", "required", "additionalProperties", "items", "anyOf", "oneOf")
_LOOKS_AROUND = re.compile(r"\(\?<?[=!]")  # pydantic's pattern for a Decimal does; it is refused.
_FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
_REF = "#/$defs/"
_TYPES = {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string"}


class NotStrict(ValueError):
    """A schema says something for which there are no strict words; the text says what."""


def strict_schema(schema: Schema) -> Schema:
    """A schema of type object in strict words.

    Raises:
        NotStrict: it has no such form.
    """
    defs: Mapping[str, Schema] = schema.get("$defs", {})
    strict = _strict(schema, defs, frozenset())
    found = {name: _strict(each, defs, frozenset({name})) for name, each in defs.items()}
    return strict | ({"$defs": found} if found else {})


def _strict(schema: Schema, defs: Mapping[str, Schema], within: frozenset[str]) -> Schema:
    """`within` names the definitions that are being written out in this place."""
    if (ref := schema.get("$ref")) is not None:
        return _reference(str(ref), schema, defs, within)
    if len(schema.get("allOf", ())) == 1:
        (only,) = schema["allOf"]
        return _strict({**only, **{key: schema[key] for key in schema if key != "allOf"}}, defs, within)
    made = _keywords(schema)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            made["anyOf"] = [_strict(each, defs, within) for each in schema[key]]
    kind = schema.get("type")
    if kind == "object":
        made |= _object(schema, defs, within)
    elif kind == "array":
        made["items"] = _items(schema, defs, within)
    elif kind is None and not made.keys() & {"anyOf", "enum"}:
        raise NotStrict("anything is allowed somewhere")
    return dict(sorted(made.items()))


def _keywords(schema: Schema) -> Schema:
    """What a schema says beside the schemas in it."""
    made: Schema = {}
    told: list[str] = []
    for key, value in schema.items():
        if key == "const":
            made["enum"] = [value]
        elif key in _KEPT and _is_supported(key, value):
            made[key] = value
        elif key in _TOLD:
            told += [] if key == "default" and value is None else [f"{key}: {_json(value)}"]
        elif key not in _SILENT and key not in _SCHEMAS:
            raise NotStrict(f"`{key}` is not supported")
    if told:
        made["description"] = f"{made.get('description', '')} ({', '.join(told)})".lstrip()
    if "enum" in made and "type" not in made:
        made["type"] = sorted({_TYPES[type(value)] for value in made["enum"] if type(value) in _TYPES})
    return made


def _is_supported(key: str, value: object) -> bool:
    match key:
        case "format":
            return value in _FORMATS
        case "pattern":
            return _LOOKS_AROUND.search(str(value)) is None
        case _:
            return True


def _object(schema: Schema, defs: Mapping[str, Schema], within: frozenset[str]) -> Schema:
    properties = cast("dict[str, Schema] | None", schema.get("properties"))
    if schema.get("additionalProperties", properties is None) is not False:
        raise NotStrict("an object has fields of any name")
    fields = {name: _strict(each, defs, within) for name, each in (properties or {}).items()}
    for name in fields.keys() - set(cast("list[str]", schema.get("required", []))):
        if not _has_nothing_to_say(schema["properties"][name], defs):
            raise NotStrict(f"`{name}` may be left out, and a value for it would have to be made up")
    return {"additionalProperties": False, "properties": fields, "required": list(fields)}


def _has_nothing_to_say(schema: Schema, defs: Mapping[str, Schema]) -> bool:
    """Whether there is a value that says as much as none: a default, null, or something empty."""
    if "default" in schema:
        return True
    name = str(schema.get("$ref", "")).removeprefix(_REF)
    if name in defs:
        schema = defs[name]
    if "anyOf" in schema:
        return any(each.get("type") in ("null", "array", "object") for each in schema["anyOf"])
    return schema.get("type") in ("null", "array", "object") or None in schema.get("enum", [])


def _items(schema: Schema, defs: Mapping[str, Schema], within: frozenset[str]) -> Schema:
    items: Any = schema.get("items")
    if not isinstance(items, dict):
        raise NotStrict("an array has items of any type")
    return _strict(cast("Schema", items), defs, within)


def _reference(ref: str, schema: Schema, defs: Mapping[str, Schema], within: frozenset[str]) -> Schema:
    """A reference may have nothing beside it: where there is something, what it refers to is written out."""
    name = ref.removeprefix(_REF)
    beside = {key: value for key, value in schema.items() if key not in ("$ref", *_SILENT)}
    if beside.get("default", "") is None:
        del beside["default"]
    if name not in defs:
        raise NotStrict(f"the reference {ref} leads nowhere")
    if not beside or name in within:  # Writing out what is being written out would never end.
        return {"$ref": ref}
    return _strict({**defs[name], **beside}, defs, within | {name})


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
