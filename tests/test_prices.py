"""What an answer costs by the table of genai-prices, and what the table does not know."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import playhead as ph
from conftest import shared_tape
from playhead.ledger import attempt_of
from playhead.messages import Usage
from playhead.prices import Price, computed_cost, context_window
from playhead.prices import _table as table

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
MILLION = Usage(input_tokens=1_000_000, output_tokens=1_000_000)


@pytest.fixture
def _table_is_installed() -> None:
    pytest.importorskip("genai_prices")


needs_table = pytest.mark.usefixtures("_table_is_installed")


def cost(usage: Usage, provider: str = "openai", model: str = "gpt-4o", **more: Any) -> float | None:
    found = computed_cost(usage, provider=provider, model=model, **{"at": AT, **more})
    return None if found is None else found.cost


@needs_table
def test_tokens_are_multiplied_by_the_list_price() -> None:
    assert computed_cost(MILLION, provider="openai", model="gpt-4o", at=AT) == Price(12.5, "openai", "gpt-4o")


@needs_table
def test_cached_tokens_are_a_part_of_the_input_and_cheaper() -> None:
    # gpt-4o: 2.50 for a million tokens of input, 1.25 from the cache.
    assert cost(Usage(input_tokens=1_000_000, output_tokens=0, cache_read_tokens=400_000)) == pytest.approx(2.0)


@needs_table
def test_tokens_written_to_a_cache_for_an_hour_have_their_own_price() -> None:
    raw = {"cache_creation": {"ephemeral_5m_input_tokens": 100_000, "ephemeral_1h_input_tokens": 100_000}}
    usage = Usage(input_tokens=200_000, output_tokens=0, cache_write_tokens=200_000, raw=raw)
    # Claude Sonnet 4.5: 3.75 for a million tokens that are kept for five minutes, 6 for an hour.
    assert cost(usage, "anthropic", "claude-sonnet-4-5-20250929") == pytest.approx(0.375 + 0.6)


@needs_table
def test_reasoning_is_not_counted_twice_and_not_left_out_where_it_stands_beside_the_output() -> None:
    within = Usage(input_tokens=0, output_tokens=100, reasoning_tokens=60)
    beside = Usage(input_tokens=0, output_tokens=40, reasoning_tokens=60)
    assert cost(within) == cost(beside) == pytest.approx(100 * 10e-6)


@needs_table
def test_a_search_of_the_provider_is_added_and_a_tool_without_a_price_makes_the_cost_unknown() -> None:
    plain = cost(MILLION, model="gpt-4.1")
    assert plain is not None
    assert cost(MILLION, model="gpt-4.1", tools={"web_search": 2}) == pytest.approx(plain + 0.02)
    assert cost(MILLION, model="gpt-4.1", tools={"web_fetch": 2}) == plain
    assert cost(MILLION, model="gpt-4.1", tools={"code_execution": 1}) is None


@needs_table
@pytest.mark.parametrize(
    ("provider", "model", "served_by", "found"),
    [
        pytest.param("openrouter", "openai/gpt-4o", "OpenAI", "openai", id="the-vendor"),
        pytest.param("openrouter", "openai/gpt-5", "Azure", "azure", id="another-host"),
        pytest.param("openrouter", "google/gemini-2.5-flash", "Google AI Studio", "google", id="name-in-words"),
        pytest.param("openrouter", "moonshotai/kimi-k2-0905", "Novita", "novita", id="novita"),
        pytest.param("openrouter", "moonshotai/kimi-k2-0905", "WandB", None, id="not-in-the-table"),
        pytest.param("openrouter", "moonshotai/kimi-k2-0905", None, None, id="nobody-says-who"),
        pytest.param("openrouter", "openai/gpt-4o:free", "OpenAI", None, id="free"),
        pytest.param("vercel", "anthropic/claude-sonnet-4", "vertex", "google", id="vercel"),
        pytest.param("huggingface", "openai/gpt-oss-120b:groq", "groq", "huggingface_groq", id="hugging-face"),
    ],
)
def test_a_router_s_answer_costs_what_takes_whoever_served_it(
    provider: str, model: str, served_by: str | None, found: str | None
) -> None:
    price = computed_cost(MILLION, provider=provider, model=model, served_by=served_by, at=AT)
    assert (price and price.provider) == found


@needs_table
@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"model": "gpt-9000"}, id="unknown-model"),
        pytest.param({"provider": "ollama"}, id="unknown-provider"),
        pytest.param({"tier": "scale"}, id="unknown-tier"),
        pytest.param({"usage": Usage(input_tokens=5)}, id="unknown-output"),
        pytest.param({"usage": Usage(input_tokens=5, output_tokens=1, cache_read_tokens=9)}, id="contradiction"),
        pytest.param(
            {"provider": "zai", "model": "glm-4.5", "url": "https://api.z.ai/api/coding/paas/v4/chat/completions"},
            id="subscription",
        ),
        pytest.param(
            {
                "provider": "anthropic",
                "model": "claude-opus-4-6",
                "usage": Usage(input_tokens=5, output_tokens=5, raw={"inference_geo": "us"}),
            },
            id="bound-to-a-region",
        ),
    ],
)
def test_what_is_not_known_is_not_guessed(more: dict[str, Any]) -> None:
    assert cost(**{"usage": MILLION, **more}) is None


@needs_table
def test_a_tier_that_the_table_knows_has_its_price() -> None:
    then = datetime(2026, 11, 1, tzinfo=UTC)
    flex, plain = cost(MILLION, model="gpt-5", tier="flex", at=then), cost(MILLION, model="gpt-5", at=then)
    assert plain is not None
    assert flex == pytest.approx(plain / 2)


@needs_table
def test_any_server_whose_address_the_table_knows_has_prices() -> None:
    url = "https://api.deepseek.com/v1/chat/completions"
    price = computed_cost(MILLION, provider="compat", model="deepseek-chat", at=AT, url=url)
    assert price is not None
    assert price.provider == "deepseek"
    router = "https://openrouter.ai/api/v1/chat/completions"
    assert computed_cost(MILLION, provider="compat", model="openai/gpt-4o", at=AT, url=router) is None


@needs_table
def test_without_a_date_the_clock_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from genai_prices import types

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            raise AssertionError("a clock would give another cost when the run is played")

    monkeypatch.setattr(types, "datetime", Clock)
    assert cost(MILLION, at=None) == 12.5


@needs_table
@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7))
def test_parts_of_the_usage_never_cost_more_than_the_whole(given_: int, made: int, read: int, more: int) -> None:
    """More tokens never cost less, and what was read from a cache never costs more than what was not."""
    usage = Usage(input_tokens=given_ + read, output_tokens=made, cache_read_tokens=read)
    cached, plain = cost(usage), cost(Usage(input_tokens=given_ + read, output_tokens=made))
    longer = cost(Usage(input_tokens=given_ + read, output_tokens=made + more, cache_read_tokens=read))
    assert cached is not None
    assert plain is not None
    assert longer is not None
    assert cached <= plain + 1e-9
    assert cached <= longer + 1e-9


@pytest.fixture
def _not_installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in sys.modules if name.partition(".")[0] == "genai_prices"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    table.installed.cache_clear()
    yield
    table.installed.cache_clear()


@pytest.mark.usefixtures("_not_installed")
def test_without_the_package_costs_are_unknown_and_nothing_fails() -> None:
    assert cost(MILLION) is None
    assert cost(MILLION, "compat", url="https://api.deepseek.com/v1") is None
    assert context_window("openai", "gpt-4o") is None


@needs_table
def test_context_windows_are_those_of_the_table() -> None:
    assert context_window("openai", "gpt-4o") == 128_000
    assert context_window("openrouter", "moonshotai/kimi-k2-0905") is not None
    assert context_window("openai", "gpt-9000") is None
    assert context_window("ollama", "qwen3") is None


@needs_table
@pytest.mark.parametrize(
    "name",
    [
        "recorded/TestOpenAICompatibleThinking/xai-grok-3-mini/thinking.yaml",
        "recorded/TestOpenAICompatObjectGeneration/xai-grok-4-fast/complex_object.yaml",
        "recorded/TestOpenAICompatObjectGeneration/xai-grok-code-fast/simple_object.yaml",
        "recorded/TestOpenAICompatibleCommon/avian-kimi/multi_tool_streaming.yaml",
        "recorded/TestOpenRouterCommon/gemini/multi_tool_streaming.yaml",
        "recorded/TestVercelCommon/claude-sonnet-4/multi_tool_streaming.yaml",
        "recorded/TestVercelCommon/gemini-2.5-flash/multi_tool.yaml",
    ],
    ids=lambda name: name.split("/")[-2],
)
def test_the_table_agrees_with_what_providers_reported(name: str) -> None:
    for interaction in ph.load_tape(shared_tape(name)).interactions:
        attempt = attempt_of(interaction)
        assert attempt is not None
        assert attempt.cost_source == "reported"
        assert attempt.usage is not None
        found = computed_cost(
            attempt.usage,
            provider=attempt.provider,
            model=attempt.model,
            served_by=attempt.served_by,
            at=AT - timedelta(days=60),
        )
        assert found is not None
        assert found.cost == pytest.approx(attempt.cost)
