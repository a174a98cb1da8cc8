"""Requests in chat completions, as their clients write them, read back: the other half of `encode_request`."""

from __future__ import annotations

from typing import Any, cast

from ...errors import DecodeError, TruncatedStream
from ...messages import Cache, ModelRequest, ProviderTool, Settings, ToolSpec
from .._decoder import object_of
from .._json import JSONObject, loads, obj, objs, text
from .._settings import EFFORTS
from ._fields import Fields, shown
from ._reader import MessageReader, cache_of

_NUMBERS = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
_WHOLE_NUMBERS = ("seed", "top_k")
_TEXTS = ("service_tier", "user")

_TEMPLATES = ({"enable_thinking": True}, {"enable_thinking": False})
_FORMATS = ("text", "json_object", "json_schema")
_NO_ARGUMENTS: JSONObject = {"type": "object", "properties": {}}


def decode_request(body: bytes, path: str = "", origin: str | None = None) -> ModelRequest:  # noqa: ARG001
    """What a request asks for. Fields that Playhead has no word for go into the setting `extra_body`.

    Left out are `stream_options` and `usage` where they ask for usage, which is always given, and an `n` of 1.

    Args:
        path: the URL's; this format does not need it.
        origin: who issued the opaque data in the history; None where that is not known.

    Raises:
        DecodeError: a field is missing, or is something else than it should be.
    """
    try:
        fields = Fields(object_of(loads(body, "the request"), body, "the request"))
    except TruncatedStream as error:  # It is whole; there will be no more of it.
        raise DecodeError(str(error)) from error
    model, stream = fields.string("model"), fields.boolean("stream") or False
    if model is None:
        raise DecodeError("the request should name a `model`")
    messages = fields.take("messages")
    if not isinstance(messages, list):
        raise DecodeError(f"`messages` should be a list, but is {shown(messages)}")
    if (answers := fields.whole_number("n")) not in (None, 1):
        raise DecodeError(f"`n` should be 1, since one answer is given, but is {answers}")
    settings: JSONObject = {}
    tools, provider_tools = _tools(fields, settings)
    for name in _NUMBERS:
        _put(settings, name, fields.number(name))
    for name in _WHOLE_NUMBERS:
        _put(settings, name, fields.whole_number(name))
    for name in _TEXTS:
        _put(settings, name, fields.string(name))
    _put(settings, "stop", fields.strings("stop"))
    _put(settings, "max_tokens", _limit(fields))
    _put(settings, "reasoning", _reasoning(fields))
    _put(settings, "cache", _cache(fields))
    _put(settings, "response_format", fields.take_if("response_format", lambda it: obj(it).get("type") in _FORMATS))
    if fields.take_if("logprobs", lambda it: it is True):
        settings["logprobs"] = fields.whole_number("top_logprobs") or 0
    fields.take_if("logprobs", lambda it: it is False)
    fields.take_if("stream_options", lambda it: it == {"include_usage": True})
    fields.take_if("usage", lambda it: it == {"include": True})
    if rest := fields.rest():
        settings["extra_body"] = rest
    reader = MessageReader(origin)
    for n, message in enumerate(cast("list[object]", messages)):
        reader.read(message, f"messages[{n}]")
    return ModelRequest(model, reader.messages, tools, cast("Settings", settings), stream, provider_tools)


def _put(settings: JSONObject, name: str, value: object) -> None:
    if value is not None:
        settings[name] = value


def _limit(fields: Fields) -> int | None:
    new, old = fields.whole_number("max_completion_tokens"), fields.whole_number("max_tokens")
    return old if new is None else new


def _cache(fields: Fields) -> Cache | None:
    cache: Cache = {}
    if key := fields.string("prompt_cache_key"):
        cache["key"] = key
    if fields.take_if("prompt_cache_retention", lambda it: it == "24h"):
        cache["ttl"] = "24h"
    return cache or None


def _reasoning(fields: Fields) -> Any:
    """How much to think, in whichever way it is said; the first that is understood counts, and others are kept."""
    given = fields.take_if("reasoning", lambda it: _reasoning_of(it) is not None)
    if given is not None:
        return _reasoning_of(given)
    if effort := fields.take_if("reasoning_effort", lambda it: it in EFFORTS):
        return effort
    kinds = {"enabled": True, "disabled": False}
    if thought := fields.take_if("thinking", lambda it: obj(it).keys() == {"type"} and text(it["type"]) in kinds):
        return kinds[thought["type"]]
    if (switch := fields.take_if("enable_thinking", lambda it: isinstance(it, bool))) is not None:
        return switch
    template = fields.take_if("chat_template_kwargs", lambda it: it in _TEMPLATES)
    return None if template is None else template["enable_thinking"] is True


