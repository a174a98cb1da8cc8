"""The request half of the Gemini wire format: the conversation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from ...errors import EncodeError
from ...messages import (
    MediaPart,
    Message,
    ModelRequest,
    Opaque,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from .._dialect import Dialect, Encoded
from .._history import issuer, own, stayed_home
from .._json import JSONObject, obj, text, to_json
from .._report import Report
from .._settings import options_into
from ._parts import CODE, NAME, write_call, write_code, write_code_result, write_media, write_words
from ._settings import encode_settings, encode_tools, over

NO_SIGNATURE = "skip_thought_signature_validator"
"""What Google wants in place of a signature on calls that its model did not make.
https://ai.google.dev/gemini-api/docs/thought-signatures#faqs"""

_GENERATION = re.compile(r"gemini-(\d{1,3})")
_LATEST = re.compile(r"gemini-[a-z-]+-latest$")
_OF_LATEST = 3
"""The generation of models such as `gemini-pro-latest`."""


def encode_request(request: ModelRequest, dialect: Dialect, origin: str | None = None) -> Encoded:
    """The request's body; the model and whether it streams stand in the path.

    Objects in `extra_body`, and in the dialect's body, are merged field by field, so that a field of
    `generationConfig` can be added.

    Args:
        dialect: what this provider's requests have of their own.
        origin: the provider that it goes to: thought signatures of another stay home, and are reported.

    Raises:
        EncodeError: the format has no words for a part, or the provider has no such option.
    """
    report = Report(NAME)
    settings = request.settings.copy()
    for name in dialect.unsupported:
        if settings.get(name) is not None:
            settings.pop(name)
            report.setting(name, "this provider does not take it")
    talk = _Conversation(request, origin, report)
    body: JSONObject = {"contents": talk.contents()}
    if talk.system:
        body["systemInstruction"] = {"parts": talk.system, "role": "user"}
    body |= encode_settings(settings, request.model, generation(request.model), report)
    body |= encode_tools(request, settings, report)
    body = over(dialect.body, body)
    headers = options_into(body, settings.get("options") or {}, dialect)
    body = over(body, settings.get("extra_body") or {})
    for name in dialect.without:
        body.pop(name, None)
    headers |= settings.get("extra_headers") or {}
    return Encoded(to_json(body), tuple(headers.items()), report.losses, report.unsupported)


def generation(model: str) -> int | None:
    """The model's generation, such as 3 for `gemini-3.1-pro`; None where the name does not tell."""
    found = _GENERATION.search(model)
    if found is None:
        return _OF_LATEST if _LATEST.search(model) else None
    return int(found[1])


