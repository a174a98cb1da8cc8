"""Perplexity: Sonar, which searches the web for each answer. https://docs.perplexity.ai/api-reference"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from ..wire import Dialect
from ._provider import Provider, fields_of


class PerplexityOptions(TypedDict, total=False):
    """What only Perplexity knows."""

    search_mode: Literal["web", "academic", "sec"]
    search_domain_filter: list[str]
    search_recency_filter: Literal["hour", "day", "week", "month", "year"]
    search_after_date_filter: str
    search_before_date_filter: str
    last_updated_after_filter: str
    last_updated_before_filter: str
    search_language_filter: list[str]
    language_preference: str
    disable_search: bool
    enable_search_classifier: bool
    web_search_options: dict[str, Any]
    return_images: bool
    return_related_questions: bool
    return_videos: bool
    image_domain_filter: list[str]
    image_format_filter: list[str]
    media_response: dict[str, Any]
    stream_mode: Literal["full", "concise"]
    top_k: int


PROVIDER = Provider(
    name="perplexity",
    base_url="https://api.perplexity.ai",
    key_env=("PERPLEXITY_API_KEY", "PPLX_API_KEY"),
    public=True,
    models_url=None,
    dialect=Dialect(
        unsupported=("seed", "stop", "logprobs", "tool_choice", "parallel_tool_calls", "service_tier", "user"),
        max_tokens="max_tokens",
        stream_usage=False,  # it is always sent
        output_with_tools="native",  # it knows no tools of the caller's
        option_fields=fields_of(PerplexityOptions),
    ),
)
