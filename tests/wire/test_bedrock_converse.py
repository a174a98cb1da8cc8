"""Converse: what its answers say, and what its requests look like. Amazon's own client is the second opinion."""

from __future__ import annotations

import base64
import io
import json
import random
from functools import cache
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.session import Session

from playhead import EncodeError, ProviderError, TruncatedStream
from playhead.errors import DecodeError
from playhead.events import MessageEnd, MessageEvent, PartDelta
from playhead.messages import (
    Citation,
    MediaPart,
    Message,
    ModelRequest,
    ModelResponse,
    Opaque,
    ProviderTool,
    ReasoningPart,
    Settings,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
    system,
    user,
)
from playhead.wire import Dialect
from playhead.wire._eventstream import encode_event, encode_exception, encode_message
from playhead.wire.bedrock_converse import Decoder, decode_request, encode_request, read_error

CLAUDE, NOVA, LLAMA = "us.anthropic.claude-sonnet-4-5-v1:0", "us.amazon.nova-2-lite-v1:0", "us.meta.llama4-v1:0"
PNG = b"\x89PNG..."
PNG64 = base64.b64encode(PNG).decode()
USAGE = {"inputTokens": 7, "outputTokens": 5, "totalTokens": 12}
END: list[tuple[str, Any]] = [
    ("messageStop", {"stopReason": "end_turn"}),
    ("metadata", {"usage": USAGE, "metrics": {"latencyMs": 9}}),
]
WEATHER = ToolSpec("weather", "Get weather", {"type": "object", "properties": {"location": {"type": "string"}}})


class Raw(io.BytesIO):
    """A body as urllib3 has it."""

    def stream(self, amt: int = 1024, **_: Any) -> Any:
        while chunk := self.read(7):
            yield chunk


@cache
def client() -> Any:
    """Amazon's own client. It is made once: loading the service's model takes a while."""
    return Session().create_client(
        "bedrock-runtime",
        region_name="us-east-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
        config=Config(retries={"max_attempts": 1}),
    )


def call(operation: str, body: bytes = b"{}", status: int = 200, /, **parameters: Any) -> tuple[Any, str, bytes]:
    """What Amazon's client makes of an answer, and the path and the body that it sends; nothing goes out."""
    sent: list[Any] = []

    def answer(request: Any, **_: Any) -> AWSResponse:
        sent.append(request)
        stream = "Stream" in operation and status == 200
        kind = "application/vnd.amazon.eventstream" if stream else "application/json"
        return AWSResponse(request.url, status, {"Content-Type": kind}, Raw(body))

    events = client().meta.events
    events.register("before-send.bedrock-runtime", answer)
    try:
        result = client()._make_api_call(operation, parameters)
    finally:
        events.unregister("before-send.bedrock-runtime", answer)
    return result, urlsplit(sent[0].url).path, bytes(sent[0].body or b"")


def stream(*events: tuple[str, Any]) -> bytes:
    return b"".join(encode_event(name, json.dumps(payload).encode()) for name, payload in events)


def start(n: int, **what: Any) -> tuple[str, Any]:
    return "contentBlockStart", {"contentBlockIndex": n, "start": what}


def delta(n: int, **what: Any) -> tuple[str, Any]:
    return "contentBlockDelta", {"contentBlockIndex": n, "delta": what, "p": "abc"}


def stop(n: int) -> tuple[str, Any]:
    return "contentBlockStop", {"contentBlockIndex": n}


BEGIN: tuple[str, Any] = ("messageStart", {"role": "assistant", "p": "abcdef"})

RICH = stream(
    BEGIN,
    delta(0, reasoningContent={"text": "Let me "}),
    delta(0, reasoningContent={"text": "think"}),
    delta(0, reasoningContent={"signature": "sig"}),
    stop(0),
    delta(1, reasoningContent={"redactedContent": "AAEC"}),
    stop(1),
    delta(2, text="I'll "),
    delta(2, text="look"),
    stop(2),
    start(3, toolUse={"toolUseId": "tooluse_1", "name": "add"}),
    start(4, toolUse={"toolUseId": "tooluse_2", "name": "mul"}),
    delta(3, toolUse={"input": '{"a": '}),
    delta(4, toolUse={"input": '{"b":2}'}),
    delta(3, toolUse={"input": "1}"}),
    stop(4),
    stop(3),
    start(5, toolUse={"toolUseId": "tooluse_3", "name": "now"}),
    stop(5),
    ("messageStop", {"stopReason": "tool_use", "additionalModelResponseFields": {"stop_sequence": "X"}}),
    (
        "metadata",
        {
            "usage": {**USAGE, "cacheReadInputTokens": 100, "cacheWriteInputTokens": 20, "cacheDetails": []},
            "metrics": {"latencyMs": 9},
            "trace": {"promptRouter": {"invokedModelId": "m"}},
            "serviceTier": {"type": "flex"},
            "p": "abcd",
        },
    ),
)

CITED = {"title": "Doc", "sourceContent": [{"text": "said so"}], "location": {"web": {"url": "https://x.example"}}}
RAN = {"toolUseId": "srv_1", "type": "nova_code", "status": "success"}

