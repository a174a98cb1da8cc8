"""Rate limits, as the headers of many providers say them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playhead.ratelimits import RateLimit, RateLimits, moment, rate_limits, seconds

NOW = 1_788_264_000.0  # Tue, 01 Sep 2026 12:00:00 GMT

HEADERS = {
    # https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers
    "openai": (
        {
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-limit-tokens": "150000",
            "x-ratelimit-remaining-requests": "59",
            "x-ratelimit-remaining-tokens": "149984",
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-reset-tokens": "6m0s",
        },
        RateLimits(requests=RateLimit(60, 59, 1.0), tokens=RateLimit(150000, 149984, 360.0)),
    ),
    # https://console.groq.com/docs/rate-limits
    "groq": (
        {
            "retry-after": "2",
            "x-ratelimit-limit-requests": "14400",
            "x-ratelimit-limit-tokens": "18000",
            "x-ratelimit-remaining-requests": "14370",
            "x-ratelimit-remaining-tokens": "17997",
            "x-ratelimit-reset-requests": "2m59.56s",
            "x-ratelimit-reset-tokens": "7.66s",
        },
        RateLimits(requests=RateLimit(14400, 14370, 179.56), tokens=RateLimit(18000, 17997, 7.66)),
    ),
    # https://platform.claude.com/docs/en/api/rate-limits#response-headers
    "anthropic": (
        {
            "anthropic-ratelimit-requests-limit": "50",
            "anthropic-ratelimit-requests-remaining": "49",
            "anthropic-ratelimit-requests-reset": "2026-09-01T12:00:01Z",
            "anthropic-ratelimit-input-tokens-limit": "30000",
            "anthropic-ratelimit-input-tokens-remaining": "0",
            "anthropic-ratelimit-input-tokens-reset": "2026-09-01T12:00:38Z",
            "anthropic-ratelimit-output-tokens-limit": "8000",
            "anthropic-ratelimit-output-tokens-remaining": "8000",
            "anthropic-ratelimit-output-tokens-reset": "2026-09-01T11:59:59Z",
            "anthropic-ratelimit-tokens-limit": "38000",
            "anthropic-ratelimit-unified-5h-reset": "1788264000",
            "date": "Tue, 01 Sep 2026 12:00:00 GMT",
        },
        RateLimits(
            requests=RateLimit(50, 49, 1.0),
            tokens=RateLimit(38000),
            input_tokens=RateLimit(30000, 0, 38.0),
            output_tokens=RateLimit(8000, 8000, 0.0),
        ),
    ),
    # https://inference-docs.cerebras.ai/support/rate-limits
    "cerebras": (
        {
            "x-ratelimit-limit-requests-day": "14400",
            "x-ratelimit-limit-tokens-minute": "60000",
            "x-ratelimit-remaining-requests-day": "14399",
            "x-ratelimit-remaining-tokens-minute": "59000",
            "x-ratelimit-reset-requests-day": "33011.382867",
            "x-ratelimit-reset-tokens-minute": "11.38",
        },
        RateLimits(
            requests=RateLimit(14400, 14399, 33011.382867, "day"), tokens=RateLimit(60000, 59000, 11.38, "minute")
        ),
    ),
    # https://github.com/mistralai/client-ts/issues/169
    "mistral": (
        {
            "x-ratelimit-limit-tokens-minute": "5000000",
            "x-ratelimit-remaining-tokens-minute": "4999911",
            "x-ratelimit-tokens-query-cost": "52",
            "x-ratelimit-limit-req-minute": "720",
            "x-ratelimit-remaining-req-minute": "717",
        },
        RateLimits(requests=RateLimit(720, 717, None, "minute"), tokens=RateLimit(5000000, 4999911, None, "minute")),
    ),
    "mistral, older": (
        {"ratelimitbysize-limit": "500000", "ratelimitbysize-remaining": "499000", "ratelimitbysize-reset": "12"},
        RateLimits(tokens=RateLimit(500000, 499000, 12.0)),
    ),
    # https://learn.microsoft.com/azure/ai-foundry/openai/how-to/quota
    "azure": (
        {
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-remaining-tokens": "9",
            "x-ratelimit-reset-tokens": "86400",
        },
        RateLimits(requests=RateLimit(remaining=0), tokens=RateLimit(remaining=9, reset=86400.0)),
    ),
    # https://openrouter.ai/docs/api-reference/limits
    "openrouter": (
        {"x-ratelimit-limit": "50", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1788307200000"},
        RateLimits(requests=RateLimit(50, 0, 43200.0)),
    ),
    # https://docs.together.ai/docs/rate-limits
    "together": (
        {
            "x-ratelimit-limit": "10",
            "x-ratelimit-reset": "1",
            "x-tokenlimit-limit": "6000",
            "x-tokenlimit-remaining": "6",
        },
        RateLimits(requests=RateLimit(10, None, 1.0), tokens=RateLimit(6000, 6)),
    ),
    # https://docs.fireworks.ai/guides/quotas_usage/rate-limits
    "fireworks": (
        {"x-ratelimit-limit-tokens-prompt": "60000", "x-ratelimit-remaining-tokens-generated": "7"},
        RateLimits(input_tokens=RateLimit(60000), output_tokens=RateLimit(remaining=7)),
    ),
    # https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/ (versions 6 and 9)
    "draft, older": (
        {"ratelimit-limit": "100, 100;w=60", "ratelimit-remaining": "50", "ratelimit-reset": "30"},
        RateLimits(requests=RateLimit(100, 50, 30.0)),
    ),
    "draft": (
        {"ratelimit": '"default";r=50;t=30', "ratelimit-policy": '"default";q=100;w=60'},
        RateLimits(requests=RateLimit(100, 50, 30.0)),
    ),
    "none": ({"content-type": "text/plain", "x-ratelimit-reset-images": "1s", "x-request-id": "1"}, RateLimits()),
}


@pytest.mark.parametrize("provider", HEADERS)
def test_the_limits_of_every_provider_are_read(provider: str) -> None:
    headers, expected = HEADERS[provider]
    assert rate_limits(headers, NOW) == expected


def test_a_limit_that_ends_at_a_moment_is_counted_from_the_answers_own_date() -> None:
    headers = HEADERS["anthropic"][0]
    assert rate_limits(headers) == rate_limits(headers, NOW)
    undated = {name: value for name, value in headers.items() if name != "date"}
    assert rate_limits(undated).requests == RateLimit(50, 49, None)
    assert rate_limits(headers, NOW - 60).requests.reset == 61.0


def test_of_several_windows_the_one_counts_of_which_the_least_is_left() -> None:
    minute = {"x-ratelimit-limit-requests-minute": "30", "x-ratelimit-remaining-requests-minute": "29"}
    day = {"x-ratelimit-limit-requests-day": "1000", "x-ratelimit-remaining-requests-day": "10"}
    assert rate_limits(minute | day).requests == RateLimit(1000, 10, None, "day")
    both_used_up = {
        "x-ratelimit-remaining-requests-minute": "0",
        "x-ratelimit-reset-requests-minute": "20",
        "x-ratelimit-remaining-requests-day": "0",
        "x-ratelimit-reset-requests-day": "7000",
    }
    assert rate_limits(both_used_up).wait == 7000.0


def test_only_what_is_used_up_is_waited_for() -> None:
    assert rate_limits(HEADERS["openai"][0]).wait is None
    assert rate_limits(HEADERS["anthropic"][0]).wait == 38.0
    assert rate_limits(HEADERS["azure"][0]).wait is None
    assert rate_limits({}).wait is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20", 20.0),
        ("0.5", 0.5),
        (" 3 ", 3.0),
        ("-5", 0.0),
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("120ms", 0.12),
        ("1h30m", 5400.0),
        ("114h18m0s", 411480.0),
        ("980µs", 0.00098),
        ("34.074824224s", 34.074824224),
        ("1d", 86400.0),
        ("1788264060", 60.0),
        ("1788264060000", 60.0),
        ("2026-09-01T12:01:00Z", 60.0),
        ("2026-09-01T14:01:00+02:00", 60.0),
        ("Tue, 01 Sep 2026 12:01:00 GMT", 60.0),
        ("Tue, 01 Sep 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("1 fortnight", None),
        ("nan", None),
        ("inf", None),
        ("1e400", None),
        ("9999999999999999999", None),
        ("400d", None),
        ("2126-09-01T12:01:00Z", None),
        ("Tue, 99 Foo 2026", None),
    ],
)
def test_waits_are_read_in_every_form(text: str, expected: float | None) -> None:
    assert seconds(text, NOW) == (None if expected is None else pytest.approx(expected))


def test_a_moment_says_nothing_where_the_time_is_not_known() -> None:
    assert seconds("2026-09-01T12:01:00Z") is None
    assert seconds("1788264060") is None
    assert seconds("20") == 20.0
    assert moment("Tue, 01 Sep 2026 12:00:00 GMT") == moment("2026-09-01T12:00:00") == NOW


PREFIXES = ("x-ratelimit-", "anthropic-ratelimit-", "ratelimitbysize-", "ratelimit-", "ratelimit", "x-tokenlimit-")
NAMES = st.builds(
    lambda prefix, words: prefix + "-".join(words),
    st.sampled_from(PREFIXES),
    st.lists(st.sampled_from(["limit", "remaining", "reset", "requests", "tokens", "input", "minute", "policy", ""])),
)


@given(st.dictionaries(NAMES, st.text() | st.from_regex(r"[\dTZ:.;=,smhµ+-]{0,30}")), st.none() | st.floats())
def test_whatever_headers_come_limits_are_numbers_that_are_not_negative(headers: dict[str, str], now: float) -> None:
    limits = rate_limits(headers, now)
    for limit in (limits.requests, limits.tokens, limits.input_tokens, limits.output_tokens):
        assert all(value is None or value >= 0 for value in (limit.limit, limit.remaining, limit.reset))
        assert 0 <= limit.share <= 1
