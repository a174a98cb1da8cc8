"""
Everything that Playhead raises on purpose.

* PlayheadError
  x ConfigError            the agent was set up wrongly; nothing was sent
    + MissingKey             no API key for a provider that needs one
    + MissingDependency      an optional package is not installed
  x CodecError             bytes and messages could not be translated into each other
    + EncodeError            this wire format has no words for the request
    + DecodeError            the provider broke its own format
      - TruncatedStream        ... it stopped before its last event (retryable)
  x ProviderError          the provider answered, and the answer was "no", also inside a 200 stream
  x TransportError         no whole answer came: no connection, a time-out, a connection cut
  x TapeError              the tape cannot be used as asked
    + TapeNotFound           there is no such file
    + TapeFormatError        the file is not a tape, is empty, torn, or of an unknown version
    + TapeLocked             somebody else is writing to it
    + Divergence             the run asks for something other than what the tape holds at that place
  x RunError               the agent's loop could not go on
    + StepLimit              the model went on calling tools for too many steps
    + LimitExceeded          the next call would go beyond a limit on tokens, money, tool calls or time
    + OutputError            the model did not give an output of the type that was asked for
    + Undecided              who was to decide about a tool call could not
    + ToolInDoubt            a tool was cut down in the middle and may not be run twice
  x ToolDefinitionError    a function cannot be made into a tool

`playhead.mcp` adds `ServerError` and `ToolFailed`, `playhead.testing` adds `NetworkBlocked`.

`StopRun` is not in the tree: a tool raises it to end the run, and the run ends well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .agent.result import RunResult


class PlayheadError(Exception):
    """Base class of every error that Playhead raises on purpose."""

    run: RunResult | None = None
    """The run so far (messages, usage, tape), on every error that leaves a run."""


class ConfigError(PlayheadError):
    """The agent was set up wrongly. Nothing was sent."""


class MissingKey(ConfigError):
    """No API key for a provider that needs one. Nothing was sent."""


class MissingDependency(ConfigError):
    """A feature needs a package that is not installed."""


class CodecError(PlayheadError):
    """Bytes and messages could not be translated into each other."""


class EncodeError(CodecError):
    """The request uses something for which this wire format has no words."""


class DecodeError(CodecError):
    """The provider broke its own format."""


class TruncatedStream(DecodeError):
    """The stream ended before the provider said that it was finished. Trying again may help."""


class ProviderError(PlayheadError):
    """The provider refused the request, before or during the stream.

    Attributes:
        message: the provider's own words.
        kind: what it means, in one vocabulary for all providers:

            * `authentication`: the key is missing, wrong or out of date
            * `payment`: there is no credit left
            * `permission`: the key may not do this, or not from here
            * `not_found`: no such model, or no such address
            * `rate_limit`: too many requests or tokens in too short a time
            * `overloaded`: the provider has no room at the moment
            * `context_length`: the request is longer than the model's context
            * `content_policy`: a filter refused what was said
            * `bad_request`: the provider cannot use the request as it is
            * `server`: the provider has a problem
            * `timeout`: the provider waited too long
            * `not_json`: what answered is not the API
            * `stream`: an answer broke off with an error that says no more
        status: HTTP status; 200 when the error stood inside the stream.
        code: the provider's own code, as text, where it sent one.
        provider: the provider's name.
        retry_after: seconds to wait, as the provider named them; only where asking again may help.
        retryable: whether the same request may succeed later.
        hint: what to do about it.
        used_tokens: how long the request was, where the provider said so: in `context_length`, and where one request
            is more than a rate limit ever lets through.
        limit_tokens: how long it may be, in the same cases.
        request_id: how the provider calls the request, for asking its support.
        headers: the response's headers, names in lower case.
        body: the response's body, as it came.
        metadata: what else the provider says, under its own names.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: str = "stream",
        status: int | None = None,
        code: str | None = None,
        provider: str | None = None,
        retry_after: float | None = None,
        retryable: bool = False,
        hint: str = "",
        used_tokens: int | None = None,
        limit_tokens: int | None = None,
        request_id: str | None = None,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.status = status
        self.code = code
        self.provider = provider
        self.retry_after = retry_after
        self.retryable = retryable
        self.hint = hint
        self.used_tokens = used_tokens
        self.limit_tokens = limit_tokens
        self.request_id = request_id
        self.headers = headers or {}
        self.body = body
        self.metadata = metadata or {}

    def __str__(self) -> str:
        who = self.provider or "the provider"
        what = f"{who} answered {self.status}" if self.status else f"{who} refused"
        code = f" ({self.code})" if self.code and self.code != str(self.status) else ""
        stop = "" if self.message.endswith((".", "!", "?")) else "."
        return f"{what}{code}: {self.message}{stop}" + (f" {self.hint}" if self.hint else "")


