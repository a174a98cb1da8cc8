"""
What may stand on a tape. Everything else is left out before anything reaches the disk.

Headers are kept by a list of those that hold no secret; of URLs, user names, passwords and parameters that hold a key
are not kept. What is not kept does not count when requests are compared, and everything else does: so what only might
be a key by its name is told by its value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

from ..http import Headers, Request

REDACTED = "REDACTED"
"""What stands where a secret was."""

_TAKEN = re.compile(rf"(?<=[?&])([^=&#]+)={REDACTED}(?=[&#]|$)")
_PARAMETER = re.compile(r"(?<=[?&])([^=&#]+)=([^&#]*)")

_ALLOWED = frozenset(
    {
        "accept",
        "accept-encoding",
        "anthropic-beta",
        "anthropic-version",
        "apim-request-id",
        "cache-control",
        "cf-ray",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "http-referer",
        "idempotency-key",
        "mistral-correlation-id",
        "nvcf-reqid",
        "openai-processing-ms",
        "openai-version",
        "ratelimit",
        "request-id",
        "retry-after",
        "retry-after-ms",
        "server",
        "transfer-encoding",
        "user-agent",
        "x-amzn-errortype",
        "x-amzn-requestid",
        "x-generation-id",
        "x-goog-request-id",
        "x-ms-request-id",
        "x-request-id",
        "x-should-retry",
        "x-title",
        "x-vercel-id",
    }
)
_KEYS = """access account admin api app application auth client consumer developer encryption function license master
    private secret security service shared signing storage subscription"""
_TOKENS = """access admin api app auth authentication authorization bearer bot client csrf deploy device id identity
    login oauth personal private refresh secret security service session user verification xsrf"""
_OF_A_KEY = (
    *(
        "accesskeyid",
        "authorization",
        "credential",
        "credentials",
        "passphrase",
        "passwd",
        "password",
        "pwd",
        "secret",
    ),
    *(f"{name}key" for name in _KEYS.split()),
    *(f"{name}token" for name in _TOKENS.split()),
    *(f"{name}signature" for name in ("amz", "aws", "goog", "google", "oauth")),
)
"""Ends of the names of parameters that hold a secret, whatever it looks like. Only letters count, in lower case."""

_PAGES = "continuation cursor last next page pagination prev previous resume resumption scroll start sync"
_OF_A_PAGE = tuple(f"{name}{what}" for name in _PAGES.split() for what in ("key", "token"))
"""Where a list goes on: random in its looks, and no secret. Who asks for another page asks for something else."""

_MAYBE_OF_A_KEY = ("auth", "key", "sig", "signature", "token")
_MAYBE_A_KEY = frozenset({"authcode", "bearer", "code", "jwt", "pass"})
"""Ends of names, and names, of a key in one interface, and of something to look up in another: the value tells."""

_SCHEME = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//")
_RUN = re.compile(r"[A-Za-z0-9._~+/=:-]{16,}")
_NO_LETTER = re.compile(r"[\W_]")
_WORD = re.compile(r"[A-Za-z0-9]+")
_HEX = re.compile(r"(?=[a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{16,}", re.IGNORECASE)
_UUID = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE)
_TURN = re.compile(r"(?<=[a-z])[A-Z0-9]|(?<=[A-Z])[0-9]|(?<=[0-9])[A-Za-z]|(?<=[A-Z])[A-Z](?=[a-z])")
"""Where one kind of character follows another, and not as in words: `someName` has one, `aB3xY7k` has six."""

_TURN_AT_DIGIT = re.compile(r"(?<=[A-Za-z])[0-9]|(?<=[0-9])[A-Za-z]")

_ALLOWED_PREFIXES = (
    "anthropic-priority-",
    "anthropic-ratelimit-",
    "playhead-",
    "ratelimit-",
    "ratelimitbysize-",
    "x-ratelimit-",
    "x-ratelimitbysize-",
    "x-tokenlimit-",
)


def allowed_headers(headers: Headers) -> Headers:
    """The headers that are known to hold no secret."""
    return tuple((name, value) for name, value in headers if _allowed(name.lower()))


def redacted(request: Request) -> Request:
    """The request with nothing in its headers and its URL that may be a secret."""
    return Request(request.method, safe_url(request.url), allowed_headers(request.headers), request.body)


class Taken(NamedTuple):
    """A piece of a URL that is not kept.

    Attributes:
        what: in words; it holds nothing of the secret.
        name: the parameter's, where it is one.
        value: the secret.
    """

    what: str
    name: str
    value: str


def safe_url(url: str) -> str:
    """The URL as it may be kept, and as it is compared.

    A user and a password are left out. A parameter of the query or of the fragment is `REDACTED` where its name is
    that of a key, such as `api_key`; where the name says little, such as `key` or `token`, only if its value looks
    like one. Of what cannot be read as a URL, nothing behind a `?` or a `#` is kept.
    """
    return _cut(url, [])


def taken_names(urls: Iterable[str]) -> frozenset[str]:
    """The names of parameters whose values were taken out of one of these URLs."""
    return frozenset(name for url in urls if REDACTED in url for name in _TAKEN.findall(url))


def without(url: str, names: frozenset[str]) -> str:
    """The URL with `REDACTED` for the values of these parameters, as it stands on a tape from which they were taken:
    a key for tests, which looks like none, is no other request."""
    if not names or "?" not in url:
        return url
    return _PARAMETER.sub(lambda found: f"{found[1]}={REDACTED}" if found[1] in names else found[0], url)


def taken_from_url(url: str) -> list[Taken]:
    """What `safe_url` takes out, in its order. What is `REDACTED` already is not taken out again."""
    taken: list[Taken] = []
    _cut(url, taken)
    return taken


def _cut(url: str, taken: list[Taken]) -> str:
    if "@" not in url and "?" not in url and "#" not in url:
        return url
    try:
        parts = urlsplit(url)
        _ = parts.port  # Of `//me:half/half@host` this is the password's first half: no number, and so no address.
    except ValueError:
        return _cut_blindly(url, taken)
    user, _, host = parts.netloc.rpartition("@")
    if user:
        taken.append(Taken("a user or a password", "", user))
    query, fragment = (_safe_parameters(part, taken) for part in (parts.query, parts.fragment))
    if "@" not in url and "?" not in url and fragment == parts.fragment:
        return url  # To put it together again would lose a `#` with nothing behind it.
    return urlunsplit(parts._replace(netloc=host, query=query, fragment=fragment))


def _cut_blindly(url: str, taken: list[Taken]) -> str:
    start = _SCHEME.match(url)
    begin = start.end() if start else 0
    user, at, rest = url[begin:].rpartition("@")
    kept = re.split(r"[?#]", rest, maxsplit=1)[0]
    if at:
        taken.append(Taken("a user or a password", "", user))
    if behind := rest[len(kept) :]:
        taken.append(Taken("something behind an address that cannot be read", "", behind))
    return url[:begin] + kept


def _safe_parameters(text: str, taken: list[Taken]) -> str:
    return "&".join(_safe_parameter(parameter, taken) for parameter in text.split("&"))


def _safe_parameter(parameter: str, taken: list[Taken]) -> str:
    safe = _safe_value(parameter, taken)
    if safe is not None or not (";" in parameter or "?" in parameter):
        return safe or parameter
    # A `;` may stand for a `&`, and a value may be a URL with parameters of its own.
    pieces = re.split(r"([;?])", parameter)
    return "".join(_safe_value(piece, taken) or piece for piece in pieces)


def _safe_value(parameter: str, taken: list[Taken]) -> str | None:
    """The parameter without its value; None where that may stay."""
    name, equals, value = parameter.partition("=")
    if not equals or not _is_secret(name, value):
        return None
    if value not in ("", REDACTED):
        taken.append(Taken("a parameter that is named like a key", name, value))
    return f"{name}={REDACTED}"


def _is_secret(name: str, value: str) -> bool:
    plain = _NO_LETTER.sub("", unquote(name)).lower().rstrip("0123456789")
    if plain.endswith(_OF_A_KEY):
        return True
    may_be = plain in _MAYBE_A_KEY or (plain.endswith(_MAYBE_OF_A_KEY) and not plain.endswith(_OF_A_PAGE))
    return may_be and _looks_secret(unquote(value))


def _looks_secret(value: str) -> bool:
    """Whether sixteen characters of it or more look random: digits and letters, or small ones and capitals, are mixed
    as they are not in words, in names and in dates."""
    return REDACTED in value or bool(_UUID.search(value)) or any(map(_looks_random, _RUN.findall(value)))


def _looks_random(run: str) -> bool:
    words = _WORD.findall(run)
    if any(len(word) >= 16 and (_HEX.fullmatch(word) or _count(_TURN_AT_DIGIT, word) >= 3) for word in words):
        return True
    length = sum(map(len, words))
    return length >= 14 and sum(_count(_TURN, word) for word in words) >= 0.3 * length


def _count(pattern: re.Pattern[str], text: str) -> int:
    return sum(1 for _ in pattern.finditer(text))


def _allowed(name: str) -> bool:
    return name in _ALLOWED or name.startswith(_ALLOWED_PREFIXES)
