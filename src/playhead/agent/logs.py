"""
What runs write to the logger "playhead": when they begin and end, what each try at an answer came to, and the tools.

Nothing is written by default, as the logging documentation asks of libraries
(https://docs.python.org/3/howto/logging.html#configuring-logging-for-a-library):

    logging.basicConfig()
    logging.getLogger("playhead").setLevel(logging.DEBUG)
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import ProviderError, TransportError
from ..events import ApprovalNeeded, AttemptFailed, Compacted, Event, HandedOff, StreamReset, ToolEnd, ToolStart
from ..messages import ModelRequest
from ..model import Model
from .hooks import HookList, Hooks, RunInfo

if TYPE_CHECKING:
    from .calling import AttemptMade
    from .result import RunResult

logger = logging.getLogger("playhead")
logger.addHandler(logging.NullHandler())

_Line: TypeAlias = tuple[Any, ...]
"""A level, a format, and what is put into it."""


class LoggingHooks(Hooks):
    """Writes to the logger "playhead", for runs that begin while it is enabled for INFO.

    Names, counts, times, money and the kinds of errors are written. What was said is not, and neither are headers or
    what an error says: it may quote a key, or what somebody said.
    """

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def __repr__(self) -> str:
        return "LoggingHooks()"

    def run_start(self, run: RunInfo) -> None:
        """Say that a run begins."""
        if not logger.isEnabledFor(logging.INFO):
            return
        self._since[run.id] = time.perf_counter()
        if logger.isEnabledFor(logging.DEBUG):
            whole = "streamed" if run.stream else "not streamed"
            parent = f", inside run {run.parent.id[:8]}" if run.parent else ""
            text = "run %s begins: agent %r, model %s, lane %r, tape %r, %s%s"
            logger.debug(text, run.id[:8], run.agent, run.model, run.lane, run.tape or None, whole, parent)

    def request(self, run: RunInfo, request: ModelRequest, model: Model) -> None:
        """Say what is asked."""
        if run.id in self._since and logger.isEnabledFor(logging.DEBUG):
            text = "run %s asks %s: %d messages, %d tools"
            logger.debug(text, run.id[:8], model.name, len(request.messages), len(request.tools))

    def attempt(self, run: RunInfo, attempt: AttemptMade) -> None:
        """Say what a try at an answer came to."""
        if run.id not in self._since or not logger.isEnabledFor(logging.DEBUG):
            return
        answer = attempt.response or attempt.partial
        usage = answer.usage if answer else None
        logger.debug(
            "run %s: %s %s in %.3f s; tokens %s in, %s out; cost %s%s",
            run.id[:8],
            attempt.model.name,
            _outcome(attempt),
            attempt.duration_s,
            _known(usage.input_tokens if usage else None),
            _known(usage.output_tokens if usage else None),
            "not reported" if answer is None or answer.cost is None else f"${answer.cost:.6f}",
            "; played from the tape" if attempt.played else "",
        )

    def event(self, run: RunInfo, event: Event) -> None:
        """Say what is worth it: retries, fallbacks, tools, and changes of course."""
        tell = _TELL.get(type(event))
        if tell is None or run.id not in self._since:
            return
        level, text, *values = tell(event)
        logger.log(level, f"run %s: {text}", run.id[:8], *values)

    def run_end(self, run: RunInfo, result: RunResult, error: BaseException | None) -> None:
        """Say how a run ended."""
        since = self._since.pop(run.id, None)
        if since is None or not logger.isEnabledFor(logging.DEBUG):
            return
        usage = result.usage
        logger.debug(
            "run %s %s after %.3f s: %d steps; tokens %s in, %s out; cost %s",
            run.id[:8],
            "ends" if error is None else f"fails with {_kind(error)}",
            time.perf_counter() - since,
            len(result.steps),
            _known(usage.input_tokens),
            _known(usage.output_tokens),
            "not known" if result.cost is None else f"${result.cost:.6f}",
        )


_LOGGING = LoggingHooks()


def with_logging(hooks: HookList) -> HookList:
    """These hooks, and those that write to the logger where it is enabled. To be asked when a run begins."""
    if not logger.isEnabledFor(logging.INFO) or any(isinstance(hook, LoggingHooks) for hook in hooks.hooks):
        return hooks
    return hooks.and_also(_LOGGING)


def _known(count: int | None) -> str:
    return "?" if count is None else str(count)


def _outcome(attempt: AttemptMade) -> str:
    if attempt.error is not None:
        return f"failed with {_kind(attempt.error)}"
    return f"answered ({attempt.response.finish_reason})" if attempt.response else "was left"


def _kind(error: BaseException) -> str:
    """What kind of error it is. Never what it says."""
    details: list[str] = []
    if isinstance(error, ProviderError | TransportError):
        details.append(error.kind)
    if isinstance(error, ProviderError):
        if error.status is not None:
            details.append(f"status {error.status}")
        if error.retry_after is not None:
            details.append(f"retry after {error.retry_after:g} s")
    return type(error).__name__ + (f" ({', '.join(details)})" if details else "")


def _attempt_failed(event: AttemptFailed) -> _Line:
    if event.next_model == event.model:
        text = "%s failed (%s); it is asked again in %.1f s"
        return logging.INFO, text, event.model, event.kind, event.wait_s
    return logging.WARNING, "%s failed (%s); %s is asked instead", event.model, event.kind, event.next_model


def _tool_end(event: ToolEnd) -> _Line:
    took = "" if event.duration_s is None else f" in {event.duration_s:.3f} s"
    outcome = "gave an error" if event.result.is_error else "is done"
    played = "; played from the tape" if event.played else ""
    return logging.DEBUG, "tool %r %s%s%s, lane %r", event.call.name, outcome, took, played, event.lane


def _tool_start(event: ToolStart) -> _Line:
    return logging.DEBUG, "tool %r begins, lane %r", event.call.name, event.lane


def _stream_reset(_: StreamReset) -> _Line:
    return logging.INFO, "what was shown of the answer does not count; it begins anew"


def _approval_needed(event: ApprovalNeeded) -> _Line:
    return logging.INFO, "tool %r waits for approval, lane %r", event.approval.tool, event.approval.lane


def _handed_off(event: HandedOff) -> _Line:
    return logging.DEBUG, "agent %r hands over to agent %r", event.source, event.target


def _compacted(event: Compacted) -> _Line:
    return logging.INFO, "the conversation was compacted from %d to %d messages", event.before, event.after


_TELL: dict[type, Callable[[Any], _Line]] = {
    AttemptFailed: _attempt_failed,
    StreamReset: _stream_reset,
    ToolStart: _tool_start,
    ToolEnd: _tool_end,
    ApprovalNeeded: _approval_needed,
    HandedOff: _handed_off,
    Compacted: _compacted,
}
