"""Requests of the Responses API: as the recorded ones, there and back, and as OpenAI's own package writes them."""

from __future__ import annotations

import json
from typing import Any, cast

import httpx
import msgspec
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
from playhead.tape.files import load_tape
from playhead.wire import Dialect
from playhead.wire.openai_responses import Decoder, decode_request, encode_request

CASSETTES = {
    name: cassette
    for name, cassette in expected().items()
    if cassette["responses"] and all(it["protocol"] == "openai-responses" for it in cassette["responses"])
}
SCENARIOS = {
    name: cassette["scenario"]
    for name, cassette in CASSETTES.items()
    if cassette["scenario"] in ("simple", "tool", "multi_tool", "thinking")
} or {"recorded": "simple"}
REQUESTS = [(name, n) for name, cassette in CASSETTES.items() for n in range(len(cassette["responses"]))] or [
    ("recorded", 0)
]


def schema(**properties: tuple[str, str]) -> dict[str, Any]:
    fields = {name: {"type": type, "description": words} for name, (type, words) in properties.items()}
    return {"type": "object", "properties": fields, "required": list(fields)}


NUMBERS = schema(a=("integer", "first number"), b=("integer", "second number"))
WEATHER = ToolSpec("weather", "Get weather information for a location", schema(location=("string", "the city")))
TOOLS = {
    "simple": (),
    "tool": (WEATHER,),
    "thinking": (WEATHER,),
    "multi_tool": (
        ToolSpec("add", "Add two numbers", NUMBERS),
        ToolSpec("multiply", "Multiply two numbers", NUMBERS),
    ),
}
PROMPTS = {
    "simple": "Say hi in Portuguese",
    "tool": "What's the weather in Florence,Italy?",
    "thinking": "What's the weather in Florence, Italy?",
    "multi_tool": "Add and multiply the number 2 and 3",
}
RETURNS = {"weather": "40 C", "add": "5", "multiply": "6"}


def body(request: ModelRequest, dialect: Dialect | None = None, origin: str | None = "openai") -> dict[str, Any]:
    return json.loads(encode_request(request, dialect or Dialect(), origin).body)


def ask(*messages: Message, model: str = "gpt-4o", **settings: Any) -> ModelRequest:
    return ModelRequest(model, messages, settings=cast("Settings", settings))


def encoded_input(*messages: Message, model: str = "gpt-4o") -> list[dict[str, Any]]:
    return body(ask(*messages, model=model))["input"]


def there_and_back(request: ModelRequest) -> ModelRequest:
    return decode_request(encode_request(request, Dialect(), "openai").body, "/v1/responses", "openai")


def natural(name: str, scenario: str, n: int) -> ModelRequest:
    """The request as an agent would make it: the scenario's first one, or the one behind the recorded answer."""
    tape = load_tape(shared_tape(name))
    sent = json.loads(tape.interactions[0].request.body)
    streamed = "streaming" in name
    prompt = "You are a helpful assistant"
    if scenario == "multi_tool":
        always = " Always use both add and multiply at the same time."
        prompt += always if streamed else ". CRITICAL: Always use both add and multiply at the same time ALWAYS."
        prompt = prompt.replace("assistant Always", "assistant. Always")
    messages = [system(prompt), user(PROMPTS[scenario])]
    if n:
        decoder = Decoder("openai")
        events = decoder.feed(tape.interactions[0].body) + decoder.close()
        assert isinstance(events[-1], MessageEnd)
        answer = events[-1].response.message
        results = [ToolResultPart(call.id, call.name, RETURNS[call.name]) for call in answer.tool_calls]
        messages += [answer, Message("tool", tuple(results))]
    thinking: Settings = {"reasoning": {"effort": "high", "summary": "auto"}}
    settings: Settings = thinking if scenario == "thinking" else {"max_tokens": 4000}
    return ModelRequest(sent["model"], tuple(messages), TOOLS[scenario], settings, streamed)


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_recorded_scenarios_are_asked_for_in_the_same_words(name: str) -> None:
    scenario = SCENARIOS[name]
    for n, call in enumerate(load_tape(shared_tape(name)).interactions):
        made, sent = body(natural(name, scenario, n)), json.loads(call.request.body)
        if scenario == "thinking" and n:  # The recording client left encrypted reasoning out; it goes back here.
            reasoning, called = made["input"][2], made["input"][3]
            assert reasoning["type"] == "reasoning"
            assert reasoning["encrypted_content"]
            del made["input"][2], called["id"]
        assert made == sent


