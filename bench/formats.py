"""
How fast tapes are read and written, beside PyYAML's parser and emitter in C, in the same run.

    .venv/bin/python bench/formats.py [MEGABYTES]

Playhead makes a whole tape of a file; PyYAML makes dictionaries of the same cassette, and nobody has looked at them
yet. Processor time, and the two sides take turns: the figures are ratios. The cassette is made of recordings in
go-vcr's own layout: those beside the repository, or else the demo's. Medians of `ROUNDS`.
"""

from __future__ import annotations

import gc
import re
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import yaml

from playhead.serve.demo import demo_tape
from playhead.tape.effects import Interaction, Tape
from playhead.tape.formats import govcr, native

ROUNDS = 5
RECORDINGS = Path(__file__).parents[2] / "shared" / "tapes"
HEAD = b"---\nversion: 2\ninteractions:\n"


def interactions() -> list[bytes]:
    """Interactions of cassettes as they stand there, each from its `- id:` on."""
    files = [file.read_bytes() for file in sorted(RECORDINGS.rglob("*.yaml"))] or [govcr.dump(demo_tape())]
    bodies = [data.removeprefix(HEAD) for data in files if data.startswith(HEAD)]
    return [b"- id:" + part for body in bodies for part in re.split(rb"^- id:", body, flags=re.MULTILINE)[1:]]


def cassette(size: int) -> bytes:
    """A cassette of at least so many bytes."""
    parts, once = [HEAD], interactions()
    length = number = 0
    while length < size:
        part = re.sub(rb"^- id: [0-9]+", b"- id: %d" % number, once[number % len(once)])
        parts.append(part)
        length, number = length + len(part), number + 1
    return b"".join(parts)


def as_it_arrived(tape: Tape) -> Tape:
    """The tape with a piece for each event of a stream, as Playhead records it."""
    return replace(tape, effects=tuple(_in_pieces(call) for call in tape.interactions))


def _in_pieces(call: Interaction) -> Interaction:
    if not call.streamed:
        return call
    pieces = tuple(filter(None, re.split(rb"(?<=\n\n)", call.body)))
    return msgspec.structs.replace(call, chunks=pieces, times=tuple(n / 100 for n in range(len(pieces))))


def timed(work: Callable[[], Any]) -> float:
    gc.collect()
    start = time.process_time()
    done = work()
    spent = time.process_time() - start
    del done  # Not within the time: it is nobody's.
    return spent


def main() -> None:
    """Measure, and print one table."""
    data = cassette(int(sys.argv[1] if len(sys.argv) > 1 else 50) * 10**6)
    tape = govcr.load(data, "bench")
    pieces = as_it_arrived(tape)
    document = yaml.load(data, Loader=yaml.CSafeLoader)
    whole, streamed = native.dump(tape), native.dump(pieces)
    cassette_with_pieces = govcr.dump(pieces)

    def parse() -> Any:
        return yaml.load(data, Loader=yaml.CSafeLoader)

    rows: list[tuple[str, Callable[[], Any], Callable[[], Any]]] = [
        ("load go-vcr", lambda: govcr.load(data, "bench"), parse),
        (
            "load go-vcr, with pieces",
            lambda: govcr.load(cassette_with_pieces, "bench"),
            lambda: yaml.load(cassette_with_pieces, Loader=yaml.CSafeLoader),
        ),
        ("load Playhead's own", lambda: native.load(whole, "bench"), parse),
        ("load Playhead's own, with pieces", lambda: native.load(streamed, "bench"), parse),
        ("write go-vcr", lambda: govcr.dump(tape), lambda: yaml.dump(document, Dumper=yaml.CSafeDumper)),
    ]
    print(f"{len(data) / 1e6:.0f} MB, {len(tape.interactions)} interactions")
    print(f"{'':34} {'playhead':>10} {'PyYAML, C':>10}   of its time")
    for name, ours, theirs in rows:
        pairs = [(timed(ours), timed(theirs)) for _ in range(ROUNDS)]
        mine, other = (statistics.median(side) for side in zip(*pairs, strict=True))
        print(f"{name:34} {mine:8.2f} s {other:8.2f} s   {statistics.median(a / b for a, b in pairs):6.3f}")


if __name__ == "__main__":
    main()