SERVER_SIDE = stream(
    BEGIN,
    start(0, toolUse={"toolUseId": "srv_1", "name": "nova_code_interpreter", "type": "server_tool_use"}),
    delta(0, toolUse={"input": '{"snippet":"1+1"}'}),
    stop(0),
    start(1, toolResult=RAN),
    delta(1, toolResult=[{"json": {"stdOut": "2"}}]),
    stop(1),
    delta(2, text="It is 2."),
    delta(2, citation=CITED),
    stop(2),
    start(3, image={"format": "png"}),
    delta(3, image={"source": {"bytes": PNG64}}),
    stop(3),
    start(4, hologram={"depth": 3}),
    stop(4),
    *END,
)

WHOLE = json.dumps(
    {
        "output": {
            "message": {
                "role": "assistant",
                "content": [
                    {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "sig"}}},
                    {"reasoningContent": {"redactedContent": "AAEC"}},
                    {"text": "Hello"},
                    {"citationsContent": {"content": [{"text": "a"}, {"text": "b"}], "citations": [CITED]}},
                    {"toolUse": {"toolUseId": "t1", "name": "add", "input": {"a": 1}}},
                    {"image": {"format": "png", "source": {"bytes": PNG64}}},
                    {"hologram": {"depth": 3}},
                ],
            }
        },
        "stopReason": "tool_use",
        "usage": USAGE,
        "metrics": {"latencyMs": 9},
        "additionalModelResponseFields": {"x": 1},
        "novelty": True,
    }
).encode()


def decode(*pieces: bytes) -> list[MessageEvent]:
    decoder = Decoder("bedrock")
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return events + decoder.close()


def final(data: bytes) -> ModelResponse:
    event = decode(data)[-1]
    assert isinstance(event, MessageEnd)
    return event.response


def mine(**data: Any) -> Opaque:
    return Opaque("bedrock_converse", data, "bedrock")


# Answers


def test_a_stream_says_reasoning_text_and_calls_that_interleave() -> None:
    response = final(RICH)
    assert response.message.parts == (
        ReasoningPart("Let me think", mine(signature="sig")),
        ReasoningPart("", mine(redacted="AAEC")),
        TextPart("I'll look"),
        ToolCallPart("tooluse_1", "add", '{"a": 1}'),
        ToolCallPart("tooluse_2", "mul", '{"b":2}'),
        ToolCallPart("tooluse_3", "now", "{}"),
    )
    assert (response.finish_reason, response.raw_finish_reason) == ("tool_calls", "tool_use")
    assert response.wire == "bedrock_converse"
    assert response.metadata == {
        "additionalModelResponseFields": {"stop_sequence": "X"},
        "metrics": {"latencyMs": 9},
        "trace": {"promptRouter": {"invokedModelId": "m"}},
        "serviceTier": {"type": "flex"},
    }


def test_the_input_is_what_was_counted_anew_and_what_the_cache_had() -> None:
    usage = final(RICH).usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (127, 5, 12)
    assert (usage.cache_read_tokens, usage.cache_write_tokens, usage.reasoning_tokens) == (100, 20, None)
    assert usage.raw["cacheDetails"] == []


def test_tools_that_bedrock_runs_citations_images_and_novelties_are_kept() -> None:
    response = final(SERVER_SIDE)
    ran, result, text, image, novelty = response.message.parts
    assert ran == ToolCallPart("srv_1", "nova_code_interpreter", '{"snippet":"1+1"}', True, mine(ran=True))
    block = {"toolResult": {**RAN, "content": [{"json": {"stdOut": "2"}}]}}
    assert result == ToolResultPart("srv_1", "nova_code_interpreter", '{"stdOut":"2"}', opaque=mine(block=block))
    assert isinstance(text, TextPart)
    assert [(c.url, c.title, c.text) for c in text.citations] == [("https://x.example", "Doc", "said so")]
    assert image == MediaPart("image/png", PNG)
    assert novelty == TextPart("", opaque=mine(block={"hologram": {"depth": 3}}))
    assert response.tool_calls == ()


def test_a_body_that_is_no_stream_says_the_same() -> None:
    response = final(WHOLE)
    thought, redacted, text, cited, called, image, novelty = response.message.parts
    assert (thought, redacted) == (
        ReasoningPart("hm", mine(signature="sig")),
        ReasoningPart("", mine(redacted="AAEC")),
    )
    assert (text, image) == (TextPart("Hello"), MediaPart("image/png", PNG))
    assert isinstance(cited, TextPart)
    assert (cited.text, len(cited.citations)) == ("ab", 1)
    assert called == ToolCallPart("t1", "add", '{"a":1}')
    assert novelty == TextPart("", opaque=mine(block={"hologram": {"depth": 3}}))
    assert response.metadata == {
        "metrics": {"latencyMs": 9},
        "additionalModelResponseFields": {"x": 1},
        "novelty": True,
    }


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("tool_use", "tool_calls"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
        ("malformed_model_output", "error"),
        ("malformed_tool_use", "error"),
        ("something_new", "other"),
    ],
)
def test_reasons_for_the_end(raw: str, reason: str) -> None:
    response = final(stream(BEGIN, ("messageStop", {"stopReason": raw}), END[1]))
    assert (response.finish_reason, response.raw_finish_reason) == (reason, raw)


def test_every_reason_that_the_service_knows_is_understood() -> None:
    known = client().meta.service_model.shape_for("StopReason").enum
    for raw in known:
        assert final(stream(BEGIN, ("messageStop", {"stopReason": raw}), END[1])).finish_reason != "other"


