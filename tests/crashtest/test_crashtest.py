"""Laws of runs that are killed: the same result, nothing paid twice, no tool run twice. And the crash test finds what
is broken."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import playhead as ph
from playhead.cli import crashtest as command
from playhead.cli._console import Console
from playhead.crashtest.campaign import Case, Progress, crashtest
from playhead.crashtest.checks import difference
from playhead.crashtest.points import Point, parse_points, plan

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def case(agent: str, prompt: str, **more: Any) -> Case:
    return Case(command=(sys.executable, "-m", "playhead.cli.crashtest", f"{HERE / agent}"), prompt=prompt, **more)


@pytest.mark.parametrize(
    ("agent", "prompt", "stream", "ending", "kills"),
    [
        ("shop", "buy", True, ".jsonl", 130),
        ("shop", "buy", False, ".jsonl", 55),
        ("shop", "buy", True, ".yaml", 85),
        ("chief", "weather", True, ".jsonl", 95),
        ("talker", "hello", True, ".yaml", 75),
    ],
)
def test_a_run_that_is_killed_comes_to_the_same_result_and_repeats_nothing(
    agent: str, prompt: str, stream: bool, ending: str, kills: int
) -> None:
    report = crashtest(case(f"agents.py:{agent}", prompt, stream=stream, ending=ending, kills=kills))
    total = report.total
    assert report.failures == []
    assert (total.runs, total.same, total.paid, total.twice) == (kills, kills, 0, 0)
    assert total.kills >= kills
    assert agent == "talker" or total.doubts > 0
    assert not Path(report.reference).parent.exists()


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        ("tool_end_late", "end"),
        ("chunk_late", "seen"),
        ("line_late", "intent"),
        ("no_doubt", "once"),
        ("tool_again", "once"),
        ("pays_twice", "paid"),
        ("torn_line_stays", "kept"),
        ("other_keys", "key"),
        ("forgets", "kept"),
    ],
)
def test_a_promise_that_is_broken_is_found(broken: str, promise: str) -> None:
    report = crashtest(case(f"broken.py:{broken}", "go", kills=None, enough=1))
    assert promise in {item.promise for item in report.failures[0].broken}
    assert (Path(report.folder) / "ledger.jsonl").exists()


class Heard(Progress):
    def __init__(self) -> None:
        self.tools: dict[str, int] = {}

    def planned(self, plan: Any) -> None:
        self.tools = plan.tools


def test_a_recording_serves_as_the_provider_and_is_left_as_it_is() -> None:
    tape = ROOT / "examples" / "tapes" / "sum.jsonl"
    before, heard = tape.read_bytes(), Heard()
    program = (sys.executable, "-m", "playhead.cli.crashtest", f"{ROOT / 'examples' / 'sum_agent.py'}:agent")
    prompt = "Add and multiply the number 2 and 3"
    report = crashtest(Case(command=program, prompt=prompt, tape=tape, kills=10), heard)
    assert (report.failures, report.total.same) == ([], 10)
    assert heard.tools == {"add": 1, "multiply": 1}
    assert tape.read_bytes() == before


def test_an_agent_with_threads_of_its_own_is_not_forked_and_may_print(tmp_path: Path) -> None:
    (tmp_path / "threaded.py").write_text(
        f"import sys, threading\nsys.path.insert(0, {str(HERE)!r})\nfrom agents import talker\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\nprint('loaded')\n"
    )
    program = (sys.executable, "-m", "playhead.cli.crashtest", f"{tmp_path / 'threaded.py'}:talker")
    report = crashtest(Case(command=program, prompt="hello", points=(Point("inside", 4, 0.5),)))
    assert (report.failures, report.total.kills, report.total.repeated) == ([], 1, 1)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os\ngive = lambda: os.urandom(8).hex()", r"content: .* the tape has 'None'.*the same each time"),
        ("import time\ngive = lambda: time.sleep(30)", "took too long"),
        ("import os, signal\ngive = lambda: os.kill(os.getpid(), signal.SIGKILL)", "somebody else killed it"),
    ],
)
def test_an_agent_that_cannot_be_tested_is_told_apart_from_a_broken_promise(
    tmp_path: Path, code: str, words: str
) -> None:
    (tmp_path / "odd.py").write_text(
        f"import sys\nsys.path.insert(0, {str(HERE)!r})\nimport playhead as ph\nfrom agents import MODEL, provider\n"
        f"{code}\n@ph.tool\ndef odd(again: bool = False) -> str:\n"
        "    import pathlib\n    seen = pathlib.Path(__file__).with_suffix('.seen')\n"
        "    first = not seen.exists()\n    seen.touch()\n    return str(None if first else give())\n"
        "agent = ph.Agent(MODEL, tools=[odd], transport=provider({'go': [('', (('odd', {}),)), ('done', ())]}))\n"
    )
    program = (sys.executable, "-m", "playhead.cli.crashtest", f"{tmp_path / 'odd.py'}:agent")
    with pytest.raises(ph.PlayheadError, match=f"(?s){words}"):
        crashtest(Case(command=program, prompt="go", limit_s=1))


def arguments(**more: Any) -> argparse.Namespace:
    given = {"prompt": "go", "tape": None, "kills": 6, "seed": 3, "stream": None, "point": None, "json": False}
    return argparse.Namespace(**given | {"parser": argparse.ArgumentParser()} | more)


def test_the_command_shows_a_table_and_data_for_scripts(capfd: pytest.CaptureFixture[str]) -> None:
    assert command.run(arguments(agent=f"{HERE / 'agents.py'}:plain"), Console()) == 0
    said = capfd.readouterr()
    head, *rows, _, last = said.out.splitlines()
    assert head.split()[:3] == ["killed", "runs", "kills"]
    assert rows[-1].split()[:2] == ["all", "6"]
    assert "kills in 6 runs of" in last
    assert "the tools really run" in said.err
    assert command.run(arguments(agent=f"{HERE / 'agents.py'}:plain", json=True), Console()) == 0
    data = json.loads(capfd.readouterr().out)
    assert (data["total"]["runs"], data["total"]["failed"], data["failures"], data["seed"]) == (6, 0, [], 3)
    assert data["tools"] == {"look": 1, "note": 1, "charge": 1}


def test_a_failure_says_where_it_was_killed_and_can_be_repeated(tmp_path: Path) -> None:
    agent = f"{HERE / 'broken.py'}:no_doubt"

    def crashed(*options: str) -> str:  # in a process of its own: what is loaded there breaks Playhead
        playhead = [sys.executable, "-m", "playhead", "crashtest", agent, "go", *options]
        environment = {**os.environ, "TMPDIR": str(tmp_path)}
        done = subprocess.run(playhead, capture_output=True, text=True, timeout=60, env=environment)
        assert done.returncode == 1
        return done.stderr

    said = crashed("--kills", "40", "--seed", "3")
    point = said.partition("killed at ")[2].partition(" ")[0]
    folder = Path(said.partition("its ledger are in ")[2].partition(".\n")[0])
    tape = str(folder.parent / "reference.jsonl")
    assert f"--tape {tape} --stream --point {point}" in said
    again = crashed("--tape", tape, "--stream", "--point", point)
    assert f"1 run broke a promise. The first, killed at {point}" in again


POINTS = st.lists(
    st.builds(
        Point,
        st.sampled_from(["before", "inside", "after", "piece", "event", "tool", "place"]),
        st.integers(0, 99),
        st.floats(0, 1),
    ),
    min_size=1,
)
COUNTS = st.fixed_dictionaries({"line": st.integers(1, 30), "piece": st.integers(0, 9), "tool": st.integers(0, 3)})


@given(POINTS)
def test_points_are_read_as_they_are_written(points: list[Point]) -> None:
    assert parse_points(",".join(map(str, points))) == tuple(points)


@given(COUNTS, st.integers(), st.integers(1, 400))
def test_a_plan_has_every_place_where_there_is_room_and_is_the_same_for_a_seed(
    counts: dict[str, int], seed: int, kills: int
) -> None:
    whole = [run[0] for run in plan(counts, None, seed, 0.0)]
    for kind, count in (("before", counts["line"]), ("after", counts["line"]), ("tool", counts["tool"])):
        assert [point.at for point in whole if point.kind == kind] == list(range(count))
    assert Counter(point.at for point in whole if point.kind == "inside") == dict.fromkeys(range(counts["line"]), 3)
    some = plan(counts, kills, seed, 0.5)
    assert len(some) == kills
    assert some == plan(counts, kills, seed, 0.5)
    assert kills < len(whole) or set(whole) <= {run[0] for run in some}


@given(st.integers(2, 5000), st.floats(0, 1))
def test_a_line_in_the_middle_of_which_a_run_is_killed_is_never_whole_and_never_missing(
    length: int, share: float
) -> None:
    assert 1 <= Point("inside", 0, share).part(length) < length


def test_a_difference_is_told_by_its_place() -> None:
    assert difference({"a": [{"b": 1}]}, {"a": [{"b": 1}]}) is None
    assert difference({"a": [{"b": 1}]}, {"a": [{"b": 2}]}) == "a[0].b is 2, and should be 1"
    assert difference({"a": [1]}, {"a": [1, 2]}) == "a is [1, 2], and should be [1]"
