"""
Faults from a tape: a client is struck by what providers do on a bad day, and the same day can be had again.

    faults = Faults.parse("429:retry-after=2@call=1", "cut:in=tool-call@call=2")
    transport = FaultTransport(inner, faults)

`Faults.call` decides, and `BodyFilter` works out what is to be done with each piece of a body. Both are pure:
`FaultTransport` and `SyncFaultTransport` do it.
"""

from __future__ import annotations

from ._asynchronous import FaultTransport
from ._bodies import Action, BodyFilter, Wait
from ._fault import Fault, RandomFaults
from ._faults import HEADER, Call, Faults, Refusal, Struck
from ._synchronous import SyncAnswer, SyncFaultTransport, SyncResponse, SyncSend

__all__ = [
    "HEADER",
    "Action",
    "BodyFilter",
    "Call",
    "Fault",
    "FaultTransport",
    "Faults",
    "RandomFaults",
    "Refusal",
    "Struck",
    "SyncAnswer",
    "SyncFaultTransport",
    "SyncResponse",
    "SyncSend",
    "Wait",
]
