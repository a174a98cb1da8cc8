"""Lists and texts side by side: what they share at their ends, and which items belong together."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeAlias

_MOST = 250_000
"""Of the table of two lists, below which the longest common runs of items are looked for."""

Pairs: TypeAlias = list[tuple[int | None, int | None]]
"""Which place of one list belongs to which of another; None where there is none."""

Between: TypeAlias = Callable[[range, range], Pairs]
"""Makes pairs of the places that are left, in order."""


def align(old: Sequence[Hashable], new: Sequence[Hashable], between: Between | None = None) -> Pairs:
    """Which items of two lists belong together: equal ones as far as they stand in the same order, and of what lies
    between those what `between` says; where that is left out, the first with the first.

    Args:
        between: given the places of both, as ranges.
    """
    from difflib import SequenceMatcher

    pairs_of = between or in_order
    start = common_prefix(old, new)
    end = common_suffix(old, new, min(len(old), len(new)) - start)
    last_old, last_new = len(old) - end, len(new) - end
    middle = old[start:last_old], new[start:last_new]
    blocks: Iterable[tuple[str, int, int, int, int]] = [("replace", 0, len(middle[0]), 0, len(middle[1]))]
    if len(middle[0]) * len(middle[1]) <= _MOST:
        blocks = SequenceMatcher(None, *middle, autojunk=False).get_opcodes()
    pairs: Pairs = [(n, n) for n in range(start)]
    for tag, i, i_end, j, j_end in blocks:
        rows, columns = range(start + i, start + i_end), range(start + j, start + j_end)
        pairs += zip(rows, columns, strict=True) if tag == "equal" else pairs_of(rows, columns)
    return pairs + list(zip(range(last_old, len(old)), range(last_new, len(new)), strict=True))


def in_order(rows: range, columns: range) -> Pairs:
    """The first with the first, and what is left alone."""
    both = min(len(rows), len(columns))
    pairs: Pairs = list(zip(rows, columns, strict=False))
    return pairs + [(n, None) for n in rows[both:]] + [(None, n) for n in columns[both:]]


def common_prefix(old: Sequence[Any], new: Sequence[Any]) -> int:
    """How many items two sequences share from their beginning. Pieces are compared, not items: that is fast."""
    low, high = 0, min(len(old), len(new))
    while low < high:
        middle = (low + high + 1) // 2
        if old[low:middle] == new[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def common_suffix(old: Sequence[Any], new: Sequence[Any], most: int) -> int:
    """How many items two sequences share at their end, `most` at most."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if old[len(old) - middle : len(old) - low] == new[len(new) - middle : len(new) - low]:
            low = middle
        else:
            high = middle - 1
    return low


def in_common(old: Any, new: Any) -> int:
    """How much of two texts is the same from their beginning and from their end."""
    start = common_prefix(old, new)
    return start + common_suffix(old, new, min(len(old), len(new)) - start)
