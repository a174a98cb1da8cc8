"""Whether an agent, and a run of it, are given what they can use: looked at before anything is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from ..errors import ConfigError
from ..ledger import Limits, Meter
from ..messages import MediaPart, Message, TextPart
from ..model import Model
from ..retry import Timeouts
from .cancel import Cancel
from .hooks import Hooks

_LISTS = (str, bytes, Mapping)
"""What can be iterated over, and is no list of anything."""

_SHOWN = 80
"""Characters of a wrong value that an error shows."""


def check_agent(
    *,
    system: object,
    stop_when: object,
    tools: object,
    fallbacks: object,
    hooks: object,
    functions: Mapping[str, object],
    counts: Mapping[str, object],
    timeouts: object,
    limits: object,
    compaction: object,
    settings: object,
    transport: object,
) -> None:
    """What `Agent` is given. The arguments are its own, and:

    Args:
        functions: those that are one function, or left out.
        counts: those that are a whole number from 1 on.

    Raises:
        ConfigError: one of them is of another kind.
    """
    from .compaction import Compaction

    several(
        "system", [system] if isinstance(system, str) else system, "a text, a function, or a list of both", (str,)
    )
    several("stop_when", stop_when, "a function of a RunState, such as playhead.stop.on_tool(...), or a list of them")
    # What is in these is looked at where it is used.
    if not callable(tools):
        _list("tools", tools, "a list of functions, or of what @tool makes of them")
    if hooks is not None and not isinstance(hooks, Hooks) and not callable(hooks):
        _list("hooks", hooks, "a list of Hooks, or of functions of an event")
    if not isinstance(fallbacks, str | Model):
        several("fallbacks", fallbacks, "a list of models, such as ['openai:gpt-5-mini']", (str, Model), called=False)
    for name, value in functions.items():
        if value is not None and not callable(value):
            raise _wrong(name, "a function", value)
    for name, value in counts.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ConfigError(f"{name} should be a whole number, and at least 1, but is {_shown(value)}")
    kind("timeouts", timeouts, Timeouts, "a Timeouts(...)")
    kind("limits", limits, Limits, "a Limits(...)")
    kind("compaction", compaction, Compaction, "a Compaction(...)")
    kind("settings", settings, Mapping, "a mapping, such as {'temperature': 0}")
    if transport is not None and not callable(getattr(transport, "send", None)):
        raise _wrong("transport", "an object with a coroutine function `send`", transport)


def check_run(
    *,
    prompt: object = None,
    messages: object = (),
    settings: object = None,
    limits: object = None,
    budget: object = None,
    approvals: object = None,
    cancel: object = None,
    conversation: object = None,
    **_: Any,
) -> None:
    """What a run is given. The arguments are those of `Agent.run`.

    Raises:
        ConfigError: one of them is of another kind.
    """
    if not isinstance(prompt, str | None):
        parts = _list("prompt", prompt, "a text, or a list of texts and media")
        _each("prompt", parts, "a text, or a list of texts and media", (str, TextPart, MediaPart))
    if messages:
        what = "a list of Message, such as result.messages"
        _each("messages", _list("messages", messages, what), what, (Message,))
    kind("settings", settings, Mapping, "a mapping, such as {'temperature': 0}")
    kind("limits", limits, Limits, "a Limits(...)")
    kind("budget", budget, Meter, "a Budget(...)")
    kind("cancel", cancel, Cancel, "a Cancel()")
    kind("conversation", conversation, str, "a text")
    check_approvals(approvals)


def check_approvals(approvals: object) -> None:
    """Decisions about tool calls, or who is asked for them.

    Raises:
        ConfigError: they are neither.
    """
    if approvals is not None and not isinstance(approvals, Mapping) and not callable(approvals):
        raise _wrong("approvals", "a mapping from lanes or call ids to decisions, or a function", approvals)


def check_prompts(prompts: object) -> None:
    """The prompts of several runs.

    Raises:
        ConfigError: they are one text, or no list at all.
    """
    _list("prompts", prompts, "a list, with a prompt for each run")


def kind(name: str, value: object, wanted: type, what: str, *, none: bool = True) -> None:
    """See that a value is of a type.

    Args:
        none: whether it may be left out.

    Raises:
        ConfigError: it is of another.
    """
    if not isinstance(value, wanted) and not (none and value is None):
        raise _wrong(name, what, value)


def several(name: str, value: object, what: str, kinds: tuple[type, ...] = (), *, called: bool = True) -> None:
    """See that a value is left out, one of something, or a list of it.

    Args:
        kinds: the types that are meant.
        called: whether functions are meant, too.

    Raises:
        ConfigError: it is not.
    """
    if value is None or (called and callable(value)):
        return
    _each(name, _list(name, value, what), what, kinds, called=called)


def _list(name: str, value: object, what: str) -> Iterable[object]:
    if isinstance(value, _LISTS) or not isinstance(value, Iterable):
        raise _wrong(name, what, cast("object", value))
    return cast("Iterable[object]", value)


def _each(name: str, values: Iterable[object], what: str, kinds: tuple[type, ...], *, called: bool = False) -> None:
    if isinstance(values, Iterator):
        return  # It can be gone through once, by who uses it.
    for n, value in enumerate(values):
        if not isinstance(value, kinds) and not (called and callable(value)):
            raise ConfigError(f"{name} should be {what}, but its item {n} is {_shown(value)}")


def _wrong(name: str, what: str, value: object) -> ConfigError:
    return ConfigError(f"{name} should be {what}, but is {_shown(value)}")


def _shown(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}"
    said = repr(value) if isinstance(value, str | int | float | bool | None) else ""
    return f"{said[:_SHOWN]} ({type(value).__name__})" if said else f"of type {type(value).__name__}"
