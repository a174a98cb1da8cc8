"""Gemini: response bytes to events."""

from __future__ import annotations

from typing import Any, cast

from ...errors import DecodeError, TruncatedStream
from ...messages import FinishReason, Usage
from .._assembler import Call, Prose, ProseKind
from .._decoder import BaseDecoder, event_object, object_of
from .._json import JSONObject, count, keep, obj, objs, text
from ._grounding import MAX_SOURCES, cite, sources
from ._parts import CODE, NAME, compact, noted, read_code_result, read_media
from ._refusals import refusal

PATH = "/models/{model}:generateContent"
STREAM_PATH = "/models/{model}:streamGenerateContent?alt=sse"
STREAM_TYPE = "text/event-stream"

_CONTENT_FILTER = ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "JAILBREAK")
_IMAGE_FILTER = ("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION")
_FAULTS = ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE")

_FINISH: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(_CONTENT_FILTER + _IMAGE_FILTER, "content_filter"),
    **dict.fromkeys((*_FAULTS, "MISSING_THOUGHT_SIGNATURE"), "error"),
}
"""https://ai.google.dev/api/generate-content#FinishReason; what is not listed is `other`."""

_CHUNK_KEYS = frozenset({"candidates", "usageMetadata", "modelVersion", "responseId", "error"})
_CANDIDATE_KEYS = frozenset({"content", "finishReason", "index"})
_CONTENT_KEYS = frozenset({"parts", "role"})
_CALL_KEYS = frozenset({"id", "name", "args", "willContinue"})
"""What is understood. Everything else that comes is kept."""

_LAST = frozenset({"safetyRatings", "groundingMetadata", "urlContextMetadata"})
"""What is said anew in each chunk of a stream: the last counts, where other lists grow."""

_TEXT_KEYS = frozenset({"text", "thought", "thoughtSignature"})
_CALL_PART_KEYS = frozenset({"functionCall", "thoughtSignature"})
_CODE_PART_KEYS = frozenset({"executableCode", "thoughtSignature"})

_COUNTS = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount")


