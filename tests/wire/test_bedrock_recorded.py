"""Anthropic's models behind Bedrock: recorded answers say what was worked out, and requests are equal."""

from __future__ import annotations

import base64
import json
import random
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import pytest

from conftest import expected, shared_tape
from playhead import EncodeError, ProviderError, TruncatedStream
from playhead.errors import DecodeError
from playhead.events import MessageEnd, MessageEvent
from playhead.messages import (
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
from playhead.tape.effects import Interaction
from playhead.tape.files import load_tape
from playhead.wire import Dialect, anthropic
from playhead.wire._eventstream import encode_event, encode_exception
from playhead.wire.bedrock import Decoder, decode_request, encode_request, read_error

CASSETTES = {
    name: cassette
    for name, cassette in expected().items()
    if any(response.get("provider") == "bedrock" for response in cassette["responses"])
}
RESPONSES = [
    (name, response["id"], response) for name, cassette in CASSETTES.items() for response in cassette["responses"]
] or [("recorded", 0, {})]
IDS = [f"{name.removesuffix('.yaml')}-{n}" for name, n, _ in RESPONSES]
STREAMS = [case for case in RESPONSES if case[2].get("framing") != "json"]
KINDS = {TextPart: "text", ReasoningPart: "reasoning", ToolCallPart: "tool_call"}

CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
SYSTEM = system("You are a helpful assistant")
PROMPTS = {"simple": "Say hi in Portuguese", "tool": "What's the weather in Florence,Italy?"}
WEATHER = ToolSpec(
    "weather",
    "Get weather information for a location",
    {
        "properties": {"location": {"description": "the city", "type": "string"}},
        "required": ["location"],
        "type": "object",
    },
)


@cache
def interaction(name: str, n: int) -> Interaction:
    return load_tape(shared_tape(name)).interactions[n]


def decode(*pieces: bytes) -> list[MessageEvent]:
    decoder = Decoder("anthropic")
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return events + decoder.close()


def final(events: list[MessageEvent]) -> ModelResponse:
    assert isinstance(events[-1], MessageEnd)
    return events[-1].response


@pytest.mark.parametrize(("name", "n", "case"), RESPONSES, ids=IDS)
def test_a_recorded_response_says_what_was_worked_out_independently(name: str, n: int, case: dict[str, Any]) -> None:
    response, wanted = final(decode(interaction(name, n).body)), case["response"]
    assert response.text == wanted["text"]
    assert [KINDS[type(part)] for part in response.message.parts] == wanted["parts"]
    assert [(call.id, call.name, json.loads(call.arguments)) for call in response.tool_calls] == [
        (call["id"], call["name"], call["arguments"]) for call in wanted["tool_calls"]
    ]
    for call, sent in zip(response.tool_calls, wanted["tool_calls"], strict=True):
        assert sent["arguments_raw"] in (None, call.arguments)
    assert (response.id, response.model) == (wanted["response_id"], wanted["model"])
    assert response.raw_finish_reason == wanted["finish_reason"]
    assert response.metadata.get("amazon-bedrock-invocationMetrics") == wanted.get("bedrock_metrics")
    assert response.wire == "anthropic"
    usage, sent = response.usage, wanted["usage"]
    assert usage is not None
    assert usage.raw == sent["raw"]
    assert usage.input_tokens == sent["input"] + (sent["cached"] or 0) + (sent["cache_write"] or 0)
    assert (usage.output_tokens, usage.total_tokens) == (sent["output"], None)
    assert (usage.cache_read_tokens, usage.cache_write_tokens) == (sent["cached"], sent["cache_write"])


@pytest.mark.parametrize(("name", "n", "case"), RESPONSES, ids=IDS)
def test_byte_by_byte_and_cut_at_random_it_gives_the_same_events(name: str, n: int, case: dict[str, Any]) -> None:
    data = interaction(name, n).body
    whole = decode(data)
    assert decode(*(data[i : i + 1] for i in range(len(data)))) == whole
    for seed in range(10):
        cuts = sorted(random.Random(seed).sample(range(len(data)), min(20, len(data))))
        assert decode(*(data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True))) == whole


@pytest.mark.parametrize(("name", "n", "case"), RESPONSES, ids=IDS)
def test_what_is_cut_before_its_end_is_never_a_success(name: str, n: int, case: dict[str, Any]) -> None:
    data = interaction(name, n).body
    for at in range(0, len(data), 7):
        with pytest.raises(TruncatedStream):
            decode(data[:at])


