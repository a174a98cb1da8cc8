"""
Refusals in the words of the Responses format.

https://platform.openai.com/docs/guides/error-codes/api-errors
"""

from __future__ import annotations

from ...errors import PlayheadError, ProviderError
from .._json import JSONObject
from .._status import status_of
from ._items import dumps

_CODES = {
    "context_length": "context_length_exceeded",
    "content_policy": "content_policy_violation",
    "rate_limit": "rate_limit_exceeded",
}
"""What a status does not say."""

_TYPES = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


def encode_error(error: PlayheadError) -> tuple[int, bytes]:
    """The status and the body that refuse a request."""
    status = status_of(error)
    return status, dumps({"error": error_object(error, status)}).encode()


def error_object(error: PlayheadError, status: int | None = None) -> JSONObject:
    """The error as it stands in a body or in a stream."""
    status = status or status_of(error)
    other = "invalid_request_error" if status < 500 else "server_error"
    said: JSONObject = {"message": str(error), "type": _TYPES.get(status, other), "param": None, "code": None}
    if isinstance(error, ProviderError):
        said |= {"message": error.message, "code": error.code or _CODES.get(error.kind)}
    return said
