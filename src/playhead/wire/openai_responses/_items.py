"""
What the items of the Responses format are in Playhead's words, for all that reads or writes them.

https://platform.openai.com/docs/api-reference/responses/object#responses-object-output
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from ...errors import DecodeError
from ...messages import Citation, MediaPart, Opaque, Source, ToolResultPart, Usage
from .._json import JSONObject, count, number, obj, objs, text

NAME = "openai_responses"

CUSTOM = "custom_tool_call"
"""A call whose input is free text. Its arguments are `{"input": <the text>}`."""

CLIENT_CALLS = {
    CUSTOM: "",
    "computer_call": "computer",
    "local_shell_call": "local_shell",
    "shell_call": "shell",
    "apply_patch_call": "apply_patch",
}
"""Calls that the caller runs, beside functions, and the names of their tools; a custom tool has its own."""

CLIENT_OUTPUTS = {
    "custom_tool_call_output": CUSTOM,
    "computer_call_output": "computer_call",
    "local_shell_call_output": "local_shell_call",
    "shell_call_output": "shell_call",
    "apply_patch_call_output": "apply_patch_call",
}
"""What the caller answers to them."""

CLIENT_TOOLS = {
    "computer_use_preview": "computer",
    "computer": "computer",
    "local_shell": "local_shell",
    "shell": "shell",
    "apply_patch": "apply_patch",
}
"""Tools that OpenAI defines and the caller runs, and the names that their calls have."""

HOSTED_TOOLS: dict[str, JSONObject] = {
    "web_search": {"type": "web_search"},
    "code_execution": {"type": "code_interpreter", "container": {"type": "auto"}},
    "file_search": {"type": "file_search"},
    "image_generation": {"type": "image_generation"},
}
"""Tools that the provider runs, and how they are asked for."""

_NAMES = {"code_interpreter_call": "code_execution"}
"""The calls whose tools have other names than their items."""

_ARGUMENTS = {
    "web_search_call": "action",
    "local_shell_call": "action",
    "shell_call": "action",
    "apply_patch_call": "operation",
    "tool_search_call": "arguments",
    "mcp_call": "arguments",
    "mcp_approval_request": "arguments",
}
"""The field whose value is a call's arguments."""

_CHOSEN = {
    CUSTOM: {"input": "input"},
    "computer_call": {"actions": "actions"},
    "file_search_call": {"queries": "queries"},
    "code_interpreter_call": {"code": "code"},
    "image_generation_call": {"revised_prompt": "prompt"},
    "mcp_list_tools": {"server_label": "server_label"},
}
"""The fields that make up a call's arguments, and what they are called there."""

_CALLS_TOO = ("mcp_list_tools", "mcp_approval_request")
_FIRST = ("type", "id", "call_id", "name", "environment")
_REFERRED = frozenset({"url_citation", "file_citation"})
_DATA_URL = re.compile(r"data:([^;,]*)(?:;[^;,]*)*?(;base64)?,", re.IGNORECASE)
_SILENT = frozenset({"type", "role", "content", "arguments", "name", "call_id"})


class ItemCall(NamedTuple):
    """What an item says of a call that is not one of a function.

    Attributes:
        hosted: whether the provider runs it.
    """

    id: str
    name: str
    arguments: str
    hosted: bool


def call_of(item: JSONObject) -> ItemCall | None:
    """The call that an item is; None where it is something else, or a function's."""
    kind = text(item.get("type"))
    id = text(item.get("call_id")) or text(item.get("id"))
    if kind in CLIENT_CALLS:
        hosted = kind == "shell_call" and runs_in_container(item)
        return ItemCall(id, CLIENT_CALLS[kind] or text(item.get("name")), arguments_of(item), hosted)
    if kind == "function_call" or not (kind.endswith("_call") or kind in _CALLS_TOO):
        return None
    name = text(item.get("name")) if kind == "mcp_call" else ""
    name = name or _NAMES.get(kind) or kind.removesuffix("_call") or "call"
    return ItemCall(id, name, arguments_of(item), True)


def runs_in_container(item: JSONObject) -> bool:
    """Whether a shell is the provider's: its tool, or a call of it."""
    return text(obj(item.get("environment")).get("type")).startswith("container")


def beginning_of(item: JSONObject) -> JSONObject:
    """What of a call is known when it begins, whether it comes in pieces or whole."""
    return {name: item[name] for name in _FIRST if name in item}


def arguments_of(item: JSONObject) -> str:
    """The arguments of a call as JSON."""
    kind = text(item.get("type"))
    if kind == "computer_call" and "action" in item:
        return dumps(item["action"])
    if kind in _CHOSEN:
        found = {to: item[field] for field, to in _CHOSEN[kind].items() if item.get(field) is not None}
        return dumps(found)
    value = item.get(_ARGUMENTS.get(kind, "arguments"))
    if isinstance(value, str):
        return value
    return "{}" if value is None else dumps(value)


