"""
What an error means: its kind, by its status, by its code, and by its words, for every provider.

The tables are large and few runs need them: the module is loaded when something is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

RETRYABLE = frozenset({"rate_limit", "overloaded", "server", "timeout", "stream"})
"""The kinds for which asking again may help."""

STATUSES = {
    204: "bad_request",
    400: "bad_request",
    401: "authentication",
    402: "payment",
    403: "permission",
    404: "not_found",
    405: "not_found",
    407: "authentication",
    408: "timeout",
    409: "server",  # Something held a lock: the vendors' own packages ask again.
    410: "not_found",
    413: "bad_request",
    422: "bad_request",
    424: "server",  # So Bedrock says that the model failed.
    429: "rate_limit",
    434: "permission",
    451: "permission",
    498: "overloaded",  # So Groq says that its flexible tier is full.
    501: "bad_request",
    503: "overloaded",
    504: "timeout",
    522: "timeout",
    524: "timeout",
    529: "overloaded",
}


def _plain(code: str) -> str:
    """A code as it is looked up: `overloaded_error`, `ThrottlingException:http://...`, `RESOURCE_EXHAUSTED`."""
    return re.sub(r"[\W_]+", "", code[:200].rpartition("#")[2].partition(":")[0]).lower()


def _table(kinds: dict[str, str]) -> dict[str, str]:
    return {_plain(code): kind for kind, codes in kinds.items() for code in codes.split()}


_CODES = _table(
    {
        "authentication": """API_KEY_EXPIRED API_KEY_INVALID ExpiredTokenException IncompleteSignatureException
            InvalidClientTokenId InvalidSignatureException MissingAuthenticationTokenException RequestExpired
            SignatureDoesNotMatch UnrecognizedClientException invalid_api_key invalid_authentication_error""",
        "payment": """1113 1309 Arrearage BILLING_DISABLED billing_error billing_hard_limit_reached billing_not_active
            blocked_api_access contract_spend_limit_reached enforced_spend_limit_reached
            exceeded_current_quota_error insufficient_funds insufficient_quota
            linked_organization_spend_limit_reached organization_spend_limit_exceeded payment_required""",
        "permission": """1112 1121 1220 1311 ACCESS_TOKEN_SCOPE_INSUFFICIENT model_permission_blocked_org
            model_terms_required organization_on_hold organization_restricted unsupported_country_region_territory""",
        "not_found": "1211 DeploymentNotFound invalid_model model_not_found unknown_model",
        "rate_limit": """1302 1303 1305 1308 1310 1313 ServiceQuotaExceededException Throttling
            Throttling.AllocationQuota Throttling.RateQuota ThrottlingException TooManyRequestsException
            rate_limit_exceeded rate_limit_reached_error""",
        "overloaded": """1312 EngineOverloaded ModelNotReadyException NoCapacity capacity_exceeded
            engine_overloaded_error overloaded overloaded_error provider_overloaded server_is_overloaded
            service_tier_capacity_exceeded slow_down""",
        "context_length": """1261 context_length_exceeded exceed_context_size_error
            model_context_window_exceeded""",
        "content_policy": """1301 DataInspectionFailed ResponsibleAIPolicyViolation bio_policy content_filter
            content_policy_violation image_content_policy_violation misalignment_policy_violation
            moderation_blocked""",
        "server": "ModelErrorException ModelStreamErrorException provider_unavailable",
        "timeout": "DEADLINE_EXCEEDED ModelTimeoutException timeout_error vector_store_timeout",
    }
)
"""Codes that say more than the status does. Numbers of four digits are z.ai's."""

_ECHOES = _table(
    {
        "authentication": "UNAUTHENTICATED authentication authentication_error unauthorized",
        "permission": """ACCESS_DENIED AccessDeniedException FORBIDDEN PERMISSION_DENIED permission_denied
            permission_error""",
        "not_found": "NOT_FOUND ResourceNotFoundException UnknownOperationException not_found_error",
        "rate_limit": "RESOURCE_EXHAUSTED rate_limit_error rate_limited too_many_requests",
        "overloaded": "ServiceUnavailableException UNAVAILABLE service_unavailable_error",
        "bad_request": """BadRequestError FAILED_PRECONDITION INVALID_ARGUMENT ValidationException invalid_prompt
            invalid_request invalid_request_error request_too_large""",
        "server": """INTERNAL InternalServerException InternalServerError api_error internal_error
            internal_server_error server_error""",
        "timeout": "timeout request_timeout",
    }
)
"""Codes that say what the status says: they count where an error stands inside a 200."""

