"""
From the path that a client asks for to the addresses that were recorded.

A client reaches a server under another address than the one that was recorded: the scheme, the host and the beginning
of the path do not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

from ..http import Request


class Addresses:
    """The recorded addresses.

    An asked path and a recorded one have their ends in common: `/v1/chat/completions` means
    `/api/v1/chat/completions` and `/chat/completions`, on any host.

    Args:
        recorded: the requests, in their order.
    """

    def __init__(self, recorded: Iterable[Request]) -> None:
        self._whole: dict[tuple[str, ...], str] = {}
        self._ends: dict[tuple[str, ...], list[str]] = {}
        for request in recorded:
            key = _key(request)
            if key in self._whole:
                continue
            base = self._whole[key] = _base(request.url)
            for n in range(2, len(key)):
                self._ends.setdefault((key[0], *key[n:]), []).append(base)

    def normal(self, recorded: Request) -> str:
        """The URL with the first host that was recorded with its path."""
        base = _base(recorded.url)
        return self._whole[_key(recorded)] + recorded.url[len(base) :]

    def bases(self, asked: Request) -> list[str]:
        """The recorded addresses, without queries, that a request may mean, the likeliest first."""
        method, *path = _key(asked)
        ends = ((method, *path[n:]) for n in range(max(1, len(path))))
        return [self._whole[end] for end in ends if end in self._whole] + self._ends.get((method, *path), [])


def path_of(url: str) -> str:
    """The path of a URL as it is written, without the query."""
    return "/" + _base(url).partition("://")[2].partition("/")[2]


def segments(url: str) -> tuple[str, ...]:
    """The parts of a URL's path, decoded, without empty ones."""
    return tuple(unquote(part) for part in path_of(url).split("/") if part)


def _key(request: Request) -> tuple[str, ...]:
    return (request.method.upper(), *segments(request.url))


def _base(url: str) -> str:
    """The URL without its query."""
    return re.split(r"[?#]", url, maxsplit=1)[0]