@pytest.mark.parametrize("data", [RICH, SERVER_SIDE, WHOLE], ids=["rich", "server-side", "whole"])
def test_wherever_it_is_cut_the_events_are_the_same(data: bytes) -> None:
    whole = decode(data)
    assert decode(*(data[i : i + 1] for i in range(len(data)))) == whole
    for seed in range(20):
        cuts = sorted(random.Random(seed).sample(range(len(data)), 8))
        assert decode(*(data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True))) == whole


@pytest.mark.parametrize("data", [RICH, SERVER_SIDE, WHOLE], ids=["rich", "server-side", "whole"])
def test_what_is_cut_before_its_end_is_never_a_success(data: bytes) -> None:
    for at in range(len(data)):
        with pytest.raises(TruncatedStream):
            decode(data[:at])


@pytest.mark.parametrize("last", END, ids=["messageStop", "metadata"])
def test_a_stream_is_whole_only_with_both_of_its_last_events(last: tuple[str, Any]) -> None:
    with pytest.raises(TruncatedStream):
        decode(stream(BEGIN, delta(0, text="hi"), stop(0), last))
    assert final(stream(BEGIN, delta(0, text="hi"), stop(0), *reversed(END))).text == "hi"


def test_blocks_that_nobody_ended_end_with_the_answer_in_their_order() -> None:
    events = stream(BEGIN, delta(1, text="b"), start(0, toolUse={"toolUseId": "t", "name": "f"}), *END)
    assert final(events).message.parts == (TextPart("b"), ToolCallPart("t", "f", "{}"))


def test_fragments_of_signatures_and_of_redacted_reasoning_are_joined() -> None:
    pieces = [delta(0, reasoningContent={"signature": part}) for part in ("s", "i", "g")]
    pieces += [delta(1, reasoningContent={"redactedContent": part}) for part in ("AAEC", "Aw==")]
    assert final(stream(BEGIN, *pieces, *END)).message.parts == (
        ReasoningPart("", mine(signature="sig")),
        ReasoningPart("", mine(redacted="AAECAw==")),
    )


def test_reasoning_in_the_same_block_in_words_and_redacted_is_two_parts() -> None:
    pieces = (delta(0, reasoningContent={"text": "hm"}), delta(0, reasoningContent={"redactedContent": "AAEC"}))
    assert final(stream(BEGIN, *pieces, *END)).message.parts == (
        ReasoningPart("hm", mine(unsigned=True)),
        ReasoningPart("", mine(redacted="AAEC")),
    )


@pytest.mark.parametrize(
    ("name", "code", "kind", "retryable"),
    [
        ("throttlingException", "throttlingException", "rate_limit", True),
        ("validationException", "validationException", "bad_request", False),
        ("internalServerException", "internalServerException", "server", True),
        ("serviceUnavailableException", "serviceUnavailableException", "overloaded", True),
        ("modelStreamErrorException", "modelStreamErrorException", "server", True),
        ("somethingNewException", "somethingNewException", "stream", True),
    ],
)
def test_an_exception_inside_a_stream_is_a_refusal_and_what_came_before_it_counts(
    name: str, code: str, kind: str, retryable: bool
) -> None:
    decoder = Decoder()
    data = stream(BEGIN, delta(0, text="hi")) + encode_exception(name, b'{"message":"Too slow."}')
    assert PartDelta(0, "text", "hi") in decoder.feed(data)
    assert isinstance(decoder.error, ProviderError)
    with pytest.raises(ProviderError, match="Too slow") as caught:
        decoder.close()
    assert (caught.value.code, caught.value.kind, caught.value.retryable) == (code, kind, retryable)


def test_an_error_of_the_model_says_what_the_model_said() -> None:
    said = {"message": "The model failed.", "originalStatusCode": 503, "originalMessage": "overloaded", "p": "ab"}
    with pytest.raises(ProviderError) as caught:
        decode(encode_exception("modelStreamErrorException", json.dumps(said).encode()))
    assert caught.value.message == "The model failed. (the model answered 503)"
    assert caught.value.metadata == {"originalStatusCode": 503, "originalMessage": "overloaded"}


