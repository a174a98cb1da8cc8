"""The request half of the Gemini wire format: settings and tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import EncodeError
from ...messages import ModelRequest, ProviderTool, Settings, ToolSpec
from .._json import JSONObject, obj
from .._report import Report
from .._settings import Schema, Thinking, answer_format, caching, stops, thinking, tool_choice
from ._schema import is_empty, to_google

PLAIN = {
    "max_tokens": "maxOutputTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
"""Settings that are fields of `generationConfig`."""

PROVIDER_TOOLS = {
    "web_search": "googleSearch",
    "web_fetch": "urlContext",
    "code_execution": "codeExecution",
    "file_search": "fileSearch",
}

_LEVELS = {
    "minimal": "MINIMAL",
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "xhigh": "HIGH",
    "max": "HIGH",
}
"""https://ai.google.dev/gemini-api/docs/thinking#thinking-levels"""

_MOST_FLASH = 24_576
"""Tokens: the largest budget of the models that are not `pro`."""


def encode_settings(settings: Settings, model: str, generation: int | None, report: Report) -> JSONObject:
    """`generationConfig`, where there is something to say in it."""
    config: JSONObject = {field: value for name, field in PLAIN.items() if (value := settings.get(name)) is not None}
    if stop := stops(settings):
        config["stopSequences"] = stop
    if (alternatives := settings.get("logprobs")) is not None:
        config |= {"responseLogprobs": True} | ({"logprobs": alternatives} if alternatives else {})
    config |= _answer_format(settings, report)
    thought = thinking(settings)
    if thought and (said := _thinking(thought, settings, model, generation, report)):
        config["thinkingConfig"] = said
    if settings.get("parallel_tool_calls") is False:
        report.setting("parallel_tool_calls")
    if (caching(settings) or {}).get("key") is not None:
        report.setting("cache", "gemini has no word for its `key`, and caches by itself")
    report.settings(settings, ("service_tier", "user"))
    return {"generationConfig": config} if config else {}


def _answer_format(settings: Settings, report: Report) -> JSONObject:
    """How the answer is to look. A schema's name and description stand in it, as it has words for both."""
    match answer_format(settings):
        case None:
            return {}
        case "text":
            return {"responseMimeType": "text/plain"}
        case "json":
            return {"responseMimeType": "application/json"}
        case Schema(schema, name, description):
            title = {} if name == "answer" else {"title": name}  # Who gives none has this one.
            if description and schema.get("description") not in (None, description):
                report.setting("response_format.description", "the schema has one of its own")
            said = {"description": description} if description else {}
            return {"responseMimeType": "application/json", "responseJsonSchema": title | said | schema}


def _thinking(
    thought: Thinking, settings: Settings, model: str, generation: int | None, report: Report
) -> JSONObject:
    """A level for Gemini 3 and later, and a budget for those before: never both, which is refused."""
    pro = "pro" in model.rpartition("/")[2].split("-")
    if thought.off:
        return _without_thinking(model, generation, pro=pro, report=report)
    shown: JSONObject = {"includeThoughts": thought.summary is not False}
    if (generation or 0) >= 3 and thought.effort is not None:
        least = "LOW" if pro else "MINIMAL"
        return {"thinkingLevel": least if thought.effort == "minimal" else _LEVELS[thought.effort]} | shown
    budget = thought.as_budget(settings.get("max_tokens"))
    if budget is None:
        return shown
    if thought.budget is None and not pro:
        budget = min(budget, _MOST_FLASH)
    return {"thinkingBudget": budget} | shown


def _without_thinking(model: str, generation: int | None, *, pro: bool, report: Report) -> JSONObject:
    if (generation or 0) >= 3 and not pro:
        return {"thinkingLevel": "MINIMAL"}
    if pro and (generation or 0) >= 2 and "gemini-2.0" not in model:
        report.setting("reasoning", f"{model} cannot do without")
        return {}
    thinks = generation is None or "gemini-2.5" in model
    return {"thinkingBudget": 0} if thinks else {}


def encode_tools(request: ModelRequest, settings: Settings, report: Report) -> JSONObject:
    """`tools`, and `toolConfig` where there are functions among them."""
    functions: list[Any] = []
    others: list[Any] = []
    for tool in request.tools:
        if tool.raw is None:
            functions.append(_function(tool))
        elif tool.raw.keys() == {"functionDeclarations"} and isinstance(tool.raw["functionDeclarations"], list):
            functions += tool.raw["functionDeclarations"]  # Only one list of functions is taken.
        else:
            others.append(tool.raw)
    tools: list[Any] = [{"functionDeclarations": functions}] if functions else []
    tools += [*others, *(_provider_tool(tool) for tool in request.provider_tools)]
    if not functions and tool_choice(settings).kind not in ("auto", "none"):
        report.setting("tool_choice", "there are no functions")
    if not tools:
        return {}
    return {"tools": tools} | ({"toolConfig": _tool_config(settings)} if functions else {})


def _function(tool: ToolSpec) -> JSONObject:
    function: JSONObject = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if not is_empty(tool.parameters):
        fits = to_google(tool.parameters)
        function["parametersJsonSchema" if fits is None else "parameters"] = tool.parameters if fits is None else fits
    return function


def _provider_tool(tool: ProviderTool) -> JSONObject:
    if tool.raw is not None:
        return tool.raw
    if name := PROVIDER_TOOLS.get(tool.name):
        return {name: tool.options}
    raise EncodeError(
        f"gemini has no tool {tool.name!r} of its own; it has {', '.join(PROVIDER_TOOLS)}, and any other by `raw`. "
        "Images are asked for by `generationConfig.responseModalities` in `extra_body`."
    )


def _tool_config(settings: Settings) -> JSONObject:
    choice = tool_choice(settings)
    match choice.kind:
        case "raw":
            raw = dict(choice.raw)
            return raw if "functionCallingConfig" in raw else {"functionCallingConfig": raw}
        case "tool":
            said: JSONObject = {"mode": "ANY", "allowedFunctionNames": [choice.name]}
        case _:
            said = {"mode": {"auto": "AUTO", "none": "NONE", "required": "ANY"}[choice.kind]}
    return {"functionCallingConfig": said}


def over(body: Mapping[str, Any], more: Mapping[str, Any], depth: int = 8) -> JSONObject:
    """`body` with `more` over it; objects on both sides are merged."""
    merged = dict(body)
    for name, value in more.items():
        earlier = merged.get(name)
        both = depth and isinstance(value, Mapping) and isinstance(earlier, Mapping)
        merged[name] = over(obj(dict(earlier)), obj(dict(value)), depth - 1) if both else value  # pyright: ignore[reportUnknownArgumentType, reportArgumentType, reportCallIssue]
    return merged
