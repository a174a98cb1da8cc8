"""What the decoder of the Responses format builds: parts, of items."""

from __future__ import annotations

from .._assembler import Call, Prose
from .._json import JSONObject


class Item:
    """An item of the output under way.

    Attributes:
        prose: its parts: of a message by their index, of reasoning the only one.
        call: the call that it is.
        whole: the pieces of a message that are whole.
        last: the piece of reasoning that grew last.
    """

    __slots__ = ("call", "done", "fields", "kind", "last", "prose", "whole")

    def __init__(self, kind: str, fields: JSONObject) -> None:
        self.kind = kind
        self.fields = fields
        self.prose: dict[int, Prose] = {}
        self.whole: set[int] = set()
        self.call: Call | None = None
        self.last: tuple[str, int] | None = None
        self.done = False
