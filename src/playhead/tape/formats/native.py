"""
Playhead's own format: JSON lines that are only ever appended to, so that a kill at any byte loses nothing.

The first line names the format and its version. Then each effect has a number `n`, in the order in which effects
begin, and lines of several effects may interleave:

    {"playhead": "tape", "version": 1, "meta": {...}}
    {"type": "call.start", "n", "lane", "request": {"method", "url", "headers", "body"}}
    {"type": "call.head", "n", "status", "reason", "http_version", "headers"}
    {"type": "call.chunk", "n", "data"}                                      one for each piece, as it arrives
    {"type": "timing", "n", "started_s", "head_s", "duration_s", "times"}    apart, so that content can be compared
    {"type": "call.end", "n", "ended", "error", "length", "sha256"}
    {"type": "outcome", "n", "outcome"}                                      the body was no whole answer
    {"type": "superseded", "n"}                                              a resumed run asks this again
    {"type": "tool.start", "n", "lane", "call_id", "name", "arguments"}
    {"type": "tool.end", "n", "result", "is_error", "media", "stop"}

An effect without its end was interrupted. Bytes stand as `{"lines": [...], "eol": true}` where they are UTF-8 text
(`eol`: the last line ends with a line feed), else as `{"base64": "..."}`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any, cast

import msgspec

from ...errors import TapeFormatError
from ...http import Headers, Request
from ..effects import Effect, Interaction, Tape, ToolRun
from ._format import Format

VERSION = 1

HEADER = b'{"playhead":"tape",'
"""With what every file begins."""

Line = dict[str, Any]

_decode = msgspec.json.Decoder().decode


def encode_line(line: Line) -> bytes:
    """One line of a tape, with its line feed."""
    return msgspec.json.encode(line) + b"\n"


def header(meta: dict[str, Any], *, copies: bool = False) -> Line:
    """The first line. `copies` announces that another tape's effects follow, and then a line of type `copied`."""
    line: Line = {"playhead": "tape", "version": VERSION, "meta": meta}
    return line | ({"copies": True} if copies else {})


def copied() -> Line:
    """The effects of another tape are all here."""
    return {"type": "copied"}


def call_start(n: int, lane: str, request: Request, foreign: dict[str, Any] | None = None) -> Line:
    """A request is about to be sent."""
    fields: Line = {
        "method": request.method,
        "url": request.url,
        "headers": [list(pair) for pair in request.headers],
        "body": pack(request.body),
    }
    line: Line = {"type": "call.start", "n": n, "lane": lane, "request": fields}
    return line | ({"foreign": foreign} if foreign else {})


def call_head(n: int, status: int, reason: str, http_version: str, headers: Headers) -> Line:
    """The response's headers are there."""
    return {
        "type": "call.head",
        "n": n,
        "status": status,
        "reason": reason,
        "http_version": http_version,
        "headers": [list(pair) for pair in headers],
    }


def call_chunk(n: int, data: bytes) -> Line:
    """A piece of the body arrived."""
    return {"type": "call.chunk", "n": n, "data": pack(data)}


def timing(n: int, **seconds: float | tuple[float, ...] | None) -> Line:
    """When things happened, for the effect `n`; what is not known is left out."""
    return {"type": "timing", "n": n} | {name: value for name, value in seconds.items() if value is not None}


def call_end(n: int, ended: str, error: dict[str, str] | None, length: int, sha256: str) -> Line:
    """The response is over, with the body's length in bytes and its hash."""
    line: Line = {"type": "call.end", "n": n, "ended": ended, "length": length, "sha256": sha256}
    return line | ({"error": error} if error else {})


def outcome(n: int, what: str) -> Line:
    """What the reader made of a body that was no whole answer."""
    return {"type": "outcome", "n": n, "outcome": what}


def superseded(n: int) -> Line:
    """A resumed run asks again what the effect `n` was."""
    return {"type": "superseded", "n": n}


def tool_start(n: int, run: ToolRun) -> Line:
    """A tool is about to run."""
    return {
        "type": "tool.start",
        "n": n,
        "lane": run.lane,
        "call_id": run.call_id,
        "name": run.name,
        "arguments": run.arguments,
    }


