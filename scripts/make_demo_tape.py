"""Makes the tape that Playhead ships for its demo, from the raw recording of it.

    python scripts/make_demo_tape.py FOLDER

FOLDER holds `run_seed_turn1.jsonl` and `run_seed_turn2.jsonl`: what a llama.cpp server sent, piece by piece, with the
time of each piece. Bytes and times are taken as they are.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

from playhead import Interaction, Tape, ToolRun, save_tape
from playhead.http import Request
from playhead.providers.demo import PROVIDER
from playhead.tape.redact import allowed_headers

TARGET = Path(__file__).parents[1] / "src" / "playhead" / "tapes" / "demo.jsonl"


def main(folder: Path) -> None:
    turns = [read(folder / f"run_seed_turn{n}.jsonl") for n in (1, 2)]
    first, second = (meta for meta, _ in turns)
    calls = [interaction(meta, pieces) for meta, pieces in turns]
    answers = {m["tool_call_id"]: m["content"] for m in second["request"]["body"]["messages"] if m["role"] == "tool"}
    asked = next(m["tool_calls"] for m in second["request"]["body"]["messages"] if "tool_calls" in m)
    tools = [
        ToolRun(
            lane=f"root/{n}.{call['function']['name']}",
            call_id=call["id"],
            name=call["function"]["name"],
            arguments=call["function"]["arguments"],
            result=answers[call["id"]],
        )
        for n, call in enumerate(asked)
    ]
    meta = {
        "id": "demo",
        "created": first["recorded_utc"],
        "software": first["server"],
        "model": first["model"],
        "machine": first["machine"],
        "selected": first["selected"],
    }
    save_tape(Tape((calls[0], *tools, calls[1]), meta), TARGET)
    print(f"{TARGET.name}: {TARGET.stat().st_size} bytes")


def read(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    meta, *pieces = map(json.loads, path.read_text().splitlines())
    return meta, pieces


def interaction(meta: dict[str, Any], pieces: list[dict[str, Any]]) -> Interaction:
    status, *lines = meta["response_head"].split("\r\n")
    version, code, reason = status.split(" ", 2)
    headers = [tuple(line.split(": ", 1)) for line in lines if ": " in line]
    body = json.dumps(meta["request"]["body"], separators=(",", ":")).encode()
    return Interaction(
        request=Request(
            "POST", PROVIDER.base_url + "/chat/completions", (("Content-Type", "application/json"),), body
        ),
        status=int(code),
        reason=reason,
        http_version=version,
        headers=allowed_headers(tuple((name, value) for name, value in headers if name != "Transfer-Encoding")),
        chunks=tuple(p["text"].encode() if "text" in p else base64.b64decode(p["b64"]) for p in pieces),
        times=tuple(p["t"] for p in pieces),
        head_s=pieces[0]["t"],
        duration_s=meta["total_s"],
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
