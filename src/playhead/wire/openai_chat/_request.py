"""The request half of the Chat Completions wire format."""

from __future__ import annotations

from ...errors import EncodeError
from ...messages import ModelRequest, ProviderTool, Settings, ToolSpec
from .._dialect import Dialect, Encoded
from .._json import JSONObject, objs, to_json
from .._report import Report
from .._settings import options_into, tool_choice
from ._messages import MessageWriter, cache_control
from ._names import NAME
from ._settings import beside, breakpoints, encode_settings, without_unsupported


def encode_request(request: ModelRequest, dialect: Dialect, origin: str | None = None) -> Encoded:
    """The request's body.

    Args:
        dialect: what this provider's requests have of their own.
        origin: the provider that it goes to: opaque reasoning data of another stays home, and is reported.

    Raises:
        EncodeError: the format has no words for a part, or the provider has no such option.
    """
    report = Report(NAME)
    settings = without_unsupported(request.settings, dialect, report)
    messages = MessageWriter(request.messages, dialect, origin, report)
    body: JSONObject = {
        "model": request.model,
        "messages": messages.write(breakpoints(settings, dialect, report)),
    }
    body |= encode_settings(settings, request.model, dialect, report)
    body |= _encode_tools(request, settings, dialect, report)
    body = beside(body, dialect.body)
    options: JSONObject = {}
    headers = options_into(options, settings.get("options") or {}, dialect)
    body = beside(body, options)
    for tool in request.provider_tools:
        if tool.raw is None:
            _provider_tool(body, tool, dialect)
    if request.stream:
        body["stream"] = True
        if dialect.stream_usage:
            body["stream_options"] = {"include_usage": True}
    for name in dialect.without:
        body.pop(name, None)
    body |= settings.get("extra_body") or {}
    headers |= settings.get("extra_headers") or {}
    return Encoded(to_json(body), tuple(headers.items()), report.losses, report.unsupported)


def _encode_tools(request: ModelRequest, settings: Settings, dialect: Dialect, report: Report) -> JSONObject:
    tools = [_encode_tool(tool, dialect, report) for tool in request.tools]
    tools += [tool.raw for tool in request.provider_tools if tool.raw is not None]
    if not tools:
        report.settings(settings, ("tool_choice", "parallel_tool_calls"), "there are no tools")
        return {}
    body: JSONObject = {"tools": tools}
    choice = tool_choice(settings)
    match choice.kind:
        case "auto" if "tool_choice" in dialect.unsupported:
            pass
        case "tool":
            body["tool_choice"] = {"type": "function", "function": {"name": choice.name}}
        case "raw":
            body["tool_choice"] = choice.raw
        case said:
            body["tool_choice"] = said
    if (parallel := settings.get("parallel_tool_calls")) is not None:
        body["parallel_tool_calls"] = parallel
    return body


def _encode_tool(tool: ToolSpec, dialect: Dialect, report: Report) -> JSONObject:
    if tool.raw is not None:
        return tool.raw
    function: JSONObject = {"name": tool.name, "strict": bool(tool.strict), "parameters": tool.parameters}
    if tool.description:
        function["description"] = tool.description
    body: JSONObject = {"type": "function", "function": function}
    if tool.cache is not None:
        if dialect.cache == "breakpoints":
            body["cache_control"] = cache_control(tool.cache)
        else:
            report.setting("cache", "this provider takes no breakpoints at tools")
    return body


def _provider_tool(body: JSONObject, tool: ProviderTool, dialect: Dialect) -> None:
    """A tool that the provider runs itself, where chat completions have words for it.

    https://openrouter.ai/docs/features/web-search, https://platform.openai.com/docs/guides/tools-web-search
    """
    if tool.name == "web_search" and "plugins" in dialect.option_fields:
        body["plugins"] = [*objs(body.get("plugins")), {"id": "web", **tool.options}]
    elif tool.name == "web_search" and "web_search_options" in dialect.option_fields:
        body["web_search_options"] = tool.options
    else:
        known = {"plugins", "web_search_options"} & set(dialect.option_fields)
        works = "it has web_search" if known else "it has none that Playhead can name"
        raise EncodeError(
            f"this provider's chat completions have no tool {tool.name!r} of their own: {works}; what it has besides "
            "goes into ProviderTool(..., raw={...}) as it is, into `options` or into `extra_body`"
        )
