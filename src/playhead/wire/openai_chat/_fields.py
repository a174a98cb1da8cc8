"""Reading a request's fields one by one: what was understood, and what is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from ...errors import DecodeError
from .._json import JSONObject, objs


class Fields:
    """The fields of a request. What is taken is understood; null says the same as nothing.

    Args:
        fields: as they came.
    """

    def __init__(self, fields: JSONObject) -> None:
        self._left = {name: value for name, value in fields.items() if value is not None}

    def take(self, name: str) -> Any:
        """The value of a field, whatever it is."""
        return self._left.pop(name, None)

    def take_if(self, name: str, understood: Callable[[Any], bool]) -> Any:
        """The value of a field if it is understood, else None: then it is left where it was."""
        value = self._left.get(name)
        return self._left.pop(name) if value is not None and understood(value) else None

    def rest(self) -> JSONObject:
        """What was not taken."""
        return self._left

    def string(self, name: str) -> str | None:
        """A text.

        Raises:
            DecodeError: it is something else.
        """
        return self._typed(name, "a text", str)

    def boolean(self, name: str) -> bool | None:
        """True or false; raises as `string` does."""
        return self._typed(name, "true or false", bool)

    def number(self, name: str) -> float | None:
        """A number; raises as `string` does."""
        return self._typed(name, "a number", int, float)

    def whole_number(self, name: str) -> int | None:
        """A whole number of 64 bits; raises as `string` does."""
        value = self._left.get(name)
        if isinstance(value, float) and value.is_integer():
            self._left[name] = int(value)
        return self._typed(name, "a whole number", int)

    def strings(self, name: str) -> str | list[str] | None:
        """A text or several; raises as `string` does."""
        value = self._left.get(name)
        if isinstance(value, list) and all(isinstance(item, str) for item in cast("list[object]", value)):
            return self.take(name)
        return self._typed(name, "a text or a list of texts", str)

    def objects(self, name: str) -> list[JSONObject]:
        """A list of objects; raises as `string` does."""
        value: object = self.take(name)
        return [] if value is None else list_of_objects(value, name)

    def _typed(self, name: str, what: str, *types: type) -> Any:
        value = self.take(name)
        if value is None:
            return None
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types) or not _fits(value):
            raise DecodeError(f"`{name}` should be {what}, but is {shown(value)}")
        return value


def list_of_objects(value: object, where: str, what: str = "a list of objects") -> list[JSONObject]:
    """`value` if each of its elements is an object.

    Raises:
        DecodeError: it is something else.
    """
    if not isinstance(value, list):
        raise DecodeError(f"`{where}` should be {what}, but is {shown(value)}")
    items = cast("list[object]", value)
    if not all(isinstance(item, dict) for item in items):
        raise DecodeError(f"`{where}` should be {what}, but holds something else")
    return objs(items)


def _fits(value: object) -> bool:
    """Whether a number can be written again: 64 bits, and finite."""
    if isinstance(value, int):
        return -(2**63) <= value < 2**64
    return not isinstance(value, float) or value - value == 0


def shown(value: object) -> str:
    """A value as errors show it."""
    if value is None:
        return "missing"
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, int) and not _fits(value):
        return "a number of too many digits"
    return repr(value)[:60]
