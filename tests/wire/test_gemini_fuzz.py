"""Whatever comes, the Gemini codec gives events, a request, or one of our errors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grammar import check_grammar
from playhead import PlayheadError
from playhead.events import MessageEnd, MessageEvent
from playhead.wire import Dialect
from playhead.wire.gemini import Decoder, Encoder, decode_request, encode_request, read_error

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with these fields, or some of them, or with something else in them."""
    return st.fixed_dictionaries({}, optional={name: value | JSON for name, value in fields.items()})


WORDS = st.text(max_size=5)
MEDIA = some(mimeType=WORDS, data=st.sampled_from(["", "AAA=", "-_", "!"]), fileUri=WORDS, displayName=WORDS)
PART = some(
    text=WORDS,
    thought=st.booleans(),
    thoughtSignature=WORDS,
    functionCall=some(name=st.sampled_from(["add", ""]), id=WORDS, args=JSON, partialArgs=JSON),
    functionResponse=some(name=st.sampled_from(["add", ""]), id=WORDS, response=JSON, parts=JSON),
    inlineData=MEDIA,
    fileData=MEDIA,
    executableCode=some(language=WORDS, code=WORDS, id=WORDS),
    codeExecutionResult=some(outcome=WORDS, output=WORDS, id=WORDS),
) | st.fixed_dictionaries({"text": WORDS})
CONTENT = some(parts=st.lists(PART, max_size=4), role=st.sampled_from(["user", "model"]))
SUPPORT = some(
    segment=some(startIndex=st.integers(-3, 9), endIndex=st.integers(-3, 9), text=WORDS),
    groundingChunkIndices=st.lists(st.integers(-1, 2), max_size=3),
)
GROUNDING = some(
    groundingChunks=st.lists(some(web=some(uri=WORDS, title=WORDS)), max_size=3),
    groundingSupports=st.lists(SUPPORT, max_size=3),
)
CANDIDATE = some(
    content=CONTENT,
    finishReason=st.sampled_from(["STOP", "SAFETY", "X"]),
    index=st.integers(0, 1),
    groundingMetadata=GROUNDING,
    citationMetadata=some(
        citationSources=st.lists(some(startIndex=st.integers(), endIndex=st.integers()), max_size=2)
    ),
    safetyRatings=JSON,
)
CHUNK = some(
    candidates=st.lists(CANDIDATE, max_size=2),
    usageMetadata=some(promptTokenCount=st.integers(), thoughtsTokenCount=st.integers()),
    promptFeedback=some(blockReason=WORDS),
    modelVersion=WORDS,
    responseId=WORDS,
    error=some(code=st.integers(), details=st.lists(some(retryDelay=WORDS), max_size=2)),
)
SCHEMA = some(type=st.sampled_from(["STRING", "OBJECT"]), properties=JSON, nullable=st.booleans(), items=JSON)
REQUEST = some(
    contents=st.lists(CONTENT, max_size=4),
    systemInstruction=CONTENT,
    tools=st.lists(
        some(functionDeclarations=st.lists(some(name=WORDS, parameters=SCHEMA), max_size=2), googleSearch=JSON),
        max_size=2,
    ),
    toolConfig=some(functionCallingConfig=some(mode=st.sampled_from(["ANY", "AUTO"]), allowedFunctionNames=JSON)),
    generationConfig=some(
        temperature=st.floats(),
        maxOutputTokens=st.integers(),
        stopSequences=st.lists(WORDS, max_size=2),
        thinkingConfig=some(thinkingBudget=st.integers(), thinkingLevel=WORDS, includeThoughts=st.booleans()),
        responseSchema=SCHEMA,
        responseMimeType=st.sampled_from(["application/json", "text/plain"]),
        responseLogprobs=st.booleans(),
        logprobs=st.integers(),
    ),
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
    read_error(b"".join(pieces), 500)
    with pytest.raises(PlayheadError):
        decode_request(b"".join(pieces) + b"x", "/models/m:generateContent", None)


@given(st.lists(CHUNK, max_size=5), st.booleans())
@settings(deadline=None)
def test_chunks_of_the_right_shape_with_anything_in_them_keep_the_grammar_and_go_out_again(
    chunks: list[dict[str, Any]], stream: bool
) -> None:
    data = "".join(f"data: {json.dumps(chunk)}\r\n\r\n" for chunk in chunks) if stream else json.dumps(chunks)
    events = run([data.encode()])
    check_grammar(events)
    if events and isinstance(events[-1], MessageEnd):
        for streamed in (True, False):
            encoder = Encoder(streamed)
            again = run([encoder.send(event) for event in events])
            check_grammar(again)
            assert isinstance(again[-1], MessageEnd)
            assert again[-1].response.message.text == events[-1].response.message.text


@given(REQUEST, st.sampled_from(["gemini-3-pro", "gemini-2.5-flash"]))
@settings(deadline=None)
def test_a_request_of_the_right_shape_with_anything_in_it_is_read_for_good_or_is_an_error(
    body: dict[str, Any], model: str
) -> None:
    path = f"/models/{model}:generateContent"
    try:
        said = encode_request(decode_request(json.dumps(body).encode(), path, "x"), Dialect(), "x").body
    except PlayheadError:
        return
    again = encode_request(decode_request(said, path, "x"), Dialect(), "x").body
    assert json.loads(again) == json.loads(said)


@pytest.mark.parametrize(
    "open_", [b"[", b'{"a":', b'{"contents":[{"parts":[{"functionCall":{"name":"f","args":{"a":']
)
@pytest.mark.parametrize("depth", [200, 900, 100_000])
def test_what_is_nested_without_end_is_an_error(open_: bytes, depth: int) -> None:
    nested = open_ + b'{"a":' * depth + b"1" + b"}" * depth
    nested += b"".join({ord("["): b"]", ord("{"): b"}"}[byte] for byte in reversed(open_) if byte in b"[{")
    run([b"data: " + nested + b"\n\n"])
    run([nested])
    try:
        request = decode_request(nested, "/models/m:generateContent", None)
        encode_request(request, Dialect())
    except PlayheadError:
        pass
