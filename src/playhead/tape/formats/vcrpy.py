"""
The cassettes of VCR.py, version 1, in YAML and in JSON, so that Python tests and Playhead share recordings.

    interactions:
    - request: {body, headers, method, uri}
      response: {body: {string}, headers, status: {code, message}}
      playhead: {lane, chunks, times, ...}    what VCR.py has no field for, where there is something to say
    playhead:
      meta: {...}                             the tape's
      tools: [{at, lane, ...}]                tool executions; `at` is the place among all effects
      unanswered: [{request, playhead: {at}}] interactions without a response, which VCR.py could not play
    version: 1

VCR.py passes over keys beside those that it knows, but not inside a request. What a cassette holds beside them is in
`Interaction.foreign["vcrpy"]` and `Tape.meta["vcrpy"]`, and written back; what other formats left in `foreign` stands
under `playhead`.

A tape's chunks are decoded from content encodings. A body that is compressed in the cassette is read decoded, and
written as VCR.py's `decode_compressed_response` does: without the headers that would be wrong. They are remembered
under `playhead`, so that the tape is the same when it is read again.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast

import msgspec

from ...errors import TapeFormatError
from ...http import Headers, Request
from ..effects import Effect, Ended, Interaction, NoAnswer, Tape, ToolRun
from . import _cassettes as cassettes
from . import _json_text as json_text
from . import _yaml_text as yaml_text
from ._format import Format
from ._yaml_text import Body, Node

VERSION = 1

_NAME = "VCR.py"

_KEY = "vcrpy"
"""Under which `Interaction.foreign` and `Tape.meta` hold what is VCR.py's own."""

_TOP_OURS = frozenset({"interactions", "playhead", "version"})
_OURS = {
    "interaction": frozenset({"request", "response", "playhead"}),
    "request": frozenset({"body", "headers", "method", "parsed_body", "uri"}),
    "response": frozenset({"body", "headers", "parsed_body", "status", "status_code", "content", "http_version"}),
    "response_body": frozenset({"string"}),
    "status": frozenset({"code", "message"}),
}
"""Fields that have a place in an `Interaction`, for each mapping of a cassette."""


class _Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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


_Place = Annotated[int, msgspec.Meta(ge=0)]


class _Extra(msgspec.Struct, frozen=True, kw_only=True):
    """What stands under `playhead` in an interaction.

    Attributes:
        at: where no response came: its place among the tape's effects.
        request_headers: the headers' names in wire order, where a mapping of names cannot keep it.
        response_headers: likewise.
        dropped: headers of the response that are true of the wire but not of the cassette: place, name, value.
        chunks: lengths in bytes, where the body did not arrive in one piece.
        foreign: what the cassette does not say otherwise.
    """

    at: _Place | None = None
    lane: str = "root"
    http_version: str = ""
    request_headers: tuple[str, ...] | None = None
    response_headers: tuple[str, ...] | None = None
    dropped: tuple[tuple[_Place, str, str], ...] = ()
    chunks: tuple[_Place, ...] | None = None
    times: tuple[float, ...] | None = None
    started_s: float | None = None
    head_s: float | None = None
    duration_s: float | None = None
    ended: Ended = "complete"
    error: dict[str, str] | None = None
    outcome: NoAnswer | None = None
    superseded: bool = False
    foreign: dict[str, Any] = {}


_SAME = (
    "lane",
    "http_version",
    "times",
    "started_s",
    "head_s",
    "duration_s",
    "ended",
    "error",
    "outcome",
    "superseded",
)
"""Fields that are the same in an interaction and beside it."""


class _PlacedTool(ToolRun, frozen=True, kw_only=True):
    """A tool execution, and its place among the tape's effects."""

    at: _Place


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    """What stands under `playhead` at the top, less the interactions without an answer."""

    meta: dict[str, Any] = {}
    tools: tuple[_PlacedTool, ...] = ()


@dataclass(frozen=True, slots=True)
class _Serializer:
    """YAML or JSON.

    Attributes:
        compose: the tree of a file's bytes, and None for no tree.
        document: a mapping to bytes.
    """

    name: str
    compose: Callable[[bytes], Node | None]
    document: Callable[[dict[str, Any]], bytes]


