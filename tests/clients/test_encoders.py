"""The vendors' own packages, asking a server on this machine that reads and answers in all wire formats."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import closing
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import anthropic
import botocore.session
import httpx2
import msgspec
import openai
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError
from google import genai
from google.genai import errors as genai_errors
from google.genai import types
from pydantic import BaseModel
from sdks import KEY, run

from conftest import expected, shared_tape
from playhead import PlayheadError, ProviderError
from playhead.events import MessageEnd, MessageEvent, MessageStart, PartDelta, PartEnd, PartStart
from playhead.http import Request, Response
from playhead.messages import (
    FinishReason,
    MediaPart,
    Message,
    ModelRequest,
    ModelResponse,
    Opaque,
    Part,
    ProviderTool,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
    Usage,
    system,
    user,
)
from playhead.serve.http import ThreadedServer
from playhead.tape.files import load_tape
from playhead.transport.memory import respond
from playhead.wire import WIRE_FORMATS, wire_for_path

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
CLAUDE = "anthropic.claude-sonnet-4-20250514-v1:0"


# The server


class Provider:
    """Answers what it is told to, in the format in which it was asked.

    Attributes:
        asked: what was asked, as it was read.
        answers: the events of the answers to come; an error refuses, or breaks a stream off.
        hold: waited for before the last event is sent.
    """

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[ModelRequest] = []
        self.answers: list[list[MessageEvent | PlayheadError]] = []
        self.hold = threading.Event()
        self.hold.set()

    async def __call__(self, request: Request) -> Response:
        path = urlsplit(request.url).path
        wire = wire_for_path(path)
        assert wire is not None, path
        asked = wire.decode_request(request.body, path, None)
        self.asked.append(asked)
        answer = self.answers.pop(0)
        if isinstance(answer[0], PlayheadError):
            status, body = wire.encode_error(answer[0])
            return respond(status, body, (("content-type", "application/json"), ("content-length", str(len(body)))))
        pieces = self._pieces(wire.Encoder(asked.stream), answer)
        return Response(200, (("content-type", wire.STREAM_TYPE if asked.stream else "application/json"),), pieces)

    async def _pieces(self, encoder: Any, answer: list[MessageEvent | PlayheadError]) -> AsyncIterator[bytes]:
        for event in answer:
            if isinstance(event, MessageEnd):
                assert await asyncio.to_thread(self.hold.wait, 10)
            if piece := encoder.fail(event) if isinstance(event, PlayheadError) else encoder.send(event):
                yield piece


@pytest.fixture(scope="module")
def serving() -> Iterator[Provider]:
    provider = Provider()
    with ThreadedServer(provider) as server:
        provider.url = server.url
        yield provider


@pytest.fixture
def provider(serving: Provider) -> Iterator[Provider]:
    serving.asked.clear()
    serving.answers.clear()
    yield serving
    serving.hold.set()


def events_of(response: ModelResponse) -> list[MessageEvent | PlayheadError]:
    """An answer as it comes: words in two pieces, calls too, and what is signed when it is whole."""
    events: list[MessageEvent | PlayheadError] = [MessageStart(response.id, response.model)]
    for n, part in enumerate(response.message.parts):
        events += part_events(n, part)
    return [*events, MessageEnd(response)]


def part_events(n: int, part: Part) -> list[MessageEvent]:
    match part:
        case TextPart(text=words) | RefusalPart(text=words) | ReasoningPart(text=words):
            id = {name: value for name, value in (part.opaque.data if part.opaque else {}).items() if name == "id"}
            opaque = msgspec.structs.replace(part.opaque, data=id) if part.opaque and id else None
            begun: Part = type(part)("", opaque=opaque)
        case ToolCallPart(arguments=words):
            begun = msgspec.structs.replace(part, arguments="")
        case _:
            return [PartStart(n, part), PartEnd(n, part)]
    kind: Any = part.__struct_config__.tag
    half = len(words) // 2
    deltas = [PartDelta(n, kind, piece) for piece in (words[:half], words[half:]) if piece]
    return [PartStart(n, begun), *deltas, PartEnd(n, part)]


# What the packages say


class Heard(NamedTuple):
    """An answer as a package tells it; `echo` is what its users send back."""

    text: str
    reasoning: str
    calls: list[tuple[str, str, Any]]
    finish: str
    usage: tuple[int, int, int]
    named: tuple[str, str]
    signature: str = ""
    echo: Any = None


def heard_chat(it: Any) -> Heard:
    choice, usage = it.choices[0], it.usage
    message = choice.message
    details = getattr(message, "reasoning_details", None) or []
    return Heard(
        message.content or "",
        getattr(message, "reasoning", None) or "",
        [(c.id, c.function.name, json.loads(c.function.arguments)) for c in message.tool_calls or ()],
        choice.finish_reason,
        (
            usage.prompt_tokens,
            usage.completion_tokens,
            (usage.prompt_tokens_details and usage.prompt_tokens_details.cached_tokens) or 0,
        ),
        (it.id, it.model),
        "".join(entry.get("signature", "") for entry in details),
        [message],
    )


def heard_snapshot(it: Any) -> Heard:
    """What the helper for streams put together: it joins the roles of all chunks."""
    return heard_chat(it)._replace(echo=[it.choices[0].message.model_copy(update={"role": "assistant"})])


def heard_chunks(chunks: list[Any]) -> Heard:
    """What a stream says, put together by hand, as most users do."""
    text = reasoning = signature = finish = ""
    calls: dict[int, list[str]] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            text += choice.delta.content or ""
            reasoning += getattr(choice.delta, "reasoning", None) or ""
            details = getattr(choice.delta, "reasoning_details", None) or []
            signature += "".join(entry.get("signature", "") for entry in details)
            finish = choice.finish_reason or finish
            for call in choice.delta.tool_calls or ():
                found = calls.setdefault(call.index, ["", "", ""])
                more = (call.id, call.function.name, call.function.arguments)
                found[:] = [there + (new or "") for there, new in zip(found, more, strict=True)]
    (usage,) = [chunk.usage for chunk in chunks if chunk.usage]
    cached = (usage.prompt_tokens_details and usage.prompt_tokens_details.cached_tokens) or 0
    return Heard(
        text,
        reasoning,
        [(id, name, json.loads(arguments)) for id, name, arguments in calls.values()],
        finish,
        (usage.prompt_tokens, usage.completion_tokens, cached),
        (chunks[-1].id, chunks[-1].model),
        signature,
        [
            {
                "role": "assistant",
                "content": text,
                "reasoning_details": [{"type": "reasoning.text", "text": reasoning, "signature": signature}],
                "tool_calls": [
                    {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
                    for id, name, arguments in calls.values()
                ],
            }
        ],
    )


def heard_responses(it: Any) -> Heard:
    thoughts = [item for item in it.output if item.type == "reasoning"]
    calls = [item for item in it.output if item.type == "function_call"]
    cached = it.usage.input_tokens_details and it.usage.input_tokens_details.cached_tokens
    return Heard(
        it.output_text,
        "\n".join(piece.text for item in thoughts for piece in item.summary),
        [(c.call_id, c.name, json.loads(c.arguments)) for c in calls],
        it.incomplete_details.reason if it.status == "incomplete" else it.status,
        (it.usage.input_tokens, it.usage.output_tokens, cached or 0),
        (it.id, it.model),
        "".join(item.encrypted_content or "" for item in thoughts),
        it.output,
    )


def heard_message(it: Any) -> Heard:
    """Anthropic's: also inside Bedrock's `invoke`."""
    thoughts = [block for block in it.content if block.type == "thinking"]
    calls = [block for block in it.content if block.type == "tool_use"]
    used = it.usage
    read, written = used.cache_read_input_tokens or 0, used.cache_creation_input_tokens or 0
    return Heard(
        "".join(block.text for block in it.content if block.type == "text"),
        "".join(block.thinking for block in thoughts),
        [(block.id, block.name, block.input) for block in calls],
        it.stop_reason,
        (used.input_tokens + read + written, used.output_tokens, read),
        (it.id, it.model),
        "".join(block.signature for block in thoughts),
        it.content,
    )


def heard_gemini(chunks: list[Any]) -> Heard:
    parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts or ()]
    calls = [part.function_call for part in parts if part.function_call]
    last = chunks[-1]
    used = last.usage_metadata
    return Heard(
        "".join(part.text or "" for part in parts if not part.thought),
        "".join(part.text or "" for part in parts if part.thought),
        [(c.id or "", c.name, c.args) for c in calls],
        last.candidates[0].finish_reason.value,
        (
            used.prompt_token_count,
            (used.candidates_token_count or 0) + (used.thoughts_token_count or 0),
            used.cached_content_token_count or 0,
        ),
        (last.response_id or "", last.model_version or ""),
        b"".join(part.thought_signature or b"" for part in parts).decode(),
        [chunk.candidates[0].content for chunk in chunks],
    )


def heard_converse(it: Any) -> Heard:
    blocks, used = it["output"]["message"]["content"], it["usage"]
    thoughts = [block["reasoningContent"]["reasoningText"] for block in blocks if "reasoningContent" in block]
    calls = [block["toolUse"] for block in blocks if "toolUse" in block and "type" not in block["toolUse"]]
    read, written = used.get("cacheReadInputTokens", 0), used.get("cacheWriteInputTokens", 0)
    return Heard(
        "".join(
            piece["text"]
            for block in blocks
            for piece in (block, *block.get("citationsContent", {}).get("content", ()))
            if "text" in piece
        ),
        "".join(thought["text"] for thought in thoughts),
        [(c["toolUseId"], c["name"], c["input"]) for c in calls],
        it["stopReason"],
        (used["inputTokens"] + read + written, used["outputTokens"], read),
        ("", ""),
        "".join(thought.get("signature", "") for thought in thoughts),
        [it["output"]["message"]],
    )


def put_together(pieces: list[Any]) -> dict[str, Any]:
    """A stream of Converse as the answer that it is: Amazon's package leaves that to its users."""
    blocks: dict[int, dict[str, Any]] = {}
    stop: Any = None
    usage: Any = None
    for piece in pieces:
        ((kind, said),) = piece.items()
        block = blocks.setdefault(said["contentBlockIndex"], {}) if "contentBlockIndex" in said else {}
        if kind == "contentBlockStart":
            block |= {name: dict(value) for name, value in said["start"].items()}
        elif kind == "contentBlockDelta":
            for name, more in said["delta"].items():
                if name == "text":
                    block["text"] = block.get("text", "") + more
                if not isinstance(more, dict):
                    continue
                held = block.setdefault(name, {})
                held = held.setdefault("reasoningText", {}) if name == "reasoningContent" else held
                for field, value in more.items():
                    held[field] = held.get(field, "") + value if isinstance(value, str) else value
        elif kind == "messageStop":
            stop = said["stopReason"]
        elif kind == "metadata":
            usage = said["usage"]
    for block in blocks.values():
        if "toolUse" in block:
            block["toolUse"]["input"] = json.loads(block["toolUse"].get("input", "{}"))
    content = [blocks[n] for n in sorted(blocks)]
    return {"output": {"message": {"role": "assistant", "content": content}}, "stopReason": stop, "usage": usage}


# How they are asked

Asked = dict[str, Any]
Seen = Callable[[Any], None]
"""Called with each piece of a stream when it is there."""


def nothing(_: Any) -> None:
    pass


def watched(stream: Any, seen: Seen) -> list[Any]:
    parts: list[Any] = []
    for part in stream:
        parts.append(part)
        seen(part)
    return parts


async def watched_async(stream: Any, seen: Seen) -> list[Any]:
    parts: list[Any] = []
    async for part in stream:
        parts.append(part)
        seen(part)
    return parts


def openai_client(url: str) -> openai.OpenAI:
    return openai.OpenAI(api_key=KEY, base_url=f"{url}/v1", max_retries=0, http_client=httpx2.Client(verify=False))


def openai_async(url: str) -> openai.AsyncOpenAI:
    http_client = httpx2.AsyncClient(verify=False)
    return openai.AsyncOpenAI(api_key=KEY, base_url=f"{url}/v1", max_retries=0, http_client=http_client)


USAGE: Any = {"stream_options": {"include_usage": True}}


def chat_create(url: str, asked: Asked, _: Seen = nothing) -> Heard:
    with openai_client(url) as client:
        return heard_chat(client.chat.completions.create(**asked))


def chat_chunks(url: str, asked: Asked, seen: Seen = nothing) -> Heard:
    with openai_client(url) as client:
        return heard_chunks(watched(client.chat.completions.create(stream=True, **USAGE, **asked), seen))


def chat_stream(url: str, asked: Asked, seen: Seen = nothing) -> Heard:
    with openai_client(url) as client, client.chat.completions.stream(**USAGE, **asked) as stream:
        watched(stream, seen)
        return heard_snapshot(stream.get_final_completion())


async def chat_create_async(url: str, asked: Asked, _: Seen = nothing) -> Heard:
    async with openai_async(url) as client:
        return heard_chat(await client.chat.completions.create(**asked))


async def chat_chunks_async(url: str, asked: Asked, seen: Seen = nothing) -> Heard:
    async with openai_async(url) as client:
        stream = await client.chat.completions.create(stream=True, **USAGE, **asked)
        return heard_chunks(await watched_async(stream, seen))


async def chat_stream_async(url: str, asked: Asked, seen: Seen = nothing) -> Heard:
    async with openai_async(url) as client, client.chat.completions.stream(**USAGE, **asked) as stream:
        await watched_async(stream, seen)
        return heard_snapshot(await stream.get_final_completion())


def responses_create(url: str, asked: Asked, _: Seen = nothing) -> Heard:
    with openai_client(url) as client:
        return heard_responses(client.responses.create(**asked))


def responses_events(url: str, asked: Asked, seen: Seen = nothing) -> Heard:
    with openai_client(url) as client:
        parts = watched(client.responses.create(stream=True, **asked), seen)
        return heard_responses(parts[-1].response)


def responses_stream(url: str, asked: Asked, seen: Seen = nothing) -> Heard:
    with openai_client(url) as client, client.responses.stream(**asked) as stream:
        last = watched(stream, seen)[-1]
        cut = last.type == "response.incomplete"  # The helper takes only `response.completed` for an end.
        return heard_responses(last.response if cut else stream.get_final_response())


async def responses_create_async(url: str, asked: Asked, _: Seen = nothing) -> Heard:
    async with openai_async(url) as client:
        return heard_responses(await client.responses.create(**asked))


async def responses_stream_async(url: str, asked: Asked, seen: Seen = nothing) -> Heard:
    async with openai_async(url) as client, client.responses.stream(**asked) as stream:
        last = (await watched_async(stream, seen))[-1]
        cut = last.type == "response.incomplete"
        return heard_responses(last.response if cut else await stream.get_final_response())


def anthropic_client(url: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key=KEY, base_url=url, max_retries=0, http_client=httpx2.Client(verify=False))


def anthropic_async(url: str) -> anthropic.AsyncAnthropic:
    http_client = httpx2.AsyncClient(verify=False)
    return anthropic.AsyncAnthropic(api_key=KEY, base_url=url, max_retries=0, http_client=http_client)


def messages_create(url: str, asked: Asked, _: Seen = nothing) -> Heard:
    with anthropic_client(url) as client:
        return heard_message(client.messages.create(**asked))


def messages_stream(url: str, asked: Asked, seen: Seen = nothing) -> Heard:
    with anthropic_client(url) as client, client.messages.stream(**asked) as stream:
        watched(stream, seen)
        return heard_message(stream.get_final_message())


async def messages_create_async(url: str, asked: Asked, _: Seen = nothing) -> Heard:
    async with anthropic_async(url) as client:
        return heard_message(await client.messages.create(**asked))


async def messages_stream_async(url: str, asked: Asked, seen: Seen = nothing) -> Heard:
    async with anthropic_async(url) as client, client.messages.stream(**asked) as stream:
        await watched_async(stream, seen)
        return heard_message(await stream.get_final_message())


def google(url: str, **http_client: Any) -> genai.Client:
    return genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=url, **http_client))


_NOWHERE = httpx2.MockTransport(lambda _: httpx2.Response(500))
_UNUSED, _UNUSED_ASYNC = httpx2.Client(transport=_NOWHERE), httpx2.AsyncClient(transport=_NOWHERE)


def generate(url: str, asked: Asked, _: Seen = nothing) -> Heard:
    with httpx2.Client(verify=False) as http_client:
        client = google(url, httpx_client=http_client, httpx_async_client=_UNUSED_ASYNC)
        return heard_gemini([client.models.generate_content(**asked)])


def generate_stream(url: str, asked: Asked, seen: Seen = nothing) -> Heard:
    with httpx2.Client(verify=False) as http_client:
        client = google(url, httpx_client=http_client, httpx_async_client=_UNUSED_ASYNC)
        return heard_gemini(watched(client.models.generate_content_stream(**asked), seen))


async def generate_async(url: str, asked: Asked, _: Seen = nothing) -> Heard:
    async with httpx2.AsyncClient(verify=False) as http_client:
        client = google(url, httpx_async_client=http_client, httpx_client=_UNUSED)
        return heard_gemini([await client.aio.models.generate_content(**asked)])


async def generate_stream_async(url: str, asked: Asked, seen: Seen = nothing) -> Heard:
    async with httpx2.AsyncClient(verify=False) as http_client:
        client = google(url, httpx_async_client=http_client, httpx_client=_UNUSED)
        return heard_gemini(await watched_async(await client.aio.models.generate_content_stream(**asked), seen))


@cache
def amazon(url: str) -> Any:
    """Made once: it reads megabytes of service descriptions."""
    config = Config(retries={"total_max_attempts": 1}, proxies={})
    named: Any = {"aws_access_key_id": KEY, "aws_secret_access_key": KEY}
    session = botocore.session.Session()
    return session.create_client("bedrock-runtime", region_name="eu-west-1", endpoint_url=url, config=config, **named)


@pytest.fixture(scope="module", autouse=True)
def amazons_sockets_are_closed(serving: Provider) -> Iterator[None]:
    yield
    amazon(serving.url).close()
    amazon.cache_clear()


def bodied(asked: Asked) -> Asked:
    body = {name: value for name, value in asked.items() if name != "modelId"}
    return {"modelId": asked["modelId"], "body": json.dumps({"anthropic_version": "bedrock-2023-05-31", **body})}


def invoke(url: str, asked: Asked, _: Seen = nothing) -> Heard:
    body = amazon(url).invoke_model(**bodied(asked))["body"]
    with body:
        return as_amazons_users_read(anthropic.types.Message.model_validate_json(body.read()))


def invoke_stream(url: str, asked: Asked, seen: Seen = nothing) -> Heard:
    with closing(amazon(url).invoke_model_with_response_stream(**bodied(asked))["body"]) as stream:
        frames = watched(stream, seen)
    lines = b"".join(sse(json.loads(frame["chunk"]["bytes"])) for frame in frames)
    transport = httpx2.MockTransport(
        lambda _: httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=lines)
    )
    question: Any = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    with (
        httpx2.Client(transport=transport) as http_client,
        anthropic.Anthropic(api_key=KEY, http_client=http_client) as client,
        client.messages.stream(**question) as answer,
    ):
        return as_amazons_users_read(answer.get_final_message())


def as_amazons_users_read(message: Any) -> Heard:
    heard = heard_message(message)
    return heard._replace(echo=[block.to_dict() for block in message.content])


def sse(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def converse(url: str, asked: Asked, _: Seen = nothing) -> Heard:
    return heard_converse(amazon(url).converse(**asked))


def converse_stream(url: str, asked: Asked, seen: Seen = nothing) -> Heard:
    with closing(amazon(url).converse_stream(**asked)["stream"]) as stream:
        return heard_converse(put_together(watched(stream, seen)))


Ask = Callable[..., Heard]


def awaited(ask: Callable[..., Any]) -> Ask:
    return lambda *arguments: run(ask(*arguments))


WHOLE: dict[str, dict[str, Ask]] = {
    "openai_chat": {"create": chat_create, "async create": awaited(chat_create_async)},
    "openai_responses": {"create": responses_create, "async create": awaited(responses_create_async)},
    "anthropic": {"create": messages_create, "async create": awaited(messages_create_async)},
    "gemini": {"generate": generate, "async generate": awaited(generate_async)},
    "bedrock": {"invoke": invoke},
    "bedrock_converse": {"converse": converse},
}
STREAMED: dict[str, dict[str, Ask]] = {
    "openai_chat": {
        "create stream": chat_chunks,
        "stream": chat_stream,
        "async create stream": awaited(chat_chunks_async),
        "async stream": awaited(chat_stream_async),
    },
    "openai_responses": {
        "create stream": responses_events,
        "stream": responses_stream,
        "async stream": awaited(responses_stream_async),
    },
    "anthropic": {"stream": messages_stream, "async stream": awaited(messages_stream_async)},
    "gemini": {"stream": generate_stream, "async stream": awaited(generate_stream_async)},
    "bedrock": {"invoke stream": invoke_stream},
    "bedrock_converse": {"converse stream": converse_stream},
}
WAYS = [(name, way) for name in WIRE_FORMATS for way in (*WHOLE[name], *STREAMED[name])]
STREAMED_WAYS = [(name, way) for name in WIRE_FORMATS for way in STREAMED[name]]


def how(name: str, way: str) -> Ask:
    return (WHOLE[name] | STREAMED[name])[way]


# What is asked, and how it is to be read

NUMBERS = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
    "required": ["a", "b"],
    "additionalProperties": False,
}
DESCRIBED = {"add": "Add two numbers", "multiply": "Multiply two numbers"}
BE, DO = "Use both tools.", "Add and multiply 2 and 3 – já!"
THINK = {"type": "enabled", "budget_tokens": 1024}
RESULTS = {"call_1": ("add", "5"), "call_2": ("multiply", "6")}


def tools(make: Callable[[str, str], Any]) -> list[Any]:
    return [make(name, words) for name, words in DESCRIBED.items()]


MESSAGES: Asked = {
    "messages": [{"role": "user", "content": DO}],
    "system": BE,
    "max_tokens": 4000,
    "stop_sequences": ["END"],
    "thinking": THINK,
    "tools": tools(lambda name, words: {"name": name, "description": words, "input_schema": NUMBERS}),
}
FIRST: dict[str, Asked] = {
    "openai_chat": {
        "model": "m-1",
        "messages": [{"role": "system", "content": BE}, {"role": "user", "content": DO}],
        "max_completion_tokens": 4000,
        "temperature": 0.5,
        "stop": ["END"],
        "reasoning_effort": "low",
        "tools": tools(
            lambda name, words: {
                "type": "function",
                "function": {"name": name, "description": words, "parameters": NUMBERS, "strict": True},
            }
        ),
    },
    "openai_responses": {
        "model": "m-1",
        "instructions": BE,
        "input": [{"role": "user", "content": DO}],
        "max_output_tokens": 4000,
        "temperature": 0.5,
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "store": False,
        "tools": tools(
            lambda name, words: {
                "type": "function",
                "name": name,
                "description": words,
                "parameters": NUMBERS,
                "strict": True,
            }
        ),
    },
    "anthropic": {"model": "m-1", **MESSAGES},
    "gemini": {
        "model": "m-1",
        "contents": [types.Content(role="user", parts=[types.Part(text=DO)])],
        "config": types.GenerateContentConfig(
            system_instruction=BE,
            max_output_tokens=4000,
            temperature=0.5,
            stop_sequences=["END"],
            thinking_config=types.ThinkingConfig(thinking_budget=1024, include_thoughts=True),
            tools=[
                types.Tool(
                    function_declarations=tools(
                        lambda name, words: types.FunctionDeclaration(
                            name=name, description=words, parameters_json_schema=NUMBERS
                        )
                    )
                )
            ],
        ),
    },
    "bedrock": {"modelId": CLAUDE, **MESSAGES},
    "bedrock_converse": {
        "modelId": CLAUDE,
        "system": [{"text": BE}],
        "messages": [{"role": "user", "content": [{"text": DO}]}],
        "inferenceConfig": {"maxTokens": 4000, "stopSequences": ["END"]},
        "additionalModelRequestFields": {"thinking": THINK},
        "toolConfig": {
            "tools": tools(
                lambda name, words: {
                    "toolSpec": {"name": name, "description": words, "inputSchema": {"json": NUMBERS}}
                }
            )
        },
    },
}
COMMON: Asked = {"max_tokens": 4000}
SETTINGS: dict[str, Asked] = {
    "openai_chat": COMMON | {"temperature": 0.5, "stop": ["END"], "reasoning": "low"},
    "openai_responses": COMMON | {"temperature": 0.5, "reasoning": {"effort": "low", "summary": "auto"}},
    "anthropic": COMMON | {"stop": ["END"], "reasoning": 1024},
    "gemini": COMMON | {"temperature": 0.5, "stop": ["END"], "reasoning": 1024},
    "bedrock": COMMON | {"stop": ["END"], "reasoning": 1024},
    "bedrock_converse": COMMON | {"stop": ["END"], "reasoning": 1024},
}
STRICT = ("openai_chat", "openai_responses")
SYSTEM = dict.fromkeys(WIRE_FORMATS, system(BE)) | {
    "openai_responses": Message("system", (TextPart(BE, opaque=Opaque("openai_responses", {"instructions": True})),))
}


def model_of(name: str) -> str:
    return CLAUDE if "bedrock" in name else "m-1"


def with_results(name: str, asked: Asked, echo: Any) -> Asked:
    """The next request: what the package told of the answer, and what the tools returned."""
    match name:
        case "openai_chat":
            results = [{"role": "tool", "tool_call_id": id, "content": said} for id, (_, said) in RESULTS.items()]
            return asked | {"messages": [*asked["messages"], *echo, *results]}
        case "openai_responses":
            results = [
                {"type": "function_call_output", "call_id": id, "output": said} for id, (_, said) in RESULTS.items()
            ]
            return asked | {"input": [*asked["input"], *echo, *results]}
        case "gemini":
            parts = [
                types.Part(function_response=types.FunctionResponse(id=id, name=tool, response={"result": said}))
                for id, (tool, said) in RESULTS.items()
            ]
            return asked | {"contents": [*asked["contents"], *echo, types.Content(role="user", parts=parts)]}
        case "bedrock_converse":
            results = [
                {"toolResult": {"toolUseId": id, "content": [{"text": said}]}} for id, (_, said) in RESULTS.items()
            ]
            return asked | {"messages": [*asked["messages"], *echo, {"role": "user", "content": results}]}
        case _:
            results = [
                {"type": "tool_result", "tool_use_id": id, "content": said} for id, (_, said) in RESULTS.items()
            ]
            turns = [{"role": "assistant", "content": echo}, {"role": "user", "content": results}]
            return asked | {"messages": [*asked["messages"], *turns]}


# What is answered

THOUGHT, SAID = "First I add, then I multiply: « já ».", "Both at once: 👍🏽."
THOUGHT_OPAQUE: dict[str, Opaque | None] = {
    "openai_chat": Opaque(
        "openai_chat",
        {
            "field": "reasoning",
            "details": [{"type": "reasoning.text", "text": THOUGHT, "signature": "c2ln", "format": "x", "index": 0}],
        },
    ),
    "openai_responses": Opaque(
        "openai_responses",
        {"id": "rs_1", "summary": [{"type": "summary_text", "text": THOUGHT}], "encrypted_content": "c2ln"},
    ),
    "anthropic": Opaque("anthropic", {"signature": "c2ln"}),
    "gemini": None,
    "bedrock": Opaque("anthropic", {"signature": "c2ln"}),
    "bedrock_converse": Opaque("bedrock_converse", {"signature": "c2ln"}),
}
USED = Usage(40, 25, 65, cache_read_tokens=16, reasoning_tokens=9)


def thinking(name: str) -> ModelResponse:
    """An answer with reasoning that is signed, text, and two calls at once."""
    signed = Opaque("gemini", {"id": "call_1", "thoughtSignature": base64.b64encode(b"c2ln").decode()})
    named = Opaque("gemini", {"id": "call_2"})
    parts = (
        ReasoningPart(THOUGHT, THOUGHT_OPAQUE[name]),
        TextPart(SAID),
        ToolCallPart("call_1", "add", '{"a":2,"b":3}', opaque=signed if name == "gemini" else None),
        ToolCallPart("call_2", "multiply", '{"a":2,"b":3}', opaque=named if name == "gemini" else None),
    )
    return ModelResponse(Message("assistant", parts), "tool_calls", usage=USED, id="answer-1", model="m-1.1")


LAST = ModelResponse(
    Message("assistant", (TextPart("It is 5 and 6."),)), "stop", usage=Usage(70, 8, 78), id="answer-2", model="m-1.1"
)
FINISH: dict[str, dict[FinishReason, str]] = {
    "openai_chat": {"stop": "stop", "tool_calls": "tool_calls", "length": "length"},
    "openai_responses": {"stop": "completed", "tool_calls": "completed", "length": "max_output_tokens"},
    "anthropic": {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens"},
    "gemini": {"stop": "STOP", "tool_calls": "STOP", "length": "MAX_TOKENS"},
    "bedrock": {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens"},
    "bedrock_converse": {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens"},
}


def wanted(name: str, response: ModelResponse) -> Heard:
    """How a package is to tell an answer."""
    used = response.usage or Usage()
    return Heard(
        "".join(part.text for part in response.message.parts if isinstance(part, TextPart | RefusalPart)),
        response.reasoning,
        [(call.id, call.name, json.loads(call.arguments or "{}")) for call in response.tool_calls],
        FINISH[name][response.finish_reason],
        (used.input_tokens or 0, used.output_tokens or 0, used.cache_read_tokens or 0),
        ("", "") if name == "bedrock_converse" else (response.id, response.model),
    )


@pytest.mark.parametrize(("name", "way"), WAYS, ids=str)
def test_a_package_asks_calls_tools_and_asks_again(name: str, way: str, provider: Provider) -> None:
    first = thinking(name)
    provider.answers = [events_of(first), events_of(LAST)]
    heard = how(name, way)(provider.url, FIRST[name])
    signed = wanted(name, first)._replace(signature="c2ln")
    assert heard._replace(echo=None) == signed
    asked = ModelRequest(
        model_of(name),
        (SYSTEM[name], user(DO)),
        tuple(ToolSpec(tool, words, NUMBERS, strict=name in STRICT or None) for tool, words in DESCRIBED.items()),
        SETTINGS[name],  # pyright: ignore[reportArgumentType]
        way in STREAMED[name],
    )
    assert provider.asked == [asked]
    again = with_results(name, FIRST[name], heard.echo)
    assert how(name, way)(provider.url, again)._replace(echo=None) == wanted(name, LAST)
    results = Message("tool", tuple(ToolResultPart(id, tool, said) for id, (tool, said) in RESULTS.items()))
    *before, answered, returned = joined(provider.asked[1].messages)
    assert (*before, returned) == (*asked.messages, results)
    assert plain(answered) == plain(first.message)
    assert SIGNED[name] in str([part.opaque for part in answered.parts])
    assert msgspec.structs.replace(provider.asked[1], messages=asked.messages) == asked


SIGNED = dict.fromkeys(WIRE_FORMATS, "'c2ln'") | {"gemini": "'YzJsbg=='"}
"""The signature as it stands in each format's requests: Google's package holds it as bytes."""


def joined(messages: Sequence[Message]) -> list[Message]:
    """The turns of a conversation: Google's package sends an answer back in the pieces in which it came."""
    turns: list[Message] = []
    for message in messages:
        parts = list(turns.pop().parts) if turns and turns[-1].role == message.role == "assistant" else []
        for part in message.parts:
            last = parts[-1] if parts else None
            if isinstance(part, TextPart) and isinstance(last, TextPart):
                parts[-1] = TextPart(last.text + part.text)
            elif isinstance(part, ReasoningPart) and isinstance(last, ReasoningPart):
                parts[-1] = ReasoningPart(last.text + part.text, part.opaque)
            elif part != TextPart():
                parts.append(part)
        turns.append(Message(message.role, tuple(parts)))
    return turns


def plain(message: Message) -> Message:
    """Without what only its issuer understands."""
    return Message(message.role, tuple(msgspec.structs.replace(part, opaque=None) for part in message.parts))


# Media, structured output, and settings

OLINDA = '{"name":"Olinda","people":390000}'
CITY = ModelResponse(Message("assistant", (TextPart(OLINDA),)), "stop", usage=Usage(5, 3, 8), id="a", model="m")
WHAT = "What is it?"
PDF = b"%PDF-1.7 \xff"
PNG64, PDF64 = base64.b64encode(PNG).decode(), base64.b64encode(PDF).decode()
CAT = "https://x.test/cat.png"
PLAIN_ADD: Asked = {"name": "add", "description": "Add", "parameters": NUMBERS}
ADD = (ToolSpec("add", "Add", NUMBERS),)
ASK_PLAIN: Asked = {"model": "m", "messages": [{"role": "user", "content": WHAT}]}
PLAIN = (user(WHAT),)
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["name", "people"],
    "additionalProperties": False,
}
AUTO = Opaque("openai_responses", {"fields": {"detail": "auto"}})
CLAUDES_MEDIA = [
    {"type": "text", "text": WHAT},
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG64}},
    {"type": "image", "source": {"type": "url", "url": CAT}},
    {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": PDF64},
        "title": "a.pdf",
    },
]
CLAUDES_MEDIA_READ = user(
    [
        WHAT,
        MediaPart("image/png", PNG),
        MediaPart("image/*", url=CAT),
        MediaPart("application/pdf", PDF, filename="a.pdf"),
    ]
)


def formatted(name: str) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"schema": SCHEMA, "name": name}}


SAYS: list[tuple[str, str, Asked, ModelRequest]] = [
    (
        "openai_chat",
        "media",
        {
            "model": "m",
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": WHAT},
                        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG64}"}},
                        {"type": "image_url", "image_url": {"url": CAT}},
                        {
                            "type": "file",
                            "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF64}"},
                        },
                    ],
                }
            ],
        },
        ModelRequest(
            "m",
            (
                user(
                    [
                        WHAT,
                        MediaPart("image/png", PNG),
                        MediaPart("image/png", url=CAT),
                        MediaPart("application/pdf", PDF, filename="a.pdf"),
                    ]
                ),
            ),
        ),
    ),
    (
        "openai_chat",
        "settings",
        ASK_PLAIN
        | {
            "tools": [{"type": "function", "function": PLAIN_ADD}],
            "tool_choice": {"type": "function", "function": {"name": "add"}},
            "parallel_tool_calls": False,
            "seed": 7,
            "top_p": 0.9,
            "presence_penalty": 0.1,
            "frequency_penalty": 0.2,
            "logprobs": True,
            "top_logprobs": 2,
            "service_tier": "flex",
            "user": "u",
            "stop": "END",
            "prompt_cache_key": "k",
            "extra_body": {"provider": {"order": ["x"]}},
        },
        ModelRequest(
            "m",
            PLAIN,
            ADD,
            {
                "tool_choice": "add",
                "parallel_tool_calls": False,
                "seed": 7,
                "top_p": 0.9,
                "presence_penalty": 0.1,
                "frequency_penalty": 0.2,
                "logprobs": 2,
                "service_tier": "flex",
                "user": "u",
                "stop": "END",
                "cache": {"key": "k"},
                "extra_body": {"provider": {"order": ["x"]}},
            },
        ),
    ),
    (
        "openai_responses",
        "media",
        {
            "model": "m",
            "input": [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": WHAT},
                        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG64}", "detail": "auto"},
                        {"type": "input_image", "image_url": CAT, "detail": "auto"},
                        {
                            "type": "input_file",
                            "filename": "a.pdf",
                            "file_data": f"data:application/pdf;base64,{PDF64}",
                        },
                    ],
                }
            ],
        },
        ModelRequest(
            "m",
            (
                user(
                    [
                        WHAT,
                        MediaPart("image/png", PNG, opaque=AUTO),
                        MediaPart("image/*", url=CAT, opaque=AUTO),
                        MediaPart("application/pdf", PDF, filename="a.pdf"),
                    ]
                ),
            ),
        ),
    ),
    (
        "openai_responses",
        "settings",
        {
            "model": "m",
            "input": WHAT,
            "tools": [{"type": "function", "strict": False, **PLAIN_ADD}, {"type": "web_search"}],
            "tool_choice": {"type": "function", "name": "add"},
            "parallel_tool_calls": False,
            "top_p": 0.9,
            "top_logprobs": 2,
            "include": ["message.output_text.logprobs"],
            "service_tier": "flex",
            "prompt_cache_key": "k",
            "truncation": "auto",
        },
        ModelRequest(
            "m",
            PLAIN,
            ADD,
            {
                "tool_choice": "add",
                "parallel_tool_calls": False,
                "top_p": 0.9,
                "logprobs": 2,
                "service_tier": "flex",
                "cache": {"key": "k"},
                "extra_body": {"truncation": "auto"},
            },
            provider_tools=(ProviderTool("web_search"),),
        ),
    ),
    (
        "anthropic",
        "media",
        {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": CLAUDES_MEDIA}]},
        ModelRequest("m", (CLAUDES_MEDIA_READ,), settings={"max_tokens": 9}),
    ),
    (
        "anthropic",
        "settings",
        ASK_PLAIN
        | {
            "max_tokens": 9,
            "system": [{"type": "text", "text": BE, "cache_control": {"type": "ephemeral"}}],
            "tools": [
                {"name": "add", "description": "Add", "input_schema": NUMBERS},
                {"type": "web_search_20250305", "name": "web_search", "max_uses": 2},
            ],
            "tool_choice": {"type": "tool", "name": "add", "disable_parallel_tool_use": True},
            "thinking": {"type": "adaptive"},
            "output_config": {"effort": "high"},
            "service_tier": "standard_only",
            "metadata": {"user_id": "u"},
        },
        ModelRequest(
            "m",
            (Message("system", (TextPart(BE, cache="5m"),)), *PLAIN),
            ADD,
            {
                "max_tokens": 9,
                "tool_choice": "add",
                "parallel_tool_calls": False,
                "reasoning": "high",
                "service_tier": "standard_only",
                "user": "u",
            },
            provider_tools=(ProviderTool("web_search", {"max_uses": 2}),),
        ),
    ),
    (
        "gemini",
        "media",
        {
            "model": "m",
            "contents": [
                WHAT,
                types.Part.from_bytes(data=PNG, mime_type="image/png"),
                types.Part.from_uri(file_uri=CAT, mime_type="image/png"),
                types.Part.from_bytes(data=PDF, mime_type="application/pdf"),
            ],
        },
        ModelRequest(
            "m",
            (
                user(
                    [
                        WHAT,
                        MediaPart("image/png", PNG),
                        MediaPart("image/png", url=CAT),
                        MediaPart("application/pdf", PDF),
                    ]
                ),
            ),
        ),
    ),
    (
        "gemini",
        "settings",
        {
            "model": "m",
            "contents": WHAT,
            "config": types.GenerateContentConfig(
                seed=7,
                top_k=4,
                top_p=0.9,
                presence_penalty=0.1,
                frequency_penalty=0.2,
                response_logprobs=True,
                logprobs=2,
                thinking_config=types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW),
                tool_config=types.ToolConfig(
                    function_calling_config=types.FunctionCallingConfig(
                        mode=types.FunctionCallingConfigMode.ANY, allowed_function_names=["add"]
                    )
                ),
                tools=[
                    types.Tool(
                        function_declarations=[
                            types.FunctionDeclaration(name="add", description="Add", parameters_json_schema=NUMBERS)
                        ]
                    ),
                    types.Tool(google_search=types.GoogleSearch()),
                ],
            ),
        },
        ModelRequest(
            "m",
            PLAIN,
            ADD,
            {
                "seed": 7,
                "top_k": 4,
                "top_p": 0.9,
                "presence_penalty": 0.1,
                "frequency_penalty": 0.2,
                "logprobs": 2,
                "reasoning": {"effort": "low", "summary": False},
                "tool_choice": "add",
            },
            provider_tools=(ProviderTool("web_search"),),
        ),
    ),
    (
        "bedrock",
        "media",
        {"modelId": CLAUDE, "max_tokens": 9, "messages": [{"role": "user", "content": CLAUDES_MEDIA}]},
        ModelRequest(CLAUDE, (CLAUDES_MEDIA_READ,), settings={"max_tokens": 9}),
    ),
    (
        "bedrock",
        "schema",
        {
            "modelId": CLAUDE,
            "max_tokens": 9,
            "messages": ASK_PLAIN["messages"],
            "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
        },
        ModelRequest(CLAUDE, PLAIN, settings={"max_tokens": 9, "response_format": formatted("answer")}),
    ),
    (
        "bedrock_converse",
        "media",
        {
            "modelId": CLAUDE,
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"text": WHAT},
                        {"image": {"format": "png", "source": {"bytes": PNG}}},
                        {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://x/cat.png"}}}},
                        {"document": {"format": "pdf", "name": "a", "source": {"bytes": PDF}}},
                    ],
                }
            ],
        },
        ModelRequest(
            CLAUDE,
            (
                user(
                    [
                        WHAT,
                        MediaPart("image/png", PNG),
                        MediaPart("image/png", url="s3://x/cat.png"),
                        MediaPart("application/pdf", PDF, filename="a"),
                    ]
                ),
            ),
        ),
    ),
    (
        "bedrock_converse",
        "settings",
        {
            "modelId": CLAUDE,
            "messages": [{"role": "user", "content": [{"text": WHAT}, {"cachePoint": {"type": "default"}}]}],
            "toolConfig": {
                "tools": [{"toolSpec": {"name": "add", "description": "Add", "inputSchema": {"json": NUMBERS}}}],
                "toolChoice": {"tool": {"name": "add"}},
            },
            "inferenceConfig": {"topP": 0.9, "temperature": 0.5},
            "outputConfig": {
                "textFormat": {
                    "type": "json_schema",
                    "structure": {"jsonSchema": {"name": "city", "schema": json.dumps(SCHEMA)}},
                }
            },
            "serviceTier": {"type": "flex"},
            "requestMetadata": {"a": "b"},
        },
        ModelRequest(
            CLAUDE,
            (Message("user", (TextPart(WHAT, cache="5m"),)),),
            ADD,
            {
                "top_p": 0.9,
                "temperature": 0.5,
                "tool_choice": "add",
                "service_tier": "flex",
                "extra_body": {"requestMetadata": {"a": "b"}},
                "response_format": formatted("city"),
            },
        ),
    ),
]


@pytest.mark.parametrize(
    ("name", "asked", "read"), [(name, *more) for name, _, *more in SAYS], ids=[f"{it[0]}-{it[1]}" for it in SAYS]
)
def test_what_a_package_asks_for_is_read(name: str, asked: Asked, read: ModelRequest, provider: Provider) -> None:
    provider.answers = [events_of(CITY)]
    heard = next(iter(WHOLE[name].values()))(provider.url, asked)
    assert heard.text == OLINDA
    assert provider.asked == [read]


class City(BaseModel):
    name: str
    people: int


def chat_parse(url: str) -> Any:
    with openai_client(url) as client:
        return client.chat.completions.parse(**ASK_PLAIN, response_format=City).choices[0].message.parsed


def chat_parse_stream(url: str) -> Any:
    with openai_client(url) as client, client.chat.completions.stream(**ASK_PLAIN, response_format=City) as stream:
        return stream.get_final_completion().choices[0].message.parsed


def responses_parse(url: str) -> Any:
    with openai_client(url) as client:
        return client.responses.parse(model="m", input=WHAT, text_format=City).output_parsed


def responses_parse_stream(url: str) -> Any:
    with openai_client(url) as client, client.responses.stream(model="m", input=WHAT, text_format=City) as stream:
        return stream.get_final_response().output_parsed


def messages_parse(url: str) -> Any:
    with anthropic_client(url) as client:
        return client.messages.parse(**ASK_PLAIN, max_tokens=9, output_format=City).parsed_output


def messages_parse_stream(url: str) -> Any:
    with (
        anthropic_client(url) as client,
        client.messages.stream(**ASK_PLAIN, max_tokens=9, output_format=City) as stream,
    ):
        return stream.get_final_message().parsed_output


def generate_parse(url: str) -> Any:
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=City)
    with httpx2.Client(verify=False) as http_client:
        client = google(url, httpx_client=http_client, httpx_async_client=_UNUSED_ASYNC)
        return client.models.generate_content(model="m", contents=WHAT, config=config).parsed


PARSES: list[Callable[[str], Any]] = [
    chat_parse,
    chat_parse_stream,
    responses_parse,
    responses_parse_stream,
    messages_parse,
    messages_parse_stream,
    generate_parse,
]


@pytest.mark.parametrize("parse", PARSES, ids=lambda parse: parse.__name__)
def test_a_package_asks_for_a_class_and_makes_one_of_the_answer(
    parse: Callable[[str], Any], provider: Provider
) -> None:
    provider.answers = [events_of(CITY)]
    assert parse(provider.url) == City(name="Olinda", people=390_000)
    (asked,) = provider.asked
    said: Any = asked.settings.get("response_format")
    assert said["type"] == "json_schema"
    schema = said["json_schema"]["schema"]
    assert {name: it["type"] for name, it in schema["properties"].items()} == {"name": "string", "people": "integer"}
    assert schema["required"] == ["name", "people"]
    assert (asked.messages, asked.stream) == (PLAIN, parse.__name__.endswith("stream"))


# How answers end and arrive

ASK: dict[str, Asked] = {
    "openai_chat": ASK_PLAIN,
    "openai_responses": {"model": "m", "input": WHAT},
    "anthropic": ASK_PLAIN | {"max_tokens": 9},
    "gemini": {"model": "m", "contents": WHAT},
    "bedrock": {"modelId": CLAUDE, "max_tokens": 9, "messages": ASK_PLAIN["messages"]},
    "bedrock_converse": {"modelId": CLAUDE, "messages": [{"role": "user", "content": [{"text": WHAT}]}]},
}


@pytest.mark.parametrize(("name", "way"), WAYS, ids=str)
def test_an_answer_that_was_cut_short_says_so(name: str, way: str, provider: Provider) -> None:
    parts = (TextPart("It is"),)
    short = ModelResponse(Message("assistant", parts), "length", usage=Usage(70, 2, 72), id="answer-3", model="m-1.1")
    provider.answers = [events_of(short)]
    try:
        heard = how(name, way)(provider.url, ASK[name])
    except openai.LengthFinishReasonError as error:  # So the helper for streams has it.
        assert (name, way.removeprefix("async ")) == ("openai_chat", "stream")
        heard = heard_chat(error.completion)
    assert heard._replace(echo=None) == wanted(name, short)


@pytest.mark.parametrize(("name", "way"), STREAMED_WAYS, ids=str)
def test_a_stream_is_seen_while_it_is_made(name: str, way: str, provider: Provider) -> None:
    provider.answers = [events_of(LAST)]
    provider.hold.clear()  # The end is sent when the words were seen.
    early: list[Any] = []

    def seen(part: Any) -> None:
        if not provider.hold.is_set():
            early.append(part)
            if "6." in unpacked(part):
                provider.hold.set()

    heard = how(name, way)(provider.url, FIRST[name], seen)
    assert heard._replace(echo=None) == wanted(name, LAST)
    assert len(early) >= 2


def unpacked(part: Any) -> str:
    """A piece of a stream in words."""
    return part["chunk"]["bytes"].decode() if isinstance(part, dict) and "chunk" in part else str(part)


ODD: dict[str, list[MessageEvent | PlayheadError]] = {
    "nothing": events_of(msgspec.structs.replace(LAST, message=Message("assistant"))),
    "image": events_of(
        msgspec.structs.replace(LAST, message=Message("assistant", (TextPart("See:"), MediaPart("image/png", PNG))))
    ),
    "search": events_of(
        msgspec.structs.replace(
            LAST,
            message=Message(
                "assistant",
                (
                    ToolCallPart("w1", "web_search", '{"query":"6"}', provider_executed=True),
                    ToolResultPart("w1", "web_search", "five"),
                    TextPart("It is 6."),
                ),
            ),
        )
    ),
    "interleaved": [
        MessageStart("answer-4", "m-1.1"),
        PartStart(0, TextPart()),
        PartDelta(0, "text", "It "),
        PartStart(1, ToolCallPart("call_1", "add")),
        PartDelta(1, "tool_call", '{"a":'),
        PartStart(2, ToolCallPart("call_2", "multiply")),
        PartDelta(2, "tool_call", '{"b":'),
        PartDelta(1, "tool_call", "1}"),
        PartDelta(0, "text", "is 6."),
        PartEnd(0, TextPart("It is 6.")),
        PartDelta(2, "tool_call", "2}"),
        PartEnd(1, ToolCallPart("call_1", "add", '{"a":1}')),
        PartEnd(2, ToolCallPart("call_2", "multiply", '{"b":2}')),
        MessageEnd(
            ModelResponse(
                Message(
                    "assistant",
                    (
                        TextPart("It is 6."),
                        ToolCallPart("call_1", "add", '{"a":1}'),
                        ToolCallPart("call_2", "multiply", '{"b":2}'),
                    ),
                ),
                "tool_calls",
                usage=USED,
                id="answer-4",
                model="m-1.1",
            )
        ),
    ],
}
"""Answers in which something is not as usual; `interleaved` is that of a provider that makes parts side by side."""


@pytest.mark.parametrize(("name", "way"), [(name, way) for name, way in WAYS if not way.startswith("async")], ids=str)
@pytest.mark.parametrize("odd", ODD)
def test_unusual_answers_are_read(name: str, way: str, odd: str, provider: Provider) -> None:
    provider.answers = [ODD[odd]]
    last = ODD[odd][-1]
    assert isinstance(last, MessageEnd)
    assert how(name, way)(provider.url, ASK[name])._replace(echo=None) == wanted(name, last.response)


OF_INTEREST: list[Callable[[Any], Any]] = [
    lambda said: len(said["tool_calls"]) > 1,
    lambda said: said["reasoning"],
    lambda said: said.get("citations"),
]


def of_interest() -> Iterator[tuple[str, int, str]]:
    """Of each format and framing the first recorded answer that has something, for each format but its own."""
    found: dict[tuple[str, str, int], tuple[str, int, str]] = {}
    for name, cassette in expected().items():
        for it in cassette["responses"]:
            for n, has in enumerate(OF_INTEREST):
                if it["status"] == 200 and has(it["response"]):
                    found.setdefault((it["protocol"], it["framing"], n), (name, it["id"], it["protocol"]))
    for name, id, protocol in sorted(set(found.values())):
        yield from ((name, id, target) for target in WIRE_FORMATS if target != protocol.replace("-", "_"))


RECORDED = list(of_interest()) or [("recorded", 0, target) for target in WIRE_FORMATS]


@cache
def recorded(name: str, n: int) -> list[MessageEvent | PlayheadError]:
    """The events of an answer of a real provider."""
    call = load_tape(shared_tape(name)).interactions[n]
    wire = wire_for_path(urlsplit(call.request.url).path)
    assert wire is not None
    decoder = wire.Decoder("somebody")
    return [*decoder.feed(call.body), *decoder.close()]


def ways(target: str, response: ModelResponse) -> Iterator[str]:
    """The synchronous ways to ask for an answer that came in another format."""
    for way in (*WHOLE[target], *STREAMED[target]):
        if not way.startswith("async"):
            yield way


@pytest.mark.parametrize(("name", "n", "target"), RECORDED, ids=[f"{it[0]}-{it[1]}-{it[2]}" for it in RECORDED])
def test_recorded_answers_of_others_are_read_by_every_package(
    name: str, n: int, target: str, provider: Provider
) -> None:
    events = recorded(name, n)
    assert isinstance(events[-1], MessageEnd)
    response = events[-1].response
    for way in ways(target, response):
        provider.answers = [events]
        heard = how(target, way)(provider.url, ASK[target])
        assert heard._replace(echo=None, signature="") == wanted(target, response), way


# How errors arrive

WORDS = {
    "rate_limit": "Slow down, please.",
    "authentication": "There is no such key.",
    "context_length": "The prompt is too long: 9 tokens > 8 maximum",
    "overloaded": "There is no room.",
}
CLASSES: dict[str, list[type[Exception]]] = {
    "openai": [openai.RateLimitError, openai.AuthenticationError, openai.BadRequestError, openai.InternalServerError],
    "anthropic": [
        anthropic.RateLimitError,
        anthropic.AuthenticationError,
        anthropic.BadRequestError,
        anthropic.OverloadedError,
    ],
    "gemini": [
        genai_errors.ClientError,
        genai_errors.ClientError,
        genai_errors.ClientError,
        genai_errors.ServerError,
    ],
    "bedrock": [ClientError] * 4,
}
STATUSES = {
    "openai": [429, 401, 400, 503],
    "anthropic": [429, 401, 400, 529],
    "gemini": [429, 401, 400, 503],
    "bedrock": [429, 403, 400, 503],
}
CODES = {
    "openai_chat": ["429", "401", "context_length_exceeded", "503"],
    "openai_responses": ["rate_limit_exceeded", None, "context_length_exceeded", None],
    "anthropic": ["rate_limit_error", "authentication_error", "invalid_request_error", "overloaded_error"],
    "gemini": ["RESOURCE_EXHAUSTED", "UNAUTHENTICATED", "INVALID_ARGUMENT", "UNAVAILABLE"],
    "bedrock": [
        "ThrottlingException",
        "UnrecognizedClientException",
        "ValidationException",
        "ServiceUnavailableException",
    ],
}
CODES["bedrock_converse"] = CODES["bedrock"]


def package(name: str) -> str:
    return name.partition("_")[0]


def told(error: Any) -> tuple[Any, Any, str]:
    """The status, the code and the message, as a package's error has them."""
    body: Any = getattr(error, "body", None)
    match error:
        case openai.APIStatusError():
            return error.status_code, error.code, body["message"]
        case openai.APIError():
            return None, error.code, error.message
        case anthropic.APIStatusError():
            return error.status_code, body["error"]["type"], body["error"]["message"]
        case genai_errors.APIError():
            return error.code, error.status, error.message or ""
        case _:
            said = error.response["Error"]
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            return status, said["Code"], said["Message"]


@pytest.mark.parametrize("kind", WORDS)
@pytest.mark.parametrize(("name", "way"), WAYS, ids=str)
def test_a_refusal_is_the_error_that_the_package_has_for_it(
    name: str, way: str, kind: str, provider: Provider
) -> None:
    n = list(WORDS).index(kind)
    provider.answers = [[ProviderError(WORDS[kind], kind=kind)]]
    with pytest.raises(CLASSES[package(name)][n]) as caught:
        how(name, way)(provider.url, ASK[name])
    assert told(caught.value) == (STATUSES[package(name)][n], CODES[name][n], WORDS[kind])


def test_amazons_package_has_classes_of_its_own_for_refusals(provider: Provider) -> None:
    known = amazon(provider.url).exceptions
    for kind, wanted in {
        "rate_limit": known.ThrottlingException,
        "context_length": known.ValidationException,
        "overloaded": known.ServiceUnavailableException,
    }.items():
        for name in ("bedrock", "bedrock_converse"):
            provider.answers = [[ProviderError(WORDS[kind], kind=kind)]]
            with pytest.raises(wanted):
                next(iter(WHOLE[name].values()))(provider.url, ASK[name])


BROKEN: dict[str, tuple[type[Exception], Any, Any]] = {
    "openai_chat": (openai.APIError, None, "503"),
    "anthropic": (anthropic.APIStatusError, 200, "overloaded_error"),
    "gemini": (genai_errors.ServerError, 503, "UNAVAILABLE"),
    "bedrock": (EventStreamError, None, "serviceUnavailableException"),
    "bedrock_converse": (EventStreamError, None, "serviceUnavailableException"),
}


@pytest.mark.parametrize(("name", "way"), STREAMED_WAYS, ids=str)
def test_a_stream_that_breaks_off_is_an_error_behind_what_came(name: str, way: str, provider: Provider) -> None:
    words = WORDS["overloaded"]
    provider.answers = [[*events_of(LAST)[:3], ProviderError(words, kind="overloaded")]]
    seen: list[Any] = []
    if name == "openai_responses":  # This package tells it as an event, and leaves the rest to its users.
        with pytest.raises((RuntimeError, AttributeError)):
            how(name, way)(provider.url, ASK[name], seen.append)
        assert seen.pop().response.error.message == words
    else:
        kind, status, code = BROKEN[name]
        with pytest.raises(kind) as caught:
            how(name, way)(provider.url, ASK[name], seen.append)
        assert told(caught.value) == (status, code, words)
    assert "It is" in "".join(map(unpacked, seen))
