"""Settings as chat completions say them, by the provider's dialect."""

from __future__ import annotations

import re
from typing import Any, cast

from ...messages import CacheTTL, Settings
from .._dialect import Dialect
from .._json import JSONObject, obj
from .._report import Report
from .._settings import Thinking, answer_format, caching, thinking

_REASONING_MODELS = re.compile(r"(^|/)(o1|o3|o4|gpt-5|gpt-oss)")
"""Model ids that take `max_completion_tokens`, and refuse or ignore `max_tokens`."""

_PLAIN = (
    "temperature",
    "top_p",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "service_tier",
    "user",
)


def without_unsupported(settings: Settings, dialect: Dialect, report: Report) -> Settings:
    """The settings that the provider takes; the others are reported."""
    report.settings(settings, dialect.unsupported, "this provider does not take it")
    left = {name: value for name, value in settings.items() if name not in dialect.unsupported}
    return cast("Settings", left)


def encode_settings(settings: Settings, model: str, dialect: Dialect, report: Report) -> JSONObject:
    """The fields of the body that the settings make, but for those of tools, and `options`."""
    body: JSONObject = {}
    if (limit := settings.get("max_tokens")) is not None:
        usual = "max_completion_tokens" if _REASONING_MODELS.search(model) else "max_tokens"
        body[dialect.max_tokens or usual] = limit
    body |= {dialect.names.get(name, name): value for name in _PLAIN if (value := settings.get(name)) is not None}
    if (top_k := settings.get("top_k")) is not None:
        if "top_k" in dialect.option_fields:
            body["top_k"] = top_k
        else:
            report.setting("top_k")
    if (alternatives := settings.get("logprobs")) is not None:
        body |= {"logprobs": True} | ({"top_logprobs": alternatives} if alternatives else {})
    body |= _answer_format(settings, dialect, report)
    if thought := thinking(settings):
        body |= _reasoning(thought, dialect, report)
    return body | _cache_key(settings, dialect, report)


def breakpoints(settings: Settings, dialect: Dialect, report: Report) -> CacheTTL | None:
    """For how long what stands before cache breakpoints is kept; None where there are to be none."""
    cache = caching(settings)
    if cache is None or dialect.cache != "breakpoints":
        return None
    if cache.get("key"):
        report.setting("cache.key", "this provider takes breakpoints")
    if cache.get("ttl") == "24h":
        report.setting("cache.ttl", "this provider keeps nothing for '24h'; '1h' was sent in its place")
    return "5m" if cache.get("ttl", "5m") == "5m" else "1h"


def _cache_key(settings: Settings, dialect: Dialect, report: Report) -> JSONObject:
    """https://platform.openai.com/docs/guides/prompt-caching"""
    cache = caching(settings)
    if cache is None or dialect.cache == "breakpoints":
        return {}
    if dialect.cache is None:
        for name in ("key", "ttl"):
            if cache.get(name):
                report.setting(f"cache.{name}", "this provider caches by itself, or not at all")
        return {}
    body: JSONObject = {"prompt_cache_key": key} if (key := cache.get("key")) else {}
    match cache.get("ttl"):
        case "24h":
            body["prompt_cache_retention"] = "24h"
        case "1h":
            report.setting("cache.ttl", "this provider keeps what it likes for minutes, or for '24h'")
        case _:
            pass
    return body


