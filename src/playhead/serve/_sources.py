"""From files and folders to the tapes that are served."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import TapeError, TapeFormatError
from ..tape.effects import Tape
from ..tape.files import load_tape
from ..tape.formats import format_for


def load_tapes(paths: Iterable[str | os.PathLike[str]]) -> tuple[list[tuple[str, Tape]], list[str]]:
    """Read tapes, and those in folders.

    Returns:
        The tapes, each with a name of its own; and what there is to say of them.

    Raises:
        TapeError: a file cannot be read, or a folder holds no tape.
    """
    found: list[tuple[Path, Tape]] = []
    notes: list[str] = []
    for path in map(Path, paths):
        tapes = list(_in_folder(path, notes)) if path.is_dir() else [(path, load_tape(path))]
        if not tapes:
            raise TapeError(f"there is no tape in the folder {str(path)!r}")
        found += tapes
    notes += (f"{path}: {warning}" for path, tape in found for warning in tape.warnings)
    names = [path.name for path, _ in found]
    return [(path.name if names.count(path.name) == 1 else str(path), tape) for path, tape in found], notes


def _in_folder(folder: Path, notes: list[str]) -> Iterator[tuple[Path, Tape]]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or path.suffix == ".part" or not path.is_file():
            continue
        try:
            format_for(path)
        except TapeFormatError:
            continue  # Its name says that it is something else.
        try:
            yield path, load_tape(path)
        except TapeError as error:
            notes.append(f"left out: {error}")
