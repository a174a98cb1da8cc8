"""The request half of the Chat Completions wire format."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from ..errors import EncodeError
from ..messages import (
    MediaPart,
    Message,
    ModelRequest,
    ReasoningPart,
    RefusalPart,
    Settings,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
)
from ._dialect import Dialect, Encoded, RequestSummary
from ._json import JSONObject, obj, objs, text

_REASONING_MODELS = re.compile(r"(^|/)(o1|o3|o4|gpt-5|gpt-oss)")
"""Model ids that take `max_completion_tokens`, and refuse or ignore `max_tokens`."""

_PLAIN = ("temperature", "top_p", "stop", "seed", "presence_penalty", "frequency_penalty", "response_format")
_CHOICES = ("auto", "none", "required")
_AUDIO = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}


def encode_request(request: ModelRequest, dialect: Dialect, origin: str | None = None) -> Encoded:
    """The request's body.

    Args:
        dialect: what this provider's requests have of their own.
        origin: the provider that it goes to: opaque reasoning data of another stays home, and is reported.

    Raises:
        EncodeError: the format has no words for a part, or the provider has no such option.
    """
    settings, losses = request.settings, list[str]()
    body: JSONObject = {
        "model": request.model,
        "messages": [
            encoded for message in request.messages for encoded in _encode_message(message, dialect, origin, losses)
        ],
    }
    if (limit := settings.get("max_tokens")) is not None:
        body["max_completion_tokens" if _REASONING_MODELS.search(request.model) else "max_tokens"] = limit
    body |= {name: value for name in _PLAIN if (value := settings.get(name)) is not None}
    if effort := settings.get("reasoning_effort"):
        nested = dialect.reasoning_effort == "reasoning"
        body |= {"reasoning": {"effort": effort}} if nested else {"reasoning_effort": effort}
    body |= _encode_tools(request.tools, settings)
    body |= dialect.body
    headers = _encode_options(settings.get("options") or {}, dialect, body)
    if request.stream:
        body["stream"] = True
        if dialect.stream_usage:
            body["stream_options"] = {"include_usage": True}
    body |= settings.get("extra_body") or {}
    headers |= settings.get("extra_headers") or {}
    return Encoded(_to_json(body), tuple(headers.items()), tuple(losses))


def describe_request(body: bytes) -> RequestSummary:
    """What a recorded request asked for, as far as it says so."""
    try:
        fields = obj(msgspec.json.decode(body))
    except (ValueError, RecursionError):
        return RequestSummary()
    stream = fields.get("stream")
    prompts = [message for message in objs(fields.get("messages")) if message.get("role") == "user"]
    return RequestSummary(
        text(fields.get("model")) or None,
        stream if isinstance(stream, bool) else None,
        _said(prompts[-1].get("content")) if prompts else None,
    )


def _said(content: object) -> str | None:
    return text(content) or "".join(text(piece.get("text")) for piece in objs(content)) or None


def _encode_tools(tools: tuple[ToolSpec, ...], settings: Settings) -> JSONObject:
    if not tools:
        return {}
    choice = settings.get("tool_choice", "auto")
    if isinstance(choice, str) and choice not in _CHOICES:
        choice = {"type": "function", "function": {"name": choice}}
    body: JSONObject = {"tool_choice": choice, "tools": [_encode_tool(tool) for tool in tools]}
    if (parallel := settings.get("parallel_tool_calls")) is not None:
        body["parallel_tool_calls"] = parallel
    return body


def _encode_tool(tool: ToolSpec) -> JSONObject:
    function: JSONObject = {"name": tool.name, "strict": False, "parameters": tool.parameters}
    if tool.description:
        function["description"] = tool.description
    return {"type": "function", "function": function}


def _encode_options(options: Mapping[str, Any], dialect: Dialect, body: JSONObject) -> dict[str, str]:
    """Put a provider's own options where they belong: into `body`, or into the headers that are returned."""
    headers: dict[str, str] = {}
    for name, value in options.items():
        if name in dialect.option_fields:
            body[name] = value
        elif name in dialect.option_headers:
            headers[dialect.option_headers[name]] = str(value)
        else:
            known = ", ".join([*dialect.option_fields, *dialect.option_headers]) or "none"
            raise EncodeError(
                f"this provider has no option {name!r}; its options are: {known}. "
                "Fields that Playhead does not know go into `extra_body`."
            )
    return headers


