"""What each mode does behind and ahead of the playhead, and what is on the disk meanwhile."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

import playhead as ph
from chatwire import SSE, Script, stream, tool_call
from playhead.http import Request, Response
from playhead.tape.formats import native
from playhead.tape.writer import TapeWriter
from playhead.transport.memory import MemoryTransport

ENDINGS = pytest.mark.parametrize("ending", [".jsonl", ".yaml"])
runs: list[str] = []


@pytest.fixture(autouse=True)
def forget() -> None:
    runs.clear()


@ph.tool
def add(a: int, b: int) -> int:
    runs.append(f"add({a}, {b})")
    return a + b


CALL = tool_call("add", {"a": 1, "b": 2})


def script() -> Script:
    return Script(("let me see", CALL), ("it is 3",))


def contents(path: Path) -> list[tuple[str, Any]]:
    """What is on a tape, without times."""
    return [
        ("tool", (effect.lane, effect.result))
        if isinstance(effect, ph.ToolRun)
        else ("call", (effect.status, effect.body, effect.request.body))
        for effect in ph.load_tape(path).effects
    ]


@ENDINGS
def test_a_recording_replays_offline_with_no_tool_run_again(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t{ending}"
    recorded = script().agent(add).run_sync("go", tape=path, mode="record")
    assert runs == ["add(1, 2)"]
    assert [kind for kind, _ in contents(path)] == ["call", "tool", "call"]
    it = Script()
    replayed = it.agent(add).run_sync("go", tape=path, mode="replay")
    assert it.requests == []
    assert runs == ["add(1, 2)"]
    assert (replayed.messages, replayed.usage, replayed.cost) == (recorded.messages, recorded.usage, recorded.cost)


@ENDINGS
def test_nothing_is_left_beside_the_tape(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t{ending}"
    script().agent(add).run_sync("go", tape=path, mode="record")
    script().agent(add).run_sync("go", tape=path, mode="record")
    assert list(tmp_path.iterdir()) == [path]


@ENDINGS
def test_replay_needs_no_key_and_changes_nothing(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t{ending}"
    script().agent(add, model="openrouter:m", api_key="k").run_sync("go", tape=path)
    before = path.read_bytes()
    path.chmod(0o444)
    Script().agent(add, model="openrouter:m").run_sync("go", tape=path, mode="replay")
    Script().agent(add, model="openrouter:m").run_sync("go", tape=path)
    assert path.read_bytes() == before


@ENDINGS
def test_no_key_and_no_secret_header_is_ever_on_a_tape(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t{ending}"
    it = Script({"body": b"".join(stream("hi")), "headers": (*SSE, ("Set-Cookie", "session=s3cret"))})
    settings = {"extra_headers": {"X-Api-Key": "s3cret"}}
    it.agent(model="openrouter:m", api_key="s3cret-key", settings=settings).run_sync("go", tape=path)
    assert b"s3cret" not in path.read_bytes()
    sent = dict(it.transport.requests[0].headers)
    assert (sent["Authorization"], sent["X-Api-Key"]) == ("Bearer s3cret-key", "s3cret")


def test_a_key_in_an_address_is_not_on_a_tape_and_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    model = "compat:http://user:s3cret@x.test/v1?api_key=s3cret&api-version=1#m"
    it = Script(("hi",))
    it.agent(model=model).run_sync("go", tape=path)
    assert (
        it.transport.requests[0].url == "http://user:s3cret@x.test/v1/chat/completions?api_key=s3cret&api-version=1"
    )
    assert b"s3cret" not in path.read_bytes()
    for other in (model, model.replace("s3cret", "another")):
        assert Script().agent(model=other).run_sync("go", tape=path, mode="replay").text == "hi"
    with pytest.raises(ph.Divergence, match="api_key=REDACTED&api-version=2") as caught:
        Script().agent(model=model.replace("version=1", "version=2")).run_sync("go", tape=path, mode="replay")
    assert "s3cret" not in str(caught.value)


def test_auto_records_where_there_is_no_tape_and_replays_where_there_is(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    script().agent(add).run_sync("go", tape=path, mode="auto")
    it = Script()
    assert it.agent(add).run_sync("go", tape=path, mode="auto").text == "it is 3"
    assert it.requests == []
    with pytest.raises(ph.Divergence):
        it.agent(add).run_sync("something else", tape=path, mode="auto")


def test_auto_plays_the_tape_of_a_run_that_was_cancelled_to_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with script().agent(add).stream_sync("go", tape=path) as run:
        for event in run:
            if isinstance(event, ph.PartStart):
                run.cancel()
    assert run.result.finish_reason == "cancelled"
    it = Script()
    with it.agent(add).stream_sync("go", tape=path, mode="auto") as again:
        assert again.finish().messages == run.result.messages
    assert it.requests == []


@ENDINGS
def test_resume_plays_what_is_there_and_goes_on_live(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t{ending}"
    it = Script(("let me see", CALL), ph.TransportError("gone", kind="disconnect"))
    with pytest.raises(ph.TransportError):
        it.agent(add).run_sync("go", tape=path)
    second = Script(("it is 3",))
    result = second.agent(add).run_sync("go", tape=path)
    assert result.text == "it is 3"
    assert len(second.requests) == 1
    assert runs == ["add(1, 2)"]
    assert [call.superseded for call in ph.load_tape(path).interactions] == [False, True, False]
    assert Script().agent(add).run_sync("go", tape=path).text == "it is 3"
    assert Script().agent(add).run_sync("go", tape=path, mode="replay").text == "it is 3"


def test_resume_asks_again_after_a_refusal_that_ended_the_recording(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with pytest.raises(ph.ProviderError):
        Script({"status": 401, "body": b"{}"}).agent().run_sync("go", tape=path)
    with pytest.raises(ph.ProviderError) as caught:
        Script().agent().run_sync("go", tape=path, mode="replay")
    assert "played from tape" in caught.value.__notes__[0]
    assert Script(("hi",)).agent().run_sync("go", tape=path).text == "hi"
    first, second = ph.load_tape(path).interactions
    assert (first.status, first.superseded) == (401, True)
    assert (second.status, second.superseded) == (200, False)
    for mode in ("replay", "auto", "resume"):
        assert Script().agent().run_sync("go", tape=path, mode=mode).text == "hi"


@ENDINGS
def test_record_replaces_the_tape_when_the_run_is_over_and_not_before(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t{ending}"
    script().agent(add).run_sync("go", tape=path)
    before = path.read_bytes()

    @ph.tool
    def look() -> str:
        assert path.read_bytes() == before
        return "unchanged"

    it = Script((None, tool_call("look")), ("new",))
    assert it.agent(look).run_sync("go", tape=path, mode="record").steps[0].results[0].text == "unchanged"
    assert path.read_bytes() != before


def test_off_leaves_no_tape(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    result = script().agent(add).run_sync("go", tape=path, mode="off")
    assert result.tape is None
    assert not path.exists()


def test_a_tape_in_memory_can_be_played_saved_and_gone_on_from(tmp_path: Path) -> None:
    tape = script().agent(add).run_sync("go").tape
    assert tape is not None
    assert Script().agent(add).run_sync("go", tape=tape, mode="replay").text == "it is 3"
    ph.save_tape(tape, tmp_path / "t.yaml")
    assert ph.load_tape(tmp_path / "t.yaml") == tape


def test_a_request_beyond_the_end_never_goes_out_in_replay(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    Script(("hi",)).agent().run_sync("go", tape=path)
    file = path.read_text().splitlines(keepends=True)
    path.write_text("".join(file[:1]))
    with pytest.raises(ph.Divergence, match=re.escape("holds no calls in lane root; this is number 1")):
        Script(("never",)).agent().run_sync("go", tape=path, mode="replay")


def test_a_divergence_says_which_message_which_tool_and_which_parameter(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    Script(("hi",)).agent(add, system="be brief", temperature=0).run_sync("go to Rome", tape=path)

    @ph.tool
    def add2(a: int) -> int:
        return a

    with pytest.raises(ph.Divergence) as caught:
        Script().agent(add, add2, system="be brief", temperature=1).run_sync("go to Riga", tape=path, mode="replay")
    error = caught.value
    assert (error.lane, error.ordinal) == ("root", 0)
    assert error.differences[0] == (
        "messages[1] (user).content: from character 8 on the tape has 'go to Rome', this run 'go to Riga'"
    )
    assert any(line.startswith("temperature: 0 on the tape, 1 in this run") for line in error.differences)
    assert any("tools[1] (add2)" in line for line in error.differences)
    assert str(path) in str(error)
    assert "mode 'record'" in str(error)


def test_streamed_or_not_is_named_as_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    Script(("hi",)).agent().run_sync("go", tape=path)
    with (
        pytest.raises(ph.Divergence, match=r"One was made with agent\.stream, the other with agent\.run"),
        Script().agent().stream_sync("go", tape=path) as run,
    ):
        run.finish()


def test_a_tool_called_otherwise_than_on_the_tape_is_a_divergence(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    script().agent(add).run_sync("go", tape=path)
    path.write_text(path.read_text().replace('"lane":"root/0.add","call_id"', '"lane":"root/0.sub","call_id"'))
    with pytest.raises(ph.Divergence, match=r"holds no run of tool 'add' in lane root/0\.add"):
        Script().agent(add).run_sync("go", tape=path, mode="replay")


def test_a_tool_that_was_cut_down_may_run_again_only_if_it_says_so(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    script().agent(add).run_sync("go", tape=path)
    lines = path.read_text().splitlines(keepends=True)
    cut = next(n for n, line in enumerate(lines) if '"tool.start"' in line)
    path.write_text("".join(lines[: cut + 1]))
    with pytest.raises(ph.ToolInDoubt, match=r"add\(.*was started"):
        Script().agent(add).run_sync("go", tape=path)
    harmless = ph.tool(effect="read")(add.function)
    assert Script(("it is 3",)).agent(harmless).run_sync("go", tape=path).text == "it is 3"
    assert Script().agent(harmless).run_sync("go", tape=path, mode="replay").text == "it is 3"


def test_intent_is_on_the_disk_before_anything_goes_out_and_each_piece_as_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    seen: list[list[str]] = []

    def kinds() -> list[str]:
        return re.findall(r'"type":"([a-z.]+)"', path.read_text())

    async def body() -> Any:
        for piece in stream("one two"):
            yield piece
            seen.append(kinds())

    def handler(_: Request) -> Response:
        seen.append(kinds())
        return Response(200, SSE, body())

    agent = ph.Agent("compat:http://x/v1#m", transport=MemoryTransport(handler))
    agent.run_sync("go", tape=path)
    assert seen[0] == ["call.start"]
    for n, lines in enumerate(seen[1:], 1):
        assert lines == ["call.start", "call.head", *["call.chunk"] * n]
    assert kinds()[-3:] == ["timing", "call.end", "whole"]


def test_the_first_piece_does_not_wait_for_the_last() -> None:
    async def main() -> list[str]:
        heard: list[str] = []
        first_was_heard = asyncio.Event()

        async def body() -> Any:
            *pieces, last = stream("one two")
            yield b"".join(pieces[:2])
            await first_was_heard.wait()  # Hangs if the recorder holds the stream back.
            yield b"".join(pieces[2:]) + last

        agent = ph.Agent("compat:http://x/v1#m", transport=MemoryTransport(lambda _: Response(200, SSE, body())))
        async with asyncio.timeout(5), agent.stream("go") as run:
            async for event in run:
                if isinstance(event, ph.PartDelta):
                    heard.append(event.delta)
                    first_was_heard.set()
        assert run.result.tape is not None
        (call,) = run.result.tape.interactions
        assert call.times is not None
        assert len(call.times) == len(call.chunks) == 2
        assert list(call.times) == sorted(call.times)
        return heard

    assert asyncio.run(main()) == ["one", "two"]


def test_leaving_a_stream_early_leaves_a_tape_that_says_so(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"

    async def main() -> None:
        async with Script(("one two three",)).agent().stream("go", tape=path) as run:
            async for event in run:
                if isinstance(event, ph.PartDelta):
                    break

    asyncio.run(main())
    (call,) = ph.load_tape(path).interactions
    assert call.ended == "interrupted"
    with (
        pytest.raises(ph.TruncatedStream, match="the recording stops in the middle"),
        Script().agent().stream_sync("go", tape=path, mode="replay") as run,
    ):
        run.finish()


@pytest.mark.parametrize("mode", ["resume", "auto"])
def test_an_interrupted_yaml_recording_is_found_again(tmp_path: Path, mode: Any) -> None:
    path = tmp_path / "t.yaml"
    tape = script().agent(add).run_sync("go").tape
    assert tape is not None
    path.with_name("t.yaml.part").write_bytes(native.dump(ph.Tape(tape.effects[:2], tape.meta)))
    with pytest.raises(ph.TapeNotFound, match=r"'t\.yaml\.part'\. Go on with mode 'resume'"):
        Script().agent(add).run_sync("go", tape=path, mode="replay")
    assert Script(("it is 3",)).agent(add).run_sync("go", tape=path, mode=mode).text == "it is 3"
    assert runs == ["add(1, 2)"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_second_writer_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    writer = TapeWriter(path, native.header({}), keep=True)
    try:
        with pytest.raises(ph.TapeLocked, match="another run"):
            Script(("hi",)).agent().run_sync("go", tape=path)
        writer.append({"type": "note", "n": 0})
    finally:
        writer.close()
    assert path.read_text().count("\n") == 2


def test_a_tape_that_somebody_changed_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    it = Script(("a", CALL), {"status": 500, "body": b"{}"})
    with pytest.raises(ph.ProviderError), it.agent(add).stream_sync("go", tape=path) as run:
        run.finish()
    agent = Script(("it is 3",)).agent(add)

    async def main() -> None:
        async with agent.stream("go", tape=path) as run:
            async for _ in run:
                with path.open("a") as file:
                    file.write('{"type":"note","n":0}\n')

    with pytest.raises(ph.TapeLocked, match="changed by somebody else"):
        asyncio.run(main())


def test_a_torn_last_line_is_cut_off_before_the_tape_grows(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    it = Script(("let me see", CALL), ph.TransportError("gone"))
    with pytest.raises(ph.TransportError):
        it.agent(add).run_sync("go", tape=path)
    with path.open("a") as file:
        file.write('{"type":"call.st')
    assert Script(("it is 3",)).agent(add).run_sync("go", tape=path).text == "it is 3"
    assert ph.load_tape(path).warnings == ()


def test_a_tape_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ph.TapeError, match="cannot be written: No such file or directory"):
        Script(("hi",)).agent().run_sync("go", tape=tmp_path / "nowhere" / "t.jsonl")


def test_a_disk_that_takes_no_more_is_a_clear_error_and_what_was_written_stays(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="this system has no limits on files")
    path = tmp_path / "t.jsonl"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1200, hard))
    try:
        with pytest.raises(ph.TapeError, match="cannot be written: File too large"):
            script().agent(add).run_sync("go", tape=path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes().endswith(b"\n")  # No line stands half.
    (call,) = ph.load_tape(path).interactions
    assert call.ended == "interrupted"


def test_what_is_not_a_file_is_no_tape(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.symlink_to("/dev/null")
    with pytest.raises(ph.TapeError, match="not a regular file"):
        Script(("hi",)).agent().run_sync("go", tape=path)


def test_a_missing_tape_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ph.TapeNotFound, match="Record it first"):
        Script().agent().run_sync("go", tape=tmp_path / "t.jsonl", mode="replay")


def test_an_ending_that_says_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ph.TapeFormatError, match=r"'\.txt' says no format"):
        Script().agent().run_sync("go", tape=tmp_path / "t.txt")


def test_a_mode_that_does_not_exist_and_a_replay_of_nothing_are_refused() -> None:
    with pytest.raises(ph.ConfigError, match="no mode 'play'"):
        Script().agent().run_sync("go", mode="play")  # type: ignore[arg-type]
    with pytest.raises(ph.ConfigError, match="say which one"):
        Script().agent().run_sync("go", mode="replay")


def test_an_empty_file_is_started_anew_by_resume_and_refused_by_replay(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.touch()
    with pytest.raises(ph.TapeFormatError, match="is empty"):
        Script().agent().run_sync("go", tape=path, mode="replay")
    assert Script(("hi",)).agent().run_sync("go", tape=path).text == "hi"
    assert len(ph.load_tape(path).effects) == 1


def test_tools_of_somebody_elses_cassette_run_and_are_not_added_to_it(tmp_path: Path) -> None:
    tape = script().agent(add).run_sync("go").tape
    assert tape is not None
    foreign = tmp_path / "foreign.yaml"
    ph.save_tape(ph.Tape(tape.interactions), foreign)
    before = foreign.read_bytes()
    runs.clear()
    for mode in ("replay", "resume"):
        result = Script().agent(add).run_sync("go", tape=foreign, mode=mode)
        assert result.text == "it is 3"
    assert runs == ["add(1, 2)"] * 2
    assert foreign.read_bytes() == before


def test_auto_goes_on_with_a_recording_that_stopped_between_two_effects(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    script().agent(add).run_sync("go", tape=path)
    lines = path.read_bytes().splitlines(keepends=True)
    assert lines[-1] == b'{"type":"whole"}\n'
    end = next(n for n, line in enumerate(lines) if b'"call.end"' in line) + 1
    path.write_bytes(b"".join(lines[:end]))  # Killed when the first answer was there, and no tool had begun.
    runs.clear()
    again = Script(("three",))
    assert again.agent(add).run_sync("go", tape=path, mode="auto").text == "three"
    assert len(again.requests) == 1
    assert path.read_bytes().endswith(b'{"type":"whole"}\n')
    assert Script().agent(add).run_sync("go", tape=path, mode="auto").text == "three"


def test_a_recording_that_was_killed_behind_its_last_effect_is_whole_once_it_was_played(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    script().agent(add).run_sync("go", tape=path)
    whole = path.read_bytes()
    path.write_bytes(whole.removesuffix(b'{"type":"whole"}\n'))
    Script().agent(add).run_sync("go", tape=path)
    assert path.read_bytes() == whole


def test_in_replay_no_tool_runs_where_the_tape_ends_before_it(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    script().agent(add).run_sync("go", tape=path)
    lines = path.read_bytes().splitlines(keepends=True)
    end = next(n for n, line in enumerate(lines) if b'"call.end"' in line) + 1
    path.write_bytes(b"".join(lines[:end]))
    runs.clear()
    with pytest.raises(ph.Divergence, match="no run of tool 'add'"):
        Script().agent(add).run_sync("go", tape=path, mode="replay")
    assert runs == []


def test_a_cassette_that_cannot_be_put_in_its_place_says_where_the_recording_is(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    (tmp_path / "t.yaml.new").mkdir()
    with pytest.raises(ph.TapeError, match=r"t\.yaml\.part': mode 'resume' goes on from there"):
        script().agent(add).run_sync("go", tape=path)
    (tmp_path / "t.yaml.new").rmdir()
    assert Script().agent(add).run_sync("go", tape=path).text == "it is 3"
    assert [file.name for file in tmp_path.iterdir()] == ["t.yaml"]


def test_a_tape_that_grows_in_place_speaks_of_no_journal_when_its_last_line_does_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = TapeWriter.append

    def full(self: TapeWriter, line: Any) -> None:
        if line.get("type") == "whole":
            raise ph.TapeError("there is no room")
        append(self, line)

    monkeypatch.setattr(TapeWriter, "append", full)
    with pytest.raises(ph.TapeError, match=r"^there is no room$"):
        script().agent(add).run_sync("go", tape=tmp_path / "t.jsonl")
