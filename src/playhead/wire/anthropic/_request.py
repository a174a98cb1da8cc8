"""
The request half of the Anthropic wire format: settings and tools. Messages are in `_anthropic_messages`.

https://docs.claude.com/en/api/messages
"""

from __future__ import annotations

from typing import Any, cast

from ...errors import EncodeError
from ...messages import MediaPart, Message, ModelRequest, ProviderTool, Settings, ToolResultPart, ToolSpec
from .._dialect import Dialect, Encoded
from .._json import JSONObject, obj, text, to_json
from .._report import Report
from .._settings import Schema, answer_format, caching, options_into, stops, tool_choice
from ._blocks import NAME
from ._messages import Conversation, cached, encode_conversation
from ._thinking import encode_thinking, sampling

PROVIDER_TOOLS = {
    "web_search": "web_search_20250305",
    "web_fetch": "web_fetch_20250910",
    "code_execution": "code_execution_20250825",
}
"""The tools that Anthropic runs, in the versions that all of its models and resellers know."""

_BETAS = {
    "web_fetch_20250910": "web-fetch-2025-09-10",
    "code_execution_20250522": "code-execution-2025-05-22",
    "code_execution_20250825": "code-execution-2025-08-25",
    "computer_20241022": "computer-use-2024-10-22",
    "computer_20250124": "computer-use-2025-01-24",
    "computer_20251124": "computer-use-2025-11-24",
    "memory_20250818": "context-management-2025-06-27",
    "mcp_toolset": "mcp-client-2025-11-20",
}
"""The `anthropic-beta` that a type of tool needs, or once needed."""

_FILES_BETA = "files-api-2025-04-14"
BETA_HEADER = "anthropic-beta"

_NO_WORDS = ("seed", "presence_penalty", "frequency_penalty", "logprobs")
_TIERS = ("auto", "standard_only")
_CHOICES = {"auto": "auto", "required": "any", "none": "none"}

MOST_BREAKPOINTS = 4
"""Cache breakpoints that a request may have."""


def encode_request(request: ModelRequest, dialect: Dialect, origin: str | None = None) -> Encoded:
    """The request's body.

    Args:
        dialect: what this provider's requests have of their own.
        origin: the provider that it goes to: opaque data of another stays home, and is reported.

    Raises:
        EncodeError: the format has no words for a part, or the provider has no such option or tool.
    """
    report = Report(NAME)
    settings = _supported(request.settings, dialect, report)
    tools = [_encode_tool(tool) for tool in request.tools] + [_provider_tool(tool) for tool in request.provider_tools]
    conversation = encode_conversation(request.messages, dialect, origin, report)
    body: JSONObject = {"model": request.model} | encode_thinking(settings, request.model, report)
    if obj(body.get("thinking")).get("type") == "enabled" and conversation.goes_on_without_thoughts():
        del body["thinking"]
        report.setting(
            "reasoning", "the turn under way began without it, and Anthropic refuses to begin in the middle"
        )
    if conversation.system:
        body["system"] = conversation.system
    body["messages"] = conversation.turns
    body |= _sampling(body, settings, request.model, report)
    body |= _plain(settings, report)
    if tools:
        body["tools"] = tools
        body |= _choice(request, settings)
    elif tool_choice(settings).kind not in ("auto", "none"):
        report.setting("tool_choice", "there are no tools to choose from")
    if schema := _format(settings, report):
        body["output_config"] = {**obj(body.get("output_config")), "format": schema}
    _cache(request, settings, tools, conversation, dialect, report)
    if request.stream:
        body["stream"] = True
    body |= dialect.body
    headers = _options(body, settings, dialect)
    for name in dialect.without:
        body.pop(name, None)
    body |= settings.get("extra_body") or {}
    headers = _with_betas(headers, _betas(tools, request.messages), settings.get("extra_headers") or {})
    return Encoded(to_json(body), tuple(headers.items()), report.losses, report.unsupported)


def _supported(settings: Settings, dialect: Dialect, report: Report) -> Settings:
    report.settings(settings, dialect.unsupported, "this provider does not take it")
    return cast("Settings", {name: value for name, value in settings.items() if name not in dialect.unsupported})


def _sampling(body: JSONObject, settings: Settings, model: str, report: Report) -> JSONObject:
    return sampling(settings, model, obj(body.get("thinking")).get("type") in ("enabled", "adaptive"), report)


def _plain(settings: Settings, report: Report) -> JSONObject:
    body: JSONObject = {}
    report.settings(settings, _NO_WORDS)
    given: list[Any] = [*stops(settings)]
    if sequences := [it for it in given if not isinstance(it, str) or it.strip()]:
        body["stop_sequences"] = sequences
    if len(sequences) < len(given):
        report.setting("stop", "Anthropic refuses sequences of nothing but white space")
    if (tier := settings.get("service_tier")) is not None:
        if tier in _TIERS:
            body["service_tier"] = tier
        else:
            report.setting("service_tier", f"Anthropic has only {' and '.join(_TIERS)}")
    if (user := settings.get("user")) is not None:
        body["metadata"] = {"user_id": user}
    return body


