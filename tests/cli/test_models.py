"""`playhead models`: what there is, whether a key is set, and what a provider itself lists."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from playhead.cli import main
from playhead.http import Request, Response, header
from playhead.providers import provider_names
from playhead.serve.http import ThreadedServer
from playhead.transport.memory import respond


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "OLLAMA_HOST", "OLLAMA_API_KEY", "AZURE_OPENAI_ENDPOINT", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GROQ_API_KEY", "gsk-very-secret")


@pytest.fixture
def server() -> Iterator[tuple[str, list[Request]]]:
    asked: list[Request] = []

    async def answer(request: Request) -> Response:
        asked.append(request)
        if not request.url.endswith("/v1/models"):
            return respond(404, b"not here")
        return respond(200, b'{"data": [{"id": "qwen3:0.6b", "owned_by": "library"}, {"id": "llama3.2:latest"}]}')

    with ThreadedServer(answer) as running:
        yield running.url, asked


def test_all_providers_are_listed_and_no_key_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    printed = capsys.readouterr().out
    rows = {line.split()[0]: line for line in printed.splitlines()[1:]}
    assert set(provider_names()) <= set(rows)
    assert "set: GROQ_API_KEY" in rows["groq"]
    assert "not set" not in rows["groq"]
    assert "not set: ANTHROPIC_API_KEY" in rows["anthropic"]
    assert "not set: AWS_BEARER_TOKEN_BEDROCK, or AWS credentials" in rows["bedrock"]
    assert "bedrock_converse, bedrock" in rows["bedrock"]
    assert "(set AZURE_OPENAI_ENDPOINT)" in rows["azure"]
    assert "very-secret" not in printed


def test_the_list_for_scripts(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "no:address")
    assert main(["models", "--json"]) == 0
    printed = capsys.readouterr().out
    found = {it["name"]: it for it in json.loads(printed)["providers"]}
    assert found["groq"]["key"] == {"variables": ["GROQ_API_KEY"], "set": "GROQ_API_KEY", "required": True}
    assert found["google"]["aliases"] == ["gemini"]
    assert found["bedrock"]["address"] == "https://bedrock-runtime.us-east-1.amazonaws.com"
    assert found["azure"]["address"] is None
    assert found["azure"]["unset"] == ["AZURE_OPENAI_ENDPOINT"]
    assert found["ollama"]["address"] is None  # What the variable holds is none, and breaks nothing else.
    assert "very-secret" not in printed


def test_a_provider_is_asked_for_its_own_list(
    server: tuple[str, list[Request]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, asked = server
    monkeypatch.setenv("OLLAMA_HOST", url)
    monkeypatch.setenv("OLLAMA_API_KEY", "a-key-for-it")
    assert main(["models", "ollama"]) == 0
    assert capsys.readouterr() == ("qwen3:0.6b\nllama3.2:latest\n", "2 models\n")
    assert header(asked[0].headers, "authorization") == "Bearer a-key-for-it"
    assert main(["models", f"compat:{url}/v1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["provider"] == "compat"
    assert said["models"][0] == {"id": "qwen3:0.6b", "raw": {"id": "qwen3:0.6b", "owned_by": "library"}}


def test_what_goes_wrong_is_told(server: tuple[str, list[Request]], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", f"compat:{server[0]}/nowhere"]) == 1
    assert "There may be no list of models at" in capsys.readouterr().err
    assert main(["models", "anthropic"]) == 1
    assert "set ANTHROPIC_API_KEY" in capsys.readouterr().err
    for wrong in ("nobody", "compat:127.0.0.1"):
        with pytest.raises(SystemExit) as stopped:
            main(["models", wrong])
        assert stopped.value.code == 2
    assert "there is no provider 'nobody'" in capsys.readouterr().err
