"""Answers that Bedrock's formats write: read again they are the same, and Amazon's own client reads them, too."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, EventStreamError
from test_bedrock_converse import BEGIN, CITED, CLAUDE, END, PNG, RICH, SERVER_SIDE, WHOLE, call, delta, stop, stream

from conftest import expected, shared_tape
from playhead import EncodeError, ProviderError
from playhead.errors import DecodeError, PlayheadError, TransportError
from playhead.events import MessageEnd, MessageEvent, MessageStart, PartDelta, PartEnd, PartStart
from playhead.messages import (
    Citation,
    MediaPart,
    Message,
    ModelResponse,
    Opaque,
    Part,
    ReasoningPart,
    RefusalPart,
    Source,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from playhead.tape.files import load_tape
from playhead.wire import bedrock, bedrock_converse, openai_chat

ASK: Any = {"modelId": CLAUDE, "messages": [{"role": "user", "content": [{"text": "hi"}]}]}

CHATS = [
    (name, response["id"])
    for name, cassette in expected().items()
    for response in cassette["responses"]
    if response["protocol"] == "openai-chat" and "response" in response
] or [("recorded", 0)]
CLAUDES = [
    (name, response["id"])
    for name, cassette in expected().items()
    for response in cassette["responses"]
    if response.get("provider") == "bedrock"
] or [("recorded", 0)]

ODD = stream(
    BEGIN,
    delta(0, text=""),
    delta(1, reasoningContent={"text": "b"}),
    delta(2, text="c"),
    delta(0, text="a"),
    stop(1),
    delta(3, reasoningContent={"text": ""}),
    stop(3),
    delta(4, reasoningContent={"redactedContent": "AAEC"}),
    stop(2),
    stop(0),
    *END,
)


def events_of(data: bytes, decoder: Any) -> list[MessageEvent]:
    return decoder.feed(data) + decoder.close()


def converse(data: bytes) -> list[MessageEvent]:
    return events_of(data, bedrock_converse.Decoder("bedrock"))


def encode(events: list[MessageEvent], encoder: Any) -> bytes:
    return b"".join(encoder.send(event) for event in events)


def final(events: list[MessageEvent]) -> ModelResponse:
    assert isinstance(events[-1], MessageEnd)
    return events[-1].response


def recorded(name: str, n: int) -> bytes:
    return load_tape(shared_tape(name)).interactions[n].body


@pytest.mark.parametrize("data", [RICH, SERVER_SIDE, WHOLE, ODD], ids=["rich", "server-side", "whole", "odd"])
def test_converse_streams_the_same_events_again(data: bytes) -> None:
    events, encoder = converse(data), bedrock_converse.Encoder(True)
    assert converse(encode(events, encoder)) == events
    assert encoder.losses == ()


@pytest.mark.parametrize("data", [RICH, SERVER_SIDE, WHOLE], ids=["rich", "server-side", "whole"])
def test_converse_gives_the_same_response_as_a_body(data: bytes) -> None:
    events, encoder = converse(data), bedrock_converse.Encoder(False)
    again = final(converse(encode(events, encoder)))
    assert plain(again) == plain(final(events))
    assert encoder.losses == ()


def plain(response: ModelResponse) -> Any:
    """All of it, but for the white space in arguments: a body carries them as a value."""
    parts = [
        (part.id, part.name, json.loads(part.arguments), part.opaque) if isinstance(part, ToolCallPart) else part
        for part in response.message.parts
    ]
    return parts, response.usage, response.metadata, response.finish_reason, response.raw_finish_reason


@pytest.mark.parametrize(("name", "n"), CLAUDES)
def test_bedrock_gives_recorded_answers_again(name: str, n: int) -> None:
    data = recorded(name, n)
    events = events_of(data, bedrock.Decoder("anthropic"))
    encoder = bedrock.Encoder(True)
    streamed = encode(events, encoder)
    assert events_of(streamed, bedrock.Decoder("anthropic")) == events
    assert encoder.losses == ()
    whole = encode(events, bedrock.Encoder(False))
    assert plain(final(events_of(whole, bedrock.Decoder("anthropic")))) == plain(final(events))
    if "stream" in name:
        assert metrics_of(streamed) == metrics_of(data)


def metrics_of(data: bytes) -> Any:
    """What the last event of a stream says of the call."""
    result, _, _ = call("InvokeModelWithResponseStream", data, modelId=CLAUDE, body=b"{}")
    *_, last = (json.loads(event["chunk"]["bytes"]) for event in result["body"])
    assert last["type"] == "message_stop"
    return last["amazon-bedrock-invocationMetrics"]


@pytest.mark.parametrize("wire", [bedrock, bedrock_converse], ids=["bedrock", "converse"])
@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("name", "n"), CHATS)
def test_answers_of_other_formats_keep_what_can_be_said(name: str, n: int, streamed: bool, wire: Any) -> None:
    events = events_of(recorded(name, n), openai_chat.Decoder("somebody"))
    response, encoder = final(events), wire.Encoder(streamed)
    data = encode(events, encoder)
    again = final(events_of(data, wire.Decoder("gateway")))
    assert (again.text, again.reasoning) == (response.text, response.reasoning)
    assert [(c.name, json.loads(c.arguments)) for c in again.tool_calls] == [
        (c.name, json.loads(c.arguments or "{}")) for c in response.tool_calls
    ]
    assert again.finish_reason == response.finish_reason
    assert response.usage is not None
    assert again.usage is not None
    for field in ("input_tokens", "output_tokens", "cache_read_tokens"):
        assert getattr(again.usage, field) == getattr(response.usage, field)
    assert any("metadata" in words or "cost" in words for words in encoder.losses) == bool(response.metadata)


@pytest.mark.parametrize(("name", "n"), CHATS[::5])
def test_amazons_client_reads_converse(name: str, n: int) -> None:
    events = events_of(recorded(name, n), openai_chat.Decoder("somebody"))
    response = final(events)
    whole, _, _ = call("Converse", encode(events, bedrock_converse.Encoder(False)), **ASK)
    content = whole["output"]["message"]["content"]
    assert "".join(block.get("text", "") for block in content) == response.text
    assert [block["toolUse"]["name"] for block in content if "toolUse" in block] == [
        c.name for c in response.tool_calls
    ]
    result, _, _ = call("ConverseStream", encode(events, bedrock_converse.Encoder(True)), **ASK)
    pieces = list(result["stream"])
    deltas = [piece["contentBlockDelta"]["delta"] for piece in pieces if "contentBlockDelta" in piece]
    assert "".join(piece.get("text", "") for piece in deltas) == response.text
    assert "".join(piece.get("toolUse", {}).get("input", "") for piece in deltas) == "".join(
        c.arguments for c in response.tool_calls
    )
    assert whole["stopReason"] in ("end_turn", "tool_use", "max_tokens")
    assert [piece for piece in pieces if "messageStop" in piece] == [
        {"messageStop": {"stopReason": whole["stopReason"]}}
    ]
    usage = pieces[-1]["metadata"]["usage"]
    assert usage == whole["usage"]
    assert response.usage is not None
    assert usage["outputTokens"] == response.usage.output_tokens


def test_amazons_client_reads_every_kind_of_block() -> None:
    result, _, _ = call("ConverseStream", encode(converse(SERVER_SIDE), bedrock_converse.Encoder(True)), **ASK)
    pieces = [piece["contentBlockDelta"]["delta"] for piece in result["stream"] if "contentBlockDelta" in piece]
    assert {kind for piece in pieces for kind in piece} == {"toolUse", "toolResult", "text", "citation", "image"}
    assert next(piece["image"] for piece in pieces if "image" in piece) == {"source": {"bytes": PNG}}
    whole, _, _ = call("Converse", encode(converse(RICH), bedrock_converse.Encoder(False)), **ASK)
    content = whole["output"]["message"]["content"]
    assert content[0] == {"reasoningContent": {"reasoningText": {"text": "Let me think", "signature": "sig"}}}
    assert content[1] == {"reasoningContent": {"redactedContent": base64.b64decode("AAEC")}}
    assert content[3]["toolUse"]["input"] == {"a": 1}


@pytest.mark.parametrize(("name", "n"), CLAUDES)
def test_amazons_client_reads_bedrock(name: str, n: int) -> None:
    response = final(events := events_of(recorded(name, n), bedrock.Decoder("anthropic")))
    result, _, _ = call(
        "InvokeModelWithResponseStream", encode(events, bedrock.Encoder(True)), modelId=CLAUDE, body=b"{}"
    )
    said = [json.loads(event["chunk"]["bytes"]) for event in result["body"]]
    assert "".join(event.get("delta", {}).get("text", "") for event in said) == response.text
    result, _, _ = call("InvokeModel", encode(events, bedrock.Encoder(False)), modelId=CLAUDE, body=b"{}")
    body = json.loads(result["body"].read())
    assert "".join(block.get("text", "") for block in body["content"]) == response.text


def told(*parts: Part, **more: Any) -> list[MessageEvent]:
    """The events that say an answer of somebody else."""
    events: list[MessageEvent] = [MessageStart("id", "model")]
    for n, part in enumerate(parts):
        match part:
            case TextPart(text=words) | RefusalPart(text=words) | ReasoningPart(text=words):
                kind: Any = part.__struct_config__.tag
                events += [PartStart(n, type(part)()), *([PartDelta(n, kind, words)] if words else [])]
            case ToolCallPart():
                # A provider that sends no ids: they are made up when the call is whole.
                begun = ToolCallPart("", part.name, provider_executed=part.provider_executed)
                events += [PartStart(n, begun), PartDelta(n, "tool_call", part.arguments)]
            case _:
                events.append(PartStart(n, part))
        events.append(PartEnd(n, part))
    return [*events, MessageEnd(ModelResponse(Message("assistant", parts), wire="gemini", **more))]


FOREIGN = Opaque("gemini", {"x": 1}, "google")


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
def test_what_converse_has_no_words_for_is_told(streamed: bool) -> None:
    events = told(
        ReasoningPart("", FOREIGN),
        ReasoningPart("hm"),
        TextPart("It is.", (Citation("https://x.example", "T", "quoted"),), opaque=FOREIGN),
        RefusalPart("I won't."),
        ToolCallPart("call|1", "f", '{"a":1}'),
        ToolCallPart("srv", "run", "{}", True),
        ToolResultPart("srv", "run", "2"),
        MediaPart("image/png", PNG),
        finish_reason="other",
        id="id",
        model="model",
        cost=0.1,
        usage=Usage(10, 5, None, 4, 1, 3),
        sources=(Source("https://x.example"),),
        metadata={"a": 1},
    )
    encoder = bedrock_converse.Encoder(streamed)
    again = final(converse(encode(events, encoder)))
    thought, text, refusal, called, ran, result, image = again.message.parts
    assert (thought.text, refusal, image) == ("hm", TextPart("I won't."), MediaPart("image/png", PNG))  # type: ignore[union-attr]
    assert isinstance(text, TextPart)
    assert [(c.url, c.title, c.text) for c in text.citations] == [("https://x.example", "T", "quoted")]
    assert isinstance(called, ToolCallPart)
    assert (called.id.isalnum(), called.arguments) == (True, '{"a":1}')
    assert isinstance(ran, ToolCallPart)
    assert ran.provider_executed
    assert result == ToolResultPart("srv", "run", "2")
    assert again.usage == Usage(10, 5, 15, 4, 1, raw=again.usage.raw if again.usage else {})
    words = " ".join(encoder.losses)
    for what in (
        "id was",
        "model",
        "cost",
        "sources",
        "why",
        "reasoning tokens",
        "metadata",
        "refusal",
        "ids of",
        "google",
    ):
        assert what in words


def test_a_file_that_a_stream_cannot_hold_is_a_loss_and_a_body_can() -> None:
    events = told(MediaPart("audio/wav", b"x"), TextPart("listen"), usage=Usage(1, 1, 2))
    encoder = bedrock_converse.Encoder(True)
    assert final(converse(encode(events, encoder))).message.parts == (TextPart("listen"),)
    assert "a stream of Converse cannot hold audio" in encoder.losses[0]
    whole = final(converse(encode(events, bedrock_converse.Encoder(False))))
    assert whole.message.parts == (MediaPart("audio/wav", b"x"), TextPart("listen"))
    with pytest.raises(EncodeError, match="by URL"):
        encode(told(MediaPart("image/png", url="https://x.example")), bedrock_converse.Encoder(True))


@pytest.mark.parametrize("arguments", ["{oops", '"a string"', "", "[1]", "null"])
def test_arguments_that_are_no_object_are_passed_on(arguments: str) -> None:
    events = told(ToolCallPart("t", "f", arguments))
    again = final(converse(encode(events, bedrock_converse.Encoder(False))))
    assert again.tool_calls[0].arguments == ("{}" if arguments in ("", "null") else arguments)


def test_a_piece_that_is_too_long_for_a_message_is_an_error() -> None:
    words = "x" * (25 << 20)
    for encoder in (bedrock_converse.Encoder(True), bedrock.Encoder(True)):
        encoder.send(MessageStart("i", "m"))
        encoder.send(PartStart(0, TextPart()))
        with pytest.raises(EncodeError, match="too long"):
            encoder.send(PartDelta(0, "text", words))


ERRORS: list[tuple[PlayheadError, int, str, str]] = [
    (ProviderError("Slow", kind="rate_limit", status=429), 429, "ThrottlingException", "throttlingException"),
    (ProviderError("No", kind="bad_request", status=400), 400, "ValidationException", "validationException"),
    (ProviderError("Bad", kind="server", status=529), 529, "InternalServerException", "internalServerException"),
    (ProviderError("W", kind="permission", status=403), 403, "AccessDeniedException", "modelStreamErrorException"),
    (ProviderError("O", code="throttlingException", status=200), 429, "ThrottlingException", "throttlingException"),
    (EncodeError("Cannot"), 400, "ValidationException", "validationException"),
    (DecodeError("Broken"), 424, "ModelErrorException", "modelStreamErrorException"),
    (TransportError("Gone"), 424, "ModelErrorException", "modelStreamErrorException"),
    (PlayheadError("Bug"), 500, "InternalServerException", "internalServerException"),
]


@pytest.mark.parametrize(("error", "status", "name", "exception"), ERRORS)
def test_refusals_are_read_by_amazons_client(error: PlayheadError, status: int, name: str, exception: str) -> None:
    for module in (bedrock, bedrock_converse):
        code, body = module.encode_error(error)
        assert code == status
        with pytest.raises(ClientError) as caught:
            call("Converse", body, code, **ASK)
        assert caught.value.response["Error"]["Code"] == name
        assert caught.value.response["Error"]["Message"] == str(getattr(error, "message", error))
        again = module.read_error(body, code)
        assert (again.code, again.message) == (name, str(getattr(error, "message", error)))
    encoder = bedrock_converse.Encoder(True)
    broken = encoder.send(MessageStart("", "")) + encoder.fail(error)
    with pytest.raises(EventStreamError, match=exception):
        list(call("ConverseStream", broken, **ASK)[0]["stream"])
    with pytest.raises(ProviderError) as refused:
        events = bedrock_converse.Decoder()
        events.feed(broken)
        events.close()
    assert refused.value.code == exception


def test_citations_and_images_of_ones_own_go_back_as_they_came() -> None:
    cited = next(part for part in final(converse(SERVER_SIDE)).message.parts if isinstance(part, TextPart))
    body = json.loads(encode(told(cited), bedrock_converse.Encoder(False)))
    assert body["output"]["message"]["content"] == [
        {"citationsContent": {"content": [{"text": "It is 2."}], "citations": [CITED]}}
    ]
