"""
HAR 1.2, the HTTP Archive that browsers and proxies export: http://www.softwareishard.com/blog/har-12-spec/

An entry is an interaction. Each field of it is one of ours, or follows from ours (`queryString`, `redirectURL`,
`bodySize`), or else it is kept and written back: an entry's under `har` in `Interaction.foreign`, the log's (`pages`,
`browser`, `creator`) under `har` in `Tape.meta`. Only what differs is kept, so that no header and no body is kept
twice.

What HAR has no field for stands under names that begin with an underscore, as the specification allows. They are
there only where reading the file without them would give something else:

    log._playhead             {meta, tools: [{at, lane, ...}]}      `at` is the place among all effects
    entries[]._playhead       {lane, chunks, times, ...}            `chunks` are lengths in bytes
    entries[].response._error the transport's error, as Chrome writes it
    postData._encoding        "base64", where the request's body is not UTF-8

A time is whole microseconds in HAR's `startedDateTime`, and milliseconds elsewhere.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from typing import Annotated, Any, TypeAlias, TypeVar, cast
from urllib.parse import parse_qsl, urlencode

import msgspec
from msgspec import UNSET, UnsetType

from ..._version import __version__
from ...errors import TapeFormatError
from ...http import Headers, Request, header
from ..effects import Effect, Ended, Interaction, NoAnswer, Tape, ToolRun
from ._format import Format

VERSION = "1.2"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Where a tape that does not say when it was created begins in a file that must say so."""

_Json: TypeAlias = dict[str, Any]
_Warn: TypeAlias = Callable[[str], None]
_Number: TypeAlias = float | None
_T = TypeVar("_T")


# What is read of an entry


class _Pair(msgspec.Struct, frozen=True):
    name: str
    value: str = ""


class _PostData(msgspec.Struct, frozen=True, rename="camel"):
    mime_type: str | None = None
    text: str | None = None
    params: list[_Pair] | None = None
    proposed_encoding: str | None = msgspec.field(default=None, name="encoding")
    """As the proposal for HAR 1.3 has it."""
    our_encoding: str | None = msgspec.field(default=None, name="_encoding")


class _Request(msgspec.Struct, frozen=True, rename="camel"):
    method: str
    url: str
    headers: list[_Pair] = []
    post_data: _PostData | None = None
    body_size: _Number = None


class _Content(msgspec.Struct, frozen=True, rename="camel"):
    text: str | None = None
    encoding: str | None = None
    size: _Number = None
    file: Any = msgspec.field(default=None, name="_file")
    """Playwright's name of another file that holds the body."""


class _Response(msgspec.Struct, frozen=True, rename="camel"):
    status: int
    status_text: str | None = None
    http_version: str | None = None
    headers: list[_Pair] = []
    content: _Content = _Content()
    error: Any = msgspec.field(default=None, name="_error")


class _Timings(msgspec.Struct, frozen=True):
    """Milliseconds; -1 where a phase is not known, or was not there. `ssl` is a part of `connect`."""

    blocked: _Number = None
    dns: _Number = None
    connect: _Number = None
    send: _Number = None
    wait: _Number = None
    receive: _Number = None


class _Extra(msgspec.Struct, frozen=True, kw_only=True):
    """What stands under `_playhead` in an entry, each where the rest of the entry says something else.

    Attributes:
        chunks: lengths in bytes.
        foreign: what another format left in the interaction.
    """

    lane: str | UnsetType = UNSET
    status: int | UnsetType | None = UNSET
    chunks: tuple[Annotated[int, msgspec.Meta(ge=0)], ...] | UnsetType = UNSET
    times: tuple[float, ...] | UnsetType | None = UNSET
    started_s: float | UnsetType | None = UNSET
    head_s: float | UnsetType | None = UNSET
    duration_s: float | UnsetType | None = UNSET
    ended: Ended | UnsetType = UNSET
    error: dict[str, str] | UnsetType | None = UNSET
    outcome: NoAnswer | UnsetType | None = UNSET
    superseded: bool | UnsetType = UNSET
    foreign: _Json | UnsetType = UNSET


