"""Reads VCR.py's cassettes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

import msgspec

from ...errors import TapeFormatError
from ...http import Headers, Request
from ..effects import Effect, Interaction, Tape
from . import _cassettes as cassettes
from . import _json_text as json_text
from . import _yaml_text as yaml_text
from ._cassettes import Fields
from ._content_encoding import codings, decoded_body
from ._vcrpy_bodies import compact, parsed_body
from ._vcrpy_fields import JSON, KEY, OURS, TOP_OURS, VERSION, YAML, Extra, Serializer
from ._vcrpy_recognising import is_vcrpy, members
from ._yaml_text import Node

_Warn = Callable[[str], None]


def load(data: bytes, name: str) -> Tape:
    """The tape of a cassette in YAML.

    Raises:
        TapeFormatError: it is not a VCR.py cassette, is empty, torn, or of an unknown version.
    """
    return _load(data, name, YAML)


def load_json(data: bytes, name: str) -> Tape:
    """The tape of a cassette in JSON.

    Raises:
        TapeFormatError: it is not a VCR.py cassette, is empty, torn, or of an unknown version.
    """
    return _load(data, name, JSON)


def _load(data: bytes, name: str, serializer: Serializer) -> Tape:
    try:
        return _tape(data, serializer)
    except TapeFormatError as error:
        raise TapeFormatError(f"tape {name!r} {error}") from error.__cause__


def _tape(data: bytes, serializer: Serializer) -> Tape:
    cassettes.refuse_own(data)
    root = serializer.compose(data) if data.strip() else None
    if root is None or yaml_text.is_null(root):
        raise TapeFormatError("is empty: nothing was recorded. Delete it, or record it again.")
    fields = _cassette(root)
    warnings: list[str] = []
    calls = [
        _interaction(node, f"interaction {number}", warnings.append)
        for number, node in enumerate(yaml_text.items(fields["interactions"], "`interactions`"))
    ]
    ours = fields.get("playhead")
    head = cassettes.ours(ours, cassettes.Head, json_text.plain)
    rest = {name: json_text.plain(node) for name, node in fields.items() if name not in TOP_OURS}
    meta = head.meta | ({KEY: rest} if rest else {})
    placed = [*_unanswered(ours, warnings.append), *cassettes.unplaced(head.tools, head.readings)]
    return Tape(cassettes.merged(calls, placed), meta, serializer.name, VERSION, tuple(warnings))


def _cassette(root: Node) -> dict[str, Node]:
    """The top of a cassette, once it is sure that it is one of VCR.py's."""
    if root.id != "mapping":
        raise TapeFormatError(_no_mapping(root))
    fields = yaml_text.entries(root, "the cassette")
    if "interactions" not in fields:
        raise TapeFormatError(f"is not a VCR.py cassette: `interactions` is not there. {_guess(fields)}")
    version = yaml_text.text(fields["version"], "`version`") if "version" in fields else str(VERSION)
    calls = fields["interactions"]
    first = calls.value[0] if calls.id == "sequence" and calls.value else None
    if "url" in members(members(first).get("request")) and not is_vcrpy(cast("Node", first)):
        raise TapeFormatError("looks like a go-vcr cassette, and not one of VCR.py: let its name end in .yaml.")
    if version != str(VERSION):
        raise TapeFormatError(
            f"is of version {version[:40]!r}, but VCR.py's is {VERSION}. Is it a go-vcr cassette, or another kind of "
            "file?"
        )
    return fields


def _no_mapping(root: Node) -> str:
    if root.id == "sequence" and root.value and {"request", "response"} <= set(members(root.value[0])):
        return (
            "is a cassette of a VCR.py before 1.0, which this Playhead does not read: migrate a copy of it with "
            "`python -m vcr.migration`."
        )
    found = "a list" if root.id == "sequence" else "a text"
    return (
        f"is not a VCR.py cassette: it should be a mapping with `interactions` and `version`, but is {found}. "
        "Is it another kind of file?"
    )


_LOOKS = {
    "log": "It looks like a HAR file.",
    "http_interactions": "It looks like a cassette of VCR for Ruby, or of Betamax.",
    "services": "It looks like a file of docker-compose.",
    "openapi": "It looks like an OpenAPI description.",
}


def _guess(fields: Iterable[str]) -> str:
    keys = list(fields)
    names = ", ".join(f"`{key[:40]}`" for key in keys[:5]) or "none"
    shown = names + (", ..." if len(keys) > 5 else "")
    return next((says for key, says in _LOOKS.items() if key in keys), f"Its keys are {shown}.")


def _unanswered(ours: Node | None, warn: _Warn) -> list[tuple[int, Effect]]:
    node = members(ours).get("unanswered")
    found: list[tuple[int, Effect]] = []
    for number, call in enumerate(yaml_text.items(node, "`unanswered`") if node else ()):
        what = f"unanswered interaction {number}"
        at = cassettes.ours(members(call).get("playhead"), Extra, json_text.plain).at
        if at is None:
            raise TapeFormatError(f"has no place `at` under `playhead` in {what}{yaml_text.place(call)}.")
        found.append((at, _interaction(call, what, warn)))
    return found


