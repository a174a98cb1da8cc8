"""A function's signature, read as the parameters of a tool."""

from __future__ import annotations

import functools
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from ..errors import ToolDefinitionError
from ._callables import inner_function
from ._docstring import Docstring
from ._problems import Spot, say_missing, say_unknown
from ._schema import JsonType, Mismatch, Unsupported, hoist, to_json_value

_UNRESOLVED = re.compile(r"name '(\w+)' is not defined")


class Parameter:
    """One parameter that the model fills in.

    Attributes:
        name: as in the function.
        required: whether the call must have it.
        type: its schema, and the conversion from JSON.
        schema: what is added to the type's schema (`description`, `default`), and that schema.
    """

    def __init__(self, name: str, type: JsonType, default: Any, description: str | None) -> None:
        self.name = name
        self.type = type
        self.required = default is inspect.Parameter.empty
        extra = {} if self.required else _default(default, type)
        if text := type.description or description:
            extra["description"] = text
        self.schema = {**type.schema, **extra}


class Signature:
    """What a tool has to know of its function's parameters.

    Attributes:
        parameters: those that the model fills in, in order.
        context: the name of the parameter that gets the context, or None.
        positional: the names of those that cannot be passed by name, with their defaults.
    """

    def __init__(
        self,
        parameters: Sequence[Parameter],
        context: str | None,
        positional: Sequence[tuple[str, Any]],
    ) -> None:
        self.parameters = {parameter.name: parameter for parameter in parameters}
        self.context = context
        self.positional = tuple(positional)

    def schema(self) -> dict[str, Any]:
        """All parameters, as one JSON schema of type object; definitions are hoisted to its top."""
        defs: dict[str, Any] = {}
        properties = {
            name: hoist(parameter.schema, parameter.type.defs, defs) for name, parameter in self.parameters.items()
        }
        required = [name for name, parameter in self.parameters.items() if parameter.required]
        return {
            **({"$defs": defs} if defs else {}),
            "properties": properties,
            **({"required": required} if required else {}),
            "type": "object",
        }

    def read(self, given: Mapping[str, object]) -> tuple[dict[str, object], list[str]]:
        """The model's arguments as values for the function, and all that is wrong with them."""
        problems = [say_unknown("", name, list(self.parameters)) for name in given if name not in self.parameters]
        values: dict[str, object] = {}
        for name, parameter in self.parameters.items():
            if name in given:
                try:
                    values[name] = parameter.type.convert(given[name], name)
                except Mismatch as mismatch:
                    problems.extend(mismatch.args)
            elif parameter.required:
                spot = Spot.of(name, msgspec.UNSET, parameter.schema, parameter.type.defs)
                problems.append(say_missing(spot))
        return values, problems

    def select(self, arguments: Mapping[str, object]) -> dict[str, object]:
        """Those of another tool's arguments that this one has parameters for."""
        return {name: value for name, value in arguments.items() if name in self.parameters}

    def call(self, function: Callable[..., Any], arguments: Mapping[str, object], context: object) -> Any:
        """Call the function with arguments by name, and with the context where it asks for it."""
        placed, named = self._split({**arguments, self.context: context} if self.context else arguments)
        return function(*placed, **named)

    def _split(self, arguments: Mapping[str, object]) -> tuple[list[object], dict[str, object]]:
        """The arguments as what is passed by place, and what by name."""
        named = dict(arguments)
        placed: list[object] = []
        for name, default in self.positional:
            if name not in named and default is inspect.Parameter.empty:
                break
            placed.append(named.pop(name, default))
        return placed, named


def read_signature(
    function: Callable[..., Any],
    label: str,
    *,
    context: type,
    docstring: Docstring,
    namespace: Mapping[str, Any],
    skip_first: bool = False,
) -> Signature:
    """Read what a tool has to know of a function's parameters.

    Args:
        function: anything that can be called.
        label: what error messages call it.
        context: the type whose parameter is not the model's to fill in.
        docstring: where parameters are described.
        namespace: names that annotations may use, beside those that the function itself can see.
        skip_first: leave the first parameter out (`self`).

    Raises:
        ToolDefinitionError: a parameter cannot be told to a model; the message names it and says what to do.
    """
    found = list(_signature(function, label).parameters.values())[skip_first:]
    fixed: Mapping[str, Any] = function.keywords if isinstance(function, functools.partial) else {}
    names = {**visible_names(inner_function(function)), **namespace}
    parameters: list[Parameter] = []
    contexts: list[str] = []
    for parameter in found:
        if parameter.name in fixed:
            continue
        _refuse_variadic(parameter, label)
        hint = read_hint(parameter, label, names)
        if mentions(hint, context):
            contexts.append(parameter.name)
        else:
            parameters.append(_parameter(parameter, hint, label, docstring))
    if len(contexts) > 1:
        raise ToolDefinitionError(f"tool {label}: {contexts[0]} and {contexts[1]} both ask for the context")
    positional = [(each.name, each.default) for each in found if each.kind is each.POSITIONAL_ONLY]
    return Signature(parameters, contexts[0] if contexts else None, positional)


