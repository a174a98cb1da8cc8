"""A small MCP server, made with the package's own server class: over stdio, or over HTTP on loopback.

It writes down what happens to it, a word a line, in the file that the variable MCP_TEST_LOG names.
"""

from __future__ import annotations

import base64
import os
import socket
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def note(word: str) -> None:
    """Write down that something happened."""
    if where := os.environ.get("MCP_TEST_LOG"):
        with Path(where).open("a") as file:
            file.write(f"{word} {os.getpid()}\n")


def make_server() -> MCPServer:
    """The server, with its tools, its prompt and its resources."""
    server = MCPServer("shop", instructions="Add with care.")
    _offer_tools(server)
    _offer_unruly_tools(server)
    _offer_texts(server)
    return server


def _offer_tools(server: MCPServer) -> None:
    calls: list[str] = []

    @server.tool(annotations=types.ToolAnnotations(read_only_hint=True))
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        note("add")
        return a + b

    @server.tool(annotations=types.ToolAnnotations(idempotent_hint=True))
    def count() -> str:
        """How often this was called in this process."""
        calls.append("count")
        return f"{len(calls)} in {os.getpid()}"

    @server.tool(structured_output=False)
    def picture() -> list[Any]:
        """A picture, a document and words."""
        image = types.ImageContent(data=base64.b64encode(PIXEL).decode(), mime_type="image/png")
        page = types.TextResourceContents(uri="shop://page", mime_type="text/plain", text="the page")
        blob = types.BlobResourceContents(uri="shop://a/b.pdf", mime_type="application/pdf", blob="JVBERg==")
        link = types.ResourceLink(uri="shop://more", name="more", description="what else there is")
        return ["a pixel", image, types.EmbeddedResource(resource=page), types.EmbeddedResource(resource=blob), link]

    @server.tool(structured_output=False)
    def stock() -> types.CallToolResult:
        """What is there."""
        return types.CallToolResult(
            content=[types.TextContent(text="Two kinds.")], structured_content={"apples": 3, "pears": 4}
        )

    @server.tool()
    async def steps(ctx: Context) -> str:
        """Something that takes three steps."""
        with warnings.catch_warnings(action="ignore"):  # Deprecated, and yet what servers do.
            await ctx.info("three steps")
        for n in (1, 2, 3):
            await ctx.report_progress(n, 3, f"step {n}")
        return "done"


def _offer_unruly_tools(server: MCPServer) -> None:
    @server.tool()
    def fail(why: str) -> str:
        """A tool that fails."""
        raise ToolError(why)

    @server.tool()
    async def slow() -> str:
        """A tool that never ends by itself."""
        note("slow")
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            note("cancelled")
            raise
        return "never"

    @server.tool()
    def tell() -> str:
        """A tool that says what it should keep."""
        return f"the key is {os.environ.get('SHOP_KEY')}"

    @server.tool(name="shop.die")
    def die() -> str:
        """A tool that takes the server down."""
        print("the shop burns, and so does", os.environ.get("SHOP_KEY"), file=sys.stderr, flush=True)
        os._exit(3)


def _offer_texts(server: MCPServer) -> None:
    @server.prompt()
    def review(code: str) -> str:
        """Ask for a review."""
        note("review")
        return f"Review this: {code}"

    @server.resource("shop://readme", mime_type="text/markdown")
    def readme() -> str:
        """What the shop is."""
        note("readme")
        return "# Shop"

    @server.resource("shop://logo", mime_type="image/png")
    def logo() -> bytes:
        """What the shop looks like."""
        return PIXEL


class _Refusing:
    """Answers 401 to whoever does not send the key."""

    def __init__(self, app: Any, key: str) -> None:
        self._app, self._key = app, key

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """An ASGI application."""
        sent = dict(scope.get("headers") or ()).get(b"authorization", b"").decode()
        if scope["type"] == "http" and sent != f"Bearer {self._key}":
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await self._app(scope, receive, send)


@contextmanager
def http_server(key: str = "", port: int = 0) -> Iterator[str]:
    """The server over streamable HTTP, on a thread; gives its address."""
    import uvicorn

    app: Any = make_server().streamable_http_app()
    listening = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(_Refusing(app, key) if key else app, log_level="critical", ws="none", lifespan="on")
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()


if __name__ == "__main__":
    note("start")
    print("the shop opens with", os.environ.get("SHOP_KEY"), file=sys.stderr, flush=True)
    make_server().run("stdio")
