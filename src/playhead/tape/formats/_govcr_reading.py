"""Reads go-vcr's cassettes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import msgspec

from ...errors import TapeFormatError
from ...http import Request
from ..effects import Interaction, Tape
from . import _cassettes as cassettes
from . import _go_duration as go_duration
from . import _yaml_lines as yaml_lines
from . import _yaml_text as yaml_text
from ._govcr_fields import (
    INTERACTION_OURS,
    REQUEST_OURS,
    RESPONSE_OURS,
    TEXTS,
    VERSIONS,
    Extra,
    Version,
    reason,
    written_texts,
)
from ._yaml_text import Node

_TOP = frozenset({"version", "playhead", "interactions"})

_Warn = Callable[[str], None]
_Fields = Mapping[str, Node]


def load(data: bytes, name: str) -> Tape:
    """The tape of a cassette, of version 1 or 2.

    Raises:
        TapeFormatError: it is not a go-vcr cassette, is empty, torn, or of an unknown version.
    """
    try:
        cassettes.refuse_own(data)
        if (root := yaml_lines.compose(data)) is not None:
            try:
                return _tape(root)
            except TapeFormatError:
                pass  # The other tree has the lines, for the message.
        return _tape(yaml_text.compose(data))
    except TapeFormatError as error:
        raise TapeFormatError(f"tape {name!r} {error}") from error.__cause__


def _tape(root: Node | None) -> Tape:
    if root is None or yaml_text.is_null(root):
        raise TapeFormatError("is empty: nothing was recorded. Delete it, or record it again.")
    if root.id != "mapping":
        raise TapeFormatError(
            "is not a go-vcr cassette: it should be a mapping with `version` and `interactions`, but is "
            f"{'a list' if root.id == 'sequence' else 'a text'}. Is it another kind of file?"
        )
    fields = yaml_text.entries(root, "the cassette")
    version = _version(fields)
    warnings = [f"the key {key!r} is not go-vcr's and is left out" for key in fields if key not in _TOP]
    calls = [
        _interaction(node, number, version, warnings.append)
        for number, node in enumerate(yaml_text.items(fields["interactions"], "`interactions`"))
    ]
    head = cassettes.ours(fields.get("playhead"), cassettes.Head, yaml_text.plain)
    effects = cassettes.merged(calls, cassettes.unplaced(head.tools, head.readings))
    return Tape(effects, head.meta, version.format, version.number, tuple(warnings))


def _version(fields: _Fields) -> Version:
    """The cassette's version, once it is sure that it is one of go-vcr's."""
    if "interactions" not in fields:
        kind = "It looks like a HAR file" if "log" in fields else f"Its keys are {_listed(fields)}"
        raise TapeFormatError(f"is not a go-vcr cassette: `interactions` and `version` are not there. {kind}.")
    if _is_vcrpy(fields["interactions"]):
        raise TapeFormatError(
            "looks like a VCR.py cassette, and not one of go-vcr. VCR.py's have `version: 1` at their end: restore "
            "the file, or record it again."
        )
    if "version" not in fields:
        raise TapeFormatError(
            f"is not a go-vcr cassette: `version` is not there. Its keys are {_listed(fields)}. If it is one, "
            "write `version: 2` at its top."
        )
    version = yaml_text.text(fields["version"], "`version`")
    if version in VERSIONS:
        return VERSIONS[version]
    newer = version.isdecimal() and version.strip("0")
    raise TapeFormatError(
        f"is of version {version[:40]}, which is newer than this Playhead reads (1 and 2): update Playhead."
        if newer
        else f"is of version {version[:40]!r}, but go-vcr's are 1 and 2. Is it another kind of file?"
    )


def _is_vcrpy(interactions: Node) -> bool:
    """Whether the first interaction has a shape that only VCR.py writes."""
    if interactions.id != "sequence" or not interactions.value or interactions.value[0].id != "mapping":
        return False
    first = yaml_text.entries(interactions.value[0], "interaction 0")
    request, response = (
        yaml_text.entries(first[key], f"the {key} of interaction 0")
        if key in first and first[key].id == "mapping"
        else {}
        for key in ("request", "response")
    )
    body, status = response.get("body"), response.get("status")
    return (
        (body is not None and body.id == "mapping" and "string" in yaml_text.entries(body, "a body"))
        or (status is not None and status.id == "mapping")
        or "status_code" in response
        or ("uri" in request and "url" not in request)
    )


def _interaction(node: Node, number: int, version: Version, warn: _Warn) -> Interaction:
    what = f"interaction {number}"
    fields = yaml_text.entries(node, what)
    extra = cassettes.ours(fields.get("playhead"), Extra, yaml_text.plain)
    asked = cassettes.part(fields, "request", node, what)
    got = cassettes.part(fields, "response", node, what) if extra.answered or "response" in fields else {}
    request = _request(asked, extra, what)
    cassettes.refuse_other_protocols(request, what)
    call = _answered(request, got, extra, what, warn)
    foreign = {
        "request": _rest(asked, REQUEST_OURS, version.request_facts(request)),
        "response": _rest(got, RESPONSE_OURS, version.response_facts(call)) | _unwritable(got, call),
        "interaction": _rest(fields, INTERACTION_OURS, {}),
    }
    for oddity in _oddities(call, foreign):
        warn(f"{what}: {oddity}")
    return msgspec.structs.replace(call, foreign=_joined(foreign, extra.foreign))


def _request(fields: _Fields, extra: Extra, what: str) -> Request:
    for name in ("method", "url"):
        if name not in fields:
            raise TapeFormatError(f"has no `{name}` in the request of {what}: it is not a go-vcr cassette.")
    return Request(
        yaml_text.text(fields["method"], f"the method of {what}"),
        yaml_text.text(fields["url"], f"the url of {what}"),
        cassettes.headers(fields, extra.request_headers, f"the request of {what}"),
        yaml_text.data(fields["body"], f"the request body of {what}") if "body" in fields else b"",
    )


def _answered(request: Request, fields: _Fields, extra: Extra, what: str, warn: _Warn) -> Interaction:
    """The interaction of a request and its response."""
    status = cassettes.code(fields.get("code"), what) if extra.answered else None
    body = yaml_text.data(fields["body"], f"the response body of {what}") if "body" in fields else b""
    chunks, times = cassettes.cut(body, extra.chunks), extra.times
    if chunks is None:
        warn(f"{what}: the response's body was edited, and is taken for one piece")
        chunks, times = ((body,) if body else ()), None
    return Interaction(
        request=request,
        lane=extra.lane,
        status=status,
        reason=reason(status, cassettes.text(fields, "status")),
        http_version=cassettes.text(fields, "proto") or extra.http_version,
        headers=cassettes.headers(fields, extra.response_headers, f"the response of {what}"),
        chunks=chunks,
        times=cassettes.fitting(times, chunks, lambda oddity: warn(f"{what}: {oddity}")),
        started_s=extra.started_s,
        head_s=go_duration.seconds(cassettes.text(fields, "duration")) if extra.head_s is None else extra.head_s,
        duration_s=extra.duration_s,
        ended=extra.ended,
        error=extra.error,
        outcome=extra.outcome,
        superseded=extra.superseded,
    )


def _rest(fields: _Fields, ours: frozenset[str], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that have no place in an interaction and do not follow from it."""
    rest = {name: yaml_text.plain(node, as_text=name in TEXTS) for name, node in fields.items() if name not in ours}
    return {name: value for name, value in rest.items() if name not in facts or facts[name] != value}


