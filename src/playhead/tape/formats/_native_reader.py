"""Reads Playhead's own format: one pass over the lines, from which effects grow."""

from __future__ import annotations

from collections.abc import Callable
from operator import length_hint
from typing import Any, TypeAlias

import msgspec

from ...errors import TapeFormatError
from ...http import Request
from ..effects import Effect, Interaction, Progress, Reading, Tape, ToolRun
from ._native_bodies import is_as_hashed, unpack
from ._native_lines import (
    CallChunk,
    CallEnd,
    CallHead,
    CallStart,
    FirstLine,
    Kept,
    Line,
    Outcome,
    PackedRequest,
    Parent,
    ReadingLine,
    Superseded,
    Timing,
    ToolEnd,
    ToolProgress,
    ToolStart,
    Whole,
    decode_line,
    decode_lines,
)

VERSIONS = (1, 2)
"""That are read. The last one is written."""

HEADER = b'{"playhead":"tape",'
"""With what every file begins."""

_BLOCK = 1 << 17
"""Bytes that are decoded at a time: the lines of all of a large file would not stay in the processor's cache."""


FindParent: TypeAlias = Callable[[Parent], Tape]
"""Gives the tape of those bytes. Raises TapeError where they are not there."""


class _Growing:
    """An effect as far as it was read."""

    __slots__ = ("chunks", "fields", "kind")

    def __init__(self, kind: type[Effect], fields: dict[str, Any]) -> None:
        self.kind = kind
        self.fields = fields
        self.chunks: list[bytes] = list(fields.pop("chunks", ()))

    def effect(self) -> Effect:
        if self.kind is Interaction:
            return Interaction(chunks=tuple(self.chunks), **self.fields)
        return self.kind(**self.fields)


def _nowhere(chunk: bytes) -> None:
    pass


class _Broken(Exception):
    """A line cannot be read.

    Args:
        place: of the line among those that were read together, from 0.
    """

    def __init__(self, place: int) -> None:
        super().__init__(place)
        self.place = place


