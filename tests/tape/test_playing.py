"""Recordings are played in any pieces and at any pace, and always say the same."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatwire import stream
from conftest import expected, shared_tape
from playhead import ConfigError, PlayheadError, TransportError
from playhead.http import Request
from playhead.tape.effects import Interaction
from playhead.tape.files import load_tape
from playhead.tape.playing import Cut, play, play_sync, script
from playhead.wire import wire_for_path

REQUEST = Request("POST", "http://x.test/v1/chat/completions")
EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "tapes").glob("*.jsonl"))
RECORDED = sorted(expected()) or ["recorded.yaml"]
CUTS: list[Cut] = ["recorded", "event", "byte", 0, 1, 2]

cuts = st.sampled_from(["recorded", "event", "byte"]) | st.integers()
bodies = st.lists(
    st.sampled_from(
        [b"data: 1", b": ping", b"event: x", b"\n", b"\r", b"\r\n", b"\n\n", b"{", b"\xef\xbb\xbf", b"\xff"]
    )
)


def call(*chunks: bytes, **more: Any) -> Interaction:
    return Interaction(request=REQUEST, status=200, chunks=chunks, **more)


def heard(interaction: Interaction, speed: float | None = None, cut: Cut = "recorded") -> list[bytes]:
    async def main() -> list[bytes]:
        return [piece async for piece in await play(interaction, speed, cut)]

    return asyncio.run(main())


@given(st.lists(bodies.map(b"".join)), cuts)
def test_the_pieces_are_the_body_whatever_the_cut(chunks: list[bytes], cut: Cut) -> None:
    interaction = call(*chunks, times=tuple(n / 10 for n in range(len(chunks))))
    pieces = list(script(interaction, cut=cut))
    assert b"".join(piece for _, piece in pieces) == interaction.body
    assert cut != "byte" or {len(piece) for _, piece in pieces} <= {1}


@given(st.lists(st.binary(max_size=5), max_size=8), cuts)
def test_a_piece_arrives_when_its_last_byte_did(chunks: list[bytes], cut: Cut) -> None:
    interaction = call(*chunks, times=tuple(float(n) for n in range(len(chunks))))
    arrived = [float(n) for n, chunk in enumerate(chunks) for _ in chunk]
    pieces = list(script(interaction, cut=cut))
    ends = accumulate(len(piece) for _, piece in pieces)
    for (due, piece), end in zip(pieces, ends, strict=True):
        assert not piece or due == arrived[end - 1]


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\n\n"])
def test_by_event_each_event_of_a_stream_is_a_piece(end: bytes) -> None:
    body = b"".join([b": hello" + end, b"event: x\ndata: 1" + end, b"data: 2" + end, b"data: torn"])
    pieces = [piece for _, piece in script(call(body[:9], body[9:]), cut="event")]
    assert pieces == [b": hello" + end, b"event: x\ndata: 1" + end, b"data: 2" + end, b"data: torn"]


def test_by_event_a_body_that_is_no_stream_stays_as_it_was_recorded() -> None:
    assert [piece for _, piece in script(call(b'{"a":\n\n', b"1}"), cut="event")] == [b'{"a":\n\n', b"1}"]


def test_a_time_that_is_not_known_is_none() -> None:
    assert list(script(call(b"a", b"b", times=(0.5,)))) == [(0.5, b"a"), (None, b"b")]
    assert list(script(call(b"ab"), cut="byte")) == [(None, b"a"), (None, b"b")]


def test_cut_at_random_is_the_same_in_every_process() -> None:
    code = """
