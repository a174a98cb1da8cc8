"""A server's list of tools, as tools for a model."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeAlias, cast, get_args

import msgspec

from ..errors import ConfigError
from ..tools import AnyTool, Context, Effect, Tool

_FORBIDDEN = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST_NAME = 64

Call: TypeAlias = Callable[[str, dict[str, Any], Context[Any]], Awaitable[object]]
"""Calls a tool of the server by its own name."""

Approve: TypeAlias = bool | Callable[[str, dict[str, Any]], bool | Awaitable[bool]]
"""Whether a call has to be approved: always, never, or by the tool's name and its arguments."""


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """Which tools of a server are used, and how. See `stdio`.

    Raises:
        ConfigError: a choice is none.
    """

    tools: tuple[str, ...] | None = None
    prefix: str = ""
    effect: Effect | Mapping[str, Effect] | None = None
    approve: Approve = False

    def __post_init__(self) -> None:
        if _FORBIDDEN.search(self.prefix):
            raise ConfigError(f"prefix should have a-z, A-Z, 0-9, `_` and `-` only, but is {self.prefix!r}")
        given = self.effect.values() if isinstance(self.effect, Mapping) else (self.effect,)
        for effect in given:
            if effect is not None and effect not in get_args(Effect):
                raise ConfigError(f"effect should be one of {', '.join(get_args(Effect))}, but is {effect!r}")
        if not isinstance(self.approve, bool) and not callable(cast("object", self.approve)):
            raise ConfigError(
                f"approve should be True, False or a function of a name and arguments, not {self.approve!r}"
            )


def make_tools(
    server: str, listing: Sequence[Mapping[str, Any]], choices: Choices, call: Call
) -> tuple[AnyTool, ...]:
    """The tools of a server that are used.

    Args:
        server: its name, for messages.
        listing: the tools as the server lists them (`name`, `description`, `inputSchema`, `annotations`).
        choices: which of them are used, and how.
        call: calls one.

    Raises:
        ConfigError: a name is chosen that the server does not have.

    https://modelcontextprotocol.io/specification/2025-11-25/server/tools#tool
    """
    there = [str(entry["name"]) for entry in listing]
    _check_names(server, "tools=", choices.tools or (), there)
    if isinstance(choices.effect, Mapping):
        _check_names(server, "effect=", choices.effect, there)
    chosen = [entry for entry in listing if choices.tools is None or entry["name"] in choices.tools]
    names = _names(choices.prefix, [str(entry["name"]) for entry in chosen])
    return tuple(_tool(name, entry, choices, call) for name, entry in zip(names, chosen, strict=True))


def _tool(name: str, entry: Mapping[str, Any], choices: Choices, call: Call) -> AnyTool:
    own = str(entry["name"])
    approve = choices.approve

    async def function(arguments: dict[str, Any], context: Context[Any]) -> object:
        return await call(own, arguments, context)

    def needs_approval(arguments: dict[str, Any]) -> bool | Awaitable[bool]:
        return approve if isinstance(approve, bool) else approve(own, arguments)

    return Tool.from_schema(
        function,
        name=name,
        description=entry.get("description") or entry.get("title") or "",
        parameters=_without_nulls(entry.get("inputSchema") or {"type": "object"}),
        effect=_effect(own, entry.get("annotations") or {}, choices.effect),
        approve=approve if isinstance(approve, bool) else needs_approval,
        takes_context=True,
    )


def _without_nulls(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema without what it says nothing about: some servers write `"required": null`."""
    return {key: value for key, value in schema.items() if value is not None}


def _effect(name: str, annotations: Mapping[str, Any], chosen: Effect | Mapping[str, Effect] | None) -> Effect:
    """What the caller says, else what the server hints at, else the careful choice."""
    if isinstance(chosen, str):
        return chosen
    if chosen is not None and name in chosen:
        return chosen[name]
    if annotations.get("readOnlyHint") is True:
        return "read"
    return "idempotent" if annotations.get("idempotentHint") is True else "once"


def _names(prefix: str, own: Sequence[str]) -> Iterator[str]:
    """Names that providers take: servers may use dots and slashes, and longer ones. None comes twice. Gemini's begin
    with a letter or `_`."""
    taken: set[str] = set()
    for name in own:
        plain = _FORBIDDEN.sub("_", prefix + name)
        plain = (plain if plain[:1].isalpha() or plain[:1] == "_" else f"_{plain}")[:_LONGEST_NAME]
        made, number = plain, 1
        while made in taken:
            number += 1
            made = f"{plain[: _LONGEST_NAME - len(str(number)) - 1]}_{number}"
        taken.add(made)
        yield made


def _check_names(server: str, where: str, names: Collection[str], there: Sequence[str]) -> None:
    for name in names:
        if name not in there:
            near = get_close_matches(name, there, 1)
            advice = f" Did you mean {near[0]!r}?" if near else ""
            raise ConfigError(
                f"{where} names the tool {name!r}, which the MCP server {server!r} does not have.{advice} "
                f"It has: {', '.join(there) or 'none'}."
            )
