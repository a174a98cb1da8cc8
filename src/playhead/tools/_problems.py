"""Why a value does not fit its type, in words that a model can act on.

msgspec and pydantic name the trouble in their own terms ("Expected `int`, got `str` - at `$.age`"). Here it
becomes "`person.age`: expected an integer, got the string "two"".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import msgspec

_NOUNS = {
    "int": "an integer",
    "float": "a number",
    "str": "a string",
    "bool": "true or false",
    "null": "null",
    "array": "an array",
    "object": "an object",
    "datetime": 'a date and time such as "2024-05-31T12:30:00Z"',
    "date": 'a date such as "2024-05-31"',
    "time": 'a time such as "12:30:00"',
    "duration": 'a duration such as "PT90S"',
    "uuid": "a UUID",
    "decimal": "a decimal number",
    "bytes": "bytes in base64",
}
_JSON_NOUNS = {
    "integer": "an integer",
    "number": "a number",
    "string": "a string",
    "boolean": "true or false",
    "null": "null",
    "array": "an array",
    "object": "an object",
}
_INVALID = {
    "Invalid RFC3339 encoded datetime": "datetime",
    "Invalid RFC3339 encoded date": "date",
    "Invalid RFC3339 encoded time": "time",
    "Invalid ISO8601 duration": "duration",
    "Invalid UUID": "uuid",
    "Invalid decimal string": "decimal",
    "Invalid base64 encoded string": "bytes",
}
_PLACE = re.compile(r"(.*) - at (`key` in )?`\$(.*)`", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[\.\.\.\]")
_EXPECTED = re.compile(r"Expected `([^`]+)`(.*?)(?:, got (.*))?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_LONGEST_QUOTE = 60

Schema = dict[str, Any]
Step = str | int | None
"""One step down: into a field, into an item, or (None) into something that msgspec does not name."""


class Spot(msgspec.Struct, frozen=True):
    """A place in the arguments.

    Attributes:
        path: how the place is called: `person.age`, `items[2].name`.
        value: what came there; UNSET where nothing did, or where the place is not known exactly.
        schemas: the alternatives for what may stand there; references are resolved.
        defs: what references point to.
    """

    path: str
    value: object
    schemas: tuple[Schema, ...]
    defs: Mapping[str, Schema]

    @classmethod
    def of(cls, path: str, value: object, schema: Schema, defs: Mapping[str, Schema]) -> Spot:
        """The place of a whole parameter."""
        return cls(path, value, _alternatives(schema, defs), defs)

    def down(self, step: Step) -> Spot:
        """The place one step further in."""
        found = [schema for parent in self.schemas if (schema := _child(parent, step)) is not None]
        below = tuple(choice for schema in found for choice in _alternatives(schema, self.defs))
        path = f"{self.path}.{step}" if isinstance(step, str) else f"{self.path}[{_text(step)}]"
        return Spot(path, _value_at(self.value, step), below, self.defs)

    def choices(self) -> list[object]:
        """The values that are allowed here, where they can be counted."""
        found: list[object] = []
        for schema in self.schemas:
            allowed = schema.get("enum", [schema["const"]] if "const" in schema else None)
            if allowed is None and schema.get("type") != "null":
                return []
            found += [None] if allowed is None else allowed
        return found

    def fields(self) -> list[str]:
        """The names of the fields that an object may have here."""
        return [name for schema in self.schemas for name in cast("Schema", schema.get("properties", {}))]


def explain_msgspec(error: Exception, spot: Spot) -> str:
    """Put msgspec's error for the value at `spot` into words."""
    text, key = str(error), False
    if place := _PLACE.fullmatch(text):
        text, key = place[1], place[2] is not None
        for step in _STEP.finditer(place[3]):
            spot = spot.down(step[1] or (int(step[2]) if step[2] else None))
    if missing := _MISSING.fullmatch(text):
        return say_missing(spot.down(missing[1]))
    if unknown := _UNKNOWN.fullmatch(text):
        return say_unknown(spot.path, unknown[1], spot.fields())
    if key:
        return f"a key of `{spot.path}`: {_mismatch(text, spot, msgspec.UNSET)}"
    return f"`{spot.path}`: {_mismatch(text, spot, spot.value)}"


def explain_pydantic(errors: Iterable[Mapping[str, Any]], spot: Spot) -> list[str]:
    """Put pydantic's list of errors for the value at `spot` into words, one problem each."""
    return [_explain_pydantic(error, spot) for error in errors]


def say_missing(spot: Spot) -> str:
    """`b` is missing (integer, second number)."""
    about = ", ".join(filter(None, (_type_words(spot), _description(spot))))
    return f"`{spot.path}` is missing ({about})" if about else f"`{spot.path}` is missing"


def say_unknown(path: str, name: str, known: Sequence[str]) -> str:
    """`c` is not a field; the fields are `a`, `b`. `path` is empty for the arguments as a whole."""
    what, whole = ("field", f"{path}.{_clip(name)}") if path else ("parameter", _clip(name))
    if not known:
        return f"`{whole}` is not a {what}; there are none"
    return f"`{whole}` is not a {what}; the {what}s are {', '.join(f'`{each}`' for each in known)}"


