"""Whatever comes, Bedrock's decoders give events or one of our errors, and never break their grammar."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from grammar import check_grammar
from playhead import PlayheadError
from playhead.events import MessageEnd, MessageEvent
from playhead.wire import Dialect, bedrock, bedrock_converse
from playhead.wire._eventstream import encode_event, encode_exception

FLOATS = st.floats(allow_nan=False, allow_infinity=False)  # Those are no JSON; there is a test of their own for them.
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with these fields, or some of them, or with something else in them."""
    return st.fixed_dictionaries({}, optional={name: value | JSON for name, value in fields.items()})


WORD = st.text(max_size=4)
BASE64 = st.sampled_from(["AAEC", "?", ""])
SOURCE = some(bytes=BASE64, s3Location=some(uri=WORD), text=WORD)
IMAGE = some(format=st.sampled_from(["png", "tiff"]), source=SOURCE, error=some(message=WORD))
DOCUMENT = some(format=st.sampled_from(["pdf", "txt"]), name=WORD, source=SOURCE)
CALL = some(toolUseId=st.sampled_from(["a", "b", ""]), name=WORD, input=JSON, type=st.just("server_tool_use"))
CITATION = some(title=WORD, sourceContent=st.lists(some(text=WORD)), location=some(web=some(url=WORD)))
POINT = some(type=st.just("default"), ttl=st.sampled_from(["5m", "1h"]))
RESULT = some(
    toolUseId=st.sampled_from(["a", ""]),
    status=st.sampled_from(["error", "success"]),
    content=st.lists(some(text=WORD, json=JSON, image=IMAGE, document=DOCUMENT), max_size=2),
)
BLOCK = some(
    text=WORD,
    reasoningContent=some(reasoningText=some(text=WORD, signature=WORD), redactedContent=BASE64),
    toolUse=CALL,
    toolResult=RESULT,
    image=IMAGE,
    document=DOCUMENT,
    citationsContent=some(content=st.lists(some(text=WORD), max_size=2), citations=st.lists(CITATION, max_size=2)),
    cachePoint=POINT,
    novelty=JSON,
)
DELTA = some(
    text=WORD,
    reasoningContent=some(text=WORD, signature=WORD, redactedContent=BASE64),
    toolUse=some(input=WORD),
    toolResult=st.lists(some(text=WORD, json=JSON), max_size=2),
    citation=CITATION,
    image=IMAGE,
)
INDEX = st.integers(-1, 2)
USAGE = some(inputTokens=st.integers(), outputTokens=JSON, totalTokens=JSON, cacheReadInputTokens=st.integers())
REASON = st.sampled_from(["end_turn", "tool_use", "novel"])
EVENT = st.one_of(
    st.tuples(st.just("messageStart"), some(role=st.just("assistant"))),
    st.tuples(st.just("contentBlockStart"), some(contentBlockIndex=INDEX, start=BLOCK)),
    st.tuples(st.just("contentBlockDelta"), some(contentBlockIndex=INDEX, delta=DELTA)),
    st.tuples(st.just("contentBlockDelta"), some(contentBlockIndex=INDEX, delta=DELTA)),
    st.tuples(st.just("contentBlockStop"), some(contentBlockIndex=INDEX)),
    st.tuples(st.just("messageStop"), some(stopReason=REASON)),
    st.tuples(st.just("metadata"), some(usage=USAGE, metrics=JSON)),
    st.tuples(WORD, JSON),
)
END: list[tuple[str, Any]] = [("messageStop", {"stopReason": "end_turn"}), ("metadata", {})]
BODY = some(
    output=some(message=some(role=WORD, content=st.lists(BLOCK, max_size=4))), stopReason=REASON, usage=USAGE, x=JSON
)
TURN = some(role=st.sampled_from(["user", "assistant", "system"]), content=st.lists(BLOCK, max_size=3))
TOOL = some(toolSpec=some(name=WORD, inputSchema=some(json=some(type=WORD)), strict=st.booleans()), cachePoint=POINT)
REQUEST = st.fixed_dictionaries(
    {},
    optional={
        "messages": st.lists(TURN, max_size=3),
        "system": st.lists(BLOCK, max_size=2),
        "inferenceConfig": some(maxTokens=st.integers(), topP=st.floats(), stopSequences=st.lists(WORD), x=JSON),
        "toolConfig": some(
            tools=st.lists(TOOL, max_size=2), toolChoice=some(auto=JSON, any=JSON, tool=some(name=WORD))
        ),
        "additionalModelRequestFields": some(
            thinking=some(type=st.sampled_from(["enabled", "adaptive", "disabled"]), budget_tokens=st.integers()),
            output_config=some(effort=WORD),
            reasoningConfig=some(type=WORD, maxReasoningEffort=WORD),
            reasoning_effort=WORD,
        ),
        "serviceTier": some(type=WORD),
        "outputConfig": some(
            textFormat=some(
                type=WORD, structure=some(jsonSchema=some(schema=st.sampled_from(["{}", "["]), name=WORD))
            )
        ),
        "novelty": JSON,
    },
)
ANTHROPIC = some(
    type=st.sampled_from(
        ["message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_stop", "x"]
    ),
    index=INDEX,
    message=JSON,
    content_block=some(type=st.sampled_from(["text", "tool_use", "thinking"]), text=WORD, id=WORD, name=WORD),
    delta=some(type=st.sampled_from(["text_delta", "input_json_delta"]), text=WORD, partial_json=WORD),
)


