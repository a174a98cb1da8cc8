"""Hooks: they are told everything, and whatever they do, the run goes on."""

from __future__ import annotations

import logging
from contextlib import contextmanager

import pytest

from playhead import ConfigError, MessageStart, ToolCallPart
from playhead.agent.hooks import HookList, Hooks, RunInfo, as_hooks
from playhead.agent.result import RunResult

RUN = RunInfo(agent="helper", model="compat:m")
CALL = ToolCallPart("c1", "add", "{}")


class Keeping(Hooks):
    """Writes down what it is told."""

    def __init__(self, name: str, told: list[str]) -> None:
        self.name, self.told = name, told

    def run_start(self, run: RunInfo) -> None:
        self.told.append(f"{self.name} start")

    def event(self, run: RunInfo, event: object) -> None:
        self.told.append(f"{self.name} {type(event).__name__}")

    @contextmanager
    def around_tool(self, run: RunInfo, call: ToolCallPart, lane: str):
        self.told.append(f"{self.name} enters {lane}")
        try:
            yield
        finally:
            self.told.append(f"{self.name} leaves {lane}")

    def run_end(self, run: RunInfo, result: RunResult, error: BaseException | None) -> None:
        self.told.append(f"{self.name} end")


class Broken(Hooks):
    """Raises whatever it is told."""

    def run_start(self, run: RunInfo) -> None:
        raise ValueError("in run_start")

    def event(self, run: RunInfo, event: object) -> None:
        raise ValueError("in event")

    def around_tool(self, run: RunInfo, call: ToolCallPart, lane: str):
        raise ValueError("in around_tool")

    def run_end(self, run: RunInfo, result: RunResult, error: BaseException | None) -> None:
        raise ValueError("in run_end")


class BrokenInside(Hooks):
    """Its context manager swallows the tool's error, and raises one of its own."""

    @contextmanager
    def around_tool(self, run: RunInfo, call: ToolCallPart, lane: str):
        try:
            yield
        except KeyError:
            raise ValueError("while leaving") from None


class Swallowing(Hooks):
    """Its context manager would hide the tool's error."""

    @contextmanager
    def around_tool(self, run: RunInfo, call: ToolCallPart, lane: str):
        try:
            yield
        except KeyError:
            pass


def a_run(hooks: Hooks) -> None:
    """What a run tells its hooks, in the order in which it does."""
    hooks.run_start(RUN)
    hooks.event(RUN, MessageStart("r1", "m"))
    with hooks.around_tool(RUN, CALL, "root/0.add"):
        pass
    hooks.run_end(RUN, RunResult(), None)


def test_several_hooks_are_told_in_order_and_leave_in_the_reverse_order():
    told: list[str] = []
    a_run(as_hooks([Keeping("a", told), Keeping("b", told)]))
    assert told == [
        *("a start", "b start", "a MessageStart", "b MessageStart", "a enters root/0.add", "b enters root/0.add"),
        *("b leaves root/0.add", "a leaves root/0.add", "b end", "a end"),
    ]


def test_a_hook_that_raises_is_logged_once_and_keeps_nothing_from_the_others(caplog):
    told: list[str] = []
    hooks = as_hooks([Broken(), Keeping("a", told)])
    with caplog.at_level(logging.ERROR, "playhead"):
        a_run(hooks)
        a_run(hooks.and_also(Keeping("b", told)))
    assert len([one for one in told if one.startswith("a")]) == 10
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "ValueError in run_start" in caplog.text
    assert "in run_start" in caplog.text


def test_what_a_hook_raises_while_a_run_fails_does_not_show_what_the_run_failed_with(caplog):
    try:
        raise RuntimeError("the provider said: no such key sk-secret-1234")
    except RuntimeError as error:
        as_hooks([Broken()]).run_end(RUN, RunResult(), error)
    assert "in run_end" in caplog.text
    assert "sk-secret" not in caplog.text


@pytest.mark.parametrize(
    "hook", [Swallowing(), BrokenInside(), Keeping("a", [])], ids=lambda hook: type(hook).__name__
)
def test_no_hook_can_hide_the_error_of_a_tool(hook):
    error = KeyError("of the tool")
    with pytest.raises(KeyError) as caught, as_hooks([hook]).around_tool(RUN, CALL, "root/0.add"):
        raise error
    assert caught.value is error


def test_a_function_is_told_every_event():
    told: list[object] = []
    a_run(as_hooks([told.append]))
    assert told == [MessageStart("r1", "m")]


def test_no_hooks_are_false_and_some_are_true():
    assert not as_hooks(None)
    assert not as_hooks([])
    assert as_hooks([print])
    one = as_hooks([print])
    assert as_hooks(one) is one


class NeverAwaited(Hooks):
    """What its method returns would be thrown away."""

    async def run_start(self, run: RunInfo) -> None:  # type: ignore[override]
        """Never run."""


async def never_awaited(event: object) -> None:
    """Never run."""


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (Keeping, r"pass Keeping\(...\), not the class"),
        (3, "is of type int"),
        (NeverAwaited(), "run_start is a coroutine function"),
        (never_awaited, "nobody awaits"),
    ],
    ids=["class", "number", "coroutine-method", "coroutine-function"],
)
def test_what_is_no_hook_is_said_to_be_none(wrong, says):
    with pytest.raises(ConfigError, match=says):
        as_hooks([wrong])


def test_only_what_a_hook_overrides_is_called():
    class Quiet(Hooks):
        pass

    hooks = HookList([Quiet()])
    assert hooks._event == ()
    assert hooks.around_tool(RUN, CALL, "root/0.add") is hooks.around_tool(RUN, CALL, "root/1.add")
