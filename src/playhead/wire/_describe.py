"""What a recorded request asked for, in whatever format it is: for people, so that nothing here can fail."""

from __future__ import annotations

import re
from urllib.parse import unquote

import msgspec

from ._dialect import RequestSummary
from ._json import JSONObject, obj, objs, text

_IN_PATH = re.compile(r"/models?/([^/:?]+(?::[^/:?]+)?)(?::(\w+)|/([\w-]+))?$")
"""The model and the method in the paths of Gemini, Vertex and Bedrock."""

_STREAMS = ("streamGenerateContent", "streamRawPredict", "invoke-with-response-stream", "converse-stream")
_WHOLE = ("generateContent", "rawPredict", "invoke", "converse")


def describe_request(body: bytes, path: str = "") -> RequestSummary:
    """What a recorded request asked for, as far as it says so.

    Args:
        path: that of the URL, which names the model in some formats.
    """
    try:
        fields = obj(msgspec.json.decode(body))
    except (ValueError, RecursionError):
        fields: JSONObject = {}
    stream = fields.get("stream")
    model, method = _from_path(path)
    if not isinstance(stream, bool):
        stream = True if method in _STREAMS else False if method in _WHOLE else None
    return RequestSummary(text(fields.get("model")) or model, stream, _prompt(fields))


def _from_path(path: str) -> tuple[str | None, str]:
    path = path.rstrip("/")
    method = path.rpartition("/")[2].rpartition(":")[2]
    found = _IN_PATH.search(path.removesuffix(f":{method}").removesuffix(f"/{method}"))
    return (unquote(found[1]) if found and method in _STREAMS + _WHOLE else None), method


def _prompt(fields: JSONObject) -> str | None:
    given = fields.get("input")
    if isinstance(given, str):
        return given or None
    turns = objs(fields.get("messages")) or objs(given) or objs(fields.get("contents"))
    said = [_said(turn.get("content") or turn.get("parts")) for turn in turns if turn.get("role") == "user"]
    return next((words for words in reversed(said) if words), None)


def _said(content: object) -> str:
    return text(content) or "".join(text(piece.get("text")) for piece in objs(content))
