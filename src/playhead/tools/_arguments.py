"""A model's raw arguments as a JSON object, or what is wrong with them in words that it can act on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import cast

import msgspec

from ._problems import describe

_HALF_PAIR = re.compile(r'\\u[dD][89abAB][0-9a-fA-F]{2}"')
_BYTE = re.compile(r"(.*) \(byte (\d+)\)")


class InvalidArguments(ValueError):
    """The model's arguments do not fit the tool. The text is meant for the model.

    Attributes:
        problems: one sentence each.
        malformed: whether the text was no JSON object at all, so that somebody might mend it.
    """

    def __init__(self, problems: Sequence[str], advice: str = "", *, malformed: bool = False) -> None:
        self.problems = tuple(problems)
        self.malformed = malformed
        lines = problems if len(problems) == 1 else [f"- {problem}" for problem in problems]
        super().__init__("\n".join([*lines, advice]).rstrip())


def parse_arguments(text: str) -> dict[str, object]:
    """The JSON object that a text is. No text at all is an object without members.

    Raises:
        InvalidArguments: it is not one; `malformed`.
    """
    if not text.strip():
        return {}
    try:
        given = msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        problem = f"the arguments are not valid JSON: {_json_problem(error, text)}."
        raise InvalidArguments([f"{problem} Send one JSON object."], malformed=True) from error
    if not isinstance(given, dict):
        problem = f"the arguments are not a JSON object, but {describe(given)}."
        raise InvalidArguments([f"{problem} Send one JSON object."], malformed=True)
    return cast("dict[str, object]", given)


def _json_problem(error: Exception, text: str) -> str:
    """What is wrong and where, in characters from 1: msgspec counts bytes from 0."""
    if isinstance(error, RecursionError):
        return "they are nested too deeply"
    if isinstance(error, UnicodeEncodeError):
        return f"half of a surrogate pair (at character {error.start + 1})"
    message = str(error).removeprefix("JSON is malformed: ")
    if found := _BYTE.fullmatch(message):
        before = text.encode()[: int(found[2])].decode(errors="ignore")
        return f"{found[1]} (at character {len(before) + 1})"
    if message == "Input data was truncated" and _HALF_PAIR.search(text):
        return "half of a surrogate pair, or they end too early"
    if message == "Input data was truncated":
        return f"they end too early (at character {len(text) + 1})"
    return message[:1].lower() + message[1:]
