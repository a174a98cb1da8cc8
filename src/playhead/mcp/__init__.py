"""
MCP servers as sources of tools, prompts and resources, by the official package `mcp` (`pip install 'playhead[mcp]'`).

    import playhead as ph

    files = ph.mcp.stdio("uvx", "mcp-server-git", name="git", tools=["git_log", "git_show"])
    agent = ph.Agent("openrouter:moonshotai/kimi-k2-0905", tools=[files])

What a server says is on the tape: a replay starts no process and opens no connection.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import cast
from urllib.parse import urlsplit

from ..errors import ConfigError
from ..tools import Effect
from ._errors import ServerError, ToolFailed
from ._listing import Approve, Choices
from ._server import Prompt, PromptArgument, Resource, Server
from ._ways import Http, Stdio

__all__ = ["Prompt", "PromptArgument", "Resource", "Server", "ServerError", "ToolFailed", "http", "stdio"]


def stdio(
    command: str,
    *args: str,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    name: str | None = None,
    tools: Iterable[str] | None = None,
    prefix: str | None = None,
    effect: Effect | Mapping[str, Effect] | None = None,
    timeout: float | None = 60.0,
    approve: Approve = False,
) -> Server:
    """A server that is a process of this machine, spoken to by stdin and stdout.

    It is started when it is first needed. What it writes to stderr goes to `logging`, under `playhead.mcp`.

    Args:
        command: what is started, without a shell.
        args: its arguments.
        env: environment variables for it. Of this process's own it is given only `PATH`, `HOME` and the like.
        cwd: the directory in which it is started.
        name: what readings on the tape and messages call it; the command's own name where it is left out.
        tools: the only ones that are used, by the server's names; all where it is left out.
        prefix: stands before the names of the tools, so that those of two servers differ.
        effect: what a second run of a tool does, for all of them or by name. Where it is left out, the server's hints
            count: `readOnlyHint` means `read`, `idempotentHint` means `idempotent`, nothing means `once`. They are
            only as good as the server: do not rely on those of a server that you do not trust.
        timeout: seconds for starting, and for each answer; None for as long as it takes.
        approve: whether calls have to be approved: True, False, or a function of a tool's name and its arguments.

    Raises:
        ConfigError: an argument is not what it can be.
    """
    if not command:
        raise ConfigError("command should be what starts the server, but is empty")
    for part in (command, *args):
        if not isinstance(cast("object", part), str):
            kind = type(cast("object", part)).__name__
            raise ConfigError(f"the command and its arguments should be texts, one by one, but one is of type {kind}")
    _check_texts("env", env)
    way = Stdio(command=command, args=args, env=env, cwd=None if cwd is None else os.fspath(cwd))
    return Server(
        name or PurePath(command).stem,
        way,
        timeout=timeout,
        choices=_choices(tools, prefix, effect, approve),
    )


def http(
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    name: str | None = None,
    tools: Iterable[str] | None = None,
    prefix: str | None = None,
    effect: Effect | Mapping[str, Effect] | None = None,
    timeout: float | None = 60.0,
    approve: Approve = False,
) -> Server:
    """A server that is reached by streamable HTTP.

    Args:
        url: such as `https://mcp.example.com/mcp`.
        headers: sent with each request, such as `{"Authorization": "Bearer ..."}`. They never reach a tape or a
            message.
        name: what readings on the tape and messages call it; the address's host where it is left out.
        tools: as for `stdio`.
        prefix: as for `stdio`.
        effect: as for `stdio`.
        timeout: as for `stdio`.
        approve: as for `stdio`.

    Raises:
        ConfigError: an argument is not what it can be.
    """
    _check_texts("headers", headers)
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ConfigError(f"url should begin with http:// or https:// and have a host: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"url should begin with http:// or https:// and have a host, but is {url!r}")
    return Server(
        name or parts.hostname,
        Http(url=url, headers=headers),
        timeout=timeout,
        choices=_choices(tools, prefix, effect, approve),
    )


def _check_texts(what: str, values: Mapping[str, object] | None) -> None:
    for name, value in (values or {}).items():
        if not isinstance(value, str):
            raise ConfigError(f"{what}: the value of {name!r} should be text, but is of type {type(value).__name__}")


def _choices(
    tools: Iterable[str] | None,
    prefix: str | None,
    effect: Effect | Mapping[str, Effect] | None,
    approve: Approve,
) -> Choices:
    if isinstance(tools, str):
        raise ConfigError(f"tools should be a list of names, but is the text {tools!r}")
    return Choices(tools=None if tools is None else tuple(tools), prefix=prefix or "", effect=effect, approve=approve)