_Warn = Callable[[str], None]
_Fields = Mapping[str, Node]


# Reading


def load(data: bytes, name: str) -> Tape:
    """The tape of a cassette in YAML.

    Raises:
        TapeFormatError: it is not a VCR.py cassette, is empty, torn, or of an unknown version.
    """
    return _load(data, name, _YAML)


def load_json(data: bytes, name: str) -> Tape:
    """The tape of a cassette in JSON.

    Raises:
        TapeFormatError: it is not a VCR.py cassette, is empty, torn, or of an unknown version.
    """
    return _load(data, name, _JSON)


def recognises(data: bytes) -> bool:
    """Whether this looks like a VCR.py cassette, in YAML or JSON. Only its first interaction is read."""
    if b"interactions" not in data or data.startswith(b'{"playhead":"tape"'):
        return False
    try:
        root = json_text.compose(data) if _is_json(data) else yaml_text.compose(_beginning(data))
        fields = {} if root is None else yaml_text.entries(root, "the cassette")
        version = yaml_text.text(fields["version"], "`version`") if "version" in fields else str(VERSION)
        calls = yaml_text.items(fields["interactions"], "`interactions`") if "interactions" in fields else None
        if calls is None or version != str(VERSION):
            return False
        # go-vcr puts its version first. Where there are no interactions, that is all there is to tell by.
        return _is_vcrpy(calls[0]) if calls else _is_json(data) or next(iter(fields)) == "interactions"
    except TapeFormatError:
        return False


def _beginning(data: bytes) -> bytes:
    """A YAML cassette up to its second interaction, as far as that can be seen from its lines."""
    first = re.search(rb"^interactions:[ \t]*\r?\n([ ]*)- ", data, re.MULTILINE)
    second = data.find(b"\n%b- " % first[1], first.end()) if first else -1
    return data if second < 0 else data[: second + 1]


def _is_json(data: bytes) -> bool:
    return data[:100].removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")


def _is_vcrpy(call: Node) -> bool:
    """Whether an interaction has a shape that is VCR.py's and not go-vcr's."""
    fields = _members(call)
    request, response = _members(fields.get("request")), _members(fields.get("response"))
    # Scalars differ too: go-vcr's status is a text, and so is its body.
    mappings = [name for name in ("status", "body") if name in response and response[name].id == "mapping"]
    return "url" not in request and ("uri" in request or bool(mappings) or "status_code" in response)


def _members(node: Node | None) -> dict[str, Node]:
    """The members of what may be a mapping, to see what it is; nothing is checked."""
    if node is None or node.id != "mapping":
        return {}
    pairs = cast("list[tuple[Node, Node]]", node.value)
    return {key.value: value for key, value in pairs if key.id == "scalar"}


def _load(data: bytes, name: str, serializer: _Serializer) -> Tape:
    try:
        return _tape(data, serializer)
    except TapeFormatError as error:
        # The tree's sentences are written for go-vcr, and JSON's nodes have no lines.
        says = re.sub("(?<=is not a )go-vcr(?= cassette)", _NAME, str(error)).replace(" (line 0)", "")
        raise TapeFormatError(f"tape {name!r} {says}") from error.__cause__


def _tape(data: bytes, serializer: _Serializer) -> Tape:
    if data.startswith(b'{"playhead":"tape"'):
        raise TapeFormatError("holds a tape in Playhead's own format: let its name end in .jsonl.")
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
    head = cassettes.ours(ours, _Head, json_text.plain)
    rest = {name: json_text.plain(node) for name, node in fields.items() if name not in _TOP_OURS}
    meta = head.meta | ({_KEY: rest} if rest else {})
    placed = [*_unanswered(ours, warnings.append), *map(_unplaced, head.tools)]
    return Tape(_merged(calls, placed), meta, serializer.name, VERSION, tuple(warnings))


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
    if "url" in _members(_members(first).get("request")) and not _is_vcrpy(cast("Node", first)):
        raise TapeFormatError("looks like a go-vcr cassette, and not one of VCR.py: let its name end in .yaml.")
    if version != str(VERSION):
        raise TapeFormatError(
            f"is of version {version[:40]!r}, but VCR.py's is {VERSION}. Is it a go-vcr cassette, or another kind of "
            "file?"
        )
    return fields


