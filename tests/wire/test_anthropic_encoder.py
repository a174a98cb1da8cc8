"""Answers written in the Messages format: read by the vendor's own package, from this format's events and others'."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import anthropic
import httpx2
import msgspec
import pytest

from conftest import expected, shared_tape
from playhead import DecodeError, EncodeError, PlayheadError, ProviderError, TransportError, TruncatedStream
from playhead.events import MessageEnd, MessageEvent, MessageStart, PartDelta, PartEnd, PartStart
from playhead.messages import (
    Citation,
    FinishReason,
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
from playhead.wire import openai_chat
from playhead.wire.anthropic import Decoder, Encoder, decode_usage, encode_error, read_error

OURS = [
    (name, response["id"])
    for name, cassette in expected().items()
    for response in cassette["responses"]
    if response["protocol"] == "anthropic" and response["framing"] in ("json", "sse")
] or [("recorded", 0)]
CHAT = [
    (name, response["id"])
    for name, cassette in expected().items()
    for response in cassette["responses"]
    if response["protocol"] == "openai-chat" and "response" in response
] or [("recorded", 0)]


@cache
def body(name: str, n: int) -> bytes:
    return load_tape(shared_tape(name)).interactions[n].body


def decode(decoder: Any, data: bytes) -> list[MessageEvent]:
    return decoder.feed(data) + decoder.close()


def final(events: list[MessageEvent]) -> ModelResponse:
    assert isinstance(events[-1], MessageEnd)
    return events[-1].response


def sent(events: list[MessageEvent], stream: bool) -> tuple[bytes, tuple[str, ...]]:
    encoder = Encoder(stream)
    return b"".join(map(encoder.send, events)), encoder.losses


def ask(data: bytes, stream: bool, status: int = 200) -> Any:
    """What the vendor's package makes of an answer; a stream is put together by it."""
    headers = {"content-type": "text/event-stream" if stream else "application/json"}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(status, headers=headers, content=data))
    asked: Any = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    with httpx2.Client(transport=transport) as http_client:
        client = anthropic.Anthropic(api_key="not-a-key", max_retries=0, http_client=http_client)
        if not stream:
            return client.messages.create(**asked)
        with client.messages.stream(**asked) as answer:
            return answer.get_final_message()


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("name", "n"), OURS)
def test_the_vendors_package_reads_what_is_written(name: str, n: int, stream: bool) -> None:
    events = decode(Decoder("anthropic"), body(name, n))
    response = final(events)
    message = ask(sent(events, stream)[0], stream)
    recorded = body(name, n)
    theirs = ask(recorded, stream=not recorded.startswith(b"{"))
    assert [said(block) for block in message.content] == [said(block) for block in theirs.content]
    assert (message.id, message.model, message.stop_reason) == (theirs.id, theirs.model, theirs.stop_reason)
    assert message.usage.output_tokens == theirs.usage.output_tokens
    assert message.usage.input_tokens == theirs.usage.input_tokens
    assert (
        decode_usage(message.usage.to_dict()).input_tokens == response.usage.input_tokens if response.usage else None
    )


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("name", "n"), CHAT)
def test_another_formats_answer_is_said_in_this_one(name: str, n: int, stream: bool) -> None:
    events = decode(openai_chat.Decoder("somebody"), body(name, n))
    response = final(events)
    data, losses = sent(events, stream)
    again = final(decode(Decoder("here"), data))
    assert (again.text, again.reasoning) == (response.text, response.reasoning)
    assert [(call.id, call.name, json.loads(call.arguments)) for call in again.tool_calls] == [
        (call.id, call.name, json.loads(call.arguments or "{}")) for call in response.tool_calls
    ]
    assert again.finish_reason == response.finish_reason
    assert again.usage is not None
    assert response.usage is not None
    for count in ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"):
        assert getattr(again.usage, count) == getattr(response.usage, count)
    told = " ".join(losses)
    for what, there in [
        ("metadata", response.metadata),
        ("cost", response.cost is not None),
        ("noted on reasoning", any(isinstance(p, ReasoningPart) and p.opaque for p in response.message.parts)),
    ]:
        assert (what in told) == bool(there)
    if n == 0:
        message = ask(data, stream)
        assert message.stop_reason in ("end_turn", "tool_use", "max_tokens")
        assert "".join(block.text for block in message.content if block.type == "text") == response.text