class TransportError(PlayheadError):
    """No whole answer came: no connection, a time-out, or a connection cut in the middle.

    Attributes:
        kind: `connect`, `timeout`, `disconnect` or `protocol`.
    """

    def __init__(self, message: str, *, kind: str = "connect") -> None:
        super().__init__(message)
        self.kind = kind


class TapeError(PlayheadError):
    """The tape cannot be used as asked."""


class TapeNotFound(TapeError):
    """There is no such file."""


class TapeFormatError(TapeError):
    """The file is not a tape, or it is empty, torn, or of a version that is not known."""


class TapeLocked(TapeError):
    """Another process, or another run in this one, is writing to the tape."""


class Divergence(TapeError):
    """The run asks for something other than what the tape holds at that place.

    Attributes:
        kind: `changed` (something else was recorded there), `missing` (nothing was), or `consumed` (it was recorded,
            and all of it was played already).
        lane: the line of work that diverged.
        ordinal: the effect's place in that lane, from 0.
        effect: the number of the recorded effect that it differs from, where there is one.
        differences: one sentence a difference, the most telling first.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: Literal["changed", "missing", "consumed"] = "missing",
        lane: str = "root",
        ordinal: int = 0,
        effect: int | None = None,
        differences: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.lane = lane
        self.ordinal = ordinal
        self.effect = effect
        self.differences = differences


class RunError(PlayheadError):
    """The agent's loop could not go on."""


class StepLimit(RunError):
    """The model went on calling tools for more steps than were allowed."""


class LimitExceeded(RunError):
    """The next call would go beyond a limit. It was not made.

    Attributes:
        limit: which one: `input_tokens`, `output_tokens`, `total_tokens`, `cost`, `steps`, `tool_calls` or `seconds`.
        allowed: how much it allows.
        used: how much was used, where that is known.
        brief: the same in a few words, without advice.
        around: whether it is a limit of a run around the one that met it, or one that it shares with others.
    """

    def __init__(
        self, message: str, *, limit: str = "", allowed: float = 0, used: float | None = None, brief: str = ""
    ) -> None:
        super().__init__(message)
        self.limit = limit
        self.allowed = allowed
        self.used = used
        self.brief = brief or message
        self.around = False


class OutputError(RunError):
    """The model did not give an output of the type that was asked for, however often it was told what is wrong.

    Attributes:
        text: what it said last.
        problems: what is wrong with that, one sentence each.
    """

    def __init__(self, message: str, *, text: str = "", problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.text = text
        self.problems = problems


class Undecided(RunError):
    """Who was to decide about a tool call could not: it has not run. The tools beside it come to their ends first."""


class ToolInDoubt(RunError):
    """A tool that may run only once was cut down in the middle of an earlier run.

    It may have done its work or not, and only somebody who looks can tell. The ways on: `in_doubt="rerun"`, or
    `in_doubt=Skip("the result")`, where the tape is opened; or a function that finds out, `@tool(reconcile=...)`.

    Attributes:
        lane: the call's own lane.
        name: the tool's name.
        arguments: raw JSON.
    """

    def __init__(self, message: str, *, lane: str = "", name: str = "", arguments: str = "") -> None:
        super().__init__(message)
        self.lane = lane
        self.name = name
        self.arguments = arguments


class ToolDefinitionError(PlayheadError):
    """A function cannot be made into a tool: its signature says too little, or something impossible."""


class StopRun(Exception):  # a signal, not an error
    """Raised by a tool to end the run well, with an optional last text.

    Args:
        text: what the run's result says; the text of the last answer where it is left out.
    """

    def __init__(self, text: str | None = None) -> None:
        super().__init__(text or "the run was stopped by a tool")
        self.text = text
