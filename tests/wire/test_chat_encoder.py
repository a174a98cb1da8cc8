"""What the encoder of chat completions writes says the events again, to our decoder and to OpenAI's own package."""

from __future__ import annotations

import json
import random
from functools import cache
from typing import Any

import httpx2
import msgspec
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import expected, shared_tape
from playhead import (
    ConfigError,
    DecodeError,
    EncodeError,
    MissingKey,
    PlayheadError,
    ProviderError,
    TransportError,
    TruncatedStream,
)
from playhead.events import MessageEnd, MessageEvent, MessageStart, PartDelta, PartEnd, PartStart
from playhead.messages import (
    Citation,
    MediaPart,
    Message,
    ModelResponse,
    Opaque,
    Part,
    ReasoningPart,
    RefusalPart,
    Source,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from playhead.tape.files import load_tape
from playhead.wire.openai_chat import Decoder, Encoder, encode_error, read_error

RESPONSES = [
    (name, response["id"])
    for name, cassette in expected().items()
    for response in cassette["responses"]
    if response["protocol"] == "openai-chat" and "response" in response
] or [("recorded", 0)]
IDS = [f"{name.removesuffix('.yaml')}-{n}" for name, n in RESPONSES]

INTERRUPTED = ("avian-kimi/multi_tool_streaming", "TestOpenRouterCommon/gemini/multi_tool_streaming")
INTERRUPTED += ("TestVercelThinking/gemini-3-pro-preview/thinking-streaming", "zai-glm-4.5", "glm-4.5__multi_tool_st")
"""Streams whose text or reasoning goes on after something else: a whole body says each of them once."""


def decode(data: bytes, origin: str | None = "somebody") -> list[MessageEvent]:
    decoder = Decoder(origin)
    return decoder.feed(data) + decoder.close()


@cache
def recorded(name: str, n: int) -> list[MessageEvent]:
    return decode(load_tape(shared_tape(name)).interactions[n].body)


def encode(events: list[MessageEvent], stream: bool = True) -> tuple[bytes, tuple[str, ...]]:
    encoder = Encoder(stream)
    return b"".join(encoder.send(event) for event in events), encoder.losses


def final(events: list[MessageEvent]) -> ModelResponse:
    assert isinstance(events[-1], MessageEnd)
    return events[-1].response


@pytest.mark.parametrize(("name", "n"), RESPONSES, ids=IDS)
def test_a_recorded_answer_is_streamed_again_with_the_same_events(name: str, n: int) -> None:
    events = recorded(name, n)
    data, losses = encode(events)
    assert decode(data) == events
    assert losses == ()


@pytest.mark.parametrize(("name", "n"), RESPONSES, ids=IDS)
def test_a_recorded_answer_is_written_whole_with_the_same_response(name: str, n: int) -> None:
    response = final(recorded(name, n))
    data, losses = encode(recorded(name, n), stream=False)
    again = final(decode(data))
    assert losses == ()
    if not any(part in name for part in INTERRUPTED):
        assert again == response
        return
    assert (again.text, again.reasoning, again.tool_calls) == (response.text, response.reasoning, response.tool_calls)
    assert msgspec.structs.replace(again, message=response.message) == response


@given(st.data())
@settings(deadline=None)
def test_however_the_bytes_are_cut_they_say_the_same(data: st.DataObject) -> None:
    if not expected():
        pytest.skip("the recordings beside the repository are not here")
    events = recorded(*data.draw(st.sampled_from(RESPONSES)))
    written, _ = encode(events)
    decoder, again, cuts = Decoder("somebody"), list[MessageEvent](), random.Random(data.draw(st.integers(0, 99)))
    while written:
        at = cuts.randint(1, 2000)
        again += decoder.feed(written[:at])
        written = written[at:]
    assert again + decoder.close() == events


def client(data: bytes) -> openai.OpenAI:
    kind = "application/json" if data.startswith(b"{") else "text/event-stream"
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, headers={"content-type": kind}, content=data))
    return openai.OpenAI(api_key="k", base_url="http://x/v1", http_client=httpx2.Client(transport=transport))


