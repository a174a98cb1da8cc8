"""
YAML in which every scalar is text until somebody asks for more.

YAML guesses types from how a scalar looks: `body: 2024-01-01` would be a date, `body: =` an error. So reading
stops at the tree of nodes, where each scalar still has its text, and the caller says what a field is. Nothing is
constructed, whatever tags a file names. Writing goes the other way: plain where no reader could guess wrong, else
in double quotes.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from functools import cache, lru_cache
from math import isfinite
from typing import Any, NamedTuple, Protocol, cast

import msgspec

from ...errors import TapeFormatError


class Node(Protocol):
    """A node of PyYAML's, as far as it is needed here; `style` is there on scalars only."""

    id: str
    tag: str
    value: Any
    start_mark: Any
    style: Any


class Body(NamedTuple):
    """Bytes to be written as a double-quoted scalar, or as `!!binary` where they are not UTF-8.

    Never as a block: yaml.v3 loses the first line feed of one that begins with it.
    """

    value: bytes


UNTAGGED = "?"
"""The tag of a scalar that YAML would guess the type of."""

BINARY = "tag:yaml.org,2002:binary"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_KINDS = {"scalar": "text", "sequence": "a list", "mapping": "a mapping"}

_DEPTH = 100
"""libyaml's composer recurses in C, unchecked: a file of brackets would end the process."""

# 19 digits fit into what JSON readers take as an integer; a longer number stays text, and so unchanged.
_INT = re.compile(r"-?[0-9]{1,19}")
_FLOAT = re.compile(r"-?[0-9]+\.[0-9]+(?:[eE][-+][0-9]+)?")

# What YAML 1.1 and 1.2 read as this very text: words, the first of which begins with a letter, a slash or a status
# ("200 OK"), with single colons inside them; and durations such as 1m2.5s.
_WORD = "[A-Za-z0-9_./;,+=&?%@~$()*'!-]"
_PLAIN = re.compile(
    rf"(?:[1-9][0-9][0-9] )?[A-Za-z/]{_WORD}*+(?:(?::| ++){_WORD}++)*+|[0-9][0-9.]*(?:[hm][0-9.]+)*[nmµ]?s"
)
_RESERVED = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})

# Beside what JSON escapes: characters that YAML takes for line ends, forbids, or strips.
_SPECIAL = "\x7f\u2028\u2029\ufeff\ufffe\uffff" + "".join(map(chr, range(0x80, 0xA0)))
_SPECIALS = re.compile(f"[{_SPECIAL}]")


def compose(data: bytes) -> Node | None:
    """The tree of a YAML document; None where there is none.

    Raises:
        TapeFormatError: it is not YAML, is torn, nests too deep, or uses aliases. The message is a predicate, to
            be put after the file's name.
    """
    import yaml

    try:
        root = cast("Node | None", yaml.compose(data, cast("type[yaml.SafeLoader]", _loader())))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _broken(data, mark.line + 1 if mark else 1, error.problem or "cannot be read") from error
    except (yaml.YAMLError, ValueError) as error:
        position: int = getattr(error, "position", None) or 0
        reason: str = getattr(error, "reason", None) or str(error)
        at = data.count(b"\n", 0, position) + 1
        if position and position > len(data) - 4:  # cut in the middle of a character
            raise _broken(data, at, reason) from error
        raise TapeFormatError(
            f"is not YAML: line {at} holds bytes that are not text ({reason}). Is it another kind of file?"
        ) from error
    if root is not None:
        _refuse_aliases(root)
    return root


def entries(node: Node, what: str) -> dict[str, Node]:
    """The members of a mapping. `what` says for the error what the node is, with its article."""
    if node.id != "mapping":
        raise _wrong(node, what, "a mapping")
    found: dict[str, Node] = {}
    for key, value in cast("list[tuple[Node, Node]]", node.value):
        name = text(key, f"a key of {what}")
        if name in found:
            raise TapeFormatError(f"has {name!r} twice in {what}{place(key)}: delete one of them.")
        found[name] = value
    return found


def items(node: Node, what: str) -> list[Node]:
    """The members of a list."""
    if node.id != "sequence":
        raise _wrong(node, what, "a list")
    return cast("list[Node]", node.value)


def text(node: Node, what: str) -> str:
    """The text of a scalar, whatever it looks like; null is ""."""
    if node.id == "scalar" and node.tag != BINARY:
        return "" if is_null(node) else cast("str", node.value)
    encoded = data(node, what)
    try:
        return encoded.decode()
    except UnicodeDecodeError:
        return encoded.decode("latin-1")


