"""One whole run, then many that are killed and resumed, each held against it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ..errors import ConfigError, PlayheadError
from ..tape.effects import Tape
from ..tape.files import load_tape
from ..tape.open import open_tape
from ..tape.recorder import new_meta
from .checks import Broken, check_end, check_kill, difference
from .job import Ended, Job, Said
from .ledger import Notes
from .points import WORDS, Point, plan
from .reference import Reference
from .report import SEVERAL, Failure, Report, Row, Trial, rows
from .warm import Warm


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be tested.

    Attributes:
        command: starts a process that has the agent loaded. See `Warm`.
        prompt: what is said to it.
        tape: a recording of the whole run, which then costs nothing; None records one with the agent's provider.
        kills: how many runs are killed; None kills one at each place.
        seed: for what is random.
        again: how likely it is that a resumed run is killed once more.
        stream: whether answers are streamed; None does as the recording, and streams where there is none.
        ending: of the tapes that are killed; None takes that of `tape`.
        points: these kills, of one run, and no others.
        limit_s: seconds that a run has.
        enough: failures after which nothing more is to be learned.
    """

    command: Sequence[str]
    prompt: str
    tape: Path | None = None
    kills: int | None = 500
    seed: int = 0
    again: float = 0.2
    stream: bool | None = None
    ending: str | None = None
    points: tuple[Point, ...] = ()
    limit_s: int = 60
    enough: int = 20


class Plan(msgspec.Struct, frozen=True):
    """What is about to happen.

    Attributes:
        runs: how many runs will be killed.
        lines: of the tape of a run that is not killed.
        tools: how often each tool runs in one run.
    """

    runs: int
    lines: int
    tools: dict[str, int]


class Progress:
    """Told what happens. It says nothing."""

    def says(self, what: str) -> None:
        """Something begins that may take its time."""

    def planned(self, plan: Plan) -> None:
        """The kills begin."""

    def did(self, done: int, failed: int, seconds: float) -> None:
        """So many runs were made."""


def crashtest(case: Case, progress: Progress | None = None) -> Report:
    """Kill an agent's runs, resume them, and hold them against a whole one.

    Raises:
        PlayheadError: the agent cannot be loaded, the whole run failed, or the agent is not the same each time, so
            that nothing can be told from it.
    """
    folder = Path(tempfile.mkdtemp(prefix="playhead-crashtest-")).resolve()
    keep = False
    try:
        with Warm(case.command) as warm:
            report = _Campaign(case, folder, warm, progress or Progress()).run()
        keep = bool(report.failures)
        return report
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


