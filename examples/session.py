"""A conversation: many runs on one tape, one of them taken back, and read again from the tape alone.

    python examples/session.py

It plays a tape that was recorded from a stand-in (`stand_in.py` says how to record it anew).
"""

from pathlib import Path

import playhead as ph

TAPE = Path(__file__).parent / "tapes" / "session.jsonl"

agent = ph.Agent("compat:http://127.0.0.1:8040/v1#talker", system="You plan trips.")


def main() -> None:
    # Left out, the mode is `resume`: a conversation that is on the tape is gone on with.
    with agent.session(TAPE, mode="auto") as session:
        for prompt in ("Hello, I am Ana", "I like old houses and fish", "No flight before ten, please"):
            print(f"> {prompt}\n{session.run_sync(prompt).text}")
        for turn in session.undo():
            print(f"[taken back: {turn.prompt}]")
        prompt = "Where do I go?"
        print(f"> {prompt}\n{session.run_sync(prompt).text}")
        print(f"{len(session.turns)} turns, ${session.cost:.6f} with what was taken back")

    with agent.session(ph.load_tape(TAPE)) as again:  # the next day, in another process
        print("the tape knows:", [turn.prompt for turn in again.turns])


if __name__ == "__main__":
    main()
