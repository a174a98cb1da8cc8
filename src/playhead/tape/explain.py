"""Says in what two requests differ, part by part: which message, which tool, which parameter."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any, Literal, cast

from ..http import Request
from .aligning import Pairs, align, common_prefix, in_common, in_order
from .canonical import Number, canonical_body, content_type, parts_of, read_json, write_json
from .nearest import CONVERSATION
from .redact import safe_url

_LIMIT = 12
"""Differences that are told."""

_SHOWN = 60
"""Characters of a value that are shown."""

_SYSTEM = ("system", "instructions", "systemInstruction", "system_instruction")
_TOOLS = ("tools", "functions", "functionDeclarations", "function_declarations")
"""What the wire formats call the system prompt and the tools."""

_MOST_GUESSES = 2_500
"""Of the table of two lists' items that differ, below which it is guessed which of them belong together."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between two requests.

    Attributes:
        path: where it is, such as `messages[1] (user).content`.
        kind: `changed`, `added`, `removed`, `moved` (in another order), or `written`: the same value in JSON, but
            written otherwise, where it counts how it is written.
        old: the recorded value. Numbers are `Number`, as they were written.
        new: the value that is asked for.
    """

    path: str
    kind: Literal["changed", "added", "removed", "moved", "written"]
    old: Any = None
    new: Any = None


@dataclass(frozen=True, slots=True)
class Sides:
    """What the two sides are called in a sentence."""

    old: str = "the tape"
    new: str = "this run"
    in_old: str = "on the tape"
    in_new: str = "in this run"


_TAPE_AND_RUN = Sides()


def differences(recorded: Request, asked: Request) -> tuple[str, ...]:
    """One sentence a difference, the most telling first; none where the two are the same request."""
    found = [say(difference) for difference in find_differences(recorded, asked)]
    return tuple(found[:_LIMIT]) + ((f"and {len(found) - _LIMIT} more",) if len(found) > _LIMIT else ())


def find_differences(recorded: Request, asked: Request) -> tuple[Difference, ...]:
    """The differences as values, the most telling first; none where the two are the same request."""
    found: list[Difference] = []
    if (old := recorded.method.upper()) != (new := asked.method.upper()):
        found.append(Difference("method", "changed", old, new))
    if (old := safe_url(recorded.url)) != (new := safe_url(asked.url)):
        found.append(Difference("URL", "changed", old, new))
    kinds = content_type(recorded), content_type(asked)
    if canonical_body(recorded.body, kinds[0]) != canonical_body(asked.body, kinds[1]):
        found += _bodies(recorded, asked)
    return tuple(found)


def compare_values(path: str, old: Any, new: Any) -> tuple[Difference, ...]:
    """The differences of two plain values, as `read_json` gives them.

    Args:
        path: where they stand.
    """
    try:
        return tuple(_compare(path, old, new))
    except RecursionError:
        return (Difference(path, "changed", *[_Opaque("something nested too deeply to be compared")] * 2),)


def say(difference: Difference, sides: Sides = _TAPE_AND_RUN) -> str:
    """A difference as a sentence."""
    path, old, new = difference.path or "body", difference.old, difference.new
    match difference.kind:
        case "added":
            return f"{path}: {sides.in_new}, not {sides.in_old}: {shown(new)}"
        case "removed":
            return f"{path}: {sides.in_old}, missing {sides.in_new}: {shown(old)}"
        case "moved":
            names = (_cut(", ".join(map(str, side))) for side in (old, new))
            return f"{path}: in another order, {next(names)} {sides.in_old}; {next(names)} {sides.in_new}"
        case "written" if isinstance(old, Number):
            return f"{path}: the same number written otherwise, {old} {sides.in_old}, {new} {sides.in_new}"
        case "written":
            return f"{path}: only the writing of the JSON differs ({_how(old, new, sides) or 'in its strings'})"
        case _ if path in ("method", "URL"):
            return f"{path}: {sides.old} has {old}, {sides.new} sends {new}"
        case _ if _is_text(old) and _is_text(new):
            return f"{path}: {_where_texts_part(old, new, sides)}"
        case _:
            return f"{path}: {shown(old)} {sides.in_old}, {shown(new)} {sides.in_new}"


def how_written(recorded: Request, asked: Request) -> str | None:
    """In what the writing of two bodies differs that say the same; None where they say different things, or are equal
    byte by byte.

    Numbers that are written otherwise (1 and 1.0) are told here, too, though they count: `differences` has them.
    """
    if recorded.body == asked.body:
        return None
    kinds = content_type(recorded), content_type(asked)
    if parts_of(recorded.body, kinds[0]) is not None and parts_of(asked.body, kinds[1]) is not None:
        same = canonical_body(recorded.body, kinds[0]) == canonical_body(asked.body, kinds[1])
        return "the same parts with another boundary" if same else None
    try:
        old, new = recorded.body.decode(), asked.body.decode()
        if not _same_but_for_numbers(read_json(old), read_json(new)):
            return None
        how = _how(old, new, _TAPE_AND_RUN)
    except (ValueError, RecursionError):
        return None
    return f"the same JSON with {how}" if how else None


def shown(value: Any) -> str:
    """A value as JSON, cut to what fits into a sentence. Numbers are as they were written."""
    text = ""
    for piece in _pieces(value):
        text += piece
        if len(text) > _SHOWN:
            break
    return _cut(text)


# --- bodies


class _Opaque(str):
    """What is said of bytes that are no text."""

    __slots__ = ()


def _bodies(recorded: Request, asked: Request) -> tuple[Difference, ...]:
    old, new = _tree(recorded), _tree(asked)
    if old is None or new is None:
        old, new = _readable(recorded.body), _readable(asked.body)
    return compare_values("", old, new)


def _tree(request: Request) -> Any:
    """The body as plain values; None where it is neither JSON nor multipart."""
    parts = parts_of(request.body, content_type(request))
    if parts is not None:
        return {"parts": list(map(_part, parts[1:-1]))}
    try:
        return read_json(request.body.decode())
    except (ValueError, RecursionError):
        return None


def _part(part: bytes) -> dict[str, str]:
    head, _, content = part.lstrip(b"\r\n").partition(b"\r\n\r\n")
    text = head.decode("utf-8", "replace")
    name = re.search(r'\bname="([^"]*)"', text)
    return ({"name": name[1]} if name else {}) | {"head": text, "content": _readable(content)}


def _readable(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return _Opaque(f"{len(data)} bytes with the SHA-256 {sha256(data).hexdigest()[:16]}...")


# --- values


def _compare(path: str, old: Any, new: Any) -> Iterator[Difference]:
    match old, new:
        case dict(), dict():
            yield from _compare_objects(path, cast("dict[str, Any]", old), cast("dict[str, Any]", new))
        case list(), list():
            yield from _compare_lists(path, cast("list[Any]", old), cast("list[Any]", new))
        case Number(), Number():
            if old != new:
                yield Difference(path, "written" if _equal_numbers(old, new) else "changed", old, new)
        case _ if type(old) is type(new) and old == new:
            pass
        case str(), str() if _is_text(old) and _is_text(new):
            yield from _compare_texts(path, old, new)
        case _:
            yield Difference(path, "changed", old, new)


def _compare_objects(path: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Difference]:
    for key in sorted(old.keys() | new.keys(), key=_telling):
        # A chat tool's or call's fields stand one level down, under the name that the path has already.
        here = path if key == "function" and path.endswith(")") else f"{path}.{key}" if path else key
        if key not in old:
            yield Difference(here, "added", new=new[key])
        elif key not in new:
            yield Difference(here, "removed", old[key])
        else:
            yield from _compare(here, old[key], new[key])


def _telling(key: str) -> tuple[int, str]:
    """The conversation tells more than a parameter, and a parameter more than a tool's schema."""
    ranks = (CONVERSATION, _SYSTEM, (), _TOOLS)
    return next((rank for rank, keys in enumerate(ranks) if key in keys), 2), key


