"""Runs at the same time that share a budget: which of them meets its limit is on the tape."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import playhead as ph
from chatwire import JSON, message, tool_call
from playhead.http import Request, Response
from playhead.transport.memory import MemoryTransport, respond


@ph.tool(effect="read")
def look(what: str) -> str:
    return f"{what} is there"


class Slow:
    """Answers the first prompt slowly where `live`, so that the second one is ahead; each has three steps."""

    def __init__(self, *, slow: str) -> None:
        self.slow = slow
        self.asked = 0
        self.transport = MemoryTransport(self._answer)

    async def _answer(self, request: Request) -> Response:
        self.asked += 1
        said = json.loads(request.body)["messages"]
        prompt, step = said[0]["content"], sum(each["role"] == "assistant" for each in said)
        if prompt == self.slow:
            await asyncio.sleep(0.03)
        answer = message(None, tool_call("look", {"what": prompt}, f"c{step}")) if step < 2 else message("done")
        return respond(200, json.dumps(answer).encode(), JSON)

    def agent(self) -> ph.Agent:
        return ph.Agent("compat:http://script.test/v1#m", tools=[look], transport=self.transport, retry=False)


def outcomes(results: list[Any]) -> list[tuple[str, int]]:
    return [
        (type(result).__name__, len((result.run if isinstance(result, ph.RunError) else result).steps))
        for result in results
    ]


def both(agent: ph.Agent, tape: Any, mode: Any, limit: int = 4) -> list[tuple[str, int]]:
    budget = ph.Budget(ph.Limits(steps=limit))
    found = ph.fan_out_sync(agent, ["a", "b"], tape=tape, mode=mode, budget=budget, return_exceptions=True)
    return outcomes(found)


@pytest.mark.parametrize("slow", ["a", "b"])
def test_a_replay_ends_the_run_that_was_ended_whichever_comes_first(tmp_path: Path, slow: str) -> None:
    path, nobody = tmp_path / "t.jsonl", Slow(slow="")
    live = both(Slow(slow=slow).agent(), path, None)
    assert sorted(live) == [("LimitExceeded", 1), ("RunResult", 3)]
    assert live["ab".index(slow)] == ("LimitExceeded", 1)
    assert both(nobody.agent(), path, "replay") == live
    assert nobody.asked == 0


def test_a_limit_that_is_met_again_is_said_once(tmp_path: Path) -> None:
    path, found = tmp_path / "t.jsonl", list[bytes]()
    for _ in range(2):
        with pytest.raises(ph.LimitExceeded):
            Slow(slow="").agent().run_sync("a", tape=path, budget=ph.Budget(ph.Limits(steps=2)))
        found.append(path.read_bytes())
    assert found[0] == found[1]


def test_a_run_that_went_on_with_a_larger_budget_plays_to_its_end(tmp_path: Path) -> None:
    path, nobody = tmp_path / "t.jsonl", Slow(slow="")
    both(Slow(slow="a").agent(), path, None)
    assert both(Slow(slow="a").agent(), path, "resume", limit=3) != [("RunResult", 3), ("RunResult", 3)]
    resumed = both(Slow(slow="").agent(), path, "resume", limit=9)
    assert resumed == [("RunResult", 3), ("RunResult", 3)]
    assert both(nobody.agent(), path, "replay", limit=1) == resumed  # The tape decides, and not the budget.
    assert nobody.asked == 0
