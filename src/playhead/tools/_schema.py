"""Types as JSON schemas, and JSON values as values of those types."""

from __future__ import annotations

import datetime as dt
import math
import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Union, cast, get_args, get_origin

import msgspec

from ._problems import Schema, Spot, explain_msgspec, explain_pydantic

_NUMERIC = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length")
_CONTAINERS: tuple[Any, ...] = (list, tuple, set, frozenset, dict)
_SCHEMAS = ("items", "additionalProperties", "contains", "not", "propertyNames")
_SCHEMA_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SCHEMA_MAPS = ("properties", "patternProperties")
_DROPPED = ("title", "discriminator")  # they say nothing that the rest does not, and each costs tokens
_REF = "#/$defs/"
_DATE_TIME = Annotated[dt.datetime, msgspec.Meta(extra_json_schema={"format": "date-time"})]


class Unsupported(TypeError):
    """A type that JSON schema, or the conversion, has no words for."""


class Mismatch(ValueError):
    """A value does not fit. `args` are the problems, in words for the model."""


class JsonType:
    """A type hint, as a JSON schema and as a conversion from JSON values.

    Attributes:
        schema: the schema, without titles.
        defs: the schemas that it refers to, by name.
        description: what the hint's own `Annotated` says about it, or None.
    """

    def __init__(self, hint: Any) -> None:
        """Understand a hint.

        Raises:
            Unsupported: there is no schema or no conversion for it.
        """
        self.description = _description(hint)
        self._hint = _with_msgspec_meta(hint)
        self._adapter: Any = None
        try:
            self._adapter = _pydantic_adapter(hint) if _names_pydantic(hint) else None
            schema, defs = self._pydantic_schema() if self._adapter else self._msgspec_schema()
        except _PydanticInside:
            self._adapter = _pydantic_adapter(hint)
            schema, defs = self._pydantic_schema()
        except Exception as error:
            raise Unsupported(_first_line(error)) from error
        self.schema = tidy(schema)
        self.defs = {name: tidy(each) for name, each in defs.items()}

    def convert(self, value: object, name: str) -> object:
        """The JSON value `value` as a value of this type: strictly, but 2.0 counts as an integer.

        Raises:
            Mismatch: it does not fit; `name` is how the problems call it.
        """
        try:
            return self._read(value)
        except Exception:  # what is wrong, if anything, comes out below
            return self._read_whole_numbers(value, name)

    def accepts(self, value: object) -> bool:
        """Whether a JSON value fits."""
        try:
            self.convert(value, "value")
        except Mismatch:
            return False
        return True

    def _read(self, value: object) -> object:
        if self._adapter is not None:
            return self._adapter.validate_json(msgspec.json.encode(value), strict=True)
        return msgspec.convert(value, self._hint, str_keys=True)

    def _read_whole_numbers(self, value: object, name: str) -> object:
        spot = Spot.of(name, value, self.schema, self.defs)
        try:
            return self._read(_whole_floats_as_ints(value))
        except msgspec.ValidationError as error:
            raise Mismatch(explain_msgspec(error, spot)) from error
        except RecursionError as error:
            raise Mismatch(f"`{name}`: it is nested too deeply") from error
        except Exception as error:
            if self._adapter is not None and hasattr(error, "errors"):
                found = cast("Any", error).errors(include_url=False, include_context=False)
                raise Mismatch(*explain_pydantic(found, spot)) from error
            raise Mismatch(f"`{name}`: {error}") from error

    def _msgspec_schema(self) -> tuple[Schema, dict[str, Schema]]:
        (schema,), defs = msgspec.json.schema_components([self._hint], schema_hook=_schema_hook)
        msgspec.json.Decoder(self._hint)  # some types have a schema, but no conversion: it says so here
        return schema, defs

    def _pydantic_schema(self) -> tuple[Schema, dict[str, Schema]]:
        schema: Schema = self._adapter.json_schema()
        defs = schema.pop("$defs", {})
        return schema, defs


def tidy(schema: Schema, names: Mapping[str, str] | None = None) -> Schema:
    """A copy of the schema in a fixed order of keys, without titles, with every enum's type spelled out.

    `names` gives the definitions that go by another name.
    """
    names = names or {}
    found = {key: _tidy_value(key, schema[key], names) for key in schema if key not in _DROPPED}
    allowed: list[object] = found.get("enum", [])
    for kind, name in ((str, "string"), (int, "integer")):
        if allowed and all(type(each) is kind for each in allowed):
            found.setdefault("type", name)
    return dict(sorted(found.items()))


def closed(schema: Schema) -> Schema:
    """A copy of the schema whose objects have no members but those that are named, where it does not say otherwise.

    Providers that hold a model to a schema ask for it.
    """
    found = {key: _closed_value(key, value) for key, value in schema.items()}
    if "properties" in found:
        found.setdefault("additionalProperties", False)
    return found


def hoist(schema: Schema, defs: Mapping[str, Schema], into: dict[str, Schema]) -> Schema:
    """Put the definitions that a schema needs into `into`, and return the schema that refers to them there.

    A definition that is there already is shared; another one of the same name gets a number.
    """
    names = {name: _free_name(name, each, into, reserved=defs) for name, each in defs.items()}
    for name, each in defs.items():
        into[names[name]] = tidy(each, names)
    return tidy(schema, names)


def to_json_value(value: object) -> object:
    """A Python value as JSON has it.

    Raises:
        ValueError, TypeError, NotImplementedError: JSON cannot say it.
    """
    plain = msgspec.to_builtins(value, str_keys=True, enc_hook=dump_model)
    if not _is_finite(plain):
        raise ValueError("JSON has no infinity")
    return msgspec.json.decode(msgspec.json.encode(plain))


