"""One scenario in all the ways in which a run can be had: they have to come to the same."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

import playhead as ph
from histories import check_history
from playhead.agent.hooks import RunInfo
from playhead.messages import ModelRequest
from playhead.testing import Script
from playhead.testing._script import Said

Answers = Callable[[ModelRequest], Said]


def turns(*answers: Said) -> Answers:
    """Answers by how often the model has spoken in the conversation: the same for whoever asks the same again."""
    return lambda asked: answers[sum(message.role == "assistant" for message in asked.messages)]


def by_model(**answers: Answers) -> Answers:
    """Answers by the model that is asked."""
    return lambda asked: answers[asked.model](asked)


class Stage:
    """What one run of a scenario needs: a provider that counts, and tools that are watched.

    Attributes:
        script: the provider. It answers what it is asked, however often.
        ran: the lanes of the tools that were begun here, and not played.
    """

    def __init__(self, answers: Answers, wire: str = "openai_chat") -> None:
        self.script = Script(answers, wire=wire, model="main")
        self.ran: list[str] = []
        self._lock = threading.Lock()

    def agent(self, *tools: Any, model: str | None = None, **more: Any) -> ph.Agent[Any, Any]:
        """An agent that is answered here."""
        more.setdefault("retry", False)
        more["hooks"] = (*more.get("hooks", ()), _Watch(self))
        chosen = self.script.model if model is None else ph.Model(self.script.model.provider, model)
        return ph.Agent(chosen, tools=tools, transport=self.script, **more)

    def began(self, lane: str) -> None:
        """A tool begins."""
        with self._lock:
            self.ran.append(lane)


class _Watch(ph.Hooks):
    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def around_tool(self, run: RunInfo, call: ph.ToolCallPart, lane: str) -> AbstractContextManager[None]:
        self._stage.began(lane)
        return nullcontext()


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Something that an agent does.

    Attributes:
        agent: makes the agent, anew for each way.
        answers: what the provider says to what it is asked.
        prompt: what the user says.
        options: makes the other arguments of `run`, anew for each way.
        wire: the provider's wire format.
        torn: whether it comes to the same where it is killed in the middle of an answer, too. A limit on tokens or
            money does not: what had come of that answer was paid for.
        whole: whether its history is one that every provider accepts, which an error may keep it from being.
    """

    agent: Callable[[Stage], ph.Agent[Any, Any]]
    answers: Answers
    prompt: str | None = "Go."
    options: Callable[[], Mapping[str, Any]] = dict
    wire: str = "openai_chat"
    whole: bool = True
    torn: bool = True


@dataclass(frozen=True)
class Outcome:
    """What a way has come to."""

    result: ph.RunResult[Any]
    error: ph.PlayheadError | None
    events: tuple[Any, ...]
    stage: Stage = field(compare=False)

    @property
    def tape(self) -> ph.Tape:
        """What was recorded."""
        assert self.result.tape is not None
        return self.result.tape

    @property
    def seen(self) -> dict[str, Any]:
        """What has to be the same in all ways."""
        result = self.result
        return {
            "messages": result.messages,
            "ended": result.ended,
            "stopped": result.stopped,
            "pending": result.pending,
            "agent": result.agent,
            "text": result.text,
            "steps": [(step.response.message, step.results) for step in result.steps],
            "typed": result.typed,
            "warnings": [each for each in result.warnings if "tape" not in each],
            "error": self.error and (type(self.error), str(self.error)),
        }

    @property
    def paid(self) -> Counter[tuple[Any, ...]]:
        """The attempts, less those of an earlier process that were asked again."""
        rows = [row for row in self.result.ledger if not row.superseded]
        return Counter((it.lane, it.model, it.outcome, repr(it.usage), it.cost) for it in rows)

    @property
    def told(self) -> Counter[Any]:
        """The run's own events, whatever their order among tools that run at the same time.

        What happens inside a tool is told where it happens: a tool that is played gives its result alone.
        """
        return Counter(plain_event(event) for event in self.events if not isinstance(event, ph.Nested))


def plain_event(event: Any) -> str:
    """An event without what differs between what happens and what is played."""
    match event:
        case ph.Nested():
            return f"{event.lane} {event.agent}: {plain_event(event.event)}"
        case ph.MessageEnd(response):
            return f"end {response.message}"
        case ph.ToolEnd():
            return f"tool {event.lane} {event.result}"
        case ph.ToolProgress():
            return f"progress {event.lane} {event.message} {event.fraction}"
        case _:
            return repr(event)


def go(
    scenario: Scenario, tape: Any = None, mode: Any = None, *, stream: bool = False, sync: bool = False
) -> Outcome:
    """Run a scenario in one way, from its prompt to its end."""
    stage = Stage(scenario.answers, scenario.wire)
    options = {**scenario.options(), "tape": tape, "mode": mode}
    return had(stage, lambda: _run(scenario.agent(stage), scenario.prompt, options, stream, sync))


def had(stage: Stage, run: Callable[[], tuple[ph.RunResult[Any], list[Any]]]) -> Outcome:
    """What a run comes to, well or not."""
    try:
        result, events = run()
    except ph.PlayheadError as error:
        if error.run is None:
            raise
        return Outcome(error.run, error, (), stage)
    return Outcome(result, None, tuple(events), stage)


