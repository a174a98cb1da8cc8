"""What a file format of tapes is: two pure functions, from bytes and to bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..effects import Tape


@dataclass(frozen=True, slots=True)
class Format:
    """A file format.

    Attributes:
        name: as `playhead show --json` says it.
        endings: file endings, with the dot, that choose it.
        load: from the file's bytes and its name (for messages only). Raises TapeFormatError.
        dump: to the file's bytes. Raises TapeFormatError where the format cannot hold the tape.
    """

    name: str
    endings: tuple[str, ...]
    load: Callable[[bytes, str], Tape]
    dump: Callable[[Tape], bytes]
