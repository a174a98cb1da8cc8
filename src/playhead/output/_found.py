"""JSON in what a model wrote: alone, between code fences, or somewhere among words."""

from __future__ import annotations

import json
import re

import msgspec

_FENCE = "```"
_LANGUAGE = re.compile(r"[\w-]*")
_OPENING = re.compile(r'([{\[])\s*([\[{"}]?)')
_MOST_FAILURES = 64
"""Brackets of words that are looked at before the search ends."""


def read_json(text: str) -> object:
    """The JSON value that a text is.

    Raises:
        ValueError: it is none; the text says why.
    """
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except msgspec.DecodeError as error:
        said = str(error).removeprefix("JSON is malformed: ")
        raise ValueError("it ends too early" if said == "Input data was truncated" else said) from None


def find_json(text: str) -> list[object]:
    """The JSON values in a text, the likeliest first.

    A text that is JSON, also between code fences, is one value. Else these are the objects and arrays among the
    words, the last one first: models think aloud before they answer.
    """
    for whole in (text, _without_fences(text)):
        try:
            return [read_json(whole)]
        except ValueError:
            pass
    return _embedded(text)[::-1]


def looks_like_json(text: str) -> bool:
    """Whether somebody meant to write JSON."""
    return any(opening[2] for opening in _OPENING.finditer(text))


def _without_fences(text: str) -> str:
    inner = text.strip()
    if not inner.startswith(_FENCE):
        return text
    inner = inner.removeprefix(_FENCE).removesuffix(_FENCE)
    first, line, rest = inner.partition("\n")
    return rest if line and _LANGUAGE.fullmatch(first.strip()) else inner


def _embedded(text: str) -> list[object]:
    decoder = json.JSONDecoder()
    found: list[object] = []
    at = failures = 0
    while failures < _MOST_FAILURES and (opening := _OPENING.search(text, at)):
        try:
            end = decoder.raw_decode(text, opening.start())[1]
            found.append(read_json(text[opening.start() : end]))
            at = end
        except (ValueError, RecursionError):
            if opening[2]:
                return []  # It is JSON, and broken: a piece of it, or an earlier thought, would pass for the answer.
            failures += 1
            at = opening.end(1)
    return found
