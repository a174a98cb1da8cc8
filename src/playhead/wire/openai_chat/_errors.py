"""
Refusals in the words of chat completions, as OpenAI and OpenRouter say them.

https://openrouter.ai/docs/api-reference/errors
"""

from __future__ import annotations

from ...errors import PlayheadError, ProviderError
from .._json import JSONObject, to_json
from .._status import status_of

_CODES = {"context_length": "context_length_exceeded", "content_policy": "content_policy_violation"}
"""What a status does not say."""

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}


def encode_error(error: PlayheadError) -> tuple[int, bytes]:
    """A refusal: the status, and the body."""
    status = status_of(error)
    return status, to_json({"error": error_object(error, status)})


def error_object(error: PlayheadError, status: int | None = None) -> JSONObject:
    """The error as it stands in a body or in a stream."""
    status = status or status_of(error)
    code: str | int = status
    said: JSONObject = {"message": str(error), "type": _TYPES.get(status, "server_error"), "param": None}
    if isinstance(error, ProviderError):
        said["message"] = error.message
        code = error.code or _CODES.get(error.kind, status)
        if error.metadata:
            said["metadata"] = error.metadata
    said["code"] = int(code) if isinstance(code, str) and code.isdecimal() and len(code) < 6 else code
    return said
