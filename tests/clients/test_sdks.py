"""The official SDKs on a tape, with one line each: recorded sessions are played, live ones recorded."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from sdks import (
    KEY,
    as_genai_writes,
    ask_anthropic,
    ask_anthropic_async,
    ask_gemini,
    ask_gemini_async,
    ask_openai,
    ask_openai_async,
    run,
    said,
)

import chatwire
import playhead as ph
from conftest import SHARED, expected, shared_tape
from playhead import clients
from playhead.http import Request, Response
from playhead.serve.http import ThreadedServer
from playhead.tape.effects import Interaction, Tape
from playhead.transport.faults import Faults
from playhead.transport.memory import respond

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # The SDKs warn of old models.

Ask = Callable[[ph.OpenTape, Interaction], list[Any]]

ASKS: dict[str, dict[str, Ask]] = {
    "openai-chat": {
        "openai": lambda tape, call: ask_openai(tape, call, "httpx2"),
        "openai with httpx": lambda tape, call: ask_openai(tape, call, "httpx"),
        "openai async": lambda tape, call: run(ask_openai_async(tape, call, "httpx2")),
        "openai async with httpx": lambda tape, call: run(ask_openai_async(tape, call, "httpx")),
    },
    "anthropic": {
        "anthropic": ask_anthropic,
        "anthropic async": lambda tape, call: run(ask_anthropic_async(tape, call)),
    },
    "gemini": {
        "genai": ask_gemini,
        "genai async with httpx": lambda tape, call: run(ask_gemini_async(tape, call, "httpx")),
        "genai async with httpx2": lambda tape, call: run(ask_gemini_async(tape, call, "httpx2")),
        "genai async with aiohttp": lambda tape, call: run(ask_gemini_async(tape, call, "aiohttp")),
    },
}
ASKS["openai-responses"] = {name: ASKS["openai-chat"][name] for name in ("openai", "openai async")}
VENDORS = {"anthropic": ("anthropic",), "gemini": ("google",)}
"""Whose cassettes are of the vendor's own API: Bedrock's and Vertex's need their keys to be asked at all."""


def recorded(protocol: str) -> Iterator[tuple[str, Interaction, dict[str, Any]]]:
    """All calls of a wire format, each with what is expected of it."""
    for name, cassette in expected().items():
        wanted = [
            (n, response)
            for n, response in enumerate(cassette["responses"])
            if response["protocol"] == protocol
            and response["provider"] in VENDORS.get(protocol, response["provider"])
        ]
        if wanted:
            calls = ph.load_tape(SHARED / name).interactions
            yield from ((f"{name} {n}", calls[n], response) for n, response in wanted)


@pytest.mark.parametrize(
    ("protocol", "sdk"), [(protocol, sdk) for protocol, sdks in ASKS.items() for sdk in sdks], ids=str
)
def test_every_recorded_answer_says_through_the_sdk_what_it_is_expected_to_say(protocol: str, sdk: str) -> None:
    shared_tape("expected.json")
    count, ask = 0, ASKS[protocol][sdk]
    every = 4 if sdk.endswith("httpx") else 1  # The way with httpx is that with httpx2.
    for name, call, response in list(recorded(protocol))[::every]:
        count += every
        on_tape = as_genai_writes(call) if protocol == "gemini" else call
        with ph.open_tape(Tape((on_tape,)), "replay") as tape:
            if response["status"] == 429:
                with pytest.raises(openai.RateLimitError):
                    ask(tape, call)
                continue
            text, calls = said(protocol, ask(tape, call))
            assert not tape.unplayed()
        wanted = response["response"]
        assert text == wanted["text"], name
        own = [made for made in wanted["tool_calls"] if not made["provider_executed"]]
        assert calls == [(made["name"], made["arguments"]) for made in own], name
    assert count > 20


CALL = chatwire.tool_call("add", {"a": 2, "b": 3})
MESSAGE = {
    "id": "m1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "Olá!"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 2},
}
GENERATED = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Olá!"}]}, "finishReason": "STOP"}]}