def _compare_texts(path: str, old: str, new: str) -> Iterator[Difference]:
    """Texts; of JSON in a string, such as a call's arguments, what it says."""
    if old[:1] in ("{", "[") and old[:1] == new[:1]:
        try:
            values = read_json(old), read_json(new)
        except (ValueError, RecursionError):
            yield Difference(path, "changed", old, new)
            return
        found = list(_compare(path, *values))
        yield from found or [Difference(path, "written", old, new)]
    else:
        yield Difference(path, "changed", old, new)


def _compare_lists(path: str, old: list[Any], new: list[Any]) -> Iterator[Difference]:
    keys = list(map(write_json, old)), list(map(write_json, new))
    names = list(map(_label, old)), list(map(_label, new))
    if path.rpartition(".")[2] in _TOOLS and all(all(side) and len({*side}) == len(side) for side in names):
        yield from _moved(path, *names)
        pairs = _by_name(*names)
    else:
        pairs = align(*keys, lambda rows, columns: _guess(rows, columns, *names, *keys))
    for was, now in pairs:
        if was is not None and now is not None:
            if keys[0][was] != keys[1][now]:
                yield from _compare(_item(path, now, names[1][now] or names[0][was]), old[was], new[now])
        elif was is not None:
            yield Difference(_item(path, was, names[0][was]), "removed", old[was])
        elif now is not None:
            yield Difference(_item(path, now, names[1][now]), "added", new=new[now])


