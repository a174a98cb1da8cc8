"""The kinds of lines in Playhead's own format, as types that msgspec reads. `docs/tape-format.md` describes them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, get_args

import msgspec

from ...http import Headers
from ..effects import Ended, NoAnswer
from ._native_bodies import Packed, PackedBody

_LONGEST = 2**40
"""Bytes: no file is longer."""


class Parent(msgspec.Struct, frozen=True):
    """The tape whose effects another one keeps.

    Attributes:
        tape: its file's name, in the same folder.
        length: how many bytes of that file the effects are in.
        sha256: of these bytes.
        id: the tape's id, where it has one.
    """

    tape: str
    length: Annotated[int, msgspec.Meta(ge=0, le=_LONGEST)]
    sha256: str
    id: str | None = None


class _Kind(msgspec.Struct, tag_field="type"):
    n: int


class PackedRequest(msgspec.Struct):
    method: str
    url: str
    headers: Headers
    body: PackedBody


class CallStart(_Kind, tag="call.start"):
    lane: str
    request: PackedRequest
    foreign: dict[str, Any] | None = None


class CallHead(_Kind, tag="call.head"):
    status: int | None
    reason: str
    http_version: str
    headers: Headers


class CallChunk(_Kind, tag="call.chunk", gc=False):
    data: Packed


class Timing(_Kind, tag="timing"):
    started_s: float | None = None
    head_s: float | None = None
    duration_s: float | None = None
    times: tuple[float, ...] | None = None


class CallEnd(_Kind, tag="call.end"):
    ended: Ended
    length: int
    sha256: str
    error: dict[str, str] | None = None


class Outcome(_Kind, tag="outcome"):
    outcome: NoAnswer


class Superseded(_Kind, tag="superseded"):
    pass


class ToolStart(_Kind, tag="tool.start"):
    lane: str
    call_id: str
    name: str
    arguments: str
    sha256: str | None = None
    """Of the arguments."""


class ToolEnd(_Kind, tag="tool.end"):
    result: str = ""
    sha256: str | None = None
    """Of the result."""
    is_error: bool = False
    media: tuple[dict[str, Any], ...] = ()
    stop: str | None = None
    ended: Ended = "complete"


class ToolProgress(_Kind, tag="tool.progress"):
    message: str
    fraction: float | None = None
    at_s: float | None = None


class ReadingLine(_Kind, tag="reading"):
    lane: str
    name: str
    value: Any
    started_s: float | None = None


class Kept(_Kind, tag="kept"):
    request: PackedRequest | None = None
    result: str | None = None
    sha256: str | None = None
    """Of the result."""


class Whole(msgspec.Struct, tag_field="type", tag="whole"):
    """Of no effect."""


class _OfAnyKind(msgspec.Struct):
    type: str


Line: TypeAlias = (
    CallStart
    | CallHead
    | CallChunk
    | CallEnd
    | Outcome
    | Superseded
    | Timing
    | ToolStart
    | ToolProgress
    | ToolEnd
    | ReadingLine
    | Kept
    | Whole
)
_decoder = msgspec.json.Decoder(Line)

decode_lines = _decoder.decode_lines
"""All lines of a block, each of a kind that is known. Raises ValueError."""

_KINDS = frozenset(str(kind.__struct_config__.tag) for kind in get_args(Line))


class FirstLine(msgspec.Struct):
    playhead: Literal["tape"]
    version: Any
    meta: dict[str, Any] | None = None
    parent: Parent | None = None


def decode_line(data: bytes) -> Line | None:
    """A line; None where it is of a kind that a later Playhead added, and that changes nothing for this one."""
    try:
        return _decoder.decode(data)
    except msgspec.ValidationError:
        if msgspec.json.decode(data, type=_OfAnyKind).type in _KINDS:
            raise
        return None