def test_an_error_without_a_model_says_its_code() -> None:
    headers: dict[str, Any] = {":message-type": "error", ":error-code": "InternalError", ":error-message": "Oh no"}
    with pytest.raises(ProviderError, match=r"InternalError\): Oh no"):
        decode(encode_message(headers, b""))


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        (b'{"message":"No."}', 400, None, "No."),
        (b'{"Message":"User is not authorized"}', 403, None, "User is not authorized"),
        (b'{"__type":"com.amazon.coral#ThrottlingException","message":"Slow"}', 429, "ThrottlingException", "Slow"),
        (
            b'{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}',
            404,
            "UnknownOperationException",
            "no message was sent",
        ),
        (b"<html>Bad gateway</html>", 502, None, "the body is not JSON: '<html>Bad gateway</html>'"),
        (b"", 500, None, "the body is empty"),
    ],
)
def test_bodies_of_refusals(body: bytes, status: int, code: str | None, message: str) -> None:
    error = read_error(body, status)
    assert (error.status, error.code, error.message) == (status, code, message)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"Service Unavailable", "begin here"),
        (b"oops", "begins with 'oops'"),
        (b"<html>no</html>", "should be JSON"),
        (encode_event("messageStart", b"[]"), "should be a JSON object"),
        (RICH[:-1] + bytes([RICH[-1] ^ 1]), "checksum"),
    ],
)
def test_what_is_no_answer_is_named(data: bytes, words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        decode(data)


def test_a_refusal_as_a_body_under_200_is_a_refusal() -> None:
    with pytest.raises(ProviderError, match="No such model"):
        decode(b'{"message":"No such model"}')


# Requests


def encoded(
    *messages: Message, model: str = CLAUDE, dialect: Dialect | None = None, **more: Any
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body, and what could not be said."""
    tools, settings = more.pop("tools", ()), more.pop("settings", {})
    request = ModelRequest(model, messages, tools, settings, **more)
    result = encode_request(request, dialect or Dialect(), "bedrock")
    return json.loads(result.body), result.losses + result.unsupported


def test_the_natural_form() -> None:
    body, lost = encoded(
        system("You are a helpful assistant"),
        user("What's the weather?"),
        Message("assistant", (TextPart("Let me see."), ToolCallPart("t1", "weather", '{"location": "Florence"}'))),
        Message("tool", (ToolResultPart("t1", "weather", "40 C"),)),
        tools=(WEATHER,),
        settings=Settings(max_tokens=4000, temperature=0.5, top_p=0.9, stop="END"),
    )
    assert lost == ()
    assert body == {
        "system": [{"text": "You are a helpful assistant"}],
        "messages": [
            {"role": "user", "content": [{"text": "What's the weather?"}]},
            {
                "role": "assistant",
                "content": [
                    {"text": "Let me see."},
                    {"toolUse": {"toolUseId": "t1", "name": "weather", "input": {"location": "Florence"}}},
                ],
            },
            {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": [{"text": "40 C"}]}}]},
        ],
        "inferenceConfig": {"maxTokens": 4000, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]},
        "toolConfig": {
            "tools": [
                {
                    "toolSpec": {
                        "name": "weather",
                        "description": "Get weather",
                        "inputSchema": {"json": WEATHER.parameters},
                    }
                }
            ]
        },
    }
    agrees(body)


def agrees(body: dict[str, Any], operation: str = "Converse") -> None:
    """Amazon's client takes the same request, finds nothing wrong with it, and sends the same."""
    _, _, sent = call(operation, b"{}", 200, modelId=CLAUDE, **blobs(body))
    assert json.loads(sent) == body


def blobs(value: Any) -> Any:
    """Bytes where the client wants them."""
    if isinstance(value, list):
        return [blobs(item) for item in value]
    if isinstance(value, dict):
        binary = ("bytes", "redactedContent")
        return {key: base64.b64decode(item) if key in binary else blobs(item) for key, item in value.items()}
    return value


def test_an_answer_goes_back_as_it_came() -> None:
    body, lost = encoded(user("hi"), final(WHOLE).message, user("go on"), tools=(WEATHER,))
    content = json.loads(WHOLE)["output"]["message"]["content"]
    content[3]["citationsContent"]["content"] = [{"text": "ab"}]
    del content[5]  # Images are taken from users only.
    assert body["messages"][1]["content"] == content
    assert lost == ("image/png of an assistant was left out: Converse takes media from users only",)
    content.pop()  # The client does not know what is new.
    agrees({**body, "messages": [body["messages"][0], {"role": "assistant", "content": content}]})


def test_what_bedrock_ran_goes_back_as_it_came_and_to_nobody_else() -> None:
    message = final(SERVER_SIDE).message
    body, _ = encoded(user("hi"), message)
    assert body["messages"][1]["content"][:2] == [
        {
            "toolUse": {
                "toolUseId": "srv_1",
                "name": "nova_code_interpreter",
                "input": {"snippet": "1+1"},
                "type": "server_tool_use",
            }
        },
        {"toolResult": {**RAN, "content": [{"json": {"stdOut": "2"}}]}},
    ]
    foreign = ToolCallPart("w", "web_search", "{}", True, Opaque("anthropic", {"type": "server_tool_use"}))
    body, lost = encoded(user("hi"), Message("assistant", (foreign, TextPart("ok"))))
    assert body["messages"][1]["content"] == [{"text": "ok"}]
    assert lost == ("what another anthropic provider did by its own tool 'web_search' stayed home",)


def test_reasoning_of_others_stays_home_and_claude_takes_none_that_is_not_signed() -> None:
    theirs = ReasoningPart("hm", Opaque("anthropic", {"signature": "s"}))
    unsigned = ReasoningPart("hm", mine(unsigned=True))
    turn = Message("assistant", (theirs, unsigned, TextPart("ok")))
    body, lost = encoded(user("hi"), turn)
    assert body["messages"][1]["content"] == [{"text": "ok"}]
    assert lost == ("reasoning of another anthropic provider stayed home", "reasoning of bedrock stayed home")
    body, _ = encoded(user("hi"), turn, model=LLAMA)
    assert body["messages"][1]["content"][0] == {"reasoningContent": {"reasoningText": {"text": "hm"}}}


def test_turns_of_one_side_are_merged_and_what_is_empty_is_left_out() -> None:
    body, _ = encoded(
        user(""),
        user("a"),
        user("b"),
        Message("assistant", (TextPart(""),)),
        Message("tool", (ToolResultPart("t", "f", "", True), ToolResultPart("u", "f", "x"))),
        user("c"),
    )
    assert body["messages"] == [
        {
            "role": "user",
            "content": [
                {"text": "a"},
                {"text": "b"},
                {"toolResult": {"toolUseId": "t", "content": [], "status": "error"}},
                {"toolResult": {"toolUseId": "u", "content": [{"text": "x"}]}},
                {"text": "c"},
            ],
        }
    ]


def test_files() -> None:
    pdf, text = (
        MediaPart("application/pdf", b"%PDF", filename="My  report (v2).pdf"),
        MediaPart("text/x-c", b"int x;"),
    )
    body, lost = encoded(
        user(
            [
                "see",
                MediaPart("image/jpg", PNG),
                pdf,
                pdf,
                text,
                MediaPart("video/mp4", url="s3://bucket/v.mp4"),
                MediaPart("audio/mp3", b"mp3"),
            ]
        ),
        Message("assistant", (ToolCallPart("t", "look", "{}"),)),
        Message("tool", (ToolResultPart("t", "look", "seen", media=(MediaPart("image/png", PNG), pdf)),)),
        tools=(WEATHER,),
    )
    source = {"bytes": base64.b64encode(b"%PDF").decode()}
    assert lost == ()
    assert body["messages"][0]["content"] == [
        {"text": "see"},
        {"image": {"format": "jpeg", "source": {"bytes": PNG64}}},
        {"document": {"format": "pdf", "source": source, "name": "My report (v2)"}},
        {"document": {"format": "pdf", "source": source, "name": "My report (v2) (2)"}},
        {
            "document": {
                "format": "txt",
                "source": {"bytes": base64.b64encode(b"int x;").decode()},
                "name": "document",
            }
        },
        {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://bucket/v.mp4"}}}},
        {"audio": {"format": "mp3", "source": {"bytes": base64.b64encode(b"mp3").decode()}}},
    ]
    assert body["messages"][2]["content"][0]["toolResult"]["content"] == [
        {"text": "seen"},
        {"image": {"format": "png", "source": {"bytes": PNG64}}},
        {"document": {"format": "pdf", "source": source, "name": "My report (v2) (3)"}},
    ]
    agrees(body)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (MediaPart("image/png", url="https://x.example/a.png"), "by URL: pass its bytes"),
        (MediaPart("image/png", file_id="f"), "by the id of a file"),
        (MediaPart("image/tiff", b"x"), "no word for image/tiff"),
        (ReasoningPart("x"), "cannot hold a ReasoningPart"),
    ],
)
def test_what_cannot_be_said_is_an_error(part: Any, words: str) -> None:
    with pytest.raises(EncodeError, match=words):
        encoded(Message("user", (part,)))
    with pytest.raises(EncodeError, match="audio"):
        encoded(Message("tool", (ToolResultPart("t", "f", "", media=(MediaPart("audio/wav", b"x"),)),)))


@pytest.mark.parametrize(
    ("model", "setting", "fields"),
    [
        (CLAUDE, 2048, {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
        (CLAUDE, "low", {"thinking": {"type": "enabled", "budget_tokens": 3200}}),
        (CLAUDE, False, {"thinking": {"type": "disabled"}}),
        (
            "eu.anthropic.claude-opus-4-6-v1",
            "high",
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
        ),
        (NOVA, "medium", {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}}),
        (NOVA, "max", {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}),
        (NOVA, "none", {"reasoningConfig": {"type": "disabled"}}),
        ("openai.gpt-oss-120b-1:0", "xhigh", {"reasoning_effort": "high"}),
        ("global.openai.gpt-5.6-terra", "minimal", {"reasoning": {"effort": "low"}}),
        ("moonshot.kimi-k2-thinking", "low", {"reasoning_effort": "low"}),
        ("qwen.qwen3-32b-v1:0", "high", {"reasoning_config": "high"}),
    ],
)
def test_each_family_is_told_in_its_own_words_to_think_and_is_read_again(
    model: str, setting: Any, fields: dict[str, Any]
) -> None:
    body, lost = encoded(user("hi"), model=model, settings={"reasoning": setting})
    assert (body.get("additionalModelRequestFields"), lost) == (fields, ())
    read = decode_request(json.dumps(body).encode(), path(model))
    assert encoded(user("hi"), model=model, settings=read.settings)[0] == body
    assert "reasoning" in read.settings
    assert "extra_body" not in read.settings


def test_settings_that_a_model_refuses_are_left_out_and_told() -> None:
    sampling = Settings(max_tokens=9000, temperature=0.3, top_k=5, reasoning="high")
    body, lost = encoded(user("hi"), model=NOVA, settings=sampling)
    assert "inferenceConfig" not in body
    assert [words.split("`")[1] for words in lost] == ["max_tokens", "temperature", "top_k"]
    body, lost = encoded(user("hi"), settings=sampling)
    assert body["inferenceConfig"] == {"maxTokens": 9000}
    assert [words.split("`")[1] for words in lost] == ["temperature", "top_k"]
    assert encoded(user("hi"), model=LLAMA, settings={"reasoning": "high"})[1]


def test_settings_without_words_are_told_and_unsupported_ones_of_the_dialect_too() -> None:
    settings = Settings(
        seed=1,
        logprobs=0,
        presence_penalty=0.1,
        frequency_penalty=0.1,
        user="u",
        parallel_tool_calls=False,
        top_k=4,
        response_format={"type": "json_object"},
        max_tokens=5,
    )
    body, lost = encoded(user("hi"), model=LLAMA, settings=settings, dialect=Dialect(unsupported=("max_tokens",)))
    assert body == {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
    assert {words.split("`")[1] for words in lost} == settings.keys()


def test_words_that_there_are() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    body, lost = encoded(
        user("hi"),
        settings=Settings(
            service_tier="flex",
            top_k=7,
            response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
            options={"guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"}},
            extra_body={
                "performanceConfig": {"latency": "optimized"},
                "additionalModelRequestFields": {"x": 1},
                "requestMetadata": {"team": "a"},
            },
        ),
        dialect=Dialect(option_fields=("guardrailConfig",)),
    )
    assert lost == ()
    assert body["serviceTier"] == {"type": "flex"}
    assert body["additionalModelRequestFields"] == {"top_k": 7, "x": 1}
    format = body["outputConfig"]["textFormat"]
    assert json.loads(format["structure"]["jsonSchema"]["schema"]) == schema
    assert body["guardrailConfig"]["guardrailIdentifier"] == "g"
    agrees(body)


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        (None, None),
        ("auto", {"auto": {}}),
        ("required", {"any": {}}),
        ("weather", {"tool": {"name": "weather"}}),
        ({"novel": {}}, {"novel": {}}),
    ],
)
def test_choices_of_a_tool(choice: Any, wanted: Any) -> None:
    settings: Any = {} if choice is None else {"tool_choice": choice}
    body, lost = encoded(user("hi"), tools=(WEATHER,), settings=settings)
    assert (body["toolConfig"].get("toolChoice"), lost) == (wanted, ())
    assert decode_request(json.dumps(body).encode(), path(CLAUDE)).settings == settings


