"""The Responses format's requests, read: what somebody else's client asks for."""

from __future__ import annotations

from typing import Any, cast

from ...errors import DecodeError, TruncatedStream
from ...messages import (
    ModelRequest,
    ProviderTool,
    Settings,
    ToolSpec,
)
from .._decoder import object_of
from .._json import JSONObject, loads, obj, text
from .._settings import EFFORTS, TOOL_CHOICES
from ._conversation import Conversation, wrong
from ._items import (
    CLIENT_TOOLS,
    HOSTED_TOOLS,
    runs_in_container,
)
from ._request import LOGPROBS, include

_STATE = {
    "previous_response_id": "send the whole conversation as `input`",
    "conversation": "send the whole conversation as `input`",
}
_PLAIN: dict[str, tuple[str, tuple[type, ...], str]] = {
    "max_output_tokens": ("max_tokens", (int,), "a whole number"),
    "temperature": ("temperature", (int, float), "a number"),
    "top_p": ("top_p", (int, float), "a number"),
    "parallel_tool_calls": ("parallel_tool_calls", (bool,), "true or false"),
    "service_tier": ("service_tier", (str,), "a string"),
    "user": ("user", (str,), "a string"),
}
"""Fields that are settings: what these are called, and what they should be."""

_READ = frozenset({"model", "input", "instructions", "stream", "tools", "tool_choice", *_PLAIN, *_STATE})
_READ_APART = frozenset({"store", "text", "reasoning", "include", "top_logprobs"}) | {
    "prompt_cache_key",
    "prompt_cache_retention",
}
_CUSTOM_SCHEMA: JSONObject = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}


def decode_request(body: bytes, path: str = "", origin: str | None = None) -> ModelRequest:  # noqa: ARG001
    """What the body of a request asks for.

    What has no place in a `ModelRequest` stands in `settings["extra_body"]`, under its own name.

    Args:
        path: the URL's path, which says nothing here.
        origin: noted on opaque data: who issued what the client sends back.

    Raises:
        DecodeError: a field is missing or of a wrong kind, or the request goes on with a conversation that only
            OpenAI has.
    """
    try:
        fields = object_of(loads(body, "the request"), body, "the request")
    except TruncatedStream as error:  # It is whole; there will be no more of it.
        raise DecodeError(str(error)) from error
    for name, advice in _STATE.items():
        if fields.get(name) is not None:
            raise DecodeError(f"`{name}` names a conversation that is not kept here: {advice}")
    model = fields.get("model")
    if not isinstance(model, str) or not model:
        raise wrong("model", "the model's name", model)
    stream = fields.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise wrong("stream", "true or false", stream)
    messages = Conversation(model, origin)
    messages.instructions(fields.get("instructions"))
    messages.input(fields.get("input"))
    tools, hosted = _tools(fields.get("tools"))
    settings = _settings(fields, bool(tools or hosted))
    return ModelRequest(model, messages.done(), tools, settings, bool(stream), hosted)


def _tools(value: object) -> tuple[tuple[ToolSpec, ...], tuple[ProviderTool, ...]]:
    if value is None:
        return (), ()
    if not isinstance(value, list):
        raise wrong("tools", "a list", value)
    tools: list[ToolSpec] = []
    hosted: list[ProviderTool] = []
    for n, given in enumerate(cast("list[object]", value)):
        kind = obj(given).get("type")
        if not isinstance(kind, str):
            raise wrong(f"tools[{n}]", "an object with a `type`", given)
        tool = obj(given)
        if kind in ("function", "custom"):
            tools.append(_function(n, kind, tool))
        elif kind in CLIENT_TOOLS and not runs_in_container(tool):
            tools.append(ToolSpec(CLIENT_TOOLS[kind], "", {"type": "object"}, raw=tool))
        else:
            hosted.append(_hosted(kind, tool))
    return tuple(tools), tuple(hosted)


def _function(n: int, kind: str, tool: JSONObject) -> ToolSpec:
    name, description, strict = tool.get("name"), tool.get("description"), tool.get("strict")
    parameters: object = _CUSTOM_SCHEMA if kind == "custom" else tool.get("parameters")
    if not isinstance(name, str) or not name:
        raise wrong(f"tools[{n}].name", "the tool's name", name)
    if parameters is not None and not isinstance(parameters, dict):
        raise wrong(f"tools[{n}].parameters", "a JSON schema", parameters)
    natural = tool.keys() <= {"type", "name", "description", "strict", "parameters"} and parameters is not None
    raw = None if natural and kind == "function" else tool
    schema = obj(cast("object", parameters))
    return ToolSpec(name, text(description), schema, True if strict is True else None, raw=raw)


