"""Every recorded Gemini answer decodes to what was worked out independently, however its bytes are cut, and goes out
again as it came."""

from __future__ import annotations

import json
import random
import time
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import expected, shared_tape
from playhead import DecodeError, ProviderError, TruncatedStream
from playhead.events import MessageEnd, MessageEvent, PartDelta, PartEnd
from playhead.messages import (
    Citation,
    MediaPart,
    ModelResponse,
    Opaque,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from playhead.tape.files import load_tape
from playhead.wire.gemini import Decoder, Encoder, decode_usage, encode_error, read_error

RESPONSES = [
    (name, response["id"], response)
    for name, cassette in expected().items()
    for response in cassette["responses"]
    if response["protocol"] == "gemini" and "response" in response
] or [("recorded", 0, {})]
IDS = [f"{name.removeprefix('recorded/TestGoogle').removesuffix('.yaml')}-{n}" for name, n, _ in RESPONSES]
STREAMS = [case for case in RESPONSES if case[2].get("framing") != "json"]
KINDS = {TextPart: "text", ReasoningPart: "reasoning", ToolCallPart: "tool_call"}


@cache
def body(name: str, n: int) -> bytes:
    return load_tape(shared_tape(name)).interactions[n].body


def decode(*pieces: bytes) -> list[MessageEvent]:
    decoder = Decoder("google")
    events = [event for piece in pieces for event in decoder.feed(piece)]
    events += decoder.close()
    if decoder.error is not None:
        raise decoder.error
    return events


def final(events: list[MessageEvent]) -> ModelResponse:
    assert isinstance(events[-1], MessageEnd)
    return events[-1].response


def answer(*parts: Any, reason: str | None = "STOP", **more: Any) -> ModelResponse:
    candidate = {"content": {"parts": list(parts), "role": "model"}, "finishReason": reason} | more.pop(
        "candidate", {}
    )
    return final(decode(json.dumps({"candidates": [candidate], "responseId": "r1"} | more).encode()))


def sse(*chunks: dict[str, Any]) -> bytes:
    return "".join(f"data: {json.dumps(chunk)}\r\n\r\n" for chunk in chunks).encode()


def chunk(*parts: Any, **candidate: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts), "role": "model"}} | candidate], "responseId": "r1"}


@pytest.mark.parametrize(("name", "n", "case"), RESPONSES, ids=IDS)
def test_a_recorded_response_says_what_was_worked_out_independently(name: str, n: int, case: dict[str, Any]) -> None:
    response, wanted = final(decode(body(name, n))), case["response"]
    assert (response.text, response.reasoning) == (wanted["text"], wanted["reasoning"])
    assert [(call.name, json.loads(call.arguments)) for call in response.tool_calls] == [
        (call["name"], call["arguments"]) for call in wanted["tool_calls"]
    ]
    for call, sent in zip(response.tool_calls, wanted["tool_calls"], strict=True):
        assert call.id == sent["id"] if sent["id"] else call.id.startswith("call_")
    assert [KINDS[type(part)] for part in response.message.parts] == wanted["parts"]
    assert response.raw_finish_reason == wanted["finish_reason"]
    assert response.finish_reason == ("tool_calls" if wanted["tool_calls"] else "stop")
    assert (response.id, response.model) == (wanted["response_id"], wanted["model"])
    assert response.metadata.get("finishMessage") == wanted.get("finish_message")


@pytest.mark.parametrize(("name", "n", "case"), RESPONSES, ids=IDS)
def test_its_usage_is_the_last_that_was_sent_and_thoughts_are_a_part_of_the_output(
    name: str, n: int, case: dict[str, Any]
) -> None:
    usage, sent = final(decode(body(name, n))).usage, case["response"]["usage"]
    assert usage is not None
    assert usage.raw == sent["raw"]
    assert usage.input_tokens == sent["input"]
    assert usage.output_tokens == sent["output"] + (sent["reasoning"] or 0)
    assert (usage.total_tokens, usage.reasoning_tokens) == (sent["total"], sent["reasoning"])
    assert (usage.cache_read_tokens, usage.cache_write_tokens) == (sent["cached"], sent["cache_write"])


