"""File formats of tapes, one file each, chosen by the file's ending; between go-vcr's YAML and VCR.py's the content
decides when a file is read, and the tape's own format when it is written."""

from __future__ import annotations

import importlib
from pathlib import Path

from ...errors import TapeFormatError
from ._format import Format

_BY_ENDING = {
    ".jsonl": "playhead",
    ".tape": "playhead",
    ".part": "playhead",
    ".yaml": "go-vcr",
    ".yml": "go-vcr",
    ".json": "vcrpy-json",
    ".har": "har",
}
_HOMES = {
    "playhead": ("native", "FORMAT"),
    "go-vcr": ("govcr", "FORMAT"),
    "vcrpy": ("vcrpy", "FORMAT"),
    "vcrpy-json": ("vcrpy", "JSON_FORMAT"),
    "har": ("har", "FORMAT"),
    "go-vcr-v1": ("govcr", "V1_FORMAT"),
}
_YAML = frozenset({"go-vcr", "vcrpy", "go-vcr-v1"})
"""Formats that share an ending, go-vcr's."""

NAMES = tuple(_HOMES)
"""The formats there are, by name."""

__all__ = ["NAMES", "Format", "format_called", "format_for", "is_native"]


def format_called(name: str) -> Format:
    """The format called `name`, one of `NAMES`."""
    module, attribute = _HOMES[name]
    format: Format = getattr(importlib.import_module(f".{module}", __name__), attribute)
    return format


def format_for(path: Path, *, data: bytes | None = None, tape_format: str | None = None) -> Format:
    """The format of a file.

    Args:
        path: its ending chooses.
        data: what is in it, where it is read: a YAML file may be a cassette of go-vcr or of VCR.py.
        tape_format: that of the tape, where it is written: cassettes of VCR.py and of go-vcr's version 1 stay what
            they are.

    Raises:
        TapeFormatError: no format has this ending.
    """
    name = _BY_ENDING.get(path.suffix.lower())
    if name is None:
        raise TapeFormatError(
            f"tape {str(path)!r}: the ending {path.suffix!r} says no format. Use one of {', '.join(_BY_ENDING)} "
            "(.jsonl is Playhead's own, .yaml is go-vcr's)."
        )
    if name == "go-vcr" and tape_format in _YAML:
        name = tape_format
    elif name == "go-vcr" and data is not None and _is_vcrpy(data):
        name = "vcrpy"
    return format_called(name)


def is_native(path: Path) -> bool:
    """Whether `path` names a tape in Playhead's own format."""
    return _BY_ENDING.get(path.suffix.lower()) == "playhead"


def _is_vcrpy(data: bytes) -> bool:
    from .vcrpy import recognises

    return recognises(data)
