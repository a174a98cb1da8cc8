"""Content blocks of Converse, to and from parts of messages: what requests and answers have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ...errors import DecodeError, EncodeError
from ...messages import (
    CacheTTL,
    Citation,
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
from .._history import issuer, own, stayed_home
from .._json import JSONObject, loads, obj, objs, text
from .._report import Report
from ._media import KINDS, NAME, DocumentNames, decode_media, encode_media

_ALLOWED: dict[str, tuple[type[Part], ...]] = {
    "user": (TextPart, MediaPart, ToolResultPart),
    "tool": (ToolResultPart,),
    "system": (TextPart,),
}
"""The parts that messages may hold; the assistant's may hold all."""


_KIND: dict[type[Part], str] = {TextPart: "text", ToolCallPart: "tool call"}


class Blocks:
    """Makes content blocks of parts.

    Args:
        report: where losses go.
        origin: the provider that the blocks go to; opaque data of another stays home.
        ids: for each id of a call, the one to send.
        unsigned: whether the model takes its reasoning back without a signature.
        caches: whether the model knows cache checkpoints.
        answer: whether this is an answer to somebody, who is to see the reasoning whoever thought.
    """

    def __init__(
        self,
        report: Report,
        origin: str | None,
        ids: Mapping[str, str],
        *,
        unsigned: bool = True,
        caches: bool = True,
        answer: bool = False,
    ) -> None:
        self._report = report
        self._origin = origin
        self._ids = ids
        self._unsigned = unsigned
        self._caches = caches
        self._answer = answer
        self._names = DocumentNames()
        self._ran: set[str] = set()

    def of(self, message: Message) -> list[JSONObject]:
        """The blocks of a message.

        Raises:
            EncodeError: a message of its role cannot hold a part, or Converse has no word for it.
        """
        blocks: list[JSONObject] = []
        for part in message.parts:
            if not isinstance(part, _ALLOWED.get(message.role, Part)):
                raise EncodeError(f"a {message.role} message cannot hold a {type(part).__name__} in Converse")
            said = [] if message.role == "assistant" and self._stays(part) else self.part(part)
            blocks += said
            if said and isinstance(part, TextPart | MediaPart | ToolResultPart) and part.cache and self._caches:
                blocks.append(checkpoint(part.cache))
        return blocks

    def _stays(self, part: Part) -> bool:
        """Whether a part of the assistant's has no place in a request; it is reported."""
        if isinstance(part, MediaPart):
            self._report.lost(f"{part.media_type} of an assistant was left out: Converse takes media from users only")
            return True
        if isinstance(part, ToolResultPart) and part.call_id not in self._ran:
            stayed_home(part, self._report)
            return True
        return False

    def part(self, part: Part) -> list[JSONObject]:
        """The blocks of a part; none where there is nothing to say."""
        match part:
            case TextPart():
                return self._text(part)
            case RefusalPart():
                self._report.lost("a refusal was sent as text: Converse has no word for it")
                return [{"text": part.text}] if self._is_said(part.text) else []
            case ReasoningPart():
                return self._reasoning(part)
            case ToolCallPart():
                return self._call(part)
            case MediaPart():
                return [encode_media(part, self._names, self._origin)]
            case ToolResultPart():
                return self._result(part)

    def _text(self, part: TextPart) -> list[JSONObject]:
        if block := self._block(part):
            return [block]
        self._noted(part)
        if not self._is_said(part.text):
            if part.citations and not self._answer:
                self._report.lost("citations of a text that is blank were left out")
            if not (part.citations and self._answer):
                return []
        citations = [data["citation"] for item in part.citations if (data := own(item.opaque, NAME, self._origin))]
        if self._answer and len(citations) < len(part.citations):
            citations = [encode_citation(item, self._origin) for item in part.citations]
        elif len(citations) < len(part.citations):
            self._report.lost("citations of somebody else stayed home")
        if not citations:
            return [{"text": part.text}]
        return [{"citationsContent": {"content": [{"text": part.text}], "citations": citations}}]

    def _is_said(self, text: str) -> bool:
        """Whether there is something to say: blank text is refused in a request."""
        return bool(text if self._answer else text.strip())

    def _noted(self, part: TextPart | ToolCallPart) -> None:
        """Report what somebody else wants back with a part, which is sent without."""
        opaque = part.opaque
        if opaque is None or self._answer or own(opaque, NAME, self._origin) is not None:
            return
        if opaque.data.keys() - {"id", "caller"}:
            self._report.lost(f"what {issuer(opaque)} noted on a {_KIND[type(part)]} stayed home")

    def _reasoning(self, part: ReasoningPart) -> list[JSONObject]:
        data = own(part.opaque, NAME, self._origin)
        if data is not None and "redacted" in data:
            return [{"reasoningContent": {"redactedContent": data["redacted"]}}]
        if data is not None and "signature" in data:
            said = {"text": part.text, "signature": data["signature"]}
            return [{"reasoningContent": {"reasoningText": said}}]
        if self._answer or (data is not None and self._unsigned):
            shown = part.text or data or part.opaque is None
            return [{"reasoningContent": {"reasoningText": {"text": part.text}}}] if shown else []
        if part.opaque is not None:
            stayed_home(part, self._report)
        return []

    def _call(self, part: ToolCallPart) -> list[JSONObject]:
        if part.provider_executed and not self._answer and own(part.opaque, NAME, self._origin) is None:
            stayed_home(part, self._report)
            return []
        block = {"toolUseId": self._ids.get(part.id, part.id), "name": part.name, "input": self._input(part)}
        if part.provider_executed:
            block["type"] = "server_tool_use"
            self._ran.add(part.id)
        self._noted(part)
        return [{"toolUse": block | (own(part.opaque, NAME, self._origin) or {}).get("fields", {})}]

    def _input(self, part: ToolCallPart) -> Any:
        if self._answer:
            return _input_of(part.arguments)
        try:
            value = loads(part.arguments.encode("utf-8", "replace") or b"{}", "arguments")
        except DecodeError:
            value = None
        if isinstance(value, dict):
            return obj(value)  # pyright: ignore[reportUnknownArgumentType]
        self._report.lost(f"the arguments of call {part.id!r} are no JSON object, and were sent inside of one")
        return {"arguments": part.arguments}

    def _result(self, part: ToolResultPart) -> list[JSONObject]:
        if block := self._block(part):
            id = {"toolUseId": self._ids.get(part.call_id, part.call_id)} if part.call_id else {}
            return [{"toolResult": obj(block.get("toolResult")) | id}]
        content: list[JSONObject] = [{"text": part.text}] if part.text else []
        content += [self._media(media) for media in part.media]
        result = {"toolUseId": self._ids.get(part.call_id, part.call_id), "content": content}
        if part.is_error:
            result["status"] = "error"
        return [{"toolResult": result}]

    def _media(self, media: MediaPart) -> JSONObject:
        block = encode_media(media, self._names, self._origin)
        if "audio" in block:
            raise EncodeError("the result of a tool cannot hold audio in Converse: images, documents and videos only")
        return block

    def _block(self, part: TextPart | ToolResultPart) -> JSONObject | None:
        """The block that a part came as, where it says more than the part."""
        return (own(part.opaque, NAME, self._origin) or {}).get("block")


