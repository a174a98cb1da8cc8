"""Each habit of the wire that was ever seen, by itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from playhead import DecodeError, ProviderError, TruncatedStream
from playhead.events import MessageEnd, MessageEvent, PartDelta, PartEnd, PartStart
from playhead.messages import (
    Citation,
    MediaPart,
    ModelResponse,
    Opaque,
    ReasoningPart,
    Source,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from playhead.wire.openai_chat import Decoder, Encoder, decode_usage, read_error

USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return {"id": "r", "model": "m", "choices": [choice], **more}


def sse(*chunks: dict[str, Any] | str, done: bool = True) -> bytes:
    texts = [item if isinstance(item, str) else json.dumps(item) for item in chunks]
    return "".join(f"data: {text}\n\n" for text in [*texts, *(["[DONE]"] if done else [])]).encode()


def decode(data: bytes) -> list[MessageEvent]:
    decoder = Decoder()
    return decoder.feed(data) + decoder.close()


def answer(*chunks: dict[str, Any] | str, done: bool = True) -> ModelResponse:
    last = decode(sse(*chunks, done=done))[-1]
    assert isinstance(last, MessageEnd)
    return last.response


def calls(*deltas: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    chunks = [chunk({"tool_calls": delta}) for delta in deltas]
    return [(c.id, c.name, c.arguments) for c in answer(*chunks, chunk(finish="tool_calls")).tool_calls]


def call(arguments: Any = "", **more: Any) -> dict[str, Any]:
    function = {"name": more.pop("name")} if "name" in more else {}
    return {**more, "function": {**function, "arguments": arguments}}


TOOL_CALLS: dict[str, tuple[list[list[dict[str, Any]]], list[tuple[str, str, str]]]] = {
    "fragments": (
        [[call(index=0, id="a", name="add")], [call('{"a"', index=0)], [call(":2}", index=0)]],
        [("a", "add", '{"a":2}')],
    ),
    "one whole call at once": ([[call("{}", index=0, id="a", name="add")]], [("a", "add", "{}")]),
    "type and id sent again": (
        [[call(index=0, id="a", name="add")], [call("{}", index=0, id="a", type="function")]],
        [("a", "add", "{}")],
    ),
    "a later id of null, a later name that is empty or null": (
        [
            [call(index=0, id="a", name="add")],
            [call("{", index=0, id=None, name="")],
            [call("}", index=0, id="", name=None)],
        ],
        [("a", "add", "{}")],
    ),
    "the name late": (
        [[call(index=0, id="a")], [call('{"x":', index=0)], [call("1}", index=0, name="add")]],
        [("a", "add", '{"x":1}')],
    ),
    "arguments absent or null": (
        [[{"index": 0, "id": "a", "function": {"name": "add"}}], [call(None, index=0)], [call("{}", index=0)]],
        [("a", "add", "{}")],
    ),
    "several calls in one delta": (
        [[call("{}", index=0, id="a", name="add"), call("[]", index=1, id="b", name="mul")]],
        [("a", "add", "{}"), ("b", "mul", "[]")],
    ),
    "interleaved by index": (
        [
            [call(index=0, id="a", name="add"), call(index=1, id="b", name="mul")],
            [call("1", index=1)],
            [call("0", index=0)],
        ],
        [("a", "add", "0"), ("b", "mul", "1")],
    ),
    "every call numbered 0": (
        [[call("{}", index=0, id="a", name="add")], [call("[]", index=0, id="b", name="mul")], [call(" ", index=0)]],
        [("a", "add", "{}"), ("b", "mul", "[] ")],
    ),
    "no index, found by id": (
        [[call(id="a", name="add")], [call(id="b", name="mul")], [call("1", id="a")], [call("2", id="b")]],
        [("a", "add", "1"), ("b", "mul", "2")],
    ),
    "neither index nor id: the call under way": (
        [[call("{", name="add")], [call("}")], [call("[]", name="mul")]],
        [("call_454349e422f0_0", "add", "{}"), ("call_454349e422f0_1", "mul", "[]")],
    ),
    "indexes as strings": (
        [
            [call(index="0", id="a", name="add"), call(index="1", id="b", name="mul")],
            [call("0", index="0"), call("1", index="1")],
        ],
        [("a", "add", "0"), ("b", "mul", "1")],
    ),
    "two whole calls numbered 0, without ids": (
        [[call("{}", index=0, name="add")], [call("[]", index=0, name="add")]],
        [("call_454349e422f0_0", "add", "{}"), ("call_454349e422f0_1", "add", "[]")],
    ),
    "a wrong index beside the right id": (
        [[call(index=0, id="a", name="add")], [call("{}", index=7, id="a")]],
        [("a", "add", "{}")],
    ),
    "empty fragments at the end": (
        [[call("{}", index=0, id="a", name="add")], [call("", index=0)], [call("", index=0)]],
        [("a", "add", "{}")],
    ),
    "arguments as an object": ([[call({"a": 2}, index=0, id="a", name="add")]], [("a", "add", '{"a":2}')]),
    "an empty call that never gets a name": ([[call("", index=0)]], []),
}


@pytest.mark.parametrize(("deltas", "wanted"), TOOL_CALLS.values(), ids=TOOL_CALLS.keys())
def test_tool_calls_are_put_together(deltas: list[list[dict[str, Any]]], wanted: list[tuple[str, str, str]]) -> None:
    assert calls(*deltas) == wanted


def test_a_tool_call_is_shown_as_it_is_written() -> None:
    events = decode(
        sse(
            chunk({"tool_calls": [call(index=0, id="a", name="add")]}),
            chunk({"tool_calls": [call("{}", index=0)]}),
            chunk(finish="tool_calls"),
        )
    )
    assert events[1:4] == [
        PartStart(0, ToolCallPart("a", "add")),
        PartDelta(0, "tool_call", "{}"),
        PartEnd(0, ToolCallPart("a", "add", "{}")),
    ]


def test_arguments_without_a_name_are_an_error_and_not_lost() -> None:
    with pytest.raises(DecodeError, match="never its name"):
        calls([call("{}", index=0, id="a")])


def test_the_first_finish_reason_counts() -> None:
    response = answer(chunk({"content": "x"}, "tool_calls"), chunk(finish="stop"))
    assert (response.finish_reason, response.raw_finish_reason) == ("tool_calls", "tool_calls")


def test_an_unknown_finish_reason_is_other_and_keeps_its_word() -> None:
    response = answer(chunk({"content": "x"}, "eos_token"))
    assert (response.finish_reason, response.raw_finish_reason) == ("other", "eos_token")


def test_the_last_usage_counts_wherever_it_stands() -> None:
    last = {"prompt_tokens": 9, "completion_tokens": 1}
    in_finish = chunk(finish="stop", usage=USAGE)
    for after in (
        {"choices": [], "usage": last},
        chunk(finish="stop", usage=last),
        {"choices": [{"index": 0, "delta": {}, "usage": last}]},
        {"choices": [], "x_groq": {"usage": last}},
    ):
        usage = answer(chunk({"content": "x"}), in_finish, after).usage
        assert usage is not None
        assert usage.input_tokens == 9


def test_usage_that_was_not_sent_is_unknown_and_not_zero() -> None:
    assert answer(chunk({"content": "x"}, "stop")).usage is None
    assert decode_usage({"prompt_tokens": 3}) == Usage(input_tokens=3, raw={"prompt_tokens": 3})


def test_reasoning_counted_beside_the_output_becomes_a_part_of_it() -> None:
    details = {"completion_tokens_details": {"reasoning_tokens": 10}}
    beside = decode_usage({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 15, **details})
    inside = decode_usage({"prompt_tokens": 3, "completion_tokens": 12, "total_tokens": 15, **details})
    assert beside.output_tokens == inside.output_tokens == 12


@pytest.mark.parametrize(
    ("more", "cost"),
    [
        ({"usage": {**USAGE, "cost": 0.5}}, 0.5),
        ({"usage": {**USAGE, "cost_in_usd_ticks": 25_000_000}}, 0.0025),
        ({"usage": USAGE}, None),
        ({"usage": {**USAGE, "cost": None}}, None),
    ],
)
def test_the_cost_is_what_the_provider_says(more: dict[str, Any], cost: float | None) -> None:
    assert answer(chunk({"content": "x"}, "stop", **more)).cost == cost


def test_vercels_cost_is_a_string_in_its_metadata() -> None:
    delta = {"provider_metadata": {"gateway": {"cost": "0.25"}}}
    response = answer(chunk({"content": "x"}), chunk(delta, "stop"))
    assert response.cost == 0.25
    assert response.metadata["provider_metadata"] == delta["provider_metadata"]


def test_reasoning_in_two_fields_at_once_counts_once() -> None:
    detail = {"type": "reasoning.text", "text": "hm", "index": 0}
    for delta in (
        {"reasoning_content": "hm", "reasoning_details": [detail]},
        {"reasoning": "hm", "reasoning_content": "hm"},
        {"reasoning": "hm", "reasoning_details": [detail]},
        {"reasoning_details": [detail]},
    ):
        assert answer(chunk(delta), chunk({"content": "x"}, "stop")).reasoning == "hm"


def test_fragments_of_one_reasoning_detail_are_joined_and_a_late_signature_is_put_to_it() -> None:
    def entry(**more: Any) -> dict[str, Any]:
        return {"reasoning_details": [{"type": "reasoning.text", "index": 0, **more}]}

    response = answer(
        chunk(entry(text="The ", format="anthropic-claude-v1")),
        chunk(entry(text="end")),
        chunk({"content": "x"}),
        chunk(entry(signature="sig")),
        chunk(finish="stop"),
    )
    details = [d for part in response.message.parts if isinstance(part, ReasoningPart) for d in details_of(part)]
    assert details == [
        {"type": "reasoning.text", "index": 0, "text": "The end", "format": "anthropic-claude-v1", "signature": "sig"}
    ]


def test_encrypted_details_are_never_joined() -> None:
    def entry(data: str) -> dict[str, Any]:
        return {"reasoning_details": [{"type": "reasoning.encrypted", "data": data, "index": 0}]}

    response = answer(chunk(entry("a")), chunk(entry("b")), chunk({"content": "x"}, "stop"))
    (part, _) = response.message.parts
    assert isinstance(part, ReasoningPart)
    assert [detail["data"] for detail in details_of(part)] == ["a", "b"]


def test_what_is_not_understood_is_kept() -> None:
    response = answer(
        chunk({"content": "x", "annotations": [{"n": 1}]}, service_tier="flex"),
        chunk({"annotations": [{"n": 2}]}, "stop", timings={"ms": 5}),
        {"choices": [{"index": 0, "delta": {}, "logprobs": {"content": [1]}}]},
        {"choices": [{"index": 0, "delta": {}, "logprobs": {"content": [2]}}]},
    )
    assert response.metadata == {
        "annotations": [{"n": 1}, {"n": 2}],
        "service_tier": "flex",
        "timings": {"ms": 5},
        "logprobs": {"content": [1, 2]},
    }


def test_a_refusal_is_not_text() -> None:
    response = answer(chunk({"refusal": "I "}), chunk({"refusal": "cannot"}, "stop"))
    assert response.text == ""
    assert [part.text for part in response.message.parts if hasattr(part, "text")] == ["I cannot"]


def test_azures_first_chunk_with_nothing_in_it_is_survived() -> None:
    first = {"id": "", "model": "", "choices": [], "prompt_filter_results": [{"ok": 1}]}
    response = answer(first, chunk({"content": "x"}, "stop"))
    assert (response.id, response.model, response.text) == ("r", "m", "x")


def test_content_as_a_list_of_text_and_thinking() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    response = answer(chunk({"content": [thinking, {"type": "text", "text": "x"}]}, "stop"))
    assert (response.reasoning, response.text) == ("hm", "x")


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_comments_and_every_kind_of_line_end_are_read(newline: bytes) -> None:
    text = b": OPENROUTER PROCESSING\n\n" + sse(chunk({"content": "x"}, "stop"))
    last = decode(text.replace(b"\n", newline))[-1]
    assert isinstance(last, MessageEnd)
    assert last.response.text == "x"


def test_a_body_that_is_one_json_object_is_read_too_with_white_space_before_it() -> None:
    message = {"role": "assistant", "content": "x", "tool_calls": [call("{}", id="a", name="add")]}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = json.dumps({"id": "r", "model": "m", "choices": [choice], "usage": USAGE})
    last = decode(b"\n\n   " + body.encode())[-1]
    assert isinstance(last, MessageEnd)
    assert (last.response.text, last.response.tool_calls[0].name) == ("x", "add")


def test_an_error_inside_a_stream_comes_after_what_was_sent_before_it() -> None:
    error = {"error": {"code": 502, "message": "upstream died", "metadata": {"provider_name": "X"}}}
    data = sse(chunk({"content": "half"}), {**chunk(finish="error"), **error}, done=False)
    decoder = Decoder()
    events = decoder.feed(data)
    assert PartDelta(0, "text", "half") in events
    assert isinstance(decoder.error, ProviderError)
    with pytest.raises(ProviderError, match="upstream died") as caught:
        decoder.close()
    assert (caught.value.code, caught.value.status, caught.value.retryable) == ("502", 200, True)
    assert caught.value.metadata == {"provider_name": "X"}


def test_an_error_event_whose_data_is_the_error_itself() -> None:
    with pytest.raises(ProviderError, match="too much"):
        decode(b'event: error\ndata: {"message": "too much", "type": "overloaded"}\n\n')


def test_a_finish_reason_of_error_is_never_a_success() -> None:
    with pytest.raises(ProviderError, match="finish reason 'error'"):
        decode(sse(chunk(finish="error")))


def test_the_stream_may_end_without_done_only_if_its_last_event_says_why_and_how_much() -> None:
    assert answer(chunk({"content": "x"}), chunk(finish="stop", usage=USAGE), done=False).text == "x"
    for chunks in (
        [chunk({"content": "x"}, "stop")],
        [chunk({"content": "x"}, "stop", usage=USAGE), chunk({"content": "more"})],
        [chunk({"content": "x"})],
        [],
    ):
        with pytest.raises(TruncatedStream):
            answer(*chunks, done=False)


def test_done_without_a_finish_reason_is_a_truncated_stream() -> None:
    with pytest.raises(TruncatedStream, match="without a finish reason"):
        answer(chunk({"content": "x"}))


def test_an_event_counts_when_its_empty_line_is_there() -> None:
    data = sse(chunk({"content": "x"}, "stop"), done=False)
    for ending in (b"data: [DONE]", b"data: [DONE]\n"):
        with pytest.raises(TruncatedStream):
            decode(data + ending)
    assert isinstance(decode(data + b"data: [DONE] \n\n")[-1], MessageEnd)


def test_empty_events_that_keep_the_connection_open_are_passed_over() -> None:
    last = decode(b"data:\n\n" + sse(chunk({"content": "x"}, "stop")))[-1]
    assert isinstance(last, MessageEnd)


@pytest.mark.parametrize("body", [b"upstream connect error", b"null", b'"oops"', b"dataset not found"])
def test_a_body_that_is_neither_json_nor_a_stream_is_no_truncated_stream(body: bytes) -> None:
    with pytest.raises(DecodeError, match="JSON or a stream of events") as caught:
        decode(body)
    assert not isinstance(caught.value, TruncatedStream)


def test_a_byte_order_mark_is_survived_before_json_and_before_a_stream() -> None:
    choice = {"index": 0, "message": {"content": "x"}, "finish_reason": "stop"}
    for data in (sse(chunk({"content": "x"}, "stop")), json.dumps({"id": "r", "choices": [choice]}).encode()):
        for size in (1, 2, 100):
            marked, decoder = b"\xef\xbb\xbf" + data, Decoder()
            events = [e for n in range(0, len(marked), size) for e in decoder.feed(marked[n : n + size])]
            last = (events + decoder.close())[-1]
            assert isinstance(last, MessageEnd)
            assert last.response.text == "x"


def test_a_json_body_that_stops_in_the_middle_is_truncated_and_one_that_is_no_json_is_not() -> None:
    with pytest.raises(TruncatedStream):
        decode(b'{"id": "r", "choices": [{"message": {"conte')
    with pytest.raises(DecodeError, match="should be JSON, but is '<html>"):
        decode(b"<html><body>hello</body></html>")


def test_lone_surrogates_and_nan_are_survived() -> None:
    data = b'data: {"choices":[{"delta":{"content":"a\\ud800b"},"finish_reason":"stop","x":NaN}]}\n\ndata: [DONE]\n\n'
    last = decode(data)[-1]
    assert isinstance(last, MessageEnd)
    assert last.response.text == "a�b"


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (b'{"error":{"message":"no","code":"bad_key","type":"auth"}}', "no", "bad_key"),
        (b'{"error":{"message":"no","type":"auth"}}', "no", "auth"),
        (b'{"error":"no"}', "no", None),
        (b'{"message":"no","code":12}', "no", "12"),
        (b'{"detail":"no"}', "no", None),
        (b'[{"error":{"message":"no"}}]', "no", None),
        (
            b'{"error":{"message":"Provider returned error","metadata":{"raw":"why"}}}',
            "Provider returned error: why",
            None,
        ),
        (b"<h1>Bad  gateway</h1>", "the body is not JSON: '<h1>Bad gateway</h1>'", None),
        (b"", "the body is empty", None),
    ],
)
def test_the_message_of_a_refusal_is_found_in_every_form(body: bytes, message: str, code: str | None) -> None:
    error = read_error(body, 400)
    assert (error.message, error.code) == (message, code)


def encoded_again(data: bytes, stream: bool = True) -> list[MessageEvent]:
    """The events of what the encoder writes for these events."""
    encoder = Encoder(stream)
    written = b"".join(encoder.send(event) for event in decode(data))
    assert encoder.losses == ()
    return decode(written)


def same_when_encoded(data: bytes) -> ModelResponse:
    """The response, once it is sure that the encoder says it again, streamed and whole."""
    events = decode(data)
    assert encoded_again(data) == events
    assert encoded_again(data, stream=False)[-1] == events[-1]
    assert isinstance(events[-1], MessageEnd)
    return events[-1].response


def mine(**data: Any) -> Opaque:
    return Opaque("openai_chat", data)


def cited(url: str, start: int | None = None, end: int | None = None) -> dict[str, Any]:
    fields = {"url": url, "title": url.upper(), "start_index": start, "end_index": end}
    return {"type": "url_citation", "url_citation": fields}


def test_annotations_cite_the_text_that_they_stand_at_and_are_sources() -> None:
    a, b = cited("a", 0, 2), cited("b", 4, 6)
    response = same_when_encoded(
        sse(
            chunk({"content": "one "}),
            chunk({"content": "two", "annotations": [a]}),
            chunk({"annotations": [b, {"type": "file", "file": {"hash": "h"}}]}),
            chunk(finish="stop"),
        )
    )
    assert response.message.citations == (
        Citation("a", "A", None, 0, 2, mine(annotation=a)),
        Citation("b", "B", None, 4, 6, mine(annotation=b)),
    )
    assert [source.url for source in response.sources] == ["a", "b"]
    assert response.metadata == {"annotations": [{"type": "file", "file": {"hash": "h"}}]}


def test_annotations_count_characters_of_all_the_text() -> None:
    first, second = cited("a", 0, 3), cited("b", 5, 7)
    response = answer(
        chunk({"content": "one "}),
        chunk({"reasoning": "hm"}),
        chunk({"content": "two", "annotations": [first, second]}),
        chunk(finish="stop"),
    )
    assert [(citation.url, citation.start, citation.end) for citation in response.message.citations] == [
        ("a", 0, 3),
        ("b", 1, 3),
    ]


def test_perplexitys_sources_come_with_every_chunk_and_count_once() -> None:
    found = {"search_results": [{"url": "a", "title": "A", "date": "x"}], "citations": ["a", "b"]}
    response = same_when_encoded(sse(chunk({"content": "x"}, **found), chunk(finish="stop", **found)))
    assert response.sources == (Source("a", "A", {"url": "a", "title": "A", "date": "x"}), Source("b"))
    assert response.metadata == found


def test_images_that_a_model_makes_are_parts() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/webp;base64,aQ=="}, "index": 0}
    linked = {"type": "image_url", "image_url": {"url": "http://x/i"}}
    deltas = [chunk({"content": "see"}), chunk({"images": [image, linked]})]
    response = same_when_encoded(sse(*deltas, chunk(finish="stop")))
    assert response.message.parts[1:] == (
        MediaPart("image/webp", b"i", opaque=mine(image={"index": 0})),
        MediaPart("image/png", url="http://x/i"),
    )


@pytest.mark.parametrize("pieces", [["UklG", "Rg=="], ["UklG", "Rg"], ["UklGR", "g=="], ["Ukk=", "RkY="]])
def test_sound_is_joined_from_its_pieces(pieces: list[str]) -> None:
    deltas = [chunk({"audio": {"id": "audio_1", "data": piece}}) for piece in pieces]
    deltas += [chunk({"audio": {"transcript": "o"}}), chunk({"audio": {"transcript": "k", "expires_at": 5}})]
    response = same_when_encoded(sse(*deltas, chunk(finish="stop")))
    opaque = mine(audio={"id": "audio_1", "transcript": "ok", "expires_at": 5})
    assert response.message.parts == (MediaPart("audio/wav", b"RIFF", opaque=opaque),)


def test_tools_that_groq_runs_itself_are_calls_with_results_and_sources() -> None:
    begun = {"index": 0, "type": "search", "arguments": '{"query": "x"}'}
    found = {"results": [{"url": "a", "title": "A", "content": "c", "score": 0.5}]}
    ended = {**begun, "output": "Title: A", "search_results": found}
    response = same_when_encoded(
        sse(
            chunk({"executed_tools": [begun]}),
            chunk({"executed_tools": [ended]}),
            chunk({"content": "x"}),
            chunk(finish="stop"),
        )
    )
    call, result, _ = response.message.parts
    assert call == ToolCallPart("executed_0", "search", '{"query": "x"}', True, mine(executed_tool=begun))
    assert result == ToolResultPart("executed_0", "search", "Title: A", opaque=mine(executed_tool=ended))
    assert response.tool_calls == ()
    assert response.sources == (Source("a", "A", found["results"][0]),)


def test_mistrals_references_are_citations() -> None:
    reference = {"type": "reference", "reference_ids": [1, 2]}
    content = [{"type": "text", "text": "one"}, reference, {"type": "text", "text": " two"}]
    data = sse(chunk({"content": content}), chunk(finish="stop"))
    last = decode(data)[-1]
    assert isinstance(last, MessageEnd)
    assert last.response.message.citations == (Citation(end=3, opaque=mine(piece=reference)),)
    # A stream says them behind the text: where they stood is lost.
    again = encoded_again(data)[-1]
    assert isinstance(again, MessageEnd)
    assert again.response.message.citations == (Citation(end=7, opaque=mine(piece=reference)),)


def test_thinking_in_content_goes_back_as_it_came() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    response = same_when_encoded(sse(chunk({"content": [thinking]}), chunk({"content": "x"}), chunk(finish="stop")))
    assert response.message.parts[0] == ReasoningPart("hm", mine(field="thinking"))


def test_what_stands_beside_a_call_is_kept_for_its_issuer() -> None:
    signature = {"google": {"thought_signature": "t"}}
    first = {**call("{}", index=0, id="a", name="add"), "extra_content": signature}
    custom = {"index": 1, "id": "b", "type": "custom", "custom": {"name": "sh", "input": "l"}}
    deltas = [[first], [custom], [{"index": 1, "custom": {"input": "s"}}]]
    response = same_when_encoded(sse(*(chunk({"tool_calls": delta}) for delta in deltas), chunk(finish="tool_calls")))
    assert response.tool_calls == (
        ToolCallPart("a", "add", "{}", opaque=mine(call={"extra_content": signature})),
        ToolCallPart("b", "sh", "ls", opaque=mine(call={"type": "custom"})),
    )


def test_details_that_follow_what_came_in_a_field_repeat_it() -> None:
    detail = {"type": "reasoning.text", "text": "hm", "signature": "s", "index": 0}
    response = same_when_encoded(
        sse(chunk({"reasoning": "hm"}), chunk({"reasoning_details": [detail]}), chunk({"content": "x"}, "stop"))
    )
    assert response.reasoning == "hm"
    assert response.message.parts[0] == ReasoningPart("hm", mine(field="reasoning", details=[detail]))


def test_each_readable_detail_is_a_part_with_its_own_signature() -> None:
    def thought(text: str, n: int, **more: Any) -> dict[str, Any]:
        return chunk(
            {"reasoning": text, "reasoning_details": [{"type": "reasoning.text", "text": text, "index": n, **more}]}
        )

    data = sse(
        thought("one", 0),
        thought("!", 0, signature="a"),
        thought("two", 1, signature="b"),
        chunk({"content": "x"}, "stop"),
    )
    assert encoded_again(data) == decode(data)
    last = decode(data)[-1]
    assert isinstance(last, MessageEnd)
    response = last.response
    assert [part.text for part in response.message.parts if isinstance(part, ReasoningPart)] == ["one!", "two"]


def test_a_server_without_a_clock_says_nothing_of_the_time() -> None:
    assert answer(chunk({"content": "x"}, "stop", created=0)).metadata == {}
    assert same_when_encoded(sse(chunk({"content": "x"}, created=5), chunk(finish="stop", created=5))).metadata == {
        "created": 5
    }


def details_of(part: ReasoningPart) -> list[dict[str, Any]]:
    return part.opaque.data.get("details", []) if part.opaque else []


@pytest.mark.parametrize(
    ("raw", "finish"),
    [
        ("model_length", "length"),
        ("model_context_window_exceeded", "length"),
        ("sensitive", "content_filter"),
        ("eos", "stop"),
    ],
)
def test_the_finish_reasons_of_others_are_understood(raw: str, finish: str) -> None:
    response = answer(chunk({"content": "x"}), chunk(finish=raw))
    assert (response.finish_reason, response.raw_finish_reason) == (finish, raw)


def test_an_answer_with_calls_asks_for_them_whatever_its_finish_reason_says() -> None:
    response = answer(chunk({"tool_calls": [call("{}", index=0, id="a", name="add")]}), chunk(finish="stop"))
    assert (response.finish_reason, response.raw_finish_reason) == ("tool_calls", "stop")
    ran = {"index": 0, "type": "search", "arguments": "{}", "output": "found"}
    assert answer(chunk({"executed_tools": [ran], "content": "x"}), chunk(finish="stop")).finish_reason == "stop"


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        (chunk(finish="network_error"), "server"),
        (chunk(finish="insufficient_system_resource"), "overloaded"),
        (chunk(finish="stop", x_groq={"id": "req_1", "error": "over capacity"}), "overloaded"),
    ],
    ids=["z.ai", "deepseek", "groq"],
)
def test_an_answer_that_its_provider_broke_off_is_never_a_success(last: dict[str, Any], kind: str) -> None:
    with pytest.raises(ProviderError) as caught:
        decode(sse(chunk({"content": "x"}), last))
    assert (caught.value.kind, caught.value.retryable) == (kind, True)


def test_no_piece_of_content_is_lost() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aW1n"}}
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}], "closed": True, "signature": "s"}
    referred = {"type": "thinking", "thinking": [{"type": "reference", "reference_ids": [1]}]}
    file = {"type": "tool_file", "file_id": "f"}
    response = answer(
        chunk({"content": [image, thought, referred, file]}), chunk({"content": file}), chunk(finish="stop")
    )
    picture, words = response.message.parts
    assert picture == MediaPart("image/png", b"img")
    assert isinstance(words, ReasoningPart)
    assert words.text == "hm"
    kept = [{"type": "thinking", "closed": True, "signature": "s"}, referred, file, file]
    assert response.metadata["content"] == kept


def test_perplexitys_cost_is_an_object() -> None:
    usage = USAGE | {"cost": {"input_tokens_cost": 0.001, "request_cost": 0.005, "total_cost": 0.006}}
    assert answer(chunk({"content": "x"}, "stop", usage=usage)).cost == 0.006
