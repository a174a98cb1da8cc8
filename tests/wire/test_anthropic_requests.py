"""Requests in the Messages format: as the recorded client sends them, and whatever else can be asked."""

from __future__ import annotations

import base64
import json
from typing import Any

import anthropic
import httpx2
import pytest

from conftest import shared_tape
from playhead import DecodeError, EncodeError
from playhead.events import MessageEnd
from playhead.messages import (
    Citation,
    MediaPart,
    Message,
    ModelRequest,
    Opaque,
    Part,
    ProviderTool,
    ReasoningPart,
    RefusalPart,
    Settings,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
    system,
    user,
)
from playhead.tape.files import load_tape
from playhead.wire import Dialect, Encoded
from playhead.wire.anthropic import Decoder, decode_request, encode_request

MODEL = "claude-sonnet-4-20250514"
ADAPTIVE = "claude-opus-4-6"
US = "anthropic"


def tool(name: str, description: str, **parameters: tuple[str, str]) -> ToolSpec:
    properties = {name: {"type": kind, "description": said} for name, (kind, said) in parameters.items()}
    return ToolSpec(name, description, {"type": "object", "properties": properties, "required": list(parameters)})


NUMBERS = {"a": ("integer", "first number"), "b": ("integer", "second number")}
WEATHER = (tool("weather", "Get weather information for a location", location=("string", "the city")),)
SUMS = (tool("add", "Add two numbers", **NUMBERS), tool("multiply", "Multiply two numbers", **NUMBERS))
ALWAYS = "You are a helpful assistant. CRITICAL: Always use both add and multiply at the same time ALWAYS."
BOTH = "You are a helpful assistant. Always use both add and multiply at the same time."
HELPFUL = "You are a helpful assistant"
RESULTS = {"weather": "40 C", "add": "5", "multiply": "6"}

LIMIT: Settings = {"max_tokens": 4000}
CACHED: Settings = {"max_tokens": 4000, "cache": True}
THINKING: Settings = {"max_tokens": 4096, "reasoning": 4000}
FLORENCE = "What's the weather in Florence,Italy?"
NUMBERS_2_3 = "Add and multiply the number 2 and 3"

SCENARIOS: list[tuple[str, str, str, tuple[ToolSpec, ...], Settings]] = [
    ("Common/{}/simple_streaming", HELPFUL, "Say hi in Portuguese", (), LIMIT),
    ("Common/{}/tool_streaming", HELPFUL, FLORENCE, WEATHER, LIMIT),
    ("Common/{}/multi_tool", ALWAYS, NUMBERS_2_3, SUMS, LIMIT),
    ("CommonWithCacheControl/{}/simple", HELPFUL, "Say hi in Portuguese", (), CACHED),
    ("CommonWithCacheControl/{}/tool", HELPFUL, FLORENCE, WEATHER, CACHED),
    ("CommonWithCacheControl/{}/multi_tool_streaming", BOTH, NUMBERS_2_3, SUMS, CACHED),
    ("Thinking/{}/thinking", HELPFUL, "What's the weather in Florence, Italy?", WEATHER, THINKING),
    (
        "ThinkingWithCacheControl/{}/thinking-streaming",
        HELPFUL,
        "What's the weather in Florence, Italy?",
        WEATHER,
        {**THINKING, "cache": True},
    ),
]


def encode(request: ModelRequest, dialect: Dialect | None = None) -> tuple[dict[str, Any], Encoded]:
    encoded = encode_request(request, dialect or Dialect(), US)
    return json.loads(encoded.body), encoded


def ask(*parts: Part, model: str = MODEL, settings: Settings | None = None, **more: Any) -> ModelRequest:
    return ModelRequest(model, (Message("user", parts or (TextPart("hi"),)),), settings=settings or {}, **more)


def say(*messages: Message, **settings: Any) -> tuple[dict[str, Any], Encoded]:
    return encode(ModelRequest(MODEL, messages, settings=settings))  # type: ignore[arg-type]


def calls(*ids: str, **more: Any) -> Message:
    return Message("assistant", tuple(ToolCallPart(id, "add", '{"a": 1}', **more) for id in ids))


