"""Every event of a run, as it comes.

    python examples/stream_events.py

It plays the tape of `sum_agent.py`. Parts of an answer may interleave, and tools end in any order: `index` and
`call.id` say what an event belongs to.
"""

import asyncio

import playhead as ph
from sum_agent import PROMPT, TAPE, agent


def describe(event: ph.Event) -> str:
    match event:
        case ph.MessageStart(model=model):
            return f"an answer of {model} begins"
        case ph.PartStart(index=index, part=part):
            return f"  part {index} begins: {type(part).__name__}"
        case ph.PartDelta(index=index, delta=delta):
            return f"    part {index}: {delta!r}"
        case ph.PartEnd(index=index, part=ph.ToolCallPart() as call):
            return f"  part {index} is whole: {call.name}({call.arguments})"
        case ph.PartEnd(index=index):
            return f"  part {index} is whole"
        case ph.MessageEnd(response=response):
            return f"the answer is whole: {response.finish_reason}"
        case ph.ToolStart(call=call, lane=lane):
            return f"{call.name} starts in lane {lane}"
        case ph.ToolEnd(result=result, played=played):
            return f"{result.name} gave {result.text!r}" + (", from the tape" if played else "")
        case ph.StreamReset(reason=reason):
            return f"what was shown of this answer does not count: {reason}"
        case _:
            return type(event).__name__  # other agents have more: see docs/agents.md


async def main() -> None:
    async with agent.stream(PROMPT, tape=TAPE, mode="replay") as run:
        async for event in run:
            print(describe(event))


if __name__ == "__main__":
    asyncio.run(main())
