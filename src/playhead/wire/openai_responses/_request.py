"""The request half of the Responses wire format."""

from __future__ import annotations

from typing import Any, cast

from ...errors import EncodeError
from ...messages import ModelRequest, ProviderTool, Settings, ToolSpec
from .._dialect import Dialect, Encoded
from .._json import JSONObject, obj, text, to_json
from .._report import Report
from .._settings import Schema, answer_format, caching, options_into, stops, thinking, tool_choice
from ._input import REASONING_MODELS, Input
from ._items import HOSTED_TOOLS, NAME

ENCRYPTED = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"

_UNKNOWN = ("top_k", "seed", "presence_penalty", "frequency_penalty")
_NOT_WHILE_THINKING = ("temperature", "top_p", "logprobs")


def encode_request(request: ModelRequest, dialect: Dialect, origin: str | None = None) -> Encoded:
    """The request's body.

    What the provider answered is not stored there (`store` is false) unless an option says so; so reasoning that is
    asked for comes encrypted, and goes back whole.

    Args:
        dialect: what this provider's requests have of their own.
        origin: the provider that it goes to: opaque data of another stays home, and is reported.

    Raises:
        EncodeError: the format has no words for a part or a setting, or the provider has no such option.
    """
    report = Report(NAME)
    settings = _known(request.settings, dialect, report)
    options, extra = settings.get("options") or {}, settings.get("extra_body") or {}
    body: JSONObject = {"model": request.model, "store": False, **dialect.body}
    stored = extra.get("store", options.get("store", body["store"])) is True
    given = Input(request.messages, request.model, origin, report, call_id=dialect.call_id, stored=stored)
    body["input"] = given.items()
    if given.instructions is not None:
        body["instructions"] = given.instructions
    body |= _plain(settings, request.model, report)
    body |= _reasoning(settings)
    body |= _tools(request, settings, report)
    body |= _caching(request, settings, report)
    headers = _options(body, settings, dialect)
    wanted = include(settings, logprobs="top_logprobs" in body, stored=stored)
    if wanted := list(dict.fromkeys([*wanted, *(body.get("include") or ())])):
        body["include"] = wanted
    if request.stream:
        body["stream"] = True
    for name in dialect.without:
        body.pop(name, None)
    body |= extra
    headers |= settings.get("extra_headers") or {}
    return Encoded(to_json(body), tuple(headers.items()), report.losses, report.unsupported)


def _known(given: Settings, dialect: Dialect, report: Report) -> Settings:
    """The settings without those that the provider does not take, or the format does not know."""
    report.settings(given, dialect.unsupported, "this provider does not take it")
    settings = cast("Settings", {name: value for name, value in given.items() if name not in dialect.unsupported})
    report.settings(settings, _UNKNOWN)
    if stops(settings):
        report.setting("stop")
    return settings


def _plain(settings: Settings, model: str, report: Report) -> JSONObject:
    """Settings that are fields of the body."""
    thought = thinking(settings)
    body: JSONObject = {}
    if (limit := settings.get("max_tokens")) is not None:
        body["max_output_tokens"] = limit
    if REASONING_MODELS.search(model) and not (thought and thought.off):
        report.settings(settings, _NOT_WHILE_THINKING, "models that think do not take it")
        settings = cast(
            "Settings", {name: value for name, value in settings.items() if name not in _NOT_WHILE_THINKING}
        )
    for name in ("temperature", "top_p", "parallel_tool_calls", "service_tier", "user"):
        if (value := settings.get(name)) is not None:
            body[name] = value
    if (logprobs := settings.get("logprobs")) is not None:
        body["top_logprobs"] = logprobs
    if (found := answer_format(settings)) is not None:
        body["text"] = {"format": _format(found)}
    return body


def _format(found: Schema | str) -> JSONObject:
    if not isinstance(found, Schema):
        return {"type": "json_object" if found == "json" else "text"}
    body: JSONObject = {"type": "json_schema", "name": found.name, "schema": found.schema}
    more = {"description": found.description, "strict": found.strict}
    return body | {name: value for name, value in more.items() if value is not None}