def test_without_tools_the_conversation_may_still_have_called_some() -> None:
    history = (
        Message("assistant", (ToolCallPart("t", "f", "{}"),)),
        Message("tool", (ToolResultPart("t", "f", "x"),)),
    )
    body, lost = encoded(user("hi"), *history)
    assert body["toolConfig"]["tools"] == [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}]
    assert "only their names" in lost[0]
    none = Settings(tool_choice="none")
    assert "toolConfig" not in encoded(user("hi"), tools=(WEATHER,), settings=none)[0]
    assert "cannot forbid" in encoded(user("hi"), *history, tools=(WEATHER,), settings=none)[1][0]


def test_tools_of_other_kinds() -> None:
    computer, search = {"type": "computer_20250124", "name": "computer"}, {"systemTool": {"name": "nova_grounding"}}
    raw = ToolSpec("computer", "", {}, raw=computer)
    body, _ = encoded(user("hi"), tools=(WEATHER, raw))
    assert body["additionalModelRequestFields"] == {"tools": [computer]}
    body, _ = encoded(user("hi"), model=NOVA, provider_tools=(ProviderTool("web_search"),))
    assert body["toolConfig"]["tools"] == [search]
    with pytest.raises(EncodeError, match="web_search"):
        encoded(user("hi"), provider_tools=(ProviderTool("web_search"),))


