"""The fields of go-vcr's cassettes, in both versions, and what stands beside them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...http import Request, header
from ..effects import Interaction
from . import _cassettes as cassettes
from . import _go_duration as go_duration

INTERACTION_OURS = frozenset({"id", "request", "response", "playhead"})
REQUEST_OURS = frozenset({"body", "headers", "url", "method"})
RESPONSE_OURS = frozenset({"proto", "body", "headers", "status", "code", "duration"})
"""Fields that have a place in an `Interaction`."""

TEXTS = frozenset({"proto", "transfer_encoding", "trailer", "host", "remote_addr", "request_uri", "form"})
"""Fields whose scalars are text for go-vcr, also where they look like numbers."""


class Extra(cassettes.Extra, frozen=True, kw_only=True, omit_defaults=True):
    """What stands under `playhead` in an interaction.

    Attributes:
        answered: False where no response came.
    """

    answered: bool = True


@dataclass(frozen=True, slots=True)
class Version:
    """What one of go-vcr's versions writes.

    Attributes:
        request: the request's fields, in order.
        response: the response's.
        request_facts: those of the request's that follow from it: written without being kept, and kept only where a
            cassette says otherwise.
        response_facts: likewise.
    """

    number: int
    format: str
    request: tuple[str, ...]
    response: tuple[str, ...]
    request_facts: Callable[[Request], Mapping[str, Any]]
    response_facts: Callable[[Interaction], Mapping[str, Any]]


def _request_facts(request: Request) -> dict[str, Any]:
    host = re.split("[/?#]", request.url.partition("://")[2], maxsplit=1)[0].rpartition("@")[2]
    return {
        "proto": "HTTP/1.1",
        "proto_major": 1,
        "proto_minor": 1,
        "content_length": len(request.body),
        "host": host,
    }


def _response_facts(call: Interaction) -> dict[str, Any]:
    if call.status is None:
        return {}
    facts: dict[str, Any] = {}
    if found := re.fullmatch(r"HTTP/([0-9])(?:\.([0-9]))?", call.http_version):
        facts |= {"proto_major": int(found[1]), "proto_minor": int(found[2] or 0)}
    length = header(call.headers, "content-length") or ""
    return facts | {"content_length": int(length) if re.fullmatch("[0-9]{1,18}", length) else -1}


V1 = Version(
    number=1,
    format="go-vcr-v1",
    request=("body", "form", "headers", "url", "method"),
    response=("body", "headers", "status", "code", "duration"),
    request_facts=lambda _request: {"form": {}},
    response_facts=lambda _call: {},
)
V2 = Version(
    number=2,
    format="go-vcr",
    request=("proto", "proto_major", "proto_minor", "content_length", "transfer_encoding", "trailer", "host",
             "remote_addr", "request_uri", "body", "form", "headers", "url", "method"),
    response=("proto", "proto_major", "proto_minor", "transfer_encoding", "trailer", "content_length",
              "uncompressed", "body", "headers", "status", "code", "duration"),
    request_facts=_request_facts,
    response_facts=_response_facts,
)  # fmt: skip
VERSIONS = {"1": V1, "2": V2}


def written_texts(call: Interaction) -> dict[str, str]:
    """A response's status and duration as go-vcr writes them."""
    status = " ".join([str(part) for part in (call.status, call.reason) if part not in (None, "")])
    return {"status": status, "duration": go_duration.text(call.head_s)}


def reason(status: int | None, text: str) -> str:
    """The reason in a status such as `200 OK`."""
    code = str(status)
    if status is None or not text.startswith(code):
        return text
    return text[len(code) + 1 :] if text[len(code) :][:1] in ("", " ") else text
