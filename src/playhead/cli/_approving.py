"""Asks somebody at the terminal whether tool calls may run."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, cast

from ..agent.approvals import Approvals, Approve, Decision, Deny
from ..events import Approval, Event, MessageEnd, Nested, ToolEnd, ToolProgress, ToolStart
from ._console import Console
from ._render import named

_TOOL = re.compile(r"/\d+\.")
"""What stands before a tool's name in a lane: two of them are a tool of an agent inside a tool."""

WAITING = 3
"""The exit code where tool calls wait for approval."""

_QUESTION = "  run it? [y]es, [n]o (with a reason, if you like), [e]dit, [a]lways: "
_HELP = (
    "  answer y, n, e or a: 'n it is too dear' tells the model why not, e changes the arguments, a is yes to each "
    "call of the tool"
)


class Asking:
    """Asks about calls, one after the other.

    Args:
        console: where the calls are shown.
        read: reads a line, given what stands before it and a text to change. Raises EOFError where there is none.
    """

    def __init__(self, console: Console, read: Callable[[str, str], str]) -> None:
        self._console = console
        self._read = read
        self._always: set[str] = set()

    def decide(self, pending: Sequence[Approval]) -> dict[str, Decision] | None:
        """The decisions by lane; None where whoever is asked would not say."""
        made: dict[str, Decision] = {}
        try:
            for approval in pending:
                made[approval.lane] = self._decision(approval)
        except (EOFError, KeyboardInterrupt):
            self._console.line()
            return None
        return made

    def _decision(self, approval: Approval) -> Decision:
        who = f"{approval.agent}: " if approval.agent and len(_TOOL.findall(approval.lane)) > 1 else ""
        if approval.tool in self._always:
            self._console.line(f"? {who}{in_full(approval)}: as always", "dim")
            return True
        self._console.line(f"? {who}{in_full(approval)}", "bold")
        while True:
            word, _, rest = self._read(_QUESTION, "").strip().partition(" ")
            match word.lower():
                case "y" | "yes":
                    return True
                case "a" | "always":
                    self._always.add(approval.tool)
                    return True
                case "n" | "no":
                    return Deny(rest.strip())
                case "e" | "edit":
                    if (changed := self._changed(approval)) is not None:
                        return Approve(changed)
                case _:
                    self._console.line(_HELP, "dim")

    def _changed(self, approval: Approval) -> dict[str, Any] | None:
        """The arguments as somebody wants them; None where nothing was written."""
        text = approval.arguments or "{}"
        while True:
            text = self._read("  arguments: ", text).strip()
            if not text:
                return None
            try:
                values = json.loads(text)
            except (ValueError, RecursionError) as error:
                self._console.line(f"  that is no JSON: {error}", "red")
                continue
            if isinstance(values, dict):
                return cast("dict[str, Any]", values)
            self._console.line('  arguments are a JSON object, such as {"path": "x"}', "red")


def in_full(approval: Approval) -> str:
    """The call, with all of its arguments: nobody approves of what is not shown."""
    return f"{approval.tool}({named(approval.arguments, sys.maxsize)})"


def decisions(approve: Sequence[str] | None, deny: Sequence[str] | None) -> Approvals | None:
    """What was decided by options: lanes, ids of calls, or `all`. What is denied counts first.

    Returns:
        None where nothing was.
    """
    yes, no = set(approve or ()), set(deny or ())
    if not yes and not no:
        return None
    if "all" not in yes | no:
        return {key: key not in no for key in yes | no}

    def decide(approval: Approval) -> bool | None:
        keys = {approval.lane, approval.call_id}
        if keys & no:
            return False
        if keys & yes:
            return True
        return "all" not in no

    return decide


class Seen:
    """Tells what of a run was shown already, where it is gone on with and its beginning is played again."""

    def __init__(self) -> None:
        self._answers: Counter[str] = Counter()
        self._skip: Counter[str] = Counter()
        self._ended: set[str] = set()

    def again(self) -> None:
        """The run is gone on with: it begins again."""
        self._skip = Counter(self._answers)

    def is_new(self, event: Event) -> bool:
        """Whether an event is to be shown."""
        return self._new(event.lane, event.event) if isinstance(event, Nested) else self._new("", event)

    def _new(self, where: str, event: Event) -> bool:
        if self._skip[where]:
            self._skip[where] -= isinstance(event, MessageEnd)
            return False
        self._answers[where] += isinstance(event, MessageEnd)
        if not isinstance(event, ToolStart | ToolProgress | ToolEnd):
            return True
        new = event.lane not in self._ended
        if isinstance(event, ToolEnd):
            self._ended.add(event.lane)
        return new