class _Conversation:
    """The messages of a request on their way out."""

    def __init__(self, request: ModelRequest, origin: str | None, report: Report) -> None:
        self.system: list[JSONObject] = []
        self._messages = request.messages
        self._new = (generation(request.model) or 0) >= 3
        self._origin = origin
        self._report = report
        self._ids: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._turns: dict[str, int] = {}
        self._calls = 0

    def contents(self) -> list[JSONObject]:
        """The turns; results that follow one another are one."""
        contents: list[JSONObject] = []
        for is_tool, messages in groupby(self._messages, lambda message: message.role == "tool"):
            if is_tool:
                results = [part for message in messages for part in message.parts]
                contents.append({"parts": self._results(results), "role": "user"})
                continue
            for message in messages:
                match message.role:
                    case "system":
                        self._instruct(message, contents)
                    case "user":
                        parts = [piece for part in message.parts for piece in self._user_part(part)]
                        if parts:
                            contents.append({"parts": parts, "role": "user"})
                    case _:
                        parts = [piece for part in message.parts for piece in self._model_part(part)]
                        if self._new:
                            _sign(parts)
                        if parts:  # An empty turn is refused.
                            contents.append({"parts": parts, "role": "model"})
        return contents

    def _instruct(self, message: Message, before: list[JSONObject]) -> None:
        if before:
            self._report.lost("a system message in the middle of the conversation was moved to its beginning")
        for part in message.parts:
            if not isinstance(part, TextPart):
                raise EncodeError(f"a system message cannot hold a {type(part).__name__} in {NAME}, only text")
            data = self._home(part.opaque, part)
            if part.text or data:
                self.system += write_words(part, data)

    def _user_part(self, part: Part) -> Iterator[JSONObject]:
        match part:
            case TextPart():
                data = self._home(part.opaque, part)
                if part.text or data:  # Empty text is refused.
                    yield from write_words(part, data)
            case MediaPart():
                yield self._media(part)
            case _:
                raise EncodeError(f"a user message cannot hold a {type(part).__name__} in {NAME}")

    def _model_part(self, part: Part) -> Iterator[JSONObject]:
        match part:
            case ReasoningPart():
                yield from self._reasoning(part)
            case TextPart() | RefusalPart():
                if isinstance(part, RefusalPart):
                    self._report.lost("a refusal was sent as text")
                data = self._home(part.opaque, part)
                if part.text or data:
                    yield from write_words(part, data)
            case MediaPart():
                yield self._media(part)
            case ToolCallPart(provider_executed=True) | ToolResultPart():
                data = own(part.opaque, NAME, self._origin)
                if part.name != CODE or (data is None and part.opaque is not None):
                    stayed_home(part, self._report)
                elif isinstance(part, ToolCallPart):
                    yield write_code(part, data or {}, self._report)
                else:
                    yield write_code_result(part, data or {})
            case ToolCallPart():
                data = self._home(part.opaque, part)
                id = text(data.get("id"))
                self._ids[part.id], self._names[part.id] = id, part.name
                self._turns[part.id] = self._calls = self._calls + 1
                yield write_call(part, id, data, self._report)

    def _reasoning(self, part: ReasoningPart) -> Iterator[JSONObject]:
        data = own(part.opaque, NAME, self._origin)
        if data is None:
            stayed_home(part, self._report)
        elif data.keys() & {"thoughtSignature", "more", "part", "sent"}:
            yield from write_words(part, data)
        # Else it is a summary, made for readers: the model does not want it back.

    def _media(self, part: MediaPart) -> JSONObject:
        data = self._home(part.opaque, part)
        if part.filename and not data.get("displayName"):
            self._report.lost(f"the file name {part.filename!r} was left out")
        return write_media(part, data)

    def _results(self, results: list[Part]) -> list[JSONObject]:
        """Results first, then what of their media cannot stand in them."""
        pieces: list[JSONObject] = []
        beside: list[JSONObject] = []
        for part in sorted(results, key=self._turn):
            if not isinstance(part, ToolResultPart):
                raise EncodeError(f"a tool message cannot hold a {type(part).__name__}")
            media = [self._media(item) for item in part.media]
            name = part.name or self._names.get(part.call_id, "")
            pieces.append(self._result(part, name, media if self._new else []))
            if media and not self._new:
                beside += [{"text": f"What {name} returned:"}, *media]
        return pieces + beside

    def _turn(self, part: Part) -> int:
        """A result's place among those of its turn: where ids are missing, only the order says what answers what."""
        return self._turns.get(part.call_id, -1) if isinstance(part, ToolResultPart) else -1

    def _result(self, part: ToolResultPart, name: str, media: list[JSONObject]) -> JSONObject:
        data = self._home(part.opaque, part)
        id = self._ids.get(part.call_id) if part.call_id in self._ids else text(data.get("id"))
        response = obj(data.get("response")) or {"error" if part.is_error else "result": part.text}
        said = obj(data.get("call")) | {"name": name, "response": response}
        if media:
            said["parts"] = media
        return {"functionResponse": {"id": id} | said if id else said} | obj(data.get("more"))

    def _home(self, opaque: Opaque | None, part: Part) -> JSONObject:
        """What the receiver wants back with a part that is sent in any case."""
        if isinstance(part, TextPart) and part.citations:
            self._report.lost("citations of texts stayed home")
        if getattr(part, "cache", None):
            self._report.setting("cache", "cache breakpoints on parts have no words here: Gemini caches by itself")
        data = own(opaque, NAME, self._origin)
        if data is not None or opaque is None:
            return data or {}
        if opaque.data.keys() - {"id", "thought"}:
            kind = part.__struct_config__.tag
            self._report.lost(f"what {issuer(opaque)} wants back with {kind} parts stayed home")
        return {}


def _sign(parts: list[JSONObject]) -> None:
    """Gemini 3 refuses a step whose first call has no signature; calls made elsewhere say so."""
    first = next((part for part in parts if "functionCall" in part), None)
    if first is not None:
        first.setdefault("thoughtSignature", NO_SIGNATURE)
