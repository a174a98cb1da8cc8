"""Takes secrets out of bytes that come in pieces, also where one straddles them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._hits import replaced
from ._kinds import Kind, kind_of

if TYPE_CHECKING:
    from ._redaction import Redaction

_BORDER = 8
"""Bytes before a piece that tell whether a key may begin there."""

_PATIENCE = 4096
"""Bytes held back that are looked at again with each piece. Of more, only when they have doubled: else a long secret
in small pieces would cost the square of its length."""


class Scrubber:
    """What may go to the disk now: feed the pieces of a body as they come, then `end`.

    However the bytes are cut, all that comes out is what `Redaction.body` makes of the whole. What may be the
    beginning of a secret is held back, and nothing else; with patterns the line, and with paths the event, or a JSON
    body whole.
    """

    def __init__(self, redaction: Redaction, content_type: str | None) -> None:
        self._redaction = redaction
        self._content_type = content_type
        self._kind: Kind | None = None if redaction.paths else "other"
        self._before = b""
        self._held = b""
        self._new: list[bytes] = []
        self._waiting = 0

    @property
    def holds(self) -> bool:
        """Whether something is held back."""
        return bool(self._held or self._new)

    def feed(self, chunk: bytes) -> bytes:
        """Take a piece. What comes out may be empty, and may hold bytes of earlier pieces."""
        self._new.append(chunk)
        self._waiting += len(chunk)
        if self._waiting < len(self._held) and len(self._held) > _PATIENCE:
            return b""
        return self._release(final=False)

    def end(self) -> bytes:
        """The rest, when the body is over or broke off."""
        return self._release(final=True)

    def _release(self, *, final: bool) -> bytes:
        start = len(self._before)
        data = b"".join((self._before, self._held, *self._new))
        self._new, self._waiting = [], 0
        if self._kind is None:
            self._kind = kind_of(data, self._content_type)
        kind = self._kind or "other"
        hits = self._redaction.hits(data, start, kind, final=final)
        cut = len(data) if final else self._redaction.settled(data, start, self._kind, hits)
        self._held = data[cut:]
        self._before = data[max(0, cut - _BORDER) : cut]
        return replaced(data, hits, start, cut) if hits else data[start:cut]
