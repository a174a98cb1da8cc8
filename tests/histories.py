"""A strict validator of conversations: what passes is accepted by every provider that there is a wire format for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from playhead.errors import EncodeError
from playhead.messages import (
    MediaPart,
    Message,
    ModelRequest,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
    user,
)
from playhead.wire import WIRE_FORMATS, Dialect, wire_format

JSON = dict[str, Any]
_OF_ROLE: dict[str, tuple[type, ...]] = {
    "system": (TextPart,),
    "user": (TextPart, MediaPart),
    "tool": (ToolResultPart,),
}


class BadHistory(AssertionError):
    """A conversation that a provider would refuse."""


def check_history(messages: Sequence[Message]) -> None:
    """Nothing, if every provider accepts a request with these messages, and one in which the user says more.

    Raises:
        BadHistory: the first rule that is broken, and where.
    """
    messages = tuple(messages)
    _check_order(messages)
    _check_parts(messages)
    _check_calls(messages)
    longer = (*messages, user("Go on."))
    asked = (longer,) if messages[-1].role == "assistant" else (messages, longer)
    for conversation in asked:
        for wire in WIRE_FORMATS:
            check_body(wire, _body(wire, conversation))


def check_body(wire: str, body: JSON) -> None:
    """Nothing, if the turns of a request are in the form that the vendor of this wire format wants.

    Raises:
        BadHistory: they are not.
    """
    try:
        _BODIES[wire](body)
    except BadHistory as error:
        raise BadHistory(f"{wire}: {error}") from None


def _require(holds: object, what: str) -> None:
    if not holds:
        raise BadHistory(what)


# The messages


def _check_order(messages: Sequence[Message]) -> None:
    _require(messages, "there are no messages")
    talk = [n for n, message in enumerate(messages) if message.role != "system"]
    _require(talk, "nobody says anything besides the system")
    first = talk[0]
    for n, message in enumerate(messages):
        _require(message.role != "system" or n < first, f"message {n}: a system message stands behind the first turn")
    _require(messages[first].role == "user", f"message {first}: the first turn is the {messages[first].role}'s")
    for n in range(first + 1, len(messages)):
        before, role = messages[n - 1], messages[n].role
        if role == "assistant":
            _require(before.role != "assistant", f"message {n}: the assistant speaks twice in a row")
        if role == "tool":
            _require(before.tool_calls, f"message {n}: tool results follow a message that calls no tool")


def _check_parts(messages: Sequence[Message]) -> None:
    for n, message in enumerate(messages):
        for part in message.parts:
            kinds = _OF_ROLE.get(message.role)
            fits = kinds is None or isinstance(part, kinds)
            _require(fits, f"message {n}: a {message.role} message holds a {type(part).__name__}")
        # An answer that says nothing is sent to nobody: the bodies are looked at for that.
        says = message.role == "assistant" or any(_says(part) for part in message.parts)
        _require(says, f"message {n}: the {message.role} message is empty")


def _says(part: object) -> bool:
    """Whether a part is something. Reasoning alone is not: most providers are not sent it."""
    if isinstance(part, TextPart | RefusalPart):
        return bool(part.text.strip())
    if isinstance(part, MediaPart):
        return bool(part.data or part.url or part.file_id)
    return isinstance(part, ToolCallPart | ToolResultPart)


def _check_calls(messages: Sequence[Message]) -> None:
    seen: set[str] = set()
    for n, message in enumerate(messages):
        for call in message.tool_calls:
            _require(call.id, f"message {n}: a call of {call.name!r} has no id")
            _require(call.id not in seen, f"message {n}: the id {call.id!r} was used before")
            _require(call.name, f"message {n}: the call {call.id!r} has no name")
            _require(_is_object(call.arguments), f"message {n}: arguments of {call.id!r} are no JSON object")
            seen.add(call.id)
        follows = messages[n + 1] if n + 1 < len(messages) else None
        if calls := message.tool_calls:
            _require(follows is not None, f"message {n}: the conversation ends with calls that have no results")
            assert follows is not None
            _require(follows.role == "tool", f"message {n}: its calls are followed by the {follows.role}")
            _check_results(n + 1, [call.id for call in calls], [call.name for call in calls], follows)


def _check_results(n: int, ids: list[str], names: list[str], message: Message) -> None:
    results = [part for part in message.parts if isinstance(part, ToolResultPart)]
    found = [part.call_id for part in results]
    for id in ids:
        _require(id in found, f"message {n}: the call {id!r} has no result")
    for id in found:
        _require(id in ids, f"message {n}: a result for {id!r}, which nobody called")
        _require(found.count(id) == 1, f"message {n}: the call {id!r} has more than one result")
    _require(found == ids, f"message {n}: the results are not in the order of the calls")
    _require([part.name for part in results] == names, f"message {n}: the results name other tools than the calls")


def _is_object(arguments: object) -> bool:
    """Whether arguments are a JSON object, or none at all."""
    if arguments == "":
        return True
    try:
        return isinstance(json.loads(str(arguments)), dict)
    except ValueError:
        return False


# The bodies


def _body(name: str, messages: Sequence[Message]) -> JSON:
    called = dict.fromkeys(call.name for message in messages for call in message.tool_calls)
    tools = tuple(ToolSpec(tool, "a tool", {"type": "object", "properties": {}}) for tool in called)
    asked = ModelRequest("some-model", tuple(messages), tools, {"max_tokens": 100})
    try:
        return json.loads(wire_format(name).encode_request(asked, Dialect(), None).body)
    except EncodeError as error:
        raise BadHistory(f"{name}: it cannot be said: {error}") from error


def _check_turns(roles: Sequence[str], assistant: str, *, strict: bool = False) -> None:
    _require(roles, "there are no turns")
    _require(roles[0] == "user", f"the first turn is the {roles[0]}'s")
    _require(roles[-1] == "user", f"the last turn is the {roles[-1]}'s")
    for n, (role, following) in enumerate(pairwise(roles), 1):
        _require({role, following} <= {"user", assistant}, f"turn {n}: there is no role {following!r}")
        twice = role == following and (strict or role == assistant)
        _require(not twice, f"turn {n}: the {role} speaks twice in a row")


def _check_pairs(turn: int, called: list[Any], answered: list[Any]) -> None:
    """The results in the turn after calls: one for each, and no other."""
    _require(len(set(map(str, called))) == len(called), f"turn {turn}: two calls have the same id")
    same = sorted(map(str, called)) == sorted(map(str, answered))
    _require(same, f"turn {turn}: the calls {called} are followed by the results {answered}")


def _anthropic(body: JSON) -> None:
    """https://docs.claude.com/en/docs/agents-and-tools/tool-use/implement-tool-use"""
    turns = body["messages"]
    _check_turns([turn["role"] for turn in turns], "assistant")
    called: list[str] = []
    for n, turn in enumerate(turns):
        content = (
            turn["content"] if isinstance(turn["content"], list) else [{"type": "text", "text": turn["content"]}]
        )
        _require(content, f"turn {n}: it is empty")
        kinds = [block["type"] for block in content]
        for block in content:
            _require(block["type"] != "text" or block["text"].strip(), f"turn {n}: a text is empty")
        answered = [block["tool_use_id"] for block in content if block["type"] == "tool_result"]
        _check_pairs(n, called, answered)
        _require(kinds[: len(answered)] == ["tool_result"] * len(answered), f"turn {n}: results stand behind others")
        uses = [block for block in content if block["type"] == "tool_use"]
        for block in uses:
            _require(re.fullmatch(r"[a-zA-Z0-9_-]+", block["id"]), f"turn {n}: the id {block['id']!r} is refused")
            _require(isinstance(block["input"], dict), f"turn {n}: the input of a call is no object")
        called = [block["id"] for block in uses]
    _require(not called, "the last calls have no results")


