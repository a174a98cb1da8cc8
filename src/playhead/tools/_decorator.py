"""`@tool`, and whatever is given as a tool made into one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, Unpack, cast, overload

from ..errors import ToolDefinitionError
from ._callables import inner_function
from ._policy import ToolOptions
from ._tool import AnyTool, Tool

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class _Rerun:
    def __repr__(self) -> str:
        return "RERUN"


RERUN = _Rerun()
"""What a `reconcile` function returns where the call never happened, so that the tool may run."""


@overload
def tool(function: Callable[P, R_co], /, **options: Unpack[ToolOptions]) -> Tool[P, R_co]: ...
@overload
def tool(**options: Unpack[ToolOptions]) -> Callable[[Callable[P, R_co]], Tool[P, R_co]]: ...
def tool(function: Callable[..., Any] | None = None, /, **options: Unpack[ToolOptions]) -> Any:
    """Make a function into a tool. Use it as `@tool` or as `@tool(...)`.

    The description and those of the parameters come from the docstring (Google's, NumPy's or Sphinx's style),
    or from `Annotated[int, "first number"]`. One sentence loses its full stop.

    Args:
        function: a function, a bound method, a callable object or a `functools.partial`.
        name: what the model calls it; the function's name where it is left out.
        description: what the model is told; taken as it is. The docstring's text where it is left out.
        effect: what happens when it runs twice: nothing (`read`), the same as once (`idempotent`), or harm
            (`once`, the default). It decides whether a call that was cut down may be run again on a resume.
        reconcile: for `once`: a function that finds out what became of a call that was cut down, when the run is
            resumed. It is called with those of the tool's arguments that it names, and with the `Context` if it asks
            for it. It returns the tool's result where the call had happened, or `RERUN` where it had not; where it
            raises, the run stops with `ToolInDoubt`.
        definition: what the provider is told instead of name, description and parameters; for tools that a provider
            defines and the caller runs, such as Anthropic's `{"type": "computer_20251124", "name": "computer", ...}`.
            The function then takes what that tool's calls have.
        timeout: seconds that a call may take. Then the model is told so. A coroutine is cancelled; a function on a
            thread cannot be, so that it goes on, and what it returns is not looked at.
        retries: how often a call that raised, or took too long, is run again at once; 0 where it is left out. Not for
            `once`.
        approve: True where each call waits for somebody's approval; or a function that says whether a call does. It
            is called with those of the tool's arguments that it names, and with the `Context` if it asks for it. It
            may be a coroutine function.
        background: True where its work outlives the step: the model goes on without the result.
        strict: True where the provider is to hold the model to the schema, which is then closed: objects have no
            members but those that are named.

    Raises:
        ToolDefinitionError: the function cannot be told to a model, or what is said of it makes no sense; the
            message says why and what to do.
    """
    frame = inspect.currentframe()
    place = frame.f_back if frame else None
    names, constants = (dict(place.f_locals), place.f_code.co_consts) if place else ({}, ())
    del frame, place

    def decorate(function: Callable[..., Any]) -> AnyTool:
        # a function that is defined right here may have annotations that name what is local here
        is_local = getattr(inner_function(function), "__code__", None) in constants
        return Tool(function, **options, namespace=names if is_local else None)

    return decorate if function is None else decorate(function)


def as_tool(function: Callable[P, R_co]) -> Tool[P, R_co]:
    """The tool that something is, or can be made into.

    Args:
        function: a `Tool`, a function, a bound method, a callable object or a `functools.partial`.

    Raises:
        ToolDefinitionError: it cannot be told to a model, or it is a method without its object.
    """
    made = _existing(function) or Tool(function)
    if made.is_unbound:
        raise ToolDefinitionError(
            f"tool {made.name}: it is a method without its object; take it from the object, as in "
            f"`thing.{made.__name__}`"
        )
    return made


def _existing(function: Any) -> Any:
    """The tool that this is already, or None."""
    inner = getattr(function, "__func__", None)
    if isinstance(inner, Tool):  # a class method, from Python 3.13 on
        return cast("AnyTool", inner).__get__(function.__self__)
    return cast("AnyTool", function) if isinstance(function, Tool) else None
