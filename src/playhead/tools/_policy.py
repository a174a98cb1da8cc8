"""How a tool is run: what a second run does, how long it may take, and who is asked before."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, TypeAlias, TypedDict

from ..errors import ToolDefinitionError

Effect: TypeAlias = Literal["read", "idempotent", "once"]
"""What a second run of the same call does: nothing (`read`), nothing new (`idempotent`), or harm (`once`)."""

ApprovalFunction: TypeAlias = Callable[..., bool | Awaitable[bool]]
"""Whether a call needs somebody's approval, from those of the tool's arguments that it names."""

_EFFECTS = ("read", "idempotent", "once")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class ToolOptions(TypedDict, total=False):
    """The keywords of `tool`."""

    name: str | None
    description: str | None
    effect: Effect
    reconcile: Callable[..., Any] | None
    definition: Mapping[str, Any] | None
    timeout: float | None
    retries: int
    approve: bool | ApprovalFunction
    background: bool
    strict: bool | None


def check_name(label: object) -> None:
    """Refuse a name that providers refuse.

    Raises:
        ToolDefinitionError: it cannot be a tool's name.
    """
    if not isinstance(label, str) or not _NAME.fullmatch(label):
        raise ToolDefinitionError(
            f"{label!r} cannot be a tool's name, which has 1 to 64 of a-z, A-Z, 0-9, `_` and `-`. "
            'Give it one: tool(..., name="...")'
        )


def check_policy(
    label: str,
    *,
    effect: object,
    timeout: object,
    retries: object,
    approve: object,
    background: object,
    strict: object,
) -> None:
    """Refuse what a tool cannot be.

    Raises:
        ToolDefinitionError: a value is not one of those that are possible, or two contradict each other.
    """
    if effect not in _EFFECTS:
        raise ToolDefinitionError(f"tool {label}: effect is one of {', '.join(_EFFECTS)}, not {effect!r}")
    if timeout is not None and not _is_above_zero(timeout):
        raise ToolDefinitionError(f"tool {label}: timeout is a number of seconds above 0, or None, not {timeout!r}")
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise ToolDefinitionError(f"tool {label}: retries is a whole number, 0 or more, not {retries!r}")
    if retries and effect == "once":
        raise ToolDefinitionError(
            f"tool {label}: retries={retries} would run it again after a failure, but it may run only once: nobody "
            "knows whether a call that failed had done its work. Where a second run does no harm, say so with "
            'effect="read" or effect="idempotent"'
        )
    if not isinstance(approve, bool) and (not callable(approve) or isinstance(approve, type)):
        raise ToolDefinitionError(
            f"tool {label}: approve is True, False, or a function of the tool's arguments, not {approve!r}"
        )
    if not isinstance(background, bool):
        raise ToolDefinitionError(f"tool {label}: background is True or False, not {background!r}")
    if strict is not None and not isinstance(strict, bool):
        raise ToolDefinitionError(f"tool {label}: strict is True, False or None, not {strict!r}")


def _is_above_zero(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
