"""Tools: functions that a model may call, their schemas, and the validation of what the model sends."""

from __future__ import annotations

from ._results import result_text, split_result
from ._tool import RERUN, AnyTool, Context, Effect, InvalidArguments, Tool, as_tool, tool

__all__ = [
    "RERUN",
    "AnyTool",
    "Context",
    "Effect",
    "InvalidArguments",
    "Tool",
    "as_tool",
    "result_text",
    "split_result",
    "tool",
]
