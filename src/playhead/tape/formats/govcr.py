"""
The cassettes of go-vcr, version 2, so that Go programs and Playhead share recordings. Version 1 is read, too.

A cassette is a list of interactions in YAML. Each field of theirs is one of ours, or follows from ours
(`proto_major`, `host`, `content_length`), or else it is kept in `Interaction.foreign` and written back:

    {"request": {"form": {...}}, "response": {"uncompressed": true}, "interaction": {...}}

What go-vcr has no field for stands under keys named `playhead`, which its readers skip. They are there only where
there is something to say:

    version: 2
    playhead:
      meta: {...}                   the tape's
      tools: [{at, lane, ...}]      tool executions; `at` is the place among all effects
    interactions:
    - id: 0
      request: {...}
      response: {...}               left out where no answer came
      playhead: {lane, chunks, times, ...}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, cast

import msgspec

from ...errors import TapeFormatError
from ...http import Request, header
from ..effects import Effect, Ended, Interaction, NoAnswer, Tape, ToolRun
from . import _cassettes as cassettes
from . import _yaml_text as yaml_text
from ._format import Format
from ._yaml_text import Body, Node

VERSION = 2

_REQUEST = ("proto", "proto_major", "proto_minor", "content_length", "transfer_encoding", "trailer", "host",
            "remote_addr", "request_uri", "body", "form", "headers", "url", "method")  # fmt: skip
_RESPONSE = ("proto", "proto_major", "proto_minor", "transfer_encoding", "trailer", "content_length",
             "uncompressed", "body", "headers", "status", "code", "duration")  # fmt: skip
"""Fields in the order in which go-vcr writes them."""

_REQUEST_OURS = frozenset({"body", "headers", "url", "method"})
_RESPONSE_OURS = frozenset({"proto", "body", "headers", "status", "code", "duration"})
_INTERACTION_OURS = frozenset({"id", "request", "response", "playhead"})
"""Fields that have a place in an `Interaction`."""

_TEXTS = frozenset({"proto", "transfer_encoding", "trailer", "host", "remote_addr", "request_uri", "form"})
"""Fields whose scalars are text for go-vcr, also where they look like numbers."""


class _Extra(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What stands under `playhead` in an interaction.

    Attributes:
        answered: False where no response came.
        request_headers: the headers' names in wire order, where a mapping of names cannot keep it.
        response_headers: likewise.
        chunks: lengths in bytes, where the body did not arrive in one piece.
        head_s: where it is not a whole number of nanoseconds, and so not a Go duration.
    """

    lane: str = "root"
    answered: bool = True
    request_headers: tuple[str, ...] | None = None
    response_headers: tuple[str, ...] | None = None
    chunks: tuple[Annotated[int, msgspec.Meta(ge=0)], ...] | None = None
    times: tuple[float, ...] | None = None
    started_s: float | None = None
    head_s: float | None = None
    duration_s: float | None = None
    ended: Ended = "complete"
    error: dict[str, str] | None = None
    outcome: NoAnswer | None = None
    superseded: bool = False


class _PlacedTool(ToolRun, frozen=True, kw_only=True):
    """A tool execution, and its place among the tape's effects."""

    at: Annotated[int, msgspec.Meta(ge=0)]


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    """What stands under `playhead` at the top."""

    meta: dict[str, Any] = {}
    tools: tuple[_PlacedTool, ...] = ()


_Warn = Callable[[str], None]


# Reading


def load(data: bytes, name: str) -> Tape:
    """The tape of a cassette.

    Raises:
        TapeFormatError: it is not a go-vcr cassette, is empty, torn, or of an unknown version.
    """
    try:
        return _tape(data)
    except TapeFormatError as error:
        raise TapeFormatError(f"tape {name!r} {error}") from error.__cause__


def _tape(data: bytes) -> Tape:
    if data.startswith(b'{"playhead":"tape"'):
        raise TapeFormatError("holds a tape in Playhead's own format: let its name end in .jsonl.")
    root = yaml_text.compose(data)
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
        _interaction(node, number, warnings.append)
        for number, node in enumerate(yaml_text.items(fields["interactions"], "`interactions`"))
    ]
    head = cassettes.ours(fields.get("playhead"), _Head, yaml_text.plain)
    effects = _merged(calls, head.tools)
    return Tape(effects, head.meta, format=FORMAT.name, version=version, warnings=tuple(warnings))


