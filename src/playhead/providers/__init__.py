"""
Providers as data, one small file each. The module's name is the provider's name.

A model is named `provider:model`, such as `openrouter:moonshotai/kimi-k2-0905`; any server that speaks a known wire
format is named by its address, `compat:http://127.0.0.1:8080/v1#model`.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from urllib.parse import urlsplit

from ..errors import ConfigError
from ._provider import Provider, Route

__all__ = ["Provider", "Route", "find_provider", "provider_for_url", "provider_names", "resolve"]


@cache
def provider_names() -> tuple[str, ...]:
    """The providers there are, by name."""
    return tuple(sorted(info.name for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_")))


def find_provider(name: str) -> Provider:
    """The provider called `name`.

    Raises:
        ConfigError: there is none.
    """
    if name not in provider_names():
        raise ConfigError(
            f"there is no provider {name!r}; there are: {', '.join(provider_names())}. Any compatible server is "
            "reached as 'compat:http://host:port/v1#model', or with playhead.Provider(...)."
        )
    provider: Provider = importlib.import_module(f".{name}", __name__).PROVIDER
    return provider


def provider_for_url(url: str) -> Provider | None:
    """The provider that answers at a URL, for telling recordings apart."""
    host = urlsplit(url).hostname
    providers = (find_provider(name) for name in provider_names())
    return next((it for it in providers if host and urlsplit(it.base_url).hostname == host and it.public), None)


def resolve(model: str, provider: Provider | None = None) -> tuple[Provider, str]:
    """The provider and the model's id that a name such as `openrouter:vendor/model` means.

    Args:
        model: `provider:model`, `compat:URL#model`, or the id alone where `provider` is given.

    Raises:
        ConfigError: the name does not say both.
    """
    if provider is not None:
        return provider, model.removeprefix(f"{provider.name}:")
    name, colon, id = model.partition(":")
    if name == "compat":
        url, _, id = id.partition("#")
        if not url.startswith(("http://", "https://")):
            raise ConfigError(
                f"model {model!r}: after 'compat:' comes the server's address and after '#' the model, "
                "such as 'compat:http://127.0.0.1:8080/v1#my-model'"
            )
        if not id:
            raise ConfigError(
                f"model {model!r} does not say which model: write it after '#', as in '{model}#my-model'"
            )
        return Provider("compat", url.rstrip("/"), key_env="PLAYHEAD_COMPAT_API_KEY", key_required=False), id
    if not colon and name in provider_names():
        found = find_provider(name)
        if found.default_model:
            return found, found.default_model
    if not colon or not id:
        raise ConfigError(
            f"model {model!r} does not say its provider: write 'provider:model', such as "
            f"'openrouter:moonshotai/kimi-k2-0905' (providers: {', '.join(provider_names())})"
        )
    return find_provider(name), id
