"""
Keys that can be told by their shape: what vendors put in front of them, and how long they are at least.

A shape must never be found in ordinary text, in ids, hashes or base64. So it demands a border on its left, enough
characters, and mostly a digit among them. What merely looks random is no shape.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ._hits import Hit

_BORDER = rb"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrtbf])|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2}))"
"""What may stand to the left of a key. An escape of JSON's or of a URL's ends in a letter, and is a border all the
same."""

_NOT_IN_BASE64 = rb"(?<![+/])"
"""For shapes without a dash: in base64 every word comes up some day."""

_W = rb"(?:(?!REDACTED)[A-Za-z0-9_-])"
_A = rb"(?:(?!REDACTED)[A-Za-z0-9])"
"""Characters of a key. What was taken out before ends a key, so that nothing changes when it is looked at again."""

_BEARER = rb"(?:(?!REDACTED)[A-Za-z0-9._~+/=-])"
"""Characters of a bearer token, RFC 6750's `b64token`."""

_END = rb"(?![A-Za-z0-9_-])"
_DIGIT = rb"(?=(?:(?!REDACTED)[A-Za-z_-])*[0-9])"
_SOON = rb"(?=(?:(?!REDACTED)[A-Za-z])*[0-9])"
_UUID = rb"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
_NL = rb"(?:(?:\\+[nr]|[\r\n])[ \t]*)"
_B64 = rb"(?:(?!REDACTED)[A-Za-z0-9+/=])"
_PEM_HEAD = rb"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----"
_PEM_BODY = rb"A-Za-z0-9+/=\\\r\n\t :,;.()_-"

