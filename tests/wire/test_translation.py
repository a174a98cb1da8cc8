"""From every format into every other: what all of them can say arrives, and what they cannot is told."""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from conftest import expected, shared_tape
from playhead.events import MessageEnd, MessageEvent
from playhead.messages import (
    MediaPart,
    Message,
    ModelRequest,
    ModelResponse,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from playhead.tape.files import load_tape
from playhead.wire import WIRE_FORMATS, Dialect, wire_for_path, wire_format

TAPES = [
    name
    for name, cassette in expected().items()
    if all(response["status"] == 200 for response in cassette["responses"])
] or ["recorded"]


@cache
def exchanges(name: str) -> list[tuple[str, ModelRequest, list[MessageEvent]]]:
    """The format, the request and the answer of each interaction."""
    found: list[tuple[str, ModelRequest, list[MessageEvent]]] = []
    for call in load_tape(shared_tape(name)).interactions:
        path = urlsplit(call.request.url).path
        wire = wire_for_path(path)
        assert wire is not None
        request = wire.decode_request(call.request.body, path, "somebody")
        found.append((wire.NAME, request, decode(wire.NAME, call.body)))
    return found


def decode(name: str, body: bytes) -> list[MessageEvent]:
    decoder = wire_format(name).Decoder("somebody")
    return decoder.feed(body) + decoder.close()


def final(events: list[MessageEvent]) -> ModelResponse:
    assert isinstance(events[-1], MessageEnd)
    return events[-1].response


@pytest.mark.parametrize("target", WIRE_FORMATS)
@pytest.mark.parametrize("name", TAPES, ids=lambda name: name.removesuffix(".yaml"))
def test_an_answer_arrives_in_every_format(name: str, target: str) -> None:
    for source, _, events in exchanges(name):
        said = final(events)
        for stream in (True, False):
            encoder = wire_format(target).Encoder(stream)
            heard = final(decode(target, b"".join(encoder.send(event) for event in events)))
            assert words(heard) == words(said)
            assert calls(heard.message) == calls(said.message)
            assert heard.finish_reason == said.finish_reason
            assert counts(heard.usage) == counts(said.usage)
            if opaque(said) and source != target and {source, target} != {"anthropic", "bedrock"}:
                assert encoder.losses


@pytest.mark.parametrize("target", WIRE_FORMATS)
@pytest.mark.parametrize("name", TAPES, ids=lambda name: name.removesuffix(".yaml"))
def test_a_conversation_renders_for_every_format(name: str, target: str) -> None:
    wire = wire_format(target)
    for _, request, events in exchanges(name):
        whole = (*request.messages, final(events).message)
        plain = {key: value for key, value in request.settings.items() if key == "max_tokens"}
        asked = msgspec.structs.replace(request, messages=whole, settings=plain, provider_tools=(), model="m")
        asked = msgspec.structs.replace(asked, tools=tuple(msgspec.structs.replace(t, raw=None) for t in asked.tools))
        encoded = wire.encode_request(asked, Dialect(), "somebody else")
        path = wire.PATH.replace("{model}", "m")
        again = wire.decode_request(encoded.body, path, "somebody else")
        # What a tool returned beside text follows as a user's message where results hold text alone.
        assert texts(again.messages, "user").startswith(texts(whole, "user"))
        assert texts(again.messages, "system") == texts(whole, "system")
        assert texts(again.messages, "assistant") == texts(whole, "assistant")
        assert turns(again.messages) == turns(whole)
        assert [tool.name for tool in again.tools] == [tool.name for tool in asked.tools]
        if any(part_is_opaque(part) for message in whole for part in message.parts):
            assert encoded.losses


def words(response: ModelResponse) -> str:
    """Text and refusals: a format without refusals says them as text."""
    return "".join(part.text for part in response.message.parts if isinstance(part, TextPart | RefusalPart))


def calls(message: Message) -> list[tuple[str, Any]]:
    return [(call.name, msgspec.json.decode(call.arguments or "{}")) for call in message.tool_calls]


def counts(usage: Usage | None) -> tuple[int | None, ...]:
    usage = usage or Usage()
    return usage.input_tokens or 0, usage.output_tokens or 0, usage.cache_read_tokens or 0


def opaque(response: ModelResponse) -> bool:
    return any(part_is_opaque(part) for part in response.message.parts)


def part_is_opaque(part: Any) -> bool:
    """Whether a part has signatures or encrypted data. Ids of items and names of fields are of no use elsewhere."""
    data = part.opaque.data if getattr(part, "opaque", None) else {}
    return any(key in str(data) for key in ("signature", "encrypted", "redacted"))


def texts(messages: tuple[Message, ...], role: str) -> str:
    """With white space made even: Anthropic refuses parts of it alone."""
    return " ".join(" ".join(message.text for message in messages if message.role == role).split())


def turns(messages: tuple[Message, ...]) -> list[Any]:
    """The calls that the caller runs, and the results of each, whatever their ids became."""
    made: dict[str, int] = {}
    found: list[Any] = []
    for message in messages:
        for part in message.parts:
            if isinstance(part, ToolCallPart) and not part.provider_executed:
                made[part.id] = len(made)
                found.append(("call", part.name, msgspec.json.decode(part.arguments or "{}")))
            elif isinstance(part, ToolResultPart) and message.role == "tool":
                found.append(("result", made.get(part.call_id), part.text))
    return found


@pytest.mark.parametrize("target", WIRE_FORMATS)
def test_an_image_in_a_data_url_is_sent_as_its_bytes(target: str) -> None:
    wire = wire_format(target)
    said = ModelRequest("m", (Message("user", (MediaPart("image/png", url="data:image/png;base64,aGk="),)),))
    again = wire.decode_request(
        wire.encode_request(said, Dialect(), None).body, wire.PATH.replace("{model}", "m"), None
    )
    (part,) = again.messages[0].parts
    assert isinstance(part, MediaPart)
    assert (part.data, part.url) == (b"hi", None)