_SIMPLE = tuple(name for name in _Extra.__struct_fields__ if name not in ("chunks", "foreign"))


class _Entry(msgspec.Struct, frozen=True, rename="camel"):
    request: _Request
    response: _Response
    started_date_time: str | None = None
    time: _Number = None
    timings: _Timings | None = None
    playhead: _Extra | None = msgspec.field(default=None, name="_playhead")


class _PlacedTool(ToolRun, frozen=True, kw_only=True):
    """A tool execution, and its place among the tape's effects."""

    at: Annotated[int, msgspec.Meta(ge=0)]


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    """What stands under `_playhead` in the log."""

    meta: _Json | UnsetType = UNSET
    tools: tuple[_PlacedTool, ...] = ()


# Reading


def load(data: bytes, name: str) -> Tape:
    """The tape of a HAR file.

    Raises:
        TapeFormatError: it is not HAR, is empty, torn, of an unknown version, or holds what is not HTTP.
    """
    try:
        return _tape(data)
    except TapeFormatError as error:
        raise TapeFormatError(f"tape {name!r} {error}") from error.__cause__
    except RecursionError:
        raise TapeFormatError(f"tape {name!r} is nested too deeply to be a HAR file.") from None


def _tape(data: bytes) -> Tape:
    warnings: list[str] = []
    log = _log(data, warnings.append)
    entries = _entries(log)
    head = _convert(log.get("_playhead", {}), _Head, "a `log._playhead`", "Delete it to read the rest.")
    rest = _log_rest(log)
    meta = ({"har": rest} if rest else {}) | (_began(entries) if head.meta is UNSET else head.meta)
    began = _beginning(meta)
    calls = [_call(raw, f"entry {number}", began, warnings.append) for number, raw in enumerate(entries)]
    return Tape(_merged(calls, head.tools), meta, format=FORMAT.name, warnings=tuple(warnings))


def _log(data: bytes, warn: _Warn) -> _Json:
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        raise TapeFormatError("is empty: nothing was recorded. Delete it, or record it again.")
    if data.startswith(b'{"playhead":"tape"'):
        raise TapeFormatError("holds a tape in Playhead's own format: let its name end in .jsonl.")
    try:
        root: Any = msgspec.json.decode(data)
    except (msgspec.DecodeError, ValueError) as error:
        raise TapeFormatError(f"is not a HAR file, or is torn: it is not JSON ({error}). Export it again.") from error
    log = _object(root).get("log")
    if not isinstance(log, dict):
        raise TapeFormatError(
            f"is not a HAR file: it should be an object with an object `log`, but {_shape(root)}. "
            "Is it another kind of file?"
        )
    for key in _object(root):
        if key != "log":
            warn(f"the key {key[:40]!r} beside `log` is not HAR's and is left out")
    return cast("_Json", log)


def _entries(log: _Json) -> list[_Json]:
    version: Any = log.get("version", "1.1")  # The specification's default.
    if version not in ("", "1.1", "1.2", "1.3"):
        raise TapeFormatError(
            f"is of HAR version {str(version)[:40]!r}, and this Playhead reads 1.1 to 1.3: export it again."
        )
    return _convert(log.get("entries"), list[_Json], "`log.entries`", "Export it again.")


def _convert(value: Any, kind: type[_T], what: str, advice: str) -> _T:
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, ValueError) as error:
        raise TapeFormatError(f"has {what} that cannot be read: {error}. {advice}") from error


def _entry(raw: _Json, what: str) -> _Entry:
    return _convert(raw, _Entry, f"an {what}", "Take it out of the file, or export it again.")


def _call(raw: _Json, what: str, began: datetime, warn: _Warn) -> Interaction:
    entry = _entry(raw, what)
    _refuse_other_protocols(raw, entry, what)
    try:
        return _interaction(raw, entry, began, lambda oddity: warn(f"{what}: {oddity}"))
    except (ValueError, OverflowError) as error:
        raise TapeFormatError(
            f"has an {what} that cannot be read: {error}. Correct it, or export it again."
        ) from error


