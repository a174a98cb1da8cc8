"""What cassettes of go-vcr and of VCR.py have in common: headers as mappings, bodies in pieces, fields by default;
and what stands under `playhead`."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import accumulate, pairwise
from typing import Annotated, Any, TypeVar

import msgspec

from ...errors import TapeFormatError
from ...http import Headers, Request
from ..effects import Effect, Ended, Interaction, NoAnswer, Reading, Tape, ToolRun
from . import _yaml_text as yaml_text
from ._protocols import other_protocol
from ._yaml_text import Node

T = TypeVar("T")

Fields = Mapping[str, Node]
Place = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class Extra(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What stands under `playhead` in an interaction.

    Attributes:
        request_headers: the headers' names in wire order, where a mapping of names cannot keep it.
        response_headers: likewise.
        chunks: lengths in bytes, where the body did not arrive in one piece.
        foreign: of an interaction's `foreign`, what the cassette does not say otherwise.
    """

    lane: str = "root"
    http_version: str = ""
    request_headers: tuple[str, ...] | None = None
    response_headers: tuple[str, ...] | None = None
    chunks: tuple[Place, ...] | None = None
    times: tuple[float, ...] | None = None
    started_s: float | None = None
    head_s: float | None = None
    duration_s: float | None = None
    ended: Ended = "complete"
    error: dict[str, str] | None = None
    outcome: NoAnswer | None = None
    superseded: bool = False
    foreign: dict[str, Any] = {}


SAME = (
    "lane",
    "http_version",
    "times",
    "started_s",
    "head_s",
    "duration_s",
    "ended",
    "error",
    "outcome",
    "superseded",
)
"""Fields that are the same in an interaction and beside it."""


class PlacedTool(ToolRun, frozen=True, kw_only=True):
    """A tool execution, and its place among the tape's effects."""

    at: Place


class PlacedReading(Reading, frozen=True, kw_only=True):
    """A reading, and its place among the tape's effects."""

    at: Place


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What stands under `playhead` at the top."""

    meta: dict[str, Any] = {}
    tools: tuple[PlacedTool, ...] = ()
    readings: tuple[PlacedReading, ...] = ()


# Reading


def ours(node: Node | None, kind: type[T], plain: Callable[[Node], Any]) -> T:
    """What stands under a key `playhead`.

    Args:
        node: where it stands.
        kind: what it should be.
        plain: gives a node as plain data.
    """
    if node is None or yaml_text.is_null(node):
        return kind()
    try:
        return msgspec.convert(plain(node), kind)
    except msgspec.ValidationError as error:
        raise TapeFormatError(
            f"has a key `playhead`{yaml_text.place(node)} that cannot be read: {error}. "
            "Delete the key to read the rest."
        ) from error


def refuse_own(data: bytes) -> None:
    """Whoever renames a tape finds out here."""
    if data.startswith(b'{"playhead":"tape"'):
        raise TapeFormatError("holds a tape in Playhead's own format: let its name end in .jsonl.")


def refuse_other_protocols(request: Request, what: str) -> None:
    """Whoever records a whole program finds more in it than HTTP."""
    if found := other_protocol(request):
        raise TapeFormatError(
            f"has {found} in {what}, and Playhead holds HTTP alone. Take the interaction out, or record it again "
            "without it."
        )


def part(fields: Fields, name: str, node: Node, what: str) -> dict[str, Node]:
    """The request or the response of an interaction, which must be there."""
    if name in fields and not yaml_text.is_null(fields[name]):
        return yaml_text.entries(fields[name], f"the {name} of {what}")
    raise TapeFormatError(
        f"has no `{name}` in {what}{yaml_text.place(node)}: it is torn there, or edited. "
        "Restore the file, or record it again."
    )


def text(fields: Fields, name: str) -> str:
    """The text of a field; "" where it is not there."""
    return yaml_text.text(fields[name], f"`{name}`") if name in fields else ""


def code(node: Node | None, what: str) -> int:
    """The status code of an interaction."""
    found = "" if node is None else yaml_text.text(node, f"the code of {what}")
    if not re.fullmatch("[0-9]{1,9}", found):
        has = f"has {found[:40]!r} as" if found else "has no"
        raise TapeFormatError(
            f"{has} status `code` in {what}: it is torn there, or edited. Restore the file, or record it again."
        )
    return int(found)


def headers(fields: Fields, order: tuple[str, ...] | None, what: str) -> Headers:
    """Names and values as they stand in the file, or in the `order` that was kept for them."""
    node = fields.get("headers")
    if node is None or yaml_text.is_null(node):
        return ()
    what = f"the headers of {what}"
    pairs = tuple(
        (name, yaml_text.text(value, what))
        for name, values in yaml_text.entries(node, what).items()
        for value in ([values] if values.id == "scalar" else yaml_text.items(values, what))
    )
    return pairs if order is None else _reordered(pairs, order)


def _reordered(pairs: Headers, order: tuple[str, ...]) -> Headers:
    if sorted(order) != sorted(name for name, _ in pairs):
        return pairs  # somebody edited the headers
    values = {name: deque(found) for name, found in grouped(pairs).items()}
    return tuple((name, values[name].popleft()) for name in order)


def cut(body: bytes, lengths: tuple[int, ...] | None) -> tuple[bytes, ...] | None:
    """The body in pieces of these lengths; None where they do not fit."""
    if lengths is None:
        return (body,) if body else ()
    if sum(lengths) != len(body):
        return None
    return tuple(body[start:end] for start, end in pairwise(accumulate(lengths, initial=0)))


def unplaced(tools: Iterable[PlacedTool], readings: Iterable[PlacedReading]) -> list[tuple[int, Effect]]:
    """Tool executions and readings, each behind its place."""
    every = (
        (kind, msgspec.structs.asdict(it))
        for kind, all_of in ((ToolRun, tools), (Reading, readings))
        for it in all_of
    )
    return [(fields.pop("at"), kind(**fields)) for kind, fields in every]


def merged(calls: Iterable[Interaction], placed: Iterable[tuple[int, Effect]]) -> tuple[Effect, ...]:
    """A tape's effects: interactions in their order, and between them what has a place of its own."""
    effects: list[Effect] = list(calls)
    for at, effect in sorted(placed, key=lambda pair: pair[0]):
        effects.insert(at, effect)
    return tuple(effects)


