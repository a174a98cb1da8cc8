"""One model call: several attempts and fallbacks, live and played, and what each of them leaves behind."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import playhead as ph
from chatwire import JSON, SSE, message, stream
from playhead.agent.calling import AttemptMade, Calling
from playhead.agent.outlets import Outlets
from playhead.errors import LimitExceeded
from playhead.events import AttemptFailed, Event, MessageEnd, MessageStart, PartDelta, PartEnd, PartStart, StreamReset
from playhead.http import Request, Response, Transport
from playhead.messages import Message, ModelRequest, ModelResponse, ReasoningPart, Settings, TextPart, Usage, user
from playhead.model import Model
from playhead.providers import resolve
from playhead.retry import Retry, Timeouts
from playhead.serve.http import Abort, Server
from playhead.tape.open import open_tape
from playhead.tape.playhead import Playhead
from playhead.transport.live import LiveTransport
from playhead.transport.memory import MemoryTransport, respond
from playhead.wire import wire_format

FIRST = Model(*resolve("openrouter:first"), api_key="key-of-the-first")
SECOND = Model(*resolve("anthropic:second"), api_key="key-of-the-second")
STEADY = Retry(jitter=False)
BUSY = {"status": 503, "body": b'{"error":{"message":"no room"}}', "headers": JSON}
SLOW_DOWN = {"status": 429, "body": b'{"error":{"message":"slow down"}}', "headers": (*JSON, ("Retry-After", "7"))}
NO_KEY = {"status": 401, "body": b'{"error":{"message":"who are you?"}}', "headers": JSON}
WRONG = {"status": 400, "body": b'{"error":{"message":"no such field"}}', "headers": JSON}


@dataclass
class Outcome:
    """What came of a call."""

    events: list[Event] = field(default_factory=list)
    made: list[AttemptMade] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    error: BaseException | None = None
    warnings: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """That of the answer."""
        last = self.events[-1]
        assert isinstance(last, MessageEnd)
        return last.response.text

    @property
    def between(self) -> list[Event]:
        """What happened between attempts."""
        return [event for event in self.events if isinstance(event, AttemptFailed | StreamReset)]


async def called(
    transport: Transport | None,
    *,
    tape: Any = None,
    mode: Any = None,
    models: Sequence[Model] = (FIRST,),
    retry: Retry = STEADY,
    timeouts: Timeouts | None = None,
    streamed: bool = True,
    settings: Settings | None = None,
    said: Any = "go",
    faults: Any = None,
    seen: Callable[[Event], Any] = lambda _: None,
    before: Callable[[ModelRequest, Model], None] = lambda _request, _model: None,
    sleep: Callable[[float], Any] = lambda _: None,
) -> Outcome:
    """One call on a tape, to its end."""
    outcome = Outcome()
    outlets = Outlets(transport)
    playhead = Playhead(open_tape(tape, mode, faults=faults), outlets, outlets.ready)

    async def slept(seconds: float) -> None:
        calling._timeouts = (
            Timeouts()
        )  # Only the first attempt is hurried, so that a slow machine makes no other test.
        outcome.slept.append(seconds)
        sleep(seconds)

    calling = Calling(
        models,
        retry=retry,
        timeouts=timeouts or Timeouts(),
        outlets=outlets,
        playhead=playhead,
        on_attempt=outcome.made.append,
        before_attempt=before,
        sleep=slept,
    )
    try:
        async with aclosing(
            calling.call(lambda model: ModelRequest(model.id, (user(said),), (), settings or {}, streamed))
        ) as events:
            async for event in events:
                outcome.events.append(event)
                if (waits := seen(event)) is not None:
                    await waits
    except (ph.PlayheadError, asyncio.CancelledError, _Enough) as error:
        outcome.error = error
    finally:
        outcome.warnings = tuple(calling.warnings)
        await playhead.close(whole=True)
    return outcome


class _Enough(Exception):
    """The reader has seen enough."""


def run(main: Any) -> Any:
    """Run a test's coroutine. What would hang fails instead."""

    async def limited() -> Any:
        async with asyncio.timeout(10):
            return await main

    return asyncio.run(limited())


