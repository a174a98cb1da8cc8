"""Tapes as files: reading whole, and writing so that a file is always either the old one or the new one."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import TapeError, TapeNotFound
from .effects import Tape
from .formats import format_for


def load_tape(path: str | os.PathLike[str]) -> Tape:
    """Read a tape, in the format that the file's ending says.

    Raises:
        TapeNotFound: there is no such file.
        TapeFormatError: it is not a tape, empty, broken, or of an unknown version.
    """
    file = Path(path)
    format_for(file)  # An ending that says nothing is an error whether or not the file is there.
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise TapeNotFound(
            f"there is no tape {str(file)!r}. Record it first: mode 'record', or 'auto', which records where "
            "there is no tape."
        ) from None
    except OSError as error:
        raise TapeError(f"tape {str(file)!r} cannot be read: {error.strerror}") from error
    return format_for(file, data=data).load(data, str(file))


def save_tape(tape: Tape, path: str | os.PathLike[str]) -> None:
    """Write a tape, in the format that the file's ending says. The file is replaced at once, or not at all.

    Raises:
        TapeError: the file cannot be written, or the format cannot hold the tape.
    """
    data = format_for(Path(path), tape_format=tape.format).dump(tape)
    file = Path(os.path.realpath(path))  # What a link leads to is replaced, not the link.
    new = file.with_name(f"{file.name}.new")
    try:
        new.write_bytes(data)
        if file.exists():
            new.chmod(file.stat().st_mode & 0o7777)
        new.replace(file)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise TapeError(
            f"tape {str(file)!r} cannot be written: {error.strerror}. What was there is unchanged."
        ) from error
