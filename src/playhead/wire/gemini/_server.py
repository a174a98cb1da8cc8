"""
The server half of the Gemini wire format: somebody else's request, read.

Names are understood in camel and in snake case, and bytes in both alphabets of base64, as clients send both.
"""

from __future__ import annotations

import re
from typing import Any, cast
from urllib.parse import unquote

from ...errors import DecodeError, TruncatedStream
from ...messages import (
    MediaPart,
    Message,
    ModelRequest,
    Opaque,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from .._decoder import object_of
from .._json import JSONObject, loads, obj, text
from ._parts import CODE, NAME, compact, fields, noted, read_code_result, read_media
from ._request import NO_SIGNATURE
from ._server_settings import object_at, read_settings, read_tools, wrong

_PATH = re.compile(r"([^/]+):(generateContent|streamGenerateContent)$")

_TEXT_KEYS = frozenset({"text", "thought", "thoughtSignature"})
_CALL_PART_KEYS = frozenset({"functionCall", "thoughtSignature"})
_CODE_PART_KEYS = frozenset({"executableCode", "thoughtSignature"})
_CALL_KEYS = frozenset({"id", "name", "args"})
_RESULT_PART_KEYS = frozenset({"functionResponse"})
_RESULT_KEYS = frozenset({"id", "name", "response", "parts"})


def decode_request(body: bytes, path: str, origin: str | None = None) -> ModelRequest:
    """What somebody else's request asks for.

    Calls without an id get one, made of their place, by which their results find them. A function declaration that
    says something of its response, or of its behaviour, is kept whole, in `ToolSpec.raw`.

    Args:
        body: the request's body.
        path: the path of its URL, which names the model and tells whether the answer is streamed.
        origin: noted on thought signatures.

    Raises:
        DecodeError: a field is not what it should be; the error says which.
    """
    found = _PATH.search(path.partition("?")[0].rstrip("/"))
    if found is None:
        raise DecodeError(
            f"the path should end in models/MODEL:generateContent or :streamGenerateContent, but is {path[:200]!r}"
        )
    try:
        fields_ = fields(object_of(loads(body, "the request"), body, "the request"))
        reader = _Reader(origin)
        reader.instruct(fields_.get("systemInstruction"))
        for n, content in enumerate(_listed(fields_.get("contents"), "contents")):
            reader.content(content, n)
        tools, provider_tools = read_tools(fields_.get("tools"))
        settings = read_settings(fields_, functions=bool(tools))
    except TruncatedStream as error:
        raise DecodeError(str(error)) from None
    except RecursionError:
        raise DecodeError("the request is nested too deeply to be read") from None
    model, stream = unquote(found[1]), found[2].startswith("stream")
    return ModelRequest(model, tuple(reader.messages), tools, settings, stream, provider_tools)


def _listed(value: object, where: str) -> list[Any]:
    """A list, or one object in place of a list of one."""
    match value:
        case None:
            return []
        case list():
            return cast("list[Any]", value)
        case dict():
            return [value]
        case _:
            raise wrong(where, "a list", value)


class _Reader:
    """The contents of a request, one after the other."""

    def __init__(self, origin: str | None) -> None:
        self.messages: list[Message] = []
        self._origin = origin
        self._waiting: list[ToolCallPart] = []
        self._sent_ids: set[str] = set()
        self._code_id = ""

    def instruct(self, value: object) -> None:
        """The system instruction: a content, or its text."""
        if value is None:
            return
        if isinstance(value, str):
            self.messages.append(Message("system", (TextPart(value),)))
            return
        if not isinstance(value, dict):
            raise wrong("systemInstruction", "an object", value)
        where = "systemInstruction.parts"
        parts: list[Part] = []
        for n, part in enumerate(_listed(fields(obj(value)).get("parts"), where)):  # pyright: ignore[reportUnknownArgumentType]
            words = obj(part).get("text")
            if not isinstance(words, str):
                raise wrong(f"{where}[{n}].text", "a string", words)
            parts.append(TextPart(words, opaque=self._opaque(noted(fields(obj(part)), _TEXT_KEYS))))
        if parts:
            self.messages.append(Message("system", tuple(parts)))

    def content(self, value: object, n: int) -> None:
        """One turn."""
        where = f"contents[{n}]"
        if not isinstance(value, dict):
            raise wrong(where, "an object", value)
        content = obj(value)  # pyright: ignore[reportUnknownArgumentType]
        role = content.get("role") or "user"
        listed = enumerate(_listed(content.get("parts"), f"{where}.parts"))
        read = [self._fields(part, f"{where}.parts[{m}]") for m, part in listed]
        parts = [part for part in read if any(value is not None for value in part.values())]
        match role:
            case "model":
                self._model(parts, where)
            case "user" | "function" | "tool":
                self._user(parts, where)
            case _:
                raise wrong(f"{where}.role", "'user' or 'model'", role)

    def _fields(self, part: object, where: str) -> JSONObject:
        if not isinstance(part, dict):
            raise wrong(where, "an object", part)
        return fields(obj(part))  # pyright: ignore[reportUnknownArgumentType]

    def _user(self, parts: list[JSONObject], where: str) -> None:
        """A user's turn, in which results of tools may stand: these are a message of their own, behind the calls."""
        results: list[Part] = []
        others: list[Part] = []
        for n, part in enumerate(parts):
            if isinstance(part.get("functionResponse"), dict):
                results.append(self._result(part, f"{where}.parts[{n}]"))
            else:
                others.append(self._part(part, f"{where}.parts[{n}]"))
        if results:
            self.messages.append(Message("tool", tuple(results)))
        if others or not results:
            self.messages.append(Message("user", tuple(others)))

    def _model(self, parts: list[JSONObject], where: str) -> None:
        read: list[Part] = []
        self._waiting = []
        for n, part in enumerate(parts):
            piece = self._part(part, f"{where}.parts[{n}]")
            joined = _joined(read[-1], piece) if read else None
            if joined is None:
                read.append(piece)
            else:
                read[-1] = joined
        self.messages.append(Message("assistant", tuple(read)))

    def _part(self, part: JSONObject, where: str) -> Part:
        match part:
            case {"functionCall": dict()}:
                return self._call(part, where)
            case {"text": str(words)} if part.get("thought") is True:
                data = noted(part, _TEXT_KEYS)
                return ReasoningPart(words, self._opaque({"thought": True} | (data or {"sent": True})))
            case {"text": str(words)} if not part.keys() & {"inlineData", "fileData"}:
                return TextPart(words, opaque=self._opaque(noted(part, _TEXT_KEYS)))
            case {"executableCode": dict()}:
                return self._code(part, where)
            case {"codeExecutionResult": dict()}:
                return read_code_result(part, self._code_id, self._origin)
            case _:
                return self._media(part, where) or TextPart(opaque=self._opaque({"part": part}))

    def _media(self, part: JSONObject, where: str) -> MediaPart | None:
        media = read_media(part, self._origin)
        if media is None:
            for name, held in (("inlineData", "base64 in `data`"), ("fileData", "an address in `fileUri`")):
                if name in part:
                    raise wrong(f"{where}.{name}", f"an object with {held}", part[name])
        return media

    def _call(self, part: JSONObject, where: str) -> ToolCallPart:
        said = fields(obj(part["functionCall"]))
        args = object_at(said.get("args"), f"{where}.functionCall.args")
        name, id = self._name(said, f"{where}.functionCall"), text(said.get("id"))
        data = noted(part, _CALL_PART_KEYS)
        if data.get("thoughtSignature") == NO_SIGNATURE:
            del data["thoughtSignature"]
        if id:
            data["id"] = id
            self._sent_ids.add(id)
        if more := {key: value for key, value in said.items() if key not in _CALL_KEYS and value is not None}:
            data["call"] = more
        made = f"call_{len(self.messages)}_{len(self._waiting)}"
        written = compact(args, f"{where}.functionCall.args")
        call = ToolCallPart(id or made, name, written, opaque=self._opaque(data))
        self._waiting.append(call)
        return call

    def _code(self, part: JSONObject, where: str) -> ToolCallPart:
        code = fields(obj(part["executableCode"]))
        id = text(code.pop("id", None))
        data = noted(part, _CODE_PART_KEYS) | ({"id": id} if id else {}) | {"ran": True}
        self._code_id = id or f"code_{where}"
        written = compact(code, f"{where}.executableCode")
        return ToolCallPart(self._code_id, CODE, written, provider_executed=True, opaque=self._opaque(data))

    def _result(self, part: JSONObject, where: str) -> ToolResultPart:
        said = fields(obj(part["functionResponse"]))
        where = f"{where}.functionResponse"
        name, id = self._name(said, where), text(said.get("id"))
        data: JSONObject = {}
        if id and id not in self._sent_ids:
            data["id"] = id
        if more := {key: value for key, value in part.items() if key not in _RESULT_PART_KEYS and value is not None}:
            data["more"] = more
        if odd := {key: value for key, value in said.items() if key not in _RESULT_KEYS and value is not None}:
            data["call"] = odd
        response = object_at(said.get("response"), f"{where}.response")
        words, is_error, plain = _response(response, where)
        if not plain:
            data["response"] = response
        media = tuple(
            self._held(item, f"{where}.parts[{n}]")
            for n, item in enumerate(_listed(said.get("parts"), f"{where}.parts"))
        )
        return ToolResultPart(self._answers(id, name), name, words, is_error, media, opaque=self._opaque(data))

    def _held(self, value: object, where: str) -> MediaPart:
        media = self._media(self._fields(value, where), where)
        if media is None:
            raise wrong(where, "an object with `inlineData` or `fileData`", value)
        return media

    def _answers(self, id: str, name: str) -> str:
        """The id of the call that a result answers: its own, or that of the first call of its name that waits."""
        waiting = self._waiting
        for n, call in enumerate(waiting):
            if call.id == id if id else call.name == name:
                del waiting[n]
                return call.id
        return id or f"call_{len(self.messages)}_{name}"

    def _name(self, said: JSONObject, where: str) -> str:
        name = said.get("name")
        if not isinstance(name, str) or not name:
            raise wrong(f"{where}.name", "a name", name)
        return name

    def _opaque(self, data: JSONObject) -> Opaque | None:
        return Opaque(NAME, data, self._origin) if data else None


def _response(response: JSONObject, where: str) -> tuple[str, bool, bool]:
    """What a function gave back: as text, whether it is an error, and whether the text says all of it."""
    if len(response) == 1:
        (key, value), *_ = response.items()
        if isinstance(value, str) and key in ("result", "error", "output"):
            return value, key == "error", key != "output"
    return (compact(response, f"{where}.response") if response else ""), False, not response


def _joined(before: Part, piece: Part) -> TextPart | ReasoningPart | None:
    """Text and the signed piece behind it as the one part that they came as; None where they are two."""
    match before, piece:
        case (TextPart(), TextPart()) | (ReasoningPart(), ReasoningPart()) if before.text and not _is_signed(before):
            if piece.opaque is None or not _is_signed(piece):
                return None
            data = piece.opaque.data | {"at": len(before.text)}
            return type(piece)(before.text + piece.text, opaque=Opaque(NAME, data, piece.opaque.origin))
        case _:
            return None


def _is_signed(part: TextPart | ReasoningPart) -> bool:
    return part.opaque is not None and bool(part.opaque.data.keys() & {"thoughtSignature", "more", "part", "at"})
