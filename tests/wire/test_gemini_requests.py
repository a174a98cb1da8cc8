"""Gemini requests: as the recordings have them, as somebody else's client has them, and what cannot be said."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import expected, shared_tape
from playhead import DecodeError, EncodeError
from playhead.events import MessageEnd
from playhead.messages import (
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
from playhead.tape.effects import Interaction
from playhead.tape.files import load_tape
from playhead.wire import Dialect
from playhead.wire.gemini import Decoder, decode_request, encode_request
from scenarios import BOTH, HELPFUL, SUM, add, multiply, weather

CASSETTES = sorted(
    name
    for name, cassette in expected().items()
    if all(response["protocol"] == "gemini" for response in cassette["responses"])
) or ["recorded"]
STEPS = [name for name in CASSETTES if len(expected().get(name, {}).get("responses", "ab")) == 2]
NEW, OLD = "gemini-3-pro-preview", "gemini-2.5-flash"


def interactions(name: str) -> list[Interaction]:
    return load_tape(shared_tape(name)).interactions


def path_of(call: Interaction) -> str:
    return httpx.URL(call.request.url).path


def encode(request: ModelRequest, dialect: Dialect | None = None, origin: str | None = "google") -> dict[str, Any]:
    return json.loads(encode_request(request, dialect or Dialect(), origin).body)


def ask(*messages: Message, model: str = OLD, **more: Any) -> ModelRequest:
    return ModelRequest(model, messages or (user("hi"),), **more)


def decode(body: Any, path: str = f"/v1beta/models/{OLD}:generateContent") -> ModelRequest:
    return decode_request(json.dumps(body).encode(), path, "google")


def without_made_up_ids(body: dict[str, Any]) -> dict[str, Any]:
    """The recording client made up the ids "1" and "2" for Gemini, and sent them back."""
    for content in body["contents"]:
        for part in content["parts"]:
            for name in ("functionCall", "functionResponse"):
                if part.get(name, {}).get("id") in ("1", "2"):
                    del part[name]["id"]
    return body


@pytest.mark.parametrize("name", CASSETTES)
def test_recorded_requests_are_understood_and_said_again(name: str) -> None:
    for call in interactions(name):
        request = decode_request(call.request.body, path_of(call), "google")
        assert request.model in path_of(call)
        assert request.stream == ("stream" in path_of(call))
        assert encode(request) == json.loads(call.request.body)


def first_request(name: str) -> ModelRequest:
    """What the scenario asks for first."""
    kind = expected()[name]["scenario"]
    stream = name.endswith("streaming.yaml")
    critical = f"{HELPFUL}. CRITICAL: {BOTH} ALWAYS."
    instruction = {"multi_tool": f"{HELPFUL}. {BOTH}." if stream else critical}.get(kind, HELPFUL)
    prompts = {"simple": "Say hi in Portuguese", "multi_tool": SUM, "tool": "What's the weather in Florence,Italy?"}
    prompt = prompts.get(kind, "What's the weather in Florence, Italy?")
    tools = {"simple": (), "multi_tool": (add.spec, multiply.spec)}.get(kind, (weather.spec,))
    model = path_of(interactions(name)[0]).rpartition("/")[2].partition(":")[0]
    reasons: Settings = {"reasoning": "high"} if model == NEW else {"reasoning": 128}
    return ModelRequest(
        model,
        (system(instruction), user(prompt)),
        tools,
        reasons if kind == "thinking" else {"max_tokens": 4000},
        stream,
    )


@pytest.mark.parametrize("name", [name for name in CASSETTES if "Object" not in name and "Image" not in name])
def test_a_scenario_asks_as_the_recordings_do(name: str) -> None:
    calls = interactions(name)
    request = first_request(name)
    assert encode(request) == json.loads(calls[0].request.body)
    if len(calls) == 1:
        return
    decoder = Decoder("google")
    *_, last = decoder.feed(calls[0].body) + decoder.close()
    assert isinstance(last, MessageEnd)
    gives = {"add": "5", "multiply": "6", "weather": "40 C"}
    results = tuple(ToolResultPart(call.id, call.name, gives[call.name]) for call in last.response.tool_calls)
    history = (*request.messages, last.response.message, Message("tool", results))
    encoded = encode_request(
        ModelRequest(request.model, history, request.tools, request.settings), Dialect(), "google"
    )
    assert json.loads(encoded.body) == without_made_up_ids(json.loads(calls[1].request.body))
    assert encoded.losses == ()


SIGNED = Opaque("gemini", {"thoughtSignature": "s", "id": "c1"}, "google")
CALLS = Message("assistant", (ToolCallPart("c1", "f", '{"a":1}', opaque=SIGNED), ToolCallPart("call_1_1", "f", "{}")))
RESULTS = Message("tool", (ToolResultPart("c1", "f", "one"), ToolResultPart("call_1_1", "f", "two", is_error=True)))
OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
BEHIND = Opaque("gemini", {"thoughtSignature": "s", "at": 1}, "google")
THOUGHT = Opaque("gemini", {"thought": True, "thoughtSignature": "s"}, "google")
F = ToolSpec("f", "", OBJECT)
PNG = MediaPart("image/png", b"\x89P")

SAID: list[ModelRequest] = [
    ask(system("be brief"), user("hi")),
    ask(user(["look", PNG, MediaPart("video/mp4", url="https://a.test/v"), MediaPart("x/y", file_id="gs://b/c")])),
    ask(user("go"), CALLS, RESULTS, user("and?")),
    ask(user("go"), CALLS, RESULTS, user("and?"), model=NEW),
    ask(user("a"), Message("assistant", (TextPart("b", opaque=BEHIND),))),
    ask(user("a"), Message("assistant", (ReasoningPart("b", THOUGHT),))),
    ask(tools=(ToolSpec("f", "does", OBJECT), ToolSpec("g", "", {"type": "object", "properties": {}}))),
    ask(tools=(ToolSpec("f", "does", {"type": "object", "properties": {"a": {"$ref": "#/x"}}}),)),
    ask(provider_tools=(ProviderTool("web_search", {"timeRangeFilter": {}}), ProviderTool("code_execution"))),
    ask(provider_tools=(ProviderTool("googleMaps", raw={"googleMaps": {}}),)),
    ask(settings={"max_tokens": 5, "temperature": 0.5, "top_p": 1.0, "top_k": 4, "stop": ["x"], "seed": 3}),
    ask(settings={"presence_penalty": 0.5, "frequency_penalty": -1.5, "logprobs": 0}),
    ask(settings={"logprobs": 2, "response_format": {"type": "json_object"}}, stream=True),
    ask(settings={"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": OBJECT}}}),
    ask(settings={"response_format": {"type": "text"}, "reasoning": False}),
    ask(settings={"reasoning": 200}),
    ask(settings={"reasoning": True}),
    ask(settings={"reasoning": {"budget_tokens": 200, "summary": False}}),
    ask(settings={"reasoning": "low"}, model="gemini-3-flash-preview"),
    ask(settings={"reasoning": {"summary": False}}, model=NEW),
    *(ask(tools=(F,), settings={"tool_choice": choice}) for choice in ("none", "required", "f")),
    ask(tools=(F,), settings={"tool_choice": {"mode": "VALIDATED"}}),
    ask(
        settings={"extra_body": {"safetySettings": [{"category": "x"}], "generationConfig": {"mediaResolution": "M"}}}
    ),
    ask(settings={"extra_body": {"generationConfig": {"thinkingConfig": {"thinkingBudget": -1}}}, "reasoning": True}),
]


@pytest.mark.parametrize("request_", SAID, ids=range(len(SAID)))
def test_what_the_format_can_say_is_read_as_it_was_meant(request_: ModelRequest) -> None:
    encoded = encode_request(request_, Dialect(), "google")
    path = f"/v1beta/models/{request_.model}:{'streamG' if request_.stream else 'g'}enerateContent"
    assert decode_request(encoded.body, path, "google") == request_
    assert (encoded.losses, encoded.unsupported) == ((), ())


WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
NAMES = st.sampled_from(["add", "mul"])
USER = st.lists(
    st.builds(TextPart, WORDS) | st.builds(MediaPart, WORDS, st.binary(max_size=4)), min_size=1, max_size=3
)


@st.composite
def conversations(draw: st.DrawFn) -> ModelRequest:
    messages: list[Message] = []
    for turn in range(draw(st.integers(1, 4))):
        messages.append(Message("user", tuple(draw(USER))))
        said: list[Part] = list(draw(st.lists(st.builds(TextPart, WORDS), max_size=2)))
        sent = draw(st.booleans())
        calls = [
            ToolCallPart(
                f"sent-{turn}-{n}" if sent else f"call_{len(messages)}_{n}",
                draw(NAMES),
                draw(st.sampled_from(["{}", '{"a":1}', '{"b":[null,1.5,"x"]}'])),
                opaque=Opaque("gemini", {"id": f"sent-{turn}-{n}"}, "google") if sent else None,
            )
            for n in range(draw(st.integers(0, 3)))
        ]
        if said or calls:
            messages.append(Message("assistant", (*said, *calls)))
        if calls:
            results = [ToolResultPart(call.id, call.name, draw(WORDS), draw(st.booleans())) for call in calls]
            messages.append(Message("tool", tuple(results)))
    return ask(*messages, model=draw(st.sampled_from([OLD, NEW])))


@given(conversations())
@settings(deadline=None)
def test_any_conversation_is_read_as_it_was_meant(request: ModelRequest) -> None:
    encoded = encode_request(request, Dialect(), "google")
    assert decode_request(encoded.body, f"/models/{request.model}:generateContent", "google") == request


def test_ids_that_were_made_up_do_not_go_out_and_results_find_their_calls_without() -> None:
    history = (user("go"), CALLS, RESULTS)
    _, calls, results = encode(ask(*history))["contents"]
    assert [part["functionCall"].get("id") for part in calls["parts"]] == ["c1", None]
    assert [part["functionResponse"] for part in results["parts"]] == [
        {"id": "c1", "name": "f", "response": {"result": "one"}},
        {"name": "f", "response": {"error": "two"}},
    ]


def test_calls_of_another_model_carry_the_signature_that_says_so_to_gemini_3_only() -> None:
    theirs = Opaque("openai_responses", {"item": "fc_1"}, "openai")
    calls = Message(
        "assistant", (ToolCallPart("call_a", "f", "{}", opaque=theirs), ToolCallPart("call_b", "f", "{}"))
    )
    request = ask(user("go"), calls, model=NEW)
    encoded = encode_request(request, Dialect(), "google")
    first, second = json.loads(encoded.body)["contents"][1]["parts"]
    assert first == {
        "functionCall": {"name": "f", "args": {}},
        "thoughtSignature": "skip_thought_signature_validator",
    }
    assert second == {"functionCall": {"name": "f", "args": {}}}
    assert encoded.losses == ("what openai wants back with tool_call parts stayed home",)
    assert "thoughtSignature" not in str(encode(ask(user("go"), calls)))


def test_what_was_issued_elsewhere_stays_home_and_is_told() -> None:
    vertex = Opaque("gemini", {"thoughtSignature": "s"}, "vertex")
    said = (
        ReasoningPart("because", Opaque("anthropic", {"signature": "x"}, "anthropic")),
        TextPart("so", opaque=vertex),
        ToolCallPart("s1", "web_search", "{}", True),
        ToolResultPart("s1", "web_search", "found"),
        RefusalPart("no"),
    )
    encoded = encode_request(ask(user("a"), Message("assistant", said), system("late")), Dialect(), "google")
    body = json.loads(encoded.body)
    assert body["contents"][1]["parts"] == [{"text": "so"}, {"text": "no"}]
    assert body["systemInstruction"]["parts"] == [{"text": "late"}]
    assert encoded.losses == (
        "reasoning of anthropic stayed home",
        "what vertex wants back with text parts stayed home",
        "what somebody else did by its own tool 'web_search' stayed home",
        "a refusal was sent as text",
        "a system message in the middle of the conversation was moved to its beginning",
    )


def test_a_summary_of_thoughts_is_for_readers_and_one_from_a_client_goes_on() -> None:
    ours = Message("assistant", (ReasoningPart("hm", Opaque("gemini", {"thought": True}, "google")), TextPart("a")))
    encoded = encode_request(ask(user("a"), ours), Dialect(), "google")
    assert json.loads(encoded.body)["contents"][1]["parts"] == [{"text": "a"}]
    assert encoded.losses == ()
    body = {"contents": [{"role": "model", "parts": [{"text": "hm", "thought": True}, {"text": "a"}]}]}
    assert encode(decode(body)) == body


def test_media_of_tools_stand_in_their_result_for_gemini_3_and_beside_it_before() -> None:
    results = Message("tool", (ToolResultPart("c1", "f", "see", media=(PNG,)), ToolResultPart("c2", "f", "b")))
    inline = {"inlineData": {"mimeType": "image/png", "data": "iVA="}}
    first, second = encode(ask(results, model=NEW))["contents"][0]["parts"]
    assert first["functionResponse"]["parts"] == [inline]
    assert second == {"functionResponse": {"name": "f", "response": {"result": "b"}}}
    parts = encode(ask(results))["contents"][0]["parts"]
    assert [next(iter(part)) for part in parts] == ["functionResponse", "functionResponse", "text", "inlineData"]
    (again,) = decode({"contents": encode(ask(results, model=NEW))["contents"]}).messages
    assert isinstance(again.parts[0], ToolResultPart)
    assert again.parts[0].media == (PNG,)


@pytest.mark.parametrize(
    ("model", "reasoning", "wanted"),
    [
        ("gemini-2.5-flash", "low", {"thinkingBudget": 3200, "includeThoughts": True}),
        ("gemini-2.5-flash", "max", {"thinkingBudget": 15200, "includeThoughts": True}),
        ("gemini-2.5-flash", False, {"thinkingBudget": 0}),
        ("gemini-2.5-pro", 128, {"thinkingBudget": 128, "includeThoughts": True}),
        ("gemini-2.5-pro", False, None),
        ("gemini-3-pro-preview", "minimal", {"thinkingLevel": "LOW", "includeThoughts": True}),
        ("gemini-3.1-pro-preview", "none", None),
        ("gemini-3-flash", "minimal", {"thinkingLevel": "MINIMAL", "includeThoughts": True}),
        ("gemini-3-flash", "none", {"thinkingLevel": "MINIMAL"}),
        ("gemini-3-flash", {"effort": "max", "summary": False}, {"thinkingLevel": "HIGH", "includeThoughts": False}),
        ("gemini-3-flash", {"effort": "low", "budget_tokens": 9}, {"thinkingLevel": "LOW", "includeThoughts": True}),
        ("gemini-flash-latest", True, {"includeThoughts": True}),
    ],
)
def test_how_much_to_think_is_said_in_the_models_own_way(model: str, reasoning: Any, wanted: Any) -> None:
    encoded = encode_request(ask(model=model, settings={"reasoning": reasoning}), Dialect())
    assert json.loads(encoded.body).get("generationConfig", {}).get("thinkingConfig") == wanted
    assert bool(encoded.unsupported) == (wanted is None)


def test_settings_without_a_word_are_told() -> None:
    request = ask(
        settings={"parallel_tool_calls": False, "user": "u", "service_tier": "flex", "cache": {"key": "k"}, "seed": 1}
    )
    encoded = encode_request(request, Dialect(unsupported=("seed",)))
    assert json.loads(encoded.body) == {"contents": [{"parts": [{"text": "hi"}], "role": "user"}]}
    assert [sentence.split("`")[1] for sentence in encoded.unsupported] == [
        "seed",
        "parallel_tool_calls",
        "cache",
        "service_tier",
        "user",
    ]
    assert encode_request(ask(settings={"cache": True}), Dialect()).unsupported == ()


def test_options_extra_fields_and_headers_go_out() -> None:
    dialect = Dialect(body={"labels": {"a": "b"}}, option_fields=("safetySettings",), without=("toolConfig",))
    extra = {"generationConfig": {"responseModalities": ["IMAGE"]}, "labels": {"c": "d"}}
    request = ask(
        tools=(weather.spec,),
        settings={
            "options": {"safetySettings": []},
            "extra_body": extra,
            "extra_headers": {"x": "y"},
            "max_tokens": 1,
        },
    )
    body = encode(request, dialect)
    assert body["generationConfig"] == {"maxOutputTokens": 1, "responseModalities": ["IMAGE"]}
    assert (body["labels"], body["safetySettings"]) == ({"a": "b", "c": "d"}, [])
    assert "toolConfig" not in body
    assert encode_request(request, dialect).headers == (("x", "y"),)


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (ask(Message("user", (ToolCallPart("a", "f"),))), "a user message cannot hold a ToolCallPart"),
        (ask(Message("tool", (TextPart("a"),))), "a tool message cannot hold a TextPart"),
        (ask(Message("system", (PNG,))), "a system message cannot hold a MediaPart"),
        (ask(user([MediaPart("image/png")])), "has no `data`, `url` or `file_id`"),
        (ask(provider_tools=(ProviderTool("image_generation"),)), "responseModalities"),
        (ask(settings={"options": {"top": 1}}), "no option 'top'"),
    ],
)
def test_what_cannot_be_said_is_an_error(request_: ModelRequest, says: str) -> None:
    with pytest.raises(EncodeError, match=says):
        encode_request(request_, Dialect())


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        (OBJECT, {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "required": ["a"]}),
        (
            {"type": "object", "properties": {"a": {"type": ["integer", "null"], "minimum": 1}}},
            {"type": "OBJECT", "properties": {"a": {"type": "INTEGER", "nullable": True, "minimum": 1}}},
        ),
        (
            {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string", "enum": ["x"]}}}},
            {"type": "OBJECT", "properties": {"a": {"type": "ARRAY", "items": {"type": "STRING", "enum": ["x"]}}}},
        ),
        ({**OBJECT, "additionalProperties": False}, None),
        ({"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}, None),
        ({"type": "object", "properties": {"a": {"type": "object"}}}, None),
        ({"type": "object", "properties": {"a": {"type": "string", "format": "email"}}}, None),
        ({"type": "object", "properties": {"a": {"type": "integer", "enum": [1]}}}, None),
        ({"type": "object", "properties": {"a": True}}, None),
    ],
)
def test_a_schema_goes_out_in_googles_words_where_they_say_all_of_it(schema: dict[str, Any], wanted: Any) -> None:
    request = ask(tools=(ToolSpec("f", "", schema),))
    (function,) = encode(request)["tools"][0]["functionDeclarations"]
    assert function == {"name": "f"} | ({"parameters": wanted} if wanted else {"parametersJsonSchema": schema})
    assert decode(encode(request)).tools == request.tools


SENT = [
    types.Content(
        role="user",
        parts=[
            types.Part(text="hi"),
            types.Part.from_bytes(data=b"\xff\xfe\xfb\xef", mime_type="image/png"),
            types.Part.from_uri(file_uri="gs://a/b", mime_type="image/png"),
        ],
    ),
    types.Content(
        role="model",
        parts=[
            types.Part(text="hm", thought=True),
            types.Part(
                function_call=types.FunctionCall(name="w", args={"a_b": 1}), thought_signature=b"\xff\xfe\xfb\xef"
            ),
            types.Part(executable_code=types.ExecutableCode(code="1", language=types.Language.PYTHON)),
            types.Part(code_execution_result=types.CodeExecutionResult(outcome=types.Outcome.OUTCOME_OK, output="1")),
        ],
    ),
    types.Content(role="user", parts=[types.Part.from_function_response(name="w", response={"output": "x"})]),
]
CONFIG = types.GenerateContentConfig(
    system_instruction="be nice",
    temperature=0.5,
    top_k=3,
    max_output_tokens=10,
    stop_sequences=["a"],
    response_logprobs=True,
    logprobs=2,
    thinking_config=types.ThinkingConfig(thinking_budget=10, include_thoughts=True),
    safety_settings=[
        types.SafetySetting(
            category=types.HarmCategory.HARM_CATEGORY_HARASSMENT, threshold=types.HarmBlockThreshold.BLOCK_NONE
        )
    ],
    tool_config=types.ToolConfig(
        function_calling_config=types.FunctionCallingConfig(
            mode=types.FunctionCallingConfigMode.ANY, allowed_function_names=["w"]
        )
    ),
    tools=[
        types.Tool(
            function_declarations=[
                types.FunctionDeclaration(
                    name="w",
                    description="d",
                    parameters=types.Schema(
                        type=types.Type.OBJECT,
                        properties={"a_b": types.Schema(type=types.Type.STRING, nullable=True, min_length=1)},
                        required=["a_b"],
                    ),
                ),
                types.FunctionDeclaration(name="v", parameters_json_schema=OBJECT),
            ]
        ),
        types.Tool(google_search=types.GoogleSearch()),
    ],
)


def sent(stream: bool) -> tuple[bytes, str]:
    """What google-genai sends, and where."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(
            200, json={"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}]}
        )

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        options = types.HttpOptions(base_url="http://google.test", httpx_client=http)
        models = genai.Client(api_key="not-a-key", http_options=options).models
        if stream:
            list(models.generate_content_stream(model=OLD, contents=SENT, config=CONFIG))
        else:
            models.generate_content(model=OLD, contents=SENT, config=CONFIG)
    return seen[0].content, seen[0].url.path


