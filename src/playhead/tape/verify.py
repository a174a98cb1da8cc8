"""Whether a tape is whole, is what was recorded, and holds no secrets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

import msgspec

from ..errors import TapeError, TapeNotFound
from ..http import Headers, header
from .effects import Interaction, Reading, Tape, ToolRun
from .files import load_tape
from .formats import is_native
from .redact import allowed_headers, safe_url, taken_from_url
from .secrets import REDACTED, Finding, Leaf, Redaction, changed

Texts: TypeAlias = Callable[[Interaction], Iterable[tuple[str, str]]]
"""Gives what an interaction says once it is decoded: `(what it is, text)`."""

_SECRET_WORDS = frozenset(
    {"authorization", "cookie", "cookie2", "credential", "credentials", "password", "secret", "session", "token"}
)
_KEYS = re.compile(r"(?:api|access|subscription|auth|private|secret)[-_]?key$|^key$")
_PLACEHOLDER = re.compile(rf"(?:\w+ )?(?:[*x.…-]*|[<\[{{(*]*\w*{REDACTED}\w*[>\]}})*]*|<.*>|\[.*\])", re.IGNORECASE)
"""What recorders and people put in the place of a secret."""

_TELLING = 8
"""Characters of a parameter's value by which it is known when it is found again. Fewer stand in any other."""

_ESCAPED = re.compile(rb"\\+[nrt]|\s")


@dataclass(frozen=True)
class Problem:
    """What is wrong with a tape.

    Attributes:
        kind: `structure`, `hash` or `secret`.
        place: such as `effect 3, response body, byte 120`; empty where it is the file as a whole.
        what: in words. It never holds the secret.
    """

    kind: Literal["structure", "hash", "secret"]
    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}" if self.place else self.what


@dataclass(frozen=True)
class Report:
    """What was found on a tape.

    Attributes:
        path: the tape's file.
        problems: in the order of the tape.
        notes: what is odd, and no problem.
        effects: how many effects were looked at.
    """

    path: Path
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()
    effects: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify(tape_file: Path, *, redaction: Redaction | None = None, texts: Texts | None = None) -> Report:
    """Look at a tape, in any format: its structure, its hashes, and what it holds of secrets.

    Args:
        tape_file: the tape.
        redaction: what to look for; known shapes and the environment's values where it is left out.
        texts: gives an interaction's texts, decoded, so that what a model spelled over several events is found.

    Raises:
        TapeNotFound: there is no such file.
        TapeError: it cannot be read at all.
    """
    try:
        data = tape_file.read_bytes()
    except FileNotFoundError:
        raise TapeNotFound(f"there is no tape {str(tape_file)!r}.") from None
    except OSError as error:
        raise TapeError(f"tape {str(tape_file)!r} cannot be read: {error.strerror}") from error
    search = _Search(redaction or Redaction().opened(), texts)
    notes: list[str] = []
    tape = Tape()
    try:
        tape = load_tape(tape_file)
    except TapeError as error:
        search.problem("structure", "", search.redaction.text(str(error)))
    else:
        for warning in map(search.redaction.text, tape.warnings):
            if not is_native(tape_file):
                notes.append(warning)
            else:
                search.problem("hash" if "not the one that was recorded" in warning else "structure", "", warning)
        notes += _notes(tape)
        search.tape(tape)
    search.file(data)
    return Report(tape_file, tuple(search.problems), tuple(notes), len(tape.effects))


def _notes(tape: Tape) -> Iterator[str]:
    for n, effect in tape.numbered:
        if effect.ended == "interrupted":
            yield f"effect {n} ({effect.lane}) has no end: the recording stops in the middle of it"
    missing = sorted(set(range(max(tape.numbers, default=-1) + 1)) - set(tape.numbers))
    if missing:
        yield f"the effects are not numbered without a gap: there is no {', '.join(map(str, missing[:5]))}"


