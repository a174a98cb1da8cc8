"""What can be said of how a tool is run."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from playhead.errors import ToolDefinitionError
from playhead.tools import Context, Tool, as_tool, tool


def work(x: int) -> int:
    return x


def test_a_tool_has_what_was_said_of_it() -> None:
    @tool(effect="read", timeout=2, retries=3, approve=True, background=True, strict=True)
    def fetch(url: str) -> str:
        return url

    assert (fetch.timeout, fetch.retries, fetch.approve, fetch.background, fetch.strict) == (2, 3, True, True, True)
    assert fetch.spec.strict is True
    plain = as_tool(work)
    assert (plain.timeout, plain.retries, plain.approve, plain.background) == (None, 0, False, False)
    assert plain.spec.strict is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"timeout": 0}, "seconds above 0"),
        ({"timeout": -1.5}, "seconds above 0"),
        ({"timeout": float("nan")}, "seconds above 0"),
        ({"timeout": float("inf")}, "seconds above 0"),
        ({"timeout": "3"}, "seconds above 0"),
        ({"timeout": True}, "seconds above 0"),
        ({"retries": -1, "effect": "read"}, "0 or more"),
        ({"retries": 1.0, "effect": "read"}, "0 or more"),
        ({"retries": True, "effect": "read"}, "0 or more"),
        ({"retries": 1}, "may run only once"),
        ({"approve": "yes"}, "True, False, or a function"),
        ({"approve": bool}, "True, False, or a function"),
        ({"background": 1}, "background is True or False"),
        ({"strict": "yes"}, "strict is True, False or None"),
        ({"effect": "sometimes"}, "effect is one of"),
        ({"approve": lambda y: True}, "its approve function has parameters that the tool has not: y"),
    ],
    ids=lambda value: (
        str(value) if not isinstance(value, dict) else ",".join(f"{k}={v!r:.12}" for k, v in value.items())
    ),
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ToolDefinitionError, match=said):
        Tool(work, **options)


def test_what_makes_no_sense_is_refused_beside_a_schema_too() -> None:
    with pytest.raises(ToolDefinitionError, match="may run only once"):
        Tool.from_schema(work, name="work", parameters={"type": "object"}, retries=1)


def test_an_unknown_option_is_pythons_own_error() -> None:
    with pytest.raises(TypeError, match="time_out"):
        tool(work, time_out=3)  # type: ignore[call-overload]


def asked(made: Any, arguments: dict[str, object], context: Context | None = None) -> bool:
    return asyncio.run(made.needs_approval(arguments, context or Context()))


def test_a_function_of_the_arguments_that_it_names_decides_about_approval() -> None:
    def is_much(amount: float, ctx: Context) -> bool:
        return amount > ctx.deps

    @tool(approve=is_much)
    def pay(to: str, amount: float = 10) -> str:
        return to

    assert asked(pay, {"to": "you", "amount": 50.0}, Context(deps=20))
    assert not asked(pay, {"to": "you", "amount": 5.0}, Context(deps=20))
    assert pay.approve is not True


def test_a_coroutine_function_may_decide_about_approval() -> None:
    async def always(x: int) -> bool:
        await asyncio.sleep(0)
        return x > 1

    made = tool(work, approve=always)
    assert asked(made, {"x": 2})
    assert not asked(made, {"x": 1})


def test_approval_is_a_plain_answer_where_it_is_said_plainly() -> None:
    assert asked(tool(work, approve=True), {"x": 1})
    assert not asked(as_tool(work), {"x": 1})


def test_approval_by_a_method_is_asked_of_the_tools_own_object() -> None:
    @dataclass
    class Bank:
        most: float
        paid: list[float] = field(default_factory=list)

        def is_much(self, amount: float) -> bool:
            return amount > self.most

        @tool(approve=is_much, effect="idempotent", retries=1)
        def pay(self, amount: float) -> None:
            self.paid.append(amount)

    assert asked(Bank(10).pay, {"amount": 20.0})
    assert not asked(Bank(30).pay, {"amount": 20.0})
    assert Bank(30).pay.retries == 1


def test_an_approval_function_that_has_a_default_is_asked_without_the_argument() -> None:
    def is_much(amount: float = 10) -> bool:
        return amount >= 10

    @tool(approve=is_much)
    def pay(amount: float = 10) -> None: ...

    assert asked(pay, {})


def test_a_strict_tool_has_a_closed_schema() -> None:
    @dataclass
    class Place:
        street: str

    def send(to: list[Place], tags: dict[str, int]) -> None: ...

    made = Tool(send, strict=True, namespace={"Place": Place})
    assert made.parameters["additionalProperties"] is False
    assert made.parameters["$defs"]["Place"]["additionalProperties"] is False
    assert made.parameters["properties"]["tags"]["additionalProperties"] == {"type": "integer"}
    assert "additionalProperties" not in Tool(send, namespace={"Place": Place}).parameters