@pytest.mark.parametrize("stream", [False, True])
def test_what_googles_own_client_sends_is_understood(stream: bool) -> None:
    request = decode_request(*sent(stream), "google")
    assert (request.model, request.stream) == (OLD, stream)
    instruction, question, said, result = request.messages
    assert (instruction.role, instruction.text) == ("system", "be nice")
    assert question.parts == (
        TextPart("hi"),
        MediaPart("image/png", b"\xff\xfe\xfb\xef"),
        MediaPart("image/png", file_id="gs://a/b"),
    )
    thought, call, ran, gave = said.parts
    assert isinstance(thought, ReasoningPart)
    assert isinstance(call, ToolCallPart)
    assert (call.name, call.arguments) == ("w", '{"a_b":1}')
    assert call.opaque is not None
    assert call.opaque.data["thoughtSignature"]
    assert isinstance(ran, ToolCallPart)
    assert isinstance(gave, ToolResultPart)
    assert gave.call_id == ran.id
    (answer,) = result.parts
    assert isinstance(answer, ToolResultPart)
    assert (answer.call_id, answer.text) == (call.id, "x")
    nullable = {"type": ["string", "null"], "minLength": 1}
    assert request.tools == (
        ToolSpec("w", "d", {"type": "object", "properties": {"a_b": nullable}, "required": ["a_b"]}),
        ToolSpec("v", "", OBJECT),
    )
    assert request.provider_tools == (ProviderTool("web_search"),)
    assert request.settings == {
        "temperature": 0.5,
        "top_k": 3,
        "max_tokens": 10,
        "stop": ["a"],
        "logprobs": 2,
        "reasoning": 10,
        "tool_choice": "w",
        "extra_body": {"safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]},
    }
    # And it goes on to Google as it meant.
    again = encode(request)
    assert again["contents"][1]["parts"][0] == {"text": "hm", "thought": True}
    assert again["contents"][2]["parts"] == [{"functionResponse": {"name": "w", "response": {"output": "x"}}}]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "the request should be a JSON object"),
        ({"contents": 1}, r"`contents` should be a list, but is 1"),
        ({"contents": ["hi"]}, r"`contents\[0\]` should be an object"),
        ({"contents": [{"parts": [1]}]}, r"`contents\[0\].parts\[0\]` should be an object"),
        ({"contents": [{"role": "robot"}]}, r"`contents\[0\].role` should be 'user' or 'model'"),
        ({"contents": [{"role": "model", "parts": [{"functionCall": {}}]}]}, r"functionCall.name` should be a name"),
        (
            {"contents": [{"parts": [{"inlineData": {"data": "!"}}]}]},
            r"parts\[0\].inlineData` should be an object with",
        ),
        ({"system_instruction": {"parts": [{}]}}, r"systemInstruction.parts\[0\].text` should be a string"),
        ({"generationConfig": {"temperature": "hot"}}, "`generationConfig.temperature` should be a number"),
        ({"generationConfig": {"maxOutputTokens": 1.5}}, "should be a whole number"),
        ({"tools": [{"functionDeclarations": [{}]}]}, r"`tools\[0\].functionDeclarations\[0\].name`"),
        ({"toolConfig": []}, "`toolConfig` should be an object"),
    ],
)
def test_a_request_that_is_wrong_says_where(body: Any, says: str) -> None:
    with pytest.raises(DecodeError, match=says):
        decode(body)


