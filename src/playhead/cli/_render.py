"""Shows the events of a run, or of a tape, as they come."""

from __future__ import annotations

import json
from typing import Any

from ..events import (
    ApprovalNeeded,
    AttemptFailed,
    Compacted,
    Event,
    HandedOff,
    MessageEnd,
    MessageStart,
    Nested,
    OutputPartial,
    PartDelta,
    PartEnd,
    PartStart,
    StreamReset,
    ToolEnd,
    ToolProgress,
    ToolStart,
)
from ..messages import MediaPart, ToolCallPart, ToolResultPart, Usage
from ._console import Console

_LONGEST = 200
"""Characters of arguments or results that are shown."""


class Renderer:
    """Writes events.

    Args:
        console: where to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._kind = ""

    def show(self, event: Event) -> None:
        """Write one event."""
        match event:
            case MessageStart():
                self._kind = ""
            case PartDelta(kind="tool_call"):
                self._console.waiting("writing a tool call")
            case PartDelta():
                self._words(event)
            case PartEnd(part=ToolCallPart() as call):
                self.call(call)
            case PartEnd(part=ToolResultPart() as result):
                self.result(result, None, played=False)
            case PartEnd(part=MediaPart() as media):
                self.media(media)
            case PartStart() | PartEnd():
                pass  # A text that goes on in another part, as one with citations does, stays one text.
            case ToolStart():
                self._console.waiting("running tools")
            case ToolProgress():
                self.progress(event.call.name, event.message, event.fraction)
            case ToolEnd():
                self.result(event.result, event.duration_s, played=event.played)
            case MessageEnd():
                self._end_of_words()
            case _:
                self._between_answers(event)

    def _between_answers(
        self,
        event: AttemptFailed | StreamReset | OutputPartial | ApprovalNeeded | HandedOff | Compacted | Nested,
    ) -> None:
        match event:
            case AttemptFailed():
                other = f"; {event.next_model} is asked next" if event.next_model != event.model else ""
                wait = f"; again in {duration(event.wait_s)}" if event.wait_s else ""
                self._note(f"({event.model} failed: {event.error}{other}{wait})")
            case StreamReset():
                self._note(f"(begins anew: {event.reason})")
            case ApprovalNeeded(approval=approval):
                self._note(f"? {approval.tool}({named(approval.arguments)}) waits for approval: {approval.lane}")
            case HandedOff():
                self._note(f"({event.source} hands on to {event.target})")
            case Compacted():
                self._note(f"(the conversation was made shorter: {event.before} messages to {event.after})")
            case Nested():
                self._console.waiting(f"{event.agent} works")
            case OutputPartial():
                pass  # It is shown as the text that it is made of.

    def reading(self, name: str, value: Any) -> None:
        """Write what was read from outside of the run."""
        self._end_of_words()
        self._console.line(f". {name} = {shortened(value)}", "dim")

    def progress(self, tool: str, message: str, fraction: float | None) -> None:
        """Write how far a tool is."""
        self._end_of_words()
        part = "" if fraction is None else f" ({fraction:.0%})"
        self._console.line(f".. {tool}: {_cut(' '.join(message.split()))}{part}", "dim")

    def call(self, call: ToolCallPart) -> None:
        """Write a tool call."""
        self._end_of_words()
        who = "  (run by the provider)" if call.provider_executed else ""
        self._console.line(f"-> {call.name}({named(call.arguments)}){who}", "cyan")

    def media(self, part: MediaPart) -> None:
        """Write that a file came."""
        self._end_of_words()
        size = f", {len(part.data)} bytes" if part.data is not None else ""
        self._console.line(f"[{part.media_type}{size}]" + (f" {part.url}" if part.url else ""), "magenta")

    def result(self, result: ToolResultPart, seconds: float | None, *, played: bool) -> None:
        """Write a tool's result."""
        self._end_of_words()
        how = "from the tape" if played else duration(seconds)
        text = " ".join(result.text.split())
        media = "".join(f" [{part.media_type}]" for part in result.media)
        line = f"<- {result.name}: {_cut(text)}{media}"
        self._console.line(line + (f"  ({how})" if how else ""), "red" if result.is_error else "green")

    def _note(self, text: str) -> None:
        self._end_of_words()
        self._console.line(text, "yellow")

    def _words(self, event: PartDelta) -> None:
        if self._kind not in ("", event.kind):
            self._end_of_words()
        if event.kind == "reasoning" and self._kind != "reasoning":
            self._console.write("(thinks) ", "dim italic")
        self._kind = event.kind
        self._console.write(event.delta, {"reasoning": "dim italic", "refusal": "red"}.get(event.kind, ""))

    def _end_of_words(self) -> None:
        if self._kind:
            self._console.fresh_line()
        self._kind = ""


def account(steps: int, usage: Usage, cost: float | None, seconds: float | None = None) -> str:
    """A line of usage and cost. What is not known is said to be so."""
    pieces = [f"{steps} step{'' if steps == 1 else 's'}", tokens(usage), money(cost)]
    return ", ".join(piece for piece in (*pieces, duration(seconds)) if piece)


def tokens(usage: Usage) -> str:
    """Token counts in words."""
    given, made = (("?" if n is None else str(n)) for n in (usage.input_tokens, usage.output_tokens))
    parts = [
        f"{count} {what}"
        for what, count in (
            ("cached", usage.cache_read_tokens),
            ("reasoning", usage.reasoning_tokens),
        )
        if count
    ]
    return f"{given} tokens in, {made} out" + (f" ({', '.join(parts)})" if parts else "")


def money(cost: float | None) -> str:
    """US dollars; an unknown cost is not nothing."""
    return "cost not reported" if cost is None else f"${cost:.6f}".rstrip("0").rstrip(".")


def duration(seconds: float | None) -> str:
    """A time for people."""
    if seconds is None:
        return ""
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def named(arguments: str, longest: int = _LONGEST) -> str:
    """The arguments of a tool call for people.

    Args:
        arguments: raw JSON.
        longest: characters that are shown.
    """
    try:
        values = json.loads(arguments or "{}")
        shown = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in values.items())
    except (ValueError, AttributeError, RecursionError):
        shown = arguments
    return _cut(shown, longest)


def shortened(value: Any, longest: int = _LONGEST) -> str:
    """Plain data as JSON on one line.

    Args:
        longest: characters that are shown.
    """
    return _cut(json.dumps(value, ensure_ascii=False), longest)


def _cut(text: str, longest: int = _LONGEST) -> str:
    return text if len(text) <= longest else text[:longest] + "..."