def tool_end(n: int, run: ToolRun) -> Line:
    """A tool gave its result."""
    line: Line = {"type": "tool.end", "n": n, "result": run.result}
    line |= {"is_error": True} if run.is_error else {}
    line |= {"media": list(run.media)} if run.media else {}
    line |= {"stop": run.stop} if run.stop is not None else {}
    return line | ({"ended": run.ended} if run.ended != "complete" else {})


def pack(data: bytes) -> Line:
    """Bytes as JSON that is readable where they are text."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}
    if not text:
        return {"lines": []}
    *lines, last = text.split("\n")
    return {"lines": [*lines, last]} if last else {"lines": lines, "eol": True}


def unpack(packed: Line) -> bytes:
    """The bytes that `pack` was given."""
    if (encoded := packed.get("base64")) is not None:
        return base64.b64decode(encoded, validate=True)
    text = "\n".join(packed["lines"])
    return (text + "\n" if packed.get("eol") else text).encode()


def dump(tape: Tape) -> bytes:
    """The file of a tape."""
    return b"".join(map(encode_line, _lines(tape)))


def load(data: bytes, name: str) -> Tape:
    """The tape of a file. A torn last line is dropped, with a warning.

    Raises:
        TapeFormatError: it is not such a file, is empty, of an unknown version, or broken before its last line.
    """
    *lines, tail = data.split(b"\n")
    reader = _Reader(name)
    if not data.strip():
        raise TapeFormatError(f"tape {name!r} is empty: nothing was recorded. Delete it, or record it again.")
    for number, line in enumerate(lines, 1):
        last = number == len(lines) and not tail
        reader.line(number, line, last=last)
    if tail:
        reader.torn(len(lines) + 1, tail)
    return reader.tape()


def _lines(tape: Tape) -> Iterator[Line]:
    yield header(tape.meta)
    for n, effect in zip(tape.numbers or range(len(tape.effects)), tape.effects, strict=True):
        yield from _tool_lines(n, effect) if isinstance(effect, ToolRun) else _call_lines(n, effect)


def _tool_lines(n: int, run: ToolRun) -> Iterator[Line]:
    yield tool_start(n, run)
    if run.started_s is not None or run.duration_s is not None:
        yield timing(n, started_s=run.started_s, duration_s=run.duration_s)
    if run.ended != "interrupted":
        yield tool_end(n, run)


def _call_lines(n: int, call: Interaction) -> Iterator[Line]:
    yield call_start(n, call.lane, call.request, call.foreign)
    if call.status is not None:
        yield call_head(n, call.status, call.reason, call.http_version, call.headers)
    for chunk in call.chunks:
        yield call_chunk(n, chunk)
    seconds = timing(n, started_s=call.started_s, head_s=call.head_s, duration_s=call.duration_s, times=call.times)
    if len(seconds) > 2:
        yield seconds
    if call.ended != "interrupted":
        body = call.body
        yield call_end(n, call.ended, call.error, len(body), hashlib.sha256(body).hexdigest())
    if call.outcome:
        yield outcome(n, call.outcome)
    if call.superseded:
        yield superseded(n)


class _Reader:
    """Builds a tape from its lines."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.meta: dict[str, Any] = {}
        self.effects: dict[int, dict[str, Any]] = {}
        self.warnings: list[str] = []

    def line(self, number: int, data: bytes, *, last: bool) -> None:
        try:
            line: Any = _decode(data)
            if not isinstance(line, dict):
                raise TypeError("not an object")
            fields = cast("Line", line)
            self._header(fields) if number == 1 else self._entry(fields)
        except (ValueError, RecursionError, TypeError, KeyError) as error:
            if number == 1:
                raise self._not_a_tape(data) from None
            if last:
                self.warnings.append(f"line {number}, the last, was not written whole and is left out")
                return
            raise TapeFormatError(
                f"tape {self.name!r} is broken in line {number}: {error!r}. "
                "What stands before it can be kept by deleting that line and all after it."
            ) from error

    def torn(self, number: int, data: bytes) -> None:
        if number == 1:
            raise self._not_a_tape(data)
        self.warnings.append(f"line {number}, the last, was not written whole and is left out")

    def tape(self) -> Tape:
        numbers = tuple(sorted(self.effects))
        effects = tuple(self._effect(n) for n in numbers)
        simple = numbers == tuple(range(len(numbers)))
        return Tape(
            effects, self.meta, version=VERSION, warnings=tuple(self.warnings), numbers=() if simple else numbers
        )

    def _header(self, line: Line) -> None:
        if line.get("playhead") != "tape":
            raise ValueError("no header")
        if line["version"] != VERSION:
            raise TapeFormatError(
                f"tape {self.name!r} is of version {line['version']!r}, and this Playhead reads version {VERSION}: "
                "use the Playhead that wrote it, or a newer one."
            )
        self.meta = dict(line.get("meta") or {})

    def _entry(self, line: Line) -> None:
        kind = line["type"]
        if kind in ("call.start", "tool.start") and line["n"] in self.effects:
            raise ValueError(f"effect {line['n']} begins twice")
        if kind == "call.start":
            request = line["request"]
            self.effects[line["n"]] = {
                "chunks": [],
                "ended": "interrupted",
                "lane": line["lane"],
                "request": Request(
                    request["method"], request["url"], _headers(request["headers"]), unpack(request["body"])
                ),
                "foreign": line.get("foreign") or {},
            }
        elif kind == "tool.start":
            names = ("lane", "call_id", "name", "arguments")
            self.effects[line["n"]] = {name: line[name] for name in names} | {"ended": "interrupted"}
        elif kind in _MORE:
            self._more(self.effects[line["n"]], kind, line)
        # Else it is of a kind that a later Playhead added, and that changes nothing for this one.

    def _more(self, effect: dict[str, Any], kind: str, line: Line) -> None:
        match kind:
            case "call.head":
                effect |= {name: line[name] for name in ("status", "reason", "http_version")}
                effect["headers"] = _headers(line["headers"])
            case "call.chunk":
                effect["chunks"].append(unpack(line["data"]))
            case "timing":
                effect |= {key: value for key, value in line.items() if key in _SECONDS}
            case "call.end":
                effect |= {"ended": line["ended"], "error": line.get("error")}
                self._check(line, b"".join(effect["chunks"]))
            case "tool.end":
                effect |= {key: value for key, value in line.items() if key in _RESULT}
                effect["ended"] = line.get("ended", "complete")
            case "outcome":
                effect["outcome"] = line["outcome"]
            case "superseded":
                effect["superseded"] = True
            case _:
                pass

    def _check(self, line: Line, body: bytes) -> None:
        if len(body) != line["length"] or hashlib.sha256(body).hexdigest() != line["sha256"]:
            self.warnings.append(f"the body of effect {line['n']} is not the one that was recorded")

    def _effect(self, n: int) -> Effect:
        fields = self.effects[n]
        times = fields.get("times")
        if times is not None and len(times) != len(fields.get("chunks", ())):
            self.warnings.append(f"the times of effect {n} are not those of its pieces, and are left out")
            del fields["times"]
        try:
            return msgspec.convert(fields, Interaction if "request" in fields else ToolRun)
        except msgspec.ValidationError as error:
            raise TapeFormatError(f"tape {self.name!r} holds effect {n}, which cannot be read: {error}") from error

    def _not_a_tape(self, data: bytes) -> TapeFormatError:
        if data.startswith(HEADER):
            return TapeFormatError(
                f"tape {self.name!r} is torn in its first line, so that nothing was recorded on it. Delete it, go on "
                "with mode 'resume', or record it again."
            )
        return TapeFormatError(
            f"{self.name!r} is not a Playhead tape: its first line should be "
            f'{{"playhead": "tape", ...}}, but is {data[:60].decode("utf-8", "replace")!r}. '
            "go-vcr cassettes end in .yaml."
        )


_MORE = frozenset({"call.head", "call.chunk", "timing", "call.end", "tool.end", "outcome", "superseded"})
_SECONDS = frozenset({"started_s", "head_s", "duration_s", "times"})
_RESULT = frozenset({"result", "is_error", "media", "stop"})


def _headers(pairs: list[list[str]]) -> Headers:
    return tuple((name, value) for name, value in pairs)


FORMAT = Format("playhead", (".jsonl", ".tape"), load, dump)
