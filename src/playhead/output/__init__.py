"""Typed output: what a model is told of a type, its answer as a value of it, and that value while it streams."""

from __future__ import annotations

from ._invalid import InvalidOutput
from ._output import Output, as_output
from ._partial import PartialOutput
from ._partial_json import PartialJSON
from ._plan import OutputMode, Plan

__all__ = ["InvalidOutput", "Output", "OutputMode", "PartialJSON", "PartialOutput", "Plan", "as_output"]