@pytest.mark.parametrize(("name", "n"), REQUESTS, ids=[f"{name}-{n}" for name, n in REQUESTS])
def test_a_recorded_request_that_was_read_is_written_as_it_was(name: str, n: int) -> None:
    sent = load_tape(shared_tape(name)).interactions[n].request.body
    request = decode_request(sent, "/v1/responses", None)
    assert body(request, origin=None) == json.loads(sent)
    assert request.messages[-1].role in ("user", "tool")


def own(**data: Any) -> Opaque:
    return Opaque("openai_responses", data, "openai")


REASONING = {"id": "rs", "summary": [{"type": "summary_text", "text": "why"}], "encrypted_content": "E"}
SEARCH = {"type": "web_search_call", "id": "ws", "status": "completed", "action": {"type": "search"}}


def test_reasoning_and_what_follows_it_go_back_together_with_their_ids() -> None:
    said = Message(
        "assistant",
        (
            ReasoningPart("why", own(**REASONING)),
            ToolCallPart("ws", "web_search", "{}", True, own(item=SEARCH)),
            TextPart("see", opaque=own(id="m1", phase="commentary")),
            ToolCallPart("c", "f", "", opaque=own(id="fc", namespace="n")),
        ),
    )
    assert encoded_input(user("x"), said, model="gpt-5")[1:] == [
        {"type": "reasoning", **REASONING},
        SEARCH,
        {
            "type": "message",
            "id": "m1",
            "role": "assistant",
            "status": "completed",
            "phase": "commentary",
            "content": [{"type": "output_text", "text": "see", "annotations": []}],
        },
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "namespace": "n", "id": "fc"},
    ]


def test_a_model_that_does_not_think_gets_no_reasoning_nor_what_needs_it() -> None:
    said = Message(
        "assistant",
        (
            ReasoningPart("why", own(**REASONING)),
            ToolCallPart("ws", "web_search", "{}", True, own(item=SEARCH)),
            ToolCallPart("c", "f", "{}", opaque=own(id="fc")),
        ),
    )
    for model in ("gpt-4o", "openai/gpt-4.1", "gpt-5-chat-latest"):
        encoded = encode_request(ask(user("x"), said, model=model), Dialect(), "openai")
        assert json.loads(encoded.body)["input"][1:] == [
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
        ]
        assert len(encoded.losses) == 2
    for model in ("gpt-5", "o3", "my-deployment", "openai/gpt-oss-20b", "gpt-5.2"):
        assert len(encoded_input(user("x"), said, model=model)) == 4


def losses(*messages: Message) -> list[str]:
    return list(encode_request(ask(*messages), Dialect(), "openai").losses)


def test_what_others_wanted_back_with_parts_is_a_loss() -> None:
    theirs = Opaque("gemini", {"thoughtSignature": "x"}, "google")
    said = Message("assistant", (TextPart("t", opaque=theirs), ToolCallPart("functions.add:0", "f", opaque=theirs)))
    done = Message("tool", (ToolResultPart("functions.add:0", "f", "1", opaque=theirs),))
    assert losses(Message("user", (TextPart("q", opaque=theirs),)), said, done) == [
        f"what google wanted back with a {what} stayed home" for what in ("text", "tool_call", "tool_result")
    ]


