"""AWS's SigV4, by botocore. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html"""

from __future__ import annotations

import asyncio
import importlib
import os
import re
from collections.abc import Callable
from typing import Any

from ...errors import MissingDependency, MissingKey
from ...http import Request, Response
from ._keys import KeyInHeader
from ._scheme import Signed, forget, kept

SERVICE = "bedrock"
"""What is signed for, also at `bedrock-runtime`."""

_REGION = re.compile(r"(?:^|//|\.)bedrock(?:-[a-z]+)*\.([a-z]{2}(?:-[a-z]+)+-\d+)\.")
_ADDED = ("X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-SHA256", "Authorization")
_OLD = ("ExpiredToken", "UnrecognizedClient")
"""How the errors are called that other credentials may help with."""


class Aws:
    """Signs with a bearer key where there is one, else by SigV4 with the credentials that botocore finds.

    The region is that of the URL's host, else that of `AWS_REGION` or `AWS_DEFAULT_REGION`, else us-east-1.

    Args:
        key: gives the bearer key, or None where there is none.
    """

    places = ("authorization",)

    def __init__(self, key: Callable[[], str | None]) -> None:
        self._key = KeyInHeader(key, "Authorization", "Bearer ")

    async def sign(self, request: Request) -> Signed:
        """The headers of a signature over the method, the URL, the headers and the body as they are."""
        signed = self._key.signed()
        # In a thread: finding credentials may read files, run a program or ask a server.
        return signed if signed.headers else await asyncio.to_thread(_sign, request)

    async def sign_anew(self, request: Request, refused: Signed, response: Response) -> Signed | None:
        """Once more with credentials that are looked for anew, where the old ones have expired."""
        if (new := self._key.signed()).headers:
            return new if new.secrets != refused.secrets else None
        if not (response.header("x-amzn-errortype") or "").startswith(_OLD):
            return None
        forget("aws", _session())
        try:
            signed = await asyncio.to_thread(_sign, request)
        except MissingKey:
            return None  # What AWS said tells more.
        return signed if signed.secrets[:-1] != refused.secrets[:-1] else None


def _session() -> Any:
    return kept("aws", ("AWS_", "HOME", "USERPROFILE"), _new_session)


def _new_session() -> Any:
    try:
        return _botocore("session").Session()
    except ImportError as error:
        raise MissingDependency(
            "there is no key in AWS_BEARER_TOKEN_BEDROCK, and AWS's signatures come from botocore, which is not "
            "installed: pip install 'playhead[bedrock]'"
        ) from error


def _botocore(name: str) -> Any:
    """A module of botocore's, which has no types."""
    return importlib.import_module(f"botocore.{name}")


def _sign(request: Request) -> Signed:
    session = _session()
    try:
        found = session.get_credentials()
        credentials = None if found is None else found.get_frozen_credentials()
    except MissingDependency:
        raise
    except Exception as error:  # What runs programs and asks servers raises anything, not only its own errors.
        raise _no_credentials(f": {_told(error)}") from error
    if credentials is None or not credentials.access_key:
        raise _no_credentials("")
    outgoing = _botocore("awsrequest").AWSRequest(request.method, request.url, data=request.body)
    for name, value in request.headers:
        outgoing.headers[name] = value
    _botocore("auth").SigV4Auth(credentials, SERVICE, _region(request.url)).add_auth(outgoing)
    added = tuple((name, outgoing.headers[name]) for name in _ADDED if name in outgoing.headers)
    signature = outgoing.headers["Authorization"].rpartition("=")[2]
    # The signature last: it alone is another each time.
    secrets: tuple[str | None, ...] = (credentials.secret_key, credentials.token, signature)
    return Signed(added, tuple(secret for secret in secrets if secret))


def _told(error: Exception) -> str:
    """What is wrong, without what may stand in a program's output."""
    own = type(error).__module__.partition(".")[0] == "botocore" or isinstance(error, RuntimeError)
    return (
        (str(error).splitlines() or [""])[0].rstrip(".") if own else f"they cannot be read ({type(error).__name__})"
    )


def _region(url: str) -> str:
    found = _REGION.search(url.partition("?")[0])
    named = os.environ.get("AWS_REGION", "").strip() or os.environ.get("AWS_DEFAULT_REGION", "").strip()
    return found[1] if found else named or "us-east-1"


def _no_credentials(why: str) -> MissingKey:
    return MissingKey(
        f"there are no credentials for AWS{why}. Set AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run `aws sso login`. (Replaying a tape needs none.)"
    )
