"""Whatever comes, the Messages format gives events, a request, or one of our errors."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from grammar import check_grammar
from playhead import DecodeError, EncodeError, PlayheadError
from playhead.events import MessageEnd, MessageEvent, PartEnd, PartStart
from playhead.messages import Part, ReasoningPart
from playhead.wire import Dialect
from playhead.wire.anthropic import Decoder, Encoder, decode_request, encode_request, read_error

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=2),
    max_leaves=4,
)
WORDS = st.text(max_size=5)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with these fields, or some of them, or with something else in them."""
    return st.fixed_dictionaries({}, optional={name: value | JSON for name, value in fields.items()})


def shaped(
    needed: dict[str, st.SearchStrategy[Any]], **fields: st.SearchStrategy[Any]
) -> st.SearchStrategy[dict[str, Any]]:
    """Objects that have what is needed, and some of the other fields, now and then with something else in them."""
    return st.fixed_dictionaries(
        needed, optional={name: st.one_of(value, value, JSON) for name, value in fields.items()}
    )


def one_of(*kinds: str) -> st.SearchStrategy[str]:
    return st.sampled_from(kinds)


CITATION = some(type=one_of("char_location"), cited_text=WORDS, url=WORDS, title=WORDS)
PIECE = some(
    type=one_of("text", "web_search_result", "x_error"), text=WORDS, url=WORDS, title=WORDS, error_code=WORDS
)
CALLS = ("tool_use", "server_tool_use", "mcp_tool_use")
BLOCK_TYPES = (
    *("text", "thinking", "redacted_thinking", *CALLS, "tool_result", "image", "document", "search_result"),
    *("web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result", "container_upload", "news"),
)


def block(*types: str) -> st.SearchStrategy[dict[str, Any]]:
    return shaped(
        {"type": one_of(*types), "id": one_of("a", "b", "c"), "name": one_of("add", "mul")},
        text=WORDS,
        thinking=WORDS,
        signature=WORDS,
        data=WORDS,
        input=JSON,
        tool_use_id=one_of("a", "b"),
        content=st.lists(PIECE, max_size=2) | PIECE | WORDS,
        citations=st.lists(CITATION, max_size=2),
        caller=JSON,
        is_error=st.booleans(),
        source=some(type=one_of("base64", "url", "file", "text", "content"), data=WORDS, url=WORDS, media_type=WORDS),
        cache_control=shaped({"type": one_of("ephemeral")}, ttl=one_of("5m", "1h")),
    )


USAGE = some(
    input_tokens=st.integers(0, 9), output_tokens=st.integers(0, 9), cache_read_input_tokens=st.integers(0, 9)
)
MESSAGE = shaped(
    {"stop_reason": one_of("end_turn", "refusal", "new_reason")},
    id=WORDS,
    model=WORDS,
    content=st.lists(block(*BLOCK_TYPES), max_size=4),
    usage=USAGE,
    container=JSON,
)
WILD = some(
    type=one_of("message_start", "content_block_start", "content_block_delta", "content_block_stop", "news", "ping"),
    index=st.integers(0, 2),
    message=MESSAGE,
    content_block=block(*BLOCK_TYPES),
    delta=some(type=one_of("text_delta", "x_delta"), text=WORDS, content=WORDS),
    usage=USAGE,
)
START = st.fixed_dictionaries({"type": st.just("message_start"), "message": some(id=WORDS, model=WORDS, usage=USAGE)})

DELTAS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "text": shaped({"type": st.just("text_delta"), "text": WORDS})
    | shaped({"type": st.just("citations_delta"), "citation": CITATION}),
    "thinking": shaped({"type": st.just("thinking_delta"), "thinking": WORDS})
    | shaped({"type": st.just("signature_delta"), "signature": WORDS}),
    **{kind: shaped({"type": st.just("input_json_delta"), "partial_json": WORDS}) for kind in CALLS},
}
OTHER_DELTA = shaped({"type": one_of("compaction_delta", "text_delta")}, content=WORDS, text=WORDS, n=JSON)