def data(node: Node, what: str) -> bytes:
    """The bytes of a scalar: `!!binary`, or its text in UTF-8."""
    if node.id != "scalar":
        raise _wrong(node, what, "text")
    if is_null(node):
        return b""
    try:
        if node.tag == BINARY:
            return base64.b64decode("".join(node.value.split()), validate=True)
        return cast("str", node.value).encode()
    except ValueError as error:
        raise TapeFormatError(f"has {what}{place(node)} whose text cannot be decoded: {error}.") from error


def plain(node: Node, *, as_text: bool = False) -> Any:
    """A node as data that JSON can hold: null, true, false, decimal numbers; all other scalars are text.

    Args:
        as_text: numbers and booleans are text, too.
    """
    if node.id == "mapping":
        return {key: plain(value, as_text=as_text) for key, value in entries(node, "a mapping").items()}
    if node.id == "sequence":
        return [plain(item, as_text=as_text) for item in node.value]
    if is_null(node):
        return None
    return text(node, "a value") if as_text or node.style or node.tag != UNTAGGED else _guessed(node.value)


def is_null(node: Node) -> bool:
    """Whether nothing stands there: nothing at all, `~` or a bare `null`."""
    return node.id == "scalar" and not node.style and node.tag == UNTAGGED and node.value in _NULLS


def place(node: Node) -> str:
    """Where a node begins, to be put behind its name: ` (line 7)`, or nothing where that is not known."""
    line = node.start_mark.line + 1
    return f" (line {line})" if line else ""


def document(fields: dict[str, Any]) -> bytes:
    """A YAML document in block style that holds a mapping.

    Raises:
        TapeFormatError: it holds what is not plain data, or not for YAML.
    """
    pieces = [b"---"]
    _members(pieces, fields, b"\n", b"\n", 1)
    return b"".join([*pieces, b"\n"])


# Pieces are joined once, at the end: put together on the way, large bodies would be copied at every level. A line's
# indent (`lead` for the first line, `pad` for the others) includes the line feed before it.


def _members(pieces: list[bytes], fields: dict[str, Any], lead: bytes, pad: bytes, depth: int) -> None:
    """A mapping, a line a member."""
    _check(depth)
    for key, value in fields.items():
        name = _scalar(str(key))  # as JSON does with keys that are no text
        # YAML wants `? ` before a key that is longer than 1024 characters.
        pieces += (lead, name, b":") if len(name) < 1000 else (lead, b"? ", name, pad, b":")
        lead = pad
        if write := _SCALARS.get(type(value)):
            pieces += b" ", write(value)
        elif _is_flow(value):
            pieces += b" ", _flow(value)
        elif isinstance(value, dict):
            _members(pieces, cast("dict[str, Any]", value), pad + b"  ", pad + b"  ", depth + 1)
        else:
            _items(pieces, value, pad, pad, depth + 1)


def _items(pieces: list[bytes], values: list[Any], lead: bytes, pad: bytes, depth: int) -> None:
    """A list, a line an item."""
    _check(depth)
    for value in values:
        if write := _SCALARS.get(type(value)):
            pieces += lead, b"- ", write(value)
        elif _is_flow(value):
            pieces += lead, b"- ", _flow(value)
        elif isinstance(value, dict):
            _members(pieces, cast("dict[str, Any]", value), lead + b"- ", pad + b"  ", depth + 1)
        else:
            _items(pieces, value, lead + b"- ", pad + b"  ", depth + 1)
        lead = pad


def _check(depth: int) -> None:
    if depth > _DEPTH - 2:  # a list of numbers may follow, on one line
        raise TapeFormatError(f"a cassette cannot hold data that nests deeper than {_DEPTH} levels.")


def _is_flow(value: Any) -> bool:
    """Whether a collection stands on one line: where it is empty, or a list of numbers."""
    if isinstance(value, list | tuple):
        return all(type(item) in (int, float) for item in cast("list[Any]", value))
    return not (isinstance(value, dict) and value)


def _flow(value: Any) -> bytes:
    if isinstance(value, list | tuple):
        return b"[%b]" % b", ".join([_SCALARS[type(number)](number) for number in cast("list[Any]", value)])
    return b"{}" if isinstance(value, dict) else _refuse(value)


