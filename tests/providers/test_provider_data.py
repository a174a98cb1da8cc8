"""What the providers' data say: addresses from variables, keys, options, and that all of it holds together."""

from __future__ import annotations

import importlib
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import playhead as ph
from playhead import wire
from playhead.messages import Settings
from playhead.providers import find_provider, provider_names, resolve

ALL = [find_provider(name) for name in provider_names()]
everyone = pytest.mark.parametrize("provider", ALL, ids=lambda it: it.name)


@everyone
def test_the_data_hold_together(provider: ph.Provider) -> None:
    assert find_provider(provider.name) is provider
    assert provider.wire in wire._PATHS
    named = set(re.findall(r"\{(\w+)\}", provider.base_url))
    assert named <= {*provider.variables, *provider.derived}
    assert all(derived.of in provider.variables for derived in provider.derived.values())
    for route in provider.routes:
        re.compile(route.models)
        assert route.wire in wire._PATHS
    for dialect in (provider.dialect, *(route.dialect for route in provider.routes)):
        assert set(dialect.unsupported) <= Settings.__annotations__.keys()
        assert not set(dialect.option_fields) & set(dialect.option_headers)
        if dialect.call_id:
            re.compile(dialect.call_id)


@everyone
def test_typed_options_are_those_that_the_provider_takes(provider: ph.Provider) -> None:
    module = importlib.import_module(f"playhead.providers.{provider.name.replace('-', '_')}")
    own: list[Any] = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == module.__name__ and hasattr(value, "__total__")
    ]
    dialects = [provider.dialect, *(route.dialect for route in provider.routes)]
    taken = [{*dialect.option_fields, *dialect.option_headers} for dialect in dialects]
    for options in own:
        if provider.name != "azure":  # It takes OpenAI's, but for two headers.
            assert set(options.__annotations__) in taken


@pytest.mark.parametrize(
    ("model", "environment", "address"),
    [
        ("openai:m", {}, "https://api.openai.com/v1"),
        ("bedrock:m", {}, "https://bedrock-runtime.us-east-1.amazonaws.com"),
        ("bedrock:m", {"AWS_DEFAULT_REGION": "eu-west-1"}, "https://bedrock-runtime.eu-west-1.amazonaws.com"),
        (
            "vertex:gemini-2.5-pro",
            {"GOOGLE_CLOUD_PROJECT": "p-1"},
            "https://aiplatform.googleapis.com/v1beta1/projects/p-1/locations/global/publishers/google",
        ),
        (
            "vertex:gemini-2.5-pro",
            {"GOOGLE_CLOUD_PROJECT": "p-1", "GOOGLE_CLOUD_LOCATION": "us-east5"},
            "https://us-east5-aiplatform.googleapis.com/v1beta1/projects/p-1/locations/us-east5/publishers/google",
        ),
        (
            "vertex:claude-opus-4-6",
            {"GOOGLE_CLOUD_PROJECT": "p-1", "GOOGLE_CLOUD_LOCATION": "eu"},
            "https://aiplatform.eu.rep.googleapis.com/v1/projects/p-1/locations/eu",
        ),
        ("azure:m", {"AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com/"}, "https://r.openai.azure.com/openai/v1"),
        ("azure:m", {"AZURE_OPENAI_ENDPOINT": "r.openai.azure.com"}, "https://r.openai.azure.com/openai/v1"),
        (
            "azure-responses:m",
            {"AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com/openai/v1/"},
            "https://r.openai.azure.com/openai/v1",
        ),
        ("ollama:m", {}, "http://127.0.0.1:11434/v1"),
        ("ollama:m", {"OLLAMA_HOST": " 0.0.0.0 "}, "http://127.0.0.1:11434/v1"),
        ("ollama:m", {"OLLAMA_HOST": "gpu-box:9000"}, "http://gpu-box:9000/v1"),
        ("ollama:m", {"OLLAMA_HOST": ":9000"}, "http://127.0.0.1:9000/v1"),
        ("ollama:m", {"OLLAMA_HOST": "[::1]"}, "http://[::1]:11434/v1"),
        ("ollama:m", {"OLLAMA_HOST": "https://ollama.test"}, "https://ollama.test/v1"),
        ("vllm:m", {"VLLM_BASE_URL": "http://gpu:8000/v1/"}, "http://gpu:8000/v1"),
        ("lmstudio:m", {"LM_STUDIO_API_BASE": "http://box:1/proxied/v1"}, "http://box:1/proxied/v1"),
    ],
)
def test_addresses_are_made_of_the_environments_variables(
    model: str, environment: dict[str, str], address: str
) -> None:
    assert resolve(model)[0].address(environment) == address


