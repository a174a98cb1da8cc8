"""
Reading requests in the Anthropic format that somebody else made.

What has no neutral word goes into `extra_body`, or, where it belongs to a block, into the part's opaque data, so
that encoding the request again says it again. What goes without saying is not noted: the choice `auto`, calls that
may be parallel, `anthropic_version`.

https://docs.claude.com/en/api/messages
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from typing import Any, cast
from urllib.parse import unquote

from ...errors import DecodeError, TruncatedStream
from ...messages import Message, ModelRequest, Part, ProviderTool, Settings, TextPart, ToolResultPart, ToolSpec
from .._decoder import object_of
from .._json import JSONObject, loads, obj, text
from .._settings import TOOL_CHOICES
from ._parts import assistant_part, breakpoint_of, user_part
from ._request import PROVIDER_TOOLS
from ._thinking import decode_thinking

_IN_PATH = re.compile(
    r"/models?/([^/]+?)(?::(?:rawPredict|streamRawPredict)|/(?:invoke|invoke-with-response-stream))$"
)
_STREAMED_PATH = re.compile(r":streamRawPredict$|/invoke-with-response-stream$")
"""Where Vertex and Bedrock name the model, and whether the answer is a stream."""

_PLAIN: dict[str, type | tuple[type, ...]] = {
    "max_tokens": int,
    "temperature": (int, float),
    "top_p": (int, float),
    "top_k": int,
    "service_tier": str,
}
"""Fields that are settings under the same name, and what they hold."""

_ELSEWHERE = frozenset(
    {"model", "messages", "system", "tools", "tool_choice", "stream", "stop_sequences", "metadata", "thinking"}
    | {"output_config", "anthropic_version"}
)

_TOOL_KEYS = frozenset({"name", "description", "input_schema", "strict", "cache_control", "type"})
_SERVER_TOOLS = ("web_search_", "web_fetch_", "code_execution_", "tool_search_tool_", "mcp_toolset", "advisor_")
"""How the types of tools that Anthropic runs itself begin."""

_CHOICES = {"any": "required", "none": "none"}

_NAMES: dict[object, str] = {
    str: "a string",
    int: "a whole number",
    (int, float): "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


def decode_request(body: bytes, path: str = "", origin: str | None = None) -> ModelRequest:
    """What a request asks for.

    Args:
        body: of the request.
        path: that of the URL, which names the model for Vertex and Bedrock.
        origin: noted on opaque data.

    Raises:
        DecodeError: it is no request of this format; the sentence names the field that is wrong.
    """
    try:
        fields = object_of(loads(body, "the request"), body, "the request")
    except TruncatedStream as error:
        raise DecodeError(str(error)) from error
    path = path.partition("?")[0].rstrip("/")
    in_path = _IN_PATH.search(path)
    model = _typed(fields, "model", str) or (unquote(in_path[1]) if in_path else "")
    if not model:
        raise DecodeError("the field `model` is missing from the request")
    stream = _typed(fields, "stream", bool)
    tools, provider_tools = _tools(_typed(fields, "tools", list) or [])
    return ModelRequest(
        model,
        (*_system(fields.get("system"), origin), *_messages(fields, origin)),
        tools,
        _settings(fields, all_raw=bool(tools) and not provider_tools and all(tool.raw for tool in tools)),
        _STREAMED_PATH.search(path) is not None if stream is None else stream,
        provider_tools,
    )


def _typed(fields: JSONObject, name: str, kind: Any, where: str = "") -> Any:
    """The field, or None where it is absent or null."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise DecodeError(f"the field `{where}{name}` should be {_NAMES[kind]}, but is {_shown(value)}")
    return value


def _shown(value: object) -> str:
    if isinstance(value, str | int | float):
        return repr(value[:80] if isinstance(value, str) else value)[:80]
    return _NAMES.get(type(value), "null")


def _system(system: object, origin: str | None) -> Iterable[Message]:
    if system is None or system == "":
        return
    parts = _parts(system, "system", origin, "user", {})
    if parts:
        yield Message("system", parts)


def _messages(fields: JSONObject, origin: str | None) -> Iterable[Message]:
    messages = _typed(fields, "messages", list)
    if messages is None:
        raise DecodeError("the field `messages` is missing from the request")
    names: dict[str, str] = {}
    for n, message in enumerate(messages):
        where = f"messages[{n}]"
        if not isinstance(message, dict):
            raise DecodeError(f"the field `{where}` should be an object, but is {_shown(message)}")
        fields = obj(message)  # pyright: ignore[reportUnknownArgumentType]
        role: object = fields.get("role")
        if role not in ("user", "assistant", "system"):
            raise DecodeError(f"the field `{where}.role` should be `user` or `assistant`, but is {_shown(role)}")
        parts = _parts(fields.get("content"), f"{where}.content", origin, str(role), names)
        if role == "user":
            yield from _user(parts)
        else:
            yield Message("assistant" if role == "assistant" else "system", parts)


