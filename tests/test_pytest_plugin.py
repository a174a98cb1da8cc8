"""The pytest plugin: a tape for each test, named after it, on which all that the test does stands."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import pytest

import playhead as ph
from playhead import agent as agent_package
from playhead import tape as tape_package
from playhead import transport, wire
from playhead.http import Request
from playhead.tape.lanes import here, lane_on, standing
from playhead.tape.opened import OpenTape
from playhead.tape.recorder import CallRecording

# What is imported only inside of a run in this process is taken out of sys.modules behind it, and would be there
# twice.
for _package in (agent_package, tape_package, transport, wire):
    for _module in walk_packages(_package.__path__, f"{_package.__name__}."):
        import_module(_module.name)

AGENT = """
import json
import playhead as ph
from playhead.transport.memory import MemoryTransport, respond

def answering(text="five"):
    def answer(request):
        with open("asked.txt", "a") as log:
            log.write(json.loads(request.body)["messages"][-1]["content"] + "\\n")
        said = {"role": "assistant", "content": text}
        body = {"choices": [{"index": 0, "message": said, "finish_reason": "stop"}]}
        return respond(200, json.dumps(body).encode(), (("Content-Type", "application/json"),))
    return ph.Agent("compat:http://here.test/v1#m", transport=MemoryTransport(answer))
"""

TEST = """
from my_agents import answering

def test_sum(tape):
    assert answering().run_sync("add two and three").text == "five"
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    pytester.makepyfile(my_agents=AGENT)
    pytester.syspathinsert()
    monkeypatch.chdir(pytester.path)
    return pytester


def run(project: pytest.Pytester, *args: str, alone: bool = False) -> pytest.RunResult:
    """Run the project's tests, in a process of their own where that matters."""
    go = project.runpytest_subprocess if alone else project.runpytest_inprocess
    return go("-p", "no:cacheprovider", "-W", "error", *args)


def asked(project: pytest.Pytester) -> int:
    """How many requests went out so far."""
    file = project.path / "asked.txt"
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_the_first_run_records_and_the_next_ones_play(project: pytest.Pytester) -> None:
    project.makepyfile(TEST)
    tape = project.path / "tapes" / "test_the_first_run_records_and_the_next_ones_play" / "test_sum.jsonl"
    run(project).assert_outcomes(passed=1)
    assert tape.exists()
    assert asked(project) == 1
    before = tape.read_bytes()
    run(project).assert_outcomes(passed=1)
    run(project, "--playhead=replay").assert_outcomes(passed=1)
    assert (asked(project), tape.read_bytes()) == (1, before)
    run(project, "--playhead=record").assert_outcomes(passed=1)
    assert asked(project) == 2
    run(project, "--playhead=off").assert_outcomes(passed=1)
    assert asked(project) == 3


def test_replay_without_a_tape_says_how_to_make_one(project: pytest.Pytester) -> None:
    project.makepyfile(TEST)
    result = run(project, "--playhead=replay")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*TapeNotFound: there is no tape*Record it first: mode 'record', or 'auto'*"])
    assert not (project.path / "tapes").exists()


def test_a_failure_shows_in_what_the_run_diverged(project: pytest.Pytester) -> None:
    project.makepyfile(TEST)
    run(project)
    project.makepyfile(TEST.replace("two and three", "two and four"))
    result = run(project)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*- playhead -*", "tape *test_sum.jsonl, mode replay", "*messages?0?*'*three'*'*four'*"]
    )


def test_a_divergence_that_a_client_swallows_fails_the_test(project: pytest.Pytester) -> None:
    project.makepyfile(TEST)
    run(project)
    project.makepyfile(
        """
        import playhead as ph
        from playhead.http import Request

        def test_sum(tape):
            try:
                tape.ask(Request("POST", "http://here.test/other"))
            except ph.Divergence:
                pass
        """
    )
    result = run(project)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*Divergence: tape *"])


