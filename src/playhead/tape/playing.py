"""Plays a recorded interaction as a response: the same bytes in the same pieces, at once or in their own time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from ..errors import TransportError
from ..http import Response
from .effects import INTERRUPTED, Interaction


async def play(interaction: Interaction, speed: float | None = None) -> Response:
    """The response of a recording.

    Args:
        interaction: what was recorded.
        speed: 1.0 plays in recorded time, 2.0 twice as fast; None plays at once. Without recorded times it plays
            at once, too.

    Raises:
        TransportError: no response had come when it was recorded. While the body is read: it had been cut.
    """
    if interaction.status is None:
        raise _recorded_error(interaction)
    if speed is not None:
        await asyncio.sleep((interaction.head_s or 0.0) / speed)
    return Response(
        interaction.status,
        interaction.headers,
        _pieces(interaction, speed),
        reason=interaction.reason,
        http_version=interaction.http_version,
    )


async def _pieces(interaction: Interaction, speed: float | None) -> AsyncIterator[bytes]:
    clock = asyncio.get_running_loop().time
    start = clock() - (interaction.head_s or 0.0) / (speed or 1.0)
    for n, chunk in enumerate(interaction.chunks):
        if speed is not None and interaction.times is not None and n < len(interaction.times):
            # Against the start, not against the chunk before: errors of sleeping must not add up.
            await asyncio.sleep(max(0.0, interaction.times[n] / speed - (clock() - start)))
        yield chunk
    if interaction.ended != "complete":
        raise _recorded_error(interaction)


def _recorded_error(interaction: Interaction) -> TransportError:
    error = interaction.error or {}
    message = error.get("message", INTERRUPTED)
    return TransportError(message, kind=error.get("kind", "disconnect"))
