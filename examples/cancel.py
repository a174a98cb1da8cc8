"""Cancelling a run in the middle of an answer, and going on with the conversation.

    python examples/cancel.py

It plays a tape that was recorded from a stand-in (`stand_in.py` says how to record it anew).
"""

from pathlib import Path

import playhead as ph

TAPE = Path(__file__).parent / "tapes" / "cancel.jsonl"

agent = ph.Agent("compat:http://127.0.0.1:8040/v1#storyteller")


def main() -> None:
    with ph.open_tape(TAPE, "auto"):  # both runs are on one tape
        words = 0
        with agent.stream_sync("Tell me a story") as run:
            for event in run:
                if isinstance(event, ph.PartDelta):
                    print(event.delta, end="", flush=True)
                    words += 1
                    if words == 20:
                        run.cancel()  # from any thread; `after_step=True` lets the step come to its end
        stopped = run.result
        print(f" [{stopped.finish_reason}]")
        print("The conversation so far:", [message.role for message in stopped.messages])

        result = agent.run_sync("Too long. Two sentences, please.", messages=stopped.messages)
        print(result.text)


if __name__ == "__main__":
    main()