def _reasoning(settings: Settings) -> JSONObject:
    thought = thinking(settings)
    if thought is None:
        return {}
    effort, summary = thought.as_effort(), "auto" if thought.summary is True else thought.summary
    body = {"effort": effort} if effort else {}
    body |= {"summary": summary} if summary else {}
    return {"reasoning": body} if body else {}


def include(settings: Settings, *, logprobs: bool, stored: bool) -> list[str]:
    """What answers are to hold. Without its encrypted form reasoning could not go back."""
    thought = thinking(settings)
    encrypted = thought is not None and not thought.off and not stored
    return [name for name, asked in ((ENCRYPTED, encrypted), (LOGPROBS, logprobs)) if asked]


def _caching(request: ModelRequest, settings: Settings, report: Report) -> JSONObject:
    cache = caching(settings)
    parts = [part for message in request.messages for part in message.parts]
    if any(getattr(part, "cache", None) for part in (*parts, *request.tools)):
        report.setting("cache", f"{NAME} has no word for breakpoints: the provider finds them itself")
    if cache is None:
        return {}
    body: JSONObject = {}
    if key := cache.get("key"):
        body["prompt_cache_key"] = key
    match cache.get("ttl"):
        case None:
            pass
        case "24h":
            body["prompt_cache_retention"] = "24h"
        case ttl:
            report.setting("cache", f"{NAME} can be asked for a ttl of 24h only, not for {ttl}")
    return body


def _options(body: JSONObject, settings: Settings, dialect: Dialect) -> dict[str, str]:
    """The provider's options, into the body. `verbosity` has its place within `text`, beside the answer's format."""
    options, said = settings.get("options") or {}, obj(body.get("text"))
    headers = options_into(body, options, dialect)
    if "text" in options and said:
        body["text"] = said | obj(body["text"])
    if "verbosity" in options and "verbosity" in body:
        body["text"] = obj(body.get("text")) | {"verbosity": body.pop("verbosity")}
    return headers


def _tools(request: ModelRequest, settings: Settings, report: Report) -> JSONObject:
    tools = [*map(_tool, request.tools), *map(_hosted, request.provider_tools)]
    choice = tool_choice(settings)
    if not tools:
        if choice.kind not in ("auto", "none"):
            report.setting("tool_choice", "there are no tools to choose from")
        return {}
    return {"tools": tools, "tool_choice": _choice(request, choice.kind, choice.name, dict(choice.raw))}


def _choice(request: ModelRequest, kind: str, name: str, raw: JSONObject) -> Any:
    match kind:
        case "raw":
            return raw
        case "tool":
            for tool in request.tools:
                if tool.name == name and tool.raw and (type := text(tool.raw.get("type"))) != "function":
                    return {"type": type, "name": name} if type == "custom" else {"type": type}
            for hosted in request.provider_tools:
                if hosted.name == name:
                    said = _hosted(hosted)
                    return {key: said[key] for key in ("type", "server_label") if key in said}
            return {"type": "function", "name": name}
        case _:
            return kind


def _tool(tool: ToolSpec) -> JSONObject:
    if tool.raw is not None:
        return tool.raw
    body: JSONObject = {"type": "function", "name": tool.name, "parameters": tool.parameters}
    if tool.description:
        body["description"] = tool.description
    return body | {"strict": bool(tool.strict)}


def _hosted(tool: ProviderTool) -> JSONObject:
    if tool.raw is not None:
        return tool.raw
    if tool.name not in HOSTED_TOOLS:
        raise EncodeError(
            f"the Responses format has no provider tool {tool.name!r}; it has: {', '.join(HOSTED_TOOLS)}. "
            "Others can be given with raw={'type': ...}"
        )
    return HOSTED_TOOLS[tool.name] | tool.options