def _encode_message(
    message: Message, dialect: Dialect, origin: str | None, losses: list[str]
) -> Iterable[JSONObject]:
    match message.role:
        case "system":
            yield {"role": "system", "content": message.text}
        case "user":
            yield {"role": "user", "content": _encode_content(message)}
        case "assistant":
            yield _encode_assistant(message, dialect, origin, losses)
        case "tool":
            yield from _encode_results(message)


def _encode_content(message: Message) -> str | list[JSONObject]:
    if all(isinstance(part, TextPart) for part in message.parts):
        return message.text
    return [_encode_piece(part, message.role) for part in message.parts]


def _encode_piece(part: object, role: str) -> JSONObject:
    match part:
        case TextPart():
            return {"type": "text", "text": part.text}
        case MediaPart():
            return _encode_media(part)
        case _:
            raise EncodeError(f"a {role} message cannot hold a {type(part).__name__} in this wire format")


def _encode_media(part: MediaPart) -> JSONObject:
    kind = part.media_type
    data = None if part.data is None else base64.b64encode(part.data).decode()
    if data is None and part.url is None:
        raise EncodeError(f"a {kind} part has neither `data` nor `url`")
    if kind.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": part.url or f"data:{kind};base64,{data}"}}
    if kind in _AUDIO and data is not None:
        return {"type": "input_audio", "input_audio": {"data": data, "format": _AUDIO[kind]}}
    if kind == "application/pdf" and data is not None:
        file = {"filename": part.filename or "document.pdf", "file_data": f"data:{kind};base64,{data}"}
        return {"type": "file", "file": file}
    how = "by URL" if data is None else "as bytes"
    raise EncodeError(
        f"chat completions cannot carry {kind} {how}: images go by URL or as bytes, WAV, MP3 and PDF as bytes"
    )


def _encode_assistant(message: Message, dialect: Dialect, origin: str | None, losses: list[str]) -> JSONObject:
    body: JSONObject = {"role": "assistant"}
    words = "".join(part.text for part in message.parts if isinstance(part, TextPart))
    refusal = "".join(part.text for part in message.parts if isinstance(part, RefusalPart))
    if refusal:
        body["refusal"] = refusal
    if words or not (message.tool_calls or refusal):
        body["content"] = words
    if message.tool_calls:
        body["tool_calls"] = [_encode_call(call) for call in message.tool_calls]
    body |= _encode_reasoning(message, origin, losses)
    if dialect.reasoning_history and message.tool_calls:
        body.setdefault("reasoning_content", message.reasoning)
    return body


def _encode_call(call: ToolCallPart) -> JSONObject:
    # An empty string is not JSON, and some providers refuse it in history.
    function = {"name": call.name, "arguments": call.arguments or "{}"}
    return {"id": call.id, "type": "function", "function": function}


def _encode_reasoning(message: Message, origin: str | None, losses: list[str]) -> JSONObject:
    """Reasoning in the form in which its issuer sent it, which is the form in which it wants it back."""
    parts = [part for part in message.parts if isinstance(part, ReasoningPart)]
    if strangers := {part.origin for part in parts if part.origin not in (None, origin)}:
        losses.append(f"reasoning of {', '.join(sorted(map(str, strangers)))} stayed home")
        parts = [part for part in parts if part.origin in (None, origin)]
    body: JSONObject = {}
    if details := [entry for part in parts for entry in part.details]:
        body["reasoning_details"] = details
    fields = {part.field for part in parts if part.field}
    for field in fields if not details else fields - {"reasoning"}:
        body[field] = "".join(part.text for part in parts)
    return body


def _encode_results(message: Message) -> Iterable[JSONObject]:
    """One message a result; media must follow as a user message, after all of them."""
    media: list[JSONObject] = []
    for part in message.parts:
        if not isinstance(part, ToolResultPart):
            raise EncodeError(f"a tool message cannot hold a {type(part).__name__}")
        yield {"role": "tool", "tool_call_id": part.call_id, "content": part.text}
        if part.media:
            media.append({"type": "text", "text": f"What {part.name} returned (call {part.call_id}):"})
            media.extend(_encode_media(item) for item in part.media)
    if media:
        yield {"role": "user", "content": media}


def _to_json(body: JSONObject) -> bytes:
    try:
        return msgspec.json.encode(body)
    except (TypeError, ValueError, UnicodeEncodeError) as error:
        fields = [name for name, value in body.items() if not _encodable(value)]
        raise EncodeError(f"the request cannot be said as JSON, in {', '.join(fields)}: {error}") from error


def _encodable(value: object) -> bool:
    try:
        msgspec.json.encode(value)
    except (TypeError, ValueError):
        return False
    return True
