"""Asks a provider what models it has."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any, cast
from urllib.parse import quote, urlsplit

import msgspec

from ._version import __version__
from .errors import ConfigError, DecodeError, MissingKey, ProviderError
from .http import Request, Response, Transport
from .providers import Provider
from .refusal import refused
from .tape.redact import allowed_headers, safe_url
from .transport.auth import AuthTransport, scheme_for
from .wire import _refusals

_LISTS = (
    ("data", "id"),
    ("models", "name"),  # Gemini, Cohere
    ("publisherModels", "name"),  # Vertex
    ("modelSummaries", "modelId"),  # Bedrock
    ("inferenceProfileSummaries", "inferenceProfileId"),
)
"""The field that holds the list, and in its items that which holds the id."""

_NEXT = (
    ("nextPageToken", "pageToken"),
    ("next_page_token", "page_token"),
    ("nextToken", "nextToken"),
    ("last_id", "after_id"),
)
"""The field that says where the list goes on, and the parameter that asks for it."""

_GOOGLES = re.compile(r"^(publishers/[^/]+/)?models/")

_MOST_PAGES = 100
_MOST_BYTES = 64 * 1024 * 1024


class ListedModel(msgspec.Struct, frozen=True):
    """A model that a provider lists.

    Attributes:
        id: as it stands behind `provider:`.
        raw: all that the provider says of it.
    """

    id: str
    raw: dict[str, Any] = {}


async def list_models(
    provider: Provider, transport: Transport, *, api_key: str | None = None
) -> tuple[ListedModel, ...]:
    """The provider's own list of its models, in its order.

    Args:
        transport: sends the requests, which it gets signed.
        api_key: instead of the provider's environment variable.

    Raises:
        ConfigError: the provider has no list, or a key or a part of its address is missing. Nothing was sent.
        ProviderError: it refused.
        DecodeError: its answer is no list of models.
        TransportError: no answer came.
    """
    if provider.models_url is None:
        raise ConfigError(f"{provider.name} has no list of models that could be asked for")
    key = api_key or provider.key()
    if provider.key_required and provider.key_names and not key:
        raise MissingKey(
            f"there is no API key for {provider.name}: set {' or '.join(provider.key_names)} in the environment"
        )
    signing = AuthTransport(transport, scheme_for(provider.auth, lambda: key))
    found: dict[str, ListedModel] = {}
    for url in provider.model_lists():
        async for page in _pages(provider, signing, url):
            for model in page:
                found.setdefault(model.id, model)
    return tuple(found.values())


async def _pages(provider: Provider, transport: Transport, url: str) -> AsyncIterator[list[ListedModel]]:
    asked: set[str] = set()
    page = url
    while page not in asked:
        if len(asked) >= _MOST_PAGES:
            raise DecodeError(f"{provider.name} lists its models on more than {_MOST_PAGES} pages at {_shown(url)}")
        asked.add(page)
        body = await _get(provider, transport, page)
        yield _models(body, provider, url)
        if (further := _next(body)) is None:
            return
        page = _with(url, *further)


async def _get(provider: Provider, transport: Transport, url: str) -> object:
    headers = (("Accept", "application/json"), ("User-Agent", f"playhead/{__version__}"), *provider.headers)
    response = await transport.send(Request("GET", url, headers))
    try:
        body = await _read(response, provider, url)
    finally:
        await response.aclose()
    if response.status != 200:
        raise _refusal(provider, response, body, url)
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise DecodeError(
            f"{provider.name} should have listed its models at {_shown(url)} as JSON, but sent "
            f"{_beginning(body)}. Is this the address of the API?"
        ) from error


async def _read(response: Response, provider: Provider, url: str) -> bytes:
    body = bytearray()
    async for piece in response:
        body += piece
        if len(body) > _MOST_BYTES:
            raise DecodeError(f"{provider.name} sent more than {_MOST_BYTES} bytes from {_shown(url)}")
    return bytes(body)


def _refusal(provider: Provider, response: Response, body: bytes, url: str) -> ProviderError:
    headers = {name.lower(): value for name, value in allowed_headers(response.headers)}
    if location := response.header("location"):
        headers["location"] = location
    error = _refusals.read_error(body, response.status)
    error.body = body
    told = refused(error, response.status, headers, provider, "")
    if response.status in (404, 405):
        told.hint = f"There may be no list of models at {_shown(url)}."
    return told


def _models(body: object, provider: Provider, url: str) -> list[ListedModel]:
    fields = {"data": cast("object", body)} if isinstance(body, list) else _fields(body)  # Together: the list alone.
    for list_name, id_name in _LISTS:
        items = fields.get(list_name)
        if isinstance(items, list):
            return [model for item in cast("list[object]", items) if (model := _model(item, id_name))]
    if body == {} or any(name in fields for name, _ in _NEXT):
        return []  # Google leaves an empty list out.
    raise DecodeError(
        f"{provider.name} should have listed its models at {_shown(url)}, but sent "
        f"{_beginning(msgspec.json.encode(body))}"
    )


def _model(item: object, id_name: str) -> ListedModel | None:
    fields = _fields(item)
    name = fields.get(id_name)
    if not isinstance(name, str) or not name:
        return None
    # Google's are `models/gemini-...` and `publishers/google/models/gemini-...`, others' may hold slashes.
    return ListedModel(_GOOGLES.sub("", name), fields)


def _next(body: object) -> tuple[str, str] | None:
    """The parameter that asks for the next page, and its value."""
    fields = _fields(body)
    more = {name: value for name, value in fields.items() if name != "last_id" or fields.get("has_more") is True}
    values = ((parameter, more.get(name)) for name, parameter in _NEXT)
    return next(((parameter, value) for parameter, value in values if isinstance(value, str) and value), None)


def _fields(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _with(url: str, parameter: str, value: str) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{parameter}={quote(value, safe='')}"


def _shown(url: str) -> str:
    return safe_url(url).partition("?")[0]


def _beginning(body: bytes) -> str:
    return repr(" ".join(body[:200].decode("utf-8", "replace").split())) if body.strip() else "nothing"
