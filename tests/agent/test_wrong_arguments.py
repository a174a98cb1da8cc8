"""What an agent or a run is given and cannot use is said at once, in a sentence that names it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import playhead as ph
from chatwire import Script

AGENT: dict[str, tuple[Any, str]] = {
    "limits": (5, "limits should be a Limits"),
    "timeouts": (30, "timeouts should be a Timeouts"),
    "stop_when": (5, "stop_when should be a function of a RunState"),
    "before_step": ("first", "before_step should be a function"),
    "compaction": (True, "compaction should be a Compaction"),
    "repair": (5, "repair should be a function"),
    "system": (5, "system should be a text"),
    "fallbacks": ([5], "fallbacks should be a list of models"),
    "hooks": (5, "hooks should be a list of Hooks"),
    "settings": (5, "settings should be a mapping"),
    "max_steps": ("5", "max_steps should be a whole number"),
    "max_parallel_tools": (0, "max_parallel_tools should be a whole number, and at least 1"),
    "model": (5, "model should be 'provider:model'"),
    "provider": ("openai", "provider should be a Provider"),
}

RUN: dict[str, tuple[Any, str]] = {
    "limits": ({}, "limits should be a Limits"),
    "budget": (ph.Limits(cost=1), "budget should be a Budget"),
    "cancel": (True, "cancel should be a Cancel"),
    "approvals": (True, "approvals should be a mapping"),
    "settings": (5, "settings should be a mapping"),
}


@pytest.mark.parametrize("name", AGENT)
def test_an_agent_says_which_of_its_arguments_is_of_the_wrong_kind(name: str) -> None:
    value, said = AGENT[name]
    with pytest.raises(ph.ConfigError, match=said) as caught:
        Script().agent(**{name: value})
    assert isinstance(value, list) or repr(value) in str(caught.value), "what came is told"


@pytest.mark.parametrize("name", ["stop_when", "system", "hooks"])
def test_a_list_of_something_wrong_is_said_too(name: str) -> None:
    with pytest.raises(ph.ConfigError, match=name.removesuffix("s")):
        Script().agent(**{name: [5]})


def test_a_transport_that_cannot_send_is_refused() -> None:
    with pytest.raises(ph.ConfigError, match="transport should be an object with a coroutine function `send`"):
        ph.Agent("demo", transport=5)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [*RUN, "messages", "message", "prompt", "part", "conversation"])
def test_a_run_says_which_of_its_arguments_is_of_the_wrong_kind(name: str) -> None:
    more = {
        "messages": ({"messages": "hi"}, "messages should be a list of Message"),
        "message": ({"messages": [{"role": "user"}]}, "its item 0 is of type dict"),
        "prompt": ({"prompt": 5}, "prompt should be a text"),
        "part": ({"prompt": ["a", 5]}, "its item 1 is 5"),
        "conversation": ({"conversation": 5}, "conversation should be a text"),
    }
    options, said = more[name] if name in more else ({name: RUN[name][0]}, RUN[name][1])
    agent = Script(("never asked",)).agent()
    asked: dict[str, Any] = {"prompt": "hi", **options}
    with pytest.raises(ph.ConfigError, match=said):
        agent.run_sync(**asked)
    with pytest.raises(ph.ConfigError, match=said):
        agent.stream(**asked)


@pytest.mark.parametrize("name", RUN)
def test_turns_and_runs_side_by_side_say_it_as_well(name: str) -> None:
    value, said = RUN[name]
    script = Script(("never asked",))
    agent = script.agent()
    with pytest.raises(ph.ConfigError, match=said), agent.session() as session:
        session.run_sync("hi", **{name: value})  # type: ignore[arg-type]
    with pytest.raises(ph.ConfigError, match=said):
        asyncio.run(ph.fan_out(agent, ["hi"], **{name: value}))  # type: ignore[call-overload]
    if name != "settings":
        with pytest.raises(ph.ConfigError, match=said):
            agent.resume_sync(ph.Tape(), **{name: value})  # type: ignore[arg-type]
    assert not script.requests


def test_one_text_is_no_list_of_prompts_and_true_no_decision_for_a_session() -> None:
    agent = Script().agent()
    with pytest.raises(ph.ConfigError, match="prompts should be a list"):
        asyncio.run(ph.fan_out(agent, "hello"))
    with pytest.raises(ph.ConfigError, match="approvals should be a mapping"):
        agent.session(approvals=True)


def test_one_of_something_stands_for_a_list_of_one() -> None:
    seen: list[ph.Event] = []

    @ph.tool
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    agent = ph.Agent(
        "compat:http://script.test/v1#m",
        fallbacks="demo",
        hooks=seen.append,  # type: ignore[arg-type]
        tools=add,  # type: ignore[arg-type]
        transport=Script(("hi",)).transport,
    )
    assert [model.name for model in agent.spec.fallbacks] == ["demo:" + agent.spec.fallbacks[0].id]
    assert [tool.name for tool in agent.spec.tools] == ["add"]
    assert agent.run_sync("hello").text == "hi"
    assert seen


def test_what_can_be_gone_through_once_is_not_used_up() -> None:
    script = Script(("hi",))
    script.agent().run_sync("and now?", messages=(each for each in [ph.user("first")]))  # type: ignore[arg-type]
    assert [message["content"] for message in script.requests[0]["messages"]] == ["first", "and now?"]
