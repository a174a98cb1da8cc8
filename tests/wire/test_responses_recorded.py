"""Every recorded answer of the Responses API decodes to what was worked out independently, however it is cut."""

from __future__ import annotations

import json
import random
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import expected, shared_tape
from playhead import DecodeError, ProviderError, TruncatedStream
from playhead.events import MessageEnd, MessageEvent, PartDelta, PartEnd, PartStart
from playhead.messages import (
    MediaPart,
    ModelResponse,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from playhead.tape.files import load_tape
from playhead.wire import openai_responses
from playhead.wire.openai_responses import Decoder, read_error

RESPONSES = [
    (name, response["id"], response)
    for name, cassette in expected().items()
    for response in cassette["responses"]
    if response["protocol"] == "openai-responses" and "response" in response
] or [("recorded", 0, {})]
IDS = [f"{name.removesuffix('.yaml')}-{n}" for name, n, _ in RESPONSES]
STREAMS = [case for case in RESPONSES if case[2].get("framing") != "json"]
LOCAL = ("run_responses_turn1", "run_responses_turn2", "qwen05b_responses_tools_stream", "smollm2_responses_stream")

KINDS = {TextPart: "text", ReasoningPart: "reasoning", ToolCallPart: "tool_call"}


@cache
def body(name: str, n: int) -> bytes:
    return load_tape(shared_tape(name)).interactions[n].body


def local(name: str) -> list[bytes]:
    lines = shared_tape(f"local/{name}.jsonl").read_text().splitlines()
    return [json.loads(line)["text"].encode() for line in lines[1:]]


def decode(*pieces: bytes) -> list[MessageEvent]:
    decoder = Decoder("somebody")
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return events + decoder.close()


def final(events: list[MessageEvent]) -> ModelResponse:
    assert isinstance(events[-1], MessageEnd)
    return events[-1].response


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(f"event: {it['type']}\ndata: {json.dumps(it)}\n\n".encode() for it in events)


def whole(*items: dict[str, Any], **fields: Any) -> bytes:
    return json.dumps({"id": "r", "model": "m", "status": "completed", "output": list(items), **fields}).encode()


def created(id: str = "r") -> dict[str, Any]:
    return {"type": "response.created", "response": {"id": id, "model": "m", "status": "in_progress", "output": []}}


def completed(*items: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": "response.completed", "response": json.loads(whole(*items, **fields))}


@pytest.mark.parametrize(("name", "n", "case"), RESPONSES, ids=IDS)
def test_a_recorded_response_says_what_was_worked_out_independently(name: str, n: int, case: dict[str, Any]) -> None:
    response, wanted = final(decode(body(name, n))), case["response"]
    assert response.text == wanted["text"]
    assert response.reasoning == wanted["reasoning"]
    parts = response.message.parts
    assert [
        (call.id, call.name, json.loads(call.arguments), call.provider_executed)
        for call in parts
        if isinstance(call, ToolCallPart)
    ] == [(call["id"], call["name"], call["arguments"], call["provider_executed"]) for call in wanted["tool_calls"]]
    assert [call.arguments for call in response.tool_calls] == [
        call["arguments_raw"] for call in wanted["tool_calls"] if not call["provider_executed"]
    ]
    assert response.raw_finish_reason == wanted["finish_reason"]
    assert response.finish_reason == ("tool_calls" if response.tool_calls else "stop")
    assert [KINDS[type(part)] for part in parts] == wanted["parts"]
    assert (response.id, response.model) == (wanted["response_id"], wanted["model"])
    assert [source.raw for source in response.sources] == wanted["sources"]
    assert response.metadata["service_tier"] in ("default", "auto")


@pytest.mark.parametrize(("name", "n", "case"), RESPONSES, ids=IDS)
def test_its_usage_is_the_one_that_was_sent(name: str, n: int, case: dict[str, Any]) -> None:
    usage, sent = final(decode(body(name, n))).usage, case["response"]["usage"]
    assert usage is not None
    assert usage.raw == sent["raw"]
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (
        sent["input"],
        sent["output"],
        sent["total"],
    )
    assert (usage.cache_read_tokens, usage.cache_write_tokens) == (sent["cached"], sent["cache_write"])
    assert usage.reasoning_tokens == sent["reasoning"]


@pytest.mark.parametrize(("name", "n", "case"), RESPONSES, ids=IDS)
def test_its_reasoning_items_are_kept_as_they_were_when_they_were_done(
    name: str, n: int, case: dict[str, Any]
) -> None:
    kept = [
        part.opaque.data
        for part in final(decode(body(name, n))).message.parts
        if isinstance(part, ReasoningPart) and part.opaque
    ]
    wanted = case["response"]["reasoning_meta"]
    assert [it["id"] for it in kept] == [it["item_id"] for it in wanted]
    assert [[piece["text"] for piece in it["summary"]] for it in kept] == [it["summary"] for it in wanted]
    assert [it.get("encrypted_content") for it in kept] == [it["encrypted_content"] for it in wanted]


@pytest.mark.parametrize(("name", "n", "case"), RESPONSES, ids=IDS)
def test_byte_by_byte_and_cut_at_random_it_gives_the_same_events(name: str, n: int, case: dict[str, Any]) -> None:
    data = body(name, n)
    events = decode(data)
    assert decode(*(data[i : i + 1] for i in range(len(data)))) == events
    cuts = sorted(random.Random(name).sample(range(len(data)), min(20, len(data))))
    assert decode(*(data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True))) == events


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
    name, n, _ = data.draw(st.sampled_from(STREAMS))
    text = body(name, n).rstrip(b"\n") + b"\n"
    at = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(TruncatedStream):
        decode(text[:at])


@pytest.mark.parametrize("name", LOCAL)
def test_a_server_without_places_and_with_late_names_is_understood(name: str) -> None:
    pieces = local(name)
    events = decode(*pieces)
    response = final(events)
    assert response.model
    assert response.metadata["timings"]
    assert response.text or response.tool_calls
    assert decode(b"".join(pieces)) == events
    assert len([event for event in events if isinstance(event, PartDelta)]) > 10


def test_pieces_of_reasoning_are_joined_alike_in_streams_and_in_bodies() -> None:
    item = {
        "type": "reasoning",
        "id": "rs",
        "summary": [{"type": "summary_text", "text": words} for words in ("one", "two")],
        "content": [{"type": "reasoning_text", "text": "three"}],
    }
    place = {"output_index": 0, "item_id": "rs"}
    stream = sse(
        created(),
        {"type": "response.output_item.added", "item": {"type": "reasoning", "id": "rs", "summary": []}, **place},
        {"type": "response.reasoning_summary_part.added", "summary_index": 0, **place},
        {"type": "response.reasoning_summary_text.delta", "summary_index": 0, "delta": "o", **place},
        {"type": "response.reasoning_summary_text.delta", "summary_index": 0, "delta": "ne", **place},
        {"type": "response.reasoning_summary_part.added", "summary_index": 1, **place},
        {"type": "response.reasoning_summary_text.delta", "summary_index": 1, "delta": "two", **place},
        {"type": "response.reasoning_text.delta", "content_index": 0, "delta": "three", **place},
        {"type": "response.output_item.done", "item": item, **place},
        completed(item),
    )
    assert final(decode(stream)) == final(decode(whole(item)))
    assert final(decode(stream)).reasoning == "one\ntwo\nthree"


def test_what_the_provider_ran_itself_is_shown_with_its_results() -> None:
    png = "iVBORw0KGgo="
    response = final(
        decode(
            whole(
                {
                    "type": "code_interpreter_call",
                    "id": "ci",
                    "code": "print(1)",
                    "container_id": "c",
                    "outputs": [
                        {"type": "logs", "logs": "1\n"},
                        {"type": "image", "url": f"data:image/png;base64,{png}"},
                    ],
                },
                {
                    "type": "file_search_call",
                    "id": "fs",
                    "queries": ["q"],
                    "results": [{"filename": "a", "text": "T"}],
                },
                {"type": "mcp_call", "id": "mcp", "name": "roll", "arguments": '{"n":1}', "output": "6"},
                {"type": "image_generation_call", "id": "ig", "result": png, "revised_prompt": "a cat"},
                {"type": "something_call", "id": "x", "arguments": {"a": 1}},
                {"type": "compaction", "id": "cmp", "encrypted_content": "E"},
            )
        )
    )
    shown = [part for part in response.message.parts if not isinstance(part, ReasoningPart)]
    assert [(type(part).__name__, getattr(part, "name", "")) for part in shown] == [
        ("ToolCallPart", "code_execution"),
        ("ToolResultPart", "code_execution"),
        ("ToolCallPart", "file_search"),
        ("ToolResultPart", "file_search"),
        ("ToolCallPart", "roll"),
        ("ToolResultPart", "roll"),
        ("ToolCallPart", "image_generation"),
        ("MediaPart", ""),
        ("ToolCallPart", "something"),
    ]
    assert response.tool_calls == ()
    assert response.finish_reason == "stop"
    calls = [part.arguments for part in shown if isinstance(part, ToolCallPart)]
    assert calls == ['{"code":"print(1)"}', '{"queries":["q"]}', '{"n":1}', '{"prompt":"a cat"}', '{"a":1}']
    results = [part for part in shown if isinstance(part, ToolResultPart)]
    assert [result.text for result in results] == ["1\n", "T", "6"]
    assert results[0].media[0].data == b"\x89PNG\r\n\x1a\n"
    assert next(part for part in shown if isinstance(part, MediaPart)).media_type == "image/png"
    assert [source.title for source in response.sources] == ["a"]
    carried = response.message.parts[-1]
    assert isinstance(carried, ReasoningPart)
    assert carried.text == ""
    assert carried.opaque
    assert carried.opaque.data["item"]["encrypted_content"] == "E"


def test_calls_that_the_caller_runs_have_the_names_of_their_tools() -> None:
    response = final(
        decode(
            whole(
                {"type": "custom_tool_call", "id": "i1", "call_id": "c1", "name": "sql", "input": 'say "hi"'},
                {"type": "computer_call", "id": "i2", "call_id": "c2", "action": {"type": "screenshot"}},
                {"type": "shell_call", "id": "i3", "call_id": "c3", "action": {"commands": ["ls"]}},
                {
                    "type": "shell_call",
                    "id": "i4",
                    "call_id": "c4",
                    "action": {},
                    "environment": {"type": "container_reference"},
                },
            )
        )
    )
    assert [(call.id, call.name, json.loads(call.arguments)) for call in response.tool_calls] == [
        ("c1", "sql", {"input": 'say "hi"'}),
        ("c2", "computer", {"type": "screenshot"}),
        ("c3", "shell", {"commands": ["ls"]}),
    ]
    hosted = response.message.parts[-1]
    assert isinstance(hosted, ToolCallPart)
    assert (hosted.id, hosted.name, hosted.provider_executed) == ("c4", "shell", True)
    assert response.finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter"),
        ({"status": "incomplete", "incomplete_details": {"reason": "tired"}}, "other"),
        ({"status": "cancelled"}, "other"),
    ],
)
def test_why_an_answer_is_not_complete(fields: dict[str, Any], reason: str) -> None:
    item = {"type": "message", "id": "m", "content": [{"type": "refusal", "refusal": "no"}]}
    response = final(decode(whole(item, **fields)))
    assert (response.finish_reason, response.raw_finish_reason) == (reason, fields["status"])
    assert response.metadata.get("incomplete_details") == fields.get("incomplete_details")
    assert [part.text for part in response.message.parts if isinstance(part, RefusalPart)] == ["no"]


