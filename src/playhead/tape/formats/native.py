"""
Playhead's own format: JSON lines that are only ever appended to, so that a kill at any byte loses nothing.

The first line names the format and its version. Then each effect has a number `n`, in the order in which effects
begin, and lines of several effects may interleave:

    {"playhead": "tape", "version": 2, "meta": {...}}
    {"type": "call.start", "n", "lane", "request": {"method", "url", "headers", "body"}}
    {"type": "call.head", "n", "status", "reason", "http_version", "headers"}
    {"type": "call.chunk", "n", "data"}                                      one for each piece, as it arrives
    {"type": "timing", "n", "started_s", "head_s", "duration_s", "times"}    apart, so that content can be compared
    {"type": "call.end", "n", "ended", "error", "length", "sha256"}
    {"type": "outcome", "n", "outcome"}                                      the body was no whole answer
    {"type": "superseded", "n"}                                              a resumed run asks this again
    {"type": "whole"}                                                        the run came to its end
    {"type": "tool.start", "n", "lane", "call_id", "name", "arguments", "sha256"}
    {"type": "tool.progress", "n", "message", "fraction", "at_s"}            one each time that the tool says so
    {"type": "tool.end", "n", "result", "sha256", "is_error", "media", "stop"}
    {"type": "reading", "n", "lane", "name", "value", "started_s"}           all of an effect in one line

An effect without its end was interrupted. Bytes stand as `{"lines": [...], "eol": true}` where they are UTF-8 text
(`eol`: the last line ends with a line feed), else as `{"base64": "..."}`. A request body may be written as a
difference to an earlier one. A tape that was forked from another names it in its first line, and says
`{"type": "kept", "n"}` of the effects that stand there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec

from ...http import Headers, Request
from ..effects import Effect, Interaction, Progress, Reading, Tape, ToolRun
from ._format import Format
from ._native_bodies import Bodies, Line, hashed, like, pack, pack_whole
from ._native_lines import Parent, decode_line
from ._native_reader import HEADER, VERSIONS, FindParent, Reader

__all__ = [
    "FORMAT",
    "HEADER",
    "VERSION",
    "Bodies",
    "FindParent",
    "Line",
    "Parent",
    "call_chunk",
    "call_end",
    "call_head",
    "call_start",
    "copied",
    "dump",
    "dump_child",
    "encode_line",
    "header",
    "is_line",
    "kept",
    "lines",
    "load",
    "outcome",
    "reading",
    "says_whole",
    "superseded",
    "timing",
    "tool_end",
    "tool_progress",
    "tool_start",
    "whole",
]

VERSION = VERSIONS[-1]
"""Of the format, as it is written."""


def encode_line(line: Line) -> bytes:
    """One line of a tape, with its line feed."""
    return msgspec.json.encode(line) + b"\n"


def is_line(data: bytes) -> bool:
    """Whether this is a line that can be read."""
    try:
        decode_line(data)
    except (ValueError, RecursionError):
        return False
    return True


def header(
    meta: dict[str, Any], *, copies: bool = False, version: int = VERSION, parent: Parent | None = None
) -> Line:
    """The first line.

    Args:
        meta: facts about the tape.
        copies: announces that another tape's effects follow, and then a line of type `copied`.
        version: of the format, in which all lines that follow are.
        parent: where the effects are that lines of type `kept` name.
    """
    line: Line = {"playhead": "tape", "version": version, "meta": meta}
    line |= {"copies": True} if copies else {}
    return line | ({"parent": msgspec.to_builtins(parent)} if parent else {})


def whole() -> Line:
    """All that was to be recorded came to its end."""
    return {"type": "whole"}


def says_whole(data: bytes) -> bool:
    """Whether a file ends by saying that it is whole. One of version 1 never does."""
    return data.endswith(b'{"type":"whole"}\n')


def copied() -> Line:
    """The effects of another tape are all here."""
    return {"type": "copied"}


def call_start(
    n: int, lane: str, request: Request, foreign: dict[str, Any] | None = None, body: Line | None = None
) -> Line:
    """A request is about to be sent; `body` is its body as `Bodies.pack` gave it, and whole where it is left out."""
    fields = _request(request, pack_whole(request.body) if body is None else body)
    line: Line = {"type": "call.start", "n": n, "lane": lane, "request": fields}
    return line | ({"foreign": foreign} if foreign else {})


def kept(n: int, effect: Effect, parents: Effect, changed: frozenset[str] = frozenset()) -> Line:
    """The effect stands on the parent, as `parents`, but for the fields that are `changed`."""
    line: Line = {"type": "kept", "n": n}
    if isinstance(effect, Interaction) and isinstance(parents, Interaction) and "request" in changed:
        body = like(n, parents.request.body, effect.request.body) or pack_whole(effect.request.body)
        return line | {"request": _request(effect.request, body)}
    return line | (_result(effect) if isinstance(effect, ToolRun) and "result" in changed else {})


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
        "sha256": hashed(run.arguments),
    }


def tool_progress(n: int, said: Progress) -> Line:
    """A tool says how far it is."""
    line: Line = {"type": "tool.progress", "n": n, "message": said.message}
    return line | {name: value for name in ("fraction", "at_s") if (value := getattr(said, name)) is not None}


def tool_end(n: int, run: ToolRun) -> Line:
    """A tool gave its result."""
    line: Line = {"type": "tool.end", "n": n} | _result(run)
    line |= {"is_error": True} if run.is_error else {}
    line |= {"media": list(run.media)} if run.media else {}
    line |= {"stop": run.stop} if run.stop is not None else {}
    return line | ({"ended": run.ended} if run.ended != "complete" else {})


def reading(n: int, effect: Reading) -> Line:
    """Something was read from outside of the run."""
    line: Line = {"type": "reading", "n": n, "lane": effect.lane, "name": effect.name, "value": effect.value}
    return line | ({} if effect.started_s is None else {"started_s": effect.started_s})


def dump(tape: Tape) -> bytes:
    """The file of a tape."""
    return b"".join(map(encode_line, _lines(tape)))


def dump_child(child: Tape, parent: Tape, reference: Parent) -> bytes:
    """The file of a tape that keeps effects of another one: only what differs from them is in it.

    Args:
        child: the tape.
        parent: what the bytes that `reference` names are read as.
    """
    return b"".join(map(encode_line, _lines_of_child(child, dict(parent.numbered), reference)))


def load(data: bytes, name: str, find_parent: FindParent | None = None) -> Tape:
    """The tape of a file. A torn last line is dropped, with a warning.

    Args:
        data: the file, whole.
        name: the file's, for messages.
        find_parent: gives the tape that this one was forked from, where the file says that it keeps its effects.

    Raises:
        TapeFormatError: it is not such a file, is empty, of an unknown version, or broken before its last line.
        TapeError: `find_parent` found none.
    """
    return Reader(name, find_parent).read(data)


def _lines(tape: Tape) -> Iterator[Line]:
    yield header(tape.meta)
    bodies = Bodies()
    for n, effect in tape.numbered:
        yield from lines(n, effect, bodies)
    if not tape.cut_off:
        yield whole()


def _lines_of_child(child: Tape, parents: dict[int, Effect], reference: Parent) -> Iterator[Line]:
    yield header(child.meta, parent=reference)
    bodies = Bodies()
    for n, effect in child.numbered:
        changed = _changed(effect, parents.get(n))
        if changed is None:
            yield from lines(n, effect, bodies)
            continue
        yield kept(n, effect, parents[n], changed)
        if isinstance(effect, Interaction):
            bodies.remember(n, effect.lane, effect.request.body)


def _changed(effect: Effect, kept: Effect | None) -> frozenset[str] | None:
    """What differs from the parent's effect; None where that cannot be said in a line."""
    if type(effect) is not type(kept):
        return None
    names = (name for name in effect.__struct_fields__ if getattr(effect, name) != getattr(kept, name))
    changed = frozenset(names)
    return changed if changed <= {"request" if isinstance(effect, Interaction) else "result"} else None


