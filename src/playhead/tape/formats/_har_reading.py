"""Reads HAR files."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeAlias, TypeVar, cast
from urllib.parse import urlencode

import msgspec
from msgspec import UNSET

from ...errors import TapeFormatError
from ...http import Headers, Request
from ..effects import Interaction, Tape
from . import _cassettes as cassettes
from ._har_fields import (
    SIMPLE,
    Content,
    Entry,
    Extra,
    Head,
    Json,
    Pair,
    PostData,
    RequestFields,
    ResponseFields,
    as_object,
)
from ._har_record import entry_record, facts_of, log_rest
from ._har_times import beginning, head_s, seconds, since
from ._overlay import beyond
from ._protocols import other_protocol

Warn: TypeAlias = Callable[[str], None]
_T = TypeVar("_T")


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
    version = _version(log, warnings.append)
    entries: list[Json] = _convert(log.get("entries"), list[Json], "`log.entries`", "Export it again.")
    head = _convert(log.get("_playhead", {}), Head, "a `log._playhead`", "Delete it to read the rest.")
    rest = log_rest(log)
    meta = ({"har": rest} if rest else {}) | (facts_of(entries) if head.meta is UNSET else head.meta)
    began = beginning(meta)
    calls = [_call(raw, f"entry {number}", began, warnings.append) for number, raw in enumerate(entries)]
    effects = cassettes.merged(calls, cassettes.unplaced(head.tools, head.readings))
    return Tape(effects, meta, format="har", version=version, warnings=tuple(warnings))


def _log(data: bytes, warn: Warn) -> Json:
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        raise TapeFormatError("is empty: nothing was recorded. Delete it, or record it again.")
    cassettes.refuse_own(data)
    try:
        root: Any = msgspec.json.decode(data)
    except (msgspec.DecodeError, ValueError) as error:
        raise TapeFormatError(f"is not a HAR file, or is torn: it is not JSON ({error}). Export it again.") from error
    log = as_object(root).get("log")
    if not isinstance(log, dict):
        raise TapeFormatError(
            f"is not a HAR file: it should be an object with an object `log`, but {_shape(root)}. "
            "Is it another kind of file?"
        )
    for key in as_object(root):
        if key != "log":
            warn(f"the key {key[:40]!r} beside `log` is not HAR's and is left out")
    return cast("Json", log)


def _version(log: Json, warn: Warn) -> float:
    version: Any = log.get("version") or "1.1"  # The specification's default.
    if version not in ("1.1", "1.2", "1.3"):
        raise TapeFormatError(
            f"is of HAR version {str(version)[:40]!r}, and this Playhead reads 1.1 to 1.3: export it again."
        )
    if version == "1.3":
        warn("HAR 1.3 was never finished: the file is read as HAR 1.2, and what is new in 1.3 is kept as it is")
    return float(version)


def _convert(value: Any, kind: type[_T], what: str, advice: str) -> _T:
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, ValueError) as error:
        raise TapeFormatError(f"has {what} that cannot be read: {error}. {advice}") from error


def read_entry(raw: Json, what: str) -> Entry:
    """The fields of an entry."""
    return _convert(raw, Entry, f"an {what}", "Take it out of the file, or export it again.")


def _call(raw: Json, what: str, began: datetime, warn: Warn) -> Interaction:
    entry = read_entry(raw, what)
    refuse_other_protocols(raw, entry, what)
    try:
        return read_interaction(raw, entry, began, lambda oddity: warn(f"{what}: {oddity}"))
    except (ValueError, OverflowError) as error:
        raise TapeFormatError(
            f"has an {what} that cannot be read: {error}. Correct it, or export it again."
        ) from error


def refuse_other_protocols(raw: Json, entry: Entry, what: str) -> None:
    """Whoever exports a whole browser session finds more in it than HTTP."""
    asked = entry.request
    found = other_protocol(Request(asked.method, asked.url, _pairs(asked.headers), b""))
    if raw.get("_webSocketMessages") or raw.get("_resourceType") == "websocket":
        found = "a WebSocket conversation"
    elif not found and not is_http(asked.url) and entry.playhead is None:
        found = f"a URL that begins with {asked.url.partition(':')[0][:20] + ':'!r}"
    if found:
        raise TapeFormatError(
            f"has {found} in {what}, and Playhead holds HTTP alone. Take the entry out of the file, or export it "
            "again without it."
        )


def is_http(url: str) -> bool:
    """Whether a URL is one of HTTP, or has no scheme."""
    scheme = re.match("([A-Za-z][A-Za-z0-9+.-]*):", url)
    return scheme is None or scheme[1].lower() in ("http", "https")


def read_interaction(raw: Json, entry: Entry, began: datetime, warn: Warn) -> Interaction:
    """The interaction of an entry, with what is kept of it.

    Args:
        raw: the entry as it stands in the file.
        entry: its fields.
        began: when the tape began.
        warn: told what is odd.
    """
    extra = entry.playhead or Extra()
    call = _completed(plain(entry, began, warn), extra, warn)
    foreign = {} if extra.foreign is UNSET else extra.foreign
    in_base64 = entry.response.content.encoding == "base64"
    entry_fields = {name: value for name, value in raw.items() if name != "_playhead"}
    rest = beyond(entry_fields, entry_record(call, began, in_base64=in_base64))
    return msgspec.structs.replace(call, foreign=({"har": rest} if rest else {}) | foreign)


def plain(entry: Entry, began: datetime, warn: Warn) -> Interaction:
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
        started_s=since(began, entry.started_date_time),
        head_s=head_s(entry.timings) if status else None,
        duration_s=seconds([entry.time]),
        ended="failed" if error or not status else "complete",
        error=error,
    )


def _request(request: RequestFields, warn: Warn) -> Request:
    body = _request_body(request.post_data or PostData(), warn)
    if not body and (request.body_size or 0) > 0:
        warn(f"the request's body of {request.body_size:.0f} bytes is not in the file")
    return Request(request.method, request.url, _pairs(request.headers), body)


def _request_body(post: PostData, warn: Warn) -> bytes:
    if post.text:
        encoding = post.our_encoding or post.proposed_encoding
        return _from_base64(post.text, "request") if encoding == "base64" else post.text.encode()
    if not post.params:
        return b""
    if (post.mime_type or "").lower().startswith("multipart/"):
        warn("the request's form is there, but not its bytes")
        return b""
    return urlencode([(pair.name, pair.value) for pair in post.params]).encode()


def _body(content: Content, warn: Warn) -> bytes:
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


def _error(response: ResponseFields) -> dict[str, str] | None:
    """The error as Chrome writes it, such as `net::ERR_CONNECTION_REFUSED`."""
    message: Any = response.error
    if not isinstance(message, str) or not message:
        return None
    kind = "timeout" if "TIMED_OUT" in message else "disconnect" if response.status else "connect"
    return {"kind": kind, "message": message}


def _completed(call: Interaction, extra: Extra, warn: Warn) -> Interaction:
    """The interaction with what Playhead alone holds."""
    values = {name: getattr(extra, name) for name in SIMPLE}
    known = {name: value for name, value in values.items() if value is not UNSET}
    if extra.chunks is not UNSET:
        known["chunks"] = cassettes.cut(call.body, extra.chunks)
    if known.get("chunks", ()) is None:
        warn("the response's body was edited, and is taken for one piece")
        known |= {"chunks": call.chunks, "times": None}
    known["times"] = cassettes.fitting(known.get("times"), known.get("chunks", call.chunks), warn)
    return msgspec.structs.replace(call, **known)


def _pairs(pairs: Iterable[Pair]) -> Headers:
    return tuple((pair.name, pair.value) for pair in pairs)


def _shape(root: Any) -> str:
    if not isinstance(root, dict):
        return "is none"
    names = list(cast("Json", root))
    if "log" in names:
        return "its `log` is none"
    listed = ", ".join(f"`{name[:40]}`" for name in names[:5]) + ", ..." * (len(names) > 5)
    return f"its keys are {listed}" if names else "is empty"