def test_that_a_result_is_an_error_is_told_where_nothing_says_it() -> None:
    for words, told in (("boom", 1), ("Error: boom", 0)):
        assert len(losses(Message("tool", (ToolResultPart("c", "f", words, is_error=True),)))) == told
    shell = ToolCallPart("c", "shell", "{}", opaque=own(item={"type": "shell_call", "id": "s", "call_id": "c"}))
    done = ToolResultPart("c", "shell", "boom", is_error=True)
    assert losses(Message("assistant", (shell,)), Message("tool", (done,))) == []


@pytest.mark.parametrize(
    ("part", "named"),
    [
        (MediaPart("application/pdf", b"%PDF", filename="a.pdf"), True),
        (MediaPart("application/pdf", url="https://x/a.pdf", filename="a.pdf"), False),
        (MediaPart("application/pdf", file_id="file_1", filename="a.pdf"), False),
        (MediaPart("image/png", b"x", filename="a.png"), False),
        (MediaPart("audio/wav", b"x", filename="a.wav"), False),
    ],
)
def test_a_file_name_goes_with_bytes_of_files_only_and_else_is_told(part: MediaPart, named: bool) -> None:
    message = Message("user", (part,))
    piece = encoded_input(message)[0]["content"][0]
    assert ("filename" in piece, len(losses(message))) == (named, not named)


def test_a_result_cannot_hold_a_sound() -> None:
    done = Message("tool", (ToolResultPart("c", "f", "", media=(MediaPart("audio/wav", b"x"),)),))
    with pytest.raises(EncodeError, match="holds a sound"):
        encoded_input(done)


def test_the_pieces_of_a_result_keep_their_order() -> None:
    image, words = {"type": "input_image", "file_id": "f"}, {"type": "input_text", "text": "a"}
    for output in ([image, words], [words, words], [words, image], [words], "a", []):
        items = [
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": output},
        ]
        request = decode_request(json.dumps({"model": "gpt-5", "input": items}).encode(), "", "openai")
        sent = body(request)["input"][1]["output"]
        assert sent == ("a" if output == [words] else output or "")


def test_a_server_of_tools_is_chosen_by_its_label() -> None:
    served = ProviderTool("docs", raw={"type": "mcp", "server_label": "docs", "server_url": "https://x"})
    request = ModelRequest("gpt-5", (user("x"),), settings={"tool_choice": "docs"}, provider_tools=(served,))
    assert body(request)["tool_choice"] == {"type": "mcp", "server_label": "docs"}


def test_a_request_that_is_cut_is_wrong_and_not_to_be_tried_again() -> None:
    with pytest.raises(DecodeError) as caught:
        decode_request(b'{"model":')
    assert type(caught.value) is DecodeError