def _no_mapping(root: Node) -> str:
    if root.id == "sequence" and root.value and {"request", "response"} <= set(_members(root.value[0])):
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
    node = _members(ours).get("unanswered")
    found: list[tuple[int, Effect]] = []
    for number, call in enumerate(yaml_text.items(node, "`unanswered`") if node else ()):
        what = f"unanswered interaction {number}"
        at = cassettes.ours(_members(call).get("playhead"), _Extra, json_text.plain).at
        if at is None:
            raise TapeFormatError(f"has no place `at` under `playhead` in {what} (line {yaml_text.line(call)}).")
        found.append((at, _interaction(call, what, warn)))
    return found


def _unplaced(placed: _PlacedTool) -> tuple[int, Effect]:
    fields = msgspec.structs.asdict(placed)
    return fields.pop("at"), ToolRun(**fields)


def _merged(calls: Iterable[Interaction], placed: Iterable[tuple[int, Effect]]) -> tuple[Effect, ...]:
    effects: list[Effect] = list(calls)
    for at, effect in sorted(placed, key=lambda pair: pair[0]):
        effects.insert(at, effect)
    return tuple(effects)


def _interaction(node: Node, what: str, warn: _Warn) -> Interaction:
    fields = yaml_text.entries(node, what)
    extra = cassettes.ours(fields.get("playhead"), _Extra, json_text.plain)
    parts = {"interaction": fields, "request": _part(fields, "request", node, what)}
    if extra.at is None or "response" in fields:
        parts["response"] = _part(fields, "response", node, what)
    request, request_as = _request(parts["request"], extra, what, warn)
    call = Interaction(request=request, **{name: getattr(extra, name) for name in _SAME})
    kept: dict[str, Any] = {"request_as": request_as}
    if "response" in parts:
        call, more = _answered(call, parts["response"], extra, what, warn)
        kept |= more
    for name, found in parts.items():
        kept[name] = _rest(found, name)
    kept = {name: value for name, value in kept.items() if value}
    return msgspec.structs.replace(call, foreign=({_KEY: kept} if kept else {}) | extra.foreign)


def _part(fields: _Fields, name: str, node: Node, what: str) -> dict[str, Node]:
    if name in fields and not yaml_text.is_null(fields[name]):
        return yaml_text.entries(fields[name], f"the {name} of {what}")
    raise TapeFormatError(
        f"has no `{name}` in {what} (line {yaml_text.line(node)}): it is torn there, or edited. "
        "Restore the file, or record it again."
    )


def _request(fields: _Fields, extra: _Extra, what: str, warn: _Warn) -> tuple[Request, str | None]:
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
    return request, held_as


def _request_body(fields: _Fields, what: str, warn: _Warn) -> tuple[bytes, str | None]:
    if (parsed := _parsed(fields)) is not None:
        return parsed, "parsed_body"
    node = fields.get("body")
    if node is None or yaml_text.is_null(node):
        return b"", None
    if node.id == "scalar":
        body = yaml_text.data(node, f"the request body of {what}")
        return body, None if body else "text"
    if not node.tag.startswith(_PYTHON):
        return _compact(node), "body"
    warn(f"{what}: the request's body is a Python object ({node.tag.removeprefix(_PYTHON)[:60]}), read as plain data")
    return _buffered(node, f"the request body of {what}"), None


_PYTHON = "tag:yaml.org,2002:python/"


def _buffered(node: Node, what: str) -> bytes:
    """The bytes of a body that was a file or an iterator when VCR.py wrote it. No object is made."""
    fields = _members(node)
    holder = "state" if node.tag.endswith("object/new:_io.BytesIO") else "args"
    held = yaml_text.items(fields[holder], what)[:1] if holder in fields else []
    if holder == "args" and node.tag.endswith(".iter"):
        held = [piece for pieces in held for piece in yaml_text.items(pieces, what)]
    elif holder == "args":
        return _compact(node)
    return b"".join(yaml_text.data(piece, what) for piece in held)


