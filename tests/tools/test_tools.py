import asyncio
import datetime as dt
import enum
import functools
import inspect
import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Optional, Required, TypedDict

import annotated_types
import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playhead.errors import ToolDefinitionError
from playhead.messages import MediaPart, Message, TextPart, ToolSpec
from playhead.tools import Context, InvalidArguments, Tool, as_tool, result_text, split_result, tool


@tool
def add(a: int, b: int) -> int:
    """Add two numbers.

    Args:
        a: first number
        b: second number
    """
    return a + b


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Person:
    """Somebody."""

    name: str
    age: int = 30
    friends: list["Person"] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.age < 0:
            raise ValueError("nobody is younger than 0")


class Size(TypedDict, total=False):
    width: Required[int]
    title: str


class Point(NamedTuple):
    x: int
    y: int = 0


class Item(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    price: float = 0


class Model(pydantic.BaseModel):
    """A model."""

    number: int
    title: str = pydantic.Field("none", description="what it is called")
    inner: Optional["Model"] = None


@dataclass
class Holder:
    model: Model


def one(hint: Any, default: Any = inspect.Parameter.empty) -> Tool[..., Any]:
    """A tool with one parameter `x`, which it gives back."""

    def echo(x: Any) -> Any:
        return x

    if default is not inspect.Parameter.empty:
        echo.__defaults__ = (default,)
    echo.__annotations__["x"] = hint
    return tool(echo)


def value(hint: Any, given: Any) -> Any:
    return one(hint).bind(json.dumps({"x": given}))["x"]


def problem(made: Tool[..., Any], arguments: str) -> str:
    with pytest.raises(InvalidArguments) as caught:
        made.bind(arguments)
    assert len(caught.value.problems) == 1
    return caught.value.problems[0]


def schema_of(hint: Any) -> Any:
    return one(hint).parameters["properties"]["x"]


class TestDefinition:
    def test_a_tool_is_what_the_model_is_told_of_it(self) -> None:
        assert add.name == "add"
        assert add.description == "Add two numbers"
        assert add.effect == "once"
        assert add.spec == ToolSpec("add", "Add two numbers", add.parameters)
        assert json.dumps(add.parameters) == (
            '{"properties": {"a": {"description": "first number", "type": "integer"}, '
            '"b": {"description": "second number", "type": "integer"}}, '
            '"required": ["a", "b"], "type": "object"}'
        )

    def test_a_tool_is_still_the_function(self) -> None:
        assert add(2, 3) == 5
        assert add.__name__ == "add"
        assert (add.__doc__ or "").startswith("Add two numbers.")
        assert list(inspect.signature(add).parameters) == ["a", "b"]
        assert repr(add) == "<Tool add(a, b)>"

    def test_everything_can_be_said_in_the_decorator(self) -> None:
        @tool(name="plus-1", description="One more.", effect="read")
        def f(a: int) -> int:
            return a + 1

        assert (f.name, f.description, f.effect) == ("plus-1", "One more.", "read")
        assert f(1) == 2

    def test_the_effect_is_one_of_three(self) -> None:
        with pytest.raises(ToolDefinitionError, match=r"tool f: effect is one of read, idempotent, once, not 'x'"):
            tool(lambda: 1, name="f", effect="x")

    def test_no_parameters_and_no_docstring_are_fine(self) -> None:
        @tool
        def now() -> str:
            return "now"

        assert now.parameters == {"properties": {}, "type": "object"}
        assert now.description == ""
        assert now.bind("") == {}

    @pytest.mark.parametrize("name", ["<lambda>", "añadir", "a b", "", "x" * 65, "a\n"])
    def test_a_name_that_providers_refuse_is_refused(self, name: str) -> None:
        def f() -> None: ...

        f.__name__ = name
        with pytest.raises(ToolDefinitionError, match=r'Give it one: tool\(\.\.\., name="\.\.\."\)'):
            tool(f)
        assert tool(f, name="ok").name == "ok"
        with pytest.raises(ToolDefinitionError):
            tool(add, name=name)

    def test_star_args_are_refused_with_advice(self) -> None:
        def f(*numbers: int, **options: int) -> None: ...

        with pytest.raises(ToolDefinitionError, match=r"tool f: .*\*numbers: int.*`numbers: list\[str\]`"):
            tool(f)

    def test_star_star_kwargs_are_refused_with_advice(self) -> None:
        def f(**options: int) -> None: ...

        with pytest.raises(ToolDefinitionError, match=r"tool f: .*\*\*options: int.*`options: dict\[str, str\]`"):
            tool(f)

    def test_an_annotation_that_names_nothing_is_refused(self) -> None:
        def f(a: int, p: "Nowhere") -> None: ...  # noqa: F821

        with pytest.raises(ToolDefinitionError, match=r"tool f: the annotation of p, 'Nowhere'.*TYPE_CHECKING"):
            tool(f)

    def test_a_broken_annotation_is_refused(self) -> None:
        def f(a: "1 +") -> None: ...  # noqa: F722

        with pytest.raises(ToolDefinitionError, match=r"tool f: the annotation of a, '1 \+'"):
            tool(f)

    @pytest.mark.parametrize(
        "hint",
        [complex, Callable[[int], int], range, dict[str, int] | Person, type[int], list[Path], Any | complex],
    )
    def test_a_type_that_json_cannot_say_is_refused(self, hint: Any) -> None:
        with pytest.raises(ToolDefinitionError, match=r"tool echo: the type of x, .*, cannot be told to a model"):
            one(hint)

    def test_the_return_annotation_does_not_matter(self) -> None:
        def f(a: int) -> "Nowhere":  # noqa: F821
            raise NotImplementedError

        assert tool(f).name == "f"

    def test_an_annotation_may_name_what_is_local_to_the_definition(self) -> None:
        @dataclass
        class Local:
            n: int

        @tool
        def f(x: "Local", y: "list[Local]") -> Any:
            return x, y

        @tool(name="g")
        def g(x: "Local") -> Any:
            return x

        assert f.bind('{"x": {"n": 1}, "y": []}') == {"x": Local(1), "y": []}
        assert g.bind('{"x": {"n": 1}}') == {"x": Local(1)}

    def test_an_annotation_may_name_what_the_function_closes_over(self) -> None:
        def make() -> Callable[..., Any]:
            @dataclass
            class Local:
                n: int

            def f(x: "Local") -> Any:
                return Local, x

            return f

        assert as_tool(make()).bind('{"x": {"n": 1}}')["x"]

    def test_what_is_local_to_another_place_is_not_taken(self) -> None:
        scope: dict[str, Any] = {"date": dt.date}
        exec("def f(date: 'date'): return date", scope)
        date = "another thing of that name"
        assert tool(scope["f"]).bind('{"date": "2024-05-31"}') == {"date": dt.date(2024, 5, 31)}, date

    @pytest.mark.parametrize("thing", [int, 3, None, "add", classmethod(len)])
    def test_only_functions_and_the_like_become_tools(self, thing: Any) -> None:
        with pytest.raises(ToolDefinitionError, match="a tool is made of a function"):
            as_tool(thing)

    def test_a_builtin_without_a_signature_is_refused(self) -> None:
        with pytest.raises(ToolDefinitionError, match=r"Wrap it in a function of your own"):
            as_tool(getattr)

    def test_generators_are_refused(self) -> None:
        def f() -> Any:
            yield 1

        async def g() -> Any:
            yield 1

        for each in (f, g):
            with pytest.raises(ToolDefinitionError, match="return a list instead"):
                tool(each)

    def test_a_pydantic_field_as_default_is_refused_with_advice(self) -> None:
        def f(a: int = pydantic.Field(3, description="a")) -> None: ...

        with pytest.raises(ToolDefinitionError, match=r"`a: Annotated\[int, Field\(\.\.\.\)\] = \.\.\.`"):
            tool(f)


class TestThingsThatBecomeTools:
    def test_a_tool_is_itself(self) -> None:
        assert as_tool(add) is add

    def test_a_tool_can_be_made_anew_with_other_words(self) -> None:
        @tool
        async def wait(n: int, ctx: Context) -> int:
            """Wait."""
            return n

        made = tool(wait, name="wait2", effect="read")
        assert (made.name, made.description, made.effect) == ("wait2", "Wait", "read")
        assert made.is_async
        assert made.function is wait.function
        assert wait.effect == "once"
        assert as_tool(functools.partial(wait, 1)).is_async
        assert asyncio.run(as_tool(functools.partial(wait, 1)).invoke({}, Context())) == 1

    def test_a_function_with_pep_563_annotations(self) -> None:
        scope: dict[str, Any] = {}
        exec(
            "from __future__ import annotations\nfrom playhead.tools import Context\n"
            "def f(a: int, ctx: Context | None, b: list[float] = []): return a, b, ctx",
            scope,
        )
        made = as_tool(scope["f"])
        assert made.context_param == "ctx"
        assert made.parameters["properties"]["b"] == {
            "default": [],
            "items": {"type": "number"},
            "type": "array",
        }

    def test_a_bound_method(self) -> None:
        class Shop:
            def price(self, item: str) -> str:
                """Look up a price."""
                return f"{item}!"

        made = as_tool(Shop().price)
        assert (made.name, made.description) == ("price", "Look up a price")
        assert list(made.parameters["properties"]) == ["item"]
        assert made.invoke(made.bind('{"item": "tea"}'), Context()) == "tea!"

    def test_a_method_that_was_decorated_in_its_class(self) -> None:
        class Shop:
            def __init__(self, sign: str) -> None:
                self.sign = sign

            @tool(effect="read")
            def price(self, item: str, *, ctx: Context) -> str:
                return item + self.sign + ctx.call_id

            @staticmethod
            @tool
            def twice(n: int) -> int:
                return 2 * n

            @classmethod
            @tool
            def kind(cls, n: int) -> str:
                return cls.__name__ * n

        made = as_tool(Shop("?").price)
        assert made.effect == "read"
        assert list(made.parameters["properties"]) == ["item"]
        assert made.invoke({"item": "tea"}, Context(call_id="7")) == "tea?7"
        assert Shop("!").price("tea", ctx=Context()) == "tea!"
        assert list(inspect.signature(made).parameters) == ["item", "ctx"]
        assert as_tool(Shop.twice).invoke({"n": 2}, Context()) == 4
        assert as_tool(Shop.kind).invoke({"n": 2}, Context()) == "ShopShop"
        assert "cls" not in as_tool(Shop.kind).parameters["properties"]
        with pytest.raises(ToolDefinitionError, match=r"tool price: it is a method without its object.*thing\.price"):
            as_tool(Shop.price)

    def test_a_callable_object(self) -> None:
        @dataclass
        class Search:
            key: str = "secret"

            def __call__(self, words: str) -> str:
                return self.key + words

        class Async:
            """Wait for something."""

            async def __call__(self, n: int) -> int:
                """
                Args:
                    n: how long
                """
                return n

        made = as_tool(Search("k"))
        assert (made.name, made.description, made.is_async) == ("Search", "", False)
        assert made.invoke({"words": "w"}, Context()) == "kw"
        assert as_tool(Async()).is_async
        assert as_tool(Async()).parameters["properties"]["n"]["description"] == "how long"

    def test_a_partial_hides_what_it_fixes(self) -> None:
        def power(base: int, exponent: int, label: str = "") -> str:
            """Raise a number."""
            return f"{base**exponent}{label}"

        made = as_tool(functools.partial(power, exponent=2))
        assert (made.name, made.description) == ("power", "Raise a number")
        assert list(made.parameters["properties"]) == ["base", "label"]
        assert made.invoke({"base": 3, "label": "!"}, Context()) == "9!"
        assert list(as_tool(functools.partial(power, 2)).parameters["properties"]) == ["exponent", "label"]

    def test_a_wrapped_function(self) -> None:
        def log(function: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(function)
            def inner(*args: Any, **kwargs: Any) -> Any:
                return function(*args, **kwargs)

            return inner

        @tool
        @log
        def f(a: int, ctx: Context) -> Any:
            """Do it."""
            return a, ctx.step

        assert f.description == "Do it"
        assert f.invoke({"a": 1}, Context(step=4)) == (1, 4)

    def test_a_coroutine_function(self) -> None:
        @tool
        async def wait(n: int, ctx: Context) -> int:
            return n + ctx.step

        assert wait.is_async
        assert not add.is_async
        assert asyncio.run(wait(1, Context())) == 1
        assert asyncio.run(wait.invoke({"n": 1}, Context(step=2))) == 3
        assert as_tool(functools.partial(wait.function, 1)).is_async


class TestContext:
    @pytest.mark.parametrize(
        "hint",
        [
            Context,
            Context | None,
            Annotated[Context | None, "x"],
            Annotated[Context, "x"],
            "Context",
            "None | Context",
        ],
    )
    def test_a_parameter_of_its_type_gets_it(self, hint: Any) -> None:
        def f(anything: Any, n: int) -> Any:
            return anything, n

        f.__annotations__["anything"] = hint
        made = tool(f)
        context = Context(lane="root/0.f", call_id="c", tool="f", step=2, messages=(Message("user"),))
        assert made.context_param == "anything"
        assert list(made.parameters["properties"]) == ["n"]
        assert made.invoke({"n": 1}, context) == (context, 1)
        assert "is not a parameter" in problem(made, '{"n": 1, "anything": {}}')

    def test_it_may_stand_anywhere(self) -> None:
        def first(ctx: Context, /, a: int, *, b: int = 2) -> Any:
            return ctx.step, a, b

        def last(a: int = 1, /, b: int = 2, *, ctx: Context) -> Any:
            return ctx.step, a, b

        assert tool(first).invoke({"a": 1}, Context(step=9)) == (9, 1, 2)
        assert tool(last).invoke({"b": 5}, Context(step=9)) == (9, 1, 5)

    def test_two_are_one_too_many(self) -> None:
        def f(a: Context, b: Context | None) -> None: ...

        with pytest.raises(ToolDefinitionError, match=r"tool f: a and b both ask for the context"):
            tool(f)

    def test_positional_only_parameters_are_passed_by_place(self) -> None:
        @tool
        def f(a: int, b: int = 2, c: int = 3, /, d: int = 4) -> Any:
            return a, b, c, d

        assert f.invoke(f.bind('{"a": 1, "c": 5, "d": 6}'), Context()) == (1, 2, 5, 6)
        with pytest.raises(TypeError, match="missing"):
            f.invoke({}, Context())


class TestSchema:
    @pytest.mark.parametrize(
        ("hint", "expected"),
        [
            (int, {"type": "integer"}),
            (float, {"type": "number"}),
            (str, {"type": "string"}),
            (bool, {"type": "boolean"}),
            (None, {"type": "null"}),
            (Any, {}),
            (object, {}),
            (dict[str, object], {"type": "object", "additionalProperties": {}}),
            (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
            (Optional[str], {"anyOf": [{"type": "string"}, {"type": "null"}]}),  # noqa: UP045
            (Literal["a", "b"], {"enum": ["a", "b"], "type": "string"}),
            (Literal[1, 2], {"enum": [1, 2], "type": "integer"}),
            (Literal["a", None], {"enum": [None, "a"]}),  # noqa: PYI061
            (list, {"type": "array"}),
            (list[int], {"type": "array", "items": {"type": "integer"}}),
            (Sequence[int], {"type": "array", "items": {"type": "integer"}}),
            (set[str], {"type": "array", "items": {"type": "string"}, "uniqueItems": True}),
            (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
            (dt.datetime, {"type": "string", "format": "date-time"}),
            (dt.datetime | None, {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}),
            (dt.date, {"type": "string", "format": "date"}),
            (uuid.UUID, {"type": "string", "format": "uuid"}),
            (Decimal, {"type": "string", "format": "decimal"}),
            (Annotated[int, "first"], {"type": "integer", "description": "first"}),
            (
                Annotated[int, msgspec.Meta(description="first", ge=0)],
                {"type": "integer", "description": "first", "minimum": 0},
            ),
            (
                Annotated[int, pydantic.Field(description="first", ge=0, lt=9)],
                {"type": "integer", "description": "first", "minimum": 0, "exclusiveMaximum": 9},
            ),
            (
                Annotated[str, pydantic.Field(max_length=3, pattern="^a")],
                {"type": "string", "maxLength": 3, "pattern": "^a"},
            ),
            (
                Annotated[int, annotated_types.Gt(0), annotated_types.MultipleOf(2)],
                {"type": "integer", "exclusiveMinimum": 0, "multipleOf": 2},
            ),
            (
                list[Annotated[str, "a word", annotated_types.Len(1, 9)]],
                {
                    "type": "array",
                    "items": {"type": "string", "description": "a word", "minLength": 1, "maxLength": 9},
                },
            ),
        ],
    )
    def test_types_have_their_schema(self, hint: Any, expected: Any) -> None:
        assert schema_of(hint) == expected

    def test_an_annotation_with_doc_describes(self) -> None:
        class Doc:
            def __init__(self, documentation: str) -> None:
                self.documentation = documentation

        assert schema_of(Annotated[int, Doc("first.")]) == {"type": "integer", "description": "first."}

    def test_no_annotation_is_any_json(self) -> None:
        @tool
        def f(x):
            return x

        assert f.parameters == {"properties": {"x": {}}, "required": ["x"], "type": "object"}
        assert f.bind('{"x": [1, {"a": null}]}') == {"x": [1, {"a": None}]}

    def test_annotated_wins_over_the_docstring(self) -> None:
        @tool
        def f(
            a: Annotated[int, "from the hint."], b: int, c: Annotated[int, msgspec.Meta(description="meta")]
        ) -> None:
            """Do.

            Args:
                a: from the docstring
                b: from the docstring.
                c: from the docstring
                d: there is no such parameter
            """

        described = {name: each["description"] for name, each in f.parameters["properties"].items()}
        assert described == {"a": "from the hint.", "b": "from the docstring", "c": "meta"}

    @pytest.mark.parametrize(
        ("hint", "default", "expected"),
        [
            (int, 3, 3),
            (int | None, None, None),
            (Color, Color.BLUE, "blue"),
            (list[int], [], []),
            (tuple[int, ...], (1, 2), [1, 2]),
            (dt.date, dt.date(2024, 5, 31), "2024-05-31"),
            (Person, Person("Ada"), {"name": "Ada", "age": 30, "friends": []}),
            (Model, Model(number=1), {"number": 1, "title": "none", "inner": None}),
        ],
    )
    def test_a_default_is_told(self, hint: Any, default: Any, expected: Any) -> None:
        made = one(hint, default)
        assert made.parameters["properties"]["x"]["default"] == expected
        assert "required" not in made.parameters
        assert made.bind("{}") == {}

    @pytest.mark.parametrize(("hint", "default"), [(Any, object()), (float, float("inf")), (int, None)])
    def test_a_default_that_json_or_the_type_does_not_know_is_not_told(self, hint: Any, default: Any) -> None:
        assert "default" not in one(hint, default).parameters["properties"]["x"]

    def test_definitions_are_hoisted_without_titles(self) -> None:
        @tool
        def f(person: Person, others: list[Person], color: Color, size: Size, point: Point, item: Item) -> None:
            """Do.

            Args:
                person: who
            """

        assert f.parameters["$defs"]["Person"] == {
            "description": "Somebody.",
            "properties": {
                "name": {"type": "string"},
                "age": {"default": 30, "type": "integer"},
                "friends": {"items": {"$ref": "#/$defs/Person"}, "type": "array"},
            },
            "required": ["name"],
            "type": "object",
        }
        assert f.parameters["$defs"]["Size"]["properties"] == {
            "width": {"type": "integer"},
            "title": {"type": "string"},
        }
        assert f.parameters["$defs"]["Color"] == {"enum": ["blue", "red"], "type": "string"}
        assert list(f.parameters["$defs"]) == ["Person", "Color", "Size", "Point", "Item"]
        assert f.parameters["properties"]["person"] == {"$ref": "#/$defs/Person", "description": "who"}
        assert f.parameters["properties"]["others"] == {"items": {"$ref": "#/$defs/Person"}, "type": "array"}

    def test_definitions_of_one_name_stay_apart(self) -> None:
        def other() -> type:
            @dataclass
            class Person:
                email: str
                boss: Optional["Any"] = None

            return Person

        first, second = Person, other()

        def f(a: Any, b: Any, c: Any) -> None: ...

        f.__annotations__ |= {"a": first, "b": list[second], "c": second}
        schema = tool(f).parameters
        assert list(schema["$defs"]) == ["Person", "Person2"]
        assert schema["properties"]["a"] == {"$ref": "#/$defs/Person"}
        assert schema["properties"]["b"]["items"] == {"$ref": "#/$defs/Person2"}
        assert schema["properties"]["c"] == {"$ref": "#/$defs/Person2"}
        assert "email" in schema["$defs"]["Person2"]["properties"]

    def test_a_pydantic_model_has_its_schema(self) -> None:
        schema = one(list[Model] | None).parameters
        assert schema["properties"]["x"] == {
            "anyOf": [{"items": {"$ref": "#/$defs/Model"}, "type": "array"}, {"type": "null"}]
        }
        assert schema["$defs"]["Model"] == {
            "description": "A model.",
            "properties": {
                "number": {"type": "integer"},
                "title": {"default": "none", "description": "what it is called", "type": "string"},
                "inner": {"anyOf": [{"$ref": "#/$defs/Model"}, {"type": "null"}], "default": None},
            },
            "required": ["number"],
            "type": "object",
        }


class TestBind:
    def test_good_arguments_become_values(self) -> None:
        assert add.bind('{"a": 1, "b": 2}') == {"a": 1, "b": 2}
        assert add.invoke(add.bind('{"a": 1, "b": 2}'), Context()) == 3

    @pytest.mark.parametrize("text", ["", " ", "\n\t", "{}"])
    def test_no_text_is_no_arguments(self, text: str) -> None:
        assert one(int, 3).bind(text) == {}

    def test_the_last_of_equal_keys_wins(self) -> None:
        assert add.bind('{"a": 1, "b": 2, "a": 3}') == {"a": 3, "b": 2}

    @pytest.mark.parametrize(
        ("hint", "given", "expected"),
        [
            (int, 2.0, 2),
            (float, 2, 2.0),
            (list[int], [1.0, 2], [1, 2]),
            (dict[str, int | str], {"a": 1.0, "b": "x"}, {"a": 1, "b": "x"}),
            (Any, 2.0, 2.0),
            (dt.datetime, "2024-05-31T12:30:00Z", dt.datetime(2024, 5, 31, 12, 30, tzinfo=dt.UTC)),
            (dt.date, "2024-05-31", dt.date(2024, 5, 31)),
            (uuid.UUID, "12345678-1234-5678-1234-567812345678", uuid.UUID("12345678-1234-5678-1234-567812345678")),
            (Decimal, "1.10", Decimal("1.10")),
            (bytes, "aGk=", b"hi"),
            (Color, "red", Color.RED),
            (Literal["a", 1], 1, 1),
            (set[int], [1, 1], {1}),
            (tuple[int, str], [1, "a"], (1, "a")),
            (dict[int, str], {"1": "a"}, {1: "a"}),
            (Person, {"name": "Ada", "age": 36.0}, Person("Ada", 36)),
            (Size, {"width": 1}, {"width": 1}),
            (Point, [1], Point(1)),
            (Item, {"name": "tea", "price": 2}, Item("tea", 2.0)),
            (Model, {"number": 2.0}, Model(number=2)),
            (
                list[Model] | None,
                [{"number": 1, "inner": {"number": 2}}],
                [Model(number=1, inner=Model(number=2))],
            ),
            (Holder, {"model": {"number": 1}}, Holder(Model(number=1))),
            (Model | Person, {"name": "Ada"}, Person("Ada")),
        ],
    )
    def test_json_becomes_what_the_hint_says(self, hint: Any, given: Any, expected: Any) -> None:
        found = value(hint, given)
        assert found == expected
        assert type(found) is type(expected)

    @pytest.mark.parametrize(
        ("hint", "given", "expected"),
        [
            (int, "two", '`x`: expected an integer, got the string "two"'),
            (int, "2", '`x`: expected an integer, got the string "2"'),
            (int, 2.5, "`x`: expected an integer, got the number 2.5"),
            (int, True, "`x`: expected an integer, got true"),
            (int, None, "`x`: expected an integer, got null"),
            (int, [1], "`x`: expected an integer, got an array of length 1"),
            (str, 3, "`x`: expected a string, got the number 3"),
            (str, {}, "`x`: expected a string, got an object"),
            (bool, "yes", '`x`: expected true or false, got the string "yes"'),
            (int | None, "x", '`x`: expected an integer or null, got the string "x"'),
            (str, ["x"], "`x`: expected a string, got an array of length 1"),
            (list[int], [1, "a" * 99], f'`x[1]`: expected an integer, got the string "{"a" * 60}…"'),
            (dict[str, int], {"k": "x"}, "`x[...]`: expected an integer, got a string"),
            (dict[int, int], {"k": 1}, "a key of `x`: expected an integer, got a string"),
            (tuple[int, str], [1], "`x`: expected an array of length 2, got an array of length 1"),
            (Annotated[int, msgspec.Meta(ge=0)], -1, "`x`: expected an integer >= 0, got the number -1"),
            (
                Annotated[str, pydantic.Field(max_length=2)],
                "abc",
                '`x`: expected a string of length <= 2, got the string "abc"',
            ),
            (Color, "green", '`x`: expected one of "blue", "red", got the string "green"'),
            (Color, 3, '`x`: expected one of "blue", "red", got the number 3'),
            (Literal["a"], "b", '`x`: expected "a", got the string "b"'),
            (Literal["a"] | None, "b", '`x`: expected one of "a", null, got the string "b"'),
            (dt.date, "soon", '`x`: expected a date such as "2024-05-31", got the string "soon"'),
            (uuid.UUID, "soon", '`x`: expected a UUID, got the string "soon"'),
            (Person, {"name": "Ada", "age": "x"}, '`x.age`: expected an integer, got the string "x"'),
            (Person, {"age": 1}, "`x.name` is missing (string)"),
            (Person, {"name": "Ada", "age": -1}, "`x`: nobody is younger than 0"),
            (
                Person,
                {"name": "Ada", "friends": [{"name": "B"}, {"name": 2}]},
                "`x.friends[1].name`: expected a string, got the number 2",
            ),
            (list[Item], [{"name": "a", "cost": 1}], "`x[0].cost` is not a field; the fields are `name`, `price`"),
            (Model, {"number": "2"}, '`x.number`: expected a valid integer, got the string "2"'),
            (list[Model], [{"number": 1}, {}], "`x[1].number` is missing (integer)"),
            (Holder, {"model": {"number": None}}, "`x.model.number`: expected a valid integer, got null"),
        ],
    )
    def test_a_value_that_does_not_fit_is_explained(self, hint: Any, given: Any, expected: str) -> None:
        assert problem(one(hint), json.dumps({"x": given})) == expected

    def test_all_problems_come_at_once(self) -> None:
        with pytest.raises(InvalidArguments) as caught:
            add.bind('{"a": "two", "c": 3}')
        assert caught.value.problems == (
            "`c` is not a parameter; the parameters are `a`, `b`",
            '`a`: expected an integer, got the string "two"',
            "`b` is missing (integer, second number)",
        )
        assert str(caught.value) == (
            "- `c` is not a parameter; the parameters are `a`, `b`\n"
            '- `a`: expected an integer, got the string "two"\n'
            "- `b` is missing (integer, second number)\n"
            "Call add again with the right arguments."
        )

    def test_all_problems_of_a_pydantic_model_come_at_once(self) -> None:
        with pytest.raises(InvalidArguments) as caught:
            one(Model).bind('{"x": {"title": 3, "inner": {"number": "x"}}}')
        assert caught.value.problems == (
            "`x.number` is missing (integer)",
            "`x.title`: expected a valid string, got the number 3",
            '`x.inner.number`: expected a valid integer, got the string "x"',
        )

    def test_the_words_of_a_validator_are_kept(self) -> None:
        class Even(pydantic.BaseModel):
            n: int

            @pydantic.field_validator("n")
            @classmethod
            def check(cls, n: int) -> int:
                if n % 2:
                    raise ValueError("n is odd")
                return n

        assert problem(one(Even), '{"x": {"n": 3}}') == "`x.n`: n is odd"

    def test_a_validator_that_breaks_is_a_problem_too(self) -> None:
        @dataclass
        class Odd:
            n: int

            def __post_init__(self) -> None:
                raise KeyError("nothing here")

        assert "nothing here" in problem(one(Odd), '{"x": {"n": 3}}')

    def test_a_missing_choice_lists_the_choices(self) -> None:
        assert problem(one(Color), "{}") == '`x` is missing (one of "blue", "red")'

    def test_a_tool_without_parameters_says_so(self) -> None:
        assert problem(tool(lambda: 1, name="f"), '{"a": 1}') == "`a` is not a parameter; there are none"

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ('{"a":', "the arguments are not valid JSON: they end too early (at character 6). "),
            ('{"é": x}', "the arguments are not valid JSON: invalid character (at character 7). "),
            ('{"a": 1,}', "the arguments are not valid JSON: trailing comma in object (at character 9). "),
            ('{"a": NaN}', "the arguments are not valid JSON: invalid character (at character 7). "),
            ('{"a": 1e999}', "the arguments are not valid JSON: number out of range"),
            ("{'a': 1}", "the arguments are not valid JSON: object keys must be strings (at character 2). "),
            ('{"a": "\ud800"}', "the arguments are not valid JSON: half of a surrogate pair (at character 8). "),
            (
                '{"a": "\\ud800"}',
                "the arguments are not valid JSON: half of a surrogate pair, or they end too early. ",
            ),
            ("[" * 100_000, "the arguments are not valid JSON: they are nested too deeply. "),
            ("[1]", "the arguments are not a JSON object, but an array of length 1. "),
            ('"a"', 'the arguments are not a JSON object, but the string "a". '),
            ("null", "the arguments are not a JSON object, but null. "),
        ],
    )
    def test_what_is_no_json_object_is_explained(self, text: str, expected: str) -> None:
        found = problem(add, text)
        assert found.startswith(expected)
        assert found.endswith("Send one JSON object.")

    def test_deep_values_are_refused_or_passed_on(self) -> None:
        for hint in (Any, int, Person, Model, list[Any]):
            for depth in (50, 5_000, 500_000):
                deep = '{"x": ' + '{"inner":' * depth + "[]" + "}" * depth + "}"
                try:
                    one(hint).bind(deep)
                except InvalidArguments:
                    continue


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["name", "x", "a"]), inner),
    max_leaves=8,
)


