"""A conversation of many runs on one tape: live, played, opened again, gone on with, forked and undone."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import playhead as ph
from chatwire import JSON, SSE, Script, message, tool_call
from chatwire import stream as pieces
from conftest import shared_tape
from histories import check_history
from playhead.agent.conversation import conversation
from playhead.agent.session import Session
from playhead.http import Request, Response
from playhead.serve.http import ThreadedServer
from playhead.transport.memory import MemoryTransport, respond
from scenarios import SUM


@dataclasses.dataclass
class Person:
    """A person."""

    name: str
    age: int


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@ph.tool(approve=True)
def delete(path: str) -> str:
    """Delete a file."""
    return f"deleted {path}"


@ph.tool
def fail() -> str:
    """Fail."""
    raise ValueError("no")


@ph.tool
def stop() -> str:
    """Stop the run."""
    raise ph.StopRun("enough")


@ph.tool
def picture() -> list[Any]:
    """Give a picture."""
    return ["here", ph.MediaPart("image/png", b"\x89PNG")]


@ph.tool(background=True)
async def slow(x: int) -> int:
    """Work slowly."""
    await asyncio.sleep(0)
    return x * 2


@ph.tool(background=True)
async def endless() -> int:
    """Work for ever."""
    await asyncio.sleep(3600)
    return 0


def talk(session: Session[Any, Any], prompt: str, *, stream: bool) -> ph.RunResult[Any]:
    """A turn, streamed or not."""
    if not stream:
        return session.run_sync(prompt)
    with session.stream_sync(prompt) as run:
        return run.finish()


def unprompted(messages: tuple[ph.Message, ...]) -> tuple[ph.Message, ...]:
    return tuple(message for message in messages if message.role != "system")


def call(name: str, arguments: Any = None, n: int = 1) -> tuple[Any, ...]:
    return (None, tool_call(name, arguments, id=f"call_{n}"))


REFUSED = {"status": 429, "body": b'{"error":{"message":"slow down"}}', "headers": (("retry-after", "0"),)}
TOO_LONG = {"status": 400, "body": b'{"error":{"message":"too long","code":"context_length_exceeded"}}'}


def _agents_inside(script: Script) -> ph.Agent:
    return script.agent(script.agent(add, name="helper").as_tool())


def _hands_on(script: Script) -> ph.Agent:
    return script.agent(ph.handoff(script.agent(add, name="billing", system="You bill.")), system="front")


FEATURES: dict[str, tuple[Callable[[Script], ph.Agent], tuple[Any, ...]]] = {
    "text": (lambda s: s.agent(), (("hello",),)),
    "tools": (
        lambda s: s.agent(add, fail, picture),
        (
            ("I add", tool_call("add", {"a": 1, "b": 2}), tool_call("fail"), tool_call("picture")),
            call("add", {"a": "x"}, 4),
            call("nothing", {}, 5),
            ("3",),
        ),
    ),
    "a tool that stops the run": (lambda s: s.agent(stop), (("so", tool_call("stop")),)),
    "a condition that stops the run": (
        lambda s: s.agent(add, stop_when=ph.stop.steps(1)),
        (call("add", {"a": 1, "b": 2}),),
    ),
    "retries": (lambda s: s.agent(retry=2), (REFUSED, ("hello",))),
    "output, natively": (
        lambda s: s.agent(output=ph.Output(Person, mode="native")),
        (('{"name":"Al","age":"x"}',), ('{"name":"Al","age":3}',)),
    ),
    "output, by tool": (
        lambda s: s.agent(output=ph.Output(Person, mode="tool")),
        (call("final_result", {"name": "Al", "age": "x"}), call("final_result", {"name": "Al", "age": 3}, 2)),
    ),
    "output, by prompt": (
        lambda s: s.agent(output=ph.Output(Person, mode="prompt"), system="S"),
        (("no JSON",), ('{"name":"Al","age":3}',)),
    ),
    "agents inside": (
        _agents_inside,
        (call("helper", {"prompt": "add"}), call("add", {"a": 1, "b": 2}, 2), ("3",), ("three",)),
    ),
    "hand-offs": (_hands_on, (call("transfer_to_billing"), call("add", {"a": 1, "b": 1}, 2), ("2",))),
    "approvals that are waited for": (
        lambda s: s.agent(delete, add),
        ((None, tool_call("delete", {"path": "x"}), tool_call("add", {"a": 1, "b": 2})),),
    ),
    "approvals inside of agents": (
        lambda s: s.agent(s.agent(delete, name="helper").as_tool(), add),
        (
            (None, tool_call("helper", {"prompt": "delete"}), tool_call("add", {"a": 1, "b": 2})),
            call("delete", {"path": "y"}, 2),
        ),
    ),
    "background": (lambda s: s.agent(slow), (call("slow", {"x": 2}), ("waiting",), ("got it",))),
    "background that never ends": (
        lambda s: s.agent(endless, stop, add),
        (call("endless"), (None, tool_call("stop"))),
    ),
    "compaction by a model": (
        lambda s: s.agent(add, compaction=ph.Compaction(at_tokens=12, keep=1)),
        (call("add", {"a": 1, "b": 2}), ("SUMMARY",), call("add", {"a": 3, "b": 2}, 2), ("SUMMARY 2",), ("final",)),
    ),
    "compaction by a function": (
        lambda s: s.agent(
            add, compaction=ph.Compaction(at_tokens=12, function=lambda m: [ph.user("short"), *m[-2:]])
        ),
        (call("add", {"a": 1, "b": 2}), ("final",)),
    ),
    "compaction because it is too long": (
        lambda s: s.agent(add, compaction=ph.Compaction(keep=1)),
        (call("add", {"a": 1, "b": 2}), call("add", {"a": 3, "b": 4}, 2), TOO_LONG, ("SUMMARY",), ("final",)),
    ),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("feature", FEATURES)
def test_the_tape_alone_tells_the_conversation(feature: str, stream: bool, tmp_path: Path) -> None:
    """With no agent, network or tool: the same messages as the live runs', the same usage and the same end."""
    make, answers = FEATURES[feature]
    script = Script(("first",), *answers)
    path = tmp_path / "talk.jsonl"
    with make(script).session(path) as session:
        if feature.startswith("output"):
            session.use(script.agent())
        talk(session, "hi", stream=stream)
        session.use(make(script))
        live = talk(session, "do it", stream=stream)
        turns, ledger = session.turns, session.ledger
    told = conversation(ph.load_tape(path))
    assert told[-1].messages == unprompted(live.messages) == turns[-1].messages
    assert [turn.messages for turn in told] == [turn.messages for turn in turns]
    assert [(turn.prompt, turn.lane, turn.ended, turn.pending) for turn in told] == [
        (turn.prompt, turn.lane, turn.ended, turn.pending) for turn in turns
    ]
    assert told[-1].usage == turns[-1].usage == live.usage
    assert told[-1].cost == turns[-1].cost == live.cost
    check_history(told[-1].messages)
    with make(script).session(path) as session:
        assert (session.messages, len(session.ledger)) == (told[-1].messages, len(ledger))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("feature", FEATURES)
