"""The scenarios of the recordings, so that they can be run again through an agent."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from conftest import shared_tape
from playhead import Agent, Provider, Tape, load_tape, tool
from playhead.wire import describe_request


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


KNOWN = (
    *("openrouter", "openai", "openai-responses", "azure-responses", "anthropic", "bedrock", "google", "vertex"),
)
"""Providers whose scenarios run with what Playhead ships; the others' run with an address alone."""

ENVIRONMENT = {
    "GOOGLE_CLOUD_PROJECT": "fantasy-playground-472418",
    "GOOGLE_CLOUD_LOCATION": "us-east5",
    "AWS_REGION": "us-east-1",
    "AZURE_OPENAI_ENDPOINT": "https://fantasy-playground-resource.openai.azure.com",
}
"""What the addresses of the recordings were made of."""

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
        first = self.cassette["responses"][0]
        return "stream" in first["url"].rpartition("/")[2] or first["request"]["stream"] is True

    @cached_property
    def tape(self) -> Tape:
        return load_tape(shared_tape(self.name))

    @property
    def prompt(self) -> str:
        prompts = {"simple": "Say hi in Portuguese", "tool": "What's the weather in Florence,Italy?"}
        return prompts.get(self.kind, SUM)

    @property
    def model(self) -> str:
        """`provider:model` where the provider is one that Playhead knows, else the model alone."""
        first = self.cassette["responses"][0]
        request = self.tape.interactions[0].request
        asked = describe_request(request.body, urlsplit(request.url).path)
        name = first["provider"] + ("-responses" if first["protocol"] == "openai-responses" else "")
        return f"{name}:{asked.model}" if name in KNOWN else str(asked.model)

    def agent(self, **more: Any) -> Agent:
        """The agent as the scenario describes it."""
        first = self.cassette["responses"][0]
        sent = json.loads(self.tape.interactions[0].request.body)
        critical = f"{HELPFUL}. CRITICAL: {BOTH} ALWAYS."
        system = {"multi_tool": f"{HELPFUL}. {BOTH}." if self.streamed else critical}.get(self.kind, HELPFUL)
        tools = {"simple": [], "tool": [weather], "multi_tool": [add, multiply]}[self.kind]
        own = ":" in self.model and self.model.partition(":")[0] in KNOWN
        return Agent(
            self.model,
            provider=None if own else Provider(first["provider"], first["url"].replace("/chat/completions", "")),
            tools=tools,
            system=system,
            settings={"max_tokens": 4000} if "seed/" not in self.name else {},
            **({"options": {"provider": sent["provider"]}} if "provider" in sent else {}),
            **more,
        )
