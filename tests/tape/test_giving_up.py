"""A reader that gives up on a call: the tape says why, and a replay raises the same in the same place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import playhead as ph
from playhead.http import Request, Response
from playhead.tape.effects import Interaction
from playhead.tape.opened import OpenTape
from playhead.tape.playhead import Playhead

REQUEST = Request("POST", "http://x/", (), b"{}")
LATE = ph.TransportError("no answer in 3 seconds", kind="timeout")
SAYS = b"timeout: no answer in 3 seconds"


class Silent:
    """A transport that says `pieces` and then nothing any more; without pieces it does not answer at all."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces

    async def send(self, request: Request) -> Response:
        """Send a request."""
        if not self._pieces:
            await asyncio.Event().wait()

        async def body() -> AsyncIterator[bytes]:
            for piece in self._pieces:
                yield piece
            await asyncio.Event().wait()

        return Response(200, (), body())

    async def aclose(self) -> None:
        """Nothing is held."""


async def give_up_before_the_head(tape: OpenTape) -> None:
    playhead = Playhead(tape, Silent(), owner=False)
    task = asyncio.ensure_future(playhead.send(REQUEST))
    await asyncio.wait({task}, timeout=0.01)
    playhead.abandon(LATE)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def give_up_in_the_body(tape: OpenTape, *, whole: bool = False) -> None:
    playhead = Playhead(tape, Silent(b"a", b"b"), owner=False)
    response = await playhead.send(REQUEST)
    pieces = aiter(response)
    assert [await anext(pieces), await anext(pieces)] == [b"a", b"b"]
    if whole:
        response.settle("whole")
    response.abandon(LATE)
    await response.aclose()
    playhead.abandon(ph.TransportError("the first end counts"))


def recorded(path: Path) -> Interaction:
    (call,) = ph.load_tape(path).interactions
    return call


async def replayed(path: Path) -> list[bytes]:
    seen: list[bytes] = []
    with ph.open_tape(path, "replay") as tape:
        try:
            async for piece in await Playhead(tape, None, owner=False).send(REQUEST):
                seen.append(piece)
        except ph.TransportError as error:
            seen.append(f"{error.kind}: {error}".encode())
    return seen


def test_a_send_that_never_answers_is_given_up_and_replays_as_a_timeout(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with ph.open_tape(path, "record") as tape:
        asyncio.run(give_up_before_the_head(tape))
    call = recorded(path)
    assert (call.ended, call.error, call.status) == ("failed", {"kind": "timeout", "message": str(LATE)}, None)
    assert asyncio.run(replayed(path)) == [SAYS]


def test_a_body_that_stalls_is_given_up_and_replays_up_to_there(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with ph.open_tape(path, "record") as tape:
        asyncio.run(give_up_in_the_body(tape))
    call = recorded(path)
    assert (call.ended, call.error, call.body) == ("failed", {"kind": "timeout", "message": str(LATE)}, b"ab")
    assert asyncio.run(replayed(path)) == [b"a", b"b", SAYS]


def test_a_whole_answer_stays_whole_when_its_reader_gives_up_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with ph.open_tape(path, "record") as tape:
        asyncio.run(give_up_in_the_body(tape, whole=True))
    assert recorded(path).ended == "complete"
    assert asyncio.run(replayed(path)) == [b"a", b"b"]


def test_what_comes_behind_the_end_reaches_neither_the_reader_nor_the_tape(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"

    async def read_on(tape: OpenTape) -> None:
        response = await Playhead(tape, Silent(b"a", b"b"), owner=False).send(REQUEST)
        pieces = aiter(response)
        assert await anext(pieces) == b"a"
        response.abandon(LATE)
        with pytest.raises(ph.TransportError, match="no answer in 3 seconds"):
            await anext(pieces)

    with ph.open_tape(path, "record") as tape:
        asyncio.run(read_on(tape))
    assert (recorded(path).body, ph.load_tape(path).warnings) == (b"a", ())


def test_a_cancelled_send_that_nobody_gave_up_is_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"

    async def cancelled(tape: OpenTape) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await Playhead(tape, Silent(), owner=False).send(REQUEST)

    with ph.open_tape(path, "record") as tape:
        asyncio.run(cancelled(tape))
    assert recorded(path).ended == "interrupted"


def test_giving_up_on_what_is_played_or_not_kept_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with ph.open_tape(path, "record") as tape:
        asyncio.run(give_up_in_the_body(tape, whole=True))
    before = path.read_bytes()

    async def play() -> bytes:
        with ph.open_tape(path, "resume") as tape:
            playhead = Playhead(tape, None, owner=False)
            playhead.abandon(LATE)
            response = await playhead.send(REQUEST)
            response.abandon(LATE)
            return await response.read()

    assert asyncio.run(play()) == b"ab"
    assert path.read_bytes() == before
    with ph.open_tape(mode="off") as tape:
        asyncio.run(give_up_in_the_body(tape))
