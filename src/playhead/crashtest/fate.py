"""Ends this process at a chosen point, as a kill from outside would: nothing is flushed, closed or said."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import NoReturn

from ..tape.writer import TapeWriter
from .ledger import Ledger
from .points import Kind, Point


class Fate:
    """Counts what happens in this process, and kills it where its point is reached.

    Args:
        point: where; None lets it live.
        ledger: where the kill is noted.
    """

    def __init__(self, point: Point | None, ledger: Ledger) -> None:
        self._point = point
        self._ledger = ledger
        self._numbers: defaultdict[str, count[int]] = defaultdict(count)
        self.counts: dict[str, int] = {}
        self.over = False

    def reach(self, kind: Kind, prepare: Callable[[Point], None] = lambda _: None) -> None:
        """Something of a kind happens here.

        Args:
            prepare: called before the kill.
        """
        if not self.over and (point := self._struck(kind, kind)) is not None:
            prepare(point)
            self.kill(point)

    def line(self, write: Callable[[bytes], None], data: bytes) -> None:
        """A line is written here."""
        point = None if self.over else self._struck("line", "before", "inside", "after")
        if point is None:
            write(data)
            return
        if point.kind == "after":
            write(data)
        elif point.kind == "inside":
            write(data[: point.part(len(data))])
        self.kill(point)

    def kill(self, point: Point) -> NoReturn:
        """End this process now."""
        self._ledger.note("killed", text=str(point))
        while True:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
            time.sleep(0.01)

    def _struck(self, counted: str, *kinds: Kind) -> Point | None:
        number = next(self._numbers[counted])
        self.counts[counted] = number + 1
        point = self._point
        return point if point is not None and point.kind in kinds and point.at == number else None


def watch(tape: Path, fate: Fate) -> None:
    """Let a fate see the lines that are written to a tape or its journal, and when these are put in their place. It
    cannot be undone."""
    write = TapeWriter.append_bytes

    def ours(path: Path) -> bool:
        return path.parent == tape.parent and path.name.startswith(tape.name)

    def append_bytes(self: TapeWriter, data: bytes) -> None:
        if ours(self.path):
            fate.line(lambda part: write(self, part), data)
        else:
            write(self, data)

    TapeWriter.append_bytes = append_bytes

    def audit(event: str, arguments: tuple[object, ...]) -> None:
        if event in ("os.rename", "os.remove"):
            path = str(arguments[0])
            if ours(Path(path)):
                fate.reach("place", lambda point: _tear(path, point) if event == "os.rename" else None)

    sys.addaudithook(audit)


def _tear(path: str, point: Point) -> None:
    """Leave of a file what a kill while it is written leaves of it. A share of 0 leaves it whole."""
    if point.share:
        os.truncate(path, round(os.path.getsize(path) * (1 - point.share)))