def test_what_was_not_streamed_is_taken_from_the_end_and_what_is_unknown_is_kept() -> None:
    message = {
        "type": "message",
        "id": "m",
        "phase": "commentary",
        "content": [
            {"type": "output_text", "text": "Hello", "logprobs": [{"token": "Hello", "logprob": -0.1}], "new": 1},
            {"type": "novelty", "x": 2},
        ],
    }
    call = {"type": "function_call", "id": "f", "call_id": "c", "name": "n", "arguments": "{}", "namespace": "s"}
    stream = sse(
        created(),
        {"type": "response.output_text.delta", "item_id": "m", "content_index": 0, "delta": "Hel"},
        {"type": "response.wonder", "y": 3},
        completed(message, call, service_tier="flex"),
    )
    response = final(decode(stream))
    assert response.text == "Hello"
    first, second = response.message.parts
    assert first.opaque
    assert first.opaque.data == {
        "id": "m",
        "phase": "commentary",
        "logprobs": [{"token": "Hello", "logprob": -0.1}],
        "fields": {"new": 1},
    }
    assert second.opaque
    assert second.opaque.data == {"id": "f", "namespace": "s"}
    assert response.metadata["unknown_content"] == [{"type": "novelty", "x": 2}]
    assert response.metadata["events"] == [{"type": "response.wonder", "y": 3}]
    assert response.metadata["service_tier"] == "flex"


