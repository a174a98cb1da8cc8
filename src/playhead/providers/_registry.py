"""Finds providers: those of this package by their module's name, others by entry points. Nothing is loaded early."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from typing import Any
from urllib.parse import urlsplit

from ..errors import ConfigError
from ._address import host_pattern
from ._provider import Provider

GROUP = "playhead.providers"
"""The group of entry points."""

_HERE = re.compile(r"^(127\.|::1$)|(^|\.)localhost$")
_MODULE = re.compile(r"[a-z][a-z0-9_]*")


@cache
def provider_names() -> tuple[str, ...]:
    """The providers of this package, by name."""
    package = importlib.import_module(__package__ or "").__path__
    found = (info.name.replace("_", "-") for info in pkgutil.iter_modules(package) if info.name[0] != "_")
    return tuple(sorted(found))


@cache
def plugin_names() -> tuple[str, ...]:
    """The providers that other packages add, by name."""
    return tuple(sorted(_plugins()))


def find_provider(name: str) -> Provider:
    """The provider called `name`, which may be an alias; `-` and `_` mean the same.

    Raises:
        ConfigError: there is none, or the package that adds it is broken.
    """
    wanted = name.replace("_", "-")
    found = _own(wanted)
    if found is None:
        found = next((it for it in map(_own, provider_names()) if it and wanted in it.aliases), None)
    if found is None and wanted in plugin_names():
        found = _plugin(wanted)
    if found is None:
        found = next((it for it in _working_plugins() if wanted in it.aliases), None)
    if found is None:
        there = ", ".join((*provider_names(), *plugin_names()))
        raise ConfigError(
            f"there is no provider {name!r}; there are: {there}. Any compatible server is "
            "reached as 'compat:http://host:port/v1#model', or with playhead.Provider(...)."
        )
    return found


@lru_cache(maxsize=1024)
def provider_for_host(host: str) -> Provider | None:
    """The provider that a host stands for."""
    own = (it for it in map(_own, provider_names()) if it)
    found = _told(host, own)
    if found is None and not _HERE.search(host):  # Looking for what other packages add takes longer.
        found = _told(host, _working_plugins())
    return found


def provider_for_url(url: str) -> Provider | None:
    """The provider that answers at a URL, for telling recordings apart.

    Raises:
        ValueError: that is no URL.
    """
    host = urlsplit(url).hostname
    return provider_for_host(host) if host else None


def _told(host: str, providers: Iterable[Provider]) -> Provider | None:
    """The provider with exactly that host, else one with a pattern that it fits."""
    fitting: Provider | None = None
    for provider in providers:
        if not provider.public:
            continue
        for pattern in filter(None, (host_pattern(provider.base_url), *provider.hosts)):
            if pattern == host:
                return provider
            if fitting is None and "*" in pattern and fnmatchcase(host, pattern):
                fitting = provider
    return fitting


@cache
def _own(name: str) -> Provider | None:
    module = name.replace("-", "_")
    if not _MODULE.fullmatch(module):
        return None
    path = f"{__package__}.{module}"
    try:
        provider: Provider = importlib.import_module(path).PROVIDER
    except ModuleNotFoundError as error:
        if error.name != path:
            raise
        return None
    return provider


@cache
def _plugins() -> dict[str, list[Any]]:
    """The entry points of each name."""
    from importlib.metadata import entry_points  # It takes longer than all of this package.

    found: dict[str, list[Any]] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name.replace("_", "-"), []).append(point)
    return {name: points for name, points in found.items() if name not in provider_names()}


@cache
def _plugin(name: str) -> Provider:
    points = _plugins()[name]
    if len(points) > 1:
        values = ", ".join(sorted({str(point.value) for point in points}))
        if len({str(point.value) for point in points}) > 1:
            raise ConfigError(f"several packages add a provider {name!r} ({values}): uninstall all but one of them")
    try:
        provider = points[0].load()
    except Exception as error:
        raise ConfigError(
            f"the provider {name!r} could not be loaded from {points[0].value!r}: {type(error).__name__}: {error}. "
            "The package that adds it is at fault."
        ) from error
    if not isinstance(provider, Provider):
        raise ConfigError(
            f"the entry point {name!r} of the group {GROUP!r} should lead to a playhead.Provider, but "
            f"{points[0].value!r} is {type(provider).__name__}"
        )
    return provider


def _working_plugins() -> Iterator[Provider]:
    """The providers of other packages, without those that are broken: they must not break the others."""
    for name in plugin_names():
        try:
            yield _plugin(name)
        except ConfigError:
            continue
