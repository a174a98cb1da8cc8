"""How often a model is asked again, how long is waited before, and how long it may stay silent. Pure: nothing here
sleeps, draws or reads a clock."""

from __future__ import annotations

import math
import random as _random
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from .errors import ConfigError, EncodeError, ProviderError, TransportError, TruncatedStream

_ELSEWHERE = frozenset(
    {
        "authentication",
        "payment",
        "permission",
        "not_found",
        "overloaded",
        "server",
        "rate_limit",
        "context_length",
        "content_policy",
    }
)
"""What one model refuses and another may not."""


@dataclass(frozen=True)
class Retry:
    """How often a model is asked again after an error that may pass, and how long is waited before.

    The wait is drawn between 0 and a bound that grows with each failure ("full jitter"), so that those who failed
    together do not come back together:
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/. Where the provider names a time, that
    one counts, and up to `base_s` are added to it.

    Args:
        attempts: times that one model is asked for one answer, at most; 1 never asks again.
        base_s: seconds; the bound of the first wait.
        factor: by which the bound grows from failure to failure.
        max_wait_s: seconds; the longest bound. Where the provider names a longer time, it is not waited for: the next
            model is asked, or the error is raised.
        jitter: whether waits are drawn. Otherwise each is as long as its bound, or as what the provider named.

    Raises:
        ConfigError: a number is out of its range.
    """

    attempts: int = 3
    base_s: float = 0.5
    factor: float = 2.0
    max_wait_s: float = 60.0
    jitter: bool = True

    none: ClassVar[Retry]
    """Asks once."""

    def __post_init__(self) -> None:
        if type(self.attempts) is not int or self.attempts < 1:
            raise ConfigError(f"attempts of a Retry should be a whole number from 1 on, not {self.attempts!r}")
        _check("base_s", self.base_s, 0)
        _check("factor", self.factor, 1)
        _check("max_wait_s", self.max_wait_s, 0)

    def bound(self, n: int, error: BaseException) -> float | None:
        """The longest wait before the model is asked again. It depends on nothing but its arguments.

        Args:
            n: times that this model failed to give this answer, from 1 on.
            error: how it failed the last time.

        Returns:
            Seconds; None where the model is not asked again.
        """
        if n >= self.attempts or not is_retryable(error):
            return None
        named = error.retry_after if isinstance(error, ProviderError) else None
        if named is not None:
            return None if named > self.max_wait_s else named + (self.base_s if self.jitter else 0.0)
        try:
            return min(self.max_wait_s, self.base_s * self.factor ** (n - 1))
        except OverflowError:
            return self.max_wait_s

    def wait(self, n: int, error: BaseException, random: Callable[[], float] = _random.random) -> float | None:
        """How long to wait before the model is asked again. Arguments and result as in `bound`.

        Args:
            random: draws a number from 0 to 1.
        """
        bound = self.bound(n, error)
        if bound is None or not self.jitter:
            return bound
        named = error.retry_after if isinstance(error, ProviderError) else None
        return bound * random() if named is None else named + self.base_s * random()


@dataclass(frozen=True)
class Timeouts:
    """How long a provider may take. Keep-alive comments and pings do not count as a sign of life: only events do.

    Args:
        connect_s: seconds for opening a connection.
        first_s: seconds until the first event; `thinking_s` where it is left out.
        stall_s: seconds between two events of an answer that is streamed, once its text shows; None for no limit.
        thinking_s: the same while the model may be thinking or writing where nobody sees it: before the first part,
            in and after a part of reasoning, and in a tool call, whose arguments some providers hold back until they
            are whole. An answer that is not streamed has this time for all of it. None for no limit.
        attempt_s: seconds for one attempt as a whole, without the time that the reader of its events takes; None for
            no limit.

    Raises:
        ConfigError: a number is not above 0.
    """

    connect_s: float = 10.0
    first_s: float | None = None
    stall_s: float | None = 60.0
    thinking_s: float | None = 600.0
    attempt_s: float | None = None

    def __post_init__(self) -> None:
        named = {name: getattr(self, name) for name in ("connect_s", "first_s", "stall_s", "thinking_s", "attempt_s")}
        for name, value in named.items():
            if value is None and name != "connect_s":
                continue
            if value is None or not _is_number(value) or not 0 < value < math.inf:
                raise ConfigError(f"{name} of Timeouts should be seconds above 0, not {value!r}")

    @property
    def longest_s(self) -> float | None:
        """The longest silence that is allowed; None where there is no limit."""
        limits = (self.thinking_s if self.first_s is None else self.first_s, self.stall_s, self.thinking_s)
        known = [limit for limit in limits if limit is not None]
        return max(known) if len(known) == len(limits) else self.attempt_s


def as_retry(value: Retry | bool | int | None) -> Retry:
    """What a setting means: True and None are the defaults, False asks once, a number is how often is asked in all.

    Raises:
        ConfigError: it is none of these.
    """
    if isinstance(value, Retry):
        return value
    if value is None or value is True:
        return Retry()
    if value is False:
        return Retry.none
    if type(value) is int:
        return Retry(attempts=value)
    raise ConfigError(f"retry should be a Retry, True, False or a number of attempts, not {value!r}")


def is_retryable(error: BaseException) -> bool:
    """Whether the same request may succeed later."""
    if isinstance(error, ProviderError):
        return error.retryable
    if isinstance(error, TransportError):
        return error.kind in ("connect", "timeout", "disconnect")
    return isinstance(error, TruncatedStream)


def kind_of(error: BaseException) -> str:
    """The error's kind in one word, as `AttemptFailed.kind` has it."""
    if isinstance(error, ProviderError | TransportError):
        return error.kind
    names = {"TruncatedStream": "truncated", "EncodeError": "encode", "DecodeError": "decode"}
    return names.get(type(error).__name__, type(error).__name__)


def helped_elsewhere(error: BaseException) -> bool:
    """Whether another model may succeed where this error is the last word of one."""
    if isinstance(error, EncodeError) or is_retryable(error):
        return True
    return isinstance(error, ProviderError) and error.kind in _ELSEWHERE


def _check(name: str, value: float, least: float) -> None:
    if not _is_number(value) or not least <= value < math.inf:
        raise ConfigError(f"{name} of a Retry should be a number from {least:g} on, not {value!r}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


Retry.none = Retry(attempts=1)