def test_without_encrypted_reasoning_nothing_that_needs_it_goes_back() -> None:
    said = Message(
        "assistant",
        (
            ReasoningPart("why", own(id="rs", summary=[])),
            ToolCallPart("ws", "web_search", "{}", True, own(item=SEARCH)),
            TextPart("see", opaque=own(id="m1")),
            ToolCallPart("c", "f", "{}", opaque=own(id="fc")),
            ReasoningPart("last", own(**REASONING)),
        ),
    )
    encoded = encode_request(ask(user("x"), said, model="gpt-5"), Dialect(), "openai")
    assert json.loads(encoded.body)["input"][1:] == [
        {"role": "assistant", "content": "see"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    ]
    assert [loss.split(" was")[0] for loss in encoded.losses] == [
        "reasoning of openai",
        "what openai did by its own tool 'web_search'",
        "reasoning that nothing follows",
    ]
    stored = body(ask(user("x"), said, model="gpt-5", extra_body={"store": True}))
    assert [item.get("id") for item in stored["input"]] == [None, "rs", "ws", "m1", "fc"]


def test_what_others_issued_stays_home_and_is_told() -> None:
    said = Message(
        "assistant",
        (
            ReasoningPart("why", Opaque("anthropic", {"signature": "s"}, "anthropic")),
            ReasoningPart("", Opaque("openai_responses", dict(REASONING), "azure")),
            ToolCallPart("srv", "web_search", "{}", True, Opaque("anthropic", {}, "anthropic")),
            ToolResultPart("srv", "web_search", "found", opaque=Opaque("anthropic", {}, "anthropic")),
            MediaPart("image/png", b"x"),
            TextPart("so", (Citation(title="a document"), Citation("http://x", "X", start=0, end=2))),
        ),
    )
    encoded = encode_request(ask(user("x"), said), Dialect(), "openai")
    annotation = {"type": "url_citation", "url": "http://x", "title": "X", "start_index": 0, "end_index": 2}
    assert json.loads(encoded.body)["input"][1:] == [
        {"role": "assistant", "content": [{"type": "output_text", "text": "so", "annotations": [annotation]}]}
    ]
    assert len(encoded.losses) == 5


def test_media_go_in_the_words_that_the_format_has() -> None:
    pieces = [
        MediaPart("image/png", b"x"),
        MediaPart("image/jpeg", url="http://x/y.jpg", opaque=own(fields={"detail": "high"})),
        MediaPart("image/*", file_id="file-1"),
        MediaPart("application/pdf", b"x", filename="a.pdf"),
        MediaPart("application/pdf", url="http://x/y.pdf"),
        MediaPart("application/pdf", file_id="file-2"),
        MediaPart("text/plain", b"x"),
        MediaPart("audio/mpeg", b"x"),
    ]
    assert encoded_input(user(cast("Any", pieces)))[0]["content"] == [
        {"type": "input_image", "image_url": "data:image/png;base64,eA=="},
        {"type": "input_image", "image_url": "http://x/y.jpg", "detail": "high"},
        {"type": "input_image", "file_id": "file-1"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,eA=="},
        {"type": "input_file", "file_url": "http://x/y.pdf"},
        {"type": "input_file", "file_id": "file-2"},
        {"type": "input_file", "filename": "document.txt", "file_data": "data:text/plain;base64,eA=="},
        {"type": "input_audio", "input_audio": {"data": "eA==", "format": "mp3"}},
    ]
    for part in (MediaPart("audio/wav", url="http://x"), MediaPart("video/mp4", b"x"), MediaPart("image/png")):
        with pytest.raises(EncodeError):
            body(ask(user([part])))


def test_results_answer_in_the_form_that_their_calls_want() -> None:
    kinds = {"custom_tool_call": "sql", "computer_call": "computer", "local_shell_call": "local_shell"}
    kinds |= {"shell_call": "shell", "apply_patch_call": "apply_patch"}
    items = [{"type": kind, "id": f"i-{kind}", "call_id": kind, "name": "sql", "input": "x"} for kind in kinds]
    calls = [ToolCallPart(it["call_id"], kinds[it["type"]], "{}", opaque=own(item=it)) for it in items]
    calls.append(ToolCallPart("f", "shot", "{}"))
    image = MediaPart("image/png", b"x")
    results = [
        ToolResultPart("custom_tool_call", "sql", "rows"),
        ToolResultPart(
            "computer_call", "computer", media=(image,), opaque=own(fields={"acknowledged_safety_checks": []})
        ),
        ToolResultPart("local_shell_call", "local_shell", "out"),
        ToolResultPart("shell_call", "shell", "out", is_error=True),
        ToolResultPart("apply_patch_call", "apply_patch", "done"),
        ToolResultPart("f", "shot", "see", media=(image,)),
    ]
    made = ask(user("x"), Message("assistant", tuple(calls)), Message("tool", tuple(results)))
    encoded = body(made)["input"]
    assert encoded[1:6] == items
    shown = {"type": "input_image", "image_url": "data:image/png;base64,eA=="}
    assert encoded[7:] == [
        {"type": "custom_tool_call_output", "call_id": "custom_tool_call", "output": "rows"},
        {
            "type": "computer_call_output",
            "call_id": "computer_call",
            "output": {**shown, "type": "computer_screenshot"},
            "acknowledged_safety_checks": [],
        },
        {"type": "local_shell_call_output", "id": "local_shell_call", "output": "out"},
        {
            "type": "shell_call_output",
            "call_id": "shell_call",
            "output": [{"stdout": "out", "stderr": "", "outcome": {"type": "exit", "exit_code": 1}}],
        },
        {
            "type": "apply_patch_call_output",
            "call_id": "apply_patch_call",
            "status": "completed",
            "output": "done",
        },
        {"type": "function_call_output", "call_id": "f", "output": [{"type": "input_text", "text": "see"}, shown]},
    ]
    read = there_and_back(made)
    assert read.messages[2].parts == tuple(results)
    with pytest.raises(EncodeError, match="screenshot"):
        body(ask(Message("assistant", tuple(calls)), Message("tool", (ToolResultPart("computer_call", "computer"),))))


def test_options_within_text_stand_beside_the_format_of_the_answer() -> None:
    dialect = Dialect(option_fields=("text",))
    request = ask(user("x"), response_format={"type": "json_object"}, options={"text": {"verbosity": "low"}})
    assert body(request, dialect)["text"] == {"format": {"type": "json_object"}, "verbosity": "low"}


def test_settings_have_the_names_of_the_format() -> None:
    made = body(
        ask(
            user("x"),
            temperature=0.5,
            top_p=0.9,
            logprobs=3,
            parallel_tool_calls=False,
            service_tier="flex",
            user="u",
            cache={"key": "k", "ttl": "24h"},
            response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": True}},
            options={"verbosity": "low", "truncation": "auto", "include": ["web_search_call.action.sources"]},
            extra_body={"metadata": {"a": "b"}},
        ),
        Dialect(option_fields=("verbosity", "truncation", "include"), body={"safety_identifier": "s"}),
    )
    del made["input"]
    assert made == {
        "model": "gpt-4o",
        "store": False,
        "safety_identifier": "s",
        "temperature": 0.5,
        "top_p": 0.9,
        "top_logprobs": 3,
        "parallel_tool_calls": False,
        "service_tier": "flex",
        "user": "u",
        "prompt_cache_key": "k",
        "prompt_cache_retention": "24h",
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {}, "strict": True}, "verbosity": "low"},
        "truncation": "auto",
        "include": ["message.output_text.logprobs", "web_search_call.action.sources"],
        "metadata": {"a": "b"},
    }


