"""Handing a conversation on: from the next step on another agent has it, with its own instructions, model and tools.

    python examples/handoff.py

It plays a tape that was recorded from a stand-in (`stand_in.py` says how to record it anew).
"""

from pathlib import Path

import playhead as ph

TAPE = Path(__file__).parent / "tapes" / "handoff.jsonl"


@ph.tool(effect="read")
def find_invoice(customer: str) -> str:
    """Find the last invoice of a customer."""
    return "1017, 42 euros, paid on 3 March"


billing = ph.Agent(
    "compat:http://127.0.0.1:8040/v1#billing", name="billing", system="You answer for invoices.", tools=[find_invoice]
)
front_desk = ph.Agent(
    "compat:http://127.0.0.1:8040/v1#front-desk",
    name="front desk",
    system="You find out who can help.",
    tools=[ph.handoff(billing, description="For all about invoices.")],
)


def main() -> None:
    with front_desk.stream_sync("This is Ana. What was my last invoice?", tape=TAPE, mode="auto") as run:
        for event in run:
            match event:
                case ph.HandedOff(source=source, target=target):
                    print(f"[{source} hands on to {target}]")
                case ph.ToolEnd(call=call, result=result):
                    print(f"{call.name}: {result.text}")
                case _:
                    pass
    print(f"{run.result.agent}: {run.result.text}")


if __name__ == "__main__":
    main()
