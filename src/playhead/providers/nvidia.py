"""NVIDIA NIM. https://docs.api.nvidia.com/nim/reference/llm-apis"""

from __future__ import annotations

from typing import Any, TypedDict

from ..wire import Dialect
from ._provider import Provider, fields_of


class NvidiaOptions(TypedDict, total=False):
    """What only NIM knows."""

    top_k: int
    min_p: float
    repetition_penalty: float
    chat_template_kwargs: dict[str, Any]
    nvext: dict[str, Any]


PROVIDER = Provider(
    name="nvidia",
    base_url="https://integrate.api.nvidia.com/v1",
    key_env="NVIDIA_API_KEY",
    public=True,
    dialect=Dialect(
        max_tokens="max_tokens",
        output="tool",  # only some models take a schema
        option_fields=fields_of(NvidiaOptions),
    ),
)
