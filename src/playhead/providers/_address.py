"""Addresses with variables in them: `https://bedrock-runtime.{region}.amazonaws.com`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import SplitResult, urlsplit, urlunsplit

from ..errors import ConfigError

VARIABLE = re.compile(r"\{(\w+)\}")

_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - nobody listens here
"""Where a server listens that is reached under all addresses of its machine."""


def is_address(template: str) -> bool:
    """Whether `template` is an HTTP address once its variables are filled in."""
    try:
        parts = urlsplit(VARIABLE.sub("x", re.sub(r"^\{\w+\}", "https://x", template)))
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def host_pattern(template: str) -> str | None:
    """The host of an address with `*` for what varies; None where it may be any."""
    if template.startswith("{"):
        return None
    host = urlsplit(VARIABLE.sub("%", template)).netloc.rpartition("@")[2].partition(":")[0]
    return host.replace("%", "*").lower() if host.strip("%.") else None


def first_set(sources: Iterable[str], environment: Mapping[str, str]) -> str:
    """The first of the environment's variables that is set, or what stands behind `=`; else nothing."""
    for source in sources:
        value = source.removeprefix("=") if source.startswith("=") else environment.get(source, "").strip()
        if value:
            return value
    return ""


def whole_address(value: str, default: str, rest: str) -> str:
    """An address as people give it, as one that paths can be put behind.

    Args:
        value: such as `0.0.0.0:11434`, `gpu-box` or `https://x.openai.azure.com/openai/v1/`.
        default: gives the scheme, and for a bare host the port; nothing stands for https.
        rest: what will be put behind it; it may stand there already.

    Raises:
        ConfigError: it is no address.
    """
    usual = urlsplit(default or "https://x")
    bare = "://" not in value
    if default and value.startswith(":"):
        value = f"{usual.hostname}{value}"
    try:
        parts = urlsplit(f"{usual.scheme}://{value}" if bare else value)
        port = parts.port or (usual.port if bare else None)
    except ValueError:
        parts, port = SplitResult("", "", "", "", ""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ConfigError(f"expected an address such as {default or 'https://my-resource.example.com'!r}")
    host = "127.0.0.1" if parts.hostname in _EVERYWHERE else parts.hostname
    host = f"[{host}]" if ":" in host else host
    path = parts.path.rstrip("/").removesuffix(rest.rstrip("/")).rstrip("/")
    return urlunsplit((parts.scheme, host if port is None else f"{host}:{port}", path, "", ""))
