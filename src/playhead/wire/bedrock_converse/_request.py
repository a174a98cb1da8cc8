"""
The request half of Converse.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ...errors import EncodeError
from ...messages import Message, ModelRequest, ProviderTool, Settings, ToolCallPart, ToolResultPart, ToolSpec
from .._dialect import Dialect, Encoded
from .._history import call_ids
from .._json import JSONObject, obj, to_json
from .._report import Report
from .._settings import answer_format, caching, options_into, stops, tool_choice
from ._content import Blocks, checkpoint
from ._media import NAME
from ._models import (
    family_of,
    knows_caching,
    reasoning_fields,
    refused_settings,
    takes_unsigned,
    top_k_fields,
)

CALL_ID = r"[a-zA-Z0-9_.:-]{1,64}"

ADDITIONAL = "additionalModelRequestFields"

MOST_CHECKPOINTS = 4
"""Cache checkpoints that a request may have."""

_UNKNOWN = ("seed", "presence_penalty", "frequency_penalty", "logprobs", "user")
"""Settings for which Converse has no words."""

_SYSTEM_TOOLS = {"web_search": "nova_grounding", "code_execution": "nova_code_interpreter"}
"""https://docs.aws.amazon.com/nova/latest/nova2-userguide/using-tools.html"""


def encode_request(request: ModelRequest, dialect: Dialect, origin: str | None = None) -> Encoded:
    """The request's body. The model, and whether the answer is streamed, stand in the path.

    Args:
        request: what is asked for.
        dialect: what this provider's requests have of their own.
        origin: the provider that it goes to: opaque data of another stays home, and is reported.

    Raises:
        EncodeError: Converse has no words for a part, or the provider has no such option.
    """
    report = Report(NAME)
    settings: Settings = {**request.settings}
    for name in dialect.unsupported:
        if settings.pop(name, None) is not None:
            report.setting(name, "the provider does not take it")
    report.settings(settings, _UNKNOWN)
    if settings.get("parallel_tool_calls") is False:
        report.setting("parallel_tool_calls")
    body = _conversation(request, settings, dialect, origin, report)
    body |= _tools(request, settings, report)
    _limit_checkpoints(body, report)
    additional = reasoning_fields(request.model, settings, report)
    refused = refused_settings(request.model, settings, additional, report)
    if inference := _inference(settings, refused):
        body["inferenceConfig"] = inference
    if "top_k" not in refused and (top_k := settings.get("top_k")) is not None:
        additional |= top_k_fields(request.model, top_k, report)
    if tool_choice(settings).kind != "none" and (native := _native_tools(request)):
        additional["tools"] = native
    if additional:
        body[ADDITIONAL] = additional
    if tier := settings.get("service_tier"):
        body["serviceTier"] = {"type": tier}
    body |= _output(settings, report)
    _over(body, dialect.body)
    options: JSONObject = {}
    headers = options_into(options, settings.get("options") or {}, dialect)
    _over(body, options)
    for name in dialect.without:
        body.pop(name, None)
    _over(body, settings.get("extra_body") or {})
    headers |= settings.get("extra_headers") or {}
    return Encoded(to_json(body), tuple(headers.items()), report.losses, report.unsupported)


def _conversation(
    request: ModelRequest, settings: Settings, dialect: Dialect, origin: str | None, report: Report
) -> JSONObject:
    caches = knows_caching(request.model)
    cache = caching(settings)
    parts = [part for message in request.messages for part in message.parts]
    own_points = any(getattr(item, "cache", None) for item in [*request.tools, *parts])
    if (cache is not None or own_points) and not caches:
        report.setting("cache", f"{request.model} is not known to have cache checkpoints")
    if cache is not None and "key" in cache:
        report.setting("cache.key")
    if caches and cache is not None and cache.get("ttl") == "24h":
        report.setting("cache.ttl", "Converse keeps what is cached for 5m or 1h, and was asked for 1h")
    ids = call_ids(request.messages, dialect.call_id or CALL_ID)
    blocks = Blocks(report, origin, ids, unsigned=takes_unsigned(request.model), caches=caches)
    system: list[JSONObject] = []
    turns: list[JSONObject] = []
    for message in request.messages:
        content = blocks.of(message)
        if message.role == "system":
            if turns:
                report.lost("a system message in the middle of the conversation was moved to its beginning")
            system += content
        elif content:
            role = "assistant" if message.role == "assistant" else "user"
            if turns and turns[-1]["role"] == role:
                turns[-1]["content"] += content
            else:
                turns.append({"role": role, "content": content})
    if cache is not None and caches and not own_points:
        point = checkpoint(cache.get("ttl", "5m"))
        for content in [system, *(turn["content"] for turn in turns[-2:])]:
            if content:
                content.append(point)
    return {"messages": turns, "system": system} if system else {"messages": turns}


