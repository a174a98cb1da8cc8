"""Tools: functions that a model may call.

What the model is told of a tool is read from the function: its name, its docstring and its annotations.
`Tool.bind` turns the model's raw arguments into values, or into an error that the model can act on.
`Tool.invoke` calls the function. Neither knows of threads, tapes or event loops: those are the loop's.
"""

from __future__ import annotations

import copy
import functools
import inspect
import types
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Concatenate, Generic, ParamSpec, TypeAlias, TypeVar, cast, overload

from ..errors import ToolDefinitionError
from ..messages import ToolSpec
from ._almost_json import repair_json
from ._arguments import InvalidArguments, parse_arguments
from ._callables import docstring_of, inner_function, is_coroutine_function, is_method, own_name, without_partials
from ._context import Context
from ._policy import ApprovalFunction, Effect, check_name, check_policy
from ._raw_schema import RawParameters, find_context
from ._schema import closed
from ._signature import Signature, read_signature

P = ParamSpec("P")
Q = ParamSpec("Q")
Rest = ParamSpec("Rest")
R_co = TypeVar("R_co", covariant=True)
S = TypeVar("S")


class Tool(Generic[P, R_co]):
    """A function that a model may call. It can still be called directly, with the function's own signature.

    Made by `tool`, `as_tool` or `Tool.from_schema`.

    Attributes:
        name: what the model calls it.
        description: what the model is told of it.
        parameters: a JSON schema of type object.
        definition: what a provider is told instead of all three; None for most tools.
        effect: what happens when it runs twice.
        reconcile: finds out what became of a call that was cut down; None where nobody can.
        timeout: seconds that a call may take; None where it may take any time.
        retries: how often a call that failed is run again at once.
        approve: whether calls wait for somebody's approval; a tool where a function decides. See `needs_approval`.
        background: whether its work outlives the step.
        strict: whether the provider is to hold the model to the schema.
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
    timeout: float | None
    retries: int
    approve: bool | Tool[..., Any]
    background: bool
    strict: bool | None
    function: Callable[P, R_co]
    is_async: bool
    context_param: str | None
    is_unbound: bool
    __name__: str
    _signature: Signature | RawParameters

    def __init__(
        self,
        function: Callable[P, R_co],
        *,
        name: str | None = None,
        description: str | None = None,
        effect: Effect = "once",
        reconcile: Callable[..., Any] | None = None,
        definition: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        retries: int = 0,
        approve: bool | ApprovalFunction = False,
        background: bool = False,
        strict: bool | None = None,
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
            timeout: seconds that a call may take. See `tool`.
            retries: how often a call that failed is run again. See `tool`.
            approve: whether calls wait for somebody's approval. See `tool`.
            background: whether its work outlives the step. See `tool`.
            strict: whether the provider is to hold the model to the schema. See `tool`.
            namespace: names that the annotations may use, beside those that the function itself can see.

        Raises:
            ToolDefinitionError: the function cannot be told to a model, or what is said of it makes no sense; the
                message says why and what to do.
        """
        if isinstance(function, Tool) and isinstance(function._signature, RawParameters):  # noqa: SLF001 - its own
            raise ToolDefinitionError(
                f"tool {function.name}: it was made from a schema, which its function does not tell. Make another "
                "one with Tool.from_schema(tool.function, ...)"
            )
        function = _plain_function(function)
        inner = inner_function(function)
        label = own_name(function, inner) if name is None else name
        check_name(label)
        docstring = docstring_of(function, inner)
        self.is_unbound = is_method(function)
        self._signature = read_signature(
            function,
            label,
            context=Context,
            docstring=docstring,
            namespace=namespace or {},
            skip_first=self.is_unbound,
        )
        self.description = docstring.description if description is None else description
        self._set_up(
            function,
            label,
            lambda helper: Tool(helper, name=label, namespace=namespace),
            definition=definition,
            effect=effect,
            reconcile=reconcile,
            timeout=timeout,
            retries=retries,
            approve=approve,
            background=background,
            strict=strict,
        )

    @staticmethod
    def from_schema(
        function: Callable[Q, S],
        *,
        name: str,
        description: str = "",
        parameters: Mapping[str, Any],
        effect: Effect = "once",
        reconcile: Callable[..., Any] | None = None,
        definition: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        retries: int = 0,
        approve: bool | ApprovalFunction = False,
        background: bool = False,
        strict: bool | None = None,
        takes_context: bool | None = None,
    ) -> Tool[Q, S]:
        """A tool whose parameters are a JSON schema, as those of tools that come from elsewhere.

        The function is called with one dict of all arguments, as the model sent them, and with the `Context` if its
        second parameter is annotated so. `reconcile` and `approve` functions are called in the same way. Of the
        arguments it is checked that names and required names are those of the schema, and that each is of its `type`
        and one of its `enum`. What is inside of them is the function's to check.

        Args:
            function: what is called; a coroutine function, or not.
            name: what the model calls it.
            description: what the model is told of it.
            parameters: a JSON schema of type object.
            effect: what happens when the tool runs twice. For this and all others see `tool`.
            takes_context: whether the function gets the context; left out, the annotation says so.

        Raises:
            ToolDefinitionError: what is said of the tool makes no sense; the message says why and what to do.
        """
        made: Tool[Q, S] = cast("Any", Tool).__new__(Tool)
        plain = cast("Callable[Q, S]", _plain_function(function))
        check_name(name)
        context, by_name = find_context(plain, name, context=Context, namespace={}, takes=takes_context)
        made.is_unbound = False
        made._signature = RawParameters(parameters, name, context=context, by_name=by_name)
        made.description = description
        made._set_up(
            plain,
            name,
            lambda helper: Tool.from_schema(helper, name=name, parameters=parameters),
            definition=definition,
            effect=effect,
            reconcile=reconcile,
            timeout=timeout,
            retries=retries,
            approve=approve,
            background=background,
            strict=strict,
        )
        return made

    @property
    def spec(self) -> ToolSpec:
        """The tool as a model is told of it."""
        return ToolSpec(self.name, self.description, self.parameters, strict=self.strict, raw=self.definition)

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
        if isinstance(bound.approve, Tool):
            bound.approve = bound.approve.__get__(instance, owner)
        bound.is_unbound = False
        functools.update_wrapper(bound, bound.function, updated=())
        return bound

    def __repr__(self) -> str:
        return f"<Tool {self.name}({', '.join(self._signature.parameters)})>"

    def bind(self, arguments: str, *, complete: bool = True) -> dict[str, object]:
        """The model's raw arguments as values for the function's parameters.

        Types are strict, but 2.0 is an integer and 2 is a number, as JSON schema has it. What is left out and
        has a default is not in the result. No text at all counts as no arguments. What is almost JSON is mended where
        that can be done in one way only (`repair_json`), and only if the result then fits.

        Args:
            arguments: JSON, as the model wrote it.
            complete: whether the answer that they stand in came to its own end, and was not cut.

        Raises:
            InvalidArguments: whatever is wrong with the arguments, all of it at once.
        """
        try:
            given = parse_arguments(arguments)
        except InvalidArguments:
            if (mended := self._mended(arguments, complete)) is None:
                raise
            return mended
        return self._values(given)

    def invoke(self, arguments: Mapping[str, object], context: Context[Any]) -> Any:
        """Call the function with arguments by name, and with the context where it asks for it.

        Returns:
            What the function returns: for a coroutine function, the awaitable.
        """
        return self._signature.call(cast("Callable[..., Any]", self.function), arguments, context)

    def select(self, arguments: Mapping[str, object]) -> dict[str, object]:
        """Those of another tool's arguments that this one has parameters for."""
        return self._signature.select(arguments)

    async def needs_approval(self, arguments: Mapping[str, object], context: Context[Any]) -> bool:
        """Whether a call has to wait for somebody's approval.

        Args:
            arguments: as `bind` gives them.
            context: of the call.
        """
        if isinstance(self.approve, bool):
            return self.approve
        said: object = self.approve.invoke(self.approve.select(arguments), context)
        return bool(await cast("Awaitable[object]", said) if inspect.isawaitable(said) else said)

    def _set_up(
        self,
        function: Callable[P, R_co],
        label: str,
        make_helper: Callable[[Callable[..., Any]], Tool[..., Any]],
        *,
        definition: Mapping[str, Any] | None,
        effect: Effect,
        reconcile: Callable[..., Any] | None,
        timeout: float | None,
        retries: int,
        approve: bool | ApprovalFunction,
        background: bool,
        strict: bool | None,
    ) -> None:
        """All that does not depend on where the parameters come from."""
        if inspect.isgeneratorfunction(inner := inner_function(function)) or inspect.isasyncgenfunction(inner):
            raise ToolDefinitionError(f"tool {label}: it is a generator; return a list instead")
        check_policy(
            label,
            effect=effect,
            timeout=timeout,
            retries=retries,
            approve=approve,
            background=background,
            strict=strict,
        )
        if reconcile is not None and effect != "once":
            raise ToolDefinitionError(
                f"tool {label}: reconcile= is for tools that may run only once; with effect={effect!r} a call that "
                "was cut down is simply run again"
            )
        schema = self._signature.schema()
        self.name = label
        self.parameters = closed(schema) if strict else schema
        self.definition = None if definition is None else dict(definition)
        self.effect = effect
        self.reconcile = None if reconcile is None else self._helper(make_helper(reconcile), "reconcile")
        self.timeout = timeout
        self.retries = retries
        self.approve = approve if isinstance(approve, bool) else self._helper(make_helper(approve), "approve")
        self.background = background
        self.strict = strict
        self.function = function
        self.is_async = _is_async(function)
        self.context_param = self._signature.context
        self.__name__ = label
        functools.update_wrapper(self, function, updated=())

    def _helper(self, made: Tool[..., Any], what: str) -> Tool[..., Any]:
        unknown = made._signature.parameters.keys() - self._signature.parameters.keys()
        if unknown:
            raise ToolDefinitionError(
                f"tool {self.name}: its {what} function has parameters that the tool has not: "
                f"{', '.join(sorted(unknown))}. It is called with the tool's own arguments, those that it names"
            )
        return made

    def _mended(self, arguments: str, complete: bool) -> dict[str, object] | None:
        """The values of what is almost JSON; None where it cannot be mended, or does not fit then."""
        repaired = repair_json(arguments, complete=complete)
        try:
            return None if repaired is None else self._values(parse_arguments(repaired))
        except InvalidArguments:
            return None

    def _values(self, given: Mapping[str, object]) -> dict[str, object]:
        values, problems = self._signature.read(given)
        if problems:
            raise InvalidArguments(problems, f"Call {self.name} again with the right arguments.")
        return values


AnyTool: TypeAlias = Tool[..., Any]
"""A tool of any signature."""


def _plain_function(function: Any) -> Any:
    """What is called, where it can be called and is no class."""
    if not callable(function) or isinstance(function, type):
        raise ToolDefinitionError(f"a tool is made of a function, a method or a callable object, not of {function!r}")
    return cast("AnyTool", function).function if isinstance(function, Tool) else function


def _is_async(function: Any) -> bool:
    plain = without_partials(function)
    return cast("AnyTool", plain).is_async if isinstance(plain, Tool) else is_coroutine_function(plain)
