"""The other half of a request to Converse: somebody else's, read."""

from __future__ import annotations

import math
from itertools import groupby

import msgspec

from ...errors import DecodeError
from ...messages import (
    Message,
    ModelRequest,
    Opaque,
    Part,
    ReasoningPart,
    Role,
    Settings,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
)
from .._bedrock_paths import read_path
from .._json import JSONObject, loads, obj, objs, text
from ._content import (
    cached,
    compact,
    decode_citation,
    decode_result,
    is_objects,
    only_member,
    unknown_block,
)
from ._media import KINDS, NAME, decode_media
from ._models import read_reasoning
from ._request import ADDITIONAL

_READ = frozenset({"messages", "system", "inferenceConfig", "toolConfig", "serviceTier", "outputConfig", ADDITIONAL})
"""What is understood. All else goes into `extra_body`."""

_INFERENCE = {"maxTokens": "max_tokens", "temperature": "temperature", "topP": "top_p", "stopSequences": "stop"}


def decode_request(body: bytes, path: str, origin: str | None = None) -> ModelRequest:
    """What a request to Converse asks for.

    Args:
        body: JSON.
        path: of the URL, which names the model and says whether the answer is to be streamed.
        origin: noted on opaque data; None where nobody knows who issued it.

    Raises:
        DecodeError: the request is none; the sentence says which field is wrong.
    """
    model, stream = read_path(path)
    value = loads(body, "the request")
    if not isinstance(value, dict):
        raise DecodeError("the request should be a JSON object")
    request = obj(value)  # pyright: ignore[reportUnknownArgumentType]
    reader = _Reader(origin)
    messages = (
        [Message("system", tuple(reader.parts(_list(request, "system"), "system")))]
        if _list(request, "system")
        else []
    )
    for n, turn in enumerate(_list(request, "messages")):
        messages += reader.turn(turn, f"messages[{n}]")
    settings, extra = _settings(request, model)
    tools = _tools(request, settings, extra)
    if extra:
        settings["extra_body"] = extra
    return ModelRequest(model, tuple(messages), tuple(tools), settings, stream)


class _Reader:
    """Reads content blocks; it remembers which tool each call was for."""

    def __init__(self, origin: str | None) -> None:
        self._origin = origin
        self._names: dict[str, str] = {}

    def turn(self, turn: JSONObject, where: str) -> list[Message]:
        """The messages in a turn: results of tools stand apart from what the user says."""
        said = turn.get("role")
        if said not in ("user", "assistant", "system"):
            raise DecodeError(f"{where}.role should be user or assistant, but is {said!r:.80}")
        role: Role = said
        parts = self.parts(_list(turn, "content", where), where)
        if role == "assistant":
            return [Message("assistant", tuple(parts))]
        return [
            Message("tool" if results else role, tuple(group))
            for results, group in groupby(parts, lambda part: isinstance(part, ToolResultPart))
        ]

    def parts(self, blocks: list[JSONObject], where: str) -> list[Part]:
        """The parts that content blocks are."""
        parts: list[Part] = []
        for n, block in enumerate(blocks):
            kind, value = only_member(block)
            if not (kind == "cachePoint" and cached(parts, block)):
                parts.append(self._part(block, kind, value, f"{where}.content[{n}].{kind}"))
        return parts

    def _part(self, block: JSONObject, kind: str, value: object, where: str) -> Part:
        match kind:
            case "text":
                return TextPart(_text(value, where))
            case "citationsContent":
                return self._cited(obj(value))
            case "reasoningContent":
                return self._reasoning(obj(value)) or unknown_block(block, self._origin)
            case "toolUse":
                return self._call(obj(value), where)
            case "toolResult":
                id = _text(obj(value).get("toolUseId"), f"{where}.toolUseId")
                return decode_result(obj(value), self._names.get(id, ""), self._origin)
            case _:
                media = decode_media(kind, value, self._origin) if kind in KINDS else None
                return media or unknown_block(block, self._origin)

    def _cited(self, value: JSONObject) -> TextPart:
        said = "".join(text(piece.get("text")) for piece in objs(value.get("content")))
        return TextPart(said, tuple(decode_citation(raw, self._origin) for raw in objs(value.get("citations"))))

    def _reasoning(self, value: JSONObject) -> ReasoningPart | None:
        words = obj(value.get("reasoningText"))
        if redacted := text(value.get("redactedContent")):
            return ReasoningPart("", Opaque(NAME, {"redacted": redacted}, self._origin))
        if not words:
            return None
        signature = text(words.get("signature"))
        data = {"signature": signature} if signature else {"unsigned": True}
        return ReasoningPart(text(words.get("text")), Opaque(NAME, data, self._origin))

    def _call(self, value: JSONObject, where: str) -> ToolCallPart:
        id, name = (_text(value.get(field), f"{where}.{field}") for field in ("toolUseId", "name"))
        self._names[id] = name
        ran = value.get("type") == "server_tool_use"
        fields = {key: item for key, item in value.items() if key not in ("toolUseId", "name", "input", "type")}
        # A call that the provider ran goes back to it, and to nobody else.
        data = ({"fields": fields} if fields else {}) | ({"ran": True} if ran else {})
        opaque = Opaque(NAME, data, self._origin) if data else None
        return ToolCallPart(id, name, compact(value.get("input")), ran, opaque)


