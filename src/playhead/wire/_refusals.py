"""
What a refusal says, in the shapes that providers use, and what it means: as a body, or as an error inside a stream.

The status says the kind first. A code refines it, where it says more than the status does, and then the message,
since some providers say the most important only there: that the conversation is too long, and by how much.

* https://platform.openai.com/docs/guides/error-codes
* https://platform.claude.com/docs/en/api/errors
* https://ai.google.dev/gemini-api/docs/troubleshooting
* https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html
* https://openrouter.ai/docs/api/reference/errors-and-debugging
* https://docs.z.ai/api-reference/api-code
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec

from ..errors import DecodeError, ProviderError
from ._json import JSONObject, first_count, loads, obj, objs, text

if TYPE_CHECKING:
    from ._refusal_kinds import Verdict

_SHOWN = 4000
"""Characters of a message that are looked at and shown."""

_TITLE = re.compile(rb"<title[^>]{0,200}>([^<]{1,500})", re.IGNORECASE)
_DATA = re.compile(rb"^data: ?(\{[^\r\n]*)", re.MULTILINE)
_KNOWN = frozenset(
    {"error", "message", "Message", "type", "code", "status", "metadata", "detail", "object", "__type"}
)
_MESSAGE_FIELDS = ("message", "Message", "error_description", "error_message", "detail")
_JSON_IN_TEXT = re.compile(r'\s*(?:\{|\[\s*\{\s*"error")')
_REQUEST_IDS = ("request_id", "requestId")


class _Said(NamedTuple):
    """What an error says: its message, its codes, the provider's own first, and all the rest."""

    message: str
    codes: tuple[str, ...]
    rest: JSONObject


def read_error(body: bytes, status: int) -> ProviderError:
    """The error that the body of a refusal reports; its text, or its title, where it is not JSON."""
    import html

    from ._refusal_kinds import STATUSES, Verdict, classify  # Both are loaded when something is refused.

    fields = _fields(body)
    if fields is not None:
        return provider_error(fields, status)
    shown = " ".join(body[:2000].decode("utf-8", "replace").split())
    title = _TITLE.search(body[:65536])
    words = html.unescape(" ".join(title[1].decode("utf-8", "replace").split())) if title else ""
    what = f"the body is a web page: {words!r}" if words else f"the body is not JSON: {shown[:200]!r}"
    verdict = classify(status, (), words or shown)
    if status not in STATUSES and verdict.kind in ("bad_request", "stream"):
        verdict = Verdict("not_json", retryable=False)
    return _error(what if shown else "the body is empty", status, verdict)


def provider_error(body: JSONObject, status: int) -> ProviderError:
    """The error that a body, or an event of a stream, reports.

    Args:
        body: what stands there, decoded. The error is its field `error`, or all of it.
        status: the response's; 200 for an event of a stream.
    """
    from ._refusal_kinds import classify  # Loaded when something is refused.

    said = _read(body, 3)
    verdict = classify(status, said.codes, said.message)
    error = _error(said.message or "no message was sent", status, verdict)
    error.code = _own(said.codes)
    error.metadata = said.rest
    fields = obj(body.get("error"))
    ids = (text(it.get(name)) for it in (body, fields) for name in _REQUEST_IDS)
    error.request_id = next(filter(None, ids), None)
    if verdict.kind == "context_length":  # llama.cpp has them as fields, too.
        error.used_tokens = first_count(verdict.used_tokens, fields.get("n_prompt_tokens"))
        error.limit_tokens = first_count(verdict.limit_tokens, fields.get("n_ctx"))
    return error


def _own(codes: Sequence[str]) -> str | None:
    """The provider's own code, which is rather a name than the status once more."""
    return next((code for code in codes if not (len(code) == 3 and code.isdecimal())), next(iter(codes), None))


def _error(message: str, status: int, verdict: Verdict) -> ProviderError:
    shown = message if len(message) <= _SHOWN else f"{message[:_SHOWN]}..."
    kind, retryable, used, limit = verdict
    return ProviderError(shown, kind=kind, status=status, retryable=retryable, used_tokens=used, limit_tokens=limit)


