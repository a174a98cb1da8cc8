"""Reading JSON from strangers: fast where it is clean, calm where it is not."""

from __future__ import annotations

import json
from typing import Any, cast

import msgspec

from ..errors import DecodeError, EncodeError, TruncatedStream

_decode = msgspec.json.Decoder().decode

JSONObject = dict[str, Any]


def loads(data: bytes, what: str) -> Any:
    """Decode JSON. `what` says in errors where it stood.

    Lone surrogates, NaN and a byte-order mark, which a strict decoder refuses, are read as well as they can be.

    Raises:
        TruncatedStream: it stops in the middle.
        DecodeError: it is not JSON.
    """
    try:
        return _decode(data)
    except ValueError as error:
        truncated = "truncated" in str(error)
    except RecursionError:
        raise DecodeError(f"{what} is nested too deeply to be read") from None
    try:
        value = json.loads(data.decode("utf-8-sig", "replace"))
        # Half a surrogate pair cannot be encoded again; U+FFFD says that a character was lost.
        return _whole_characters(value)
    except (ValueError, RecursionError):
        pass
    shown = data[:80].decode("utf-8", "replace")
    if truncated:
        raise TruncatedStream(f"{what} stops in the middle of its JSON: it begins with {shown!r}")
    raise DecodeError(f"{what} should be JSON, but is {shown!r}")


def obj(value: object) -> JSONObject:
    """`value` if it is an object, else an empty one."""
    return cast("JSONObject", value) if isinstance(value, dict) else {}


def objs(value: object) -> list[JSONObject]:
    """The objects in `value` if it is a list, else none."""
    if not isinstance(value, list):
        return []
    return [cast("JSONObject", item) for item in cast("list[object]", value) if isinstance(item, dict)]


def text(value: object) -> str:
    """`value` if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def count(value: object) -> int | None:
    """`value` if it is a whole number, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value == value and abs(value) < 1e18 else None


def _whole_characters(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_whole_characters(item) for item in cast("list[object]", value)]
        case dict():
            pairs = cast("dict[str, object]", value).items()
            return {_whole_characters(key): _whole_characters(item) for key, item in pairs}
        case _:
            return value


def to_json(body: JSONObject) -> bytes:
    """A request's body as JSON.

    Raises:
        EncodeError: something in it cannot be said as JSON.
    """
    try:
        return msgspec.json.encode(body)
    except (TypeError, ValueError, UnicodeEncodeError, RecursionError) as error:
        fields = [name for name, value in body.items() if not _encodable(value)]
        raise EncodeError(f"the request cannot be said as JSON, in {', '.join(fields)}: {error}") from error


def _encodable(value: object) -> bool:
    try:
        msgspec.json.encode(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def first_count(*values: object) -> int | None:
    """The first of the values that is a whole number."""
    return next((number for value in values if (number := count(value)) is not None), None)


def number(value: object, otherwise: float | None = None) -> float | None:
    """A finite number, also one sent as a string, as Vercel's gateway does."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return otherwise
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return otherwise
    return found if found - found == 0 else otherwise  # neither NaN nor infinite


def keep(metadata: dict[str, Any], source: JSONObject, known: frozenset[str]) -> None:
    """Keep what is not understood. Lists grow, objects are merged, of other values the last counts."""
    for key, value in source.items():
        if value is None or key in known:
            continue
        if isinstance(value, list | dict):
            merge(metadata, key, value)  # pyright: ignore[reportUnknownArgumentType]
        else:
            metadata[key] = value


def merge(into: dict[str, Any], key: str, value: object) -> None:
    """Put a value beside an earlier one of the same name, as `keep` does."""
    earlier: object = into.get(key)
    if isinstance(value, list) and isinstance(earlier, list):
        earlier.extend(value)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    elif isinstance(value, dict) and isinstance(earlier, dict) and len(earlier) < 1000:  # pyright: ignore[reportUnknownArgumentType]
        for name, item in obj(value).items():  # pyright: ignore[reportUnknownArgumentType]
            merge(earlier, name, item)  # pyright: ignore[reportUnknownArgumentType]
    elif value is not None and value != []:
        into[key] = value