@st.composite
def streams(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A stream as it should be, with one thing wrong in it now and then."""
    events = [draw(START)]
    for index in range(draw(st.integers(0, 4))):
        begun = draw(block(*BLOCK_TYPES))
        events.append({"type": "content_block_start", "index": index, "content_block": begun})
        deltas = draw(st.lists(DELTAS.get(begun["type"], OTHER_DELTA), max_size=3))
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        if draw(st.integers(0, 4)):
            events.append({"type": "content_block_stop", "index": index})
    if draw(st.integers(0, 3)) == 0:
        events.insert(draw(st.integers(0, len(events))), draw(WILD))
    return [*events, *FINISH]


FINISH = [
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"input_tokens": 1, "output_tokens": 2}},
    {"type": "message_stop"},
]


def sse(events: list[dict[str, Any]]) -> bytes:
    return "".join(f"event: x\ndata: {json.dumps(event)}\n\n" for event in events).encode()


def run(*pieces: bytes) -> list[MessageEvent]:
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
    run(*pieces)
    read_error(b"".join(pieces), 500)
    try:
        decode_request(b"".join(pieces), "/model/x/invoke")
    except DecodeError:
        pass


@given(streams())
@settings(deadline=None)
def test_events_of_the_right_shape_with_anything_in_them_keep_the_grammar(said: list[dict[str, Any]]) -> None:
    data = sse(said)
    events = run(data)
    check_grammar(events)
    assert run(*(data[i : i + 7] for i in range(0, len(data), 7))) == events
    again, encoder = encode_again(events, stream=True)
    if again and is_in_turn(events) and not encoder.losses:
        assert again == events


@given(MESSAGE)
@settings(deadline=None)
def test_a_body_of_the_right_shape_with_anything_in_it_keeps_the_grammar(body: dict[str, Any]) -> None:
    events = run(json.dumps(body).encode())
    check_grammar(events)
    again, encoder = encode_again(events, stream=False)
    if again and not encoder.losses and all(map(is_signed, events[-1].response.message.parts)):
        assert again[-1] == events[-1]


def encode_again(events: list[MessageEvent], *, stream: bool) -> tuple[list[MessageEvent], Encoder]:
    """Whatever was understood can be said again, and says the same."""
    encoder = Encoder(stream)
    data = b"".join(map(encoder.send, events))
    if not events or not isinstance(events[-1], MessageEnd):
        return [], encoder
    again = run(data)
    assert isinstance(again[-1], MessageEnd)
    wanted, got = events[-1].response, again[-1].response
    assert (got.text, got.reasoning, got.finish_reason) == (wanted.text, wanted.reasoning, wanted.finish_reason)
    assert [(call.id, call.name) for call in got.tool_calls] == [(call.id, call.name) for call in wanted.tool_calls]
    check_grammar(again)
    return again, encoder


def is_in_turn(events: list[MessageEvent]) -> bool:
    """Whether each part ends before the next begins. Of those that do not, some begin later when encoded again."""
    kinds = [type(event) for event in events if isinstance(event, PartStart | PartEnd)]
    return kinds == [PartStart, PartEnd] * (len(kinds) // 2)


def is_signed(part: Part) -> bool:
    """Whether reasoning has a signature. In a body it gets an empty one, since clients look for it."""
    return not isinstance(part, ReasoningPart) or bool(
        part.opaque and part.opaque.data.keys() & {"signature", "redacted"}
    )


BLOCKS = st.lists(block(*BLOCK_TYPES), max_size=4) | WORDS
TURN = shaped({"role": one_of("user", "assistant", "user", "assistant", "system"), "content": BLOCKS})
REQUEST = shaped(
    {"model": one_of("claude-opus-4-6", "m"), "messages": st.lists(TURN, min_size=1, max_size=4)},
    max_tokens=st.integers(1, 9999),
    system=BLOCKS,
    tools=st.lists(
        shaped({"name": one_of("add")}, type=one_of("custom", "web_search_20250305"), input_schema=JSON), max_size=2
    ),
    tool_choice=some(type=one_of("auto", "any", "tool", "none"), name=WORDS),
    thinking=some(type=one_of("enabled", "adaptive", "disabled"), budget_tokens=st.integers(0, 9999)),
    output_config=some(effort=one_of("low", "max"), format=some(type=one_of("json_schema"), schema=JSON)),
    metadata=some(user_id=WORDS),
    stream=st.booleans(),
    stop_sequences=st.lists(WORDS, max_size=2),
    container=JSON,
)


@given(REQUEST)
@settings(deadline=None)
def test_a_request_of_the_right_shape_with_anything_in_it_is_read_or_told(body: dict[str, Any]) -> None:
    try:
        request = decode_request(json.dumps(body).encode())
        encoded = encode_request(request, Dialect(), None)
    except (DecodeError, EncodeError):
        return
    decode_request(encoded.body)
