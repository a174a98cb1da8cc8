"""Strict schemas, held against those that OpenAI's own package makes."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Literal, Required, TypedDict

import pydantic
import pytest
from openai.lib._pydantic import to_strict_json_schema
from outputs import Person, Team, Tree

from playhead.errors import ConfigError
from playhead.output import Output


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Point(pydantic.BaseModel):
    """A place in the plane."""

    x: float
    y: float = 0.0


class Drawing(pydantic.BaseModel):
    title: str = pydantic.Field(description="In a few words.")
    colour: Colour
    origin: Point = pydantic.Field(description="Where it begins.")
    points: list[Point]
    style: Literal["thin", "thick"] = "thin"
    note: str | None = None
    size: Annotated[int, pydantic.Field(ge=1, le=10)]
    code: Annotated[str, pydantic.Field(pattern="^[a-z]+$")]
    parts: Annotated[list[str], pydantic.Field(min_length=1, max_length=3)]


class Cat(pydantic.BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(pydantic.BaseModel):
    kind: Literal["dog"]
    barks: bool


class Zoo(pydantic.BaseModel):
    animals: list[Cat | Dog]
    star: Cat | Dog | None = None


class Employee(pydantic.BaseModel):
    """Recursive, with words beside the references."""

    name: str
    boss: Employee | None = pydantic.Field(default=None, description="Who is asked.")
    closest: Employee = pydantic.Field(description="Who sits beside.")


class Empty(pydantic.BaseModel):
    pass


def native(hint: Any) -> tuple[dict[str, Any], bool]:
    response_format = Output(hint).plan("native").response_format
    assert response_format is not None
    return response_format["json_schema"]["schema"], response_format["json_schema"]["strict"]


def plain(schema: Any, inside: bool = False) -> Any:
    """A schema in one spelling: ours leaves titles and defaults out, and says `const` as an `enum`."""
    if isinstance(schema, list):
        return [plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if inside:
        return {name: plain(each) for name, each in schema.items()}
    said = {key: plain(value, key in ("properties", "$defs")) for key, value in schema.items()}
    if "const" in said:
        said["enum"] = [said.pop("const")]
    if "enum" in said:
        said["enum"] = sorted(said["enum"])
    if isinstance(said.get("description"), str):
        said["description"] = said["description"].partition(" (default: ")[0].partition("(default: ")[0]
    return {
        key: value
        for key, value in said.items()
        if key not in ("title", "default", "description") or (key == "description" and value)
    }


@pytest.mark.parametrize("model", [Person, Point, Drawing, Zoo, Tree, Empty], ids=lambda model: model.__name__)
def test_a_pydantic_models_strict_schema_is_the_one_that_openai_makes(model: Any) -> None:
    schema, strict = native(model)
    theirs = plain(to_strict_json_schema(model))
    ours = plain(schema)
    # Definitions that nothing refers to any more, since they are written out, are left out here.
    for name in set(theirs.get("$defs", {})) - set(ours.get("$defs", {})):
        assert f"#/$defs/{name}'" not in str(ours)
        del theirs["$defs"][name]
    if not theirs.get("$defs", True):
        del theirs["$defs"]
    assert strict
    assert ours == theirs


def test_a_recursive_reference_with_words_beside_it_comes_to_an_end() -> None:
    schema, strict = native(Employee)
    assert strict
    check(schema)
    closest = schema["properties"]["closest"]
    assert closest["description"] == "Who sits beside."
    assert closest["properties"]["closest"] == {"$ref": "#/$defs/Employee"}


@pytest.mark.parametrize(
    "hint",
    [Drawing, Zoo, Tree, Employee, list[Point], Cat | Dog, Colour, [Cat, Person, int]],
    ids=["plain", "unions", "tree", "recursive", "list", "union", "enum", "mixed"],
)
def test_every_strict_schema_keeps_the_rules(hint: Any) -> None:
    schema, strict = native(hint)
    assert strict
    assert schema["type"] == "object"
    check(schema)


_KNOWN = {
    *(
        "type",
        "description",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "anyOf",
        "$ref",
        "$defs",
    ),
    *("pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minItems", "maxItems"),
}


def check(schema: dict[str, Any]) -> None:
    """https://platform.openai.com/docs/guides/structured-outputs#supported-schemas"""
    assert schema.keys() <= _KNOWN
    if "$ref" in schema:
        assert schema.keys() == {"$ref"}
    if schema.get("type") == "object":
        assert schema["additionalProperties"] is False
        assert schema["required"] == list(schema["properties"])
    for inner in (
        *schema.get("properties", {}).values(),
        *schema.get("$defs", {}).values(),
        *schema.get("anyOf", ()),
        *((schema["items"],) if "items" in schema else ()),
    ):
        check(inner)


def test_what_cannot_be_held_to_is_told_in_the_description() -> None:
    class Named(pydantic.BaseModel):
        name: Annotated[str, pydantic.Field(min_length=2, description="A short one.")]
        tags: set[str] = set()
        count: int = 3

    schema, _ = native(Named)
    said = {name: each.get("description") for name, each in schema["properties"].items()}
    assert said == {
        "name": "A short one. (minLength: 2)",
        "tags": "(default: [], uniqueItems: true)",
        "count": "(default: 3)",
    }


class Open(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    name: str


@pytest.mark.parametrize(
    "hint",
    [dict[str, int], Any, list[Any], tuple[int, str], Team, Open],
    ids=["dict", "Any", "list", "tuple", "in", "open"],
)
def test_a_type_without_a_strict_form_goes_out_as_it_is(hint: Any) -> None:
    schema, strict = native(hint)
    response_format = Output(hint, strict=False).plan("native").response_format
    assert response_format is not None
    assert not strict
    assert schema == response_format["json_schema"]["schema"]


class Priced(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(regex_engine="python-re")

    price: Annotated[str, pydantic.Field(description="In euros.", pattern=r"^(?!0\d)\d+$")]
    code: Annotated[str, pydantic.Field(pattern=r"^(?:a|b)[?=]$")]


def test_a_pattern_that_looks_around_is_told_instead_since_openai_refuses_it() -> None:
    schema, strict = native(Annotated[Priced, "with words"])
    assert strict
    assert schema["properties"]["price"] == {
        "description": 'In euros. (pattern: "^(?!0\\\\d)\\\\d+$")',
        "type": "string",
    }
    assert schema["properties"]["code"]["pattern"] == "^(?:a|b)[?=]$"


def test_choices_of_several_types_name_their_types() -> None:
    schema, strict = native(Literal["a", 1])
    assert strict
    assert schema["properties"]["result"]["type"] == ["integer", "string"]


class Sparse(TypedDict, total=False):
    city: Required[str]
    people: int


class Lists(TypedDict, total=False):
    names: list[str]
    mayor: str | None


def test_nobody_has_to_make_up_a_value_for_what_may_be_left_out() -> None:
    schema, strict = native(Sparse)
    assert not strict
    assert schema["required"] == ["city"]
    assert native(Lists)[1], "there is a value that says nothing"
    with pytest.raises(ConfigError, match="`people` may be left out"):
        Output(Sparse, strict=True)