def _interaction(node: Node, what: str, warn: _Warn) -> Interaction:
    fields = yaml_text.entries(node, what)
    extra = cassettes.ours(fields.get("playhead"), Extra, json_text.plain)
    parts = {"interaction": fields, "request": cassettes.part(fields, "request", node, what)}
    if extra.at is None or "response" in fields:
        parts["response"] = cassettes.part(fields, "response", node, what)
    request, request_as = _request(parts["request"], extra, what, warn)
    call = Interaction(request=request, **{name: getattr(extra, name) for name in cassettes.SAME})
    kept: dict[str, Any] = {"request_as": request_as}
    if "response" in parts:
        call, more = _answered(call, parts["response"], extra, what, warn)
        kept |= more
    times = cassettes.fitting(call.times, call.chunks, lambda oddity: warn(f"{what}: {oddity}"))
    for name, found in parts.items():
        kept[name] = _rest(found, name)
    kept = {name: value for name, value in kept.items() if value}
    return msgspec.structs.replace(call, times=times, foreign=({KEY: kept} if kept else {}) | extra.foreign)


def _request(fields: Fields, extra: Extra, what: str, warn: _Warn) -> tuple[Request, str | None]:
    """The request, and how the cassette holds its body."""
    for name in ("method", "uri"):
        if name not in fields:
            raise TapeFormatError(f"has no `{name}` in the request of {what}: it is not a VCR.py cassette.")
    body, held_as = _request_body(fields, what, warn)
    request = Request(
        yaml_text.text(fields["method"], f"the method of {what}"),
        yaml_text.text(fields["uri"], f"the uri of {what}"),
        cassettes.headers(fields, extra.request_headers, f"the request of {what}"),
        body,
    )
    cassettes.refuse_other_protocols(request, what)
    return request, held_as


def _request_body(fields: Fields, what: str, warn: _Warn) -> tuple[bytes, str | None]:
    if (parsed := parsed_body(fields)) is not None:
        return parsed, "parsed_body"
    node = fields.get("body")
    if node is None or yaml_text.is_null(node):
        return b"", None
    if node.id == "scalar":
        body = yaml_text.data(node, f"the request body of {what}")
        return body, None if body else "text"
    if not node.tag.startswith(_PYTHON):
        return compact(node), "body"
    warn(f"{what}: the request's body is a Python object ({node.tag.removeprefix(_PYTHON)[:60]}), read as plain data")
    return _buffered(node, f"the request body of {what}"), None


_PYTHON = "tag:yaml.org,2002:python/"


def _buffered(node: Node, what: str) -> bytes:
    """The bytes of a body that was a file or an iterator when VCR.py wrote it. No object is made."""
    fields = members(node)
    holder = "state" if node.tag.endswith("object/new:_io.BytesIO") else "args"
    held = yaml_text.items(fields[holder], what)[:1] if holder in fields else []
    if holder == "args" and node.tag.endswith(".iter"):
        held = [piece for pieces in held for piece in yaml_text.items(pieces, what)]
    elif holder == "args":
        return compact(node)
    return b"".join(yaml_text.data(piece, what) for piece in held)


def _answered(
    call: Interaction, fields: Fields, extra: Extra, what: str, warn: _Warn
) -> tuple[Interaction, dict[str, Any]]:
    """The interaction with its response, and what is to be kept of how the cassette holds it."""
    status, holder = _status(fields, what), _body_holder(fields, what)
    parsed = parsed_body(fields)
    string = holder.get("string", fields.get("content"))
    body = parsed or (b"" if string is None else yaml_text.data(string, f"the response body of {what}"))
    headers = cassettes.headers(fields, extra.response_headers, f"the response of {what}")
    decoded = decoded_body(headers, body)
    whole = body if decoded is None else decoded
    chunks, times = cassettes.cut(whole, extra.chunks), extra.times
    if chunks is None:
        warn(f"{what}: the response's body was edited, and is taken for one piece")
        chunks, times = (whole,), None
    answered = msgspec.structs.replace(
        call,
        status=cassettes.code(status.get("code"), what) if extra.at is None else None,
        reason=yaml_text.text(status["message"], f"the message of {what}") if "message" in status else "",
        http_version=call.http_version or cassettes.text(fields, "http_version"),
        headers=_restored(headers, extra.dropped),
        chunks=chunks,
        times=times,
    )
    kept = {
        "response_as": None if parsed is None else "parsed_body",
        "as_is": bool(body and codings(headers) and decoded is None),
        "response_body": _rest(holder, "response_body"),
        "status": _rest(status, "status"),
    }
    return answered, kept


def _status(fields: Fields, what: str) -> dict[str, Node]:
    """The members of `status`, in either shape that VCR.py has for it."""
    if "status_code" in fields:  # for httpx, before VCR.py 6
        return {"code": fields["status_code"]}
    node = fields.get("status")
    return {} if node is None else yaml_text.entries(node, f"the status of {what}")


def _body_holder(fields: Fields, what: str) -> dict[str, Node]:
    node = fields.get("body")
    return {} if node is None or yaml_text.is_null(node) else yaml_text.entries(node, f"the response body of {what}")


def _restored(headers: Headers, dropped: Iterable[tuple[int, str, str]]) -> Headers:
    pairs = list(headers)
    for at, name, value in dropped:
        pairs.insert(at, (name, value))
    return tuple(pairs)


def _rest(fields: Fields, part: str) -> dict[str, Any]:
    """The fields of a mapping that have no place in an interaction."""
    return {name: json_text.plain(node) for name, node in fields.items() if name not in OURS[part]}
