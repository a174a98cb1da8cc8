"""Answers of any model, said as Gemini says them: Google's own client reads them, and our decoder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import errors as google_errors
from google.genai import types

from conftest import expected, shared_tape
from playhead import DecodeError, EncodeError, ProviderError, TransportError
from playhead.events import MessageEnd, MessageEvent, MessageStart, PartDelta, PartEnd, PartStart
from playhead.messages import (
    Citation,
    Message,
    ModelResponse,
    Opaque,
    Part,
    RefusalPart,
    Source,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from playhead.tape.files import load_tape
from playhead.wire import gemini, openai_chat

RESPONSES = [
    (name, response["id"], response["protocol"])
    for name, cassette in expected().items()
    for response in cassette["responses"]
    if response["protocol"] in ("gemini", "openai-chat") and "response" in response
] or [("recorded", 0, "gemini")]
IDS = [f"{name.removesuffix('.yaml')}-{n}" for name, n, _ in RESPONSES]
FOREIGN = [(name, n) for name, n, protocol in RESPONSES if protocol == "openai-chat"] or [("recorded", 0)]


@cache
def recorded(name: str, n: int, protocol: str) -> list[MessageEvent]:
    decoder = gemini.Decoder("google") if protocol == "gemini" else openai_chat.Decoder("openai")
    return decoder.feed(load_tape(shared_tape(name)).interactions[n].body) + decoder.close()


def encode(events: list[MessageEvent], *, stream: bool) -> tuple[list[bytes], tuple[str, ...]]:
    encoder = gemini.Encoder(stream)
    return [encoder.send(event) for event in events], encoder.losses


def final(pieces: list[bytes]) -> ModelResponse:
    decoder = gemini.Decoder("gateway")
    last = [*(event for piece in pieces for event in decoder.feed(piece)), *decoder.close()][-1]
    assert isinstance(last, MessageEnd)
    return last.response


def events_of(response: ModelResponse) -> Iterator[MessageEvent]:
    """The events of an answer that came whole."""
    yield MessageStart(response.id, response.model)
    for index, part in enumerate(response.message.parts):
        match part:
            case TextPart(text=words) | RefusalPart(text=words):
                kind = "text" if isinstance(part, TextPart) else "refusal"
                yield from (PartStart(index, type(part)()), PartDelta(index, kind, words), PartEnd(index, part))
            case ToolCallPart(id=id, name=name, arguments=arguments):
                yield PartStart(index, ToolCallPart(id, name))
                yield from (PartDelta(index, "tool_call", arguments), PartEnd(index, part))
            case _:
                yield from (PartStart(index, part), PartEnd(index, part))
    yield MessageEnd(response)


def answer(*parts: Part, **more: Any) -> ModelResponse:
    return ModelResponse(Message("assistant", parts), id="r1", model="m", **more)


def says(response: ModelResponse) -> tuple[Any, ...]:
    """What an answer says in any format."""
    usage = response.usage
    calls = [(call.id, call.name, json.loads(call.arguments or "{}")) for call in response.tool_calls]
    counts = usage and (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens)
    return response.text, response.reasoning, calls, response.finish_reason, counts, response.id, response.model


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize(("name", "n"), FOREIGN, ids=[f"{name.removesuffix('.yaml')}-{n}" for name, n in FOREIGN])
def test_an_answer_from_chat_completions_says_the_same_here(name: str, n: int, stream: bool) -> None:
    events = recorded(name, n, "openai-chat")
    assert isinstance(events[-1], MessageEnd)
    pieces, losses = encode(events, stream=stream)
    wanted, again = events[-1].response, final(pieces)
    assert says(again) == says(wanted)
    assert wanted.usage
    assert again.usage
    thought, made = wanted.usage.reasoning_tokens, wanted.usage.output_tokens
    beside = thought is not None and made is not None and thought > made
    assert again.usage.reasoning_tokens == (None if beside else thought)
    assert any("more reasoning" in loss for loss in losses) == beside
    issued = any(getattr(part, "opaque", None) for part in wanted.message.parts)
    assert any("wants back" in loss for loss in losses) == issued


_NOT_USED = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(500)))
"""What genai would make for itself, reading the system's certificates each time."""


class Server:
    """Google's own client, before an answer."""

    def __init__(self, status: int, body: bytes, kind: str) -> None:
        response = httpx.Response(status, content=body, headers={"content-type": kind})
        self._http = httpx.Client(transport=httpx.MockTransport(lambda _: response))

    def __enter__(self) -> genai.models.Models:
        options = types.HttpOptions(
            base_url="http://google.test", httpx_client=self._http, httpx_async_client=_NOT_USED
        )
        self._client = genai.Client(api_key="not-a-key", http_options=options)
        return self._client.models

    def __exit__(self, *exc: object) -> None:
        self._http.close()


def as_google_reads_it(pieces: list[bytes], *, stream: bool) -> list[types.GenerateContentResponse]:
    with Server(200, b"".join(pieces), gemini.STREAM_TYPE if stream else "application/json") as models:
        if stream:
            return list(models.generate_content_stream(model="m", contents="hi"))
        return [models.generate_content(model="m", contents="hi")]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize(("name", "n", "protocol"), RESPONSES, ids=IDS)
