"""What a way to sign requests is."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from ...http import Headers, Request, Response


class Signed(NamedTuple):
    """What a request gets.

    Attributes:
        headers: that are added to it.
        secrets: what must not come back.
    """

    headers: Headers = ()
    secrets: tuple[str, ...] = ()


class Scheme(Protocol):
    """A way to sign requests."""

    @property
    def places(self) -> tuple[str, ...]:
        """The headers that hold credentials. A request that has one of them is not signed."""
        ...

    async def sign(self, request: Request) -> Signed:
        """What the request needs, as it goes out.

        Raises:
            ConfigError: there are no credentials.
            TransportError: they could not be asked for.
        """
        ...

    async def sign_anew(self, request: Request, refused: Signed, response: Response) -> Signed | None:
        """The same with other credentials, after those of `refused` were; None where there are no others."""
        ...


_kept: dict[str, tuple[frozenset[tuple[str, str]], Any]] = {}


def kept(name: str, prefixes: tuple[str, ...], make: Callable[[], Any]) -> Any:
    """What `make` gave for `name`, made anew when a variable that begins with one of `prefixes` has changed.

    Runs come and go, and what they share is here: getting a token takes up to seconds.
    """
    environment = frozenset((key, value) for key, value in os.environ.items() if key.startswith(prefixes))
    found = _kept.get(name)
    if found is None or found[0] != environment:
        found = _kept[name] = (environment, make())
    return found[1]


def forget(name: str, value: Any) -> None:
    """Make `name` anew next time, unless it is `value` no more."""
    if name in _kept and _kept[name][1] is value:
        del _kept[name]
