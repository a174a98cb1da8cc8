"""The server half of the Gemini wire format: the settings and tools of somebody else's request."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

from ...errors import DecodeError
from ...messages import ProviderTool, Settings, ToolSpec
from .._json import JSONObject, count, number, obj, text
from .._settings import TOOL_CHOICES
from ._parts import fields
from ._schema import from_google
from ._settings import PLAIN, PROVIDER_TOOLS

_TOP_KEYS = frozenset({"contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "model"})

_WHOLE = frozenset({"max_tokens", "top_k", "seed"})

_TOOL_NAMES = {theirs: ours for ours, theirs in PROVIDER_TOOLS.items()}

_FUNCTION_KEYS = frozenset({"name", "description", "parameters", "parametersJsonSchema"})

_LEVELS = frozenset({"minimal", "low", "medium", "high"})

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""What the name of a schema may be."""

_SCHEMAS: dict[str, Callable[[Any], JSONObject]] = {
    "responseJsonSchema": obj,
    "_responseJsonSchema": obj,
    "responseSchema": from_google,
}


def wrong(where: str, expected: str, came: object) -> DecodeError:
    """The error for a field that is not what it should be."""
    return DecodeError(f"`{where}` should be {expected}, but is {repr(came)[:80]}")


def object_at(value: object, where: str) -> JSONObject:
    """A field that should hold an object, or nothing.

    Raises:
        DecodeError: it holds something else.
    """
    if value is not None and not isinstance(value, dict):
        raise wrong(where, "an object", value)
    return obj(cast("object", value))


def read_tools(value: object) -> tuple[tuple[ToolSpec, ...], tuple[ProviderTool, ...]]:
    """The functions, and the tools that the provider runs itself.

    Raises:
        DecodeError: one is not what it should be.
    """
    if value is not None and not isinstance(value, list | dict):
        raise wrong("tools", "a list", value)
    functions: list[ToolSpec] = []
    others: list[ProviderTool] = []
    listed: list[object] = cast("list[object]", value) if isinstance(value, list) else [obj(value)] if value else []  # pyright: ignore[reportUnknownArgumentType]
    for n, tool in enumerate(listed):
        if not isinstance(tool, dict):
            raise wrong(f"tools[{n}]", "an object", tool)
        for name, said in fields(obj(tool)).items():  # pyright: ignore[reportUnknownArgumentType]
            if said is None:
                continue
            if name == "functionDeclarations":
                functions += _functions(said, f"tools[{n}].functionDeclarations")
            elif name in _TOOL_NAMES and isinstance(said, dict):
                others.append(ProviderTool(_TOOL_NAMES[name], obj(said)))  # pyright: ignore[reportUnknownArgumentType]
            else:
                others.append(ProviderTool(name, raw={name: said}))
    return tuple(functions), tuple(others)


def _functions(value: object, where: str) -> list[ToolSpec]:
    if not isinstance(value, list):
        raise wrong(where, "a list", value)
    return [_function(item, f"{where}[{n}]") for n, item in enumerate(cast("list[object]", value))]


def _function(value: object, where: str) -> ToolSpec:
    said = fields(obj(value))
    name = said.get("name")
    if not isinstance(name, str) or not name:
        raise wrong(f"{where}.name", "a name", name)
    parameters: JSONObject = {"type": "object", "properties": {}}
    for field, read in (("parameters", from_google), ("parametersJsonSchema", obj)):
        if given := object_at(said.get(field), f"{where}.{field}"):
            parameters = read(given)
    # What it says of its response, and its behaviour, have no words of their own.
    more = any(said[field] is not None for field in said.keys() - _FUNCTION_KEYS)
    return ToolSpec(
        name, text(said.get("description")), parameters, raw={"functionDeclarations": [value]} if more else None
    )


