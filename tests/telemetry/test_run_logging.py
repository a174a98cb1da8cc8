"""The logger "playhead": what runs write to it, when they do, and what they never write."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from playhead import (
    Message,
    Model,
    ModelResponse,
    ProviderError,
    TextPart,
    ToolCallPart,
    ToolEnd,
    ToolResultPart,
    Usage,
    user,
)
from playhead.agent.calling import AttemptMade
from playhead.agent.hooks import Hooks, RunInfo, as_hooks
from playhead.agent.logs import LoggingHooks, with_logging
from playhead.agent.result import RunResult
from playhead.events import AttemptFailed
from playhead.messages import ModelRequest
from playhead.providers import resolve

KEY = "sk-or-v1-" + "a1b2c3d4" * 8
RUN = RunInfo(id="0123456789abcdef", agent="helper", model="openrouter:m", tape="run.jsonl")
USAGE = Usage(input_tokens=100, output_tokens=20)
ANSWER = ModelResponse(Message("assistant", (TextPart("the secret plan"),)), "stop", usage=USAGE, cost=0.002)
REFUSED = "ProviderError (rate_limit, status 429, retry after 2 s)"
PAID = "tokens 100 in, 20 out; cost $0.002000"
CALL = ToolCallPart("c1", "add\nINFO forged", f'{{"key": "{KEY}"}}')


def a_run(hooks: Hooks) -> None:
    """One run: an attempt that is refused, one that is answered, and a tool."""
    model = Model(*resolve("openrouter:m"), api_key=KEY)
    echo = ProviderError(f"no such key: {KEY}", kind="rate_limit", status=429, retry_after=2.0, body=KEY.encode())
    request = ModelRequest("m", (user("the secret question"),))
    common: dict[str, Any] = {"model": model, "lane": "root", "duration_s": 0.5}
    hooks.run_start(RUN)
    hooks.request(RUN, request, model)
    hooks.attempt(RUN, AttemptMade(error=echo, **common))
    hooks.event(RUN, AttemptFailed(str(echo), "rate_limit", "openrouter:m", "openrouter:m", 2.0))
    hooks.event(RUN, AttemptFailed(str(echo), "rate_limit", "openrouter:m", "openrouter:n"))
    hooks.request(RUN, request, model)
    hooks.attempt(RUN, AttemptMade(response=ANSWER, played=True, **common))
    result = ToolResultPart("c1", CALL.name, "the secret result")
    hooks.event(RUN, ToolEnd(CALL, result, "root/0.add", 0.25))
    hooks.run_end(RUN, RunResult(), echo)


def test_a_run_at_debug_says_what_happened(caplog):
    caplog.set_level(logging.DEBUG, "playhead")
    a_run(with_logging(as_hooks(())))
    assert [record.getMessage().removeprefix("run 01234567") for record in caplog.records[:-1]] == [
        " begins: agent 'helper', model openrouter:m, lane 'root', tape 'run.jsonl', not streamed",
        " asks openrouter:m: 1 messages, 0 tools",
        f": openrouter:m failed with {REFUSED} in 0.500 s; tokens ? in, ? out; cost not reported",
        ": openrouter:m failed (rate_limit); it is asked again in 2.0 s",
        ": openrouter:m failed (rate_limit); openrouter:n is asked instead",
        " asks openrouter:m: 1 messages, 0 tools",
        f": openrouter:m answered (stop) in 0.500 s; {PAID}; played from the tape",
        r": tool 'add\nINFO forged' is done in 0.250 s, lane 'root/0.add'",
    ]
    assert caplog.messages[-1].startswith(f"run 01234567 fails with {REFUSED} after")
    levels = [record.levelname for record in caplog.records]
    assert [levels[3], levels[4], {*levels[:3], *levels[5:]}] == ["INFO", "WARNING", {"DEBUG"}]


def test_neither_a_key_nor_what_was_said_is_written(caplog, monkeypatch):
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    a_run(with_logging(as_hooks(())))
    assert len(caplog.records) > 5
    assert KEY not in caplog.text
    assert "secret" not in caplog.text
    assert "Authorization" not in caplog.text


def test_a_run_at_info_says_only_what_is_worth_it(caplog):
    caplog.set_level(logging.INFO, "playhead")
    a_run(with_logging(as_hooks(())))
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]


def test_where_nobody_listens_nothing_is_added():
    assert not with_logging(as_hooks(()))
    logger = logging.getLogger("playhead")
    assert any(isinstance(handler, logging.NullHandler) for handler in logger.handlers)


def test_a_run_that_began_unheard_stays_unheard(caplog):
    hooks = LoggingHooks()
    caplog.set_level(logging.WARNING, "playhead")
    hooks.run_start(RUN)
    caplog.set_level(logging.DEBUG, "playhead")
    hooks.event(RUN, AttemptFailed("busy", "overloaded", "a:m", "a:m"))
    hooks.run_end(RUN, RunResult(), None)
    assert caplog.records == []


def test_hooks_that_log_already_are_not_doubled(caplog):
    caplog.set_level(logging.DEBUG, "playhead")
    hooks = as_hooks([LoggingHooks()])
    assert with_logging(hooks) is hooks


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO, logging.WARNING], ids=logging.getLevelName)
def test_no_run_is_kept_after_its_end(caplog, level):
    caplog.set_level(level, "playhead")
    hooks = LoggingHooks()
    a_run(hooks)
    assert hooks._since == {}
