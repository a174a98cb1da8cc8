"""
Coverage-guided fuzzing of everything that reads strangers' bytes. `make fuzz` runs it; the suite does not.

    python tests/fuzz/decoders.py FORMAT [SECONDS] [libFuzzer's own arguments ...]

Whatever comes, a decoder gives events or one of our errors. libFuzzer ends the process at anything else: another
exception, an input that takes longer than ten seconds, or more than 2 GB of memory. The seeds are the recordings
beside the repository, where they are there. What it finds and learns lies in `.fuzz/FORMAT`.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["playhead"]):
    import playhead.wire._refusal_kinds as _refusal_kinds
    from playhead.errors import CodecError, ProviderError
    from playhead.wire import WIRE_FORMATS, describe_request, wire_for_path, wire_format
    from playhead.wire._eventstream import encode_message

    # All that is loaded when it is used is loaded here: what comes later is not instrumented, and fuzzed blindly.
    LOADED = [*map(wire_format, WIRE_FORMATS), _refusal_kinds]

ROOT = Path(__file__).parents[2]
TAPES = ROOT.parent / "shared" / "tapes"


class Target:
    """One format's readers.

    The first byte of an input says which of them gets the rest, and how it is cut. What stands in an event stream is
    fuzzed inside valid frames too: a random change would never get past their checksums.
    """

    def __init__(self, name: str) -> None:
        self.wire = wire_format(name)
        self.framed = self.wire.STREAM_TYPE != "text/event-stream"

    def __call__(self, data: bytes) -> None:
        how, data = (data[0], data[1:]) if data else (0, b"")
        reader = how % 8
        try:
            if reader == 0:
                self.wire.read_error(data, 400 + how)
            elif reader == 1:
                describe_request(data, "/model/m/invoke")
                self.wire.decode_request(data, self.wire.PATH.replace("{model}", "m"), None)
            elif reader == 2 and self.framed:
                self.decode(self.frames(data), how)
            else:
                self.decode(data, how)
        except (CodecError, ProviderError):
            pass

    def decode(self, data: bytes, how: int) -> None:
        decoder = self.wire.Decoder("somebody")
        size = (len(data), 1, 7, 64)[how >> 3 & 3] or 1
        for at in range(0, len(data), size):
            decoder.feed(data[at : at + size])
        decoder.close()

    def frames(self, data: bytes) -> bytes:
        """A line of the input an event: its name, a blank, its payload."""
        out: list[bytes] = []
        for line in data.split(b"\n")[:50]:
            kind, _, payload = line.partition(b" ")
            if self.wire.NAME == "bedrock":
                payload = b'{"bytes":"' + base64.b64encode(payload) + b'"}'
            headers = {":message-type": "event", ":event-type": kind.decode("latin-1")}
            out.append(encode_message(headers, payload))
        return b"".join(out)


def seeds(name: str) -> Iterable[bytes]:
    """Recorded answers and requests of a format."""
    from playhead import load_tape

    for path in sorted(TAPES.glob("recorded/**/*.yaml")):
        for call in load_tape(path).interactions:
            wire = wire_for_path(call.request.url.partition("?")[0])
            if wire is not None and name == wire.NAME:
                yield b"\x03" + call.body[:20_000]
                yield b"\x01" + call.request.body[:20_000]


def main() -> None:
    """Fuzz one format for some seconds."""
    name, seconds, *more = [*sys.argv[1:], "openai_chat", "60"][: max(2, len(sys.argv) - 1)]
    home = ROOT / ".fuzz" / name
    corpus = home / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    if not any(corpus.iterdir()):
        for n, seed in enumerate(seeds(name)):
            (corpus / f"seed-{n}").write_bytes(seed)
    options: list[Any] = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-max_len=20000"]
    arguments = [sys.argv[0], str(corpus), *options, f"-artifact_prefix={home}/", *more]
    atheris.Setup(arguments, Target(name))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
