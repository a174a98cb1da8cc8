"""
How Anthropic's models are told how much to think, and what else they take then.

https://docs.claude.com/en/docs/build-with-claude/extended-thinking,
https://docs.claude.com/en/docs/build-with-claude/adaptive-thinking
"""

from __future__ import annotations

import re
from typing import NamedTuple, cast

from ...errors import EncodeError
from ...messages import Reasoning, Settings
from .._json import JSONObject, count, obj, text
from .._report import Report
from .._settings import EFFORTS, Thinking, thinking, tool_choice

LIMIT = 4096
"""The `max_tokens` of a request that names none: the format requires one."""

_LEAST_BUDGET = 1024

_GENERATION = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?!\d)(?:[-.](\d{1,2})(?!\d))?")
_ALWAYS = re.compile(r"claude-(mythos|fable)")

_SAMPLING = {"temperature": (1.0, 1.0), "top_p": (0.95, 1.0), "top_k": (0.0, -1.0)}
"""What a model takes of the sampling settings while it thinks, from and to."""


class Abilities(NamedTuple):
    """What can be said to a model about thinking, by its id.

    Attributes:
        adaptive: it decides itself how long, by an effort.
        budget: it takes a budget in tokens.
        off: it can be told not to think.
        sampling: it takes other sampling settings than the usual ones.
        xhigh: it knows this effort.
    """

    adaptive: bool
    budget: bool
    off: bool
    sampling: bool
    xhigh: bool


def abilities(model: str) -> Abilities:
    """What can be said to a model. One whose generation its id does not tell is taken for an older one."""
    found, always = _GENERATION.search(model), _ALWAYS.search(model) is not None
    generation = int(found[1]) * 100 + int(found[2] or 0) if found else 0
    late = always or generation >= 407
    return Abilities(late or generation >= 406, not late, not always, not late, late)


def encode_thinking(settings: Settings, model: str, report: Report) -> JSONObject:
    """The fields `thinking`, `output_config` and `max_tokens`.

    An effort goes to models that think adaptively as it is, and becomes a budget for older ones; a budget becomes an
    effort for models that take none. Below the least budget there is, that one is taken.

    Raises:
        EncodeError: the budget that was asked for does not fit into the limit that was.
    """
    thought, limit = thinking(settings), settings.get("max_tokens")
    body: JSONObject = {"max_tokens": LIMIT if limit is None else limit}
    if thought is None:
        return body
    able = abilities(model)
    if thought.off:
        if not able.off:
            report.setting("reasoning", f"{model} cannot be told not to think")
            return body
        return body | {"thinking": {"type": "disabled"}}
    choice = tool_choice(settings)
    if choice.kind in ("required", "tool") or choice.raw.get("type") in ("any", "tool"):
        report.setting("reasoning", "Anthropic's models do not think before a tool that they are forced to use")
        return body
    if able.adaptive and (thought.effort is not None or thought.budget is None or not able.budget):
        return body | _adaptive(thought, able)
    return body | _budget(thought, limit, report)


def _adaptive(thought: Thinking, able: Abilities) -> JSONObject:
    body: JSONObject = {"thinking": {"type": "adaptive"} | _display(thought)}
    effort = thought.as_effort()
    if effort is not None:
        nearest = {"minimal": "low"} | ({} if able.xhigh else {"xhigh": "high"})
        body["output_config"] = {"effort": nearest.get(effort, effort)}
    return body


def _budget(thought: Thinking, limit: int | None, report: Report) -> JSONObject:
    asked = thought if thought.effort or thought.budget is not None else thought._replace(effort="medium")
    budget = max(_LEAST_BUDGET, asked.as_budget(limit) or 0)
    if limit is None:
        limit = LIMIT + budget
    elif limit <= budget:
        if thought.budget is not None:
            raise EncodeError(
                f"the limit of the answer, `max_tokens` ({limit}), must be greater than the budget of the reasoning "
                f"({budget} tokens), which is a part of it: raise the one, or lower the other"
            )
        report.setting("reasoning", f"a limit of {limit} tokens leaves no room for it")
        return {}
    return {"max_tokens": limit, "thinking": {"type": "enabled", "budget_tokens": budget} | _display(thought)}


def _display(thought: Thinking) -> JSONObject:
    if thought.summary is None:
        return {}
    return {"display": "summarized" if thought.summary else "omitted"}


def sampling(settings: Settings, model: str, thinks: bool, report: Report) -> JSONObject:
    """`temperature`, `top_p` and `top_k`, as far as the model takes them."""
    body: JSONObject = {}
    free = abilities(model).sampling
    for name, (least, most) in _SAMPLING.items():
        value = settings.get(name)
        if value is None:
            continue
        number = cast("float", value)
        if (free and not thinks) or least <= number <= most:
            body[name] = value
        else:
            why = "while the model thinks, Anthropic takes only its usual value" if free else f"{model} takes none"
            report.setting(name, why)
    return body


def decode_thinking(body: JSONObject) -> tuple[JSONObject, JSONObject]:
    """What a request says of thinking: as settings, and what has no place in them, as fields."""
    config, output = obj(body.get("thinking")), obj(body.get("output_config"))
    settings: JSONObject = {}
    left: JSONObject = {}
    effort, shown = (
        text(output.get("effort")),
        {"summarized": True, "omitted": False}.get(text(config.get("display"))),
    )
    budget = count(config.get("budget_tokens"))
    match config.get("type"):
        case "disabled" if len(config) == 1:
            settings["reasoning"] = False
        case "enabled" if budget is not None and budget >= 0:
            settings["reasoning"] = _reasoning({"budget_tokens": budget}, shown)
        case "adaptive":
            known = effort in EFFORTS
            settings["reasoning"] = _reasoning(cast("Reasoning", {"effort": effort} if known else {}), shown)
        case _ if config:
            left["thinking"] = config
        case _:
            pass
    if config.keys() - {"type", "budget_tokens", "display"}:
        left["thinking"] = config
    adaptive = config.get("type") == "adaptive"
    plain = output.get("effort") is None or (adaptive and effort in EFFORTS)
    if output.keys() - {"effort", "format"} or not plain or not _is_schema(output.get("format")):
        left["output_config"] = output
    return settings, left


def _is_schema(form: object) -> bool:
    """Whether the answer's format is one that settings can say, or none."""
    said = obj(form)
    known = said.keys() == {"type", "schema"} and said["type"] == "json_schema" and isinstance(said["schema"], dict)
    return form is None or known


def _reasoning(said: Reasoning, shown: bool | None) -> object:
    """The setting in its shortest form."""
    if shown is not None:
        return {**said, "summary": shown}
    return next(iter(said.values()), True)