@pytest.mark.parametrize(("name", "prompt", "asked", "tools", "settings"), SCENARIOS, ids=[s[0] for s in SCENARIOS])
def test_a_scenario_is_asked_as_the_recorded_client_asked_it(
    name: str, prompt: str, asked: str, tools: tuple[ToolSpec, ...], settings: Settings
) -> None:
    tape = load_tape(shared_tape(f"recorded/TestAnthropic{name.format('claude-sonnet-4')}.yaml"))
    messages: tuple[Message, ...] = (system(prompt), user(asked))
    for call in tape.interactions:
        body, encoded = encode(ModelRequest(MODEL, messages, tools, settings, "streaming" in name))
        assert body == json.loads(call.request.body)
        assert (encoded.losses, encoded.unsupported, encoded.headers) == ((), (), ())
        decoder = Decoder(US)
        end = (decoder.feed(call.body) + decoder.close())[-1]
        assert isinstance(end, MessageEnd)
        answer = end.response.message
        results = [ToolResultPart(asked.id, asked.name, RESULTS[asked.name]) for asked in answer.tool_calls]
        messages = (*messages, answer, Message("tool", tuple(results)))


def opaque(**data: Any) -> Opaque:
    return Opaque("anthropic", data, US)


SEARCH = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [], "caller": {"type": "direct"}}
CITED = {"type": "char_location", "cited_text": "x", "document_index": 0, "start_char_index": 0, "end_char_index": 1}
CODED = {"type": "code_execution_20250825", "tool_id": "srvtoolu_9"}

ANSWER = Message(
    "assistant",
    (
        ReasoningPart("hm", opaque(signature="s")),
        ReasoningPart("", opaque(redacted="r")),
        ToolCallPart("srvtoolu_1", "web_search", '{"query":"x"}', True, opaque(type="server_tool_use")),
        ToolResultPart("srvtoolu_1", "web_search", "", opaque=opaque(block=SEARCH)),
        TextPart("so", (Citation(text="x", opaque=Opaque("anthropic", CITED, US)),)),
        ToolCallPart("toolu_1", "add", '{"a":1}', opaque=opaque(caller=CODED)),
        ToolCallPart("toolu_2", "add", "{}", opaque=opaque(cache_control={"type": "ephemeral", "ttl": "1h"})),
        ToolResultPart("", "compaction", "short", opaque=opaque(block={"type": "compaction", "content": "short"})),
    ),
)
DONE = Message(
    "tool",
    (
        ToolResultPart("toolu_1", "add", "1", media=(MediaPart("image/png", b"\x89"),)),
        ToolResultPart(
            "toolu_2", "add", "", media=(MediaPart("application/pdf", b"%PDF", filename="a"),), cache="5m"
        ),
    ),
)


def answer(**more: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "place", "schema": {"type": "object"}, **more}}


SCHEMA = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}

