"""What can go wrong between a run and an MCP server."""

from __future__ import annotations

from typing import cast

from ..errors import PlayheadError


class ServerError(PlayheadError):
    """An MCP server refused a request, or answered with what cannot be used.

    Attributes:
        code: the JSON-RPC error's code, where the server sent one.
    """

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class ToolFailed(ServerError):
    """A tool of an MCP server ran and failed. The text is the server's own, and goes to the model."""


def innermost(error: BaseException) -> BaseException:
    """The first error that is no group: task groups wrap what went wrong in them."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error


def in_words(error: BaseException) -> str:
    """What an error says, or its class where it says nothing."""
    return str(error) or type(error).__name__
