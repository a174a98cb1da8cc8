"""Whether a run's next call is within its limits: also those that it shares with runs at the same time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from ..errors import LimitExceeded
from ..ledger import Meter
from ..tape.playhead import Playhead

REACHED, PASSED = "limit", "limit.passed"
"""The readings that say that a shared limit ended a run here, and that a resumed run went on all the same."""


class Gate:
    """Looks at a run's limits before each of its calls.

    Which of several runs meets a limit that they share depends on which of them comes first. That is no fact of any
    of them, so that the tape says it: a replay ends where the recorded run did, and nowhere else.

    Args:
        meter: counts what the run takes.
        playhead: the run's.
        shared: whether it has limits in common with others: by a budget, or as it runs inside another run.
    """

    def __init__(self, meter: Meter, playhead: Playhead, *, shared: bool) -> None:
        self._meter = meter
        self._playhead = playhead
        self._shared = shared
        self._looks = 0

    def call(self, elapsed_s: float | None, *, step: bool = True) -> None:
        """A model is about to be called.

        Args:
            elapsed_s: seconds that the run has taken, where they are limited.
            step: False for another attempt of the same call.

        Raises:
            LimitExceeded: there is nothing left of a limit.
        """
        self._look(lambda shared: self._meter.before_call(elapsed_s, step=step, shared=shared))

    def tools(self, n: int, elapsed_s: float | None) -> None:
        """So many tools are about to run.

        Raises:
            LimitExceeded: they are more than what is left.
        """
        self._look(lambda shared: self._meter.before_tools(n, elapsed_s, shared=shared))

    def _look(self, check: Callable[[bool], None]) -> None:
        if not self._shared:
            check(True)
            return
        self._looks += 1
        reached = self._recorded(REACHED)
        passed = self._recorded(PASSED) is not None
        if not self._playhead.growing:
            if reached is not None and not passed:
                raise _as_recorded(reached)
            check(False)
            return
        try:
            check(True)
        except LimitExceeded as error:
            if reached is None or passed:
                said = {"at": self._looks, "words": str(error), "brief": error.brief, "around": error.around}
                numbers = {"limit": error.limit, "allowed": error.allowed, "used": error.used}
                self._playhead.note(REACHED, said | numbers)
            raise
        if reached is not None and not passed:
            self._playhead.note(PASSED, {"at": self._looks})

    def _recorded(self, name: str) -> dict[str, Any] | None:
        """The last reading of this place, taken from the tape."""
        found: dict[str, Any] | None = None
        while (value := self._playhead.peek(name)) is not None and value["at"] <= self._looks:
            found = cast("dict[str, Any]", self._playhead.recall(name))
        return found if found is not None and found["at"] == self._looks else None


def _as_recorded(said: dict[str, Any]) -> LimitExceeded:
    error = LimitExceeded(
        said["words"], limit=said["limit"], allowed=said["allowed"], used=said["used"], brief=said["brief"]
    )
    error.around = said["around"]
    return error
