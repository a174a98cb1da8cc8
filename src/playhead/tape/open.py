"""From a file and a mode to a playhead."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from ..errors import ConfigError, TapeError, TapeLocked, TapeNotFound
from ..http import Transport
from .effects import Tape
from .files import load_tape, save_tape
from .formats import format_for, is_native, native
from .player import Player
from .playhead import Playhead
from .recorder import Recorder
from .writer import TapeWriter, lock

Mode: TypeAlias = Literal["record", "replay", "auto", "resume", "off"]
"""
    mode     behind the playhead                       ahead of it
    record   nothing: starts a new tape                live, recorded
    replay   played                                    an error: nothing ever goes out
    auto     replay where the tape exists              record where it does not
    resume   played                                    live, recorded
    off      -                                         live, not recorded
"""

TapeSource: TypeAlias = str | os.PathLike[str] | Tape


def open_playhead(
    source: TapeSource | None,
    mode: Mode | None,
    inner: Transport,
    ready: Callable[[], None] = lambda: None,
) -> Playhead:
    """A playhead at the start of a tape.

    Args:
        source: a file, or a tape in memory; without one, the run is recorded in memory.
        mode: `resume` where none is given.
        inner: what answers ahead of the playhead.
        ready: called before anything goes out; raises where it cannot.

    Raises:
        ConfigError: there is no such mode, or it needs a tape.
        TapeError: the tape cannot be read.
    """
    if mode is not None and mode not in get_args(Mode):
        raise ConfigError(f"there is no mode {mode!r}; the modes are: {', '.join(get_args(Mode))}")
    if mode == "off":
        return Playhead(inner, ready=ready)
    if source is None:
        if mode == "replay":
            raise ConfigError("mode 'replay' plays a tape: say which one with tape=...")
        return Playhead(inner, recorder=Recorder(Tape()), ready=ready)
    if isinstance(source, Tape):
        return _in_memory(source, mode or "resume", inner, ready)
    return _File(Path(source), mode or "resume").open(inner, ready)


def _in_memory(tape: Tape, mode: Mode, inner: Transport, ready: Callable[[], None]) -> Playhead:
    if mode == "record":
        return Playhead(inner, recorder=Recorder(Tape()), ready=ready)
    closed = mode in ("replay", "auto")
    return Playhead(
        inner,
        Player(tape, "in memory", resume=not closed),
        None if closed else Recorder(tape),
        closed=closed,
        ready=ready,
        name="in memory",
        recorded=tape,
    )


class _File:
    """A tape's file, and beside it the journal of a recording that has not taken its place yet.

    Playhead's own format is appended to in place. Other formats cannot be appended to, and a tape that is recorded
    anew must stay whole until the new one is there: then the lines go into a journal first.
    """

    def __init__(self, path: Path, mode: Mode) -> None:
        format_for(path)  # An ending that says nothing is an error before anything happens.
        self.path = path
        self.journal = path.with_name(f"{path.name}.part")
        self._seen = _identity(path)
        self._whole: Tape | None = None
        if mode == "auto":
            # A recording that was interrupted is gone on with: what was paid for is not paid for twice.
            self._whole = _whole_tape(path) if self._seen else None
            mode = "replay" if self._whole else "resume"
        self.mode = mode
        self._before: Tape | None = None
        self._from_journal = False
        self._writer: TapeWriter | None = None
        self._guard = -1

    def open(self, inner: Transport, ready: Callable[[], None]) -> Playhead:
        name = str(self.path)
        if self.mode == "replay":
            tape = self._load()
            return Playhead(inner, Player(tape, name), closed=True, name=name, recorded=tape, warnings=tape.warnings)
        before = self._before = self._interrupted_or_whole() if self.mode == "resume" else None
        recorder = Recorder(before or Tape(), self._open_writer)
        warnings = before.warnings if before else ()
        if self._from_journal and self._seen:
            warnings += (f"the run went on from an interrupted recording of {name!r}, in {self.journal.name!r}",)
        return Playhead(
            inner,
            Player(before, name, resume=True) if before else None,
            recorder,
            ready=ready,
            on_close=lambda whole: self._commit(recorder, whole=whole),
            name=name,
            warnings=warnings,
        )

    def _load(self) -> Tape:
        try:
            return self._whole or load_tape(self.path)
        except TapeNotFound as error:
            if self.journal.exists():
                raise TapeNotFound(
                    f"there is no tape {str(self.path)!r} yet: its recording was interrupted and stands in "
                    f"{self.journal.name!r}. Go on with mode 'resume'."
                ) from error
            raise

    def _interrupted_or_whole(self) -> Tape | None:
        """What a resumed run goes on from: an interrupted recording, else the tape, else nothing."""
        journal = _begun(self.journal)
        if journal is not None:
            tape = native.load(journal, str(self.journal))
            if tape.effects or self._seen is None:
                self._from_journal = True
                return tape
        if self._seen is None or (is_native(self.path) and _begun(self.path) is None):
            return None
        return load_tape(self.path)

    def _open_writer(self, meta: dict[str, Any]) -> TapeWriter:
        grows = self.mode == "resume" and not self._from_journal
        if is_native(self.path) and (grows or (self._seen is None and not self.journal.exists())):
            self._writer = TapeWriter(self.path, native.header(meta), keep=True, check=self._unchanged)
            return self._writer
        if self._seen is not None:
            self._guard = os.open(self.path, os.O_RDONLY)
            lock(self._guard, self.path)
        if _identity(self.path) != self._seen:
            raise self._changed()
        copies = self._before is not None and not self._from_journal
        first = native.header(meta, copies=copies)
        self._writer = writer = TapeWriter(self.journal, first, keep=self._from_journal)
        if self._before is not None and copies:
            for line in native.dump(self._before).splitlines(keepends=True)[1:]:
                writer.append_bytes(line)
            writer.append(native.copied())
        return writer

    def _unchanged(self, now: os.stat_result) -> None:
        """Nobody has written to the file since it was read, or made it where there was none."""
        if (self._seen is None and now.st_size) or (self._seen and (now.st_ino, now.st_size) != self._seen[:2]):
            raise self._changed()

    def _changed(self) -> TapeLocked:
        return TapeLocked(f"tape {str(self.path)!r} was changed by somebody else since this run began. Run it again.")

    def _commit(self, recorder: Recorder, *, whole: bool) -> str | None:
        """Put the tape in its place. Where that fails, the journal stays."""
        if (writer := self._writer) is None:
            self._release()
            return None
        try:
            if writer.path != self.journal:
                return None
            if self.mode == "record" and self._seen is not None and not whole:
                return self._keep_old(recorder.tape())
            save_tape(recorder.tape(), self.path)
            self.journal.unlink()
        except OSError as error:
            raise TapeError(
                f"tape {str(self.path)!r} could not be put in its place: {error.strerror}. "
                f"The recording stands in {str(self.journal)!r}."
            ) from error
        finally:
            writer.close()
            self._release()
        return None

    def _keep_old(self, new: Tape) -> str:
        """A tape is not replaced by a recording that failed; what was paid for is kept beside it."""
        if not any(call.ended == "complete" and (call.status or 0) < 400 for call in new.interactions):
            self.journal.unlink()
            return f"Tape {str(self.path)!r} is as it was."
        return (
            f"Tape {str(self.path)!r} is as it was; the new recording stands in {self.journal.name!r}: go on with "
            "mode 'resume', or begin anew with mode 'record'."
        )

    def _release(self) -> None:
        if self._guard >= 0:
            os.close(self._guard)
            self._guard = -1


def _identity(path: Path) -> tuple[int, int, int] | None:
    """What tells whether a file was changed: its number, size and time; None where nothing is there."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TapeError(f"tape {str(path)!r} cannot be looked at: {error.strerror}") from error
    if stat.S_ISDIR(found.st_mode):
        raise TapeError(f"tape {str(path)!r} is a folder: name a file in it")
    return (found.st_ino, found.st_size, found.st_mtime_ns) if found.st_size else None


def _whole_tape(path: Path) -> Tape | None:
    """The tape, if it holds something and does not stop in the middle of an effect."""
    if is_native(path):
        begun = _begun(path)
        if begun is None or not begun.endswith(b"\n"):
            return None
    tape = load_tape(path)
    return tape if tape.effects and tape.effects[-1].ended != "interrupted" else None


def _begun(path: Path) -> bytes | None:
    """The bytes of a native file, or None where nothing was recorded in it yet: there is none, its first line was not
    written whole, or the tape that it was to begin with was not copied to its end."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TapeError(f"tape {str(path)!r} cannot be read: {error.strerror}") from error
    first = data.partition(b"\n")[0]
    if b"\n" not in data and (native.HEADER.startswith(first[: len(native.HEADER)]) or not first):
        return None
    if b'"copies":true' in first and b'\n{"type":"copied"}\n' not in data:
        return None
    return data