def said(block: Any) -> dict[str, Any]:
    """A block, whichever of its classes the package takes for it."""
    return {name: value for name, value in block.to_dict().items() if value is not None}


def sse(*events: dict[str, Any]) -> bytes:
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


def block(index: int, begun: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    changes = [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
    return [
        {"type": "content_block_start", "index": index, "content_block": begun},
        *changes,
        {"type": "content_block_stop", "index": index},
    ]


CITED = {
    "type": "page_location",
    "cited_text": "x",
    "document_index": 0,
    "document_title": "d",
    "start_page_number": 1,
}
RUN = {"type": "bash_code_execution_result", "stdout": "1\n", "stderr": "e", "return_code": 1}
RUN |= {"content": [{"type": "bash_code_execution_output", "file_id": "file_1"}]}
PAGE = {"type": "document", "title": "t", "source": {"type": "text", "media_type": "text/plain", "data": "words"}}
FETCHED = {"type": "web_fetch_result", "url": "https://x", "content": PAGE}

RICH = sse(
    {
        "type": "message_start",
        "message": {"id": "msg_1", "model": "m", "usage": {"input_tokens": 9, "speed": "fast"}},
    },
    *block(0, {"type": "redacted_thinking", "data": "secret"}),
    *block(1, {"type": "thinking", "thinking": "", "signature": ""}, {"type": "signature_delta", "signature": "s"}),
    *block(
        2,
        {"type": "text", "text": "a"},
        {"type": "citations_delta", "citation": CITED},
        {"type": "text_delta", "text": "b"},
    ),
    *block(
        3,
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "bash_code_execution", "input": {}, "caller": {}},
        {"type": "input_json_delta", "partial_json": ""},
        {"type": "input_json_delta", "partial_json": '{"command":'},
        {"type": "input_json_delta", "partial_json": ' "ls"}'},
    ),
    *block(4, {"type": "bash_code_execution_tool_result", "tool_use_id": "srvtoolu_1", "content": RUN}),
    *block(5, {"type": "mcp_tool_use", "id": "mcptoolu_1", "name": "find", "server_name": "s", "input": {"q": 1}}),
    *block(6, {"type": "mcp_tool_result", "tool_use_id": "mcptoolu_1", "is_error": True, "content": "gone"}),
    *block(7, {"type": "web_fetch_tool_result", "tool_use_id": "srvtoolu_2", "content": FETCHED}),
    *block(8, {"type": "container_upload", "file_id": "file_2"}),
    *block(
        9,
        {"type": "compaction", "content": None},
        {"type": "compaction_delta", "content": "sho", "encrypted_content": "e"},
        {"type": "compaction_delta", "content": "rt"},
    ),
    *block(10, {"type": "tool_use", "id": "toolu_1", "name": "now", "input": {}, "toolset_name": "clock"}),
    {"type": "ping"},
    {"type": "something_new", "of": [1]},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "pause_turn", "stop_sequence": "x", "container": {"id": "c"}},
        "usage": {"output_tokens": 5, "output_tokens_details": {"thinking_tokens": 2}, "cache_read_input_tokens": 4},
        "context_management": {"applied_edits": []},
    },
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"latency": 1}},
)


