"""Whether settings are what they can be, before anything is encoded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import ConfigError
from .messages import Settings

_NUMBER, _WHOLE, _TEXT, _FIELDS = "a number", "a whole number", "a text", "a mapping from names"

_FORMS: dict[str, tuple[tuple[type, ...], str]] = {
    **dict.fromkeys(("max_tokens", "top_k", "seed", "logprobs"), ((int,), _WHOLE)),
    **dict.fromkeys(("temperature", "top_p", "presence_penalty", "frequency_penalty"), ((int, float), _NUMBER)),
    **dict.fromkeys(("service_tier", "user"), ((str,), _TEXT)),
    **dict.fromkeys(("options", "extra_body", "extra_headers", "response_format"), ((Mapping,), _FIELDS)),
    "stop": ((str, list, tuple), "a text or a list of texts"),
    "tool_choice": ((str, Mapping), "'auto', 'none', 'required', a tool's name, or a mapping"),
    "parallel_tool_calls": ((bool,), "True or False"),
    "cache": ((bool, Mapping), "True, False, or a mapping such as {'ttl': '1h'}"),
}


def checked(settings: Settings) -> Settings:
    """`settings`, if each of them is there and has a form that it can have.

    Raises:
        ConfigError: one has not.
    """
    given: Mapping[str, Any] = settings
    if unknown := given.keys() - Settings.__annotations__.keys():
        raise ConfigError(
            f"there is no setting {', '.join(map(repr, sorted(unknown)))}; the settings are: "
            f"{', '.join(Settings.__annotations__)}. A provider's own go into `options`, or into `extra_body`."
        )
    for name, value in given.items():
        kinds, form = _FORMS.get(name, ((object,), ""))
        fits = isinstance(value, kinds) and (not isinstance(value, bool) or bool in kinds or object in kinds)
        if value is not None and not fits:
            raise ConfigError(f"the setting `{name}` should be {form}, but is {value!r}")
    headers: Mapping[Any, Any] = settings.get("extra_headers") or {}
    if wrong := [name for name, value in headers.items() if not (isinstance(name, str) and isinstance(value, str))]:
        raise ConfigError(f"`extra_headers` should hold texts alone, but {', '.join(map(str, wrong))} is none")
    return settings