from playhead.http import Request
from playhead.tape.effects import Interaction
from playhead.tape.playing import script
tape = Interaction(request=Request("GET", "http://x.test/"), status=200, chunks=(bytes(3000),))
print([len(piece) for _, piece in script(tape, cut=7)])
"""
    said = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("0", "1")
    }
    here = [len(piece) for _, piece in script(call(bytes(3000)), cut=7)]
    assert said == {f"{here}\n"}
    assert here != [len(piece) for _, piece in script(call(bytes(3000)), cut=8)]
    assert len(set(here)) > 5


def test_a_cut_or_a_speed_that_is_not_there_is_refused() -> None:
    wrong: Any = "evnt"
    with pytest.raises(ConfigError, match="by 'byte', or at random from a number, not 'evnt'"):
        script(call(b"a"), cut=wrong)
    for speed in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="a speed above 0"):
            play_sync(call(b"a"), speed)


# The law: however a recording is cut, it says the same.


def events(interaction: Interaction, cut: Cut) -> list[Any]:
    wire = wire_for_path(interaction.request.url.partition("?")[0])
    assert wire is not None
    decoder = wire.Decoder("somebody")
    heard: list[Any] = []
    try:
        for _, piece in script(interaction, cut=cut):
            heard += decoder.feed(piece)
            if decoder.error:
                raise decoder.error
        heard += decoder.close()
        if decoder.error:
            raise decoder.error
    except PlayheadError as error:
        heard.append(str(error))
    return heard


def decodable(path: Path) -> Iterator[Interaction]:
    for interaction in load_tape(path).interactions:
        if interaction.chunks and wire_for_path(interaction.request.url.partition("?")[0]):
            yield interaction


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_a_tape_of_the_examples_gives_the_same_events_for_every_cut(path: Path) -> None:
    found = list(decodable(path))
    assert found
    for interaction in found:
        whole = events(interaction, "recorded")
        assert all(events(interaction, cut) == whole for cut in CUTS)


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_tape_gives_the_same_events_for_every_cut(name: str) -> None:
    for interaction in decodable(shared_tape(name)):
        whole = events(interaction, "recorded")
        assert all(events(interaction, cut) == whole for cut in CUTS)


# The two drivers.


@pytest.mark.parametrize("cut", CUTS)
def test_both_ways_to_play_give_the_pieces_of_the_script(cut: Cut) -> None:
    interaction = call(b"".join(stream("one two")), reason="OK", http_version="HTTP/1.1", headers=(("X-A", "1"),))
    pieces = [piece for _, piece in script(interaction, cut=cut)]
    played = play_sync(interaction, cut=cut)
    assert list(played.pieces) == heard(interaction, cut=cut) == pieces
    assert (played.status, played.reason, played.http_version) == (200, "OK", "HTTP/1.1")
    assert played.headers == (("X-A", "1"),)


def test_what_did_not_come_is_the_recorded_error() -> None:
    nothing = Interaction(request=REQUEST, ended="failed", error={"kind": "connect", "message": "nobody listens"})
    with pytest.raises(TransportError, match="nobody listens") as caught:
        play_sync(nothing)
    assert caught.value.kind == "connect"
    with pytest.raises(TransportError, match="nobody listens"):
        heard(nothing)


def test_a_recording_that_was_cut_is_cut_again_behind_its_last_piece() -> None:
    played = play_sync(call(b"ab", ended="interrupted"), cut="byte")
    assert [next(played.pieces), next(played.pieces)] == [b"a", b"b"]
    with pytest.raises(TransportError, match="stops in the middle") as caught:
        next(played.pieces)
    assert caught.value.kind == "disconnect"


@pytest.mark.parametrize("driver", ["play", "play_sync"])
def test_a_piece_comes_when_it_is_due_and_a_late_reader_waits_for_nothing_that_is(
    driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = call(b"a", b"bc", b"d", head_s=1.0, times=(2.0, 4.0, 10.0))
    slept: list[float] = []
    now = 100.0

    def pass_by(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    async def sleep(seconds: float) -> None:
        pass_by(seconds)

    async def main() -> bytes:
        nonlocal now
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
        response = await play(slow, 2.0, "byte")
        now += 2.0
        return await response.read()

    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(time, "sleep", pass_by)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    if driver == "play":
        assert asyncio.run(main()) == b"abcd"
    else:
        played = play_sync(slow, 2.0, "byte")
        now += 2.0  # 2.5 s have gone by: what was recorded at 2 s and at 4 s is due since 1 s and 2 s.
        assert b"".join(played.pieces) == b"abcd"
    assert [seconds for seconds in slept if seconds] == [0.5, 2.5]


def test_at_once_nothing_is_waited_for() -> None:
    slow = call(b"a", b"b", head_s=1e9, times=(1e9, 2e9))
    assert heard(slow) == list(play_sync(slow).pieces) == [b"a", b"b"]