REQUESTS: dict[str, ModelRequest] = {
    "plain": ask(stream=True, settings={"max_tokens": 5}),
    "settings": ask(
        settings={
            "max_tokens": 9,
            "temperature": 0.5,
            "top_p": 0.9,
            "top_k": 3,
            "stop": ["a", "b"],
            "service_tier": "auto",
            "user": "u",
            "response_format": SCHEMA,
            "extra_body": {"container": "c", "context_management": {"edits": []}},
        }
    ),
    "tools": ask(
        tools=(*WEATHER, ToolSpec("t", "", {"type": "object"}, True, "1h"), ToolSpec("u", "x", {"type": "object"})),
        provider_tools=(
            ProviderTool("web_search", {"max_uses": 2}),
            ProviderTool("web_search", raw={"type": "web_search_20260209", "name": "web_search"}),
        ),
        settings={"max_tokens": 9, "tool_choice": "weather", "parallel_tool_calls": False},
    ),
    "raw tools": ask(
        tools=(ToolSpec("computer", "", {"type": "object"}, raw={"type": "computer_20251124", "name": "computer"}),),
        settings={"max_tokens": 9, "tool_choice": "required"},
    ),
    "budget": ask(settings={"max_tokens": 9000, "reasoning": 2000}),
    "hidden budget": ask(settings={"max_tokens": 9000, "reasoning": {"budget_tokens": 2000, "summary": False}}),
    "effort": ask(model=ADAPTIVE, settings={"max_tokens": 9, "reasoning": "low", "response_format": SCHEMA}),
    "adaptive": ask(model=ADAPTIVE, settings={"max_tokens": 9, "reasoning": True}),
    "no thinking": ask(settings={"max_tokens": 9, "reasoning": False}),
    "media": ask(
        TextPart("look", cache="1h"),
        MediaPart("image/png", b"\x89PNG", cache="5m"),
        MediaPart("image/*", url="https://x/y.png"),
        MediaPart("image/*", file_id="file_1"),
        MediaPart("application/pdf", b"%PDF", filename="a.pdf", opaque=opaque(citations={"enabled": True})),
        MediaPart("application/pdf", url="https://x/y.pdf"),
        MediaPart("application/pdf", file_id="file_2"),
        MediaPart("text/plain", "ü".encode(), filename="t"),
        settings={"max_tokens": 9},
    ),
    "conversation": ModelRequest(
        MODEL,
        (Message("system", (TextPart("a", cache="5m"), TextPart("b"))), user("q"), ANSWER, DONE, user("and?")),
        settings={"max_tokens": 9},
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_what_is_asked_is_what_a_server_reads(name: str) -> None:
    request = REQUESTS[name]
    encoded = encode_request(request, Dialect(), US)
    assert (encoded.losses, encoded.unsupported) == ((), ())
    assert decode_request(encoded.body, "/v1/messages", US) == request


def test_the_answers_blocks_go_back_to_their_issuer_as_they_came() -> None:
    body, _ = say(user("q"), ANSWER, DONE, user("and?"))
    assert body["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "r"},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        SEARCH,
        {"type": "text", "text": "so", "citations": [CITED]},
        {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 1}, "caller": CODED},
        {"type": "tool_use", "id": "toolu_2", "name": "add", "input": {}}
        | {"cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "compaction", "content": "short"},
    ]
    results = body["messages"][2]["content"]
    assert [block["type"] for block in results] == ["tool_result", "tool_result", "text"]
    assert [piece["type"] for piece in results[0]["content"]] == ["text", "image"]
    assert len(body["messages"]) == 3


def test_what_others_issued_stays_home_and_the_words_go() -> None:
    theirs = Opaque("anthropic", {"signature": "s"}, "bedrock")
    foreign = Opaque("gemini", {"thoughtSignature": "x"}, "gemini")
    answer = Message(
        "assistant",
        (
            ReasoningPart("hm", theirs),
            ReasoningPart("hm"),
            TextPart("so", (Citation(url="https://x", opaque=foreign),), opaque=foreign),
            RefusalPart("no"),
            ToolCallPart("ws_1", "web_search", "{}", True, foreign),
            ToolResultPart("ws_1", "web_search", "found"),
            MediaPart("image/png", b"made"),
            ToolCallPart("functions.add:0", "add", "{}", opaque=foreign),
        ),
    )
    body, encoded = say(user("q"), answer, Message("tool", (ToolResultPart("functions.add:0", "add", "1"),)))
    text, refusal, call = body["messages"][1]["content"]
    assert (text, refusal) == ({"type": "text", "text": "so"}, {"type": "text", "text": "no"})
    assert call["id"] == body["messages"][2]["content"][0]["tool_use_id"]
    assert call["id"].isalnum()
    assert encoded.losses == (
        "reasoning of bedrock stayed home",
        "reasoning without a signature was left out: the API refuses it",
        "what gemini noted on a text stayed home",
        "citations of gemini stayed home",
        "a refusal was sent as text",
        "what gemini did by its own tool 'web_search' stayed home",
        "what somebody else did by its own tool 'web_search' stayed home",
        "image/png of an assistant was left out: Anthropic takes media from users only",
        "what gemini noted on a tool call stayed home",
    )


def test_an_empty_signature_goes_only_to_the_server_that_sent_it() -> None:
    def thought(origin: str | None) -> Message:
        return Message(
            "assistant", (ReasoningPart("hm", Opaque("anthropic", {"signature": ""}, origin)), TextPart("a"))
        )

    body, _ = say(user("q"), thought(US))
    assert body["messages"][1]["content"][0] == {"type": "thinking", "thinking": "hm", "signature": ""}
    body, encoded = say(user("q"), thought(None))
    assert len(body["messages"][1]["content"]) == len(encoded.losses) == 1


def test_a_call_that_its_model_itself_makes_goes_back_without_saying_so() -> None:
    body, encoded = say(user("q"), calls("toolu_1", opaque=opaque(caller={"type": "direct"})))
    assert "caller" not in body["messages"][1]["content"][0]
    assert encoded.losses == ()


def test_arguments_go_byte_for_byte_and_what_is_no_object_is_told() -> None:
    def sent(arguments: str) -> tuple[bytes, tuple[str, ...]]:
        message = Message("assistant", (ToolCallPart("t", "add", arguments),))
        encoded = encode_request(ModelRequest(MODEL, (user("q"), message)), Dialect(), US)
        return encoded.body, encoded.losses

    assert (
        b'"input":{ "a" : 1.0, "b": 10000000000000000000000000 }'
        in sent('{ "a" : 1.0, "b": 10000000000000000000000000 }')[0]
    )
    assert b'"input":{}' in sent("")[0]
    for broken in ('{"a": 1', "[1]", "1", '{"a": "\ud800"}'):
        body, losses = sent(broken)
        assert b'"input":{' in body
        assert len(losses) == (broken != '{"a": "\ud800"}')


def test_system_messages_go_to_the_top_and_empty_texts_nowhere() -> None:
    body, encoded = say(user("q"), Message("user", (TextPart(""), TextPart(" \n"))), system("be brief"))
    assert body["system"] == [{"type": "text", "text": "be brief"}]
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "q"}]}]
    assert len(encoded.losses) == 2