def lines(n: int, effect: Effect, bodies: Bodies) -> Iterator[Line]:
    """All lines of an effect, as far as it came."""
    match effect:
        case Interaction():
            yield from _call_lines(n, effect, bodies)
        case ToolRun():
            yield from _tool_lines(n, effect)
        case Reading():
            yield reading(n, effect)


def _result(run: ToolRun) -> Line:
    return {"result": run.result, "sha256": hashed(run.result)}


def _request(request: Request, body: Line) -> Line:
    headers = [list(pair) for pair in request.headers]
    return {"method": request.method, "url": request.url, "headers": headers, "body": body}


def _tool_lines(n: int, run: ToolRun) -> Iterator[Line]:
    yield tool_start(n, run)
    for said in run.progress:
        yield tool_progress(n, said)
    if run.started_s is not None or run.duration_s is not None:
        yield timing(n, started_s=run.started_s, duration_s=run.duration_s)
    if run.ended != "interrupted":
        yield tool_end(n, run)


def _call_lines(n: int, call: Interaction, bodies: Bodies) -> Iterator[Line]:
    body = bodies.pack(n, call.lane, call.request.body)
    yield call_start(n, call.lane, call.request, call.foreign, body)
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


FORMAT = Format("playhead", (".jsonl", ".tape"), load, dump)