def test_cache_checkpoints() -> None:
    point, long = {"cachePoint": {"type": "default"}}, {"cachePoint": {"type": "default", "ttl": "1h"}}
    turns = (system("s"), user("a"), Message("assistant", (TextPart("b"),)), user("c"))
    body, lost = encoded(*turns, settings={"cache": True})
    assert body["system"] == [{"text": "s"}, point]
    assert [turn["content"][-1] == point for turn in body["messages"]] == [False, True, True]
    agrees(body)
    body, _ = encoded(*turns, user([TextPart("d", cache="5m")]), settings={"cache": {"ttl": "1h"}})
    assert body["system"] == [{"text": "s"}]
    assert body["messages"][-1]["content"] == [{"text": "c"}, {"text": "d"}, point]
    assert encoded(*turns, settings={"cache": {"ttl": "1h"}})[0]["system"][-1] == long
    body, lost = encoded(*turns, settings={"cache": True}, model=LLAMA)
    assert "cachePoint" not in json.dumps(body)
    assert "cache checkpoints" in lost[0]


def test_ids_that_converse_does_not_know_are_replaced_alike_in_calls_and_results() -> None:
    id = "functions.add|0"
    turns = (Message("assistant", (ToolCallPart(id, "f", "{}"),)), Message("tool", (ToolResultPart(id, "f", "x"),)))
    call_turn, result_turn = encoded(*turns, tools=(WEATHER,))[0]["messages"]
    sent = call_turn["content"][0]["toolUse"]["toolUseId"]
    assert sent == result_turn["content"][0]["toolResult"]["toolUseId"]
    assert sent.isalnum()


def test_a_late_system_message_and_arguments_that_are_no_object_are_losses() -> None:
    body, lost = encoded(
        user("a"), system("s"), Message("assistant", (ToolCallPart("t", "f", "{oops"),)), tools=(WEATHER,)
    )
    assert body["system"] == [{"text": "s"}]
    assert body["messages"][1]["content"][0]["toolUse"]["input"] == {"arguments": "{oops"}
    assert len(lost) == 2