def _signature(function: Callable[..., Any], label: str) -> inspect.Signature:
    try:
        if sys.version_info >= (3, 14):
            from annotationlib import Format

            return inspect.signature(function, annotation_format=Format.FORWARDREF)
        return inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise ToolDefinitionError(
            f"tool {label}: Python does not know its parameters ({error}). Wrap it in a function of your own"
        ) from error


def _refuse_variadic(parameter: inspect.Parameter, label: str) -> None:
    name = parameter.name
    if parameter.kind is parameter.VAR_POSITIONAL:
        instead = f"take a list instead, such as `{name}: list[str]`"
    elif parameter.kind is parameter.VAR_KEYWORD:
        instead = f"take a dict instead, such as `{name}: dict[str, str]`"
    else:
        return
    raise ToolDefinitionError(
        f"tool {label}: a model cannot fill in {parameter}, as it needs a name for every value: {instead}. "
        "(Where a decorator hides the real signature, it needs functools.wraps.)"
    )


def read_hint(parameter: inspect.Parameter, label: str, names: Mapping[str, Any]) -> Any:
    """The parameter's annotation, resolved.

    Raises:
        ToolDefinitionError: it names what the function does not see.
    """
    annotation = parameter.annotation
    if annotation is inspect.Parameter.empty:
        return Any

    def holder() -> None: ...

    holder.__annotations__ = {"hint": annotation}
    try:
        return typing.get_type_hints(holder, dict(names), include_extras=True)["hint"]
    except Exception as error:
        unknown = _UNRESOLVED.search(str(error))
        advice = f"import or define {unknown[1]} where the function sees it" if unknown else "correct it"
        aside = ", and not only under TYPE_CHECKING" if unknown else ""
        raise ToolDefinitionError(
            f"tool {label}: the annotation of {parameter.name}, {_type_name(annotation)}, cannot be resolved "
            f"({error}): {advice}{aside}"
        ) from error


def mentions(hint: Any, wanted: type) -> bool:
    """Whether a hint is this class, whatever its parameter, or a union with it."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return mentions(args[0], wanted)
    if origin in (Union, types.UnionType):
        return any(mentions(arg, wanted) for arg in args)
    return wanted in (hint, origin)


def _parameter(parameter: inspect.Parameter, hint: Any, label: str, docstring: Docstring) -> Parameter:
    name, default = parameter.name, parameter.default
    if type(default).__name__ == "FieldInfo":
        raise ToolDefinitionError(
            f"tool {label}: the default of {name} is a pydantic Field, and a direct call would get that "
            f"object. Write `{name}: Annotated[{_type_name(hint)}, Field(...)] = ...` instead"
        )
    try:
        found = JsonType(hint)
    except Unsupported as error:
        raise ToolDefinitionError(
            f"tool {label}: the type of {name}, {_type_name(hint)}, cannot be told to a model: {error}"
        ) from error
    return Parameter(name, found, default, docstring.parameters.get(name))


def _default(default: Any, type: JsonType) -> dict[str, Any]:
    """The default for the schema: empty where JSON cannot say it, or where the type does not allow it."""
    try:
        value = to_json_value(default)
    except Exception:  # a default may be anything
        return {}
    return {"default": value} if value is not None or type.accepts(None) else {}


def visible_names(function: Any) -> dict[str, Any]:
    """The global names of a function, and those that it closes over."""
    names: dict[str, Any] = dict(getattr(function, "__globals__", {}))
    code = getattr(function, "__code__", None)
    cells: Iterable[types.CellType] = getattr(function, "__closure__", None) or ()
    for name, cell in zip(code.co_freevars if code else (), cells, strict=False):
        try:
            names[name] = cell.cell_contents
        except ValueError:  # the cell is still empty: the name is bound further down
            continue
    return names


def _type_name(hint: Any) -> str:
    if isinstance(hint, str):
        return repr(hint)
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
