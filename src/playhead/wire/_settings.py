"""Settings that every format reads alike, and the tables between efforts and budgets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, cast

from ..errors import EncodeError
from ..messages import Cache, Effort, Reasoning, Settings
from ._dialect import Dialect
from ._json import JSONObject, obj, text

_SHARES: dict[Effort, float] = {
    "minimal": 0.1,
    "low": 0.2,
    "medium": 0.5,
    "high": 0.8,
    "xhigh": 0.95,
    "max": 0.95,
}
"""The part of the answer's limit that an effort stands for, as OpenRouter has it.
https://openrouter.ai/docs/use-cases/reasoning-tokens"""

_LEAST_BUDGET, _MOST_BUDGET = 1024, 32_000
"""Tokens. Anthropic takes no smaller budget, and advises none larger without batches."""

_USUAL_LIMIT = 16_000
"""Tokens; the answer's limit that shares are taken of where none is given."""

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

TOOL_CHOICES = ("auto", "none", "required")

CACHE_TTLS = ("5m", "1h", "24h")


class Thinking(NamedTuple):
    """The setting `reasoning`, read.

    Attributes:
        effort: as it was given; None where only a budget was, or neither.
        budget: tokens, as given; None where it was not.
        summary: what to show: None where nothing was said.
    """

    effort: Effort | None
    budget: int | None
    summary: str | bool | None

    @property
    def off(self) -> bool:
        """Whether the model is not to think."""
        return self.effort == "none" or self.budget == 0

    def as_effort(self) -> Effort | None:
        """The effort, or the one that comes nearest to the budget; None where the provider is to choose."""
        if self.effort is not None or self.budget is None:
            return self.effort
        if self.budget == 0:
            return "none"
        share = self.budget / _USUAL_LIMIT
        for effort, most in _SHARES.items():
            if share <= most:
                return effort
        return "high"

    def as_budget(self, limit: int | None) -> int | None:
        """The budget in tokens, or the one that the effort stands for; None where the provider is to choose.

        Args:
            limit: the setting `max_tokens`.
        """
        if self.budget is not None or self.effort is None:
            return self.budget
        if self.effort == "none":
            return 0
        return max(_LEAST_BUDGET, min(_MOST_BUDGET, int(_SHARES[self.effort] * (limit or _USUAL_LIMIT))))


def thinking(settings: Settings) -> Thinking | None:
    """The setting `reasoning`; None where it is not given.

    Raises:
        EncodeError: it is none of the forms that it can have.
    """
    value = cast("object", settings.get("reasoning"))
    match value:
        case None:
            return None
        case bool():
            return Thinking(None if value else "none", None, None)
        case int() if value >= 0:
            return Thinking(None, value, None)
        case str() if value in EFFORTS:
            return Thinking(value, None, None)
        case dict():
            return _thinking_of(cast("Reasoning", value))
        case _:
            raise EncodeError(
                f"the setting `reasoning` should be an effort ({', '.join(EFFORTS)}), a budget in tokens, True, "
                f"False, or a Reasoning with both, but is {value!r}"
            )


def _thinking_of(value: Reasoning) -> Thinking:
    if unknown := value.keys() - Reasoning.__annotations__.keys():
        raise EncodeError(
            f"the setting `reasoning` has no {', '.join(map(repr, sorted(unknown)))}; it has: "
            f"{', '.join(Reasoning.__annotations__)}"
        )
    given: dict[str, Any] = {**value}
    effort, budget, summary = (given.get(name) for name in ("effort", "budget_tokens", "summary"))
    if effort is not None and effort not in EFFORTS:
        raise EncodeError(f"there is no reasoning effort {effort!r}; there are: {', '.join(EFFORTS)}")
    if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int) or budget < 0):
        raise EncodeError(
            f"`budget_tokens` of the setting `reasoning` should be a number of tokens, but is {budget!r}"
        )
    if not isinstance(summary, str | bool | None):
        raise EncodeError(
            f"`summary` of the setting `reasoning` should be True, False or a word such as 'auto', but is {summary!r}"
        )
    return Thinking(effort, budget, summary)


class ToolChoice(NamedTuple):
    """The setting `tool_choice`, read: `tool` with a `name`, `raw` with the provider's own object, or as it is."""

    kind: Literal["auto", "none", "required", "tool", "raw"]
    name: str = ""
    raw: Mapping[str, Any] = {}


