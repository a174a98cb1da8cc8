"""From a file and a mode to a playhead."""

from __future__ import annotations

import os
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
from .writer import TapeWriter

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
    return _File(Path(source)).open(mode or "resume", inner, ready)


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

    def __init__(self, path: Path) -> None:
        format_for(path)  # An ending that says nothing is an error before anything happens.
        self.path = path
        self.journal = path.with_name(f"{path.name}.part")
        self._writer: TapeWriter | None = None
        self._size = 0

    def open(self, mode: Mode, inner: Transport, ready: Callable[[], None]) -> Playhead:
        if mode == "auto":
            # A recording that was interrupted is gone on with: what was paid for is not paid for twice.
            mode = "replay" if self.path.exists() else "resume"
        if mode == "replay":
            tape = self._load()
            player = Player(tape, str(self.path))
            return Playhead(inner, player, closed=True, name=str(self.path), recorded=tape)
        before = self._before() if mode == "resume" else None
        recorder = Recorder(before or Tape(), self._append_to(mode, before))
        return Playhead(
            inner,
            Player(before, str(self.path), resume=True) if before else None,
            recorder,
            ready=ready,
            on_close=lambda: self._commit(recorder),
            name=str(self.path),
        )

    def _load(self) -> Tape:
        try:
            return load_tape(self.path)
        except TapeNotFound as error:
            if self.journal.exists():
                raise TapeNotFound(
                    f"there is no tape {str(self.path)!r} yet: its recording was interrupted and stands in "
                    f"{self.journal.name!r}. Go on with mode 'resume'."
                ) from error
            raise

    def _before(self) -> Tape | None:
        """What a resumed run goes on from: an interrupted recording, else the tape, else nothing."""
        if self.journal.exists() and self.journal.stat().st_size:
            return native.load(self.journal.read_bytes(), str(self.journal))
        if not self.path.exists() or not self.path.stat().st_size:
            return None
        self._size = self.path.stat().st_size
        return load_tape(self.path)

    def _append_to(self, mode: Mode, before: Tape | None) -> Callable[[dict[str, Any]], TapeWriter]:
        def open_writer(meta: dict[str, Any]) -> TapeWriter:
            resumes = mode == "resume"
            exists = self.path.exists() and self.path.stat().st_size > 0
            in_place = is_native(self.path) and (resumes or not exists)
            if in_place and not self.journal.exists():
                if resumes and before is not None and self.path.stat().st_size != self._size:
                    raise TapeLocked(
                        f"tape {str(self.path)!r} was changed by somebody else since this run read it. Run it again."
                    )
                self._writer = TapeWriter(self.path, meta, keep=True)
                return self._writer
            kept = resumes and self.journal.exists()
            self._writer = TapeWriter(self.journal, meta, keep=kept)
            if before is not None and not kept:
                for line in native.dump(before).splitlines(keepends=True)[1:]:
                    self._writer.append_bytes(line)
            return self._writer

        return open_writer

    def _commit(self, recorder: Recorder) -> None:
        """Put the tape in its place. Where that fails, the journal stays."""
        if (writer := self._writer) is None:
            return
        try:
            if writer.path == self.journal:
                save_tape(recorder.tape(), self.path)
                self.journal.unlink()
        except OSError as error:
            raise TapeError(
                f"tape {str(self.path)!r} could not be put in its place: {error.strerror}. "
                f"The recording stands in {str(self.journal)!r}."
            ) from error
        finally:
            writer.close()
