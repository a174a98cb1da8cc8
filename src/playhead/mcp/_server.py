"""An MCP server as a source of tools, prompts and resources."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

import msgspec

from ..errors import ConfigError
from ..messages import MediaPart, Message, TextPart
from ..tape.lanes import here
from ..tools import AnyTool, Context
from ._connections import Connections
from ._content import prompt_messages, resource_parts, tool_result
from ._listing import Choices, make_tools
from ._ways import Way

if TYPE_CHECKING:
    from mcp.client.client import Client

_TOOL_FIELDS = {"name", "title", "description", "input_schema", "annotations"}
_MOST_PAGES = 1000

Read = Callable[[str, Callable[[], Awaitable[Any]]], Awaitable[Any]]
"""Gives the value that the tape has under a name, or makes one and records it."""


class PromptArgument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a prompt is filled in with."""

    name: str
    description: str = ""
    required: bool = False


class Prompt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A prompt that a server offers. `Server.prompt` gives its messages."""

    name: str
    title: str = ""
    description: str = ""
    arguments: tuple[PromptArgument, ...] = ()


class Resource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"media_type": "mimeType"}):
    """Something that a server lets be read. `Server.resource` gives its contents.

    Attributes:
        size: in bytes, where the server says so.
    """

    uri: str
    name: str = ""
    title: str = ""
    description: str = ""
    media_type: str | None = None
    size: int | None = None


class Server:
    """An MCP server. Made by `stdio` or `http`.

    It stands among an agent's tools: `Agent(tools=[server])`. It is connected to when something is needed that is not
    on the tape, and let go of at the run's end; `async with server:` keeps the connection from one run to the next.
    One server may be used by several runs at once, and by one event loop after another.

    Args:
        name: what readings on the tape and error messages call it.
        way: how it is reached.
        timeout: seconds for connecting, and for each answer.
        choices: which of its tools are used, and how.

    Attributes:
        name: as above.
    """

    def __init__(self, name: str, way: Way, *, timeout: float | None = 60.0, choices: Choices | None = None) -> None:
        if not name:
            raise ConfigError("an MCP server should have a name: give name=")
        if timeout is not None and not (isinstance(cast("object", timeout), int | float) and timeout > 0):
            raise ConfigError(f"timeout should be a number of seconds above 0, or None, but is {timeout!r}")
        self.name = name
        self._where = way.where
        self._choices = choices or Choices()
        self._connections = Connections(name, way, timeout)
        self._hidden = way.secrets.everywhere

    def __repr__(self) -> str:
        return f"<MCP server {self.name!r}: {self._where}>"

    async def tools(self, read: Read) -> Sequence[AnyTool]:
        """The server's tools for one run, which says `aclose` once when it is over.

        Args:
            read: gives the list from the tape, or asks the server and records it.

        Raises:
            TransportError: the server cannot be reached.
            ServerError: it has no tools for us.
            ConfigError: tools are chosen that it does not have.
        """
        self._connections.begin_run()
        try:
            listing = await read(f"mcp.{self.name}.tools", self._list_tools)
            return make_tools(self.name, listing, self._choices, self._call)
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """A run is over. With the last one the connection is closed, unless `async with` holds it open."""
        await self._connections.end_run()

    async def __aenter__(self) -> Self:
        self._connections.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connections.leave()

    async def instructions(self) -> str:
        """How the server says that it is to be used; empty where it says nothing. Inside a run it is on the tape.

        Raises:
            TransportError, ServerError: as for `tools`.
        """

        async def make(client: Client) -> str:
            return client.instructions or ""

        return await self._reading("instructions", make)

    async def prompts(self) -> tuple[Prompt, ...]:
        """The prompts that it offers. Inside a run the list is on the tape.

        Raises:
            TransportError, ServerError: as for `tools`.
        """

        async def make(client: Client) -> list[Any]:
            return await _all_pages(client.list_prompts, "prompts")

        return msgspec.convert(await self._reading("prompts", make), tuple[Prompt, ...])

    async def prompt(self, name: str, arguments: Mapping[str, str] | None = None) -> tuple[Message, ...]:
        """The messages of a prompt. Inside a run they are on the tape.

        Args:
            name: as in `prompts`.
            arguments: what it is filled in with.

        Raises:
            TransportError, ServerError: as for `tools`; also where the prompt or an argument is not known.
        """
        given = dict(arguments or {})

        async def make(client: Client) -> Any:
            return _plain(await client.get_prompt(name, given or None))

        return prompt_messages(await self._reading(f"prompt.{name}{_mark(given)}", make))

    async def resources(self) -> tuple[Resource, ...]:
        """The resources that it lists. Inside a run the list is on the tape.

        Raises:
            TransportError, ServerError: as for `tools`.
        """

        async def make(client: Client) -> list[Any]:
            return await _all_pages(client.list_resources, "resources")

        return msgspec.convert(await self._reading("resources", make), tuple[Resource, ...])

    async def resource(self, uri: str) -> tuple[TextPart | MediaPart, ...]:
        """The contents of a resource. Inside a run they are on the tape.

        Args:
            uri: as in `resources`, or made of a template that the server is known to have.

        Raises:
            TransportError, ServerError: as for `tools`; also where there is no such resource.
        """

        async def make(client: Client) -> Any:
            return _plain(await client.read_resource(uri))

        return resource_parts(await self._reading(f"resource.{_address(uri)}", make))

    async def _list_tools(self) -> list[Any]:
        async def make(client: Client) -> list[Any]:
            return await _all_pages(client.list_tools, "tools", _TOOL_FIELDS)

        return self._hidden(await self._connections.ask(make))

    async def _call(self, name: str, arguments: dict[str, Any], context: Context[Any]) -> object:
        async def tell(progress: float, total: float | None, message: str | None) -> None:
            of = f"{progress:g}" if total is None else f"{progress:g}/{total:g}"
            context.progress(
                self._hidden(message) or of, min(max(progress / total, 0.0), 1.0) if total and total > 0 else None
            )

        async def make(client: Client) -> Any:
            return _plain(await client.call_tool(name, arguments, progress_callback=tell))

        return tool_result(self._hidden(await self._connections.ask(make)))

    async def _reading(self, what: str, make: Callable[[Client], Awaitable[Any]]) -> Any:
        """From the tape that this code stands on, or from the server; then it is on the tape."""
        name, place = f"mcp.{self.name}.{what}", here()
        if place is None:
            return self._hidden(await self._connections.ask(make))
        found = place.tape.find_reading(place.lane, name)
        if found is not None:
            return found.value
        if place.tape.closed:
            raise place.tape.no_reading(place.lane, name)
        value = self._hidden(await self._connections.ask(make))
        place.tape.record_reading(place.lane, name, value)
        return value


class _Page(Protocol):
    next_cursor: str | None


async def _all_pages(
    list_page: Callable[..., Awaitable[_Page]], field: str, fields: set[str] | None = None
) -> list[Any]:
    """All entries of a list that comes in pages, as plain JSON."""
    entries: list[Any] = []
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        page = await list_page(cursor=cursor)
        entries += [_plain(entry, fields) for entry in getattr(page, field)]
        before, cursor = cursor, page.next_cursor
        if not cursor or cursor == before:
            break
    return entries


def _plain(model: Any, fields: set[str] | None = None) -> Any:
    """A value of the package `mcp` as plain JSON under the protocol's own names. What is not set is left out."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True, include=fields)


def _mark(arguments: Mapping[str, str]) -> str:
    """Tells prompts with other arguments apart, without writing down what they are filled in with."""
    return f"#{_digest(json.dumps(arguments, sort_keys=True))}" if arguments else ""


def _address(uri: str) -> str:
    """A resource's address; where it may have a key in it, without that, and told apart by a digest."""
    head, query, _ = uri.partition("?")
    scheme, slashes, rest = head.partition("//")
    host, slash, path = rest.partition("/")
    if not query and "@" not in host:
        return uri
    return f"{scheme}{slashes}{host.rpartition('@')[2]}{slash}{path}#{_digest(uri)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