_FINAL = frozenset({_plain("ServiceQuotaExceededException")})
"""Codes of a kind for which asking again helps, but not for these."""

_N = r"[0-9][0-9,]{0,14}"


def _lengths_in(pattern: str) -> re.Pattern[str]:
    """A message in which numbers have names: USED, of that MORE for the answer, OVER the LIMIT."""
    named = re.sub(r"\b(USED|MORE|OVER|LIMIT)\b", lambda it: f"(?P<{it[1].lower()}>{_N})", pattern)
    return re.compile(named, re.IGNORECASE)


_TOO_LONG = [
    _lengths_in(pattern)
    for pattern in (
        r"prompt is too long: USED tokens > LIMIT maximum",  # Anthropic
        r"prompt is too long: USED, model maximum context length: LIMIT",  # Fireworks
        r"exceed context limit: USED \+ MORE > LIMIT",  # Anthropic
        r"too large: MORE\. .{0,20}maximum context length is LIMIT tokens and your request has USED",  # vLLM
        r"passed USED input tokens and requested MORE output tokens.{0,60}context length is only LIMIT",  # vLLM
        r"decoder prompt \(length USED\) is longer than the maximum model length of LIMIT",  # vLLM
        # OpenAI, OpenRouter, Groq, DeepSeek, vLLM, SGLang
        r"maximum context length (?:is|of) LIMIT tokens.{0,60}?(?:requested|resulted in|has|of)(?: about)? USED",
        r"maximum prompt length is LIMIT but the request contains USED",  # xAI
        r"configured limit of LIMIT tokens.{0,40}?resulted in USED tokens",  # OpenAI
        r"token count \(USED\) exceeds the maximum number of tokens allowed \(LIMIT\)",  # Gemini
        r"token count is USED but the model only supports up to LIMIT",  # Vertex
        # Together, Hugging Face
        r"inputs` tokens \+ `max_new_tokens` must be <= LIMIT\. Given: USED `inputs` tokens and MORE",
        r"inputs` tokens \+ `max_new_tokens` must be <= LIMIT(?:\. Given: USED)?",
        r"inputs` must have less than LIMIT tokens\. Given: USED",
        r"request \(USED tokens\) exceeds the available context size \(LIMIT tokens\)",  # llama.cpp
        r"input \(USED tokens\) is longer than the model'?s context length \(LIMIT tokens\)",  # Together
        r"prompt contains USED tokens.{0,40}too large for model with LIMIT maximum context length",  # Mistral
        r"input length \(?USED\)? exceeds .{0,12}maximum (?:context|allowed input) length (?:of )?\(?LIMIT",
        r"prompt token count of USED exceeds the limit of LIMIT",  # Copilot
        r"exceeded model token limit: LIMIT(?: \(requested: USED\))?",  # Moonshot
        r"prompt has USED tokens, but the configured context size is LIMIT tokens",
        r"size limit exceeded by OVER tokens(?:.{0,200}?limit for this model is LIMIT)?",  # Cohere
        r"total number of tokens.{0,40}cannot exceed LIMIT - received USED",  # Cohere
        r"range of input length should be \[\d+, LIMIT\]",  # DashScope
        r"(?:maximum context length|context length of only|context window) (?:is |of )?LIMIT tokens",
        # From here on they say nothing but that it is too long.
        r"prompt (?:is )?too long|input is too long for requested model|prompt exceeds max length",
        r"exceeds? the (?:model'?s )?(?:context window|maximum context|available context size|context limit)",
        r"greater than the context length|context window exceeds limit|context[_ ]length[_ ]exceeded",
        r"input tokens exceeded|number of input tokens exceeds|reduce the length of the (?:messages|prompt|input)",
        r"total length of all messages is too long",
    )
]
"""How providers say that a request is too long: with how long it is and may be, where they say that."""

_AT_ONCE = re.compile(rf"Limit:? (?P<limit>{_N}), (?:Used:? {_N}, )?Requested:? ~?(?P<used>{_N})", re.IGNORECASE)
"""OpenAI, Groq: what is used of a limit, and what was asked for."""


class _Words(NamedTuple):
    """A message that says more than status and code: which kind, of which kinds it can be said, and how."""

    kind: str
    of: frozenset[str]
    pattern: re.Pattern[str]


def _words(kind: str, of: str, *patterns: str) -> _Words:
    return _Words(kind, frozenset(of.split()), re.compile("|".join(patterns), re.IGNORECASE))


