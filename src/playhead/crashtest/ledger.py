"""
What happened in truth: notes that a run writes beside its tape, each one at once, so that they outlive its kill.

The tape is what is tested, so that it cannot be the witness.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

What: TypeAlias = Literal[
    "asked", "began", "did", "settled", "reconciled", "saw", "whole", "reset", "result", "killed"
]
"""
    asked       a model call reached the provider; `key` says which
    began       a tool was called, in `lane`; `key` is its idempotency key
    did         it has done its work
    settled     it was in doubt: `text` says what was decided, `rerun`, `skip` or `stop`
    reconciled  it found out itself what became of it; `text` as above
    saw         whoever looks at the run saw `text`, a delta of part `key` of answer `number`
    whole       ... the end of answer `number`
    reset       ... that what was seen of answer `number` does not count
    result      ... the result `text` of the tool in `lane`
    killed      here the run was killed, at the point `text`
"""


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the ledger.

    Attributes:
        attempt: of the run: 0, and one more for each resume.
        effect: a tool's contract.
    """

    attempt: int
    what: What
    key: str = ""
    lane: str = ""
    name: str = ""
    effect: str = ""
    text: str = ""
    number: int = 0


class Ledger:
    """Writes notes.

    Args:
        path: the file.
        attempt: of the run that is noted.
    """

    def __init__(self, path: Path, attempt: int) -> None:
        self.path = path
        self._attempt = attempt
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(
        self,
        what: What,
        *,
        key: str = "",
        lane: str = "",
        name: str = "",
        effect: str = "",
        text: str = "",
        number: int = 0,
    ) -> None:
        """Write a note. It is there when this returns."""
        note = Note(self._attempt, what, key, lane, name, effect, text, number)
        os.write(self._fd, msgspec.json.encode(note) + b"\n")


class Notes:
    """What a ledger holds.

    Args:
        path: the ledger's file; where there is none, nothing happened.
    """

    def __init__(self, path: Path) -> None:
        data = path.read_bytes() if path.exists() else b""
        self._notes = [_decode(line) for line in data.splitlines()]

    def of(self, *whats: What, attempt: int | None = None) -> list[Note]:
        """The notes of some kinds, in order; of one attempt, or of all."""
        return [note for note in self._notes if note.what in whats and attempt in (None, note.attempt)]

    def asked(self, attempt: int | None = None) -> Counter[str]:
        """How often each model call reached the provider."""
        return Counter(note.key for note in self.of("asked", attempt=attempt))

    def tools(self, what: What, attempt: int | None = None) -> Counter[str]:
        """How often something was noted of the tool in each lane."""
        return Counter(note.lane for note in self.of(what, attempt=attempt))


_decode = msgspec.json.Decoder(Note).decode