def _refuse_other_protocols(raw: _Json, entry: _Entry, what: str) -> None:
    """Whoever exports a whole browser session finds more in it than HTTP."""
    found = None
    if raw.get("_webSocketMessages") or raw.get("_resourceType") == "websocket":
        found = "a WebSocket conversation"
    elif re.match(r"application/grpc($|[+;])", header(_pairs(entry.request.headers), "content-type") or ""):
        found = "a gRPC call"
    elif not _is_http(entry.request.url) and entry.playhead is None:
        found = f"a URL that begins with {entry.request.url.partition(':')[0][:20] + ':'!r}"
    if found:
        raise TapeFormatError(
            f"has {found} in {what}, and Playhead holds HTTP alone. Take the entry out of the file, or export it "
            "again without it."
        )


def _is_http(url: str) -> bool:
    scheme = re.match("([A-Za-z][A-Za-z0-9+.-]*):", url)
    return scheme is None or scheme[1].lower() in ("http", "https")


def _interaction(raw: _Json, entry: _Entry, began: datetime, warn: _Warn) -> Interaction:
    extra = entry.playhead or _Extra()
    call = _completed(_plain(entry, began, warn), extra, warn)
    foreign = {} if extra.foreign is UNSET else extra.foreign
    in_base64 = entry.response.content.encoding == "base64"
    entry_fields = {name: value for name, value in raw.items() if name != "_playhead"}
    rest = _beyond(entry_fields, _record(call, began, in_base64=in_base64))
    return msgspec.structs.replace(call, foreign=({"har": rest} if rest else {}) | foreign)


def _plain(entry: _Entry, began: datetime, warn: _Warn) -> Interaction:
    """The interaction as HAR alone says it."""
    response = entry.response
    body = _body(response.content, warn)
    # Browsers give the status 0 to what was blocked, or failed before a response came.
    status = response.status or None
    error = _error(response)
    return Interaction(
        request=_request(entry.request, warn),
        status=status,
        reason=response.status_text or "",
        http_version=response.http_version or "",
        headers=_pairs(response.headers),
        chunks=(body,) if body else (),
        started_s=_since(began, entry.started_date_time),
        head_s=_head_s(entry.timings) if status else None,
        duration_s=_seconds([entry.time]),
        ended="failed" if error or not status else "complete",
        error=error,
    )


def _request(request: _Request, warn: _Warn) -> Request:
    body = _request_body(request.post_data or _PostData(), warn)
    if not body and (request.body_size or 0) > 0:
        warn(f"the request's body of {request.body_size:.0f} bytes is not in the file")
    return Request(request.method, request.url, _pairs(request.headers), body)


def _request_body(post: _PostData, warn: _Warn) -> bytes:
    if post.text:
        encoding = post.our_encoding or post.proposed_encoding
        return _from_base64(post.text, "request") if encoding == "base64" else post.text.encode()
    if not post.params:
        return b""
    if (post.mime_type or "").lower().startswith("multipart/"):
        warn("the request's form is there, but not its bytes")
        return b""
    return urlencode([(pair.name, pair.value) for pair in post.params]).encode()


def _body(content: _Content, warn: _Warn) -> bytes:
    if not content.text:
        if content.file is not None or (content.size or 0) > 0:
            warn("the response's body was left out when the file was exported")
        return b""
    if content.encoding == "base64":
        return _from_base64(content.text, "response")
    if content.encoding:
        warn(f"the encoding {content.encoding[:40]!r} of the response's body is not known: it is taken for text")
    return content.text.encode()


