"""Decisions of people about tool calls: asked for, kept on the tape, and found there again."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias, cast

import msgspec

from ..errors import ConfigError, PlayheadError, Undecided
from ..events import Approval
from ..tape.effects import Tape
from ..tape.playhead import Playhead, plain
from .repairing import refuse_redacted


class Approve(msgspec.Struct, frozen=True):
    """The call may run.

    Args:
        arguments: instead of those that the model gave, as an object. The model is told of them.
    """

    arguments: dict[str, Any] | None = None


class Deny(msgspec.Struct, frozen=True):
    """The call must not run. The model is told so.

    Args:
        reason: what else it is told.
    """

    reason: str = ""


Decision: TypeAlias = bool | Approve | Deny
Decide: TypeAlias = Callable[[Approval], Decision | Awaitable[Decision | None] | None]
Approvals: TypeAlias = Mapping[str, Decision] | Decide
"""Decisions by lane or by call id; or a function that is asked about each call. None leaves a call undecided. Where
the function raises, or gives what is no decision, the call does not run: the run ends with an error once the tools
beside it have come to their ends, and can be resumed.

A call id says which call is meant only among those that wait already: models use ids again."""

WANTED = "approval.wanted"
"""The reading that says that a call waits."""

DECIDED = "approval"
"""The reading that holds a decision."""


async def decided(approval: Approval, approvals: Approvals | None, playhead: Playhead) -> Approve | Deny | None:
    """The decision about a call: the one on the tape, else one of `approvals`, which is put there; else None.

    Raises:
        Undecided: the function raised, or what it gave is no decision.
        TapeError: something was taken out of the recorded decision.
    """
    recorded = playhead.recall(DECIDED, lane=approval.lane)
    if recorded is not None:
        decision = read_decision(recorded)
        if isinstance(decision, Approve) and decision.arguments is not None:
            refuse_redacted(approval.tool, plain_arguments(decision.arguments), approval.lane)
        return decision
    if approvals is None or not playhead.growing:
        return None
    try:
        decision = _checked(await _found(approval, approvals, playhead))
        made = None if decision is None else plain(_plain(decision), DECIDED)
    except Exception as error:
        said = str(error) if isinstance(error, PlayheadError) else f"{type(error).__name__}: {error}"
        where = f"the call of {approval.tool} in lane {approval.lane}"
        raise Undecided(f"nobody could decide about {where}, which has not run: {said}") from error
    if made is not None:
        playhead.note(DECIDED, made, lane=approval.lane)
    return decision


async def _found(approval: Approval, approvals: Approvals, playhead: Playhead) -> object:
    """What somebody says about a call."""
    if callable(approvals):
        found: object = approvals(approval)
        return await cast("Awaitable[object]", found) if inspect.isawaitable(found) else found
    if approval.lane in approvals:
        return approvals[approval.lane]
    decision = approvals.get(approval.call_id)
    return decision if decision is not None and _waiting(playhead, approval.call_id) == [approval.lane] else None


def _waiting(playhead: Playhead, call_id: str) -> list[str]:
    """The lanes of the calls of this id that the tape says wait."""
    tape = playhead.tape()
    readings = tape.readings if tape is not None else ()
    over = {reading.lane for reading in readings if reading.name == DECIDED}
    asked = {reading.lane: reading.value for reading in readings if reading.name == WANTED}
    return [lane for lane, value in asked.items() if value.get("call_id") == call_id and lane not in over]


def decisions_of(approvals: Approvals | None, playhead: Playhead) -> Mapping[str, Decision] | None:
    """The decisions that a run is given to go on with; None where a function is asked, or where no call waited before
    in its lane or below it: what it decides about may be yet to come."""
    if approvals is None or callable(approvals) or (tape := playhead.tape()) is None:
        return None
    inside = f"{playhead.lane}/"
    there = any(reading.name == WANTED and reading.lane.startswith(inside) for reading in tape.readings)
    return approvals if there else None


def decided_nothing(
    decisions: Mapping[str, Decision], pending: tuple[Approval, ...], tape: Tape | None
) -> tuple[str, ...]:
    """Which decisions were about no call at all, and which could be about several: a sentence for each kind.

    Args:
        pending: the calls that still wait.
        tape: knows those that waited before.
    """
    wanted = [reading for reading in (tape.readings if tape is not None else ()) if reading.name == WANTED]
    known = {it.lane for it in (*wanted, *pending)} | {it.call_id for it in pending}
    known |= {reading.value.get("call_id") for reading in wanted}
    ids = [it.call_id for it in pending]
    waiting = "; ".join(f"{it.tool} in lane {it.lane!r} (call id {it.call_id!r})" for it in pending)
    said: list[str] = []
    if unknown := [key for key in decisions if key not in known]:
        said.append(
            f"approvals for {', '.join(map(repr, unknown))} decided nothing: no call has that lane or id. "
            f"What waits: {waiting}"
        )
    if several := [key for key in decisions if ids.count(key) > 1]:
        said.append(
            f"approvals for {', '.join(map(repr, several))} decided nothing: several calls that wait have that id. "
            f"Name their lanes. What waits: {waiting}"
        )
    return tuple(said)


def plain_arguments(arguments: dict[str, Any]) -> str:
    """Arguments as raw JSON."""
    return msgspec.json.encode(arguments).decode()


def _checked(found: object) -> Approve | Deny | None:
    match found:
        case None | Approve() | Deny():
            return found
        case True:
            return Approve()
        case False:
            return Deny()
        case _:
            raise ConfigError(f"an approval is True, False, Approve(...) or Deny(...), not {found!r}")


def _plain(decision: Approve | Deny) -> dict[str, Any]:
    if isinstance(decision, Approve):
        return {"approved": True, **({} if decision.arguments is None else {"arguments": decision.arguments})}
    return {"approved": False, **({"reason": decision.reason} if decision.reason else {})}


def read_decision(recorded: Any) -> Approve | Deny:
    """The decision that a reading holds. What is none denies."""
    made = cast("dict[str, Any]", recorded) if isinstance(recorded, dict) else {}
    return Approve(made.get("arguments")) if made.get("approved") is True else Deny(str(made.get("reason", "")))
