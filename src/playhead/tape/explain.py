"""Says in what two requests differ, part by part: which message, which tool, which parameter."""

from __future__ import annotations

import json
from typing import Any, cast

from ..http import Request
from .canonical import canonical_body
from .redact import safe_url

_LIMIT = 12


def differences(recorded: Request, asked: Request) -> tuple[str, ...]:
    """One sentence a difference, the most telling first; none where the two are the same request."""
    found: list[str] = []
    if recorded.method.upper() != asked.method.upper():
        found.append(f"method: the tape has {recorded.method}, this run sends {asked.method}")
    if (old := safe_url(recorded.url)) != (new := safe_url(asked.url)):
        found.append(f"URL: the tape has {old}, this run sends {new}")
    if canonical_body(recorded.body) != canonical_body(asked.body):
        found += _body(recorded.body, asked.body)
    return tuple(found[:_LIMIT]) + ((f"and {len(found) - _LIMIT} more",) if len(found) > _LIMIT else ())


def _body(recorded: bytes, asked: bytes) -> list[str]:
    try:
        old, new = json.loads(recorded), json.loads(asked)
    except (ValueError, RecursionError):
        return [f"body: {_shown_bytes(recorded)} on the tape, {_shown_bytes(asked)} in this run"]
    found = _compare("", old, new)
    if not found:
        return ["body: only the writing of numbers differs (1 and 1.0 are different requests)"]
    return found


def _compare(path: str, old: Any, new: Any) -> list[str]:
    match old, new:
        case dict(), dict():
            return _compare_objects(path, cast("dict[str, Any]", old), cast("dict[str, Any]", new))
        case list(), list():
            return _compare_lists(path, cast("list[Any]", old), cast("list[Any]", new))
        case _ if type(old) is type(new) and old == new:
            return []
        case str(), str():
            return [f"{path}: {_where_texts_part(old, new)}"]
        case _:
            return [f"{path or 'body'}: {_shown(old)} on the tape, {_shown(new)} in this run"]


def _compare_objects(path: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    found: list[str] = []
    # The conversation tells more than a parameter, and a parameter more than a tool's schema.
    for key in sorted(old.keys() | new.keys(), key=lambda key: (key != "messages", key == "tools", key)):
        here = f"{path}.{key}" if path else key
        if key not in old:
            found.append(f"{here}: not on the tape, {_shown(new[key])} in this run")
        elif key not in new:
            found.append(f"{here}: {_shown(old[key])} on the tape, missing in this run")
        else:
            found += _compare(here, old[key], new[key])
    return found


def _compare_lists(path: str, old: list[Any], new: list[Any]) -> list[str]:
    found: list[str] = []
    for n, (was, now) in enumerate(zip(old, new, strict=False)):
        found += _compare(f"{path}[{n}]{_label(now)}", was, now)
    for n, item in enumerate(old[len(new) :], len(new)):
        found.append(f"{path}[{n}]{_label(item)}: on the tape, missing in this run")
    for n, item in enumerate(new[len(old) :], len(old)):
        found.append(f"{path}[{n}]{_label(item)}: in this run, not on the tape: {_shown(item)}")
    return found


def _label(item: Any) -> str:
    """A message's role or a tool's name, so that a reader need not count."""
    if not isinstance(item, dict):
        return ""
    fields = cast("dict[str, Any]", item)
    function: object = fields.get("function")
    name = cast("dict[str, Any]", function).get("name") if isinstance(function, dict) else None
    label = fields.get("role") or name or fields.get("name")
    return f" ({label})" if isinstance(label, str) else ""


def _where_texts_part(old: str, new: str) -> str:
    at = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    start = max(0, at - 20)
    lead = "..." if start else ""
    return (
        f"from character {at + 1} on the tape has {lead}{_cut(old[start:])!r}, this run {lead}{_cut(new[start:])!r}"
    )


def _cut(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[:limit] + "..."


def _shown(value: Any) -> str:
    return _cut(json.dumps(value, ensure_ascii=False))


def _shown_bytes(data: bytes) -> str:
    return f"{len(data)} bytes {_cut(data[:80].decode('utf-8', 'replace'))!r}"
