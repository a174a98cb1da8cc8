"""Appends to a tape's file: one writer at a time, each line on its way to the disk before the run goes on."""

from __future__ import annotations

import os
import stat
import weakref
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

    Lines go to the operating system at once: they outlive a kill of the process, though not a power cut. The file is
    let go of by `close`, and where nobody calls that, when nobody holds the writer any more.

    Args:
        path: the file.
        first: the first line, which is written unless the file has one.
        keep: whether what is in the file stays; a torn last line is cut off all the same.
        check: called when the lock is there and before anything is changed, with what the file was; may raise.
        mode: who may read and write a file that is made here, as for `os.open`.

    Raises:
        TapeLocked: somebody else is writing, or replaced the file just now.
        TapeError: the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        first: Line,
        *,
        keep: bool,
        check: Callable[[os.stat_result], None] = lambda _: None,
        mode: int = 0o644,
    ) -> None:
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), mode)
        except OSError as error:
            where = "" if path.parent.is_dir() else f" (there is no folder {str(path.parent)!r})"
            raise TapeError(f"tape {str(path)!r} cannot be written: {error.strerror}{where}") from error
        self._release = weakref.finalize(self, os.close, self._fd)
        self._release.atexit = False  # Others write their last lines when Python ends.
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
        size = os.lseek(self._fd, 0, os.SEEK_END)
        try:
            written = os.write(self._fd, data)
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError as error:
            self._back_to(size)
            raise TapeError(
                f"tape {str(self.path)!r} cannot be written: {error.strerror}. All that was recorded so far is there."
            ) from error

    def close(self) -> None:
        """Let go of the file and its lock."""
        self._fd = -1
        self._release()

    def _back_to(self, size: int) -> None:
        """Cut off what was not written whole: behind it a later line would make the file unreadable."""
        try:
            os.ftruncate(self._fd, size)
        except OSError:
            self.close()

    def _whole_lines(self) -> int:
        return whole_lines(self.path.read_bytes())


def whole_lines(data: bytes) -> int:
    """The length of a tape's file up to its last line feed, and without a last line that cannot be read: what follows
    would make of it a line in the middle, for which a reader refuses the file."""
    end = data.rfind(b"\n") + 1
    start = data.rfind(b"\n", 0, max(0, end - 1)) + 1
    return end if start == 0 or is_line(data[start:end]) else start


def lock(fd: int, path: Path) -> None:
    """Hold a file against other writers, until it is closed.

    Raises:
        TapeLocked: somebody else holds it, or put another file in its place since it was opened.
    """
    if fcntl is None:
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise TapeLocked(
            f"tape {str(path)!r} is being written by another run. Wait for it, or use another file."
        ) from None
    if not _is_at(fd, path):  # The lock is that of a file which has no name any more.
        raise TapeLocked(f"tape {str(path)!r} was replaced by somebody else just now. Run it again.")


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False
