"""What is HTTP on the outside, and not what a tape holds: WebSocket conversations and gRPC calls."""

from __future__ import annotations

import re

from ...http import Request, header


def other_protocol(request: Request) -> str | None:
    """What a request begins that is more than a request and a response, with its article; None where it is HTTP."""
    if (
        re.match("wss?:", request.url, re.IGNORECASE)
        or (header(request.headers, "upgrade") or "").lower() == "websocket"
    ):
        return "a WebSocket conversation"
    if re.match(r"application/grpc($|[+;])", header(request.headers, "content-type") or ""):
        return "a gRPC call"
    return None