def test_everything_that_the_format_has_is_kept_and_said_again() -> None:
    events = decode(Decoder("anthropic"), RICH)
    response = final(events)
    redacted, thought, text, run, ran, mcp, failed, fetched, upload, compacted, call = response.message.parts
    assert redacted == ReasoningPart("", Opaque("anthropic", {"redacted": "secret"}, "anthropic"))
    assert thought == ReasoningPart("", Opaque("anthropic", {"signature": "s"}, "anthropic"))
    assert text == TextPart("ab", (Citation(title="d", text="x", opaque=Opaque("anthropic", CITED, "anthropic")),))
    assert isinstance(run, ToolCallPart)
    assert (run.name, run.arguments, run.provider_executed) == ("bash_code_execution", '{"command": "ls"}', True)
    assert isinstance(ran, ToolResultPart)
    assert (ran.name, ran.text, ran.is_error) == ("bash_code_execution", "1\ne", False)
    assert [media.file_id for media in ran.media] == ["file_1"]
    assert isinstance(mcp, ToolCallPart)
    assert (mcp.arguments, mcp.provider_executed) == ('{"q":1}', True)
    assert isinstance(failed, ToolResultPart)
    assert (failed.name, failed.text, failed.is_error) == ("find", "gone", True)
    assert isinstance(fetched, ToolResultPart)
    assert (fetched.name, fetched.text) == ("web_fetch", "words")
    assert response.sources == (Source("https://x", "t", {"type": "web_fetch_result", "url": "https://x"}),)
    assert isinstance(upload, MediaPart)
    assert upload.file_id == "file_2"
    assert isinstance(compacted, ToolResultPart)
    assert (compacted.name, compacted.text) == ("compaction", "short")
    assert call == ToolCallPart(
        "toolu_1", "now", "{}", opaque=Opaque("anthropic", {"toolset_name": "clock"}, "anthropic")
    )
    assert response.tool_calls == (call,)
    assert (response.finish_reason, response.raw_finish_reason) == ("other", "pause_turn")
    assert response.usage == Usage(
        13,
        5,
        cache_read_tokens=4,
        reasoning_tokens=2,
        raw={
            "input_tokens": 9,
            "speed": "fast",
            "output_tokens": 5,
            "output_tokens_details": {"thinking_tokens": 2},
            "cache_read_input_tokens": 4,
        },
    )
    assert response.metadata == {
        "stop_sequence": "x",
        "container": {"id": "c"},
        "context_management": {"applied_edits": []},
        "something_new": {"of": [1]},
        "amazon-bedrock-invocationMetrics": {"latency": 1},
    }
    data, losses = sent(events, stream=True)
    assert decode(Decoder("anthropic"), data) == events
    assert losses == ()
    data, losses = sent(events, stream=False)
    parts = final(decode(Decoder("anthropic"), data)).message.parts
    assert [part for part in parts if part != msgspec.structs.replace(run, arguments='{"command":"ls"}')] == [
        part for part in response.message.parts if part != run
    ]
    assert losses == ()