def _reasoning_of(value: object) -> Any:
    """OpenRouter's object as the setting; None where it says more than that."""
    said = {key: item for key, item in obj(value).items() if item is not None}
    if said.get("exclude") is False:
        del said["exclude"]
    match said:
        case {"enabled": bool(switch), **rest} if not rest:
            return switch
        case {"effort": str(effort), **rest} if not rest and effort in EFFORTS:
            return effort
        case {"max_tokens": int(budget), **rest} if not rest and not isinstance(budget, bool) and budget >= 0:
            return budget
        case {"exclude": True, **rest}:
            if not rest:
                return {"summary": False}
            match _reasoning_of(rest):
                case str(effort):
                    return {"effort": effort, "summary": False}
                case int(budget) if not isinstance(budget, bool):
                    return {"budget_tokens": budget, "summary": False}
                case _:
                    return None
        case _:
            return None


def _tools(fields: Fields, settings: JSONObject) -> tuple[tuple[ToolSpec, ...], tuple[ProviderTool, ...]]:
    """The tools, and what is said about them. Legacy `functions` are tools, too."""
    tools: list[ToolSpec] = []
    others: list[ProviderTool] = []
    for n, tool in enumerate(fields.objects("tools")):
        if tool.get("type", "function") == "function":
            tools.append(_tool(tool, f"tools[{n}]"))
        elif tool.get("type") == "custom":
            custom = obj(tool.get("custom"))
            tools.append(ToolSpec(text(custom.get("name")), text(custom.get("description")), {}, raw=tool))
        else:
            others.append(ProviderTool(text(tool.get("type")) or "tool", raw=tool))
    for n, function in enumerate(fields.objects("functions")):
        tools.append(_tool({"type": "function", "function": function}, f"functions[{n}]"))
    search = fields.take_if("web_search_options", lambda it: isinstance(it, dict))
    if search is not None:
        others.append(ProviderTool("web_search", search))
    if plugins := fields.take_if("plugins", _is_web_search):
        others += [ProviderTool("web_search", {k: v for k, v in it.items() if k != "id"}) for it in objs(plugins)]
    legacy: object = fields.take("function_call")
    choice: object = fields.take("tool_choice")
    if isinstance(legacy, dict):
        legacy = {"type": "function", "function": cast("JSONObject", legacy)}
    _put(settings, "tool_choice", _choice(legacy if choice is None else choice))
    _put(settings, "parallel_tool_calls", fields.boolean("parallel_tool_calls"))
    return tuple(tools), tuple(others)


def _tool(tool: JSONObject, where: str) -> ToolSpec:
    function = obj(tool.get("function"))
    name, parameters = text(function.get("name")), function.get("parameters")
    if not name:
        raise DecodeError(f"`{where}.function` should have a `name`")
    schema = _NO_ARGUMENTS if parameters is None else parameters
    if not isinstance(schema, dict):
        raise DecodeError(f"`{where}.function.parameters` should be a JSON schema, but is {shown(parameters)}")
    cache = cache_of(tool)
    known = tool.keys() <= {"type", "function"} | ({"cache_control"} if cache else set())
    plain = known and function.keys() <= {"name", "description", "parameters", "strict"}
    strict = True if function.get("strict") is True else None
    description = text(function.get("description"))
    return ToolSpec(name, description, cast("JSONObject", schema), strict, cache, None if plain else tool)


def _choice(choice: object) -> str | JSONObject | None:
    """The setting `tool_choice`; `auto` goes without saying."""
    if choice is None or choice == "auto":
        return None
    if isinstance(choice, str):
        return choice
    if not isinstance(choice, dict):
        raise DecodeError(f"`tool_choice` should be a word or an object, but is {shown(choice)}")
    said = cast("JSONObject", choice)
    name = text(obj(said.get("function")).get("name"))
    return name if name and said.keys() <= {"type", "function"} else said


def _is_web_search(plugins: object) -> bool:
    entries = objs(plugins)
    return len(entries) == 1 and entries[0].get("id") == "web" and plugins == entries
