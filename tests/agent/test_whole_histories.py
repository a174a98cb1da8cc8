"""A stop at any place where a run waits leaves a conversation that every provider accepts, and nothing behind."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import pytest

import playhead as ph
from chatwire import Script
from histories import check_history
from playhead.agent.result import RunResult
from stopping import KEYED, SHAPES, Case, CountingLoop, in_loop

ASYNC_STOPS = ("cancel", "after_step", "task", "twice")


def _stop_at(case: Case, how: str, at: int, stream: bool) -> tuple[RunResult[Any], BaseException | None, bool]:
    """Run, and stop behind the step `at`. The run so far, what came out of it, and whether it was stopped at all."""
    loop = CountingLoop()
    given: dict[str, Any] = dict(case.given)
    token = given["cancel"] = ph.Cancel()
    found: list[Any] = [None]

    async def go() -> None:
        run = case.agent.stream(case.prompt, **given) if stream else None
        task = asyncio.current_task()
        assert task is not None

        def act() -> None:
            match how:
                case "cancel" if run is not None:
                    run.cancel()
                case "after_step" if run is not None:
                    run.cancel(after_step=True)
                case "task":
                    task.cancel()
                case "twice":
                    token.cancel()
                    token.cancel(after_step=True)
                    loop.call_soon(token.cancel)
                case _:
                    token.cancel(after_step=how == "after_step")

        loop.watch(at, act)
        if run is None:
            found[0] = await case.agent.run(case.prompt, **given)
            return
        found[0] = run
        async with run:
            async for _ in run:
                pass

    error: BaseException | None = None
    try:
        in_loop(loop, go())
    except (asyncio.CancelledError, ph.PlayheadError) as caught:
        error = caught
    assert not loop.complaints
    if error is not None:
        return error.run, error, loop.fired  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
    so_far = found[0].result if isinstance(found[0], ph.Run) else found[0]
    return so_far, None, loop.fired


def _hold(case: Case, run: RunResult[Any]) -> None:
    """The laws, whatever has happened."""
    if any(message.role != "system" for message in run.messages):
        check_history(run.messages)
    assert max(case.began.values(), default=0) <= 1, "a tool ran twice"
    assert case.provider.open == 0, "an answer was not closed"
    assert len(run.ledger) == case.provider.asked, "what was asked was not counted"
    for step in run.steps:
        assert [result.call_id for result in step.results] == [call.id for call in step.response.tool_calls]
    gone_on = Script(("On we go.",)).agent().run_sync("Go on.", messages=run.messages)
    check_history(gone_on.messages)


@pytest.mark.parametrize(
    ("how", "stream"), [*((how, True) for how in ASYNC_STOPS), ("token", False), ("task", False)]
)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_run_that_is_stopped_at_any_await_leaves_a_whole_history(shape: str, how: str, stream: bool) -> None:
    at = 0
    while True:
        at += 1
        case = SHAPES[shape]()
        try:
            run, error, stopped = _stop_at(case, how, at, stream)
            _hold(case, run)
            if how == "task":
                assert error is None or isinstance(error, asyncio.CancelledError)
            else:
                assert error is None
                if run.finish_reason == "cancelled":
                    _replayed(case, run, stream)
        except BaseException as error:
            error.add_note(f"stopped behind step {at}")
            raise
        if not stopped:
            break
    assert at > 5


@pytest.mark.parametrize("how", ["leave", "raise"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_run_that_is_left_behind_any_event_leaves_a_whole_history(shape: str, how: str) -> None:
    at, left = 0, True
    while left:
        at += 1
        case, left = SHAPES[shape](), False
        loop = CountingLoop()
        run = case.agent.stream(case.prompt, **case.given)

        async def go(run: ph.Run[Any] = run, at: int = at) -> bool:
            async with run:
                n = 0
                async for _ in run:
                    n += 1
                    if n == at:
                        if how == "raise":
                            raise ZeroDivisionError
                        return True
            return False

        try:
            left = in_loop(loop, go())
        except ZeroDivisionError:
            left = True
        assert not loop.complaints
        _hold(case, run.so_far)
    assert at > 3


@pytest.mark.parametrize("shape", ["parallel", "nested", "background", "failing"])
def test_ctrl_c_anywhere_leaves_a_whole_history(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    at, stopped = 0, True
    while stopped:
        at += 1
        case, stopped = SHAPES[shape](), False
        loop = CountingLoop()
        run = case.agent.stream_sync(case.prompt, **case.given)
        loop.watch(at, lambda: signal.raise_signal(signal.SIGINT))
        try:
            with monkeypatch.context() as patched:
                patched.setattr(asyncio.events, "new_event_loop", lambda loop=loop: loop)
                run.__enter__()
            with run:
                for _ in run:
                    pass
            assert not loop.fired
        except KeyboardInterrupt:
            stopped = True
        assert loop.is_closed()
        assert not loop.complaints
        _hold(case, run.so_far)
    assert at > 5


@pytest.mark.parametrize(("shape", "how"), [*((shape, "cancel") for shape in KEYED), ("parallel", "task")])
def test_a_run_that_was_stopped_anywhere_goes_on_from_its_tape(shape: str, how: str) -> None:
    """It comes to the same end as one that was never stopped, and its tape then plays whole."""
    at, stopped = 0, True
    while stopped:
        at += 1
        case = SHAPES[shape]()
        first, _, stopped = _stop_at(case, how, at, stream=True)
        ended = dict(case.ended)
        try:
            whole = _again(case, first, "resume")
            assert whole.finish_reason in ("stop", "tool_calls")
            check_history(whole.messages)
            # What ended on a thread after the run had is not on the tape.
            again = [lane for lane in ended if case.ended[lane] > 1 and not lane.endswith("blocking")]
            assert not again, "a tool that had ended ran again"
            assert len(whole.ledger) == case.provider.asked, "what was asked was not counted"
            played = _again(case, whole, "replay")
            assert played.messages == whole.messages
            assert (played.finish_reason, played.typed) == (whole.finish_reason, whole.typed)
            assert len(played.ledger) == len(whole.ledger)
        except BaseException as error:
            error.add_note(f"stopped behind step {at}")
            raise
    assert at > 5


def _again(case: Case, run: RunResult[Any], mode: Any) -> RunResult[Any]:
    async def go() -> RunResult[Any]:
        async with case.agent.stream(case.prompt, tape=run.tape, mode=mode, **case.given) as again:
            return await again.finish()

    return asyncio.run(go())


def _replayed(case: Case, run: RunResult[Any], stream: bool) -> None:
    """A replay ends where the run was cancelled, with the same conversation, and asks nobody."""
    asked = case.provider.asked
    given = dict(case.given)

    async def go() -> RunResult[Any]:
        if not stream:
            return await case.agent.run(case.prompt, tape=run.tape, mode="replay", **given)
        async with case.agent.stream(case.prompt, tape=run.tape, mode="replay", **given) as again:
            return await again.finish()

    played = asyncio.run(go())
    assert played.finish_reason == "cancelled"
    assert played.messages == run.messages
    assert case.provider.asked == asked
    assert len(played.ledger) == len(run.ledger)
