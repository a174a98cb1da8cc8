"""
What both directions of the Gemini format share: the parts of a content.

What an issuer wants back with a part stands in its `Opaque` data:

* `thoughtSignature`: as it came, on that very part;
* `at`: where in the text the part begins that carried it; what stands before came without. In a stream a signature
  often comes on an empty text behind everything;
* `id`: the id of a call, where the issuer sent one; made-up ones are never sent;
* `more`: other fields of the part, `call` of the call in it;
* `thought`: that reasoning came from here. Its text is a summary for readers and is not sent back unless it is signed
  or, `sent`, stood in somebody's request;
* `ran`: that code was run here: it goes back with its result or not at all;
* `part`: all of a part of a kind that is not known;
* `outcome`, `response`, `displayName`: what the neutral form has no word for.

https://ai.google.dev/api/caching#Content, https://ai.google.dev/gemini-api/docs/thought-signatures
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import msgspec

from ...errors import CodecError, DecodeError, EncodeError
from ...messages import MediaPart, Opaque, ReasoningPart, RefusalPart, TextPart, ToolCallPart, ToolResultPart
from .._json import JSONObject, loads, obj, text
from .._report import Report
from ._schema import camel

NAME = "gemini"

CODE = "code_execution"

UNKNOWN_TYPE = "application/octet-stream"

_MEDIA_KEYS = frozenset({"inlineData", "fileData", "thoughtSignature"})
_RESULT_KEYS = frozenset({"codeExecutionResult", "thoughtSignature"})
_OUTCOME_OK = "OUTCOME_OK"


def fields(value: JSONObject) -> JSONObject:
    """An object with the names of its fields in camel case; what is in them stays as it is."""
    return {camel(name): item for name, item in value.items()}


def compact(value: object, what: str) -> str:
    """A value as compact JSON.

    Raises:
        DecodeError: it is nested too deeply.
    """
    try:
        return msgspec.json.encode(value).decode()
    except (ValueError, RecursionError):
        raise DecodeError(f"{what} cannot be said as JSON: it may be nested too deeply") from None


def noted(part: JSONObject, known: frozenset[str]) -> JSONObject:
    """What the issuer wants back with a part: its signature, and the fields that are not `known`."""
    data: JSONObject = {}
    if signature := text(part.get("thoughtSignature")):
        data["thoughtSignature"] = signature
    if more := {key: value for key, value in part.items() if key not in known and value is not None}:
        data["more"] = more
    return data


def marks(data: JSONObject) -> JSONObject:
    """The fields of a part that stand beside what it says."""
    signature = text(data.get("thoughtSignature"))
    return obj(data.get("more")) | ({"thoughtSignature": signature} if signature else {})


def read_bytes(value: object) -> bytes | None:
    """Base64 in either alphabet, padded or not; None where it is none."""
    try:
        plain = text(value).replace("-", "+").replace("_", "/").rstrip("=")
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def read_media(part: JSONObject, origin: str | None) -> MediaPart | None:
    """A file that a part holds or names; None where it does neither."""
    inline, named = fields(obj(part.get("inlineData"))), fields(obj(part.get("fileData")))
    inner = inline or named
    kind = text(inner.get("mimeType")) or UNKNOWN_TYPE
    data = noted(part, _MEDIA_KEYS)
    filename = text(inner.get("displayName")) or None
    if filename:
        data["displayName"] = filename
    opaque = Opaque(NAME, data, origin) if data else None
    if inline:
        held = read_bytes(inline.get("data"))
        return None if held is None else MediaPart(kind, held, filename=filename, opaque=opaque)
    uri = text(named.get("fileUri"))
    if not uri:
        return None
    own = is_file(uri)
    return MediaPart(kind, url=None if own else uri, file_id=uri if own else None, filename=filename, opaque=opaque)


def is_file(uri: str) -> bool:
    """Whether an address is that of a file which was uploaded before, and not one for everybody."""
    try:
        found = urlsplit(uri)
    except ValueError:
        return True
    return found.scheme not in ("http", "https") or "/files/" in found.path


def write_media(part: MediaPart, data: JSONObject) -> JSONObject:
    """A file.

    Raises:
        EncodeError: there is nothing to send.
    """
    named: JSONObject = {"displayName": data["displayName"]} if text(data.get("displayName")) else {}
    if part.data is not None:
        held = {"mimeType": part.media_type, "data": base64.b64encode(part.data).decode()}
        return {"inlineData": held | named} | marks(data)
    if uri := part.file_id or part.url:
        # Who sends no type (of a video on YouTube) means that it is found out; this one is refused.
        kind = {} if part.media_type == UNKNOWN_TYPE else {"mimeType": part.media_type}
        return {"fileData": kind | {"fileUri": uri} | named} | marks(data)
    raise EncodeError(f"a {part.media_type} part has no `data`, `url` or `file_id`")


def write_words(part: TextPart | RefusalPart | ReasoningPart, data: JSONObject) -> Iterator[JSONObject]:
    """Text or reasoning, in the pieces in which it came."""
    if whole := obj(data.get("part")):
        yield whole
        return
    thought: JSONObject = {"thought": True} if isinstance(part, ReasoningPart) else {}
    at: object = data.get("at", 0)
    at = at if isinstance(at, int) and 0 < at <= len(part.text) else 0
    if at:
        yield {"text": part.text[:at]} | thought
    yield {"text": part.text[at:]} | thought | marks(data)


def write_call(call: ToolCallPart, id: str, data: JSONObject, report: Report) -> JSONObject:
    """A call; without an id where the issuer sent none."""
    said: JSONObject = {"name": call.name, "args": arguments(call, report)} | obj(data.get("call"))
    return {"functionCall": {"id": id} | said if id else said} | marks(data)


def arguments(call: ToolCallPart, report: Report) -> JSONObject:
    """A call's arguments as the object that they must be here."""
    try:
        value: Any = loads(call.arguments.encode("utf-8", "replace"), "the arguments") if call.arguments else {}
    except CodecError:
        value = None
    if isinstance(value, dict):
        return obj(value)  # pyright: ignore[reportUnknownArgumentType]
    report.lost(f"the arguments of a call to {call.name!r} are no JSON object, and were sent as text in one")
    return {"arguments": call.arguments}


