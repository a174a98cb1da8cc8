"""Puts effects on a tape as they happen: intent before, pieces as they come, the end before the caller sees it."""

from __future__ import annotations

import hashlib
import math
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from .._version import __version__
from ..errors import TransportError
from ..http import Headers, Outcome, Request, header
from . import canonical
from .effects import Effect, Ended, Interaction, Progress, Reading, Tape, ToolRun
from .formats import native
from .lane_index import LaneIndex
from .secrets import Redaction


class Sink:
    """Where lines go: nowhere, where a tape stays in memory."""

    def append(self, line: native.Line) -> None:
        """Keep a line."""


class Recorder:
    """Records one run's effects, after those of the tape that it goes on from.

    Args:
        tape: what was recorded before.
        open_sink: called once, with the tape's facts, when the first effect happens: a run that changes nothing
            leaves no file.
        redact: what is taken out before anything is kept.
        version: of Playhead's own format, in which the lines are: a file stays of its version.
        clock: seconds, from any start.
    """

    def __init__(
        self,
        tape: Tape,
        open_sink: Callable[[dict[str, Any]], Any] | None = None,
        redact: Redaction | None = None,
        version: int = native.VERSION,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._before = tape.effects
        self._format, self._version = tape.format, tape.version
        self._numbers = tape.numbers or tuple(range(len(tape.effects)))
        self._next = max(self._numbers, default=-1) + 1
        self.meta = dict(tape.meta) or new_meta()
        self.redact = redact or Redaction()
        self._bodies = native.Bodies(tape, whole=version < 2)
        self._lock = threading.Lock()
        self._under_way: dict[int, Callable[[], Effect]] = {}
        self._ended: dict[int, Effect] = {}
        self._calls = LaneIndex()
        self._carried = False
        self._open_sink = open_sink
        self._sink: Any = None
        self._clock = clock
        self._begin = clock() - _age(self.meta)

    def tape(self) -> Tape:
        """All that was recorded so far. What has not ended counts as interrupted."""
        with self._lock:
            numbers = tuple(self._under_way)
            effects = self._before + tuple(map(self._effect, numbers))
        numbers = (*self._numbers, *numbers)
        return Tape(
            effects,
            self.meta,
            self._format,
            self._version,
            numbers=() if numbers == tuple(range(len(numbers))) else numbers,
        )

    def call(self, lane: str, request: Request) -> CallRecording:
        """A request is about to be sent. It is kept as it is: it has been redacted."""
        return CallRecording(self, lane, request)

    def tool(self, run: ToolRun) -> ToolRecording:
        """A tool is about to run; `run` says where and with what."""
        return ToolRecording(self, run)

    def reading(self, lane: str, name: str, value: Any) -> None:
        """Something was read from outside of the run: `value`, plain JSON data that may hold secrets."""
        read = Reading(lane=lane, name=name, value=self.redact.plain(value), started_s=_rounded(self.now()))
        self.begin(lambda: read, lambda n, _: native.reading(n, read))

    def calls_inside(self, lane: str) -> list[tuple[int, Interaction]]:
        """The interactions that this recorder has recorded, or is recording, in `lane` and below it, by number."""
        with self._lock:
            found = [(n, self._effect(n)) for n in self._calls.inside(lane)]
        return [(n, effect) for n, effect in found if isinstance(effect, Interaction)]

    def go_on_with(self, tape: Tape, open_sink: Callable[[dict[str, Any]], Any] | None) -> None:
        """Record to another tape from here on, such as a fork. What this recorder has recorded, or is recording, is
        put on that one, too."""
        with self._lock:
            self._before, self._format, self._version = tape.effects, tape.format, tape.version
            self._numbers = tape.numbers or tuple(range(len(tape.effects)))
            self._next = max(self._next, max(self._numbers, default=-1) + 1)
            self.meta = dict(tape.meta)
            self._bodies = native.Bodies(tape)
            self._sink, self._open_sink = None, open_sink
            self._carried = True

    def supersede(self, places: list[int]) -> None:
        """What is about to happen is asked instead of these effects of the tape."""
        for n in places:
            if n >= len(self._before):
                self._supersede_own(n - len(self._before))
                continue
            effect = self._before[n]
            if isinstance(effect, Interaction):
                changed = msgspec.structs.replace(effect, superseded=True)
                self._before = (*self._before[:n], changed, *self._before[n + 1 :])
            self.write(native.superseded(self._numbers[n]))

    def _supersede_own(self, place: int) -> None:
        """The same for what this recorder has recorded itself, on a tape that is played again while it is open."""
        with self._lock:
            number = list(self._under_way)[place]
            effect = self._effect(number)
            if isinstance(effect, Interaction):
                changed = msgspec.structs.replace(effect, superseded=True)
                self._under_way[number] = lambda: changed
                self._ended.pop(number, None)
            self._write(native.superseded(number))

    def now(self) -> float:
        """Seconds since the tape began."""
        return self._clock() - self._begin

    def write(self, line: native.Line) -> None:
        """Put a line on the tape."""
        with self._lock:
            self._write(line)

    def begin(
        self,
        build: Callable[[], Effect],
        first: Callable[[int, native.Bodies], native.Line],
        *,
        call_in: str | None = None,
    ) -> int:
        """An effect begins.

        Args:
            build: gives the effect as far as it came.
            first: gives its first line, from its number.
            call_in: its lane, where it is an interaction.
        """
        with self._lock:  # Of two that begin at the same time the first has the smaller number, and the first line.
            self._open()
            n, self._next = self._next, self._next + 1
            self._under_way[n] = build
            try:
                self._write(first(n, self._bodies))
            except BaseException:
                del self._under_way[n]
                self._bodies.forget(n)
                raise
            if call_in is not None:
                self._calls.add(call_in, n)
        return n

    def changed(self, n: int) -> None:
        """Something is said of the effect `n` after its end."""
        with self._lock:
            self._ended.pop(n, None)

    def _write(self, line: native.Line) -> None:
        self._open()
        self._sink.append(line)

    def _open(self) -> None:
        if self._sink is not None:
            return
        self._sink = self._open_sink(self.meta) if self._open_sink else Sink()
        for n in sorted(self._under_way) if self._carried else ():
            for line in native.lines(n, self._effect(n), self._bodies):
                self._sink.append(line)

    def _effect(self, n: int) -> Effect:
        """An effect as far as it came; one that has ended is made once."""
        if n not in self._ended:
            effect = self._under_way[n]()
            if effect.ended == "interrupted":
                return effect
            self._ended[n] = effect
        return self._ended[n]


class CallRecording:
    """One HTTP effect while it happens.

    Whoever carries the response calls `head`, `chunk` for each piece and `end`; what is handed to `chunk` is on the
    tape when it returns, but for bytes at a piece's end that may be the beginning of a secret: they wait for the
    next. What comes behind the end is not recorded.

    Attributes:
        abandoned: why the reader gave up, where it did.
    """

    abandoned: TransportError | None = None

    def __init__(self, recorder: Recorder, lane: str, request: Request) -> None:
        self._recorder = recorder
        self._start = recorder.now()
        self._head: dict[str, Any] = {}
        self._head_s: float | None = None
        self._duration_s: float | None = None
        self._chunks: list[bytes] = []
        self._times: list[float] = []
        self._hash = hashlib.sha256()
        self._ended: Ended = "interrupted"
        self._error: dict[str, str] | None = None
        self._over = False
        self._outcome: Outcome | None = None
        self._lane, self._request = lane, request
        self._n = recorder.begin(
            self._build,
            lambda n, bodies: native.call_start(n, lane, request, body=bodies.pack(n, lane, request.body)),
            call_in=lane,
        )

    @property
    def n(self) -> int:
        """The effect's number."""
        return self._n

    def head(self, status: int, reason: str, http_version: str, headers: Headers) -> None:
        """The response's headers are there."""
        if self._over:
            return
        self._head_s = self._elapsed()
        self._scrubber = self._recorder.redact.stream(header(headers, "content-type"))
        headers = self._recorder.redact.kept_headers(headers)
        reason = self._recorder.redact.text(reason)
        self._head = {"status": status, "reason": reason, "http_version": http_version, "headers": headers}
        self._recorder.write(native.call_head(self._n, **self._head))

    def chunk(self, data: bytes) -> None:
        """A piece of the body is there."""
        if self._over:
            return
        self._keep(self._scrubber.feed(data))

    def settle(self, outcome: Outcome) -> None:
        """The reader says what the body was."""
        if self._outcome is None:
            self._outcome = outcome
            self._recorder.changed(self._n)
            if outcome != "whole":
                self._recorder.write(native.outcome(self._n, outcome))

    def abandon(self, error: TransportError) -> None:
        """The reader gives up on the response: it ends as failed, with this error. After its end, and after a whole
        answer, that changes nothing."""
        if self._over or self._outcome == "whole":
            return
        self.abandoned = error
        self.end("failed", {"kind": error.kind, "message": str(error)})

    def end(self, ended: Ended, error: dict[str, str] | None = None) -> None:
        """The response is over. Of several ends the first counts; that of a whole answer is always complete."""
        if self._over:
            return
        if self._outcome == "whole":
            ended, error = "complete", None
        self._over = True
        if self._head:
            self._keep(self._scrubber.end())
        if error:
            error = {name: self._recorder.redact.text(value) for name, value in error.items()}
        self._ended, self._error, self._duration_s = ended, error, self._elapsed()
        times = tuple(self._times) if self._chunks else None
        self._recorder.write(
            native.timing(
                self._n,
                started_s=_rounded(self._start),
                head_s=self._head_s,
                duration_s=self._duration_s,
                times=times,
            )
        )
        length = sum(map(len, self._chunks))
        self._recorder.write(native.call_end(self._n, ended, error, length, self._hash.hexdigest()))

    def _keep(self, data: bytes) -> None:
        if not data:
            return
        arrived = self._elapsed()
        self._recorder.write(native.call_chunk(self._n, data))  # Where that fails, the piece is not on the tape.
        self._chunks.append(data)
        self._times.append(arrived)
        self._hash.update(data)

    def _elapsed(self) -> float:
        return _rounded(self._recorder.now() - self._start)

    def _build(self) -> Interaction:
        chunks = tuple(self._chunks[: len(self._times)])  # Another thread may be recording.
        return Interaction(
            request=self._request,
            lane=self._lane,
            chunks=chunks,
            times=tuple(self._times[: len(chunks)]) if chunks else None,
            started_s=_rounded(self._start),
            head_s=self._head_s,
            duration_s=self._duration_s,
            ended=self._ended,
            error=self._error,
            outcome=None if self._outcome == "whole" else self._outcome,
            **self._head,
        )


class ToolRecording:
    """One tool effect while it happens. It may be told of progress on any thread."""

    def __init__(self, recorder: Recorder, run: ToolRun) -> None:
        self._recorder = recorder
        self._start = recorder.now()
        redact = recorder.redact.text
        self._run = msgspec.structs.replace(
            run,
            call_id=redact(run.call_id),
            arguments=redact(run.arguments),
            ended="interrupted",
            started_s=_rounded(self._start),
        )
        self._said: list[Progress] = []
        self._lock = threading.Lock()
        self._over = False
        self._n = recorder.begin(self._build, lambda n, _: native.tool_start(n, self._run))

    def progress(self, message: str, fraction: float | None = None) -> None:
        """The tool says how far it is. What it says behind its end is not recorded.

        Args:
            fraction: of the work that is done, from 0 to 1; not kept where it is no number.
        """
        known = fraction if fraction is not None and math.isfinite(fraction) else None
        with self._lock:  # Of two threads, the first to say something has the first line.
            if self._over:
                return
            at = _rounded(self._recorder.now() - self._start)
            said = Progress(self._recorder.redact.text(message), known, at)
            self._recorder.write(native.tool_progress(self._n, said))
            self._said.append(said)

    def end(self, run: ToolRun) -> ToolRun:
        """The tool gave its result, which `run` holds. It is returned with its times and its progress; on the tape it
        is redacted."""
        with self._lock:
            self._over = True
        duration = _rounded(self._recorder.now() - self._start)
        run = self._build(msgspec.structs.replace(run, started_s=self._run.started_s, duration_s=duration))
        redact = self._recorder.redact.text
        self._run = msgspec.structs.replace(
            run,
            call_id=self._run.call_id,
            arguments=self._run.arguments,
            result=redact(run.result),
            stop=None if run.stop is None else redact(run.stop),
            media=self._recorder.redact.plain(run.media) if run.media else (),
        )
        self._recorder.write(native.timing(self._n, started_s=self._run.started_s, duration_s=duration))
        self._recorder.write(native.tool_end(self._n, self._run))
        return run

    def _build(self, run: ToolRun | None = None) -> ToolRun:
        return msgspec.structs.replace(run or self._run, progress=tuple(self._said))


def new_meta() -> dict[str, Any]:
    """The facts of a tape that begins now."""
    return {
        "id": uuid.uuid4().hex,
        "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "software": f"playhead {__version__}",
        "canonical": canonical.VERSION,
    }


def _age(meta: dict[str, Any]) -> float:
    """Seconds since the tape began; 0 where it does not say when."""
    try:
        return max(0.0, time.time() - datetime.fromisoformat(meta["created"]).timestamp())
    except (KeyError, TypeError, ValueError):
        return 0.0


def _rounded(seconds: float) -> float:
    return round(seconds, 6)
