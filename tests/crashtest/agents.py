"""Agents for the crash test. Their provider answers by the conversation, so that each run is the same."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import playhead as ph
from playhead.http import Request, Response
from playhead.transport.memory import MemoryTransport, respond

Call = tuple[str, dict[str, Any]]
Answer = tuple[str, tuple[Call, ...]]


def provider(conversations: dict[str, list[Answer]]) -> MemoryTransport:
    """Answers by the first thing that was asked and by the answers so far."""

    def answer(request: Request) -> Response:
        asked = json.loads(request.body)
        said = asked["messages"]
        first = next(message["content"] for message in said if message["role"] == "user")
        step = sum(message["role"] == "assistant" for message in said)
        text, calls = conversations[first][step]
        made = [
            {
                "id": f"c{step}{n}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for n, (name, arguments) in enumerate(calls)
        ]
        finish = "tool_calls" if made else "stop"
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        if not asked.get("stream"):
            message = {"role": "assistant", "content": text or None, **({"tool_calls": made} if made else {})}
            choice = {"index": 0, "message": message, "finish_reason": finish}
            body = json.dumps({"id": "r", "model": "m", "choices": [choice], "usage": usage}).encode()
            return respond(200, body, (("Content-Type", "application/json"),))
        deltas: list[dict[str, Any]] = [{"content": f"{word} "} for word in text.split()]
        for n, call in enumerate(made):
            arguments = call["function"]["arguments"]
            deltas += [
                {"tool_calls": [{"index": n, **call, "function": {**call["function"], "arguments": arguments[:5]}}]},
                {"tool_calls": [{"index": n, "function": {"arguments": arguments[5:]}}]},
            ]
        chunks: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}], "usage": usage})
        pieces = [f"data: {json.dumps({'id': 'r', 'model': 'm', **chunk})}\n\n".encode() for chunk in chunks]
        return respond(200, [*pieces, b"data: [DONE]\n\n"], (("Content-Type", "text/event-stream"),))

    return MemoryTransport(answer)


@ph.tool(effect="read")
def look(what: str) -> str:
    time.sleep(0.0005)
    return f"{what} is there"


@ph.tool(effect="idempotent")
async def reserve(what: str, context: ph.Context) -> str:
    await asyncio.sleep(0.0005)
    return f"{what} is reserved as {context.idempotency_key}"


@ph.tool
def charge(amount: int) -> str:
    if amount > 9:
        raise ValueError("that is too much")
    return f"{amount} charged"


@ph.tool
async def ship(what: str) -> str:
    await asyncio.sleep(0)
    return f"{what} shipped"


@ph.tool(effect="once", reconcile=lambda number: f"{number} booked")
def book(number: int) -> str:
    return f"{number} booked"


MODEL = "compat:http://script.test/v1#m"

shop = ph.Agent(
    MODEL,
    tools=[look, reserve, charge, ship, book],
    transport=provider(
        {
            "buy": [
                ("I will look", (("look", {"what": "a"}), ("reserve", {"what": "b"}), ("charge", {"amount": 3}))),
                ("", (("ship", {"what": "a"}), ("charge", {"amount": 10}), ("book", {"number": 7}))),
                ("It is done", ()),
            ]
        }
    ),
)
"""Three tools at the same time, then three others: synchronous and not, of all three effects, one of which fails."""


expert = ph.Agent(
    MODEL,
    tools=[look, charge],
    transport=provider(
        {
            "north": [("", (("look", {"what": "n"}),)), ("north is cold", ())],
            "south": [("", (("charge", {"amount": 1}),)), ("south is warm", ())],
        }
    ),
)


@ph.tool(effect="idempotent")
async def ask(topic: str) -> str:
    async with expert.stream(topic) as run:
        return (await run.finish()).text


@ph.tool(effect="idempotent")
def ask_all() -> str:
    return " ".join(expert.run_sync(topic).text for topic in ("north", "south"))


chief = ph.Agent(
    MODEL,
    tools=[ask, ask_all],
    transport=provider(
        {
            "weather": [
                ("I ask", (("ask", {"topic": "north"}), ("ask", {"topic": "south"}))),
                ("", (("ask_all", {}), ("ask", {"topic": "north"}))),
                ("all is well", ()),
            ]
        }
    ),
)
"""Agents inside of tools, several at the same time."""

talker = ph.Agent(MODEL, transport=provider({"hello": [("hello to you too", ())]}))


@ph.tool(effect="idempotent")
async def note(what: str) -> str:
    return f"{what} noted"


plain = ph.Agent(
    MODEL,
    tools=[look, note, charge],
    transport=provider(
        {
            "go": [
                ("two at once", (("look", {"what": "a"}), ("note", {"what": "b"}))),
                ("", (("charge", {"amount": 1}),)),
                ("now it is done", ()),
            ]
        }
    ),
)
