"""Parameters that are given as a JSON schema, for a function that takes all arguments as one dict.

The schema is the model's to keep. What is checked here is what needs no validator: the names, and the type and the
choices of each argument. What is inside of an argument is the function's to check.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import msgspec

from ..errors import ToolDefinitionError
from ._callables import inner_function
from ._problems import Schema, Spot, say_mismatch, say_missing, say_unknown
from ._schema import to_json_value
from ._signature import mentions, read_hint, visible_names


class RawParameters:
    """What a tool has to know of its parameters, where they are a JSON schema.

    Attributes:
        parameters: the schemas of those that the schema names.
        context: the name of the function's parameter that gets the context, or None.
    """

    def __init__(self, schema: Mapping[str, Any], label: str, *, context: str | None, by_name: bool) -> None:
        """Understand a schema.

        Args:
            schema: of type object.
            label: what error messages call the tool.
            context: the name of the function's parameter that gets the context, or None.
            by_name: whether that one cannot be passed by place.

        Raises:
            ToolDefinitionError: it is no JSON schema of an object.
        """
        self._schema = _object_schema(schema, label)
        self.parameters = cast("dict[str, Any]", self._schema["properties"])
        self.context = context
        self._by_name = by_name

    def schema(self) -> dict[str, Any]:
        """The schema."""
        return self._schema

    def read(self, given: Mapping[str, object]) -> tuple[dict[str, object], list[str]]:
        """The arguments as they are, and what is wrong with them, as far as it is looked at."""
        problems = [say_unknown("", name, list(self.parameters)) for name in given if not self._may_have(name)]
        required = cast("Iterable[str]", self._schema.get("required", ()))
        for name in dict.fromkeys([*self.parameters, *required]):
            schema = self.parameters.get(name)
            about: Schema = cast("Schema", schema) if isinstance(schema, dict) else {}
            spot = Spot.of(name, given.get(name, msgspec.UNSET), about, {})
            if name in given:
                if not _fits(given[name], about):
                    types, choices = _expected(about)
                    problems.append(say_mismatch(spot, types, choices))
            elif name in required:
                problems.append(say_missing(spot))
        return dict(given), problems

    def select(self, arguments: Mapping[str, object]) -> dict[str, object]:
        """Another tool's arguments, all of them: this one has them as one dict."""
        return dict(arguments)

    def call(self, function: Callable[..., Any], arguments: Mapping[str, object], context: object) -> Any:
        """Call the function with a dict of all arguments, and with the context where it asks for it."""
        if self.context is None:
            return function(dict(arguments))
        if self._by_name:
            return function(dict(arguments), **{self.context: context})
        return function(dict(arguments), context)

    def _may_have(self, name: str) -> bool:
        if name in self.parameters or self._schema.get("additionalProperties") is not False:
            return True
        patterns = cast("Iterable[str]", self._schema.get("patternProperties", ()))
        return any(_matches(pattern, name) for pattern in patterns)


def find_context(
    function: Callable[..., Any], label: str, *, context: type, namespace: Mapping[str, Any], takes: bool | None
) -> tuple[str | None, bool]:
    """The name of a function's second parameter if it gets the context, and whether that one goes by name only.

    Args:
        function: anything that can be called.
        label: what error messages call it.
        context: the type that its annotation names.
        namespace: names that annotations may use, beside those that the function itself can see.
        takes: whether it gets the context; None looks at the annotation.

    Raises:
        ToolDefinitionError: it should get the context, and has no place for it; or an annotation is not understood.
    """
    if takes is False:
        return None, False
    try:
        found = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # Python does not know its parameters
        found = []
    second = found[1] if len(found) > 1 else None
    if takes:
        if found and second is None and found[0].kind is not inspect.Parameter.VAR_POSITIONAL:
            raise ToolDefinitionError(
                f"tool {label}: takes_context=True, but its function has no second parameter for the context"
            )
    elif second is None or not mentions(
        read_hint(second, label, {**visible_names(inner_function(function)), **namespace}), context
    ):
        return None, False
    by_name = second is not None and second.kind is second.KEYWORD_ONLY
    return (second.name if second else "context"), by_name


def _object_schema(schema: object, label: str) -> dict[str, Any]:
    if not isinstance(schema, Mapping):
        raise ToolDefinitionError(f"tool {label}: parameters is a JSON schema, a dict, not {schema!r}")
    try:
        plain = cast("dict[str, Any]", to_json_value(dict(cast("Mapping[str, Any]", schema))))
    except (TypeError, ValueError, NotImplementedError) as error:
        raise ToolDefinitionError(f"tool {label}: its schema is not JSON: {error}") from error
    if plain.get("type", "object") != "object":
        raise ToolDefinitionError(
            f"tool {label}: a schema of type object is expected, since arguments have names, not of type "
            f"{plain['type']!r}"
        )
    if not isinstance(plain.get("properties", {}), dict) or not isinstance(plain.get("required", []), list):
        raise ToolDefinitionError(f"tool {label}: in its schema, properties is an object and required is an array")
    return {**plain, "type": "object", "properties": plain.get("properties", {})}


def _fits(value: object, schema: Schema) -> bool:
    """Whether a value may stand there, as far as its own type and the choices tell: what is not understood fits."""
    for key in ("anyOf", "oneOf"):
        inner = schema.get(key)
        if isinstance(inner, list):
            choices = cast("list[Any]", inner)
            if not any(_fits(value, cast("Schema", each)) if isinstance(each, dict) else True for each in choices):
                return False
    types, choices = _own(schema)
    if choices and not any(_same(value, each) for each in choices):
        return False
    return not types or any(_is_of(value, name) for name in types)


def _own(schema: Schema) -> tuple[list[str], list[object]]:
    """The types and the choices that a schema itself names."""
    found, allowed = schema.get("type"), schema.get("enum", [schema["const"]] if "const" in schema else [])
    types = cast("list[object]", found) if isinstance(found, list) else [found]
    return (
        [each for each in types if isinstance(each, str)],
        cast("list[object]", allowed) if isinstance(allowed, list) else [],
    )


def _expected(schema: Schema) -> tuple[list[str], list[object]]:
    """The types and the choices that a schema names, or its alternatives: for telling what is wanted."""
    types, choices = _own(schema)
    if types or choices:
        return types, choices
    inner = [each for key in ("anyOf", "oneOf") for each in cast("list[Any]", schema.get(key) or [])]
    below = [_expected(cast("Schema", each)) for each in inner if isinstance(each, dict)]
    is_counted = all(choices for _, choices in below)
    return (
        list(dict.fromkeys(name for types, _ in below for name in types)),
        [each for _, choices in below for each in choices] if is_counted else [],
    )


def _is_of(value: object, name: str) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match name:
        case "integer":
            return is_number and (isinstance(value, int) or cast("float", value).is_integer())
        case "number":
            return is_number
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case _:
            return True  # No type of JSON schema's: whoever wrote it knows.


def _same(value: object, other: object) -> bool:
    """Python has True for 1, and JSON has not."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error:
        return True  # Another language's: the function may know it.