class _Search:
    """Looks for secrets, place by place, and tells each once."""

    def __init__(self, redaction: Redaction, texts: Texts | None) -> None:
        self.redaction = redaction
        self.problems: list[Problem] = []
        self._texts = texts
        self._told: set[tuple[str, bytes]] = set()

    def problem(self, kind: Literal["structure", "hash", "secret"], place: str, what: str) -> None:
        self.problems.append(Problem(kind, place, what))

    def tape(self, tape: Tape) -> None:
        """Look at all that a tape's fields hold."""
        for n, effect in tape.numbered:
            match effect:
                case Interaction():
                    self._call(f"effect {n}", effect)
                case ToolRun():
                    self._tool(f"effect {n}", effect)
                case Reading():
                    self._plain_data(f"value of {effect.name}", f"effect {n}", effect.value)
        self._data("meta", _plain(tape.meta))

    def file(self, data: bytes) -> None:
        """Look at the file itself, for what its fields do not show."""
        for found in self.redaction.findings(data):
            if not self._known(found, data[found.start : found.end]):
                line = data.count(b"\n", 0, found.start) + 1
                column = found.start - (data.rfind(b"\n", 0, found.start) + 1)
                self._tell(found, data, f"line {line} of the file, byte {column}")

    def _call(self, effect: str, call: Interaction) -> None:
        self._url(f"{effect}, URL", call.request.url)
        self._headers(f"{effect}, request header", call.request.headers)
        self._data(f"{effect}, request body", call.request.body, header(call.request.headers, "content-type"))
        self._headers(f"{effect}, response header", call.headers)
        body, kind = call.body, header(call.headers, "content-type")
        self._data(f"{effect}, response body", body, kind)
        for what, text in (*_strung_together(body), *(self._texts(call) if self._texts else ())):
            self._data(f"{effect}, {what} of the response", text.encode("utf-8", "replace"), again=False)
        self._data(f"{effect}, error", _plain(call.error))
        self._data(f"{effect}, fields of another recorder", _plain(call.foreign))

    def _tool(self, effect: str, run: ToolRun) -> None:
        self._data(f"{effect}, arguments of {run.name}", run.arguments.encode("utf-8", "replace"))
        self._data(f"{effect}, result of {run.name}", run.result.encode("utf-8", "replace"))
        for said in run.progress:
            self._data(f"{effect}, progress of {run.name}", said.message.encode("utf-8", "replace"))
        self._plain_data(f"media of {run.name}", effect, run.media)

    def _plain_data(self, place: str, effect: str, value: Any) -> None:
        def look(leaf: Leaf) -> str:
            where = f"{effect}, {leaf.name} of the {place}" if leaf.name else f"{effect}, {place}"
            if leaf.encoded is not None:
                self._data(where, leaf.encoded.head.encode("utf-8", "replace"))
                self._data(where, leaf.encoded.data, leaf.encoded.media_type)
            elif leaf.is_url:
                self._url(where, leaf.text)
            else:
                self._data(where, leaf.text.encode("utf-8", "replace"))
            return leaf.text

        changed(value, look)

    def _data(self, place: str, data: bytes, kind: str | None = None, *, again: bool = True) -> bool:
        """Look at bytes; with `again=False`, for what was not told yet. Says whether there is something in them."""
        found = self.redaction.findings(data, kind)
        for one in found:
            if again or not self._known(one, data[one.start : one.end]):
                self._tell(one, data, f"{place}, byte {one.start}")
        return bool(found)

    def _tell(self, found: Finding, data: bytes, place: str) -> None:
        self._told.add((found.kind, _joined(data[found.start : found.end])))
        self.problem("secret", place, str(found))

    def _known(self, found: Finding, secret: bytes) -> bool:
        """Whether it was told already, be it as a part of more, or escaped otherwise."""
        joined = _joined(secret)
        return any(
            joined in told or told in joined or (found.kind == kind and not found.begins) for kind, told in self._told
        )

    def _url(self, place: str, url: str) -> None:
        for what, name, value in taken_from_url(url):
            if len(value) >= _TELLING:
                self._told.add(("", value.encode("utf-8", "replace")))
            self.problem("secret", place, f"{what} ({self.redaction.text(name)})" if name else what)
        self._data(place, safe_url(url).encode("utf-8", "replace"))

    def _headers(self, place: str, headers: Headers) -> None:
        for name, value in headers:
            data = value.encode("utf-8", "replace")
            if self._data(f"{place} {name}", data) or allowed_headers(((name, value),)):
                continue
            if _is_secret(name) and not _PLACEHOLDER.fullmatch(value.strip()):
                self._told.add(("", _joined(data)))
                self.problem("secret", f"{place} {name}", "a header that holds a secret")


def _is_secret(name: str) -> bool:
    lower = name.lower()
    if lower.startswith("access-control-"):
        return False
    return bool(_SECRET_WORDS & set(re.split(r"[-_]", lower)) or _KEYS.search(lower))


def _joined(secret: bytes) -> bytes:
    """A secret without line ends, and without what stands for them in JSON."""
    return _ESCAPED.sub(b"", secret)


def _plain(value: Any) -> bytes:
    return msgspec.json.encode(value, enc_hook=repr) if value else b""


def _strung_together(body: bytes) -> Iterator[tuple[str, str]]:
    """The texts that a stream's events spell piece by piece, in whatever format: all that stands at the same place of
    one event after the other."""
    texts: dict[str, list[str]] = {}
    for line in body.splitlines():
        if line.startswith(b"data:") and b'"' in line:
            try:
                _gather(msgspec.json.decode(line[5:]), "", texts)
            except (ValueError, RecursionError):
                continue
    for place, pieces in texts.items():
        if len(pieces) > 1:
            yield f"{place.removeprefix('.')!r}", "".join(pieces)


def _gather(value: Any, place: str, texts: dict[str, list[str]]) -> None:
    if isinstance(value, str):
        texts.setdefault(place, []).append(value)
    elif isinstance(value, dict):
        for name, item in cast("dict[str, Any]", value).items():
            _gather(item, f"{place}.{name}", texts)
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            _gather(item, f"{place}[{index}]", texts)
