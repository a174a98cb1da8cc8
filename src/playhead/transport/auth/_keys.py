"""Keys that stand in a header as they are."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import ConfigError
from ...http import Request, Response
from ._scheme import Signed


class KeyInHeader:
    """Signs with a key in a header.

    Args:
        key: gives the key, or None where there is none: then requests go out as they are. It is asked for each
            request.
        name: the header's.
        prefix: what stands before the key.
    """

    def __init__(self, key: Callable[[], str | None], name: str, prefix: str = "") -> None:
        self._key = key
        self._name = name
        self._prefix = prefix
        self.places = tuple(dict.fromkeys(("authorization", name.lower())))

    async def sign(self, request: Request) -> Signed:  # noqa: ARG002 - other schemes look at it
        """The header."""
        return self.signed()

    async def sign_anew(self, request: Request, refused: Signed, response: Response) -> Signed | None:  # noqa: ARG002
        """Once more with the key of now, where that is another and the status is 401."""
        if response.status != 401:
            return None
        try:
            signed = self.signed()
        except ConfigError:
            return None  # What the provider said tells more.
        return signed if signed.secrets and signed.secrets != refused.secrets else None

    def signed(self) -> Signed:
        """The header; nothing where there is no key."""
        key = self._key()
        return Signed(((self._name, self._prefix + key),), (key,)) if key else Signed()
