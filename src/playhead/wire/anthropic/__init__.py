"""
The Messages wire format of Anthropic: also behind Vertex (`rawPredict`), and inside Bedrock's `invoke`.

https://docs.claude.com/en/api/messages, https://docs.claude.com/en/docs/build-with-claude/streaming

How blocks become parts, and what stands in their opaque data (wire `anthropic`):

    text                        TextPart, citations with the raw object; fields that are not known, by their names
    thinking                    ReasoningPart, {"signature": ...}
    redacted_thinking           ReasoningPart without text, {"redacted": ...}
    tool_use                    ToolCallPart, {"caller": ..., "toolset_name": ...}
    server_tool_use, mcp_...    ToolCallPart that the provider executes, {"type": ..., "caller": ...}
    *_tool_result               ToolResultPart in the assistant's message, {"block": the whole block}
    container_upload            MediaPart with a file's id, {"block": ...}
    anything else               ToolResultPart of no call, named like the block, {"block": ...}
"""

from __future__ import annotations

from .._refusals import read_error
from ._blocks import NAME
from ._decoder import PATH, STREAM_PATH, STREAM_TYPE, Decoder, decode_usage
from ._encoder import Encoder
from ._errors import encode_error
from ._request import encode_request
from ._server import decode_request

__all__ = [
    "NAME",
    "PATH",
    "STREAM_PATH",
    "STREAM_TYPE",
    "Decoder",
    "Encoder",
    "decode_request",
    "decode_usage",
    "encode_error",
    "encode_request",
    "read_error",
]
