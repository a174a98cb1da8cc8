"""From a call as the model made it to what runs: a user's function may repair what cannot be run."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import msgspec

from ..errors import TapeError
from ..messages import ToolCallPart, ToolSpec
from ..tape.playhead import Playhead
from ..tape.redact import REDACTED
from ..tools import AnyTool, InvalidArguments, repair_json
from .toolbox import Toolbox

REPAIRED = "repaired"
"""The reading that holds a repaired call: its name and its arguments, or None where it could not be repaired."""

REPAIR_LANE = "/repair"
"""Below the call's own lane: what a repair asks of models."""


class BrokenCall(msgspec.Struct, frozen=True):
    """A call that cannot be run as the model made it.

    Attributes:
        call: as the model made it.
        error: what is wrong, in words for the model.
        tools: those that there are.
    """

    call: ToolCallPart
    error: str
    tools: tuple[ToolSpec, ...]


Repair: TypeAlias = Callable[[BrokenCall], ToolCallPart | str | Awaitable[ToolCallPart | str | None] | None]
"""Gives the call as it was meant, or its arguments alone (raw JSON), or None where it cannot tell: then the model is
told what is wrong."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A call that can be run.

    Attributes:
        call: as it runs, which may be another than the model made.
        tool: the one that it calls.
        arguments: the values for the tool's parameters.
        shown: the arguments as raw JSON, for people: almost-JSON as it was mended.
    """

    call: ToolCallPart
    tool: AnyTool
    arguments: dict[str, object]
    shown: str


def bind(call: ToolCallPart, toolbox: Toolbox) -> Bound:
    """A call with its tool and its values.

    Raises:
        InvalidArguments: there is no such tool, or the arguments do not fit it.
    """
    tool = toolbox.tools.get(call.name)
    if tool is None:
        raise InvalidArguments([toolbox.unknown(call.name)], advice="Call one of those, or answer.")
    arguments = tool.bind(call.arguments, complete=toolbox.complete)
    return Bound(call, tool, arguments, _shown(call.arguments, toolbox.complete))


async def bound(call: ToolCallPart, toolbox: Toolbox, repair: Repair | None, playhead: Playhead, lane: str) -> Bound:
    """As `bind`; a call that cannot be run is repaired, once. What came of that is on the tape.

    Args:
        repair: the user's function.
        lane: the call's own.

    Raises:
        InvalidArguments: it cannot be run.
        Exception: what the function raised.
    """
    try:
        return bind(call, toolbox)
    except InvalidArguments as error:
        if repair is None:
            raise
        problem, function = error, repair

    async def ask() -> dict[str, str] | None:
        better = await _repaired(function, call, problem, toolbox.specs)
        return None if better is None else {"name": better.name, "arguments": better.arguments}

    if played := playhead.opened.peek_reading(lane, REPAIRED) is not None:
        playhead.opened.pass_by(f"{lane}{REPAIR_LANE}")
    found = known_repair(call, await playhead.read(REPAIRED, ask, lane=lane))
    if found is None:
        raise problem
    if played:
        refuse_redacted(found.name, found.arguments, lane)
    return bind(found, toolbox)


def known_repair(call: ToolCallPart, recorded: Any) -> ToolCallPart | None:
    """The call as a reading says that it was repaired; None where it was not."""
    if not isinstance(recorded, dict):
        return None
    plain = cast("dict[str, Any]", recorded)
    name, arguments = str(plain.get("name", "")), str(plain.get("arguments", ""))
    return msgspec.structs.replace(call, name=name, arguments=arguments)


def refuse_redacted(name: str, arguments: str, lane: str) -> None:
    """Recorded arguments from which something was taken out must not run.

    Raises:
        TapeError: a secret stood in them when they were recorded.
    """
    if REDACTED in arguments:
        raise TapeError(
            f"tool {name} in lane {lane} is to run with arguments that were redacted when they were recorded: "
            f"{arguments}. What was taken out cannot be known any more: record the tape anew."
        )


def _shown(arguments: str, complete: bool) -> str:
    try:
        msgspec.json.decode(arguments)
    except (ValueError, RecursionError):
        return repair_json(arguments, complete=complete) or arguments
    return arguments


async def _repaired(
    repair: Repair, call: ToolCallPart, error: InvalidArguments, tools: tuple[ToolSpec, ...]
) -> ToolCallPart | None:
    """The call as it was meant, or None."""
    found: object = repair(BrokenCall(call, str(error), tools))
    if inspect.isawaitable(found):
        found = await cast("Awaitable[object]", found)
    if isinstance(found, str):
        return msgspec.structs.replace(call, arguments=found)
    return found if isinstance(found, ToolCallPart) else None
