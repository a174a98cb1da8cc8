"""Messages as chat completions say them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...errors import EncodeError
from ...messages import (
    CacheTTL,
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
from .._dialect import Dialect
from .._history import call_ids, issuer, object_text, own, stayed_home
from .._json import JSONObject, obj, objs, text
from .._report import Report
from ._media import encode_media, merged
from ._names import NAME

_NOTHING: JSONObject = {"role": "assistant", "content": ""}


class MessageWriter:
    """Writes the messages of one request.

    Opaque data of parts has these names, all of them optional:

    * `message`: fields of the message that Playhead has no word for, such as a user's `name`
    * `piece`: fields of a piece of content, such as an image's `detail`
    * `call`: fields of a tool call, such as Gemini's `extra_content`
    * `field`, `details`: in which field reasoning came, and the entries of `reasoning_details`; `both`: the field is
      sent back beside the details
    * `audio`: what names a sound that the model made
    """

    def __init__(self, messages: Sequence[Message], dialect: Dialect, origin: str | None, report: Report) -> None:
        self._dialect = dialect
        self._origin = origin
        self._report = report
        self._ids = call_ids(messages, dialect.call_id)
        self._messages = messages

    def write(self, breakpoints: CacheTTL | None = None) -> list[JSONObject]:
        """All of them.

        Args:
            breakpoints: set cache breakpoints behind the system prompt and the last two messages, for so long.
        """
        written = [self._message(message) for message in self._messages]
        if breakpoints and not any(getattr(part, "cache", None) for m in self._messages for part in m.parts):
            prompts = [group for group, m in zip(written, self._messages, strict=True) if m.role == "system"][-1:]
            for group in [*prompts, *written[-2:]]:
                _set_breakpoint(group, cache_control(breakpoints))
        return [body for group in written for body in group]

    def _message(self, message: Message) -> list[JSONObject]:
        match message.role:
            case "system" | "user":
                content = self._content(message.parts, message.role)
                return [{"role": message.role, "content": content} | self._beside(message.parts)]
            case "assistant":
                said = self._assistant(message)
                return [] if said == _NOTHING else [said]  # Not every provider takes an answer that says nothing.
            case "tool":
                return self._results(message)

    def _content(self, parts: Sequence[Part], role: str) -> str | list[JSONObject]:
        pieces = [self._piece(part, role) for part in parts]
        if len(pieces) <= 1 and all(piece.keys() == {"type", "text"} for piece in pieces):
            return "".join(piece["text"] for piece in pieces)
        return pieces

    def _piece(self, part: Part, role: str) -> JSONObject:
        match part:
            case TextPart():
                piece: JSONObject = {"type": "text", "text": part.text}
            case MediaPart():
                piece = encode_media(part, self._dialect)
            case _:
                raise EncodeError(f"a {role} message cannot hold a {type(part).__name__} in this wire format")
        merged(piece, obj(self._data(part).get("piece")))
        return piece | self._cache(part.cache)

    def _cache(self, ttl: CacheTTL | None) -> JSONObject:
        if ttl is None:
            return {}
        if self._dialect.cache == "breakpoints":
            return {"cache_control": cache_control(ttl)}
        self._report.setting("cache", "this provider takes no breakpoints at parts")
        return {}

    def _data(self, part: Part) -> dict[str, Any]:
        """What the issuer wants back with a part; what another issued stays home, and that is reported."""
        opaque: Opaque | None = part.opaque
        data = own(opaque, NAME, self._origin)
        if data is None and opaque is not None:
            self._report.lost(f"what {issuer(opaque)} wanted back with a {part.__struct_config__.tag} stayed home")
        return data or {}

    def _beside(self, parts: Sequence[Part]) -> JSONObject:
        """Fields of the message itself."""
        fields: JSONObject = {}
        for part in parts:
            fields |= obj((own(part.opaque, NAME, self._origin) or {}).get("message"))
        return fields

    def _assistant(self, message: Message) -> JSONObject:
        body: JSONObject = {"role": "assistant"}
        refusal = "".join(part.text for part in message.parts if isinstance(part, RefusalPart))
        content = self._words([part for part in message.parts if isinstance(part, TextPart)])
        if refusal and "refusal" in self._dialect.without:
            self._report.lost("that an answer was a refusal is said by its text alone")
            content, refusal = [*_as_pieces(content), {"type": "text", "text": refusal}] if content else refusal, ""
        if refusal:
            body |= {"content": None, "refusal": refusal}  # Without calls there must be a content.
        calls = [self._call(part) for part in message.tool_calls]
        if content or not (calls or refusal):
            body["content"] = content
        if calls:
            body["tool_calls"] = calls
        self._stay_home(message, body)
        self._reasoning(message, body)
        if self._dialect.reasoning_history and calls:
            body.setdefault("reasoning_content", "")  # What others thought stayed home.
        return body | self._beside(message.parts)

    def _words(self, parts: list[TextPart]) -> str | list[JSONObject]:
        """The text of an answer, whose parts are one text that was interrupted, unless they have something beside."""
        if any(part.citations for part in parts):
            self._report.lost("citations stayed home: chat completions take none in history")
        pieces = [self._piece(part, "assistant") for part in parts]
        if all(piece.keys() == {"type", "text"} for piece in pieces):
            return "".join(piece["text"] for piece in pieces)
        return pieces

    def _stay_home(self, message: Message, body: JSONObject) -> None:
        """What an assistant message holds and a request cannot."""
        for part in message.parts:
            match part:
                case ToolCallPart(provider_executed=True) | ToolResultPart():
                    stayed_home(part, self._report)
                case MediaPart():
                    data = own(part.opaque, NAME, self._origin) or {}
                    if id := text(obj(data.get("audio")).get("id")):
                        body["audio"] = {"id": id}
                    else:
                        self._report.lost(f"{part.media_type} that the model made stayed home")
                case _:
                    pass

    def _call(self, call: ToolCallPart) -> JSONObject:
        more = dict(obj(self._data(call).get("call")))
        id = self._ids[call.id]
        if more.get("type") == "custom":
            return {"id": id, "custom": {"name": call.name, "input": call.arguments}} | more
        function = {"name": call.name, "arguments": object_text(call, self._report)}
        return {"id": id, "type": "function", "function": function} | more

    def _reasoning(self, message: Message, body: JSONObject) -> None:
        """Reasoning in the form in which its issuer sent it, which is the form in which it wants it back."""
        details: list[JSONObject] = []
        texts: dict[str, list[str]] = {}
        both = False
        for part in message.parts:
            if not isinstance(part, ReasoningPart):
                continue
            data = own(part.opaque, NAME, self._origin)
            if data is None:
                stayed_home(part, self._report)
                continue
            details += objs(data.get("details"))
            both = both or data.get("both") is True
            if field := text(data.get("field")):
                texts.setdefault(field, []).append(part.text)
        if details:
            body["reasoning_details"] = details
        for field, words in texts.items():
            if field == "thinking":
                body["content"] = [thinking_piece("".join(words)), *_as_pieces(body.get("content"))]
            elif both or not (details and field == "reasoning"):
                body[field] = "".join(words)

    def _results(self, message: Message) -> list[JSONObject]:
        """One message a result; media must follow as a user message, after all of them."""
        written: list[JSONObject] = []
        media: list[JSONObject] = []
        for part in message.parts:
            if not isinstance(part, ToolResultPart):
                raise EncodeError(f"a tool message cannot hold a {type(part).__name__}")
            content: str | list[JSONObject] = part.text
            if cache := self._cache(part.cache):
                content = [{"type": "text", "text": part.text} | cache]
            if part.is_error and not part.text.lower().startswith("error"):
                self._report.lost("that a tool's result is an error is said by its text alone")
            more = obj(self._data(part).get("message"))
            written.append({"role": "tool", "tool_call_id": self._ids[part.call_id], "content": content} | more)
            if part.media:
                media.append({"type": "text", "text": f"What {part.name} returned (call {self._ids[part.call_id]}):"})
                media.extend(self._piece(item, "user") for item in part.media)
        if media:
            written.append({"role": "user", "content": media})
        return written


def cache_control(ttl: CacheTTL) -> JSONObject:
    """A breakpoint as Anthropic's models want it; five minutes need no word."""
    return {"type": "ephemeral"} if ttl == "5m" else {"type": "ephemeral", "ttl": ttl}


def thinking_piece(words: str) -> JSONObject:
    """Reasoning as a piece of content, as Mistral has it. https://docs.mistral.ai/capabilities/reasoning"""
    return {"type": "thinking", "thinking": [{"type": "text", "text": words}]}


def _as_pieces(content: object) -> list[JSONObject]:
    return [{"type": "text", "text": content}] if isinstance(content, str) and content else objs(content)


def _set_breakpoint(messages: list[JSONObject], control: JSONObject) -> None:
    """Behind the last message that has content: calls alone have no place for it."""
    for message in reversed(messages):
        if pieces := _as_pieces(message.get("content")):
            message["content"] = [*pieces[:-1], pieces[-1] | {"cache_control": control}]
            return
