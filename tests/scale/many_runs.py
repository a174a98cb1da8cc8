"""Many streams at once in one process, over real sockets: whether all finish, how long they take, what they cost.

    python tests/scale/many_runs.py [runs] [chunks] [seconds between chunks]

The server is a process of its own. It exits with 1 where a run does not finish, or takes more than three
times as long as the median.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import playhead as ph
from playhead.events import PartDelta


@dataclass
class Seen:
    """What one run looked like from outside: when it began and ended, and when each chunk came (seconds)."""

    began: float = 0.0
    ended: float = 0.0
    chunks: list[float] = field(default_factory=list[float])
    text: str = ""


@contextmanager
def server(chunks: int, seconds: float) -> Generator[str]:
    """The address of a server in a process of its own."""
    command = [sys.executable, str(Path(__file__).with_name("server.py")), str(chunks), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"compat:http://127.0.0.1:{process.stdout.readline().strip()}/v1#m"
        finally:
            process.kill()


async def one(agent: ph.Agent, seen: Seen, kept: list[ph.RunResult]) -> None:
    """One run, looked at."""
    seen.began = time.perf_counter()
    async with agent.stream("Count.") as run:
        async for event in run:
            if isinstance(event, PartDelta):
                seen.chunks.append(time.perf_counter())
    seen.ended, seen.text = time.perf_counter(), run.result.text
    kept.append(run.result)


async def all_at_once(agent: ph.Agent, runs: int) -> tuple[list[Seen], list[ph.RunResult]]:
    """All runs, begun at the same time."""
    seen, kept = [Seen() for _ in range(runs)], list[ph.RunResult]()
    async with asyncio.TaskGroup() as group:
        for each in seen:
            group.create_task(one(agent, each, kept))
    return seen, kept


def fair(seen: list[Seen], chunk: int) -> bool:
    """Whether no run had all of its chunks before each of the others had its `chunk`-th."""
    return min(each.chunks[-1] for each in seen) > max(each.chunks[chunk - 1] for each in seen)


def _rss() -> int:
    """Bytes of this process that are in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _at(share: float, values: list[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main(runs: int = 2000, chunks: int = 50, seconds: float = 0.02) -> int:
    """Run, and report."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * runs + 200)), hard))
    with server(chunks, seconds) as model:
        agent = ph.Agent(model, retry=False)
        asyncio.run(all_at_once(agent, 5))  # What is loaded once.
        gc.collect()
        before, cpu = _rss(), time.process_time()

        peak = [0]

        async def watched() -> tuple[list[Seen], list[ph.RunResult]]:
            async def look() -> None:
                while True:
                    peak[0] = max(peak[0], _rss())
                    await asyncio.sleep(0.25)

            looking = asyncio.create_task(look())
            try:
                return await all_at_once(agent, runs)
            finally:
                looking.cancel()

        seen, kept = asyncio.run(watched())
        cpu = time.process_time() - cpu
        gc.collect()
        after = _rss()
        whole = " ".join(str(n) for n in range(chunks)) + " "
        finished = sum(each.text == whole for each in seen)
        took = [each.ended - each.began for each in seen]
        gaps = [max(b - a for a, b in zip(each.chunks, each.chunks[1:], strict=False)) for each in seen]
        print(f"{finished} of {runs} runs finished, {chunks} chunks each at {seconds * 1000:g} ms")
        print(f"a run took    p50 {_at(0.5, took):.2f} s, p99 {_at(0.99, took):.2f} s, at most {max(took):.2f} s")
        print(f"longest gap   p50 {_at(0.5, gaps):.2f} s, p99 {_at(0.99, gaps):.2f} s, at most {max(gaps):.2f} s")
        print(f"memory a run  {(peak[0] - before) / runs / 1024:.0f} KiB under way, at the peak")
        print(f"              {(after - before) / runs / 1024:.0f} KiB afterwards, with its result and its tape")
        print(f"processor     {cpu:.1f} s, {cpu / runs / chunks * 1e6:.0f} us a chunk")
        slowest = max(took) / _at(0.5, took)
        print(f"starved       {'yes' if slowest > 3 else 'no'}: the slowest run took {slowest:.2f} times the median")
        del kept
        few = max(1, min(200, runs // 10))
        tracemalloc.start()
        _, held = asyncio.run(all_at_once(agent, few))
        now, most = tracemalloc.get_traced_memory()
        print(
            f"by Python     {most / few / 1024:.0f} KiB a run at the peak, {now / few / 1024:.0f} KiB afterwards,"
            f" of {few} runs"
        )
        del held
    return 0 if finished == runs and slowest <= 3 else 1


if __name__ == "__main__":
    given = sys.argv[1:]
    count, pieces = (int(text) for text in (*given[:2], *("2000", "50")[len(given[:2]) :]))
    raise SystemExit(main(count, pieces, float(given[2]) if len(given) > 2 else 0.02))