def test_a_session_is_played_turn_by_turn(feature: str, stream: bool) -> None:
    """In mode replay the same turns give the same messages and the same ends, and nothing is left over."""
    make, answers = FEATURES[feature]
    script = Script(*answers)
    with make(script).session() as session:
        live = talk(session, "do it", stream=stream)
        tape = session.tape.tape()
    with make(script).session(tape, mode="replay") as session:
        assert session.messages == ()
        played = talk(session, "do it", stream=stream)
        assert (played.messages, played.ended, played.pending) == (live.messages, live.ended, live.pending)
        assert session.tape.unplayed() == ()
    with make(Script()).session(tape, mode="auto") as session, pytest.raises(ph.Divergence, match="do it"):
        session.run_sync("do something else")


@pytest.mark.parametrize("feature", FEATURES)
def test_the_tape_of_a_plain_run_tells_its_conversation(feature: str) -> None:
    """The first request tells how it began."""
    make, answers = FEATURES[feature]
    live = make(Script(*answers)).run_sync("do it")
    assert live.tape is not None
    told = conversation(live.tape)
    assert [turn.messages for turn in told] == [unprompted(live.messages)]
    assert told[0].prompt == "do it"


@pytest.mark.parametrize("cut", ["in pieces", "in one piece"])
@pytest.mark.parametrize("at", range(1, 16))
def test_a_turn_that_is_cancelled_is_told_as_it_was(at: int, cut: str) -> None:
    """At each of its events: what was heard stays, every call has a result, and the conversation goes on."""
    answers: list[Any] = [
        ("one two", tool_call("add", {"a": 1, "b": 2}), tool_call("endless")),
        ("three four",),
        ("and on",),
    ]
    if cut == "in one piece":
        answers = [{"status": 200, "body": b"".join(pieces(*answer)), "headers": SSE} for answer in answers]

    async def main() -> None:
        script = Script(*answers)
        session = script.agent(add, endless).session()
        async with session.stream("hi") as run:
            n = 0
            async for _ in run:
                n += 1
                if n == at:
                    run.cancel()
        tape = session.tape.tape()
        assert tape is not None
        assert run.result.finish_reason == "cancelled"
        told = conversation(tape)
        assert told[-1].messages == run.result.messages == session.messages
        assert told[-1].ended == "cancelled"
        with script.agent(add, endless).session(tape) as again:
            assert again.messages == session.messages
        with script.agent(add, endless).session(tape, mode="replay") as again:
            async with again.stream("hi") as played:
                await played.finish()
            assert again.messages == session.messages
            assert played.result.finish_reason == "cancelled"

    asyncio.run(main())


