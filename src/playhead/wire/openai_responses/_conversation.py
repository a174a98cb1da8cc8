"""The conversation in the Responses format's list of input items, read."""

from __future__ import annotations

import re
from typing import Literal, cast

import msgspec

from ...errors import DecodeError
from ...messages import (
    MediaPart,
    Message,
    Opaque,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from .._json import JSONObject, obj, objs, text
from ._input import REASONING_MODELS
from ._items import (
    CLIENT_OUTPUTS,
    CUSTOM,
    NAME,
    call_of,
    citation_of,
    dumps,
    from_base64,
    media_from_url,
    reasoning_of,
    rest_of,
    results_of,
)

_MEDIA_FIELDS = frozenset({"type", "image_url", "file_id", "file_data", "file_url", "filename", "input_audio"})
_ENDING = re.compile(r"\.(\w+)$")
_BY_ENDING = {"pdf": "application/pdf", "txt": "text/plain", "md": "text/markdown", "csv": "text/csv"}


def wrong(where: str, wanted: str, value: object) -> DecodeError:
    shown = "is missing" if value is None else f"is {dumps(value)[:80]}"
    return DecodeError(f"`{where}` should be {wanted}, but {shown}")


class Conversation:
    """Items in, messages out: what a model said in one turn is one message, and so are the results of its calls."""

    def __init__(self, model: str, origin: str | None) -> None:
        self._natural = "developer" if REASONING_MODELS.search(model) else "system"
        self._origin = origin
        self._messages: list[Message] = []
        self._role: Literal["assistant", "tool"] | None = None
        self._parts: list[Part] = []
        self._names: dict[str, str] = {}

    def done(self) -> tuple[Message, ...]:
        self._turn(None)
        return tuple(self._messages)

    def instructions(self, value: object) -> None:
        if isinstance(value, str):
            part = TextPart(value, opaque=self._opaque({"instructions": True}))
            self._messages.append(Message("system", (part,)))
        elif value is not None:
            raise wrong("instructions", "a string", value)

    def input(self, value: object) -> None:
        if isinstance(value, str):
            self._messages.append(Message("user", (TextPart(value),)))
        elif isinstance(value, list):
            for n, item in enumerate(cast("list[object]", value)):
                if not isinstance(item, dict):
                    raise wrong(f"input[{n}]", "an object", item)
                self._item(f"input[{n}]", obj(item))  # pyright: ignore[reportUnknownArgumentType]
        elif value is not None:
            raise wrong("input", "a string or a list", value)

    def _opaque(self, data: JSONObject) -> Opaque | None:
        return Opaque(NAME, data, self._origin) if data else None

    def _turn(self, role: Literal["assistant", "tool"] | None) -> None:
        """What follows is said by another than what came before."""
        if role != self._role or role is None:
            if self._role and self._parts:
                self._messages.append(Message(self._role, tuple(self._parts)))
            self._role, self._parts = role, []

    def _add(self, role: Literal["assistant", "tool"], *parts: Part) -> None:
        self._turn(role)
        self._parts.extend(parts)

    def _item(self, where: str, item: JSONObject) -> None:
        kind = item.get("type")
        if kind is None and "role" in item:
            kind = "message"
        match kind:
            case "message":
                self._message(where, item)
            case "function_call":
                self._call(where, item)
            case "function_call_output":
                self._output(where, item, "function")
            case "reasoning":
                words = "\n".join(reasoning_of(item))
                data = {key: value for key, value in item.items() if value is not None and key != "type"}
                self._add("assistant", ReasoningPart(words, self._opaque(data)))
            case "item_reference" | None if "role" not in item:
                raise DecodeError(f"`{where}` refers to an item that is not kept here: send the item itself")
            case str() if kind in CLIENT_OUTPUTS and self._asked(item):
                self._output(where, item, CLIENT_OUTPUTS[kind])
            case str():
                self._other(kind, item)
            case _:
                raise wrong(f"{where}.type", "the name of a kind of item", kind)

    def _asked(self, item: JSONObject) -> bool:
        """Whether it answers to a call that the caller was to run."""
        return (text(item.get("call_id")) or text(item.get("id"))) in self._names

    def _other(self, kind: str, item: JSONObject) -> None:
        """An item that goes back as it came."""
        opaque = self._opaque({"item": item})
        if call := call_of(item):
            self._add("assistant", ToolCallPart(call.id, call.name, call.arguments, call.hosted, opaque))
            self._add("assistant", *results_of(item, self._origin))
            if not call.hosted:
                self._names[call.id] = call.name
        elif kind.endswith("_output"):
            output, id = item.get("output"), text(item.get("call_id")) or text(item.get("id"))
            words = output if isinstance(output, str) else "" if output is None else dumps(output)
            self._add("assistant", ToolResultPart(id, kind.removesuffix("_output"), words, opaque=opaque))
        else:
            self._add("assistant", ReasoningPart("", opaque))

    # Messages

    def _message(self, where: str, item: JSONObject) -> None:
        content, role = item.get("content"), item.get("role")
        if isinstance(content, str):
            pieces: list[JSONObject] = [{"type": "text", "text": content}]
        elif isinstance(content, list):
            pieces = [self._object(f"{where}.content[{n}]", it) for n, it in enumerate(cast("list[object]", content))]
        else:
            raise wrong(f"{where}.content", "a string or a list", content)
        match role:
            case "system" | "developer":
                marked = {} if role == self._natural else {"role": role}
                self._plain("system", where, pieces, marked)
            case "user":
                self._plain("user", where, pieces, {})
            case "assistant":
                data = rest_of(item)
                self._add(
                    "assistant",
                    *(self._said(f"{where}.content[{n}]", piece, data) for n, piece in enumerate(pieces)),
                )
            case _:
                raise wrong(f"{where}.role", "user, assistant, system or developer", role)

    def _object(self, where: str, value: object) -> JSONObject:
        if not isinstance(value, dict):
            raise wrong(where, "an object", value)
        return obj(value)  # pyright: ignore[reportUnknownArgumentType]

    def _plain(self, role: Literal["system", "user"], where: str, pieces: list[JSONObject], data: JSONObject) -> None:
        self._turn(None)
        parts = [self._piece(f"{where}.content[{n}]", piece, data) for n, piece in enumerate(pieces)]
        self._messages.append(Message(role, tuple(parts)))

    def _piece(self, where: str, piece: JSONObject, data: JSONObject | None = None) -> TextPart | MediaPart:
        kind = piece.get("type")
        if kind in ("input_text", "text", "output_text"):
            if not isinstance(piece.get("text"), str):
                raise wrong(f"{where}.text", "a string", piece.get("text"))
            fields = {key: value for key, value in piece.items() if key not in ("type", "text") and value is not None}
            return TextPart(piece["text"], opaque=self._opaque((data or {}) | ({"fields": fields} if fields else {})))
        fields = {key: value for key, value in piece.items() if key not in _MEDIA_FIELDS and value is not None}
        media = _media(where, piece)
        return msgspec.structs.replace(media, opaque=self._opaque({"fields": fields})) if fields else media

    def _said(self, where: str, piece: JSONObject, data: JSONObject) -> TextPart | RefusalPart:
        match piece.get("type"):
            case "output_text" | "text" | "input_text":
                if not isinstance(piece.get("text"), str):
                    raise wrong(f"{where}.text", "a string", piece.get("text"))
                cited = tuple(citation_of(it, self._origin) for it in objs(piece.get("annotations")))
                return TextPart(piece["text"], cited, opaque=self._opaque(data))
            case "refusal":
                return RefusalPart(text(piece.get("refusal")), self._opaque(data))
            case kind:
                raise wrong(f"{where}.type", "output_text or refusal", kind)

    # Calls and their results

    def _call(self, where: str, item: JSONObject) -> None:
        id, name, arguments = item.get("call_id"), item.get("name"), item.get("arguments")
        if not isinstance(id, str) or not id:
            raise wrong(f"{where}.call_id", "the call's id", id)
        if not isinstance(name, str) or not name:
            raise wrong(f"{where}.name", "the function's name", name)
        if arguments is not None and not isinstance(arguments, str):
            raise wrong(f"{where}.arguments", "JSON in a string", arguments)
        self._names[id] = name
        self._add("assistant", ToolCallPart(id, name, arguments or "", opaque=self._opaque(rest_of(item))))

    def _output(self, where: str, item: JSONObject, kind: str) -> None:
        id = item.get("call_id") or item.get("id")
        if not isinstance(id, str) or not id:
            raise wrong(f"{where}.call_id", "the call's id", id)
        known = ("id", "output", "status") if kind != "apply_patch_call" else ("id", "output")
        fields = {key: value for key, value in rest_of(item, *known).items() if key != "status"}
        words, media = self._returned(f"{where}.output", item.get("output"), kind)
        if kind in ("function", CUSTOM) and not _natural(item.get("output")):
            fields["output"] = item.get("output")
        failed = item.get("status") == "failed" or (kind == "shell_call" and _failed(item.get("output")))
        opaque = self._opaque({"fields": fields} if fields else {})
        self._add("tool", ToolResultPart(id, self._names.get(id, ""), words, failed, media, opaque=opaque))

    def _returned(self, where: str, output: object, kind: str) -> tuple[str, tuple[MediaPart, ...]]:
        match output:
            case None if kind != "function":
                return "", ()
            case str():
                return output, ()
            case dict() if kind == "computer_call":
                shown = obj(output)  # pyright: ignore[reportUnknownArgumentType]
                return "", (_media(where, {**shown, "type": "input_image"}),)
            case list() if kind == "shell_call":
                pieces = objs(output)  # pyright: ignore[reportUnknownArgumentType]
                return "".join(text(piece.get("stdout")) + text(piece.get("stderr")) for piece in pieces), ()
            case list():
                items = cast("list[object]", output)
                parts = [
                    self._piece(f"{where}[{n}]", self._object(f"{where}[{n}]", it)) for n, it in enumerate(items)
                ]
                words = "".join(part.text for part in parts if isinstance(part, TextPart))
                return words, tuple(part for part in parts if isinstance(part, MediaPart))
            case _:
                raise wrong(where, "a string or a list", output)


def _natural(output: object) -> bool:
    """Whether a result is words, with media behind them: what it says in another order goes back as it came."""
    pieces = objs(output)
    words = [n for n, piece in enumerate(pieces) if "text" in piece]
    return words in ([], [0]) and all(pieces[n] == {"type": "input_text", "text": pieces[n]["text"]} for n in words)


def _failed(output: object) -> bool:
    outcomes = [obj(piece.get("outcome")) for piece in objs(output)]
    return any(outcome.get("type") == "timeout" or bool(outcome.get("exit_code")) for outcome in outcomes)


def _media(where: str, piece: JSONObject) -> MediaPart:
    match piece.get("type"):
        case "input_image":
            if url := text(piece.get("image_url")):
                return media_from_url(url, "image/png", "image/*")
            kind = "image/*"
        case "input_audio":
            sound = obj(piece.get("input_audio"))
            data = from_base64(text(sound.get("data")))
            if data is None or sound.get("format") not in ("wav", "mp3"):
                raise wrong(f"{where}.input_audio", "WAV or MP3 in base64", piece.get("input_audio"))
            return MediaPart("audio/wav" if sound["format"] == "wav" else "audio/mpeg", data)
        case "input_file":
            return _file(where, piece)
        case kind:
            raise wrong(f"{where}.type", "input_text, input_image, input_file or input_audio", kind)
    if not (id := text(piece.get("file_id"))):
        raise wrong(where, "an image with `image_url` or `file_id`", piece)
    return MediaPart(kind, file_id=id)


def _file(where: str, piece: JSONObject) -> MediaPart:
    filename = text(piece.get("filename")) or None
    ending = _ENDING.search(filename or text(piece.get("file_url")))
    kind = _BY_ENDING.get(ending[1].lower() if ending else "pdf", "application/octet-stream")
    if data := text(piece.get("file_data")):
        found = media_from_url(data, kind, kind)
        held = found.data if found.data is not None else from_base64(data)
        if held is None:
            raise wrong(f"{where}.file_data", "a data URL or base64", data)
        return MediaPart(found.media_type, held, filename=filename)
    if url := text(piece.get("file_url")):
        return MediaPart(kind, url=url, filename=filename)
    if id := text(piece.get("file_id")):
        return MediaPart(kind, filename=filename, file_id=id)
    raise wrong(where, "a file with `file_data`, `file_url` or `file_id`", piece)