def scripted(*answers: Any) -> MemoryTransport:
    """Gives the answers one after the other: text in the words of whoever is asked, or what `respond` takes."""
    left = list(answers)

    def answer(request: Request) -> Response:
        given = left.pop(0)
        if isinstance(given, Exception):
            raise given
        if isinstance(given, dict):
            return respond(**given)
        if request.url.endswith("/messages"):
            return respond(200, anthropics(given), SSE)
        if json.loads(request.body).get("stream"):
            return respond(200, stream(given), SSE)
        return respond(200, json.dumps(message(given)).encode(), JSON)

    return MemoryTransport(answer)


def anthropics(text: str) -> list[bytes]:
    """An answer in Anthropic's format."""
    encoder = wire_format("anthropic").Encoder(True)
    part = TextPart(text)
    response = ModelResponse(Message("assistant", (part,)), "stop", usage=Usage(3, 2), id="m1", model="second")
    events = (
        MessageStart("m1", "second"),
        PartStart(0, TextPart()),
        PartDelta(0, "text", text),
        PartEnd(0, part),
        MessageEnd(response),
    )
    return [encoder.send(event) for event in events]


def cut(pieces: list[bytes], count: int) -> dict[str, Any]:
    """An answer of which only some pieces come before the connection dies."""

    def body() -> Any:
        yield from pieces[:count]
        raise ph.TransportError("the connection was cut", kind="disconnect")

    return {"status": 200, "body": body(), "headers": SSE}


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(
    ("answers", "models", "kinds"),
    [
        pytest.param([SLOW_DOWN, "it works"], [FIRST], ["rate_limit"], id="429"),
        pytest.param([BUSY, BUSY, "it works"], [FIRST], ["overloaded", "overloaded"], id="503-twice"),
        pytest.param([ph.TransportError("gone"), "it works"], [FIRST], ["connect"], id="no-connection"),
        pytest.param([NO_KEY, "it works"], [FIRST, SECOND], ["authentication"], id="fallback"),
        pytest.param([BUSY, BUSY, BUSY, "it works"], [FIRST, SECOND], ["overloaded"] * 3, id="fallback-after-three"),
    ],
)
def test_a_replay_gives_the_same_events_and_waits_for_nothing(
    answers: list[Any], models: list[Model], kinds: list[str], streamed: bool, tmp_path: Path
) -> None:
    path = tmp_path / "t.jsonl"
    live = run(called(scripted(*answers), tape=path, models=models, streamed=streamed))
    played = run(called(None, tape=path, mode="replay", models=models, streamed=streamed))
    resumed = run(called(scripted(), tape=path, models=models, streamed=streamed))
    assert live.text.split() == ["it", "works"] or live.text == "itworks"
    assert [event.kind for event in live.between if isinstance(event, AttemptFailed)] == kinds
    assert played.events == resumed.events == live.events
    assert played.slept == resumed.slept == []
    assert [made.played for made in live.made] == [False] * len(answers)
    assert [made.played for made in played.made] == [True] * len(answers)
    for one, other in zip(live.made, played.made, strict=True):
        assert (one.model, one.response, str(one.error), one.effect) == (
            other.model,
            other.response,
            str(other.error),
            other.effect,
        )
    assert [made.effect for made in live.made] == list(range(len(answers)))


def test_the_time_that_the_provider_names_is_waited_for() -> None:
    outcome = run(called(scripted(SLOW_DOWN, "fine")))
    assert outcome.slept == [7]
    assert outcome.between == [
        AttemptFailed(str(outcome.made[0].error), "rate_limit", "openrouter:first", "openrouter:first", 7)
    ]


def test_a_time_that_is_too_long_is_not_waited_for() -> None:
    refusal = SLOW_DOWN | {"headers": (*JSON, ("Retry-After", "3600"))}
    alone = run(called(scripted(refusal)))
    assert isinstance(alone.error, ph.ProviderError)
    assert (alone.error.retry_after, alone.slept, alone.between) == (3600, [], [])
    helped = run(called(scripted(refusal, "fine"), models=[FIRST, SECOND]))
    assert (helped.text, helped.slept) == ("fine", [])


