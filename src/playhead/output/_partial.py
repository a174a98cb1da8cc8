"""An output while it streams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ..events import MessageStart, PartDelta, PartStart, StreamReset
from ..messages import ToolCallPart
from ._partial_json import PartialJSON
from ._shape import Shape


class PartialOutput:
    """The output of one answer, as far as it came: plain data, not validated.

    Feed it with deltas, or with a run's events as they are. Of several calls of output tools the
    first is shown.
    """

    __slots__ = ("_call", "_calls", "_is_text", "_json", "_last", "_shape", "_text", "_tools")

    def __init__(self, shape: Shape | None, tools: Mapping[str, Shape], *, is_text: bool) -> None:
        """Begin.

        Args:
            shape: how the value lies in the answer's text; None where the text does not hold it.
            tools: how it lies in the arguments of which tool.
            is_text: whether the answer's text is the value.
        """
        self._shape = shape
        self._tools = tools
        self._is_text = is_text
        self.reset()

    def reset(self) -> None:
        """Forget everything: another answer begins."""
        self._json = PartialJSON()
        self._text = ""
        self._call: str | None = None
        self._calls: dict[int, ToolCallPart] = {}
        self._last: Any = msgspec.UNSET

    def feed(self, source: int | ToolCallPart, delta: str) -> Any:
        """Take more of the answer.

        Args:
            source: the index of a text part, or the call whose arguments these are.
            delta: more text, or more of the JSON arguments.

        Returns:
            The value, where it changed; else UNSET. An earlier one never changes.
        """
        if isinstance(source, ToolCallPart):
            return self._feed_call(source, delta)
        if self._is_text:
            self._text += delta
            return self._text if delta else msgspec.UNSET
        return msgspec.UNSET if self._shape is None else self._feed_json(self._shape, delta)

    def see(self, event: object) -> Any:
        """Take one of a run's events and return what `feed` does; most say nothing of an output."""
        match event:
            case MessageStart() | StreamReset():
                self.reset()
            case PartStart(index, ToolCallPart() as call):
                self._calls[index] = call
            case PartDelta(index, "text", delta):
                return self.feed(index, delta)
            case PartDelta(index, "tool_call", delta) if index in self._calls:
                return self.feed(self._calls[index], delta)
            case _:
                pass
        return msgspec.UNSET

    def _feed_call(self, call: ToolCallPart, delta: str) -> Any:
        shape = self._tools.get(call.name)
        if shape is None or self._call not in (None, call.id):
            return msgspec.UNSET
        self._call = call.id
        return self._feed_json(shape, delta)

    def _feed_json(self, shape: Shape, delta: str) -> Any:
        before = self._json.changes
        self._json.feed(delta)
        if self._json.changes == before:
            return msgspec.UNSET
        value = shape.peek(self._json.value)
        if value is self._last:  # Something else changed, beside the value.
            return msgspec.UNSET
        self._last = value
        return value
