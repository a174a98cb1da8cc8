"""Whatever comes, a decoder gives events or one of our errors."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from grammar import check_grammar
from playhead import PlayheadError
from playhead.events import MessageEnd, MessageEvent
from playhead.wire import Dialect, describe_request
from playhead.wire.openai_chat import Decoder, Encoder, decode_request, encode_request, read_error

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with these fields, or some of them, or with something else in them."""
    return st.fixed_dictionaries({}, optional={name: value | JSON for name, value in fields.items()})


FUNCTION = some(name=st.sampled_from(["add", "", "mul"]), arguments=st.text(max_size=5))
CALL = some(index=st.integers(-1, 2), id=st.sampled_from(["a", "b", ""]), function=FUNCTION)
DETAIL = some(
    type=st.sampled_from(["reasoning.text", "reasoning.summary", "reasoning.encrypted"]),
    text=st.text(max_size=4),
    summary=st.text(max_size=4),
    index=st.integers(0, 1),
    id=st.text(max_size=2),
    signature=st.text(max_size=2),
)
DELTA = some(
    content=st.text(max_size=5),
    reasoning=st.text(max_size=5),
    reasoning_content=st.text(max_size=5),
    refusal=st.text(max_size=5),
    reasoning_details=st.lists(DETAIL, max_size=2),
    tool_calls=st.lists(CALL, max_size=3),
    provider_metadata=some(gateway=some(cost=st.text(max_size=4))),
    annotations=st.lists(
        some(
            url_citation=some(
                url=st.text(max_size=2), start_index=st.integers(-1, 9), end_index=st.integers(), content=st.text()
            )
        ),
        max_size=2,
    ),
    images=st.lists(
        some(image_url=some(url=st.sampled_from(["x", "data:image/png;base64,aQ==", "data:"]))), max_size=2
    ),
    audio=some(id=st.text(max_size=2), data=st.text("aQ=", max_size=5), transcript=st.text(max_size=3)),
    executed_tools=st.lists(
        some(
            index=st.integers(-1, 1),
            type=st.sampled_from(["search", ""]),
            arguments=st.text(max_size=3),
            output=st.text(max_size=3),
            search_results=some(results=st.lists(some(url=st.text(max_size=2)), max_size=2)),
        ),
        max_size=2,
    ),
)
PIECE = some(
    type=st.sampled_from(
        ["text", "thinking", "reference", "image_url", "file", "input_audio", "video_url", "refusal"]
    ),
    text=st.text(max_size=4),
    thinking=st.lists(some(text=st.text(max_size=3)), max_size=2),
    image_url=some(url=st.text(max_size=4)),
    file=some(file_id=st.text(max_size=2), file_data=st.text(max_size=5)),
    input_audio=some(data=st.text("aQ=", max_size=5), format=st.text(max_size=3)),
    cache_control=some(type=st.just("ephemeral"), ttl=st.sampled_from(["1h", "x"])),
)
MESSAGE = some(
    role=st.sampled_from(["system", "user", "assistant", "tool", "function", "developer"]),
    content=st.text(max_size=4) | st.lists(PIECE, max_size=3),
    name=st.text(max_size=3),
    tool_calls=st.lists(CALL, max_size=2),
    tool_call_id=st.sampled_from(["a", "b"]),
    reasoning=st.text(max_size=4),
    reasoning_details=st.lists(DETAIL, max_size=2),
    function_call=FUNCTION,
    cache_control=some(type=st.just("ephemeral")),
    audio=some(id=st.text(max_size=2)),
)
REQUEST = st.fixed_dictionaries(
    {"model": st.just("m"), "messages": st.lists(MESSAGE, max_size=3)},
    optional={
        name: JSON | likely
        for name, likely in {
            "stream": st.booleans(),
            "max_tokens": st.integers(),
            "stop": st.lists(st.text(max_size=2), max_size=2),
            "reasoning": some(
                effort=st.sampled_from(["low", "odd"]), max_tokens=st.integers(), exclude=st.booleans()
            ),
            "reasoning_effort": st.sampled_from(["low", "odd"]),
            "thinking": some(type=st.sampled_from(["enabled", "odd"])),
            "chat_template_kwargs": some(enable_thinking=st.booleans()),
            "logprobs": st.booleans(),
            "top_logprobs": st.integers(),
            "tools": st.lists(some(type=st.sampled_from(["function", "custom"]), function=FUNCTION), max_size=2),
            "functions": st.lists(FUNCTION, max_size=2),
            "tool_choice": st.sampled_from(["auto", "add"]),
            "function_call": FUNCTION,
            "plugins": st.lists(some(id=st.just("web")), max_size=2),
            "web_search_options": JSON,
            "response_format": some(type=st.just("json_object")),
            "prompt_cache_key": st.text(max_size=2),
            "extra": JSON,
        }.items()
    },
)
CHOICE = some(
    index=st.integers(0, 1), delta=DELTA, message=DELTA, finish_reason=st.sampled_from(["stop", "error"]), usage=JSON
)
CHUNK = some(
    id=st.text(max_size=3),
    model=st.text(max_size=3),
    choices=st.lists(CHOICE, max_size=2),
    usage=some(prompt_tokens=st.integers(), completion_tokens_details=JSON, cost=JSON),
    x_groq=JSON,
)