def _answered(
    call: Interaction, fields: _Fields, extra: _Extra, what: str, warn: _Warn
) -> tuple[Interaction, dict[str, Any]]:
    """The interaction with its response, and what is to be kept of how the cassette holds it."""
    status, holder = _status(fields, what), _body_holder(fields, what)
    parsed = _parsed(fields)
    string = holder.get("string", fields.get("content"))
    body = parsed or (b"" if string is None else yaml_text.data(string, f"the response body of {what}"))
    headers = cassettes.headers(fields, extra.response_headers, f"the response of {what}")
    decoded = _decoded(headers, body)
    chunks, times = cassettes.cut(body if decoded is None else decoded, extra.chunks), extra.times
    if chunks is None:
        warn(f"{what}: the response's body was edited, and is taken for one piece")
    if times is not None and len(times) != len(chunks or ()):
        times = None
    answered = msgspec.structs.replace(
        call,
        status=_code(status.get("code"), extra, what),
        reason=yaml_text.text(status["message"], f"the message of {what}") if "message" in status else "",
        http_version=call.http_version or _text(fields, "http_version"),
        headers=_restored(headers, extra.dropped),
        chunks=((body,) if decoded is None else (decoded,)) if chunks is None else chunks,
        times=times,
    )
    kept = {
        "response_as": None if parsed is None else "parsed_body",
        "as_is": bool(body and _codings(headers) and decoded is None),
        "response_body": _rest(holder, "response_body"),
        "status": _rest(status, "status"),
    }
    return answered, kept


def _status(fields: _Fields, what: str) -> dict[str, Node]:
    """The members of `status`, in either shape that VCR.py has for it."""
    if "status_code" in fields:  # for httpx, before VCR.py 6
        return {"code": fields["status_code"]}
    node = fields.get("status")
    return {} if node is None else yaml_text.entries(node, f"the status of {what}")


def _body_holder(fields: _Fields, what: str) -> dict[str, Node]:
    node = fields.get("body")
    return {} if node is None or yaml_text.is_null(node) else yaml_text.entries(node, f"the response body of {what}")


def _code(node: Node | None, extra: _Extra, what: str) -> int | None:
    if extra.at is not None:
        return None
    code = "" if node is None else yaml_text.text(node, f"the code of {what}")
    if not re.fullmatch("[0-9]{1,9}", code):
        found = f"has {code[:40]!r} as" if code else "has no"
        raise TapeFormatError(
            f"{found} status `code` in {what}: it is torn there, or edited. Restore the file, or record it again."
        )
    return int(code)


def _text(fields: _Fields, name: str) -> str:
    return yaml_text.text(fields[name], f"`{name}`") if name in fields else ""


def _restored(headers: Headers, dropped: Iterable[tuple[int, str, str]]) -> Headers:
    pairs = list(headers)
    for at, name, value in dropped:
        pairs.insert(at, (name, value))
    return tuple(pairs)


def _rest(fields: _Fields, part: str) -> dict[str, Any]:
    """The fields of a mapping that have no place in an interaction."""
    return {name: json_text.plain(node) for name, node in fields.items() if name not in _OURS[part]}


# Content encodings


def _codings(headers: Headers) -> str:
    """The content encodings that the headers name, in lower case; "" for none."""
    named = [value.strip().lower() for name, value in headers if name.lower() == "content-encoding"]
    return ", ".join(coding for coding in named if coding not in ("", "identity"))


def _decoded(headers: Headers, body: bytes) -> bytes | None:
    """The body without its content encoding; None where there is none, or the body is not in it."""
    decode = _DECODERS.get(_codings(headers))
    if decode is None or not body:
        return None
    try:
        return decode(body)
    except (OSError, EOFError, zlib.error):
        return None


def _inflate(body: bytes) -> bytes:
    """`deflate`, with the header that RFC 9110 asks for, or without it, as some servers send it."""
    for window in (zlib.MAX_WBITS, -zlib.MAX_WBITS):
        stream = zlib.decompressobj(window)
        try:
            inflated = stream.decompress(body)
        except zlib.error:
            continue
        if stream.eof and not stream.unused_data:
            return inflated
    raise zlib.error("not deflated, or not whole")


_DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "x-gzip": gzip.decompress,
    "deflate": _inflate,
}


# Bodies that stand in a cassette as the data that they are the JSON of