@pytest.mark.parametrize(("name", "n", "case"), STREAMS)
def test_a_stream_that_was_damaged_on_its_way_is_an_error(name: str, n: int, case: dict[str, Any]) -> None:
    data = bytearray(interaction(name, n).body)
    data[len(data) // 2] ^= 1
    decoder = Decoder()
    before = decoder.feed(bytes(data))
    assert before == decode(interaction(name, n).body)[: len(before)]
    with pytest.raises(DecodeError, match=r"checksum|begin here"):
        decoder.close()


def scenario(name: str, n: int) -> ModelRequest:
    """The conversation of a recorded request, built from the scenario and from the answer recorded before it."""
    kind = CASSETTES[name]["scenario"]
    messages = [SYSTEM, user(PROMPTS[kind])]
    for earlier in range(n):
        message = final(decode(interaction(name, earlier).body)).message
        results = tuple(ToolResultPart(call.id, call.name, "40 C") for call in message.tool_calls)
        messages += [message, Message("tool", results)]
    model, stream = decode_path(name, n)
    tools = (WEATHER,) if kind == "tool" else ()
    return ModelRequest(model, tuple(messages), tools, Settings(max_tokens=4000), stream)


def decode_path(name: str, n: int) -> tuple[str, bool]:
    request = interaction(name, n).request
    read = decode_request(request.body, urlsplit(request.url).path)
    return read.model, read.stream


@pytest.mark.parametrize(("name", "n", "case"), RESPONSES, ids=IDS)
def test_a_recorded_request_is_what_the_same_conversation_becomes(name: str, n: int, case: dict[str, Any]) -> None:
    encoded = encode_request(scenario(name, n), Dialect(), "anthropic")
    assert json.loads(encoded.body) == json.loads(interaction(name, n).request.body)
    assert (encoded.headers, encoded.losses, encoded.unsupported) == ((), (), ())


@pytest.mark.parametrize(("name", "n", "case"), RESPONSES, ids=IDS)
def test_a_recorded_request_that_is_read_goes_out_again_as_it_came(name: str, n: int, case: dict[str, Any]) -> None:
    request = interaction(name, n).request
    read = decode_request(request.body, urlsplit(request.url).path, "anthropic")
    assert json.loads(encode_request(read, Dialect(), "anthropic").body) == json.loads(request.body)
    assert read.stream == CASSETTES[name]["streaming"]
    assert [message.text for message in read.messages[:2]] == [SYSTEM.text, PROMPTS[CASSETTES[name]["scenario"]]]


def test_a_history_moves_between_anthropic_and_bedrock() -> None:
    thought = ReasoningPart("hm", Opaque("anthropic", {"signature": "sig"}, "anthropic"))
    asked = ModelRequest(CLAUDE, (user("hi"), Message("assistant", (thought, TextPart("ok"))), user("go on")))
    there = json.loads(encode_request(asked, Dialect(), "anthropic").body)
    assert there["messages"] == json.loads(anthropic.encode_request(asked, Dialect(), "anthropic").body)["messages"]
    assert there["messages"][1]["content"][0]["signature"] == "sig"


def test_betas_stand_in_the_body_and_the_tier_in_a_header() -> None:
    computer = ToolSpec("computer", "", {}, raw={"type": "computer_20250124", "name": "computer"})
    asked = ModelRequest(
        CLAUDE,
        (user("hi"),),
        (computer,),
        Settings(
            service_tier="flex",
            options={"betas": ["one", "two"]},
            extra_body={"anthropic_beta": ["two", "three"]},
            parallel_tool_calls=False,
        ),
    )
    encoded = encode_request(asked, Dialect(option_headers={"betas": "anthropic-beta"}), None)
    body = json.loads(encoded.body)
    assert body["anthropic_beta"] == ["two", "three", "one", "computer-use-2025-01-24"]
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert encoded.headers == (("X-Amzn-Bedrock-Service-Tier", "flex"),)
    assert {"model", "stream"}.isdisjoint(body)


def test_the_version_can_be_another() -> None:
    asked = ModelRequest(CLAUDE, (user("hi"),))
    body = json.loads(encode_request(asked, Dialect(body={"anthropic_version": "x"}), None).body)
    assert body["anthropic_version"] == "x"


def test_tools_that_only_anthropic_runs_are_an_error() -> None:
    with pytest.raises(EncodeError, match="web_search"):
        encode_request(ModelRequest(CLAUDE, (user("hi"),), provider_tools=(ProviderTool("web_search"),)), Dialect())


def chunk(event: object) -> bytes:
    return encode_event(
        "chunk", json.dumps({"bytes": base64.b64encode(json.dumps(event).encode()).decode()}).encode()
    )


def test_refusals_inside_a_stream() -> None:
    with pytest.raises(ProviderError, match="Too many") as caught:
        decode(encode_exception("throttlingException", b'{"message":"Too many tokens"}'))
    assert (caught.value.code, caught.value.retryable, caught.value.status) == ("throttlingException", True, 200)
    with pytest.raises(ProviderError, match="Overloaded"):
        decode(chunk({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}))


def test_refusals_as_a_body() -> None:
    error = read_error(b'{"message":"The security token included in the request is invalid."}', 403)
    assert error.message == "The security token included in the request is invalid."
    with pytest.raises(ProviderError, match="Not now"):
        decode(b'{"message":"Not now"}')


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (encode_event("chunk", b"{}"), "should carry `bytes`"),
        (encode_event("chunk", b'{"bytes":"?"}'), "base64"),
        (encode_event("chunk", b"{"), "JSON"),
        (b"Bad Gateway!", "begin here"),
    ],
)
def test_what_is_no_answer_is_named(data: bytes, words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        decode(data)


@pytest.mark.parametrize("where", [{"url": "https://a.test/b.png"}, {"file_id": "file_1"}])
def test_files_that_bedrock_does_not_look_for_are_an_error(where: Any) -> None:
    file = MediaPart("image/png", **where)
    for message in (user([file]), Message("tool", (ToolResultPart("t", "f", "", media=(file,)),))):
        with pytest.raises(EncodeError, match="pass its bytes"):
            encode_request(ModelRequest(CLAUDE, (message,)), Dialect())


def test_a_beta_in_words_is_one_of_them() -> None:
    computer = ToolSpec("computer", "", {}, raw={"type": "computer_20250124", "name": "computer"})
    asked = ModelRequest(CLAUDE, (user("hi"),), (computer,), Settings(extra_body={"anthropic_beta": "one"}))
    body = json.loads(encode_request(asked, Dialect()).body)
    assert body["anthropic_beta"] == ["one", "computer-use-2025-01-24"]
