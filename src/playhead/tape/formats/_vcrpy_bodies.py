"""Bodies that stand in a cassette as the data that they are the JSON of."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from ...errors import TapeFormatError
from . import _json_text as json_text
from . import _yaml_text as yaml_text
from ._cassettes import Fields
from ._vcrpy_fields import Serializer
from ._yaml_text import Node

_FLOAT = re.compile(rf"{json_text.INTEGER.pattern}\.[0-9]+(?:[eE][-+][0-9]+)?")
_BOOLEANS = {
    spelling: value
    for words, value in (("true yes on", b"true"), ("false no off", b"false"))
    for word in words.split()
    for spelling in (word, word.title(), word.upper())
}
"""What YAML 1.1, PyYAML's, takes for numbers and truth, as far as JSON has them. `1e5` is text there."""


def parsed_body(fields: Fields) -> bytes | None:
    """The JSON of `parsed_body`, which some serializers write in place of a body."""
    node = fields.get("parsed_body")
    return None if node is None or yaml_text.is_null(node) else compact(node)


def compact(node: Node) -> bytes:
    """The JSON of a node without white space, with numbers as they are written."""
    if node.id == "mapping":
        members = yaml_text.entries(node, "a body").items()
        return b"{%b}" % b",".join([msgspec.json.encode(name) + b":" + compact(value) for name, value in members])
    if node.id == "sequence":
        return b"[%b]" % b",".join([compact(item) for item in yaml_text.items(node, "a body")])
    if yaml_text.is_null(node):
        return b"null"
    text = yaml_text.text(node, "a body")
    if node.style or node.tag not in (yaml_text.UNTAGGED, json_text.BARE):
        return msgspec.json.encode(text)
    if node.tag == json_text.BARE or json_text.INTEGER.fullmatch(text) or _FLOAT.fullmatch(text):
        return text.encode()
    return _BOOLEANS.get(text) or msgspec.json.encode(text)


def restorable(body: bytes, serializer: Serializer) -> Any:
    """The data that reads back as this very body; None where there is none."""
    try:
        data = json.loads(body)
        root = serializer.compose(serializer.document({"body": data}))
        if root is not None and compact(yaml_text.entries(root, "a body")["body"]) == body:
            return data
    except (TapeFormatError, ValueError, RecursionError):
        pass
    return None
