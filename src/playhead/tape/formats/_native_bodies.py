"""
Bytes as JSON that people can read, and request bodies that are stored once.

An agent sends its whole history with every request. So a request body may be written as what it has of its own,
between the beginning and the end of an earlier request body.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Annotated, Any

import msgspec

from ..aligning import common_prefix, common_suffix
from ..effects import Interaction, Tape

Line = dict[str, Any]

SHORTEST = 512
"""Bytes of a body from which on it may be written as a difference."""

_LANES = 64
"""How many lanes' latest bodies are remembered."""

_REACH = 256
"""How many bytes a difference may be longer so that it begins and ends at a readable place."""

_PLACE = re.compile(rb'[\]}"](?=[,\]}])|,(?=["{\[])|\n')
"""Behind this JSON and text are cut where people would cut them."""

_Count = Annotated[int, msgspec.Meta(ge=0)]


class Packed(msgspec.Struct, gc=False):
    """Bytes as they stand in a line."""

    lines: list[str] | None = None
    base64: str | None = None
    eol: bool = False


class PackedBody(Packed, gc=False):
    """A request body as it stands in a line: whole, or like that of another effect. A whole one may have no hash."""

    like: int | None = None
    start: _Count = 0
    end: _Count = 0
    length: int = -1
    sha256: str = ""

    def within(self, other: bytes) -> bytes:
        """The body, given the one that it is like."""
        return other[: self.start] + unpack(self) + other[max(0, len(other) - self.end) :]

    def is_as_recorded(self, body: bytes) -> bool:
        """Whether this is the body that was written."""
        if self.like is None and not self.sha256:
            return True
        return len(body) == self.length and is_as_hashed(body, self.sha256)


def pack(data: bytes) -> Line:
    """Bytes as JSON that is readable where they are text."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}
    if not text:
        return {"lines": []}
    *lines, last = text.split("\n")
    return {"lines": [*lines, last]} if last else {"lines": lines, "eol": True}


def pack_whole(body: bytes) -> Line:
    """A request body that is like no other."""
    return pack(body) | _fingerprint(body)


def hashed(text: str) -> str:
    """The SHA-256 of a text in UTF-8, in lower-case hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def is_as_hashed(data: bytes | str, sha256: str | None) -> bool:
    """Whether this is what the hash was made of. Where there is none, nothing speaks against it."""
    if sha256 is None:
        return True
    return sha256 == (hashed(data) if isinstance(data, str) else hashlib.sha256(data).hexdigest())


def _fingerprint(body: bytes) -> Line:
    return {"length": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def unpack(packed: Packed) -> bytes:
    """The bytes that `pack` was given.

    Raises:
        ValueError: there are none.
    """
    if packed.base64 is not None:
        return base64.b64decode(packed.base64, validate=True)
    if packed.lines is None:
        raise ValueError("bytes should have `lines` or `base64`")
    text = "\n".join(packed.lines)
    return (text + "\n" if packed.eol else text).encode()


class Bodies:
    """Packs the request bodies of a file, in the order in which they are written to it.

    Args:
        tape: what the file holds already.
        whole: write every body whole, as version 1 does.
    """

    def __init__(self, tape: Tape | None = None, *, whole: bool = False) -> None:
        self._whole = whole
        self._lanes: dict[str, tuple[int, bytes]] = {}
        self._latest: tuple[int, bytes] | None = None
        for n, effect in tape.numbered if tape else ():
            if isinstance(effect, Interaction):
                self.remember(n, effect.lane, effect.request.body)

    def pack(self, n: int, lane: str, body: bytes) -> Line:
        """The body of the effect `n`: like the latest of its lane, or the latest of all, where that saves half."""
        mine, latest = self._lanes.get(lane), self._latest
        packed = like(*mine, body) if mine else None
        if packed is None and latest is not None and latest is not mine:
            packed = like(*latest, body)
        self.remember(n, lane, body)
        return packed or pack_whole(body)

    def forget(self, n: int) -> None:
        """The effect `n` could not be written: nothing may be like it."""
        self._lanes = {lane: (number, body) for lane, (number, body) in self._lanes.items() if number != n}
        if self._latest is not None and self._latest[0] == n:
            self._latest = None

    def remember(self, n: int, lane: str, body: bytes) -> None:
        """The body of the effect `n` stands in the file."""
        if self._whole:
            return
        self._lanes.pop(lane, None)
        self._lanes[lane] = self._latest = (n, body)
        if len(self._lanes) > _LANES:
            del self._lanes[next(iter(self._lanes))]


def like(n: int, other: bytes, body: bytes) -> Line | None:
    """The body as a difference to that of the effect `n`; None where that saves less than half."""
    if len(body) < SHORTEST:
        return None
    start, end = _common(other, body)
    middle = body[start : len(body) - end]
    if 2 * len(middle) > len(body):
        return None
    line: Line = {"like": n, "start": start, "end": end}
    return line | pack(middle) | _fingerprint(body)


def _common(other: bytes, body: bytes) -> tuple[int, int]:
    """How many bytes two bodies share at their beginnings, and then at their ends, cut at readable places."""
    start = common_prefix(other, body)
    if start < len(body):
        start = _place_before(body, start)
    end = common_suffix(other, body, min(len(other), len(body)) - start)
    return start, len(body) - _place_behind(body, len(body) - end) if end else 0


def _place_before(body: bytes, at: int) -> int:
    found = [place.end() for place in _PLACE.finditer(body, max(0, at - _REACH), at + 1)]
    if found := [place for place in found if place <= at]:
        return found[-1]
    return next((place for place in range(at, max(-1, at - 4), -1) if _begins_character(body, place)), at)


def _place_behind(body: bytes, at: int) -> int:
    found = _PLACE.search(body, max(0, at - 1), at + _REACH)
    if found and found.end() >= at:
        return found.end()
    return next((place for place in range(at, min(len(body), at + 4)) if _begins_character(body, place)), at)


def _begins_character(body: bytes, at: int) -> bool:
    return body[at] & 0xC0 != 0x80
