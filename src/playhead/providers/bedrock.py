"""Amazon Bedrock: Claude in its own words, all other models by Converse. https://docs.aws.amazon.com/bedrock

Requests are signed with SigV4 and the credentials that the AWS tools find (variables, profiles, roles), which needs
`pip install playhead[bedrock]`; with a Bedrock API key in `AWS_BEARER_TOKEN_BEDROCK` nothing else is needed. The
region is that of the variables; a profile's is not read.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from ..wire import Dialect
from ._provider import Provider, Route, fields_of
from .anthropic import HEADERS, AnthropicOptions

_HEADERS = HEADERS | {
    "guardrail": "X-Amzn-Bedrock-GuardrailIdentifier",
    "guardrail_version": "X-Amzn-Bedrock-GuardrailVersion",
    "trace": "X-Amzn-Bedrock-Trace",
    "latency": "X-Amzn-Bedrock-PerformanceConfig-Latency",
}


class BedrockOptions(TypedDict, total=False):
    """What only Bedrock's Converse knows."""

    guardrailConfig: dict[str, Any]
    performanceConfig: dict[str, Any]
    additionalModelRequestFields: dict[str, Any]
    additionalModelResponseFieldPaths: list[str]
    promptVariables: dict[str, Any]
    requestMetadata: dict[str, str]
    serviceTier: dict[str, str]
    outputConfig: dict[str, Any]


class BedrockClaudeOptions(AnthropicOptions, total=False):
    """What only Claude on Bedrock knows: what Anthropic does, and Bedrock's guards."""

    anthropic_beta: list[str]
    guardrail: str
    guardrail_version: str
    trace: Literal["ENABLED", "DISABLED", "ENABLED_FULL"]
    latency: Literal["standard", "optimized"]


CLAUDE = Route(
    models=r"(^|[./])anthropic\.",
    wire="bedrock",
    issuer="anthropic",
    dialect=Dialect(
        body={"anthropic_version": "bedrock-2023-05-31"},
        without=("model", "stream"),
        output="tool",
        option_fields=fields_of(BedrockClaudeOptions, _HEADERS),
        option_headers=_HEADERS,
    ),
)

PROVIDER = Provider(
    name="bedrock",
    base_url="https://bedrock-runtime.{region}.amazonaws.com",
    key_env="AWS_BEARER_TOKEN_BEDROCK",
    key_required=False,
    public=True,
    wire="bedrock_converse",
    auth="aws",
    variables={"region": ("AWS_REGION", "AWS_DEFAULT_REGION", "=us-east-1")},
    hosts=("bedrock-runtime-fips.*.amazonaws.com", "bedrock-runtime.*.amazonaws.com.cn"),
    routes=(CLAUDE,),
    models_url=(
        "https://bedrock.{region}.amazonaws.com/foundation-models",
        "https://bedrock.{region}.amazonaws.com/inference-profiles?maxResults=1000",
    ),
    aliases=("aws", "amazon-bedrock"),
    dialect=Dialect(
        output="tool",  # few of its models hold an answer to a schema
        option_fields=fields_of(BedrockOptions),
    ),
)
