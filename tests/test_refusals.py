"""What providers' refusals mean: their own words, taken from their documents and from public reports of them."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import playhead as ph
from conftest import SHARED, shared_tape
from playhead.providers import Provider
from playhead.refusal import refused, retry_after
from playhead.tape.redact import allowed_headers
from playhead.transport.memory import MemoryTransport, respond
from playhead.wire._refusal_kinds import RETRYABLE
from playhead.wire._refusals import provider_error, read_error

HERE = Provider("here", "https://api.here.test/v1", key_env="HERE_API_KEY")


@dataclass(frozen=True)
class Case:
    """A refusal, and what it means.

    Attributes:
        where: a public place where it, or one like it, stands.
        lengths: how long the request was, and may be.
        says: what its message is to hold.
    """

    who: str
    where: str
    status: int
    headers: dict[str, str]
    body: Any
    kind: str
    code: str | None
    retryable: bool
    lengths: tuple[int | None, int | None]
    wait: float | None
    says: str


CASES_TEXT = r"""
openai | 400 context_length 8227/8192 | context_length_exceeded
https://github.com/crewAIInc/crewAI-examples/issues/121
{"error": {"message": "This model's maximum context length is 8192 tokens. However, your messages resulted in 8227
tokens. Please reduce the length of the messages.", "type": "invalid_request_error", "param": null, "code":
"context_length_exceeded"}}

openai, old | 400 context_length 8238/8191 | invalid_request_error
https://github.com/fierceX/Document_QA/issues/3
{"error": {"message": "This model's maximum context length is 8191 tokens, however you requested 8238 tokens (8238
in your prompt; 0 for the completion). Please reduce your prompt; or completion length.", "type":
"invalid_request_error", "param": null, "code": null}}