@pytest.mark.parametrize(
    ("model", "environment", "said"),
    [
        ("azure:m", {}, "needs its endpoint: set AZURE_OPENAI_ENDPOINT in the environment, or give base_url="),
        ("vertex:m", {}, "needs its project: set GOOGLE_CLOUD_PROJECT or GCLOUD_PROJECT or "),
        ("vertex:m", {"GOOGLE_CLOUD_PROJECT": "evil.test/"}, "is no project"),
        ("bedrock:m", {"AWS_REGION": "x@evil.test#"}, "is no region"),
        ("ollama:m", {"OLLAMA_HOST": "gpu:many"}, "OLLAMA_HOST or OLLAMA_BASE_URL holds no address for ollama"),
        ("azure:m", {"AZURE_OPENAI_ENDPOINT": "ftp://r"}, "such as 'https://my-resource.example.com'"),
        ("azure:m", {"AZURE_OPENAI_ENDPOINT": "https://me:pass@r"}, "holds no address for azure"),
    ],
)
def test_an_address_that_is_not_known_says_what_to_set(model: str, environment: dict[str, str], said: str) -> None:
    with pytest.raises(ph.ConfigError) as caught:
        resolve(model)[0].address(environment)
    assert said in str(caught.value)
    assert "pass" not in str(caught.value)


@given(st.text(max_size=30))
def test_whatever_a_variable_holds_gives_an_address_or_an_error(value: str) -> None:
    for provider, name in ((find_provider("ollama"), "OLLAMA_HOST"), (find_provider("bedrock"), "AWS_REGION")):
        try:
            address = provider.address({name: value})
        except ph.ConfigError:
            continue
        assert re.match(r"https?://[^/@?#\s]+", address)


@pytest.mark.parametrize(
    ("model", "stream", "url"),
    [
        ("openai:gpt-4o", True, "https://api.openai.com/v1/chat/completions"),
        (
            "azure-responses:gpt-5-mini",
            False,
            "https://my-resource.openai.azure.com/openai/v1/responses",
        ),
        ("anthropic:claude-sonnet-4-20250514", True, "https://api.anthropic.com/v1/messages"),
        (
            "google:gemini-2.5-pro",
            True,
            "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
        ),
        (
            "vertex:gemini-2.5-pro",
            False,
            (
                "https://us-east5-aiplatform.googleapis.com/v1beta1/projects/my-project/locations/us-east5"
                "/publishers/google/models/gemini-2.5-pro:generateContent"
            ),
        ),
        (
            "vertex:claude-3-7-sonnet@20250219",
            True,
            (
                "https://us-east5-aiplatform.googleapis.com/v1/projects/my-project/locations/us-east5"
                "/publishers/anthropic/models/claude-3-7-sonnet@20250219:streamRawPredict"
            ),
        ),
        (
            "bedrock:us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            True,
            (
                "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0"
                "/invoke-with-response-stream"
            ),
        ),
        (
            "bedrock:amazon.nova-lite-v1:0",
            False,
            "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-lite-v1%3A0/converse",
        ),
    ],
)
def test_requests_go_where_the_recorded_ones_went(
    model: str, stream: bool, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project")
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "us-east5")
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://my-resource.openai.azure.com")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    assert ph.Model(*resolve(model)).url(stream=stream) == url


def test_what_stands_in_the_path_does_not_stand_in_the_body() -> None:
    hello = [ph.user("Hi")]
    vertex = ph.render(hello, "vertex:claude-sonnet-4-5", settings={"max_tokens": 9}, stream=True).body
    assert "model" not in vertex
    assert (vertex["anthropic_version"], vertex["stream"]) == ("vertex-2023-10-16", True)
    bedrock = ph.render(
        hello, "bedrock:us.anthropic.claude-v1", settings={"options": {"betas": ["context-1m"]}}, stream=True
    ).body
    assert not {"model", "stream"} & set(bedrock)
    assert bedrock["anthropic_beta"] == ["context-1m"]


def test_the_first_key_that_is_set_counts() -> None:
    google = find_provider("google")
    assert google.key({"GOOGLE_API_KEY": "b", "GEMINI_API_KEY": " a\n"}) == "a"
    assert google.key_variable({"GOOGLE_API_KEY": "b", "GEMINI_API_KEY": " "}) == "GOOGLE_API_KEY"
    assert google.key({}) is None


@pytest.mark.parametrize(
    "wrong",
    [{"base_url": "x.test/v1"}, {"base_url": "https://"}, {"auth": "beaer"}, {"auth": "x api key"}, {"auth": ""}],
    ids=str,
)
def test_data_that_cannot_be_meant_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ph.ConfigError, match="of provider 'mine' should be"):
        ph.Provider(**{"name": "mine", "base_url": "http://x.test/v1", **wrong})  # type: ignore[arg-type]


def test_lists_of_models_are_below_the_address_or_elsewhere() -> None:
    assert find_provider("openai").model_lists({}) == ("https://api.openai.com/v1/models",)
    assert find_provider("ollama").model_lists({"OLLAMA_HOST": "a:1"}) == ("http://a:1/v1/models",)
    assert find_provider("bedrock").model_lists({"AWS_REGION": "eu-west-1"})[0] == (
        "https://bedrock.eu-west-1.amazonaws.com/foundation-models"
    )
    assert find_provider("perplexity").model_lists({}) == ()
    azure = msgspec.structs.replace(find_provider("azure"), base_url="https://r.test/openai?api-version=1")
    assert azure.model_lists({}) == ("https://r.test/openai/models?api-version=1",)