_FLOAT = re.compile(rf"{json_text.INTEGER.pattern}\.[0-9]+(?:[eE][-+][0-9]+)?")
_BOOLEANS = {
    spelling: value
    for words, value in (("true yes on", b"true"), ("false no off", b"false"))
    for word in words.split()
    for spelling in (word, word.title(), word.upper())
}
"""What YAML 1.1, PyYAML's, takes for numbers and truth, as far as JSON has them. `1e5` is text there."""


def _parsed(fields: _Fields) -> bytes | None:
    """The JSON of `parsed_body`, which some serializers write in place of a body."""
    node = fields.get("parsed_body")
    return None if node is None or yaml_text.is_null(node) else _compact(node)


def _compact(node: Node) -> bytes:
    """The JSON of a node without white space, with numbers as they are written."""
    if node.id == "mapping":
        members = yaml_text.entries(node, "a body").items()
        return b"{%b}" % b",".join([msgspec.json.encode(name) + b":" + _compact(value) for name, value in members])
    if node.id == "sequence":
        return b"[%b]" % b",".join([_compact(item) for item in yaml_text.items(node, "a body")])
    if yaml_text.is_null(node):
        return b"null"
    text = yaml_text.text(node, "a body")
    if node.style or node.tag not in (json_text.UNTAGGED, json_text.BARE):
        return msgspec.json.encode(text)
    if node.tag == json_text.BARE or json_text.INTEGER.fullmatch(text) or _FLOAT.fullmatch(text):
        return text.encode()
    return _BOOLEANS.get(text) or msgspec.json.encode(text)


def _restorable(body: bytes, serializer: _Serializer) -> Any:
    """The data that reads back as this very body; None where there is none."""
    try:
        data = json.loads(body)
        root = serializer.compose(serializer.document({"body": data}))
        if root is not None and _compact(yaml_text.entries(root, "a body")["body"]) == body:
            return data
    except (TapeFormatError, ValueError, RecursionError):
        pass
    return None


# Writing


def dump(tape: Tape) -> bytes:
    """The cassette of a tape, in YAML.

    Raises:
        TapeFormatError: the tape holds what is neither text nor plain data.
    """
    return _dump(tape, _YAML)


def dump_json(tape: Tape) -> bytes:
    """The cassette of a tape, in JSON.

    Raises:
        TapeFormatError: the tape holds what is neither text nor plain data, or a body that is not text.
    """
    return _dump(tape, _JSON)


def _dump(tape: Tape, serializer: _Serializer) -> bytes:
    rest = _own_meta(tape)
    meta = {name: value for name, value in tape.meta.items() if not (rest and name == _KEY)}
    calls: list[dict[str, Any]] = []
    tools: list[dict[str, Any]] = []
    unanswered: list[dict[str, Any]] = []
    for at, effect in enumerate(tape.effects):
        if isinstance(effect, ToolRun):
            tools.append(cassettes.set_fields(effect) | {"at": at})
        elif effect.status is None:
            unanswered.append(_record(effect, serializer, at))
        else:
            calls.append(_record(effect, serializer, None))
    ours = _filled({"meta": meta, "tools": tools, "unanswered": unanswered})
    fields = {"interactions": calls, **({"playhead": ours} if ours else {}), **rest, "version": VERSION}
    try:
        return serializer.document(fields)
    except TapeFormatError as error:
        raise TapeFormatError(str(error).replace("a go-vcr cassette", f"a {_NAME} cassette", 1)) from error.__cause__


def _own_meta(tape: Tape) -> dict[str, Any]:
    """What is to stand at the top of the cassette as it came from there."""
    own: Any = tape.meta.get(_KEY)
    if not isinstance(own, dict):
        return {}
    fields = cast("dict[Any, Any]", own)
    fit = all(isinstance(name, str) and name not in _TOP_OURS for name in fields)
    return fields if fit else {}


