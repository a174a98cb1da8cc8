"""
The metrics, with the buckets that the conventions advise.

https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-metrics.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..messages import Usage
from ._attributes import Attributes, chosen

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram, Meter

_TOKENS = [float(4**n) for n in range(14)]
_SECONDS = [0.01 * 2**n for n in range(14)]
_LONG_SECONDS = [0.1 * 2**n for n in range(13)]

_CLIENT = (
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "server.address",
    "server.port",
)
_TOOL = ("gen_ai.tool.name", "gen_ai.tool.type", "gen_ai.agent.name", "error.type")
_AGENT = ("gen_ai.agent.name", "gen_ai.request.model", "error.type")


class Instruments:
    """The histograms of one meter. Attributes beyond those of the conventions are not put into metrics."""

    def __init__(self, meter: Meter) -> None:
        def histogram(name: str, unit: str, says: str, buckets: list[float]) -> Histogram:
            return meter.create_histogram(
                name, unit, says, explicit_bucket_boundaries_advisory=[round(edge, 2) for edge in buckets]
            )

        self._tokens = histogram(
            "gen_ai.client.token.usage", "{token}", "Number of input and output tokens used.", _TOKENS
        )
        self._call = histogram("gen_ai.client.operation.duration", "s", "GenAI operation duration.", _SECONDS)
        self._first_chunk = histogram(
            "gen_ai.client.operation.time_to_first_chunk", "s", "Time to receive the first chunk.", _SECONDS
        )
        self._tool = histogram(
            "gen_ai.execute_tool.duration", "s", "The duration of a single tool execution.", _SECONDS
        )
        self._agent = histogram(
            "gen_ai.invoke_agent.duration", "s", "The duration of a single agent invocation.", _LONG_SECONDS
        )

    def call(
        self, attributes: Attributes, duration_s: float, first_chunk_s: float | None, usage: Usage | None
    ) -> None:
        """A model was asked, and answered or did not."""
        common = chosen(attributes, _CLIENT)
        self._call.record(duration_s, {**common, **chosen(attributes, ("error.type",))})
        if first_chunk_s is not None:
            self._first_chunk.record(first_chunk_s, common)
        if usage is not None:
            for kind, count in (("input", usage.input_tokens), ("output", usage.output_tokens)):
                if count is not None:
                    self._tokens.record(count, {**common, "gen_ai.token.type": kind})

    def tool(self, attributes: Attributes, duration_s: float) -> None:
        """A tool ran."""
        self._tool.record(duration_s, chosen(attributes, _TOOL))

    def agent(self, attributes: Attributes, duration_s: float) -> None:
        """A run is over."""
        self._agent.record(duration_s, chosen(attributes, _AGENT))
