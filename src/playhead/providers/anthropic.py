"""Anthropic: Claude. https://docs.claude.com/en/api/messages"""

from __future__ import annotations

from typing import Any, TypedDict

from ..wire import Dialect
from ._provider import Provider, fields_of

HEADERS = {"betas": "anthropic-beta"}


class AnthropicOptions(TypedDict, total=False):
    """What only Anthropic knows. `betas` names features that are tried out."""

    betas: list[str]
    thinking: dict[str, Any]
    output_config: dict[str, Any]
    cache_control: dict[str, Any]
    container: str | dict[str, Any]
    context_management: dict[str, Any]
    mcp_servers: list[dict[str, Any]]
    metadata: dict[str, str]
    service_tier: str
    inference_geo: str
    speed: str


PROVIDER = Provider(
    name="anthropic",
    base_url="https://api.anthropic.com/v1",
    key_env="ANTHROPIC_API_KEY",
    public=True,
    wire="anthropic",
    auth="x-api-key",
    headers=(("anthropic-version", "2023-06-01"),),
    models_url="/models?limit=1000",
    aliases=("claude",),
    dialect=Dialect(
        # Only models from Claude 4.5 on hold an answer to a schema.
        # https://platform.claude.com/docs/en/build-with-claude/structured-outputs
        output="tool",
        option_fields=fields_of(AnthropicOptions, HEADERS),
        option_headers=HEADERS,
    ),
)
