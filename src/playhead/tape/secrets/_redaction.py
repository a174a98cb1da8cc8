"""What is taken out, and the search for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError
from ...http import Headers, Request
from ..redact import REDACTED, allowed_headers, safe_url
from . import _shapes as shapes
from ._environment import secrets_of
from ._hits import Finding, Hit, replaced, told
from ._kinds import Kind, kind_of
from ._leaves import Leaf, changed, encoded
from ._literals import Literals
from ._patterns import Patterns
from ._scrubber import Scrubber

if TYPE_CHECKING:
    from ._paths import Paths

_SHORTEST_VALUE = 4
"""Characters. Whatever is shorter stands in every other word."""


@dataclass(frozen=True)
class Redaction:
    """What is taken out of bodies, tool arguments and tool results before they reach a tape.

    `REDACTED` stands in its place, and is not taken out again.

    Args:
        shapes: keys that are known by their shape, such as `sk-or-v1-...`.
        env: the values of the environment's variables whose names say that they are secret, such as `*_API_KEY`. They
            are read when they are first needed, and again by `opened`.
        values: further secrets, of four characters at least. Like those of the environment, they are also found
            escaped for JSON or a URL, and in base64.
        patterns: regular expressions, looked for in each line. Of one with a group named `secret` only that
            group goes.
        paths: JSON paths, such as `$.user`, `messages[*].name` or `$..email`: in bodies that are JSON, and in the
            `data:` of streams.
        headers: names of headers that are kept beside those that are kept anyway.
        drop_headers: names of headers that are left out though they would be kept.

    Raises:
        ConfigError: a value, a pattern, a path or a header's name is none.
    """

    shapes: bool = True
    env: bool = True
    values: tuple[str, ...] = field(default=(), repr=False)
    patterns: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    drop_headers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("values", "patterns", "paths", "headers", "drop_headers"):
            given: object = getattr(self, name)
            if isinstance(given, str):
                raise ConfigError(f"{name} of a Redaction should be a tuple of texts, but is one text: write (..., )")
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for number, value in enumerate(self.values, 1):
            if len(value) < _SHORTEST_VALUE or value in REDACTED or REDACTED in value:
                raise ConfigError(
                    f"value {number} of a Redaction cannot be taken out: it should have {_SHORTEST_VALUE} characters "
                    f"at least, and nothing of the word {REDACTED} that stands in its place."
                )
        _ = self._patterns, self._paths  # What is wrong with them is said now, and not when a tape is written.

    def opened(self, environment: Mapping[str, str] | None = None) -> Redaction:
        """This redaction with the environment read now: what a recording uses from its beginning to its end.

        Args:
            environment: that of the process where it is left out.
        """
        opened = replace(self)
        if self.env:  # Where a cached property would put it.
            opened.__dict__["_literals"] = self._known(os.environ if environment is None else environment)
        return opened

    def text(self, text: str) -> str:
        """A text without secrets: tool arguments, tool results, messages of errors. Paths do not apply."""
        data = text.encode("utf-8", "surrogatepass")
        hits = self.hits(data, 0, "other", final=True)
        return replaced(data, hits, 0, len(data)).decode("utf-8", "surrogatepass") if hits else text

    def url(self, url: str) -> str:
        """A URL without secrets: without a user and a password, without parameters that hold a key, and without what
        `text` takes out. Of a `data:` URL, the bytes that it holds are looked at."""
        return self._leaf(Leaf("url", url, encoded(url)))

    def plain(self, value: Any) -> Any:
        """Plain data, such as a tool's media, without secrets in its strings and names.

        A string that is a URL is taken for one. The `data` beside a `media_type` is base64: the bytes are looked at,
        and it stays base64. Paths hold in those only.

        Args:
            value: dicts, lists, tuples, strings, numbers, booleans and None. It is not changed.
        """
        return changed(value, self._leaf)

    def _leaf(self, leaf: Leaf) -> str:
        if (inner := leaf.encoded) is not None:
            safe = self.body(inner.data, inner.media_type)
            head = self.text(inner.head)
            return leaf.text if (head, safe) == inner[:2] else inner._replace(head=head).holding(safe)
        return safe_url(self.text(leaf.text)) if leaf.is_url else self.text(leaf.text)

    def body(self, data: bytes, content_type: str | None = None) -> bytes:
        """A whole body without secrets.

        Args:
            content_type: as the header says it. Whether the body is JSON or a stream is told by its first byte.
        """
        hits = self.hits(data, 0, kind_of(data, content_type) or "other", final=True)
        return replaced(data, hits, 0, len(data)) if hits else data

    def stream(self, content_type: str | None = None) -> Scrubber:
        """Takes secrets out of a body that comes in pieces."""
        return Scrubber(self, content_type)

    def request(self, request: Request) -> Request:
        """The request as it may stand on a tape, and as it is compared with one that does."""
        kind = next((value for name, value in request.headers if name.lower() == "content-type"), None)
        return Request(
            request.method, self.url(request.url), self.kept_headers(request.headers), self.body(request.body, kind)
        )

    def kept_headers(self, headers: Headers) -> Headers:
        """The headers that may stand on a tape, without secrets in their values."""
        kept, dropped = self._header_names
        return tuple(
            (name, self.text(value))
            for name, value in headers
            if name.lower() not in dropped and (name.lower() in kept or allowed_headers(((name, value),)))
        )

    def findings(self, data: bytes, content_type: str | None = None) -> list[Finding]:
        """The secrets in a whole body, or in whatever bytes, in order. What was taken out is none."""
        return told(data, self.hits(data, 0, kind_of(data, content_type) or "other", final=True))

    def hits(self, data: bytes, start: int, kind: Kind, *, final: bool) -> list[Hit]:
        """All that is to go from `start` on.

        Args:
            start: where a part begins that was not looked at yet. What stands before it is a left border only.
            final: whether nothing follows.
        """
        found = shapes.hits(data, start) if self.shapes else []
        if (literals := self._literals) is not None:
            found += literals.hits(data, start)
            if final:
                found += literals.cut_off(data, start)
        if self._patterns is not None:
            found += self._patterns.hits(data, start)
        if self._paths is not None:
            found += self._paths.hits(data, start, kind)
        return found

    def settled(self, data: bytes, start: int, kind: Kind | None, hits: list[Hit]) -> int:
        """Up to where nothing that may follow can change what `hits` says of the data."""
        cut = shapes.open_at(data, start) if self.shapes else len(data)
        if (literals := self._literals) is not None:
            cut = min(cut, literals.open_at(data, start))
        if not hits and not self.paths and not self.patterns:
            return cut
        while True:
            cut = self._aligned(data, start, cut, kind)
            across = min((at for hit in hits if (at := hit.start - hit.behind) < cut < hit.end), default=cut)
            if across == cut:
                return cut
            cut = across

    def _aligned(self, data: bytes, start: int, cut: int, kind: Kind | None) -> int:
        """The last place up to `cut` where a body can be cut that is looked at in lines, in events, or at once."""
        if not self.paths or kind == "other":
            return max(start, data.rfind(b"\n", start, cut) + 1) if self.patterns else cut
        if kind != "events":
            return start
        blank_lines = (b"\n\n", b"\r\n\r\n", b"\r\r")[: 2 if self.patterns else 3]
        ends = (at + len(blank) for blank in blank_lines if (at := data.rfind(blank, start, cut)) >= 0)
        return max(ends, default=start)

    @cached_property
    def _literals(self) -> Literals | None:
        return self._known(os.environ if self.env else {})

    def _known(self, environment: Mapping[str, str]) -> Literals | None:
        known = {value: f"the value of {name}" for value, name in secrets_of(environment).items()}
        known |= dict.fromkeys(self.values, "a value that was named")
        return Literals(known) if known else None

    @cached_property
    def _patterns(self) -> Patterns | None:
        return Patterns(self.patterns) if self.patterns else None

    @cached_property
    def _paths(self) -> Paths | None:
        if not self.paths:
            return None
        from ._paths import Paths

        return Paths(self.paths)

    @cached_property
    def _header_names(self) -> tuple[frozenset[str], frozenset[str]]:
        return frozenset(map(str.lower, self.headers)), frozenset(map(str.lower, self.drop_headers))
