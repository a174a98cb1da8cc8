"""Limits, and the meters that hold them, alone and in a tree."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playhead.errors import ConfigError, LimitExceeded
from playhead.ledger import Attempt, Budget, Limits, Meter
from playhead.messages import Usage


def attempt(given: int = 10, made: int = 5, cost: float | None = 0.1, **more: Any) -> Attempt:
    fields = {"lane": "root", "provider": "compat", "model": "m", "usage": Usage(given, made), "cost": cost}
    return Attempt(**{**fields, **more})


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"input_tokens": 0}, id="zero"),
        pytest.param({"output_tokens": -1}, id="negative"),
        pytest.param({"steps": 1.5}, id="half-a-step"),
        pytest.param({"tool_calls": True}, id="bool"),
        pytest.param({"cost": float("inf")}, id="infinite"),
        pytest.param({"cost": "1"}, id="text"),
        pytest.param({"seconds": float("nan")}, id="nan"),
        pytest.param({"unknown_cost": "perhaps"}, id="unknown-cost"),
    ],
)
def test_a_limit_that_is_no_positive_number_is_told_at_once(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ConfigError, match=rf"Limits\({name}=\.\.\.\) should be"):
        Limits(**wrong)


@pytest.mark.parametrize(
    ("limits", "name", "used"),
    [
        pytest.param(Limits(input_tokens=20), "input_tokens", 20, id="input"),
        pytest.param(Limits(output_tokens=10), "output_tokens", 10, id="output"),
        pytest.param(Limits(total_tokens=30), "total_tokens", 30, id="total-that-nobody-says"),
        pytest.param(Limits(cost=0.2), "cost", 0.2, id="cost"),
    ],
)
def test_a_call_goes_out_until_the_limit_is_used_up(limits: Limits, name: str, used: float) -> None:
    meter = Meter(limits)
    meter.add(attempt())
    meter.before_call()
    meter.add(attempt())
    with pytest.raises(LimitExceeded, match=r"used up.*was not made") as caught:
        meter.before_call()
    assert (caught.value.limit, caught.value.used, caught.value.allowed) == (name, used, getattr(limits, name))


def test_ten_times_ten_cents_are_a_dollar() -> None:
    meter = Meter(Limits(cost=1.0))
    for _ in range(10):
        meter.before_call()
        meter.add(attempt(cost=0.1))
    with pytest.raises(LimitExceeded, match=r"\$1\.000000 of \$1 are used up"):
        meter.before_call()


def test_a_step_is_counted_once_however_many_attempts_it_takes() -> None:
    meter = Meter(Limits(steps=2))
    meter.before_call()
    meter.before_call(step=False)
    meter.before_call()
    meter.before_call(step=False)
    assert meter.steps == 2
    with pytest.raises(LimitExceeded) as caught:
        meter.before_call()
    assert (caught.value.limit, meter.steps) == ("steps", 2)


def test_the_tools_of_a_step_run_all_or_not_at_all() -> None:
    meter = Meter(Limits(tool_calls=3))
    meter.before_tools(2)
    with pytest.raises(LimitExceeded, match="2 of 3 tool calls are used up, and the step asks for 2"):
        meter.before_tools(2)
    meter.before_tools(1)
    assert meter.tool_calls == 3


def test_only_a_meter_with_a_limit_on_seconds_here_or_above_needs_a_clock() -> None:
    assert not Meter(Limits(cost=1.0)).timed
    assert Meter(Limits(seconds=1)).child(Limits(steps=1)).child().timed


def test_time_is_what_the_run_says_it_is() -> None:
    meter = Meter(Limits(seconds=10))
    meter.before_call(9.9)
    meter.before_tools(1, None)
    for check in (lambda: meter.before_call(10.0), lambda: meter.before_tools(1, 10.0)):
        with pytest.raises(LimitExceeded, match="10 of 10 seconds"):
            check()


def test_an_unknown_cost_stops_a_run_whose_cost_is_limited() -> None:
    meter = Meter(Limits(cost=1.0))
    meter.add(attempt(cost=None, model="exotic", provider="openrouter", served_by="WandB"))
    with pytest.raises(
        LimitExceeded, match=r"'exotic' by provider 'openrouter', served by 'WandB'.*playhead\[prices\]"
    ):
        meter.before_call()


def test_an_answer_that_broke_off_says_so_instead_of_asking_for_a_price_table() -> None:
    meter = Meter(Limits(cost=1.0))
    meter.add(attempt(cost=0.01, outcome="truncated", partial=True))
    with pytest.raises(LimitExceeded, match=r"broke off \(truncated\).*unknown_cost='allow'") as caught:
        meter.before_call()
    assert caught.value.used is None


@pytest.mark.parametrize(
    ("limits", "more"),
    [
        pytest.param(Limits(cost=1.0, unknown_cost="allow"), {}, id="allowed"),
        pytest.param(Limits(cost=1.0), {"billable": False}, id="cost-nothing"),
        pytest.param(Limits(total_tokens=99), {}, id="no-limit-on-cost"),
    ],
)
def test_an_unknown_cost_passes_where_it_does_not_matter(limits: Limits, more: dict[str, Any]) -> None:
    meter = Meter(limits)
    meter.add(attempt(cost=None, **more))
    meter.before_call()


def test_the_innermost_limit_is_told_and_a_refused_call_is_counted_nowhere() -> None:
    top = Meter(Limits(steps=1))
    inner = top.child(Limits(tool_calls=1)).child(Limits(steps=1))
    inner.before_call()
    with pytest.raises(LimitExceeded) as caught:
        inner.before_call()
    assert caught.value.limit == "steps"
    assert (inner.steps, top.steps) == (1, 1)
    with pytest.raises(LimitExceeded):
        inner.before_tools(2)
    assert (inner.tool_calls, top.tool_calls) == (0, 0)
    with pytest.raises(LimitExceeded):
        top.child().before_call()


def test_a_budget_is_shared_by_the_runs_that_are_given_it() -> None:
    budget = Budget(Limits(cost=0.15, seconds=10))
    for _ in range(2):
        run = budget.child(Limits(steps=5))
        run.before_call(0.0)
        run.add(attempt(cost=0.1))
        run.note(3.0)
    assert (len(budget.ledger), budget.ledger.cost, budget.seconds) == (2, 0.2, 6.0)
    with pytest.raises(LimitExceeded) as caught:
        budget.child().before_call(0.0)
    assert caught.value.limit == "cost"


def test_the_time_of_a_run_inside_a_run_passes_within_it() -> None:
    budget = Budget()
    run = budget.child()
    run.before_call(4.0)
    inner = run.child(began_s=4.0)
    inner.before_call(3.0)
    assert (inner.seconds, run.seconds, budget.seconds) == (3.0, 7.0, 7.0)
    run.note(7.5)
    assert (run.seconds, budget.seconds) == (7.5, 7.5)


def test_threads_never_get_more_steps_together_than_there_are() -> None:
    budget = Budget(Limits(steps=100))
    passed: list[int] = []

    def work() -> None:
        meter = budget.child()
        for _ in range(50):
            try:
                meter.before_call()
            except LimitExceeded:
                return
            meter.add(attempt(cost=0.25))
            passed.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(passed), budget.steps, budget.ledger.cost) == (100, 100, 25.0)


@given(st.recursive(st.just([]), lambda inner: st.lists(inner, max_size=3), max_leaves=12), st.integers(0, 9))
def test_whatever_is_counted_below_is_counted_above(tree: list[Any], steps: int) -> None:
    """A meter has what its children have, and what was added to it."""

    def grow(meter: Meter, children: list[Any]) -> int:
        for _ in range(steps):
            meter.before_call()
        meter.add(attempt())
        return 1 + sum(grow(meter.child(), child) for child in children)

    top = Meter()
    nodes = grow(top, tree)
    assert (len(top.ledger), top.steps) == (nodes, nodes * steps)
    assert top.ledger.usage.input_tokens == 10 * nodes


def test_a_budget_beside_the_run_around_counts_the_same_and_its_own_time() -> None:
    shared, run = Budget(Limits(steps=9)), Meter()
    run.before_call(4.0)
    inner = run.child(began_s=4.0, budget=shared)
    inner.before_call(3.0)
    inner.child(began_s=3.0).before_call(2.0)
    assert (inner.steps, run.steps, shared.steps) == (2, 3, 2)
    assert (inner.seconds, run.seconds, shared.seconds) == (5.0, 9.0, 5.0)
    again = shared.child()
    again.child(budget=shared).before_call()
    assert (again.steps, shared.steps) == (1, 3), "what is above it already counts once"


def test_the_running_sum_of_a_meter_is_that_of_its_ledger() -> None:
    meter = Meter()
    assert meter.known_usage == Usage()
    for usage in (None, Usage(input_tokens=3), Usage(input_tokens=4, output_tokens=2, reasoning_tokens=0), Usage()):
        meter.add(Attempt(lane="root", provider="p", model="m", usage=usage))
        assert meter.known_usage == meter.ledger.known_usage
