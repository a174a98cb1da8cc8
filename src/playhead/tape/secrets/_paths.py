"""
JSON paths: where a value stands in a body, found in the bytes themselves, so that all around it stays as it is.

The syntax is RFC 9535's, as far as a place needs it: names, indexes, wildcards and `..`. https://www.rfc-editor.org/rfc/rfc9535
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from ...errors import ConfigError
from ._hits import Hit
from ._kinds import Kind


class _Step(NamedTuple):
    """One step of a path: to a name, to an index, or to everything; `deep`: at whatever depth."""

    name: str | None
    number: int | None
    deep: bool


_State: TypeAlias = tuple[int, int]
"""Which path, and which step of it comes next."""

_SEGMENT = re.compile(
    r"""(?P<dots>\.\.|\.)?(?:
        \[(?:(?P<index>\d+)|(?P<any>\*)|(?P<quoted>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))\]
        |(?P<star>\*)|(?P<name>[^.\[\]*'"\s]+))""",
    re.VERBOSE,
)
_TOKEN = re.compile(rb'[\s,:]*+(?:([\[{])|([\]}])|("(?:[^"\\]++|\\.)*+"?)|([^\s,:\[\]{}"]++))', re.DOTALL)
_DATA = re.compile(rb"(?:(?<=[\r\n])|\A(?:\xef\xbb\xbf)?)data:[ ]?([^\r\n]*+)")
_PLAIN = re.compile(r"[\w $-]+")
"""A name that stands in JSON as it is, or with a \\u in it."""

_BLANK_LINE = re.compile(rb"(?>\r\n|\r|\n){2}")
"""What ends a server-sent event, or stands between two."""


class Paths:
    """Compiled paths.

    Args:
        paths: such as `$.user`, `metadata.*.token`, `messages[*].name`, `$..email`.

    Raises:
        ConfigError: one is no path.
    """

    def __init__(self, paths: tuple[str, ...]) -> None:
        self._paths = [_steps(path) for path in paths]
        self._kinds = [f"what stands at {path}" for path in paths]
        self._names = [
            tuple(f'"{step.name}"'.encode() for step in steps if step.name and _PLAIN.fullmatch(step.name))
            for steps in self._paths
        ]

    def hits(self, data: bytes, start: int, kind: Kind) -> Iterator[Hit]:
        """The values at these paths from `start` on, which is the start of a body or of an event."""
        if kind == "other" or not self._may_be_in(data):
            return
        if kind == "json":
            yield from self._in_json(data, start)
            return
        for pieces in _events(data, start):
            if len(pieces) == 1:
                yield from self._in_json(data, *pieces[0])
            else:
                yield from self._in_pieces(data, pieces)

    def _may_be_in(self, data: bytes) -> bool:
        if b"\\u" in data:  # A name may be escaped.
            return True
        return any(all(name in data for name in names) for names in self._names)

    def _in_pieces(self, data: bytes, pieces: list[tuple[int, int]]) -> Iterator[Hit]:
        """In an event whose JSON stands on several lines."""
        starts = [0]
        for first, last in pieces:
            starts.append(starts[-1] + last - first + 1)
        for hit in self._in_json(b"\n".join(data[first:last] for first, last in pieces), 0):
            begin, end = (_back(at, pieces, starts) for at in (hit.start, hit.end))
            yield hit._replace(start=begin, end=end)

    def _in_json(self, data: bytes, start: int, end: int | None = None) -> Iterator[Hit]:
        return _Scan(self._paths, self._kinds, data, start, len(data) if end is None else end).hits()


class _Frame:
    """An object or an array that is being read."""

    __slots__ = ("following", "index", "is_object", "states")

    def __init__(self, *, is_object: bool, states: list[_State]) -> None:
        self.is_object = is_object
        self.states = states
        self.index = -1
        self.following: str | None = None


class _Scan:
    """Reads JSON calmly: what is cut off or broken is read as far as it goes, since it must not keep its secrets."""

    def __init__(self, paths: list[list[_Step]], kinds: list[str], data: bytes, start: int, end: int) -> None:
        self._paths, self._kinds = paths, kinds
        self._data, self._at, self._end = data, start, end
        self._frames: list[_Frame] = []

    def hits(self) -> Iterator[Hit]:
        while token := _TOKEN.match(self._data, self._at, self._end):
            self._at = token.end()
            opening, closing, string, _ = token.groups()
            if not self._frames and not opening:
                return  # Behind a value there may be another one, as in lines of JSON, but nothing else.
            if closing:
                self._frames.pop()
            elif string is not None and self._is_name():
                self._frames[-1].following = _text(string)
            else:
                states, hit = self._enter()
                if hit is not None:
                    yield from self._value(token, self._kinds[hit])
                elif opening:
                    self._frames.append(_Frame(is_object=opening == b"{", states=states))

    def _is_name(self) -> bool:
        frame = self._frames[-1] if self._frames else None
        return frame is not None and frame.is_object and frame.following is None

    def _enter(self) -> tuple[list[_State], int | None]:
        """The paths that lead on through the value that comes now, and one that ends at it."""
        if not self._frames:
            return [(path, 0) for path in range(len(self._paths))], None
        frame = self._frames[-1]
        name, frame.following = frame.following, None
        frame.index += 1
        index = None if frame.is_object else frame.index
        states: list[_State] = []
        for path, number in frame.states:
            step = self._paths[path][number]
            if step.deep:
                states.append((path, number))
            if (step.name is None or step.name == name) and (step.number is None or step.number == index):
                if number + 1 == len(self._paths[path]):
                    return [], path
                states.append((path, number + 1))
        return states, None

    def _value(self, token: re.Match[bytes], kind: str) -> Iterator[Hit]:
        opening, _, string, plain = token.groups()
        if opening:
            yield Hit(token.start(1), self._close(), kind, 91, quoted=True)
        elif string is not None:
            first, last = token.span(3)
            closed = len(string) > 1 and string.endswith(b'"')
            last = last - 1 if closed else self._end
            if not closed:
                self._at = self._end
            if last > first + 1:
                yield Hit(first + 1, last, kind, 91)
        elif plain != b"null":
            yield Hit(*token.span(4), kind, 91, quoted=True)

    def _close(self) -> int:
        """Behind the object or array that was just opened."""
        depth = 1
        while depth and (token := _TOKEN.match(self._data, self._at, self._end)):
            self._at = token.end()
            depth += 1 if token[1] else -1 if token[2] else 0
        if depth:
            self._at = self._end
        return self._at


def _events(data: bytes, start: int) -> Iterator[list[tuple[int, int]]]:
    """Where the data of each event stands: a place for each of its lines."""
    pieces: list[tuple[int, int]] = []
    for line in _DATA.finditer(data, start):
        if pieces and _BLANK_LINE.search(data, pieces[-1][1], line.start()):
            yield pieces
            pieces = []
        pieces.append(line.span(1))
    if pieces:
        yield pieces


def _back(at: int, pieces: list[tuple[int, int]], starts: list[int]) -> int:
    number = max(n for n, start in enumerate(starts[:-1]) if start <= at)
    return pieces[number][0] + at - starts[number]


def _text(string: bytes) -> str:
    if b"\\" in string:
        try:
            return str(json.loads(string))
        except ValueError:
            pass
    return string.strip(b'"').decode("utf-8", "replace")


def _steps(path: str) -> list[_Step]:
    rest = path[1:] if path == "$" or path.startswith(("$.", "$[")) else path
    rooted, steps = rest is not path, list[_Step]()
    at = 0
    while at < len(rest):
        found = _SEGMENT.match(rest, at)
        if found is None or not _well_joined(found, first=not steps and not rooted):
            raise _bad(path, f"it cannot be read from {rest[at:]!r} on")
        name = found["name"]
        if found["quoted"]:
            name = re.sub(r"\\(.)", r"\1", found["quoted"][1:-1])
        steps.append(_Step(name, int(found["index"]) if found["index"] else None, found["dots"] == ".."))
        at = found.end()
    if not steps:
        raise _bad(path, "it names nothing in the body")
    return steps


def _well_joined(segment: re.Match[str], *, first: bool) -> bool:
    in_brackets = segment["name"] is None and segment["star"] is None
    return segment["dots"] != "." if in_brackets else first or bool(segment["dots"])


def _bad(path: str, why: str) -> ConfigError:
    return ConfigError(
        f"{path!r} is no JSON path: {why}. Paths look like '$.user', 'messages[*].name' or '$..email'; "
        "filters and slices are not known."
    )
