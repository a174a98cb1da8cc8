"""Which tapes come from which: the forks of a tape in its folder, and what is to be done before a tape goes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec

from ..errors import TapeError, TapeLocked
from .files import load_tape, save_tape
from .formats import is_native, native
from .writer import lock

_FIRST_LINE = 1 << 20
"""Bytes of a file in which its first line should end."""


def children_of(folder: Path, id: str, name: str | None = None) -> tuple[Path, ...]:
    """The tapes in a folder that were forked from the tape with this id, by name. Only first lines are read.

    Args:
        folder: where they are.
        id: the tape's.
        name: its file's. Of several files with one id, such as copies, a child belongs to the one that it names.
    """
    ids = {path.name: _id(first) for path, first in _first_lines(folder)}
    found: list[Path] = []
    for path, first in _first_lines(folder):
        parent = parent_of(first.get("meta"))
        named = parent.get("tape")
        if parent.get("id") == id and (name in (None, named) or _id_of(folder, named, ids) != id):
            found.append(path)
    return tuple(found)


def file_of(folder: Path, parent: dict[str, Any]) -> Path | None:
    """The file of the tape that another one was forked from: the one that it names, if it still is that tape; else
    the first one with its id.

    Args:
        folder: where it is.
        parent: as `parent_of` gives it.
    """
    named, id = parent.get("tape"), parent.get("id")
    if not isinstance(id, str):
        return None
    if isinstance(named, str) and _id_of(folder, named, {}) == id:
        return folder / named
    return next((path for path, first in _first_lines(folder) if _id(first) == id), None)


def _id(first: dict[str, Any]) -> Any:
    meta: Any = first.get("meta")
    return cast("dict[str, Any]", meta).get("id") if isinstance(meta, dict) else None


def _id_of(folder: Path, name: Any, ids: dict[str, Any]) -> Any:
    """The id of the tape in a file of the folder; None where there is none. `ids` holds those that are known."""
    if not isinstance(name, str) or name != Path(name).name:
        return None
    if name in ids:
        return ids[name]
    try:
        return load_tape(folder / name).meta.get("id")
    except TapeError:
        return None


def parent_of(meta: Any) -> dict[str, Any]:
    """What a tape's facts say of the one that it was forked from; empty where it was not."""
    found: Any = cast("dict[str, Any]", meta).get("parent") if isinstance(meta, dict) else None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def detach(child: Path) -> None:
    """Write a tape so that it needs no other file. Its own children, which refer to its bytes, are detached before.

    Raises:
        TapeLocked: somebody writes to it.
        TapeError: it cannot be read or written.
    """
    detach_children(child)
    held = hold(child)
    try:
        save_tape(load_tape(child), child)
    finally:
        os.close(held)


def detach_children(parent: Path) -> tuple[Path, ...]:
    """Make the children of a tape independent of it. To be called before its file is replaced.

    A child that does not fit the file any more is left as it is: what it kept is gone already.

    Returns:
        The children that were written anew.

    Raises:
        TapeLocked: somebody writes to one of them.
        TapeError: one of them cannot be read or written.
    """
    detached: list[Path] = []
    for path, first in _first_lines(parent.parent):
        reference: Any = first.get("parent")
        if not isinstance(reference, dict) or cast("dict[str, Any]", reference).get("tape") != parent.name:
            continue
        try:
            load_tape(path)
        except TapeError:
            continue
        detach(path)
        detached.append(path)
    return tuple(detached)


def hold(path: Path) -> int:
    """Hold a tape against writers, until what is returned is closed.

    Raises:
        TapeLocked: somebody writes to it.
        TapeError: it cannot be opened.
    """
    try:
        held = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        raise TapeError(f"tape {str(path)!r} cannot be opened: {error.strerror}") from error
    try:
        lock(held, path)
    except TapeLocked:
        os.close(held)
        raise
    return held


def _first_lines(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not is_native(path) or path.suffix == ".part":
            continue
        try:
            with path.open("rb") as file:
                line = file.readline(_FIRST_LINE)
            first: Any = msgspec.json.decode(line) if line.startswith(native.HEADER) else None
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(first, dict):
            yield path, cast("dict[str, Any]", first)