def test_a_fallback_of_another_wire_format_is_told_in_its_words() -> None:
    """The second model's answer is decoded as what it is; its opaque data knows who issued it."""
    other = ph.testing.Script(
        [
            ph.Message(
                "assistant", (ph.ReasoningPart("hm", ph.Opaque("anthropic", {"signature": "s"})), ph.TextPart("yes"))
            ),
        ],
        wire="anthropic",
    )
    first = Script({"status": 500, "body": b"{}"})

    class Both:
        async def send(self, request: Any) -> Any:
            return await (other if "script.invalid" in request.url else first.transport).send(request)

        async def aclose(self) -> None: ...

    agent = ph.Agent("compat:http://script.test/v1#m", fallbacks=[other.model], retry=False, transport=Both())
    with agent.session() as session:
        live = session.run_sync("hi")
        tape = session.tape.tape()
    assert tape is not None
    assert conversation(tape)[-1].messages == live.messages
    part = conversation(tape)[-1].messages[-1].parts[0]
    assert isinstance(part, ph.ReasoningPart)
    assert part.opaque is not None
    assert part.opaque.origin == "script"


def test_the_next_day_another_model_and_system_prompt_go_on(tmp_path: Path) -> None:
    """The session begins with what the tape tells, so that nothing diverges."""
    path = tmp_path / "talk.jsonl"
    script = Script(("Hello Ada",), ("Ada",), ("still Ada",))
    with script.agent(system="Be short.").session(path) as session:
        session.run_sync("I am Ada")
    with script.agent(system="Be long.", model="compat:http://script.test/v1#other").session(path) as session:
        assert [turn.prompt for turn in session.turns] == ["I am Ada"]
        assert session.run_sync("Who am I?").text == "Ada"
        session.model("compat:http://script.test/v1#third")
        session.run_sync("And now?")
    assert [request["model"] for request in script.requests] == ["m", "other", "third"]
    assert [message["content"] for message in script.requests[1]["messages"]] == [
        "Be long.", "I am Ada", "Hello Ada", "Who am I?",
    ]  # fmt: skip
    assert [turn.text for turn in conversation(ph.load_tape(path))] == ["Hello Ada", "Ada", "still Ada"]


def test_a_message_is_stored_once(tmp_path: Path) -> None:
    """A long talk grows by what is new in it."""
    path, words = tmp_path / "talk.jsonl", "abcdefgh" * 500
    script = Script(*[(f"{n} {words}",) for n in range(8)])
    with script.agent().session(path) as session:
        for n in range(8):
            session.run_sync(f"{n}?")
    assert path.read_text().count(words) <= 2 * 8  # As it arrived, and in the request behind it.


def test_undo_drops_turns_and_the_tape_knows_it(tmp_path: Path) -> None:
    """Opening again gives the conversation without them; replay needs the same undo."""
    path = tmp_path / "talk.jsonl"
    script = Script(("one",), ("two",), ("three",), ("other",))
    agent = script.agent()
    with agent.session(path) as session:
        for prompt in ("1", "2", "3"):
            session.run_sync(prompt)
        assert [turn.prompt for turn in session.undo(2)] == ["2", "3"]
        with pytest.raises(ph.ConfigError, match="1 to 1 turns"):
            session.undo(2)
        session.run_sync("4")
        assert len(session.ledger) == 4
        live = session.messages
    assert [turn.prompt for turn in conversation(ph.load_tape(path))] == ["1", "4"]
    with agent.session(path) as session:
        assert session.messages == live
        assert len(session.ledger) == 4
    with agent.session(path, mode="replay") as session:
        for prompt in ("1", "2", "3"):
            session.run_sync(prompt)
        with pytest.raises(ph.Divergence, match="undo"):
            session.undo(1)


