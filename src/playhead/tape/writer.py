"""Appends to a tape's file: one writer at a time, each line on its way to the disk before the run goes on."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from ..errors import TapeError, TapeLocked
from .formats.native import Line, encode_line, is_line

try:
    import fcntl
except ImportError:  # Windows: a second writer is not noticed there.
    fcntl = None


class TapeWriter:
    """An append-only file of lines, locked against a second writer.

    Lines go to the operating system at once: they outlive a kill of the process, though not a power cut.

    Args:
        path: the file.
        first: the first line, which is written unless the file has one.
        keep: whether what is in the file stays; a torn last line is cut off all the same.
        check: called when the lock is there and before anything is changed, with what the file was; may raise.

    Raises:
        TapeLocked: somebody else is writing.
        TapeError: the file cannot be written.
    """

    def __init__(
        self, path: Path, first: Line, *, keep: bool, check: Callable[[os.stat_result], None] = lambda _: None
    ) -> None:
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o644)
        except OSError as error:
            where = "" if path.parent.is_dir() else f" (there is no folder {str(path.parent)!r})"
            raise TapeError(f"tape {str(path)!r} cannot be written: {error.strerror}{where}") from error
        try:
            if not stat.S_ISREG(os.fstat(self._fd).st_mode):
                raise TapeError(f"tape {str(path)!r} is not a regular file: a tape is appended to and read again")
            lock(self._fd, path)
            check(os.fstat(self._fd))
            os.ftruncate(self._fd, self._whole_lines() if keep else 0)
            if os.fstat(self._fd).st_size == 0:
                self.append(first)
        except BaseException:
            self.close()
            raise

    def append(self, line: Line) -> None:
        """Write a line.

        Raises:
            TapeError: it cannot be written; what was written before stays whole.
        """
        self.append_bytes(encode_line(line))

    def append_bytes(self, data: bytes) -> None:
        """Write lines that are encoded already. See `append`."""
        if self._fd < 0:
            raise TapeError(f"tape {str(self.path)!r} is closed: what comes now is not recorded")
        try:
            written = os.write(self._fd, data)
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError as error:
            raise TapeError(
                f"tape {str(self.path)!r} cannot be written: {error.strerror}. All that was recorded so far is there."
            ) from error

    def close(self) -> None:
        """Let go of the file and its lock."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _whole_lines(self) -> int:
        """The length of the file up to its last line feed, and without a last line that cannot be read: what follows
        would make of it a line in the middle, for which a reader refuses the file."""
        data = self.path.read_bytes()
        end = data.rfind(b"\n") + 1
        start = data.rfind(b"\n", 0, max(0, end - 1)) + 1
        return end if start == 0 or is_line(data[start:end]) else start


def lock(fd: int, path: Path) -> None:
    """Hold a file against other writers, until it is closed.

    Raises:
        TapeLocked: somebody else holds it.
    """
    if fcntl is None:
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise TapeLocked(
            f"tape {str(path)!r} is being written by another run. Wait for it, or use another file."
        ) from None
