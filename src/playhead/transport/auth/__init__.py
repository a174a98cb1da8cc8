"""
Signs requests below everything that records, and takes secrets out of what comes back: no tape ever sees one.

A scheme says how: with a key in a header, by AWS's SigV4, or with a token of Google's or of Entra. The libraries that
know how to get tokens are loaded with the first request that needs one; a run that is only played needs none of them.
"""

from __future__ import annotations

from collections.abc import Callable

from ...http import Request, Response, Transport, header
from ._keys import KeyInHeader
from ._scheme import Scheme, Signed
from ._secrets import without

__all__ = ["AuthTransport", "Scheme", "Signed", "bearer", "scheme_for"]


class AuthTransport:
    """A transport around a transport that signs requests.

    A provider may echo a key, as in "invalid API key: ..."; above this transport nobody hears it. A request that is
    refused because its key or its token is old is sent once more with a new one, where there is one; the tape has the
    second answer alone. Credentials go to the URL of the request and nowhere else: redirects are not followed.

    Args:
        inner: what sends the signed request.
        scheme: signs; asked when a request goes out, never before.
    """

    def __init__(self, inner: Transport, scheme: Scheme) -> None:
        self._inner = inner
        self._scheme = scheme

    async def send(self, request: Request) -> Response:
        """Send it signed, unless the request has credentials of its own.

        Raises:
            ConfigError: there are no credentials, or what finds them is not installed. Nothing was sent.
            TransportError: no answer came, or no token could be had.
        """
        if own := [value for name in self._scheme.places if (value := header(request.headers, name))]:
            # Of `Bearer ...` and the like the last word is the secret.
            return without(await self._inner.send(request), tuple(value.rpartition(" ")[2] for value in own))
        signed = await self._scheme.sign(request)
        secrets = signed.secrets
        response = await self._inner.send(_with(request, signed))
        try:
            new = await self._scheme.sign_anew(request, signed, response) if response.status in (401, 403) else None
        except BaseException:  # Such as the user's own, or a cancellation.
            await response.aclose()
            raise
        if new is not None:
            await response.aclose()
            secrets += new.secrets
            response = await self._inner.send(_with(request, new))
        return without(response, secrets)

    async def aclose(self) -> None:
        """Let go of the inner transport."""
        await self._inner.aclose()


def bearer(key: Callable[[], str | None]) -> Scheme:
    """Signs with `Authorization: Bearer KEY`.

    Args:
        key: gives the key, or None where there is none: then requests go out as they are.
    """
    return KeyInHeader(key, "Authorization", "Bearer ")


def scheme_for(auth: str, key: Callable[[], str | None]) -> Scheme:
    """The scheme that a provider's `auth` names. Nothing heavy is loaded yet.

    Args:
        auth: `bearer`, `aws`, `google`, `azure`, or the name of a header.
        key: gives the key, or None where there is none.
    """
    match auth:
        case "bearer":
            return bearer(key)
        case "aws":
            from ._aws import Aws

            return Aws(key)
        case "google":
            from ._tokens import google

            return google(key)
        case "azure":
            from ._tokens import azure

            return azure(key)
        case _:
            return KeyInHeader(key, auth)


def _with(request: Request, signed: Signed) -> Request:
    return Request(request.method, request.url, (*request.headers, *signed.headers), request.body)
