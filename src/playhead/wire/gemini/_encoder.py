"""
The server half of the Gemini wire format: events in, an answer out, as a stream or as one object.

The answer of a model that speaks this format goes out as it came, with two exceptions in a stream: usage and metadata
stand in the last chunk only, and a signature on text that was under way already follows on an empty text.
"""

from __future__ import annotations

from ...errors import PlayheadError
from ...events import MessageEnd, MessageEvent, MessageStart, PartDelta, PartEnd, PartStart
from ...messages import (
    FinishReason,
    MediaPart,
    ModelResponse,
    Opaque,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from .._history import issuer, own
from .._json import JSONObject, obj, objs, text, to_json
from .._report import Report
from ._grounding import grounding_of
from ._parts import CODE, NAME, marks, write_call, write_code, write_code_result, write_media, write_words
from ._refusals import error_body

_FINISH: dict[FinishReason, str] = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "error": "MALFORMED_RESPONSE",
    "other": "OTHER",
}

_CANDIDATE_KEYS = frozenset(
    {"finishMessage", "safetyRatings", "citationMetadata", "groundingMetadata", "groundingAttributions"}
    | {"urlContextMetadata", "urlRetrievalMetadata", "avgLogprobs", "logprobsResult", "tokenCount"}
)
"""What of an answer's metadata stands in its candidate; the rest stands beside it."""


