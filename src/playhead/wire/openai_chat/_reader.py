"""The messages of somebody else's request in chat completions."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

import msgspec

from ...errors import DecodeError
from ...messages import (
    CacheTTL,
    MediaPart,
    Message,
    Opaque,
    Part,
    ReasoningPart,
    RefusalPart,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from .._json import JSONObject, obj, objs, text
from ._answer import media_of_url
from ._fields import list_of_objects, shown
from ._names import AUDIO, NAME

_SOUNDS = {name: kind for kind, name in reversed(AUDIO.items())}
_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
_ANSWER_KEYS = {
    *("role", "content", "refusal", "tool_calls", "function_call", "audio"),
    *("reasoning", "reasoning_content", "reasoning_details"),
}


_ENDINGS = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "mp4": "video/mp4",
    "webm": "video/webm",
    "mov": "video/quicktime",
}
"""Media types by how URLs end: some formats must have one, and a URL has no other."""


class MessageReader:
    """Reads the messages of one request, in order.

    Args:
        origin: who issued the opaque data in them; None where that is not known.
    """

    def __init__(self, origin: str | None) -> None:
        self._origin = origin
        self._messages: list[tuple[Role, list[Part]]] = []
        self._names: dict[str, str] = {}
        self._legacy: str = ""

    @property
    def messages(self) -> tuple[Message, ...]:
        """What was read so far; the results of tools that follow one another are one message."""
        return tuple(Message(role, tuple(parts)) for role, parts in self._messages)

    def read(self, message: object, where: str) -> None:
        """One more message. `where` says in errors which.

        Raises:
            DecodeError: it is none.
        """
        fields = {key: value for key, value in obj(message).items() if value is not None}
        role = _ROLES.get(text(fields.get("role")))
        if role is None:
            raise DecodeError(
                f"`{where}.role` should be one of {', '.join(_ROLES)}, but is {shown(fields.get('role'))}"
            )
        if role == "tool":
            self._result(fields, where)
            return
        if role == "assistant":
            parts = self._answer(fields, where)
            more = {key: value for key, value in fields.items() if key not in _ANSWER_KEYS}
        else:
            parts = self._content(fields.get("content"), f"{where}.content")
            more = {key: value for key, value in fields.items() if key not in ("role", "content")}
            if fields["role"] == "developer":
                more["role"] = "developer"
        if more and not parts:
            parts.append(TextPart())  # Something must hold it.
        cache, last = cache_of(fields), parts[-1] if parts else None
        if cache is not None and isinstance(last, TextPart | MediaPart):
            parts[-1] = msgspec.structs.replace(last, cache=cache)
            del more["cache_control"]
        if more:
            first = parts[0]
            data: JSONObject = first.opaque.data if first.opaque else {}
            parts[:1] = [msgspec.structs.replace(first, opaque=self._opaque({**data, "message": more}))]
        self._messages.append((role, parts))

    def _opaque(self, data: JSONObject) -> Opaque | None:
        return Opaque(NAME, data, self._origin) if data else None

    def _content(self, content: object, where: str) -> list[Part]:
        if content is None:
            return []
        if isinstance(content, str):
            return [TextPart(content)]
        pieces = list_of_objects(content, where, "a text or a list of pieces")
        return [self._piece(piece, f"{where}[{n}]") for n, piece in enumerate(pieces)]

    def _piece(self, piece: JSONObject, where: str) -> Part:
        kind = text(piece.get("type"))
        read = _PIECES.get(kind)
        if read is None:
            came, known = shown(piece.get("type")), ", ".join(_PIECES)
            raise DecodeError(f"`{where}.type` should be one of {known}, but is {came}")
        part = read(piece, where)
        if isinstance(part, ReasoningPart):
            return msgspec.structs.replace(part, opaque=self._opaque({"field": "thinking"}))
        cache = cache_of(piece)
        rest: JSONObject = {key: value for key, value in piece.items() if key not in ("type", kind)}
        if cache is not None and not isinstance(part, RefusalPart):
            part = msgspec.structs.replace(part, cache=cache)
            del rest["cache_control"]
        if more := {k: v for k, v in obj(piece[kind]).items() if v is not None and k not in _IN_PIECES.get(kind, ())}:
            rest[kind] = more
        return msgspec.structs.replace(part, opaque=self._opaque({"piece": rest})) if rest else part

    def _answer(self, fields: JSONObject, where: str) -> list[Part]:
        parts = [*self._reasoning(fields), *self._content(fields.get("content"), f"{where}.content")]
        calls = list_of_objects(fields.get("tool_calls", []), f"{where}.tool_calls")
        if refusal := text(fields.get("refusal")):
            parts.append(RefusalPart(refusal))
        if id := text(obj(fields.get("audio")).get("id")):
            parts.append(MediaPart("audio/wav", opaque=self._opaque({"audio": {"id": id}})))
        # Next to calls an empty text says nothing; alone it is all that was answered.
        if calls or "function_call" in fields or refusal:
            parts = [part for part in parts if not (isinstance(part, TextPart) and part == TextPart())]
        parts += [self._call(call, f"{where}.tool_calls[{n}]") for n, call in enumerate(calls)]
        if function := obj(fields.get("function_call")):
            self._legacy = f"call_of_{where}".replace("[", "_").replace("]", "")  # Legacy calls have no id.
            parts.append(self._call({"id": self._legacy, "function": function}, f"{where}.function_call"))
        return parts

    def _reasoning(self, fields: JSONObject) -> list[Part]:
        details = objs(fields.get("reasoning_details"))
        data: JSONObject = {}
        words = "".join(text(entry.get("text")) or text(entry.get("summary")) for entry in details)
        for field in ("reasoning_content", "reasoning"):
            if isinstance(fields.get(field), str):
                data["field"], words = field, text(fields[field])
                break
        if details:
            data["details"] = details
            if data.get("field") == "reasoning":
                data["both"] = True
        return [ReasoningPart(words, self._opaque(data))] if data else []

    def _call(self, call: JSONObject, where: str) -> ToolCallPart:
        function, custom = obj(call.get("function")), obj(call.get("custom"))
        name, given = text((custom or function).get("name")), custom.get("input", function.get("arguments"))
        if not name:
            raise DecodeError(f"`{where}` should be a function's call with a `name`")
        if given is not None and not isinstance(given, str):
            given = _as_json(given, where)  # Some clients send the object itself.
        id = text(call.get("id"))
        self._names[id] = name
        more = {k: v for k, v in call.items() if k not in ("id", "type", "function", "custom", "index")}
        if custom:
            more["type"] = "custom"
        return ToolCallPart(id, name, given or "", opaque=self._opaque({"call": more} if more else {}))

    def _result(self, fields: JSONObject, where: str) -> None:
        id = text(fields.get("tool_call_id")) or (self._legacy if fields["role"] == "function" else "")
        if not id:
            raise DecodeError(f"`{where}.tool_call_id` should name the call whose result this is")
        content = self._content(fields.get("content"), f"{where}.content")
        name = self._names.get(id) or text(fields.get("name"))
        whole = cache_of(fields)
        known = ("role", "tool_call_id", "content", "name", "cache_control" if whole else "role")
        more = {key: value for key, value in fields.items() if key not in known}
        caches: list[CacheTTL | None] = [
            whole,
            *(part.cache for part in content if isinstance(part, TextPart | MediaPart)),
        ]
        part = ToolResultPart(
            id,
            name,
            "".join(part.text for part in content if isinstance(part, TextPart)),
            media=tuple(part for part in content if isinstance(part, MediaPart)),
            cache=next((cache for cache in caches if cache), None),
            opaque=self._opaque({"message": more} if more else {}),
        )
        if self._messages and self._messages[-1][0] == "tool":
            self._messages[-1][1].append(part)
        else:
            self._messages.append(("tool", [part]))


def cache_of(fields: JSONObject) -> CacheTTL | None:
    """The cache breakpoint at a message, a piece or a tool, if there is one that is understood."""
    control = obj(fields.get("cache_control"))
    if control.get("type") != "ephemeral":
        return None
    ttl: object = control.get("ttl", "5m")
    return "1h" if ttl == "1h" else "5m" if ttl == "5m" else None


def _as_json(value: object, where: str) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise DecodeError(f"the arguments of `{where}` cannot be read: {error}") from error


def _required(piece: JSONObject, name: str, where: str) -> str:
    value: object = piece.get(name)
    if not isinstance(value, str):
        raise DecodeError(f"`{where}.{name}` should be a text, but is {shown(value)}")
    return value


def _text(piece: JSONObject, where: str) -> TextPart:
    return TextPart(_required(piece, "text", where))


def _refusal(piece: JSONObject, where: str) -> RefusalPart:
    return RefusalPart(_required(piece, "refusal", where))


def _thinking(piece: JSONObject, _: str) -> ReasoningPart:
    return ReasoningPart("".join(text(inner.get("text")) for inner in objs(piece.get("thinking"))))


def _linked(piece: JSONObject, where: str) -> MediaPart:
    """An image or a video by its URL, which may hold all of it. Some clients send the URL without an object."""
    field = text(piece.get("type"))
    plain: object = piece.get(field)
    url = plain if isinstance(plain, str) else text(obj(plain).get("url"))
    if not url:
        raise DecodeError(f"`{where}.{field}.url` should be a URL, but is {shown(obj(plain).get('url'))}")
    ending = url.partition("?")[0].rpartition(".")[2].lower()
    return media_of_url(url, _ENDINGS.get(ending, f"{field.removesuffix('_url')}/*"))


def _sound(piece: JSONObject, where: str) -> MediaPart:
    held = obj(piece.get("input_audio"))
    kind = _SOUNDS.get(text(held.get("format"))) or f"audio/{text(held.get('format')) or '*'}"
    return MediaPart(kind, _bytes(held.get("data"), f"{where}.input_audio.data"))


def _file(piece: JSONObject, where: str) -> MediaPart:
    held = obj(piece.get("file"))
    filename = text(held.get("filename")) or None
    if id := text(held.get("file_id")):
        return MediaPart("application/octet-stream", filename=filename, file_id=id)
    data = text(held.get("file_data"))
    if data.startswith(("data:", "http://", "https://")):
        return media_of_url(data, "application/pdf", filename=filename)
    return MediaPart("application/pdf", _bytes(data, f"{where}.file.file_data"), filename=filename)


def _bytes(value: object, where: str) -> bytes:
    try:
        if isinstance(value, str) and value:
            return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise DecodeError(f"`{where}` should be base64, but is {shown(value)}")


_PIECES: dict[str, Callable[[JSONObject, str], TextPart | RefusalPart | ReasoningPart | MediaPart]] = {
    "text": _text,
    "refusal": _refusal,
    "thinking": _thinking,
    "image_url": _linked,
    "video_url": _linked,
    "input_audio": _sound,
    "file": _file,
}
"""The types of pieces of content, and who reads them."""

_IN_PIECES = {
    "image_url": ("url",),
    "video_url": ("url",),
    "input_audio": ("data", "format"),
    "file": ("file_id", "file_data", "filename"),
}
"""What is read of the objects in them; what else they hold goes back to where it stood."""