@pytest.mark.parametrize(("name", "n"), RESPONSES, ids=IDS)
def test_openais_package_reads_what_is_written(name: str, n: int) -> None:
    response = final(recorded(name, n))
    data, _ = encode(recorded(name, n), stream=False)
    (choice,) = client(data).chat.completions.create(model="m", messages=[]).choices
    wanted = [(call.id, call.name, call.arguments) for call in response.tool_calls]
    made: list[Any] = choice.message.tool_calls or []
    assert (choice.message.content or "", choice.finish_reason) == (response.text, response.raw_finish_reason)
    assert [(call.id, call.function.name, call.function.arguments) for call in made] == wanted

    data, _ = encode(recorded(name, n))
    with client(data).chat.completions.stream(model="m", messages=[]) as stream:
        answer = stream.get_final_completion()
    (said,) = answer.choices
    made = said.message.tool_calls or []
    assert (said.message.content or "", said.finish_reason) == (response.text, response.raw_finish_reason)
    assert [(call.id, call.function.name, call.function.arguments) for call in made] == wanted
    assert answer.usage is not None
    assert response.usage is not None
    assert answer.usage.prompt_tokens == response.usage.input_tokens


# Answers of other formats.


def events_of(response: ModelResponse) -> list[MessageEvent]:
    """As another format's decoder would give them, its calls without ids until they are whole."""
    events: list[MessageEvent] = [MessageStart(response.id, response.model)]
    for n, part in enumerate(response.message.parts):
        match part:
            case TextPart() | ReasoningPart() | RefusalPart():
                kind: Any = type(part).__struct_config__.tag
                events += [PartStart(n, type(part)()), *(PartDelta(n, kind, word) for word in part.text)]
            case ToolCallPart():
                begun = ToolCallPart("", part.name, provider_executed=part.provider_executed)
                events += [PartStart(n, begun), PartDelta(n, "tool_call", part.arguments)]
            case _:
                events.append(PartStart(n, part))
        events.append(PartEnd(n, part))
    return [*events, MessageEnd(response)]


SIGNED = Opaque("anthropic", {"signature": "s"}, "anthropic")
SEARCH = ToolCallPart("s1", "web_search", '{"query": "x"}', True)


def foreign(*parts: Part, **more: Any) -> ModelResponse:
    usage = Usage(10, 7, None, 4, 2, 3, raw={"input_tokens": 4})
    more = {"usage": usage, "finish_reason": "stop", "raw_finish_reason": "end_turn", "cost": 0.5} | more
    return ModelResponse(Message("assistant", parts), id="msg_1", model="claude", wire="anthropic", **more)


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_of_another_format_keeps_all_that_both_can_say(stream: bool) -> None:
    response = foreign(
        ReasoningPart("hm", SIGNED),
        TextPart("See ", citations=(Citation("http://a", "A", "words", 0, 3, SIGNED), Citation(title="doc"))),
        MediaPart("image/png", b"\x89PNG"),
        SEARCH,
        ToolResultPart("s1", "web_search", "found", opaque=SIGNED),
        ToolCallPart("call_1", "add", '{"a":2}'),
        ToolCallPart("call_2", "mul", "{}"),
        finish_reason="tool_calls",
        raw_finish_reason="tool_use",
        metadata={"container": "c"},
        sources=(Source("http://a", "A"), Source("http://b", "B")),
    )
    data, losses = encode(events_of(response), stream)
    again = final(decode(data))
    assert (again.text, again.reasoning) == ("See ", "hm")
    assert [(c.id, c.name, c.arguments) for c in again.tool_calls] == [
        ("call_1", "add", '{"a":2}'),
        ("call_2", "mul", "{}"),
    ]
    (citation,) = again.message.citations
    assert (citation.url, citation.title, citation.text, citation.start, citation.end) == (
        "http://a",
        "A",
        "words",
        0,
        3,
    )
    assert {source.url for source in again.sources} == {"http://a", "http://b"}
    assert [part.data for part in again.message.parts if isinstance(part, MediaPart)] == [b"\x89PNG"]
    assert (again.finish_reason, again.metadata["native_finish_reason"]) == ("tool_calls", "tool_use")
    assert again.usage is not None
    assert msgspec.structs.replace(again.usage, raw={}) == Usage(10, 7, 17, 4, 2, 3)
    assert (again.id, again.model, again.cost) == ("msg_1", "claude", 0.5)
    assert set(losses) == {
        "what anthropic wants back with its reasoning was left out",
        "what anthropic wants back with its tool_result was left out",
        "citations of documents were left out: chat completions cite URLs",
        "that the provider ran its own tool 'web_search' was left out",
        "fields of the provider's own were left out: container",
    }