def named(kind: str, data: dict[str, Any]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


def message_stream() -> list[bytes]:
    start = {"message": {**MESSAGE, "content": [], "stop_reason": None}}
    delta = {"delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 2}}
    return [
        named("message_start", start),
        named("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
        named("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "Olá!"}}),
        named("content_block_stop", {"index": 0}),
        named("message_delta", delta),
        named("message_stop", {}),
    ]


async def provider(request: Request) -> Response:
    """Answers as all vendors do."""
    asked = json.loads(request.body)
    if "/models/" in request.url:
        data = json.dumps(GENERATED).encode()
        streamed = "streamGenerateContent" in request.url
        return (
            respond(200, [b"data: " + data + b"\n\n"], chatwire.SSE)
            if streamed
            else respond(200, data, chatwire.JSON)
        )
    if request.url.endswith("/messages"):
        if asked.get("stream"):
            return respond(200, message_stream(), chatwire.SSE)
        return respond(200, json.dumps(MESSAGE).encode(), chatwire.JSON)
    if asked.get("stream"):
        return respond(200, chatwire.stream("Olá você", CALL), chatwire.SSE)
    return respond(200, json.dumps(chatwire.message("Olá você", CALL)).encode(), chatwire.JSON)


def question(protocol: str, url: str, *, stream: bool) -> Interaction:
    """What a client asks of the provider above."""
    body: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    path = "/v1/chat/completions"
    if protocol == "anthropic":
        path, body = "/v1/messages", body | {"max_tokens": 9}
    elif protocol == "gemini":
        path, body = f"/v1beta/models/m:{'streamG' if stream else 'g'}enerateContent", {"contents": [{"parts": []}]}
    if stream and protocol != "gemini":
        body["stream"] = True
    return Interaction(request=Request("POST", url + path, (), json.dumps(body).encode()))


LIVE = [
    (protocol, sdk, stream)
    for protocol in ("openai-chat", "anthropic", "gemini")
    for sdk in ASKS[protocol]
    for stream in (False, True)
]


@pytest.mark.parametrize(("protocol", "sdk", "stream"), LIVE, ids=str)
def test_a_live_session_is_recorded_and_played_with_the_server_gone(
    protocol: str, sdk: str, stream: bool, tmp_path: Path
) -> None:
    tape, ask = tmp_path / "run.jsonl", ASKS[protocol][sdk]
    with ThreadedServer(provider) as server:
        asked = question(protocol, server.url, stream=stream)
        with ph.open_tape(tape, "record") as opened:
            live = ask(opened, asked)
    assert said(protocol, live)[0].startswith("Olá")
    (call,) = ph.load_tape(tape).interactions
    assert (call.ended, call.outcome) == ("complete", None)
    assert KEY.encode() not in tape.read_bytes()
    with ph.open_tape(tape, "replay") as opened:
        played = ask(opened, asked)
        assert not opened.unplayed()
    assert plain(played) == plain(live)
    with ph.open_tape(tape, "auto") as opened:  # What was recorded is whole.
        assert opened.closed


def plain(parts: list[Any]) -> list[Any]:
    """Without what is of the connection, and not of the answer."""
    return [part.model_dump(exclude={"sdk_http_response"}) for part in parts]


def test_one_line_is_enough(tmp_path: Path) -> None:
    with ThreadedServer(provider) as server:
        for _ in range(2):
            http_client = clients.httpx2_client(tmp_path / "run.jsonl")
            with openai.OpenAI(api_key=KEY, base_url=f"{server.url}/v1", http_client=http_client) as client:
                answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
            assert answer.choices[0].message.content == "Olá você"
        assert server.connections == 1


def test_a_divergence_is_the_cause_of_the_sdks_error_and_is_told_again_at_the_end() -> None:
    call = question("openai-chat", "https://x.test", stream=False)
    other = {"model": "other", "messages": [{"role": "user", "content": "Hi"}]}
    with pytest.raises(ph.Divergence, match="model"), ph.open_tape(Tape((call,)), "replay") as tape:
        for kind, http_client in (
            (openai.OpenAI, clients.httpx2_client(tape)),
            (openai.OpenAI, clients.httpx_client(tape)),
        ):
            client = kind(api_key=KEY, base_url="https://x.test/v1", max_retries=0, http_client=http_client)
            with pytest.raises(openai.APIConnectionError) as caught:
                client.chat.completions.create(**other)
            assert isinstance(caught.value.__cause__, ph.Divergence)


def test_a_stream_that_was_cut_when_it_was_recorded_raises_the_sdks_error() -> None:
    call = question("openai-chat", "https://x.test", stream=True)
    head = {"status": 200, "headers": chatwire.SSE, "ended": "interrupted"}
    cut = Interaction(request=call.request, chunks=tuple(chatwire.stream("Olá você")[:2]), **head)
    for package in ("httpx", "httpx2"):
        seen = []
        with ph.open_tape(Tape((cut,)), "replay") as tape:
            client = openai.OpenAI(
                api_key=KEY, base_url="https://x.test/v1", http_client=getattr(clients, f"{package}_client")(tape)
            )
            with pytest.raises(openai.APIConnectionError):
                for part in client.chat.completions.create(**json.loads(call.request.body)):
                    seen.append(part.choices[0].delta.content)
        assert seen == ["", "Olá"]


@pytest.mark.parametrize("sdk", ["openai", "openai async"])
def test_an_sdk_tries_again_after_a_fault_and_finds_the_recorded_answer(sdk: str) -> None:
    call = question("openai-chat", "https://x.test", stream=False)
    body = json.dumps(chatwire.message("Olá")).encode()
    answered = Interaction(request=call.request, status=200, headers=chatwire.JSON, chunks=(body,))
    with ph.open_tape(Tape((answered,)), "replay", faults=Faults.parse("503:retry-after=0.01@call=1")) as tape:
        with pytest.raises(openai.InternalServerError):
            ASKS["openai-chat"][sdk](tape, call)
        assert said("openai-chat", ASKS["openai-chat"][sdk](tape, call))[0] == "Olá"


OFFLINE = """
import json, sys
attempts = []
def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.sendmsg"):
        attempts.append(event)
        raise OSError("the network is closed")

import aiohttp, asyncio, openai, requests
import playhead as ph
from playhead import clients
sys.addaudithook(hook)
URL, BODY = "https://api.example.test/v1", {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
tape = ph.load_tape(sys.argv[1])

def ask_openai(opened, body):
    client = openai.OpenAI(api_key="x", base_url=URL, max_retries=0, http_client=clients.httpx2_client(opened))
    return client.chat.completions.create(**body).choices[0].message.content

def ask_requests(opened, body):
    session = clients.requests_session(opened)
    return session.post(URL + "/chat/completions", json=body).json()["choices"][0]["message"]["content"]

def ask_aiohttp(opened, body):
    async def main():
        async with clients.aiohttp_session(opened) as session:
            async with session.post(URL + "/chat/completions", json=body) as response:
                return (await response.json())["choices"][0]["message"]["content"]
    return asyncio.run(main())

said = []
for ask in (ask_openai, ask_requests, ask_aiohttp):
    with ph.open_tape(tape, "replay") as opened:
        said.append(ask(opened, BODY))
    try:
        with ph.open_tape(tape, "replay") as opened:
            try:
                ask(opened, BODY | {"model": "other"})
            except Exception as error:
                said.append(type(error.__cause__ or error).__name__)
    except ph.Divergence as error:
        said.append("told again")
print(json.dumps([said, attempts]))
"""


def test_in_replay_nothing_reaches_for_the_network(tmp_path: Path) -> None:
    request = question("openai-chat", "https://api.example.test", stream=False).request
    body = json.dumps(chatwire.message("Olá")).encode()
    call = Interaction(request=request, status=200, headers=chatwire.JSON, chunks=(body,))
    ph.save_tape(Tape((call,)), tmp_path / "run.jsonl")
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, str(tmp_path / "run.jsonl")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [["Olá", "Divergence", "told again"] * 3, []]