def say_mismatch(spot: Spot, types: Sequence[str], choices: Sequence[object]) -> str:
    """`a`: expected an integer, got the string "two".

    Args:
        types: JSON schema's names of the types that are allowed.
        choices: the values that are allowed, where they are counted; then the types are not looked at.
    """
    wanted = _one_of(choices) if choices else " or ".join(_JSON_NOUNS.get(name, name) for name in types)
    return f"`{spot.path}`: expected {wanted}, got {describe(spot.value)}"


def describe(value: object) -> str:
    """What came, in a few words: `the string "two"`, `the number 2.5`, `an array of length 3`, `null`."""
    match value:
        case None | bool():
            return quote(value)
        case str():
            return f"the string {quote(value)}"
        case int() | float():
            return f"the number {quote(value)}"
        case list():
            return f"an array of length {len(cast('list[object]', value))}"
        case _:
            return "an object"


def quote(value: object) -> str:
    """The value as JSON, cut when it is long."""
    if isinstance(value, str):
        return msgspec.json.encode(_clip(value)).decode()
    return _clip(msgspec.json.encode(value).decode())


def _clip(text: str) -> str:
    return text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "…"


def _text(step: Step) -> str:
    return "..." if step is None else str(step)


def _mismatch(text: str, spot: Spot, value: object) -> str:
    expected = _EXPECTED.fullmatch(text)
    invalid = text.startswith(("Invalid enum value", "Invalid value"))
    choices = spot.choices() if invalid or expected else []
    if choices and not (expected and expected[2]):
        wanted = _one_of(choices)
    elif expected:
        wanted = _nouns(expected[1]) + expected[2]
    elif text in _INVALID:
        wanted = _NOUNS[_INVALID[text]]
    else:
        return text
    if value is not msgspec.UNSET:
        return f"expected {wanted}, got {describe(value)}"
    if expected and expected[3]:
        return f"expected {wanted}, got {_nouns(expected[3].strip('`'))}"
    return f"expected {wanted}"


def _explain_pydantic(error: Mapping[str, Any], spot: Spot) -> str:
    steps = cast("tuple[str | int, ...]", error["loc"])
    kind = error["type"]
    absent = kind == "missing"
    for number, step in enumerate(steps, 1):
        here = spot.down(step)
        # pydantic puts the names of a union's members between the steps: those are not places
        if here.value is not msgspec.UNSET or (absent and number == len(steps)):
            spot = here
    if absent:
        return say_missing(spot)
    text = str(error["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if text.startswith("Input should be "):
        return f"`{spot.path}`: expected {text.removeprefix('Input should be ')}, got {describe(spot.value)}"
    return f"`{spot.path}`: {text}"


def _nouns(names: str) -> str:
    words = [_NOUNS.get(name, name) for name in names.split(" | ")]
    return " or ".join(words)


def _one_of(choices: Sequence[object]) -> str:
    words = [quote(choice) for choice in choices]
    return words[0] if len(words) == 1 else "one of " + ", ".join(words)


def _type_words(spot: Spot) -> str:
    if choices := spot.choices():
        return _one_of(choices)
    names: list[object] = []
    for schema in spot.schemas:
        found = schema.get("type", [])
        names += cast("list[object]", found) if isinstance(found, list) else [found]
    return " or ".join(dict.fromkeys(map(str, names)))


def _description(spot: Spot) -> str:
    words = (schema.get("description") for schema in spot.schemas)
    return next((str(text) for text in words if text), "")


def _value_at(value: object, step: Step) -> object:
    if isinstance(value, dict) and isinstance(step, str):
        return cast("dict[str, object]", value).get(step, msgspec.UNSET)
    if isinstance(value, list) and isinstance(step, int):
        items = cast("list[object]", value)
        return items[step] if step < len(items) else msgspec.UNSET
    return msgspec.UNSET


def _child(schema: Schema, step: Step) -> Schema | None:
    """The schema one step down, where this one has one to give."""
    found: Any = None
    if isinstance(step, str):
        found = schema.get("properties", {}).get(step)
    elif isinstance(step, int):
        first: list[Schema] = schema.get("prefixItems", [])
        found = first[step] if step < len(first) else schema.get("items")
    if found is None:
        found = schema.get("additionalProperties", schema.get("items") if step is None else None)
    return cast("Schema", found) if isinstance(found, dict) else None


def _alternatives(
    schema: Schema, defs: Mapping[str, Schema], seen: frozenset[str] = frozenset()
) -> tuple[Schema, ...]:
    """The schema itself, or what it refers to, or its alternatives; its description goes along."""
    about = {key: schema[key] for key in ("description",) if key in schema}
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    if name:
        found = () if name in seen or name not in defs else _alternatives(defs[name], defs, seen | {name})
    elif inner := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        found = tuple(each for one in inner for each in _alternatives(one, defs, seen))
    else:
        return (schema,)
    return tuple({**each, **about} for each in found)