_TOP = frozenset({"version", "playhead", "interactions"})


def _version(fields: Mapping[str, Node]) -> int:
    """The cassette's version, once it is sure that it is one of go-vcr's."""
    if "interactions" not in fields:
        kind = "It looks like a HAR file" if "log" in fields else f"Its keys are {_listed(fields)}"
        raise TapeFormatError(f"is not a go-vcr cassette: `interactions` and `version` are not there. {kind}.")
    if _is_vcrpy(fields["interactions"]):
        raise TapeFormatError(
            "looks like a VCR.py cassette, and this Playhead reads those of go-vcr (version 2): record it again."
        )
    if "version" not in fields:
        raise TapeFormatError(
            f"is not a go-vcr cassette: `version` is not there. Its keys are {_listed(fields)}. If it is one, "
            "write `version: 2` at its top."
        )
    version = yaml_text.text(fields["version"], "`version`")
    if version in ("1", "2"):
        return int(version)
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


def _interaction(node: Node, number: int, warn: _Warn) -> Interaction:
    what = f"interaction {number}"
    fields = yaml_text.entries(node, what)
    extra = cassettes.ours(fields.get("playhead"), _Extra, yaml_text.plain)

    def part(name: str) -> dict[str, Node]:
        if name in fields and not yaml_text.is_null(fields[name]):
            return yaml_text.entries(fields[name], f"the {name} of {what}")
        raise TapeFormatError(
            f"has no `{name}` in {what} (line {yaml_text.line(node)}): it is torn there, or edited. "
            "Restore the file, or record it again."
        )

    request = part("request")
    response = part("response") if extra.answered or "response" in fields else {}
    call = _answered(_request(request, extra, what), response, extra, what, warn)
    foreign = {
        "request": _rest(request, _REQUEST_OURS, _request_facts(call.request)),
        "response": _rest(response, _RESPONSE_OURS, _response_facts(call)) | _unwritable(response, call),
        "interaction": _rest(fields, _INTERACTION_OURS, {}),
    }
    call = msgspec.structs.replace(call, foreign={name: rest for name, rest in foreign.items() if rest})
    for oddity in _oddities(call):
        warn(f"{what}: {oddity}")
    return call


def _request(fields: Mapping[str, Node], extra: _Extra, what: str) -> Request:
    for name in ("method", "url"):
        if name not in fields:
            raise TapeFormatError(f"has no `{name}` in the request of {what}: it is not a go-vcr cassette.")
    return Request(
        yaml_text.text(fields["method"], f"the method of {what}"),
        yaml_text.text(fields["url"], f"the url of {what}"),
        cassettes.headers(fields, extra.request_headers, f"the request of {what}"),
        yaml_text.data(fields["body"], f"the request body of {what}") if "body" in fields else b"",
    )


def _answered(request: Request, fields: Mapping[str, Node], extra: _Extra, what: str, warn: _Warn) -> Interaction:
    """The interaction of a request and its response."""
    status = _code(fields, what) if extra.answered else None
    body = yaml_text.data(fields["body"], f"the response body of {what}") if "body" in fields else b""
    chunks, times = cassettes.cut(body, extra.chunks), extra.times
    if chunks is None:
        warn(f"{what}: the response's body was edited, and is taken for one piece")
        chunks, times = ((body,) if body else ()), None
    return Interaction(
        request=request,
        lane=extra.lane,
        status=status,
        reason=_reason(status, _text(fields, "status")),
        http_version=_text(fields, "proto"),
        headers=cassettes.headers(fields, extra.response_headers, f"the response of {what}"),
        chunks=chunks,
        times=times,
        started_s=extra.started_s,
        head_s=_seconds(_text(fields, "duration")) if extra.head_s is None else extra.head_s,
        duration_s=extra.duration_s,
        ended=extra.ended,
        error=extra.error,
        outcome=extra.outcome,
        superseded=extra.superseded,
    )