@pytest.mark.parametrize(("name", "n", "case"), RESPONSES, ids=IDS)
def test_its_signatures_stay_where_they_came(name: str, n: int, case: dict[str, Any]) -> None:
    found = [
        (part.opaque.data["thoughtSignature"], place(part))
        for part in final(decode(body(name, n))).message.parts
        if part.opaque is not None and "thoughtSignature" in part.opaque.data
    ]
    assert found == [(meta["thought_signature"], meta["on"]) for meta in case["response"]["reasoning_meta"]]


def place(part: Part) -> str:
    if isinstance(part, ToolCallPart):
        return "functionCall"
    assert isinstance(part, TextPart)
    assert part.opaque is not None
    return "text" if "at" not in part.opaque.data else "empty text part"


@pytest.mark.parametrize(("name", "n", "case"), RESPONSES, ids=IDS)
def test_byte_by_byte_and_cut_at_random_it_gives_the_same_events(name: str, n: int, case: dict[str, Any]) -> None:
    data = body(name, n)
    whole = decode(data)
    assert decode(*(data[i : i + 1] for i in range(len(data)))) == whole
    cuts = sorted(random.Random(name).sample(range(len(data)), min(20, len(data))))
    assert decode(*(data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True))) == whole


@given(st.data())
@settings(deadline=None)
def test_a_stream_that_is_cut_before_its_finish_is_never_a_success(data: st.DataObject) -> None:
    if not expected():
        pytest.skip("the recordings beside the repository are not here")
    name, n, _ = data.draw(st.sampled_from(STREAMS))
    stream = body(name, n)
    at = data.draw(st.integers(0, len(stream.rstrip()) - 1))
    with pytest.raises(TruncatedStream):
        decode(stream[:at])


@pytest.mark.parametrize(("name", "n", "case"), RESPONSES, ids=IDS)
def test_it_goes_out_again_as_it_came(name: str, n: int, case: dict[str, Any]) -> None:
    events = decode(body(name, n))
    written = {stream: Encoder(stream) for stream in (True, False)}
    out = {stream: b"".join(map(encoder.send, events)) for stream, encoder in written.items()}
    assert decode(out[True]) == events
    assert final(decode(out[False])) == final(events)
    assert [encoder.losses for encoder in written.values()] == [(), ()]


@pytest.mark.parametrize(("name", "n", "case"), STREAMS, ids=[f"{name}-{n}" for name, n, _ in STREAMS])
def test_a_list_of_chunks_says_the_same_as_a_stream_of_them(name: str, n: int, case: dict[str, Any]) -> None:
    lines = body(name, n).replace(b"\r\n", b"\n").split(b"\n\n")
    chunks = [line.removeprefix(b"data: ") for line in lines if line]
    assert decode(b"[" + b"\n,\r\n".join(chunks) + b"\n]") == decode(body(name, n))
    with pytest.raises(TruncatedStream):
        decode(b"[" + b",".join(chunks))


def ends(*parts: Any, **candidate: Any) -> dict[str, Any]:
    return chunk(*parts, finishReason="STOP", **candidate)


CODE = {"executableCode": {"language": "PYTHON", "code": "1", "id": "9"}}
NAMELESS_CODE = {"executableCode": {"language": "PYTHON", "code": "1"}}
BEHIND = {"text": "", "thoughtSignature": "s"}
CALL = {"functionCall": {"name": "f", "id": "7", "new": 1}, "thoughtSignature": "s", "newer": [1]}

