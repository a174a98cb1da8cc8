"""
Finds on a tape what a run asks for: a pure function of the tape and of what was asked before.

An effect's identity is its lane and its ordinal there, never a search. What is asserted at that place is the
request's canonical digest.
"""

from __future__ import annotations

from ..errors import Divergence
from ..http import Request
from .canonical import canonical_json, digest
from .effects import Interaction, Tape, ToolRun
from .explain import differences
from .redact import safe_url


class Player:
    """Moves along a tape, lane by lane.

    Args:
        tape: what was recorded.
        name: the tape's name, for messages.
        resume: whether the run may go on beyond the tape. Then what was cut off, and a refusal that ended the
            recording, count as not there: they are asked again.
    """

    def __init__(self, tape: Tape, name: str, *, resume: bool = False) -> None:
        self._name = name
        self._lanes: dict[str, list[Interaction]] = {}
        self._next: dict[str, int] = {}
        self._tools: dict[str, ToolRun] = {}
        self._unpaid: dict[str, list[int]] = {}
        places = [(n, call) for n, call in enumerate(tape.effects) if isinstance(call, Interaction)]
        for n, call in places:
            if call.superseded:
                continue
            self._lanes.setdefault(call.lane, []).append(call)
            self._unpaid.setdefault(call.lane, []).append(n)
        for tool in tape.tools:
            if tool.ended == "complete" or tool.lane not in self._tools:
                self._tools[tool.lane] = tool
        for lane, calls in self._lanes.items():
            keep = _paid_for(calls) if resume else len(calls)
            del calls[keep:], self._unpaid[lane][:keep]

    @property
    def holds_tools(self) -> bool:
        """Whether tool effects were recorded at all; other people's cassettes hold none."""
        return bool(self._tools)

    def call(self, lane: str, request: Request) -> Interaction | None:
        """The interaction at the next place of `lane`, or None where the tape ends.

        Raises:
            Divergence: another request was recorded at this place.
        """
        calls, ordinal = self._lanes.get(lane, []), self._next.get(lane, 0)
        if ordinal >= len(calls):
            return None
        recorded = calls[ordinal]
        same = recorded.request.body == request.body and recorded.request.url == request.url
        if not same and digest(recorded.request) != digest(request):
            raise self._diverged(lane, ordinal, recorded.request, request)
        self._next[lane] = ordinal + 1
        return recorded

    def tool(self, lane: str, name: str, arguments: str) -> ToolRun | None:
        """The tool run of `lane`, or None where there is none.

        Raises:
            Divergence: another call was recorded at this place.
        """
        recorded = self._tools.get(lane)
        if recorded is not None and _call(recorded.name, recorded.arguments) != _call(name, arguments):
            raise Divergence(
                f"tape {self._name!r} holds another tool call in lane {lane}: it has "
                f"{recorded.name}({recorded.arguments}), this run calls {name}({arguments}). {_WHAT_TO_DO}",
                lane=lane,
            )
        return recorded

    def unplayed(self, lane: str) -> int:
        """How many interactions of `lane` are still ahead."""
        return len(self._lanes.get(lane, [])) - self._next.get(lane, 0)

    def superseded(self, lane: str) -> list[int]:
        """The places on the tape of what is asked again in `lane`; told once, when the lane goes on live."""
        return self._unpaid.pop(lane, [])

    def ended(self, lane: str, request: Request) -> Divergence:
        """The error for a request beyond the tape's end."""
        count = len(self._lanes.get(lane, []))
        place = f"tape {self._name!r} holds {_calls(count)} in lane {lane}; this is number {count + 1}"
        lines = [f"{place}, and in mode 'replay' nothing goes out: {request.method} {safe_url(request.url)}."]
        if others := sorted(self._lanes.keys() - {lane}):
            lines.append(f"Other lanes: {', '.join(others[:8])}.")
        lines.append("Go on live from here with mode 'resume', or record the tape anew with mode 'record'.")
        return Divergence(" ".join(lines), lane=lane, ordinal=count)

    def tool_missing(self, lane: str, name: str) -> Divergence:
        """The error for a tool that was not recorded, where nothing may happen."""
        near = ", ".join(sorted(self._tools)[:8])
        return Divergence(
            f"tape {self._name!r} holds no run of tool {name!r} in lane {lane} (it has: {near}), and in mode "
            "'replay' no tool runs that was not recorded. Go on live with mode 'resume', or record anew.",
            lane=lane,
        )

    def _diverged(self, lane: str, ordinal: int, recorded: Request, asked: Request) -> Divergence:
        found = differences(recorded, asked)
        listed = "".join(f"\n  - {line}" for line in found)
        if any(line.startswith("stream:") for line in found):
            listed += "\n  One was made with agent.stream, the other with agent.run: use the same for both."
        elsewhere = self._elsewhere(lane, ordinal, asked)
        return Divergence(
            f"this run's request number {ordinal + 1} in lane {lane} is not the one on tape {self._name!r}:"
            f"{listed}\n{elsewhere}{_WHAT_TO_DO}",
            lane=lane,
            ordinal=ordinal,
            differences=found,
        )

    def _elsewhere(self, lane: str, ordinal: int, asked: Request) -> str:
        wanted = digest(asked)
        for other, calls in self._lanes.items():
            for n, call in enumerate(calls):
                if (other, n) != (lane, ordinal) and digest(call.request) == wanted:
                    return f"The same request stands in lane {other} as number {n + 1}.\n"
        return ""


_WHAT_TO_DO = "If the change is meant, record the tape anew (mode 'record'); else undo it."


def _paid_for(calls: list[Interaction]) -> int:
    """How many calls need not be made again: all but those at the end that brought no answer."""
    count = len(calls)
    while count and not _answers(calls[count - 1]):
        count -= 1
    return count


def _answers(call: Interaction) -> bool:
    return call.ended == "complete" and call.outcome is None and (call.status or 0) < 400


def _call(name: str, arguments: str) -> tuple[str, str]:
    try:
        return name, canonical_json(arguments)
    except (ValueError, RecursionError):
        return name, arguments


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count or 'no'} calls"
