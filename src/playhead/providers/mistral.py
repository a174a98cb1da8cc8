"""Mistral. https://docs.mistral.ai/api"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from ..wire import Dialect
from ._provider import Provider, fields_of


class MistralOptions(TypedDict, total=False):
    """What only Mistral knows."""

    random_seed: int
    safe_prompt: bool
    prompt_mode: Literal["reasoning"] | None
    prediction: dict[str, Any]
    guardrails: list[dict[str, Any]]
    metadata: dict[str, Any]


PROVIDER = Provider(
    name="mistral",
    base_url="https://api.mistral.ai/v1",
    key_env="MISTRAL_API_KEY",
    public=True,
    dialect=Dialect(
        # Whatever else is in a request is refused (422, extra_forbidden).
        unsupported=("logprobs", "service_tier", "user"),
        names={"seed": "random_seed"},
        without=("refusal",),
        max_tokens="max_tokens",
        stream_usage=False,  # it is always sent
        call_id="[a-zA-Z0-9]{9}",
        option_fields=fields_of(MistralOptions),
    ),
)
