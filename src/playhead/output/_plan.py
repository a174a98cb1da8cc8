"""What a request needs so that its answer has a type."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from ..messages import ToolSpec
from ..tools._problems import Schema
from ._shape import Shape
from ._strict import NotStrict, strict_schema

OutputMode: TypeAlias = Literal["native", "tool", "prompt"]
"""How a model is held to a type: by the provider, by the arguments of a tool, or by words."""

TOOL = "final_result"
_ENDS = "Give the final result of the task. Calling this ends it."
_PROMPT = (
    "Your final answer must be JSON alone, with no words before or after it and no code fences. It must fit this "
    "JSON schema:\n\n{}"
)


class Plan(msgspec.Struct, frozen=True):
    """What goes into a request.

    Attributes:
        response_format: for the setting of that name.
        tools: output tools, to go beside the agent's own.
        prompt: text for the end of the system prompt.
    """

    mode: OutputMode
    response_format: dict[str, Any] | None = None
    tools: tuple[ToolSpec, ...] = ()
    prompt: str | None = None


def native_plan(shape: Shape, name: str, description: str | None, strict: bool | None) -> Plan:
    """The provider holds the answer to the schema."""
    schema, is_strict = _schema(shape, strict is not False)
    said: dict[str, Any] = {"name": name}
    if description:
        said["description"] = description
    said |= {"schema": schema, "strict": is_strict}
    return Plan("native", response_format={"type": "json_schema", "json_schema": said})


def tool_plan(shapes: dict[str, Shape], description: str | None, strict: bool | None) -> Plan:
    """The model calls a tool with the result; `shapes` by the tools' names."""
    return Plan("tool", tools=tuple(_tool(name, shape, description, strict) for name, shape in shapes.items()))


def prompt_plan(shape: Shape, description: str | None) -> Plan:
    """The model is told in words."""
    text = _PROMPT.format(schema_text(shape))
    return Plan("prompt", prompt=f"{text}\n\n{description}" if description else text)


def schema_text(shape: Shape) -> str:
    """The schema as JSON, for a model to read."""
    return msgspec.json.encode(shape.schema()).decode()


def _tool(name: str, shape: Shape, description: str | None, strict: bool | None) -> ToolSpec:
    schema, is_strict = _schema(shape, strict is True)
    about = description or shape.members[0].schema.get("description", "")
    schema = {key: value for key, value in schema.items() if key != "description"}
    # Only who asked for it: not every model that has tools can be held to their schemas, and some refuse the word.
    return ToolSpec(name, f"{about}\n\n{_ENDS}" if about else _ENDS, schema, True if is_strict else None)


def _schema(shape: Shape, strict: bool) -> tuple[Schema, bool]:
    schema = shape.schema()
    if strict:
        try:
            return strict_schema(schema), True
        except NotStrict:
            pass
    return schema, False
