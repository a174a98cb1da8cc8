"""Output with a type: what comes while it streams, and an answer that is sent back because it does not fit.

    python examples/typed_output.py

It plays a tape that was recorded from a stand-in (`stand_in.py` says how to record it anew).
"""

from dataclasses import dataclass
from pathlib import Path

import playhead as ph

TAPE = Path(__file__).parent / "tapes" / "typed_output.jsonl"


@dataclass
class Recipe:
    """A dish for two."""

    name: str
    minutes: int
    ingredients: list[str]


agent = ph.Agent("compat:http://127.0.0.1:8040/v1#cook", output=Recipe)


def main() -> None:
    with agent.stream_sync("A soup, please, and quick", tape=TAPE, mode="auto") as run:
        for event in run:
            if isinstance(event, ph.OutputPartial):
                print("...", event.value)
            elif isinstance(event, ph.MessageEnd):
                print("an answer is whole")
    result = run.result
    print("The model was told:", result.messages[-2].text.splitlines()[0])
    recipe = result.output  # a Recipe, for type checkers too
    print(f"{recipe.name}: {recipe.minutes} minutes, with {', '.join(recipe.ingredients)}")


if __name__ == "__main__":
    main()
