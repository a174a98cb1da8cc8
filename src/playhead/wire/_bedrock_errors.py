"""
What Bedrock says when it refuses: as the body of an answer, or as an exception inside a stream.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html#API_runtime_ConverseStream_Errors
"""

from __future__ import annotations

from typing import NamedTuple

from ..errors import CodecError, DecodeError, PlayheadError, ProviderError, TransportError
from . import _refusals
from ._eventstream import ERROR, EXCEPTION, FAULT
from ._json import JSONObject, count, loads, obj, text, to_json


class _Fault(NamedTuple):
    """One of Bedrock's exceptions, and the status that it comes with."""

    name: str
    status: int


_FAULTS = (
    _Fault("AccessDeniedException", 403),
    _Fault("UnrecognizedClientException", 403),
    _Fault("ExpiredTokenException", 403),
    _Fault("InvalidSignatureException", 403),
    _Fault("MissingAuthenticationTokenException", 403),
    _Fault("ValidationException", 400),
    _Fault("ResourceNotFoundException", 404),
    _Fault("UnknownOperationException", 404),
    _Fault("ModelTimeoutException", 408),
    _Fault("ThrottlingException", 429),
    _Fault("ModelNotReadyException", 429),
    _Fault("ServiceQuotaExceededException", 400),
    _Fault("ModelErrorException", 424),
    _Fault("ModelStreamErrorException", 424),
    _Fault("InternalServerException", 500),
    _Fault("ServiceUnavailableException", 503),
)
_BY_NAME = {fault.name.lower(): fault for fault in _FAULTS}

_BY_KIND = {
    "authentication": "UnrecognizedClientException",
    "permission": "AccessDeniedException",
    "payment": "AccessDeniedException",
    "not_found": "ResourceNotFoundException",
    "bad_request": "ValidationException",
    "timeout": "ModelTimeoutException",
    "rate_limit": "ThrottlingException",
    "overloaded": "ServiceUnavailableException",
    "context_length": "ValidationException",
    "content_policy": "ValidationException",
    "stream": "ModelStreamErrorException",
}
"""How Bedrock would call the kinds of refusals; `InternalServerException` for all others."""

_IN_STREAMS = frozenset(
    {"InternalServerException", "ModelStreamErrorException", "ValidationException", "ThrottlingException"}
    | {"ServiceUnavailableException"}
)
"""The exceptions that a stream may end with."""


def check_message(name: bytes, data: bytes) -> None:
    """Nothing, if a message of a stream is an event.

    Raises:
        DecodeError: it is no message.
        ProviderError: it is an exception or an error.
    """
    if name == FAULT:
        raise DecodeError(data.decode("utf-8", "replace"))
    if name.startswith((EXCEPTION, ERROR)):
        raise _refused(name.partition(b":")[2].decode("utf-8", "replace"), _fields(data), data, 200)


def read_error(body: bytes, status: int) -> ProviderError:
    """The error that the body of a refusal reports; its text, where it is not JSON."""
    fields = _fields(body)
    code = text(fields.get("__type")) or text(fields.get("code")) or text(obj(fields.get("Output")).get("__type"))
    if not (code or text(fields.get("message")) or text(fields.get("Message"))):
        return _refusals.read_error(body, status)
    return _refused(code, fields, body, status)


def encode_error(error: PlayheadError) -> tuple[int, bytes]:
    """A refusal: the status, and the body. The name stands in `__type`, for want of a header."""
    fault = _said(error)
    status = error.status if isinstance(error, ProviderError) and (error.status or 0) >= 400 else None
    return status or fault.status, to_json({"__type": fault.name, "message": _message(error)})


def stream_exception(error: PlayheadError) -> tuple[str, bytes]:
    """The exception that breaks a stream off: its type, and its payload."""
    name = _said(error).name
    name = name if name in _IN_STREAMS else "ModelStreamErrorException"
    return name[0].lower() + name[1:], to_json({"message": _message(error)})


def _refused(code: str, fields: JSONObject, data: bytes, status: int) -> ProviderError:
    # `com.amazon.coral.service#UnknownOperationException`, or `ValidationException:http://...`
    code = code.rpartition("#")[2].partition(":")[0]
    message = text(fields.get("message")) or text(fields.get("Message")) or text(fields.get("originalMessage"))
    if not message and not fields:
        message = " ".join(data[:500].decode("utf-8", "replace").split())
    if original := count(fields.get("originalStatusCode")):
        message = f"{message} (the model answered {original})" if message else f"the model answered {original}"
    error = _refusals.provider_error({"__type": code, "message": message}, status)
    error.body = data
    error.metadata = {key: value for key, value in fields.items() if key not in ("message", "Message", "__type", "p")}
    return error


def _said(error: PlayheadError) -> _Fault:
    """How Bedrock would call it."""
    match error:
        case ProviderError() if found := _BY_NAME.get((error.code or "").lower()):
            return found
        case ProviderError():
            return _BY_NAME[_BY_KIND.get(error.kind, "InternalServerException").lower()]
        case DecodeError() | TransportError():
            return _BY_NAME["modelerrorexception"]
        case CodecError():
            return _BY_NAME["validationexception"]
        case _:
            return _BY_NAME["internalserverexception"]


def _message(error: PlayheadError) -> str:
    return error.message if isinstance(error, ProviderError) else str(error)


def _fields(data: bytes) -> JSONObject:
    try:
        return obj(loads(data, "the answer"))
    except DecodeError:
        return {}
