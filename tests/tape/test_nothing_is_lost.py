"""Laws of a tape under kills, cuts and other writers: the same result, nothing paid twice, no tool run twice."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import playhead as ph
from chatwire import SSE, Script, stream, tool_call
from playhead.http import Request, Response
from playhead.tape.formats import native
from playhead.transport.memory import MemoryTransport, respond

ran: list[str] = []


@pytest.fixture(autouse=True)
def forget() -> None:
    ran.clear()


@ph.tool(effect="idempotent")
def charge(account: str) -> str:
    ran.append(account)
    return f"charged {account}"


STEPS = (
    ("first", tool_call("charge", {"account": "a"}, "a"), tool_call("charge", {"account": "b"}, "b")),
    ("second", tool_call("charge", {"account": "c"}, "c")),
    ("done",),
)


class Conversation:
    """A provider that knows by the conversation which step is asked for, and counts."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.transport = MemoryTransport(self._answer)

    def agent(self) -> ph.Agent:
        return ph.Agent("compat:http://script.test/v1#m", tools=[charge], transport=self.transport)

    def _answer(self, request: Request) -> Response:
        said = json.loads(request.body)["messages"]
        step = sum(message["role"] == "assistant" for message in said)
        self.asked.append(step)
        return respond(200, stream(*STEPS[step]), SSE)


def run(agent: ph.Agent, path: Path, mode: Any = None) -> ph.RunResult:
    with agent.stream_sync("go", tape=path, mode=mode) as running:
        return running.finish()


def answered(file: bytes) -> set[int]:
    """The effects that have their end in a file that was cut."""
    lines = [json.loads(line) for line in file.split(b"\n")[1:-1]]
    return {line["n"] for line in lines if line["type"] in ("call.end", "tool.end")}


@pytest.mark.parametrize("start", range(4))
def test_wherever_a_recording_is_cut_the_resumed_run_is_the_same_and_repeats_nothing(
    tmp_path: Path, start: int
) -> None:
    path = tmp_path / "t.jsonl"
    whole = run(Conversation().agent(), path)
    file = path.read_bytes()
    kinds = [type(effect).__name__ for effect in ph.load_tape(path).effects]
    ends = [n + 1 for n, byte in enumerate(file) if byte == 10]
    for at in sorted({*range(start * 11, len(file), 44), *ends[start::4]}):
        path.write_bytes(file[:at])
        done = answered(file[:at])
        ran.clear()
        provider = Conversation()
        result = run(provider.agent(), path)
        assert result.messages == whole.messages, at
        assert len(provider.asked) == 3 - sum(kinds[n] == "Interaction" for n in done), at
        assert len(ran) == 3 - sum(kinds[n] == "ToolRun" for n in done), at
        replayed = run(Script().agent(charge), path, "replay")
        assert (replayed.messages, replayed.usage) == (whole.messages, result.usage), at
        assert [step.response.usage for step in replayed.steps] == [step.response.usage for step in whole.steps], at
        assert len(replayed.ledger) == len(result.ledger) <= 4, at  # A call that was cut off was paid for, too.
        assert ph.load_tape(path).warnings == (), at


@pytest.mark.parametrize("start", range(3))
def test_a_kill_while_a_cassette_is_copied_into_its_journal_costs_nothing(tmp_path: Path, start: int) -> None:
    path, journal = tmp_path / "t.yaml", tmp_path / "t.yaml.part"
    whole = run(Conversation().agent(), path)
    cut = ph.Tape(ph.load_tape(path).effects[:-1], ph.load_tape(path).meta)
    ph.save_tape(cut, path)
    cassette = path.read_bytes()
    lines = native.dump(cut).splitlines(keepends=True)
    copy = native.encode_line(native.header(cut.meta, copies=True)) + b"".join(lines[1:])
    copy += native.encode_line(native.copied())
    for at in [*range(start, len(copy), 61), len(copy)]:
        path.write_bytes(cassette)
        journal.write_bytes(copy[:at])
        ran.clear()
        provider = Conversation()
        assert run(provider.agent(), path).messages == whole.messages, at
        assert (provider.asked, ran) == ([2], []), at
        assert not journal.exists()