@tool
def everything(
    a: int,
    person: Person,
    model: Model,
    color: Color,
    point: Point,
    items: list[Item],
    counts: dict[int, float],
    when: dt.datetime,
    money: Decimal = Decimal(0),
    either: Literal["a", 1] | None = None,
    small: Annotated[int, pydantic.Field(ge=0, le=5)] = 0,
    many: set[str] = frozenset(),
    x: Any = None,
) -> None: ...


anything = one(Any)


class TestFuzz:
    @given(st.text() | st.text(alphabet='{}[]",:\\u0123456789dDaeE+-. truefalsn\ud800'))
    def test_any_text_binds_or_is_refused(self, text: str) -> None:
        self.check(text)

    @given(st.dictionaries(st.sampled_from(list(everything.parameters["properties"])) | st.text(), JSON))
    def test_any_json_binds_or_is_refused(self, arguments: dict[str, Any]) -> None:
        self.check(json.dumps(arguments))
        self.check(json.dumps(arguments, ensure_ascii=False))

    def check(self, text: str) -> None:
        for made in (everything, add, anything):
            try:
                made.bind(text)
            except InvalidArguments as error:
                str(error).encode()

    @given(JSON)
    def test_any_value_has_a_text(self, value: Any) -> None:
        result_text(value).encode()


