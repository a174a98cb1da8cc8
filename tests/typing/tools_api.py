# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""User code with tools, checked by pyright and mypy in strict mode. It is never run."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any, assert_type

from playhead.messages import MediaPart, ToolSpec
from playhead.tools import AnyTool, Context, InvalidArguments, Tool, as_tool, result_text, split_result, tool


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool(name="greet", effect="read")
def say_hello(name: str, *, loud: bool = False) -> str:
    return name.upper() if loud else name


@tool(description="Fetch a page", effect="idempotent")
async def fetch(url: Annotated[str, "where the page is"], ctx: Context) -> bytes:
    return f"{url} {ctx.idempotency_key}".encode()


class Shop:
    @tool
    def price(self, item: str) -> float:
        return float(len(item))

    @tool(effect="read")
    async def stock(self, item: str) -> int:
        return len(item)


assert_type(add(2, 3), int)
assert_type(say_hello("you", loud=True), str)
assert_type(Shop().price("tea"), float)
assert_type(add.spec, ToolSpec)
assert_type(add.context_param, str | None)
assert_type(add.bind('{"a": 1, "b": 2}'), dict[str, object])
assert_type(split_result(3), tuple[str, tuple[MediaPart, ...]])

plus_one: Tool[[int], int] = as_tool(partial(add, 1))
price: Callable[[str], float] = Shop().price
made = as_tool(say_hello)
assert_type(made("you"), str)
functional = tool(Shop().price, effect="read")
every: list[AnyTool] = [add, say_hello, fetch, functional, Shop().price]

add("two", 3)  # type: ignore[arg-type]
add(2)  # type: ignore[call-arg]
Shop().price(3)  # type: ignore[arg-type]
tool(effect="sometimes")  # type: ignore[call-overload]


async def use() -> None:
    assert_type(await fetch("https://example.org", Context()), bytes)
    assert_type(await Shop().stock("tea"), int)
    awaitable: Awaitable[bytes] = fetch("https://example.org", Context(lane="root/0.fetch"))
    result: Any = fetch.invoke({"url": "https://example.org"}, Context(step=2))
    print(await awaitable, result_text(await result))


def refused(arguments: str) -> tuple[str, ...]:
    try:
        add.bind(arguments)
    except InvalidArguments as error:
        return error.problems
    return ()
