"""Tools: functions that a model may call.

What the model is told of a tool is read from the function: its name, its docstring and its annotations.
`Tool.bind` turns the model's raw arguments into values, or into an error that the model can act on.
`Tool.invoke` calls the function. Neither knows of threads, tapes or event loops: those are the loop's.
"""

from __future__ import annotations

import copy
import functools
import inspect
import re
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Concatenate, Generic, Literal, ParamSpec, TypeAlias, TypeVar, cast, overload

import msgspec

from ..errors import ToolDefinitionError
from ..messages import Message, ToolSpec
from ._docstring import Docstring, parse_docstring
from ._problems import Spot, describe, say_missing, say_unknown
from ._schema import Mismatch
from ._signature import inner_function, is_method, read_signature

P = ParamSpec("P")
Rest = ParamSpec("Rest")
R_co = TypeVar("R_co", covariant=True)

Effect: TypeAlias = Literal["read", "idempotent", "once"]
"""What a second run of the same call does: nothing (`read`), nothing new (`idempotent`), or harm (`once`)."""

_EFFECTS = ("read", "idempotent", "once")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_HALF_PAIR = re.compile(r'\\u[dD][89abAB][0-9a-fA-F]{2}"')
_BYTE = re.compile(r"(.*) \(byte (\d+)\)")


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What a tool may know of the run that it is called in.

    A parameter annotated `Context` receives it, whatever its name and place. The model is not told of it.

    Attributes:
        lane: the line of work, such as `root` or `root/0.add`.
        call_id: the id of this call, as the model gave it.
        tool: the tool's name.
        step: the step of the run, from 0.
        messages: the conversation so far; the last one is the answer that asks for this call.
        idempotency_key: the same whenever this call is run again; hand it on to whatever must happen once.
    """

    lane: str = "root"
    call_id: str = ""
    tool: str = ""
    step: int = 0
    messages: tuple[Message, ...] = ()
    idempotency_key: str = ""


class InvalidArguments(ValueError):
    """The model's arguments do not fit the tool. The text is meant for the model.

    Attributes:
        problems: one sentence each.
    """

    def __init__(self, problems: Sequence[str], advice: str = "") -> None:
        self.problems = tuple(problems)
        lines = problems if len(problems) == 1 else [f"- {problem}" for problem in problems]
        super().__init__("\n".join([*lines, advice]).rstrip())


class Tool(Generic[P, R_co]):
    """A function that a model may call. It can still be called directly, with the function's own signature.

    Made by `tool` or `as_tool`.

    Attributes:
        name: what the model calls it.
        description: what the model is told of it.
        parameters: a JSON schema of type object.
        definition: what a provider is told instead of all three; None for most tools.
        effect: what happens when it runs twice.
        reconcile: finds out what became of a call that was cut down; None where nobody can.
        function: what is called.
        is_async: whether the function is a coroutine function. A function that is not may still return an
            awaitable, such as one that was wrapped by a decorator.
        context_param: the name of the parameter that gets the context, or None.
        is_unbound: whether it is a method, still without its object: `Thing.search`, not `Thing().search`.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    definition: dict[str, Any] | None
    effect: Effect
    reconcile: Tool[..., Any] | None
    function: Callable[P, R_co]
    is_async: bool
    context_param: str | None
    is_unbound: bool
    __name__: str

    def __init__(
        self,
        function: Callable[P, R_co],
        *,
        name: str | None = None,
        description: str | None = None,
        effect: Effect = "once",
        reconcile: Callable[..., Any] | None = None,
        definition: Mapping[str, Any] | None = None,
        namespace: Mapping[str, Any] | None = None,
    ) -> None:
        """Make a tool.

        Args:
            function: a function, a bound method, a callable object or a `functools.partial`.
            name: instead of the function's own.
            description: instead of the docstring's; taken as it is.
            effect: what happens when the tool runs twice.
            reconcile: finds out what became of a call that was cut down. See `tool`.
            definition: what a provider is told instead. See `tool`.
            namespace: names that the annotations may use, beside those that the function itself can see.

        Raises:
            ToolDefinitionError: the function cannot be told to a model; the message says why and what to do.
        """
        if not callable(function) or isinstance(function, type):
            raise ToolDefinitionError(
                f"a tool is made of a function, a method or a callable object, not of {function!r}"
            )
        if isinstance(function, Tool):
            function = cast("Tool[P, R_co]", function).function
        inner = inner_function(function)
        label = _own_name(function, inner) if name is None else name
        _check(inner, label, effect)
        docstring = _docstring(function, inner)
        self.is_unbound = is_method(function)
        self._signature = read_signature(
            function,
            label,
            context=Context,
            docstring=docstring,
            namespace=namespace or {},
            skip_first=self.is_unbound,
        )
        self.name = label
        self.description = docstring.description if description is None else description
        self.parameters = self._signature.schema()
        self.definition = None if definition is None else dict(definition)
        self.effect = effect
        self.reconcile = None if reconcile is None else self._reconciler(reconcile, namespace)
        self.function = function
        self.is_async = _is_async(function)
        self.context_param = self._signature.context
        self.__name__ = label
        functools.update_wrapper(self, function, updated=())

    @property
    def spec(self) -> ToolSpec:
        """The tool as a model is told of it."""
        return ToolSpec(self.name, self.description, self.parameters, raw=self.definition)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function."""
        return self.function(*args, **kwargs)

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Tool[P, R_co]: ...
    @overload
    def __get__(
        self: Tool[Concatenate[Any, Rest], R_co], instance: object, owner: type[Any] | None = None
    ) -> Tool[Rest, R_co]: ...
    def __get__(self, instance: object, owner: type[Any] | None = None) -> Tool[Any, R_co]:
        """A tool that was made of a method, bound to its object."""
        if instance is None or not self.is_unbound:
            return self
        bound = copy.copy(self)
        bound.function = types.MethodType(self.function, instance)
        if bound.reconcile is not None:
            bound.reconcile = bound.reconcile.__get__(instance, owner)
        bound.is_unbound = False
        functools.update_wrapper(bound, bound.function, updated=())
        return bound

    def __repr__(self) -> str:
        return f"<Tool {self.name}({', '.join(self._signature.parameters)})>"

    def bind(self, arguments: str) -> dict[str, object]:
        """The model's raw arguments as values for the function's parameters.

        Types are strict, but 2.0 is an integer and 2 is a number, as JSON schema has it. What is left out and
        has a default is not in the result. No text at all counts as no arguments.

        Args:
            arguments: JSON, as the model wrote it.

        Raises:
            InvalidArguments: whatever is wrong with the arguments, all of it at once.
        """
        given = self._parse(arguments)
        parameters = self._signature.parameters
        unknown = [name for name in given if name not in parameters]
        problems = [say_unknown("", name, list(parameters)) for name in unknown]
        values: dict[str, object] = {}
        for name, parameter in parameters.items():
            if name not in given:
                if parameter.required:
                    spot = Spot.of(name, msgspec.UNSET, parameter.schema, parameter.type.defs)
                    problems.append(say_missing(spot))
                continue
            try:
                values[name] = parameter.type.convert(given[name], name)
            except Mismatch as mismatch:
                problems.extend(mismatch.args)
        if problems:
            raise InvalidArguments(problems, f"Call {self.name} again with the right arguments.")
        return values

    def invoke(self, arguments: Mapping[str, object], context: Context) -> Any:
        """Call the function with arguments by name, and with the context where it asks for it.

        Returns:
            What the function returns: for a coroutine function, the awaitable.
        """
        with_context = {self.context_param: context} if self.context_param else {}
        placed, named = self._signature.split({**arguments, **with_context})
        return cast("Callable[..., Any]", self.function)(*placed, **named)

    def select(self, arguments: Mapping[str, object]) -> dict[str, object]:
        """Those of another tool's arguments that this one has parameters for."""
        return {name: value for name, value in arguments.items() if name in self._signature.parameters}

    def _reconciler(self, function: Callable[..., Any], namespace: Mapping[str, Any] | None) -> Tool[..., Any]:
        made = Tool(function, name=self.name, namespace=namespace)
        if self.effect != "once":
            raise ToolDefinitionError(
                f"tool {self.name}: reconcile= is for tools that may run only once; with effect={self.effect!r} a "
                "call that was cut down is simply run again"
            )
        unknown = made._signature.parameters.keys() - self._signature.parameters.keys()
        if unknown:
            raise ToolDefinitionError(
                f"tool {self.name}: its reconcile function has parameters that the tool has not: "
                f"{', '.join(sorted(unknown))}. It is called with the tool's own arguments, those that it names"
            )
        return made

    def _parse(self, arguments: str) -> dict[str, object]:
        if not arguments.strip():
            return {}
        try:
            given = msgspec.json.decode(arguments)
        except (ValueError, RecursionError) as error:
            problem = f"the arguments are not valid JSON: {_json_problem(error, arguments)}."
            raise InvalidArguments([f"{problem} Send one JSON object."]) from error
        if not isinstance(given, dict):
            problem = f"the arguments are not a JSON object, but {describe(given)}."
            raise InvalidArguments([f"{problem} Send one JSON object."])
        return cast("dict[str, object]", given)


