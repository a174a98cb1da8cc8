"""The scenarios of the recordings, so that they can be run again through an agent."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from conftest import shared_tape
from playhead import Agent, Provider, Tape, load_tape, tool


@tool
def add(a: int, b: int) -> int:
    """Add two numbers.

    Args:
        a: first number
        b: second number
    """
    return a + b


@tool
def multiply(a: int, b: int) -> int:
    """Multiply two numbers.

    Args:
        a: first number
        b: second number
    """
    return a * b


@tool
def weather(location: str) -> str:
    """Get weather information for a location.

    Args:
        location: the city
    """
    return "40 C"


BOTH = "Always use both add and multiply at the same time"
HELPFUL = "You are a helpful assistant"
SUM = "Add and multiply the number 2 and 3"


@dataclass(frozen=True)
class Scenario:
    """A cassette and how it came about.

    Attributes:
        name: the cassette's path.
        cassette: what is expected of it.
    """

    name: str
    cassette: dict[str, Any]

    @property
    def kind(self) -> str:
        """`simple`, `tool`, `multi_tool`, or something else."""
        if "scenario" in self.cassette:
            return self.cassette["scenario"]
        file = self.name.split("__", 1)[-1]
        found = re.search(r"(multi_tool|simple|tool)", file.split("Common__", 1)[-1])
        return found[0] if found else "other"

    @property
    def streamed(self) -> bool:
        return self.cassette["responses"][0]["request"]["stream"] is True

    @cached_property
    def tape(self) -> Tape:
        return load_tape(shared_tape(self.name))

    @property
    def prompt(self) -> str:
        prompts = {"simple": "Say hi in Portuguese", "tool": "What's the weather in Florence,Italy?"}
        return prompts.get(self.kind, SUM)

    def agent(self) -> Agent:
        """The agent as the scenario describes it."""
        first = self.cassette["responses"][0]
        sent = json.loads(self.tape.interactions[0].request.body)
        critical = f"{HELPFUL}. CRITICAL: {BOTH} ALWAYS."
        system = {"multi_tool": f"{HELPFUL}. {BOTH}." if self.streamed else critical}.get(self.kind, HELPFUL)
        tools = {"simple": [], "tool": [weather], "multi_tool": [add, multiply]}[self.kind]
        own = first["provider"] in ("openrouter", "openai")
        return Agent(
            f"{first['provider']}:{sent['model']}" if own else sent["model"],
            provider=None if own else Provider(first["provider"], first["url"].replace("/chat/completions", "")),
            tools=tools,
            system=system,
            settings={"max_tokens": 4000} if "seed/" not in self.name else {},
            **({"options": {"provider": sent["provider"]}} if "provider" in sent else {}),
        )
