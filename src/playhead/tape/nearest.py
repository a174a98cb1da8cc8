"""Finds the recorded request that is most like one that is asked for."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ..http import Request
from .aligning import common_prefix, in_common
from .redact import safe_url

_MOST = 16_000_000
"""Of recorded bodies that are looked into for the nearest one: less than 100 ms, all in all."""

_EACH = 500
"""Bytes that one body more is worth, however small it is."""


CONVERSATION = ("messages", "input", "contents")
"""What the wire formats call the conversation."""


def nearest(asked: Request, candidates: Iterable[Request]) -> int | None:
    """The index of the recorded request that is most like the one that is asked; None where none is like it at all.

    The method and the URL come first; then how many messages are the same, above all at the beginning, and how many
    other fields. What is equally near is told apart byte by byte; the earliest is taken. Of very many requests only
    those are looked into whose length is nearest.
    """
    requests = list(candidates)
    urls = {url: safe_url(url) for url in {request.url for request in requests}}
    wanted = asked.method.upper(), safe_url(asked.url)
    same = [(request.method.upper(), urls[request.url]) == wanted for request in requests]
    outline, size = _Outline(asked.body), len(asked.body)
    left, best, found = _MOST, (False, 0.0, 0.0), None
    for n in sorted(range(len(requests)), key=lambda n: (not same[n], abs(len(requests[n].body) - size))):
        body = requests[n].body
        if (left := left - len(body) - _EACH) < 0 and found is not None:
            break
        score = outline.likeness(body)
        if (same[n], score) < best[:2] or not (same[n] or score):
            continue
        rank = (same[n], score, in_common(body, asked.body) / max(len(body), size, 1))
        if rank > best or (rank == best and found is not None and n < found):
            best, found = rank, n
    return found


class _Outline:
    """A body's messages and other fields as bytes: enough to see which of many bodies is near."""

    def __init__(self, body: bytes) -> None:
        self._messages, self._fields = _outlined(body)
        self._known = frozenset(self._messages)

    def likeness(self, body: bytes) -> float:
        """From 0 to 3: up to 1 for each of the first messages, all messages, and the other fields."""
        messages, fields = _outlined(body)
        longest = max(len(messages), len(self._messages), 1)
        start = common_prefix(messages, self._messages)
        shared = start + sum(message in self._known for message in messages[start:])
        keys = max(len(fields), len(self._fields), 1)
        return (start + shared) / longest + len(fields.items() & self._fields.items()) / keys


_fields_of = msgspec.json.Decoder(dict[str, msgspec.Raw])
_items_of = msgspec.json.Decoder(list[msgspec.Raw])


def _outlined(body: bytes) -> tuple[list[bytes], dict[str, bytes]]:
    try:
        fields = {key: bytes(value) for key, value in _fields_of.decode(body).items()}
    except (ValueError, RecursionError):
        return [], {}
    for key in CONVERSATION:
        if fields.get(key, b"").startswith(b"["):
            return list(map(bytes, _items_of.decode(fields.pop(key)))), fields
    return [], fields
