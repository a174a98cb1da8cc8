"""The validator of conversations: it takes what was recorded with real providers, and sees each rule broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

import playhead as ph
from conftest import expected, shared_tape
from histories import BadHistory, check_body, check_history
from playhead.events import MessageEnd
from playhead.messages import Message, ReasoningPart, TextPart, ToolCallPart, ToolResultPart, system, user
from playhead.wire import WIRE_FORMATS, wire_for_path

EXAMPLE = Path(__file__).parents[1] / "examples" / "tapes" / "sum.jsonl"
RECORDED = [
    name
    for name, cassette in expected().items()
    if all(response["status"] == 200 for response in cassette["responses"])
] or ["recorded"]


def call(id: str, name: str = "add", arguments: str = '{"a": 1}') -> ToolCallPart:
    return ToolCallPart(id, name, arguments)


def asks(*calls: ToolCallPart) -> Message:
    return Message("assistant", calls)


def results(*ids: str, name: str = "add") -> Message:
    return Message("tool", tuple(ToolResultPart(id, name, "1") for id in ids))


def says(text: str) -> Message:
    return Message("assistant", (TextPart(text),))


HI = user("hi")
TWO = asks(call("c1"), call("c2"))
WHOLE = (system("Be kind."), HI, TWO, results("c1", "c2"), says("Done."), user("And now?"))


def conversation(tape: ph.Tape) -> tuple[Message, ...]:
    """What was said in a recording, its last answer included."""
    last = tape.interactions[-1]
    path = urlsplit(last.request.url).path
    wire = wire_for_path(path)
    assert wire is not None
    decoder = wire.Decoder(None)
    end = [*decoder.feed(last.body), *decoder.close()][-1]
    assert isinstance(end, MessageEnd)
    return (*wire.decode_request(last.request.body, path, None).messages, end.response.message)


@pytest.mark.parametrize("name", RECORDED, ids=lambda name: name.removesuffix(".yaml"))
def test_what_was_recorded_with_a_real_provider_is_good(name: str) -> None:
    messages = conversation(ph.load_tape(shared_tape(name)))
    if messages[-1].tool_calls:  # The recording ends where a tool would have run.
        made = tuple(ToolResultPart(it.id, it.name, "1") for it in messages[-1].tool_calls)
        messages = (*messages, Message("tool", made))
    check_history(messages)


def test_the_conversation_of_the_shipped_example_is_good() -> None:
    check_history(conversation(ph.load_tape(EXAMPLE)))


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param(WHOLE, id="whole"),
        pytest.param(WHOLE[:4], id="ends_with_results"),
        pytest.param(WHOLE[:5], id="ends_with_an_answer"),
        pytest.param((HI, user("are you there?")), id="user_twice_after_a_cancelled_answer"),
        pytest.param((HI, TWO, results("c1", "c2"), user("stop")), id="user_after_results"),
        pytest.param((HI, asks(call("c1", arguments="")), results("c1")), id="no_arguments"),
        pytest.param((HI, Message("assistant", (ReasoningPart("hm"), TextPart("a")))), id="reasoning_with_text"),
    ],
)
def test_a_history_that_providers_accept_is_good(messages: tuple[Message, ...]) -> None:
    check_history(messages)


BROKEN: dict[str, tuple[str, tuple[Message, ...]]] = {
    "no_messages": ("there are no messages", ()),
    "system_only": ("nobody says anything", (system("x"),)),
    "system_in_the_middle": ("behind the first turn", (HI, system("x"), user("y"))),
    "assistant_first": ("first turn is the assistant's", (says("a"), HI)),
    "assistant_twice": ("twice in a row", (HI, says("a"), says("b"))),
    "results_after_text": ("calls no tool", (HI, says("a"), results("c1"))),
    "results_twice": ("calls no tool", (HI, asks(call("c1")), results("c1"), results("c1"))),
    "empty_user": ("user message is empty", (user(""),)),
    "result_in_user_message": ("holds a ToolResultPart", (Message("user", (ToolResultPart("c", "add"),)),)),
    "dangling_call": ("ends with calls", (HI, TWO)),
    "call_then_user": ("followed by the user", (HI, TWO, user("y"))),
    "missing_result": ("'c2' has no result", (HI, TWO, results("c1"))),
    "unknown_result": ("which nobody called", (HI, TWO, results("c1", "c2", "c3"))),
    "result_given_twice": ("more than one result", (HI, TWO, results("c1", "c2", "c2"))),
    "results_out_of_order": ("not in the order", (HI, TWO, results("c2", "c1"))),
    "results_of_another_tool": ("name other tools", (HI, TWO, results("c1", "c2", name="sub"))),
    "id_used_twice_at_once": ("used before", (HI, asks(call("c1"), call("c1")), results("c1"))),
    "id_used_again_later": (
        "used before",
        (HI, asks(call("c1")), results("c1"), asks(call("c1")), results("c1")),
    ),
    "no_id": ("has no id", (HI, asks(call("")), results(""))),
    "no_name": ("has no name", (HI, asks(call("c1", "")), results("c1"))),
    "broken_arguments": ("no JSON object", (HI, asks(call("c1", arguments='{"a":')), results("c1"))),
    "arguments_are_a_list": ("no JSON object", (HI, asks(call("c1", arguments="[1]")), results("c1"))),
    "media_that_a_format_cannot_say": (
        "it cannot be said",
        (Message("user", (ph.MediaPart("application/x-odd", data=b"x"),)),),
    ),
}


@pytest.mark.parametrize("parts", [(), (TextPart(""),), (TextPart(" \n"),), (ReasoningPart("hm"),)])
def test_an_answer_that_says_nothing_is_in_nobodys_way(parts: tuple[Any, ...]) -> None:
    check_history((HI, Message("assistant", parts), HI))


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_rule_is_seen_and_named(rule: str) -> None:
    words, messages = BROKEN[rule]
    with pytest.raises(BadHistory, match=words):
        check_history(messages)


# What the messages' own rules let through by mistake, or an encoder turned around, is seen in the bodies.

_USE = {"type": "tool_use", "id": "c1", "name": "add", "input": {}}
_RESULT = {"type": "tool_result", "tool_use_id": "c1", "content": "1"}
_TEXT = {"type": "text", "text": "hi"}
_CHAT_CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
_CONVERSE_USE = {"toolUse": {"toolUseId": "c1", "name": "add", "input": {}}}
_CONVERSE_RESULT = {"toolResult": {"toolUseId": "c1", "content": [{"text": "1"}]}}


def turns(*pairs: tuple[str, Any], key: str = "content", under: str = "messages") -> dict[str, Any]:
    return {under: [{"role": role, key: content} for role, content in pairs], "toolConfig": {"tools": [{}]}}


def contents(*pairs: tuple[str, Any]) -> dict[str, Any]:
    return turns(*pairs, key="parts", under="contents")


_HI_CHAT = {"role": "user", "content": "hi"}
_CALLS_CHAT = {"role": "assistant", "content": None, "tool_calls": [_CHAT_CALL]}
_TOOL_CHAT = {"role": "tool", "tool_call_id": "c1", "content": "1"}
_ITEM_CALL = {"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{}"}
_ITEM_RESULT = {"type": "function_call_output", "call_id": "c1", "output": "1"}
_G_CALL = {"functionCall": {"name": "add", "args": {}}}
_G_RESULT = {"functionResponse": {"name": "add", "response": {}}}

BODIES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "anthropic_assistant_twice": (
        *("anthropic", "twice in a row"),
        turns(("user", [_TEXT]), ("assistant", [_TEXT]), ("assistant", [_TEXT]), ("user", [_TEXT])),
    ),
    "anthropic_begins_with_the_assistant": ("anthropic", "first turn", turns(("assistant", [_TEXT]))),
    "anthropic_ends_with_the_assistant": ("anthropic", "last turn", turns(("user", [_TEXT]), ("assistant", [_USE]))),
    "anthropic_text_before_results": (
        *("anthropic", "behind others"),
        turns(("user", [_TEXT]), ("assistant", [_USE]), ("user", [_TEXT, _RESULT])),
    ),
    "anthropic_result_of_nothing": ("anthropic", "followed by", turns(("user", [_RESULT]))),
    "anthropic_result_missing": (
        *("anthropic", "followed by"),
        turns(("user", [_TEXT]), ("assistant", [_USE]), ("user", [_TEXT])),
    ),
    "anthropic_id_with_a_colon": (
        *("anthropic", "refused"),
        turns(("user", [_TEXT]), ("assistant", [_USE | {"id": "a:0"}]), ("user", [_TEXT])),
    ),
    "anthropic_input_is_text": (
        *("anthropic", "no object"),
        turns(("user", [_TEXT]), ("assistant", [_USE | {"input": "{}"}]), ("user", [_RESULT])),
    ),
    "bedrock_empty_text": ("bedrock", "text is empty", turns(("user", [{"type": "text", "text": " "}]))),
    "chat_result_after_another_message": (
        *("openai_chat", "should be"),
        {"messages": [_HI_CHAT, _CALLS_CHAT, _HI_CHAT, _TOOL_CHAT]},
    ),
    "chat_result_of_nothing": ("openai_chat", "not waited for", {"messages": [_HI_CHAT, _TOOL_CHAT]}),
    "chat_no_result": ("openai_chat", "have no results", {"messages": [_HI_CHAT, _CALLS_CHAT]}),
    "chat_empty": ("openai_chat", "is empty", {"messages": [_HI_CHAT, {"role": "assistant", "content": ""}]}),
    "chat_empty_arguments": (
        *("openai_chat", "no JSON object"),
        {
            "messages": [
                _HI_CHAT,
                _CALLS_CHAT | {"tool_calls": [_CHAT_CALL | {"function": {"name": "add", "arguments": ""}}]},
                _TOOL_CHAT,
            ]
        },
    ),
    "chat_assistant_twice": (
        *("openai_chat", "twice in a row"),
        {"messages": [_HI_CHAT, *[{"role": "assistant", "content": "a"}] * 2]},
    ),
    "responses_no_result": ("openai_responses", "have no results", {"input": [_HI_CHAT, _ITEM_CALL]}),
    "responses_result_of_nothing": ("openai_responses", "nobody called", {"input": [_HI_CHAT, _ITEM_RESULT]}),
    "responses_user_before_the_result": (
        *("openai_responses", "should be"),
        {"input": [_HI_CHAT, _ITEM_CALL, _HI_CHAT, _ITEM_RESULT]},
    ),
    "responses_long_id": (
        *("openai_responses", "refused"),
        {"input": [_HI_CHAT, _ITEM_CALL | {"call_id": "c" * 65}]},
    ),
    "gemini_fewer_results_than_calls": (
        *("gemini", "followed by"),
        contents(("user", [{"text": "hi"}]), ("model", [_G_CALL, _G_CALL]), ("user", [_G_RESULT])),
    ),
    "gemini_result_later": (
        *("gemini", "followed by"),
        contents(("user", [{"text": "hi"}]), ("model", [_G_CALL]), ("user", [{"text": "x"}]), ("user", [_G_RESULT])),
    ),
    "gemini_empty_turn": ("gemini", "is empty", contents(("user", []))),
    "converse_user_twice": (
        *("bedrock_converse", "twice in a row"),
        turns(("user", [{"text": "hi"}]), ("user", [{"text": "hi"}])),
    ),
    "converse_fewer_results_than_calls": (
        *("bedrock_converse", "followed by"),
        turns(("user", [{"text": "hi"}]), ("assistant", [_CONVERSE_USE]), ("user", [{"text": "x"}])),
    ),
    "converse_no_tools": (
        *("bedrock_converse", "no tools"),
        turns(("user", [{"text": "hi"}]), ("assistant", [_CONVERSE_USE]), ("user", [_CONVERSE_RESULT]))
        | {"toolConfig": None},
    ),
}


@pytest.mark.parametrize("case", BODIES)
def test_a_body_that_a_vendor_refuses_is_seen(case: str) -> None:
    wire, words, body = BODIES[case]
    with pytest.raises(BadHistory, match=f"{wire}: .*{words}"):
        check_body(wire, body)


def test_every_wire_format_has_a_body_that_is_refused() -> None:
    assert {wire for wire, _, _ in BODIES.values()} == set(WIRE_FORMATS)


def test_messages_are_looked_at_and_not_changed() -> None:
    before = msgspec.json.encode(WHOLE)
    check_history(WHOLE)
    assert msgspec.json.encode(WHOLE) == before