RARER = [
    [ends({"text": "a", "thoughtSignature": "s"})],
    [chunk({"text": "a"}), ends(BEHIND)],
    [chunk({"text": "t", "thought": True, "thoughtSignature": "s"}), ends({"text": "b"})],
    [chunk({"text": "a"}), ends({"functionCall": {"name": "f"}}, BEHIND)],
    [chunk({"text": "a", "thoughtSignature": "s"}), ends({"text": "b", "thoughtSignature": "t"})],
    [ends(CALL)],
    [ends({"inlineData": {"mimeType": "image/png", "data": "AAA="}, "thoughtSignature": "s"})],
    [ends({"inlineData": {"mimeType": "image/png", "data": "AAA=", "displayName": "a.png"}})],
    [ends({"somethingNew": {"a": 1}}, {"text": "x"})],
    [ends(NAMELESS_CODE, {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}})],
    [ends(CODE, {"codeExecutionResult": {"outcome": "OUTCOME_FAILED", "id": "9"}})],
    [ends({"text": "a"}, safetyRatings=[{"category": "x"}], avgLogprobs=-1.5) | {"createTime": "now"}],
    [{"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3}, "modelVersion": "m"}],
    [chunk({"text": "b"}, index=1), ends({"text": "a"}, index=0)],
]


@pytest.mark.parametrize("chunks", RARER, ids=range(len(RARER)))
def test_rarer_answers_go_out_again_as_they_came(chunks: list[dict[str, Any]]) -> None:
    events = decode(sse(*chunks))
    assert decode(b"".join(map(Encoder(True).send, events))) == events
    assert final(decode(b"".join(map(Encoder(False).send, events)))) == final(events)


def test_a_signature_on_text_under_way_follows_on_an_empty_text() -> None:
    def signed(at: int) -> tuple[TextPart]:
        return (TextPart("ab", opaque=Opaque("gemini", {"thoughtSignature": "s", "at": at}, "google")),)

    events = decode(sse(chunk({"text": "a"}), ends({"text": "b", "thoughtSignature": "s"})))
    assert final(events).message.parts == signed(1)
    again = final(decode(b"".join(map(Encoder(True).send, events))))
    assert again.message.parts == signed(2)
    assert final(decode(b"".join(map(Encoder(False).send, events)))) == final(events)


def test_parts_of_all_kinds_are_read_in_their_order() -> None:
    response = answer(
        {"text": "hm", "thought": True},
        {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}},
        {"inlineData": {"mimeType": "image/png", "data": "iVA="}},
        {"fileData": {"mimeType": "video/mp4", "fileUri": "https://example.test/a.mp4"}},
        {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://bucket/a.mp4"}},
        {"toolCall": {"id": "x"}},
        {"text": "done"},
    )
    _, ran, gave, image, film, file, new, done = response.message.parts
    assert isinstance(ran, ToolCallPart)
    assert (ran.name, ran.provider_executed) == ("code_execution", True)
    assert json.loads(ran.arguments) == {"language": "PYTHON", "code": "print(1)"}
    assert isinstance(gave, ToolResultPart)
    assert (gave.call_id, gave.text, gave.is_error) == (ran.id, "1\n", False)
    assert (image, film) == (
        MediaPart("image/png", b"\x89P"),
        MediaPart("video/mp4", url="https://example.test/a.mp4"),
    )
    assert file == MediaPart("video/mp4", file_id="gs://bucket/a.mp4")
    assert new == TextPart(opaque=Opaque("gemini", {"part": {"toolCall": {"id": "x"}}}, "google"))
    assert done == TextPart("done")
    assert (response.finish_reason, response.tool_calls) == ("stop", ())


def test_a_call_is_given_as_soon_as_it_is_there() -> None:
    decoder = Decoder()
    events = decoder.feed(sse(chunk({"functionCall": {"name": "f", "args": {"a": 1}}})))
    assert isinstance(events[-1], PartEnd)
    assert isinstance(events[-2], PartDelta)
    assert events[-2].delta == '{"a":1}'


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("RECITATION", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "error"),
        ("UNEXPECTED_TOOL_CALL", "error"),
        ("LANGUAGE", "other"),
        ("SOMETHING_NEW", "other"),
    ],
)
def test_finish_reasons_are_told_in_one_vocabulary_and_kept(raw: str, wanted: str) -> None:
    response = answer({"text": "a"}, reason=raw)
    assert (response.finish_reason, response.raw_finish_reason) == (wanted, raw)


def test_a_refused_prompt_is_a_whole_answer_and_one_without_a_reason_is_none() -> None:
    blocked = final(decode(b'{"promptFeedback": {"blockReason": "OTHER", "safetyRatings": []}}'))
    assert (blocked.finish_reason, blocked.raw_finish_reason) == ("content_filter", "OTHER")
    assert blocked.metadata == {"promptFeedback": {"blockReason": "OTHER", "safetyRatings": []}}
    for data in (b'{"candidates": []}', b"[]", b'{"candidates": [{"content": {"parts": [{"text": "a"}]}}]}', b""):
        with pytest.raises(TruncatedStream):
            decode(data)


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ({"promptTokenCount": 9, "toolUsePromptTokenCount": 4, "cachedContentTokenCount": 5}, (13, None, None, 5)),
        ({"promptTokenCount": 9, "thoughtsTokenCount": 7, "totalTokenCount": 16}, (9, 7, 7, None)),
        ({"candidatesTokenCount": 2, "thoughtsTokenCount": 7}, (None, 9, 7, None)),
        ({"promptTokenCount": True, "candidatesTokenCount": "2"}, (None, None, None, None)),
    ],
)
def test_usage_is_summed_where_google_counts_beside_and_unknown_stays_unknown(
    raw: dict[str, Any], wanted: tuple[int | None, ...]
) -> None:
    usage = decode_usage(raw)
    assert (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens, usage.cache_read_tokens) == wanted