def _unwritable(fields: _Fields, call: Interaction) -> dict[str, str]:
    """The status and duration texts that would be written in another way."""
    written = written_texts(call)
    texts = {name: cassettes.text(fields, name) for name in written if name in fields}
    # An empty duration is how version 1 says that there is none, and is an error in version 2.
    return {name: text for name, text in texts.items() if text != written[name] and (name, text) != ("duration", "")}


def _joined(here: dict[str, dict[str, Any]], beside: dict[str, Any]) -> dict[str, Any]:
    """What stands in the cassette's own places, and what had to stand under `playhead`."""
    joined: dict[str, Any] = {name: rest for name, rest in here.items() if rest}
    for name, more in beside.items():
        both = name in joined and isinstance(more, dict)
        joined[name] = joined[name] | cast("dict[str, Any]", more) if both else more
    return joined


def _oddities(call: Interaction, here: dict[str, dict[str, Any]]) -> Iterable[str]:
    """What is odd, but no reason to refuse the cassette."""
    request, response = here["request"], here["response"]
    if (length := request.get("content_length")) is not None and length != -1:
        yield f"the request's content_length is {length}, but its body has {len(call.request.body)} bytes"
    if (status := response.get("status", ""))[:1].isdigit() and not status.startswith(str(call.status)):
        yield f"the status {status!r} is not that of the code {call.status}"
    if "duration" in response and call.head_s is None:
        yield f"the duration {response['duration']!r} is not one of Go's, such as 1m2.5s"


def _listed(fields: _Fields) -> str:
    names = ", ".join(f"`{name[:40]}`" for name in list(fields)[:5])
    return (names or "none") + (", ..." if len(fields) > 5 else "")
