"""Requests of clients that are not asynchronous: played from a tape, or sent and recorded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import cast
from weakref import WeakKeyDictionary

from ..errors import TransportError
from ..http import Request
from ..tape.effects import Interaction
from ..tape.opened import OpenTape
from ..tape.playing import play_sync
from ..tape.recorder import CallRecording
from ..transport.faults import Faults, SyncAnswer, SyncFaultTransport
from ._exchange import Asked, Reading, lane, shown


class SyncExchanges:
    """A client's way to its tapes.

    Args:
        send: sends a request, and returns when the answer's headers are there. Raises `TransportError`.
    """

    def __init__(self, send: Callable[[Asked], SyncAnswer]) -> None:
        self._send = send
        self._faulty: WeakKeyDictionary[OpenTape, dict[float | None, SyncFaultTransport]] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def answer(self, asked: Asked) -> SyncAnswer:
        """Play what was recorded for a request, or let it happen and record it.

        Raises:
            Divergence: the tape does not hold it, and may not grow.
            TransportError: no answer came. While the body is read, too.
        """
        if asked.tape.options.faults is None:
            return self._played_or_sent(asked)
        return self._struck(asked).send(asked)

    def close(self) -> None:
        """Let go of what is held for clients that try again."""
        for by_timeout in list(self._faulty.values()):
            for faulty in by_timeout.values():
                faulty.close()

    def _struck(self, asked: Asked) -> SyncFaultTransport:
        """The way with faults. There is one for each tape: it remembers what clients that try again are to find."""
        faults, timeout = cast("Faults", asked.tape.options.faults), asked.read_timeout
        with self._lock:
            by_timeout = self._faulty.setdefault(asked.tape, {})
            if timeout not in by_timeout:
                by_timeout[timeout] = faults.around_sync(self._played_or_sent, read_timeout=timeout, key=lane)
            return by_timeout[timeout]

    def _played_or_sent(self, request: Request) -> SyncAnswer:
        asked = cast("Asked", request)
        options = asked.tape.options
        found = asked.tape.ask(asked)
        if isinstance(found, Interaction):
            played = play_sync(found, options.speed, options.cut)
            return SyncAnswer(played.status, played.reason, played.http_version, shown(found), played.pieces)
        return self._send(asked) if found is None else self._recorded(asked, found)

    def _recorded(self, asked: Asked, recording: CallRecording) -> SyncAnswer:
        reading = Reading(recording)
        try:
            answer = self._send(asked)
        except TransportError as error:
            reading.failed(error)
            raise
        except BaseException:
            reading.left()
            raise
        try:
            reading.head(answer.status, answer.reason, answer.http_version, answer.headers)
        except BaseException:
            answer.close()
            raise

        def close() -> None:
            try:
                reading.left()
            finally:
                answer.close()

        return replace(answer, pieces=_recorded_pieces(answer, reading), close=close)


def _recorded_pieces(answer: SyncAnswer, reading: Reading) -> Iterator[bytes]:
    try:
        try:
            for piece in answer.pieces:
                reading.piece(piece)
                yield piece
            reading.complete()
        except TransportError as error:
            reading.failed(error)
            raise
    except Exception:
        answer.close()  # Of what cannot be recorded the client may let go without a word.
        raise