# Somebody else's requests


def path(model: str, stream: bool = False) -> str:
    return f"/model/{quote(model, safe='')}/converse" + ("-stream" if stream else "")


ASKED = ModelRequest(
    CLAUDE,
    (
        system("Be brief."),
        Message(
            "user", (TextPart("hi", cache="1h"), MediaPart("image/png", PNG), MediaPart("application/pdf", b"%PDF"))
        ),
        Message(
            "assistant",
            (
                ReasoningPart("hm", mine(signature="sig")),
                ReasoningPart("", mine(redacted="AAEC")),
                TextPart("I'll look"),
                ToolCallPart("t1", "weather", '{"location":"Rome"}'),
                ToolCallPart("t2", "weather", "{}"),
            ),
        ),
        Message(
            "tool",
            (
                ToolResultPart("t1", "weather", "40 C", media=(MediaPart("image/png", PNG),)),
                ToolResultPart("t2", "weather", "no", True, cache="5m"),
            ),
        ),
        Message("user", (TextPart("and now?"), MediaPart("video/webm", url="s3://b/v"))),
    ),
    (WEATHER, ToolSpec("strict", "", {"type": "object"}, True, "5m")),
    Settings(
        max_tokens=9,
        temperature=0.5,
        top_p=0.5,
        stop=["a", "b"],
        tool_choice="required",
        service_tier="flex",
        response_format={"type": "json_schema", "json_schema": {"name": "n", "description": "d", "schema": {"a": 1}}},
        extra_body={"guardrailConfig": {"guardrailIdentifier": "g"}, "additionalModelRequestFields": {"x": [1]}},
    ),
    True,
)


def test_a_request_that_is_read_again_is_the_same() -> None:
    body = encode_request(ASKED, Dialect(), "bedrock").body
    read = decode_request(body, path(CLAUDE, stream=True), "bedrock")
    assert read == ASKED
    assert encode_request(read, Dialect(), "bedrock").body == body
    agrees({key: value for key, value in json.loads(body).items() if key != "guardrailConfig"})


