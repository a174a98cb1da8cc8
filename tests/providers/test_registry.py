"""Providers are found by name, by alias, by entry point and by host; lazily, and the broken ones break no others."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import playhead as ph
from conftest import SHARED, expected
from playhead.model import Model
from playhead.providers import (
    Route,
    _registry,
    find_provider,
    plugin_names,
    provider_for_url,
    provider_names,
    resolve,
)

SOURCES = Path(ph.__file__).parent / "providers"


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package that adds providers: one that works, and others that do not."""
    (tmp_path / "acme_playhead.py").write_text(
        textwrap.dedent(
            """
            import playhead as ph

            PROVIDER = ph.Provider(
                "acme", "https://api.acme.test/v1", key_env="ACME_KEY", public=True, aliases=("acme-ai",)
            )
            NOT_ONE = "https://api.acme.test/v1"
            """
        )
    )
    info = tmp_path / "acme_playhead-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-playhead\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[playhead.providers]\nacme = acme_playhead:PROVIDER\nbroken_one = acme_broken:PROVIDER\n"
        "not-one = acme_playhead:NOT_ONE\nopenai = acme_playhead:PROVIDER\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    _forget()
    yield
    _forget()


def _forget() -> None:
    for cached in (_registry._plugins, _registry._plugin, plugin_names, _registry.provider_for_host):
        cached.cache_clear()
    sys.modules.pop("acme_playhead", None)


@pytest.mark.parametrize(
    ("name", "provider", "id"),
    [
        ("openai:gpt-4o", "openai", "gpt-4o"),
        ("openrouter:moonshotai/kimi-k2:free", "openrouter", "moonshotai/kimi-k2:free"),
        ("openai-responses:gpt-5", "openai-responses", "gpt-5"),
        ("openai_responses:gpt-5", "openai-responses", "gpt-5"),
        ("gemini:gemini-2.5-pro", "google", "gemini-2.5-pro"),
        ("llama.cpp:m", "llamacpp", "m"),
        ("demo", "demo", "qwen2.5-coder-0.5b-instruct"),
        ("bedrock:us.anthropic.claude-haiku-4-5-20251001-v1:0", "bedrock", None),
        ("compat:http://127.0.0.1:8080/v1#m", "compat", "m"),
    ],
)
def test_a_models_name_says_its_provider(name: str, provider: str, id: str | None) -> None:
    found = resolve(name)
    assert (found[0].name, found[1]) == (provider, id or name.partition(":")[2])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nobody:m", "there is no provider 'nobody'; there are: anthropic, "),
        ("_provider:m", "there is no provider '_provider'"),
        ("os.path:m", "there is no provider 'os.path'"),
        ("gpt-4o", "does not say its provider: write 'provider:model'"),
        ("openai", "does not say its provider"),
        ("openai:", "does not say its provider"),
        ("compat:127.0.0.1#m", "after 'compat:' comes the server's address"),
        ("compat:http://127.0.0.1", "does not say which model"),
    ],
)
def test_a_name_that_says_too_little_is_an_error(name: str, said: str) -> None:
    with pytest.raises(ph.ConfigError) as caught:
        resolve(name)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("url", "wire", "goes_to"),
    [
        ("http://h.test/v1", "openai_chat", "http://h.test/v1/chat/completions"),
        ("http://h.test/v1/chat/completions/", "openai_chat", "http://h.test/v1/chat/completions"),
        ("http://h.test/v1/responses", "openai_responses", "http://h.test/v1/responses"),
        ("http://h.test/proxy/v1/messages", "anthropic", "http://h.test/proxy/v1/messages"),
        ("http://h.test/v1/messages?beta=true", "anthropic", "http://h.test/v1/messages?beta=true"),
        (
            "https://h.test/openai/deployments/d/chat/completions?api-version=1",
            "openai_chat",
            "https://h.test/openai/deployments/d/chat/completions?api-version=1",
        ),
        ("http://h.test/threads/t/messages", "openai_chat", "http://h.test/threads/t/messages/chat/completions"),
    ],
)
def test_an_address_that_ends_with_a_formats_path_means_that_format(url: str, wire: str, goes_to: str) -> None:
    provider, id = resolve(f"compat:{url}#m")
    assert (provider.wire, Model(provider, id).url(stream=True)) == (wire, goes_to)
    keyed = {"auth": provider.auth, "versioned": ("anthropic-version", "2023-06-01") in provider.headers}
    assert keyed == {"auth": "x-api-key" if wire == "anthropic" else "bearer", "versioned": wire == "anthropic"}


def test_each_compatible_server_issues_its_own_opaque_data() -> None:
    urls = ("http://a.test/v1#m", "http://a.test/v1/messages#m", "http://A.test/v1#n", "http://a.test:81/v1#m")
    a, messages, same, other = (resolve(f"compat:{url}")[0].origin for url in urls)
    assert a == messages == same != other
    assert "secret" not in resolve("compat:http://me:secret@a.test/v1#m")[0].origin