GROUNDED = {
    "webSearchQueries": ["q"],
    "groundingChunks": [
        {"web": {"uri": "https://a.test", "title": "A"}},
        {"retrievedContext": {"uri": "gs://b", "title": "B"}},
    ],
    "groundingSupports": [
        {"segment": {"startIndex": 5, "endIndex": 9, "text": "zwei"}, "groundingChunkIndices": [0, 1]},
        {"segment": {"startIndex": 90, "endIndex": 94, "text": "drei"}, "groundingChunkIndices": [1, 7]},
        {"segment": {"startIndex": 90, "endIndex": 94, "text": "not there"}, "groundingChunkIndices": [0]},
    ],
}


def test_grounding_becomes_sources_and_citations_counted_in_characters() -> None:
    events = decode(sse(chunk({"text": "üß "}), ends({"text": "zwei drei"}, groundingMetadata=GROUNDED)))
    response = final(events)
    assert decode(b"".join(map(Encoder(True).send, events))) == events
    assert [(source.url, source.title) for source in response.sources] == [("https://a.test", "A"), ("gs://b", "B")]
    assert response.message.citations == (
        Citation("https://a.test", "A", None, 3, 7),
        Citation("gs://b", "B", None, 3, 7),
        Citation("gs://b", "B", None, 8, 12),
        Citation("https://a.test", "A"),
    )
    assert response.metadata == {"groundingMetadata": GROUNDED}


def test_recitations_are_citations_too() -> None:
    metadata = {"citationSources": [{"startIndex": 0, "endIndex": 1, "uri": "https://a.test", "license": "mit"}]}
    response = answer({"text": "ab"}, candidate={"citationMetadata": metadata})
    assert response.message.citations == (Citation("https://a.test", None, None, 0, 1),)
    assert response.metadata == {"citationMetadata": metadata}


REFUSAL = {
    "error": {
        "code": 429,
        "message": "You exceeded your current quota",
        "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.07s"}],
    }
}


@pytest.mark.parametrize("wrapped", [REFUSAL, [REFUSAL]])
def test_a_refusal_says_what_kind_it_is_and_how_long_to_wait(wrapped: Any) -> None:
    error = read_error(json.dumps(wrapped).encode(), 429)
    assert (error.message, error.code, error.retry_after) == (
        "You exceeded your current quota",
        "RESOURCE_EXHAUSTED",
        34.07,
    )
    assert error.retryable
    assert json.loads(encode_error(error)[1]) == REFUSAL
    with pytest.raises(ProviderError) as raised:
        decode(json.dumps(wrapped).encode())
    assert raised.value.retry_after == 34.07


def test_a_refusal_in_the_middle_of_a_stream_comes_behind_what_was_said() -> None:
    decoder = Decoder()
    events = decoder.feed(sse(chunk({"text": "a"}), REFUSAL))
    assert isinstance(events[-1], PartDelta)
    assert isinstance(decoder.error, ProviderError)
    with pytest.raises(ProviderError, match="exceeded your current quota"):
        Decoder().feed(Encoder(True).fail(decoder.error))


@pytest.mark.parametrize("data", [b"<html>", b"null", b'"a"', b"[1]", sse({"candidates": 1}) + b"data: 1\n\n"])
def test_what_is_no_answer_is_an_error_that_says_so(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(data)


def test_citations_without_end_are_read_in_no_time() -> None:
    pages = [{"web": {"uri": f"https://{n}.test"}} for n in range(700)]
    supports = [
        {"segment": {"startIndex": n, "endIndex": n + 1}, "groundingChunkIndices": list(range(700))}
        for n in range(700)
    ]
    grounded = {"groundingChunks": pages, "groundingSupports": supports}
    began = time.process_time()
    response = final(decode(sse(ends({"text": "x" * 700}, groundingMetadata=grounded))))
    assert time.process_time() - began < 5
    assert len(response.message.citations) == 10_000
    assert response.metadata == {"groundingMetadata": grounded}
