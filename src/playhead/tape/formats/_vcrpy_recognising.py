"""Tells a cassette of VCR.py from other files that end alike."""

from __future__ import annotations

import re
from typing import cast

from ...errors import TapeFormatError
from . import _json_text as json_text
from . import _yaml_lines as yaml_lines
from . import _yaml_text as yaml_text
from ._vcrpy_fields import VERSION
from ._yaml_text import Node


def recognises(data: bytes) -> bool:
    """Whether this looks like a VCR.py cassette, in YAML or JSON. Only its first interaction is read."""
    if b"interactions" not in data or data.startswith(b'{"playhead":"tape"'):
        return False
    try:
        root = json_text.compose(data) if _is_json(data) else _composed(_beginning(data))
        fields = {} if root is None else yaml_text.entries(root, "the cassette")
        version = yaml_text.text(fields["version"], "`version`") if "version" in fields else str(VERSION)
        calls = yaml_text.items(fields["interactions"], "`interactions`") if "interactions" in fields else None
        if calls is None or version != str(VERSION):
            return False
        # go-vcr puts its version first. Where there are no interactions, that is all there is to tell by.
        return is_vcrpy(calls[0]) if calls else _is_json(data) or next(iter(fields)) == "interactions"
    except TapeFormatError:
        return False


def _composed(data: bytes) -> Node | None:
    return yaml_lines.compose(data) or yaml_text.compose(data)


def _beginning(data: bytes) -> bytes:
    """A YAML cassette up to its second interaction, as far as that can be seen from its lines."""
    first = re.search(rb"^interactions:[ \t]*\r?\n([ ]*)- ", data, re.MULTILINE)
    second = data.find(b"\n%b- " % first[1], first.end()) if first else -1
    return data if second < 0 else data[: second + 1]


def _is_json(data: bytes) -> bool:
    return data[:100].removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")


def is_vcrpy(call: Node) -> bool:
    """Whether an interaction has a shape that is VCR.py's and not go-vcr's."""
    fields = members(call)
    request, response = members(fields.get("request")), members(fields.get("response"))
    # Scalars differ too: go-vcr's status is a text, and so is its body.
    mappings = [name for name in ("status", "body") if name in response and response[name].id == "mapping"]
    return "url" not in request and ("uri" in request or bool(mappings) or "status_code" in response)


def members(node: Node | None) -> dict[str, Node]:
    """The members of what may be a mapping, to see what it is; nothing is checked."""
    if node is None or node.id != "mapping":
        return {}
    pairs = cast("list[tuple[Node, Node]]", node.value)
    return {key.value: value for key, value in pairs if key.id == "scalar"}
