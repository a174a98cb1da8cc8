"""Many prompts at once: a lane for each on one tape, results in the order of the prompts.

    python examples/fan_out.py

It plays a tape that was recorded from a stand-in (`stand_in.py` says how to record it anew).
"""

import asyncio
from pathlib import Path

import playhead as ph

TAPE = Path(__file__).parent / "tapes" / "fan_out.jsonl"
RIVERS = ("Nile", "Danube", "Amazon")

agent = ph.Agent("compat:http://127.0.0.1:8040/v1#researcher", system="Give facts, with numbers.")


async def main() -> None:
    prompts = [f"How long is the {river}?" for river in RIVERS]
    for result in await ph.fan_out(agent, prompts, tape=TAPE, mode="auto", concurrency=2):
        print(f"{result.ledger[0].lane}: {result.text}")


if __name__ == "__main__":
    asyncio.run(main())
