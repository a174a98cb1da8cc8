"""
Tapes as files: reading whole, and writing so that a file is always either the old one or the new one.

A tape that was forked from another keeps that one's effects by naming its file, which lies in the same folder.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path

from ..errors import ConfigError, TapeError, TapeNotFound
from .effects import Tape
from .formats import format_for, is_native, native

_GENERATIONS = 100
"""How many tapes may keep effects one of the other."""


def load_tape(path: str | os.PathLike[str]) -> Tape:
    """Read a tape, in the format that the file's ending says.

    Raises:
        TapeNotFound: there is no such file.
        TapeFormatError: it is not a tape, empty, broken, or of an unknown version.
        TapeError: it cannot be read, or it keeps effects of a tape that is not beside it as it was.
    """
    return read_tape(Path(path))[0]


def read_tape(file: Path) -> tuple[Tape, bytes]:
    """A tape, and the bytes that it was read from. See `load_tape`."""
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
    return _load(file, data, ()), data


def save_tape(tape: Tape, path: str | os.PathLike[str]) -> None:
    """Write a tape, in the format that the file's ending says. The file is replaced at once, or not at all.

    It is written word for word, with what may be secret in it. `playhead convert` takes that out.

    Raises:
        TapeError: the file cannot be written, or the format cannot hold the tape.
    """
    put_in_place(format_for(Path(path), tape_format=tape.format).dump(tape), Path(path))


def put_in_place(data: bytes, path: Path, *, over: bool = True, mode: int | None = None) -> None:
    """Write a file at once, or not at all. At no time may more people read it than the one that it replaces.

    Args:
        data: all of it.
        path: where.
        over: whether a file that is there is replaced.
        mode: who may read and write the file, where none is replaced; as other new files where it is left out.

    Raises:
        ConfigError: a file is there, and is not to be replaced.
        TapeError: it cannot be written.
    """
    file = Path(os.path.realpath(path))  # What a link leads to is replaced, not the link.
    new = file.with_name(f"{file.name}.new")
    try:
        if not over and file.exists():
            raise FileExistsError
        _write_new(new, data, mode_of(file) if file.exists() else mode)
        new.replace(file) if over else _put_where_nothing_is(new, file)
    except FileExistsError:
        new.unlink(missing_ok=True)
        raise ConfigError(f"{str(path)!r} exists already, and is not replaced. Choose another name.") from None
    except OSError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise TapeError(
            f"tape {str(file)!r} cannot be written: {error.strerror}. What was there is unchanged."
        ) from error


def mode_of(file: Path) -> int:
    """Who may read and write a file, as for `os.chmod`."""
    return stat.S_IMODE(file.stat().st_mode)


def _write_new(new: Path, data: bytes, mode: int | None) -> None:
    new.unlink(missing_ok=True)  # One that was left over may be open to more people.
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(new, flags, 0o666 if mode is None else mode & 0o600), "wb") as file:
        if mode is not None:
            new.chmod(mode)
        file.write(data)


def _put_where_nothing_is(new: Path, file: Path) -> None:
    try:
        os.link(new, file)
    except FileExistsError:
        raise
    except OSError:  # A file system without hard links: somebody may be quicker there.
        if file.exists():
            raise FileExistsError from None
        new.replace(file)
    else:
        new.unlink()


def _load(file: Path, data: bytes, heirs: tuple[str, ...]) -> Tape:
    if not is_native(file):
        return format_for(file, data=data).load(data, str(file))
    return native.load(data, str(file), lambda wanted: _parent(file, wanted, (*heirs, file.name)))


def _parent(file: Path, wanted: native.Parent, heirs: tuple[str, ...]) -> Tape:
    """The tape that `file` keeps effects of, as it was when it was forked."""
    try:
        parent = file.with_name(wanted.tape)
    except ValueError:  # It is empty, or a path.
        parent = None
    if parent is None or not is_native(parent):
        raise TapeError(f"tape {str(file)!r} keeps effects of {wanted.tape!r}, which names no tape in its folder.")
    if wanted.tape in heirs or len(heirs) > _GENERATIONS:
        circle = ", ".join((*heirs[-5:], wanted.tape))
        raise TapeError(f"tape {heirs[0]!r} keeps effects of tapes that lead to one another in a circle: {circle}.")
    try:
        with parent.open("rb") as opened:
            data = opened.read(wanted.length)
    except FileNotFoundError:
        raise TapeError(
            f"tape {str(file)!r} keeps effects of {wanted.tape!r}, and there is no such file beside it. Put it back, "
            "under that name."
        ) from None
    except OSError as error:
        raise TapeError(f"tape {str(parent)!r} cannot be read: {error.strerror}") from error
    if len(data) != wanted.length or hashlib.sha256(data).hexdigest() != wanted.sha256:
        raise TapeError(
            f"tape {str(file)!r} keeps effects of {wanted.tape!r}, and the file of that name beside it is another "
            "one than at that time: it was recorded anew or changed. Put the old one back, or fork the new one."
        )
    return _load(parent, data, heirs)
