"""
The demo's provider: Playhead itself, serving a shipped recording over real HTTP on loopback, in its own time.

The recording is of a small model that answered one prompt. It is served whatever is asked: the first answer until
there are tool results, then the second. Headers of the response say so, and where results differ from those that the
model had seen.
"""

from __future__ import annotations

import asyncio
import json
from functools import cache
from importlib import resources
from typing import Any, cast

import msgspec

from ..http import Request, Response, Transport
from ..providers.demo import PROVIDER
from ..tape.effects import Tape
from ..tape.formats import native
from ..tape.playing import play
from .http import Server

RECORDED = "playhead-recorded"
"""The header that says when the answer was recorded, and of what."""

DIFFERS = "playhead-differs"
"""The header that says in what the tool results differ from those that the recorded answer was made from."""


@cache
def demo_tape() -> Tape:
    """The shipped recording."""
    file = resources.files("playhead") / "tapes" / "demo.jsonl"
    return native.load(file.read_bytes(), "demo.jsonl")


async def answer(request: Request, speed: float | None = 1.0) -> Response:
    """The recorded answer for a request, with headers that say what it is.

    Args:
        request: any chat completion.
        speed: 1.0 is recorded time; None is at once.
    """
    tape = demo_tape()
    results = _tool_results(request.body)
    response = await play(tape.interactions[1 if results else 0], speed)
    recorded = {run.name: run.result for run in tape.tools}
    notes = [
        (RECORDED, f"{tape.meta['created']}; {tape.meta['model'].partition(' GGUF')[0]}; {tape.meta['machine']}")
    ]
    differing = {
        name: {"recorded": recorded[name], "yours": result}
        for name, result in results.items()
        if name in recorded and recorded[name] != result
    }
    if differing:
        notes.append((DIFFERS, json.dumps(differing)))
    response.headers = (*response.headers, *notes)
    return response


class DemoTransport:
    """Sends requests to a server of its own, which listens on loopback until the transport is closed.

    Args:
        speed: of playing; None is at once.
    """

    def __init__(self, speed: float | None = 1.0) -> None:
        self._speed = speed
        self._server: Server | None = None
        self._live: Transport | None = None
        self._starting = asyncio.Lock()

    async def send(self, request: Request) -> Response:
        """Send over the loopback interface."""
        async with self._starting:
            if self._server is None or self._live is None:
                from ..transport.live import LiveTransport

                self._live = LiveTransport()
                self._server = await Server(lambda request: answer(request, self._speed)).__aenter__()
        at = request.url.replace(PROVIDER.base_url, f"{self._server.url}/v1", 1)
        return await self._live.send(msgspec.structs.replace(request, url=at))

    async def aclose(self) -> None:
        """Stop the server."""
        server, self._server, live, self._live = self._server, None, self._live, None
        if live is not None:
            await live.aclose()
        if server is not None:
            await server.__aexit__(None, None, None)


def _tool_results(body: bytes) -> dict[str, str]:
    """The results in a request, by the tool's name; those of the last turn only."""
    try:
        messages: Any = msgspec.json.decode(body)["messages"]
        results: dict[str, str] = {}
        names: dict[str, str] = {}
        for message in cast("list[dict[str, Any]]", messages):
            if message["role"] == "user":
                results.clear()
            for call in message.get("tool_calls") or ():
                names[call["id"]] = call["function"]["name"]
            if message["role"] == "tool":
                results[names.get(message["tool_call_id"], "")] = str(message["content"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    return results
