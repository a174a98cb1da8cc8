"""A provider's own list of models, over real HTTP, in all the shapes that there are."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import playhead as ph
from playhead.catalog import list_models
from playhead.http import Request, Response, header
from playhead.providers import find_provider
from playhead.serve.http import Server
from playhead.transport.live import LiveTransport
from playhead.transport.memory import MemoryTransport, respond

KEY = "sk-a-key-of-nobody"


class Provider:
    """Answers with pages, by path and by what follows which."""

    def __init__(self, pages: dict[str, object], status: int = 200) -> None:
        self.pages = pages
        self.status = status
        self.asked: list[Request] = []

    async def answer(self, request: Request) -> Response:
        self.asked.append(request)
        parts = urlsplit(request.url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        after = next(
            (query[name] for name in ("after_id", "pageToken", "page_token", "nextToken") if name in query), ""
        )
        page = self.pages.get(parts.path + (f"+{after}" if after else ""))
        body = page if isinstance(page, bytes) else json.dumps(page).encode()
        return respond(self.status if page is not None else 404, body, (("content-type", "application/json"),))


def listed(name: str, serving: Provider, lists: tuple[str, ...]) -> list[str]:
    """What is listed of a provider whose lists are on this machine."""

    async def main() -> list[str]:
        async with Server(serving.answer) as server:
            urls = tuple(server.url + url for url in lists)
            provider = msgspec.structs.replace(find_provider(name), models_url=urls)
            transport = LiveTransport()
            try:
                return [model.id for model in await list_models(provider, transport, api_key=KEY)]
            finally:
                await transport.aclose()

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("name", "lists", "pages", "ids"),
    [
        (
            "openai",
            ("/v1/models",),
            {"/v1/models": {"object": "list", "data": [{"id": "a"}, {"id": "b"}]}},
            ["a", "b"],
        ),
        ("together", ("/v1/models",), {"/v1/models": [{"id": "x/a"}, {"id": "x/a"}, {}]}, ["x/a"]),
        (
            "anthropic",
            ("/v1/models?limit=2",),
            {
                "/v1/models": {"data": [{"id": "a"}, {"id": "b"}], "has_more": True, "last_id": "b"},
                "/v1/models+b": {"data": [{"id": "c"}], "has_more": False, "last_id": "c"},
            },
            ["a", "b", "c"],
        ),
        (
            "google",
            ("/v1beta/models?pageSize=1",),
            {
                "/v1beta/models": {"models": [{"name": "models/gemini-a"}], "nextPageToken": "t/1="},
                "/v1beta/models+t/1=": {"nextPageToken": "t2"},
                "/v1beta/models+t2": {"models": [{"name": "models/gemini-b"}]},
            },
            ["gemini-a", "gemini-b"],
        ),
        (
            "cohere",
            ("/v1/models",),
            {"/v1/models": {"models": [{"name": "command-a"}], "next_page_token": ""}},
            ["command-a"],
        ),
        (
            "vertex",
            ("/v1beta1/publishers/google/models", "/v1beta1/publishers/anthropic/models"),
            {
                "/v1beta1/publishers/google/models": {
                    "publisherModels": [{"name": "publishers/google/models/gemini-a"}]
                },
                "/v1beta1/publishers/anthropic/models": {
                    "publisherModels": [{"name": "publishers/anthropic/models/c"}]
                },
            },
            ["gemini-a", "c"],
        ),
        (
            "bedrock",
            ("/foundation-models", "/inference-profiles?maxResults=1"),
            {
                "/foundation-models": {"modelSummaries": [{"modelId": "amazon.nova-lite-v1:0", "modelName": "Nova"}]},
                "/inference-profiles": {
                    "inferenceProfileSummaries": [{"inferenceProfileId": "us.a"}],
                    "nextToken": "n",
                },
                "/inference-profiles+n": {"inferenceProfileSummaries": [{"inferenceProfileId": "eu.a"}]},
            },
            ["amazon.nova-lite-v1:0", "us.a", "eu.a"],
        ),
        ("groq", ("/models",), {"/models": {}}, []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_shape_of_list_is_read_to_its_end(
    name: str, lists: tuple[str, ...], pages: dict[str, Any], ids: list[str]
) -> None:
    serving = Provider(pages)
    assert listed(name, serving, lists) == ids
    assert len(serving.asked) == len(pages)
    auth = find_provider(name).auth
    where, value = (auth, KEY) if "-" in auth else ("authorization", f"Bearer {KEY}")
    assert {header(request.headers, where) for request in serving.asked} == {value}
    for sent, meant in find_provider(name).headers:
        assert header(serving.asked[0].headers, sent) == meant


@pytest.mark.parametrize(
    "page", [b"<html>", b"", b"7", b'"models"', {"models": "many"}, {"error": "x"}, b"[" * 100_000]
)
def test_what_is_no_list_is_told(page: object) -> None:
    with pytest.raises(
        ph.DecodeError, match=r"openai should have listed its models at http://127\.0\.0\.1:\d+/models"
    ):
        listed("openai", Provider({"/models": page}), ("/models",))


def test_a_list_that_goes_round_ends_and_one_that_never_ends_is_told() -> None:
    page = {"models": [{"name": "a"}], "nextPageToken": "t"}
    assert listed("google", Provider({"/m": page, "/m+t": page}), ("/m",)) == ["a"]

    class Endless(Provider):
        async def answer(self, request: Request) -> Response:
            self.asked.append(request)
            return respond(200, json.dumps({"models": [], "nextPageToken": f"t{len(self.asked)}"}).encode())

    with pytest.raises(ph.DecodeError, match="more than 100 pages"):
        listed("google", Endless({}), ("/m",))


def test_a_refusal_says_why_and_what_to_do() -> None:
    refusal = {"error": {"message": f"invalid key {KEY}", "type": "invalid_request_error", "code": "invalid_api_key"}}
    with pytest.raises(ph.ProviderError, match="invalid key REDACTED") as caught:
        listed("openai", Provider({"/models": refusal}, status=401), ("/models",))
    assert caught.value.kind == "authentication"
    assert "OPENAI_API_KEY" in str(caught.value)
    with pytest.raises(ph.ProviderError, match="There may be no list of models at http") as caught:
        listed("openai", Provider({}), ("/models",))
    assert caught.value.status == 404


def test_nothing_is_sent_without_a_key_or_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GROQ_API_KEY", "PERPLEXITY_API_KEY", "PPLX_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    transport = MemoryTransport(lambda _: respond(200))
    with pytest.raises(ph.MissingKey, match="set GROQ_API_KEY"):
        asyncio.run(list_models(find_provider("groq"), transport))
    with pytest.raises(ph.ConfigError, match="perplexity has no list"):
        asyncio.run(list_models(find_provider("perplexity"), transport))
    assert transport.requests == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["data", "id", "models", "name", "nextPageToken", "has_more", "last_id", "x"]), inner
        )
    ),
    max_leaves=8,
)


@given(json_values)
def test_whatever_comes_is_a_list_or_one_of_our_errors(value: object) -> None:
    transport = MemoryTransport(lambda _: respond(200, json.dumps(value).encode()))
    try:
        models = asyncio.run(list_models(find_provider("openai"), transport, api_key=KEY))
    except ph.DecodeError:
        return
    assert all(model.id for model in models)