def _moved(path: str, old: list[str], new: list[str]) -> Iterator[Difference]:
    both = {*old} & {*new}
    order = [name for name in old if name in both], [name for name in new if name in both]
    if order[0] != order[1]:
        yield Difference(path, "moved", *order)


def _by_name(old: list[str], new: list[str]) -> Pairs:
    places = {name: n for n, name in enumerate(new)}
    pairs: Pairs = [(n, places.pop(name, None)) for n, name in enumerate(old)]
    return pairs + [(None, n) for n in places.values()]


def _item(path: str, n: int, label: str) -> str:
    return f"{path}[{n}] ({label})" if label else f"{path}[{n}]"


def _label(item: Any) -> str:
    """A message's role, a tool's name or a part's type, so that a reader need not count."""
    if not isinstance(item, dict):
        return ""
    fields = cast("dict[str, Any]", item)
    inner = fields.get("function") or fields.get("functionCall") or fields.get("functionResponse")
    name = cast("dict[str, Any]", inner).get("name") if isinstance(inner, dict) else None
    label = fields.get("role") or name or fields.get("name") or fields.get("type")
    return label if isinstance(label, str) else ""


# --- lists


def _guess(
    rows: range, columns: range, old_names: list[str], new_names: list[str], old: list[str], new: list[str]
) -> Pairs:
    """Pairs of items that differ: those of the same role or name that have most in common, in their order."""
    same = [old_names[n] for n in rows] == [new_names[n] for n in columns]
    if same or len(rows) == len(columns) == 1 or len(rows) * len(columns) > _MOST_GUESSES:
        return in_order(rows, columns)
    # The best that can be made of what is left of both lists, from each pair of places on.
    table = [[0.0] * (len(columns) + 1) for _ in range(len(rows) + 1)]
    gains: dict[tuple[int, int], float] = {}
    for i in reversed(range(len(rows))):
        for j in reversed(range(len(columns))):
            was, now = rows[i], columns[j]
            if old_names[was] == new_names[now]:
                gains[i, j] = 0.1 + in_common(old[was], new[now]) / min(len(old[was]), len(new[now]))
            paired = gains.get((i, j), 0.0) + table[i + 1][j + 1]
            table[i][j] = max(paired, table[i + 1][j], table[i][j + 1])
    pairs: Pairs = []
    i = j = 0
    while i < len(rows) and j < len(columns):
        if (i, j) in gains and table[i][j] == gains[i, j] + table[i + 1][j + 1]:
            pairs.append((rows[i], columns[j]))
            i, j = i + 1, j + 1
        elif table[i][j] == table[i + 1][j]:
            pairs.append((rows[i], None))
            i += 1
        else:
            pairs.append((None, columns[j]))
            j += 1
    return pairs + [(n, None) for n in rows[i:]] + [(None, n) for n in columns[j:]]


