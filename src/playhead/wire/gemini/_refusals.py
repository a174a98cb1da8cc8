"""
Refusals as Google says them: `{"error": {"code", "message", "status", "details"}}`, sometimes in a list.

https://cloud.google.com/apis/design/errors
"""

from __future__ import annotations

from ...errors import DecodeError, PlayheadError, ProviderError
from .._json import JSONObject, loads, number, obj, objs, text, to_json
from .._refusals import provider_error
from .._refusals import read_error as read_any_error
from .._status import status_of

_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""What Google calls a status. https://cloud.google.com/apis/design/errors#handling_errors"""

_STATUSES = {name: status for status, name in reversed(_NAMES.items())} | {
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "ALREADY_EXISTS": 409,
    "DEADLINE_EXCEEDED": 504,
    "DATA_LOSS": 500,
    "UNKNOWN": 500,
}

_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"


def read_error(body: bytes, status: int) -> ProviderError:
    """The error that the body of a refusal reports; its text, where it is not JSON."""
    try:
        value: object = loads(body, "the answer")
    except DecodeError:
        return read_any_error(body, status)
    if isinstance(value, list):
        value = next(iter(objs(value)), None)  # pyright: ignore[reportUnknownArgumentType]
    return refusal(obj(value), status) if isinstance(value, dict) else read_any_error(body, status)  # pyright: ignore[reportUnknownArgumentType]


def refusal(body: JSONObject, status: int) -> ProviderError:
    """The error that a body, or an event of a stream, reports."""
    error = provider_error(body, status)
    for detail in objs(error.metadata.get("details")):
        delay = text(detail.get("retryDelay"))
        if text(detail.get("@type")).endswith("RetryInfo") and delay.endswith("s"):
            wait = number(delay[:-1])
            error.retry_after = wait if wait is not None and wait >= 0 else error.retry_after
    return error


def encode_error(error: PlayheadError) -> tuple[int, bytes]:
    """A refusal: the status, and the body."""
    status, body = _refused(error)
    return status, to_json(body)


def error_body(error: PlayheadError) -> JSONObject:
    """A refusal in the middle of a stream."""
    return _refused(error)[1]


def _refused(error: PlayheadError) -> tuple[int, JSONObject]:
    status = status_of(error)
    if not isinstance(error, ProviderError):
        return status, {"error": {"code": status, "message": str(error), "status": _name(status)}}
    code = error.code or ""
    if not (error.status and 400 <= error.status < 600):
        status = _STATUSES.get(code, status)
    body: JSONObject = {
        "code": status,
        "message": error.message,
        "status": code if code in _STATUSES else _name(status),
    }
    details = objs(error.metadata.get("details"))
    if not details and error.retry_after is not None:
        details = [{"@type": _RETRY_INFO, "retryDelay": f"{error.retry_after:g}s"}]
    if details:
        body["details"] = details
    return status, {"error": body}


def _name(status: int) -> str:
    return _NAMES.get(status) or ("INVALID_ARGUMENT" if status < 500 else "UNAVAILABLE")