def _openai_chat(body: JSON) -> None:
    """https://platform.openai.com/docs/guides/function-calling"""
    waiting: list[str] = []
    roles: list[str] = []
    for n, message in enumerate(body["messages"]):
        role = message["role"]
        if role == "tool":
            id = message["tool_call_id"]
            _require(id in waiting, f"message {n}: a result for {id!r}, which is not waited for")
            waiting.remove(id)
            continue
        _require(not waiting, f"message {n}: it stands where the results of {waiting} should be")
        calls = message.get("tool_calls") or []
        _require(message.get("content") or calls or message.get("refusal"), f"message {n}: it is empty")
        for call in calls:
            _require(_is_object(call["function"]["arguments"] or "-"), f"message {n}: arguments are no JSON object")
        waiting = [call["id"] for call in calls]
        _require(len(set(waiting)) == len(waiting), f"message {n}: two calls have the same id")
        roles += [role] if role not in ("system", "developer") else []
    _require(not waiting, f"the calls {waiting} have no results")
    _require(roles and roles[0] == "user", "the first message besides the system's is not the user's")
    twice = ("assistant", "assistant") in pairwise(message["role"] for message in body["messages"])
    _require(not twice, "the assistant speaks twice in a row")


def _openai_responses(body: JSON) -> None:
    """https://platform.openai.com/docs/api-reference/responses/create"""
    waiting: list[str] = []
    answering = False
    for n, item in enumerate(body["input"]):
        kind = item.get("type", "message")
        if kind == "function_call":
            _require(not answering or not waiting, f"item {n}: a call stands between results")
            _require(item["call_id"] not in waiting, f"item {n}: two calls have the same id")
            _require(0 < len(item["call_id"]) <= 64, f"item {n}: the id of the call is refused")
            _require(_is_object(item["arguments"] or "-"), f"item {n}: arguments are no JSON object")
            waiting.append(item["call_id"])
            answering = False
        elif kind == "function_call_output":
            _require(item["call_id"] in waiting, f"item {n}: a result for {item['call_id']!r}, which nobody called")
            waiting.remove(item["call_id"])
            answering = True
        elif item.get("role") in ("user", "system", "developer"):
            _require(not waiting, f"item {n}: it stands where the results of {waiting} should be")
            _require(item.get("content"), f"item {n}: it is empty")
    _require(not waiting, f"the calls {waiting} have no results")