def _user(parts: tuple[Part, ...]) -> Iterable[Message]:
    """A turn of the user: the results of tools in it are messages of their own."""
    for results, run in groupby(parts, lambda part: isinstance(part, ToolResultPart)):
        yield Message("tool" if results else "user", tuple(run))
    if not parts:
        yield Message("user", ())


def _parts(content: object, where: str, origin: str | None, role: str, names: dict[str, str]) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (TextPart(content),)
    if not isinstance(content, list):
        raise DecodeError(f"the field `{where}` should be a string or a list of blocks, but is {_shown(content)}")
    parts: list[Part] = []
    for n, block in enumerate(cast("list[object]", content)):
        at = f"{where}[{n}]"
        if not text(obj(block).get("type")):
            raise DecodeError(f"the field `{at}` should be a block with a type, but is {_shown(block)}")
        read = assistant_part if role == "assistant" else user_part
        parts.append(read(obj(block), at, origin, names))
    return tuple(parts)


def _tools(tools: list[object]) -> tuple[tuple[ToolSpec, ...], tuple[ProviderTool, ...]]:
    specs: list[ToolSpec] = []
    theirs: list[ProviderTool] = []
    for n, item in enumerate(tools):
        tool, where = obj(item), f"tools[{n}]."
        kind = _typed(tool, "type", str, where) or "custom"
        name = _typed(tool, "name", str, where) or (kind if kind != "custom" else "")
        if not name:
            raise DecodeError(f"the field `{where}name` is missing from the request")
        if kind.startswith(_SERVER_TOOLS):
            theirs.append(_provider_tool(tool, kind, name))
        else:
            specs.append(_tool(tool, kind, name, where))
    return tuple(specs), tuple(theirs)


def _provider_tool(tool: JSONObject, kind: str, name: str) -> ProviderTool:
    if PROVIDER_TOOLS.get(name) != kind:
        return ProviderTool(name, raw=tool)
    return ProviderTool(name, {key: value for key, value in tool.items() if key not in ("type", "name")})


def _tool(tool: JSONObject, kind: str, name: str, where: str) -> ToolSpec:
    schema = _typed(tool, "input_schema", dict, where)
    description = _typed(tool, "description", str, where) or ""
    strict = _typed(tool, "strict", bool, where)
    marked = tool.get("cache_control")
    cache = breakpoint_of(marked)
    if kind != "custom" or schema is None or tool.keys() - _TOOL_KEYS or (marked is not None and cache is None):
        return ToolSpec(name, description, schema or {"type": "object"}, strict, raw=tool)
    return ToolSpec(name, description, schema, strict, cache)


def _settings(fields: JSONObject, *, all_raw: bool) -> Settings:
    settings: JSONObject = {}
    for name, kind in _PLAIN.items():
        if (value := _typed(fields, name, kind)) is not None:
            settings[name] = value
    if stops := _typed(fields, "stop_sequences", list):
        settings["stop"] = stops
    said, left = decode_thinking(fields)
    settings |= said
    if schema := _schema(fields):
        settings["response_format"] = schema
    metadata = obj(fields.get("metadata"))
    if user := text(metadata.get("user_id")):
        settings["user"] = user
    if metadata.keys() - {"user_id"} or (metadata and not user):
        left["metadata"] = metadata
    settings |= _choice(_typed(fields, "tool_choice", dict) or {}, all_raw)
    left |= {name: value for name, value in fields.items() if name not in _ELSEWHERE and name not in _PLAIN}
    if left:
        settings["extra_body"] = left
    return cast("Settings", settings)


def _schema(fields: JSONObject) -> JSONObject | None:
    form = obj(obj(fields.get("output_config")).get("format"))
    if form.get("type") != "json_schema" or not isinstance(form.get("schema"), dict):
        return None
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": form["schema"]}}


def _choice(choice: JSONObject, all_raw: bool) -> JSONObject:
    if not choice:
        return {}
    one_by_one: JSONObject = {}
    if choice.get("disable_parallel_tool_use") is True:
        one_by_one = {"parallel_tool_calls": False}
    kind, name = choice.get("type"), text(choice.get("name"))
    match kind:
        case _ if choice.keys() - {"type", "name", "disable_parallel_tool_use"}:
            return {"tool_choice": choice}
        case "auto":
            return ({"tool_choice": "auto"} if all_raw else {}) | one_by_one
        case "any" | "none":
            return {"tool_choice": _CHOICES[str(kind)]} | one_by_one
        case "tool" if name and name not in TOOL_CHOICES:
            return {"tool_choice": name} | one_by_one
        case _:
            return {"tool_choice": choice}