def test_a_moment_that_the_provider_names_is_counted_from_the_same_date_in_a_replay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.jsonl"
    then = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 3600))
    refusal = SLOW_DOWN | {"headers": (*JSON, ("Retry-After", then))}  # And no date beside it.
    live = run(called(scripted(refusal, "fine"), tape=path, models=[FIRST, SECOND]))
    assert (live.text, live.slept) == ("fine", [])
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 7200)  # It is past by now.
    played = run(called(None, tape=path, mode="replay", models=[FIRST, SECOND]))
    assert played.events == live.events


def test_a_refusal_that_nothing_helps_against_is_raised_at_once() -> None:
    transport = scripted(WRONG, "never asked")
    outcome = run(called(transport, models=[FIRST, SECOND]))
    assert isinstance(outcome.error, ph.ProviderError)
    assert outcome.error.kind == "bad_request"
    assert len(transport.requests) == 1


def test_what_a_format_has_no_words_for_is_asked_of_another() -> None:
    said = [ph.MediaPart("audio/wav", b"RIFF")]
    outcome = run(called(scripted("fine"), models=[SECOND, FIRST], said=said))
    assert outcome.text == "fine"
    (failed,) = outcome.between
    assert isinstance(failed, AttemptFailed)
    assert (failed.kind, failed.model, failed.next_model) == ("encode", "anthropic:second", "openrouter:first")
    assert [made.model for made in outcome.made] == [FIRST]  # Nothing was sent to the other.
    alone = run(called(scripted(), models=[SECOND], said=said))
    assert isinstance(alone.error, ph.EncodeError)


def test_the_last_error_tells_of_the_attempts_before_it() -> None:
    outcome = run(called(scripted(NO_KEY, BUSY, BUSY), models=[FIRST, SECOND], retry=Retry(2, jitter=False)))
    assert isinstance(outcome.error, ph.ProviderError)
    first, second = outcome.error.__notes__
    assert first.startswith("Attempt 1 asked openrouter:first: openrouter answered 401")
    assert second.startswith("Attempt 2 asked anthropic:second: anthropic answered 503")
    assert len(outcome.made) == 3