def tool_choice(settings: Settings) -> ToolChoice:
    """What the setting `tool_choice` says; `auto` where it is not given. Chat completions' form is understood.

    Raises:
        EncodeError: it is neither a word nor an object.
    """
    value: Any = settings.get("tool_choice")
    if value is None:
        return ToolChoice("auto")
    if isinstance(value, str):
        return ToolChoice(cast("Any", value)) if value in TOOL_CHOICES else ToolChoice("tool", value)
    if not obj(value):
        raise EncodeError(
            f"the setting `tool_choice` should be {', '.join(TOOL_CHOICES)}, a tool's name, or the provider's own "
            f"object, but is {value!r}"
        )
    name = text(obj(obj(value).get("function")).get("name"))
    return ToolChoice("tool", name) if name else ToolChoice("raw", raw=obj(value))


class Schema(NamedTuple):
    """A JSON schema that the answer is to follow."""

    schema: dict[str, Any]
    name: str = "answer"
    description: str | None = None
    strict: bool | None = None


def answer_format(settings: Settings) -> Schema | Literal["text", "json"] | None:
    """The setting `response_format`; None where it is not given.

    Raises:
        EncodeError: it is none of the three that there are.
    """
    given = obj(settings.get("response_format"))
    match given.get("type"):
        case None if not given and settings.get("response_format") in (None, {}):
            return None
        case "text":
            return "text"
        case "json_object":
            return "json"
        case "json_schema" if isinstance(obj(given.get("json_schema")).get("schema"), dict):
            said = obj(given["json_schema"])
            strict: object = said.get("strict")
            return Schema(
                obj(said["schema"]),
                text(said.get("name")) or "answer",
                text(said.get("description")) or None,
                strict if isinstance(strict, bool) else None,
            )
        case _:
            raise EncodeError(
                "the setting `response_format` should be {'type': 'json_schema', 'json_schema': {'name': ..., "
                "'schema': ...}}, {'type': 'json_object'} or {'type': 'text'}"
            )


def caching(settings: Settings) -> Cache | None:
    """The setting `cache`; None where it is not given or False.

    Raises:
        EncodeError: it is something else than it can be.
    """
    given: Any = settings.get("cache")
    if given is None or given is False:
        return None
    if given is True:
        return {}
    if not isinstance(given, dict) or not given.keys() <= Cache.__annotations__.keys():  # pyright: ignore[reportUnknownMemberType]
        raise EncodeError(f"the setting `cache` should be True or {{'key': ..., 'ttl': ...}}, but is {given!r}")
    cache = cast("Cache", given)
    if (ttl := cache.get("ttl")) not in (None, *CACHE_TTLS):
        raise EncodeError(f"`ttl` of the setting `cache` should be one of {', '.join(CACHE_TTLS)}, but is {ttl!r}")
    return cache


def stops(settings: Settings) -> list[str]:
    """The setting `stop` as a list.

    Raises:
        EncodeError: it is neither a text nor a list.
    """
    stop: Any = settings.get("stop")
    if stop is not None and not isinstance(stop, str | list | tuple):
        raise EncodeError(f"the setting `stop` should be a text or a list of texts, but is {stop!r}")
    return [stop] if isinstance(stop, str) else list(stop or ())  # pyright: ignore[reportUnknownArgumentType]


def options_into(body: JSONObject, options: Mapping[str, Any], dialect: Dialect) -> dict[str, str]:
    """Put a provider's own options where they belong: into `body`, or into the headers that are returned.

    Raises:
        EncodeError: the provider has no such option.
    """
    headers: dict[str, str] = {}
    for name, value in options.items():
        if name in dialect.option_fields:
            body[name] = value
        elif name in dialect.option_headers:
            headers[dialect.option_headers[name]] = _header(value)
        else:
            known = ", ".join([*dialect.option_fields, *dialect.option_headers]) or "none"
            raise EncodeError(
                f"this provider has no option {name!r}; its options are: {known}. "
                "Fields that Playhead does not know go into `extra_body`."
            )
    return headers


def _header(value: Any) -> str:
    """A header's value; a list, such as Anthropic's betas, with commas between."""
    return ",".join(map(str, cast("list[object]", value))) if isinstance(value, list) else str(value)