def test_results_come_first_in_the_turn_that_follows_their_calls() -> None:
    body, _ = say(
        user("q"),
        calls("a", "b"),
        Message("tool", (ToolResultPart("a", "add", "1"),)),
        Message("tool", (ToolResultPart("b", "add", "2"),)),
        user("and?"),
        user("hm?"),
    )
    kinds = [[block["type"] for block in turn["content"]] for turn in body["messages"]]
    assert kinds == [["text"], ["tool_use", "tool_use"], ["tool_result", "tool_result", "text"], ["text"]]


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ((user("q"), Message("tool", (ToolResultPart("x", "add", "1"),))), "has no call 'x' before it"),
        ((system("s"),), "at least one message"),
        ((user([MediaPart("audio/wav", b"x")]),), "cannot carry audio/wav"),
        ((user([MediaPart("image/png")]),), "none of `data`, `url` and `file_id`"),
        ((user([MediaPart("text/plain", url="https://x")]),), "only as bytes or by file"),
        ((Message("user", (ReasoningPart("x"),)),), "cannot hold a ReasoningPart"),
        ((Message("system", (MediaPart("image/png", b"x"),)), user("q")), "only text"),
        ((Message("tool", (TextPart("x"),)), user("q")), "only results"),
    ],
)
def test_what_the_format_cannot_say_is_an_error(messages: tuple[Message, ...], words: str) -> None:
    with pytest.raises(EncodeError, match=words):
        say(*messages)


@pytest.mark.parametrize(
    ("model", "settings", "fields"),
    [
        (MODEL, {}, {"max_tokens": 4096}),
        (MODEL, {"reasoning": 2000}, {"max_tokens": 6096, "thinking": {"type": "enabled", "budget_tokens": 2000}}),
        (MODEL, {"reasoning": 1}, {"max_tokens": 5120, "thinking": {"type": "enabled", "budget_tokens": 1024}}),
        (
            MODEL,
            {"reasoning": "low", "max_tokens": 10_000},
            {"max_tokens": 10_000, "thinking": {"type": "enabled", "budget_tokens": 2000}},
        ),
        (MODEL, {"reasoning": True, "max_tokens": 4000}, {"thinking": {"type": "enabled", "budget_tokens": 2000}}),
        ("claude-3-7-sonnet@20250219", {"reasoning": 0}, {"thinking": {"type": "disabled"}}),
        (ADAPTIVE, {"reasoning": "xhigh"}, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        (ADAPTIVE, {"reasoning": 2000}, {"thinking": {"type": "enabled", "budget_tokens": 2000}}),
        (
            "us.anthropic.claude-opus-4-8-v1:0",
            {"reasoning": {"budget_tokens": 8000, "summary": "auto"}},
            {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "medium"}},
        ),
        ("claude-sonnet-5", {"reasoning": "minimal"}, {"output_config": {"effort": "low"}}),
        ("claude-mythos-preview", {"reasoning": True}, {"thinking": {"type": "adaptive"}}),
    ],
)
def test_how_much_to_think_is_told_as_the_model_understands_it(
    model: str, settings: Settings, fields: dict[str, Any]
) -> None:
    body, encoded = encode(ask(model=model, settings=settings))
    assert {name: body.get(name) for name in fields} == fields
    assert encoded.unsupported == ()


