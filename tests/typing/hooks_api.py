# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""User code that looks on, and user code's tests, checked by pyright and mypy in strict mode. It is never run."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import assert_type

import playhead as ph
from playhead.messages import ModelRequest
from playhead.testing import Script, answer, calls, cut, refusal


class Diary(ph.Hooks):
    """Overrides all that there is."""

    def run_start(self, run: ph.RunInfo) -> None:
        assert_type(run.parent, ph.RunInfo | None)

    def request(self, run: ph.RunInfo, request: ModelRequest, model: ph.Model) -> None:
        print(model.name, len(request.messages))

    def event(self, run: ph.RunInfo, event: ph.Event) -> None:
        if isinstance(event, ph.ToolEnd):
            print(event.duration_s)

    def attempt(self, run: ph.RunInfo, attempt: ph.AttemptMade) -> None:
        assert_type(attempt.error, BaseException | None)

    def around_tool(self, run: ph.RunInfo, call: ph.ToolCallPart, lane: str) -> AbstractContextManager[None]:
        return self._around(lane)

    @contextmanager
    def _around(self, lane: str) -> Generator[None]:
        print(lane)
        yield

    def run_end(self, run: ph.RunInfo, result: ph.RunResult, error: BaseException | None) -> None:
        print(result.text)


def listen(event: ph.Event) -> None:
    print(event)


agent = ph.Agent("m", hooks=[Diary(), listen, print, ph.telemetry.OpenTelemetry()])


def test() -> None:
    with (
        ph.block_network(),
        Script(["Hello!", answer("a", cost=0.1), calls(("add", {"a": 1})), refusal(429), cut("b")]) as script,
    ):
        assert_type(script.on(agent).run_sync("Hello").text, str)
        assert_type(script.requests, tuple[ModelRequest, ...])
    Script(lambda request: f"{len(request.messages)}")


class Wrong(ph.Hooks):
    """Takes something else than it is given."""

    def run_start(self, run: str) -> None: ...  # type: ignore[override]


ph.Agent("m", hooks=[3])  # type: ignore[list-item]
Script([3])  # type: ignore[list-item]