class _Rerun:
    def __repr__(self) -> str:
        return "RERUN"


RERUN = _Rerun()
"""What a `reconcile` function returns where the call never happened, so that the tool may run."""

AnyTool: TypeAlias = Tool[..., Any]
"""A tool of any signature."""


@overload
def tool(
    function: Callable[P, R_co],
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    effect: Effect = "once",
    reconcile: Callable[..., Any] | None = None,
    definition: Mapping[str, Any] | None = None,
) -> Tool[P, R_co]: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    effect: Effect = "once",
    reconcile: Callable[..., Any] | None = None,
    definition: Mapping[str, Any] | None = None,
) -> Callable[[Callable[P, R_co]], Tool[P, R_co]]: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    effect: Effect = "once",
    reconcile: Callable[..., Any] | None = None,
    definition: Mapping[str, Any] | None = None,
) -> Any:
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

    Raises:
        ToolDefinitionError: the function cannot be told to a model; the message says why and what to do.
    """
    frame = inspect.currentframe()
    place = frame.f_back if frame else None
    names, constants = (dict(place.f_locals), place.f_code.co_consts) if place else ({}, ())
    del frame, place

    def decorate(function: Callable[..., Any]) -> AnyTool:
        # a function that is defined right here may have annotations that name what is local here
        is_local = getattr(inner_function(function), "__code__", None) in constants
        namespace = names if is_local else None
        return Tool(
            function,
            name=name,
            description=description,
            effect=effect,
            reconcile=reconcile,
            definition=definition,
            namespace=namespace,
        )

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


def _check(inner: Any, label: str, effect: str) -> None:
    if not _NAME.fullmatch(label):
        raise ToolDefinitionError(
            f"{label!r} cannot be a tool's name, which has 1 to 64 of a-z, A-Z, 0-9, `_` and `-`. "
            'Give it one: tool(..., name="...")'
        )
    if effect not in _EFFECTS:
        raise ToolDefinitionError(f"tool {label}: effect is one of {', '.join(_EFFECTS)}, not {effect!r}")
    if inspect.isgeneratorfunction(inner) or inspect.isasyncgenfunction(inner):
        raise ToolDefinitionError(f"tool {label}: it is a generator; return a list instead")


def _own_name(function: Any, inner: Any) -> str:
    source: Any = inner if isinstance(function, functools.partial) else function
    return str(getattr(source, "__name__", type(source).__name__))


def _docstring(function: Any, inner: Any) -> Docstring:
    if isinstance(function, types.MethodType):
        return parse_docstring(inspect.getdoc(function) or "")
    found = getattr(inner, "__doc__", None)
    if not found and not isinstance(function, functools.partial):
        found = getattr(function, "__doc__", None)
        # a dataclass without a docstring gets its signature as one
        found = None if found and found.startswith(f"{type(function).__name__}(") else found
    return parse_docstring(found if isinstance(found, str) else "")


def _is_async(function: Any) -> bool:
    while isinstance(function, functools.partial):
        function = cast("functools.partial[Any]", function).func
    if isinstance(function, Tool):
        return function.is_async
    call = cast("Any", type(function)).__call__
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def _json_problem(error: Exception, text: str) -> str:
    """What is wrong and where, in characters from 1: msgspec counts bytes from 0."""
    if isinstance(error, RecursionError):
        return "they are nested too deeply"
    if isinstance(error, UnicodeEncodeError):
        return f"half of a surrogate pair (at character {error.start + 1})"
    message = str(error).removeprefix("JSON is malformed: ")
    if found := _BYTE.fullmatch(message):
        before = text.encode()[: int(found[2])].decode(errors="ignore")
        return f"{found[1]} (at character {len(before) + 1})"
    if message == "Input data was truncated" and _HALF_PAIR.search(text):
        return "half of a surrogate pair, or they end too early"
    if message == "Input data was truncated":
        return f"they end too early (at character {len(text) + 1})"
    return message[:1].lower() + message[1:]