def _hosted(kind: str, tool: JSONObject) -> ProviderTool:
    for name, usual in HOSTED_TOOLS.items():
        if usual["type"] == kind and tool.keys() >= usual.keys():
            return ProviderTool(name, {key: value for key, value in tool.items() if usual.get(key) != value})
    return ProviderTool(text(tool.get("server_label")) or kind, raw=tool)


def _settings(fields: JSONObject, tools: bool) -> Settings:
    found: JSONObject = {}
    known = _READ | _READ_APART
    extra = {name: value for name, value in fields.items() if name not in known and value is not None}
    for name, (setting, kinds, wanted) in _PLAIN.items():
        value = fields.get(name)
        if value is not None and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
            raise wrong(name, wanted, value)
        found[setting] = value
    found["tool_choice"] = _choice(fields.get("tool_choice"), tools)
    found["response_format"] = _format(fields.get("text"), extra)
    found["reasoning"] = _reasoning(fields.get("reasoning"), extra)
    found["cache"] = _cache(fields, extra)
    found["logprobs"] = _logprobs(fields, extra)
    if fields.get("store") is True:
        extra["store"] = True
    settings = cast("Settings", {name: value for name, value in found.items() if value is not None})
    _include(fields.get("include"), settings, extra)
    if extra:
        settings["extra_body"] = extra
    return settings


def _choice(value: object, tools: bool) -> str | JSONObject | None:
    match value:
        case None:
            return None
        case str():
            return None if tools and value == "auto" else value
        case dict():
            choice = obj(value)  # pyright: ignore[reportUnknownArgumentType]
            name = text(choice.get("name"))
            named = choice == {"type": "function", "name": name} and name not in (*TOOL_CHOICES, "")
            return name if named else choice
        case _:
            raise wrong("tool_choice", "a string or an object", value)


def _format(value: object, extra: JSONObject) -> JSONObject | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise wrong("text", "an object", value)
    said = obj(value)  # pyright: ignore[reportUnknownArgumentType]
    given = obj(said.get("format"))
    if said.keys() - {"format"} or not given:
        extra["text"] = said
    known = {"type", "name", "schema", "strict", "description"}
    match given.get("type"):
        case "json_schema" if isinstance(given.get("schema"), dict) and given.keys() <= known:
            schema = {key: item for key, item in given.items() if key != "type" and item is not None}
            return {"type": "json_schema", "json_schema": schema}
        case "json_object" | "text" as kind:
            return {"type": kind}
        case None:
            return None
        case _:
            extra["text"] = said
            return None


def _reasoning(value: object, extra: JSONObject) -> Any:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise wrong("reasoning", "an object", value)
    said = {
        key: item
        for key, item in obj(value).items()  # pyright: ignore[reportUnknownArgumentType]
        if item is not None
    }
    effort, summary = said.get("effort"), said.get("summary")
    whole = said.keys() <= {"effort", "summary"} and effort in (*EFFORTS, None)
    if not whole or (summary is not None and not isinstance(summary, str)):
        extra["reasoning"] = said
        said = {"effort": effort} if effort in EFFORTS else {}
    if said.keys() == {"effort"}:
        return effort
    return said or None


def _cache(fields: JSONObject, extra: JSONObject) -> JSONObject | None:
    key, kept = fields.get("prompt_cache_key"), fields.get("prompt_cache_retention")
    if key is not None and not isinstance(key, str):
        raise wrong("prompt_cache_key", "a string", key)
    if kept is not None and kept != "24h":
        extra["prompt_cache_retention"] = kept
    return ({"key": key} if key else {}) | ({"ttl": "24h"} if kept == "24h" else {}) or None


def _logprobs(fields: JSONObject, extra: JSONObject) -> int | None:
    """Some servers are told the number, some only to include them; both together are natural here."""
    number, asked = fields.get("top_logprobs"), fields.get("include")
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int):
        raise wrong("top_logprobs", "a whole number", number)
    if not isinstance(asked, list) or LOGPROBS not in asked:
        extra["top_logprobs"] = number
        return None
    return number


def _include(value: object, settings: Settings, extra: JSONObject) -> None:
    if value is None:
        return
    if not isinstance(value, list):
        raise wrong("include", "a list", value)
    asked = cast("list[object]", value)
    natural = include(settings, logprobs="logprobs" in settings, stored=extra.get("store") is True)
    if asked != natural:
        extra["include"] = asked