def results_of(item: JSONObject, origin: str | None) -> list[MediaPart | ToolResultPart]:
    """What a call that the provider ran gave: parts made from its item, which go nowhere without it."""
    call = call_of(item)
    if call is None or not call.hosted:
        return []
    made = Opaque(NAME, {"from": call.id}, origin)
    match item.get("type"):
        case "code_interpreter_call" if outputs := objs(item.get("outputs")):
            words = "".join(text(output.get("logs")) for output in outputs)
            urls = [url for output in outputs if (url := text(output.get("url")))]
            media = tuple(media_from_url(url, "image/png", "image/*") for url in urls)
            failed = item.get("status") == "failed"
            return [ToolResultPart(call.id, call.name, words, failed, media, opaque=made)]
        case "file_search_call" if results := objs(item.get("results")):
            words = "\n\n".join(text(result.get("text")) for result in results)
            return [ToolResultPart(call.id, call.name, words, opaque=made)]
        case "mcp_call" if item.get("output") is not None or item.get("error") is not None:
            error, output = item.get("error"), item.get("output")
            said = output if error is None else error
            words = said if isinstance(said, str) else dumps(said)
            return [ToolResultPart(call.id, call.name, words, error is not None, opaque=made)]
        case "image_generation_call" if result := text(item.get("result")):
            data = from_base64(result)
            kind = f"image/{text(item.get('output_format')) or 'png'}"
            return [] if data is None else [MediaPart(kind, data, opaque=made)]
        case _:
            return []


def sources_of(item: JSONObject) -> list[Source]:
    """The pages and documents that a search found."""
    if item.get("type") == "web_search_call":
        pages = objs(obj(item.get("action")).get("sources"))
        return [Source(text(page.get("url")) or None, text(page.get("title")) or None, page) for page in pages]
    if item.get("type") == "file_search_call":
        return [Source(None, text(found.get("filename")) or None, found) for found in objs(item.get("results"))]
    return []


def citation_of(annotation: JSONObject, origin: str | None) -> Citation:
    """What an annotation of a text says."""
    return Citation(
        text(annotation.get("url")) or None,
        text(annotation.get("title")) or text(annotation.get("filename")) or None,
        None,
        count(annotation.get("start_index")),
        count(annotation.get("end_index")),
        Opaque(NAME, {"annotation": annotation}, origin),
    )


def source_of(annotation: JSONObject) -> Source | None:
    """The page or document that an annotation refers to; None where it points to a file that was made."""
    if text(annotation.get("type")) not in _REFERRED:
        return None
    title = text(annotation.get("title")) or text(annotation.get("filename")) or None
    return Source(text(annotation.get("url")) or None, title, annotation)


def usage_of(raw: JSONObject) -> Usage:
    """Token counts from a usage object. What was not sent is None.

    Cached tokens are a part of the input and reasoning tokens one of the output. A provider that counts reasoning
    beside the output (xAI) is known by its total, which is then the sum of all three.
    """
    details, made_of = obj(raw.get("input_tokens_details")), obj(raw.get("output_tokens_details"))
    given, made, total = (count(raw.get(f"{name}_tokens")) for name in ("input", "output", "total"))
    reasoning = count(made_of.get("reasoning_tokens"))
    if reasoning and None not in (given, made) and total == (given or 0) + (made or 0) + reasoning:
        made = (made or 0) + reasoning
    return Usage(
        input_tokens=given,
        output_tokens=made,
        total_tokens=total,
        cache_read_tokens=count(details.get("cached_tokens")),
        cache_write_tokens=count(details.get("cache_write_tokens")),
        reasoning_tokens=reasoning,
        raw=raw,
    )


def cost_of(usage: JSONObject) -> float | None:
    """US dollars, where a provider (OpenRouter, xAI) says them beside the tokens."""
    ticks = number(usage.get("cost_in_usd_ticks"))
    return number(usage.get("cost"), None if ticks is None else ticks / 10_000_000_000)


def rest_of(item: JSONObject, *silent: str) -> JSONObject:
    """The fields of an item that its part has no words for, without those that say nothing."""
    ordinary = item.get("status") in (None, "completed", "in_progress")
    return {
        key: value
        for key, value in item.items()
        if value is not None and key not in _SILENT and key not in silent and not (key == "status" and ordinary)
    }


def reasoning_of(item: JSONObject) -> list[str]:
    """The readable pieces of a reasoning item: its summaries, and behind them its own text."""
    return [text(piece.get("text")) for field in ("summary", "content") for piece in objs(item.get(field))]


def media_from_url(url: str, kind: str, otherwise: str) -> MediaPart:
    """Media that a URL names; the bytes, where the URL holds them.

    Args:
        kind: the media type of bytes whose URL does not tell it.
        otherwise: the media type of what stands elsewhere.
    """
    found = _DATA_URL.match(url)
    data = from_base64(url[found.end() :]) if found and found[2] else None
    if found is None or data is None:
        return MediaPart(otherwise, url=url)
    return MediaPart(found[1].lower() or kind, data)


def from_base64(value: str) -> bytes | None:
    """The bytes; None where they are not base64."""
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None


def dumps(value: object) -> str:
    """A value that came as JSON, as JSON again: also with numbers that only Python takes.

    Raises:
        DecodeError: it is nested too deeply.
    """
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError):
        return json.dumps(value, separators=(",", ":"))
    except RecursionError:
        raise DecodeError("a part of the answer is nested too deeply to be read") from None


def own_item(data: Mapping[str, Any] | None) -> JSONObject:
    """The whole item that opaque data holds, if it does."""
    return obj((data or {}).get("item"))