def _from_base64(text: str, what: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise ValueError(f"the {what}'s body is not base64, as it says ({error})") from error


def _error(response: _Response) -> dict[str, str] | None:
    """The error as Chrome writes it, such as `net::ERR_CONNECTION_REFUSED`."""
    message: Any = response.error
    if not isinstance(message, str) or not message:
        return None
    kind = "timeout" if "TIMED_OUT" in message else "disconnect" if response.status else "connect"
    return {"kind": kind, "message": message}


def _completed(call: Interaction, extra: _Extra, warn: _Warn) -> Interaction:
    """The interaction with what Playhead alone holds."""
    values = {name: getattr(extra, name) for name in _SIMPLE}
    known = {name: value for name, value in values.items() if value is not UNSET}
    if extra.chunks is not UNSET:
        known["chunks"] = _cut(call.body, extra.chunks)
    times = known.get("times")
    if known.get("chunks", ()) is None or (times is not None and len(times) != len(known.get("chunks", call.chunks))):
        warn("the response's body was edited, and is taken for one piece")
        known |= {"chunks": call.chunks, "times": None}
    return msgspec.structs.replace(call, **known)


def _cut(body: bytes, lengths: tuple[int, ...]) -> tuple[bytes, ...] | None:
    """The body in pieces of these lengths; None where they do not fit."""
    if sum(lengths) != len(body):
        return None
    return tuple(body[start:end] for start, end in pairwise(accumulate(lengths, initial=0)))


def _pairs(pairs: Iterable[_Pair]) -> Headers:
    return tuple((pair.name, pair.value) for pair in pairs)


def _merged(calls: Iterable[Interaction], tools: Iterable[_PlacedTool]) -> tuple[Effect, ...]:
    effects: list[Effect] = list(calls)
    for placed in tools:
        fields = msgspec.structs.asdict(placed)
        effects.insert(fields.pop("at"), ToolRun(**fields))
    return tuple(effects)


def _object(value: Any) -> _Json:
    return cast("_Json", value) if isinstance(value, dict) else {}


def _shape(root: Any) -> str:
    if not isinstance(root, dict):
        return "is none"
    names = list(cast("_Json", root))
    if "log" in names:
        return "its `log` is none"
    listed = ", ".join(f"`{name[:40]}`" for name in names[:5]) + ", ..." * (len(names) > 5)
    return f"its keys are {listed}" if names else "is empty"


# Writing


def dump(tape: Tape) -> bytes:
    """The HAR file of a tape.

    Raises:
        TapeFormatError: the tape holds what is neither text nor plain data.
    """
    try:
        return msgspec.json.format(msgspec.json.encode({"log": _log_record(tape)}), indent=2) + b"\n"
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise TapeFormatError(f"the tape holds what HAR cannot: {error}") from error


def _log_record(tape: Tape) -> _Json:
    began = _beginning(tape.meta)
    entries = [_entry_record(number, call, began) for number, call in enumerate(tape.interactions)]
    log, meta = _overlaid(_log_facts(), kept := _object(tape.meta.get("har"))), tape.meta
    if kept and _log_rest(log) == kept:
        meta = {name: value for name, value in meta.items() if name != "har"}
    else:
        log = _log_facts()
    tools = [
        _set_fields(effect) | {"at": at} for at, effect in enumerate(tape.effects) if isinstance(effect, ToolRun)
    ]
    ours = ({"meta": meta} if meta != _began(entries) else {}) | ({"tools": tools} if tools else {})
    return log | ({"_playhead": ours} if ours else {}) | {"entries": entries}


def _set_fields(struct: msgspec.Struct) -> _Json:
    """The fields that are not as they are by default."""
    values = {field.name: (getattr(struct, field.name), field.default) for field in msgspec.structs.fields(struct)}
    return {name: value for name, (value, default) in values.items() if value != default}


def _entry_record(number: int, call: Interaction, began: datetime) -> _Json:
    seconds = (call.started_s, call.head_s, call.duration_s, *(call.times or ()))
    if not all(math.isfinite(value) for value in seconds if value is not None):
        raise TapeFormatError(
            f"the tape holds interaction {number} with a time that is no number: HAR cannot hold it."
        )
    kept = _object(call.foreign.get("har"))
    if kept:
        in_base64 = _object(_object(kept.get("response")).get("content")).get("encoding") == "base64"
        record = _overlaid(_record(call, began, in_base64=in_base64), kept)
        others = {name: value for name, value in call.foreign.items() if name != "har"}
        if finished := _finished(record, call, others, began):
            return finished
        # Else it does not fit what somebody made of the interaction since, or was never HAR's.
    if finished := _finished(_record(call, began), call, call.foreign, began):
        return finished
    raise TapeFormatError(
        f"the tape holds interaction {number}, which HAR cannot hold: its times are not those of its pieces, or a "
        "value is not of its kind."
    )


def _finished(record: _Json, call: Interaction, foreign: _Json, began: datetime) -> _Json | None:
    """The record with what HAR cannot hold; None where this interaction is not what would be read from it."""
    try:
        plain = _plain(_entry(record, "entry"), began, _pass_over)
        extra = _extra(call, plain, foreign)
        if extra or not _is_http(call.request.url):
            record = record | {"_playhead": extra}
        entry = _entry(record, "entry")
        _refuse_other_protocols(record, entry, "entry")
        return record if _interaction(record, entry, began, _pass_over) == call else None
    except (TapeFormatError, ValueError, OverflowError):
        return None


def _pass_over(_oddity: str) -> None:
    """What is odd was told when the file was read."""


def _extra(call: Interaction, plain: Interaction, foreign: _Json) -> _Json:
    extra = {name: getattr(call, name) for name in _SIMPLE if getattr(call, name) != getattr(plain, name)}
    extra |= {"chunks": [len(chunk) for chunk in call.chunks]} if call.chunks != plain.chunks else {}
    return extra | ({"foreign": foreign} if foreign else {})


def _record(call: Interaction, began: datetime, *, in_base64: bool = False) -> _Json:
    """An entry with all the fields that the specification wants, made of the interaction alone."""
    return {
        "startedDateTime": _stamp(began, call.started_s),
        "time": _milliseconds(call.head_s if call.duration_s is None else call.duration_s),
        "request": _request_record(call),
        "response": _response_record(call, in_base64=in_base64),
        "cache": {},
        "timings": _timings_record(call),
    }


def _request_record(call: Interaction) -> _Json:
    request = call.request
    query = request.url.partition("#")[0].partition("?")[2]
    record: _Json = {
        "method": request.method,
        "url": request.url,
        "httpVersion": call.http_version,
        "cookies": [],
        "headers": _named(request.headers),
        "queryString": _named(parse_qsl(query, keep_blank_values=True)),
    }
    if request.body:
        text, in_base64 = _text(request.body)
        record["postData"] = {"mimeType": header(request.headers, "content-type") or "", "text": text}
        record["postData"] |= {"_encoding": "base64"} if in_base64 else {}
    return record | {"headersSize": -1, "bodySize": len(request.body)}


def _response_record(call: Interaction, *, in_base64: bool) -> _Json:
    body = call.body
    content: _Json = {"size": len(body), "mimeType": header(call.headers, "content-type") or ""}
    text, needs_base64 = _text(body)
    if needs_base64:
        content |= {"text": text, "encoding": "base64"}
    else:
        # A browser may write base64 where there is no need. That it did so is kept; the body is not.
        content["text"] = base64.b64encode(body).decode() if in_base64 else text
    record: _Json = {
        "status": call.status or 0,
        "statusText": call.reason,
        "httpVersion": call.http_version,
        "cookies": [],
        "headers": _named(call.headers),
        "content": content,
        "redirectURL": header(call.headers, "location") or "",
        "headersSize": -1,
        "bodySize": -1,
    }
    message = (call.error or {}).get("message")
    return record | ({"_error": message} if message else {})


def _timings_record(call: Interaction) -> dict[str, float]:
    """All of the time, in the phases that must be there."""
    head, duration = call.head_s, call.duration_s
    if head is None or duration is None:
        return {"send": 0, "wait": _milliseconds(duration if head is None else head), "receive": 0}
    return {"send": 0, "wait": _milliseconds(head), "receive": _milliseconds(duration - head)}


def _text(body: bytes) -> tuple[str, bool]:
    """The body as a text of JSON, and whether it is in base64."""
    try:
        return body.decode(), False
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), True