def _input_of(arguments: str) -> Any:
    """A call's input in an answer: the arguments as a value, or what the model wrote, where it is none."""
    try:
        value = loads(arguments.encode("utf-8", "replace") or b"{}", "arguments")
    except DecodeError:
        return arguments
    return arguments if isinstance(value, str) else value


def checkpoint(ttl: str) -> JSONObject:
    """A cache checkpoint. Five minutes are what is meant where nothing is said."""
    point = {"type": "default"} if ttl == "5m" else {"type": "default", "ttl": "1h"}
    return {"cachePoint": point}


def compact(value: object) -> str:
    """JSON without white space. A string is given as it is: some models do not write an object."""
    if isinstance(value, str):
        return value
    try:
        return msgspec.json.encode({} if value is None else value).decode()
    except (TypeError, ValueError, RecursionError) as error:
        raise DecodeError(f"the input of a tool call cannot be said as JSON: {error}") from error


def decode_citation(raw: JSONObject, origin: str | None) -> Citation:
    """A citation. Where it stands in the source is left in the provider's own form."""
    quoted = "".join(text(piece.get("text")) for piece in objs(raw.get("sourceContent")))
    web = obj(obj(raw.get("location")).get("web"))
    return Citation(
        text(web.get("url")) or None,
        text(raw.get("title")) or None,
        quoted or None,
        opaque=Opaque(NAME, {"citation": raw}, origin),
    )


def encode_citation(citation: Citation, origin: str | None) -> JSONObject:
    """A citation of whatever provider."""
    if data := own(citation.opaque, NAME, origin):
        return data["citation"]
    raw: JSONObject = {}
    if citation.title:
        raw["title"] = citation.title
    if citation.text:
        raw["sourceContent"] = [{"text": citation.text}]
    if citation.url:
        raw["location"] = {"web": {"url": citation.url}}
    return raw


def decode_result(raw: JSONObject, name: str, origin: str | None) -> ToolResultPart:
    """The result of a tool: text is joined, JSON becomes text, files become media."""
    said: list[str] = []
    media: list[MediaPart] = []
    for piece in objs(raw.get("content")):
        for kind, value in piece.items():
            found = decode_media(kind, value, origin) if kind in KINDS else None
            if found is not None:
                media.append(found)
            elif kind == "text":
                said.append(text(value))
            elif kind not in KINDS:
                said.append(compact(value))
    failed = raw.get("status") == "error"
    part = ToolResultPart(text(raw.get("toolUseId")), name, "".join(said), failed, tuple(media))
    try:
        plain = Blocks(Report(NAME), origin, {}).part(part) == [{"toolResult": raw}]
    except EncodeError:
        plain = False
    return (
        part if plain else msgspec.structs.replace(part, opaque=Opaque(NAME, {"block": {"toolResult": raw}}, origin))
    )


def unknown_block(block: JSONObject, origin: str | None) -> TextPart:
    """A block that has no part of its own (a cache checkpoint at an odd place, guarded content, what is new): it goes
    back as it came."""
    return TextPart("", opaque=Opaque(NAME, {"block": block}, origin))


def cached(parts: list[Part], block: JSONObject) -> bool:
    """Note a cache checkpoint on the part before it. False where that part has no place for it."""
    point = obj(block.get("cachePoint"))
    ttl: CacheTTL = "1h" if point.get("ttl") == "1h" else "5m"
    if not parts or point.keys() - {"type", "ttl"} or point.get("type") != "default":
        return False
    last = parts[-1]
    if not isinstance(last, TextPart | MediaPart | ToolResultPart) or last.cache or _is_unknown(last):
        return False
    parts[-1] = msgspec.structs.replace(last, cache=ttl)
    return True


def _is_unknown(part: Part) -> bool:
    return isinstance(part, TextPart) and not part.text and part.opaque is not None


def is_objects(value: object) -> bool:
    """Whether it is a list of objects, as all of Converse's lists of blocks are."""
    return isinstance(value, list) and len(objs(value)) == len(value)  # pyright: ignore[reportUnknownArgumentType]


def only_member(block: JSONObject) -> tuple[str, Any]:
    """What a block is, and what it holds: one member of the union is set."""
    return next(((kind, value) for kind, value in block.items() if value is not None), ("", None))