def test_servers_that_change_ids_are_understood_by_places_and_those_without_places_by_ids() -> None:
    call = {"type": "function_call", "call_id": "c", "name": "n", "arguments": '{"a":1}'}
    kind = "response.function_call_arguments.delta"
    for ids, place in ((["1", "2", "3", "4"], {"output_index": 0}), (["1", "1", "1", "1"], {})):
        stream = sse(
            created(),
            {"type": "response.output_item.added", "item": {**call, "id": ids[0], "arguments": ""}, **place},
            {"type": kind, "item_id": ids[1], "delta": '{"a"', **place},
            {"type": kind, "item_id": ids[2], "delta": ":1}", **place},
            {"type": "response.output_item.done", "item": {**call, "id": ids[3]}, **place},
            completed({**call, "id": "5" if place else "1"}),
        )
        events = decode(stream)
        assert [event.delta for event in events if isinstance(event, PartDelta)] == ['{"a"', ":1}"]
        assert len(final(events).tool_calls) == 1


def test_items_that_have_one_id_are_several_all_the_same() -> None:
    items = [{"type": "function_call", "id": "x", "call_id": c, "name": "f", "arguments": "{}"} for c in ("a", "b")]
    assert [call.id for call in final(decode(whole(*items))).tool_calls] == ["a", "b"]
    assert [call.id for call in final(decode(sse(created(), completed(*items)))).tool_calls] == ["a", "b"]
    done = [{"type": "response.output_item.done", "output_index": n, "item": item} for n, item in enumerate(items)]
    assert [call.id for call in final(decode(sse(created(), *done, completed(*items)))).tool_calls] == ["a", "b"]


