"""
The Gemini wire format: `generateContent` and `streamGenerateContent`, of the Gemini API and of Vertex.

A call's id is often absent, and made up then; usage is cumulative, so that the last one counts; a stream has no last
event, and is whole when a finish reason came.

https://ai.google.dev/api/generate-content, https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference
"""

from __future__ import annotations

from ._decoder import PATH, STREAM_PATH, STREAM_TYPE, Decoder, decode_usage
from ._encoder import Encoder
from ._parts import NAME
from ._refusals import encode_error, read_error
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
