"""Requests of chat completions: what is written by each dialect, and what is read of those that others write."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import expected, shared_tape
from playhead import DecodeError, EncodeError
from playhead.events import MessageEnd
from playhead.messages import (
    Citation,
    MediaPart,
    Message,
    ModelRequest,
    Opaque,
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
from playhead.providers import find_provider
from playhead.tape.files import load_tape
from playhead.wire import Dialect, Encoded
from playhead.wire.openai_chat import Decoder, decode_request, encode_request

PLAIN = Dialect()
OPENROUTER = Dialect(
    reasoning="reasoning",
    cache="breakpoints",
    option_fields=("plugins", "top_k", "provider"),
    body={"usage": {"include": True}},
)


def encode(
    *messages: Message, dialect: Dialect = PLAIN, origin: str | None = "here", **more: Any
) -> tuple[dict[str, Any], Encoded]:
    model = more.pop("model", "m")
    encoded = encode_request(ModelRequest(model, messages or (user("hi"),), **more), dialect, origin)
    return json.loads(encoded.body), encoded


def with_settings(settings: Settings, **dialect: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    body, encoded = encode(settings=settings, dialect=Dialect(**dialect))
    assert not encoded.losses
    return {key: value for key, value in body.items() if key not in ("model", "messages")}, encoded.unsupported


# What was recorded.

REQUESTS = [
    (name, response["id"], response["provider"])
    for name, cassette in expected().items()
    for response in cassette["responses"]
    if response["protocol"] == "openai-chat"
] or [("recorded", 0, "")]
REQUEST_IDS = [f"{name.removesuffix('.yaml')}-{n}" for name, n, _ in REQUESTS]

AT_MESSAGES = ("WithAnthropicCache/anthropic", "WithAnthropicCache/claude")
"""Where breakpoints were set at whole messages: we set them at pieces of content, as OpenRouter documents it."""


def dialect_of(provider: str, sent: dict[str, Any]) -> Dialect:
    nested = "reasoning" if provider in ("openrouter", "vercel") else "reasoning_effort"
    return Dialect(body={"usage": sent["usage"]} if "usage" in sent else {}, reasoning=nested, cache="breakpoints")


def at_pieces(message: dict[str, Any]) -> dict[str, Any]:
    if "cache_control" not in message:
        return message
    piece = {"type": "text", "text": message["content"], "cache_control": message["cache_control"]}
    return {key: value for key, value in message.items() if key != "cache_control"} | {"content": [piece]}


@pytest.mark.parametrize(("name", "n", "provider"), REQUESTS, ids=REQUEST_IDS)
def test_a_recorded_request_that_is_read_is_written_again_as_it_was(name: str, n: int, provider: str) -> None:
    body = load_tape(shared_tape(name)).interactions[n].request.body
    sent = json.loads(body)
    encoded = encode_request(decode_request(body, "/v1/chat/completions"), dialect_of(provider, sent), None)
    if any(part in name for part in AT_MESSAGES):
        sent["messages"] = [at_pieces(message) for message in sent["messages"]]
    assert json.loads(encoded.body) == sent
    assert (encoded.losses, encoded.unsupported) == ((), ())


THINKING = [
    name
    for name, cassette in expected().items()
    if "/thinking" in name and cassette["responses"][0]["protocol"] == "openai-chat"
] or ["recorded"]

RECORDER_LOST_REASONING = "TestVercelThinking/gemini-3-pro-preview/thinking-streaming"
SENT_IN_TWO_WAYS = ("TestOpenRouterThinking/anthropic", "TestVercelThinking/claude")
"""Where the recording client sent reasoning as details, and as text beside them, which says nothing more."""


@pytest.mark.parametrize("name", THINKING)
def test_what_a_model_thought_goes_back_as_it_came(name: str) -> None:
    first, second = load_tape(shared_tape(name)).interactions[:2]
    decoder = Decoder("here")
    last = (decoder.feed(first.body) + decoder.close())[-1]
    assert isinstance(last, MessageEnd)
    asked = decode_request(first.request.body)
    result = ToolResultPart(last.response.tool_calls[0].id, "weather", "40 C")
    messages = (*asked.messages, last.response.message, Message("tool", (result,)))
    sent = json.loads(second.request.body)
    if RECORDER_LOST_REASONING in name:
        sent["messages"][2]["reasoning"] = last.response.reasoning  # It lost the readable details, too.
        sent["messages"][2]["reasoning_details"] = [
            detail
            for part in last.response.message.parts
            if isinstance(part, ReasoningPart) and part.opaque
            for detail in part.opaque.data["details"]
        ]
    if "TestVercelThinking/gpt-5" in name:  # It lost the id of the summary.
        summary, encrypted = sent["messages"][2]["reasoning_details"]
        summary["id"] = encrypted["id"]
    if any(part in name for part in (*SENT_IN_TWO_WAYS, RECORDER_LOST_REASONING)):
        assert sent["messages"][2].pop("reasoning") == last.response.reasoning
    provider = expected()[name]["responses"][0]["provider"]
    request = ModelRequest(asked.model, messages, asked.tools, asked.settings, asked.stream)
    encoded = encode_request(request, dialect_of(provider, sent), "here")
    assert json.loads(encoded.body) == sent
    assert encoded.losses == ()


# Settings, by dialect.

DEEPSEEK = {"reasoning": "thinking", "option_fields": ("reasoning_effort",)}
REASONING: list[tuple[Any, dict[str, Any], dict[str, Any], str]] = [
    ("low", {}, {"reasoning_effort": "low"}, ""),
    (False, {}, {"reasoning_effort": "none"}, ""),
    (True, {}, {}, ""),
    ("max", {}, {"reasoning_effort": "xhigh"}, "'xhigh' was sent in its place"),
    (8000, {}, {"reasoning_effort": "medium"}, ""),
    ({"effort": "low", "summary": "auto"}, {}, {"reasoning_effort": "low"}, "reasoning.summary"),
    ("high", {"reasoning": "reasoning"}, {"reasoning": {"effort": "high"}}, ""),
    (2000, {"reasoning": "reasoning"}, {"reasoning": {"max_tokens": 2000}}, ""),
    (True, {"reasoning": "reasoning"}, {"reasoning": {"enabled": True}}, ""),
    (False, {"reasoning": "reasoning"}, {"reasoning": {"effort": "none"}}, ""),
    ({"summary": False}, {"reasoning": "reasoning"}, {"reasoning": {"exclude": True}}, ""),
    (
        {"effort": "low", "budget_tokens": 9},
        {"reasoning": "reasoning"},
        {"reasoning": {"max_tokens": 9}},
        "only one of effort and budget",
    ),
    (True, {"reasoning": "thinking"}, {"thinking": {"type": "enabled"}}, ""),
    (0, {"reasoning": "thinking"}, {"thinking": {"type": "disabled"}}, ""),
    ("high", {"reasoning": "thinking"}, {"thinking": {"type": "enabled"}}, "only be told to think or not"),
    ("max", DEEPSEEK, {"thinking": {"type": "enabled"}, "reasoning_effort": "max"}, ""),
    (False, DEEPSEEK, {"thinking": {"type": "disabled"}}, ""),
    ("medium", DEEPSEEK, {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}, "knows no 'medium'"),
    (1000, DEEPSEEK, {"thinking": {"type": "enabled"}, "reasoning_effort": "low"}, ""),
    (False, {"reasoning": "enable_thinking"}, {"enable_thinking": False}, ""),
    (
        False,
        {"reasoning": "enable_thinking", "option_fields": ("chat_template_kwargs",)},
        {"chat_template_kwargs": {"enable_thinking": False}},
        "",
    ),
    (
        500,
        {"reasoning": "enable_thinking", "option_fields": ("thinking_budget",)},
        {"enable_thinking": True, "thinking_budget": 500},
        "",
    ),
    ("low", {"reasoning": None}, {}, "cannot be told how much to think"),
    ("low", {"unsupported": ("reasoning",)}, {}, "does not take it"),
]


@pytest.mark.parametrize(("value", "dialect", "wanted", "told"), REASONING)
def test_how_much_to_think_is_said_in_the_providers_way(
    value: Any, dialect: dict[str, Any], wanted: dict[str, Any], told: str
) -> None:
    body, unsupported = with_settings({"reasoning": value}, **dialect)
    assert body == wanted
    assert [told in line for line in unsupported] == ([True] if told else [])


SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
SETTINGS: list[tuple[Any, dict[str, Any], dict[str, Any], str]] = [
    ({"max_tokens": 5}, {}, {"max_tokens": 5}, ""),
    ({"max_tokens": 5}, {"max_tokens": "max_completion_tokens"}, {"max_completion_tokens": 5}, ""),
    ({"top_k": 5}, {}, {}, "top_k"),
    ({"top_k": 5}, {"option_fields": ("top_k",)}, {"top_k": 5}, ""),
    ({"logprobs": 0}, {}, {"logprobs": True}, ""),
    ({"logprobs": 3}, {}, {"logprobs": True, "top_logprobs": 3}, ""),
    ({"service_tier": "flex", "user": "u"}, {}, {"service_tier": "flex", "user": "u"}, ""),
    ({"seed": 1, "stop": ["a"]}, {"unsupported": ("seed",)}, {"stop": ["a"]}, "seed"),
    ({"seed": 1, "stop": ["a"]}, {"without": ("stop",), "body": {"safe": True}}, {"seed": 1, "safe": True}, ""),
    ({"response_format": SCHEMA}, {}, {"response_format": SCHEMA}, ""),
    (
        {"response_format": SCHEMA},
        {"schema": "json_object"},
        {"response_format": {"type": "json_object"}},
        "takes no JSON schema",
    ),
    ({"response_format": SCHEMA}, {"schema": None}, {}, "held to a format"),
    (
        {"cache": {"key": "k", "ttl": "24h"}},
        {"cache": "key"},
        {"prompt_cache_key": "k", "prompt_cache_retention": "24h"},
        "",
    ),
    ({"cache": True}, {"cache": "key"}, {}, ""),
    ({"cache": {"key": "k", "ttl": "1h"}}, {"cache": "key"}, {"prompt_cache_key": "k"}, "cache.ttl"),
    ({"cache": True}, {}, {}, ""),
    ({"cache": {"key": "k"}}, {}, {}, "cache.key"),
    ({"seed": 7}, {"names": {"seed": "random_seed"}}, {"random_seed": 7}, ""),
    ({"tool_choice": "required"}, {}, {}, "there are no tools"),
    (
        {
            "extra_body": {"a": 1, "seed": 2},
            "seed": 1,
            "options": {"chat_template_kwargs": {"x": 1}},
            "reasoning": True,
        },
        {"reasoning": "enable_thinking", "option_fields": ("chat_template_kwargs",)},
        {"a": 1, "seed": 2, "chat_template_kwargs": {"enable_thinking": True, "x": 1}},
        "",
    ),
]


@pytest.mark.parametrize(("settings", "dialect", "wanted", "told"), SETTINGS)
def test_settings_are_said_as_the_dialect_has_them(
    settings: Settings, dialect: dict[str, Any], wanted: dict[str, Any], told: str
) -> None:
    body, unsupported = with_settings(settings, **dialect)
    assert body == wanted
    assert [told in line for line in unsupported] == ([True] if told else [])


TOOL = ToolSpec("add", "Add", {"type": "object", "properties": {}})
CALLS = Message("assistant", (TextPart("so"), ToolCallPart("call_1", "add", '{"a": 1}')))
RESULTS = Message("tool", (ToolResultPart("call_1", "add", "2"),))


def breakpoints(body: dict[str, Any]) -> list[tuple[int, Any]]:
    """In which messages there are breakpoints, and for how long; always at the last piece."""
    return [
        (n, message["content"][-1]["cache_control"].get("ttl"))
        for n, message in enumerate(body["messages"])
        if isinstance(message["content"], list) and "cache_control" in message["content"][-1]
    ]


def test_breakpoints_stand_behind_the_prompt_and_the_last_two_messages_unless_parts_have_their_own() -> None:
    turns = (system("s"), user("one"), user("two"), CALLS, RESULTS)
    body, _ = encode(*turns, dialect=OPENROUTER, settings={"cache": {"ttl": "1h"}})
    assert breakpoints(body) == [(0, "1h"), (3, "1h"), (4, "1h")]
    own = Message("user", (TextPart("x", cache="5m"),))
    body, encoded = encode(system("s"), own, *turns, dialect=OPENROUTER, settings={"cache": True})
    assert breakpoints(body) == [(1, None)]
    assert not encoded.unsupported
    body, encoded = encode(own, settings={"cache": True})
    assert body["messages"][0]["content"] == "x"
    assert len(encoded.unsupported) == 1
    assert encode(system("s"), user("u"))[0]["messages"][0]["content"] == "s"


def test_ids_of_calls_that_a_provider_does_not_take_are_replaced_in_calls_and_results() -> None:
    body, _ = encode(CALLS, RESULTS, dialect=Dialect(call_id="[a-zA-Z0-9]{9}"))
    id = body["messages"][0]["tool_calls"][0]["id"]
    assert len(id) == 9
    assert body["messages"][1]["tool_call_id"] == id


def test_tools_are_said_with_what_they_have_of_their_own() -> None:
    raw = {"type": "custom", "custom": {"name": "sh"}}
    search = ProviderTool("browser_search", raw={"type": "browser_search"})
    tools = (TOOL, ToolSpec("x", "", {}, True, cache="1h"), ToolSpec("sh", "", {}, raw=raw))
    body, _ = encode(
        tools=tools,
        provider_tools=(search,),
        dialect=OPENROUTER,
        settings={"tool_choice": "add", "parallel_tool_calls": False},
    )
    assert body["tools"][1:] == [
        {
            "type": "function",
            "function": {"name": "x", "strict": True, "parameters": {}},
            "cache_control": {"type": "ephemeral", "ttl": "1h"},
        },
        raw,
        {"type": "browser_search"},
    ]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "add"}}
    assert body["parallel_tool_calls"] is False


def test_web_search_is_said_where_there_are_words_for_it() -> None:
    tools = (ProviderTool("web_search", {"max_results": 3}),)
    body, _ = encode(provider_tools=tools, dialect=OPENROUTER, settings={"options": {"plugins": [{"id": "pdf"}]}})
    assert body["plugins"] == [{"id": "pdf"}, {"id": "web", "max_results": 3}]
    body, _ = encode(provider_tools=tools, dialect=Dialect(option_fields=("web_search_options",)))
    assert body["web_search_options"] == {"max_results": 3}
    with pytest.raises(EncodeError, match="none that Playhead can name"):
        encode(provider_tools=tools)
    with pytest.raises(EncodeError, match="'code_execution' of their own: it has web_search"):
        encode(provider_tools=(ProviderTool("code_execution"),), dialect=OPENROUTER)


LOW = Opaque("openai_chat", {"piece": {"image_url": {"detail": "low"}}})
PDF = MediaPart("application/pdf", b"%PDF", filename="a.pdf")
MEDIA: list[tuple[MediaPart, Dialect, dict[str, Any]]] = [
    (MediaPart("image/png", b"i"), PLAIN, {"type": "image_url", "image_url": {"url": "data:image/png;base64,aQ=="}}),
    (
        MediaPart("image/png", url="http://x/i.png", opaque=LOW),
        PLAIN,
        {"type": "image_url", "image_url": {"url": "http://x/i.png", "detail": "low"}},
    ),
    (MediaPart("application/octet-stream", file_id="f1"), PLAIN, {"type": "file", "file": {"file_id": "f1"}}),
    (
        PDF,
        PLAIN,
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
    ),
    (
        MediaPart("application/pdf", url="http://x/a.pdf"),
        OPENROUTER,
        {"type": "file", "file": {"filename": "document.pdf", "file_data": "http://x/a.pdf"}},
    ),
    (MediaPart("audio/wav", b"w"), PLAIN, {"type": "input_audio", "input_audio": {"data": "dw==", "format": "wav"}}),
    (
        MediaPart("audio/flac", b"w"),
        OPENROUTER,
        {"type": "input_audio", "input_audio": {"data": "dw==", "format": "flac"}},
    ),
    (
        MediaPart("video/mp4", url="http://x/v.mp4"),
        PLAIN,
        {"type": "video_url", "video_url": {"url": "http://x/v.mp4"}},
    ),
    (MediaPart("text/csv", b"a,b", filename="t.csv"), PLAIN, {"type": "text", "text": "t.csv:\na,b"}),
]


@pytest.mark.parametrize(("part", "dialect", "wanted"), MEDIA, ids=lambda it: getattr(it, "media_type", ""))
def test_media_go_as_pieces_of_content(part: MediaPart, dialect: Dialect, wanted: dict[str, Any]) -> None:
    body, encoded = encode(user(["look", part]), dialect=dialect)
    assert body["messages"][0]["content"] == [{"type": "text", "text": "look"}, wanted]
    assert not encoded.losses


@pytest.mark.parametrize(
    "part",
    [
        MediaPart("audio/flac", b"w"),
        MediaPart("application/pdf", url="http://x/a.pdf"),
        MediaPart("text/plain", url="http://x/a.txt"),
        MediaPart("application/zip", b"z"),
        MediaPart("image/png"),
    ],
)
def test_media_that_cannot_be_carried_are_an_error(part: MediaPart) -> None:
    with pytest.raises(EncodeError, match=part.media_type):
        encode(user([part]))


def test_what_belongs_to_others_stays_home_and_is_reported() -> None:
    theirs = Opaque("anthropic", {"signature": "s"}, "anthropic")
    answer = Message(
        "assistant",
        (
            ReasoningPart("hm", theirs),
            TextPart("see", citations=(Citation("http://a"),)),
            ToolCallPart("s", "web_search", "{}", True),
            ToolResultPart("s", "web_search", "found"),
            MediaPart("image/png", b"i"),
            ToolCallPart("c", "add", "{}", opaque=Opaque("gemini", {"thoughtSignature": "t"}, "google")),
        ),
    )
    body, encoded = encode(answer, RESULTS)
    call = {"id": "c", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    assert body["messages"][0] == {"role": "assistant", "content": "see", "tool_calls": [call]}
    assert set(encoded.losses) == {
        "reasoning of anthropic stayed home",
        "citations stayed home: chat completions take none in history",
        "what somebody else did by its own tool 'web_search' stayed home",
        "image/png that the model made stayed home",
        "what google wanted back with a tool_call stayed home",
    }


def test_media_that_tools_return_follow_all_the_results_as_a_user_message() -> None:
    image = MediaPart("image/png", b"i")
    results = (ToolResultPart("c", "shot", "done", media=(image,)), ToolResultPart("d", "add", "no", is_error=True))
    body, encoded = encode(Message("tool", results))
    first, second, media = body["messages"]
    assert (first["content"], second["content"], media["role"]) == ("done", "no", "user")
    assert [piece["type"] for piece in media["content"]] == ["text", "image_url"]
    assert media["content"][0]["text"] == "What shot returned (call c):"
    assert encoded.losses == ("that a tool's result is an error is said by its text alone",)


def test_what_the_issuer_wants_back_goes_back_to_it() -> None:
    def mine(**data: Any) -> Opaque:
        return Opaque("openai_chat", data, "here")

    signature = {"google": {"thought_signature": "t"}}
    answer = Message(
        "assistant",
        (
            ReasoningPart("hm", mine(field="thinking")),
            TextPart("so"),
            MediaPart("audio/wav", b"w", opaque=mine(audio={"id": "audio_1", "transcript": "so"})),
            ToolCallPart("c", "add", "", opaque=mine(call={"extra_content": signature})),
            ToolCallPart("d", "sh", "ls", opaque=mine(call={"type": "custom"})),
        ),
    )
    body, encoded = encode(answer)
    assert body["messages"][0] == {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
            {"type": "text", "text": "so"},
        ],
        "audio": {"id": "audio_1"},
        "tool_calls": [
            {
                "id": "c",
                "type": "function",
                "function": {"name": "add", "arguments": "{}"},
                "extra_content": signature,
            },
            {"id": "d", "type": "custom", "custom": {"name": "sh", "input": "ls"}},
        ],
    }
    assert not encoded.losses


# What is read.


def read(messages: list[dict[str, Any]] | None = None, **fields: Any) -> ModelRequest:
    body = {"model": "m", "messages": messages or [{"role": "user", "content": "hi"}], **fields}
    return decode_request(json.dumps(body).encode(), "", "here")


NAMES = st.sampled_from(["add", "mul"])
WORDS = st.text(min_size=1, max_size=6)
MINE = st.sampled_from([None, "http://x/i.png"])
PIECES = st.builds(TextPart, WORDS, cache=st.sampled_from([None, "5m", "1h"])) | st.builds(
    MediaPart, st.just("image/png"), st.binary(min_size=1, max_size=4)
)
CALL_PARTS = st.builds(ToolCallPart, st.uuids().map(str), NAMES, st.sampled_from(["{}", '{"a":1}']))


@st.composite
def turns(draw: st.DrawFn) -> tuple[Message, ...]:
    """A conversation in the order in which this format says its parts."""
    messages: list[Message] = [system(draw(WORDS))] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, 3))):
        messages.append(Message("user", tuple(draw(st.lists(PIECES, min_size=1, max_size=3)))))
        parts: list[Any] = []
        if draw(st.booleans()):
            parts.append(ReasoningPart(draw(WORDS), Opaque("openai_chat", {"field": "reasoning_content"}, "here")))
        if draw(st.booleans()):
            parts.append(TextPart(draw(WORDS)))
        calls = draw(st.lists(CALL_PARTS, max_size=2))
        if not calls and not any(isinstance(part, TextPart) for part in parts):
            parts.append(RefusalPart(draw(WORDS)))
        messages.append(Message("assistant", (*parts, *calls)))
        if calls:
            results = tuple(ToolResultPart(call.id, call.name, draw(st.text(max_size=5))) for call in calls)
            messages.append(Message("tool", results))
    return tuple(messages)


SAID = st.fixed_dictionaries(
    {},
    optional={
        "max_tokens": st.integers(1, 9),
        "temperature": st.floats(0, 2),
        "top_p": st.floats(0, 1),
        "top_k": st.integers(1, 9),
        "stop": st.just("x") | st.lists(WORDS, max_size=2),
        "seed": st.integers(-(2**63), 2**63),
        "logprobs": st.integers(0, 5),
        "reasoning": st.sampled_from(["low", "none", 7, True, {"effort": "high", "summary": False}]),
        "response_format": st.sampled_from([SCHEMA, {"type": "json_object"}]),
        "service_tier": WORDS,
        "user": WORDS,
        "extra_body": st.fixed_dictionaries({"models": st.lists(WORDS)}),
    },
)
TOOLS = st.lists(
    st.builds(
        ToolSpec,
        NAMES,
        st.text(max_size=3),
        st.just({"type": "object", "properties": {}}),
        st.sampled_from([None, True]),
        st.sampled_from([None, "5m"]),
    ),
    max_size=2,
)


@given(turns(), SAID, TOOLS, st.booleans(), st.sampled_from([(), (ProviderTool("web_search", {"max_results": 2}),)]))
def test_what_is_written_is_read_again(
    messages: tuple[Message, ...],
    settings: dict[str, Any],
    tools: list[ToolSpec],
    stream: bool,
    provider_tools: tuple[ProviderTool, ...],
) -> None:
    request = ModelRequest("m", messages, tuple(tools), settings, stream, provider_tools)  # pyright: ignore[reportArgumentType]
    encoded = encode_request(request, OPENROUTER, "here")
    assert decode_request(encoded.body, "", "here") == request
    assert not encoded.losses


def test_messages_are_read_in_every_form_that_clients_write() -> None:
    signature = {"google": {"thought_signature": "t"}}
    request = read(
        [
            {"role": "developer", "content": "be brief"},
            {
                "role": "user",
                "name": "bob",
                "content": [
                    {"type": "text", "text": "look", "cache_control": {"type": "ephemeral"}},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aQ==", "detail": "low"}},
                    {"type": "image_url", "image_url": "http://x/i.jpg"},
                    {"type": "input_audio", "input_audio": {"data": "dw==", "format": "mp3"}},
                    {"type": "file", "file": {"file_id": "f1"}},
                    {"type": "video_url", "video_url": {"url": "http://x/v"}},
                ],
            },
            {
                "role": "assistant",
                "content": None,
                "reasoning_details": [{"type": "reasoning.text", "text": "hm"}],
                "tool_calls": [
                    {"id": "c", "function": {"name": "add", "arguments": {"a": 1}}, "extra_content": signature}
                ],
            },
            {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": word} for word in "42"]},
            {"role": "tool", "tool_call_id": "d", "name": "mul", "content": "6"},
            {"role": "assistant", "content": "", "function_call": {"name": "old", "arguments": "{}"}},
            {"role": "function", "name": "old", "content": "done"},
            {"role": "assistant", "content": ""},
        ]
    )

    def mine(**data: Any) -> Opaque:
        return Opaque("openai_chat", data, "here")

    assert request.messages == (
        Message("system", (TextPart("be brief", opaque=mine(message={"role": "developer"})),)),
        Message(
            "user",
            (
                TextPart("look", cache="5m", opaque=mine(message={"name": "bob"})),
                MediaPart("image/png", b"i", opaque=mine(piece={"image_url": {"detail": "low"}})),
                MediaPart("image/jpeg", url="http://x/i.jpg"),
                MediaPart("audio/mpeg", b"w"),
                MediaPart("application/octet-stream", file_id="f1"),
                MediaPart("video/*", url="http://x/v"),
            ),
        ),
        Message(
            "assistant",
            (
                ReasoningPart("hm", mine(details=[{"type": "reasoning.text", "text": "hm"}])),
                ToolCallPart("c", "add", '{"a":1}', opaque=mine(call={"extra_content": signature})),
            ),
        ),
        Message("tool", (ToolResultPart("c", "add", "42"), ToolResultPart("d", "mul", "6"))),
        Message("assistant", (ToolCallPart("call_of_messages_5", "old", "{}"),)),
        Message("tool", (ToolResultPart("call_of_messages_5", "old", "done"),)),
        Message("assistant", (TextPart(""),)),
    )
    again = json.loads(encode_request(request, PLAIN, "here").body)["messages"]
    assert (again[0]["role"], again[1]["name"]) == ("developer", "bob")
    assert again[2]["tool_calls"][0]["extra_content"] == signature


SEARCH = {"id": "web", "max_results": 2}
READ: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"max_completion_tokens": 5}, {"max_tokens": 5}),
    ({"logprobs": True, "top_logprobs": 2}, {"logprobs": 2}),
    ({"logprobs": False, "n": 1, "temperature": None}, {}),
    ({"reasoning": {"enabled": False}}, {"reasoning": False}),
    (
        {"reasoning": {"max_tokens": 9, "exclude": True}},
        {"reasoning": {"budget_tokens": 9, "summary": False}},
    ),
    ({"reasoning": {"effort": "odd"}}, {"extra_body": {"reasoning": {"effort": "odd"}}}),
    ({"reasoning_effort": "minimal"}, {"reasoning": "minimal"}),
    ({"reasoning_effort": "default"}, {"extra_body": {"reasoning_effort": "default"}}),
    ({"thinking": {"type": "disabled"}}, {"reasoning": False}),
    ({"enable_thinking": False}, {"reasoning": False}),
    ({"chat_template_kwargs": {"enable_thinking": True}}, {"reasoning": True}),
    ({"chat_template_kwargs": {"x": 1}}, {"extra_body": {"chat_template_kwargs": {"x": 1}}}),
    ({"prompt_cache_key": "k", "prompt_cache_retention": "24h"}, {"cache": {"key": "k", "ttl": "24h"}}),
    ({"stream_options": {"include_usage": False}}, {"extra_body": {"stream_options": {"include_usage": False}}}),
    ({"tool_choice": "auto"}, {}),
    ({"function_call": {"name": "f"}}, {"tool_choice": "f"}),
    ({"tool_choice": {"type": "allowed_tools"}}, {"tool_choice": {"type": "allowed_tools"}}),
    ({"provider": {"only": ["x"]}, "models": ["a"]}, {"extra_body": {"provider": {"only": ["x"]}, "models": ["a"]}}),
    ({"plugins": [SEARCH, {"id": "pdf"}]}, {"extra_body": {"plugins": [SEARCH, {"id": "pdf"}]}}),
    ({"response_format": {"type": "grammar"}}, {"extra_body": {"response_format": {"type": "grammar"}}}),
]


@pytest.mark.parametrize(("fields", "settings"), READ, ids=lambda it: " ".join(it))
def test_fields_are_read_as_settings_and_the_rest_is_kept(fields: dict[str, Any], settings: dict[str, Any]) -> None:
    assert read(**fields).settings == settings


def test_tools_are_read_in_every_form() -> None:
    request = read(
        tools=[
            {"type": "function", "function": {"name": "a", "strict": False}},
            {"type": "function", "function": {"name": "b", "parameters": {}, "odd": 1}},
            {"type": "custom", "custom": {"name": "c", "description": "d"}},
            {"type": "openrouter:web_search", "parameters": {}},
        ],
        functions=[{"name": "old", "parameters": {"type": "object"}}],
        plugins=[SEARCH],
        web_search_options={},
    )
    assert [tool.name for tool in request.tools] == ["a", "b", "c", "old"]
    assert request.tools[0] == ToolSpec("a", "", {"type": "object", "properties": {}})
    assert [tool.raw is not None for tool in request.tools] == [False, True, True, False]
    assert [(tool.name, tool.options) for tool in request.provider_tools] == [
        ("openrouter:web_search", {}),
        ("web_search", {}),
        ("web_search", {"max_results": 2}),
    ]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "the request should be a JSON object"),
        ({}, "`model`"),
        ({"model": 1}, "`model` should be a text, but is 1"),
        ({"model": "m", "messages": "hi"}, "`messages` should be a list, but is 'hi'"),
        ({"model": "m", "messages": ["hi"]}, "`messages[0].role`"),
        ({"model": "m", "messages": [{"role": "king"}]}, "but is 'king'"),
        ({"model": "m", "messages": [{"role": "user", "content": 1}]}, "`messages[0].content`"),
        (
            {"model": "m", "messages": [{"role": "user", "content": [{"type": "hologram"}]}]},
            "`messages[0].content[0].type` should be one of text, ",
        ),
        (
            {"model": "m", "messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            "`messages[0].content[0].input_audio.data` should be base64, but is missing",
        ),
        ({"model": "m", "messages": [{"role": "tool", "content": "x"}]}, "`messages[0].tool_call_id`"),
        ({"model": "m", "messages": [{"role": "assistant", "tool_calls": [1]}]}, "`messages[0].tool_calls`"),
        ({"model": "m", "messages": [{"role": "assistant", "tool_calls": [{"id": "x"}]}]}, "tool_calls[0]"),
        ({"model": "m", "messages": [], "temperature": "hot"}, "`temperature` should be a number, but is 'hot'"),
        ({"model": "m", "messages": [], "seed": True}, "`seed` should be a whole number, but is True"),
        ({"model": "m", "messages": [], "seed": 10**30}, "a number of too many digits"),
        ({"model": "m", "messages": [], "n": 2}, "`n` should be 1"),
        ({"model": "m", "messages": [], "tools": [{"function": {}}]}, "`tools[0].function` should have a `name`"),
        ({"model": "m", "messages": [], "stop": [1]}, "`stop` should be a text or a list of texts"),
    ],
)
def test_what_is_wrong_with_a_request_is_said_by_field(body: Any, says: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_request(json.dumps(body).encode())
    assert says in str(caught.value)


def test_what_openais_package_writes_is_read() -> None:
    bodies: list[bytes] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        bodies.append(request.content)
        return httpx2.Response(200, json={"id": "r", "choices": [], "object": "chat.completion"})

    http_client = httpx2.Client(transport=httpx2.MockTransport(answer))
    client = openai.OpenAI(api_key="k", base_url="http://x/v1", http_client=http_client)
    image: Any = {"type": "image_url", "image_url": {"url": "http://x/i.png"}}
    tool: Any = {"type": "function", "function": {"name": "add", "description": "Add", "parameters": TOOL.parameters}}
    client.chat.completions.create(
        model="gpt-5",
        messages=[
            {"role": "developer", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "look"}, image]},
        ],
        tools=[tool],
        tool_choice={"type": "function", "function": {"name": "add"}},
        max_completion_tokens=5,
        reasoning_effort="low",
        response_format={"type": "json_object"},
        extra_body={"provider": {"only": ["x"]}},
    )
    request = decode_request(bodies[0])
    assert (request.model, [message.text for message in request.messages]) == ("gpt-5", ["be brief", "look"])
    assert request.tools == (TOOL,)
    assert request.settings == {
        "max_tokens": 5,
        "reasoning": "low",
        "response_format": {"type": "json_object"},
        "tool_choice": "add",
        "extra_body": {"provider": {"only": ["x"]}},
    }
    again = json.loads(encode_request(request, find_provider("openai").dialect, "openai").body)
    sent = json.loads(bodies[0])
    sent["tools"][0]["function"]["strict"] = False
    assert again == sent


# What must not go wrong.


@pytest.mark.parametrize(
    "setting",
    [
        {"reasoning": {"budget_tokens": "many"}},
        {"reasoning": {"budget_tokens": -1}},
        {"reasoning": {"budget_tokens": True}},
        {"reasoning": {"summary": 5}},
        {"cache": "1h"},
        {"cache": {"ttl": "2h"}},
        {"cache": {"tll": "1h"}},
        {"response_format": "json"},
        {"tool_choice": 3},
        {"tool_choice": {}},
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_meant_is_an_error(setting: Any) -> None:
    dialect = Dialect(cache="breakpoints")
    request = ModelRequest("m", (user("Hi"),), (ToolSpec("f", "", {}),), setting)
    with pytest.raises(EncodeError, match=next(iter(setting))):
        encode_request(request, dialect)


def test_a_refusal_alone_has_a_content_and_is_said_as_text_where_there_is_no_word_for_it() -> None:
    refusal = Message("assistant", (RefusalPart("No."),))
    body, encoded = encode(user("Hi"), refusal)
    assert body["messages"][1] == {"role": "assistant", "content": None, "refusal": "No."}
    assert encoded.losses == ()
    body, encoded = encode(user("Hi"), refusal, dialect=find_provider("mistral").dialect)
    assert body["messages"][1] == {"role": "assistant", "content": "No."}
    assert encoded.losses == ("that an answer was a refusal is said by its text alone",)


def test_what_others_thought_is_not_said_to_those_who_want_to_see_some_thought() -> None:
    theirs = ReasoningPart("hm", Opaque("anthropic", {"signature": "s"}, "anthropic"))
    answer = Message("assistant", (theirs, ToolCallPart("c", "add", "{}")))
    body, encoded = encode(answer, RESULTS, dialect=Dialect(reasoning_history=True))
    assert body["messages"][0]["reasoning_content"] == ""
    assert encoded.losses == ("reasoning of anthropic stayed home",)


@pytest.mark.parametrize("provider", ["openai", "azure"])
def test_ids_that_are_too_long_for_openai_are_replaced(provider: str) -> None:
    long, whole = "chatcmpl-tool-" + "0" * 32, "functions.add:0"
    calls = Message("assistant", (ToolCallPart(long, "add"), ToolCallPart(whole, "add")))
    results = Message("tool", (ToolResultPart(long, "add", "1"), ToolResultPart(whole, "add", "2")))
    body, _ = encode(calls, results, dialect=find_provider(provider).dialect)
    first, second = (it["id"] for it in body["messages"][0]["tool_calls"])
    assert len(first) <= 40
    assert second == whole
    assert [it["tool_call_id"] for it in body["messages"][1:]] == [first, second]


def test_a_tool_choice_that_the_provider_does_not_take_is_not_sent() -> None:
    request = ModelRequest("m", (user("Hi"),), (ToolSpec("f", "", {}),))
    body = json.loads(encode_request(request, Dialect(unsupported=("tool_choice",))).body)
    assert "tool_choice" not in body


def test_what_stands_beside_media_goes_back_to_where_it_stood() -> None:
    pieces = [
        {"type": "video_url", "video_url": {"url": "https://x.test/a.mp4", "fps": 2}},
        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav", "speaker": "me"}},
        {"type": "file", "file": {"file_id": "file-1", "pages": [1]}},
    ]
    asked = {"model": "m", "messages": [{"role": "user", "content": pieces}]}
    read = decode_request(json.dumps(asked).encode())
    assert json.loads(encode_request(read, Dialect()).body) == asked