def _run(
    agent: ph.Agent[Any, Any], prompt: str | None, options: dict[str, Any], stream: bool, sync: bool
) -> tuple[ph.RunResult[Any], list[Any]]:
    if not stream:
        done = agent.run_sync(prompt, **options) if sync else asyncio.run(agent.run(prompt, **options))
        return done, []
    if sync:
        with agent.stream_sync(prompt, **options) as run:
            events = list(run)
        return run.result, events

    async def streamed() -> tuple[ph.RunResult[Any], list[Any]]:
        async with agent.stream(prompt, **options) as run:
            events = [event async for event in run]
            return run.result, events

    return asyncio.run(streamed())


def in_all_ways(scenario: Scenario, tmp_path: Path) -> Outcome:
    """Run a scenario live, played, killed after each line of its tape and resumed, and forked before each effect.

    All of that with and without streams, and synchronously or not, comes to the same.

    Returns:
        The live run, which was not streamed.
    """
    first: Outcome | None = None
    for stream in (False, True):
        live = go(scenario, tmp_path / f"live-{stream}.jsonl", "record", stream=stream)
        first = first or live
        _whole(scenario, live)
        assert live.seen == first.seen, "streamed and not"
        assert Counter(lane for lane, *_ in live.paid.elements()) == Counter(
            lane for lane, *_ in first.paid.elements()
        )
        other = go(scenario, stream=stream, sync=True)
        assert (other.seen, other.paid, other.told) == (live.seen, live.paid, live.told), "sync and async"
        for sync in (False, True):
            _played(scenario, live, stream, sync)
        _resumed(scenario, live, stream, tmp_path)
        if not stream:
            _forked(scenario, live)
    assert first is not None
    return first


def _whole(scenario: Scenario, outcome: Outcome) -> None:
    if scenario.whole:
        check_history(outcome.result.messages)


def _played(scenario: Scenario, live: Outcome, stream: bool, sync: bool) -> None:
    played = go(scenario, live.tape, "replay", stream=stream, sync=sync)
    assert played.seen == live.seen, "replayed"
    assert played.paid == live.paid, "what was paid for, replayed"
    assert played.told == live.told, "the events, replayed"
    assert not played.stage.script.requests
    with ph.open_tape(live.tape, mode="replay") as tape:
        go(scenario, tape, stream=stream, sync=sync)
        assert not tape.unplayed()


def _resumed(scenario: Scenario, live: Outcome, stream: bool, tmp_path: Path) -> None:
    lines = (tmp_path / f"live-{stream}.jsonl").read_bytes().splitlines(keepends=True)
    for kept in range(1, len(lines) + 1):
        file = tmp_path / "killed.jsonl"
        file.write_bytes(b"".join(lines[:kept]))
        before = ph.load_tape(file)
        if not scenario.torn and any(call.ended == "interrupted" for call in before.interactions):
            continue
        with ph.open_tape(file, mode="resume", in_doubt="rerun") as tape:
            resumed = go(scenario, tape, stream=stream)
        where = f"killed after line {kept} of {len(lines)}"
        assert resumed.seen == live.seen, where
        assert resumed.paid == live.paid, where
        nothing_twice(before, live, resumed, where)
        again = go(scenario, file, "replay", stream=stream)
        assert (again.seen, again.paid) == (live.seen, live.paid), f"{where}, then replayed"
        assert ledgers(again) == ledgers(resumed), f"{where}, then replayed"


def ledgers(outcome: Outcome) -> Counter[tuple[Any, ...]]:
    """All attempts, those that were asked again included."""
    rows = outcome.result.ledger
    return Counter((it.lane, it.model, it.outcome, repr(it.usage), it.cost, it.superseded, it.effect) for it in rows)


def nothing_twice(before: ph.Tape, live: Outcome, resumed: Outcome, where: str) -> None:
    """What was there is neither run nor paid for again."""
    finished = {tool.lane for tool in before.tools if tool.ended == "complete"}
    assert finished.isdisjoint(resumed.stage.ran), where
    whole = [call for call in before.interactions if call.ended == "complete" and (call.status or 500) < 400]
    assert len(resumed.stage.script.requests) <= len(live.stage.script.requests) - len(whole), where


def _forked(scenario: Scenario, live: Outcome) -> None:
    numbers = [number for number, _ in live.tape.numbered]
    for at in (*numbers, numbers[-1] + 1 if numbers else 0):
        child = live.tape.fork(at)
        with ph.open_tape(child, in_doubt="rerun") as tape:
            forked = go(scenario, tape)
        assert forked.seen == live.seen, f"forked before effect {at}"
        assert forked.paid == live.paid, f"forked before effect {at}"
        nothing_twice(child, live, forked, f"forked before effect {at}")


def texts(outcome: Outcome) -> list[str]:
    """The texts of all tool results, in order."""
    return [part.text for step in outcome.result.steps for part in step.results]


def as_bytes(tape: ph.Tape) -> bytes:
    """All that a tape says."""
    return b"".join(msgspec.json.encode(msgspec.to_builtins(effect)) for effect in tape.effects)