def test_googles_own_client_reads_the_same(name: str, n: int, protocol: str, stream: bool) -> None:
    events = recorded(name, n, protocol)
    assert isinstance(events[-1], MessageEnd)
    wanted = events[-1].response
    chunks = as_google_reads_it(encode(events, stream=stream)[0], stream=stream)
    parts = [
        part
        for chunk in chunks
        for candidate in chunk.candidates or []
        if candidate.content
        for part in candidate.content.parts or []
    ]
    assert "".join(part.text or "" for part in parts if not part.thought) == wanted.text
    assert "".join(part.text or "" for part in parts if part.thought) == wanted.reasoning
    calls = [part.function_call for part in parts if part.function_call]
    assert [(call.name, call.args) for call in calls] == [
        (call.name, json.loads(call.arguments or "{}")) for call in wanted.tool_calls
    ]
    last = chunks[-1]
    assert last.candidates
    assert last.candidates[0].finish_reason in ("STOP", "MAX_TOKENS")
    assert (last.response_id or "", last.model_version or "") == (wanted.id, wanted.model)
    if wanted.usage and wanted.usage.input_tokens is not None:
        assert last.usage_metadata
        assert last.usage_metadata.prompt_token_count == wanted.usage.input_tokens


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_what_the_format_has_no_place_for_is_told(stream: bool) -> None:
    elsewhere = Opaque("anthropic", {"signature": "x"}, "anthropic")
    response = answer(
        TextPart("a", opaque=elsewhere),
        ToolCallPart("s1", "web_search", "{}", True),
        ToolResultPart("s1", "web_search", "found"),
        RefusalPart("no"),
        ToolCallPart("c1", "f", "not json"),
        finish_reason="error",
        usage=Usage(10, 5, cache_write_tokens=3),
        cost=0.5,
        metadata={"service_tier": "x"},
        wire="anthropic",
    )
    pieces, losses = encode(list(events_of(response)), stream=stream)
    again = final(pieces)
    assert (again.text, again.finish_reason) == ("ano", "error")
    assert [call.arguments for call in again.tool_calls] == ['{"arguments":"not json"}']
    assert (again.usage and again.usage.total_tokens, again.metadata) == (15, {})
    assert sorted(losses) == [
        "a refusal was sent as text",
        "gemini has no place for service_tier",
        "gemini has no place for the cost",
        "gemini has no place for the number of tokens that were written to the cache",
        "the arguments of a call to 'f' are no JSON object, and were sent as text in one",
        "what anthropic wants back with text parts was left out",
        "what was done by the provider's own tool 'web_search' was left out",
    ]


def test_citations_and_sources_become_grounding_counted_in_bytes() -> None:
    response = answer(
        TextPart("üü "),
        TextPart("drei", (Citation("https://a.test", "A", None, 1, 3), Citation("https://b.test"))),
        sources=(Source("https://c.test", "C"), Source("https://a.test", "A")),
        finish_reason="stop",
        wire="anthropic",
    )
    pieces, _ = encode(list(events_of(response)), stream=True)
    grounding = json.loads(pieces[-1].removeprefix(b"data: "))["candidates"][0]["groundingMetadata"]
    assert grounding["groundingSupports"][0] == {
        "segment": {"startIndex": 6, "endIndex": 8, "text": "re"},
        "groundingChunkIndices": [1],
    }
    again = final(pieces)
    assert [source.url for source in again.sources] == ["https://c.test", "https://a.test", "https://b.test"]
    assert again.message.citations == (
        Citation("https://a.test", "A", None, 4, 6),
        Citation("https://b.test", None, None, 3, 7),
    )


def test_code_that_another_provider_ran_is_code_here_too() -> None:
    response = answer(
        ToolCallPart("s1", "code_execution", '{"code":"print(1)"}', True),
        ToolResultPart("s1", "code_execution", "1"),
        finish_reason="stop",
    )
    for stream in (True, False):
        ran, gave = final(encode(list(events_of(response)), stream=stream)[0]).message.parts
        assert isinstance(ran, ToolCallPart)
        assert isinstance(gave, ToolResultPart)
        assert json.loads(ran.arguments) == {"language": "PYTHON", "code": "print(1)"}
        assert (gave.text, gave.call_id, gave.is_error) == ("1", ran.id, False)


def test_ids_that_were_made_up_are_not_shown() -> None:
    call = ToolCallPart("call_made_up", "f", "{}")
    events = [MessageStart("r", "m"), PartStart(0, ToolCallPart("", "f")), PartEnd(0, call), MessageEnd(answer(call))]
    for stream in (True, False):
        assert b"made_up" not in b"".join(encode(events, stream=stream)[0])


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (
            ProviderError("slow down", status=429, code="rate_limit_exceeded", retry_after=2.5),
            429,
            "RESOURCE_EXHAUSTED",
        ),
        (ProviderError("no", status=200, code="UNAVAILABLE"), 503, "UNAVAILABLE"),
        (ProviderError("no", kind="authentication"), 401, "UNAUTHENTICATED"),
        (ProviderError("busy", status=529), 529, "UNAVAILABLE"),
        (DecodeError("`contents` should be a list"), 400, "INVALID_ARGUMENT"),
        (EncodeError("no words"), 400, "INVALID_ARGUMENT"),
        (TransportError("late", kind="timeout"), 504, "DEADLINE_EXCEEDED"),
    ],
)
def test_a_refusal_is_one_that_googles_own_client_knows(error: Any, status: int, name: str) -> None:
    found, body = gemini.encode_error(error)
    assert found == status
    assert gemini.read_error(body, found).retry_after == getattr(error, "retry_after", None)
    with (
        Server(found, body, "application/json") as models,
        pytest.raises(google_errors.APIError) as raised,
    ):
        models.generate_content(model="m", contents="hi")
    assert (raised.value.code, raised.value.status) == (status, name)
    with (
        Server(200, gemini.Encoder(True).fail(error), gemini.STREAM_TYPE) as models,
        pytest.raises(google_errors.APIError),
    ):
        list(models.generate_content_stream(model="m", contents="hi"))