def write_code(call: ToolCallPart, data: JSONObject, report: Report) -> JSONObject:
    """Code that the provider ran."""
    code = arguments(call, report)
    id: JSONObject = {"id": data["id"]} if text(data.get("id")) else {}
    said = {"language": text(code.get("language")) or "PYTHON", "code": text(code.get("code")) or call.arguments}
    return {"executableCode": id | code | said} | marks(data)


def read_code_result(part: JSONObject, call_id: str, origin: str | None) -> ToolResultPart:
    """What code gave that the provider ran."""
    result = fields(obj(part.get("codeExecutionResult")))
    outcome = text(result.get("outcome"))
    data = noted(part, _RESULT_KEYS) | {
        key: value for key, value in result.items() if key != "output" and value is not None
    }
    return ToolResultPart(
        text(result.get("id")) or call_id or CODE,
        CODE,
        text(result.get("output")),
        outcome not in ("", _OUTCOME_OK),
        opaque=Opaque(NAME, data, origin) if data else None,
    )


def write_code_result(part: ToolResultPart, data: JSONObject) -> JSONObject:
    """The same."""
    outcome = "OUTCOME_FAILED" if part.is_error else _OUTCOME_OK
    said: JSONObject = {"outcome": outcome} if "outcome" not in data else {}
    said |= {key: value for key, value in data.items() if key not in ("thoughtSignature", "more")}
    if part.text:
        said["output"] = part.text
    return {"codeExecutionResult": said} | marks(data)