class TestResults:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("plain\n", "plain\n"),
            ("", ""),
            (None, "null"),
            (True, "true"),
            (3, "3"),
            (0.5, "0.5"),
            (float("nan"), "nan"),
            ({"a": [1, "é"]}, '{"a":[1,"é"]}'),
            ((1, 2), "[1,2]"),
            (Person("Ada"), '{"name":"Ada","age":30,"friends":[]}'),
            (Item("tea"), '{"name":"tea","price":0}'),
            (Point(1), "[1,0]"),
            (Color.RED, '"red"'),
            (enum.StrEnum("Word", {"A": "a"})("a"), "a"),
            ({"m": Model(number=1)}, '{"m":{"number":1,"title":"none","inner":null}}'),
            (Model(number=1), '{"number":1,"title":"none","inner":null}'),
            ([Holder(Model(number=1))], '[{"model":{"number":1,"title":"none","inner":null}}]'),
            (dt.date(2024, 5, 31), '"2024-05-31"'),
            (Decimal("1.10"), '"1.10"'),
            (b"hi", '"aGk="'),
            (Path("a"), "a"),
            ([Path("a"), {"p": Path("b")}], '["a",{"p":"b"}]'),
            (1 + 2j, "(1+2j)"),
            (Model, str(Model)),
            ("half \ud800!", "half �!"),
            ("\ud83d\ude00", "😀"),
            (["\ud800"], r"['\ud800']"),
        ],
    )
    def test_a_result_has_a_text(self, given: Any, expected: str) -> None:
        assert result_text(given) == expected

    def test_a_result_that_holds_itself_has_a_text(self) -> None:
        ring: list[Any] = []
        ring.append(ring)
        assert result_text(ring) == "[[...]]"

    def test_media_is_split_from_text(self) -> None:
        picture, sound = MediaPart("image/png", b"1"), MediaPart("audio/wav", url="https://x")
        assert split_result(picture) == ("", (picture,))
        assert split_result(["two", picture, TextPart("lines"), sound, {"a": 1}]) == (
            'two\nlines\n{"a":1}',
            (picture, sound),
        )
        assert split_result((picture,)) == ("", (picture,))

    def test_a_result_without_media_is_its_text(self) -> None:
        assert split_result(["a", 1]) == ('["a",1]', ())
        assert split_result("a") == ("a", ())
        assert split_result([]) == ("[]", ())


def test_pydantic_is_not_imported_for_those_who_do_not_use_it() -> None:
    code = (
        "import sys, datetime\nfrom playhead.tools import tool, Context, result_text\n"
        "@tool\ndef f(a: int, b: list[datetime.date], ctx: Context): ...\n"
        'f.bind(\'{"a": 1, "b": []}\'); result_text(object())\n'
        "sys.exit('pydantic' in sys.modules or 'asyncio' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_annotated_takes_what_only_others_understand() -> None:
    class Cat(pydantic.BaseModel):
        kind: Literal["cat"]

    class Dog(pydantic.BaseModel):
        kind: Literal["dog"]

    def meet(pet: Annotated[Cat | Dog, pydantic.Field(discriminator="kind")], times: Annotated[int, object()]) -> str:
        return f"{pet!r} {times}"

    found = as_tool(meet)
    assert found.bind('{"pet": {"kind": "dog"}, "times": 2}') == {"pet": Dog(kind="dog"), "times": 2}
    assert found.parameters["properties"]["times"] == {"type": "integer"}