@pytest.mark.parametrize("where", ["file", "memory"])
def test_a_fork_begins_as_its_parent_and_goes_on_by_itself(where: str, tmp_path: Path) -> None:
    """At each turn; the parent stays as it is."""
    script = Script(("one",), ("two",), ("other two",), ("three",), ("from the start",))
    agent = script.agent()
    with agent.session(tmp_path / "talk.jsonl" if where == "file" else None) as session:
        session.run_sync("1")
        session.run_sync("2")
        children = [tmp_path / f"child{n}.jsonl" if where == "file" else None for n in range(3)]
        with session.fork(children[0], at=session.turns[0]) as child:
            assert [turn.prompt for turn in child.turns] == ["1"]
            assert child.run_sync("2b").text == "other two"
            tape = child.tape.tape()
        session.run_sync("3")
        with session.fork(children[1], at=0) as child:
            assert child.turns == ()
            child.run_sync("0")
        with session.fork(children[2]) as child:
            assert child.messages == session.messages
        with pytest.raises(ph.ConfigError, match="0 to 3 turns"):
            session.fork(at=4)
        assert [turn.prompt for turn in session.turns] == ["1", "2", "3"]
    assert tape is not None
    assert [turn.prompt for turn in conversation(ph.load_tape(children[0]) if children[0] else tape)] == ["1", "2b"]


