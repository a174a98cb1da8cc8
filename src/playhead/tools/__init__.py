"""Tools: functions that a model may call, their schemas, and the validation of what the model sends."""

from __future__ import annotations

from ._almost_json import repair_json
from ._arguments import InvalidArguments
from ._context import Context
from ._decorator import RERUN, as_tool, tool
from ._policy import ApprovalFunction, Effect
from ._results import result_text, split_result
from ._tool import AnyTool, Tool
from ._toolset import Toolset

__all__ = [
    "RERUN",
    "AnyTool",
    "ApprovalFunction",
    "Context",
    "Effect",
    "InvalidArguments",
    "Tool",
    "Toolset",
    "as_tool",
    "repair_json",
    "result_text",
    "split_result",
    "tool",
]
