"""The type of an agent's output."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast, overload

from ..errors import ConfigError
from ..messages import ToolCallPart
from ..tools._almost_json import repair_json
from ..tools._callables import is_coroutine_function
from ..tools._schema import Mismatch, Unsupported
from ..wire import Dialect
from ._found import find_json, looks_like_json, read_json
from ._invalid import InvalidOutput
from ._members import Member, members_of
from ._partial import PartialOutput
from ._plan import TOOL, OutputMode, Plan, native_plan, prompt_plan, schema_text, tool_plan
from ._shape import Shape
from ._strict import NotStrict, strict_schema

if TYPE_CHECKING:
    from ..providers import Provider

T = TypeVar("T")

_MODES = ("auto", "native", "tool", "prompt")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_LONGEST_NAME = 64
_AGAIN = "Answer again with the whole JSON, corrected, and nothing else."


class Output(Generic[T]):
    """A type that an agent's output has, and how a model is held to it. A value: it keeps nothing of any run.

    Attributes:
        mode: how the model is held to the type; `auto` for what the provider does best.
        retries: how often the model is told what is wrong before the run fails.
        strict: whether the provider is to hold the answer to each letter of the schema.
        name: what the schema, or the tool, is called.
        is_text: whether the type is `str` alone: then nothing is asked for, and every text fits.
        tool_names: what its tools are called, in tool mode.
        description: what the model is told of it; None for the type's docstring.
    """

    mode: Literal["auto", "native", "tool", "prompt"]
    retries: int
    strict: bool | None
    name: str
    is_text: bool
    tool_names: tuple[str, ...]
    description: str | None

    @overload
    def __init__(
        self,
        type: builtins.type[T],
        *,
        mode: Literal["auto", "native", "tool", "prompt"] = "auto",
        name: str | None = None,
        description: str | None = None,
        retries: int = 2,
        strict: bool | None = None,
        validate: Callable[[T], T | None] | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        type: Sequence[Callable[..., T]],  # classes: mypy does not see what a list of models has in common
        *,
        mode: Literal["auto", "native", "tool", "prompt"] = "auto",
        name: str | None = None,
        description: str | None = None,
        retries: int = 2,
        strict: bool | None = None,
        validate: Callable[[T], T | None] | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: Output[Any],
        type: Any,
        *,
        mode: Literal["auto", "native", "tool", "prompt"] = "auto",
        name: str | None = None,
        description: str | None = None,
        retries: int = 2,
        strict: bool | None = None,
        validate: Callable[[Any], Any] | None = None,
    ) -> None: ...
    def __init__(
        self,
        type: Any,
        *,
        mode: Literal["auto", "native", "tool", "prompt"] = "auto",
        name: str | None = None,
        description: str | None = None,
        retries: int = 2,
        strict: bool | None = None,
        validate: Callable[[Any], Any] | None = None,
    ) -> None:
        """Understand a type.

        Args:
            type: a pydantic model, a dataclass, a TypedDict, a msgspec struct, an enum, or any other type hint; or a
                list of types, one of which the output is. `str` is plain text.
            mode: `native` (the provider holds the answer to a schema), `tool` (the model calls a tool with the
                result), `prompt` (it is told in words), or `auto`: what works with all of a provider's models.
            name: what the schema, or the tool, is called: up to 64 letters, digits, `_` and `-`.
            description: what the model is told of it; the type's docstring where it is left out.
            retries: how often the model is told what is wrong.
            strict: True asks for strict schemas everywhere, False for none. By itself, native answers are strict
                where the type can be said so.
            validate: called with each output. A ValueError or AssertionError that it raises is told to the model; a
                value that it returns is taken in the output's place.

        Raises:
            ConfigError: the type cannot be told to a model, or not strictly; the message says why.
        """
        _check(mode, name, retries)
        if is_coroutine_function(validate):
            raise ConfigError(
                "validate= of an output is a plain function: an asynchronous one cannot be awaited there"
            )
        try:
            self._members = members_of(type)
        except Unsupported as error:
            raise ConfigError(
                f"output {type!r} cannot be told to a model: {error}. Give a pydantic model, a dataclass, a "
                "TypedDict, a msgspec struct, a plain type such as list[int], or a list of those"
            ) from error
        if not self._members:
            raise ConfigError("output=[] names no type: give one or more, or none at all for plain text")
        self.mode = mode
        self.retries = retries
        self.strict = strict
        self.is_text = len(self._members) == 1 and self._members[0].is_text
        self.name = name or (self._members[0].name if len(self._members) == 1 else TOOL)
        self.description = description
        self._validate = validate
        self._shape = Shape.of(self._members)
        self._tools = _tools(self._members, name or TOOL)
        self.tool_names = () if self.is_text else tuple(self._tools)
        if strict:
            self._check_strict(type)

    def mode_for(self, provider: Dialect | Provider, has_tools: bool) -> OutputMode:
        """How a provider's models are held to the type.

        Args:
            provider: the provider as it is for the model (`resolve` gives it), or its dialect.
            has_tools: whether the agent has tools of its own.
        """
        if self.mode != "auto":
            return self.mode
        dialect = provider if isinstance(provider, Dialect) else provider.dialect
        mode = (dialect.output_with_tools if has_tools else None) or dialect.output
        return "tool" if mode == "native" and dialect.schema != "json_schema" else mode

    def plan(self, mode: OutputMode) -> Plan:
        """What a request needs. Nothing for plain text."""
        if self.is_text:
            return Plan(mode)
        match mode:
            case "native":
                return native_plan(self._shape, self.name, self.description, self.strict)
            case "tool":
                return tool_plan(self._tools, self.description, self.strict)
            case "prompt":
                return prompt_plan(self._shape, self.description)

    def parse(self, text: str, mode: OutputMode | None = None) -> T:
        """The output that a model's text is.

        Args:
            text: JSON, also between code fences or among words.
            mode: what the request was made for. In tool mode a text is the output where `str` is one of the types.

        Raises:
            InvalidOutput: it is no value of the type, or the validator refuses it.
        """
        if self.is_text or (mode == "tool" and any(member.is_text for member in self._members)):
            return self._checked(text, _AGAIN, text)
        advice = f"Call {' or '.join(self.tool_names)} with the result." if mode == "tool" else _AGAIN
        found = find_json(text)
        if not found:
            needs_schema = mode != "tool" and not looks_like_json(text)
            raise InvalidOutput([_no_json(text)], advice, text=text, needs_schema=needs_schema)
        problems: list[tuple[str, ...]] = []
        for value in found:
            try:
                made = self._shape.read(value)
            except Mismatch as mismatch:
                problems.append(mismatch.args)
            else:
                return self._checked(made, advice, text)
        raise InvalidOutput(problems[0], advice, text=text)

    def parse_call(self, call: ToolCallPart) -> T:
        """The output that the arguments of a call of an output tool are.

        Raises:
            InvalidOutput: it is no value of the type, or the validator refuses it.
        """
        text = call.arguments
        shape = self._tools.get(call.name)
        if shape is None:
            advice = f"Call {' or '.join(self.tool_names)} with the result."
            raise InvalidOutput([f"`{call.name}` takes no result"], advice, text=text)
        advice = f"Call {call.name} again with the right arguments."
        try:
            made = shape.read(_arguments(text))
        except Mismatch as mismatch:
            raise InvalidOutput(mismatch.args, advice, text=text) from mismatch
        except ValueError as error:
            problem = f"the arguments are not valid JSON: {error}. Send one JSON object."
            raise InvalidOutput([problem], advice, text=text) from error
        return self._checked(made, advice, text)

    def again(self, problem: InvalidOutput) -> str:
        """What is sent back to the model about an answer that does not fit."""
        if not problem.needs_schema:
            return str(problem)
        # A server that ignores what a request asks for has not told the model of the schema.
        return f"{problem}\nThe JSON must fit this schema:\n\n{schema_text(self._shape)}"

    def partial(self, mode: OutputMode) -> PartialOutput:
        """The output of one answer while it streams."""
        is_text = self.is_text or (mode == "tool" and any(member.is_text for member in self._members))
        tools = self._tools if mode == "tool" and not self.is_text else {}
        return PartialOutput(None if mode == "tool" else self._shape, tools, is_text=is_text)

    def __repr__(self) -> str:
        return f"<Output {' | '.join(member.name for member in self._members)}, {self.mode}>"

    def _checked(self, value: object, advice: str, text: str) -> T:
        made = cast("T", value)
        if self._validate is None:
            return made
        try:
            replaced = self._validate(made)
        except (ValueError, AssertionError) as error:
            raise InvalidOutput([str(error) or "the answer was refused"], advice, text=text) from error
        return made if replaced is None else cast("T", replaced)

    def _check_strict(self, hint: object) -> None:
        for shape in (self._shape, *self._tools.values()):
            try:
                strict_schema(shape.schema())
            except NotStrict as error:
                raise ConfigError(
                    f"output {hint!r} cannot be said in a strict schema: {error}. Leave strict= out, or give each "
                    "object its fields"
                ) from error


def as_output(value: Any) -> Output[Any] | None:
    """What `Agent(output=...)` takes, as an `Output`; None for plain text.

    Args:
        value: None, `str`, an `Output`, a type, or a list of types.

    Raises:
        ConfigError: the type cannot be told to a model.
    """
    if value is None or value is str:
        return None
    return cast("Output[Any]", value) if isinstance(value, Output) else Output(value)


def _check(mode: str, name: str | None, retries: int) -> None:
    if mode not in _MODES:
        raise ConfigError(f"mode {mode!r} of an output should be one of {', '.join(_MODES)}")
    if name is not None and not _NAME.fullmatch(name):
        raise ConfigError(f"name {name!r} of an output should be up to 64 letters, digits, _ and -")
    if retries < 0:
        raise ConfigError(f"retries of an output should be 0 or more, but is {retries}")


def _tools(members: tuple[Member, ...], name: str) -> dict[str, Shape]:
    """A tool for each member; none for text, which a model just says."""
    if len(members) == 1:
        return {name: Shape.of(members)}
    return {
        f"{name[: _LONGEST_NAME - len(member.name) - 1]}_{member.name}": Shape.of((member,))
        for member in members
        if not member.is_text
    }


def _arguments(text: str) -> object:
    """The arguments of a call, as those of tools are read: almost-JSON is mended, but nothing is closed.

    Raises:
        ValueError: they are no JSON.
    """
    if not text.strip():
        return {}
    try:
        return read_json(text)
    except ValueError:
        if (mended := repair_json(text, complete=False)) is None:
            raise
        return read_json(mended)


def _no_json(text: str) -> str:
    if not looks_like_json(text):
        return "there is no JSON in the answer"
    try:
        read_json(text)
    except ValueError as error:
        return f"the answer is not valid JSON: {error}"
    return "there is no JSON in the answer"
