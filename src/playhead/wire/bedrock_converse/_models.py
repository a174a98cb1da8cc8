"""
What Converse leaves to the models: each family has its own words for how much it thinks, told in
`additionalModelRequestFields`.

https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html,
https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html,
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-openai.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

from ...errors import EncodeError
from ...messages import Settings
from .._json import JSONObject, obj
from .._report import Report
from .._settings import EFFORTS, thinking
from ..anthropic._thinking import decode_thinking, encode_thinking, sampling

Family: TypeAlias = Literal["claude", "nova", "nova-2", "gpt-oss", "openai", "effort", "qwen", "other"]

_FAMILIES: tuple[tuple[Family, str], ...] = (
    ("claude", r"anthropic\.|claude"),
    ("nova-2", r"amazon\.nova-([2-9]|premier-v[2-9])"),
    ("nova", r"amazon\.nova"),
    ("gpt-oss", r"openai\.gpt-oss"),
    ("openai", r"openai\."),
    ("effort", r"moonshot|kimi"),
    ("qwen", r"qwen\."),
)

_CACHING = re.compile(r"anthropic\.|claude|amazon\.|^arn:")
"""Models that know cache checkpoints, and names that do not tell; others refuse them."""

_NO_REASONING = re.compile(r"anthropic\.|claude|deepseek")
"""Models that refuse reasoning in a conversation, or reasoning without a signature."""

_FEWER = {"minimal": "low", "xhigh": "high", "max": "high"}
"""Efforts that models with three of them do not have, and the nearest that they have."""


def family_of(model: str) -> Family:
    """The family of a model's id, whatever region or account stands before it."""
    found: Iterator[Family] = (family for family, pattern in _FAMILIES if re.search(pattern, model))
    return next(found, None) or "other"


def knows_caching(model: str) -> bool:
    """Whether a model takes cache checkpoints, or may do so."""
    return _CACHING.search(model) is not None


def takes_unsigned(model: str) -> bool:
    """Whether a model takes its reasoning back without a signature."""
    return _NO_REASONING.search(model) is None


def reasoning_fields(model: str, settings: Settings, report: Report) -> JSONObject:
    """How a model is told to think, as additional fields.

    Raises:
        EncodeError: the setting `reasoning` is none of the forms that it can have.
    """
    thought, family = thinking(settings), family_of(model)
    if thought is None:
        return {}
    if family == "claude":  # They are told in Anthropic's own words.
        fields = encode_thinking(settings, model, report)
        return {name: value for name, value in fields.items() if name != "max_tokens"}
    if thought.summary is not None:
        report.setting("reasoning.summary", "Converse shows what the model shows")
    effort = thought.as_effort()
    match family:
        case "nova-2":
            if effort == "none":
                return {"reasoningConfig": {"type": "disabled"}}
            return {
                "reasoningConfig": {
                    "type": "enabled",
                    "maxReasoningEffort": _FEWER.get(effort or "", effort or "medium"),
                }
            }
        case "openai":
            return {"reasoning": {"effort": "low" if effort == "minimal" else effort}} if effort else {}
        case "gpt-oss" | "effort" | "qwen" if effort != "none":
            field = "reasoning_config" if family == "qwen" else "reasoning_effort"
            return {field: _FEWER.get(effort, effort)} if effort else {}
        case _:
            report.setting("reasoning", f"Converse has no word for it that {model} is known to understand")
            return {}


def refused_settings(model: str, settings: Settings, fields: JSONObject, report: Report) -> frozenset[str]:
    """The settings that a model does not take, or not while it thinks as `fields` say; they are reported."""
    if family_of(model) == "claude":
        thinks = obj(fields.get("thinking")).get("type") in ("enabled", "adaptive")
        return frozenset(("temperature", "top_p", "top_k")) - sampling(settings, model, thinks, report).keys()
    if obj(fields.get("reasoningConfig")).get("maxReasoningEffort") != "high":
        return frozenset()
    names = ("max_tokens", "temperature", "top_p", "top_k")
    report.settings(settings, names, f"{model} refuses it while it thinks as hard as it can")
    return frozenset(names)


def top_k_fields(model: str, top_k: int, report: Report) -> JSONObject:
    """How a model is told to choose among the `top_k` likeliest tokens."""
    match family_of(model):
        case "claude":
            return {"top_k": top_k}
        case "nova" | "nova-2":
            return {"inferenceConfig": {"topK": top_k}}
        case _:
            report.setting("top_k")
            return {}


def read_reasoning(model: str, additional: JSONObject) -> Any:
    """The setting `reasoning` that additional fields stand for; None where there is none.

    The fields are taken out of `additional` if the setting gives all of them again.
    """
    found = _said(additional) or decode_thinking(additional)[0].get("reasoning")
    if found is None or (isinstance(found, str) and found not in EFFORTS):
        return None
    settings: Settings = {"reasoning": found}
    try:
        fields = reasoning_fields(model, settings, Report(""))
    except EncodeError:
        return None
    if not fields or any(additional.get(name) != value for name, value in fields.items()):
        return None
    for name in fields:
        del additional[name]
    return found


def _said(additional: JSONObject) -> Any:
    match additional:
        case {"reasoningConfig": {"type": "disabled"}}:
            return "none"
        case {"reasoningConfig": {"maxReasoningEffort": str(effort)}} | {"reasoning": {"effort": str(effort)}}:
            return effort
        case {"reasoning_effort": str(effort)} | {"reasoning_config": str(effort)}:
            return effort
        case _:
            return None