@pytest.mark.parametrize(
    "events",
    [
        [created(), {"type": "error", "code": "rate_limit_exceeded", "message": "slow down", "param": None}],
        [created(), {"type": "error", "error": {"code": "rate_limit_exceeded", "message": "slow down"}}],
        [
            created(),
            {
                "type": "response.failed",
                "response": {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow down"}},
            },
        ],
    ],
    ids=["error", "nested", "failed"],
)
def test_an_error_in_the_stream_is_a_refusal_behind_what_came_before(events: list[dict[str, Any]]) -> None:
    decoder = Decoder("openai")
    assert len(decoder.feed(sse(*events))) == 1
    with pytest.raises(ProviderError, match="slow down") as caught:
        decoder.close()
    assert (caught.value.status, caught.value.code) == (200, "rate_limit_exceeded")


def test_what_is_no_answer_is_told_so() -> None:
    with pytest.raises(ProviderError, match="bad"):
        decode(b'{"id": "r", "status": "failed", "output": [], "error": {"code": "server_error", "message": "bad"}}')
    with pytest.raises(DecodeError, match="'in_progress'"):
        decode(whole(status="in_progress"))
    with pytest.raises(DecodeError, match="list in `output`"):
        decode(b'{"choices": []}')
    with pytest.raises(TruncatedStream, match=r"without response\.completed"):
        decode(sse(created()) + b"data: [DONE]\n\n")
    error = read_error(
        b'{"error": {"message": "no", "type": "invalid_request_error", "param": "x", "code": null}}', 400
    )
    assert (error.message, error.code, error.status) == ("no", "invalid_request_error", 400)


def test_an_identity_comes_with_the_first_event_of_a_part() -> None:
    message = {"type": "message", "id": "msg_1", "role": "assistant", "content": []}
    events = decode(
        sse(
            created(),
            {"type": "response.output_item.added", "item": message, "output_index": 0},
            {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "hi"},
            completed({**message, "content": [{"type": "output_text", "text": "hi"}]}),
        )
    )
    started = next(event for event in events if isinstance(event, PartStart))
    ended = next(event for event in events if isinstance(event, PartEnd))
    assert started.part.opaque
    assert ended.part.opaque
    assert started.part.opaque.data == ended.part.opaque.data == {"id": "msg_1"}


def test_the_module_is_whole() -> None:
    assert (openai_responses.NAME, openai_responses.PATH) == ("openai_responses", "/responses")
    assert (openai_responses.STREAM_PATH, openai_responses.STREAM_TYPE) == ("/responses", "text/event-stream")
