"""Types of all kinds, what fits them, and what does not."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypedDict

import msgspec
import pydantic


class Person(pydantic.BaseModel):
    """Somebody."""

    name: str
    age: int


@dataclass
class Company:
    name: str
    staff: int = 0


class Place(TypedDict):
    city: str
    country: str


class Node(msgspec.Struct):
    value: int
    below: list[Node] = []


class Tree(pydantic.BaseModel):
    value: int
    below: list[Tree] = []


@dataclass
class Success:
    text: str


@dataclass
class Failure:
    text: str


@dataclass
class Team:
    lead: Company
    more: dict[str, int] = field(default_factory=dict[str, int])


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Kind(NamedTuple):
    """A type, JSON as a model writes it and the value that it is; JSON that does not fit, and what is said of it."""

    type: Any
    json: str
    value: Any
    wrong: str
    problem: str


KINDS: dict[str, Kind] = {
    "pydantic": Kind(
        Person,
        '{"name": "Ada", "age": 36}',
        Person(name="Ada", age=36),
        '{"name": "Ada", "age": "old"}',
        '`age`: expected a valid integer, got the string "old"',
    ),
    "dataclass": Kind(
        Company,
        '{"name": "Acme", "staff": 2.0}',
        Company("Acme", 2),
        '{"staff": 2}',
        "`name` is missing (string)",
    ),
    "TypedDict": Kind(
        Place,
        '{"city": "Lisboa", "country": "PT"}',
        {"city": "Lisboa", "country": "PT"},
        '{"city": null, "country": "PT"}',
        "`city`: expected a string, got null",
    ),
    "msgspec, recursive": Kind(
        Node,
        '{"value": 1, "below": [{"value": 2}]}',
        Node(1, [Node(2)]),
        '{"value": 1, "below": [{"value": true}]}',
        "`below[0].value`: expected an integer, got true",
    ),
    "pydantic, recursive": Kind(
        Tree,
        '{"value": 1, "below": [{"value": 2}]}',
        Tree(value=1, below=[Tree(value=2)]),
        '{"value": 1, "below": [{}]}',
        "`below[0].value` is missing (integer)",
    ),
    "nested, with any keys": Kind(
        Team,
        '{"lead": {"name": "Acme"}, "more": {"a": 1}}',
        Team(Company("Acme"), {"a": 1}),
        '{"lead": {"name": "Acme"}, "more": {"a": "b"}}',
        "`more[...]`: expected an integer, got a string",
    ),
    "enum": Kind(
        Colour,
        '{"result": "red"}',
        Colour.RED,
        '{"result": "green"}',
        '`result`: expected one of "blue", "red", got the string "green"',
    ),
    "Literal": Kind(
        Literal["yes", "no"],
        '{"result": "yes"}',
        "yes",
        '{"result": "maybe"}',
        '`result`: expected one of "no", "yes", got the string "maybe"',
    ),
    "list": Kind(
        list[int],
        '{"result": [1, 2]}',
        [1, 2],
        '{"result": [1, "two"]}',
        '`result[1]`: expected an integer, got the string "two"',
    ),
    "int": Kind(int, '{"result": 7}', 7, '{"result": 7.5}', "`result`: expected an integer, got the number 7.5"),
    "optional": Kind(
        int | None,
        '{"result": null}',
        None,
        '{"result": "7"}',
        'as int: `result`: expected an integer, got the string "7"',
    ),
    "union of types of all kinds": Kind(
        [Person, Company, Node],
        '{"result": {"Company": {"name": "Acme"}}}',
        Company("Acme"),
        '{"result": {"Company": {"name": 5}}}',
        "`result.Company.name`: expected a string, got the number 5",
    ),
    "union of twins": Kind(
        Success | Failure,
        '{"result": {"Failure": {"text": "no"}}}',
        Failure("no"),
        '{"result": {"Failure": {}}}',
        "`result.Failure.text` is missing (string)",
    ),
}