@pytest.mark.parametrize("where", ["at once", "opened again"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_turn_waits_for_approvals(where: str, stream: bool, tmp_path: Path) -> None:
    """It is gone on with from the tape, in this process or in another; nothing is paid for or runs twice."""
    path = tmp_path / "talk.jsonl"
    runs: list[int] = []

    @ph.tool
    def count() -> int:
        """Count."""
        runs.append(1)
        return len(runs)

    script = Script(
        ("hello",), (None, tool_call("count"), tool_call("delete", {"path": "x"})), ("done",), ("further",)
    )
    agent = script.agent(delete, count)
    session = agent.session(path)
    talk(session, "hi", stream=stream)
    first = talk(session, "delete", stream=stream)
    assert first.ended == "approval"
    assert [approval.tool for approval in session.pending] == ["delete"]
    if where == "opened again":
        session.close()
        session = agent.session(path)
    assert [approval.tool for approval in session.pending] == ["delete"]
    result = session.resume_sync({session.pending[0].lane: True})
    assert (result.text, session.pending, session.unfinished) == ("done", (), None)
    assert (len(runs), len(script.requests), len(session.ledger)) == (1, 3, 3)
    with pytest.raises(ph.ConfigError, match="come to its end"):
        session.resume_sync()
    assert talk(session, "more", stream=stream).text == "further"
    live = session.messages
    session.close()
    told = conversation(ph.load_tape(path))
    assert told[-1].messages == live
    assert not any(reading.name == "opening" for reading in ph.load_tape(path).readings)
    with agent.session(path, mode="replay") as session:
        for prompt in ("hi", "delete"):
            talk(session, prompt, stream=stream)
        assert session.resume_sync().messages == result.messages
        talk(session, "more", stream=stream)
        assert session.messages == live
        assert session.tape.unplayed() == ()


def test_a_run_of_a_session_is_resumed_from_its_own_handle() -> None:
    """`run.resume` is the session's `resume`."""
    script = Script((None, tool_call("delete", {"path": "x"})), ("done",))

    async def main() -> None:
        async with script.agent(delete).session() as session, session.stream("delete") as run:
            await run.finish()
            async with run.resume({"root/turn1/0.delete": ph.Deny("no")}) as again:
                assert (await again.finish()).text == "done"
            assert session.turns[-1].ended is None

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["file", "open tape"])
def test_a_turn_that_failed_is_gone_on_with(kind: str, tmp_path: Path) -> None:
    """What was answered before the failure is played; a new prompt instead leaves a turn without answers out."""
    script = Script(
        call("add", {"a": 1, "b": 2}),
        {"status": 500, "body": b"{}"},
        ("3",),
        {"status": 500, "body": b"{}"},
        ("new",),
    )
    path = tmp_path / "talk.jsonl"
    with ph.open_tape(path) as tape:
        session = script.agent(add).session(path.with_name("own.jsonl") if kind == "file" else tape)
        with pytest.raises(ph.ProviderError) as caught:
            session.run_sync("add")
        assert len(vars(caught.value)["run"].messages) == 3
        assert session.unfinished == "add"
        assert session.resume_sync().text == "3"
        assert len(session.ledger) == 3
        with pytest.raises(ph.ProviderError):
            session.run_sync("lost")
        assert session.unfinished == "lost"
        assert session.run_sync("kept").text == "new"
        live, held = session.messages, session.tape.tape()
        session.close()
    assert [message.text for message in live] == ["add", "", "", "3", "kept", "new"]
    assert held is not None
    assert conversation(held)[-1].messages == live
    assert [turn.ended for turn in conversation(held)] == [None, "unfinished", None]


KILLED = """
import os, signal, sys
sys.path[:0] = {paths!r}
from chatwire import Script, tool_call
import playhead as ph

@ph.tool(effect="read")
def die() -> str:
    "Die."
    os.kill(os.getpid(), signal.SIGKILL)

def add(a: int, b: int) -> int:
    "Add two numbers."
    return a + b

script = Script(("hello",), (None, tool_call("add", {{"a": 1, "b": 2}})), (None, tool_call("die")))
with script.agent(add, die).session({path!r}) as session:
    session.run_sync("hi")
    session.run_sync("go")
"""


def test_a_turn_that_was_killed_is_gone_on_with(tmp_path: Path) -> None:
    """Another process finds the prompt, plays what was paid for, and goes on."""
    path = tmp_path / "talk.jsonl"
    code = KILLED.format(paths=[str(Path(__file__).parents[1])], path=str(path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()

    @ph.tool(effect="read")
    def die() -> str:
        """Die."""
        return "alive"

    @ph.tool(name="add", description="Add two numbers")
    def added_twice(a: int, b: int) -> int:
        raise AssertionError(f"it had run: {a}, {b}")

    script = Script(("went on",))
    with script.agent(added_twice, die).session(path) as session:
        assert session.unfinished == "go"
        assert session.turns[-1].ended == "unfinished"
        check_history(session.messages)
        assert session.resume_sync().text == "went on"
        assert len(script.requests) == 1
        assert [
            part.text for message in session.messages for part in message.parts if part.__class__ is ph.ToolResultPart
        ] == ["3", "alive"]
        live = session.messages
    assert conversation(ph.load_tape(path))[-1].messages == live
    with script.agent(add, die).session(path, mode="replay") as session:
        session.run_sync("hi")
        session.run_sync("go")
        assert session.messages == live
        assert session.tape.unplayed() == ()


def _talker() -> ph.Agent:
    """An agent whose model adds when it is told so, and else says what it was told."""

    def answer(request: Request) -> Response:
        asked = json.loads(request.body)
        last, there = asked["messages"][-1], len(asked["messages"])
        if last["role"] == "user" and last["content"].startswith("add"):
            calls = [tool_call("add", {"a": n, "b": there}, id=f"call_{there}_{n}") for n in range(2)]
            said: tuple[Any, ...] = (None, *calls)
        else:
            said = (f"{last['role']}: {last['content']}",)
        if asked.get("stream"):
            return respond(200, pieces(*said), SSE)
        return respond(200, json.dumps(message(*said)).encode(), JSON)

    sum_up = ph.tool(add, effect="read")
    return ph.Agent("compat:http://talker.test/v1#m", tools=[sum_up], transport=MemoryTransport(answer))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_talk_that_was_cut_at_any_line_is_gone_on_with(stream: bool, tmp_path: Path) -> None:
    """Wherever the file ends: what is told of it is whole, and going on gives the same conversation."""
    path, prompts = tmp_path / "talk.jsonl", ["hi", "add", "add more"]
    with _talker().session(path) as session:
        for prompt in prompts:
            talk(session, prompt, stream=stream)
        session.undo()
        talk(session, "bye", stream=stream)
        live = session.messages
    lines = path.read_bytes().splitlines(keepends=True)
    for n in range(1, len(lines)):
        part = tmp_path / f"part{n}.jsonl"
        part.write_bytes(b"".join(lines[:n]) + lines[n][: len(lines[n]) // 2])
        with _talker().session(part) as session:
            check_history([*session.messages, ph.user("x")])
            if session.unfinished is not None:
                session.resume_sync()
            if [turn.prompt for turn in session.turns] == prompts:
                session.undo()
            said = [turn.prompt for turn in session.turns]
            for prompt in [*prompts[:2], "bye"][len(said) :]:
                talk(session, prompt, stream=stream)
            assert session.messages == live
        assert conversation(ph.load_tape(part))[-1].messages == live


@pytest.mark.parametrize(
    "compaction", [None, ph.Compaction(keep=1, function=lambda m: m[-2:])], ids=["model", "function"]
)
def test_a_session_is_made_shorter_between_turns(compaction: ph.Compaction | None, tmp_path: Path) -> None:
    """It is on the tape, played, counted, and undone with the turn before it."""
    path = tmp_path / "talk.jsonl"
    answers = [("one",), ("two",), ("three",), *([("SUMMARY",)] if compaction is None else []), ("four",)]
    script = Script(*answers)
    agent = script.agent(compaction=compaction)
    with agent.session(path) as session:
        for prompt in ("1", "2", "3"):
            session.run_sync(prompt)
        assert session.compact_sync()
        short = session.messages
        assert len(short) < 6
        session.run_sync("4")
        live = session.messages
        assert len(session.ledger) == len(answers)
        assert len(session.turns) == 4
    assert conversation(ph.load_tape(path))[-1].messages == live == (*short, *live[-2:])
    with agent.session(path) as session:
        assert (session.messages, len(session.ledger)) == (live, len(answers))
        with session.fork(at=3) as child:
            assert len(child.messages) == 6
        session.undo(2)
        assert [message.text for message in session.messages] == ["1", "one", "2", "two"]
    with agent.session(path, mode="replay") as session:
        for prompt in ("1", "2", "3"):
            session.run_sync(prompt)
        assert session.compact_sync()
        session.run_sync("4")
        assert session.messages == live


@pytest.mark.parametrize(
    "compaction", [ph.Compaction(keep=2), ph.Compaction(function=lambda m: m[-2:])], ids=["model", "function"]
)
def test_a_session_is_made_shorter_again_another_day(compaction: ph.Compaction, tmp_path: Path) -> None:
    """What the first day's was is not played for the second; a script plays both."""
    path = tmp_path / "talk.jsonl"
    summed = compaction.function is None
    days = [[("one",), ("two",), *([("FIRST",)] if summed else [])], [("three",), *([("SECOND",)] if summed else [])]]
    script = Script(*days[0], *days[1], ("four",))
    agent = script.agent(compaction=compaction)

    def first(session: Session[Any, Any]) -> None:
        session.run_sync("1")
        session.run_sync("2")
        assert session.compact_sync()

    def second(session: Session[Any, Any]) -> None:
        session.run_sync("3")
        assert session.compact_sync()
        session.run_sync("4")

    with agent.session(path) as session:
        first(session)
    with agent.session(path) as session:
        second(session)
        live, tries = session.messages, len(session.ledger)
    assert [message.text for message in live][-4:] == ["3", "three", "4", "four"]
    assert not any("FIRST" in message.text for message in live)
    assert conversation(ph.load_tape(path))[-1].messages == live
    with agent.session(path, mode="replay") as session:
        first(session)
        second(session)
        assert (session.messages, len(session.ledger)) == (live, tries)


def test_what_a_left_turn_has_on_the_tape_is_in_the_conversation_at_once(tmp_path: Path) -> None:
    """Not only when the tape is opened again: the answer was whole, and nobody had seen it."""
    path = tmp_path / "talk.jsonl"
    agent = ph.testing.Script(["one two three", "next"]).agent()
    with agent.session(path) as session:
        with session.stream_sync("1") as run:
            next(iter(run))
        left = session.messages
        session.run_sync("2")
        live = session.messages
    assert live[: len(left)] == left
    assert conversation(ph.load_tape(path))[-1].messages == live


def test_a_doubt_loses_nothing_of_what_was_paid_for(tmp_path: Path) -> None:
    """An agent beside the tool in doubt had done its work."""

    @ph.tool
    async def charge() -> str:
        """Charge."""
        await asyncio.Event().wait()
        return "charged"

    path = tmp_path / "talk.jsonl"
    script = Script((None, tool_call("charge"), tool_call("helper", {"prompt": "x"})), ("helped",))
    agent = script.agent(charge, script.agent(name="helper").as_tool())
    with agent.session(path) as session:
        with session.stream_sync("1") as run:
            for event in run:
                if isinstance(event, ph.ToolEnd):
                    break
        tries, left = len(session.ledger), session.messages
        with pytest.raises(ph.ToolInDoubt):
            session.resume_sync()
        assert (tries, len(session.ledger), session.messages) == (2, tries, left)
    with agent.session(path) as session:
        assert (len(session.ledger), session.messages) == (tries, left)


def test_a_conversation_is_told_without_reading_each_request_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request holds all that was said before it: to read them all would take time by the square."""
    with Script(call("add", {"a": 1, "b": 2}), ("3",)).agent(add).session() as session:
        session.run_sync("add")
        live, tape = session.messages, session.tape.tape()
    assert tape is not None
    monkeypatch.delattr("playhead.agent.retold.request_of")
    assert conversation(tape)[-1].messages == live


def test_a_turn_does_not_write_out_its_result_by_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """`signal.signal` shows what it returns, and so the whole conversation, where that is a task's result."""
    shown: list[object] = []
    monkeypatch.setattr(ph.RunResult, "__repr__", shown.append)
    with Script(("one",)).agent().session() as session:
        session.run_sync("1")
    assert not shown


def test_a_session_goes_on_from_the_tape_of_a_plain_run(tmp_path: Path) -> None:
    """The run is its first turn."""
    path = tmp_path / "run.jsonl"
    script = Script(("one",), ("two",), ("three",))
    script.agent(system="S").run_sync("1", tape=path)
    with script.agent().session(path) as session:
        session.run_sync("2")
        with session.fork(at=1) as child:
            assert [turn.prompt for turn in child.turns] == ["1"]
            child.run_sync("2b")
            assert [turn.prompt for turn in child.turns] == ["1", "2b"]
        live = session.messages
    assert [turn.prompt for turn in conversation(ph.load_tape(path))] == ["1", "2"]
    assert conversation(ph.load_tape(path))[-1].messages == live


def test_an_interrupted_script_goes_on_in_mode_auto(tmp_path: Path) -> None:
    """Turns that are on the tape are played, the others happen."""
    path = tmp_path / "talk.jsonl"
    script = Script(("one",), {"status": 500, "body": b"{}"}, ("two",))
    agent = script.agent()

    def chat() -> str:
        with agent.session(path, mode="auto") as session:
            session.run_sync("1")
            return session.run_sync("2").text

    with pytest.raises(ph.ProviderError):
        chat()
    assert (chat(), chat(), len(script.requests)) == ("two", "two", 3)


def test_prompts_with_pictures_and_settings_are_kept() -> None:
    """A prompt of parts stands on the tape as it is; a resumed turn has its settings."""
    script = Script({"status": 500, "body": b"{}"}, ("a cat",))
    prompt = ["What is it?", ph.MediaPart("image/png", b"\x89PNG")]
    with script.agent().session() as session:
        with pytest.raises(ph.ProviderError):
            session.run_sync(prompt, settings={"temperature": 0.5})
        assert session.unfinished == ph.user(prompt).parts
        session.resume_sync()
        tape = session.tape.tape()
    assert tape is not None
    assert conversation(tape)[-1].messages[0] == ph.user(prompt)
    assert [request["temperature"] for request in script.requests] == [0.5, 0.5]


def test_a_session_does_one_turn_at_a_time_and_none_when_it_is_closed() -> None:
    """Whoever asks for more is told so."""
    script = Script(("one",), ("two",))

    async def main() -> None:
        session = script.agent().session()
        async with session.stream("1") as run:
            async for _ in run:
                with pytest.raises(ph.ConfigError, match="under way"):
                    await session.run("2")
                with pytest.raises(ph.ConfigError, match="under way"):
                    session.undo()
        late = session.stream("2")
        session.undo()
        async with late:  # It begins where the conversation stands then.
            assert len((await late.finish()).messages) == 2
        session.close()
        with pytest.raises(ph.ConfigError, match="closed"):
            await session.run("3")

    asyncio.run(main())


def test_a_turn_that_is_left_in_the_middle_is_unfinished() -> None:
    """It can be gone on with, and what was asked is asked again."""
    script = Script(("one two three",), ("one two three",))

    async def main() -> None:
        session = script.agent().session()
        async with session.stream("1") as run:
            async for _ in run:
                break
        assert session.unfinished == "1"
        assert session.messages == ()
        assert (await session.resume()).text == "onetwothree"
        assert [attempt.superseded for attempt in session.ledger] == [True, False]

    asyncio.run(main())


def test_two_sessions_stand_on_one_tape_in_lanes_of_their_own() -> None:
    """Also inside of a tool."""

    async def main() -> None:
        script = Script(("a1",), ("b1",), ("a2",))
        with ph.open_tape() as tape:
            with ph.lane("a"):
                one = script.agent().session()
                await one.run("1")
            with ph.lane("b"):
                await script.agent().session().run("2")
            await one.run("3")
            held = tape.tape()
        assert held is not None
        assert [turn.prompt for turn in conversation(held, lane="root/a")] == ["1", "3"]
        assert [turn.prompt for turn in conversation(held, lane="root/b")] == ["2"]
        assert conversation(held) == ()

    asyncio.run(main())


def test_secrets_of_a_conversation_stay_out_of_its_tape(tmp_path: Path) -> None:
    """The prompt's reading is redacted as the request is, and the turn is still played."""
    path, secret = tmp_path / "talk.jsonl", "sk-ant-api03-" + "Ab1" * 30
    script = Script({"status": 500, "body": b"{}"}, ("ok",))
    with script.agent().session(path) as session, pytest.raises(ph.ProviderError):
        session.run_sync(f"My key is {secret}")
    assert secret not in path.read_text()
    with script.agent().session(path) as session:
        assert session.resume_sync().text == "ok"
    with script.agent().session(path, mode="replay") as session:
        assert session.run_sync(f"My key is {secret}").text == "ok"


def test_a_session_over_a_real_socket(tmp_path: Path) -> None:
    """Live turns, streamed and not; told, played with nobody there, and gone on with."""
    asked: list[dict[str, Any]] = []
    answers: list[tuple[Any, ...]] = [("Hello Ada",), call("add", {"a": 1, "b": 2}), ("three",), ("Ada",)]

    async def answer(request: Request) -> Response:
        asked.append(json.loads(request.body))
        said = answers[len(asked) - 1]
        if asked[-1].get("stream"):
            return respond(200, pieces(*said), SSE)
        return respond(200, json.dumps(message(*said)).encode(), JSON)

    path = tmp_path / "talk.jsonl"
    with ThreadedServer(answer) as server:
        agent = ph.Agent(f"compat:{server.url}/v1#m", tools=[add])
        with agent.session(path) as session:
            talk(session, "I am Ada", stream=True)
            talk(session, "Add", stream=False)
        with agent.session(path) as session:
            assert talk(session, "Who am I?", stream=True).text == "Ada"
            live = session.messages
    assert len(asked) == 4
    assert conversation(ph.load_tape(path))[-1].messages == live
    with agent.session(path, mode="replay") as session:
        for prompt, streamed in (("I am Ada", True), ("Add", False), ("Who am I?", True)):
            talk(session, prompt, stream=streamed)
        assert session.messages == live


def test_a_cassette_of_another_tool_tells_what_its_tools_gave() -> None:
    """It holds no tool runs: the next request tells their results."""
    seed = ph.load_tape(shared_tape("seed/openrouter-kimi-k2.yaml"))
    (turn,) = conversation(seed)
    assert turn.prompt == SUM
    assert [part.text for part in turn.messages[2].parts if isinstance(part, ph.ToolResultPart)] == ["5", "6"]
    assert [message.role for message in turn.messages] == ["user", "assistant", "tool", "assistant"]
    assert turn.ended is None
    check_history(turn.messages)


def test_an_address_with_a_password_stays_out_of_the_tape(tmp_path: Path) -> None:
    """Who issued opaque data is kept by the address without it."""
    path, script = tmp_path / "talk.jsonl", Script(("ok",))
    with script.agent(model="compat:http://me:hunter2secret@script.test/v1#m").session(path) as session:
        session.run_sync("hi")
    assert "hunter2secret" not in path.read_text()
