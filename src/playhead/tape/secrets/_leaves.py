"""The strings of plain data, and what each of them is: a text, a URL, or bytes in base64."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias, cast

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S*\Z")
_DATA_URL = re.compile(r"data:([^,;]*)(?:;[^,;]*)*;base64,", re.IGNORECASE)


class Encoded(NamedTuple):
    """Bytes that stand in base64.

    Attributes:
        head: what stands before them, as in a `data:` URL (RFC 2397).
        data: the bytes.
        media_type: what they are.
    """

    head: str
    data: bytes
    media_type: str

    def holding(self, data: bytes) -> str:
        """The string with these bytes instead."""
        return self.head + base64.b64encode(data).decode("ascii")


class Leaf(NamedTuple):
    """A string of plain data.

    Attributes:
        name: that of the value it stands in; empty where it has none.
        text: as it stands there.
        encoded: the bytes that it holds; None where it is read as it stands.
    """

    name: str
    text: str
    encoded: Encoded | None = None

    @property
    def is_url(self) -> bool:
        """Whether it is one, or stands where one is expected."""
        return self.name == "url" or bool(_URL.match(self.text))


Change: TypeAlias = Callable[[Leaf], str]


def changed(value: Any, change: Change) -> Any:
    """Plain data with every string in it, and every name, replaced by what `change` gives for it."""
    return _changed(value, change, "", None)


def encoded(text: str, media_type: str | None = None) -> Encoded | None:
    """The bytes that stand in a `data:` URL or, where a media type is given, in base64; None where none do."""
    found = _DATA_URL.match(text)
    if found is None and media_type is None:
        return None
    head = found.group() if found else ""
    try:
        data = base64.b64decode(text[len(head) :], validate=True)
    except ValueError:
        return None
    return Encoded(head, data, found[1] if found else media_type or "")


def _changed(value: Any, change: Change, name: str, media_type: str | None) -> Any:
    match value:
        case str():
            return change(Leaf(name, value, encoded(value, media_type)))
        case dict():
            return _changed_dict(cast("dict[Any, Any]", value), change)
        case list():
            return [_changed(item, change, name, None) for item in cast("list[Any]", value)]
        case tuple():
            return tuple(_changed(item, change, name, None) for item in cast("tuple[Any, ...]", value))
        case _:
            return value


def _changed_dict(value: dict[Any, Any], change: Change) -> dict[Any, Any]:
    """The `data` of a piece of media is in base64. Beside no media type, the same name may say anything."""
    kind = value.get("media_type")
    return {
        change(Leaf("", name)) if isinstance(name, str) else name: _changed(
            item, change, str(name), kind if name == "data" and isinstance(kind, str) else None
        )
        for name, item in value.items()
    }
