"""
What an agent does, for those who watch it: spans and metrics by OpenTelemetry's conventions for generative AI.

    import playhead as ph

    agent = ph.Agent("openai:gpt-5-mini", hooks=[ph.telemetry.OpenTelemetry()])

`OpenTelemetry` needs the package opentelemetry-api, and is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ..errors import MissingDependency

if TYPE_CHECKING:
    from ..agent.logs import LoggingHooks as LoggingHooks
    from ._otel import OpenTelemetry as OpenTelemetry

_HOMES = {"LoggingHooks": "..agent.logs", "OpenTelemetry": "._otel"}

__all__ = ["LoggingHooks", "OpenTelemetry"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'playhead.telemetry' has no attribute {name!r}")
    try:
        value = getattr(importlib.import_module(_HOMES[name], __name__), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "opentelemetry":
            raise
        raise MissingDependency(
            f"{name} needs the package opentelemetry-api, which is not installed: pip install 'playhead[otel]'"
        ) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
