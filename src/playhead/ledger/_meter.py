"""Counts what a run takes, and what the runs inside it take, and says when a limit is reached."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from ..errors import LimitExceeded
from ..messages import Usage
from ._account import Account
from ._attempt import Attempt
from ._ledger import Ledger
from ._limits import Limits

_LOCK = threading.RLock()
"""One for all meters, which may share accounts, so that a look and a count are one step."""


class Meter:
    """Counts what a run takes against its limits, and against those of the runs around it.

    What is counted is counted for all meters above, too. It can be used from several threads at once. One that
    several runs are given is a `Budget`: they share its limits.

        budget = ph.Budget(ph.Limits(cost=1.0))
        agent.run_sync("...", budget=budget)
        agent.run_sync("...", budget=budget)
        print(budget.ledger.table())

    Args:
        limits: how much it allows.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._own = Account(self.limits)
        self._above: Sequence[Account] = ()

    def __repr__(self) -> str:
        return f"Meter({self.limits!r}, attempts={len(self._own.attempts)}, cost={self._own.cost:g})"

    def child(
        self, limits: Limits | None = None, *, began_s: float | None = None, budget: Meter | None = None
    ) -> Meter:
        """A meter for a run inside this one, or for one that shares this budget.

        Args:
            limits: of its own, beside those that it shares.
            began_s: the elapsed seconds of this meter's run at which the child's began: its time passes within this
                one's. Left out, the times of all children add up here.
            budget: shared by the child as well. What is above it already is not counted twice.
        """
        return _Child(limits, began_s, (self._own, *self._above), budget)

    @property
    def steps(self) -> int:
        """Model calls so far, however many attempts each of them took."""
        return self._own.steps

    @property
    def tool_calls(self) -> int:
        """Tool calls so far."""
        return self._own.tool_calls

    @property
    def seconds(self) -> float:
        """Seconds so far, as far as the runs have said."""
        return self._own.seconds

    @property
    def timed(self) -> bool:
        """Whether seconds are limited, here or above."""
        return any(account.limits.seconds is not None for account in self.accounts)

    @property
    def counted(self) -> bool:
        """Whether steps or tool calls are limited, here or above."""
        limits = (account.limits for account in self.accounts)
        return any(each.steps is not None or each.tool_calls is not None for each in limits)

    @property
    def known_usage(self) -> Usage:
        """The tokens so far, as far as they are known."""
        return self._own.known

    @property
    def ledger(self) -> Ledger:
        """Every attempt so far."""
        with _LOCK:
            return Ledger(tuple(self._own.attempts))

    def since(self, n: int) -> tuple[Attempt, ...]:
        """The attempts from number `n` on, from 0: for who looks at each of them once."""
        with _LOCK:
            return tuple(self._own.attempts[n:])

    def add(self, attempt: Attempt) -> None:
        """Count an attempt, here and above."""
        with _LOCK:
            for account in self.accounts:
                account.count(attempt)

    def before_call(self, elapsed_s: float | None = None, *, step: bool = True, shared: bool = True) -> None:
        """A model is about to be called. Unless that is refused, the step is counted, here and above.

        Args:
            elapsed_s: seconds since this meter's run began, by a clock that is on the tape; None where there is none.
            step: False for another attempt of the same call, which is no step of its own.
            shared: False counts above, and looks at this meter's own limits alone.

        Raises:
            LimitExceeded: there is nothing left of a limit of this meter, or of one above.
        """
        with _LOCK:
            self._note(elapsed_s)
            for account in self._looked_at(shared):
                with self._whose(account):
                    account.check_usage()
                    if step:
                        account.check_step()
            if step:
                for account in self.accounts:
                    account.steps += 1

    def before_tools(self, n: int, elapsed_s: float | None = None, *, shared: bool = True) -> None:
        """Tools are about to run. Unless that is refused, they are counted, here and above.

        Args:
            n: how many; all of them, or none, are let through.
            elapsed_s: as in `before_call`.
            shared: as in `before_call`.

        Raises:
            LimitExceeded: they are more than what is left of a limit of this meter, or of one above.
        """
        with _LOCK:
            self._note(elapsed_s)
            for account in self._looked_at(shared):
                with self._whose(account):
                    account.check_tools(n)
            for account in self.accounts:
                account.tool_calls += n

    def count(self, *, steps: int = 0, tool_calls: int = 0) -> None:
        """Steps and tool calls were made of which this meter was not asked: those inside a tool that was played."""
        with _LOCK:
            for account in self.accounts:
                account.steps += steps
                account.tool_calls += tool_calls

    def note(self, elapsed_s: float) -> None:
        """The run has taken so many seconds: for counting those behind its last call.

        Args:
            elapsed_s: as in `before_call`.
        """
        with _LOCK:
            self._note(elapsed_s)

    @property
    def accounts(self) -> tuple[Account, ...]:
        """From the inside out; then the budgets beside them."""
        chain = (self._own, *self._above)
        beside = {id(each): each for account in chain for each in account.beside}
        return (*chain, *beside.values())

    def _looked_at(self, shared: bool) -> tuple[Account, ...]:
        return self.accounts if shared else (self._own,)

    @contextmanager
    def _whose(self, account: Account) -> Generator[None]:
        """Say of a limit that is met here whether it is one of the runs around."""
        try:
            yield
        except LimitExceeded as error:
            error.around = account is not self._own
            raise

    def _note(self, elapsed_s: float | None) -> None:
        """Time passes, here and above: within the time of those above, or beside it."""
        if elapsed_s is None:
            return
        more: float | None = None
        for account in (self._own, *self._above):
            if more is not None:
                account.seconds += more
                continue
            spent = max(0.0, elapsed_s - account.seconds)
            account.seconds += spent
            for other in account.beside:
                other.seconds += spent
            if account.began_s is None:
                more = spent
            else:
                elapsed_s += account.began_s


class _Child(Meter):
    """A meter below others."""

    def __init__(
        self, limits: Limits | None, began_s: float | None, above: Sequence[Account], budget: Meter | None
    ) -> None:
        self.limits = limits or Limits()
        self._own = Account(self.limits, began_s)
        self._above = above
        if budget is not None:
            known = {id(account) for account in self.accounts}
            self._own.beside = tuple(account for account in budget.accounts if id(account) not in known)


Budget = Meter
"""A meter that several runs are given: they share its limits."""
