"""Which calls are struck: counts them, draws, and notes what struck."""

from __future__ import annotations

import http
import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ...errors import TransportError
from ...http import Headers, Request, Transport
from ._bodies import BodyFilter
from ._fault import Fault, RandomFaults, concerns
from ._text import parse

if TYPE_CHECKING:
    from ._asynchronous import FaultTransport
    from ._memory import Key
    from ._synchronous import SyncFaultTransport, SyncSend

HEADER = "playhead-fault"
"""The header of an answer that a fault made."""

_FARTHEST = 512
"""Bytes of a body before which a random place lies. Near ones are as likely as far ones: most bodies are longer."""

_REASONS = {529: "Site is overloaded"}

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
"""What providers call a refusal, beside `invalid_request_error` and `server_error`."""


class Struck(NamedTuple):
    """A fault that struck: the number of the call, from 1, and the fault's kind, such as `429` or `cut`."""

    call: int
    kind: str


class Refusal(msgspec.Struct, frozen=True):
    """An answer that no provider gave."""

    status: int
    reason: str
    headers: Headers
    body: bytes


class Faults:
    """Strikes calls with faults, by rules or at random. It counts calls: one instance is for one sequence of them.

    Several faults may strike one call. A status or `connect` comes before all others, since then there is no body;
    the first of them counts. Faults of the body strike one behind the other, in their order.

    Args:
        faults: what strikes.
    """

    def __init__(self, faults: Iterable[Fault | RandomFaults]) -> None:
        self._rules = [_Rule(fault) for fault in faults]
        self._calls = 0
        self._struck: list[Struck] = []
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Faults.parse({', '.join(repr(str(rule.fault)) for rule in self._rules)})"

    @classmethod
    def parse(cls, *texts: str) -> Faults:
        """Faults from text, such as `429:retry-after=2@call=1`.

        Raises:
            ConfigError: one cannot be read; the error says what was expected.
        """
        return cls([parse(text) for text in texts])

    @property
    def struck(self) -> tuple[Struck, ...]:
        """What struck so far, in that order."""
        with self._lock:
            return tuple(self._struck)

    def call(self, request: Request) -> Call:
        """A call is about to be made: count it, and say what strikes it."""
        with self._lock:
            self._calls += 1
            due = [(rule, fault) for rule in self._rules if (fault := rule.due(request)) is not None]
            return Call(self, self._calls, due)

    def around(
        self, inner: Transport, *, read_timeout: float | None = None, key: Key | None = None
    ) -> FaultTransport:
        """`inner` with these faults. See `FaultTransport`."""
        from ._asynchronous import FaultTransport

        return FaultTransport(inner, self, read_timeout=read_timeout, key=key)

    def around_sync(
        self, inner: SyncSend, *, read_timeout: float | None = None, key: Key | None = None
    ) -> SyncFaultTransport:
        """`inner` with these faults, for code that is not asynchronous. See `SyncFaultTransport`."""
        from ._synchronous import SyncFaultTransport

        return SyncFaultTransport(inner, self, read_timeout=read_timeout, key=key)

    def claim(self, rule: _Rule, fault: Fault, call: int) -> int | None:
        """Note that a fault strikes; None where it has struck often enough."""
        with self._lock:
            if rule.fault.times is not None and rule.struck >= rule.fault.times:
                return None
            rule.struck += 1
            self._struck.append(Struck(call, fault.name))
            return call


class Call:
    """What strikes one call.

    Attributes:
        number: of the call, from 1.
    """

    def __init__(self, faults: Faults, number: int, due: list[tuple[_Rule, Fault]]) -> None:
        self.number = number
        self._faults = faults
        self._due = due

    def refusal(self) -> Refusal | None:
        """The answer that comes in place of the provider's; None where the request is to be sent.

        Raises:
            TransportError: there is no connection.
        """
        for rule, fault in self._due:
            if isinstance(fault.kind, int) and self._faults.claim(rule, fault, self.number):
                return _refusal(fault, fault.kind, self.number)
            if fault.kind == "connect" and self._faults.claim(rule, fault, self.number):
                raise TransportError(
                    f"no connection was opened: the fault {str(fault)!r} struck call {self.number}", kind="connect"
                )
        return None

    def body(self, status: int) -> BodyFilter | None:
        """What is to be made of the body of the answer; None where it passes as it is. Only the body of a success,
        thus of a status from 200 to 299, is struck."""
        if not 200 <= status < 300:
            return None
        strikes = [
            (fault, self._claim(rule, fault))
            for rule, fault in self._due
            if fault.kind != "connect" and not isinstance(fault.kind, int)
        ]
        return BodyFilter(strikes) if strikes else None

    def headers(self, headers: Headers) -> Headers:
        """The answer's headers, without the length of a body that may come in another one."""
        if not any(fault.kind in ("duplicate", "truncate") for _, fault in self._due):
            return headers
        return tuple(pair for pair in headers if pair[0].lower() != "content-length")

    def _claim(self, rule: _Rule, fault: Fault) -> Callable[[], int | None]:
        return lambda: self._faults.claim(rule, fault, self.number)


class _Rule:
    """A fault with its counts."""

    def __init__(self, fault: Fault | RandomFaults) -> None:
        self.fault = fault
        self.struck = 0
        self._seen = 0
        # Of `Random` only `random()` is promised to give the same in every version of Python.
        self._draw = random.Random(fault.seed if isinstance(fault, RandomFaults) else 0).random  # noqa: S311

    def due(self, request: Request) -> Fault | None:
        """What strikes this call, if anything."""
        fault = self.fault
        if not concerns(fault, request):
            return None
        self._seen += 1
        if isinstance(fault, RandomFaults):
            return _drawn(fault, self._draw)
        due = self._seen == fault.call if fault.call else self._seen % (fault.every or 1) == 0
        return fault if due else None


def _drawn(faults: RandomFaults, draw: Callable[[], float]) -> Fault | None:
    # Always three draws, so that what a call draws depends on its place alone.
    strikes, which, where = draw(), draw(), draw()
    if strikes >= faults.rate:
        return None
    fault = faults.drawn[int(which * len(faults.drawn))]
    if fault.kind in ("cut", "stall") and fault.after is None and fault.within is None:
        return replace(fault, after=int(_FARTHEST**where))
    return fault


def _refusal(fault: Fault, status: int, call: int) -> Refusal:
    reason = _reason(status)
    error: dict[str, Any] = {
        "message": f"{reason}: the fault {str(fault)!r} struck call {call}",
        "type": _TYPES.get(status) or ("server_error" if status >= 500 else "invalid_request_error"),
        "param": None,
        "code": status,
    }
    body = msgspec.json.encode({"type": "error", "error": error})
    headers: list[tuple[str, str]] = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    wait = 1 if fault.retry_after is None and status == 429 else fault.retry_after
    if wait is not None:
        headers.append(("Retry-After", str(wait).removesuffix(".0")))
    return Refusal(status, reason, (*headers, (HEADER, fault.name)), body)


def _reason(status: int) -> str:
    try:
        return _REASONS.get(status) or http.HTTPStatus(status).phrase
    except ValueError:
        return "Error"
