"""
The Responses wire format, as OpenAI and Azure speak it, and those that imitate them.

An answer is a list of items. A message's texts and refusals are parts, each with its item's id; a reasoning item is a
part, even if nothing of it can be read; calls of functions are parts. Other calls are those of

* the provider's own tools (web search, file search, code interpreter, images, MCP): `provider_executed` is True, the
  whole item stands in `opaque.data["item"]`, and what it gave follows as a result or a media part;
* tools that OpenAI defines and the caller runs (`computer`, `local_shell`, `shell`, `apply_patch`) and custom tools:
  the arguments are the item's action, or `{"input": ...}`; the result goes back in the form that the call wants.

Of items of another kind a reasoning part without text carries the whole, so that they go back where they stood.

https://platform.openai.com/docs/api-reference/responses, https://platform.openai.com/docs/guides/streaming-responses
"""

from __future__ import annotations

from .._refusals import read_error
from ._decoder import PATH, STREAM_PATH, STREAM_TYPE, Decoder
from ._encoder import Encoder
from ._errors import encode_error
from ._items import NAME
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
    "encode_error",
    "encode_request",
    "read_error",
]