def test_effects_that_no_test_asked_for_are_reported(project: pytest.Pytester) -> None:
    project.makepyfile(TEST.replace(".text", ".text == answering().run_sync('again').text"))
    run(project).assert_outcomes(passed=1)
    project.makepyfile(TEST)
    result = run(project)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "*recorded, and not asked for*",
            "*::test_sum: *",
            "  POST http://here.test/v1/chat/completions in lane root#1",
        ]
    )
    result = run(project, "--playhead-unplayed=error")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*holds what the test did not ask for*"])
    result = run(project, "--playhead-unplayed=ignore")
    result.stdout.no_fnmatch_line("*not asked for*")


def test_markers_have_the_options_of_open_tape(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest
        from my_agents import answering

        pytestmark = pytest.mark.playhead(path="shared.yaml")

        @pytest.mark.playhead(mode="record")
        def test_one(tape):
            assert answering().run_sync("hello").text == "five"

        @pytest.mark.playhead(mode="replay", on_divergence="drift")
        def test_two(tape):
            assert answering().run_sync("something else").text == "five"
            assert "drift" in tape.drifts[0]
        """
    )
    run(project).assert_outcomes(passed=2)
    assert (project.path / "shared.yaml").read_text().startswith("---\nversion: 2")


def test_a_marker_or_a_setting_that_does_not_exist_is_told(project: pytest.Pytester) -> None:
    project.makepyfile("import pytest\n@pytest.mark.playhead(modus='replay')\ndef test_it(tape): pass")
    run(project).stdout.fnmatch_lines(["*the marker playhead has no option modus; it has: mode, path, *"])
    project.makeini("[pytest]\nplayhead = always")
    run(project).stderr.fnmatch_lines(["*playhead is one of auto, replay, record, resume, off, not 'always'*"])


def test_a_test_that_fails_does_not_replace_its_tape(project: pytest.Pytester) -> None:
    project.makepyfile(TEST)
    run(project)
    tape = next(project.path.glob("tapes/*/*.jsonl"))
    before = tape.read_bytes()
    project.makepyfile(TEST.replace('"five"', '"six"'))
    run(project, "--playhead=record").assert_outcomes(failed=1)
    assert tape.read_bytes() == before


HALF = """
import pytest
from my_agents import answering

{mark}
def test_it(tape):
    answering().run_sync("one")
    {stop}
    answering().run_sync("two")
"""
XFAIL = "@pytest.mark.xfail(strict=False)"


@pytest.mark.parametrize(
    ("mark", "stop"),
    [("", "assert 0"), ("", "raise KeyboardInterrupt"), ("", "pytest.skip('no')"), (XFAIL, "assert 0")],
    ids=["failed", "interrupted", "skipped", "failed as expected"],
)
def test_only_a_test_that_passes_replaces_its_tape(project: pytest.Pytester, mark: str, stop: str) -> None:
    project.makepyfile(HALF.format(mark=mark, stop="pass"))
    run(project)
    tape = next(project.path.glob("tapes/*/*.jsonl"))
    before = tape.read_bytes()
    assert before.count(b"call.start") == 2
    project.makepyfile(HALF.format(mark=mark, stop=stop))
    run(project, "--playhead=record", alone="Keyboard" in stop)
    assert tape.read_bytes() == before
    project.makepyfile(HALF.format(mark=mark, stop="pass"))
    run(project, "--playhead=record")
    assert tape.read_bytes() != before
    assert list(tape.parent.iterdir()) == [tape]


@pytest.mark.parametrize("ending", [".jsonl", ".yaml"])
@pytest.mark.parametrize("mode", ["auto", "record"])
def test_a_first_recording_goes_on_until_its_test_passes(project: pytest.Pytester, ending: str, mode: str) -> None:
    project.makeini(f"[pytest]\nplayhead_ending = {ending}")
    project.makepyfile(HALF.format(mark="", stop="assert 0"))
    run(project, f"--playhead={mode}").assert_outcomes(failed=1)
    (journal,) = project.path.glob("tapes/*/*")
    assert journal.name == f"test_it{ending}.part"
    run(project).assert_outcomes(failed=1)
    run(project, "--playhead=replay").assert_outcomes(errors=1)
    assert (asked(project), list(journal.parent.iterdir())) == (1, [journal])
    project.makepyfile(HALF.format(mark="", stop="pass"))
    run(project).assert_outcomes(passed=1)
    assert asked(project) == 2
    assert [file.name for file in journal.parent.iterdir()] == [f"test_it{ending}"]
    run(project, "--playhead=replay").assert_outcomes(passed=1)


def test_a_first_recording_that_never_passed_is_begun_anew_in_mode_record(project: pytest.Pytester) -> None:
    project.makepyfile(HALF.format(mark="", stop="assert 0"))
    run(project)
    project.makepyfile(TEST.replace("test_sum", "test_it"))
    run(project).assert_outcomes(failed=1)
    run(project, "--playhead=record").assert_outcomes(passed=1)
    (tape,) = project.path.glob("tapes/*/*")
    assert (tape.name, tape.read_bytes().count(b"call.start")) == ("test_it.jsonl", 1)


def test_each_test_has_a_file_of_its_own_also_where_names_are_alike(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest
        from my_agents import answering

        @pytest.mark.parametrize("what", ["a/b", "a b", "a_b", "A_b", "\u00e9", "x" * 300, "x" * 301])
        def test_it(tape, what):
            answering().run_sync(what)

        class TestA:
            class TestIn:
                def test_it(self, tape):
                    answering().run_sync("A")

        class TestB:
            class TestIn:
                def test_it(self, tape):
                    answering().run_sync("B")

        def test_a_b(tape):
            answering().run_sync("a_b")

        def test_A_b(tape):
            answering().run_sync("A_b")
        """
    )
    run(project).assert_outcomes(passed=11)
    names = [path.name for path in project.path.glob("tapes/*/*")]
    assert len({name.lower() for name in names}) == 11
    assert max(len(name.encode()) for name in names) <= 200 + len(".jsonl")
    assert "test_a_b.jsonl" in names
    assert any(name.startswith("TestA.TestIn.test_it-") for name in names)
    run(project, "--playhead=replay").assert_outcomes(passed=11)


