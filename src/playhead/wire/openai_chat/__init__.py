"""
The Chat Completions wire format, as OpenAI and its many imitators speak it.

https://platform.openai.com/docs/api-reference/chat, https://openrouter.ai/docs/api-reference/overview
"""

from __future__ import annotations

from .._refusals import read_error
from ._decoder import PATH, STREAM_PATH, STREAM_TYPE, Decoder, decode_usage
from ._encoder import Encoder
from ._errors import encode_error
from ._names import NAME
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