def test_requests_of_amazons_client_are_read_and_go_out_again_as_they_came() -> None:
    messages: Any = [
        {"role": "user", "content": [{"cachePoint": {"type": "default"}}, {"text": "hi"}]},
        {
            "role": "user",
            "content": [
                {
                    "document": {
                        "format": "txt",
                        "name": "notes",
                        "source": {"text": "abc"},
                        "citations": {"enabled": True},
                    }
                },
                {"document": {"name": "parts", "source": {"content": [{"text": "abc"}]}}},
                {"guardContent": {"text": {"text": "x", "qualifiers": ["query"]}}},
                {
                    "image": {
                        "format": "png",
                        "source": {"s3Location": {"uri": "s3://b/i.png", "bucketOwner": "123456789012"}},
                    }
                },
                {"video": {"format": "mpg", "source": {"bytes": b"vid"}}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "hm"}}},
                {"citationsContent": {"content": [{"text": "a"}], "citations": [CITED]}},
                {"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": [1, None]}}},
                {"cachePoint": {"type": "default", "ttl": "1h"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "toolResult": {
                        "toolUseId": "t",
                        "status": "success",
                        "content": [
                            {"text": "a"},
                            {"json": {"b": 1}},
                            {"image": {"format": "gif", "source": {"bytes": b"G"}}},
                        ],
                    }
                },
                {
                    "toolResult": {
                        "toolUseId": "u",
                        "content": [{"searchResult": {"source": "s", "title": "t", "content": []}}],
                    }
                },
            ],
        },
    ]
    asked: Any = {
        "system": [{"text": "s"}, {"guardContent": {"text": {"text": "g"}}}, {"cachePoint": {"type": "default"}}],
        "toolConfig": {
            "tools": [
                {"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}},
                {"systemTool": {"name": "nova_grounding"}},
                {"cachePoint": {"type": "default"}},
            ],
            "toolChoice": {"tool": {"name": "f"}},
        },
        "inferenceConfig": {"maxTokens": 10},
        "promptVariables": {"v": {"text": "x"}},
        "outputConfig": {"effort": "high"},
    }
    _, sent_path, sent = call("Converse", modelId=NOVA, messages=messages, **asked)
    request = decode_request(sent, sent_path)
    assert (request.model, request.stream) == (NOVA, False)
    again = json.loads(encode_request(request, Dialect(), "bedrock").body)
    wanted = json.loads(sent)
    wanted["messages"][:2] = [
        {"role": "user", "content": [*wanted["messages"][0]["content"], *wanted["messages"][1]["content"]]}
    ]
    assert again == wanted
    result = request.messages[-1].parts[0]
    assert isinstance(result, ToolResultPart)
    assert (result.name, result.text, result.media) == ("f", 'a{"b":1}', (MediaPart("image/gif", b"G"),))


def test_the_streamed_operation_is_known_by_its_path() -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0"
    _, sent_path, sent = call(
        "ConverseStream", b"", modelId=arn, messages=[{"role": "user", "content": [{"text": "x"}]}]
    )
    request = decode_request(sent, sent_path)
    assert (request.model, request.stream, request.messages) == (arn, True, (user("x"),))


@pytest.mark.parametrize(
    ("body", "at", "words"),
    [
        (b"{}", "/chat/completions", "the path"),
        (b"[]", path(NOVA), "should be a JSON object"),
        (b"{", path(NOVA), "JSON"),
        (b'{"messages": {}}', path(NOVA), "messages should be a list"),
        (b'{"messages": [1]}', path(NOVA), "messages should be a list of objects"),
        (b'{"messages": [{"role": "tool", "content": []}]}', path(NOVA), r"messages\[0\].role .* 'tool'"),
        (b'{"messages": [{"role": "user", "content": "x"}]}', path(NOVA), r"messages\[0\].content should be a list"),
        (
            b'{"messages": [{"role": "user", "content": [{"text": 1}]}]}',
            path(NOVA),
            r"messages\[0\].content\[0\].text",
        ),
        (b'{"messages": [{"role": "assistant", "content": [{"toolUse": {}}]}]}', path(NOVA), "toolUse.toolUseId"),
        (b'{"inferenceConfig": {"maxTokens": "9"}}', path(NOVA), "inferenceConfig.maxTokens"),
        (b'{"toolConfig": {"tools": [{"toolSpec": {"name": "f"}}]}}', path(NOVA), r"tools\[0\].toolSpec.inputSchema"),
    ],
)
def test_what_is_wrong_with_a_request_is_said(body: bytes, at: str, words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        decode_request(body, at)


def test_blank_text_which_is_refused_is_left_out() -> None:
    cited = TextPart(" ", (Citation(opaque=mine(citation={"title": "t"})),))
    call = ToolCallPart("t", "weather", "{}")
    body, lost = encoded(
        user("hi"), Message("assistant", (TextPart("\n\n", cache="5m"), cited, call)), tools=(WEATHER,)
    )
    assert [list(block) for block in body["messages"][1]["content"]] == [["toolUse"]]
    assert lost == ("citations of a text that is blank were left out",)


def test_deepseek_takes_no_reasoning_back() -> None:
    turn = Message("assistant", (ReasoningPart("hm", mine(unsigned=True)), TextPart("ok")))
    body, lost = encoded(user("hi"), turn, user("and?"), model="us.deepseek.r1-v1:0")
    assert body["messages"][1]["content"] == [{"text": "ok"}]
    assert lost == ("reasoning of bedrock stayed home",)


def test_additional_fields_of_the_options_stand_beside_those_of_the_settings() -> None:
    options: Any = {"reasoning": 2000, "max_tokens": 4000, "options": {"additionalModelRequestFields": {"a": 1}}}
    body, _ = encoded(user("hi"), dialect=Dialect(option_fields=("additionalModelRequestFields",)), settings=options)
    assert body["additionalModelRequestFields"] == {"thinking": {"type": "enabled", "budget_tokens": 2000}, "a": 1}


def test_no_more_checkpoints_are_set_than_are_taken() -> None:
    tool = ToolSpec("f", "", {"type": "object"}, cache="5m")
    body, lost = encoded(user([TextPart(str(n), cache="5m") for n in range(5)]), tools=(tool,))
    assert [len(block) for block in (body["toolConfig"]["tools"], body["messages"][0]["content"])] == [1, 9]
    assert "of 6 checkpoints only the last 4" in lost[0]
    assert "cache.ttl" in encoded(user("hi"), settings={"cache": {"ttl": "24h"}})[1][0]
    assert "cache checkpoints" in encoded(user("hi"), tools=(tool,), model=LLAMA)[1][0]
    _, lost = encoded(user("hi"), tools=(tool,), settings={"cache": True})
    assert lost == ()


def test_documents_that_go_back_as_they_came_have_names_of_their_own() -> None:
    block = {"document": {"format": "pdf", "name": "a", "source": {"bytes": "eA=="}, "context": "c"}}
    kept = MediaPart("application/pdf", b"x", filename="a", opaque=mine(block=block))
    body, _ = encoded(user([kept, MediaPart("application/pdf", b"x", filename="a.pdf"), kept, "compare"]))
    names = [block["document"]["name"] for block in body["messages"][0]["content"][:3]]
    assert names == ["a", "a (2)", "a (3)"]


def test_no_native_tool_goes_out_where_none_is_to_be_called() -> None:
    raw = ToolSpec("computer", "", {}, raw={"type": "computer_20250124", "name": "computer"})
    assert (
        "additionalModelRequestFields" not in encoded(user("hi"), tools=(raw,), settings={"tool_choice": "none"})[0]
    )


def test_what_others_ran_and_noted_and_made_stays_home_and_is_told() -> None:
    theirs = Opaque("gemini", {"thoughtSignature": "s"}, "google")
    turn = Message(
        "assistant",
        (
            ToolCallPart("c", "code_execution", "{}", True, theirs),
            ToolResultPart("c", "code_execution", "1", opaque=theirs),
            MediaPart("image/png", PNG),
            TextPart("ok", opaque=theirs),
            ToolCallPart("t", "weather", "{}", opaque=theirs),
        ),
    )
    body, lost = encoded(user("hi"), turn, tools=(WEATHER,))
    assert [list(block) for block in body["messages"][1]["content"]] == [["text"], ["toolUse"]]
    assert lost == (
        "what google did by its own tool 'code_execution' stayed home",
        "image/png of an assistant was left out: Converse takes media from users only",
        "what google noted on a text stayed home",
        "what google noted on a tool call stayed home",
    )