@pytest.mark.parametrize(
    ("model", "settings", "left"),
    [
        (MODEL, {"seed": 1, "logprobs": 0, "presence_penalty": 0.1}, {"seed", "logprobs", "presence_penalty"}),
        (MODEL, {"reasoning": 2000, "temperature": 0, "top_k": 1, "top_p": 0.99}, {"temperature", "top_k"}),
        (MODEL, {"reasoning": 2000, "temperature": 1}, set()),
        ("claude-opus-4-7", {"temperature": 0.3}, {"temperature"}),
        (MODEL, {"response_format": {"type": "json_object"}}, {"response_format"}),
        (MODEL, {"service_tier": "flex"}, {"service_tier"}),
        (MODEL, {"cache": {"key": "k", "ttl": "24h"}}, {"cache.key", "cache.ttl"}),
        (MODEL, {"reasoning": "high", "max_tokens": 1000}, {"reasoning"}),
        (MODEL, {"reasoning": "high", "tool_choice": "required"}, {"reasoning", "tool_choice"}),
        (MODEL, {"reasoning": "high", "tool_choice": {"type": "any"}}, {"reasoning", "tool_choice"}),
        (MODEL, {"tool_choice": "add"}, {"tool_choice"}),
        (MODEL, {"stop": ["\n", "END"]}, {"stop"}),
        (MODEL, {"response_format": answer(strict=True)}, set()),
        (MODEL, {"response_format": answer(strict=False)}, {"response_format.strict"}),
        (MODEL, {"response_format": answer(description="d")}, {"response_format.description"}),
        ("claude-fable-5", {"reasoning": False}, {"reasoning"}),
    ],
)
def test_settings_without_a_word_are_told(model: str, settings: Settings, left: set[str]) -> None:
    body, encoded = encode(ask(model=model, settings=settings))
    assert {sentence.split("`")[1] for sentence in encoded.unsupported} == left
    assert not left & body.keys()


def test_an_option_and_the_answers_format_share_their_field() -> None:
    settings: Settings = {"response_format": answer(), "options": {"output_config": {"effort": "low"}}}
    body, _ = encode(ask(settings=settings), Dialect(option_fields=("output_config",)))
    assert body["output_config"].keys() == {"format", "effort"}