openai, responses | 400 context_length | context_length_exceeded
https://github.com/earendil-works/pi
{"error": {"message": "Your input exceeds the context window of this model. Please adjust your input and try
again.", "type": "invalid_request_error", "param": null, "code": "context_length_exceeded"}}

openai | 429 payment | insufficient_quota
https://platform.openai.com/docs/guides/error-codes
{"error": {"message": "You exceeded your current quota, please check your plan and billing details.", "type":
"insufficient_quota", "param": null, "code": "insufficient_quota"}}

openai | 429 rate_limit wait=411480 | rate_limit_exceeded
https://github.com/openai/openai-dotnet/issues/404
{"error": {"message": "Rate limit reached for gpt-4o-mini in organization [orgID] on tokens per min (TPM): Limit
100000, Used 96749, Requested 19126. Please try again in 114h18m0s. Visit https://platform.openai.com to learn
more.", "type": "tokens", "param": null, "code": "rate_limit_exceeded"}}

openai, more than the limit at once | 429 rate_limit 30601/30000 final | rate_limit_exceeded
https://github.com/vanderschaarlab/climb/issues/1
{"error": {"message": "Request too large for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000,
Requested 30601. The input or output tokens must be reduced in order to run successfully.", "type": "tokens",
"param": null, "code": "rate_limit_exceeded"}}

openai | 429 overloaded | server_error
https://platform.openai.com/docs/guides/error-codes
{"error": {"message": "The engine is currently overloaded, please try again later", "type": "server_error", "param":
null, "code": null}}

openai | 401 authentication | invalid_api_key
https://platform.openai.com/docs/guides/error-codes
{"error": {"message": "Incorrect API key provided: sk-***.", "type": "invalid_request_error", "param": null, "code":
"invalid_api_key"}}

openai | 403 permission | unsupported_country_region_territory
https://platform.openai.com/docs/guides/error-codes
{"error": {"message": "Country, region, or territory not supported", "type": "request_forbidden", "param": null,
"code": "unsupported_country_region_territory"}}

openai | 404 not_found | model_not_found
https://platform.openai.com/docs/guides/error-codes
{"error": {"message": "The model `gpt-9` does not exist or you do not have access to it.", "type":
"invalid_request_error", "param": null, "code": "model_not_found"}}

openai | 403 not_found | model_not_found
https://github.com/maximhq/bifrost
{"error": {"message": "Project `proj_abc` does not have access to model `gpt-5.2`", "type": "invalid_request_error",
"param": null, "code": "model_not_found"}}

openai | 400 content_policy | moderation_blocked
https://platform.openai.com/docs/guides/error-codes
{"error": {"message": "Your request was rejected as a result of our safety system.", "type":
"image_generation_user_error", "param": null, "code": "moderation_blocked"}}

openai | 400 content_policy | invalid_prompt
https://platform.openai.com/docs/guides/error-codes
{"error": {"message": "Invalid prompt: your prompt was flagged as potentially violating our usage policy.", "type":
"invalid_request_error", "param": null, "code": "invalid_prompt"}}

openai, other 400 | 400 bad_request | invalid_request_error
https://platform.openai.com/docs/guides/error-codes
{"error": {"message": "Unsupported parameter: 'max_tokens' is not supported with this model.", "type":
"invalid_request_error", "param": null, "code": null}}

openai, lock | 409 server | conflict
https://github.com/openai/openai-python (_should_retry)
{"error": {"message": "Another request is in progress.", "type": "conflict", "param": null, "code": null}}

anthropic | 400 context_length 208656/200000 | invalid_request_error
https://github.com/sojohnnysaid/project-guide/issues/2
{"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 208656 tokens > 200000
maximum"}, "request_id": "req_011CUB2XUHWk"}

anthropic, with its answer | 400 context_length 242959/200000 | invalid_request_error
https://github.com/docker/docker-agent/issues/569
{"type": "error", "error": {"type": "invalid_request_error", "message": "input length and `max_tokens` exceed
context limit: 178959 + 64000 > 200000, decrease input length or `max_tokens` and try again"}, "request_id":
"req_011CUB2XUHWk"}

anthropic, too long an answer | 400 bad_request | invalid_request_error
https://github.com/anthropics/claude-code/issues/11302
{"type": "error", "error": {"type": "invalid_request_error", "message": "max_tokens: 21333 > 4096, which is the
maximum allowed number of output tokens for claude-3-opus-20240229"}, "request_id": "req_011CUB2XUHWk"}

anthropic | 400 payment | invalid_request_error
https://github.com/anthropics/claude-code/issues/66314
{"type": "error", "error": {"type": "invalid_request_error", "message": "Your credit balance is too low to access
the Anthropic API."}, "request_id": "req_011CUB2XUHWk"}

anthropic | 529 overloaded | overloaded_error
https://platform.claude.com/docs/en/api/errors
{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "req_011CUB2XUHWk"}

anthropic | 429 rate_limit wait=12 | rate_limit_error
https://platform.claude.com/docs/en/api/errors
retry-after: 12
{"type": "error", "error": {"type": "rate_limit_error", "message": "This request would exceed your organization's
rate limit."}, "request_id": "req_011CUB2XUHWk"}

anthropic, spent | 429 payment | rate_limit_error
https://github.com/anthropics/anthropic-sdk-python (types/shared)
{"type": "error", "error": {"type": "rate_limit_error", "message": "The limit is reached.", "details":
{"error_code": "enforced_spend_limit_reached"}}}

anthropic | 402 payment | billing_error
https://platform.claude.com/docs/en/api/errors
{"type": "error", "error": {"type": "billing_error", "message": "Billing."}, "request_id": "req_011CUB2XUHWk"}

anthropic | 401 authentication | authentication_error
https://platform.claude.com/docs/en/api/errors
{"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}, "request_id":
"req_011CUB2XUHWk"}

anthropic | 403 permission | permission_error
https://platform.claude.com/docs/en/api/errors
{"type": "error", "error": {"type": "permission_error", "message": "No."}, "request_id": "req_011CUB2XUHWk"}

anthropic | 413 bad_request | request_too_large
https://platform.claude.com/docs/en/api/errors
{"type": "error", "error": {"type": "request_too_large", "message": "Request exceeds the maximum size"},
"request_id": "req_011CUB2XUHWk"}

anthropic | 504 timeout | timeout_error
https://platform.claude.com/docs/en/api/errors
{"type": "error", "error": {"type": "timeout_error", "message": "Timed out"}, "request_id": "req_011CUB2XUHWk"}

anthropic | 500 server | api_error
https://platform.claude.com/docs/en/api/errors
{"type": "error", "error": {"type": "api_error", "message": "Internal server error"}, "request_id":
"req_011CUB2XUHWk"}

gemini | 400 context_length 3475108/1048576 | INVALID_ARGUMENT
https://github.com/google-gemini/gemini-cli/issues/4231
{"error": {"code": 400, "message": "The input token count (3475108) exceeds the maximum number of tokens allowed
(1048576).", "status": "INVALID_ARGUMENT"}}

gemini, in a list | 400 context_length 1200293/1048576 | INVALID_ARGUMENT
https://github.com/google-gemini/gemini-cli/issues/6678
[{"error": {"code": 400, "message": "The input token count (1200293) exceeds the maximum number of tokens allowed
(1048576).", "status": "INVALID_ARGUMENT"}}]

vertex | 400 context_length 1200000/1048576 | INVALID_ARGUMENT
https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/api-errors
{"error": {"code": 400, "message": "Unable to submit request because the input token count is 1200000 but the model
only supports up to 1048576. Reduce the input token count and try again.", "status": "INVALID_ARGUMENT"}}

gemini | 400 authentication | INVALID_ARGUMENT
https://github.com/cequence-io/openai-scala-client/issues/109
{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT",
"details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain":
"googleapis.com"}]}}

gemini | 400 permission | FAILED_PRECONDITION
https://github.com/poenl/gemini-api/issues/4
{"error": {"code": 400, "message": "User location is not supported for the API use.", "status":
"FAILED_PRECONDITION"}}

gemini | 400 bad_request | FAILED_PRECONDITION
https://ai.google.dev/gemini-api/docs/troubleshooting
{"error": {"code": 400, "message": "File is not in an ACTIVE state.", "status": "FAILED_PRECONDITION"}}

gemini | 403 permission | PERMISSION_DENIED
https://ai.google.dev/gemini-api/docs/troubleshooting
{"error": {"code": 403, "message": "Your API key doesn't have the required permissions.", "status":
"PERMISSION_DENIED"}}

gemini | 429 rate_limit wait=47 | RESOURCE_EXHAUSTED
https://github.com/browserbase/mcp-server-browserbase/issues/129
{"error": {"code": 429, "message": "You exceeded your current quota, please check your plan and billing details. For
more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.\n* Quota exceeded for
metric: generate_content_paid_tier_input_token_count, limit: 4000000\nPlease retry in 47.434392449s.", "status":
"RESOURCE_EXHAUSTED", "details": [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations":
[{"quotaValue": "4000000"}]}, {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "47s"}]}}

gemini | 503 overloaded | UNAVAILABLE
https://ai.google.dev/gemini-api/docs/troubleshooting
{"error": {"code": 503, "message": "The model is overloaded. Please try again later.", "status": "UNAVAILABLE"}}

gemini | 504 timeout | DEADLINE_EXCEEDED
https://ai.google.dev/gemini-api/docs/troubleshooting
{"error": {"code": 504, "message": "Deadline exceeded.", "status": "DEADLINE_EXCEEDED"}}

bedrock | 400 context_length | ValidationException
https://github.com/aws-samples/assessment-generator/issues/2
x-amzn-errortype: ValidationException:http://internal.amazon.com/coral/com.amazon.bedrock/
x-amzn-requestid: 16fb0962
{"message": "Input is too long for requested model."}

bedrock | 429 rate_limit | ThrottlingException
https://github.com/crewAIInc/crewAI/pull/7417
x-amzn-errortype: ThrottlingException
{"message": "Too many tokens, please wait before trying again."}

bedrock | 400 rate_limit final | ServiceQuotaExceededException
https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html
x-amzn-errortype: ServiceQuotaExceededException
{"message": "Your request exceeds the service quota for your account."}

bedrock | 429 overloaded | ModelNotReadyException
https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html
x-amzn-errortype: ModelNotReadyException
{"message": "The model specified in the request is not ready to serve inference requests."}

bedrock | 403 permission | AccessDeniedException
https://github.com/dirkpetersen/our-chat/issues/3
x-amzn-errortype: AccessDeniedException
{"message": "You don't have access to the model with the specified model ID."}

bedrock | 403 authentication | AccessDeniedException
https://github.com/maximhq/bifrost
x-amzn-errortype: AccessDeniedException
{"Message": "Authentication failed: Please make sure your API Key is valid."}

bedrock | 403 authentication | UnrecognizedClientException
https://github.com/anthropics/claude-code/issues/2260
x-amzn-errortype: UnrecognizedClientException
{"message": "The security token included in the request is invalid."}

bedrock | 403 authentication | com.amazon.coral.service#ExpiredTokenException
https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html
{"__type": "com.amazon.coral.service#ExpiredTokenException", "message": "The token has expired"}

bedrock | 400 not_found | ValidationException
https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html
{"__type": "ValidationException", "message": "The provided model identifier is invalid."}

bedrock | 424 server | ModelErrorException
https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html
{"__type": "ModelErrorException", "message": "The request failed.", "originalStatusCode": 500}

bedrock | 408 timeout | ModelTimeoutException
https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html
{"__type": "ModelTimeoutException", "message": "x"}

openrouter | 402 payment | 402
https://github.com/Gitlawb/openclaude/issues/1125
{"error": {"message": "This request requires more credits, or fewer max_tokens. You requested up to 32000 tokens,
but can only afford 27342.", "code": 402, "metadata": {"provider_name": null}}, "user_id": "user_x"}

openrouter, free models | 429 rate_limit wait=43200 | 429
https://github.com/Gitlawb/openclaude/issues/936
date: Tue, 01 Sep 2026 12:00:00 GMT
{"error": {"message": "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests
per day", "code": 429, "metadata": {"headers": {"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "0",
"X-RateLimit-Reset": "1788307200000"}, "provider_name": null}}}

openrouter, moderation | 403 content_policy | 403 | (flagged: violence, hate)
https://openrouter.ai/docs/api/reference/errors-and-debugging
{"error": {"message": "openai/gpt-4o requires moderation on OpenAI. Your input was flagged", "code": 403,
"metadata": {"reasons": ["violence", "hate"], "flagged_input": "...", "provider_name": "OpenAI", "model_slug":
"openai/gpt-4o"}}}

openrouter | 503 overloaded | 503
https://openrouter.ai/docs/api/reference/errors-and-debugging
{"error": {"message": "There is no available model provider that meets your routing", "code": 503}}

openrouter | 502 server | 502
https://openrouter.ai/docs/api/reference/errors-and-debugging
{"error": {"message": "Provider returned error", "code": 502}}

openrouter | 400 context_length 138956/131072 | 400
https://github.com/OpenHands/OpenHands/issues/9937
{"error": {"message": "This endpoint's maximum context length is 131072 tokens. However, you requested about 138956
tokens (7884 of text input, 131072 in the output). Please reduce the length of either one, or use the \"middle-out\"
transform to compress your prompt automatically.", "code": 400}}

openrouter, quoting an object | 502 context_length 17165/16000 | validation_error | error: This model's maximum
https://github.com/ai-christianson/RA.Aid/issues/41
{"error": {"message": "Provider returned error", "code": 502, "metadata": {"provider_name": "DeepInfra", "raw":
{"error_type": "validation_error", "error_message": "This model's maximum context length is 16000 tokens. However,
you requested 17165 tokens (13069 in the messages, 4096 in the completion)."}}}}

openrouter, quoting text | 400 context_length 208310/200000 | invalid_request_error | error: prompt is too long
https://openrouter.ai/docs/api/reference/errors-and-debugging
{"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": "{\"type\": \"error\", \"error\":
{\"type\": \"invalid_request_error\", \"message\": \"prompt is too long: 208310 tokens > 200000 maximum\"},
\"request_id\": \"req_011CUB2XUHWk\"}", "provider_name": "Anthropic"}}}

openrouter | 404 not_found | 404
https://github.com/lastmile-ai/mcp-agent/issues/237
{"error": {"message": "No endpoints found that support tool use.", "code": 404}}

openrouter | 403 payment | 403
https://github.com/maximhq/bifrost
{"error": {"message": "Key limit exceeded (total limit). Manage it using https://x.test", "code": 403}}

azure | 400 content_policy | content_filter
https://github.com/vibrantlabsai/ragas/issues/649
{"error": {"message": "The response was filtered due to the prompt triggering Azure OpenAI's content management
policy. Please modify your prompt and retry.", "type": null, "param": null, "code": "content_filter", "status": 400,
"innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"violence": {"filtered": true,
"severity": "medium"}}}}}

azure | 404 not_found | DeploymentNotFound
https://learn.microsoft.com/azure/ai-foundry/openai/
{"error": {"message": "The API deployment for this resource does not exist.", "type": null, "param": null, "code":
"DeploymentNotFound"}}

azure | 429 rate_limit wait=86400 | 429
https://github.com/vanderschaarlab/climb/issues/1
{"error": {"code": "429", "message": "Requests to the ChatCompletions_Create Operation under Azure OpenAI API
version 2024-08-01-preview have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after
86400 seconds."}}

mistral | 400 context_length 150004/131072 | 3051
https://github.com/pydantic/pydantic-ai (tests/models)
{"object": "error", "message": "Prompt contains 150004 tokens and 0 draft tokens, too large for model with 131072
maximum context length", "type": "invalid_request_invalid_args", "param": null, "code": "3051"}

mistral | 429 rate_limit | 1300
https://github.com/pydantic/pydantic-ai (tests/models)
{"object": "error", "message": "Requests rate limit exceeded", "type": "rate_limited", "code": "1300"}

mistral | 400 not_found | 1500
https://github.com/maximhq/bifrost
{"object": "error", "message": "Invalid model: mistral-medium-3.5", "type": "invalid_model", "code": "1500"}

mistral | 401 authentication | -
https://docs.mistral.ai
{"detail": "Unauthorized"}

fastapi | 422 bad_request | - | body.messages.0.role: Field required
https://fastapi.tiangolo.com/tutorial/handling-errors
{"detail": [{"type": "missing", "loc": ["body", "messages", 0, "role"], "msg": "Field required"}]}

groq, more than the limit at once | 413 rate_limit 14810/6000 final | rate_limit_exceeded
https://github.com/ITSpecialist111/ai_automation_suggester/issues/61
{"error": {"message": "Request too large for model `llama-3.3-70b-versatile` in organization `org_x` service tier
`on_demand` on tokens per minute (TPM): Limit 6000, Requested 14810, please reduce your message size and try
again.", "type": "tokens", "param": null, "code": "rate_limit_exceeded"}}

groq | 429 rate_limit wait=578.016 | rate_limit_exceeded
https://github.com/continuedev/continue/issues/10920
{"error": {"message": "Rate limit reached for model `llama-3.3-70b-versatile` in organization `org_x` service tier
`on_demand` on tokens per day (TPD): Limit 100000, Used 97050, Requested 3619. Please try again in 9m38.016s. Need
more tokens? Upgrade to Dev Tier today at https://console.groq.com/settings/billing", "type": "tokens", "param":
null, "code": "rate_limit_exceeded"}}

groq | 400 context_length | invalid_request_error
https://github.com/pydantic/pydantic-ai (tests/models)
{"error": {"message": "Please reduce the length of the messages or completion.", "type": "invalid_request_error",
"param": null, "code": null}}

groq | 498 overloaded | capacity_exceeded
https://console.groq.com/docs/errors
{"error": {"message": "", "type": null, "param": null, "code": "capacity_exceeded"}}

cohere | 400 context_length 151296/132000 | -
https://docs.cohere.com/reference/errors
{"id": "bda42bf8", "message": "too many tokens: size limit exceeded by 19296 tokens. Try using shorter or fewer
inputs. The limit for this model is 132000 tokens."}

cohere, too long an answer | 400 bad_request | -
https://docs.cohere.com/reference/errors
{"message": "too many tokens: max tokens must be less than or equal to 4096, the maximum output for this model -
received 8192."}

cohere | 402 payment | -
https://docs.cohere.com/reference/errors
{"message": "Please add or update your payment method to continue"}

deepseek | 402 payment | invalid_request_error
https://github.com/danilofalcao/jarvis/issues/62
{"error": {"message": "Insufficient Balance", "type": "unknown_error", "param": null, "code":
"invalid_request_error"}}

deepseek | 401 authentication | invalid_request_error
https://api-docs.deepseek.com/quick_start/error_codes
{"error": {"message": "Authentication Fails (no such user)", "type": "authentication_error", "param": null, "code":
"invalid_request_error"}}

deepseek | 503 overloaded | unknown_error
https://api-docs.deepseek.com/quick_start/error_codes
{"error": {"message": "Server Overloaded", "type": "unknown_error", "param": null, "code": null}}

together | 422 context_length 9512/8193 | invalid_request_error
https://github.com/huggingface/text-generation-inference (validation.rs)
{"error": {"message": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000
`inputs` tokens and 512 `max_new_tokens`", "type": "invalid_request_error", "param": null, "code": null}}

together | 400 context_length 1000016/131072 | -
https://docs.together.ai/docs/error-codes
{"error": {"message": "The input (1000016 tokens) is longer than the model's context length (131072 tokens).",
"type": null, "param": null, "code": null}}

hugging face | 422 context_length 3000/1024 | validation
https://github.com/huggingface/text-generation-inference (validation.rs)
{"error": "Input validation error: `inputs` must have less than 1024 tokens. Given: 3000", "error_type":
"validation"}

hugging face | 503 overloaded | overloaded
https://github.com/pydantic/pydantic-ai (tests/models)
{"error": "Model is overloaded", "error_type": "overloaded"}

vllm | 400 context_length 6616/6048 | BadRequestError
https://github.com/ogx-ai/ogx/issues/4534
{"object": "error", "message": "This model's maximum context length is 6048 tokens. However, you requested 6616
tokens (568 in the messages, 6048 in the completion). Please reduce the length of the messages or completion.",
"type": "BadRequestError", "param": null, "code": 400}

vllm, newer | 400 context_length 4104/4096 | BadRequestError
https://github.com/vllm-project/vllm
{"error": {"message": "'max_tokens' or 'max_completion_tokens' is too large: 2000. This model's maximum context
length is 4096 tokens and your request has 2104 input tokens (2000 > 4096 - 2104).", "type": "BadRequestError",
"param": null, "code": null}}

vllm | 404 not_found | NotFoundError
https://github.com/vllm-project/vllm
{"object": "error", "message": "The model `x` does not exist.", "type": "NotFoundError", "code": 404}

sglang | 400 context_length 135000/131072 | BadRequestError
https://github.com/sgl-project/sglang
{"object": "error", "message": "Requested token count exceeds the model's maximum context length of 131072 tokens.
You requested a total of 135000 tokens: 131000 tokens from the input messages and 4000 for the completion.", "type":
"BadRequestError", "code": 400}

llama.cpp | 500 context_length 1407/256 | exceed_context_size_error
https://github.com/ggml-org/llama.cpp/pull/15780
{"error": {"code": 500, "message": "the request exceeds the available context size. try increasing the context size
or enable context shift", "type": "exceed_context_size_error", "n_prompt_tokens": 1407, "n_ctx": 256}}

xai | 400 context_length 136973/131072 | -
https://github.com/cline/cline/issues/3120
"This model's maximum prompt length is 131072 but the request contains 136973 tokens."

xai | 403 content_policy | The caller does not have permission to execute the specified operation | Failed check
https://github.com/UKGovernmentBEIS/inspect_ai/pull/2267
{"code": "The caller does not have permission to execute the specified operation", "error": "Content violates usage
guidelines. Team: x, API key ID: x, Model: grok-4-0709, Failed check: SAFETY_CHECK_TYPE_BIO"}

xai | 400 authentication | Client specified an invalid argument
https://github.com/continuedev/continue/issues/10778
{"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***ys. You can obtain an
API key from https://console.x.ai."}

z.ai | 429 payment | 1113
https://github.com/anthropics/claude-code/issues/9201
{"error": {"code": "1113", "message": "Insufficient balance or no resource package. Please recharge."}}

z.ai, in Anthropic's format | 429 payment | 1113
https://github.com/zai-org/feedback/issues/789
{"type": "error", "error": {"type": "rate_limit_error", "code": "1113", "message": "[1113][No resource package.]"},
"request_id": "2026"}

z.ai | 429 rate_limit | 1302
https://docs.z.ai/api-reference/api-code
{"error": {"code": "1302", "message": "High concurrency usage of this API"}}

z.ai | 400 context_length | 1261
https://docs.z.ai/api-reference/api-code
{"error": {"code": "1261", "message": "Prompt exceeds max length"}}

z.ai | 400 content_policy | 1301
https://docs.z.ai/api-reference/api-code
{"error": {"code": "1301", "message": "Unsafe content"}}

moonshot | 400 context_length 300000/262144 | invalid_request_error
https://github.com/earendil-works/pi
{"error": {"message": "Invalid request: Your request exceeded model token limit: 262144 (requested: 300000)",
"type": "invalid_request_error", "param": null, "code": null}}

moonshot | 429 overloaded | engine_overloaded_error
https://platform.moonshot.ai/docs/api/chat
{"error": {"message": "The engine is currently overloaded, please try again later", "type":
"engine_overloaded_error", "param": null, "code": null}}

moonshot | 429 payment | exceeded_current_quota_error
https://platform.moonshot.ai/docs/api/chat
{"error": {"message": "Your account x is suspended, please check your plan", "type": "exceeded_current_quota_error",
"param": null, "code": null}}

perplexity | 400 not_found | invalid_model
https://docs.perplexity.ai
{"error": {"message": "Invalid model 'sonar-x'.", "type": "invalid_model", "code": 400}}

fireworks | 400 context_length 1000008/131071 | invalid_request_error
https://github.com/vals-ai/model-library
{"error": {"message": "The prompt is too long: 1000008, model maximum context length: 131071", "type":
"invalid_request_error", "param": null, "code": null}}

ollama | 404 not_found | -
https://github.com/ollama/ollama
{"error": "model 'x' not found"}
"""
"""One refusal a block: who; its status, and what it means; its code; what its message is to hold. Then where it
stands in public, headers, and the body as JSON, on lines of any length."""


def _case(block: str) -> Case:
    head, where, *lines = block.split("\n")
    who, meaning, code, *says = head.split(" | ")
    status, kind, *more = meaning.split()
    headers: dict[str, str] = {}
    while found := re.match(r"([a-z-]+): (.+)", lines[0]):
        headers[found[1]] = found[2]
        del lines[0]
    lengths = next((word.split("/") for word in more if "/" in word), ())
    wait = next((float(word.removeprefix("wait=")) for word in more if word.startswith("wait=")), None)
    used, limit = (int(length) for length in lengths) if lengths else (None, None)
    return Case(
        who,
        where,
        int(status),
        headers,
        json.loads(" ".join(lines)),
        kind,
        None if code == "-" else code,
        retryable=kind in RETRYABLE and "final" not in more,
        lengths=(used, limit),
        wait=wait,
        says="".join(says),
    )


CASES = [_case(block) for block in CASES_TEXT.strip().split("\n\n")]


@pytest.mark.parametrize("case", CASES, ids=lambda it: f"{it.who}-{it.kind}")
def test_a_refusal_is_understood(case: Case) -> None:
    error = _refused(case.body, case.status, case.headers)
    assert (error.kind, error.code, error.status) == (case.kind, case.code, case.status)
    assert (error.used_tokens, error.limit_tokens) == case.lengths
    assert error.retryable == case.retryable
    assert error.retry_after == (None if case.wait is None else pytest.approx(case.wait))
    assert case.says in error.message
    assert error.hint
    assert "{" not in error.hint


@pytest.mark.parametrize("case", [it for it in CASES if not it.headers], ids=lambda it: f"{it.who}-{it.kind}")
def test_the_same_body_says_the_same_without_its_headers(case: Case) -> None:
    error = read_error(json.dumps(case.body).encode(), case.status)
    assert (error.kind, error.used_tokens, error.limit_tokens) == (case.kind, *case.lengths)
    assert error.retryable == case.retryable


IN_STREAMS = [
    ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "overloaded"),
    ({"type": "error", "error": {"type": "api_error", "message": "Internal server error"}}, "server"),
    ({"error": {"message": "Rate limit reached", "type": "tokens", "code": "rate_limit_exceeded"}}, "rate_limit"),
    ({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}, "overloaded"),
    ({"error": {"code": 429, "message": "Exhausted", "status": "RESOURCE_EXHAUSTED"}}, "rate_limit"),
    ({"__type": "throttlingException", "message": "Too many tokens, please wait"}, "rate_limit"),
    ({"__type": "modelStreamErrorException", "message": "x"}, "server"),
    ({"__type": "validationException", "message": "Input is too long for requested model."}, "context_length"),
    ({"error": {"code": 502, "message": "upstream died"}}, "server"),
    ({"error": {"code": "server_error", "message": "x"}, "status": "failed"}, "server"),
    (
        {"error": {"code": 400, "message": "This endpoint's maximum context length is 128000 tokens."}},
        "context_length",
    ),
    ({"error": {"code": 503, "message": "x", "metadata": {"error_type": "provider_overloaded"}}}, "overloaded"),
    ({"error": "Request timed out"}, "timeout"),
    ({"error": {"code": "odd", "message": "no"}}, "stream"),
    ({"error": {}}, "stream"),
]


@pytest.mark.parametrize(("body", "kind"), IN_STREAMS, ids=[kind for _, kind in IN_STREAMS])
def test_an_error_inside_an_answer_has_its_kind_by_its_code(body: dict[str, Any], kind: str) -> None:
    error = refused(provider_error(body, 200), 200, {}, HERE, "m")
    assert (error.kind, error.status) == (kind, 200)
    assert error.retryable == (kind in RETRYABLE)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, "not_found"),
        (400, "bad_request"),
        (401, "authentication"),
        (403, "permission"),
        (404, "not_found"),
        (405, "not_found"),
        (408, "timeout"),
        (418, "not_json"),
        (429, "rate_limit"),
        (500, "server"),
        (502, "server"),
        (503, "overloaded"),
        (520, "server"),
        (524, "timeout"),
        (529, "overloaded"),
    ],
)
def test_a_page_has_its_kind_by_its_status_and_shows_its_title(status: int, kind: str) -> None:
    page = b"<!DOCTYPE html><html><head><title>\n api.here.test | 502:\n Bad &amp; gateway</title></head></html>"
    error = _refused(page, status)
    assert (error.kind, error.message) == (kind, "the body is a web page: 'api.here.test | 502: Bad & gateway'")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is empty"),
        (b"no healthy upstream", "the body is not JSON: 'no healthy upstream'"),
        (b"<html>Bad gateway</html>", "the body is not JSON: '<html>Bad gateway</html>'"),
        (b"null", "the body is not JSON: 'null'"),
        (b"{}", "no message was sent"),
        (b'"Too bad."', "Too bad."),
        (b'{"error": true, "message": "Too bad."}', "Too bad."),
        (b'{"error": "invalid_grant", "error_description": "Too bad."}', "Too bad."),
        (b'{"error": {"reason": 1}}', '{"reason":1}'),
        (b'{"message": {"detail": [{"loc": ["body"], "msg": "Too bad."}]}}', "body: Too bad."),
        (b'{"error": {"message": "{\\"error\\": {\\"message\\": \\"Too bad.\\"}}", "code": 400}}', "Too bad."),
        (b'event: error\ndata: {"error": {"message": "Too bad."}}\n\n', "Too bad."),
        (b'\xff\xfe{"error": "Too bad."}', 'the body is not JSON: \'\ufffd\ufffd{"error": "Too bad."}\''),
    ],
)
def test_the_message_is_found_in_every_shape(body: bytes, message: str) -> None:
    assert read_error(body, 400).message == message


def test_nothing_that_an_error_says_is_lost() -> None:
    said = {"message": "no", "type": "t", "code": "c", "param": "messages", "innererror": {"code": "i"}}
    error = read_error(json.dumps({"error": {**said, "metadata": {"provider_name": "X"}}}).encode(), 400)
    assert error.metadata == {"param": "messages", "innererror": {"code": "i"}, "provider_name": "X"}


REQUEST_IDS = [
    ({"x-request-id": "a", "cf-ray": "z"}, "a"),
    ({"request-id": "b"}, "b"),
    ({"x-amzn-requestid": "c"}, "c"),
    ({"apim-request-id": "d"}, "d"),
    ({"x-goog-request-id": "e"}, "e"),
    ({"cf-ray": "z"}, "from the body"),
    ({}, "from the body"),
]


@pytest.mark.parametrize(("headers", "expected"), REQUEST_IDS)
def test_the_request_id_is_found(headers: dict[str, str], expected: str) -> None:
    assert _refused({"request_id": "from the body", "message": "x"}, 500, headers).request_id == expected
    assert _refused({"message": "x"}, 500, {"cf-ray": "z"}).request_id == "z"
    assert _refused({"error": {"message": "x", "request_id": "in it"}}, 500).request_id == "in it"
    assert _refused({"message": "x"}, 500).request_id is None


def test_what_matters_in_the_headers_is_kept_on_tapes() -> None:
    names = [
        *(name for headers, _ in REQUEST_IDS for name in headers),
        *("retry-after", "retry-after-ms", "x-should-retry", "x-amzn-errortype", "date"),
        *("x-ratelimit-reset-tokens", "anthropic-ratelimit-input-tokens-reset", "ratelimitbysize-reset"),
        *("ratelimit", "ratelimit-policy", "x-tokenlimit-limit", "anthropic-priority-input-tokens-remaining"),
    ]
    assert allowed_headers(tuple((name, "1") for name in names)) == tuple((name, "1") for name in names)
    assert allowed_headers((("x-api-key", "1"), ("set-cookie", "1"), ("openai-organization", "1"))) == ()


DATE = {"date": "Tue, 01 Sep 2026 12:00:00 GMT"}
WAITS = [
    ({"retry-after-ms": "1500", "retry-after": "9"}, "", {}, 1.5),
    ({"retry-after": "0"}, "try again in 5s", {}, 0.0),
    ({"retry-after": "-3"}, "", {}, 0.0),
    ({"retry-after": "Tue, 01 Sep 2026 12:00:30 GMT", **DATE}, "", {}, 30.0),
    ({"retry-after": "soon"}, "Please try again in 20s.", {}, 20.0),
    ({}, "Please try again in 6m0s. Visit us", {}, 360.0),
    ({}, "Please try again in 120ms", {}, 0.12),
    ({}, "Rate limit is exceeded. Try again in 30 seconds.", {}, 30.0),
    ({}, "Please retry in 34.074824224s.", {}, 34.074824224),
    ({}, "try again after 5 minutes", {}, 300.0),
    ({}, "Please try again later", {}, None),
    ({}, "Try again in 20", {}, None),
    ({}, "", {"details": [{"retryDelay": "34.07s"}]}, 34.07),
    ({}, "", {"details": ["?", {"retryDelay": {}}, {"@type": "x"}]}, None),
    ({}, "", {"retry_after_seconds": 7}, 7.0),
    ({}, "", {"headers": {"Retry-After": "8"}}, 8.0),
    ({}, "", {"headers": ["?"]}, None),
    ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "17.3s"}, "", {}, 17.3),
    ({"x-ratelimit-remaining-tokens": "9", "x-ratelimit-reset-tokens": "17.3s"}, "", {}, None),
    (
        {
            "anthropic-ratelimit-tokens-remaining": "0",
            "anthropic-ratelimit-tokens-reset": "2026-09-01T12:01:00Z",
            **DATE,
        },
        "",
        {},
        60.0,
    ),
    ({"retry-after": "1e9999"}, "", {}, None),
    ({"retry-after": "99999999999999999999"}, "", {}, None),
    ({"retry-after-ms": "nan"}, "", {}, None),
]


@pytest.mark.parametrize(("headers", "message", "metadata", "expected"), WAITS)
def test_the_wait_is_the_one_that_the_provider_named(
    headers: dict[str, str], message: str, metadata: dict[str, Any], expected: float | None
) -> None:
    error = ph.ProviderError(message, kind="rate_limit", retryable=True, metadata=metadata)
    assert retry_after(headers, error) == (None if expected is None else pytest.approx(expected))
    error.retryable = False  # Then only what the standard's header says counts.
    assert retry_after(headers, error) == retry_after(headers)


def test_a_date_without_the_answers_own_is_counted_from_the_clock() -> None:
    then = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 100))
    assert 90 < (retry_after({"retry-after": then}) or 0) <= 100


def test_used_up_limits_are_no_reason_to_wait_for_a_server_in_trouble() -> None:
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "12h"}
    assert _refused({}, 500, headers).retry_after is None
    assert _refused({}, 429, headers).retry_after == 43200.0


def test_a_provider_that_says_whether_to_ask_again_is_believed() -> None:
    assert not _refused({}, 429, {"x-should-retry": "false", "retry-after": "3"}).retryable
    assert _refused({}, 429, {"x-should-retry": "false", "retry-after": "3"}).retry_after == 3.0
    assert _refused({}, 400, {"x-should-retry": "true", "retry-after": "3"}).retry_after == 3.0


def test_the_hint_says_how_long_the_request_is_and_may_be() -> None:
    error = _refused({"error": {"message": "prompt is too long: 208656 tokens > 200000 maximum"}}, 400)
    assert "(208656 tokens of 200000)" in str(error)


def test_a_long_message_is_cut_and_the_body_is_whole() -> None:
    body = json.dumps({"error": {"message": "x" * 1_000_000}}).encode()
    transport = MemoryTransport(lambda _: respond(400, body))
    agent = ph.Agent("compat:http://x/v1#m", transport=transport)
    with pytest.raises(ph.ProviderError) as caught:
        agent.run_sync("go")
    assert len(str(caught.value)) < 5000
    assert caught.value.body == body


def test_a_key_that_a_provider_echoes_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    from playhead.agent import outlets

    key = "sk-not-a-real-key-0123456789"
    body = json.dumps({"error": {"message": f"Incorrect API key provided: {key}.", "code": "invalid_api_key"}})
    monkeypatch.setattr(outlets, "_network", lambda *_: MemoryTransport(lambda _: respond(401, body.encode())))
    with pytest.raises(ph.ProviderError) as caught:
        ph.Agent("openai:gpt-x", api_key=key).run_sync("go")
    error = caught.value
    assert error.kind == "authentication"
    assert key not in f"{error} {error.body!r} {error.headers} {error.metadata}"


def test_every_recorded_refusal_has_a_kind() -> None:
    shared_tape("quirks")
    found: set[tuple[int, str]] = set()
    for path in sorted((SHARED / "quirks").glob("*.yaml")):
        for call in ph.load_tape(path).interactions:
            if (call.status or 0) >= 400:
                error = read_error(call.body, call.status or 0)
                found.add((call.status or 0, error.kind))
                assert "temporarily rate-limited upstream" in error.message
    assert found == {(429, "rate_limit")}


def test_the_refusals_of_a_real_server_are_understood() -> None:
    kinds: dict[str, tuple[str, int | None, int | None]] = {}
    for path in sorted(shared_tape("local").glob("llamacpp_err_*.jsonl")):
        meta, *pieces = (json.loads(line) for line in path.read_text().splitlines())
        status = int(meta["response_head"].split()[1])
        error = read_error("".join(piece["text"] for piece in pieces).encode(), status)
        kinds[path.stem.removeprefix("llamacpp_err_")] = (error.kind, error.used_tokens, error.limit_tokens)
    assert kinds == {
        "bad_tools": ("server", None, None),
        "badschema": ("bad_request", None, None),
        "ctx": ("context_length", 9020, 8192),
        "nomsg": ("bad_request", None, None),
    }


def _refused(body: Any, status: int, headers: dict[str, str] | None = None) -> ph.ProviderError:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return refused(read_error(sent, status), status, headers or {}, HERE, "m")


LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["429", "error", "{", "{}"])
)
NAMES = st.sampled_from(
    [
        "error",
        "message",
        "Message",
        "code",
        "type",
        "status",
        "detail",
        "details",
        "metadata",
        "raw",
        "reasons",
        "msg",
        "headers",
        "innererror",
        "request_id",
        "loc",
        "retryDelay",
        "n_ctx",
        "n_prompt_tokens",
        "__type",
    ]
)
BODIES = st.recursive(LEAVES, lambda it: st.lists(it) | st.dictionaries(NAMES, it), max_leaves=30)


@given(BODIES, st.sampled_from([200, 301, 400, 429, 500]))
@example({"error": {"code": 10**5000}}, 400)
@example({"error": {"code": float("nan"), "message": [10**400]}}, 400)
@example({"error": {"metadata": {"raw": '{"error":' * 50 + "1" + "}" * 50}}}, 400)
def test_whatever_a_body_says_it_is_a_refusal_of_a_known_kind(body: object, status: int) -> None:
    try:
        sent = json.dumps(body).encode()
    except ValueError:  # More digits than are written.
        sent = b'{"error": {"code": ' + b"9" * 5000 + b"}}"
    _check(sent, status)


@given(st.binary(), st.sampled_from([200, 204, 302, 404, 429, 503, 599]))
@example(b"<title" * 20_000, 500)
@example(b"[" * 100_000, 500)
@example(b'{"message": "' + b"maximum context length is 1 tokens " * 10_000 + b'"}', 400)
@example(b'{"message": "' + b"prompt contains 1 tokens, " * 10_000 + b"1" * 10_000 + b'"}', 400)
@example(b'{"message": "try again in ' + b"1m" * 50_000 + b'!"}', 429)
def test_whatever_bytes_come_they_are_a_refusal_of_a_known_kind(body: bytes, status: int) -> None:
    _check(body, status)


def _check(body: bytes, status: int) -> None:
    began = time.perf_counter()
    error = refused(read_error(body, status), status, {}, HERE, "m")
    assert f"* `{error.kind}`:" in (ph.ProviderError.__doc__ or "")
    assert len(str(error)) < 6000
    assert error.retry_after is None or error.retry_after >= 0
    assert time.perf_counter() - began < 2


def test_all_kinds_are_told_in_the_document() -> None:
    kinds = set(re.findall(r"\* `(\w+)`:", ph.ProviderError.__doc__ or ""))
    page = (Path(__file__).parents[1] / "docs" / "errors.md").read_text()
    assert kinds == set(
        re.findall(r"^\| `(\w+)` \|", page.partition("## Kinds")[2].partition("\n## ")[0], re.MULTILINE)
    )
