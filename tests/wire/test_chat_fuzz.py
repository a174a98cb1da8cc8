"""Whatever comes, a decoder gives events or one of our errors."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from playhead import PlayheadError
from playhead.events import MessageEnd, MessageEvent, MessageStart, PartDelta, PartEnd, PartStart
from playhead.wire import describe_request
from playhead.wire.openai_chat import Decoder, read_error

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
    check_grammar(run(["".join(f"data: {text}\n\n" for text in texts).encode()]))


@given(CHUNK)
@settings(deadline=None)
def test_a_body_of_the_right_shape_with_anything_in_it_keeps_the_grammar(body: dict[str, Any]) -> None:
    check_grammar(run([json.dumps(body).encode()]))


def check_grammar(events: list[MessageEvent]) -> None:
    """MessageStart (PartStart PartDelta* PartEnd)* MessageEnd, parts may interleave."""
    opened: set[int] = set()
    seen: set[int] = set()
    for n, event in enumerate(events):
        assert isinstance(event, MessageStart) == (n == 0)
        match event:
            case PartStart(index=index):
                assert index == len(seen)
                opened.add(index)
                seen.add(index)
            case PartDelta(index=index, delta=delta):
                assert index in opened
                assert delta
            case PartEnd(index=index):
                opened.remove(index)
            case MessageEnd():
                assert n == len(events) - 1
                assert not opened
            case _:
                pass
