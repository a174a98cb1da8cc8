"""File formats of tapes, one file each, chosen by the file's ending."""

from __future__ import annotations

import importlib
from pathlib import Path

from ...errors import TapeFormatError
from ._format import Format

_BY_ENDING = {".jsonl": "native", ".tape": "native", ".part": "native", ".yaml": "govcr", ".yml": "govcr"}

__all__ = ["Format", "format_for", "is_native"]


def format_for(path: Path) -> Format:
    """The format that the ending of `path` chooses.

    Raises:
        TapeFormatError: no format has this ending.
    """
    ending = path.suffix.lower()
    if ending not in _BY_ENDING:
        known = ", ".join(_BY_ENDING)
        raise TapeFormatError(
            f"tape {str(path)!r}: the ending {ending!r} says no format. Use one of {known} "
            "(.jsonl is Playhead's own, .yaml is go-vcr's)."
        )
    module = importlib.import_module(f".{_BY_ENDING[ending]}", __name__)
    format: Format = module.FORMAT
    return format


def is_native(path: Path) -> bool:
    """Whether `path` names a tape in Playhead's own format."""
    return _BY_ENDING.get(path.suffix.lower()) == "native"
