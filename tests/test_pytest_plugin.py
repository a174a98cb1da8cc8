"""The pytest plugin: a tape for each test, named after it."""

from __future__ import annotations

from pathlib import Path

import pytest

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


def test_names_of_classes_and_parameters_are_names_of_files(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest
        from my_agents import answering

        class TestAgent:
            @pytest.mark.parametrize("what", ["a/b", "c d", "\\u00e9"])
            def test_it(self, tape, what):
                answering().run_sync(what)
        """
    )
    run(project).assert_outcomes(passed=3)
    assert len({path.name for path in project.path.glob("tapes/*/TestAgent.test_it*.jsonl")}) == 3
    run(project, "--playhead=replay").assert_outcomes(passed=3)


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
