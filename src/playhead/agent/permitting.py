"""What of a call is to run, and whether it may: first repaired where that is needed, then approved."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import msgspec

from ..errors import StopRun, TapeError, ToolInDoubt
from ..events import Approval, ApprovalNeeded, Event
from ..messages import ToolCallPart
from ..tape.effects import ToolRun
from ..tape.playhead import Playhead
from ..tools import InvalidArguments
from .approvals import DECIDED, WANTED, Approvals, Approve, Deny, decided, plain_arguments, read_decision
from .execution import error_text
from .readings import read_now
from .repairing import REPAIR_LANE, REPAIRED, Bound, Repair, bind, bound, known_repair
from .toolbox import StepCalls, Toolbox

APPROVE_LANE = "/approve"
"""Below the call's own lane: what a function that says whether a call needs approval reads, and asks of models."""


class ApprovalProblem(Exception):
    """The function that says whether a call needs approval failed. The text is for the model."""


class Permits:
    """Finds out what of the calls of a step is to run. What cannot be found out does not run.

    Args:
        toolbox: the tools.
        step: the calls.
        playhead: the run's.
        repair: the user's function for calls that cannot be run.
        approvals: decisions of people.
        tell: takes events.
        inside: gives the block in which something runs that belongs to a call, in a lane below the call's.

    Attributes:
        bound: what runs, by the call's place; or why nothing does.
        decided: results of calls that do not run.
        changed: the arguments with which calls were approved, where they are others.
        asked: the calls that the tape says somebody was asked about.
    """

    def __init__(
        self,
        toolbox: Toolbox,
        step: StepCalls,
        playhead: Playhead,
        repair: Repair | None,
        approvals: Approvals | None,
        tell: Callable[[Event], None],
        inside: Callable[[int, str], AbstractContextManager[None]],
    ) -> None:
        self._toolbox = toolbox
        self._step = step
        self._playhead = playhead
        self._repair = repair
        self._approvals = approvals
        self._tell = tell
        self._inside = inside
        self.bound: dict[int, Bound | Exception] = {}
        self.decided: dict[int, ToolRun] = {}
        self.changed: dict[int, str] = {}
        self.asked: set[int] = set()

    def as_it_ran(self, n: int) -> ToolCallPart:
        """A call that was begun, with what the tape says that it ran with."""
        call, lane = self._step.calls[n], self._step.begun(n).lane
        call = known_repair(call, self._playhead.peek(REPAIRED, lane=lane)) or call
        match read_decision(self._playhead.peek(DECIDED, lane=lane)):
            case Approve(arguments=dict() as changed):
                return msgspec.structs.replace(call, arguments=plain_arguments(changed))
            case _:
                return call

    async def may_run(self, n: int) -> bool:
        """Find out what is to run, and ask for approval where its tool wants it. What fails here does not run: it
        becomes an error result. A denied call is decided, one without a decision is pending.

        Raises:
            Undecided: the function that decides failed.
        """
        begun = self._step.begun(n)
        if n in self.decided or begun.name in self._toolbox.output_names:
            return True
        try:
            with self._inside(n, REPAIR_LANE):
                ready = await bound(self._step.calls[n], self._toolbox, self._repair, self._playhead, begun.lane)
            self._step.named[n] = ready.tool.name
            wanted = await self._wants_approval(n, ready)
        except (TapeError, ToolInDoubt):
            raise
        except Exception as error:
            self.bound[n] = error
            return True
        self.bound[n] = ready
        return not wanted or await self._decide(n, ready)

    async def _wants_approval(self, n: int, ready: Bound) -> bool:
        """Whether the tool wants a call to be approved. Where the tape says that it did, that counts.

        Raises:
            ApprovalProblem: its function failed.
        """
        lane, tool = self._step.begun(n).lane, ready.tool
        if tool.approve is False:
            return False
        if tool.approve is True:
            return True
        if n in self.asked or self._playhead.peek(DECIDED, lane=lane) is not None:
            self._playhead.opened.pass_by(f"{lane}{APPROVE_LANE}")
            return True
        context = self._step.context(n, _reader=self._reader(f"{lane}{APPROVE_LANE}"))
        try:
            with self._inside(n, APPROVE_LANE):
                return await tool.needs_approval(ready.arguments, context)
        except (TapeError, ToolInDoubt, StopRun):
            raise
        except Exception as error:
            raise ApprovalProblem(
                f"whether this call needs approval could not be decided, so that it has not run: {error_text(error)}"
            ) from error

    async def _decide(self, n: int, ready: Bound) -> bool:
        """Ask those who decide. Returns whether there is a decision."""
        begun, call = self._step.begun(n), ready.call
        approval = Approval(begun.lane, begun.call_id, call.name, ready.shown, self._step.agent or None)
        match await decided(approval, self._approvals, self._playhead):
            case None:
                if n not in self.asked:
                    self._playhead.note(WANTED, msgspec.to_builtins(approval), lane=begun.lane)
                self._step.pending[n] = (approval,)
                self._tell(ApprovalNeeded(approval))
                return False
            case Deny(reason=reason):
                text = f"Error: the call was not approved{f': {reason}'.rstrip('.') if reason else ''}."
                self.decided[n] = msgspec.structs.replace(begun, result=text, is_error=True)
            case Approve(arguments=changed):
                if changed is not None:
                    self._change(n, call, plain_arguments(changed))
        return True

    def _change(self, n: int, call: ToolCallPart, arguments: str) -> None:
        """Somebody approved a call with other arguments: those run, or nothing does."""
        self.changed[n] = arguments
        try:
            self.bound[n] = bind(msgspec.structs.replace(call, arguments=arguments), self._toolbox)
        except InvalidArguments as error:
            self.bound[n] = error

    def _reader(self, lane: str) -> Callable[[str, Callable[[], Any]], Any]:
        return lambda name, make: read_now(self._playhead, name, make, lane)
