"""What a tape says, once its bytes are decoded: the same for people, for scripts and for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any
from urllib.parse import urlsplit

import msgspec

from .errors import DecodeError, PlayheadError, ProviderError, TruncatedStream
from .events import MessageEnd, MessageEvent, PartDelta, PartEnd
from .messages import (
    Citation,
    MediaPart,
    Message,
    ModelResponse,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    Usage,
    add_known,
)
from .providers import provider_for_url
from .tape.effects import INTERRUPTED, Interaction, Reading, Tape, ToolRun
from .wire import RequestSummary, WireFormat, describe_request, wire_for_path


@dataclass(frozen=True, slots=True)
class Heard:
    """One interaction, decoded.

    Attributes:
        wire: the wire format; None where it is not known (yet).
        provider: the provider's name, where its address tells.
        asked: what the request asked for.
        events: in the order of the chunks: `(index of the chunk, event)`.
        response: the answer, or as much of it as there is.
        error: why it is not whole, or what the provider refused.
    """

    wire: WireFormat | None
    provider: str | None
    asked: RequestSummary
    events: tuple[tuple[int, MessageEvent], ...]
    response: ModelResponse
    error: PlayheadError | None


def hear(call: Interaction) -> Heard:
    """Decode an interaction. Whatever is wrong with it is told in `error`, never raised."""
    try:
        wire = wire_for_path(urlsplit(call.request.url).path)
        provider = provider_for_url(call.request.url)
    except ValueError:  # An address that is none.
        wire = provider = None
    name = provider.name if provider else None
    if wire is None:
        text = call.body.decode("utf-8", "replace")
        refusal = (
            ProviderError(" ".join(text.split())[:200], status=call.status) if (call.status or 0) >= 400 else None
        )
        return Heard(None, name, describe_request(call.request.body), (), _text_only(text), refusal)
    asked = describe_request(call.request.body, urlsplit(call.request.url).path)
    origin = provider.for_model(asked.model or "").origin if provider else None
    if call.status is None:
        return Heard(wire, name, asked, (), _text_only(""), None)
    if call.status >= 400:
        return Heard(wire, name, asked, (), _text_only(""), wire.read_error(call.body, call.status))
    events, error = _decode(call, wire, origin)
    return Heard(wire, name, asked, tuple(events), _response(events), error)


def summary(tape: Tape, heard: Sequence[Heard] | None = None) -> dict[str, Any]:
    """The tape as plain data: what `playhead show --json` prints. See `docs/show-json.md`.

    Args:
        heard: its interactions, where they are decoded already.
    """
    interactions = tape.interactions
    decoded = map(hear, interactions) if heard is None else heard
    numbers = [n for n, effect in tape.numbered if isinstance(effect, Interaction)]
    calls: list[dict[str, Any]] = [
        {"n": n, "effect": number, **_summary_of_call(call, said)}
        for n, (number, call, said) in enumerate(zip(numbers, interactions, decoded, strict=True))
    ]
    runs = [(n, effect) for n, effect in tape.numbered if isinstance(effect, ToolRun)]
    readings = [(n, effect) for n, effect in tape.numbered if isinstance(effect, Reading)]
    answered = [call["response"] for call in calls if call["response"]["error"] is None]
    return {
        "format": tape.format,
        "version": tape.version,
        "interactions": calls,
        "tools": [{"n": n, "effect": number, **_summary_of_tool(run)} for n, (number, run) in enumerate(runs)],
        "readings": [
            {"n": n, "effect": number, "lane": read.lane, "name": read.name, "value": read.value}
            for n, (number, read) in enumerate(readings)
        ],
        "totals": {
            "interactions": len(calls),
            "input_tokens": _total(answered, "input_tokens"),
            "output_tokens": _total(answered, "output_tokens"),
            "cost": _total(answered, "cost"),
        },
    }


def _decode(call: Interaction, wire: WireFormat, origin: str | None) -> tuple[list[tuple[int, MessageEvent]], Any]:
    decoder = wire.Decoder(origin)
    events: list[tuple[int, MessageEvent]] = []
    try:
        for n, chunk in enumerate(call.chunks):
            events += ((n, event) for event in decoder.feed(chunk))
        last = max(0, len(call.chunks) - 1)
        events += ((last, event) for event in decoder.close())
    except (DecodeError, ProviderError) as error:
        return events, error
    return events, decoder.error


def _response(events: list[tuple[int, MessageEvent]]) -> ModelResponse:
    """The answer, or what there is of one that was cut off."""
    if events and isinstance(end := events[-1][1], MessageEnd):
        return end.response
    said = {"text": "", "reasoning": "", "refusal": ""}
    calls: list[ToolCallPart] = []
    for _, event in events:
        match event:
            case PartDelta(kind=kind, delta=delta) if kind != "tool_call":
                said[kind] += delta
            case PartEnd(part=ToolCallPart() as part):
                calls.append(part)
            case _:
                pass
    return _text_only(said["text"], said["reasoning"], tuple(calls))


def _text_only(text: str, reasoning: str = "", calls: tuple[ToolCallPart, ...] = ()) -> ModelResponse:
    parts = ((ReasoningPart(reasoning),) if reasoning else ()) + ((TextPart(text),) if text else ()) + calls
    return ModelResponse(Message("assistant", parts))


def _summary_of_call(call: Interaction, heard: Heard) -> dict[str, Any]:
    response, usage = heard.response, heard.response.usage
    known = heard.wire is not None
    return {
        "lane": call.lane,
        "method": call.request.method,
        "url": call.request.url,
        "provider": heard.provider,
        "wire": heard.wire.NAME if heard.wire else None,
        "status": call.status,
        "streamed": call.streamed,
        "chunks": len(call.chunks) if call.times is not None else None,
        "duration_s": call.head_s if call.duration_s is None else call.duration_s,
        "request": {"model": heard.asked.model, "stream": heard.asked.stream},
        "response": {
            "text": response.text,
            "reasoning": response.reasoning if known else None,
            "refusal": "".join(part.text for part in response.message.parts if isinstance(part, RefusalPart)) or None,
            "tool_calls": [_tool_call(part) for part in response.message.parts if isinstance(part, ToolCallPart)],
            "parts": [part.__struct_config__.tag for part in response.message.parts],
            "citations": [_citation(citation) for citation in response.message.citations],
            "sources": [{"url": source.url, "title": source.title} for source in response.sources],
            "media": [_media(part) for part in response.message.parts if isinstance(part, MediaPart)],
            "id": response.id or None,
            "model": response.model or None,
            "finish_reason": response.finish_reason if response.raw_finish_reason else None,
            "raw_finish_reason": response.raw_finish_reason,
            "usage": _usage(usage),
            "cost": response.cost,
            "error": _error(call, heard),
        },
    }


def _summary_of_tool(run: ToolRun) -> dict[str, Any]:
    return {
        "lane": run.lane,
        "call_id": run.call_id,
        "name": run.name,
        "arguments": _arguments(run.arguments),
        "result": run.result if run.ended == "complete" else None,
        "is_error": run.is_error,
        "duration_s": run.duration_s,
        "progress": [msgspec.to_builtins(said) for said in run.progress],
    }


def _tool_call(part: ToolCallPart) -> dict[str, Any]:
    return {
        "id": part.id,
        "name": part.name,
        "arguments": _arguments(part.arguments),
        "provider_executed": part.provider_executed,
    }


def _citation(citation: Citation) -> dict[str, Any]:
    return {name: getattr(citation, name) for name in ("url", "title", "text", "start", "end")}


def _media(part: MediaPart) -> dict[str, Any]:
    size = None if part.data is None else len(part.data)
    return {"media_type": part.media_type, "bytes": size, "url": part.url, "filename": part.filename}


def _arguments(raw: str) -> Any:
    """The arguments as JSON; the raw text where the model wrote none."""
    if not raw.strip():
        return {}
    try:
        return msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return raw


def _usage(usage: Usage | None) -> dict[str, Any]:
    usage = usage or Usage()
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "raw": usage.raw or None,
    }


def _error(call: Interaction, heard: Heard) -> dict[str, Any] | None:
    error = heard.error
    if isinstance(error, ProviderError):
        return {"kind": "provider", "message": error.message, "code": error.code, "status": error.status}
    if call.ended != "complete":
        recorded = call.error or {"kind": "interrupted", "message": INTERRUPTED}
        return {"kind": recorded["kind"], "message": recorded["message"], "code": None, "status": call.status}
    if error is not None:
        kind = "truncated" if isinstance(error, TruncatedStream) else "format"
        return {"kind": kind, "message": str(error), "code": None, "status": call.status}
    return None


def _total(responses: list[dict[str, Any]], name: str) -> Any:
    """A sum over the answers; None where one of them does not say, or there is none."""
    values = [response["cost"] if name == "cost" else response["usage"][name] for response in responses]
    return reduce(add_known, values) if values else None