def _settings(request: JSONObject, model: str) -> tuple[Settings, JSONObject]:
    settings: JSONObject = {}
    extra = {name: value for name, value in request.items() if name not in _READ}
    inference = dict(obj(request.get("inferenceConfig")))
    for word, name in _INFERENCE.items():
        if (value := inference.pop(word, None)) is not None:
            settings[name] = value
    if inference:
        extra["inferenceConfig"] = inference
    additional = dict(obj(request.get(ADDITIONAL)))
    if (reasoning := read_reasoning(model, additional)) is not None:
        settings["reasoning"] = reasoning
    if additional:
        extra[ADDITIONAL] = additional
    tier = obj(request.get("serviceTier"))
    if isinstance(tier.get("type"), str) and tier.keys() == {"type"}:
        settings["service_tier"] = tier["type"]
    elif tier:
        extra["serviceTier"] = tier
    output = obj(request.get("outputConfig"))
    if schema := _schema(output):
        settings["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif output:
        extra["outputConfig"] = output
    return _typed(settings), extra


def _typed(settings: JSONObject) -> Settings:
    for word, name in _INFERENCE.items():
        if isinstance(value := settings.get(name), float) and not math.isfinite(value):
            raise DecodeError(f"inferenceConfig.{word} should be a finite number, but is {value}")
    try:
        return msgspec.convert(settings, Settings)
    except msgspec.ValidationError as error:
        words = {name: word for word, name in _INFERENCE.items()}
        wrong = str(error)
        for name, word in words.items():
            wrong = wrong.replace(f"$.{name}", f"inferenceConfig.{word}")
        raise DecodeError(f"the request is wrong: {wrong}") from None


def _schema(output: JSONObject) -> JSONObject | None:
    """The schema that an answer is to follow; None where the output is asked for in more ways."""
    format = obj(output.get("textFormat"))
    said = obj(obj(format.get("structure")).get("jsonSchema"))
    if output.keys() != {"textFormat"} or not isinstance(said.get("schema"), str):
        return None
    schema = loads(said["schema"].encode("utf-8", "replace"), "outputConfig...jsonSchema.schema")
    if not isinstance(schema, dict) or said.keys() - {"schema", "name", "description"}:
        return None
    return {**said, "schema": schema}


def _tools(request: JSONObject, settings: Settings, extra: JSONObject) -> list[ToolSpec]:
    config = obj(request.get("toolConfig"))
    tools: list[ToolSpec] = []
    for n, entry in enumerate(_list(config, "tools", "toolConfig")):
        kind, value = only_member(entry)
        if kind == "cachePoint" and tools and tools[-1].raw is None and obj(value).get("type") == "default":
            tools[-1] = msgspec.structs.replace(tools[-1], cache="1h" if obj(value).get("ttl") == "1h" else "5m")
        elif kind == "toolSpec" and obj(value).keys() <= {"name", "description", "inputSchema", "strict"}:
            tools.append(_tool(obj(value), f"toolConfig.tools[{n}].toolSpec"))
        elif not kind or isinstance(entry.get("type"), str):
            raise DecodeError(f"toolConfig.tools[{n}] should hold a toolSpec, a systemTool or a cachePoint")
        else:
            tools.append(ToolSpec(text(obj(value).get("name")), "", {}, raw=entry))
    match config.get("toolChoice"):
        case None:
            pass
        case {"auto": _}:
            settings["tool_choice"] = "auto"
        case {"any": _}:
            settings["tool_choice"] = "required"
        case {"tool": {"name": str(name)}} if name not in ("auto", "none", "required"):
            settings["tool_choice"] = name
        case choice:
            settings["tool_choice"] = obj(choice)
    if config.keys() - {"tools", "toolChoice"}:
        extra["toolConfig"] = config
    return tools


def _tool(spec: JSONObject, where: str) -> ToolSpec:
    schema = obj(spec.get("inputSchema"))
    if not isinstance(schema.get("json"), dict):
        raise DecodeError(f"{where}.inputSchema.json should be a JSON schema")
    strict = spec.get("strict")
    return ToolSpec(
        _text(spec.get("name"), f"{where}.name"),
        text(spec.get("description")),
        obj(schema["json"]),
        strict if isinstance(strict, bool) else None,
    )


def _list(fields: JSONObject, name: str, where: str = "") -> list[JSONObject]:
    """A list of objects; empty where there is none."""
    value = fields.get(name)
    if value is not None and not is_objects(value):
        raise DecodeError(f"{where + '.' if where else ''}{name} should be a list of objects")
    return objs(value)


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise DecodeError(f"{where} should be a string")
    return value
