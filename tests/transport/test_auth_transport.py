"""The key goes out with a request, and never comes back."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import playhead as ph
from chatwire import SSE, Script, stream
from playhead.http import Request, Response
from playhead.transport.auth import AuthTransport, bearer, scheme_for
from playhead.transport.memory import MemoryTransport, respond

KEY = "sk-or-v1-0123456789"


def sent(auth: str, key: str | None, *headers: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """The headers with which a request goes out."""
    inner = MemoryTransport(lambda _: respond(200))

    async def main() -> None:
        await AuthTransport(inner, scheme_for(auth, lambda: key)).send(Request("GET", "http://x.test/", headers))

    asyncio.run(main())
    return inner.requests[0].headers


def heard(pieces: list[bytes], key: str | None = KEY) -> list[bytes]:
    async def main() -> list[bytes]:
        transport = AuthTransport(MemoryTransport(lambda _: respond(200, pieces)), bearer(lambda: key))
        return [piece async for piece in await transport.send(Request("GET", "http://x.test/"))]

    return asyncio.run(main())


def test_a_request_gets_the_key_unless_it_has_one_of_its_own() -> None:
    inner = MemoryTransport(lambda _: respond(200))

    async def main() -> None:
        transport = AuthTransport(inner, bearer(lambda: KEY))
        await transport.send(Request("GET", "http://x.test/"))
        await transport.send(Request("GET", "http://x.test/", (("authorization", "Basic x"),)))

    asyncio.run(main())
    first, second = inner.requests
    assert first.headers == (("Authorization", f"Bearer {KEY}"),)
    assert second.headers == (("authorization", "Basic x"),)


def test_a_key_may_have_a_header_of_its_own() -> None:
    assert sent("x-api-key", KEY) == (("x-api-key", KEY),)
    assert sent("x-api-key", None) == ()
    own = ("Authorization", "Bearer of-their-own")
    assert sent("x-api-key", KEY, own) == (own,)
    assert sent("x-goog-api-key", KEY, ("X-Goog-Api-Key", "another")) == (("X-Goog-Api-Key", "another"),)


@pytest.mark.parametrize("auth", ["aws", "google", "azure"])
def test_a_key_needs_none_of_the_vendors_libraries(auth: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("botocore", "google.auth", "azure.identity"):
        monkeypatch.setitem(sys.modules, name, None)  # type: ignore[arg-type]
    name = "api-key" if auth == "azure" else "Authorization"
    assert sent(auth, KEY) == ((name, KEY if auth == "azure" else f"Bearer {KEY}"),)


def test_credentials_that_a_request_brings_do_not_come_back_either() -> None:
    inner = MemoryTransport(lambda _: respond(200, b"you sent of-their-own", (("x-echo", "of-their-own"),)))

    async def main() -> tuple[bytes, str | None]:
        request = Request("GET", "http://x.test/", (("Authorization", "Bearer of-their-own"),))
        response = await AuthTransport(inner, bearer(lambda: None)).send(request)
        return await response.read(), response.header("x-echo")

    assert asyncio.run(main()) == (b"you sent REDACTED", "REDACTED")


@given(st.lists(st.sampled_from([KEY, KEY[:5], KEY[5:], "sk-", "s", "text", "\n\n"]), max_size=6), st.integers(1, 40))
def test_the_key_is_taken_out_wherever_the_pieces_are_cut(words: list[str], size: int) -> None:
    data = "".join(words).encode()
    pieces = [data[n : n + size] for n in range(0, len(data), size)]
    assert b"".join(heard(pieces)) == data.replace(KEY.encode(), b"REDACTED")


def test_pieces_without_it_are_not_held_back_or_joined() -> None:
    pieces = stream("one two three")
    assert heard(pieces) == pieces


def test_a_key_too_short_to_be_told_from_text_is_not_looked_for() -> None:
    assert heard([b"a key"], "key") == [b"a key"]


@pytest.mark.parametrize("ending", [".jsonl", ".yaml"])
def test_a_key_that_the_provider_echoes_is_neither_shown_nor_on_the_tape(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t{ending}"
    refusal = {"status": 401, "body": f'{{"error":{{"message":"invalid key {KEY}"}}}}'.encode()}
    words = {"status": 200, "body": b"".join(stream(f"your key is {KEY}")), "headers": SSE}
    agent = Script(refusal, words).agent(model="openrouter:m", api_key=KEY)
    with pytest.raises(ph.ProviderError, match="invalid key REDACTED") as caught:
        agent.run_sync("go", tape=path)
    assert KEY not in str(caught.value)
    assert KEY.encode() not in caught.value.body
    agent.run_sync("go", tape=path)
    assert KEY.encode() not in path.read_bytes()


def test_a_refusal_is_let_go_of_where_the_new_key_cannot_be_had() -> None:
    closed: list[bool] = []

    class Refusing:
        async def send(self, request: Request) -> Response:
            async def close() -> None:
                closed.append(True)

            return respond(401, b"{}").with_stream(aiter(respond(401, b"{}")), close=close)

        async def aclose(self) -> None:
            pass

    keys = iter([KEY])

    def key() -> str:
        for each in keys:
            return each
        raise ValueError("the vault is shut")

    with pytest.raises(ValueError, match="vault"):
        asyncio.run(AuthTransport(Refusing(), bearer(key)).send(Request("GET", "http://x.test/")))
    assert closed == [True]