def _named(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]


# The log's own fields


def _log_facts() -> _Json:
    return {"version": VERSION, "creator": {"name": "playhead", "version": __version__}, "pages": []}


def _log_rest(log: _Json) -> _Json:
    ours = {"version", "entries", "_playhead"}
    if _object(log.get("creator")).get("name") == "playhead":
        ours.add("creator")  # Whatever its version, this one writes it again.
    return _beyond({name: value for name, value in log.items() if name not in ours}, _log_facts())


def _began(entries: Iterable[_Json]) -> _Json:
    """The facts about a tape that follow from its entries: it began with the first."""
    stamps: Iterator[Any] = (entry.get("startedDateTime") for entry in entries)
    first = next((stamp for stamp in stamps if isinstance(stamp, str)), None)
    return {} if first is None else {"created": first}


def _beginning(meta: Mapping[str, Any]) -> datetime:
    created = meta.get("created")
    return (_date(created) if isinstance(created, str) else None) or _EPOCH


# What is kept of a file, and put back


def _beyond(raw: _Json, ours: _Json) -> _Json:
    """The fields of `raw` that are not as in `ours`, without what is alike inside of them."""
    return dict(_differences(raw, ours))


def _differences(raw: _Json, ours: _Json) -> Iterator[tuple[str, Any]]:
    for name, value in raw.items():
        if name not in ours:
            yield name, value
        elif value == ours[name]:
            continue
        elif isinstance(value, dict) and isinstance(ours[name], dict):
            if rest := _beyond(cast("_Json", value), ours[name]):
                yield name, rest
        elif pairs := _paired(value, ours[name]):
            rests = [_beyond(item, known) for item, known in pairs]
            if any(rests):
                yield name, rests
        else:
            yield name, value


