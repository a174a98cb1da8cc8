# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""User code with approvals, cancelling, agents as tools, hand-offs and sessions, checked by pyright and mypy in
strict mode. It is never run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_type

import playhead as ph


@dataclass
class Report:
    """What an agent gives."""

    title: str


def is_outside(path: str) -> bool:
    return path.startswith("/")


@ph.tool(approve=is_outside)
def delete(path: str) -> str:
    """Delete a file."""
    return path


writer = ph.Agent("m", output=Report, name="writer")
chief = ph.Agent("m", tools=[delete, writer.as_tool(description="Write."), ph.handoff(writer)], name="chief")


def ask(call: ph.Approval) -> ph.Decision:
    assert_type(call.arguments, str)
    return ph.Approve({"path": "x"}) if call.tool == "delete" else ph.Deny("no")


async def ask_later(call: ph.Approval) -> bool | None:
    return None if call.agent else True


async def use() -> None:
    result = await chief.run("Go", approvals=ask)
    assert_type(result.pending, tuple[ph.Approval, ...])
    await chief.run("Go", approvals=ask_later)
    await chief.run("Go", approvals={"root/0.delete": True, "call_2": ph.Deny()})
    assert_type(await writer.resume("t.jsonl", approvals=ask), ph.RunResult[Report])
    token = ph.Cancel()
    async with writer.stream("Go", cancel=token) as run:
        async for _ in run:
            run.cancel(after_step=True)
    token.cancel()
    assert_type(run.resume({"root/0.delete": False}), ph.Run[Report])
    assert_type(await ph.fan_out(writer, ["one", "two"]), list[ph.RunResult[Report]])
    async with writer.session("chat.jsonl") as session:
        assert_type(session, ph.Session[Any, Report])
        assert_type((await session.run("Go")).output, Report)
        assert_type(session.messages, tuple[ph.Message, ...])
        session.undo()
        session.model("openai:gpt-5")


def synchronous() -> None:
    with writer.session("chat.jsonl", mode="auto") as session:
        assert_type(session.run_sync("Go").output, Report)
        assert_type([turn.lane for turn in session.turns], list[str])
    with chief.stream_sync("Go") as run:
        for event in run:
            if isinstance(event, ph.ApprovalNeeded):
                assert_type(event.approval.lane, str)


chief.run_sync("Go", approvals={"root/0.delete": "yes"})  # type: ignore[dict-item]
ph.handoff(delete)  # type: ignore[arg-type]
ph.Deny(3)  # type: ignore[arg-type]
