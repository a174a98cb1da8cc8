"""What answers of chat completions hold beside words and calls, as its many speakers send it."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from ...messages import Citation, MediaPart, Opaque, Source, ToolResultPart
from .._assembler import Assembler, Call, Prose
from .._json import JSONObject, count, merge, obj, objs, text

READABLE = {"reasoning.text": "text", "reasoning.summary": "summary"}
"""The `reasoning_details` that can be read, and the field in which their words stand."""

_DATA_URL = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),")

_SOUNDS = (
    (b"RIFF", "audio/wav"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
)
"""How files of sound begin: an answer does not say which format was asked for. Raw samples begin anyhow."""


class ChatAnswer(Assembler):
    """One answer, with what chat completions have of their own.

    A part's first event already says under which names its issuer sent it: an encoder that repeats the stream cannot
    wait until the part is whole to know it.
    """

    def __init__(self, origin: str | None, wire: str) -> None:
        super().__init__(origin, wire)
        self._audio: JSONObject = {}
        self._sound: list[str] = []
        self._executed: dict[int, Call] = {}
        self._reading: tuple[Prose | None, object] = (None, None)
        self._lengths: dict[int, tuple[int, int]] = {}

    def reason(self, words: list[str], field: str | None, details: list[JSONObject]) -> None:
        """Reasoning of one delta: readable words, the field in which they stood, and entries of details."""
        new = [entry for entry in details if text(entry.get("type")) in READABLE and not self._goes_on(entry)]
        if self._prose is not None and self._prose is self._reading[0] and (new or any(map(self._strays, details))):
            self.end_going()  # One readable entry a part: each has its own signature.
        if (words or new) and (self._prose is None or self._prose.kind != "reasoning"):
            begun: JSONObject = {"field": field} if field else {}
            if len(new) == 1:
                begun["details"] = [{k: v for k, v in new[0].items() if k not in READABLE.values()}]
            self._prose = self.open_prose("reasoning", begun)
        for found in words:
            self.reasoning(found, field)
        for entry in details:
            self.reasoning_detail(entry)
        if new:
            self._reading = (self._prose, self._details[_key(new[-1])])

    def field_of_reasoning(self) -> str | None:
        """The field in which the reasoning under way comes, if there is any, and it comes in one."""
        prose = self._prose
        return prose.data.get("field") if prose is not None and prose.kind == "reasoning" else None

    def annotate(self, annotations: list[JSONObject]) -> None:
        """What the text rests on. Annotations of unknown types, and those of no text, are kept in the metadata.

        https://openrouter.ai/docs/features/web-search, https://platform.openai.com/docs/guides/tools-web-search
        """
        for annotation in annotations:
            cited = obj(annotation.get("url_citation"))
            url, title = text(cited.get("url")) or None, text(cited.get("title")) or None
            if url:
                self.source(Source(url, title, cited))
            begin, end = count(cited.get("start_index")), count(cited.get("end_index"))
            place = self._text_at(begin)
            if not cited or place is None:
                merge(self.metadata, "annotations", [annotation])
                continue
            prose, offset = place
            begin, end = (None if at is None else at - offset for at in (begin, end))
            quoted = text(cited.get("content")) or None
            opaque = self._opaque({"annotation": annotation})
            prose.citations.append(Citation(url, title, quoted, begin, end, opaque))

    def refer(self, piece: JSONObject) -> None:
        """A `reference` in Mistral's content: what stands before it rests on numbered sources."""
        place = self._text_at(None)
        if place is None:
            merge(self.metadata, "references", [piece])
            return
        place[0].citations.append(Citation(end=self._length(place[0]), opaque=self._opaque({"piece": piece})))

    def results_of_search(self, chunk: JSONObject) -> None:
        """Perplexity's sources, which every chunk of a stream repeats. https://docs.perplexity.ai/api-reference"""
        for name in ("search_results", "citations"):
            if found := chunk.get(name):
                self.metadata[name] = found
        for entry in objs(chunk.get("search_results")):
            if url := text(entry.get("url")):
                self.source(Source(url, text(entry.get("title")) or None, entry))
        known = {source.url for source in self.sources}
        cited: object = chunk.get("citations")
        for url in cited if isinstance(cited, list) else ():  # pyright: ignore[reportUnknownVariableType]
            if isinstance(url, str) and url not in known:
                known.add(url)
                self.source(Source(url))

    def image(self, entry: JSONObject) -> None:
        """An image that the model made. https://openrouter.ai/docs/features/multimodal/image-generation"""
        url = text(obj(entry.get("image_url")).get("url"))
        if not url:
            merge(self.metadata, "images", [entry])
            return
        rest = {key: value for key, value in entry.items() if key not in ("type", "image_url")}
        self.whole(media_of_url(url, "image/png", self._opaque({"image": rest} if rest else {})))

    def audio(self, delta: JSONObject) -> None:
        """Sound that the model made, or a piece of it. https://platform.openai.com/docs/guides/audio"""
        for key, value in delta.items():
            if key == "data" and isinstance(value, str):
                self._sound.append(value)
            elif key == "transcript" and isinstance(value, str):
                self._audio[key] = text(self._audio.get(key)) + value
            elif value is not None:
                self._audio[key] = value

    def executed(self, entry: JSONObject) -> None:
        """A tool that Groq ran itself; its result may come later. https://console.groq.com/docs/compound"""
        number = count(entry.get("index"))
        at = len(self._executed) if number is None else number
        call, name = self._executed.get(at), text(entry.get("name")) or text(entry.get("type")) or "tool"
        if call is None:
            call = self._executed[at] = self.open_call(provider_executed=True)
            call.data["executed_tool"] = entry
            self.call(call, f"executed_{at}", name, text(entry.get("arguments")))
            self.end_call(call)
        results = objs(obj(entry.get("search_results")).get("results"))
        for found in results:
            self.source(Source(text(found.get("url")) or None, text(found.get("title")) or None, found))
        if results or any(entry.get(key) for key in ("output", "code_results", "browser_results")):
            opaque = self._opaque({"executed_tool": entry})
            self.whole(ToolResultPart(call.id, call.name, text(entry.get("output")), opaque=opaque))

    def end(self) -> None:
        if self._sound or self._audio:
            data = joined_base64(self._sound)
            kind = next((kind for start, kind in _SOUNDS if data.startswith(start)), "audio/pcm")
            self.whole(MediaPart(kind, data, opaque=self._opaque({"audio": self._audio})))
            self._sound, self._audio = [], {}
        if self.finish_reason == "stop" and any(call.shown and not call.provider_executed for call in self.calls):
            self.finish_reason = "tool_calls"  # OpenAI says `stop` where a tool was forced, and others always do.
        if self.metadata.get("created") == 0:
            del self.metadata["created"]  # What a server without a clock says.
        super().end()

    def _opaque(self, data: dict[str, Any]) -> Opaque | None:
        return Opaque(self.wire, dict(data), self.origin) if data else None

    def _goes_on(self, entry: JSONObject) -> bool:
        earlier = self._details.get(_key(entry))
        return earlier is not None and earlier.goes_on_with(entry)

    def _strays(self, entry: JSONObject) -> bool:
        """Whether an entry has words, and goes on with one that stands in another part than the one under way."""
        field = READABLE.get(text(entry.get("type")))
        if not field or not entry.get(field) or not self._goes_on(entry):
            return False
        return self._prose is not self._reading[0] or self._details[_key(entry)] is not self._reading[1]

    def _text_at(self, at: int | None) -> tuple[Prose, int] | None:
        """The text part in which a character of the content stands, else the last, and how many stand before it."""
        place, offset = None, 0
        for part in self._parts:
            if isinstance(part, Prose) and part.kind == "text":
                place = (part, offset)
                offset += self._length(part)
                if at is not None and at < offset:
                    break
        return place

    def _length(self, prose: Prose) -> int:
        """The characters of a part so far; each piece is counted once, however often it is asked."""
        pieces, length = self._lengths.get(prose.index, (0, 0))
        length += sum(map(len, prose.chunks[pieces:]))
        self._lengths[prose.index] = (len(prose.chunks), length)
        return length