def test_workers_side_by_side_record_and_play_and_report(project: pytest.Pytester) -> None:
    names = "\n".join(
        f"def test_{n}(tape):\n    assert answering().run_sync('{n}').text == 'five'\n"
        f"    {'' if n else 'answering().run_sync(chr(48))'}"
        for n in range(12)
    )
    project.makepyfile(f"from my_agents import answering\n{names}")
    run(project, "-n", "3", alone=True).assert_outcomes(passed=12)
    assert asked(project) == 13
    project.makepyfile(f"from my_agents import answering\n{names.replace('answering().run_sync(chr(48))', '')}")
    result = run(project, "-n", "3", "--playhead=replay", alone=True)
    result.assert_outcomes(passed=12)
    result.stdout.fnmatch_lines(["*recorded, and not asked for*", "*::test_0: *"])
    assert asked(project) == 13


def test_an_asynchronous_test_has_its_tape_around_it(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import asyncio
        from my_agents import answering

        def test_it(tape):
            async def both():
                return await asyncio.gather(*(answering().run(name) for name in ("a", "b")))
            assert len(asyncio.run(both())) == 2
            assert len(tape.tape().effects) == 2
        """
    )
    run(project).assert_outcomes(passed=1)
    run(project, "--playhead=replay").assert_outcomes(passed=1)


def test_a_task_and_a_thread_that_were_there_before_the_tape_are_on_it(project: pytest.Pytester) -> None:
    """anyio runs tests in a task that it begins for the first asynchronous fixture, before the tape is open."""
    project.makepyfile(
        """
        from concurrent.futures import ThreadPoolExecutor
        import pytest
        from my_agents import answering

        @pytest.fixture(scope="module")
        def anyio_backend():
            return "asyncio"

        @pytest.fixture(scope="module")
        async def earlier(anyio_backend):
            yield

        @pytest.fixture(scope="module")
        def pool():
            with ThreadPoolExecutor(1) as pool:
                pool.submit(int).result()
                yield pool

        @pytest.mark.anyio
        @pytest.mark.parametrize("n", [1, 2])
        async def test_task(earlier, tape, n):
            await answering().run(f"task {n}")
            assert len(tape.tape().effects) == 1

        @pytest.mark.parametrize("n", [1, 2])
        def test_thread(pool, tape, n):
            pool.submit(answering().run_sync, f"thread {n}").result()
            assert len(tape.tape().effects) == 1
        """
    )
    run(project, alone=True).assert_outcomes(passed=4)
    assert asked(project) == 4
    run(project, "--playhead=replay", alone=True).assert_outcomes(passed=4)
    assert asked(project) == 4


def elsewhere(work: Callable[[], Any]) -> Any:
    """What work gives in a thread of its own, which is begun outside of every tape."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def where() -> OpenTape | None:
    place = here()
    return None if place is None else place.tape


def test_code_that_stands_nowhere_is_on_the_innermost_tape_and_on_none_where_that_was_said() -> None:
    assert elsewhere(where) is None
    with ph.open_tape() as outer:
        assert elsewhere(where) is outer
        with ph.open_tape() as inner:
            assert elsewhere(where) is inner
            with standing(None):
                assert where() is None
            with standing(outer):
                assert (where(), elsewhere(where)) == (outer, inner)
        assert elsewhere(where) is outer

        def in_a_lane() -> str:
            with ph.lane("a"):
                return lane_on(outer)

        assert elsewhere(in_a_lane) == "root/a"
    assert elsewhere(where) is None


@pytest.mark.parametrize("mode", ["record", "replay"])
def test_of_tapes_that_are_open_beside_each_other_none_is_guessed(mode: Any) -> None:
    with ExitStack() as blocks:

        def one() -> Any:
            context = contextvars.Context()
            return context, context.run(blocks.enter_context, ph.open_tape(ph.Tape(), mode=mode))

        (context, first), (_, second) = one(), one()
        assert first is not second
        assert context.run(where) is first
        if mode == "record":
            assert elsewhere(where) is None
            return
        with pytest.raises(ph.ConfigError, match=r"2 tapes are open, of which .* lets nothing out"):
            elsewhere(where)
        assert context.run(lane_on, second) == "root"


def test_a_block_may_end_in_another_context_than_it_began_in(tmp_path: Path) -> None:
    """As that of a generator which two tasks move on."""

    async def fixture() -> AsyncGenerator[OpenTape]:
        async with ph.open_tape(tmp_path / "t.yaml") as tape:
            yield tape

    async def main() -> None:
        generator = fixture()
        tape = await asyncio.create_task(anext(generator))
        assert where() is tape
        recording = tape.ask(Request("GET", "http://x.test/"))
        assert isinstance(recording, CallRecording)
        recording.head(200, "OK", "HTTP/1.1", ())
        recording.end("complete")
        assert await asyncio.create_task(anext(generator, None)) is None
        assert where() is None

    asyncio.run(main())
    assert [file.name for file in tmp_path.iterdir()] == ["t.yaml"]


def test_the_plugin_loads_nothing_before_a_test_asks_for_a_tape(project: pytest.Pytester, tmp_path: Path) -> None:
    project.makepyfile(
        """
        import sys

        def test_it():
            assert "playhead.pytest_plugin" in sys.modules
            assert not {"msgspec", "playhead.tape", "httpx2"} & sys.modules.keys()
        """
    )
    run(project, "-p", "no:anyio", "-p", "no:hypothesispytest", alone=True).assert_outcomes(passed=1)
