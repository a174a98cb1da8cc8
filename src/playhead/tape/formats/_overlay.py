"""What a JSON object holds beyond another, and how to put it back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias, cast

Json: TypeAlias = dict[str, Any]


def beyond(raw: Json, ours: Json) -> Json:
    """The fields of `raw` that are not as in `ours`, without what is alike inside of them."""
    return dict(_differences(raw, ours))


def _differences(raw: Json, ours: Json) -> Iterator[tuple[str, Any]]:
    for name, value in raw.items():
        if name not in ours:
            yield name, value
        elif value == ours[name]:
            continue
        elif isinstance(value, dict) and isinstance(ours[name], dict):
            if rest := beyond(cast("Json", value), ours[name]):
                yield name, rest
        elif pairs := _paired(value, ours[name]):
            rests = [beyond(item, known) for item, known in pairs]
            if any(rests):
                yield name, rests
        else:
            yield name, value


def overlaid(ours: Json, rest: Json) -> Json:
    """The inverse of `beyond`: `ours`, with the rest laid over it."""
    merged = dict(ours)
    for name, value in rest.items():
        known = ours.get(name)
        if isinstance(value, dict) and isinstance(known, dict):
            merged[name] = overlaid(cast("Json", known), cast("Json", value))
        elif pairs := _paired(known, value):
            merged[name] = [overlaid(item, more) for item, more in pairs]
        else:
            merged[name] = value
    return merged


def _paired(one: Any, other: Any) -> list[tuple[Json, Json]]:
    """The items of two lists of as many objects, side by side; none where they are anything else."""
    if not isinstance(one, list) or not isinstance(other, list):
        return []
    items, others = cast("list[Any]", one), cast("list[Any]", other)
    alike = len(items) == len(others) and all(isinstance(item, dict) for item in (*items, *others))
    return list(zip(items, others, strict=True)) if alike else []
