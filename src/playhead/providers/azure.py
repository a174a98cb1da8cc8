"""Azure OpenAI and Foundry, chat completions.
https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle

The model is the name of a deployment. Requests are signed with the key; where there is none, with an Entra token:
that in `AZURE_OPENAI_AD_TOKEN`, or one that azure-identity gets, which needs `pip install playhead[azure]`.
"""

from __future__ import annotations

from typing import Any

from ..wire import Dialect
from ._provider import Provider, fields_of
from .openai import CALL_ID, OpenAIOptions


class AzureOptions(OpenAIOptions, total=False):
    """What only Azure's chat completions know: those of OpenAI, and data of one's own."""

    data_sources: list[dict[str, Any]]
    user_security_context: dict[str, Any]


PROVIDER = Provider(
    name="azure",
    base_url="{endpoint}/openai/v1",
    key_env="AZURE_OPENAI_API_KEY",
    key_required=False,
    public=True,
    auth="azure",
    variables={"endpoint": ("AZURE_OPENAI_ENDPOINT",)},
    hosts=("*.openai.azure.com", "*.services.ai.azure.com", "*.cognitiveservices.azure.com"),
    aliases=("azure-openai",),
    dialect=Dialect(
        cache="key",
        call_id=CALL_ID,
        output_with_tools="native",
        option_fields=fields_of(AzureOptions, {"organization": "", "project": ""}),
    ),
)
