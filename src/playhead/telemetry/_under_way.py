"""What is under way: runs, tries at an answer and tools whose spans have not ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from opentelemetry.context import Context
from opentelemetry.trace import Span

from ..messages import ModelRequest
from ._attributes import Attributes


@dataclass(slots=True)
class Chat:
    """A try at an answer that is under way."""

    span: Span
    attributes: Attributes
    asked_at: float
    first_at: float | None = None
    stream: bool = False


@dataclass(slots=True)
class RunningTool:
    """A tool that is under way, or that has run and whose result is not told yet."""

    span: Span
    attributes: Attributes
    started_ns: int
    ended_ns: int | None = None
    error: BaseException | None = None


@dataclass(slots=True)
class Watched:
    """A run that is under way."""

    span: Span
    context: Context
    attributes: Attributes
    started_ns: int
    chat: Chat | None = None
    tools: dict[str, RunningTool] = field(default_factory=dict[str, RunningTool])
    first: ModelRequest | None = None
    described: dict[str, str] = field(default_factory=dict[str, str])
    live: bool = False
    played: bool = False

    def saw(self, *, played: bool) -> None:
        """An effect was played from the tape, or it happened."""
        self.played = self.played or played
        self.live = self.live or not played