def _code(fields: Mapping[str, Node], what: str) -> int:
    code = _text(fields, "code")
    if not re.fullmatch("[0-9]{1,9}", code):
        found = f"has {code[:40]!r} as" if code else "has no"
        raise TapeFormatError(
            f"{found} status `code` in {what}: it is torn there, or edited. Restore the file, or record it again."
        )
    return int(code)


def _text(fields: Mapping[str, Node], name: str) -> str:
    return yaml_text.text(fields[name], f"`{name}`") if name in fields else ""


def _rest(fields: Mapping[str, Node], ours: frozenset[str], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that have no place in an interaction and do not follow from it."""
    rest = {name: yaml_text.plain(node, as_text=name in _TEXTS) for name, node in fields.items() if name not in ours}
    return {name: value for name, value in rest.items() if name not in facts or facts[name] != value}


def _unwritable(fields: Mapping[str, Node], call: Interaction) -> dict[str, str]:
    """The status and duration texts that would be written in another way."""
    written = {"status": _status_text(call), "duration": _duration_text(call.head_s)}
    texts = {name: _text(fields, name) for name in written if name in fields}
    # An empty duration is how version 1 says that there is none, and is an error in version 2.
    return {name: text for name, text in texts.items() if text != written[name] and (name, text) != ("duration", "")}


def _oddities(call: Interaction) -> Iterable[str]:
    """What is odd, but no reason to refuse the cassette."""
    request, response = (call.foreign.get(part, {}) for part in ("request", "response"))
    if (length := request.get("content_length")) is not None and length != -1:
        yield f"the request's content_length is {length}, but its body has {len(call.request.body)} bytes"
    if (status := response.get("status", ""))[:1].isdigit() and not status.startswith(str(call.status)):
        yield f"the status {status!r} is not that of the code {call.status}"
    if "duration" in response and call.head_s is None:
        yield f"the duration {response['duration']!r} is not one of Go's, such as 1m2.5s"


def _merged(calls: Iterable[Interaction], tools: Iterable[_PlacedTool]) -> tuple[Effect, ...]:
    effects: list[Effect] = list(calls)
    for placed in tools:
        fields = msgspec.structs.asdict(placed)
        effects.insert(fields.pop("at"), ToolRun(**fields))
    return tuple(effects)


def _listed(fields: Mapping[str, Node]) -> str:
    names = ", ".join(f"`{name[:40]}`" for name in list(fields)[:5])
    return (names or "none") + (", ..." if len(fields) > 5 else "")


# Writing


def dump(tape: Tape) -> bytes:
    """The cassette of a tape, in version 2.

    Raises:
        TapeFormatError: the tape holds what is neither text nor plain data.
    """
    tools = [
        cassettes.set_fields(effect) | {"at": at}
        for at, effect in enumerate(tape.effects)
        if isinstance(effect, ToolRun)
    ]
    ours = ({"meta": tape.meta} if tape.meta else {}) | ({"tools": tools} if tools else {})
    cassette: dict[str, Any] = {
        "version": VERSION,
        **({"playhead": ours} if ours else {}),
        "interactions": [_record(number, call) for number, call in enumerate(tape.interactions)],
    }
    return yaml_text.document(cassette)


def _record(number: int, call: Interaction) -> dict[str, Any]:
    record: dict[str, Any] = {"id": number, "request": _request_record(call)}
    if response := _response_record(call):
        record["response"] = response
    record |= {name: value for name, value in _foreign(call, "interaction").items() if name not in _INTERACTION_OURS}
    if extra := msgspec.to_builtins(cassettes.set_fields(_extra(call))):
        record["playhead"] = extra
    return record


def _request_record(call: Interaction) -> dict[str, Any]:
    request = call.request
    fields = _request_facts(request) | _foreign(call, "request")
    fields |= {"body": Body(request.body), "url": request.url, "method": request.method}
    fields |= {"headers": cassettes.grouped(request.headers)} if request.headers else {}
    return _ordered(fields, _REQUEST)


def _response_record(call: Interaction) -> dict[str, Any]:
    fields = _response_facts(call)
    status, duration = _status_text(call), _duration_text(call.head_s)
    fields |= {"status": status} if status else {}
    fields |= {"duration": duration} if duration else {}
    fields |= _foreign(call, "response")
    fields |= {"proto": call.http_version} if call.http_version else {}
    if call.status is not None or call.chunks or call.headers:
        fields |= {"body": Body(call.body), "headers": cassettes.grouped(call.headers)}
    fields |= {"code": call.status} if call.status is not None else {}
    return _ordered(fields, _RESPONSE)


def _ordered(fields: dict[str, Any], order: tuple[str, ...]) -> dict[str, Any]:
    return {name: fields[name] for name in order if name in fields} | fields


def _foreign(call: Interaction, part: str) -> dict[str, Any]:
    """A copy of a part of what the interaction keeps; another format may have left something else there."""
    kept: Any = call.foreign.get(part)
    return dict(cast("dict[str, Any]", kept)) if isinstance(kept, dict) else {}


def _extra(call: Interaction) -> _Extra:
    duration = _foreign(call, "response").get("duration", _duration_text(call.head_s))
    usual = (call.body,) if call.body else ()
    return _Extra(
        lane=call.lane,
        answered=call.status is not None,
        request_headers=cassettes.lost_order(call.request.headers),
        response_headers=cassettes.lost_order(call.headers),
        chunks=None if call.chunks == usual else tuple(map(len, call.chunks)),
        times=call.times,
        started_s=call.started_s,
        head_s=None if _seconds(str(duration)) == call.head_s else call.head_s,
        duration_s=call.duration_s,
        ended=call.ended,
        error=call.error,
        outcome=call.outcome,
        superseded=call.superseded,
    )


# What follows from an interaction: written without being kept, and kept only where a cassette says otherwise


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


def _status_text(call: Interaction) -> str:
    return " ".join([str(part) for part in (call.status, call.reason) if part not in (None, "")])


def _reason(status: int | None, text: str) -> str:
    """The reason in a status such as `200 OK`."""
    code = str(status)
    if status is None or not text.startswith(code):
        return text
    return text[len(code) + 1 :] if text[len(code) :][:1] in ("", " ") else text


# Durations of Go's, such as 2.540430708s, 980.667µs, 1m2.5s: whole nanoseconds

_UNITS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_PIECE = re.compile(r"([0-9]{0,19})(?:\.([0-9]{0,19}))?(ns|us|µs|μs|ms|s|m|h)")
_DURATION = re.compile(rf"([-+]?)((?:(?=\.?[0-9]){_PIECE.pattern})+|0)")


def _seconds(text: str) -> float | None:
    """A duration of Go's in seconds; None where it is empty or not one."""
    found = _DURATION.fullmatch(text)
    if not found:
        return None
    nanoseconds = 0
    for whole, fraction, unit in _PIECE.findall(found[2]):
        nanoseconds += int(whole or 0) * _UNITS[unit] + int(fraction or 0) * _UNITS[unit] // 10 ** len(fraction)
    return (-nanoseconds if found[1] == "-" else nanoseconds) / 10**9


def _duration_text(seconds: float | None) -> str:
    """Seconds as Go writes them; "" where there are none, or more than Go can hold."""
    if seconds is None or not abs(seconds) < 9.2e9:
        return ""
    nanoseconds = abs(round(seconds * 1e9))
    sign = "-" if seconds < 0 and nanoseconds else ""
    if nanoseconds < 10**9:
        units = (("ms", 10**6), ("µs", 10**3), ("ns", 1))
        name, unit = next((pair for pair in units if nanoseconds >= pair[1]), ("s", 1))
        return f"{sign}{_decimal(nanoseconds, unit)}{name}"
    minutes, rest = divmod(nanoseconds, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    larger = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{larger}{_decimal(rest, 10**9)}s"


def _decimal(number: int, unit: int) -> str:
    """`number` of nanoseconds in a unit that is a power of ten."""
    whole, rest = divmod(number, unit)
    digits = str(unit + rest)[1:].rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


FORMAT = Format("go-vcr", (".yaml", ".yml"), load, dump)
