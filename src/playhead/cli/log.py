"""`playhead log F`"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import PlayheadError
from ..messages import Usage
from ..tape.edits import prompt
from ..tape.effects import ROOT, Tape
from ..tape.files import load_tape
from ..tape.lineage import children_of, file_of, parent_of
from ..transcript import summary
from ._console import Console
from ._render import account
from .show import many

_WORDS = 40
"""Characters of a prompt that are shown."""


def run(args: argparse.Namespace, console: Console) -> int:
    """Show where a tape comes from and what was forked from it."""
    path = Path(args.tape)
    tree = _tree(path, load_tape(path))
    if args.json:
        encoding = (sys.stdout.encoding or "").lower().replace("-", "")
        print(json.dumps(tree, ensure_ascii=encoding != "utf8", indent=2))
        return 0
    for depth, node in _walk(tree, 0):
        mark = "* " if node["file"] == path.name else "  "
        console.line(mark + "   " * max(0, depth - 1) + ("+- " if depth else "") + _line(node), _style(node, path))
    return 0


def _tree(path: Path, tape: Tape) -> dict[str, Any]:
    """All that is known of a tape's family, from its root."""
    line = [path]
    while parent := parent_of(tape.meta):
        found = _find(path, parent)
        if found is None or found[0] in line:
            missing = {"file": parent.get("tape"), "id": parent.get("id"), "missing": True}
            return _NOTHING | missing | {"children": [_down(line, frozenset())]}
        line.append(found[0])
        tape = found[1]
    return _down(line, frozenset())


def _find(path: Path, parent: dict[str, Any]) -> tuple[Path, Tape] | None:
    """The tape that another one was forked from, and its file."""
    there = file_of(path.parent, parent)
    try:
        return None if there is None else (there, load_tape(there))
    except PlayheadError:
        return None


def _down(line: list[Path], seen: frozenset[str]) -> dict[str, Any]:
    """What was forked from the last tape of a line, each of which is the child of the next."""
    *younger, path = line
    node, seen = _node(path), seen | {path.name}
    children = children_of(path.parent, node["id"], path.name) if node["id"] else ()
    lines = [[child] for child in children if child.name not in {*seen, *(heir.name for heir in younger[-1:])}]
    lines += [younger] if younger else []
    return node | {"children": [_down(each, seen) for each in sorted(lines, key=lambda each: each[-1].name)]}


_FACTS = ("file", "id", "created", "parent", "effects", "steps", "input_tokens", "output_tokens", "cost", "prompt")
_NOTHING: dict[str, Any] = dict.fromkeys(_FACTS) | {"missing": False, "error": None, "children": []}


def _node(path: Path) -> dict[str, Any]:
    try:
        tape = load_tape(path)
    except PlayheadError as error:
        return _NOTHING | {"file": path.name, "error": str(error)}
    totals, parent = summary(tape)["totals"], parent_of(tape.meta)
    steps = [call for call in tape.interactions if call.lane == ROOT and not call.superseded]
    return _NOTHING | {
        "file": path.name,
        "id": tape.meta.get("id"),
        "created": tape.meta.get("created"),
        "parent": {name: parent.get(name) for name in ("id", "at", "tape")} if parent else None,
        "effects": len(tape.effects),
        "steps": len(steps),
        "input_tokens": totals["input_tokens"],
        "output_tokens": totals["output_tokens"],
        "cost": totals["cost"],
        "prompt": prompt(tape),
    }


def _walk(node: dict[str, Any], depth: int) -> Iterator[tuple[int, dict[str, Any]]]:
    yield depth, node
    for child in node["children"]:
        yield from _walk(child, depth + 1)


def _line(node: dict[str, Any]) -> str:
    if node["missing"]:
        return f"{node['file'] or 'a tape'} (missing) {(node['id'] or '')[:8]}".rstrip()
    if node["error"]:
        return f"{node['file']} (cannot be read) {node['error']}"
    said = " ".join((node["prompt"] or "").split())
    said = said if len(said) <= _WORDS else f"{said[:_WORDS]}..."
    usage = account(node["steps"], Usage(node["input_tokens"], node["output_tokens"]), node["cost"])
    at = f"cut at {node['parent']['at']}" if node["parent"] else ""
    created = str(node["created"] or "")[:16].replace("T", " ")
    facts = [
        str(node["id"] or "")[:8],
        created,
        at,
        many(node["effects"], "effect"),
        usage,
        f'"{said}"' if said else "",
    ]
    return f"{node['file']}  " + ", ".join(fact for fact in facts if fact)


def _style(node: dict[str, Any], path: Path) -> str:
    if node["missing"] or node["error"]:
        return "red"
    return "bold" if node["file"] == path.name else ""
