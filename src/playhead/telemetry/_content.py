"""
What was said, in the JSON that the conventions have for it. Secrets are taken out, and bytes are left out.

The schemas are gen-ai-input-messages.json, gen-ai-output-messages.json and gen-ai-system-instructions.json in
https://github.com/open-telemetry/semantic-conventions-genai/tree/main/docs/gen-ai
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from ..messages import (
    MediaPart,
    Message,
    ModelRequest,
    ModelResponse,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from ..tape.redact import safe_url
from ..tape.secrets import Redaction

_FINISH = {"tool_calls": "tool_call"}
"""Reasons for which the conventions have another word."""


class Content:
    """Makes the attributes that hold what was said."""

    def __init__(self) -> None:
        self._redaction = Redaction().opened()

    def of_request(self, request: ModelRequest) -> dict[str, str]:
        """The instructions and the conversation that a model is told of."""
        first = next((n for n, message in enumerate(request.messages) if message.role != "system"), None)
        system = request.messages[:first]
        found = {"gen_ai.input.messages": self._text([_message(m) for m in request.messages[len(system) :]])}
        if system:
            found["gen_ai.system_instructions"] = self._text([_part(part) for m in system for part in m.parts])
        if request.tools:
            names = [{"type": "function", "name": tool.name} for tool in request.tools]
            found["gen_ai.tool.definitions"] = self._text(names)
        return found

    def of_answer(self, response: ModelResponse, *, whole: bool) -> dict[str, str]:
        """What a model answered.

        Args:
            whole: whether it came to its end.
        """
        reason = _FINISH.get(response.finish_reason, response.finish_reason) if whole else "error"
        return self.of_output(response.message, reason)

    def of_output(self, message: Message, reason: str) -> dict[str, str]:
        """The message that something ended with."""
        return {"gen_ai.output.messages": self._text([_message(message) | {"finish_reason": reason}])}

    def of_arguments(self, call: ToolCallPart) -> dict[str, str]:
        """What a tool is called with: JSON as the model wrote it."""
        return {"gen_ai.tool.call.arguments": self._redaction.text(call.arguments)}

    def of_result(self, text: str) -> dict[str, str]:
        """What a tool gave back."""
        return {"gen_ai.tool.call.result": self._redaction.text(text)}

    def _text(self, value: Any) -> str:
        try:
            text = msgspec.json.encode(value).decode()
        except UnicodeEncodeError:  # Half a character of two: it goes as an escape.
            text = json.dumps(value)
        return self._redaction.text(text)


def _message(message: Message) -> dict[str, Any]:
    served = message.role == "assistant"
    parts = [_served(p) if served and isinstance(p, ToolResultPart) else _part(p) for p in message.parts]
    return {"role": message.role, "parts": parts}


def _part(part: Part) -> dict[str, Any]:
    match part:
        case TextPart() | RefusalPart():
            return {"type": "text", "content": part.text}
        case ReasoningPart():
            return {"type": "reasoning", "content": part.text}
        case ToolCallPart(provider_executed=True):
            inner = {"type": part.name, "arguments": _decoded(part.arguments)}
            return {"type": "server_tool_call", "id": part.id, "name": part.name, "server_tool_call": inner}
        case ToolCallPart():
            return {"type": "tool_call", "id": part.id, "name": part.name, "arguments": _decoded(part.arguments)}
        case MediaPart():
            return _media(part)
        case ToolResultPart():
            media = [_media(item) for item in part.media]
            found = {"type": "tool_call_response", "id": part.call_id, "response": part.text}
            return {**found, "media": media} if media else found


def _served(part: ToolResultPart) -> dict[str, Any]:
    """The result of a tool that the provider ran itself."""
    inner = {"type": part.name, "response": part.text}
    return {"type": "server_tool_call_response", "id": part.call_id, "server_tool_call_response": inner}


def _media(part: MediaPart) -> dict[str, Any]:
    """An image or a document: where it is found, but not its bytes, which are too many for a span."""
    kind = part.media_type.partition("/")[0]
    common = {"mime_type": part.media_type, "modality": kind if kind in ("image", "video", "audio") else "document"}
    if part.file_id is not None:
        return {"type": "file", **common, "file_id": part.file_id}
    if part.url is not None:
        return {"type": "uri", **common, "uri": safe_url(part.url)}
    return {"type": "playhead.bytes_left_out", **common, "bytes": len(part.data or b"")}


def _decoded(arguments: str) -> Any:
    """Arguments as an object; as text where they are not JSON."""
    try:
        return msgspec.json.decode(arguments) if arguments.strip() else {}
    except msgspec.DecodeError:
        return arguments