@pytest.mark.parametrize("ending", [".yaml", ".jsonl"])
def test_a_recording_that_was_killed_before_it_was_put_in_its_place_is_put_there_by_the_next_run(
    tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"t{ending}"
    agent = Conversation().agent()
    recorded = run(agent, tmp_path / "whole.jsonl")
    (tmp_path / f"t{ending}.part").write_bytes((tmp_path / "whole.jsonl").read_bytes())
    assert run(agent, path).text == recorded.text
    assert run(agent, path, "replay").text == recorded.text
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([path.name, "whole.jsonl"])


def test_a_tool_in_doubt_stops_the_run_before_the_tools_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"

    @ph.tool
    def once(account: str) -> str:
        ran.append(account)
        return account

    calls = tool_call("once", {"account": "a"}, "a"), tool_call("once", {"account": "b"}, "b")
    run(Script((None, *calls), ("done",)).agent(once), path)
    lines = path.read_text().splitlines(keepends=True)
    first_start = next(n for n, line in enumerate(lines) if '"tool.start"' in line)
    path.write_text("".join(lines[: first_start + 1]))
    ran.clear()
    with pytest.raises(ph.ToolInDoubt) as caught:
        run(Script().agent(once), path)
    assert ran == []
    assert (caught.value.name, caught.value.arguments) == ("once", '{"account": "a"}')
    assert not getattr(caught.value, "__notes__", [])


def test_an_answer_that_was_whole_is_complete_whatever_becomes_of_its_connection(tmp_path: Path) -> None:
    async def main() -> None:
        never = asyncio.Event()

        async def cut(pieces: list[bytes]) -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece
            raise ph.TransportError("the connection was cut", kind="disconnect")

        async def held(pieces: list[bytes]) -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece
            await never.wait()

        for ending in (cut, held):
            path = tmp_path / f"{ending.__name__}.jsonl"
            replies = iter(STEPS)
            transport = MemoryTransport(lambda _, r=replies, e=ending: Response(200, SSE, e(stream(*next(r)))))
            agent = ph.Agent("compat:http://x/v1#m", tools=[charge], transport=transport)
            async with agent.stream("go", tape=path) as running:
                await running.finish()
            assert [effect.ended for effect in ph.load_tape(path).effects] == ["complete"] * 6

    asyncio.run(main())


@pytest.mark.parametrize(
    "body", [b"".join(stream("half an answer")[:3]), b'{"error":{"code":502,"message":"upstream"}}', b"nonsense"]
)
def test_an_answer_that_was_none_is_asked_again_on_resume(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "t.yaml"
    calls = tool_call("charge", {"account": "a"}, "a")
    with pytest.raises((ph.CodecError, ph.ProviderError)):
        run(Script(("first", calls), {"body": body, "headers": SSE}).agent(charge), path)
    assert ph.load_tape(path).interactions[-1].outcome in ("truncated", "refused", "broken")
    with pytest.raises((ph.CodecError, ph.ProviderError)) as caught:
        run(Script().agent(charge), path, "replay")
    assert "was played from tape" in caught.value.__notes__[0]
    assert run(Script(("done",)).agent(charge), path).text == "done"
    assert run(Script().agent(charge), path, "replay").text == "done"
    assert ran == ["a"]


def waiting(begun: threading.Event, go_on: threading.Event) -> Any:
    @ph.tool
    def wait() -> str:
        begun.set()
        go_on.wait(10)
        return "waited"

    return wait


def record(agent: ph.Agent, path: Path, outcome: list[ph.RunResult]) -> None:
    outcome.append(agent.run_sync("go", tape=path, mode="record"))


def test_a_second_recorder_of_a_new_tape_is_refused(tmp_path: Path) -> None:
    for ending in (".jsonl", ".yaml"):
        path = tmp_path / f"t{ending}"
        begun, go_on = threading.Event(), threading.Event()

        agent = Script((None, tool_call("wait")), ("first",)).agent(waiting(begun, go_on))
        outcome: list[ph.RunResult] = []
        thread = threading.Thread(target=record, args=(agent, path, outcome))
        thread.start()
        assert begun.wait(10)
        for mode in ("record", "resume"):
            with pytest.raises(ph.TapeError, match=r"being written|changed by somebody|is not the one on tape"):
                Script(("second",)).agent().run_sync("go", tape=path, mode=mode)
        go_on.set()
        thread.join(10)
        assert outcome[0].text == "first"
        assert len(ph.load_tape(path).effects) == 3


def test_a_cassette_that_grew_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    with pytest.raises(ph.TransportError):
        run(
            Script(("first", tool_call("charge", {"account": "a"}, "a")), ph.TransportError("gone")).agent(charge),
            path,
        )

    def handler(_: Request) -> Response:
        raise AssertionError("nothing may go out")

    late = ph.Agent("compat:http://script.test/v1#m", tools=[charge], transport=MemoryTransport(handler))

    async def main() -> None:
        async with late.stream("go", tape=path) as running:
            with pytest.raises(ph.TapeLocked, match="changed by somebody else"):
                async for event in running:
                    if isinstance(event, ph.ToolEnd):
                        async with Script(("early",)).agent(charge).stream("go", tape=path) as other:
                            await other.finish()

    asyncio.run(main())
    assert run(Script().agent(charge), path, "replay").text == "early"


def test_a_recording_that_fails_does_not_replace_a_good_tape(tmp_path: Path) -> None:
    for ending in (".jsonl", ".yaml"):
        path = tmp_path / f"t{ending}"
        run(Script(("good",)).agent(), path)
        before = path.read_bytes()
        with pytest.raises(ph.TransportError) as caught:
            run(Script(ph.TransportError("no network")).agent(), path, "record")
        assert "is as it was" in caught.value.__notes__[0]
        assert path.read_bytes() == before
        assert list(tmp_path.glob("*.part")) == []
        calls = tool_call("charge", {"account": "a"}, "a")
        with pytest.raises(ph.TransportError) as caught:
            run(Script(("paid", calls), ph.TransportError("no network")).agent(charge), path, "record")
        assert "stands in" in caught.value.__notes__[0]
        assert path.read_bytes() == before
        result = run(Script(("the rest",)).agent(charge), path)
        assert result.warnings == (
            f"the run went on from an interrupted recording of {str(path)!r}, in 't{ending}.part'",
        )
        assert len(run(Script().agent(charge), path, "replay").steps) == 2


def test_auto_goes_on_with_a_recording_that_was_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    whole = run(Conversation().agent(), path)
    file = path.read_bytes()
    for at in (file.index(b"\n") + 1, file.index(b'"call.chunk"'), file.index(b'"tool.start"') + 60):
        path.write_bytes(file[:at])
        assert run(Conversation().agent(), path, "auto").messages == whole.messages


def test_a_run_inside_a_tool_has_a_tape_of_its_own_that_plays_anywhere(tmp_path: Path) -> None:
    alone = tmp_path / "alone.jsonl"
    Script(("inner answer",)).agent().run_sync("inner", tape=alone)

    @ph.tool
    async def ask() -> str:
        return (await Script().agent().run("inner", tape=alone)).text

    @ph.tool
    async def ask_sync() -> str:
        return Script().agent().run_sync("inner", tape=alone, mode="replay").text

    script = Script((None, tool_call("ask"), tool_call("ask_sync")), ("done",))
    result = script.agent(ask, ask_sync).run_sync("go")
    assert [part.text for part in result.steps[0].results] == ["inner answer"] * 2


def test_effects_that_somebody_took_out_of_a_tape_do_not_mix_up_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    run(Conversation().agent(), path)
    lines = [
        line for line in path.read_text().splitlines(keepends=True) if '"n":5' not in line and '"n":2' not in line
    ]
    path.write_text("".join(lines))
    run(Conversation().agent(), path)
    kinds = [(type(effect).__name__, effect.ended) for effect in ph.load_tape(path).effects]
    assert [kind for kind, _ in kinds].count("Interaction") == 3
    assert run(Script().agent(charge), path, "replay").text == "done"


def test_a_tape_keeps_its_permissions_and_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.yaml", tmp_path / "link.yaml"
    Script(("one",)).agent().run_sync("go", tape=real)
    real.chmod(0o600)
    link.symlink_to(real)
    Script(("two",)).agent().run_sync("go", tape=link, mode="record")
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o600
    assert Script().agent().run_sync("go", tape=real, mode="replay").text == "two"


def test_what_cannot_be_a_tape_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    for mode in ("record", "resume", "auto", "replay"):
        with pytest.raises(ph.TapeError, match="is a folder"):
            Script().agent().run_sync("go", tape=tmp_path / "folder.jsonl", mode=mode)
