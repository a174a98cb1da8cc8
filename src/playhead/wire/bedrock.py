"""
Anthropic's models behind Amazon Bedrock's `invoke`: the bodies are Anthropic's, the streams Amazon's.

The model, and whether the answer is streamed, stand in the path; `anthropic_version` and the betas in the body. What
is opaque, and an answer's own terms, are Anthropic's (wire `anthropic`): a history moves freely between Anthropic,
Vertex and Bedrock.

https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html,
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, cast

import msgspec

from ..errors import DecodeError, EncodeError, PlayheadError
from ..messages import MediaPart, ModelRequest, Settings, ToolResultPart
from . import _bedrock_errors, anthropic
from ._bedrock_errors import check_message, encode_error, read_error, stream_exception
from ._bedrock_paths import read_path
from ._decoder import event_object
from ._dialect import Dialect, Encoded
from ._eventstream import CONTENT_TYPE, EventStreamDecoder, encode_event, encode_exception
from ._json import JSONObject, keep, obj, text, to_json

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

NAME = "bedrock"
PATH = "/model/{model}/invoke"
STREAM_PATH = "/model/{model}/invoke-with-response-stream"
STREAM_TYPE = CONTENT_TYPE
VERSION = "bedrock-2023-05-31"

decode_usage = anthropic.decode_usage

_METRICS = "amazon-bedrock-invocationMetrics"
"""What Bedrock measured; it stands in the last event of a stream."""

_TIER_HEADER = "X-Amzn-Bedrock-Service-Tier"


def encode_request(request: ModelRequest, dialect: Dialect, origin: str | None = None) -> Encoded:
    """The request's body, and headers that settings ask for.

    Args:
        request: what is asked for.
        dialect: what this provider's requests have of their own.
        origin: the provider that it goes to: opaque data of another stays home, and is reported.

    Raises:
        EncodeError: the format has no words for a part, or the provider has no such option or tool.
    """
    if named := [tool.name for tool in request.provider_tools if tool.raw is None]:
        raise EncodeError(
            f"Bedrock runs none of Anthropic's own tools, and was asked for {', '.join(named)}: give your own tool, "
            "or its definition as ProviderTool(raw=...)"
        )
    for message in request.messages:
        for part in message.parts:
            for file in part.media if isinstance(part, ToolResultPart) else (part,):
                _check_file(file)
    settings = dict(request.settings)
    tier = None if "service_tier" in dialect.unsupported else settings.pop("service_tier", None)
    encoded = anthropic.encode_request(
        msgspec.structs.replace(request, settings=cast("Settings", settings)),
        msgspec.structs.replace(
            dialect,
            body={"anthropic_version": VERSION, **dialect.body},
            without=(*dialect.without, "model", "stream"),
        ),
        origin,
    )
    # The values are not looked into: images make them long.
    body = msgspec.json.decode(encoded.body, type=dict[str, msgspec.Raw])
    headers = [pair for pair in encoded.headers if pair[0].lower() != "anthropic-beta"]
    if betas := _betas(encoded, body.get("anthropic_beta")):
        body["anthropic_beta"] = msgspec.Raw(msgspec.json.encode(betas))
    if choice := body.get("tool_choice"):
        said = {name: value for name, value in obj(msgspec.json.decode(choice)).items() if value is not False}
        body["tool_choice"] = msgspec.Raw(to_json(said))
    if tier is not None:
        headers.append((_TIER_HEADER, str(tier)))
    return msgspec.structs.replace(encoded, body=msgspec.json.encode(body), headers=tuple(headers))


def _check_file(part: object) -> None:
    """Nothing, if it is no file, or one that comes as bytes.

    Raises:
        EncodeError: it stands somewhere where Bedrock does not look for it.
    """
    if isinstance(part, MediaPart) and part.data is None:
        where = "by URL" if part.url is not None else "by the id of a file"
        raise EncodeError(f"Bedrock's Claude cannot take {part.media_type} {where}: pass its bytes")


def _betas(encoded: Encoded, given: msgspec.Raw | None) -> list[str]:
    """The betas that a header would name, beside those that the body has already."""
    try:
        said: list[str] | str = msgspec.json.decode(given, type=list[str] | str) if given else []
    except ValueError:
        return []  # Something else is meant, and stands as it is.
    headers = ",".join(value for name, value in encoded.headers if name.lower() == "anthropic-beta")
    there = [said] if isinstance(said, str) else said
    return list(dict.fromkeys([*there, *filter(None, (word.strip() for word in headers.split(",")))]))


def decode_request(body: bytes, path: str, origin: str | None = None) -> ModelRequest:
    """What a request to Bedrock's `invoke` asks for.

    Args:
        body: JSON, in Anthropic's format.
        path: of the URL, which names the model and says whether the answer is to be streamed.
        origin: noted on opaque data; None where nobody knows who issued it.

    Raises:
        DecodeError: the request is none; the sentence says which field is wrong.
    """
    model, stream = read_path(path)
    return msgspec.structs.replace(anthropic.decode_request(body, path, origin), model=model, stream=stream)


class Decoder(anthropic.Decoder):
    """Response bytes in, events out: Anthropic's, in Amazon's frames. See `playhead.wire.Decoder`.

    Args:
        origin: whose answer it is, noted on opaque data.
    """

    def __init__(self, origin: str | None = None) -> None:
        super().__init__(origin)
        self._frames = EventStreamDecoder()

    def _begins_well(self) -> bool:
        return self._head[0] <= 1  # A message's length, which has four bytes.

    def _event(self, name: bytes, data: bytes) -> None:
        check_message(name, data)
        frame = event_object(data) if data else {}
        if name == b"chunk":
            super()._event(b"", _unpacked(frame.get("bytes")))
        else:
            keep(self._out.metadata, {name.decode("utf-8", "replace"): frame}, frozenset())

    def _whole(self, body: Any) -> None:
        message = obj(body)
        if "content" not in message and (text(message.get("message")) or text(message.get("Message"))):
            raise _bedrock_errors.read_error(bytes(self._body or b""), 200)
        super()._whole(body)


def _unpacked(packed: object) -> bytes:
    if not isinstance(packed, str):
        raise DecodeError("a message of the event stream should carry `bytes`, and does not")
    try:
        return base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        raise DecodeError(f"the `bytes` of a message should be base64, but begin with {packed[:40]!r}") from None


class Encoder(anthropic.Encoder):
    """Events in, response bytes out: Anthropic's, in Amazon's frames. See `playhead.wire.Encoder`.

    Args:
        stream: whether the answer is an event stream, or one JSON body.
    """

    def __init__(self, stream: bool) -> None:
        super().__init__(stream)
        self._metrics: object = None

    def fail(self, error: PlayheadError) -> bytes:
        """How a stream that has begun says that it breaks off; as a body, what went wrong."""
        return encode_exception(*stream_exception(error)) if self._stream else encode_error(error)[1]

    def _frame(self, name: str, payload: JSONObject) -> bytes:
        if name == "message_delta":
            self._metrics = obj(payload.get("delta")).pop(_METRICS, None)
        elif name == "message_stop" and self._metrics is not None:
            payload = {**payload, _METRICS: self._metrics}
        packed = base64.b64encode(to_json(payload)).decode()
        try:
            return encode_event("chunk", to_json({"bytes": packed}))
        except ValueError as error:
            raise EncodeError(f"a piece of the answer is too long for an event stream: {error}") from error
