"""Tools whose parameters are a JSON schema."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playhead.errors import ToolDefinitionError
from playhead.tools import Context, InvalidArguments, Tool, as_tool

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "where"},
        "days": {"type": "integer"},
        "unit": {"enum": ["C", "F"]},
        "near": {"anyOf": [{"$ref": "#/$defs/Place"}, {"type": "null"}]},
        "wind": {"type": ["number", "null"]},
        "level": {"anyOf": [{"type": "string"}, {"const": 1}]},
    },
    "required": ["city"],
    "additionalProperties": False,
    "$defs": {"Place": {"type": "object"}},
}


def weather(arguments: dict[str, Any]) -> dict[str, Any]:
    return arguments


forecast = Tool.from_schema(weather, name="forecast", description="The weather", parameters=SCHEMA, effect="read")


def test_the_model_is_told_the_schema_as_it_is() -> None:
    assert forecast.spec.parameters == SCHEMA
    assert (forecast.name, forecast.description, forecast.effect) == ("forecast", "The weather", "read")
    assert as_tool(forecast) is forecast
    assert repr(forecast) == "<Tool forecast(city, days, unit, near, wind, level)>"


def test_the_function_is_called_with_one_dict_of_what_the_model_sent() -> None:
    bound = forecast.bind('{"city": "Recife", "days": 2.0, "near": {"x": 1}, "wind": null}')
    assert bound == {"city": "Recife", "days": 2.0, "near": {"x": 1}, "wind": None}
    assert forecast.invoke(bound, Context()) == bound
    assert forecast({"city": "here"}) == {"city": "here"}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("{}", "`city` is missing (string, where)"),
        ('{"city": 3}', "`city`: expected a string, got the number 3"),
        ('{"city": "x", "days": 1.5}', "`days`: expected an integer, got the number 1.5"),
        ('{"city": "x", "days": true}', "`days`: expected an integer, got true"),
        ('{"city": "x", "unit": "K"}', '`unit`: expected one of "C", "F", got the string "K"'),
        ('{"city": "x", "wind": "2"}', '`wind`: expected a number or null, got the string "2"'),
        ('{"city": "x", "level": 2}', "`level`: expected a string, got the number 2"),
        ('{"city": "x", "level": true}', "`level`: expected a string, got true"),
        (
            '{"city": "x", "town": 1}',
            "`town` is not a parameter; the parameters are `city`, `days`, `unit`, `near`, `wind`, `level`",
        ),
    ],
    ids=["missing", "type", "fraction", "bool", "enum", "types", "alternatives", "true is not 1", "unknown"],
)
def test_what_is_wrong_is_told_in_words(arguments: str, problem: str) -> None:
    with pytest.raises(InvalidArguments) as caught:
        forecast.bind(arguments)
    assert problem in caught.value.problems
    assert not caught.value.malformed


def test_what_is_not_understood_is_the_functions_to_check() -> None:
    schema = {
        "properties": {
            "a": {"anyOf": [{"$ref": "#/definitions/X"}, {"type": "null"}]},
            "b": True,
            "c": {"type": "map"},
        },
        "required": ["d"],
    }
    made = Tool.from_schema(weather, name="odd", parameters=schema)
    given = '{"a": 1, "b": [], "c": 2, "d": 3, "e": 4}'
    assert made.bind(given) == {"a": 1, "b": [], "c": 2, "d": 3, "e": 4}
    with pytest.raises(InvalidArguments, match="`d` is missing"):
        made.bind("{}")


def test_a_pattern_may_allow_names() -> None:
    schema = {"type": "object", "patternProperties": {"^x-": {}, "(": {}}, "additionalProperties": False}
    broken = Tool.from_schema(weather, name="headers", parameters=schema)
    assert broken.bind('{"x-a": 1}') == {"x-a": 1}
    del schema["patternProperties"]["("]
    made = Tool.from_schema(weather, name="headers", parameters=schema)
    with pytest.raises(InvalidArguments, match="`y` is not a parameter"):
        made.bind('{"y": 1}')


json_values = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4)
)
small_schemas = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["string", "integer", "number", "null", "boolean", ["string", "null"]]),
        "enum": st.lists(json_values, min_size=1, max_size=3),
    },
)


@given(small_schemas, json_values)
def test_a_value_is_refused_only_where_the_standard_refuses_it(schema: dict[str, Any], value: Any) -> None:
    """Held against a validator of its own: JSON schema 2020-12, sections 6.1.1 and 6.1.2."""
    names = schema.get("type", [])
    names = [names] if isinstance(names, str) else names
    kinds = {
        "string": lambda: isinstance(value, str),
        "boolean": lambda: isinstance(value, bool),
        "null": lambda: value is None,
        "number": lambda: type(value) in (int, float),
        "integer": lambda: type(value) is int or (type(value) is float and value % 1 == 0),
    }
    allowed = schema.get("enum")
    fits = (not names or any(kinds[name]() for name in names)) and (
        allowed is None or any(each == value and (type(each) is bool) == (type(value) is bool) for each in allowed)
    )
    made = Tool.from_schema(weather, name="t", parameters={"properties": {"v": schema}})
    if fits:
        assert made._values({"v": value}) == {"v": value}
    else:
        with pytest.raises(InvalidArguments, match="`v`: expected"):
            made._values({"v": value})


def test_the_context_goes_to_whoever_asks_for_it() -> None:
    def by_place(arguments: dict[str, Any], ctx: Context[int]) -> tuple[Any, int]:
        return arguments, ctx.step

    async def by_name(arguments: dict[str, Any], *, ctx: Context | None) -> tuple[Any, int]:
        assert ctx is not None
        return arguments, ctx.step

    def unannotated(arguments, context):
        return arguments, context.step

    for function, takes in ((by_place, None), (by_name, None), (unannotated, True), (by_place, True)):
        made = Tool.from_schema(function, name="t", parameters={}, takes_context=takes)
        given = made.invoke({"a": 1}, Context(step=4))
        assert (asyncio.run(given) if made.is_async else given) == ({"a": 1}, 4)
        assert made.context_param in ("ctx", "context")


def test_a_second_parameter_that_is_something_else_is_left_to_its_default() -> None:
    def plain(arguments: dict[str, Any], retries: int = 3) -> int:
        return retries

    made = Tool.from_schema(plain, name="t", parameters={})
    assert made.context_param is None
    assert made.invoke({}, Context()) == 3


def test_partials_and_callable_objects_are_functions_too() -> None:
    async def ask(server: str, arguments: dict[str, Any], ctx: Context) -> str:
        return f"{server} {arguments['q']} {ctx.tool}"

    made = Tool.from_schema(functools.partial(ask, "shop"), name="ask", parameters={})
    assert made.is_async
    assert asyncio.run(made.invoke({"q": "tea"}, Context(tool="ask"))) == "shop tea ask"

    class Asker:
        async def __call__(self, arguments: dict[str, Any]) -> str:
            return arguments["q"]

    assert asyncio.run(Tool.from_schema(Asker(), name="ask", parameters={}).invoke({"q": "x"}, Context())) == "x"


def test_approval_and_reconciliation_get_the_same_dict() -> None:
    made = Tool.from_schema(
        weather,
        name="t",
        parameters={},
        approve=lambda arguments: arguments["amount"] > 10,
        reconcile=lambda arguments: f"was {arguments['amount']}",
    )
    assert asyncio.run(made.needs_approval({"amount": 11}, Context()))
    assert not asyncio.run(made.needs_approval({"amount": 9}, Context()))
    assert made.reconcile is not None
    assert made.reconcile.invoke(made.reconcile.select({"amount": 9}), Context()) == "was 9"


def test_a_schema_is_copied_and_completed() -> None:
    schema: dict[str, Any] = {"properties": {"a": {"type": "object", "properties": {"b": {}}}}}
    made = Tool.from_schema(weather, name="t", parameters=schema, strict=True)
    assert schema == {"properties": {"a": {"type": "object", "properties": {"b": {}}}}}
    assert made.parameters["type"] == "object"
    assert made.parameters["additionalProperties"] is False
    assert made.parameters["properties"]["a"]["additionalProperties"] is False
    assert Tool.from_schema(weather, name="t", parameters={}).parameters == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ([], "parameters is a JSON schema"),
        ({"type": "array"}, "of type object is expected"),
        ({"properties": []}, "properties is an object"),
        ({"required": "a"}, "required is an array"),
        ({"properties": {"a": object()}}, "is not JSON"),
    ],
    ids=["a list", "an array", "properties", "required", "no JSON"],
)
def test_what_is_no_schema_of_an_object_is_refused(parameters: Any, said: str) -> None:
    with pytest.raises(ToolDefinitionError, match=f"tool t: .*{said}"):
        Tool.from_schema(weather, name="t", parameters=parameters)


def test_what_cannot_be_called_so_is_refused() -> None:
    with pytest.raises(ToolDefinitionError, match="no second parameter for the context"):
        Tool.from_schema(weather, name="t", parameters={}, takes_context=True)
    with pytest.raises(ToolDefinitionError, match="cannot be a tool's name"):
        Tool.from_schema(weather, name="a tool", parameters={})
    with pytest.raises(ToolDefinitionError, match="made of a function"):
        Tool.from_schema(3, name="t", parameters={})  # type: ignore[arg-type]

    with pytest.raises(ToolDefinitionError, match="made from a schema"):
        Tool(forecast, retries=1)

    def generate(arguments: dict[str, Any]) -> Any:
        yield arguments

    with pytest.raises(ToolDefinitionError, match="it is a generator"):
        Tool.from_schema(generate, name="t", parameters={})


def test_a_missing_argument_of_several_types_is_told_in_words() -> None:
    schema = {"type": "object", "properties": {"a": {"type": ["string", "null"]}}, "required": ["a"]}
    raw = Tool.from_schema(lambda arguments: arguments, name="raw", parameters=schema)
    with pytest.raises(InvalidArguments, match=r"`a` is missing \(string or null\)"):
        raw.bind("{}")
