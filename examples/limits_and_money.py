"""What a run costs, and limits that stop it before the next call goes out.

    python examples/limits_and_money.py

It plays a tape that was recorded from a stand-in (`stand_in.py` says how to record it anew); its dollars are made up.
"""

from pathlib import Path

import playhead as ph

TAPE = Path(__file__).parent / "tapes" / "limits_and_money.jsonl"


@ph.tool(effect="read")
def read_page(number: int) -> str:
    """Read a page of a book that has no end."""
    return f"Page {number}. " + "And so it went on. " * 20


agent = ph.Agent("compat:http://127.0.0.1:8040/v1#clerk", tools=[read_page], limits=ph.Limits(cost=0.0005, steps=20))


def main() -> None:
    budget = ph.Budget(ph.Limits(cost=0.10))  # may be shared by many runs
    try:
        agent.run_sync("Read the book to its end", tape=TAPE, mode="auto", budget=budget)
    except ph.LimitExceeded as error:
        print(error)
        assert error.run is not None
        print(error.run.ledger.table())
        print(f"The conversation so far has {len(error.run.messages)} messages, and can be gone on with.")
    print(f"${budget.ledger.known_cost:.6f} of the budget are gone")


if __name__ == "__main__":
    main()
