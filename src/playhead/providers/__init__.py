"""
Providers as data, one small file each. The module's name is the provider's name, with `_` for `-`.

A model is named `provider:model`, such as `openrouter:moonshotai/kimi-k2-0905`; any server that speaks chat
completions is named by its address, `compat:http://127.0.0.1:8080/v1#model`. Other packages add providers by an entry
point of the group `playhead.providers`, whose name is the provider's and whose value is a `Provider`.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import msgspec

from ..errors import ConfigError
from ..wire import wire_for_path
from ._provider import Derived, Provider, Route
from ._registry import find_provider, plugin_names, provider_for_url, provider_names

__all__ = [
    "Derived",
    "Provider",
    "Route",
    "compatible",
    "find_provider",
    "plugin_names",
    "provider_for_url",
    "provider_names",
    "resolve",
]


_SECRET_PARTS = re.compile(r"(?<=//)[^/?#]*@|\?.*", re.DOTALL)
"""Where an address may hold a key: it is not shown."""


def compatible(url: str) -> Provider:
    """The provider that any server is which speaks chat completions at `url`.

    An address that ends with a format's own path, such as `/v1/messages`, means that format. It may have a query.

    Raises:
        ConfigError: that is no address.
    """
    path, mark, query = url.partition("?")
    path = path.rstrip("/")
    found = Provider("compat", path + mark + query, key_env="PLAYHEAD_COMPAT_API_KEY", key_required=False)
    # What one server issues is no other server's.
    found = msgspec.structs.replace(found, issuer=f"compat:{urlsplit(url).netloc.rpartition('@')[2].lower()}")
    wire = wire_for_path(path)
    if wire is None or not path.endswith(wire.PATH):
        return found
    base_url = path.removesuffix(wire.PATH) + mark + query
    auth = "x-api-key" if wire.NAME == "anthropic" else found.auth
    headers = (("anthropic-version", "2023-06-01"),) if wire.NAME == "anthropic" else ()
    return msgspec.structs.replace(found, base_url=base_url, wire=wire.NAME, auth=auth, headers=headers)


def resolve(model: str, provider: Provider | None = None) -> tuple[Provider, str]:
    """The provider, as it is for that model, and the model's id that a name such as `openrouter:vendor/model` means.

    Args:
        model: `provider:model`, `compat:URL#model`, or the id alone where `provider` is given.

    Raises:
        ConfigError: the name does not say both.
    """
    if provider is not None:
        id = model.removeprefix(f"{provider.name}:")
        return provider.for_model(id), id
    name, colon, id = model.partition(":")
    if name == "compat":
        return _compatible(model, id)
    if not colon and (default := _default(name)):
        return default
    if not colon or not id:
        raise ConfigError(
            f"model {model!r} does not say its provider: write 'provider:model', such as "
            f"'openrouter:moonshotai/kimi-k2-0905' (providers: {', '.join(provider_names())})"
        )
    return find_provider(name).for_model(id), id


def _compatible(model: str, rest: str) -> tuple[Provider, str]:
    url, _, id = rest.partition("#")
    if not url.startswith(("http://", "https://")):
        raise ConfigError(
            f"model {model!r}: after 'compat:' comes the server's address and after '#' the model, "
            "such as 'compat:http://127.0.0.1:8080/v1#my-model'"
        )
    if not id:
        shown = "compat:" + _SECRET_PARTS.sub("", url)
        raise ConfigError(f"model {shown!r} does not say which model: write it after '#', as in '{shown}#my-model'")
    return compatible(url), id


def _default(name: str) -> tuple[Provider, str] | None:
    """What a provider's name alone means."""
    try:
        found = find_provider(name)
    except ConfigError:
        return None
    return (found.for_model(found.default_model), found.default_model) if found.default_model else None
