"""An agent as a tool of another: its runs are lanes of the same tape, and what they take adds up.

    python examples/agents_as_tools.py

It plays a tape that was recorded from a stand-in (`stand_in.py` says how to record it anew).
"""

from pathlib import Path

import playhead as ph

TAPE = Path(__file__).parent / "tapes" / "agents_as_tools.jsonl"

researcher = ph.Agent("compat:http://127.0.0.1:8040/v1#researcher", name="researcher", system="Give facts.")
editor = ph.Agent(
    "compat:http://127.0.0.1:8040/v1#editor",
    tools=[researcher.as_tool(description="Find a fact.")],
    limits=ph.Limits(steps=10),  # those of the agents inside its tools count, too
)


def main() -> None:
    with editor.stream_sync("Compare the Nile and the Danube", tape=TAPE, mode="auto") as run:
        for event in run:
            match event:
                case ph.Nested(lane=lane, event=ph.ToolStart(call=call)):  # while it is recorded: what is inside
                    print(f"[{lane} calls {call.name}]")
                case ph.ToolEnd(call=call, result=result):
                    print(f"{call.name}{call.arguments}\n  {result.text}")
                case _:
                    pass
    print(run.result.text)
    for lane, ledger in sorted(run.result.ledger.by_lane().items()):
        print(f"{lane}: {len(ledger)} calls, {ledger.usage.input_tokens} tokens in")
    print(f"together: {run.result.usage.input_tokens} tokens in")


if __name__ == "__main__":
    main()
