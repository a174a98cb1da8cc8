"""Functions, bound methods, callable objects and partials: what is inside, and what they are called."""

from __future__ import annotations

import functools
import inspect
import types
from typing import Any, cast

from ._docstring import Docstring, parse_docstring


def inner_function(function: Any) -> Any:
    """The function inside a partial, a bound method, a callable object or a decorator that uses `wraps`."""
    if isinstance(function, functools.partial):
        return inner_function(function.func)  # pyright: ignore[reportUnknownMemberType]
    if isinstance(function, types.MethodType):
        return inner_function(function.__func__)
    if wrapped := getattr(function, "__wrapped__", None):
        return inner_function(wrapped)
    call = cast("Any", type(function)).__call__
    return inner_function(call) if isinstance(call, types.FunctionType) else function


def is_method(function: Any) -> bool:
    """Whether this is a plain function in a class body, still without its `self` (or `cls`)."""
    if not isinstance(function, types.FunctionType):
        return False
    scope = function.__qualname__.rpartition(".")[0]
    first = function.__code__.co_varnames[: function.__code__.co_argcount][:1]
    return bool(scope) and not scope.endswith("<locals>") and first in (("self",), ("cls",))


def own_name(function: Any, inner: Any) -> str:
    """What something that can be called is called itself. `inner` is its `inner_function`."""
    source: Any = inner if isinstance(function, functools.partial) else function
    return str(getattr(source, "__name__", type(source).__name__))


def docstring_of(function: Any, inner: Any) -> Docstring:
    """The docstring of something that can be called. `inner` is its `inner_function`."""
    if isinstance(function, types.MethodType):
        return parse_docstring(inspect.getdoc(function) or "")
    found = getattr(inner, "__doc__", None)
    if not found and not isinstance(function, functools.partial):
        found = getattr(function, "__doc__", None)
        # a dataclass without a docstring gets its signature as one
        found = None if found and found.startswith(f"{type(function).__name__}(") else found
    return parse_docstring(found if isinstance(found, str) else "")


def without_partials(function: Any) -> Any:
    """What `functools.partial`s were made of."""
    while isinstance(function, functools.partial):
        function = cast("functools.partial[Any]", function).func
    return function


def is_coroutine_function(function: Any) -> bool:
    """Whether a function or a callable object gives a coroutine."""
    call = cast("Any", type(function)).__call__
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)
