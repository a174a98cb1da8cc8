"""`playhead models [PROVIDER]`"""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any

from ..catalog import ListedModel, list_models
from ..errors import ConfigError
from ..providers import Provider, find_provider, plugin_names, provider_names
from ..transport.live import LiveTransport
from ._console import Console
from .show import many

_WITHOUT_A_KEY = {
    "aws": "AWS credentials",
    "google": "Google credentials",
    "azure": "an Entra token",
}
"""What signs where no key is set."""


def run(args: argparse.Namespace, console: Console) -> int:
    """List the providers, or ask one of them for its models."""
    if args.provider is None:
        _list_providers(console, as_json=args.json)
    else:
        _list_models(args.provider, console, as_json=args.json)
    return 0


def _list_providers(console: Console, *, as_json: bool) -> None:
    found: list[Provider] = [find_provider(name) for name in provider_names()]
    for name in plugin_names():
        try:
            found.append(find_provider(name))
        except ConfigError as error:
            console.note(f"warning: {error}")
    if as_json:
        print(json.dumps({"providers": [_facts(provider) for provider in found]}, indent=2))
        return
    rows = [(it.name, _key(it), ", ".join(_wires(it)), _shown_address(it)) for it in found]
    console.table(("provider", "key", "wire format", "address"), rows)


def _list_models(provider: Provider, console: Console, *, as_json: bool) -> None:
    async def ask() -> tuple[ListedModel, ...]:
        transport = LiveTransport(read_timeout=60)
        try:
            return await list_models(provider, transport)
        finally:
            await transport.aclose()

    models = asyncio.run(ask())
    if as_json:
        said = [{"id": model.id, "raw": model.raw} for model in models]
        print(json.dumps({"provider": provider.name, "models": said}, indent=2))
        return
    for model in models:
        console.line(model.id)
    console.note(many(len(models), "model"))


def _facts(provider: Provider) -> dict[str, Any]:
    return {
        "name": provider.name,
        "aliases": provider.aliases,
        "wire": _wires(provider),
        "address": _address(provider),
        "unset": provider.unset(),
        "auth": provider.auth,
        "key": {
            "variables": provider.key_names,
            "set": provider.key_variable(),
            "required": provider.key_required and bool(provider.key_names),
        },
    }


def _wires(provider: Provider) -> list[str]:
    return list(dict.fromkeys((provider.wire, *(route.wire for route in provider.routes))))


def _address(provider: Provider) -> str | None:
    """The address as it is now; None where a part of it is not known."""
    try:
        return provider.address()
    except ConfigError:
        return None


def _shown_address(provider: Provider) -> str:
    """The address, or what must be set to have one."""
    wanted = provider.unset() or tuple(sources[0] for sources in provider.variables.values())
    return _address(provider) or f"{provider.base_url} (set {', '.join(wanted)})"


def _key(provider: Provider) -> str:
    """Whether a key is set, and in which variable."""
    if not provider.key_names:
        return "none needed"
    if name := provider.key_variable():
        return f"set: {name}"
    if other := _WITHOUT_A_KEY.get(provider.auth):
        return f"not set: {provider.key_names[0]}, or {other}"
    return f"not set: {provider.key_names[0]}" + ("" if provider.key_required else " (not needed)")