@pytest.mark.parametrize(
    ("model", "settings", "left_out"),
    [
        (
            "gpt-4o",
            {"seed": 1, "stop": ["x"], "top_k": 2, "presence_penalty": 0.1},
            ["seed", "stop", "top_k", "pres"],
        ),
        ("o4-mini", {"temperature": 0.5, "top_p": 0.5, "logprobs": 1}, ["temperature", "top_p", "logprobs"]),
        ("gpt-5.2", {"temperature": 0.5, "reasoning": "none"}, []),
        ("gpt-5-chat-latest", {"temperature": 0.5}, []),
        ("gpt-35-turbo", {"temperature": 0.5}, []),
        ("gpt-4o", {"cache": {"ttl": "1h"}, "tool_choice": "required"}, ["cache", "tool_choice"]),
        ("gpt-4o", {"user": "u"}, ["user"]),
    ],
)
def test_a_setting_that_cannot_be_said_is_left_out_and_told(
    model: str, settings: dict[str, Any], left_out: list[str]
) -> None:
    encoded = encode_request(ask(user("x"), model=model, **settings), Dialect(unsupported=("user",)), None)
    told = sorted(encoded.unsupported)
    assert len(told) == len(left_out)
    for name, sentence in zip(sorted(left_out), told, strict=True):
        assert f"`{name}" in sentence
    kept = [name for name in settings if not any(name.startswith(it) for it in left_out)]
    assert all(name in json.loads(encoded.body) for name in kept)