def test_a_stream_that_is_cut_begins_anew_with_another_provider_in_another_format(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    once = Retry.none
    transport = scripted(cut(stream("half of it"), 3), "all of it")
    live = run(called(transport, tape=path, models=[FIRST, SECOND], retry=once))
    kinds = [type(event).__name__ for event in live.events]
    assert kinds.index("AttemptFailed") + 1 == kinds.index("StreamReset")
    assert kinds[kinds.index("StreamReset") + 1] == "MessageStart"
    assert kinds.count("MessageStart") == 2
    assert live.text == "all of it"
    failed, whole = live.made
    assert (failed.model, whole.model) == (FIRST, SECOND)
    assert failed.partial is not None
    assert failed.partial.text == "halfof"
    assert isinstance(failed.error, ph.TruncatedStream)
    assert whole.response is not None
    played = run(called(None, tape=path, mode="replay", models=[FIRST, SECOND], retry=once))
    assert played.events == live.events
    assert played.made[0].partial == failed.partial


def test_the_keys_of_several_models_go_each_to_its_own_provider_and_to_no_tape(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    transport = scripted(NO_KEY, "fine")
    run(called(transport, tape=path, models=[FIRST, SECOND]))
    first, second = (dict(request.headers) for request in transport.requests)
    assert (first["Authorization"], second["x-api-key"]) == ("Bearer key-of-the-first", "key-of-the-second")
    assert "x-api-key" not in first
    assert "Authorization" not in second
    assert b"key-of-the" not in path.read_bytes()


def test_a_run_that_was_stopped_while_it_waited_asks_again_when_it_is_resumed(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"

    def stop(_: float) -> None:
        raise _Enough

    live = run(called(scripted(SLOW_DOWN), tape=path, sleep=stop))
    assert isinstance(live.error, _Enough)
    resumed = run(called(scripted("fine"), tape=path))
    assert (resumed.text, resumed.between) == ("fine", [])
    played = run(called(None, tape=path, mode="replay"))
    assert (played.text, played.between) == ("fine", [])


def test_a_call_that_was_killed_anywhere_is_resumed_to_an_answer_that_replays(tmp_path: Path) -> None:
    path, cut_off = tmp_path / "t.jsonl", tmp_path / "killed.jsonl"
    answers = (SLOW_DOWN, cut(stream("half of it"), 3), BUSY, "all of it")
    live = run(called(scripted(*answers), tape=path, models=[FIRST, SECOND]))
    assert live.text == "all of it"
    lines = path.read_bytes().splitlines(keepends=True)
    for n in range(1, len(lines) + 1):
        cut_off.write_bytes(b"".join(lines[:n]))
        resumed = run(called(scripted("anew"), tape=cut_off, models=[FIRST, SECOND]))
        assert resumed.text in ("anew", "all of it")
        played = run(called(None, tape=cut_off, mode="replay", models=[FIRST, SECOND]))
        assert (played.events, played.slept) == (resumed.events, [])
    assert resumed.events == live.events


def test_a_tape_that_ends_with_a_failure_is_played_to_that_failure(tmp_path: Path) -> None:
    """Whatever the policy says now: the run that was recorded did not ask again."""
    path = tmp_path / "t.jsonl"
    live = run(called(scripted(BUSY), tape=path, retry=Retry.none))
    played = run(called(None, tape=path, mode="replay", models=[FIRST, SECOND]))
    assert str(played.error) == str(live.error)
    assert (played.between, played.slept) == ([], [])


def test_a_failure_that_is_played_does_not_look_through_the_whole_tape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.jsonl"
    live = run(called(scripted(BUSY, "it works"), tape=path))
    monkeypatch.delattr("playhead.tape.player.Player.unplayed")
    assert run(called(None, tape=path, mode="replay")).events == live.events


def test_a_fallback_that_has_no_words_ends_a_replay_as_it_ended_the_run(tmp_path: Path) -> None:
    path, said = tmp_path / "t.jsonl", [ph.MediaPart("audio/wav", b"RIFF")]
    models = [FIRST, SECOND]
    live = run(called(scripted(BUSY), tape=path, models=models, retry=Retry.none, said=said))
    played = run(called(None, tape=path, mode="replay", models=models, retry=Retry.none, said=said))
    assert isinstance(live.error, ph.EncodeError)
    assert (played.events, str(played.error)) == (live.events, str(live.error))


def test_an_answer_that_can_no_longer_be_kept_is_an_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = ph.TapeError("the disk is full")

    def chunk(*_: Any) -> None:
        raise full

    monkeypatch.setattr("playhead.tape.recorder.CallRecording.chunk", chunk)
    outcome = run(called(scripted("never kept"), tape=tmp_path / "t.jsonl"))
    assert outcome.error is full
    assert [made.error for made in outcome.made] == [full]


@pytest.mark.parametrize(
    "fault", ["cut:after=400@call=1", "stall:after=400@call=1", "500@call=1"], ids=["cut", "stall", "500"]
)
def test_faults_of_a_tape_are_tried_again_as_those_of_a_provider(fault: str, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    live = run(called(scripted("it works"), tape=path))
    struck = ph.Faults.parse(fault)
    impatient = Timeouts(stall_s=0.02)
    outcome = run(called(None, tape=path, mode="replay", faults=struck, timeouts=impatient))
    assert len(struck.struck) == 1
    assert outcome.text == live.text
    assert isinstance(outcome.between[0], AttemptFailed)


def test_what_refuses_an_attempt_ends_the_call() -> None:
    def before(request: ModelRequest, model: Model) -> None:
        asked.append((request.model, model))
        if len(asked) == 2:
            raise LimitExceeded("too much", limit="cost")

    asked: list[tuple[str, Model]] = []
    outcome = run(called(scripted(BUSY, "never asked"), before=before))
    assert isinstance(outcome.error, LimitExceeded)
    assert asked == [("first", FIRST)] * 2
    assert "asked openrouter:first: openrouter answered 503" in outcome.error.__notes__[0]


def test_a_reader_who_leaves_in_the_middle_leaves_an_attempt_with_what_came() -> None:
    def seen(event: Event) -> None:
        if isinstance(event, PartDelta):
            raise _Enough

    outcome = run(called(scripted("one two three"), seen=seen))
    (made,) = outcome.made
    assert made.response is None
    assert made.partial is not None
    assert made.partial.text.startswith("one")
    assert isinstance(made.error, GeneratorExit)


def test_what_a_provider_cannot_be_told_is_a_warning() -> None:
    outcome = run(called(scripted("fine"), models=[SECOND], settings={"seed": 1}))
    assert any("seed" in warning for warning in outcome.warnings)


# Over real sockets: what only time tells.


@dataclass
class Provider:
    """A server whose answers may stop, and a model that is asked there."""

    server: Server
    left: list[asyncio.Event]

    def model(self, name: str = "m") -> Model:
        """A model of this server."""
        return Model(*resolve(f"compat:{self.server.url}/v1#{name}"))


async def served(
    *bodies: Callable[[], AsyncIterator[bytes]] | None, then: Callable[[Provider], Any], status: int = 200
) -> Any:
    """Serve one body after the other; None never answers."""
    remaining, left = list(bodies), list[asyncio.Event]()

    async def handler(request: Request) -> Response:
        body, gone = remaining.pop(0), asyncio.Event()
        left.append(gone)
        if body is None:
            try:
                await asyncio.Event().wait()
            finally:
                gone.set()
        assert body is not None

        async def close() -> None:
            gone.set()

        return Response(status, SSE, body(), close=close)

    async with Server(handler) as server:
        return await then(Provider(server, left))


async def whole() -> AsyncIterator[bytes]:
    for piece in stream("it works"):
        yield piece


async def stalls() -> AsyncIterator[bytes]:
    for piece in stream("half of it")[:3]:
        yield piece
    await asyncio.Event().wait()


async def pings() -> AsyncIterator[bytes]:
    for piece in stream("half of it")[:3]:
        yield piece
    while True:
        await asyncio.sleep(0.002)
        yield b": ping\n\n"


async def dies() -> AsyncIterator[bytes]:
    for piece in stream("half of it")[:3]:
        yield piece
    raise Abort


@pytest.mark.parametrize(
    ("body", "timeouts", "kind", "shown"),
    [
        pytest.param(stalls, Timeouts(stall_s=0.03), "timeout", True, id="silent"),
        pytest.param(pings, Timeouts(stall_s=0.03), "timeout", True, id="only-pings"),
        pytest.param(stalls, Timeouts(attempt_s=0.03), "timeout", None, id="attempt-too-long"),
        pytest.param(None, Timeouts(first_s=0.03), "timeout", False, id="no-head"),
        pytest.param(dies, Timeouts(), "truncated", True, id="cut"),
    ],
)
def test_an_answer_that_stops_is_given_up_and_asked_for_again(
    body: Any, timeouts: Timeouts, kind: str, shown: bool | None, tmp_path: Path
) -> None:
    path = tmp_path / "t.jsonl"

    async def main(provider: Provider) -> None:
        models = [provider.model()]
        live = await called(None, tape=path, models=models, timeouts=timeouts)
        await provider.left[0].wait()  # The connection is closed.
        assert live.text == "itworks"
        failed, *reset = live.between
        assert isinstance(failed, AttemptFailed)
        assert failed.kind == kind
        assert [type(event) for event in reset] == ([StreamReset] if isinstance(live.events[0], MessageStart) else [])
        assert live.made[0].effect == 0
        if shown is not None:  # Else it depends on the machine how far it came.
            assert (live.made[0].partial is not None) is bool(reset) is shown
        # A replay meets the same error in the same place, and no time-out of its own.
        tight = Timeouts(first_s=1e-9, stall_s=1e-9, thinking_s=1e-9, attempt_s=1e-9)
        for again in (
            await called(None, tape=path, mode="replay", models=models, timeouts=tight),
            await called(None, tape=path, models=models, timeouts=tight),
        ):
            assert again.events == live.events
            assert again.slept == []
            assert again.made[0].partial == live.made[0].partial

    run(served(body, whole, then=main))


def test_a_give_up_is_on_the_tape_as_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"

    async def main(provider: Provider) -> Outcome:
        return await called(
            None, tape=path, models=[provider.model()], retry=Retry.none, timeouts=Timeouts(stall_s=0.02)
        )

    outcome = run(served(stalls, then=main))
    assert isinstance(outcome.error, ph.TransportError)
    assert "sent no event for 0.02 s" in str(outcome.error)
    with open_tape(path, "replay") as tape:
        recorded = tape.tape()
    assert recorded is not None
    (interaction,) = recorded.interactions
    assert interaction.ended == "failed"
    assert interaction.error == {"kind": "timeout", "message": str(outcome.error)}


def test_a_model_that_thinks_is_given_its_time() -> None:
    """Silence in reasoning, and behind it, is not a stall; nor is it before the first word, nor in a tool call."""

    def chunk(**delta: Any) -> bytes:
        return f"data: {json.dumps({'id': 'r', 'choices': [{'index': 0, 'delta': delta}]})}\n\n".encode()

    async def thinks() -> AsyncIterator[bytes]:
        call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{"}}
        more = {"index": 0, "function": {"arguments": "}"}}
        await asyncio.sleep(0.03)
        for piece in (chunk(reasoning="hm"), chunk(reasoning=" hm"), chunk(tool_calls=[call])):
            yield piece
            await asyncio.sleep(0.03)
        yield b"".join([chunk(tool_calls=[more]), *stream("", finish="tool_calls")[1:]])

    async def main(provider: Provider) -> Outcome:
        return await called(None, models=[provider.model()], timeouts=Timeouts(stall_s=0.005))

    outcome = run(served(thinks, then=main))
    assert outcome.error is None
    assert outcome.between == []
    assert any(isinstance(event, PartEnd) and isinstance(event.part, ReasoningPart) for event in outcome.events)


def test_an_answer_that_is_not_streamed_has_the_time_for_thinking() -> None:
    async def body() -> AsyncIterator[bytes]:
        data = json.dumps(message("fine")).encode()
        yield data[:20]
        await asyncio.sleep(0.03)
        yield data[20:]

    async def begins() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async def main(provider: Provider) -> tuple[Outcome, Outcome]:
        models = [provider.model()]
        patient = Timeouts(first_s=0.001, stall_s=0.001)
        short = Timeouts(thinking_s=0.01)
        return (
            await called(None, models=models, streamed=False, timeouts=patient),
            await called(None, models=models, streamed=False, timeouts=short, retry=Retry.none),
        )

    waited, gave_up = run(served(body, begins, then=main))
    assert waited.text == "fine"
    assert isinstance(gave_up.error, ph.TransportError)
    assert gave_up.error.kind == "timeout"


def test_a_reader_who_takes_its_time_is_no_stall() -> None:
    async def main(provider: Provider) -> Outcome:
        loop = asyncio.get_running_loop()
        real, ahead = loop.time, [0.0]
        loop.time = lambda: real() + ahead[0]  # type: ignore[method-assign]

        def seen(event: Event) -> Any:
            ahead[0] += 1000
            return asyncio.sleep(0)

        timeouts = Timeouts(stall_s=500, thinking_s=500, attempt_s=500)
        return await called(None, models=[provider.model()], timeouts=timeouts, seen=seen)

    outcome = asyncio.run(served(whole, then=main))
    assert (outcome.text, outcome.between) == ("itworks", [])


def test_a_cancellation_from_outside_stays_one() -> None:
    async def main(provider: Provider) -> Outcome:
        shown = asyncio.Event()

        def seen(event: Event) -> None:
            if isinstance(event, PartDelta):
                shown.set()

        task = asyncio.ensure_future(called(None, models=[provider.model()], seen=seen))
        await shown.wait()
        await asyncio.sleep(0)
        task.cancel()
        outcome = await task  # It catches what is cancelled, so that the test can look.
        await provider.left[0].wait()
        return outcome

    outcome = run(served(stalls, then=main))
    assert isinstance(outcome.error, asyncio.CancelledError)
    (made,) = outcome.made
    assert isinstance(made.error, asyncio.CancelledError)
    assert made.partial is not None
    assert made.partial.text.startswith("half")


def test_a_give_up_leaves_the_task_uncancelled() -> None:
    async def main(provider: Provider) -> int:
        await called(None, models=[provider.model()], timeouts=Timeouts(stall_s=0.02))
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    assert run(served(stalls, whole, then=main)) == 0


# The way out.


def test_a_transport_that_was_given_is_used_for_all_and_closed_by_nobody() -> None:
    class Given(MemoryTransport):
        closed = False

        async def aclose(self) -> None:
            self.closed = True

    given = Given(lambda _: respond(200, stream("fine"), SSE))

    async def main() -> None:
        outlets = Outlets(given)
        for model in (FIRST, SECOND):
            outlets.use(model)
            await outlets.send(Request("POST", "http://x.test/"))
        await outlets.aclose()

    run(main())
    assert len(given.requests) == 2
    assert not given.closed


def test_the_network_is_shared_by_all_models_and_closed_once() -> None:
    async def main(provider: Provider) -> int:
        outlets = Outlets()
        for name in ("a", "b"):
            outlets.use(provider.model(name))
            response = await outlets.send(Request("POST", provider.server.url))
            assert await response.read()
            await response.aclose()
        (network,) = outlets._opened.values()
        assert isinstance(network, LiveTransport)
        await outlets.aclose()
        assert not outlets._opened
        return provider.server.connections

    assert run(served(whole, whole, then=main)) == 1


def test_nothing_is_asked_of_a_model_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = scripted("never asked")
    outcome = run(called(transport, models=[Model(*resolve("openrouter:m")), SECOND]))
    assert isinstance(outcome.error, ph.MissingKey)
    assert (transport.requests, outcome.made) == ([], [])


# Keys that a function gives.


def keyed(*keys: str) -> tuple[Model, list[str]]:
    """A model whose key is given anew for each request, and the keys that were given."""
    left, given = list(keys), list[str]()

    def key() -> str:
        given.append(left.pop(0))
        return given[-1]

    return Model(*resolve("openrouter:m"), api_key=key), given


def test_a_key_that_a_function_gives_is_asked_for_with_each_request() -> None:
    model, given = keyed("the-first-key", "the-second-key")
    transport = scripted(BUSY, "fine")
    assert run(called(transport, models=[model])).text == "fine"
    assert [dict(sent.headers)["Authorization"] for sent in transport.requests] == [f"Bearer {key}" for key in given]
    assert len(given) == 2


def test_a_key_that_is_out_of_date_is_asked_for_once_more(tmp_path: Path) -> None:
    """Below the tape, which has one call: what was refused is nobody's concern."""
    path = tmp_path / "t.jsonl"
    model, given = keyed("the-old-key", "the-new-key")
    outcome = run(called(scripted(NO_KEY, "fine"), models=[model], tape=path))
    assert (outcome.text, outcome.between, len(outcome.made)) == ("fine", [], 1)
    assert given == ["the-old-key", "the-new-key"]
    assert not any(key.encode() in path.read_bytes() for key in given)
    played = run(called(None, models=[model], tape=path, mode="replay"))
    assert (played.events, given) == (outcome.events, ["the-old-key", "the-new-key"])


@pytest.mark.parametrize("answers", [[NO_KEY], [NO_KEY, NO_KEY]], ids=["the-same-key", "another-key"])
def test_a_key_that_is_refused_is_not_asked_for_for_ever(answers: list[Any]) -> None:
    model, _ = keyed("the-old-key", "the-old-key" if len(answers) == 1 else "the-new-key")
    transport = scripted(*answers)
    outcome = run(called(transport, models=[model]))
    assert isinstance(outcome.error, ph.ProviderError)
    assert outcome.error.kind == "authentication"
    assert len(transport.requests) == len(answers)


def test_a_function_that_gives_no_key_is_told_so() -> None:
    model, _ = keyed("")
    outcome = run(called(scripted(), models=[model]))
    assert isinstance(outcome.error, ph.MissingKey)