def test_one_call_at_a_time_is_said_beside_a_choice_of_the_providers_own() -> None:
    settings: Settings = {"tool_choice": {"type": "any"}, "parallel_tool_calls": False}
    body, _ = encode(ask(tools=(tool("add", ""),), settings=settings))
    assert body["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}


@pytest.mark.parametrize(
    "form", [{"type": "json_schema", "schema": {"a": 1}, "name": "x"}, {"type": "grammar", "grammar": "g"}, {}]
)
def test_a_format_of_answers_that_is_not_known_goes_on_as_it_came(form: dict[str, Any]) -> None:
    asked = {"model": MODEL, "messages": [{"role": "user", "content": "q"}], "output_config": {"format": form}}
    body, encoded = encode(decode_request(json.dumps(asked).encode(), "/v1/messages", US))
    assert (body["output_config"], encoded.unsupported) == ({"format": form}, ())


@pytest.mark.parametrize("kind", ["signed", "other", "later", "adaptive"])
def test_nobody_begins_to_think_in_the_middle_of_a_turn(kind: str) -> None:
    signed = ReasoningPart("hm", opaque(signature="s"))
    called = calls("t1")
    first = Message("assistant", (signed, *called.parts)) if kind == "signed" else called
    results = [Message("tool", (ToolResultPart(id, "add", "2"),)) for id in ("t1", "t2")]
    messages = [user("q"), first, results[0], calls("t2"), results[1]]
    if kind == "later":
        messages += [Message("assistant", (TextPart("done"),)), user("and?")]
    model = "claude-opus-4-6" if kind == "adaptive" else MODEL
    body, encoded = encode(ModelRequest(model, tuple(messages), settings={"reasoning": "low"}))
    assert ("thinking" in body) is (kind != "other")
    assert len(encoded.unsupported) == (kind == "other")


@pytest.mark.parametrize(
    ("part", "sent", "told"),
    [
        (ToolResultPart("t", "add", "boom", is_error=True), True, 0),
        (ToolResultPart("t", "add", "boom", is_error=True, media=(MediaPart("image/png", b"x"),)), None, 1),
        (ToolResultPart("t", "add", "Error: boom", is_error=True, media=(MediaPart("image/png", b"x"),)), None, 0),
        (ToolResultPart("t", "add", " "), None, 1),
        (ToolResultPart("t", "add", "", media=(MediaPart("image/png", b"x", filename="a.png"),)), None, 1),
    ],
)
def test_a_result_with_media_is_not_called_an_error_which_the_api_refuses(
    part: ToolResultPart, sent: bool | None, told: int
) -> None:
    body, encoded = say(user("q"), calls("t"), Message("tool", (part,)))
    result = body["messages"][2]["content"][0]
    assert (result.get("is_error"), len(result["content"])) == (sent, bool(part.text.strip()) + len(part.media))
    assert len(encoded.losses) == told


def test_images_are_of_the_kinds_that_the_api_takes() -> None:
    body, _ = encode(ask(MediaPart("image/jpg", b"x")))
    assert body["messages"][0]["content"][0]["source"]["media_type"] == "image/jpeg"
    with pytest.raises(EncodeError, match="its images are image/jpeg"):
        encode(ask(MediaPart("image/svg+xml", b"<svg/>")))


def test_what_the_provider_runs_keeps_its_id_as_its_result_does() -> None:
    call = ToolCallPart("srv:1", "web_search", "{}", True, opaque(type="server_tool_use"))
    found = ToolResultPart("srv:1", "web_search", opaque=opaque(block=SEARCH | {"tool_use_id": "srv:1"}))
    body, _ = say(user("q"), Message("assistant", (call, found)))
    asked, result = body["messages"][1]["content"]
    assert asked["id"] == result["tool_use_id"] == "srv:1"


def test_a_refusal_is_text_and_what_its_issuer_noted_on_it_stays_home() -> None:
    refused = RefusalPart("no", Opaque("openai_responses", {"id": "msg"}, "openai"))
    body, encoded = say(user("q"), Message("assistant", (refused,)), user("why?"))
    assert body["messages"][1]["content"] == [{"type": "text", "text": "no"}]
    assert encoded.losses == ("a refusal was sent as text", "what openai noted on a text stayed home")


def test_a_budget_must_fit_into_the_limit() -> None:
    with pytest.raises(EncodeError, match="must be greater than the budget"):
        encode(ask(settings={"reasoning": 4000, "max_tokens": 4000}))


def marks(body: dict[str, Any]) -> list[str]:
    blocks = [*body.get("tools", ()), *body.get("system", ())]
    blocks += [block for turn in body["messages"] for block in turn["content"]]
    return [block.get("text") or block.get("name") for block in blocks if "cache_control" in block]


def test_breakpoints_of_parts_stand_instead_of_the_settings() -> None:
    turns = [user([TextPart(f"q{n}", cache="5m" if n in (0, 4) else None)]) for n in range(5)]
    assert marks(say(system("s"), *turns, cache=True)[0]) == ["q0", "q4"]


def test_of_too_many_breakpoints_the_last_are_kept_and_the_rest_is_told() -> None:
    body, encoded = say(*(user([TextPart(f"q{n}", cache="1h")]) for n in range(6)))
    assert marks(body) == ["q2", "q3", "q4", "q5"]
    assert "of 6 breakpoints only the last 4" in encoded.unsupported[0]


def test_thinking_is_never_a_breakpoint_and_an_hour_is_said() -> None:
    thought = Message("assistant", (TextPart("a"), ReasoningPart("hm", opaque(signature="s"))))
    body, _ = say(user("q"), thought, cache={"ttl": "1h"})
    assert body["messages"][1]["content"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}


def test_the_betas_that_tools_and_files_need_are_named_beside_the_users() -> None:
    request = ask(
        MediaPart("image/png", file_id="f"),
        provider_tools=(ProviderTool("web_fetch"), ProviderTool("code_execution")),
        settings={"options": {"betas": ["x-1", "files-api-2025-04-14"]}},
    )
    dialect = Dialect(option_headers={"betas": "anthropic-beta"})
    (header,) = encode(request, dialect)[1].headers
    assert header == (
        "anthropic-beta",
        "x-1,files-api-2025-04-14,web-fetch-2025-09-10,code-execution-2025-08-25",
    )
    mine: Settings = {"extra_headers": {"Anthropic-Beta": "mine"}}
    request = ask(provider_tools=(ProviderTool("web_fetch"),), settings=mine)
    assert encode(request)[1].headers == (("Anthropic-Beta", "mine"),)
    with pytest.raises(EncodeError, match="no tool 'file_search'"):
        encode(ask(provider_tools=(ProviderTool("file_search"),)))


def test_a_dialect_takes_fields_away_and_adds_its_own() -> None:
    dialect = Dialect(
        without=("model", "stream"), body={"anthropic_version": "bedrock-2023-05-31"}, unsupported=("top_k", "cache")
    )
    settings: Settings = {"top_k": 3, "cache": True, "extra_body": {"top_k": 4}}
    body, encoded = encode(ask(TextPart("hi", cache="5m"), settings=settings, stream=True), dialect)
    assert body == {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "top_k": 4,
    }
    assert len(encoded.unsupported) == 3


def test_vertex_and_bedrock_name_the_model_in_the_path() -> None:
    body = b'{"max_tokens": 1, "messages": [{"role": "user", "content": "hi"}], "anthropic_version": "v"}'
    for path, model, stream in [
        ("/v1/projects/p/locations/l/publishers/anthropic/models/claude-3@2025:rawPredict", "claude-3@2025", False),
        ("/v1/publishers/anthropic/models/claude-3:streamRawPredict", "claude-3", True),
        ("/model/us.anthropic.claude-v1%3A0/invoke", "us.anthropic.claude-v1:0", False),
        ("/model/us.anthropic.claude-v1%3A0/invoke-with-response-stream", "us.anthropic.claude-v1:0", True),
    ]:
        request = decode_request(body, path)
        assert (request.model, request.stream, request.settings) == (model, stream, {"max_tokens": 1})


def test_what_has_no_neutral_form_in_a_request_is_kept_and_goes_back() -> None:
    found = {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "w"}]}
    blocks = [
        {"type": "text", "text": "q", "cache_control": {"type": "ephemeral", "scope": "x"}},
        {"type": "document", "source": {"type": "content", "content": "words"}, "context": "c"},
        found | {"cache_control": {"type": "ephemeral"}},
        {"type": "container_upload", "file_id": "file_1"},
        {"type": "something_new", "of": [1]},
    ]
    result = [
        {"type": "text", "text": "1"},
        found,
        {"type": "text", "text": "2", "cache_control": {"type": "ephemeral"}},
    ]
    answer = [
        {"type": "text", "text": "a", "extra": 1},
        {"type": "tool_use", "id": "t", "name": "computer", "input": {}, "toolset_name": "computer"},
        {"type": "something_new", "of": [1]},
        {"type": "mcp_tool_use", "id": "m", "name": "x", "input": {}, "server_name": "s"},
        {
            "type": "mcp_tool_result",
            "tool_use_id": "m",
            "is_error": False,
            "content": [{"type": "text", "text": "ok"}],
        },
    ]
    said = {
        "model": MODEL,
        "max_tokens": 1,
        "cache_control": {"type": "ephemeral"},
        "messages": [
            {"role": "user", "content": blocks},
            {"role": "assistant", "content": answer},
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t", "content": result, "toolset_name": "computer"}
                ],
            },
        ],
        "tools": [{"name": "t", "input_schema": {"type": "object"}, "input_examples": [{}]}, {"type": "mcp_toolset"}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "thinking": {"type": "between_tools"},
        "output_config": {"effort": "low", "task_budget": {}},
        "metadata": {"user_id": "u", "more": 1},
    }
    request = decode_request(json.dumps(said).encode(), "", US)
    assert encode(request)[0] == said
    assert request.messages[0].text.startswith("q")
    assert "words" in request.messages[0].text
    texts = [part.text for message in request.messages for part in message.parts if isinstance(part, ToolResultPart)]
    assert texts == ['{"of":[1]}', "ok", "1\nt\ns\nw\n2"]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("model", None, "`model` is missing"),
        ("model", 1, "`model` should be a string, but is 1"),
        ("messages", None, "`messages` is missing"),
        ("messages", {}, "`messages` should be a list, but is an object"),
        ("messages", [1], r"`messages\[0\]` should be an object"),
        ("messages", [{"role": "tool", "content": ""}], r"`messages\[0\].role` should be"),
        ("messages", [{"role": "user"}], r"`messages\[0\].content` should be a string or a list"),
        ("messages", [{"role": "user", "content": [{}]}], r"`messages\[0\].content\[0\]` should be a block"),
        ("max_tokens", True, "`max_tokens` should be a whole number, but is True"),
        ("temperature", "hot", "`temperature` should be a number, but is 'hot'"),
        ("stream", 1, "`stream` should be true or false"),
        ("tools", [{}], r"`tools\[0\].name` is missing"),
        ("tools", [{"name": "x", "input_schema": []}], r"`tools\[0\].input_schema` should be an object"),
        ("system", 1, "`system` should be a string or a list"),
        (
            "messages",
            [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "data": "!"}}]}],
            r"`messages\[0\].content\[0\].source.data` should hold base64",
        ),
    ],
)
def test_a_wrong_request_is_told_by_the_field_that_is_wrong(field: str, value: Any, words: str) -> None:
    body = {"model": "m", "max_tokens": 1, "messages": [], field: value}
    with pytest.raises(DecodeError, match=words):
        decode_request(json.dumps(body).encode())


