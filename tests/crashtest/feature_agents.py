"""Agents that use all that an agent can, for the crash test. Their provider answers by the conversation."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from agents import MODEL, charge, look, provider, reserve

import playhead as ph
from playhead.http import Request, Response
from playhead.transport.memory import MemoryTransport, respond


@dataclass
class Report:
    title: str
    pages: int


typed = ph.Agent(
    MODEL,
    tools=[look],
    output=ph.Output(Report, mode="tool"),
    transport=provider(
        {
            "report": [
                ("I look", (("look", {"what": "a"}), ("final_result", {"title": "A", "pages": "many"}))),
                ("", (("final_result", {"title": "A", "pages": 3}), ("look", {"what": "b"}))),
            ]
        }
    ),
)
"""A typed output that is refused once, beside other tools."""


worded = ph.Agent(
    MODEL,
    output=ph.Output(Report, mode="native"),
    transport=provider({"report": [('{"title": "A"', ()), ('{"title": "A", "pages": 3}', ())]}),
)
"""A typed output in the answer's text; what the model is told of the first try is on the tape."""


def _greeting(context: ph.Context[Any]) -> str:
    return f"You are {context.read('name', lambda: 'Ada')}."


def _last_step_alone(step: ph.NextStep) -> ph.NextStep | None:
    return step.replace(tools=(), tool_choice="none") if step.number == 1 else None


@ph.tool(effect="read", timeout=5.0, retries=1)
async def measure(what: str, context: ph.Context[Any]) -> list[str | ph.MediaPart]:
    context.progress("half", 0.5)
    dice = context.read("dice", lambda: 4)
    await asyncio.sleep(0)
    return [f"{what} is {dice}", ph.MediaPart("image/png", b"\x89PNG")]


steered = ph.Agent(
    MODEL,
    tools=[measure, charge],
    system=[_greeting, "Be brief."],
    before_step=_last_step_alone,
    limits=ph.Limits(seconds=600, tool_calls=9, total_tokens=9000),
    transport=provider({"measure": [("", (("measure", {"what": "a"}), ("charge", {"amount": 2}))), ("It is 4", ())]}),
)
"""A system prompt by a function, a changed step, readings, progress, media, and limits that read a clock."""


expert = ph.Agent(
    MODEL,
    name="expert",
    tools=[look, charge],
    transport=provider(
        {
            "north": [("", (("look", {"what": "n"}),)), ("north is cold", ())],
            "south": [("", (("charge", {"amount": 1}),)), ("south is warm", ())],
        }
    ),
)

chief = ph.Agent(
    MODEL,
    tools=[expert.as_tool("ask", "Ask."), reserve],
    transport=provider(
        {
            "weather": [
                ("", (("ask", {"prompt": "north"}), ("ask", {"prompt": "south"}), ("reserve", {"what": "w"}))),
                ("all is well", ()),
            ]
        }
    ),
)
"""Two agents inside tools, at the same time."""


billing = ph.Agent(MODEL, name="billing", system="You bill.", tools=[charge])
front = ph.Agent(
    MODEL,
    name="front",
    system="You greet.",
    tools=[look, ph.handoff(billing)],
    transport=provider(
        {
            "pay": [
                ("One moment", (("transfer_to_billing", {}), ("look", {"what": "bill"}))),
                ("", (("charge", {"amount": 5}),)),
                ("Paid", ()),
            ]
        }
    ),
)
"""A conversation that is handed on."""


@ph.tool(effect="once", approve=lambda amount: amount > 3)
def pay(amount: int) -> str:
    return f"{amount} paid"


careful = ph.Agent(
    MODEL,
    tools=[pay, look],
    transport=provider(
        {"buy": [("", (("pay", {"amount": 2}), ("pay", {"amount": 5}), ("look", {"what": "a"}))), ("Done", ())]}
    ),
)
"""A run that ends because a call waits for approval."""


def _stumbling() -> MemoryTransport:
    """Refuses each answer once, by what it is asked: the model `busy` always, the others never."""
    whole = provider({"go": [("", (("look", {"what": "a"}),)), ("There", ())]})

    async def answer(request: Request) -> Response:
        if json.loads(request.body)["model"] == "busy":
            return respond(503, b'{"error": {"message": "no room"}}', (("Content-Type", "application/json"),))
        return await whole.send(request)

    return MemoryTransport(answer)


stumbling = ph.Agent(
    "compat:http://script.test/v1#busy",
    tools=[look],
    fallbacks=[MODEL],
    retry=ph.Retry(attempts=2, base_s=0.0),
    transport=_stumbling(),
)
"""Each answer needs three attempts, and another model."""


talkative = ph.Agent(
    MODEL,
    tools=[look],
    compaction=ph.Compaction(at_tokens=15, function=lambda messages: [*messages, ph.user("Go on.")]),
    transport=provider(
        {"talk": [("", (("look", {"what": "a"}),)), ("", (("look", {"what": "b"}),)), ("Enough", ())]}
    ),
)
"""A conversation that a function changes before each step."""
