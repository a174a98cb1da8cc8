"""What a run has come to while it happens: its conversation, its steps, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ..events import Approval
from ..ledger import Ledger
from ..messages import Message, ModelResponse, TextPart, ToolResultPart, Usage
from ..tape.effects import Tape
from .approvals import decided_nothing
from .loop import answered, lanes_of
from .result import Ended, RunResult, Step
from .toolbox import CANCELLED, STILL_RUNNING, StepCalls


class Book:
    """Keeps the conversation of a run. It can be made whole at any moment: every call gets a result.

    Args:
        messages: the conversation to begin with.
        usage: its tokens, as its last answer said them; None where nobody knows.

    Attributes:
        changes: how often the conversation has changed.
        keep: says whether the conversation is to be kept as it is after so many changes, so that `back` finds it.
        steps: in order.
        calls: those of the step under way, once its tools are about to run.
        made: how many calls earlier steps made.
        warnings: in order, each once.
        over: whether the run has come to its end.
        ended: why, where it was not the model that had no more to do.
        stopped: the text of `StopRun`, or why a stop condition ended the run.
        pending: calls that wait for approval.
        decisions: those that a run which is gone on with was given, by lane or by call id.
        typed: the output; UNSET where there is none.
    """

    def __init__(self, messages: tuple[Message, ...], usage: Usage | None = None) -> None:
        self._messages = messages
        self._earlier = None if usage is None else ModelResponse(Message("assistant"), usage=usage)
        self.changes = 0
        self._kept: dict[int, tuple[tuple[Message, ...], list[Step]]] = {0: (messages, [])}
        self.keep: Callable[[int], bool] = lambda _: False
        self.steps: list[Step] = []
        self.calls: StepCalls | None = None
        self.made = 0
        self.warnings: dict[str, None] = {}
        self.over = False
        self.ended: Ended | None = None
        self.stopped: str | None = None
        self.pending: tuple[Approval, ...] = ()
        self.decisions: Mapping[str, Any] | None = None
        self.typed: Any = msgspec.UNSET

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation."""
        return self._messages

    @messages.setter
    def messages(self, messages: tuple[Message, ...]) -> None:
        self._change(messages)

    @property
    def last(self) -> ModelResponse | None:
        """The last answer; where there is none yet, what is known of the one before the run."""
        return self.steps[-1].response if self.steps else self._earlier

    @property
    def in_step(self) -> bool:
        """Whether the last answer has calls without results."""
        return bool(self.steps and self.messages[-1].tool_calls)

    def result(self, tape: Tape | None, warnings: tuple[str, ...], ledger: Ledger, agent: str) -> RunResult[Any]:
        """The run as far as it came, made whole."""
        messages, steps = self.messages, self.steps
        unused = decided_nothing(self.decisions, self.pending, tape) if self.pending and self.decisions else ()
        if self.in_step:
            results = self._step_calls("").all_results()
            messages, steps = (*messages, answered(results)), [*steps[:-1], Step(steps[-1].response, results)]
        return RunResult(
            messages=messages,
            steps=tuple(steps),
            tape=tape,
            stopped=self.stopped,
            warnings=(*warnings, *self.warnings, *unused),
            ended=self.ended,
            pending=self.pending,
            ledger=ledger,
            agent=agent,
            typed=self.typed,
        )

    def answer(self, response: ModelResponse) -> None:
        """The model has answered: a step begins."""
        self.steps.append(Step(response))
        self._change((*self.messages, response.message))

    def say(self, message: Message) -> None:
        """Somebody else than the model says something."""
        self.messages = (*self.messages, message)

    def close_step(self, results: tuple[ToolResultPart, ...]) -> None:
        """The calls of the step have their results."""
        self.calls = None
        self.steps[-1] = Step(self.steps[-1].response, results)
        self._change((*self.messages, answered(results)))

    def back(self, changes: int) -> None:
        """The conversation is again what it was after so many changes, and the run has not ended."""
        self._messages, self.steps = self._kept[changes]
        self.changes, self.calls, self.over = changes, None, False
        self.ended, self.stopped, self.pending, self.typed = None, None, (), msgspec.UNSET

    def _change(self, messages: tuple[Message, ...]) -> None:
        self._messages = messages
        self.changes += 1
        if self.keep(self.changes):
            self._kept[self.changes] = (messages, list(self.steps))

    def end(self, why: Ended | None) -> None:
        """The run has come to its end."""
        self.ended, self.over = why, True

    def cancel(self, heard: str, lane: str) -> tuple[int, str, dict[str, str]]:
        """The run ends here because somebody wants it: its history is made whole.

        Args:
            heard: the text of the answer under way.
            lane: the run's.

        Returns:
            The step, from 0; what was under way in it (`model` or `tools`); what is said of the tools that have no
            result, by lane.
        """
        step, phase = len(self.steps), "model"
        results: dict[str, str] = {}
        if self.in_step:
            step, phase, calls = step - 1, "tools", self._step_calls(lane)
            calls.pending.clear()  # Nobody is asked any more.
            given = calls.all_results(CANCELLED, still_running=STILL_RUNNING)
            for n, (where, result) in enumerate(zip(calls.lanes, given, strict=True)):
                if n not in calls.finished:
                    results[where] = result.text
            self.close_step(given)
        elif heard.strip():
            # What was heard stays; a call that was not whole, or reasoning without its signature, cannot.
            self.say(Message("assistant", (TextPart(heard),)))
        self.end("cancelled")
        return step, phase, results

    def _step_calls(self, lane: str) -> StepCalls:
        """The calls of the step under way; none of them has run where its tools were not reached yet."""
        asked = self.messages[-1].tool_calls
        return self.calls or StepCalls(asked, lanes_of(asked, lane, self.made), len(self.steps) - 1, self.messages)
