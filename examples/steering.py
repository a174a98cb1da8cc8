"""Steering a run: a system prompt that is made when it begins, another model and other tools for its next step, an
end when a tool was called, and dependencies that never reach the tape.

    python examples/steering.py

It plays a tape that was recorded from a stand-in (`stand_in.py` says how to record it anew).
"""

from dataclasses import dataclass
from pathlib import Path

import playhead as ph

TAPE = Path(__file__).parent / "tapes" / "steering.jsonl"
SMALL = "compat:http://127.0.0.1:8040/v1#planner-small"


@dataclass
class Traveller:
    """Who asks. What is in here stays out of the tape, unless a tool or a prompt says it."""

    name: str
    card: str


def instructions(ctx: ph.Context[Traveller]) -> str:
    """The system prompt. The clock is read through `ctx`, so that a replay sees the recorded day."""
    return f"You plan trips for {ctx.deps.name}. Today is {ctx.now():%d %B %Y}."


@ph.tool(effect="read")
def find_trains(to: str) -> list[str]:
    """Find trains."""
    return [f"IC 523 to {to}, 9:30", f"AP 131 to {to}, 10:00"]


@ph.tool
def book(train: str, ctx: ph.Context[Traveller]) -> str:
    """Book a seat."""
    return f"A seat in {train} is booked, on the card that ends in {ctx.deps.card[-4:]}"


def before_step(step: ph.NextStep[Traveller]) -> ph.NextStep[Traveller]:
    """The first step has to look for trains. A smaller model does for the others."""
    if step.number == 0:
        return step.replace(tools=("find_trains",), tool_choice="required")
    return step.replace(model=SMALL)


agent = ph.Agent(
    "compat:http://127.0.0.1:8040/v1#planner",
    tools=[find_trains, book],
    system=instructions,
    deps_type=Traveller,
    before_step=before_step,
    stop_when=[ph.stop.tool_called("book"), ph.stop.steps(10)],
)


def main() -> None:
    ana = Traveller("Ana", card="0000 0000 0000 4242")
    result = agent.run_sync("To Porto, tomorrow morning", deps=ana, tape=TAPE, mode="auto")
    print("system:", result.messages[0].text)
    for n, step in enumerate(result.steps):
        for call, done in zip(step.response.tool_calls, step.results, strict=True):
            print(f"step {n}, {step.response.model}: {call.name}{call.arguments} -> {done.text}")
    print(f"{result.finish_reason}: {result.stopped}")


if __name__ == "__main__":
    main()
