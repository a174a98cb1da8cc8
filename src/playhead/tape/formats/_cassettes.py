"""What cassettes of go-vcr and of VCR.py have in common: headers as mappings, bodies in pieces, fields by default."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from itertools import accumulate, pairwise
from typing import Any, TypeVar

import msgspec

from ...errors import TapeFormatError
from ...http import Headers
from . import _yaml_text as yaml_text
from ._yaml_text import Node

T = TypeVar("T")


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
            f"has a key `playhead` (line {yaml_text.line(node)}) that cannot be read: {error}. "
            "Delete the key to read the rest."
        ) from error


def headers(fields: Mapping[str, Node], order: tuple[str, ...] | None, what: str) -> Headers:
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


def set_fields(struct: msgspec.Struct) -> dict[str, Any]:
    """The fields that are not as they are by default."""
    fields = msgspec.structs.fields(struct)
    values = ((field.name, getattr(struct, field.name), _default(field)) for field in fields)
    return {name: value for name, value, default in values if value != default}


def _default(field: Any) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


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