class _Campaign:
    def __init__(self, case: Case, folder: Path, warm: Warm, progress: Progress) -> None:
        self._case = case
        self._folder = folder
        self._warm = warm
        self._progress = progress
        self._ending = case.ending or (case.tape.suffix if case.tape else ".jsonl")

    def run(self) -> Report:
        case, progress = self._case, self._progress
        recording = case.tape.resolve() if case.tape else self._folder / "reference.jsonl"
        known = load_tape(recording) if case.tape else None
        stream = case.stream if case.stream is not None else _streamed(known)
        self._job = Job(task="run", prompt=case.prompt, stream=stream, folder="", tape="", limit_s=case.limit_s)
        progress.says("playing the recording" if known else "recording a whole run, live")
        self._expected = self._whole("replay" if known else "live", recording)
        reference = self._reference = Reference(recording)
        id = reference.tape.meta.get("id") or new_meta()["id"]
        self._job = msgspec.structs.replace(self._job, reference=str(recording), tape_id=id)
        progress.says("one run without a kill")
        counts, lines = self._control()
        runs = [case.points] if case.points else plan(counts, case.kills, case.seed, case.again)
        once = Counter(note.name for note in self._control_notes.of("began"))
        progress.planned(Plan(len(runs), lines, dict(once)))
        return self._kill(runs, Report(seed=case.seed, stream=stream, reference=str(recording), lines=lines,
                                       tools=dict(once), seconds=0.0, rows=[]))  # fmt: skip

    def _kill(self, runs: Sequence[tuple[Point, ...]], report: Report) -> Report:
        started = time.perf_counter()
        trials: list[Trial] = []
        for number, points in enumerate(runs):
            folder = self._folder / f"run-{number}"
            trial = self._trial(folder, points)
            trials.append(trial)
            kept = ""
            if trial.broken:
                if not report.failures:
                    kept = report.folder = str(folder)
                report.failures.append(Failure(",".join(map(str, trial.points)), trial.broken, kept))
            if not kept:
                shutil.rmtree(folder, ignore_errors=True)
            self._progress.did(number + 1, len(report.failures), time.perf_counter() - started)
            if len(report.failures) == self._case.enough:
                break
        report.seconds = round(time.perf_counter() - started, 3)
        report.rows = rows(trials)
        report.missed = sum(trial.missed for trial in trials)
        return report

    def _whole(self, task: str, recording: Path) -> dict[str, object]:
        """The result of the whole run."""
        folder = self._folder / "whole"
        ended, said = self._one(folder, task=task, tape=str(recording), limit_s=0)
        if said is None or said.result is None:
            what = "the recording cannot be played" if task == "replay" else "the whole run failed"
            raise PlayheadError(f"{what}: {_why(ended, said)}")
        return said.result

    def _control(self) -> tuple[dict[str, int], int]:
        """One run without a kill, which must be as the whole one: else nothing can be told from those with one."""
        folder = self._folder / "control"
        ended, said = self._one(folder)
        if said is None or said.result is None or said.again is None:
            raise PlayheadError(f"a run without a kill failed: {_why(ended, said)}. {_SAME}.")
        if (found := difference(self._expected, said.result)) is not None:
            raise PlayheadError(f"a run without a kill came to another result than the whole run: {found}. {_SAME}.")
        self._control_notes = Notes(folder / "ledger.jsonl")
        broken = [*check_kill(self._reference, Tape(), self._tape(folder), self._control_notes, 0)]
        if broken or said.unplayed:
            raise PlayheadError(f"a run without a kill broke a promise: {broken[0].words if broken else 'unplayed'}")
        self._job = msgspec.structs.replace(self._job, truth=str(folder / f"run{self._ending}"))
        return said.counts, said.counts["line"]

    def _trial(self, folder: Path, points: Sequence[Point]) -> Trial:
        """One run: killed at the first point, resumed and killed at the next, until it comes to its end."""
        before, kills, notes = Tape(), 0, Notes(folder)
        ended: Ended = "killed"
        broken: list[Broken] = []
        said: Said | None = None
        for attempt, point in enumerate((*points, None)):
            ended, said = self._one(folder, attempt=attempt, point=point)
            notes = Notes(folder / "ledger.jsonl")
            kills += (struck := bool(notes.of("killed", attempt=attempt)))
            try:
                after = self._tape(folder)
            except PlayheadError as error:
                broken.append(Broken("kept", f"after the kill the tape cannot be opened: {error}"))
                break
            broken += check_kill(self._reference, before, after, notes, attempt)
            if broken or not struck:
                break
            before = after
        unsettled = said is not None and said.in_doubt
        if not broken and not unsettled:
            broken += [Broken("run", _why(ended, said))] if said is None else check_end(self._expected, said)
        row = Row(
            SEVERAL if kills > 1 else WORDS[points[0].kind],
            runs=1,
            kills=kills,
            same=int(not broken and not unsettled),
            repeated=(notes.asked() - self._control_notes.asked()).total(),
            paid=sum(item.promise == "paid" for item in broken),
            doubts=len(notes.of("settled")),
            twice=sum(item.promise == "once" for item in broken),
            unsettled=int(unsettled),
            failed=int(bool(broken)),
        )
        return Trial(tuple(points[: max(kills, 1)]), row, tuple(broken), missed=not kills)

    def _one(self, folder: Path, **changes: object) -> tuple[Ended, Said | None]:
        folder.mkdir(exist_ok=True)
        tape = {"tape": str(folder / f"run{self._ending}")} | changes
        job = msgspec.structs.replace(self._job, folder=str(folder), **tape)
        ended = self._warm.run(job)
        if ended != "done":
            return ended, None
        return ended, msgspec.json.decode(job.said.read_bytes(), type=Said)

    def _tape(self, folder: Path) -> Tape:
        """What a resumed run goes on from."""
        with open_tape(folder / f"run{self._ending}", "resume") as tape:
            return tape.tape() or Tape()


def _streamed(recording: Tape | None) -> bool:
    """Whether the answers of a recording were streamed."""
    if recording is None:
        return True
    calls = recording.interactions
    if not calls:
        raise ConfigError("the recording holds no model call, so that there is nothing to test")
    return calls[0].streamed


def _why(ended: Ended, said: Said | None) -> str:
    if said is not None:
        return said.error.removesuffix(".")
    return {"hung": "it took too long", "killed": "somebody else killed it"}.get(ended, f"its process {ended}")


_SAME = (
    "For a crash test the agent must do the same each time: its tools give the same results for the same arguments, "
    "and every model call is on the tape"
)