def events_of(*parts: Part, finish: FinishReason = "stop", **more: Any) -> list[MessageEvent]:
    """The events of a whole answer as another format's decoder gives them."""
    events: list[MessageEvent] = [MessageStart("id", "m")]
    for n, part in enumerate(parts):
        match part:
            case TextPart(text=words) | RefusalPart(text=words) | ReasoningPart(text=words):
                kind = part.__struct_config__.tag
                events += [PartStart(n, type(part)()), PartDelta(n, kind, words), PartEnd(n, part)]  # type: ignore[arg-type]
            case ToolCallPart():
                events.append(PartStart(n, msgspec.structs.replace(part, id="", arguments="", opaque=None)))
                events += [PartDelta(n, "tool_call", part.arguments), PartEnd(n, part)]
            case _:
                events += [PartStart(n, part), PartEnd(n, part)]
    message = Message("assistant", parts)
    return [*events, MessageEnd(ModelResponse(message, finish, id="id", model="m", wire="other", **more))]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_what_another_format_says_and_this_one_does_not_is_told(stream: bool) -> None:
    theirs = Opaque("other", {"x": 1}, "them")
    events = events_of(
        ReasoningPart("hm", theirs),
        TextPart("a", (Citation(url="https://x", opaque=theirs),), opaque=theirs),
        RefusalPart("no"),
        ToolCallPart("ws_1", "web_search", "{}", True, theirs),
        ToolResultPart("ws_1", "web_search", "found"),
        MediaPart("image/png", b"made"),
        ToolCallPart("made_up", "add", '{"a": 1}'),
        finish="error",
        cost=0.1,
        sources=(Source("https://x"),),
        metadata={"x": 1},
    )
    data, losses = sent(events, stream)
    message = ask(data, stream)
    assert [(block.type, getattr(block, "text", None)) for block in message.content] == [
        ("thinking", None),
        ("text", "a"),
        ("text", "no"),
        ("tool_use", None),
    ]
    assert message.content[0].thinking == "hm"
    assert (message.content[3].id, message.content[3].input) == ("made_up", {"a": 1})
    assert message.usage.output_tokens == 0
    assert set(losses) == {
        "what them noted on reasoning was left out",
        "what them noted on a text was left out",
        "what them noted on a call was left out",
        "citations of them were left out",
        "a refusal was said as text: this format has no other word for it",
        "what them did by its own tool 'web_search' was left out",
        "what somebody else did by its own tool 'web_search' was left out",
        "image/png that the model made was left out: this format has no words for it",
        "the finish reason 'error' was said as 'end_turn': there is no word for it",
        "the usage is not known, and this format says 0 then",
        "the cost of the answer was left out: this format has no place for it",
        "the sources of the answer was left out: this format has no place for it",
        "the metadata of the answer was left out: this format has no place for it",
    }


def test_arguments_that_are_no_object_are_told() -> None:
    events = events_of(ToolCallPart("t", "add", "[1]"), finish="tool_calls", usage=Usage(1, 2))
    data, losses = sent(events, stream=False)
    assert json.loads(data)["content"][0]["input"] == {"invalid_json": "[1]"}
    assert "not a JSON object" in losses[0]
    assert "not a JSON object" in sent(events, stream=True)[1][0]


def test_an_answer_that_breaks_off_says_so_to_the_vendors_package() -> None:
    encoder = Encoder(stream=True)
    data = encoder.send(MessageStart("id", "m")) + encoder.fail(ProviderError("too many", code="overloaded_error"))
    with pytest.raises(anthropic.APIStatusError, match="too many"):
        ask(data, stream=True)
    with pytest.raises(ProviderError, match="too many") as caught:
        decode(Decoder(), encoder.fail(ProviderError("too many", code="overloaded_error")))
    assert (caught.value.code, caught.value.retryable, caught.value.status) == ("overloaded_error", True, 200)


def test_another_framing_is_one_method() -> None:
    class Lines(Encoder):
        def _frame(self, name: str, payload: dict[str, Any]) -> bytes:
            return json.dumps([name, payload["type"]]).encode() + b"\n"

    encoder = Lines(stream=True)
    data = b"".join(map(encoder.send, events_of(TextPart("a")))) + encoder.fail(ProviderError("x"))
    names = [json.loads(line) for line in data.splitlines()]
    assert all(name == kind for name, kind in names)
    assert [name for name, _ in names] == [
        "message_start",
        *("content_block_start", "content_block_delta", "content_block_stop"),
        *("message_delta", "message_stop", "error"),
    ]


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (ProviderError("x", status=429), 429, "rate_limit_error"),
        (ProviderError("x", status=200, code="overloaded_error"), 529, "overloaded_error"),
        (ProviderError("x", status=200, kind="overloaded"), 529, "overloaded_error"),
        (ProviderError("x", status=400, code="context_length_exceeded"), 400, "invalid_request_error"),
        (ProviderError("x", kind="authentication"), 401, "authentication_error"),
        (ProviderError("x", status=418), 418, "invalid_request_error"),
        (ProviderError("x"), 502, "api_error"),
        (TransportError("x"), 502, "api_error"),
        (TruncatedStream("x"), 502, "api_error"),
        (DecodeError("x"), 400, "invalid_request_error"),
        (EncodeError("x"), 400, "invalid_request_error"),
        (PlayheadError("x"), 500, "api_error"),
    ],
)
def test_a_refusal_is_said_as_the_vendors_package_expects(error: PlayheadError, status: int, kind: str) -> None:
    said, data = encode_error(error)
    assert said == status
    read = read_error(data, said)
    assert (read.code, read.message) == (kind, "x")
    with pytest.raises(anthropic.APIStatusError) as caught:
        ask(data, stream=False, status=said)
    assert (caught.value.status_code, caught.value.type) == (status, kind)