@pytest.mark.parametrize("body", [b"", b"[]", b'{"model', b"\xff", b'{"model": "m", "messages": ' + b"[" * 100_000])
def test_what_is_no_request_is_our_error(body: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_request(body)
    assert type(caught.value) is DecodeError


def test_what_the_vendors_package_writes_is_read() -> None:
    seen: list[bytes] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.content)
        return httpx2.Response(
            400, json={"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}
        )

    image = base64.b64encode(b"\x89PNG").decode()
    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http_client:
        client = anthropic.Anthropic(api_key="not-a-key", max_retries=0, http_client=http_client)
        with pytest.raises(anthropic.BadRequestError, match="no"):
            client.messages.create(
                model=ADAPTIVE,
                max_tokens=100,
                system="be brief",
                messages=[
                    {"role": "user", "content": "hi"},
                    {
                        "role": "user",
                        "content": [
                            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": image}}
                        ],
                    },
                    {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "add", "input": {}}]},
                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "1"}]},
                ],
                tools=[{"name": "add", "input_schema": {"type": "object"}}],
                thinking={"type": "adaptive"},
                output_config={"effort": "medium"},
                tool_choice={"type": "auto"},
                stop_sequences=["x"],
            )
    request = decode_request(seen[0], "/v1/messages")
    assert request == ModelRequest(
        ADAPTIVE,
        (
            system("be brief"),
            user("hi"),
            user([MediaPart("image/png", b"\x89PNG")]),
            Message("assistant", (ToolCallPart("t", "add", "{}"),)),
            Message("tool", (ToolResultPart("t", "add", "1"),)),
        ),
        (ToolSpec("add", "", {"type": "object"}),),
        {"max_tokens": 100, "stop": ["x"], "reasoning": "medium"},
    )