def test_an_address_without_a_model_shows_no_key() -> None:
    with pytest.raises(ph.ConfigError, match="does not say which model") as caught:
        resolve("compat:http://me:secret@a.test/v1?api_key=hidden")
    assert "compat:http://a.test/v1#my-model" in str(caught.value)
    assert not any(secret in str(caught.value) for secret in ("secret", "hidden"))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"wire": "chat"}, "wire 'chat' of provider 'x' should be one of openai_chat"),
        ({"routes": (Route("^m", "chat"),)}, "wire 'chat' of provider 'x'"),
        ({"routes": (Route("(", "anthropic"),)}, "should be a regular expression"),
    ],
)
def test_a_provider_that_cannot_work_is_an_error_when_it_is_made(wrong: Any, said: str) -> None:
    with pytest.raises(ph.ConfigError, match=re.escape(said)):
        ph.Provider("x", "http://a.test/v1", **wrong)


def test_models_of_one_provider_may_be_reached_in_several_ways() -> None:
    gemini, claude = resolve("vertex:gemini-2.5-pro")[0], resolve("vertex:claude-sonnet-4-5@20250929")[0]
    assert (gemini.wire, gemini.origin) == ("gemini", "vertex")
    assert (claude.wire, claude.origin) == ("anthropic", "anthropic")
    assert resolve("bedrock:amazon.nova-lite-v1:0")[0].wire == "bedrock_converse"
    for id in (
        "anthropic.claude-v1",
        "eu.anthropic.claude-v1",
        "arn:aws:bedrock:e:1:inference-profile/us.anthropic.c",
    ):
        found = resolve(f"bedrock:{id}")[0]
        assert (found.wire, found.origin) == ("bedrock", "anthropic")
    own = ph.Provider("own", "http://x.test/v1", routes=(ph.Route("^claude", "anthropic", base_url="http://y.test"),))
    assert resolve("own:claude-1", own) == (own.for_model("claude-1"), "claude-1")
    assert own.for_model("claude-1").base_url == "http://y.test"
    assert own.for_model("m") is own


def test_each_recording_is_told_by_its_host() -> None:
    if not expected():
        pytest.skip(f"the recordings beside the repository are not here ({SHARED})")
    responses = [said for tape in expected().values() for said in tape.get("responses", ())]
    pairs = {(said["url"].partition("?")[0], said["provider"]) for said in responses}
    told = {(url, found.name if (found := provider_for_url(url)) else "llama-cpp") for url, _ in pairs}
    assert told == pairs


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://API.OpenAI.com/v1/responses", "openai"),
        ("https://eu.api.openai.com/v1/responses", "openai"),
        ("https://res.openai.azure.com/openai/v1/responses", "azure"),
        ("https://aiplatform.googleapis.com/v1/x", "vertex"),
        ("https://bedrock-runtime.eu-central-1.amazonaws.com/model/m/invoke", "bedrock"),
        ("https://api.deepseek.com/chat/completions", "deepseek"),
        ("https://openai.com.evil.test/v1", None),
        ("http://127.0.0.1:11434/v1/chat/completions", None),
        ("not a url", None),
    ],
)
def test_a_host_stands_for_the_first_of_its_providers(url: str, name: str | None) -> None:
    found = provider_for_url(url)
    assert (found and found.name) == name


def test_no_host_stands_for_two_providers() -> None:
    hosts = [
        host for name in provider_names() if (it := find_provider(name)).public for host in (it.base_url, *it.hosts)
    ]
    assert len(hosts) == len(set(hosts))
    aliases = [alias for name in provider_names() for alias in find_provider(name).aliases]
    assert len({*aliases, *provider_names()}) == len(aliases) + len(provider_names())


def test_other_packages_add_providers(plugins: None) -> None:
    assert plugin_names() == ("acme", "broken-one", "not-one")
    assert resolve("acme:m")[0].base_url == "https://api.acme.test/v1"
    assert find_provider("acme_ai").name == "acme"
    told = provider_for_url("https://api.acme.test/v1/chat/completions")
    assert told is not None
    assert told.name == "acme"


def test_a_broken_package_breaks_no_other_and_is_told_when_it_is_used(plugins: None) -> None:
    assert resolve("openai:m")[0].base_url == "https://api.openai.com/v1"  # Nobody takes the place of our own.
    with pytest.raises(ph.ConfigError, match=r"'broken-one' could not be loaded from 'acme_broken:PROVIDER': Module"):
        resolve("broken_one:m")
    with pytest.raises(ph.ConfigError, match=r"should lead to a playhead\.Provider, but .* is str"):
        resolve("not-one:m")
    with pytest.raises(ph.ConfigError, match="acme, broken-one, not-one"):
        resolve("nobody:m")


def test_finding_a_provider_loads_no_other_and_no_metadata() -> None:
    program = """
import json, sys
from playhead.providers import resolve
resolve("openai:x")
resolve("compat:http://x.test#m")
watched = ("playhead.providers.", "importlib.metadata")
print(json.dumps(sorted(name for name in sys.modules if name.startswith(watched))))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert [name.rpartition(".")[2] for name in json.loads(done.stdout)] == [
        "_address",
        "_provider",
        "_registry",
        "openai",
    ]


@pytest.mark.parametrize("name", ["avian", "huggingface"])
def test_a_url_and_a_key_are_at_most_ten_lines(name: str) -> None:
    assert len((SOURCES / f"{name}.py").read_text().splitlines()) <= 10
