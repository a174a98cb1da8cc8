"""`playhead show F`"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

from ..messages import (
    MediaPart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from ..tape.effects import Interaction, Reading, ToolRun
from ..tape.files import load_tape
from ..transcript import Heard, hear, summary
from ._console import Console
from ._render import Renderer, account, duration, money

_LONGEST_URL = 80
"""Characters of a URL in the table."""

_MOST_SOURCES = 10
"""Sources of an answer that are named."""


def run(args: argparse.Namespace, console: Console) -> int:
    """Show what is on a tape, for people or for scripts."""
    tape = load_tape(args.tape)
    heard = [hear(call) for call in tape.interactions]
    shown = summary(tape, heard)
    for warning in tape.warnings:
        console.note(f"warning: {warning}")
    if args.json:
        encoding = (sys.stdout.encoding or "").lower().replace("-", "")
        print(json.dumps(shown, ensure_ascii=encoding != "utf8", indent=2))
        return 0
    calls, readings = shown["interactions"], shown["readings"]
    counts = [many(len(calls), "interaction"), many(len(shown["tools"]), "tool run")]
    counts += [many(len(readings), "reading")] if readings else []
    console.line(
        f"{Path(args.tape).name}: {tape.format} version {tape.version}, {', '.join(counts)}",
        "bold",
    )
    if calls:
        console.line()
        head = ("n", "lane", "request", "model", "status", "chunks", "time", "in", "out", "cost")
        console.table(head, map(_row, calls))
    renderer, conversation = Renderer(console), zip(calls, heard, strict=True)
    for effect in tape.effects:
        if isinstance(effect, Interaction):
            call, decoded = next(conversation)
            _conversation(call, decoded, console, renderer)
        elif isinstance(effect, Reading):
            renderer.reading(effect.name, effect.value)
        else:
            _tool(effect, console, renderer)
    console.line()
    totals = shown["totals"]
    console.line(account(totals["interactions"], total_usage(totals), totals["cost"]), "dim")
    return 0


def total_usage(totals: dict[str, Any]) -> Usage:
    """The totals of a summary as usage."""
    return Usage(totals["input_tokens"], totals["output_tokens"])


def _row(call: dict[str, Any]) -> tuple[str, ...]:
    usage, cost = call["response"]["usage"], call["response"]["cost"]
    return (
        str(call["effect"]),
        call["lane"],
        f"{call['method']} {_shortened(call['url'])}",
        call["request"]["model"] or "-",
        _or_dash(call["status"]),
        _or_dash(call["chunks"]),
        duration(call["duration_s"]) or "-",
        _or_dash(usage["input_tokens"]),
        _or_dash(usage["output_tokens"]),
        "-" if cost is None else money(cost),
    )


def _tool(run: ToolRun, console: Console, renderer: Renderer) -> None:
    for said in run.progress:
        renderer.progress(run.name, said.message, said.fraction)
    if run.ended == "complete":
        result = ToolResultPart(run.call_id, run.name, run.result, run.is_error)
        renderer.result(result, run.duration_s, played=False)
    else:
        console.line(f"! {run.name} had not finished when the recording stopped", "red")


def _conversation(call: dict[str, Any], heard: Heard, console: Console, renderer: Renderer) -> None:
    response, prompt = heard.response, heard.asked.prompt
    console.line()
    console.line(f"[{call['effect']}] {call['provider'] or call['url']}", "bold")
    if prompt:
        console.line(f"> {prompt}")
    for kind, parts in groupby(response.message.parts, key=type):
        _parts(kind, list(parts), console, renderer)
    for source in response.sources[:_MOST_SOURCES]:
        console.line(f"source: {' '.join(filter(None, (source.title, source.url)))}", "dim")
    if len(response.sources) > _MOST_SOURCES:
        console.line(f"and {many(len(response.sources) - _MOST_SOURCES, 'more source')}", "dim")
    if error := call["response"]["error"]:
        console.line(f"! {error['message']}", "red")


def _parts(kind: type[Part], parts: list[Part], console: Console, renderer: Renderer) -> None:
    """Parts of one kind that follow one another: of words they are one text."""
    words = "".join(getattr(part, "text", "") for part in parts)
    if kind is ReasoningPart and words:
        console.line(f"(thinks) {words}", "dim italic")
    elif kind in (TextPart, RefusalPart) and words:
        console.line(words, "red" if kind is RefusalPart else "")
    for part in parts:
        match part:
            case ToolCallPart():
                renderer.call(part)
            case ToolResultPart():
                renderer.result(part, None, played=False)
            case MediaPart():
                renderer.media(part)
            case _:
                pass


def _shortened(url: str) -> str:
    """A URL with its middle left out, where it is too long for a table."""
    return url if len(url) <= _LONGEST_URL else f"{url[: _LONGEST_URL // 2]}...{url[-_LONGEST_URL // 2 :]}"


def _or_dash(value: object) -> str:
    return "-" if value is None else str(value)


def many(count: int, what: str) -> str:
    """A count and its noun."""
    return f"{count} {what}{'' if count == 1 else 's'}"