_MESSAGES = (
    _words(
        "payment",
        "bad_request permission rate_limit server stream",
        r"credit balance is too low|insufficient (?:account )?(?:balance|credits?|funds)|balance is insufficient",
        r"requires more credits|have any credits|prepayment credits|requires billing|check your billing details on",
        r"reached your specified API usage limits|key limit exceeded|spend(?:ing)? (?:limit|cap)",
    ),
    _words(
        "authentication",
        "bad_request permission stream",
        r"(?:in(?:valid|correct)|missing) (?:api[ _-]key|x-api-key)|no auth credentials|reported as leaked",
        r"api[ _-]key (?:not valid|not found|expired|is invalid)|make sure your api key is valid",
        r"security token .{0,40}(?:invalid|expired)",
    ),
    _words(
        "content_policy",
        "bad_request permission stream",
        r"content (?:management|filtering) polic|violates? (?:our |the )?usage (?:guidelines|polic)|safety system",
        r"violating our usage policy|(?:input|prompt) was flagged|requires moderation|blocked by guardrail",
        r"inappropriate content|unsafe or sensitive content|considered high risk|\(flagged: ",
    ),
    _words(
        "not_found",
        "bad_request stream",
        r"model identifier is invalid|not a valid model|model\b.{0,80}(?:not found|does not exist)",
        r"no endpoints found|invalid model\b",
    ),
    _words(
        "permission",
        "bad_request stream",
        r"location is not supported|not (?:available|supported) in your (?:country|region)|unsupported countries",
        r"is not allowed to use|(?:don't|do not|does not) have access to",
    ),
    _words(
        "overloaded",
        "rate_limit server stream timeout",
        r"overloaded|experiencing high (?:demand|load|traffic)|(?:at|over|exceeded) capacity|capacity exceeded",
    ),
    _words("rate_limit", "server stream", r"rate[ _-]?limit|too many (?:requests|tokens)|throttl"),
    _words("timeout", "stream", r"timed? ?out|deadline"),
)
_MAY_BE_TOO_LONG = frozenset({"bad_request", "context_length", "server", "stream"})

_READ = 4000
"""Characters of a message that are looked at."""


class Verdict(NamedTuple):
    """What an error means. See `ProviderError`."""

    kind: str
    retryable: bool
    used_tokens: int | None = None
    limit_tokens: int | None = None


def classify(status: int | None, codes: Sequence[str], message: str, kind: str = "stream") -> Verdict:
    """What an error means.

    Args:
        status: the response's, 200 or None where the error stands inside an answer.
        codes: what the provider calls it, the most telling first.
        message: in the provider's words.
        kind: what is known of it already; `stream` where that is nothing.
    """
    names = [_plain(code) for code in codes]
    told = next((_CODES[name] for name in names if name in _CODES), None)
    if told is None and kind == "stream":
        told = _by_status(status) or next(filter(None, map(_echo, names)), None)
    kind, message = told or kind, message[:_READ]
    if kind in _MAY_BE_TOO_LONG:
        for pattern in _TOO_LONG:
            if found := pattern.search(message):
                return Verdict("context_length", False, *_lengths(found))
    kind = next((it.kind for it in _MESSAGES if kind in it.of and it.pattern.search(message)), kind)
    if kind == "rate_limit" and (found := _AT_ONCE.search(message)):
        used, limit = _lengths(found)
        if used is not None and limit is not None and used > limit:
            return Verdict(kind, False, used, limit)
    return Verdict(kind, kind in RETRYABLE and _FINAL.isdisjoint(names))


def _by_status(status: int | None) -> str | None:
    """The kind that a status names by itself; None where it says that all is well."""
    if status is None or (status < 300 and status != 204):
        return None
    return STATUSES.get(status) or ("not_found" if status < 400 else "server" if status >= 500 else "bad_request")


def _echo(name: str) -> str | None:
    """The kind that a code stands for which says what a status could have said."""
    return _by_status(int(name)) if is_status(name) and int(name) >= 400 else _ECHOES.get(name)


def is_status(code: str) -> bool:
    return len(code) == 3 and code.isascii() and code.isdecimal() and "100" <= code < "600"


def _lengths(found: re.Match[str]) -> tuple[int | None, int | None]:
    """How long a request is and may be, as the words of a message say."""
    counts = {name: int(digits.replace(",", "")) for name, digits in found.groupdict().items() if digits}
    used, limit = counts.get("used"), counts.get("limit")
    if used is not None:
        used += counts.get("more", 0)
    elif limit is not None and "over" in counts:
        used = limit + counts["over"]
    return used, limit