def _overlaid(ours: _Json, rest: _Json) -> _Json:
    """The inverse of `_beyond`: `ours`, with the rest laid over it."""
    merged = dict(ours)
    for name, value in rest.items():
        known = ours.get(name)
        if isinstance(value, dict) and isinstance(known, dict):
            merged[name] = _overlaid(cast("_Json", known), cast("_Json", value))
        elif pairs := _paired(known, value):
            merged[name] = [_overlaid(item, more) for item, more in pairs]
        else:
            merged[name] = value
    return merged


def _paired(one: Any, other: Any) -> list[tuple[_Json, _Json]]:
    """The items of two lists of as many objects, side by side; none where they are anything else."""
    if not isinstance(one, list) or not isinstance(other, list):
        return []
    items, others = cast("list[Any]", one), cast("list[Any]", other)
    alike = len(items) == len(others) and all(isinstance(item, dict) for item in (*items, *others))
    return list(zip(items, others, strict=True)) if alike else []


# Times: seconds here, milliseconds and dates there


def _seconds(milliseconds: Iterable[_Number]) -> float | None:
    """The sum of what is known; None where nothing is. Nanoseconds at most: behind them stand errors of sums."""
    known = [value for value in milliseconds if value is not None and value >= 0]
    total = sum(known) / 1000
    return round(total, 9) if known and math.isfinite(total) else None


def _head_s(timings: _Timings | None) -> float | None:
    if timings is None or timings.wait is None or timings.wait < 0:
        return None
    return _seconds([timings.blocked, timings.dns, timings.connect, timings.send, timings.wait])


def _milliseconds(seconds: float | None) -> float:
    """As HAR wants it: a number that is not negative."""
    value = (seconds or 0) * 1000
    return max(round(value, 6), 0) if math.isfinite(value) else 0


def _date(text: str) -> datetime | None:
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _since(began: datetime, text: str | None) -> float | None:
    if not text:
        return None
    date = _date(text)
    if date is None:
        raise ValueError(f"its `startedDateTime` {text[:40]!r} is not a date of ISO 8601")
    return (date - began).total_seconds()


def _stamp(began: datetime, seconds: float | None) -> str:
    """A date as browsers write it: milliseconds, where they suffice, and `Z` for UTC."""
    try:
        date = began + timedelta(seconds=seconds or 0)
    except (OverflowError, ValueError):
        date = began
    text = date.isoformat(timespec="microseconds" if date.microsecond % 1000 else "milliseconds")
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


FORMAT = Format("har", (".har",), load, dump)
