"""The fields of VCR.py's cassettes, and what stands beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from . import _cassettes as cassettes
from . import _json_text as json_text
from . import _yaml_text as yaml_text
from ._yaml_text import Node

VERSION = 1

KEY = "vcrpy"
"""Under which `Interaction.foreign` and `Tape.meta` hold what is VCR.py's own."""

TOP_OURS = frozenset({"interactions", "playhead", "version"})
OURS = {
    "interaction": frozenset({"request", "response", "playhead"}),
    "request": frozenset({"body", "headers", "method", "parsed_body", "uri"}),
    "response": frozenset({"body", "headers", "parsed_body", "status", "status_code", "content", "http_version"}),
    "response_body": frozenset({"string"}),
    "status": frozenset({"code", "message"}),
}
"""Fields that have a place in an `Interaction`, for each mapping of a cassette."""


class Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `vcrpy` in `foreign`: how a cassette holds an interaction, where there are several ways.

    Attributes:
        request_as: `text`: an empty text and not null. `body`: JSON written as YAML. `parsed_body`: likewise, under
            this key.
        response_as: likewise.
        as_is: a header names a content encoding, but the body is not in it, or in one that cannot be decoded here.
        interaction: the fields that VCR.py does not have, here and in the others.
    """

    request_as: Literal["text", "body", "parsed_body"] | None = None
    response_as: Literal["parsed_body"] | None = None
    as_is: bool = False
    interaction: dict[str, Any] = {}
    request: dict[str, Any] = {}
    response: dict[str, Any] = {}
    response_body: dict[str, Any] = {}
    status: dict[str, Any] = {}


class Extra(cassettes.Extra, frozen=True, kw_only=True, omit_defaults=True):
    """What stands under `playhead` in an interaction.

    Attributes:
        at: where no response came: its place among the tape's effects.
        dropped: headers of the response that are true of the wire but not of the cassette: place, name, value.
    """

    at: cassettes.Place | None = None
    dropped: tuple[tuple[cassettes.Place, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Serializer:
    """YAML or JSON.

    Attributes:
        compose: the tree of a file's bytes, and None for no tree.
        document: a mapping to bytes.
    """

    name: str
    compose: Callable[[bytes], Node | None]
    document: Callable[[dict[str, Any]], bytes]


YAML = Serializer("vcrpy", yaml_text.compose, yaml_text.document)
JSON = Serializer("vcrpy-json", json_text.compose, json_text.document)
