"""An open tape: what happens at a divergence, what becomes of tools in doubt, and what is told at its end."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

import playhead as ph
from chatwire import Script, tool_call
from playhead.http import Request
from playhead.tape.effects import Interaction
from playhead.tape.forking import fork_file
from playhead.tape.lanes import standing
from playhead.transport.memory import MemoryTransport

done: list[str] = []


@pytest.fixture(autouse=True)
def forget() -> None:
    done.clear()


@ph.tool
def charge(account: str) -> str:
    """Charge an account, which must happen once."""
    done.append(account)
    return f"charged {account}"


def script() -> Script:
    return Script((None, tool_call("charge", {"account": "a"}, "c1")), ("all is well",))


def cut_in_the_tool(path: Path) -> None:
    """A tape that stops while the tool was running."""
    script().agent(charge).run_sync("go", tape=path)
    lines = path.read_bytes().splitlines(keepends=True)
    end = next(n for n, line in enumerate(lines) if b'"tool.start"' in line) + 1
    path.write_bytes(b"".join(lines[:end]))
    done.clear()


def resumed(path: Path, **options: Any) -> ph.RunResult:
    with ph.open_tape(path, **options):
        return Script(("all is well",)).agent(charge).run_sync("go")


def test_a_tool_in_doubt_stops_the_run_and_says_what_can_be_done(tmp_path: Path) -> None:
    cut_in_the_tool(tmp_path / "t.jsonl")
    words = r"in_doubt='rerun'\) .*in_doubt=Skip\('\.\.\.'\) .*reconcile="
    with pytest.raises(ph.ToolInDoubt, match=words) as caught:
        resumed(tmp_path / "t.jsonl")
    assert (caught.value.name, caught.value.lane, done) == ("charge", "root/0.charge", [])


def test_a_tool_in_doubt_can_be_run_again(tmp_path: Path) -> None:
    cut_in_the_tool(tmp_path / "t.jsonl")
    assert resumed(tmp_path / "t.jsonl", in_doubt="rerun").text == "all is well"
    assert done == ["a"]


def test_a_tool_in_doubt_can_be_given_its_result_and_the_tape_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    cut_in_the_tool(path)
    result = resumed(path, in_doubt=ph.Skip("it was charged, I looked"))
    assert result.steps[0].results[0].text == "it was charged, I looked"
    replayed = Script().agent(charge).run_sync("go", tape=path, mode="replay")
    assert replayed.messages == result.messages
    assert done == []


def test_a_function_may_decide_for_each_tool_in_doubt(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    cut_in_the_tool(path)
    asked: list[tuple[str, str]] = []

    def decide(doubt: ph.ToolInDoubt) -> ph.Skip | None:
        asked.append((doubt.name, doubt.arguments))
        return None if len(asked) == 1 else ph.Skip("yes", is_error=False)

    with pytest.raises(ph.ToolInDoubt):
        resumed(path, in_doubt=decide)
    assert resumed(path, in_doubt=decide).steps[0].results[0].text == "yes"
    assert asked == [("charge", '{"account": "a"}')] * 2


@pytest.mark.parametrize("happened", [True, False])
def test_a_tool_can_find_out_itself_what_became_of_it(tmp_path: Path, happened: bool) -> None:
    path = tmp_path / "t.jsonl"
    cut_in_the_tool(path)
    keys: list[str] = []

    def look(account: str, ctx: ph.Context) -> object:
        keys.append(ctx.idempotency_key)
        return f"found for {account}" if happened else ph.RERUN

    tool = ph.tool(charge.function, name="charge", reconcile=look)
    result = Script(("all is well",)).agent(tool).run_sync("go", tape=path)
    assert result.steps[0].results[0].text == ("found for a" if happened else "charged a")
    assert done == ([] if happened else ["a"])
    assert len(keys) == 1
    assert len(keys[0]) == 32


def test_a_reconcile_function_that_fails_leaves_the_doubt_and_runs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    cut_in_the_tool(path)

    async def look() -> str:
        raise ConnectionError("the bank does not answer")

    before = path.read_bytes()
    tool = ph.tool(charge.function, name="charge", reconcile=look)
    with pytest.raises(ph.ToolInDoubt) as caught:
        Script().agent(tool).run_sync("go", tape=path)
    assert caught.value.__notes__ == ["Its reconcile function raised ConnectionError: the bank does not answer"]
    assert (done, path.read_bytes()) == ([], before)


def test_a_reconcile_function_that_cannot_be_called_is_refused_at_once() -> None:
    with pytest.raises(ph.ToolDefinitionError, match="parameters that the tool has not: other"):
        ph.tool(charge.function, reconcile=lambda other: other)
    with pytest.raises(ph.ToolDefinitionError, match="is for tools that may run only once"):
        ph.tool(charge.function, effect="read", reconcile=lambda: None)


def test_drift_plays_what_stands_there_and_marks_the_run(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    script().agent(charge).run_sync("go", tape=path)
    done.clear()
    with ph.open_tape(path, mode="replay", on_divergence="drift") as tape:
        result = Script().agent(charge).run_sync("go elsewhere")
        assert (result.text, done) == ("all is well", [])
        assert "drift at number 1 in lane root" in tape.drifts[0]
        assert "messages[0]" in tape.drifts[0]
    assert [warning for warning in result.warnings if "drift" in warning] == list(tape.drifts)
    with pytest.raises(ph.Divergence), ph.open_tape(path, mode="replay"):
        Script().agent(charge).run_sync("go elsewhere")


@pytest.mark.parametrize("ending", [".jsonl", ".yaml"])
def test_fork_goes_on_live_on_a_child_and_leaves_the_tape_as_it_is(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t{ending}"
    script().agent(charge).run_sync("go", tape=path)
    before, parent = path.read_bytes(), ph.load_tape(path)
    done.clear()

    other = Script(("something else",))
    with ph.open_tape(path, on_divergence="fork") as tape:
        first = other.agent(charge).run_sync("go", settings={"temperature": 0.5})
    assert path.read_bytes() == before
    assert first.text == "something else"
    assert len(other.requests) == 1
    assert f"left tape '{path}' at effect 0" in first.warnings[0]
    child = ph.load_tape(tape.name)
    assert child.meta["parent"]["id"] == parent.meta["id"]
    assert child.meta["id"] != parent.meta["id"]
    assert [call.body for call in child.interactions][-1].count(b"something else") == 1
    assert Script().agent(charge).run_sync(
        "go", settings={"temperature": 0.5}, tape=tape.name, mode="replay"
    ).text == ("something else")
    assert done == []


def test_fork_keeps_what_stands_before_the_divergence(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    script().agent(charge).run_sync("go", tape=path)
    lines = path.read_text().replace(
        '"result":"charged a"', '"result":"charged b"'
    )  # another result: the second request differs
    path.write_text(lines)
    done.clear()
    again = Script(("and now?",))
    with ph.open_tape(path, on_divergence="fork") as tape:
        result = again.agent(charge).run_sync("go")
    assert (result.text, len(again.requests), done) == ("and now?", 1, [])
    assert len(ph.load_tape(tape.name).effects) == 3


def test_fork_needs_a_mode_that_goes_on_live(tmp_path: Path) -> None:
    with pytest.raises(ph.ConfigError, match="goes on live, which mode 'replay' may not"):
        ph.open_tape(tmp_path / "t.jsonl", "replay", on_divergence="fork")
    with pytest.raises(ph.ConfigError, match="on_divergence is one of strict, fork, drift"):
        ph.open_tape(tmp_path / "t.jsonl", on_divergence="maybe")  # type: ignore[arg-type]


def test_what_a_client_swallows_is_told_when_the_block_ends() -> None:
    call = Interaction(request=Request("POST", "http://x.test/", (), b"{}"), status=200)
    tape = ph.Tape((call,))
    with (
        pytest.raises(ph.Divergence, match="does not hold this request"),
        ph.open_tape(tape, mode="replay") as opened,
    ):
        try:
            opened.ask(Request("POST", "http://x.test/", (), b'{"other": 1}'))
        except ph.Divergence:
            pass  # as a client does that tries again
    with (
        pytest.raises(ZeroDivisionError) as caught,
        ph.open_tape(tape, mode="replay") as opened,
    ):
        try:
            opened.ask(Request("POST", "http://x.test/", (), b'{"other": 1}'))
        except ph.Divergence:
            raise ZeroDivisionError from None
    assert "does not hold this request" in caught.value.__notes__[0]


def test_what_was_not_played_is_known(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    script().agent(charge).run_sync("go", tape=path)
    with ph.open_tape(path, mode="replay") as tape:
        assert len(tape.unplayed()) == 3
        Script().agent(charge).run_sync("go")
        assert tape.unplayed() == ()


def test_a_tape_that_was_closed_is_not_written_to(tmp_path: Path) -> None:
    with ph.open_tape(tmp_path / "t.jsonl") as tape:
        Script(("hi",)).agent().run_sync("go")
    with pytest.raises(ph.TapeError, match="is closed: open it again"):
        Script(("hi",)).agent().run_sync("go", tape=tape)
    with pytest.raises(ph.ConfigError, match="open in mode 'record'"):
        Script(("hi",)).agent().run_sync("go", tape=ph.open_tape(), mode="replay")


def test_a_run_with_a_tape_of_its_own_leaves_the_one_around_it_alone(tmp_path: Path) -> None:
    with ph.open_tape(tmp_path / "around.jsonl") as around:
        Script(("hi",)).agent().run_sync("go", tape=tmp_path / "own.jsonl")
        Script(("hi",)).agent().run_sync("go", mode="off")
        made = around.tape()
        assert made is not None
        assert made.effects == ()
        Script(("hi",)).agent().run_sync("go")
    assert len(ph.load_tape(tmp_path / "around.jsonl").effects) == 1
    assert len(ph.load_tape(tmp_path / "own.jsonl").effects) == 1


@pytest.mark.parametrize("decided", ["Raise", "skip", True, 3])
def test_what_is_decided_of_a_tool_in_doubt_is_taken_at_its_word_only(tmp_path: Path, decided: Any) -> None:
    cut_in_the_tool(tmp_path / "t.jsonl")
    with pytest.raises(ph.ConfigError, match="in_doubt"):
        resumed(tmp_path / "t.jsonl", in_doubt=decided)
    with pytest.raises(ph.ConfigError, match="in_doubt decides by"):
        resumed(tmp_path / "t.jsonl", in_doubt=lambda _: decided)
    with pytest.raises(ph.ToolInDoubt):
        resumed(tmp_path / "t.jsonl", in_doubt=lambda _: "raise")
    assert done == []


def test_a_fork_has_idempotency_keys_of_its_own_also_when_it_is_resumed(tmp_path: Path) -> None:
    keys: list[str] = []

    @ph.tool(effect="idempotent")
    def pay(ctx: ph.Context) -> str:
        keys.append(ctx.idempotency_key)
        return "paid"

    def answers() -> Script:
        return Script((None, tool_call("pay", {}, "c1")), ("well",))

    path = tmp_path / "t.jsonl"
    answers().agent(pay).run_sync("go", tape=path)
    with ph.open_tape(path, on_divergence="fork") as tape:
        answers().agent(pay, temperature=0.5).run_sync("go")
    lines = Path(tape.name).read_bytes().splitlines(keepends=True)
    begun = next(n for n, line in enumerate(lines) if b'"tool.start"' in line) + 1
    Path(tape.name).write_bytes(b"".join(lines[:begun]))
    Script(("well",)).agent(pay, temperature=0.5).run_sync("go", tape=tape.name)
    assert keys[0] != keys[1]
    assert keys[1] == keys[2]


def test_a_fork_keeps_what_other_lanes_had_played_and_what_went_on_live(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"

    def both(tape: ph.OpenTape, first: str, script: Script) -> list[str]:
        with ph.lane("b"):
            said = [script.agent().run_sync("b", tape=tape).text]
        with ph.lane("c"):
            said.append(script.agent().run_sync("c", tape=tape).text)
        with ph.lane("a"):
            said.append(script.agent().run_sync(first, tape=tape).text)
        return said

    with ph.open_tape(path) as tape:
        with ph.lane("a"):
            Script(("for a",)).agent().run_sync("a", tape=tape)
        with ph.lane("b"):
            Script(("for b",)).agent().run_sync("b", tape=tape)
    with ph.open_tape(path, on_divergence="fork") as tape:
        said = both(tape, "another a", Script(("live c",), ("live a",)))
    assert said == ["for b", "live c", "live a"]
    with ph.open_tape(tape.name, mode="replay") as child:
        assert both(child, "another a", Script()) == said
        assert child.unplayed() == ()


def test_a_fork_from_an_interrupted_recording_leaves_the_tape_that_was_to_be_replaced(tmp_path: Path) -> None:
    path, journal = tmp_path / "t.jsonl", tmp_path / "t.jsonl.part"
    Script(("old",)).agent().run_sync("old", tape=path)
    Script(("new",)).agent().run_sync("new", tape=tmp_path / "new.jsonl")
    journal.write_bytes((tmp_path / "new.jsonl").read_bytes())
    before = path.read_bytes(), journal.read_bytes()
    with ph.open_tape(path, on_divergence="fork"):
        Script(("forked",)).agent().run_sync("something else")
    assert (path.read_bytes(), journal.read_bytes()) == before


def test_a_resumed_recording_that_fails_does_not_replace_the_tape_and_loses_no_child(tmp_path: Path) -> None:
    path, journal = tmp_path / "t.jsonl", tmp_path / "t.jsonl.part"
    script().agent(charge).run_sync("go", tape=path)
    child = fork_file(path, tmp_path / "child.jsonl", 1)
    cut_in_the_tool(tmp_path / "new.jsonl")
    journal.write_bytes((tmp_path / "new.jsonl").read_bytes())
    before = path.read_bytes()
    with pytest.raises(ph.ProviderError), ph.open_tape(path, in_doubt="rerun"):
        Script({"status": 500, "body": b"{}"}).agent(charge).run_sync("go")
    assert path.read_bytes() == before
    assert journal.exists()
    with ph.open_tape(path, in_doubt="rerun"):
        Script(("all is new",)).agent(charge).run_sync("go")
    assert ph.load_tape(path).interactions[-1].body.count(b"all is new") == 1
    assert ph.load_tape(tmp_path / "child.jsonl") == child


def test_a_run_and_a_client_beside_it_do_not_take_each_others_answers(tmp_path: Path) -> None:
    """The client's call was recorded between the run's two, in a lane of its own."""
    request = Request("GET", "http://x.test/rate")

    def rate(tape: ph.OpenTape) -> bytes:
        found = tape.ask(request)
        if isinstance(found, Interaction):
            return found.body
        assert found is not None
        found.head(200, "OK", "HTTP/1.1", ())
        found.chunk(b"7")
        found.end("complete")
        return b"7"

    path = tmp_path / "t.jsonl"
    with ph.open_tape(path) as tape:

        @ph.tool(effect="read")
        def ask_beside() -> str:
            with standing(tape):  # as code beside the run does, not in the tool's lane
                return rate(tape).decode()

        Script((None, tool_call("ask_beside", {}, "c1")), ("well",)).agent(ask_beside).run_sync("go")
    assert [e.lane for e in ph.load_tape(path).effects] == ["root", "root/0.ask_beside", "root#1", "root"]
    for first in (True, False):
        with ph.open_tape(path, mode="replay") as tape:
            assert not first or rate(tape) == b"7"
            assert Script().agent(ask_beside).run_sync("go").text == "well"
            assert first or rate(tape) == b"7"
            assert tape.unplayed() == ()


def test_a_run_that_matches_nothing_leaves_the_others_their_lanes() -> None:
    with ph.open_tape() as tape:
        for name in ("a", "b"):
            Script((f"for {name}",)).agent().run_sync(name)
        recorded = tape.tape()
    with ph.open_tape(recorded, mode="replay"):
        with pytest.raises(ph.Divergence):
            Script().agent().run_sync("c")
        for name in ("b", "a"):
            assert Script().agent().run_sync(name).text == f"for {name}"


def test_of_equal_runs_the_one_that_was_answered_is_resumed_first() -> None:
    """As after a retry: the first attempt was refused, and what the second was answered is paid for."""
    with ph.open_tape() as tape:
        agent = Script({"status": 503, "body": b"{}"}, ("well",)).agent()
        with pytest.raises(ph.ProviderError):
            agent.run_sync("go")
        agent.run_sync("go")
        recorded = tape.tape()
    with ph.open_tape(recorded):
        assert Script().agent().run_sync("go").text == "well"


def test_a_tool_does_not_run_with_arguments_that_were_taken_out_of_its_call(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    secret = "sk-or-v1-" + "0123456789abcdef" * 4
    with ph.open_tape(path):
        Script((None, tool_call("charge", {"account": secret}, "c1")), ("well",)).agent(charge).run_sync("go")
    assert done == [secret]
    assert secret.encode() not in path.read_bytes()
    lines = path.read_bytes().splitlines(keepends=True)
    begun = next(n for n, line in enumerate(lines) if b'"tool.start"' in line)
    path.write_bytes(b"".join(lines[:begun]))
    with pytest.raises(ph.TapeError, match="arguments that were redacted when its call was recorded"):
        Script().agent(charge).run_sync("go", tape=path)
    assert done == [secret]


def test_media_of_tools_is_redacted_too(tmp_path: Path) -> None:
    key = "sk-or-v1-" + "0123456789abcdef" * 4

    @ph.tool
    def picture() -> ph.MediaPart:
        return ph.MediaPart("image/png", url=f"https://x.test/p.png?api_key={key}")

    path = tmp_path / "t.jsonl"
    Script((None, tool_call("picture", {}, "c1")), ("well",)).agent(picture).run_sync("go", tape=path)
    assert key.encode() not in path.read_bytes()


def test_ctrl_c_ends_a_synchronous_run_where_a_loop_runs_already() -> None:
    begun = threading.Event()

    async def answer(_: Request) -> Any:
        begun.set()
        await asyncio.sleep(30)

    agent = ph.Agent("compat:http://x.test/v1#m", transport=MemoryTransport(answer))

    async def main() -> None:
        def interrupt() -> None:
            begun.wait(5)
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            agent.run_sync("go")
        assert not [thread for thread in threading.enumerate() if thread.name == "playhead-run"]

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_while_the_thread_of_a_synchronous_run_is_started_ends_that_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        if thread.name == "playhead-run":
            raise KeyboardInterrupt

    async def answer(_: Request) -> Any:
        await asyncio.sleep(30)

    async def main() -> None:
        monkeypatch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ph.Agent("compat:http://x.test/v1#m", transport=MemoryTransport(answer)).run_sync("go")
        assert not [thread for thread in threading.enumerate() if thread.name == "playhead-run"]

    asyncio.run(main())


def test_a_key_for_tests_in_an_address_plays_what_a_real_one_recorded(tmp_path: Path) -> None:
    def agent(key: str, *answers: Any) -> ph.Agent:
        it = Script(*answers)
        return ph.Agent(
            "m", provider=ph.Provider("p", f"http://x.test/v1?key={key}", key_env=None), transport=it.transport
        )

    path = tmp_path / "t.jsonl"
    agent("AIza" + "Sy0123456789abcdefghijklmnopqrstu1", ("well",)).run_sync("go", tape=path)
    assert b"?key=REDACTED" in path.read_bytes()
    assert agent("test").run_sync("go", tape=path, mode="replay").text == "well"
    request = ph.load_tape(path).interactions[0].request
    with ph.open_tape(path, mode="replay") as tape:
        asked = Request(request.method, request.url.replace("REDACTED", "test"), (), request.body)
        assert isinstance(tape.ask(asked), Interaction)