_SHAPES: tuple[tuple[str, tuple[bytes, ...], bytes], ...] = (
    ("an Anthropic key", (b"sk-",), rb"sk-ant-" + _DIGIT + _W + rb"{20,}"),
    ("an OpenRouter key", (b"sk-",), rb"sk-or-(?:v1-)?+" + _DIGIT + _W + rb"{20,}"),
    ("an OpenAI key", (b"sk-",), rb"sk-(?:proj|svcacct|admin|None)-" + _DIGIT + _W + rb"{20,}"),
    ("an API key", (b"sk-",), rb"sk-(?:[a-z0-9]{1,12}-)?" + _UUID + _END),
    (
        "an API key",
        (b"sk-",),
        rb"sk-(?:[a-z0-9]{1,12}-)?" + _SOON + _A + rb"{20,}" + _W + rb"*",
    ),
    ("a Google API key", (b"AIza",), _NOT_IN_BASE64 + rb"AIza" + _W + rb"{35}" + _END),
    ("a Groq key", (b"gsk_",), rb"gsk_" + _A + rb"{32,}"),
    ("an xAI key", (b"xai-",), rb"xai-" + _DIGIT + _A + rb"{32,}"),
    ("a Hugging Face token", (b"hf_",), rb"hf_" + _A + rb"{30,}"),
    ("a GitHub token", (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_"), rb"gh[pousr]_" + _A + rb"{36,}"),
    ("a GitHub token", (b"github_pat_",), rb"github_pat_" + _W + rb"{36,}"),
    ("a GitLab token", (b"glpat-",), rb"glpat-" + _DIGIT + _W + rb"{20,}(?:\.[0-9a-z]{2}\.[0-9a-z]{9,})?"),
    ("a Slack token", (b"xoxa-", b"xoxb-", b"xoxp-", b"xoxr-", b"xoxs-"), rb"xox[abprs]-" + _DIGIT + _W + rb"{16,}"),
    (
        "an AWS access key id",
        (b"AKIA", b"ASIA"),
        _NOT_IN_BASE64 + rb"A[KS]IA(?:(?!REDACTED)[A-Z0-9]){16}(?![A-Za-z0-9_+/-])",
    ),
    ("a Stripe key", (b"sk_live_", b"rk_live_"), rb"[rs]k_live_" + _A + rb"{16,}"),
    ("an NVIDIA key", (b"nvapi-",), rb"nvapi-" + _W + rb"{40,}"),
    ("a Perplexity key", (b"pplx-",), rb"pplx-" + _DIGIT + _A + rb"{32,}"),
    ("a Replicate token", (b"r8_",), rb"r8_" + _A + rb"{36,}"),
    ("a Fireworks key", (b"fw_",), rb"fw_" + _DIGIT + _A + rb"{20,}"),
    ("an npm token", (b"npm_",), rb"npm_" + _A + rb"{36,}"),
    ("a PyPI token", (b"pypi-",), rb"pypi-Ag" + _W + rb"{50,}"),
    ("a Google OAuth token", (b"ya29.",), rb"ya29\.(?:\.?" + _W + rb"){20,}"),
    (
        "a JSON web token",
        (b"eyJ",),
        _NOT_IN_BASE64 + rb"eyJ" + _W + rb"{10,}\." + _W + rb"*\." + _W + rb"{10,}(?:\." + _W + rb"+){0,2}",
    ),
    (
        "a bearer token",
        (b"Bearer", b"bearer", b"BEARER"),
        rb"(?:[Bb]earer|BEARER)[ \t]+(?P<secret>(?=(?:(?!REDACTED)[A-Za-z._~+/=-])*[0-9])%b{16,}(?<!\.))" % _BEARER,
    ),
    (
        "a private key",
        (b"-----BEGIN",),
        _PEM_HEAD
        + rb"(?:%b+[A-Za-z][A-Za-z-]+: [A-Za-z0-9,:;.()/ -]*+)*+" % _NL
        + rb"(?=(?:%b*+%b){40})(?:%b|%b)*+(?:-----END [A-Z0-9 ]{0,40}-----)?" % (_NL, _B64, _NL, _B64),
    ),
)
"""What it is, in words; with what it begins; and how it looks."""

_TOLD_WITHOUT = frozenset({"a private key", "a bearer token"})


class _Shape(NamedTuple):
    kind: str
    rank: int
    shown: int
    pattern: bytes


def _shapes() -> Iterator[tuple[bytes, _Shape]]:
    for rank, (kind, beginnings, pattern) in enumerate(_SHAPES, 10):
        border = b"" if kind == "a private key" else _BORDER
        shape = _Shape(kind, rank, 0 if kind in _TOLD_WITHOUT else 4, border + pattern)
        yield from ((beginning, shape) for beginning in beginnings)


_BY_BEGINNING = tuple(_shapes())
_BEGINNINGS = tuple(dict(_BY_BEGINNING))


class _Anchor(NamedTuple):
    """A character that beginnings have in common: it is looked for first, since that costs next to nothing.

    Attributes:
        search: the character, with one of the beginnings around it.
        offset: where the character stands in a beginning; from its end where it is negative.
    """

    search: Callable[[bytes, int], re.Match[bytes] | None]
    shapes: tuple[tuple[bytes, _Shape], ...]
    offset: int


def _anchor(character: bytes, offset: int) -> _Anchor:
    shapes = tuple(pair for pair in _BY_BEGINNING if pair[0][offset:][:1] == character)
    around = b"|".join(
        b"(?<=%b)" % re.escape(beginning) if offset == -1 else b"(?=%b)" % re.escape(beginning[offset + 1 :])
        for beginning in dict(shapes)
    )
    return _Anchor(re.compile(re.escape(character) + b"(?:" + around + b")").search, shapes, offset)


_ANCHORS = (
    *(_anchor(last, -1) for last in (b"_", b"J")),
    *(_anchor(first, 0) for first in (b"A", b"B", b"b", b"y")),
    _anchor(b"-", -1),
    _anchor(b"-", 0),
)

_TOKEN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.~+/="
"""Every character that a key may have behind its beginning; a private key and a bearer token's space apart."""

_AT_THE_END = frozenset(_TOKEN + b" \t")
_PARTS = frozenset(beginning[:n] for beginning in _BEGINNINGS for n in range(1, len(beginning) + 1))
_LONGEST = max(map(len, _BEGINNINGS))
_LEFT = re.compile(_BORDER)
_OPEN = re.compile(_BORDER + b"(?:" + b"|".join(map(re.escape, _BEGINNINGS)) + b")")
_OPEN_PEM = re.compile(rb"-----BEGIN(?:[A-Z0-9 ]*+-{0,4}|[A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[%b]*+)\Z" % _PEM_BODY)
_PEM = b"-----BEGIN"


def hits(data: bytes, start: int) -> list[Hit]:
    """The keys in `data` from `start` on; what stands before it is seen as their left border."""
    found: list[Hit] = []
    for search, shapes, offset in _ANCHORS:
        anchor = search(data, start)
        while anchor is not None:
            found += _at(anchor.start(), shapes, offset, data, start)
            anchor = search(data, anchor.end())
    return found


def _at(anchor: int, shapes: tuple[tuple[bytes, _Shape], ...], offset: int, data: bytes, start: int) -> Iterator[Hit]:
    for beginning, shape in shapes:
        at = anchor - offset if offset >= 0 else anchor + 1 - len(beginning)
        if at < start or not data.startswith(beginning, at):
            continue
        # Most runs never come here: to compile all shapes beforehand would cost each of them milliseconds.
        if found := re.compile(shape.pattern).match(data, at):
            first, last = found.span(found.lastgroup or 0)
            yield Hit(first, last, shape.kind, shape.rank, shape.shown, behind=first - at)
            return


def open_at(data: bytes, start: int) -> int:
    """Where at the end of `data` a key may have begun that more bytes would complete; its length where none has."""
    if start == len(data):
        return start
    keep = len(data)
    if _PEM in data and (found := _OPEN_PEM.search(data, start)):
        keep = found.start()
    if data[-1] not in _AT_THE_END:
        return keep
    run = max(start, len(data.rstrip(_TOKEN)))
    if (bearer := _bearer(data, start, run)) is not None:
        return min(keep, bearer)
    if found := _OPEN.search(data, run):
        keep = min(keep, found.start())
    return min(keep, _part(data, run))


def _bearer(data: bytes, start: int, run: int) -> int | None:
    """Where `Bearer` stands before a run of characters that reaches the end, and the space between the two."""
    behind = len(data[:run].rstrip(b" \t"))
    at = behind - len(b"Bearer")
    return at if start <= at and behind < run and data[at:behind] in _BEGINNINGS and _LEFT.match(data, at) else None


def _part(data: bytes, run: int) -> int:
    """Where at the end of `data` a part of a beginning stands."""
    end = len(data)
    for at in range(max(run, end - _LONGEST), end):
        part = data[at:]
        if part in _PARTS and (_PEM.startswith(part) or _LEFT.match(data, at)):
            return at
    return end