def _fields(body: bytes) -> JSONObject | None:
    """What a body reports, as an object; None where it is not JSON, or says nothing."""
    try:
        value: object = loads(body, "the answer")
    except DecodeError:
        event = _DATA.search(body[:65536])  # Some answer with a stream of one event.
        return _fields(event[1]) if event else None
    if isinstance(value, list):  # Google wraps it in one.
        value = next(iter(objs(cast("list[Any]", value))), None)
    if isinstance(value, str) and value.strip():
        return {"message": value}
    return cast("JSONObject", value) if isinstance(value, dict) else None


def _read(body: JSONObject, depth: int) -> _Said:
    """What a body says, and what the error of another provider says that is quoted in it."""
    error: object = body.get("error")
    fields = obj(error) or body
    metadata = obj(fields.get("metadata"))
    rest = {name: value for name, value in fields.items() if name not in _KNOWN and value is not None} | metadata
    words = (_shown(fields.get(name)) for name in _MESSAGE_FIELDS)
    message = next(filter(None, words), "") or _shown(body.get("message"))
    if text(error) and (not message or " " in text(error)):
        message = text(error)
    message = message or _shown(error)
    codes = [*_codes(fields)]
    if fields is not body:
        codes += _codes(body)
    elif text(error) and text(error) != message:
        codes.insert(0, text(error))
    if reasons := [text(reason) for reason in _items(metadata.get("reasons")) if text(reason)]:  # OpenRouter
        message = f"{message} (flagged: {', '.join(reasons)})"
    if inner := _quoted(message, depth):
        message, codes = inner.message, [*codes, *inner.codes]
    raw = metadata.get("raw")
    if inner := _quoted(raw, depth):
        message, codes = f"{message}: {inner.message}", [*codes, *inner.codes]
    elif text(raw):
        message = f"{message}: {text(raw)}"
    return _Said(message, tuple(codes), rest)


def _quoted(value: object, depth: int) -> _Said | None:
    """The error of another provider, which stands in this one as an object, or as the text of one."""
    if isinstance(value, str) and depth and _JSON_IN_TEXT.match(value):
        value = _fields(value.encode("utf-8", "replace"))
    said = _read(obj(value), depth - 1) if depth and obj(value) else None  # pyright: ignore[reportUnknownArgumentType]
    return said if said and said.message else None


def _codes(fields: JSONObject) -> Iterator[str]:
    """What an object calls its error, the most telling first."""
    inner, details = fields.get("innererror"), fields.get("details")
    metadata = obj(fields.get("metadata"))
    reasons = (it.get("reason") for it in objs(details))  # Google
    found = (
        *(fields.get(name) for name in ("code", "status", "__type", "error_type", "type")),
        *(obj(inner).get("code"), obj(details).get("error_code"), metadata.get("error_type"), *reasons),
    )
    for code in found:
        if isinstance(code, int | float) and not isinstance(code, bool) and (number := first_count(code)):
            yield str(number)
        elif isinstance(code, str) and code.strip() and code != "error":
            yield code.strip()[:200]


def _shown(value: object, depth: int = 3) -> str:
    """What stands where a message should: text, what FastAPI calls `detail`, or an object that has one."""
    if isinstance(value, str) or not value:
        return value if isinstance(value, str) else ""
    if said := [_complaint(it) for it in objs(value) if text(it.get("msg"))]:
        return "; ".join(said[:5])
    fields = obj(value)
    for name in ("message", "msg", "detail"):
        if depth and (found := _shown(fields.get(name), depth - 1)):
            return found
    try:
        return msgspec.json.encode(value).decode()[:500]
    except (TypeError, ValueError, RecursionError):
        return ""


def _complaint(item: JSONObject) -> str:
    """One thing that FastAPI does not like: where it stands, and what is wrong with it."""
    steps = (str(step) for step in _items(item.get("loc")) if isinstance(step, str) or first_count(step) is not None)
    place = ".".join(steps)
    return f"{place}: {text(item.get('msg'))}" if place else text(item.get("msg"))


def _items(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []
