"""The official SDKs, each asked what was recorded, and what their objects say."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

import anthropic
import httpx2
import msgspec
import openai
from google import genai
from google.genai import types

from playhead import OpenTape, clients
from playhead.tape.effects import Interaction

OPENAI = ("openai-chat", "openai-responses")
KEY = "not-a-key"

_NOWHERE = httpx2.MockTransport(lambda _: httpx2.Response(500))
_UNUSED, _UNUSED_ASYNC = httpx2.Client(transport=_NOWHERE), httpx2.AsyncClient(transport=_NOWHERE)
"""What genai would make for itself, reading the system's certificates each time."""

Said = tuple[str, list[tuple[str, Any]]]
"""The text, and the tool calls: names and arguments."""


def base_url(url: SplitResult, path: str) -> str:
    return url._replace(path=url.path.removesuffix(path), query="").geturl()


def split(method: Callable[..., Any], body: dict[str, Any]) -> dict[str, Any]:
    """A body as arguments of the SDK's method, with what it does not know beside them."""
    known = inspect.signature(method).parameters
    extra = {name: value for name, value in body.items() if name not in known}
    return {name: value for name, value in body.items() if name in known} | ({"extra_body": extra} if extra else {})


def ask_openai(tape: OpenTape, call: Interaction, package: str) -> list[Any]:
    """The objects that the SDK makes of a call: one, or those of a stream."""
    with _openai(openai.OpenAI, call, getattr(clients, f"{package}_client")(tape)) as client:
        create = _create(client, call)
        answer = create(**split(create, json.loads(call.request.body)))
        return list(answer) if isinstance(answer, openai.Stream) else [answer]


async def ask_openai_async(tape: OpenTape, call: Interaction, package: str) -> list[Any]:
    async with _openai(openai.AsyncOpenAI, call, getattr(clients, f"{package}_async_client")(tape)) as client:
        create = _create(client, call)
        answer = await create(**split(create, json.loads(call.request.body)))
        return [part async for part in answer] if isinstance(answer, openai.AsyncStream) else [answer]


def _openai(kind: Any, call: Interaction, http_client: Any) -> Any:
    url = urlsplit(call.request.url)
    base = base_url(base_url_of(url), "/responses")
    query = dict(parse_qsl(url.query))
    return kind(api_key=KEY, base_url=base, default_query=query, max_retries=0, http_client=http_client)


def base_url_of(url: SplitResult) -> SplitResult:
    return url._replace(path=url.path.removesuffix("/chat/completions"))


def _create(client: Any, call: Interaction) -> Any:
    chat = urlsplit(call.request.url).path.endswith("/chat/completions")
    return client.chat.completions.create if chat else client.responses.create


def ask_anthropic(tape: OpenTape, call: Interaction) -> list[Any]:
    with _anthropic(anthropic.Anthropic, call, clients.httpx2_client(tape)) as client:
        answer = client.messages.create(**split(client.messages.create, json.loads(call.request.body)))
        return list(answer) if isinstance(answer, anthropic.Stream) else [answer]


async def ask_anthropic_async(tape: OpenTape, call: Interaction) -> list[Any]:
    async with _anthropic(anthropic.AsyncAnthropic, call, clients.httpx2_async_client(tape)) as client:
        answer = await client.messages.create(**split(client.messages.create, json.loads(call.request.body)))
        return [part async for part in answer] if isinstance(answer, anthropic.AsyncStream) else [answer]


def _anthropic(kind: Any, call: Interaction, http_client: Any) -> Any:
    url = urlsplit(call.request.url)
    base, query = base_url(url, "/v1/messages"), dict(parse_qsl(url.query))
    options = {"max_retries": 0, "timeout": 30.0, "http_client": http_client}
    return kind(api_key=KEY, base_url=base, default_query=query, **options)


def ask_gemini(tape: OpenTape, call: Interaction) -> list[Any]:
    with clients.httpx2_client(tape) as http_client:
        client, asked, streamed = _gemini(call, httpx_client=http_client, httpx_async_client=_UNUSED_ASYNC)
        if streamed:
            return list(client.models.generate_content_stream(**asked))
        return [client.models.generate_content(**asked)]


async def ask_gemini_async(tape: OpenTape, call: Interaction, package: str) -> list[Any]:
    if package == "aiohttp":
        async with clients.aiohttp_session(tape) as session:
            return await _ask_gemini_async(call, aiohttp_client=session, async_client_args={"ssl": True})
    async with getattr(clients, f"{package}_async_client")(tape) as http_client:
        return await _ask_gemini_async(call, httpx_async_client=http_client, httpx_client=_UNUSED)


async def _ask_gemini_async(call: Interaction, **http_client: Any) -> list[Any]:
    client, asked, streamed = _gemini(call, **http_client)
    if not streamed:
        return [await client.aio.models.generate_content(**asked)]
    stream: AsyncIterator[Any] = await client.aio.models.generate_content_stream(**asked)
    return [part async for part in stream]


def _gemini(call: Interaction, **http_client: Any) -> tuple[Any, dict[str, Any], bool]:
    url, body = urlsplit(call.request.url), json.loads(call.request.body)
    version, model = url.path.split("/")[1], url.path.rsplit("/", 1)[1].partition(":")[0]
    config = body.get("generationConfig", {}) | {
        name: value for name, value in body.items() if name not in ("contents", "generationConfig")
    }
    options = types.HttpOptions(base_url=base_url(url, url.path), api_version=version, **http_client)
    client = genai.Client(api_key=KEY, http_options=options)
    asked = {"model": model, "contents": body["contents"], "config": config}
    return client, asked, "stream" in url.path


def as_genai_writes(call: Interaction) -> Interaction:
    """A call as this SDK writes it: some names, and the alphabet of base64, are not those of the client recorded."""
    names = {"includeThoughts": "include_thoughts", "thinkingBudget": "thinking_budget"}
    names |= {"thinkingLevel": "thinking_level", "mimeType": "mime_type"}

    def rewritten(value: dict[str, Any]) -> dict[str, Any]:
        for name in value.keys() & {"thoughtSignature", "data"}:
            value[name] = value[name].replace("+", "-").replace("/", "_")
        return {names.get(name, name): item for name, item in value.items()}

    body = json.dumps(json.loads(call.request.body, object_hook=rewritten)).encode()
    return msgspec.structs.replace(call, request=msgspec.structs.replace(call.request, body=body))


def said(protocol: str, parts: list[Any]) -> Said:
    """What the SDK's objects say."""
    return {
        "openai-chat": _said_by_chat,
        "openai-responses": _said_by_responses,
        "anthropic": _said_by_anthropic,
        "gemini": _said_by_gemini,
    }[protocol](parts)


def _said_by_chat(parts: list[Any]) -> Said:
    text, calls = "", dict[int, list[str]]()
    for part in parts:
        for choice in part.choices[:1]:
            message = choice.message if hasattr(choice, "message") else choice.delta
            text += message.content or ""
            for n, call in enumerate(message.tool_calls or ()):
                found = calls.setdefault(getattr(call, "index", n) or 0, ["", ""])
                found[0] = found[0] or call.function.name or ""
                found[1] += call.function.arguments or ""
    return text, [(name, json.loads(arguments or "{}")) for name, arguments in calls.values()]


def _said_by_responses(parts: list[Any]) -> Said:
    (response,) = [part.response for part in parts if part.type == "response.completed"] if len(parts) > 1 else parts
    calls = [item for item in response.output if item.type == "function_call"]
    return response.output_text, [(call.name, json.loads(call.arguments)) for call in calls]


def _said_by_anthropic(parts: list[Any]) -> Said:
    if parts[0].type == "message":
        blocks = parts[0].content
        text = "".join(block.text for block in blocks if block.type == "text")
        return text, [(block.name, block.input) for block in blocks if block.type == "tool_use"]
    text, calls = "", dict[int, list[str]]()
    for part in parts:
        if part.type == "content_block_start" and part.content_block.type == "tool_use":
            calls[part.index] = [part.content_block.name, ""]
        elif part.type == "content_block_delta" and part.delta.type == "text_delta":
            text += part.delta.text
        elif part.type == "content_block_delta" and part.delta.type == "input_json_delta" and part.index in calls:
            calls[part.index][1] += part.delta.partial_json
    return text, [(name, json.loads(arguments or "{}")) for name, arguments in calls.values()]


def _said_by_gemini(parts: list[Any]) -> Said:
    text, calls = "", list[tuple[str, Any]]()
    for part in parts:
        content = part.candidates[0].content if part.candidates else None
        for piece in (content.parts if content else None) or ():
            if piece.function_call:
                calls.append((piece.function_call.name, piece.function_call.args or {}))
            elif not piece.thought:
                text += piece.text or ""
    return text, calls


def run(main: Any) -> Any:
    """Run a test's coroutine. What would hang fails instead."""

    async def limited() -> Any:
        async with asyncio.timeout(20):
            return await main

    return asyncio.run(limited())