def _format(settings: Settings, report: Report) -> JSONObject | None:
    match answer_format(settings):
        case Schema(schema=schema, description=description, strict=strict):
            if description is not None:
                report.setting("response_format.description", "Anthropic takes the schema alone")
            if strict is False:
                report.setting("response_format.strict", "Anthropic always holds the answer to the schema")
            return {"type": "json_schema", "schema": schema}
        case "json":
            report.setting(
                "response_format", "Anthropic has no JSON without a schema: give one, or ask for it in words"
            )
        case _:
            pass
    return None


def _options(body: JSONObject, settings: Settings, dialect: Dialect) -> dict[str, str]:
    """The provider's options, into the body. `output_config` is also the place of the answer's format."""
    options, said = settings.get("options") or {}, obj(body.get("output_config"))
    headers = options_into(body, options, dialect)
    if "output_config" in options and said:
        body["output_config"] = said | obj(body["output_config"])
    return headers


def _encode_tool(tool: ToolSpec) -> JSONObject:
    if tool.raw is not None:
        return dict(tool.raw)
    body: JSONObject = {"name": tool.name, "input_schema": tool.parameters}
    if tool.description:
        body["description"] = tool.description
    if tool.strict is not None:
        body["strict"] = tool.strict
    return body if tool.cache is None else cached(body, tool.cache)


def _provider_tool(tool: ProviderTool) -> JSONObject:
    if tool.raw is not None:
        return dict(tool.raw)
    if tool.name not in PROVIDER_TOOLS:
        raise EncodeError(
            f"Anthropic runs no tool {tool.name!r}; it runs {', '.join(PROVIDER_TOOLS)}. "
            "Others can be given with their own definition, in `raw`."
        )
    return {"type": PROVIDER_TOOLS[tool.name], "name": tool.name, **tool.options}


def _choice(request: ModelRequest, settings: Settings) -> JSONObject:
    """Which tool is called: said also where it is the usual choice, unless all tools have words of their own."""
    choice, parallel = tool_choice(settings), settings.get("parallel_tool_calls")
    if choice.kind == "raw":
        one_by_one = parallel is False and choice.raw.get("type") in ("auto", "any", "tool")
        said = {"disable_parallel_tool_use": True} if one_by_one else {}
        return {"tool_choice": {**said, **choice.raw}}
    ours = bool(request.provider_tools) or any(tool.raw is None for tool in request.tools)
    if not ours and parallel is None and settings.get("tool_choice") is None:
        return {}
    body: JSONObject = {"type": "tool", "name": choice.name}
    if choice.kind != "tool":
        body = {"type": _CHOICES[choice.kind]}
    if choice.kind != "none":
        body["disable_parallel_tool_use"] = parallel is False
    return {"tool_choice": body}


def _cache(
    request: ModelRequest,
    settings: Settings,
    tools: list[JSONObject],
    conversation: Conversation,
    dialect: Dialect,
    report: Report,
) -> None:
    """Set the breakpoints that `cache` asks for, unless parts have their own, and hold all to the limit."""
    asked = caching(settings)
    if asked is not None:
        ttl = asked.get("ttl")
        if asked.get("key") is not None:
            report.setting("cache.key", "Anthropic keeps what is cached by its content alone")
        if ttl == "24h":
            report.setting("cache.ttl", "Anthropic keeps what is cached for 5m or 1h, and was asked for 1h")
        if not _has_breakpoints(request):
            conversation.set_breakpoints("5m" if ttl in (None, "5m") else "1h")
    marked = [block for block in [*tools, *conversation.blocks()] if block.get("cache_control") is not None]
    if "cache" in dialect.unsupported:
        kept: list[JSONObject] = []
    else:
        kept = marked[-MOST_BREAKPOINTS:]
    for block in marked[: len(marked) - len(kept)]:
        del block["cache_control"]
    if len(kept) < len(marked):
        report.setting(
            "cache", f"of {len(marked)} breakpoints only the last {len(kept)} were set, which is all that is taken"
        )


def _has_breakpoints(request: ModelRequest) -> bool:
    parts = [part for message in request.messages for part in message.parts]
    return any(getattr(item, "cache", None) is not None for item in [*request.tools, *parts])


def _betas(tools: list[JSONObject], messages: tuple[Message, ...]) -> list[str]:
    betas = [beta for tool in tools if (beta := _BETAS.get(text(tool.get("type"))))]
    return [*betas, _FILES_BETA] if any(_by_file(part) for message in messages for part in message.parts) else betas


def _by_file(part: Any) -> bool:
    match part:
        case MediaPart():
            return part.file_id is not None
        case ToolResultPart():
            return any(item.file_id is not None for item in part.media) and part.opaque is None
        case _:
            return False


def _with_betas(headers: dict[str, str], betas: list[str], given: Any) -> dict[str, str]:
    """The headers, with the betas that the request needs beside those that the options name.

    Headers that the user gives stand as they are, over all others.
    """
    named = [beta for beta in headers.get(BETA_HEADER, "").split(",") if beta]
    if all_betas := dict.fromkeys(named + betas):
        headers[BETA_HEADER] = ",".join(all_betas)
    theirs = {name.lower() for name in given}
    return {name: value for name, value in headers.items() if name.lower() not in theirs} | dict(given)