class Encoder:
    """Events in, response bytes out. See `playhead.wire.Encoder`.

    Args:
        stream: whether to write a stream of events, or one JSON body at the end.
    """

    def __init__(self, stream: bool) -> None:
        self._stream = stream
        self._report = Report(NAME)
        self._id = ""
        self._model = ""
        self._held: set[int] = set()
        self._nameless: set[int] = set()

    @property
    def losses(self) -> tuple[str, ...]:
        """What the format could not say so far, one sentence each."""
        return self._report.losses

    def send(self, event: MessageEvent) -> bytes:
        """The bytes that say this event. See `playhead.wire.Encoder`."""
        match event:
            case MessageStart():
                self._id, self._model = event.id, event.model
                return b""
            case PartStart():
                return self._begin(event)
            case PartDelta():
                return self._more(event)
            case PartEnd():
                return self._end(event) if self._stream else b""
            case MessageEnd():
                return self._answer(event.response)

    def fail(self, error: PlayheadError) -> bytes:
        """How a stream that has begun says that it breaks off."""
        body = error_body(error)
        return _event(body) if self._stream else to_json(body)

    def _begin(self, event: PartStart) -> bytes:
        part = event.part
        if isinstance(part, ToolCallPart) and not part.id:
            self._nameless.add(event.index)  # The id that it ends with is made up.
        if isinstance(part, TextPart | ReasoningPart) and _data(part.opaque).keys() & {
            "thoughtSignature",
            "more",
            "part",
        }:
            self._held.add(event.index)
        return b""

    def _more(self, event: PartDelta) -> bytes:
        if not self._stream or event.kind == "tool_call" or event.index in self._held:
            return b""
        thought: JSONObject = {"thought": True} if event.kind == "reasoning" else {}
        return self._chunk([{"text": event.delta} | thought])

    def _end(self, event: PartEnd) -> bytes:
        part = event.part
        if isinstance(part, TextPart | RefusalPart | ReasoningPart) and event.index not in self._held:
            self._check(part)
            rest = marks(_data(part.opaque))
            thought: JSONObject = {"thought": True} if isinstance(part, ReasoningPart) else {}
            return self._chunk([{"text": ""} | thought | rest]) if rest else b""
        pieces = self._pieces(part, event.index)
        return self._chunk(pieces) if pieces else b""

    def _pieces(self, part: Part, index: int) -> list[JSONObject]:
        """A whole part."""
        data = self._check(part)
        match part:
            case TextPart() | RefusalPart() | ReasoningPart():
                return list(write_words(part, data)) if part.text or data.keys() - {"thought"} else []
            case MediaPart():
                return [write_media(part, data | ({"displayName": part.filename} if part.filename else {}))]
            case ToolCallPart(provider_executed=False):
                at_home = part.opaque is not None and part.opaque.wire == NAME
                id = text(data.get("id")) if at_home or index in self._nameless else part.id
                return [write_call(part, id, data, self._report)]
            case ToolCallPart(name="code_execution"):
                return [write_code(part, data, self._report)]
            case ToolResultPart(name="code_execution"):
                self._results_of(part)
                return [write_code_result(part, data)]
            case _:
                self._report.lost(f"what was done by the provider's own tool {part.name!r} was left out")
                return []

    def _results_of(self, part: ToolResultPart) -> None:
        if part.media:
            self._report.lost(f"files that {CODE} returned were left out")

    def _check(self, part: Part) -> JSONObject:
        """What is to go back to this format with a part; what another wants back is lost."""
        opaque = part.opaque
        if opaque is not None and opaque.wire != NAME:
            kind = part.__struct_config__.tag
            self._report.lost(f"what {issuer(opaque)} wants back with {kind} parts was left out")
        if isinstance(part, RefusalPart):
            self._report.lost("a refusal was sent as text")
        return _data(opaque)

    def _chunk(self, parts: list[JSONObject]) -> bytes:
        return _event({"candidates": [{"content": {"parts": parts, "role": "model"}, "index": 0}]} | self._about())

    def _about(self) -> JSONObject:
        named = {"modelVersion": self._model, "responseId": self._id}
        return {name: value for name, value in named.items() if value}

    def _answer(self, response: ModelResponse) -> bytes:
        """The last chunk, or all of the answer."""
        home = response.wire == NAME
        self._id, self._model = response.id, response.model
        parts: list[JSONObject] = [{"text": ""}]
        if not self._stream:
            listed = enumerate(response.message.parts)
            parts = [piece for index, part in listed for piece in self._pieces(part, index)]
        others = objs(response.metadata.get("candidates")) if home else []
        candidate = self._candidate(response, parts, home=home)
        body: JSONObject = {"candidates": [*([candidate] if candidate else []), *others]}
        if not body["candidates"]:
            del body["candidates"]
        if response.usage is not None:
            body["usageMetadata"] = response.usage.raw if home else self._usage(response.usage)
        if home:
            beside = response.metadata.keys() - _CANDIDATE_KEYS - {"candidates"}
            body |= {name: response.metadata[name] for name in sorted(beside)}
        elif response.metadata:
            self._report.lost(f"{NAME} has no place for {', '.join(sorted(response.metadata))}")
        if response.cost is not None:
            self._report.lost(f"{NAME} has no place for the cost")
        body |= self._about()
        return _event(body) if self._stream else to_json(body)

    def _candidate(self, response: ModelResponse, parts: list[JSONObject], *, home: bool) -> JSONObject:
        kept = {key: value for key, value in response.metadata.items() if key in _CANDIDATE_KEYS} if home else {}
        if home and _is_blocked(response):
            return kept  # There is no answer to a prompt that was refused.
        reason = (response.raw_finish_reason if home else None) or _FINISH[response.finish_reason]
        candidate: JSONObject = {"content": {"parts": parts, "role": "model"}, "finishReason": reason, "index": 0}
        grounding = {} if home else grounding_of(response)
        return candidate | kept | ({"groundingMetadata": grounding} if grounding else {})

    def _usage(self, usage: Usage) -> JSONObject:
        given, made, thought = usage.input_tokens, usage.output_tokens, usage.reasoning_tokens
        total = usage.total_tokens
        if total is None and given is not None and made is not None:
            total = given + made
        if thought is not None and made is not None and thought > made:
            # Some providers count thoughts beside the output here and there; the total must stay the one they sent.
            self._report.lost(f"{NAME} has no place for more reasoning tokens than output tokens")
            thought = None
        if usage.cache_write_tokens:
            self._report.lost(f"{NAME} has no place for the number of tokens that were written to the cache")
        counts = {
            "promptTokenCount": given,
            "candidatesTokenCount": None if made is None else made - (thought or 0),
            "totalTokenCount": total,
            "cachedContentTokenCount": usage.cache_read_tokens,
            "thoughtsTokenCount": thought,
        }
        return {name: value for name, value in counts.items() if value is not None}


def _data(opaque: Opaque | None) -> JSONObject:
    return own(opaque, NAME, None) or {}


def _is_blocked(response: ModelResponse) -> bool:
    """Whether the prompt was refused, for which there is no candidate."""
    reason = obj(response.metadata.get("promptFeedback")).get("blockReason")
    return bool(reason) and reason == response.raw_finish_reason and not response.message.parts


def _event(body: JSONObject) -> bytes:
    return b"data: " + to_json(body) + b"\r\n\r\n"
