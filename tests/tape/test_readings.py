"""Readings: what comes from outside of a run comes from the tape when the run is played, resumed and forked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import playhead as ph
from playhead.http import Request, Response
from playhead.tape.comparing import compare
from playhead.tape.effects import Interaction, Progress, Reading, Tape, ToolRun
from playhead.tape.formats import native
from playhead.tape.opened import OpenTape
from playhead.tape.playhead import Playhead
from playhead.tape.trimming import cut, trim
from playhead.tape.verify import verify
from playhead.transcript import hear, summary
from playhead.transport.memory import MemoryTransport, respond

SECRET = "sk-or-v1-" + "0123456789abcdef" * 4
ENDINGS = pytest.mark.parametrize("ending", [".jsonl", ".yaml", ".json", ".har"])


class World:
    """What a run reads from: every value is another one, so that one that was read twice is seen."""

    def __init__(self, first: int = 0) -> None:
        self.values: Iterator[int] = count(first)
        self.read: list[str] = []
        self.tools = 0

    def clock(self) -> int:
        self.read.append("clock")
        return next(self.values)

    async def person(self) -> dict[str, Any]:
        self.read.append("person")
        return {"approved": True, "at": next(self.values), "by": ("a", "b")}


def answering(request: Request) -> Response:
    return respond(200, request.body)


async def go(world: World, tape: OpenTape) -> list[Any]:
    """A run: it reads a clock before each call, asks a person, and has a tool that reads a clock, too."""
    playhead = Playhead(tape, MemoryTransport(answering), owner=False)
    seen: list[Any] = []
    for step in range(2):
        seen.append(await playhead.read("clock", world.clock))
        response = await playhead.send(Request("POST", "http://x/", (), b"%d" % step))
        seen.append(await response.read())
        await response.aclose()
    seen.append(await playhead.read("person", world.person))
    call = ToolRun(lane="root/0.t", call_id="c", name="t")
    run = playhead.played_tool(call, "idempotent") or await tool(world, playhead, call)
    return [*seen, run.result]


async def tool(world: World, playhead: Playhead, call: ToolRun) -> ToolRun:
    tell: list[Callable[[str, float | None], None]] = []

    async def run() -> ToolRun:
        world.tools += 1
        tell[0]("half", 0.5)
        at = await playhead.read("clock", world.clock, lane=call.lane)
        tell[0]("all but done", None)
        return ToolRun(lane=call.lane, call_id=call.call_id, name=call.name, result=f"ran at {at}")

    return await playhead.run_tool(call, run, progress=tell.append)


def run(path: Path, mode: Any, world: World, **options: Any) -> list[Any]:
    with ph.open_tape(path, mode, **options) as tape:
        seen = asyncio.run(go(world, tape))
        assert not tape.unplayed()
    return seen


@ENDINGS
def test_a_replay_reads_what_was_read(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t{ending}"
    live = run(path, "record", World())
    assert live == [0, b"0", 1, b"1", {"approved": True, "at": 2, "by": ["a", "b"]}, "ran at 3"]
    world = World(100)
    assert run(path, "replay", world) == live
    assert (world.read, world.tools) == ([], 0)
    tape = ph.load_tape(path)
    assert [(read.lane, read.name) for read in tape.readings] == [
        ("root", "clock"),
        ("root", "clock"),
        ("root", "person"),
        ("root/0.t", "clock"),
    ]
    said = [(progress.message, progress.fraction) for progress in tape.tools[0].progress]
    assert said == [("half", 0.5), ("all but done", None)]


def test_a_kill_at_any_line_reads_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    run(path, "record", World())
    lines = path.read_bytes().splitlines(keepends=True)
    for kept in range(1, len(lines) + 1):
        path.write_bytes(b"".join(lines[:kept]))
        before = ph.load_tape(path).readings
        world = World(100)
        resumed = run(path, "resume", world)
        values = [read.value if read.name == "clock" else read.value["at"] for read in before]
        assert [resumed[0], resumed[2], resumed[4]["at"], int(resumed[5].removeprefix("ran at "))] == [
            *values,
            *range(100, 104 - len(values)),
        ]
        assert len(world.read) == 4 - len(before)
        assert run(path, "replay", World(200)) == resumed


def test_a_fork_forgets_what_was_read_behind_the_cut(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    run(path, "record", World())
    tape = ph.load_tape(path)
    kinds = [type(effect).__name__ for effect in tape.effects]
    assert kinds == ["Reading", "Interaction", "Reading", "Interaction", "Reading", "ToolRun", "Reading"]
    for at, left in ((2, 1), (3, 2), (4, 2), (5, 3), (6, 3), (7, 4)):
        assert len(cut(tape, at).readings) == left
    assert cut(tape, 6).tools == ()  # The cut lies inside of it.
    world = World(100)
    with ph.open_tape(tape.fork(3), "resume") as forked:
        seen = asyncio.run(go(world, forked))
    assert [seen[0], seen[2], seen[4]["at"], seen[5]] == [0, 1, 100, "ran at 101"]


def test_a_run_that_leaves_its_tape_reads_anew_from_there_on(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    run(path, "record", World())

    async def other(tape: OpenTape) -> list[int]:
        playhead = Playhead(tape, MemoryTransport(answering), owner=False)
        clock = World(100).clock
        first = await playhead.read("clock", clock)
        await (await playhead.send(Request("POST", "http://x/", (), b"other"))).read()
        return [first, await playhead.read("clock", clock)]

    with ph.open_tape(path, "resume", on_divergence="fork") as tape:
        assert asyncio.run(other(tape)) == [0, 100]
        kept = tape.tape()
    assert kept is not None
    assert [read.value for read in kept.readings] == [0, 100]


def test_where_nothing_may_happen_an_unknown_reading_is_a_divergence(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    run(path, "record", World())
    world = World()
    with ph.open_tape(path, "replay") as tape:
        playhead = Playhead(tape, None, owner=False)
        assert not playhead.growing
        with pytest.raises(ph.Divergence, match=r"no readings of 'dice' in lane root .it has: clock, person") as it:
            asyncio.run(playhead.read("dice", world.clock))
        assert (it.value.kind, it.value.lane, it.value.ordinal) == ("missing", "root", 0)
        assert [playhead.recall("clock"), playhead.recall("clock"), playhead.recall("clock")] == [0, 1, None]
        with pytest.raises(ph.Divergence, match=r"holds 2 readings of 'clock' .* asks for number 3") as it:
            asyncio.run(playhead.read("clock", world.clock))
        assert (it.value.kind, it.value.ordinal) == ("consumed", 2)
        assert len(tape.divergences) == 2
    assert world.read == []


def test_a_peek_takes_nothing_and_a_note_is_recalled(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with ph.open_tape(path, "record") as tape:
        playhead = Playhead(tape, None, owner=False)
        assert playhead.growing
        assert playhead.peek("decision") is playhead.recall("decision") is None
        playhead.note("decision", {"a": [1]}, lane="root/0.pay")
        playhead.note("decision", "no", lane="root/0.pay")
    before = path.read_bytes()
    with ph.open_tape(path, "replay") as tape:
        playhead = Playhead(tape, None, owner=False)
        found: Any = playhead.peek("decision", lane="root/0.pay")
        found["a"].append("changed by whoever got it")
        assert len(tape.unplayed()) == 2
        assert playhead.recall("decision", lane="root/0.pay") == {"a": [1]}
        assert playhead.recall("decision", lane="root") is None
        playhead.note("more", 1)
        assert [read.value for read in tape.unplayed() if isinstance(read, Reading)] == ["no"]
    assert path.read_bytes() == before


def test_what_json_cannot_say_is_refused_and_where_nothing_is_kept_values_are_the_same() -> None:
    with ph.open_tape(mode="off") as tape:
        playhead = Playhead(tape, None, owner=False)
        with pytest.raises(ph.ConfigError, match="reading 'dice' should be plain JSON data"):
            playhead.note("dice", object())
        assert asyncio.run(playhead.read("pair", lambda: (1, 2))) == [1, 2]
        assert tape.tape() is None


def test_a_secret_that_was_read_or_told_does_not_reach_the_tape_and_verify_finds_one(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with ph.open_tape(path, "record") as tape:
        playhead = Playhead(tape, None, owner=False)
        assert asyncio.run(playhead.read("servers", lambda: {"url": f"http://x/?api_key={SECRET}"})) == {
            "url": f"http://x/?api_key={SECRET}"
        }
        recording = tape.record_tool(ToolRun(lane="root/0.t", call_id="c", name="t"), "root")
        assert recording is not None
        recording.progress(f"using {SECRET}", float("nan"))
    assert SECRET.encode() not in path.read_bytes()
    (told,) = ph.load_tape(path).tools[0].progress
    assert (told.message, told.fraction) == ("using REDACTED", None)
    assert verify(path).ok
    progress = (Progress(f"using {SECRET}"),)
    tool = ToolRun(lane="root/0.t", call_id="c", name="t", progress=progress, ended="interrupted")
    ph.save_tape(Tape((Reading(lane="root", name="servers", value=[SECRET]), tool)), path)
    places = [problem.place.partition(", byte")[0] for problem in verify(path).problems]
    assert places == ["effect 0, value of servers", "effect 1, progress of t"]


def test_several_threads_tell_of_progress_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with ph.open_tape(path, "record") as tape:
        recording = tape.record_tool(ToolRun(lane="root/0.t", call_id="c", name="t"), "root")
        assert recording is not None
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: recording.progress(f"{n}"), range(200)))
        kept = tape.tape()
    (run,) = ph.load_tape(path).tools
    assert kept is not None
    assert kept.tools[0].progress == run.progress
    assert sorted(int(said.message) for said in run.progress) == list(range(200))
    times = [said.at_s for said in run.progress if said.at_s is not None]
    assert times == sorted(times)


def test_what_a_tool_says_behind_its_end_is_left_out() -> None:
    with ph.open_tape(mode="record") as tape:
        recording = tape.record_tool(ToolRun(lane="root/0.t", call_id="c", name="t"), "root")
        assert recording is not None
        recording.progress("on", 1)
        ended = recording.end(ToolRun(lane="root/0.t", call_id="c", name="t", result="r"))
        recording.progress("off", 1)
        kept = tape.tape()
    assert kept is not None
    assert [said.message for said in kept.tools[0].progress] == [said.message for said in ended.progress] == ["on"]


def test_a_reading_ends_no_lane_and_needs_no_play_behind_a_call_that_is_asked_again() -> None:
    def call(**more: Any) -> Interaction:
        return Interaction(request=Request("POST", "http://x/", (), b"a"), status=200, **more)

    wait = Reading(lane="root", name="wait", value=1.5)
    assert Tape((call(ended="interrupted"), wait)).cut_off
    tape = Tape((call(ended="interrupted", superseded=True), wait, call()))
    assert trim(tape)[0].effects == (wait, call())
    with ph.open_tape(tape, "replay") as opened:
        assert opened.unplayed() == (call(),)
    with ph.open_tape(Tape((call(), wait)), "replay") as opened:
        assert opened.unplayed() == (call(), wait)


def test_an_old_reader_passes_over_readings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The version stays 2: lines of a kind that is not known change nothing for whoever does not know them."""
    from playhead.tape.formats import _native_lines as lines

    tool = ToolRun(lane="root/0.t", call_id="c", name="t", result="r", progress=(Progress("half", 0.5, 0.1),))
    data = native.dump(Tape((Reading(lane="root", name="clock", value=1), tool)))
    old = data.replace(b'"reading"', b'"a.kind.to.come"').replace(b'"tool.progress"', b'"another.one"')
    loaded = native.load(old, "t.jsonl")
    assert (len(loaded.effects), loaded.numbers, loaded.warnings) == (1, (1,), ())
    assert lines.decode_line(b'{"type":"a.kind.to.come","n":0}') is None


def test_a_comparison_pairs_readings_and_numbers_do_not_count() -> None:
    def tape(*values: Any) -> Tape:
        return Tape(tuple(Reading(lane="root", name="n", value=value) for value in values))

    def compared(a: Tape, b: Tape) -> Any:
        return compare(a, b, list(map(hear, a.interactions)), list(map(hear, b.interactions)))

    assert compared(tape(1, "yes"), tape(2.5, "yes")).same
    found = compared(tape(1, "yes"), tape(1, "no"))
    assert (found.first, found.steps[1].kind, found.steps[1].answer[0].path) == (1, "reading", "value")
    assert compared(tape(1), tape()).notes == ("Only A holds readings. They are not compared.",)


def test_a_summary_tells_readings_and_progress() -> None:
    tool = ToolRun(lane="root/0.t", call_id="c", name="t", result="r", progress=(Progress("half", 0.5, 0.1),))
    said = summary(Tape((tool, Reading(lane="root", name="clock", value={"a": 1}))))
    assert said["tools"][0]["progress"] == [{"message": "half", "fraction": 0.5, "at_s": 0.1}]
    assert said["readings"] == [{"n": 0, "effect": 1, "lane": "root", "name": "clock", "value": {"a": 1}}]
