"""`playhead convert A B`"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import msgspec

from ..errors import TapeError
from ..http import Headers, Request, header
from ..tape.effects import Effect, Interaction, Progress, Reading, Tape
from ..tape.files import load_tape, save_tape
from ..tape.formats import format_for
from ..tape.redact import safe_url, taken_from_url
from ..tape.secrets import Leaf, Redaction, changed
from ._console import Console
from .show import many


def run(args: argparse.Namespace, console: Console) -> int:
    """Write a tape in the format that the new file's ending says."""
    tape, target = load_tape(args.source), Path(args.target)
    format = format_for(target, tape_format=args.to)
    if args.to not in (None, format.name):
        args.parser.error(f"a file that ends in {target.suffix!r} is {format.name}'s, not {args.to}'s")
    if target.exists() and target.stat().st_size and not args.force:
        raise TapeError(f"{args.target!r} exists already. Replace it with --force, or choose another name.")
    cleaner = _Cleaner()
    new = replace(tape if args.keep_secrets else cleaner.tape(tape), format=format.name)
    lost, beside = format.losses(new), format.beside(new)
    save_tape(new, target)
    for warning in tape.warnings:
        console.note(f"warning: {warning}")
    if args.keep_secrets:
        console.note(f"warning: nothing was taken out: what {args.source} holds of secrets, {args.target} holds, too")
    if lost:
        console.note(f"lost, since {format.name} cannot hold it: {', '.join(lost)}")
    if beside:
        console.note(f"kept under keys of Playhead's own, which other programs skip: {', '.join(beside)}")
    if cleaner.headers:
        console.note(f"left out, since they may hold secrets, the headers: {', '.join(sorted(cleaner.headers))}")
    if cleaner.kinds:
        console.note(f"taken out, as secrets: {', '.join(cleaner.counted())}")
    counts = [many(len(tape.interactions), "interaction"), many(len(tape.tools), "tool run")]
    counts += [many(len(tape.readings), "reading")] if tape.readings else []
    console.line(f"{args.target}: {format.name}, {', '.join(counts)}", "green")
    return 0


class _Cleaner:
    """Takes out of a tape what a recording would never have put there, and counts it.

    Attributes:
        headers: the names of those that were left out.
        kinds: how often each kind of secret was taken out. It never holds one.
    """

    def __init__(self) -> None:
        self.headers: set[str] = set()
        self.kinds: Counter[str] = Counter()
        self._redaction = Redaction().opened()

    def tape(self, tape: Tape) -> Tape:
        """The tape without secrets; what holds none is as it was, down to the pieces."""
        return replace(tape, effects=tuple(map(self._effect, tape.effects)), meta=self._plain(tape.meta))

    def counted(self) -> list[str]:
        """A phrase for each kind."""
        return [kind if count == 1 else f"{kind} ({count} times)" for kind, count in self.kinds.items()]

    def _effect(self, effect: Effect) -> Effect:
        if isinstance(effect, Interaction):
            return self._call(effect)
        if isinstance(effect, Reading):
            return msgspec.structs.replace(effect, value=self._plain(effect.value))
        safe = {name: self._plain(getattr(effect, name)) for name in _OF_A_TOOL}
        progress = tuple(
            Progress(self._redacted_text(said.message), said.fraction, said.at_s) for said in effect.progress
        )
        return msgspec.structs.replace(effect, progress=progress, **safe)

    def _call(self, call: Interaction) -> Interaction:
        asked = call.request
        body = self._body(asked.body, asked.headers)
        request = Request(asked.method, self._url(asked.url), self._kept_headers(asked.headers), body)
        return msgspec.structs.replace(
            self._in_pieces(call),
            request=request,
            headers=self._kept_headers(call.headers),
            error=self._plain(call.error),
            foreign=self._plain(_without_copies(call.foreign, whole=asked.url == request.url)),
        )

    def _in_pieces(self, call: Interaction) -> Interaction:
        """The interaction with a response body without secrets, in the pieces that a recording would have."""
        whole = call.body
        if self._body(whole, call.headers) == whole:
            return call
        scrubber = self._redaction.stream(header(call.headers, "content-type"))
        pieces = [*map(scrubber.feed, call.chunks), scrubber.end()]
        times = None if call.times is None else [*call.times, call.times[-1]]
        kept = [n for n, piece in enumerate(pieces) if piece]
        return msgspec.structs.replace(
            call,
            chunks=tuple(pieces[n] for n in kept),
            times=None if times is None else tuple(times[n] for n in kept),
        )

    def _body(self, data: bytes, headers: Headers) -> bytes:
        kind = header(headers, "content-type")
        self._count(data, kind)
        return self._redaction.body(data, kind)

    def _kept_headers(self, headers: Headers) -> Headers:
        kept = self._redaction.kept_headers(headers)
        names = {name.lower() for name, _ in kept}
        self.headers |= {name for name, _ in headers if name.lower() not in names}
        for name, value in headers:
            if name.lower() in names:
                self._count(value.encode("utf-8", "surrogatepass"))
        return kept

    def _url(self, url: str) -> str:
        for what, name, _ in taken_from_url(url):
            self.kinds[f"{what} ({self._redaction.text(name)})" if name else what] += 1
        self._count(safe_url(url).encode("utf-8", "surrogatepass"))
        return self._redaction.url(url)

    def _plain(self, value: Any) -> Any:
        """Texts, and plain data of them."""
        return changed(value, self._leaf) if isinstance(value, (dict, list, tuple)) else self._redacted_text(value)

    def _leaf(self, leaf: Leaf) -> str:
        if leaf.is_url and leaf.encoded is None:
            return self._url(leaf.text)
        if leaf.encoded is None:
            return self._redacted_text(leaf.text)
        self._count(leaf.encoded.data, leaf.encoded.media_type)
        safe = self._redaction.body(leaf.encoded.data, leaf.encoded.media_type)
        return leaf.text if safe == leaf.encoded.data else leaf.encoded.holding(safe)

    def _redacted_text(self, text: Any) -> Any:
        if not isinstance(text, str):
            return text
        self._count(text.encode("utf-8", "surrogatepass"))
        return self._redaction.text(text)

    def _count(self, data: bytes, kind: str | None = None) -> None:
        self.kinds.update(found.kind for found in self._redaction.findings(data, kind))


_OF_A_TOOL = ("arguments", "result", "stop", "media")
"""Fields of a tool run that may hold a secret."""


def _without_copies(foreign: dict[str, Any], *, whole: bool) -> dict[str, Any]:
    """What another recorder holds beside an interaction, less what it has of headers and of the URL once more.

    Args:
        foreign: what is beside it.
        whole: whether the URL is as it was.
    """
    har: Any = foreign.get("har")
    if not isinstance(har, dict):
        return foreign
    gone = {"cookies"} if whole else {"cookies", "queryString"}
    entry = cast("dict[str, Any]", har)
    parts = {name: entry[name] for name in ("request", "response") if isinstance(entry.get(name), dict)}
    less = {name: {key: part[key] for key in part if key not in gone} for name, part in parts.items()}
    return foreign | {"har": entry | less}
