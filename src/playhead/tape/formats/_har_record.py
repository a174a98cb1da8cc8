"""An entry of HAR with all that follows from an interaction, and a log with all that follows from nothing."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from ..._version import __version__
from ...http import header
from ..effects import Interaction
from ._har_fields import VERSION, Json, as_object
from ._har_times import milliseconds, stamp
from ._overlay import beyond


def entry_record(call: Interaction, began: datetime, *, in_base64: bool = False) -> Json:
    """An entry with all the fields that the specification wants, made of the interaction alone."""
    return {
        "startedDateTime": stamp(began, call.started_s),
        "time": milliseconds(call.head_s if call.duration_s is None else call.duration_s),
        "request": _request_record(call),
        "response": _response_record(call, in_base64=in_base64),
        "cache": {},
        "timings": _timings_record(call),
    }


def _request_record(call: Interaction) -> Json:
    request = call.request
    query = request.url.partition("#")[0].partition("?")[2]
    record: Json = {
        "method": request.method,
        "url": request.url,
        "httpVersion": call.http_version,
        "cookies": [],
        "headers": _named(request.headers),
        "queryString": _named(parse_qsl(query, keep_blank_values=True)),
    }
    if request.body:
        text, in_base64 = as_text(request.body)
        record["postData"] = {"mimeType": header(request.headers, "content-type") or "", "text": text}
        record["postData"] |= {"_encoding": "base64"} if in_base64 else {}
    return record | {"headersSize": -1, "bodySize": len(request.body)}


def _response_record(call: Interaction, *, in_base64: bool) -> Json:
    body = call.body
    content: Json = {"size": len(body), "mimeType": header(call.headers, "content-type") or ""}
    text, needs_base64 = as_text(body)
    if needs_base64:
        content |= {"text": text, "encoding": "base64"}
    else:
        # A browser may write base64 where there is no need. That it did so is kept; the body is not.
        content["text"] = base64.b64encode(body).decode() if in_base64 else text
    record: Json = {
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
        return {"send": 0, "wait": milliseconds(duration if head is None else head), "receive": 0}
    return {"send": 0, "wait": milliseconds(head), "receive": milliseconds(duration - head)}


def as_text(body: bytes) -> tuple[str, bool]:
    """The body as a text of JSON, and whether it is in base64."""
    try:
        return body.decode(), False
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), True


def _named(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]


def log_facts() -> Json:
    """The log's own fields, where nothing else is known."""
    return {"version": VERSION, "creator": {"name": "playhead", "version": __version__}, "pages": []}


def log_rest(log: Json) -> Json:
    """What a log says beyond `log_facts`."""
    ours = {"version", "entries", "_playhead"}
    if as_object(log.get("creator")).get("name") == "playhead":
        ours.add("creator")  # Whatever its version, this one writes it again.
    return beyond({name: value for name, value in log.items() if name not in ours}, log_facts())


def facts_of(entries: Iterable[Json]) -> Json:
    """The facts about a tape that follow from its entries: it began with the first."""
    stamps: Iterator[Any] = (entry.get("startedDateTime") for entry in entries)
    first = next((stamp for stamp in stamps if isinstance(stamp, str)), None)
    return {} if first is None else {"created": first}
