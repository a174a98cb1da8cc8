"""
What is changed on a tape when it is forked: the prompt, the model, a tool's result.

Each function gives an edit for `Tape.fork`. Request bodies are JSON, and only the text that changes is replaced in
them: all other bytes stay as they were written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, cast
from urllib.parse import quote

import msgspec

from ..errors import ConfigError
from .effects import ROOT, Effect, Interaction, Tape, ToolRun

Edit: TypeAlias = Callable[[Effect], Effect]
Path: TypeAlias = tuple[str | int, ...]

_raw_decode = json.JSONDecoder().raw_decode
_SPACE = re.compile(r"[ \t\n\r]*")
_TEXT = (None, "text", "input_text")
_RESULTS = ("tool_result", "function_call_output")


def edit_prompt(tape: Tape, text: str) -> Edit:
    """Replace the prompt in all requests of the run's own lane.

    The prompt is the last user message of the first request that is not tool results. In other requests it is
    replaced where it stands as it did there. Of a message of several parts the last text is replaced.

    Raises:
        ConfigError: there is no prompt in the first request.
    """
    found = _prompt(tape)
    if found is None:
        raise ConfigError("there is no prompt to replace: the tape's first request holds no message of a user's.")
    place, said = found

    def edit(effect: Effect) -> Effect:
        if not isinstance(effect, Interaction) or effect.lane != ROOT:
            return effect
        places = [other for other, words in _user_texts(effect.request.body) if words == said]
        if place not in places and place != ("input",):
            return effect
        # The responses API takes a prompt alone as text, and as a list once there is more.
        where = place if place in places else next(iter(places), None)
        return effect if where is None else _with_body(effect, replaced(effect.request.body, where, text))

    return edit


def edit_model(model: str) -> Edit:
    """Replace the model in all requests of the run's own lane: in the body, or in the URL where it stands there."""

    def edit(effect: Effect) -> Effect:
        if not isinstance(effect, Interaction) or effect.lane != ROOT:
            return effect
        if isinstance(_object(effect.request.body).get("model"), str):
            return _with_body(effect, replaced(effect.request.body, ("model",), model))
        url = _IN_URL.sub(lambda found: f"{found[1]}{quote(model, safe='')}", effect.request.url, count=1)
        return msgspec.structs.replace(effect, request=msgspec.structs.replace(effect.request, url=url))

    return edit


_IN_URL = re.compile(r"(/models?/)[^/:?#]+(?=[:/])")


def edit_result(tape: Tape, n: int, text: str) -> Edit:
    """Replace the result of a tool run, and nothing else: cut right behind it, before a request tells the old one.

    Args:
        tape: the one that is forked.
        n: the effect's number.
        text: the new result.

    Raises:
        ConfigError: the effect is not a tool run that has its result.
    """
    run = dict(tape.numbered).get(n)
    if not isinstance(run, ToolRun) or run.ended != "complete":
        there = [f"{m} ({other.name})" for m, other in tape.numbered if isinstance(other, ToolRun)]
        raise ConfigError(f"effect {n} is no tool run with a result. Tool runs are: {', '.join(there) or 'none'}.")
    return lambda effect: msgspec.structs.replace(run, result=text) if effect == run else effect


def in_turn(*edits: Edit) -> Edit:
    """All of these edits."""

    def edit(effect: Effect) -> Effect:
        for change in edits:
            effect = change(effect)
        return effect

    return edit


def prompt(tape: Tape) -> str | None:
    """What the user said to the run, where its first request holds it."""
    found = _prompt(tape)
    return found[1] if found else None


def replaced(body: bytes, path: Path, value: str) -> bytes:
    """JSON with the text at `path` replaced, and all other bytes as they were.

    Raises:
        LookupError: there is no such path.
        ValueError: it is not JSON.
    """
    text = body.decode()
    start, end = _span(text, path)
    literal = json.dumps(value, ensure_ascii=text.isascii())
    return (text[:start] + literal + text[end:]).encode()


def _span(text: str, path: Path) -> tuple[int, int]:
    """Where the value at `path` stands."""
    at = _past_space(text, 0)
    for step in path:
        at = _item(text, at, step) if isinstance(step, int) else _member(text, at, step)
    return at, _end(text, at)


def _member(text: str, at: int, name: str) -> int:
    """Where the value of `name` begins, in the object at `at`. Of a name that repeats the last one counts."""
    found, at = -1, _past_space(text, at + 1)
    while text[at] != "}":
        key, at = _raw_decode(text, at)
        at = _past_space(text, _past_space(text, at) + 1)
        if key == name:
            found = at
        at = _next(text, at)
    if found < 0:
        raise LookupError(name)
    return found


def _item(text: str, at: int, place: int) -> int:
    at = _past_space(text, at + 1)
    for _ in range(place):
        at = _next(text, at)
    return at


def _next(text: str, at: int) -> int:
    """Where the next key or item begins, or the bracket that closes."""
    at = _past_space(text, _end(text, at))
    return _past_space(text, at + 1) if text[at] == "," else at


def _end(text: str, at: int) -> int:
    return _raw_decode(text, at)[1]


def _past_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _prompt(tape: Tape) -> tuple[Path, str] | None:
    first = next((call for call in tape.interactions if call.lane == ROOT), None)
    found = list(_user_texts(first.request.body)) if first else []
    return found[-1] if found else None


def _user_texts(body: bytes) -> Iterator[tuple[Path, str]]:
    """Where a user's words stand in a request, in chat's, Anthropic's, the responses API's or Gemini's format."""
    fields = _object(body)
    for key in ("messages", "input", "contents"):
        said = fields.get(key)
        if isinstance(said, str):
            yield (key,), said
        for n, message in enumerate(cast("list[Any]", said) if isinstance(said, list) else ()):
            if isinstance(message, dict) and cast("dict[str, Any]", message).get("role", _ROLES.get(key)) == "user":
                yield from _words((key, n), cast("dict[str, Any]", message))


_ROLES = {"contents": "user"}
"""The role of a message that names none."""


def _words(path: Path, message: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    key = "content" if "content" in message else "parts"
    content = message.get(key)
    if isinstance(content, str):
        yield (*path, key), content
    if not isinstance(content, list):
        return
    parts = [cast("dict[str, Any]", part) if isinstance(part, dict) else {} for part in cast("list[Any]", content)]
    if any(part.get("type") in _RESULTS or {"functionResponse", "toolResult"} & part.keys() for part in parts):
        return
    texts = [n for n, part in enumerate(parts) if part.get("type") in _TEXT and isinstance(part.get("text"), str)]
    if texts:
        yield (*path, key, texts[-1], "text"), parts[texts[-1]]["text"]


def _object(body: bytes) -> dict[str, Any]:
    try:
        value: Any = json.loads(body.decode())
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _with_body(call: Interaction, body: bytes) -> Interaction:
    return msgspec.structs.replace(call, request=msgspec.structs.replace(call.request, body=body))
