"""Tokens of Google's and of Entra: got by the libraries of their makers, kept until shortly before they expire."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from ...errors import ConfigError, MissingDependency, MissingKey, TransportError
from ...http import Headers, Request, Response
from ._keys import KeyInHeader
from ._scheme import Signed, kept

EARLY = 300.0
"""Seconds before its end at which a token is replaced."""

GOOGLE_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
AZURE_SCOPE = "https://cognitiveservices.azure.com/.default"


class Token(NamedTuple):
    """A token.

    Attributes:
        value: what stands behind `Bearer`.
        expires: seconds since 1970; None where it is not known.
        headers: that go with it.
    """

    value: str
    expires: float | None = None
    headers: Headers = ()

    def lasts(self, seconds: float) -> bool:
        """Whether it is good for so long."""
        return self.expires is None or self.expires - time.time() > seconds


class Tokens:
    """The token of the moment, for all runs and threads of the process.

    Args:
        fetch: gets a new one; it may block, and is called in a thread, by one at a time.
    """

    def __init__(self, fetch: Callable[[], Token]) -> None:
        self._fetch = fetch
        self._token: Token | None = None
        self._lock = threading.Lock()

    async def get(self, refused: str | None = None) -> Token:
        """A token that is good for a while, and is not the one that was refused."""
        token = self._token
        if token is not None and token.value != refused and token.lasts(EARLY):
            return token
        return await asyncio.to_thread(self._renew, refused)

    def _renew(self, refused: str | None) -> Token:
        with self._lock:
            token = self._token
            if token is not None and token.value != refused and token.lasts(EARLY):
                return token  # Somebody else got it in the meantime.
            try:
                self._token = self._fetch()
            except (ConfigError, TransportError):
                if token is None or token.value == refused or not token.lasts(0):
                    raise
                return token  # It is good for some minutes yet.
            return self._token


class Bearer:
    """Signs with a key where there is one, else with a token.

    Args:
        key: how requests are signed with a key.
        tokens: gives the tokens.
    """

    def __init__(self, key: KeyInHeader, tokens: Callable[[], Tokens]) -> None:
        self._key = key
        self._tokens = tokens
        self.places = key.places

    async def sign(self, request: Request) -> Signed:  # noqa: ARG002 - other schemes look at it
        """The header with the token, and what goes with it."""
        signed = self._key.signed()
        return signed if signed.headers else _signed(await self._tokens().get())

    async def sign_anew(self, request: Request, refused: Signed, response: Response) -> Signed | None:  # noqa: ARG002
        """Once more with a new token, where the first was one and the status is 401."""
        if response.status != 401:
            return None
        if (new := self._key.signed()).headers:
            return new if new.secrets != refused.secrets else None
        try:
            token = await self._tokens().get(refused.secrets[0])
        except (ConfigError, TransportError):
            return None  # What the provider said tells more.
        return _signed(token) if token.value != refused.secrets[0] else None


def _signed(token: Token) -> Signed:
    return Signed((("Authorization", f"Bearer {token.value}"), *token.headers), (token.value,))


def google(key: Callable[[], str | None]) -> Bearer:
    """Signs with a token of Google's: that of `key`, or of the application default credentials."""
    names = ("GOOGLE_", "CLOUDSDK_", "GCE_", "HOME", "APPDATA")
    return Bearer(
        KeyInHeader(key, "Authorization", "Bearer "), lambda: kept("google", names, lambda: Tokens(google_token))
    )


def azure(key: Callable[[], str | None]) -> Bearer:
    """Signs with the header `api-key`, or with an Entra token of `AZURE_OPENAI_AD_TOKEN` or azure-identity."""
    names = ("AZURE_", "IDENTITY_", "IMDS_", "MSI_", "HOME", "APPDATA")
    return Bearer(KeyInHeader(key, "api-key"), lambda: kept("azure", names, lambda: Tokens(azure_token)))


def google_token() -> Token:
    """A token of the application default credentials. https://google.aip.dev/auth/4110

    Raises:
        MissingDependency: google-auth or requests is not installed.
        MissingKey: there are no credentials, or they are no good.
        TransportError: Google could not be asked.
    """
    try:
        import google.auth
        import google.auth.exceptions
        import google.auth.transport.requests
    except ImportError as error:
        raise _not_installed("google", "Google's tokens come from google-auth and requests") from error
    library: Any = google.auth
    errors: Any = google.auth.exceptions
    transport: Any = google.auth.transport.requests
    try:
        credentials: Any = library.default(scopes=[GOOGLE_SCOPE])[0]
        credentials.refresh(transport.Request())
    except errors.TransportError as error:
        raise TransportError(f"Google could not be asked for a token: {_first_line(error)}") from error
    except errors.GoogleAuthError as error:
        raise MissingKey(
            f"there are no credentials for Google Cloud: {_first_line(error)}. Run `gcloud auth application-default "
            "login`, or set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account. (Replaying a tape needs "
            "none.)"
        ) from error
    except Exception as error:  # A file that is something else than it should be, for one.
        raise MissingKey(
            f"the credentials for Google Cloud cannot be read ({type(error).__name__}): check the file that "
            "GOOGLE_APPLICATION_CREDENTIALS names, or run `gcloud auth application-default login`"
        ) from error
    project = getattr(credentials, "quota_project_id", None)
    expiry: Any = credentials.expiry  # A naive datetime in UTC.
    return Token(
        credentials.token,
        None if expiry is None else _seconds(expiry),
        (("x-goog-user-project", project),) if project else (),
    )


def azure_token() -> Token:
    """The Entra token of the environment, or of what azure-identity finds.

    Raises:
        MissingDependency: azure-identity is not installed.
        MissingKey: there are no credentials.
    """
    if given := os.environ.get("AZURE_OPENAI_AD_TOKEN", "").strip():
        return Token(given)
    try:
        import azure.core.exceptions
        import azure.identity
    except ImportError as error:
        raise _not_installed(
            "azure", "there is no key in AZURE_OPENAI_API_KEY, and Entra tokens come from azure-identity"
        ) from error
    library: Any = azure.identity
    errors: Any = azure.core.exceptions
    try:
        with library.DefaultAzureCredential() as credential:
            token: Any = credential.get_token(AZURE_SCOPE)
    except errors.ClientAuthenticationError as error:
        raise MissingKey(
            "there are no credentials for Azure: set AZURE_OPENAI_API_KEY, or AZURE_OPENAI_AD_TOKEN, or run `az "
            f"login`. ({_first_line(error)}) (Replaying a tape needs none.)"
        ) from error
    except errors.AzureError as error:
        raise TransportError(f"Entra could not be asked for a token: {_first_line(error)}") from error
    except Exception as error:  # A certificate or an address of the environment that is none, for one.
        raise MissingKey(
            f"the credentials for Azure cannot be read ({type(error).__name__}): check the AZURE_... variables, or "
            "set AZURE_OPENAI_API_KEY"
        ) from error
    return Token(token.token, float(token.expires_on))


def _not_installed(extra: str, why: str) -> MissingDependency:
    return MissingDependency(f"{why}, which is not installed: pip install 'playhead[{extra}]'")


def _first_line(error: BaseException) -> str:
    said = str(error.args[0] if error.args else error).strip() or type(error).__name__
    return said.splitlines()[0].rstrip(".")


def _seconds(moment: Any) -> float:
    import calendar

    return float(calendar.timegm(moment.timetuple()))