def dump_model(value: object) -> object:
    """A pydantic model as JSON has it: msgspec's `enc_hook`.

    Raises:
        NotImplementedError: it is no pydantic model.
    """
    dump = getattr(value, "model_dump", None)
    if dump is None or isinstance(value, type):
        raise NotImplementedError(f"JSON cannot say {type(value).__name__}")
    return dump(mode="json")


class _PydanticInside(Exception):
    """msgspec met a pydantic model inside a dataclass or the like."""


def _schema_hook(cls: type) -> Schema:
    if cls is object:
        return {"title": "anything"}  # msgspec takes an empty schema for none, and titles are dropped
    if _is_pydantic(cls):
        raise _PydanticInside
    raise NotImplementedError


def _is_pydantic(thing: object) -> bool:
    """Whether only pydantic knows what this class, or this piece of `Annotated`, means."""
    return hasattr(thing, "__pydantic_core_schema__") or hasattr(thing, "__get_pydantic_core_schema__")


def _names_pydantic(hint: Any) -> bool:
    return _is_pydantic(hint) or any(_names_pydantic(inner) for inner in get_args(hint))


def _pydantic_adapter(hint: Any) -> Any:
    import pydantic  # the hint comes from it, so it is there

    return pydantic.TypeAdapter(hint)


def _description(hint: Any) -> str | None:
    """What `Annotated` says: a text, or a `Doc`, a `msgspec.Meta` or a pydantic `Field` with one."""
    metadata = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return next((text for item in metadata if (text := _metadata_text(item))), None)


def _metadata_text(item: object) -> str | None:
    for text in (item, getattr(item, "documentation", None), getattr(item, "description", None)):
        if isinstance(text, str):
            return text
    return None


def _with_msgspec_meta(hint: Any) -> Any:
    """The hint with everything that `Annotated` says in words that msgspec knows."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        own = tuple(item for item in args[1:] if isinstance(item, msgspec.Meta))
        other = _meta(item for item in args[1:] if not isinstance(item, msgspec.Meta))
        plain = _with_msgspec_meta(args[0])
        return Annotated[(plain, *own, *other)] if own or other else plain
    if origin in (Union, types.UnionType):
        return Union[tuple(_with_msgspec_meta(arg) for arg in args)]  # noqa: UP007 - made at run time
    if origin in _CONTAINERS and args:
        return origin[tuple(_with_msgspec_meta(arg) for arg in args)]
    return _DATE_TIME if hint is dt.datetime else hint


def _meta(items: Iterable[object]) -> tuple[msgspec.Meta, ...]:
    """A `msgspec.Meta` of what annotated-types' `Ge(0)`, pydantic's `Field(ge=0)` and the like say."""
    said: dict[str, Any] = {}
    for item in items:
        if text := _metadata_text(item):
            said.setdefault("description", text)
        for source in (item, *_tuple(getattr(item, "metadata", ()))):
            said |= _constraints(source)
    return (msgspec.Meta(**said),) if said else ()


def _tuple(value: object) -> tuple[object, ...]:
    return tuple(cast("list[object]", value)) if isinstance(value, (list, tuple)) else ()


def _constraints(source: object) -> dict[str, Any]:
    found = {name: getattr(source, name, None) for name in _NUMERIC}
    said: dict[str, Any] = {name: value for name, value in found.items() if isinstance(value, (int, float))}
    if isinstance(pattern := getattr(source, "pattern", None), str):
        said["pattern"] = pattern
    return said


def _tidy_value(key: str, value: Any, names: Mapping[str, str]) -> Any:
    if key == "$ref":
        name = value.removeprefix(_REF)
        return _REF + names.get(name, name)
    if key in _SCHEMA_MAPS:
        return {name: tidy(each, names) for name, each in value.items()}
    if key in _SCHEMA_LISTS:
        return [tidy(each, names) for each in value]
    if key in _SCHEMAS and isinstance(value, dict):
        return tidy(cast("Schema", value), names)
    return value


def _closed_value(key: str, value: Any) -> Any:
    if key in (*_SCHEMA_MAPS, "$defs", "definitions") and isinstance(value, dict):
        return {name: _closed_value("items", each) for name, each in cast("Schema", value).items()}
    if key in _SCHEMA_LISTS and isinstance(value, list):
        return [_closed_value("items", each) for each in cast("list[Any]", value)]
    return closed(cast("Schema", value)) if key in _SCHEMAS and isinstance(value, dict) else value


def _free_name(name: str, schema: Schema, into: Mapping[str, Schema], reserved: Mapping[str, Schema]) -> str:
    candidate, number = name, 1
    while into.get(candidate, schema) != schema or (candidate != name and candidate in reserved):
        number += 1
        candidate = f"{name}{number}"
    return candidate


def _is_finite(value: object) -> bool:
    match value:
        case float():
            return math.isfinite(value)
        case list() | tuple():
            return all(map(_is_finite, cast("Iterable[object]", value)))
        case dict():
            return all(map(_is_finite, cast("dict[str, object]", value).values()))
        case _:
            return True


def _whole_floats_as_ints(value: object) -> object:
    match value:
        case float():
            return int(value) if value.is_integer() else value
        case list():
            return [_whole_floats_as_ints(item) for item in cast("list[object]", value)]
        case dict():
            items = cast("dict[str, object]", value).items()
            return {key: _whole_floats_as_ints(item) for key, item in items}
        case _:
            return value


def _first_line(error: Exception) -> str:
    """msgspec's errors go on with advice about hooks that a tool's author has no use for."""
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[-1] if lines[0].startswith("Generating JSON schema") else lines[0]