def _limit_checkpoints(body: JSONObject, report: Report) -> None:
    """Hold the cache checkpoints to as many as are taken: the last ones."""
    turns = [turn["content"] for turn in body["messages"]]
    lists = [obj(body.get("toolConfig")).get("tools", []), body.get("system", []), *turns]
    left = total = sum("cachePoint" in block for blocks in lists for block in blocks)
    for blocks in lists:
        if left <= MOST_CHECKPOINTS:
            break
        kept: list[JSONObject] = []
        for block in blocks:
            if "cachePoint" in block and left > MOST_CHECKPOINTS:
                left -= 1
            else:
                kept.append(block)
        blocks[:] = kept
    if left < total:
        report.setting("cache", f"of {total} checkpoints only the last {left} were set, which is all that is taken")


def _inference(settings: Settings, refused: frozenset[str]) -> JSONObject:
    words = {"max_tokens": "maxTokens", "temperature": "temperature", "top_p": "topP"}
    inference = {
        word: value
        for name, word in words.items()
        if name not in refused and (value := settings.get(name)) is not None
    }
    if sequences := stops(settings):
        inference["stopSequences"] = sequences
    return inference


def _output(settings: Settings, report: Report) -> JSONObject:
    match answer_format(settings):
        case None | "text":
            return {}
        case "json":
            report.setting("response_format", "Converse has no JSON without a schema")
            return {}
        case schema:
            said = {"schema": json.dumps(schema.schema, separators=(",", ":")), "name": schema.name}
            if schema.description:
                said["description"] = schema.description
            return {"outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": said}}}}


def _tools(request: ModelRequest, settings: Settings, report: Report) -> JSONObject:
    choice = tool_choice(settings)
    called = _called(request.messages)
    tools = [entry for tool in request.tools for entry in _tool(tool, caches=knows_caching(request.model))]
    tools += [_provider_tool(tool, request.model) for tool in request.provider_tools]
    if choice.kind == "none":
        if not called:
            return {}
        report.setting("tool_choice", "Converse cannot forbid tools in a conversation that has called some")
    if called and not tools:
        report.lost("the tools that the conversation called are not defined any more: only their names were sent")
        tools = [{"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object"}}}} for name in called]
    if not tools:
        if settings.get("tool_choice") is not None:
            report.setting("tool_choice", "there are no tools")
        return {}
    config: JSONObject = {"tools": tools}
    match choice.kind:
        case "auto" if settings.get("tool_choice") is not None:
            config["toolChoice"] = {"auto": {}}
        case "required":
            config["toolChoice"] = {"any": {}}
        case "tool":
            config["toolChoice"] = {"tool": {"name": choice.name}}
        case "raw":
            config["toolChoice"] = dict(choice.raw)
        case _:
            pass  # The model chooses where nothing is said, and some models refuse the word for it.
    return {"toolConfig": config}


def _called(messages: Iterable[Message]) -> list[str]:
    """The names of the tools that the conversation called, for which Converse wants definitions."""
    names = (
        part.name
        for message in messages
        for part in message.parts
        if (isinstance(part, ToolResultPart) and message.role == "tool")
        or (isinstance(part, ToolCallPart) and not part.provider_executed)
    )
    return [name for name in dict.fromkeys(names) if name]


def _tool(tool: ToolSpec, *, caches: bool) -> Iterable[JSONObject]:
    if tool.raw is not None:
        if not _is_native(tool.raw):
            yield tool.raw
        return
    spec: JSONObject = {"name": tool.name, "inputSchema": {"json": tool.parameters}}
    if tool.description:
        spec["description"] = tool.description
    if tool.strict is not None:
        spec["strict"] = tool.strict
    yield {"toolSpec": spec}
    if tool.cache and caches:
        yield checkpoint(tool.cache)


def _native_tools(request: ModelRequest) -> list[JSONObject]:
    """Tools in the words of the model's maker, such as Anthropic's `computer_20250124`."""
    return [tool.raw for tool in request.tools if tool.raw is not None and _is_native(tool.raw)]


def _is_native(raw: JSONObject) -> bool:
    """Whether it is no tool of Converse's, whose one field says what it is."""
    return isinstance(raw.get("type"), str)


def _provider_tool(tool: ProviderTool, model: str) -> JSONObject:
    if tool.raw is not None:
        return tool.raw
    name = _SYSTEM_TOOLS.get(tool.name)
    if name is None or not family_of(model).startswith("nova"):
        raise EncodeError(
            f"Converse has no tool {tool.name!r} that {model} could run itself; Amazon's Nova models have "
            f"{' and '.join(_SYSTEM_TOOLS)}. Others go as ProviderTool(raw=...)."
        )
    return {"systemTool": {"name": name, **tool.options}}


def _over(body: JSONObject, more: Mapping[str, Any]) -> None:
    """Put fields over those of the body. The two objects that are made of many settings are merged."""
    for name, value in more.items():
        both = name in (ADDITIONAL, "inferenceConfig") and obj(value)
        body[name] = obj(body.get(name)) | both if both else value
