"""The server of these tests, reached in both ways, and what it wrote down."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import playhead.mcp
from playhead.tools import AnyTool, Context

SCRIPT = Path(__file__).with_name("server.py")
KEY = "shop-key-0123456789"


class Shop:
    """A server over stdio, with the words that it writes down.

    Args:
        path: a folder of the test's own.
    """

    def __init__(self, path: Path) -> None:
        self.log = path / "shop.log"

    def server(self, **options: Any) -> playhead.mcp.Server:
        """The server, not started."""
        env = {"MCP_TEST_LOG": str(self.log), "SHOP_KEY": KEY}
        return playhead.mcp.stdio(sys.executable, str(SCRIPT), env=env, name="shop", **options)

    @property
    def words(self) -> list[str]:
        """What happened in the server's processes, in order."""
        return [line.split()[0] for line in self._lines()]

    @property
    def processes(self) -> list[int]:
        """The ids of all that were started."""
        return [int(line.split()[1]) for line in self._lines() if line.startswith("start ")]

    @property
    def alive(self) -> list[int]:
        """Those that are still there."""
        return [pid for pid in self.processes if is_alive(pid)]

    async def until(self, word: str) -> None:
        """Wait until something has happened."""
        while word not in self.words:
            await asyncio.sleep(0.01)

    def _lines(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


def is_alive(pid: int) -> bool:
    """Whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def ask(name: str, make: Callable[[], Awaitable[Any]]) -> Any:
    """A `read` without a tape."""
    return await make()


async def tools_of(server: playhead.mcp.Server) -> dict[str, AnyTool]:
    """The tools of a server, by name."""
    return {tool.name: tool for tool in await server.tools(ask)}


async def call(tools: dict[str, AnyTool], name: str, **arguments: Any) -> Any:
    """Call a tool as a run does."""
    return await tools[name].invoke(arguments, Context())
