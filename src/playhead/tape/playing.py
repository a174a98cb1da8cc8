"""
Plays a recorded interaction as a response: the same bytes, in the same pieces or in others, at once or in their time.

What is played, and when it is due, is pure: `play` and `play_sync` only wait and pass on.
"""

from __future__ import annotations

import random
import re
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from itertools import accumulate
from typing import Literal, TypeAlias

import msgspec

from ..errors import ConfigError, TransportError
from ..http import Headers, Response
from .effects import INTERRUPTED, Interaction

Pace: TypeAlias = float | None
"""How fast a recording is played: None at once, 1.0 in recorded time, 2.0 twice as fast."""

Cut: TypeAlias = Literal["recorded", "event", "byte"] | int
"""Into what a body is cut.

    recorded   the pieces in which it arrived
    event      a piece for each event of a stream; any other body stays as recorded
    byte       a piece for each byte
    a number   at random; the same number always gives the same pieces
"""

_STREAM = re.compile(rb"(\xef\xbb\xbf)?\s*(:|(data|event|id|retry)(:|[\r\n]|\Z))")
"""With what a stream of events begins. The content type is not asked: servers give wrong ones."""

_BLANK = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n))+")
"""What ends an event: two ends of a line, of which a CR LF is one. (Spelled out twice it is searched for fast.)"""

_LONGEST = 512
"""Bytes of a piece that is cut at random. Short ones are as likely as long ones: 1 to 2, 2 to 4, 4 to 8, ..."""


class Played(msgspec.Struct, frozen=True):
    """A response for code that is not asynchronous.

    Attributes:
        pieces: of the body; each waits until it is due. Raises `TransportError` where the recording was cut.
    """

    status: int
    reason: str
    http_version: str
    headers: Headers
    pieces: Iterator[bytes]


def script(interaction: Interaction, *, cut: Cut = "recorded") -> Iterator[tuple[float | None, bytes]]:
    """When each piece of the body arrives, and the piece. Joined, the pieces are the body, whatever the cut.

    Args:
        interaction: what was recorded.
        cut: where the body is cut. A piece arrives when its last byte did.

    Returns:
        Seconds since the request was sent, or None where that is not known; and bytes.

    Raises:
        ConfigError: there is no such cut.
    """
    if not isinstance(cut, int) and cut not in ("recorded", "event", "byte"):
        raise ConfigError(
            f"a body is cut as 'recorded', by 'event', by 'byte', or at random from a number, not {cut!r}"
        )
    if cut == "recorded" or (cut == "event" and not _STREAM.match(interaction.body)):
        return _as_recorded(interaction)
    return _cut_anew(interaction, cut)


async def play(interaction: Interaction, speed: Pace = None, cut: Cut = "recorded") -> Response:
    """The response of a recording.

    Args:
        interaction: what was recorded.
        speed: 1.0 plays in recorded time, 2.0 twice as fast; None plays at once. Without recorded times it plays
            at once, too.
        cut: into what the body is cut; see `Cut`.

    Raises:
        TransportError: no response had come when it was recorded. While the body is read: it had been cut.
        ConfigError: there is no such speed or cut.
    """
    import asyncio

    pieces, head_s = _begin(interaction, speed, cut)
    clock = asyncio.get_running_loop().time
    start = clock()
    if speed is not None:
        await asyncio.sleep(head_s / speed)

    async def body() -> AsyncIterator[bytes]:
        for wait, piece in _paced(pieces, speed, lambda: clock() - start):
            if wait is not None:
                await asyncio.sleep(wait)
            yield piece
        _raise_recorded(interaction)

    return Response(
        interaction.status or 0,
        interaction.headers,
        body(),
        reason=interaction.reason,
        http_version=interaction.http_version,
    )


def play_sync(interaction: Interaction, speed: Pace = None, cut: Cut = "recorded") -> Played:
    """The response of a recording, for code that is not asynchronous. Arguments and errors as in `play`."""
    pieces, head_s = _begin(interaction, speed, cut)
    start = time.monotonic()
    if speed is not None:
        time.sleep(head_s / speed)

    def body() -> Iterator[bytes]:
        for wait, piece in _paced(pieces, speed, lambda: time.monotonic() - start):
            if wait:
                time.sleep(wait)
            yield piece
        _raise_recorded(interaction)

    return Played(interaction.status or 0, interaction.reason, interaction.http_version, interaction.headers, body())


def _begin(interaction: Interaction, speed: Pace, cut: Cut) -> tuple[Iterator[tuple[float | None, bytes]], float]:
    """The pieces, and the seconds until the head is due."""
    if speed is not None and not 0 < speed < float("inf"):
        raise ConfigError(f"a tape is played at a speed above 0, such as 1.0, or at once with None, not at {speed!r}")
    pieces = script(interaction, cut=cut)
    if interaction.status is None:
        raise _recorded_error(interaction)
    return pieces, interaction.head_s or 0.0


def _paced(
    pieces: Iterable[tuple[float | None, bytes]], speed: Pace, elapsed: Callable[[], float]
) -> Iterator[tuple[float | None, bytes]]:
    """How long to wait before each piece, in seconds. It is held against the start and not against the piece before:
    errors of sleeping must not add up."""
    for due, piece in pieces:
        wait = None if speed is None or due is None else max(0.0, due / speed - elapsed())
        yield wait, piece


def _as_recorded(interaction: Interaction) -> Iterator[tuple[float | None, bytes]]:
    times = interaction.times or ()
    for n, chunk in enumerate(interaction.chunks):
        yield (times[n] if n < len(times) else None), chunk


def _cut_anew(interaction: Interaction, cut: Cut) -> Iterator[tuple[float | None, bytes]]:
    body, times = interaction.body, interaction.times or ()
    ends = list(accumulate(map(len, interaction.chunks)))
    start = 0
    for end in _places(body, cut):
        arrived = bisect_left(ends, end)  # The first chunk that brought the piece's last byte.
        yield (times[arrived] if arrived < len(times) else None), body[start:end]
        start = end


def _places(body: bytes, cut: Cut) -> Iterator[int]:
    """Where the pieces end: rising, each above 0, the last at the body's end."""
    if cut == "byte":
        yield from range(1, len(body) + 1)
    elif cut == "event":
        end = 0
        for blank in _BLANK.finditer(body):
            if blank.start():  # Empty lines before the first event are a part of it.
                yield (end := blank.end())
        if end < len(body):
            yield len(body)
    else:
        # Of `Random` only `random()` is promised to give the same in every version of Python.
        draw = random.Random(cut).random  # noqa: S311 - nothing here is secret
        end = 0
        while end < len(body):
            yield (end := min(len(body), end + int(_LONGEST ** draw())))


def _raise_recorded(interaction: Interaction) -> None:
    if interaction.ended != "complete":
        raise _recorded_error(interaction)


def _recorded_error(interaction: Interaction) -> TransportError:
    error = interaction.error or {}
    message = error.get("message", INTERRUPTED)
    return TransportError(message, kind=error.get("kind", "disconnect"))
