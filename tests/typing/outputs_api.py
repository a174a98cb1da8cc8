# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""User code with typed output, checked by pyright and mypy in strict mode. It is never run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict, assert_type

import msgspec
import pydantic

import playhead as ph


@dataclass
class Recipe:
    """A dish."""

    name: str
    minutes: int


class Wine(TypedDict):
    year: int


class Cheese(msgspec.Struct):
    age: int


class Bread(pydantic.BaseModel):
    grain: str


def positive(recipe: Recipe) -> None:
    if recipe.minutes < 0:
        raise ValueError("give the minutes without a sign")


recipes = ph.Agent("m", output=Recipe)
assert_type(recipes.run_sync("Soup").output, Recipe)
assert_type(recipes.run_sync("Soup").text, str)
assert_type(ph.Agent("m", output=Wine).run_sync("Red").output, Wine)
assert_type(ph.Agent("m", output=Cheese).run_sync("Old").output, Cheese)
assert_type(ph.Agent("m", output=Bread).run_sync("Dark").output, Bread)
assert_type(ph.Agent("m", output=list[int]).run_sync("1 2").output, list[int])
assert_type(ph.Agent("m", output=ph.Output(Recipe, validate=positive, retries=3)).run_sync("Soup").output, Recipe)
assert_type(ph.Agent("m").run_sync("Soup").output, str)
either: ph.Agent[None, Recipe | Cheese] = ph.Agent("m", output=[Recipe, Cheese])
assert_type(either.run_sync("Lunch").output, Recipe | Cheese)


async def streamed() -> None:
    async with recipes.stream("Soup") as run:
        async for event in run:
            if isinstance(event, ph.OutputPartial):
                print(event.value)
    assert_type(run.result.output, Recipe)
    with recipes.stream_sync("Soup") as sync:
        assert_type(sync.finish().output.minutes, int)


copy = recipes.with_model("openai:gpt-5")
assert_type(copy.run_sync("Soup").output, Recipe)
wrong: int = recipes.run_sync("Soup").output  # type: ignore[assignment]
print(recipes.run_sync("Soup").output.hours)  # type: ignore[attr-defined]
ph.Output(Recipe, mode="json")  # type: ignore[call-overload]