class Decoder(BaseDecoder):
    """Response bytes in, events out: a stream, one object, or a list of chunks. See `playhead.wire.Decoder`.

    Args:
        origin: the provider that answers, noted on thought signatures.
    """

    WIRE = NAME

    def __init__(self, origin: str | None = None) -> None:
        super().__init__(origin)
        self._prose: Prose | None = None
        self._texts: list[Prose] = []
        self._code: Call | None = None
        self._reason = ""
        self._blocked = ""

    def _whole(self, body: Any) -> None:
        chunks = cast("list[Any]", body) if isinstance(body, list) else [body]
        for chunk in chunks:
            self._chunk(object_of(chunk, str(chunk)[:80], "the answer"))
        self._finish("the answer has no candidate that was finished")

    def _over(self) -> None:
        if self._out.state == "idle":
            raise TruncatedStream("the stream ended before its first event")
        self._finish("the stream ended before the answer was finished")

    def _event(self, name: bytes, data: bytes) -> None:
        payload = data.strip()
        if not payload or payload == b"[DONE]":
            return  # Some proxies end every stream so; what counts is the finish reason.
        body = event_object(payload)
        self._chunk({"error": body} if name == b"error" and "error" not in body else body)

    def _chunk(self, chunk: JSONObject) -> None:
        out = self._out
        if chunk.get("error"):
            raise refusal(chunk, 200)
        if out.state == "idle" or not (out.id and out.model):
            out.start(text(chunk.get("responseId")), text(chunk.get("modelVersion")))
        for candidate in objs(chunk.get("candidates")):
            if candidate.get("index"):  # One answer is asked for; another has no place but this.
                out.metadata.setdefault("candidates", []).append(candidate)
            else:
                self._candidate(candidate)
        self._blocked = text(obj(chunk.get("promptFeedback")).get("blockReason")) or self._blocked
        raw = obj(chunk.get("usageMetadata"))
        # Vertex sends a kind of traffic, and no counts, until the last chunk.
        if raw and (out.usage is None or any(name in raw for name in _COUNTS)):
            out.usage = decode_usage(raw)
        self._keep(chunk, _CHUNK_KEYS)

    def _candidate(self, candidate: JSONObject) -> None:
        content = obj(candidate.get("content"))
        for part in objs(content.get("parts")):
            self._part(part)
        for source in sources(obj(candidate.get("groundingMetadata"))):
            if len(self._out.sources) < MAX_SOURCES:
                self._out.source(source)
        self._reason = self._reason or text(candidate.get("finishReason"))
        self._keep(content, _CONTENT_KEYS)
        self._keep(candidate, _CANDIDATE_KEYS)

    def _keep(self, source: JSONObject, known: frozenset[str]) -> None:
        for name in _LAST & source.keys():
            if source[name]:
                self._out.metadata[name] = source[name]
        keep(self._out.metadata, source, known | _LAST)

    def _part(self, part: JSONObject) -> None:
        match part:
            case {"functionCall": dict()}:
                self._call(part)
            case {"text": str(words)} if not part.keys() & {"inlineData", "fileData"}:
                self._say("reasoning" if part.get("thought") is True else "text", words, noted(part, _TEXT_KEYS))
            case {"executableCode": dict()}:
                self._run(part)
            case {"codeExecutionResult": dict()}:
                self._stop()
                ran = "" if self._code is None else self._code.id
                self._out.whole(read_code_result(part, ran, self._out.origin))
            case _:
                media = read_media(part, self._out.origin)
                self._stop()
                if media is not None:
                    self._out.whole(media)
                elif part:
                    self._out.end_prose(self._out.open_prose("text", {"part": part}))

    def _say(self, kind: ProseKind, words: str, data: JSONObject) -> None:
        """More text or reasoning. Behind a signature another part begins."""
        if not (words or data):
            return
        prose = self._prose
        if prose is None or prose.kind != kind:
            self._stop()
            own: JSONObject = {"thought": True} if kind == "reasoning" else {}
            prose = self._prose = self._out.open_prose(kind, own | data)
            if kind == "text":
                self._texts.append(prose)
        elif data:
            prose.data |= data | {"at": sum(map(len, prose.chunks))}
        self._out.more(prose, words)
        if data:
            self._stop()

    def _stop(self) -> None:
        """The text or reasoning under way is whole."""
        if self._prose is not None:
            self._out.end_prose(self._prose)
            self._prose = None

    def _call(self, part: JSONObject) -> None:
        said = obj(part["functionCall"])
        if said.get("partialArgs") or said.get("willContinue") is True:
            raise DecodeError(
                "the provider sent a function call's arguments in pieces, which is not understood: leave "
                "`streamFunctionCallArguments` out of the request"
            )
        self._stop()
        call = self._out.open_call()
        args, id = said.get("args"), text(said.get("id"))
        call.data |= noted(part, _CALL_PART_KEYS)
        if id:
            call.data["id"] = id
        if more := {key: value for key, value in said.items() if key not in _CALL_KEYS and value is not None}:
            call.data["call"] = more
        raw = args if isinstance(args, str) else compact({} if args is None else args, "a function call")
        self._out.call(call, id, text(said.get("name")), raw)
        self._out.end_call(call)

    def _run(self, part: JSONObject) -> None:
        """Code that the provider runs itself."""
        self._stop()
        call = self._code = self._out.open_call(provider_executed=True)
        code = dict(obj(part["executableCode"]))
        id = text(code.pop("id", None))
        call.data |= noted(part, _CODE_PART_KEYS) | ({"id": id} if id else {}) | {"ran": True}
        self._out.call(call, id, CODE, compact(code, "code that was run"))
        self._out.end_call(call)

    def _finish(self, otherwise: str) -> None:
        reason = self._reason or self._blocked
        if self._out.state == "idle" or not reason:
            raise TruncatedStream(otherwise)
        finish = _FINISH.get(reason, "other") if self._reason else "content_filter"
        called = any(not call.provider_executed for call in self._out.calls)
        self._out.finish("tool_calls" if finish == "stop" and called else finish, reason)
        cite(self._texts, self._out.metadata)


def decode_usage(raw: JSONObject) -> Usage:
    """Token counts from a `usageMetadata`. What was not sent is None.

    Google counts what tools put into the prompt beside the prompt, and thoughts beside the answer.
    """
    return Usage(
        input_tokens=_sum(raw, "promptTokenCount", "toolUsePromptTokenCount"),
        output_tokens=_sum(raw, "candidatesTokenCount", "thoughtsTokenCount"),
        total_tokens=count(raw.get("totalTokenCount")),
        cache_read_tokens=count(raw.get("cachedContentTokenCount")),
        reasoning_tokens=count(raw.get("thoughtsTokenCount")),
        raw=raw,
    )


def _sum(raw: JSONObject, *names: str) -> int | None:
    known = [number for name in names if (number := count(raw.get(name))) is not None]
    return sum(known) if known else None
