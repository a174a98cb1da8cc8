"""When a model is asked again, how long is waited before, and what these settings refuse to be."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import playhead as ph
from playhead.retry import Retry, Timeouts, as_retry, helped_elsewhere, is_retryable, kind_of

PASSING = ph.ProviderError("busy", kind="overloaded", retryable=True)


def refusal(retry_after: float | None) -> ph.ProviderError:
    return ph.ProviderError("slow down", kind="rate_limit", retryable=True, retry_after=retry_after)


def test_the_bound_doubles_until_the_longest_wait() -> None:
    retry = Retry(attempts=9, base_s=0.5, max_wait_s=10)
    assert [retry.bound(n, PASSING) for n in range(1, 10)] == [0.5, 1, 2, 4, 8, 10, 10, 10, None]


def test_a_bound_beyond_all_numbers_is_the_longest_wait() -> None:
    assert Retry(attempts=10**6, factor=1e300).bound(10**5, PASSING) == 60


@given(
    st.integers(1, 12),
    st.floats(0, 1, exclude_max=True),
    st.none() | st.floats(0, 200),
    st.floats(0, 5),
    st.booleans(),
)
def test_a_wait_is_never_longer_than_its_bound_and_never_shorter_than_what_the_provider_named(
    n: int, drawn: float, named: float | None, base: float, jitter: bool
) -> None:
    retry = Retry(attempts=10, base_s=base, jitter=jitter)
    bound, wait = retry.bound(n, refusal(named)), retry.wait(n, refusal(named), lambda: drawn)
    assert (bound is None) == (wait is None) == (n >= 10 or (named or 0) > 60)
    if bound is not None and wait is not None:
        assert 0 <= wait <= bound
        assert wait >= (named or 0)
        assert jitter or wait == bound


def test_what_the_provider_names_counts_with_a_little_more() -> None:
    assert Retry().wait(1, refusal(20), lambda: 0.5) == 20.25
    assert Retry(jitter=False).wait(1, refusal(20)) == 20
    assert Retry().wait(1, refusal(0), lambda: 0.5) == 0.25


def test_a_longer_time_than_the_longest_wait_is_not_waited_for() -> None:
    assert Retry(max_wait_s=30).wait(1, refusal(31)) is None
    assert Retry(max_wait_s=30).wait(1, refusal(30), lambda: 0) == 30


@pytest.mark.parametrize(
    ("error", "again", "kind"),
    [
        pytest.param(PASSING, True, "overloaded", id="overloaded"),
        pytest.param(ph.ProviderError("no", kind="bad_request"), False, "bad_request", id="bad-request"),
        pytest.param(ph.TransportError("x", kind="connect"), True, "connect", id="connect"),
        pytest.param(ph.TransportError("x", kind="timeout"), True, "timeout", id="timeout"),
        pytest.param(ph.TransportError("x", kind="disconnect"), True, "disconnect", id="disconnect"),
        pytest.param(ph.TransportError("x", kind="protocol"), False, "protocol", id="protocol"),
        pytest.param(ph.TruncatedStream("x"), True, "truncated", id="truncated"),
        pytest.param(ph.DecodeError("x"), False, "decode", id="decode"),
        pytest.param(ph.EncodeError("x"), False, "encode", id="encode"),
        pytest.param(ph.MissingKey("x"), False, "MissingKey", id="no-key"),
    ],
)
def test_only_what_may_pass_is_tried_again(error: ph.PlayheadError, again: bool, kind: str) -> None:
    assert is_retryable(error) is again
    assert kind_of(error) == kind
    assert (Retry().wait(1, error) is not None) is again


def test_another_model_is_asked_what_it_may_know_better() -> None:
    kinds = ("authentication", "payment", "permission", "not_found", "context_length", "content_policy", "rate_limit")
    assert all(helped_elsewhere(ph.ProviderError("no", kind=kind)) for kind in kinds)
    assert helped_elsewhere(ph.EncodeError("no words"))
    assert helped_elsewhere(ph.TruncatedStream("cut"))
    assert not helped_elsewhere(ph.ProviderError("no", kind="bad_request"))
    assert not helped_elsewhere(ph.DecodeError("no JSON"))
    assert not helped_elsewhere(ph.MissingKey("none"))


@pytest.mark.parametrize(
    ("value", "retry"),
    [
        (None, Retry()),
        (True, Retry()),
        (False, Retry.none),
        (1, Retry.none),
        (5, Retry(attempts=5)),
        (Retry(2), Retry(2)),
    ],
    ids=["none", "true", "false", "one", "five", "itself"],
)
def test_a_setting_may_be_short(value: Any, retry: Retry) -> None:
    assert as_retry(value) == retry


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: as_retry("often"),  # type: ignore[arg-type]
        lambda: as_retry(0),
        lambda: Retry(attempts=True),
        lambda: Retry(base_s=-1),
        lambda: Retry(factor=0.5),
        lambda: Retry(max_wait_s=math.inf),
        lambda: Timeouts(stall_s=0),
        lambda: Timeouts(connect_s=None),  # type: ignore[arg-type]
        lambda: Timeouts(thinking_s=math.nan),
        lambda: Timeouts(attempt_s="long"),  # type: ignore[arg-type]
    ],
    ids=["word", "zero", "bool", "base", "factor", "max-wait", "stall", "connect", "nan", "text"],
)
def test_what_makes_no_sense_is_refused_at_once(wrong: Any) -> None:
    with pytest.raises(ph.ConfigError, match="should be"):
        wrong()


def test_the_longest_silence_is_what_the_network_waits_for() -> None:
    assert Timeouts().longest_s == 600
    assert Timeouts(first_s=900).longest_s == 900
    assert Timeouts(stall_s=None).longest_s is None
    assert Timeouts(stall_s=None, attempt_s=50).longest_s == 50
