"""
Other people's clients on a tape: transports for httpx, httpx2, requests and aiohttp.

    import openai
    from playhead import clients

    client = openai.OpenAI(http_client=clients.httpx2_client("run.jsonl"))

What a client sends is matched on the tape by what is asked, first in, first out among equals. Names are loaded when
they are first used, and with them the package that they are for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ..errors import MissingDependency

if TYPE_CHECKING:
    from ._aiohttp import AiohttpConnector as AiohttpConnector
    from ._aiohttp import aiohttp_session as aiohttp_session
    from ._httpx import AsyncHttpxTransport as AsyncHttpxTransport
    from ._httpx import HttpxTransport as HttpxTransport
    from ._httpx import httpx_async_client as httpx_async_client
    from ._httpx import httpx_client as httpx_client
    from ._httpx2 import AsyncHttpx2Transport as AsyncHttpx2Transport
    from ._httpx2 import Httpx2Transport as Httpx2Transport
    from ._httpx2 import httpx2_async_client as httpx2_async_client
    from ._httpx2 import httpx2_client as httpx2_client
    from ._requests import RequestsAdapter as RequestsAdapter
    from ._requests import requests_session as requests_session

_PACKAGES = {
    "aiohttp": ("AiohttpConnector", "aiohttp_session"),
    "httpx": ("AsyncHttpxTransport", "HttpxTransport", "httpx_async_client", "httpx_client"),
    "httpx2": ("AsyncHttpx2Transport", "Httpx2Transport", "httpx2_async_client", "httpx2_client"),
    "requests": ("RequestsAdapter", "requests_session"),
}
_PACKAGE = {name: package for package, names in _PACKAGES.items() for name in names}

__all__ = [*sorted(_PACKAGE)]  # noqa: PLE0604  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _PACKAGE:
        raise AttributeError(f"module 'playhead.clients' has no attribute {name!r}")
    package = _PACKAGE[name]
    try:
        value = getattr(importlib.import_module(f"._{package}", __name__), name)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise MissingDependency(
            f"{name} is for the package {package}, which is not installed: pip install {package}"
        ) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
