"""Which status an error of ours has, when it is told to a client: one table for all formats."""

from __future__ import annotations

from ..errors import (
    CodecError,
    ConfigError,
    MissingKey,
    PlayheadError,
    ProviderError,
    TransportError,
    TruncatedStream,
)

_KINDS = {
    "authentication": 401,
    "payment": 402,
    "permission": 403,
    "not_found": 404,
    "timeout": 504,
    "rate_limit": 429,
    "overloaded": 503,
    "context_length": 400,
    "content_policy": 403,
    "bad_request": 400,
    "server": 500,
}


def status_of(error: PlayheadError) -> int:
    """The HTTP status: the provider's own where it is one of a refusal.

    A request that could not be read, or not be said to the provider, is the client's to change (400); an answer that
    did not come whole is not (502, or 504 where it took too long).
    """
    match error:
        case ProviderError():
            own = error.status if error.status and 400 <= error.status < 600 else None
            return own or _KINDS.get(error.kind, 502)
        case TransportError():
            return 504 if error.kind == "timeout" else 502
        case TruncatedStream():
            return 502
        case MissingKey():
            return 401
        case CodecError() | ConfigError():
            return 400
        case _:
            return 500