def _gemini(body: JSON) -> None:
    """https://ai.google.dev/gemini-api/docs/function-calling"""
    turns = body["contents"]
    _check_turns([turn["role"] for turn in turns], "model")
    called: list[str] = []
    for n, turn in enumerate(turns):
        _require(turn["parts"], f"turn {n}: it is empty")
        answered = [part["functionResponse"]["name"] for part in turn["parts"] if "functionResponse" in part]
        _require(answered == called, f"turn {n}: the calls of {called} are followed by the results of {answered}")
        calls = [part["functionCall"] for part in turn["parts"] if "functionCall" in part]
        for call in calls:
            _require(isinstance(call.get("args", {}), dict), f"turn {n}: the arguments of a call are no object")
        called = [call["name"] for call in calls]
    _require(not called, "the last calls have no results")


def _bedrock_converse(body: JSON) -> None:
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html"""
    turns = body["messages"]
    _check_turns([turn["role"] for turn in turns], "assistant", strict=True)
    called: list[str] = []
    for n, turn in enumerate(turns):
        _require(turn["content"], f"turn {n}: it is empty")
        for block in turn["content"]:
            _require(block.get("text", "-").strip(), f"turn {n}: a text is empty")
        answered = [block["toolResult"]["toolUseId"] for block in turn["content"] if "toolResult" in block]
        _check_pairs(n, called, answered)
        uses = [block["toolUse"] for block in turn["content"] if "toolUse" in block]
        for use in uses:
            _require(isinstance(use["input"], dict), f"turn {n}: the input of a call is no object")
            _require(body.get("toolConfig"), f"turn {n}: there are calls, and no tools")
        called = [use["toolUseId"] for use in uses]
    _require(not called, "the last calls have no results")


_BODIES: dict[str, Callable[[JSON], None]] = {
    "openai_chat": _openai_chat,
    "openai_responses": _openai_responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "bedrock": _anthropic,
    "bedrock_converse": _bedrock_converse,
}
