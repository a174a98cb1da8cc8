"""
For tests of agents: a provider that answers from a list, and a network that lets nothing out.

    with ph.testing.Script([ph.testing.calls(("add", {"a": 2, "b": 3})), "It is 5."]) as script:
        result = script.agent(tools=[add]).run_sync("What is 2 + 3?")

    with ph.block_network():
        ...
"""

from __future__ import annotations

from ._answers import Answer, Cut, Refusal, answer, calls, cut, refusal
from ._network import BlockedNetwork, NetworkBlocked, block_network
from ._script import Script, ScriptError

__all__ = [
    "Answer",
    "BlockedNetwork",
    "Cut",
    "NetworkBlocked",
    "Refusal",
    "Script",
    "ScriptError",
    "answer",
    "block_network",
    "calls",
    "cut",
    "refusal",
]
