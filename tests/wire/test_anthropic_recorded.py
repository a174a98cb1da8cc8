"""Every recorded answer of the Messages format decodes to what was worked out independently, and encodes again."""

from __future__ import annotations

import json
import random
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import expected, shared_tape
from playhead import TruncatedStream
from playhead.events import MessageEnd, MessageEvent
from playhead.messages import ModelResponse, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from playhead.tape.files import load_tape
from playhead.wire import Dialect
from playhead.wire.anthropic import Decoder, Encoder, decode_request, encode_request

RESPONSES = [
    (name, response["id"], response)
    for name, cassette in expected().items()
    for response in cassette["responses"]
    if response["protocol"] == "anthropic" and response["framing"] in ("json", "sse")
] or [("recorded", 0, {"framing": "sse"})]
IDS = [f"{name.removesuffix('.yaml')}-{n}" for name, n, _ in RESPONSES]
STREAMS = [case for case in RESPONSES if case[2]["framing"] == "sse"]

KINDS = {TextPart: "text", ReasoningPart: "reasoning", ToolCallPart: "tool_call", ToolResultPart: "tool_result"}

LOCAL = ["run_messages_turn1", "run_messages_turn2", "qwen05b_messages_tools_stream", "smollm2_messages_stream"]
"""Streams of a real llama.cpp server: both calls begin before either ends, and blocks of calls have no input."""


@cache
def body(name: str, n: int) -> bytes:
    return load_tape(shared_tape(name)).interactions[n].body


def local(name: str) -> tuple[dict[str, Any], bytes]:
    """The request's body, and the answer."""
    meta, *pieces = map(json.loads, shared_tape(f"local/{name}.jsonl").read_text().splitlines())
    return meta["request"]["body"], "".join(piece["text"] for piece in pieces).encode()


def decode(*pieces: bytes, origin: str = "somebody") -> list[MessageEvent]:
    decoder = Decoder(origin)
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return events + decoder.close()


def final(events: list[MessageEvent]) -> ModelResponse:
    assert isinstance(events[-1], MessageEnd)
    return events[-1].response


@pytest.mark.parametrize(("name", "n", "case"), RESPONSES, ids=IDS)
def test_a_recorded_response_says_what_was_worked_out_independently(name: str, n: int, case: dict[str, Any]) -> None:
    response, wanted = final(decode(body(name, n))), case["response"]
    assert (response.text, response.reasoning) == (wanted["text"], wanted["reasoning"])
    calls = [part for part in response.message.parts if isinstance(part, ToolCallPart)]
    assert len(calls) == len(wanted["tool_calls"])
    for call, said in zip(calls, wanted["tool_calls"], strict=True):
        assert (call.id, call.name, call.provider_executed) == (said["id"], said["name"], said["provider_executed"])
        # In a JSON body arguments are an object: they are told without white space.
        compact = json.dumps(said["arguments"], separators=(",", ":"), ensure_ascii=False)
        assert call.arguments == (said["arguments_raw"] or compact)
    assert response.raw_finish_reason == wanted["finish_reason"]
    assert [KINDS[type(part)] for part in response.message.parts] == wanted["parts"]
    assert [part.text for part in response.message.parts if isinstance(part, TextPart)] == wanted["text_blocks"]
    assert (response.id, response.model) == (wanted["response_id"], wanted["model"])


@pytest.mark.parametrize(("name", "n", "case"), RESPONSES, ids=IDS)
def test_its_usage_is_the_one_that_was_sent_and_the_input_is_the_total(
    name: str, n: int, case: dict[str, Any]
) -> None:
    usage, sent = final(decode(body(name, n))).usage, case["response"]["usage"]
    assert usage is not None
    assert usage.raw == sent["raw"]
    assert usage.input_tokens == sent["input"] + (sent["cached"] or 0) + (sent["cache_write"] or 0)
    assert (usage.output_tokens, usage.total_tokens) == (sent["output"], sent["total"])
    assert (usage.cache_read_tokens, usage.cache_write_tokens) == (sent["cached"], sent["cache_write"])
    assert usage.reasoning_tokens == sent["reasoning"]


@pytest.mark.parametrize(("name", "n", "case"), RESPONSES, ids=IDS)
def test_its_signatures_citations_and_sources_are_kept_whole(name: str, n: int, case: dict[str, Any]) -> None:
    response, wanted = final(decode(body(name, n))), case["response"]
    reasoning = [part for part in response.message.parts if isinstance(part, ReasoningPart)]
    assert [{"text": part.text} | (part.opaque.data if part.opaque else {}) for part in reasoning] == [
        {key: entry[key] for key in ("text", "signature")} for entry in wanted["reasoning_meta"]
    ]
    assert [cited.opaque.data for cited in response.message.citations if cited.opaque] == wanted["citations"]
    assert [(source.url, source.title) for source in response.sources] == [
        (source["url"], source["title"]) for source in wanted["sources"]
    ]


