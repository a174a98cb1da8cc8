"""An agent with two tools, on a tape.

    python examples/sum_agent.py
    playhead run examples/sum_agent.py:agent "Add and multiply the number 2 and 3"

The first command plays the tape beside this file: no network, no key, a few milliseconds. Delete the tape, and the
run is recorded anew.
"""

from pathlib import Path

import playhead as ph

PROMPT = "Add and multiply the number 2 and 3"
TAPE = Path(__file__).parent / "tapes" / "sum.jsonl"


@ph.tool
def add(a: int, b: int) -> int:
    """Add two numbers.

    Args:
        a: first number
        b: second number
    """
    return a + b


@ph.tool
def multiply(a: int, b: int) -> int:
    """Multiply two numbers.

    Args:
        a: first number
        b: second number
    """
    return a * b


agent = ph.Agent(
    "demo",  # a recording that Playhead serves itself; or "openrouter:moonshotai/kimi-k2-0905", with a key
    tools=[add, multiply],
    system="You are a helpful assistant. Always use both add and multiply at the same time.",
)


def main() -> None:
    with agent.stream_sync(PROMPT, tape=TAPE, mode="auto") as run:
        for event in run:
            if isinstance(event, ph.PartDelta) and event.kind == "text":
                print(event.delta, end="", flush=True)
    print()
    usage = run.result.usage
    print(f"{len(run.result.steps)} steps, {usage.input_tokens} tokens in, {usage.output_tokens} out")


if __name__ == "__main__":
    main()
