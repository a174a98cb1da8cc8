"""
Another run from the middle of one: a tape that keeps a run's effects up to a cut, and then goes on by itself.

As a file, such a tape names its parent and says which effects it keeps. They are not copied.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from .effects import Effect, Tape
from .files import load_tape, mode_of, put_in_place, read_tape
from .formats import format_for, is_native, native
from .recorder import new_meta
from .trimming import cut
from .writer import whole_lines

Edit = Callable[[Effect], Effect]


def fork(tape: Tape, at: int, edit: Edit | None = None, *, also: Collection[int] = ()) -> Tape:
    """A child of `tape`. See `Tape.fork`, and `cut` for `also`.

    The child has an id of its own, so that its tools get idempotency keys of their own. The times of kept effects
    count from the parent's `created`.
    """
    kept = cut(tape, at, also=also)
    effects = kept.effects if edit is None else tuple(map(edit, kept.effects))
    parent = {"at": at} | ({"id": tape.meta["id"]} if "id" in tape.meta else {})
    return replace(kept, effects=effects, meta={**tape.meta, **new_meta(), "parent": parent}, warnings=())


def fork_file(
    parent: Path,
    child: Path,
    at: int,
    edit: Edit | None = None,
    *,
    whole: bool = False,
    also: Collection[int] = (),
) -> Tape:
    """Fork a tape from its file, and write the child to a file that is not there yet.

    Where both are in Playhead's own format and in one folder, the child's file names the parent's, and holds only
    what differs. The parent may still be written to. Whoever may not read the parent may not read the child.

    Args:
        parent: the tape's file.
        child: the new file.
        at: effects with numbers below it are kept. See `Tape.fork`.
        edit: gives what stands on the child instead of an effect.
        whole: write the child so that it needs no other file.
        also: numbers of effects that are kept wherever they are. See `cut`.

    Returns:
        The child.

    Raises:
        ConfigError: the tape does not reach to `at`, or there is a file `child`.
        TapeError: a file cannot be read or written.
    """
    tape, data = read_tape(parent)
    forked = fork(tape, at, edit, also=also)
    forked.meta["parent"]["tape"] = parent.name
    mode = mode_of(parent) | stat.S_IWUSR
    if whole or not (is_native(parent) and is_native(child) and child.parent.resolve() == parent.parent.resolve()):
        put_in_place(format_for(child, tape_format=tape.format).dump(forked), child, over=False, mode=mode)
        return load_tape(child)
    lines = data[: whole_lines(data)]  # What is torn is cut off by whoever goes on with the parent.
    reference = native.Parent(parent.name, len(lines), hashlib.sha256(lines).hexdigest(), tape.meta.get("id"))
    put_in_place(native.dump_child(forked, tape, reference), child, over=False, mode=mode)
    return load_tape(child)


def free_name(parent: Path) -> Path:
    """A name for a child that no file has: `run.fork-1.jsonl`, or the next one."""
    number = 1
    while (child := parent.with_name(f"{parent.stem}.fork-{number}.jsonl")).exists():
        number += 1
    return child
