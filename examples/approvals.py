"""Tool calls that wait for a person: the run ends, and is gone on with in another process, a day later.

    python examples/approvals.py

It plays tapes that were recorded from a stand-in (`stand_in.py` says how to record them anew: delete both). The first
run was recorded on `approvals_waiting.jsonl`, and was gone on with on a copy, `approvals.jsonl`.
"""

import shutil
from pathlib import Path

import playhead as ph

WAITING = Path(__file__).parent / "tapes" / "approvals_waiting.jsonl"
TAPE = Path(__file__).parent / "tapes" / "approvals.jsonl"


@ph.tool(approve=True)  # or a function of the arguments
def delete(path: str) -> str:
    """Delete a file."""
    return f"{path} is deleted"  # not really


@ph.tool(effect="read")
def size(path: str) -> str:
    """Say how big something is."""
    return "48 MB"


agent = ph.Agent("compat:http://127.0.0.1:8040/v1#janitor", tools=[delete, size])


def today() -> None:
    """The run goes as far as it may."""
    result = agent.run_sync("Clean up", tape=WAITING, mode="auto")
    print(f"The run ends: {result.finish_reason}. These calls wait:")
    for call in result.pending:
        print(f"  {call.lane}: {call.tool}{call.arguments}")


def tomorrow() -> None:
    """All that is needed is the agent and the tape."""
    if not TAPE.exists():
        shutil.copy(WAITING, TAPE)
    decisions: dict[str, ph.Decision] = {"root/0.delete": True, "root/1.delete": ph.Deny("I still need it.")}
    result = agent.resume_sync(TAPE, approvals=decisions)
    for done in result.steps[0].results:
        print(f"{done.name}: {done.text}")
    print(result.text)


if __name__ == "__main__":
    today()
    tomorrow()
