"""SigV4 as botocore's own client makes it, over the URL's bytes as they are sent."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.auth
import botocore.session
import pytest
from botocore.config import Config

import playhead as ph
from playhead.http import Request, Response, header
from playhead.serve.http import Server
from playhead.transport.auth import AuthTransport, _scheme, scheme_for
from playhead.transport.live import LiveTransport
from playhead.transport.memory import MemoryTransport, respond

ACCESS, SECRET, SESSION = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "FwoGZXIvYXdzEBYaD-session"
MODEL = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
URL = f"https://bedrock-runtime.eu-west-1.amazonaws.com/model/{MODEL.replace(':', '%3A')}/invoke"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Credentials that are none, a clock that stands still, and no configuration of this machine."""
    for name in ("AWS_BEARER_TOKEN_BEDROCK", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", SESSION)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    now = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: now.replace(tzinfo=None))
    _scheme._kept.clear()
    yield
    _scheme._kept.clear()


def signed(request: Request, key: str | None = None) -> dict[str, str]:
    """The headers of the request as it goes out."""
    inner = MemoryTransport(lambda _: respond(200))

    async def main() -> None:
        await AuthTransport(inner, scheme_for("aws", lambda: key)).send(request)

    asyncio.run(main())
    assert inner.requests[0].url == request.url
    return dict(inner.requests[0].headers)


class _Stopped(Exception):
    pass


def botocores(operation: str, **arguments: Any) -> Any:
    """The request that botocore's own client would send."""
    client = botocore.session.Session().create_client(
        "bedrock-runtime", region_name="eu-west-1", config=Config(retries={"total_max_attempts": 1})
    )
    seen: list[Any] = []

    def stop(request: Any, **_: Any) -> None:
        seen.append(request)
        raise _Stopped

    client.meta.events.register("before-send", stop)
    with pytest.raises(_Stopped):
        getattr(client, operation)(**arguments)
    return seen[0]


def text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("invoke_model", {"modelId": MODEL, "body": b'{"max_tokens":1}', "contentType": "application/json"}),
        (
            "invoke_model_with_response_stream",
            {"modelId": f"arn:aws:bedrock:eu-west-1:1:inference-profile/{MODEL}", "body": b"{}"},
        ),
        (
            "converse",
            {"modelId": "amazon.nova-lite-v1:0", "messages": [{"role": "user", "content": [{"text": "Olá"}]}]},
        ),
    ],
    ids=["invoke", "arn", "converse"],
)
def test_the_signature_is_that_of_botocores_own_client(operation: str, arguments: dict[str, Any]) -> None:
    theirs = botocores(operation, **arguments)
    headers = {name: text(value) for name, value in theirs.headers.items()}
    named = re.search("SignedHeaders=([^,]+)", headers["Authorization"])
    assert named is not None
    before = set(named[1].split(";")) - {"host", "x-amz-date", "x-amz-security-token"}
    plain = tuple((name, value) for name, value in headers.items() if name.lower() in before)
    body = theirs.body if isinstance(theirs.body, bytes) else theirs.body.read()
    ours = signed(Request(theirs.method, theirs.url, plain, body))
    assert "%3A" in theirs.url
    assert ours["Authorization"] == headers["Authorization"]
    assert ours["X-Amz-Security-Token"] == SESSION
    assert f"{ACCESS}/20260102/eu-west-1/bedrock/aws4_request" in ours["Authorization"]


@pytest.mark.parametrize(
    ("url", "region"),
    [
        (URL, "eu-west-1"),
        ("https://bedrock.ap-southeast-2.amazonaws.com/foundation-models", "ap-southeast-2"),
        ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com/model/m/converse", "us-gov-west-1"),
        ("https://vpce-1.bedrock-runtime.us-west-2.vpce.amazonaws.com/model/m/converse", "us-west-2"),
        ("http://127.0.0.1:1/model/m/converse", "sa-east-1"),
    ],
)
def test_the_region_is_that_of_the_host_else_of_the_environment(
    url: str, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "sa-east-1")
    assert f"/{region}/bedrock/" in signed(Request("POST", url))["Authorization"]


def test_a_bearer_key_comes_before_all_credentials() -> None:
    assert signed(Request("POST", URL), "a-bearer-key") == {"Authorization": "Bearer a-bearer-key"}


