"""What a run has paid for up to a place: the same while it happens, when it is resumed, and when it is replayed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import playhead as ph
from playhead.http import Request, Response
from playhead.tape.effects import Interaction, Tape
from playhead.tape.lane_index import LaneIndex
from playhead.tape.opened import OpenTape
from playhead.tape.playhead import Playhead
from playhead.transport.memory import MemoryTransport, respond

LANES = ["root", "root#1", "root/0.a", "root/0.a#1", "root/0.a/1.b", "root/0.ab", "root0", "root/1.a", "rooty", "x"]


@given(st.lists(st.sampled_from(LANES), max_size=30), st.sampled_from(LANES))
def test_an_index_finds_what_is_in_a_lane_and_below_it(lanes: list[str], wanted: str) -> None:
    index = LaneIndex()
    for number, lane in enumerate(lanes):
        index.add(lane, number)
    below = (f"{wanted}/", f"{wanted}#")
    assert index.inside(wanted) == [n for n, lane in enumerate(lanes) if lane == wanted or lane.startswith(below)]
    assert index.of(wanted) == [n for n, lane in enumerate(lanes) if lane == wanted]


def ask(text: str) -> Request:
    return Request("POST", "http://x/", (), text.encode())


def numbers(found: tuple[tuple[int, Interaction], ...]) -> list[tuple[int, bool]]:
    return [(n, call.superseded) for n, call in found]


async def go(tape: OpenTape, answers: list[Any]) -> list[Any]:
    """A run of two calls with one in a tool between them: what is paid for before and after each."""
    left = iter(answers)

    def answer(_: Request) -> Response:
        given = next(left)
        if isinstance(given, Exception):
            raise given
        return respond(200, given)

    transport = MemoryTransport(answer)
    outer = Playhead(tape, transport, owner=False)
    inner = Playhead(tape, transport, base="root/0.t", owner=False)
    seen: list[Any] = []
    for playhead, text in ((outer, "one"), (inner, "in the tool"), (outer, "two")):
        seen.append(numbers(tape.inside("root")))
        await (await playhead.send(ask(text))).read()
        seen += [playhead.last_effect, numbers(tape.inside("root"))]
    return [*seen, numbers(tape.inside("root/0.t")), numbers(tape.superseded("root"))]


def test_a_replay_counts_as_the_run_did(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with ph.open_tape(path, "record") as tape:
        live = asyncio.run(go(tape, [b"1", b"2", b"3"]))
    whole = [(0, False), (1, False), (2, False)]
    assert live == [[], 0, whole[:1], whole[:1], 1, whole[:2], whole[:2], 2, whole, [(1, False)], []]
    for mode in ("replay", "resume"):
        with ph.open_tape(path, mode) as tape:
            assert asyncio.run(go(tape, [])) == live


def test_what_is_asked_again_counts_where_it_was_asked(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    for answers in ([b"1", ph.TransportError("gone")], [b"2", ph.TransportError("gone")]):
        with ph.open_tape(path) as tape:
            try:
                asyncio.run(go(tape, answers))
            except ph.TransportError:
                pass
    with ph.open_tape(path) as tape:
        assert numbers(tape.superseded("root")) == [(3, True)]
        assert numbers(tape.inside("root")) == []
        resumed = asyncio.run(go(tape, [b"3"]))
    assert resumed == [
        [],
        0,
        [(0, False), (3, True)],  # It is asked next, and costs what it cost.
        [(0, False), (3, True)],
        2,
        [(0, False), (1, True), (2, False), (3, True)],
        [(0, False), (1, True), (2, False), (3, True)],
        4,
        [(0, False), (1, True), (2, False), (3, True), (4, False)],
        [(1, True), (2, False)],
        [(3, True)],
    ]
    with ph.open_tape(path, "replay") as tape:
        assert asyncio.run(go(tape, [])) == resumed


def test_nothing_is_known_where_nothing_is_kept_or_nothing_was_asked() -> None:
    with ph.open_tape(mode="off") as tape:
        playhead = Playhead(tape, MemoryTransport(lambda _: respond(200, b"a")), owner=False)
        asyncio.run(playhead.send(ask("one")))
        assert (playhead.last_effect, tape.inside("root"), tape.superseded("root")) == (None, (), ())
    with ph.open_tape(Tape((Interaction(request=ask("one"), status=200),)), "replay") as tape:
        assert tape.inside("root") == ()
