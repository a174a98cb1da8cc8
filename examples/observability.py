"""Looking on: a hook of one's own, and OpenTelemetry where its SDK is installed.

    python examples/observability.py

It plays a tape that was recorded from a stand-in (`stand_in.py` says how to record it anew). Spans of what is played
say so (`playhead.played`).
"""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path

import playhead as ph

TAPE = Path(__file__).parent / "tapes" / "observability.jsonl"


class Diary(ph.Hooks):
    """Writes down what happens. What a hook raises, or returns, changes nothing."""

    def run_start(self, run: ph.RunInfo) -> None:
        print(f"{run.agent} begins, on tape {Path(run.tape or '').name}")

    def attempt(self, run: ph.RunInfo, attempt: ph.AttemptMade) -> None:
        print(f"  {attempt.model.name} was asked{', on the tape' if attempt.played else ''}")

    def around_tool(self, run: ph.RunInfo, call: ph.ToolCallPart, lane: str) -> AbstractContextManager[None]:
        return self._timed(call.name)  # not called for a tool that is played

    @contextmanager
    def _timed(self, name: str) -> Generator[None]:
        print(f"  {name} runs")
        yield
        print(f"  {name} has run")

    def run_end(self, run: ph.RunInfo, result: ph.RunResult, error: BaseException | None) -> None:
        print(f"{run.agent} ends: {result.finish_reason}")


@ph.tool(effect="read")
def look_up(word: str) -> str:
    """Look a word up."""
    return f"{word}: the part of a recorder that reads the tape"


def spans() -> list[str]:
    """Run with OpenTelemetry, and give the names of the spans."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    traced = ph.Agent(
        agent.model, name="lexicographer", tools=[look_up], hooks=[ph.telemetry.OpenTelemetry(provider)]
    )
    traced.run_sync("What is a playhead?", tape=TAPE, mode="replay")
    return [span.name for span in kept.get_finished_spans()]


agent = ph.Agent("compat:http://127.0.0.1:8040/v1#watched", name="lexicographer", tools=[look_up], hooks=[Diary()])


def main() -> None:
    print(agent.run_sync("What is a playhead?", tape=TAPE, mode="auto").text)
    if find_spec("opentelemetry") and find_spec("opentelemetry.sdk"):
        print("spans:", ", ".join(spans()))


if __name__ == "__main__":
    main()