def test_what_was_signed_is_what_arrives() -> None:
    """The path stands on the wire as it was signed, byte for byte."""
    arrived: list[Request] = []

    async def answer(request: Request) -> Response:
        arrived.append(request)
        return respond(200, f"{SECRET} and {SESSION} and {header(request.headers, 'authorization')}".encode())

    async def main() -> bytes:
        async with Server(answer) as server:
            transport = AuthTransport(LiveTransport(), scheme_for("aws", lambda: None))
            url = f"{server.url}/model/{MODEL.replace(':', '%3A')}/invoke"
            response = await transport.send(Request("POST", url, (("Content-Type", "application/json"),), b"{}"))
            body = await response.read()
            await response.aclose()
            await transport.aclose()
            return body

    body = asyncio.run(main())
    assert arrived[0].url.endswith(f"/model/{MODEL.replace(':', '%3A')}/invoke")
    assert "=content-type;host;x-amz-date;x-amz-security-token, " in (
        header(arrived[0].headers, "authorization") or ""
    )
    assert body.startswith(b"REDACTED and REDACTED and AWS4-HMAC-SHA256 ")
    assert body.endswith(b"Signature=REDACTED")


def test_without_credentials_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ph.MissingKey, match="AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS_KEY_ID"):
        signed(Request("POST", URL))
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(ph.MissingKey, match="profile"):
        signed(Request("POST", URL))


EXPIRED = {"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b", "Expiration": "2001-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("output", "said"),
    [("AKIA-not-json", "cannot be read"), (json.dumps(EXPIRED), "still expired")],
    ids=["no JSON", "expired"],
)
def test_a_program_that_gives_no_credentials_is_no_other_error(
    output: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    (tmp_path / "output").write_text(output)
    (tmp_path / "config").write_text(f"[default]\ncredential_process = cat {tmp_path / 'output'}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(ph.MissingKey, match=said) as caught:
        signed(Request("POST", URL))
    assert "AKIA-not-json" not in str(caught.value)


def test_without_botocore_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.session", None)  # type: ignore[arg-type]
    with pytest.raises(ph.MissingDependency, match=r"pip install 'playhead\[bedrock\]'"):
        signed(Request("POST", URL))


def test_credentials_that_have_expired_are_looked_for_once_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    file = tmp_path / "credentials"

    def write(secret: str) -> None:
        file.write_text(f"[default]\naws_access_key_id = {ACCESS}\naws_secret_access_key = {secret}\n")

    write("old-secret-old-secret")
    asked: list[str] = []

    def answer(request: Request) -> Response:
        asked.append(dict(request.headers)["Authorization"])
        if len(asked) == 1:
            write("new-secret-new-secret")
            return respond(403, b"{}", (("x-amzn-ErrorType", "ExpiredTokenException:http://x"),))
        return respond(200 if len(asked) == 2 else 403, b"", (("x-amzn-ErrorType", "ExpiredTokenException"),))

    async def main() -> list[int]:
        transport = AuthTransport(MemoryTransport(answer), scheme_for("aws", lambda: None))
        return [(await transport.send(Request("POST", URL))).status for _ in range(2)]

    assert asyncio.run(main()) == [200, 403]
    assert asked[0] != asked[1] == asked[2]
    assert len(asked) == 3  # There were no others to try with.


@pytest.mark.parametrize("model", ["bedrock:us.anthropic.claude-v1", "bedrock:amazon.nova-lite-v1:0"])
def test_a_run_that_is_played_needs_no_credentials_and_no_botocore(model: str) -> None:
    program = f"""
import json, sys
import playhead as ph
try:
    ph.Agent({model!r}).run_sync("go", tape=ph.Tape(), mode="replay")
except ph.Divergence as error:
    print("diverged")
print(json.dumps([name for name in sys.modules if name.startswith(("botocore", "google", "azure", "httpx"))]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env={})
    assert done.stdout.splitlines() == ["diverged", json.dumps([])]


def test_a_run_that_goes_out_is_signed(tmp_path: Path) -> None:
    """A whole run against a server on this machine; the tape holds nothing of the signature."""

    async def answer(request: Request) -> Response:
        assert request.url.endswith("/model/amazon.nova-lite-v1%3A0/converse")
        assert (header(request.headers, "authorization") or "").startswith(f"AWS4-HMAC-SHA256 Credential={ACCESS}/")
        message = {"role": "assistant", "content": [{"text": "Ol\u00e1!"}]}
        usage = {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}
        said = {"output": {"message": message}, "stopReason": "end_turn", "usage": usage}
        return respond(200, json.dumps(said).encode(), (("content-type", "application/json"),))

    async def main() -> str:
        async with Server(answer) as server:
            agent = ph.Agent("bedrock:amazon.nova-lite-v1:0", base_url=server.url)
            return (await agent.run("Hi", tape=tmp_path / "t.jsonl")).text

    assert asyncio.run(main()) == "Ol\u00e1!"
    tape = (tmp_path / "t.jsonl").read_text()
    assert not re.search(f"{ACCESS}|{SESSION}|AWS4-HMAC", tape)
