"""A conversation that is made shorter where the model's context runs short, by a model that sums it up.

    python examples/compaction.py

It plays a tape that was recorded from a stand-in (`stand_in.py` says how to record it anew).
"""

from pathlib import Path

import playhead as ph

TAPE = Path(__file__).parent / "tapes" / "compaction.jsonl"
PROMPTS = (
    "Hello, I am Ana",
    "I like old houses and fish",
    "No flight before ten, please",
    "Where do I go?",
)

agent = ph.Agent(
    "compat:http://127.0.0.1:8040/v1#talker",
    compaction=ph.Compaction(at_tokens=70, keep=2, prompt="Sum up what was said, in two sentences."),
    # Or Compaction(function=...), or none of it: `at=0.8` of the model's context, which is known for many models.
)


def main() -> None:
    messages: tuple[ph.Message, ...] = ()
    with ph.open_tape(TAPE, "auto"):
        for prompt in PROMPTS:
            print(f"> {prompt}")
            with agent.stream_sync(prompt, messages=messages) as run:
                for event in run:
                    if isinstance(event, ph.Compacted):
                        print(f"[{event.before} messages are now {event.after}: {event.summary}]")
            messages = run.result.messages
            print(run.result.text)


if __name__ == "__main__":
    main()
