"""Tokens of Google's and of Entra: kept, replaced in time and when they are refused, and got by their libraries."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest

import playhead as ph
from playhead.http import Request, Response
from playhead.transport.auth import AuthTransport, Scheme, _scheme, _tokens, scheme_for
from playhead.transport.auth._keys import KeyInHeader
from playhead.transport.auth._tokens import Bearer, Token, Tokens, azure_token, google_token
from playhead.transport.memory import MemoryTransport, respond

REQUEST = Request("POST", "http://x.test/")


@pytest.fixture(autouse=True)
def nothing_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "AZURE_OPENAI_AD_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    _scheme._kept.clear()
    yield
    _scheme._kept.clear()


def by(tokens: Tokens, key: str | None = None) -> Scheme:
    return Bearer(KeyInHeader(lambda: key, "api-key"), lambda: tokens)


def fetching(*tokens: Token | Exception) -> tuple[Callable[[], Token], list[str]]:
    """Gives the tokens one after the other, and tells on which threads."""
    threads: list[str] = []
    left = list(tokens)

    def fetch() -> Token:
        threads.append(threading.current_thread().name)
        token = left.pop(0)
        if isinstance(token, Exception):
            raise token
        return token

    return fetch, threads


def send(scheme: Scheme, *statuses: int) -> tuple[list[str], list[int]]:
    """Send as many requests as it takes to see all statuses: with which headers, and what came of each."""
    left = list(statuses)
    seen: list[str] = []

    def answer(request: Request) -> Response:
        seen.append(" ".join(value for _, value in request.headers))
        return respond(left.pop(0))

    async def main() -> list[int]:
        transport = AuthTransport(MemoryTransport(answer), scheme)
        said: list[int] = []
        while left:
            said.append((await transport.send(REQUEST)).status)
        return said

    return seen, asyncio.run(main())


def test_a_token_is_got_once_in_a_thread_and_kept() -> None:
    fetch, threads = fetching(Token("first-token", time.time() + 3600, (("x-goog-user-project", "p"),)))
    assert send(by(Tokens(fetch)), 200, 200) == (["Bearer first-token p"] * 2, [200, 200])
    assert len(threads) == 1
    assert threads[0] != threading.main_thread().name


def test_a_token_is_replaced_before_it_expires() -> None:
    fetch, _ = fetching(Token("first-token", time.time() + 60), Token("second-token", time.time() + 3600))
    assert send(by(Tokens(fetch)), 200, 200, 200)[0] == ["Bearer first-token", *["Bearer second-token"] * 2]


def test_an_old_token_serves_while_no_new_one_can_be_had() -> None:
    fetch, _ = fetching(Token("first-token", time.time() + 60), ph.TransportError("no network"))
    assert send(by(Tokens(fetch)), 200, 200) == (["Bearer first-token"] * 2, [200, 200])


def test_a_token_that_is_refused_is_replaced_once() -> None:
    fetch, threads = fetching(Token("first-token"), Token("second-token"), Token("second-token"))
    seen, statuses = send(by(Tokens(fetch)), 401, 200, 401, 403)
    assert seen == ["Bearer first-token", *["Bearer second-token"] * 3]
    assert statuses == [200, 401, 403]  # The third is as old as the second; and 403 is not about the token.
    assert len(threads) == 3


def test_where_no_new_token_can_be_had_the_refusal_is_told() -> None:
    fetch, _ = fetching(Token("first-token"), ph.MissingKey("gone"))
    assert send(by(Tokens(fetch)), 401) == (["Bearer first-token"], [401])


def test_a_key_comes_before_tokens_and_is_not_replaced() -> None:
    fetch, threads = fetching()
    assert send(by(Tokens(fetch), "the-key"), 401) == (["the-key"], [401])
    assert threads == []


def test_many_calls_at_once_get_one_token() -> None:
    def slow() -> Token:
        time.sleep(0.05)
        fetched.append(1)
        return Token(f"token-{len(fetched)}")

    fetched: list[int] = []
    scheme = by(Tokens(slow))

    async def main() -> set[str]:
        return {dict(signed.headers)["Authorization"] for signed in await _all(scheme, 8)}

    assert asyncio.run(main()) == {"Bearer token-1"}
    assert len(fetched) == 1


async def _all(scheme: Scheme, times: int) -> list[Any]:
    return await asyncio.gather(*(scheme.sign(REQUEST) for _ in range(times)))


def test_runs_share_tokens_until_the_environment_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    fetch, threads = fetching(Token("first-token"), Token("second-token"))
    monkeypatch.setattr(_tokens, "google_token", fetch)
    assert send(scheme_for("google", lambda: None), 200)[0] == ["Bearer first-token"]
    assert send(scheme_for("google", lambda: None), 200)[0] == ["Bearer first-token"]
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "another.json")
    assert send(scheme_for("google", lambda: None), 200)[0] == ["Bearer second-token"]
    assert len(threads) == 2


class _Google:
    """Credentials as google-auth has them."""

    token = None
    expiry: dt.datetime | None = None
    quota_project_id: str | None = "billed-to"

    def refresh(self, _: object) -> None:
        self.token = "google-token"
        self.expiry = dt.datetime(2030, 1, 1)  # noqa: DTZ001 - google-auth's are naive


def test_googles_token_comes_with_its_end_and_with_who_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("google.auth.default", lambda **_: (_Google(), "project"))
    expires = dt.datetime(2030, 1, 1, tzinfo=dt.UTC).timestamp()
    assert google_token() == Token("google-token", expires, (("x-goog-user-project", "billed-to"),))


def test_a_service_account_is_asked_for_a_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The whole way through google-auth, against a token server of our own."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    from playhead.serve.http import ThreadedServer

    async def token(request: Request) -> Response:
        asked.append(request.body.decode())
        return respond(200, b'{"access_token": "ya29.of-the-server", "expires_in": 3600, "token_type": "Bearer"}')

    asked: list[str] = []
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with ThreadedServer(token) as server:
        account = {
            "type": "service_account",
            "client_email": "a@b.test",
            "private_key": pem.decode(),
            "token_uri": f"{server.url}/token",
            "project_id": "p",
        }
        file = tmp_path / "account.json"
        file.write_text(json.dumps(account))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        assert send(scheme_for("google", lambda: None), 200, 200)[0] == ["Bearer ya29.of-the-server"] * 2
    assert len(asked) == 1
    assert "grant_type=urn" in asked[0]


def test_without_googles_credentials_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ph.MissingKey, match="gcloud auth application-default login"):
        google_token()


@pytest.mark.parametrize("content", [None, "[]"], ids=["a folder", "a list"])
def test_a_file_that_holds_no_credentials_of_google_is_no_other_error(
    content: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path if content is None else tmp_path / "credentials.json"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    with pytest.raises(ph.MissingKey, match="check the file that GOOGLE_APPLICATION_CREDENTIALS names"):
        google_token()


class _Azure:
    """azure-identity's credential."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def get_token(self, scope: str) -> Any:
        from azure.core.credentials import AccessToken
        from azure.core.exceptions import ClientAuthenticationError

        assert scope == "https://cognitiveservices.azure.com/.default"
        if self.fails:
            raise ClientAuthenticationError("DefaultAzureCredential failed to retrieve a token\nand much more")
        return AccessToken("entra-token", 1_900_000_000)

    fails = False


def test_an_entra_token_is_the_environments_or_azure_identitys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("azure.identity.DefaultAzureCredential", _Azure)
    assert azure_token() == Token("entra-token", 1_900_000_000.0)
    monkeypatch.setattr(_Azure, "fails", True)
    with pytest.raises(ph.MissingKey, match=r"AZURE_OPENAI_API_KEY, or AZURE_OPENAI_AD_TOKEN") as caught:
        azure_token()
    assert "much more" not in str(caught.value)
    monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", "given-token")
    assert azure_token() == Token("given-token")


def test_variables_that_azure_identity_cannot_read_are_no_other_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Any:
        raise ValueError("'AZURE_AUTHORITY_HOST' is no URL with https")

    monkeypatch.setattr("azure.identity.DefaultAzureCredential", broken)
    with pytest.raises(ph.MissingKey, match="check the AZURE_"):
        azure_token()


@pytest.mark.parametrize(("module", "auth"), [("google.auth", "google"), ("azure.identity", "azure")])
def test_without_the_library_it_says_what_to_install(module: str, auth: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # type: ignore[arg-type]
    with pytest.raises(ph.MissingDependency, match=rf"pip install 'playhead\[{auth}\]'"):
        send(scheme_for(auth, lambda: None), 200)