@pytest.mark.parametrize(
    ("setting", "reasoning", "included"),
    [
        ("high", {"effort": "high"}, True),
        (True, None, True),
        (False, {"effort": "none"}, False),
        ("none", {"effort": "none"}, False),
        (4000, {"effort": "medium"}, True),
        ({"summary": True}, {"summary": "auto"}, True),
        ({"effort": "low", "summary": False}, {"effort": "low"}, True),
    ],
)
def test_reasoning_is_asked_for_with_its_encrypted_form(setting: Any, reasoning: Any, included: bool) -> None:
    made = body(ask(user("x"), model="gpt-5", reasoning=setting))
    assert made.get("reasoning") == reasoning
    assert ("include" in made) == included
    assert "include" not in body(ask(user("x"), model="gpt-5", reasoning=setting, extra_body={"store": True}))


def test_tools_and_the_choice_between_them() -> None:
    request = ModelRequest(
        "gpt-4o",
        (user("x"),),
        (
            ToolSpec("f", "", {}, strict=True),
            ToolSpec("sql", "", {}, raw={"type": "custom", "name": "sql"}),
            ToolSpec("computer", "", {}, raw={"type": "computer_use_preview", "display_width": 9}),
        ),
        provider_tools=(
            ProviderTool("web_search", {"search_context_size": "low"}),
            ProviderTool("code_execution"),
            ProviderTool("mine", raw={"type": "mcp", "server_label": "mine"}),
        ),
    )
    assert body(request)["tools"] == [
        {"type": "function", "name": "f", "parameters": {}, "strict": True},
        {"type": "custom", "name": "sql"},
        {"type": "computer_use_preview", "display_width": 9},
        {"type": "web_search", "search_context_size": "low"},
        {"type": "code_interpreter", "container": {"type": "auto"}},
        {"type": "mcp", "server_label": "mine"},
    ]
    choices = {
        "none": "none",
        "f": {"type": "function", "name": "f"},
        "sql": {"type": "custom", "name": "sql"},
        "computer": {"type": "computer_use_preview"},
        "web_search": {"type": "web_search"},
    }
    for choice, said in choices.items():
        assert body(msgspec.structs.replace(request, settings={"tool_choice": choice}))["tool_choice"] == said
    with pytest.raises(EncodeError, match="no provider tool 'web_fetch'"):
        body(msgspec.structs.replace(request, provider_tools=(ProviderTool("web_fetch"),)))


WORDS = st.text(min_size=1, max_size=8)
TEXT = st.builds(TextPart, WORDS)
IMAGES = st.builds(MediaPart, st.just("image/png"), st.binary(max_size=3))
FILES = st.builds(
    MediaPart, st.just("application/pdf"), st.binary(max_size=3), filename=st.sampled_from(["a.pdf", "b.pdf"])
)
CALLS = st.builds(ToolCallPart, st.uuids().map(str), st.sampled_from(["f", "g"]), st.just('{"a":1}'))
THOUGHT = st.builds(ReasoningPart, st.just("why"), st.just(own(**REASONING)))
USER = st.builds(Message, st.just("user"), st.lists(TEXT | IMAGES | FILES, min_size=1, max_size=3).map(tuple))


@st.composite
def turns(draw: st.DrawFn) -> list[Message]:
    """What a model said, and what its tools gave."""
    thoughts, words = draw(st.lists(THOUGHT, max_size=1)), draw(st.lists(TEXT, max_size=1))
    refused = draw(st.lists(st.builds(RefusalPart, WORDS), max_size=1)) if not words else []
    calls = draw(st.lists(CALLS, max_size=3, unique_by=lambda it: it.id))
    parts = (*words, *refused, *calls)
    if not parts:
        return []
    said = Message("assistant", (*thoughts, *parts))
    media = st.lists(IMAGES, max_size=2).map(tuple)
    results = tuple(ToolResultPart(it.id, it.name, draw(WORDS), media=draw(media)) for it in calls)
    return [said, *([Message("tool", results)] if results else [])]


SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "max_tokens": st.integers(1, 99),
        "temperature": st.floats(0, 1),
        "parallel_tool_calls": st.booleans(),
        "logprobs": st.integers(0, 5),
        "reasoning": st.sampled_from(["low", "none", {"effort": "high", "summary": "auto"}, {"summary": "concise"}]),
        "response_format": st.sampled_from(
            [
                {"type": "text"},
                {"type": "json_object"},
                {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": False}},
            ]
        ),
        "cache": st.sampled_from([{"key": "k"}, {"ttl": "24h"}, {"key": "k", "ttl": "24h"}]),
        "service_tier": st.just("flex"),
        "user": WORDS,
        "extra_body": st.sampled_from([{"store": True}, {"metadata": {"a": "b"}, "truncation": "auto"}]),
    },
)


@given(st.data())
def test_what_is_said_in_this_format_is_read_as_it_was_meant(data: st.DataObject) -> None:
    first = data.draw(st.lists(st.builds(system, WORDS), max_size=1))
    rest = [data.draw(USER)]
    for _ in range(data.draw(st.integers(0, 2))):
        rest += [*data.draw(turns()), data.draw(USER)]
    tools = data.draw(
        st.lists(st.sampled_from([WEATHER, *TOOLS["multi_tool"]]), max_size=2, unique_by=lambda t: t.name)
    )
    hosted = data.draw(
        st.lists(st.sampled_from([ProviderTool("web_search"), ProviderTool("code_execution")]), max_size=1)
    )
    settings = data.draw(SETTINGS)
    if tools and data.draw(st.booleans()):
        settings["tool_choice"] = data.draw(st.sampled_from(["none", "required", "weather", {"type": "mcp"}]))
    request = ModelRequest(
        "grok-4", (*first, *rest), tuple(tools), cast("Settings", settings), data.draw(st.booleans()), tuple(hosted)
    )
    encoded = encode_request(request, Dialect(), "openai")
    assert (encoded.losses, encoded.unsupported) == ((), ())
    assert decode_request(encoded.body, "/v1/responses", "openai") == request