def test_a_path_that_names_no_model_is_an_error() -> None:
    with pytest.raises(DecodeError, match="the path should end in"):
        decode({}, "/v1beta/models")
    assert (
        decode({}, "/v1/projects/p/locations/l/publishers/google/models/m%401:streamGenerateContent").model == "m@1"
    )


DECLARED = [
    {"name": "f", "description": "does", "behavior": "NON_BLOCKING"},
    {"name": "g", "response": {"type": "STRING"}},
    {"name": "h", "responseJsonSchema": {"type": "string"}},
    {"name": "i"},
]


def test_what_a_declaration_says_of_its_response_and_behaviour_is_kept() -> None:
    request = decode({"contents": [], "tools": [{"functionDeclarations": DECLARED}, {"googleSearch": {}}]})
    assert [(tool.name, tool.raw is None) for tool in request.tools] == [
        ("f", False),
        ("g", False),
        ("h", False),
        ("i", True),
    ]
    body = encode(request)
    assert body["tools"] == [{"functionDeclarations": DECLARED}, {"googleSearch": {}}]
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "AUTO"}}


def test_the_name_and_the_description_of_a_schema_stand_in_it() -> None:
    asked = {"name": "place", "description": "Where it is.", "schema": OBJECT}
    request = ask(settings={"response_format": {"type": "json_schema", "json_schema": asked}})
    said = encode(request)["generationConfig"]["responseJsonSchema"]
    assert said == {"title": "place", "description": "Where it is.", **OBJECT}
    again = decode(encode(request))
    assert again.settings["response_format"]["json_schema"]["name"] == "place"  # pyright: ignore[reportTypedDictNotRequiredAccess]
    assert encode(again) == encode(request)
    theirs = {**asked, "schema": {**OBJECT, "description": "Another."}}
    encoded = encode_request(
        ask(settings={"response_format": {"type": "json_schema", "json_schema": theirs}}), Dialect()
    )
    assert "response_format.description" in encoded.unsupported[0]


def test_results_stand_in_the_order_of_their_calls_which_is_all_that_tells_them_apart() -> None:
    calls = Message("assistant", (ToolCallPart("toolu_a", "f", "{}"), ToolCallPart("toolu_b", "f", "{}")))
    results = [Message("tool", (ToolResultPart(id, "f", id),)) for id in ("toolu_b", "toolu_a")]
    *_, turn = encode(ask(user("go"), calls, *results))["contents"]
    said = [part["functionResponse"]["response"]["result"] for part in turn["parts"]]
    assert said == ["toolu_a", "toolu_b"]


def test_what_stands_beside_results_follows_them_as_a_message_of_its_own() -> None:
    result = {"functionResponse": {"name": "f", "response": {"result": "x"}}}
    call = {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}] * 2}
    body = {"contents": [call, {"role": "user", "parts": [{"text": "a"}, result, {"text": "b"}, result]}]}
    _, results, rest = decode(body).messages
    assert (results.role, len(results.parts)) == ("tool", 2)
    assert (rest.role, rest.parts) == ("user", (TextPart("a"), TextPart("b")))


def test_a_choice_without_functions_is_told() -> None:
    encoded = encode_request(
        ask(settings={"tool_choice": "required"}, provider_tools=(ProviderTool("web_search"),)), Dialect()
    )
    assert "tool_choice" in encoded.unsupported[0]


