"""The whole run that all others are held against: what it gave, and its answers, for whoever asks the same."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from ..errors import TapeError
from ..http import Request, Response
from ..tape.canonical import digest
from ..tape.effects import ROOT, Interaction, Tape
from ..tape.files import load_tape
from ..tape.lanes import here
from ..tape.player import Player, answers
from ..tape.playing import play

_NUMBER = re.compile(r"#\d+\Z")


def run_lane(lane: str) -> str:
    """The place that a run stands in. Of several runs there, each but the first has a number behind its lane."""
    return _NUMBER.sub("", lane)


class Reference:
    """The model calls of a recording by what was asked, and where.

    Args:
        path: the recording.
    """

    def __init__(self, path: Path) -> None:
        self.tape = load_tape(path)
        self._name = path.name
        self._calls: dict[str, list[Interaction]] = {}
        for call in self.tape.interactions:
            if call.ended == "complete" and call.status is not None and not call.superseded:
                self._calls.setdefault(_keys(call.lane, call.request)[0], []).append(call)

    def key(self, lane: str, request: Request) -> str:
        """What stands for a call. Other programs' recordings know no lanes: there the request alone does.

        Raises:
            Divergence: the recording does not hold it.
        """
        found = next((key for key in _keys(lane, request) if key in self._calls), None)
        if found is None:
            raise Player(self.tape, self._name).not_found(lane, request)
        return found

    def count(self, key: str) -> int:
        """How often a call was made in the recording."""
        return len(self._calls[key])

    def answer(self, key: str, number: int) -> Interaction:
        """What was recorded for a call the given time that it is made, from 0. The last answer is given again."""
        calls = self._calls[key]
        return calls[min(number, len(calls) - 1)]

    def complete(self, tape: Tape) -> Counter[str]:
        """How often each call was answered on another tape."""
        return Counter(self.key(call.lane, call.request) for call in tape.interactions if answers(call))

    def begun(self, tape: Tape) -> Counter[str]:
        """How often each call was begun on another tape."""
        return Counter(self.key(call.lane, call.request) for call in tape.interactions)


class Provider:
    """Gives the answers of a recording, each as often as it is asked for. A transport.

    Args:
        reference: the recording.
        before: what is on the run's tape already.
        note: called with the call's key before it is answered.
        between: called before each piece of an answer, and before its end.
    """

    def __init__(
        self, reference: Reference, before: Tape, note: Callable[[str], None], between: Callable[[], None]
    ) -> None:
        self._reference = reference
        self._given = reference.complete(before)
        self._note = note
        self._between = between

    async def send(self, request: Request) -> Response:
        """The recorded answer.

        Raises:
            Divergence: there is none.
        """
        place = here()
        if place is None:
            raise TapeError("a model call was made outside of the tape, so that it cannot be answered from one")
        key = self._reference.key(place.lane, place.tape.redacted(request))
        self._note(key)
        recorded = self._reference.answer(key, self._given[key])
        self._given[key] += 1
        response = await play(recorded)
        return response.with_stream(self._pieces(response))

    async def aclose(self) -> None:
        """Nothing is held."""

    async def _pieces(self, response: Response) -> AsyncIterator[bytes]:
        async for piece in response:
            await asyncio.sleep(0)  # What goes on beside it has its turn, as if this came over a network.
            self._between()
            yield piece
        self._between()


def _keys(lane: str, request: Request) -> tuple[str, ...]:
    """A call in its lane, and in the lane where recordings that know no lanes have it."""
    wanted, base = digest(request), run_lane(lane)
    return (f"{base} {wanted}",) if base == ROOT else (f"{base} {wanted}", f"{ROOT} {wanted}")
