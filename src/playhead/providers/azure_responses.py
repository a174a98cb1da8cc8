"""Azure OpenAI and Foundry, responses. https://learn.microsoft.com/azure/ai-foundry/openai/how-to/responses"""

from __future__ import annotations

from ..wire import Dialect
from ._provider import Provider, fields_of
from .azure import PROVIDER as AZURE
from .openai import HEADERS
from .openai_responses import OpenAIResponsesOptions

PROVIDER = Provider(
    name="azure-responses",
    base_url=AZURE.base_url,
    key_env=AZURE.key_env,
    key_required=False,
    wire="openai_responses",
    auth=AZURE.auth,
    variables=AZURE.variables,
    issuer="azure",
    dialect=Dialect(output_with_tools="native", option_fields=fields_of(OpenAIResponsesOptions, HEADERS)),
)
