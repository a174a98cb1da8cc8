"""A provider with a bad day: it refuses, then its answer breaks off in the middle, then another model is asked.

    python examples/retry_and_fallback.py

It plays a tape that was recorded from a stand-in (`stand_in.py` says how to record it anew). Played, it waits for
nothing. Every attempt is in the ledger.
"""

from pathlib import Path

import playhead as ph

TAPE = Path(__file__).parent / "tapes" / "retry_and_fallback.jsonl"

agent = ph.Agent(
    "compat:http://127.0.0.1:8040/v1#busy",
    retry=ph.Retry(attempts=2, base_s=0.05),
    fallbacks=["compat:http://127.0.0.1:8040/v1#steady"],
    timeouts=ph.Timeouts(stall_s=30),
)


def main() -> None:
    with agent.stream_sync("When is high water?", tape=TAPE, mode="auto") as run:
        for event in run:
            match event:
                case ph.PartDelta(kind="text", delta=delta):
                    print(delta, end="", flush=True)
                case ph.AttemptFailed(kind=kind, model=model, next_model=next_model):
                    print(f"\n[{kind} of {model}; next: {next_model}]")
                case ph.StreamReset():
                    print("[what you have read of this answer does not count]")
                case _:
                    pass
    print("\n")
    print(run.result.ledger.table())


if __name__ == "__main__":
    main()