@pytest.mark.parametrize(
    ("data", "code", "retryable"),
    [
        (
            b'{"type":"error","error":{"type":"overloaded_error","message":"m"},"request_id":"r"}',
            "overloaded_error",
            True,
        ),
        (b'{"error":{"code":400,"message":"m","type":"invalid_request_error"}}', "invalid_request_error", False),
    ],
)
def test_an_error_under_200_is_an_error_in_a_body_and_in_a_stream(data: bytes, code: str, retryable: bool) -> None:
    for framed in (data, b"event: error\ndata: " + data + b"\n\n", b"data: " + data + b"\n\n"):
        with pytest.raises(ProviderError, match="m") as caught:
            decode(Decoder(), framed)
        assert (caught.value.code, caught.value.retryable) == (code, retryable)
        assert caught.value.request_id == ("r" if b"request_id" in data else None)


def test_habits_of_other_servers_are_understood() -> None:
    """Blocks that are not announced or not ended, an index left out, a whole input at once, `[DONE]` in between."""
    begin = {"type": "message_start", "message": {"id": "1", "model": "m"}}
    finish = [{"type": "message_delta", "delta": {"stop_reason": "tool_use"}}, {"type": "message_stop"}]
    loose = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}},
        {
            "type": "content_block_start",
            "content_block": {"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1}},
        },
    ]
    response = final(decode(Decoder(), sse(begin, *loose, *finish[:1]) + b"data: [DONE]\n\n" + sse(*finish[1:])))
    assert response.message.parts == (TextPart("a"), ToolCallPart("t", "n", '{"a":1}'))
    assert response.usage is None


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([{"type": "message_stop"}], "without a stop_reason"),
        ([{"type": "message_start"}], "before its message_stop"),
        (
            [{"type": "message_start"}, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}],
            "message_stop",
        ),
        ([{"type": "ping"}], "before its first event"),
    ],
)
def test_a_stream_without_its_end_is_truncated(events: list[dict[str, Any]], words: str) -> None:
    decoder = Decoder()
    with pytest.raises(TruncatedStream, match=words):
        decoder.feed(sse(*events))
        decoder.close()


@pytest.mark.parametrize(
    ("kind", "delta"),
    [
        ("text", {"type": "thinking_delta", "thinking": "x"}),
        ("thinking", {"type": "text_delta", "text": "x"}),
        ("tool_use", {"type": "text_delta", "text": "x"}),
        ("text", {"type": "input_json_delta", "partial_json": "x"}),
    ],
)
def test_a_delta_of_the_wrong_kind_breaks_the_format(kind: str, delta: dict[str, Any]) -> None:
    data = sse({"type": "message_start"}, *block(0, {"type": kind, "id": "t", "name": "n"}, delta))
    decoder = Decoder()
    assert isinstance(decoder.feed(data)[0], MessageStart)
    with pytest.raises(DecodeError, match=f"a {delta['type']} for"):
        decoder.close()


def test_a_total_that_is_no_sum_is_told() -> None:
    for total, told in ((3, 0), (7, 1)):
        encoder = Encoder(False)
        encoder.send(MessageEnd(ModelResponse(Message("assistant"), "stop", usage=Usage(1, 2, total), wire="x")))
        assert len(encoder.losses) == told