# --- the writing of JSON

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[-+.\w]+|[\[\]{},:]', re.DOTALL)


def _how(old: str, new: str, sides: Sides) -> str:
    """In what two texts of the same JSON differ; empty where in nothing that has a name."""
    tokens = _TOKEN.findall(old), _TOKEN.findall(new)
    gaps = _TOKEN.split(old), _TOKEN.split(new)
    strings = [Counter(token for token in side if token[0] == '"') for side in tokens]
    numbers = [Counter(token for token in side if token[0] in "-0123456789") for side in tokens]
    moved = _keysin_order(old) != _keysin_order(new)
    found: list[str] = []
    if moved:
        found.append("other key order")
    # Where the keys moved, the white space moved with them.
    if Counter(gaps[0]) != Counter(gaps[1]) if moved else gaps[0] != gaps[1]:
        found.append("other white space")
    if strings[0] != strings[1]:
        found.append("other escapes")
    if numbers[0] != numbers[1]:
        was, now = (min(side) for side in (numbers[0] - numbers[1], numbers[1] - numbers[0]))
        found.append(f"numbers written otherwise ({was} {sides.in_old}, {now} {sides.in_new})")
    return " and ".join(filter(None, (", ".join(found[:-1]), *found[-1:])))


def _keysin_order(text: str) -> list[list[str]]:
    """The names of each object, object by object, as they were written."""
    found: list[list[str]] = []

    def keep(pairs: list[tuple[str, Any]]) -> None:
        found.append([key for key, _ in pairs])

    json.loads(text, object_pairs_hook=keep, parse_int=str)
    return found


def _same_but_for_numbers(old: Any, new: Any) -> bool:
    match old, new:
        case Number(), Number():
            return _equal_numbers(old, new)
        case dict(), dict():
            a, b = cast("dict[str, Any]", old), cast("dict[str, Any]", new)
            return a.keys() == b.keys() and all(_same_but_for_numbers(a[key], b[key]) for key in a)
        case list(), list():
            items = cast("list[Any]", old), cast("list[Any]", new)
            return len(items[0]) == len(items[1]) and all(map(_same_but_for_numbers, *items))
        case _:
            return type(old) is type(new) and old == new


def _equal_numbers(old: str, new: str) -> bool:
    try:
        return Decimal(old) == Decimal(new)
    except ArithmeticError:  # An exponent beyond all use.
        return False


# --- words


def _where_texts_part(old: str, new: str, sides: Sides) -> str:
    at = common_prefix(old, new)
    start = max(0, at - 20)
    lead = "..." if start else ""
    lengths = f" ({len(old)} and {len(new)} characters)" if max(len(old), len(new)) > _SHOWN else ""
    return (
        f"from character {at + 1} on {sides.old} has {lead}{_cut(old[start:])!r}, "
        f"{sides.new} {lead}{_cut(new[start:])!r}{lengths}"
    )


def _cut(text: str, limit: int = _SHOWN) -> str:
    return text if len(text) <= limit else text[:limit] + "..."


def _is_text(value: Any) -> bool:
    return type(value) is str


def _pieces(value: Any) -> Iterator[str]:
    match value:
        case Number() | _Opaque():
            yield value
        case dict():
            for n, (key, item) in enumerate(cast("dict[str, Any]", value).items()):
                yield f"{', ' if n else '{'}{json.dumps(key, ensure_ascii=False)}: "
                yield from _pieces(item)
            yield "}" if value else "{}"
        case list():
            for n, item in enumerate(cast("list[Any]", value)):
                yield ", " if n else "["
                yield from _pieces(item)
            yield "]" if value else "[]"
        case _:
            yield json.dumps(value, ensure_ascii=False)
