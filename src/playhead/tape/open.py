"""From a file and a mode to an open tape."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from ..errors import ConfigError, TapeError, TapeLocked, TapeNotFound
from ..http import Transport
from .effects import Tape
from .files import load_tape, mode_of, read_tape, save_tape
from .formats import format_for, is_native, native
from .lanes import here, lane_on
from .opened import Branch, Faults, InDoubt, OnDivergence, OpenTape, Options, Skip
from .player import Player
from .playhead import Playhead
from .playing import Cut
from .recorder import Recorder
from .secrets import Redaction
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

TapeSource: TypeAlias = str | os.PathLike[str] | Tape | OpenTape


def open_tape(
    source: str | os.PathLike[str] | Tape | None = None,
    mode: Mode | None = None,
    *,
    on_divergence: OnDivergence = "strict",
    in_doubt: InDoubt = "raise",
    speed: float | None = None,
    cut: Cut = "recorded",
    redact: Redaction | None = None,
    faults: Faults | None = None,
) -> OpenTape:
    """Open a tape for runs, sub-agents and other people's clients.

        with ph.open_tape("run.jsonl", mode="replay") as tape:
            agent.run_sync("...")

    Args:
        source: a file (its ending says the format), or a tape in memory; without one it is recorded in memory.
        mode: `record`, `replay`, `auto`, `resume` (where none is given) or `off`.
        on_divergence: what happens where something else is asked for than what was recorded: `strict` raises, `fork`
            goes on live on a child of the tape, `drift` plays what stands there and marks the run.
        in_doubt: what to do with a tool that may run only once and was cut down in the middle: `raise`, `rerun`,
            `Skip(result)`, or a function that is given the `ToolInDoubt` and returns one of them.
        speed: what is played is played at once where it is None, in recorded time at 1.0, twice as fast at 2.0.
        cut: how what is played is cut into chunks: as `recorded`, by `event`, by `byte`, or at random from a seed.
        redact: what is taken out before anything is kept, beside headers that may be secret.
        faults: strikes what is played or sent. See `playhead.Faults`.

    Raises:
        ConfigError: there is no such mode, it needs a tape, or options do not go together.
        TapeError: the tape cannot be read.
    """
    if mode is not None and mode not in get_args(Mode):
        raise ConfigError(f"there is no mode {mode!r}; the modes are: {', '.join(get_args(Mode))}")
    if on_divergence not in get_args(OnDivergence):
        raise ConfigError(f"on_divergence is one of {', '.join(get_args(OnDivergence))}, not {on_divergence!r}")
    if not (in_doubt in ("raise", "rerun") or isinstance(in_doubt, Skip) or callable(in_doubt)):
        raise ConfigError(f"in_doubt is 'raise', 'rerun', Skip(result) or a function, not {in_doubt!r}")
    if on_divergence == "fork" and mode in ("replay", "auto"):
        raise ConfigError(f"on_divergence='fork' goes on live, which mode {mode!r} may not: use mode 'resume'")
    options = Options(
        on_divergence=on_divergence,
        in_doubt=in_doubt,
        speed=speed,
        cut=cut,
        redact=(redact or Redaction()).opened(),
        faults=faults,
    )
    if mode == "off":
        return OpenTape(mode="off", options=options)
    if source is None:
        if mode == "replay":
            raise ConfigError("mode 'replay' plays a tape: say which one with tape=...")
        return OpenTape(mode="record", recorder=Recorder(Tape(), redact=options.redact), options=options)
    if isinstance(source, Tape):
        return _in_memory(source, mode or "resume", options)
    return _File(Path(source), mode or "resume", options).open()


def playhead_for(
    source: TapeSource | None, mode: Mode | None, inner: Transport, ready: Callable[[], None] = lambda: None
) -> Playhead:
    """The playhead of a run that begins here.

    Args:
        source: what the run was given: a file, a tape in memory, or one that is open; without one and without a mode
            it is the tape that is open around it, and where there is none it is recorded in memory.
        mode: `resume` where none is given.
        inner: what answers ahead of the playhead.
        ready: called before anything goes out; raises where it cannot.

    Raises:
        ConfigError, TapeError: as `open_tape` does.
    """
    if source is None and mode is None and (around := here()) is not None:
        source = around.tape
    if not isinstance(source, OpenTape):
        return Playhead(open_tape(source, mode), inner, ready)
    if mode is not None and mode != source.mode:
        raise ConfigError(f"the tape is open in mode {source.mode!r}: leave mode={mode!r} out, or open another")
    return Playhead(source, inner, ready, base=lane_on(source), owner=False)


def _in_memory(tape: Tape, mode: Mode, options: Options) -> OpenTape:
    if mode == "record":
        return OpenTape("in memory", mode=mode, recorder=Recorder(Tape(), redact=options.redact), options=options)
    closed = mode in ("replay", "auto")
    return OpenTape(
        "in memory",
        mode=mode,
        options=options,
        player=Player(tape, "in memory", resume=not closed, redact=options.redact),
        recorder=None if closed else Recorder(tape, redact=options.redact),
        closed=closed,
        recorded=tape,
        branch=lambda at, also: _branched(tape, at, also),
    )


def _branched(tape: Tape, at: int, also: list[int]) -> Branch:
    from .forking import fork

    return Branch(tape=fork(tape, at, also=also), name="in memory, forked")


class _File:
    """A tape's file, and beside it the journal of a recording that has not taken its place yet.

    Playhead's own format is appended to in place. Other formats cannot be appended to, and a tape that is recorded
    anew must stay whole until the new one is there: then the lines go into a journal first.
    """

    def __init__(self, path: Path, mode: Mode, options: Options) -> None:
        format_for(path)  # An ending that says nothing is an error before anything happens.
        self.path = path
        self._options = options
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
        self._version = native.VERSION
        self._unsaid = False
        self._writer: TapeWriter | None = None
        self._guard = -1

    def open(self) -> OpenTape:
        name = str(self.path)
        if self.mode == "replay":
            tape = self._load()
            return OpenTape(
                name,
                mode=self.mode,
                options=self._options,
                player=Player(tape, name, redact=self._options.redact),
                closed=True,
                recorded=tape,
                warnings=tape.warnings,
            )
        before = self._before = self._interrupted_or_whole() if self.mode == "resume" else None
        recorder = self._recorder(before)
        player = Player(before, name, resume=True, redact=self._options.redact) if before else None
        warnings = before.warnings if before else ()
        if self._from_journal and self._seen:
            warnings += (f"the run went on from an interrupted recording of {name!r}, in {self.journal.name!r}",)
        return OpenTape(
            name,
            mode=self.mode,
            options=self._options,
            player=player,
            recorder=recorder,
            recorded=before,
            warnings=warnings,
            on_close=lambda whole: self._commit(recorder, whole=whole, played=player),
            branch=None if before is None else lambda at, also: self._branch(at, also, recorder),
        )

    def _recorder(self, before: Tape | None) -> Recorder:
        return Recorder(before or Tape(), self._open_writer, redact=self._options.redact, version=self._version)

    def _branch(self, at: int, also: list[int], recorder: Recorder) -> Branch:
        """A child of this tape, to go on with: the effects before number `at`, and those of `also`."""
        from .forking import fork_file, free_name

        # What went on live beside the cut stays here, too. A tape that was being replaced stays as it is.
        self._commit(recorder, whole=not self._from_journal)
        source = self.journal if self._from_journal and self.journal.exists() else self.path
        child = free_name(self.path)
        tape = fork_file(source, child, at, whole=source == self.journal, also=also)
        file = _File(child, "resume", self._options)
        return Branch(
            tape=tape,
            name=str(child),
            open_sink=file._open_writer,
            on_close=lambda whole: file._commit(recorder, whole=whole),
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
                self._from_journal, self._version = True, int(tape.version)
                if self._seen is None or is_native(self.path):
                    return tape
                old = load_tape(self.path)  # Which says whose cassette it is.
                return replace(tape, format=old.format, version=old.version)
        if self._seen is None or (is_native(self.path) and _begun(self.path) is None):
            return None
        tape, data = read_tape(self.path)
        if is_native(self.path):
            self._version = int(tape.version)
            self._unsaid = tape.version > 1 and not tape.cut_off and not native.says_whole(data)
        return tape

    def _open_writer(self, meta: dict[str, Any]) -> TapeWriter:
        try:
            return self._opened_writer(meta)
        except BaseException:
            self._release()
            raise

    def _opened_writer(self, meta: dict[str, Any]) -> TapeWriter:
        grows = self.mode == "resume" and not self._from_journal
        if is_native(self.path) and (grows or (self._seen is None and not self.journal.exists())):
            self._writer = TapeWriter(self.path, native.header(meta), keep=True, check=self._unchanged)
            return self._writer
        if self._seen is not None:
            try:
                self._guard = os.open(self.path, os.O_RDONLY)
            except OSError as error:
                raise TapeError(f"tape {str(self.path)!r} cannot be read: {error.strerror}") from error
            lock(self._guard, self.path)
        if _identity(self.path) != self._seen:
            raise self._changed()
        copies = self._before is not None and not self._from_journal
        first = native.header(meta, copies=copies)
        mode = mode_of(self.path) if self._seen is not None else 0o644
        self._writer = writer = TapeWriter(self.journal, first, keep=self._from_journal, mode=mode)
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

    def _commit(self, recorder: Recorder, *, whole: bool, played: Player | None = None) -> str | None:
        """Put the tape in its place. Where that fails, the journal stays."""
        unfinished = self._writer is None and (self._from_journal or self._unsaid)
        if unfinished and whole and played and not played.unplayed():
            self._finish(recorder)
        if (writer := self._writer) is None:
            self._release()
            return None
        try:
            if writer.path == self.journal:
                return self._replace(recorder, whole=whole)
            if whole:
                writer.append(native.whole())
        finally:
            self._writer = None
            writer.close()
            self._release()
        return None

    def _finish(self, recorder: Recorder) -> None:
        """The run only played: the recording had come to its end, and not to its place, or had not said so."""
        # A tape that only does not say that it is whole may be one that must not be written.
        with nullcontext() if self._from_journal else suppress(TapeError):
            self._open_writer(recorder.meta)

    def _replace(self, recorder: Recorder, *, whole: bool) -> str | None:
        """Put the journal's tape in the place of the file."""
        try:
            if self._seen is not None and (self.mode == "record" or self._from_journal):
                if not whole:
                    return self._keep_old(recorder.tape())
                from .lineage import detach_children

                detach_children(self.path)
            save_tape(recorder.tape(), self.path)
            self.journal.unlink()
        except (OSError, TapeError) as error:
            why = f"{error.strerror}." if isinstance(error, OSError) else str(error)
            raise TapeError(
                f"tape {str(self.path)!r} could not be put in its place: {why} The recording is whole in "
                f"{str(self.journal)!r}: mode 'resume' goes on from there."
            ) from error
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
    """The tape, if what was to be recorded on it came to its end: as a file of Playhead's own format says, or, where
    it says nothing, if no line of work stops in the middle of an effect."""
    if is_native(path):
        begun = _begun(path)
        if begun is None or not begun.endswith(b"\n"):
            return None
        tape = load_tape(path)
        says = native.says_whole(begun) or tape.version < 2
        return tape if says and tape.effects and not tape.cut_off else None
    tape = load_tape(path)
    return tape if tape.effects and not tape.cut_off else None


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
