"""Tools that are known only when a run begins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

from ._tool import AnyTool

ReadAsync: TypeAlias = Callable[[str, Callable[[], Awaitable[Any]]], Awaitable[Any]]
"""`await read(name, make)`: the value that the tape has under this name, or what `make` gives, which is recorded."""


@runtime_checkable
class Toolset(Protocol):
    """A source of tools that are known only when a run begins, such as an MCP server.

    It stands among an agent's tools: `Agent(tools=[add, toolset])`.
    """

    @property
    def name(self) -> str:
        """What error messages and readings call it."""
        ...

    async def tools(self, read: ReadAsync) -> Sequence[AnyTool]:
        """The tools, asked for when a run begins.

        Args:
            read: what is not known beforehand is read through it, so that a replay needs no server:
                `listing = await read("mcp.shop.tools", ask_the_server)`. The value is JSON data.
        """
        ...

    async def aclose(self) -> None:
        """The run is over: let go of what it needed."""
        ...
