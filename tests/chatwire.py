"""Answers of a chat-completions server, made by hand for tests that need a certain one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from playhead import Agent
from playhead.http import Request, Response
from playhead.transport.memory import MemoryTransport, respond

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost": 0.001}
SSE = (("Content-Type", "text/event-stream"),)
JSON = (("Content-Type", "application/json"),)


def tool_call(name: str, arguments: Any = None, id: str | None = None) -> dict[str, Any]:
    """A tool call, its arguments as an object or as raw text."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
    return {"id": id or f"call_{name}", "type": "function", "function": {"name": name, "arguments": text}}


def message(text: str | None = None, *calls: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    """The body of an answer that is not streamed."""
    said: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        said["tool_calls"] = list(calls)
    reason = finish or ("tool_calls" if calls else "stop")
    return {
        "id": "r1",
        "model": "m",
        "choices": [{"index": 0, "message": said, "finish_reason": reason}],
        "usage": USAGE,
    }


def stream(text: str | None = "", *calls: dict[str, Any], finish: str | None = None) -> list[bytes]:
    """The pieces of an answer that is streamed: a word each, then a tool call each."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word} for word in (text or "").split(" ") if word]
    deltas += [{"tool_calls": [{"index": n, **call}]} for n, call in enumerate(calls)]
    reason = finish or ("tool_calls" if calls else "stop")
    chunks = [_chunk([{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
    chunks.append(_chunk([{"index": 0, "delta": {}, "finish_reason": reason}]))
    chunks.append(_chunk([], usage=USAGE))
    return [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks] + [b"data: [DONE]\n\n"]


def _chunk(choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"id": "r1", "model": "m", "object": "chat.completion.chunk", "choices": choices, **more}


class Script:
    """A provider that gives one answer after the other, streamed where that is asked for, and keeps what was asked.

    Args:
        answers: `(text, *tool calls)`, or whatever `respond` takes, or an exception to raise.
    """

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.transport = MemoryTransport(self._answer)

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The bodies that were sent, decoded."""
        return [json.loads(request.body) for request in self.transport.requests]

    def agent(self, *tools: Callable[..., Any], **more: Any) -> Agent:
        """An agent whose model is this script."""
        more.setdefault("model", "compat:http://script.test/v1#m")
        more.setdefault("retry", False)
        return Agent(tools=tools, transport=self.transport, **more)

    def _answer(self, request: Request) -> Response:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, dict):
            return respond(**answer)
        if json.loads(request.body).get("stream"):
            return respond(200, stream(*answer), SSE)
        return respond(200, json.dumps(message(*answer)).encode(), JSON)


def pieces(data: bytes, size: int) -> Iterable[bytes]:
    """The data in pieces of `size` bytes."""
    return (data[n : n + size] for n in range(0, len(data), size))
