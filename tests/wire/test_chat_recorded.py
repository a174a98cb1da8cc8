"""Every recorded chat completion decodes to what was worked out independently, however its bytes are cut."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import expected, shared_tape
from playhead import TruncatedStream
from playhead.events import MessageEnd, MessageEvent
from playhead.messages import ModelResponse, ReasoningPart, TextPart, ToolCallPart
from playhead.tape.files import load_tape
from playhead.wire.openai_chat import Decoder

RESPONSES = [
    (name, response["id"], response)
    for name, cassette in expected().items()
    for response in cassette["responses"]
    if response["protocol"] == "openai-chat" and "response" in response
] or [("recorded", 0, {})]
IDS = [f"{name.removesuffix('.yaml')}-{n}" for name, n, _ in RESPONSES]
STREAMS = [case for case in RESPONSES if case[2].get("framing") != "json"]

KINDS = {TextPart: "text", ReasoningPart: "reasoning", ToolCallPart: "tool_call"}


@cache
def body(name: str, n: int) -> bytes:
    return load_tape(shared_tape(name)).interactions[n].body


def decode(*pieces: bytes) -> list[MessageEvent]:
    decoder = Decoder("somebody")
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return events + decoder.close()


def final(events: list[MessageEvent]) -> ModelResponse:
    assert isinstance(events[-1], MessageEnd)
    return events[-1].response


@pytest.mark.parametrize(("name", "n", "case"), RESPONSES, ids=IDS)
def test_a_recorded_response_says_what_was_worked_out_independently(name: str, n: int, case: dict[str, Any]) -> None:
    response, wanted = final(decode(body(name, n))), case["response"]
    assert response.text == wanted["text"]
    assert response.reasoning == wanted["reasoning"]
    assert [(call.id, call.name, call.arguments) for call in response.tool_calls] == [
        (call["id"], call["name"], call["arguments_raw"]) for call in wanted["tool_calls"]
    ]
    assert response.raw_finish_reason == wanted["finish_reason"]
    assert [KINDS[type(part)] for part in response.message.parts] == wanted["parts"]
    assert (response.id, response.model) == (wanted["response_id"], wanted["model"])
    assert response.metadata.get("provider") == wanted.get("upstream_provider")
    assert response.metadata.get("native_finish_reason") == wanted.get("native_finish_reason")


@pytest.mark.parametrize(("name", "n", "case"), RESPONSES, ids=IDS)
def test_its_usage_is_the_one_that_was_sent_and_reasoning_is_a_part_of_the_output(
    name: str, n: int, case: dict[str, Any]
) -> None:
    response, sent = final(decode(body(name, n))), case["response"]["usage"]
    usage = response.usage
    assert usage is not None
    assert usage.raw == sent["raw"]
    beside = sent["total"] == sent["input"] + sent["output"] + (sent["reasoning"] or 0)
    assert usage.input_tokens == sent["input"]
    assert usage.output_tokens == sent["output"] + (sent["reasoning"] or 0 if beside else 0)
    assert (usage.total_tokens, usage.reasoning_tokens) == (sent["total"], sent["reasoning"])
    assert (usage.cache_read_tokens, usage.cache_write_tokens) == (sent["cached"], sent["cache_write"])
    ticks = sent["raw"].get("cost_in_usd_ticks")
    assert response.cost == (sent["cost"] if ticks is None else ticks / 1e10)


@pytest.mark.parametrize(("name", "n", "case"), RESPONSES, ids=IDS)
def test_its_opaque_reasoning_is_kept_whole_and_in_order(name: str, n: int, case: dict[str, Any]) -> None:
    parts = final(decode(body(name, n))).message.parts
    details = [
        entry
        for part in parts
        if isinstance(part, ReasoningPart) and part.opaque
        for entry in part.opaque.data.get("details", ())
    ]
    assert [without_nulls(entry) for entry in details] == [
        without_nulls(entry) for entry in case["response"]["reasoning_meta"]
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
def test_wherever_a_stream_is_cut_the_events_are_the_same(data: st.DataObject) -> None:
    if not expected():
        pytest.skip("the recordings beside the repository are not here")
    name, n, _ = data.draw(st.sampled_from(STREAMS))
    text = body(name, n)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    assert decode(*(text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True))) == decode(text)


@given(st.data())
@settings(deadline=None)
def test_a_stream_that_is_cut_before_its_last_event_is_never_a_success(data: st.DataObject) -> None:
    if not expected():
        pytest.skip("the recordings beside the repository are not here")
    name, n, case = data.draw(st.sampled_from(STREAMS))
    text = body(name, n)
    last_event = text.rstrip(b"\n").rfind(b"\n\n") + 2
    # A stream whose finish and usage stand in one event may end there: some providers send nothing after it.
    end = last_event if case["response"]["usage_chunk_vs_finish"] == "same" else len(text)
    at = data.draw(st.integers(0, end - 1))
    with pytest.raises(TruncatedStream):
        decode(text[:at])


def without_nulls(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if value is not None}
