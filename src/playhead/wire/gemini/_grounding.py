"""
What an answer rests on, in Gemini's words and back: grounding by search, and citations of what was recited.

Google counts in bytes of UTF-8, and we in characters of a part's text.
https://ai.google.dev/api/generate-content#GroundingMetadata
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ...messages import Citation, ModelResponse, RefusalPart, Source, TextPart
from .._assembler import Prose
from .._json import JSONObject, count, obj, objs, text

MAX_SOURCES = 1000
"""Sources and supports that are read; no real answer has as many, and all of them stand in the metadata."""

_MOST_CITATIONS = 10_000

_LONGEST = 4_000_000
"""Characters of text in which places are looked for."""

_KINDS = ("web", "retrievedContext", "maps", "image")


def sources(grounding: JSONObject) -> Iterator[Source]:
    """The pages and documents that a `groundingMetadata` names."""
    for chunk in objs(grounding.get("groundingChunks"))[:MAX_SOURCES]:
        url, title = _named(chunk)
        if url or title:
            yield Source(url, title, chunk)


def _named(chunk: JSONObject) -> tuple[str | None, str | None]:
    said = obj(next((chunk[kind] for kind in _KINDS if obj(chunk.get(kind))), None))
    return text(said.get("uri")) or text(said.get("sourceUri")) or None, text(said.get("title")) or None


class _Claim(NamedTuple):
    """A place in the text, in bytes as the provider counts, and what it rests on."""

    start: int
    end: int | None
    words: str
    cited: tuple[tuple[str | None, str | None], ...]


def cite(proses: list[Prose], metadata: JSONObject) -> None:
    """Put citations on the text parts of an answer that is over."""
    claims = [*_supports(obj(metadata.get("groundingMetadata"))), *_recited(obj(metadata.get("citationMetadata")))]
    if not (claims and proses):
        return
    texts = ["".join(prose.chunks) for prose in proses]
    joined = "".join(texts)
    if len(joined) > _LONGEST:
        return
    raw = joined.encode("utf-8", "replace")
    known: set[tuple[int, Citation]] = set()
    for claim in claims:
        found = _place(claim, raw, texts)
        place = _part_at(texts, found)
        if place is None:
            place = (0, None, None)
        index, start, end = place
        for url, title in claim.cited:
            citation = Citation(url, title, None, start, end)
            if (index, citation) not in known and len(known) < _MOST_CITATIONS:
                known.add((index, citation))
                proses[index].citations.append(citation)


def _supports(grounding: JSONObject) -> Iterator[_Claim]:
    chunks = objs(grounding.get("groundingChunks"))
    for support in objs(grounding.get("groundingSupports"))[:MAX_SOURCES]:
        segment = obj(support.get("segment"))
        numbers: object = support.get("groundingChunkIndices")
        listed = [count(number) for number in numbers[:MAX_SOURCES]] if isinstance(numbers, list) else []  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        cited = tuple(_named(chunks[n]) for n in listed if n is not None and 0 <= n < len(chunks))
        start, end = count(segment.get("startIndex")) or 0, count(segment.get("endIndex"))
        yield _Claim(start, end, text(segment.get("text")), cited)


def _recited(metadata: JSONObject) -> Iterator[_Claim]:
    """`citationSources` of the Gemini API, `citations` of Vertex."""
    for name in ("citationSources", "citations"):
        for source in objs(metadata.get(name))[:MAX_SOURCES]:
            cited = (text(source.get("uri")) or None, text(source.get("title")) or None)
            yield _Claim(count(source.get("startIndex")) or 0, count(source.get("endIndex")), "", (cited,))


def _place(claim: _Claim, raw: bytes, texts: list[str]) -> tuple[int, int] | None:
    """Where in the whole text the claim stands, in characters: where it says, if the words are there, else where they
    are. Bytes may be counted from the beginning of the answer, or of one of its parts."""
    end = len(raw) if claim.end is None else claim.end
    wanted = claim.words.encode("utf-8", "replace")
    bases = [0]
    for words in texts[:100]:
        bases.append(bases[-1] + len(words.encode("utf-8", "replace")))
    for base in dict.fromkeys(bases):
        start, stop = base + claim.start, base + end
        if 0 <= start <= stop <= len(raw) and (not wanted or raw[start:stop] == wanted):
            return _characters(raw, start), _characters(raw, stop)
    at = raw.find(wanted) if wanted else -1
    return None if at < 0 else (_characters(raw, at), _characters(raw, at + len(wanted)))


def _characters(raw: bytes, at: int) -> int:
    return len(raw[:at].decode("utf-8", "ignore"))


def _part_at(texts: list[str], place: tuple[int, int] | None) -> tuple[int, int, int] | None:
    """The part in which a place begins, and the place in its text."""
    if place is None:
        return None
    begins, (start, end) = 0, place
    for index, words in enumerate(texts):
        if start < begins + len(words) or (start == begins + len(words) and index == len(texts) - 1):
            return index, start - begins, min(end - begins, len(words))
        begins += len(words)
    return None


def grounding_of(response: ModelResponse) -> JSONObject:
    """The `groundingMetadata` that says the sources and citations of an answer in another format."""
    pages: dict[tuple[str | None, str | None], int] = {}
    for source in response.sources:
        pages.setdefault((source.url, source.title), len(pages))
    supports = [
        {
            "segment": {"startIndex": start, "endIndex": end, "text": words},
            "groundingChunkIndices": [pages.setdefault((citation.url, citation.title), len(pages))],
        }
        for citation, start, end, words in _cited(response)
    ]
    if not pages:
        return {}
    chunks = [{"web": _without_none({"uri": url, "title": title})} for url, title in pages]
    return {"groundingChunks": chunks} | ({"groundingSupports": supports} if supports else {})


def _cited(response: ModelResponse) -> Iterable[tuple[Citation, int, int, str]]:
    """Each citation, with its place in bytes of the whole text."""
    before = 0
    for part in response.message.parts:
        if isinstance(part, TextPart):
            for citation in part.citations:
                start = citation.start or 0
                end = len(part.text) if citation.end is None else citation.end
                at = before + len(part.text[:start].encode("utf-8", "replace"))
                words = part.text[start:end]
                yield citation, at, at + len(words.encode("utf-8", "replace")), words
        if isinstance(part, TextPart | RefusalPart):
            before += len(part.text.encode("utf-8", "replace"))


def _without_none(value: JSONObject) -> JSONObject:
    return {key: item for key, item in value.items() if item is not None}
