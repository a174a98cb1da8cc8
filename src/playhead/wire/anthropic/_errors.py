"""
Refusals as the Anthropic format says them. Reading them is the same for all formats.

https://docs.claude.com/en/api/errors
"""

from __future__ import annotations

import msgspec

from ...errors import PlayheadError, ProviderError
from .._json import JSONObject
from .._status import status_of

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_STATUSES = {kind: status for status, kind in _TYPES.items()}

_OVERLOADED = 529
"""The status of an overload, which is 503 elsewhere."""


def error_body(error: PlayheadError) -> JSONObject:
    """An error as the format says it, in a body and in a stream."""
    return {"type": "error", "error": {"type": _said(error)[1], "message": _message(error)}}


def encode_error(error: PlayheadError) -> tuple[int, bytes]:
    """A refusal: its HTTP status and its body."""
    return _said(error)[0], msgspec.json.encode(error_body(error))


def _message(error: PlayheadError) -> str:
    return error.message if isinstance(error, ProviderError) else str(error)


def _said(error: PlayheadError) -> tuple[int, str]:
    """The status and the type: those of the provider where it names them in this format's words."""
    status = status_of(error)
    if isinstance(error, ProviderError):
        named, refused = _STATUSES.get(error.code or ""), error.status is not None and error.status >= 400
        if not refused:
            status = named or (_OVERLOADED if error.kind == "overloaded" else status)
        if named:
            return status, _TYPES[named]
        if error.kind == "overloaded":
            return status, _TYPES[_OVERLOADED]
    return status, _TYPES.get(status) or ("api_error" if status >= 500 else "invalid_request_error")