def test_empty_texts_and_turns_which_are_refused_are_left_out() -> None:
    body = encode(ask(system(""), user("hi"), user(""), Message("user", ()), user(["", PNG])))
    assert "systemInstruction" not in body
    assert [[next(iter(part)) for part in turn["parts"]] for turn in body["contents"]] == [["text"], ["inlineData"]]


def test_the_latest_models_are_of_the_latest_generation() -> None:
    foreign = Message("assistant", (ToolCallPart("toolu_a", "f", "{}"),))
    for model in ("gemini-pro-latest", "gemini-flash-latest", "gemini-flash-lite-latest"):
        assert "thoughtSignature" in encode(ask(user("go"), foreign, model=model))["contents"][1]["parts"][0]


def test_null_is_among_the_values_of_what_may_be_null() -> None:
    theirs = {"type": "OBJECT", "properties": {"a": {"type": "STRING", "nullable": True, "enum": ["x"]}}}
    request = decode({"contents": [], "tools": [{"functionDeclarations": [{"name": "f", "parameters": theirs}]}]})
    assert request.tools[0].parameters["properties"]["a"] == {"type": ["string", "null"], "enum": ["x", None]}
    assert encode(request)["tools"][0]["functionDeclarations"][0]["parameters"] == theirs


def test_a_file_of_no_type_goes_out_without_one() -> None:
    named = {"fileData": {"fileUri": "https://youtu.be/x"}}
    body = {"contents": [{"role": "user", "parts": [named, {"text": "what is it?"}]}]}
    assert encode(decode(body)) == body


def test_code_that_another_ran_stays_home_with_its_result() -> None:
    parts = [
        {"executableCode": {"language": "PYTHON", "code": "1"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        {"text": "done"},
    ]
    answer = {"candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": "STOP"}]}
    decoder = Decoder("google")
    *_, last = decoder.feed(json.dumps(answer).encode()) + decoder.close()
    assert isinstance(last, MessageEnd)
    request = ask(user("go"), last.response.message)
    assert encode(request)["contents"][1]["parts"] == parts
    assert encode(request, origin="vertex")["contents"][1]["parts"] == [{"text": "done"}]
    assert encode(decode({"contents": [{"role": "model", "parts": parts}]}))["contents"][0]["parts"] == parts
