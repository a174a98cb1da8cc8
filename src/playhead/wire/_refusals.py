"""What a refusal says: the body of an error, or an error inside a stream, in the shapes that providers use."""

from __future__ import annotations

import msgspec

from ..errors import DecodeError, ProviderError
from ._json import JSONObject, loads, obj, objs, text


def read_error(body: bytes, status: int) -> ProviderError:
    """The error that the body of a refusal reports; its text, where it is not JSON."""
    try:
        value: object = loads(body, "the answer")
    except DecodeError:
        value = None
    if isinstance(value, list):  # Google wraps it in one.
        value = next(iter(objs(value)), None)  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, dict):
        return provider_error(obj(value), status)  # pyright: ignore[reportUnknownArgumentType]
    shown = " ".join(body[:2000].decode("utf-8", "replace").split())
    what = f"the body is not JSON: {shown[:200]!r}" if shown else "the body is empty"
    return ProviderError(what, kind="not_json", status=status)


def provider_error(body: JSONObject, status: int) -> ProviderError:
    """The error that a body, or an event of a stream, reports."""
    error: object = body.get("error")
    fields = obj(error)
    message = text(error) or text(fields.get("message")) or text(body.get("message"))
    message = message or _shown(body.get("detail")) or _shown(error) or "no message was sent"
    code = fields.get("code") or fields.get("type") or body.get("code")
    metadata = obj(fields.get("metadata"))
    if raw := text(metadata.get("raw")):
        message = f"{message}: {raw}"
    return ProviderError(
        message,
        status=status,
        code=None if code is None else str(code),
        retryable=str(code) in ("408", "429", "500", "502", "503", "504", "529"),
        metadata=metadata,
    )


def _shown(value: object) -> str:
    """What stands where a message should, as FastAPI's `detail` does."""
    if not value:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()[:500]