def _answer_format(settings: Settings, dialect: Dialect, report: Report) -> JSONObject:
    given = settings.get("response_format")
    if given is None:
        return {}
    if not isinstance(given, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
        answer_format(settings)  # It says what is wrong.
    if dialect.schema is None and given.get("type") != "text":
        report.setting("response_format", "this provider cannot be held to a format")
        return {}
    if dialect.schema == "json_object" and given.get("type") == "json_schema":
        why = "this provider takes no JSON schema; {'type': 'json_object'} was sent in its place"
        report.setting("response_format.json_schema", why)
        return {"response_format": {"type": "json_object"}}
    return {"response_format": given}


def _reasoning(thought: Thinking, dialect: Dialect, report: Report) -> JSONObject:
    if dialect.reasoning == "reasoning":
        return {"reasoning": _reasoning_object(thought, report)}
    if thought.summary is not None:
        report.setting("reasoning.summary")
    match dialect.reasoning:
        case "reasoning_effort":
            effort = _effort(thought, report)
            return {"reasoning_effort": effort} if effort else {}
        case "thinking":
            return _thinking(thought, dialect, report)
        case "enable_thinking":
            return _enable_thinking(thought, dialect, report)
        case None:
            report.setting("reasoning", "this provider cannot be told how much to think")
            return {}


def _reasoning_object(thought: Thinking, report: Report) -> JSONObject:
    """https://openrouter.ai/docs/use-cases/reasoning-tokens: an effort or a limit, not both."""
    body: JSONObject = {}
    if thought.off:
        body["effort"] = "none"
    elif thought.budget is not None:
        body["max_tokens"] = thought.budget
        if thought.effort is not None:
            why = f"only one of effort and budget can be said; the budget of {thought.budget} tokens was sent"
            report.setting("reasoning.effort", why)
    elif effort := _effort(thought, report):
        body["effort"] = effort
    elif thought.summary is None or thought.summary:
        body["enabled"] = True
    if thought.summary is False:
        body["exclude"] = True
    elif isinstance(thought.summary, str):
        report.setting("reasoning.summary", "this provider shows what it has of the reasoning")
    return body


def _effort(thought: Thinking, report: Report) -> str | None:
    effort = thought.as_effort()
    if effort == "max":
        report.setting("reasoning.effort", "this provider knows no 'max'; 'xhigh' was sent in its place")
        return "xhigh"
    return effort


def _thinking(thought: Thinking, dialect: Dialect, report: Report) -> JSONObject:
    """https://api-docs.deepseek.com/guides/thinking_mode, https://docs.z.ai/guides/capabilities/thinking"""
    body: JSONObject = {"thinking": {"type": "disabled" if thought.off else "enabled"}}
    if "reasoning_effort" not in dialect.option_fields:
        _only_a_switch(thought, report)
        return body
    effort = thought.as_effort()
    if effort in (None, "none"):
        return body
    sent = effort if effort in ("high", "max") else "low" if effort in ("low", "minimal") else "high"
    if thought.effort is not None and sent != effort:
        report.setting("reasoning.effort", f"this provider knows no {effort!r}; {sent!r} was sent in its place")
    return body | {"reasoning_effort": sent}


def _only_a_switch(thought: Thinking, report: Report) -> None:
    if thought.effort not in (None, "none") or thought.budget:
        how = "effort" if thought.budget is None else "budget_tokens"
        report.setting(f"reasoning.{how}", "this provider can only be told to think or not to think")


def _enable_thinking(thought: Thinking, dialect: Dialect, report: Report) -> JSONObject:
    """A field of the body (Qwen's own API), or a variable of the model's template (vLLM, SGLang, llama.cpp).

    https://qwen.readthedocs.io/en/latest/deployment/vllm.html#thinking-non-thinking-modes
    """
    if thought.budget and "thinking_budget" in dialect.option_fields:
        return {"enable_thinking": True, "thinking_budget": thought.budget}
    _only_a_switch(thought, report)
    switch = {"enable_thinking": not thought.off}
    return {"chat_template_kwargs": switch} if "chat_template_kwargs" in dialect.option_fields else {**switch}


def beside(body: JSONObject, more: JSONObject) -> JSONObject:
    """`body` with the provider's `more`; objects of the same name that both have are put together."""
    joined: dict[str, Any] = {**body, **more}
    if "chat_template_kwargs" in body and "chat_template_kwargs" in more:
        joined["chat_template_kwargs"] = obj(body["chat_template_kwargs"]) | obj(more["chat_template_kwargs"])
    return joined