def run(decoder: Any, *pieces: bytes) -> list[MessageEvent]:
    events: list[MessageEvent] = []
    try:
        for piece in pieces:
            events += decoder.feed(piece)
        events += decoder.close()
    except PlayheadError:
        pass
    return events


def frames(events: list[tuple[str, Any]]) -> bytes:
    return b"".join(encode_event(name, json.dumps(payload).encode()) for name, payload in events)


@given(st.lists(st.binary(max_size=200), max_size=5))
@settings(deadline=None)
def test_random_bytes_give_events_or_our_errors(pieces: list[bytes]) -> None:
    for module in (bedrock, bedrock_converse):
        run(module.Decoder("x"), *pieces)
        module.read_error(b"".join(pieces), 500)
        try:
            module.decode_request(b"".join(pieces), "/model/m/converse", None)
        except PlayheadError:
            pass


@given(st.lists(EVENT, max_size=10), st.booleans())
@settings(deadline=None)
def test_events_of_the_right_shape_with_anything_in_them_keep_the_grammar_and_can_be_told_again(
    events: list[tuple[str, Any]], ended: bool
) -> None:
    data = frames(events + (END if ended else []))
    told = run(bedrock_converse.Decoder("x"), data)
    check_grammar(told)
    assert run(bedrock_converse.Decoder("x"), *(data[i : i + 1] for i in range(len(data)))) == told
    retell(told)


@given(BODY)
@settings(deadline=None)
def test_a_body_of_the_right_shape_with_anything_in_it_keeps_the_grammar(body: dict[str, Any]) -> None:
    told = run(bedrock_converse.Decoder("x"), json.dumps(body).encode())
    check_grammar(told)
    retell(told)


@given(st.lists(ANTHROPIC, max_size=8), st.booleans())
@settings(deadline=None)
def test_anthropics_events_in_amazons_frames_keep_the_grammar(events: list[Any], refused: bool) -> None:
    packed = [{"bytes": base64.b64encode(json.dumps(event).encode()).decode()} for event in events]
    data = frames([("chunk", chunk) for chunk in packed])
    data += encode_exception("modelStreamErrorException", b"{}") if refused else b""
    check_grammar(run(bedrock.Decoder("x"), data))


@given(REQUEST, st.sampled_from(["us.anthropic.claude-sonnet-4-5-v1:0", "amazon.nova-2-lite-v1:0", "meta.llama4"]))
@settings(deadline=None)
def test_requests_of_the_right_shape_are_read_and_written_or_refused(body: dict[str, Any], model: str) -> None:
    try:
        request = bedrock_converse.decode_request(json.dumps(body).encode(), f"/model/{model}/converse", None)
        written = bedrock_converse.encode_request(request, Dialect(), None)
    except PlayheadError:
        return
    # What was read and written once goes on being read as the same.
    again = bedrock_converse.decode_request(written.body, f"/model/{model}/converse", None)
    assert bedrock_converse.encode_request(again, Dialect(), None).body == written.body


def test_depth_is_an_error_and_no_crash() -> None:
    deep = b'{"a":' * 200_000
    for module in (bedrock, bedrock_converse):
        for data in (deep, encode_event("chunk", deep), encode_event("messageStart", deep)):
            run(module.Decoder("x"), data)
        module.read_error(deep, 500)


def test_numbers_that_are_no_json_are_events_or_an_error() -> None:
    usage = b'{"inputTokens":NaN,"outputTokens":Infinity,"totalTokens":1e999,"cacheReadInputTokens":%s}' % (
        b"9" * 5000
    )
    data = frames(END[:1]) + encode_event("metadata", b'{"usage":' + usage + b"}")
    run(bedrock_converse.Decoder("x"), data)
    call = b'{"toolUse":{"toolUseId":"t","name":"f","input":{"a":%s,"b":NaN}}}' % (b"9" * 100)
    told = run(
        bedrock_converse.Decoder("x"),
        b'{"output":{"message":{"content":[' + call + b']}},"stopReason":"tool_use"}',
    )
    check_grammar(told)
    for value in (b"NaN", b"1e999", b"9" * 100, b"true"):
        try:
            bedrock_converse.decode_request(
                b'{"inferenceConfig":{"temperature":%s,"maxTokens":%s}}' % (value, value), "/model/m/converse", None
            )
        except PlayheadError:
            pass


def retell(events: list[MessageEvent]) -> None:
    """An answer that was understood can be told again, and is understood as the same."""
    if not events or not isinstance(events[-1], MessageEnd):
        return
    encoder = bedrock_converse.Encoder(True)
    try:
        data = b"".join(encoder.send(event) for event in events)
    except PlayheadError:
        return
    if encoder.losses:
        return  # Such as a document, which no stream of Converse can hold.
    again = run(bedrock_converse.Decoder("x"), data)
    assert isinstance(again[-1], MessageEnd)
    assert again[-1].response.message == events[-1].response.message
