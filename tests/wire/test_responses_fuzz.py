"""Whatever comes, the Responses format's decoders give events or a request, or one of our errors."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grammar import check_grammar
from playhead import PlayheadError
from playhead.events import MessageEnd, MessageEvent
from playhead.wire import Dialect
from playhead.wire.openai_responses import Decoder, Encoder, decode_request, encode_request, read_error

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**30) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with these fields, or some of them, or with something else in them."""
    return st.fixed_dictionaries({}, optional={name: value | value | JSON for name, value in fields.items()})


ID = st.sampled_from(["a", "b", "c", ""])
WORDS = st.text(max_size=5)
PIECE = some(
    type=st.sampled_from(["output_text", "refusal", "summary_text", "reasoning_text", "input_text", "input_image"]),
    text=WORDS,
    refusal=WORDS,
    annotations=st.lists(some(type=st.sampled_from(["url_citation", "file_citation"]), url=WORDS), max_size=2),
    logprobs=JSON,
    image_url=st.sampled_from(["data:image/png;base64,eA==", "data:;base64,!", "http://x"]),
)
TYPES = ["message", "reasoning", "function_call", "web_search_call", "code_interpreter_call", "custom_tool_call"]
TYPES += ["image_generation_call", "mcp_call", "shell_call", "shell_call_output", "compaction", "computer_call"]
TYPES += ["function_call_output", "computer_call_output", "file_search_call", "item_reference", "_call"]
ITEM = some(
    type=st.sampled_from(TYPES),
    id=ID,
    call_id=ID,
    role=st.sampled_from(["user", "assistant", "developer"]),
    name=st.sampled_from(["f", "g", ""]),
    arguments=st.sampled_from(["{}", '{"a":1}', ""]),
    status=st.sampled_from(["completed", "incomplete", "failed"]),
    content=st.lists(PIECE, max_size=2),
    summary=st.lists(PIECE, max_size=2),
    action=some(type=WORDS, sources=st.lists(some(url=WORDS), max_size=2)),
    outputs=st.lists(some(logs=WORDS, url=WORDS), max_size=2),
    results=st.lists(some(text=WORDS, filename=WORDS), max_size=2),
    output=WORDS | st.lists(PIECE, max_size=2),
    result=st.just("eA=="),
    input=WORDS,
    environment=some(type=st.just("container_auto")),
)
RESPONSE = some(
    id=ID,
    model=ID,
    status=st.sampled_from(["completed", "incomplete"]),
    output=st.lists(ITEM, max_size=3),
    usage=some(input_tokens=st.integers(), output_tokens_details=JSON, cost=JSON),
    incomplete_details=some(reason=st.just("max_output_tokens")),
)
KINDS = ["created", "output_item.added", "output_item.done", "content_part.added", "content_part.done"]
KINDS += ["output_text.delta", "refusal.delta", "reasoning_summary_text.delta", "reasoning_text.delta"]
KINDS += ["reasoning_summary_part.added", "function_call_arguments.delta", "function_call_arguments.done"]
KINDS += ["output_text.annotation.added", "completed", "incomplete", "novelty"]
EVENT = some(
    type=st.sampled_from(KINDS).map(lambda kind: f"response.{kind}"),
    response=RESPONSE,
    item=ITEM,
    part=PIECE,
    delta=WORDS,
    arguments=st.just('{"a":1}'),
    annotation=some(type=st.just("url_citation"), url=WORDS),
    output_index=st.integers(0, 2),
    content_index=st.integers(0, 2),
    summary_index=st.integers(0, 2),
    item_id=ID,
)
REQUEST = some(
    model=ID,
    input=st.lists(ITEM, max_size=4),
    instructions=WORDS,
    tools=st.lists(
        some(type=st.sampled_from(["function", "custom", "web_search"]), name=ID, parameters=JSON), max_size=2
    ),
    tool_choice=WORDS,
    reasoning=some(effort=st.sampled_from(["low", "none"]), summary=WORDS),
    text=some(format=some(type=st.sampled_from(["text", "json_schema"]), schema=JSON)),
    include=JSON,
    top_logprobs=JSON,
    temperature=JSON,
    store=st.booleans(),
)


def run(data: bytes, origin: str | None = "x") -> list[MessageEvent]:
    decoder, events = Decoder(origin), list[MessageEvent]()
    try:
        events += decoder.feed(data)
        events += decoder.close()
    except PlayheadError:
        pass
    return events


def stream(events: list[dict[str, Any]]) -> bytes:
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()


@given(st.lists(st.binary(max_size=200), max_size=6))
@settings(deadline=None)
def test_random_bytes_give_events_or_our_errors(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    run(data)
    read_error(data, 500)
    with pytest.raises(PlayheadError):
        decode_request(data)


@given(st.lists(EVENT, max_size=8), RESPONSE)
@settings(deadline=None)
def test_events_of_the_right_shape_with_anything_in_them_keep_the_grammar(
    events: list[dict[str, Any]], last: dict[str, Any]
) -> None:
    data = stream([*events, {"type": "response.completed", "response": last}])
    found = run(data)
    check_grammar(found)
    decoder, pieces = Decoder("x"), list[MessageEvent]()
    try:
        for n in range(0, len(data), 7):
            pieces += decoder.feed(data[n : n + 7])
        pieces += decoder.close()
    except PlayheadError:
        pass
    assert repr(pieces) == repr(found)  # NaN does not equal itself


@given(RESPONSE)
@settings(deadline=None)
def test_what_a_body_of_the_right_shape_says_can_be_written_again(body: dict[str, Any]) -> None:
    events = run(json.dumps(body).encode())
    check_grammar(events)
    if events and isinstance(events[-1], MessageEnd):
        for streamed in (True, False):
            encoder = Encoder(streamed)
            data = b"".join(encoder.send(event) for event in events)
            again = run(data)
            assert isinstance(again[-1], MessageEnd)
            assert again[-1].response.text == events[-1].response.text
            assert len(again[-1].response.tool_calls) == len(events[-1].response.tool_calls)


@given(REQUEST)
@settings(deadline=None)
def test_requests_of_the_right_shape_with_anything_in_them_are_read_and_written_or_refused(
    body: dict[str, Any],
) -> None:
    try:
        request = decode_request(json.dumps(body).encode(), "/responses", "x")
        encode_request(request, Dialect(), "x")
    except PlayheadError:
        pass


def test_long_streams_take_time_in_proportion_to_their_length() -> None:
    place = {"output_index": 0, "content_index": 0, "item_id": "m"}
    delta = stream([{"type": "response.output_text.delta", "delta": "x", **place}])
    note = {"type": "url_citation", "url": "http://x/"}
    notes = stream(
        [
            {"type": "response.output_text.annotation.added", "annotation": {**note, "start_index": n}, **place}
            for n in range(20_000)
        ]
    )
    start = time.perf_counter()
    run(delta * 50_000 + notes)
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize("depth", [900, 100_000])
def test_deep_nesting_is_one_of_our_errors_or_kept(depth: int) -> None:
    deep = '{"type":"x_call","id":"a","arguments":' + "[" * depth + "]" * depth + "}"
    body = ('{"id":"r","output":[' + deep + "]}").encode()
    events = run(body)
    if events and isinstance(events[-1], MessageEnd):
        encoder = Encoder(False)
        assert encoder.send(events[-1])
    try:
        decode_request(('{"model":"m","input":[' + deep + "]}").encode())
    except PlayheadError:
        pass
