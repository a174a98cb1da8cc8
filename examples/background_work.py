"""Work that outlives its step: the model goes on, and is told of the result when it is there.

    python examples/background_work.py

It plays a tape that was recorded from a stand-in (`stand_in.py` says how to record it anew).
"""

import asyncio
from pathlib import Path

import playhead as ph

TAPE = Path(__file__).parent / "tapes" / "background_work.jsonl"


@ph.tool(effect="idempotent", background=True)
async def build(branch: str, ctx: ph.Context) -> str:
    """Build the software."""
    for folder in (10, 20, 31):
        await asyncio.sleep(0.2)
        ctx.progress(f"{folder} folders", folder / 31)
    return f"{branch} is built: 1,204 files in 31 folders"


@ph.tool(effect="read")
def count_lines(branch: str) -> int:
    """Count the lines of the software."""
    return 51_000


agent = ph.Agent("compat:http://127.0.0.1:8040/v1#builder", tools=[build, count_lines])


def main() -> None:
    result = agent.run_sync("Build main, and tell me how big it is", tape=TAPE, mode="auto")
    for message in result.messages:
        for part in message.parts:
            match part:
                case ph.TextPart(text=text):
                    print(f"{message.role}: {text}")
                case ph.ToolCallPart(name=name):
                    print(f"{message.role}: calls {name}")
                case ph.ToolResultPart(name=name, text=text):
                    print(f"{name}: {text}")
                case _:
                    pass


if __name__ == "__main__":
    main()
