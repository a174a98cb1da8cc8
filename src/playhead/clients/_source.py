"""Which tape a client's requests go by."""

from __future__ import annotations

import sys
import warnings
import weakref

from ..errors import ConfigError
from ..tape.lanes import here
from ..tape.open import Mode, TapeSource, open_tape
from ..tape.opened import OpenTape


class Source:
    """The tape that a transport was given; where it was given none, the one that is open around each call.

    A file or a tape in memory is opened at once, so that what is wrong with it is said here and not inside a client
    that tries again. It is closed by `close`; where nobody calls that, when nobody holds the transport any more, or
    when Python ends. Nobody knows by then whether all went well, so that a tape that is recorded anew stays as it is.

    Args:
        tape: a file, a tape in memory, or one that is open.
        mode: as for `open_tape`.

    Raises:
        ConfigError, TapeError: as `open_tape` does.
    """

    def __init__(self, tape: TapeSource | None = None, mode: Mode | None = None) -> None:
        self._opened: OpenTape | None = None
        self._finalizer: weakref.finalize[..., Source] | None = None
        if isinstance(tape, OpenTape):
            if mode is not None and mode != tape.mode:
                raise ConfigError(f"the tape is open in mode {tape.mode!r}: leave mode={mode!r} out, or open another")
            self._opened = tape
        elif tape is not None or mode is not None:
            self._opened = open_tape(tape, mode)
            self._finalizer = weakref.finalize(self, _close_unattended, self._opened)

    def tape(self) -> OpenTape | None:
        """The tape for a call that is made here; None where it goes out and nothing is kept."""
        if self._opened is not None:
            return self._opened
        place = here()
        return None if place is None else place.tape

    def close(self, *, whole: bool) -> None:
        """Close the tape, if it was opened here.

        Args:
            whole: whether all that was to be recorded came to its end; see `undisturbed`.
        """
        if self._opened is None or self._finalizer is None or self._finalizer.detach() is None:
            return
        said = self._opened.close(whole=whole and not self._opened.divergences)
        error = sys.exc_info()[1]
        if said and error is not None:
            error.add_note(said)
        elif said:
            warnings.warn(f"{said} The client met an error.", stacklevel=2)


def undisturbed() -> bool:
    """Whether no error is under way where this is called, such as in a `finally` block."""
    return sys.exc_info()[0] is None


def _close_unattended(tape: OpenTape) -> None:
    if said := tape.close(whole=False):
        warnings.warn(f"{said} The client was not closed.", stacklevel=2)
