"""Shows the events of a chat's turns: text as it comes, a line for each tool call, and what else there is to say."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from typing import Any

from ..events import (
    AttemptFailed,
    Compacted,
    Event,
    HandedOff,
    MessageEnd,
    MessageStart,
    Nested,
    PartDelta,
    PartEnd,
    PartStart,
    StreamReset,
    ToolEnd,
    ToolProgress,
    ToolStart,
)
from ..messages import MediaPart, ToolCallPart, ToolResultPart, Usage
from ._approving import Seen
from ._chat_paper import Paper
from ._render import duration, named, tokens

_SAID = {
    "rate_limit": "rate limited",
    "overloaded": "the provider is overloaded",
    "server": "the provider has a problem",
    "timeout": "no answer in time",
    "connect": "no connection",
    "disconnect": "the connection was cut",
    "truncated": "the answer broke off",
    "stream": "the answer broke off",
    "authentication": "the key was refused",
    "payment": "there is no credit left",
    "content_policy": "a filter refused it",
}
"""What kinds of failures are called."""

_WAITING = "waiting for the model"


class View:
    """Shows turns.

    Args:
        paper: where to.
    """

    def __init__(self, paper: Paper) -> None:
        self._paper = paper
        self._seen = Seen()
        self._running: dict[str, str] = {}

    def turn(self) -> AbstractContextManager[Any]:
        """A turn is under way inside."""
        return self._paper.turn()

    def begins(self, *, again: bool = False) -> None:
        """A turn begins.

        Args:
            again: whether it is the last one, gone on with: what was shown of it is not shown once more.
        """
        if again:
            self._seen.again()
        else:
            self._seen = Seen()
        self._running.clear()
        self._paper.busy("", _WAITING)

    def stopped(self) -> None:
        """The turn was stopped: say which tools were cut down."""
        for what in self._running.values():
            self._paper.line(f"-> {what}: stopped", "yellow", cut=True)
        self._running.clear()

    def show(self, event: Event) -> None:
        """Show one event."""
        if not self._seen.is_new(event):
            return
        if isinstance(event, Nested):
            self._inside(event)
        else:
            self._answer(event)

    def _answer(self, event: Event) -> None:
        paper = self._paper
        match event:
            case PartDelta(kind="tool_call"):
                paper.busy("", "writing a tool call")
            case PartDelta(kind="reasoning"):
                paper.busy("", None)
                paper.think(event.delta)
            case PartDelta():
                paper.busy("", None)
                paper.say(event.delta)
            case PartEnd(part=ToolCallPart(provider_executed=True) as call):
                paper.line(f"-> {call.name}({named(call.arguments)})  (run by the provider)", "cyan", cut=True)
            case PartEnd(part=ToolResultPart() as result):
                paper.line(f"<- {result.name}: {' '.join(result.text.split())}", "cyan", cut=True)
            case PartEnd(part=MediaPart() as media):
                size = f", {len(media.data)} bytes" if media.data is not None else ""
                paper.line(f"[{media.media_type}{size}]" + (f" {media.url}" if media.url else ""), "magenta")
            case MessageStart():
                paper.busy("", _WAITING)
            case MessageEnd():
                paper.end()
                paper.busy("", None)
            case ToolStart() | ToolProgress() | ToolEnd():
                self._tool(event, "")
            case PartStart() | PartEnd():
                pass
            case _:
                self._between(event)

    def _between(self, event: Event) -> None:
        """What happens between answers."""
        paper = self._paper
        match event:
            case AttemptFailed():
                paper.line(f"! {_failed(event)}", "yellow")
                paper.busy("", _WAITING)
            case StreamReset():
                paper.end()
                paper.line(
                    f"~ the answer begins anew; what stands above of it does not count ({event.reason})", "yellow"
                )
                paper.busy("", _WAITING)
            case HandedOff():
                paper.line(f"~ {event.source} hands on to {event.target}", "dim")
            case Compacted():
                paper.line(f"~ the conversation was made shorter: {event.before} messages to {event.after}", "dim")
            case _:
                pass  # Approvals are asked in a pause; a typed output is shown as the text that it is made of.

    def _tool(self, event: ToolStart | ToolProgress | ToolEnd, who: str) -> None:
        call, paper = event.call, self._paper
        what = f"{who}{call.name}({named(call.arguments, max(20, (paper.columns or 400) // 2))})"
        match event:
            case ToolStart():
                paper.busy("", None)
                paper.busy(event.lane, what)
                self._running[event.lane] = what
            case ToolProgress():
                part = "" if event.fraction is None else f" {event.fraction:.0%}"
                paper.progress(event.lane, f"{who}{call.name}: {' '.join(event.message.split())}{part}")
            case ToolEnd():
                paper.busy(event.lane, None)
                self._running.pop(event.lane, None)
                result = event.result
                media = "".join(f" [{part.media_type}]" for part in result.media)
                took = "from the tape" if event.played else duration(event.duration_s)
                shown = f"-> {what}: {' '.join(result.text.split())}{media}"
                paper.line(
                    _with_end(shown, f"  ({took})" if took else "", paper.columns),
                    "red" if result.is_error else "green",
                    cut=True,
                )

    def _inside(self, event: Nested) -> None:
        """What an agent does that works inside a tool: its tools, and what goes wrong."""
        who = f"{event.agent}: " if event.agent else ""
        match event.event:
            case ToolStart() | ToolProgress() | ToolEnd() as tool:
                self._tool(tool, f"  {who}")
            case AttemptFailed() as failed:
                self._paper.line(f"!   {who}{_failed(failed)}", "yellow")
            case _:
                pass


def _failed(event: AttemptFailed) -> str:
    what = _SAID.get(event.kind, event.error)
    if event.next_model != event.model:
        return f"{event.model}: {what}, asking {event.next_model} instead"
    wait = f" in {_seconds(event.wait_s)}" if event.wait_s else ""
    return f"{what}, trying again{wait}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 1 else f"{seconds:.0f} s"


def _with_end(text: str, end: str, columns: int | None) -> str:
    """A line whose end is seen, also where there is no room for all of it."""
    if columns is None:
        return (text if len(text) <= 400 else f"{text[:400]}...") + end
    room = max(8, columns - len(end))
    return (text if len(text) <= room else f"{text[: room - 3]}...") + end


def account(usage: Usage, cost: float | None, began: float) -> str:
    """A line about a turn."""
    known = "" if usage.input_tokens is None and usage.output_tokens is None else tokens(usage)
    dollars = "" if cost is None else f"${cost:.6f}".rstrip("0").rstrip(".")
    return ", ".join(piece for piece in (known, dollars, duration(time.monotonic() - began)) if piece)