def fitting(times: tuple[float, ...] | None, chunks: tuple[bytes, ...], warn: Callable[[str], None]) -> Any:
    """The times of a body's pieces; None, with a warning, where they are not as many."""
    if times is None or len(times) == len(chunks):
        return times
    warn(f"{len(times)} times are no times of {len(chunks)} pieces, and are left out")
    return None


# Writing


def placed(tape: Tape) -> dict[str, list[dict[str, Any]]]:
    """A tape's tool executions and readings, each with its place, under the names of `Head`; where there are any."""
    tools: list[dict[str, Any]] = []
    readings: list[dict[str, Any]] = []
    for at, effect in enumerate(tape.effects):
        if isinstance(effect, ToolRun):
            said = {"progress": list(map(set_fields, effect.progress))} if effect.progress else {}
            tools.append(set_fields(effect) | said | {"at": at})
        elif isinstance(effect, Reading):
            readings.append(set_fields(effect) | {"at": at})
    return {name: found for name, found in (("tools", tools), ("readings", readings)) if found}


def lengths(call: Interaction) -> tuple[int, ...] | None:
    """The lengths of a body's pieces, where it is not one piece."""
    body = call.body
    return None if call.chunks == ((body,) if body else ()) else tuple(map(len, call.chunks))


def set_fields(struct: msgspec.Struct) -> dict[str, Any]:
    """The fields that are not as they are by default."""
    values = ((name, getattr(struct, name), default) for name, default in _defaults(type(struct)))
    return {name: value for name, value, default in values if value != default}


@cache
def _defaults(kind: type[msgspec.Struct]) -> tuple[tuple[str, Any], ...]:
    """The names of a struct's fields and what they are by default; msgspec evaluates annotations to tell."""
    fields = msgspec.structs.fields(kind)
    return tuple(
        (field.name, field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory())
        for field in fields
    )


def lost_order(headers: Headers) -> tuple[str, ...] | None:
    """The names in order, where a mapping of names to values would change it."""
    kept = tuple((name, value) for name, values in grouped(headers).items() for value in values)
    return None if kept == headers else tuple(name for name, _ in headers)


def grouped(headers: Headers) -> dict[str, list[str]]:
    """The values of each name, in order."""
    groups: dict[str, list[str]] = {}
    for name, value in headers:
        groups.setdefault(name, []).append(value)
    return groups
