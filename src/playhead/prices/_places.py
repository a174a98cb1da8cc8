"""Where in the price table a model stands: under the provider that served it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ._table import at_address

DIRECT = {
    "anthropic": "anthropic",
    "avian": "avian",
    "azure": "azure",
    "azure-responses": "azure",
    "bedrock": "aws",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "fireworks": "fireworks",
    "google": "google",
    "groq": "groq",
    "mistral": "mistral",
    "moonshot": "moonshotai",
    "openai": "openai",
    "openai-responses": "openai",
    "perplexity": "perplexity",
    "together": "together",
    "vertex": "google",
    "xai": "x-ai",
    "zai": "zai",
}
"""The table's ids of our providers."""

_ROUTERS = frozenset({"openrouter", "vercel", "huggingface"})
"""Providers that hand a request on to others. The table's prices for a model at a router are of no use: what is paid
is the price of whoever served it."""

_SERVED = {
    "alibaba": None,
    "amazonbedrock": "aws",
    "anthropic": "anthropic",
    "arceeai": "arcee",
    "avian": "avian",
    "avianio": "avian",
    "azure": "azure",
    "baseten": "baseten",
    "bedrock": "aws",
    "cerebras": "cerebras",
    "cloudflare": "cloudflare",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "fireworks": "fireworks",
    "fireworksai": "fireworks",
    "google": "google",
    "googleaistudio": "google",
    "googlevertex": "google",
    "groq": "groq",
    "minimax": "minimax",
    "mistral": "mistral",
    "moonshotai": "moonshotai",
    "novita": "novita",
    "novitaai": "novita",
    "openai": "openai",
    "perplexity": "perplexity",
    "together": "together",
    "togetherai": "together",
    "vertex": "google",
    "vertexanthropic": "google",
    "xai": "x-ai",
    "zai": "zai",
}
"""The table's ids of those who serve behind routers, by the routers' names in small letters and digits."""

_BY_THE_MONTH = ("//api.z.ai/api/coding/", "//open.bigmodel.cn/api/coding/")
"""Addresses of subscriptions: no price by the token."""


def by_the_month(url: str | None) -> bool:
    return url is not None and any(part in url for part in _BY_THE_MONTH)


def places(
    provider: str, model: str, answered: str | None, served_by: str | None, url: str | None
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Where in the table the model may stand: a provider's id, and the names that it may have there."""
    if provider not in _ROUTERS:
        id = DIRECT.get(provider) or at_address(url)
        # Bedrock's price depends on the region in the name that was asked; elsewhere that may be an alias.
        names = (model, answered) if id == "aws" else (answered, model)
        if id is not None:
            yield id, tuple(filter(None, names))
        return
    if served_by is None or model.endswith(":free"):
        return
    served = re.sub(r"[^a-z0-9]", "", served_by.lower())
    names = tuple(without_variant(name) for name in (answered, model) if name)
    names = tuple(dict.fromkeys((*names, *(name.rpartition("/")[2] for name in names))))
    if provider == "huggingface":
        yield f"huggingface_{served_by.lower()}", names
    if (id := _SERVED.get(served)) is not None:
        yield id, names


def without_variant(model: str) -> str:
    """A router's name of a model without what it says of routing, as in `:nitro` and `:groq`."""
    return model.partition(":")[0] if "/" in model else model
