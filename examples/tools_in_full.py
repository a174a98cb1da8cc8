"""What a tool can be: one that tells of its progress and is tried again, one that takes too long, one that gives a
picture; and calls that the model got wrong, and that are mended.

    python examples/tools_in_full.py

It plays a tape that was recorded from a stand-in (`stand_in.py` says how to record it anew).
"""

import asyncio
import struct
import zlib
from pathlib import Path

import playhead as ph

TAPE = Path(__file__).parent / "tapes" / "tools_in_full.jsonl"
tries: list[int] = []


@ph.tool(effect="read", retries=2)
def download(days: int, ctx: ph.Context) -> list[str]:
    """Download the weather of the next days. Fails at first, and is run again."""
    tries.append(days)
    if len(tries) == 1:
        raise ConnectionError("the line is busy")
    for day in range(days):
        ctx.progress(f"day {day + 1} of {days}", (day + 1) / days)
    return [f"day {day + 1}: {31 - day} degrees" for day in range(days)]


@ph.tool(effect="read", timeout=0.2)
async def archive(year: int) -> str:
    """Look into the archive. It takes too long."""
    await asyncio.sleep(60)
    return f"nobody waits for {year}"


@ph.tool(effect="read")
def forecast(city: str) -> str:
    """Say what the weather will be."""
    return f"{city}: warm and dry"


@ph.tool(effect="read")
def draw(high: list[int]) -> list[str | ph.MediaPart]:
    """Draw a chart of temperatures."""
    return [f"{len(high)} columns", ph.MediaPart("image/png", chart(high), filename="chart.png")]


def chart(columns: list[int]) -> bytes:
    """Columns as a PNG, one pixel each. https://www.w3.org/TR/png-3/"""
    size = (len(columns), max(columns))
    rows = (bytes([0, *(0 if row > size[1] - it else 255 for it in columns)]) for row in range(size[1]))
    pieces = [
        (b"IHDR", struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"".join(rows))),
        (b"IEND", b""),
    ]
    body = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in pieces)
    return b"\x89PNG\r\n\x1a\n" + body


def repair(broken: ph.BrokenCall) -> ph.ToolCallPart | None:
    """A model may get a tool's name wrong."""
    names = {"forcast": "forecast"}
    known = names.get(broken.call.name)
    return ph.ToolCallPart(broken.call.id, known, broken.call.arguments) if known else None


agent = ph.Agent(
    "compat:http://127.0.0.1:8040/v1#forecaster", tools=[download, archive, forecast, draw], repair=repair
)


def main() -> None:
    with agent.stream_sync("How will the weather be in Recife?", tape=TAPE, mode="auto") as run:
        for event in run:
            if isinstance(event, ph.ToolProgress):
                print(f"{event.call.name}: {event.message}, {event.fraction:.0%}")
    print()
    for call, done in zip(run.result.steps[0].response.tool_calls, run.result.steps[0].results, strict=True):
        print(f"{call.name}({call.arguments!r})")
        print(f"  {'error' if done.is_error else 'result'}: {done.text}")
        for part in done.media:
            print(f"  with {part.filename}, {part.media_type}, {len(part.data or b'')} bytes")
    print(run.result.text)


if __name__ == "__main__":
    main()