@pytest.mark.parametrize(("name", "n", "case"), RESPONSES, ids=IDS)
def test_byte_by_byte_and_cut_at_random_it_gives_the_same_events(name: str, n: int, case: dict[str, Any]) -> None:
    data = body(name, n)
    whole = decode(data)
    assert decode(*(data[i : i + 1] for i in range(len(data)))) == whole
    cuts = sorted(random.Random(name).sample(range(len(data)), min(20, len(data))))
    assert decode(*(data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True))) == whole


@given(st.data())
@settings(deadline=None)
def test_a_stream_that_is_cut_before_its_last_event_is_never_a_success(data: st.DataObject) -> None:
    if not expected():
        pytest.skip("the recordings beside the repository are not here")
    name, n, _ = data.draw(st.sampled_from(STREAMS))
    text = body(name, n)
    at = data.draw(st.integers(0, len(text.rstrip(b"\n")) + 1))  # The last event ends with an empty line.
    with pytest.raises(TruncatedStream):
        decode(text[:at])


@pytest.mark.parametrize(("name", "n", "case"), RESPONSES, ids=IDS)
def test_its_events_encode_to_a_stream_that_gives_the_same_events(name: str, n: int, case: dict[str, Any]) -> None:
    events = decode(body(name, n))
    encoder = Encoder(stream=True)
    assert decode(b"".join(map(encoder.send, events))) == events
    assert encoder.losses == ()


@pytest.mark.parametrize(("name", "n", "case"), RESPONSES, ids=IDS)
def test_its_events_encode_to_a_body_that_gives_the_same_response(name: str, n: int, case: dict[str, Any]) -> None:
    events = decode(body(name, n))
    encoder = Encoder(stream=False)
    data = b"".join(map(encoder.send, events))
    again = final(decode(data))
    assert encoder.losses == ()
    if case["framing"] == "json":
        assert again == final(events)
        sent, kept = json.loads(data), json.loads(body(name, n))
        assert sent == {name: value for name, value in kept.items() if name != "stop_details"}
        return
    # A body cannot tell the white space that the model put into its arguments.
    assert without_space(again) == without_space(final(events))


def without_space(response: ModelResponse) -> Any:
    parts = [
        (part.id, part.name, json.loads(part.arguments), part.opaque) if isinstance(part, ToolCallPart) else part
        for part in response.message.parts
    ]
    return parts, response.usage, response.metadata, response.raw_finish_reason, response.id, response.model


@pytest.mark.parametrize(("name", "n", "case"), RESPONSES, ids=IDS)
def test_a_recorded_request_is_read_and_written_again(name: str, n: int, case: dict[str, Any]) -> None:
    request = load_tape(shared_tape(name)).interactions[n].request
    said, path = json.loads(request.body), urlsplit(request.url).path
    read = decode_request(request.body, path, "anthropic")
    without = [field for field in ("model", "stream") if field not in said]
    version = {"anthropic_version": said["anthropic_version"]} if "anthropic_version" in said else {}
    encoded = encode_request(read, Dialect(without=tuple(without), body=version), "anthropic")
    if "bedrock-anthropic-claude-opus-4-6" in name:
        said["tool_choice"]["disable_parallel_tool_use"] = False  # Its client leaves out what goes without saying.
    assert json.loads(encoded.body) == said
    assert (encoded.losses, encoded.unsupported) == ((), ())
    assert decode_request(encoded.body, path, "anthropic") == read


@pytest.mark.parametrize("name", LOCAL)
def test_another_server_of_the_format_is_understood_and_encodes_again(name: str) -> None:
    asked, data = local(name)
    events = decode(data)
    assert decode(*(data[i : i + 1] for i in range(len(data)))) == events
    response = final(events)
    assert response.usage is not None
    assert response.usage.input_tokens == 1 + (response.usage.cache_read_tokens or 0)
    if "tools" in name or "turn1" in name:
        assert [(call.name, json.loads(call.arguments)) for call in response.tool_calls] == [
            (called, {"a": 6, "b": 7}) for called in ("add", "multiply")
        ]
        assert response.finish_reason == "tool_calls"
    again = decode(b"".join(map(Encoder(stream=True).send, events)))
    assert again == events
    request = decode_request(json.dumps(asked).encode())
    assert request.settings.get("max_tokens") == asked["max_tokens"]
    assert ("extra_body" in request.settings) == ("grammar" in asked)