def _body(body: Body) -> bytes:
    try:
        return _quoted(body.value.decode())
    except UnicodeDecodeError:
        return b'!!binary "%b"' % base64.b64encode(body.value)


def _scalar(value: str) -> bytes:
    return _short_scalar(value) if len(value) < 80 else _any_scalar(value)


def _any_scalar(value: str) -> bytes:
    plain = _PLAIN.fullmatch(value) and value.lower() not in _RESERVED
    return value.encode() if plain else _quoted(value)


_short_scalar = lru_cache(maxsize=1024)(_any_scalar)
"""The fields, headers and URLs of a cassette are the same again and again."""


def _quoted(value: str) -> bytes:
    try:
        quoted = msgspec.json.encode(value)  # each of JSON's escapes is one of YAML's
    except UnicodeEncodeError as error:
        raise TapeFormatError(
            f"a cassette cannot hold the half of a surrogate pair in {value[:60]!r}: it is no text."
        ) from error
    for character in "\x7f" if value.isascii() else _SPECIAL:  # one by one is faster than one pass for all
        if character in value:
            return _SPECIALS.sub(lambda match: f"\\u{ord(match[0]):04X}", quoted.decode()).encode()
    return quoted


def _integer(value: int) -> bytes:
    return b"%d" % value if -(10**19) < value < 10**19 else _refuse(value)


def _number(value: float) -> bytes:
    if not isfinite(value):
        return _refuse(value)
    shown = repr(value)  # YAML 1.1 takes an exponent for a number's only after a point
    return (shown if "." in shown else shown.replace("e", ".0e")).encode()


def _refuse(value: object) -> bytes:
    kind = type(value).__name__
    shown = "" if isinstance(value, int) else f" {value!r}"[:60]  # Python shows no integer of 5000 digits
    raise TapeFormatError(f"a cassette cannot hold the {kind}{shown}: it is not plain data.")


_SCALARS: dict[Any, Callable[[Any], bytes]] = {
    Body: _body,
    str: _scalar,
    bool: lambda value: b"true" if value else b"false",
    int: _integer,
    float: _number,
    type(None): lambda _: b"null",
}


def _guessed(value: str) -> Any:
    if value in ("true", "false"):
        return value == "true"
    if _INT.fullmatch(value) and str(number := int(value)) == value:
        return number
    if _FLOAT.fullmatch(value) and isfinite(number := float(value)):
        return number
    return value


def _wrong(node: Node, what: str, expected: str) -> TapeFormatError:
    found = "nothing" if is_null(node) else _KINDS[node.id]
    return TapeFormatError(
        f"is not a cassette: {what}{place(node)} should be {expected}, but is {found}. "
        "Mend that line, or record it again."
    )


def _broken(data: bytes, at: int, problem: str) -> TapeFormatError:
    if at > data.rstrip().count(b"\n"):
        return TapeFormatError(
            f"is torn, or not YAML: it breaks off in line {at}, its last ({problem}). "
            "Restore the file, or record it again."
        )
    return TapeFormatError(f"is not YAML: line {at} cannot be read ({problem}). Restore the file, or mend that line.")


def _refuse_aliases(root: Node) -> None:
    """go-vcr writes none, and without them the document is a tree: no cycles, and no larger than its text."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.id == "scalar":
            continue
        if id(node) in seen:
            raise TapeFormatError(
                f"uses a YAML alias (`*name`) of line {node.start_mark.line + 1}: write out what stands there."
            )
        seen.add(id(node))
        if node.id == "mapping":
            waiting.extend([inner for pair in node.value for inner in pair])
        else:
            waiting.extend(node.value)


@cache
def _loader() -> type:
    """PyYAML's loader, in C where it is built with it, that leaves every scalar as text."""
    import yaml

    base = cast("type", getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    members = {"depth": 0, "resolve": _as_text, "descend_resolver": _descend, "ascend_resolver": _ascend}
    return type("TextLoader", (base,), members)


def _as_text(loader: Any, kind: type, value: str, implicit: object) -> str:  # noqa: ARG001 - PyYAML's signature
    return UNTAGGED


def _descend(loader: Any, parent: object, index: object) -> None:  # noqa: ARG001 - PyYAML's signature
    loader.depth += 1
    if loader.depth > _DEPTH:
        raise TapeFormatError(f"nests deeper than {_DEPTH} levels: it is not a cassette.")


def _ascend(loader: Any) -> None:
    loader.depth -= 1