def test_what_a_client_may_write_in_several_ways_means_the_same() -> None:
    request = decode_request(
        json.dumps(
            {
                "model": "gpt-5",
                "instructions": "Be brief",
                "input": [
                    {"role": "system", "content": [{"type": "input_text", "text": "and kind"}]},
                    {"role": "user", "content": "hello"},
                    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]},
                    {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "id": "fc"},
                    {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "1"}]},
                    {"type": "web_search_call", "id": "ws", "status": "completed", "action": {"type": "search"}},
                    {"type": "compaction", "encrypted_content": "E"},
                ],
                "tools": [{"type": "function", "name": "f", "parameters": None, "strict": None}],
                "tool_choice": {"type": "function", "name": "f"},
                "reasoning": {"effort": "low", "context": "all"},
                "top_logprobs": 2,
                "include": ["web_search_call.action.sources"],
                "prompt_cache_retention": "in_memory",
                "safety_identifier": "s",
                "text": {"verbosity": "low"},
                "stream": None,
            }
        ).encode()
    )
    assert [(message.role, message.text) for message in request.messages] == [
        ("system", "Be brief"),
        ("system", "and kind"),
        ("user", "hello"),
        ("assistant", "hi"),
        ("tool", ""),
        ("assistant", ""),
    ]
    assert request.messages[4].parts == (ToolResultPart("c", "f", "1"),)
    assert request.settings == {
        "tool_choice": "f",
        "reasoning": "low",
        "extra_body": {
            "top_logprobs": 2,
            "include": ["web_search_call.action.sources"],
            "prompt_cache_retention": "in_memory",
            "safety_identifier": "s",
            "text": {"verbosity": "low"},
            "reasoning": {"effort": "low", "context": "all"},
        },
    }
    again = body(request, origin=None)
    assert again["instructions"] == "Be brief"
    assert again["input"][0] == {"role": "system", "content": "and kind"}
    assert again["input"][-1] == {"type": "compaction", "encrypted_content": "E"}
    assert again["tools"][0]["parameters"] is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"model": None}, "`model` should be the model's name, but is missing"),
        ({"previous_response_id": "r"}, "`previous_response_id` names a conversation"),
        ({"conversation": {"id": "c"}}, "`conversation` names a conversation"),
        ({"input": 1}, "`input` should be a string or a list, but is 1"),
        ({"input": ["x"]}, "`input[0]` should be an object"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "`input[0]` refers to an item"),
        ({"input": [{"id": "x"}]}, "`input[0]` refers to an item"),
        ({"input": [{"role": "user", "content": [{"type": "x"}]}]}, "`input[0].content[0].type`"),
        ({"input": [{"role": "king", "content": ""}]}, "`input[0].role`"),
        ({"input": [{"type": "function_call", "name": "f"}]}, "`input[0].call_id` should be the call's id"),
        ({"input": [{"type": "function_call_output", "call_id": "c"}]}, "`input[0].output`"),
        ({"input": [{"type": 1}]}, "`input[0].type`"),
        ({"tools": [1]}, "`tools[0]`"),
        ({"tools": [{"type": "function"}]}, "`tools[0].name`"),
        ({"temperature": "hot"}, "`temperature` should be a number"),
        ({"max_output_tokens": True}, "`max_output_tokens` should be a whole number"),
        ({"stream": "yes"}, "`stream` should be true or false"),
        ({"reasoning": "high"}, "`reasoning` should be an object"),
    ],
)
def test_a_request_that_cannot_be_read_says_which_field(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_request(json.dumps({"model": "m", "input": "x", **fields}).encode())
    assert str(caught.value).startswith(words)


def test_ids_that_are_too_long_are_replaced_alike_everywhere() -> None:
    id = "x" * 100
    call, result = ToolCallPart(id, "f", "{}"), ToolResultPart(id, "f", "1")
    items = encoded_input(Message("assistant", (call,)), Message("tool", (result,)))
    assert items[0]["call_id"] == items[1]["call_id"]
    assert len(items[0]["call_id"]) <= 64


def test_what_openai_s_package_sends_is_read() -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={"id": "r", "object": "response", "model": "m", "output": []})

    client = openai.OpenAI(
        api_key="not-a-key",
        base_url="http://x/v1",
        http_client=httpx.Client(transport=httpx.MockTransport(answer)),
    )
    with client:
        client.responses.create(
            model="gpt-5",
            instructions="Be brief",
            input=[
                {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
                {"type": "reasoning", **cast("Any", REASONING)},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "1"},
            ],
            tools=[{"type": "function", "name": "f", "parameters": {}, "strict": True}, {"type": "web_search"}],
            reasoning={"effort": "low", "summary": "auto"},
            include=["reasoning.encrypted_content"],
            max_output_tokens=9,
            store=False,
        )
    (request,) = sent
    read = decode_request(request.content, request.url.path, "client")
    assert read.messages[0].text == "Be brief"
    assert read.messages[2].reasoning == "why"
    assert read.tools == (ToolSpec("f", "", {}, True),)
    assert read.provider_tools == (ProviderTool("web_search"),)
    assert read.settings == {"max_tokens": 9, "reasoning": {"effort": "low", "summary": "auto"}}
    assert body(read, origin="client") == json.loads(request.content) | {"tool_choice": "auto"}
