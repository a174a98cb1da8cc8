"""JSON, read into the same tree as YAML, so that one reader serves a cassette in either."""

from __future__ import annotations

import json
import re
from math import isfinite
from types import SimpleNamespace
from typing import Any, cast

from ...errors import TapeFormatError
from . import _yaml_text as yaml_text
from ._yaml_text import UNTAGGED, Body, Node

BARE = "json"
"""The tag of a scalar that is no string in JSON."""

INTEGER = re.compile("-?(?:0|[1-9][0-9]*)")

_DEPTH = 100


class _Lexeme(str):
    """A number as it is written."""

    __slots__ = ()


class _Pairs(list[tuple[str, Any]]):
    """An object, with names that may repeat."""


class _JsonNode:
    """A node of JSON's, as the tree of YAML has them."""

    start_mark: Any = SimpleNamespace(line=-1)

    def __init__(self, id: str, value: Any, tag: str, style: Any = None) -> None:
        self.id = id
        self.tag = tag
        self.value = value
        self.style = style


def compose(data: bytes) -> Node:
    """The tree of a JSON text.

    Raises:
        TapeFormatError: it is not JSON.
    """
    try:
        value: Any = json.loads(
            data.decode("utf-8-sig"),
            object_pairs_hook=_Pairs,
            parse_int=_Lexeme,
            parse_float=_Lexeme,
            parse_constant=_no_constant,
        )
    except json.JSONDecodeError as error:
        rest = error.doc[error.pos :].rstrip()
        torn = len(rest) < len(r"\u12cd") or error.msg.startswith("Unterminated")
        says = "is torn, or not JSON: it breaks off in" if torn else "is not JSON:"
        raise TapeFormatError(
            f"{says} line {error.lineno} ({error.msg}). Restore the file, or record it again."
        ) from error
    except UnicodeDecodeError as error:
        raise TapeFormatError(
            f"is not JSON: it holds bytes that are not text ({error.reason}). Is it another kind of file?"
        ) from error
    except RecursionError:
        raise _too_deep() from None
    return _json_node(value, 1)


def _json_node(value: Any, depth: int) -> Node:
    if depth > _DEPTH:
        raise _too_deep()
    match value:
        case _Lexeme():
            return _JsonNode("scalar", str(value), BARE)
        case str():
            return _JsonNode("scalar", _whole(value), UNTAGGED, '"')
        case _Pairs():
            pairs = [(_json_node(name, depth), _json_node(inner, depth + 1)) for name, inner in value]
            return _JsonNode("mapping", pairs, UNTAGGED)
        case list():
            items = cast("list[Any]", value)
            return _JsonNode("sequence", [_json_node(item, depth + 1) for item in items], UNTAGGED)
        case None:
            return _JsonNode("scalar", "null", UNTAGGED)
        case _:
            return _JsonNode("scalar", "true" if value else "false", BARE)


def _no_constant(name: str) -> Any:
    raise TapeFormatError(f"is not JSON: {name} is no number there. Is it another kind of file?")


def _too_deep() -> TapeFormatError:
    return TapeFormatError(f"nests deeper than {_DEPTH} levels: it is not a cassette.")


def _whole(text: str) -> str:
    """The text, once it is sure that it is one."""
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise TapeFormatError(f"holds the half of a surrogate pair in {text[:60]!r}: it is no text.")
    return text


def plain(node: Node) -> Any:
    """A node as data that JSON can hold."""
    if not isinstance(node, _JsonNode):
        return yaml_text.plain(node)
    if node.id == "mapping":
        return {name: plain(value) for name, value in yaml_text.entries(node, "a mapping").items()}
    if node.id == "sequence":
        return [plain(item) for item in node.value]
    if yaml_text.is_null(node):
        return None
    return _bare(node.value) if node.tag == BARE else node.value


def _bare(text: str) -> Any:
    """What is no string in JSON. Numbers that others could not read are text, and so unchanged."""
    if INTEGER.fullmatch(text):
        return int(text) if len(text.lstrip("-")) < 20 else text
    value = json.loads(text)
    return value if isfinite(value) else text


def document(fields: dict[str, Any]) -> bytes:
    """The JSON text of plain data with bodies.

    Raises:
        TapeFormatError: JSON cannot hold it.
    """
    return json.dumps(_jsonable(fields, 1), indent=4).encode() + b"\n"


def _jsonable(value: Any, depth: int) -> Any:
    """Plain data with bodies as text, in which nothing is that would not read back the same."""
    if depth > _DEPTH - 1:
        raise TapeFormatError(f"a cassette cannot hold data that nests deeper than {_DEPTH} levels.")
    match value:
        case Body():
            return _body_text(value.value)
        case str():
            try:
                return _whole(value)
            except TapeFormatError as error:
                raise TapeFormatError(f"a cassette cannot hold what {error}") from None
        case dict():
            pairs = cast("dict[Any, Any]", value).items()
            return {_jsonable(str(name), depth): _jsonable(inner, depth + 1) for name, inner in pairs}
        case list() | tuple():
            return [_jsonable(item, depth + 1) for item in cast("list[Any]", value)]
        case None | bool():
            return value
        case int() if -(10**19) < value < 10**19:
            return value
        case float() if isfinite(value):
            return value
        case _:
            raise TapeFormatError(f"a cassette cannot hold the {type(value).__name__}: it is not plain data.")


def _body_text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise TapeFormatError(
            "a cassette in JSON cannot hold a body that is not text, as VCR.py itself cannot: write YAML."
        ) from error
