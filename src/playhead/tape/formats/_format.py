"""What a file format of tapes is: pure functions, from bytes and to bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..effects import Tape
from ._losses import differences


def _nothing(_tape: Tape) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Format:
    """A file format.

    Attributes:
        name: as `playhead show --json` says it.
        endings: file endings, with the dot, that choose it.
        load: from the file's bytes and its name (for messages only). Raises TapeFormatError.
        dump: to the file's bytes. Raises TapeFormatError where the format cannot hold the tape.
        beside: what there is of a tape that the format has no field for, so that it stands under `playhead`, which
            other programs skip: a phrase for each kind, with a count. Raises what `dump` raises.
    """

    name: str
    endings: tuple[str, ...]
    load: Callable[[bytes, str], Tape]
    dump: Callable[[Tape], bytes]
    beside: Callable[[Tape], tuple[str, ...]] = _nothing

    def losses(self, tape: Tape) -> tuple[str, ...]:
        """What is not on the tape any more once it was written and read again: a phrase for each kind, with a count.

        It is found by doing so, and so nothing is missed.

        Raises:
            TapeFormatError: the format cannot hold the tape at all.
        """
        return differences(tape, self.load(self.dump(tape), "what was written"))