def _filled(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def _record(call: Interaction, serializer: _Serializer, at: int | None) -> dict[str, Any]:
    wanted = _wanted(call)
    request_as, request_data = _held(call.request.body, wanted.request_as, serializer)
    response_as, response_data = _held(call.body, None if wanted.response_body else wanted.response_as, serializer)
    as_is = wanted.as_is and _is_as_is(call)
    headers, dropped = (call.headers, ()) if as_is else _true_headers(call)
    kept = msgspec.structs.replace(wanted, request_as=request_as, response_as=response_as, as_is=as_is)
    record: dict[str, Any] = {"request": _request_record(call.request, kept, request_data)}
    beside = wanted.response or wanted.response_body or wanted.status
    if at is None or call.reason or call.headers or call.chunks or beside:
        record["response"] = _response_record(call, headers, kept, response_data)
    record |= kept.interaction
    if extra := cassettes.set_fields(_extra(call, headers, dropped, _other(call, kept), at)):
        record["playhead"] = extra
    return record


def _wanted(call: Interaction) -> _Kept:
    """How the cassette that the interaction came from held it; as usual where it came from none, or from another
    Playhead's."""
    own: Any = call.foreign.get(_KEY)
    try:
        kept = msgspec.convert(own, _Kept)
    except msgspec.ValidationError:
        return _Kept()
    clash = any(_OURS[part] & set(getattr(kept, part)) for part in _OURS)
    return _Kept() if clash else kept


def _other(call: Interaction, kept: _Kept) -> dict[str, Any]:
    """What is in `foreign` and will not be seen from the cassette's own fields."""
    own = call.foreign.get(_KEY)
    seen = cassettes.set_fields(kept)
    return {name: value for name, value in call.foreign.items() if name != _KEY or not seen or seen != own}


def _held(body: bytes, held_as: str | None, serializer: _Serializer) -> tuple[Any, Any]:
    """How a body is to be held, and the data for it; the bytes themselves where it cannot be held so."""
    if held_as == "text" and not body:
        return held_as, Body(b"")
    if held_as in ("body", "parsed_body"):
        data = _restorable(body, serializer)
        kinds = (dict, list) if held_as == "body" else (dict, list, str, int, float, bool)
        if type(data) in kinds:
            return held_as, data
    return None, Body(body)


def _request_record(request: Request, kept: _Kept, data: Any) -> dict[str, Any]:
    key = "parsed_body" if kept.request_as == "parsed_body" else "body"
    body = None if kept.request_as is None and not request.body else data
    fields = {key: body, "headers": cassettes.grouped(request.headers), "method": request.method, "uri": request.url}
    return fields | kept.request


def _response_record(call: Interaction, headers: Headers, kept: _Kept, data: Any) -> dict[str, Any]:
    body = {"parsed_body": data} if kept.response_as else {"body": {"string": data, **kept.response_body}}
    status = {"code": call.status, "message": call.reason}
    return {**body, "headers": cassettes.grouped(headers), "status": status | kept.status} | kept.response


def _is_as_is(call: Interaction) -> bool:
    """Whether the body is read as it stands, though a header names a content encoding."""
    return bool(call.chunks and call.body and _codings(call.headers)) and _decoded(call.headers, call.body) is None


def _true_headers(call: Interaction) -> tuple[Headers, tuple[tuple[int, str, str], ...]]:
    """The headers that are true of a body that is decoded, and the others, with their places."""
    if not (_codings(call.headers) and call.body):
        return call.headers, ()
    length = str(len(call.body))

    def is_true(name: str, value: str) -> bool:
        name = name.lower()
        return name != "content-encoding" and (name != "content-length" or value == length)

    dropped = tuple((at, *pair) for at, pair in enumerate(call.headers) if not is_true(*pair))
    return tuple(pair for pair in call.headers if is_true(*pair)), dropped


def _extra(
    call: Interaction,
    headers: Headers,
    dropped: tuple[tuple[int, str, str], ...],
    foreign: dict[str, Any],
    at: int | None,
) -> _Extra:
    body = call.body
    return _Extra(
        at=at,
        request_headers=cassettes.lost_order(call.request.headers),
        response_headers=cassettes.lost_order(headers),
        dropped=dropped,
        chunks=None if call.chunks == ((body,) if body else ()) else tuple(map(len, call.chunks)),
        foreign=foreign,
        **{name: getattr(call, name) for name in _SAME},
    )


_YAML = _Serializer("vcrpy", yaml_text.compose, yaml_text.document)
_JSON = _Serializer("vcrpy-json", json_text.compose, json_text.document)

FORMAT = Format(_YAML.name, (), load, dump)
JSON_FORMAT = Format(_JSON.name, (), load_json, dump_json)
