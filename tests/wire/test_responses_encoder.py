"""What the encoder of the Responses format writes, our decoder and OpenAI's own package read."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import httpx
import openai
import pytest

from conftest import expected, shared_tape
from playhead import ConfigError, DecodeError, EncodeError, ProviderError, TransportError, TruncatedStream
from playhead.events import MessageEnd, MessageEvent, MessageStart
from playhead.messages import (
    Citation,
    MediaPart,
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
from playhead.wire._assembler import Assembler
from playhead.wire.openai_responses import Decoder, Encoder, encode_error

RECORDED = [
    (name, response["id"], response["protocol"])
    for name, cassette in expected().items()
    for response in cassette["responses"]
    if response["protocol"] in ("openai-responses", "openai-chat") and "response" in response
]
OWN = [case for case in RECORDED if case[2] == "openai-responses"] or [("recorded", 0, "")]
CHAT = [case for case in RECORDED if case[2] == "openai-chat" and "/TestOpenRouter" in case[0]] or [
    ("recorded", 0, "")
]

ITEMS: list[dict[str, Any]] = [
    {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": t} for t in ("a\nb", "c")]},
    {"type": "reasoning", "id": "rs2", "summary": [], "content": [{"type": "reasoning_text", "text": "open"}]},
    {"type": "web_search_call", "id": "ws", "status": "completed", "action": {"type": "search", "query": "q"}},
    {
        "type": "code_interpreter_call",
        "id": "ci",
        "code": "1",
        "container_id": "x",
        "outputs": [{"type": "logs", "logs": "1"}],
        "status": "completed",
    },
    {"type": "image_generation_call", "id": "ig", "status": "completed", "result": "iVBORw0KGgo="},
    {"type": "mcp_list_tools", "id": "mcpl", "server_label": "s", "tools": []},
    {"type": "compaction", "id": "cmp", "encrypted_content": "E"},
    {"type": "custom_tool_call", "id": "ctc", "call_id": "c1", "name": "sql", "input": 'x "y"\n'},
    {
        "type": "shell_call",
        "id": "sh",
        "call_id": "c2",
        "action": {},
        "environment": {"type": "container_reference", "container_id": "x"},
    },
    {"type": "shell_call_output", "id": "sho", "call_id": "c2", "output": [{"stdout": "x"}]},
    {
        "type": "message",
        "id": "m1",
        "role": "assistant",
        "status": "completed",
        "phase": "commentary",
        "content": [
            {
                "type": "output_text",
                "text": "one",
                "annotations": [
                    {"type": "url_citation", "url": "http://x", "title": "X", "start_index": 0, "end_index": 3}
                ],
                "logprobs": [{"token": "one", "logprob": -0.5, "bytes": [], "top_logprobs": []}],
            },
            {"type": "refusal", "refusal": "no more"},
        ],
    },
    {
        "type": "message",
        "id": "m2",
        "role": "assistant",
        "status": "incomplete",
        "content": [{"type": "output_text", "text": "", "annotations": [], "logprobs": []}],
    },
    {
        "type": "function_call",
        "id": "fc",
        "call_id": "c3",
        "name": "f",
        "arguments": "",
        "status": "completed",
        "namespace": "n",
    },
]


@cache
def recorded(name: str, n: int) -> bytes:
    return load_tape(shared_tape(name)).interactions[n].body


def run(decoder: Any, *data: bytes) -> list[MessageEvent]:
    events = [event for piece in data for event in decoder.feed(piece)]
    return events + decoder.close()


def encoded(events: list[MessageEvent], *, stream: bool) -> tuple[bytes, tuple[str, ...]]:
    encoder = Encoder(stream)
    return b"".join(encoder.send(event) for event in events), encoder.losses


def final(events: list[MessageEvent]) -> ModelResponse:
    assert isinstance(events[-1], MessageEnd)
    return events[-1].response


def everything(*, id: str = "resp_1") -> list[MessageEvent]:
    body = {
        "id": id,
        "model": "m",
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
        "output": ITEMS,
        "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3, "cost": 0.5},
        "something": {"new": [1]},
    }
    return run(Decoder("openai"), json.dumps(body).encode())


def answer(*parts: Part, **fields: Any) -> list[MessageEvent]:
    """The events of an answer that came in another format."""
    out = Assembler("anthropic", "anthropic")
    out.start("msg_1", "claude")
    for part in parts:
        match part:
            case TextPart(text=text) | RefusalPart(text=text) | ReasoningPart(text=text):
                kind: Any = {TextPart: "text", RefusalPart: "refusal"}.get(type(part), "reasoning")
                prose = out.open_prose(kind)
                prose.data.update(part.opaque.data if part.opaque else {})
                prose.citations.extend(part.citations if isinstance(part, TextPart) else ())
                out.more(prose, text[:2])
                out.more(prose, text[2:])
                out.end_prose(prose)
            case ToolCallPart():
                call = out.open_call(provider_executed=part.provider_executed)
                out.call(call, part.id, part.name, part.arguments)
                out.end_call(call)
            case _:
                out.whole(part)
    out.finish(fields.pop("finish", "stop"), "raw_reason")
    for name, value in fields.items():
        setattr(out, name, value)
    out.end()
    return out.take()


@pytest.mark.parametrize(("name", "n", "protocol"), OWN, ids=[f"{name}-{n}" for name, n, _ in OWN])
def test_a_recorded_answer_comes_out_as_it_came_in(name: str, n: int, protocol: str) -> None:
    events = run(Decoder("openai"), recorded(name, n))
    stream, losses = encoded(events, stream=True)
    assert losses == ()
    assert run(Decoder("openai"), stream) == events
    whole, losses = encoded(events, stream=False)
    assert losses == ()
    assert run(Decoder("openai"), whole)[-1] == events[-1]


@pytest.mark.parametrize("name", ["run_responses_turn1", "run_responses_turn2", "smollm2_responses_stream"])
def test_an_answer_of_llama_cpp_comes_out_as_it_came_in(name: str) -> None:
    lines = shared_tape(f"local/{name}.jsonl").read_text().splitlines()
    events = run(Decoder("x"), *(json.loads(line)["text"].encode() for line in lines[1:]))
    assert run(Decoder("x"), encoded(events, stream=True)[0]) == events
    assert run(Decoder("x"), encoded(events, stream=False)[0])[-1] == events[-1]


def test_items_of_every_kind_come_out_as_they_came_in() -> None:
    events = everything()
    stream, losses = encoded(events, stream=True)
    assert losses == ()
    assert run(Decoder("openai"), stream) == events
    whole, _ = encoded(events, stream=False)
    assert run(Decoder("openai"), whole) == events
    assert json.loads(whole)["output"] == ITEMS


def test_it_is_the_same_in_a_stream_as_in_a_body_but_for_the_time() -> None:
    for events in (everything(), answer(ReasoningPart("why"), TextPart("a"), ToolCallPart("c", "f", "{}"))):
        last = encoded(events, stream=True)[0].rstrip().rpartition(b"data: ")[2]
        assert json.loads(last)["response"] == json.loads(encoded(events, stream=False)[0])


@pytest.mark.parametrize(("name", "n", "protocol"), CHAT, ids=[f"{name}-{n}" for name, n, _ in CHAT])
def test_an_answer_in_chat_completions_keeps_its_meaning(name: str, n: int, protocol: str) -> None:
    events = run(openai_chat.Decoder("openrouter"), recorded(name, n))
    given = final(events)
    for stream in (True, False):
        data, _ = encoded(events, stream=stream)
        said = final(run(Decoder("gateway"), data))
        assert (said.text, said.reasoning) == (given.text, given.reasoning)
        assert [(it.id, it.name, it.arguments or "{}") for it in said.tool_calls] == [
            (it.id, it.name, it.arguments or "{}") for it in given.tool_calls
        ]
        assert said.finish_reason == given.finish_reason
        assert (said.id, said.model, said.cost) == (given.id, given.model, given.cost)
        assert said.usage
        assert given.usage
        assert [getattr(said.usage, name) for name in ("input_tokens", "output_tokens", "reasoning_tokens")] == [
            getattr(given.usage, name) for name in ("input_tokens", "output_tokens", "reasoning_tokens")
        ]


def test_what_only_another_format_has_is_told_as_lost() -> None:
    events = answer(
        ReasoningPart("why\n", Opaque("anthropic", {"signature": "s"})),
        ToolCallPart("srv", "web_search", '{"query":"q"}', provider_executed=True),
        ToolResultPart("srv", "web_search", "found"),
        TextPart("said", (Citation("http://x", "X"), Citation(title="A document"))),
        TextPart("more"),
        MediaPart("image/png", b"png"),
        MediaPart("audio/wav", b"wav"),
        ToolCallPart("c", "f", ""),
        metadata={"stop_sequence": "x"},
        sources=[Source("http://elsewhere")],
        finish="tool_calls",
    )
    for stream in (True, False):
        data, losses = encoded(events, stream=stream)
        assert len(losses) == 6
        for telling in ("only it understands", "'web_search'", "media of", "citations", "stop_sequence", "sources"):
            assert any(telling in loss for loss in losses), (telling, losses)
        said = final(run(Decoder("gateway"), data))
        assert (said.text, said.reasoning) == ("saidmore", "why\n")
        assert [type(part).__name__ for part in said.message.parts] == [
            "ReasoningPart",
            "TextPart",
            "TextPart",
            "ToolCallPart",
            "MediaPart",
            "ToolCallPart",
        ]
        assert said.tool_calls[-1].arguments == "{}"
        assert [media.data for media in said.message.parts if isinstance(media, MediaPart)] == [b"png"]
        texts = [part for part in said.message.parts if isinstance(part, TextPart)]
        assert [citation.url for citation in texts[0].citations] == ["http://x"]
        assert texts[0].opaque == texts[1].opaque  # one message


@pytest.mark.parametrize(
    ("finish", "status", "reason"),
    [
        ("stop", "completed", None),
        ("length", "incomplete", "max_output_tokens"),
        ("content_filter", "incomplete", "content_filter"),
        ("error", "incomplete", "error"),
        ("other", "incomplete", "raw_reason"),
    ],
)
def test_why_another_format_ended_is_said_in_this_one(finish: str, status: str, reason: str | None) -> None:
    usage = Usage(10, 5, None, 4, None, 2)
    data, losses = encoded(answer(TextPart("x"), finish=finish, usage=usage), stream=False)
    body = json.loads(data)
    assert (body["status"], (body["incomplete_details"] or {}).get("reason")) == (status, reason)
    said = final(run(Decoder(), data))
    assert said.finish_reason == finish
    assert said.usage
    assert (said.usage.input_tokens, said.usage.total_tokens, said.usage.cache_read_tokens) == (10, None, 4)
    assert losses == ()


def test_ids_that_nobody_gave_are_made_up_and_the_same_in_each_run() -> None:
    one, two = (encoded(answer(TextPart("x"), ToolCallPart("c", "f", "{}")), stream=True)[0] for _ in range(2))
    assert one == two
    body = json.loads(encoded(answer(TextPart("x"), ToolCallPart("c", "f", "{}")), stream=False)[0])
    ids = [item["id"] for item in body["output"]]
    assert len(set(ids)) == 2
    assert [id.partition("_")[0] for id in ids] == ["msg", "fc"]


def test_a_stream_that_breaks_off_says_why() -> None:
    encoder = Encoder(True)
    data = encoder.send(MessageStart("resp_1", "m"))
    data += encoder.fail(ProviderError("too many", kind="rate_limit", status=429, code="rate_limit_exceeded"))
    with pytest.raises(ProviderError, match="too many") as caught:
        run(Decoder(), data)
        run(Decoder(), data[len(Encoder(True).send(MessageStart("resp_1", "m"))) :])
    assert caught.value.code == "rate_limit_exceeded"
    with pytest.raises(ProviderError, match="cut"):
        run(Decoder(), Encoder(True).fail(TruncatedStream("cut")))
    assert Encoder(False).fail(TruncatedStream("cut")) == b""


@pytest.mark.parametrize(
    ("error", "status", "type"),
    [
        (ProviderError("x", status=429, code="slow"), 429, "rate_limit_error"),
        (ProviderError("x", kind="authentication"), 401, "authentication_error"),
        (ProviderError("x", status=200), 502, "server_error"),
        (ProviderError("x", kind="overloaded"), 503, "server_error"),
        (EncodeError("x"), 400, "invalid_request_error"),
        (DecodeError("x"), 400, "invalid_request_error"),
        (TruncatedStream("x"), 502, "server_error"),
        (TransportError("x"), 502, "server_error"),
        (ConfigError("x"), 400, "invalid_request_error"),
    ],
)
def test_a_refusal_has_a_status_and_the_usual_shape(error: Any, status: int, type: str) -> None:
    got, body = encode_error(error)
    assert (got, json.loads(body)["error"]["type"], json.loads(body)["error"]["message"]) == (status, type, "x")


# The vendor's package


def sdk(data: bytes, stream: bool) -> openai.OpenAI:
    kind = "text/event-stream" if stream else "application/json"
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=data, headers={"content-type": kind}))
    return openai.OpenAI(api_key="not-a-key", base_url="http://x/v1", http_client=httpx.Client(transport=transport))


EVENTS = {
    "own": everything,
    "other": lambda: answer(
        ReasoningPart("one\ntwo"), TextPart("said"), TextPart("more"), ToolCallPart("c", "f", '{"a":1}')
    ),
    "refusal": lambda: answer(RefusalPart("I will not")),
}


@pytest.mark.parametrize("which", EVENTS)
def test_openai_s_package_reads_what_is_written(which: str) -> None:
    events = EVENTS[which]()
    given = final(events)
    with sdk(encoded(events, stream=False)[0], stream=False) as client:
        whole = client.responses.create(model="m", input="x")
    with sdk(encoded(events, stream=True)[0], stream=True) as client:
        seen = list(client.responses.create(model="m", input="x", stream=True))
    assert whole.output_text == given.text
    last: Any = seen[-1]
    assert last.response.to_dict(warnings=False) == whole.to_dict(warnings=False)
    assert [event.sequence_number for event in seen] == list(range(len(seen)))
    assert whole.status == ("completed" if which != "own" else "incomplete")
    calls = [item for item in whole.output if item.type == "function_call"]
    functions = [it for it in given.tool_calls if it.name == "f"]
    assert [(call.call_id, call.name) for call in calls] == [(it.id, it.name) for it in functions]


@pytest.mark.parametrize("which", ["other", "refusal"])
def test_openai_s_helper_gathers_what_is_streamed(which: str) -> None:
    events = EVENTS[which]()
    with (
        sdk(encoded(events, stream=True)[0], stream=True) as client,
        client.responses.stream(model="m", input="x") as stream,
    ):
        deltas = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        response = stream.get_final_response()
    assert deltas == response.output_text == final(events).text
    assert response.output[0].type == ("reasoning" if which == "other" else "message")


@pytest.mark.parametrize(("name", "n", "protocol"), OWN[::4], ids=[f"{name}-{n}" for name, n, _ in OWN[::4]])
def test_openai_s_helper_reads_recorded_answers_that_went_through(name: str, n: int, protocol: str) -> None:
    events = run(Decoder("openai"), recorded(name, n))
    with (
        sdk(encoded(events, stream=True)[0], stream=True) as client,
        client.responses.stream(model="m", input="x") as stream,
    ):
        response = stream.get_final_response()
    assert response.output_text == final(events).text
    assert response.usage
    assert response.usage.to_dict() == (final(events).usage or Usage()).raw


def test_openai_s_package_understands_refusals() -> None:
    status, body = encode_error(ProviderError("no such model", status=404, code="model_not_found"))
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=body))
    client = openai.OpenAI(
        api_key="not-a-key", base_url="http://x/v1", http_client=httpx.Client(transport=transport), max_retries=0
    )
    with client, pytest.raises(openai.NotFoundError) as caught:
        client.responses.create(model="m", input="x")
    assert caught.value.code == "model_not_found"