def test_the_chunks_are_those_that_clients_expect() -> None:
    response = foreign(TextPart("ab"), ToolCallPart("c1", "add", "{}"), finish_reason="tool_calls")
    encoder = Encoder(True, created=1700000000)
    data = b"".join(encoder.send(event) for event in events_of(response))
    lines = [line.removeprefix("data: ") for line in data.decode().split("\n\n") if line]
    assert lines.pop() == "[DONE]"
    chunks = [json.loads(line) for line in lines]
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": ""},
        {"content": "a"},
        {"content": "b"},
        {"tool_calls": [call]},
        {},
        {"content": ""},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * 4 + ["tool_calls", None]
    assert {(chunk["object"], chunk["created"]) for chunk in chunks} == {("chat.completion.chunk", 1700000000)}
    assert chunks[-1]["usage"]["prompt_tokens_details"] == {"cached_tokens": 4, "cache_write_tokens": 2}


@pytest.mark.parametrize(
    ("finish", "sent", "losses"),
    [
        ("length", "length", 0),
        ("content_filter", "content_filter", 0),
        ("other", "stop", 1),
    ],
)
def test_a_finish_reason_without_a_word_is_a_loss(finish: Any, sent: str, losses: int) -> None:
    data, lost = encode(events_of(foreign(TextPart("x"), finish_reason=finish, raw_finish_reason="pause")), False)
    assert json.loads(data)["choices"][0]["finish_reason"] == sent
    assert len(lost) == losses


def test_what_is_not_known_of_usage_is_not_said() -> None:
    data, _ = encode(events_of(foreign(TextPart("x"), usage=None, cost=None)), False)
    assert "usage" not in json.loads(data)
    data, _ = encode(events_of(foreign(TextPart("x"), usage=Usage(output_tokens=0), cost=None)), False)
    assert json.loads(data)["usage"] == {"completion_tokens": 0}


def test_a_total_that_counts_reasoning_twice_does_not_mislead() -> None:
    usage = Usage(10, 7, 20, reasoning_tokens=3, raw={"total": 20})
    data, _ = encode(events_of(foreign(TextPart("x"), usage=usage)), False)
    again = final(decode(data)).usage
    assert again is not None
    assert (again.input_tokens, again.output_tokens, again.total_tokens) == (10, 7, 17)


# Refusals.


@pytest.mark.parametrize(
    ("error", "status", "code", "kind"),
    [
        (ProviderError("slow down", status=429, kind="rate_limit", code="1302"), 429, 1302, "rate_limit"),
        (ProviderError("upstream died", status=200, code="502"), 502, 502, "server"),
        (ProviderError("no", status=200, kind="overloaded"), 503, 503, "overloaded"),
        (ProviderError("long", kind="context_length"), 400, "context_length_exceeded", "context_length"),
        (EncodeError("no words"), 400, 400, "bad_request"),
        (DecodeError("`model` should be a text"), 400, 400, "bad_request"),
        (TruncatedStream("cut"), 502, 502, "server"),
        (TransportError("late", kind="timeout"), 504, 504, "timeout"),
        (TransportError("gone"), 502, 502, "server"),
        (MissingKey("no key"), 401, 401, "authentication"),
        (ConfigError("no model"), 400, 400, "bad_request"),
        (PlayheadError("what"), 500, 500, "server"),
    ],
)
def test_a_refusal_has_a_status_and_is_read_again(
    error: PlayheadError, status: int, code: str | int, kind: str
) -> None:
    sent, body = encode_error(error)
    again = read_error(body, sent)
    assert (sent, json.loads(body)["error"]["code"]) == (status, code)
    assert again.message == (error.message if isinstance(error, ProviderError) else str(error))
    assert again.kind == kind


def test_a_stream_that_breaks_off_says_so_to_us_and_to_openais_package() -> None:
    encoder = Encoder(True)
    begun = encoder.send(MessageStart("r", "m")) + encoder.send(PartStart(0, TextPart()))
    begun += encoder.send(PartDelta(0, "text", "half"))
    error = ProviderError("upstream died", code="502", metadata={"provider_name": "X"})
    data = begun + encoder.fail(error)
    decoder = Decoder()
    assert PartDelta(0, "text", "half") in decoder.feed(data)
    assert isinstance(decoder.error, ProviderError)
    assert decoder.error.message == "upstream died"
    assert decoder.error.metadata == {"provider_name": "X"}
    with pytest.raises(openai.APIError, match="upstream died"):
        list(client(data).chat.completions.create(model="m", messages=[], stream=True))
    with pytest.raises(TruncatedStream):
        decode(begun)


def test_a_body_that_fails_is_the_refusal_itself() -> None:
    assert json.loads(Encoder(False).fail(DecodeError("no")))["error"]["message"] == "no"
