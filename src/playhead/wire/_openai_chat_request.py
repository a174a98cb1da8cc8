"""The request half of the Chat Completions wire format."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import Any

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
from ._dialect import Dialect, Encoded
from ._history import own, stayed_home
from ._json import JSONObject, to_json
from ._report import Report
from ._settings import options_into, thinking

NAME = "openai_chat"

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
    settings, report = request.settings, Report(NAME)
    body: JSONObject = {
        "model": request.model,
        "messages": [
            encoded for message in request.messages for encoded in _encode_message(message, dialect, origin, report)
        ],
    }
    if (limit := settings.get("max_tokens")) is not None:
        usual = "max_completion_tokens" if _REASONING_MODELS.search(request.model) else "max_tokens"
        body[dialect.max_tokens or usual] = limit
    body |= {name: value for name in _PLAIN if (value := settings.get(name)) is not None}
    if (thought := thinking(settings)) and (effort := thought.as_effort()):
        nested = dialect.reasoning == "reasoning"
        body |= {"reasoning": {"effort": effort}} if nested else {"reasoning_effort": effort}
    body |= _encode_tools(request.tools, settings)
    body |= dialect.body
    headers = options_into(body, settings.get("options") or {}, dialect)
    if request.stream:
        body["stream"] = True
        if dialect.stream_usage:
            body["stream_options"] = {"include_usage": True}
    body |= settings.get("extra_body") or {}
    headers |= settings.get("extra_headers") or {}
    return Encoded(to_json(body), tuple(headers.items()), report.losses, report.unsupported)


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


def _encode_message(message: Message, dialect: Dialect, origin: str | None, report: Report) -> Iterable[JSONObject]:
    match message.role:
        case "system":
            yield {"role": "system", "content": message.text}
        case "user":
            yield {"role": "user", "content": _encode_content(message)}
        case "assistant":
            yield _encode_assistant(message, dialect, origin, report)
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


def _encode_assistant(message: Message, dialect: Dialect, origin: str | None, report: Report) -> JSONObject:
    body: JSONObject = {"role": "assistant"}
    words = "".join(part.text for part in message.parts if isinstance(part, TextPart))
    refusal = "".join(part.text for part in message.parts if isinstance(part, RefusalPart))
    if refusal:
        body["refusal"] = refusal
    if words or not (message.tool_calls or refusal):
        body["content"] = words
    if message.tool_calls:
        body["tool_calls"] = [_encode_call(call) for call in message.tool_calls]
    body |= _encode_reasoning(message, origin, report)
    if dialect.reasoning_history and message.tool_calls:
        body.setdefault("reasoning_content", message.reasoning)
    return body


def _encode_call(call: ToolCallPart) -> JSONObject:
    # An empty string is not JSON, and some providers refuse it in history.
    function = {"name": call.name, "arguments": call.arguments or "{}"}
    return {"id": call.id, "type": "function", "function": function}


def _encode_reasoning(message: Message, origin: str | None, report: Report) -> JSONObject:
    """Reasoning in the form in which its issuer sent it, which is the form in which it wants it back."""
    body: JSONObject = {}
    details: list[Any] = []
    texts: dict[str, list[str]] = {}
    for part in message.parts:
        if not isinstance(part, ReasoningPart):
            continue
        data = own(part.opaque, NAME, origin)
        if data is None:
            if part.opaque is not None:
                stayed_home(part, report)
            continue
        details += data.get("details", ())
        if field := data.get("field"):
            texts.setdefault(field, []).append(part.text)
    if details:
        body["reasoning_details"] = details
    for field, words in texts.items():
        if not (details and field == "reasoning"):
            body[field] = "".join(words)
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
