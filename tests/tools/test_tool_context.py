"""What a tool knows of its run, and what it reads from outside."""

from __future__ import annotations

import asyncio
import datetime as dt
import pickle
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Optional

import msgspec
import pytest

from playhead.messages import Usage, user
from playhead.tools import Context, Toolset, as_tool, tool


@dataclass
class Shop:
    key: str = "very-secret"


class Notebook:
    """What a tape does with readings: the recorded value first, else what is made, which is kept."""

    def __init__(self, *recorded: tuple[str, Any]) -> None:
        self.left = list(recorded)
        self.kept: list[tuple[str, Any]] = []

    def read(self, name: str, make: Callable[[], Any]) -> Any:
        found = next((each for each in self.left if each[0] == name), None)
        if found:
            self.left.remove(found)
            return found[1]
        value = make()
        self.kept.append((name, value))
        return value


def never() -> Any:
    raise AssertionError("the tape has a value")


async def never_awaited() -> Any:
    never()


def test_a_context_of_any_dependencies_is_not_told_to_the_model() -> None:
    def plain(x: int, ctx: Context) -> int: ...
    def typed(x: int, ctx: Context[Shop]) -> int: ...
    def maybe(x: int, ctx: Optional[Context[Shop]] = None) -> int: ...  # noqa: UP045
    def union(x: int, ctx: Context[Shop] | None = None) -> int: ...
    def annotated(x: int, ctx: Annotated[Context[Shop] | None, "the run"] = None) -> int: ...

    for function in (plain, typed, maybe, union, annotated):
        made = as_tool(function)
        assert made.context_param == "ctx"
        assert list(made.parameters["properties"]) == ["x"]


def test_a_tool_gets_the_dependencies() -> None:
    @tool
    def price(item: str, ctx: Context[Shop]) -> str:
        return ctx.deps.key + item

    assert price.invoke({"item": "tea"}, Context(deps=Shop("a "))) == "a tea"


def test_what_is_printed_of_a_context_has_none_of_the_dependencies() -> None:
    printed = repr(Context(deps=Shop(), agent="clerk", _reader=Notebook().read))
    assert "very-secret" not in printed
    assert "Shop" in printed
    assert "agent='clerk'" in printed
    assert "_reader" not in printed


def test_a_context_without_its_run_is_the_same_value() -> None:
    inside = Context(step=2, deps="d", _reader=Notebook().read, _progress=lambda message, fraction: None)
    assert inside == Context(step=2, deps="d")
    assert inside != Context(step=3, deps="d")
    assert hash(Context(lane="a")) == hash(Context(lane="a", _reader=never))


def test_a_context_survives_pickling_and_replacing() -> None:
    notebook = Notebook()
    context = Context(step=2, deps=Shop(), messages=(user("hi"),), usage=Usage(3, 4), _reader=notebook.read)
    assert pickle.loads(pickle.dumps(context)) == context
    assert pickle.loads(pickle.dumps(context)).read("a", lambda: 1) == 1
    assert notebook.kept == []
    msgspec.structs.replace(context, lane="root/0.a").read("b", lambda: 2)
    assert notebook.kept == [("b", 2)]


def test_readings_are_recorded_and_given_again() -> None:
    async def work(ctx: Context) -> tuple[Any, ...]:
        async def ask() -> object:
            return {"rate": (1, 2)}

        return (ctx.now(), ctx.random(), ctx.uuid(), ctx.read("rates", lambda: (1, 2)), await ctx.aread("ask", ask))

    first = Notebook()
    live = asyncio.run(work(Context(_reader=first.read)))
    assert [name for name, _ in first.kept] == ["now", "random", "uuid", "rates", "ask"]
    on_tape = msgspec.json.decode(msgspec.json.encode(first.kept))
    again = Notebook(*((name, value) for name, value in on_tape))
    assert asyncio.run(work(Context(_reader=again.read))) == live
    assert again.kept == []
    assert live[3:] == ([1, 2], {"rate": [1, 2]})


def test_nothing_is_made_where_it_was_recorded() -> None:
    recorded = Notebook(("a", 1), ("b", None))
    context = Context(_reader=recorded.read)
    assert context.read("a", never) == 1
    assert asyncio.run(context.aread("b", never_awaited)) is None


def test_outside_of_a_run_values_are_simply_made() -> None:
    context = Context()
    assert context.now().utcoffset() == dt.timedelta(0)
    assert abs(context.now() - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=5)
    assert 0 <= context.random() < 1
    assert isinstance(context.uuid(), uuid.UUID)
    assert context.uuid() != context.uuid()

    async def give() -> set[int]:
        return {1}

    assert asyncio.run(context.aread("x", give)) == [1]
    context.progress("nobody listens")


def test_what_json_cannot_say_is_no_reading() -> None:
    notebook = Notebook()

    async def give() -> object:
        return object()

    for value in (object(), float("inf"), {1: object()}):
        with pytest.raises(TypeError, match="the reading 'odd' cannot be kept"):
            Context(_reader=notebook.read).read("odd", lambda value=value: value)
    with pytest.raises(TypeError, match="the reading 'odd' cannot be kept"):
        asyncio.run(Context(_reader=notebook.read).aread("odd", give))
    assert notebook.kept == []


def test_an_error_in_making_leaves_as_it_is_and_records_nothing() -> None:
    notebook = Notebook()

    async def fail() -> Any:
        raise LookupError("no such rate")

    with pytest.raises(LookupError, match="no such rate"):
        asyncio.run(Context(_reader=notebook.read).aread("rate", fail))
    assert notebook.kept == []


def test_progress_reaches_the_run_from_any_thread() -> None:
    told: list[tuple[str, float | None]] = []
    context = Context(_progress=lambda message, fraction: told.append((message, fraction)))
    thread = threading.Thread(target=context.progress, args=("half", 0.5))
    thread.start()
    thread.join()
    context.progress("on")
    context.progress("beyond", 7)
    context.progress("before", -1)
    context.progress("unknown", float("nan"))
    assert told == [("half", 0.5), ("on", None), ("beyond", 1.0), ("before", 0.0), ("unknown", None)]


def test_whatever_has_the_methods_is_a_toolset() -> None:
    class Server:
        name = "shop"

        async def tools(self, read: Any) -> list[Any]:
            return await read("shop.tools", never_awaited)

        async def aclose(self) -> None: ...

    @tool
    def add(a: int) -> int:
        return a

    assert isinstance(Server(), Toolset)
    assert not isinstance(add, Toolset)
