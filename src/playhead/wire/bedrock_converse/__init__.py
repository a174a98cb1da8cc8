"""
Amazon Bedrock's Converse: one format for the models of all makers, whole or as an AWS event stream.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html,
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html

What it cannot say: an answer's id, model, cost, sources and reasoning tokens; refusals, which become text; sounds and
files other than images in a stream; ids of calls with other characters than letters, digits and `_.:-`; the white
space in a call's arguments, where the answer is not streamed.
"""

from __future__ import annotations

from .._bedrock_errors import encode_error, read_error
from ._decoder import PATH, STREAM_PATH, STREAM_TYPE, Decoder, decode_usage
from ._encoder import Encoder
from ._media import NAME
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
