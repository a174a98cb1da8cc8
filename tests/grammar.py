"""What the events of every decoder keep to."""

from __future__ import annotations

from playhead.events import MessageEnd, MessageEvent, MessageStart, PartDelta, PartEnd, PartStart


def check_grammar(events: list[MessageEvent]) -> None:
    """MessageStart (PartStart PartDelta* PartEnd)* MessageEnd, parts may interleave."""
    opened: set[int] = set()
    seen: set[int] = set()
    for n, event in enumerate(events):
        assert isinstance(event, MessageStart) == (n == 0)
        match event:
            case PartStart(index=index):
                assert index == len(seen)
                opened.add(index)
                seen.add(index)
            case PartDelta(index=index, delta=delta):
                assert index in opened
                assert delta
            case PartEnd(index=index):
                opened.remove(index)
            case MessageEnd():
                assert n == len(events) - 1
                assert not opened
            case _:
                pass