def _key(entry: JSONObject) -> tuple[str | None, str]:
    """By which an entry of details is found again by its fragments."""
    return READABLE.get(text(entry.get("type"))), str(entry.get("index"))


def media_of_url(url: str, otherwise: str, opaque: Opaque | None = None, filename: str | None = None) -> MediaPart:
    """The media at a URL, or in it, where it is a data URL.

    Args:
        otherwise: the media type where the URL does not say it.
    """
    found = _DATA_URL.match(url)
    if found and "base64" in found[2]:
        try:
            data = base64.b64decode(url[found.end() :], validate=True)
        except (binascii.Error, ValueError):
            pass  # Kept as it came: whoever made it may read it.
        else:
            return MediaPart(found[1] or otherwise, data, filename=filename, opaque=opaque)
    return MediaPart((found and found[1]) or otherwise, url=url, filename=filename, opaque=opaque)


def joined_base64(pieces: list[str]) -> bytes:
    """The bytes of base64 that came in pieces, each with padding of its own or cut anywhere."""
    joined = re.sub(r"[^A-Za-z0-9+/=]", "", "".join(pieces))
    whole = bytearray()
    for found in re.finditer(r"[^=]+", joined):
        group = found[0][: len(found[0]) - (len(found[0]) % 4 == 1)]  # One character alone says nothing.
        whole += base64.b64decode(group + "=" * (-len(group) % 4))
    return bytes(whole)