def read_settings(body: JSONObject, *, functions: bool) -> Settings:
    """All that a request says beside its conversation and its tools.

    Args:
        body: the request, with names in camel case.
        functions: whether it has function declarations.

    Raises:
        DecodeError: a field is not what it should be.
    """
    config = fields(object_at(body.get("generationConfig"), "generationConfig"))
    settings: dict[str, Any] = {}
    for name, field in PLAIN.items():
        if (value := config.pop(field, None)) is not None:
            settings[name] = _number(value, f"generationConfig.{field}", whole=name in _WHOLE)
    if (stop := config.pop("stopSequences", None)) is not None:
        if not isinstance(stop, list) or not all(isinstance(item, str) for item in cast("list[object]", stop)):
            raise wrong("generationConfig.stopSequences", "a list of strings", cast("object", stop))
        settings["stop"] = stop
    if config.get("responseLogprobs") is True:
        del config["responseLogprobs"]
        settings["logprobs"] = count(config.pop("logprobs", None)) or 0
    settings |= _answer_format(config) | _reasoning(config)
    extra = {name: value for name, value in body.items() if name not in _TOP_KEYS and value is not None}
    if kept := {name: value for name, value in config.items() if value is not None}:
        extra["generationConfig"] = kept
    choice, tool_config = _tool_choice(fields(object_at(body.get("toolConfig"), "toolConfig")), functions=functions)
    if choice is not None:
        settings["tool_choice"] = choice
    if tool_config:
        extra["toolConfig"] = tool_config
    if extra:
        settings["extra_body"] = extra
    return cast("Settings", settings)


def _number(value: object, where: str, *, whole: bool) -> float:
    found = number(value)
    if found is None or isinstance(value, bool):
        raise wrong(where, "a number", value)
    if not whole:
        return found if isinstance(value, str) else cast("float", value)
    if found != int(found):
        raise wrong(where, "a whole number", value)
    return int(found)


def _answer_format(config: JSONObject) -> JSONObject:
    """`response_format`; what it says is taken out of `config`."""
    kind = config.get("responseMimeType")
    field = next((name for name in _SCHEMAS if isinstance(config.get(name), dict)), None)
    if kind not in (None, "application/json") and (kind != "text/plain" or field):
        return {}
    config.pop("responseMimeType", None)
    if field is not None:
        schema = _SCHEMAS[field](config.pop(field))
        title = text(schema.get("title"))
        named = {"name": title if _NAME.fullmatch(title) else "answer", "schema": schema}
        return {"response_format": {"type": "json_schema", "json_schema": named}}
    if kind is None:
        return {}
    return {"response_format": {"type": "json_object" if kind == "application/json" else "text"}}


def _reasoning(config: JSONObject) -> JSONObject:
    """`reasoning`; what it says is taken out of `config`."""
    said = fields(object_at(config.get("thinkingConfig"), "generationConfig.thinkingConfig"))
    config.pop("thinkingConfig", None)
    shown, level, budget = (said.pop(name, None) for name in ("includeThoughts", "thinkingLevel", "thinkingBudget"))
    reasoning: JSONObject = {}
    if (effort := text(level).lower()) in _LEVELS:
        reasoning["effort"] = effort
    elif level is not None:
        said["thinkingLevel"] = level
    tokens = count(budget)
    if tokens is not None and tokens >= 0:
        reasoning["budget_tokens"] = tokens
    elif budget is not None:
        said["thinkingBudget"] = budget  # -1 leaves it to the model.
    if said:
        config["thinkingConfig"] = said
    if tokens == 0:
        return {"reasoning": False}
    if shown is True:
        return {"reasoning": reasoning if len(reasoning) > 1 else next(iter(reasoning.values()), True)}
    if reasoning or shown is False:
        return {"reasoning": reasoning | {"summary": False}}
    return {}


def _tool_choice(config: JSONObject, *, functions: bool) -> tuple[Any, JSONObject]:
    """The setting `tool_choice`, and what else `toolConfig` says."""
    said = fields(object_at(config.get("functionCallingConfig"), "toolConfig.functionCallingConfig"))
    if not functions:
        return None, config
    config.pop("functionCallingConfig", None)
    names: object = said.get("allowedFunctionNames")
    match said.get("mode"):
        case None | "MODE_UNSPECIFIED" | "AUTO" if not said.keys() - {"mode"}:
            return None, config
        case "NONE" if not said.keys() - {"mode"}:
            return "none", config
        case "ANY" if not said.keys() - {"mode"}:
            return "required", config
        case "ANY" if isinstance(names, list) and len(said) == 2 and _is_name(cast("list[object]", names)):
            return cast("list[object]", names)[0], config
        case _:
            return said, config


def _is_name(names: list[object]) -> bool:
    """Whether a choice names one tool, and no word that has a meaning of its own."""
    return len(names) == 1 and isinstance(names[0], str) and names[0] not in TOOL_CHOICES