class Reader:
    """Builds a tape from its lines.

    Args:
        name: the file's, for messages.
        find_parent: gives the tape whose effects this one keeps.
    """

    def __init__(self, name: str, find_parent: FindParent | None) -> None:
        self._name = name
        self._find_parent = find_parent
        self._meta: dict[str, Any] = {}
        self._version = VERSIONS[-1]
        self._effects: dict[int, _Growing] = {}
        self._parents: dict[int, Effect] = {}
        self._warnings: list[str] = []
        self._torn = False

    def read(self, data: bytes) -> Tape:
        """The tape of a whole file. See `native.load`."""
        if not data[:_BLOCK].strip() and not data.strip():
            raise TapeFormatError(
                f"tape {self._name!r} is empty: nothing was recorded. Delete it, or record it again."
            )
        at = data.find(b"\n") + 1
        if not at:
            raise self._not_a_tape(data)
        self._header(data[: at - 1])
        view, whole = memoryview(data), data.rfind(b"\n") + 1
        while at < whole:
            end = data.rfind(b"\n", at, at + _BLOCK) + 1 or data.index(b"\n", at) + 1
            try:
                self._block(view[at:end], last=end == len(data))
            except _Broken as broken:
                number = data.count(b"\n", 0, at) + 1 + broken.place
                raise self._broken(number, broken.__cause__) from broken.__cause__
            at = end
        if whole < len(data) or self._torn:
            number = data.count(b"\n", 0, whole) + (whole < len(data))
            self._warnings.append(f"line {number}, the last, was not written whole and is left out")
        return self._tape()

    def _tape(self) -> Tape:
        numbers = tuple(sorted(self._effects))
        effects = tuple(self._effect(n) for n in numbers)
        simple = numbers == tuple(range(len(numbers)))
        return Tape(
            effects,
            self._meta,
            version=self._version,
            warnings=tuple(self._warnings),
            numbers=() if simple else numbers,
        )

    def _effect(self, n: int) -> Effect:
        growing = self._effects[n]
        times = growing.fields.get("times")
        if times is not None and len(times) != len(growing.chunks):
            self._warnings.append(f"the times of effect {n} are not those of its pieces, and are left out")
            del growing.fields["times"]
        return growing.effect()

    def _header(self, data: bytes) -> None:
        try:
            header = msgspec.json.decode(data, type=FirstLine)
        except msgspec.ValidationError as error:
            if not data.startswith(HEADER):
                raise self._not_a_tape(data) from None
            raise TapeFormatError(
                f"tape {self._name!r} has a first line that cannot be read: {error}. Restore the file, or record it "
                "again."
            ) from error
        except (ValueError, RecursionError):
            raise self._not_a_tape(data) from None
        if header.version not in VERSIONS:
            raise TapeFormatError(
                f"tape {self._name!r} is of version {header.version!r}, and this Playhead reads versions 1 and "
                f"{VERSIONS[-1]}: use the Playhead that wrote it, or a newer one."
            )
        self._version = header.version
        self._meta = header.meta or {}
        if header.parent is not None:
            self._begin_with(header.parent)

    def _begin_with(self, wanted: Parent) -> None:
        if self._find_parent is None:
            raise TapeFormatError(
                f"tape {self._name!r} keeps effects of {wanted.tape!r}, and cannot be read alone: load it from its "
                "file, beside the other one."
            )
        try:
            parent = self._find_parent(wanted)
        except MemoryError:
            raise TapeFormatError(
                f"tape {self._name!r} keeps effects of the first {wanted.length} bytes of {wanted.tape!r}, more than "
                "can be read: it was edited. Restore the file, or fork it again."
            ) from None
        if wanted.id != (found := parent.meta.get("id")):
            raise TapeFormatError(
                f"tape {self._name!r} keeps effects of the tape with id {wanted.id!r}, but {wanted.tape!r} beside it "
                f"has id {found!r}. Put the tape back that it was forked from."
            )
        self._parents = dict(parent.numbered)
        self._warnings += (f"in its parent {wanted.tape!r}, {warning}" for warning in parent.warnings)

    def _block(self, block: memoryview, *, last: bool) -> None:
        """Read whole lines; `last` says whether they end the file."""
        try:
            lines = decode_lines(block)
        except (ValueError, RecursionError):
            self._one_by_one(bytes(block).split(b"\n")[:-1], last=last)
        else:
            self._lines(lines, 0, last=last)

    def _one_by_one(self, lines: list[bytes], *, last: bool) -> None:
        """Read lines one of which is odd, so that it can be named."""
        for place, data in enumerate(lines):
            ends = last and place == len(lines) - 1
            try:
                line = decode_line(data) if data.strip() else None
            except (ValueError, RecursionError) as error:
                self._stop(place, error, last=ends)
            else:
                self._lines([line] if line else [], place, last=ends)

    def _lines(self, lines: list[Line], place: int, *, last: bool) -> None:
        n, add, left = None, _nowhere, iter(lines)
        try:
            for line in left:
                if type(line) is not CallChunk:
                    self._line(line)
                    continue
                if line.n != n:
                    n, add = line.n, self._call(line.n).chunks.append
                packed = line.data
                if packed.lines is None:
                    add(unpack(packed))
                elif packed.eol:  # As `unpack` does: most lines of a tape are these.
                    add(("\n".join(packed.lines) + "\n").encode())
                else:
                    add("\n".join(packed.lines).encode())
        except ValueError as error:
            behind = length_hint(left)
            self._stop(place + len(lines) - behind - 1, error, last=last and not behind)

    def _stop(self, place: int, error: Exception, *, last: bool) -> None:
        if not last:
            raise _Broken(place) from error
        self._torn = True

    def _line(self, line: Line) -> None:
        match line:
            case CallStart():
                request = self._request(line.n, line.request)
                fields = {"lane": line.lane, "request": request, "foreign": line.foreign or {}}
                self._begin(line.n, _Growing(Interaction, fields | {"ended": "interrupted"}))
            case CallHead():
                head = {"status": line.status, "reason": line.reason, "http_version": line.http_version}
                self._call(line.n).fields |= head | {"headers": line.headers}
            case CallEnd():
                growing = self._call(line.n)
                growing.fields |= {"ended": line.ended, "error": line.error}
                body = b"".join(growing.chunks)
                self._check(f"body of effect {line.n}", len(body) == line.length and is_as_hashed(body, line.sha256))
            case Outcome():
                self._call(line.n).fields["outcome"] = line.outcome
            case Superseded():
                self._supersede(line.n)
            case Timing():
                self._time(line)
            case ToolStart() | ToolProgress() | ToolEnd():
                self._tool_line(line)
            case ReadingLine():
                names = ("lane", "name", "value", "started_s")
                self._begin(line.n, _Growing(Reading, {name: getattr(line, name) for name in names}))
            case Kept():
                self._keep(line)
            case CallChunk() | Whole():  # The first is read where the lines are, as there are many of them.
                pass

    def _tool_line(self, line: ToolStart | ToolProgress | ToolEnd) -> None:
        match line:
            case ToolStart():
                fields = {"lane": line.lane, "call_id": line.call_id, "name": line.name, "arguments": line.arguments}
                self._begin(line.n, _Growing(ToolRun, fields | {"ended": "interrupted"}))
                self._check(f"text of the arguments of effect {line.n}", is_as_hashed(line.arguments, line.sha256))
            case ToolProgress():
                growing = self._begun(line.n, ToolRun)
                said = Progress(line.message, line.fraction, line.at_s)
                growing.fields["progress"] = (*growing.fields.get("progress", ()), said)
            case ToolEnd():
                names = ("result", "is_error", "media", "stop", "ended")
                self._begun(line.n, ToolRun).fields |= {name: getattr(line, name) for name in names}
                self._check(f"result of effect {line.n}", is_as_hashed(line.result, line.sha256))

    def _begin(self, n: int, growing: _Growing) -> None:
        if n in self._effects:
            raise ValueError(f"effect {n} begins twice")
        self._effects[n] = growing

    def _begun(self, n: int, kind: type[Effect]) -> _Growing:
        growing = self._effects.get(n)
        if growing is None:
            raise ValueError(f"effect {n} has not begun")
        if growing.kind is not kind:
            raise ValueError(f"effect {n} is a {growing.kind.__name__}")
        return growing

    def _call(self, n: int) -> _Growing:
        return self._begun(n, Interaction)

    def _supersede(self, n: int) -> None:
        growing = self._effects.get(n)
        if growing is None:
            raise ValueError(f"effect {n} has not begun")
        if growing.kind is Interaction:
            growing.fields["superseded"] = True

    def _time(self, line: Timing) -> None:
        growing = self._effects.get(line.n)
        if growing is None:
            raise ValueError(f"effect {line.n} has not begun")
        names = _SECONDS[growing.kind]
        growing.fields |= {name: value for name in names if (value := getattr(line, name)) is not None}

    def _keep(self, line: Kept) -> None:
        kept = self._parents.get(line.n)
        if kept is None:
            raise ValueError(f"the tape that this one was forked from has no effect {line.n}")
        fields: dict[str, Any] = {name: getattr(kept, name) for name in kept.__struct_fields__}
        if line.request is not None and isinstance(kept, Interaction):
            fields["request"] = self._request(line.n, line.request, kept.request.body)
        if line.result is not None and isinstance(kept, ToolRun):
            fields["result"] = line.result
            self._check(f"result of effect {line.n}", is_as_hashed(line.result, line.sha256))
        self._begin(line.n, _Growing(type(kept), fields))

    def _request(self, n: int, packed: PackedRequest, kept: bytes | None = None) -> Request:
        """The request of the effect `n`; `kept` is the body that it has on the parent."""
        body = packed.body
        if body.like is None:
            data, how = unpack(body), ""
        else:
            other = kept if kept is not None and body.like == n else self._request_body(body.like)
            data, how = body.within(other), f", a difference to that of effect {body.like},"
        self._check(f"request body of effect {n}{how}", body.is_as_recorded(data))
        return Request(packed.method, packed.url, packed.headers, data)

    def _request_body(self, n: int) -> bytes:
        growing = self._effects.get(n)
        if growing is None or growing.kind is not Interaction:
            raise ValueError(f"a request body is written as a difference to that of effect {n}, which is not there")
        request: Request = growing.fields["request"]
        return request.body

    def _check(self, what: str, as_recorded: bool) -> None:
        if not as_recorded:
            self._warnings.append(f"the {what} is not the one that was recorded")

    def _broken(self, number: int, why: object) -> TapeFormatError:
        return TapeFormatError(
            f"tape {self._name!r} is broken in line {number}: {why}. "
            "What stands before it can be kept by deleting that line and all after it."
        )

    def _not_a_tape(self, data: bytes) -> TapeFormatError:
        if data.startswith(HEADER):
            return TapeFormatError(
                f"tape {self._name!r} is torn in its first line, so that nothing was recorded on it. Delete it, go "
                "on with mode 'resume', or record it again."
            )
        return TapeFormatError(
            f"{self._name!r} is not a Playhead tape: its first line should be "
            f'{{"playhead": "tape", ...}}, but is {data[:60].decode("utf-8", "replace")!r}. '
            "go-vcr cassettes end in .yaml."
        )


_SECONDS: dict[type[Effect], tuple[str, ...]] = {
    Interaction: ("started_s", "head_s", "duration_s", "times"),
    ToolRun: ("started_s", "duration_s"),
    Reading: ("started_s",),
}
"""Which times an effect has."""