def run(pieces: list[bytes]) -> list[MessageEvent]:
    decoder, events = Decoder("x"), list[MessageEvent]()
    try:
        for piece in pieces:
            events += decoder.feed(piece)
        events += decoder.close()
    except PlayheadError:
        pass
    return events


@given(st.lists(st.binary(max_size=200), max_size=6))
@settings(deadline=None)
def test_random_bytes_give_events_or_our_errors(pieces: list[bytes]) -> None:
    run(pieces)
    describe_request(b"".join(pieces))
    read_error(b"".join(pieces), 500)


@given(st.lists(CHUNK, max_size=6), st.booleans())
@settings(deadline=None)
def test_chunks_of_the_right_shape_with_anything_in_them_keep_the_grammar(
    chunks: list[dict[str, Any]], done: bool
) -> None:
    texts = [json.dumps(chunk) for chunk in chunks] + (["[DONE]"] if done else [])
    events = run(["".join(f"data: {text}\n\n" for text in texts).encode()])
    check_grammar(events)
    check_encoder(events)


@given(CHUNK)
@settings(deadline=None)
def test_a_body_of_the_right_shape_with_anything_in_it_keeps_the_grammar(body: dict[str, Any]) -> None:
    events = run([json.dumps(body).encode()])
    check_grammar(events)
    check_encoder(events)


@given(REQUEST | JSON | MESSAGE)
@settings(deadline=None)
def test_a_request_with_anything_in_it_is_read_or_is_one_of_our_errors(body: Any) -> None:
    try:
        request = decode_request(json.dumps(body).encode(), "", "x")
        again = encode_request(request, DIALECT, "x")
        third = encode_request(decode_request(again.body, "", "x"), DIALECT, "x")
    except PlayheadError:
        return
    assert json.loads(third.body) == json.loads(again.body)


@given(st.binary(max_size=200))
def test_random_bytes_are_no_request(data: bytes) -> None:
    try:
        decode_request(data)
    except PlayheadError:
        pass


DIALECT = Dialect(cache="breakpoints", reasoning="reasoning", option_fields=("plugins", "top_k"))


def check_encoder(events: list[MessageEvent]) -> None:
    """Whatever was decoded is written so that it says the same words and calls."""
    if not events or not isinstance(events[-1], MessageEnd):
        return
    response = events[-1].response
    for stream in (True, False):
        encoder = Encoder(stream)
        again = run([b"".join(encoder.send(event) for event in events)])[-1]
        assert isinstance(again, MessageEnd)
        assert again.response.text == response.text
        assert again.response.reasoning == response.reasoning
        ids = [call.id for call in response.tool_calls]
        if len(ids) == len(set(ids)):
            assert again.response.tool_calls == response.tool_calls
        if response.raw_finish_reason is not None:
            assert again.response.raw_finish_reason == response.raw_finish_reason
